"""Puts the caller through to people, with what they need so that nothing is asked twice, or has them ring
back.

Rules (usual practice of French insurers): never a transfer to nobody, so outside opening hours a
call-back is offered instead; whoever was not taken comes back and chooses between waiting, a call-back and
something else, and is not sent round a third time. A call-back asks which number, then when: the caller's
own number is offered by its last two digits and never read out, one that he gives is read back. Zero is a
human, whatever is asked.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from graph.skill import (
    HUMAN_KEY,
    Caller,
    Speak,
    caller_turn,
    heard_as,
    open_question,
    question,
    request_served,
    sure,
    why_not_reached,
)
from graph.state import Awaiting, CallState, CallUpdate, Form, Handover, TransferReason
from knowledge.acts import Act, act
from knowledge.wishes import wants_call_back
from prompts import load
from tools import spoken, written
from tools.call_back_times import CallBackTime, NobodyThere, call_back_time, keyed_call_back_time
from tools.call_backs import CallBack, CallBacks, CallBacksUnavailable
from tools.opening_hours import PARIS, OpeningHours
from tools.phone_numbers import keyed_phone_number, last_digits, phone_number, shown_phone_number

QUEUES = {"claims": "sinistres", "contract": "vie"}
"""Queue of the switchboard by what the call was about; ``conseillers`` for everything else."""

MAX_UNREACHED = 3
"""Times that nobody took the caller, after which waiting is no longer offered."""

MAX_MISSES = 3

SHORT_WORDS = 4
"""An answer to "autre chose ?" is a word or two; a longer sentence holds the next request."""

_FORMS: dict[str, Form] = {"number": "number", "when": "choice", "choice": "choice"}
"""Form of the answer to each question; yes or no for the others."""

_SAID_WHEN_CLOSED = frozenset({"not_understood", "not_identified", "adviser_needed"})
"""Reasons that the caller does not know yet; the others were spoken of by whoever sent him."""

Choice = Literal["wait", "call_back", "other"]

_CHOICE_KEYS: dict[str, Choice] = {"1": "wait", "2": "call_back", "3": "other"}

_WAIT = re.compile(
    r"\b(?:patient\w*|attend\w*|r[eé]essay\w*|retent\w*|insist\w*|encore une fois|conseill[eè]re?)\b",
    re.IGNORECASE,
)
_NOT_WAIT = re.compile(r"\b(?:pas|plus|marre|assez) (?:\w+ )?(?:patient|attend)\w*", re.IGNORECASE)
_CALL_BACK = re.compile(r"\brappel\w*\b", re.IGNORECASE)
_OTHER = re.compile(r"\bautre (?:chose|question|demande)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hands over, arranges a call-back, or takes the caller back when he wants neither."""

    call_backs: CallBacks
    hours: OpeningHours
    now: Callable[[], datetime]
    name: str = "transfer"
    intent: str = "transfer"
    describes: str = "parler à un conseiller, à un humain, être rappelé"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """An answer to the question of the moment: yes or no, a choice, a number, a time."""
        match awaiting["what"]:
            case "choice":
                return _choice(caller) is not None
            case "number":
                return _number(caller) is not None
            case "when":
                return self._time(caller) is not None or _number(caller) is not None
            case "noted":
                return self._corrects(caller)
            case "same_number" | "check_number" if _number(caller) is not None:
                return True
            case "offer" | "call_back" if _agrees(caller) is False and not caller.keyed:
                # « non merci, dites-moi plutôt vos horaires » holds the next request
                return len(caller.text.split()) <= SHORT_WORDS
            case _:
                return _agrees(caller) is not None

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """One step: pass the caller on, or go on with what is being arranged."""
        match heard_as(state):
            case "not_reached":
                return self._came_back(state, speak)
            case "resumed":
                speak(load("common").say("cut_off"))
                return self._pass_on(state, speak)
        caller = caller_turn(state) or Caller("")
        if caller.keyed and caller.text == HUMAN_KEY:
            return self._pass_on(state, speak)
        match open_question(state, self.name):
            case "offer":
                return self._offered(state, speak, caller)
            case "choice":
                return self._chosen(state, speak, caller)
            case "call_back":
                return self._call_back_offered(state, speak, caller)
            case "same_number":
                return self._same_number(state, speak, caller)
            case "number":
                return self._take_number(state, speak, caller)
            case "check_number":
                return self._number_checked(state, speak, caller)
            case "when":
                return await self._take_time(state, speak, caller)
            case "noted" if self._corrects(caller):
                return await self._after_promise(state, speak, caller)
            case _ if _wants_call_back(caller):
                return self._ask_number(state, speak)
            case _:
                return self._pass_on(state, speak)

    def _corrects(self, caller: Caller) -> bool:
        """Whether it is about the call-back that was just noted, or yes or no to "autre chose ?"."""
        if caller.keyed:
            return False
        given = self._time(caller) is not None or _number(caller) is not None
        return given or (len(caller.text.split()) <= SHORT_WORDS and _agrees(caller) is not None)

    # to people

    def _pass_on(self, state: CallState, speak: Speak, *, again: bool = False) -> CallUpdate:
        """Say to whom and why, and write down what people need to know; or offer a call-back."""
        words = load(self.name)
        reason, topic = _reason(state), _topic(state)
        if not self.hours.is_open(self.now()):
            if reason in _SAID_WHEN_CLOSED:
                speak(words.say(f"{reason}_closed"))
            key = "distress_closed" if reason == "distress" else "closed"
            return self._offer_call_back(state, speak, key)
        if reason != "language" or again:  # he was told in his own language
            speak(words.say("once_more" if again else _line(reason, topic)))
        return {"ended": "transfer", "handover": handover(state)}

    def _offered(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        if _wants_call_back(caller):
            return self._ask_number(state, speak)
        if _agrees(caller) is False:
            speak(load(self.name).say("declined"))
            return {"misses": 0}
        return self._pass_on(state, speak)

    def _came_back(self, state: CallState, speak: Speak) -> CallUpdate:
        """Nobody took him: he chooses what to do about it."""
        words = load(self.name)
        unreached = state.get("unreached", 0) + 1
        speak(words.say("no_answer" if why_not_reached(state) == "no_answer" else "busy"))
        if not self.hours.is_open(self.now()):
            return {**self._offer_call_back(state, speak, "closed"), "unreached": unreached}
        if unreached >= MAX_UNREACHED:
            return {**self._offer_call_back(state, speak, "call_back_instead"), "unreached": 0}
        speak(words.say("choice"))
        return {"unreached": unreached, "misses": 0, "awaiting": self._question("choice")}

    def _chosen(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        match _choice(caller):
            case "wait":
                return self._pass_on(state, speak, again=True)
            case "call_back":
                return self._ask_number(state, speak)
            case "other":
                speak(load(self.name).say("declined"))
                return {"misses": 0, "unreached": 0}
            case None:
                return self._missed(state, speak, "choice")

    # to be rung back

    def _offer_call_back(self, state: CallState, speak: Speak, key: str) -> CallUpdate:
        told = open_question(state, self.name) == "call_back"  # he pressed zero meanwhile
        self._tell_hours(speak, key, nth=int(told))
        return {"misses": 0, "awaiting": self._question("call_back")}

    def _call_back_offered(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        agrees = _agrees(caller)
        if agrees or _wants_call_back(caller):
            return self._ask_number(state, speak)
        if agrees is None:
            return self._missed(state, speak, "call_back")
        speak(load(self.name).say("no_call_back"))
        return {"misses": 0, "unreached": 0}

    def _ask_number(self, state: CallState, speak: Speak, *, other: bool = False) -> CallUpdate:
        own = None if other else shown_phone_number(state.get("caller_number", ""))
        words = load(self.name)
        if own is None:
            speak(words.say("ask_number"))
            return {"misses": 0, "awaiting": self._question("number")}
        speak(words.say("same_number", digits=last_digits(own)))
        return {"misses": 0, "call_back_number": own, "awaiting": self._question("same_number")}

    def _same_number(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        if (number := _number(caller)) is not None:  # « non, plutôt au… »
            return self._check_number(speak, number)
        match _agrees(caller):
            case True:
                return self._ask_time(speak)
            case False:
                return self._ask_number(state, speak, other=True)
            case None:
                digits = last_digits(state.get("call_back_number", ""))
                return self._missed(state, speak, "same_number", digits=digits)

    def _take_number(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        number = _number(caller)
        return self._missed(state, speak, "number") if number is None else self._check_number(speak, number)

    def _check_number(self, speak: Speak, number: str) -> CallUpdate:
        speak(load(self.name).say("check_number", number=written.phone(number)))
        return {"misses": 0, "call_back_number": number, "awaiting": self._question("check_number")}

    def _number_checked(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        if (number := _number(caller)) is not None:
            return self._check_number(speak, number)
        match _agrees(caller):
            case True:
                return self._ask_time(speak)
            case False:
                return self._ask_number(state, speak, other=True)
            case None:
                number = written.phone(state.get("call_back_number", ""))
                return self._missed(state, speak, "check_number", number=number)

    def _ask_time(self, speak: Speak) -> CallUpdate:
        speak(load(self.name).say("when"))
        return {"misses": 0, "awaiting": self._question("when")}

    async def _take_time(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        match self._time(caller):
            case None if (number := _number(caller)) is not None:  # « non, plutôt au… », a question later
                return self._check_number(speak, number)
            case None:
                return self._missed(state, speak, "when")
            case NobodyThere():
                self._tell_hours(speak, "nobody_then")
                return {"awaiting": self._question("when")}
            case when:
                return await self._promise(state, speak, when)

    async def _promise(self, state: CallState, speak: Speak, when: CallBackTime) -> CallUpdate:
        words = load(self.name)
        told, number = handover(state), state.get("call_back_number", "")
        promise = CallBack(
            call_id=state.get("call_id", ""),
            number=number,
            when=when,
            queue=told["queue"],
            reason=told["reason"],
            summary=told["summary"],
            customer_number=told["customer_number"],
            asked_at=self.now(),
        )
        await sure()
        try:
            await self.call_backs.record(promise)
        except CallBacksUnavailable:
            self._tell_hours(speak, "not_noted")
            return self._arranged(state, speak)
        today = when.on == self.now().astimezone(PARIS).date()
        speak(
            words.say(
                "noted",
                day=words.say("today").text if today else written.weekday(when.on),
                part=words.say(when.part).text,
                digits=last_digits(number),
            )
        )
        arranged = self._arranged(state, speak)
        if arranged.get("goto"):
            return arranged
        # « en fait, plutôt mardi »: the promise may still be corrected, and the last one counts.
        noted: CallUpdate = {"call_back_number": number, "awaiting": question(self.name, "noted", "open")}
        return {**arranged, **noted}

    async def _after_promise(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        """Another time, another number; or yes or no to "autre chose ?"."""
        if self._time(caller) is not None:
            return await self._take_time(state, speak, caller)
        if (number := _number(caller)) is not None:
            return self._check_number(speak, number)
        if _agrees(caller) is False:
            return {"goto": "goodbye", "call_back_number": ""}
        speak(load(self.name).say("declined"))
        return {"misses": 0, "call_back_number": ""}

    def _arranged(self, state: CallState, speak: Speak) -> CallUpdate:
        return {**request_served(state, speak, _topic(state)), "call_back_number": "", "unreached": 0}

    def _missed(self, state: CallState, speak: Speak, what: str, **values: str) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            self._tell_hours(speak, "give_up")
            return self._arranged(state, speak)
        speak(load(self.name).say(f"{what}_missed", nth=misses - 1, **values))
        return {"misses": misses, "awaiting": self._question(what)}

    def _question(self, what: str) -> Awaiting:
        return question(self.name, what, _FORMS.get(what, "yes_no"))

    def _time(self, caller: Caller) -> CallBackTime | NobodyThere | None:
        if caller.keyed:
            return keyed_call_back_time(caller.text, self.now(), self.hours)
        return call_back_time(caller.text, self.now(), self.hours)

    def _tell_hours(self, speak: Speak, key: str, nth: int = 0) -> None:
        """The line ``key``, which may name the hours."""
        opens, closes = written.clock(self.hours.opens_at), written.clock(self.hours.closes_at)
        speak(load(self.name).say(key, nth=nth, opens=opens, closes=closes))


def _agrees(caller: Caller) -> bool | None:
    """Yes or no, in words or as 1 and 2; None when neither."""
    if caller.keyed:
        return {"1": True, "2": False}.get(caller.text)
    return spoken.yes_no(caller.text)


def _wants_call_back(caller: Caller) -> bool:
    return not caller.keyed and (wants_call_back(caller.text) or act(caller.text) is Act.CALL_BACK)


def _number(caller: Caller) -> str | None:
    """The telephone number in the caller's words or keys."""
    return (keyed_phone_number if caller.keyed else phone_number)(caller.text)


def _choice(caller: Caller) -> Choice | None:
    """What the caller wants to do now that nobody took him; None when it is not clear."""
    if caller.keyed:
        return _CHOICE_KEYS.get(caller.text)
    if _wants_call_back(caller) or _CALL_BACK.search(caller.text):
        return "call_back"
    if _OTHER.search(caller.text):
        return "other"
    if _WAIT.search(caller.text) and not _NOT_WAIT.search(caller.text):
        return "wait"
    return "other" if spoken.yes_no(caller.text) is False else None


def _reason(state: CallState) -> TransferReason:
    return state.get("transfer_reason", "asked")


def _topic(state: CallState) -> str:
    return state.get("pending") or state.get("topic", "")


def handover(state: CallState) -> Handover:
    """What people need to know when they are given the caller now."""
    seal = state.get("identity")
    words = load("transfer")
    reason, topic = _reason(state), _topic(state)
    return Handover(
        queue=QUEUES.get(topic, "conseillers"),
        reason=reason,
        summary=words.say(
            "summary",
            reason=words.say(f"because_{reason}").text,
            topic=words.say(f"about_{topic or 'nothing'}").text,
            identity=words.say("identified" if seal else "not_identified_yet").text,
        ).text,
        customer_number=str(seal["customer_number"]) if seal else "",
    )


def _line(reason: TransferReason, topic: str) -> str:
    match reason:
        case "not_understood" | "not_identified" | "adviser_needed" | "bereavement" | "distress" | "too_long":
            return reason
        case "complaint" | "insult" | "emergency":
            return "at_once"
        case "declare":
            return "claims"
        case _:
            return {"claims": "claims", "contract": "contracts"}.get(topic, "advisers")
