"""``python -m app replay``: plays transcripts and prints what differs; or makes one of a recorded call."""

import asyncio
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.replay import report
from app.replay.export import CannotExport, Recorded, export, recorded, recorded_file
from app.replay.player import Played, Player
from app.replay.script import Script, ScriptInvalid, find, read
from app.settings import Settings
from app.wiring import archive_of, open_faculties
from memory.archive import Kind
from memory.sealing import CannotOpen
from tools.backoffice_demo import read_demo_data

PROGRESS_FROM = 10
"""With fewer transcripts the result is there before one has read how far it is."""


@dataclass(frozen=True, slots=True)
class Output:
    """How the result is told."""

    as_json: bool = False
    junit: Path | None = None


async def replay(settings: Settings, paths: Sequence[Path], output: Output) -> int:
    """Play all transcripts under ``paths``; 0 when all are as written, else 1.

    Raises :class:`app.replay.script.ScriptInvalid`, with all that cannot be read, before anything is played.
    """
    scripts = read_all(paths)
    played = await play_all(settings, scripts, progress=not output.as_json and len(scripts) >= PROGRESS_FROM)
    if output.junit is not None:
        output.junit.parent.mkdir(parents=True, exist_ok=True)
        output.junit.write_bytes(report.as_junit(played))
    if output.as_json:
        print(report.as_json(played))  # noqa: T201 - the terminal is the interface
    else:
        for one in played:
            if not one.passed:
                print(report.told(one))  # noqa: T201 - as above
        print(report.summary(played))  # noqa: T201 - as above
    return 0 if all(one.passed for one in played) else 1


def read_all(paths: Sequence[Path]) -> list[Script]:
    """The transcripts under ``paths``. Raises :class:`app.replay.script.ScriptInvalid`: all that is wrong."""
    scripts: list[Script] = []
    faults: list[str] = []
    for file in find(paths):
        try:
            scripts.append(read(file))
        except ScriptInvalid as exc:
            faults.append(str(exc))
    if faults:
        raise ScriptInvalid("\n".join(faults))
    return scripts


async def play_all(settings: Settings, scripts: Sequence[Script], *, progress: bool = False) -> list[Played]:
    """One after the other, on one faculties. ``progress`` is shown on a terminal only."""
    shown = progress and sys.stderr.isatty()
    async with open_faculties(settings) as faculties:
        player = Player(faculties)
        played: list[Played] = []
        for script in scripts:
            played.append(await player.play(script))
            if shown:
                print(f"\r{len(played)}/{len(scripts)}", end="", file=sys.stderr, flush=True)  # noqa: T201 - as above
    if shown:
        print("\r\033[K", end="", file=sys.stderr)  # noqa: T201 - as above
    return played


async def export_call(settings: Settings, source: str, to: Path) -> int:
    """The recorded call ``source``, a file or the id of a call in the archive, as a transcript in ``to``.

    0 when it replays as recorded; 1 when it does not, and prints where. Raises :class:`CannotExport`.
    """
    kept = await _recorded(settings, source)
    customers = read_demo_data()
    async with open_faculties(settings) as faculties:
        made = await export(kept, Player(faculties, customers), customers, random.SystemRandom())
    await asyncio.to_thread(_write, to, made.yaml)
    if made.played.passed:
        print(f"✓ {to}: {len(made.played.turns)} turns; it replays as it was recorded")  # noqa: T201 - as above
        return 0
    print(report.told(made.played))  # noqa: T201 - as above
    print(f"{to} was written, but does not replay as recorded: no fictional customer fits")  # noqa: T201 - as above
    return 1


def _write(to: Path, text: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text, encoding="utf-8")
    read(to)  # what we write, we can read


async def _recorded(settings: Settings, source: str) -> Recorded:
    if await asyncio.to_thread(Path(source).is_file):
        return await asyncio.to_thread(recorded_file, Path(source))
    archive = archive_of(settings)
    try:
        found = [one for one in await archive.find_call(source) if one.kind is Kind.TRANSCRIPT]
        if not found:
            raise CannotExport(f"{source}: neither a file nor a call of the archive")
        return recorded(found[0].about, await archive.read(found[0]))
    except CannotOpen as exc:
        raise CannotExport(str(exc)) from exc
