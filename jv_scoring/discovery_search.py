"""The profiles of a search in its order: cut into tiles, bounded, and compared by matrix products."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jv_scoring.discovery_bounds import (
    TOP,
    Levels,
    Numbers,
    Parts,
    SynergyTable,
    code,
    exact_scores,
    groups_of,
    level_limits,
    levels_of,
)
from jv_scoring.discovery_words import WordOverlap
from jv_scoring.engine import FACTOR_OF
from jv_scoring.policy import Policy
from jv_scoring.prepare import COMPARED, Prepared
from jv_scoring.similarity import OVERLAP_STEPS, Calibration
from jv_scoring.vectors import Floats, Positions

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Tile = tuple[int, int]

_TILE_SIZE = 256
"""Small tiles have tight bounds; in large ones products are fast."""
_OVERLAP_LIMITS = level_limits(OVERLAP_STEPS)
_TIE = 1e-6
"""In hundredths of a point: values closer to a rounding limit are computed by the rules' own operations."""
_NORMALISING = 16
"""Roundings that normalising, and summing in any order, can add to those of a sum of products."""


@dataclass(frozen=True)
class Hits:
    """Pairs of places (`one` < `other` in the order of the search), values in hundredths, and levels.

    ab, ba: levels of Offering↔Seeking with `other` as target, and with `one`. audience: that of Audience Alignment.
    """

    one: Positions
    other: Positions
    value: Positions
    ab: Positions
    ba: Positions
    audience: Positions

    def take(self, chosen: Mask | Positions) -> "Hits":
        return Hits(*(column[chosen] for column in vars(self).values()))


class Population:
    """Eligible profiles in the order of a search: places 0, 1, … stand for the positions in `profile`.

    profile: (places,) the position in `prepared`. fresh: (places,) whether pairs with it are considered; those places
    come first. group: (places,) as in `groups_of`. kind: (places,) a group with or without Momentum, as a number.
    parts: by place, float64; single_parts: float32. tiles: all fresh places, in their order.
    """

    def __init__(
        self, prepared: Prepared, profile: Positions, fresh: Mask, policy: Policy, calibration: Calibration
    ) -> None:
        """Sort the profiles: fresh ones first, and of those the ones that contribute most."""
        self.prepared, self.policy, self.calibration = prepared, policy, calibration
        self.table = SynergyTable.of(policy.nulls)
        parts, groups = Parts.of(prepared, policy, self.table.synergy), groups_of(prepared)
        kinds, kind = np.unique(2 * groups[profile] + parts.missing[profile], return_inverse=True)
        best = -parts.own[profile] if policy.aggregation == "arithmetic" else parts.own[profile]
        count = int(fresh[profile].sum())
        order = np.lexsort((profile, best, ~fresh[profile]))
        self.tiles = [(start, min(start + _TILE_SIZE, count)) for start in range(0, count, _TILE_SIZE)]
        self.profile, self.kind = profile[order], kind[order]
        self.fresh, self.group = fresh[self.profile], groups[self.profile]
        self.parts = Parts(policy.aggregation, parts.own[self.profile], parts.missing[self.profile], parts.shared)
        self.single_parts = self.parts.in_single()
        group, missing = np.divmod(kinds, 2)
        base = self.table.base[group[:, None], group]
        self._least_shared = [parts.shared[missing[:, None], base + code(TOP, level)] for level in range(TOP + 1)]
        """By level of Audience Alignment: (kinds, kinds) the part of Synergy, at the highest level of
        Offering↔Seeking, of a target of one kind and a source of another.
        """
        self._words = WordOverlap(prepared)
        self._units: tuple[Tile, dict[str, Matrix]] = ((0, 0), {})

    def __len__(self) -> int:
        return len(self.profile)

    @cached_property
    def limits(self) -> dict[tuple[str, str], Floats]:
        """By compared texts, in both orders: (4,) float64: limits of levels 1 to 4, for cosines."""
        found = {texts: level_limits(self.calibration.steps_of(factor)) for texts, factor in FACTOR_OF.items()}
        return found | {texts[::-1]: limits for texts, limits in found.items()}

    @cached_property
    def error(self) -> dict[str, float]:
        """By the text of the source: how far a cosine from a matrix product in float32 can be from the true one."""
        eps = float(np.finfo(np.float32).eps)
        return {name: (self.prepared.vectors[name].matrix.shape[1] / 2 + _NORMALISING) * eps for name in COMPARED}

    def reached(self, tile: Tile, columns: Positions, level: int, worst: Floats) -> Mask:
        """Return (columns,) whether a pair with a profile of the tile could be among the best of either, at this level
        of Audience Alignment: whether its least terms reach a sum in `worst`.
        """
        rows, kind, shared = slice(*tile), self.kind[columns], self._least_shared[level]
        among = shared[:, np.flatnonzero(np.bincount(self.kind[rows]))]
        best = among.max(axis=1) if self.policy.aggregation == "arithmetic" else among.min(axis=1)
        ours = self.parts.term(self.parts.own[rows][:, None], shared[self.kind[rows]])
        theirs = self.parts.term(self.parts.own[columns], best[kind])
        reached: Mask = theirs <= (worst[rows][:, None] - ours).max(axis=0)[kind]
        reached |= theirs + ours.min(axis=0)[kind] <= worst[columns]
        return reached

    def cosines(self, texts: tuple[str, str], tile: Tile, columns: Positions) -> Matrix:
        """Return (rows, columns) cosines of `texts` within `error`; anything for a missing or an irregular vector."""
        source, target = texts
        left, vectors = self._unit(source, tile), self.prepared.vectors[target]
        if left.shape[1] != vectors.matrix.shape[1] or not len(vectors.matrix):
            return np.zeros((len(left), len(columns)), np.float32)  # Scoring gives such vectors cosine 0.
        row = np.maximum(vectors.row[self.profile[columns]], 0)
        right = vectors.matrix.take(row, axis=0).astype(np.float32, copy=False)
        cosines: Matrix = left @ right.T
        # Cheaper than to normalise the vectors, of which there are more numbers.
        cosines *= vectors.inverse_norm[row].astype(np.float32)
        return cosines

    def _unit(self, name: str, tile: Tile) -> Matrix:
        """Return (profiles of the tile, numbers) normalised vectors of a compared text; zeros if there is none."""
        if self._units[0] != tile:
            self._units = (tile, {})
        units = self._units[1]
        if name not in units:
            vectors = self.prepared.vectors[name]
            row = vectors.row[self.profile[slice(*tile)]]
            plain = row >= 0
            units[name] = np.zeros((len(row), vectors.matrix.shape[1]), np.float32)
            units[name][plain] = vectors.matrix[row[plain]] * vectors.inverse_norm[row[plain], None].astype(
                vectors.matrix.dtype
            )
        return units[name]

    def codes(self, hits: Hits) -> tuple[Positions, Positions]:
        """Return the codes of the pairs in the Synergy table, with `other` as target and with `one`."""
        base = self.table.base[self.group[hits.one], self.group[hits.other]] + hits.audience
        return base + code(1, 0) * hits.ab, base + code(1, 0) * hits.ba

    def scores(self, hits: Hits) -> tuple[Floats, Floats, Floats]:
        """Return the scores of `other` for `one`, of `one` for `other`, and the pair's value, as scoring has them."""
        synergy_ab, synergy_ba = (self.table.synergy[codes] for codes in self.codes(hits))
        one, other = self.profile[hits.one], self.profile[hits.other]
        return exact_scores(self.prepared, self.policy, one, other, synergy_ab=synergy_ab, synergy_ba=synergy_ba)

    def sums(self, hits: Hits) -> Numbers:
        """Return 1 / score_ab + 1 / score_ba of the pairs, within float64 error."""
        parts, (ab, ba) = self.parts, self.codes(hits)
        one, other = hits.one, hits.other
        return parts.term(parts.own[other], parts.shared[parts.missing[other], ab]) + parts.term(
            parts.own[one], parts.shared[parts.missing[one], ba]
        )

    def valued(self, hits: Hits) -> Hits:
        """Return the pairs with their values, as scoring rounds them."""
        hundredths = 200 / self.sums(hits)
        value = np.rint(hundredths)
        tied = np.flatnonzero(np.abs(np.abs(hundredths - value) - 0.5) < _TIE)
        if len(tied):
            value[tied] = np.rint(self.scores(hits.take(tied))[2] * 100)
        return Hits(hits.one, hits.other, value.astype(np.intp), hits.ab, hits.ba, hits.audience)

    @property
    def unlike(self) -> int:
        """Return the level of two texts without a word in common."""
        return int(levels_of(np.zeros(1), _OVERLAP_LIMITS)[0])

    def overlap_levels(self, texts: tuple[str, str], rows: Positions, columns: Positions) -> Levels:
        """Return (rows, columns) levels by word overlap, of the texts of profiles at these places."""
        shares = self._words.shares(*texts, self.profile[rows], self.profile[columns])
        return levels_of(shares, _OVERLAP_LIMITS)

    def has_words(self, name: str, places: Positions) -> Mask:
        """Return whether the compared text of these places has words."""
        return self.prepared.word_counts[name][self.profile[places]] > 0
