"""The `--set` options: what if a column had another value."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jv_assets.errors import CallError
from jv_assets.explain.reading import short
from jv_assets.setup.csv_cells import PARSERS
from jv_assets.tables import PROFILE_COLUMNS
from jv_scoring.explain import edited_texts
from jv_scoring.factors import INPUT_COLUMNS, Profile
from jv_scoring.text import text_to_embed

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Embeds texts, as `Embedder.embed` does."""

SIDES = ("a", "b")


def parse_changes(given: Sequence[str]) -> dict[str, str]:
    """Parse the `--set` options, each `column=value`; CallError for anything else."""
    changes: dict[str, str] = {}
    for option in given:
        name, equals, value = option.partition("=")
        name = name.strip()
        if not equals or not name:
            raise CallError(f"--set {short(option)}: write column=value, such as list_size=12000")
        if name in changes:
            raise CallError(f"--set {short(name)}: given twice")
        changes[name] = value
    return changes


def typed(changes: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the changes of A and those of B, parsed as the database's values; CallError for a wrong one."""
    by_side: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for given, value in changes.items():
        side, dot, name = given.partition(".")
        if not dot or side not in SIDES:
            side, name = "b", given
        if name not in INPUT_COLUMNS:
            known = name in PROFILE_COLUMNS
            reason = "no score depends on that column" if known else "profiles have no such column"
            raise CallError(f"--set {short(given)}: {reason}; use one of {', '.join(INPUT_COLUMNS)}")
        own = by_side[SIDES.index(side)]
        if name in own:
            raise CallError(f"--set {short(given)}: given twice")
        try:
            value.encode()
            own[name] = PARSERS[PROFILE_COLUMNS[name]](value) if value else None
        except UnicodeEncodeError:
            raise CallError(f"--set {given}: is not UTF-8") from None
        except ValueError as error:
            raise CallError(f"--set {given}: {error}") from None
    return by_side


def embedded(
    profiles: Sequence[Profile], changes: Sequence[Mapping[str, Any]], embed: Embed | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the changes with the vectors of changed texts, and a note if those could not be made."""
    with_vectors = [dict(own) for own in changes]
    texts = {
        (side, name): wanted
        for side, own in enumerate(changes)
        for name in edited_texts(profiles[side], own)
        if (wanted := text_to_embed(own[name])) is not None
    }
    if not texts:
        return with_vectors, []
    if embed is None:
        names = ", ".join(f"{SIDES[side]}.{name}" for side, name in texts)
        return with_vectors, [f"{names}: the new text was not embedded, so it is compared by word overlap"]
    for (side, name), vector in zip(texts, embed(list(texts.values())), strict=True):
        with_vectors[side][f"embedding_{name}"] = vector
    return with_vectors, []
