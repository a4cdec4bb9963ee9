"""Draw the pairs of a rating sheet: published matches, pairs that discovery proposes, and random pairs."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isnan

import numpy as np
import pandas as pd

from jv_assets.errors import UserError
from jv_assets.names import MATCH_CANDIDATES, MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.candidates import Ground, read_ground
from jv_assets.pipeline.changes import STORED_COLUMNS
from jv_assets.pipeline.scoring import score_matches
from jv_assets.ratings.store import Pair
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.evaluation_metrics import tenths
from jv_scoring.analysis.evaluation_rankings import COLUMNS, baselines, values_of
from jv_scoring.analysis.ratings import AT_RANDOM, DISCOVERED, PUBLISHED, SOURCES
from jv_scoring.columns import Floats

Ends = tuple[str, str]
"""The ids of two profiles."""
LEAST, MOST = len(SOURCES), 1_000
"""The fewest and most pairs of a sheet. A larger page would be slow, and nobody would finish it."""
_TRIES = 100
"""How many random pairs are drawn for each wanted one, before giving up."""


@dataclass(frozen=True)
class Sheet:
    """`name` is a hash of the content: equal pairs, equal name."""

    name: str
    pairs: list[Pair]


def draw(database: Database, files: RangeFiles, model: str, policy: str, *, count: int, seed: int) -> Sheet:
    """Draw `count` pairs, a third of each source, in an order that reveals nothing; equal seeds give equal sheets.

    UserError if the number is out of bounds, or if there are too few matches, candidates or profiles.
    """
    if not LEAST <= count <= MOST:
        raise UserError(f"--matches {count}: ask for {LEAST} to {MOST:,} pairs")
    dice = np.random.default_rng(seed)
    shares = {source: count // 3 + (place < count % 3) for place, source in enumerate(SOURCES)}
    ground, proposed = read_ground(database, files, model), sorted(_proposed(files))
    places = Counter(ground.existing["profile_id"]) + Counter(ground.existing["suggested_profile_id"])
    pairs = list(_draw_published(files, shares[PUBLISHED], policy, places, dice))
    others = {
        DISCOVERED: _draw_discovered(proposed, shares[DISCOVERED], dice),
        AT_RANDOM: _draw_at_random(ground, set(proposed), shares[AT_RANDOM], dice),
    }
    for source, drawn in others.items():
        pairs += _pairs(source, _scored(ground, drawn, model, policy), policy, places)
    order = dice.permutation(len(pairs)).tolist()
    numbered = [replace(pairs[place], pair=number) for number, place in enumerate(order, 1)]
    told = json.dumps([seed, [(pair.profile_id, pair.candidate_id, pair.source) for pair in numbered]])
    return Sheet(sha256(told.encode()).hexdigest()[:12], numbered)


def _draw_published(
    files: RangeFiles, count: int, policy: str, places: Mapping[str, int], dice: np.random.Generator
) -> Iterator[Pair]:
    """Draw equally many of each tenth of the score; the remainder comes from random tenths."""
    keys = files.made(MATCH_SCORES, ID_RANGES.get_partition_keys())
    scores = [files.read(MATCH_SCORES, key, ["harmonic_mean"])["harmonic_mean"].to_numpy(np.float64) for key in keys]
    values = np.concatenate([np.zeros(0), *scores])
    if len(values) < count:
        raise UserError(f"{len(values):,} matches are scored, and the sheet takes {count:,}; type: jv nightly")
    chosen, start = _of_tenths(values, count, dice), 0
    for key, of_range in zip(keys, scores, strict=True):
        mine = [place - start for place in sorted(chosen) if start <= place < start + len(of_range)]
        if mine:
            rows = files.read(MATCH_SCORES, key, COLUMNS).iloc[mine].reset_index(drop=True)
            for row, pair in zip(mine, _pairs(PUBLISHED, rows, policy, places), strict=True):
                tenth, matches = chosen[start + row]
                yield replace(pair, tenth=tenth, tenth_matches=matches)
        start += len(of_range)


def _of_tenths(values: Floats, count: int, dice: np.random.Generator) -> dict[int, tuple[int, int]]:
    """Return the places of the drawn values: the tenth of each, and how many values are in it."""
    distinct, place, often = np.unique(values, return_inverse=True, return_counts=True)
    tenth = tenths(distinct, often.astype(np.int64))[place]
    there = dice.permutation(np.unique(tenth)).tolist()
    chosen: dict[int, tuple[int, int]] = {}
    for turn, each in enumerate(there):
        of_tenth = np.flatnonzero(tenth == each)
        wanted = min(count // len(there) + (turn < count % len(there)), len(of_tenth))
        chosen |= dict.fromkeys(dice.choice(of_tenth, wanted, replace=False).tolist(), (each, len(of_tenth)))
    return chosen


def _draw_discovered(proposed: list[Ends], count: int, dice: np.random.Generator) -> list[Ends]:
    if len(proposed) < count:
        cure = "type: jv discover --top 20 --out candidates.csv"
        raise UserError(f"discovery proposes {len(proposed):,} pairs, and the sheet takes {count:,}; {cure}")
    drawn = (proposed[place] for place in dice.choice(len(proposed), count, replace=False).tolist())
    return [(a, b) if dice.random() < 0.5 else (b, a) for a, b in drawn]


def _draw_at_random(ground: Ground, proposed: set[Ends], count: int, dice: np.random.Generator) -> list[Ends]:
    """Return pairs of profiles with a usable text that are neither matched nor proposed."""
    ids = ground.prepared.features.index[ground.among].tolist()
    joined = zip(ground.existing["profile_id"], ground.existing["suggested_profile_id"], strict=True)
    taken = proposed | {(min(ends), max(ends)) for ends in joined}
    drawn: list[Ends] = []
    for _ in range(_TRIES * count if len(ids) > 1 else 0):
        a, b = (ids[place] for place in dice.choice(len(ids), 2, replace=False).tolist())
        if (ends := (min(a, b), max(a, b))) not in taken:
            taken.add(ends)
            drawn.append((a, b))
        if len(drawn) == count:
            return drawn
    raise UserError(f"of {len(ids):,} profiles with texts, too few pairs are neither matched nor proposed for a sheet")


def _proposed(files: RangeFiles) -> set[Ends]:
    keys = files.made(MATCH_CANDIDATES, ID_RANGES.get_partition_keys())
    parts = (files.read(MATCH_CANDIDATES, key, ["profile_id", "candidate_id"]) for key in keys)
    return {(min(ends), max(ends)) for part in parts for ends in part.itertuples(index=False, name=None)}


def _scored(ground: Ground, drawn: list[Ends], model: str, policy: str) -> pd.DataFrame:
    """Return the rows of unmatched pairs, as a partition file has those of matches."""
    matches = pd.DataFrame(drawn, columns=["profile_id", "suggested_profile_id"], dtype=object)
    matches.insert(0, "id", [f"{a} {b}" for a, b in drawn])
    matches = matches.assign(**dict.fromkeys(STORED_COLUMNS, np.nan))
    return score_matches(ground.prepared, matches, model, policy).rows


def _pairs(source: str, rows: pd.DataFrame, policy: str, places: Mapping[str, int]) -> Iterator[Pair]:
    """Return pairs with the value of every ranking; `random` is a hash of the match's id, which other pairs lack."""
    values = {**values_of(rows), **baselines(rows, places)}
    if source != PUBLISHED:
        del values["random"]
    ends = zip(rows["id"], rows["profile_id"], rows["suggested_profile_id"], strict=True)
    for row, (match, a, b) in enumerate(ends):
        ranks = {name: _known(float(of[row])) for name, of in values.items()}
        yield Pair(0, source, match if source == PUBLISHED else None, a, b, policy, None, None, ranks)


def _known(value: float) -> float | None:
    return None if isnan(value) else value
