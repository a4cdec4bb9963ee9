"""Embed texts by the embedding model. Imports and loads nothing before the first text."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources import model_files
from jv_assets.resources.device_pool import DevicePool
from jv_scoring.similarity import calibration_of
from jv_scoring.text import text_to_embed

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_T = TypeVar("_T")


class Embedder:
    """Embeds texts by a model. `dimension` is the length of its vectors.

    Making one is free; the model is loaded, and downloaded if necessary, for the first text. If that fails, this text
    and every later one get the same UserError. A model without a calibration is a UserError at once. `batch_size`: how
    many texts are embedded at once, on all devices together.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.dimension = _dimension(model)
        self._devices = settings.embedding_devices()
        self.batch_size = settings.embedding_batch() * max(len(self._devices), 1)
        self._failure: UserError | None = None

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, each as `text_to_embed` gives it: shape (texts, dimension), in their order, of
        norm 1.

        The end of a text that is too long for the model is cut off (see `truncated`). If the model gives no finite
        numbers for a text, its vector is NaN. ValueError for a text that must not get a vector.
        """
        if unusable := [text for text in texts if text_to_embed(text) != text]:
            raise ValueError(f"{unusable[0]!r} is not a text to embed: shorter than 5 characters or not stripped")
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        with _one_line_where_memory_runs_out(self._devices):
            order = by_length(self.token_counts(texts))
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                vectors[batch] = self._embed_batch([texts[index] for index in batch])
        return vectors

    def token_counts(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return how many tokens each text has before its end is cut off."""
        if not texts:
            return np.empty(0, dtype=np.int64)
        tokens = self._loaded.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return np.array([len(row) for row in tokens], dtype=np.int64)

    def truncated(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return which texts have more tokens than the model takes, and so lose their end."""
        return self.token_counts(texts) > (self._loaded.max_seq_length or np.inf)

    @property
    def is_at_hand(self) -> bool:
        """Whether the model is on this machine, with the known files. Loads and downloads nothing."""
        return model_files.is_at_hand(self.model)

    @cached_property
    def place(self) -> str:
        """Where the model is, or from where it will be downloaded."""
        return self._or_same_failure(available)

    def _embed_batch(self, texts: list[str]) -> npt.NDArray[np.float32]:
        if len(self._devices) > 1:
            return self._pool.embed(texts)
        # On CPUs, a few texts per core are 1.5 times as fast as all texts on all cores.
        size = -(-len(texts) // self._workers)
        # Outside of the threads, because only one thread at a time may use the tokenizer.
        parts = [self._loaded.preprocess(texts[start : start + size]) for start in range(0, len(texts), size)]
        run = map if len(parts) == 1 else self._threads.map
        return np.concatenate(list(run(partial(_vectors, self._loaded), parts)))

    @cached_property
    def _workers(self) -> int:
        import torch

        return torch.get_num_threads() if self._loaded.device.type == "cpu" else 1

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        import torch

        return ThreadPoolExecutor(self._workers, "embedder", torch.set_num_threads, (1,))

    @cached_property
    def _pool(self) -> DevicePool:
        folder = model_files.model_folder(self.model)
        return DevicePool(self._devices, partial(_load_in_process, self.model, folder))

    @cached_property
    def _loaded(self) -> "SentenceTransformer":
        return self._or_same_failure(lambda model: _load(model, self._devices))

    def _or_same_failure(self, get: Callable[[str], _T]) -> _T:
        if self._failure:
            raise self._failure  # Otherwise every partition would ask the hub again, and wait for it.
        try:
            return get(self.model)
        except UserError as error:
            self._failure = error
            raise


def by_length(token_counts: npt.NDArray[np.int64]) -> list[int]:
    """Sort batches by tokens for the least padding: a third faster than by characters."""
    return [int(place) for place in np.argsort(token_counts, kind="stable")]


def available(model: str) -> str:
    """Return where the model is, or from where it will be downloaded, without loading it; UserError if it is
    unavailable.
    """
    _dimension(model)
    return model_files.available(model)


def _dimension(model: str) -> int:
    try:
        return calibration_of(model).dimension
    except ValueError as error:
        raise UserError(f"JV_EMBEDDING_MODEL: {error}") from None


def _load(model: str, devices: Sequence[str]) -> "SentenceTransformer":
    model_files.quiet()
    for name in devices:
        _try_device(name)
    loaded = _load_onto(model, model_files.model_folder(model), devices[0] if devices else None)
    expected, dimension = _dimension(model), loaded.get_embedding_dimension()
    if dimension != expected:
        raise UserError(
            f"model {model} makes vectors of {dimension} numbers here, the model of that name makes {expected}; "
            f"get it again, or {model_files.OTHERWISE}"
        )
    return loaded


def _load_onto(model: str, folder: Path, device: str | None) -> "SentenceTransformer":
    """Load the model of a verified folder."""
    try:
        from sentence_transformers import SentenceTransformer

        loaded = SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # Any of the libraries may raise it for a damaged file.
        if _is_out_of_memory(error):
            raise
        raise UserError(
            f"model {model}: {folder} cannot be loaded ({model_files.first_line(error)}); get it again, or "
            f"{model_files.OTHERWISE}"
        ) from error
    loaded.eval()
    return loaded


def _load_in_process(model: str, folder: Path, device: str) -> Callable[[list[str]], npt.NDArray[np.float32]]:
    """Return the function that a process of the pool embeds with."""
    model_files.quiet()
    loaded = _load_onto(model, folder, device)

    def embed(texts: list[str]) -> npt.NDArray[np.float32]:
        return _vectors(loaded, loaded.preprocess(texts))

    return embed


def _vectors(loaded: "SentenceTransformer", features: dict[str, Any]) -> npt.NDArray[np.float32]:
    import torch
    from sentence_transformers.util import batch_to_device

    with torch.inference_mode():
        vectors = loaded(batch_to_device(features, loaded.device))["sentence_embedding"]
        return torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()


def _try_device(name: str) -> None:
    import torch

    try:
        torch.ones(1, device=name).item()  # Some devices hold no numbers.
    except Exception as error:  # Each kind of device raises another class.
        raise UserError(
            f"JV_EMBEDDING_DEVICE: {name} cannot be used here ({model_files.first_line(error)}); set it to cpu, or "
            "leave it out"
        ) from None


@contextmanager
def _one_line_where_memory_runs_out(devices: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(
            f"JV_EMBEDDING_DEVICE: {' and '.join(devices) or 'the device'} has too little memory for "
            f"{settings.embedding_batch():,} texts at once ({model_files.first_line(error)}); set a smaller "
            "JV_EMBEDDING_BATCH, then type: jv retry"
        ) from None


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether a device or the machine is out of memory, which each library says in its own words."""
    said = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY)


_OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
)
