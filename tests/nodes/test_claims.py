"""Where a claim stands, in two short sentences, for every status there is."""

from dataclasses import replace
from datetime import date

import pytest

from graph.state import Awaiting
from nodes.claims import Claims
from tests.nodes.stage import Played, back_office, play_personal, proven, state
from tools.models import Claim, ClaimStatus, Customer, Title

CUSTOMER = Customer("12345678", Title.MADAME, "Anne", "Essai", date(1970, 5, 5))
CLAIM = Claim(
    "SIN-2026-000001", "12345678", "dégât des eaux", ClaimStatus.DECLARED, date(2026, 9, 1), date(2026, 9, 2)
)
OLDER = replace(CLAIM, number="SIN-2025-000009", kind="bris de glace", declared_on=date(2025, 1, 1))
ASKED = Awaiting(by="claims", what="number", form="number")


async def ask(
    *claims: Claim, text: str = "où en est mon sinistre", heard: str = "words", **more: object
) -> Played:
    backoffice = back_office(CUSTOMER, claims=claims)
    identity = await proven(backoffice, CUSTOMER)
    return await play_personal(Claims(backoffice), state(text, heard, **more), identity)


@pytest.mark.parametrize(
    ("claim", "key", "fragment"),
    [
        (CLAIM, "declared", "bien enregistré"),
        (
            replace(
                CLAIM,
                status=ClaimStatus.DOCUMENTS_MISSING,
                missing_documents=("le devis", "des photos", "le constat"),
            ),
            "documents_missing",
            "le devis, des photos et le constat",
        ),
        (
            replace(CLAIM, status=ClaimStatus.EXPERT_VISIT, visit_on=date(2026, 12, 1)),
            "expert_visit",
            "1er décembre 2026",
        ),
        (
            replace(CLAIM, status=ClaimStatus.EXPERT_VISIT),
            "expert_visit_pending",
            "un expert va vous appeler",
        ),
        (replace(CLAIM, status=ClaimStatus.UNDER_REVIEW), "under_review", "en cours d'étude"),
        (replace(CLAIM, status=ClaimStatus.ACCEPTED), "accepted", "accepté"),
        (
            replace(CLAIM, status=ClaimStatus.PAID, paid_cents=48000, paid_on=date(2026, 10, 2)),
            "paid",
            "480\u00a0€ le 2 octobre 2026",
        ),
        (replace(CLAIM, status=ClaimStatus.REFUSED), "refused", "par courrier"),
        (replace(CLAIM, status=ClaimStatus.CLOSED), "closed", "clos"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
async def test_every_status_has_its_words(claim: Claim, key: str, fragment: str) -> None:
    played = await ask(claim)
    assert played.said[0] == f"claims.{key}"
    assert fragment in played.lines[0].text


async def test_a_refusal_is_explained_by_people() -> None:
    played = await ask(replace(CLAIM, status=ClaimStatus.REFUSED))
    assert played.said == ["claims.refused", "claims.explain"]
    awaiting = played.update.get("awaiting")
    assert awaiting is not None
    assert awaiting["by"] == "transfer"


async def test_the_only_claim_needs_no_number() -> None:
    assert (await ask(CLAIM)).said[0] == "claims.declared"


async def test_with_several_claims_the_number_is_asked() -> None:
    played = await ask(CLAIM, OLDER)
    assert played.said == ["claims.ask_number"]
    assert played.update.get("awaiting") == ASKED


async def test_the_last_one_is_the_one_declared_last() -> None:
    assert "dégât des eaux" in (await ask(OLDER, CLAIM, text="le dernier", awaiting=ASKED)).text


async def test_a_number_in_the_middle_of_a_sentence_is_heard() -> None:
    text = "alors c'est pour le sinistre SIN 2025 000009 voilà, il en est où"
    assert "bris de glace" in (await ask(CLAIM, OLDER, text=text)).text


async def test_a_number_may_be_keyed() -> None:
    assert "bris de glace" in (await ask(CLAIM, OLDER, text="2025000009", heard="keys", awaiting=ASKED)).text


async def test_a_number_that_is_not_found_is_asked_again_and_then_a_human_takes_over() -> None:
    text = "SIN-2026-999999"
    first = await ask(CLAIM, text=text)
    assert first.said == ["claims.not_found"]
    third = await ask(CLAIM, text=text, awaiting=ASKED, misses=2)
    assert third.update.get("goto") == "transfer"


async def test_what_is_no_number_is_asked_again_in_other_words_and_then_a_human_takes_over() -> None:
    first = await ask(CLAIM, OLDER, text="euh", awaiting=ASKED)
    second = await ask(CLAIM, OLDER, text="euh", awaiting=ASKED, misses=1)
    third = await ask(CLAIM, OLDER, text="euh", awaiting=ASKED, misses=2)
    assert first.said == second.said == ["claims.number_missed"]
    assert first.text != second.text
    assert third.update.get("goto") == "transfer"


async def test_a_caller_without_claims_is_offered_a_human() -> None:
    played = await ask()
    assert played.said == ["claims.none"]
    awaiting = played.update.get("awaiting")
    assert awaiting is not None
    assert awaiting["by"] == "transfer"
