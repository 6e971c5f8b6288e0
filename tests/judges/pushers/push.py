# prometheus_client: push_to_gateway, compressed too, and pushadd_to_gateway. What can't
# be done here is told.
import sys
from urllib.error import HTTPError

from prometheus_client import (
    CollectorRegistry, Counter, Gauge, Histogram, Info, Summary, delete_from_gateway,
    push_to_gateway, pushadd_to_gateway)

GATEWAY = "127.0.0.1:" + sys.argv[1]


def counted():
    registry = CollectorRegistry()
    Counter("pushed", "Pushed.", ["queue"], registry=registry).labels("mail").inc(3)
    Gauge("temperature", "In the room.", registry=registry).set(21.5)
    took = Histogram("took_seconds", "It took.", buckets=[0.1, 1], registry=registry)
    for seconds in [0.05, 0.5, 5]:
        took.observe(seconds)
    size = Summary("size_bytes", "Its size.", registry=registry)
    size.observe(100)
    size.observe(200)
    Info("build", "What it is.", registry=registry).info({"version": "1"})
    return registry


def refused(status, words, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except HTTPError as error:
        said = error.read().decode()
        assert error.code == status and words in said, said
        return
    raise AssertionError("it was taken")


push_to_gateway(GATEWAY, job="push", registry=counted())
push_to_gateway(GATEWAY, job="gzip", registry=counted(), compression="gzip")
pushadd_to_gateway(GATEWAY, job="pushadd", registry=counted(),
                   grouping_key={"zone": "a/b", "empty": ""})
refused(400, "?delta=true", push_to_gateway, GATEWAY, job="a", registry=counted(),
        grouping_key={"instance": "b"})
refused(405, "nothing is deleted by job", delete_from_gateway, GATEWAY, job="push")
