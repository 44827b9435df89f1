"""Where the caller's claim stands: only his own, by its number, or the only one, or the last one.

A decision is reported, never made (GDPR art. 22); a refusal is explained by people.
"""

import re
from dataclasses import dataclass

from graph.skill import Caller, Speak, caller_turn, offer_adviser, open_question, question, request_served
from graph.state import Awaiting, CallState, CallUpdate
from prompts import Line, load
from tools import spoken, written
from tools.backoffice import Backoffice
from tools.identity import Identity
from tools.models import Claim, ClaimStatus

_THE_LAST_ONE = re.compile(r"\b(?:derni[eè]re?|plus r[eé]cente?)\b", re.IGNORECASE)

MAX_MISSES = 3


@dataclass(frozen=True, slots=True)
class Claims:
    """The identified caller's claims."""

    backoffice: Backoffice
    name: str = "claims"
    intent: str = "claims_status"
    describes: str = "savoir où en est son sinistre, son dossier de sinistre, son remboursement"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """A claim's number, or "le dernier"."""
        return caller.keyed or _wanted(caller) is not None

    async def __call__(self, state: CallState, speak: Speak, identity: Identity) -> CallUpdate:
        """Say where the claim stands, or ask which. Raises ``BackofficeUnavailable``."""
        words = load(self.name)
        caller = _caller(state)
        claims = await self.backoffice.claims(identity)
        if not claims:
            return offer_adviser(state, speak, words, "none", "unknown", self.name)
        match _wanted(caller):
            case "last":
                return self._tell(state, speak, claims[0])
            case None if open_question(state, self.name) == "number":
                return self._missed(state, speak)
            case None if len(claims) == 1:
                return self._tell(state, speak, claims[0])
            case None:
                speak(words.say("ask_number"))
                return self._ask()
            case number:
                claim = await self.backoffice.claim(identity, number)
                if claim is None:
                    return self._not_found(state, speak)
                return self._tell(state, speak, claim)

    def _tell(self, state: CallState, speak: Speak, claim: Claim) -> CallUpdate:
        speak(_status(claim))
        if claim.status is ClaimStatus.REFUSED:
            return offer_adviser(state, speak, load(self.name), "explain", "asked", self.name)
        return request_served(state, speak, self.name)

    def _ask(self) -> CallUpdate:
        return {
            "awaiting": question(self.name, "number", "number"),
            "pending": "",
            "request": "",
            "misses": 0,
        }

    def _missed(self, state: CallState, speak: Speak) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "not_understood", "topic": self.name}
        speak(load(self.name).say("number_missed", nth=misses - 1))
        return {**self._ask(), "misses": misses}

    def _not_found(self, state: CallState, speak: Speak) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "unknown", "topic": self.name}
        speak(load(self.name).say("not_found"))
        return {**self._ask(), "misses": misses}


def _caller(state: CallState) -> Caller:
    """The answer to our own question; else the words that made the request, before identification."""
    caller = caller_turn(state) or Caller("")
    if open_question(state, "claims"):
        return caller
    return Caller(state.get("request", "") or caller.text)


def _wanted(caller: Caller) -> str | None:
    """The claim's number, ``last``, or None when neither is said."""
    if caller.keyed:
        keyed = spoken.keyed_reference(caller.text)
        return keyed.value if keyed and keyed.kind is spoken.ReferenceKind.CLAIM else None
    number = spoken.claim_number(caller.text)
    if number is not None:
        return number
    return "last" if _THE_LAST_ONE.search(caller.text) else None


def _status(claim: Claim) -> Line:
    words = load("claims")
    match claim.status:
        case ClaimStatus.DECLARED:
            return words.say("declared", kind=claim.kind)
        case ClaimStatus.DOCUMENTS_MISSING:
            return words.say(
                "documents_missing", kind=claim.kind, documents=_listing(claim.missing_documents)
            )
        case ClaimStatus.EXPERT_VISIT if claim.visit_on is not None:
            return words.say("expert_visit", kind=claim.kind, visit_on=written.day(claim.visit_on))
        case ClaimStatus.EXPERT_VISIT:
            return words.say("expert_visit_pending", kind=claim.kind)
        case ClaimStatus.UNDER_REVIEW:
            return words.say("under_review", kind=claim.kind)
        case ClaimStatus.ACCEPTED:
            return words.say("accepted", kind=claim.kind)
        case ClaimStatus.PAID if claim.paid_cents is not None and claim.paid_on is not None:
            return words.say(
                "paid",
                kind=claim.kind,
                amount=written.euros(claim.paid_cents),
                paid_on=written.day(claim.paid_on),
            )
        case ClaimStatus.REFUSED:
            return words.say("refused", kind=claim.kind)
        case ClaimStatus.PAID | ClaimStatus.CLOSED:
            return words.say("closed", kind=claim.kind)


def _listing(items: tuple[str, ...]) -> str:
    """``a, b et c``."""
    *others, last = items
    return f"{', '.join(others)} et {last}" if others else last
