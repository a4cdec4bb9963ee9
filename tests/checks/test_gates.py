"""What stops a publish, what is verified after it, and what only warns: each seen to fail, and to pass."""

import re
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from jv_assets.automation.schedules import NIGHTLY
from jv_assets.checks.health import coverage, fallback_share, skew_of, skipped, skipped_share
from jv_assets.partitions import ID_RANGES
from tests.support.cuts import key_of
from tests.support.models import MINILM
from tests.support.pipelines import (
    Pipeline,
    assert_equal_to_reference,
    evaluations,
    failure,
    matches,
    nightly_done,
    versions,
)

KEYS = list(ID_RANGES.get_partition_keys())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Tests that change anything put it back."""
    with nightly_done(tmp_path_factory.mktemp("gates")) as pipeline:
        yield pipeline


def numbers(check: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in check.metadata.items()}


def test_after_a_good_run_every_check_is_green(whole: Pipeline) -> None:
    result = whole.run("nightly", NIGHTLY)
    found = evaluations(result)
    assert all(check.passed for check in found.values())
    assert numbers(found["nothing_left_null"]) == {"ranges": len(KEYS), "scorable_without_a_score": 0}
    assert numbers(found["reference_agrees"]) == {"compared": 20, "wrong": 0}
    scored = whole.sql("SELECT count(*) FROM match_suggestions WHERE harmonic_mean IS NOT NULL")[0]["count"]
    shift = numbers(found["no_distribution_shift"])
    assert shift == {"matches": scored, "mean_shift": 0, "spearman": pytest.approx(1), "reclassified": 0}


def test_a_shift_is_refused_until_it_is_accepted(whole: Pipeline) -> None:
    whole.sql("UPDATE match_suggestions SET harmonic_mean = harmonic_mean - 20 WHERE harmonic_mean >= 20")
    before = versions(whole)
    result = whole.run()
    assert not result.success
    assert versions(whole) == before
    line = failure(result)
    assert line.startswith("nothing was published: of ")
    assert "matches stored under the same policy and version, the mean moved by +20.00 points (at most 5)" in line
    assert line.endswith("fix the cause, or publish on purpose: the same command with --accept-shift")
    page = (whole.home / "reports" / "refused.html").read_text()
    assert str(whole.home / "reports" / "refused.html") in line
    assert re.search(r"Of [\d,]+ matches [\d,]+ score higher than before and 0 lower", page)
    warned = evaluations(result)["no_distribution_shift"]
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert whole.run(published_scores={"dry_run": True}).success
    assert versions(whole) == before
    assert whole.run(published_scores={"accept_shift": True}).success
    assert_equal_to_reference(whole)


def test_what_was_published_wrongly_is_found_by_the_reference(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def badly(*arguments: Any, **more: Any) -> Any:
        found = write(*arguments, **more)
        whole.sql("UPDATE match_suggestions SET score_ab = score_ab + 1 WHERE score_ab < 99")
        return found

    from jv_assets.assets import published_scores

    write = published_scores.publish_range
    monkeypatch.setattr("jv_assets.assets.published_scores.publish_range", badly)
    result = whole.run(first="8", last="c")
    monkeypatch.undo()
    assert not result.success
    check = evaluations(result)["reference_agrees"]
    assert not check.passed
    assert numbers(check)["wrong"] == numbers(check)["compared"] > 0
    assert str(check.description).startswith("stored scores of ")
    assert whole.run().success
    assert_equal_to_reference(whole)


def test_a_scorable_match_without_a_score_is_found(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = next(match["id"] for match in matches(whole) if match["match_context"])
    key = key_of(lost)

    def badly(*arguments: Any, **more: Any) -> Any:
        found = write(*arguments, **more)
        whole.sql(
            "UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, match_context = NULL "
            "WHERE id = :id",
            id=lost,
        )
        return found

    from jv_assets.assets import published_scores

    write = published_scores.publish_range
    monkeypatch.setattr("jv_assets.assets.published_scores.publish_range", badly)
    result = whole.run(first=key, last=key)
    monkeypatch.undo()
    assert not result.success
    check = evaluations(result)["nothing_left_null"]
    assert check.description == f"in {key} scorable matches have no score: type jv retry"
    assert numbers(check)["scorable_without_a_score"] == 1
    assert whole.run(first=key, last=key).success
    assert_equal_to_reference(whole)


def test_an_edited_profile_is_no_error_of_the_reference(whole: Pipeline) -> None:
    assert whole.run(assets=["match_scores"]).success
    whole.sql("UPDATE profiles SET list_size = coalesce(list_size, 0) + 54321")
    result = whole.run(assets=["published_scores"])
    assert result.success
    assert numbers(evaluations(result)["reference_agrees"])["compared"] == 0
    whole.sql("UPDATE profiles SET list_size = nullif(list_size - 54321, 0)")
    assert whole.run().success


def test_coverage_that_fell_warns_once(whole: Pipeline) -> None:
    assert whole.run(assets=["profiles"]).success
    whole.sql("ALTER TABLE profiles ADD COLUMN kept text")
    whole.sql("UPDATE profiles SET kept = current_projects, current_projects = NULL")
    fell = coverage(whole.files, KEYS)["active_projects"]
    result = whole.run(assets=["profiles"])
    assert result.success
    check = evaluations(result)["coverage_steady"]
    assert (check.passed, check.description) == (False, f"active_projects: {-fell:+.1%} of the profiles")
    assert evaluations(whole.run(assets=["profiles"]))["coverage_steady"].passed
    whole.sql("UPDATE profiles SET current_projects = kept")
    whole.sql("ALTER TABLE profiles DROP COLUMN kept")
    assert whole.run(assets=["profiles"]).success


def test_texts_that_say_nothing_to_a_model_warn(whole: Pipeline) -> None:
    whole.sql("ALTER TABLE profiles ADD COLUMN kept text")
    whole.sql(
        "UPDATE profiles SET kept = seeking, seeking = CASE WHEN id::text < '8' THEN 'n/a' ELSE '寻找合作伙伴' END"
    )
    check = evaluations(whole.run(assets=["profiles"]))["texts_meaningful"]
    shares = numbers(check)
    assert not check.passed
    assert 0.3 < shares["texts_without_content"] < 0.7
    assert 1 <= shares["texts_without_content"] + shares["texts_in_other_scripts"] < 1.1, "a profile may have both"
    assert f"texts_without_content: {shares['texts_without_content']:.1%} of the profiles" in str(check.description)
    whole.sql("UPDATE profiles SET seeking = kept")
    whole.sql("ALTER TABLE profiles DROP COLUMN kept")
    assert evaluations(whole.run(assets=["profiles"]))["texts_meaningful"].passed


def test_values_that_cannot_be_meant_are_listed_over_all_ranges(whole: Pipeline) -> None:
    """Also those of partitions that the run did not do."""
    whole.sql("CREATE TABLE kept AS SELECT id, list_size, audience_engagement_score, jv_history FROM profiles")
    before = numbers(evaluations(whole.run(assets=["profiles"]))["values_regular"])
    ids = [str(row["id"]) for row in whole.sql("SELECT id FROM profiles ORDER BY id")]
    odd = {ids[0]: "list_size = -5", ids[1]: "audience_engagement_score = 'NaN'", ids[-1]: "jv_history = '7'"}
    for profile, change in odd.items():
        whole.sql(f"UPDATE profiles SET {change} WHERE id = '{profile}'")
    assert whole.run(assets=["profiles"]).success
    check = evaluations(whole.run(assets=["profiles"], first=KEYS[1], last=KEYS[1]))["values_regular"]
    assert check.passed
    listed = {(row.data["profile"], row.data["field"]) for row in check.metadata["which"].records}
    assert {(profile, change.split(" ")[0]) for profile, change in odd.items()} <= listed
    found = numbers(check)
    assert found["profiles"] >= before["profiles"]
    assert found["jv_history_not_a_list"] >= 1
    whole.sql("UPDATE profiles SET list_size = -5")
    check = evaluations(whole.run(assets=["profiles"]))["values_regular"]
    assert (check.passed, check.description) == (False, "100.0%, more than 10%")
    assert len(check.metadata["which"].records) <= 100
    whole.sql(
        "UPDATE profiles p SET (list_size, audience_engagement_score, jv_history) = "
        "(k.list_size, k.audience_engagement_score, k.jv_history) FROM kept k WHERE k.id = p.id"
    )
    whole.sql("DROP TABLE kept")
    assert whole.run(assets=["profiles"]).success


def test_vectors_that_are_stale_or_odd_warn(whole: Pipeline) -> None:
    (row,) = whole.sql(
        "SELECT id::text, seeking, embedding_seeking::text AS vector FROM profiles "
        "WHERE length(seeking) > 20 AND embeddings_model = :model ORDER BY id LIMIT 1",
        model=MINILM,
    )
    whole.sql("UPDATE profiles SET seeking = 'a text that nobody has embedded yet' WHERE id = :id", id=row["id"])
    check = evaluations(whole.run())["embeddings_current"]
    assert (check.passed, check.description) == (False, "1 texts have no vector, or an older text's: type jv embed")
    whole.sql("UPDATE profiles SET seeking = :seeking WHERE id = :id", seeking=row["seeking"], id=row["id"])
    set_vector = "UPDATE profiles SET embedding_seeking = CAST(:vector AS vector) WHERE id = :id"
    twice = "[" + ",".join(str(2 * float(number)) for number in row["vector"].strip("[]").split(",")) + "]"
    whole.sql(set_vector, vector=twice, id=row["id"])
    # Else it would be noticed as overwritten, and embedded again.
    whole.sql("UPDATE jv.embedded_texts SET vector_hash = NULL WHERE profile_id = :id", id=row["id"])
    check = evaluations(whole.run("nightly", ["profile_embeddings"]))["unit_vectors"]
    assert (check.passed, check.description) == (False, "1 vectors are not of length 1: something else wrote them")
    whole.sql(
        "UPDATE profiles SET embedding_seeking = CAST(:v AS vector) WHERE id = :id", v=row["vector"], id=row["id"]
    )
    assert whole.run().success


@pytest.mark.parametrize("rows", [10, 1])
def test_shares_of_ranges_are_of_all_of_them_together(rows: int) -> None:
    metadata = {
        "0": {"rows": 2 * rows, "semantic": 6, "word_overlap": 2, "skipped": {"x": "profile gone"}},
        "1": {"rows": 0, "semantic": 0, "word_overlap": 0, "skipped": {}},
    }
    assert fallback_share(metadata) == 0.25
    assert skipped_share(metadata) == 1 / (2 * rows)
    assert skew_of(metadata) == (2 if rows == 10 else None)
    table = skipped(metadata)
    assert table
    assert [record.data for record in table.records] == [{"match": "x", "range": "0", "why": "profile gone"}]
    assert skipped({}) is None
    assert (fallback_share({}), skipped_share({}), skew_of({})) == (None, None, None)
