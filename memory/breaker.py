"""Circuit breakers: who is known to be down is not asked again in every call.

Theory of operation. There is one breaker per provider, shared by all calls of the process. It is *closed*
while the provider works; it *opens* when enough attempts fail, and refuses attempts for a while, so that
callers are served by the next provider at once instead of after a time-out each; then it is *half open*:
exactly one attempt, the probe, is let through, and its end decides. Every failed probe doubles the wait, up
to a bound. A probe of which nothing is heard (its caller hung up) gives its place back, at the latest after
``probe_s``.

Not every failure says that the provider is down (:class:`FaultKind`): a limit that is reached opens at once,
for as long as the provider asks; a wrong key or a model that was withdrawn is for operations to mend, shows
as such on the readiness page, and is tried again once a minute; what one request did wrong counts for
nothing.

All of it is synchronous and in memory: a turn never waits for a breaker. Workers share what they learn by
:data:`BreakerNews`, told through a callback that must not block and heard with :meth:`Breakers.hear`; a
Redis adapter publishes the one and subscribes to the other. News carry durations, for clocks differ. When the
news are late or lost, each worker still has its own breaker: it learns by itself, a few failures later.

The machine is the customary one (M. Nygard, "Release It!", chapter "Circuit Breaker"); the numbers are chosen
for a telephone, where three callers in a row served late are already many.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What a failure says about its provider."""

    AWAY = "away"
    """Refused, stalled, cut, broken or a 5xx: it may be down."""
    BUSY = "busy"
    """A limit is reached; it will not answer before it said."""
    CONFIGURATION = "configuration"
    """The key or the model's name is refused: somebody has to change a setting."""
    REQUEST = "request"
    """This one request cannot be served (too long, malformed); the next one can."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an attempt failed. ``reason`` is short, ours, and holds nothing of a caller: ``HTTP 503``."""

    kind: FaultKind = FaultKind.AWAY
    reason: str = ""
    retry_after_s: float | None = None
    """How long the provider asked to be left alone."""


class ProviderFailed(Exception):
    """A provider could not answer; each port has its own kind. ``fault`` is what its breaker is told."""

    def __init__(self, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.fault = fault or Fault(reason=type(self).__name__)


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    MISCONFIGURED = "misconfigured"
    """Not open: the provider is up, and refuses our settings."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens, and for how long."""

    failures_in_a_row: int = 3
    failures_of_last: tuple[int, int] = (5, 10)
    """So many of so many: a provider that fails every other time never fails three times in a row."""
    open_s: float = 5.0
    longest_open_s: float = 60.0
    """Bounds the doubling, and what a provider may ask for with ``retry-after``."""
    probe_s: float = 10.0
    """Longer than any stage's budget: a probe that takes longer was forgotten."""
    misconfigured_s: float = 60.0


DEFAULT_RULES = BreakerRules()


@dataclass(frozen=True, slots=True)
class Opened:
    """The provider is not asked for ``for_s`` seconds."""

    name: str
    for_s: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Probing:
    """One worker tries it now; the others leave it alone for ``for_s`` seconds at most."""

    name: str
    for_s: float


@dataclass(frozen=True, slots=True)
class Closed:
    """It works again."""

    name: str


BreakerNews = Opened | Probing | Closed
"""What workers tell each other."""


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """One breaker as the readiness page shows it."""

    name: str
    state: BreakerState
    last_fault: Fault | None
    """Since the process started; it stays when the provider works again."""
    retry_in_s: float
    """Until it may be tried; 0 when it may."""


class Attempt:
    """One request that a breaker let through; tell it how it ended, the first word counts.

    An attempt that began before the breaker last opened or closed says nothing about now, and is ignored.
    """

    __slots__ = ("_breaker", "_era", "_over")

    def __init__(self, breaker: "Breaker", era: int) -> None:
        self._breaker = breaker
        self._era = era
        self._over = False

    def succeeded(self) -> None:
        """It answered, in time."""
        if self._ends():
            self._breaker.attempt_succeeded()

    def failed(self, fault: Fault) -> None:
        """It failed, or was given up because it took too long."""
        if self._ends():
            self._breaker.attempt_failed(fault)

    def dropped(self) -> None:
        """Nothing was learned: the caller hung up or spoke on, and it was cancelled."""
        if self._ends():
            self._breaker.attempt_dropped()

    def _ends(self) -> bool:
        first, self._over = not self._over, True
        return first and self._era == self._breaker.era


class Breaker:
    """The breaker of one provider; made by :class:`Breakers`. Ask with :meth:`attempt`."""

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        rules: BreakerRules,
        tell: Callable[[BreakerNews], None],
    ) -> None:
        self.name = name
        self.era = 0
        """Counts openings, probes and closings."""
        self._clock = clock
        self._rules = rules
        self._tell = tell
        self._ends: deque[bool] = deque(maxlen=rules.failures_of_last[1])
        self._barred_until_s: float | None = None
        """None while closed; then no attempt before it, and one after it."""
        self._probing = False
        self._open_s = rules.open_s
        self._misconfigured = False
        self._last_fault: Fault | None = None

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._barred_until_s is None:
            return BreakerState.CLOSED
        if self._misconfigured:
            return BreakerState.MISCONFIGURED
        waiting = self._clock() < self._barred_until_s and not self._probing
        return BreakerState.OPEN if waiting else BreakerState.HALF_OPEN

    def status(self) -> BreakerStatus:
        """For the readiness page."""
        barred_s = 0.0 if self._barred_until_s is None else self._barred_until_s - self._clock()
        return BreakerStatus(self.name, self.state, self._last_fault, max(0.0, barred_s))

    def attempt(self) -> Attempt | None:
        """Leave to try the provider now; None: it is down, take the next one.

        Whoever takes it must say how it ended.
        """
        if self._barred_until_s is not None:
            if self._clock() < self._barred_until_s:
                return None
            self._probe(self._rules.probe_s)
            self._probing = True
            self._tell(Probing(self.name, self._rules.probe_s))
        return Attempt(self, self.era)

    def attempt_succeeded(self) -> None:
        """The end of an attempt; told by :class:`Attempt`."""
        self._ends.append(True)
        if self._barred_until_s is not None:
            self._close()
            self._tell(Closed(self.name))

    def attempt_failed(self, fault: Fault) -> None:
        """The end of an attempt; told by :class:`Attempt`."""
        self._last_fault = fault
        was_probe = self._barred_until_s is not None
        rules = self._rules
        match fault.kind:
            case FaultKind.REQUEST:
                self.attempt_dropped()
                return
            case FaultKind.CONFIGURATION:
                for_s = rules.misconfigured_s
            case FaultKind.BUSY:
                for_s = self._open_s if fault.retry_after_s is None else max(0.0, fault.retry_after_s)
            case FaultKind.AWAY:
                self._ends.append(False)
                if not was_probe and not self._has_enough():
                    return
                for_s = self._open_s
        if fault.kind is not FaultKind.CONFIGURATION:
            self._open_s = min(self._open_s * 2, rules.longest_open_s)
        for_s = min(for_s, rules.longest_open_s)
        self._open(for_s, fault)
        self._tell(Opened(self.name, for_s, fault))

    def attempt_dropped(self) -> None:
        """The end of an attempt; told by :class:`Attempt`. A probe's place is free again."""
        if self._probing:
            self._probing = False
            self._barred_until_s = self._clock()

    def hear(self, news: BreakerNews) -> None:
        """Another worker's news."""
        match news:
            case Opened(_, for_s, fault):
                self._last_fault = fault
                self._open(min(max(0.0, for_s), self._rules.longest_open_s), fault)
            case Probing(_, for_s) if self._barred_until_s is not None and not self._probing:
                self._probe(min(max(0.0, for_s), self._rules.probe_s))
            case Closed() if self._barred_until_s is not None:
                self._close()
            case _:
                pass

    def _has_enough(self) -> bool:
        in_a_row = self._rules.failures_in_a_row
        last = list(self._ends)
        if len(last) >= in_a_row and not any(last[-in_a_row:]):
            return True
        failures, of = self._rules.failures_of_last
        return len(last) == of and last.count(False) >= failures

    def _open(self, for_s: float, fault: Fault) -> None:
        self.era += 1
        self._probing = False
        self._misconfigured = fault.kind is FaultKind.CONFIGURATION
        self._barred_until_s = self._clock() + for_s

    def _probe(self, for_s: float) -> None:
        self.era += 1
        self._barred_until_s = self._clock() + for_s

    def _close(self) -> None:
        self.era += 1
        self._probing = self._misconfigured = False
        self._barred_until_s = None
        self._open_s = self._rules.open_s
        self._ends.clear()


class Breakers:
    """All breakers of a process, by the provider's name, as its port has it (``name``)."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        rules: BreakerRules = DEFAULT_RULES,
        tell: Callable[[BreakerNews], None] | None = None,
    ) -> None:
        """``clock`` gives seconds; ``tell`` is given the news for other workers, and must not block."""
        self._clock = clock
        self._rules = rules
        self._listeners = [tell] if tell is not None else []
        self._breakers: dict[str, Breaker] = {}

    def of(self, name: str) -> Breaker:
        """The breaker of provider ``name``, made closed when there was none."""
        if name not in self._breakers:
            self._breakers[name] = Breaker(name, self._clock, self._rules, self._told)
        return self._breakers[name]

    def hear(self, news: BreakerNews) -> None:
        """What another worker tells; it is not told again."""
        self.of(news.name).hear(news)

    def share(self, tell: Callable[[BreakerNews], None]) -> Callable[[], None]:
        """From now on news go to ``tell`` too, until what is returned is called: a link to other workers."""
        self._listeners.append(tell)
        return lambda: self._listeners.remove(tell)

    def statuses(self) -> list[BreakerStatus]:
        """Of all that were asked for, by name."""
        return [self._breakers[name].status() for name in sorted(self._breakers)]

    def _told(self, news: BreakerNews) -> None:
        for listener in tuple(self._listeners):
            listener(news)
