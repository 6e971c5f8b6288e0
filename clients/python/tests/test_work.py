"""Units of work: handlers, timers, threads, forks, and the end of a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import peers
import pytest

from prom_stream_gateway import connect, connect_async
from prom_stream_gateway.testing import FakeAsyncMetrics, FakeMetrics


def total(port: int, name: str = "jobs_total") -> int:
    """Return the sum of a counter's samples in the queue."""
    return sum(sample["value"] for sample in peers.pushed(port) if sample["name"] == name)


def test_a_handler_flushes_whatever_becomes_of_it() -> None:
    metrics = FakeMetrics()

    @metrics.handler
    def handler(event: dict[str, bool], context: object) -> str:
        metrics.counter("invocations_total")
        if event["fails"]:
            raise KeyError("no")
        return "done"

    assert handler({"fails": False}, None) == "done"
    assert len(metrics.queue.samples) == 1
    with pytest.raises(KeyError):
        handler({"fails": True}, None)
    assert len(metrics.queue.samples) == 2
    assert handler.__name__ == "handler"


@pytest.mark.parametrize("metrics", [FakeMetrics(), FakeAsyncMetrics()])
def test_a_coroutine_may_be_a_handler(metrics: FakeMetrics | FakeAsyncMetrics) -> None:
    @metrics.handler
    async def handler(fails: bool) -> str:
        metrics.counter("invocations_total")
        await asyncio.sleep(0)
        if fails:
            raise KeyError("no")
        return "done"

    assert asyncio.run(handler(False)) == "done"
    with pytest.raises(KeyError):
        asyncio.run(handler(True))
    assert len(metrics.queue.samples) == 2


def test_an_asyncio_client_says_that_a_function_is_none_of_its_handlers() -> None:
    with pytest.raises(TypeError, match="expected a coroutine function"):
        FakeAsyncMetrics().handler(print)


def test_a_timer_observes_seconds() -> None:
    metrics = FakeMetrics()
    with metrics.timer("work_seconds", {"step": "one"}) as timer:
        timer.labels["status"] = 200
    with pytest.raises(KeyError), metrics.timer("work_seconds", {"step": "two"}):
        raise KeyError("no")

    @metrics.timer("call_seconds", buckets=[1, 2])
    def call(again: bool) -> str:
        return call(False) if again else "done"

    @metrics.timer("call_seconds")
    async def call_later() -> str:
        return "done"

    async def calls() -> None:
        await asyncio.gather(call_later(), call_later())

    assert call(True) == "done"
    asyncio.run(calls())
    metrics.assert_observed("work_seconds", 1, {"step": "one", "status": 200})
    metrics.assert_observed("work_seconds", 1, {"step": "two"})
    metrics.assert_observed("call_seconds", 4)
    assert all(0 <= sample.get("value", 0) < 60 for sample in metrics.queue.samples)


def test_threads_lose_nothing(port: int) -> None:
    with connect(timeout=30, max_series=50, interval=0.001) as metrics:

        def work(thread: int) -> None:
            for index in range(2000):
                metrics.counter("jobs_total", {"thread": thread, "index": index % 20})
                metrics.histogram("work_seconds", 0.5)
                if index % 500 == 0:
                    metrics.flush()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
    assert not metrics.dropped
    seen = {"jobs_total": 0, "work_seconds": 0}
    for sample in peers.pushed(port):
        if sample["name"] == "jobs_total":
            seen["jobs_total"] += sample["value"]
        else:
            count = sum(sample["counts"]) if "counts" in sample else 0
            seen["work_seconds"] += count or len(sample.get("values", [0]))
    assert seen == {"jobs_total": 8000, "work_seconds": 8000}


def test_a_call_within_a_call_does_not_hang() -> None:
    """A finalizer or a signal handler may record while a call has the lock."""
    metrics = FakeMetrics()

    class Text(str):
        __slots__ = ()

        def isascii(self) -> bool:
            metrics.counter("inner_total")
            return True

    metrics.counter("outer_total", {"text": Text("x")})
    with metrics._lock:
        metrics.counter("inner_total")
    metrics.assert_value("inner_total", 1)
    metrics.assert_value("outer_total", 1)


@contextlib.contextmanager
def held_by_another_thread(lock: Any) -> Iterator[None]:
    """Let another thread hold a lock during the block."""
    held, over = threading.Event(), threading.Event()

    def run() -> None:
        with lock:
            held.set()
            over.wait()

    holder = threading.Thread(target=run)
    holder.start()
    held.wait()
    try:
        yield
    finally:
        over.set()
        holder.join()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("interval", [None, 0.01])
def test_a_fork_counts_nothing_twice(port: int, interval: float | None) -> None:
    """A child begins with an empty buffer, a connection of its own, and a free lock."""
    metrics = connect(timeout=30, interval=interval)
    metrics.counter("jobs_total", value=1)
    assert metrics.flush()
    metrics.counter("jobs_total", value=10)
    children = []
    with held_by_another_thread(metrics._lock):
        for value in (100, 1000):
            child = os.fork()
            if child == 0:
                # Nothing of the test's own may go on here.
                status = 1
                try:
                    metrics.counter("jobs_total", value=value)
                    alive = metrics._flusher is not None and metrics._flusher.is_alive()
                    metrics.close()
                    status = 0 if alive == bool(interval) and not metrics.dropped else 2
                finally:
                    os._exit(status)
            children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    metrics.counter("jobs_total", value=10_000)
    metrics.close()
    assert not metrics.dropped
    assert total(port) == 11_111


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True
    )


def test_the_end_of_a_process_flushes(port: int) -> None:
    run_program(
        "from prom_stream_gateway import connect\n"
        "metrics = connect(timeout=30)\n"
        "metrics.counter('jobs_total', value=3)\n"
    )
    assert total(port) == 3


def test_an_asyncio_client_tells_what_was_left_at_the_end() -> None:
    ended = run_program(
        "from prom_stream_gateway import connect_async\n"
        "metrics = connect_async()\n"
        "metrics.counter('jobs_total', value=3)\n"
    )
    assert "expected `await metrics.flush()` before the process ends" in ended.stderr


def test_workers_of_multiprocessing_push_for_themselves(port: int) -> None:
    run_program(
        "import multiprocessing, os\n"
        "from prom_stream_gateway import connect\n"
        "metrics = connect(timeout=30)\n"
        "@metrics.handler\n"
        "def work(value):\n"
        "    metrics.counter('jobs_total', value=value)\n"
        "if __name__ == '__main__':\n"
        "    metrics.counter('jobs_total', value=1000)\n"
        "    with multiprocessing.get_context('fork').Pool(3) as pool:\n"
        "        pool.map(work, range(20))\n"
    )
    assert total(port) == 1000 + sum(range(20))


def test_importing_it_is_cheap() -> None:
    ended = run_program(
        "import sys, prom_stream_gateway\n"
        "print([name for name in ('redis', 'prometheus_client') if name in sys.modules])\n"
    )
    assert ended.stdout.strip() == "[]"


def test_two_clients_do_not_share_anything(port: int) -> None:
    one, other = FakeMetrics(), connect_async()
    one.counter("jobs_total")
    assert other._take().samples == 0
