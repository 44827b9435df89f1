"""AMI's messages as events: what a real Asterisk 22.10.1 sent, and what none should.

``tests/recordings/ami`` holds whole sessions, byte by byte. The caller drops a fifth of his packets;
``call_least_rights`` was read with the rights of ``read = system,call,agent,reporting``, the others with
``dialplan`` as well.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import ami
from telephony.ami import (
    AmiAway,
    AmiEvent,
    AmiRefused,
    Booted,
    CallNamed,
    ChannelGone,
    ChannelListed,
    ChannelListEnded,
    ChannelRenamed,
    ChannelSeen,
    ChannelView,
    NoSuchChannel,
    NoSuchExtension,
    ProtocolError,
    QueueJoined,
    QueueLeft,
    QueueListed,
    RtpEnded,
    RtpReported,
    StepTaken,
    TrunkReported,
    WaitingListed,
    action,
    audiosocket_of,
    event_of,
    parse_block,
    refusal,
)
from telephony.call import CallId

RECORDINGS = Path(__file__).parents[1] / "recordings" / "ami"
CALLER = "0612345678"

Kind = TypeVar("Kind", bound=AmiEvent)


def messages(recording: str) -> list[ami.Headers]:
    """Every message of a recorded session."""
    text = (RECORDINGS / recording).read_bytes().decode()
    return [parse_block(one) for one in text.split("\r\n\r\n")]


def events(recording: str) -> list[AmiEvent]:
    """What a recorded session tells."""
    return [event for one in messages(recording) if (event := event_of(one)) is not None]


def only(kind: type[Kind], told: Sequence[AmiEvent]) -> list[Kind]:
    return [event for event in told if isinstance(event, kind)]


def of(text: str) -> AmiEvent | None:
    """The event of a message written with one header a line."""
    return event_of(parse_block(text))


@pytest.mark.parametrize("recording", sorted(path.name for path in RECORDINGS.glob("*.txt")))
def test_every_recorded_message_can_be_read(recording: str) -> None:
    assert [event_of(one) for one in messages(recording)]


# calls


def test_a_recorded_call_is_born_named_measured_and_gone() -> None:
    told = events("call.txt")
    born = only(ChannelSeen, told)[0].channel
    assert (born.state, born.context, born.exten, born.caller) == ("ring", "from-test", "620", CALLER)
    assert born.linkedid == born.uniqueid
    assert only(ChannelSeen, told)[-1].channel.state == "up"
    assert [step.application for step in only(StepTaken, told)] == ["Set", "Answer", "AGI"]
    (named,) = only(CallNamed, told)
    (listed,) = only(ChannelListed, told)
    assert named == CallNamed(born.uniqueid, listed.call_id or CallId(""))
    assert only(ChannelGone, told) == [ChannelGone(born.uniqueid, 0, "unknown")]  # the phone gave no reason


def test_a_channel_that_was_hung_up_by_an_action_has_its_cause() -> None:
    assert (16, "normal clearing") in [
        (one.cause, one.cause_text) for one in only(ChannelGone, events("handover.txt"))
    ]


def test_a_list_shows_codec_call_and_the_application_that_agi_runs() -> None:
    (listed,) = only(ChannelListed, events("call.txt"))
    assert (listed.application, listed.codec, listed.bridge, listed.seconds) == ("AudioSocket", "alaw", "", 1)
    assert audiosocket_of(listed.application, listed.data) == (listed.call_id, "127.0.0.1:19092")


def test_a_variable_that_is_not_set_names_no_call() -> None:
    (listed,) = only(ChannelListed, events("call_least_rights.txt"))
    assert listed.call_id is None


def test_the_sums_of_a_leg_are_told_from_where_they_were_measured() -> None:
    """The phone reported 30 lost packets and 160 ticks; Asterisk missed a fifth of what the phone sent."""
    (ended,) = only(RtpEnded, events("call.txt"))
    assert ended.received is not None
    assert ended.sent is not None
    assert ended.received.loss_ratio == pytest.approx(0.17, abs=0.04)
    assert 0 < ended.received.jitter_s < 0.005
    assert ended.sent.loss_ratio == pytest.approx(0.055, abs=0.02)
    assert ended.sent.jitter_s == pytest.approx(160 / 8000)


@pytest.mark.parametrize("recording", ["call.txt", "call_least_rights.txt"])
def test_rtcp_tells_both_ways_while_the_call_lasts(recording: str) -> None:
    reports = only(RtpReported, events(recording))
    received = [report for report in reports if report.received]
    (sent,) = [report for report in reports if not report.received]
    assert len(received) == 2
    assert all(0.1 < report.loss_ratio < 0.3 for report in received)
    assert (sent.loss_ratio, sent.jitter_ticks) == (0.25, 160)


def test_a_leg_without_a_packet_has_no_quality() -> None:
    value = "ssrc=1;themssrc=0;lp=0;rxjitter=0.0;rxcount=0;txjitter=0.0;txcount=9;rlp=0;rtt=0.0"
    told = of(f"Event: VarSet\nUniqueid: 1.1\nVariable: RTPAUDIOQOS\nValue: {value}")
    assert told == RtpEnded("1.1", None, None)


def test_a_report_without_a_report_block_tells_nothing() -> None:
    assert of("Event: RTCPReceived\nUniqueid: 1.1\nReportCount: 0") is None


def test_a_withheld_number_is_empty() -> None:
    told = of("Event: Newstate\nUniqueid: 1.1\nChannel: PJSIP/a\nCallerIDNum: <unknown>")
    assert isinstance(told, ChannelSeen)
    assert told.channel == ChannelView("1.1", "1.1", "PJSIP/a", "", "", "", "")


def test_a_view_of_a_channel_does_not_print_the_callers_number() -> None:
    for told in events("call.txt"):
        assert CALLER not in repr(told)


def test_a_new_name_is_told_with_the_channel_that_has_it() -> None:
    told = of("Event: Rename\nChannel: PJSIP/a\nNewname: PJSIP/b\nUniqueid: 1.1")
    assert told == ChannelRenamed("1.1", "PJSIP/b")


def test_two_channels_in_one_bridge_are_told_with_its_name() -> None:
    (listed_a, _, listed_b) = only(ChannelListed, events("handover.txt"))
    assert listed_a.bridge
    assert listed_a.bridge == listed_b.bridge


@pytest.mark.parametrize(
    ("application", "data"),
    [("Queue", "slow"), ("AudioSocket", "no-uuid,127.0.0.1:9092"), ("AudioSocket", "")],
)
def test_another_application_carries_no_sound_of_ours(application: str, data: str) -> None:
    assert audiosocket_of(application, data) is None


# queues


def test_a_recorded_hand_over_joins_and_leaves_queues() -> None:
    told = events("handover.txt")
    joined, left = only(QueueJoined, told), only(QueueLeft, told)
    assert [(one.queue, one.length) for one in joined] == [("slow", 1), ("desk", 1)]
    assert [(one.queue, one.length) for one in left] == [("slow", 0), ("desk", 0)]
    first = [(one.queue, one.length) for one in only(QueueListed, told)][:2]
    assert sorted(first) == [("desk", 0), ("slow", 1)]
    (waiting,) = only(WaitingListed, told)
    assert (waiting.queue, waiting.uniqueid) == ("slow", joined[0].uniqueid)


# trunks


def test_a_recorded_trunk_comes_and_goes() -> None:
    told = only(TrunkReported, events("trunk.txt"))
    endpoint = [one.up for one in told if one.name == "trunk"]
    assert endpoint[0] is False  # the list
    assert True in endpoint
    assert endpoint[-1] is False
    registrations = {(one.name, one.up) for one in told if one.account}
    assert registrations == {("127.0.0.1:15090", False), ("127.0.0.1:15090", True)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Event: PeerStatus\nPeer: PJSIP/a\nPeerStatus: Unreachable", TrunkReported("a", up=False)),
        ("Event: PeerStatus\nPeer: PJSIP/a\nPeerStatus: Reachable", TrunkReported("a", up=True)),
        ("Event: DeviceStateChange\nDevice: PJSIP/a\nState: NOT_INUSE", TrunkReported("a", up=True)),
        ("Event: DeviceStateChange\nDevice: PJSIP/a\nState: INUSE", TrunkReported("a", up=True)),
        ("Event: DeviceStateChange\nDevice: PJSIP/a\nState: RINGINUSE", TrunkReported("a", up=True)),
        ("Event: DeviceStateChange\nDevice: PJSIP/a\nState: ONHOLD", TrunkReported("a", up=True)),
        ("Event: DeviceStateChange\nDevice: PJSIP/a\nState: UNAVAILABLE", TrunkReported("a", up=False)),
        ("Event: DeviceStateChange\nDevice: PJSIP/a\nState: UNKNOWN", None),
        ("Event: DeviceStateChange\nDevice: Queue:slow_avail\nState: UNAVAILABLE", None),
        (
            "Event: Registry\nUsername: sip:u@h\nDomain: sip:h:5060;transport=tcp\nStatus: Rejected",
            TrunkReported("h:5060", up=False, account="sip:u@h"),
        ),
    ],
)
def test_the_states_of_a_trunk(text: str, told: AmiEvent | None) -> None:
    assert of(text) == told


# the rest


def test_asterisk_says_when_it_has_booted() -> None:
    assert events("shutdown.txt") == [Booted()]


@pytest.mark.parametrize("text", ["", "Response: Success", "Event: TestEvent\nState: x", "no colon at all"])
def test_what_nobody_needs_is_no_event(text: str) -> None:
    assert of(text) is None


def test_the_old_list_of_channels_is_read_as_well() -> None:
    told = of(
        "Event: CoreShowChannel\nChannel: PJSIP/a\nUniqueid: 1.1\nApplication: Queue\nApplicationData: slow"
    )
    assert isinstance(told, ChannelListed)
    assert (told.application, told.data) == ("Queue", "slow")
    assert of("Event: CoreShowChannelsComplete") == ChannelListEnded()


@pytest.mark.parametrize(
    "text",
    [
        "Event: Hangup\nCause: 16",
        "Event: Hangup\nUniqueid: 1.1\nCause: sixteen",
        "Event: Newchannel\nChannel: PJSIP/a",
        "Event: QueueCallerJoin\nQueue: q\nUniqueid: 1.1",
        "Event: VarSet\nUniqueid: 1.1\nVariable: RTPAUDIOQOS\nValue: lp=1;rxcount=x",
        "Event: VarSet\nUniqueid: 1.1\nVariable: RTPAUDIOQOS\nValue: ",
        "Event: RTCPSent\nUniqueid: 1.1\nReportCount: 1",
        "Event: Status\nChannel: a\nUniqueid: 1.1\nSeconds: soon",
    ],
)
def test_an_event_without_what_it_always_has_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        of(text)


@given(
    st.dictionaries(
        st.sampled_from(["Event", "Uniqueid", "Channel", "Variable", "Value", "Cause", "Device", "State"]),
        st.sampled_from(["Hangup", "VarSet", "Newchannel", "Status", "RTPAUDIOQOS", "1.1", "", "PJSIP/"]),
    )
)
def test_any_message_is_an_event_or_none_or_refused(headers: dict[str, str]) -> None:
    try:
        event_of(ami.headers_of(headers.items()))
    except ProtocolError as refused:
        assert str(refused)  # noqa: PT017 - either may happen


@pytest.mark.parametrize("value", ["x\r\nAction: Command", "x\ny", "x\x00", "\xa0", "\u2028"])
def test_a_value_that_would_start_another_action_is_never_sent(value: str) -> None:
    with pytest.raises(ProtocolError, match="Channel"):
        action("Hangup", Channel=value)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("No such channel", NoSuchChannel),
        ("Channel does not exist: PJSIP/none", NoSuchChannel),
        ("Did not find extension NOPE@handover-queue", NoSuchExtension),
        ("Did not find context nosuch", NoSuchExtension),
        ("Permission denied", AmiRefused),
        ("Asterisk is shutting down", AmiAway),
    ],
)
def test_asterisks_words_for_no_have_their_error(message: str, kind: type[AmiRefused | AmiAway]) -> None:
    error = refusal(message)
    assert type(error) is kind
    assert str(error) == message


def test_the_recorded_refusals_are_those_words() -> None:
    told = [one["message"] for one in messages("handover.txt") if one.get("response") == "Error"]
    assert [type(refusal(one)) for one in told] == [
        NoSuchExtension,
        NoSuchExtension,
        NoSuchChannel,
        NoSuchChannel,
        AmiRefused,
    ]
    assert messages("refused.txt")[0]["message"] == "Authentication failed"
