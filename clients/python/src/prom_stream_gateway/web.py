"""Middleware for web applications: what a request recorded is pushed once it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from typing import Any, Callable

from ._client import AsyncMetrics, Metrics

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
AsgiApplication = Callable[[Any, Any, Any], Awaitable[None]]


def wsgi(application: WsgiApplication, metrics: Metrics) -> WsgiApplication:
    """Wrap an application of WSGI (Django, Flask): flush after each answer."""

    def flushing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            answer = application(environ, start_response)
        except BaseException:
            metrics.flush()
            raise
        return _Answer(answer, metrics)

    return flushing


class _Answer:
    """An answer after which is flushed: servers close it when all of it is sent."""

    def __init__(self, answer: Iterable[bytes], metrics: Metrics) -> None:
        self._answer = answer
        self._metrics = metrics

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        try:
            if hasattr(self._answer, "close"):
                self._answer.close()
        finally:
            self._metrics.flush()


def asgi(application: AsgiApplication, metrics: AsyncMetrics) -> AsgiApplication:
    """Wrap an application of ASGI (FastAPI, Starlette, Django): flush after each answer."""

    async def flushing(scope: Any, receive: Any, send: Any) -> None:
        try:
            await application(scope, receive, send)
        finally:
            await metrics.flush()

    return flushing
