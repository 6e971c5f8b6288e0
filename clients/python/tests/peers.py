"""Servers for tests: a Redis, and such as do not answer as one should."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NoReturn

import pytest
import redis

QUEUE = "prom-stream-gateway:metric-queue"


class NotInTimeError(Exception):
    """A condition did not come true in time."""


def skip(why: str) -> NoReturn:
    """Skip a test; where CI runs it, nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise NotInTimeError
        time.sleep(0.01)


def listens(port: int) -> bool:
    """Whether a port can be connected to."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def program(port: int, *command: str, **environment: str) -> Iterator[int]:
    """Run a server until the end of the block. Yield its port."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment
    ) as process:
        try:
            wait_until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, f"{command[0]} has ended"
            yield port
        finally:
            process.kill()


@contextlib.contextmanager
def redis_server(folder: Path, *more: str, port_option: str = "--port") -> Iterator[int]:
    """Run a Redis that keeps nothing."""
    found = shutil.which("redis-server")
    if not found:
        skip("redis-server is not installed")
    port = free_port()
    command = [found, "--port", "0", port_option, str(port), "--bind", "127.0.0.1", "--save", ""]
    with program(port, *command, "--dir", str(folder), *more):
        yield port


@contextlib.contextmanager
def gateway(redis_port: int | None) -> Iterator[tuple[str, int]]:
    """Run the gateway that PSG_GATEWAY names. Yield the queue's URL and the port of HTTP.

    Without a Redis it is its own queue.
    """
    binary = os.environ.get("PSG_GATEWAY")
    if not binary:
        skip("PSG_GATEWAY names no gateway")
    http, queue = free_port(), redis_port or free_port()
    settings = {
        "Redis__ConnectionString": f"127.0.0.1:{queue}" if redis_port else "embedded",
        "Embedded__ListenAddress": f"127.0.0.1:{queue}",
        "Http__ListenAddress": f"127.0.0.1:{http}",
    }
    with program(http, binary, **settings):
        wait_until(lambda: listens(queue))
        yield f"redis://127.0.0.1:{queue}", http


def exposition(port: int) -> dict[str, float]:
    """Return the series that a gateway shows, but for its own."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    split = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    return {series: float(value) for series, value in split}


def pushed(port: int) -> list[dict[str, Any]]:
    """Return and remove the samples of the queue, the first pushed first."""
    with redis.Redis(host="127.0.0.1", port=port, decode_responses=True) as client:
        elements, _ = client.pipeline().lrange(QUEUE, 0, -1).delete(QUEUE).execute()
    samples: list[dict[str, Any]] = []
    for element in elements[::-1]:
        decoded = json.loads(element)
        samples += decoded if isinstance(decoded, list) else [decoded]
    return samples


@contextlib.contextmanager
def peer(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Listen, and let `serve` treat each connection, until the event is set. Yield the port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []
        kept: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    kept.append(connection)
                    threads.append(threading.Thread(target=treat, args=(connection,)))
                    threads[-1].start()

        def treat(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                serve(connection, over)

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for connection in kept:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Accept, and say nothing."""
    over.wait()


def cutting(connection: socket.socket, over: threading.Event) -> None:
    """Cut the connection once something was asked."""
    connection.recv(100_000)


def refusing(connection: socket.socket, over: threading.Event) -> None:
    """Answer each command with an error."""
    while connection.recv(100_000):
        connection.sendall(b"-ERR the gateway is tired\r\n")


def dripping(connection: socket.socket, over: threading.Event) -> None:
    """Answer a little at a time, without an end."""
    connection.recv(100_000)
    connection.sendall(b":")
    while not over.wait(0.02):
        connection.sendall(b"1")
