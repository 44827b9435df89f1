"""What the configuration grants and what it refuses: the trunk, the advisers, AMI, modules, settings."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.asterisk.conftest import told_to
from tests.asterisk.host import DEPLOY, TRUNK, Asterisk
from tests.asterisk.phone import Phone
from tests.asterisk.scripted_agent import leaving
from tests.asterisk.trunk import an_asterisk_at
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

OLDEST = (22, 10)
"""AudioSocket has no known fault from here on (or from 20.20)."""

BY_THE_AGENT = {"AudioSocket", "Queue", "Dial", "Playback"}
"""Applications that the agent runs by EXEC."""

ENDPOINT_SETTINGS = {
    "allow": "(alaw|ulaw)",
    "context": "from-trunk",
    "direct_media": "false",
    "dtmf_mode": "rfc4733",
    "force_rport": "true",
    "language": "fr",
    "rewrite_contact": "true",
    "rtp_symmetric": "true",
    "allow_transfer": "false",
    "allow_subscribe": "false",
}


class AmiSession:
    """AMI, as far as asking who may do what."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, action: str, **headers: str) -> dict[str, str]:
        """The response to ``action``; events that come before it are passed over."""
        lines = [
            f"Action: {action}",
            "ActionID: ours",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        while "Response" not in (answer := await self._block()):
            pass
        return answer

    async def event(self, name: str) -> dict[str, str]:
        """The next UserEvent of this name."""
        while (event := await self._block()).get("UserEvent") != name:
            pass
        return event

    async def _block(self) -> dict[str, str]:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)


@asynccontextmanager
async def ami(asterisk: Asterisk) -> AsyncIterator[AmiSession]:
    """A connection to AMI that has not logged in."""
    reader, writer = await asyncio.open_connection(*asterisk.ami_address)
    try:
        await reader.readline()
        yield AmiSession(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


def test_this_asterisk_is_new_enough(asterisk: Asterisk) -> None:
    found = re.search(r"Asterisk (\d+)\.(\d+)", asterisk.tree.version())
    assert found
    assert (int(found[1]), int(found[2])) >= OLDEST


def test_every_application_and_function_of_the_dialplan_is_loaded(asterisk: Asterisk) -> None:
    dialplan = (DEPLOY / "extensions.conf").read_text(encoding="utf-8")
    code = "\n".join(text for text in dialplan.splitlines() if not text.lstrip().startswith(";"))
    used = set(
        re.findall(r"^(?:exten => [^,]+,1| same => n(?:\([a-z]+\))?),([A-Za-z]+)\(", code, re.MULTILINE)
    )
    functions = set(re.findall(r"\$\{([A-Z_]+)\(", code)) | {"PJSIP_HEADER", "TIMEOUT"}
    known = asterisk.cli("core show applications") + asterisk.cli("core show functions")
    names = set(re.findall(r"^\s*(\w+)[:\s(]", known, re.MULTILINE))
    assert used | BY_THE_AGENT <= names
    assert functions <= names
    assert "AGI" in used


def test_the_trunk_is_as_the_specification_asks(asterisk: Asterisk) -> None:
    shown = asterisk.cli("pjsip show endpoint trunk")
    settings = dict(re.findall(r"^ (\w+) +: (.*?) *$", shown, re.MULTILINE))
    assert ENDPOINT_SETTINGS.items() <= settings.items()
    assert settings["rtp_timeout"] == asterisk.environment["RTP_TIMEOUT_S"]


def test_chan_sip_is_not_there_and_nothing_else_listens(asterisk: Asterisk) -> None:
    modules = asterisk.cli("module show like chan_")
    assert "chan_pjsip.so" in modules
    assert "chan_sip.so" not in modules
    assert "chan_iax2.so" not in modules
    assert "Server Disabled" in asterisk.cli("http show status")


async def test_ami_lets_the_agent_look_and_hang_up_and_nothing_more(asterisk: Asterisk) -> None:
    async with ami(asterisk) as session:
        secret = asterisk.environment["AMI_SECRET"]
        assert (await session.ask("Login", Username="agent", Secret=secret))["Response"] == "Success"
        assert (await session.ask("CoreShowChannels"))["Response"] == "Success"
        assert (await session.ask("QueueSummary"))["Response"] == "Success"
        assert (await session.ask("PJSIPShowRegistrationsOutbound"))["Message"] != "Permission denied"
        no_such_channel = await session.ask("Hangup", Channel="PJSIP/nobody-1")
        assert no_such_channel["Message"] == "No such channel"
        no_such_channel = await session.ask("Redirect", Channel="PJSIP/nobody-1", Context="people", Exten="s")
        assert "Permission denied" not in no_such_channel["Message"]
        for action in (
            "Originate",
            "Command",
            "GetConfig",
            "UpdateConfig",
            "DBPut",
            "ModuleLoad",
            "QueueAdd",
        ):
            assert (await session.ask(action))["Message"] == "Permission denied", action


async def test_ami_tells_the_end_of_every_call_with_its_outcome(asterisk: Asterisk) -> None:
    async with ami(asterisk) as session, leaving("hungup") as agent, Phone.at(TRUNK) as phone:
        await session.ask("Login", Username="agent", Secret=asterisk.environment["AMI_SECRET"])
        told_to(asterisk, "AGENTS", agent.address)
        call = await phone.dial("0123456789", asterisk.sip_address)
        await call.over()
        ended = await session.event("VoicebotCallEnded")
        assert (ended["Call"], ended["Outcome"]) == (agent.visits[0], "hungup")


async def test_ami_refuses_a_wrong_secret(asterisk: Asterisk) -> None:
    async with ami(asterisk) as session:
        answer = await session.ask("Login", Username="agent", Secret="a guess")
        assert answer["Response"] == "Error"


async def test_asterisk_registers_at_the_trunk_with_the_password_of_the_environment() -> None:
    password = 'one;two "three" #four'
    async with an_asterisk_at(password, TRUNK_PASSWORD=password) as (asterisk, registrar):
        async with asyncio.timeout(10):
            request = await registrar.registered
        assert asterisk.environment["TRUNK_USER"] in request.first("Contact")
        assert not [path for path in (asterisk.folder / "etc").rglob("*") if path.stat().st_mode & 0o077]


async def test_a_trunk_that_refuses_is_asked_again_later() -> None:
    async with an_asterisk_at("another password") as (asterisk, registrar):
        await until(lambda: registrar.refused >= 2)
        async with asyncio.timeout(10):
            while "Rejected" not in (shown := asterisk.cli("pjsip show registrations")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert re.search(r"Rejected +\(exp\. \d+s\)", shown), (
            shown
        )  # not "(exp. 1s ago)": there is a next time
        assert not [line for line in asterisk.troubles() if "stopping outbound registration" in line]


async def test_behind_a_router_the_trunk_is_told_the_public_address_for_sip_and_sound() -> None:
    public = "203.0.113.7"
    behind = {"NAT": "yes", "PUBLIC_ADDRESS": public, "LOCAL_NETWORK": "127.0.0.1/32", "TRUNK_PASSWORD": "x"}
    async with an_asterisk_at("x", **behind) as (asterisk, registrar):
        async with asyncio.timeout(10):
            request = await registrar.registered
        assert public in request.first("Contact")
        async with Phone.at(TRUNK) as phone:
            call = await phone.dial("0123456789", asterisk.sip_address)
            call.hang_up()
    assert call.sound_to is not None
    assert call.sound_to[0] == public


def test_opus_can_be_had_where_the_package_brings_it(asterisk: Asterisk) -> None:
    paths = asterisk.cli("core show translation paths opus")
    assert re.search(r"To alaw:8000 *: \(opus@", paths), paths


async def test_asterisk_does_not_outlive_a_test_process_that_was_killed() -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.asterisk.debian import installed\n"
        "from tests.asterisk.host import fresh_environment, running\n"
        "with running(installed(), Path(sys.argv[1]), fresh_environment('127.0.0.1:9')) as asterisk:\n"
        "    print(asterisk.process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with TemporaryDirectory(prefix="asterisk-") as folder:
        tests = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, str(Path(folder) / "a")),
            cwd=DEPLOY.parents[1],
            stdout=asyncio.subprocess.PIPE,
        )
        assert tests.stdout is not None
        process = Path("/proc") / (await tests.stdout.readline()).decode().strip()
        assert "asterisk" in (process / "cmdline").read_text(encoding="utf-8")
        tests.kill()
        await tests.wait()
        await until(lambda: not process.exists())
