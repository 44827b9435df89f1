"""Not understood, nobody speaks, or the line broke off: say so, help, and do not insist.

The owner's list names eight nodes; this ninth holds the repair once, instead of in each of them.
Questions that are open stay open: the caller may simply have been looking for his papers.

After a line that broke off only questions are said again, never answers: those came from behind
``authenticate``, which this node is not.
"""

import re
from dataclasses import dataclass

from graph.skill import MAX_TURNS, Speak, caller_turn, heard_as, last_question, question, turns_taken
from graph.state import CallState, CallUpdate
from prompts import load

_GREETING = re.compile(
    r"(?:(?:bonjour|bonsoir|all[oô]|salut|oui|madame|monsieur|euh|alors|vous m'entendez)[ ,.!?]*)+",
    re.IGNORECASE,
)

MAX_MISSES = 3
"""At the third time in a row a human takes over."""

OFFERED_AT = 3
MAX_SILENCES = 4
"""Two reminders, in two wordings; then people are offered, or a call-back when they are away; then the call
ends. Somebody may be there who cannot speak, or is not heard."""


@dataclass(frozen=True, slots=True)
class Repair:
    """The ladders of no-match and no-input."""

    name: str = "repair"

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """One rung further."""
        if heard_as(state) == "resumed":
            return self._take_up(state, speak)
        if turns_taken(state) == MAX_TURNS:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "too_long"}
        caller = caller_turn(state)
        if caller is None or caller.quiet:
            return self._nobody_spoke(state, speak)
        if _GREETING.fullmatch(caller.text) and not state.get("awaiting"):
            speak(load(self.name).say("greeted"))
            return {"misses": state.get("misses", 0)}
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "not_understood"}
        speak(load(self.name).say("missed", nth=misses - 1))
        return {"misses": misses, "awaiting": state.get("awaiting")}

    def _nobody_spoke(self, state: CallState, speak: Speak) -> CallUpdate:
        silences = state.get("silences", 0) + 1
        awaiting = state.get("awaiting")
        offered = awaiting is not None and awaiting["by"] == "transfer"
        if silences >= MAX_SILENCES or (silences == OFFERED_AT and offered):
            return {"silences": 0, "goto": "goodbye"}
        if silences < OFFERED_AT:
            speak(load(self.name).say("quiet", nth=silences - 1))
            return {"silences": silences, "awaiting": awaiting}
        away = state.get("people_away", False)
        speak(load(self.name).say("quiet_offer_closed" if away else "quiet_offer"))
        return {
            "silences": silences,
            "transfer_reason": "asked",
            "set_aside": awaiting,
            "awaiting": question("transfer", "call_back" if away else "offer", "yes_no"),
        }

    def _take_up(self, state: CallState, speak: Speak) -> CallUpdate:
        """Ask again what was asked when the line broke off."""
        words = load(self.name)
        awaiting = state.get("awaiting")
        speak(load("common").say("cut_off"))
        match awaiting:
            case None:
                speak(words.say("anew"))
            case {"by": "goodbye"}:  # a request was being answered, or had been
                speak(words.say("answer_again"))
            case {"by": "transfer", "what": "offer"}:
                speak(words.say("offer_again"))
            case _:
                asked = last_question(state)
                speak(words.say("again", question=asked) if asked else words.say("say_again"))
        return {"awaiting": awaiting}
