"""From what happens on calls to the events that other systems may have."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from memory.events import (
    Bus,
    CallBackRequested,
    CallEnded,
    CallStarted,
    Event,
    Identified,
    LimitReached,
    Now,
    PassedOn,
    ProviderSwitched,
    RecordingStopped,
    TurnTaken,
)
from memory.provider_news import ProviderNews, Switched
from telephony import journal
from telephony.call import CallId
from tools.call_backs import CallBack, CallBacks

NO_CALL = ""
"""A provider is switched for all calls."""


@dataclass(slots=True)
class _Call:
    """What is gathered of one call until its next event."""

    began_s: float
    turns: int = 0
    heard: bool = False
    nodes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    heard_silence_ms: float | None = None


class EventJournal:
    """Publishes what happens on calls; see :class:`telephony.journal.Journal`."""

    def __init__(
        self,
        bus: Bus,
        now: Now = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._now = now
        self._clock = clock
        self._calls: dict[CallId, _Call] = {}

    @property
    def open_calls(self) -> int:
        """Calls of which something is still gathered."""
        return len(self._calls)

    def note(self, call_id: CallId, event: journal.CallEvent) -> None:
        """Publish ``event``, or gather it for the event of its turn."""
        call = self._calls.setdefault(call_id, _Call(self._clock()))
        match event:
            case journal.CallStarted(started):
                self._publish(CallStarted(at=self._now(), call_id=call_id, caller=started.caller))
            case journal.TurnHeard():
                self._turn_over(call_id, call)
                call.turns, call.heard = call.turns + 1, True
            case journal.NodePassed(node):
                call.nodes.append(node)
            case journal.TurnSaid(key):
                call.lines.append(key)
            case journal.TurnTimed(times):
                call.heard_silence_ms = times.heard_silence_ms
            case journal.CallerIdentified(customer_number):
                self._publish(Identified(at=self._now(), call_id=call_id, customer_number=customer_number))
            case journal.RecordingRefused():
                self._publish(RecordingStopped(at=self._now(), call_id=call_id))
            case journal.LimitReached(which):
                self._publish(LimitReached(at=self._now(), call_id=call_id, which=which))
            case journal.CallPassedOn(to):
                self._turn_over(call_id, call)
                self._publish(
                    PassedOn(
                        at=self._now(),
                        call_id=call_id,
                        queue=to.queue,
                        reason=to.reason,
                        customer_number=to.customer_number,
                    )
                )
            case journal.CallEnded(outcome):
                self._turn_over(call_id, call)
                del self._calls[call_id]
                lasted_s = round(self._clock() - call.began_s, 1)
                self._publish(
                    CallEnded(
                        at=self._now(),
                        call_id=call_id,
                        outcome=outcome.name,
                        turns=call.turns,
                        lasted_s=lasted_s,
                    )
                )
            case _:
                pass

    def _turn_over(self, call_id: CallId, call: _Call) -> None:
        if not call.heard:
            call.nodes, call.lines = [], []  # the greeting: nobody's turn
            return
        self._publish(
            TurnTaken(
                at=self._now(),
                call_id=call_id,
                number=call.turns,
                nodes=call.nodes,
                lines=call.lines,
                heard_silence_ms=call.heard_silence_ms,
            )
        )
        call.heard, call.nodes, call.lines, call.heard_silence_ms = False, [], [], None

    def _publish(self, event: Event) -> None:
        self._bus.publish(event)


@dataclass(frozen=True, slots=True)
class AnnouncedCallBacks:
    """Call-backs that are published once they are safely written down."""

    kept: CallBacks
    bus: Bus

    async def record(self, call_back: CallBack) -> None:
        """See :class:`tools.call_backs.CallBacks`."""
        await self.kept.record(call_back)
        self.bus.publish(
            CallBackRequested(
                at=call_back.asked_at,
                call_id=call_back.call_id,
                number=call_back.number,
                on=call_back.when.on.isoformat(),
                part=call_back.when.part.value,
                queue=call_back.queue,
                reason=call_back.reason,
                customer_number=call_back.customer_number,
            )
        )


def announce_switches(bus: Bus, now: Now) -> Callable[[ProviderNews], None]:
    """A listener for the news of providers that publishes the switches among them."""

    def tell(news: ProviderNews) -> None:
        match news:
            case Switched(stage, left, taken, why, reason):
                told = f"{why.value}: {reason}" if reason else why.value
                bus.publish(
                    ProviderSwitched(
                        at=now(), call_id=NO_CALL, stage=stage.value, failed=left, instead=taken, why=told
                    )
                )
            case _:
                pass

    return tell
