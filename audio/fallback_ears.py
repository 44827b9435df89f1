"""Several ears behind the one port: the best one that answers in time is the one that heard.

Theory of operation. The ears stand in order of how well they hear. The first that its breaker lets through is
asked. When it fails, the next one is asked at once; when it has not answered after ``hedge_ms``, the next one
is asked as well and both run on: a cloud ear has a long tail (P99 of 1.5 s where the median is 0.3), and
waiting for it to fail would be what the caller hears. The first transcript wins and the others are cancelled.
A later ear that understood nothing does not win while a better one is still at work: a recogniser with a
closed list answers at once, and mostly with nothing.

``budget_ms`` bounds the whole, whatever each ear's own time-out is. Who was overtaken, or had not answered by
then, was too slow: its breaker is told so. Who was cancelled because the caller spoke on has failed nobody.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from audio.endpointing import Expecting, Utterance
from audio.stt import SpeechToText, SttFailed, Transcript
from memory.breaker import Attempt, Breakers, Fault
from memory.provider_news import Answered, Exhausted, Failed, Stage, Switched, Tell, Why, nobody

BUDGET_MS = 2300
"""The caller hears a filler meanwhile; longer than that he is better off with people. Less than what a turn
waits for its transcript (``telephony.turn.Budgets``): who was too slow is told so to its breaker first.
"""

HEDGE_MS = 900
"""Three times the median of the cloud ear; about one utterance in twenty takes longer."""

SLOW = "too slow"
_TOO_SLOW = Fault(reason=SLOW)


class FallbackEars:
    """An ordered chain of ears; see :class:`audio.stt.SpeechToText`."""

    def __init__(
        self,
        ears: Sequence[SpeechToText],
        breakers: Breakers,
        *,
        budget_ms: int = BUDGET_MS,
        hedge_ms: int = HEDGE_MS,
        tell: Tell = nobody,
    ) -> None:
        """``breakers`` are asked and told by the ears' names. Raises ``ValueError`` without an ear."""
        if not ears:
            raise ValueError("a chain of ears needs one at least")
        self._ears = tuple(ears)
        self._breakers = breakers
        self._budget_s = budget_ms / 1000
        self._hedge_s = hedge_ms / 1000
        self._tell = tell

    @property
    def name(self) -> str:
        """``groq:whisper-large-v3-turbo, then whisper:small``."""
        return ", then ".join(ear.name for ear in self._ears)

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """See :class:`audio.stt.SpeechToText`. Within the budget, or :class:`audio.stt.SttFailed`."""
        race = _Race(self._ears, self._breakers, self._tell, utterance, expecting)
        try:
            return await race.run(self._budget_s, self._hedge_s)
        finally:
            race.stop()


@dataclass(frozen=True, slots=True)
class _Asked:
    """One ear at work on the utterance."""

    place: int
    name: str
    attempt: Attempt
    begun_s: float


class _Race:
    """One utterance on its way through the chain."""

    def __init__(
        self,
        ears: Sequence[SpeechToText],
        breakers: Breakers,
        tell: Tell,
        utterance: Utterance,
        expecting: Expecting,
    ) -> None:
        self._rest = deque(enumerate(ears))
        self._breakers = breakers
        self._tell = tell
        self._utterance = utterance
        self._expecting = expecting
        self._loop = asyncio.get_running_loop()
        self._running: dict[asyncio.Task[Transcript], _Asked] = {}
        self._left: list[tuple[str, Why, str]] = []
        """Who was left, why and for what reason, while nobody has taken over yet."""
        self._reserve: Transcript | None = None
        """A later ear's answer without words, for when nobody has a better one."""
        self._last: SttFailed | None = None

    async def run(self, budget_s: float, hedge_s: float) -> Transcript:
        """The first good transcript. Raises :class:`audio.stt.SttFailed` when there is none in time."""
        ends_s = self._loop.time() + budget_s
        self._ask_next()
        hedge_at_s = self._loop.time() + hedge_s
        while self._running:
            wait_s = min(ends_s, hedge_at_s) - self._loop.time()
            done, _ = await asyncio.wait(
                self._running, timeout=max(0.0, wait_s), return_when=asyncio.FIRST_COMPLETED
            )
            for task in sorted(done, key=lambda one: self._running[one].place):
                if (transcript := self._ended(task)) is not None:
                    return transcript
            now_s = self._loop.time()
            if now_s >= ends_s:
                self._give_up()
            elif not self._running:
                self._ask_next()
                hedge_at_s = now_s + hedge_s
            elif now_s >= hedge_at_s:
                hedge_at_s = now_s + hedge_s if self._rest and self._overtake() else ends_s
        if self._reserve is not None:
            return self._reserve
        self._switched("")
        self._tell(Exhausted(Stage.STT))
        raise self._failure() from self._last

    def stop(self) -> None:
        """Let go of whoever is still at work; nothing is learned of them."""
        for task, asked in self._running.items():
            asked.attempt.dropped()
            _abandon(task)

    def _ask_next(self) -> bool:
        """Start the next ear that may be tried; whether there was one."""
        while self._rest:
            place, ear = self._rest.popleft()
            attempt = self._breakers.of(ear.name).attempt()
            if attempt is None:
                self._left.append((ear.name, Why.BARRED, ""))
                continue
            self._switched(ear.name)
            task = self._loop.create_task(ear.transcribe(self._utterance, self._expecting), name=ear.name)
            self._running[task] = _Asked(place, ear.name, attempt, self._loop.time())
            return True
        return False

    def _overtake(self) -> bool:
        """Ask the next ear beside those that are slow."""
        slowest = max(self._running.values(), key=lambda asked: asked.place)
        self._left.append((slowest.name, Why.SLOW, SLOW))
        return self._ask_next()

    def _ended(self, task: "asyncio.Task[Transcript]") -> Transcript | None:
        """What ``task`` came to; None when the race goes on."""
        asked = self._running.pop(task)
        try:
            transcript = task.result()
        except SttFailed as failed:
            self._last = failed
            self._failed(asked, failed.fault)
            self._left.append((asked.name, Why.FAILED, failed.fault.reason))
            return None
        asked.attempt.succeeded()
        self._tell(Answered(Stage.STT, asked.name, (self._loop.time() - asked.begun_s) * 1000))
        better = [other for other in self._running.values() if other.place < asked.place]
        if better and not transcript.text:
            self._reserve = transcript
            return None
        for overtaken in better:
            self._failed(overtaken, _TOO_SLOW)
        return transcript

    def _give_up(self) -> None:
        for task, asked in self._running.items():
            self._failed(asked, _TOO_SLOW)
            self._left.append((asked.name, Why.SLOW, SLOW))
            _abandon(task)
        self._running.clear()

    def _failed(self, asked: _Asked, fault: Fault) -> None:
        asked.attempt.failed(fault)
        self._tell(Failed(Stage.STT, asked.name, fault.reason))

    def _switched(self, taken: str) -> None:
        for left, why, reason in self._left:
            self._tell(Switched(Stage.STT, left, taken, why, reason))
        self._left.clear()

    def _failure(self) -> SttFailed:
        if self._last is not None:
            return SttFailed(
                f"no ear gave a transcript; the last one to fail: {self._last}", self._last.fault
            )
        return SttFailed(
            "no ear gave a transcript: all were too slow, or barred by their breakers", _TOO_SLOW
        )


def _abandon(task: "asyncio.Task[Transcript]") -> None:
    """Cancel ``task``; how it ends is nobody's business any more."""
    task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
