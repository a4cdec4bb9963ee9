"""The columns on the way of a score: from the texts and numbers of the profiles to the published scores."""

from collections.abc import Sequence

from jv_assets.assets.columns import Column, Sources, copied, joined, several
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PROFILES
from jv_assets.pipeline.texts.profile_columns import IRREGULAR_COLUMNS
from jv_scoring.engine import DIRECTIONS
from jv_scoring.factors import CONTEXT, FIELDS_COUNTED, INTENT, MOMENTUM
from jv_scoring.prepare import NULLS
from jv_scoring.text import EMBEDDED_FIELDS

PEOPLE, PAIRS = "production/profiles", "production/match_suggestions"
_VECTORS = [f"embedding_{name}" for name in EMBEDDED_FIELDS]
_WORDS = {"seeking": ["seeking"], "offering": ["offering", "what_you_do"], "who_you_serve": ["who_you_serve"]}
_FIELDS = {
    **{name: [name] for name in ("jv_history", "booking_link", "website", "social_reach", "list_size")},
    **FIELDS_COUNTED,
    "audience_engagement": ["audience_engagement_score"],
    "active_projects": ["current_projects"],
    "revenue_known": ["revenue_tier"],
    "contact_available": ["email", "linkedin", "phone"],
}
"""By factor that depends on one profile: the columns of the table profiles that it reads."""
_DIMENSIONS = {"intent": INTENT, "momentum": MOMENTUM, "context": CONTEXT}


def _of_dimension(name: str) -> Sources:
    return joined(*({PEOPLE: _FIELDS[factor.column]} for factor in _DIMENSIONS[name]))


def _profile_columns() -> list[Column]:
    columns = [Column("id", "uuid", "the profile", {PEOPLE: ["id"]})]
    for name, fields in _FIELDS.items():
        columns.append(Column(name, "double", "a factor, 0-10; null: no data", {PEOPLE: fields}, "factor"))
    for name, dimension in [*zip(_DIMENSIONS, _DIMENSIONS, strict=True), ("momentum_redistribute", "momentum")]:
        sources = _of_dimension(dimension)
        columns.append(Column(name, "double", "a dimension, 0-10", sources, "weighted mean of the factors"))
        columns.append(Column(f"{name}_json", "text", "the same as a fragment of match_context", sources, "as JSON"))
    columns += [
        Column("role", "text", "normalised; null: unknown", {PEOPLE: ["network_role"]}, "normalised by the role table"),
        Column("tier", "text", "null: unknown", {PEOPLE: ["revenue_tier"]}),
    ]
    for name, fields in _WORDS.items():
        columns.append(Column(f"words_{name}", "text", "for word overlap", {PEOPLE: fields}, "split into words"))
        columns.append(
            Column(f"characters_{name}", "int", "length of the text; 0: no text", {PEOPLE: fields}, "counted")
        )
    for name, among in IRREGULAR_COLUMNS.items():
        columns.append(Column(name, "int", "how many values are irregular", {PEOPLE: list(among)}, "counted"))
    return [
        *columns,
        Column("row_version", "bigint", "the transaction that wrote the row"),
        Column("vectors_model", "text", "the model that made the vectors", {PEOPLE: ["embeddings_model"]}),
        Column("vectors_digest", "text", "of the profile's vectors", {PEOPLE: _VECTORS}, "hashed"),
    ]


OF_PROFILES = _profile_columns()
OF_EMBEDDINGS = [
    Column("id", "uuid", "the profile", {PEOPLE: ["id"]}),
    *(
        Column(
            f"embedding_{name}",
            "vector",
            f"vector of the text `{name}`, length 1; NULL if the text is unusable",
            {PEOPLE: [name]},
            "the model of JV_EMBEDDING_MODEL",
        )
        for name in EMBEDDED_FIELDS
    ),
    Column("embeddings_model", "varchar(100)", "the model that made all vectors of the row"),
    Column("embeddings_updated_at", "timestamptz", "when one of the row's vectors was last written"),
]


def _similarity(texts: Sequence[str], words: Sequence[str]) -> tuple[Sources, Sources]:
    vectors = {PROFILE_EMBEDDINGS: [f"embedding_{name}" for name in texts]}
    return vectors, {PROFILES: [f"words_{name}" for name in words]}


_SIMILARITIES = {
    "offering_seeking": _similarity(["seeking", "offering", "what_you_do"], ["seeking", "offering"]),
    "audience_alignment": _similarity(["who_you_serve"], ["who_you_serve"]),
}
"""By factor that compares texts: its vectors, and the words that it takes where a vector is missing."""
_OF_PAIR: dict[str, Sources] = {
    **{name: joined(*sources) for name, sources in _SIMILARITIES.items()},
    "role_compatibility": {PROFILES: ["role"]},
    "revenue_tier": {PROFILES: ["tier"]},
}
_SYNERGY = joined(*_OF_PAIR.values())
SCORED_FROM = joined({PROFILES: ["intent", "momentum", "momentum_redistribute", "context"]}, _SYNERGY)
"""What a score is made from."""
_HASHED = joined(SCORED_FROM, {PROFILES: ["vectors_digest"]})
_CONTEXT_FROM = joined({PROFILES: [f"{name}_json" for name in _DIMENSIONS]}, SCORED_FROM)
_STORED = {
    **{f"stored_{name}": [name] for name in ("score_ab", "score_ba", "harmonic_mean")},
    **{f"stored_{name}": ["match_context"] for name in ("version", "policy", "inputs_hash", "word_overlap")},
    "stored_fits": ["match_context", "score_ab", "score_ba", "harmonic_mean"],
}


def _of_direction(direction: str) -> list[Column]:
    columns = [
        *(Column(f"{name}_{direction}", "double", "a dimension, 0-10", {PROFILES: [name]}, "that of the target")
          for name in ("intent", "context")),
        *several([f"synergy_{nulls}_{direction}" for nulls in NULLS], "double", "under a null treatment, 0-10",
                 _SYNERGY, "weighted mean of the factors"),
        *several([f"momentum_{nulls}_{direction}" for nulls in NULLS], "double", "under a null treatment, 0-10",
                 {PROFILES: [factor.column for factor in MOMENTUM]}, "weighted mean of the factors"),
    ]  # fmt: skip
    for name, (vectors, words) in _SIMILARITIES.items():
        both = _OF_PAIR[name]
        columns += [
            Column(f"{name}_{direction}", "double", "a factor, 0-10", both, "similarity in steps"),
            Column(f"{name}_method_{direction}", "text", "semantic or word_overlap", both, "which texts have vectors"),
            Column(f"{name}_cosine_{direction}", "double", "of the two vectors; null: none", vectors, "cosine"),
            Column(f"{name}_overlap_{direction}", "double", "the factor by word overlap alone", words, "common words"),
        ]
    for name, step in (("role_compatibility", "the role table"), ("revenue_tier", "how far the tiers are apart")):
        columns.append(Column(f"{name}_{direction}", "double", "a factor, 0-10; null: no data", _OF_PAIR[name], step))
    for factor in (*INTENT, *MOMENTUM, *CONTEXT):
        sources = {PROFILES: [factor.column]}
        name = f"{factor.column}_{direction}"
        columns.append(Column(name, "double", "a factor, 0-10; null: no data", sources, "that of the target"))
    return columns


_SCORES = [
    *several(["score_ab"], "double", "what B is worth to A, 0-100, 2 decimals", SCORED_FROM, "mean of the dimensions"),
    *several(["score_ba"], "double", "what A is worth to B, 0-100, 2 decimals", SCORED_FROM, "mean of the dimensions"),
    *several(["harmonic_mean"], "double", "the match's score, 0-100, 2 decimals", SCORED_FROM, "mean of both scores"),
]
OF_SCORES = [
    *copied(["id", "profile_id", "suggested_profile_id"], "uuid", "the match, A and B", PAIRS),
    *_SCORES,
    *(column for direction in DIRECTIONS for column in _of_direction(direction)),
    *several(["policy", "scoring_version", "code_version"], "text", "what made the score", {}),
    Column("inputs_hash", "text", "equal if the score would be the same", _HASHED, "hashed"),
    Column("reused", "bool", "the row is reused: its inputs and its stored row are unchanged"),
    Column("match_context", "text", "the breakdown, published beside the score; null for a reused row", _CONTEXT_FROM,
           "as JSON"),
    Column("match_score", "double", "the older matcher's score, as read", {PAIRS: ["match_score"]}),
    *(Column(name, "", "what production held when this was scored", {PAIRS: of}) for name, of in _STORED.items()),
    Column("stored_row", "bigint", "version of that stored row; every change gives another one"),
]  # fmt: skip
OF_PUBLISHED = [
    Column("id", "uuid", "the match", {MATCH_SCORES: ["id"]}),
    *copied(["score_ab"], "numeric(5,2)", "what B is worth to A, 0-100", MATCH_SCORES),
    *copied(["score_ba"], "numeric(5,2)", "what A is worth to B, 0-100", MATCH_SCORES),
    *copied(["harmonic_mean"], "numeric(5,2)", "the match's score, 0-100: the harmonic mean of both", MATCH_SCORES),
    *copied(
        ["match_context"], "jsonb", "both breakdowns, policy, version, model and the hash of the inputs", MATCH_SCORES
    ),
]
OF_CANDIDATES = [
    *several(
        ["profile_id", "candidate_id"], "uuid", "a profile, and one that no match joins it to", {PROFILES: ["id"]}
    ),
    *_SCORES,
    Column("inputs_hash", "text", "a hash of what the value was computed from, as a match has it", _HASHED, "hashed"),
]
