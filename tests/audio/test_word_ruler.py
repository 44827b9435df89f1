import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.pcm import BYTES_PER_MS
from audio.providers.espeak_tts import EspeakTts
from audio.tts import Pace, TtsFailed
from audio.word_ruler import (
    AlignedRuler,
    CharacterRuler,
    TimedSpeech,
    WordAt,
    reached_ms,
    word_at,
    word_start,
)

SENTENCES = [
    "En général, vous avez au moins cinq jours ouvrés, donc sans compter le week-end.",
    "Pour un vol, déclarez-le sous deux jours ouvrés, c'est plus court que les autres sinistres.",
    "Vous pouvez déclarer par téléphone, sur le site internet ou avec l'application mobile.",
    "Votre contrat vaut quarante-cinq mille deux cent trente euros et dix-huit centimes.",
    "Nos conseillers sont là du lundi au vendredi, de neuf heures à dix-huit heures.",
]
OTHER_VOICES = [("fr+m1", 140), ("fr+m3", 165), ("fr-be+m5", 180), ("fr+f2", 200)]


class BrokenVoice:
    async def timed(self, text: str, pace: Pace = Pace.NORMAL) -> TimedSpeech:
        raise TtsFailed("no voice")


def words_before(text: str, character: int) -> int:
    return len(text[:character].split())


@pytest.mark.parametrize(("name", "words_per_minute"), OTHER_VOICES)
async def test_the_word_at_which_another_voice_broke_off_is_found(name: str, words_per_minute: int) -> None:
    ruler, other = AlignedRuler(EspeakTts("fr+f3")), EspeakTts(name, words_per_minute)
    off = []
    for text in SENTENCES:
        spoken = await other.timed(text)
        whole_ms = len(spoken.sound) / BYTES_PER_MS
        for share in (0.2, 0.35, 0.5, 0.65, 0.8, 0.9):
            broken = spoken.sound[: int(whole_ms * share) * BYTES_PER_MS]
            truth = words_before(text, word_at(text, spoken.words, whole_ms * share))
            off.append(words_before(text, await ruler.reached(text, broken, Pace.NORMAL)) - truth)
    assert max(map(abs, off)) <= 2
    assert np.mean(np.abs(off)) <= 0.5


async def test_noise_on_the_sound_does_not_lead_astray() -> None:
    ruler, other = AlignedRuler(EspeakTts("fr+f3")), EspeakTts("fr+m3", 180)
    noise = np.random.default_rng(3)
    for text in SENTENCES:
        spoken = await other.timed(text)
        samples = np.frombuffer(spoken.sound, "<i2")[: len(spoken.sound) // 4]
        noisy = np.clip(samples + noise.normal(0, 150, len(samples)), -32768, 32767).astype("<i2").tobytes()
        truth = word_at(text, spoken.words, len(noisy) / BYTES_PER_MS)
        reached = await ruler.reached(text, noisy, Pace.NORMAL)
        assert abs(words_before(text, reached) - words_before(text, truth)) <= 1


async def test_a_sentence_spoken_slowly_is_measured_against_a_slow_voice() -> None:
    ruler, other = AlignedRuler(EspeakTts("fr+f3")), EspeakTts("fr+m3")
    text = SENTENCES[0]
    spoken = await other.timed(text, Pace.SLOW)
    half = spoken.sound[: len(spoken.sound) // 4 * 2]
    truth = word_at(text, spoken.words, len(half) / BYTES_PER_MS)
    reached = await ruler.reached(text, half, Pace.SLOW)
    assert abs(words_before(text, reached) - words_before(text, truth)) <= 1
    assert await ruler.length_ms(text, Pace.SLOW) > await ruler.length_ms(text, Pace.NORMAL)


async def test_without_a_local_voice_characters_stand_for_time() -> None:
    ruler = AlignedRuler(BrokenVoice())
    text = "Bonjour à tous et à toutes"
    assert await ruler.length_ms(text, Pace.NORMAL) == 65 * len(text)
    assert await ruler.reached(text, bytes(65 * 11 * BYTES_PER_MS), Pace.NORMAL) == text.index("tous")
    assert await CharacterRuler(80).length_ms(text, Pace.SLOW) == 100 * len(text)


async def test_more_sound_than_text_means_that_all_was_said() -> None:
    assert await CharacterRuler().reached("Oui.", bytes(5000 * BYTES_PER_MS), Pace.NORMAL) == len("Oui.")


@pytest.mark.parametrize(
    ("sound", "known"), [(b"", b"\1\0" * 8000), (bytes(16000), b"\1\0" * 8000), (b"\1\0" * 8000, b"")]
)
def test_without_sound_nothing_was_said(sound: bytes, known: bytes) -> None:
    assert reached_ms(sound, known) == 0.0


@given(st.text("ab ,.'é", max_size=30), st.integers(0, 40))
def test_a_cut_is_always_at_the_start_of_a_word_or_at_the_end(text: str, place: int) -> None:
    start = word_start(text, place)
    assert 0 <= start <= len(text)
    if start < len(text) and place < len(text) and text.strip():
        assert not text[start].isspace() or start == 0
        assert start == 0 or text[start - 1].isspace()


def test_the_word_being_said_is_the_last_that_has_begun() -> None:
    words = (WordAt(0, 100), WordAt(8, 500), WordAt(10, 620))
    text = "Bonjour à tous"
    assert [word_at(text, words, ms) for ms in (0, 100, 499, 500, 700)] == [0, 0, 0, 8, 10]
