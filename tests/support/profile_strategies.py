"""Profiles as nobody would make them up: columns null, odd, huge or in another script, vectors right at a step."""

import json
import math
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import strategies as st

from jv_scoring.similarity import CALIBRATIONS

Profile = dict[str, Any]
BGE, MINILM = "BAAI/bge-large-en-v1.5", "sentence-transformers/all-MiniLM-L6-v2"
DIMENSION = 16
"""Short vectors find the same mistakes as long ones, and quicker."""
LIMITS = sorted({limit for calibration in CALIBRATIONS.values() for limit, _ in calibration.steps})
SPELLINGS = sorted(json.loads(files("jv_scoring").joinpath("roles.json").read_text(encoding="utf-8"))["normalise"])

NULLS = st.sampled_from([None, None, math.nan, "", "  ", "\t\n", "\u3000"])
WORDS = st.sampled_from([
    "coaches", "Coaches", "speakers", "summit", "wellness", "growth", "with", "that", "YOUR", "they_them", "co-host",
    "naïve", "straße", "İstanbul", "курсы", "コーチング", "𝒷𝑜𝓁𝒹", "2024", "12345", "ab", "_", "____", "list-building",
    "they're", "mindset\x1fshift", "健康健康", "",
])  # fmt: skip
TEXTS = st.one_of(
    NULLS, st.lists(WORDS, max_size=9).map(" ".join), st.text(max_size=40), st.sampled_from([7, True, []])
)
NUMBERS = st.one_of(
    st.sampled_from(
        [None, math.nan, math.inf, -math.inf, -1, -0.5, 0, -0.0, 1, "12", True, np.float32(0.7), np.int64(5)]
    ),
    st.sampled_from([near for limit in (1_000, 10_000, 50_000, 100_000) for near in (limit - 1, limit, limit + 0.5)]),
    st.integers(0, 2**63),
    st.floats(0, 2),
    st.floats(),
)
LISTS = st.one_of(
    NULLS,
    st.lists(st.sampled_from(["a", "", None, {}]), max_size=4),
    st.lists(st.just("a"), max_size=4).map(tuple),
    st.lists(st.just("a"), max_size=4).map(lambda values: np.array(values, object)),
    st.sampled_from([{}, {"partner_name": "p"}, "[1, 2, 3]", 3, True]),
)
ROLES = st.one_of(
    st.sampled_from(SPELLINGS),
    st.sampled_from(SPELLINGS).map(lambda role: f" {role.upper()}\n"),
    st.sampled_from(["Wizard", "coach,speaker", 4, None, "", " "]),
)
TIERS = st.sampled_from(
    ["micro", "emerging", "established", "premium", "enterprise"] * 2
    + ["unknown", "Unknown", " unknown", "Micro", "huge", "", " ", None, math.nan, 3]
)


@st.composite
def edge_vectors(draw: st.DrawFn) -> npt.NDArray[np.floating]:
    """Vectors whose cosine with the first axis or with all ones is a calibration's step, give or take an ulp or two."""
    if draw(st.booleans()):  # with the vector of sixteen ones its cosine is sqrt(count) / 4: 0.75 at nine, exactly
        vector = np.repeat([1.0, 0.0], [9, DIMENSION - 9])
    else:
        limit = draw(st.sampled_from(LIMITS))
        vector = np.zeros(DIMENSION)
        vector[0], vector[draw(st.integers(1, DIMENSION - 1))] = limit, math.sqrt(1 - limit * limit)
    vector = (vector * draw(st.sampled_from([1, 0.1, 3.7, -1]))).astype(draw(st.sampled_from([np.float32, np.float64])))
    for _ in range(draw(st.integers(0, 2))):
        vector = np.nextafter(vector, draw(st.sampled_from([-1, 1])) * np.ones_like(vector))
    return vector


@st.composite
def random_vectors(draw: st.DrawFn) -> npt.NDArray[np.floating]:
    """Vectors about one of a few directions, of any length that a float can have."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    vector = np.ones(DIMENSION) + draw(st.sampled_from([0.1, 1, 3])) * rng.standard_normal(DIMENSION)
    vector *= draw(st.sampled_from([1, 1, 1, 1e-3, 1e-13, 1e13, 1e-30, 1e30, 1e-310, 1e-170, 1e170, 1e307]))
    return vector.astype(np.float32) if draw(st.booleans()) and np.abs(vector).max() < 1e38 else vector


def _with(value: float) -> list[float]:
    return [value, *[1.0] * (DIMENSION - 1)]


VECTORS = st.one_of(
    random_vectors(),
    edge_vectors(),
    st.one_of(random_vectors(), edge_vectors()).map(lambda vector: vector.tolist()),
    st.sampled_from([None, math.nan, [1.0] * DIMENSION, _with(0.0), np.eye(DIMENSION, dtype=np.float32)[0]]),
    st.sampled_from([[0.0] * DIMENSION, _with(math.nan), _with(math.inf), _with(-math.inf), [1] * DIMENSION]),
    st.sampled_from([[1.0, 2.0], [0.0], [], (3.0,) * 17, np.zeros(3, np.float32), "[1, 2, 3]"]),
)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["name", "email", "phone", "company", "website", "linkedin", "niche", "bio"], TEXTS),
    **dict.fromkeys(["audience_type", "signature_programs", "booking_link", "current_projects"], TEXTS),
    **dict.fromkeys(["seeking", "offering", "who_you_serve", "what_you_do"], TEXTS),
    **dict.fromkeys(["audience_engagement_score", "social_reach", "list_size"], NUMBERS),
    **dict.fromkeys(["jv_history", "tags", "content_platforms"], LISTS),
    "network_role": ROLES,
    "revenue_tier": TIERS,
    **dict.fromkeys(
        ["embedding_seeking", "embedding_offering", "embedding_who_you_serve", "embedding_what_you_do"], VECTORS
    ),
}
PROFILES = st.fixed_dictionaries({}, optional=COLUMNS)
"""Any profile; a column may be absent."""


def populations(least: int = 1, most: int = 4) -> st.SearchStrategy[list[Profile]]:
    return st.lists(PROFILES, min_size=least, max_size=most)


def frame(profiles: Sequence[Profile], ids: Sequence[str] | None = None) -> pd.DataFrame:
    """Profiles as the engine takes them, every value as it is; named p0, p1, … unless told otherwise."""
    columns = {name: [profile.get(name) for profile in profiles] for name in COLUMNS}
    index = pd.Index(ids if ids is not None else [f"p{k}" for k in range(len(profiles))], dtype=object)
    return pd.DataFrame({name: pd.Series(values, index, dtype=object) for name, values in columns.items()}, index)


def pairs_of(*places: tuple[int, int]) -> pd.DataFrame:
    """Matches m0, m1, … between the profiles at these places."""
    return pd.DataFrame(
        {
            "id": [f"m{k}" for k in range(len(places))],
            "profile_id": [f"p{a}" for a, _ in places],
            "suggested_profile_id": [f"p{b}" for _, b in places],
        },
        dtype=object,
    )


def everyone_with_everyone(count: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(count) for b in range(count) if a != b]


def seeded_population(count: int, dimension: int, seed: int) -> list[Profile]:
    """Profiles with normal vectors of a real length, of which pairs reach every step; some lack one."""
    rng = np.random.default_rng(seed)
    pick: Callable[[Sequence[Any]], Any] = lambda values: values[rng.integers(len(values))]  # noqa: E731
    words = ["coaches", "speakers", "summit", "wellness", "growth", "affiliate", "mindset", "podcast", "with", "your"]
    themes = rng.standard_normal((4, dimension))

    def vector() -> npt.NDArray[np.float32] | None:
        if rng.random() < 0.1:
            return None
        drawn = themes[0] + rng.uniform(0, 1.5) * pick(themes) + rng.uniform(0.2, 1) * rng.standard_normal(dimension)
        return (drawn / np.linalg.norm(drawn)).astype(np.float32)

    return [
        {name: pick([None, "", "some text"]) for name in COLUMNS}
        | {name: " ".join(rng.choice(words, rng.integers(1, 8))) for name in ("seeking", "offering", "who_you_serve")}
        | {name: pick([None, 0, 500, 5_000, 70_000]) for name in ("social_reach", "list_size")}
        | {
            "audience_engagement_score": pick([None, round(rng.random(), 3)]),
            "jv_history": [{}] * int(rng.integers(5)),
            "tags": pick([None, ["a"]]),
            "content_platforms": pick([None, {}, {"a": 1}]),
            "network_role": pick(SPELLINGS),
            "revenue_tier": pick(["micro", "emerging", "premium", "unknown", None]),
        }
        | {name: vector() for name in COLUMNS if name.startswith("embedding_")}
        for _ in range(count)
    ]
