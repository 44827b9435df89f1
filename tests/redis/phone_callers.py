"""Callers on the phone, each with his own number, file and figure, whose worker may die under them.

A caller listens, waits until the agent is quiet and until the store of calls has taken all he said, and
answers the question that is open there. So nothing he does depends on how fast the machine is: he waits for
frames of silence and for his own words to be in the state, never for time to pass.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from graph.skill import turns_taken
from graph.state import CallState
from telephony import agi
from telephony.simulated.asterisk import Ending, SimulatedAsterisk, SimulatedCall
from telephony.simulated.handset import CallEnded, Handset
from tools.written import euros

WISH = "Oui bonjour, je voudrais savoir… combien j'ai sur mon assurance vie."
HOLD_ON = "Attendez un instant, s'il vous plaît."
GOODBYE = "Non merci, au revoir."
LINES = (WISH, HOLD_ON, GOODBYE)

VALUE = "contract.value"
CRASHES_FORGIVEN = 3
"""As in the dialplan (deploy/asterisk/extensions.conf)."""
QUIET_MS = 600
"""Of frames of silence, after which it is the caller's turn: two of the agent's pauses between sentences."""
LOOKS_AGAIN_MS = 200
PATIENCE_MS = 120_000
"""For a word of the agent, on a machine that starts a worker beside twenty calls."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls; no two have anything in common."""

    phone: str
    customer: str
    birth_date: str
    """As it is keyed, ``DDMMYYYY``."""
    value_cents: int

    @classmethod
    def of(cls, at: int) -> "Person":
        """The ``at``-th, from 0."""
        return cls(
            phone=f"06{12_000_000 + 1111 * at:08}",
            customer=f"{20_000_017 + 1_010_101 * at:08}",
            birth_date=f"{at % 28 + 1:02}{at % 12 + 1:02}{1940 + at}",
            value_cents=100_000 + 100_100 * at,
        )

    @property
    def value(self) -> str:
        """His contract's, as the agent writes it."""
        return euros(self.value_cents)


def customers_file(people: Sequence[Person], path: Path) -> Path:
    """A back office with just these, written to ``path``."""
    told = {
        "customers": [
            {
                "number": one.customer,
                "title": "Madame",
                "first_name": "Jeanne",
                "last_name": f"Fictive-{one.customer}",
                "birth_date": f"{one.birth_date[4:]}-{one.birth_date[2:4]}-{one.birth_date[:2]}",
            }
            for one in people
        ],
        "contracts": [
            {
                "number": f"VIE-{at:07}",
                "customer_number": one.customer,
                "product": "Horizon Sérénité",
                "status": "active",
                "value_cents": one.value_cents,
                "valued_on": "2026-10-31",
                "opened_on": "2009-05-14",
            }
            for at, one in enumerate(people)
        ],
        "claims": [],
        "beneficiaries": [],
        "third_items": [],
    }
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


class Calls:
    """What is written down of calls, read from where the workers keep it."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self._saver = saver

    async def state(self, call_id: str) -> CallState:
        """Empty when nothing is written yet."""
        config: RunnableConfig = {"configurable": {"thread_id": call_id, "checkpoint_ns": ""}}
        found = await self._saver.aget_tuple(config)
        state: CallState = {}
        if found is not None:
            state.update(found.checkpoint["channel_values"])  # type: ignore[typeddict-item]
        return state


def lines_of(state: CallState) -> list[str]:
    """Keys of what the agent has said."""
    return [
        str(one.additional_kwargs.get("key", "")) for one in state.get("messages", []) if one.type == "ai"
    ]


def said_by_caller(state: CallState) -> list[str]:
    """His words and keys, and "" where he was silent or not understood."""
    kinds = {"words", "keys", "quiet"}
    told = state.get("messages", [])
    return [str(one.text) for one in told if one.additional_kwargs.get("heard") in kinds]


def customer_of(state: CallState) -> str:
    """Whose identity is proven in this call; empty when nobody's."""
    identity = state.get("identity")
    return str(identity["customer_number"]) if identity else ""


def open_question(state: CallState) -> str:
    """What the agent asked for and has not been told."""
    awaiting = state.get("awaiting")
    return awaiting["what"] if awaiting else ""


@dataclass
class Caller:
    """One of them, on the phone."""

    person: Person
    calls: Calls
    sounds: Mapping[str, bytes]
    may_leave: asyncio.Event
    """Who has all he wanted stays on the line until then."""
    came_on: asyncio.Condition
    """Told each time that somebody has come further."""
    call_id: str = ""
    workers: list[int] = field(default_factory=list)
    """The port of the worker that each of his audio legs was connected to."""
    customer: str = ""
    """Whom the agent takes him for, as he last saw it."""
    at_the_cut: CallState | None = None
    """The state in which his worker left the call."""
    taken_up: CallState | None = None
    """The same, once the next worker had spoken to him."""
    keyed: list[str] = field(default_factory=list)
    _leg: Handset | None = None
    _turns: int = 0
    _spoke_until_ms: float = 0.0

    async def ring(self, asterisk: SimulatedAsterisk, door: asyncio.Lock) -> Ending:
        """The whole call. One rings after the other, as each hears the agent, and all talk at once."""
        async with AsyncExitStack() as hanging_up:
            async with door:
                ringing = asterisk.call(caller=self.person.phone, reentries=CRASHES_FORGIVEN)
                call = await hanging_up.enter_async_context(ringing)
                await call.hear_speech(after_ms=0, within_ms=PATIENCE_MS)
                await self._on_leg(call)
            await self._talk(call)
            return await call.ended

    async def _talk(self, call: SimulatedCall) -> None:
        while not call.ended.done():
            try:
                await self._answer(call, await self._his_turn(call))
            except CallEnded:
                if not call.ended.done():
                    await self._come_back(call)

    async def _come_back(self, call: SimulatedCall) -> None:
        before = await self.calls.state(self.call_id)
        try:
            await call.comes_back(since=self._leg)
        except CallEnded:
            return  # it is over, and how is told by the call
        self.at_the_cut = before
        self._turns, self._spoke_until_ms = turns_taken(before), 0.0
        await self._on_leg(call)

    async def _on_leg(self, call: SimulatedCall) -> None:
        """There is sound: Asterisk was told whose call it is, and where its sound goes."""
        assert call.call_id is not None
        self._leg = call.phone
        assert self.call_id in ("", str(call.call_id)), "the same call"
        self.call_id = str(call.call_id)
        commands = [agi.parse_command(command) for command in call.commands]
        *_, address = [command[2] for command in commands if command[:2] == ["EXEC", "AudioSocket"]]
        self.workers.append(int(address.rpartition(":")[2]))
        await self._tell()

    async def _his_turn(self, call: SimulatedCall) -> CallState:
        """Wait for the agent to have answered all he said and to be quiet; the state then."""
        await call.hear_speech(self._spoke_until_ms, PATIENCE_MS)
        while True:
            await call.hear_silence(QUIET_MS, PATIENCE_MS)
            state = await self.calls.state(self.call_id)
            if turns_taken(state) >= self._turns:
                break
            await call.pause(LOOKS_AGAIN_MS)
        self._turns = turns_taken(state)
        if len(self.workers) > 1 and self.taken_up is None:
            self.taken_up = state
        if customer_of(state) != self.customer:
            self.customer = customer_of(state)
            await self._tell()
        return state

    async def _answer(self, call: SimulatedCall, state: CallState) -> None:
        match open_question(state):
            case "number":
                await self._key(call, self.person.customer)
            case "birth_date":
                await self._key(call, self.person.birth_date)
            case _ if VALUE not in lines_of(state):
                await call.say(self.sounds[WISH])
            case _ if self.may_leave.is_set():
                await call.say(self.sounds[GOODBYE])
            case _ if HOLD_ON not in said_by_caller(state):
                await call.say(self.sounds[HOLD_ON])
            case _:
                await self._linger(call)
                return
        self._turns += 1
        self._spoke_until_ms = call.phone.clock_ms

    async def _key(self, call: SimulatedCall, digits: str) -> None:
        self.keyed.append(digits)
        await call.press(f"{digits}#")

    async def _linger(self, call: SimulatedCall) -> None:
        leave = asyncio.create_task(self.may_leave.wait())
        cut_off = asyncio.create_task(_end_of(call.phone))
        await asyncio.wait({leave, cut_off}, return_when=asyncio.FIRST_COMPLETED)
        for task in (leave, cut_off):
            task.cancel()

    async def _tell(self) -> None:
        async with self.came_on:
            self.came_on.notify_all()


async def _end_of(leg: Handset) -> bool:
    await asyncio.shield(leg.ended)
    return True
