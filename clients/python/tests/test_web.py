"""The middleware, in a server and by hand."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import wsgiref.simple_server
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import peers
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


APPLICATION = """
from prom_stream_gateway import connect, prometheus, web

metrics = connect(timeout=30)
prometheus.install(metrics)
from prometheus_client import Counter

requests = Counter("requests", "Requests.")
requests.inc(1000)


def answer(environ, start_response):
    requests.inc()
    start_response("200 OK", [("Content-Length", "4"), ("Connection", "close")])
    return [b"done"]


application = web.wsgi(answer, metrics)
"""


def test_workers_of_gunicorn_push_for_themselves(port: int, tmp_path: Path) -> None:
    """The application is loaded before the fork, and instrumented with prometheus_client."""
    if importlib.util.find_spec("gunicorn") is None:
        peers.skip("gunicorn is not installed")
    (tmp_path / "shop.py").write_text(APPLICATION, encoding="utf-8")
    http = peers.free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--log-level", "error",
        "--bind", f"127.0.0.1:{http}", "shop:application",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ) as gunicorn:
        try:
            peers.wait_until(lambda: gunicorn.poll() is not None or peers.listens(http))
            for _ in range(30):
                with urllib.request.urlopen(f"http://127.0.0.1:{http}/", timeout=30) as answered:
                    assert answered.read() == b"done"
        finally:
            gunicorn.terminate()
            assert gunicorn.wait(60) == 0
    values = [sample["value"] for sample in peers.pushed(port)]
    # What was counted before the fork is the first process' to push, at its end.
    assert sorted(values)[-1] == 1000
    assert sum(values) == 1030
