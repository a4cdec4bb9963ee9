"""The section embedding_isolation: did embeddings help?"""

from collections.abc import Callable

from jv_assets.names import EMBEDDING_ISOLATION
from jv_assets.pipeline.texts.text_content import MEANINGLESS_TEXTS
from jv_assets.reports import charts
from jv_assets.reports.figures import (
    SUMMARY,
    Figure,
    Section,
    label,
    number,
    of,
    percent,
    signed,
    table,
    with_interval,
    words,
)
from jv_assets.reports.numbers import record
from jv_scoring.analysis.embedding_isolation import MEASURES
from jv_scoring.analysis.rows import BOTH
from jv_scoring.analysis.stored import ONE_WAY
from jv_scoring.analysis.tallies import Json
from jv_scoring.engine import SCORES
from jv_scoring.prepare import COMPARED

_SCORE = "harmonic_mean"
_SIDES = {"word_overlap": "word overlap only", "embeddings": "with embeddings", "change": "change"}


def section(report: Json) -> Section:
    numbers = report[EMBEDDING_ISOLATION]
    figures = [
        _beside_random(numbers),
        _distribution(numbers),
        _changes(numbers),
        _factors(numbers),
        _most_changed(numbers, report.get("text_lengths", {})),
        *_old_sample(numbers),
    ]
    return Section("Did embeddings help?", answer(numbers), figures)


def answer(numbers: Json) -> str:
    """Return what embeddings change for suggested pairs beyond what they change for pairs at random."""
    if not numbers["matches"]:
        return "No match is scored, so nothing can be said."
    change = record(numbers["measures"], measure="harmonic_mean", side="change")["mean"]
    beyond, random = numbers["beyond_random"], [each for each in numbers["random"] if each["measure"] == _SCORE]
    if not random:
        return (
            f"Embeddings change the mean match score by {signed(change)} points. No pairs at random were scored, so it "
            "cannot be said how much of this is an offset between the steps for cosines and those for words."
        )
    told = (
        f"Embeddings change the mean match score by {signed(change)} points for suggested pairs, and by "
        f"{signed(random[0]['change'])} for pairs at random: that much is an offset between two ladders of steps. What "
        f"they change for suggested pairs beyond that is {with_interval(beyond)} points"
    )
    return f"{told}: {_judged(beyond)}."


def _judged(beyond: Json) -> str:
    if beyond["low"] is None:
        return "too few profiles to say more"
    if beyond["low"] > 0:
        return "embeddings tell suggested pairs from random ones better than words do"
    if beyond["high"] < 0:
        return "embeddings tell suggested pairs from random ones less well than words do"
    return "no difference is shown"


def _beside_random(numbers: Json) -> Figure:
    records = []
    for each in numbers["random"]:
        sides = {side: record(numbers["measures"], measure=each["measure"], side=side) for side in _SIDES}
        name, count = _name(each["measure"]), sides["change"]["count"]
        suggested = {side: of_side["mean"] for side, of_side in sides.items()}
        records += [
            {"measure": name, "kind": "suggested", "pairs": count, **suggested},
            {"measure": name, "kind": "at random", **{key: each[key] for key in ("pairs", *_SIDES)}},
            {"measure": name, "kind": "difference", "pairs": None}
            | {key: suggested[key] - each[key] for key in _SIDES},
        ]
    drawn = [each for each in records if each["measure"] == _name(_SCORE) and each["kind"] != "difference"]
    return Figure(
        "What do embeddings change, for suggested pairs and for random ones?",
        table(
            records,
            {
                "mean of": label("measure"), "pairs of profiles": label("kind"), "words": of("word_overlap"),
                "embeddings": of("embeddings"), "change": of("change", signed), "pairs": of("pairs"),
            },
            texts=(0, 1),
        ),
        (lambda: charts.rows(drawn, "kind", "change", "points of match score", share=False)) if drawn else None,
        f"The change of match scores, suggested less random: {with_interval(numbers['beyond_random'])} points, with an "
        "interval clustered by profile. A random pair has the A of a match, and a B drawn as often as it is suggested.",
    )  # fmt: skip


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
        "Which similarity factor changes?",
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
        "The two factors that compare texts. All other factors are the same either way. Audience Alignment compares "
        "the same two texts in both directions, so it is counted once.",
    )  # fmt: skip


def _factor(numbers: Json, name: str) -> Json:
    sides = {side: record(numbers["measures"], measure=name, side=side) for side in _SIDES}
    means = {side: each["mean"] for side, each in sides.items()}
    return {"factor": _name(name), **means, **record(numbers["changes"], measure=name)}


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
    records = [{**each, "name": _compared(each["factor"], each["direction"])} for each in numbers["evaluations"]]
    every = records[-1]
    answer = "No texts were compared."
    if every["word_overlap_share"] is not None:
        answer = (
            f"{number(every['word_overlap'])} of {number(every['word_overlap'] + every['semantic'])} comparisons of "
            f"texts ({percent(every['word_overlap_share'])}) fell back to word overlap, because one of the two texts "
            "has no vector."
        )
    answer += _meaningless(report.get("meaningless_texts", {}))
    once = [each for each in records[:-1] if each["direction"] != BOTH or each["factor"] == ONE_WAY]
    apart = [each for each in once if each["word_overlap_share"] is not None]
    ranges = [each for each in report["fallbacks"] if each["share"] is not None]
    by_factor = Figure(
        "Which comparisons fall back?",
        table(records, {"comparison": label("name"), "semantic": of("semantic"), "word overlap": of("word_overlap"),
                        "fallback share": of("word_overlap_share", percent)}),
        (lambda: charts.rows(apart, "name", "word_overlap_share", "share by word overlap")) if apart else None,
        "Audience Alignment compares the same two texts in both directions, so it counts once.",
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
_DIRECTIONS = {"ab": "A→B", "ba": "B→A", BOTH: "both ways"}


def _middles(bars: list[Json]) -> list[Json]:
    return [{**bar, "middle": (bar["from"] + bar["to"]) / 2} for bar in bars]


def _name(measure: str) -> str:
    if measure.startswith(ONE_WAY):
        return words(ONE_WAY)
    return "match score" if measure == _SCORE else words(measure)


def _compared(factor: str, direction: str) -> str:
    if factor == BOTH:
        return "all"
    return words(factor) if factor == ONE_WAY else f"{words(factor)} {_DIRECTIONS[direction]}"
