"""Whose turn is it? Speech probabilities in; starts, pauses and ends of the caller's turns out.

Theory of operation
===================

The detector is pure. It is told how long the next piece of sound lasts and how probable speech is in
it, and answers with events. It knows no clock: time is the sum of the durations it was told, in
milliseconds since the line began, and that is the position every event carries. It never sees the
sound either; :class:`audio.ear.Ear` keeps that, and cuts an utterance out of it where the detector says.

A piece is *speech* when its probability reaches the threshold. One piece makes one step at most:

    ========  =======================================  =============  ========
    in state  when                                     tells          becomes
    ========  =======================================  =============  ========
    WAITING   start_ms of speech, nearly in a row      SpeechStarted  SPEAKING
    SPEAKING  pause_ms without speech                  PossibleEnd    PAUSED
    PAUSED    speech                                   SpeechResumed  SPEAKING
    PAUSED    patience over                            TurnBounds     WAITING
    PAUSED    noise_ms over, under min_speech_ms       SpeechDropped  WAITING
    SPEAKING  max_utterance_ms since the first speech  TurnBounds     WAITING
    ========  =======================================  =============  ========

So a turn reads ``SpeechStarted (PossibleEnd SpeechResumed)* PossibleEnd TurnBounds``, except that a
noise ends with SpeechDropped and an endless turn without PossibleEnd.

Three rules run beside the states:

* **Starts are counted k of n, never n in a row.** A short first vowel and a stop consonant ("o-k-é",
  "à partir") leave a hole of one or two windows. A count that begins again there is late every so often
  (measured: reactions to a barge-in fall into two heaps). So speech is summed over the last
  ``start_ms * 5/3``: two windows of three, three of five.
* **Barge-in.** While the agent speaks, ``barge_in_ms`` of the caller's speech, counted the same way and
  only from when the agent began, yield one :class:`BargeIn`. It comes on top of the turn's own events.
* **Silence.** Nobody has spoken for ``silence_ms``: :class:`Silence`, and again after each further
  ``silence_ms``. The count runs from the later of the agent's last word and the end of the caller's last
  turn. Nothing is told while a turn is open, and a dropped noise does not begin the count anew: a caller
  whose dog barks every five seconds is still to be asked whether he is there.

How long a pause ends a turn is *patience*, and depends on what was asked (:class:`Expecting`): people
breathe between the pairs of a number they read out, and not within "oui". Whoever has read the words before
that may know better: :meth:`TurnDetector.end_turn` ends it at once, :meth:`TurnDetector.wait_longer` gives
this one pause more time. How long a *silence* may last depends on it too: a policy's number has to be found
first; and who asks for a moment is given it (:meth:`TurnDetector.hold_silence`).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from types import MappingProxyType

ONSET_SPREAD = 5 / 3
"""Speech that is to be noticed after x ms may be spread over x * 5/3: 2 windows of 3, 3 of 5."""


class Expecting(StrEnum):
    """What kind of answer the agent's last words call for."""

    OPEN = "open"
    YES_NO = "yes_no"
    NUMBER = "number"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the caller said in one turn: the sound, and where it lies on the call's audio clock."""

    pcm: bytes = field(repr=False)
    """Signed 16-bit little-endian mono at 8 kHz, with a little of the line before and after the speech."""
    started_ms: int
    """Position of the first sample of ``pcm``, in milliseconds since the line began."""
    ended_ms: int
    """Position just after its last sample."""

    @property
    def duration_ms(self) -> int:
        """How long ``pcm`` is."""
        return self.ended_ms - self.started_ms


# The events. ``at_ms`` is when the thing was known, on the call's audio clock.


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller has begun to speak. Sure enough to light a lamp, not yet to be a turn."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The caller speaks while the agent does. Once per speech of the agent."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class PossibleEnd:
    """The caller has paused; the ear makes a :class:`Paused` of it when he has said enough."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Paused:
    """The caller has paused; worth beginning to transcribe, in case this is the end."""

    utterance: Utterance
    """What he has said in this turn so far."""
    speech_ended_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """It was not the end."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechDropped:
    """What had begun was too short to be a turn: a click, a cough. Forget its SpeechStarted."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody has spoken for ``for_ms``; the agent may ask whether somebody is there."""

    for_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class TurnBounds:
    """The caller's turn is over; where its sound lies. The ear makes a :class:`TurnEnded` of it."""

    started_ms: int
    """Start of the utterance, look-back included."""
    ended_ms: int
    """End of the utterance, the sound kept after the last speech included."""
    speech_ended_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller's turn is over, and this is what was said."""

    utterance: Utterance
    speech_ended_ms: int
    """End of the last piece of speech. ``at_ms - speech_ended_ms`` is what patience cost the caller."""
    at_ms: int


DetectorEvent = SpeechStarted | BargeIn | PossibleEnd | SpeechResumed | SpeechDropped | TurnBounds | Silence
"""What :class:`TurnDetector` tells."""

EarEvent = SpeechStarted | BargeIn | Paused | SpeechResumed | SpeechDropped | TurnEnded | Silence
"""What :class:`audio.ear.Ear` tells: the same, pauses and turns with their sound.

A pause after what is too short to be a turn (a cough) is not told.
"""


# Ordinary turns want 0.7 to 0.9 s, dictated numbers 1.5 to 2 s (trade figures). A yes or a no is one breath.
# A date has three parts and a known end, so it needs less than a number of unknown length (our judgement).
PATIENCE_MS: Mapping[Expecting, int] = MappingProxyType(
    {Expecting.OPEN: 700, Expecting.YES_NO: 500, Expecting.NUMBER: 1500, Expecting.DATE: 1200}
)


@dataclass(frozen=True, slots=True)
class TurnTiming:
    """The thresholds and times of :class:`TurnDetector`.

    "Measured" means with Silero at 8 kHz on synthetic French in the telephone band, in windows of 32 ms.
    Raises ValueError when the times contradict each other.
    """

    threshold: float = 0.5
    """Speech probability, 0..1, from which a piece is speech while nobody speaks (VAD_THRESHOLD)."""
    off_threshold: float = 0.5
    """The same within a turn. Measured: the end of speech 20 dB over noise is seen after 80 ms
    with 0.5, after 98 ms with the customary 0.35. 0.65 takes another 10 to 20 ms off, but (measured at
    16 kHz) leaves holes of 300 ms and more in one sentence of thirteen."""
    start_ms: int = 64
    """Speech needed to tell SpeechStarted. Measured: two windows never started falsely in 12 000 s of
    steady noise; more only costs time."""
    barge_in_ms: int = 96
    """Speech needed to tell BargeIn. Measured: the agent stops after 210 to 231 ms (p95 276) with 96 ms,
    after 207 to 330 ms with 200 ms."""
    min_speech_ms: int = 150
    """Shorter speech is no turn (VAD_MIN_SPEECH_DURATION_MS). A brisk "oui" lasts 200 ms."""
    noise_ms: int = 400
    """Pause after which what was too short for a turn is dropped, when patience is longer: the agent, who
    has stopped for a cough, is to go on. Longer than the hole a stop consonant leaves in a word."""
    pause_ms: int = 128
    """Pause after which the end is possible. Measured: beginning to transcribe after 160 ms, and holding the
    answer until the end is sure, brings the answer from 1 090 to 736 ms after the last word (median, with
    500 ms of patience and simulated providers); every window of 32 ms less takes as much off that. On
    forty lines in two voices it makes 2.05 rounds with the ear a turn of 1.65 (and 96 ms 2.36), no more cuts.
    """
    patience_ms: Mapping[Expecting, int] = field(default_factory=lambda: PATIENCE_MS)
    """Pause after which the turn is over, by what was asked (for OPEN: VAD_MIN_SILENCE_DURATION_MS)."""
    silence_ms: int = 7000
    """Nobody speaks for so long: Silence. Much longer makes callers think that the line is dead (our
    judgement)."""
    look_up_ms: int = 15_000
    """The same when a number was asked for, which is on a letter, in a drawer (our judgement)."""
    max_utterance_ms: int = 30_000
    """A turn that lasts so long is ended: a television, a hold tune. Whisper hears 30 s at a time."""
    padding_ms: int = 300
    """Sound kept before the first and after the last speech (VAD_PADDING_DURATION_MS): the soft consonants
    in front of a first vowel, and the tail of the last word, are below the threshold."""

    def __post_init__(self) -> None:
        if not (0 < self.threshold <= 1 and 0 < self.off_threshold <= 1):
            raise ValueError(
                "thresholds are probabilities above 0, at most 1: "
                f"threshold={self.threshold}, off_threshold={self.off_threshold}"
            )
        if missing := [kind.value for kind in Expecting if kind not in self.patience_ms]:
            raise ValueError(f"patience_ms has no time for {', '.join(missing)}")
        shortest_patience = min(self.patience_ms.values())
        if not 0 < self.pause_ms < shortest_patience:
            raise ValueError(
                f"pause_ms={self.pause_ms} must lie between 0 and the least patience, {shortest_patience}"
            )
        if not 0 < self.start_ms <= self.barge_in_ms:
            raise ValueError(
                "0 < start_ms <= barge_in_ms does not hold: "
                f"start_ms={self.start_ms}, barge_in_ms={self.barge_in_ms}"
            )
        if self.min_speech_ms < 0 or self.padding_ms < 0 or self.silence_ms <= 0:
            raise ValueError("min_speech_ms and padding_ms must not be negative, silence_ms must be positive")
        if self.noise_ms < self.pause_ms or self.look_up_ms < self.silence_ms:
            raise ValueError(
                "noise_ms must not be below pause_ms, nor look_up_ms below silence_ms: "
                f"noise_ms={self.noise_ms}, look_up_ms={self.look_up_ms}"
            )
        if self.max_utterance_ms <= max(self.barge_in_ms * ONSET_SPREAD, self.min_speech_ms):
            raise ValueError(f"max_utterance_ms={self.max_utterance_ms} ends every turn before it has begun")


class _State(Enum):
    WAITING = auto()
    SPEAKING = auto()
    PAUSED = auto()


class _RecentSpeech:
    """Whether there were ``needed_ms`` of speech in the last ``needed_ms * ONSET_SPREAD``: k of n."""

    def __init__(self, needed_ms: int) -> None:
        self._needed_ms = needed_ms
        self._span_ms = needed_ms * ONSET_SPREAD
        self._pieces: deque[tuple[float, float]] = deque()  # where each piece of speech began and ended

    def add(self, began_ms: float, ended_ms: float) -> None:
        self._pieces.append((began_ms, ended_ms))

    def forget(self, now_ms: float) -> None:
        """Drop what began too long before ``now_ms``."""
        while self._pieces and self._pieces[0][0] < now_ms - self._span_ms:
            self._pieces.popleft()

    def clear(self) -> None:
        self._pieces.clear()

    @property
    def speech_ms(self) -> float:
        return sum(ended_ms - began_ms for began_ms, ended_ms in self._pieces)

    @property
    def enough(self) -> bool:
        return self.speech_ms >= self._needed_ms

    def began_ms(self, otherwise: float) -> float:
        """Where the oldest piece began."""
        return self._pieces[0][0] if self._pieces else otherwise


class TurnDetector:
    """Tells the turns of one caller. One per call; see the module's theory of operation."""

    def __init__(self, timing: TurnTiming) -> None:
        self._timing = timing
        self._patience_ms = timing.patience_ms[Expecting.OPEN]
        self._longer_ms = 0  # patience given to the pause under way
        self._state = _State.WAITING
        self._now_ms = 0.0

        self._onset = _RecentSpeech(timing.start_ms)
        self._began_ms = 0.0  # of the open turn: first speech,
        self._speech_ended_ms = 0.0  # last speech,
        self._speech_ms = 0.0  # and how much of it
        self._given_away_ms = 0.0  # sound before this belongs to an earlier utterance

        self._agent_speaking = False
        self._over_agent = _RecentSpeech(timing.barge_in_ms)
        self._barged_in = False

        self._silence_ms = timing.silence_ms
        self._held_ms = 0  # silence that was asked for
        self._quiet_since_ms = 0.0
        self._silence_due_ms = float(timing.silence_ms)

    @property
    def now_ms(self) -> float:
        """The sum of the durations heard."""
        return self._now_ms

    @property
    def needed_from_ms(self) -> float:
        """Sound before this position is part of no turn to come, nor of the open one."""
        if self._state is not _State.WAITING:
            return self._look_back(self._began_ms)
        return self._look_back(self._onset.began_ms(otherwise=self._now_ms))

    @property
    def agent_speaking(self) -> bool:
        """Whether the agent's voice is on the line now; to be kept up to date by the owner."""
        return self._agent_speaking

    @agent_speaking.setter
    def agent_speaking(self, speaking: bool) -> None:
        if speaking and not self._agent_speaking:
            self._barged_in = False
            self._over_agent.clear()
        elif self._agent_speaking and not speaking:
            self._count_silence_from(self._now_ms)
        self._agent_speaking = speaking

    def expect(self, expecting: Expecting) -> None:
        """From now on, have the patience that the answer to such a question needs."""
        self._patience_ms = self._timing.patience_ms[expecting]
        number = expecting is Expecting.NUMBER
        self._silence_ms = self._timing.look_up_ms if number else self._timing.silence_ms
        self._count_silence_from(self._quiet_since_ms)

    def hold_silence(self, for_ms: int) -> None:
        """The caller has asked for a moment: tell no Silence for so long, or until he has spoken again."""
        self._held_ms = for_ms
        self._count_silence_from(self._quiet_since_ms)

    def wait_longer(self, patience_ms: int) -> None:
        """Have at least so much patience with the pause under way: he was in the middle of a sentence."""
        if self._state is _State.PAUSED:
            self._longer_ms = patience_ms

    def end_turn(self) -> TurnBounds | None:
        """The turn is over, whatever patience is left: he has said all that was asked.

        None when there is no pause to end it in: he goes on, or the turn is already over.
        """
        if self._state is not _State.PAUSED:
            return None
        ended = self._close_turn()
        return ended if isinstance(ended, TurnBounds) else None

    @property
    def so_far(self) -> TurnBounds | None:
        """Where the open turn would lie if it ended now; None when there is none, or too little of one."""
        if self._state is _State.WAITING or self._speech_ms < self._timing.min_speech_ms:
            return None
        return self._bounds()

    def hear(self, duration_ms: float, probability: float) -> list[DetectorEvent]:
        """What the next ``duration_ms`` of sound mean, ``probability`` (0..1) being that of speech in it.

        A piece is judged as a whole: let it be shorter than ``pause_ms``. The defaults were measured with
        32 ms, the window of the voice detectors.
        """
        began_ms = self._now_ms
        self._now_ms += duration_ms
        match self._state:
            case _State.WAITING:
                speech = probability >= self._timing.threshold
                events = self._hear_waiting(speech, began_ms)
            case _State.SPEAKING:
                speech = probability >= self._timing.off_threshold
                events = self._hear_speaking(speech, began_ms)
            case _State.PAUSED:
                speech = probability >= self._timing.off_threshold
                events = self._hear_paused(speech, began_ms)
        if self._agent_speaking and not self._barged_in and speech:
            events += self._hear_over_agent(began_ms)
        return events

    def _hear_waiting(self, speech: bool, began_ms: float) -> list[DetectorEvent]:
        self._onset.forget(self._now_ms)
        if speech:
            self._onset.add(began_ms, self._now_ms)
            if self._onset.enough:
                return [self._open_turn()]
        elif self._now_ms >= self._silence_due_ms and not self._agent_speaking:
            self._silence_due_ms += self._silence_span_ms
            return [Silence(int(self._now_ms - self._quiet_since_ms), int(self._now_ms))]
        return []

    def _hear_speaking(self, speech: bool, began_ms: float) -> list[DetectorEvent]:
        if speech:
            self._add_speech(began_ms)
        if self._now_ms - self._began_ms >= self._timing.max_utterance_ms:
            return [self._close_turn()]
        if self._now_ms - self._speech_ended_ms >= self._timing.pause_ms:
            self._state = _State.PAUSED
            return [PossibleEnd(int(self._now_ms))]
        return []

    def _hear_paused(self, speech: bool, began_ms: float) -> list[DetectorEvent]:
        if speech:
            self._add_speech(began_ms)
            self._state = _State.SPEAKING
            self._longer_ms = 0
            return [SpeechResumed(int(self._now_ms))]
        patience_ms = max(self._patience_ms, self._longer_ms)
        if self._speech_ms < self._timing.min_speech_ms:
            patience_ms = min(patience_ms, self._timing.noise_ms)
        if self._now_ms - self._speech_ended_ms >= patience_ms:
            return [self._close_turn()]
        return []

    def _hear_over_agent(self, began_ms: float) -> list[DetectorEvent]:
        self._over_agent.forget(self._now_ms)
        self._over_agent.add(began_ms, self._now_ms)
        if self._state is _State.WAITING or not self._over_agent.enough:
            return []
        self._barged_in = True
        return [BargeIn(int(self._now_ms))]

    def _open_turn(self) -> SpeechStarted:
        self._state = _State.SPEAKING
        self._began_ms = self._onset.began_ms(otherwise=self._now_ms)
        self._speech_ms = self._onset.speech_ms
        self._speech_ended_ms = self._now_ms
        self._onset.clear()
        return SpeechStarted(int(self._now_ms))

    def _add_speech(self, began_ms: float) -> None:
        self._speech_ms += self._now_ms - began_ms
        self._speech_ended_ms = self._now_ms

    def _close_turn(self) -> TurnBounds | SpeechDropped:
        self._state = _State.WAITING
        self._longer_ms = 0
        if self._speech_ms < self._timing.min_speech_ms:
            return SpeechDropped(int(self._now_ms))
        bounds = self._bounds()
        self._given_away_ms = min(self._speech_ended_ms + self._timing.padding_ms, self._now_ms)
        self._held_ms = 0
        self._count_silence_from(max(self._speech_ended_ms, self._quiet_since_ms))
        return bounds

    def _bounds(self) -> TurnBounds:
        return TurnBounds(
            started_ms=int(self._look_back(self._began_ms)),
            ended_ms=int(min(self._speech_ended_ms + self._timing.padding_ms, self._now_ms)),
            speech_ended_ms=int(self._speech_ended_ms),
            at_ms=int(self._now_ms),
        )

    def _look_back(self, began_ms: float) -> float:
        """Where an utterance starts whose speech begins there: never inside the one before."""
        return max(began_ms - self._timing.padding_ms, self._given_away_ms)

    def _count_silence_from(self, position_ms: float) -> None:
        self._quiet_since_ms = position_ms
        self._silence_due_ms = position_ms + self._silence_span_ms

    @property
    def _silence_span_ms(self) -> int:
        return max(self._silence_ms, self._held_ms)
