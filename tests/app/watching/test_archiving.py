"""Transcripts are kept where the setting says, for as long as it says, and not of who refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path

from app.watching.archiving import ArchiveJournal, archiving
from graph.heard import Words
from memory.archive import About, FileArchive, Kind
from telephony.call import Call, CallerLeft, CallId, HungUp
from telephony.journal import (
    CallEnded,
    CallerIdentified,
    CallEvent,
    CallStarted,
    RecordingRefused,
    TurnHeard,
    TurnSaid,
)

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
ID = CallId("b6b1c0de-0000-4000-8000-000000000001")
CALLER = "0612345678"
STARTED = CallStarted(Call(ID, CALLER))
WORDS = TurnHeard(Words("mon contrat"))
SAID = TurnSaid("contract.value", "Votre contrat vaut dix mille euros.")
KEPT = {Kind.TRANSCRIPT: 30, Kind.AUDIO: 0}


async def filed(folder: Path, *events: CallEvent) -> FileArchive:
    archive = FileArchive(folder)
    async with archiving(archive, {"ear": "scripted"}, KEPT, lambda: AT) as journal:
        assert journal is not None
        for event in events:
            journal.note(ID, event)
    return archive


async def test_a_call_is_kept_with_whom_it_was_about(tmp_path: Path) -> None:
    archive = await filed(tmp_path, STARTED, WORDS, CallerIdentified("10078821"), SAID, CallEnded(HungUp()))
    (found,) = await archive.find(customer_number="10078821")
    assert found.about == About(ID, AT.isoformat(timespec="seconds"), CALLER, "10078821")
    kept = json.loads(await archive.read(found))
    assert kept["outcome"] == "hung_up"
    assert kept["turns"][0]["text"] == "mon contrat"
    assert kept["parts"] == {"ear": "scripted"}


async def test_who_refuses_to_be_recorded_leaves_nothing_not_even_of_before(tmp_path: Path) -> None:
    archive = await filed(tmp_path, STARTED, WORDS, CallEnded(CallerLeft()))
    assert await archive.find(caller=CALLER)
    archive = await filed(tmp_path, STARTED, WORDS, RecordingRefused(), SAID, CallEnded(HungUp()))
    assert await archive.find(caller=CALLER) == []


async def test_nothing_is_kept_when_the_setting_says_so_and_what_there_was_goes(tmp_path: Path) -> None:
    archive = await filed(tmp_path, STARTED, WORDS, CallEnded(HungUp()))
    days = {Kind.TRANSCRIPT: 0, Kind.AUDIO: 0}
    async with archiving(archive, {}, days, lambda: AT) as journal:
        assert journal is None
        while await archive.find(caller=CALLER):
            pass


async def test_a_call_of_which_nothing_was_heard_is_no_transcript(tmp_path: Path) -> None:
    archive = await filed(tmp_path, CallEnded(CallerLeft()))
    assert await archive.find(caller="") == []


async def test_a_disk_that_cannot_be_written_is_logged_and_the_next_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "transcripts").write_text("in the way", encoding="utf-8")
    journal = ArchiveJournal(FileArchive(tmp_path), {}, lambda: AT)
    for event in (STARTED, WORDS, CallEnded(HungUp())):
        journal.note(ID, event)
    await journal.written()
    assert journal.open_calls == 0
