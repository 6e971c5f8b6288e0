"""A Redis for all tests that want one."""

from __future__ import annotations

from collections.abc import Iterator

import peers
import pytest
import redis


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a Redis for the whole session; this is its port."""
    with peers.redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture
def port(server: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the port of an empty Redis, which is in the environment too."""
    with redis.Redis(host="127.0.0.1", port=server) as client:
        client.flushall()
    monkeypatch.setenv("PROM_STREAM_GATEWAY_REDIS_URL", f"redis://127.0.0.1:{server}")
    return server
