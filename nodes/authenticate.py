"""Who is calling: a number and a birth date, both right; a third item for what is more sensitive.

The only door to personal data. Rules (usual practice of French insurers): the number first, read back; the
birth date second, never read back; the same words whether an item is wrong, unknown or someone else's; the
keypad is offered after the first failure; after three failures in a call, or five in a day at the same
customer over all calls, a human takes over. The caller's own number is no proof, and who speaks for somebody
else is not identified at all, whatever he knows: relatives know both items.

A value may be given early, in one breath with others, or corrected after the next question was asked, also
after the refusal of the first attempt: what is kept is the last of each.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from graph.skill import (
    Caller,
    Speak,
    caller_turn,
    is_new_request,
    offer_adviser,
    open_question,
    question,
    sure,
)
from graph.state import Awaiting, CallState, CallUpdate, Form
from knowledge.wishes import takes_leave
from prompts import load
from tools import spoken, written
from tools.backoffice import Backoffice
from tools.gate import Gate, Locked, NeedsAdviser, Proven, Refused
from tools.identity import Identity, IdentityLevel
from tools.models import ThirdItem
from tools.third_items import keyed_third_item, third_item

MAX_FAILURES = 3
"""Items that do not match, or turns in a row that are not understood, before a human takes over."""

_FORMS: dict[str, Form] = {"birth_date": "date"}
"""Form of the answer to each question; a number for the others."""

_HAS_NO_NUMBER = re.compile(
    r"\b(?:pas|plus|perdu|oubli[eé]|sans|aucune?)\b.*\b(?:num[eé]ro|r[eé]f[eé]rence|papiers?|contrat)\b"
    r"|\b(?:num[eé]ro|r[eé]f[eé]rence)\b.*\b(?:pas|plus|perdu|oubli[eé])\b"
    r"|\b(?:je (?:ne )?(?:le |l'|la )?(?:sais|connais|retrouve|trouve|ai) (?:pas|plus))\b"
    r"|\b(?:aucune id[eé]e|pas sous la main|pas sur moi)\b",
    re.IGNORECASE,
)
_WILL_NOT_SAY = re.compile(
    r"\b(?:veux|souhaite|pr[eé]f[eè]re|peux|vais) pas\b.*\b(?:donner|dire|communiquer|identifier)\b"
    r"|\b(?:refuse|pr[eé]f[eè]re ne pas)\b|\b[cç]a ne vous regarde pas\b",
    re.IGNORECASE,
)
_DAY_OF_MONTH = re.compile(rf"\b(?:{'|'.join(written.MONTHS)}|fevrier|aout|decembre)\b", re.IGNORECASE)
_FEW_WORDS = 5
_LONGEST_DAY_WORDS = 3
"""« vingt et un »."""
_WHY = re.compile(
    r"\bpourquoi\b|\b[aà] quoi (?:[cç]a|cela) sert\b|\bc'est pour (?:quoi|faire quoi)\b", re.IGNORECASE
)
_LEAVES_IT = re.compile(
    r"\b(?:laisse[rz]? tomber|tant pis|annule[rz]?|oublie[rz]|peu importe|pas la peine|autre chose)\b",
    re.IGNORECASE,
)


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
        if awaiting["what"] == "third_item":
            agrees = spoken.yes_no(caller.text)
            return third_item(caller.text) is not None or (agrees is False and not takes_leave(caller.text))
        if self._number(caller) is not None:
            return True
        if takes_leave(caller.text):
            return False
        if self._born(caller) is not None or _only_leaves_it(caller):
            return True
        if awaiting["what"] == "other_number" and spoken.yes_no(caller.text) is False:
            return True
        if awaiting["what"] != "birth_date":
            return _cannot(caller)
        return spoken.yes_no(caller.text) is False

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """One step of the identification; passes straight on when it is already done."""
        if state.get("for_another"):
            return {"goto": "transfer", "transfer_reason": state["for_another"] or "third_party"}
        identity = self.gate.restore(state.get("identity"), state.get("call_id", ""))
        caller = caller_turn(state) or Caller("")
        if identity is not None:
            return await self._known(state, speak, caller, identity)
        if state.get("refusals", 0) >= MAX_FAILURES:
            return _to_people()
        match open_question(state, self.name):
            case "birth_date":
                return await self._take_birth_date(state, speak, caller)
            case "number" | "other_number" as what:
                return await self._take_number(state, speak, caller, what)
            case _:
                return await self._open(state, speak, caller)

    # level 1

    async def _open(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        """Identification begins; the caller may have said everything in one breath."""
        number, born = self._number(caller), self._born(caller)
        if number is not None:
            return await self._number_given(state, speak, caller, number)
        if _cannot(caller):
            return self._no_number(state, speak, caller)
        if born is None:
            speak(load(self.name).say("ask_number", nth=state.get("refusals", 0)))
        else:
            speak(load(self.name).say("ask_number_too"))
        return {**self._asks("number"), "misses": 0, **_kept(born)}

    async def _take_number(self, state: CallState, speak: Speak, caller: Caller, what: str) -> CallUpdate:
        number, born = self._number(caller), self._born(caller)
        if number is not None:
            return await self._number_given(state, speak, caller, number)
        if born is not None and state.get("tried_number"):  # « non, c'est la date, je suis né le… »
            return await self._prove(state, speak, state["tried_number"], born)
        words = load(self.name)
        if born is not None:  # the date came first
            speak(words.say("ask_number_too"))
            return {**self._asks("number"), "misses": 0, **_kept(born)}
        if not caller.keyed and _WHY.search(caller.text):
            speak(words.say("why"))
            return {**self._asks("number"), "misses": state.get("misses", 0)}
        if is_new_request(state, caller):  # he calls about something else; for that, too, he is identified
            speak(words.say("ask_number", nth=1))
            return {**self._asks("number"), "misses": 0}
        if caller.keyed:
            return self._missed(state, speak, "number")
        if _LEAVES_IT.search(caller.text):
            return self._left(speak)
        agrees = spoken.yes_no(caller.text)
        if agrees and not state.get("misses"):
            speak(words.say("go_ahead"))
            return {**self._asks("number"), "misses": 1}
        if _cannot(caller) or (agrees is False and what == "other_number"):
            if what == "other_number":
                return offer_adviser(
                    state, speak, words, "without_number", "not_identified", state.get("pending", "")
                )
            return self._no_number(state, speak, caller)
        if agrees is False:
            return self._left(speak)
        return self._missed(state, speak, "number")

    def _no_number(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        """He has none at hand, or will not say it: another one will do, and else people."""
        words = load(self.name)
        if _WILL_NOT_SAY.search(caller.text):
            return offer_adviser(state, speak, words, "unwilling", "not_identified", state.get("pending", ""))
        speak(words.say("other_number"))
        return {**self._asks("other_number"), "misses": 0}

    def _left(self, speak: Speak) -> CallUpdate:
        """What needed an identity is let go."""
        speak(load(self.name).say("left"))
        return {"pending": "", "request": "", "given_number": "", "given_birth_date": "", "misses": 0}

    async def _number_given(self, state: CallState, speak: Speak, caller: Caller, number: str) -> CallUpdate:
        given: CallUpdate = {"given_number": number, "misses": 0}
        if not number.isdigit():  # a claim or a contract: it is also what he calls about
            given["request"] = f"{state.get('request', '')} {number}".strip()
        born = self._born(caller) or _earlier(state)
        if born is not None:
            return {**given, **await self._prove(state, speak, number, born)}
        speak(load(self.name).say("ask_birth_date", number=_as_written(number)))
        return {**given, **self._asks("birth_date")}

    async def _take_birth_date(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        born = spoken.keyed_date(caller.text, self.today()) if caller.keyed else self._born(caller)
        number = self._number(caller)
        words = load(self.name)
        if born is not None:  # and perhaps the number again, corrected, in the same breath
            corrected = None if caller.keyed or number == f"{born:%d%m%Y}" else number
            return await self._prove(state, speak, corrected or state.get("given_number", ""), born)
        if number is not None:  # "non, c'est le…": what was read back was wrong
            speak(words.say("corrected_number", number=_as_written(number)))
            return {"given_number": number, "misses": 0, **self._asks("birth_date")}
        if not caller.keyed and _WHY.search(caller.text):
            speak(words.say("why_birth_date"))
            return {**self._asks("birth_date"), "misses": state.get("misses", 0)}
        if is_new_request(state, caller):
            speak(words.say("birth_date_again"))
            return {"misses": 0, **self._asks("birth_date")}
        agrees = spoken.yes_no(caller.text)
        if agrees:  # « oui, c'est ça »
            speak(words.say("birth_date_again"))
            return {"misses": state.get("misses", 0), **self._asks("birth_date")}
        if not caller.keyed and _WILL_NOT_SAY.search(caller.text):
            return offer_adviser(state, speak, words, "unwilling", "not_identified", state.get("pending", ""))
        if not caller.keyed and _LEAVES_IT.search(caller.text):
            return self._left(speak)
        if agrees is False:
            speak(words.say("ask_number", nth=1))
            return {"given_number": "", "misses": 0, **self._asks("number")}
        return self._missed(state, speak, "birth_date")

    async def _prove(self, state: CallState, speak: Speak, number: str, born: date) -> CallUpdate:
        words = load(self.name)
        await sure()  # a failure is counted beyond this call
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
                    "given_birth_date": "",
                    "tried_number": "",
                    "misses": 0,
                    "goto": pending,
                }
            case NeedsAdviser():
                return {
                    "given_number": "",
                    "given_birth_date": "",
                    "refusals": MAX_FAILURES,
                    "goto": "transfer",
                    "transfer_reason": "adviser_needed",
                }
            case Locked():
                return {**_to_people(), "refusals": MAX_FAILURES}
            case Refused():
                return self._refused(
                    state, speak, "refused", {"tried_number": number, **self._asks("number")}
                )

    # level 2

    async def _known(self, state: CallState, speak: Speak, caller: Caller, identity: Identity) -> CallUpdate:
        """Identified already: pass on, or raise the proof to what the request needs."""
        pending = state.get("pending", "")
        asked_already = open_question(state, self.name) == "third_item"
        if asked_already and not is_new_request(state, caller):
            return await self._take_third_item(state, speak, caller, identity)
        if identity.level < state.get("wants_level", 0) and pending and not asked_already:
            given = None if caller.keyed else _in_words(caller.text)
            if given is not None:
                return await self._confirm(state, speak, identity, given)
            speak(load(self.name).say("ask_third_item"))
            return {**self._asks("third_item"), "misses": 0}
        if not pending:
            number = self._number(caller)
            if number is not None and not number.isdigit():  # « non, pas celui-là, le … »
                about = "claims" if number.startswith("SIN") else "contract"
                return {"goto": about, "pending": about, "request": caller.text}
            speak(load(self.name).say("already"))
        return {"goto": pending, "wants_level": 0, "awaiting": state.get("awaiting")}

    async def _take_third_item(
        self, state: CallState, speak: Speak, caller: Caller, identity: Identity
    ) -> CallUpdate:
        given = keyed_third_item(caller.text) if caller.keyed else third_item(caller.text)
        if given is not None:
            return await self._confirm(state, speak, identity, given)
        cannot = not caller.keyed and (_cannot(caller) or spoken.yes_no(caller.text) is False)
        if cannot or _LEAVES_IT.search(caller.text):
            return {
                **offer_adviser(
                    state, speak, load(self.name), "without_third_item", "adviser_needed", "contract"
                ),
                "wants_level": 0,
            }
        return self._missed(state, speak, "third_item")

    async def _confirm(
        self, state: CallState, speak: Speak, identity: Identity, given: ThirdItem
    ) -> CallUpdate:
        await sure()
        match await self.gate.confirm(identity, given):
            case Proven(stronger) if stronger.level is IdentityLevel.THIRD_ITEM:
                return {
                    "identity": self.gate.seal(stronger, state.get("call_id", "")),
                    "wants_level": 0,
                    "misses": 0,
                    "goto": state.get("pending", ""),
                }
            case Locked():
                return {**_to_people(), "identity": None, "wants_level": 0, "refusals": MAX_FAILURES}
            case _:
                refused = self._refused(state, speak, "third_item_refused", self._asks("third_item"))
                return {**refused, "identity": None} if refused.get("goto") else refused

    # both

    def _refused(self, state: CallState, speak: Speak, key: str, again: CallUpdate) -> CallUpdate:
        refusals = state.get("refusals", 0) + 1
        failed: CallUpdate = {"given_number": "", "given_birth_date": "", "refusals": refusals, "misses": 0}
        if refusals >= MAX_FAILURES:
            return {**failed, **_to_people()}
        speak(load(self.name).say(key, nth=refusals - 1))
        return {**failed, **again}

    def _missed(self, state: CallState, speak: Speak, what: str) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_FAILURES:
            return {"misses": 0, **_to_people()}
        speak(load(self.name).say(f"{what}_missed", nth=misses - 1))
        return {"misses": misses, **self._asks(what)}

    def _asks(self, what: str) -> CallUpdate:
        return {"awaiting": question(self.name, what, _FORMS.get(what, "number"))}

    def _number(self, caller: Caller) -> str | None:
        """The customer, contract or claim number in the caller's words or keys."""
        if caller.keyed:
            keyed = spoken.keyed_reference(caller.text)
            return keyed.value if keyed else None
        today = self.today()
        said = spoken.any_reference(_parted(caller.text, today)[0], today.year)
        return said.value if said else None

    def _born(self, caller: Caller) -> date | None:
        """The birth date in the caller's words; keys are read as one only where one is asked for."""
        if caller.keyed:
            return None
        today = self.today()
        return spoken.birth_date(caller.text, today) or spoken.birth_date(
            _parted(caller.text, today)[1], today
        )


def _parted(text: str, today: date) -> tuple[str, str]:
    """The words with the number, and those with the birth date behind it, whose figures run into it.

    « … dix-sept trente-six quinze décembre … »: where the day begins is tried; what is left must hold a
    number and what is cut off a date, in one way only. Otherwise both are the words as they are.
    """
    month = _DAY_OF_MONTH.search(text)
    if month is None:
        return text, text
    before = text[: month.start()].split()
    cuts: dict[str, tuple[str, str]] = {}
    for length in range(1, min(_LONGEST_DAY_WORDS, len(before)) + 1):
        head = " ".join(before[:-length])
        tail = " ".join([*before[-length:], text[month.start() :]])
        number = spoken.any_reference(head)
        if number is not None and spoken.birth_date(tail, today) is not None:
            cuts[number.value] = (head, tail)
    return cuts.popitem()[1] if len(cuts) == 1 else (text, text)


def _to_people() -> CallUpdate:
    return {
        "given_number": "",
        "given_birth_date": "",
        "tried_number": "",
        "goto": "transfer",
        "transfer_reason": "not_identified",
    }


def _cannot(caller: Caller) -> bool:
    """Whether the caller says that he has no number, or will not give it."""
    said = caller.text.replace("’", "'")
    return _HAS_NO_NUMBER.search(said) is not None or _WILL_NOT_SAY.search(said) is not None


def _only_leaves_it(caller: Caller) -> bool:
    """« oh non laissez tomber », and nothing else that he would rather have."""
    few = len(caller.text.split()) <= _FEW_WORDS
    return not caller.keyed and few and _LEAVES_IT.search(caller.text) is not None


def _in_words(text: str) -> ThirdItem | None:
    """A third item that was named as one in the very request; a bare number there is something else."""
    named = re.search(r"\bcode postal\b", text, re.IGNORECASE)
    return third_item(text[named.start() :]) if named else None


def _kept(born: date | None) -> CallUpdate:
    return {} if born is None else {"given_birth_date": born.isoformat()}


def _earlier(state: CallState) -> date | None:
    kept = state.get("given_birth_date", "")
    return date.fromisoformat(kept) if kept else None


def _as_written(number: str) -> str:
    """A customer number in pairs, as it is read back; claims and contracts as they stand."""
    return written.customer(number) if number.isdigit() else number
