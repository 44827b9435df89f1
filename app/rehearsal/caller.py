"""The scripted caller: says his lines down the telephone, and reacts to what he hears and to nothing else.

He knows the agent only by its sound: whether it speaks, and how long it has been quiet. What it
understood, which node ran and what it means to say next are hidden from him, as from anybody who rings.
So a wrong answer does not stop him; whether all went as expected is judged afterwards
(:mod:`app.rehearsal.verdict`).
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, Self

from app.rehearsal.script import Cue, Script
from app.rehearsal.telephone import over_the_telephone
from audio.pcm import BYTES_PER_MS
from audio.tts import TextToSpeech
from telephony.simulated.handset import CallEnded, NotHeard, Said

SHORT_PAUSE_MS = (250, 340)
LONG_PAUSE_MS = (400, 500)
"""Breath at a comma, and at "…"; under the least patience of the agent for a sentence, 700 ms."""

ANSWER_WITHIN_MS = 12_000
"""How long a caller waits for a word of the agent: longer than its patience with silence."""

SPEECH_WITHIN_MS = 45_000
"""How long he listens to one answer."""

CONNECTED_WITHIN_S = 10.0
"""How long the agent may take to bring the sound to a ringing call; it takes milliseconds."""

ENDING_S = 5.0
"""How long Asterisk waits for the agent's last commands; they take milliseconds."""

_PAUSES = re.compile(r"(?<=[,…])\s+")


@dataclass(slots=True)
class Spoken:
    """What became of one cue, as the caller heard it; times in ms on the call's clock."""

    cue: Cue
    said: Said | None = None
    """None in the first turn, and when the call did not get that far."""
    answer_at_ms: float | None = None
    """The agent's first sound after the caller's last; None when there was none."""
    trouble: str = ""
    """Why the caller could not go on from here."""


class _Ending(Protocol):
    @property
    def ended(self) -> "asyncio.Future[Any]":
        """Done when it is over, with whatever there is to say about it."""


class Telephone(_Ending, Protocol):
    """A call in the caller's hand: simulated (``telephony.simulated.asterisk``) or on a real line."""

    @property
    def phone(self) -> _Ending:
        """Its sound, which may end before the call does."""

    async def connected(self) -> None:
        """Wait until there is sound. Raises ``CallEnded``."""

    async def say(self, pcm: bytes) -> Said:
        """Speak; returns when the last frame has left. Raises ``CallEnded``."""

    async def pause(self, for_ms: float) -> None:
        """Say nothing for a while. Raises ``CallEnded``."""

    async def hear_speech(self, after_ms: float | None = None, within_ms: float = 0) -> float:
        """Wait until the agent speaks; gives when. Raises ``NotHeard`` or ``CallEnded``."""

    async def hear_silence(self, for_ms: float, within_ms: float = 0) -> None:
        """Wait until the agent has been quiet for a while. Raises ``NotHeard`` or ``CallEnded``."""

    def hang_up(self) -> None:
        """Put the phone down."""


class Audience(Protocol):
    """Somebody who watches the caller."""

    def caller_speaks(self, cue: Cue) -> None:
        """He opens his mouth."""

    def caller_hears(self, spoken: Spoken) -> None:
        """The agent's answer has begun."""


class ScriptedCaller:
    """Plays the caller of a :class:`~app.rehearsal.script.Script`."""

    def __init__(self, script: Script, sounds: Mapping[str, bytes]) -> None:
        """``sounds`` holds every line of the script, as it leaves the telephone (8 kHz)."""
        self._script = script
        self._sounds = sounds

    @classmethod
    async def of(cls, script: Script, voice: TextToSpeech) -> Self:
        """The caller with this voice. Raises ``TtsFailed``."""
        return cls(script, {cue.says: await line(cue.says, voice) for cue in script.turns if cue.says})

    async def talk(self, call: Telephone, audience: Audience) -> list[Spoken]:
        """Play the whole part, then wait for the agent to end the call; one entry per cue, in order.

        Always comes to an end: every wait is bounded, by the call's clock.
        """
        played = [Spoken(cue) for cue in self._script.turns]
        try:
            async with asyncio.timeout(CONNECTED_WITHIN_S):
                await call.connected()
        except TimeoutError:
            played[0].trouble = f"there was no sound {CONNECTED_WITHIN_S:.0f} s after the ring"
            return played
        except CallEnded:
            played[0].trouble = "the agent never took the call"
            return played
        for number, spoken in enumerate(played):
            following = played[number + 1].cue if number + 1 < len(played) else None
            try:
                await self._play(call, spoken, following, audience)
            except NotHeard:
                silent = spoken.answer_at_ms is None
                spoken.trouble = (
                    f"the caller heard no answer within {ANSWER_WITHIN_MS / 1000:.0f} s"
                    if silent
                    else f"the agent was still speaking after {SPEECH_WITHIN_MS / 1000:.0f} s"
                )
                break
            except CallEnded:
                if following is not None or spoken.answer_at_ms is None:
                    spoken.trouble = "the call ended here"
                    break
        await _last_seconds(call)
        return played

    async def _play(self, call: Telephone, spoken: Spoken, following: Cue | None, audience: Audience) -> None:
        """Say the line, hear the answer begin, and listen until it is time for the next line."""
        asked_ms = 0.0
        if spoken.cue.says:
            audience.caller_speaks(spoken.cue)
            spoken.said = await call.say(self._sounds[spoken.cue.says])
            asked_ms = spoken.said.speech_ended_ms
        spoken.answer_at_ms = await call.hear_speech(after_ms=asked_ms, within_ms=ANSWER_WITHIN_MS)
        audience.caller_hears(spoken)
        if spoken.cue.hangs_up_after_ms is not None:
            await call.pause(spoken.cue.hangs_up_after_ms)
            call.hang_up()
            return
        if following is not None and following.interrupts_after_ms is not None:
            await call.pause(following.interrupts_after_ms)
            return
        quiet_ms = following.after_quiet_ms if following is not None else ANSWER_WITHIN_MS
        await call.hear_silence(quiet_ms, within_ms=SPEECH_WITHIN_MS)


async def _last_seconds(call: Telephone) -> None:
    """Hold the line until Asterisk has heard what becomes of the call, if the agent has ended the sound."""
    if call.phone.ended.done():
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(call.ended), ENDING_S)


async def line(says: str, voice: TextToSpeech) -> bytes:
    """``says`` as it leaves the telephone: spoken in breaths, with real pauses between them."""
    chance = Random(says)  # noqa: S311 - the same line always sounds the same
    sound = b""
    for breath in _PAUSES.split(says):
        sound += b"".join([chunk async for chunk in voice.speak(breath)])
        if breath.endswith((",", "…")):
            shortest, longest = LONG_PAUSE_MS if breath.endswith("…") else SHORT_PAUSE_MS
            sound += bytes(chance.randint(shortest, longest) * BYTES_PER_MS)
    return over_the_telephone(sound)
