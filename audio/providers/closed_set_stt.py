"""The keyless ear: which line of a given list was spoken, by the sound alone.

No French speech model comes from a package registry, so a call without any key is understood by
comparing what came over the wire with recordings of the lines it may hold, made once by a voice.
It knows nothing of a script: the place of a line in the list, or in the call, plays no part.
Anything else, noise, half a line, a line with something added, another number, is *not understood*
(:class:`audio.stt.Transcript` without words); so is a line that could be either of two.

How sounds are compared is in :mod:`audio.likeness`; this module holds the decision. The voice that
made the recordings should be the one that calls: other speakers are beyond this ear. So are words that
differ in one weak consonant only, which a telephone hardly carries: "six" and "dix", "sept" and "seize",
"cinq" and "quinze". When both are on the list the answer is "not understood" (on a clean line sometimes the
right one, never the wrong one); when one is, the other is taken for it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Self

from audio.endpointing import Expecting, Utterance
from audio.likeness import Gallery, Likeness
from audio.stt import Transcript
from audio.tts import TextToSpeech

# Measured with bench/closed_set.py: 40 callers' lines in espeak-ng's voice, worst 200 ms of the best line.
#   the right line, A-law, noise at 20 dB, 12 dB softer or louder, pauses,
#   8 % faster or slower:                                       median 0.02 to 0.33, at most 0.53
#   the right line, noise at 15 dB:                             median 0.24, 39 of 40 below 0.40, "Non." 0.68
#   another sentence, mostly one word away from a line:         at least 0.95
#   half a line, the other half, a line and half of another:    at least 0.67
#   the same line with one other digit (270 pairs):             at least 0.58, 95 % above 0.88
WORST_ACCEPTED = 0.55
"""A line is recognised when even its worst 200 ms are nearer than this to the recording."""
MARGIN = 0.20
"""...and the next line's worst 200 ms are farther by at least this. Lines that differ in a digit were 0.9
farther at least; this is for lines that sound the same."""


class ClosedSetStt:
    """Recognises the lines it was given, in the voice it was given them in."""

    def __init__(self, recordings: Mapping[str, bytes]) -> None:
        """``recordings`` are the lines and their sound: clean, signed 16-bit mono at 8 kHz.

        Takes some 5 ms per line; :meth:`of` does it off the event loop. Raises ValueError for no line,
        or one without speech.
        """
        if not recordings:
            raise ValueError("a closed-set ear needs at least one line")
        self._lines = tuple(recordings)
        self._gallery = Gallery(list(recordings.values()))

    @classmethod
    async def of(cls, lines: Sequence[str], voice: TextToSpeech) -> Self:
        """An ear for ``lines``, spoken once each by ``voice``. Raises TtsFailed, and ValueError as above."""
        recordings = {line: b"".join([chunk async for chunk in voice.speak(line)]) for line in lines}
        return await asyncio.to_thread(cls, recordings)

    @property
    def name(self) -> str:
        """``closed-set (40 lines)``."""
        return f"closed-set ({len(self._lines)} lines)"

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """See :class:`audio.stt.SpeechToText`. ``expecting`` is not used: only the sound counts."""
        likenesses = await asyncio.to_thread(self._gallery.compare, utterance.pcm)
        confidence = confidence_in(likenesses)
        if confidence == 0:
            return Transcript("", 0.0)
        return Transcript(self._lines[likenesses[0].index], confidence)


def confidence_in(likenesses: Sequence[Likeness]) -> float:
    """How sure it is that the first of ``likenesses`` (most like first) was spoken; 0 when it is not.

    0.5 at the limits of what is accepted, 1.0 for the recording itself with no rival near: the lesser
    of how well it fits and how far the next one is.
    """
    if not likenesses or likenesses[0].worst > WORST_ACCEPTED:
        return 0.0
    best = likenesses[0].worst
    lead = likenesses[1].worst - best if len(likenesses) > 1 else WORST_ACCEPTED
    if lead < MARGIN:
        return 0.0
    fit = 1 - 0.5 * best / WORST_ACCEPTED
    clear = 0.5 + 0.5 * (lead - MARGIN) / (WORST_ACCEPTED - MARGIN)
    return round(min(fit, clear, 1.0), 3)
