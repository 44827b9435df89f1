"""What contracts are worth, to the cent, from the back office and nowhere else."""

from dataclasses import replace
from datetime import date

import pytest

from graph.state import Awaiting
from nodes.contract import Contract as ContractNode
from tests.nodes.stage import Played, back_office, play_personal, proven, state
from tools.models import Contract, ContractStatus, Customer, Title

TODAY = date(2026, 11, 20)
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


async def ask(*contracts: Contract, text: str = "combien j'ai", **more: object) -> Played:
    backoffice = back_office(CUSTOMER, contracts=contracts)
    identity = await proven(backoffice, CUSTOMER)
    return await play_personal(
        ContractNode(backoffice, lambda: TODAY), state(text, "words", **more), identity
    )


async def test_the_value_is_said_with_its_date_and_its_cents() -> None:
    played = await ask(CONTRACT)
    assert "Au 31 octobre 2026" in played.text
    assert "45\u202f230,18\u00a0€" in played.text


async def test_a_regular_payment_is_said() -> None:
    assert "150\u00a0€ par mois" in (await ask(replace(CONTRACT, monthly_payment_cents=15000))).text


OTHER = replace(CONTRACT, number="VIE-0000002", product="Horizon Dynamique", opened_on=date(2021, 9, 20))
WHICH = Awaiting(by="contract", what="which:value", form="choice")


async def test_who_has_several_contracts_is_asked_which_and_hears_their_names_but_no_figure() -> None:
    played = await ask(CONTRACT, OTHER)
    assert played.said == ["contract.which"]
    assert "Horizon Sérénité et Horizon Dynamique" in played.text
    assert "€" not in played.text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("le premier", "45"),
        ("le deuxième s'il vous plaît", "99"),
        ("le second", "99"),
        ("horizon dynamique", "99"),
        ("sérénité", "45"),
        ("le plus ancien", "45"),
        ("le dernier", "99"),
        ("celui de septembre 2021", "99"),
        ("VIE 0000002", "99"),
    ],
)
async def test_one_of_several_contracts_is_named_in_many_ways(text: str, value: str) -> None:
    played = await ask(CONTRACT, replace(OTHER, value_cents=9900), text=text, awaiting=WHICH)
    assert played.said[0] == "contract.value"
    assert value in played.text
    assert ("45\u202f230" in played.text) == (value == "45")


async def test_all_contracts_are_said_one_by_one_and_never_more_than_three() -> None:
    played = await ask(*(replace(CONTRACT, number=f"VIE-000000{n}") for n in range(5)), text="tous")
    assert played.said.count("contract.value") == 3


async def test_which_contract_is_asked_again_and_then_people_take_over() -> None:
    missed = await ask(CONTRACT, OTHER, text="euh", awaiting=WHICH)
    assert missed.said == ["contract.which_again"]
    last = await ask(CONTRACT, OTHER, text="euh", awaiting=WHICH, misses=2)
    assert last.update.get("goto") == "transfer"


async def test_somebody_elses_contract_is_not_among_his() -> None:
    played = await ask(CONTRACT, text="combien vaut le contrat VIE 0099999")
    assert played.said == ["contract.not_found"]


async def test_the_contract_that_was_spoken_of_stays_meant() -> None:
    played = await ask(CONTRACT, OTHER, text="et depuis quand il est ouvert", about="VIE-0000002")
    assert "20 septembre 2021" in played.text
    other = await ask(CONTRACT, OTHER, text="et l'autre il vaut combien", about="VIE-0000002")
    assert "Horizon Sérénité" in other.text


async def test_pointing_at_another_contract_asks_the_same_of_it() -> None:
    played = await ask(CONTRACT, OTHER, text="et pour l'autre", about="VIE-0000001", aspect="dates")
    assert "20 septembre 2021" in played.text


async def test_the_total_is_of_the_contracts_in_force() -> None:
    closed = replace(CONTRACT, number="VIE-0000003", status=ContractStatus.CLOSED)
    played = await ask(CONTRACT, replace(OTHER, value_cents=1), closed, text="combien j'ai au total")
    assert played.said[0] == "contract.total"
    assert "45\u202f230,19" in played.text


async def test_payments_are_told_with_the_last_and_the_next() -> None:
    paying = replace(
        CONTRACT,
        monthly_payment_cents=15000,
        last_payment_cents=15000,
        last_payment_on=date(2026, 11, 5),
        next_payment_on=date(2026, 12, 5),
    )
    played = await ask(paying, text="combien je verse par mois")
    assert played.said[:3] == ["contract.monthly", "contract.last_payment", "contract.next_payment"]
    none = await ask(CONTRACT, text="et mes versements")
    assert none.said[0] == "contract.no_monthly"


@pytest.mark.parametrize(
    ("opened", "key"), [(date(2009, 5, 14), "mature"), (date(2024, 2, 29), "not_mature")]
)
async def test_the_age_of_a_contract_is_told_by_its_day_and_its_eight_years(opened: date, key: str) -> None:
    played = await ask(replace(CONTRACT, opened_on=opened), text="il est ouvert depuis quand")
    assert played.said[:2] == ["contract.opened", f"contract.{key}"]
    if key == "not_mature":
        assert "29 février 2032" in played.text


async def test_beneficiaries_need_a_stronger_proof() -> None:
    played = await ask(CONTRACT, text="qui sont mes bénéficiaires")
    assert played.said == []
    assert played.update.get("goto") == "authenticate"
    assert played.update.get("wants_level") == 2


@pytest.mark.parametrize(
    "text",
    [
        "je voudrais retirer de l'argent",
        "je veux changer les bénéficiaires",
        "je veux modifier mon RIB",
        "arrêter les versements",
    ],
)
async def test_orders_are_for_people(text: str) -> None:
    played = await ask(CONTRACT, text=text)
    assert played.said == ["contract.order"]


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
