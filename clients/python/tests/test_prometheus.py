"""The bridge: `prometheus_client` itself is the instrumented code."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import prometheus_client.values
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

from prom_stream_gateway import prometheus
from prom_stream_gateway.testing import FakeMetrics


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMetrics]:
    """Install the bridge for a test."""
    monkeypatch.setattr(prometheus_client.values, "ValueClass", prometheus_client.values.ValueClass)
    fake = FakeMetrics()
    prometheus.install(fake)
    yield fake
    fake.assert_nothing_dropped()


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry of the test's own."""
    return CollectorRegistry()


def test_a_counter_pushes_what_is_added(metrics: FakeMetrics, registry: CollectorRegistry) -> None:
    jobs = Counter("jobs", "Jobs done.", ["queue"], registry=registry)
    jobs.labels("mail").inc(2, exemplar={"trace_id": "x"})
    metrics.flush()
    jobs.labels(queue="mail").inc()
    with jobs.labels("sms").count_exceptions(KeyError), pytest.raises(ZeroDivisionError):
        _ = 1 / 0
    jobs.labels("mail").reset()
    assert metrics.samples() == [
        {"type": "counter", "name": "jobs_total", "labels": {"queue": "mail"},
         "help": "Jobs done.", "value": value}
        for value in (2, 1)
    ]  # fmt: skip


def test_what_the_metrics_show_stays_as_it_was(
    metrics: FakeMetrics, registry: CollectorRegistry
) -> None:
    Counter("jobs", "Jobs.", registry=registry).inc(2)
    Histogram("work_seconds", "Work.", registry=registry, buckets=[1, 2]).observe(1.5)
    assert registry.get_sample_value("jobs_total") == 2
    assert registry.get_sample_value("work_seconds_bucket", {"le": "2.0"}) == 1
    assert registry.get_sample_value("work_seconds_sum") == 1.5


def test_a_gauge_pushes_what_is_done_to_it(
    metrics: FakeMetrics, registry: CollectorRegistry
) -> None:
    depth = Gauge("depth", "Depth.", registry=registry)
    with depth.track_inprogress():
        metrics.assert_value("depth", 1)
    depth.dec(3)
    metrics.assert_value("depth", -3)
    depth.set(10)
    depth.inc()
    metrics.assert_value("depth", 11)
    assert [sample["op"] for sample in metrics.queue.samples] == ["add", "add", "set"]
    depth.set_to_current_time()
    assert (metrics.value("depth") or 0) > 1e9


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("sum", 7), ("livesum", 7), ("max", 7), ("livemax", 7), ("min", 2), ("livemin", 2),
     ("all", 7), ("liveall", 7), ("mostrecent", 7)],
)  # fmt: skip
def test_modes_of_several_processes_are_operations(
    metrics: FakeMetrics, registry: CollectorRegistry, mode: Any, expected: float
) -> None:
    depth = Gauge("depth", "Depth.", registry=registry, multiprocess_mode=mode)
    for value in (5, 2, 7):
        depth.set(value)
        metrics.flush()
    metrics.assert_value("depth", expected)


def test_a_histogram_pushes_its_observations(
    metrics: FakeMetrics, registry: CollectorRegistry
) -> None:
    work = Histogram("work_seconds", "Work.", ["step"], registry=registry, buckets=[0.1, 1, 10])
    work.labels("a").observe(0.1)
    work.labels("a").observe(100, exemplar={"trace_id": "x"})
    with work.labels("b").time():
        pass
    for value in range(40):
        work.labels("c").observe(value)
    one, other, many = metrics.samples()
    assert (one["values"], one["buckets"], one["help"]) == ([0.1, 100], [0.1, 1, 10], "Work.")
    assert other["labels"] == {"step": "b"}
    assert (many["counts"], many["sum"]) == ([1, 1, 9, 29], sum(range(40)))


def test_a_summary_pushes_its_observations(
    metrics: FakeMetrics, registry: CollectorRegistry
) -> None:
    size = Summary("size_bytes", "Size.", registry=registry)
    size.observe(1)
    size.observe(2.5)
    (sample,) = metrics.samples()
    assert (sample["type"], sample["name"], sample["values"]) == ("summary", "size_bytes", [1, 2.5])


def test_metrics_that_were_made_before_are_named(caplog: pytest.LogCaptureFixture) -> None:
    early = Counter("early", "Early.")
    try:
        saved = prometheus_client.values.ValueClass
        prometheus.install(FakeMetrics())
        prometheus_client.values.ValueClass = saved
    finally:
        prometheus_client.REGISTRY.unregister(early)
    assert caplog.messages == ["made before install(), so not pushed: counter:early"]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_begins_at_zero(metrics: FakeMetrics, registry: CollectorRegistry) -> None:
    jobs = Counter("jobs", "Jobs.", registry=registry)
    depth = Gauge("depth", "Depth.", registry=registry, multiprocess_mode="sum")
    jobs.inc(100)
    depth.set(100)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            jobs.inc(1)
            depth.set(5)
            right = metrics.value("jobs_total") == 1 and metrics.value("depth") == 5
            status = 0 if right else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    metrics.assert_value("jobs_total", 100)


def test_what_is_pushed_adds_up_to_what_is_shown(
    metrics: FakeMetrics, registry: CollectorRegistry
) -> None:
    """Random calls: the samples come to what prometheus_client itself shows."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    jobs = Counter("jobs", "Jobs.", ["queue"], registry=registry)
    depth = Gauge("depth", "Depth.", ["queue"], registry=registry)
    work = Histogram("work_seconds", "Work.", ["queue"], registry=registry)
    size = Summary("size_bytes", "Size.", ["queue"], registry=registry)
    for _ in range(1000):
        queue = draw.choice("abc")
        value = draw.randrange(20)
        what: Any = draw.choice(
            [jobs.labels(queue).inc, depth.labels(queue).set, depth.labels(queue).inc,
             depth.labels(queue).dec, work.labels(queue).observe, size.labels(queue).observe]
        )  # fmt: skip
        what(value)
        if draw.random() < 0.01:
            metrics.flush()
    for queue in "abc":
        labels = {"queue": queue}
        assert metrics.value("jobs_total", labels) == registry.get_sample_value(
            "jobs_total", labels
        )
        assert metrics.value("depth", labels) == registry.get_sample_value("depth", labels)
        for name in ("work_seconds", "size_bytes"):
            count, total = metrics.observed(name, labels)
            assert count == registry.get_sample_value(f"{name}_count", labels)
            assert total == registry.get_sample_value(f"{name}_sum", labels)
