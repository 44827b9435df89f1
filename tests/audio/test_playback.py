"""What is being said, frame by frame, and what of it was heard."""

from audio.pcm import FRAME_BYTES
from audio.playback import Heard, Playback

SECOND = 50 * FRAME_BYTES


def tone(frames: int) -> bytes:
    return b"\x01\x02" * (FRAME_BYTES // 2 * frames)


def saying(*sentences: tuple[str, int]) -> Playback:
    """A playback with complete sentences of so many frames."""
    playback = Playback()
    for text, frames in sentences:
        playback.begin(text)
        playback.add(tone(frames))
        playback.end()
    return playback


def play(playback: Playback, frames: int) -> list[bytes | None]:
    return [playback.next_frame() for _ in range(frames)]


def test_nothing_to_say_is_no_frame() -> None:
    assert Playback().next_frame() is None
    assert not Playback().busy


def test_a_sentence_leaves_in_frames_of_20_ms_and_then_nothing() -> None:
    playback = saying(("Bonjour.", 3))
    assert play(playback, 4) == [tone(1), tone(1), tone(1), None]
    assert not playback.busy


def test_the_last_frame_is_padded_with_silence() -> None:
    playback = Playback()
    playback.begin("Bonjour.")
    playback.add(tone(1) + b"\x01\x02")
    playback.end()
    first, last = play(playback, 2)
    assert first == tone(1)
    assert last == b"\x01\x02" + bytes(FRAME_BYTES - 2)


def test_a_voice_slower_than_speech_makes_the_line_wait_and_not_stutter() -> None:
    playback = Playback()
    playback.begin("Bonjour.")
    playback.add(tone(1) + b"\x01\x02")
    assert playback.next_frame() == tone(1)
    assert playback.next_frame() is None, "half a frame is not played before its other half has come"
    assert playback.busy
    playback.add(tone(1)[2:])
    assert playback.next_frame() == tone(1)


def test_an_open_sentence_without_sound_keeps_the_agent_busy() -> None:
    playback = Playback()
    playback.begin("Bonjour.")
    assert playback.busy
    assert playback.next_frame() is None


def test_a_sentence_that_got_no_sound_at_all_is_skipped() -> None:
    playback = saying(("Muette.", 0), ("Parlée.", 1))
    assert playback.next_frame() == tone(1)
    assert [heard.sentence for heard in playback.heard()] == ["Muette.", "Parlée."]


def test_the_first_frame_of_each_sentence_and_the_last_of_all_are_told() -> None:
    told: list[str] = []
    playback = saying(("Un.", 2), ("Deux.", 1))
    playback.on_first_frame = lambda: told.append("first")
    playback.on_drained = lambda: told.append("drained")
    play(playback, 5)
    assert told == ["first", "first", "drained"]


def test_what_was_played_whole_was_heard_whole() -> None:
    playback = saying(("Bonjour Madame.", 2))
    play(playback, 2)
    assert playback.heard() == [Heard("Bonjour Madame.", "Bonjour Madame.", complete=True)]
    assert playback.heard() == playback.heard(), "however often one asks"


def test_an_interrupted_sentence_was_heard_up_to_a_whole_word() -> None:
    playback = saying(("Votre contrat vaut mille euros.", 31))
    play(playback, 16)
    playback.stop()
    assert playback.next_frame() is None
    assert playback.heard() == [Heard("Votre contrat vaut mille euros.", "Votre contrat", complete=False)]


def test_sentences_that_had_not_begun_were_not_heard() -> None:
    playback = saying(("Un.", 1), ("Deux.", 1), ("Trois.", 1))
    play(playback, 1)
    playback.stop()
    heard = [(one.heard, one.complete) for one in playback.heard()]
    assert heard == [("Un.", True), ("", False), ("", False)]


def test_what_was_heard_of_a_sentence_still_being_made_is_guessed_from_its_length() -> None:
    playback = Playback()
    playback.begin("Je consulte votre dossier de dégât des eaux, un instant je vous prie.")
    playback.add(tone(50))
    play(playback, 50)
    playback.stop()
    [heard] = playback.heard()
    assert not heard.complete
    assert heard.sentence.startswith(heard.heard)
    assert 0 < len(heard.heard) < len(heard.sentence)


def test_sound_that_comes_after_the_stop_is_not_played() -> None:
    playback = Playback()
    playback.begin("Bonjour.")
    playback.add(tone(1))
    playback.stop()
    playback.add(tone(1))
    playback.end()
    assert playback.next_frame() is None


def test_a_sentence_that_must_be_heard_says_so_until_it_has_left() -> None:
    playback = Playback()
    playback.begin("Cet appel peut être enregistré.", interruptible=False)
    playback.add(tone(1))
    playback.end()
    playback.begin("Que puis-je faire pour vous ?")
    assert not playback.interruptible
    play(playback, 1)
    assert playback.interruptible
