"""The section embedding_isolation: did embeddings help?"""

from collections.abc import Callable

from jv_assets.names import EMBEDDING_ISOLATION
from jv_assets.pipeline.texts.text_content import MEANINGLESS_TEXTS
from jv_assets.reports import charts
from jv_assets.reports.figures import SUMMARY, Figure, Section, label, number, of, percent, signed, table, words
from jv_assets.reports.numbers import record
from jv_scoring.analysis.embedding_isolation import MEASURES
from jv_scoring.analysis.tallies import Json
from jv_scoring.engine import SCORES
from jv_scoring.prepare import COMPARED

_SIDES = {"word_overlap": "word overlap only", "embeddings": "with embeddings", "change": "change"}


def section(report: Json) -> Section:
    numbers = report[EMBEDDING_ISOLATION]
    score = {side: record(numbers["measures"], measure="harmonic_mean", side=side) for side in _SIDES}
    moved = record(numbers["changes"], measure="harmonic_mean")
    answer = "No match is scored, so nothing can be said."
    if numbers["matches"]:
        answer = (
            f"With embeddings the mean match score is {number(score['embeddings']['mean'])}, with word overlap only it "
            f"would be {number(score['word_overlap']['mean'])}: {signed(score['change']['mean'])} points. Of "
            f"{number(numbers['matches'])} matches {number(moved['raised'])} score higher and "
            f"{number(moved['lowered'])} lower for them."
        )
    return Section(
        "Did embeddings help?",
        answer,
        [
            _distribution(numbers),
            _changes(numbers),
            _factors(numbers),
            _most_changed(numbers, report.get("text_lengths", {})),
            *_old_sample(numbers),
        ],
    )


def _distribution(numbers: Json) -> Figure:
    records = [
        {**record(numbers["measures"], measure="harmonic_mean", side=side), "shown": shown}
        for side, shown in _SIDES.items()
    ]
    points = _middles(numbers["score_bars"])
    return Figure(
        "How are match scores distributed, with and without embeddings?",
        table(records, {"match score": label("shown"), **SUMMARY}),
        (lambda: charts.lines(points, "middle", "share", "side", ("match score", "matches"))) if points else None,
        "The same matches twice. Score 0–100, in bars of one point.",
    )


def _changes(numbers: Json) -> Figure:
    records = [{**each, "count": sum(each[name] for name in _MOVES)} for each in numbers["changes"]]
    points = _middles(numbers["change_bars"])
    return Figure(
        "By how many points do embeddings change a match score?",
        table(
            [each for each in records if each["measure"] in SCORES],
            {"score": lambda each: _name(each["measure"]), **{name: of(name) for name in _MOVES}},
        ),
        (lambda: charts.columns(points, "middle", "share", ("points", "matches"), share=True, named=False))
        if points
        else None,
        "In bars of half a point.",
    )


def _factors(numbers: Json) -> Figure:
    names = [name for name in MEASURES if name not in SCORES]
    records = [_factor(numbers, name) for name in names]
    drawn = [
        {"factor": each["factor"], "side": shown, "mean": each[side]}
        for each in records
        for side, shown in _SIDES.items()
        if side != "change" and each[side] is not None
    ]
    return Figure(
        "Which similarity factor gains?",
        table(
            records,
            {
                "factor": label("factor"), "words": of("word_overlap"), "embeddings": of("embeddings"),
                "change": of("change", signed), "raised": of("raised"), "lowered": of("lowered"),
            },
        ),
        (lambda: charts.rows(drawn, "factor", "mean", "mean of the factor, 0–10", series="side", share=False))
        if drawn
        else None,
        "The two factors that compare texts. All other factors are the same either way.",
    )  # fmt: skip


def _factor(numbers: Json, name: str) -> Json:
    sides = {side: record(numbers["measures"], measure=name, side=side) for side in _SIDES}
    means = {side: each["mean"] for side, each in sides.items()}
    return {"factor": words(name), **means, **record(numbers["changes"], measure=name)}


def _most_changed(numbers: Json, lengths: Json) -> Figure:
    """`lengths`: by profile, the characters of its compared texts, if known."""

    def of_text(side: str, name: str) -> Callable[[Json], str]:
        return lambda each: number(lengths.get(each[side], {}).get(name))

    sides = {"A": "profile_id", "B": "suggested_profile_id"}
    shown = table(
        numbers["most_changed"],
        {
            "match": lambda each: str(each["id"]), "words": of("words_harmonic_mean"),
            "embeddings": of("embeddings_harmonic_mean"), "change": of("change", signed),
            **{f"{side} {words(name)}": of_text(column, name) for side, column in sides.items() for name in COMPARED},
        },
    )  # fmt: skip
    return Figure(
        "Which matches change the most?",
        shown,
        note="And how many characters the texts have that are compared (what A seeks with what B offers and the other "
        "way round, whom both serve): of few words each one counts much. To see why a match has its score: "
        "jv explain and its id.",
    )


def _old_sample(numbers: Json) -> list[Figure]:
    """Return the old sample's figure, if it was asked for."""
    sample = numbers["best_by_match_score"]
    if not sample["matches"]:
        return []
    shown = table(
        sample["means"],
        {
            "mean of": lambda each: _name(each["measure"]), "word overlap": of("word_overlap"),
            "embeddings": of("embeddings"), "change": of("change", signed),
        },
    )  # fmt: skip
    note = (
        "A biased sample, only to compare with older figures, which were made of such a one. It favours what the older "
        "matcher preferred, so it does not say what embeddings do to all matches."
    )
    return [Figure(f"And among the {sample['matches']} best by the older matcher's match_score?", shown, note=note)]


def fallbacks(report: Json) -> Section:
    """Return the section fallbacks: where do they come from?"""
    numbers = report[EMBEDDING_ISOLATION]
    records = [
        {**each, "name": f"{words(each['factor'])} {_DIRECTIONS[each['direction']]}".replace("both both ways", "all")}
        for each in numbers["evaluations"]
        if each["factor"] != "both" or each["direction"] == "both"
    ]
    every = records[-1]
    answer = "No texts were compared."
    if every["word_overlap_share"] is not None:
        answer = (
            f"{number(every['word_overlap'])} of {number(every['word_overlap'] + every['semantic'])} comparisons of "
            f"texts ({percent(every['word_overlap_share'])}) fell back to word overlap, because one of the two texts "
            "has no vector."
        )
    answer += _meaningless(report.get("meaningless_texts", {}))
    apart = [each for each in records[:-1] if each["direction"] != "both" and each["word_overlap_share"] is not None]
    ranges = [each for each in report["fallbacks"] if each["share"] is not None]
    by_factor = Figure(
        "Which comparisons fall back?",
        table(records, {"comparison": label("name"), "semantic": of("semantic"), "word overlap": of("word_overlap"),
                        "fallback share": of("word_overlap_share", percent)}),
        (lambda: charts.rows(apart, "name", "word_overlap_share", "share by word overlap")) if apart else None,
    )  # fmt: skip
    by_range = Figure(
        "Is there a range with more fallbacks than others?",
        table(report["fallbacks"], {"range": label("range"), "comparisons": of("evaluations"),
                                    "word overlap": of("word_overlap"), "share": of("share", percent)}),
        (lambda: charts.columns(ranges, "range", "share", ("range", "share by word overlap"), share=True))
        if ranges else None,
        "Ranges cut the matches by id, at random: one that stands out was scored when vectors were missing.",
    )  # fmt: skip
    return Section("Where do fallbacks come from?", answer, [by_factor, by_range])


def _meaningless(shares: Json) -> str:
    """Return sentences on how many profiles have texts whose vectors mean nothing; empty if that is unknown."""
    if not shares:
        return ""
    empty, foreign = (percent(shares[name]) for name in MEANINGLESS_TEXTS)
    return (
        f" {empty} of the profiles have a text without content, {foreign} one in another script than Latin: the models "
        "read English, and cannot tell such texts apart."
    )


_MOVES = ("raised", "unchanged", "lowered")
_DIRECTIONS = {"ab": "A→B", "ba": "B→A", "both": "both ways"}


def _middles(bars: list[Json]) -> list[Json]:
    return [{**bar, "middle": (bar["from"] + bar["to"]) / 2} for bar in bars]


def _name(measure: str) -> str:
    return "match score" if measure == "harmonic_mean" else words(measure)
