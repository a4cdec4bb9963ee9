"""The demo's vocabulary: phrases and sentences from the files in `data`, which say what each of them is for."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


def phrases(text: str) -> tuple[str, ...]:
    """Return the phrases of a string, separated by bars."""
    return tuple(text.split("|"))


@dataclass(frozen=True, eq=False)
class Topic:
    """A field of work."""

    key: str
    weight: int
    craft: tuple[str, ...]
    expert: tuple[str, ...]
    do: tuple[str, ...]
    pain: tuple[str, ...]
    win: tuple[str, ...]
    product: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Audience:
    """A group of people who are served."""

    key: str
    weight: int
    who: tuple[str, ...]
    trait: tuple[str, ...]
    want: tuple[str, ...]
    worry: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Language:
    """`share` is out of 1,000 profiles with text; `sentences` are by embedded column."""

    key: str
    share: int
    topic: tuple[str, ...]
    people: tuple[str, ...]
    sentences: dict[str, tuple[str, ...]]


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = _in_tuples(tomllib.loads(files(__package__).joinpath("data", name).read_text("utf-8")))
    return read


def _in_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_tuples(each) for name, each in value.items()}
    return tuple(map(_in_tuples, value)) if isinstance(value, list) else value


_topics, _audiences = _read("topics.toml"), _read("audiences.toml")
BUSINESS_TOPICS = tuple(Topic(**each) for each in _topics["business"])
TOPICS = BUSINESS_TOPICS + tuple(Topic(**each) for each in _topics["life"])
AT_WORK = tuple(Audience(**each) for each in _audiences["at_work"])
AUDIENCES = AT_WORK + tuple(Audience(**each) for each in _audiences["at_home"])
LANGUAGES = tuple(Language(**each) for each in _read("languages.toml")["language"])
_sentences = _read("sentences.toml")
FILLERS: dict[str, tuple[str, ...]] = _sentences.pop("fillers")
SENTENCES: dict[str, tuple[str, ...]] = _sentences
