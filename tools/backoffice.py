"""The insurer's back office, as the dialogue sees it.

Every method that returns personal data takes the proof of identity and answers for that
customer alone: there is no way to ask for somebody else's. The adapters are
``backoffice_http`` (the insurer's API) and ``backoffice_demo`` (the in-memory twin); one
behaviour suite holds for both.
"""

from datetime import date
from typing import Protocol

from tools.identity import Identity
from tools.models import Beneficiaries, Claim, Contract, Customer, ThirdItem


class BackofficeUnavailable(Exception):
    """The back office could not answer: outage, time-out, refusal, or an answer that makes no sense.

    Raised by adapters, with the cause chained. Its text holds no personal data. Never means
    "there is no such thing": that is None or an empty tuple.
    """


class Backoffice(Protocol):
    """What the agent may ask. Every method may raise :class:`BackofficeUnavailable`."""

    async def identify(self, number: str, birth_date: date) -> Customer | None:
        """The customer whose number this is, or who holds this contract or claim, if born that day.

        ``number`` is in written form (``10078821``, ``VIE-0012345``, ``SIN-2026-003117``). One
        None for "no such number" and "born another day". For ``tools.gate``; nodes ask the gate.
        """

    async def holder(self, number: str) -> str | None:
        """The customer number behind a customer, contract or claim number; None when there is none.

        For ``tools.gate``, which counts failures per customer; it says nothing to anybody.
        """

    async def confirms(self, identity: Identity, item: ThirdItem) -> bool:
        """Whether the third item is the identified customer's. For ``tools.gate``."""

    async def customer(self, identity: Identity) -> Customer:
        """The file of the identified customer."""

    async def contracts(self, identity: Identity) -> tuple[Contract, ...]:
        """His contracts, oldest first."""

    async def beneficiaries(self, identity: Identity) -> tuple[Beneficiaries, ...]:
        """The clauses of his contracts. Raises ``tools.identity.ProofTooWeak`` below level 2."""

    async def claims(self, identity: Identity) -> tuple[Claim, ...]:
        """His claims, the one declared last first."""

    async def claim(self, identity: Identity, number: str) -> Claim | None:
        """His claim of that number; None when there is none or it is another customer's."""
