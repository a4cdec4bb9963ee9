"""The asset `text_robustness`: edits texts without changing what they say, and compares their matches again."""

import json
from datetime import UTC, datetime

import dagster as dg

from jv_assets import progress
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.profiles import profiles
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, TEXT_ROBUSTNESS, Group
from jv_assets.partitions import ID_RANGES, one_line_failure
from jv_assets.pipeline.changes import fingerprint_of_all
from jv_assets.pipeline.database.identity import require_home
from jv_assets.pipeline.rules import in_force
from jv_assets.reports.edited_texts import MOST_PROFILES, edited
from jv_assets.reports.exporting import reports_folder, write_whole
from jv_assets.reports.tallies import no_scores, one_policy
from jv_assets.reports.text_robustness import FILE
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import text_robustness as analysis

_NOT_AT_HAND = "the embedding model is not on this machine"


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python"},
    description=f"""
How much do scores depend on the wording of a text? Edits what {MOST_PROFILES} profiles seek without changing what it
says (a full stop at the end, "I am looking for" in front), embeds it again, and compares all their matches again.

Reads `match_scores`, and the texts and vectors of these profiles and their matches. A hash of the ids draws the
profiles. Writes text_robustness.json, which the report shows. Changes neither scores nor texts. If the embedding model
is not on this machine, downloads nothing, and the report says nothing of it.

Runs in `jv report` only, not every night. Takes some seconds with a small model, minutes with a large one, because it
embeds at most {3 * MOST_PROFILES} texts.
""",
    deps=[
        dg.AssetDep(match_scores, partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep(profiles, partition_mapping=dg.AllPartitionMapping()),
    ],
)
def text_robustness(
    database: dg.ResourceParam[Database], embedder: dg.ResourceParam[Embedder], files: dg.ResourceParam[RangeFiles]
) -> dg.MaterializeResult[None]:
    progress.report(TEXT_ROBUSTNESS, 0, 1)
    with one_line_failure():
        require_home(database, files)
        keys = files.made(MATCH_SCORES, ID_RANGES.get_partition_keys())
        if not keys:
            raise no_scores()
        one_policy(files, keys)
        found, not_made = None, _NOT_AT_HAND
        if embedder.is_at_hand:
            try:
                texts = edited(database, files, embedder, keys)
                found, not_made = analysis.report(texts.rows, texts.before, texts.after), ""
            except UserError as error:  # The rest of the report does not wait for the model.
                not_made = str(error)
        stamp = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "scoring_version": in_force(embedder.model).version,
            "fingerprint": fingerprint_of_all(files),
            "model": embedder.model,
        }
        path = reports_folder() / FILE
        write_whole(path, json.dumps(stamp | (found or {"edits": []}), allow_nan=False))
    progress.report(TEXT_ROBUSTNESS, 1, 1)
    counts = {name: found[name] if found else 0 for name in ("profiles", "matches")}
    return dg.MaterializeResult(metadata={"json": dg.MetadataValue.path(str(path)), **counts, "not_made": not_made})
