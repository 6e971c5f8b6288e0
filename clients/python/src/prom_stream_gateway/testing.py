"""Clients that push nowhere, for tests of code that records metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._buffer import Buffer
from ._checks import label_text
from ._client import AsyncMetrics, Metrics


class FakeQueue:
    """Stands for Redis: keeps the samples that are pushed."""

    def __init__(self) -> None:
        self.samples: list[dict[str, Any]] = []

    def lpush(self, name: str, *values: str) -> int:
        """Keep the samples of these elements."""
        for element in values:
            decoded = json.loads(element)
            self.samples += decoded if isinstance(decoded, list) else [decoded]
        return len(self.samples)


class AsyncFakeQueue(FakeQueue):
    """The same for asyncio."""

    async def lpush(self, name: str, *values: str) -> int:  # type: ignore[override]
        """Keep the samples of these elements."""
        return super().lpush(name, *values)


class Assertions(Buffer):
    """What a test asks. Samples count whether they were flushed or not."""

    queue: FakeQueue

    def samples(
        self, name: str | None = None, labels: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        """Return the samples, as they are pushed, of a name and with these labels."""
        FakeQueue.lpush(self.queue, "", *self._take().elements)
        asked = {label: label_text(value) for label, value in (labels or {}).items()}
        return [
            sample
            for sample in self.queue.samples
            if name in (None, sample["name"])
            and (labels is None or asked.items() <= sample["labels"].items())
        ]

    def value(self, name: str, labels: Mapping[str, object] | None = None) -> float | None:
        """Return a counter's sum or a gauge's value, of all series with these labels."""
        series: dict[str, float] = {}
        for sample in self.samples(name, labels):
            own = json.dumps(sample["labels"], sort_keys=True)
            if sample["type"] in ("counter", "gauge"):
                operation = sample.get("op", "add" if sample["type"] == "counter" else "set")
                series[own] = _applied(operation, series.get(own), sample["value"])
        return sum(series.values()) if series else None

    def observed(self, name: str, labels: Mapping[str, object] | None = None) -> tuple[int, float]:
        """Return how many values a histogram or summary has seen, and their sum."""
        count, total = 0, 0.0
        for sample in self.samples(name, labels):
            if "counts" in sample:
                count, total = count + sum(sample["counts"]), total + sample["sum"]
            elif sample["type"] in ("histogram", "summary"):
                values = sample.get("values") or [sample["value"]]
                count, total = count + len(values), total + sum(values)
        return count, total

    def assert_value(
        self, name: str, expected: float, labels: Mapping[str, object] | None = None
    ) -> None:
        """Fail unless the counter or gauge has this value."""
        found = self.value(name, labels)
        assert found == expected, f"expected {name}{labels or ''} to be {expected}, got {found}"

    def assert_observed(
        self, name: str, count: int = 1, labels: Mapping[str, object] | None = None
    ) -> None:
        """Fail unless the histogram or summary has seen so many values."""
        found = self.observed(name, labels)[0]
        assert found == count, f"expected {count} of {name}{labels or ''}, got {found}"

    def assert_nothing(self, name: str | None = None) -> None:
        """Fail if there is a sample, of this name or any."""
        found = self.samples(name)
        assert not found, f"expected no samples, got {found[:3]}"

    def assert_nothing_dropped(self) -> None:
        """Fail if a call was not recorded."""
        assert not self.dropped, f"expected nothing to be dropped: {self.last_reason}"


def _applied(operation: str, known: float | None, value: float) -> float:
    if operation == "set":
        return value
    if operation == "add":
        return (known or 0) + value
    if known is None:
        return value
    return max(known, value) if operation == "max" else min(known, value)


class FakeMetrics(Metrics, Assertions):
    """`Metrics` for tests, whatever the environment says."""

    def __init__(self, **options: Any) -> None:
        self.queue = FakeQueue()
        super().__init__(self.queue, **{"enabled": True, **options})


class FakeAsyncMetrics(AsyncMetrics, Assertions):
    """`AsyncMetrics` for tests, whatever the environment says."""

    def __init__(self, **options: Any) -> None:
        self.queue = AsyncFakeQueue()
        super().__init__(self.queue, **{"enabled": True, **options})
