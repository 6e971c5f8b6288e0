"""redis-py with a deadline for all that one push takes.

Its own time-outs are for each step: a connection that asks for a password and a
database waits five times, and each part of an answer may take the whole time.
"""

from __future__ import annotations

import asyncio
import inspect
import selectors
import socket
import threading
import time
from typing import Any

import redis
import redis.asyncio
from redis.asyncio import connection as asyncio_connection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.retry import Retry


class _Deadline(threading.local):
    """When the push of this thread has to be over, by the monotonic clock."""

    at: float | None = None


_deadline = _Deadline()


class _DeadlineSocket:
    """A connected socket whose every wait ends at the deadline."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._polls = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float | None) -> None:
        """Note whether only what is there already is asked for."""
        self._polls = seconds == 0
        self._socket.settimeout(seconds)

    def _bound(self) -> None:
        if self._polls or _deadline.at is None:
            return
        left = _deadline.at - time.monotonic()
        if left <= 0:
            raise socket.timeout("the time is over")  # TimeoutError is another one before 3.10
        self._socket.settimeout(left)

    def sendall(self, data: Any) -> None:
        self._bound()
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        self._bound()
        return self._socket.recv(size)

    def recv_into(self, buffer: Any) -> int:
        self._bound()
        return self._socket.recv_into(buffer)


class _BoundedConnection(Connection):
    def _connect(self) -> Any:
        return _DeadlineSocket(super()._connect())  # type: ignore[no-untyped-call]


class _BoundedSSLConnection(SSLConnection):
    def _connect(self) -> Any:
        return _DeadlineSocket(super()._connect())  # type: ignore[no-untyped-call]


class _BoundedUnixConnection(UnixDomainSocketConnection):
    def _connect(self) -> Any:
        return _DeadlineSocket(super()._connect())  # type: ignore[no-untyped-call]


_BOUNDED = {
    Connection: _BoundedConnection,
    SSLConnection: _BoundedSSLConnection,
    UnixDomainSocketConnection: _BoundedUnixConnection,
}


async def _leave_if_dead(connection: Any) -> None:
    """Disconnect if the peer has closed the connection meanwhile.

    What the pool of redis-py asks before it hands a connection out sees that in some
    versions only. The event loop may not have read it either: a function that was frozen
    had no turn for that. Nothing is awaited here, so anything to be read is the end.
    """
    writer = connection._writer
    if writer is None:
        return
    descriptor = writer.get_extra_info("socket").fileno()
    if not writer.is_closing() and descriptor >= 0:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            if not selector.select(0):
                return
    await connection.disconnect(nowait=True)


class _AsyncConnection(asyncio_connection.Connection):
    async def connect(self) -> None:
        await _leave_if_dead(self)
        await super().connect()  # type: ignore[no-untyped-call]


class _AsyncSSLConnection(asyncio_connection.SSLConnection):
    async def connect(self) -> None:
        await _leave_if_dead(self)
        await super().connect()  # type: ignore[no-untyped-call]


class _AsyncUnixConnection(asyncio_connection.UnixDomainSocketConnection):
    async def connect(self) -> None:
        await _leave_if_dead(self)
        await super().connect()  # type: ignore[no-untyped-call]


_ASYNC = {
    asyncio_connection.Connection: _AsyncConnection,
    asyncio_connection.SSLConnection: _AsyncSSLConnection,
    asyncio_connection.UnixDomainSocketConnection: _AsyncUnixConnection,
}


_NAMELESS: dict[str, Any] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(AbstractConnection.__init__).parameters
    else {"lib_name": None, "lib_version": None}  # redis-py before 7.1
)


def _settings(timeout: float) -> dict[str, Any]:
    return {
        # Half of it, for a host with two addresses, and for TLS after TCP.
        "socket_connect_timeout": timeout / 2,
        "socket_timeout": timeout / 2,
        # Not RESP3, nor the client's name: each would be one more round trip.
        "protocol": 2,
        **_NAMELESS,
    }


class BoundedRedis:
    """Pushes to a Redis, each push within the time-out."""

    def __init__(self, url: str, timeout: float) -> None:
        self._timeout = timeout
        # A push that was repeated could count twice. The pool replaces a connection that it
        # finds dead before anything is written to it.
        options = {"retry": Retry(NoBackoff(), 0), **_settings(timeout)}
        options.update(parse_url(url))  # type: ignore[no-untyped-call]
        options["connection_class"] = _BOUNDED[options.get("connection_class", Connection)]
        pool = ConnectionPool(**options)
        self._redis = redis.Redis(connection_pool=pool)

    def lpush(self, name: str, *values: str) -> object:
        """Push values onto the list `name`."""
        _deadline.at = time.monotonic() + self._timeout
        try:
            return self._redis.lpush(name, *values)
        finally:
            _deadline.at = None

    def close(self) -> None:
        """Close the connections."""
        self._redis.connection_pool.disconnect()


class AsyncRedis:
    """Pushes to a Redis from whichever event loop runs; the caller bounds each push as a whole."""

    def __init__(self, url: str, timeout: float) -> None:
        parse_url(url)  # type: ignore[no-untyped-call]  # which tells now if it is none
        self._url = url
        self._timeout = timeout
        self._redis: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def lpush(self, name: str, *values: str) -> object:
        """Push values onto the list `name`."""
        loop = asyncio.get_running_loop()
        # A function on AWS Lambda that calls `asyncio.run` has a loop for each invocation,
        # and a connection is of use in its own loop only.
        if self._loop is not loop:
            options = {"retry": AsyncRetry(NoBackoff(), 0), **_settings(self._timeout)}
            options.update(asyncio_connection.parse_url(self._url))
            kind = options.get("connection_class", asyncio_connection.Connection)
            options["connection_class"] = _ASYNC[kind]
            pool = asyncio_connection.ConnectionPool(**options)
            self._redis = redis.asyncio.Redis(connection_pool=pool)
            self._loop = loop
        return await self._redis.lpush(name, *values)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._loop is asyncio.get_running_loop():
            await self._redis.connection_pool.disconnect()
        self._redis = self._loop = None
