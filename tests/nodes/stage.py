"""A node on its own: a state in, what it said and what it changed out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from langchain_core.messages import HumanMessage

from graph.skill import PersonalSkill, Station
from graph.state import CallState, CallUpdate
from prompts import Line
from tools.backoffice import Backoffice
from tools.backoffice_demo import DemoBackoffice, DemoData
from tools.gate import Gate, Proven
from tools.identity import Identity
from tools.models import Claim, Contract, Customer


@dataclass
class Played:
    """What a node did."""

    update: CallUpdate
    lines: list[Line] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        return [line.key for line in self.lines]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


def state(text: str = "", heard: str = "words", **more: object) -> CallState:
    """A call in which the caller has just said ``text``."""
    said = HumanMessage(text, additional_kwargs={"heard": heard})
    return cast("CallState", {"call_id": "c", "greeted": True, "messages": [said], **more})


async def play(node: Station, given: CallState) -> Played:
    lines: list[Line] = []
    return Played(await node(given, lines.append), lines)


async def play_personal(node: PersonalSkill, given: CallState, identity: Identity) -> Played:
    lines: list[Line] = []
    return Played(await node(given, lines.append, identity), lines)


async def proven(backoffice: Backoffice, customer: Customer) -> Identity:
    """The identity of ``customer``, by the only way there is."""
    proof = await Gate(backoffice, b"k" * 32).prove(customer.number, customer.birth_date)
    assert isinstance(proof, Proven)
    return proof.identity


def back_office(
    customer: Customer, contracts: Sequence[Contract] = (), claims: Sequence[Claim] = ()
) -> DemoBackoffice:
    """One customer with just these."""
    return DemoBackoffice(DemoData((customer,), tuple(contracts), tuple(claims)))
