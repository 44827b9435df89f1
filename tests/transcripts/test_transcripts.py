"""Every whole call of this folder, replayed: one test a file."""

from pathlib import Path

import pytest

from app.replay import report
from app.replay.script import find, read
from tests.app.replay.mind import TRANSCRIPTS, player

FILES = find([TRANSCRIPTS])
NAMES = [file.relative_to(TRANSCRIPTS).as_posix() for file in FILES]


def held_out() -> list[str]:
    lines = (TRANSCRIPTS / "held_out.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("file", FILES, ids=[name.removesuffix(".yaml") for name in NAMES])
async def test_the_call_goes_as_written(file: Path) -> None:
    played = await player().play(read(file))
    assert played.passed, report.told(played)


def test_every_call_lies_in_the_folder_of_its_phenomenon() -> None:
    assert [file.parent.name for file in FILES] == [read(file).phenomenon for file in FILES]


def test_no_two_calls_have_the_same_name() -> None:
    names = [read(file).name for file in FILES]
    assert len(set(names)) == len(names)


def test_the_half_that_was_kept_apart_is_there() -> None:
    apart = held_out()
    assert set(apart) <= set(NAMES)
    assert len(apart) >= 40
    assert len(NAMES) - len(apart) >= 40
