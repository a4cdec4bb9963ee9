"""How much of a score is about the pair: the variance that its two profiles explain apart from each other.

By one profile alone: the sum of squares between the profiles, by that of all matches. By both: least squares of one
number for each A plus one for each B. What is left over depends on the pair. With few matches a profile, numbers for
profiles explain something by chance alone, so every share is also given corrected for its degrees of freedom.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.clustered import MATCHES
from jv_scoring.analysis.rows import column
from jv_scoring.analysis.sums import Sums
from jv_scoring.analysis.tallies import Histogram, Joint, Json, hundredths
from jv_scoring.columns import Floats
from jv_scoring.factors import FIELDS_COUNTED

MEASURES = ("score_ab", "harmonic_mean")
"""What is taken apart: the score of B for A, and the match's."""
SIDES = {"a": "profile_id", "b": "suggested_profile_id"}
COLUMNS = [f"{factor}_ab" for factor in FIELDS_COUNTED]
"""The columns of a partition's file that `filled_joints` reads: three factors that count filled fields of B."""
PAIR_COLUMNS = ["profile_id", "suggested_profile_id", *MEASURES]
"""The columns that `Pairs` reads."""
_TOLERANCE = 1e-12
_ROUNDS = 1_000
_Codes = npt.NDArray[np.int32]


def sums_by_side(rows: pd.DataFrame, scores: dict[str, Floats]) -> dict[str, Sums]:
    """Return `as_a` and `as_b`: by profile on that side, its `matches` and sums of each measure in hundredths."""
    columns = {MATCHES: np.ones(len(rows), np.int64)} | {name: hundredths(scores[name]) for name in MEASURES}
    return {f"as_{side}": Sums.of(rows[of].to_numpy(object), columns) for side, of in SIDES.items()}


def filled_joints(rows: pd.DataFrame, score_ab: Floats) -> dict[str, Joint]:
    """Return by counting factor the joint distribution of score_ab and how many fields of B are filled."""
    return {
        f"filled {factor}": Joint.of(score_ab, np.rint(column(rows, f"{factor}_ab") * len(fields) / 10))
        for factor, fields in FIELDS_COUNTED.items()
    }


def by_one_side(sums: Sums, scores: Histogram, measure: str) -> Json:
    """Return `share` of the variance that the profiles of one side explain, and `corrected` for chance; None without
    variance.
    """
    count, sd = scores.count, scores.sd
    if not count or not sd:
        return {"share": None, "corrected": None}
    totals, numbers = sums.values[measure] / 100, sums.values[MATCHES]
    between = float((totals**2 / numbers).sum()) - float(totals.sum()) ** 2 / count
    return _shares(count * sd**2 - between, count * sd**2, count, len(numbers))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every match in 20 bytes, because profiles are matched across partitions: A, B, and the measures in hundredths."""

    a: _Codes
    b: _Codes
    measures: dict[str, npt.NDArray[np.int32]]

    @classmethod
    def of(cls, chunks: Iterable[pd.DataFrame]) -> "Pairs":
        """Return the pairs of rows with `PAIR_COLUMNS`; text is held for one chunk at a time."""
        places: dict[str, dict[str, int]] = {side: {} for side in SIDES}
        parts: dict[str, list[npt.NDArray[np.int32]]] = {name: [] for name in (*SIDES, *MEASURES)}
        for rows in chunks:
            for side, of in SIDES.items():
                known = places[side]
                codes = [known.setdefault(each, len(known)) for each in rows[of].tolist()]
                parts[side].append(np.array(codes, np.int32))
            for name in MEASURES:
                parts[name].append(hundredths(column(rows, name)).astype(np.int32))
        whole = {name: np.concatenate([np.zeros(0, np.int32), *of]) for name, of in parts.items()}
        return cls(whole["a"], whole["b"], {name: whole[name] for name in MEASURES})

    def by_both_sides(self, measure: str) -> Json:
        """Return `share` of the variance that numbers for A plus numbers for B explain, and `corrected` for chance."""
        values = self.measures[measure] / 100
        total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
        if not total:
            return {"share": None, "corrected": None}
        left = additive_residuals(self.a, self.b, values)
        return _shares(float((left**2).sum()), total, len(values), self._rank())

    def _rank(self) -> int:
        """Return how many numbers the fit has: one each, less one for each group of profiles that no match leaves."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        first, second = int(self.a.max()) + 1, int(self.b.max()) + 1
        links = coo_array((np.ones(len(self.a), np.bool_), (self.a, self.b + first)), shape=(first + second,) * 2)
        return first + second - int(connected_components(links, directed=False, return_labels=False))


def additive_residuals(a: _Codes, b: _Codes, values: Floats) -> Floats:
    """Return what is left of values after least squares on A and B.

    A's numbers are eliminated: for given numbers of B they are means. Conjugate gradients find those of B.
    """
    of_a, of_b = np.bincount(a), np.bincount(b)

    def less_a(each: Floats) -> Floats:
        return each - (np.bincount(a, each) / of_a)[a]

    def by_b(each: Floats) -> Floats:
        return np.asarray(np.bincount(b, less_a(each), len(of_b)), np.float64)

    values = less_a(values - values.mean())
    numbers, rest = np.zeros(len(of_b)), by_b(values)
    scaled = rest / of_b
    direction, size = scaled, float(rest @ scaled)
    enough = _TOLERANCE**2 * size
    for _ in range(_ROUNDS):
        if size <= enough or size == 0:
            break
        image = by_b(direction[b])
        step = size / float(direction @ image)
        numbers, rest = numbers + step * direction, rest - step * image
        scaled = rest / of_b
        size, former = float(rest @ scaled), size
        direction = scaled + size / former * direction
    return values - less_a(numbers[b])


def _shares(left: float, total: float, count: int, numbers: int) -> Json:
    share = 1 - max(left, 0.0) / total
    corrected = 1 - (max(left, 0.0) / (count - numbers)) / (total / (count - 1)) if count > numbers else None
    return {"share": share, "corrected": corrected}
