"""Cloud providers are greeted before a caller needs them.

A connection to a provider costs two or three round trips and a handshake; a key that was revoked or a model
that was withdrawn costs the first caller a failed turn. So every provider that can be is *warmed* when the
agent starts, and again when a call starts and it was not lately: while the greeting is spoken, nobody waits.

Only what somebody has to mend is told to the breakers, so that it is on the readiness page before the first
call. An outage they learn from the calls themselves, whose requests are other than this one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from memory.breaker import Breakers, BreakerState, FaultKind, ProviderFailed
from telephony.call import CallId
from telephony.journal import CallEvent, CallStarted

FRESH_S = 60.0
"""Well within the 300 s that the adapters keep an idle connection; bounds what a rush of calls costs."""

Warm = Callable[[], Awaitable[None]]
"""Opens a provider's connection and checks key and model. Raises ``ProviderFailed``."""


@dataclass(slots=True)
class Warming:
    """Warms providers at the start of calls; a journal, see :class:`telephony.journal.Journal`."""

    breakers: Breakers
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    _providers: dict[str, Warm] = field(default_factory=dict)
    _warmed_s: dict[str, float] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def add(self, name: str, warm: Warm) -> None:
        """``warm`` is how provider ``name``, as its breaker is called, is warmed."""
        self._providers[name] = warm

    def note(self, call_id: CallId, event: CallEvent) -> None:
        """A call begins."""
        if isinstance(event, CallStarted):
            self.begin()

    def begin(self) -> None:
        """Warm, in the background, who was not warmed lately."""
        now_s = self.clock()
        for name, warm in self._providers.items():
            if now_s - self._warmed_s.get(name, -FRESH_S) < FRESH_S:
                continue
            self._warmed_s[name] = now_s
            task = asyncio.create_task(self._one(name, warm), name=f"warm {name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait until nothing is being warmed."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Leave off."""
        for task in self._tasks:
            task.cancel()
        await self.idle()

    async def _one(self, name: str, warm: Warm) -> None:
        breaker = self.breakers.of(name)
        wrong_settings = breaker.state is BreakerState.MISCONFIGURED
        attempt = breaker.attempt() if wrong_settings or breaker.state is BreakerState.CLOSED else None
        if attempt is None:
            return  # it is down: its probe must be a request of the kind that failed
        try:
            await warm()
        except ProviderFailed as failed:
            if failed.fault.kind is FaultKind.CONFIGURATION:
                attempt.failed(failed.fault)
        else:
            if wrong_settings:
                attempt.succeeded()
        finally:
            attempt.dropped()
