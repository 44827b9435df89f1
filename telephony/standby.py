"""Lines that are ready before they are needed: what is said while the caller waits, and when all fails.

Whoever fills a wait, or says that nothing works, cannot ask the voice that keeps everybody waiting. So the
sound of these few lines is made when the agent starts, in both paces, and kept; one set for all calls of the
process. What could not be made then is tried again with each call that begins.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from audio.speakable import speakable
from audio.tts import Pace, TextToSpeech, TtsFailed
from prompts import Line, load

log = logging.getLogger(__name__)

WAITING = "wait"
"""Key, in the common words, of what fills a wait; later wordings for longer waits."""

TECHNICAL_LINE = "technical"

LOST_LINE = "lost"


class StandbyLines:
    """The sound of lines that must not depend on anything."""

    def __init__(self, voice: TextToSpeech | None = None, more: Sequence[str] = ()) -> None:
        """Without a voice nothing is ever ready, and callers wait in silence.

        ``more`` is kept as well, at the normal pace: what is said to callers before there is a talk.
        """
        self._voice = voice
        self._wanted = [*((text, pace) for text in standby_texts() for pace in Pace)]
        self._wanted += [(text, Pace.NORMAL) for text in more]
        self._sounds: dict[tuple[str, Pace], bytes] = {}
        self._making = asyncio.Lock()

    async def make(self) -> None:
        """Make what is missing; what the voice cannot say now is left for the next time."""
        if self._voice is None:
            return
        async with self._making:
            for text, pace in self._wanted:
                if (text, pace) not in self._sounds:
                    await self._make(self._voice, text, pace)

    async def _make(self, voice: TextToSpeech, text: str, pace: Pace) -> None:
        try:
            async with aclosing(voice.speak(speakable(text), pace)) as sound:
                self._sounds[text, pace] = b"".join([chunk async for chunk in sound])
        except TtsFailed as exc:
            log.warning("standby.failed", extra={"reason": str(exc)})

    def sound(self, text: str, pace: Pace) -> bytes | None:
        """What ``text`` sounds like (signed 16-bit mono, 8 kHz); None when it is not kept or not made."""
        return self._sounds.get((text, pace)) or self._sounds.get((text, Pace.NORMAL))


def waiting_line(nth: int) -> Line:
    """What is said to whoever waits, the ``nth`` time (from 0) in one turn."""
    return load("common").say(WAITING, nth=nth)


def technical_line() -> Line:
    """That nothing works, and that people take over."""
    return load("common").say(TECHNICAL_LINE)


def lost_line() -> Line:
    """That what was said before the line broke off cannot be had now, and that people take over."""
    return load("common").say(LOST_LINE)


def standby_texts() -> list[str]:
    """All that is to be ready."""
    wordings = load("common").lines
    return [text for key in (WAITING, TECHNICAL_LINE, LOST_LINE) for text in wordings[key].texts]
