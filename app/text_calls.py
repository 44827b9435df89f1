"""Calls by text: the dialogue that answers the phone, without a line, for tools, tests and the terminal.

A text call is kept apart from phone calls by its name. A phone call's thread is a bare UUID; a text
call's is ``text-`` and a UUID, and no other name is taken here, so that no request can read, continue
or forget what a caller said on the phone. The proof of identity is bound to that name as well. The
name is all there is to know: a text call lives in the checkpoint and goes on after a restart.

What happens is noted in the journal as for a phone call, so that metrics, log and status know it.
Nobody hangs up a text call that its author has left, so one that was not touched for
:data:`ABANDONED_AFTER_S` is noted as left by its caller (:meth:`TextCalls.sweep`); it can still be
taken up, and is then noted as begun again.

Whoever refuses to be recorded leaves nothing behind: his words are shown to nobody, and the call is
forgotten when it ends.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, TypedDict
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

from langchain_core.messages import AnyMessage

from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard
from graph.reply import Awaited, HangUp, Listen, NodeRan, Say, StopRecording, Transfer
from graph.state import Awaiting, CallState, Handover
from telephony.call import Call, CallerLeft, CallId, HungUp, Outcome, Transferred
from telephony.journal import (
    CallEnded,
    CallerIdentified,
    CallEvent,
    CallStarted,
    Journal,
    NodePassed,
    RecordingRefused,
    StageFailed,
    TurnHeard,
    TurnSaid,
)

PREFIX = "text-"
"""Begins the name of every text call and of no phone call."""

ABANDONED_AFTER_S = 1800.0
"""Without a turn for half an hour nobody is there any more: a phone call does not last as long."""

_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")

Next = Literal["listening", "transfer", "hangup"]


class UnknownTextCall(Exception):
    """There is no text call of that name, or it was forgotten."""


class TextCallEnded(Exception):
    """The dialogue has said goodbye or handed over; there are no further turns."""


@dataclass(frozen=True, slots=True)
class SaidLine:
    """A line the agent said; ``key`` names it in ``prompts/``."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class PassedNode:
    """A node of the graph that ran."""

    node: str
    took_ms: float


@dataclass(frozen=True, slots=True)
class TextTurn:
    """What came of one turn."""

    call_id: CallId
    said: tuple[SaidLine, ...]
    nodes: tuple[PassedNode, ...]
    next: Next
    listening: Awaited | None
    """What kind of answer is awaited; None when the call has ended."""
    handover: Transfer | None
    """To whom and why, when ``next`` is ``transfer``."""
    recording_refused: bool

    @property
    def ended(self) -> bool:
        """Whether this was the last turn."""
        return self.next != "listening"


class TextMessage(TypedDict):
    """One message of the history."""

    who: Literal["caller", "agent"]
    heard: str
    """Of the caller: ``words``, ``keys`` or ``quiet``; of the agent empty."""
    key: str
    """Of the agent: which line; of the caller empty."""
    text: str


class TextCallState(TypedDict):
    """The state of a text call, as JSON. The sealed proof of identity is not in it."""

    call_id: str
    awaiting: Awaiting | None
    pending: str
    identified: bool
    level: int
    """How much was proven; 0 is nothing."""
    recording: Literal["", "refused"]
    ended: Literal["", "transfer", "goodbye"]
    handover: Handover | None
    messages: list[TextMessage]
    """The last of them (:data:`graph.state.KEPT_MESSAGES`); empty when the caller refused to be recorded."""


class TextCalls:
    """Every text call of the process. For the event loop's thread."""

    def __init__(
        self, dialogue: Dialogue, journal: Journal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``clock`` gives seconds."""
        self._dialogue = dialogue
        self._journal = journal
        self._clock = clock
        self._locks: WeakValueDictionary[CallId, asyncio.Lock] = WeakValueDictionary()
        self._touched_s: dict[CallId, float] = {}
        """When the calls that the journal knows as under way had their last turn."""
        self._refused: set[CallId] = set()
        """Of those, the ones that are not to be recorded."""
        self._identified: set[CallId] = set()
        """Of those, the ones whose caller has proven who he is."""

    async def start(self, number: str | None = None) -> TextTurn:
        """Begin a call and let the agent greet. ``number`` is a UUID, a fresh one unless given.

        Raises ``ValueError`` for what is no UUID or was used before, and what the nodes raise.
        """
        call_id = CallId(f"{PREFIX}{UUID(number) if number else uuid4()}")
        await self.sweep()
        async with self._alone(call_id):
            if await self._dialogue.state(call_id):
                raise ValueError(f"{call_id} has begun already")
            return await self._take(call_id, CallBegins())

    async def turn(self, call_id: str, heard: Heard) -> TextTurn:
        """One turn of the caller.

        Raises :class:`UnknownTextCall`, :class:`TextCallEnded`, and what the nodes raise.
        """
        await self.sweep()
        known = _named(call_id)
        async with self._alone(known):
            state = await self._known(known)
            if state.get("ended"):
                raise TextCallEnded(f"{call_id} has ended: {state['ended']}")
            return await self._take(known, heard, recording_refused=state.get("recording") == "refused")

    async def state(self, call_id: str) -> TextCallState:
        """What the dialogue knows. Raises :class:`UnknownTextCall`."""
        known = _named(call_id)
        return _shown(known, await self._known(known))

    async def forget(self, call_id: str) -> None:
        """Remove everything that was written about the call, after its turn under way.

        Raises :class:`UnknownTextCall`.
        """
        known = _named(call_id)
        async with self._alone(known):
            await self._known(known)
            await self._dialogue.forget(known)
            if known in self._touched_s:
                self._end(known, CallerLeft())

    async def sweep(self) -> None:
        """Note the calls that nobody has touched for :data:`ABANDONED_AFTER_S` as left by their callers."""
        before_s = self._clock() - ABANDONED_AFTER_S
        for call_id in [one for one, touched_s in self._touched_s.items() if touched_s < before_s]:
            refused = call_id in self._refused
            self._end(call_id, CallerLeft())
            if refused:
                async with self._alone(call_id):
                    if call_id not in self._touched_s:  # not taken up meanwhile
                        await self._dialogue.forget(call_id)

    @asynccontextmanager
    async def _alone(self, call_id: CallId) -> AsyncIterator[None]:
        """One turn at a time: the second must see whether the first has ended the call."""
        lock = self._locks.get(call_id)
        if lock is None:
            self._locks[call_id] = lock = asyncio.Lock()
        async with lock:
            try:
                yield
            finally:
                self._dialogue.release(call_id)

    async def _known(self, call_id: CallId) -> CallState:
        state = await self._dialogue.state(call_id)
        if not state:
            raise UnknownTextCall(f"there is no text call {call_id}")
        return state

    async def _take(self, call_id: CallId, heard: Heard, *, recording_refused: bool = False) -> TextTurn:
        if call_id not in self._touched_s:  # new, or taken up after a restart
            self._note(call_id, CallStarted(Call(call_id, channel="text")))
        self._touched_s[call_id] = self._clock()
        if recording_refused:  # before a restart: who keeps words must know it before the next ones
            self._stop_recording(call_id)
        self._note(call_id, TurnHeard(heard))
        answer = _Answer()
        with _FailureNoted(self._journal, call_id):
            async with aclosing(self._dialogue.turn(call_id, heard)) as replies:
                async for reply in replies:
                    match reply:
                        case Say(key, text):
                            answer.said.append(SaidLine(key, text))
                            self._note(call_id, TurnSaid(key, text))
                        case NodeRan(node, took_ms):
                            answer.nodes.append(PassedNode(node, took_ms))
                            self._note(call_id, NodePassed(node, took_ms))
                        case StopRecording():
                            self._stop_recording(call_id)
                        case Listen(customer_number=customer_number):
                            self._identified_as(call_id, customer_number)
                            answer.next = reply
                        case Transfer() | HangUp():
                            answer.next = reply
        turn = answer.turn(call_id, recording_refused=call_id in self._refused)
        outcome = _outcome(answer.next)
        if outcome is not None:
            self._end(call_id, outcome)
            if turn.recording_refused:
                await self._dialogue.forget(call_id)
        return turn

    def _stop_recording(self, call_id: CallId) -> None:
        if call_id not in self._refused:
            self._refused.add(call_id)
            self._note(call_id, RecordingRefused())

    def _identified_as(self, call_id: CallId, customer_number: str) -> None:
        if customer_number and call_id not in self._identified:
            self._identified.add(call_id)
            self._note(call_id, CallerIdentified(customer_number))

    def _end(self, call_id: CallId, outcome: Outcome) -> None:
        self._touched_s.pop(call_id, None)
        self._refused.discard(call_id)
        self._identified.discard(call_id)
        self._note(call_id, CallEnded(outcome))

    def _note(self, call_id: CallId, event: CallEvent) -> None:
        self._journal.note(call_id, event)


@dataclass(slots=True)
class _Answer:
    """The replies of a turn, as they come."""

    said: list[SaidLine] = field(default_factory=list)
    nodes: list[PassedNode] = field(default_factory=list)
    next: Listen | Transfer | HangUp = field(default_factory=Listen)

    def turn(self, call_id: CallId, *, recording_refused: bool) -> TextTurn:
        then: Next
        listening: Awaited | None = None
        handover: Transfer | None = None
        match self.next:
            case Listen(awaited):
                then, listening = "listening", awaited
            case Transfer():
                then, handover = "transfer", self.next
            case HangUp():
                then = "hangup"
        return TextTurn(
            call_id, tuple(self.said), tuple(self.nodes), then, listening, handover, recording_refused
        )


@dataclass(frozen=True, slots=True)
class _FailureNoted:
    """Notes that the dialogue failed, and lets the error go on: whoever asked for the turn is told."""

    journal: Journal
    call_id: CallId

    def __enter__(self) -> None:
        """Nothing has failed yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Note it, unless it is a cancellation."""
        if isinstance(error, Exception):
            self.journal.note(self.call_id, StageFailed("dialogue", error))


def _named(call_id: str) -> CallId:
    """``call_id`` when it is a text call's name. Raises :class:`UnknownTextCall` for a phone call's, too."""
    if not _NAME.fullmatch(call_id):
        raise UnknownTextCall(f"a text call is called {PREFIX} and a UUID")
    return CallId(call_id)


def _outcome(then: Listen | Transfer | HangUp) -> Outcome | None:
    match then:
        case Listen():
            return None
        case Transfer(queue, reason, summary, customer_number):
            return Transferred(queue, reason, summary, customer_number)
        case HangUp():
            return HungUp()


def _shown(call_id: CallId, state: CallState) -> TextCallState:
    identity = state.get("identity")
    recording = state.get("recording", "")
    return TextCallState(
        call_id=call_id,
        awaiting=state.get("awaiting"),
        pending=state.get("pending", ""),
        identified=identity is not None,
        level=int(identity["level"]) if identity else 0,
        recording=recording,
        ended=state.get("ended", ""),
        handover=state.get("handover"),
        messages=[] if recording == "refused" else _messages(state.get("messages", [])),
    )


def _messages(messages: Sequence[AnyMessage]) -> list[TextMessage]:
    shown: list[TextMessage] = []
    for message in messages:
        told = message.additional_kwargs
        if told.get("heard") in ("begins", "resumed", "not_reached"):
            continue  # the line had something to tell; nobody spoke
        caller = message.type == "human"
        shown.append(
            TextMessage(
                who="caller" if caller else "agent",
                heard=str(told.get("heard", "words")) if caller else "",
                key="" if caller else str(told.get("key", "")),
                text=str(message.text),
            )
        )
    return shown
