"""The gate: where a caller becomes a customer, and the only maker of identities.

``prove`` compares what the caller gave with the back office and answers with one of three
things; a wrong number, a wrong day and somebody else's number all end in the same
:class:`Refused`, so that nobody learns which item was wrong or whether a customer exists.

Between two turns the proof lies in the call's state as JSON. ``seal`` signs it with
HMAC-SHA256 over the call, the customer number and the level; ``restore`` gives the identity
back only for that very call. Whoever can write to the state store, but does not hold the
key, cannot make a customer out of a caller, nor carry a proof from one call to another.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import date

from tools.backoffice import Backoffice
from tools.identity import GATE_TOKEN, Identity, IdentityLevel
from tools.models import CLAIM_NUMBER, CONTRACT_NUMBER, CUSTOMER_NUMBER

MIN_KEY_BYTES = 32
"""An HMAC-SHA256 key shorter than the hash weakens it (RFC 2104, section 3)."""

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


Proof = Proven | Refused | NeedsAdviser


class Gate:
    """Proves callers, and carries their proof across turns. One serves every call."""

    def __init__(self, backoffice: Backoffice, key: bytes) -> None:
        """``key`` signs sealed identities: 32 bytes or more, the same on every server of the line.

        Raises ValueError when it is shorter.
        """
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the identity key has {len(key)} bytes: give at least {MIN_KEY_BYTES}")
        self._backoffice = backoffice
        self._key = key

    async def prove(self, number: str, birth_date: date) -> Proof:
        """Compare what the caller gave: a customer, contract or claim number, and his birth date.

        Raises BackofficeUnavailable.
        """
        if not any(form.fullmatch(number) for form in (CUSTOMER_NUMBER, CONTRACT_NUMBER, CLAIM_NUMBER)):
            return Refused()
        customer = await self._backoffice.identify(number, birth_date)
        # The back office has compared already; an adapter or an API that did not is caught here.
        if customer is None or customer.birth_date != birth_date:
            return Refused()
        if CUSTOMER_NUMBER.fullmatch(number) and customer.number != number:
            return Refused()
        if customer.needs_adviser:
            return NeedsAdviser()
        return Proven(Identity(customer.number, IdentityLevel.NUMBER_AND_BIRTH_DATE, token=GATE_TOKEN))

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
