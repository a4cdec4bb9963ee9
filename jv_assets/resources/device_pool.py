"""A pool of processes that share the texts of a batch, one process per device."""

import atexit
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import numpy.typing as npt

from jv_assets.errors import UserError

Vectors = npt.NDArray[np.float32]
Load = Callable[[str], Callable[[list[str]], Vectors]]
"""Loads a model onto a device and returns a function that embeds texts. It is sent to processes, so it is picklable."""


class LostProcessError(Exception):
    """A process of the pool exited unexpectedly."""


class DevicePool:
    """One process per device.

    If one exits unexpectedly, all are restarted, once. They ignore Ctrl-C, which is for the process that gives them
    work, and end with that process, however it ends.
    """

    def __init__(self, devices: Sequence[str], load: Load) -> None:
        self._devices, self._load = list(devices), load
        self._members: list[tuple[BaseProcess, Connection]] = []
        self._may_restart = True
        self._failure: UserError | None = None
        atexit.register(self.close)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of the texts, in their order.

        UserError if a process exited unexpectedly for the second time, and from then on. An exception within a process
        is raised here.
        """
        while self._failure is None:
            if not self._members:
                self._start()
            try:
                return self._embed_once(texts)
            except LostProcessError as error:
                self.close()
                if not self._may_restart:
                    self._failure = UserError(
                        f"JV_EMBEDDING_DEVICE: {error}, and did so before: it was killed, mostly because memory ran "
                        "out; set a smaller JV_EMBEDDING_BATCH or name fewer devices, then type: jv retry"
                    )
                self._may_restart = False
            except KeyboardInterrupt:  # Pending answers must not be taken for those of another batch.
                self.close()
                raise
        raise self._failure

    def close(self) -> None:
        """End the processes, whether they are idle or busy."""
        for process, connection in self._members:
            process.kill()
            connection.close()
        for process, _ in self._members:
            process.join()
        self._members = []

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        for device in self._devices:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, device, self._load), daemon=True)
            process.start()
            theirs.close()  # The pipe then ends with the process.
            self._members.append((process, ours))

    def _embed_once(self, texts: Sequence[str]) -> Vectors:
        size = -(-len(texts) // len(self._devices))
        parts = [list(texts[start : start + size]) for start in range(0, len(texts), size)]
        busy = list(zip(self._devices, self._members, parts, strict=False))
        answers = []
        for device, (process, connection), part in busy:
            self._or_lost(device, process, partial(connection.send, part))
        for device, (process, connection), _ in busy:
            answers.append(self._or_lost(device, process, connection.recv))
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return np.concatenate(answers)

    @staticmethod
    def _or_lost(device: str, process: BaseProcess, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (EOFError, OSError):
            process.join(1)
            raise LostProcessError(f"the process on {device} ended (code {process.exitcode})") from None


def _serve(connection: Connection, device: str, load: Load) -> None:
    """Answer lists of texts with their vectors, or with an exception, until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    embed: Callable[[list[str]], Vectors] | None = None
    while True:
        try:
            texts = connection.recv()
        except (EOFError, OSError):
            return
        try:
            embed = embed or load(device)
            answer: object = embed(texts)
        except UserError as error:
            answer = error
        except Exception as error:  # It may be of any library, and the other side may not be able to rebuild it.
            answer = RuntimeError(f"{type(error).__name__}: {error}")
        try:
            connection.send(answer)
        except OSError:
            return
