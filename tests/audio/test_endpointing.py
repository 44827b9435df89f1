"""The turn detector, told times and probabilities: ``silence(300) speech(1200) silence(700)``."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.endpointing import (
    BargeIn,
    DetectorEvent,
    Expecting,
    PossibleEnd,
    Silence,
    SpeechDropped,
    SpeechResumed,
    SpeechStarted,
    TurnBounds,
    TurnDetector,
    TurnTiming,
    Utterance,
)

PIECE_MS = 10  # short, so that the times below are exact to 10 ms
Piece = tuple[int, float]

# The times of a test's story, all multiples of a piece, so that events fall where one expects them.
TIMING = TurnTiming(start_ms=60, barge_in_ms=90, pause_ms=160)


def speech(ms: int) -> list[Piece]:
    return [(PIECE_MS, 0.9)] * (ms // PIECE_MS)


def silence(ms: int) -> list[Piece]:
    return [(PIECE_MS, 0.02)] * (ms // PIECE_MS)


def tell(detector: TurnDetector, *parts: list[Piece]) -> list[DetectorEvent]:
    return [event for part in parts for ms, probability in part for event in detector.hear(ms, probability)]


def events_of(*parts: list[Piece], expecting: Expecting = Expecting.OPEN) -> list[DetectorEvent]:
    detector = TurnDetector(TIMING)
    detector.expect(expecting)
    return tell(detector, *parts)


# turns


def test_a_sentence_is_a_turn_with_some_line_around_it() -> None:
    assert events_of(silence(1000), speech(1200), silence(700)) == [
        SpeechStarted(at_ms=1060),
        PossibleEnd(at_ms=2360),
        TurnBounds(started_ms=700, ended_ms=2500, speech_ended_ms=2200, at_ms=2900),
    ]


def test_a_turn_is_not_over_before_patience_is() -> None:
    assert events_of(silence(1000), speech(1200), silence(690)) == [SpeechStarted(1060), PossibleEnd(2360)]


def test_speech_after_a_possible_end_resumes_the_same_turn() -> None:
    assert events_of(silence(300), speech(500), silence(400), speech(500), silence(700)) == [
        SpeechStarted(360),
        PossibleEnd(960),
        SpeechResumed(1210),
        PossibleEnd(1860),
        TurnBounds(started_ms=0, ended_ms=2000, speech_ended_ms=1700, at_ms=2400),
    ]


def test_a_hole_shorter_than_a_pause_is_not_mentioned() -> None:
    assert events_of(speech(500), silence(150), speech(500), silence(150)) == [SpeechStarted(60)]


@pytest.mark.parametrize(
    ("expecting", "patience_ms"),
    [(Expecting.YES_NO, 500), (Expecting.OPEN, 700), (Expecting.DATE, 1200), (Expecting.NUMBER, 1500)],
)
def test_patience_follows_the_question(expecting: Expecting, patience_ms: int) -> None:
    events = events_of(speech(500), silence(3000), expecting=expecting)
    assert [event.at_ms for event in events if isinstance(event, TurnBounds)] == [500 + patience_ms]


def test_a_number_read_out_in_pairs_is_one_turn() -> None:
    pairs = [speech(600), silence(1200), speech(600), silence(1200), speech(600), silence(1500)]
    turns = [
        event for event in events_of(*pairs, expecting=Expecting.NUMBER) if isinstance(event, TurnBounds)
    ]
    assert [(turn.started_ms, turn.speech_ended_ms) for turn in turns] == [(0, 4200)]


def test_what_is_expected_may_change_between_and_within_turns() -> None:
    detector = TurnDetector(TIMING)
    assert isinstance(tell(detector, speech(300), silence(700))[-1], TurnBounds)
    detector.expect(Expecting.NUMBER)
    assert not any(isinstance(event, TurnBounds) for event in tell(detector, speech(300), silence(800)))
    detector.expect(Expecting.OPEN)
    assert isinstance(tell(detector, silence(10))[-1], TurnBounds)


def test_the_sound_kept_after_a_turn_never_lies_in_the_future() -> None:
    timing = TurnTiming(padding_ms=1000)
    detector = TurnDetector(timing)
    bounds = tell(detector, silence(2000), speech(500), silence(700))[-1]
    assert bounds == TurnBounds(started_ms=1000, ended_ms=3200, speech_ended_ms=2500, at_ms=3200)


def test_two_utterances_never_share_sound() -> None:
    detector = TurnDetector(TIMING)
    detector.expect(Expecting.YES_NO)
    story = [speech(300), silence(500), speech(300), silence(500)]
    first, second = [event for event in tell(detector, *story) if isinstance(event, TurnBounds)]
    assert first.ended_ms == 600
    assert second.started_ms == 600  # and not 500: 300 ms before the second speech


def test_a_turn_that_never_ends_is_ended_and_goes_on_as_the_next_without_a_gap() -> None:
    detector = TurnDetector(replace(TIMING, max_utterance_ms=5000))
    events = tell(detector, silence(1000), speech(5000 + 2000), silence(700))
    assert events == [
        SpeechStarted(1060),
        TurnBounds(started_ms=700, ended_ms=6000, speech_ended_ms=6000, at_ms=6000),
        SpeechStarted(6060),
        PossibleEnd(8160),
        TurnBounds(started_ms=6000, ended_ms=8300, speech_ended_ms=8000, at_ms=8700),
    ]


# noises and soft starts


def test_a_click_is_nothing_at_all() -> None:
    assert events_of(silence(500), speech(50), silence(1000)) == []


def test_a_cough_starts_and_is_dropped() -> None:
    assert events_of(silence(500), speech(140), silence(700)) == [
        SpeechStarted(560),
        PossibleEnd(800),
        SpeechDropped(at_ms=1040),
    ]


def test_the_pause_after_a_bare_start_counts_from_that_start() -> None:
    assert events_of(silence(1000), speech(60), silence(170)) == [SpeechStarted(1060), PossibleEnd(1220)]


def test_a_brisk_oui_is_a_turn() -> None:
    assert isinstance(events_of(silence(500), speech(200), silence(700))[-1], TurnBounds)


def test_a_cough_and_then_words_within_the_same_breath_are_one_turn() -> None:
    events = events_of(silence(500), speech(100), silence(300), speech(600), silence(700))
    assert events[-1] == TurnBounds(started_ms=200, ended_ms=1800, speech_ended_ms=1500, at_ms=2200)
    assert not any(isinstance(event, SpeechDropped) for event in events)


def test_a_stop_consonant_after_a_first_vowel_does_not_restart_the_count() -> None:
    window = 32
    detector = TurnDetector(TurnTiming())  # two windows of three
    heard = [detector.hear(window, probability) for probability in (0.9, 0.1, 0.9)]
    assert heard == [[], [], [SpeechStarted(96)]]


def test_two_windows_of_speech_too_far_apart_start_nothing() -> None:
    detector = TurnDetector(TurnTiming())
    assert tell(detector, [(32, 0.9), (32, 0.1), (32, 0.1), (32, 0.9), (32, 0.1), (32, 0.1)]) == []


def test_a_turn_begins_with_its_first_window_of_speech_and_not_with_the_one_that_proved_it() -> None:
    detector = TurnDetector(TurnTiming(padding_ms=0))
    windows: list[Piece] = [(32, 0.0)] * 10 + [(32, 0.9), (32, 0.1)] + [(32, 0.9)] * 10 + [(32, 0.0)] * 25
    bounds = next(event for event in tell(detector, windows) if isinstance(event, TurnBounds))
    assert bounds.started_ms == 320


def test_within_a_turn_the_lower_threshold_holds() -> None:
    timing = TurnTiming(threshold=0.6, off_threshold=0.3)
    murmur: list[Piece] = [(PIECE_MS, 0.4)] * 100
    assert tell(TurnDetector(timing), murmur) == []
    detector = TurnDetector(timing)
    tell(detector, speech(200), murmur)
    bounds = next(event for event in tell(detector, silence(700)) if isinstance(event, TurnBounds))
    assert bounds.speech_ended_ms == 1200


# barge-in


def test_a_caller_who_speaks_over_the_agent_barges_in_once() -> None:
    detector = TurnDetector(TIMING)
    detector.agent_speaking = True
    events = tell(detector, silence(1000), speech(2000))
    assert events == [SpeechStarted(1060), BargeIn(1090)]


def test_nobody_barges_in_on_a_silent_agent() -> None:
    assert not any(isinstance(event, BargeIn) for event in events_of(speech(2000)))


def test_barge_in_counts_three_windows_of_five() -> None:
    detector = TurnDetector(TurnTiming())
    detector.agent_speaking = True
    windows: list[Piece] = [(32, 0.9), (32, 0.1), (32, 0.9), (32, 0.1), (32, 0.9)]
    assert tell(detector, windows) == [SpeechStarted(96), BargeIn(160)]


def test_a_click_is_no_barge_in() -> None:
    detector = TurnDetector(TIMING)
    detector.agent_speaking = True
    assert tell(detector, silence(500), speech(50), silence(300), speech(50), silence(300)) == []


def test_each_speech_of_the_agent_can_be_barged_in_on() -> None:
    detector = TurnDetector(TIMING)
    detector.agent_speaking = True
    first = tell(detector, speech(300))
    detector.agent_speaking = False
    tell(detector, silence(700))
    detector.agent_speaking = True
    second = tell(detector, speech(300))
    assert [event for event in first + second if isinstance(event, BargeIn)] == [BargeIn(90), BargeIn(1090)]


def test_an_agent_that_begins_in_the_callers_speech_is_barged_in_on_only_by_what_follows() -> None:
    detector = TurnDetector(TIMING)
    tell(detector, speech(1000))
    detector.agent_speaking = True
    assert tell(detector, speech(80)) == []
    assert tell(detector, speech(10)) == [BargeIn(1090)]


def test_speech_over_one_answer_does_not_count_against_the_next() -> None:
    detector = TurnDetector(TIMING)
    detector.agent_speaking = True
    tell(detector, speech(80))
    detector.agent_speaking = False
    detector.agent_speaking = True
    assert tell(detector, speech(80)) == []


def test_being_told_every_tick_that_the_agent_speaks_changes_nothing() -> None:
    detector = TurnDetector(TIMING)
    events: list[DetectorEvent] = []
    for piece in speech(1000):
        detector.agent_speaking = True
        events += tell(detector, [piece])
    assert events == [SpeechStarted(60), BargeIn(90)]


def test_a_barge_in_goes_on_into_an_ordinary_turn() -> None:
    detector = TurnDetector(TIMING)
    detector.agent_speaking = True
    tell(detector, silence(1000), speech(200))
    detector.agent_speaking = False
    assert tell(detector, speech(800), silence(700)) == [
        PossibleEnd(2160),
        TurnBounds(started_ms=700, ended_ms=2300, speech_ended_ms=2000, at_ms=2700),
    ]


# silence


def test_silence_is_told_again_and_again() -> None:
    assert events_of(silence(21_500)) == [
        Silence(for_ms=7000, at_ms=7000),
        Silence(for_ms=14_000, at_ms=14_000),
        Silence(for_ms=21_000, at_ms=21_000),
    ]


def test_while_the_agent_speaks_there_is_no_silence_and_after_it_the_count_begins() -> None:
    detector = TurnDetector(TIMING)
    detector.agent_speaking = True
    assert tell(detector, silence(20_000)) == []
    detector.agent_speaking = False
    assert tell(detector, silence(7000)) == [Silence(for_ms=7000, at_ms=27_000)]


def test_silence_counts_from_the_callers_last_word() -> None:
    events = events_of(silence(5000), speech(1000), silence(7000))
    assert events[-1] == Silence(for_ms=7000, at_ms=13_000)
    assert sum(isinstance(event, Silence) for event in events) == 1


def test_silence_counts_from_the_agents_last_word_when_that_is_later() -> None:
    detector = TurnDetector(TIMING)
    detector.agent_speaking = True
    tell(detector, speech(300), silence(600))
    detector.agent_speaking = False
    events = tell(detector, silence(7000))
    assert isinstance(events[0], TurnBounds)
    assert events[1:] == [Silence(for_ms=7000, at_ms=7900)]


def test_no_silence_is_told_while_a_turn_is_open() -> None:
    detector = TurnDetector(TurnTiming(silence_ms=1000))
    events = tell(detector, silence(500), speech(3000), silence(600))
    assert not any(isinstance(event, Silence) for event in events)


def test_a_barking_dog_does_not_put_silence_off() -> None:
    bark = [speech(120), silence(4880)]
    events = events_of(*bark, *bark)
    assert [event for event in events if isinstance(event, Silence)] == [Silence(for_ms=7000, at_ms=7000)]
    assert sum(isinstance(event, SpeechDropped) for event in events) == 2


def test_silence_that_came_due_within_a_noise_is_told_after_it() -> None:
    events = events_of(silence(6950), speech(120), silence(1000))
    assert events[-2:] == [SpeechDropped(at_ms=7470), Silence(for_ms=7480, at_ms=7480)]


# what must be kept


def test_while_nobody_speaks_only_the_look_back_is_needed() -> None:
    detector = TurnDetector(TIMING)
    tell(detector, silence(10_000))
    assert detector.now_ms == 10_000
    assert detector.needed_from_ms == 9700


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=25), st.sampled_from(Expecting))
def test_no_utterance_begins_before_what_was_said_to_be_needed(
    parts: list[tuple[bool, int]], expecting: Expecting
) -> None:
    detector = TurnDetector(TurnTiming(max_utterance_ms=2000))
    detector.expect(expecting)
    needed_from_ms = detector.needed_from_ms
    previous_end_ms = 0
    for event in _stories(detector, parts):
        if isinstance(event, float):
            assert event >= needed_from_ms  # what was let go of never comes back
            needed_from_ms = event
        elif isinstance(event, TurnBounds):
            assert needed_from_ms <= event.started_ms < event.ended_ms <= event.at_ms
            assert previous_end_ms <= event.started_ms
            assert event.started_ms < event.speech_ended_ms <= event.ended_ms
            previous_end_ms = event.ended_ms


def _stories(detector: TurnDetector, parts: list[tuple[bool, int]]) -> Iterator[DetectorEvent | float]:
    """The events of random windows, and after each window what is still needed."""
    for is_speech, windows in parts:
        for _ in range(windows):
            yield from detector.hear(32, 0.9 if is_speech else 0.1)
            yield detector.needed_from_ms


# settings and types


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"threshold": 0.0}, "threshold"),
        ({"off_threshold": 1.5}, "off_threshold"),
        ({"patience_ms": {Expecting.OPEN: 700}}, "yes_no, number, date"),
        ({"pause_ms": 500}, "patience"),
        ({"pause_ms": 0}, "pause_ms"),
        ({"start_ms": 0}, "start_ms"),
        ({"start_ms": 128}, "barge_in_ms"),
        ({"padding_ms": -1}, "padding_ms"),
        ({"silence_ms": 0}, "silence_ms"),
        ({"max_utterance_ms": 150}, "max_utterance_ms"),
    ],
)
def test_times_that_contradict_each_other_are_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        TurnTiming(**wrong)  # type: ignore[arg-type]  # settings come from outside


def test_an_utterance_knows_its_length_and_does_not_print_its_sound() -> None:
    utterance = Utterance(bytes(16_000), started_ms=500, ended_ms=1500)
    assert utterance.duration_ms == 1000
    assert repr(utterance) == "Utterance(started_ms=500, ended_ms=1500)"
