"""Live calls for operations: what Asterisk knows of each, joined with what the agent knows; alarms; actions.

Theory of operation. AMI's events keep three tables (:mod:`telephony.channels`); every ten seconds, and soon
after a new call, lists are asked for, which make good what events do not tell or have lost. A channel
and a call of the book are the same when the dialplan or AudioSocket has named the call on the channel,
else by the channel's name, which AGI told the agent. Tables are emptied when the link is lost: what
Asterisk does meanwhile is not known, and is not guessed.

An alarm is a condition that has lasted: some are true for a moment in any healthy call, between two
events that two programs tell. No call depends on anything here; without AMI the table holds what the
agent knows, and only the actions fail.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from app.watching.calls import CallBook, CallStatus
from telephony.agi_server import SCRIPT
from telephony.ami import (
    Ami,
    AmiAway,
    AmiEvent,
    AmiRefused,
    AmiState,
    Bridged,
    ChannelGone,
    QueueJoined,
    QueueLeft,
)
from telephony.call import CallId
from telephony.channels import ChannelRow, ChannelTable, QueueTable, TrunkTable

log = logging.getLogger(__name__)

NOT_CONFIGURED = "no AMI: ASTERISK_AMI_SECRET is not set"


TakingAway = Callable[[CallId, str], AbstractAsyncContextManager[Mapping[str, str]]]
"""The agent's part when its caller is taken to a desk: :meth:`telephony.agi_server.AgiServer.taking_away`."""


class UnknownLiveCall(LookupError):
    """Neither Asterisk nor the agent knows such a call."""


class UnknownQueue(LookupError):
    """Asterisk has no such queue."""


class NotOnTheLine(Exception):
    """The call is known, but Asterisk has no channel of it (any more)."""


class AlarmKind(StrEnum):
    """What can be wrong."""

    ORPHAN_CHANNEL = "orphan_channel"
    """A caller is in AGI or AudioSocket, and nobody here talks with him."""
    LOST_CHANNEL = "lost_channel"
    """The agent talks on, and Asterisk has no such channel."""
    LONG_CALL = "long_call"
    LONG_QUEUE = "long_queue"
    TRUNK_DOWN = "trunk_down"
    AMI_AWAY = "ami_away"
    AMI_REFUSED = "ami_refused"


_OF_TWO_SIDES = frozenset({AlarmKind.ORPHAN_CHANNEL, AlarmKind.LOST_CHANNEL})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on something is an alarm."""

    longest_call_s: float = 1800.0
    longest_queue: int = 10
    lasting_s: float = 5.0
    """How long an orphan, a lost channel or a missing link is no alarm yet; far more than a hang-up takes."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something is wrong."""

    kind: AlarmKind
    subject: str
    """A call's name, a queue, a trunk; nothing of a caller."""
    seconds: float
    """Since it was first seen."""


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One caller: his channel, and the agent's call with him; either may be missing."""

    name: str
    """By which the actions know it: the call's UUID, else the channel's ``uniqueid``."""
    channel: ChannelRow | None
    bridged_with: tuple[str, ...]
    """Channels of those he talks to, when Asterisk has bridged him."""
    status: CallStatus | None
    seconds: float


class Monitor:
    """See the module's text. For the event loop's thread."""

    def __init__(
        self,
        ami: Ami | None,
        calls: CallBook,
        audio_address: str = "",
        trunks: frozenset[str] = frozenset(),
        handover_context: str = "operator",
        thresholds: Thresholds | None = None,
        *,
        taking_away: TakingAway | None = None,
        clock: Callable[[], float] = time.monotonic,
        refresh_every_s: float = 10.0,
        settle_s: float = 1.0,
    ) -> None:
        """``ami`` is None when none is configured; the monitor does not own it.

        ``audio_address`` is the ``host:port`` to which Asterisk carries this agent's sound: what goes
        elsewhere is another agent's. ``trunks`` are the PJSIP endpoints whose loss is an alarm;
        ``handover_context`` is where the dialplan takes those whom an operator sends to a queue or an
        extension. ``taking_away`` tells the agent that he takes a caller from it, and gives what the
        channel is to hold.
        ``settle_s`` passes between a new call and the list that shows it whole.
        """
        self._ami = ami
        self._calls = calls
        self._audio_address = audio_address
        self._handover_context = handover_context
        self._taking_away = taking_away or _nobodys
        self._thresholds = thresholds or Thresholds()
        self._clock = clock
        self._refresh_every_s = refresh_every_s
        self._settle_s = settle_s
        self._channels = ChannelTable()
        self._queues = QueueTable()
        self._trunks = TrunkTable(trunks)
        self._listed = False
        self._stale = asyncio.Event()
        self._conditions: dict[tuple[AlarmKind, str], float] = {}
        self._raised: set[tuple[AlarmKind, str]] = set()
        self._leg_watchers: list[Callable[[ChannelRow], None]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._unsubscribe: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Begin to watch; returns at once."""
        if self._ami is not None:
            self._unsubscribe = [self._ami.events(self._hear), self._ami.states(self._link_changed)]
        self._keeper = asyncio.create_task(self._keep(), name="monitor")

    async def close(self) -> None:
        """Watch no more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None

    def legs_ended(self, told: Callable[[ChannelRow], None]) -> None:
        """Call ``told`` with the last state of each caller's channel that is hung up."""
        self._leg_watchers.append(told)

    # what there is

    @property
    def asterisk(self) -> AmiState | None:
        """How the link stands; None when there is none."""
        return None if self._ami is None else self._ami.state

    @property
    def channels(self) -> int | None:
        """How many channels there are; None while that is not known."""
        return len(self._channels) if self._listed else None

    def queue_lengths(self) -> dict[str, int]:
        """How many wait, by queue; empty while that is not known."""
        return self._queues.lengths()

    def live_calls(self) -> list[LiveCall]:
        """Every caller there is now, the one who is there longest first."""
        live = {status.call_id: status for status in self._calls.live() if status.channel}
        by_channel = {status.channel: status for status in live.values()}
        bridges: defaultdict[str, list[str]] = defaultdict(list)
        rows = self._channels.rows()
        for row in rows:
            bridges[row.bridge].append(row.name)
        found: list[LiveCall] = []
        for row in rows:
            status = (row.call_id and live.get(row.call_id)) or by_channel.get(row.name)
            if status is None and not row.first_of_call:
                continue  # a leg that was made for a caller who has his own row
            if status is not None:
                live.pop(status.call_id, None)
            peers = tuple(name for name in bridges[row.bridge] if row.bridge and name != row.name)
            found.append(LiveCall(_name(row, status), row, peers, status, self._clock() - row.since_s))
        missing = live.values()
        found += [LiveCall(one.call_id, None, (), one, self._calls.seconds(one)) for one in missing]
        return sorted(found, key=lambda call: -call.seconds)

    def alarms(self) -> list[Alarm]:
        """What is wrong now."""
        self._review()
        now_s = self._clock()
        return [Alarm(*key, now_s - self._conditions[key]) for key in sorted(self._raised)]

    # actions: all raise AmiAway, AmiRefused, UnknownLiveCall, NotOnTheLine

    async def hang_up(self, name: str) -> None:
        """End a call, from Asterisk's side."""
        ami, channel, _ = self._target(name)
        await ami.hang_up(channel.name)
        log.info("operator.hang_up", extra={"call": name})

    async def transfer(self, name: str, extension: str) -> None:
        """Take a caller away from whoever he is with, to an extension."""
        await self._redirect(name, extension)
        log.info("operator.transfer", extra={"call": name, "extension": extension})

    async def send_to_queue(self, name: str, queue: str) -> None:
        """The same, to a queue. Raises :class:`UnknownQueue`."""
        ami, _, _ = self._target(name)
        if queue not in self._queues.lengths():
            await ami.queues()  # it may be new, or the link
        if queue not in self._queues.lengths():
            raise UnknownQueue(f"Asterisk has no queue {queue!r}")
        await self._redirect(name, queue)
        log.info("operator.queue", extra={"call": name, "queue": queue})

    async def _redirect(self, name: str, to: str) -> None:
        ami, channel, call_id = self._target(name)
        async with self._taking_away(call_id, to) as variables:
            await ami.redirect(channel.name, self._handover_context, to, variables)
        self._stale.set()

    def _target(self, name: str) -> tuple[Ami, ChannelRow, CallId]:
        if self._ami is None:
            raise AmiAway(NOT_CONFIGURED)
        if self._ami.state is not AmiState.UP:
            raise AmiAway(f"no link to Asterisk's manager interface ({self._ami.state})")
        for call in self.live_calls():
            row = call.channel
            if row is not None and name in (call.name, row.uniqueid):
                return self._ami, row, CallId(call.name)
        if self._calls.status(CallId(name)) is not None:
            raise NotOnTheLine("this call is not on the telephone, or no longer")
        raise UnknownLiveCall("there is no such live call")

    # keeping the tables

    async def refresh(self) -> None:
        """Ask for the lists, and look for alarms. What cannot be had is left as it is."""
        if self._ami is not None and self._ami.state is AmiState.UP:
            with suppress(AmiAway, AmiRefused):
                await self._ami.channels()
                self._listed = self._ami.state is AmiState.UP
            with suppress(AmiAway, AmiRefused):
                await self._ami.queues()
            with suppress(AmiAway, AmiRefused):
                await self._ami.trunks()
        self._review()

    async def _keep(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception:  # calls go on without us; the next round may do better
                log.exception("monitor.failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._refresh_every_s):
                    await self._stale.wait()
            await asyncio.sleep(self._settle_s)
            self._stale.clear()

    def _hear(self, event: AmiEvent) -> None:
        if isinstance(event, ChannelGone):
            self._leg_ended(event.uniqueid)
        channels = len(self._channels)
        self._channels.apply(event, self._clock())
        self._queues.apply(event)
        self._trunks.apply(event)
        if len(self._channels) > channels or isinstance(event, QueueJoined | QueueLeft | Bridged):
            self._stale.set()  # a list tells what the channel runs now; with least rights no event does

    def _leg_ended(self, uniqueid: str) -> None:
        row = self._channels.row(uniqueid)
        if row is not None and row.first_of_call:
            for told in self._leg_watchers:
                told(row)

    def _link_changed(self, state: AmiState) -> None:
        if state is AmiState.UP:
            self._stale.set()
        else:
            self._listed = False
            for table in (self._channels, self._queues, self._trunks):
                table.clear()

    # alarms

    def _review(self) -> None:
        """Which conditions hold, since when; those that have lasted are alarms, and are logged once."""
        now_s = self._clock()
        found = set(self._found())
        if any(kind in _OF_TWO_SIDES for kind, _ in found - self._conditions.keys()):
            self._stale.set()  # perhaps one side has not told yet: a list does, before it has lasted
        self._conditions = {key: self._conditions.get(key, now_s) for key in found}
        raised = {
            key for key, since_s in self._conditions.items() if now_s - since_s >= self._grace_s(key[0])
        }
        for kind, subject in sorted(raised - self._raised):
            log.warning("alarm.raised", extra={"kind": str(kind), "subject": subject})
        for kind, subject in sorted(self._raised - raised):
            log.info("alarm.cleared", extra={"kind": str(kind), "subject": subject})
        self._raised = raised

    def _grace_s(self, kind: AlarmKind) -> float:
        match kind:
            case AlarmKind.ORPHAN_CHANNEL | AlarmKind.LOST_CHANNEL | AlarmKind.AMI_AWAY:
                return self._thresholds.lasting_s
            case _:
                return 0.0

    def _found(self) -> Iterator[tuple[AlarmKind, str]]:
        match self.asterisk:
            case AmiState.AWAY:
                yield AlarmKind.AMI_AWAY, ""
            case AmiState.REFUSED:
                yield AlarmKind.AMI_REFUSED, ""
        for queue, length in self._queues.lengths().items():
            if length > self._thresholds.longest_queue:
                yield AlarmKind.LONG_QUEUE, queue
        for trunk in self._trunks.down():
            yield AlarmKind.TRUNK_DOWN, trunk
        yield from self._found_on(self.live_calls())

    def _found_on(self, calls: Iterable[LiveCall]) -> Iterator[tuple[AlarmKind, str]]:
        for call in calls:
            if call.seconds > self._thresholds.longest_call_s:
                yield AlarmKind.LONG_CALL, call.name
            if call.channel is None:
                if self._listed:
                    yield AlarmKind.LOST_CHANNEL, call.name
            elif call.status is None and self._is_ours(call.channel):
                yield AlarmKind.ORPHAN_CHANNEL, call.name

    def _is_ours(self, row: ChannelRow) -> bool:
        """Whether the caller is to be with this agent, as far as Asterisk knows."""
        match row.application.lower():
            case "audiosocket":
                return row.audio_address == self._audio_address
            case "agi":  # before the sound is asked for; AGI(agi://host:port/agent,…)
                return row.data.partition(",")[0].endswith(f"/{SCRIPT}")
            case _:
                return False


@asynccontextmanager
async def _nobodys(_call_id: CallId, _desk: str) -> AsyncIterator[Mapping[str, str]]:
    yield {}


def _name(row: ChannelRow, status: CallStatus | None) -> str:
    return row.uniqueid if status is None else status.call_id
