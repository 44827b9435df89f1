"""Opens the call: who speaks, that it is a machine, that the call may be recorded.

Takes the caller's refusal of being recorded too: the greeting made that promise (CNIL: the right to
object, at the beginning; it must work at any moment of the call).
"""

from dataclasses import dataclass

from graph.skill import Speak, caller_turn, heard_as
from graph.state import CallState, CallUpdate
from prompts import load


@dataclass(frozen=True, slots=True)
class Greet:
    """The first words; and "ne pas enregistrer" at any time."""

    name: str = "greet"

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Greet once; with words already there (a chat), pass them on to be sorted.

        A greeting that broke off is begun again: the notice is to be heard whole.
        """
        words = load(self.name)
        caller = caller_turn(state)
        if state.get("greeted") and heard_as(state) != "resumed":
            speak(words.say("not_recorded"))
            return {"recording": "refused", "awaiting": state.get("awaiting"), "misses": 0}
        speak(words.say("notice"))
        if caller is not None and caller.text:
            return {"greeted": True, "goto": "classify"}
        speak(words.say("question"))
        return {"greeted": True}
