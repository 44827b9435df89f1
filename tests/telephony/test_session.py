"""A call, turn by turn, on a line without wires: what the caller hears, whatever he does."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from itertools import groupby

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from audio.endpointing import Expecting, TurnTiming, Utterance
from audio.pcm import BYTES_PER_MS, FRAME_MS, SILENCE_FRAME
from audio.scripted import ScriptedStt, ScriptedTts
from audio.stt import SttFailed, Transcript
from audio.vad import EnergyDetector
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, NotReached, Resumed, Words
from graph.reply import Reply
from telephony.call import CallerLeft, HungUp, NoAudio, Transferred
from telephony.front_desk import FrontDesk
from telephony.journal import (
    CallCameBack,
    CallEnded,
    CallerIdentified,
    CallPassedOn,
    CallStarted,
    MemoryJournal,
    RecordingRefused,
    StageFailed,
    TalkedThrough,
    TurnInterrupted,
    TurnTimed,
)
from telephony.turn import LAST_BREATH_MS, SENTENCE_PAUSE_MS
from tests.graph.conversation import CLOSED, services
from tests.telephony.phone import Phone
from tests.telephony.scene import BEGINS, BORN, CALL, NUMBER, SlowVoice, call, whole_call


async def test_a_whole_call_from_the_greeting_to_the_goodbye() -> None:
    said = ["combien j'ai sur mon assurance vie", NUMBER, BORN, "non merci au revoir"]
    async with call(said) as scene:
        await scene.phone.hears_the_agent_out()
        for _ in said:
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        assert await scene.outcome() == HungUp()
        assert scene.phone.wire.closed
    assert scene.journal.said() == [
        "greet.notice",
        "greet.question",
        "authenticate.ask_number",
        "authenticate.ask_birth_date",
        "authenticate.welcome",
        "contract.value",
        "contract.also",
        "common.anything_else",
        "goodbye.farewell",
    ]
    assert isinstance(scene.journal.events[0], CallStarted)
    assert scene.journal.events[-1] == CallEnded(HungUp())


async def test_the_line_is_closed_only_when_the_goodbye_was_heard_to_its_end() -> None:
    async with call(["au revoir"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        assert await scene.outcome() == HungUp()
    assert not scene.phone.line.playback.busy


async def test_the_voice_reads_figures_as_words() -> None:
    async with call(["mon assurance vie", NUMBER, BORN]) as scene:
        await scene.phone.hears_the_agent_out()
        for _ in range(3):
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
    assert any("quarante-cinq mille deux cent trente euros" in spoken for spoken in scene.voice.asked)


async def test_the_ear_is_patient_while_a_number_is_dictated() -> None:
    async with call(["mon assurance vie", "dix zéro sept", NUMBER]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(600)
        await scene.phone.waits(1000)
        await scene.phone.speaks(600)
        await scene.phone.waits(1800)
        first, both = scene.ears.heard[1:]
        assert both.pcm.startswith(first.pcm[: 600 * BYTES_PER_MS]), "a breath does not end the number"
        assert scene.ears.expected == [Expecting.OPEN, Expecting.NUMBER, Expecting.NUMBER]
        assert scene.heard()[-1] == Words(NUMBER)


async def test_the_agent_stops_when_the_caller_speaks_and_answers_his_words() -> None:
    async with call(["quels sont vos horaires", "au revoir"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent()
        await scene.phone.waits(400)
        await scene.phone.speaks(200)
        assert scene.phone.hears_silence, "the voice has stopped while the caller speaks"
        await scene.phone.speaks(400)
        assert await scene.outcome() == HungUp()
    [interrupted] = [one for one in scene.journal.events if isinstance(one, TurnInterrupted)]
    assert "Nos conseillers sont là du lundi".startswith(interrupted.heard[:10])
    history = (await scene.dialogue.state(CALL.id))["messages"]
    answer = next(
        message for message in history if message.id and message.additional_kwargs.get("interrupted")
    )
    assert str(answer.text) == interrupted.heard


async def test_the_notice_is_heard_to_its_end_and_the_words_spoken_over_it_are_answered() -> None:
    async with call(["quels sont vos horaires"]) as scene:
        await scene.phone.hears_the_agent()
        await scene.phone.speaks(600)
        assert scene.phone.line.playback.busy, "the notice goes on"
        await scene.phone.waits_until(lambda: len(scene.ears.heard) == 1)
        await scene.phone.waits_until(lambda: "faq.answer" in scene.journal.said())
    notice_ms = sum(map(scene.voice.duration_ms, scene.voice.asked[:3]))
    assert sum(frame != scene.phone.heard[0] for frame in scene.phone.heard) * 20 >= notice_ms * 0.9


async def test_between_two_sentences_the_agent_draws_breath() -> None:
    async with call() as scene:
        await scene.phone.hears_the_agent_out()
    voiced = [frame != SILENCE_FRAME for frame in scene.phone.heard]
    runs = [(loud, len(list(run)) * FRAME_MS) for loud, run in groupby(voiced)]
    pauses = [length_ms for loud, length_ms in runs if not loud][1:-1]  # before and after all speech
    assert pauses == [SENTENCE_PAUSE_MS] * (len(scene.voice.asked) - 1)


async def test_after_a_cough_the_agent_takes_up_its_sentence() -> None:
    async with call(["quels sont vos horaires", ""]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent()
        await scene.phone.waits(300)
        await scene.says(200)
        await scene.phone.hears_the_agent_out()
        spoken = [one for one in scene.voice.asked if one.startswith("Nos conseillers")]
        assert len(spoken) == 1, "where it stopped, not from its beginning"
        assert TalkedThrough("noise") in scene.journal.events
        assert scene.journal.said().count("repair.missed") == 0
        history = (await scene.dialogue.state(CALL.id))["messages"]
        assert not any(message.additional_kwargs.get("interrupted") for message in history)


async def test_a_noise_too_short_for_words_is_no_turn() -> None:
    async with call(["quels sont vos horaires"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(100)
        await scene.phone.waits(2000)
        assert scene.ears.heard == []


async def test_a_caller_who_goes_on_before_the_answer_has_begun_is_heard_as_one() -> None:
    voice = SlowVoice(ms_per_character=20)
    async with call(["mon assurance", "mon assurance vie s'il vous plaît"], voice) as scene:
        await scene.phone.hears_the_agent_out()
        voice.hold()
        await scene.says()
        await scene.phone.speaks(600)
        voice.release()
        await scene.phone.waits(1600)
        await scene.phone.hears_the_agent()
        first, both = scene.ears.heard
        assert both.pcm.startswith(first.pcm)
        assert both.duration_ms > first.duration_ms


async def test_keys_are_a_turn_that_ends_with_the_hash() -> None:
    async with call(["mon assurance vie"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        for key in "10078821#":
            scene.phone.line.digit_in(key)
            await scene.phone.waits(200)
        await scene.phone.hears_the_agent_out()
        assert scene.heard()[-1] == Keys("10078821")
        assert scene.journal.said()[-1] == "authenticate.ask_birth_date"


async def test_keys_without_a_hash_end_with_a_pause() -> None:
    async with call(["mon assurance vie"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        for key in "10078821":
            scene.phone.line.digit_in(key)
        await asyncio.sleep(0.2)  # the pause is the only clock of the session, and a short one here
        await scene.phone.waits_until(lambda: scene.heard()[-1] == Keys("10078821"))


async def test_zero_over_the_agents_voice_is_a_human_at_once() -> None:
    async with call(["quels sont vos horaires"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent()
        scene.phone.line.digit_in("0")
        await scene.phone.hears_the_agent_out()
        outcome = await scene.outcome()
        assert isinstance(outcome, Transferred)
        assert outcome.reason == "asked"


async def test_a_caller_who_never_speaks_is_asked_twice_and_offered_people_and_the_call_ends() -> None:
    async with call() as scene:
        await scene.phone.waits_until(scene.running.done, at_most_ms=120_000)
        assert await scene.outcome() == HungUp()
    asked = ["repair.quiet", "repair.quiet", "repair.quiet_offer"]
    assert scene.journal.said()[2:] == [*asked, "goodbye.nobody"]


async def test_a_caller_whose_phone_sends_nothing_is_treated_as_silent() -> None:
    """Silence suppression: no frames at all; the ear's clock goes on."""
    async with call() as scene:
        await scene.phone.hears_the_agent_out()
        for _ in range(500):
            await scene.phone.tick(frame=None)
        assert "repair.quiet" in scene.journal.said()


@pytest.mark.parametrize(
    "stage", ["while greeted", "while listening", "while speaking", "while answered", "while keying"]
)
async def test_a_caller_who_hangs_up_leaves_nothing_behind(stage: str) -> None:
    before = asyncio.all_tasks()
    async with call(["mon assurance vie", NUMBER]) as scene:
        await scene.phone.hears_the_agent()
        if stage != "while greeted":
            await scene.phone.hears_the_agent_out()
        if stage == "while speaking":
            await scene.phone.speaks(300)
        if stage in {"while answered", "while keying"}:
            await scene.says()
            await scene.phone.hears_the_agent()
        if stage == "while keying":
            scene.phone.line.digit_in("1")
            await scene.phone.waits(40)
        scene.phone.line.closed("the caller hung up")
        assert await scene.outcome() == CallerLeft()
    assert asyncio.all_tasks() == before
    assert scene.dialogue._locks == {}


class DeafStt(ScriptedStt):
    """A service that never answers."""

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        self.heard.append(utterance)
        await asyncio.Event().wait()
        raise AssertionError("nobody waits for this")


async def test_a_caller_who_hangs_up_while_he_is_transcribed_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with call(ears=DeafStt([])) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        assert len(scene.ears.heard) == 1
        scene.phone.line.closed("the caller hung up")
        assert await scene.outcome() == CallerLeft()
    assert asyncio.all_tasks() == before


async def test_a_caller_who_hangs_up_while_the_voice_is_being_made_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    voice = SlowVoice(ms_per_character=20)
    async with call(["quels sont vos horaires"], voice) as scene:
        await scene.phone.hears_the_agent_out()
        voice.hold()
        await scene.says()
        scene.phone.line.closed("the caller hung up")
        assert await scene.outcome() == CallerLeft()
    assert asyncio.all_tasks() == before
    assert scene.dialogue._locks == {}


async def test_an_audio_leg_that_never_comes_is_no_call() -> None:
    async with call(connected=False) as scene:
        scene.phone.line.closed("EXEC AudioSocket was refused")
        assert await scene.outcome() == NoAudio()
    assert scene.journal.events == [CallEnded(NoAudio())]


async def test_an_ear_that_fails_is_said_and_the_caller_handed_over() -> None:
    async with call([SttFailed("the service is away")]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        outcome = await scene.outcome()
        assert isinstance(outcome, Transferred)
        assert outcome.reason == "technical"
    assert scene.journal.said()[-1] == "common.technical"
    assert [one.component for one in scene.journal.events if isinstance(one, StageFailed)] == ["stt"]


async def test_a_voice_that_fails_hands_the_caller_over() -> None:
    async with call(voice=ScriptedTts(fails_after_chunks=3)) as scene:
        await scene.phone.hears_the_agent_out()
        outcome = await scene.outcome()
        assert isinstance(outcome, Transferred)
    assert [one.component for one in scene.journal.events if isinstance(one, StageFailed)] == ["tts"]


class BrokenDialogue(Dialogue):
    """Raises what nobody foresaw."""

    at_once = True

    async def turn(
        self,
        call_id: str,
        heard: Heard,
        cut: Mapping[str, str] | None = None,
        confirmed: asyncio.Event | None = None,
        *,
        instead: bool = False,
    ) -> AsyncGenerator[Reply, None]:
        async for reply in super().turn(call_id, heard, cut, confirmed, instead=instead):
            if isinstance(heard, CallBegins) is self.at_once:
                raise RuntimeError("nobody foresaw this")
            yield reply


class BreaksLater(BrokenDialogue):
    """Greets first."""

    at_once = False


async def test_a_dialogue_that_breaks_is_said_and_the_caller_handed_over() -> None:
    phone, journal = Phone().connect(), MemoryJournal()
    dialogue = BrokenDialogue(build_graph(services()), InMemorySaver())
    desk = FrontDesk(dialogue, ScriptedStt([]), ScriptedTts(), EnergyDetector(), TurnTiming(), journal)
    running = asyncio.create_task(whole_call(desk, phone.line, BEGINS))
    await phone.hears_the_agent_out()
    outcome = await asyncio.wait_for(running, 5)
    assert isinstance(outcome, Transferred)
    assert journal.said() == ["common.technical"]


async def test_a_dialogue_that_breaks_while_the_caller_only_pauses_is_said_when_he_has_ended() -> None:
    async with call(["quels sont vos horaires"], dialogues=BreaksLater) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(600)
        await scene.phone.waits(400)
        assert not [event for event in scene.journal.events if isinstance(event, StageFailed)]
        assert isinstance(await scene.outcome(), Transferred)
        assert scene.journal.said()[-1] == "common.technical"


async def test_recording_refused_is_told_once_to_whoever_keeps_anything() -> None:
    async with call(["je ne veux pas être enregistré", "quels sont vos horaires"]) as scene:
        await scene.phone.hears_the_agent_out()
        for _ in range(2):
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
    assert scene.journal.events.count(RecordingRefused()) == 1
    assert await scene.dialogue.state(CALL.id) == {}, "nothing of this call is kept when it is over"


async def test_that_the_caller_is_identified_is_told_once() -> None:
    async with call(["mon assurance vie", NUMBER, BORN, "quels sont vos horaires"]) as scene:
        await scene.phone.hears_the_agent_out()
        for _ in range(3):
            assert CallerIdentified("10078821") not in scene.journal.events
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        assert CallerIdentified("10078821") in scene.journal.events
        await scene.says()
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
    assert scene.journal.events.count(CallerIdentified("10078821")) == 1


async def test_every_answer_says_where_the_wait_went() -> None:
    async with call(["quels sont vos horaires"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
    [timed] = [one.times for one in scene.journal.events if isinstance(one, TurnTimed)]
    assert timed.endpointing_ms >= 700, "patience for an open question, on the audio clock"
    parts = (timed.transcription_ms, timed.dialogue_ms, timed.voice_ms, timed.line_ms)
    assert all(part >= 0 for part in parts)
    assert timed.heard_silence_ms == pytest.approx(timed.endpointing_ms + sum(parts))


async def test_the_greeting_is_no_answer_and_is_not_timed() -> None:
    async with call() as scene:
        await scene.phone.hears_the_agent_out()
    assert not any(isinstance(one, TurnTimed) for one in scene.journal.events)


async def test_after_the_last_word_the_line_is_silent_for_a_breath_before_it_is_given_up() -> None:
    async with call(["au revoir"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.waits_until(scene.running.done)
    trailing = next(iter(groupby(reversed(scene.phone.heard), lambda frame: frame == SILENCE_FRAME)))
    assert trailing[0]
    assert len(list(trailing[1])) * FRAME_MS >= LAST_BREATH_MS


@pytest.mark.parametrize("first", [BEGINS, Resumed(), NotReached("busy")])
async def test_whatever_opens_the_talk_of_an_unknown_call_the_notice_is_heard_whole(first: Heard) -> None:
    async with call(["au revoir"], first=first) as scene:
        await scene.phone.hears_the_agent()
        await scene.phone.speaks(600)
        assert scene.phone.line.playback.busy
        assert await scene.outcome() == HungUp()
    assert scene.journal.said()[:2] == ["greet.notice", "greet.question"]
    notice_ms = sum(map(scene.voice.duration_ms, scene.voice.asked[:3]))
    assert sum(frame != SILENCE_FRAME for frame in scene.phone.heard) * FRAME_MS >= notice_ms


async def test_what_was_keyed_over_the_notice_is_taken_when_it_ends_and_not_a_sentence_later() -> None:
    async with call() as scene:
        await scene.phone.hears_the_agent()
        scene.phone.line.digit_in("0")
        outcome = await scene.outcome()
        assert isinstance(outcome, Transferred)
    notice_ms = sum(map(scene.voice.duration_ms, scene.voice.asked[:3]))
    transfer_ms = sum(map(scene.voice.duration_ms, scene.voice.asked[4:]))
    heard_ms = sum(frame != SILENCE_FRAME for frame in scene.phone.heard) * FRAME_MS
    assert heard_ms == notice_ms + transfer_ms, "the notice whole, of the question nothing"


async def test_who_comes_back_from_people_is_no_new_call() -> None:
    async with call(first=NotReached("no_answer")) as scene:
        await scene.phone.hears_the_agent_out()
    assert scene.journal.events[0] == CallCameBack("no_answer", CALL)
    assert not any(isinstance(one, CallStarted) for one in scene.journal.events)


async def test_who_is_passed_on_is_noted_before_the_call_is_over() -> None:
    async with call(["un conseiller"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        outcome = await scene.outcome()
    assert isinstance(outcome, Transferred)
    assert scene.journal.events[-2:] == [CallPassedOn(outcome), CallEnded(outcome)]


async def test_keys_are_taken_wherever_a_number_is_asked_and_the_hash_ends_them() -> None:
    async with call(["mon assurance vie", NUMBER]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        for key in "01041962#":
            scene.phone.line.digit_in(key)
        await scene.phone.hears_the_agent_out()
    assert scene.heard()[-1] == Keys("01041962")
    assert "contract.value" in scene.journal.said()


async def test_among_a_few_things_one_key_is_a_choice() -> None:
    async with call(["un conseiller"], given=services(now=CLOSED)) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        for _ in range(2):
            scene.phone.line.digit_in("1")
            await scene.phone.hears_the_agent_out()
        scene.phone.line.digit_in("2")
        await scene.phone.hears_the_agent_out()
    assert scene.journal.said()[-2] == "transfer.noted"
