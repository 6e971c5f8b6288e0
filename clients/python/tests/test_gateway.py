"""The client, its driver and its bridge against the real gateway: its /metrics equals a model."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peers
import pytest

from prom_stream_gateway import connect

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
OWN_BOUNDS = [1.0, 2.0, 4.0]
DRIVER = Path(__file__).parent / "driver.py"


@pytest.fixture(params=["redis", "embedded"])
def gateway(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Run a gateway, with each queue in turn: the queue's URL, and the port of HTTP."""
    with peers.gateway(
        request.getfixturevalue("port") if request.param == "redis" else None
    ) as running:
        yield running


class Model:
    """What /metrics should show."""

    def __init__(self) -> None:
        self.series: dict[str, float] = defaultdict(float)

    def apply(self, call: dict[str, Any]) -> None:
        """Apply one call of the driver."""
        name = call["name"]
        labels = ",".join(f'{key}="{value}"' for key, value in sorted(call["labels"].items()))
        value, braced = call.get("value", 1), f"{{{labels}}}"
        if call["call"] == "counter":
            self.series[name + braced] += value
        elif call["call"] == "gauge":
            known = self.series.get(name + braced)
            results = {
                "set": value,
                "add": (known or 0) + value,
                "max": value if known is None else max(known, value),
                "min": value if known is None else min(known, value),
            }
            self.series[name + braced] = results[call["op"]]
        else:
            self.series[f"{name}_sum{braced}"] += value
            self.series[f"{name}_count{braced}"] += 1
            if call["call"] == "histogram":
                for bound in [*call.get("buckets", BOUNDS), math.inf]:
                    le = "+Inf" if bound == math.inf else f"{bound:g}"
                    self.series[f'{name}_bucket{{{labels},le="{le}"}}'] += value <= bound


def random_calls(draw: random.Random, count: int, names: str) -> Iterator[dict[str, Any]]:
    """Draw calls, some series of them often."""
    for _ in range(count):
        labels = {"queue": draw.choice("abc"), "shard": draw.choice("xy")}
        if draw.random() < 0.5:
            labels = dict(reversed(labels.items()))
        kind = draw.choice(["counter", "gauge", "histogram", "histogram", "summary"])
        call: dict[str, Any] = {"call": kind, "labels": labels, "value": draw.randrange(64) / 4}
        if kind == "counter":
            call["name"] = f"{names}_jobs_total"
        elif kind == "gauge":
            call["op"] = draw.choice(["set", "add", "max", "min"])
            call["name"] = f"{names}_depth"
        elif kind == "histogram" and draw.random() < 0.3:
            call |= {"name": f"{names}_own_seconds", "buckets": OWN_BOUNDS}
        else:
            call["name"] = f"{names}_{kind}_seconds"
        yield call


def run_driver(library: str, url: str, calls: list[dict[str, Any]]) -> subprocess.Popen[str]:
    """Start the driver and hand it the calls."""
    driver = subprocess.Popen(
        [sys.executable, str(DRIVER), library],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PROM_STREAM_GATEWAY_REDIS_URL": url},
    )
    assert driver.stdin is not None
    driver.stdin.writelines(json.dumps(call) + "\n" for call in calls)
    driver.stdin.close()
    return driver


def ended(driver: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Wait for a driver's end. Return its reports."""
    assert driver.stdout is not None
    with driver.stdout:
        reports = [json.loads(line) for line in driver.stdout]
    assert driver.wait(60) == 0
    return reports


def shows(port: int, expected: dict[str, float]) -> None:
    """Wait until a gateway shows these series, and no others but its own and quantiles."""
    seen: dict[str, float] = {}

    def equal() -> bool:
        nonlocal seen
        seen = {
            name: value
            for name, value in peers.exposition(port).items()
            if not name.startswith("prom_stream_gateway_") and "quantile=" not in name
        }
        return seen == pytest.approx(expected)

    with contextlib.suppress(peers.NotInTimeError):
        peers.wait_until(equal)
    assert seen == pytest.approx(expected)


def test_two_drivers_at_once_make_what_a_model_makes(gateway: tuple[str, int]) -> None:
    url, http = gateway
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    model = Model()
    drivers = []
    for library, names in [("redis-py", "a"), ("redis-py-asyncio", "b")]:
        calls: list[dict[str, Any]] = [
            {"call": "describe", "name": f"{names}_jobs_total", "help": "Jobs."}
        ]
        for call in random_calls(draw, 1000, names):
            model.apply(call)
            calls.append(call)
            if draw.random() < 0.02:
                calls.append({"call": "flush"})
        drivers.append(run_driver(library, url, calls))
    for driver in drivers:
        reports = ended(driver)
        assert reports[-1]["dropped"] == 0, reports[-1]["reason"]
    shows(http, model.series)


def test_the_driver_counts_what_is_bad(gateway: tuple[str, int]) -> None:
    calls = [{"call": "bad"}, {"call": "counter", "name": "a_total"}, {"call": "flush"}]
    first, last = ended(run_driver("redis-py", gateway[0], calls))
    assert first["dropped"] == last["dropped"] == 5
    shows(gateway[1], {"a_total": 1})


def test_every_field_is_taken(gateway: tuple[str, int]) -> None:
    url, http = gateway
    with connect(url, timeout=5, labels={"app": "shop"}) as metrics:
        metrics.describe("moved_bytes_total", "Bytes moved.", unit="bytes", ttl=600)
        metrics.describe("size_bytes", quantiles=[0.5, 0.9])
        metrics.counter("moved_bytes_total", {"text": 'ä"\\\n\udcff'}, 3)
        for value in range(4000):
            metrics.summary("size_bytes", value)
            metrics.histogram("work_seconds", value / 1000)
        assert metrics.flush()
    peers.wait_until(lambda: 'work_seconds_count{app="shop"}' in peers.exposition(http))
    series = peers.exposition(http)
    assert series['moved_bytes_total{app="shop",text="ä\\"\\\\\\n\ufffd"}'] == 3
    assert series['size_bytes_count{app="shop"}'] == 4000
    assert series['work_seconds_bucket{app="shop",le="1"}'] == 1001
    assert series['size_bytes{app="shop",quantile="0.5"}'] == pytest.approx(2000, rel=0.1)


GUNICORN_LIKE = """
import os, sys
from prom_stream_gateway import connect, prometheus
metrics = connect(timeout=30)
prometheus.install(metrics)
from prometheus_client import Counter, Gauge, Histogram
requests = Counter("requests", "Requests.", ["worker"])
all_requests = Counter("all_requests", "Requests.")
active = Gauge("active", "Active.")
took = Histogram("took_seconds", "Took.", buckets=[1, 2])
all_requests.inc(0.5)
children = []
for worker in range(3):
    child = os.fork()
    if child == 0:
        for request in range(100):
            with active.track_inprogress():
                requests.labels(worker).inc()
                all_requests.inc()
                took.observe(request / 50)
            if request % 30 == 0:
                metrics.flush()
        sys.exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_forked_workers_with_prometheus_client_add_up(gateway: tuple[str, int]) -> None:
    url, http = gateway
    subprocess.run(
        [sys.executable, "-c", GUNICORN_LIKE],
        check=True,
        timeout=60,
        env=os.environ | {"PROM_STREAM_GATEWAY_REDIS_URL": url},
    )
    expected = {f'requests_total{{worker="{worker}"}}': 100.0 for worker in range(3)}
    expected |= {
        "all_requests_total": 300.5,
        "active": 0,
        "took_seconds_count": 300,
        "took_seconds_sum": 297,
        'took_seconds_bucket{le="1"}': 153,
        'took_seconds_bucket{le="2"}': 300,
        'took_seconds_bucket{le="+Inf"}': 300,
    }
    shows(http, expected)
