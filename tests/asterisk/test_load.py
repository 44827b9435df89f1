"""Thirty callers at the same time, each of whom the agent understands, answers and takes leave of."""

import asyncio
import re
import socket
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest

from app.rehearsal.caller import line
from app.rehearsal.telephone import LineNoise
from audio.pcm import FRAME_MS
from audio.tts import TextToSpeech
from tests.asterisk.agent import in_own_process
from tests.asterisk.conftest import Measure, told_to
from tests.asterisk.host import TRUNK, Asterisk, free_port
from tests.asterisk.phone import Call, EndedBy, Phone

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(180)]

CALLS = 30
DIALLED_EVERY_S = 0.1
"""Thirty in the very same millisecond is not how people ring."""

LATE_MS = 60
"""A packet that comes so much after its time is more than a telephone's buffer smooths."""

GOODBYE = "Merci beaucoup, bonne journée."
QUESTION = "Quels sont vos horaires d'ouverture ?"


async def test_thirty_calls_at_once_are_all_served_to_the_end(
    asterisk: Asterisk, voice: TextToSpeech, tmp_path: Path, measured: Measure
) -> None:
    question, goodbye = await line(QUESTION, voice), await line(GOODBYE, voice)

    async def talk(phone: Phone, after_s: float) -> tuple[Call, EndedBy]:
        await asyncio.sleep(after_s)
        call = await phone.dial("0123456789", asterisk.sip_address)
        call.background = LineNoise()
        await call.hear_out(quiet_ms=900)
        said = await call.say(question)
        await call.hear_out(quiet_ms=900, after_ms=said.speech_ended_ms)
        await call.say(goodbye)
        return call, await call.over(30_000)

    async with in_own_process(tmp_path, free_port(socket.SOCK_STREAM)) as agent, Phone.at(TRUNK) as phone:
        told_to(asterisk, "AGENTS", agent.address)
        talks = [talk(phone, number * DIALLED_EVERY_S) for number in range(CALLS)]
        served = await asyncio.gather(*talks)
    assert {ended_by for _, ended_by in served} == {EndedBy.THEM}
    log = (tmp_path / "agent.log").read_text(encoding="utf-8")
    assert len(set(re.findall(r"call_id=(\S+) outcome=hung_up", log))) == CALLS
    greeted = sorted(call.first_speech_ms() or 0.0 for call, _ in served)
    late = sorted(gap - FRAME_MS for gap in chain.from_iterable(call.gaps_ms() for call, _ in served))
    told = f"{share(greeted, 0.5):.0f} ms, last {greeted[-1]:.0f} ms"
    measured(f"{CALLS} calls at once, greeting heard", told)
    told = f"p50 {share(late, 0.5):.1f} ms, p99 {share(late, 0.99):.1f} ms, most {late[-1]:.0f} ms"
    measured(f"{CALLS} calls at once, lateness of {len(late)} packets", told)
    # Timed by the kernel as they arrive. The hundredth part that is left out is 360 packets: a machine
    # that is busy with something else for seconds spoils it, a slow moment does not.
    assert share(late, 0.99) < LATE_MS


def share(figures: Sequence[float], part: float) -> float:
    """The figure below which ``part`` of the sorted ``figures`` lie."""
    return figures[min(int(len(figures) * part), len(figures) - 1)]
