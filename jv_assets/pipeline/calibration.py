"""Measure what the configured model's cosines mean, and keep the result as one small file a model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import cast

import numpy as np
from upath import UPath

from jv_assets.errors import UserError
from jv_assets.names import SIMILARITY_CALIBRATION
from jv_assets.pipeline import rules
from jv_assets.pipeline.calibration_inputs import CalibrationInputs, read_inputs
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.home_access import shown
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import similarity_calibration as analysis
from jv_scoring.analysis.calibration_pairs import (
    FACTORS,
    NEAR_MISS,
    PARAPHRASE,
    TEXT_PAIRS,
    TextPair,
    cosines_of,
    draw,
    text_pairs,
    texts_of,
)
from jv_scoring.analysis.similarity_calibration import ENOUGH, Ladder, TextCosines
from jv_scoring.analysis.tallies import Json
from jv_scoring.similarity import Calibration, Steps

PAIRS = 40_000
"""How many random pairs are drawn for each factor."""
FORMAT = 1
"""The form of the file. Files of another form count as missing."""


@dataclass(frozen=True)
class Wanted:
    """`pairs`: how many random pairs a factor gets, drawn by `seed`. `rates`: the wanted false positive rates."""

    pairs: int
    seed: int
    rates: Sequence[float]


def measure(
    database: Database, files: RangeFiles, embedder: Embedder, calibration: Calibration, wanted: Wanted
) -> Json:
    """Return the figures of the model: those of each factor, with the drift since the last measurement.

    Embeds the text pairs, unless the last measurement embedded the same ones. UserError if no profile has a vector.
    """
    before = read_file(files, embedder.model)
    inputs = read_inputs(database, embedder.model, wanted.seed)
    if not inputs.of:
        raise UserError(f"no profile has a vector of {embedder.model}; to make them, type: jv nightly")
    texts = _text_cosines(embedder, before)
    earlier = {each["factor"]: each for each in before["factors"]} if before else {}
    return {
        "format": FORMAT,
        "model": embedder.model,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "since": before["made_at"] if before else None,
        "calibration": calibration.name,
        "pairs": wanted.pairs,
        "seed": wanted.seed,
        "rates": list(wanted.rates),
        "profiles": len(next(iter(inputs.texts.values())).same),
        "of_profiles": inputs.of,
        "text_pairs": _known_pairs(),
        "factors": [_of_factor(name, inputs, texts, calibration, wanted, earlier.get(name)) for name in FACTORS],
    }


def _of_factor(  # noqa: PLR0917
    name: str,
    inputs: CalibrationInputs,
    texts: Mapping[str, TextCosines],
    calibration: Calibration,
    wanted: Wanted,
    earlier: Json | None,
) -> Json:
    source, target = (inputs.texts[each] for each in FACTORS[name])
    pairs = draw(name, (source, target), inputs.suggested, count=wanted.pairs, seed=wanted.seed)
    ladder = Ladder(calibration.steps_of(name), wanted.rates)
    found = analysis.figures(name, pairs, texts[name], ladder, len(source.same))
    return found | {"drift": analysis.drift(found, earlier) if earlier else None}


def _text_cosines(embedder: Embedder, before: Json | None) -> dict[str, TextCosines]:
    if before and before["text_pairs"] == _known_pairs():
        cosines = {each["factor"]: each["text_cosines"] for each in before["factors"]}
        return {name: TextCosines(np.array(of[PARAPHRASE]), np.array(of[NEAR_MISS])) for name, of in cosines.items()}
    pairs = text_pairs()
    values = cosines_of(embedder.embed(texts_of(pairs)))

    def of(factor: str, kind: str) -> list[bool]:
        return [pair.factor == factor and pair.kind == kind for pair in pairs]

    return {name: TextCosines(values[of(name, PARAPHRASE)], values[of(name, NEAR_MISS)]) for name in FACTORS}


def _known_pairs() -> Json:
    """Return which file of text pairs this is, and a hash of its content."""
    pairs: tuple[TextPair, ...] = text_pairs()
    digest = sha256(json.dumps([vars(pair) for pair in pairs]).encode()).hexdigest()
    return {"file": TEXT_PAIRS, "sha256": digest}


def path_of(files: RangeFiles, model: str) -> UPath:
    """Return where the figures of a model are."""
    return files.home / SIMILARITY_CALIBRATION / f"{model.replace('/', '--')}.json"


def write_file(files: RangeFiles, report: Json) -> UPath:
    """Keep the figures of a model, whole or not at all; return the path."""
    path = path_of(files, report["model"])
    files.put(path, json.dumps(report, allow_nan=False).encode())
    return path


def read_file(files: RangeFiles, model: str) -> Json | None:
    """Return the last figures of a model; None if there are none, or they are of another form."""
    path = path_of(files, model)
    try:
        found = json.loads(files.get(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{shown(path)} cannot be read ({' '.join(str(error).split())}): delete it, then type: jv calibration "
            "measure"
        ) from None
    is_ours = isinstance(found, dict) and found.get("format") == FORMAT and found.get("model") == model
    return cast(Json, found) if is_ours else None


def proposed(report: Json) -> dict[str, Steps]:
    """Return the proposed steps by factor; a factor without enough data has none."""
    return {
        each["factor"]: tuple((step["limit"], step["score"]) for step in each["proposal"]["steps"])
        for each in report["factors"]
        if each["proposal"]["verdict"] == ENOUGH
    }


def save_named(files: RangeFiles, model: str, name: str) -> tuple[Path, Json]:
    """Write the proposed steps of the last measurement as a named calibration; return its path and content.

    UserError if nothing was measured, if the proposal lacks data, or if the name is taken: a name keeps its meaning.
    """
    path, report = rules.path_of(name), read_file(files, model)
    if report is None:
        raise UserError(f"nothing was measured for {model}; type: jv calibration measure")
    steps = proposed(report)
    if lacking := [each for each in report["factors"] if each["factor"] not in steps]:
        why = "; ".join(f"{each['factor']}: {each['proposal']['why']}" for each in lacking)
        raise UserError(f"there is not enough data to propose steps ({why}): measure again with more profiles")
    content = {
        "format": rules.FORMAT,
        "name": name,
        "model": model,
        "steps": {factor: [list(step) for step in of] for factor, of in steps.items()},
        "evidence": {each: report[each] for each in ("made_at", "pairs", "seed", "rates", "profiles", "text_pairs")}
        | {each["factor"]: each["proposal"]["steps"] for each in report["factors"]},
    }
    if path.exists():
        raise UserError(f"{path} is there already: choose another name, because a name keeps its meaning")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; see JV_CALIBRATIONS") from None
    return path, content
