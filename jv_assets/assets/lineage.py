"""Column lineage for Dagster's UI: from each published score back to the texts it came from."""

from collections.abc import Iterable, Mapping

import dagster as dg

from jv_assets import names
from jv_scoring.text import EMBEDDED_FIELDS

_SCORES = ("score_ab", "score_ba", "harmonic_mean")
_WORDS = ("seeking", "offering", "who_you_serve")
_FEATURES = ("intent", "momentum", "context", "role", "tier", *(f"words_{name}" for name in _WORDS))


def _lineage(columns: Mapping[str, Iterable[tuple[str, str]]]) -> dg.TableColumnLineage:
    deps = {
        column: [dg.TableColumnDep(dg.AssetKey(asset.split("/")), name) for asset, name in sources]
        for column, sources in columns.items()
    }
    return dg.TableColumnLineage(deps_by_column=deps)


EMBEDDINGS = _lineage({f"embedding_{name}": [("production/profiles", name)] for name in EMBEDDED_FIELDS})
PROFILES = _lineage(
    {f"words_{name}": [("production/profiles", name)] for name in _WORDS}
    | {"role": [("production/profiles", "network_role")], "tier": [("production/profiles", "revenue_tier")]}
)
_SOURCES = [
    *((names.PROFILE_EMBEDDINGS, f"embedding_{name}") for name in EMBEDDED_FIELDS),
    *((names.PROFILES, name) for name in _FEATURES),
]
MATCHES = _lineage(dict.fromkeys((*_SCORES, "match_context"), _SOURCES))
CANDIDATES = _lineage(dict.fromkeys(_SCORES, _SOURCES))
PUBLISHED = _lineage({name: [(names.MATCH_SCORES, name)] for name in (*_SCORES, "match_context")})
