"""Not understood, or nobody speaks: say so, help, and do not insist.

The owner's list names eight nodes; this ninth holds the repair once, instead of in each of them.
Questions that are open stay open: the caller may simply have been looking for his papers.
"""

from dataclasses import dataclass

from graph.skill import Speak, caller_turn
from graph.state import CallState, CallUpdate
from prompts import load

MAX_MISSES = 3
MAX_SILENCES = 3
"""At the third time in a row a human takes over, or the call ends when nobody is there."""


@dataclass(frozen=True, slots=True)
class Repair:
    """The ladders of no-match and no-input."""

    name: str = "repair"

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """One rung further."""
        caller = caller_turn(state)
        if caller is None or caller.quiet:
            return self._nobody_spoke(state, speak)
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "not_understood"}
        speak(load(self.name).say("missed", nth=misses - 1))
        return {"misses": misses, "awaiting": state.get("awaiting")}

    def _nobody_spoke(self, state: CallState, speak: Speak) -> CallUpdate:
        silences = state.get("silences", 0) + 1
        if silences >= MAX_SILENCES:
            return {"silences": 0, "goto": "goodbye"}
        speak(load(self.name).say("quiet", nth=silences - 1))
        return {"silences": silences, "awaiting": state.get("awaiting")}
