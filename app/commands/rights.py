"""The commands ``erase`` and ``export``: a person's rights, at the terminal of whoever may grant them."""

import json
from datetime import UTC, datetime

from app.person import Person
from app.person import erase as erase_from
from app.person import export as export_from
from app.settings import Settings, SettingsInvalid
from app.wiring import open_stores
from memory.archive import ArchiveUnavailable
from memory.counters import CountersAway
from memory.sealing import CannotOpen
from tools.models import CUSTOMER_NUMBER

UNREACHABLE = (ArchiveUnavailable, CannotOpen, CountersAway)


class NotDone(OSError):
    """A store could not be reached: nothing was promised to be gone. The message says what to do."""


async def erase(settings: Settings, customer: str, caller: str, *, as_json: bool = False) -> int:
    """Remove a person and print the receipt. Raises :class:`NotDone` when something could not be reached."""
    person = _person(customer, caller)
    try:
        async with open_stores(settings) as stores:
            receipt = await erase_from(stores, person)
    except UNREACHABLE as exc:
        raise NotDone(f"not everything could be reached ({exc}); mend it and run this again") from exc
    at = datetime.now(UTC).isoformat(timespec="seconds")
    if as_json:
        _print(json.dumps({"at": at, "customer": customer, "caller": caller, "removed": receipt}))
        return 0
    _print(f"Removed at {at}, of {'customer ' + customer if customer else 'caller ' + caller}:")
    for place, count in receipt.items():
        _print(f"  {place:<34}{count}")
    _print("Caches of voices hold fixed sentences only, logs no personal data: nothing to remove there.")
    _print("What other systems took from the events (a CRM) is theirs to remove.")
    return 0


async def export(settings: Settings, customer: str, caller: str) -> int:
    """Print what is kept of a person, as JSON. Raises :class:`NotDone`."""
    person = _person(customer, caller)
    try:
        async with open_stores(settings) as stores:
            told = await export_from(stores, person)
    except UNREACHABLE as exc:
        raise NotDone(f"not everything could be read ({exc}); mend it and run this again") from exc
    _print(json.dumps(told, ensure_ascii=False, indent=2))
    return 0


def _person(customer: str, caller: str) -> Person:
    if customer and not CUSTOMER_NUMBER.fullmatch(customer):
        raise SettingsInvalid("--customer: give the customer number as it is written: eight digits, 10078821")
    return Person(customer_number=customer, caller=caller)


def _print(line: str) -> None:
    print(line)  # noqa: T201 - the terminal is the interface
