"""Checkpoints that outlast their store: Redis may stall or go away in the middle of calls, and they go on.

Theory of operation. The last state of every live call is also kept in the process. As long as the store
answers, it is read and written as ever. The first time that it does not, it counts as away:

- the turn under way, and all that follow, go on from the copies, without asking the store again: a frozen
  Redis costs one time-out, not one per turn;
- a call of which this process has no copy (its worker died) waits a moment for the store: so many calls that
  change workers at once make the one that takes them slow, and what is slow looks like a store that is away.
  Then it raises :class:`StateAway`, so that its caller is told and handed over; it never begins anew as if
  nothing had been said;
- a task asks until the store answers, writes back every state that it missed, and only then is it present
  again. Until then the worker takes no new calls (:attr:`Safekeeping.present`).

Copies are let go of when a call has ended and its last state is written.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)

log = logging.getLogger(__name__)

ASKED_AGAIN_S = 0.5
"""Between two attempts to reach a store that is away. Callers do not wait for it."""

PATIENCE_S = 2.0
"""For a call that only the store knows. Its caller hears after 1.5 s that he is being served; the dialogue's
own budget is 5 s."""

NO_CALL: RunnableConfig = {"configurable": {"thread_id": "no call", "checkpoint_ns": ""}}
"""Asked for to learn whether the store answers."""


_NOWHERE = "the store of calls does not answer and this worker has no copy of the call"


class StateAway(Exception):
    """The state of this call can be had nowhere now: the store is away, and this worker has no copy."""


@dataclass(slots=True)
class _Copy:
    """The last state of one call in one namespace, as the store should have it."""

    parent: RunnableConfig
    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    versions: ChannelVersions
    writes: list[tuple[str, str, Sequence[tuple[str, Any]]]] = field(default_factory=list)
    """Task id, its path, what it wrote."""
    unsaved: bool = False

    def as_tuple(self) -> CheckpointTuple:
        pending = [(task, channel, value) for task, _, wrote in self.writes for channel, value in wrote]
        parent = self.parent if self.parent["configurable"].get("checkpoint_id") else None
        return CheckpointTuple(self.config, self.checkpoint, self.metadata, parent, pending)


_Key = tuple[str, str]


class Safekeeping(BaseCheckpointSaver[Any]):
    """A saver in front of another that may be away; see the module."""

    def __init__(
        self,
        store: BaseCheckpointSaver[Any],
        faults: tuple[type[Exception], ...],
        asked_again_s: float = ASKED_AGAIN_S,
        on_change: Callable[[bool], None] = lambda _: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """``faults`` are the errors that mean "away"; ``on_change`` is told when that begins and ends.

        ``patience_s`` is how long a call that only the store knows waits for it.
        """
        super().__init__(serde=store.serde)
        self._store = store
        self._faults = faults
        self._asked_again_s = asked_again_s
        self._on_change = on_change
        self._patience_s = patience_s
        self._back = asyncio.Event()
        self._back.set()
        self._copies: dict[_Key, _Copy] = {}
        self._ended: set[str] = set()
        self._forgotten: set[str] = set()
        self._mending: asyncio.Task[None] | None = None
        self._saving: set[asyncio.Task[None]] = set()

    @property
    def present(self) -> bool:
        """Whether the store answers and holds everything."""
        return self._mending is None

    @property
    def unsaved(self) -> int:
        """States that only this process has."""
        return sum(copy.unsaved for copy in self._copies.values())

    @property
    def copies(self) -> int:
        """States kept in this process."""
        return len(self._copies)

    def release(self, call_id: str) -> None:
        """The call has ended in this process: its copy goes as soon as the store has it."""
        self._ended.add(call_id)
        self._let_go(call_id)

    async def close(self) -> None:
        """Stop asking; what is unsaved is tried once more. Never raises for a store that is away."""
        if self._saving:
            await asyncio.wait(self._saving)
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.wait([self._mending])
            try:
                await self._write_back()
            except self._faults as exc:
                log.exception("checkpoints.lost", extra={"calls": self.unsaved, "error": type(exc).__name__})

    # what LangGraph asks of a saver

    @property
    def config_specs(self) -> list[Any]:
        """The store's."""
        return self._store.config_specs

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The store's way to count."""
        return self._store.get_next_version(current, channel)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The state of a call. Raises :class:`StateAway`."""
        key = _key(config)
        copy = self._copies.get(key)
        if copy is not None and copy.unsaved:
            return copy.as_tuple()  # newer than the store's
        if self.present:
            try:
                return await self._store.aget_tuple(config)
            except self._faults as exc:
                self._away(exc)
        return copy.as_tuple() if copy is not None else await self._waited_for(config)

    async def _waited_for(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The state of a call that only the store knows. Raises :class:`StateAway`."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._back.wait()
        except TimeoutError as exc:
            raise StateAway(_NOWHERE) from exc
        try:
            return await self._store.aget_tuple(config)
        except self._faults as exc:
            self._away(exc)
            raise StateAway(_NOWHERE) from exc

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Write the state of a call, here and in the store if it answers."""
        key = _key(config)
        self._ended.discard(key[0])
        self._forgotten.discard(key[0])
        written: RunnableConfig = {
            "configurable": {
                "thread_id": key[0],
                "checkpoint_ns": key[1],
                "checkpoint_id": checkpoint["id"],
            }
        }
        copy = _Copy(config, written, checkpoint, metadata, new_versions, unsaved=True)
        self._copies[key] = copy
        if self.present:
            try:
                await self._store.aput(config, checkpoint, metadata, new_versions)
                copy.unsaved = False
            except self._faults as exc:
                self._away(exc)
            except asyncio.CancelledError:  # the caller spoke at this very moment; what was done counts
                self._save_behind()
                raise
        self._let_go(key[0])
        return written

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """What a task of an unfinished run has written."""
        copy = self._copies.get(_key(config))
        of_copy = copy is not None and copy.checkpoint["id"] == config["configurable"].get("checkpoint_id")
        if copy is not None and of_copy:
            copy.writes.append((task_id, task_path, writes))
        if self.present:
            try:
                await self._store.aput_writes(config, writes, task_id, task_path)
            except self._faults as exc:
                self._away(exc)
        if copy is not None and of_copy and not self.present:
            copy.unsaved = True

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The store's; for tools and studios, never for a turn."""
        async for one in self._store.alist(config, filter=filter, before=before, limit=limit):
            yield one

    async def adelete_thread(self, thread_id: str) -> None:
        """Remove a call here at once, and from the store now or when it is back."""
        for key in [key for key in self._copies if key[0] == thread_id]:
            del self._copies[key]
        self._ended.discard(thread_id)
        self._forgotten.add(thread_id)
        if self.present:
            try:
                await self._store.adelete_thread(thread_id)
                self._forgotten.discard(thread_id)
            except self._faults as exc:
                self._away(exc)

    # a store that is away

    def _away(self, why: Exception) -> None:
        if self._mending is None:
            log.warning("checkpoints.away", extra={"error": type(why).__name__, "calls": len(self._copies)})
            self._back.clear()
            self._mending = asyncio.create_task(self._mend(), name="checkpoints come back")
            self._on_change(False)

    def _save_behind(self) -> None:
        task = asyncio.create_task(self._save(), name="checkpoints behind a cancelled turn")
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    async def _save(self) -> None:
        try:
            await self._write_back()
        except self._faults as exc:
            self._away(exc)

    async def _mend(self) -> None:
        while True:
            await asyncio.sleep(self._asked_again_s)
            try:
                await self._store.aget_tuple(NO_CALL)
                await self._write_back()
            except self._faults:
                continue
            break
        self._mending = None
        self._back.set()
        log.info("checkpoints.back", extra={"calls": len(self._copies)})
        self._on_change(True)

    async def _write_back(self) -> None:
        while self._forgotten:
            call_id = next(iter(self._forgotten))
            await self._store.adelete_thread(call_id)
            self._forgotten.discard(call_id)
        while missed := [copy for copy in self._copies.values() if copy.unsaved]:
            copy = missed[0]
            writes = list(copy.writes)
            await self._store.aput(copy.parent, copy.checkpoint, copy.metadata, copy.versions)
            for task_id, path, wrote in writes:
                await self._store.aput_writes(copy.config, wrote, task_id, path)
            copy.unsaved = len(copy.writes) > len(writes)
            self._let_go(copy.config["configurable"]["thread_id"])

    def _let_go(self, call_id: str) -> None:
        if call_id not in self._ended:
            return
        own = [key for key in self._copies if key[0] == call_id]
        if not any(self._copies[key].unsaved for key in own):
            for key in own:
                del self._copies[key]
            self._ended.discard(call_id)


def _key(config: RunnableConfig) -> _Key:
    named = config["configurable"]
    return named["thread_id"], named.get("checkpoint_ns", "")
