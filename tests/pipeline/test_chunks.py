"""Memory holds some thousands of rows at a time, however many a range has, and the results are the same."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jv_assets.assets import published_scores
from jv_assets.pipeline.changes import CONTEXT, FormerRows
from jv_assets.pipeline.database import id_spans
from jv_assets.reports import impact_rows
from jv_assets.reports.tallies import TALLIED
from jv_assets.resources import range_file
from jv_assets.resources.range_file import RangeFile
from tests.support.pipelines import KEYS, Pipeline, assert_equal_to_reference, nightly_done, versions

AT_ONCE = 20
ASSETS = ("profiles", "profile_embeddings", "match_scores", "published_scores")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("chunks")) as pipeline:
        yield pipeline


def everything(whole: Pipeline) -> list[pd.DataFrame]:
    """What all files hold, but for contexts, which nobody is to write again."""
    names = ("profiles", "match_scores", *TALLIED)
    files = [whole.files.read(name, key).drop(columns=CONTEXT, errors="ignore") for name in names for key in KEYS]
    return [rows.astype(object) for rows in files]  # categories of one chunk are text in several


def in_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, rows in (
        (range_file, "ROW_GROUP", AT_ONCE),
        (published_scores, "ROW_GROUP", AT_ONCE),
        (range_file, "CHUNK", 2 * AT_ONCE),
        (id_spans, "ROWS", AT_ONCE),
        (impact_rows, "_CHUNK", AT_ONCE),
    ):
        monkeypatch.setattr(module, name, rows)


def test_no_more_rows_are_held_than_a_chunk_has(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions(whole)
    assert whole.run().success  # all rows are reused in what follows
    assert whole.run("report", TALLIED).success
    at_once = everything(whole)
    held: list[int] = []

    def counted(read: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
        def counting(self: RangeFile, columns: Sequence[str] | None = None, *more: Any, **named: Any) -> pd.DataFrame:
            rows = read(self, columns, *more, **named)
            held.append(len(rows))
            return rows

        return counting

    in_small_chunks(monkeypatch)
    for name in ("profiles", "match_scores"):  # in row groups of that size
        for key in KEYS:
            with whole.files.opened(name, key) as file:
                rows, metadata = file.read(), file.metadata
            whole.files.write(name, key, rows, metadata)
    monkeypatch.setattr(RangeFile, "read", counted(RangeFile.read))
    result = whole.run("nightly", ASSETS)
    assert result.success
    assert whole.run("report", TALLIED).success
    assert versions(whole) == before
    assert len(held) > 50
    assert max(held) <= 2 * AT_ONCE
    monkeypatch.undo()
    for one, other in zip(at_once, everything(whole), strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert_equal_to_reference(whole)


def scored_anew(whole: Pipeline) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of all files, and of the database, once every match is scored and written anew."""
    whole.sql(
        "UPDATE match_suggestions SET (score_ab, score_ba, harmonic_mean, match_context) = (NULL, NULL, NULL, NULL)"
    )
    assert whole.run().success
    files = pd.concat([whole.files.read("match_scores", key).astype(object) for key in KEYS], ignore_index=True)
    stored = pd.DataFrame(
        map(
            dict,
            whole.sql(
                "SELECT id::text, score_ab, score_ba, harmonic_mean, match_context - 'scored_at' AS context "
                "FROM match_suggestions ORDER BY id"
            ),
        )
    )
    return files.drop(columns=[CONTEXT, "stored_row"]), stored


def test_scores_that_are_written_in_chunks_are_the_same(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = scored_anew(whole)
    in_small_chunks(monkeypatch)
    in_chunks = scored_anew(whole)
    for one, other in zip(at_once, in_chunks, strict=True):  # a text that is absent is None or NaN
        pd.testing.assert_frame_equal(one.where(one.notna(), None), other.where(other.notna(), None))
    assert assert_equal_to_reference(whole) > 850


def test_intervals_cover_all_ids_and_hold_so_many_rows(whole: Pipeline) -> None:
    spans = list(id_spans.id_spans(whole.database, "match_suggestions", rows=100))
    assert (spans[0][0], spans[-1][1]) == (id_spans.FIRST, id_spans.LAST)
    assert all(id_spans.after(one[1]) == other[0] for one, other in pairwise(spans))
    count = "SELECT count(*) FROM match_suggestions WHERE id BETWEEN :low AND :high"
    counts = [whole.sql(count, low=low, high=high)[0]["count"] for low, high in spans]
    assert max(counts) == 100
    assert sum(counts) == len(versions(whole))
    nothing = str(id_spans.LAST)
    assert list(id_spans.id_spans(whole.database, "match_suggestions", nothing, nothing)) == [(nothing, nothing)]


def test_former_rows_are_handed_out_once_and_in_order() -> None:
    ids = [f"{number:04d}" for number in range(0, 100, 2)]
    rows = pd.DataFrame({"id": ids, "number": np.arange(50)})
    former = FormerRows((rows.iloc[start : start + 7] for start in range(0, 50, 7)), rows.iloc[:0])
    parts = [former.until(high) for high in ("0000", "0001", "0031", "0099", "9999")]
    assert [len(part) for part in parts] == [1, 0, 15, 34, 0]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), rows)
