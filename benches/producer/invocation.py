"""One way in which a Python program can tell its measurements, timed: for each
line on standard input one invocation, its wall and CPU nanoseconds on standard
output. Arguments: way, file of samples, port of Redis, port of Pushgateway."""

import json
import sys
import time

import prometheus_client
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE = "prom-stream-gateway:metric-queue"


def connected(port):
    return redis.Redis(
        host="127.0.0.1", port=port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))


def push_each(samples, port):
    with connected(port) as connection:
        for sample in samples:
            connection.lpush(QUEUE, json.dumps(sample))


def push_all(samples, connection):
    connection.lpush(QUEUE, *map(json.dumps, samples))


def push_all_anew(samples, port):
    with connected(port) as connection:
        push_all(samples, connection)


def aggregated(samples):
    registry = prometheus_client.CollectorRegistry()
    known = {}
    for sample in samples:
        name = sample["name"]
        metric = known.get(name)
        if metric is None:
            kind = getattr(prometheus_client, sample["type"].capitalize())
            more = {"buckets": sample["buckets"]} if "buckets" in sample else {}
            metric = known[name] = kind(
                name, sample["help"], list(sample["labels"]), registry=registry, **more)
        series = metric.labels(*sample["labels"].values())
        if sample["type"] == "counter":
            series.inc(sample["value"])
        elif sample["type"] == "gauge":
            series.set(sample["value"])
        else:
            series.observe(sample["value"])
    return registry


def main():
    way, file, redis_port, gateway_port = sys.argv[1:]
    with open(file, encoding="utf-8") as text:
        samples = json.load(text)
    kept = connected(int(redis_port))
    gateway = f"127.0.0.1:{gateway_port}"
    invoke = {
        "push-each": lambda: push_each(samples, int(redis_port)),
        "push-all": lambda: push_all_anew(samples, int(redis_port)),
        "push-all-kept": lambda: push_all(samples, kept),
        "render": lambda: prometheus_client.generate_latest(aggregated(samples)),
        "render-post": lambda: prometheus_client.pushadd_to_gateway(
            gateway, job="python", registry=aggregated(samples)),
    }[way]
    for _ in sys.stdin:
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        invoke()
        wall = time.perf_counter_ns() - wall
        print(wall, time.process_time_ns() - cpu, flush=True)


if __name__ == "__main__":
    main()
