"""What is kept of calls is found by whom it is about, goes in its time, and opens for nobody else."""

import stat
from datetime import date
from pathlib import Path

import pytest

from memory.archive import About, ArchiveUnavailable, FileArchive, Kind
from memory.sealing import CannotOpen, KeyRing

RING = KeyRing((("k1", b"k" * 32),))
MOREAU = About("call-1", "2026-11-20T10:00:00+01:00", "0612345678", "10078821")
OTHER = About("call-2", "2026-11-21T10:00:00+01:00", "0687654321")


@pytest.fixture(params=[None, RING], ids=["plain", "sealed"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> FileArchive:
    return FileArchive(tmp_path, request.param)


async def test_a_persons_files_are_found_by_caller_or_customer_and_no_others(archive: FileArchive) -> None:
    await archive.keep(Kind.TRANSCRIPT, MOREAU, b"words")
    await archive.keep(Kind.AUDIO, MOREAU, b"\n\x00sound\n")
    await archive.keep(Kind.TRANSCRIPT, OTHER, b"other words")
    for found in (await archive.find(caller="0612345678"), await archive.find(customer_number="10078821")):
        assert [(filed.kind, filed.about) for filed in found] == [
            (Kind.TRANSCRIPT, MOREAU),
            (Kind.AUDIO, MOREAU),
        ]
        assert [await archive.read(filed) for filed in found] == [b"words", b"\n\x00sound\n"]
    assert await archive.find() == []
    assert await archive.find(caller="0600000000", customer_number="99999999") == []


async def test_what_is_removed_is_gone_with_its_empty_day(archive: FileArchive, tmp_path: Path) -> None:
    await archive.keep(Kind.TRANSCRIPT, MOREAU, b"words")
    for filed in await archive.find(caller=MOREAU.caller):
        await archive.remove(filed)
    assert _everything(tmp_path) == ["transcripts"]


def _everything(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*")]


async def test_everything_of_one_call_can_be_removed(archive: FileArchive) -> None:
    for kind in Kind:
        await archive.keep(kind, MOREAU, b"1")
        await archive.keep(kind, MOREAU, b"2")
    await archive.keep(Kind.TRANSCRIPT, OTHER, b"")
    assert await archive.remove_call("call-1") == 4
    assert await archive.remove_call("call-1") == 0
    assert await archive.remove_call("../*") == 0
    assert len(await archive.find(caller=OTHER.caller)) == 1


async def test_each_kind_goes_when_its_own_time_is_over(archive: FileArchive) -> None:
    for kind in Kind:
        await archive.keep(kind, MOREAU, b"")
        await archive.keep(kind, OTHER, b"")
    days = {Kind.TRANSCRIPT: 30, Kind.AUDIO: 1}
    assert await archive.sweep(date(2026, 11, 21), days) == 1
    assert await archive.sweep(date(2026, 12, 19), days) == 1
    left = await archive.find(caller=MOREAU.caller) + await archive.find(caller=OTHER.caller)
    assert {filed.kind for filed in left} == {Kind.TRANSCRIPT}
    assert await archive.sweep(date(2026, 12, 20), days) == 1
    assert [filed.about for filed in await archive.find(caller=OTHER.caller)] == [OTHER]


async def test_a_kind_that_is_not_kept_is_swept_at_once(archive: FileArchive) -> None:
    await archive.keep(Kind.AUDIO, MOREAU, b"")
    assert await archive.sweep(date(2026, 11, 20), {Kind.AUDIO: 0}) == 1


async def test_only_its_owner_may_read_a_file_and_its_name_tells_nobody_anything(
    archive: FileArchive, tmp_path: Path
) -> None:
    path = await archive.keep(Kind.TRANSCRIPT, MOREAU, b"words")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MOREAU.caller not in str(path)
    assert MOREAU.customer_number not in str(path)


async def test_sealed_files_hold_nothing_readable_and_open_with_their_key_only(tmp_path: Path) -> None:
    path = await FileArchive(tmp_path, RING).keep(Kind.TRANSCRIPT, MOREAU, b"words")
    data = path.read_bytes()
    assert b"words" not in data
    assert MOREAU.caller.encode() not in data
    with pytest.raises(CannotOpen, match="PRIVACY_KEYS"):
        await FileArchive(tmp_path).find(caller=MOREAU.caller)
    path.rename(path.with_name("call-9.1"))
    with pytest.raises(CannotOpen, match="moved"):
        await FileArchive(tmp_path, RING).find(caller=MOREAU.caller)


async def test_what_was_kept_before_there_were_keys_is_still_found(tmp_path: Path) -> None:
    await FileArchive(tmp_path).keep(Kind.TRANSCRIPT, MOREAU, b"words")
    assert len(await FileArchive(tmp_path, RING).find(caller=MOREAU.caller)) == 1


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "transcripts").write_text("in the way", encoding="utf-8")
    with pytest.raises(ArchiveUnavailable, match="cannot be written"):
        await FileArchive(tmp_path).keep(Kind.TRANSCRIPT, MOREAU, b"words")


async def test_a_call_with_a_strange_name_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain"):
        await FileArchive(tmp_path).keep(Kind.TRANSCRIPT, About("../x", MOREAU.began_at), b"")
