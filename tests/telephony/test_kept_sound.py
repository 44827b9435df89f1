"""What a call keeps in memory: the sound of the turn under way, and of none before it.

Counted in objects and bytes with the garbage collector switched off: what waits for that is kept. It comes
once in minutes in a process of this size, and what calls left behind until then was a megabyte each.
"""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from audio.endpointing import Expecting, Utterance
from audio.pcm import BYTES_PER_MS
from audio.playback import _Sentence
from audio.scripted import ScriptedStt
from audio.stt import Transcript
from telephony.turn import Turn
from tests.telephony.scene import Scene, call

HOURS = "quels sont vos horaires"


class ForgettingEars(ScriptedStt):
    """Hears, and keeps no sound, as the real ones."""

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        transcript = await super().transcribe(utterance, expecting)
        self.heard[-1] = Utterance(b"", 0, 0)
        return transcript


class Kept:
    """What a call holds, of what was not there before it."""

    def __init__(self) -> None:
        self._before = gc.get_objects()  # held, so that no identity is given twice
        self._known = {id(one) for one in self._before}

    def _new(self) -> list[object]:
        return [one for one in gc.get_objects() if id(one) not in self._known]

    def turns(self) -> int:
        return sum(type(one) is Turn for one in self._new())

    def said_bytes(self) -> int:
        """Of callers' utterances, wherever they are held."""
        return sum(len(one.pcm) for one in self._new() if type(one) is Utterance)

    def sound_bytes(self) -> int:
        """Of those and of the agent's sentences."""
        return self.said_bytes() + sum(len(one.sound) for one in self._new() if type(one) is _Sentence)


@asynccontextmanager
async def talk(*said: str) -> AsyncIterator[tuple[Scene, Kept]]:
    """A call after its greeting, without a garbage collector."""
    gc.collect()
    gc.disable()
    kept = Kept()
    try:
        async with call(ears=ForgettingEars(said)) as scene:
            await scene.phone.hears_the_agent_out()
            yield scene, kept
    finally:
        gc.enable()


async def test_of_turns_that_are_over_no_sound_is_kept_and_nothing_else_of_theirs() -> None:
    async with talk(HOURS, HOURS, HOURS) as (scene, kept):
        for _ in range(3):
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
            await scene.phone.waits(100)
            assert (kept.turns(), kept.sound_bytes()) == (0, 0)


async def test_of_an_interrupted_turn_no_sound_is_kept_when_its_answer_is_heard() -> None:
    async with talk(HOURS, HOURS) as (scene, kept):
        await scene.says()
        await scene.phone.waits(400)
        await scene.says(900)
        await scene.phone.hears_the_agent()
        assert kept.turns() == 1
        assert kept.said_bytes() == 0


@pytest.mark.parametrize("backchannel", ["d'accord", ""])
async def test_of_what_was_talked_through_a_second_of_sound_is_kept_at_most(backchannel: str) -> None:
    async with talk(HOURS, backchannel) as (scene, kept):
        await scene.says()
        await scene.phone.speaks(200)
        await scene.phone.waits(1000)
        assert kept.turns() == 1
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        await scene.phone.waits(100)
        assert kept.turns() == 0
        assert kept.sound_bytes() <= 1000 * BYTES_PER_MS


async def test_of_answers_that_were_prepared_for_nothing_nothing_is_kept() -> None:
    async with talk(*[HOURS] * 6) as (scene, kept):
        for _ in range(4):
            await scene.phone.speaks(400)
            await scene.phone.waits(300)
        assert kept.turns() == 1
        await scene.phone.speaks(100)
        assert kept.turns() == 0
