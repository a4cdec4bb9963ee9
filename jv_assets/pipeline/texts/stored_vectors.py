"""SQL about the stored vectors of profiles: which model made them, and how long they are.

One embedding model goes by several names in `profiles.embeddings_model`. Other programs spell them otherwise: without
the owner, in lower case, with a slash or a blank at the end. Vectors under such a spelling are the model's, so all SQL
compares `model_of(column)` with a model's name and never the column itself.
"""

from jv_scoring.similarity import CALIBRATIONS

_AROUND = r"E' \t\r\n/'"


def spellings(model: str) -> tuple[str, str]:
    """The lower-case names that stand for a model: with its owner and without."""
    return model.lower(), model.rpartition("/")[2].lower()


def model_of(column: str) -> str:
    """SQL: the full name of the model that a column names, or what the column holds if it names no known model."""
    # Collation C lowers ASCII alone: in Turkish, the lower case of I is not i.
    trimmed = f'lower(btrim({column}, {_AROUND}) COLLATE "C")'
    names = {model: ", ".join(f"'{name}'" for name in spellings(model)) for model in CALIBRATIONS}
    cases = " ".join(f"WHEN {trimmed} IN ({listed}) THEN '{model}'" for model, listed in names.items())
    return f'(CASE {cases} ELSE {column} END) COLLATE "C"'


def dimension_of(name: str, table: str) -> str:
    """SQL: of a text's vector in a row of profiles, called `table`; null where there is none."""
    # That of the column, where it has one, since to look at a vector is to read it all.
    column = f"attrelid = 'profiles'::regclass AND attname = 'embedding_{name}'"
    declared = f"(SELECT nullif(atttypmod, -1) FROM pg_attribute WHERE {column})"  # noqa: S608 - of EMBEDDED_FIELDS
    vector = f"{table}.embedding_{name}"
    return f"CASE WHEN {vector} IS NOT NULL THEN coalesce({declared}, vector_dims({vector}::vector)) END"
