"""Callers who leave at the worst moment: nothing of them stays behind."""

import asyncio
import gc
import socket
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.rehearsal.caller import line
from audio.tts import TextToSpeech
from telephony.call import CallerLeft
from tests.asterisk.agent import Agent
from tests.asterisk.conftest import Measure
from tests.asterisk.host import TRUNK, Asterisk
from tests.asterisk.phone import Call, Phone, Refused
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

QUESTION = "Et quels sont les impôts, si je retire de l'argent après huit ans ?"
MY_CONTRACT = "Oui bonjour, je voudrais savoir… combien j'ai sur mon assurance vie."

Leave = Callable[[Call, bytes], Awaitable[None]]


@dataclass(frozen=True)
class Belongings:
    """What a process holds, counted."""

    tasks: int
    sockets: int
    calls: int
    audio_legs: int
    beats: int
    locks: int
    files: frozenset[Path]
    """In the agent's data folder and in the folder for temporary files, which is the test's own."""


def belongings(agent: Agent) -> Belongings:
    gc.collect()  # a socket that nobody holds any more is closed when Python notices
    parts = agent.service.agent
    return Belongings(
        tasks=len(asyncio.all_tasks()),
        sockets=len(open_sockets()),
        calls=len(parts.switchboard.live()),
        audio_legs=len(parts.media.legs),
        beats=len(parts.metronome),
        locks=len(parts.dialogue._locks),
        files=frozenset(
            path
            for folder in (parts.settings.application.data_folder, Path(tempfile.gettempdir()))
            for path in folder.rglob("*")
            if "archive" not in path.parts  # transcripts, which stay for their days
        ),
    )


def open_sockets() -> list[str]:
    """The sockets of this process, as the kernel names them."""
    targets: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that this listing needed
            targets.append(str(descriptor.readlink()))
    return [target for target in targets if target.startswith("socket:")]


@pytest.fixture
def temporary_files(tmp_path: Path) -> Iterator[None]:
    """A folder for temporary files that nobody else on this machine writes to."""
    usual, tempfile.tempdir = tempfile.tempdir, str(tmp_path / "tmp")
    Path(tempfile.tempdir).mkdir()
    yield
    tempfile.tempdir = usual


async def at_once(call: Call, _: bytes) -> None:
    """Before the greeting has begun."""


async def during_the_notice(call: Call, _: bytes) -> None:
    await call.hear_speech(0)
    await call.pause(500)


async def while_he_speaks(call: Call, question: bytes) -> None:
    await call.hear_out()
    with_half = asyncio.create_task(call.say(question))
    await call.pause(900)
    with_half.cancel()


async def while_the_agent_thinks(call: Call, question: bytes) -> None:
    """Patience has just run out: the ear or the dialogue is at work, or the voice begins."""
    await call.hear_out()
    await call.say(question)
    await call.pause(650)


async def during_the_answer(call: Call, question: bytes) -> None:
    await call.hear_out()
    said = await call.say(question)
    await call.hear_speech(after_ms=said.speech_ended_ms)
    await call.pause(300)


async def between_two_keys(call: Call, _: bytes) -> None:
    await call.hear_out()
    await call.press("100")


async def right_after_an_interruption(call: Call, question: bytes) -> None:
    await during_the_answer(call, question)
    cutting_in = asyncio.create_task(call.say(question))
    await call.pause(350)
    cutting_in.cancel()


MOMENTS: tuple[Leave, ...] = (
    at_once,
    during_the_notice,
    while_he_speaks,
    while_the_agent_thinks,
    during_the_answer,
    between_two_keys,
    right_after_an_interruption,
)


async def test_a_caller_may_leave_at_any_moment_and_nothing_of_him_stays(
    asterisk: Asterisk, temporary_files: None, agent: Agent, voice: TextToSpeech, measured: Measure
) -> None:
    question = await line(QUESTION, voice)

    async def visit(phone: Phone, leave: Leave) -> None:
        call = await phone.dial("0123456789", asterisk.sip_address)
        await leave(call, question)
        call.hang_up()

    async def given_up(phone: Phone) -> None:
        """Hangs up while it still rings."""
        call = phone.ring("0123456789", asterisk.sip_address)
        await until(lambda: call.heard_of)
        call.hang_up()

    before = belongings(agent)
    async with Phone.at(TRUNK) as phone:
        await asyncio.gather(given_up(phone), *(visit(phone, leave) for leave in MOMENTS))
        await until(lambda: not agent.service.agent.switchboard.live())
    await settled(agent)
    after = belongings(agent)
    assert after == before
    outcomes = Counter(type(transcript.outcome) for transcript in agent.transcripts.calls.values())
    # Who left before AGI() is unknown to the agent; who left before his sound had come is no fault of it.
    assert outcomes[CallerLeft] >= len(MOMENTS) - 1
    assert outcomes.keys() == {CallerLeft}
    measured("callers who left at another moment each", f"{len(MOMENTS) + 1}; left behind: nothing")


async def settled(agent: Agent) -> None:
    """Wait until tasks that end by themselves have done so."""
    await until(lambda: not agent.service.agent.media.legs)
    for _ in range(20):
        await asyncio.sleep(0.02)


async def test_a_stranger_gets_no_call_through(asterisk: Asterisk, agent: Agent) -> None:
    async with Phone.at("127.0.0.9") as phone:
        call = phone.ring("0123456789", asterisk.sip_address)
        with pytest.raises(Refused, match="401"):
            await call.connected()
    assert not agent.transcripts.calls


async def test_the_counting_sees_a_socket_a_task_and_a_file_that_stay(
    temporary_files: None, asterisk: Asterisk, agent: Agent
) -> None:
    before = belongings(agent)
    with socket.socket(), tempfile.NamedTemporaryFile():
        task = asyncio.create_task(asyncio.sleep(60))
        during = belongings(agent)
        task.cancel()
    assert during.sockets == before.sockets + 1
    assert during.tasks == before.tasks + 1
    assert len(during.files) == len(before.files) + 1
