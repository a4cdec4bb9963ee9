"""Variance by profile and pair: planted shares, plain loops, and numpy's least squares."""

import numpy as np
import pandas as pd
import pytest

from jv_scoring.analysis import pair_share
from jv_scoring.analysis.aggregation_comparison import BEST, beyond_chance, spearman, tier_moves, tier_places
from jv_scoring.analysis.pair_share import PAIR_COLUMNS, Pairs, additive_residuals, by_one_side
from jv_scoring.analysis.tallies import SCORES, Histogram, Joint
from tests.support.score_rows import population, scored_rows


def rows_of(a: np.ndarray, b: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({
        "profile_id": [f"a{k}" for k in a], "suggested_profile_id": [f"b{k}" for k in b],
        "score_ab": values, "harmonic_mean": values,
    })  # fmt: skip


def planted(seed: int, count: int = 900, own: float = 1.0) -> pd.DataFrame:
    """A's part has a sd of 2, B's of 6, and the pair's of `own`."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 30, count), rng.integers(0, 40, count)
    parts = rng.normal(0, 2, 30)[a] + rng.normal(0, 6, 40)[b] + rng.normal(0, own, count)
    return rows_of(a, b, np.round(50 + parts, 2))


def side(rows: pd.DataFrame, of: str) -> dict[str, float]:
    sums = pair_share.sums_by_side(rows, {name: rows[name].to_numpy() for name in pair_share.MEASURES})
    return by_one_side(sums[f"as_{of}"], Histogram.of(rows["score_ab"].to_numpy(), SCORES), "score_ab")


def test_one_side_is_what_a_plain_loop_gives() -> None:
    rows = planted(1)
    for of, name in pair_share.SIDES.items():
        mean = rows["score_ab"].mean()
        between = sum(len(group) * (group.mean() - mean) ** 2 for _, group in rows.groupby(name)["score_ab"])
        total = sum((value - mean) ** 2 for value in rows["score_ab"])
        groups = rows[name].nunique()
        found = side(rows, of)
        assert found["share"] == pytest.approx(between / total)
        assert found["corrected"] == pytest.approx(1 - (1 - between / total) * (len(rows) - 1) / (len(rows) - groups))


def test_both_sides_are_what_least_squares_gives() -> None:
    rows = planted(2, 150, own=3.0)
    design = pd.get_dummies(rows[["profile_id", "suggested_profile_id"]]).to_numpy(float)
    values = rows["score_ab"].to_numpy()
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    left, total = ((values - fitted) ** 2).sum(), ((values - values.mean()) ** 2).sum()
    rank = np.linalg.matrix_rank(design)
    found = Pairs.of([rows.iloc[:70], rows.iloc[70:70], rows.iloc[70:]]).by_both_sides("score_ab")
    assert found["share"] == pytest.approx(1 - left / total, abs=1e-9)
    assert found["corrected"] == pytest.approx(1 - left / (150 - rank) / (total / 149), abs=1e-9)


def test_profiles_that_no_match_joins_are_fitted_apart() -> None:
    """Two groups without a match between them: every value is A's and B's."""
    a, b = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 2, 3])
    values = np.array([10.0, 20, 30, 40, 5, 95])
    found = Pairs.of([rows_of(a, b, values)]).by_both_sides("score_ab")
    assert found == {"share": pytest.approx(1), "corrected": pytest.approx(1)} or found["corrected"] is None
    left = additive_residuals(a.astype(np.int32), b.astype(np.int32), values)
    assert left == pytest.approx(np.zeros(6), abs=1e-9)


def test_planted_shares_are_found() -> None:
    rows = planted(3, 20_000, own=2.0)
    assert side(rows, "b")["corrected"] == pytest.approx(36 / 44, abs=0.12)
    found = Pairs.of([rows]).by_both_sides("score_ab")
    assert found["corrected"] == pytest.approx(1 - 4 / rows["score_ab"].var(), abs=0.01)


def test_noise_explains_nothing_once_it_is_corrected() -> None:
    rng = np.random.default_rng(4)
    rows = rows_of(rng.integers(0, 100, 600), rng.integers(0, 100, 600), np.round(rng.normal(50, 5, 600), 2))
    found = Pairs.of([rows]).by_both_sides("score_ab")
    assert found["share"] > 0.2
    assert abs(found["corrected"]) < 0.15


@pytest.mark.parametrize("count", [0, 1, 2])
def test_little_is_shown(count: int) -> None:
    rows = planted(5).head(count)
    assert set(Pairs.of([rows]).by_both_sides("score_ab")) == set(side(rows, "b")) == {"share", "corrected"}
    assert Pairs.of([planted(5).head(1)]).by_both_sides("score_ab") == {"share": None, "corrected": None}


def test_filled_fields_are_counted_from_the_factor() -> None:
    rows = scored_rows(*population(2))
    joints = pair_share.filled_joints(rows, rows["score_ab"].to_numpy())
    for factor, fields in (("profile_investment", 13), ("profile_completeness", 12), ("enrichment_quality", 8)):
        filled = (rows[f"{factor}_ab"] * fields / 10).round()
        assert spearman(joints[f"filled {factor}"]) == pytest.approx(rows["score_ab"].rank().corr(filled.rank()))
    assert set(PAIR_COLUMNS) <= set(rows)


# Tiers of equal sizes, and the best 10 of a random order


def test_tiers_of_equal_sizes_are_those_of_a_plain_ranking() -> None:
    rng = np.random.default_rng(6)
    first, second = np.round(rng.uniform(20, 95, 300), 2), np.empty(300)
    second[np.argsort(first + rng.normal(0, 5, 300))] = np.sort(rng.choice(np.arange(3_000, 10_000), 300, False)) / 100
    found = tier_moves(Joint.of(first, second))
    before, after = (tier_places(np.rint(values * 100).astype(np.int64)) for values in (first, second))
    assert found["fixed"] == (before != after).sum()
    ranked = np.empty(300, int)
    ranked[np.argsort(-second)] = np.sort(before)
    assert found["equal_sizes"] == pytest.approx((ranked != before).sum())
    assert found["equal_sizes"] < found["fixed"]


def test_a_policy_that_raises_all_scores_alike_moves_no_tier_of_equal_size() -> None:
    first = np.arange(30.0, 90.0, 0.5)
    found = tier_moves(Joint.of(first, first + 10))
    assert found == {"fixed": 60, "equal_sizes": pytest.approx(0)}


def test_equal_scores_at_a_limit_count_by_the_mean_of_their_orders() -> None:
    """Two of four are Good; under the second score all are alike, so each stays with a chance of one half."""
    found = tier_moves(Joint.of(np.array([70.0, 65, 50, 45]), np.full(4, 62.0)))
    assert found == {"fixed": 2, "equal_sizes": pytest.approx(2)}
    assert tier_moves(Joint.of(np.zeros(0), np.zeros(0))) == {"fixed": 0, "equal_sizes": 0}


def test_a_random_order_keeps_as_much_as_is_said_of_it() -> None:
    rng, sizes = np.random.default_rng(7), np.array([4, 11, 14, 25, 40])
    kept = [
        np.mean([len(set(rng.permutation(m)[:BEST]) & set(range(BEST))) / BEST for m in sizes if m > BEST])
        for _ in range(2_000)
    ]
    found = beyond_chance(0.9, sizes)
    assert found["best_overlap_by_chance"] == pytest.approx(np.mean(kept), abs=0.01)
    chance = (10 / 11 + 10 / 14 + 10 / 25 + 10 / 40) / 4
    assert found["best_overlap_beyond_chance"] == pytest.approx((0.9 - chance) / (1 - chance))
    assert beyond_chance(None, sizes) == beyond_chance(0.9, np.array([3])) == {
        "best_overlap_by_chance": None, "best_overlap_beyond_chance": None,
    }  # fmt: skip
