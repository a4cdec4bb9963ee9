"""The hash of all that a score depends on beside policy and version, by which a stored one is known to be of today."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256

import pandas as pd

from jv_scoring.vectors import Positions, Vector, as_single

_MARK = b"v"
"""Before each vector. None begins like it: a vector begins with its length, two bytes of at most 16,000."""
_FEATURES = ("intent_json", "momentum_json", "context_json", "role", "tier")
_WORDS = ("words_seeking", "words_offering", "words_who_you_serve")


def vectors_digest(vectors: Iterable[Vector | None]) -> bytes:
    """Of a profile's three vectors that pairs are compared by, in the order of `prepare.COMPARED`.

    32 bytes: sha256 of each vector as pgvector sends it, after a mark. So a database can make it without sending them.
    """
    digest = sha256()
    for vector in vectors:
        digest.update(_MARK)
        if vector is not None:  # as float32 where it can be, whatever the vectors of the others made it
            numbers = as_single(vector)
            digest.update(
                struct.pack(">hh", len(numbers), 0) + numbers.astype(numbers.dtype.newbyteorder(">")).tobytes()
            )
    return digest.digest()


def profile_hashes(features: pd.DataFrame, digests: Iterable[bytes]) -> list[bytes]:
    """Of each profile a hash of what `prepare.profile_features` made of it, and of its vectors' digest.

    Vectors do not do without the words: they count where the partner has no vector.
    """
    columns = [features[name].fillna("").tolist() for name in (*_FEATURES, *_WORDS)]
    rows = zip(*columns, digests, strict=True)
    return [sha256("\n".join(parts).encode() + digest).digest() for *parts, digest in rows]


def inputs_hashes(
    of_profile: Mapping[int, bytes] | Sequence[bytes], a: Positions, b: Positions, model: str
) -> list[str]:
    """The inputs hash of each pair, 32 hex digits, from the hashes of its profiles, A and B; both must be there."""
    start = blake2b(model.encode(), digest_size=16)
    hashes = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        digest = start.copy()
        digest.update(of_profile[x] + of_profile[y])
        hashes.append(digest.hexdigest())
    return hashes
