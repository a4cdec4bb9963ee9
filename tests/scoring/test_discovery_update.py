"""An update gives what a first search gives, whatever changed since: the contract of incremental discovery."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_discovery import matches_of

from jv_scoring import POLICIES
from jv_scoring.discovery import COLUMNS, discover
from jv_scoring.discovery_update import update
from tests.support.profile_strategies import Profile, frame, seeded_population


def same(best: int, *arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
    found = update(*arguments, **options)
    return list(found[found["rank"] <= best][list(COLUMNS)].itertuples(index=False, name=None))


@settings(deadline=None, max_examples=80)
@given(
    st.integers(0, 2**32),
    st.integers(0, 5),
    st.integers(0, 3),
    st.sampled_from(sorted(POLICIES)),
    st.integers(0, 5),
    st.booleans(),
)
def test_an_update_gives_what_a_first_search_gives(  # noqa: PLR0917
    seed: int, k: int, spare: int, policy: str, edits: int, alike: bool
) -> None:
    rng = np.random.default_rng(seed)
    count = 24
    drawn = seeded_population(1, 8, seed) * count if alike else seeded_population(count, 8, seed)
    ids = np.array([f"p{number:02}" for number in rng.permutation(count)])
    profiles: dict[str, Profile] = dict(zip(ids.tolist(), drawn, strict=True))
    before = {name: profiles[name] for name in ids[: count - 2].tolist()}
    matches = [(str(a), str(b)) for a, b in rng.choice(ids, (20, 2))]
    known = discover(frame(list(before.values()), list(before)), matches_of(matches), k + spare, policy)

    edited = rng.choice(ids, edits, replace=False).tolist()
    new = dict(zip(edited, seeded_population(edits, 8, seed + 1), strict=True)) if edits else {}
    gone = set(rng.choice(ids, 2).tolist())
    now = {name: new.get(name, profile) for name, profile in profiles.items() if name not in gone}
    deleted, added = matches[:2], [(str(a), str(b)) for a, b in rng.choice(ids, (2, 2))]
    later = matches_of([*matches[2:], *added])
    changed = [*edited, *(a for a, _ in deleted)]
    table = frame(list(now.values()), list(now))
    first = discover(table, later, k, policy)[list(COLUMNS)]
    assert same(k, table, later, k, policy, known=known, changed=changed) == list(
        first.itertuples(index=False, name=None)
    )


def test_a_second_update_starts_from_the_first() -> None:
    drawn = seeded_population(30, 8, 4)
    table, matches = frame(drawn), matches_of([("p1", "p2")])
    known = discover(table, matches, 6)
    for step in range(1, 5):
        drawn[step * 3] = seeded_population(1, 8, 100 + step)[0]
        table = frame(drawn)
        known = update(table, matches, 4, known=known, changed=[f"p{step * 3}"])
        expected = discover(table, matches, 4)
        assert known[known["rank"] <= 4][list(COLUMNS)].reset_index(drop=True).equals(expected[list(COLUMNS)])


def test_a_small_change_is_looked_at_alone() -> None:
    table, matches = frame(seeded_population(60, 8, 4)), matches_of([])
    known = discover(table, matches, 9)
    found = update(table, matches, 5, known=known, changed=["p7"])
    assert found.attrs["looked"].looked_at <= 59
    with pytest.raises(ValueError, match="policy wild"):
        update(table, matches, 5, "wild", known=known, changed=[])
