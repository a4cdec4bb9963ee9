"""The code version: whoever changes what the code makes of the same inputs must raise it, and nobody else needs to.

The golden file has a digest of each column of the rows of `profiles` and `match_scores`, by code version. To add
those of a new version, raise CODE_VERSION and run `.venv/bin/python tests/pipeline/test_code_version.py`.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jv_assets.pipeline.changes import STORED_COLUMNS
from jv_assets.pipeline.scoring import features_of, score_matches
from jv_assets.pipeline.texts.profile_columns import irregular_values
from jv_assets.pipeline.texts.text_lengths import text_lengths
from jv_scoring.policy import CODE_VERSION, POLICIES
from jv_scoring.prepare import prepare

GOLDEN = Path(__file__).parent / "golden_rows.json"
MODEL = "BAAI/bge-large-en-v1.5"
PROFILES, MATCHES = 77, 400
TEXTS = [
    "coaches for growth", None, "Speakers; podcast hosts, and their summits", "", "n/a", "  ", "健康コーチング",
    "growth growth", "they're list-building with YOUR audience", "wellness", "a b c", "\u200b",
    "naïve straße İstanbul",
]  # fmt: skip
NUMBERS = [None, 0, 999, 1_000, 5_000, 10_000, 49_999.5, 100_000, -1, float("nan"), float("inf"), 1e300]
# Pairs of these have cosines of few digits, which every machine computes alike to more than is compared.
VECTORS = [None, (1, 0, 0, 0), (0.6, 0.8, 0, 0), (0.8, 0.6, 0, 0), (0, 0, 0, 0), (0.5, 0.5, 0.5, 0.5), (-1, 0, 0, 0)]
COLUMNS: dict[str, list[Any]] = {
    **{name: TEXTS[k:] + TEXTS[:k] for k, name in enumerate(("seeking", "offering", "who_you_serve", "what_you_do"))},
    **{name: ["some", None, ""] for name in ("name", "email", "phone", "company", "website")},
    **{name: [None, "text", "some text", " "] for name in ("linkedin", "niche", "bio", "audience_type")},
    **{name: ["x", None, "", None, "\t"] for name in ("signature_programs", "booking_link", "current_projects")},
    "audience_engagement_score": [None, 0.0, 0.35, 1.0, 0.999, 4.2, -1.0, float("nan")],
    "social_reach": NUMBERS,
    "list_size": NUMBERS[5:] + NUMBERS[:5],
    "jv_history": [None, [], [{}], [{}, {}, {}], [{}] * 9, {"count": 4}, "two"],
    "tags": [None, [], ["a"], ["a", "b", None]],
    "content_platforms": [None, {}, {"a": 1}, ["a"], []],
    "network_role": ["coach", "Speaker", None, "wizard", "affiliate", " AUTHOR ", ""],
    "revenue_tier": ["micro", "emerging", None, "established", "premium", "enterprise", "unknown", "huge", "Micro"],
    **{
        name: VECTORS[k:] + VECTORS[:k]
        for k, name in enumerate(
            ("embedding_seeking", "embedding_offering", "embedding_who_you_serve", "embedding_what_you_do")
        )
    },
}


def profiles() -> pd.DataFrame:
    """Profiles of which each has its own mix of odd and usual values."""
    ids = pd.Index([f"p{k:02}" for k in range(PROFILES)], dtype=object, name="id")
    return pd.DataFrame(
        {
            name: pd.Series([values[k % len(values)] for k in range(PROFILES)], ids, dtype=object)
            for name, values in COLUMNS.items()
        }
    )


def matches() -> pd.DataFrame:
    """Pairs of profiles at many distances, one of each reason not to be scored among them."""
    a = [k % PROFILES for k in range(MATCHES)]
    b = [(place + 1 + k * 11 // PROFILES) % PROFILES for k, place in enumerate(a)]
    frame = pd.DataFrame({"id": [f"m{k:03}" for k in range(MATCHES)]}, dtype=object)
    frame["profile_id"], frame["suggested_profile_id"] = ([f"p{k:02}" for k in side] for side in (a, b))
    frame.loc[0, "suggested_profile_id"] = frame.loc[0, "profile_id"]
    frame.loc[1, "profile_id"] = "gone"
    return frame.assign(**dict.fromkeys(STORED_COLUMNS, np.nan))


def digests() -> dict[str, dict[str, str]]:
    """By kind of row, a digest of each column, without the moment of scoring."""
    people = profiles()
    listed = people.reset_index()
    rows = features_of(listed).reset_index().assign(**text_lengths(listed), **irregular_values(listed))
    found = {"profiles": _of_columns(rows)}
    for policy in POLICIES:
        scored = score_matches(prepare(people), matches(), MODEL, policy)
        contexts = [_without_moment(context) for context in scored.rows["match_context"]]
        found[f"match_scores, {policy}"] = _of_columns(
            scored.rows.drop(columns=["code_version"]).assign(match_context=contexts)
        ) | {"skipped": _digest(sorted(scored.skipped.items()))}
    return found


def _without_moment(context: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(context).items() if name != "scored_at"}


def _of_columns(rows: pd.DataFrame) -> dict[str, str]:
    return {name: _digest(rows[name].tolist()) for name in sorted(rows)}


def _digest(values: Any) -> str:
    return sha256(json.dumps(_plain(values), sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """The value as JSON has it; of floats the six decimals that do not depend on the machine."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return repr(round(float(value), 6))
    return value if value is None or isinstance(value, (str, int, bool)) else repr(value)


def test_results_change_only_with_the_code_version() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert CODE_VERSION in golden, "add the rows of the new code version as this module's docstring says"
    now = digests()
    before = golden[CODE_VERSION]
    changed = {
        kind: [
            name for name in {*columns, *before.get(kind, {})} if columns.get(name) != before.get(kind, {}).get(name)
        ]
        for kind, columns in now.items()
    }
    assert {kind: names for kind, names in changed.items() if names} == {}, "raise CODE_VERSION in jv_scoring/policy.py"
    assert now.keys() == before.keys()


def test_the_golden_rows_reach_what_is_odd() -> None:
    scored = score_matches(prepare(profiles()), matches(), MODEL, "harmonic/impute")
    assert set(scored.skipped.values()) == {"profile gone", "matched with itself"}
    assert {"semantic", "word_overlap"} <= set(scored.rows["offering_seeking_method_ab"])
    assert scored.rows["harmonic_mean"].nunique() > 200


def _add() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    if golden.get(CODE_VERSION, now := digests()) != now:
        raise SystemExit(f"version {CODE_VERSION} has other rows already: raise CODE_VERSION in jv_scoring/policy.py")
    GOLDEN.write_text(json.dumps(golden | {CODE_VERSION: now}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _add()
