"""Which rules made a stored score, whoever wrote it, and what becomes of matches that can never be scored again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jv_assets.automation.sensors import new_matches
from jv_assets.cli.console import out, show_status
from jv_assets.errors import UserError
from jv_assets.explain import explain
from jv_assets.pipeline.matches.match_states import context_of, fits
from jv_assets.reports.exporting import top_matches
from jv_assets.setup.status import NOT_YET, Status, read_status
from jv_scoring.policy import POLICIES
from jv_scoring.reference import score_pair
from jv_scoring.similarity import calibration_of
from tests.support.cuts import bounds, key_of
from tests.support.models import MINILM
from tests.support.pipelines import (
    KEYS,
    Pipeline,
    assert_equal_to_reference,
    concerned,
    failure,
    matches,
    nightly_done,
    profiles_by_id,
    tick,
)

NAMED = ("harmonic/impute", "ismc_v2_embeddings", MINILM)
WRITE = """
    UPDATE match_suggestions SET score_ab = :ab, score_ba = :ba, harmonic_mean = :both,
        match_context = CAST(:context AS jsonb) WHERE id = :id
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("rules")) as pipeline:
        yield pipeline


@pytest.fixture
def mended(whole: Pipeline) -> Iterator[Pipeline]:
    """Afterwards every score is ours again, so that the tests can follow each other."""
    yield whole
    assert whole.run(published_scores={"switch_policy": True, "accept_shift": True}).success
    assert_equal_to_reference(whole)


def scored_ids(pipeline: Pipeline, count: int) -> list[str]:
    return [row["id"] for row in matches(pipeline) if row["match_context"]][:count]


def write_under(pipeline: Pipeline, match_ids: list[str], policy: str, **stamp: str) -> None:
    """Write the reference's scores of a policy, as another engine of the platform does: with no name but `stamp`."""
    profiles, rows = profiles_by_id(pipeline), {row["id"]: row for row in matches(pipeline)}
    for match_id in match_ids:
        row = rows[match_id]
        pair = score_pair(profiles[row["a"]], profiles[row["b"]], policy, calibration_of(MINILM))
        context = {"breakdown_ab": pair.breakdown_ab, "breakdown_ba": pair.breakdown_ba} | stamp
        pipeline.sql(
            WRITE, id=match_id, ab=pair.score_ab, ba=pair.score_ba, both=pair.harmonic_mean, context=json.dumps(context)
        )


def fits_of(pipeline: Pipeline) -> dict[str, str | None]:
    select = f"SELECT m.id::text, {fits('m')} AS fits FROM match_suggestions m {context_of('m')}"
    return {row["id"]: row["fits"] for row in pipeline.sql(select)}


def test_the_policy_is_told_by_the_breakdown(mended: Pipeline) -> None:
    ids = scored_ids(mended, 40)
    for policy in POLICIES:
        write_under(mended, ids, policy)
        found = [str(fits_of(mended)[match_id]).split(",") for match_id in ids]
        assert all(policy in names for names in found)
        told_apart = [names for names in found if len(names) == 1]  # those in which data are missing
        assert told_apart == [[policy]] * len(told_apart)
        assert len(told_apart) > 20
        aggregation, _ = policy.split("/")
        assert all({name.split("/")[0] for name in names} == {aggregation} for names in found)


ODD: list[Any] = [
    [1, {"breakdown_ab": {}}],
    {},
    {"breakdown_ab": "high", "breakdown_ba": [1, 2]},
    {f"breakdown_{of}": {"intent": {"score": "high"}} for of in ("ab", "ba")},
    {"policy": "harmonic/impute", "breakdown_ab": {"intent": 5}},
]


def test_what_others_wrote_raises_no_error(mended: Pipeline) -> None:
    (match_id,) = scored_ids(mended, 1)
    dimensions = {name: {"score": 5} for name in ("intent", "synergy", "momentum")}
    huge = {"breakdown_ab": dimensions | {"context": {"score": 10**400}}, "breakdown_ba": dimensions}
    for context in [*ODD, huge]:
        for ab, ba, both in (("NaN", None, 50), (50, 50, "NaN"), (50, 50, 50)):
            mended.sql(WRITE, id=match_id, ab=ab, ba=ba, both=both, context=json.dumps(context))
            assert fits_of(mended)[match_id] is None
            assert read_status(mended.database, MINILM).foreign == 1


def test_scores_of_the_platforms_engine_are_refused_until_they_are_switched_on_purpose(mended: Pipeline) -> None:
    before = read_status(mended.database, MINILM)
    ids = scored_ids(mended, 30)
    write_under(mended, ids, "geometric/impute", scoring_version="ismc_v2_embeddings")
    stored = matches(mended)
    status = read_status(mended.database, MINILM)
    label = "geometric/impute (not named)"
    assert status.scored == {NAMED: before.scored[NAMED] - 30, (label, NAMED[1], "not named"): 30}
    assert status.other_rules("harmonic/impute") == 30
    for config in ({}, {"only_missing": True}):
        result = mended.run(published_scores=config)
        assert failure(result) == (
            "scores are stored under geometric/impute, and these were made under harmonic/impute: "
            "replace all on purpose by: jv rescore --policy harmonic/impute --switch-policy"
        )
    assert matches(mended) == stored
    assert explain(mended.database, MINILM, ids[0]).notes[0] == (
        "the stored score names no policy: it is taken for geometric/impute, under which its breakdown adds up"
    )
    assert mended.run(published_scores={"switch_policy": True}).success
    assert_equal_to_reference(mended)


def test_scores_that_no_policy_of_ours_makes_are_other_rules(mended: Pipeline) -> None:
    ids = scored_ids(mended, 5)
    write_under(mended, ids, "geometric/impute")
    mended.sql("UPDATE match_suggestions SET harmonic_mean = 77.77 WHERE id = ANY(CAST(:ids AS uuid[]))", ids=ids)
    assert read_status(mended.database, MINILM).scored["other rules", "none", "not named"] == 5
    said = "scores are stored under other rules, and these were made under harmonic/impute: replace all on purpose"
    assert failure(mended.run()).startswith(said)
    top = top_matches(mended.database, 5).rows
    assert top["policy"].tolist() == ["other rules"] * 5


# By what another program left behind. Texts of JSON are quoted for a driver that takes a : for a parameter.
FOREIGN = {
    "no context": "match_context = NULL, harmonic_mean = 12.34",
    "an empty context": "match_context = '{}', score_ab = 1, score_ba = 1, harmonic_mean = 1",
    "a context that is no object": "match_context = '[\"ours\"]'",
    "a context of its own": """match_context = '{"by"\\: "platform"}', harmonic_mean = 88""",
    "no breakdowns": "match_context = match_context - 'breakdown_ab' - 'breakdown_ba'",
    "one breakdown": "match_context = match_context - 'breakdown_ba'",
    "a breakdown that is null": """match_context = match_context || '{"breakdown_ab"\\: null}'""",
    "no score of one direction": "score_ab = NULL",
    "scores changed by hand": "score_ab = 90, score_ba = 90, harmonic_mean = 90",
    "one score changed by hand": "harmonic_mean = harmonic_mean + 0.05",
    "a dimension changed by hand": "match_context = jsonb_set(match_context, '{breakdown_ab,intent,score}', '1')",
}


def test_what_another_program_wrote_is_counted_and_mended(mended: Pipeline) -> None:
    ids = scored_ids(mended, 3 * len(FOREIGN))
    for number, (name, change) in enumerate(FOREIGN.items(), start=1):
        some = ids[3 * number - 3 : 3 * number]
        mended.sql(f"UPDATE match_suggestions SET {change} WHERE id = ANY(CAST(:ids AS uuid[]))", ids=some)
        assert read_status(mended.database, MINILM).foreign == 3 * number, name
        assert explain(mended.database, MINILM, some[0]).notes, name
    status = read_status(mended.database, MINILM)
    assert (status.matches, status.other_rules("harmonic/impute"), status.waiting) == (900, 0, 0)
    result = mended.run(published_scores={"only_missing": True})
    assert result.success
    assert mended.total("published_scores", result.run_id, "kept") == len(ids)
    result = mended.run()
    assert result.success
    assert mended.total("published_scores", result.run_id, "written") == len(ids)
    assert read_status(mended.database, MINILM).foreign == 0
    assert_equal_to_reference(mended)


def test_new_matches_with_a_score_of_another_program_are_not_missed(mended: Pipeline) -> None:
    first, second = scored_ids(mended, 2)
    mended.sql("UPDATE match_suggestions SET suggested_at = '2030-01-01' WHERE id = :id", id=second)
    mended.sql(
        "UPDATE match_suggestions SET suggested_at = '2030-01-01', harmonic_mean = 50, match_context = NULL "
        "WHERE id = :id",
        id=first,
    )
    found = mended.sql(_new(), since="2029-12-31", until="2030-01-02")
    assert [row["id"] for row in found] == [first]
    mended.sql("UPDATE match_suggestions SET suggested_at = now() - interval '5 min' WHERE id = :id", id=first)
    data, _ = tick(mended, new_matches, "2020-01-01")
    assert key_of(first) in concerned(data)


def _new() -> str:
    from jv_assets.automation import sensors

    return sensors._NEW


def switch_first_range(pipeline: Pipeline) -> None:
    done = pipeline.run(
        first=KEYS[0],
        last=KEYS[0],
        match_scores={"policy": "geometric/impute"},
        published_scores={"switch_policy": True},
    )
    assert done.success


def test_after_a_switch_of_a_part_every_cure_that_is_named_works(mended: Pipeline) -> None:
    switch_first_range(mended)
    stored = matches(mended)
    for first, last in ((KEYS[0], KEYS[-1]), (KEYS[1], KEYS[-1])):
        said = failure(mended.run(first=first, last=last))
        assert said == (
            "scores are stored under geometric/impute, and these were made under harmonic/impute: "
            "replace all on purpose by: jv rescore --policy harmonic/impute --switch-policy"
        )
    said = failure(mended.run(match_scores={"policy": "geometric/impute"}))
    assert said.endswith("replace all on purpose by: jv rescore --policy geometric/impute --switch-policy")
    assert matches(mended) == stored
    geometric = {"match_scores": {"policy": "geometric/impute"}}
    assert mended.run(**geometric, published_scores={"switch_policy": True}).success
    assert_equal_to_reference(mended, "geometric/impute")
    assert mended.run(**geometric).success
    assert failure(mended.run()).startswith(
        "scores are stored under geometric/impute, and these were made under harmonic/impute: score under the stored "
        "policy, or replace all on purpose by: jv rescore --policy harmonic/impute --switch-policy"
    )


def test_another_version_is_refused_until_it_is_switched_on_purpose(mended: Pipeline) -> None:
    low, high = bounds(KEYS[1])
    mended.sql(
        """UPDATE match_suggestions SET match_context = match_context || '{"scoring_version"\\: "ismc_v1"}'
        WHERE id BETWEEN :low AND :high AND harmonic_mean IS NOT NULL""",
        low=low,
        high=high,
    )
    for first, last in ((KEYS[0], KEYS[0]), (KEYS[0], KEYS[-1])):
        assert failure(mended.run(first=first, last=last)) == (
            "scores are stored under harmonic/impute of ismc_v1, and these were made under harmonic/impute of "
            "ismc_v2_embeddings: replace all on purpose by: jv rescore --policy harmonic/impute --switch-policy"
        )
    assert mended.run(published_scores={"switch_policy": True}).success
    assert read_status(mended.database, MINILM).other_rules("harmonic/impute") == 0


def test_the_status_says_what_to_type() -> None:
    scored = {("harmonic/impute", "ismc_v2_embeddings", MINILM): 5, ("other rules", "none", "not named"): 2}
    status = Status({"embedded": 3}, 14, {NOT_YET: 1}, scored, foreign=4, once={"profile gone": 2})
    with out.capture() as captured:
        show_status(status, model=MINILM, policy="harmonic/impute", older=0, texts=0, left={}, going_on=[])
    shown = captured.get()
    assert "scored once, profile gone" in shown
    assert "scored: written by another program" in shown
    assert "scores that another program wrote or changed: 4\n" in shown
    assert (
        "scores of other rules than harmonic/impute: 2; to replace them, type: "
        "jv rescore --policy harmonic/impute --switch-policy\n"
    ) in shown
    assert shown.endswith("Next: jv rescore\n")


@pytest.fixture
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, list[str]]]:
    """A pipeline, and its matches that can never be scored again: the physically first row's profile is gone, and one
    with a score matches a profile with itself.
    """
    with nightly_done(tmp_path_factory.mktemp("lonely")) as pipeline:
        (first,) = pipeline.sql(
            "SELECT id::text, profile_id::text FROM match_suggestions WHERE harmonic_mean IS NOT NULL "
            "ORDER BY ctid LIMIT 1"
        )
        pipeline.sql("DELETE FROM profiles WHERE id = :id", id=first["profile_id"])
        left = pipeline.sql(
            "SELECT id::text FROM match_suggestions WHERE harmonic_mean IS NOT NULL AND :id IN (profile_id, "
            "suggested_profile_id)",
            id=first["profile_id"],
        )
        other = next(row["id"] for row in matches(pipeline) if row["match_context"] and row["id"] not in str(left))
        pipeline.sql("UPDATE match_suggestions SET suggested_profile_id = profile_id WHERE id = :id", id=other)
        yield pipeline, [*(row["id"] for row in left), other]


def test_matches_that_can_never_be_scored_again_keep_their_row_and_count_for_nothing(
    lonely: tuple[Pipeline, list[str]],
) -> None:
    pipeline, ids = lonely
    kept = {row["id"]: row for row in matches(pipeline) if row["id"] in ids}
    status = read_status(pipeline.database, MINILM)
    assert status.once == {"profile gone": len(ids) - 1, "matched with itself": 1}
    assert status.scored == {NAMED: 900 - len(ids) - sum(status.null.values())}
    assert (status.foreign, status.matches, NOT_YET in status.null) == (0, 900, False)
    found = top_matches(pipeline.database, 10_000)
    assert not set(found.rows["id"]) & set(ids)
    assert found.not_scorable == len(ids)
    told = explain(pipeline.database, MINILM, ids[-1])
    assert "matches profile" in told.notes[0]
    assert told.now is None
    for policy in ("geometric/impute", "harmonic/redistribute"):
        config = {"match_scores": {"policy": policy}}
        assert pipeline.run(**config, published_scores={"switch_policy": True}).success
        assert pipeline.run(**config).success, "a night after the switch"
        assert set(top_matches(pipeline.database, 10_000).rows["policy"]) == {policy}
        assert [status.once] == [read_status(pipeline.database, MINILM).once]
    assert {row["id"]: row for row in matches(pipeline) if row["id"] in ids} == kept
    with pytest.raises(UserError, match="can only be shown as it is stored"):
        explain(pipeline.database, MINILM, ids[0], "geometric/impute")
