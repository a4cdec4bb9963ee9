"""An allocation is the greedy one of the contract, whatever the values, and nobody would rather swap."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_discovery import MODELS, NO_MATCHES, expected, matches_of

from jv_scoring import POLICIES, allocation, calibration_of, discovery
from jv_scoring.allocation import COLUMNS, Allocator, Ranged, allocate
from jv_scoring.discovery import discover
from tests.support.profile_strategies import Profile, frame, populations, seeded_population

LISTED = list(discovery.COLUMNS)


def greedy(candidates: list[tuple[Any, ...]], cap: int) -> list[tuple[Any, ...]]:
    """The contract's rule over the rows of every profile's list, each pair once."""
    pairs = sorted((-value, one, other, ab, ba) for one, other, _, value, ab, ba in candidates if one < other)
    seen: Counter[str] = Counter()
    accepted = []
    for value, one, other, ab, ba in pairs:
        if seen[one] < cap and seen[other] < cap:
            seen.update((one, other))
            accepted.append((one, other, -value, ab, ba))
    return accepted


def found(*arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
    return list(allocate(*arguments, **options)[list(COLUMNS)].itertuples(index=False, name=None))


@settings(deadline=None, max_examples=60)
@given(populations(least=0, most=7), st.integers(0, 9), MODELS, st.sampled_from(sorted(POLICIES)), st.data())
def test_accepted_pairs_are_those_of_the_rule(
    drawn: list[Profile], cap: int, model: str, policy: str, data: st.DataObject
) -> None:
    ids = data.draw(st.permutations([f"p{number}" for number in range(len(drawn))]))
    anyone = st.sampled_from([*ids, "gone", "left"])
    matches = data.draw(st.lists(st.tuples(anyone, anyone), max_size=6))
    every = expected(dict(zip(ids, drawn, strict=True)), matches, len(drawn), policy, model)
    assert found(frame(drawn, ids), matches_of(matches), cap, policy, calibration_of(model)) == greedy(every, cap)


@pytest.mark.parametrize("cap", [0, 1, 3, 100])
@pytest.mark.parametrize("alike", [False, True])
def test_batches_and_row_blocks_do_not_matter(cap: int, alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = seeded_population(1, 8, 3) * 60 if alike else seeded_population(60, 8, 3)
    table = frame(drawn, [f"p{number:02}" for number in np.random.default_rng(1).permutation(60)])
    every = list(discover(table, NO_MATCHES, 60)[LISTED].itertuples(index=False, name=None))
    monkeypatch.setattr(allocation, "_PAIRS_AT_ONCE", 50)
    monkeypatch.setattr(allocation, "_PAIRS_A_LOOK", 7)
    monkeypatch.setattr(allocation, "_CELLS_AT_ONCE", 200)
    assert found(table, NO_MATCHES, cap) == greedy(every, cap)


def test_no_two_profiles_would_rather_have_each_other() -> None:
    drawn, cap = seeded_population(40, 8, 9), 2
    table = frame(drawn)
    accepted = allocate(table, NO_MATCHES, cap)
    assert accepted.attrs["ranged"] == Ranged(None, 0)
    got: dict[str, list[tuple[float, str]]] = {name: [] for name in table.index}
    for one, other, value in accepted[["profile_id", "candidate_id", "harmonic_mean"]].itertuples(index=False):
        got[one].append((-value, other))
        got[other].append((-value, one))
    assert max(map(len, got.values())) == cap
    for one, other, value in discover(table, NO_MATCHES, 40)[
        ["profile_id", "candidate_id", "harmonic_mean"]
    ].itertuples(index=False):
        rather = [
            len(got[name]) < cap or (-value, partner) < max(got[name])
            for name, partner in ((one, other), (other, one))
            if (-value, partner) not in got[name]
        ]
        assert len(rather) == 0 or not all(rather)


@pytest.mark.parametrize("lists", [None, 5])
def test_a_missing_or_exchanged_pair_is_counted_as_rivals(lists: int | None) -> None:
    cap = 2
    allocator = Allocator(frame(seeded_population(40, 8, 9)), NO_MATCHES, lists=lists)
    accepted = allocator.spread(cap)
    assert allocator.rivals(accepted, cap) == 0
    assert allocator.rivals(allocator.spread(0), 0) == 0
    assert allocator.rivals(accepted.iloc[1:], cap) >= 1
    worst = accepted.iloc[[-1]]
    assert allocator.rivals(pd.concat([accepted.iloc[1:], worst]), cap) >= 1
    assert allocator.rivals(accepted.iloc[:0], 1) == len(allocator.spread(40))


def test_the_pairs_of_several_caps_are_those_of_each_cap() -> None:
    table = frame(seeded_population(40, 8, 9))
    allocator = Allocator(table, NO_MATCHES)
    for cap in (3, 1, 50):
        assert allocator.spread(cap).equals(allocate(table, NO_MATCHES, cap))


def test_an_allocation_over_lists_says_how_many_ran_out() -> None:
    table, length, cap = frame(seeded_population(40, 8, 9)), 3, 2
    listed = discover(table, NO_MATCHES, length)[LISTED]
    both = pd.concat([listed, listed.rename(columns={"profile_id": "candidate_id", "candidate_id": "profile_id",
                                                     "score_ab": "score_ba", "score_ba": "score_ab"})])  # fmt: skip
    pairs = both[list(listed.columns)].drop_duplicates(["profile_id", "candidate_id"])
    accepted = allocate(table, NO_MATCHES, cap, lists=length)
    assert list(accepted.itertuples(index=False, name=None)) == greedy(
        list(pairs.itertuples(index=False, name=None)), cap
    )
    counts = Counter(accepted["profile_id"]) + Counter(accepted["candidate_id"])
    assert accepted.attrs["ranged"] == Ranged(length, sum(counts[name] < cap for name in table.index))


def test_a_cap_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 pairs"):
        allocate(frame(seeded_population(3, 8, 1)), NO_MATCHES, -1)
