"""Which matches can be scored, and by which rules a stored score was made: SQL, in one place.

A match whose profile is gone, or that matches a profile with itself, can never be scored again. If it was scored once,
it keeps its row, since other programs may refer to it. It is counted apart, it is exported nowhere, and it says nothing
about the rules of the other scores.

Our scores have a context that names the policy and holds both breakdowns. Where a context names no policy, its
breakdown tells it: the policy that makes the stored scores of the stored dimensions.
"""

from jv_assets.tables import as_double, cast
from jv_scoring.factors import NO_DATA
from jv_scoring.policy import DIMENSION_WEIGHTS, FLOOR, POLICIES

ROUNDING = 0.006
"""How far a stored score, which has 2 decimals, may differ from its breakdown."""

_AGGREGATIONS = tuple(dict.fromkeys(policy.aggregation for policy in POLICIES.values()))


def gone(match: str) -> str:
    """Return SQL for whether a profile of the row called `match` is gone. Never null."""
    there = "EXISTS (SELECT FROM profiles p WHERE p.id = {}.{})"
    both = (there.format(match, column) for column in ("profile_id", "suggested_profile_id"))
    return f"NOT ({' AND '.join(both)})"


def with_itself(match: str) -> str:
    """Return SQL for whether the row called `match` matches a profile with itself. Null if it names no profile."""
    return f"{match}.profile_id = {match}.suggested_profile_id"


def scorable(match: str) -> str:
    """Return SQL for whether the row called `match` can be scored. Never null."""
    return f"({match}.profile_id <> {match}.suggested_profile_id AND NOT {gone(match)}) IS TRUE"


def has_score(match: str) -> str:
    """Return SQL for whether the row called `match` has a score that can be compared with others. Null without
    a score.
    """
    # numeric has a NaN, which is above all numbers.
    return f"{match}.harmonic_mean >= 0 AND {match}.harmonic_mean < 'NaN'"


def context_of(match: str) -> str:
    """Return SQL that joins `c`, entries of the context of the row called `match`; all null if it is not an object."""
    return _CONTEXT.replace("MATCH", match)


def fits(match: str) -> str:
    """Return SQL for the policies that give the stored scores from the stored breakdown, separated by commas.

    Needs `context_of` joined. If the context names a policy, only policies with its aggregation are tried. Empty if
    none fits; null if there is nothing to compare: a score is missing or not within 0..100, or a breakdown is missing
    or unreadable.
    """
    return _FITS.replace("MATCH", match)


def not_ours(match: str) -> str:
    """Return SQL for whether a stored score names no policy, or differs from its breakdown.

    Needs `context_of` joined. If the policy is unknown, nothing is compared.
    """
    ours = ", ".join(f"'{name}'" for name in POLICIES)
    fitting = f"string_to_array({fits(match)}, ',')"
    named = f"c.policy NOT IN ({ours}) OR coalesce(c.policy = ANY({fitting}), false)"
    return f"c.policy IS NULL OR NOT ({named})"


def _dimension(name: str, direction: str) -> str:
    """Return SQL for a dimension's score: null if it has none, -1 if it is unreadable."""
    raw = f"raw_{name}_{direction}"
    # A double holds nothing smaller than the first bound, and the cast would be an error.
    number = (
        f"CASE WHEN {raw}::numeric BETWEEN 1e-300 AND 10 THEN {raw}::float8 "
        f"WHEN {raw}::numeric BETWEEN 0 AND 10 THEN 0 ELSE -1 END"
    )
    return f"CASE jsonb_typeof({raw}) WHEN 'number' THEN {number} WHEN 'null' THEN NULL ELSE -1 END"


def _readable(direction: str) -> str:
    """Return SQL for whether no dimension is -1, and at least one has a score."""
    return f"coalesce(least({', '.join(f'{name}_{direction}' for name in DIMENSION_WEIGHTS)}) >= 0, false)"


def _aggregate(aggregation: str, direction: str) -> str:
    """Return SQL for `jv_scoring.policy.aggregate`: a dimension without a score drops out, and so does its weight."""
    term, mean = _FORMULAS[aggregation]
    weights = {f"{name}_{direction}": f"{weight}::float8" for name, weight in DIMENSION_WEIGHTS.items()}
    weight = " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE {w} END" for name, w in weights.items())
    # greatest() ignores a null, and would give the floor to a dimension without a score.
    terms = {name: term.format(w=w, s=f"greatest({name}, {FLOOR}::float8)") for name, w in weights.items()}
    total = " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE {each} END" for name, each in terms.items())
    return "10 * " + mean.format(total=f"({total})", weight=f"({weight})")


_FORMULAS = {
    "harmonic": ("{w} / {s}", "{weight} / {total}"),
    "geometric": ("{w} * ln({s})", "exp({total} / {weight})"),
    "arithmetic": ("{w} * {s}", "{total} / {weight}"),
}


def _direction_score(aggregation: str, direction: str) -> str:
    """Return SQL that is null if the breakdown is unreadable, or if the context names another aggregation."""
    asked = f"readable AND coalesce(split_part(c.policy, '/', 1), '{aggregation}') = '{aggregation}'"
    return f"CASE WHEN {asked} THEN {_aggregate(aggregation, direction)} END"


def _makes_the_scores(aggregation: str) -> str:
    ab, ba = f"{aggregation}_ab", f"{aggregation}_ba"
    both = f"CASE WHEN least({ab}, {ba}) > {FLOOR} THEN 2 / (1 / {ab} + 1 / {ba}) ELSE 0 END"
    pairs = ((ab, "score_ab"), (ba, "score_ba"), (both, "harmonic_mean"))
    close = (f"abs({made} - {as_double(f'MATCH.{stored}')}) < {ROUNDING}" for made, stored in pairs)
    return f"coalesce({' AND '.join(close)}, false)"


_DIRECTIONS = ("ab", "ba")
_EACH_DIMENSION = [(name, direction) for direction in _DIRECTIONS for name in DIMENSION_WEIGHTS]
_EACH_MEAN = [(aggregation, direction) for aggregation in _AGGREGATIONS for direction in _DIRECTIONS]
_SCORES_THERE = " AND ".join(
    f"coalesce(MATCH.{name} BETWEEN 0 AND 100, false)" for name in ("score_ab", "score_ba", "harmonic_mean")
)
_SOME_FACTOR = "(jsonb_path_exists(c.breakdown_ab, '{0}') OR jsonb_path_exists(c.breakdown_ba, '{0}'))"
# A factor without data has no score under `redistribute`. Under `impute` it has one, and its detail says so.
_EXCLUDED = {
    "impute": _SOME_FACTOR.format("$.*.factors[*] ? (@.score == null)"),
    "redistribute": _SOME_FACTOR.format(f'$.*.factors[*] ? (@.detail == "{NO_DATA}" && @.score != null)'),
}
_JSONB = cast("match_suggestions", "match_context", "MATCH")
_CONTEXT = f"""
    LEFT JOIN LATERAL jsonb_to_record(CASE jsonb_typeof({_JSONB}) WHEN 'object' THEN {_JSONB} END)
        AS c (scoring_version text, policy text, inputs_hash text, embedding_model text,
            breakdown_ab jsonb, breakdown_ba jsonb) ON true
"""
# OFFSET 0 makes Postgres compute each value once, and not at every use.
_FITS = f"""(
    SELECT CASE WHEN readable THEN concat_ws(',', {
    ", ".join(
        f"CASE WHEN {policy.aggregation} AND NOT {policy.nulls}_excluded THEN '{name}' END"
        for name, policy in POLICIES.items()
    )
}) END
    FROM (
        SELECT readable, {", ".join(f"{_makes_the_scores(each)} AS {each}" for each in _AGGREGATIONS)},
            {
    ", ".join(f"readable AND c.policy IS NULL AND {some} AS {nulls}_excluded" for nulls, some in _EXCLUDED.items())
}
        FROM (
            SELECT readable, {", ".join(f"{_direction_score(*each)} AS {'_'.join(each)}" for each in _EACH_MEAN)}
            FROM (
                SELECT *, {" AND ".join(map(_readable, _DIRECTIONS))} AND {_SCORES_THERE} AS readable FROM (
                    SELECT {", ".join(f"{_dimension(*each)} AS {'_'.join(each)}" for each in _EACH_DIMENSION)} FROM (
                        SELECT {
    ", ".join(f"c.breakdown_{of} -> '{name}' -> 'score' AS raw_{name}_{of}" for name, of in _EACH_DIMENSION)
} OFFSET 0
                    ) AS raw OFFSET 0
                ) AS dimensions OFFSET 0
            ) AS read OFFSET 0
        ) AS means OFFSET 0
    ) AS made
)"""  # noqa: S608 - of our own constants
