"""The pairs that a calibration is measured by: pairs of profiles drawn at random, and pairs of texts from a file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from jv_scoring.analysis.tallies import Ints
from jv_scoring.columns import Floats
from jv_scoring.engine import AUDIENCES, FACTOR_OF
from jv_scoring.vectors import PairVectors, Positions, Vectors

FACTORS = {factor: texts for texts, factor in FACTOR_OF.items()}
"""By similarity factor its two compared texts, the source's first."""
PARAPHRASE, NEAR_MISS = "paraphrase", "near miss"
TEXT_PAIRS = "text_pairs_v1.jsonl"
_FEW = 4
"""If there are at most this many times the wanted pairs, all of them are listed and shuffled."""


@dataclass(frozen=True)
class TextPair:
    """Two texts whose similarity people decided, not a model.

    `contrast`: what a near miss turns around, role or audience; empty for a paraphrase. `source`: where it comes from.
    """

    kind: str
    factor: str
    topic: str
    contrast: str
    first: str
    second: str
    source: str


@cache
def text_pairs(name: str = TEXT_PAIRS) -> tuple[TextPair, ...]:
    """Return the pairs of the versioned file."""
    lines = files("jv_scoring.analysis").joinpath("data", name).read_text(encoding="utf-8").splitlines()
    return tuple(TextPair(**json.loads(line)) for line in lines)


@dataclass(frozen=True)
class Texts:
    """One compared text of all profiles: its vectors, and by profile a number that equal texts share, and the language.

    `languages`: an object array of names, with None where the language is unknown.
    """

    vectors: Vectors
    same: Ints
    languages: npt.NDArray[np.object_]

    @property
    def usable(self) -> Positions:
        """Return the profiles with a regular vector that is not zero."""
        row = self.vectors.row
        held = np.flatnonzero(row >= 0)
        return held[self.vectors.inverse_norm[row[held]] > 0]


@dataclass(frozen=True)
class RandomPairs:
    """Pairs of different profiles drawn at random: their positions, their cosines, and the language of both texts."""

    a: Positions
    b: Positions
    cosines: Floats
    languages: npt.NDArray[np.object_]

    def of_language(self, name: str) -> "RandomPairs":
        chosen = self.languages == name
        return RandomPairs(self.a[chosen], self.b[chosen], self.cosines[chosen], self.languages[chosen])


def draw(factor: str, texts: tuple[Texts, Texts], suggested: Ints, *, count: int, seed: int) -> RandomPairs:
    """Draw `count` different pairs by a seed, or all that there are if they are fewer.

    `texts`: the source's and the target's. `suggested`: (pairs, 2) positions of the profiles of each match. Leaves out
    these pairs in either order, pairs of a profile with itself, and pairs of equal texts. For Audience Alignment, a
    pair counts in one order only.
    """
    rng = np.random.default_rng([seed, list(FACTORS).index(factor)])
    source, target = texts
    sources, targets, profiles = source.usable, target.usable, len(source.same)
    left_out = np.unique(_codes(suggested[:, 0], suggested[:, 1], profiles))
    one_way = FACTORS[factor] == AUDIENCES

    def allowed(codes: Ints) -> Ints:
        a, b = sources[codes // len(targets)], targets[codes % len(targets)]
        good = (a != b) & (source.same[a] != target.same[b]) & ~np.isin(_codes(a, b, profiles), left_out)
        good &= (a < b) | (not one_way)
        return np.asarray(a[good] * profiles + b[good], np.int64)

    possible = len(sources) * len(targets)
    if possible <= _FEW * count:
        found = allowed(rng.permutation(possible))[:count]
    else:
        found, misses = np.zeros(0, np.int64), 0
        while len(found) < count and misses < _FEW:
            more = np.concatenate([found, allowed(rng.integers(0, possible, 2 * count))])
            distinct = more[np.sort(np.unique(more, return_index=True)[1])][:count]
            misses, found = misses + (len(distinct) == len(found)), distinct
    a, b = (found // profiles).astype(np.intp), (found % profiles).astype(np.intp)
    languages = source.languages[a]
    languages[np.not_equal(languages, target.languages[b]).astype(np.bool_)] = None
    return RandomPairs(a, b, PairVectors(source.vectors, target.vectors, a, b).cosines(), languages)


def _codes(a: Positions | Ints, b: Positions | Ints, profiles: int) -> Ints:
    """Return one number for each pair, whatever its order."""
    return np.asarray(np.minimum(a, b) * profiles + np.maximum(a, b), np.int64)


def cosines_of(vectors: npt.NDArray[np.floating]) -> Floats:
    """Return the cosines of the rows 0 and 1, 2 and 3, and so on."""
    places = np.arange(0, len(vectors), 2)
    of = Vectors.from_matrix(vectors, np.arange(len(vectors)))
    return PairVectors(of, of, places, places + 1).cosines()


def texts_of(pairs: Sequence[TextPair]) -> list[str]:
    """Return the texts of pairs, two for each pair, in their order."""
    return [text for pair in pairs for text in (pair.first, pair.second)]
