"""Every column of the two production tables: its type, which other types are accepted, who writes it and what reads it.

The doctor compares this list with the database. Reading, writing, granting and loading derive from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Kind:
    """What a column holds.

    `created`: the type that a new database gets. `accepted`: types of an existing database that hold the same values,
    by their names in `pg_type`; a domain counts as its base type, and `enum` stands for any enum. `cast`: the SQL that
    reads the column, the same for all accepted types. A number is read as text, because a `real` of 0.3 is 0.3 only as
    text.
    """

    created: str
    accepted: tuple[str, ...]
    cast: str = "{}::text"


Writer = Literal["platform", "pipeline"]
Reader = Literal["scores", "vectors", "sensors", "evaluation"]


@dataclass(frozen=True)
class Column:
    """A column's kind, what reads it (nothing, if it is only loaded), and who writes it."""

    kind: Kind
    read_by: tuple[Reader, ...] = ()
    written_by: Writer = "platform"


# A json column reads as null if it holds what jsonb cannot: \u0000 or half a surrogate pair. The pattern skips whole
# pairs and escaped backslashes. It has no braces, because str.format builds statements.
_HEX = "[0-9a-fA-F]"
_WELL = rf"\\\\|\\u[dD][89abAB]{_HEX}{_HEX}\\u[dD][c-fC-F]{_HEX}{_HEX}"
_AS_JSONB = (
    r"CASE WHEN pg_typeof({0}) <> 'jsonb'::regtype AND strpos({0}::text, '\u') > 0 "
    rf"AND regexp_replace({{0}}::text, '{_WELL}', '', 'g') ~ '\\u(0000|[dD][89a-fA-F])' "
    "THEN NULL ELSE {0}::jsonb END"
)
_ANY_TEXT = ("text", "varchar", "bpchar", "citext", "name", "enum")
_ANY_NUMBER = ("numeric", "int2", "int4", "int8", "float4", "float8")
ID = Kind("uuid", ("uuid",))
TEXT = Kind("text", _ANY_TEXT)
TEXTS = Kind("text[]", ("_text", "_varchar", "_bpchar", "_citext", "jsonb", "json"), "to_json({})::text")
COUNT = Kind("integer", _ANY_NUMBER)
NUMBER = Kind("double precision", _ANY_NUMBER)
DECIMAL = Kind("numeric(5,2)", _ANY_NUMBER)
JSON = Kind("jsonb", ("jsonb", "json", "text", "varchar"))
TIME = Kind("timestamptz", ("timestamptz", "timestamp", "date"))
# The pipeline must read back exactly what it wrote.
VECTOR = Kind("vector", ("vector", "halfvec"), "{}::vector")
SCORE = Kind("numeric(5,2)", ("numeric", "float4", "float8"))
CONTEXT = Kind("jsonb", ("jsonb", "json"), _AS_JSONB)
MODEL = Kind("varchar(100)", ("varchar", "text"))

PROFILES = {
    "id": Column(ID, ("scores", "vectors", "sensors")),
    "name": Column(TEXT, ("scores",)),
    "email": Column(TEXT, ("scores",)),
    "phone": Column(TEXT, ("scores",)),
    "company": Column(TEXT, ("scores",)),
    "website": Column(TEXT, ("scores",)),
    "linkedin": Column(TEXT, ("scores",)),
    "avatar_url": Column(TEXT),
    "business_focus": Column(TEXT),
    "status": Column(TEXT),
    "service_provided": Column(TEXT),
    "business_size": Column(TEXT),
    "role": Column(TEXT),
    "bio": Column(TEXT, ("scores",)),
    "notes": Column(TEXT),
    "what_you_do": Column(TEXT, ("scores", "vectors")),
    "who_you_serve": Column(TEXT, ("scores", "vectors")),
    "seeking": Column(TEXT, ("scores", "vectors")),
    "offering": Column(TEXT, ("scores", "vectors")),
    "signature_programs": Column(TEXT, ("scores",)),
    "booking_link": Column(TEXT, ("scores",)),
    "current_projects": Column(TEXT, ("scores",)),
    "niche": Column(TEXT, ("scores",)),
    "audience_type": Column(TEXT, ("scores",)),
    "network_role": Column(TEXT, ("scores",)),
    "revenue_tier": Column(TEXT, ("scores",)),
    "tags": Column(TEXTS, ("scores",)),
    "secondary_emails": Column(TEXTS),
    "list_size": Column(COUNT, ("scores",)),
    "social_reach": Column(COUNT, ("scores",)),
    "audience_engagement_score": Column(NUMBER, ("scores",)),
    "profile_confidence": Column(NUMBER),
    "pagerank_score": Column(NUMBER),
    "degree_centrality": Column(NUMBER),
    "betweenness_centrality": Column(NUMBER),
    "jv_history": Column(JSON, ("scores",)),
    "content_platforms": Column(JSON, ("scores",)),
    "enrichment_metadata": Column(JSON),
    "created_at": Column(TIME),
    "updated_at": Column(TIME, ("vectors", "sensors")),
    "profile_updated_at": Column(TIME, ("vectors",)),
    "last_active_at": Column(TIME),
    "last_enriched_at": Column(TIME),
    "embedding_seeking": Column(VECTOR, ("scores", "vectors"), "pipeline"),
    "embedding_offering": Column(VECTOR, ("scores", "vectors"), "pipeline"),
    "embedding_who_you_serve": Column(VECTOR, ("scores", "vectors"), "pipeline"),
    "embedding_what_you_do": Column(VECTOR, ("scores", "vectors"), "pipeline"),
    "embeddings_model": Column(MODEL, ("scores", "vectors"), "pipeline"),
    "embeddings_updated_at": Column(TIME, ("vectors",), "pipeline"),
}
MATCHES = {
    "id": Column(ID, ("scores", "sensors")),
    "profile_id": Column(ID, ("scores", "sensors")),
    "suggested_profile_id": Column(ID, ("scores", "sensors")),
    "match_score": Column(DECIMAL, ("scores",)),
    "match_reason": Column(TEXT),
    "source": Column(TEXT),
    "status": Column(TEXT, ("evaluation",)),
    "suggested_at": Column(TIME, ("sensors",)),
    "viewed_at": Column(TIME, ("evaluation",)),
    "contacted_at": Column(TIME, ("evaluation",)),
    "notes": Column(TEXT),
    "rich_analysis": Column(TEXT),
    "analysis_generated_at": Column(TIME),
    "email_sent_at": Column(TIME),
    "user_feedback": Column(TEXT, ("evaluation",)),
    "feedback_at": Column(TIME, ("evaluation",)),
    "scale_symmetry_score": Column(DECIMAL),
    "trust_level": Column(TEXT),
    "expires_at": Column(TIME),
    "draft_intro_clicked_at": Column(TIME, ("evaluation",)),
    "score_ab": Column(SCORE, ("scores",), "pipeline"),
    "score_ba": Column(SCORE, ("scores",), "pipeline"),
    "harmonic_mean": Column(SCORE, ("scores", "sensors"), "pipeline"),
    "match_context": Column(CONTEXT, ("scores",), "pipeline"),
}
TABLES = {"profiles": PROFILES, "match_suggestions": MATCHES}


def frame(columns: dict[str, list[Any]]) -> "pd.DataFrame":
    """Return a frame of dtype object, which keeps every value unchanged."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def cast(table: str, name: str, row: str = "") -> str:
    """Return SQL that reads a column; `row` is the table's name in the statement."""
    return TABLES[table][name].kind.cast.format(f"{row}.{name}" if row else name)


def selected(table: str, names: Iterable[str], row: str = "") -> str:
    """Return SQL for the columns of a SELECT list, each under its own name."""
    return ", ".join(f"{cast(table, name, row)} AS {name}" for name in names)


def comparable(column: str) -> str:
    """SQL: a text by the database's own collation. That of a column may know no patterns, or be another in each."""
    return f'{column}::text COLLATE "default"'


def exact_score(name: str, row: str) -> str:
    """Return SQL for a stored score as numeric, to keep or compare it; a `real` or `double precision` by its shortest
    text.
    """
    return f"{cast('match_suggestions', name, row)}::numeric"


def as_double(number: str, exponent: int = 300) -> str:
    """SQL: a number as double precision: 0 below 10 to the power -`exponent`, NaN from 10 to that power on.

    A cast alone is an error where the type holds nothing so small or large, and so reads no row at all.
    """
    size = f"abs({number})"
    return (
        f"CASE WHEN {number} IS NULL THEN NULL WHEN {size} < 1e-{exponent} THEN 0 "
        f"WHEN {size} < 1e{exponent} THEN {number}::float8 ELSE 'NaN' END"
    )


def stored_four(row: str) -> str:
    """Return SQL for the columns that publishing writes to a match, as they are stored."""
    scores = [exact_score(name, row) for name in SCORE_COLUMNS[:3]]
    return ", ".join([*scores, cast("match_suggestions", "match_context", row)])


def _created(table: str, writer: Writer) -> dict[str, str]:
    return {name: column.kind.created for name, column in TABLES[table].items() if column.written_by == writer}


PROFILE_COLUMNS = _created("profiles", "platform")
"""The columns of `profiles` that the platform writes, with the type that a new database gets."""
MATCH_COLUMNS = _created("match_suggestions", "platform")
"""The columns of `match_suggestions` that the platform writes, with the type that a new database gets."""
WRITTEN = {table: _created(table, "pipeline") for table in TABLES}
"""By table, the columns that the pipeline writes (and reads), with the type that a new database gets."""
SCORE_COLUMNS = tuple(WRITTEN["match_suggestions"])
"""The columns of `match_suggestions` that publishing writes."""
READ = {
    table: tuple(name for name, one in columns.items() if "scores" in one.read_by and one.written_by == "platform")
    for table, columns in TABLES.items()
}
"""By table, the columns that others write and that a run needs."""
OUTCOMES = {name: column.kind for name, column in MATCHES.items() if "evaluation" in column.read_by}
"""The columns of `match_suggestions` that say what became of a match. None is required, because a platform may have
others.
"""
