"""Never three seconds of nothing: whatever stalls, with the default budgets, on the call's own clock."""

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import pytest

from audio.endpointing import Expecting, Utterance
from audio.pcm import FRAME_MS, SILENCE_FRAME
from audio.scripted import ScriptedStt, ScriptedTts
from audio.stt import Transcript
from audio.tts import Pace
from graph.builder import Services
from graph.dialogue import Dialogue
from graph.heard import Heard
from graph.reply import Reply, Say
from knowledge.retriever import Passage, Retriever
from telephony.call import TECHNICAL, Outcome, Transferred
from telephony.journal import TurnInterrupted
from telephony.session import KEYS_PATIENCE_S
from telephony.standby import StandbyLines, technical_line, waiting_line
from telephony.turn import Budgets
from tests.graph.conversation import services
from tests.telephony.call_time import WaitingPhone, in_call_time
from tests.telephony.scene import BORN, NUMBER, Scene, call

HOURS = "quels sont vos horaires"
FOREVER = math.inf

MOST_SILENCE_MS = 3000
FILLED_WITHIN_MS = 1900
"""A second and a half; at most 300 ms behind a patience that is as long."""


@dataclass
class Stalls:
    """What keeps the caller waiting, from now on (s)."""

    ear: float = 0
    mind: float = 0
    voice: float = 0
    within_sentence: bool = False
    """The voice stalls after its first sound instead of before it."""

    async def wait(self, seconds: float) -> None:
        if seconds == FOREVER:
            await asyncio.Event().wait()
        await asyncio.sleep(seconds)


class StallingEar(ScriptedStt):
    def __init__(self, transcripts: list[str], stalls: Stalls) -> None:
        super().__init__(transcripts)
        self._stalls = stalls

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        transcript = await super().transcribe(utterance, expecting)
        await self._stalls.wait(self._stalls.ear)
        return transcript


class StallingVoice(ScriptedTts):
    def __init__(self, stalls: Stalls) -> None:
        super().__init__(ms_per_character=20)
        self._stalls = stalls

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        place = 0
        async for chunk in super().speak(text, pace):
            if place == int(self._stalls.within_sentence):
                await self._stalls.wait(self._stalls.voice)
            place += 1
            yield chunk


@dataclass(frozen=True)
class StallingRetriever:
    given: Retriever
    stalls: Stalls

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        seconds, self.stalls.mind = self.stalls.mind, 0
        await self.stalls.wait(seconds)
        return await self.given.search(question, limit)


def slow_minded(stalls: Stalls) -> Services:
    given = services()
    return replace(given, retriever=StallingRetriever(given.retriever, stalls))


async def standby() -> StandbyLines:
    lines = StandbyLines(ScriptedTts(ms_per_character=60))
    await lines.make()
    return lines


def silences_ms(frames: list[bytes]) -> list[int]:
    """The stretches without sound, in order; the first is 0 when sound is there at once."""
    runs = [(frame, len(list(run)) * FRAME_MS) for frame, run in groupby(f == SILENCE_FRAME for f in frames)]
    return ([] if runs and runs[0][0] else [0]) + [length_ms for silent, length_ms in runs if silent]


async def over_or_answered(scene: Scene, since: int) -> None:
    """Until the agent has said something that is no filler, or has ended the call."""
    fillers = {waiting_line(0).key}

    def said() -> bool:
        return scene.running.done() or bool(set(scene.journal.said()[since:]) - fillers)

    await scene.phone.waits_until(said)
    await scene.phone.waits_until(lambda: scene.running.done() or not scene.phone.line.playback.busy)


def waited(stalls: Stalls, transcripts: list[str]) -> tuple[list[int], Outcome | None, list[str]]:
    """One question while ``stalls``; silences from the end of speech, outcome, and what was said since."""

    async def scenario() -> tuple[list[int], Outcome | None, list[str]]:
        now = Stalls()
        async with call(
            ears=StallingEar(transcripts, now),
            voice=StallingVoice(now),
            given=slow_minded(now),
            budgets=Budgets(),
            standby=await standby(),
            phones=WaitingPhone,
        ) as scene:
            await scene.phone.hears_the_agent_out()
            now.ear, now.mind, now.voice = stalls.ear, stalls.mind, stalls.voice
            now.within_sentence = stalls.within_sentence
            before = len(scene.journal.said())
            await scene.phone.speaks(800)
            end_of_speech = len(scene.phone.heard)
            await over_or_answered(scene, before)
            outcome = await scene.outcome() if scene.running.done() else None
            return silences_ms(scene.phone.heard[end_of_speech:]), outcome, scene.journal.said()[before:]

    return in_call_time(scenario())


@pytest.mark.parametrize("voice", [0, 2.4, FOREVER, "within"])
@pytest.mark.parametrize("mind", [0, 1.0, 4.9, FOREVER])
@pytest.mark.parametrize("ear", [0, 1.6, 2.4, FOREVER])
def test_whatever_stalls_the_caller_hears_a_filler_soon_and_never_three_seconds_of_nothing(
    ear: float, mind: float, voice: float | str
) -> None:
    stalls = Stalls(ear, mind, FOREVER if voice == "within" else float(voice), voice == "within")
    silences, outcome, said = waited(stalls, [HOURS])
    assert silences[0] <= FILLED_WITHIN_MS
    assert max(silences) < MOST_SILENCE_MS
    if FOREVER in {ear, mind, stalls.voice}:
        assert isinstance(outcome, Transferred)
        assert outcome.reason == TECHNICAL
        assert said[-1] == technical_line().key
    else:
        assert outcome is None
        assert "faq.answer" in said


def test_a_longer_wait_is_filled_again_and_in_other_words() -> None:
    _, _, said = waited(Stalls(ear=2.4, mind=4.9), [HOURS])
    assert said.count(waiting_line(0).key) == 2
    assert len({waiting_line(nth).text for nth in range(3)}) == 3


def test_who_may_not_have_finished_and_then_has_to_wait_hears_something_too() -> None:
    """The longest patience there is: for half a sentence."""
    silences, _, _ = waited(Stalls(mind=FOREVER), ["je voudrais savoir combien de"])
    assert max(silences) < MOST_SILENCE_MS


@pytest.mark.parametrize("ear", [2.4, FOREVER])
def test_who_interrupts_while_the_ear_stalls_is_told_to_wait(ear: float) -> None:
    async def scenario() -> tuple[list[int], list[object]]:
        now = Stalls()
        async with call(
            ears=StallingEar([HOURS, "un conseiller"], now), standby=await standby(), phones=WaitingPhone
        ) as scene:
            await scene.phone.hears_the_agent_out()
            await scene.says()
            await scene.phone.hears_the_agent()
            await scene.phone.waits(400)
            now.ear = ear
            await scene.phone.speaks(800)
            end_of_speech = len(scene.phone.heard)
            await scene.phone.waits_until(scene.running.done)
            return silences_ms(scene.phone.heard[end_of_speech:]), list(scene.journal.events)

    silences, events = in_call_time(scenario())
    assert silences[0] <= FILLED_WITHIN_MS
    assert max(silences) < MOST_SILENCE_MS
    assert [event for event in events if isinstance(event, TurnInterrupted)]


@pytest.mark.parametrize("hash_key", ["#", ""])
def test_who_keyed_a_number_and_has_to_wait_hears_something_too(hash_key: str) -> None:
    async def scenario() -> list[int]:
        now = Stalls()
        async with call(
            ["mon assurance vie", NUMBER, BORN],
            given=slow_minded(now),
            voice=StallingVoice(now),
            standby=await standby(),
            phones=WaitingPhone,
            keys_patience_s=KEYS_PATIENCE_S,
        ) as scene:
            await scene.phone.hears_the_agent_out()
            await scene.says()
            await scene.phone.hears_the_agent_out()
            now.voice = FOREVER
            for key in "10078821" + hash_key:
                scene.phone.line.digit_in(key)
                await scene.phone.waits(200)
            last_key = len(scene.phone.heard) - 200 // FRAME_MS
            await scene.phone.waits_until(scene.running.done)
            return silences_ms(scene.phone.heard[last_key:])

    assert max(in_call_time(scenario())) < MOST_SILENCE_MS


class ThinksBetweenLines(Dialogue):
    """Says a line, and asks a slow back office for the next."""

    async def turn(
        self,
        call_id: str,
        heard: Heard,
        cut: Mapping[str, str] | None = None,
        confirmed: asyncio.Event | None = None,
        *,
        instead: bool = False,
    ) -> AsyncGenerator[Reply, None]:
        async for reply in super().turn(call_id, heard, cut, confirmed, instead=instead):
            if isinstance(reply, Say) and reply.key == "common.anything_else":
                await asyncio.sleep(4.5)
            yield reply


def test_after_a_cough_that_was_long_to_understand_the_wait_for_the_next_line_is_still_filled() -> None:
    async def scenario() -> tuple[list[int], list[str]]:
        now = Stalls()
        async with call(
            ears=StallingEar([HOURS, ""], now),
            voice=ScriptedTts(ms_per_character=5),
            standby=await standby(),
            phones=WaitingPhone,
            dialogues=ThinksBetweenLines,
        ) as scene:
            await scene.phone.hears_the_agent_out()
            await scene.says()
            await scene.phone.hears_the_agent()
            await scene.phone.waits(100)
            now.ear = 0.6
            await scene.phone.speaks(240)
            end_of_cough = len(scene.phone.heard)
            await scene.phone.waits_until(lambda: scene.journal.said()[-1] == "common.anything_else")
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
            return silences_ms(scene.phone.heard[end_of_cough:]), scene.journal.said()

    silences, said = in_call_time(scenario())
    assert waiting_line(0).key in said
    assert max(silences) < MOST_SILENCE_MS


@pytest.mark.parametrize("where", ["between lines", "within a sentence"])
def test_a_wait_in_the_middle_of_an_answer_is_filled_like_one_before_it(where: str) -> None:
    async def scenario() -> tuple[list[int], list[str]]:
        now = Stalls(voice=2.4 * (where != "between lines"), within_sentence=True)
        async with call(
            [HOURS],
            voice=StallingVoice(now),
            standby=await standby(),
            phones=WaitingPhone,
            dialogues=ThinksBetweenLines if where == "between lines" else Dialogue,
        ) as scene:
            await scene.phone.hears_the_agent_out()
            before = len(scene.journal.said())
            await scene.phone.speaks(800)
            end_of_speech = len(scene.phone.heard)
            await scene.phone.waits_until(lambda: scene.journal.said()[-1] == "common.anything_else")
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
            return silences_ms(scene.phone.heard[end_of_speech:]), scene.journal.said()[before:]

    silences, said = in_call_time(scenario())
    assert waiting_line(0).key in said
    assert max(silences) < 2000
