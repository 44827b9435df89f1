"""Type instead of speaking: the same dialogue as on the phone, without the sound."""

import asyncio
import json
import sys
from uuid import uuid4

from app.settings import Settings
from app.text_calls import TextCalls, TextTurn
from app.wiring import open_mind
from graph.heard import Heard, Keys, Quiet, Words
from telephony.journal import MemoryJournal

HELP = "Tapez ce que vous diriez. Entrée seule : silence. #1234 : touches du téléphone. Ctrl-D : raccrocher."


async def chat(settings: Settings, *, show_state: bool) -> int:
    """Talk on the terminal until goodbye, transfer or end of input; 0, as an exit status."""
    async with open_mind(settings) as mind:
        print(" · ".join(f"{port}: {choice}" for port, choice in mind.parts.items()))  # noqa: T201 - the terminal
        print(HELP)  # noqa: T201 - as above
        calls = TextCalls(mind.dialogue, MemoryJournal())
        turn = await calls.start(str(uuid4()))
        while True:
            await _show(calls, turn, show_state)
            if turn.ended:
                return 0
            line = await asyncio.to_thread(_ask)
            if line is None:
                return 0
            turn = await calls.turn(turn.call_id, _heard(line))


def _ask() -> str | None:
    try:
        return input("\nvous   > ").strip()
    except EOFError:
        return None


def _heard(line: str) -> Heard:
    if not line:
        return Quiet()
    return Keys(line[1:].strip()) if line.startswith("#") else Words(line)


async def _show(calls: TextCalls, turn: TextTurn, show_state: bool) -> None:
    for said in turn.said:
        print(f"agent  > {said.text}")  # noqa: T201 - the terminal
    nodes = " → ".join(f"{ran.node} {ran.took_ms:.1f} ms" for ran in turn.nodes)
    print(f"         [{nodes}]  {turn.next}")  # noqa: T201 - as above
    if show_state:
        state = await calls.state(turn.call_id)
        json.dump(state, sys.stdout, ensure_ascii=False, indent=None)
        print()  # noqa: T201 - as above
