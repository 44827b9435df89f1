"""What other systems hear of a call: enough to file it, never what was said."""

from datetime import UTC, date, datetime

from app.watching.events import AnnouncedCallBacks, EventJournal, announce_switches
from graph.heard import Words
from memory.events import (
    CallBackRequested,
    CallEnded,
    CallStarted,
    Identified,
    LimitReached,
    MemoryBus,
    PassedOn,
    ProviderSwitched,
    RecordingStopped,
    TurnTaken,
    read,
    written,
)
from memory.limits import Over
from memory.provider_news import Failed, Stage, Switched, Why
from telephony import journal
from telephony.call import Call, CallId, HungUp, Transferred
from tools.call_back_times import CallBackTime, DayPart
from tools.call_backs import CallBack, MemoryCallBacks

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
ID = CallId("b6b1c0de-0000-4000-8000-000000000001")
TIMES = journal.TurnTimes(700, 150, 5, 100, 10)


def noted(*events: journal.CallEvent) -> MemoryBus:
    bus = MemoryBus()
    told = EventJournal(bus, lambda: AT, iter(range(100)).__next__)
    for event in events:
        told.note(ID, event)
    return bus


def test_a_whole_call_is_told_in_order() -> None:
    bus = noted(
        journal.CallStarted(Call(ID, "0612345678")),
        journal.NodePassed("greet", 1),
        journal.TurnSaid("greet.hello", "Bonjour !"),
        journal.TurnHeard(Words("mon contrat s'il vous plaît")),
        journal.NodePassed("classify", 1),
        journal.NodePassed("authenticate", 1),
        journal.TurnSaid("authenticate.ask_number", "Quel est votre numéro ?"),
        journal.TurnTimed(TIMES),
        journal.TurnHeard(Words("un zéro zéro sept quatre-vingt-huit vingt et un")),
        journal.CallerIdentified("10078821"),
        journal.RecordingRefused(),
        journal.CallEnded(HungUp()),
    )
    assert [type(event) for event in bus.events] == [
        CallStarted,
        TurnTaken,
        Identified,
        RecordingStopped,
        TurnTaken,
        CallEnded,
    ]
    first = bus.events[1]
    assert isinstance(first, TurnTaken)
    assert (first.number, first.nodes) == (1, ["classify", "authenticate"]), "the greeting is nobody's turn"
    assert first.lines == ["authenticate.ask_number"]
    assert first.heard_silence_ms == TIMES.heard_silence_ms
    ended = bus.events[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.outcome, ended.turns) == ("hung_up", 2)
    everything = "".join(map(written, bus.events))
    assert "contrat s'il" not in everything
    assert "Quel est" not in everything


def test_who_is_passed_on_is_told_with_the_number_that_was_proven_and_not_the_summary() -> None:
    to = Transferred("conseillers", "asked", "Madame Moreau veut racheter", "10078821")
    bus = noted(journal.TurnHeard(Words("un conseiller")), journal.CallPassedOn(to), journal.CallEnded(to))
    turn, passed, ended = bus.events
    assert isinstance(turn, TurnTaken)
    assert isinstance(passed, PassedOn)
    assert passed.customer_number == "10078821"
    assert isinstance(ended, CallEnded)
    assert "Moreau" not in written(passed)


def test_a_limit_that_is_reached_is_told_with_its_name_and_crosses_the_wire() -> None:
    (event,) = noted(journal.LimitReached(Over.CALLS_AT_ONCE)).events
    assert event == LimitReached(id=event.id, at=AT, call_id=ID, which=Over.CALLS_AT_ONCE)
    assert read(written(event)) == event


def test_a_call_leaves_nothing_behind() -> None:
    told = EventJournal(MemoryBus(), lambda: AT)
    for at in range(10):
        told.note(CallId(str(at)), journal.CallStarted(Call(CallId(str(at)))))
        told.note(CallId(str(at)), journal.CallEnded(HungUp()))
    assert told.open_calls == 0


async def test_a_call_back_is_announced_once_it_is_safe() -> None:
    bus, kept = MemoryBus(), MemoryCallBacks()
    promise = CallBack(
        call_id=ID,
        number="0612345678",
        when=CallBackTime(date(2026, 11, 23), DayPart.MORNING),
        queue="conseillers",
        reason="asked",
        summary="Madame Moreau",
        customer_number="",
        asked_at=AT,
    )
    await AnnouncedCallBacks(kept, bus).record(promise)
    assert kept.recorded == [promise]
    (event,) = bus.events
    assert isinstance(event, CallBackRequested)
    assert (event.number, event.on) == ("0612345678", "2026-11-23")


def test_of_providers_only_switches_are_told() -> None:
    bus = MemoryBus()
    tell = announce_switches(bus, lambda: AT)
    tell(Failed(Stage.STT, "groq", "HTTP 503"))
    tell(Switched(Stage.STT, "groq", "whisper", Why.FAILED, "HTTP 503"))
    (event,) = bus.events
    assert isinstance(event, ProviderSwitched)
    assert (event.stage, event.failed, event.instead) == ("stt", "groq", "whisper")
    assert event.why == "failed: HTTP 503"
