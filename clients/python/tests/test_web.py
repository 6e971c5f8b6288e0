"""The middleware, in a server and by hand."""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request
import wsgiref.simple_server
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from prom_stream_gateway import web
from prom_stream_gateway.testing import FakeAsyncMetrics, FakeMetrics


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def test_a_wsgi_application_flushes_after_its_answer() -> None:
    metrics = FakeMetrics()
    pushed_before_the_answer: list[int] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        metrics.counter("requests_total")
        yield b"done"
        pushed_before_the_answer.append(len(metrics.queue.samples))

    served = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, web.wsgi(application, metrics), handler_class=Quiet
    )
    with served as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert answer.read() == b"done"
        serving.join()
    assert pushed_before_the_answer == [0]
    assert len(metrics.queue.samples) == 1


def test_a_wsgi_application_flushes_when_it_throws() -> None:
    metrics = FakeMetrics()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        metrics.counter("requests_total")
        raise KeyError("no")

    with pytest.raises(KeyError):
        web.wsgi(application, metrics)({}, print)
    assert len(metrics.queue.samples) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_an_asgi_application_flushes_after_its_answer(fails: bool) -> None:
    metrics = FakeAsyncMetrics()
    sent: list[tuple[Any, int]] = []

    async def send(message: Any) -> None:
        sent.append((message, len(metrics.queue.samples)))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        metrics.counter("requests_total")
        await send("done")
        if fails:
            raise KeyError("no")

    async def serve() -> None:
        await web.asgi(application, metrics)({}, None, send)

    try:
        asyncio.run(serve())
    except KeyError:
        assert fails
    assert sent == [("done", 0)]
    assert len(metrics.queue.samples) == 1
