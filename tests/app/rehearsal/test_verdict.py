from dataclasses import replace

import pytest

from app.rehearsal.caller import Spoken
from app.rehearsal.script import Cue
from app.rehearsal.verdict import Recording
from graph.heard import Words
from telephony.call import Transferred
from telephony.journal import (
    CallEnded,
    CallEvent,
    NodePassed,
    StageFailed,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
)
from telephony.simulated.handset import Heard, Said
from tests.app.rehearsal.staged import ANSWER, CUES, QUESTION, Staged, sound, staged

CUTS_IN = Cue("interruption", QUESTION, interrupts_after_ms=1000)


def test_a_call_that_went_as_written_passes() -> None:
    verdict = staged().verdict()
    assert verdict.passed
    assert staged().faults() == []


def test_the_wait_is_the_callers_and_its_stages_add_up() -> None:
    wait = staged().verdict().scenes[1].wait
    assert wait is not None
    assert wait.heard_ms == 800
    assert wait.endpointing_ms == 710  # decided at 6790 - 80, he had stopped at 6000
    assert wait.framework_ms == wait.dialogue_ms + wait.line_ms == pytest.approx(30)
    stages = (wait.endpointing_ms, wait.transcription_ms, wait.dialogue_ms, wait.voice_ms, wait.line_ms)
    assert sum(stages) == pytest.approx(wait.heard_ms)


def test_stages_that_took_real_time_are_longer_on_the_clock_of_a_fast_call() -> None:
    wait = staged().verdict(speed=4).scenes[1].wait
    assert wait is not None
    assert (wait.transcription_ms, wait.voice_ms) == (160, 80)
    assert wait.heard_ms == 800


@pytest.mark.parametrize(
    ("understood", "told"),
    [
        ("Où en est mon contrat ?", f"said « {QUESTION} », recognised as « Où en est mon contrat ? »"),
        ("", "no words were recognised"),
    ],
)
def test_another_line_than_the_one_said_is_a_fault(understood: str, told: str) -> None:
    call = staged().hearing(Words(understood, 0.8))
    assert not call.verdict().passed
    assert told in call.faults()[0]


def test_a_real_recogniser_may_write_the_same_in_other_words() -> None:
    assert staged().hearing(Words("ou en est mon dossier", 0.8)).verdict(word_for_word=False).passed


def test_a_real_recogniser_that_understood_nothing_is_still_a_fault() -> None:
    assert not staged().hearing(Words("", 0)).verdict(word_for_word=False).passed


@pytest.mark.parametrize(
    ("cue", "told"),
    [
        (
            replace(CUES[1], nodes=("classify", "authenticate", "claims")),
            "expected the nodes classify → authenticate → claims, ran classify → claims",
        ),
        (replace(CUES[1], nodes=("claims", "classify")), "expected the nodes claims → classify"),
        (replace(CUES[1], lines=("claims.paid",)), "expected the line claims.paid, said claims.under_review"),
        (replace(CUES[1], words=("payé",)), f"expected « payé » in « {ANSWER} »"),
    ],
)
def test_a_fault_says_what_was_expected_and_what_happened(cue: Cue, told: str) -> None:
    verdict = staged(cues=(CUES[0], cue)).verdict()
    assert verdict.scenes[0].faults == ()
    assert told in verdict.scenes[1].faults[0]


def test_words_are_found_whatever_spaces_the_figures_are_written_with() -> None:
    cue = replace(CUES[1], words=("45 230,18 €",))
    said = TurnSaid("contract.value", "il vaut 45\u202f230,18\u00a0€")
    assert staged(cues=(CUES[0], cue)).plus((6761, said)).verdict().passed


def test_a_part_of_the_agent_that_failed_is_a_fault() -> None:
    assert staged().plus((6770, StageFailed("tts", OSError("gone")))).faults() == [
        "failed: tts: OSError: gone"
    ]


def test_speech_whose_end_was_never_heard_is_a_fault() -> None:
    call = staged()
    deaf = replace(call, events=tuple(one for one in call.events if not 1 < one[0] < 9000))
    assert "the agent's ear heard no speech end" in deaf.faults()[0]


def test_a_line_the_caller_never_came_to_say_is_a_fault_of_its_turn() -> None:
    call = staged()
    cut_short = replace(call, played=(call.played[0], Spoken(CUES[1])))
    assert cut_short.verdict().scenes[1].faults[0] == f"the caller never came to say « {QUESTION} »"


@pytest.mark.parametrize(
    ("recording", "told"),
    [
        (Recording(sound(9200), sound(9200, (20, 3000), (6800, 9000)), ()), "of the caller's line is voice"),
        (
            Recording(
                sound(9200, (4000, 6000)), sound(9200, (20, 3000)), (Heard(20, 3000), Heard(6800, 9000))
            ),
            "of the answer is voice",
        ),
    ],
)
def test_a_voice_that_is_not_in_the_recording_is_a_fault(recording: Recording, told: str) -> None:
    assert any(told in fault for fault in replace(staged(), recording=recording).faults())


def test_an_answer_nobody_heard_is_a_fault_with_the_callers_reason() -> None:
    call = staged()
    unheard = replace(call.played[1], answer_at_ms=None, trouble="the caller heard no answer within 12 s")
    assert (
        "the caller heard no answer within 12 s" in replace(call, played=(call.played[0], unheard)).faults()
    )


def test_an_answer_heard_long_after_it_left_is_a_fault() -> None:
    call = staged()
    late = replace(call.played[1], answer_at_ms=8000.0)
    assert any(
        "the caller heard it 1210 ms later" in one
        for one in replace(call, played=(call.played[0], late)).faults()
    )


def interrupted(stops_ms: int, *events: tuple[float, CallEvent]) -> Staged:
    """The greeting runs into the caller's line, up to ``stops_ms``; the answer follows at 6.8 s."""
    call = staged(cues=(CUES[0], replace(CUES[1], interrupts_after_ms=1000))).plus(*events)
    return replace(
        call,
        recording=Recording(
            sound(9200, (4000, 6000)),
            sound(9200, (20, stops_ms), (6800, 9000)),
            (Heard(20, stops_ms), Heard(6800, 9000)),
        ),
    )


def test_an_interruption_that_stops_the_voice_passes() -> None:
    assert interrupted(4240, (4230, TurnInterrupted("Bonjour,", 4230, 10))).verdict().passed


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (interrupted(3000), "the agent was not speaking when the caller cut in"),
        (interrupted(4240), "did not notice that it was interrupted"),
        (
            interrupted(5400, (5390, TurnInterrupted("Bonjour,", 5390, 10))),
            "the agent spoke on for 1400 ms after the caller cut in; 1000 ms at most",
        ),
    ],
)
def test_an_interruption_that_does_not_work_is_a_fault(call: Staged, told: str) -> None:
    assert any(told in fault for fault in call.faults())


def test_an_interruption_that_nobody_meant_is_a_fault() -> None:
    faults = staged().plus((6900, TurnInterrupted("Votre", 6900, 0))).faults()
    assert faults == ["the agent was interrupted, and nobody had meant to"]


def test_another_end_than_the_scripts_is_a_fault_of_the_call() -> None:
    ended = staged().without(CallEnded)
    assert ended.verdict().faults == ("expected the call to end by hung_up, it ended not at all",)
    put_through = ended.plus((9100, CallEnded(Transferred("vie", "asked", "…"))))
    assert put_through.verdict().faults == ("expected the call to end by hung_up, it ended transferred",)


def test_a_line_taken_in_two_pieces_is_one_turn_of_the_script() -> None:
    call = staged().plus((6300, TurnHeard(Words("Où en", 0.6), 500, 4000)), (6301, NodePassed("repair", 1)))
    verdict = call.verdict()
    assert verdict.passed
    assert verdict.scenes[1].recognised == f"Où en / {QUESTION}"


def test_after_a_refusal_of_recording_words_are_not_asked_for() -> None:
    call = staged()
    transcript = call.transcript
    for turn in transcript.turns:
        turn.text, turn.lines = None, [replace(line, text=None) for line in turn.lines]
    from app.rehearsal.verdict import judge

    assert judge(call.script, call.played, transcript, call.recording, word_for_word=True).passed


def test_a_caller_who_could_not_go_on_says_why_even_when_the_turn_was_good() -> None:
    call = staged()
    stuck = replace(call.played[1], said=Said(4000, 6000, 6020), trouble="the call ended here")
    assert replace(call, played=(call.played[0], stuck)).faults() == ["the call ended here"]
