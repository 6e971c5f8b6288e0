"""Calls the client as lines on standard input say, for the suite that drives all clients.

Argument: redis-py or redis-py-asyncio; or prometheus_client, whose metrics are called then,
and pushed by the bridge. After each flush, and at the end, a line tells how long it took
and what was dropped so far.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable
from functools import partial
from typing import Any, Callable

from instrumented import Instrumented

from prom_stream_gateway import AsyncMetrics, Metrics, connect, connect_async

# How the field of a call is called as an argument.
ARGUMENTS = {
    "counter": ("name", "labels", "value"),
    "histogram": ("name", "value", "labels", "buckets"),
    "summary": ("name", "value", "labels", "quantiles"),
    "describe": ("name", "help", "unit", "buckets", "quantiles", "ttl"),
}


def call(metrics: Metrics | AsyncMetrics, what: str, fields: dict[str, Any]) -> None:
    """Make one call."""
    if what == "bad":
        circular: list[Any] = []
        circular.append(circular)
        metrics.counter("bad_total", {"text": b"\xff\xfe"}, float("nan"))
        metrics.counter("bad_total", {"text": circular})
        metrics.gauge("bad").set(object())  # type: ignore[arg-type]
        metrics.histogram("bad seconds", float("inf"))
        metrics.counter(None)  # type: ignore[arg-type]
        return
    if what == "gauge":
        gauge = metrics.gauge(fields["name"], fields.get("labels"))
        getattr(gauge, fields["op"])(fields["value"])
        return
    given = {name: fields[name] for name in ARGUMENTS[what] if name in fields}
    getattr(metrics, what)(**given)


async def run(
    metrics: Metrics | AsyncMetrics,
    flush: Callable[[], Awaitable[Any]],
    make: Callable[[str, dict[str, Any]], None],
) -> None:
    """Make all calls."""

    async def flushed() -> None:
        started = time.monotonic()
        await flush()
        elapsed = 1000 * (time.monotonic() - started)
        dropped = sum(metrics.dropped.values())
        report = {"elapsed_ms": elapsed, "dropped": dropped, "reason": metrics.last_reason}
        print(json.dumps(report), flush=True)

    for line in sys.stdin:
        fields = json.loads(line)
        what = fields.pop("call")
        if what == "flush":
            await flushed()
        else:
            make(what, fields)
    await flushed()


def main() -> None:
    """Run the library that the argument names."""
    library = sys.argv[1]
    if library == "redis-py-asyncio":
        asynchronous = connect_async()
        asyncio.run(run(asynchronous, asynchronous.flush, partial(call, asynchronous)))
        return
    if library not in ("redis-py", "prometheus_client"):
        sys.exit(f"expected redis-py, redis-py-asyncio or prometheus_client, got {library}")
    metrics = connect()

    async def flush() -> bool:
        return metrics.flush()

    make = partial(call, metrics) if library == "redis-py" else Instrumented(metrics).call
    asyncio.run(run(metrics, flush, make))


if __name__ == "__main__":
    main()
