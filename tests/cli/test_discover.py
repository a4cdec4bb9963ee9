"""`jv discover` as its users have it: the contract's CSV, held against scoring of every pair by the reference."""

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jv_scoring.reference import PairScore, score_pair
from jv_scoring.similarity import calibration_of
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from tests.support.models import MINILM
from tests.support.program import Program, removed_at_last

HEADER = ["profile_id", "candidate_id", "rank", "harmonic_mean", "score_ab", "score_ba", "accepted"]
Scores = dict[tuple[str, str], PairScore]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A few profiles with embedded texts, of which a tenth are joined by matches."""
    with removed_at_last(tmp_path_factory.mktemp("discover") / "home") as home:
        program = Program(home)
        program.well("load", "demo", "--profiles", "40", "--matches", "80")
        program.well("embed")
        yield program


@pytest.fixture(scope="module")
def scores(program: Program) -> Scores:
    """Every candidate pair, from both its sides."""
    profiles = {str(name): profile for name, profile in program.profiles().items()}
    usable = [name for name, profile in profiles.items() if any(text_to_embed(profile[of]) for of in EMBEDDED_FIELDS)]
    joined = {
        frozenset((str(row["profile_id"]), str(row["suggested_profile_id"]))) for row in program.matches().values()
    }
    return {
        (a, b): score_pair(profiles[a], profiles[b], calibration=calibration_of(MINILM))
        for a in usable
        for b in usable
        if a != b and frozenset((a, b)) not in joined
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert reader.fieldnames == HEADER
    return rows


def expected_lists(scores: Scores, top: int) -> dict[str, list[tuple[Any, ...]]]:
    lists: dict[str, list[tuple[Any, ...]]] = {}
    for (a, b), score in sorted(scores.items(), key=lambda pair: (pair[0][0], -pair[1].harmonic_mean, pair[0][1])):
        if len(lists.setdefault(a, [])) < top:
            lists[a].append((b, len(lists[a]) + 1, score.harmonic_mean, score.score_ab, score.score_ba))
    return lists


def lists_of(rows: list[dict[str, str]]) -> dict[str, list[tuple[Any, ...]]]:
    lists: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        if row["rank"]:
            numbers = (float(row[name]) for name in HEADER[3:6])
            lists.setdefault(row["profile_id"], []).append((row["candidate_id"], int(row["rank"]), *numbers))
    return lists


def accepted_pairs(scores: Scores, cap: int) -> set[frozenset[str]]:
    room: Counter[str] = Counter()
    accepted = set()
    for a, b in sorted((pair for pair in scores if pair[0] < pair[1]), key=lambda p: (-scores[p].harmonic_mean, p)):
        if room[a] < cap and room[b] < cap:
            room.update((a, b))
            accepted.add(frozenset((a, b)))
    return accepted


def test_the_best_candidates_are_those_of_scoring_every_pair(program: Program, scores: Scores, tmp_path: Path) -> None:
    before = program.versions()
    done = program.well("discover", "--top", "3", "--out", str(tmp_path / "best.csv"))
    rows = rows_of(tmp_path / "best.csv")
    assert lists_of(rows) == expected_lists(scores, 3)
    assert [row["profile_id"] for row in rows] == sorted(row["profile_id"] for row in rows)
    assert {row["accepted"] for row in rows} == {""}
    assert f"{len(rows):,} candidates of" in done.out
    assert program.versions() == before


def test_accepted_pairs_are_listed_from_both_sides_and_those_beyond_a_list_follow_it(
    program: Program, scores: Scores, tmp_path: Path
) -> None:
    program.well("discover", "--top", "2", "--cap", "3", "--out", str(tmp_path / "spread.csv"))
    rows = rows_of(tmp_path / "spread.csv")
    accepted = accepted_pairs(scores, 3)
    found = Counter(frozenset((row["profile_id"], row["candidate_id"])) for row in rows if row["accepted"] == "true")
    assert found == Counter(dict.fromkeys(accepted, 2))
    assert lists_of(rows) == expected_lists(scores, 2)
    beyond = [row for row in rows if not row["rank"]]
    assert beyond
    assert {row["accepted"] for row in beyond} == {"true"}
    for first, second in pairwise(rows):
        if first["profile_id"] == second["profile_id"] and not first["rank"]:
            assert not second["rank"]


def test_ranges_give_the_lists_of_their_profiles(program: Program, scores: Scores, tmp_path: Path) -> None:
    program.well("discover", "--top", "2", "--ranges", "0,8", "--out", str(tmp_path / "some.csv"))
    chosen = {name: rows for name, rows in expected_lists(scores, 2).items() if name[0] in "012389ab"}
    assert lists_of(rows_of(tmp_path / "some.csv")) == chosen


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--top", "0"], "--top 0: ask for 1 candidate or more"),
        (["--top", "1", "--cap", "-1"], "--cap -1: give 0 or more"),
        (["--top", "1", "--policy", "wild"], "--policy: policy wild is unknown"),
        (["--top", "1", "--ranges", "7"], "--ranges 7: there is no range 7"),
    ],
)
def test_what_cannot_be_found_is_one_line(program: Program, tmp_path: Path, words: list[str], cause: str) -> None:
    done = program.run("discover", *words, "--out", str(tmp_path / "none.csv"))
    assert done.code == 2
    assert cause in done.err
    assert not (tmp_path / "none.csv").exists()
