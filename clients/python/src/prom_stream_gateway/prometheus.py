"""A bridge for `prometheus_client`: what its metrics count is pushed, as it is counted.

Every process pushes what it adds itself, so nothing is kept in files, and forked
workers (gunicorn, celery) need nothing else. What the metrics show by themselves stays
as it was, but that it begins at 0 in a process that was forked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, Callable

import prometheus_client
import prometheus_client.metrics
import prometheus_client.values

from ._buffer import Buffer, logger
from ._gauge import Gauge


def install(metrics: Buffer) -> None:
    """Push what metrics of `prometheus_client` count, of those that are made from now on.

    So call it before the modules are imported that make them. `Info`, `Enum` and
    `Gauge.set_function` keep no values, and are not pushed; nor are exemplars.
    """
    collectors = getattr(prometheus_client.REGISTRY, "_collector_to_names", {})
    earlier = [
        str(collector)
        for collector in collectors
        if isinstance(collector, prometheus_client.metrics.MetricWrapperBase)
    ]
    if earlier:
        logger.warning("made before install(), so not pushed: %s", ", ".join(earlier[:10]))
    prometheus_client.values.ValueClass = value_class(metrics)


def value_class(metrics: Buffer) -> type[Any]:
    """Return a class for `prometheus_client.values.ValueClass` that pushes by `metrics`."""
    # Of the histograms, by name: they make a value for their sum, then one for each bucket.
    bounds: dict[str, list[float]] = {}

    class PushedValue:
        """A number of a metric: kept as `prometheus_client` expects it, and pushed."""

        _multiprocess = False

        def __init__(
            self,
            typ: str,
            metric_name: str,
            name: str,
            labelnames: Sequence[str],
            labelvalues: Sequence[str],
            help_text: str = "",
            multiprocess_mode: str = "",
            **_: Any,
        ) -> None:
            self._value = 0.0
            self._lock = threading.Lock()
            self._pid = os.getpid()
            labels = dict(zip(labelnames, labelvalues))
            self._push: Callable[[float, float], None] | None = None
            self._push_set: Callable[[float, float], None] | None = None
            described = metric_name
            if typ == "counter":
                described = name
                self._push = lambda amount, _: metrics.counter(name, labels, amount)
            elif typ == "gauge":
                self._push, self._push_set = _gauge_pushes(
                    metrics.gauge(name, labels), multiprocess_mode
                )
            elif typ == "summary" and name.endswith("_sum"):
                self._push = lambda amount, _: metrics.summary(metric_name, amount, labels)
            elif typ == "histogram" and name.endswith("_sum"):
                own = bounds[metric_name] = []
                self._push = lambda amount, _: metrics.histogram(metric_name, amount, labels, own)
            elif typ == "histogram" and name.endswith("_bucket"):
                bounds[metric_name].append(float(labelvalues[-1]))
                return
            if help_text:
                metrics.describe(described, help_text)

        def inc(self, amount: float) -> None:
            with self._lock:
                self._begin_anew_after_a_fork()
                self._value += amount
                now = self._value
            if self._push:
                self._push(amount, now)

        def set(self, value: float, timestamp: float | None = None) -> None:
            with self._lock:
                self._begin_anew_after_a_fork()
                before, self._value = self._value, value
            if self._push_set:
                self._push_set(value - before, value)

        def get(self) -> float:
            with self._lock:
                return self._value

        def set_exemplar(self, exemplar: Any) -> None:
            """Do nothing: exemplars are not pushed."""

        def get_exemplar(self) -> None:
            """Return none: exemplars are not kept."""

        def _begin_anew_after_a_fork(self) -> None:
            # What the parent had counted is the parent's.
            if self._pid != os.getpid():
                self._pid = os.getpid()
                self._value = 0.0

    return PushedValue


def _gauge_pushes(
    gauge: Gauge, mode: str
) -> tuple[Callable[[float, float], None], Callable[[float, float], None]]:
    """Return what pushes an increment and a set, which get the difference and the value.

    `multiprocess_mode` says how the values of several processes make one. `all` makes a
    series for each process there; here it is one series, and the last `set` counts.
    """

    def add(difference: float, _: float) -> None:
        gauge.add(difference)

    def put(_: float, value: float) -> None:
        gauge.set(value)

    def highest(_: float, value: float) -> None:
        gauge.max(value)

    def lowest(_: float, value: float) -> None:
        gauge.min(value)

    return {"sum": (add, add), "max": (highest, highest), "min": (lowest, lowest)}.get(
        mode.replace("live", "", 1), (add, put)
    )
