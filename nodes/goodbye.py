"""Ends the call: on a goodbye, on "non merci", or when nobody is there."""

from dataclasses import dataclass

from graph.skill import Caller, Speak, caller_turn, heard_as, open_question
from graph.state import Awaiting, CallState, CallUpdate
from knowledge.wishes import takes_leave
from prompts import load
from tools import spoken

SHORT_WORDS = 4
"""An answer to "autre chose ?" is a word or two; a longer sentence holds the next request."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Says goodbye; or "je vous écoute" to someone who has more to ask."""

    name: str = "goodbye"
    intent: str = "goodbye"
    describes: str = "dire au revoir, terminer l'appel"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """Yes or no, in a few words, to "puis-je faire autre chose ?"."""
        return len(caller.text.split()) <= SHORT_WORDS and spoken.yes_no(caller.text) is not None

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Take leave, unless the caller has just said that there is more."""
        words = load(self.name)
        caller = caller_turn(state) or Caller("")
        asked = open_question(state, self.name) == "more"
        if asked and spoken.yes_no(caller.text) is True and not takes_leave(caller.text):
            speak(words.say("go_on"))
            return {"misses": 0}
        if heard_as(state) == "resumed":
            speak(load("common").say("cut_off"))
        speak(words.say("nobody" if caller.quiet else "farewell"))
        return {"ended": "goodbye"}
