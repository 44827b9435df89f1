"""What other systems may know of calls, as it happens: typed, versioned, small.

A CRM files the call, a dashboard counts it, a desk keeps a promised call-back. Events hold who and what
about, never what was said. Their form is a promise: a field may be added, none is changed or taken away
without a new ``version``.

They are published without waiting, from the middle of a turn; where they go is the bus's matter: nowhere but
to listeners of this process (:class:`MemoryBus`), or a Redis stream (:mod:`memory.event_stream`).
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Protocol
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from memory.limits import Over

KEPT_IN_MEMORY = 1000


class EventInvalid(ValueError):
    """Something on the stream is no event of ours, or of a version that is not known."""


class _Event(BaseModel):
    """What every event has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: ClassVar[str]
    """For people: what has happened."""
    version: Literal[1] = 1
    id: str = Field(default_factory=lambda: uuid4().hex)
    """The same at every delivery: whoever has seen it may leave it."""
    at: AwareDatetime
    call_id: str


class CallStarted(_Event):
    """A caller is on the line."""

    title: ClassVar[str] = "call started"
    kind: Literal["call.started"] = "call.started"
    caller: str = ""
    """The number shown by the network; proves nothing."""


class TurnTaken(_Event):
    """The caller had his say, and was answered."""

    title: ClassVar[str] = "turn taken"
    kind: Literal["turn"] = "turn"
    number: int
    """The first is 1."""
    nodes: list[str]
    """Nodes of the graph that ran, in order."""
    lines: list[str]
    """Keys of the lines that were said (``claims.status``), never their text."""
    heard_silence_ms: float | None = None


class Identified(_Event):
    """Identity was proven in this call."""

    title: ClassVar[str] = "caller identified"
    kind: Literal["caller.identified"] = "caller.identified"
    customer_number: str


class PassedOn(_Event):
    """The caller is on his way to people."""

    title: ClassVar[str] = "call passed on"
    kind: Literal["call.transferred"] = "call.transferred"
    queue: str
    reason: str
    customer_number: str = ""
    """Empty unless identity was proven in this call."""


class LimitReached(_Event):
    """The agent does not serve this caller, or no further; people take over."""

    title: ClassVar[str] = "limit reached"
    kind: Literal["limit.reached"] = "limit.reached"
    which: Over


class CallEnded(_Event):
    """The agent has nothing more to do with the call."""

    title: ClassVar[str] = "call ended"
    kind: Literal["call.ended"] = "call.ended"
    outcome: str
    """``hung_up``, ``transferred``, ``caller_left`` or ``no_audio``."""
    turns: int
    lasted_s: float


class ProviderSwitched(_Event):
    """An ear, a voice or a model failed, and another went on."""

    title: ClassVar[str] = "provider switched"
    kind: Literal["provider.switched"] = "provider.switched"
    stage: str
    failed: str
    instead: str
    why: str


class CallBackRequested(_Event):
    """A call-back was promised."""

    title: ClassVar[str] = "call-back requested"
    kind: Literal["call_back.requested"] = "call_back.requested"
    number: str
    on: str
    """The day, ``2026-11-23``."""
    part: str
    """Of the day, as the caller chose."""
    queue: str
    reason: str
    customer_number: str = ""


class RecordingStopped(_Event):
    """The caller does not want to be recorded: what was kept of the call is to be dropped, here and there."""

    title: ClassVar[str] = "recording stopped"
    kind: Literal["recording.stopped"] = "recording.stopped"


Event = Annotated[
    CallStarted
    | TurnTaken
    | Identified
    | PassedOn
    | LimitReached
    | CallEnded
    | ProviderSwitched
    | CallBackRequested
    | RecordingStopped,
    Field(discriminator="kind"),
]

_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)


def written(event: Event) -> str:
    """``event`` as one line of JSON."""
    return _EVENTS.dump_json(event).decode()


def read(text: str | bytes) -> Event:
    """The event in ``text``. Raises :class:`EventInvalid`, without its content: that may be personal."""
    try:
        return _EVENTS.validate_json(text)
    except ValidationError as exc:
        faults = ", ".join(".".join(map(str, one["loc"])) or "the whole" for one in exc.errors())
        raise EventInvalid(f"not an event of version 1 (at fault: {faults})") from None


class Bus(Protocol):
    """Where events go."""

    def publish(self, event: Event) -> None:
        """Send ``event`` on its way. Does not wait and does not fail: a call must not depend on it."""


class MemoryBus:
    """The bus of a worker on its own: listeners in this process, and the last events for whoever asks."""

    def __init__(self, keeps: int = KEPT_IN_MEMORY) -> None:
        self.events: deque[Event] = deque(maxlen=keeps)
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Tell ``listener`` of every event from now on; it must be quick."""
        self._listeners.append(listener)

    def publish(self, event: Event) -> None:
        """See :class:`Bus`."""
        self.events.append(event)
        for listener in self._listeners:
            listener(event)

    def forget(self, call_ids: frozenset[str]) -> int:
        """Drop what is kept of these calls; how many events those were."""
        kept = [event for event in self.events if event.call_id not in call_ids]
        gone = len(self.events) - len(kept)
        self.events.clear()
        self.events.extend(kept)
        return gone


Now = Callable[[], datetime]
"""The present moment, with its time zone."""
