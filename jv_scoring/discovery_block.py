"""Pairs of a tile with other profiles: their levels by matrix products, and by the exact rules if they could matter."""

from collections.abc import Iterator
from types import EllipsisType

import numpy as np

from jv_scoring.discovery_bounds import LEVEL_SCORES, TOP, Levels, code, levels_of
from jv_scoring.discovery_search import Hits, Mask, Matrix, Population, Tile
from jv_scoring.engine import AUDIENCES, OFFERINGS, Pairs, compare_texts
from jv_scoring.vectors import IRREGULAR, MISSING, Positions

COLUMNS_AT_ONCE = 1_024
"""Partners of a tile in one block: its sums and levels fit into a processor's cache."""
_TEXTS = (OFFERINGS, OFFERINGS[::-1], AUDIENCES)
_AUDIENCE = 2


class Block:
    """The profiles of a tile, paired with others.

    one, other: (rows,) and (columns,) places, ascending. Similarities, float32, and levels, uint8, are (rows, columns),
    and computed when they are first asked for: Offering↔Seeking with `other` as target, with `one`, and Audience
    Alignment.
    """

    def __init__(self, of: Population, tile: Tile, other: Positions) -> None:
        self.of, self._tile, self.one, self.other = of, tile, np.arange(*tile), other
        self._similarities: dict[int, Matrix] = {}
        self._levels: dict[int, Levels] = {}

    def take(self, columns: Mask) -> "Block":
        """Return the block of these columns."""
        if columns.all():
            return self
        block = Block(self.of, self._tile, self.other[columns])
        block._similarities = {k: each[:, columns] for k, each in self._similarities.items()}
        block._levels = {k: each[:, columns] for k, each in self._levels.items()}
        return block

    @property
    def audience(self) -> Levels:
        """Return the highest level of Audience Alignment that each pair may have."""
        return self._level(_AUDIENCE)

    def sums(self) -> Matrix:
        """Return (rows, columns) the least 1 / score_ab + 1 / score_ba of each pair, within float32 error."""
        of, parts = self.of, self.of.single_parts
        base = of.table.base[of.group[self.one]].take(of.group[self.other], axis=1)
        # Where in `shared` the part of a target without Momentum is.
        missing = parts.shared.shape[1] * parts.missing
        ab, ba = (
            parts.term(own, parts.shared.take(at))
            for own, at in (
                (parts.own[self.other], self._code(0) + (base + missing[self.other])),
                (parts.own[self.one][:, None], self._code(1) + (base + missing[self.one][:, None])),
            )
        )
        ab += ba
        return ab

    def _code(self, k: int) -> Levels:
        """Return the part of each pair's code that says its levels: at most 24, so that it fits in a byte."""
        return code(1, 0) * self._level(k) + self.audience

    def hits(self, chosen: Mask) -> Hits:
        """Return the chosen pairs, each level settled as scoring does, with their values."""
        row, column = np.nonzero(chosen)
        levels = [self._level(k)[row, column].astype(np.intp) for k in range(len(_TEXTS))]
        for k in range(len(levels)):
            near = np.flatnonzero(self._open(k, (row, column)))
            levels[k][near] = self._settled(k, self.one[row[near]], self.other[column[near]])
        return self.of.valued(Hits(self.one[row], self.other[column], np.zeros(len(row), np.intp), *levels))

    def unsettled(self) -> Mask:
        """Return (rows, columns) whether a level of the pair may turn out lower."""
        unsettled = np.zeros((len(self.one), len(self.other)), np.bool_)
        for k in range(len(_TEXTS)):
            unsettled |= self._open(k, ...)
        return unsettled

    def _level(self, k: int) -> Levels:
        if k not in self._levels:
            self._similarities[k] = self.of.cosines(_TEXTS[k], self._tile, self.other)
            self._levels[k] = self._hopeful(_TEXTS[k], self._similarities[k])
        return self._levels[k]

    def _hopeful(self, texts: tuple[str, str], cosines: Matrix) -> Levels:
        """Return the highest level that each pair may have: exact by words, within float error by vectors."""
        levels = levels_of(cosines, self.of.limits[texts] - self.of.error[texts[0]])
        source, target = self._rows(texts)
        levels[source == IRREGULAR] = TOP
        levels[:, target == IRREGULAR] = TOP
        # Without words too, two texts have nothing in common, whatever the other one says.
        levels[source == MISSING] = self.of.unlike
        levels[:, target == MISSING] = self.of.unlike
        wordy = np.flatnonzero((source == MISSING) & self.of.has_words(texts[0], self.one))
        others = np.flatnonzero((target == MISSING) & self.of.has_words(texts[1], self.other))
        if len(wordy):
            levels[wordy] = self.of.overlap_levels(texts, self.one[wordy], self.other)
        if len(others):
            levels[:, others] = self.of.overlap_levels(texts, self.one, self.other[others])
        return levels

    def _rows(self, texts: tuple[str, str]) -> tuple[Positions, Positions]:
        vectors, profile = self.of.prepared.vectors, self.of.profile
        return vectors[texts[0]].row[profile[self.one]], vectors[texts[1]].row[profile[self.other]]

    def _open(self, k: int, at: tuple[Positions, Positions] | EllipsisType) -> Mask:
        """Return whether the level of the pairs `at` these rows and columns is uncertain: a cosine within float error
        of a limit, or an irregular vector. Words leave none uncertain.
        """
        texts = _TEXTS[k]
        source, target = self._rows(texts)
        of_source, of_target = (each[at] for each in np.broadcast_arrays(source[:, None], target))
        limits = self.of.limits[texts] + self.of.error[texts[0]]
        near: Mask = levels_of(self._similarities[k][at], limits) != self._level(k)[at]
        near |= (of_source == IRREGULAR) | (of_target == IRREGULAR)
        near &= (of_source != MISSING) & (of_target != MISSING)
        return near

    def _settled(self, k: int, one: Positions, other: Positions) -> Positions:
        """Return the levels that scoring finds."""
        if not len(one):
            return one
        pairs = Pairs(self.of.prepared, self.of.profile[one], self.of.profile[other])
        if k == 1:
            pairs = pairs.swapped()
        score = compare_texts(pairs, OFFERINGS if k < _AUDIENCE else AUDIENCES, self.of.calibration, overlap=False)
        return np.searchsorted(LEVEL_SCORES, score.score)


def all_blocks(of: Population) -> Iterator[Block]:
    """Yield blocks of all pairs with a fresh profile."""
    for tile in of.tiles:
        for start in range(tile[0], len(of), COLUMNS_AT_ONCE):
            yield Block(of, tile, np.arange(start, min(start + COLUMNS_AT_ONCE, len(of))))
