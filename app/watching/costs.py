"""What providers cost, by the prices in the settings: counted, charged to the call and to the day.

Theory of operation. Hosted ears and voices are metered where they are asked (:mod:`audio.metered`), a model
counts its own tokens; what runs on this machine costs nothing. Each amount is told at once as news
(:class:`memory.provider_news.Spent`), for the metrics, and summed by call. One task at a time brings the
sums to :class:`memory.limits.Limits`: no turn waits for that. A call that turns out to be over its cap is
remembered here, and its session asks (:meth:`Costs.may_go_on`) before it answers the next turn. What is
spent for no call, or for one that is over, is the day's.
"""

import asyncio
from dataclasses import dataclass

from memory.limits import Limits, Over
from memory.provider_news import ProviderNews, Spent, Stage, Tell, TokensUsed, nobody
from telephony.call import CallId
from telephony.current_call import NO_CALL, current_call
from telephony.journal import CallCameBack, CallEnded, CallEvent, CallStarted

_MS_A_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Prices:
    """In cents."""

    stt_a_minute: float = 0.0
    tts_a_1000_characters: float = 0.0
    llm_a_1000_tokens: float = 0.0


class Costs:
    """Charges what providers do. A journal too, that opens and closes the calls' accounts."""

    def __init__(self, limits: Limits, prices: Prices, tell: Tell = nobody) -> None:
        """``tell`` is told of every amount."""
        self._limits = limits
        self._prices = prices
        self._tell = tell
        self._open: set[CallId] = set()
        self._over: set[CallId] = set()
        self._owed: dict[CallId, float] = {}
        self._settling: asyncio.Task[None] | None = None

    @property
    def open_calls(self) -> int:
        """Accounts that are open."""
        return len(self._open)

    def may_go_on(self, call_id: CallId) -> bool:
        """Whether the call has not reached its cap."""
        return call_id not in self._over

    # the meters

    def heard(self, speech_ms: int) -> None:
        """A hosted ear was given so much speech."""
        self._charge(Stage.STT, speech_ms / _MS_A_MINUTE * self._prices.stt_a_minute)

    def said(self, characters: int) -> None:
        """A hosted voice was given so much text."""
        self._charge(Stage.TTS, characters / 1000 * self._prices.tts_a_1000_characters)

    def told(self, news: ProviderNews) -> None:
        """A model says what it used; other news cost nothing."""
        if isinstance(news, TokensUsed):
            tokens = news.prompt + news.completion
            self._charge(Stage.LLM, tokens / 1000 * self._prices.llm_a_1000_tokens)

    # the accounts

    def note(self, call_id: CallId, event: CallEvent) -> None:
        """See :class:`telephony.journal.Journal`."""
        match event:
            case CallStarted() | CallCameBack():
                self._open.add(call_id)
            case CallEnded():
                self._open.discard(call_id)
                self._over.discard(call_id)
            case _:
                pass

    async def settled(self) -> None:
        """Return when everything that was charged is with the limits."""
        if self._settling is not None:
            await asyncio.wait([self._settling])

    def _charge(self, stage: Stage, cents: float) -> None:
        if not cents:
            return
        self._tell(Spent(stage, cents))
        call_id = current_call()
        self._owed[call_id] = self._owed.get(call_id, 0.0) + cents
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle(), name="costs are charged")

    async def _settle(self) -> None:
        while self._owed:
            call_id, cents = self._owed.popitem()
            charged = call_id if call_id in self._open else NO_CALL
            over = await self._limits.spend(charged, cents)
            if over is Over.COST_OF_CALL and call_id in self._open:
                self._over.add(call_id)
