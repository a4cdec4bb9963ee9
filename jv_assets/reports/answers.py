"""The box at the top of the page: each question with one sentence and one suggested action.

A sentence claims what its figures carry, and no more: an interval that holds both signs is no difference.
"""

from collections.abc import Callable

from jv_assets.names import (
    AGGREGATION_COMPARISON,
    EMBEDDING_ISOLATION,
    EVALUATION,
    MOMENTUM_BOTTLENECK,
    MOMENTUM_OPTIONS,
    PRODUCTION_IMPACT,
)
from jv_assets.reports import congestion, evaluation, momentum_options, pair_share, text_robustness
from jv_assets.reports.figures import Answer, number, percent, signed, with_interval, words
from jv_scoring.analysis.evaluation_figures import TOO_FEW
from jv_scoring.analysis.rows import BOTH
from jv_scoring.analysis.tallies import Json
from jv_scoring.policy import POLICIES

GOOD = "Are the scores any good?"
_BETTER = "better"
_FEW_FALLBACKS = 0.10
"""Up to this share of comparisons by word overlap, missing vectors are no concern, as in the check few_fallbacks."""
_MUCH = 0.5
"""From this share of the variance on, a score is mostly about the pair."""
_BEYOND_CHANCE = 0.02
"""A Gini coefficient that differs by less than this from that of ten at random is the same for a reader."""


def answers(report: Json) -> list[Answer]:
    """Return the answers of the page; of a report without matches, that nothing can be said."""
    if not report[EMBEDDING_ISOLATION]["matches"]:
        return [Answer(GOOD, "No match is scored, so nothing can be said.", "Score the matches: type jv nightly.", "")]
    made = [_good(report.get(EVALUATION)), *(each(report) for each in _ANSWERS)]
    return [each for each in made if each is not None]


def _good(found: Json | None) -> Answer:
    section = evaluation.TITLE
    if found is None:
        return Answer(GOOD, "Nobody knows: no outcome was evaluated.", "Type jv evaluate.", "")
    analysis, name = _judged(found)
    record = found["analyses"][analysis]["labels"][name]
    now, verdict = evaluation.current(found, record), record["verdict"]
    done = "act on" if name == "acted" else "like"
    if verdict == TOO_FEW:
        return Answer(
            GOOD,
            f"Nobody can tell yet: {number(record['positive'])} matches that people {done} are too few.",
            f"Wait for outcomes, about {number(evaluation.positives_missing(record))} more of them, or let people rate "
            "pairs: jv rating-sheet.",
            section,
        )
    said = {
        "predicts": "The scores predict what people do",
        "misleads": "The scores mislead",
        "no evidence": "There is no evidence that the scores predict what people do",
    }[verdict]
    of_today = " (scores of today, whose profiles people may have edited since)" if analysis == "retrospective" else ""
    sentence = (
        f"{said}: of two matches of one profile, the one that people {done} has the higher score in "
        f"{percent(now['auc_within'])} of cases (95 % {percent(now['low'])} to {percent(now['high'])}), where chance "
        f"gives 50 %{of_today}."
    )
    return Answer(GOOD, sentence, _act(record, verdict), section)


def _judged(found: Json) -> tuple[str, str]:
    """Return the analysis and label to judge by: those with a verdict first, and the scores that stood first."""
    labels = [(analysis, name) for name in ("acted", "feedback") for analysis in ("prospective", "retrospective")]
    told = [each for each in labels if found["analyses"][each[0]]["labels"][each[1]]["verdict"] != TOO_FEW]
    return told[0] if told else ("retrospective", "acted")


def _act(record: Json, verdict: str) -> str:
    better = [each["ranking"] for each in record["rankings"] if each["compared"] == _BETTER]
    if better:
        return f"Look at what does better on the same matches: {', '.join(better)}."
    if verdict == "predicts":
        return "Show a profile's matches in the order of the score, and keep watching the outcomes."
    if verdict == "misleads":
        return "Do not show matches in this order before you know why."
    return "Do not act on the order yet: let people rate pairs (jv rating-sheet), and collect outcomes."


def _embeddings(report: Json) -> Answer | None:
    beyond = report[EMBEDDING_ISOLATION]["beyond_random"]
    if beyond["low"] is None:
        return None
    sentence = (
        f"Beyond what they change for random pairs, embeddings change suggested pairs by {with_interval(beyond)} points"
    )
    if beyond["low"] > 0:
        sentence, action = f"{sentence}.", "Keep them; only outcomes can show that the scores are better for it."
    elif beyond["high"] < 0:
        sentence, action = f"{sentence}, less than words do.", "Compare word_overlap with the policy in the evaluation."
    else:
        sentence += ": no difference is shown."
        action = "Do not count the higher mean as an improvement; compare word_overlap in the evaluation."
    return Answer("Did embeddings help?", sentence, action, "Did embeddings help?")


def _low(report: Json) -> Answer:
    lost = report[MOMENTUM_BOTTLENECK]["waterfall"]
    most = max(lost["dimensions"], key=lambda each: each["lost"])
    factor = max(lost["factors"], key=lambda each: each["lost_to_best"])
    return Answer(
        "Why are scores low?",
        f"{most['dimension'].capitalize()} costs most, {number(most['lost'], 1)} of 100 points a direction on average.",
        f"Start with {words(factor['factor'])} ({factor['dimension'].capitalize()}): it is furthest from the best that "
        f"the rules give, by {number(factor['lost_to_best'], 1)} points.",
        "Why are scores low?",
    )


def _pair(report: Json) -> Answer | None:
    found = pair_share.shares(report, "harmonic_mean")
    pair = found["pair"]["share"]
    if pair is None:
        return None
    action = "Read a high score as a fit of the two."
    if pair < _MUCH:
        action = "Read a score as a ranking of profiles; for the fit of two of them, look at Synergy in jv explain."
    return Answer(
        pair_share.TITLE,
        f"{percent(pair)} of the match score's variance: {percent(found['both']['share'])} is the two profiles apart "
        "from each other.",
        action,
        pair_share.TITLE,
    )


def _policy(report: Json) -> Answer | None:
    kept = [
        each["best_overlap_beyond_chance"]
        for each in report[AGGREGATION_COMPARISON]["against_current"]
        if each["best_overlap_beyond_chance"] is not None
    ]
    if not kept:
        return None
    equal = [each["equal_sizes"] for each in report[AGGREGATION_COMPARISON]["tier_moves"]]
    better = _better_policies(report.get(EVALUATION))
    return Answer(
        "What would another aggregation do?",
        f"Beyond chance, at least {percent(min(kept))} of the best 10 would stay, and at most {number(max(equal), 0)} "
        "matches would change their tier at equal sizes.",
        f"Try {', '.join(better)}: outcomes are better ordered by it."
        if better
        else "Keep the policy: no outcome speaks for another one.",
        "What would another aggregation do?",
    )


def _better_policies(found: Json | None) -> list[str]:
    if found is None:
        return []
    analysis, name = _judged(found)
    rankings = found["analyses"][analysis]["labels"][name]["rankings"]
    return [each["ranking"] for each in rankings if each["compared"] == _BETTER and each["ranking"] in POLICIES]


def _momentum(report: Json) -> Answer | None:
    options = report.get(MOMENTUM_OPTIONS)
    if not options or report["policy"] != options["policy"] or not options.get("matches"):
        return None
    worth = [each for each in options["worth"] if each["points_per_profile"]["mean"] is not None]
    if not worth:
        return None
    best = max(worth, key=lambda each: each["effect_on_mean"]["mean"])
    effect = best["effect_on_mean"]
    missing = f"if {words(best['field'])} were there for all {number(best['profiles_filled'])} profiles that lack it"
    return Answer(
        momentum_options.TITLE,
        f"At most {signed(effect['mean'])} points a match, {missing}, and were like the values of others.",
        "Ask the profiles of jv export --missing-data for their data, a few first: many may truly have none.",
        momentum_options.TITLE,
    )


def _fallbacks(report: Json) -> Answer | None:
    (every,) = [
        each
        for each in report[EMBEDDING_ISOLATION]["evaluations"]
        if (each["direction"], each["factor"]) == (BOTH, BOTH)
    ]
    share = every["word_overlap_share"]
    if share is None:
        return None
    action = "Nothing to do." if share <= _FEW_FALLBACKS else "See whether texts or vectors are missing: jv doctor."
    title = "Where do fallbacks come from?"
    return Answer(title, f"{percent(share)} of the comparisons lack a vector and count common words.", action, title)


def _impact(report: Json) -> Answer | None:
    numbers = report[PRODUCTION_IMPACT]
    title, moved = "What changed in production, for whom?", numbers["moved"]
    if not numbers["compared"]:
        return None
    changed = moved["raised"] + moved["lowered"]
    action = "Look at the largest losses before you publish or keep it." if changed else "Nothing to do."
    return Answer(
        title, f"{number(changed)} of {number(numbers['compared'])} matches score differently.", action, title
    )


def _congestion(report: Json) -> Answer | None:
    numbers = report["congestion"]
    at_random = congestion.gini_of(numbers, "random")
    if numbers["gini"] is None or at_random is None:
        return None
    by_scores = numbers["gini"] - at_random
    action = "Change what is suggested, not the scores: jv discover proposes pairs, with a cap for each profile."
    if by_scores > _BEYOND_CHANCE:
        action = "Cap how often a profile is shown, as the allocation of jv discover does."
    title = "Is everybody sent to the same few?"
    return Answer(
        title,
        f"The Gini coefficient of places in best 10 is {number(numbers['gini'])}; ten at random have "
        f"{number(at_random)}, so the scores add {signed(by_scores)}.",
        action,
        title,
    )


_ANSWERS: tuple[Callable[[Json], Answer | None], ...] = (
    _embeddings, text_robustness.answer, _low, _pair, _policy, _momentum, _fallbacks, _impact, _congestion,
)  # fmt: skip
