"""The section aggregation_comparison: what would another policy do?"""

from jv_assets.names import AGGREGATION_COMPARISON
from jv_assets.reports import charts
from jv_assets.reports.figures import SUMMARY, Figure, Section, label, number, of, percent, table
from jv_assets.reports.numbers import record
from jv_scoring.analysis.rows import BOTH
from jv_scoring.analysis.tallies import Json
from jv_scoring.policy import TIERS

_TIERS = tuple(name for name, _ in TIERS)
_OF = "share of matches"
_MOVES = ("tier up", "same tier", "tier down")


def section(report: Json) -> Section:
    numbers = report[AGGREGATION_COMPARISON]
    scores = [each for each in numbers["scores"] if each["score"] == "harmonic_mean"]
    return Section(
        "What would another aggregation do?",
        answer(numbers),
        [
            _scores(scores),
            _tiers(numbers),
            _migration(numbers),
            _sizes(numbers),
            _order(numbers),
            _best(numbers),
            _weakest(numbers),
        ],
    )


def answer(numbers: Json) -> str:
    """Return what another policy would change: the mean, the tiers, and the best 10 beyond chance."""
    if not numbers["matches"]:
        return "No match is scored, so nothing can be said."
    scores = [each for each in numbers["scores"] if each["score"] == "harmonic_mean"]
    lowest, highest = (pick(scores, key=lambda each: each["mean"]) for pick in (min, max))
    now = record(scores, policy=numbers["current"])
    fixed, equal = ([each[name] for each in numbers["tier_moves"]] for name in ("fixed", "equal_sizes"))
    told = (
        f"Under the current policy, {numbers['current']}, the mean is {number(now['mean'])}. The lowest of the six is "
        f"{number(lowest['mean'])} ({lowest['policy']}), the highest {number(highest['mean'])} ({highest['policy']}). "
        f"Of {number(numbers['matches'])} matches {number(min(fixed))} to {number(max(fixed))} would change their tier "
        f"at the fixed limits, which were set for one policy, and {number(min(equal), 0)} to {number(max(equal), 0)} "
        "if the tiers kept their sizes."
    )
    kept = [each for each in numbers["against_current"] if each["best_overlap_beyond_chance"] is not None]
    if not kept:
        return told
    least = min(kept, key=lambda each: each["best_overlap_beyond_chance"])
    return (
        f"{told} Of the best 10 at least {percent(least['best_overlap_with_more'])} stay, where a random order keeps "
        f"{percent(least['best_overlap_by_chance'])}: {percent(least['best_overlap_beyond_chance'])} beyond chance."
    )


def _scores(scores: list[Json]) -> Figure:
    drawn = [each for each in scores if each["count"]]
    return Figure(
        "What would match scores be under each policy?",
        table(scores, {"policy": label("policy"), **SUMMARY}),
        (lambda: charts.spans(drawn, "policy", "match score: range, mean and one sd about it")) if drawn else None,
        "Redistribute leaves out what is missing. Where an engagement near 0 is all that is known of a profile, its "
        "Momentum is near 0, and the harmonic mean with it: see the lowest scores.",
    )


def _tiers(numbers: Json) -> Figure:
    records = [each for each in numbers["tiers"] if each["score"] == "harmonic_mean"]
    every = numbers["matches"]
    drawn = [
        {"policy": each["policy"], "tier": tier, "share": each[tier] / every}
        for each in records
        for tier in _TIERS
        if every
    ]
    limits = ", ".join(f"{name} from {least:g}" for name, least in TIERS[:-1])
    return Figure(
        "How many matches would be in each tier?",
        table(records, {"policy": label("policy"), **{name: of(name) for name in _TIERS}}),
        (lambda: charts.rows(drawn, "policy", "share", _OF, series="tier", stack=True, colors=(3, 1, 2, 4)))
        if drawn
        else None,
        f"{limits}.",
    )


def _migration(numbers: Json) -> Figure:
    moves = _moves(numbers)
    drawn = [
        {"policy": each["policy"], "move": move, "share": each[move] / numbers["matches"]}
        for each in moves
        for move in _MOVES
        if numbers["matches"]
    ]
    return Figure(
        "Which matches would change their tier?",
        table(
            [each for each in numbers["migration"] if each["matches"]],
            {"policy": label("policy"), "from": label("from"), "to": label("to"), "matches": of("matches")},
            texts=(0, 1, 2),
        ),
        (lambda: charts.rows(drawn, "policy", "share", _OF, series="move", stack=True, colors=(3, 1, 4)))
        if drawn
        else None,
        f"From the tier under {numbers['current']} to the one under the other policy.",
    )


def _sizes(numbers: Json) -> Figure:
    drawn = [
        {"policy": each["policy"], "limits": limits, "share": each[name] / numbers["matches"]}
        for each in numbers["tier_moves"]
        for name, limits in (("fixed", "fixed limits"), ("equal_sizes", "equal sizes"))
        if numbers["matches"]
    ]
    return Figure(
        "How many matches would change their tier if the tiers kept their sizes?",
        table(
            numbers["tier_moves"],
            {"policy": label("policy"), "at fixed limits": of("fixed"),
             "at equal sizes": of("equal_sizes", lambda value: number(value, 0))},
        ),
        (lambda: charts.rows(drawn, "policy", "share", _OF, series="limits")) if drawn else None,
        "A policy that raises all scores alike moves matches over fixed limits, and changes no order. At equal sizes "
        "each tier has as many matches as now. Where a limit divides equal scores, the mean over their orders counts.",
    )  # fmt: skip


def _moves(numbers: Json) -> list[Json]:
    """Return, by other policy, how many matches go up, stay and go down."""
    moves: dict[str, Json] = {}
    for each in numbers["migration"]:
        of_policy = moves.setdefault(each["policy"], {"policy": each["policy"], **dict.fromkeys(_MOVES, 0)})
        step = _TIERS.index(each["to"]) - _TIERS.index(each["from"])
        of_policy[_MOVES[(step > 0) - (step < 0) + 1]] += each["matches"]
    return [{**each, "moved": each["tier up"] + each["tier down"]} for each in moves.values()]


def _order(numbers: Json) -> Figure:
    drawn = [
        {"policy": each["policy"], "measure": name.capitalize(), "value": each[name]}
        for each in numbers["against_current"]
        for name in ("spearman", "kendall")
        if each[name] is not None
    ]
    return Figure(
        "Would the order of the matches change?",
        table(
            numbers["against_current"],
            {"policy": label("policy"), "Spearman": lambda each: number(each["spearman"], 4),
             "Kendall": lambda each: number(each["kendall"], 4)},
        ),
        (lambda: charts.rows(drawn, "policy", "value", "rank correlation", series="measure", share=False))
        if drawn
        else None,
        f"Rank correlation with {numbers['current']}, over all matches: 1 is the same order.",
    )  # fmt: skip


def _best(numbers: Json) -> Figure:
    drawn = [
        {"policy": each["policy"], "kept": kept, "share": each[name]}
        for each in numbers["against_current"]
        for name, kept in (("best_overlap_with_more", "kept"), ("best_overlap_beyond_chance", "kept beyond chance"))
        if each[name] is not None
    ]
    return Figure(
        "Would profiles' best 10 change?",
        table(
            numbers["against_current"],
            {"policy": label("policy"), "profiles": of("profiles_with_more"),
             "of 10 kept": of("best_overlap_with_more", percent),
             "in random order": of("best_overlap_by_chance", percent),
             "beyond chance": of("best_overlap_beyond_chance", percent),
             "all kept": of("best_unchanged_with_more", percent), "any profiles": of("profiles"),
             "of best kept": of("best_overlap", percent)},
        ),
        (lambda: charts.rows(drawn, "policy", "share", "share of the best 10", series="kept", share=True))
        if drawn
        else None,
        f"Against the best 10 under {numbers['current']}, of profiles with more than 10 matches as A; those with fewer "
        "keep all of them whatever the policy, and are counted only in the last two columns. Of m matches a random "
        "order keeps 10 / m of the best 10. Beyond chance: 0 is a random order, 100 % the same best 10.",
    )  # fmt: skip


def _weakest(numbers: Json) -> Figure:
    records = [each for each in numbers["weakest"] if each["direction"] == BOTH]
    drawn = [each for each in records if each["share"] is not None]
    return Figure(
        "Does the weakest dimension depend on how missing data is treated?",
        table(
            records,
            {"missing data": label("nulls"), "dimension": label("dimension"), "share": of("share", percent)},
            texts=(0, 1),
        ),
        (lambda: charts.rows(drawn, "dimension", "share", "share of directions", series="nulls")) if drawn else None,
        "Impute gives a factor without data a low default, redistribute leaves it out. The aggregation has no part in "
        "which dimension is the weakest.",
    )
