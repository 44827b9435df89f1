"""Redis for the tests of this folder: one with JSON and Search, one bare, and one of a test's own."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from memory.redis_connection import READER_TIMEOUT_S, connect
from tests.redis.server import RedisServer
from tests.redis.stack import Stack, stack

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is `make test-redis`."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("redis")


@pytest.fixture(scope="session")
def redis_stack() -> Stack:
    """The programs, fetched the first time."""
    return stack()


@pytest.fixture(scope="session")
def full_redis(redis_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server with JSON and Search for the whole run."""
    server = RedisServer(redis_stack, tmp_path_factory.mktemp("redis-full"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def bare_redis(redis_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server without modules, as managed Redis and Valkey are."""
    server = RedisServer(redis_stack, tmp_path_factory.mktemp("redis-bare"), modules=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis(redis_stack: Stack, tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Makes servers that the test may stop, freeze and start again."""
    made: list[RedisServer] = []

    def make(*, modules: bool = True, keeps: bool = True) -> RedisServer:
        server = RedisServer(redis_stack, tmp_path / f"redis-{len(made)}", modules=modules, keeps=keeps)
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
async def redis(bare_redis: RedisServer) -> AsyncIterator[Redis]:
    """An empty database of the bare server."""
    async with connect(bare_redis.url, timeout_s=READER_TIMEOUT_S) as client:
        await client.flushdb()
        yield client
