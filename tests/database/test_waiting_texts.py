"""A text whose vector is not its own waits: status and explain say so until it is embedded, whatever was scored."""

from collections.abc import Callable

import pytest

from jv_assets.cli.console import next_command
from jv_assets.explain import explain
from jv_assets.setup.status import count_older, count_waiting_texts, read_status
from tests.support.models import MINILM
from tests.support.odd import SCORED, Odd, Outcome, assert_right

CHANGES = {
    "an edited text": "UPDATE profiles SET seeking = 'podcast guests who build wooden boats' WHERE id = '{a}'",
    "a text that was taken out": "UPDATE profiles SET seeking = NULL WHERE id = '{a}'",
    "a vector that was written over": "UPDATE profiles SET embedding_seeking = embedding_offering WHERE id = '{a}'",
    "a vector that was taken out": "UPDATE profiles SET embedding_seeking = NULL WHERE id = '{a}'",
}
_MATCH = """
    SELECT m.id::text, a.id::text FROM match_suggestions m JOIN profiles a ON a.id = m.profile_id
    WHERE m.harmonic_mean IS NOT NULL AND num_nonnulls(a.embedding_seeking, a.embedding_offering) = 2 ORDER BY 1 LIMIT 1
"""


def told(odd: Odd, match: str) -> tuple[int, str | None, list[str]]:
    """How many texts wait, what status says to type, and what explain says of the match."""
    texts, status = count_waiting_texts(odd.database, MINILM), read_status(odd.database, MINILM)
    command = next_command(status, count_older(odd.database, MINILM), texts, is_any_left=False)
    return texts, command, list(explain(odd.database, MINILM, match).notes)


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_said_until_it_is_embedded(odd_database: Callable[[str], Odd], change: str) -> None:
    odd = odd_database(SCORED)
    [(match, profile)] = odd.rows(_MATCH)
    assert told(odd, match) == (0, None, [])
    odd.change(CHANGES[change].format(a=profile))
    older, waits = "the stored row is older than the data: ", "a.seeking: the text waits to be embedded"
    texts, command, notes = told(odd, match)
    assert (texts, command) == (1, "jv nightly")
    assert [note.startswith(start) for note, start in zip(notes, (older, waits), strict=True)] == [True, True]
    assert notes[0].endswith("; next: jv nightly")
    assert odd.command("rescore", published_scores={"accept_word_overlap": True}) == Outcome(0)
    texts, command, notes = told(odd, match)
    assert (texts, command) == (1, "jv nightly")
    [note] = notes
    assert note.startswith(waits)
    assert odd.command("nightly") == Outcome(0)
    assert told(odd, match) == (0, None, [])
    assert assert_right(odd, lambda row: _as_stored(odd, row, profile)) > 100


def _as_stored(odd: Odd, row: dict[str, object], profile: str) -> dict[str, object]:
    """The profile with the text that the case gave it, and the vector that the model makes of it."""
    if row["id"] != profile:
        return row
    [(seeking,)] = odd.rows(f"SELECT seeking FROM profiles WHERE id = '{profile}'")
    vector = odd.embedder.embed([seeking])[0] if seeking else None
    return {**row, "seeking": seeking, "embedding_seeking": vector}
