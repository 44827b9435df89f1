"""``python -m app replay``: plays transcripts and prints what differs; or makes one of a recorded call."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.replay import report
from app.replay.player import Played, Player
from app.replay.script import Script, ScriptInvalid, find, read
from app.settings import Settings
from app.wiring import open_faculties

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
