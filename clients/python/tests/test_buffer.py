"""What is recorded, and what becomes of it in the buffer."""

from __future__ import annotations

import enum
import json
import logging
import math
import random
from decimal import Decimal
from typing import Any

import pytest

from prom_stream_gateway import Metrics
from prom_stream_gateway.testing import FakeMetrics, FakeQueue


class Colour(str, enum.Enum):
    """A label's value as some programs have it."""

    RED = "red"


def test_a_thousand_increments_are_one_sample() -> None:
    metrics = FakeMetrics()
    for _ in range(1000):
        metrics.counter("jobs_total", {"queue": "mail"})
    assert metrics.samples() == [
        {"type": "counter", "name": "jobs_total", "labels": {"queue": "mail"}, "value": 1000}
    ]


def test_the_order_of_labels_does_not_matter() -> None:
    metrics = FakeMetrics()
    metrics.counter("jobs_total", {"a": "1", "b": "2"})
    metrics.counter("jobs_total", {"b": "2", "a": "1"})
    metrics.counter("jobs_total", {"b": 2, "a": 1})
    assert [(list(s["labels"]), s["value"]) for s in metrics.samples()] == [(["a", "b"], 3)]


def test_labels_are_written_as_the_gateway_reads_them() -> None:
    metrics = FakeMetrics(labels={"app": "shop", "region": "eu"})
    labels = {"region": "us", "code": 200, "ok": True, "none": None, "empty": "", "one": 1}
    # Twice, for the second call finds what the first has made.
    for _ in range(2):
        metrics.counter("jobs_total", {**labels, "ratio": 1.0, "colour": Colour.RED})
    metrics.counter("jobs_total", {**labels, "ratio": 1, "colour": b"\xffred"})
    one, other = metrics.samples()
    assert one["value"] == 2
    assert one["labels"] == {
        "app": "shop", "code": "200", "colour": "red", "ok": "true", "one": "1", "ratio": "1.0",
        "region": "us",
    }  # fmt: skip
    assert other["labels"]["ratio"] == "1"
    assert other["labels"]["colour"] == "\ufffdred"


@pytest.mark.parametrize(("given", "sent"), [("\udcff", "\ufffd"), ("\ud83d\ude00", "\U0001f600")])
def test_texts_that_are_not_unicode_are_mended(given: str, sent: str) -> None:
    metrics = FakeMetrics()
    metrics.describe("files_total", f"Files {given}.")
    metrics.counter("files_total", {"name": f"a{given}b"})
    (sample,) = metrics.samples()
    assert sample["labels"] == {"name": f"a{sent}b"}
    assert sample["help"] == f"Files {sent}."


def test_gauge_operations_are_merged_in_their_order() -> None:
    """Random operations in random batches come to what they come to one by one."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(300):
        metrics = FakeMetrics()
        model: float | None = None
        for _ in range(draw.randrange(1, 12)):
            op = draw.choice(["set", "add", "max", "min"])
            value = draw.randrange(-20, 20)
            getattr(metrics.gauge("depth"), op)(value)
            if op == "add":
                model = (model or 0) + value
            elif op == "set" or model is None:
                model = value
            else:
                model = max(model, value) if op == "max" else min(model, value)
            if draw.random() < 0.2:
                metrics.flush()
        assert metrics.value("depth") == model


def test_gauge_operations_become_as_few_as_say_the_same() -> None:
    metrics = FakeMetrics()
    for op, value in [("add", 1), ("add", 2), ("max", 5), ("max", 4)]:
        getattr(metrics.gauge("a"), op)(value)
    for op, value in [("add", 1), ("max", 9), ("set", 3), ("add", 4), ("min", 6)]:
        getattr(metrics.gauge("b"), op)(value)
    assert [(s["name"], s["op"], s["value"]) for s in metrics.samples()] == [
        ("a", "add", 3), ("a", "max", 5), ("b", "set", 6),
    ]  # fmt: skip


def test_a_histogram_sends_values_and_counts_beyond_32() -> None:
    metrics = FakeMetrics(buckets=[0.1, 1, math.inf])
    metrics.histogram("a_seconds", 0.1)
    for index in range(32):
        metrics.histogram("b_seconds", index)
    for index in range(33):
        metrics.histogram("c_seconds", index / 10, buckets=[0.5, 1, 2])
    metrics.histogram("c_seconds", 100)
    one, some, many = metrics.samples()
    assert (one["value"], one["buckets"]) == (0.1, [0.1, 1])
    assert some["values"] == list(range(32))
    assert (many["buckets"], many["counts"]) == ([0.5, 1, 2], [6, 5, 10, 13])
    assert many["sum"] == pytest.approx(sum(range(33)) / 10 + 100)
    assert "values" not in many
    metrics.queue.samples.clear()
    metrics.histogram("c_seconds", 0.5)
    assert [sample["value"] for sample in metrics.samples()] == [0.5]


def test_a_summary_sends_all_values_in_pieces() -> None:
    metrics = FakeMetrics()
    metrics.describe("size_bytes", quantiles=[0.5, 0.99])
    for index in range(2500):
        metrics.summary("size_bytes", index)
    metrics.summary("time_seconds", 1, quantiles={0.9: 0.02})
    metrics.summary("plain_seconds", 1)
    *sizes, time, plain = metrics.samples()
    assert [len(sample["values"]) for sample in sizes] == [1000, 1000, 500]
    assert [value for sample in sizes for value in sample["values"]] == list(range(2500))
    assert sizes[0]["quantiles"] == [0.5, 0.99]
    assert sizes[0]["epsilons"] == [0.05, 0.001]
    assert (time["quantiles"], time["epsilons"]) == ([0.9], [0.02])
    assert "quantiles" not in plain


def test_a_description_goes_with_every_sample_of_its_name() -> None:
    metrics = FakeMetrics()
    metrics.describe("work_seconds", "How long.", unit="seconds", buckets=[1, 2], ttl=60)
    metrics.histogram("work_seconds", 1)
    metrics.describe("moved_bytes_total", unit="bytes")
    metrics.counter("moved_bytes_total", value=Decimal("1.5"))  # type: ignore[arg-type]
    work, moved = metrics.samples()
    assert work == {
        "type": "histogram", "name": "work_seconds", "labels": {}, "buckets": [1, 2],
        "help": "How long.", "unit": "seconds", "ttl": 60, "value": 1,
    }  # fmt: skip
    assert (moved["unit"], moved["value"]) == ("bytes", 1.5)


class Odd:
    """An object that can't even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__
    __hash__ = None  # type: ignore[assignment]


BAD_VALUES: list[Any] = [
    math.nan, math.inf, -math.inf, 10**400, "1.5", b"1", None, [], Odd(), Decimal("sNaN"), 1j,
]  # fmt: skip
BAD_NAMES: list[Any] = ["", " ", "\u2003\n", "a\ud800", None, 3, [], Odd()]
BAD_LABELS: list[Any] = [
    {"a\udfff": "x"}, {"__é": "x"}, {"": "x"}, {"a": []}, {1: "x"}, {"a": Odd()}, {"a": math.nan},
    ["a"], "a", Odd(), {"a": "x" * 40_000},
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_nothing_throws_and_what_is_bad_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    metrics = FakeMetrics()

    def gauge(name: Any, value: Any, labels: Any = None) -> None:
        metrics.gauge(name, labels).max(value)

    calls: list[Any] = [metrics.counter, gauge, metrics.histogram, metrics.summary]
    expected = 0
    for record in calls:
        for bad in BAD_VALUES:
            record("good", value=bad)
        for bad in BAD_NAMES:
            record(bad, value=1)
        for bad in BAD_LABELS:
            record("good", value=1, labels=bad)
        expected += len(BAD_VALUES) + len(BAD_NAMES) + len(BAD_LABELS)
    metrics.counter("good", value=-1)
    metrics.histogram("good", 1, {"le": "1"})
    metrics.histogram("good", 1, buckets=[2, 1])
    metrics.histogram("good", 1, buckets=[])
    metrics.summary("good", 1, {"quantile": "1"})
    metrics.summary("good", 1, quantiles=[2])
    assert metrics.dropped == {"invalid": expected + 6}
    assert metrics.samples() == []
    metrics.describe(Odd(), help="x")  # type: ignore[arg-type]
    metrics.describe("a_total", unit="seconds")
    metrics.describe("b_total", "x" * 40_000)
    assert metrics._descriptions == {}
    with metrics.timer(" "):
        pass
    assert metrics.last_reason
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(set(said)) <= 100


@pytest.mark.parametrize("name", ["größe.total", "温度", "😀 \n", '"\\', "1a", "a:b", "U__a"])
def test_names_are_of_any_script(name: str) -> None:
    metrics = FakeMetrics()
    metrics.counter(name, {name: "x"})
    metrics.assert_nothing_dropped()
    metrics.assert_value(name, 1, {name: "x"})


def test_a_cause_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = FakeMetrics()
    for _ in range(3):
        metrics.counter("jobs_total", value=-1)
    assert metrics.dropped == {"invalid": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "counter 'jobs_total' not sent: expected a finite number of at least 0, got -1"
        " (this is said once)"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_sum_that_is_infinite_is_not_sent() -> None:
    metrics = FakeMetrics()
    for _ in range(2):
        metrics.counter("a_total", value=1.7e308)
    metrics.counter("b_total")
    assert [sample["name"] for sample in metrics.samples()] == ["b_total"]
    assert metrics.dropped == {"invalid": 1}
    metrics.counter("a_total", value=1)
    assert metrics.value("a_total") == 1


def test_a_full_buffer_is_pushed_within_the_work() -> None:
    queue = FakeQueue()
    metrics = Metrics(queue, max_series=10, max_observations=100)
    for index in range(25):
        metrics.counter("jobs_total", {"job": index})
    assert len(queue.samples) == 20
    for _ in range(100):
        metrics.summary("size_bytes", 1)
    assert metrics.flush()
    assert len(queue.samples) == 26
    assert not metrics.dropped


def test_a_full_buffer_drops_where_it_may_not_be_pushed() -> None:
    metrics = FakeMetrics(max_series=10, max_observations=5, auto_flush=False)
    for index in range(25):
        metrics.counter("jobs_total", {"job": index})
    metrics.counter("jobs_total", {"job": 0})
    assert metrics.dropped == {"buffer_full": 15}
    assert metrics.value("jobs_total") == 11
    for _ in range(8):
        metrics.summary("size_bytes", 1)
    for _ in range(20):
        metrics.gauge("depth").max(1)
        metrics.gauge("depth").inc()
    assert metrics.observed("size_bytes") == (5, 5)
    assert metrics.dropped == {"buffer_full": 15 + 3 + 16}


def test_what_is_remembered_of_series_has_a_bound() -> None:
    metrics = FakeMetrics(max_series=10)
    for index in range(1000):
        metrics.counter("jobs_total", {"job": f"job {index}"})
        metrics.counter("jobs_total", {f"job{index}": ""})
        assert len(metrics._known) <= 42


def test_elements_are_small_and_few() -> None:
    class Elements(FakeQueue):
        def lpush(self, name: str, *values: str) -> int:
            self.elements = values
            return super().lpush(name, *values)

    queue = Elements()
    metrics = Metrics(queue, max_series=100_000, max_observations=100_000)
    for count in (1, 2, 100):
        for index in range(count):
            metrics.gauge("one", {"index": index}).set(index)
        metrics.flush()
        assert len(queue.elements) == 1
        assert queue.elements[0].startswith("[") == (count > 1)
        assert len(queue.samples) == count
        queue.samples.clear()
    metrics.gauge("one", {"index": 100}).set(100)
    for index in range(5000):
        metrics.gauge("one", {"index": index, "text": "x" * (index % 1000)}).set(index)
    for index in range(3000):
        metrics.summary("size_bytes", 1 / (index + 1))
    metrics.flush()
    assert [int(s["labels"]["index"]) for s in queue.samples[:5001]] == [100, *range(5000)]
    assert len(queue.samples) == 5004
    assert max(map(len, queue.elements)) <= 64 * 1024
    # Only the last one has room left for another of those samples.
    assert min(map(len, queue.elements[:-2])) > 62 * 1024
    assert not metrics.dropped

    # More than a command may have: two of these are an array.
    for index in range(8000):
        metrics.gauge("two", {"index": index, "text": "x" * 22_000}).set(index)
    metrics.flush()
    assert len(queue.elements) < 3900
    assert metrics.dropped == {"buffer_full": 8000 - 2 * len(queue.elements)}


def test_the_environment_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_STREAM_GATEWAY_DISABLED", "1")
    queue = FakeQueue()
    metrics = Metrics(queue)
    metrics.describe("jobs_total", "Jobs.")
    metrics.counter("jobs_total")
    metrics.counter(" ")
    metrics.gauge("depth").dec()
    with metrics.timer("work_seconds"):
        pass
    assert metrics.flush()
    assert not queue.samples
    assert not metrics.dropped


def test_the_fake_asserts() -> None:
    metrics = FakeMetrics()
    metrics.counter("jobs_total", {"queue": "mail", "code": 200}, 2)
    metrics.counter("jobs_total", {"queue": "sms"}, 3)
    metrics.flush()
    for index in range(40):
        metrics.histogram("work_seconds", index)
    metrics.assert_value("jobs_total", 5)
    metrics.assert_value("jobs_total", 2, {"code": 200})
    metrics.assert_observed("work_seconds", 40)
    assert metrics.observed("work_seconds") == (40, 780)
    metrics.assert_nothing("other_total")
    metrics.assert_nothing_dropped()
    with pytest.raises(AssertionError, match="expected jobs_total to be 1, got 5"):
        metrics.assert_value("jobs_total", 1)
    with pytest.raises(AssertionError):
        metrics.assert_nothing()
    with pytest.raises(AssertionError):
        metrics.assert_observed("other_seconds")
    metrics.counter(" ")
    with pytest.raises(AssertionError, match="counter ' '"):
        metrics.assert_nothing_dropped()


def test_samples_are_json_that_others_read() -> None:
    queue = FakeQueue()
    texts = ['"', "\\", "\n", "\u2028", "ä", "\x00"]
    metrics = Metrics(queue)
    for text in texts:
        metrics.counter("jobs_total", {"text": text})
    metrics.flush()
    assert [sample["labels"]["text"] for sample in queue.samples] == texts
    assert json.dumps(queue.samples)
