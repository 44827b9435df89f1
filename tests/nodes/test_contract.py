"""What contracts are worth, to the cent, from the back office and nowhere else."""

from dataclasses import replace
from datetime import date

from nodes.contract import Contract as ContractNode
from tests.nodes.stage import Played, back_office, play_personal, proven, state
from tools.models import Contract, ContractStatus, Customer, Title

CUSTOMER = Customer("12345678", Title.MONSIEUR, "Jean", "Essai", date(1970, 5, 5))
CONTRACT = Contract(
    "VIE-0000001",
    "12345678",
    "Horizon Sérénité",
    ContractStatus.ACTIVE,
    4523018,
    date(2026, 10, 31),
    date(2009, 5, 14),
)


async def ask(*contracts: Contract) -> Played:
    backoffice = back_office(CUSTOMER, contracts=contracts)
    identity = await proven(backoffice, CUSTOMER)
    return await play_personal(ContractNode(backoffice), state("combien j'ai"), identity)


async def test_the_value_is_said_with_its_date_and_its_cents() -> None:
    played = await ask(CONTRACT)
    assert "Au 31 octobre 2026" in played.text
    assert "45\u202f230,18\u00a0€" in played.text


async def test_a_regular_payment_is_said() -> None:
    assert "150\u00a0€ par mois" in (await ask(replace(CONTRACT, monthly_payment_cents=15000))).text


async def test_several_contracts_are_counted_and_said_one_by_one() -> None:
    played = await ask(CONTRACT, replace(CONTRACT, number="VIE-0000002", product="Patrimoine Liberté"))
    assert played.said[:3] == ["contract.several", "contract.value", "contract.value"]
    assert "Vous avez 2 contrats" in played.text


async def test_nobody_is_read_more_than_three_contracts() -> None:
    played = await ask(*(replace(CONTRACT, number=f"VIE-000000{n}") for n in range(5)))
    assert played.said.count("contract.value") == 3


async def test_a_contract_that_is_closed_or_not_yet_in_force_has_no_value_to_tell() -> None:
    closed = await ask(replace(CONTRACT, status=ContractStatus.CLOSED))
    pending = await ask(replace(CONTRACT, status=ContractStatus.PENDING))
    assert closed.said[0] == "contract.closed"
    assert pending.said[0] == "contract.not_in_force"
    assert "45" not in closed.text + pending.text


async def test_a_caller_without_a_contract_is_offered_a_human() -> None:
    played = await ask()
    assert played.said == ["contract.none"]
    awaiting = played.update.get("awaiting")
    assert awaiting is not None
    assert awaiting["by"] == "transfer"
