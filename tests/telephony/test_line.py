"""The line between wire and session: frames in and out, gaps, digits, and one end."""

from audio.endpointing import Silence, SpeechStarted, TurnEnded
from audio.pcm import FRAME_MS, SILENCE_FRAME
from telephony.line import GAP_TICKS, Digit, Line, LineClosed, LineEvent
from tests.telephony.phone import LOUD_FRAME, Phone, SilentWire


def told(line: Line) -> list[LineEvent]:
    events = []
    while not line.events.empty():
        events.append(line.events.get_nowait())
    return events


async def test_with_nothing_to_say_the_line_sends_silence() -> None:
    phone = Phone().connect()
    await phone.waits(100)
    assert phone.heard == [SILENCE_FRAME] * 5


async def test_what_the_playback_holds_leaves_frame_by_frame() -> None:
    phone = Phone().connect()
    phone.line.playback.begin("Bonjour.")
    phone.line.playback.add(LOUD_FRAME * 2)
    phone.line.playback.end()
    await phone.waits(3 * FRAME_MS)
    assert phone.heard == [LOUD_FRAME, LOUD_FRAME, SILENCE_FRAME]


async def test_the_ear_knows_when_the_agent_speaks_also_between_two_sentences() -> None:
    phone = Phone().connect()
    playback = phone.line.playback
    playback.begin("Un.")
    playback.add(LOUD_FRAME)
    playback.end()
    playback.begin("Deux.")
    await phone.waits(2 * FRAME_MS)
    assert phone.line.ear.agent_speaking, "the second sentence is still being made"
    playback.end()
    await phone.waits(2 * FRAME_MS)
    assert not phone.line.ear.agent_speaking


async def test_the_callers_turn_is_told_with_its_sound() -> None:
    phone = Phone().connect()
    await phone.speaks(400)
    await phone.waits(1000)
    events = told(phone.line)
    assert isinstance(events[0], SpeechStarted)
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].utterance.duration_ms >= 400


async def test_a_turn_ends_although_the_phone_stops_sending() -> None:
    """Silence suppression: no frame comes, the clock goes on."""
    phone = Phone().connect()
    await phone.speaks(400)
    for _ in range(60):
        await phone.tick(frame=None)
    assert any(isinstance(event, TurnEnded) for event in told(phone.line))


async def test_a_gap_shorter_than_the_jitter_of_a_line_is_no_silence() -> None:
    phone = Phone().connect()
    await phone.waits(200)
    before_ms = phone.line.ear.clock_ms
    for _ in range(GAP_TICKS - 1):
        await phone.tick(frame=None)
    assert phone.line.ear.clock_ms == before_ms


async def test_a_long_gap_moves_the_ears_clock_by_its_length() -> None:
    phone = Phone().connect()
    await phone.waits(200)
    before_ms = phone.line.ear.clock_ms
    for _ in range(100):
        await phone.tick(frame=None)
    assert phone.line.ear.clock_ms - before_ms == 100 * FRAME_MS


async def test_nobody_speaking_is_told() -> None:
    phone = Phone().connect()
    await phone.waits(8000)
    assert [type(event) for event in told(phone.line)] == [Silence]


async def test_digits_are_told_as_they_come() -> None:
    phone = Phone().connect()
    for key in "1#":
        phone.line.digit_in(key)
    assert told(phone.line) == [Digit("1"), Digit("#")]


async def test_the_end_is_told_once_whoever_ends_it() -> None:
    line, wire = Phone().line, SilentWire()
    line.attach(wire)
    assert await line.joined()
    line.closed("the caller hung up")
    line.hang_up()
    line.closed("again")
    assert wire.closed
    assert told(line) == [LineClosed("the caller hung up")]


async def test_a_line_closed_before_its_audio_came_was_never_joined() -> None:
    line = Phone().line
    line.closed("refused")
    assert not await line.joined()


async def test_audio_that_comes_after_the_end_is_told_to_go() -> None:
    line, wire = Phone().line, SilentWire()
    line.closed("the session has ended")
    line.attach(wire)
    assert wire.closed
