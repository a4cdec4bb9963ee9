"""Read what the report shows beside its tallies, such as options for Momentum, discovery and lengths of texts."""

from pathlib import Path

from jv_assets import settings
from jv_assets.names import (
    EMBEDDING_ISOLATION,
    MATCH_CANDIDATES,
    MOMENTUM_OPTIONS,
    PROFILES,
    SIMILARITY_CALIBRATION,
    TEXT_ROBUSTNESS,
)
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.calibration import read_file
from jv_assets.pipeline.changes import fingerprint_of_all
from jv_assets.pipeline.texts.text_content import meaningless_shares
from jv_assets.pipeline.texts.text_lengths import read_text_lengths
from jv_assets.reports import match_candidates, momentum_options, pair_share, text_robustness
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.tallies import Json


def beside(files: RangeFiles, folder: Path, report: Json) -> Json:
    """Return `fingerprint` of the scores, `pair_fit`, `momentum_options` and `text_robustness` from that folder, the
    figures of `match_candidates` and `similarity_calibration`, `text_lengths` by profile, and `meaningless_texts`, the
    shares of profiles with such a text.
    """
    changed = report[EMBEDDING_ISOLATION]["most_changed"]
    profiles = {each[name] for each in changed for name in ("profile_id", "suggested_profile_id")}
    return {
        "fingerprint": fingerprint_of_all(files),
        "pair_fit": pair_share.fit(files, report["sample"]),
        MOMENTUM_OPTIONS: momentum_options.read(folder / "momentum_options.json", report["policy"]),
        TEXT_ROBUSTNESS: text_robustness.read(folder / text_robustness.FILE, report["policy"]),
        MATCH_CANDIDATES: match_candidates.read(files),
        SIMILARITY_CALIBRATION: read_file(files, settings.embedding_model()),
        "text_lengths": read_text_lengths(files, profiles),
        "meaningless_texts": meaningless_shares(files, files.made(PROFILES, ID_RANGES.get_partition_keys())),
    }
