"""The callers of the measured calls: what each says, when, and what he waited for. A process of their own.

All play the same part, each begins it a little later than the one before. First the way to a contract's
value, which a fixed line and lines with the caller's own data answer, without any model. Then a question
whose answer a language model words, heard to its end: the silence before it, and its length. Then, again and
again, each caller from another of these on:

1. the same question, interrupted by another: how soon was the agent quiet, and when did it answer?
2. the same question, and a backchannel over the answer: did the agent go on?
3. the same question, and a cough, or another noise, over the answer (:mod:`bench.noises`).

A silence is counted from the caller's last frame of speech that left to the agent's first that came, both on
the caller's clock: what he hears. An answer was "talked through" when as much of it was heard, in one go but
for pauses under a second and a half, as when nobody disturbed it.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from multiprocessing.connection import Connection

import numpy as np

from app.rehearsal.telephone import over_the_telephone
from audio.pcm import FRAME_MS
from audio.playback import REWIND_MS
from audio.providers.espeak_tts import EspeakTts
from bench.noises import noises
from telephony.simulated.asterisk import SimulatedAsterisk, SimulatedCall
from telephony.simulated.handset import CallEnded, NotHeard, Said

QUESTION = "Le bénéficiaire, on peut le changer après coup ?"
OTHER_QUESTION = "Mais dites-moi, le bénéficiaire, on peut le changer après coup ?"
BACKCHANNELS = ("Oui.", "D'accord.", "Hm hm.")
WORTH = "Je voudrais savoir combien j'ai sur mon assurance vie."
NUMBER = "C'est le dix zéro sept quatre-vingt-huit vingt et un."
BIRTH_DATE = "Je suis née le premier avril mille neuf cent soixante-deux."
LINES = (QUESTION, OTHER_QUESTION, *BACKCHANNELS, WORTH, NUMBER, BIRTH_DATE)
OVER_THE_ANSWER_MS = 900
"""So long after an answer has begun it is disturbed."""

QUIET_MS = 1500
"""After so long without a sound of the agent an answer is over."""

TORN_MS = 200
"""So much of an answer may be missing when it was talked through: frames that came in bursts."""

AGAIN_MS = 2 * REWIND_MS + TORN_MS
"""And so much may be heard twice: two coughs pause the voice twice, and it takes up a word before."""

JITTER_SPAN = 100
"""A frame's lateness is counted against the best of so many frames before it: two seconds."""

THINKING_MS = 400
"""Between the end of an answer and the caller's next words."""


@dataclass(slots=True)
class Findings:
    """What the callers of one run found; each list holds one entry an event."""

    silence_ms: dict[str, list[float]] = field(default_factory=dict)
    """By kind of answer: ``llm``, ``no llm``, ``fixed``."""
    stopped_ms: list[float] = field(default_factory=list)
    """From a caller's first frame of speech to the agent's last before it was quiet."""
    backchannels: list[bool] = field(default_factory=list)
    """Whether they were talked through."""
    coughs: list[bool] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    """Each frame of the agent against its schedule."""
    lost: list[str] = field(default_factory=list)
    """Calls, or turns, that did not go on, and why."""


async def recorded() -> dict[str, bytes]:
    """The callers' lines as they leave the telephone."""
    voice = EspeakTts("fr+f2")
    sounds = {}
    for line in LINES:
        sounds[line] = over_the_telephone(b"".join([chunk async for chunk in voice.speak(line)]))
    return sounds


class _Caller:
    """One of them."""

    def __init__(self, call: SimulatedCall, lines: Mapping[str, bytes], number: int, found: Findings) -> None:
        self._call = call
        self._lines = lines
        self._number = number
        self._found = found
        self._noises = noises()
        self._whole_ms = 0.0

    async def talk(self, until_s: float) -> None:
        """Until the loop's clock says ``until_s``."""
        loop = asyncio.get_running_loop()
        await self._call.hear_out(QUIET_MS)
        await self._say_who_he_is()
        await self._ask_undisturbed()
        steps = (self._ask_and_interrupt, self._say_yes_to_the_answer, self._cough_over_the_answer)
        for step in islice(cycle(steps), self._number % len(steps), None):
            if loop.time() >= until_s:
                break
            await step()

    async def _ask_undisturbed(self) -> None:
        began_ms = await self._ask("llm", QUESTION)
        self._whole_ms = self._answer_ms_since(began_ms)
        await self._thinks()

    async def _say_yes_to_the_answer(self) -> None:
        line = BACKCHANNELS[(self._number + len(self._found.backchannels)) % len(BACKCHANNELS)]
        self._found.backchannels.append(await self._ask_and_disturb(self._lines[line]))

    async def _cough_over_the_answer(self) -> None:
        noises = list(self._noises.values())
        sound = noises[(self._number + len(self._found.coughs)) % len(noises)]
        self._found.coughs.append(await self._ask_and_disturb(sound))

    async def _ask_and_disturb(self, sound: bytes) -> bool:
        said = await self._call.say(self._lines[QUESTION])
        began_ms = await self._call.hear_speech(said.speech_ended_ms)
        self._note("llm", said, began_ms)
        await self._call.pause(OVER_THE_ANSWER_MS)
        await self._call.say(sound)
        await self._call.hear_silence(QUIET_MS)
        more_ms = self._answer_ms_since(began_ms) - self._whole_ms
        await self._thinks()
        return -TORN_MS <= more_ms <= AGAIN_MS

    async def _ask_and_interrupt(self) -> None:
        said = await self._call.say(self._lines[QUESTION])
        began_ms = await self._call.hear_speech(said.speech_ended_ms)
        self._note("llm", said, began_ms)
        await self._call.pause(OVER_THE_ANSWER_MS)
        interrupting = await self._call.say(self._lines[OTHER_QUESTION])
        phone = self._call.phone
        over = [
            piece for piece in phone.heard(250) if piece.started_ms < interrupting.started_ms < piece.ended_ms
        ]
        if over:
            self._found.stopped_ms.append(over[-1].ended_ms - FRAME_MS - interrupting.started_ms)
        answered_ms = await self._call.hear_speech(interrupting.speech_ended_ms)
        self._note("llm", interrupting, answered_ms)
        await self._call.hear_silence(QUIET_MS)
        await self._thinks()

    async def _say_who_he_is(self) -> None:
        for kind, line in (("fixed", WORTH), ("no llm", NUMBER), ("no llm", BIRTH_DATE)):
            await self._ask(kind, line)
            await self._thinks()

    async def _ask(self, kind: str, line: str) -> float:
        said = await self._call.say(self._lines[line])
        began_ms = await self._call.hear_speech(said.speech_ended_ms)
        self._note(kind, said, began_ms)
        await self._call.hear_silence(QUIET_MS)
        return began_ms

    def _note(self, kind: str, said: Said, began_ms: float) -> None:
        self._found.silence_ms.setdefault(kind, []).append(began_ms - said.speech_ended_ms)

    def _answer_ms_since(self, since_ms: float) -> float:
        """How much was heard since then, without the last sentence: "Autre chose ?" in ever other words."""
        pieces = [piece for piece in self._call.phone.heard(60) if piece.ended_ms > since_ms]
        return sum(piece.ended_ms - piece.started_ms for piece in pieces[:-1])

    async def _thinks(self) -> None:
        await self._call.pause(THINKING_MS)


def lateness_ms(arrivals_ms: np.ndarray) -> np.ndarray:
    """By how much each frame came after its schedule: that of the most punctual lately, 20 ms apart."""
    off_beat = arrivals_ms - FRAME_MS * np.arange(len(arrivals_ms))
    if len(off_beat) <= JITTER_SPAN:
        return off_beat - off_beat.min() if len(off_beat) else off_beat
    best = np.lib.stride_tricks.sliding_window_view(off_beat, JITTER_SPAN).min(axis=1)
    return off_beat[JITTER_SPAN - 1 :] - best


async def ring(
    port: int, calls: int, seconds: float, lines: Mapping[str, bytes], results: Connection
) -> None:
    """``calls`` callers for ``seconds``, begun evenly over the time a first question takes."""
    asterisk = SimulatedAsterisk(("127.0.0.1", port))
    found = Findings()
    until_s = asyncio.get_running_loop().time() + seconds

    async def one(number: int) -> None:
        await asyncio.sleep(min(5.0, calls * 0.1) * number / calls)
        async with asterisk.call() as call:
            try:
                await call.connected()
                await _Caller(call, lines, number, found).talk(until_s)
            except (CallEnded, NotHeard) as exc:
                found.lost.append(f"call {number}: {exc!r}")
            found.late_ms.extend(
                lateness_ms(np.frombuffer(call.phone.arrivals_ms, dtype=np.float64)).tolist()
            )

    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(one(number))
    results.send(found)


def ring_in_process(
    port: int, calls: int, seconds: float, lines: Mapping[str, bytes], results: Connection, core: int | None
) -> None:
    """:func:`ring` as the whole of a process, on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        import uvloop  # not on every system
    except ImportError:
        asyncio.run(ring(port, calls, seconds, lines, results))
    else:
        uvloop.run(ring(port, calls, seconds, lines, results))
