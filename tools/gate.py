"""The gate: where a caller becomes a customer, and the only maker of identities.

``prove`` compares what the caller gave with the back office; a wrong number, a wrong day and
somebody else's number all end in the same :class:`Refused`, by the same questions to the same
places, so that nobody learns, by words or by waiting, which item was wrong or whether a
customer exists. ``confirm`` raises a proof to level 2 by a third item. Both count what fails
(``memory.lockout``) under the customer whose number was tried, whichever of his numbers it was.

Between two turns the proof lies in the call's state as JSON. ``seal`` signs it with
HMAC-SHA256 over the call, the customer number and the level; ``restore`` gives the identity
back only for that very call. Whoever can write to the state store, but does not hold the
key, cannot make a customer out of a caller, nor carry a proof from one call to another.
"""

import asyncio
import hashlib
import hmac
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from memory.lockout import MAX_FAILURES_A_DAY, Lockout, LockoutUnavailable, MemoryLockout
from tools.backoffice import Backoffice, BackofficeUnavailable
from tools.identity import GATE_TOKEN, Identity, IdentityLevel
from tools.models import CLAIM_NUMBER, CONTRACT_NUMBER, CUSTOMER_NUMBER, ThirdItem

MIN_KEY_BYTES = 32
"""An HMAC-SHA256 key shorter than the hash weakens it (RFC 2104, section 3)."""

MAJORITY_AGE = 18
"""Civil majority (article 414 of the Code civil): before it, the legal representative speaks to people."""

SETTLES_S = 0.1
LOOKS = 8
"""How often a lock is looked at, :data:`SETTLES_S` apart, before it is believed: attempts of other calls are
written down too until they are known to be right. A caller who is locked out waits 0.8 s to hear it."""

_SIGNATURE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Proven:
    """Both items are right."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class Refused:
    """No customer has both items. Deliberately says no more."""


@dataclass(frozen=True, slots=True)
class NeedsAdviser:
    """Both items are right, but only a human may go on (minor, protected adult)."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Too many failures at this customer's identity in a day: whatever is given, people go on."""


Proof = Proven | Refused | NeedsAdviser | Locked


class Gate:
    """Proves callers, and carries their proof across turns. One serves every call."""

    def __init__(
        self,
        backoffice: Backoffice,
        key: bytes,
        lockout: Lockout | None = None,
        today: Callable[[], date] = date.today,
        settles_s: float = SETTLES_S,
    ) -> None:
        """``key`` signs sealed identities: 32 bytes or more, the same on every server of the line.

        ``lockout`` counts failures over all calls; without one, those of this gate. ``today`` tells who is
        of age. ``settles_s`` is about how long an attempt of another call may be under way. Raises ValueError
        when the key is shorter.
        """
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the identity key has {len(key)} bytes: give at least {MIN_KEY_BYTES}")
        self._backoffice = backoffice
        self._key = key
        self._lockout = lockout or MemoryLockout()
        self._today = today
        self._settles_s = settles_s

    async def prove(self, number: str, birth_date: date) -> Proof:
        """Compare what the caller gave: a customer, contract or claim number, and his birth date.

        Has an effect: what fails is counted. Raises BackofficeUnavailable.
        """
        if not any(form.fullmatch(number) for form in (CUSTOMER_NUMBER, CONTRACT_NUMBER, CLAIM_NUMBER)):
            return Refused()
        customer, holder = await asyncio.gather(
            self._backoffice.identify(number, birth_date), self._holder(number)
        )
        # The back office has compared already; an adapter or an API that did not is caught here.
        right = customer is not None and customer.birth_date == birth_date
        if customer is not None and CUSTOMER_NUMBER.fullmatch(number):
            right = right and customer.number == number
        refusal = await self._count(holder or number, right)
        if refusal is not None or customer is None:
            return refusal or Refused()
        if customer.needs_adviser or self._is_minor(customer.birth_date):
            return NeedsAdviser()
        return Proven(Identity(customer.number, IdentityLevel.NUMBER_AND_BIRTH_DATE, token=GATE_TOKEN))

    async def confirm(self, identity: Identity, item: ThirdItem) -> Proof:
        """Compare a third item: the identity at level 2, or what stands in its way.

        Has an effect: what fails is counted. Raises BackofficeUnavailable.
        """
        right = await self._backoffice.confirms(identity, item)
        refusal = await self._count(identity.customer_number, right)
        if refusal is not None:
            return refusal
        return Proven(Identity(identity.customer_number, IdentityLevel.THIRD_ITEM, token=GATE_TOKEN))

    async def _holder(self, number: str) -> str | None:
        return number if CUSTOMER_NUMBER.fullmatch(number) else await self._backoffice.holder(number)

    async def _count(self, subject: str, right: bool) -> Refused | Locked | None:
        """None when ``right`` and not locked; the attempt is counted before that is told.

        What looks like a lock may be other calls that are just being found right. So it is looked at again,
        whether this attempt is right or not: the wait tells nothing.
        """
        opaque = self.lockout_subject(subject)
        try:
            for _ in range(LOOKS):
                attempts = await self._lockout.attempt(opaque)
                if attempts <= MAX_FAILURES_A_DAY:
                    break
                await self._lockout.take_back(opaque)  # or nobody would ever get out of the lock
                await asyncio.sleep(self._settles_s * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
            else:
                return Locked()
            if right:
                await self._lockout.take_back(opaque)
                return None
        except LockoutUnavailable as exc:
            raise BackofficeUnavailable("failed attempts cannot be counted, so none is made") from exc
        return Locked() if attempts == MAX_FAILURES_A_DAY else Refused()

    def lockout_subject(self, number: str) -> str:
        """Under which failures at ``number`` are counted: a keyed hash, so that the count names nobody."""
        return hmac.new(self._key, f"lockout {number}".encode(), hashlib.sha256).hexdigest()

    def _is_minor(self, born: date) -> bool:
        today = self._today()
        age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
        return age < MAJORITY_AGE

    def seal(self, identity: Identity, call_id: str) -> dict[str, str | int]:
        """The identity as JSON for the state of that call."""
        number, level = identity.customer_number, identity.level
        signature = self._sign(call_id, number, level)
        return {"customer_number": number, "level": level.value, "signature": signature}

    def restore(self, sealed: object, call_id: str) -> Identity | None:
        """The identity sealed for that call; None for anything else, whatever it is."""
        match sealed:
            case {
                "customer_number": str(number),
                "level": int(level_value),
                "signature": str(signature),
                **rest,
            }:
                well_formed = not rest and not isinstance(level_value, bool)
            case _:
                return None
        if not well_formed or level_value not in list(IdentityLevel):
            return None
        if not CUSTOMER_NUMBER.fullmatch(number) or not _SIGNATURE.fullmatch(signature):
            return None
        level = IdentityLevel(level_value)
        if not hmac.compare_digest(signature, self._sign(call_id, number, level)):
            return None
        return Identity(number, level, token=GATE_TOKEN)

    def _sign(self, call_id: str, customer_number: str, level: IdentityLevel) -> str:
        # JSON keeps the three apart: ("a", "bc") and ("ab", "c") must not sign alike.
        signed = json.dumps(["identity", call_id, customer_number, level.value])
        return hmac.new(self._key, signed.encode("ascii"), hashlib.sha256).hexdigest()
