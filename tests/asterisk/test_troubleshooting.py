"""Every line of the README's troubleshooting table, brought about on the real Asterisk.

What a line promises to show is read from the README itself (``…`` stands for anything), so that the table and
Asterisk cannot drift apart; and a line that nobody tries here is a failure.
"""

import asyncio
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import pytest
from pydantic import SecretStr

from telephony.call import CallerLeft, NoAudio
from tests.asterisk import agent as agents
from tests.asterisk import sip
from tests.asterisk.agent import Agent, manager_of
from tests.asterisk.conftest import NOBODY, told_to
from tests.asterisk.debian import installed
from tests.asterisk.host import (
    ADVISERS,
    DEPLOY,
    SERVER,
    TRUNK,
    Asterisk,
    AsteriskFailed,
    fresh_environment,
    render,
    running,
)
from tests.asterisk.phone import Call, EndedBy, NotRegistered, Phone, Refused
from tests.asterisk.scripted_agent import leaving
from tests.asterisk.trunk import an_asterisk_at
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

README = DEPLOY.parents[1] / "README.md"
WITHIN_S = 15.0

Test = TypeVar("Test", bound=Callable[..., object])
_tried: set[str] = set()


def table() -> dict[str, str]:
    """Of each line the symptom, and what it is to show."""
    text = README.read_text(encoding="utf-8")
    chapter = text.split("### When a call does not do what it should", 1)[1].split("\n#", 1)[0]
    rows = [
        [cell.strip() for cell in row.split(" | ")]
        for row in re.findall(r"^\| (.*) \|$", chapter, re.MULTILINE)
    ]
    return {row[0]: row[2] for row in rows if row[0] not in ("symptom", "---")}


def tries(symptom: str) -> Callable[[Test], Test]:
    """Marks the test of the line that begins so."""

    def mark(test: Test) -> Test:
        (line,) = [one for one in table() if one.startswith(symptom)]
        assert line not in _tried, line
        _tried.add(line)
        return test

    return mark


def shows(seen: str, symptom: str) -> bool:
    """Whether everything that the line promises is in ``seen``."""
    (promised,) = [told for one, told in table().items() if one.startswith(symptom)]
    words = re.findall(r"`([^`]+)`", promised)
    assert words, symptom
    return all(re.search(re.escape(word).replace("…", ".*"), seen) for word in words)


class Log:
    """What Asterisk has logged since this was made."""

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk, self._from = asterisk, len(asterisk.log())

    def __str__(self) -> str:
        return self._asterisk.log()[self._from :]

    async def shows(self, symptom: str) -> None:
        """Wait until it does."""
        async with asyncio.timeout(WITHIN_S):
            while not shows(str(self), symptom):  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.05)


def test_every_line_of_the_table_is_tried_here() -> None:
    assert len(table()) >= 15
    assert set(table()) == _tried


def test_a_line_that_shows_something_else_is_noticed() -> None:
    assert shows("ERROR … TRUNK_HOST is not set\n", "`render` stops")
    assert not shows("TRUNK_USER is not set", "`render` stops")
    assert not shows("Rejected (exp. 100s)", "nobody can ring")  # the half of it


async def ring(phone: Phone, asterisk: Asterisk) -> Call:
    return await phone.dial("0123456789", asterisk.sip_address)


@tries("`render` stops")
def test_render_names_the_setting_that_is_missing(tmp_path: Path) -> None:
    directories = tmp_path / "package.conf"
    directories.write_text("[directories]\n", encoding="utf-8")
    environment = {name: value for name, value in fresh_environment(NOBODY).items() if name != "TRUNK_HOST"}
    with pytest.raises(AsteriskFailed) as raised:
        render(tmp_path / "etc", environment, directories)
    assert shows(str(raised.value), "`render` stops")


@tries("Asterisk is up, no call works")
def test_a_port_that_is_taken_is_told_in_the_log_and_asterisk_is_up_all_the_same() -> None:
    environment = fresh_environment(NOBODY)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another_server,
        TemporaryDirectory(prefix="asterisk-") as folder,
    ):
        another_server.bind((SERVER, int(environment["SIP_PORT"])))
        with (
            pytest.raises(AsteriskFailed, match="is up") as raised,
            running(installed(), Path(folder) / "a", environment),
        ):
            pass
    errors = "\n".join(line for line in str(raised.value).splitlines() if "ERROR" in line)
    assert shows(errors, "Asterisk is up, no call works")


@tries("nobody can ring")
async def test_a_wrong_trunk_password_is_seen_in_the_registrations() -> None:
    async with an_asterisk_at("another password") as (asterisk, _):
        log = Log(asterisk)
        async with asyncio.timeout(WITHIN_S):
            while not shows(f"{asterisk.cli('pjsip show registrations')}\n{log}", "nobody can ring"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


@tries("the operator says 401")
async def test_a_caller_from_elsewhere_is_named_in_the_log(asterisk: Asterisk) -> None:
    log = Log(asterisk)
    async with Phone.at("127.0.0.9") as stranger:
        call = stranger.ring("0123456789", asterisk.sip_address)
        with pytest.raises(Refused, match="401"):
            await call.connected()
    await log.shows("the operator says 401")
    assert "127.0.0.9" in str(log)
    assert TRUNK in asterisk.cli("pjsip show identifies")


class Answers(asyncio.DatagramProtocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.messages: list[sip.Message] = []

    def datagram_received(self, data: bytes, addr: sip.Address) -> None:
        self.messages.append(sip.parse(data))


@tries("the operator says 488")
async def test_a_codec_that_we_do_not_take_is_seen_in_the_invitation(asterisk: Asterisk) -> None:
    log, answers = Log(asterisk), Answers()
    loop = asyncio.get_running_loop()
    asterisk.cli("pjsip set logger on")
    transport, _ = await loop.create_datagram_endpoint(lambda: answers, local_addr=(TRUNK, 0))
    port = transport.get_extra_info("sockname")[1]
    target = f"sip:0123456789@{asterisk.sip_address[0]}:{asterisk.sip_address[1]}"
    offer = (
        *("v=0", f"o=- 1 1 IN IP4 {TRUNK}", "s=-", f"c=IN IP4 {TRUNK}", "t=0 0", "m=audio 40000 RTP/AVP 18"),
        *("a=rtpmap:18 G729/8000", ""),
    )
    headers = [
        ("Via", f"SIP/2.0/UDP {TRUNK}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:0612345678@{TRUNK}>;tag={secrets.token_hex(4)}"),
        ("To", f"<{target}>"),
        ("Call-ID", secrets.token_hex(8)),
        ("CSeq", "1 INVITE"),
        ("Contact", f"<sip:0612345678@{TRUNK}:{port}>"),
    ]
    transport.sendto(
        sip.compose(f"INVITE {target} SIP/2.0", headers, "\r\n".join(offer)), asterisk.sip_address
    )
    await until(lambda: any(one.status >= 300 for one in answers.messages))
    transport.close()
    assert answers.messages[-1].status == 488
    await log.shows("the operator says 488")
    asterisk.cli("pjsip set logger off")


@tries("advisers ring at once")
async def test_an_agent_that_does_not_run_is_told_in_the_log(asterisk: Asterisk) -> None:
    log = Log(asterisk)
    async with Phone.at(TRUNK) as phone:
        call = await ring(phone, asterisk)  # nobody answers where the agent is to be
        await log.shows("advisers ring at once")
        await call.hear_speech(0)  # « Aucun conseiller… »: there is none either
        call.hang_up()
    assert "/occupes" in str(log)


@tries("« Nos conseillers vous répondent du lundi… »")
async def test_a_clock_that_was_left_over_is_among_the_globals_and_is_taken_out(asterisk: Asterisk) -> None:
    told_to(asterisk, "CLOCK", "1798185600")
    log = Log(asterisk)
    async with Phone.at(TRUNK) as phone:
        await (await ring(phone, asterisk)).over(20_000)
        assert "/ferme" in str(log)
        globals_ = asterisk.cli("dialplan show globals")
        assert shows(globals_, "« Nos conseillers vous répondent du lundi… »")
        assert "CLOCK=1798185600" in globals_
        assert {"OPENS=0900", "CLOSES=1800", "CLOSED_DAYS=none"} <= set(globals_.split())
        asterisk.cli('dialplan set global CLOCK ""')
        assert re.search(r"CLOCK=$", asterisk.cli("dialplan show globals"), re.MULTILINE)


@tries("answered, then an adviser")
async def test_a_sound_port_that_asterisk_cannot_reach_is_told_on_both_sides(
    asterisk: Asterisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log(asterisk)
    async with (
        agents.in_process(tmp_path, line={"audio_address": "127.0.0.77"}) as agent,
        Phone.at(TRUNK) as phone,
    ):
        told_to(asterisk, "AGENTS", agent.address)
        call = await ring(phone, asterisk)
        await log.shows("answered, then an adviser")
        await until(lambda: agent.transcripts.calls != {} and agent.transcripts.only.outcome == NoAudio())
        call.hang_up()
    (symptom,) = [one for one in table() if one.startswith("answered, then an adviser")]
    assert f"outcome={NoAudio().name}" in symptom


@tries("the agent never hears the caller")
async def test_sound_that_does_not_come_in_is_a_nought_in_the_statistics(
    asterisk: Asterisk, agent: Agent
) -> None:
    async with Phone.at(TRUNK) as phone:
        call = phone.ring("0123456789", asterisk.sip_address)
        call.sends_nothing = True
        await call.connected()
        await call.hear_speech(0)
        (line,) = [row for row in asterisk.cli("pjsip show channelstats").splitlines() if "trunk" in row]
        assert shows(line, "the agent never hears the caller")
        received, sent = re.findall(r"\balaw\s+(\d+)\s+\d+\s+\d+\s+[\d.]+\s+(\d+)", line)[0]
        assert (int(received), int(sent) > 0) == (0, True), line
        call.hang_up()


@tries("the caller hears nothing")
async def test_an_address_of_the_inside_is_seen_in_the_answer(asterisk: Asterisk) -> None:
    log = Log(asterisk)
    asterisk.cli("pjsip set logger on")
    async with Phone.at(TRUNK) as phone:
        call = await ring(phone, asterisk)
        call.hang_up()
    asterisk.cli("pjsip set logger off")
    await log.shows("the caller hears nothing")
    assert f"c=IN IP4 {SERVER}" in str(log), "with NAT=yes it is the public one: test_operations"


@tries("keys do nothing")
async def test_a_key_that_comes_as_an_event_is_in_the_log_and_one_that_comes_as_sound_is_not(
    asterisk: Asterisk, agent: Agent
) -> None:
    log = Log(asterisk)
    async with Phone.at(TRUNK) as phone:
        call = await ring(phone, asterisk)
        await call.hear_speech(0)
        await call.say(tones_of_one())
        assert not shows(str(log), "keys do nothing")
        await call.press("1")
        await log.shows("keys do nothing")
        call.hang_up()


def tones_of_one() -> bytes:
    """The key 1 as a telephone without events sends it: 697 and 1209 Hz, for 400 ms."""
    seconds = np.arange(3200) / 8000
    wave = np.sin(2 * np.pi * 697 * seconds) + np.sin(2 * np.pi * 1209 * seconds)
    return (wave * 8000).astype("<i2").tobytes()


@tries("calls end after a minute")
async def test_a_line_that_died_is_hung_up_and_told_in_the_log(asterisk: Asterisk, agent: Agent) -> None:
    log = Log(asterisk)
    async with Phone.at(TRUNK) as phone:
        call = await ring(phone, asterisk)
        await call.hear_speech(0)
        call.sends_nothing = True
        died_ms = call.clock_ms
        assert await call.over(40_000) is EndedBy.THEM
        patience_s = int(asterisk.environment["RTP_TIMEOUT_S"])
        assert call.clock_ms - died_ms > 1000 * (patience_s - 2)
        await until(lambda: not agent.service.agent.switchboard.live())
    await log.shows("calls end after a minute")
    assert f"in {patience_s} seconds" in str(log)
    await until(lambda: agent.transcripts.only.outcome == CallerLeft())


@tries("« Excusez-moi, un petit instant… »")
async def test_an_agent_that_died_is_counted_in_the_log(asterisk: Asterisk) -> None:
    log = Log(asterisk)
    async with leaving("", "hungup") as agent, Phone.at(TRUNK) as phone:
        told_to(asterisk, "AGENTS", agent.address)
        await (await ring(phone, asterisk)).over()
    await log.shows("« Excusez-moi, un petit instant… »")
    assert "/un-instant" in str(log)


@tries("an adviser's phone never rings")
async def test_an_adviser_with_a_wrong_password_is_unavailable_and_told_in_the_log(
    asterisk: Asterisk,
) -> None:
    log = Log(asterisk)
    async with Phone.at(ADVISERS, "201") as phone:
        with suppress(TimeoutError), pytest.raises(NotRegistered):
            await phone.register("a guess", asterisk.sip_address)
    assert shows(f"{asterisk.cli('queue show conseillers')}\n{log}", "an adviser's phone never rings")


@tries("the agent shows no table")
async def test_an_ami_secret_that_differs_is_told_in_the_log(asterisk: Asterisk, tmp_path: Path) -> None:
    log = Log(asterisk)
    manager = {**manager_of(asterisk), "secret": SecretStr("a guess")}
    async with agents.in_process(tmp_path, manager=manager):
        await log.shows("the agent shows no table")
