"""The caller's life insurance contracts: value, payments, dates, beneficiaries. Numbers come from the back
office, never a model.

Who has several is asked which one he means, and the one that was spoken of stays meant. Beneficiaries need a
proof of level 2. Orders (a withdrawal, another beneficiary, another bank account) are for people: nothing is
changed by voice, and no money leaves.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from graph.skill import Caller, Speak, caller_turn, offer_adviser, open_question, question, request_served
from graph.state import Awaiting, CallState, CallUpdate
from prompts import load
from tools import choices, spoken, written
from tools.backoffice import Backoffice
from tools.identity import Identity, IdentityLevel
from tools.models import Contract as ContractRecord
from tools.models import ContractStatus

MAX_SPOKEN = 3
"""Nobody remembers more than three items that were read to him."""

MAX_MISSES = 3

TAX_YEARS = 8
"""Age of a contract after which withdrawals are taxed less (Code général des impôts, article 125-0 A)."""

SHORT_WORDS = 6
"""An answer to "lequel ?" is a few words; a longer sentence holds another request."""

_GENERAL = re.compile(r"\b(?:vous|comment|imp[oô]ts?|fiscal\w*|frais)\b", re.IGNORECASE)
"""What makes a few words a question about things in general, not about his contract."""

Aspect = Literal["value", "payments", "dates", "beneficiaries", "order", "total"]

_ASPECTS: tuple[tuple[Aspect, re.Pattern[str]], ...] = (
    (
        "order",
        re.compile(
            r"\b(?:retirer|rachat|racheter|debloquer|recuperer|sortir|cloturer|resilier|virer)\b"
            r"|\b(?:changer|modifier|ajouter|enlever|remplacer|mettre a jour)\b.*"
            r"\b(?:beneficiaires?|clause|adresse|rib|iban|banque|coordonnees|versements?|prelevement)\b"
            r"|\b(?:augmenter|diminuer|baisser|arreter|suspendre|faire)\b.*\b(?:versements?|prelevements?)\b"
        ),
    ),
    ("beneficiaries", re.compile(r"\bbeneficiaires?\b|\bclause\b|\bqui (?:touche|recoit|herite|aura)\b")),
    (
        "payments",
        re.compile(
            r"\b(?:versements?|prelevements?|cotisations?|mensualites?|primes?)\b"
            r"|\bje (?:verse|paie|paye|cotise)\b"
            r"|\bcombien (?:je )?(?:verse|paie|paye|cotise)\b|\b(?:preleve|verse|prelevez)s?\b"
        ),
    ),
    (
        "dates",
        re.compile(
            r"\b(?:ouvert|ouverture|souscrit|souscription|anciennete|date|signe|signature|echeance)\w*\b"
            r"|\bdepuis (?:quand|combien)\b|\b(?:huit|8) ans\b|\bquel age\b"
        ),
    ),
    ("total", re.compile(r"\b(?:au total|en tout|total|tout compris|ensemble)\b")),
)


@dataclass(frozen=True, slots=True)
class Contract:
    """The identified caller's contracts."""

    backoffice: Backoffice
    today: Callable[[], date] = date.today
    name: str = "contract"
    intent: str = "contract_inquiry"
    describes: str = "savoir ce que vaut son contrat d'assurance vie, son épargne, ses versements"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """Which contract: a place, a name, a number, in a few words."""
        if awaiting["what"] == "more":  # « et les bénéficiaires ? »
            return _aspect(caller.text) is not None and not _GENERAL.search(caller.text)
        return caller.keyed or _says_which(caller.text) or len(caller.text.split()) <= SHORT_WORDS

    async def __call__(self, state: CallState, speak: Speak, identity: Identity) -> CallUpdate:
        """Say what was asked of the contract that is meant, or ask. Raises ``BackofficeUnavailable``."""
        words = load(self.name)
        said = _said(state)
        asked_which = open_question(state, self.name).startswith("which")
        aspect = _aspect(said) or _asked_before(state, said) or "value"
        if aspect == "order":
            return offer_adviser(state, speak, words, "order", "adviser_needed", self.name)
        if aspect == "beneficiaries" and identity.level < IdentityLevel.THIRD_ITEM:
            return {
                "goto": "authenticate",
                "pending": self.name,
                "request": said,
                "wants_level": int(IdentityLevel.THIRD_ITEM),
            }
        contracts = await self.backoffice.contracts(identity)
        if not contracts:
            return offer_adviser(state, speak, words, "none", "unknown", self.name)
        number = _number(state)
        if number is not None and all(number != held.number for held in contracts):
            return self._not_found(state, speak, aspect)
        offered = _offered(contracts)
        meant = _meant(state, said, contracts, offered)
        if aspect == "total":
            return self._total(state, speak, offered)
        if not meant:
            return self._ask_which(state, speak, offered, aspect, asked_which)
        for held in meant[:MAX_SPOKEN]:
            await self._tell(speak, held, aspect, identity)
        about = meant[0].number if len(meant) == 1 else ""
        return {**request_served(state, speak, self.name), "about": about, "aspect": aspect}

    # which one

    def _ask_which(
        self,
        state: CallState,
        speak: Speak,
        offered: Sequence[ContractRecord],
        aspect: Aspect,
        again: bool,
    ) -> CallUpdate:
        misses = state.get("misses", 0) + 1 if again else 0
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "not_understood", "topic": self.name}
        listed = offered[:MAX_SPOKEN]
        speak(
            load(self.name).say(
                "which_again" if again else "which",
                count=str(len(offered)),
                names=_either(_names(listed)),
            )
        )
        return {**self._which(aspect), "misses": misses}

    def _not_found(self, state: CallState, speak: Speak, aspect: Aspect) -> CallUpdate:
        misses = state.get("misses", 0) + 1
        if misses >= MAX_MISSES:
            return {"misses": 0, "goto": "transfer", "transfer_reason": "unknown", "topic": self.name}
        speak(load(self.name).say("not_found"))
        return {**self._which(aspect), "misses": misses}

    def _which(self, aspect: Aspect) -> CallUpdate:
        return {
            "awaiting": question(self.name, f"which:{aspect}", "choice"),
            "pending": "",
            "request": "",
        }

    # what about it

    def _total(self, state: CallState, speak: Speak, offered: Sequence[ContractRecord]) -> CallUpdate:
        """Of what is in force; amounts of different days are not added up."""
        active = [held for held in offered if held.status is ContractStatus.ACTIVE]
        days = {held.valued_on for held in active}
        if len(active) < 2 or len(days) != 1:
            for held in offered[:MAX_SPOKEN]:
                self._tell_value(speak, held)
        else:
            value = written.euros(sum(held.value_cents for held in active))
            day = written.day(days.pop())
            speak(load(self.name).say("total", count=str(len(active)), value=value, valued_on=day))
        return request_served(state, speak, self.name)

    async def _tell(self, speak: Speak, held: ContractRecord, aspect: Aspect, identity: Identity) -> None:
        match aspect:
            case "payments" if held.status is not ContractStatus.CLOSED:
                self._tell_payments(speak, held)
            case "dates":
                self._tell_dates(speak, held)
            case "beneficiaries":
                await self._tell_beneficiaries(speak, held, identity)
            case _:
                self._tell_value(speak, held)

    def _tell_value(self, speak: Speak, held: ContractRecord) -> None:
        words = load(self.name)
        if held.status is ContractStatus.CLOSED:
            speak(words.say("closed", product=held.product))
            return
        if held.status is ContractStatus.PENDING:
            speak(words.say("not_in_force", product=held.product))
            return
        speak(
            words.say(
                "value",
                product=held.product,
                value=written.euros(held.value_cents),
                valued_on=written.day(held.valued_on),
            )
        )
        if held.monthly_payment_cents:
            speak(words.say("also", payment=written.euros(held.monthly_payment_cents)))

    def _tell_payments(self, speak: Speak, held: ContractRecord) -> None:
        words = load(self.name)
        if held.monthly_payment_cents:
            payment = written.euros(held.monthly_payment_cents)
            speak(words.say("monthly", product=held.product, payment=payment))
        else:
            speak(words.say("no_monthly", product=held.product))
        if held.last_payment_cents is not None and held.last_payment_on is not None:
            speak(
                words.say(
                    "last_payment",
                    amount=written.euros(held.last_payment_cents),
                    paid_on=written.day(held.last_payment_on),
                )
            )
        if held.next_payment_on is not None and held.next_payment_on >= self.today():
            speak(words.say("next_payment", due_on=written.day(held.next_payment_on)))

    def _tell_dates(self, speak: Speak, held: ContractRecord) -> None:
        words = load(self.name)
        speak(words.say("opened", product=held.product, opened_on=written.day(held.opened_on)))
        if held.status is ContractStatus.CLOSED:
            speak(words.say("closed", product=held.product))
            return
        mature = _years_later(held.opened_on, TAX_YEARS)
        speak(words.say("mature" if mature <= self.today() else "not_mature", mature_on=written.day(mature)))

    async def _tell_beneficiaries(self, speak: Speak, held: ContractRecord, identity: Identity) -> None:
        words = load(self.name)
        clauses = await self.backoffice.beneficiaries(identity)
        clause = next((one.clause for one in clauses if one.contract_number == held.number), None)
        if clause is None:
            speak(words.say("no_beneficiaries", product=held.product))
        else:
            speak(words.say("beneficiaries", product=held.product, clause=clause))


def _said(state: CallState) -> str:
    """The answer to our own question; else the words that made the request, before identification."""
    caller = caller_turn(state) or Caller("")
    request = state.get("request", "")
    if open_question(state, "contract") and not caller.keyed:
        return caller.text
    return request or ("" if caller.keyed else caller.text)


def _number(state: CallState) -> str | None:
    """The contract's number, said or keyed as an answer to our question."""
    caller = caller_turn(state) or Caller("")
    if caller.keyed:
        if not open_question(state, "contract"):
            return None
        keyed = spoken.keyed_reference(caller.text)
        return keyed.value if keyed and keyed.kind is spoken.ReferenceKind.CONTRACT else None
    return spoken.contract_number(_said(state))


def _aspect(said: str) -> Aspect | None:
    folded = choices.plain(said)
    return next((aspect for aspect, form in _ASPECTS if form.search(folded)), None)


def _asked_before(state: CallState, said: str) -> Aspect | None:
    """What "lequel ?" was asked for; or what was told last, when he only points: « et pour l'autre »."""
    _, _, aspect = open_question(state, "contract").partition(":")
    if not aspect and choices.refers(said):
        aspect = state.get("aspect", "")
    return next((one for one, _ in _ASPECTS if one == aspect), None)


def _says_which(said: str) -> bool:
    return (
        spoken.contract_number(said) is not None
        or choices.ordinal(said, MAX_SPOKEN) is not None
        or choices.means_all(said)
        or choices.means_newest(said)
        or choices.means_oldest(said)
    )


def _offered(contracts: Sequence[ContractRecord]) -> Sequence[ContractRecord]:
    """Those one would ask about: a closed one only when there is no other."""
    alive = [held for held in contracts if held.status is not ContractStatus.CLOSED]
    return alive or contracts


def _meant(
    state: CallState, said: str, contracts: Sequence[ContractRecord], offered: Sequence[ContractRecord]
) -> Sequence[ContractRecord]:
    """The contracts that are meant; none when that is not clear."""
    caller = caller_turn(state) or Caller("")
    if caller.keyed and open_question(state, "contract") and len(caller.text) == 1:
        place = int(caller.text) - 1
        return [offered[place]] if 0 <= place < len(offered) else []
    number = _number(state)
    if number is not None:
        return [held for held in contracts if held.number == number]
    if len(offered) == 1:
        return offered
    if choices.means_all(said):
        return offered
    about = state.get("about", "")
    if choices.means_other(said) and about and len(offered) == 2:
        return [held for held in offered if held.number != about]
    if (nth := choices.ordinal(said, len(offered))) is not None:
        return [offered[nth]]
    by_name = choices.named(said, [held.product for held in offered])
    if len(by_name) == 1:
        return [offered[by_name[0]]]
    by_date = choices.dated(said, [held.opened_on for held in offered])
    if len(by_date) == 1:
        return [offered[by_date[0]]]
    if choices.means_newest(said):
        return [max(offered, key=lambda held: held.opened_on)]
    if choices.means_oldest(said):
        return [min(offered, key=lambda held: held.opened_on)]
    if open_question(state, "contract"):
        return []
    return [held for held in offered if held.number == about]


def _names(offered: Sequence[ContractRecord]) -> list[str]:
    """Product names; with the year where two are alike."""
    products = [held.product for held in offered]
    return [
        held.product if products.count(held.product) == 1 else f"{held.product} de {held.opened_on.year}"
        for held in offered
    ]


def _either(items: Sequence[str]) -> str:
    """``a, b et c``."""
    *others, last = items
    return f"{', '.join(others)} et {last}" if others else last


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, month=3, day=1)
