import re
from datetime import date

import pytest

from audio import whisper
from audio.endpointing import Expecting
from audio.stt import Transcript
from audio.whisper import HINTS, Segment

HINT = HINTS[Expecting.YES_NO]


def transcript_of(segments: list[Segment], hint: str = HINT, sound_ms: int = 4000) -> Transcript:
    return whisper.transcript_of(segments, hint, sound_ms)


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
        "À bientôt pour de nouvelles vidéos !",
        "On se retrouve dans le prochain épisode.",
        "Sous-titrage MFP.",
        "Sous-titrage FR 2021",
        "Sous-titres : Marie Durand",
        "SOUS-TITRES RÉALISÉS PAR LA COMMUNAUTÉ D’AMARA.ORG",
        "Sous-titres et relecture par la communauté",
        "Merci d'avoir suivi cette émission.",
        "Merci à tous d'avoir regardé cette vidéo.",
        "Abonne-toi et mets un pouce bleu.",
        "N'hésitez pas à vous abonner.",
        "Cliquez sur la cloche pour ne rien manquer.",
        "Le lien est dans la description.",
        "Traduction : Claire Martin",
        "Transcription par Sophie",
        "Vidéo réalisée par un ami.",
        "www.sous-titres.eu",
        "Thanks for watching!",
        "Thank you for watching.",
        "Subtitles by the Amara.org community",
        "Untertitel der Amara.org-Community",
        "[Musique]",
        "(Applaudissements)",
        "*rires*",
        "♪ la la la ♪",
        "♪♪ Musique douce",
        "Musique.",
        "[Musique] Sous-titrage ST' 501",
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
        "J'attends une traduction de l'attestation.",
        "La musique du voisin a fait trembler la vitre.",
        "Merci de m'avoir écouté hier, je rappelle pour mon sinistre.",
        "Je vous remercie de votre réponse.",
        "Mon adresse est moreau arobase exemple point fr.",
        "Le montage de la porte est à refaire.",
        "Thank you for your help.",
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


@pytest.mark.parametrize("text", ["Merci.", "Au revoir !", "Bonjour", "Voilà.", "Merci pour votre écoute"])
@pytest.mark.parametrize(("no_speech", "log"), [(0.4, -0.2), (0.05, -0.8)])
def test_a_courtesy_alone_is_not_believed_when_the_model_is_unsure(
    text: str, no_speech: float, log: float
) -> None:
    assert transcript_of([segment(text, no_speech=no_speech, log=log)]).text == ""
    assert transcript_of([segment(f"{text} et un rachat", no_speech=no_speech, log=log)]).text != ""


def test_more_than_anybody_can_say_in_that_time_was_not_said() -> None:
    sentence = "Je voudrais connaître l'état de mon dossier de sinistre."
    assert transcript_of([segment(sentence)], sound_ms=1200).text == ""
    assert transcript_of([segment(sentence)], sound_ms=2500).text == sentence


@pytest.mark.parametrize("text", ["Oui.", "Oui d'accord", "12", "Un conseiller."])
def test_a_short_answer_is_heard_however_short_the_sound(text: str) -> None:
    assert transcript_of([segment(text)], sound_ms=200).text == text


def test_one_unsure_word_in_a_long_noise_is_silence() -> None:
    assert transcript_of([segment("Oui.", log=-0.8)], sound_ms=12_000).text == ""
    assert transcript_of([segment("Oui.", log=-0.2)], sound_ms=12_000).text == "Oui."
    assert transcript_of([segment("Oui.", log=-0.8)], sound_ms=1500).text == "Oui."


def test_what_is_noted_about_a_sound_is_cut_out_of_what_was_said() -> None:
    assert transcript_of([segment("[Musique] Oui, allô ?")]).text == "Oui, allô ?"


def test_half_of_the_hint_given_back_is_not_what_was_said() -> None:
    hint = HINTS[Expecting.NUMBER]
    assert transcript_of([segment("44 55 66 77 88 99, SIN-0000-000000, VIE-0000000")], hint).text == ""
    assert transcript_of([segment("22 33 44 55")], hint).text == "22 33 44 55"


def test_words_of_the_hint_are_the_callers_own_when_he_says_them() -> None:
    hint = HINTS[Expecting.OPEN]
    for said in ("Sinistre.", "Un conseiller", "Rachat, versement"):
        assert transcript_of([segment(said)], hint).text == said


def test_no_number_and_no_date_of_the_hints_is_anybodys() -> None:
    with pytest.raises(ValueError, match="day is out of range"):
        date(1900, 4, 31)
    assert "31 avril 1900" in HINTS[Expecting.DATE]
    digits = re.sub(r"\D", "", HINTS[Expecting.NUMBER].split(",")[0])
    assert len(digits) > 8, "no customer's number is that long"


@pytest.mark.parametrize("expecting", list(Expecting))
def test_the_hint_given_back_is_not_what_was_said(expecting: Expecting) -> None:
    hint = HINTS[expecting]
    assert transcript_of([segment(hint.upper())], hint).text == ""
