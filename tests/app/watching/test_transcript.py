import json
from collections.abc import Iterator
from itertools import count

from app.watching.transcript import FORMAT, Transcript, record
from graph.heard import CallBegins, Keys, Quiet, Words
from telephony.call import Call, CallId, HungUp, Transferred
from telephony.journal import (
    CallEnded,
    CallEvent,
    CallStarted,
    NodePassed,
    RecordingRefused,
    SpeculationDropped,
    StageFailed,
    TalkedThrough,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
    TurnTimes,
)

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
OPENING: list[CallEvent] = [
    CallStarted(Call(CALL)),
    TurnHeard(CallBegins()),
    TurnSaid("greet.notice", "Bonjour, Assurance Vie."),
    NodePassed("greet", 0.5),
]
QUESTION: list[CallEvent] = [
    TurnHeard(Words("où en est mon dossier", 0.9), 1800, 4000),
    NodePassed("classify", 1.25),
    TurnSaid("claims.under_review", "Votre dossier est en cours d'étude."),
    NodePassed("claims", 2.5),
    TurnTimed(TurnTimes(700, 50, 4, 10, 6, classified_ms=2)),
]


def told(*events: CallEvent) -> Transcript:
    ticks: Iterator[int] = count(100, 100)
    transcript = Transcript(CALL, lambda: float(next(ticks)))
    for event in events:
        transcript.note(CALL, event)
    return transcript


def test_what_happens_is_put_into_the_turn_it_belongs_to() -> None:
    transcript = told(*OPENING, *QUESTION)
    greeting, question = transcript.turns
    assert (greeting.how, [passed.node for passed in greeting.nodes]) == ("call_begins", ["greet"])
    assert (question.text, question.confidence, question.speech_ms) == ("où en est mon dossier", 0.9, 1800)
    assert [line.key for line in question.lines] == ["claims.under_review"]
    assert transcript.said() == ["greet.notice", "claims.under_review"]


def test_what_was_prepared_in_vain_and_talked_through_is_counted_with_its_turn() -> None:
    transcript = told(
        *OPENING,
        SpeculationDropped("thinking"),
        *QUESTION,
        TalkedThrough("noise"),
        TalkedThrough("listening"),
    )
    kept = record(transcript, {})["turns"]
    assert [turn["preparations_dropped"] for turn in kept] == [1, 0]
    assert [turn["talked_through"] for turn in kept] == [0, 2]


def test_what_speculation_gained_is_in_the_stages() -> None:
    gained = TurnTimed(TurnTimes(700, 0, 0, 0, 6, ear_ms=310.04, prepared_ms=540))
    [_, turn] = record(told(*OPENING, *QUESTION[:1], gained), {})["turns"]
    assert turn["stages"] is not None
    assert (turn["stages"]["ear_ms"], turn["stages"]["prepared_ms"]) == (310.0, 540.0)


def test_turns_are_stamped_on_the_clock_of_the_call() -> None:
    greeting, question = told(*OPENING, *QUESTION).turns
    assert (greeting.noted_ms, question.noted_ms, question.answered_at_ms) == (100, 200, 300)


def test_keys_and_silence_are_turns_too() -> None:
    keys, silence = told(TurnHeard(Keys("10078821")), TurnHeard(Quiet())).turns
    assert (keys.how, keys.text) == ("keys", "10078821")
    assert (silence.how, silence.text) == ("quiet", "")


def test_an_interruption_belongs_to_the_turn_that_was_cut() -> None:
    transcript = told(*OPENING, TurnInterrupted("Bonjour,", 900, 12.5), *QUESTION)
    cut = transcript.turns[0].interruption
    assert cut is not None
    assert (cut.heard, cut.stopped_after_ms) == ("Bonjour,", 12.5)
    assert transcript.turns[1].interruption is None


def test_other_calls_are_none_of_its_business() -> None:
    transcript = told(*OPENING)
    transcript.note(CallId("other"), TurnHeard(Words("secret")))
    transcript.note(CallId("other"), CallEnded(HungUp()))
    assert (len(transcript.turns), transcript.outcome) == (1, None)


def test_a_refusal_drops_every_word_before_and_after_it() -> None:
    transcript = told(*OPENING, TurnInterrupted("Bonjour,", 900, 0), RecordingRefused(), *QUESTION)
    kept = json.dumps(record(transcript, {}), ensure_ascii=False)
    for words in ("Bonjour", "dossier", "étude"):
        assert words not in kept
    assert transcript.said() == ["greet.notice", "claims.under_review"]
    assert transcript.recording_refused


def test_a_failure_is_written_down_with_its_cause() -> None:
    transcript = told(*OPENING, StageFailed("tts", OSError("no sound card")))
    assert transcript.turns[0].failures == ["tts: OSError: no sound card"]


def test_an_ear_that_fails_before_anything_was_heard_is_not_lost() -> None:
    transcript = told(CallStarted(Call(CALL)), StageFailed("stt", TimeoutError("3000 ms")))
    assert transcript.turns[0].failures == ["stt: TimeoutError: 3000 ms"]


def test_the_record_is_json_that_says_all_of_it() -> None:
    transcript = told(*OPENING, *QUESTION, CallEnded(HungUp()))
    kept = json.loads(json.dumps(record(transcript, {"ear": "closed-set"})))
    assert (kept["format"], kept["call_id"], kept["outcome"]) == (FORMAT, CALL, "hung_up")
    assert kept["parts"] == {"ear": "closed-set"}
    question = kept["turns"][1]
    assert question["nodes"] == [
        {"node": "classify", "took_ms": 1.25},
        {"node": "claims", "took_ms": 2.5},
    ]
    assert question["lines"][0]["text"] == "Votre dossier est en cours d'étude."
    assert question["stages"] == {
        "endpointing_ms": 700,
        "transcription_ms": 50,
        "dialogue_ms": 4,
        "classified_ms": 2,
        "voice_ms": 10,
        "line_ms": 6,
        "ear_ms": 0,
        "prepared_ms": 0,
    }


def test_the_record_of_a_transfer_names_the_queue() -> None:
    kept = record(told(*OPENING, CallEnded(Transferred("sinistres", "asked", "…"))), {})
    assert (kept["outcome"], kept["queue"]) == ("transferred", "sinistres")


def test_the_record_of_a_call_under_way_has_no_outcome() -> None:
    assert record(told(*OPENING), {})["outcome"] is None
