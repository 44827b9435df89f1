import re
from itertools import groupby

import pytest

from app.rehearsal.caller import LONG_PAUSE_MS, SHORT_PAUSE_MS, line
from audio.pcm import FRAME_MS, duration_ms, frames
from audio.scripted import ScriptedTts
from telephony.simulated.handset import is_loud

LINE = "Alors, c'est le dix, zéro sept… vingt et un."


def pauses_ms(pcm: bytes) -> list[int]:
    """The quiet between the first sound and the last, in whole frames."""
    runs = [(loud, len(list(run)) * FRAME_MS) for loud, run in groupby(map(is_loud, frames(pcm)))]
    while runs and not runs[-1][0]:
        runs.pop()
    return [length_ms for loud, length_ms in runs if not loud]


async def test_a_comma_is_a_breath_and_an_ellipsis_a_longer_one() -> None:
    first, second, third = pauses_ms(await line(LINE, ScriptedTts()))
    for pause_ms, (shortest, longest) in (
        (first, SHORT_PAUSE_MS),
        (second, SHORT_PAUSE_MS),
        (third, LONG_PAUSE_MS),
    ):
        assert shortest - 2 * FRAME_MS <= pause_ms <= longest + 2 * FRAME_MS


async def test_a_line_without_punctuation_inside_is_said_in_one_breath() -> None:
    voice = ScriptedTts()
    said = "Non merci au revoir."
    assert duration_ms(await line(said, voice)) == voice.duration_ms(said)


async def test_every_word_of_a_line_is_said() -> None:
    voice = ScriptedTts()
    await line(LINE, voice)
    assert " ".join(voice.finished) == LINE
    assert not any(re.search(r"[,…]\s", breath) for breath in voice.finished)


@pytest.mark.parametrize("again", range(2))
async def test_a_line_sounds_the_same_every_time(again: int) -> None:
    assert await line(LINE, ScriptedTts()) == await line(LINE, ScriptedTts())
