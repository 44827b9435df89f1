"""The switchboard: who is let in, once, and what is left behind."""

import pytest

from telephony.call import CallId
from telephony.switchboard import AlreadyJoined, DuplicateCall, Switchboard, UnknownCall
from tests.telephony.recording_line import RecordingLine

ONE = CallId("11111111-1111-1111-1111-111111111111")
OTHER = CallId("22222222-2222-2222-2222-222222222222")


async def test_an_announced_call_is_joined_to_its_own_line() -> None:
    switchboard, line, other = Switchboard(), RecordingLine(), RecordingLine()
    with switchboard.announce(ONE, line) as connection, switchboard.announce(OTHER, other):
        assert not connection.joined
        assert switchboard.join(ONE) is line
        assert connection.joined
        assert switchboard.join(OTHER) is other


async def test_a_call_that_was_not_announced_is_unknown() -> None:
    with pytest.raises(UnknownCall, match=ONE):
        Switchboard().join(ONE)


async def test_a_second_audio_leg_is_refused_and_the_first_stays() -> None:
    switchboard = Switchboard()
    with switchboard.announce(ONE, RecordingLine()):
        switchboard.join(ONE)
        with pytest.raises(AlreadyJoined, match=ONE):
            switchboard.join(ONE)
        assert [connection.joined for connection in switchboard.live()] == [True]


async def test_a_second_agi_leg_with_the_same_id_is_refused_and_the_first_stays() -> None:
    switchboard, line = Switchboard(), RecordingLine()
    with switchboard.announce(ONE, line):
        with pytest.raises(DuplicateCall, match=ONE), switchboard.announce(ONE, RecordingLine()):
            pytest.fail("a second call with this id was let in")
        assert switchboard.join(ONE) is line


async def test_live_calls_are_listed_oldest_first() -> None:
    switchboard = Switchboard()
    with switchboard.announce(OTHER, RecordingLine()), switchboard.announce(ONE, RecordingLine()):
        assert [connection.call_id for connection in switchboard.live()] == [OTHER, ONE]


async def test_a_call_leaves_nothing_behind_even_when_it_failed() -> None:
    switchboard = Switchboard()
    with pytest.raises(RuntimeError), switchboard.announce(ONE, RecordingLine()):
        raise RuntimeError("the session failed")
    assert switchboard.live() == ()
    with pytest.raises(UnknownCall):
        switchboard.join(ONE)


async def test_an_id_can_be_used_again_when_its_call_has_ended() -> None:
    switchboard = Switchboard()
    for _ in range(2):
        with switchboard.announce(ONE, RecordingLine()):
            switchboard.join(ONE)
    assert switchboard.live() == ()
