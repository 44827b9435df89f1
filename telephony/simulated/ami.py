"""The twin of the AMI link: an Asterisk in memory that rings, queues and hangs up when told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from telephony.ami import (
    AmiAway,
    AmiEvent,
    AmiState,
    ChannelGone,
    ChannelListed,
    ChannelListEnded,
    ChannelSeen,
    ChannelView,
    NoSuchChannel,
    NoSuchExtension,
    QueueJoined,
    QueueListed,
    QueueListEnded,
    StepTaken,
    TrunkReported,
    WaitingListed,
)
from telephony.call import CallId


@dataclass
class SimulatedAmi:
    """See :class:`telephony.ami.Ami`."""

    state: AmiState = AmiState.UP
    extensions: set[tuple[str, str]] = field(default_factory=set)
    """Places of the dialplan, as (context, extension)."""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    """Who waits, by queue: the channels' ``uniqueid``."""
    trunk_reports: list[TrunkReported] = field(default_factory=list)
    live: dict[str, ChannelListed] = field(default_factory=dict)
    """The channels, by ``uniqueid``."""
    lists_asked: int = 0
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    """What redirects have set, by ``uniqueid``."""
    _state_watchers: list[Callable[[AmiState], None]] = field(default_factory=list)
    _event_watchers: list[Callable[[AmiEvent], None]] = field(default_factory=list)

    # what happens at Asterisk

    def ring(
        self,
        name: str,
        *,
        caller: str = "",
        context: str = "from-trunk",
        exten: str = "600",
        linkedid: str = "",
    ) -> str:
        """A channel is there and up; its ``uniqueid``."""
        uniqueid = f"{len(self.live) + 1}.{name}"
        view = ChannelView(uniqueid, linkedid or uniqueid, name, "up", caller, context, exten)
        self.live[uniqueid] = ChannelListed(view, "", "", "alaw", "", None, 0)
        self.tell(ChannelSeen(view))
        return uniqueid

    def run(self, uniqueid: str, application: str, data: str) -> None:
        """The channel runs another application of its dialplan."""
        channel = self.live[uniqueid]
        self.live[uniqueid] = replace(channel, application=application, data=data)
        self.tell(StepTaken(channel.channel, application, data))

    def carry_sound(self, uniqueid: str, call_id: CallId, address: str) -> None:
        """AGI runs AudioSocket on the channel: no event tells, a list does."""
        channel = self.live[uniqueid]
        self.live[uniqueid] = replace(channel, application="AudioSocket", data=f"{call_id},{address}")

    def wait_in(self, queue: str, uniqueid: str) -> None:
        """The channel waits in ``queue``."""
        self.waiting.setdefault(queue, []).append(uniqueid)
        self.tell(QueueJoined(queue, uniqueid, len(self.waiting[queue])))

    def leave(self, uniqueid: str) -> None:
        """The channel is hung up."""
        del self.live[uniqueid]
        self.tell(ChannelGone(uniqueid, 16, "normal clearing"))

    def become(self, state: AmiState) -> None:
        """The link comes or goes."""
        self.state = state
        for told in tuple(self._state_watchers):
            told(state)

    def tell(self, event: AmiEvent) -> None:
        """``event`` is told, while the link is up."""
        if self.state is AmiState.UP:
            for told in tuple(self._event_watchers):
                told(event)

    # the port

    def states(self, told: Callable[[AmiState], None]) -> Callable[[], None]:
        """See :class:`telephony.ami.Ami`."""
        self._state_watchers.append(told)
        return lambda: self._state_watchers.remove(told)

    def events(self, told: Callable[[AmiEvent], None]) -> Callable[[], None]:
        """See :class:`telephony.ami.Ami`."""
        self._event_watchers.append(told)
        return lambda: self._event_watchers.remove(told)

    async def channels(self) -> Sequence[ChannelListed]:
        """See :class:`telephony.ami.Ami`."""
        self._reach()
        self.lists_asked += 1
        listed = list(self.live.values())
        for entry in listed:
            self.tell(entry)
        self.tell(ChannelListEnded())
        return listed

    async def queues(self) -> Sequence[QueueListed]:
        """See :class:`telephony.ami.Ami`."""
        self._reach()
        listed = [QueueListed(queue, len(waiting)) for queue, waiting in self.waiting.items()]
        entries = [WaitingListed(queue, one, 0) for queue, waiting in self.waiting.items() for one in waiting]
        for queue_listed in listed:
            self.tell(queue_listed)
        for entry in entries:
            self.tell(entry)
        self.tell(QueueListEnded())
        return listed

    async def trunks(self) -> Sequence[TrunkReported]:
        """See :class:`telephony.ami.Ami`."""
        self._reach()
        for event in self.trunk_reports:
            self.tell(event)
        return self.trunk_reports

    async def hang_up(self, channel: str) -> None:
        """See :class:`telephony.ami.Ami`."""
        self._reach()
        self.leave(self._uniqueid(channel))

    async def redirect(
        self, channel: str, context: str, exten: str, variables: Mapping[str, str] | None = None
    ) -> None:
        """See :class:`telephony.ami.Ami`."""
        self._reach()
        if (context, exten) not in self.extensions:
            raise NoSuchExtension(f"Did not find extension {exten}@{context}")
        uniqueid = self._uniqueid(channel)
        self.variables.setdefault(uniqueid, {}).update(variables or {})
        listed = self.live[uniqueid]
        moved = replace(listed.channel, context=context, exten=exten)
        self.live[uniqueid] = replace(listed, channel=moved)
        self.run(uniqueid, "Queue", exten)

    def _reach(self) -> None:
        if self.state is not AmiState.UP:
            raise AmiAway(f"no link to Asterisk's manager interface ({self.state})")

    def _uniqueid(self, name: str) -> str:
        for uniqueid, listed in self.live.items():
            if listed.channel.name == name:
                return uniqueid
        raise NoSuchChannel("No such channel")
