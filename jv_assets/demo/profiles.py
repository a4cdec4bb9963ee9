"""Make the demo's profiles: every column except vectors, from the people and their texts."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from jv_assets.demo.dice import Dice, Floats, quantile
from jv_assets.demo.lexicon import AUDIENCES, SENTENCES, TOPICS, phrases
from jv_assets.demo.people import Person
from jv_assets.demo.texts import Vocabulary, fill, prose, vocabulary

Row = dict[str, Any]

LATEST = datetime(2026, 2, 16, 22, 0, tzinfo=UTC)
"""Nothing in the demo is younger than the evening before the interrupted run."""

# The chance that a column is filled: (for no effort, for the greatest effort).
_FILLED = {
    "email": (0.45, 0.9),
    "phone": (0.1, 0.5),
    "company": (0.4, 0.98),
    "website": (0.25, 0.85),
    "linkedin": (0.15, 0.85),
    "avatar_url": (0.1, 0.7),
    "business_focus": (0.2, 0.9),
    "status": (1.0, 1.0),
    "service_provided": (0.1, 0.8),
    "business_size": (0.1, 0.5),
    "role": (0.1, 0.7),
    "bio": (0.1, 0.98),
    "notes": (0.05, 0.15),
    "signature_programs": (0.0, 0.75),
    "booking_link": (0.0, 0.42),
    "niche": (0.2, 0.98),
    "audience_type": (0.1, 0.95),
    "network_role": (0.5, 0.99),
    "revenue_tier": (0.2, 0.75),
    "tags": (0.2, 0.98),
    "secondary_emails": (0.0, 0.15),
    "content_platforms": (0.05, 0.7),
    "enrichment_metadata": (0.2, 0.9),
    "profile_confidence": (0.3, 0.98),
}
NETWORK_ROLES = {
    "Coach": 22, "coach": 6, "Coach / Consultant": 5, "Coach/Speaker": 4, "coach / mentor": 3, "Service Provider": 12,
    "service_provider": 4, "Practitioner": 3, "specialist": 2, "Thought Leader": 9, "thought_leader": 3, "Speaker": 3,
    "Speaker / Author": 3, "Educator": 6, "Educator/Trainer": 3, "educator / coach": 2, "Expert/Advisor": 6,
    "Consultant": 4, "advisor": 2, "Media/Publisher": 5, "Content Creator": 5, "Influencer": 2,
    "media_content_creator": 1, "Community Builder": 5, "Connector": 5, "Connector / Network Builder": 1, "Hub": 1,
    "Bridge": 1, "Affiliate/Promoter": 4, "referral_partner": 2, "Product Creator": 4, "CREATOR": 1, "Newcomer": 3,
    " Newcomer ": 1,
}  # fmt: skip
TIERS = {"micro": 20, "emerging": 34, "established": 26, "premium": 8, "enterprise": 2, "unknown": 10}
_REACH = ((0.0, 8), (0.25, 900), (0.6, 6_000), (0.85, 30_000), (0.94, 90_000), (0.99, 300_000), (1.0, 2_400_000))
_LIST = ((0.0, 5), (0.25, 600), (0.6, 4_000), (0.85, 20_000), (0.95, 70_000), (0.99, 150_000), (1.0, 850_000))
_ENGAGEMENT = ((0.0, 0.0), (0.2, 0.1), (0.5, 0.27), (0.85, 0.55), (1.0, 1.0))
_FORMATS = phrases("webinar|list swap|affiliate launch|podcast swap|summit|bundle|joint workshop|giveaway")
_PLATFORMS = phrases("podcast_name|video_channel|blog|newsletter|community|short_videos")


def profile_rows(
    people: Sequence[Person], texts: Sequence[dict[str, str | None]], ids: Sequence[str], dice: Dice
) -> list[Row]:
    """Return one row per person, all columns except those of `measures`; null is None."""
    return [
        _row(person, written, profile_id, dice) for person, written, profile_id in zip(people, texts, ids, strict=True)
    ]


def _row(person: Person, texts: dict[str, str | None], profile_id: str, dice: Dice) -> Row:
    words = vocabulary(person)
    row: Row = {"id": profile_id, "name": f"{person.first} {person.family}", **texts}
    for column, (least, most) in _FILLED.items():
        filled = dice.chance(least + (most - least) * person.effort)
        row[column] = _COLUMNS[column](person, words, dice) if filled else None
        if not filled and column in _OFTEN_BLANK and dice.chance(0.15):
            row[column] = dice.pick(("", "", " ", "   "))
    row["jv_history"] = _jv_history(person, dice)
    created = LATEST - timedelta(minutes=dice.whole(0, 1_000_000))
    updated = created + (LATEST - created) * dice.unit()
    row |= {"created_at": created, "updated_at": updated, "profile_updated_at": updated if dice.chance(0.6) else None}
    row["last_active_at"] = created + (LATEST - created) * dice.unit() if dice.chance(person.effort) else None
    row["last_enriched_at"] = updated if row["enrichment_metadata"] else None
    return row


def measures(people: Sequence[Person], coverage: dict[str, int], rng: np.random.Generator) -> dict[str, list[Any]]:
    """Return the four columns of Momentum and the network's figures, one value per person.

    `coverage`: how many have each of the four. People who put more into their profile are likelier to.
    """
    dice = Dice(rng)
    effort = np.array([person.effort for person in people])
    draw: dict[str, Callable[[Person], Any]] = {
        "audience_engagement_score": lambda _: round(quantile(dice.unit(), _ENGAGEMENT), 3),
        "social_reach": lambda _: _as_told(quantile(dice.unit(), _REACH), dice),
        "list_size": lambda _: _as_told(quantile(dice.unit(), _LIST), dice),
        "current_projects": lambda person: fill(dice.pick(SENTENCES["projects"]), vocabulary(person), dice),
    }
    without: dict[str, tuple[Any, ...]] = {
        "audience_engagement_score": (None,),
        "social_reach": (None, 0),
        "list_size": (None, None, 0),
        "current_projects": (None, None, None, "", "  ", "tbd", "a book", "none yet"),
    }
    columns: dict[str, list[Any]] = {}
    for name, count in coverage.items():
        likely = rng.random(len(people)) + 0.8 * effort
        has = set(np.argsort(-likely, kind="stable")[:count].tolist())
        columns[name] = [
            draw[name](person) if k in has else dice.pick(without[name]) for k, person in enumerate(people)
        ]
    return columns | {
        name: [round(scale * person.effort * dice.unit(), 6) if person.has_text else None for person in people]
        for name, scale in (("pagerank_score", 0.001), ("degree_centrality", 0.05), ("betweenness_centrality", 0.01))
    }


def popularity(people: Sequence[Person], complete: Floats, rng: np.random.Generator) -> Floats:
    """Return how readily the older matcher suggested each person, above 0: few often, many seldom.

    `complete` (0..1): the share of the embedded texts that exist. The matcher mostly took people who have all.
    """
    rank = rng.permutation(len(people))
    effort = np.array([person.effort for person in people])
    heavy = 1 / (1 + 120 * (rank / len(people)))
    return np.asarray((heavy + 0.08) * (0.3 + effort) * np.where(complete == 1, 1.0, 0.225 * complete + 0.002))


def _as_told(number: float, dice: Dice) -> int:
    """Return a number as people tell it: mostly round."""
    whole = max(1, int(number))
    step = 10 ** max(0, len(str(whole)) - (1 if dice.chance(0.4) else 2))
    return whole if dice.chance(0.35) else max(1, whole // step * step)


def _jv_history(person: Person, dice: Dice) -> list[Row] | None:
    if not dice.chance(0.4 * person.effort):
        return [] if dice.chance(0.5) else None
    return [
        {"format": dice.pick(_FORMATS), "year": dice.whole(2018, 2026), "topic": dice.pick(TOPICS[k].craft)}
        for k in (person.topic, person.second, *person.sought)[: 1 + int(4 * dice.unit() * dice.unit())]
    ]


def _email(person: Person, words: Vocabulary, dice: Dice) -> str:
    name = f"{person.first}.{person.family}{dice.pick(('', '', '', str(dice.whole(2, 99))))}".lower()
    return f"{name}@example.{dice.pick(('com', 'org', 'net'))}"


def _bio(person: Person, words: Vocabulary, dice: Dice) -> str:
    return prose((*SENTENCES["what"], *SENTENCES["story"]), dice.whole(1, 6), words, dice)


def _tags(person: Person, words: Vocabulary, dice: Dice) -> list[str]:
    tags = [*TOPICS[person.topic].craft, *TOPICS[person.second].craft, AUDIENCES[person.audience].key]
    return dice.sample(tags, dice.whole(1, 6))


def _enrichment(person: Person, words: Vocabulary, dice: Dice) -> Row:
    source = dice.pick(("website", "directory", "interview", "import"))
    fields = dice.sample(("niche", "seeking", "tags"), 2)
    return {"source": source, "fields": fields, "confidence": round(dice.unit(), 2)}


def _phrase(template: str) -> Callable[[Person, Vocabulary, Dice], str]:
    return lambda person, words, dice: fill(template, words, dice)


def _one_of(text: str) -> Callable[[Person, Vocabulary, Dice], str]:
    return lambda person, words, dice: dice.pick(phrases(text))


def _slug(person: Person) -> str:
    return f"{person.first}-{person.family}".lower()


_COLUMNS: dict[str, Callable[[Person, Vocabulary, Dice], Any]] = {
    "email": _email,
    "phone": lambda p, w, dice: f"+1 ({dice.whole(201, 989)}) 555-01{dice.whole(0, 99):02d}",
    "company": lambda p, w, dice: (
        p.company + dice.pick((" Coaching", " Media", " Studio", " Group", " Academy", "", ""))
    ),
    "website": lambda p, w, dice: f"https://{p.company.lower()}.example.{dice.pick(('com', 'org'))}",
    "linkedin": lambda p, w, dice: f"https://network.example.com/in/{_slug(p)}",
    "avatar_url": lambda p, w, dice: f"https://images.example.net/{_slug(p)}.jpg",
    "business_focus": _phrase("{craft}"),
    "status": _one_of("active|active|active|prospect|inactive"),
    "service_provided": _phrase("{craft}, {craft2}"),
    "business_size": _one_of("solo|solo|2-5|6-20|21-100"),
    "role": _phrase("{expert}"),
    "bio": _bio,
    "notes": _one_of("met at an event|prefers email|call back in March|asked for a rate card|moved from the old list"),
    "signature_programs": _phrase("{product}, {product}"),
    "booking_link": lambda p, w, dice: f"https://calendar.example.com/{_slug(p)}",
    "niche": _phrase("{craft}"),
    "audience_type": _phrase("{who}"),
    "network_role": lambda p, w, dice: dice.weighted(NETWORK_ROLES),
    "revenue_tier": lambda p, w, dice: dice.weighted(TIERS),
    "tags": _tags,
    "secondary_emails": lambda p, w, dice: [f"hello@{p.company.lower()}.example.com"],
    "content_platforms": lambda p, w, dice: {
        name: f"https://{p.company.lower()}.example.com/{name}" for name in dice.sample(_PLATFORMS, dice.whole(1, 3))
    },
    "enrichment_metadata": _enrichment,
    "profile_confidence": lambda p, w, dice: round(0.3 + 0.7 * dice.unit() * (0.5 + p.effort / 2), 2),
}
_OFTEN_BLANK = frozenset(
    ["email", "phone", "website", "linkedin", "bio", "notes", "booking_link", "niche", "audience_type", "revenue_tier"]
)
