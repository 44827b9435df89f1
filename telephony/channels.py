"""Asterisk's channels, queues and trunks, kept from what AMI tells. No socket; the clock is told.

Theory of operation. Each table is a fold over events (:mod:`telephony.ami`): ``apply(event, now_s)``. Events
alone would do if none were ever lost; lists, asked for at the start and now and then, make good what
was. A list is right at its place in the stream: what it does not name is gone when it ends. A channel
is known by its ``uniqueid``, for its name may change; the first event that shows it whole makes its row,
and only its ``Hangup``, or a list without it, ends it. A detail about a channel that is not known is
dropped: it comes from before the last list.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import assert_never

from telephony.ami import (
    AmiEvent,
    Booted,
    Bridged,
    CallNamed,
    ChannelGone,
    ChannelListed,
    ChannelListEnded,
    ChannelRenamed,
    ChannelSeen,
    ChannelView,
    Quality,
    QueueJoined,
    QueueLeft,
    QueueListed,
    QueueListEnded,
    RtpEnded,
    RtpReported,
    StepTaken,
    TrunkReported,
    WaitingListed,
    audiosocket_of,
)
from telephony.call import CallId

RTP_CLOCKS_HZ = {"opus": 48_000, "slin16": 16_000, "slin48": 48_000}
"""Codecs whose RTP clock is not the 8 kHz of G.711; G.722 says 8 kHz as well (RFC 3551, 4.5.2)."""


@dataclass(frozen=True, slots=True)
class RtpFigures:
    """How sound travels one way on a leg."""

    last: Quality
    """Of the last report, on about five seconds."""
    whole: Quality
    """Of the leg so far: the mean of the reports, or Asterisk's own sums when the leg has ended."""
    reports: int = 1


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel, as far as it is known."""

    name: str
    uniqueid: str
    linkedid: str
    state: str
    context: str
    exten: str
    since_s: float
    """On the clock of whoever applies the events."""
    application_since_s: float
    """Since when it is known to run :attr:`application`."""
    caller: str = field(default="", repr=False)
    """The caller's number: personal; not in :func:`repr`, so that no log can show it by accident."""
    application: str = ""
    data: str = field(default="", repr=False)
    codec: str = ""
    """Empty until a list told it: no event does."""
    bridge: str = ""
    queue: str = ""
    """In which it waits."""
    call_id: CallId | None = None
    """Which call it is, when the dialplan or AudioSocket has told."""
    audio_address: str = ""
    """``host:port`` to which AudioSocket carries its sound, while it does and a list has told."""
    received: RtpFigures | None = None
    """What Asterisk received of the far end."""
    sent: RtpFigures | None = None
    """What the far end says it received; many phones do not say."""

    @property
    def first_of_call(self) -> bool:
        """A caller's own channel, and no leg that was made to reach somebody for him."""
        return self.uniqueid == self.linkedid


class ChannelTable:
    """All channels."""

    def __init__(self) -> None:
        self._rows: dict[str, ChannelRow] = {}
        self._listed: set[str] = set()

    def rows(self) -> tuple[ChannelRow, ...]:
        """The channels there are, oldest first as far as known."""
        return tuple(sorted(self._rows.values(), key=lambda row: row.since_s))

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, uniqueid: str) -> ChannelRow | None:
        """One of them."""
        return self._rows.get(uniqueid)

    def clear(self) -> None:
        """Nothing is known any more."""
        self._rows.clear()
        self._listed.clear()

    def apply(self, event: AmiEvent, now_s: float) -> None:
        """Take ``event`` in, at ``now_s``."""
        match event:
            case ChannelSeen(channel):
                self._see(channel, now_s)
            case StepTaken(channel, application, data):
                self._see(channel, now_s)
                self._run(channel.uniqueid, application, data, now_s)
            case ChannelListed():
                self._list(event, now_s)
            case ChannelListEnded():
                self._rows = {one: row for one, row in self._rows.items() if one in self._listed}
                self._listed.clear()
            case ChannelGone(uniqueid):
                self._rows.pop(uniqueid, None)
            case ChannelRenamed(uniqueid, name):
                self._change(uniqueid, name=name)
            case CallNamed(uniqueid, call_id):
                self._change(uniqueid, call_id=call_id)
            case Bridged(uniqueid, bridge):
                self._change(uniqueid, bridge=bridge)
            case QueueJoined(queue, uniqueid) | WaitingListed(queue, uniqueid):
                self._change(uniqueid, queue=queue)
            case QueueLeft(_, uniqueid):
                self._change(uniqueid, queue="")
            case RtpReported():
                self._report(event)
            case RtpEnded(uniqueid, received, sent):
                self._sum_up(uniqueid, received, sent)
            case QueueListed() | QueueListEnded() | TrunkReported() | Booted():
                pass
            case _:
                assert_never(event)

    def _see(self, channel: ChannelView, now_s: float) -> None:
        known = self._rows.get(channel.uniqueid)
        if known is None:
            self._rows[channel.uniqueid] = ChannelRow(
                name=channel.name,
                uniqueid=channel.uniqueid,
                linkedid=channel.linkedid,
                state=channel.state,
                context=channel.context,
                exten=channel.exten,
                since_s=now_s,
                application_since_s=now_s,
                caller=channel.caller,
            )
        else:
            self._rows[channel.uniqueid] = replace(
                known,
                name=channel.name,
                linkedid=channel.linkedid,
                state=channel.state,
                context=channel.context,
                exten=channel.exten,
                caller=channel.caller or known.caller,
            )

    def _run(self, uniqueid: str, application: str, data: str, now_s: float) -> None:
        row = self._rows[uniqueid]
        if (application, data) == (row.application, row.data):
            return
        call_id, address = audiosocket_of(application, data) or (row.call_id, "")
        self._rows[uniqueid] = replace(
            row,
            application=application,
            data=data,
            application_since_s=now_s,
            call_id=call_id,
            audio_address=address,
        )

    def _list(self, listed: ChannelListed, now_s: float) -> None:
        uniqueid = listed.channel.uniqueid
        self._listed.add(uniqueid)
        known = uniqueid in self._rows
        self._see(listed.channel, now_s)
        self._run(uniqueid, listed.application, listed.data, now_s)
        row = self._rows[uniqueid]
        self._rows[uniqueid] = replace(
            row,
            since_s=row.since_s if known else now_s - listed.seconds,
            codec=listed.codec or row.codec,
            bridge=listed.bridge,
            call_id=listed.call_id or row.call_id,
        )

    def _report(self, report: RtpReported) -> None:
        row = self._rows.get(report.uniqueid)
        if row is None:
            return
        quality = Quality(report.loss_ratio, report.jitter_ticks / RTP_CLOCKS_HZ.get(row.codec, 8_000))
        if report.received:
            self._rows[report.uniqueid] = replace(row, received=_with(row.received, quality))
        else:
            self._rows[report.uniqueid] = replace(row, sent=_with(row.sent, quality))

    def _sum_up(self, uniqueid: str, received: Quality | None, sent: Quality | None) -> None:
        row = self._rows.get(uniqueid)
        if row is not None:
            self._rows[uniqueid] = replace(
                row,
                received=RtpFigures(received, received) if received else row.received,
                sent=RtpFigures(sent, sent) if sent else row.sent,
            )

    def _change(self, uniqueid: str, **changed: object) -> None:
        row = self._rows.get(uniqueid)
        if row is not None:
            self._rows[uniqueid] = replace(row, **changed)  # type: ignore[arg-type]  # names and types: apply()


def _with(figures: RtpFigures | None, report: Quality) -> RtpFigures:
    """``figures`` with one more report; each covers as much sound as the others."""
    if figures is None:
        return RtpFigures(report, report)
    n, before = figures.reports, figures.whole
    mean = Quality(
        (before.loss_ratio * n + report.loss_ratio) / (n + 1),
        (before.jitter_s * n + report.jitter_s) / (n + 1),
    )
    return RtpFigures(report, mean, n + 1)


class QueueTable:
    """How many wait, by queue."""

    def __init__(self) -> None:
        self._lengths: dict[str, int] = {}
        self._listed: set[str] = set()

    def lengths(self) -> dict[str, int]:
        """Callers by queue; every queue there is, once a list has told."""
        return dict(self._lengths)

    def clear(self) -> None:
        """Nothing is known any more."""
        self._lengths.clear()
        self._listed.clear()

    def apply(self, event: AmiEvent) -> None:
        """Take ``event`` in."""
        match event:
            case QueueJoined(queue, _, length) | QueueLeft(queue, _, length):
                self._lengths[queue] = length
            case QueueListed(queue, length):
                self._listed.add(queue)
                self._lengths[queue] = length
            case QueueListEnded():
                self._lengths = {one: count for one, count in self._lengths.items() if one in self._listed}
                self._listed.clear()
            case _:
                pass


class TrunkTable:
    """Which trunks are down: the PJSIP endpoints named, and every registration."""

    def __init__(self, endpoints: frozenset[str]) -> None:
        self._endpoints = endpoints
        self._up: dict[tuple[str, str], bool] = {}

    def down(self) -> Iterator[str]:
        """Names of those over which no call comes, each once."""
        yield from sorted({name for (name, _), up in self._up.items() if not up})

    def clear(self) -> None:
        """Nothing is known any more."""
        self._up.clear()

    def apply(self, event: AmiEvent) -> None:
        """Take ``event`` in."""
        match event:
            case TrunkReported(name, up, account) if account or name in self._endpoints:
                self._up[name, account] = up
            case _:
                pass
