"""The sound of calls: both sides in step, in pieces, sealed; and nothing of callers who do not want it."""

import asyncio
import io
import wave
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from audio.pcm import FRAME_BYTES, FRAME_MS, SILENCE_FRAME
from graph.heard import Words
from memory.archive import About, ArchiveUnavailable, FileArchive, Kind
from memory.sealing import KeyRing
from telephony.call import Call, CallerLeft, CallId, HungUp
from telephony.front_desk import FrontDesk
from telephony.journal import (
    CallEnded,
    CallerIdentified,
    Journals,
    RecordingRefused,
    TurnHeard,
)
from telephony.line import Line
from telephony.recording import LATE_BYTES, MOST_WAITING, RecordedLine, Recordings, Tape, stereo_wav
from tests.telephony.phone import LOUD_FRAME
from tests.telephony.scene import Scene, call

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
CALLER = "0612345678"
WHO = Call(CallId("b6b1c0de-0000-4000-8000-000000000002"), CALLER)
SPOKE = TurnHeard(Words("mon contrat"))
AGENT = b"\x01\x01" * (FRAME_BYTES // 2)
HIM = b"\x02\x02" * (FRAME_BYTES // 2)


def recordings(folder: Path, piece_ms: int = 1000, ring: KeyRing | None = None) -> Recordings:
    return Recordings(FileArchive(folder, ring), lambda: AT, piece_ms)


def at(kept: Recordings) -> Callable[[FrontDesk], FrontDesk]:
    return lambda desk: replace(desk, recordings=kept, journal=Journals((desk.journal, kept)))


async def sound(folder: Path, ring: KeyRing | None = None) -> list[tuple[About, np.ndarray]]:
    """Every piece that is filed, in order: whom it is about, and its samples, one row a moment."""
    archive = FileArchive(folder, ring)
    pieces = []
    for filed in await archive.find(caller=CALLER):
        if filed.kind is Kind.AUDIO:
            with wave.open(io.BytesIO(await archive.read(filed))) as file:
                assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
            pieces.append((filed.about, samples))
    return pieces


# The tape


def test_both_sides_are_of_one_length_whatever_comes_when() -> None:
    tape = Tape(lambda: None)
    tape.hear(HIM)
    tape.hear(HIM)  # a burst
    for _ in range(4):
        tape.tick(AGENT)
    caller, agent = tape.cut()
    assert caller == HIM * 2 + SILENCE_FRAME * 2
    assert agent == AGENT * 4
    assert tape.cut() == (b"", b"")


def test_a_caller_whose_sound_piles_up_loses_what_is_oldest_and_not_memory() -> None:
    tape = Tape(lambda: None)
    for _ in range(1000):
        tape.hear(HIM)
    for _ in range(100):
        tape.tick(AGENT)
    assert tape.cut()[0].count(HIM[:2]) == LATE_BYTES // 2


def test_a_tape_that_was_stopped_takes_nothing_more() -> None:
    tape = Tape(lambda: None)
    tape.hear(HIM)
    tape.tick(AGENT)
    tape.stop()
    tape.hear(HIM)
    tape.tick(AGENT)
    assert tape.cut() == (b"", b"")


def test_it_says_when_it_is_time_to_cut() -> None:
    cuts: list[int] = []
    tape = Tape(lambda: cuts.append(len(tape.cut()[1])), piece_ms=100)
    for _ in range(12):
        tape.tick(AGENT)
    assert cuts == [5 * FRAME_BYTES, 5 * FRAME_BYTES]


def test_the_caller_is_left_and_the_agent_right() -> None:
    with wave.open(io.BytesIO(stereo_wav(HIM, AGENT))) as file:
        samples = np.frombuffer(file.readframes(1000), "<i2").reshape(-1, 2)
    assert set(samples[:, 0]) == {0x0202}
    assert set(samples[:, 1]) == {0x0101}
    assert len(samples) == FRAME_MS * 8


# A call


async def talks(scene: Scene) -> None:
    await scene.phone.hears_the_agent_out()
    await scene.says()
    await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)


async def test_a_whole_call_is_filed_as_it_was_heard(tmp_path: Path) -> None:
    kept = recordings(tmp_path)
    async with call(["au revoir"], who=WHO, at=at(kept), line=RecordedLine) as scene:
        await talks(scene)
        assert isinstance(await scene.outcome(), HungUp)
        await scene.running
    await kept.close()
    assert kept.open_calls == 0
    pieces = await sound(tmp_path)
    assert len(pieces) > 2
    assert all(about == About(WHO.id, AT.isoformat(timespec="seconds"), CALLER) for about, _ in pieces)
    samples = np.concatenate([samples for _, samples in pieces])
    heard = np.frombuffer(b"".join(scene.phone.heard[1:]), "<i2")  # the first tick was before the talk
    assert np.array_equal(samples[:, 1], heard[: len(samples)])
    loud = np.frombuffer(LOUD_FRAME, "<i2")
    assert np.count_nonzero(samples[:, 0]) == 600 // FRAME_MS * np.count_nonzero(loud)


async def test_the_right_and_the_left_are_in_step(tmp_path: Path) -> None:
    kept = recordings(tmp_path)
    tape = kept.tape(WHO)
    for at_frame in range(100):
        tape.hear(HIM if at_frame % 10 == 0 else SILENCE_FRAME)
        tape.tick(AGENT if at_frame % 10 == 0 else SILENCE_FRAME)
    kept.note(WHO.id, SPOKE)
    kept.note(WHO.id, CallEnded(HungUp()))
    await kept.close()
    samples = np.concatenate([samples for _, samples in await sound(tmp_path)])
    assert len(samples) == 100 * FRAME_MS * 8
    assert np.array_equal(samples[:, 0] != 0, samples[:, 1] != 0)


async def test_who_refuses_leaves_no_sound_not_even_of_before(tmp_path: Path) -> None:
    kept = recordings(tmp_path, piece_ms=200)
    words = ["mon assurance vie", "je ne veux pas être enregistré"]
    async with call(words, who=WHO, at=at(kept), line=RecordedLine) as scene:
        await talks(scene)
        while not await sound(tmp_path):
            await scene.phone.waits(200)
        await scene.says()
        await scene.phone.waits_until(lambda: "greet.not_recorded" in scene.journal.said())
        await scene.phone.waits(1000)
        scene.phone.line.closed("he hung up")
        await scene.running
    await kept.close()
    assert await sound(tmp_path) == []


async def test_a_refusal_counts_for_the_rest_of_the_call_also_after_people(tmp_path: Path) -> None:
    kept = recordings(tmp_path)
    kept.tape(WHO)
    kept.note(WHO.id, SPOKE)
    kept.note(WHO.id, RecordingRefused())
    tape = kept.tape(WHO)  # nobody took him; he is back
    for _ in range(100):
        tape.tick(AGENT)
    kept.note(WHO.id, CallEnded(CallerLeft()))
    await kept.close()
    assert await sound(tmp_path) == []


async def test_a_piece_on_its_way_to_the_disk_is_removed_as_well(tmp_path: Path) -> None:
    kept = recordings(tmp_path, piece_ms=100)
    tape = kept.tape(WHO)
    kept.note(WHO.id, SPOKE)
    for _ in range(5):
        tape.tick(AGENT)
    await asyncio.sleep(0)  # a thread has it
    kept.note(WHO.id, RecordingRefused())
    await kept.close()
    assert await sound(tmp_path) == []
    kept.note(WHO.id, CallEnded(HungUp()))
    await kept.close()
    assert await sound(tmp_path) == []


async def test_a_call_in_which_nobody_spoke_is_not_kept(tmp_path: Path) -> None:
    kept = recordings(tmp_path, piece_ms=200)
    async with call(who=WHO, at=at(kept), line=RecordedLine) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.outcome()
        await scene.running
    await kept.close()
    assert await sound(tmp_path) == []


async def test_the_transcript_of_a_silent_call_stays(tmp_path: Path) -> None:
    archive = FileArchive(tmp_path)
    kept = recordings(tmp_path)
    about = About(WHO.id, AT.isoformat(), CALLER)
    await archive.keep(Kind.TRANSCRIPT, about, b"{}")
    kept.tape(WHO)
    kept.note(WHO.id, CallEnded(CallerLeft()))
    await kept.close()
    assert [filed.kind for filed in await archive.find(caller=CALLER)] == [Kind.TRANSCRIPT]


async def test_every_piece_of_a_customers_call_is_his(tmp_path: Path) -> None:
    kept = recordings(tmp_path, piece_ms=100)
    tape = kept.tape(replace(WHO, caller=""))
    kept.note(WHO.id, SPOKE)
    for _ in range(5):
        tape.tick(AGENT)
    await kept.close()
    kept.note(WHO.id, CallerIdentified("10078821"))
    for _ in range(5):
        tape.tick(AGENT)
    kept.note(WHO.id, CallEnded(HungUp()))
    await kept.close()
    assert len(await FileArchive(tmp_path).find(customer_number="10078821")) == 2


async def test_under_a_key_no_sound_lies_open(tmp_path: Path) -> None:
    ring = KeyRing((("k1", bytes(32)),))
    kept = recordings(tmp_path, ring=ring)
    tape = kept.tape(WHO)
    tape.tick(AGENT)
    kept.note(WHO.id, SPOKE)
    kept.note(WHO.id, CallEnded(HungUp()))
    await kept.close()
    (file,) = (tmp_path / "audio").glob("*/*")
    assert AGENT not in file.read_bytes()
    assert b"RIFF" not in file.read_bytes()
    assert len(await sound(tmp_path, ring)) == 1


async def test_it_goes_when_its_days_are_over(tmp_path: Path) -> None:
    kept = recordings(tmp_path)
    kept.tape(WHO).tick(AGENT)
    kept.note(WHO.id, SPOKE)
    kept.note(WHO.id, CallEnded(HungUp()))
    await kept.close()
    await FileArchive(tmp_path).sweep(date(2026, 11, 21), {Kind.AUDIO: 2})
    assert len(await sound(tmp_path)) == 1
    await FileArchive(tmp_path).sweep(date(2026, 11, 22), {Kind.AUDIO: 2})
    assert await sound(tmp_path) == []


class Disk(FileArchive):
    """A disk that is slow, or full."""

    def __init__(self, folder: Path, *, full: bool = False) -> None:
        super().__init__(folder)
        self.goes_on = asyncio.Event()
        self.full = full
        self.asked = 0

    async def keep(self, kind: Kind, about: About, content: bytes) -> Path:
        self.asked += 1
        if self.full:
            raise ArchiveUnavailable("the disk is full")
        await self.goes_on.wait()
        return await super().keep(kind, about, content)


async def test_a_disk_that_does_not_keep_up_ends_the_recording_and_holds_no_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk(tmp_path)
    kept = Recordings(disk, lambda: AT, piece_ms=100)
    tape = kept.tape(WHO)
    kept.note(WHO.id, SPOKE)
    for _ in range(5 * (MOST_WAITING + 10)):
        tape.tick(AGENT)
        await asyncio.sleep(0)
    assert "recording.given_up" in caplog.text
    assert not kept._calls[WHO.id].waiting
    assert tape.cut() == (b"", b"")
    disk.goes_on.set()
    kept.note(WHO.id, CallEnded(HungUp()))
    await kept.close()
    assert disk.asked <= 2


async def test_a_full_disk_ends_the_recording_and_not_the_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Recordings(Disk(tmp_path, full=True), lambda: AT, piece_ms=200)
    async with call(["au revoir"], who=WHO, at=at(kept), line=RecordedLine) as scene:
        await talks(scene)
        assert isinstance(await scene.outcome(), HungUp)
        await scene.running
    await kept.close()
    assert "recording.not_kept" in caplog.text
    assert CALLER not in caplog.text


async def test_what_is_not_a_talk_is_not_recorded(tmp_path: Path) -> None:
    """An adviser who hears the summary, or a caller who is turned away."""
    kept = recordings(tmp_path)
    async with call(who=WHO, at=at(kept), line=RecordedLine) as scene:
        leg = scene.desk.open(Call(CallId("an adviser's")))
        assert isinstance(leg, RecordedLine)
        assert leg.tape is None


async def test_a_service_that_records_nothing_has_plain_lines() -> None:
    async with call(who=WHO) as scene:
        assert type(scene.desk.open(WHO)) is Line
