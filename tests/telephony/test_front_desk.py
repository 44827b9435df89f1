"""Whole calls with the real dialogue: Asterisk's twin and its people on one side, both servers on the other.

Played ten times faster than life; after each test nothing may be left. What a caller says is a tone; what
is understood of it, a script.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from audio.endpointing import TurnTiming
from audio.pcm import BYTES_PER_MS, FRAME_MS
from audio.scripted import ScriptedStt, ScriptedTts
from audio.vad import EnergyDetector
from graph.builder import Services, build_graph
from graph.checkpoints import IN_MEMORY, open_checkpoints
from graph.dialogue import Dialogue
from telephony.agi_server import AgiServer
from telephony.call import CallerLeft, CallId, HungUp, Transferred
from telephony.front_desk import FrontDesk
from telephony.handover import HandoverPlan
from telephony.journal import CallCameBack, CallEnded, CallPassedOn, CallStarted, MemoryJournal
from telephony.media_server import MediaServer
from telephony.metronome import Metronome
from telephony.simulated.asterisk import Adviser, EndedBy, Rings, SimulatedAsterisk, SimulatedCall
from telephony.switchboard import Switchboard
from tests.graph.conversation import CLOSED, services
from tests.telephony.simulated.test_asterisk import tone
from tests.telephony.waiting import until
from tools.call_backs import MemoryCallBacks

TICK_MS = 2
CALL = CallId("b6b1c0de-0000-4000-8000-000000000001")
NUMBER = "dix zéro sept quatre-vingt-huit vingt et un"
BORN = "le premier avril mille neuf cent soixante-deux"


@dataclass
class Worker:
    """One process of the agent, as far as the phone is concerned."""

    dialogue: Dialogue
    transcripts: Sequence[str] = ()
    plan: HandoverPlan = field(default_factory=HandoverPlan)
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    async def open(self) -> "Worker":
        self.voice = ScriptedTts(ms_per_character=8)
        self.ears = ScriptedStt(self.transcripts)
        self.switchboard, self.metronome = Switchboard(), Metronome(TICK_MS)
        desk = FrontDesk(
            self.dialogue,
            self.ears,
            self.voice,
            EnergyDetector(),
            TurnTiming(),
            self.journal,
            keys_patience_s=0.3,
        )
        self.media = MediaServer("127.0.0.1", 0, self.switchboard, self.metronome)
        await self.media.start()
        address = ("127.0.0.1", self.media.port)
        self.agi = AgiServer("127.0.0.1", 0, self.switchboard, desk, address, plan=self.plan)
        await self.agi.start()
        return self

    async def close(self) -> None:
        """As when the process ends; what it was doing breaks off."""
        await self.agi.close()
        await self.media.close()
        assert self.switchboard.live() == ()
        assert not self.media.legs
        assert len(self.metronome) == 0
        assert self.dialogue._locks == {}

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.agi.port)

    def asterisk(self) -> SimulatedAsterisk:
        return SimulatedAsterisk(self.address, tick_ms=TICK_MS)


@asynccontextmanager
async def worker(
    *transcripts: str, given: Services | None = None, plan: HandoverPlan | None = None
) -> AsyncIterator[Worker]:
    before = asyncio.all_tasks()
    async with open_checkpoints(IN_MEMORY) as saver:
        dialogue = Dialogue(build_graph(given or services()), saver)
        opened = await Worker(dialogue, transcripts, plan or HandoverPlan()).open()
        yield opened
        await opened.close()
    assert asyncio.all_tasks() == before


async def speaks(call: SimulatedCall) -> None:
    """Say something, and hear the answer to its end."""
    said = await call.say(tone(600))
    await call.hear_out(after_ms=said.speech_ended_ms)


def voiced_ms(pcm: bytes) -> int:
    """How long there is a tone in ``pcm``: frames that hold any."""
    samples = np.frombuffer(pcm[: len(pcm) // (FRAME_MS * BYTES_PER_MS) * FRAME_MS * BYTES_PER_MS], "<i2")
    return int((samples.reshape(-1, FRAME_MS * 8) != 0).any(axis=1).sum()) * FRAME_MS


# The last word


@pytest.mark.parametrize("words", ["au revoir", "un conseiller"])
async def test_the_last_sentence_is_heard_to_its_end_before_the_line_is_given_up(words: str) -> None:
    async with worker(words) as agent:
        async with agent.asterisk().call(call_id=CALL) as call:
            await call.hear_out()
            greeted = len(agent.voice.finished)
            asked_ms = call.phone.last_speech_ms
            await call.say(tone(600))
            await call.ended
            agent_track = call.phone.tracks()[1]
        last_words_ms = sum(map(agent.voice.duration_ms, agent.voice.finished[greeted:]))
    heard = agent_track[int(asked_ms) * BYTES_PER_MS :]
    assert voiced_ms(heard) >= last_words_ms - FRAME_MS, "not a frame of it is missing in the recording"
    assert agent.voice.finished == agent.voice.asked


# People


async def test_a_caller_whom_nobody_takes_comes_back_waits_and_is_taken_the_second_time() -> None:
    people = [Adviser(Rings.NOANSWER), Adviser()]
    async with (
        worker("un conseiller", "je vais patienter") as agent,
        agent.asterisk().call(call_id=CALL, advisers=people) as call,
    ):
        await call.hear_out()
        await call.say(tone(600))
        await call.comes_back()
        await call.hear_out()
        await call.say(tone(600))
        ending = await call.ended
    assert (ending.by, ending.queue) == (EndedBy.QUEUE, "conseillers")
    assert sum(command.startswith("EXEC Queue") for command in ending.commands) == 2
    assert len(call.phones) == 2
    assert agent.journal.said()[2:] == [
        "transfer.advisers",
        "transfer.no_answer",
        "transfer.choice",
        "transfer.once_more",
    ]
    shape = [
        type(event)
        for event in agent.journal.events
        if isinstance(event, CallStarted | CallPassedOn | CallCameBack | CallEnded)
    ]
    assert shape == [CallStarted, CallPassedOn, CallCameBack, CallPassedOn, CallEnded]


async def test_what_was_verified_before_the_transfer_is_verified_when_the_caller_comes_back() -> None:
    said = [
        "combien j'ai sur mon assurance vie",
        NUMBER,
        BORN,
        "un conseiller",
        "combien j'ai sur mon assurance vie",
    ]
    async with (
        worker(*said) as agent,
        agent.asterisk().call(call_id=CALL, advisers=[Adviser(Rings.BUSY)]) as call,
    ):
        await call.hear_out()
        for _ in range(3):
            await speaks(call)
        await call.say(tone(600))
        await call.comes_back()
        await call.hear_out()
        await speaks(call)
        variables = dict(call.variables)
    assert agent.journal.said()[-3:] == ["contract.value", "contract.also", "common.more"]
    assert variables["VOICEBOT_CUSTOMER"] == "10078821"
    assert variables["VOICEBOT_QUEUE"] == "vie"
    assert "identité vérifiée" in variables["VOICEBOT_SUMMARY"]


ATTENDED = HandoverPlan(attended=True, extensions={"conseillers": "201"})


async def test_attended_the_adviser_hears_the_summary_and_takes_the_caller() -> None:
    async with worker("un conseiller", plan=ATTENDED) as agent:
        async with agent.asterisk().call(call_id=CALL, advisers=[Adviser(presses="1")]) as call:
            await call.hear_out()
            await call.say(tone(600))
            ending = await call.ended
        assert call.adviser is not None
        heard_ms = voiced_ms(call.adviser.phone.tracks()[1])
    assert (ending.by, ending.queue) == (EndedBy.QUEUE, "201")
    assert heard_ms > 0
    assert any("Demande un conseiller" in sentence for sentence in agent.voice.asked)
    assert call.adviser.variables["VOICEBOT_SUMMARY"] == call.variables["VOICEBOT_SUMMARY"]
    assert ending.variables["VOICEBOT_ADVISER"] == "accepted"
    assert ending.variables["VOICEBOT_EXTENSION"] == "201"


@pytest.mark.parametrize(
    ("adviser", "line"),
    [
        (Adviser(presses="2"), "transfer.busy"),
        (Adviser(presses=""), "transfer.busy"),
        (Adviser(Rings.NOANSWER), "transfer.no_answer"),
        (Adviser(Rings.BUSY), "transfer.busy"),
        (Adviser(Rings.CHANUNAVAIL), "transfer.busy"),
    ],
    ids=["refuses", "hangs up while he is told", "rings out", "is engaged", "is not there"],
)
async def test_attended_an_adviser_who_does_not_take_the_caller_gives_him_back(
    adviser: Adviser, line: str
) -> None:
    async with (
        worker("un conseiller", plan=ATTENDED) as agent,
        agent.asterisk().call(call_id=CALL, advisers=[adviser]) as call,
    ):
        await call.hear_out()
        await call.say(tone(600))
        await call.comes_back()
        await call.hear_out()
        assert call.queue is None, "nobody has talked with him"
    assert agent.journal.said()[-2:] == [line, "transfer.choice"]


async def test_a_caller_whose_adviser_hangs_up_is_hung_up_too() -> None:
    async with (
        worker("un conseiller") as agent,
        agent.asterisk().call(call_id=CALL, advisers=[Adviser(hangs_up_first=True)]) as call,
    ):
        await call.hear_out()
        await call.say(tone(600))
        ending = await call.ended
    assert (ending.by, ending.queue) == (EndedBy.AGENT, "conseillers")
    assert ending.variables["VOICEBOT_OUTCOME"] == "transferred"
    ended = agent.journal.events[-1]
    assert isinstance(ended, CallEnded)
    assert isinstance(ended.outcome, Transferred)


async def test_a_caller_who_hangs_up_while_people_are_rung_leaves_nothing_behind() -> None:
    async with worker("un conseiller") as agent:
        async with agent.asterisk().call(call_id=CALL, advisers=[Adviser(Rings.FOR_EVER)]) as call:
            await call.hear_out()
            await call.say(tone(600))
            await until(lambda: any(command.startswith("EXEC Queue") for command in call.commands))
            call.hang_up()
            assert (await call.ended).by == EndedBy.CALLER
        await until(lambda: isinstance(agent.journal.events[-1], CallEnded))


async def test_outside_opening_hours_nobody_is_rung_and_the_call_back_is_arranged_by_keypad() -> None:
    promises = MemoryCallBacks()
    given = services(now=CLOSED, call_backs=promises)
    async with (
        worker("un conseiller", given=given) as agent,
        agent.asterisk().call(call_id=CALL, caller="0612345678") as call,
    ):
        await call.hear_out()
        await speaks(call)
        for keys in ("1", "2", "0142121314#", "1", "2"):
            at_ms = call.phone.clock_ms
            await call.press(keys)
            await call.hear_out(after_ms=at_ms)
        commands = list(call.commands)
    assert not any(command.startswith(("EXEC Queue", "EXEC Dial")) for command in commands)
    [promise] = promises.recorded
    assert (promise.number, promise.call_id) == ("0142121314", CALL)
    assert agent.journal.said()[-2] == "transfer.noted"


# Keys


async def test_identification_by_keypad_ends_each_number_with_the_hash() -> None:
    async with (
        worker("combien j'ai sur mon assurance vie") as agent,
        agent.asterisk().call(call_id=CALL) as call,
    ):
        await call.hear_out()
        await speaks(call)
        for keys in ("10078821#", "01041962#"):
            at_ms = call.phone.clock_ms
            await call.press(keys)
            await call.hear_out(after_ms=at_ms)
    assert "contract.value" in agent.journal.said()


async def test_zero_during_the_notice_is_a_human_as_soon_as_the_notice_was_heard() -> None:
    async with worker() as agent:
        async with agent.asterisk().call(call_id=CALL) as call:
            await call.hear_speech()
            await call.press("0")
            ending = await call.ended
        agent_track = call.phone.tracks()[1]
    notice_ms = sum(map(agent.voice.duration_ms, agent.voice.asked[:3]))
    farewell_ms = sum(map(agent.voice.duration_ms, agent.voice.asked[4:]))
    assert ending.queue == "conseillers"
    assert agent.journal.said() == ["greet.notice", "greet.question", "transfer.advisers"]
    assert voiced_ms(agent_track) == pytest.approx(notice_ms + farewell_ms, abs=5 * FRAME_MS), (
        "the notice whole, and nothing of the question"
    )


# A worker that dies


async def test_another_worker_goes_on_at_the_same_point_with_the_same_caller(tmp_path: Path) -> None:
    path = str(tmp_path / "checkpoints.sqlite")
    said = ["combien j'ai sur mon assurance vie", NUMBER]
    async with open_checkpoints(path) as one, open_checkpoints(path) as other:
        first = await Worker(Dialogue(build_graph(services()), one), said).open()
        second = await Worker(Dialogue(build_graph(services()), other), [BORN]).open()
        asterisk = first.asterisk()
        async with asterisk.call(reentries=1) as call:
            await call.hear_out()
            await speaks(call)
            at_ms = call.phone.clock_ms
            await call.say(tone(600))
            await call.hear_speech(after_ms=at_ms)
            call_id = call.call_id
            asterisk.agi_address = second.address
            await first.close()  # in the middle of a sentence
            await call.comes_back()
            await call.hear_out()
            await speaks(call)
            assert call.call_id == call_id
        await second.close()
    assert (await call.ended).entered == 2
    assert second.journal.said() == [
        "common.cut_off",
        "repair.again",
        "authenticate.welcome",
        "contract.value",
        "contract.also",
        "common.anything_else",
    ]


async def test_a_worker_that_dies_while_people_are_rung_leaves_the_choice_to_the_next(tmp_path: Path) -> None:
    path = str(tmp_path / "checkpoints.sqlite")
    async with open_checkpoints(path) as one, open_checkpoints(path) as other:
        first = await Worker(Dialogue(build_graph(services()), one), ["un conseiller"]).open()
        second = await Worker(Dialogue(build_graph(services()), other)).open()
        asterisk = first.asterisk()
        async with asterisk.call(reentries=1, advisers=[Adviser(Rings.NOANSWER)]) as call:
            await call.hear_out()
            asterisk.agi_address = second.address
            call.before_ringing = first.close
            await call.say(tone(600))
            await call.comes_back()
            await call.hear_out()
        await second.close()
    assert second.journal.said() == ["transfer.no_answer", "transfer.choice"]


async def test_the_end_of_a_call_is_noted_once_and_forgets_what_was_not_to_be_recorded() -> None:
    async with worker("je ne veux pas être enregistré", "un conseiller", "au revoir") as agent:
        async with agent.asterisk().call(call_id=CALL, advisers=[Adviser(Rings.BUSY)]) as call:
            await call.hear_out()
            await speaks(call)
            await call.say(tone(600))
            await call.comes_back()
            await call.hear_out()
            assert (await agent.dialogue.state(CALL)).get("recording") == "refused", "still known meanwhile"
            await call.say(tone(600))
            await call.ended
        await until(lambda: isinstance(agent.journal.events[-1], CallEnded))
        await until(lambda: not agent.agi._held)
        assert await agent.dialogue.state(CALL) == {}
    ends = [event for event in agent.journal.events if isinstance(event, CallEnded)]
    assert ends == [CallEnded(HungUp())]


async def test_a_caller_who_hangs_up_is_noted_as_having_left() -> None:
    async with worker() as agent:
        async with agent.asterisk().call(call_id=CALL) as call:
            await call.hear_speech()
        await until(lambda: agent.journal.events[-1] == CallEnded(CallerLeft()))
