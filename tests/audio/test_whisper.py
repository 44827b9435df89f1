import pytest

from audio.endpointing import Expecting
from audio.stt import Transcript
from audio.whisper import HINTS, Segment, transcript_of

HINT = HINTS[Expecting.YES_NO]


def segment(
    text: str, *, seconds: float = 1.0, log: float = -0.1, no_speech: float = 0.01, compression: float = 1.0
) -> Segment:
    return Segment(text, seconds, log, no_speech, compression)


def test_the_text_of_all_segments_is_joined_and_stripped() -> None:
    assert transcript_of([segment(" Bonjour, je"), segment(" m'appelle Moreau. ")], HINT) == Transcript(
        "Bonjour, je m'appelle Moreau.", 0.905
    )


def test_confidence_is_the_mean_probability_weighted_by_length() -> None:
    long, short = segment("Oui.", seconds=3, log=0.0), segment("Euh.", seconds=1, log=-2.0)
    assert transcript_of([long, short], HINT).confidence == pytest.approx(0.607, abs=0.001)


def test_no_segment_is_nothing_understood() -> None:
    assert transcript_of([], HINT) == Transcript("", 0.0)


@pytest.mark.parametrize("text", ["", " ", "...", " … ", "♪"])
def test_a_text_without_words_is_nothing_understood(text: str) -> None:
    assert transcript_of([segment(text)], HINT) == Transcript("", 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Sous-titres réalisés para la communauté d'Amara.org",
        "Sous-titrage Société Radio-Canada",
        "Sous-titrage ST' 501",
        "Sous-titres par Jean Dupont.",
        "❤️ par SousTitreur.com",
        "Merci d'avoir regardé cette vidéo !",
        "Merci d'avoir regardé.",
        "Abonnez-vous à la chaîne !",
        "N'oubliez pas de vous abonner et de cliquer sur la cloche.",
        "À bientôt pour une nouvelle vidéo.",
    ],
)
def test_what_subtitlers_write_is_not_what_a_caller_said(text: str) -> None:
    assert transcript_of([segment(text)], HINT) == Transcript("", 0.0)


def test_an_invention_after_real_words_is_cut_off() -> None:
    heard = transcript_of(
        [segment("Oui, c'est ça. Sous-titres réalisés par la communauté d'Amara.org")], HINT
    )
    assert heard.text == "Oui, c'est ça."


@pytest.mark.parametrize(
    "text",
    [
        "Merci.",
        "Merci beaucoup, au revoir.",
        "À bientôt.",
        "Je voudrais m'abonner au relevé par courriel.",
        "J'ai regardé la vidéo de mon sinistre.",
        "Merci de m'avoir répondu.",
    ],
)
def test_what_callers_do_say_is_kept(text: str) -> None:
    assert transcript_of([segment(text)], HINT).text == text


def test_a_guess_on_silence_is_not_believed() -> None:
    assert transcript_of([segment("Oui.", no_speech=0.9, log=-1.3)], HINT).text == ""


@pytest.mark.parametrize(("no_speech", "log"), [(0.9, -0.2), (0.1, -1.3)])
def test_one_bad_score_alone_is_not_silence(no_speech: float, log: float) -> None:
    assert transcript_of([segment("Oui.", no_speech=no_speech, log=log)], HINT).text == "Oui."


def test_a_text_that_repeats_itself_is_not_believed() -> None:
    assert transcript_of([segment("Oui, oui, oui, oui, oui, oui", compression=3.1)], HINT).text == ""


@pytest.mark.parametrize("expecting", list(Expecting))
def test_the_hint_given_back_is_not_what_was_said(expecting: Expecting) -> None:
    hint = HINTS[expecting]
    assert transcript_of([segment(hint.upper())], hint).text == ""
