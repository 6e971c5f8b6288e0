"""Sends the metrics of short-lived programs to prom-stream-gateway.

>>> metrics = connect()
>>> metrics.counter("jobs_total", {"queue": "mail"})
>>> metrics.flush()
True
"""

from ._client import AsyncMetrics, Metrics
from ._connect import connect, connect_async
from ._gauge import Gauge
from ._timer import Timer

__all__ = ["AsyncMetrics", "Gauge", "Metrics", "Timer", "connect", "connect_async"]
