"""The library by itself: what programs give it is right, or a ValueError that names the field and what was found."""

import re
import uuid
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pgvector import Vector

from jv_scoring import calibration_of, prepare, score_pair, score_pairs
from tests.support.profile_strategies import BGE, MINILM

ROOT = Path(__file__).resolve().parents[2]
A, B = str(uuid.UUID(int=2**100 + 0xABC)), str(uuid.UUID(int=2**101 + 0xDEF))
VECTOR = np.linspace(-1, 1, 1024).astype(np.float32)
PLAIN: dict[str, Any] = {
    "name": "Kelsol",
    "seeking": "podcast guests",
    "offering": "coaching",
    "tags": ["a"],
    "jv_history": [{}, {}],
    "audience_engagement_score": 0.7,
    "list_size": 12000,
    "social_reach": None,
    "embedding_seeking": VECTOR,
    "embedding_offering": VECTOR,
}
PAIR = {"id": "m", "profile_id": A, "suggested_profile_id": B}


def frame(*rows: dict[str, Any], ids: tuple[Any, ...] = (A, B)) -> pd.DataFrame:
    columns = {name: pd.Series([row.get(name) for row in rows], ids, dtype=object) for name in rows[0]}
    return pd.DataFrame(columns, pd.Index(ids, dtype=object))


def scores(of_a: dict[str, Any]) -> tuple[float, float]:
    """The match's score by the reference and by the engine, which agree."""
    pair = score_pair(of_a, PLAIN)
    (row,) = score_pairs(frame({**PLAIN, **of_a}, PLAIN), pd.DataFrame([PAIR])).to_dict("records")
    assert (row["score_ab"], row["score_ba"], row["harmonic_mean"]) == (
        pair.score_ab,
        pair.score_ba,
        pair.harmonic_mean,
    )
    return pair.harmonic_mean, pair.score_ba


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("audience_engagement_score", value) for value in (Decimal("0.7"), np.float64(0.7), Fraction(7, 10))),
        *(("audience_engagement_score", value) for value in (np.array(0.7), pd.Series([0.7]).iloc[0])),
        *(("list_size", value) for value in (Decimal(12000), np.int32(12000), np.float32(12000), 12000.0)),
        *(("social_reach", value) for value in (pd.NA, pd.NaT, np.nan, None, Decimal("NaN"), Decimal("sNaN"))),
        ("social_reach", np.float32("nan")),
        *(("tags", value) for value in (np.array(["a"]), np.array(["a"], object), ("a",), pd.Series(["a"]), {"a"})),
        ("tags", pd.array(["a"], dtype="string")),
        *(("jv_history", value) for value in (np.array([{}, {}], object), ({}, {}), pd.Series([{}, {}]).array)),
        ("seeking", np.str_("podcast guests")),
        *(("embedding_seeking", value) for value in (VECTOR.tolist(), VECTOR.astype(np.float64), tuple(VECTOR))),
        ("embedding_seeking", Vector(VECTOR)),
        ("embedding_seeking", Vector(VECTOR).to_text()),
        ("embedding_seeking", pd.Series(VECTOR)),
        ("embedding_seeking", [Decimal(float(number)) for number in VECTOR]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:20],
)
def test_a_value_of_another_type_is_what_it_says(field: str, value: object) -> None:
    assert scores({**PLAIN, field: value}) == scores(PLAIN)


@pytest.mark.parametrize("null", [None, pd.NA, pd.NaT, np.nan])
@pytest.mark.parametrize("field", PLAIN)
def test_every_null_is_one(field: str, null: object) -> None:
    assert scores({**PLAIN, field: null}) == scores({**PLAIN, field: None})


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("list_size", 10**400, "int too large to convert to float"),
        ("list_size", Decimal("1e400"), "a number too large"),
        ("list_size", "12", "a str where a number belongs"),
        ("social_reach", [1], "a list where a number belongs"),
        ("audience_engagement_score", 1j, "a complex where a number belongs"),
        *(("tags", value, "where a list belongs") for value in (b"a", {"a": 1}.keys(), iter(["a"]), Decimal(1))),
        ("phone", 49123456, "an int where a text belongs"),
        ("seeking", b"podcast guests", "a bytes where a text belongs"),
        ("embedding_seeking", [], "a vector without numbers; None stands for no vector"),
        ("embedding_seeking", "[]", "a vector without numbers; None stands for no vector"),
        ("embedding_seeking", "0.1,0.2", "a text where a vector belongs, such as"),
        ("embedding_seeking", "[a,b]", "a text with something else than numbers"),
        ("embedding_seeking", [[1.0] * 1024], "an array of 2 dimensions where a vector has one"),
        ("embedding_seeking", [10**400] * 1024, "too large"),
        ("embedding_seeking", ["a"], "not numbers alone, where a vector belongs"),
        ("embedding_seeking", 7, "an int where a vector belongs"),
        ("embedding_seeking", {"a": 1}, "a dict where a vector belongs"),
    ],
)
def test_a_value_that_a_field_cannot_hold_is_named(field: str, value: object, said: str) -> None:
    wrong = {**PLAIN, field: value}
    with pytest.raises(ValueError, match=rf"^a, {field}: .*{re.escape(said)}"):
        score_pair(wrong, PLAIN)
    with pytest.raises(ValueError, match=rf"^b, {field}: .*{re.escape(said)}"):
        score_pair(PLAIN, wrong)
    for use in (prepare, lambda profiles: score_pairs(profiles, pd.DataFrame([PAIR]))):
        with pytest.raises(ValueError, match=rf"^profile {A}, {field}: .*{re.escape(said)}"):
            use(frame(wrong, {**PLAIN, field: None}))


@pytest.mark.parametrize("spelled", [uuid.UUID, str.upper, str.title, str])
@pytest.mark.parametrize("indexed", [uuid.UUID, str.upper, str])
def test_ids_are_ids_however_they_are_written(spelled: Any, indexed: Any) -> None:
    profiles = frame(PLAIN, PLAIN, ids=(indexed(A), indexed(B)))
    pairs = pd.DataFrame([{"id": "m", "profile_id": spelled(A), "suggested_profile_id": spelled(B)}])
    scored = score_pairs(profiles, pairs)
    assert scored.attrs["unscorable"] == {}
    assert scored[["id", "profile_id", "suggested_profile_id"]].to_numpy().tolist() == [["m", A, B]]


def test_ids_of_another_kind_are_told_and_profiles_that_are_gone_are_not() -> None:
    profiles = frame(PLAIN, PLAIN, ids=(1, 2))
    with pytest.raises(ValueError, match="pairs names profiles by str, and profiles is indexed by int"):
        score_pairs(profiles, pd.DataFrame([PAIR]))
    pairs = pd.DataFrame([{"id": 7, "profile_id": 1, "suggested_profile_id": 3}])
    assert score_pairs(profiles, pairs).attrs["unscorable"] == {7: "profile gone"}
    assert len(score_pairs(profiles, pairs.assign(suggested_profile_id=2))) == 1
    assert len(score_pairs(frame(PLAIN, PLAIN), pd.DataFrame([PAIR]).iloc[:0])) == 0


PAIRS = pd.DataFrame([PAIR])


@pytest.mark.parametrize(
    ("profiles", "pairs", "said"),
    [
        (frame(PLAIN, PLAIN).reset_index(names="id"), PAIRS, "profiles has its ids in the column id, not as"),
        (frame(PLAIN, PLAIN).rename(columns={"seeking": "seekng"}), PAIRS, "profiles has no seeking, but seekng"),
        (frame(PLAIN, PLAIN).rename(columns={"seeking": "Seeking"}), PAIRS, "profiles has no seeking, but Seeking"),
        (
            frame(PLAIN, PLAIN).rename(columns={"embedding_seeking": "embeddings_seeking"}),
            PAIRS,
            "profiles has no embedding_seeking, but embeddings_seeking: rename",
        ),
        (pd.DataFrame({"x": [1]}, ["p"]), PAIRS, "profiles has none of the columns that scores depend on; it has x"),
        (pd.concat([frame(PLAIN, PLAIN)] * 2, axis=1)[["seeking"]], PAIRS, "profiles has the column seeking twice"),
        (frame(PLAIN, PLAIN), pd.concat([PAIRS, PAIRS[["profile_id"]]], axis=1), "pairs has the column profile_id twi"),
        ([PLAIN, PLAIN], PAIRS, "profiles is of type list: give pd.DataFrame"),
        ({A: PLAIN}, PAIRS, "profiles is of type dict: give pd.DataFrame"),
        (frame(PLAIN, PLAIN, ids=(A, A)), PAIRS, "profiles are indexed by id, and an id is there twice"),
        (frame(PLAIN, PLAIN, ids=(A, A.upper())), PAIRS, "profiles are indexed by id, and an id is there twice"),
        (frame(PLAIN, PLAIN), [PAIR], "pairs is of type list: give pd.DataFrame"),
        (frame(PLAIN, PLAIN), PAIRS[["id", "profile_id"]], "no column suggested_profile_id; it has id, profile_id"),
        (frame(PLAIN, PLAIN), PAIRS.rename(columns={"profile_id": "profil_id"}), "has no profile_id, but profil_id"),
        (frame(PLAIN, PLAIN), pd.DataFrame(), "no column id, profile_id, suggested_profile_id; it has no columns"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_profiles_or_pairs_is_named(profiles: Any, pairs: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        score_pairs(profiles, pairs)


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (3, "no embedding model makes such"),
        (384, f"calibration_of('{MINILM}')"),
        (768, "there are calibrations for 1024 and 384"),
    ],
)
def test_vectors_of_another_model_are_not_scored_by_this_calibration(length: int, said: str) -> None:
    short = {**PLAIN, "embedding_seeking": VECTOR[:length], "embedding_offering": None}
    for use in (
        lambda: score_pair(short, PLAIN) if length > 3 else score_pairs(frame(PLAIN, short), PAIRS),
        lambda: score_pairs(frame(short, short), PAIRS),
        lambda: score_pairs(prepare(frame(short, PLAIN)), PAIRS, calibration=calibration_of(BGE)),
    ):
        with pytest.raises(ValueError, match=rf"a vector of {length} numbers, .* makes 1024; {re.escape(said)}"):
            use()
    if length == 384:
        assert len(score_pairs(frame(short, short), PAIRS, calibration=calibration_of(MINILM))) == 1
        assert score_pair(short, short, calibration=calibration_of(MINILM)).harmonic_mean > 0


@pytest.mark.parametrize("given", [None, BGE])
def test_what_is_no_calibration_is_named(given: Any) -> None:
    for use in (
        lambda: score_pair(PLAIN, PLAIN, calibration=given),
        lambda: score_pairs(frame(PLAIN, PLAIN), PAIRS, calibration=given),
    ):
        with pytest.raises(ValueError, match=rf"^calibration is of type \w+: give calibration_of\('{BGE}'\)$"):
            use()


def test_a_misspelt_key_of_a_dict_and_what_is_no_dict() -> None:
    with pytest.raises(ValueError, match="a has no list_size, but listsize: rename it, or leave it out"):
        score_pair({"listsize": 7}, PLAIN)
    with pytest.raises(ValueError, match="b is of type list: give a dict of columns"):
        score_pair(PLAIN, [PLAIN])  # type: ignore[arg-type]
    assert score_pair(pd.Series(PLAIN), PLAIN) == score_pair(PLAIN, PLAIN)  # type: ignore[arg-type]
    others = {"id": A, "notes": "x", "role": "y", "business_size": "z", "updated_at": None, "embeddings_model": BGE}
    assert score_pair({**PLAIN, **others}, PLAIN) == score_pair(PLAIN, PLAIN)


WHOLE = 1_000_000


@pytest.mark.parametrize("pairs", [100_000, pytest.param(WHOLE, marks=pytest.mark.long)])
def test_the_cells_of_the_page_print_what_stands_below_them(capsys: pytest.CaptureFixture[str], pairs: int) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(cells) == page.count("```python")
    notebook: dict[str, object] = {}
    *before, (code, printed) = cells
    for cell, below in before:
        exec(compile(cell, "cell", "exec"), notebook)
        assert capsys.readouterr().out == below
    assert f"{WHOLE:_}" in code
    exec(compile(code.replace(f"{WHOLE:_}", str(pairs)), "cell", "exec"), notebook)
    said = capsys.readouterr().out
    assert (said == printed) == (pairs == WHOLE)
    assert said.split()[:2] == ["count", f"{pairs}.00"]
