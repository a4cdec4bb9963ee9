"""`jv discover` as its users have it: the contract's CSV, held against scoring of every pair by the reference."""

import csv
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jv_assets.pipeline import candidate_store
from jv_scoring.reference import PairScore, score_pair
from jv_scoring.similarity import calibration_of
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from tests.support.models import MINILM
from tests.support.program import Program, removed_at_last

HEADER = ["profile_id", "candidate_id", "rank", "harmonic_mean", "score_ab", "score_ba", "accepted"]
GONE = "00000000-0000-4000-8000-00000000dead"
Scores = dict[tuple[str, str], PairScore]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A few profiles with embedded texts. Matches join a tenth of the pairs; one is of a profile with itself, and one
    names a profile that is gone.
    """
    with removed_at_last(tmp_path_factory.mktemp("discover") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("embed")
        some = min(str(name) for name in program.profiles())
        for place, other in enumerate((some, GONE), start=1):
            program.sql("INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) VALUES "
                        f"('00000000-0000-4000-8000-{place:012}', '{some}', '{other}')")  # fmt: skip
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
    done = program.succeeds("discover", "--top", "3", "--out", str(tmp_path / "best.csv"))
    rows = rows_of(tmp_path / "best.csv")
    assert lists_of(rows) == expected_lists(scores, 3)
    assert [row["profile_id"] for row in rows] == sorted(row["profile_id"] for row in rows)
    assert {row["accepted"] for row in rows} == {""}
    assert f"{len(rows):,} candidates of" in done.out
    assert program.versions() == before


def test_accepted_pairs_are_listed_from_both_sides_and_those_beyond_a_list_follow_it(
    program: Program, scores: Scores, tmp_path: Path
) -> None:
    program.succeeds("discover", "--top", "2", "--cap", "3", "--out", str(tmp_path / "spread.csv"))
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
    program.succeeds("discover", "--top", "2", "--ranges", "0,8", "--out", str(tmp_path / "some.csv"))
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


def test_with_more_asked_than_there_are_all_candidates_are_listed(
    program: Program, scores: Scores, tmp_path: Path
) -> None:
    program.succeeds("discover", "--top", "500", "--cap", "0", "--out", str(tmp_path / "all.csv"))
    rows = rows_of(tmp_path / "all.csv")
    assert lists_of(rows) == expected_lists(scores, 500)
    assert {row["accepted"] for row in rows} == {"false"}
    program.succeeds("discover", "--top", "1", "--cap", "500", "--out", str(tmp_path / "all.csv"))
    rows = rows_of(tmp_path / "all.csv")
    assert {(row["profile_id"], row["candidate_id"]) for row in rows} == set(scores)
    assert {row["accepted"] for row in rows} == {"true"}


def test_a_model_without_calibration_is_one_line(program: Program, tmp_path: Path) -> None:
    done = program.run("discover", "--top", "1", "--out", str(tmp_path / "none.csv"), JV_EMBEDDING_MODEL="no/model")
    assert done.code == 2
    assert "no/model" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "none.csv").exists()


def test_a_candidate_is_explained_by_its_two_ids(program: Program, scores: Scores) -> None:
    (a, b), score = next(iter(scores.items()))
    done = program.succeeds("explain", a, b)
    numbers = (score.score_ab, score.score_ba, score.harmonic_mean)
    assert re.search(r"score +│ +" + " │ +".join(f"{number:.2f}" for number in numbers), done.out)
    assert "no match joins these profiles" in done.out
    done = program.run("explain", a, GONE)
    assert (done.code, done.err) == (2, f"jv: no profile has the id {GONE}: it was deleted, or it never existed\n")


def stored(program: Program) -> dict[str, list[tuple[Any, ...]]]:
    lists: dict[str, list[tuple[Any, ...]]] = {}
    for row in program.sql("SELECT *, harmonic_mean::float8 AS value, score_ab::float8 AS ab, score_ba::float8 AS ba "
                           "FROM jv.match_candidates ORDER BY profile_id, rank"):  # fmt: skip
        candidate = (str(row["candidate_id"]), row["rank"], row["value"], row["ab"], row["ba"])
        lists.setdefault(str(row["profile_id"]), []).append(candidate)
    return lists


def die_in_the_second_partition() -> None:
    """As when the system kills the process, after the rows are written and before the transaction ends."""
    counted = candidate_store.require_count
    calls: list[str] = []

    def count(*words: Any) -> None:
        counted(*words)
        calls.append(words[2])
        if calls.count("kept") == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    candidate_store.require_count = count  # type: ignore[assignment]


def test_a_run_that_is_killed_leaves_whole_partitions_and_is_retried(
    program: Program, scores: Scores, tmp_path: Path
) -> None:
    program.succeeds("discover", "--top", "2", "--out", str(tmp_path / "first.csv"))
    program.succeeds("retry")
    before, after = expected_lists(scores, 2), expected_lists(scores, 3)
    assert stored(program) == before
    assert program.succeeds("retry").out == "No range has failed and none is left to do.\n"
    killed = program.run(
        "discover", "--top", "3", "--out", str(tmp_path / "none.csv"), first=die_in_the_second_partition
    )
    assert killed.code == -signal.SIGKILL
    assert not (tmp_path / "none.csv").exists()
    first = {name: rows for name, rows in after.items() if name[0] in "0123"}
    assert stored(program) == before | first
    program.succeeds("retry")
    assert stored(program) == after
    assert lists_of(rows_of(tmp_path / "none.csv")) == after
    assert program.succeeds("retry").out == "No range has failed and none is left to do.\n"
