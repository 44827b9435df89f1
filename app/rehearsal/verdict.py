"""Did the call go as the script says? Judged from three witnesses, once the call is over.

The agent's journal says what it understood, which nodes ran and what it said. The caller says when he
spoke and when he heard an answer. The recording says whether there was a voice at those times at all. A
turn is good when all three agree with the script; if not, each fault says what was expected and what
happened. Pure: no clock, no I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.rehearsal.caller import Spoken
from app.rehearsal.script import Cue, Script
from app.watching.transcript import Transcript, Turn
from audio.pcm import BYTES_PER_MS, FRAME_BYTES, FRAME_MS
from telephony.call import Outcome
from telephony.simulated.handset import Heard, is_loud

STOPS_WITHIN_MS = 1000
"""From the caller's first sound to the agent's last, when he interrupts. Trade figures are 200 to 300 ms; a
loaded machine takes longer, and a caller who has to say three words over the voice has still been heard."""

TRACES_MS = (-60.0, 500.0)
"""From the agent's note that the first frame left to the sound in the caller's ear: the wire, and the
quiet with which a voice may begin."""

VOICED_SHARE = 0.5
"""Of a stretch of speech, at least this much is sound; the rest are stops between syllables."""

PAUSE_MS = 1200
"""The agent's speech is one answer until a pause of this length."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Both voices of the call, from the same moment on: signed 16-bit mono at 8 kHz."""

    caller: bytes
    agent: bytes
    stretches: tuple[Heard, ...]
    """When the agent spoke, by what reached the caller."""

    def voiced(self, track: bytes, from_ms: float, to_ms: float) -> float:
        """The share of the 20 ms frames of ``track`` between two positions that hold a voice."""
        first, last = int(from_ms / FRAME_MS), max(int(to_ms / FRAME_MS), int(from_ms / FRAME_MS) + 1)
        frames = [track[n * FRAME_BYTES : (n + 1) * FRAME_BYTES] for n in range(first, last)]
        return sum(is_loud(frame) for frame in frames) / len(frames)

    @property
    def duration_ms(self) -> float:
        """How long the call was."""
        return len(self.agent) / BYTES_PER_MS


@dataclass(frozen=True, slots=True)
class Wait:
    """From the caller's last sound to the first of the answer at his ear, and where it went (ms)."""

    heard_ms: float
    endpointing_ms: float
    """To the decision that his turn is over: patience, and the tail with which the detector sees silence."""
    transcription_ms: float
    dialogue_ms: float
    voice_ms: float

    @property
    def line_ms(self) -> float:
        """From the voice's first sound to the caller's ear: tick, wire, the voice's quiet beginning."""
        return self.framework_ms - self.dialogue_ms

    @property
    def framework_ms(self) -> float:
        """Our own share: everything but the patience at the end of speech, the ear and the voice."""
        return self.heard_ms - self.endpointing_ms - self.transcription_ms - self.voice_ms


@dataclass(frozen=True, slots=True)
class Scene:
    """One turn of the script, and what became of it."""

    spoken: Spoken
    turns: tuple[Turn, ...]
    """The agent's turns from the caller's line on: one, if all is well."""
    answer: Heard | None
    """When the answer was heard."""
    wait: Wait | None
    faults: tuple[str, ...]

    @property
    def cue(self) -> Cue:
        """The turn of the script."""
        return self.spoken.cue

    @property
    def recognised(self) -> str:
        """What the ear made of the caller's line."""
        return " / ".join(turn.text for turn in self.turns if turn.how == "words" and turn.text)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that ran."""
        return tuple(passed.node for turn in self.turns for passed in turn.nodes)

    @property
    def said(self) -> str:
        """What the agent said, or meant to say when he was interrupted."""
        return " ".join(line.text or "" for turn in self.turns for line in turn.lines)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole call."""

    scenes: tuple[Scene, ...]
    faults: tuple[str, ...]
    """Of the call as a whole."""

    @property
    def passed(self) -> bool:
        """Every turn happened as expected, and so did the end."""
        return not self.faults and not any(scene.faults for scene in self.scenes)


def judge(
    script: Script,
    played: Sequence[Spoken],
    transcript: Transcript,
    recording: Recording,
    *,
    word_for_word: bool,
    speed: float = 1.0,
) -> Verdict:
    """Compare what happened with ``script``.

    ``word_for_word``: the ear gives back the very line or nothing (a closed set); a real recogniser
    writes "10 07" for "dix, zéro sept", so its text is judged by what the agent did with it.
    ``speed``: how many times faster than life the call ran, since stages take real time.
    """
    answers = [_answer(recording, spoken) for spoken in played]
    groups = _groups(played, transcript.turns)
    scenes = []
    for number, (spoken, turns) in enumerate(zip(played, groups, strict=True)):
        previous = groups[number - 1] if number else ()
        following = played[number + 1].cue if number + 1 < len(played) else None
        faults = [
            *_not_understood(spoken, turns, word_for_word=word_for_word),
            *_not_done(spoken.cue, turns),
            *_not_heard(spoken, turns, answers[number], recording),
            *_not_interrupted(spoken, previous, recording),
            *_interrupted_by_nobody(turns, following),
        ]
        if not faults and spoken.trouble:
            faults = [spoken.trouble]
        scenes.append(
            Scene(spoken, turns, answers[number], wait_for_answer(spoken, turns, speed), tuple(faults))
        )
    return Verdict(tuple(scenes), tuple(_ended_otherwise(script, transcript.outcome)))


def _groups(played: Sequence[Spoken], turns: Sequence[Turn]) -> list[tuple[Turn, ...]]:
    """The agent's turns by the caller's line that they came after."""
    began_ms = [spoken.said.started_ms if spoken.said else float("inf") for spoken in played]
    began_ms[0] = 0.0
    ends_ms = [*began_ms[1:], float("inf")]
    return [
        tuple(turn for turn in turns if begin <= turn.noted_ms < end)
        for begin, end in zip(began_ms, ends_ms, strict=True)
    ]


def _answer(recording: Recording, spoken: Spoken) -> Heard | None:
    if spoken.answer_at_ms is None:
        return None
    answer: Heard | None = None
    for stretch in recording.stretches:
        if stretch.ended_ms <= spoken.answer_at_ms:
            continue
        if answer is None:
            answer = Heard(spoken.answer_at_ms, stretch.ended_ms)
        elif stretch.started_ms - answer.ended_ms < PAUSE_MS:
            answer = Heard(answer.started_ms, stretch.ended_ms)
        else:
            break
    return answer


def _not_understood(spoken: Spoken, turns: Sequence[Turn], *, word_for_word: bool) -> list[str]:
    if not spoken.cue.says:
        return []
    if spoken.said is None:
        return [f"the caller never came to say « {spoken.cue.says} »"]
    heard = [turn for turn in turns if turn.how == "words"]
    if not heard:
        return [f"said « {spoken.cue.says} », but the agent's ear heard no speech end"]
    if any(turn.text is None for turn in heard):
        return []  # the caller refused to be recorded: nobody knows any more
    text = heard[-1].text
    if not text:
        return [f"said « {spoken.cue.says} », but no words were recognised"]
    if word_for_word and text != spoken.cue.says:
        return [f"said « {spoken.cue.says} », recognised as « {text} »"]
    return []


def _not_done(cue: Cue, turns: Sequence[Turn]) -> list[str]:
    faults = [f"failed: {failure}" for turn in turns for failure in turn.failures]
    ran = [passed.node for turn in turns for passed in turn.nodes]
    if not _in_order(cue.nodes, ran):
        faults.append(f"expected the nodes {' → '.join(cue.nodes)}, ran {' → '.join(ran) or 'none'}")
    said = [line.key for turn in turns for line in turn.lines]
    if missing := [key for key in cue.lines if key not in said]:
        faults.append(f"expected the line {', '.join(missing)}, said {', '.join(said) or 'nothing'}")
    kept = [line.text for turn in turns for line in turn.lines if line.text is not None]
    text = _plain(" ".join(kept))
    if kept and (absent := [words for words in cue.words if _plain(words) not in text]):
        faults.append(f"expected « {' », « '.join(absent)} » in « {text} »")
    return faults


def _not_heard(
    spoken: Spoken, turns: Sequence[Turn], answer: Heard | None, recording: Recording
) -> list[str]:
    """The recording holds what the caller and the agent's journal say it holds."""
    faults = []
    said = spoken.said
    if said is not None:
        share = recording.voiced(recording.caller, said.started_ms, said.speech_ended_ms)
        if share < VOICED_SHARE:
            faults.append(f"only {share:.0%} of the caller's line is voice in the recording")
    if answer is None:
        if said is not None or not spoken.cue.says:
            faults.append(spoken.trouble or "no answer was heard")
        return faults
    share = recording.voiced(recording.agent, answer.started_ms, answer.ended_ms)
    if share < VOICED_SHARE:
        faults.append(f"only {share:.0%} of the answer is voice in the recording")
    noted_ms = next((turn.answered_at_ms for turn in turns if turn.answered_at_ms is not None), None)
    if noted_ms is not None:
        late_ms = answer.started_ms - noted_ms
        if not TRACES_MS[0] <= late_ms <= TRACES_MS[1]:
            faults.append(
                f"the agent began to answer at {noted_ms:.0f} ms, the caller heard it {late_ms:.0f} ms later"
            )
    return faults


def _not_interrupted(spoken: Spoken, previous: Sequence[Turn], recording: Recording) -> list[str]:
    """The caller cut in: the voice was speaking, and stopped."""
    if spoken.cue.interrupts_after_ms is None or spoken.said is None:
        return []
    began_ms = spoken.said.started_ms
    stops_ms = voice_stops_ms(recording, began_ms)
    if stops_ms is None:
        return ["the agent was not speaking when the caller cut in"]
    faults = []
    if not any(turn.interruption for turn in previous):
        faults.append("the agent did not notice that it was interrupted")
    if stops_ms - began_ms > STOPS_WITHIN_MS:
        faults.append(
            f"the agent spoke on for {stops_ms - began_ms:.0f} ms after the caller cut in; "
            f"{STOPS_WITHIN_MS} ms at most were expected"
        )
    return faults


def voice_stops_ms(recording: Recording, at_ms: float) -> float | None:
    """When the agent's voice, speaking at ``at_ms``, stopped; None when it was not speaking then."""
    speaking = (heard for heard in recording.stretches if heard.started_ms <= at_ms < heard.ended_ms)
    return next((heard.ended_ms for heard in speaking), None)


def _interrupted_by_nobody(turns: Sequence[Turn], following: Cue | None) -> list[str]:
    meant = following is not None and following.interrupts_after_ms is not None
    if meant or not any(turn.interruption for turn in turns):
        return []
    return ["the agent was interrupted, and nobody had meant to"]


def wait_for_answer(spoken: Spoken, turns: Sequence[Turn], speed: float) -> Wait | None:
    """How long the caller waited for the answer that ``turns`` gave; None when that was not measured.

    The stages are the agent's own figures; where they lie on the caller's clock follows from the first frame.
    """
    turn = next((turn for turn in turns if turn.times is not None), None)
    if spoken.said is None or spoken.answer_at_ms is None or turn is None:
        return None
    if turn.times is None or turn.answered_at_ms is None:
        return None
    times = turn.times
    after_ms = times.transcription_ms + times.dialogue_ms + times.voice_ms + times.line_ms
    decided_ms = turn.answered_at_ms - after_ms * speed
    return Wait(
        spoken.answer_at_ms - spoken.said.speech_ended_ms,
        decided_ms - spoken.said.speech_ended_ms,
        times.transcription_ms * speed,
        times.dialogue_ms * speed,
        times.voice_ms * speed,
    )


def _ended_otherwise(script: Script, outcome: Outcome | None) -> list[str]:
    ended = outcome.name if outcome is not None else "not at all"
    return (
        [] if ended == script.outcome else [f"expected the call to end by {script.outcome}, it ended {ended}"]
    )


def _in_order(expected: Sequence[str], found: Sequence[str]) -> bool:
    rest = iter(found)
    return all(name in rest for name in expected)


def _plain(text: str) -> str:
    """Without the difference between kinds of space and of apostrophe."""
    return " ".join(text.replace("’", "'").split())
