"""The broker between Dagster's daemon and the workers that do its runs: a Redis, through Celery."""

import ssl
from typing import Any
from urllib.parse import urlsplit

import redis
from celery import Celery  # type: ignore[import-untyped]
from celery.backends.redis import RedisBackend  # type: ignore[import-untyped]
from dagster_celery.make_app import make_app

from jv_assets import settings
from jv_assets.errors import UserError

QUEUE = "dagster"
"""The queue that dagster-celery's workers listen to."""

_TLS = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
_CONFIG: dict[str, Any] = {
    # One run at a time, each in a new process, as on one machine: one that takes all memory takes no other run with it,
    # and what went wrong in one is forgotten with it.
    "worker_concurrency": 1,
    "worker_max_tasks_per_child": 1,
    # Otherwise a busy worker reserves one more run, which waits although others are free, and for an hour if the worker
    # is killed.
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    # A run's message is gone once it is begun. Redis would hand it out again, some hours late, to a worker that Dagster
    # then tells to ignore it: that a worker is gone is noticed by the launcher (celery_launcher.py).
    "task_acks_late": False,
    "task_default_queue": QUEUE,
    "task_default_priority": 5,
    "result_expires": 30 * 86_400,  # Longer than any run waits and takes.
    "broker_connection_retry_on_startup": True,
    # A daemon that cannot reach the broker must report it, not wait.
    "broker_transport_options": {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
    "redis_socket_keepalive": True,
    "redis_backend_health_check_interval": 30,
    "worker_log_format": "%(asctime)s - %(processName)s - %(levelname)s - %(message)s",
}


class Results(RedisBackend):  # type: ignore[misc]
    """Where a worker says which runs it has begun and ended."""

    def on_task_call(self, *args: object, **more: object) -> None:
        """The sender does not wait for a run's end, which Dagster records. A launcher would keep a subscription for
        each run, and retry it for twenty seconds if Redis is down.
        """


def celery() -> Celery:
    """Return Celery at the broker of JV_CELERY_BROKER, to send runs, to ask workers, or to be one."""
    url = _url()
    tls = {"broker_use_ssl": _TLS, "redis_backend_use_ssl": _TLS} if url.startswith("rediss://") else {}
    results = f"{Results.__module__}:{Results.__name__}+{url}"
    return make_app({"broker": url, "backend": results, "config_source": {**_CONFIG, **tls}})  # type: ignore[no-untyped-call]


def require_broker() -> None:
    """Raise UserError unless the broker answers."""
    url = _url()
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=10) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        where, reason = urlsplit(url).netloc.rpartition("@")[2], " ".join(str(error).split()).rstrip(".")
        cure = "check JV_CELERY_BROKER and that Redis runs"
        raise UserError(f"no connection to the broker {where}: {reason}; {cure}") from None


def _url() -> str:
    url = settings.celery_broker()
    if url is None:
        raise UserError("there is no broker: set JV_CELERY_BROKER to a Redis, redis://:PASSWORD@HOST:PORT/0")
    return url
