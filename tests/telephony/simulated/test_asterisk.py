"""Whole calls: Asterisk's twin on one side, both servers on the other, real sockets between them.

Played ten times faster than life. After each test nothing may be left.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import numpy as np
import pytest

from audio.ear import Ear
from audio.endpointing import TurnEnded, TurnTiming
from audio.pcm import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, SILENCE_FRAME, frames
from audio.playback import Playback
from audio.vad import EnergyDetector
from graph.heard import Heard
from telephony.agi_server import CALL_ID, TAKEN, AgiServer
from telephony.call import Call, CallerLeft, CallId, HungUp, Outcome, Transferred
from telephony.line import Line, LineClosed
from telephony.media_server import MediaServer
from telephony.metronome import Metronome
from telephony.simulated.asterisk import EndedBy, Ending, SimulatedAsterisk, SimulatedCall
from telephony.simulated.handset import JITTER_MS, KEY_DOWN_MS, CallEnded, LegEnd, NotHeard, is_loud
from telephony.switchboard import Switchboard
from tests.telephony.recording_line import ObedientReception, RecordingLine, Session, until_closed
from tests.telephony.waiting import until

TICK_MS = 2


def tone(for_ms: int, hz: int = 440, peak: int = 8000) -> bytes:
    """A tone of that length at 8 kHz, which begins and ends loud enough to be told from silence."""
    time_s = np.arange(for_ms * 8) / 8000
    return bytes((np.cos(2 * np.pi * hz * time_s) * peak).astype("<i2").tobytes())


def voiced(pcm: bytes) -> list[int]:
    """Its samples that are not silence: the same however late a busy machine let each frame arrive."""
    samples = np.frombuffer(pcm, "<i2")
    return [int(sample) for sample in samples[samples != 0]]


def told(ending: Ending) -> dict[str, str]:
    """What the dialplan was told, but for the call's own name."""
    return {name: value for name, value in ending.variables.items() if value and name not in (CALL_ID, TAKEN)}


class House:
    """The phone side of the agent, and an Asterisk to ring it with."""

    def __init__(self) -> None:
        self.switchboard = Switchboard()
        self.metronome = Metronome(TICK_MS)
        self.reception = ObedientReception()
        self.media = MediaServer("127.0.0.1", 0, self.switchboard, self.metronome)

    async def open(self) -> None:
        await self.media.start()
        address = ("127.0.0.1", self.media.port)
        self.agi = AgiServer("127.0.0.1", 0, self.switchboard, self.reception, address, settle_s=2)
        await self.agi.start()
        self.asterisk = SimulatedAsterisk(("127.0.0.1", self.agi.port), tick_ms=TICK_MS)

    async def close(self) -> None:
        await self.agi.close()
        await self.media.close()

    @property
    def line(self) -> RecordingLine:
        """The line of the last call."""
        return self.reception.lines[-1]


@pytest.fixture(name="house")
async def phone_side() -> AsyncIterator[House]:
    house = House()
    await house.open()
    yield house
    assert house.switchboard.live() == ()
    assert house.reception.running == 0
    await house.close()
    assert not house.media.legs
    assert len(house.metronome) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


def speaking(*pieces: bytes, then: Outcome | None = None) -> Session:
    """A session that speaks, and then ends the call or listens until the caller leaves."""

    async def session(call: Call, line: RecordingLine) -> Outcome:
        await line.joined()
        for piece in pieces:
            line.voice.extend(frames(piece))
        await until(lambda: not line.voice or line.why_closed is not None)
        return then if then is not None else await until_closed(call, line)

    return session


# Sound


async def test_what_the_caller_says_arrives_undamaged_and_in_order(house: House) -> None:
    said = tone(500) + tone(300, hz=700)
    async with house.asterisk.call() as call:
        await call.say(said)
        await until(lambda: said in b"".join(house.line.heard))


async def test_what_the_agent_says_is_recorded_undamaged_at_the_time_it_arrived(house: House) -> None:
    voice = tone(400)
    house.reception.session = speaking(bytes(FRAME_BYTES * 10), voice)
    async with house.asterisk.call() as call:
        heard = await call.hear_out(quiet_ms=200)
        assert call.phone.torn_reads == 0
    caller, agent = call.phone.tracks()
    start = agent.index(voice[:FRAME_BYTES])
    assert len(caller) == len(agent)
    assert voiced(agent) == voiced(voice)
    smoothed_ms = JITTER_MS * FRAME_MS / TICK_MS
    assert start / BYTES_PER_MS == pytest.approx(heard.started_ms, abs=smoothed_ms + 2 * FRAME_MS)
    assert heard.ended_ms > heard.started_ms


async def test_both_voices_are_on_one_clock(house: House) -> None:
    async def echo_late(call: Call, line: RecordingLine) -> Outcome:
        await until(lambda: any(is_loud(frame) for frame in line.heard))
        line.voice.extend(frames(tone(100, hz=600)))
        return await until_closed(call, line)

    house.reception.session = echo_late
    async with house.asterisk.call() as call:
        await call.pause(200)
        said = await call.say(tone(200) + bytes(FRAME_BYTES * 5))
        answered_ms = await call.hear_speech(after_ms=said.started_ms)
        await call.hear_silence(100)
    assert said.started_ms < said.speech_ended_ms < said.ended_ms
    assert answered_ms > said.started_ms
    caller, agent = call.phone.tracks()
    spoke_at = caller.index(tone(200)[:FRAME_BYTES]) / BYTES_PER_MS
    assert spoke_at <= said.started_ms
    assert agent.index(tone(100, hz=600)[:FRAME_BYTES]) / BYTES_PER_MS > spoke_at


async def test_every_frame_of_a_silent_call_arrives_both_ways(house: House) -> None:
    async with house.asterisk.call() as call:
        await call.pause(1000)
        caller, _ = call.phone.tracks()
        await until(lambda: len(house.line.heard) >= len(caller) // FRAME_BYTES)
        asked = house.line.asked_frames
        assert asked > 0
        await until(lambda: len(call.phone.arrivals_ms) >= asked)
    assert set(house.line.heard) == {SILENCE_FRAME}


async def test_keys_arrive_in_order_without_sound_while_they_are_down(house: House) -> None:
    async with house.asterisk.call() as call:
        await call.press("12#")
        # From here nothing more is sent. What is on its way when a phone hangs up may be lost, so it stays.
        call.phone.suppresses_silence = True
        sent_frames = len(call.phone.tracks()[0]) // FRAME_BYTES
        await until(lambda: len(house.line.heard) >= sent_frames - 3 * KEY_DOWN_MS // FRAME_MS)
        assert house.line.digits == ["1", "2", "#"]
    assert len(house.line.heard) == sent_frames - 3 * KEY_DOWN_MS // FRAME_MS


async def test_background_noise_is_under_the_voice_and_in_the_pauses(house: House) -> None:
    noise = tone(FRAME_MS, hz=1000, peak=300)
    async with house.asterisk.call(background=lambda: noise) as call:
        await call.say(tone(100, peak=32_000))
        await until(lambda: bool(house.line.heard) and house.line.heard[-1] == noise)
    assert SILENCE_FRAME not in house.line.heard
    assert noise in house.line.heard
    loudest = np.frombuffer(b"".join(house.line.heard), "<i2").max()
    assert loudest == 32_300


async def test_a_phone_that_suppresses_silence_sends_only_what_is_said(house: House) -> None:
    async with house.asterisk.call() as call:
        await call.pause(100)
        call.phone.suppresses_silence = True
        before = len(call.phone.tracks()[0]) // FRAME_BYTES
        await call.pause(300)
        await call.say(tone(200))
        await call.pause(300)
        await until(lambda: len(house.line.heard) >= before + 10)
    assert house.line.heard[before:] == list(frames(tone(200)))


# How calls end


async def test_a_caller_who_hangs_up_ends_everything(house: House) -> None:
    async with house.asterisk.call() as call:
        await call.connected()
        call.hang_up()
        ending = await call.ended
    assert ending.by == EndedBy.CALLER
    assert house.reception.outcomes == [CallerLeft()]
    assert "ANSWER" in ending.commands
    assert ending.commands[-2:] == ("CHANNEL STATUS", 'SET VARIABLE VOICEBOT_OUTCOME "callerleft"')
    assert told(ending) == {}  # refused on a dead channel


async def test_leaving_the_block_hangs_up(house: House) -> None:
    async with house.asterisk.call() as call:
        await call.connected()
    assert (await call.ended).by == EndedBy.CALLER


async def test_an_error_in_the_block_is_raised_as_it_is_and_hangs_up(house: House) -> None:
    calls: list[SimulatedCall] = []

    async def ring() -> None:
        async with house.asterisk.call() as call:
            calls.append(call)
            await call.connected()
            raise KeyError

    with pytest.raises(KeyError):
        await ring()
    assert (await calls[0].ended).by == EndedBy.CALLER


async def test_a_caller_who_hangs_up_at_once_leaves_nothing(house: House) -> None:
    async with house.asterisk.call() as call:
        call.hang_up()
    assert (await call.ended).by == EndedBy.CALLER


async def test_an_agent_who_says_goodbye_hangs_up_after_his_last_word(house: House) -> None:
    voice = tone(300)
    house.reception.session = speaking(voice, then=HungUp())
    async with house.asterisk.call() as call:
        ending = await call.ended
    assert ending.by == EndedBy.AGENT
    assert told(ending) == {"VOICEBOT_OUTCOME": "hungup"}
    assert voiced(call.phone.tracks()[1]) == voiced(voice)
    assert await call.phone.ended == LegEnd.PROPER


async def test_a_transfer_reaches_the_queue_with_all_that_was_said(house: House) -> None:
    summary = 'Veut parler de "ses" contrats\\ : ${EVAL}\nurgent'
    house.reception.session = speaking(then=Transferred("vie", "demande", summary, "C-7"))
    async with house.asterisk.call() as call:
        ending = await call.ended
    assert (ending.by, ending.queue) == (EndedBy.QUEUE, "vie")
    assert told(ending) == {
        "VOICEBOT_OUTCOME": "transfer",
        "QUEUESTATUS": "CONTINUE",
        "VOICEBOT_QUEUE": "vie",
        "VOICEBOT_REASON": "demande",
        "VOICEBOT_SUMMARY": 'Veut parler de "ses" contrats\\ : $ {EVAL} urgent',
        "VOICEBOT_CUSTOMER": "C-7",
    }


async def test_a_session_that_fails_leaves_the_caller_to_the_dialplan(house: House) -> None:
    async def fails(call: Call, line: RecordingLine) -> Outcome:
        await line.joined()
        raise ZeroDivisionError

    house.reception.session = fails
    async with house.asterisk.call() as call:
        ending = await call.ended
    assert ending.by == EndedBy.DIALPLAN
    assert told(ending) == {}


async def test_without_a_media_server_the_call_has_no_audio_and_goes_on_in_the_dialplan(house: House) -> None:
    await house.media.close()
    async with house.asterisk.call() as call:
        ending = await call.ended
        with pytest.raises(CallEnded):
            await call.say(tone(100))
    assert ending.by == EndedBy.DIALPLAN
    assert told(ending) == {"VOICEBOT_OUTCOME": "noaudio"}


async def test_closing_the_agent_leaves_the_caller_to_the_dialplan(house: House) -> None:
    async with house.asterisk.call() as call:
        await call.connected()
        await house.close()
        ending = await call.ended
    assert ending.by == EndedBy.DIALPLAN
    assert told(ending) == {}


async def test_a_call_whose_agent_broke_off_is_entered_again_when_somebody_is_there_again(
    house: House,
) -> None:
    dead = House()
    await dead.open()
    async with dead.asterisk.call(reentries=1) as call:
        await call.connected()
        await dead.close()
        house.asterisk.agi_address = dead.asterisk.agi_address
        with pytest.raises(ConnectionRefusedError):
            async with house.asterisk.call():
                pytest.fail("somebody is at the dead one's door")
        dead.asterisk.agi_address = ("127.0.0.1", house.agi.port)
        await call.comes_back()
    assert (await call.ended).entered == 2


async def test_who_asks_late_has_come_back_already(house: House) -> None:
    async def breaks_off(call: Call, line: RecordingLine) -> Outcome:
        await line.joined()
        if len(house.reception.calls) == 1:
            raise ZeroDivisionError
        return await until_closed(call, line)

    house.reception.session = breaks_off
    async with house.asterisk.call(reentries=1) as call:
        first = call.phone
        await until(lambda: len(call.phones) == 2)
        async with asyncio.timeout(5):
            await call.comes_back(since=first)


async def test_nobody_listening_is_an_error(house: House) -> None:
    await house.agi.close()
    with pytest.raises(ConnectionRefusedError):
        async with house.asterisk.call():
            pytest.fail("answered")


# Waiting to hear


async def test_a_silent_agent_is_not_heard_in_time(house: House) -> None:
    async with house.asterisk.call() as call:
        await call.connected()
        with pytest.raises(NotHeard, match="500 ms"):
            await call.hear_speech(within_ms=500)


async def test_waiting_ends_with_the_call(house: House) -> None:
    house.reception.session = speaking(then=HungUp())
    async with house.asterisk.call() as call:
        await call.connected()
        with pytest.raises(CallEnded, match="proper"):
            await call.hear_speech()
        with pytest.raises(CallEnded):
            await call.press("1")


async def test_saying_nothing_is_a_mistake(house: House) -> None:
    async with house.asterisk.call() as call:
        with pytest.raises(ValueError, match="nothing to say"):
            await call.say(b"")


# Many


async def test_the_dialplans_id_names_the_call_and_a_second_call_with_it_is_refused(house: House) -> None:
    call_id = CallId(str(uuid4()))
    async with house.asterisk.call(call_id=call_id, caller_name="Hélène", encoding="latin-1") as first:
        await first.connected()
        assert house.reception.calls[0].id == first.call_id == call_id
        async with house.asterisk.call(call_id=call_id) as second:
            assert (await second.ended).by == EndedBy.DIALPLAN
        await first.say(tone(100))
        await until(lambda: tone(100) in b"".join(house.reception.lines[0].heard))


async def test_twenty_calls_at_once_keep_to_themselves(house: House) -> None:
    async def ring(number: int) -> tuple[CallId | None, bytes]:
        async with house.asterisk.call(caller=f"06{number:08d}") as call:
            await call.say(tone(200, hz=300 + 20 * number))
            return call.call_id, tone(200, hz=300 + 20 * number)

    async with asyncio.TaskGroup() as group:
        rings = [group.create_task(ring(number)) for number in range(20)]
    lines = dict(zip([call.id for call in house.reception.calls], house.reception.lines, strict=True))
    for call_id, said in (task.result() for task in rings):
        assert call_id is not None
        assert said in b"".join(lines[call_id].heard)
    assert len(lines) == 20


# With the real line


class RealReception:
    """Opens real lines with a loudness detector as ear; keeps what they told."""

    def __init__(self) -> None:
        self.ended_turns: list[TurnEnded] = []

    def open(self, call: Call) -> Line:
        return Line(Ear(EnergyDetector(), TurnTiming()), Playback())

    async def close(self, call: Call, outcome: Outcome) -> None:
        pass

    async def whisper(self, line: Line, summary: str, customer_number: str) -> bool:
        raise AssertionError("nobody is passed on here")

    async def hand_over(self, call: CallId, desk: str) -> Transferred:
        raise AssertionError("no operator is here")

    async def run(self, call: Call, line: Line, first: Heard) -> Outcome:
        while True:
            match await line.events.get():
                case LineClosed():
                    return CallerLeft()
                case TurnEnded() as turn:
                    self.ended_turns.append(turn)
                    line.playback.begin("Bien.")
                    line.playback.add(tone(200, hz=600))
                    line.playback.end()
                case _:
                    pass


@pytest.mark.parametrize("suppresses_silence", [False, True])
async def test_a_spoken_turn_reaches_the_ear_and_is_answered_with_and_without_frames_of_silence(
    suppresses_silence: bool,
) -> None:
    switchboard, reception = Switchboard(), RealReception()
    media = MediaServer("127.0.0.1", 0, switchboard, Metronome(TICK_MS))
    await media.start()
    agi = AgiServer("127.0.0.1", 0, switchboard, reception, ("127.0.0.1", media.port))
    await agi.start()
    async with SimulatedAsterisk(("127.0.0.1", agi.port), tick_ms=TICK_MS).call() as call:
        call.phone.suppresses_silence = suppresses_silence
        await call.connected()
        said = await call.say(tone(800))
        answer = await call.hear_out(after_ms=said.speech_ended_ms)
    await agi.close()
    await media.close()
    assert tone(800) in reception.ended_turns[0].utterance.pcm
    assert answer.started_ms > said.speech_ended_ms


# Its answers, as Asterisk 22.10 gave them

DEAD = "511 Command Not Permitted on a dead channel or intercept routine"


class Agent:
    """The server's end of one AGI leg, by hand."""

    def __init__(self) -> None:
        self.leg: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.get_running_loop().create_future()
        )

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.leg.set_result((reader, writer))

    async def heard(self) -> str:
        """The next line."""
        reader, _ = await self.leg
        return (await reader.readline()).decode().rstrip("\n")

    async def command(self, line: str) -> str:
        """The line that follows this command."""
        _, writer = await self.leg
        writer.write(f"{line}\n".encode())
        return await self.heard()


@asynccontextmanager
async def by_hand() -> AsyncIterator[tuple[Agent, SimulatedCall]]:
    """A call whose AGI leg is commanded by the test."""
    agent = Agent()
    server = await asyncio.start_server(agent.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with SimulatedAsterisk(("127.0.0.1", port), tick_ms=TICK_MS).call() as call:
        reader, writer = await agent.leg
        await reader.readuntil(b"\n\n")
        yield agent, call
        writer.close()
    server.close()


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("ANSWER", "200 result=0"),
        ("CHANNEL STATUS", "200 result=6"),
        ('SET VARIABLE B "un \\"deux\\""', "200 result=1"),
        ("GET VARIABLE A", '200 result=1 (dit "oui")'),
        ("GET VARIABLE C", "200 result=0"),
        ("EXEC NoSuchThing x", "200 result=-2"),
        ("DANCE", "510 Invalid or unknown command"),
        ("EXEC Queue vie", "200 result=-1"),
        ("HANGUP", "200 result=1"),
    ],
)
async def test_a_command_is_answered_as_it_was_measured(command: str, reply: str) -> None:
    async with by_hand() as (agent, call):
        call.variables["A"] = 'dit "oui"'
        assert await agent.command(command) == reply


async def test_a_caller_who_left_is_told_once_and_every_command_then_refused() -> None:
    async with by_hand() as (agent, call):
        call.hang_up()
        call.hang_up()
        assert await agent.heard() == "HANGUP"
        assert await agent.command("CHANNEL STATUS") == DEAD
        assert await agent.command("EXEC Queue vie") == DEAD
    assert call.queue is None


async def test_a_caller_who_leaves_within_the_sound_answers_the_exec_and_then_says_so(house: House) -> None:
    call_id = CallId(str(uuid4()))
    with house.switchboard.announce(call_id, RecordingLine()):
        async with by_hand() as (agent, call):
            sound = asyncio.create_task(
                agent.command(f"EXEC AudioSocket {call_id},127.0.0.1:{house.media.port}")
            )
            await call.connected()
            call.hang_up()
            assert await sound == "200 result=-1"
            assert await agent.heard() == "HANGUP"
            assert await agent.command("CHANNEL STATUS") == DEAD
