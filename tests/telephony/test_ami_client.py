"""The link to Asterisk's manager interface, on a server that can be told to misbehave."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from socket import create_server

import pytest

from telephony.ami import (
    AmiAway,
    AmiEvent,
    AmiRefused,
    AmiState,
    Booted,
    ChannelGone,
    ChannelListed,
    ChannelListEnded,
    ChannelSeen,
    NoSuchChannel,
    NoSuchExtension,
    ProtocolError,
    QueueListed,
    TrunkReported,
)
from telephony.ami_client import LONGEST_MESSAGE_BYTES, AmiLink, LinkTimes
from telephony.channels import ChannelTable
from tests.simulators.ami import SECRET, AmiSimulator, block, channel_lines, running_ami
from tests.telephony.waiting import until

PATIENT = LinkTimes(ping_every_s=60, first_pause_s=0.01, longest_pause_s=0.02, refused_pause_s=60)
"""Nothing but what a test does makes the link give up."""

NERVOUS = replace(PATIENT, connect_s=0.1, login_s=0.1, action_s=0.1, ping_every_s=0.02, ping_s=0.1)
"""Faults are noticed in a moment."""

CHANNEL = "PJSIP/trunk-00000001"


class Watcher:
    """Keeps what the link tells."""

    def __init__(self, link: AmiLink) -> None:
        self.states: list[AmiState] = []
        self.events: list[AmiEvent] = []
        self.unsubscribe = [link.states(self.states.append), link.events(self.events.append)]


@asynccontextmanager
async def linked(
    asterisk: AmiSimulator, times: LinkTimes = PATIENT, secret: str = SECRET
) -> AsyncIterator[tuple[AmiLink, Watcher]]:
    """A link that has begun to connect."""
    link = AmiLink("127.0.0.1", asterisk.port, "agent", secret, times)
    watcher = Watcher(link)
    await link.start()
    try:
        yield link, watcher
    finally:
        await link.close()


@pytest.fixture
async def asterisk() -> AsyncIterator[AmiSimulator]:
    async with running_ami(AmiSimulator(channels={CHANNEL: "1.1"}, queues={"conseillers": 2})) as simulator:
        yield simulator


async def up(link: AmiLink) -> None:
    await until(lambda: link.state is AmiState.UP)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


# up


async def test_the_link_comes_up_and_says_so(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, watcher):
        assert link.state is AmiState.AWAY
        await up(link)
        assert watcher.states == [AmiState.UP]
        (login,) = asterisk.asked("Login")
        assert (login["username"], login["secret"]) == ("agent", SECRET)
        assert "dialplan" in login["events"]


async def test_starting_does_not_wait_for_asterisk() -> None:
    asterisk = AmiSimulator()
    await asterisk.start()
    await asterisk.stop()
    async with linked(asterisk) as (link, watcher):
        assert link.state is AmiState.AWAY
        await asterisk.start()
        await up(link)
        await asterisk.stop(clean=False)
        assert watcher.states[0] is AmiState.UP


async def test_lists_are_given_and_told_in_one(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, watcher):
        await up(link)
        (channel,) = await link.channels()
        assert (channel.channel.name, channel.codec, channel.seconds) == (CHANNEL, "alaw", 7)
        assert list(await link.queues()) == [QueueListed("conseillers", 2)]
        assert list(await link.trunks()) == [TrunkReported("trunk", up=False)]
        assert [type(event) for event in watcher.events][:2] == [ChannelListed, ChannelListEnded]
        assert TrunkReported("trunk", up=False) in watcher.events


async def test_a_hang_up_right_behind_a_list_is_told_behind_it(asterisk: AmiSimulator) -> None:
    """Whoever keeps a table from the events is right, however late the asker wakes."""
    async with linked(asterisk) as (link, watcher):
        await up(link)
        table = ChannelTable()
        link.events(lambda event: table.apply(event, 0))
        asking = asyncio.create_task(link.channels())
        await until(lambda: bool(asterisk.asked("Status")))
        asterisk.tell("Event: Hangup", *channel_lines(CHANNEL, "1.1"), "Cause: 16")
        assert len(await asking) == 1
        await until(lambda: any(isinstance(event, ChannelGone) for event in watcher.events))
        assert len(table) == 0


async def test_a_channel_is_hung_up(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, _):
        await up(link)
        await link.hang_up(CHANNEL)
        assert asterisk.asked("Hangup")[0]["channel"] == CHANNEL
        with pytest.raises(NoSuchChannel):
            await link.hang_up("PJSIP/none")


async def test_a_channel_is_redirected_to_where_the_dialplan_goes_on(asterisk: AmiSimulator) -> None:
    asterisk.extensions.add(("hand-over", "201"))
    async with linked(asterisk) as (link, _):
        await up(link)
        await link.redirect(CHANNEL, "hand-over", "201")
        (redirect,) = asterisk.asked("Redirect")
        assert (redirect["context"], redirect["exten"], redirect["priority"]) == ("hand-over", "201", "1")
        with pytest.raises(NoSuchChannel):
            await link.redirect("PJSIP/none", "hand-over", "201")


async def test_what_a_channel_is_to_hold_is_set_before_it_goes(asterisk: AmiSimulator) -> None:
    asterisk.extensions.add(("operator", "201"))
    async with linked(asterisk) as (link, _):
        await up(link)
        summary = "Envoyé par le superviseur ; identité vérifiée."
        await link.redirect(CHANNEL, "operator", "201", {"__VOICEBOT_SUMMARY": summary})
        (setvar,) = asterisk.asked("Setvar")
        assert (setvar["channel"], setvar["variable"], setvar["value"]) == (
            CHANNEL,
            "__VOICEBOT_SUMMARY",
            summary,
        )
        names = [one["action"] for one in asterisk.actions]
        assert names.index("Setvar") < names.index("Redirect")
        with pytest.raises(NoSuchChannel):
            await link.redirect("PJSIP/none", "operator", "201", {"A": "b"})
        with pytest.raises(NoSuchExtension):
            await link.redirect(CHANNEL, "operator", "999", {"A": "b"})
        with pytest.raises(ProtocolError):
            await link.redirect(CHANNEL, "operator", "201", {"A": "b\r\nAction: Logoff"})
        assert [one["channel"] for one in asterisk.asked("Setvar")] == [CHANNEL, "PJSIP/none"]


async def test_a_channel_is_not_touched_for_a_place_that_does_not_exist(asterisk: AmiSimulator) -> None:
    """Asterisk would say yes, and cut the caller off."""
    async with linked(asterisk) as (link, _):
        await up(link)
        with pytest.raises(NoSuchExtension, match="201"):
            await link.redirect(CHANNEL, "hand-over", "201")
        assert asterisk.asked("Redirect") == []


async def test_nobody_can_smuggle_in_another_action(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, _):
        await up(link)
        with pytest.raises(ProtocolError):
            await link.hang_up(f"{CHANNEL}\r\n\r\nAction: Command")
        await link.queues()
        assert {one["action"] for one in asterisk.actions} == {"Login", "QueueStatus"}


async def test_events_are_told_until_they_are_not_wanted(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, watcher):
        await up(link)
        asterisk.tell("Event: Newchannel", *channel_lines(CHANNEL, "1.1"))
        await until(lambda: bool(watcher.events))
        assert isinstance(watcher.events[0], ChannelSeen)
        for unsubscribe in watcher.unsubscribe:
            unsubscribe()
        asterisk.tell("Event: Newchannel", *channel_lines(CHANNEL, "1.1"))
        await link.queues()
        assert len(watcher.events) == 1


async def test_a_character_cut_by_two_packets_is_whole(asterisk: AmiSimulator) -> None:
    raw = block("Event: QueueParams", "Queue: réclamations", "Calls: 1")
    cut = raw.index("é".encode()) + 1
    async with linked(asterisk) as (link, watcher):
        await up(link)
        asterisk.write(raw[:cut])
        await asyncio.sleep(0.01)  # or both halves would travel together
        asterisk.write(raw[cut:])
        await until(lambda: bool(watcher.events))
        assert watcher.events == [QueueListed("réclamations", 1)]


async def test_a_long_list_does_not_hold_up_the_loop(asterisk: AmiSimulator) -> None:
    """Between its pieces, others have their turn."""
    asterisk.channels = {f"PJSIP/trunk-{number:08}": f"1.{number}" for number in range(300)}
    async with linked(asterisk) as (link, watcher):
        await up(link)
        seen_at_each_turn: list[int] = []
        asking = asyncio.create_task(link.channels())
        while not asking.done():
            seen_at_each_turn.append(len(watcher.events))
            await asyncio.sleep(0)
        assert len(await asking) == 300
        steps = [after - before for before, after in pairwise(seen_at_each_turn)]
        assert max(steps) <= 30


async def test_an_event_that_cannot_be_read_is_logged_and_the_next_one_is(
    asterisk: AmiSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with linked(asterisk) as (link, watcher):
        await up(link)
        asterisk.tell("Event: Hangup", "Uniqueid: 1.1", "Cause: sixteen")
        asterisk.tell("Event: FullyBooted")
        await until(lambda: watcher.events == [Booted()])
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == [
        "ami.unreadable"
    ]


async def test_an_entry_that_cannot_be_read_is_left_out_of_its_list(
    asterisk: AmiSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    asterisk.silent.add("QueueStatus")
    async with linked(asterisk) as (link, _):
        await up(link)
        asking = asyncio.create_task(link.queues())
        await until(lambda: bool(asterisk.asked("QueueStatus")))
        mark = f"ActionID: {asterisk.asked('QueueStatus')[0]['actionid']}"
        asterisk.write(
            block("Response: Success", mark, "EventList: start", "Message: will follow")
            + block("Event: QueueParams", mark, "Queue: q", "Calls: many")
            + block("Event: QueueParams", mark, "Queue: conseillers", "Calls: 2")
            + block("Event: QueueStatusComplete", mark)
        )
        assert list(await asking) == [QueueListed("conseillers", 2)]
        assert link.state is AmiState.UP
    assert warnings(caplog) == ["ami.unreadable"]


async def test_a_list_that_is_not_allowed_is_left_out_and_told_once(
    asterisk: AmiSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    asterisk.forbidden.add("DeviceStateList")
    async with linked(asterisk) as (link, _):
        await up(link)
        assert await link.trunks() == []
        assert await link.trunks() == []
    told = [vars(one) for one in caplog.records if one.getMessage() == "ami.not_allowed"]
    assert [(one["action"], one["reason"]) for one in told] == [("DeviceStateList", "Permission denied")]


async def test_an_action_that_is_not_allowed_is_refused_in_asterisks_words(asterisk: AmiSimulator) -> None:
    asterisk.forbidden.add("Hangup")
    async with linked(asterisk) as (link, _):
        await up(link)
        with pytest.raises(AmiRefused, match="Permission denied"):
            await link.hang_up(CHANNEL)


# refused


async def test_a_wrong_secret_is_a_state_and_is_told_once(
    asterisk: AmiSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    times = replace(PATIENT, refused_pause_s=0.01)
    async with linked(asterisk, times, secret="wrong") as (link, watcher):
        await until(lambda: len(asterisk.asked("Login")) > 2)
        assert watcher.states == [AmiState.REFUSED]
        with pytest.raises(AmiAway, match=r"refused.*Authentication failed"):
            await link.queues()
    assert warnings(caplog) == ["ami.refused"]
    assert "wrong" not in caplog.text


async def test_after_a_refusal_the_link_rests(asterisk: AmiSimulator) -> None:
    async with linked(asterisk, secret="wrong") as (link, _):
        await until(lambda: link.state is AmiState.REFUSED)
        await asyncio.sleep(10 * PATIENT.longest_pause_s)
        assert asterisk.connections == 1


async def test_a_login_that_nobody_answers_is_given_up(asterisk: AmiSimulator) -> None:
    asterisk.silent.add("Login")
    async with linked(asterisk, NERVOUS) as (link, watcher):
        await until(lambda: asterisk.connections > 1)
        assert watcher.states == []
        asterisk.silent.clear()
        await up(link)


# lost


async def test_a_shutdown_is_noticed_and_the_link_comes_back_by_itself(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, watcher):
        await up(link)
        await asterisk.stop(clean=True)
        await until(lambda: link.state is AmiState.AWAY)
        with pytest.raises(AmiAway):
            await link.channels()
        await asterisk.start()
        await up(link)
        assert watcher.states == [AmiState.UP, AmiState.AWAY, AmiState.UP]
        assert len(await link.channels()) == 1


async def test_an_asterisk_that_is_shutting_down_is_away_and_nothing_is_refused(
    asterisk: AmiSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with linked(asterisk, NERVOUS) as (link, watcher):
        await up(link)
        asterisk.shutting_down = True
        with pytest.raises(AmiAway, match="shutting down"):
            await link.trunks()
        await until(lambda: asterisk.connections > 2)
        assert link.state is AmiState.AWAY
        asterisk.shutting_down = False
        await up(link)
        assert watcher.states == [AmiState.UP, AmiState.AWAY, AmiState.UP]
    assert warnings(caplog) == ["ami.away"]


async def test_what_was_asked_while_away_fails_at_once_and_is_never_done(asterisk: AmiSimulator) -> None:
    asterisk.extensions.add(("hand-over", "201"))
    async with linked(asterisk) as (link, _):
        await up(link)
        await asterisk.stop(clean=False)
        await until(lambda: link.state is AmiState.AWAY)
        for asked in (link.hang_up(CHANNEL), link.redirect(CHANNEL, "hand-over", "201"), link.queues()):
            with pytest.raises(AmiAway):
                await asked
        await asterisk.start()
        await up(link)
        asterisk.tell("Event: FullyBooted")
        await link.channels()
        assert {one["action"] for one in asterisk.actions} == {"Login", "Status"}


async def test_what_is_under_way_fails_with_the_connection_and_is_never_done_again(
    asterisk: AmiSimulator,
) -> None:
    asterisk.silent.add("Hangup")
    async with linked(asterisk) as (link, _):
        await up(link)
        asking = asyncio.create_task(link.hang_up(CHANNEL))
        await until(lambda: bool(asterisk.asked("Hangup")))
        await asterisk.stop(clean=False)
        with pytest.raises(AmiAway, match="lost"):
            await asking
        asterisk.silent.clear()
        await asterisk.start()
        await up(link)
        asterisk.tell("Event: FullyBooted")
        await link.channels()
        assert len(asterisk.asked("Hangup")) == 1


async def test_an_action_that_is_never_answered_is_given_up_alone(asterisk: AmiSimulator) -> None:
    asterisk.silent.add("QueueStatus")
    async with linked(asterisk, replace(PATIENT, action_s=0.05)) as (link, watcher):
        await up(link)
        with pytest.raises(AmiAway, match="QueueStatus: no answer within"):
            await link.queues()
        assert len(await link.channels()) == 1
        assert watcher.states == [AmiState.UP]


async def test_an_answer_that_comes_too_late_is_nobodys(asterisk: AmiSimulator) -> None:
    asterisk.silent.add("Hangup")
    async with linked(asterisk, replace(PATIENT, action_s=0.05)) as (link, _):
        await up(link)
        with pytest.raises(AmiAway):
            await link.hang_up(CHANNEL)
        late = asterisk.asked("Hangup")[0]["actionid"]
        asterisk.tell("Response: Error", f"ActionID: {late}", "Message: No such channel")
        asterisk.silent.clear()
        await link.hang_up(CHANNEL)


async def test_a_frozen_asterisk_is_noticed_and_found_again(asterisk: AmiSimulator) -> None:
    async with linked(asterisk, NERVOUS) as (link, watcher):
        await up(link)
        asterisk.frozen = True
        await until(lambda: link.state is AmiState.AWAY)
        with pytest.raises(AmiAway, match="Ping: no answer"):
            await link.channels()
        asterisk.frozen = False
        await up(link)
        assert watcher.states == [AmiState.UP, AmiState.AWAY, AmiState.UP]


async def test_half_a_message_is_no_message(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, watcher):
        await up(link)
        asterisk.write(block("Event: FullyBooted")[:-2])
        await asterisk.stop(clean=False)
        await until(lambda: link.state is AmiState.AWAY)
        await asterisk.start()
        await up(link)
        assert watcher.events == []


async def test_a_message_without_end_costs_the_connection_not_the_memory(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, watcher):
        await up(link)
        asterisk.write(b"Event: Long\r\nX: " + b"x" * (LONGEST_MESSAGE_BYTES + 1))
        await until(lambda: watcher.states[-2:] == [AmiState.AWAY, AmiState.UP])


async def test_a_server_that_is_no_asterisk_is_away() -> None:
    with create_server(("127.0.0.1", 0)) as taken:  # accepts, says nothing
        asterisk = AmiSimulator(port=taken.getsockname()[1])
        async with linked(asterisk, NERVOUS) as (link, watcher):
            await until(lambda: "no answer" in link._why)
            assert watcher.states == []


# closed


async def test_a_closed_link_stays_closed(asterisk: AmiSimulator) -> None:
    async with linked(asterisk) as (link, watcher):
        await up(link)
        before = asyncio.all_tasks()
        await link.close()
        await until(lambda: len(asterisk._writers) == 0)
        assert watcher.states[-1] is AmiState.AWAY
        with pytest.raises(AmiAway, match="closed"):
            await link.channels()
        await asyncio.sleep(5 * PATIENT.longest_pause_s)
        assert asterisk.connections == 1
        assert {task.get_name() for task in before - asyncio.all_tasks()} >= {"AMI link"}


async def test_closing_stops_a_link_that_is_waiting_to_try_again(asterisk: AmiSimulator) -> None:
    await asterisk.stop()
    async with linked(asterisk) as (link, _):
        await until(lambda: "not connected" not in link._why)
        await link.close()
        await asterisk.start()
        await asyncio.sleep(5 * PATIENT.longest_pause_s)
        assert asterisk.connections == 0


async def test_closing_fails_what_is_under_way(asterisk: AmiSimulator) -> None:
    asterisk.silent.add("Hangup")
    async with linked(asterisk) as (link, _):
        await up(link)
        asking = asyncio.create_task(link.hang_up(CHANNEL))
        await until(lambda: bool(asterisk.asked("Hangup")))
        await link.close()
        with pytest.raises(AmiAway, match="closed"):
            await asking


async def test_closing_twice_or_before_the_start_does_no_harm() -> None:
    link = AmiLink("127.0.0.1", 1, "agent", SECRET)
    await link.close()
    await link.start()
    await link.close()
    await link.close()


async def test_closing_is_no_warning(asterisk: AmiSimulator, caplog: pytest.LogCaptureFixture) -> None:
    async with linked(asterisk) as (link, _):
        await up(link)
    assert warnings(caplog) == []
