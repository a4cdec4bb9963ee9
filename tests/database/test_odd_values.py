"""Values and tables as they are elsewhere: numbers beyond Python, JSON beyond jsonb, and no row at all."""

from collections.abc import Callable

import pytest

from jv_assets.automation.schedules import NIGHTLY, REPORTS, RESCORE
from jv_assets.pipeline.matches.stored_rules import refuse_other_rules
from jv_assets.pipeline.undo import kept_runs, undo_range
from jv_assets.reports.exporting import top_matches
from jv_assets.setup.status import count_older, count_waiting_texts, read_status
from tests.support.models import MINILM
from tests.support.odd import SCORED, TEMPLATE, Odd, Outcome, assert_right, assert_settled, first_profile
from tests.support.pipelines import KEYS, evaluations, failure

DIGITS = "9" * 5_000
ONE = "id = (SELECT min(id::text)::uuid FROM profiles)"
TOO_LONG = "does not hold JSON: it has a whole number of more than 4,300 digits; correct it in the table"
NO_PROFILE = "there is no profile any more"
UNREADABLE = r"does not hold JSON that can be read: it has \u0000 or half a surrogate pair; correct it in the table"


@pytest.mark.parametrize("column", ["jv_history", "content_platforms"])
def test_a_number_of_5000_digits_that_scoring_reads(odd_database: Callable[..., Odd], column: str) -> None:
    odd = odd_database()
    odd.change(f"UPDATE profiles SET {column} = '[{{\"n\": {DIGITS}}}]' WHERE {ONE}")
    assert odd.errors() == []
    outcome = odd.command("rescore")
    assert outcome == Outcome(1, outcome.line)
    assert f"1 of {len(KEYS)} ranges of profiles failed" in outcome.line
    assert f"profiles.{column} of {first_profile()} {TOO_LONG}" in outcome.line
    odd.change(f"UPDATE profiles SET {column} = NULL WHERE {ONE}")
    assert odd.command("rescore") == Outcome(0)
    assert assert_right(odd, lambda row: row | ({column: None} if row["id"] == first_profile() else {})) > 120


def test_numbers_of_5000_digits_that_nothing_reads(odd_database: Callable[..., Odd]) -> None:
    """A trigger has each row compared before and after, whatever it holds."""
    odd = odd_database(SCORED)
    odd.change(f"UPDATE profiles SET enrichment_metadata = '{{\"n\": {DIGITS}}}', embedding_seeking = NULL WHERE {ONE}")
    context = f'{{"n": {DIGITS}, "breakdown_ab": {DIGITS}}}'
    odd.change(f"UPDATE match_suggestions SET match_context = '{context}' WHERE score_ab >= 0")
    odd.change("CREATE FUNCTION looks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
    odd.change("CREATE TRIGGER looks BEFORE UPDATE ON profiles FOR EACH ROW EXECUTE FUNCTION looks()")
    assert odd.command("nightly") == Outcome(0)
    assert assert_right(odd) > 120
    assert_settled(odd, "nightly")


@pytest.mark.parametrize("number", ["1e-400", "1e400", "'NaN'"])
def test_stored_numbers_that_no_double_holds(odd_database: Callable[..., Odd], number: str) -> None:
    """Another program's scores, in columns of type numeric: they are logged, compared, replaced and put back."""
    odd = odd_database(SCORED)
    odd.change("ALTER TABLE match_suggestions ALTER score_ab TYPE numeric, ALTER harmonic_mean TYPE numeric")
    odd.change(
        f"UPDATE match_suggestions SET score_ab = {number}, harmonic_mean = {number} WHERE score_ab > 0 "
        f"AND id >= 'c0000000-0000-0000-0000-000000000000'"
    )
    odd.change("TRUNCATE jv.score_log_seeded, jv.score_log_base, jv.score_log_rows")
    stored = odd.rows(_STORED)
    assert odd.errors() == []
    assert read_status(odd.database, MINILM).foreign > 10
    assert len(top_matches(odd.database, 5).rows) == 5
    assert odd.command("nightly", published_scores={"accept_shift": True}) == Outcome(0)
    assert assert_right(odd) > 120
    assert odd.run("report", REPORTS).success
    undo(odd)
    assert odd.rows(_STORED) == stored


def test_a_breakdown_that_no_double_holds(odd_database: Callable[..., Odd]) -> None:
    """It names no policy, so that it is to be told by its numbers; another one's name is longer than an index takes."""
    odd = odd_database(SCORED)
    tiny = "jsonb_set(match_context - 'policy', '{breakdown_ab,intent,score}', '1e-400')"
    long = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300) AS n)"
    renamed = f"match_context || jsonb_build_object('policy', {long})"
    odd.change(
        "UPDATE match_suggestions SET match_context = CASE "
        f"WHEN id < 'c0000000-0000-0000-0000-000000000000' THEN {tiny} ELSE {renamed} END WHERE score_ab > 0"
    )
    odd.change("TRUNCATE jv.score_log_seeded, jv.score_log_base, jv.score_log_rows")
    assert read_status(odd.database, MINILM).other_rules("harmonic/impute") > 120
    outcome = odd.command("rescore")
    assert outcome.code == 1
    assert outcome.line.endswith("replace all on purpose by: jv rescore --policy harmonic/impute --switch-policy")
    stored = odd.rows(_STORED)
    assert odd.command("rescore", published_scores={"switch_policy": True}) == Outcome(0)
    assert assert_right(odd) > 120
    undo(odd)
    assert odd.rows(_STORED) == stored


def undo(odd: Odd) -> None:
    """Put back what the last run replaced."""
    run = kept_runs(odd.database)[0]
    for key in KEYS:
        undo_range(odd.database, odd.files.cut.matches.bounds(key), run.run_id, "own")


@pytest.mark.parametrize("number", ["'Infinity'", "1e300", "'NaN'"])
def test_scores_of_the_older_matcher_that_are_none(odd_database: Callable[..., Odd], number: str) -> None:
    odd = odd_database(SCORED)
    odd.change("ALTER TABLE match_suggestions ALTER match_score TYPE double precision")
    odd.change(f"UPDATE match_suggestions SET match_score = {number} WHERE id < '80000000-0000-0000-0000-000000000000'")
    assert odd.command("nightly") == Outcome(0)
    assert assert_right(odd) > 120
    assert odd.run("report", REPORTS).success


_STORED = (
    "SELECT id, score_ab::text, score_ba::text, harmonic_mean::text, match_context FROM match_suggestions ORDER BY 1"
)


@pytest.mark.parametrize("value", [r"\u0000", r"\ud800", r"\udc00 \ud83d\ude00"])
def test_json_that_jsonb_cannot_hold(odd_database: Callable[..., Odd], value: str) -> None:
    """It is the first score of its range, by which the rules of a range are told when others are published."""
    odd = odd_database(SCORED)
    odd.change("ALTER TABLE match_suggestions ALTER match_context TYPE json")
    [(bad,)] = odd.rows("SELECT min(id::text) FROM match_suggestions WHERE harmonic_mean IS NOT NULL")
    odd.change(f"UPDATE match_suggestions SET match_context = '{{\"policy\": \"x{value}\"}}' WHERE id = '{bad}'")
    odd.change(f"UPDATE match_suggestions SET score_ab = NULL, harmonic_mean = NULL WHERE id > '{bad}'")
    assert odd.errors() == []
    outcome = odd.command("rescore")
    assert outcome == Outcome(1, outcome.line)
    assert f"1 of {len(KEYS)} ranges of match_scores failed" in outcome.line
    assert f"match_suggestions.match_context of {bad} {UNREADABLE}" in outcome.line
    # What reads all ranges goes on.
    status = read_status(odd.database, MINILM)
    assert status.foreign == 1
    assert count_older(odd.database, MINILM) == 0
    assert bad in set(top_matches(odd.database, 1_000).rows["id"])
    refuse_other_rules(odd.database, odd.files, KEYS[1:])
    result = odd.run("rescore", RESCORE[1:], KEYS[1], KEYS[-1])
    assert result.success, failure(result)
    odd.change(f"UPDATE match_suggestions SET match_context = NULL WHERE id = '{bad}'")
    assert odd.command("rescore") == Outcome(0)
    assert assert_right(odd) > 120


def test_json_with_escapes_that_jsonb_holds(odd_database: Callable[..., Odd]) -> None:
    """A pair of surrogates, and a backslash before the letters u0000."""
    odd = odd_database(SCORED)
    odd.change("ALTER TABLE match_suggestions ALTER match_context TYPE json")
    context = r'{"policy": "\ud83d\ude00 \\u0000 \\\\ud800"}'
    odd.change(f"UPDATE match_suggestions SET match_context = '{context}' WHERE score_ab >= 0")
    assert odd.command("rescore", published_scores={"switch_policy": True}) == Outcome(0)
    assert assert_right(odd) > 120


@pytest.mark.parametrize("template", [TEMPLATE, SCORED])
@pytest.mark.parametrize("has_files", [False, True])
def test_no_profile_is_left(odd_database: Callable[..., Odd], template: str, has_files: bool) -> None:
    odd = odd_database(template)
    if has_files:
        assert odd.command("nightly") == Outcome(0)
    odd.change("TRUNCATE profiles")
    before = odd.written()
    for number in range(2):
        result = odd.run("nightly", NIGHTLY)
        assert result.success, failure(result)
        checks = evaluations(result)
        assert checks["coverage_steady"].description == (NO_PROFILE if has_files and not number else None)
    assert odd.run("report", REPORTS).success
    assert odd.written() == before
    status = read_status(odd.database, MINILM)
    assert status.profiles == dict.fromkeys(status.profiles, 0)
    assert (status.waiting, status.scored, status.foreign) == (0, {}, 0)
    assert sum({**status.once, **status.null}.values()) > 0
    assert status.once.get("profile gone", 0) + status.null.get("profile gone", 0) == status.matches - self_matches(odd)
    assert count_older(odd.database, MINILM) == 0
    assert count_waiting_texts(odd.database, MINILM) == 0
    assert list(top_matches(odd.database, 5).rows["id"]) == []


def self_matches(odd: Odd) -> int:
    """Those of a profile with itself; of a profile that is gone they are told to be that."""
    status = read_status(odd.database, MINILM)
    return status.once.get("matched with itself", 0) + status.null.get("matched with itself", 0)


@pytest.mark.parametrize("has_files", [False, True])
@pytest.mark.parametrize("tables", ["match_suggestions", "match_suggestions, profiles"])
def test_no_match_is_left(odd_database: Callable[..., Odd], tables: str, has_files: bool) -> None:
    odd = odd_database(SCORED)
    if has_files:
        assert odd.command("nightly") == Outcome(0)
    odd.change(f"TRUNCATE {tables}")
    for _ in range(2):
        assert odd.command("nightly") == Outcome(0)
    assert odd.run("report", REPORTS).success
    status = read_status(odd.database, MINILM)
    assert (status.matches, status.scored, status.null, status.once) == (0, {}, {}, {})
    assert list(top_matches(odd.database, 5).rows["id"]) == []
