"""The README's way from a SIP trunk to the first call, step by step, with its own settings."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from app.rehearsal.caller import line
from audio.tts import TextToSpeech
from tests.asterisk.advisers import adviser_at_work
from tests.asterisk.agent import in_own_process
from tests.asterisk.conftest import A_TUESDAY, Measure, told_to
from tests.asterisk.host import DEPLOY, TRUNK, Asterisk, free_port
from tests.asterisk.phone import EndedBy, Phone
from tests.asterisk.trunk import an_asterisk_at

pytestmark = pytest.mark.asterisk

GOODBYE = "Non merci, au revoir."
WITHIN_S = 15.0


async def says(asterisk: Asterisk, command: str, words: str) -> None:
    """Look until the command line shows it."""
    async with asyncio.timeout(WITHIN_S):
        while words not in asterisk.cli(command):  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.1)


def chapter() -> str:
    readme = (DEPLOY.parents[1] / "README.md").read_text(encoding="utf-8")
    return readme.split("## Point an Asterisk at it", 1)[1].split("\n## ", 1)[0]


def test_the_readme_names_every_setting_that_has_no_default() -> None:
    named = re.findall(r"^   ([A-Z0-9_]+)=", chapter(), re.MULTILINE)
    files = [path for path in DEPLOY.glob("*.conf") if "-" not in path.stem or "trunk" in path.stem]
    text = "\n".join(
        row
        for path in files
        for row in path.read_text(encoding="utf-8").splitlines()
        if not row.lstrip().startswith(";")
    )
    needed = set(re.findall(r"@([A-Z][A-Z0-9_]*)@", text)) - {"HERE"}
    assert set(named) == needed | {"SERVER_ADDRESS"}
    assert len(named) == 8, "the chapter says eight"


async def test_from_the_trunk_to_the_first_call(
    tmp_path: Path, voice: TextToSpeech, measured: Measure
) -> None:
    agi_port = free_port(socket.SOCK_STREAM)
    password = "of-the-trunk"
    async with an_asterisk_at(password, TRUNK_PASSWORD=password, AGENTS=f"127.0.0.1:{agi_port}") as (
        asterisk,
        registrar,
    ):
        told_to(asterisk, "CLOCK", str(int(A_TUESDAY.timestamp())))
        manager = {
            "ASTERISK_AMI_PORT": asterisk.environment["AMI_PORT"],
            "ASTERISK_AMI_SECRET": asterisk.environment["AMI_SECRET"],
            "SPEECH_WORDS_PER_MINUTE": "300",
        }
        async with in_own_process(tmp_path, agi_port, manager) as agent:  # step 1
            await registrar.registered
            await says(asterisk, "pjsip show registrations", "Registered")  # step 5
            async with Phone.at(TRUNK) as phone:  # step 6
                call = await phone.dial("0123456789", asterisk.sip_address)
                greeted_ms = await call.hear_speech(0)
                await call.hear_out(quiet_ms=900, after_ms=0)
                await call.say(await line(GOODBYE, voice))
                assert await call.over() is EndedBy.THEM
            assert "outcome=hung_up" in agent.log()
            assert "ami.up" in agent.log()
        measured("from the README's steps: greeting heard after the answer", f"{greeted_ms:.0f} ms")
        assert "Unavailable" in asterisk.cli("queue show conseillers")  # step 7
        async with adviser_at_work(asterisk) as adviser, Phone.at(TRUNK) as phone:
            await says(asterisk, "queue show conseillers", "Not in use")
            call = await phone.dial("0123456789", asterisk.sip_address)
            async with asyncio.timeout(WITHIN_S):
                talk = await adviser.incoming.get()
                await talk.connected()
            talk.hang_up()
            assert await call.over() is EndedBy.THEM
