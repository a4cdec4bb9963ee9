"""Score pairs drawn at random, for what embeddings change whoever is paired with whom."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate

import pandas as pd

from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.rules import in_force
from jv_assets.pipeline.scoring import ProfilesToScore, for_reports, profiles_of_files
from jv_assets.reports.sampling import Sample, sample_of
from jv_assets.reports.tallies import scored
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.engine import IDS, score_pairs

MOST_PAIRS = 20_000
"""How many random pairs are scored, about; their matches are drawn by a hash of the id."""


@dataclass(frozen=True)
class RandomPairs:
    """Pairs of A of a match with another B, drawn as often as profiles are suggested.

    The partner depends on the id of the match, and on how often each profile is suggested, and on nothing else: so the
    pairs are the same whatever the partitions are. It is never A. Memory grows with the profiles.
    """

    database: Database
    files: RangeFiles
    model: str
    wanted: int = MOST_PAIRS

    def scored(self, key: str) -> Iterator[pd.DataFrame]:
        """Yield the scored pairs of a partition's matches, under the policy that scored it; at least once."""
        policy = self.files.metadata(MATCH_SCORES, key)["policy"]
        for chunk in scored(self.files, key, IDS, self._sample):
            partners = [self.partner(*each) for each in zip(chunk["id"], chunk["profile_id"], strict=True)]
            drawn = pd.Series(partners, chunk.index, object)
            pairs = chunk.assign(suggested_profile_id=drawn)
            there = pairs.loc[pairs["suggested_profile_id"].notna()]
            for part, prepared in self._profiles.in_chunks(there):
                pairs_scored = score_pairs(prepared, part, policy, in_force(self.model).calibration, overlap=True)
                yield for_reports(pairs_scored).assign(policy=policy)

    def partner(self, match: str, profile: str) -> str | None:
        """Return the profile that A of this match is paired with; None if there is no other."""
        names, places = self._suggested
        if not names or names == [profile]:
            return None
        drawn = int.from_bytes(blake2b(match.encode(), digest_size=8, person=b"partner").digest())
        at = bisect_right(places, drawn * places[-1] >> 64)
        return names[at] if names[at] != profile else names[(at + 1) % len(names)]

    @cached_property
    def _suggested(self) -> tuple[list[str], list[int]]:
        """Return the suggested profiles, sorted, and how many matches suggest each or one before it."""
        counts: Counter[str] = Counter()
        for key in self.files.made(MATCH_SCORES, ID_RANGES.get_partition_keys()):
            for chunk in self.files.chunks(MATCH_SCORES, key, ["suggested_profile_id"]):
                counts.update(chunk["suggested_profile_id"].tolist())
        names = sorted(counts)
        return names, list(accumulate(counts[name] for name in names))

    @cached_property
    def _sample(self) -> Sample | None:
        return sample_of(self.files, self.wanted)

    @cached_property
    def _profiles(self) -> ProfilesToScore:
        return profiles_of_files(self.database, self.files, self.model)
