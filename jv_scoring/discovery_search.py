"""Search pairs tile by tile: bounds first, then three matrix products, then the exact rules if they could matter."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from jv_scoring.discovery_bounds import (
    LEVEL_SCORES,
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
from jv_scoring.engine import AUDIENCES, FACTOR_OF, OFFERINGS, Pairs, compare_texts
from jv_scoring.policy import Policy
from jv_scoring.prepare import COMPARED, Prepared
from jv_scoring.similarity import OVERLAP_STEPS, Calibration
from jv_scoring.vectors import IRREGULAR, MISSING, Floats, Positions

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Tile = tuple[int, int]

_LARGE_POPULATION = 20_000
"""From this many profiles on, tiles hold one role and tier each, so that their bounds are tight."""
_TILE_SIZES = (512, 1024)
"""Profiles of a tile below `_LARGE_POPULATION`, and from there on: products are fastest in large tiles."""
_FEW_TILES = 50
"""How many tiles keep their bounds from sorting to the search."""
_CACHE_BYTES = 400 << 20
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

    profile: (places,) the position in `prepared`. fresh: (places,) whether pairs with it are considered. group:
    (places,) as in `groups_of`. parts: by place, float64; single_parts: float32. tiles: of fresh places or of others.
    """

    def __init__(
        self, prepared: Prepared, profile: Positions, fresh: Mask, policy: Policy, calibration: Calibration
    ) -> None:
        """Sort the profiles: fresh ones (by position) apart, in large populations by group, and the best first."""
        self.prepared, self.policy, self.calibration = prepared, policy, calibration
        self.table = SynergyTable.of(policy.nulls)
        parts, groups = Parts.of(prepared, policy, self.table.synergy), groups_of(prepared)
        best = -parts.own[profile] if policy.aggregation == "arithmetic" else parts.own[profile]
        large = len(profile) >= _LARGE_POPULATION
        by_group = groups[profile] if large else np.zeros(len(profile))
        self.profile = profile[np.lexsort((profile, best, by_group, ~fresh[profile]))]
        self.fresh, self.group = fresh[self.profile], groups[self.profile]
        self.parts = Parts(policy.aggregation, parts.own[self.profile], parts.missing[self.profile], parts.shared)
        self.tiles = _tiles(np.stack([self.fresh, self.group if large else self.fresh]), _TILE_SIZES[large])
        self._words = WordOverlap(prepared)
        self._least: dict[tuple[Tile, Tile], Numbers] = {}
        self.single_parts = self.parts.in_single()
        self._groups: dict[Tile, tuple[Positions, Positions]] = {}
        self._matrices: OrderedDict[tuple[str, int], Matrix] = OrderedDict()

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

    def least_terms(self, tile: Tile, other: Tile) -> Numbers:
        """Return (profiles of `tile`,) the least 1 / score that each can have as the target of one in `other`."""
        if (tile, other) in self._least:
            return self._least[tile, other]
        places, (partners, _), (groups, each) = slice(*tile), self._groups_of(other), self._groups_of(tile)
        base, best = self.table.base[np.ix_(groups, partners)], self.table.best[np.ix_(groups, partners)]
        codes = np.take_along_axis(base, best.argmax(axis=1)[:, None], axis=1)[:, 0][each] + code(TOP, TOP)
        least = self.parts.term(self.parts.own[places], self.parts.shared[self.parts.missing[places], codes])
        if len(self.tiles) <= _FEW_TILES:
            self._least[tile, other] = least
        return least

    def _groups_of(self, tile: Tile) -> tuple[Positions, Positions]:
        """Return the groups of a tile's profiles, each once, and each profile's place among them."""
        if tile not in self._groups:
            self._groups[tile] = np.unique(self.group[slice(*tile)], return_inverse=True)
        return self._groups[tile]

    def matrix(self, name: str, tile: Tile) -> Matrix:
        """Return (profiles of the tile, numbers) normalised vectors of a compared text; zeros if there is none."""
        key = (name, tile[0])
        if key not in self._matrices:
            vectors = self.prepared.vectors[name]
            row = vectors.row[self.profile[slice(*tile)]]
            plain = row >= 0
            matrix = np.zeros((len(row), vectors.matrix.shape[1]), np.float32)
            matrix[plain] = vectors.matrix[row[plain]] * vectors.inverse_norm[row[plain], None].astype(
                vectors.matrix.dtype
            )
            self._matrices[key] = matrix
            while sum(each.nbytes for each in self._matrices.values()) > _CACHE_BYTES and len(self._matrices) > 6:
                self._matrices.popitem(last=False)
        self._matrices.move_to_end(key)
        return self._matrices[key]

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

    def overlap_levels(self, texts: tuple[str, str], rows: Positions, columns: Positions) -> Levels:
        """Return (rows, columns) levels by word overlap, of the texts of profiles at these places."""
        shares = self._words.shares(*texts, self.profile[rows], self.profile[columns])
        return levels_of(shares, level_limits(OVERLAP_STEPS))


class Block:
    """Some profiles of two tiles paired: bounds of their values, and the values.

    one, other: (rows,) and (columns,) places; arguments count from the tiles' starts. Similarities, float32, and
    levels, uint8, are (rows, columns): Offering↔Seeking with `other` as target, with `one`, and Audience Alignment.
    """

    def __init__(self, of: Population, tile: Tile, rows: Positions, other: Tile, columns: Positions) -> None:
        self.of, self.one, self.other = of, tile[0] + rows, other[0] + columns
        self._texts = (OFFERINGS, OFFERINGS[::-1], AUDIENCES)
        self._similarities = [
            _product(_some(of.matrix(source, tile), rows), _some(of.matrix(target, other), columns))
            for source, target in self._texts
        ]
        self._levels = [
            self._hopeful(texts, products) for texts, products in zip(self._texts, self._similarities, strict=True)
        ]

    def sums(self) -> Matrix:
        """Return (rows, columns) the least 1 / score_ab + 1 / score_ba of each pair, within float32 error."""
        of, parts = self.of, self.of.single_parts
        base = of.table.base[of.group[self.one]].take(of.group[self.other], axis=1)
        base += self._levels[2]
        ab, ba = (
            parts.term(own, parts.shared.take(base + code(1, 0) * level + parts.shared.shape[1] * missing))
            for level, own, missing in (
                (self._levels[0], parts.own[self.other], parts.missing[self.other]),
                (self._levels[1], parts.own[self.one][:, None], parts.missing[self.one][:, None]),
            )
        )
        ab += ba
        return ab

    def hits(self, chosen: Mask) -> Hits:
        """Return the chosen pairs, each level settled as scoring does, with their values."""
        row, column = np.nonzero(chosen)
        levels = [level[row, column].astype(np.intp) for level in self._levels]
        for k in range(len(levels)):
            near = np.flatnonzero(self._open(k, row, column))
            levels[k][near] = self._settled(k, self.one[row[near]], self.other[column[near]])
        return self.of.valued(Hits(self.one[row], self.other[column], np.zeros(len(row), np.intp), *levels))

    def unsettled(self) -> Mask:
        """Return (rows, columns) whether a level of the pair may turn out lower."""
        unsettled = np.zeros(self._levels[0].shape, np.bool_)
        for texts, products, levels in zip(self._texts, self._similarities, self._levels, strict=True):
            source, target = self._rows(texts)
            near = levels_of(products, self.of.limits[texts] + self.of.error[texts[0]]) != levels
            near |= (source == IRREGULAR)[:, None] | (target == IRREGULAR)
            near[source == MISSING] = False
            near[:, target == MISSING] = False
            unsettled |= near
        return unsettled

    def _hopeful(self, texts: tuple[str, str], products: Matrix) -> Levels:
        """Return the highest level that each pair may have: exact by words, within float error by vectors."""
        levels = levels_of(products, self.of.limits[texts] - self.of.error[texts[0]])
        source, target = self._rows(texts)
        wordy, others = np.flatnonzero(source == MISSING), np.flatnonzero(target == MISSING)
        levels[source == IRREGULAR] = TOP
        levels[:, target == IRREGULAR] = TOP
        if len(wordy):
            levels[wordy] = self.of.overlap_levels(texts, self.one[wordy], self.other)
        if len(others):
            levels[:, others] = self.of.overlap_levels(texts, self.one, self.other[others])
        return levels

    def _rows(self, texts: tuple[str, str]) -> tuple[Positions, Positions]:
        vectors, profile = self.of.prepared.vectors, self.of.profile
        return vectors[texts[0]].row[profile[self.one]], vectors[texts[1]].row[profile[self.other]]

    def _open(self, k: int, row: Positions, column: Positions) -> Mask:
        """Return whether the level by vectors is uncertain: a cosine within float error of a limit, or an irregular
        vector.
        """
        texts, similarities = self._texts[k], self._similarities[k][row, column]
        source, target = self._rows(texts)
        error, limits = self.of.error[texts[0]], self.of.limits[texts]
        near: Mask = levels_of(similarities, limits - error) != levels_of(similarities, limits + error)
        near |= (source == IRREGULAR)[row] | (target == IRREGULAR)[column]
        near &= (source != MISSING)[row] & (target != MISSING)[column]
        return near

    def _settled(self, k: int, one: Positions, other: Positions) -> Positions:
        """Return the levels that scoring finds."""
        if not len(one):
            return one
        pairs = Pairs(self.of.prepared, self.of.profile[one], self.of.profile[other])
        if k == 1:
            pairs = pairs.swapped()
        score = compare_texts(pairs, OFFERINGS if k < 2 else AUDIENCES, self.of.calibration, overlap=False).score
        return np.searchsorted(LEVEL_SCORES, score)


def _product(left: Matrix, right: Matrix) -> Matrix:
    if left.shape[1] != right.shape[1]:  # Scoring gives such vectors cosine 0.
        return np.zeros((len(left), len(right)), np.float32)
    product: Matrix = left @ right.T
    return product


def _some(matrix: Matrix, rows: Positions) -> Matrix:
    return matrix if len(rows) == len(matrix) else matrix[rows]


def _tiles(kinds: Positions, size: int) -> list[Tile]:
    """Cut places into tiles of one kind each, (begin, end), at most `size` long."""
    if not kinds.shape[1]:
        return []
    edges = np.flatnonzero((kinds[:, 1:] != kinds[:, :-1]).any(axis=0)) + 1
    bounds = [0, *edges.tolist(), kinds.shape[1]]
    return [(start, min(start + size, end)) for begin, end in pairwise(bounds) for start in range(begin, end, size)]


def tile_pairs(of: Population) -> Iterator[tuple[Tile, Tile]]:
    """Yield the pairs of tiles with a fresh profile, those first whose best pair could be the best."""
    bounds = []
    for i, tile in enumerate(of.tiles):
        for other in of.tiles[i:]:
            if of.fresh[tile[0]] or of.fresh[other[0]]:
                bounds.append((of.least_terms(tile, other).min() + of.least_terms(other, tile).min(), tile, other))
    yield from ((tile, other) for _, tile, other in sorted(bounds))
