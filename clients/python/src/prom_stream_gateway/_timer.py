"""Timing a block or a function into a histogram."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

if TYPE_CHECKING:
    from ._buffer import Buffer

Function = TypeVar("Function", bound=Callable[..., Any])


class Timer:
    """Observes how many seconds a `with` block, or each call of a decorated function, took.

    Labels that are known only at the end may be added to `labels` within the block.
    """

    def __init__(
        self,
        metrics: Buffer,
        name: str,
        labels: Mapping[str, object] | None,
        buckets: Sequence[float] | None,
    ) -> None:
        self.labels: dict[str, object] = dict(labels) if labels else {}
        self._metrics = metrics
        self._name = name
        self._buckets = buckets
        self._started = 0.0

    def __enter__(self) -> Timer:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        took = time.perf_counter() - self._started
        self._metrics.histogram(self._name, took, self.labels, self._buckets)

    def __call__(self, function: Function) -> Function:
        """Decorate a function, or a coroutine function."""
        # A timer for each call: calls may overlap.
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def timed_coroutine(*args: Any, **kwargs: Any) -> Any:
                with Timer(self._metrics, self._name, self.labels, self._buckets):
                    return await function(*args, **kwargs)

            return cast("Function", timed_coroutine)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with Timer(self._metrics, self._name, self.labels, self._buckets):
                return function(*args, **kwargs)

        return cast("Function", timed)
