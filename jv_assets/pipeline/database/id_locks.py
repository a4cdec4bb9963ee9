"""A lock on an interval of ids, which works whatever partitions the other writer has."""

from uuid import UUID

from sqlalchemy import Connection, text

_DEEPEST = 32
"""The longest prefix that is locked, in bits: 4,096 partitions of equal width need 12."""
_LOCK_ABOVE = (
    "SELECT pg_advisory_xact_lock_shared(hashtextextended(name, 0)) FROM unnest(CAST(:names AS text[])) AS name"
)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"


def lock_ids(connection: Connection, what: str, low: str, high: str) -> None:
    """Keep other writers of `what` out of the ids from low to high (both included) until the transaction ends.

    A lock on a partition's key would not exclude a writer whose partitions have other bounds. So the lock is on the
    longest prefix that all these ids share, and shared locks are on every shorter prefix: two intervals with a common
    id always conflict. Locks are taken from the shortest prefix on, so no two writers deadlock.
    """
    *above, own = lock_names(what, low, high)
    connection.execute(text(_LOCK_ABOVE), {"names": above})
    connection.execute(text(_LOCK), {"name": own})


def lock_names(what: str, low: str, high: str) -> list[str]:
    """Return the prefixes that all these ids share, the shortest (no bit at all) first."""
    first, last = UUID(low).int, UUID(high).int
    shared = min(128 - (first ^ last).bit_length(), _DEEPEST)
    return [f"{what} {bits}:{first >> 128 - bits:x}" for bits in range(shared + 1)]
