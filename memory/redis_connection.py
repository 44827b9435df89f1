"""The way to Redis: one address for a server, for Sentinels or for a cluster; short time-outs, no retries.

A caller is waiting whenever Redis is asked, so redis-py's own patience is turned off: by default it waits
five seconds for a server that is frozen, and tries again behind one's back. Whoever asks decides what to
do without an answer.

Addresses: ``redis://``, ``rediss://`` (TLS) and ``unix://`` as redis-py has them;
``redis+sentinel://[user:password@]host:26379,host2:26379/mymaster/0``;
``redis+cluster://[user:password@]host:6379``, and ``rediss+cluster://``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

TIMEOUT_S = 0.3
"""For connecting and for each answer. A healthy Redis takes a millisecond; a caller notices three hundred."""

READER_TIMEOUT_S = 5.0
"""For whoever reads events or administers: nobody waits on the line."""

SENTINEL_PORT = 26379

WANTED = {"JSON": "JSON.GET", "Search": "FT._LIST"}
"""What the library's checkpoints stand on, and a command that only a server with it knows."""


class RedisUnusable(Exception):
    """Redis cannot be used as it is configured; the message says what is wrong and what to do."""


@asynccontextmanager
async def connect(url: str, password: str = "", timeout_s: float = TIMEOUT_S) -> AsyncIterator[Redis]:
    """A client for ``url``, closed with the block. Nothing is sent yet: that a server is away shows later.

    ``password`` is used when the address holds none. Raises :class:`RedisUnusable` for an address that cannot
    be understood, or Sentinels none of which knows the master.
    """
    client, also = _client(url, password, timeout_s)
    try:
        yield client
    finally:
        for one in (client, *also):
            await one.aclose()


async def missing(client: Redis) -> list[str]:
    """Which of JSON and Search the server lacks; empty when it has both.

    The version tells nothing: Redis' own builds of Redis 8 have both, Debian's has neither. Raises
    ``redis.exceptions.RedisError`` when the server is away.
    """
    lacks = []
    for name, command in WANTED.items():
        arguments = ("standardiste:probe",) if name == "JSON" else ()
        try:
            await client.execute_command(command, *arguments)  # type: ignore[no-untyped-call]
        except ResponseError as exc:
            if "unknown command" not in str(exc).lower():
                raise
            lacks.append(name)
    return lacks


def shown(url: str) -> str:
    """``url`` without user and password, for pages and logs."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _client(url: str, password: str, timeout_s: float) -> tuple[Redis, list[Redis]]:
    patience: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
    }
    given: dict[str, Any] = {"password": password} if password else {}
    scheme = urlsplit(url).scheme
    try:
        match scheme:
            case "redis" | "rediss" | "unix":
                return Redis.from_url(url, **given, **patience), []
            case "redis+sentinel" | "rediss+sentinel":
                return _by_sentinels(url, password, patience)
            case "redis+cluster" | "rediss+cluster":
                plain = url.replace("+cluster", "", 1)
                cluster = RedisCluster.from_url(plain, **given, **patience)
                return cast("Redis", cluster), []  # the commands used here are the same
    except (ValueError, RedisError) as exc:
        raise RedisUnusable(f"REDIS_URL: {shown(url)} cannot be used ({exc})") from exc
    raise RedisUnusable(
        f"REDIS_URL: {scheme or 'nothing'}:// is not known; give redis://, rediss://, unix://, "
        "redis+sentinel://host:26379/mymaster/0 or redis+cluster://host:6379"
    )


def _by_sentinels(url: str, password: str, patience: dict[str, Any]) -> tuple[Redis, list[Redis]]:
    parts = urlsplit(url)
    user_info, _, hosts = parts.netloc.rpartition("@")
    user, _, secret = user_info.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("name the master behind the hosts: redis+sentinel://host:26379/mymaster/0")
    sentinels = [_host_and_port(one.strip()) for one in hosts.split(",")]
    login: dict[str, Any] = {"username": unquote(user)} if user else {}
    if secret or password:
        login["password"] = unquote(secret) if secret else password
    if parts.scheme == "rediss+sentinel":
        login["ssl"] = True
    asked = Sentinel(sentinels, sentinel_kwargs=dict(patience), **patience)  # type: ignore[no-untyped-call]
    master: Redis = asked.master_for(service, db=int(database or 0), **login)
    return master, list(asked.sentinels)


def _host_and_port(place: str) -> tuple[str, int]:
    host, colon, port = place.rpartition(":")
    return (host, int(port)) if colon else (port, SENTINEL_PORT)
