"""The section on people's ratings."""

from jv_assets.reports.figures import Figure, Section, number, of, percent, signed, table
from jv_scoring.analysis.ratings import AT_RANDOM, DISCOVERED, LEAST_PAIRS, LEAST_RATERS, PUBLISHED
from jv_scoring.analysis.tallies import Json

_SOURCE_NAMES = {PUBLISHED: "matches", DISCOVERED: "pairs that discovery proposes", AT_RANDOM: "pairs at random"}


def sections(ratings: Json | None) -> list[Section]:
    """Return the section; none if nobody has rated."""
    if ratings is None:
        return []
    rankings = {
        "ranking": lambda each: str(each["ranking"]),
        "Spearman": of("spearman", lambda value: signed(value, 3)),
        "pairs": of("pairs"),
    }
    sources = {
        "source": lambda each: _SOURCE_NAMES[each["source"]],
        "mean rating": of("mean"),
        "95 % from": of("low"),
        "to": of("high"),
        "pairs": of("pairs"),
    }
    tiers = {"tier": lambda each: str(each["tier"]), "rated 4 or 5": of("share", percent), "pairs": of("pairs")}
    return [
        Section(
            "What do people think of these pairs?",
            f"{_agreement(ratings)} {_sources(ratings['sources'])}",
            [
                Figure("What do people think of each source of pairs?", table(ratings["sources"], sources, texts=(0,))),
                Figure(
                    "Does a ranking agree with people's ratings?",
                    table(ratings["rankings"], rankings, texts=(0,)),
                    note="Rank correlation of the value when the sheet was drawn with the mean rating: 1 is the same "
                    "order, 0 is none.",
                ),
                Figure(
                    "How many matches of each tier do people like?",
                    table(ratings["tiers"], tiers, texts=(0,)),
                    note="A pair of the sheet weighs as many matches as it stands for.",
                ),
            ],
        )
    ]


def _agreement(ratings: Json) -> str:
    counts = (
        f"{number(ratings['ratings'])} ratings of {number(ratings['pairs'])} pairs by {number(ratings['raters'])} "
        f"{'person' if ratings['raters'] == 1 else 'people'}."
    )
    if ratings["agreement"]:
        return (
            f"{counts} Whether people agree cannot be said: that takes {LEAST_RATERS} raters and {LEAST_PAIRS} pairs "
            f"rated twice, and there are {number(ratings['pairs_rated_twice'])}."
        )
    return f"{counts} Krippendorff's alpha is {number(ratings['alpha'])}: 1 is full agreement, 0 is chance."


def _sources(records: list[Json]) -> str:
    told = [f"{_SOURCE_NAMES[each['source']]} {number(each['mean'])}" for each in records if each["pairs"]]
    return f"Mean rating, of 1 to 5: {', '.join(told)}."
