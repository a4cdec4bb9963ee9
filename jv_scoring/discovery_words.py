"""Word overlap of every profile of one tile with every profile of another, for texts without a vector."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jv_scoring.prepare import Prepared
from jv_scoring.vectors import Floats, Positions


@dataclass(frozen=True)
class WordLists:
    """The words of one compared text as numbers, (words,): those of profile k are `words[first[k]:first[k + 1]]`."""

    words: npt.NDArray[np.int32]
    first: Positions

    def take(self, profiles: Positions) -> tuple[npt.NDArray[np.int32], Positions]:
        """Return the words of these profiles, and for each the place in `profiles` of the profile that has it."""
        begin, count = self.first[profiles], self.first[profiles + 1] - self.first[profiles]
        owner = np.repeat(np.arange(len(profiles)), count)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        return self.words[begin[owner] + within], owner


class WordOverlap:
    """Shares of common words, as `similarity.word_overlap` has them, for blocks of pairs."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared

    @cached_property
    def _lists(self) -> dict[str, WordLists]:
        """Return the words as numbers; only a block with a text that has no vector asks for them."""
        counts, numbers = self._prepared.word_counts, self._prepared.word_numbers
        return {name: WordLists(numbers[name], np.concatenate([[0], np.cumsum(counts[name])])) for name in numbers}

    def shares(self, source: str, target: str, rows: Positions, columns: Positions) -> Floats:
        """Return (rows, columns) shares, 0..1, of the compared text `source` of one with `target` of the other."""
        counts = self._prepared.word_counts
        row, column = np.flatnonzero(counts[source][rows]), np.flatnonzero(counts[target][columns])
        shares = np.zeros((len(rows), len(columns)))
        if len(row) and len(column):
            common = self._common(source, target, rows[row], columns[column])
            smaller = np.minimum(counts[source][rows[row]][:, None], counts[target][columns[column]])
            shares[np.ix_(row, column)] = common / smaller
        return shares

    def _common(self, source: str, target: str, rows: Positions, columns: Positions) -> Positions:
        """(rows, columns) how many words two texts have in common."""
        if len(rows) < len(columns):  # The words of the fewer texts are sorted, and those of the others looked up.
            return self._common(target, source, columns, rows).T
        lists = self._lists
        words, row = lists[source].take(rows)
        others, column = lists[target].take(columns)
        order = np.argsort(others, kind="stable")
        others, column = others[order], column[order]
        known = np.isin(words, others)  # Few are; with numbers this is a look into a table.
        words, row = words[known], row[known]
        first, last = np.searchsorted(others, words, "left"), np.searchsorted(others, words, "right")
        count = last - first
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        met = np.repeat(row, count) * len(columns) + column[np.repeat(first, count) + within]
        return np.bincount(met, minlength=len(rows) * len(columns)).reshape(len(rows), len(columns))
