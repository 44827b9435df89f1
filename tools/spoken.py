"""French spoken values: what a caller says or keys, as numbers, dates, yes and no. Pure.

The door to the modules that do it: ``references`` (customer, contract and claim numbers),
``birth_dates``, ``yes_no``; they share ``numerals`` (every reading of French number words)
and ``repairs`` (what the speaker takes back). All keep one promise: never a wrong value in
silence. When what was said can be read in two ways, the answer is None and the agent asks
again.
"""

from tools.birth_dates import birth_date, keyed_date
from tools.references import (
    Reference,
    ReferenceKind,
    any_reference,
    claim_number,
    contract_number,
    customer_number,
    keyed_reference,
)
from tools.yes_no import yes_no

__all__ = [
    "Reference",
    "ReferenceKind",
    "any_reference",
    "birth_date",
    "claim_number",
    "contract_number",
    "customer_number",
    "keyed_date",
    "keyed_reference",
    "yes_no",
]
