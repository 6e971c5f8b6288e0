"""What reaches Redis, and what becomes of a push that goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import peers
import pytest
import redis
import redis.asyncio

from prom_stream_gateway import AsyncMetrics, Metrics, connect, connect_async

# What a flush may take, whatever the peer does. What is more, a busy machine has taken:
# of several flushes one keeps to it.
PROMISED = 0.3
TRIES = 8


class Both:
    """A client of either kind, whose flush is called like a function."""

    def __init__(self, kind: str, url: str | None, options: dict[str, Any]) -> None:
        self.metrics: Metrics | AsyncMetrics
        if kind == "sync":
            self.metrics = connect(url, **options)
        else:
            self.metrics = connect_async(url, **options)
        self._runner = asyncio.new_event_loop()

    def flush(self) -> bool:
        """Flush."""
        if isinstance(self.metrics, Metrics):
            return self.metrics.flush()
        return self._runner.run_until_complete(self.metrics.flush())

    def close(self) -> None:
        """Close the client."""
        if isinstance(self.metrics, Metrics):
            self.metrics.close()
        else:
            self._runner.run_until_complete(self.metrics.close())
        self._runner.close()


@pytest.fixture(params=["sync", "asyncio"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Both]]:
    """Return a function that makes a client, of each kind in turn."""
    with contextlib.ExitStack() as stack:

        def made(url: str | None = None, **options: Any) -> Both:
            return stack.enter_context(contextlib.closing(Both(request.param, url, options)))

        yield made


def test_a_flush_is_one_command(make: Callable[..., Both], port: int) -> None:
    both = make(labels={"app": "shop"}, timeout=5)
    for index in range(3):
        both.metrics.counter("jobs_total", {"job": index}, 2)
    both.metrics.gauge("depth").set(1.5)
    assert both.flush()
    assert both.flush()
    with redis.Redis(host="127.0.0.1", port=port) as client:
        calls = client.info("commandstats")["cmdstat_lpush"]["calls"]
        assert client.llen(peers.QUEUE) == 1
    names = [sample["name"] for sample in peers.pushed(port)]
    assert names == ["jobs_total"] * 3 + ["depth"]
    both.metrics.counter("jobs_total")
    assert both.flush()
    with redis.Redis(host="127.0.0.1", port=port) as client:
        assert client.info("commandstats")["cmdstat_lpush"]["calls"] == calls + 1
    assert not both.metrics.dropped


def test_the_environment_names_the_key(
    make: Callable[..., Both], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROM_STREAM_GATEWAY_KEY", "other")
    both = make(timeout=5)
    both.metrics.counter("jobs_total")
    assert both.flush()
    with redis.Redis(host="127.0.0.1", port=port) as client:
        assert client.llen("other") == 1


def a_flush_keeps_its_promise(both: Both) -> None:
    """Of several flushes that must fail one is over in time."""
    quickest = PROMISED
    for _ in range(TRIES):
        both.metrics.counter("jobs_total")
        started = time.monotonic()
        assert not both.flush()
        quickest = min(quickest, time.monotonic() - started)
        if quickest < PROMISED:
            return
    pytest.fail(f"each of {TRIES} flushes took {PROMISED} s or more")


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (peers.silent, "redis_timeout"),
        (peers.cutting, "redis_unreachable"),
        (peers.refusing, "redis_error"),
        (peers.dripping, "redis_timeout"),
    ],
)
@pytest.mark.parametrize("path", ["", "/2"])
def test_no_peer_holds_a_flush_up(
    make: Callable[..., Both],
    serve: Any,
    reason: str,
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with peers.peer(serve) as port:
        both = make(
            f"redis://user:secret@127.0.0.1:{port}{path}" if path else f"redis://127.0.0.1:{port}"
        )
        a_flush_keeps_its_promise(both)
        before = sum(both.metrics.dropped.values())
        for _ in range(3):
            both.metrics.counter("jobs_total")
            both.metrics.gauge("depth").set(1)
            assert not both.flush()
        dropped = both.metrics.dropped
        assert sum(dropped.values()) == before + 6
        # A busy machine may be late for any of them.
        assert reason in dropped
        assert dropped.keys() <= {reason, "redis_timeout"}
        if serve is peers.refusing and not path:
            assert both.metrics.last_reason == "metrics not sent: the gateway is tired"
    said = [
        record.getMessage() for record in caplog.records if record.name == "prom_stream_gateway"
    ]
    assert len(said) == len(set(said)) <= 2
    assert "secret" not in caplog.text


def test_a_port_that_refuses_holds_nothing_up(make: Callable[..., Both]) -> None:
    a_flush_keeps_its_promise(make(f"redis://127.0.0.1:{peers.free_port()}"))


def test_an_address_that_does_not_answer_holds_nothing_up(make: Callable[..., Both]) -> None:
    """A listener whose queue of connections is full answers no more of them."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(address)
        a_flush_keeps_its_promise(make(f"redis://127.0.0.1:{address[1]}"))


def test_a_peer_that_expects_tls_holds_nothing_up(make: Callable[..., Both]) -> None:
    with peers.peer(peers.silent) as port:
        a_flush_keeps_its_promise(make(f"rediss://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    "url", ["http://localhost", "", "redis://localhost:port", "redis", "redis://:sec/ret@localhost"]
)
def test_a_wrong_url_fails_pushes_only(
    make: Callable[..., Both], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROM_STREAM_GATEWAY_REDIS_URL", "nonsense")
    both = make(url)
    both.metrics.counter("jobs_total")
    assert not both.flush()
    assert both.metrics.dropped == {"redis_unreachable": 1}
    assert both.metrics.last_reason == (
        "metrics not sent: expected a URL such as redis://localhost:6379"
    )


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a Redis with a password that speaks TLS, and on a Unix socket. Yield its URLs."""
    if not shutil.which("openssl"):
        peers.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("protected")
    certificate, key, path = folder / "certificate.pem", folder / "key.pem", folder / "redis.sock"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1",
         "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    options = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"]
    options += ["--tls-ca-cert-file", certificate, "--unixsocket", path, "--requirepass", "secret"]
    with peers.redis_server(folder, *map(str, options), port_option="--tls-port") as port:
        yield {
            "tls": f"rediss://:secret@127.0.0.1:{port}/2?ssl_ca_certs={certificate}",
            "unix": f"unix://:secret@{path}?db=2",
            "stranger": f"rediss://:secret@127.0.0.1:{port}/2",
        }


@pytest.mark.parametrize("way", ["tls", "unix"])
def test_a_password_and_a_database_are_used(
    make: Callable[..., Both], protected: dict[str, str], way: str
) -> None:
    both = make(protected[way], timeout=10)
    with redis.Redis.from_url(protected[way]) as client:
        client.flushall()
        for _ in range(3):
            both.metrics.counter("jobs_total")
            assert both.flush(), both.metrics.last_reason
            client.client_kill_filter(_type="normal", skipme=True)
        assert client.llen(peers.QUEUE) == 3


def test_a_certificate_that_nobody_vouches_for_is_refused(
    make: Callable[..., Both], protected: dict[str, str]
) -> None:
    both = make(protected["stranger"], timeout=10)
    both.metrics.counter("jobs_total")
    assert not both.flush()
    assert both.metrics.dropped == {"redis_unreachable": 1}


def test_what_a_peer_says_is_made_printable(make: Callable[..., Both]) -> None:
    def colouring(connection: socket.socket, over: threading.Event) -> None:
        while connection.recv(100_000):
            connection.sendall(b"-ERR \x1b[31mred\x07\r\n")

    with peers.peer(colouring) as port:
        both = make(f"redis://127.0.0.1:{port}", timeout=5)
        both.metrics.counter("jobs_total")
        assert not both.flush()
        assert both.metrics.last_reason == "metrics not sent: \ufffd[31mred\ufffd"


def test_a_connection_that_was_cut_meanwhile_is_replaced(
    make: Callable[..., Both], port: int
) -> None:
    both = make(timeout=5)
    for round_ in range(1, 4):
        both.metrics.counter("jobs_total")
        assert both.flush()
        assert len(peers.pushed(port)) == 1, f"in round {round_}"
        with redis.Redis(host="127.0.0.1", port=port) as client:
            client.client_kill_filter(_type="normal", skipme=True)
    assert not both.metrics.dropped


def test_a_push_that_failed_is_not_repeated(make: Callable[..., Both]) -> None:
    """A peer that takes the command and cuts gets it once."""
    seen: list[bytes] = []

    def take(connection: socket.socket, over: threading.Event) -> None:
        seen.append(connection.recv(100_000))

    with peers.peer(take) as port:
        both = make(f"redis://127.0.0.1:{port}")
        both.metrics.counter("jobs_total")
        assert not both.flush()
        assert both.flush()
    assert sum(b"LPUSH" in data for data in seen) == 1


def test_a_client_of_redis_py_will_do(port: int) -> None:
    with redis.Redis(host="127.0.0.1", port=port) as client:
        metrics = Metrics(client)
        metrics.counter("jobs_total")
        assert metrics.flush()

    async def asynchronous() -> None:
        async with redis.asyncio.Redis(host="127.0.0.1", port=port) as client:
            metrics = AsyncMetrics(client, timeout=5)
            metrics.counter("jobs_total")
            assert await metrics.flush()

    asyncio.run(asynchronous())
    assert len(peers.pushed(port)) == 2


# Of a loop that has ended, nobody can close the connections but the garbage collection.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_each_event_loop_has_its_connection(port: int) -> None:
    metrics = connect_async(timeout=5)

    async def invocation() -> None:
        metrics.counter("jobs_total")
        assert await metrics.flush()

    for _ in range(3):
        asyncio.run(invocation())
    asyncio.run(metrics.close())
    gc.collect()
    assert len(peers.pushed(port)) == 3


def test_a_full_buffer_is_pushed_beside_the_work(port: int) -> None:
    async def work() -> None:
        async with connect_async(timeout=5, max_series=10) as metrics:
            for index in range(15):
                metrics.counter("jobs_total", {"job": index})
            await asyncio.sleep(0)
            assert await metrics.flush()
            for index in range(25):
                metrics.counter("jobs_total", {"job": index})
            # The second ten found the first ones still on their way.
            assert metrics.dropped == {"buffer_full": 10}

    asyncio.run(work())
    assert len(peers.pushed(port)) == 30


def test_a_flush_after_a_full_buffer_keeps_its_time() -> None:
    async def work(port: int) -> float:
        quickest = 60.0
        for _ in range(TRIES):
            metrics = connect_async(f"redis://127.0.0.1:{port}", max_series=10)
            for index in range(15):
                metrics.counter("jobs_total", {"job": index})
            await asyncio.sleep(0)
            started = time.monotonic()
            assert not await metrics.flush()
            quickest = min(quickest, time.monotonic() - started)
            assert metrics.dropped == {"redis_timeout": 15}
            await metrics.close()
            if quickest < PROMISED:
                break
        return quickest

    with peers.peer(peers.silent) as port:
        assert asyncio.run(work(port)) < PROMISED


def test_flushes_at_once_share_a_connection(port: int) -> None:
    async def work() -> None:
        async with connect_async(timeout=30) as metrics:

            async def request(index: int) -> bool:
                metrics.counter("jobs_total", {"job": index})
                return await metrics.flush()

            assert all(await asyncio.gather(*map(request, range(50))))

    def connections() -> int:
        with redis.Redis(host="127.0.0.1", port=port) as client:
            received = client.info("stats")["total_connections_received"]
            assert isinstance(received, int)
            return received

    before = connections()
    asyncio.run(work())
    assert connections() == before + 2  # one is of who asks
    assert len(peers.pushed(port)) == 50


def test_a_full_buffer_without_an_event_loop_is_dropped() -> None:
    metrics = connect_async(max_series=10)
    for index in range(10):
        metrics.counter("jobs_total", {"job": index})
    assert metrics.dropped == {"buffer_full": 10}


def test_a_flush_that_is_cancelled_counts_as_lost() -> None:
    async def work(port: int) -> None:
        metrics = connect_async(f"redis://127.0.0.1:{port}", timeout=60)
        metrics.counter("jobs_total")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(metrics.flush(), 0.05)
        assert metrics.dropped == {"redis_timeout": 1}
        await metrics.close()

    with peers.peer(peers.silent) as port:
        asyncio.run(work(port))


def test_an_interval_flushes_by_itself(port: int) -> None:
    with connect(timeout=5, interval=0.01) as metrics:
        metrics.counter("jobs_total")
        peers.wait_until(lambda: len(peers.pushed(port)) == 1)
        metrics.counter("jobs_total")
        peers.wait_until(lambda: len(peers.pushed(port)) == 1)
        flusher = metrics._flusher
    assert flusher is not None
    flusher.join(20)
    assert not flusher.is_alive()
