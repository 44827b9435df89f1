"""A checkpointer that takes nothing from a turn that may still turn out to be none.

Theory of operation. When a run is cancelled, LangGraph (1.2.22, ``durability="exit"``) writes the
checkpoint of the nodes that were done. For a turn that the caller was still in the middle of, that would
be the beginning of an answer to half a sentence. So while a call has a turn that is not certain, what is
written for that call is dropped; the runs themselves see to it that none ends before it is certain
(:mod:`graph.builder`). Everything else goes straight through.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)


class ProvisionalSaver(BaseCheckpointSaver[Any]):
    """Stands in front of the saver that keeps the calls; for asynchronous use, as the dialogue's."""

    def __init__(self, kept: BaseCheckpointSaver[Any]) -> None:
        super().__init__(serde=kept.serde)
        self._kept = kept
        self._uncertain: dict[str, asyncio.Event] = {}
        self._began_at: dict[str, str] = {}

    @contextmanager
    def unless_certain(self, thread_id: str, confirmed: asyncio.Event | None) -> Iterator[None]:
        """Within: what is written for ``thread_id`` before ``confirmed`` is dropped; None drops nothing.

        One such block per thread at a time.
        """
        if confirmed is None:
            yield
            return
        self._uncertain[thread_id] = confirmed
        try:
            yield
        finally:
            del self._uncertain[thread_id]

    def began_at(self, thread_id: str) -> str:
        """Id of the checkpoint that the last run of ``thread_id`` went on from; empty when it was none."""
        return self._began_at.get(thread_id, "")

    def begins(self, thread_id: str) -> None:
        """A run begins: what it reads first is what it goes on from."""
        self._began_at.pop(thread_id, None)

    def release(self, thread_id: str) -> None:
        """Nobody will ask for it any more."""
        self._began_at.pop(thread_id, None)

    def _dropped(self, config: RunnableConfig) -> bool:
        confirmed = self._uncertain.get(str(config["configurable"]["thread_id"]))
        return confirmed is not None and not confirmed.is_set()

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As the saver behind; where the checkpoint would be, when it is dropped."""
        if self._dropped(config):
            return config
        return await self._kept.aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As the saver behind, unless it is dropped."""
        if not self._dropped(config):
            await self._kept.aput_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As the saver behind."""
        found = await self._kept.aget_tuple(config)
        if found is not None:
            self._began_at.setdefault(str(config["configurable"]["thread_id"]), found.checkpoint["id"])
        return found

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As the saver behind."""
        async for found in self._kept.alist(config, filter=filter, before=before, limit=limit):
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        """As the saver behind; before its turn is certain, only when that is."""
        confirmed = self._uncertain.get(thread_id)
        if confirmed is not None:
            await confirmed.wait()
        await self._kept.adelete_thread(thread_id)

    def get_next_version(self, current: Any, channel: None) -> Any:
        """As the saver behind."""
        return self._kept.get_next_version(current, channel)
