"""Embed edited texts of some profiles, and compare their matches again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd

from jv_assets.names import MATCH_SCORES
from jv_assets.pipeline.database.id_spans import some_at_once
from jv_assets.pipeline.reading import read_profiles_of, read_vectors
from jv_assets.pipeline.rules import in_force
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.aggregation_comparison import BEST
from jv_scoring.analysis.text_robustness import COLUMNS, EDITS, Compared
from jv_scoring.engine import FACTOR_OF, OFFERINGS, cosine_scores
from jv_scoring.text import text_to_embed
from jv_scoring.vectors import MISSING, PairVectors, Vectors

MOST_PROFILES = 200
"""How many profiles' texts are embedded at most, each as it is and edited: this bounds the time."""
MOST_MATCHES = 10_000
"""How many matches these profiles have at most: this bounds the memory."""


@dataclass(frozen=True)
class Edited:
    """All matches of the sampled profiles, compared by what these seek: as it is, and after each edit."""

    rows: pd.DataFrame
    before: Compared
    after: Mapping[str, Compared]


def edited(database: Database, files: RangeFiles, embedder: Embedder, keys: list[str]) -> Edited:
    """Return the matches of a sample of profiles. The sample depends on their ids, and not on the partitions."""
    texts = _sampled(database, files, keys)
    parts = [
        rows.loc[rows["profile_id"].isin(list(texts))]
        for key in keys if texts
        for rows in files.chunks(MATCH_SCORES, key, COLUMNS)
    ]  # fmt: skip
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: [] for name in COLUMNS})
    targets = pd.Index(rows["suggested_profile_id"].unique(), dtype=object)
    calibration = in_force(embedder.model).calibration
    steps = calibration.steps_of(FACTOR_OF[OFFERINGS])
    if not texts:
        nothing = Compared(np.zeros(0, np.bool_), np.zeros(0))
        return Edited(rows, nothing, dict.fromkeys(EDITS, nothing))
    offering = read_vectors(database, embedder.model, calibration.dimension, targets)["offering"]
    a, b = (
        of.get_indexer(pd.Index(rows[name], dtype=object))
        for of, name in ((pd.Index(list(texts), dtype=object), "profile_id"), (targets, "suggested_profile_id"))
    )

    def compared(variant: list[str]) -> Compared:
        matrix = embedder.embed(variant)
        row = np.where(np.isfinite(matrix).all(axis=1), np.arange(len(matrix)), MISSING)
        pairs = PairVectors(Vectors.from_matrix(np.nan_to_num(matrix), row), offering, a, b)
        return Compared(pairs.semantic, cosine_scores(pairs, steps)[1])

    original = list(texts.values())
    return Edited(rows, compared(original), {name: compared([*map(edit, original)]) for name, edit in EDITS.items()})


def _sampled(database: Database, files: RangeFiles, keys: list[str]) -> dict[str, str]:
    """Return by profile what it seeks: of profiles with more than 10 matches and a text to embed, in the order of a
    hash of their ids, as many as the bounds allow.
    """
    matches: Counter[str] = Counter()
    for key in keys:
        for chunk in files.chunks(MATCH_SCORES, key, ["profile_id"]):
            matches.update(chunk["profile_id"].tolist())
    in_order = sorted((each for each, count in matches.items() if count > BEST), key=_place)
    texts: dict[str, str] = {}
    left = MOST_MATCHES
    for some in some_at_once(in_order):
        seeking = read_profiles_of(database, some).set_index("id")["seeking"]
        for profile in some:
            text = text_to_embed(seeking.get(profile))
            if text is not None and matches[profile] <= left and len(texts) < MOST_PROFILES:
                texts[profile] = text
                left -= matches[profile]
        if len(texts) == MOST_PROFILES:
            break
    return texts


def _place(profile: str) -> bytes:
    return blake2b(profile.encode(), digest_size=8, person=b"edits").digest()
