"""Checkpoints on core Redis commands: for any managed Redis or Valkey, types exact, the same cost every turn.

langgraph-checkpoint-redis needs JSON and Search, and stores values as JSON, which changes some of them in
silence. This saver keeps LangGraph's own serialised form (and so can encrypt it) in hashes:

- ``PREFIX:{call}:c:NAMESPACE``: checkpoint id → checkpoint with its metadata and its parent's id;
- ``PREFIX:{call}:w:NAMESPACE:ID``: what tasks of checkpoint ID have written; task and index → value;
- ``PREFIX:{call}:n``: the namespaces.

The braces make one hash slot of a call, so that one transaction holds all its keys in a cluster as well. A
phone call only ever needs its latest checkpoint: writing one takes the place of the one before, and with it
go what its tasks had written. With ``history`` all are kept, as LangGraph's time travel wants them.
"""

import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, cast

import ormsgpack
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

PREFIX = "standardiste:calls"


class RedisCoreSaver(BaseCheckpointSaver[str]):
    """Latest checkpoint of every call, or all of them. For the event loop only."""

    def __init__(
        self,
        client: Redis,
        *,
        ttl_s: int,
        history: bool = False,
        prefix: str = PREFIX,
        serde: SerializerProtocol | None = None,
    ) -> None:
        """``ttl_s`` counts from the last write of a call: longer than the longest turn, or state is lost."""
        super().__init__(serde=serde)
        self._redis = client
        self._ttl_s = ttl_s
        self._history = history
        self._prefix = prefix

    def get_next_version(self, current: str | None, channel: None) -> str:
        """A version that sorts behind ``current``; its fraction tells two runs apart."""
        whole = int(str(current).split(".")[0]) if current is not None else 0
        return f"{whole + 1:032}.{random.random():016}"  # noqa: S311 - not a secret

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Write ``checkpoint`` in one round trip. Raises ``redis.exceptions.RedisError``."""
        call, namespace, parent = _names(config)
        packed = ormsgpack.packb(
            [
                parent,
                *self.serde.dumps_typed(checkpoint),
                *self.serde.dumps_typed(get_serializable_checkpoint_metadata(config, metadata)),
            ]
        )
        key = self._checkpoints(call, namespace)
        async with self._redis.pipeline(transaction=True) as pipe:
            if not self._history:
                _unlink(pipe, key)
                if parent:
                    _unlink(pipe, self._writes(call, namespace, parent))
            pipe.hset(key, checkpoint["id"], packed)
            pipe.sadd(self._namespaces(call), namespace)
            pipe.expire(key, self._ttl_s)
            pipe.expire(self._namespaces(call), self._ttl_s)
            await pipe.execute()
        return _config(call, namespace, checkpoint["id"])

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task has written; it may come before its checkpoint. The first of a kind counts."""
        call, namespace, checkpoint_id = _names(config)
        key = self._writes(call, namespace, checkpoint_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            for at, (channel, value) in enumerate(writes):
                index = WRITES_IDX_MAP.get(channel, at)
                packed = ormsgpack.packb([task_path, channel, *self.serde.dumps_typed(value)])
                if index < 0:  # errors and interrupts are replaced by later ones
                    pipe.hset(key, f"{task_id}|{index}", packed)
                else:
                    pipe.hsetnx(key, f"{task_id}|{index}", packed)
            pipe.expire(key, self._ttl_s)
            await pipe.execute()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that ``config`` names, else the latest. Raises ``redis.exceptions.RedisError``."""
        call, namespace, _ = _names(config)
        wanted = get_checkpoint_id(config)
        kept = await self._hash(self._checkpoints(call, namespace))
        wanted = wanted or max(kept, default="")
        if wanted not in kept:
            return None
        writes = await self._hash(self._writes(call, namespace, wanted))
        return self._tuple(call, namespace, wanted, kept[wanted], writes)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first within each call; of every call when ``config`` names none."""
        asked = (config or {}).get("configurable", {})
        only, end = asked.get("checkpoint_id"), get_checkpoint_id(before) if before else None
        given = 0
        for call in [asked["thread_id"]] if asked.get("thread_id") else await self.calls():
            for namespace in await self._namespaces_of(call, asked.get("checkpoint_ns")):
                kept = await self._hash(self._checkpoints(call, namespace))
                for checkpoint_id, packed in sorted(kept.items(), reverse=True):
                    if (only and checkpoint_id != only) or (end and checkpoint_id >= end):
                        continue
                    if limit is not None and given >= limit:
                        return
                    writes = await self._hash(self._writes(call, namespace, checkpoint_id))
                    found = self._tuple(call, namespace, checkpoint_id, packed, writes)
                    if filter and any(found.metadata.get(name) != value for name, value in filter.items()):
                        continue
                    given += 1
                    yield found

    async def adelete_thread(self, thread_id: str) -> None:
        """Remove everything of a call."""
        keys = [self._namespaces(thread_id)]
        for namespace in await self._namespaces_of(thread_id, None):
            checkpoints = self._checkpoints(thread_id, namespace)
            ids = await self._redis.hkeys(checkpoints)
            keys += [checkpoints, *(self._writes(thread_id, namespace, _text(one)) for one in ids)]
        async with self._redis.pipeline(transaction=False) as pipe:  # one by one: a cluster wants it so
            for key in keys:
                _unlink(pipe, key)
            await pipe.execute()

    async def calls(self) -> list[str]:
        """Every call that is kept; walks the whole keyspace, so not for a turn."""
        pattern = f"{self._prefix}:{{*}}:n"
        return sorted(
            [_text(key).split("{", 1)[1].rpartition("}")[0] async for key in self._redis.scan_iter(pattern)]
        )

    async def _hash(self, key: str) -> dict[str, bytes]:
        found = await self._redis.hgetall(key)
        return {_text(field): cast("bytes", value) for field, value in found.items()}

    async def _namespaces_of(self, call: str, only: str | None) -> list[str]:
        if only is not None:
            return [only]
        return sorted(_text(one) for one in await self._redis.smembers(self._namespaces(call)))

    def _checkpoints(self, call: str, namespace: str) -> str:
        return f"{self._prefix}:{{{call}}}:c:{namespace}"

    def _writes(self, call: str, namespace: str, checkpoint_id: str) -> str:
        return f"{self._prefix}:{{{call}}}:w:{namespace}:{checkpoint_id}"

    def _namespaces(self, call: str) -> str:
        return f"{self._prefix}:{{{call}}}:n"

    def _tuple(
        self, call: str, namespace: str, checkpoint_id: str, packed: bytes, writes: Mapping[str, bytes]
    ) -> CheckpointTuple:
        parent, kind, checkpoint, metadata_kind, metadata = ormsgpack.unpackb(packed)
        return CheckpointTuple(
            _config(call, namespace, checkpoint_id),
            self.serde.loads_typed((kind, checkpoint)),
            self.serde.loads_typed((metadata_kind, metadata)),
            _config(call, namespace, parent) if parent else None,
            list(self._pending(writes.items())),
        )

    def _pending(self, writes: Iterable[tuple[str, bytes]]) -> Iterable[tuple[str, str, Any]]:
        ordered = []
        for field, packed in writes:
            task_id, _, index = field.rpartition("|")
            path, channel, kind, value = ormsgpack.unpackb(packed)
            order = writes_sort_key(path, task_id, int(index))
            ordered.append((order, (task_id, channel, self.serde.loads_typed((kind, value)))))
        ordered.sort(key=lambda one: one[0])
        return (write for _, write in ordered)


def _names(config: RunnableConfig) -> tuple[str, str, str]:
    """Call, namespace and checkpoint id (empty when none) of ``config``."""
    named = config["configurable"]
    return named["thread_id"], named.get("checkpoint_ns", ""), named.get("checkpoint_id") or ""


def _config(call: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": call, "checkpoint_ns": namespace, "checkpoint_id": checkpoint_id}}


def _unlink(pipe: Pipeline, key: str) -> None:
    """In the pipeline, also in a cluster's, whose own ``unlink`` is a coroutine that puts nothing in it."""
    pipe.execute_command("UNLINK", key)


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
