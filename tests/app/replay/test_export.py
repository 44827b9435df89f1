"""A recorded call, exported: nothing of the person is left, and it replays as it was."""

import json
import random
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from app import settings as configuration
from app.__main__ import main
from app.replay import report
from app.replay.command import Output, export_call, replay
from app.replay.export import CannotExport, Exported, Recorded, export, recorded, recorded_file
from app.replay.player import KEY
from app.replay.pseudonyms import Cast, Pseudonyms
from app.replay.script import read
from app.text_calls import TextCalls
from app.watching.archiving import ArchiveJournal
from app.wiring import Surroundings, services_of
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import Heard, Keys, Quiet, Words
from memory.archive import About, FileArchive
from memory.lockout import MemoryLockout
from tests.app.replay.mind import faculties, player
from tools.backoffice_demo import DemoBackoffice, read_demo_data
from tools.call_backs import MemoryCallBacks
from tools.opening_hours import PARIS, OpeningHours

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=PARIS)
NUMBER = UUID("b6b1c0de-0000-4000-8000-000000000007")

REAL = {
    "customers": [
        {
            "number": "55443327",
            "title": "Madame",
            "first_name": "Solange",
            "last_name": "Delacroix",
            "birth_date": "1951-03-09",
        }
    ],
    "contracts": [
        {
            "number": "VIE-0099123",
            "customer_number": "55443327",
            "product": "Horizon Sérénité",
            "status": "active",
            "value_cents": 7733144,
            "valued_on": "2026-10-31",
            "opened_on": "2003-02-11",
            "monthly_payment_cents": 33300,
        }
    ],
    "claims": [
        {
            "number": "SIN-2026-007654",
            "customer_number": "55443327",
            "kind": "dégât des eaux",
            "status": "under_review",
            "declared_on": "2026-09-02",
            "updated_on": "2026-10-07",
        },
        {
            "number": "SIN-2024-004321",
            "customer_number": "55443327",
            "kind": "bris de glace",
            "status": "paid",
            "declared_on": "2024-03-04",
            "updated_on": "2024-03-28",
            "paid_cents": 61700,
            "paid_on": "2024-03-28",
        },
    ],
    "beneficiaries": [
        {"contract_number": "VIE-0099123", "customer_number": "55443327", "clause": "votre filleul Anatole"}
    ],
    "third_items": [
        {
            "customer_number": "55443327",
            "postcode": "29217",
            "phone_last_four": "5566",
            "iban_last_four": "7788",
        }
    ],
}
PERSONAL = (
    *("55443327", "55 44 33 27", "cinquante-cinq", "quarante-quatre", "Solange", "Delacroix", "delacroix"),
    *("1951", "09031951", "neuf mars", "9 mars", "29217", "vingt-neuf mille", "5566", "Anatole"),
    *("VIE-0099123", "0099123", "007654", "004321", "77 331", "333 €"),
)


@pytest.fixture
def archive(tmp_path: Path) -> FileArchive:
    return FileArchive(tmp_path / "archive")


async def recording(tmp_path: Path, archive: FileArchive, heard: list[Heard]) -> Recorded:
    """A call of a real customer, held with the real mind and kept as calls are kept."""
    file = tmp_path / "real.json"
    file.write_text(json.dumps(REAL), encoding="utf-8")
    around = Surroundings(
        backoffice=DemoBackoffice.load(file),
        lockout=MemoryLockout(),
        identity_key=KEY,
        call_backs=MemoryCallBacks(),
        hours=OpeningHours(),
        now=lambda: NOW,
    )
    journal = ArchiveJournal(archive, {}, lambda: NOW)
    calls = TextCalls(Dialogue(build_graph(services_of(faculties(), around)), InMemorySaver()), journal)
    turn = await calls.start(str(NUMBER))
    for one in heard:
        turn = await calls.turn(turn.call_id, one)
    if not turn.ended:
        await calls.forget(turn.call_id)
    await journal.written()
    (filed,) = await archive.find_call(turn.call_id)
    return recorded(filed.about, await archive.read(filed))


async def exported(source: Recorded, seed: int = 7) -> Exported:
    return await export(source, player(), read_demo_data(), random.Random(seed))


def said(*sentences: str) -> list[Heard]:
    return [Keys(one[1:]) if one.startswith("#") else Words(one) if one else Quiet() for one in sentences]


CALLS = {
    "value, in words": said(
        "bonjour, Solange Delacroix à l'appareil, je voudrais la valeur de mon assurance vie",
        "cinquante-cinq quarante-quatre trente-trois vingt-sept",
        "le neuf mars mille neuf cent cinquante et un",
        "non merci au revoir",
    ),
    "everything in one breath": said(
        "je m'appelle Delacroix, mon numéro c'est le 55 44 33 27, je suis née le 9 mars 1951",
        "je voudrais la valeur de mon contrat",
        "merci, au revoir",
    ),
    "keypad, beneficiaries": said(
        "qui sont les bénéficiaires de mon contrat ?",
        "#55443327",
        "#09031951",
        "vingt-neuf mille deux cent dix-sept",
    ),
    "claims by number": said(
        "où en est mon sinistre ?", "#55443327", "#09031951", "le SIN 2026 007654", "et le SIN 2024 004321"
    ),
    "corrected, refused, silence": said(
        "la valeur de mon assurance vie",
        "cinquante-cinq quarante-quatre trente-trois vingt-huit",
        "non pardon, cinquante-cinq quarante-quatre trente-trois vingt-sept",
        "",
        "#10031951",
        "non je me suis trompée, je suis née le neuf mars mille neuf cent cinquante et un",
    ),
    "another's claim": said(
        "où en est mon sinistre ?", "#55443327", "#09031951", "le SIN 2026 001204", "le dernier"
    ),
    "to people": said("madame Delacroix au téléphone, passez-moi un conseiller"),
}


@pytest.mark.parametrize("heard", CALLS.values(), ids=CALLS)
async def test_an_exported_call_holds_nothing_personal_and_replays_as_recorded(
    heard: list[Heard], tmp_path: Path, archive: FileArchive
) -> None:
    made = await exported(await recording(tmp_path, archive, heard))
    assert [datum for datum in PERSONAL if datum in made.yaml] == [], made.yaml
    assert made.played.passed, report.told(made.played) + made.yaml
    file = tmp_path / "exported.yaml"
    file.write_text(made.yaml, encoding="utf-8")
    assert (await player().play(read(file))).passed


async def test_the_same_value_has_the_same_pseudonym_throughout(tmp_path: Path, archive: FileArchive) -> None:
    heard = said(
        "la valeur de mon assurance vie",
        "55 44 33 29",
        "non, c'est le 55 44 33 27",
        "je répète, 55 44 33 29, ah non, 55 44 33 27",
        "9 mars 1951",
    )
    made = await exported(await recording(tmp_path, archive, heard))
    assert made.played.passed
    assert "10 07 88 21" in made.yaml, "Madame Moreau plays her"


async def test_a_call_that_was_not_to_be_recorded_cannot_be_exported() -> None:
    call = {
        "format": "standardiste/transcript/1",
        "call_id": "x",
        "parts": {},
        "recording_refused": True,
        "turns": [],
        "outcome": None,
        "queue": None,
    }
    with pytest.raises(CannotExport, match="did not want to be recorded"):
        recorded(About("x", "2026-11-20T10:00:00+01:00"), json.dumps(call).encode())


def test_what_is_no_recorded_call_is_told(tmp_path: Path) -> None:
    file = tmp_path / "call.json"
    file.write_text('{"turns": 3}', encoding="utf-8")
    with pytest.raises(CannotExport, match="not a recorded call"):
        recorded_file(file)


def test_words_that_identify_nobody_stay_as_they_are() -> None:
    pseudonyms = Pseudonyms(Cast("Moreau", {}), NOW.date(), random.Random(1))
    for text in ("les deux", "où en est mon dernier sinistre ?", "non merci, au revoir"):
        assert pseudonyms.words(text, "") == text


def test_half_a_number_keeps_its_shape_and_no_figure_of_its_own() -> None:
    pseudonyms = Pseudonyms(Cast("Moreau", {}), NOW.date(), random.Random(1))
    half = pseudonyms.words("c'est le cinquante-cinq quarante-quatre et puis je sais plus", "number")
    assert "quarante-quatre" not in half
    assert half.startswith("c'est le ")
    assert half.endswith("je sais plus")


def test_phone_numbers_become_numbers_that_nobody_has() -> None:
    pseudonyms = Pseudonyms(Cast("Moreau", {}), NOW.date(), random.Random(1))
    assert pseudonyms.words("au zéro sept onze vingt-deux trente-trois quarante-quatre", "phone") == (
        "au 06 39 98 00 00"
    )
    assert pseudonyms.keys("0711223344", "phone") == "0639980000", "the same number, the same pseudonym"


async def test_the_command_exports_a_call_of_the_archive_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await recording(tmp_path, FileArchive(tmp_path / "archive"), CALLS["value, in words"])
    monkeypatch.setenv("APP_DATA_FOLDER", str(tmp_path))
    settings, to = configuration.read(tmp_path / "none.env"), tmp_path / "transcripts" / "a.yaml"
    assert await export_call(settings, f"text-{NUMBER}", to) == 0
    assert "replays as it was recorded" in capsys.readouterr().out
    assert "Delacroix" not in to.read_text(encoding="utf-8")
    assert await replay(settings, [to], Output()) == 0
    with pytest.raises(CannotExport, match="neither a file nor a call"):
        await export_call(settings, "text-unknown", to)


def test_the_command_wants_one_thing_or_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay"]) == 2
    assert main(["replay", "--export", "x"]) == 2
    assert main(["replay", "--export", "x", "--to", "y.yaml", "z.yaml"]) == 2
    assert "--export CALL --to FILE" in capsys.readouterr().err
