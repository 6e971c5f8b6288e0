"""What was recorded of one series since the last flush, and its samples as JSON."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from typing import Any, Literal

GaugeOperation = Literal["set", "add", "max", "min"]

# So many observations of a histogram are told one by one. More are added up, which
# is shorter: its bounds are known.
VALUES_OF_A_HISTOGRAM = 32

# So many observations go into one sample of a summary. With 17 digits each they stay
# below what a sample may have.
VALUES_OF_A_SAMPLE = 1000

encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Series:
    """One series. Its constant fields are written once, however often it is flushed."""

    __slots__ = ("head", "pending")

    def __init__(self, constant: dict[str, Any]) -> None:
        self.head = encode(constant)[:-1]
        self.pending = False

    def merges(self, operation: GaugeOperation) -> bool:
        """Whether one more value needs no further sample."""
        return self.pending

    def record(self, value: float, operation: GaugeOperation) -> None:
        """Record a value."""
        raise NotImplementedError

    def take(self) -> list[str]:
        """Return the samples since the last call, and forget them."""
        raise NotImplementedError


class CounterSeries(Series):
    """A counter: the sum of its increments."""

    __slots__ = ("total",)

    def __init__(self, constant: dict[str, Any]) -> None:
        super().__init__(constant)
        self.total: float = 0

    def record(self, value: float, operation: GaugeOperation) -> None:
        """Record an increment."""
        self.total += value

    def take(self) -> list[str]:
        """Return one sample."""
        total, self.total = self.total, 0
        return [f'{self.head},"value":{encode(total)}}}']


class GaugeSeries(Series):
    """A gauge: operations in their order, as few as say the same."""

    __slots__ = ("operations",)

    def __init__(self, constant: dict[str, Any]) -> None:
        super().__init__(constant)
        self.operations: list[tuple[GaugeOperation, float]] = []

    def merges(self, operation: GaugeOperation) -> bool:
        """Whether this operation makes one with those that are there."""
        if operation == "set" or not self.operations:
            return self.pending
        return self.operations[-1][0] in ("set", operation)

    def record(self, value: float, operation: GaugeOperation) -> None:
        """Record one operation."""
        if operation == "set":
            self.operations.clear()
        elif self.operations and self.merges(operation):
            last, known = self.operations.pop()
            if operation == "add":
                value = known + value
            else:
                value = max(known, value) if operation == "max" else min(known, value)
            operation = last
        self.operations.append((operation, value))

    def take(self) -> list[str]:
        """Return a sample for each operation."""
        operations, self.operations = self.operations, []
        return [
            f'{self.head},"op":"{operation}","value":{encode(value)}}}'
            for operation, value in operations
        ]


class HistogramSeries(Series):
    """A histogram: its observations, or a count for each bucket once they are many."""

    __slots__ = ("bounds", "counts", "sum", "values")

    def __init__(self, constant: dict[str, Any]) -> None:
        super().__init__(constant)
        self.bounds: list[float] = constant["buckets"]
        self.values: list[float] = []
        self.counts: list[int] = []
        self.sum = 0.0

    def record(self, value: float, operation: GaugeOperation) -> None:
        """Record an observation."""
        if self.counts:
            self.counts[bisect_left(self.bounds, value)] += 1
            self.sum += value
            return
        self.values.append(value)
        if len(self.values) > VALUES_OF_A_HISTOGRAM:
            self.counts = [0] * (len(self.bounds) + 1)
            for one in self.values:
                self.counts[bisect_left(self.bounds, one)] += 1
            self.sum = math.fsum(self.values)
            self.values = []

    def take(self) -> list[str]:
        """Return one sample."""
        values, self.values = self.values, []
        counts, self.counts = self.counts, []
        if counts:
            return [f'{self.head},"counts":{encode(counts)},"sum":{encode(self.sum)}}}']
        if len(values) == 1:
            return [f'{self.head},"value":{encode(values[0])}}}']
        return [f'{self.head},"values":{encode(values)}}}']


class SummarySeries(Series):
    """A summary: its observations, from which the gateway estimates quantiles."""

    __slots__ = ("values",)

    def __init__(self, constant: dict[str, Any]) -> None:
        super().__init__(constant)
        self.values: list[float] = []

    def record(self, value: float, operation: GaugeOperation) -> None:
        """Record an observation."""
        self.values.append(value)

    def take(self) -> list[str]:
        """Return a sample for each thousand observations."""
        values, self.values = self.values, []
        return [
            f'{self.head},"values":{encode(values[start : start + VALUES_OF_A_SAMPLE])}}}'
            for start in range(0, len(values), VALUES_OF_A_SAMPLE)
        ]


SERIES: dict[str, type[Series]] = {
    "counter": CounterSeries,
    "gauge": GaugeSeries,
    "histogram": HistogramSeries,
    "summary": SummarySeries,
}
