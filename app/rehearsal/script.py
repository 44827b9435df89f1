"""The caller's part of a rehearsal, and what has to happen in each turn: ``script.toml``, read."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

SHIPPED_SCRIPT = Path(__file__).with_name("script.toml")


class ScriptInvalid(Exception):
    """A script that cannot be played; the message names the file, the entry and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One turn: what the caller does, and what is expected of the agent in answer."""

    title: str
    """A word or two, in French, for tables and pictures."""
    says: str = ""
    """The caller's line, a comma for a short pause and "…" for a longer one; empty in the first turn only."""
    after_quiet_ms: int = 700
    """The agent has to have been quiet for so long before the caller speaks."""
    interrupts_after_ms: int | None = None
    """When given, the caller does not wait: he speaks so long after the agent began to answer him."""
    hangs_up_after_ms: int | None = None
    """When given, in the last turn: the caller puts the phone down so long after the answer began."""
    nodes: tuple[str, ...] = ()
    """Nodes of the graph that have to run, in this order; others may run between them."""
    lines: tuple[str, ...] = ()
    """Keys of the lines that the agent has to say, in any order."""
    words: tuple[str, ...] = ()
    """Fragments that have to be in what the agent says, whatever the kind of space between the words."""


@dataclass(frozen=True, slots=True)
class Script:
    """A whole call."""

    caller: str
    """The number that the network shows."""
    outcome: Literal["hung_up", "transferred", "caller_left"]
    """How the call has to end."""
    turns: tuple[Cue, ...]


def read_script(path: Path = SHIPPED_SCRIPT) -> Script:
    """The script in ``path``. Raises :class:`ScriptInvalid`."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ScriptInvalid(f"{path}: cannot be read ({exc})") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ScriptInvalid(f"{path}: not TOML: {exc}") from exc
    try:
        script = TypeAdapter(Script).validate_python(entries, extra="forbid")
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the whole file"
        raise ScriptInvalid(f"{path}: {where}: {fault['msg']}") from exc
    _check_order(script, path)
    return script


def _check_order(script: Script, path: Path) -> None:
    """The agent opens the call, the caller speaks in every turn after that, and hangs up in the last."""
    for number, cue in enumerate(script.turns):
        opens = number == 0
        if opens and (cue.says or cue.interrupts_after_ms is not None):
            raise ScriptInvalid(f"{path}: turns.0: the agent opens the call; the caller says nothing yet")
        if not opens and not cue.says.strip(" ,.…"):
            raise ScriptInvalid(f"{path}: turns.{number}: the caller has to say something")
        if cue.hangs_up_after_ms is not None and cue is not script.turns[-1]:
            raise ScriptInvalid(
                f"{path}: turns.{number}: who has hung up says no more; only the last turn can"
            )
    if not script.turns:
        raise ScriptInvalid(f"{path}: turns: at least one is needed")
