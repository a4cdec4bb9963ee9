"""Part of the doctor: the models' names under which vectors are stored, and so which vectors count."""

from dataclasses import dataclass
from difflib import SequenceMatcher

from psycopg import sql
from sqlalchemy import Connection, text

from jv_assets.pipeline.texts.stored_vectors import model_of, spellings
from jv_scoring.text import EMBEDDED_FIELDS

_ALIKE = 0.75
"""Similarity, 0..1, from which a name counts as a possible misspelling of the model's."""
_NAMED = 3
"""How many other names the line quotes at most."""
_NAMES = f"""
    SELECT embeddings_model AS name, {model_of("embeddings_model")} AS model, count(*) AS profiles
    FROM profiles
    WHERE num_nonnulls({", ".join(f"embedding_{name}" for name in EMBEDDED_FIELDS)}) > 0
    GROUP BY 1 ORDER BY 3 DESC, 1
"""  # noqa: S608 - of our own constants


@dataclass(frozen=True)
class Vectors:
    """Profiles that have a vector: how many count as the model's, and how many are under each other name."""

    model: str
    ours: int
    spelled: dict[str, int]
    others: dict[str | None, int]

    @property
    def unused(self) -> int:
        return sum(self.others.values())

    @property
    def line(self) -> str:
        """The state in one line, with a cure if vectors are not used."""
        named = f"{self.ours:,} profiles have vectors of {self.model}"
        if self.spelled:
            named += f", spelled {_listed(self.spelled)} in some, which counts as that model"
        if not self.others:
            return named
        return (
            f"{named}; {self.unused:,} have vectors under another name ({_listed(self.others)}), which are not used: "
            f"their texts are compared by word overlap; type: jv embed{self._rename}"
        )

    @property
    def _rename(self) -> str:
        """The SQL that renames vectors whose name looks like the model's."""
        wanted = spellings(self.model)
        alike = [
            name
            for name in self.others
            if name
            and name.isprintable()
            and max(SequenceMatcher(None, name.strip().lower(), each).ratio() for each in wanted) >= _ALIKE
        ]
        if not alike:
            return ""
        statement = sql.SQL("UPDATE profiles SET embeddings_model = {} WHERE embeddings_model IN ({});").format(
            sql.Literal(self.model), sql.SQL(", ").join(map(sql.Literal, alike[:_NAMED]))
        )
        named = _listed({name: self.others[name] for name in alike})
        return f"; or, if {named} is the same model: {statement.as_string()}"


def look_at_vectors(connection: Connection, model: str) -> Vectors:
    """Count the profiles that have vectors, by the name of the model."""
    rows = connection.execute(text(_NAMES)).all()
    return Vectors(
        model=model,
        ours=sum(row.profiles for row in rows if row.model == model),
        spelled={row.name: row.profiles for row in rows if row.model == model and row.name != model},
        others={row.name: row.profiles for row in rows if row.model != model},
    )


def _listed(names: "dict[str, int] | dict[str | None, int]") -> str:
    shown = [f"{name!r}: {count:,}" if name is not None else f"no name: {count:,}" for name, count in names.items()]
    return ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if shown[_NAMED:] else "")
