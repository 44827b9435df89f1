"""The voice is espeak-ng's, the lines are callers', the wear is a telephone's (tests/audio/wear.py)."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from audio.endpointing import Expecting, Utterance
from audio.likeness import Likeness
from audio.providers.closed_set_stt import MARGIN, WORST_ACCEPTED, ClosedSetStt, confidence_in
from audio.providers.espeak_tts import EspeakTts
from audio.scripted import ScriptedTts
from audio.stt import Transcript
from audio.tts import TtsFailed
from tests.audio.wear import (
    Sound,
    a_law,
    hesitating,
    padded,
    pcm_of,
    sound_of,
    telephone_band,
    with_noise,
)

LINES = [
    "Bonjour, je voudrais savoir combien j'ai sur mon assurance vie.",
    "Mon numéro de client, c'est le dix, zéro sept, quatre-vingt-huit, vingt et un.",
    "Mon numéro de client, c'est le dix, zéro neuf, quatre-vingt-huit, vingt et un.",
    "Je suis née le premier avril mille neuf cent soixante-deux.",
    "Et qu'est-ce qui se passe si je retire de l'argent avant huit ans ?",
    "Attendez, attendez !",
    "Et pour mon sinistre, le deux mille vingt-six zéro zéro trois un un sept, vous en êtes où ?",
    "Oui.",
    "Non merci, c'est tout. Au revoir.",
]
NOTHING = Transcript("", 0.0)


@pytest.fixture(scope="module")
def ear() -> ClosedSetStt:
    return asyncio.run(ClosedSetStt.of(LINES, EspeakTts()))


async def said(line: str, words_per_minute: int = 165) -> Sound:
    return await sound_of(EspeakTts(words_per_minute=words_per_minute).speak(line))


async def heard(ear: ClosedSetStt, sound: Sound) -> Transcript:
    pcm = pcm_of(sound)
    return await ear.transcribe(Utterance(pcm, 0, len(pcm) // 16), Expecting.OPEN)


WEAR: dict[str, Callable[[Sound], Sound]] = {
    "as spoken": lambda sound: sound,
    "in the telephone band": telephone_band,
    "through A-law": lambda sound: a_law(padded(sound, 100, 400)),
    "with noise at 20 dB": lambda sound: with_noise(padded(sound, 300, 200), 20, seed=1),
    "with noise at 15 dB": lambda sound: with_noise(padded(sound, 500, 500), 15, seed=2),
    "12 dB softer, with noise and A-law": lambda sound: a_law(with_noise(padded(sound / 4, 200, 200), 20, 3)),
    "12 dB louder, with noise and A-law": lambda sound: a_law(with_noise(padded(sound * 4, 200, 200), 20, 4)),
    "with half a second of silence before": lambda sound: padded(sound, 500, 0),
    "with half a second of silence after": lambda sound: padded(sound, 0, 500),
    "with a pause": lambda sound: hesitating(sound, [600]),
    "with pauses and noise": lambda sound: with_noise(padded(hesitating(sound, [300, 450]), 200, 300), 20, 5),
}


@pytest.mark.parametrize("wear", sorted(WEAR))
async def test_every_line_is_recognised_whatever_the_line_did_to_it(ear: ClosedSetStt, wear: str) -> None:
    for line in LINES:
        transcript = await heard(ear, WEAR[wear](await said(line)))
        assert transcript.text == line
        assert 0.5 <= transcript.confidence <= 1.0


@pytest.mark.parametrize("words_per_minute", [152, 178])
async def test_eight_percent_slower_or_faster_is_the_same_line(
    ear: ClosedSetStt, words_per_minute: int
) -> None:
    for line in LINES:
        sound = with_noise(padded(await said(line, words_per_minute), 200, 300), 20, seed=6)
        assert (await heard(ear, sound)).text == line


async def test_the_place_in_a_script_plays_no_part(ear: ClosedSetStt) -> None:
    for line in [*reversed(LINES), LINES[3], LINES[3], LINES[0]]:
        assert (await heard(ear, await said(line))).text == line


@pytest.mark.parametrize(
    "line",
    [
        "Mon numéro de client, c'est le dix, zéro huit, quatre-vingt-huit, vingt et un.",
        "Mon numéro de client, c'est le dix, zéro sept, quatre-vingt-huit, trente et un.",
        "Mon numéro de client, c'est le trois, zéro sept, quatre-vingt-huit, vingt et un.",
        "Je suis née le premier mai mille neuf cent soixante-deux.",
        "Je suis née le premier avril mille neuf cent soixante-douze.",
        "Et pour mon sinistre, le deux mille vingt-cinq zéro zéro trois un un sept, vous en êtes où ?",
        "Non merci, c'est tout.",
        "Non.",
        "Si.",
        "Le chat dort sur le canapé du salon.",
        "Quel temps fait-il demain à Paris ?",
    ],
)
@pytest.mark.parametrize("wear", ["as spoken", "with noise at 20 dB"])
async def test_a_line_that_is_not_on_the_list_is_not_understood(
    ear: ClosedSetStt, line: str, wear: str
) -> None:
    assert await heard(ear, WEAR[wear](await said(line))) == NOTHING


DIGITS = ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"]


async def test_numbers_that_differ_in_one_digit_are_told_apart() -> None:
    lines = [f"C'est le vingt, zéro {digit}, quarante-deux." for digit in DIGITS]
    ear = await ClosedSetStt.of(lines, EspeakTts())
    for line in lines:
        sound = with_noise(padded(await said(line), 200, 300), 20, seed=7)
        assert (await heard(ear, sound)).text == line


async def test_a_number_is_not_taken_for_the_only_one_that_is_known() -> None:
    ear = await ClosedSetStt.of(["C'est le vingt, zéro cinq, quarante-deux."], EspeakTts())
    for digit in DIGITS:
        transcript = await heard(ear, await said(f"C'est le vingt, zéro {digit}, quarante-deux."))
        assert bool(transcript.text) == (digit == "cinq")


async def test_numbers_a_telephone_can_hardly_tell_apart_are_never_swapped() -> None:
    lines = [f"C'est le {number}, zéro sept, vingt et un." for number in ("six", "dix", "sept", "seize")]
    ear = await ClosedSetStt.of(lines, EspeakTts())
    for line in lines:
        for wear in ("as spoken", "with noise at 20 dB"):
            assert (await heard(ear, WEAR[wear](await said(line)))).text in ("", line)


@pytest.mark.parametrize("share", [(0.0, 0.5), (0.5, 1.0), (0.0, 0.7)])
async def test_part_of_a_line_is_not_understood(ear: ClosedSetStt, share: tuple[float, float]) -> None:
    for line in LINES:
        sound = await said(line)
        if len(sound) > 4000:  # half a "oui" is no test
            part = sound[int(share[0] * len(sound)) : int(share[1] * len(sound))]
            assert await heard(ear, with_noise(padded(part, 300, 300), 20, seed=8)) == NOTHING


async def test_a_line_with_something_added_is_not_understood(ear: ClosedSetStt) -> None:
    for line in LINES:
        sound = await said(line)
        more = np.concatenate([sound, np.zeros(1600), sound[: len(sound) // 2]])
        assert await heard(ear, more) == NOTHING
        assert await heard(ear, np.concatenate([await said("Alors, euh, voilà."), sound])) == NOTHING


@pytest.mark.parametrize("seconds", [0.01, 0.2, 1, 4])
async def test_noise_is_not_understood(ear: ClosedSetStt, seconds: float) -> None:
    noise = np.random.default_rng(9).standard_normal(int(8000 * seconds)) * 3000
    assert await heard(ear, noise) == NOTHING
    assert await heard(ear, telephone_band(noise)) == NOTHING


async def test_tones_and_silence_are_not_understood(ear: ClosedSetStt) -> None:
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)
    for sound in (tone, np.zeros(16000), np.zeros(0), np.full(8000, 3000.0)):
        assert await heard(ear, sound) == NOTHING


async def test_lines_that_sound_the_same_are_not_guessed_between() -> None:
    ear = await ClosedSetStt.of(["Votre verre est vert.", "Votre vert est verre.", "Oui."], EspeakTts())
    assert await heard(ear, await said("Votre verre est vert.")) == NOTHING
    assert (await heard(ear, await said("Oui."))).text == "Oui."


async def test_a_line_listed_twice_counts_once() -> None:
    ear = await ClosedSetStt.of(["Oui.", "Au revoir.", "Oui."], EspeakTts())
    assert ear.name == "closed-set (2 lines)"
    assert (await heard(ear, await said("Oui."))).text == "Oui."


async def test_a_damaged_line_is_trusted_less_than_a_clean_one(ear: ClosedSetStt) -> None:
    clean = await said(LINES[0])
    confidences = [
        (await heard(ear, sound)).confidence
        for sound in (clean, WEAR["with noise at 20 dB"](clean), WEAR["with noise at 15 dB"](clean))
    ]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > 0.75, "espeak-ng says a line a little differently each time"


async def test_an_ear_needs_lines_and_lines_need_sound() -> None:
    with pytest.raises(ValueError, match="at least one line"):
        await ClosedSetStt.of([], EspeakTts())
    with pytest.raises(ValueError, match="no speech"):
        await ClosedSetStt.of(["Oui.", "…"], EspeakTts())


async def test_a_voice_that_fails_is_known_at_start_up() -> None:
    with pytest.raises(TtsFailed):
        await ClosedSetStt.of(["Oui."], ScriptedTts(fails_after_chunks=1))


def test_confidence_is_zero_beyond_the_limits_and_half_at_them() -> None:
    at_limit = Likeness(0, WORST_ACCEPTED, 0.1)
    assert confidence_in([]) == 0
    assert confidence_in([at_limit]) == 0.5
    assert confidence_in([Likeness(0, WORST_ACCEPTED + 0.01, 0.1)]) == 0
    assert confidence_in([Likeness(0, 0.1, 0.1), Likeness(1, 0.1 + MARGIN, 0.1)]) == 0.5
    assert confidence_in([Likeness(0, 0.1, 0.1), Likeness(1, 0.09 + MARGIN, 0.1)]) == 0
    assert confidence_in([Likeness(0, 0.0, 0.0), Likeness(1, 2.0, 0.9)]) == 1.0
