"""Redis as it is run by those who cannot lose it: behind Sentinel, and as a cluster; small, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.redis.server import RedisServer, free_port
from tests.redis.stack import Stack

SLOTS = 16_384


@dataclass(frozen=True, slots=True)
class Sentinels:
    """A master, its replica, and one Sentinel that knows both."""

    url: str
    master: RedisServer
    replica: RedisServer


@asynccontextmanager
async def behind_sentinel(stack: Stack, folder: Path) -> AsyncIterator[Sentinels]:
    """Up, the replica in step."""
    master = RedisServer(stack, folder / "master", modules=False)
    replica = RedisServer(stack, folder / "replica", modules=False)
    sentinel = free_port()
    settings = folder / "sentinel.conf"
    try:
        for server in (master, replica):
            server.start()
        async with Redis(port=replica.port) as client:
            await client.execute_command("REPLICAOF", "127.0.0.1", master.port)  # type: ignore[no-untyped-call]
            while (await client.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        settings.write_text(
            f"""port {sentinel}
bind 127.0.0.1
dir {folder}
sentinel monitor mymaster 127.0.0.1 {master.port} 1
sentinel down-after-milliseconds mymaster 500
sentinel failover-timeout mymaster 2000
""",
            encoding="utf-8",
        )
        process = await asyncio.create_subprocess_exec(
            *stack.command(modules=False), str(settings), "--sentinel", stdout=asyncio.subprocess.DEVNULL
        )
        try:
            async with Redis(port=sentinel) as client:
                await _until_replica_known(client)
            yield Sentinels(f"redis+sentinel://127.0.0.1:{sentinel}/mymaster/0", master, replica)
        finally:
            process.kill()
            await process.wait()
    finally:
        for server in (master, replica):
            server.stop()


async def _until_replica_known(client: Redis) -> None:
    while True:
        try:
            if await client.execute_command("SENTINEL", "REPLICAS", "mymaster"):  # type: ignore[no-untyped-call]
                return
        except RedisError:
            pass  # it starts
        await asyncio.sleep(0.05)


@asynccontextmanager
async def cluster(stack: Stack, folder: Path, nodes: int = 3, *, modules: bool = False) -> AsyncIterator[str]:
    """The address of ``nodes`` masters that share the slots, agreed on who has which."""
    also = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    servers = [RedisServer(stack, folder / f"node-{at}", modules=modules, also=also) for at in range(nodes)]
    try:
        for server in servers:
            server.start()
        clients = [Redis(port=server.port) for server in servers]
        for at, client in enumerate(clients):
            first, last = at * SLOTS // nodes, (at + 1) * SLOTS // nodes - 1
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)  # type: ignore[no-untyped-call]
            await client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", at + 1)  # type: ignore[no-untyped-call]
        for server in servers[1:]:
            await clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", server.port)  # type: ignore[no-untyped-call]
        for client in clients:
            while not await _knows_all(client, nodes):  # noqa: ASYNC110 - a process that starts
                await asyncio.sleep(0.05)
            await client.aclose()
        yield f"redis+cluster://127.0.0.1:{servers[0].port}"
    finally:
        for server in servers:
            server.stop()


async def _knows_all(client: Redis, nodes: int) -> bool:
    told = await client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]
    facts = told if isinstance(told, dict) else dict(one.split(":") for one in _text(told).split())
    return facts["cluster_state"] == "ok" and int(facts["cluster_known_nodes"]) == nodes


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
