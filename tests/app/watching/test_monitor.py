"""The monitor: callers as two sides know them, alarms that have lasted, actions on the right channel."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from app.watching.calls import CallBook
from app.watching.metrics import Metrics
from app.watching.monitor import (
    Alarm,
    AlarmKind,
    LiveCall,
    Monitor,
    NotOnTheLine,
    Thresholds,
    UnknownLiveCall,
    UnknownQueue,
)
from graph.heard import CallBegins
from telephony.ami import (
    AmiAway,
    AmiState,
    Bridged,
    ChannelListed,
    NoSuchChannel,
    NoSuchExtension,
    Quality,
    QueueListed,
    RtpEnded,
    RtpReported,
    TrunkReported,
)
from telephony.call import Call, CallId, HungUp
from telephony.channels import ChannelRow
from telephony.journal import CallEnded, CallerIdentified, CallStarted, NodePassed, TurnHeard
from telephony.simulated.ami import SimulatedAmi
from tests.app.office import Clock
from tests.telephony.waiting import until

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
CALLER = "0612345678"
OURS = "127.0.0.1:9092"
CHANNEL = "PJSIP/trunk-1"
THRESHOLDS = Thresholds(longest_call_s=600, longest_queue=2, lasting_s=5)


class BrokenAmi(SimulatedAmi):
    """Fails as nobody foresaw, once."""

    broken = True

    async def queues(self) -> Sequence[QueueListed]:
        if self.broken:
            self.broken = False
            raise RuntimeError("nobody foresaw this")
        return await super().queues()


@dataclass
class Post:
    """A monitor with what it watches; nothing happens by itself."""

    asterisk: SimulatedAmi = field(default_factory=SimulatedAmi)
    clock: Clock = field(default_factory=Clock)
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.calls = CallBook(self.clock)
        self.monitor = Monitor(
            self.asterisk, self.calls, OURS, frozenset({"trunk"}), thresholds=THRESHOLDS, clock=self.clock
        )
        self.asterisk.events(self.monitor._hear)
        self.asterisk.states(self.monitor._link_changed)
        self.metrics.watch_asterisk(self.monitor)

    def rings(self, channel: str = CHANNEL) -> str:
        """A caller whom the dialplan sends to the agent."""
        uniqueid = self.asterisk.ring(channel, caller=CALLER)
        self.asterisk.run(uniqueid, "AGI", "agi://127.0.0.1:4573/agent")
        return uniqueid

    def answers(self, channel: str = CHANNEL, call_id: CallId = CALL) -> None:
        """The agent takes him."""
        self.calls.note(call_id, CallStarted(Call(call_id, CALLER, "600", channel)))

    def in_a_call(self) -> str:
        uniqueid = self.rings()
        self.answers()
        return uniqueid

    async def passes(self, seconds: float) -> list[Alarm]:
        """The alarms after so long, with a look at the start and at the end."""
        await self.monitor.refresh()
        self.clock.now_s += seconds
        return self.monitor.alarms()

    def only(self) -> LiveCall:
        (call,) = self.monitor.live_calls()
        return call


@pytest.fixture
def post() -> Post:
    return Post()


def kinds(alarms: list[Alarm]) -> list[tuple[str, str]]:
    return [(alarm.kind.value, alarm.subject) for alarm in alarms]


def row_of(call: LiveCall) -> ChannelRow:
    assert call.channel is not None
    return call.channel


# who is there


def test_a_caller_is_one_call_with_both_sides(post: Post) -> None:
    post.in_a_call()
    post.calls.note(CALL, TurnHeard(CallBegins()))
    post.calls.note(CALL, NodePassed("greet", 1.0))
    post.calls.note(CALL, CallerIdentified())
    post.clock.now_s += 30
    call = post.only()
    assert (call.name, call.seconds) == (CALL, 30)
    assert (row_of(call).name, row_of(call).caller) == (CHANNEL, CALLER)
    assert call.status is not None
    assert (call.status.nodes, call.status.identified) == (["greet"], True)


async def test_the_uuid_on_the_audio_joins_them_when_the_name_does_not(post: Post) -> None:
    uniqueid = post.rings("PJSIP/renamed-1")
    post.asterisk.carry_sound(uniqueid, CALL, OURS)
    post.answers("PJSIP/before-1")
    assert len(post.monitor.live_calls()) == 2
    await post.monitor.refresh()
    assert post.only().status is not None


def test_an_ended_call_is_not_the_callers_any_more(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.calls.note(CALL, CallEnded(HungUp()))
    call = post.only()
    assert (call.name, call.status) == (uniqueid, None)


def test_a_leg_made_for_a_caller_has_no_row_of_its_own(post: Post) -> None:
    caller = post.rings()
    adviser = post.asterisk.ring("PJSIP/201-1", linkedid=caller)
    assert post.only().bridged_with == ()
    for uniqueid in (caller, adviser):
        post.asterisk.tell(Bridged(uniqueid, "b"))
    assert post.only().bridged_with == ("PJSIP/201-1",)


def test_without_asterisk_the_agents_calls_are_there(post: Post) -> None:
    post.in_a_call()
    post.asterisk.become(AmiState.AWAY)
    call = post.only()
    assert (call.name, call.channel) == (CALL, None)
    assert post.monitor.channels is None
    assert Monitor(None, post.calls).live_calls()[0].name == CALL


def test_a_text_call_is_nobody_on_the_line(post: Post) -> None:
    post.calls.note(CALL, CallStarted(Call(CALL)))
    assert post.monitor.live_calls() == []


def test_the_longest_comes_first(post: Post) -> None:
    post.rings("PJSIP/trunk-1")
    post.clock.now_s += 5
    post.answers("PJSIP/gone-1", CallId("11111111-5d0e-4c58-9c8e-3a1f2b4c5d6e"))
    post.clock.now_s += 5
    post.rings("PJSIP/trunk-2")
    assert [round(call.seconds) for call in post.monitor.live_calls()] == [10, 5, 0]


def test_nothing_printed_shows_the_callers_number(post: Post) -> None:
    post.in_a_call()
    assert CALLER not in repr(post.only())


# alarms


async def test_a_healthy_call_raises_no_alarm(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.carry_sound(uniqueid, CALL, OURS)
    assert await post.passes(60) == []
    assert await post.passes(60) == []


async def test_a_caller_with_whom_nobody_talks_is_an_orphan_once_it_has_lasted(post: Post) -> None:
    uniqueid = post.rings()
    assert await post.passes(4.9) == []
    assert kinds(await post.passes(0.1)) == [("orphan_channel", uniqueid)]
    post.answers()
    assert post.monitor.alarms() == []


async def test_sound_that_comes_here_for_a_call_that_is_over_is_an_orphan(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.carry_sound(uniqueid, CALL, OURS)
    post.calls.note(CALL, CallEnded(HungUp()))
    assert kinds(await post.passes(5)) == [("orphan_channel", uniqueid)]


async def test_sound_that_goes_to_another_agent_is_no_orphan(post: Post) -> None:
    uniqueid = post.rings()
    post.asterisk.carry_sound(uniqueid, CALL, "10.0.0.8:9092")
    assert await post.passes(60) == []


@pytest.mark.parametrize(
    ("application", "data"), [("Queue", "conseillers"), ("AGI", "agi://127.0.0.1/other"), ("", "")]
)
async def test_a_caller_who_is_elsewhere_is_no_orphan(post: Post, application: str, data: str) -> None:
    post.asterisk.run(post.asterisk.ring(CHANNEL), application, data)
    assert await post.passes(60) == []


async def test_an_agi_with_an_argument_is_ours_too(post: Post) -> None:
    uniqueid = post.asterisk.ring(CHANNEL)
    post.asterisk.run(uniqueid, "AGI", f"agi://10.0.0.7:4573/agent,{CALL}")
    assert kinds(await post.passes(5)) == [("orphan_channel", uniqueid)]


async def test_an_agent_that_talks_on_without_a_channel_has_lost_it(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.leave(uniqueid)
    assert await post.passes(4.9) == []
    assert kinds(await post.passes(0.1)) == [("lost_channel", CALL)]
    post.calls.note(CALL, CallEnded(HungUp()))
    assert post.monitor.alarms() == []


async def test_a_condition_that_was_over_in_between_starts_again(post: Post) -> None:
    uniqueid = post.rings()
    await post.passes(4)
    post.asterisk.run(uniqueid, "Queue", "conseillers")
    await post.passes(0)
    post.asterisk.run(uniqueid, "AGI", "agi://127.0.0.1:4573/agent")
    assert await post.passes(4) == []


async def test_no_channel_is_lost_before_asterisk_has_told_which_there_are(post: Post) -> None:
    post.answers()
    post.monitor.alarms()
    post.clock.now_s += 60
    assert post.monitor.alarms() == []


async def test_a_long_call_is_an_alarm_on_either_side(post: Post) -> None:
    post.in_a_call()
    other = post.asterisk.ring("PJSIP/trunk-2")
    assert await post.passes(600) == []
    assert kinds(await post.passes(1)) == [("long_call", CALL), ("long_call", other)]


async def test_a_long_queue_is_an_alarm_until_it_is_short(post: Post) -> None:
    waiting = [post.asterisk.ring(f"PJSIP/trunk-{n}") for n in range(3)]
    for uniqueid in waiting[:2]:
        post.asterisk.wait_in("conseillers", uniqueid)
    assert post.monitor.alarms() == []
    post.asterisk.wait_in("conseillers", waiting[2])
    assert kinds(post.monitor.alarms()) == [("long_queue", "conseillers")]
    post.asterisk.waiting["conseillers"].pop()
    assert await post.passes(0) == []


async def test_a_trunk_that_is_down_is_an_alarm(post: Post) -> None:
    post.asterisk.trunk_reports = [TrunkReported("trunk", up=False), TrunkReported("201", up=False)]
    assert kinds(await post.passes(7)) == [("trunk_down", "trunk")]
    assert post.monitor.alarms()[0].seconds == 7
    post.asterisk.tell(TrunkReported("trunk", up=True))
    assert post.monitor.alarms() == []


async def test_a_link_that_is_away_is_an_alarm_once_it_has_lasted(post: Post) -> None:
    post.in_a_call()
    post.asterisk.trunk_reports = [TrunkReported("trunk", up=False)]
    await post.monitor.refresh()
    post.asterisk.become(AmiState.AWAY)
    assert await post.passes(4) == []
    assert kinds(await post.passes(1)) == [("ami_away", "")]
    post.asterisk.become(AmiState.UP)
    assert kinds(await post.passes(0)) == [("trunk_down", "trunk")]


async def test_a_refused_link_is_an_alarm_at_once(post: Post) -> None:
    post.asterisk.become(AmiState.REFUSED)
    assert kinds(post.monitor.alarms()) == [("ami_refused", "")]


def test_no_link_at_all_is_no_alarm() -> None:
    assert Monitor(None, CallBook()).alarms() == []


async def test_alarms_are_logged_when_they_are_raised_and_cleared_without_the_caller(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    uniqueid = post.rings()
    for _ in range(3):
        await post.passes(5)
    post.asterisk.leave(uniqueid)
    await post.passes(0)
    told = [(one.getMessage(), vars(one)["kind"], vars(one)["subject"]) for one in caplog.records]
    assert told == [
        ("alarm.raised", "orphan_channel", uniqueid),
        ("alarm.cleared", "orphan_channel", uniqueid),
    ]
    assert CALLER not in caplog.text


# actions


async def test_a_call_is_hung_up_by_either_of_its_names(post: Post) -> None:
    post.in_a_call()
    await post.monitor.hang_up(CALL)
    assert post.asterisk.live == {}
    uniqueid = post.rings()
    await post.monitor.hang_up(uniqueid)
    assert post.asterisk.live == {}


async def test_a_caller_is_transferred_through_the_operators_context(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.extensions.add(("operator", "201"))
    await post.monitor.transfer(CALL, "201")
    moved = post.asterisk.live[uniqueid].channel
    assert (moved.context, moved.exten) == ("operator", "201")
    with pytest.raises(NoSuchExtension):
        await post.monitor.transfer(CALL, "999")


async def test_the_agent_is_told_and_tells_whoever_takes_the_caller(post: Post) -> None:
    taken: list[tuple[str, str]] = []

    @asynccontextmanager
    async def taking_away(call_id: CallId, desk: str) -> AsyncIterator[Mapping[str, str]]:
        yield {"__VOICEBOT_REASON": "operator"}
        taken.append((call_id, desk))

    post.monitor = Monitor(post.asterisk, post.calls, OURS, clock=post.clock, taking_away=taking_away)
    post.asterisk.events(post.monitor._hear)
    uniqueid = post.in_a_call()
    with pytest.raises(NoSuchExtension):
        await post.monitor.transfer(CALL, "201")
    assert taken == [], "he is still the agent's"
    post.asterisk.extensions.add(("operator", "201"))
    await post.monitor.transfer(CALL, "201")
    assert taken == [(CALL, "201")]
    assert post.asterisk.variables == {uniqueid: {"__VOICEBOT_REASON": "operator"}}


async def test_a_caller_is_sent_to_a_queue_that_there_is(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.extensions.add(("operator", "sinistres"))
    with pytest.raises(UnknownQueue):
        await post.monitor.send_to_queue(CALL, "sinistres")
    post.asterisk.waiting["sinistres"] = []  # since the last list
    await post.monitor.send_to_queue(CALL, "sinistres")
    assert post.asterisk.live[uniqueid].channel.exten == "sinistres"


async def test_who_acts_on_a_call_that_is_not_there_is_told_why(post: Post) -> None:
    with pytest.raises(UnknownLiveCall):
        await post.monitor.hang_up(CALL)
    post.answers()
    with pytest.raises(NotOnTheLine):
        await post.monitor.hang_up(CALL)


async def test_a_channel_that_has_just_gone_is_refused_by_asterisk(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.live.pop(uniqueid)
    with pytest.raises(NoSuchChannel):
        await post.monitor.hang_up(CALL)


@pytest.mark.parametrize("state", [AmiState.AWAY, AmiState.REFUSED])
async def test_without_the_link_actions_fail_and_are_not_done_later(post: Post, state: AmiState) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.become(state)
    for asked in (
        post.monitor.hang_up(CALL),
        post.monitor.transfer(CALL, "201"),
        post.monitor.send_to_queue(CALL, "q"),
    ):
        with pytest.raises(AmiAway, match=state.value):
            await asked
    post.asterisk.become(AmiState.UP)
    await post.monitor.refresh()
    assert uniqueid in post.asterisk.live


async def test_without_a_configuration_actions_say_what_to_set() -> None:
    with pytest.raises(AmiAway, match="ASTERISK_AMI_SECRET"):
        await Monitor(None, CallBook()).hang_up(CALL)


# by itself


async def test_a_new_call_is_soon_listed_whole() -> None:
    asterisk = SimulatedAmi()
    monitor = Monitor(asterisk, CallBook(), refresh_every_s=3600, settle_s=0.001)
    await monitor.start()
    await until(lambda: asterisk.lists_asked > 0)
    asterisk.carry_sound(asterisk.ring(CHANNEL), CALL, OURS)
    await until(lambda: row_of(monitor.live_calls()[0]).audio_address == OURS)
    await monitor.close()


async def test_a_caller_whom_the_agent_has_passed_on_is_looked_at_before_he_is_called_an_orphan() -> None:
    """With least rights no event tells that the channel runs Queue instead of AudioSocket."""
    asterisk, calls, clock = SimulatedAmi(), CallBook(), Clock()
    monitor = Monitor(asterisk, calls, OURS, refresh_every_s=3600, settle_s=0.001, clock=clock)
    await monitor.start()
    uniqueid = asterisk.ring(CHANNEL)
    asterisk.carry_sound(uniqueid, CALL, OURS)
    calls.note(CALL, CallStarted(Call(CALL, channel=CHANNEL)))
    await until(lambda: row_of(monitor.live_calls()[0]).audio_address == OURS)
    listed = asterisk.lists_asked
    calls.note(CALL, CallEnded(HungUp()))
    asterisk.live[uniqueid] = replace(asterisk.live[uniqueid], application="Queue", data="conseillers")
    assert monitor.alarms() == []
    await until(lambda: asterisk.lists_asked > listed)
    clock.now_s += 60
    assert monitor.alarms() == []
    await monitor.close()


async def test_the_tables_are_filled_when_the_link_comes_up() -> None:
    asterisk = SimulatedAmi(AmiState.AWAY)
    asterisk.ring(CHANNEL)
    monitor = Monitor(asterisk, CallBook(), refresh_every_s=3600, settle_s=0.001)
    await monitor.start()
    assert monitor.channels is None
    asterisk.become(AmiState.UP)
    await until(lambda: monitor.channels == 1)
    await monitor.close()
    asterisk.ring("PJSIP/trunk-2")
    assert monitor.channels == 1


async def test_what_events_have_lost_is_made_good_by_the_next_list() -> None:
    asterisk = SimulatedAmi()
    uniqueid = asterisk.ring(CHANNEL)
    monitor = Monitor(asterisk, CallBook(), refresh_every_s=0.001, settle_s=0.001)
    await monitor.start()
    await until(lambda: monitor.channels == 1)
    del asterisk.live[uniqueid]
    await until(lambda: monitor.channels == 0)
    await monitor.close()


async def test_a_fault_of_ours_is_logged_and_the_watch_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    asterisk = BrokenAmi()
    monitor = Monitor(asterisk, CallBook(), refresh_every_s=0.001, settle_s=0.001)
    await monitor.start()
    await until(lambda: asterisk.lists_asked > 2)
    await monitor.close()
    assert [one.getMessage() for one in caplog.records] == ["monitor.failed"]


async def test_a_link_that_goes_in_the_middle_of_a_list_leaves_nothing_listed(post: Post) -> None:
    post.rings()
    post.asterisk.events(
        lambda event: post.asterisk.become(AmiState.AWAY) if isinstance(event, ChannelListed) else None
    )
    await post.monitor.refresh()
    assert post.monitor.channels is None


# metrics


async def test_prometheus_reads_what_asterisk_told(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.wait_in("conseillers", uniqueid)
    post.asterisk.trunk_reports = [TrunkReported("trunk", up=False)]
    await post.monitor.refresh()
    assert post.metrics.value("voicebot_asterisk_up") == 1
    assert post.metrics.value("voicebot_channels") == 1
    assert post.metrics.value("voicebot_queue_length", queue="conseillers") == 1
    assert post.metrics.value("voicebot_alarms", kind="trunk_down") == 1
    assert CALLER not in post.metrics.text().decode()


async def test_what_asterisk_does_not_tell_is_not_called_zero(post: Post) -> None:
    await post.monitor.refresh()
    post.asterisk.become(AmiState.AWAY)
    assert post.metrics.value("voicebot_asterisk_up") == 0
    assert post.metrics.value("voicebot_channels") is None
    for kind in AlarmKind:
        assert post.metrics.value("voicebot_alarms", kind=kind.value) == 0


def test_the_quality_of_a_callers_leg_is_observed_when_it_ends(post: Post) -> None:
    uniqueid = post.in_a_call()
    adviser = post.asterisk.ring("PJSIP/201-1", linkedid=uniqueid)
    for leg in (uniqueid, adviser):
        post.asterisk.tell(RtpReported(leg, received=True, loss_ratio=0.5, jitter_ticks=8))
        post.asterisk.tell(RtpEnded(leg, Quality(0.02, 0.004), None))
    assert post.metrics.value("voicebot_rtp_loss_ratio_count", direction="received") == 0
    post.asterisk.leave(adviser)
    post.asterisk.leave(uniqueid)
    assert post.metrics.value("voicebot_rtp_loss_ratio_count", direction="received") == 1
    assert post.metrics.value("voicebot_rtp_loss_ratio_sum", direction="received") == pytest.approx(0.02)
    assert post.metrics.value("voicebot_rtp_jitter_seconds_sum", direction="received") == pytest.approx(0.004)
    assert post.metrics.value("voicebot_rtp_loss_ratio_count", direction="sent") == 0


def test_a_link_that_is_lost_does_not_count_legs_as_ended(post: Post) -> None:
    uniqueid = post.in_a_call()
    post.asterisk.tell(RtpReported(uniqueid, received=True, loss_ratio=0.5, jitter_ticks=8))
    post.asterisk.become(AmiState.AWAY)
    assert post.metrics.value("voicebot_rtp_loss_ratio_count", direction="received") == 0
