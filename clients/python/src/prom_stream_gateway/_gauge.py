"""What may be done to a gauge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._buffer import Buffer


class Gauge:
    """One gauge with its labels, from `Metrics.gauge`. It may be kept."""

    __slots__ = ("_labels", "_metrics", "_name")

    def __init__(self, metrics: Buffer, name: str, labels: Mapping[str, object] | None) -> None:
        self._metrics = metrics
        self._name = name
        self._labels = labels

    def set(self, value: float) -> None:
        """Set it to a value."""
        self._metrics._record("gauge", self._name, value, self._labels, op="set")

    def add(self, value: float) -> None:
        """Add a value; a negative one is taken away."""
        self._metrics._record("gauge", self._name, value, self._labels, op="add")

    def inc(self) -> None:
        """Add one."""
        self.add(1)

    def dec(self) -> None:
        """Take away one."""
        self.add(-1)

    def max(self, value: float) -> None:
        """Raise it to a value if it is lower."""
        self._metrics._record("gauge", self._name, value, self._labels, op="max")

    def min(self, value: float) -> None:
        """Lower it to a value if it is higher."""
        self._metrics._record("gauge", self._name, value, self._labels, op="min")
