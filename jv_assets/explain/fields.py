"""An explanation as data, for `--json`."""

from typing import Any

from jv_assets.explain.explanation import Explanation


def fields(explanation: Explanation) -> dict[str, Any]:
    """Return what the terminal shows; `scores` has one entry per column of its tables."""
    stored = explanation.stored
    return {
        "match": explanation.match_id,
        "profiles": explanation.profiles,
        "names": explanation.names,
        "policy": explanation.policy,
        "model": explanation.model,
        "scored_at": stored and stored.scored_at,
        "stale": explanation.stale,
        "changes": explanation.changes,
        "notes": explanation.notes,
        "scores": [
            {
                "label": version.label,
                "policy": version.policy,
                "score_ab": version.pair.score_ab,
                "score_ba": version.pair.score_ba,
                "harmonic_mean": version.pair.harmonic_mean,
                "breakdown_ab": version.pair.breakdown_ab,
                "breakdown_ba": version.pair.breakdown_ba,
            }
            for version in explanation.versions
        ],
        "holds": {name: {"a": a, "b": b} for name, (a, b) in explanation.sizes.items()},
    }
