"""`JV_PROFILES=matched`: only the profiles that a match names are read and embedded; and embedding that takes days."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from jv_assets import settings
from jv_assets.automation.schedules import NIGHTLY
from jv_assets.errors import UserError
from jv_assets.pipeline.database.id_spans import FIRST, LAST, after
from jv_assets.pipeline.database.profile_spans import profile_spans
from jv_assets.pipeline.embedding_estimate import FEW, Estimate, refuse_too_long
from jv_assets.setup.status import count_older, count_waiting_texts, read_status
from tests.support.models import MINILM
from tests.support.pipelines import Pipeline, assert_equal_to_reference, nightly_done

# Profiles with texts of others, that no match names.
ADD = """
    INSERT INTO profiles (id, name, seeking, offering, who_you_serve, what_you_do)
    SELECT gen_random_uuid(), 'nobody', seeking || ' today', offering || ' today', who_you_serve, what_you_do
    FROM profiles WHERE seeking IS NOT NULL AND offering IS NOT NULL ORDER BY id LIMIT 40
"""
NAMED = "SELECT profile_id AS id FROM match_suggestions UNION SELECT suggested_profile_id FROM match_suggestions"
WITH_VECTOR = "SELECT count(*) FROM profiles WHERE embedding_seeking IS NOT NULL"
FORGET = """
    UPDATE profiles SET embedding_seeking = NULL, embedding_offering = NULL, embedding_who_you_serve = NULL,
        embedding_what_you_do = NULL, embeddings_model = NULL
    WHERE id IN (SELECT id FROM profiles ORDER BY id LIMIT 70)
"""


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Pipeline]:
    """A night was made; since then profiles came that no match names, and some vectors and all scores were lost."""
    with nightly_done(tmp_path / "crowded") as pipeline:
        pipeline.sql(FORGET)
        pipeline.sql("DELETE FROM jv.embedded_texts WHERE profile_id IN (SELECT id FROM profiles ORDER BY id LIMIT 70)")
        pipeline.sql("UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, "
                     "match_context = NULL")  # fmt: skip
        pipeline.sql(ADD)
        yield pipeline


def assert_spans_cover_all_ids_in_order(crowded: Pipeline) -> None:
    for matched in (True, False):
        spans = list(profile_spans(crowded.database, matched=matched))
        assert (spans[0].low, spans[-1].high) == (FIRST, LAST)
        assert all(after(one.high) == other.low for one, other in pairwise(spans))
        assert all((span.ids is not None) == matched for span in spans)
    named = [row["id"] for row in crowded.sql(f"SELECT id::text FROM ({NAMED}) AS n ORDER BY n.id")]
    assert [one for span in profile_spans(crowded.database, matched=True) for one in span.ids or ()] == named


def test_only_what_a_match_names_is_read_and_embedded(crowded: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_spans_cover_all_ids_in_order(crowded)
    monkeypatch.setenv("JV_PROFILES", "matched")
    named = crowded.sql(f"SELECT count(*) FROM profiles WHERE id IN ({NAMED})")[0]["count"]
    night = crowded.run("nightly", NIGHTLY)
    assert night.success
    assert crowded.total("profiles", night.run_id, "rows") == named
    assert crowded.total("profile_embeddings", night.run_id, "rows") == named
    new = "SELECT count(*) FROM profiles WHERE embeddings_model IS NOT NULL AND name = 'nobody'"
    assert crowded.sql(new) == [{"count": 0}]
    assert_equal_to_reference(crowded)
    assert count_older(crowded.database, MINILM) == count_waiting_texts(crowded.database, MINILM) == 0
    status = read_status(crowded.database, MINILM).profiles
    assert (status["waiting"], status["named_by_no_match"] > 0) == (0, True)

    # A profile that a match names from now on is read and embedded by the next night.
    crowded.sql("""
        INSERT INTO match_suggestions (id, profile_id, suggested_profile_id)
        SELECT gen_random_uuid(), a.id, b.id FROM (SELECT id FROM profiles WHERE name = 'nobody' LIMIT 1) AS a,
            (SELECT id FROM profiles WHERE name <> 'nobody' AND embeddings_model IS NOT NULL LIMIT 1) AS b
    """)
    again = crowded.run("nightly", NIGHTLY)
    assert again.success
    assert crowded.total("profiles", again.run_id, "rows") == named + 1
    assert crowded.total("published_scores", again.run_id, "written") == 1
    assert_equal_to_reference(crowded)

    monkeypatch.setenv("JV_PROFILES", "all")
    whole = crowded.run("nightly", NIGHTLY)
    assert whole.success
    assert crowded.total("profiles", whole.run_id, "rows") == crowded.sql("SELECT count(*) FROM profiles")[0]["count"]
    assert crowded.total("published_scores", whole.run_id, "written") == 0
    assert count_waiting_texts(crowded.database, MINILM) == 0


def test_a_run_that_would_take_days_stops_and_then_what_a_match_names_is_embedded_first(
    crowded: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = crowded.sql(WITH_VECTOR)
    monkeypatch.setenv("JV_EMBED_HOURS", "0.000001")
    stopped = crowded.run("embed", ["profile_embeddings"])
    assert not stopped.success
    [failure] = [event for event in stopped.all_events if event.is_step_failure]
    told = str(failure.event_specific_data.error)  # type: ignore[union-attr]
    assert re.search(r"[\d,]+ texts have no vector: about [\d.,]+ (min|hours) at [\d.,]+ texts a second, and JV_", told)
    assert "set JV_PROFILES=matched to embed only the profiles that a match names (" in told
    assert "or raise JV_EMBED_HOURS" in told
    assert crowded.sql(WITH_VECTOR) == before

    monkeypatch.delenv("JV_EMBED_HOURS")
    written: list[str] = []
    whole = crowded.embedder.embed

    def embed(texts: list[str]) -> object:
        written.extend(texts)
        return whole(texts)

    monkeypatch.setattr(type(crowded.embedder), "embed", lambda self, texts: embed(list(texts)))
    assert crowded.run("embed", ["profile_embeddings"]).success
    of_matches = {
        row["seeking"].strip()
        for row in crowded.sql(f"SELECT seeking FROM profiles WHERE length(seeking) > 4 AND id IN ({NAMED})")
    }
    places = [place for place, one in enumerate(written) if one in of_matches]
    others = {
        row["seeking"].strip() for row in crowded.sql("SELECT seeking FROM profiles WHERE name = 'nobody'")
    } - of_matches
    after_sample = 33  # the texts by which the speed is measured
    assert max(places) < min(place for place, one in enumerate(written) if one in others and place >= after_sample)


def test_the_ways_on_if_only_matched_profiles_are_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_too_long(Estimate(FEW), 0)
    slow = Estimate(4_000_000, 0.367)
    with pytest.raises(UserError) as caught:
        refuse_too_long(slow, 14_000)
    assert str(caught.value) == (
        "4,000,000 texts have no vector: about 17.0 days at 2.7 texts a second, and JV_EMBED_HOURS allows 24 hours; "
        "set JV_PROFILES=matched to embed only the profiles that a match names (14,000 texts), or raise JV_EMBED_HOURS"
    )
    monkeypatch.setenv("JV_PROFILES", "matched")
    with pytest.raises(UserError, match=r"; name more devices in JV_EMBEDDING_DEVICE, or raise JV_EMBED_HOURS$"):
        refuse_too_long(slow, 4_000_000)
    monkeypatch.setenv("JV_EMBED_HOURS", "500")
    refuse_too_long(slow, 4_000_000)


@pytest.mark.parametrize(("variable", "value", "told"), [
    ("JV_PROFILES", "some", "JV_PROFILES=some: set it to all or matched"),
    ("JV_EMBED_HOURS", "-1", "JV_EMBED_HOURS=-1: set it to a number over 0, up to 1000000, such as 0.5"),
    ("JV_EMBED_HOURS", "nan", "JV_EMBED_HOURS=nan: set it to a number over 0"),
    ("JV_EMBED_HOURS", "soon", "JV_EMBED_HOURS=soon: set it to a number over 0"),
])  # fmt: skip
def test_bad_values(variable: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=told):
        settings.matched_only() if variable == "JV_PROFILES" else settings.embed_hours()
