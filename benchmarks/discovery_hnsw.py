"""pgvector's HNSW beside discovery: what three queries a profile cost, and what recall they have.

Recall is audited on a sample of profiles at several settings of the index: of the exact best by value, and of the exact
nearest by cosine.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import psycopg
from pgvector.psycopg import register_vector

from benchmarks.discovery_sample import Sample
from benchmarks.figures import Row, figure, timed
from jv_assets.platform import postgres
from jv_scoring.analysis.evaluation_metrics import wilson
from jv_scoring.prepare import COMPARED
from jv_scoring.vectors import Positions

ASKED, NEAREST = 400, 200
"""Profiles that the index is asked about (its time for all is worked out from theirs), and neighbours a query."""
SETTINGS = (40, 100, 200, 400)
"""`hnsw.ef_search` of the audit. The index returns at most so many neighbours. The goal is about `NEAREST`."""
QUERIES = (("seeking", "offering"), ("offering", "seeking"), ("who_you_serve", "who_you_serve"))


def index(sample: Sample, what: str, seconds: float, pairs_a_second: float, found: pd.DataFrame) -> list[Row]:
    """Three queries a profile at each setting, then scoring what they find: the time for all profiles, and the recall
    of a sample.
    """
    asked = np.random.default_rng(3).permutation(np.flatnonzero(sample.among))[:ASKED]
    rows = []
    with TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            with psycopg.connect(server.url().replace("+psycopg", "", 1), autocommit=True) as connection:
                built = timed(lambda: _fill(connection, sample))
                rows.append(figure(what + "HNSW, three indexes filled and built", built, "s"))
                for setting in SETTINGS:
                    connection.execute(f"SET hnsw.ef_search = {setting}")
                    started = time.perf_counter()
                    near = [_nearest(connection, sample, int(profile)) for profile in asked]
                    queried = (time.perf_counter() - started) / len(asked)
                    told = f"{what}HNSW, ef_search {setting}: "
                    rows += _audited(sample, told, asked, near, found)
                    each = np.mean([len(_union(lists, profile)) for lists, profile in zip(near, asked, strict=True)])
                    # A pair found from both its sides is scored once: at best half of them.
                    total = sample.eligible * (queried + float(each) / 2 / pairs_a_second)
                    rows += [
                        figure(told + f"three queries (of {len(asked)} profiles)", queried * 1e3, "ms a profile"),
                        figure(told + "candidates a profile", float(each), ""),
                        figure(told + f"with scoring for all, worked out from {len(asked)}", total, "s"),
                        figure(told + "with scoring ÷ discovery", total / seconds, "x",
                               at_least=2 if setting == NEAREST else None),
                    ]  # fmt: skip
        finally:
            postgres.stop(Path(folder) / "postgres")
    return rows


Near = list[list[Positions]]
"""By profile asked, and by query: the neighbours, the nearest first."""


def _union(lists: list[Positions], profile: int) -> Positions:
    return np.setdiff1d(np.concatenate([np.zeros(0, np.intp), *lists]), [profile])


def _audited(sample: Sample, told: str, asked: Positions, near: Near, found: pd.DataFrame) -> list[Row]:
    """Return the recall of the exact best by value, and of the exact nearest by cosine, with Wilson intervals."""
    ids = sample.prepared.features.index
    place = pd.Series(np.arange(len(ids)), index=ids)
    exact = found[found["profile_id"].isin(ids[asked])]
    best = exact.groupby(place.loc[exact["profile_id"]].to_numpy())["candidate_id"]
    k = int(exact["rank"].max())
    by_value, values, by_cosine, cosines = 0, 0, 0, 0
    for profile, lists in zip(asked.tolist(), near, strict=True):
        wanted = place.loc[best.get_group(profile)].to_numpy() if profile in best.groups else np.zeros(0, np.intp)
        by_value += len(np.intersect1d(wanted, _union(lists, profile)))
        values += len(wanted)
        for (source, target), neighbours in zip(QUERIES, lists, strict=True):
            nearest = _exact_nearest(sample, source, target, profile, k)
            by_cosine += len(np.intersect1d(nearest, neighbours))
            cosines += len(nearest)
    rows = []
    for name, hits, whole in (("best by value", by_value, values), ("nearest by cosine", by_cosine, cosines)):
        low, high = wilson(hits, whole)
        rows.append(figure(f"{told}recall of the exact {k} {name}", hits / max(whole, 1), ""))
        rows += [figure(f"{told}… 95 % {end}", edge or 0.0, "") for end, edge in (("from", low), ("to", high))]
    return rows


def _exact_nearest(sample: Sample, source: str, target: str, profile: int, k: int) -> Positions:
    """Return the `k` exact nearest eligible profiles of a query, without itself."""
    query, vectors = sample.prepared.vectors[source].vector(profile), sample.prepared.vectors[target]
    if query is None:
        return np.zeros(0, np.intp)
    there = np.flatnonzero((vectors.row >= 0) & sample.among)
    there = there[there != profile]
    cosines = vectors.matrix[vectors.row[there]] @ np.asarray(query, vectors.matrix.dtype)
    return there[np.argsort(-cosines, kind="stable")[:k]]


def _fill(connection: psycopg.Connection, sample: Sample) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector(connection)
    connection.execute("SET maintenance_work_mem = '1GB'")
    # The index is measured, also where the planner would rather read a small table.
    connection.execute("SET enable_seqscan = off")
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


def _nearest(connection: psycopg.Connection, sample: Sample, profile: int) -> list[Positions]:
    """Return the neighbours of each query; none if the profile lacks the text."""
    found = []
    for source, target in QUERIES:
        vector = sample.prepared.vectors[source].vector(profile)
        query = f"SELECT profile FROM near_{target} ORDER BY vector <=> %s LIMIT {NEAREST}"
        rows = [] if vector is None else connection.execute(query, (vector,)).fetchall()
        found.append(np.array([row[0] for row in rows], np.intp))
    return found
