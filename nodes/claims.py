"""Where the caller's claim stands: only his own, by its number, by what happened, or the last one.

Each status is told with the next step; who asks for the expert, the documents or the money is told about
those too. A decision is reported, never made (GDPR art. 22); a refusal is explained by people. No delay is
promised: fifteen working days are an average, not a date.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from graph.skill import Caller, Speak, caller_turn, offer_adviser, open_question, question, request_served
from graph.state import Awaiting, CallState, CallUpdate
from prompts import Line, load
from tools import choices, spoken, written
from tools.backoffice import Backoffice
from tools.identity import Identity
from tools.models import Claim, ClaimStatus

MAX_MISSES = 3

MAX_SPOKEN = 3
"""Nobody remembers more than three items that were read to him."""

SHORT_WORDS = 7
"""An answer to "lequel ?" is a few words; a longer sentence holds another request."""

_GENERAL = re.compile(r"\b(?:comment|quels?|quelles?|faut-il|d[eé]lais?)\b", re.IGNORECASE)
"""What makes a few words a question about things in general, not about his claim."""

Aspect = Literal["documents", "expert", "payment"]

_ASPECTS: tuple[tuple[Aspect, re.Pattern[str]], ...] = (
    ("expert", re.compile(r"\bexpert\w*\b|\bvisite\b")),
    (
        "payment",
        re.compile(
            r"\b(?:paye|payes|paie|paiement|payer|verse|versement|virement|rembours\w*|indemnis\w*|indemnite|argent"
            r"|cheque|toucher?|regle|reglement)\b"
        ),
    ),
    (
        "documents",
        re.compile(
            r"\b(?:documents?|pieces?|papiers?|manque\w*|photos?|devis|factures?|justificatifs?|complet)\b"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Claims:
    """The identified caller's claims."""

    backoffice: Backoffice
    today: Callable[[], date] = date.today
    name: str = "claims"
    intent: str = "claims_status"
    describes: str = "savoir où en est son sinistre, son dossier de sinistre, son remboursement"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """A claim's number, "le dernier", "le deuxième"; of a claim that was told, "et l'expert ?"."""
        if awaiting["what"] == "more":
            return _aspect(caller.text) is not None and not _GENERAL.search(caller.text)
        return (
            caller.keyed
            or _claim_number(caller) is not None
            or choices.means_newest(caller.text)
            or choices.ordinal(caller.text, MAX_SPOKEN) is not None
        )

    async def __call__(self, state: CallState, speak: Speak, identity: Identity) -> CallUpdate:
        """Say where the claim stands, or ask which. Raises ``BackofficeUnavailable``."""
        words = load(self.name)
        caller = _caller(state)
        claims = await self.backoffice.claims(identity)
        number = _claim_number(caller)
        if not claims:
            return offer_adviser(state, speak, words, "none", "unknown", self.name)
        if number is not None:
            claim = await self.backoffice.claim(identity, number)
            if claim is None:
                return self._not_found(state, speak)
            return self._tell(state, speak, claim, caller.text)
        meant = _meant(state, caller, claims)
        if len(meant) == 1:
            return self._tell(state, speak, meant[0], caller.text)
        if choices.means_all(caller.text):
            return self._tell_all(state, speak, claims)
        if open_question(state, self.name) == "number" and not meant:
            return self._missed(state, speak)
        return self._ask(state, speak, meant or claims)

    def _tell(self, state: CallState, speak: Speak, claim: Claim, said: str) -> CallUpdate:
        speak(self._status(claim))
        also = self._also(claim, _aspect(said))
        if also is not None:
            speak(also)
        if claim.status is ClaimStatus.REFUSED:
            return offer_adviser(state, speak, load(self.name), "explain", "asked", self.name)
        return {**request_served(state, speak, self.name), "about_claim": claim.number}

    def _tell_all(self, state: CallState, speak: Speak, claims: Sequence[Claim]) -> CallUpdate:
        for claim in claims[:MAX_SPOKEN]:
            speak(self._status(claim))
        return request_served(state, speak, self.name)

    def _ask(self, state: CallState, speak: Speak, among: Sequence[Claim]) -> CallUpdate:
        listed = _listing([_described(claim) for claim in among[:MAX_SPOKEN]])
        again = open_question(state, self.name) == "number"
        misses = state.get("misses", 0) + 1 if again else 0
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "not_understood", "topic": self.name}
        speak(load(self.name).say("ask_number", nth=int(again), count=str(len(among)), claims=listed))
        return {**self._asks(), "misses": misses}

    def _asks(self) -> CallUpdate:
        return {
            "awaiting": question(self.name, "number", "number"),
            "pending": "",
            "request": "",
        }

    def _missed(self, state: CallState, speak: Speak) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "not_understood", "topic": self.name}
        speak(load(self.name).say("number_missed", nth=misses - 1))
        return {**self._asks(), "misses": misses}

    def _not_found(self, state: CallState, speak: Speak) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "unknown", "topic": self.name}
        speak(load(self.name).say("not_found"))
        return {**self._asks(), "misses": misses}

    def _status(self, claim: Claim) -> Line:
        words = load(self.name)
        match claim.status:
            case ClaimStatus.DECLARED:
                return words.say("declared", kind=claim.kind)
            case ClaimStatus.DOCUMENTS_MISSING:
                return words.say(
                    "documents_missing", kind=claim.kind, documents=_listing(claim.missing_documents)
                )
            case ClaimStatus.EXPERT_VISIT if claim.visit_on is not None:
                key = "expert_visit" if claim.visit_on >= self.today() else "expert_visited"
                return words.say(key, kind=claim.kind, visit_on=written.day(claim.visit_on))
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

    def _also(self, claim: Claim, aspect: Aspect | None) -> Line | None:
        """What was asked for and the status does not say."""
        words = load(self.name)
        over = claim.status in {ClaimStatus.PAID, ClaimStatus.REFUSED, ClaimStatus.CLOSED}
        match aspect:
            case "documents" if not over and claim.status is not ClaimStatus.DOCUMENTS_MISSING:
                return words.say("nothing_missing")
            case "expert" if not over and claim.status is not ClaimStatus.EXPERT_VISIT:
                return words.say("no_visit")
            case "payment" if not over and claim.status is not ClaimStatus.ACCEPTED:
                return words.say("not_paid")
            case _:
                return None


def _caller(state: CallState) -> Caller:
    """The answer to our own question; else the words that made the request, before identification."""
    caller = caller_turn(state) or Caller("")
    if open_question(state, "claims"):
        return caller
    return Caller(state.get("request", "") or ("" if caller.keyed else caller.text))


def _claim_number(caller: Caller) -> str | None:
    if caller.keyed:
        keyed = spoken.keyed_reference(caller.text)
        return keyed.value if keyed and keyed.kind is spoken.ReferenceKind.CLAIM else None
    return spoken.claim_number(caller.text)


def _meant(state: CallState, caller: Caller, claims: Sequence[Claim]) -> Sequence[Claim]:
    """The claims that are meant, newest first: one when it is clear, several when they fit alike."""
    if caller.keyed:
        place = int(caller.text) - 1 if len(caller.text) == 1 and caller.text.isdigit() else -1
        return [claims[place]] if 0 <= place < min(len(claims), MAX_SPOKEN) else []
    if len(claims) == 1:
        return claims
    said = caller.text
    about = state.get("about_claim", "")
    if choices.means_other(said) and about and len(claims) == 2:
        return [claim for claim in claims if claim.number != about]
    by_kind = choices.named(said, [claim.kind for claim in claims])
    by_date = choices.dated(said, [claim.declared_on for claim in claims])
    both = [place for place in by_kind if place in by_date]
    fitting = [claims[place] for place in (both or by_kind or by_date)]
    if choices.means_newest(said):
        return (fitting or claims)[:1]
    if choices.means_oldest(said):
        return (fitting or claims)[-1:]
    if fitting:
        return fitting
    if (nth := choices.ordinal(said, min(len(claims), MAX_SPOKEN))) is not None:
        return [claims[nth]]
    if open_question(state, "claims") or not about or _aspect(said) is None:
        return []
    return [claim for claim in claims if claim.number == about]  # « et l'expert, il passe quand ? »


def _aspect(said: str) -> Aspect | None:
    folded = choices.plain(said)
    return next((aspect for aspect, form in _ASPECTS if form.search(folded)), None)


def _described(claim: Claim) -> str:
    """What happened and when: ``dégât des eaux de septembre 2026``."""
    month = written.MONTHS[claim.declared_on.month - 1]
    return f"{claim.kind} {'d’' if month[0] in 'ao' else 'de '}{month} {claim.declared_on.year}"


def _listing(items: Sequence[str]) -> str:
    """``a, b et c``."""
    *others, last = items
    return f"{', '.join(others)} et {last}" if others else last
