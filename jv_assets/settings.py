"""Every environment variable that the program reads, in one place."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jv_assets.errors import UserError
from jv_assets.variables import decimal, digits, short, whole_number

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_UNREADABLE = "unreadable"
"""The folder for a URL that no command accepts, because a part of it may be the password."""
ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds the packages: the checkout, or the site-packages of an installed wheel."""

DISTRIBUTION = "jv-assets"
"""The name of the package for pip, and of the user's data folder."""

PRODUCTION_MODEL = "BAAI/bge-large-en-v1.5"
DEMO_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def home() -> str:
    """`JV_HOME`: the folder or bucket URL for partition files and reports.

    The default is `.jv` in the checkout, or the user's data folder if `jv` was installed from a wheel. If
    `JV_DATABASE_URL` is set, the default is a folder below it for that user, host and database: behind one pooler host,
    the user name may choose the project. UserError for a relative folder, because it would be another one in each
    directory.
    """
    if given := os.environ.get("JV_HOME", "").removeprefix("file://"):
        return given if "://" in given else _absolute(given, "JV_HOME")
    url = database_url()
    return str(_default_folder() / (_place(url) if url else ""))


def in_checkout() -> bool:
    """Return whether this code runs from its checkout, not from an installed wheel."""
    try:
        return f'\nname = "{DISTRIBUTION}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return False


def _default_folder() -> Path:
    if in_checkout():
        return ROOT / ".jv"
    from platformdirs import user_data_path  # Imported here, because a checkout does not need it.

    folder = user_data_path(DISTRIBUTION, appauthor=False)
    if not folder.is_absolute():  # The user has no home folder.
        raise UserError("this user has no home folder; set JV_HOME to a folder of your own")
    return folder


def _absolute(folder: str, variable: str) -> str:
    try:
        path = Path(folder).expanduser()
    except RuntimeError:  # There is no such user.
        raise UserError(f"{variable}={folder}: there is no such user; write the folder from / on") from None
    if not path.is_absolute():
        raise UserError(
            f"{variable}={folder} would be another folder in each directory; write {os.path.normpath(path.absolute())}"
        )
    return str(path)


def _place(url: str) -> str:
    """Return user, host, port and database of a URL, without the password, as the name of a folder."""
    from sqlalchemy.exc import ArgumentError  # Imported here, because not every command needs a database.

    from jv_assets.addresses import address_of, parsed

    try:
        return _UNREADABLE if url.count("@") > 1 else address_of(parsed(url)).folder
    except (ArgumentError, ValueError):
        return _UNREADABLE


def state_dir() -> Path:
    """Return the local folder of the embedded server and Dagster's logs, also if `JV_HOME` is a bucket."""
    return _default_folder() if "://" in home() else Path(home()).absolute()


def reports_dir() -> Path:
    """Return the local folder of the diagnostic report."""
    return state_dir() / "reports"


def database_url() -> str | None:
    """`JV_DATABASE_URL`: a Postgres with pgvector, used instead of the embedded one."""
    return os.environ.get("JV_DATABASE_URL") or None


def dagster_url() -> str | None:
    """`JV_DAGSTER_URL`: where Dagster keeps its runs and events, instead of a database of the embedded server."""
    return os.environ.get("JV_DAGSTER_URL") or None


def postgres_url(given: str, variable: str) -> "URL":
    """Return the URL in an environment variable; UserError, without the password, if it cannot be a URL."""
    # Imported here, because reading a setting needs no SQLAlchemy.
    from sqlalchemy.exc import ArgumentError

    from jv_assets.addresses import connect_words, parsed

    if given.count("@") > 1:  # This would be the rest of the password, which messages would show.
        raise UserError(f"{variable} has an @ too many: write the one in the password as %40")
    try:
        url = parsed(given)
    except (ArgumentError, ValueError):  # The port is not a number.
        raise UserError(f"{variable} is no URL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise UserError(f"{variable} is for {url.get_backend_name()}: write a postgresql:// URL")
    try:
        connect_words(url)
    except ArgumentError:
        cure = "write a port, a number, for each host, as host=A,B&port=5432,5432"
        raise UserError(f"{variable} has ports that do not fit its hosts: {cure}") from None
    return url


def celery_broker() -> str | None:
    """`JV_CELERY_BROKER`: the Redis for workers, `redis://:PASSWORD@HOST:PORT/0` or `rediss:`; by default
    none. A secret.
    """
    url = os.environ.get("JV_CELERY_BROKER") or None
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
    except ValueError:  # The error may quote a part of the password.
        usable = False
    if not usable:
        raise UserError(
            "JV_CELERY_BROKER is not redis://:PASSWORD@HOST:PORT/0, in which % quotes / : @ # of the password"
        )
    return url


def embedding_model() -> str:
    """`JV_EMBEDDING_MODEL`: by default the production model; on the embedded server, the small one of pip."""
    return os.environ.get("JV_EMBEDDING_MODEL") or (PRODUCTION_MODEL if database_url() else DEMO_MODEL)


def embedding_devices() -> list[str]:
    """`JV_EMBEDDING_DEVICE`: `cpu`, `cuda` or several, such as `cuda:0,cuda:1`; by default the best device."""
    return [name.strip() for name in (os.environ.get("JV_EMBEDDING_DEVICE") or "").split(",") if name.strip()]


def embedding_batch() -> int:
    """`JV_EMBEDDING_BATCH`: how many texts the model embeds at once, on each device."""
    return whole_number("JV_EMBEDDING_BATCH", default=32)


def embed_hours() -> float:
    """`JV_EMBED_HOURS`: how many hours a run may embed, as estimated before it begins."""
    return decimal("JV_EMBED_HOURS", default=24)


def matched_only() -> bool:
    """`JV_PROFILES`: which profiles to read and embed, `all` or `matched`: those that a match names."""
    given = os.environ.get("JV_PROFILES") or "all"
    if given not in {"all", "matched"}:
        raise UserError(f"JV_PROFILES={short(given)}: set it to all or matched")
    return given == "matched"


def policy() -> str:
    """`JV_POLICY`: the policy to score matches under; by default the current one of the rules."""
    return os.environ.get("JV_POLICY") or "harmonic/impute"


def id_ranges() -> int:
    """`JV_ID_RANGES`: the number of partitions of each table; a power of two from 1 to 4,096."""
    text = os.environ.get("JV_ID_RANGES") or "64"
    count = digits(text) or 0
    if not 1 <= count <= 4096 or count & (count - 1):
        raise UserError(f"JV_ID_RANGES={short(text)}: set it to a power of two from 1 to 4096")
    return count


def ranges_per_run() -> int:
    """`JV_RANGES_PER_RUN`: how many partitions one run of a backfill covers at most."""
    return whole_number("JV_RANGES_PER_RUN", default=64)


def reports_port() -> int | None:
    """`JV_REPORTS_PORT`: the port on which `jv ui` shows the report; by default the first free port from 3100 on."""
    text = os.environ.get("JV_REPORTS_PORT")
    if not text:
        return None
    port = digits(text)
    if port is None or not 1 <= port <= 65535:
        raise UserError(f"JV_REPORTS_PORT={short(text)}: set it to a port, 1 to 65535")
    return port


def kept_runs() -> int:
    """`JV_KEPT_RUNS`: how many runs can be undone with `jv undo`."""
    return whole_number("JV_KEPT_RUNS", default=10)


def alert_webhook() -> str | None:
    """`JV_ALERT_WEBHOOK`: the address that failed runs are posted to. A secret: whoever knows it can post there."""
    return os.environ.get("JV_ALERT_WEBHOOK") or None


def ui_url() -> str:
    """`JV_UI_URL`: the address where people open the Dagster UI, for links in alerts."""
    return (os.environ.get("JV_UI_URL") or "http://127.0.0.1:3000").rstrip("/")


def kept_days() -> int:
    """`JV_KEPT_DAYS`: the retention of Dagster's runs with their events and logs, in days."""
    return whole_number("JV_KEPT_DAYS", default=30, most=36_500)


def score_log_days() -> int:
    """`JV_SCORE_LOG_DAYS`: the retention of the log of published scores, in days."""
    return whole_number("JV_SCORE_LOG_DAYS", default=400)


def calibration_rates() -> tuple[float, ...]:
    """`JV_CALIBRATION_FPR`: the false positive rates of the four proposed steps, the lowest step first."""
    text = os.environ.get("JV_CALIBRATION_FPR") or "0.5,0.2,0.08,0.02"
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if len(rates) != 4 or not 1 > rates[0] > rates[1] > rates[2] > rates[3] > 0:
        raise UserError(
            f"JV_CALIBRATION_FPR={short(text)}: set it to four shares between 1 and 0 in falling order, such as "
            "0.5,0.2,0.08,0.02"
        )
    return rates


def calibration() -> str | None:
    """`JV_CALIBRATION`: the named calibration that scores similarity; by default the package's own steps."""
    return os.environ.get("JV_CALIBRATION") or None


def calibrations_dir() -> Path:
    """`JV_CALIBRATIONS`: the folder of named calibrations; by default `calibrations` in the checkout, or beside
    JV_HOME's files if `jv` was installed from a wheel.
    """
    if given := os.environ.get("JV_CALIBRATIONS"):
        return Path(_absolute(given, "JV_CALIBRATIONS"))
    return (ROOT if in_checkout() else state_dir()) / "calibrations"


def outcome_days() -> int:
    """`JV_OUTCOME_DAYS`: after how many days a match that somebody saw and ignored counts as not acted upon."""
    return whole_number("JV_OUTCOME_DAYS", default=30, most=36_500)


def feedback_labels() -> dict[str, int]:
    """`JV_FEEDBACK_LABELS`: JSON that maps feedback, stripped and in lower case, to 1 (favourable) or 0."""
    # Imported here, because few commands need it.
    from jv_scoring.analysis.evaluation_labels import FEEDBACK_LABELS, feedback_map

    text = os.environ.get("JV_FEEDBACK_LABELS", "")
    try:
        return feedback_map(json.loads(text)) if text else FEEDBACK_LABELS
    except (ValueError, RecursionError):
        raise UserError(
            f"JV_FEEDBACK_LABELS={short(text)}: set it to a JSON object of words and 1 or 0, such as "
            '{"good": 1, "bad": 0}'
        ) from None


def nightly_cron() -> str:
    """`JV_NIGHTLY_CRON`: when the nightly run starts; by default at 03:00."""
    import dagster as dg  # Imported here, because most commands do not need Dagster.

    cron = os.environ.get("JV_NIGHTLY_CRON") or "0 3 * * *"
    try:
        dg.ScheduleDefinition(job_name="nightly", cron_schedule=cron)
    except dg.DagsterInvalidDefinitionError:
        message = f"JV_NIGHTLY_CRON={cron}: set it to minute, hour, day, month and weekday, such as 0 3 * * *"
        raise UserError(message) from None
    return cron


def nightly_timezone() -> str:
    """`JV_NIGHTLY_TIMEZONE`: the time zone of `JV_NIGHTLY_CRON`; by default UTC."""
    name = os.environ.get("JV_NIGHTLY_TIMEZONE") or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name is a folder of time zones, such as Europe.
        raise UserError(f"JV_NIGHTLY_TIMEZONE={name}: no such time zone; use a name such as Europe/Berlin") from None
    return name
