"""Whole databases as nobody would make them up, within what the types of their columns admit."""

import json
import math
import reprlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.profile_strategies import ROLES, TEXTS, TIERS

RANGES = (("0", "4"), ("4", "8"), ("8", "c"))
"""Neighbours of the 4 ranges."""
MODELS = ("sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-large-en-v1.5", "", None)
DIMENSION = 384


@dataclass(frozen=True)
class Whole:
    """The rows of both tables, values as Postgres reads them from text, and the two ranges that all of them are in."""

    ranges: tuple[str, str]
    profiles: list[dict[str, str | None]]
    matches: list[dict[str, str | None]]

    def __repr__(self) -> str:
        """With long texts cut short."""
        short = reprlib.Repr(maxstring=80, maxlist=99, maxdict=99, maxother=80, maxlevel=9)
        return f"Whole({self.ranges}, {short.repr(self.profiles)}, {short.repr(self.matches)})"


_HUGE = st.sampled_from([
    "growth " * 14_000, "x" * 100_000, "健康 " * 33_000, "they’re 🤝🏽 " * 10_000, " " * 100_000,
    "\n\n" * 50_000 + "coaches",
    "a\u0301" * 50_000, "".join(f"word{k} " for k in range(10_000)),
])  # fmt: skip
_SCRIPTS = st.sampled_from([
    "نحن نساعد المدربين على النمو", "אנחנו עוזרים למאמנים", "เราช่วยโค้ช", "\u202eright to left\u202c",
    "e\u0301\u0301\u0301",
    "\ufeffcoaches", "zero\u200bwidth\u200djoiner", "\x1b[31mred\x07\x08", "\x85next\u2028line", "\x1c\x1d\x1e\x1f",
    "\ud7ff\ue000\uffff\U0010ffff", "'; DROP TABLE profiles; --", '{"a": 1}', "NULL", "\\N", "%s :low $1",
    "<script>", "=1+1",
    "ǅungla ﬁnance ŉ ẞ", "I\u0307stanbul ıI", "٣٤٥٦ ²³⁴⁵", "five5", "    tiny    ", "1234", "12345",
])  # fmt: skip


def _texts(value: object) -> str | None:
    """What is left of odd values in a column of texts; Postgres has no NUL."""
    return value.replace("\x00", "\x01") if isinstance(value, str) else None


_TEXT = st.one_of(TEXTS.map(_texts), st.text(max_size=30).map(_texts), _SCRIPTS, _HUGE)
_INTEGER = st.one_of(
    st.none(),
    st.sampled_from([-(2**31), 2**31 - 1, -1, 0, 1, 999, 1_000, 9_999, 10_000, 50_000, 100_000]),
    st.integers(-(2**31), 2**31 - 1),
).map(lambda value: None if value is None else str(value))
_DOUBLE = st.one_of(
    st.none(),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "1", "0.3", "0.7"]),
    st.floats(0, 1).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_SCRIPTS, inner, max_size=3)),
    max_leaves=6,
).map(lambda value: json.dumps(value, ensure_ascii=False))
# What Python's json cannot read, such as a number of 5,000 digits, fails its range (tests/assets/test_assets.py).
_JSONB = st.one_of(
    st.none(),
    _JSON,
    st.lists(st.just({}), max_size=5).map(json.dumps),
    st.sampled_from(
        ["null", "[]", "{}", '""', "[null]", "[[]]", "1e400", "-1e400", "1" * 4_000, "[" * 400 + "]" * 400]
    ),
)
_ARRAY = st.one_of(
    st.none(),
    st.sampled_from(
        ["{}", "{NULL}", '{""}', "{{a,b},{c,d}}", "[5:6]={a,b}", "{{{NULL}}}", "{" + "tag," * 5_000 + "tag}"]
    ),
    st.lists(st.sampled_from(["a", "two words", 'quote"', "back\\", ""]), max_size=3).map(
        lambda values: "{" + ",".join(json.dumps(value) for value in values) + "}"
    ),
)
_TIME = st.sampled_from([None, "infinity", "-infinity", "4713-01-01 00:00:00+00 BC", "294276-12-31 23:59:59+00", "now"])
_NUMERIC = st.sampled_from([None, "NaN", "0", "-999.99", "999.99", "50.005", "64.17"])
_OF_TYPE = {
    "text": _TEXT,
    "text[]": _ARRAY,
    "integer": _INTEGER,
    "double precision": _DOUBLE,
    "jsonb": _JSONB,
    "timestamptz": _TIME,
    "numeric(5,2)": _NUMERIC,
}
_VECTOR = st.one_of(
    st.none(),
    st.sampled_from([0.0, 1.0, -1.0, 1e-38, 3e38, 1e-45]).map(lambda value: [value] * DIMENSION),
    st.integers(0, 99).map(lambda k: [float(place == k) for place in range(DIMENSION)]),
    st.integers(0, 99).map(lambda k: [math.sin(k * place) for place in range(1, DIMENSION + 1)]),
).map(lambda vector: None if vector is None else str(vector))
_CONTEXT = st.one_of(
    st.none(),
    st.sampled_from(
        ["null", "[]", '"text"', "7", "{}", '{"scoring_version": 3}', '{"inputs_hash": {"a": [1]}}', "1" * 5_000]
    ),
    st.sampled_from(['{"policy": "harmonic/impute", "scoring_version": "ismc_v2_embeddings", "inputs_hash": "odd"}']),
)

_PROFILE = st.fixed_dictionaries(
    {"name": _TEXT.map(lambda value: value or "")},
    optional={name: _OF_TYPE[kind] for name, kind in PROFILE_COLUMNS.items() if name not in ("id", "name")}
    | {"network_role": ROLES.map(_texts), "revenue_tier": TIERS.map(_texts)}
    | {f"embedding_{name}": _VECTOR for name in EMBEDDED_FIELDS}
    | {"embeddings_model": st.sampled_from(MODELS), "embeddings_updated_at": _TIME},
)
_IDS = ("id", "profile_id", "suggested_profile_id")
_MATCH = st.fixed_dictionaries(
    {}, optional={name: _OF_TYPE[kind] for name, kind in MATCH_COLUMNS.items() if name not in _IDS}
)
_SCORED = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(["score_ab", "score_ba", "harmonic_mean"], _NUMERIC), "match_context": _CONTEXT}
)


@st.composite
def whole_databases(draw: st.DrawFn) -> Whole:
    """A few profiles, and matches among them, with themselves and with others that are gone."""
    first, second = draw(st.sampled_from(RANGES))
    ids = _ids(first, second)
    profile_ids = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    anybody = st.one_of(st.sampled_from(profile_ids), st.sampled_from(profile_ids), st.uuids().map(str))
    profiles = [{"id": one, **draw(_PROFILE)} for one in profile_ids]
    matches = []
    for one in draw(st.lists(ids, max_size=10, unique=True)):
        a, b = draw(anybody), draw(anybody)
        match: dict[str, Any] = {"id": one, "profile_id": a, "suggested_profile_id": b, **draw(_MATCH)}
        if a != b and a in profile_ids and b in profile_ids:
            match |= draw(_SCORED)
        matches.append(match)
    return Whole((first, second), profiles, matches)


def _ids(first: str, second: str) -> st.SearchStrategy[str]:
    """Ids of the two ranges: their first, their last, their neighbours and any other."""
    low, middle = int(first.ljust(32, "0"), 16), int(second.ljust(32, "0"), 16)
    high = middle + (middle - low) - 1
    borders = [low, low + 1, middle - 1, middle, middle + 1, high - 1, high]
    return st.one_of(st.sampled_from(borders), st.integers(low, high)).map(lambda number: str(UUID(int=number)))
