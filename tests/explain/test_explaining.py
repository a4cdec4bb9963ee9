"""`jv explain`: what it tells of a match is what the rules and the pipeline made of it, and nothing that is private."""

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console
from sqlalchemy import text

from jv_assets.cli.explain_tables import show
from jv_assets.errors import UserError
from jv_assets.explain import Explanation, explain, explain_profiles, parse_changes, to_html
from jv_assets.explain.tables import tables
from jv_assets.pipeline.publishing import PublishOptions, publish_range
from jv_assets.pipeline.reading import read_matches, read_profiles, read_vectors
from jv_assets.pipeline.scoring import ProfilesToScore, features_of, score_range
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate
from jv_scoring import calibration_of, score_pair
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.models import MINILM, minilm

EVERYTHING = (str(UUID(int=0)), str(UUID(int=2**128 - 1)))
ANN, BEN, CAT, NOBODY = (str(UUID(int=2**100 + number)) for number in range(4))
MATCH, BARE, GONE, SELF = (str(UUID(int=number)) for number in range(1, 5))
PRIVATE = {
    "name": "Annabel Quill", "email": "annabel@quill.example", "company": "Quillworks", "phone": "+49 170 5551234",
    "website": "https://quill.example", "linkedin": "linkedin.com/in/annabelq", "booking_link": "https://cal.example/aq",
    "bio": "I write <b>books</b> for executives", "niche": "ghostwriting", "audience_type": "executives",
    "seeking": "podcast hosts with business listeners", "offering": "ghostwritten leadership books",
    "what_you_do": "Turns keynotes into books", "who_you_serve": "founders and executives who speak",
    "current_projects": "Anthology of forty founders", "revenue_tier": "seven figures, since 2019",
    "signature_programs": "Book in a quarter", "network_role": "Service Provider",
}  # fmt: skip
PLAIN = {"name": "Ben Oakley", "seeking": "authors for my podcast", "offering": "guest spots on a podcast",
         "who_you_serve": "business owners", "what_you_do": "Hosts a podcast", "network_role": "Media/Publisher",
         "revenue_tier": "premium", "list_size": 20_000}  # fmt: skip


@pytest.fixture
def database(database_url: str) -> Database:
    return filled(database_url)


@pytest.fixture(scope="module")
def unchanged(server: postgres.Server) -> Database:
    """The same, once for all tests that only read."""
    server.ensure_database("explaining")
    return filled(server.url("explaining"))


def filled(url: str) -> Database:
    """Ann with Ben and with Cat (of whom nothing is known), a match whose B is gone, and one of Ben with himself."""
    database = Database(url=url)
    migrate(database, dimension=384)
    add(database, ANN, PRIVATE | {"tags": ["memoir", "ghost"], "jv_history": json.dumps([{"partner": "Zed Ltd"}])}, 1)
    add(database, BEN, PLAIN, 2)
    add(database, CAT, {"name": "Cat"}, None)
    for match, a, b in ((MATCH, ANN, BEN), (BARE, ANN, CAT), (GONE, BEN, NOBODY), (SELF, BEN, BEN)):
        insert = "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) VALUES (:id, :a, :b)"
        sql(database, insert, id=match, a=a, b=b)
    publish(database)
    return database


def sql(database: Database, statement: str, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement), values)


def add(database: Database, profile_id: str, columns: dict[str, Any], seed: int | None) -> None:
    values = {"id": profile_id, **columns}
    if seed is not None:
        values["embeddings_model"] = MINILM
        for k, name in enumerate(EMBEDDED_FIELDS):
            values[f"embedding_{name}"] = str(vector(10 * seed + k).tolist())
    sql(database, f"INSERT INTO profiles ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})",
        **values)  # fmt: skip


def vector(seed: int) -> npt.NDArray[np.float32]:
    drawn = np.ones(384) + 1.2 * np.random.default_rng(seed).standard_normal(384)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def publish(database: Database, policy: str = "harmonic/impute") -> None:
    """As the assets do it."""
    profiles = ProfilesToScore(database, features_of(read_profiles(database, *EVERYTHING)), MINILM)
    rows = score_range(profiles, read_matches(database, *EVERYTHING), policy).rows
    publish_range(database, EVERYTHING, [(rows, lambda: rows["match_context"])], PublishOptions(switch_policy=True))


def profile(database: Database, profile_id: str) -> dict[str, Any]:
    (row,) = read_profiles(database, profile_id, profile_id).to_dict("records")
    vectors = read_vectors(database, MINILM, 384, read_profiles(database, *EVERYTHING).set_index("id").index)
    place = [ANN, BEN, CAT].index(profile_id)
    return {str(name): value for name, value in row.items()} | {
        f"embedding_{name}": found.vector(place) for name, found in vectors.items()
    }


def printed(explanation: Explanation) -> str:
    console = Console(width=200, highlight=False, emoji=False)
    with console.capture() as captured:
        show(explanation, console)
    return captured.get()


class Page(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_a_row_that_is_current_is_explained_by_its_own_numbers(unchanged: Database) -> None:
    found = explain(unchanged, MINILM, MATCH)
    expected = score_pair(profile(unchanged, ANN), profile(unchanged, BEN), calibration=calibration_of(MINILM))
    assert found.now == expected
    assert found.stored
    assert found.stored.pair.harmonic_mean == expected.harmonic_mean
    assert (found.stale, found.notes, found.what_if) == (False, (), None)
    assert [version.label for version in found.versions] == ["score"]
    assert (found.profiles, found.policy, found.model) == ((ANN, BEN), "harmonic/impute", MINILM)
    shown = printed(found)
    for number in (expected.score_ab, expected.score_ba, expected.harmonic_mean):
        assert f"{number:.2f}" in shown
    for breakdown in (expected.breakdown_ab, expected.breakdown_ba):
        for name in ("intent", "synergy", "momentum", "context"):
            for factor in breakdown[name]["factors"]:
                assert re.search(rf"{factor['name']} +│ +{factor['weight']} │ +{factor['score']:.2f} ", shown)
    assert shown.count("Cosine similarity: ") == 4
    assert "semantic" in shown


def test_the_waterfall_that_is_shown_adds_up_to_the_score(unchanged: Database) -> None:
    for policy in ("harmonic/impute", "geometric/redistribute", "arithmetic/impute"):
        found = explain(unchanged, MINILM, MATCH, policy)
        shown = printed(found)
        for direction, score in (("A → B", found.now.score_ab), ("B → A", found.now.score_ba)):
            after = shown.split(f"{direction}: points of 100 that each dimension costs (now)"
                                if policy != "harmonic/impute" else f"{direction}: points of 100")[1]  # fmt: skip
            rows = [line.split("│") for line in after.split("└")[0].splitlines() if "│" in line]
            costs = [float(row[4]) for row in rows if row[4].strip()]
            assert len(costs) == 4
            assert round(100 + sum(costs), 2) == score
            assert rows[-1][5].strip() == f"{score:.2f}"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE profiles SET list_size = 90000 WHERE id = :ben",
        "UPDATE profiles SET offering = 'a stage' WHERE id = :ann",
        "UPDATE profiles SET embedding_seeking = embedding_offering WHERE id = :ann",
        "UPDATE profiles SET embeddings_model = 'other' WHERE id = :ben",
        "UPDATE match_suggestions SET suggested_profile_id = :cat WHERE id = :match",
    ],
)
def test_a_row_that_is_older_than_the_data_says_so(database: Database, change: str) -> None:
    values = {"ann": ANN, "ben": BEN, "cat": CAT, "match": MATCH}
    sql(database, change, **{name: value for name, value in values.items() if f":{name}" in change})
    found = explain(database, MINILM, MATCH)
    assert found.stale is True
    assert "the stored row is older than the data" in found.notes[0]
    waits = [note for note in found.notes if "the text waits to be embedded" in note]
    assert f"next: jv {'nightly' if waits else 'rescore'}" in found.notes[0]
    assert bool(waits) == ("embeddings_model" in change)
    publish(database)
    assert explain(database, MINILM, MATCH).notes == tuple(waits)


def test_what_is_stored_and_what_comes_out_now_stand_side_by_side(database: Database) -> None:
    before = explain(database, MINILM, MATCH).now
    sql(database, "UPDATE profiles SET list_size = 90000 WHERE id = :id", id=BEN)
    found = explain(database, MINILM, MATCH)
    assert [version.label for version in found.versions] == ["stored", "now"]
    assert found.versions[0].pair.score_ab == before.score_ab < found.now.score_ab
    assert re.search(r"List Size +│ +2.5 │ +7.00 │ +8.00 │", printed(found))


def test_a_change_that_no_score_depends_on_does_not_make_a_row_old(database: Database) -> None:
    sql(
        database,
        "UPDATE profiles SET notes = 'met in May', bio = bio || '!', updated_at = now() WHERE id = :id",
        id=ANN,
    )
    assert explain(database, MINILM, MATCH).notes == ()


def test_another_policy_stands_beside_the_stored_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explain(database, MINILM, MATCH, "geometric/redistribute")
    assert found.notes == (
        "the stored score was made under another policy, harmonic/impute; now: geometric/redistribute",
    )
    assert [(version.label, version.policy) for version in found.versions] == [
        ("stored", "harmonic/impute"), ("now", "geometric/redistribute")
    ]  # fmt: skip
    expected = score_pair(
        profile(database, ANN), profile(database, BEN), "geometric/redistribute", calibration_of(MINILM)
    )
    assert found.now == expected
    publish(database, "arithmetic/impute")
    found = explain(database, MINILM, MATCH)
    assert found.policy == "arithmetic/impute"
    assert found.notes == (
        "the stored score was made under arithmetic/impute; the next rescore would be harmonic/impute",
    )
    monkeypatch.setenv("JV_POLICY", "arithmetic/impute")
    assert explain(database, MINILM, MATCH).notes == ()


def test_what_if_a_column_had_another_value(unchanged: Database) -> None:
    changes = parse_changes(["current_projects=A summit of 40 = forty hosts", "a.list_size= 60000", "b.list_size="])
    found = explain(unchanged, MINILM, MATCH, changes=changes)
    a, b = profile(unchanged, ANN), profile(unchanged, BEN)
    expected = score_pair(
        a | {"list_size": 60_000}, b | {"current_projects": "A summit of 40 = forty hosts", "list_size": None},
        calibration=calibration_of(MINILM),
    )  # fmt: skip
    assert found.what_if == expected
    assert found.now == score_pair(a, b, calibration=calibration_of(MINILM))
    assert found.changes == ("a.list_size", "b.current_projects", "b.list_size")
    assert [version.label for version in found.versions] == ["now", "changed"]
    shown = printed(found)
    assert re.search(r"Active Projects +│ +2.5 │ +4.00 │ +8.00 │", shown)
    assert "forty hosts" not in shown + to_html(found)
    with unchanged.transaction() as connection:  # nothing was written
        assert connection.scalar(text("SELECT list_size FROM profiles WHERE id = :id"), {"id": BEN}) == 20_000


def test_a_changed_text_is_compared_by_its_own_vector_or_by_words(unchanged: Database) -> None:
    seeking = "guest spots on a podcast"
    by_words = explain(unchanged, MINILM, MATCH, changes={"a.seeking": seeking})
    assert by_words.what_if
    factor = by_words.what_if.breakdown_ab["synergy"]["factors"][0]
    assert (factor["method"], factor["score"]) == ("word_overlap", 10.0)
    assert by_words.notes == ("a.seeking: the new text was not embedded, so it is compared by word overlap",)
    assert "semantic → word overlap" in printed(by_words)
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        asked.extend(texts)
        return minilm().embed(texts)

    by_vector = explain(unchanged, MINILM, MATCH, changes={"a.seeking": f" {seeking}\n", "niche": "audio"}, embed=embed)
    assert by_vector.what_if
    changed = profile(unchanged, ANN) | {"seeking": seeking, "embedding_seeking": minilm().embed([seeking])[0]}
    expected = score_pair(changed, profile(unchanged, BEN) | {"niche": "audio"}, calibration=calibration_of(MINILM))
    assert by_vector.what_if == expected
    assert (asked, by_vector.notes) == ([seeking], ())
    explain(unchanged, MINILM, MATCH, changes={"a.seeking": PRIVATE["seeking"], "offering": "none"}, embed=embed)
    assert asked == [seeking]  # one text as it was, and one too short for a vector


def test_what_nulls_cost_is_told(unchanged: Database) -> None:
    shown = printed(explain(unchanged, MINILM, BARE))
    part = shown.split("A → B: what missing data does to the score")[1].split("└")[0]
    for name in ("Revenue Tier", "Audience Engagement", "Social Reach", "Active Projects", "List Size", "all of these"):
        assert f" {name} " in part
    assert "3.55" in shown
    assert "No data" in shown


def test_a_match_without_a_score_is_explained_all_the_same(database: Database) -> None:
    sql(database, "UPDATE match_suggestions SET harmonic_mean = NULL WHERE id = :id", id=MATCH)
    found = explain(database, MINILM, MATCH)
    assert (found.stored, found.stale) == (None, None)
    assert found.notes == ("no score is stored for this match yet: this one is computed now",)
    assert "no score" in printed(found)


def test_when_a_profile_is_gone_the_stored_score_is_explained(database: Database) -> None:
    before = explain(database, MINILM, MATCH)
    sql(database, "DELETE FROM profiles WHERE id = :id", id=BEN)
    found = explain(database, MINILM, MATCH)
    assert (found.now, found.what_if, found.stale, found.policy) == (None, None, None, "harmonic/impute")
    assert found.notes == (f"its profile {BEN} is gone: this is what is stored, and no what-if is possible",)
    assert found.sizes["seeking"] == (f"{len(PRIVATE['seeking'])} characters", "gone")
    old, new = printed(before), printed(found)
    assert before.now
    assert f"{before.now.harmonic_mean:.2f}" in new.split("Scores, 0 to 100")[1].split("└")[0]
    for direction in ("A → B", "B → A"):
        for title in ("points of 100 that each dimension costs", "what missing data does to the score"):
            tables = [shown.split(f"{direction}: {title}\n")[1].split("└")[0] for shown in (old, new)]
            assert tables[0] == tables[1]
    for shown in (new, Page(to_html(found)).text):
        assert "is gone" in shown
        assert "Offering↔Seeking" in shown
    assert not re.search(r"\bnan\b", new + to_html(found), re.IGNORECASE)


@pytest.mark.parametrize(
    ("more", "option"), [({"changes": {"list_size": "5"}}, "--set"), ({"policy": "geometric/impute"}, "--policy")]
)
def test_when_a_profile_is_gone_no_what_if_is_possible(database: Database, more: dict[str, Any], option: str) -> None:
    sql(database, "DELETE FROM profiles WHERE id = :id", id=BEN)
    with pytest.raises(UserError) as raised:
        explain(database, MINILM, MATCH, **more)
    assert str(raised.value) == (
        f"{option}: match {MATCH} can only be shown as it is stored: its profile {BEN} is gone"
    )
    assert explain(database, MINILM, MATCH, "harmonic/impute").stored


def test_when_a_profile_is_gone_and_no_breakdown_can_be_read_it_is_one_line(database: Database) -> None:
    sql(database, "UPDATE match_suggestions SET match_context = NULL WHERE id = :id", id=MATCH)
    sql(database, "DELETE FROM profiles WHERE id = :id", id=ANN)
    with pytest.raises(UserError) as raised:
        explain(database, MINILM, MATCH)
    assert str(raised.value) == (
        f"match {MATCH} cannot be scored: its profile {ANN} is gone, and its stored breakdown cannot be read"
    )


@pytest.mark.parametrize(
    ("statement", "notes"),
    [
        ("match_context = match_context - 'inputs_hash'", ["the stored row has no inputs hash"]),
        ("match_context = match_context - 'policy'", ["the stored score names no policy: it is taken for"]),
        (
            """match_context = match_context || '{"scoring_version": "ismc_v1"}'""",
            ["made by rules ismc_v1; now: ismc_v2"],
        ),
        (
            """match_context = match_context || '{"embedding_model": "old"}'""",
            ["made with vectors of old; now: sentence"],
        ),
        (
            """match_context = match_context || '{"policy": "best/impute"}'""",
            ["made under another policy, best/impute; now: harmonic/impute"],
        ),
        (
            "score_ab = 99, score_ba = NULL",
            ["not what the rules make of the same data", "not what its stored breakdown adds up to"],
        ),
        (
            "match_context = NULL",
            ["names no policy", "rules without a name", "no inputs hash", "no breakdown that can be read"],
        ),
        ("match_context = '[1]'", ["names no policy", "rules without a name", "no inputs hash", "no breakdown"]),
        (
            f"""match_context = jsonb_set(match_context, '{{policy}}', '{"1" * 5000}')""",
            ["names no policy", "rules without a name", "no inputs hash", "no breakdown"],
        ),
        (
            """match_context = jsonb_set(match_context, '{breakdown_ab,intent,score}', '"high"')""",
            ["not what the rules make of the same data", "no breakdown that can be read"],
        ),
        (
            """match_context = jsonb_set(match_context, '{breakdown_ab,intent,factors}', '[{"name": [1]}, 2]')""",
            ["not what the rules make of the same data", "no breakdown that can be read"],
        ),
        ("harmonic_mean = 'NaN'", ["not what the rules make of the same data"]),
    ],
)
def test_stored_rows_that_others_wrote_are_told_apart(database: Database, statement: str, notes: list[str]) -> None:
    # A driver takes the : of JSON for a parameter.
    sql(database, f"UPDATE match_suggestions SET {statement.replace(':', chr(92) + ':')} WHERE id = :id", id=MATCH)
    found = explain(database, MINILM, MATCH)
    assert len(found.notes) == len(notes)
    for note, expected in zip(found.notes, notes, strict=True):
        assert expected in note
    assert found.now
    assert found.now.harmonic_mean > 0
    assert not re.search(r"\bnan\b", printed(found) + to_html(found), re.IGNORECASE)


def test_nothing_private_is_shown(database: Database) -> None:
    quoting = "replace(match_context::text, 'Cosine', 'Annabel Quill')::jsonb"
    sql(database, f"UPDATE match_suggestions SET match_context = {quoting} WHERE id = :id", id=MATCH)
    sql(database, "UPDATE profiles SET list_size = 5 WHERE id = :id", id=BEN)
    found = explain(database, MINILM, MATCH, changes={"a.bio": "also a gardener"})
    shown = printed(found) + to_html(found)
    secrets = {str(value) for value in [*PRIVATE.values(), *PLAIN.values(), "memoir", "ghost", "Zed Ltd", "gardener"]}
    for secret in secrets - {"Service Provider", "Media/Publisher", "premium", "20000"}:  # the rules' own words
        assert secret not in shown
    assert "Annabel" not in shown
    assert ANN in shown
    assert f"{len(PRIVATE['seeking'])} characters" in shown


def test_the_page_is_self_contained(database: Database) -> None:
    sql(database, "UPDATE profiles SET list_size = 90000 WHERE id = :id", id=BEN)
    page = to_html(explain(database, MINILM, MATCH, "geometric/impute", changes={"current_projects": "A new summit"}))
    parsed = Page(page)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    assert not {name for _, attributes in parsed.tags for name in attributes} & {"src", "href", "onload", "onclick"}
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page
    waterfalls = ["A → B (stored)", "A → B (now)", "A → B (changed)", "B → A (stored)", "B → A (now and changed)"]
    for waterfall in waterfalls:
        direction, label = waterfall.split(" (")
        assert f"{direction}: points of 100 that each dimension costs ({label}" in parsed.text
    assert page.count("<h2>") == 1 + 2 * (1 + 1) + len(waterfalls) + 1
    for words in ("stored", "now", "changed", "geometric/impute", "Offering↔Seeking", "A → B", MATCH):
        assert words in parsed.text


def test_what_a_row_says_is_escaped(database: Database) -> None:
    evil = json.dumps({"policy": "<script>alert(1)</script>[bold]", "scoring_version": "<i>&[/red]"})
    sql(database, "UPDATE match_suggestions SET match_context = CAST(:context AS jsonb) WHERE id = :id", context=evil,
        id=MATCH)  # fmt: skip
    found = explain(database, MINILM, MATCH)
    assert "<script>" not in to_html(found)
    assert "&lt;script&gt;" in to_html(found)
    assert "<script>alert(1)</script>[bold]" in printed(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"match_id": NOBODY}, f"no match has the id {NOBODY}"),
        ({"match_id": "1; DROP TABLE"}, "MATCH_ID: not a uuid: '1; DROP TABLE'"),
        ({"match_id": GONE}, f"match {GONE} cannot be scored: its profile {NOBODY} is gone"),
        ({"match_id": SELF}, f"match {SELF} cannot be scored: it matches profile {BEN} with itself"),
        ({"policy": "best/impute"}, "--policy: policy best/impute is unknown; use one of harmonic/impute, "),
        ({"embedder_model": "word2vec"}, "JV_EMBEDDING_MODEL: model word2vec has no calibration"),
        ({"changes": {"wealth": "1"}}, "--set wealth: profiles have no such column; use one of bio, "),
        ({"changes": {"a.notes": "x"}}, "--set a.notes: no score depends on that column; use one of bio, "),
        ({"changes": {"c.bio": "x"}}, "--set c.bio: profiles have no such column"),
        ({"changes": {"embedding_seeking": "[1]"}}, "--set embedding_seeking: profiles have no such column"),
        ({"changes": {"list_size": "12k"}}, "--set list_size: not a whole number: '12k'"),
        ({"changes": {"a.jv_history": "[1"}}, "--set a.jv_history: not JSON: "),
        ({"changes": {"tags": "one"}}, "--set tags: not a JSON list of strings"),
        ({"changes": {"bio": "a\0b"}}, "--set bio: holds a NUL character"),
        ({"changes": {"bio": "\udcff"}}, "--set bio: is not UTF-8"),
        ({"changes": {"bio": "x", "b.bio": "y"}}, "--set b.bio: given twice"),
    ],
)
def test_what_cannot_be_explained_is_one_line(unchanged: Database, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        explain(unchanged, **{"embedder_model": MINILM, "match_id": MATCH} | arguments)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["list_size"], "--set list_size: write column=value"),
        (["=5"], "--set =5: write column=value"),
        (["bio=x", "bio=y"], "--set bio: given twice"),
    ],
)
def test_options_that_are_no_change_are_one_line(given: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_changes(given)


@pytest.mark.parametrize("history", [f"[{'1' * 5000}]", "[" * 3000 + "]" * 3000], ids=["number", "depth"])
def test_a_profile_that_cannot_be_read_is_one_line(database: Database, history: str) -> None:
    sql(database, "UPDATE profiles SET jv_history = CAST(:history AS jsonb) WHERE id = :id", id=ANN, history=history)
    with pytest.raises(UserError, match=r"profiles\.jv_history of [0-9a-f-]{36} does not hold JSON: "):
        explain(database, MINILM, MATCH)


def test_a_wrong_setting_is_named_where_it_is_needed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sql(database, "UPDATE match_suggestions SET harmonic_mean = NULL WHERE id = :id", id=MATCH)
    monkeypatch.setenv("JV_POLICY", "best")
    with pytest.raises(UserError, match="JV_POLICY: policy best is unknown"):
        explain(database, MINILM, MATCH)


def test_two_profiles_that_no_match_joins_get_the_waterfall_of_a_match(unchanged: Database) -> None:
    found = explain_profiles(unchanged, MINILM, (BEN, CAT))
    expected = score_pair(profile(unchanged, BEN), profile(unchanged, CAT), calibration=calibration_of(MINILM))
    assert (found.match_id, found.profiles, found.now, found.stored) == (None, (BEN, CAT), expected, None)
    assert found.notes == (
        "no match joins these profiles: this is the value that a match of them would get",
        "profile B has no usable text, so that discovery does not propose it",
    )
    shown = printed(found)
    assert re.search(r"^match +none joins them$", shown, re.MULTILINE)
    assert "A → B: points of 100 that each dimension costs" in shown
    assert f"Profiles {BEN} and {CAT}" in Page(to_html(found)).text


def test_two_profiles_of_a_match_get_the_tables_of_the_match_and_its_id(unchanged: Database) -> None:
    of_match, found = explain(unchanged, MINILM, MATCH), explain_profiles(unchanged, MINILM, (ANN, BEN))
    assert tables(found) == tables(of_match)
    note = f"match {MATCH} joins these profiles; what is stored for it shows: jv explain {MATCH}"
    assert found.notes == (note,)
    reversed_pair = explain_profiles(unchanged, MINILM, (BEN, ANN))
    assert reversed_pair.notes == (note,)
    assert reversed_pair.now
    assert of_match.now
    assert (reversed_pair.now.score_ab, reversed_pair.now.score_ba) == (of_match.now.score_ba, of_match.now.score_ab)


def test_a_pair_is_explained_under_another_policy_and_with_changes(unchanged: Database) -> None:
    found = explain_profiles(unchanged, MINILM, (BEN, CAT), "geometric/redistribute", changes={"list_size": "90000"})
    before, after = profile(unchanged, BEN), profile(unchanged, CAT)
    calibration = calibration_of(MINILM)
    assert found.now == score_pair(before, after, "geometric/redistribute", calibration)
    assert found.what_if == score_pair(before, after | {"list_size": 90_000}, "geometric/redistribute", calibration)


@pytest.mark.parametrize(
    ("ids", "more", "message"),
    [
        ((BEN, NOBODY), {}, f"no profile has the id {NOBODY}: it was deleted, or it never existed"),
        ((NOBODY, BEN), {}, f"no profile has the id {NOBODY}: it was deleted, or it never existed"),
        ((BEN, BEN), {}, f"both ids are of profile {BEN}: name two different profiles"),
        ((BEN, BEN.upper()), {}, f"both ids are of profile {BEN}: name two different profiles"),
        ((BEN, "x"), {}, "PROFILE_ID: not a uuid: 'x'"),
        ((BEN, CAT), {"policy": "best"}, "--policy: policy best is unknown"),
        ((BEN, CAT), {"changes": {"shoe_size": "1"}}, "--set shoe_size: profiles have no such column"),
    ],
)
def test_two_ids_that_are_no_pair_are_one_line(
    unchanged: Database, ids: tuple[str, str], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as raised:
        explain_profiles(unchanged, MINILM, ids, **more)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
