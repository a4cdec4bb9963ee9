"""What people's ratings of pairs say: do raters agree, and which ranking, source and tier do they like?

The figures, their names and their limits are those of docs/ratings.md.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jv_scoring.analysis.evaluation_bootstrap import interval, multiplicities
from jv_scoring.analysis.evaluation_figures import TOO_FEW, in_tiers
from jv_scoring.analysis.tallies import Ints, Json
from jv_scoring.columns import Floats

PUBLISHED, DISCOVERED, AT_RANDOM = "published", "discovery", "random"
SOURCES = (PUBLISHED, DISCOVERED, AT_RANDOM)
LOWEST, HIGHEST, LIKED = 1, 5, 4
"""The ratings there are, and the lowest that counts as liked."""
LEAST_RATERS, LEAST_PAIRS = 2, 30
"""Raters, and pairs rated twice, below which nothing is said about agreement."""
LEAST_RANKED = 3
"""Pairs below which there is no rank correlation."""


def figures(pairs: pd.DataFrame, ratings: pd.DataFrame, policy: str) -> Json:
    """Return what the ratings say.

    pairs: a row a pair of a sheet, indexed as `ratings["place"]` names them, with `source`, `ranks` (a mapping of
    ranking to value or None), and for published pairs `tenth` and `tenth_matches`, the number of matches in that tenth.
    ratings: `place`, `rater` and `rating` (1..5), a row a pair and rater. policy: the ranking that tiers are of.
    """
    rated = ratings.groupby("place")["rating"].agg(["mean", "count"]).sort_index()
    of_pairs = pairs.loc[rated.index]
    means, twice = rated["mean"].to_numpy(np.float64), int((rated["count"] >= LEAST_RATERS).sum())
    raters = int(ratings["rater"].nunique())
    few = raters < LEAST_RATERS or twice < LEAST_PAIRS
    return {
        "ratings": len(ratings),
        "raters": raters,
        "pairs": len(rated),
        "pairs_rated_twice": twice,
        "alpha": None if few else ordinal_alpha(_counts(ratings)),
        "agreement": TOO_FEW if few else None,
        "rankings": _rankings(of_pairs["ranks"].tolist(), means),
        "sources": [_source(name, means[(of_pairs["source"] == name).to_numpy(np.bool_)]) for name in SOURCES],
        "tiers": _tiers(of_pairs, ratings, policy),
    }


def ordinal_alpha(counts: Ints) -> float | None:
    """Return Krippendorff's alpha for ordinal values; None where no pair was rated twice or all ratings are equal.

    counts: of shape (pairs, values), how often each pair got each value, the values in ascending order. After
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability: the distance of two values is the number of
    ratings from one to the other, half of both ends, squared.
    """
    counts = counts[counts.sum(axis=1) > 1].astype(np.float64)
    raters = counts.sum(axis=1, keepdims=True)
    together = (counts / (raters - 1)).T @ counts - np.diag((counts / (raters - 1)).sum(axis=0))
    of_value = together.sum(axis=1)
    middle = np.cumsum(of_value) - of_value / 2
    distance = (middle[:, None] - middle[None, :]) ** 2
    expected = float((np.outer(of_value, of_value) * distance).sum())
    if not expected:
        return None
    return 1 - (float(of_value.sum()) - 1) * float((together * distance).sum()) / expected


def _counts(ratings: pd.DataFrame) -> Ints:
    """How often each pair got each rating, of shape (pairs, 5)."""
    places = np.unique(ratings["place"].to_numpy(), return_inverse=True)[1]
    counts = np.zeros((int(places.max()) + 1, HIGHEST), np.int64)
    np.add.at(counts, (places, ratings["rating"].to_numpy(np.int64) - LOWEST), 1)
    return counts


def _rankings(ranks: Sequence[Mapping[str, float | None]], means: Floats) -> list[Json]:
    """Spearman's rank correlation of each ranking with the mean rating, over the pairs that have a value."""
    records = []
    for name in dict.fromkeys(name for each in ranks for name in each):
        values = np.array([np.nan if each.get(name) is None else each[name] for each in ranks], np.float64)
        has = ~np.isnan(values)
        varied = has.sum() >= LEAST_RANKED and all(len(np.unique(of[has])) > 1 for of in (values, means))
        spearman = float(pd.Series(values).corr(pd.Series(means), method="spearman")) if varied else None
        records.append({"ranking": name, "pairs": int(has.sum()), "spearman": spearman})
    return records


def _source(name: str, means: Floats) -> Json:
    """The mean rating of a source, with an interval by 1,000 draws of its pairs."""
    if not len(means):
        return {"source": name, "pairs": 0, "mean": None, "low": None, "high": None}
    drawn = np.concatenate([often @ means for often in multiplicities(len(means))]) / len(means)
    low, high = interval(drawn)
    return {"source": name, "pairs": len(means), "mean": float(means.mean()), "low": low, "high": high}


def _tiers(pairs: pd.DataFrame, ratings: pd.DataFrame, policy: str) -> list[Json]:
    """Return the share of ratings of 4 or 5 among published pairs, by tier.

    The sheet has equally many pairs of each tenth of the score. So each pair weighs as many matches as it stands for:
    those of its tenth over the rated pairs of its tenth.
    """
    liked = ratings.assign(liked=ratings["rating"] >= LIKED).groupby("place")["liked"].mean()
    published = pairs[pairs["source"] == PUBLISHED]
    rated_of_tenth = published["tenth"].map(published["tenth"].value_counts()).to_numpy(np.float64)
    weights = published["tenth_matches"].to_numpy(np.float64) / rated_of_tenth
    likes = liked.loc[published.index].to_numpy(np.float64)
    scores = np.array([each[policy] for each in published["ranks"]], np.float64)
    records = []
    for name, mine in in_tiers(scores):
        weight = float(weights[mine].sum())
        share = float((weights[mine] * likes[mine]).sum()) / weight if weight else None
        records.append({"tier": name, "pairs": int(mine.sum()), "share": share})
    return records
