"""Vectors under another spelling of the model's name, or another name, and what a rescore makes of them."""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console
from sqlalchemy import text

from jv_assets.automation.outcome import Outcome
from jv_assets.automation.schedules import NIGHTLY
from jv_assets.checks.health import irregular_vectors
from jv_assets.cli import console
from jv_assets.pipeline.database.id_spans import FIRST, LAST
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.pipeline.texts.stored_vectors import model_of
from jv_assets.resources.database import Database
from jv_assets.setup.doctor import examine
from jv_assets.setup.status import count_older, read_status
from jv_assets.setup.vectors import Vectors, look_at_vectors
from jv_scoring.analysis.fallbacks import COLUMNS, STORED, Rise, rise_of
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.cuts import bounds
from tests.support.models import BGE, MINILM
from tests.support.pipelines import (
    KEYS,
    Pipeline,
    assert_equal_to_reference,
    evaluations,
    failure,
    nightly_done,
    versions,
)

SPELLINGS = [
    "all-MiniLM-L6-v2",
    "ALL-minilm-l6-v2 ",
    "sentence-transformers/all-MiniLM-L6-v2/",
    f"\t{MINILM.upper()}\n",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Tests that change anything put it back."""
    with nightly_done(tmp_path_factory.mktemp("names")) as pipeline:
        yield pipeline


@pytest.fixture
def renamed(whole: Pipeline) -> Iterator[Pipeline]:
    yield whole
    rename(whole, MINILM)
    assert whole.run(published_scores={"accept_word_overlap": True, "accept_shift": True}).success


def rename(pipeline: Pipeline, name: str | None, where: str = "true") -> int:
    vectors = ", ".join(f"embedding_{name}" for name in EMBEDDED_FIELDS)
    has_vector = f"num_nonnulls({vectors}) > 0"
    named = f"UPDATE profiles SET embeddings_model = :name WHERE {has_vector} AND {where} RETURNING id"
    return len(pipeline.sql(named, name=name))


def vectors_line(pipeline: Pipeline) -> tuple[str, str]:
    (found,) = [each for each in examine(pipeline.database, pipeline.embedder) if each.subject == "vectors"]
    return found.level, found.text


@pytest.mark.parametrize(
    ("spelled", "model"),
    [
        *((spelled, MINILM) for spelled in (*SPELLINGS, MINILM)),
        *((spelled, BGE) for spelled in ("bge-large-en-v1.5", "BAAI/BGE-large-en-v1.5/", "baai/bge-large-en-v1.5")),
        *((other, other) for other in ("bge-large-en", "other/all-MiniLM-L6-v2", "all-MiniLM-L12-v2", "", None)),
    ],
)
def test_a_spelling_of_a_model_is_that_model(server_database: Database, spelled: str | None, model: str | None) -> None:
    statement = text(f"SELECT {model_of('CAST(:name AS text)')}")
    assert server_database.run(lambda connection: connection.scalar(statement, {"name": spelled})) == model


@pytest.mark.parametrize("spelled", [SPELLINGS[0], SPELLINGS[-1]])
def test_a_spelling_changes_nothing(renamed: Pipeline, spelled: str) -> None:
    """Nothing is scored, embedded or written anew, and everybody says so."""
    before, count = versions(renamed), rename(renamed, spelled)
    result = renamed.run("nightly", NIGHTLY)
    assert result.success
    assert versions(renamed) == before
    assert renamed.total("profile_embeddings", result.run_id, "embedded_texts") == 0
    assert evaluations(result)["reference_agrees"].passed
    assert read_status(renamed.database, MINILM).profiles["embedded"] == count
    assert count_older(renamed.database, MINILM) == 0
    assert irregular_vectors(renamed.database, MINILM, FIRST, LAST) == 0
    level, line = vectors_line(renamed)
    assert level == "ok"
    assert line == (
        f"{count:,} profiles have vectors of {MINILM}, spelled {spelled!r}: {count:,} in some, which counts as that "
        "model"
    )


def test_one_edited_text_under_a_spelling_leaves_the_other_vectors(renamed: Pipeline) -> None:
    rename(renamed, "all-MiniLM-L6-v2")
    (row,) = renamed.sql(
        "SELECT id::text, seeking, embedding_offering::text AS vector FROM profiles WHERE embeddings_model IS NOT NULL "
        "AND embedding_seeking IS NOT NULL AND embedding_offering IS NOT NULL ORDER BY id LIMIT 1"
    )
    renamed.sql("UPDATE profiles SET seeking = 'people who keep hens' WHERE id = :id", id=row["id"])
    assert renamed.run("nightly", NIGHTLY).success
    (now,) = renamed.sql(
        "SELECT embeddings_model, embedding_offering::text AS vector FROM profiles WHERE id = :id", id=row["id"]
    )
    assert now == {"embeddings_model": MINILM, "vector": row["vector"]}
    renamed.sql("UPDATE profiles SET seeking = :seeking WHERE id = :id", id=row["id"], seeking=row["seeking"])
    rename(renamed, MINILM)
    assert renamed.run("nightly", NIGHTLY).success
    assert_equal_to_reference(renamed)


def test_vectors_under_another_name_are_told_and_not_published_over(renamed: Pipeline) -> None:
    """As after a model change that stopped half-way, or vectors that another program wrote under a name of its own."""
    before = versions(renamed)
    count = rename(renamed, "all_MiniLM_L6_v2", "id::text < 'c'")
    result = renamed.run()
    assert not result.success
    assert versions(renamed) == before
    line = failure(result)
    assert re.match(
        r"nothing was published: of [\d,]+ matches with a stored score, word overlap would decide [\d.]+% of their "
        r"text comparisons, and decided [\d.]+% of the stored ones \(at most 10 points more\)\. See what would change",
        line,
    )
    assert line.endswith("the same command with --accept-word-overlap")
    warned = evaluations(result)["few_fallbacks"]
    assert not warned.passed
    assert "word overlap would decide" in str(warned.description)
    level, told = vectors_line(renamed)
    assert level == "warning"
    assert f"; {count:,} have vectors under another name ('all_MiniLM_L6_v2': {count:,}), which are not used" in told
    cure = told.partition("is the same model: ")[2]
    assert cure == f"UPDATE profiles SET embeddings_model = '{MINILM}' WHERE embeddings_model IN ('all_MiniLM_L6_v2');"
    assert renamed.run(published_scores={"dry_run": True}).success
    assert versions(renamed) == before
    renamed.sql(cure)
    assert renamed.run().success
    assert versions(renamed) == before


def test_the_cure_of_a_refused_publish_is_to_embed(renamed: Pipeline) -> None:
    rename(renamed, BGE, "id::text < 'c'")
    assert not renamed.run().success
    assert renamed.run("nightly", ["profile_embeddings"]).success
    assert renamed.run().success
    assert_equal_to_reference(renamed)


def test_word_overlap_is_accepted_on_purpose(renamed: Pipeline) -> None:
    rename(renamed, None)
    refused = failure(renamed.run())
    assert "nothing was published: of " in refused
    result = renamed.run(published_scores={"accept_word_overlap": True, "accept_shift": True})
    assert result.success
    assert_equal_to_reference(renamed)
    assert renamed.total("match_scores", result.run_id, "semantic") == 0
    assert read_status(renamed.database, MINILM).profiles["embedded"] == 0
    level, told = vectors_line(renamed)
    assert level == "warning"
    assert "(no name: " in told


def test_a_rise_is_told_by_the_stored_contexts_without_files_of_before(renamed: Pipeline) -> None:
    rename(renamed, BGE)
    for key in KEYS:
        renamed.files.path("match_scores", key).unlink()
    assert "--accept-word-overlap" in failure(renamed.run())


def test_of_few_matches_and_of_files_from_before_nothing_is_said() -> None:
    import pandas as pd

    rises = [Rise(29, 0, 29 * 3), Rise(30, 0, 9), Rise(30, 0, 10), Rise(30, 60, 0), Rise()]
    assert [rise.is_beyond for rise in rises] == [False, False, True, False, False]
    assert Rise().shares is None
    rows = pd.DataFrame({name: ["word_overlap", "semantic", "word_overlap"] for name in COLUMNS if name != STORED})
    assert rise_of(rows) == Rise()
    assert rise_of(rows.assign(**{STORED: [1.0, 3.0, None]})) == Rise(2, 4, 3)


def test_names_are_quoted_and_cut() -> None:
    others: dict[str | None, int] = {"all-minilm-l6'v2": 5, "x\ny": 4, None: 3, "z": 2, "w": 1}
    line = Vectors(MINILM, 10, {}, others).line
    assert "\n" not in line
    assert "15 have vectors under another name (\"all-minilm-l6'v2\": 5, 'x\\ny': 4, no name: 3 and 2 more)" in line
    assert line.endswith("WHERE embeddings_model IN ('all-minilm-l6''v2');")


def test_the_look_counts_profiles_with_a_vector_alone(whole: Pipeline) -> None:
    found: Any = whole.database.run(lambda connection: look_at_vectors(connection, MINILM))
    (embedded,) = whole.sql("SELECT count(*) FROM profiles WHERE embeddings_model IS NOT NULL")
    whole.sql("UPDATE profiles SET embeddings_model = 'other' WHERE embeddings_model IS NULL")
    whole.sql("UPDATE profiles SET embeddings_model = NULL WHERE embeddings_model = 'other'")
    assert (found.ours, found.others) == (embedded["count"], {})
    assert sum(embedding_plan.stale_texts(whole.database, whole.embedder, *bounds(key)) for key in KEYS) == 0


@pytest.fixture
def server_database(whole: Pipeline) -> Database:
    return whole.database


def test_a_text_without_a_finite_vector_is_named_on_the_terminal(
    renamed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are embedded, and the run goes well."""
    one, other = renamed.sql(
        "SELECT id::text, seeking FROM profiles WHERE embedding_seeking IS NOT NULL ORDER BY id LIMIT 2"
    )
    for row, edited in ((one, "hens, bees and cows"), (other, "people who keep hens")):
        renamed.sql("UPDATE profiles SET seeking = :edited WHERE id = :id", id=row["id"], edited=edited)
    make = renamed.embedder.embed

    def make_no_numbers(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = make(texts)
        vectors[[text.startswith("hens") for text in texts]] = np.nan
        return vectors

    monkeypatch.setattr(renamed.embedder, "embed", make_no_numbers)
    result = renamed.run("nightly", NIGHTLY)
    monkeypatch.undo()
    assert result.success
    metadata = renamed.metadata("profile_embeddings", result.run_id)
    named = f"profile {one['id']} seeking"
    assert [of["not_finite_texts"] for of in metadata.values() if of["not_finite"]] == [named]
    assert renamed.total("profile_embeddings", result.run_id, "embedded_texts") == 1
    printed = io.StringIO()
    monkeypatch.setattr(console, "errors", Console(file=printed))
    console.show_outcome(Outcome(done={"profile_embeddings": {str(key): of for key, of in metadata.items()}}))
    assert f"warning: the model made no finite vector of {named}; such texts" in " ".join(printed.getvalue().split())
    for row in (one, other):
        renamed.sql("UPDATE profiles SET seeking = :seeking WHERE id = :id", **row)
    assert renamed.run("nightly", NIGHTLY).success
    assert_equal_to_reference(renamed)
