"""Who speaks when: pauses, preparation, interruptions, silence, waiting; on a line without wires."""

import asyncio
import struct
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audio.endpointing import Expecting, TurnTiming, Utterance
from audio.pcm import FRAME_MS, SILENCE_FRAME
from audio.scripted import ScriptedStt, ScriptedTts
from audio.stt import SttFailed, Transcript
from audio.tts import Pace, TtsFailed
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, Resumed, Words
from graph.reply import Manner, Reply
from telephony.call import CallerLeft, HungUp, NoAudio, Outcome, Transferred
from telephony.journal import (
    CallEnded,
    NodePassed,
    SpeculationDropped,
    StageFailed,
    TalkedThrough,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
)
from telephony.session import MOMENT_MS
from telephony.standby import StandbyLines, technical_line, waiting_line
from telephony.turn import GROUP_PAUSE_MS, SENTENCE_PAUSE_MS, Budgets
from tests.telephony.scene import BORN, CALL, NUMBER, Scene, SlowVoice, call
from tests.telephony.waiting import until

HOURS = "quels sont vos horaires"
OFFER = ["quelle est la recette de la tarte", "non merci"]
"""A question without an answer: an adviser is offered."""


class SlowStt(ScriptedStt):
    """An ear that can be made to wait."""

    def __init__(self, transcripts: Sequence[str | Transcript | Exception]) -> None:
        super().__init__(transcripts)
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        transcript = await super().transcribe(utterance, expecting)
        await self.may_answer.wait()
        return transcript


def noted(scene: Scene, *kinds: type) -> list[object]:
    return [event for event in scene.journal.events if isinstance(event, kinds)]


def loud_ms(scene: Scene, since: int = 0) -> int:
    return sum(frame != SILENCE_FRAME for frame in scene.phone.heard[since:]) * FRAME_MS


async def agent_speaks(scene: Scene) -> None:
    """Bring the agent into the middle of a long sentence."""
    await scene.phone.hears_the_agent_out()
    await scene.says()
    await scene.phone.hears_the_agent()
    await scene.phone.waits(400)


# the end of a turn


async def wait_for_a_number_ms(transcript: str) -> int:
    """How long the caller waits from his last word to the first sound, when he was asked for a number."""
    async with call(["mon assurance vie", transcript, "", ""]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(900)
        before = len(scene.phone.heard)
        await scene.phone.waits_until(lambda: loud_ms(scene, before) > 0)
        return (len(scene.phone.heard) - before) * FRAME_MS


async def test_all_digits_of_a_number_are_an_end_at_once() -> None:
    assert await wait_for_a_number_ms(NUMBER) < 400, "asked for in 1500 ms of patience"


async def test_a_number_that_may_go_on_is_waited_for() -> None:
    assert await wait_for_a_number_ms("dix zéro sept") > 1400


async def test_who_stops_in_the_middle_of_his_sentence_is_given_more_time_than_the_question_would() -> None:
    assert await wait_for_a_number_ms("mon numéro c'est le") > 2400


async def test_a_yes_ends_the_turn_before_patience_does() -> None:
    async with call([OFFER[0], "oui"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(300)
        await scene.phone.waits(300)
        assert Words("oui") in scene.heard()


# prepared in the pause


async def test_the_answer_is_prepared_in_the_pause_and_heard_only_when_the_turn_is_over() -> None:
    async with call([HOURS]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(600)
        await scene.phone.waits(400)
        assert "Nos conseillers" in " ".join(scene.voice.asked), "its sound is being made"
        assert scene.phone.hears_silence
        assert not noted(scene, TurnHeard)[1:], "and nothing of it is known to anybody"
        assert len((await scene.dialogue.state(CALL.id))["messages"]) == 3, "the greeting's"
        await scene.phone.waits(360)
        assert not scene.phone.hears_silence, "700 ms of patience, and nothing on top of it"
    [timed] = [event.times for event in scene.journal.events if isinstance(event, TurnTimed)]
    assert timed.transcription_ms == timed.dialogue_ms == timed.voice_ms == 0, "done before it was waited for"
    assert timed.prepared_ms > 0


async def test_who_goes_on_takes_back_what_was_prepared_and_it_has_had_no_effect() -> None:
    async with call(["quels sont vos", HOURS, "au revoir"]) as scene:
        await scene.phone.hears_the_agent_out()
        before = (await scene.dialogue.state(CALL.id))["messages"]
        await scene.phone.speaks(600)
        await scene.phone.waits(400)
        await scene.phone.speaks(400)
        assert (await scene.dialogue.state(CALL.id))["messages"] == before
        assert noted(scene, SpeculationDropped) == [SpeculationDropped("speaking")]
        await scene.phone.waits(800)
        assert [heard.text for heard in scene.heard() if isinstance(heard, Words)] == [HOURS]
        first, both = scene.ears.heard
        assert both.duration_ms > first.duration_ms + 600, "one turn, transcribed whole"


class HardOfHearing(Dialogue):
    """Does not notice the first time that it is told to stop."""

    async def turn(
        self,
        call_id: str,
        heard: Heard,
        cut: Mapping[str, str] | None = None,
        confirmed: asyncio.Event | None = None,
        *,
        instead: bool = False,
    ) -> AsyncGenerator[Reply, None]:
        if confirmed is not None and not confirmed.is_set():
            with suppress(asyncio.CancelledError):
                await confirmed.wait()
            await confirmed.wait()
        async for reply in super().turn(call_id, heard, cut, confirmed, instead=instead):
            yield reply


async def test_a_turn_that_does_not_stop_when_it_is_told_to_is_told_again() -> None:
    async with call(["quels sont vos", HOURS], dialogues=HardOfHearing) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(600)
        await scene.phone.waits(400)
        await scene.phone.speaks(400)
        await scene.phone.waits(800)
        await until(lambda: Words(HOURS) in scene.heard())
        await scene.phone.hears_the_agent_out()
        assert scene.journal.said()[-2:] == ["faq.answer", "common.anything_else"]


async def test_a_caller_who_pauses_ever_again_is_waited_for_and_not_transcribed_each_time() -> None:
    async with call(["euh"] * 2 + [HOURS], budgets=Budgets(rounds=2)) as scene:
        await scene.phone.hears_the_agent_out()
        for _ in range(8):
            await scene.phone.speaks(300)
            await scene.phone.waits(300)
        assert len(scene.ears.heard) == 2
        await scene.phone.waits(800)
        assert len(scene.ears.heard) == 3
        assert Words(HOURS) in scene.heard()


async def test_an_ear_slower_than_patience_is_waited_for() -> None:
    ears = SlowStt([HOURS])
    async with call(ears=ears) as scene:
        await scene.phone.hears_the_agent_out()
        ears.may_answer.clear()
        await scene.phone.speaks(600)
        await scene.phone.waits(1500)
        assert scene.phone.hears_silence
        ears.may_answer.set()
        await scene.phone.hears_the_agent_out()
        assert len(ears.heard) == 1, "once, although the pause came before the end"
        assert "faq.answer" in scene.journal.said()


async def test_who_goes_on_after_his_turn_was_confirmed_is_counted_once() -> None:
    voice = SlowVoice(ms_per_character=20)
    async with call(["blabla", "blabla truc machin"], voice) as scene:
        await scene.phone.hears_the_agent_out()
        voice.hold()
        await scene.phone.speaks(600)
        await scene.phone.waits(1000)
        assert (await scene.dialogue.state(CALL.id)).get("misses") == 1, "confirmed, written, and not heard"
        await scene.phone.speaks(600)
        voice.release()
        await scene.phone.waits(1600)
        await scene.phone.hears_the_agent_out()
        state = await scene.dialogue.state(CALL.id)
    assert state.get("misses") == 1
    assert [str(one.text) for one in state["messages"] if one.type == "human"] == ["", "blabla truc machin"]


# over the agent's voice


async def test_the_voice_stops_with_the_first_frames_of_speech() -> None:
    async with call([HOURS, "un conseiller"]) as scene:
        await agent_speaks(scene)
        before = len(scene.phone.heard)
        await scene.phone.speaks(300)
        stopped_after_ms = loud_ms(scene, before)
        assert stopped_after_ms <= 100
        assert noted(scene, TurnInterrupted) == [], "stopped, and not yet decided"


@pytest.mark.parametrize(
    ("sound_ms", "transcript", "why"),
    [(100, None, "noise"), (240, "", "noise"), (300, "d'accord", "listening"), (300, "Oui.", "listening")],
)
async def test_a_cough_or_a_sign_of_listening_is_talked_through(
    sound_ms: int, transcript: str | None, why: str
) -> None:
    async with call([HOURS, *([] if transcript is None else [transcript])]) as scene:
        await agent_speaks(scene)
        await scene.phone.speaks(sound_ms)
        assert scene.phone.hears_silence
        # After a sound without words his turn has to be over: « Attendez… » is one, to an ear that misses it.
        await scene.phone.waits(900 if transcript == "" else 480)
        assert not scene.phone.hears_silence, "the voice goes on"
        await scene.phone.hears_the_agent_out()
        assert noted(scene, TalkedThrough) == [TalkedThrough(why)]
        assert noted(scene, TurnInterrupted) == []
        assert len(scene.heard()) == 1, "it was no turn of his"
        messages = (await scene.dialogue.state(CALL.id))["messages"]
        assert not any(message.additional_kwargs.get("interrupted") for message in messages)
    once = [text for text in scene.voice.asked if text.startswith("Nos conseillers")]
    assert len(once) == 1, "taken up where it stopped"


async def test_ten_times_d_accord_and_the_agent_still_says_everything() -> None:
    async with call([HOURS, *["d'accord"] * 10], ScriptedTts(ms_per_character=60)) as scene:
        await agent_speaks(scene)
        for _ in range(4):
            await scene.phone.speaks(240)
            await scene.phone.waits(700)
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        assert len(noted(scene, TalkedThrough)) == 4
    assert scene.journal.said()[-1] == "common.anything_else"


async def test_words_over_the_voice_are_the_callers_turn() -> None:
    async with call([HOURS, "oui mais je veux un conseiller"]) as scene:
        await agent_speaks(scene)
        await scene.says()
        assert isinstance(await scene.outcome(), Transferred)
        [interrupted] = [event for event in scene.journal.events if isinstance(event, TurnInterrupted)]
        history = (await scene.dialogue.state(CALL.id))["messages"]
    cut = [message for message in history if message.additional_kwargs.get("interrupted")]
    assert str(cut[0].text) == interrupted.heard != ""
    assert "dix-huit heures" not in interrupted.heard


async def test_a_yes_to_the_question_that_is_being_asked_is_an_answer() -> None:
    async with call([OFFER[0], "oui"], ScriptedTts(ms_per_character=60)) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.waits_until(lambda: "?" in scene.phone.line.playback.sentence)
        await scene.phone.waits(600)
        await scene.phone.speaks(300)
        assert isinstance(await scene.outcome(), Transferred)


async def test_who_says_yes_and_then_goes_on_is_heard_whole() -> None:
    async with call([HOURS, "oui", "oui et je veux un conseiller"]) as scene:
        await agent_speaks(scene)
        await scene.phone.speaks(300)
        await scene.phone.waits(400)
        await scene.phone.speaks(700)
        assert isinstance(await scene.outcome(), Transferred)
    _, yes, whole = scene.ears.heard
    assert whole.pcm.startswith(yes.pcm), "with the yes that had been let pass"


async def test_who_speaks_long_without_being_understood_may_end_before_the_voice_goes_on() -> None:
    async with call([HOURS, "", "mais je veux un conseiller"]) as scene:
        await agent_speaks(scene)
        await scene.phone.speaks(1000)
        await scene.phone.waits(300)
        assert scene.phone.hears_silence
        await scene.phone.speaks(600)
        assert isinstance(await scene.outcome(), Transferred)


async def test_an_answer_to_an_interruption_is_prepared_in_its_pause_too() -> None:
    async with call([HOURS, "mon assurance vie"]) as scene:
        await agent_speaks(scene)
        await scene.phone.speaks(600)
        await scene.phone.waits(400)
        assert any("numéro client" in text for text in scene.voice.asked)
        assert noted(scene, TurnInterrupted) == []
        await scene.phone.waits(400)
        assert len(noted(scene, TurnInterrupted)) == 1
        assert scene.journal.said()[-1] == "authenticate.ask_number"


# silence


async def test_who_looks_for_his_number_is_not_hurried() -> None:
    async with call(["mon assurance vie"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        await scene.phone.waits(14_000)
        assert "repair.quiet" not in scene.journal.said()
        await scene.phone.waits(2000)
        assert "repair.quiet" in scene.journal.said()


async def test_who_asks_for_a_moment_is_given_it_and_the_question_stays_open() -> None:
    async with call(["mon assurance vie", "attendez, je cherche mon contrat", NUMBER]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        assert scene.journal.said()[-1] == "care.hold_on"
        await scene.phone.waits(MOMENT_MS - 3000)
        assert scene.journal.said()[-1] == "care.hold_on"
        await scene.says()
        assert scene.journal.said()[-1] == "authenticate.ask_birth_date"


async def test_silence_is_asked_about_in_two_wordings_then_people_are_offered_then_it_is_goodbye() -> None:
    async with call() as scene:
        await scene.phone.waits_until(scene.running.done, at_most_ms=120_000)
        assert await scene.outcome() == HungUp()
    asked = [event.text for event in scene.journal.events if isinstance(event, TurnSaid)][2:]
    assert len(set(asked)) == 4


async def test_who_says_yes_when_people_are_offered_in_silence_is_passed_on() -> None:
    async with call(["oui"]) as scene:
        await scene.phone.waits_until(lambda: "repair.quiet_offer" in scene.journal.said())
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        await scene.phone.speaks(300)
        assert isinstance(await scene.outcome(), Transferred)


# the wait


async def standby() -> StandbyLines:
    lines = StandbyLines(ScriptedTts(ms_per_character=5))
    await lines.make()
    return lines


async def test_who_waits_is_told_so_and_the_answer_follows() -> None:
    ears = SlowStt([HOURS])
    async with call(ears=ears, budgets=Budgets(filler_ms=20), standby=await standby()) as scene:
        await scene.phone.hears_the_agent_out()
        ears.may_answer.clear()
        await scene.phone.speaks(600)
        await scene.phone.waits(800)
        await asyncio.sleep(0.6)  # the wait is real time: nothing else moves while nothing happens
        await scene.phone.hears_the_agent()
        assert scene.journal.said()[-1] == waiting_line(0).key
        ears.may_answer.set()
        await scene.phone.waits_until(lambda: "faq.answer" in scene.journal.said())
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        history = (await scene.dialogue.state(CALL.id))["messages"]
    assert not any("regarde" in str(message.text) for message in history), "no part of the answer"


async def test_an_answer_in_time_needs_no_filler() -> None:
    async with call([HOURS], standby=await standby()) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
    assert waiting_line(0).key not in scene.journal.said()


async def test_an_ear_that_never_answers_is_given_up_and_the_caller_handed_over() -> None:
    ears = SlowStt([HOURS])
    async with call(ears=ears, budgets=Budgets(transcription_ms=30), standby=await standby()) as scene:
        await scene.phone.hears_the_agent_out()
        ears.may_answer.clear()
        await scene.phone.speaks(600)
        await scene.phone.waits(300)
        await asyncio.sleep(0.1)
        outcome = await scene.outcome()
        assert isinstance(outcome, Transferred)
        assert outcome.reason == "technical"
    assert [event.component for event in scene.journal.events if isinstance(event, StageFailed)] == ["stt"]


class MuteVoice(ScriptedTts):
    """Falls silent for ever, or fails, from a moment on."""

    def __init__(self) -> None:
        super().__init__(ms_per_character=20)
        self.fault: str = ""

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        if self.fault == "fails":
            raise TtsFailed("no network")
        if self.fault == "stalls":
            await asyncio.Event().wait()
        async for chunk in super().speak(text, pace):
            yield chunk


@pytest.mark.parametrize("fault", ["fails", "stalls"])
@pytest.mark.parametrize("transcripts", [[HOURS], [SttFailed("no network")]])
async def test_when_nothing_works_any_more_the_caller_still_hears_it_and_is_handed_over(
    fault: str, transcripts: list[str | Exception]
) -> None:
    voice = MuteVoice()
    lines = await standby()
    async with call(transcripts, voice, budgets=Budgets(voice_ms=400), standby=lines) as scene:
        await scene.phone.hears_the_agent_out()
        voice.fault = fault
        before = len(scene.phone.heard)
        await scene.phone.speaks(600)
        await scene.phone.waits(900)
        await asyncio.sleep(0.6)
        assert isinstance(await scene.outcome(), Transferred)
        assert loud_ms(scene, before) > 0, "the line that was kept for it"
    assert scene.journal.said()[-1] == technical_line().key


async def test_a_dialogue_that_never_answers_is_given_up() -> None:
    async with call([HOURS], budgets=Budgets(dialogue_ms=400), standby=await standby()) as scene:
        await scene.phone.hears_the_agent_out()
        lock = scene.dialogue._locks[CALL.id]
        await lock.acquire()  # as a run that never ends would
        await scene.phone.speaks(600)
        await scene.phone.waits(900)
        await asyncio.sleep(0.6)
        outcome = await scene.outcome()
        lock.release()
        assert isinstance(outcome, Transferred)


# how the caller wants to be spoken to


class SlowerAndLouder(Dialogue):
    """Every caller has asked for it."""

    async def turn(
        self,
        call_id: str,
        heard: Heard,
        cut: Mapping[str, str] | None = None,
        confirmed: asyncio.Event | None = None,
        *,
        instead: bool = False,
    ) -> AsyncGenerator[Reply, None]:
        if not isinstance(heard, CallBegins):
            yield Manner("slow", louder=True)
        async for reply in super().turn(call_id, heard, cut, confirmed, instead=instead):
            yield reply


async def test_slowly_is_slower_with_longer_pauses_and_figures_in_groups_and_louder_is_louder() -> None:
    async with call(["mon assurance vie", NUMBER], dialogues=SlowerAndLouder) as scene:
        await scene.phone.hears_the_agent_out()
        softest = max(map(peak, scene.phone.heard))
        await scene.says()
        await scene.phone.hears_the_agent_out()
        before = len(scene.phone.heard)
        await scene.says()
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
    assert "zéro sept" in scene.voice.asked, "figures group by group"
    assert any(text.startswith("Pour accéder à votre dossier, ") for text in scene.voice.asked), "words whole"
    spoken = scene.phone.heard[before:]
    runs = [(loud, len(list(run)) * FRAME_MS) for loud, run in groupby(f != SILENCE_FRAME for f in spoken)]
    pauses = [length_ms for loud, length_ms in runs if not loud][1:]  # not the one before all speech
    assert max(pauses) == 2 * SENTENCE_PAUSE_MS
    assert GROUP_PAUSE_MS - FRAME_MS <= min(pauses) <= GROUP_PAUSE_MS + FRAME_MS
    assert softest * 1.8 < max(map(peak, spoken)) < 32767


async def test_asked_in_his_own_words_the_whole_call_is_slower_and_louder_and_nothing_is_lost() -> None:
    """Through the merged dialogue: no twin asks for it."""
    said = [
        "mon assurance vie",
        "parlez plus lentement",
        "plus fort s'il vous plaît",
        NUMBER,
        BORN,
        "pardon ?",
    ]
    async with call(said) as scene:
        await scene.phone.hears_the_agent_out()
        softest = max(map(peak, scene.phone.heard))
        for _ in said:
            asked, before = len(scene.voice.asked), len(scene.phone.heard)
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
            await scene.phone.waits(100)
        again = " ".join(scene.voice.asked[asked:])
        spoken = scene.phone.heard[before:]
    assert scene.voice.paces[-1] is Pace.SLOW
    assert softest * 1.8 < max(map(peak, spoken)) < 32767
    assert "quarante-cinq mille deux cent trente euros" in again, "the last answer, whole"
    assert "Merci, Madame Moreau" not in again, "without its courtesies"
    runs = [(loud, len(list(run)) * FRAME_MS) for loud, run in groupby(f != SILENCE_FRAME for f in spoken)]
    assert 2 * SENTENCE_PAUSE_MS in [length_ms for loud, length_ms in runs if not loud]


async def test_how_he_wants_to_be_spoken_to_survives_the_worker() -> None:
    async with call(["mon assurance vie", "parlez plus lentement"]) as scene:
        for _ in range(2):
            await scene.phone.hears_the_agent_out()
            await scene.says()
        await scene.phone.hears_the_agent_out()
        kept = scene.dialogue
    replies = [reply async for reply in kept.turn(CALL.id, Resumed())]
    assert Manner("slow") in replies[:1], "before the first word"


def peak(frame: bytes) -> int:
    samples: tuple[int, ...] = struct.unpack(f"<{len(frame) // 2}h", frame)
    return max(map(abs, samples))


# whatever happens


WORDS = st.lists(st.sampled_from([HOURS, "oui", "", "non", NUMBER, "au revoir"]), max_size=6)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["speech", "quiet", "key", "hash", "nothing", "hold", "release"]), st.integers(1, 60)
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    events=EVENTS, words=st.lists(st.sampled_from([HOURS, "oui", "", "non", NUMBER, "au revoir"]), max_size=6)
)
def test_whatever_happens_on_the_line_the_session_ends_and_leaves_no_task(
    events: list[tuple[str, int]], words: list[str]
) -> None:
    asyncio.run(_whatever_happens(events, words))


async def _whatever_happens(events: list[tuple[str, int]], words: list[str]) -> None:
    before = asyncio.all_tasks()
    ears = SlowStt([*words, *["oui"] * 200])
    async with call(ears=ears, budgets=Budgets(filler_ms=1), standby=await standby()) as scene:
        for kind, amount in events:
            if scene.running.done():
                break
            await _happens(scene, ears, kind, amount)
        scene.phone.line.closed("the caller hung up")
        outcome: Outcome = await asyncio.wait_for(scene.running, 5)
    assert asyncio.all_tasks() == before
    assert isinstance(outcome, CallerLeft | HungUp | Transferred | NoAudio)
    assert scene.dialogue._locks == {}
    ends = [event for event in scene.journal.events if isinstance(event, CallEnded)]
    assert ends == [CallEnded(outcome)]


async def _happens(scene: Scene, ears: SlowStt, kind: str, amount: int) -> None:
    match kind:
        case "speech":
            await scene.phone.speaks(amount * FRAME_MS)
        case "quiet":
            await scene.phone.waits(amount * FRAME_MS)
        case "nothing":
            for _ in range(amount):
                await scene.phone.tick(frame=None)
        case "key":
            scene.phone.line.digit_in(str(amount % 10))
        case "hash":
            scene.phone.line.digit_in("#")
        case "hold":
            ears.may_answer.clear()
        case "release":
            ears.may_answer.set()


async def test_what_was_heard_is_noted_before_what_was_said_and_both_only_once() -> None:
    async with call([HOURS, "au revoir"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        await scene.says()
        assert await scene.outcome() == HungUp()
    kinds = [type(event) for event in noted(scene, TurnHeard, NodePassed, TurnSaid)]
    assert [kind for kind, _ in groupby(kinds)][3:7] == [TurnHeard, NodePassed, TurnSaid, NodePassed]
    assert len(noted(scene, TurnHeard)) == 3


async def test_keys_throw_away_what_was_being_prepared() -> None:
    async with call(["mon assurance vie", "dix zéro"]) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        await scene.phone.hears_the_agent_out()
        await scene.phone.speaks(600)
        await scene.phone.waits(300)
        for key in "10078821#":
            scene.phone.line.digit_in(key)
        await scene.phone.hears_the_agent_out()
    assert scene.heard()[-1] == Keys("10078821")
    assert len(noted(scene, SpeculationDropped)) == 1


def test_the_default_pause_leaves_room_for_the_least_patience() -> None:
    timing = TurnTiming()
    assert timing.pause_ms < min(timing.patience_ms.values())
