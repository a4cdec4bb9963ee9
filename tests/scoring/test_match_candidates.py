"""The figures beside discovery: the best of all pairs, how many of them exist, and how evenly profiles are named."""

from itertools import combinations

import numpy as np
import pytest
from test_discovery import matches_of

from jv_scoring import calibration_of
from jv_scoring.allocation import allocate
from jv_scoring.analysis.match_candidates import BEST, ExistingPairs, figures, gini, top_share
from jv_scoring.discovery import discover
from jv_scoring.prepare import prepare
from jv_scoring.similarity import REFERENCE_MODEL
from tests.support.profile_strategies import frame, seeded_population

POLICY, CALIBRATION = "geometric/impute", calibration_of(REFERENCE_MODEL)
COUNT = 40
TABLE = frame(seeded_population(COUNT, 8, 9))
DRAWN = np.random.default_rng(4).permutation(list(combinations(TABLE.index, 2)))[:200].tolist()
MATCHES = matches_of([*map(tuple, DRAWN), (TABLE.index[0], "gone"), (TABLE.index[3], TABLE.index[3])])
PREPARED = prepare(TABLE)
EVERYONE = np.ones(COUNT, np.bool_)
ALL = discover(TABLE, matches_of([]), COUNT, POLICY)
CANDIDATES = discover(TABLE, MATCHES, BEST, POLICY)
EXISTING = ExistingPairs(PREPARED, MATCHES, POLICY, CALIBRATION, EVERYONE)
JOINED = {frozenset(pair) for pair in DRAWN}


def test_best_of_all_pairs_is_what_a_search_without_matches_finds() -> None:
    best = EXISTING.best_of_all(CANDIDATES, BEST)
    expected = ALL[ALL["rank"] <= BEST]
    names = sorted(TABLE.index)
    assert [names[k] for k in best.owner] == expected["profile_id"].tolist()
    assert [names[k] for k in best.partner] == expected["candidate_id"].tolist()
    assert best.value.tolist() == expected["harmonic_mean"].tolist()
    ends = expected[["profile_id", "candidate_id"]].itertuples(index=False, name=None)
    assert best.exists.tolist() == [frozenset(pair) in JOINED for pair in ends]


def test_only_the_named_profiles_count() -> None:
    chosen = sorted(TABLE.index)[:3]
    some = discover(TABLE, MATCHES, BEST, POLICY, only=chosen)
    best = EXISTING.best_of_all(some, BEST, chosen)
    assert best.value.tolist() == ALL[(ALL["rank"] <= BEST) & ALL["profile_id"].isin(chosen)]["harmonic_mean"].tolist()


def test_the_figures_count_tiers_values_and_spread() -> None:
    accepted = allocate(TABLE, MATCHES, 2, POLICY)
    numbers = figures(EXISTING, CANDIDATES, [(2, accepted)])
    assert (numbers["profiles"], numbers["places"]) == (COUNT, COUNT * BEST)
    assert sum(each["places"] for each in numbers["tiers"]) == numbers["places"]
    assert sum(each["suggested"] for each in numbers["tiers"]) == numbers["suggested"] > 0
    pairs = ALL[[frozenset(pair) in JOINED for pair in zip(ALL["profile_id"], ALL["candidate_id"], strict=True)]]
    assert numbers["existing_pairs"] == len(pairs) / 2 == len(JOINED)
    assert numbers["existing_mean"] == pytest.approx(pairs["harmonic_mean"].mean(), abs=0.005)
    existing, discovered, spread = numbers["spreads"]
    assert [each["what"] for each in numbers["spreads"]] == ["existing", "discovered", "allocation"]
    named = CANDIDATES.groupby("candidate_id").size().reindex(TABLE.index, fill_value=0).to_numpy()
    assert discovered["gini"] == round(gini(named), 4)
    assert discovered["mean"] == pytest.approx(CANDIDATES["harmonic_mean"].mean(), abs=0.005)
    assert (spread["cap"], spread["most"], spread["places"]) == (2, 2, 2 * len(accepted))
    assert spread["gini"] < discovered["gini"]
    assert existing["places"] <= COUNT * BEST


def test_without_matches_and_without_profiles_nothing_is_suggested() -> None:
    for table, count in ((TABLE, COUNT), (TABLE.iloc[:0], 0)):
        existing = ExistingPairs(prepare(table), matches_of([]), POLICY, CALIBRATION, np.ones(count, np.bool_))
        numbers = figures(existing, discover(table, matches_of([]), BEST, POLICY), [])
        assert (numbers["profiles"], numbers["places"], numbers["suggested"]) == (count, count * BEST, 0)
        assert (numbers["existing_pairs"], numbers["existing_mean"]) == (0, None)


@pytest.mark.parametrize(("counts", "expected"), [([], 0.0), ([0, 0], 0.0), ([3, 3, 3], 0.0), ([0, 0, 0, 4], 0.75)])
def test_gini(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts, np.intp)) == pytest.approx(expected)


@pytest.mark.parametrize(("counts", "expected"), [([], 0.0), ([0, 0], 0.0), ([1] * 100, 0.01), ([1, 3], 0.75)])
def test_the_share_of_the_most_named(counts: list[int], expected: float) -> None:
    assert top_share(np.array(counts, np.intp), 0.01) == pytest.approx(expected)
