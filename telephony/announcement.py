"""A few lines said to a caller with whom there is no talk: to their end, whatever he says meanwhile.

The sound comes from the standby lines, so that it costs nothing and depends on nobody; what is not ready
there is asked of the voice. A voice that fails, or is too slow, keeps nobody from where he is going: he
goes there unannounced.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from audio.pcm import BYTES_PER_MS
from audio.playback import Playback
from audio.speakable import speakable
from audio.tts import Pace, TextToSpeech, TtsFailed, sentences
from telephony.line import Line, LineClosed
from telephony.standby import StandbyLines
from telephony.turn import LAST_BREATH_MS, SENTENCE_PAUSE_MS

log = logging.getLogger(__name__)


async def announce(
    line: Line, texts: Sequence[str], voice: TextToSpeech, standby: StandbyLines, voice_ms: int
) -> bool:
    """Say ``texts`` on ``line``; whether the caller was still there at the end of them.

    ``voice_ms`` bounds the wait for each piece of sound.
    """
    saying = asyncio.create_task(_say(line.playback, texts, voice, standby, voice_ms), name="announcement")
    leaving = asyncio.create_task(_gone(line), name="caller leaves")
    try:
        await asyncio.wait({saying, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if saying.done():
            saying.result()
        return not leaving.done()
    finally:
        for task in (saying, leaving):
            task.cancel()
        await asyncio.wait({saying, leaving})
        line.playback.stop()


async def _say(
    playback: Playback, texts: Sequence[str], voice: TextToSpeech, standby: StandbyLines, voice_ms: int
) -> None:
    """Speak to the last frame, or to where the voice fails."""
    clock = asyncio.get_running_loop().time
    try:
        for text in texts:
            ready = standby.sound(text, Pace.NORMAL)
            for sentence in [text] if ready else sentences(text):
                playback.begin(sentence, interruptible=False)
                if ready:
                    playback.add(ready)
                else:
                    async with (
                        asyncio.timeout(voice_ms / 1000) as limit,
                        aclosing(voice.speak(speakable(sentence))) as sound,
                    ):
                        async for chunk in sound:
                            limit.reschedule(clock() + voice_ms / 1000)
                            playback.add(chunk)
                playback.add(bytes(SENTENCE_PAUSE_MS * BYTES_PER_MS))
                playback.end()
    except (TtsFailed, TimeoutError) as exc:
        log.warning("announcement.failed", extra={"reason": str(exc) or f"no sound for {voice_ms} ms"})
        playback.end()
    playback.begin("", interruptible=False)
    playback.add(bytes(LAST_BREATH_MS * BYTES_PER_MS))
    playback.end()
    drained = asyncio.Event()
    playback.on_drained = drained.set
    if playback.busy:
        await drained.wait()


async def _gone(line: Line) -> None:
    while not isinstance(await line.events.get(), LineClosed):
        pass
