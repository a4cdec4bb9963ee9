"""Merge the tallies of `evaluation` at a time of evaluation, and make its sections of the report."""

import json
from datetime import UTC, datetime
from pathlib import Path

from jv_assets import settings
from jv_assets.names import EVALUATION, MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.changes import fingerprint_of
from jv_assets.ratings.store import rating_figures
from jv_assets.reports import ratings
from jv_assets.reports.exporting import write_whole
from jv_assets.reports.figures import NOTHING, Figure, Section, number, of, percent, signed, table
from jv_assets.reports.tallies import refuse_several_policies
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.evaluation import Evaluation, report, total
from jv_scoring.analysis.evaluation_figures import LEAST_EXPOSED, LEAST_PROFILES, TOO_FEW, positives_needed
from jv_scoring.analysis.tallies import Json

FILE = "evaluation.json"
TITLE = "Do the scores predict what people do?"
SCORES_OF = {
    "retrospective": "scores of today, for outcomes older than the first score; profiles may have changed since",
    "prospective": "the score that stood in production when the match was seen",
}
"""By analysis, the meaning of its scores."""
_ASKED = {
    "acted": "Do people act upon matches with a higher score?",
    "feedback": "Do people like matches with a higher score?",
}
RANKING_COLUMNS = {
    "ranking": lambda record: str(record["ranking"]),
    "AUC within": of("auc_within", lambda value: number(value, 3)),
    "95 % from": of("low", lambda value: number(value, 3)),
    "to": of("high", lambda value: number(value, 3)),
    "difference": of("difference", lambda value: signed(value, 3)),
    "compared": lambda record: record["compared"] or NOTHING,
    "AUC pooled": of("auc_pooled", lambda value: number(value, 3)),
    "NDCG 10": of("ndcg_10", lambda value: number(value, 3)),
    "pairs": of("pairs"),
    "profiles": of("profiles"),
    "left out": of("left_out"),
}
"""The columns of a ranking."""


def evaluated(database: Database, files: RangeFiles, at: datetime | None = None) -> Json | None:
    """Return the figures of all partitions at a time of evaluation (by default now); None if there are no tallies.

    Also `missing_ranges`, without a tally, and `stale_ranges`, rescored since. UserError for several policies.
    """
    every = ID_RANGES.get_partition_keys()
    made = files.made(EVALUATION, files.made(MATCH_SCORES, every))
    if not made:
        return None
    metadata = {key: files.metadata(EVALUATION, key) for key in made}
    refuse_several_policies({EVALUATION: metadata})
    texts = (files.read(EVALUATION, key, ["tally"])["tally"].iloc[0] for key in made)
    tallies = (Evaluation.from_json(json.loads(each)) for each in texts)
    stale = [key for key, of in metadata.items() if of.get("fingerprint") != fingerprint_of(files, key)]
    evaluation = report(total(tallies), at or datetime.now(UTC), settings.outcome_days())
    evaluation["ratings"] = rating_figures(database, evaluation["policy"])
    return evaluation | {"missing_ranges": [key for key in every if key not in made], "stale_ranges": stale}


def write(evaluation: Json, folder: Path) -> Path:
    """Write evaluation.json, whole or not at all; return its path."""
    write_whole(folder / FILE, json.dumps(evaluation, allow_nan=False))
    return folder / FILE


def headline(evaluation: Json) -> dict[str, float | None]:
    """Return by label the numbers of the current policy that are plotted over the nights.

    Numbers of the prospective analysis, once it has matches, begin with `prospective_`.
    """
    shown: dict[str, float | None] = {}
    for analysis, of_analysis in evaluation["analyses"].items():
        before = "" if analysis == "retrospective" else f"{analysis}_"
        for name, record in of_analysis["labels"].items():
            if record["used"] or not before:
                of_policy = current(evaluation, record)
                shown |= {f"{before}{name}_{count}": record[count] for count in ("used", "positive")}
                shown |= {f"{before}{name}_{figure}": of_policy[figure] for figure in ("auc_within", "low", "high")}
    return shown


def with_label(evaluation: Json, only: str | None = None) -> list[tuple[str, str]]:
    """Return each analysis and label (or `only` one label) that has matches to judge by."""
    return [
        (analysis, name)
        for analysis, of_analysis in evaluation["analyses"].items()
        for name, record in of_analysis["labels"].items()
        if record["used"] and only in (None, name)
    ]


def current(evaluation: Json, record: Json) -> Json:
    """Return the record of the current policy's ranking."""
    return next(each for each in record["rankings"] if each["ranking"] == evaluation["policy"])


def verdict_line(evaluation: Json, analysis: str, name: str) -> str:
    """Return one sentence: the verdict of a label, and for `too few` how many more are needed."""
    record = evaluation["analyses"][analysis]["labels"][name]
    now = current(evaluation, record)
    counts = f"{number(record['used'])} matches, {number(record['positive'])} with label 1"
    if record["verdict"] == TOO_FEW:
        return (
            f"{name}, {analysis}: too few ({counts}, {number(now['profiles'])} profiles with a pair). To tell an AUC "
            f"of 0.60 from 0.50 takes about {number(positives_missing(record))} more with label 1, in {LEAST_PROFILES} "
            "such profiles."
        )
    interval = f"{number(now['low'], 3)} to {number(now['high'], 3)}"
    return (
        f"{name}, {analysis}: {record['verdict']}. Of two matches of one profile the one with label 1 has the higher "
        f"score in {percent(now['auc_within'])} (95 % {interval}; {counts})."
    )


def positives_missing(record: Json) -> int:
    """Return how many more matches with label 1 tell an AUC of 0.60 from 0.50."""
    share = record["positive"] / record["used"] if record["used"] else 0.5
    return max(positives_needed(share) - int(record["positive"]), 0)


def notes(evaluation: Json) -> list[str]:
    """Return what a reader must know before the figures: missing columns, unknown words, missing and stale
    partitions.
    """
    lines = []
    if missing := evaluation["missing_columns"]:
        lines.append(f"match_suggestions has no readable column {', '.join(missing)}: they count as empty.")
    for name, what in (("unknown_status", "status"), ("unmapped_feedback", "user_feedback")):
        if words := evaluation[name]:
            told = ", ".join(f"{word!r} {count:,}" for word, count in list(words.items())[:10])
            lines.append(f"Words of {what} that nobody knows: {told}{', …' if len(words) > 10 else ''}.")
    for name, what in (("missing_ranges", "were never evaluated"), ("stale_ranges", "were rescored since")):
        if keys := evaluation[name]:
            lines.append(f"{len(keys)} ranges {what}: type jv evaluate.")
    return lines


def sections(evaluation: Json | None) -> list[Section]:
    """Return the sections of the report; none if no partition was ever evaluated."""
    if evaluation is None:
        return []
    shown = with_label(evaluation) or [("retrospective", "acted")]
    answer = " ".join([*(verdict_line(evaluation, *each) for each in shown), *notes(evaluation)])
    figures = [each for analysis, name in shown for each in _figures(evaluation, analysis, name)]
    outcomes = Section(TITLE, answer, [*figures, _exposure(evaluation)])
    return [outcomes, *ratings.sections(evaluation["ratings"])]


def _figures(evaluation: Json, analysis: str, name: str) -> list[Figure]:
    record = evaluation["analyses"][analysis]["labels"][name]
    if record["verdict"] == TOO_FEW:
        return []
    columns = {"from": of("from"), "to": of("to"), "matches": of("used"), "label 1": of("positive")}
    shares = {"share": of("share", percent), "95 % from": of("low", percent), "to ": of("high", percent)}
    weighted = (
        f"Weighted for exposure: AUC {number(record['auc_weighted'], 3)}, of {number(record['effective'], 0)} "
        "effective matches."
    )
    return [
        Figure(
            f"{_ASKED[name]} ({analysis})",
            table(record["rankings"], RANKING_COLUMNS, texts=(0, 5)),
            note=f"{analysis.capitalize()}: {SCORES_OF[analysis]}. AUC within profiles; 0.5 is chance. AUC pooled "
            f"rewards popular profiles. {weighted}",
        ),
        Figure(
            f"How many have label 1 by tenth of the score? ({name}, {analysis})",
            table(record["tenths"], columns | shares, texts=()),
        ),
    ]


def _exposure(evaluation: Json) -> Figure:
    records = evaluation["analyses"]["retrospective"]["labels"]["acted"]["exposure"]
    few = sum(each["exposed"] < LEAST_EXPOSED for each in records)
    columns = {
        "match_score from": of("from"),
        "to": of("to"),
        "matches": of("matches"),
        "exposed": of("exposed"),
        "share": lambda each: percent(each["exposed"] / each["matches"]),
        "": lambda each: "nothing can be said" if each["exposed"] < LEAST_EXPOSED else "",
    }
    shown = table(records, columns, texts=(5,))
    note = f"In {few} tenths fewer than {LEAST_EXPOSED} matches were seen: nothing can be said for them."
    return Figure("Who gets to see a match?", shown, note=note if few else "")
