"""The hash of a score's inputs, beside policy and version. It tells whether a stored score is stale."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256

import pandas as pd

from jv_scoring.vectors import Positions, Vector, as_single

_MARK = b"v"
"""Written before each vector. None cannot be confused with it: a vector begins with its length, two bytes of at most
16,000.
"""
_FEATURES = ("intent_json", "momentum_json", "context_json", "role", "tier")
_WORDS = ("words_seeking", "words_offering", "words_who_you_serve")


def vectors_digest(vectors: Iterable[Vector | None]) -> bytes:
    """Return a digest of a profile's three compared vectors, in the order of `prepare.COMPARED`.

    32 bytes: sha256 of each vector in pgvector's binary format, after a mark. So a database can compute it without
    sending the vectors.
    """
    digest = sha256()
    for vector in vectors:
        digest.update(_MARK)
        if vector is not None:  # As float32 if possible, whatever type the other vectors forced.
            numbers = as_single(vector)
            digest.update(
                struct.pack(">hh", len(numbers), 0) + numbers.astype(numbers.dtype.newbyteorder(">")).tobytes()
            )
    return digest.digest()


def profile_hashes(features: pd.DataFrame, digests: Iterable[bytes]) -> list[bytes]:
    """Return a hash of each profile's features and of its vectors' digest.

    Words are hashed too: word overlap is used when the partner has no vector.
    """
    columns = [features[name].fillna("").tolist() for name in (*_FEATURES, *_WORDS)]
    rows = zip(*columns, digests, strict=True)
    return [sha256("\n".join(parts).encode() + digest).digest() for *parts, digest in rows]


def inputs_hashes(
    of_profile: Mapping[int, bytes] | Sequence[bytes], a: Positions, b: Positions, model: str
) -> list[str]:
    """Return the inputs hash of each pair, 32 hex digits, from the hashes of its profiles A and B; both must exist."""
    start = blake2b(model.encode(), digest_size=16)
    hashes = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        digest = start.copy()
        digest.update(of_profile[x] + of_profile[y])
        hashes.append(digest.hexdigest())
    return hashes
