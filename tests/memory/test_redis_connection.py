"""The way to Redis is asked once, for a short time, and never behind one's back again."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from memory.redis_connection import connect

ANSWERED_AT_ONCE = ("HELLO", "CLIENT")
"""What redis-py says when it connects."""


class Stalled:
    """Takes connections and greets, and answers nothing that it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while parts := await _command(reader):
            if parts[0] in ANSWERED_AT_ONCE:
                writer.write(b"%0\r\n" if parts[0] == "HELLO" else b"+OK\r\n")
            else:
                self.asked.append(parts[0])
        writer.close()


async def _command(reader: asyncio.StreamReader) -> list[str]:
    """One command of the wire; empty when the connection is closed."""
    head = await reader.readline()
    parts = []
    for _ in range(int(head[1:]) if head else 0):
        length = int((await reader.readline())[1:])
        parts.append((await reader.readexactly(length + 2))[:-2].decode())
    return parts


@pytest.fixture
async def stalled() -> AsyncIterator[tuple[Stalled, str]]:
    redis = Stalled()
    server = await asyncio.start_server(redis.serve, "127.0.0.1", 0)
    async with server:
        yield redis, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


async def test_a_redis_that_does_not_answer_is_asked_once_and_not_waited_for(
    stalled: tuple[Stalled, str],
) -> None:
    redis, url = stalled
    async with connect(url) as client, asyncio.timeout(30):
        given = client.connection_pool.connection_kwargs
        assert (given["socket_timeout"], given["socket_connect_timeout"]) == (0.3, 0.3)
        with pytest.raises(RedisTimeoutError):
            await client.get("anything")
    assert redis.asked == ["GET"]
