"""Refuse to publish scores of one policy beside, or over, stored scores of another one."""

from collections.abc import Iterable, Sequence
from textwrap import shorten

import pandas as pd
import pyarrow as pa
from sqlalchemy import text

from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES
from jv_assets.partition_cut import TableCut, every_range
from jv_assets.pipeline.matches.match_states import context_of, fits, scorable
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.policy import POLICIES
from jv_scoring.stored_rules import STAMP, Rules, rules_among

NEEDED = ["policy", "scoring_version", "stored_harmonic_mean", *STAMP]
"""The rules of a partition's file: those of its scores, and those of the scores stored when it was made."""
_LONGEST = 80
"""How many characters of a name a message shows."""


def refuse_other_rules(database: Database, files: RangeFiles, keys: Sequence[str]) -> None:
    """Raise UserError if scorable matches have scores of other rules than the files of these partitions.

    The files say what was stored for every match of these partitions; if one names other rules, ask the database again.
    For each other partition, check the first and the last stored score: a switch of the policy goes partition by
    partition, in order of id. Each batch notices later changes by itself.
    """
    stored: set[Rules] = set()
    doubtful: list[str] = []
    made: Rules | None = None
    for key in keys:
        of_range: set[Rules] = set()
        for rows in files.tables(MATCH_SCORES, key, NEEDED):
            if len(rows):
                made = Rules(rows["policy"][0].as_py(), rows["scoring_version"][0].as_py())
                if len(scored := scored_before(rows)):
                    of_range |= {rules for rules, _ in rules_among(scored)}
        stored |= of_range
        if made and of_range - {made}:
            doubtful.append(key)
    if made is None:
        return
    others = [key for key in every_range() if key not in set(keys)]
    elsewhere = _told(database, _ENDS, files.cut.matches, others, made)
    if elsewhere - {made} or any(_told(database, _WHOLE, files.cut.matches, [key], made) - {made} for key in doubtful):
        raise refusal(stored | elsewhere, made)


def scored_before(rows: pa.Table) -> pd.DataFrame:
    """Return the rows of a file of scores whose match had a score when the file was made."""
    scored: pd.DataFrame = rows.filter(rows["stored_harmonic_mean"].is_valid()).to_pandas()
    return scored


def refusal(stored: Iterable[Rules], made: Rules) -> UserError:
    """Return the error that stops a publish of scores that `made` made, over stored scores of these other rules."""
    everything = set(stored)
    others = sorted(everything - {made})
    of_version = any(rules.version != made.version for rules in others)
    *names, mine = (_named(rules, of_version) for rules in (*others, made))
    can_stay = len(everything) == 1 and not of_version and others[0].policy in POLICIES
    return UserError(
        f"scores are stored under {' and '.join(names)}, and these were made under {mine}: "
        f"{'score under the stored policy, or ' if can_stay else ''}"
        f"replace all on purpose by: jv rescore --policy {made.policy} --switch-policy"
    )


def _named(rules: Rules, with_version: bool) -> str:
    """Return a name in one short line, whatever another program called it."""
    name = f"{rules.policy} of {rules.version}" if with_version else rules.policy
    return shorten(name, _LONGEST, placeholder="…")


def _told(database: Database, sql: str, cut: TableCut, keys: Sequence[str], made: Rules) -> set[Rules]:
    if not keys:
        return set()
    ends = [cut.bounds(key) for key in keys]
    values = {"lows": [low for low, _ in ends], "highs": [high for _, high in ends]}
    rows = database.run(lambda connection: connection.execute(text(sql), values).all())
    stamps = pd.DataFrame(list(map(tuple, rows)), columns=STAMP, dtype=object)
    return {stored for stored, _ in rules_among(stamps.assign(policy=made.policy, scoring_version=made.version))}


_ROWS = f"""
    SELECT c.policy, c.scoring_version, {fits("m")} AS fits FROM match_suggestions m {context_of("m")}
    WHERE m.id BETWEEN spans.low AND spans.high AND m.harmonic_mean IS NOT NULL AND {scorable("m")}
"""  # noqa: S608 - of our own constants
_TOLD = "(c.policy IS NOT NULL OR c.breakdown_ab IS NOT NULL) ORDER BY m.id"
_OF_SPANS = """
    SELECT DISTINCT of_span.* FROM unnest(CAST(:lows AS uuid[]), CAST(:highs AS uuid[])) AS spans (low, high)
    CROSS JOIN LATERAL
"""
_WHOLE = f"{_OF_SPANS} ({_ROWS} OFFSET 0) AS of_span"
_ENDS = f"{_OF_SPANS} (({_ROWS} AND {_TOLD} LIMIT 1) UNION ALL ({_ROWS} AND {_TOLD} DESC LIMIT 1)) AS of_span"
