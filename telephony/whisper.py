"""Tells the adviser whom he is about to speak with, before the two are connected.

He presses 1 to take the call, 2 to refuse, at any moment of it; the caller hears music meanwhile. Who does
not press anything is told once more what to press, and has then refused. A voice that fails must not
keep the two apart: then they are connected without a summary.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from audio.endpointing import Silence
from audio.speakable import speakable
from audio.tts import TextToSpeech, TtsFailed, sentences
from prompts import load
from telephony.line import Digit, Line, LineClosed
from tools import written

log = logging.getLogger(__name__)

ACCEPT_KEY = "1"
REFUSE_KEY = "2"
NO_KEY = ""
GONE = "gone"


class Whisper:
    """One adviser's leg."""

    def __init__(self, line: Line, voice: TextToSpeech) -> None:
        self._line = line
        self._voice = voice

    async def run(self, summary: str, customer_number: str) -> bool:
        """Whether the adviser takes the call; False as well when he has hung up. The line is closed then."""
        words = load("whisper")
        told = [words.say("summary", summary=summary).text]
        if customer_number:
            told.append(words.say("customer", number=written.customer(customer_number)).text)
        choice = words.say("choice").text
        try:
            if not await self._line.joined():
                return False
            key = await self._key_after(" ".join([*told, choice]))
            if key == NO_KEY:
                key = await self._key_after(choice)
            taken = key == ACCEPT_KEY
            if key != GONE:
                await self._say_out(words.say("accepted" if taken else "refused").text)
        except TtsFailed as exc:
            log.warning("whisper.failed", extra={"reason": str(exc)})
            return True
        else:
            return taken
        finally:
            self._line.playback.stop()
            self._line.hang_up()

    async def _key_after(self, text: str) -> str:
        """Say ``text``; the key that was pressed meanwhile or after it, :data:`NO_KEY` or :data:`GONE`."""
        async with self._saying(text) as saying:
            listening = asyncio.create_task(self._next_key(), name="adviser's keys")
            try:
                await asyncio.wait({saying, listening}, return_when=asyncio.FIRST_COMPLETED)
                if saying.done():
                    saying.result()  # raises TtsFailed
                return await listening
            finally:
                listening.cancel()
                await asyncio.wait({listening})

    async def _say_out(self, text: str) -> None:
        """Say ``text`` to its end, or until the adviser has left."""
        async with self._saying(text) as saying:
            gone = asyncio.create_task(self._gone(), name="adviser gone")
            try:
                await asyncio.wait({saying, gone}, return_when=asyncio.FIRST_COMPLETED)
                if saying.done():
                    saying.result()
            finally:
                gone.cancel()
                await asyncio.wait({gone})

    @asynccontextmanager
    async def _saying(self, text: str) -> "AsyncIterator[asyncio.Task[None]]":
        """A task that says ``text``, silenced when the block is left."""
        saying = asyncio.create_task(self._say(text), name="whisper")
        try:
            yield saying
        finally:
            self._line.playback.stop()
            saying.cancel()
            await asyncio.wait({saying})

    async def _say(self, text: str) -> None:
        """Speak to the last frame. Raises :class:`audio.tts.TtsFailed`."""
        playback = self._line.playback
        for sentence in sentences(text):
            playback.begin(sentence)
            async with aclosing(self._voice.speak(speakable(sentence))) as sound:
                async for chunk in sound:
                    playback.add(chunk)
            playback.end()
        drained = asyncio.Event()
        playback.on_drained = drained.set
        if playback.busy:
            await drained.wait()

    async def _next_key(self) -> str:
        while True:
            match await self._line.events.get():
                case Digit(key) if key in (ACCEPT_KEY, REFUSE_KEY):
                    return key
                case Silence() if not self._line.playback.busy:
                    return NO_KEY
                case LineClosed():
                    return GONE
                case _:
                    pass

    async def _gone(self) -> None:
        while not isinstance(await self._line.events.get(), LineClosed):
            pass
