# redis-py: plain, in a transaction, over asyncio; in RESP2 and RESP3.
import asyncio
import sys

import redis
import redis.asyncio

PORT = int(sys.argv[1])
QUEUE = "prom-stream-gateway:metric-queue"


def sample(way):
    return '{"name":"client_total","value":1,"labels":{"way":"%s"}}' % way


def plain(protocol):
    way = "redis-py %d" % protocol
    with redis.Redis(port=PORT, protocol=protocol, client_name="test") as client:
        assert client.ping()
        assert client.lpush(QUEUE, sample(way)) >= 1
        assert client.rpush(QUEUE, sample(way), sample(way)) >= 1
        assert client.get("another") is None
        with client.pipeline(transaction=True) as pipeline:
            for _ in range(3):
                pipeline.lpush(QUEUE, sample(way + " transaction"))
            assert len(pipeline.execute()) == 3
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(3):
                pipeline.lpush(QUEUE, sample(way + " pipeline"))
            assert len(pipeline.execute()) == 3
        try:
            client.lpush("another", "x")
            raise AssertionError("another key is not taken")
        except redis.ResponseError as error:
            assert "another" in str(error), error


async def concurrent():
    client = redis.asyncio.Redis(port=PORT)
    await asyncio.gather(*(client.lpush(QUEUE, sample("redis-py asyncio")) for _ in range(3)))
    await client.aclose()


plain(2)
plain(3)
asyncio.run(concurrent())
