"""The clients: a buffer, and a Redis connection that its batches go to."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import random
import threading
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Callable, Protocol, TypedDict, TypeVar, cast

from ._buffer import DEFAULT_BUCKETS, DEFAULT_KEY, Batch, Buffer, FullError

DEFAULT_TIMEOUT = 0.2

# How many seconds the thread that flushes may still take when a client is closed.
PATIENCE = 1

Function = TypeVar("Function", bound=Callable[..., Any])


class AsyncOptions(TypedDict, total=False):
    """The options that every client has."""

    partitions: int | None
    labels: Mapping[str, object] | None
    buckets: Sequence[float]
    max_series: int
    max_observations: int
    auto_flush: bool
    enabled: bool | None


class Options(AsyncOptions, total=False):
    """The options of `Metrics`."""

    interval: float | None


class Pushes(Protocol):
    """What is asked of a Redis client: `redis.Redis` is one."""

    def lpush(self, name: str, *values: str) -> object:
        """Push values onto the list `name`."""
        ...


class PushesAsync(Protocol):
    """The same of an asyncio client, whose `lpush` is awaited: `redis.asyncio.Redis` is one."""

    def lpush(self, name: str, *values: str) -> Any:
        """Push values onto the list `name`."""
        ...


def reason_of(error: Exception) -> str:
    """Return why samples are dropped whose push raised that."""
    # By name: redis-py is imported by the first connection, and a client may be another one.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"ResponseError", "AuthenticationError"}:
        return "redis_error"
    # socket.timeout is one of its own before Python 3.10.
    if kinds & {"TimeoutError", "timeout"}:
        return "redis_timeout"
    return "redis_unreachable"


def is_enabled() -> bool:
    """Whether the environment does not turn all of this off."""
    return os.environ.get("PROM_STREAM_GATEWAY_DISABLED", "").lower() not in ("1", "true", "yes")


def partition_of(key: str, count: int | None) -> str:
    """Return the key of one of so many partitions; the first one has that of the queue.

    Without a count the environment variable PROM_STREAM_GATEWAY_PARTITIONS holds.
    """
    if count is None:
        given = os.environ.get("PROM_STREAM_GATEWAY_PARTITIONS", "")
        count = int(given) if given.isdecimal() else 1
    partition = random.randrange(count) if count > 1 else 0
    return f"{key}:{partition}" if partition else key


class Metrics(Buffer):
    """Records samples, and pushes them by one LPUSH at each `flush()`.

    `redis` is a client whose waits are bounded, as `connect()` makes one. Threads may
    share it; a process that is forked begins with an empty buffer. `interval` starts a
    thread that flushes every so many seconds, for processes that have no end of work. Of a
    queue in several `partitions` one is chosen at random.
    """

    def __init__(
        self,
        redis: Pushes,
        *,
        key: str = DEFAULT_KEY,
        partitions: int | None = None,
        labels: Mapping[str, object] | None = None,
        buckets: Sequence[float] = DEFAULT_BUCKETS,
        max_series: int = 1000,
        max_observations: int = 10_000,
        auto_flush: bool = True,
        interval: float | None = None,
        enabled: bool | None = None,
    ) -> None:
        self._redis: Any = redis
        self._key = partition_of(key, partitions)
        self._interval = interval
        super().__init__(
            labels=labels,
            buckets=buckets,
            max_series=max_series,
            max_observations=max_observations,
            auto_flush=auto_flush,
            enabled=is_enabled() if enabled is None else enabled,
        )

    def _forget(self) -> None:
        super()._forget()
        self._flusher: threading.Thread | None = None
        self._closed = threading.Event()

    def _wake(self, series: Any) -> None:
        super()._wake(series)
        if self._interval and not self._flusher and not self._closed.is_set():
            self._flusher = threading.Thread(
                target=_flush_regularly,
                args=(weakref.ref(self), self._closed, self._interval),
                name="prom-stream-gateway",
                daemon=True,
            )
            self._flusher.start()

    def flush(self) -> bool:
        """Push what was recorded. Return whether nothing was lost by it.

        A push that failed is not repeated: it may have been taken, and would count twice.
        """
        return self._send(self._take())

    def _send(self, batch: Batch) -> bool:
        if not batch.elements:
            return True
        try:
            self._redis.lpush(self._key, *batch.elements)
        except Exception as error:
            self._drop(reason_of(error), "metrics", error, samples=batch.samples)
            return False
        return True

    def _send_at_bound(self, batch: Batch) -> None:
        self._send(batch)

    def _at_exit(self) -> None:
        self._closed.set()
        if self._flusher:
            # It may be sending, which ends with the process otherwise.
            self._flusher.join(PATIENCE)
        self.flush()

    def close(self) -> None:
        """Flush, and close the connection."""
        self._at_exit()
        # Nothing is left to be lost; and what pushes need not be closable.
        with contextlib.suppress(Exception):
            self._redis.close()

    def __enter__(self) -> Metrics:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def handler(self, function: Function) -> Function:
        """Decorate a unit of work (an AWS Lambda handler, a job): flush at its end.

        Of a coroutine function too, which is not blocked meanwhile.
        """
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def flushed_coroutine(*args: Any, **kwargs: Any) -> Any:
                try:
                    return await function(*args, **kwargs)
                finally:
                    try:
                        await asyncio.get_running_loop().run_in_executor(None, self.flush)
                    except RuntimeError:  # its threads have ended, as the process does
                        self.flush()

            return cast("Function", flushed_coroutine)

        @functools.wraps(function)
        def flushed(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            finally:
                self.flush()

        return cast("Function", flushed)


def _flush_regularly(
    metrics: weakref.ref[Metrics], closed: threading.Event, interval: float
) -> None:
    """Flush until the client is closed, or nobody has it any more."""
    while not closed.wait(interval):
        client = metrics()
        if client is None:
            return
        client.flush()
        del client


class AsyncMetrics(Buffer):
    """Like `Metrics`, for asyncio: `await metrics.flush()`. Recording calls are the same.

    `redis` is a client like `redis.asyncio.Redis`; a push is bounded by `timeout` seconds.
    """

    def __init__(
        self,
        redis: PushesAsync,
        *,
        key: str = DEFAULT_KEY,
        partitions: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        labels: Mapping[str, object] | None = None,
        buckets: Sequence[float] = DEFAULT_BUCKETS,
        max_series: int = 1000,
        max_observations: int = 10_000,
        auto_flush: bool = True,
        enabled: bool | None = None,
    ) -> None:
        self._redis: Any = redis
        self._key = partition_of(key, partitions)
        self._timeout = timeout
        super().__init__(
            labels=labels,
            buckets=buckets,
            max_series=max_series,
            max_observations=max_observations,
            auto_flush=auto_flush,
            enabled=is_enabled() if enabled is None else enabled,
        )

    def _forget(self) -> None:
        super()._forget()
        self._sending: asyncio.Task[bool] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def flush(self) -> bool:
        """Push what was recorded. Return whether nothing was lost by it.

        A push that failed is not repeated: it may have been taken, and would count twice.
        """
        # The batch that went away because the buffer was full has its turn first.
        earlier, self._sending = self._sending, None
        sent = await self._send(self._take())
        if earlier and earlier.get_loop() is asyncio.get_running_loop():
            sent = await earlier and sent
        return sent

    async def _send(self, batch: Batch) -> bool:
        if not batch.elements:
            return True
        try:
            await asyncio.wait_for(self._push(batch), self._timeout)
        except asyncio.TimeoutError:
            silence = TimeoutError(f"no answer within {self._timeout} s")
            self._drop("redis_timeout", "metrics", silence, samples=batch.samples)
            return False
        except asyncio.CancelledError:
            end = RuntimeError("the flush was cancelled")
            self._drop("redis_timeout", "metrics", end, samples=batch.samples)
            raise
        except Exception as error:
            self._drop(reason_of(error), "metrics", error, samples=batch.samples)
            return False
        return True

    async def _push(self, batch: Batch) -> None:
        """Push a batch in its turn: one after the other they need one connection only."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._turn = loop, asyncio.Lock()
        async with self._turn:
            await self._redis.lpush(self._key, *batch.elements)

    def _send_at_bound(self, batch: Batch) -> None:
        # One batch at a time, else a silent Redis would let them pile up.
        if self._sending and not self._sending.done():
            error = FullError("the batch before is still being sent")
            self._drop("buffer_full", "samples", error, samples=batch.samples)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            self._drop("buffer_full", "samples", error, samples=batch.samples)
            return
        self._sending = loop.create_task(self._send(batch))

    def _at_exit(self) -> None:
        lost = self._take().samples
        if lost:
            error = RuntimeError("expected `await metrics.flush()` before the process ends")
            self._drop("not_flushed", "metrics", error, samples=lost)

    async def close(self) -> None:
        """Flush, and close the connection."""
        await self.flush()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._redis.aclose(), self._timeout)

    async def __aenter__(self) -> AsyncMetrics:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def handler(self, function: Function) -> Function:
        """Decorate a coroutine function that is a unit of work: flush at its end."""
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"expected a coroutine function, got {function!r}")

        @functools.wraps(function)
        async def flushed(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            finally:
                await self.flush()

        return cast("Function", flushed)
