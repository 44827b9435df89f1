"""A call of two turns that went well, made by hand, for the verdict, the screen and the keepsakes."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.rehearsal.caller import Spoken
from app.rehearsal.script import Cue, Script
from app.rehearsal.verdict import Recording, Verdict, judge
from app.watching.transcript import Transcript
from audio.pcm import BYTES_PER_MS
from graph.heard import CallBegins, Heard, Words
from telephony.call import Call, CallId, HungUp
from telephony.journal import (
    CallEnded,
    CallEvent,
    CallStarted,
    NodePassed,
    TurnHeard,
    TurnSaid,
    TurnTimed,
    TurnTimes,
)
from telephony.simulated.handset import Heard as Stretch
from telephony.simulated.handset import Said

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
QUESTION = "Où en est mon dossier ?"
ANSWER = "Votre dossier est en cours d'étude."
CUES = (
    Cue("accueil", nodes=("greet",), lines=("greet.notice",), words=("Assurance Vie",)),
    Cue(
        "sinistre",
        QUESTION,
        nodes=("classify", "claims"),
        lines=("claims.under_review",),
        words=("en cours d’étude",),
    ),
)


def sound(length_ms: int, *voices: tuple[int, int]) -> bytes:
    """Silence with a tone in each of ``voices`` (from, to, in ms)."""
    pcm = bytearray(length_ms * BYTES_PER_MS)
    for from_ms, to_ms in voices:
        for n in range(from_ms * 8, to_ms * 8):
            struct.pack_into("<h", pcm, n * 2, round(6000 * math.sin(n / 3)))
    return bytes(pcm)


@dataclass(frozen=True)
class Staged:
    """The three witnesses of one call."""

    script: Script
    played: tuple[Spoken, ...]
    events: tuple[tuple[float, CallEvent], ...]
    recording: Recording

    @property
    def transcript(self) -> Transcript:
        clock = [0.0]
        transcript = Transcript(CALL, lambda: clock[0])
        for clock[0], event in self.events:  # the clock is the loop's variable on purpose
            transcript.note(CALL, event)
        return transcript

    def verdict(self, *, word_for_word: bool = True, speed: float = 1.0) -> Verdict:
        return judge(
            self.script,
            self.played,
            self.transcript,
            self.recording,
            word_for_word=word_for_word,
            speed=speed,
        )

    def faults(self) -> list[str]:
        verdict = self.verdict()
        return [fault for scene in verdict.scenes for fault in scene.faults] + list(verdict.faults)

    def hearing(self, heard: Heard) -> "Staged":
        """The same, but the caller's line was understood as ``heard``."""
        events = [
            (at_ms, TurnHeard(heard, 2000, 4000) if isinstance(event, TurnHeard) and at_ms else event)
            for at_ms, event in self.events
        ]
        return replace(self, events=tuple(events))

    def without(self, *kinds: type[CallEvent]) -> "Staged":
        """The same, but events of these kinds never happened."""
        return replace(self, events=tuple(one for one in self.events if not isinstance(one[1], kinds)))

    def plus(self, *events: tuple[float, CallEvent]) -> "Staged":
        """The same, and these happened too."""
        return replace(self, events=tuple(sorted([*self.events, *events], key=lambda one: one[0])))


def staged(*, cues: Sequence[Cue] = CUES) -> Staged:
    """Greeting 0 to 3 s; question 4 to 6 s; answer 6.8 to 9 s."""
    played = (
        Spoken(cues[0], None, 20.0),
        Spoken(cues[1], Said(4000, 6000, 6020), 6800.0),
    )
    events: list[tuple[float, CallEvent]] = [
        (0.0, CallStarted(Call(CALL))),
        (0.0, TurnHeard(CallBegins())),
        (0.0, TurnSaid("greet.notice", "Bonjour, Assurance Vie.")),
        (0.0, NodePassed("greet", 0.5)),
        (6750.0, TurnHeard(Words(QUESTION, 0.9), 2000, 4000)),
        (6755.0, NodePassed("classify", 1.0)),
        (6760.0, TurnSaid("claims.under_review", ANSWER)),
        (6765.0, NodePassed("claims", 2.0)),
        (6790.0, TurnTimed(TurnTimes(700, 40, 10, 20, 10))),
        (9100.0, CallEnded(HungUp())),
    ]
    recording = Recording(
        sound(9200, (4000, 6000)),
        sound(9200, (20, 3000), (6800, 9000)),
        (Stretch(20, 3000), Stretch(6800, 9000)),
    )
    return Staged(Script("0612345678", "hung_up", tuple(cues)), played, tuple(events), recording)
