"""Who is calling: a number and a birth date, both right. The only door to personal data.

Rules (usual practice of French insurers): the number first, read back; the birth date second, never
read back; the same words whether an item is wrong, unknown or someone else's; the keypad is offered
after the first failure; after three failures a human takes over. The caller's own number is no proof.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from graph.skill import Caller, Speak, caller_turn, open_question, question
from graph.state import Awaiting, CallState, CallUpdate
from knowledge.wishes import takes_leave
from prompts import load
from tools import spoken, written
from tools.backoffice import Backoffice
from tools.gate import Gate, NeedsAdviser, Proven, Refused

MAX_FAILURES = 3
"""Pairs that do not match, or turns in a row that are not understood, before a human takes over."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Proves the caller's identity, then lets the pending request go on."""

    gate: Gate
    backoffice: Backoffice
    today: Callable[[], date]
    name: str = "authenticate"
    intent: str = "authentication"
    describes: str = "s'identifier, donner son numéro client ou sa date de naissance"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """A number, a date or "non, c'est le…" while one of them is asked for."""
        if caller.keyed:
            return True
        if self._number(caller) is not None:
            return True
        if awaiting["what"] != "birth_date" or takes_leave(caller.text):
            return False
        born = spoken.birth_date(caller.text, self.today())
        return born is not None or spoken.yes_no(caller.text) is False

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """One step of the identification; passes straight on when it is already done."""
        pending = state.get("pending", "")
        if self.gate.restore(state.get("identity"), state.get("call_id", "")) is not None:
            if not pending:
                speak(load(self.name).say("already"))
            return {"goto": pending, "awaiting": state.get("awaiting")}
        caller = caller_turn(state) or Caller("")
        match open_question(state, self.name):
            case "birth_date":
                return await self._take_birth_date(state, speak, caller)
            case "number":
                return await self._take_number(state, speak, caller)
            case _:
                return await self._open(state, speak, caller)

    async def _open(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        """Identification begins; the caller may have said everything in one breath."""
        number = self._number(caller)
        if number is None:
            speak(load(self.name).say("ask_number", nth=state.get("refusals", 0)))
            return {"awaiting": question(self.name, "number", "number"), "misses": 0}
        return await self._number_given(state, speak, caller, number)

    async def _take_number(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        number = self._number(caller)
        if number is None:
            return self._missed(state, speak, "number", "number")
        return await self._number_given(state, speak, caller, number)

    async def _number_given(self, state: CallState, speak: Speak, caller: Caller, number: str) -> CallUpdate:
        given: CallUpdate = {"given_number": number, "misses": 0}
        if not number.isdigit():  # a claim or a contract: it is also what he calls about
            given["request"] = f"{state.get('request', '')} {number}".strip()
        born = None if caller.keyed else spoken.birth_date(caller.text, self.today())
        if born is not None:
            return {**given, **await self._prove(state, speak, number, born)}
        speak(load(self.name).say("ask_birth_date", number=_as_written(number)))
        return {**given, "awaiting": question(self.name, "birth_date", "date")}

    async def _take_birth_date(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        read = spoken.keyed_date if caller.keyed else spoken.birth_date
        born = read(caller.text, self.today())
        if born is not None:
            return await self._prove(state, speak, state.get("given_number", ""), born)
        number = self._number(caller)
        if number is not None:  # "non, c'est le…": what was read back was wrong
            speak(load(self.name).say("corrected_number", number=_as_written(number)))
            return {
                "given_number": number,
                "misses": 0,
                "awaiting": question(self.name, "birth_date", "date"),
            }
        if spoken.yes_no(caller.text) is False:
            speak(load(self.name).say("ask_number", nth=1))
            return {"given_number": "", "misses": 0, "awaiting": question(self.name, "number", "number")}
        return self._missed(state, speak, "birth_date", "date")

    async def _prove(self, state: CallState, speak: Speak, number: str, born: date) -> CallUpdate:
        words = load(self.name)
        match await self.gate.prove(number, born):
            case Proven(identity):
                customer = await self.backoffice.customer(identity)
                pending = state.get("pending", "")
                speak(words.say("welcome", title=customer.title, last_name=customer.last_name))
                if not pending:
                    speak(words.say("ready"))
                return {
                    "identity": self.gate.seal(identity, state.get("call_id", "")),
                    "given_number": "",
                    "misses": 0,
                    "goto": pending,
                }
            case NeedsAdviser():
                return {"given_number": "", "goto": "transfer", "transfer_reason": "adviser_needed"}
            case Refused():
                refusals = state.get("refusals", 0) + 1
                failed: CallUpdate = {"given_number": "", "refusals": refusals, "misses": 0}
                if refusals >= MAX_FAILURES:
                    return {**failed, "goto": "transfer", "transfer_reason": "not_identified"}
                speak(words.say("refused", nth=refusals - 1))
                return {**failed, "awaiting": question(self.name, "number", "number")}

    def _missed(self, state: CallState, speak: Speak, what: str, form: str) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_FAILURES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "not_identified"}
        speak(load(self.name).say(f"{what}_missed", nth=misses - 1))
        return {
            "misses": misses,
            "awaiting": question(self.name, what, "date" if form == "date" else "number"),
        }

    def _number(self, caller: Caller) -> str | None:
        """The customer, contract or claim number in the caller's words or keys."""
        read = spoken.keyed_reference if caller.keyed else spoken.any_reference
        reference = read(caller.text)
        return reference.value if reference else None


def _as_written(number: str) -> str:
    """A customer number in pairs, as it is read back; claims and contracts as they stand."""
    return written.customer(number) if number.isdigit() else number
