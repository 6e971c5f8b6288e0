"""Clients for a Redis by its URL, with every wait bounded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

from ._buffer import DEFAULT_KEY
from ._client import DEFAULT_TIMEOUT, AsyncMetrics, AsyncOptions, Metrics, Options, is_enabled

if TYPE_CHECKING:
    from typing_extensions import Unpack

DEFAULT_URL = "redis://localhost:6379"


def connect(
    url: str | None = None,
    *,
    key: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    **options: Unpack[Options],
) -> Metrics:
    """Return a client for a Redis: `redis://[user:password@]host:port/db`, or `rediss://`.

    Without a URL the environment variable PROM_STREAM_GATEWAY_REDIS_URL counts, without a
    key PROM_STREAM_GATEWAY_KEY. A flush waits no longer than `timeout` seconds in all, but
    for looking up a host name. Nothing is connected before the first flush. The other
    options are those of `Metrics`.
    """
    url, key = from_environment(url, key)
    return Metrics(_pushes(url, timeout, asynchronous=False), key=key, **options)


def connect_async(
    url: str | None = None,
    *,
    key: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    **options: Unpack[AsyncOptions],
) -> AsyncMetrics:
    """Return an asyncio client for a Redis; see `connect`."""
    url, key = from_environment(url, key)
    return AsyncMetrics(
        _pushes(url, timeout, asynchronous=True), key=key, timeout=timeout, **options
    )


def from_environment(url: str | None, key: str | None) -> tuple[str, str]:
    """Return URL and key, from the environment where none are given."""
    url = url or os.environ.get("PROM_STREAM_GATEWAY_REDIS_URL") or DEFAULT_URL
    return url, key or os.environ.get("PROM_STREAM_GATEWAY_KEY") or DEFAULT_KEY


class NoConnection:
    """Stands for a connection that can't be made, ever; each push says why."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def lpush(self, name: str, *values: str) -> NoReturn:
        """Fail."""
        raise self._error


def _pushes(url: str, timeout: float, asynchronous: bool) -> Any:
    """Return what pushes to that Redis. A program must not fail for a wrong URL."""
    if not is_enabled():
        return NoConnection(RuntimeError("expected no push while all is turned off"))
    try:
        # Not before it is needed.
        from ._bounded import AsyncRedis, BoundedRedis  # noqa: PLC0415

        return AsyncRedis(url, timeout) if asynchronous else BoundedRedis(url, timeout)
    except ImportError as error:
        return NoConnection(error)
    except Exception:
        # Their texts quote a part of the URL, which may be of the password.
        return NoConnection(ValueError("expected a URL such as redis://localhost:6379"))
