"""Find the best candidates of every profile: incrementally, if an earlier run left its lists.

An update looks only at pairs with a profile that changed since (`jv_scoring.discovery_update`), and gives the same as a
first search. What changed is told by comparing values: the hash of each profile's inputs, and the pairs that matches
join. So the file stays valid if the database is restored from a backup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_assets.errors import UserError
from jv_assets.pipeline.candidates import WHOLE, Ground
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.discovery import Looked
from jv_scoring.policy import CODE_VERSION, SCORING_VERSION
from jv_scoring.vectors import Positions

LISTS = "candidate_lists"
"""The folder of the file that a run leaves for the next one: a row for each profile, also for those without texts."""
SPARE = 5
"""How many more candidates than asked for a file keeps, because a list that loses more is searched anew."""
MOST_CHANGED = 0.1
"""If a greater share of the profiles changed, a first search is about as fast as an update."""
_NUMBERS = {"candidate": np.int32, "value": np.int16, "levels": np.uint8, "matched": np.int32}
"""The lists of a row, as bytes of these types. `candidate`, `matched`: row numbers; `value`: hundredths of a point."""
_RULES = ("policy", "embedding_model", "scoring_version", "code_version", "calibration")


@dataclass(frozen=True)
class Found:
    """rows: what `discover` returns, of the profiles asked for. changed: how many profiles changed since the lists that
    were updated; None if all pairs were searched.
    """

    rows: pd.DataFrame
    looked: Looked
    changed: int | None


@dataclass(frozen=True)
class _Earlier:
    """The lists of an earlier run. Positions are those of `ids`.

    top: how many candidates each list has at least, if so many exist. joined: (2, pairs) the pairs that a match joined.
    known: the lists, as `discover` returns them.
    """

    top: int
    ids: pd.Index
    inputs: list[bytes]
    joined: Positions
    known: pd.DataFrame

    def changed(self, ground: Ground) -> list[str]:
        """Return the profiles that an update must look at again, as `update` asks for them, and the new ones."""
        index = ground.prepared.features.index
        now = index.get_indexer(self.ids)
        hashes = ground.prepared.input_hashes(np.arange(len(index)))
        edited = {name for name, place, told in zip(self.ids, now.tolist(), self.inputs, strict=True)
                  if place >= 0 and hashes[place] != told}  # fmt: skip
        then = now[self.joined]
        joined = _pairs(then[:, (then >= 0).all(axis=0)], len(index))
        deleted = np.setdiff1d(joined, _pairs(_joined(ground), len(index)))
        listed = set(self.known["profile_id"].unique())
        new = [name for name in ground.eligible if name not in listed]
        return sorted(edited.union(index[_ends_of(deleted, len(index))], new))


def find(files: RangeFiles, ground: Ground, top: int, policy: str, ids: Sequence[str], *, keep: bool = True) -> Found:
    """Return the best `top` candidates of the profiles `ids`, exactly as a first search finds them.

    Updates the lists of an earlier run if they are of the same rules and long enough, and if few profiles changed.
    `keep`: leave the lists for the next run, if they are those of all profiles.
    """
    calibration = sha256(repr(ground.calibration).encode()).hexdigest()
    rules = dict(zip(_RULES, (policy, ground.model, SCORING_VERSION, CODE_VERSION, calibration), strict=True))
    earlier, eligible = _read(files, rules, top), ground.eligible
    changed = None if earlier is None else earlier.changed(ground)
    if earlier and changed is not None and len(changed) <= MOST_CHANGED * len(eligible):
        length, rows = earlier.top, ground.updated(earlier.top, policy, earlier.known, changed)
    else:
        changed, keep = None, keep and len(ids) == len(eligible)
        length, rows = top, ground.best(top + (SPARE if keep else 0), policy, ids)
    looked: Looked = rows.attrs["looked"]
    if keep:
        _write(files, ground, rows, rules | {"top": length})
    chosen = (rows["rank"] <= top) & rows["profile_id"].isin(ids)
    return Found(rows[chosen].reset_index(drop=True), looked, None if changed is None else len(changed))


def _joined(ground: Ground) -> Positions:
    """(2, pairs) the positions of two profiles that a match joins; matches of profiles that are gone are left out."""
    index = ground.prepared.features.index
    ends = np.stack([index.get_indexer(pd.Index(ground.existing[name], dtype=object))
                     for name in ("profile_id", "suggested_profile_id")])  # fmt: skip
    return ends[:, (ends >= 0).all(axis=0)]


def _pairs(ends: Positions, profiles: int) -> Positions:
    """Return one number for each pair, ascending, each once: smaller position times profiles, plus the other."""
    return np.unique(ends.min(axis=0) * profiles + ends.max(axis=0))


def _ends_of(pairs: Positions, profiles: int) -> Positions:
    """Return one profile of each pair: that which is in more of them, so that few profiles are searched again."""
    ends = np.stack(np.divmod(pairs, max(profiles, 1)))
    counts = np.bincount(ends.ravel(), minlength=profiles)[ends]
    return np.unique(np.where(counts[0] >= counts[1], *ends))


def _write(files: RangeFiles, ground: Ground, rows: pd.DataFrame, metadata: dict[str, object]) -> None:
    index = ground.prepared.features.index
    hashes = ground.prepared.input_hashes(np.arange(len(index)))
    owner, candidate = (index.get_indexer(pd.Index(rows[name])) for name in ("profile_id", "candidate_id"))
    order = np.lexsort((rows["rank"], owner))
    pairs = _pairs(_joined(ground), len(index))
    values = {"candidate": candidate, "value": np.rint(rows["harmonic_mean"] * 100), "levels": rows["levels"]}
    columns = {
        name: _as_bytes(name, np.asarray(each)[order], owner[order], len(index)) for name, each in values.items()
    }
    low, high = np.divmod(pairs, max(len(index), 1))
    columns["matched"] = _as_bytes("matched", high, low, len(index))
    inputs = [hashes[place] for place in range(len(index))]
    files.write(LISTS, WHOLE, pd.DataFrame({"id": index.astype(object), "inputs": inputs, **columns}), metadata)


def _as_bytes(name: str, values: npt.NDArray[np.generic], owner: Positions, profiles: int) -> list[bytes]:
    """Return each profile's values. `owner`: ascending."""
    ends = np.searchsorted(owner, np.arange(1, profiles))
    return [part.tobytes() for part in np.split(values.astype(_NUMBERS[name]), ends)][:profiles]


def _read(files: RangeFiles, rules: dict[str, str], top: int) -> _Earlier | None:
    """Return the lists of an earlier run under these rules, at least so long; None if there are none."""
    try:
        with files.opened(LISTS, WHOLE) as file:
            metadata = file.metadata
            if int(metadata["top"]) < top or any(metadata.get(name) != value for name, value in rules.items()):
                return None
            rows = file.read()
    except UserError:  # The file is missing or broken; a first search replaces it.
        return None
    ids = pd.Index(rows["id"], dtype=object)
    values = {name: np.frombuffer(b"".join(rows[name]), kind) for name, kind in _NUMBERS.items()}
    counts = rows["levels"].map(len).to_numpy(np.intp)
    matched = rows["matched"].map(len).to_numpy(np.intp) // np.dtype(_NUMBERS["matched"]).itemsize
    start = np.cumsum(counts) - counts
    known = pd.DataFrame(
        {
            "profile_id": pd.Categorical.from_codes(np.repeat(np.arange(len(ids)), counts), ids),
            "candidate_id": pd.Categorical.from_codes(values["candidate"], ids),
            "rank": np.arange(counts.sum()) - np.repeat(start, counts) + 1,
            "harmonic_mean": values["value"] / 100,
            "levels": values["levels"].astype(np.intp),
        }
    )
    joined = np.stack([np.repeat(np.arange(len(ids)), matched), values["matched"].astype(np.intp)])
    return _Earlier(int(metadata["top"]), ids, rows["inputs"].tolist(), joined, known)
