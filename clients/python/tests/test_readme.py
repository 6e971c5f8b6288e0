"""The programs of README.md run as they are printed."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import prometheus_client.values
import pytest

import prom_stream_gateway
from prom_stream_gateway.testing import FakeMetrics

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def block(words: str) -> str:
    """Return the block with these words."""
    (found,) = [block for block in BLOCKS if words in block]
    assert isinstance(found, str)
    return found


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> FakeMetrics:
    """Let `connect` return a fake."""
    fake = FakeMetrics()
    monkeypatch.setattr(prom_stream_gateway, "connect", lambda *_, **__: fake)
    monkeypatch.setattr(prometheus_client.values, "ValueClass", prometheus_client.values.ValueClass)
    return fake


def test_the_handler(metrics: FakeMetrics) -> None:
    names: dict[str, Any] = {"pay": lambda event: None}
    exec(block("def handler"), names)
    names["handler"]({"country": "de"}, None)
    assert [sample["name"] for sample in metrics.queue.samples] == [
        "orders_total",
        "payment_seconds",
    ]
    metrics.assert_nothing_dropped()


def test_recording(metrics: FakeMetrics) -> None:
    exec(block("metrics.describe("), {"metrics": metrics})
    assert len(metrics.queue.samples) == 7
    metrics.assert_nothing_dropped()


def test_the_bridge(metrics: FakeMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    before = prometheus_client.values.ValueClass
    exec(block("prometheus.install"), {})
    assert prometheus_client.values.ValueClass is not before


def test_the_test(metrics: FakeMetrics) -> None:
    def order(metrics: FakeMetrics) -> None:
        metrics.counter("orders_total", {"country": "de"})
        with metrics.timer("payment_seconds"):
            pass

    names: dict[str, Any] = {"order": order}
    exec(block("FakeMetrics"), names)
    names["test_an_order_is_counted"]()
