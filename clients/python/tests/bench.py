"""Invocations of a producer, timed, for benches/producer: with this client and without.

Arguments: raw, client or loop; a file of samples; the port of a Redis. For each line on
standard input one invocation, then its wall and CPU nanoseconds on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Callable

import redis

from prom_stream_gateway import connect

QUEUE = "prom-stream-gateway:metric-queue"


def invocation(way: str, samples: list[dict[str, Any]], port: str) -> Callable[[], object]:
    """Return what one invocation does."""
    plain = redis.Redis(host="127.0.0.1", port=int(port))
    metrics = connect(f"redis://127.0.0.1:{port}", timeout=1)
    for sample in samples:
        metrics.describe(sample["name"], sample["help"], buckets=sample.get("buckets"))
    first = samples[0]

    def raw() -> None:
        plain.lpush(QUEUE, *map(json.dumps, samples))

    def client() -> None:
        for sample in samples:
            if sample["type"] == "counter":
                metrics.counter(sample["name"], sample["labels"], sample["value"])
            elif sample["type"] == "gauge":
                metrics.gauge(sample["name"], sample["labels"]).set(sample["value"])
            else:
                metrics.histogram(sample["name"], sample["value"], sample["labels"])
        metrics.flush()
        if metrics.dropped:
            sys.exit(metrics.last_reason)

    def loop() -> None:
        for _ in range(1000):
            metrics.counter(first["name"], first["labels"])
        metrics.flush()
        if metrics.dropped:
            sys.exit(metrics.last_reason)

    return {"raw": raw, "client": client, "loop": loop}[way]


def main() -> None:
    """Time an invocation for each line."""
    way, file, port = sys.argv[1:]
    invoke = invocation(way, json.loads(Path(file).read_text(encoding="utf-8")), port)
    for _ in sys.stdin:
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        invoke()
        wall = time.perf_counter_ns() - wall
        print(wall, time.process_time_ns() - cpu, flush=True)


if __name__ == "__main__":
    main()
