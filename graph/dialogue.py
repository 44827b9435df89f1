"""The dialogue as the phone sees it: what the caller said in, replies out. No LangGraph beyond this door.

Theory of operation. A turn is one ``astream`` on the call's thread with ``durability="exit"``: one
write to the checkpoint when it ends, when it fails, and when it is cancelled because the caller spoke.
Two turns on one thread would lose one of them, so each call has a lock. What the nodes say comes out
of the run as it is said; what the line shall do next is read from the state at the end.

A turn can be run before it is certain: the caller has paused and may go on. Such a run does everything
but end (the graph's last node waits) and, whatever happens to it, writes nothing: LangGraph 1.2.22 would
write the nodes that were done when a run is cancelled, so it is given a saver that takes no word on a
turn that is not certain yet.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from graph.builder import CONFIRMED, CallGraph
from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from graph.provisional import ProvisionalSaver
from graph.reply import Awaited, HangUp, Listen, Manner, NodeRan, Reply, Say, StopRecording, Transfer
from graph.safekeeping import Safekeeping
from graph.state import CallState, SpokenTo, TransferReason, TurnInput
from nodes.transfer import handover


class Dialogue:
    """Every call's dialogue; one per process."""

    def __init__(self, graph: CallGraph, checkpointer: BaseCheckpointSaver[Any]) -> None:
        self._kept = checkpointer
        self._checkpointer = ProvisionalSaver(checkpointer)
        self._compiled = graph.compile(checkpointer=self._checkpointer, name="standardiste")
        self._locks: dict[str, asyncio.Lock] = {}

    async def turn(
        self,
        call_id: str,
        heard: Heard,
        cut: Mapping[str, str] | None = None,
        confirmed: asyncio.Event | None = None,
        *,
        instead: bool = False,
    ) -> AsyncGenerator[Reply, None]:
        """One turn of ``call_id``: the replies as they are produced, the line's next act last.

        ``cut`` tells what was heard of sentences that the caller interrupted, by message id: the
        history keeps only that. Closing the iterator cancels the turn; the state of what was done
        is kept. Raises what the nodes raise.

        With ``confirmed`` the turn is run before it is certain that the caller has ended it: replies come,
        to be prepared and not to be heard, and the run waits for the event before it ends. Cancelled
        before that, it has changed nothing.

        ``instead`` is for a caller who went on before he had an answer: this turn holds all that he said, and
        takes the place of his last one, which the state is no longer told of. What that one did elsewhere (a
        failed attempt that was counted) remains done.

        :class:`CallBegins` begins anew whatever was known under that name: a dialplan that gives two
        callers the same id must not give the second what the first has proven.
        """
        async with self._locks.setdefault(call_id, asyncio.Lock()):
            with self._checkpointer.unless_certain(call_id, confirmed):
                if isinstance(heard, CallBegins) and await self.state(call_id):
                    await self._checkpointer.adelete_thread(call_id)
                went_on_from = ""
                if instead:
                    went_on_from = self._checkpointer.began_at(call_id)
                else:
                    self._checkpointer.begins(call_id)
                state: CallState = {}
                told = Manner() if isinstance(heard, CallBegins | Resumed | NotReached) else None
                events = self._compiled.astream(
                    _turn_input(call_id, heard, cut or {}),
                    _run(call_id, confirmed, went_on_from),
                    stream_mode=["custom", "values"],
                    durability="exit",
                )
                # Closed here and not by the garbage collector: its last writes belong to this turn.
                async with aclosing(cast("AsyncGenerator[Any, None]", events)) as running:
                    async for kind, event in running:
                        _heed_cancellation()
                        if kind == "values":
                            state = cast("CallState", event)
                            event = _manner(state)
                        match event:
                            case Manner():
                                if told is not None and event != told:
                                    yield event
                                told = event
                            case Say() | NodeRan():
                                yield event
            _heed_cancellation()
            for reply in _what_next(state):
                yield reply

    async def state(self, call_id: str) -> CallState:
        """The state of ``call_id`` as last written; empty for a call that is not known."""
        snapshot = await self._compiled.aget_state(_thread(call_id))
        return cast("CallState", snapshot.values)

    async def handover(self, call_id: str, reason: TransferReason) -> Transfer:
        """What people are told when another than the dialogue passes ``call_id`` on, for ``reason``."""
        state = await self.state(call_id)
        return Transfer(**handover({**state, "transfer_reason": reason}))

    async def cut(self, call_id: str, cut: Mapping[str, str]) -> None:
        """Shorten the history of ``call_id`` to what was heard, when no further turn will."""
        if cut:
            async with self._locks.setdefault(call_id, asyncio.Lock()):
                await self._compiled.aupdate_state(_thread(call_id), {"messages": _cut_messages(cut)})

    def release(self, call_id: str) -> None:
        """The call has ended in this process; its checkpoint stays."""
        lock = self._locks.get(call_id)
        if lock is not None and not lock.locked():
            del self._locks[call_id]
        self._checkpointer.release(call_id)
        if isinstance(self._kept, Safekeeping):
            self._kept.release(call_id)

    async def forget(self, call_id: str) -> None:
        """Remove everything that was written about ``call_id``."""
        self.release(call_id)
        await self._checkpointer.adelete_thread(call_id)

    def mermaid(self) -> str:
        """The graph as Mermaid text, drawn from the very graph that answers the phone."""
        return self._compiled.get_graph().draw_mermaid()

    def edges(self) -> list[tuple[str, str]]:
        """The graph's edges, ``__start__`` and ``__end__`` included."""
        return [(edge.source, edge.target) for edge in self._compiled.get_graph().edges]


def _heed_cancellation() -> None:
    """Raise ``CancelledError`` if one was asked for and got lost.

    redis-py 8 sends by ``asyncio.wait_for``, which on Python 3.11 loses a cancellation that arrives just as
    it is done: a turn that nobody wants any more would wait for ever to be confirmed. LangGraph 1.2.22 loses
    one that arrives while it closes a run (its executor waits for its tasks and swallows what interrupts the
    wait): the turn would go on to speak to a caller who has left.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _thread(call_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": call_id}}


def _run(call_id: str, confirmed: asyncio.Event | None, went_on_from: str) -> RunnableConfig:
    """``went_on_from`` a checkpoint that is not the last one; empty: the last one."""
    run: dict[str, object] = {"thread_id": call_id, CONFIRMED: confirmed}
    if went_on_from:
        run["checkpoint_id"] = went_on_from
    return {"configurable": run}


def _manner(state: CallState) -> Manner:
    asked: SpokenTo | None = state.get("manner")
    return Manner(asked["pace"], asked["louder"]) if asked else Manner()


def _turn_input(call_id: str, heard: Heard, cut: Mapping[str, str]) -> TurnInput:
    messages = _cut_messages(cut)
    match heard:
        case CallBegins(caller):
            messages.append(HumanMessage("", additional_kwargs={"heard": "begins"}))
            return {"call_id": call_id, "caller_number": caller, "messages": messages}
        case Words(text):
            messages.append(HumanMessage(text, additional_kwargs={"heard": "words"}))
        case Keys(digits):
            messages.append(HumanMessage(digits, additional_kwargs={"heard": "keys"}))
        case Quiet():
            messages.append(HumanMessage("", additional_kwargs={"heard": "quiet"}))
        case Resumed():
            messages.append(HumanMessage("", additional_kwargs={"heard": "resumed"}))
        case NotReached(why):
            messages.append(HumanMessage("", additional_kwargs={"heard": "not_reached", "why": why}))
    return {"call_id": call_id, "messages": messages}


def _cut_messages(cut: Mapping[str, str]) -> list[AnyMessage]:
    """Messages that replace, by id, those that were said and only partly heard."""
    return [
        AIMessage(heard, id=message_id, additional_kwargs={"interrupted": True})
        for message_id, heard in cut.items()
    ]


def _what_next(state: CallState) -> list[Reply]:
    """What the line shall do now that everything has been said."""
    replies: list[Reply] = []
    if state.get("recording") == "refused":
        replies.append(StopRecording())
    handover = state.get("handover")
    if state.get("ended") == "transfer" and handover is not None:
        replies.append(Transfer(**handover))
    elif state.get("ended") == "goodbye":
        replies.append(HangUp())
    else:
        awaiting = state.get("awaiting")
        form: Awaited = awaiting["form"] if awaiting else "open"
        customer_number = (state.get("identity") or {}).get("customer_number", "")
        replies.append(Listen(form, bool(customer_number), str(customer_number)))
    return replies
