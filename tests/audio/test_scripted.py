import pytest

from audio.endpointing import Expecting, Utterance
from audio.pcm import FRAME_BYTES, duration_ms
from audio.scripted import ScriptedStt, ScriptedTts
from audio.stt import SttFailed, Transcript
from audio.tts import Pace, TtsFailed

UTTERANCE = Utterance(bytes(3200), started_ms=1000, ended_ms=1200)


async def test_the_ear_hears_the_script_in_order_and_keeps_what_it_was_given() -> None:
    ear = ScriptedStt(["Bonjour", "", Transcript("oui", 0.4)])
    other = Utterance(bytes(320), started_ms=5000, ended_ms=5020)

    assert await ear.transcribe(UTTERANCE, Expecting.OPEN) == Transcript("Bonjour", 1.0)
    assert await ear.transcribe(other, Expecting.YES_NO) == Transcript("", 0.0)
    assert ear.unheard == 1
    assert await ear.transcribe(UTTERANCE, Expecting.YES_NO) == Transcript("oui", 0.4)
    assert ear.heard == [UTTERANCE, other, UTTERANCE]
    assert ear.expected == [Expecting.OPEN, Expecting.YES_NO, Expecting.YES_NO]


async def test_a_failure_in_the_script_is_raised_and_the_script_goes_on_after_it() -> None:
    ear = ScriptedStt([SttFailed("no network"), "Bonjour"])
    with pytest.raises(SttFailed, match="no network"):
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert (await ear.transcribe(UTTERANCE, Expecting.OPEN)).text == "Bonjour"


async def test_an_utterance_too_many_is_an_error_of_the_test_not_of_the_ear() -> None:
    ear = ScriptedStt([])
    with pytest.raises(LookupError, match="utterance 1"):
        await ear.transcribe(UTTERANCE, Expecting.OPEN)


async def test_the_voice_speaks_as_long_as_the_sentence_is() -> None:
    voice = ScriptedTts(ms_per_character=50, chunk_ms=100)
    chunks = [chunk async for chunk in voice.speak("Bonjour à tous")]

    assert duration_ms(b"".join(chunks)) == voice.duration_ms("Bonjour à tous") == 700
    assert {len(chunk) for chunk in chunks} == {5 * FRAME_BYTES}
    assert any(b"".join(chunks))  # a tone, not silence
    assert voice.asked == voice.finished == ["Bonjour à tous"]


async def test_spoken_slowly_a_sentence_takes_longer() -> None:
    voice = ScriptedTts(ms_per_character=50)
    sound = b"".join([chunk async for chunk in voice.speak("Bonjour à tous", Pace.SLOW)])
    assert (
        duration_ms(sound) == voice.duration_ms("Bonjour à tous", Pace.SLOW) == 880
    )  # 700 / 0.8, whole frames
    assert voice.paces == [Pace.SLOW]


async def test_an_empty_sentence_still_takes_one_frame() -> None:
    assert [chunk async for chunk in ScriptedTts().speak("")] != []


@pytest.mark.parametrize("fails_after", [0, 1, 3, 7])
async def test_the_voice_fails_where_it_is_told_to(fails_after: int) -> None:
    voice = ScriptedTts(ms_per_character=50, chunk_ms=100, fails_after_chunks=fails_after)
    speech = voice.speak("Bonjour à tous")  # 7 chunks
    for _ in range(fails_after):
        assert await anext(speech)
    with pytest.raises(TtsFailed):
        await anext(speech)
    assert voice.finished == []


async def test_a_sentence_that_is_closed_early_is_not_finished() -> None:
    voice = ScriptedTts()
    speech = voice.speak("Bonjour à tous")
    await anext(speech)
    await speech.aclose()
    assert voice.asked == ["Bonjour à tous"]
    assert voice.finished == []
