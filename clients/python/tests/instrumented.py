"""Calls of the driver, made with metrics of `prometheus_client`, which the bridge pushes."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Summary

from prom_stream_gateway import Metrics
from prom_stream_gateway._buffer import DEFAULT_BUCKETS
from prom_stream_gateway.prometheus import install

KINDS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram, "summary": Summary}


class Instrumented:
    """The metrics that were called so far."""

    def __init__(self, metrics: Metrics) -> None:
        install(metrics)
        self._help: dict[str, str] = {}
        # A metric has the same names of labels always, and calls of one name have any.
        self._metrics: dict[tuple[str, ...], Any] = {}
        # What gauges are at, by their children.
        self._levels: dict[Any, float] = {}

    def call(self, what: str, fields: dict[str, Any]) -> None:
        """Make one call."""
        name = fields["name"]
        if what == "describe":
            self._help[name] = fields["help"]
            return
        labels, value = fields["labels"], fields["value"]
        key = (name, *sorted(labels))
        if key not in self._metrics:
            options: dict[str, Any] = {"registry": None}
            if what == "histogram":
                options["buckets"] = fields.get("buckets", DEFAULT_BUCKETS)
            made = KINDS[what](name, self._help.get(name, ""), sorted(labels), **options)
            self._metrics[key] = made
        metric = self._metrics[key]
        child = metric.labels(**labels) if labels else metric
        if what == "counter":
            child.inc(value)
        elif what == "gauge":
            self._gauge(child, fields["op"], value)
        else:
            child.observe(value)

    def _gauge(self, child: Gauge, op: str, value: float) -> None:
        """Set or add: the library has no maximum and no minimum."""
        level = self._levels.get(child, value)
        if op == "add":
            child.inc(value)
            self._levels[child] = self._levels.get(child, 0) + value
            return
        if op != "set":
            value = max(level, value) if op == "max" else min(level, value)
        child.set(value)
        self._levels[child] = value
