"""The lengths of the compared texts. A report may show lengths, but not contents."""

from collections.abc import Iterable

import pandas as pd

from jv_assets.names import PROFILES
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.tallies import Json
from jv_scoring.prepare import COMPARED
from jv_scoring.synergy import offering_text

_COLUMNS = {name: f"characters_{name}" for name in COMPARED}
"""Column names in the files of `profiles`."""


def text_lengths(profiles: pd.DataFrame) -> dict[str, list[int]]:
    """Return columns for the files: the length of each compared text, stripped; 0 if there is none.

    `profiles`: from `read_profiles`. As in scoring, what_you_do replaces an empty offering.
    """
    texts = {name: profiles[name].tolist() for name in COMPARED}
    pairs = zip(profiles["offering"], profiles["what_you_do"], strict=True)
    texts["offering"] = [offering_text({"offering": offering, "what_you_do": other}) for offering, other in pairs]
    return {
        _COLUMNS[name]: [len(text.strip()) if isinstance(text, str) else 0 for text in of] for name, of in texts.items()
    }


def read_text_lengths(files: RangeFiles, profiles: Iterable[str]) -> Json:
    """Return lengths by profile and compared text, without profiles whose files do not have them."""
    by_range: dict[str, set[str]] = {}
    for profile in profiles:
        by_range.setdefault(files.cut.profiles.key_of(profile), set()).add(profile)
    lengths: Json = {}
    for key, wanted in sorted(by_range.items()):
        if not files.exists(PROFILES, key):
            continue
        for rows in files.chunks(PROFILES, key, ["id", *_COLUMNS.values()]):
            if not set(_COLUMNS.values()) <= set(rows):  # The file is older than these columns.
                break
            for row in rows.loc[rows["id"].isin(wanted)].to_dict("records"):
                lengths[row["id"]] = {name: int(row[column]) for name, column in _COLUMNS.items()}
    return lengths
