"""The ear: sound in, events and utterances out, positions always those of the sound."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.ear import Ear
from audio.endpointing import (
    BargeIn,
    EarEvent,
    Expecting,
    Paused,
    Silence,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    TurnTiming,
)
from audio.pcm import BYTES_PER_MS, FRAME_MS, SILENCE_FRAME, frames
from audio.providers.silero_vad import SileroVad
from audio.vad import EnergyDetector
from tests.audio.listening import hear, pass_time
from tests.recordings import spoken


def line(ms: int) -> bytes:
    """The sound of nobody speaking, numbered so that a byte out of place is noticed: no two samples alike."""
    return (np.arange(ms * BYTES_PER_MS // 2) % 300).astype("<i2").tobytes()


def voice(ms: int, hz: int = 400) -> bytes:
    t = np.arange(ms * BYTES_PER_MS // 2) / 8000
    return (8000 * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()


def ear(timing: TurnTiming | None = None) -> Ear:
    """An ear for which what is loud is speech."""
    return Ear(EnergyDetector(), timing or TurnTiming())


def turns(events: Sequence[EarEvent]) -> list[TurnEnded]:
    return [event for event in events if isinstance(event, TurnEnded)]


# 960, 640 and 1600 are whole windows of 32 ms and whole frames of 20 ms, so the times come out exact.
CALL = line(960) + voice(640) + line(1600)


def test_a_turn_comes_with_its_sound_and_its_place() -> None:
    events = hear(ear(), CALL)
    assert [type(event) for event in events] == [SpeechStarted, Paused, TurnEnded]
    (turn,) = turns(events)
    utterance = turn.utterance
    assert (utterance.started_ms, utterance.ended_ms) == (660, 1900)
    assert utterance.pcm == CALL[660 * BYTES_PER_MS : 1900 * BYTES_PER_MS]
    assert (turn.speech_ended_ms, turn.at_ms) == (1600, 2304)


def test_the_clock_is_the_sound_that_came() -> None:
    listener = ear()
    hear(listener, CALL)
    assert listener.clock_ms == len(CALL) // BYTES_PER_MS
    listener.pass_time(123)
    assert listener.clock_ms == len(CALL) // BYTES_PER_MS + 123


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(CALL)), max_size=30))
def test_sound_cut_anywhere_even_within_a_sample_is_heard_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(CALL)]
    assert hear(ear(), (CALL[start:end] for start, end in pairwise(places))) == hear(ear(), CALL)


@pytest.mark.parametrize("size", [1, 3, 319, 321, 4000, len(CALL)])
def test_frames_of_any_size_are_heard_the_same(size: int) -> None:
    cut = [CALL[start : start + size] for start in range(0, len(CALL), size)]
    assert hear(ear(), cut) == hear(ear(), CALL)


def test_an_empty_frame_is_nothing() -> None:
    listener = ear()
    assert hear(listener, [b""]) == []
    assert listener.clock_ms == 0


def test_half_a_sample_waits_for_its_other_half_even_over_a_gap() -> None:
    listener = ear()
    listener.hear(CALL[:1])
    listener.pass_time(960)
    events = hear(listener, [CALL[1:]])
    (turn,) = turns(events)
    start = 960 * BYTES_PER_MS
    assert (
        turn.utterance.pcm
        == (bytes(start) + CALL)[
            turn.utterance.started_ms * BYTES_PER_MS : turn.utterance.ended_ms * BYTES_PER_MS
        ]
    )


# gaps


def test_a_caller_whose_telephone_falls_silent_with_him_still_ends_his_turn() -> None:
    listener = ear()
    hear(listener, line(960) + voice(640))
    events = pass_time(listener, 120)
    for _ in range(40):
        events += pass_time(listener, FRAME_MS)
    assert [type(event) for event in events] == [Paused, TurnEnded]
    (turn,) = turns(events)
    assert turn.speech_ended_ms == 1600
    assert turn.at_ms == 2300
    assert turn.utterance.pcm[-300 * BYTES_PER_MS :] == bytes(300 * BYTES_PER_MS)


def test_a_gap_within_a_turn_is_silence_of_the_same_length_in_the_utterance() -> None:
    listener = ear(TurnTiming(padding_ms=0))
    events = hear(listener, voice(640)) + pass_time(listener, 321) + hear(listener, voice(640) + line(1600))
    (turn,) = turns(events)
    assert SpeechResumed in map(type, events)
    whole = voice(640) + bytes(321 * BYTES_PER_MS) + voice(640) + line(1600)
    assert turn.utterance.pcm == whole[: turn.utterance.ended_ms * BYTES_PER_MS]
    assert 640 + 321 + 640 - 32 <= turn.utterance.ended_ms <= 640 + 321 + 640 + 32


def test_a_gap_in_the_middle_of_a_window_keeps_sound_and_times_together() -> None:
    listener = ear(TurnTiming(padding_ms=0))
    before = line(333) + line(1)[:14]  # 333.875 ms: neither a whole window nor a whole millisecond
    events = hear(listener, [before]) + pass_time(listener, 77) + hear(listener, [voice(640) + line(1600)])
    (turn,) = turns(events)
    whole = before + bytes(77 * BYTES_PER_MS) + voice(640) + line(1600)
    first, last = turn.utterance.started_ms * BYTES_PER_MS, turn.utterance.ended_ms * BYTES_PER_MS
    assert turn.utterance.pcm == whole[first:last]
    assert turn.utterance.started_ms == 410  # 410.875, told in whole milliseconds
    assert turn.utterance.duration_ms == len(turn.utterance.pcm) // BYTES_PER_MS


def test_silence_is_told_in_a_gap_too() -> None:
    listener = ear()
    hear(listener, line(1000))
    assert pass_time(listener, 5990) == []
    assert pass_time(listener, 10) == [Silence(for_ms=7000, at_ms=7000)]


def test_sound_after_a_gap_is_judged_afresh() -> None:
    class Forgetful(EnergyDetector):
        memories = 0

        def fresh_memory(self) -> None:
            self.memories += 1

    detector = Forgetful()
    listener = Ear(detector, TurnTiming())
    listener.pass_time(120)
    listener.pass_time(20)
    assert detector.memories == 2  # the stream's first, and one a gap
    listener.hear(b"")
    listener.pass_time(20)
    assert detector.memories == 2  # an empty frame does not end it
    listener.hear(SILENCE_FRAME)
    listener.pass_time(120)
    assert detector.memories == 3


# judged together with other calls, later


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.booleans(), min_size=len(CALL) // len(SILENCE_FRAME), max_size=len(CALL) // len(SILENCE_FRAME)
    )
)
def test_windows_judged_late_bring_the_same_turns_at_the_same_places(judged_after_frame: list[bool]) -> None:
    detector = EnergyDetector()
    detector.gather_with(lambda judge: None)
    listener = Ear(detector, TurnTiming())
    events: list[EarEvent] = []
    listener.tell = events.append
    for frame, judged in zip(frames(CALL), judged_after_frame, strict=True):
        listener.hear(frame)
        if judged:
            detector.judge()
    detector.judge()
    assert events == hear(ear(), CALL)


def test_a_gap_comes_behind_the_window_that_was_not_judged_yet() -> None:
    detector = EnergyDetector()
    detector.gather_with(lambda judge: None)
    listener = Ear(detector, TurnTiming(padding_ms=0))
    sound = voice(640)
    events = hear(listener, sound) + pass_time(listener, 1600)
    (turn,) = turns(events)
    assert turn.utterance.pcm == sound
    assert turn.speech_ended_ms == 640


# barge-in, patience


def test_a_caller_who_speaks_over_the_agent_barges_in_once() -> None:
    listener = ear()
    barge_ins = []
    for frame in frames(line(960) + voice(640)):
        listener.agent_speaking = True  # as the line says at every tick
        barge_ins += [event for event in hear(listener, frame) if isinstance(event, BargeIn)]
    assert barge_ins == [BargeIn(at_ms=1056)]
    assert listener.agent_speaking


def test_what_was_asked_decides_how_long_a_pause_ends_the_turn() -> None:
    listener = ear()
    listener.expect(Expecting.NUMBER)
    two_pairs = line(960) + voice(640) + line(1280) + voice(640) + line(1600)
    assert len(turns(hear(listener, two_pairs))) == 1
    listener.expect(Expecting.YES_NO)
    assert len(turns(hear(listener, two_pairs))) == 2


# bounds


def test_an_hour_of_silence_is_not_kept() -> None:
    listener = ear()
    minute = list(frames(line(60_000)))
    for _ in range(5):
        hear(listener, minute)
    listener.pass_time(55 * 60_000)
    assert listener.clock_ms == 60 * 60_000
    assert len(listener._sound) < 2000 * BYTES_PER_MS


def test_a_caller_who_never_stops_is_cut_into_turns_that_lose_nothing() -> None:
    listener = ear(TurnTiming(max_utterance_ms=5000))
    speech = voice(17_000)
    kept = 0
    heard = []
    for frame in frames(speech):
        heard += hear(listener, frame)
        kept = max(kept, len(listener._sound))
    heard += hear(listener, line(1600))
    ended = turns(heard)
    assert [first.utterance.ended_ms for first in ended[:-1]] == [
        second.utterance.started_ms for second in ended[1:]
    ]
    assert b"".join(turn.utterance.pcm for turn in ended).startswith(speech)
    assert kept < 7000 * BYTES_PER_MS


# on speech


@pytest.fixture(scope="module")
def silero() -> SileroVad:
    return SileroVad()


@pytest.mark.parametrize("name", ["oui", "assurance_vie", "numero_client", "degat_des_eaux"])
def test_a_french_sentence_is_one_turn_and_whole(silero: SileroVad, name: str) -> None:
    sound = spoken(name)
    listener = Ear(silero, TurnTiming())
    lead = bytes(1000 * BYTES_PER_MS)
    events = hear(listener, lead + sound + bytes(2000 * BYTES_PER_MS))
    (turn,) = turns(events)
    assert sound.strip(b"\0") in turn.utterance.pcm
    spoken_until_ms = 1000 + len(sound) // BYTES_PER_MS
    assert -64 <= turn.speech_ended_ms - spoken_until_ms <= 160  # the detector's own tail
    assert turn.at_ms - turn.speech_ended_ms in range(700, 700 + 32)


def test_a_caller_breaks_into_a_long_answer_within_160_ms_of_speech(silero: SileroVad) -> None:
    listener = Ear(silero, TurnTiming())
    listener.agent_speaking = True
    assert hear(listener, bytes(20_000 * BYTES_PER_MS)) == []
    events = hear(listener, spoken("degat_des_eaux"))
    barge_ins = [event.at_ms for event in events if isinstance(event, BargeIn)]
    assert len(barge_ins) == 1
    assert barge_ins[0] - 20_000 <= 160


def test_a_sentence_and_then_no_frames_at_all_is_a_turn(silero: SileroVad) -> None:
    listener = Ear(silero, TurnTiming())
    hear(listener, bytes(500 * BYTES_PER_MS) + spoken("assurance_vie"))
    assert len(turns(pass_time(listener, 1000))) == 1
