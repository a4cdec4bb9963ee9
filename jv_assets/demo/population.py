"""The demo population: a production state with invented people, the same for a seed everywhere.

As measured for the default seed and size, beside production's figures:

- 3,578 profiles: 3,061 with text to embed, 517 without. (Production reports 3,060 embedded, 517 skipped, none failed:
  one of its 3,578 is in no count. Here everyone is in one, so one more is embedded.) 541 of the 3,061 lack one to three
  of the four texts.
- 11,539 texts, 10,982 of them distinct, with a median of 27 words and a maximum of 518; 486,000 tokens of
  all-MiniLM-L6-v2, 5 texts over 512 tokens, 13 over 256.
- Data for engagement 55.9 % (56.1 % with NaN, infinity and negative numbers), reach 62.4 %, projects 19.4 %, list size
  54.8 %.
- 29,863 matches, of which 23 name a profile that is gone and 3 a profile twice: 26 cannot be scored. 37 pairs are
  matched twice, once from each side. Of all evaluations A→B 58,768 are semantic and 906 by word overlap (58,796, 930).
- Scored with all-MiniLM-L6-v2 the 200 best by match_score have a harmonic mean of 53.98 ± 5.47, median 54.06 (53.96,
  5.23, 53.85); 168 are Fair (171). The 50 best rise by 2.26 from word overlap to embeddings (2.50).
- 9,526 matches were exposed, 290 of them without any time: see `outcomes.py`. At 2026-02-17 8,521 have the label
  `acted` (2,973 of them 1) and 715 are censored.
- Awkward cells: see `awkward.py`. 3,861 texts are blank rather than null.
"""

import uuid
from typing import Any

import numpy as np
import pandas as pd

from jv_assets.demo import awkward
from jv_assets.demo.dice import Dice, Floats
from jv_assets.demo.matches import Crowd, draw_outcomes, draw_pairs, match_row, older_scores
from jv_assets.demo.people import draw_person
from jv_assets.demo.profiles import measures, popularity, profile_rows
from jv_assets.demo.texts import embedded_texts
from jv_assets.errors import UserError
from jv_assets.setup.loading import Population
from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS, SCORE_COLUMNS, frame
from jv_scoring.text import text_to_embed

PROFILES, MATCHES, WITHOUT_TEXT = 3578, 29863, 517
COVERAGE = {"audience_engagement_score": 0.559, "social_reach": 0.624, "current_projects": 0.194, "list_size": 0.548}
"""The share of all profiles with data in each column of Momentum."""
_GONE_PROFILES = 9


def make_population(profiles: int = PROFILES, matches: int = MATCHES, seed: int = 20260217) -> Population:
    """Return so many synthetic profiles and matches, neither embedded nor scored yet.

    Raises UserError for numbers that are not possible.
    """
    if profiles < 1 or matches < 0:
        raise UserError(f"{profiles} profiles and {matches} matches: ask for at least 1 profile and 0 matches")
    # One random stream per part, so that a change of one part leaves the others as they are.
    rngs = [np.random.default_rng([seed, part]) for part in range(8)]
    without_text = set(rngs[0].permutation(profiles)[: round(profiles * WITHOUT_TEXT / PROFILES)].tolist())
    dice = Dice(rngs[0])
    people = [draw_person(dice, k not in without_text) for k in range(profiles)]
    dice, earlier = Dice(rngs[1]), dict[tuple[str, int], str]()
    texts = [embedded_texts(person, dice, earlier) for person in people]
    ids = _uuids(profiles, rngs[2])
    rows = profile_rows(people, texts, ids, Dice(rngs[3]))
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in PROFILE_COLUMNS}
    columns |= measures(people, {name: round(share * profiles) for name, share in COVERAGE.items()}, rngs[4])
    awkward.make_awkward(columns, profiles, PROFILES, rngs[5])
    crowd = Crowd.of(people, popularity(people, _complete(texts), rngs[6]))
    return Population(frame(columns), _matches(crowd, ids, matches, rngs[6], rngs[7]))


def _complete(texts: list[dict[str, str | None]]) -> Floats:
    """Return the share of usable texts, 0..1, per profile."""
    return np.array([sum(text_to_embed(text) is not None for text in row.values()) / len(row) for row in texts])


def _matches(
    crowd: Crowd, ids: list[str], count: int, rng: np.random.Generator, outcomes: np.random.Generator
) -> pd.DataFrame:
    gone, alone, twice = (
        awkward.scaled(usual, count, MATCHES)
        for usual in (awkward.GONE_MATCHES, awkward.SELF_MATCHES, awkward.TWICE_MATCHED)
    )
    pairs = draw_pairs(crowd, count - alone - twice, rng)
    selves = np.repeat(rng.permutation(len(ids))[:alone, None], 2, axis=1)
    pairs = rng.permutation(np.concatenate([pairs, pairs[:twice, ::-1], selves]))
    scores = older_scores(crowd, pairs, rng)
    named = [[ids[a], ids[b]] for a, b in pairs.tolist()]
    lost = _uuids(_GONE_PROFILES, rng)
    different = [k for k in rng.permutation(count).tolist() if named[k][0] != named[k][1]]
    for turn, k in enumerate(different[:gone]):
        named[k][turn % 2] = lost[turn % len(lost)]
    dice = Dice(rng)
    rows = [
        match_row(match_id, a, b, score, dice)
        for match_id, (a, b), score in zip(_uuids(count, rng), named, scores, strict=True)
    ]
    draw_outcomes(crowd, pairs, rows, outcomes)
    return frame({name: [row.get(name) for row in rows] for name in (*MATCH_COLUMNS, *SCORE_COLUMNS)})


def _uuids(count: int, rng: np.random.Generator) -> list[str]:
    """Return random version 4 uuids in lower case."""
    return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(count)]
