"""Opens the call: who speaks, that it is a machine, that the call may be recorded.

Takes the caller's refusal of being recorded too: the greeting made that promise (CNIL: the right to
object, at the beginning; it must work at any moment of the call).

Who was cut off a few minutes ago is asked whether to go on (:mod:`memory.dropped_calls`). The question gives
nothing away, for a number is easily forged; and the way behind it leads through ``authenticate``, as ever.
"""

from dataclasses import dataclass, field

from graph.skill import Caller, Speak, caller_turn, heard_as, open_question, question, sure
from graph.state import CallState, CallUpdate, Request
from knowledge.wishes import refuses_recording
from memory.dropped_calls import DroppedCall, DroppedCalls, MemoryDroppedCalls
from prompts import load
from tools import spoken

TAKE_UP = "take_up"
"""The question whether to go on where the last call broke off."""

_BESIDES = frozenset({"authenticate", "transfer"})
"""What can be taken up besides the personal skills: proving who one is, and reaching people."""

_ALL_SAID = frozenset({"more", "noted"})
"""Questions after which nothing is missing if the caller leaves."""

AGREES_KEY = "1"


@dataclass(frozen=True, slots=True)
class Greet:
    """The first words; and "ne pas enregistrer" at any time."""

    dropped: DroppedCalls = field(default_factory=MemoryDroppedCalls)
    personal: frozenset[str] = frozenset()
    """Names of the skills that can be taken up behind ``authenticate``."""
    name: str = "greet"

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Greet once; with words already there (a chat), pass them on to be sorted.

        A greeting that broke off is begun again: the notice is to be heard whole.
        """
        words = load(self.name)
        caller = caller_turn(state)
        if state.get("greeted") and heard_as(state) != "resumed":
            if open_question(state, self.name) == TAKE_UP and caller and not refuses_recording(caller.text):
                return self._answered(state, speak, caller)
            speak(words.say("not_recorded"))
            return {"recording": "refused", "awaiting": state.get("awaiting"), "misses": 0}
        speak(words.say("notice"))
        if caller is not None and caller.text:
            return {"greeted": True, "goto": "classify"}
        left_off = state.get("left_off") or await self._left_off(state)
        if left_off is not None:
            speak(words.say("take_up"))
            asked = question(self.name, TAKE_UP, "yes_no")
            return {"greeted": True, "left_off": left_off, "awaiting": asked}
        speak(words.say("question"))
        return {"greeted": True}

    async def _left_off(self, state: CallState) -> Request | None:
        """What this number was cut off from; asked for once, and dropped when there is no such node now."""
        number = state.get("caller_number", "")
        if not number:
            return None
        await sure()  # it is gone from the store then
        dropped = await self.dropped.take(number)
        if dropped is None or dropped.pending not in self.personal | _BESIDES:
            return None
        return Request(node=dropped.pending, said=dropped.request, act="")

    def _answered(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        left_off = state.get("left_off")
        agrees = caller.text == AGREES_KEY if caller.keyed else spoken.yes_no(caller.text)
        if left_off is None or not agrees:
            speak(load(self.name).say("question"))
            return {"left_off": None, "misses": 0}
        goes: CallUpdate = {"left_off": None, "misses": 0, "goto": left_off["node"]}
        if left_off["node"] == "transfer":
            return {**goes, "transfer_reason": "asked"}
        pending = left_off["node"] if left_off["node"] in self.personal else ""
        return {**goes, "pending": pending, "request": left_off["said"]}


def left_off(state: CallState) -> DroppedCall | None:
    """What a call that breaks off in ``state`` leaves to be taken up; None: nothing."""
    if state.get("recording") == "refused" or state.get("for_another") or state.get("ended"):
        return None
    offered, awaiting = state.get("left_off"), state.get("awaiting")
    if awaiting is not None and awaiting["what"] == TAKE_UP and offered is not None:
        return DroppedCall(offered["node"], offered["said"])
    if state.get("pending"):
        return DroppedCall(state["pending"], state.get("request", ""))
    if awaiting is None or awaiting["what"] in _ALL_SAID:
        return None
    return DroppedCall(awaiting["by"], state.get("request", ""))
