"""Measure discovery beside its peers in the same run: `score_pairs`, bare matrix products, and pgvector's HNSW.

The profiles are like the demo's. Their vectors are random, about twelve themes, and their cosines reach every step.
Each size runs by itself, with or without building the index (minutes):

    python -m benchmarks.discovery 3578 384
    python -m benchmarks.discovery 20000 1024 hnsw
    python -m benchmarks.discovery 100000 1024
"""

import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pandas as pd
import psycopg
from pgvector.psycopg import register_vector

from benchmarks.figures import Row, figure, show, timed
from jv_assets.demo.population import make_population
from jv_assets.platform import postgres
from jv_scoring import Prepared, calibration_of
from jv_scoring.allocation import LARGEST_WHOLE, allocate
from jv_scoring.discovery import Looked, discover
from jv_scoring.discovery_field import eligible
from jv_scoring.discovery_update import update
from jv_scoring.engine import score_pairs
from jv_scoring.prepare import COMPARED, combine_offering, profile_features
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from jv_scoring.vectors import MISSING, Positions, Vectors

BEST, SPARE, CAP = 20, 5, 10
ASKED, NEAREST = 400, 200
"""Profiles that the index is asked about (its time for all is worked out from theirs), and neighbours a query."""
QUERIES = (("seeking", "offering"), ("offering", "seeking"), ("who_you_serve", "who_you_serve"))
CALIBRATION = calibration_of("BAAI/bge-large-en-v1.5")
_ROWS_AT_ONCE, _BLOCK, _BLOCKS = 5_000, 1_024, 6


class Sample:
    """Profiles of the demo's kind, prepared, with their matches and who is eligible."""

    def __init__(self, profiles: int, dimension: int) -> None:
        made = make_population(profiles=profiles, matches=profiles * 8)
        table, rng = made.profiles.set_index("id"), np.random.default_rng(1)
        themes = rng.standard_normal((12, dimension)).astype(np.float32)
        fields = {name: _vectors(table[name].tolist(), themes, rng) for name in EMBEDDED_FIELDS}
        fields["offering"] = combine_offering(fields["offering"], fields.pop("what_you_do"))
        self.prepared, self.matches, self.among = (
            Prepared(profile_features(table), fields),
            made.matches,
            eligible(table),
        )
        self.eligible = int(self.among.sum())

    def discover(self, k: int) -> pd.DataFrame:
        return discover(self.prepared, self.matches, k, calibration=CALIBRATION, among=self.among)

    def edited(self, share: float) -> tuple["Sample", list[str]]:
        """Return the same population, with the vectors of a share of the profiles shuffled among them, and
        their ids.
        """
        changed = np.random.default_rng(2).permutation(len(self.among))[: int(len(self.among) * share)]
        row = {name: vectors.row.copy() for name, vectors in self.prepared.vectors.items()}
        for rows in row.values():
            rows[changed] = np.roll(rows[changed], 1)
        fields = {name: Vectors.from_matrix(v.matrix, row[name]) for name, v in self.prepared.vectors.items()}
        other = object.__new__(Sample)
        other.prepared, other.matches = Prepared(self.prepared.features, fields), self.matches
        other.among, other.eligible = self.among, self.eligible
        return other, self.prepared.features.index[changed].tolist()


def _vectors(texts: list[object], themes: npt.NDArray[np.float32], rng: np.random.Generator) -> Vectors:
    """Return a unit vector for each embedded text: one common theme, one of its own, and noise."""
    embedded = np.flatnonzero([text_to_embed(text) is not None for text in texts])
    matrix = np.empty((len(embedded), themes.shape[1]), np.float32)
    for start in range(0, len(embedded), _ROWS_AT_ONCE):
        part = matrix[start : start + _ROWS_AT_ONCE]
        part[:] = rng.standard_normal(part.shape, np.float32) * rng.uniform(0.2, 0.8, (len(part), 1))
        part += themes[0] + themes[rng.integers(1, len(themes), len(part))] * rng.uniform(0, 1.2, (len(part), 1))
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    row = np.full(len(texts), MISSING, np.intp)
    row[embedded] = np.arange(len(embedded))
    return Vectors.from_matrix(matrix, row)


def bare_products(sample: Sample) -> float:
    """Seconds that the three products of a pair take, and nothing else: large blocks, the best of several."""
    blocks = [vectors.matrix[:_BLOCK] for vectors in sample.prepared.vectors.values()]
    seconds = min(timed(lambda: [block @ block.T for block in blocks]) for _ in range(_BLOCKS))
    return seconds / len(blocks[0]) ** 2


def run(profiles: int, dimension: int, hnsw: bool) -> list[Row]:
    """Return every figure with its unit and target."""
    sample = Sample(profiles, dimension)
    pairs = sample.eligible * (sample.eligible - 1) / 2
    seconds, cpu, found = _measured(lambda: sample.discover(BEST), 5 if profiles <= 5_000 else 1)
    looked: Looked = found.attrs["looked"]
    product = bare_products(sample)
    what = f"{profiles:,} profiles of {dimension:,} numbers, best {BEST}: "
    demo, largest = profiles <= 5_000, profiles >= 100_000
    rows = [
        figure(what + "seconds by the clock", seconds, "s", at_most=1.5 if demo else 600 if largest else None),
        figure(what + "CPU seconds", cpu, "s"),
        figure(what + "a profile", seconds / sample.eligible * 1e3, "ms"),
        figure(what + "share of pairs looked at", looked.looked_at / looked.possible, ""),
        figure(what + "bare products of all pairs", product * pairs, "s"),
        figure(what + "bare products of the pairs looked at", product * looked.looked_at, "s"),
        figure(
            what + "peak memory of the process, its data included", _peak_gb(), "GB", at_most=4 if largest else None
        ),
        figure("load of the machine meanwhile", os.getloadavg()[0], ""),
    ]
    scored = sample.matches.iloc[:200_000]
    took, scored_cpu, _ = _measured(lambda: score_pairs(sample.prepared, scored, calibration=CALIBRATION), 3)
    rows += [
        figure("score_pairs", len(scored) / took, "pairs/s"),
        figure(what + "pairs a second ÷ score_pairs", pairs / seconds * took / len(scored), "x",
               at_least=40 if demo else None),
        figure(what + "the same by CPU time", pairs / cpu * scored_cpu / len(scored), "x"),
    ]  # fmt: skip
    rows += _second(sample, what, seconds, cpu)
    if sample.eligible <= LARGEST_WHOLE:
        took, _, _ = _measured(lambda: allocate(sample.prepared, sample.matches, CAP, calibration=CALIBRATION,
                                                among=sample.among), 1)  # fmt: skip
        rows.append(figure(what + f"allocation over all pairs, cap {CAP}", took, "s"))
    return rows + (_index(sample, what, seconds, len(scored) / took, found) if hnsw else [])


def _second(sample: Sample, what: str, first: float, first_cpu: float) -> list[Row]:
    """Measure a run after a hundredth of the profiles changed, beside the first; RuntimeError if the results differ."""
    known = sample.discover(BEST + SPARE)
    later, changed = sample.edited(0.01)
    seconds, cpu, found = _measured(
        lambda: update(later.prepared, later.matches, BEST, calibration=CALIBRATION, among=later.among, known=known,
                       changed=changed), 1)  # fmt: skip
    if not found[found["rank"] <= BEST].reset_index(drop=True).equals(later.discover(BEST)):
        raise RuntimeError("an update gave something else than a first search")
    return [
        figure(what + "1 % changed, second run ÷ first", seconds / first, "", at_most=0.1),
        figure(what + "the same by CPU time", cpu / first_cpu, ""),
    ]


def _measured(work, repeats: int):  # type: ignore[no-untyped-def]
    """Return seconds by the clock and of CPU time, each the best of so many turns, and the last result."""
    clock, cpu, given = [], [], None
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        given = work()
        clock.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return min(clock), min(cpu), given


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _index(sample: Sample, what: str, seconds: float, pairs_a_second: float, found: pd.DataFrame) -> list[Row]:
    """Three queries a profile, then scoring what they find: the time for all profiles, and the recall of a sample."""
    ids = sample.prepared.features.index
    asked = np.random.default_rng(3).permutation(np.flatnonzero(sample.among))[:ASKED]
    with TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            with psycopg.connect(server.url().replace("+psycopg", "", 1), autocommit=True) as connection:
                built = timed(lambda: _fill(connection, sample))
                started = time.perf_counter()
                near = [_nearest(connection, sample, int(profile)) for profile in asked]
                queried = (time.perf_counter() - started) / len(asked)
        finally:
            postgres.stop(Path(folder) / "postgres")
    a = np.repeat(asked, [len(each) for each in near])
    pairs = pd.DataFrame({"profile_id": ids[a], "suggested_profile_id": ids[np.concatenate(near)]})
    pairs["id"] = np.arange(len(pairs))
    scored = score_pairs(sample.prepared, pairs, calibration=CALIBRATION)
    each = len(pairs) / len(asked)
    exact = found[found["profile_id"].isin(ids[asked])]
    hit = exact.merge(scored, left_on=["profile_id", "candidate_id"], right_on=["profile_id", "suggested_profile_id"])
    # A pair found from both its sides is scored once: at best half of them.
    total = sample.eligible * (queried + each / 2 / pairs_a_second)
    return [
        figure(what + "HNSW, three indexes filled and built", built, "s"),
        figure(what + f"HNSW, three queries a profile (of {len(asked)} profiles)", queried * 1e3, "ms"),
        figure(what + "HNSW, candidates a profile", each, ""),
        figure(what + f"HNSW and scoring for all, worked out from {len(asked)}", total, "s"),
        figure(what + "HNSW and scoring ÷ discovery", total / seconds, "x", at_least=2),
        figure(what + f"HNSW, recall of the exact best {BEST}", len(hit) / len(exact), ""),
    ]


def _fill(connection: psycopg.Connection, sample: Sample) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector(connection)
    connection.execute("SET maintenance_work_mem = '1GB'")
    for name in COMPARED:
        vectors = sample.prepared.vectors[name]
        connection.execute(f"CREATE TABLE near_{name} (profile int, vector vector({vectors.matrix.shape[1]}))")
        with connection.cursor().copy(f"COPY near_{name} FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "vector"])
            for profile in np.flatnonzero((vectors.row >= 0) & sample.among).tolist():
                copy.write_row((profile, vectors.matrix[vectors.row[profile]]))
        connection.execute(
            f"CREATE INDEX ON near_{name} USING hnsw (vector vector_cosine_ops) WITH (m = 16, ef_construction = 64)"
        )
    connection.execute("SET hnsw.ef_search = 200")


def _nearest(connection: psycopg.Connection, sample: Sample, profile: int) -> Positions:
    found: list[int] = []
    for source, target in QUERIES:
        vector = sample.prepared.vectors[source].vector(profile)
        if vector is not None:
            rows = connection.execute(
                f"SELECT profile FROM near_{target} ORDER BY vector <=> %s LIMIT {NEAREST}", (vector,)
            )
            found += [row[0] for row in rows]
    return np.setdiff1d(np.array(found, np.intp), [profile])


if __name__ == "__main__":
    show(run(int(sys.argv[1]), int(sys.argv[2]), "hnsw" in sys.argv))
