"""One person in everything that is kept: found, given out, removed (GDPR articles 15, 17 and 20).

Where a person can be: the archive of transcripts and sound, the store of calls, the stream of events and its
dead letters, the file of promised call-backs, the counters (limits, lock-out), and calls that broke off. The
cache of voices holds fixed sentences only, logs hold no personal data: neither needs to be searched.

A person is named by his customer number or by the telephone he rang from. By number means every call in
which that number was proven or tried; by telephone every call from there, whoever spoke.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis

from memory.archive import FileArchive, Filed, Kind
from memory.counters import Counters
from memory.dropped_calls import DroppedCalls
from memory.event_stream import STREAM, forget, on_stream
from memory.events import CallBackRequested, CallStarted, Event, Identified, PassedOn
from memory.limits import Limits
from memory.lockout import key_of
from memory.webhook import DEAD_LETTERS
from tools.gate import Gate

EVERY_CALL = 1_000_000
"""langgraph-checkpoint-redis lists a hundred when it is not told how many."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about: one of the two is given."""

    customer_number: str = ""
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that keeps something of calls, as the service has it; ``redis`` None: one worker."""

    archive: FileArchive
    calls: BaseCheckpointSaver[Any]
    call_backs: Path
    counters: Counters
    limits: Limits
    dropped: DroppedCalls
    gate: Gate
    redis: Redis | None = None


@dataclass(slots=True)
class Found:
    """What is kept of a person."""

    filed: list[Filed] = field(default_factory=list)
    states: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By call."""
    events: list[Event] = field(default_factory=list)
    call_backs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def call_ids(self) -> frozenset[str]:
        """All calls that something is kept of."""
        return frozenset(
            [
                *(filed.about.call_id for filed in self.filed),
                *self.states,
                *(event.call_id for event in self.events if event.call_id),
            ]
        )


async def find(stores: Stores, person: Person) -> Found:
    """Everything that is kept of ``person``. Reads every store from end to end."""
    found = Found()
    found.filed = await stores.archive.find(caller=person.caller, customer_number=person.customer_number)
    async for call_id, values in _states(stores.calls):
        if _is_of(person, values):
            found.states[call_id] = values
    if stores.redis is not None:
        events = [
            event for stream in (STREAM, DEAD_LETTERS) async for event in on_stream(stores.redis, stream)
        ]
        calls = {event.call_id for event in events if _names(event, person)} | found.call_ids
        found.events = [event for event in events if event.call_id in calls]
    lines = _lines(stores.call_backs)
    found.call_backs = [
        one for one in map(_call_back, lines) if one is not None and _promised_to(one, person)
    ]
    return found


async def erase(stores: Stores, person: Person) -> dict[str, int]:
    """Remove ``person`` from everything; how much was removed, by place. Doing it again removes nothing.

    Raises what a store raises that cannot be reached: then it is not done, and to be done again.
    """
    found = await find(stores, person)
    calls = found.call_ids
    receipt = {
        "transcripts": sum(filed.kind is Kind.TRANSCRIPT for filed in found.filed),
        "sound": sum(filed.kind is Kind.AUDIO for filed in found.filed),
        "calls under way or lately ended": len(found.states),
        "events": 0,
        "promised call-backs": len(found.call_backs),
        "counters": 0,
        "calls that broke off": 0,
    }
    for filed in found.filed:
        await stores.archive.remove(filed)
    for call_id in found.states:
        await stores.calls.adelete_thread(call_id)
    if stores.redis is not None and calls:
        for stream in (STREAM, DEAD_LETTERS):
            receipt["events"] += await forget(stores.redis, calls, stream)
    if found.call_backs:
        await asyncio.to_thread(_blank_out, stores.call_backs, person)
    if person.caller:
        receipt["counters"] += await stores.limits.forget_caller(person.caller)
        receipt["calls that broke off"] += await stores.dropped.forget(person.caller)
    if person.customer_number:
        subject = stores.gate.lockout_subject(person.customer_number)
        receipt["counters"] += await stores.counters.forget(key_of(subject))
    return receipt


async def export(stores: Stores, person: Person) -> dict[str, Any]:
    """Everything that is kept of ``person``, in a common form (JSON), words included."""
    found = await find(stores, person)
    return {
        "customer_number": person.customer_number,
        "caller": person.caller,
        "transcripts": [
            json.loads(await stores.archive.read(filed))
            for filed in found.filed
            if filed.kind is Kind.TRANSCRIPT
        ],
        "sound": [str(filed.path) for filed in found.filed if filed.kind is Kind.AUDIO],
        "calls": {call_id: _plain(values) for call_id, values in found.states.items()},
        "events": [event.model_dump(mode="json") for event in found.events],
        "call_backs": found.call_backs,
    }


def _names(event: Event, person: Person) -> bool:
    match event:
        case CallStarted(caller=caller):
            return bool(person.caller) and caller == person.caller
        case CallBackRequested(number=number, customer_number=customer_number):
            return _either(person, number, customer_number)
        case Identified(customer_number=customer_number) | PassedOn(customer_number=customer_number):
            return _either(person, "", customer_number)
        case _:
            return False


def _either(person: Person, caller: str, customer_number: str) -> bool:
    by_caller = bool(person.caller) and caller == person.caller
    return by_caller or (bool(person.customer_number) and customer_number == person.customer_number)


async def _states(saver: BaseCheckpointSaver[Any]) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
    """Every call that is kept, with its latest state."""
    seen: dict[str, None] = {}
    async for one in saver.alist(None, limit=EVERY_CALL):
        seen[one.config["configurable"]["thread_id"]] = None
    for call_id in seen:
        config: RunnableConfig = {"configurable": {"thread_id": call_id, "checkpoint_ns": ""}}
        latest = await saver.aget_tuple(config)
        if latest is not None:
            yield call_id, latest.checkpoint["channel_values"]


def _is_of(person: Person, values: Mapping[str, Any]) -> bool:
    identity = values.get("identity") or {}
    numbers = {identity.get("customer_number", ""), values.get("given_number", "")}
    by_number = bool(person.customer_number) and person.customer_number in numbers
    return by_number or (bool(person.caller) and values.get("caller_number") == person.caller)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A state as JSON, without the seal of the proof: that is ours and opens the call."""
    plain = {name: value for name, value in values.items() if not name.startswith(("__", "branch:"))}
    if plain.get("identity"):
        plain["identity"] = {name: value for name, value in plain["identity"].items() if name != "signature"}
    plain["messages"] = [
        {"who": message.type, "text": message.content}
        for message in plain.get("messages", [])
        if isinstance(message, BaseMessage)
    ]
    return plain


# the file of promised call-backs


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _call_back(line: str) -> dict[str, Any] | None:
    try:
        read = json.loads(line)
    except ValueError:
        return None  # a piece that was left when the disk was full
    return read if isinstance(read, dict) else None


def _promised_to(call_back: Mapping[str, Any], person: Person) -> bool:
    return _either(person, str(call_back.get("number", "")), str(call_back.get("customer_number", "")))


def _blank_out(path: Path, person: Person) -> None:
    """Blank the lines of ``person`` out in place.

    Workers append to this file at any moment: nothing is moved, so that no promise made meanwhile is lost.
    """
    with path.open("r+b") as file:
        at = 0
        for line in file.read().splitlines(keepends=True):
            told = _call_back(line.decode("utf-8", "replace"))
            if told is not None and _promised_to(told, person):
                file.seek(at)
                file.write(b" " * (len(line) - 1) + b"\n")
            at += len(line)
