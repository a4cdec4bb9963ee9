"""The program as a process: what it prints and exits with, what it leaves in the database, and what can stop it."""

import csv
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from jv_assets.assets.published_scores import AT_ONCE
from jv_assets.platform import postgres
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from tests.support.models import MINILM
from tests.support.program import KEYS, SECONDS, Done, Program, assert_scored, range_of, removed_at_last, scored
from tests.support.servers import free_port, pgbouncer
from tests.support.waiting import wait_until

TOO_LONG = f"[{'1' * 5000}]"
"""jv_history that jsonb holds and Python's json does not read."""
BLOCKED = "8"
"""The range in which tests hold up or break publishing: two come before it, one after it."""


# --- homes -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a small population in it, to be copied; its server is stopped."""
    home = tmp_path_factory.mktemp("loaded") / "home"
    with removed_at_last(home):
        done = Program(home).succeeds("load", "demo", "--profiles", "120", "--matches", "400")
        assert done.out == "Loaded 120 profiles and 400 matches. Next: jv nightly\n"
        postgres.stop(home / "postgres")
        yield home


@pytest.fixture(scope="module")
def scored_home(loaded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Done]]:
    """A home whose matches are scored, to be copied, and how that went; its server is stopped."""
    home = tmp_path_factory.mktemp("scored") / "home"
    with removed_at_last(copy(loaded_home, home)):
        program = Program(home)
        before = program.others()
        done = program.succeeds("rescore")
        assert program.others() == before
        postgres.stop(home / "postgres")
        yield home, done


@pytest.fixture(scope="module")
def shared(scored_home: tuple[Path, Done], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """For tests that write nothing."""
    home = tmp_path_factory.mktemp("shared") / "home"
    with removed_at_last(copy(scored_home[0], home)):
        yield Program(home)


@pytest.fixture
def loaded(loaded_home: Path, tmp_path: Path) -> Iterator[Program]:
    with removed_at_last(copy(loaded_home, tmp_path / "jv")) as home:
        yield Program(home)


@pytest.fixture
def rescored(scored_home: tuple[Path, Done], tmp_path: Path) -> Iterator[Program]:
    with removed_at_last(copy(scored_home[0], tmp_path / "jv")) as home:
        yield Program(home)


@pytest.fixture
def elsewhere(database_url: str, tmp_path: Path) -> Iterator[Program]:
    """On an empty database of another server than the home's."""
    with removed_at_last(tmp_path / "jv") as home:
        yield Program(home, {"JV_DATABASE_URL": database_url, "JV_EMBEDDING_MODEL": MINILM})


def copy(home: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", home, to], check=True)
    return to


@contextmanager
def held_up(program: Program) -> Iterator[None]:
    """Somebody else's transaction holds the matches of the last two ranges: two are published at a time."""
    with program.connect() as other, other.transaction():
        other.execute("SELECT FROM match_suggestions WHERE id::text >= '8' FOR UPDATE")
        yield


def waits_for_a_lock(program: Program, transactions: int = 1) -> bool:
    waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'jv' AND wait_event_type = 'Lock'"
    return len(program.sql(waiting)) == transactions


# --- wrong calls -----------------------------------------------------------------------------------------------------


def assert_one_line(done: Done, code: int = 2) -> str:
    """The one line on stderr."""
    assert done.out == ""
    assert re.fullmatch(r"jv: .+\n", done.err), done.err
    assert done.code == code
    return done.err


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("rescore --ranges zz", "--ranges zz: there is no range zz; there are 4: 0, 4, … c"),
        ("rescore --ranges 0,,4", "there is no range (empty)"),
        ("embed --ranges 00", "there is no range 00"),
        ("rescore --policy best", "--policy: policy best is unknown; use one of harmonic/impute, "),
        ("JV_POLICY=best rescore", "JV_POLICY: policy best is unknown"),
        ("JV_POLICY=best nightly", "JV_POLICY: policy best is unknown"),
        ("JV_POLICY=best retry", "JV_POLICY: policy best is unknown"),
        ("JV_POLICY=best demo", "JV_POLICY: policy best is unknown"),
        ("JV_ID_RANGES=7 status", "JV_ID_RANGES=7: set it to a power of two from 1 to 4096"),
        ("JV_EMBEDDING_MODEL=foo/bar rescore", "JV_EMBEDDING_MODEL: model foo/bar has no calibration"),
        ("score", "No such command 'score'"),
        ("rescore --resume", "No such option: --resume"),
        ("load", "Missing argument"),
        ("load demo --profiles many", "Invalid value for '--profiles'"),
        ("load demo --profiles 0", "ask for at least 1 profile"),
        ("load demo", "the table profiles has rows already, so nothing was loaded; load into an empty database"),
        ("load no/such/folder", "no/such/folder/profiles.csv: No such file or directory; the folder must hold"),
        ("demo", "the database holds other matches than the demo's: set JV_HOME to a new folder"),
        ("load some/folder --profiles 5", "--profiles goes with: jv load demo"),
    ],
)
def test_a_wrong_call(shared: Program, call: str, said: str) -> None:
    words = call.split()
    settings = dict(word.split("=") for word in words if word.startswith("JV_"))
    assert said in assert_one_line(shared.run(*words[len(settings) :], **settings))


def test_an_empty_list_of_ranges(shared: Program) -> None:
    assert "--ranges : there is no range (empty)" in assert_one_line(shared.run("rescore", "--ranges", ""))


def test_without_a_command_the_help(shared: Program) -> None:
    done = shared.run()
    assert (done.code, done.err) == (2, "")
    assert "rescore" in done.out
    assert shared.succeeds("--help").out.strip() == done.out.strip()


# --- a database that cannot be used ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["rescore", "load demo"])
@pytest.mark.parametrize(
    ("broken", "cause", "cure"),
    [
        ("nobody listens", "no connection to the database", "check JV_DATABASE_URL and that it runs"),
        ("wrong password", "password authentication failed", "check"),
        ("no database", "does not exist", "check"),
        ("no pgvector", "not yet in this database", "type: jv migrate"),
        ("no tables", "no table profiles and no table match_suggestions", "type: jv migrate"),
    ],
)
def test_a_database_that_cannot_be_used(elsewhere: Program, broken: str, cause: str, cure: str, command: str) -> None:
    canary = "canary-5f2b"
    url = make_url(elsewhere.settings["JV_DATABASE_URL"])
    if broken == "nobody listens":
        url = url.set(port=free_port(), password=canary)
    elif broken == "wrong password":
        url = url.set(password=canary)
    elif broken == "no database":
        url = url.set(database="absent")
    elif broken == "no tables":
        elsewhere.sql("CREATE EXTENSION vector")
    given = url.render_as_string(hide_password=False)
    line = assert_one_line(elsewhere.run(*command.split(), JV_DATABASE_URL=given))
    assert cause in line
    assert cure in line
    assert str(url.password) not in line
    assert elsewhere.sql("SELECT to_regclass('profiles') AS one, to_regnamespace('jv') AS two")[0] == {
        "one": None,
        "two": None,
    }


@pytest.mark.parametrize(
    ("table", "column", "cure"),
    [("match_suggestions", "match_context", "ALTER TABLE"), ("profiles", "jv_history", "put it back")],
)
def test_a_column_that_is_missing(elsewhere: Program, table: str, column: str, cure: str) -> None:
    elsewhere.succeeds("migrate")
    elsewhere.succeeds("load", "demo", "--profiles", "20", "--matches", "20")
    elsewhere.sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    before = elsewhere.versions()
    done = elsewhere.run("doctor")
    assert (done.code, done.err) == (2, "")
    assert f"error   tables: {table} has no column {column}" in done.out
    for command in ("rescore", "status"):
        line = assert_one_line(elsewhere.run(command))
        assert f"{table} has no column {column}" in line
        assert cure in line
        assert str(make_url(elsewhere.settings["JV_DATABASE_URL"]).password) not in line
    assert elsewhere.versions() == before


# --- migrate and load ------------------------------------------------------------------------------------------------


def write_csv(folder: Path, profiles: list[dict[str, str]], matches: list[dict[str, str]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in (("profiles", profiles), ("match_suggestions", matches)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return folder


A, B, MATCH = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "19e")
GOOD = (
    [
        {"id": A, "name": "Kelsol", "seeking": "authors, with a list", "jv_history": '[{"with": "Ümit"}]', "tags": ""},
        {"id": B, "name": "Öz", "seeking": "", "jv_history": "", "tags": '["a, b"]'},
    ],
    [{"id": MATCH, "profile_id": A, "suggested_profile_id": B, "match_score": "61.5"}],
)


def test_migrate_and_load_a_folder(elsewhere: Program, tmp_path: Path) -> None:
    assert elsewhere.succeeds("migrate").out.startswith("applied: pgvector")
    assert elsewhere.succeeds("migrate").out == "The database is up to date.\n"

    profiles = [GOOD[0][0], {**GOOD[0][1], "jv_history": "[1,"}, {**GOOD[0][1], "name": ""}]
    folder = write_csv(tmp_path / "csv", profiles, [{**GOOD[1][0], "profile_id": "7", "match_score": "much"}])
    done = elsewhere.run("load", folder)
    assert (done.code, done.out) == (2, "")
    *errors, last = done.err.splitlines()
    assert [error.split(": ")[0] for error in errors] == [
        "profiles.csv, line 3, column jv_history",
        "profiles.csv, line 4, column name",
        "profiles.csv, line 4, column id",
        "match_suggestions.csv, line 2, column profile_id",
        "match_suggestions.csv, line 2, column match_score",
    ]
    assert all(error.split(": ")[1] for error in errors)
    assert last == f"jv: 5 errors in {folder}; nothing was loaded"
    assert elsewhere.versions() == []

    assert elsewhere.succeeds("load", write_csv(folder, *GOOD)).out.startswith("Loaded 2 profiles and 1 matches.")
    select = "SELECT id::text, name, seeking, jv_history, tags FROM profiles ORDER BY id"
    assert [tuple(row.values()) for row in elsewhere.sql(select)] == [
        (A, "Kelsol", "authors, with a list", [{"with": "Ümit"}], None),
        (B, "Öz", None, None, ["a, b"]),
    ]
    assert [float(row["match_score"]) for row in elsewhere.sql("SELECT match_score FROM match_suggestions")] == [61.5]


# --- rescore ---------------------------------------------------------------------------------------------------------


def test_rescore_scores_every_match(shared: Program, scored_home: tuple[Path, Done]) -> None:
    assert_scored(shared)
    assert len(scored(shared.matches())) == 398
    cells = scored_home[1].cells
    assert cells["profiles"][:3] == ["4", "0", "120 rows"]
    assert cells["match_scores"][:3] == ["4", "0", "398 scored, 2 skipped"]
    assert cells["published_scores"][:3] == ["4", "0", "398 written"]


def test_a_second_rescore_writes_nothing(rescored: Program) -> None:
    before = rescored.versions()
    assert rescored.succeeds("rescore").cells["published_scores"][2] == "398 unchanged"
    assert rescored.versions() == before


def test_a_dry_run_says_what_it_would_write(rescored: Program) -> None:
    rescored.forget_scores("id::text < '4'")
    before = rescored.versions()
    missing = 398 - len(scored(rescored.matches()))
    what = rescored.succeeds("rescore", "--dry-run").cells["published_scores"][2]
    assert what == f"{missing} would be written, {398 - missing} unchanged"
    assert rescored.versions() == before


def test_only_missing(rescored: Program) -> None:
    rescored.forget_scores("id::text < '4'")
    rescored.sql("UPDATE match_suggestions SET harmonic_mean = 1.23 WHERE id::text > 'f' AND harmonic_mean IS NOT NULL")
    before = rescored.matches()
    rescored.succeeds("rescore", "--only-missing")
    after = rescored.matches()
    assert_scored(rescored, only={match_id for match_id in after if match_id[0] != "f"})
    assert {k for k in after if after[k] != before[k]} == scored(after) - scored(before)
    assert {after[k]["harmonic_mean"] for k in after if k[0] == "f"} <= {1.23, None}


def test_ranges_are_scored_alone(loaded: Program) -> None:
    """With as many ranges as there are by default."""
    loaded.succeeds("rescore", "--ranges", " 3C,00", JV_ID_RANGES="64")
    matches = loaded.matches()
    chosen = {match_id for match_id in matches if match_id[:2] in ("00", "01", "02", "03", "3c", "3d", "3e", "3f")}
    assert scored(matches) <= chosen
    assert len(scored(matches)) > 5
    assert_scored(loaded, only=chosen)


def test_another_policy(rescored: Program) -> None:
    """Is refused, unless on purpose; a retry goes on under the stored one."""
    before = rescored.versions()
    done = rescored.run("rescore", "--policy", "geometric/redistribute")
    assert done.code == 1
    assert "stored under harmonic/impute, and these were made under geometric/redistribute" in done.err
    assert "--switch-policy" in done.err
    assert rescored.versions() == before

    rescored.forget_scores("id::text < '4'")
    rescored.succeeds("retry")
    assert_scored(rescored)

    rescored.succeeds("rescore", "--policy", "geometric/redistribute", "--switch-policy")
    assert_scored(rescored, "geometric/redistribute")
    assert rescored.succeeds("status").cells.keys() >= {
        f"scored: geometric/redistribute, ismc_v2_embeddings, model {MINILM}"
    }


# --- ranges that fail ------------------------------------------------------------------------------------------------


def test_a_range_that_cannot_be_published(rescored: Program) -> None:
    rescored.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no write [/today]'; END $$;"
        "CREATE TRIGGER refuse BEFORE UPDATE ON match_suggestions FOR EACH ROW "
        f"WHEN (NEW.id::text LIKE '{BLOCKED}%' AND NEW.harmonic_mean IS NOT NULL) EXECUTE FUNCTION refuse()"
    )
    before = rescored.matches()
    rescored.forget_scores()
    done = rescored.run("rescore")
    assert done.code == 1
    first, last = done.err.splitlines()
    blocked = min(match_id for match_id in scored(before) if range_of(match_id) == BLOCKED)
    cause = f"row {blocked} of match_suggestions cannot be written: a function of the database, refuse, raised an error"
    assert first.startswith(f"published_scores failed in 1 range (8): {cause}")
    # Its words may quote a row.
    assert "no write" not in done.err
    assert last.endswith("jv retry")
    assert done.cells["published_scores"][:2] == ["3", "1"]
    matches = rescored.matches()
    assert {range_of(match_id) for match_id in scored(matches)} == {"0", "4", "c"}
    others = {match_id for match_id in matches if range_of(match_id) != BLOCKED}
    assert_scored(rescored, only=others)

    assert rescored.succeeds("rescore", "--dry-run").code == 0
    status = rescored.succeeds("status").out
    assert f"published_scores: failed in 1 range (8): {cause}" in status
    assert status.endswith("Next: jv retry\n")

    rescored.sql("DROP TRIGGER refuse ON match_suggestions")
    rescored.succeeds("retry")
    assert_scored(rescored)
    after = rescored.matches()
    assert {match_id: after[match_id] for match_id in others} == {match_id: matches[match_id] for match_id in others}
    *_, failed, dry, retried = rescored.runs()
    assert (failed.job, failed.status, failed.made["published_scores"]) == ("rescore", "FAILURE", ["0", "4", "c"])
    assert (dry.job, dry.status, sorted(dry.made)) == ("rescore", "SUCCESS", ["match_scores", "profiles"])
    assert (retried.job, retried.status) == ("nightly", "SUCCESS")
    assert retried.made["published_scores"] == [BLOCKED]
    assert {key for keys in retried.made.values() for key in keys} == {BLOCKED}
    assert rescored.succeeds("retry").out == "No range has failed and none is left to do.\n"


def test_profiles_that_cannot_be_read(loaded: Program) -> None:
    [broken] = loaded.sql("SELECT id::text, name, jv_history FROM profiles WHERE id::text > '4' ORDER BY id LIMIT 1")
    set_history(loaded, broken["id"], TOO_LONG)
    done = loaded.run("rescore", "--dry-run")
    assert done.code == 1
    assert done.err.splitlines()[-1] == "Once fixed, type it again"
    done = loaded.run("rescore")
    assert done.code == 1
    lines = done.err.splitlines()
    assert lines[0].startswith(
        f"profiles failed in 1 range (4): profiles.jv_history of {broken['id']} does not hold JSON: "
        "it has a whole number of more than 4,300 digits; correct it in the table"
    )
    assert "range 4 of profiles was never made" in lines[1]
    assert lines[-1].endswith("jv retry")
    assert scored(loaded.matches()) == set()

    set_history(loaded, broken["id"], json.dumps(broken["jv_history"]))
    loaded.succeeds("retry")
    assert_scored(loaded)
    made = [run.made for run in loaded.runs()]
    assert made[0] == {"profiles": ["0", "8", "c"]}
    assert made[-2:] == [{"profiles": ["4"]}, {"match_scores": KEYS, "published_scores": KEYS}]

    # from now on there are features of it, which do for the others
    set_history(loaded, broken["id"], TOO_LONG)
    loaded.forget_scores()
    done = loaded.run("rescore")
    assert done.code == 1
    assert len(done.err.splitlines()) == 2
    assert "profiles failed in 1 range (4)" in done.err
    assert len(scored(loaded.matches())) == 398
    assert "profiles: failed in 1 range (4): profiles.jv_history of " in loaded.succeeds("status").out

    # and what was scored by them is scored again when the range is read
    set_history(loaded, broken["id"], '["a", "b", "c"]')
    loaded.succeeds("retry")
    assert_scored(loaded)


def set_history(program: Program, profile_id: str, history: str) -> None:
    with program.connect() as connection:
        connection.execute("UPDATE profiles SET jv_history = %s::jsonb WHERE id = %s", [history, profile_id])


# --- what stops the program ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_in_the_middle(rescored: Program, number: signal.Signals) -> None:
    rescored.forget_scores()
    unscored = rescored.matches()
    with held_up(rescored):
        process = rescored.start("rescore")
        wait_until(lambda: waits_for_a_lock(rescored, AT_ONCE) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert (out, err) == (
            "",
            "jv: stopped; what was done is kept. To continue: jv retry, or the same command again\n",
        )
    before = rescored.matches()
    assert {range_of(match_id) for match_id in scored(before)} == {"0", "4"}

    status = rescored.succeeds("status").out
    assert "published_scores: failed in 4 ranges (0, 4, 8, c): " in status
    assert status.endswith("Next: jv retry\n")
    rescored.succeeds("retry")
    assert_scored(rescored)
    after = rescored.matches()
    assert after.keys() == unscored.keys()
    assert {k for k in after if after[k] != before[k]} == scored(after) - scored(before)
    *_, stopped, retried = rescored.runs()
    assert (stopped.job, stopped.status) == ("rescore", "CANCELED" if number == signal.SIGINT else "FAILURE")
    assert (retried.job, retried.status) == ("nightly", "SUCCESS")
    assert rescored.succeeds("retry").out == "No range has failed and none is left to do.\n"


def test_stopped_before_anything_was_done(shared: Program) -> None:
    with shared.connect() as other, other.transaction():
        other.execute("LOCK TABLE jv.alembic_version")  # the first that a command reads
        process = shared.start("rescore")
        wait_until(lambda: waits_for_a_lock(shared))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert (out, err) == ("", "jv: stopped; what was done is kept. To continue: jv retry, or the same command again\n")


def test_two_at_once(loaded: Program) -> None:
    """From the first start of the server on."""
    processes = [loaded.start("rescore") for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, err) == (0, "")
    assert_scored(loaded)
    assert [(run.job, run.status) for run in loaded.runs()] == [("rescore", "SUCCESS")] * 2
    assert loaded.succeeds("retry").out == "No range has failed and none is left to do.\n"


# --- status ----------------------------------------------------------------------------------------------------------


def test_status(rescored: Program) -> None:
    profiles = list(rescored.profiles().values())
    usable = [row for row in profiles if any(text_to_embed(row[name]) for name in EMBEDDED_FIELDS)]
    ours, other, *waiting = (row["id"] for row in usable)
    vector = "array_fill(0.5::float4, ARRAY[384])::vector"
    for profile_id, model in ((ours, MINILM), (other, "some/other")):
        rescored.sql(f"UPDATE profiles SET embedding_seeking = {vector}, embeddings_model = '{model}' "
                     f"WHERE id = '{profile_id}'")  # fmt: skip
    rescored.forget_scores("id::text < '1'")
    odd = '{"policy": "older/rules", "embedding_model": "[/odd]"}'
    rescored.sql("UPDATE match_suggestions SET match_context = match_context - 'policy' - 'embedding_model' "
                 "WHERE id::text >= 'e' AND id::text < 'f';"
                 f"UPDATE match_suggestions SET match_context = '{odd}' WHERE id::text >= 'f' "
                 "AND harmonic_mean IS NOT NULL")  # fmt: skip
    in_e, in_f = (sum(k.startswith(digit) for k in scored(rescored.matches())) for digit in "ef")
    waiting_matches = 398 - len(scored(rescored.matches()))
    done = rescored.succeeds("status")
    assert {name: int(cells[0]) for name, cells in done.cells.items() if cells[0].isdigit()} == {
        "embedded": 1,
        "under another model": 1,
        "skipped no text": len(profiles) - len(usable),
        "waiting": len(waiting),
        f"scored: harmonic/impute, ismc_v2_embeddings, model {MINILM}": 398 - waiting_matches - in_e - in_f,
        "scored: harmonic/impute (not named), ismc_v2_embeddings, model not named": in_e,
        "scored: written by another program": in_f,
        "no score: not yet scored": waiting_matches,
        "no score: profile gone": 1,
        "no score: matched with itself": 1,
        "together": 400,
    }
    assert f"\nmatches that can be scored and are not: {waiting_matches}\n" in done.out
    texts = sum(text_to_embed(row[name]) is not None for row in usable for name in EMBEDDED_FIELDS)
    assert f"\ntexts that wait to be embedded, new or edited: {texts - 1}\n" in done.out
    assert done.out.endswith("Next: jv nightly\n")


def test_doctor(shared: Program) -> None:
    findings = shared.succeeds("doctor").out.splitlines()
    assert len(findings) > 5
    assert {finding.split()[0] for finding in findings} == {"ok"}


# --- the whole -------------------------------------------------------------------------------------------------------


def test_behind_a_transaction_pooler(elsewhere: Program) -> None:
    with pgbouncer(elsewhere.settings["JV_DATABASE_URL"]) as through:
        program = Program(elsewhere.home, {**elsewhere.settings, "JV_DATABASE_URL": through})
        program.succeeds("migrate")
        program.succeeds("load", "demo", "--profiles", "120", "--matches", "400")
        before = program.others()
        assert program.succeeds("rescore").cells["published_scores"][2] == "398 written"
        assert_scored(program)
        assert program.others() == before
        assert program.succeeds("status").cells["together"] == ["400"]
        assert [(run.job, run.status) for run in program.runs()] == [("rescore", "SUCCESS")]


def test_nightly(tmp_path: Path) -> None:
    with removed_at_last(tmp_path / "jv") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "30", "--matches", "50")
        before = program.others()
        done = program.succeeds("nightly")
        assert_scored(program)
        assert program.others() == before
        for row in program.profiles().values():
            for name in EMBEDDED_FIELDS:
                assert (row[f"embedding_{name}"] is not None) == (text_to_embed(row[name]) is not None)
        contexts = [row["match_context"] for row in program.matches().values() if row["match_context"]]
        methods = [context["breakdown_ab"]["synergy"]["factors"][0]["method"] for context in contexts]
        assert methods.count("semantic") > 20
        embedded = re.search(r"(\d+) embedded texts", done.cells["profile_embeddings"][2])
        assert embedded

        versions = program.versions()
        done = program.succeeds("nightly")
        assert "embedded" not in done.cells["profile_embeddings"][2]
        assert done.cells["published_scores"][2] == f"{len(contexts)} unchanged"
        assert program.versions() == versions
        assert program.succeeds("embed", "--ranges", "8,0").cells["profile_embeddings"][0] == "2"
        assert program.versions() == versions
        jobs = ["nightly", "nightly", "embed", "embed"]  # ranges that are not neighbours take a run each
        assert [(run.job, run.status) for run in program.runs()] == [(job, "SUCCESS") for job in jobs]
