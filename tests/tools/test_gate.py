"""Nobody becomes a customer without both items, and no proof leaves its call."""

import ast
import asyncio
import copy
import json
import pickle
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tools
from memory.lockout import LockoutUnavailable, MemoryLockout
from tools.backoffice import BackofficeUnavailable
from tools.backoffice_demo import DemoBackoffice, DemoData, read_demo_data
from tools.gate import Gate, Locked, NeedsAdviser, Proven, Refused
from tools.identity import Identity, IdentityLevel
from tools.models import Customer, ThirdItem, ThirdItemKind

DATA = read_demo_data()
KEY = bytes(range(32))
GATE = Gate(DemoBackoffice(DATA), KEY)
"""Seals and restores; whoever proves takes a gate of his own, for it counts what fails."""
JEANNE, BORN = "10078821", date(1962, 4, 1)

# Letters outside ASCII and lone surrogates too: a state store may hand back anything.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def gate(**given: object) -> Gate:
    return Gate(DemoBackoffice(DATA), KEY, **{"settles_s": 0.001, **given})  # type: ignore[arg-type]  # as given


class SlowLockout(MemoryLockout):
    """Lets other calls in between, as a store on another machine does."""

    async def attempt(self, subject: str) -> int:
        counted = await super().attempt(subject)
        await asyncio.sleep(0.001)
        return counted

    async def take_back(self, subject: str) -> None:
        await asyncio.sleep(0.001)
        await super().take_back(subject)


async def proven(number: str = JEANNE, born: date = BORN) -> Identity:
    proof = await gate().prove(number, born)
    assert isinstance(proof, Proven)
    return proof.identity


@pytest.mark.parametrize("number", [JEANNE, "VIE-0012345", "SIN-2026-003117"])
async def test_any_number_of_hers_and_her_birth_date_prove_a_customer(number: str) -> None:
    identity = await proven(number)
    assert identity.customer_number == JEANNE
    assert identity.level is IdentityLevel.NUMBER_AND_BIRTH_DATE


@pytest.mark.parametrize(
    ("number", "born"),
    [
        ("99999999", BORN),  # unknown
        (JEANNE, date(1962, 1, 4)),  # wrong day
        ("20451736", BORN),  # somebody else's number
        ("SIN-2026-001204", BORN),  # somebody else's claim
        ("", BORN),
        ("10 07 88 21", BORN),
        ("10078821\n", BORN),
        ("١٠٠٧٨٨٢١", BORN),
    ],
)
async def test_unknown_wrong_and_not_yours_are_refused_alike(number: str, born: date) -> None:
    assert await gate().prove(number, born) == Refused()


async def test_every_pair_of_a_number_and_a_birth_date_proves_its_own_customer_or_nobody() -> None:
    held = [(one.number, one.customer_number) for one in DATA.held]
    numbers = held + [(one.number, one.number) for one in DATA.customers]
    for number, owner in numbers:
        for customer in DATA.customers:
            proof = await gate().prove(number, customer.birth_date)
            if customer.number != owner:
                assert proof == Refused()
            elif customer.needs_adviser or customer.birth_date.year > 2008:
                assert proof == NeedsAdviser()
            else:
                assert isinstance(proof, Proven)
                assert proof.identity.customer_number == owner


async def test_a_protected_adult_and_a_minor_go_to_an_adviser_even_with_both_items() -> None:
    assert await gate().prove("74105862", date(1938, 9, 21)) == NeedsAdviser()
    assert await gate().prove("85326049", date(2011, 5, 19)) == NeedsAdviser()
    assert await gate().prove("74105862", date(1938, 9, 22)) == Refused()


class CarelessBackoffice(DemoBackoffice):
    """Answers with Jeanne's file whatever the question, as a broken API might."""

    async def identify(self, number: str, birth_date: date) -> Customer | None:
        return await super().identify(JEANNE, BORN)


@pytest.mark.parametrize(("number", "born"), [(JEANNE, date(1962, 4, 2)), ("20451736", BORN)])
async def test_a_back_office_that_did_not_compare_proves_nobody(number: str, born: date) -> None:
    assert await Gate(CarelessBackoffice(DATA), KEY).prove(number, born) == Refused()


class BrokenBackoffice(DemoBackoffice):
    async def identify(self, number: str, birth_date: date) -> Customer | None:
        raise BackofficeUnavailable("out of order")


async def test_an_outage_is_not_a_refusal() -> None:
    with pytest.raises(BackofficeUnavailable):
        await Gate(BrokenBackoffice(DATA), KEY).prove(JEANNE, BORN)


# Sealed and restored


async def test_a_sealed_identity_is_restored_in_its_own_call_after_a_trip_through_json() -> None:
    identity = await proven()
    sealed = json.loads(json.dumps(GATE.seal(identity, "call-1")))
    assert GATE.restore(sealed, "call-1") == identity


async def test_an_identity_sealed_for_another_call_is_refused() -> None:
    sealed = GATE.seal(await proven(), "call-1")
    assert GATE.restore(sealed, "call-2") is None
    assert GATE.restore(sealed, "") is None


async def test_an_identity_sealed_with_another_key_is_refused() -> None:
    sealed = Gate(DemoBackoffice(DATA), bytes(32)).seal(await proven(), "call-1")
    assert GATE.restore(sealed, "call-1") is None


async def test_a_seal_holds_after_a_restart_with_the_same_key() -> None:
    sealed = GATE.seal(await proven(), "call-1")
    empty = DemoBackoffice(DemoData(customers=(), contracts=(), claims=()))
    assert Gate(empty, KEY).restore(sealed, "call-1") is not None


@pytest.mark.parametrize(
    "change",
    [
        {"customer_number": "20451736"},
        {"customer_number": "1007882"},
        {"customer_number": 10078821},
        {"level": 2},
        {"level": 0},
        {"level": True},
        {"level": 1.0},
        {"level": "1"},
        {"signature": "0" * 64},
        {"signature": "é" * 64},
        {"signature": ""},
        {"signature": None},
        {"extra": 1},
    ],
)
async def test_a_tampered_seal_is_refused(change: dict[str, object]) -> None:
    assert GATE.restore({**GATE.seal(await proven(), "call-1"), **change}, "call-1") is None


@pytest.mark.parametrize("field", ["customer_number", "level", "signature"])
async def test_a_seal_that_lost_a_field_is_refused(field: str) -> None:
    sealed = GATE.seal(await proven(), "call-1")
    del sealed[field]
    assert GATE.restore(sealed, "call-1") is None


@given(json_values)
def test_anything_else_restores_nobody_and_raises_nothing(anything: object) -> None:
    assert GATE.restore(anything, "call-1") is None


@given(
    st.fixed_dictionaries({"customer_number": st.text(), "level": st.integers(0, 2), "signature": st.text()})
)
def test_a_forged_seal_restores_nobody(forged: dict[str, object]) -> None:
    assert GATE.restore(forged, "call-1") is None


@given(st.text(), st.text())
def test_a_seal_opens_in_one_call_only(one: str, other: str) -> None:
    jeanne = _known_identity()
    assert (GATE.restore(GATE.seal(jeanne, one), other) is not None) == (one == other)


def _known_identity() -> Identity:
    sealed = {
        "customer_number": JEANNE,
        "level": 1,
        "signature": GATE._sign("here", JEANNE, IdentityLevel(1)),
    }
    identity = GATE.restore(sealed, "here")
    assert identity is not None
    return identity


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="5 bytes"):
        Gate(DemoBackoffice(DATA), b"short")


# Identity


def test_an_identity_cannot_be_made_without_the_gates_token() -> None:
    for token in (None, object(), True, "GATE_TOKEN"):
        with pytest.raises(TypeError, match=r"tools\.gate"):
            Identity(JEANNE, IdentityLevel.NUMBER_AND_BIRTH_DATE, token=token)


async def test_an_identity_does_not_change_and_cannot_be_stored_or_copied() -> None:
    identity = await proven()
    with pytest.raises(AttributeError):
        identity._customer_number = "20451736"
    with pytest.raises(AttributeError):
        del identity._level
    for store in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            store(identity)


async def test_an_identity_shows_no_number() -> None:
    identity = await proven()
    assert JEANNE not in f"{identity} {identity!r} {Proven(identity)!r}"


async def test_two_proofs_of_the_same_customer_are_equal_and_of_two_customers_are_not() -> None:
    jeanne, again, karim = await proven(), await proven(), await proven("20451736", date(1985, 12, 15))
    assert jeanne == again
    assert hash(jeanne) == hash(again)
    assert jeanne != karim
    assert jeanne != JEANNE


def test_an_identity_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError, match="sealed"):
        type("Cheat", (Identity,), {})


def test_only_the_gate_holds_the_token() -> None:
    root = Path(tools.__file__).parents[1]
    holders = set()
    for folder in ("app", "telephony", "audio", "graph", "nodes", "tools", "knowledge", "prompts"):
        for path in (root / folder).rglob("*.py"):
            names = {getattr(node, "id", None) or getattr(node, "attr", None) for node in _nodes(path)}
            imported = {
                alias.name
                for node in _nodes(path)
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            }
            if "GATE_TOKEN" in names | imported:
                holders.add(path.relative_to(root).as_posix())
    assert holders == {"tools/gate.py", "tools/identity.py"}


def _nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


# Counting what fails


async def test_the_fifth_failure_of_a_day_locks_and_right_items_no_longer_help() -> None:
    locking = gate()
    wrong = date(1962, 4, 2)
    proofs = [await locking.prove(JEANNE, wrong) for _ in range(5)]
    assert proofs == [Refused()] * 4 + [Locked()]
    assert await locking.prove(JEANNE, BORN) == Locked()
    assert isinstance(await locking.prove("20451736", date(1985, 12, 15)), Proven), "nobody else is locked"


async def test_failures_count_for_the_customer_whichever_number_was_tried() -> None:
    locking = gate()
    wrong = date(1962, 4, 2)
    for number in (JEANNE, "VIE-0012345", "SIN-2026-003117", "SIN-2025-008840", JEANNE):
        last = await locking.prove(number, wrong)
    assert last == Locked()
    assert await locking.prove("VIE-0012345", BORN) == Locked()


async def test_a_number_that_does_not_exist_is_locked_like_any_other() -> None:
    locking = gate()
    proofs = [await locking.prove("99999999", BORN) for _ in range(6)]
    assert proofs == [Refused()] * 4 + [Locked()] * 2


async def test_many_right_callers_at_once_do_not_lock_each_other_out() -> None:
    """Each is written down until he is known to be right: twenty of them are no failures."""
    locking = gate(lockout=SlowLockout())
    proofs = await asyncio.gather(*(locking.prove(JEANNE, BORN) for _ in range(20)))
    assert all(isinstance(proof, Proven) for proof in proofs)
    assert await locking.prove(JEANNE, date(1962, 4, 2)) == Refused(), "nothing was left counted"


async def test_the_right_guess_among_many_at_once_is_as_locked_as_the_wrong_ones() -> None:
    locking = gate(lockout=SlowLockout())
    guesses = [*(date(1963, 1, 1) + timedelta(days=day) for day in range(40)), BORN]
    proofs = await asyncio.gather(*(locking.prove(JEANNE, guess) for guess in guesses))
    assert proofs.count(Refused()) == 4
    assert proofs.count(Locked()) == 37
    assert await locking.prove(JEANNE, BORN) == Locked()


async def test_a_success_is_not_counted_and_a_lock_ends_after_a_day() -> None:
    moment = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    locking = gate(lockout=MemoryLockout(lambda: moment))
    for _ in range(10):
        assert isinstance(await locking.prove(JEANNE, BORN), Proven)
    for _ in range(8):
        await locking.prove(JEANNE, date(1962, 4, 2))
    assert await locking.prove(JEANNE, BORN) == Locked()
    moment += timedelta(hours=24)
    assert isinstance(await locking.prove(JEANNE, BORN), Proven), (
        "what came after the lock does not prolong it"
    )


async def test_calls_at_the_same_time_get_no_more_attempts_together() -> None:
    locking = gate()
    wrong = [locking.prove(JEANNE, date(1962, 4, day)) for day in range(2, 22)]
    assert (await asyncio.gather(*wrong)).count(Refused()) == 4


class Away:
    async def attempt(self, subject: str) -> int:
        raise LockoutUnavailable("away")

    async def take_back(self, subject: str) -> None:
        raise LockoutUnavailable("away")


async def test_without_a_count_nobody_is_identified() -> None:
    with pytest.raises(BackofficeUnavailable) as raised:
        await gate(lockout=Away()).prove(JEANNE, BORN)
    assert isinstance(raised.value.__cause__, LockoutUnavailable)


async def test_what_is_counted_shows_no_number() -> None:
    lockout = MemoryLockout()
    await gate(lockout=lockout).prove(JEANNE, date(1962, 4, 2))
    assert JEANNE not in str(lockout)


@pytest.mark.parametrize(("today", "adviser"), [(date(2030, 3, 7), True), (date(2030, 3, 8), False)])
async def test_a_minor_is_for_people_until_the_eighteenth_birthday(today: date, adviser: bool) -> None:
    proof = await gate(today=lambda: today).prove("72619305", date(2012, 3, 8))
    assert isinstance(proof, NeedsAdviser) is adviser


async def test_the_same_questions_are_asked_whatever_is_wrong() -> None:
    """No early return by whose absence one could tell that a customer exists."""
    asked: list[list[str]] = []

    class Listening(DemoBackoffice):
        async def identify(self, number: str, birth_date: date) -> Customer | None:
            asked[-1].append("identify")
            return await super().identify(number, birth_date)

        async def holder(self, number: str) -> str | None:
            asked[-1].append("holder")
            return await super().holder(number)

    for number, born in (("VIE-0012345", BORN), ("VIE-0012345", date(1962, 4, 2)), ("VIE-9999999", BORN)):
        asked.append([])
        await Gate(Listening(DATA), KEY).prove(number, born)
    assert asked[0] == asked[1] == asked[2]


# Level 2


async def test_a_third_item_raises_the_proof_of_the_same_customer() -> None:
    proof = await gate().confirm(await proven(), ThirdItem(ThirdItemKind.POSTCODE, "69003"))
    assert isinstance(proof, Proven)
    assert (proof.identity.customer_number, proof.identity.level) == (JEANNE, IdentityLevel.THIRD_ITEM)


async def test_a_wrong_third_item_counts_like_any_failure() -> None:
    locking, identity = gate(), await proven()
    wrong = ThirdItem(ThirdItemKind.POSTCODE, "31000")  # somebody else's
    assert [await locking.confirm(identity, wrong) for _ in range(5)] == [Refused()] * 4 + [Locked()]
    assert await locking.confirm(identity, ThirdItem(ThirdItemKind.POSTCODE, "69003")) == Locked()


async def test_a_level_cannot_be_forged_in_the_state() -> None:
    sealed = GATE.seal(await proven(), "call-1")
    assert GATE.restore({**sealed, "level": 2}, "call-1") is None
    strong = await gate().confirm(await proven(), ThirdItem(ThirdItemKind.POSTCODE, "69003"))
    assert isinstance(strong, Proven)
    stronger = GATE.seal(strong.identity, "call-1")
    assert GATE.restore({**stronger, "customer_number": "20451736"}, "call-1") is None
    assert GATE.restore(stronger, "call-1") == strong.identity
    assert GATE.restore({**stronger, "level": 1}, "call-1") is None
