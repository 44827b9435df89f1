"""The tables of channels, queues and trunks: folds over what Asterisk tells, in any order it may tell it."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.ami import (
    AmiEvent,
    Booted,
    Bridged,
    CallNamed,
    ChannelGone,
    ChannelListed,
    ChannelListEnded,
    ChannelRenamed,
    ChannelSeen,
    ChannelView,
    Quality,
    QueueJoined,
    QueueLeft,
    QueueListed,
    QueueListEnded,
    RtpEnded,
    RtpReported,
    StepTaken,
    TrunkReported,
    WaitingListed,
)
from telephony.call import CallId
from telephony.channels import ChannelRow, ChannelTable, QueueTable, TrunkTable
from tests.telephony.test_ami import CALLER, events

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
VIEW = ChannelView("1.1", "1.1", "PJSIP/trunk-1", "up", CALLER, "from-trunk", "600")
OTHER = replace(VIEW, uniqueid="2.2", linkedid="2.2", name="PJSIP/trunk-2")


def listed(view: ChannelView = VIEW, seconds: int = 0, **told: str) -> ChannelListed:
    return ChannelListed(
        view,
        told.get("application", ""),
        told.get("data", ""),
        told.get("codec", "alaw"),
        told.get("bridge", ""),
        CallId(told["call_id"]) if "call_id" in told else None,
        seconds,
    )


def after(told: Iterable[AmiEvent], table: ChannelTable | None = None, now_s: float = 100.0) -> ChannelTable:
    """The table once each event has been applied, a second apart."""
    table = table or ChannelTable()
    for seconds, event in enumerate(told):
        table.apply(event, now_s + seconds)
    return table


def row(*told: AmiEvent) -> ChannelRow:
    """The one channel after these events."""
    (found,) = after(told).rows()
    return found


# recorded sessions


@pytest.mark.parametrize("recording", ["call.txt", "call_least_rights.txt", "handover.txt"])
def test_after_a_recorded_session_nothing_is_left(recording: str) -> None:
    assert len(after(events(recording))) == 0


def test_in_the_middle_of_a_recorded_call_the_table_shows_it_whole() -> None:
    told = events("call.txt")
    gone = next(index for index, event in enumerate(told) if isinstance(event, ChannelGone))
    (found,) = after(told[:gone]).rows()
    assert (found.state, found.codec, found.application) == ("up", "alaw", "AudioSocket")
    assert found.first_of_call
    assert found.caller == CALLER
    assert found.audio_address == "127.0.0.1:19092"
    assert found.call_id == CallId(found.data.partition(",")[0])
    assert found.received is not None
    assert found.received.whole.loss_ratio == pytest.approx(0.17, abs=0.04)


def test_with_least_rights_the_mean_of_the_reports_stands_for_the_sums() -> None:
    told = events("call_least_rights.txt")
    gone = next(index for index, event in enumerate(told) if isinstance(event, ChannelGone))
    (found,) = after(told[:gone]).rows()
    assert found.received is not None
    assert found.received.reports == 2
    assert found.received.whole.loss_ratio == pytest.approx(0.18, abs=0.04)


def test_in_the_middle_of_a_recorded_hand_over_the_caller_is_bridged_to_the_adviser() -> None:
    told = events("handover.txt")
    lists = [index for index, event in enumerate(told) if isinstance(event, ChannelListEnded)]
    rows = after(told[: lists[0]]).rows()
    caller = next(one for one in rows if one.first_of_call)
    assert caller.exten == "desk"
    assert [one.name[:6] for one in rows if one.bridge == caller.bridge and one != caller] == ["Local/"]


# what a table shows


def test_no_print_of_a_row_shows_the_callers_number() -> None:
    assert CALLER not in repr(row(ChannelSeen(VIEW), StepTaken(VIEW, "Dial", f"PJSIP/{CALLER}")))


def test_a_channel_is_as_old_as_its_birth_or_as_the_list_says() -> None:
    assert row(ChannelSeen(VIEW), listed(seconds=50)).since_s == 100
    assert row(listed(seconds=50)).since_s == 50


def test_rows_come_oldest_first() -> None:
    table = after([ChannelSeen(OTHER), listed(VIEW, seconds=60)])
    assert [one.uniqueid for one in table.rows()] == ["1.1", "2.2"]


def test_a_channel_goes_through_its_states() -> None:
    ringing = replace(VIEW, state="ring")
    assert row(ChannelSeen(ringing)).state == "ring"
    assert row(ChannelSeen(ringing), ChannelSeen(VIEW)).state == "up"


def test_a_number_that_is_told_once_stays() -> None:
    assert row(ChannelSeen(VIEW), ChannelSeen(replace(VIEW, caller=""))).caller == CALLER


def test_a_step_tells_since_when_the_application_runs() -> None:
    found = row(
        ChannelSeen(VIEW), StepTaken(VIEW, "AGI", "agi://a/agent"), StepTaken(VIEW, "AGI", "agi://a/agent")
    )
    assert (found.application, found.application_since_s) == ("AGI", 101)


def test_audiosocket_names_the_call_and_where_its_sound_goes() -> None:
    told = (ChannelSeen(VIEW), listed(application="AudioSocket", data=f"{CALL},10.0.0.7:9092"))
    assert (row(*told).call_id, row(*told).audio_address) == (CALL, "10.0.0.7:9092")
    later = row(*told, StepTaken(VIEW, "Queue", "conseillers"))
    assert (later.call_id, later.audio_address) == (CALL, "")


def test_the_dialplan_names_the_call() -> None:
    assert row(ChannelSeen(VIEW), CallNamed("1.1", CALL)).call_id == CALL
    assert row(listed(call_id=CALL)).call_id == CALL
    assert row(listed(call_id=CALL), listed()).call_id == CALL


def test_a_renamed_channel_is_the_same_channel() -> None:
    found = row(ChannelSeen(VIEW), CallNamed("1.1", CALL), ChannelRenamed("1.1", "PJSIP/trunk-9"))
    assert (found.name, found.call_id) == ("PJSIP/trunk-9", CALL)


def test_a_bridge_is_entered_and_left() -> None:
    assert row(ChannelSeen(VIEW), Bridged("1.1", "b")).bridge == "b"
    assert row(ChannelSeen(VIEW), Bridged("1.1", "b"), Bridged("1.1", "")).bridge == ""


def test_a_queue_is_joined_and_left() -> None:
    assert row(ChannelSeen(VIEW), QueueJoined("q", "1.1", 1)).queue == "q"
    assert row(ChannelSeen(VIEW), WaitingListed("q", "1.1", 4)).queue == "q"
    assert row(ChannelSeen(VIEW), QueueJoined("q", "1.1", 1), QueueLeft("q", "1.1", 0)).queue == ""


@pytest.mark.parametrize(("codec", "jitter_s"), [("alaw", 0.02), ("g722", 0.02), ("opus", 160 / 48_000)])
def test_jitter_is_counted_on_the_codecs_clock(codec: str, jitter_s: float) -> None:
    found = row(listed(codec=codec), RtpReported("1.1", received=True, loss_ratio=0, jitter_ticks=160))
    assert found.received is not None
    assert found.received.last.jitter_s == pytest.approx(jitter_s)


def test_reports_are_kept_as_the_last_and_as_the_mean() -> None:
    reports = [
        RtpReported("1.1", received=True, loss_ratio=loss, jitter_ticks=80) for loss in (0.0, 0.3, 0.6)
    ]
    found = row(ChannelSeen(VIEW), *reports)
    assert found.received is not None
    assert found.received.last.loss_ratio == 0.6
    assert found.received.whole.loss_ratio == pytest.approx(0.3)
    assert found.sent is None


def test_asterisks_sums_are_better_than_our_mean() -> None:
    report = RtpReported("1.1", received=True, loss_ratio=0.5, jitter_ticks=80)
    sums = RtpEnded("1.1", Quality(0.1, 0.001), None)
    found = row(ChannelSeen(VIEW), report, replace(report, received=False), sums)
    assert found.received is not None
    assert found.sent is not None
    assert found.received.whole == Quality(0.1, 0.001)
    assert found.sent.whole.loss_ratio == 0.5


# order


DETAILS: list[AmiEvent] = [
    CallNamed("1.1", CALL),
    ChannelRenamed("1.1", "PJSIP/x"),
    Bridged("1.1", "b"),
    QueueJoined("q", "1.1", 1),
    QueueLeft("q", "1.1", 0),
    RtpReported("1.1", received=True, loss_ratio=0, jitter_ticks=0),
    RtpEnded("1.1", None, None),
    ChannelGone("1.1", 16, ""),
    Booted(),
]


@pytest.mark.parametrize("event", DETAILS)
def test_a_detail_of_an_unknown_channel_makes_no_channel(event: AmiEvent) -> None:
    assert len(after([event])) == 0


def test_what_a_list_does_not_name_is_gone_when_it_ends() -> None:
    table = after([ChannelSeen(VIEW), ChannelSeen(OTHER), listed(OTHER)])
    assert len(table) == 2
    table.apply(ChannelListEnded(), 110)
    assert [one.uniqueid for one in table.rows()] == ["2.2"]


def test_an_empty_list_empties_the_table() -> None:
    assert len(after([ChannelSeen(VIEW), ChannelListEnded()])) == 0


def test_each_list_stands_for_itself() -> None:
    told: list[AmiEvent] = [listed(VIEW), listed(OTHER), ChannelListEnded(), listed(VIEW), ChannelListEnded()]
    assert [one.uniqueid for one in after(told).rows()] == ["1.1"]


def test_a_hang_up_told_after_the_list_that_still_named_the_channel_counts() -> None:
    assert len(after([listed(VIEW), ChannelListEnded(), ChannelGone("1.1", 16, "")])) == 0


def test_a_cleared_table_forgets_half_a_list_too() -> None:
    table = after([listed(VIEW)])
    table.clear()
    assert len(after([listed(OTHER), ChannelListEnded()], table)) == 1


VIEWS = [VIEW, OTHER, replace(VIEW, uniqueid="3.3", linkedid="1.1", name="Local/x;1")]
ANY_EVENT = st.sampled_from(
    [
        *DETAILS,
        *(ChannelSeen(view) for view in VIEWS),
        *(StepTaken(view, "AGI", "agi://a/agent") for view in VIEWS),
        *(listed(view) for view in VIEWS),
        *(ChannelGone(view.uniqueid, 16, "") for view in VIEWS),
        ChannelListEnded(),
        TrunkReported("trunk", up=False),
        QueueListed("q", 1),
        QueueListEnded(),
    ]
)


@given(st.lists(ANY_EVENT), st.sets(st.sampled_from(VIEWS)))
def test_whatever_came_before_a_whole_list_tells_what_there_is(
    before: list[AmiEvent], there_are: set[ChannelView]
) -> None:
    the_list: list[AmiEvent] = [listed(view) for view in there_are]
    table = after([*before, ChannelListEnded(), *the_list, ChannelListEnded()])
    assert {one.uniqueid for one in table.rows()} == {view.uniqueid for view in there_are}


# queues and trunks


def test_a_queues_length_is_what_asterisk_counts() -> None:
    queues = QueueTable()
    for event in (QueueJoined("q", "1.1", 3), QueueJoined("q", "2.2", 4), QueueLeft("q", "1.1", 3)):
        queues.apply(event)
    assert queues.lengths() == {"q": 3}


def test_a_list_of_queues_tells_the_empty_ones_and_forgets_those_that_are_no_more() -> None:
    queues = QueueTable()
    for event in (QueueJoined("old", "1.1", 1), QueueListed("a", 0), QueueListed("b", 2), QueueListEnded()):
        queues.apply(event)
    assert queues.lengths() == {"a": 0, "b": 2}
    queues.clear()
    assert queues.lengths() == {}


def test_only_trunks_that_were_named_can_be_down_but_any_registration_can() -> None:
    trunks = TrunkTable(frozenset({"trunk"}))
    for event in (
        TrunkReported("adviser", up=False),
        TrunkReported("trunk", up=False),
        TrunkReported("sip.example.org", up=False, account="sip:33100000000@sip.example.org"),
    ):
        trunks.apply(event)
    assert list(trunks.down()) == ["sip.example.org", "trunk"]
    trunks.apply(TrunkReported("trunk", up=True))
    assert list(trunks.down()) == ["sip.example.org"]
    trunks.clear()
    assert list(trunks.down()) == []


def test_two_accounts_at_one_server_are_told_apart_and_not_shown() -> None:
    trunks = TrunkTable(frozenset())
    for account, up in (("a", True), ("b", False), ("c", False)):
        trunks.apply(TrunkReported("sip.example.org", up=up, account=account))
    assert list(trunks.down()) == ["sip.example.org"]
