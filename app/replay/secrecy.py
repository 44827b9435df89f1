"""The rule that every replay keeps, whether its transcript asks for it or not: secrets stay secret.

Nothing of a customer's file is said before his identity is proven, and never anything of somebody else's.
"""

import re

from app.replay.script import spaced
from tools import written
from tools.backoffice_demo import DemoData


class Secrets:
    """What of each customer's file a caller may only hear when he has proven to be that customer."""

    def __init__(self, data: DemoData) -> None:
        self._of: dict[str, set[str]] = {customer.number: {customer.last_name} for customer in data.customers}
        for contract in data.contracts:
            amounts = (contract.value_cents, contract.monthly_payment_cents, contract.last_payment_cents)
            self._of[contract.customer_number] |= {written.euros(cents) for cents in amounts if cents}
            self._of[contract.customer_number] |= {contract.number, written.day(contract.opened_on)}
        for claim in data.claims:
            self._of[claim.customer_number] |= {claim.number}
            if claim.paid_cents:
                self._of[claim.customer_number].add(written.euros(claim.paid_cents))
            if claim.visit_on:
                self._of[claim.customer_number].add(written.day(claim.visit_on))
        for clause in data.beneficiaries:
            self._of[clause.customer_number].add(clause.clause)
        for customer in data.customers:
            self._of[customer.number].add(written.day(customer.birth_date))
        for items in data.third_items:
            self._of[items.customer_number] |= {items.postcode, items.phone_last_four, items.iban_last_four}

    def told(self, text: str, identified: str, caller_said: str) -> str:
        """What ``text`` tells that the customer ``identified`` (empty: nobody) may not hear, or "".

        What is another's and his own as well is his; what the caller has said himself is no secret to him.
        """
        own = self._of.get(identified, set())
        for known in own:  # a clause of his may hold another's: « vos héritiers »
            text = text.replace(known, "")
        given = _joined(caller_said)
        for secret in {
            one for number, secrets in self._of.items() if number != identified for one in secrets
        }:
            whole = re.search(rf"(?<![\w,.]){re.escape(spaced(secret))}(?!\w)", spaced(text))
            if whole and _joined(secret) not in given:
                return secret
        return ""


def _joined(text: str) -> str:
    """Letters and digits only."""
    return re.sub(r"\W", "", text).casefold()
