"""The back office in memory: a dozen fictional customers from a file.

Used by the demonstration call, LangGraph Studio, replay, the demo server and tests, and held to
the same behaviour suite as the real one. The file is JSON with the lists ``customers``,
``contracts``, ``claims`` and, where wanted, ``beneficiaries``, whose entries have the fields of
``tools.models``, and ``third_items``, what customers may be asked for besides.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tools.backoffice import BackofficeUnavailable
from tools.identity import Identity, IdentityLevel, require
from tools.models import (
    LAST_FOUR,
    POSTCODE,
    Beneficiaries,
    Claim,
    Contract,
    Customer,
    ThirdItem,
    ThirdItemKind,
)

SHIPPED_DATA = Path(__file__).with_name("demo_customers.json")


class DemoDataInvalid(Exception):
    """The file of fictional customers cannot be used; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class ThirdItems:
    """What proves more of a customer. Never leaves the back office."""

    customer_number: str
    postcode: str
    phone_last_four: str
    iban_last_four: str

    def __post_init__(self) -> None:
        if not POSTCODE.fullmatch(self.postcode):
            raise ValueError("a postcode has 5 digits")
        if not LAST_FOUR.fullmatch(self.phone_last_four) or not LAST_FOUR.fullmatch(self.iban_last_four):
            raise ValueError("the end of a number has 4 digits")

    def confirm(self, item: ThirdItem) -> bool:
        """Whether ``item`` is among them."""
        if item.kind is ThirdItemKind.POSTCODE:
            return item.value == self.postcode
        return item.value in {self.phone_last_four, self.iban_last_four}


@dataclass(frozen=True, slots=True)
class DemoData:
    """All that the demonstration's insurer knows."""

    customers: tuple[Customer, ...]
    contracts: tuple[Contract, ...]
    claims: tuple[Claim, ...]
    beneficiaries: tuple[Beneficiaries, ...] = ()
    third_items: tuple[ThirdItems, ...] = ()

    @property
    def held(self) -> tuple[Contract | Claim, ...]:
        """All that belongs to a customer."""
        return (*self.contracts, *self.claims)


def read_demo_data(path: Path = SHIPPED_DATA) -> DemoData:
    """The fictional customers of a file; raises :class:`DemoDataInvalid`."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as exc:
        raise DemoDataInvalid(f"{path}: no such file. Give the path of a demo customers file.") from exc
    except UnicodeDecodeError as exc:
        raise DemoDataInvalid(f"{path}: not UTF-8 (byte {exc.start}). Save the file as UTF-8.") from exc
    except OSError as exc:
        raise DemoDataInvalid(f"{path}: cannot be read ({exc.strerror}). Check it and its rights.") from exc
    try:
        json.loads(text)  # for its line number only: pydantic reads the text itself, strictly
    except json.JSONDecodeError as exc:
        raise DemoDataInvalid(f"{path}: not JSON, line {exc.lineno}: {exc.msg}. Correct it there.") from exc
    except RecursionError as exc:
        raise DemoDataInvalid(f"{path}: JSON nested too deep. Give three lists of flat entries.") from exc
    try:
        data = TypeAdapter(DemoData).validate_json(text, strict=True, extra="forbid")
    except ValidationError as exc:
        raise DemoDataInvalid(f"{path}: {_first_fault(exc)}. Correct that entry.") from exc
    _check_numbers(data, path)
    return data


class DemoBackoffice:
    """``Backoffice`` over a :class:`DemoData`."""

    def __init__(self, data: DemoData | None = None) -> None:
        """The given customers, or those that ship with the project."""
        data = data or read_demo_data()
        self._customers = {customer.number: customer for customer in data.customers}
        self._contracts = data.contracts
        self._claims = data.claims
        self._beneficiaries = data.beneficiaries
        self._third_items = {items.customer_number: items for items in data.third_items}
        self._owners = {held.number: held.customer_number for held in data.held}

    @classmethod
    def load(cls, path: Path) -> "DemoBackoffice":
        """The customers of a file; raises :class:`DemoDataInvalid`."""
        return cls(read_demo_data(path))

    async def identify(self, number: str, birth_date: date) -> Customer | None:
        """See ``Backoffice``."""
        owner = self._owners.get(number, number)
        customer = self._customers.get(owner)
        return customer if customer is not None and customer.birth_date == birth_date else None

    async def holder(self, number: str) -> str | None:
        """See ``Backoffice``."""
        owner = self._owners.get(number, number)
        return owner if owner in self._customers else None

    async def confirms(self, identity: Identity, item: ThirdItem) -> bool:
        """See ``Backoffice``."""
        items = self._third_items.get(identity.customer_number)
        return items is not None and items.confirm(item)

    async def customer(self, identity: Identity) -> Customer:
        """See ``Backoffice``."""
        try:
            return self._customers[identity.customer_number]
        except KeyError as exc:
            raise BackofficeUnavailable("the file of an identified customer is gone") from exc

    async def contracts(self, identity: Identity) -> tuple[Contract, ...]:
        """See ``Backoffice``."""
        own = (
            contract for contract in self._contracts if contract.customer_number == identity.customer_number
        )
        return tuple(sorted(own, key=lambda contract: (contract.opened_on, contract.number)))

    async def beneficiaries(self, identity: Identity) -> tuple[Beneficiaries, ...]:
        """See ``Backoffice``."""
        require(identity, IdentityLevel.THIRD_ITEM)
        return tuple(one for one in self._beneficiaries if one.customer_number == identity.customer_number)

    async def claims(self, identity: Identity) -> tuple[Claim, ...]:
        """See ``Backoffice``."""
        own = (held for held in self._claims if held.customer_number == identity.customer_number)
        return tuple(sorted(own, key=lambda claim: (claim.declared_on, claim.number), reverse=True))

    async def claim(self, identity: Identity, number: str) -> Claim | None:
        """See ``Backoffice``."""
        return next((claim for claim in await self.claims(identity) if claim.number == number), None)


def _check_numbers(data: DemoData, path: Path) -> None:
    seen: set[str] = set()
    for number in (entry.number for entry in (*data.customers, *data.held)):
        if number in seen:
            raise DemoDataInvalid(f"{path}: the number {number} is given twice. Give each entry its own.")
        seen.add(number)
    known = {customer.number for customer in data.customers}
    for held in data.held:
        if held.customer_number not in known:
            raise DemoDataInvalid(
                f"{path}: {held.number} belongs to {held.customer_number}, who is not among the customers."
                " Add that customer or correct the number."
            )
    owners = {contract.number: contract.customer_number for contract in data.contracts}
    for clause in data.beneficiaries:
        if owners.get(clause.contract_number) != clause.customer_number:
            raise DemoDataInvalid(
                f"{path}: beneficiaries of {clause.contract_number}, which is no contract of"
                f" {clause.customer_number}. Correct one of the two numbers."
            )
    for items in data.third_items:
        if items.customer_number not in known:
            raise DemoDataInvalid(
                f"{path}: third items of {items.customer_number}, who is not among the customers."
                " Add that customer or correct the number."
            )


def _first_fault(exc: ValidationError) -> str:
    fault = exc.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in fault["loc"]) or "the whole file"
    if fault["type"] == "unexpected_keyword_argument":
        return f"{where} is not a field we know"
    return f"{where}: {fault['msg']}"
