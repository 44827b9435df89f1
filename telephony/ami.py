"""What of AMI, Asterisk's manager interface, we use: its messages as typed events. No socket, no clock.

A message is a block of ``Name: value`` lines that ends with an empty line. It answers an action
(``Response: …``) or tells an event (``Event: …``); a list is a response and one event per entry, then
``…Complete``. :func:`event_of` makes our event of a message, or None when it tells nothing we use.
:mod:`telephony.channels` keeps what the events tell; :mod:`telephony.ami_client` speaks to Asterisk.

Seen on Asterisk 22.10.1 (recordings in ``tests/recordings/ami``):

- An event on a channel carries the whole channel, as it is when the event is written: a late one may
  already name where a Redirect has put it.
- ``Status`` lists what ``CoreShowChannels`` does and more (codec, channel variables), so it is asked instead.
  While AGI runs an application, both name that application and its arguments: AudioSocket's hold the UUID.
- There is no event for AudioSocket itself.
- ``RTPAUDIOQOS``, set just before the hang-up, has its two jitters the wrong way round: ``txjitter`` is what
  Asterisk measured on what it received, ``rxjitter`` what the far end reported. (``RTPAUDIOQOSJITTER`` has
  them right.) Losses are those up to the last report, five seconds apart. Jitter there is in seconds;
  in RTCP it is in ticks of the codec's RTP clock.
- ``Redirect`` to an extension that does not exist succeeds, and the caller is cut off: ask
  ``ShowDialPlan`` first, which knows patterns as well.
- ``read = system,call,agent,reporting`` and ``write = call,reporting`` are rights enough. With ``dialplan``
  to read, ``VarSet`` gives the sums of a leg and ``Newexten`` each step at once; without, lists do, later.
- ``DeviceStateList`` needs the module ``res_manager_devicestate``. ``PJSIPShowEndpoints`` would need the
  right ``system`` to write, which also allows to reload and unload.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from telephony.call import CallId

Headers = Mapping[str, str]
"""A message by header, names in lower case; a repeated header's values are joined by line feeds."""

CALL_VARIABLE = "VOICEBOT_TAKEN"
"""The channel variable that tells a caller's call when AudioSocket does not; see ``telephony.agi_server``."""

EVENT_CLASSES = "call,dialplan,agent,reporting,system"
"""What a session asks to be told: channels, variables, queues, RTCP, trunks."""


class ProtocolError(Exception):
    """A message that cannot be what it says it is, or an action that must not be sent; says which and why."""


class AmiAway(Exception):
    """Asterisk was not reached, or did not answer in time: then it may still do what it was asked.

    Nothing is asked again later.
    """


class AmiRefused(Exception):
    """Asterisk answered no; its own words."""


class NoSuchChannel(AmiRefused):
    """The channel has gone."""


class NoSuchExtension(AmiRefused):
    """The dialplan has no such place."""


class AmiState(StrEnum):
    """How the link to Asterisk stands."""

    AWAY = "away"
    """No connection, or a frozen one; it is tried again and again."""
    REFUSED = "refused"
    """User or secret are wrong; tried again, rarely."""
    UP = "up"


# Events


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel as a message shows it."""

    uniqueid: str
    linkedid: str
    """The ``uniqueid`` of the first channel of the call."""
    name: str
    state: str
    """``ring``, ``up``, ``ringing``, ``down``…"""
    caller: str
    """The caller's number: personal."""
    context: str
    exten: str

    def __repr__(self) -> str:
        return f"ChannelView({self.name!r}, {self.uniqueid!r}, {self.state!r})"


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """A channel is new, or has another state."""

    channel: ChannelView


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A channel runs another application of its dialplan."""

    channel: ChannelView
    application: str
    data: str


@dataclass(frozen=True, slots=True)
class ChannelListed:
    """One entry of a list of all channels."""

    channel: ChannelView
    application: str
    data: str
    codec: str
    bridge: str
    """Empty when it is not bridged."""
    call_id: CallId | None
    """What :data:`CALL_VARIABLE` holds."""
    seconds: int
    """Age."""


@dataclass(frozen=True, slots=True)
class ChannelListEnded:
    """A list is complete: what it did not name does not exist."""


@dataclass(frozen=True, slots=True)
class ChannelRenamed:
    """The same channel has another name."""

    uniqueid: str
    name: str


@dataclass(frozen=True, slots=True)
class CallNamed:
    """:data:`CALL_VARIABLE` was set."""

    uniqueid: str
    call_id: CallId


@dataclass(frozen=True, slots=True)
class Bridged:
    """A channel entered a bridge, or left it: then ``bridge`` is empty."""

    uniqueid: str
    bridge: str


@dataclass(frozen=True, slots=True)
class RtpReported:
    """One RTCP report, on about five seconds of sound."""

    uniqueid: str
    received: bool
    """True: what Asterisk received of the far end. False: what the far end says it received."""
    loss_ratio: float
    """Lost of expected packets."""
    jitter_ticks: int
    """In ticks of the codec's RTP clock."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How sound travelled one way."""

    loss_ratio: float
    jitter_s: float


@dataclass(frozen=True, slots=True)
class RtpEnded:
    """The sums of a whole leg, just before its hang-up; None: nothing was received, nothing reported."""

    uniqueid: str
    received: Quality | None
    sent: Quality | None


@dataclass(frozen=True, slots=True)
class ChannelGone:
    """A channel was hung up."""

    uniqueid: str
    cause: int
    """Q.850: 16 is normal; 0 was not told."""
    cause_text: str


@dataclass(frozen=True, slots=True)
class QueueJoined:
    """A caller waits."""

    queue: str
    uniqueid: str
    length: int


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """A caller waits no more: he was answered, or has given up."""

    queue: str
    uniqueid: str
    length: int


@dataclass(frozen=True, slots=True)
class QueueListed:
    """One queue of a list of all queues."""

    queue: str
    length: int


@dataclass(frozen=True, slots=True)
class WaitingListed:
    """A caller who waits, of the same list."""

    queue: str
    uniqueid: str
    waits_s: int


@dataclass(frozen=True, slots=True)
class QueueListEnded:
    """The list of queues is complete."""


@dataclass(frozen=True, slots=True)
class TrunkReported:
    """Whether calls can come over a trunk."""

    name: str
    """The PJSIP endpoint; for a registration the address of the server."""
    up: bool
    account: str = ""
    """Of a registration: who registers. It may be a telephone number, and is shown nowhere."""


@dataclass(frozen=True, slots=True)
class Booted:
    """Asterisk has loaded everything."""


AmiEvent = (
    ChannelSeen
    | StepTaken
    | ChannelListed
    | ChannelListEnded
    | ChannelRenamed
    | CallNamed
    | Bridged
    | RtpReported
    | RtpEnded
    | ChannelGone
    | QueueJoined
    | QueueLeft
    | QueueListed
    | WaitingListed
    | QueueListEnded
    | TrunkReported
    | Booted
)


class Ami(Protocol):
    """Asterisk for operations. No call depends on it."""

    @property
    def state(self) -> AmiState:
        """How the link stands."""

    def states(self, told: Callable[[AmiState], None]) -> Callable[[], None]:
        """Call ``told`` at every change, from now on, until what is returned is called."""

    def events(self, told: Callable[[AmiEvent], None]) -> Callable[[], None]:
        """Call ``told`` with every event, in Asterisk's order, until what is returned is called.

        Entries of lists come as events too, at the place where Asterisk wrote them; so a table that is
        kept from events alone is right, whoever asked for the list. ``told`` is quick and never fails.
        """

    async def channels(self) -> Sequence[ChannelListed]:
        """Every channel there is now. Raises :class:`AmiAway`, :class:`AmiRefused`, as do all below."""

    async def queues(self) -> Sequence[QueueListed]:
        """Every queue, and how many wait in it."""

    async def trunks(self) -> Sequence[TrunkReported]:
        """Every PJSIP endpoint and every registration of ours, as far as the user may ask."""

    async def hang_up(self, channel: str) -> None:
        """End a channel. Raises :class:`NoSuchChannel`."""

    async def redirect(
        self, channel: str, context: str, exten: str, variables: Mapping[str, str] | None = None
    ) -> None:
        """Let a channel go on elsewhere in the dialplan, from priority 1, with ``variables`` set before.

        Raises :class:`NoSuchChannel`, and :class:`NoSuchExtension` before the channel is touched.
        """


# Messages


def parse_block(block: str) -> Headers:
    """A message without its empty line. Lines without a colon (the greeting) are skipped."""
    pairs = (line.partition(":") for line in block.splitlines())
    return headers_of((name.strip(), value.strip()) for name, colon, value in pairs if colon)


def headers_of(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Headers by name in lower case; the values of a repeated name are joined by line feeds."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}\n{value}" if key in headers else value
    return headers


def event_of(message: Headers) -> AmiEvent | None:
    """What ``message`` tells; None when it is no event, or one that nobody here needs.

    Raises :class:`ProtocolError` for an event without what it always has.
    """
    read = _READERS.get(message.get("event", "").lower())
    return None if read is None else read(message)


def action(name: str, **headers: str) -> dict[str, str]:
    """An action to send: ``action("Hangup", Channel=name)``.

    Raises :class:`ProtocolError` for a value that would start another header, or another action.
    """
    for header, value in headers.items():
        if not value.isprintable():
            raise ProtocolError(f"{name}: {header} is not plain text: {value!r}")
    return {"Action": name, **headers}


def refusal(message: str) -> AmiRefused | AmiAway:
    """Asterisk's words for no, as an error. One that shuts down still answers, to each action the same."""
    known = message.lower()
    if known.startswith("asterisk is shutting down"):
        return AmiAway(message)
    if known.startswith(("no such channel", "channel does not exist", "channel not existent")):
        return NoSuchChannel(message)
    if known.startswith(("did not find context", "did not find extension", "did not find priority")):
        return NoSuchExtension(message)
    return AmiRefused(message)


def audiosocket_of(application: str, data: str) -> tuple[CallId, str] | None:
    """The call whose sound a channel carries, and ``host:port`` to where; None for another application."""
    found = _AUDIOSOCKET.fullmatch(data) if application.lower() == "audiosocket" else None
    return None if found is None else (CallId(found["uuid"].lower()), found["address"])


_AUDIOSOCKET = re.compile(r"(?P<uuid>[0-9a-fA-F-]{36}),(?P<address>.+)")


def _text(message: Headers, name: str) -> str:
    try:
        return message[name]
    except KeyError as error:
        raise ProtocolError(f"{message.get('event', 'a message')} without {name}") from error


def _number(message: Headers, name: str) -> int:
    text = _text(message, name)
    try:
        return int(text)
    except ValueError as error:
        raise ProtocolError(
            f"{message.get('event', 'a message')}: {name} is no number: {text[:40]!r}"
        ) from error


def _channel(message: Headers) -> ChannelView:
    caller = message.get("calleridnum", "")
    return ChannelView(
        uniqueid=_text(message, "uniqueid"),
        linkedid=message.get("linkedid", "") or _text(message, "uniqueid"),
        name=_text(message, "channel"),
        state=message.get("channelstatedesc", "").lower(),
        caller="" if caller == "<unknown>" else caller,
        context=message.get("context", ""),
        exten=message.get("exten", ""),
    )


def _channel_seen(message: Headers) -> ChannelSeen:
    return ChannelSeen(_channel(message))


def _step_taken(message: Headers) -> StepTaken:
    return StepTaken(_channel(message), message.get("application", ""), message.get("appdata", ""))


def _channel_listed(message: Headers) -> ChannelListed:
    variables = dict(line.partition("=")[::2] for line in message.get("variable", "").split("\n"))
    return ChannelListed(
        channel=_channel(message),
        application=message.get("application", ""),
        data=message.get("data", message.get("applicationdata", "")),
        codec=message.get("nativeformats", "").strip("()").partition("|")[0],
        bridge=message.get("bridgeid", ""),
        call_id=_call_id(variables.get(CALL_VARIABLE, "")),
        seconds=_number(message, "seconds") if "seconds" in message else 0,
    )


def _call_id(text: str) -> CallId | None:
    """None for what is no UUID; a variable that is not set reads ``(null)``."""
    try:
        return CallId(str(UUID(text)))
    except ValueError:
        return None


def _renamed(message: Headers) -> ChannelRenamed:
    return ChannelRenamed(_text(message, "uniqueid"), _text(message, "newname"))


def _variable_set(message: Headers) -> AmiEvent | None:
    match _text(message, "variable"):
        case "RTPAUDIOQOS":
            return _rtp_ended(message)
        case name if name == CALL_VARIABLE:
            call_id = _call_id(message.get("value", ""))
            return CallNamed(_text(message, "uniqueid"), call_id) if call_id else None
        case _:
            return None


def _rtp_ended(message: Headers) -> RtpEnded:
    told = dict(one.partition("=")[::2] for one in _text(message, "value").split(";") if one)
    try:
        lost, received = int(told["lp"]), int(told["rxcount"])
        far_lost, sent = int(told["rlp"]), int(told["txcount"])
        measured_s, reported_s = float(told["txjitter"]), float(told["rxjitter"])
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"RTPAUDIOQOS cannot be read: {error}") from error
    reported = bool(far_lost or reported_s)  # all zero: a phone that sends no RTCP, or a perfect line
    return RtpEnded(
        _text(message, "uniqueid"),
        received=Quality(lost / (lost + received), measured_s) if received else None,
        sent=Quality(min(1.0, far_lost / sent), reported_s) if reported and sent else None,
    )


def _rtcp(message: Headers) -> RtpReported | None:
    if message.get("reportcount", "0") == "0":
        return None
    return RtpReported(
        _text(message, "uniqueid"),
        received=message["event"].lower() == "rtcpsent",
        loss_ratio=_number(message, "report0fractionlost") / 256,  # RFC 3550, 6.4.1
        jitter_ticks=_number(message, "report0iajitter"),
    )


def _bridge_entered(message: Headers) -> Bridged:
    return Bridged(_text(message, "uniqueid"), _text(message, "bridgeuniqueid"))


def _bridge_left(message: Headers) -> Bridged:
    return Bridged(_text(message, "uniqueid"), "")


def _gone(message: Headers) -> ChannelGone:
    return ChannelGone(
        _text(message, "uniqueid"), _number(message, "cause"), message.get("cause-txt", "").lower()
    )


def _queue_joined(message: Headers) -> QueueJoined:
    return QueueJoined(_text(message, "queue"), _text(message, "uniqueid"), _number(message, "count"))


def _queue_left(message: Headers) -> QueueLeft:
    return QueueLeft(_text(message, "queue"), _text(message, "uniqueid"), _number(message, "count"))


def _queue_listed(message: Headers) -> QueueListed:
    return QueueListed(_text(message, "queue"), _number(message, "calls"))


def _waiting_listed(message: Headers) -> WaitingListed:
    return WaitingListed(_text(message, "queue"), _text(message, "uniqueid"), _number(message, "wait"))


_DOWN = frozenset({"unreachable", "unregistered", "rejected", "unavailable", "invalid", "stopped"})
_UP = frozenset({"reachable", "registered", "notinuse", "inuse", "busy", "ringing", "ringinuse", "onhold"})


def _trunk(name: str, state: str, account: str = "") -> TrunkReported | None:
    """None for a state that says neither, as "unknown" does."""
    told = state.lower().replace("_", "")
    if told in _DOWN:
        return TrunkReported(name, up=False, account=account)
    return TrunkReported(name, up=True, account=account) if told in _UP else None


def _peer_status(message: Headers) -> TrunkReported | None:
    return _trunk(_text(message, "peer").partition("/")[2], _text(message, "peerstatus"))


def _device_state(message: Headers) -> TrunkReported | None:
    technology, _, name = _text(message, "device").partition("/")
    return _trunk(name, _text(message, "state")) if technology == "PJSIP" else None


def _registry(message: Headers) -> TrunkReported | None:
    account = message.get("username", "")
    return _trunk(_server(_text(message, "domain")), _text(message, "status"), account)


def _registration_listed(message: Headers) -> TrunkReported | None:
    account = message.get("clienturi", "")
    return _trunk(_server(_text(message, "serveruri")), _text(message, "status"), account)


def _server(uri: str) -> str:
    """``sip:host:port;transport=tcp`` without scheme and parameters."""
    return uri.partition(":")[2].partition(";")[0]


_READERS: Mapping[str, Callable[[Headers], AmiEvent | None]] = {
    "newchannel": _channel_seen,
    "newstate": _channel_seen,
    "newexten": _step_taken,
    "status": _channel_listed,
    "statuscomplete": lambda _: ChannelListEnded(),
    "coreshowchannel": _channel_listed,
    "coreshowchannelscomplete": lambda _: ChannelListEnded(),
    "rename": _renamed,
    "varset": _variable_set,
    "bridgeenter": _bridge_entered,
    "bridgeleave": _bridge_left,
    "rtcpsent": _rtcp,
    "rtcpreceived": _rtcp,
    "hangup": _gone,
    "queuecallerjoin": _queue_joined,
    "queuecallerleave": _queue_left,
    "queueparams": _queue_listed,
    "queueentry": _waiting_listed,
    "queuestatuscomplete": lambda _: QueueListEnded(),
    # ContactStatus is left out: PeerStatus says it of the whole endpoint, which may have other contacts.
    "peerstatus": _peer_status,
    "devicestatechange": _device_state,
    "registry": _registry,
    "outboundregistrationdetail": _registration_listed,
    "fullybooted": lambda _: Booted(),
}
