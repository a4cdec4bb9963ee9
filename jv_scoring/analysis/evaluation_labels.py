"""What became of suggestions: read outcomes from a match's columns, and choose the matches that have a label.

The names of outcomes are those of docs/evaluation.md.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.tallies import Ints

SEEN_TIMES = ("viewed_at", "contacted_at", "draft_intro_clicked_at", "feedback_at")
OUTCOME_COLUMNS = (*SEEN_TIMES, "status", "user_feedback")
"""The columns of `match_suggestions` that evaluation reads, beside ids and scores."""
LABELS = ("acted", "feedback")
FEEDBACK_LABELS = {
    **dict.fromkeys(("good", "great", "interested", "positive"), 1),
    **dict.fromkeys(("bad", "not a fit", "not interested", "negative"), 0),
}
"""By feedback, stripped and lower-cased, whether it is favourable (1) or not (0)."""
OUTCOME_DAYS = 30
"""After this many days, a match that was seen and not acted upon counts as not acted upon."""

_CONTACTED = frozenset({"contacted", "connected"})
_DISMISSED = "dismissed"
_EXPOSED = _CONTACTED | {"viewed", _DISMISSED}
_NOT_SEEN = frozenset({"pending", "new", "suggested", "sent", "expired"})
"""Status words that are known and say nothing of an exposure."""
NEVER = 2**63 - 1
"""Replaces the time of a match that has none."""
UNMAPPED, MISSING = -1, -2
"""Feedback that the labels do not map; no feedback."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """The outcome of each match, in the order of the rows that it was read from.

    rows: `seen_at` (microseconds since 1970 in UTC, `NEVER` where there is no time), `exposed`, `acted`, `dismissed`,
    and `feedback` (1, 0, `UNMAPPED` or `MISSING`). unknown_status, unmapped_feedback: how often each word occurs that
    nobody knows. missing: the columns that the platform does not have; their values count as null.
    """

    rows: pd.DataFrame
    unknown_status: Counter[str]
    unmapped_feedback: Counter[str]
    missing: tuple[str, ...]


def outcomes_of(matches: pd.DataFrame, labels: Mapping[str, int] = FEEDBACK_LABELS) -> Outcomes:
    """Read the outcomes of matches from `OUTCOME_COLUMNS`, of which any may be missing; times are datetimes.

    `labels`: feedback to 1 or 0, as `feedback_map` returns it.
    """
    missing = tuple(name for name in OUTCOME_COLUMNS if name not in matches)
    matches = matches.reindex(columns=list(OUTCOME_COLUMNS))
    times = {name: _times(matches[name]) for name in SEEN_TIMES}
    seen_at = np.minimum.reduce(list(times.values()))
    status, feedback = _words(matches["status"]), _words(matches["user_feedback"])
    contacted = (times["contacted_at"] != NEVER) | (times["draft_intro_clicked_at"] != NEVER)
    codes = [MISSING if word is None else labels.get(word, UNMAPPED) for word in feedback]
    rows = pd.DataFrame(
        {
            "seen_at": seen_at,
            "exposed": (seen_at != NEVER) | _among(status, _EXPOSED),
            "acted": contacted | _among(status, _CONTACTED),
            "dismissed": _among(status, frozenset({_DISMISSED})),
            "feedback": np.array(codes, np.int8),
        }
    )
    known = _EXPOSED | _NOT_SEEN
    return Outcomes(
        rows,
        Counter(word for word in status if word is not None and word not in known),
        Counter(word for word, code in zip(feedback, codes, strict=True) if word is not None and code == UNMAPPED),
        missing,
    )


def feedback_map(labels: object) -> dict[str, int]:
    """Return a map of feedback to 1 or 0 with its words stripped and lower-cased; ValueError for anything else."""
    if not isinstance(labels, dict):
        raise ValueError("not an object")  # noqa: TRY004 - of JSON that a person wrote
    values: dict[str, int] = {}
    for word, value in labels.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in (0, 1):
            raise ValueError(f"{word!r} is mapped to {value!r}, which is neither 1 nor 0")
        if values.setdefault(_word(word), int(value)) != value:
            raise ValueError(f"{_word(word)!r} is mapped to 1 and to 0")
    return values


@dataclass(frozen=True)
class Labelled:
    """Which matches have a label, and why the other exposed ones have none.

    used: (rows,) whether the match has the label. positive: (rows,) whether that is 1. Every exposed match is exactly
    one of undated, future, censored, unmapped, used, or (for feedback) without any.
    """

    used: Bools
    positive: Bools
    exposed: int
    undated: int
    future: int
    censored: int
    unmapped: int

    @property
    def counts(self) -> dict[str, int]:
        names = ("exposed", "undated", "future", "censored", "unmapped")
        counts = {name: int(getattr(self, name)) for name in names}
        return {**counts, "used": int(self.used.sum()), "positive": int((self.used & self.positive).sum())}


def labelled(outcomes: pd.DataFrame, label: str, at: datetime, days: int = OUTCOME_DAYS) -> Labelled:
    """Choose the matches with a label (`acted` or `feedback`) at the time of evaluation `at`, which has a time zone.

    `outcomes`: rows of `Outcomes.rows`. For `acted` a match must be mature: acted upon, dismissed, or seen at least
    `days` days before. For `feedback` it must have a word that is mapped.
    """
    exposed = outcomes["exposed"].to_numpy(np.bool_)
    seen_at = outcomes["seen_at"].to_numpy(np.int64)
    undated = exposed & (seen_at == NEVER)
    future = exposed & ~undated & (seen_at > microseconds(at))
    usable = exposed & ~undated & ~future
    if label == "acted":
        acted = outcomes["acted"].to_numpy(np.bool_)
        waited = seen_at <= microseconds(at - timedelta(days=days))
        mature = acted | outcomes["dismissed"].to_numpy(np.bool_) | waited
        used, positive, unmapped = usable & mature, acted, np.zeros_like(usable)
        censored = usable & ~mature
    else:
        feedback = outcomes["feedback"].to_numpy()
        used, positive, unmapped = usable & (feedback >= 0), feedback == 1, usable & (feedback == UNMAPPED)
        censored = np.zeros_like(usable)
    counts = (int(mask.sum()) for mask in (exposed, undated, future, censored, unmapped))
    return Labelled(used, positive, *counts)


def microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970 in UTC to a moment that has a time zone."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _times(values: pd.Series) -> Ints:
    moments = pd.to_datetime(values, utc=True).dt.tz_convert(None)
    times = moments.to_numpy("datetime64[us]").astype(np.int64)
    return np.where(moments.isna().to_numpy(), NEVER, times)


def _words(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else _word(value) for value in values.tolist()]


def _word(value: object) -> str:
    return str(value).strip().lower()


def _among(words: list[str | None], wanted: frozenset[str]) -> Bools:
    return np.fromiter((word in wanted for word in words), np.bool_, len(words))
