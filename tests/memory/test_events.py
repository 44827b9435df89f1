"""Events have one form on the wire, and what is none is refused without being repeated."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from memory.events import (
    CallEnded,
    CallStarted,
    Event,
    EventInvalid,
    Identified,
    MemoryBus,
    TurnTaken,
    read,
    written,
)

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def started(call_id: str = "c") -> CallStarted:
    return CallStarted(at=AT, call_id=call_id, caller="0612345678")


def test_an_event_comes_back_as_it_was_written() -> None:
    for event in (
        started(),
        TurnTaken(at=AT, call_id="c", number=1, nodes=["classify", "faq"], lines=["faq.answer"]),
        Identified(at=AT, call_id="c", customer_number="10078821"),
        CallEnded(at=AT, call_id="c", outcome="hung_up", turns=3, lasted_s=61.5),
    ):
        assert read(written(event)) == event


def test_every_kind_is_told_apart_by_its_name() -> None:
    union = get_args(get_args(Event)[0])
    kinds = [kind.model_fields["kind"].default for kind in union]
    assert len(kinds) == len(set(kinds)) == 9
    assert all(kind.model_fields["version"].default == 1 for kind in union)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "{}",
        '{"kind": "call.started"}',
        written(started()).replace('"version":1', '"version":2'),
        written(started()).replace("call.started", "call.eaten"),
        written(started()).replace("}", ',"more":1}'),
        written(started()).replace("+00:00", "").replace("Z", ""),
    ],
)
def test_what_is_no_event_is_refused_without_its_content(text: str) -> None:
    with pytest.raises(EventInvalid) as caught:
        read(text)
    assert "0612345678" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_listeners_hear_every_event_and_the_last_ones_are_kept() -> None:
    bus = MemoryBus(keeps=2)
    heard: list[Event] = []
    bus.listen(heard.append)
    events = [started(call_id) for call_id in "abc"]
    for event in events:
        bus.publish(event)
    assert heard == events
    assert list(bus.events) == events[1:]


def test_events_of_a_call_can_be_forgotten() -> None:
    bus = MemoryBus()
    for call_id in "aba":
        bus.publish(started(call_id))
    assert bus.forget(frozenset("a")) == 2
    assert [event.call_id for event in bus.events] == ["b"]
