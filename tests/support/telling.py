"""What an operator is told of a fault: on the terminal, in the run's log, status and metadata, and by `jv status`."""

import re

from tests.support.faults import KEYS, Production
from tests.support.forking import Forked
from tests.support.program import SECONDS, Done

ALL = f"8 ranges ({', '.join(KEYS)})"
ASSET = "published_scores"
_RETRY = re.compile(rf"{ASSET}(, range [0-9a-f])?: .+; attempt [2-6] of 6 in \d+\.\d s")


def ended(process: Forked) -> Done:
    """What a process came to that was let go on."""
    out, err = process.communicate(timeout=SECONDS)
    return Done(process.returncode, out, err)


def assert_passed(production: Production, done: Done, written: int | None = None) -> list[str]:
    """It went well by itself, in the only run there is: all that tells of the fault are lines that say which range was
    done again and why, on the terminal and in the log. Returns these.

    `written`: how many of the scorable matches the metadata count as written, where it is not all of them; the others
    were found in order.
    """
    retries = assert_retried(production, done)
    [run] = production.jv.runs()
    assert (run.status, run.made[ASSET]) == ("SUCCESS", KEYS)
    scorable = production.scorable
    written = scorable if written is None else written
    found = f", {scorable - written:,} unchanged" if written < scorable else ""
    assert done.cells[ASSET][:3] == ["8", "0", f"{written:,} written{found}"]
    status = production.jv.succeeds("status").out
    assert "failed" not in status
    assert "Next:" not in status
    return retries


def assert_retried(production: Production, done: Done) -> list[str]:
    """Exit code 0, and nothing is said but which range was done again and why, on the terminal as in the log."""
    assert done.code == 0, done.err
    retries = production.retries()
    said = done.err.splitlines()
    assert len(said) == len(retries), done.err
    assert all(on_terminal.endswith(line) for on_terminal, line in zip(said, retries, strict=True))
    assert [line for line in retries if not _RETRY.fullmatch(line)] == []
    assert_no_trace(production.log())
    return retries


def assert_failed(production: Production, done: Done, where: str, cause: str, cure: str, *, asset: str = ASSET) -> None:
    """Exit code 1, and the cause, the ranges and what to do, on one line each: on the terminal, in the run's log and
    metadata, and in `jv status`; no stack trace anywhere.
    """
    assert done.code == 1
    told = [line for line in done.err.splitlines() if "; attempt " not in line]
    assert told[0].startswith(f"{asset} failed in {where}: "), done.err
    assert cause in told[0]
    assert cure in told[0]
    assert told[1:] == ["Once fixed, the rest is done by: jv retry"]
    causes = production.failed()[asset]
    assert all(cause in line and cure in line and "\n" not in line for line in causes.values())
    log = production.log()
    for key in causes:
        assert [line for line in log if line.startswith(f"{asset}, range {key}: ") and cause in line and cure in line]
    assert_no_trace(log)
    assert production.jv.runs()[-1].status == "FAILURE"
    assert done.cells[asset][:2] == [str(8 - len(causes)), str(len(causes))]
    status = production.jv.succeeds("status").out
    assert [line for line in status.splitlines() if line.startswith(f"{asset}: failed in {where}: ") and cause in line]
    assert status.endswith("Next: jv retry\n")


def assert_no_trace(log: list[str]) -> None:
    """None of the cause: Dagster keeps with a failed step only the place where the causes were summed up."""
    assert not [line for line in log if any(word in line for word in ("Traceback", "psycopg", "resources/", "OSError"))]
