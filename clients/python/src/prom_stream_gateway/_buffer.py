"""The buffer: recording calls only add to it, a flush takes what is in it."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ._checks import (
    LARGEST,
    checked_buckets,
    checked_quantiles,
    checked_unit,
    finite,
    is_label_name,
    is_name,
    label_text,
    printable,
    text,
)
from ._gauge import Gauge
from ._series import SERIES, GaugeOperation, Series, encode
from ._timer import Timer

DEFAULT_KEY = "prom-stream-gateway:metric-queue"
# Those of most of Prometheus' libraries, and of the packages for other languages: a gateway
# keeps to the first buckets of a name, whoever sends them.
DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

SAMPLE_BYTES = 32_000
# Of an element of several samples: neither Redis nor the gateway should have to hold much at once.
ARRAY_BYTES = 65_536
# Some Redis services refuse more arguments of one command.
ARGUMENTS = 3_890

# How many causes of dropping are remembered as told, and how many names are described.
CAUSES = 100
NAMES = 10_000

NO_LABELS: Mapping[str, object] = {}
QUANTILES = ("quantiles", "epsilons")
RESERVED = {"histogram": "le", "summary": "quantile"}

logger = logging.getLogger("prom_stream_gateway")
buffers: weakref.WeakSet[Buffer] = weakref.WeakSet()


class FullError(Exception):
    """The buffer is at its bound."""


class Batch(NamedTuple):
    """What a flush sends: the elements, and how many samples are in them."""

    elements: list[str]
    samples: int


class Buffer:
    """Collects samples in this process, and adds up those of the same series.

    No call throws, whatever it is given: what can't be recorded is dropped, counted in
    `dropped`, and said once by `logging`.
    """

    def __init__(
        self,
        *,
        labels: Mapping[str, object] | None,
        buckets: Sequence[float],
        max_series: int,
        max_observations: int,
        auto_flush: bool,
        enabled: bool,
    ) -> None:
        self._labels = dict(labels) if labels else {}
        self._buckets = checked_buckets(buckets)
        self._max_series = max_series
        self._max_observations = max_observations
        self._auto_flush = auto_flush
        self._enabled = enabled
        self._descriptions: dict[str, dict[str, Any]] = {}
        self._forget()
        buffers.add(self)

    def _forget(self) -> None:
        """Begin anew: in a child process after a fork, what is pending is the parent's to send."""
        # Reentrant, for signal handlers and finalizers that record while a call does.
        self._lock = threading.RLock()
        # By type, name, names and values of labels: as calls give them, and in their order.
        self._known: dict[tuple[object, ...], Any] = {}
        self._pending: list[Series] = []
        self._samples = 0
        self._observations = 0
        self._dropped: dict[str, int] = {}
        self._told: set[str] = set()
        self._reason: str | None = None

    @property
    def dropped(self) -> dict[str, int]:
        """How many samples were not sent, by reason.

        `invalid`: it is no sample; `buffer_full`: more series than `max_series`;
        `redis_unreachable`; `redis_timeout`: no answer in time; `redis_error`: an error as
        the answer; `not_flushed`: the process ended without `await metrics.flush()`.
        """
        with self._lock:
            return dict(self._dropped)

    @property
    def last_reason(self) -> str | None:
        """Why a sample was dropped last, in words."""
        return self._reason

    def describe(
        self,
        name: str,
        help: str | None = None,  # noqa: A002 - as the field of a sample is called
        *,
        unit: str | None = None,
        buckets: Sequence[float] | None = None,
        quantiles: Sequence[float] | Mapping[float, float] | None = None,
        ttl: float | None = None,
    ) -> None:
        """Say once what goes with every sample of a name.

        `quantiles` of a summary may come with their epsilons (errors in rank), as a
        mapping. `ttl` is how many seconds a series may stay idle before it expires.
        """
        if not self._enabled:
            return
        try:
            description: dict[str, Any] = {}
            if help is not None:
                description["help"] = text(help)
            if unit is not None:
                description["unit"] = checked_unit(name, unit)
            if ttl is not None:
                description["ttl"] = finite(ttl)
            if buckets is not None:
                description["buckets"] = checked_buckets(buckets)
            if quantiles is not None:
                description.update(checked_quantiles(quantiles))
            if len(encode(description)) > SAMPLE_BYTES:
                raise ValueError(f"expected at most {SAMPLE_BYTES} bytes")
            with self._lock:
                if self._descriptions.get(name) == description:
                    return
                if len(self._descriptions) >= NAMES:
                    raise FullError(f"expected at most {NAMES} names to be described")
                self._descriptions[name] = description
                # Those that are pending are sent as they were begun.
                self._known.clear()
        except Exception as error:
            self._not_recorded("description of", name, error, samples=0)

    def counter(
        self, name: str, labels: Mapping[str, object] | None = None, value: float = 1
    ) -> None:
        """Add to a counter."""
        if not self._enabled:
            return
        batch = None
        try:
            if value.__class__ is not int and value.__class__ is not float:
                value = finite(value)
            if not 0 <= value <= LARGEST:
                raise ValueError(f"expected a finite number of at least 0, got {value!r}")
            labels = labels or NO_LABELS
            key = ("counter", name, *labels, *labels.values())
            with self._lock:
                series = self._known.get(key) or self._resolve(key, name, labels, None)
                if series.pending:
                    series.total += value
                else:
                    self._wake(series)
                    series.total = value
                    batch = self._take_at_bound()
        except Exception as error:
            self._not_recorded("counter", name, error)
        if batch:
            self._send_at_bound(batch)

    def gauge(self, name: str, labels: Mapping[str, object] | None = None) -> Gauge:
        """Return a gauge: `metrics.gauge("queue_size").set(17)`, or `add`, `max`, `min`."""
        return Gauge(self, name, labels)

    def histogram(
        self,
        name: str,
        value: float,
        labels: Mapping[str, object] | None = None,
        buckets: Sequence[float] | None = None,
    ) -> None:
        """Observe a value. The first call for a series decides its buckets."""
        self._record("histogram", name, value, labels, buckets)

    def summary(
        self,
        name: str,
        value: float,
        labels: Mapping[str, object] | None = None,
        quantiles: Sequence[float] | Mapping[float, float] | None = None,
    ) -> None:
        """Observe a value. The first call for a series decides its quantiles."""
        self._record("summary", name, value, labels, quantiles)

    def timer(
        self,
        name: str,
        labels: Mapping[str, object] | None = None,
        buckets: Sequence[float] | None = None,
    ) -> Timer:
        """Observe seconds in a histogram: `with metrics.timer(…):` or `@metrics.timer(…)`."""
        return Timer(self, name, labels, buckets)

    def _record(
        self,
        kind: str,
        name: str,
        value: float,
        labels: Mapping[str, object] | None,
        layout: Any = None,
        op: GaugeOperation = "add",
    ) -> None:
        """Record a value in a series. `counter` has the same in itself: loops call it most."""
        if not self._enabled:
            return
        batch = None
        try:
            value = finite(value)
            labels = labels or NO_LABELS
            key = (kind, name, *labels, *labels.values())
            with self._lock:
                series = self._known.get(key) or self._resolve(key, name, labels, layout)
                if not series.merges(op):
                    self._wake(series)
                if kind == "summary":
                    if self._observations >= self._max_observations:
                        raise FullError(f"expected at most {self._max_observations} observations")
                    self._observations += 1
                series.record(value, op)
                batch = self._take_at_bound()
        except Exception as error:
            self._not_recorded(kind, name, error)
        if batch:
            self._send_at_bound(batch)

    def _resolve(
        self, key: tuple[object, ...], name: str, given: Mapping[str, object], layout: Any
    ) -> Any:
        """Find or make the series of a key that a call gave."""
        kind = str(key[0])
        if not isinstance(name, str) or not is_name(name):
            raise ValueError("expected the name of a metric")
        labels = {}
        for label, value in (*self._labels.items(), *given.items()):
            if not is_label_name(label) or label == RESERVED.get(kind):
                raise ValueError(f"expected the name of a label, got {label!r}")
            labels[label] = label_text(value)
        # What is empty is no label, to Prometheus.
        labels = {label: labels[label] for label in sorted(labels) if labels[label]}
        own_key = (kind, name, *labels, *labels.values())
        # Series that are no longer used must not remain for ever.
        if len(self._known) >= 4 * self._max_series:
            self._known.clear()
        series = self._known.get(own_key)
        if series is None:
            series = self._made(kind, name, labels, layout)
            if len(series.head) > SAMPLE_BYTES:
                raise ValueError(f"expected at most {SAMPLE_BYTES} bytes")
            self._known[own_key] = series
        # 1 and True are equal, and their texts are not. So only texts find the way back.
        if all(type(value) is str for value in given.values()):
            self._known[key] = series
        return series

    def _made(self, kind: str, name: str, labels: dict[str, str], layout: Any) -> Series:
        described = self._descriptions.get(name, {})
        constant: dict[str, Any] = {"type": kind, "name": name, "labels": labels}
        if kind == "histogram":
            known = described.get("buckets", self._buckets)
            constant["buckets"] = known if layout is None else checked_buckets(layout)
        elif kind == "summary":
            own = described if layout is None else checked_quantiles(layout)
            constant.update((field, own[field]) for field in QUANTILES if field in own)
        for field in ("help", "unit", "ttl"):
            if field in described:
                constant[field] = described[field]
        return SERIES[kind](constant)

    def _wake(self, series: Series) -> None:
        """Make room for one more sample, of this series."""
        if self._samples >= self._max_series:
            raise FullError(f"expected at most {self._max_series} series in a flush")
        self._samples += 1
        if not series.pending:
            series.pending = True
            self._pending.append(series)

    def _take_at_bound(self) -> Batch | None:
        if not self._auto_flush or (
            self._samples < self._max_series and self._observations < self._max_observations
        ):
            return None
        return self._take()

    def _take(self) -> Batch:
        """Take what is pending, as elements of the queue."""
        unwritable: list[ValueError] = []
        with self._lock:
            pending, self._pending = self._pending, []
            self._samples = self._observations = 0
            samples: list[str] = []
            for series in pending:
                series.pending = False
                try:
                    samples += series.take()
                except ValueError as error:
                    unwritable.append(error)
        for infinite in unwritable:
            self._drop("invalid", "a sum", infinite, samples=1)
        return self._packed(samples)

    def _packed(self, samples: list[str]) -> Batch:
        """Pack samples into arrays, as few as hold them, in their order.

        An element costs Redis more than a sample does. One that is alone is an element itself.
        """
        fitting = [sample for sample in samples if len(sample) <= SAMPLE_BYTES]
        if len(fitting) < len(samples):
            error = ValueError(f"expected at most {SAMPLE_BYTES} bytes")
            self._drop("invalid", "a sample", error, samples=len(samples) - len(fitting))
        elements: list[str] = []
        packed, size = 0, 1
        for index, sample in enumerate(fitting):
            # Before each is a bracket or a comma, and behind the last one a bracket.
            if index > packed and size + len(sample) + 1 > ARRAY_BYTES:
                if len(elements) == ARGUMENTS - 1:
                    error = ValueError(f"expected at most {ARGUMENTS} elements in a flush")
                    self._drop("buffer_full", "samples", error, samples=len(fitting) - index)
                    fitting = fitting[:index]
                    break
                elements.append(_element(fitting[packed:index]))
                packed, size = index, 1
            size += len(sample) + 1
        if fitting:
            elements.append(_element(fitting[packed:]))
        return Batch(elements, len(fitting))

    def _send_at_bound(self, batch: Batch) -> None:
        """Send a batch in the middle of the work, because the buffer is at its bound."""
        raise NotImplementedError

    def _at_exit(self) -> None:
        """Do what is left to do before the process ends."""
        raise NotImplementedError

    def _not_recorded(self, kind: str, name: object, error: Exception, samples: int = 1) -> None:
        # A name may be anything, and it may be long.
        what = f"{kind} {name[:100]!r}" if type(name) is str else kind
        if isinstance(error, FullError):
            self._drop("buffer_full", "samples", error, samples)
        else:
            self._drop("invalid", what, error, samples)

    def _drop(self, reason: str, what: str, error: Exception, samples: int) -> None:
        """Count dropped samples, and say why, once for each cause."""
        try:
            said = printable(str(error)[:500])
        except Exception:  # what others raise need not have a text
            said = ""
        why = f"{what} not sent: {said or type(error).__name__}"
        # Its end may have an address or a number that changes.
        cause = f"{reason} {what} {type(error).__name__} {said[:20]}"
        with self._lock:
            if samples:
                self._dropped[reason] = self._dropped.get(reason, 0) + samples
            self._reason = why
            if cause in self._told or len(self._told) >= CAUSES:
                return
            self._told.add(cause)
        # Not under the lock: a handler may have one of its own, and record a metric.
        logger.warning("%s (this is said once)", why)


def _element(samples: list[str]) -> str:
    return samples[0] if len(samples) == 1 else f"[{','.join(samples)}]"


def _after_fork() -> None:
    for buffer in list(buffers):
        buffer._forget()


def _at_exit() -> None:
    for buffer in list(buffers):
        buffer._at_exit()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
