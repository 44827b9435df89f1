"""The link to Asterisk's manager interface: kept up, watched, and never waited for without end.

Theory of operation. One task holds the link: connect, log in, ping until it is lost, wait, again. Each
connection is a :class:`_Session`, panoramisk's Manager used once: it frames, parses and matches answers
to actions. Left out is what Manager does around that, for reasons seen with panoramisk 1.4:

=====================================================  ============================================
panoramisk.Manager                                      here
=====================================================  ============================================
an action's answer may never come                       every action is given up after ``action_s``
pings have no time-out: a frozen Asterisk is not seen   an unanswered ping ends the connection
actions asked while down are sent once it is up again,  they fail at once with :class:`AmiAway`, and
a Hangup or Redirect of minutes ago as well             what was under way fails with the connection
a wrong secret: silent retries for ever                 a state, ``refused``, logged, retried rarely
``close()`` leaves a pending reconnect running          the one task is cancelled
a character cut by two packets is lost                  bytes are decoded by message
a message without end is collected for ever             the connection is given up
a long list is read in one go, 40 ms for 300 channels   it is read in pieces, between which sound flows
=====================================================  ============================================

The link is for operations only: no call waits for it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from panoramisk.actions import Action  # type: ignore[import-untyped]  # panoramisk has no types
from panoramisk.ami_protocol import AMIProtocol  # type: ignore[import-untyped]
from panoramisk.manager import Manager  # type: ignore[import-untyped]
from panoramisk.message import Message  # type: ignore[import-untyped]

from telephony import ami
from telephony.ami import (
    CALL_VARIABLE,
    EVENT_CLASSES,
    AmiAway,
    AmiEvent,
    AmiRefused,
    AmiState,
    ChannelListed,
    Headers,
    QueueListed,
    TrunkReported,
)

log = logging.getLogger(__name__)

LONGEST_MESSAGE_BYTES = 65_536
"""The longest event seen is 1 kB; what grows beyond this is no AMI."""

PIECE_BYTES = 4096
"""Read without a break: a handful of messages, half a millisecond."""

Entry = TypeVar("Entry", bound=AmiEvent)


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """How long the link waits for what, in seconds."""

    connect_s: float = 3.0
    login_s: float = 5.0
    """Asterisk 22 takes 1.0 s to say that a secret is wrong."""
    action_s: float = 3.0
    ping_every_s: float = 2.0
    ping_s: float = 2.0
    """So a frozen Asterisk is noticed within four seconds."""
    first_pause_s: float = 0.5
    longest_pause_s: float = 10.0
    """Between two attempts; doubled from the first to this."""
    refused_pause_s: float = 30.0
    """After a refusal: often enough to notice that it was put right, too rare to fill Asterisk's log."""


class _LoginRefused(Exception):
    """Asterisk's words."""


class AmiLink:
    """See :class:`telephony.ami.Ami`. For the event loop's thread."""

    def __init__(
        self, host: str, port: int, username: str, secret: str, times: LinkTimes | None = None
    ) -> None:
        self._address = (host, port)
        self._login = (username, secret)
        self._times = times or LinkTimes()
        self._state = AmiState.AWAY
        self._why = "not connected yet"
        self._session: _Session | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._state_watchers: list[Callable[[AmiState], None]] = []
        self._event_watchers: list[Callable[[AmiEvent], None]] = []
        self._refused_lists: set[str] = set()
        """Told once each."""

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._keeper = asyncio.create_task(self._keep(), name="AMI link")

    async def close(self) -> None:
        """Disconnect and try no more; what is under way fails with :class:`AmiAway`."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        self._become(AmiState.AWAY, "closed")

    @property
    def state(self) -> AmiState:
        """How the link stands."""
        return self._state

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
        return _only(ChannelListed, await self._ask(ami.action("Status", Variables=CALL_VARIABLE)))

    async def queues(self) -> Sequence[QueueListed]:
        """See :class:`telephony.ami.Ami`."""
        return _only(QueueListed, await self._ask(ami.action("QueueStatus")))

    async def trunks(self) -> Sequence[TrunkReported]:
        """See :class:`telephony.ami.Ami`."""
        found: list[TrunkReported] = []
        for name in ("DeviceStateList", "PJSIPShowRegistrationsOutbound"):
            try:
                found += _only(TrunkReported, await self._ask(ami.action(name)))
            except (
                AmiRefused
            ) as error:  # no right, no module, or "No … found": there, an empty list is an error
                if name not in self._refused_lists and not str(error).lower().startswith("no "):
                    log.warning("ami.not_allowed", extra={"action": name, "reason": str(error)})
                self._refused_lists.add(name)
        return found

    async def hang_up(self, channel: str) -> None:
        """See :class:`telephony.ami.Ami`."""
        await self._ask(ami.action("Hangup", Channel=channel, Cause="16"))

    async def redirect(
        self, channel: str, context: str, exten: str, variables: Mapping[str, str] | None = None
    ) -> None:
        """See :class:`telephony.ami.Ami`."""
        given = [
            ami.action("Setvar", Channel=channel, Variable=name, Value=value)
            for name, value in (variables or {}).items()
        ]
        await self._ask(ami.action("ShowDialPlan", Context=context, Extension=exten))
        for one in given:
            await self._ask(one)
        place = {"Context": context, "Exten": exten, "Priority": "1"}
        await self._ask(ami.action("Redirect", Channel=channel, **place))

    async def _ask(self, action: dict[str, str]) -> list[AmiEvent]:
        if self._session is None:
            raise AmiAway(f"no link to Asterisk's manager interface ({self._state}): {self._why}")
        return await self._session.ask(action, self._times.action_s)

    # the link

    async def _keep(self) -> None:
        pause_s = self._times.first_pause_s
        while True:
            try:
                session = await self._logged_in()
                pause_s = self._times.first_pause_s
                await self._watch(session)
            except _LoginRefused as refused:
                self._become(AmiState.REFUSED, str(refused))
                await asyncio.sleep(self._times.refused_pause_s)
            except (AmiAway, AmiRefused) as error:
                self._become(AmiState.AWAY, str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._times.longest_pause_s)

    async def _logged_in(self) -> "_Session":
        """A session that may ask."""
        session = await _Session.open(self._address, self._times.connect_s, self._hear)
        username, secret = self._login
        try:
            login = ami.action("Login", Username=username, Secret=secret, Events=EVENT_CLASSES)
            await session.ask(login, self._times.login_s)
        except AmiRefused as error:
            session.end("refused")
            raise _LoginRefused(str(error)) from error
        except BaseException:
            session.end("gave up")
            raise
        return session

    async def _watch(self, session: "_Session") -> None:
        """Ping until the connection is lost; raises :class:`AmiAway` then."""
        self._session = session
        try:
            self._become(AmiState.UP, "")
            while True:
                await session.lasts(self._times.ping_every_s)
                await session.ask(ami.action("Ping"), self._times.ping_s)
        finally:
            self._session = None
            session.end("closed")

    def _become(self, state: AmiState, why: str) -> None:
        self._why = why
        if state is self._state:
            return
        self._state = state
        facts = {"reason": why} if why else {}
        asked_for = state is AmiState.UP or self._keeper is None
        log.log(logging.INFO if asked_for else logging.WARNING, "ami.%s", state, extra=facts)
        for told in tuple(self._state_watchers):
            told(state)

    def _hear(self, message: Headers) -> AmiEvent | None:
        """Tell what ``message`` tells; gives it back."""
        try:
            event = ami.event_of(message)
        except ami.ProtocolError as error:
            log.warning("ami.unreadable", extra={"reason": str(error)})
            return None
        if event is not None:
            for told in tuple(self._event_watchers):
                told(event)
        return event


class _Session(Manager):  # type: ignore[misc]  # the base is untyped
    """One connection, from its beginning to its loss; never used again."""

    def __init__(self, hear: Callable[[Headers], AmiEvent | None]) -> None:
        # Latin-1 gives every byte its character: :func:`_headers` decodes whole values, :meth:`ask` encodes.
        super().__init__(encoding="latin-1", loop=asyncio.get_running_loop())
        self.hear = hear
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, address: tuple[str, int], connect_s: float, hear: Callable[[Headers], AmiEvent | None]
    ) -> "_Session":
        """Connect. Raises :class:`AmiAway`."""
        session = cls(hear)
        host, port = address
        try:
            async with asyncio.timeout(connect_s):
                await session.loop.create_connection(lambda: _Wire(session), host, port)
        except OSError as error:  # TimeoutError is one
            why = str(error) or f"no connection within {connect_s:g} s"
            raise AmiAway(why) from error
        return session

    async def ask(self, fields: dict[str, str], within_s: float) -> list[AmiEvent]:
        """Send an action and wait for Asterisk's yes; what it lists.

        Raises :class:`AmiAway`, :class:`AmiRefused`.
        """
        self._still_there()
        action = Action({name: value.encode().decode("latin-1") for name, value in fields.items()})
        answered: asyncio.Future[Message | list[Message]] = self.send_action(action)
        try:
            await asyncio.wait((answered, self._lost), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.protocol.responses.pop(action.id, None)
        if not answered.done():
            self._still_there()
            raise AmiAway(f"{fields['Action']}: no answer within {within_s:g} s")
        answer = answered.result()
        first, *listed = answer if isinstance(answer, list) else [answer]
        if not first.success:
            raise ami.refusal(_utf8(first.message))
        return [one.told for one in listed if one.told is not None]

    async def lasts(self, for_s: float) -> None:
        """Wait; raises :class:`AmiAway` when the connection is lost meanwhile."""
        await asyncio.wait((self._lost,), timeout=for_s)
        self._still_there()

    def end(self, why: str) -> None:
        """Give the connection up, whether the other end still reads or not."""
        if not self._lost.done():
            self._lost.set_result(why)
        self.protocol.closed = True
        self.protocol.transport.abort()

    def connection_lost(self, error: object) -> None:
        """Told by the wire; Manager's own would connect again."""
        if not self._lost.done():
            asked = isinstance(error, Message)  # the event Shutdown
            self._lost.set_result("Asterisk shuts down" if asked else f"connection lost: {error or 'closed'}")

    def _still_there(self) -> None:
        if self._lost.done():
            raise AmiAway(self._lost.result())


class _Wire(AMIProtocol):  # type: ignore[misc]  # the base is untyped
    """panoramisk's framing, with a bound, and every event handed on in order.

    What comes in one go is read piece by piece, between which the loop does other things: a list of 300
    channels took 40 ms in one, and the calls' sound has a frame to send every 20.
    """

    def __init__(self, session: _Session) -> None:
        self._session = session
        self._unread = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        self.factory = self._session
        self.encoding = self._session.config["encoding"]
        self._session.protocol = self

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        idle = not self._unread
        self._unread += data
        if idle:
            self._read_on()
        if self._unread:
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if self.closed:
            return
        piece = bytes(self._unread[:PIECE_BYTES])
        del self._unread[:PIECE_BYTES]
        super().data_received(piece)
        if sum(map(len, self.queue)) > LONGEST_MESSAGE_BYTES:
            self._session.end(f"a message of more than {LONGEST_MESSAGE_BYTES} bytes")
        elif self._unread:
            self._session.loop.call_soon(self._read_on)
        elif not self.closed:
            self.transport.resume_reading()

    def handle_message(self, message: Message) -> None:
        """Answers go to who asked; events, those of a list too, to who watches."""
        if self.closed:
            return
        message.told = self._session.hear(_headers(message)) if "event" in message else None
        super().handle_message(message)


def _headers(message: Message) -> Headers:
    return ami.headers_of(
        (name, _utf8(one))
        for name, value in message.items()
        for one in (value if isinstance(value, list) else [value])
    )


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")


def _only(kind: type[Entry], listed: list[AmiEvent]) -> list[Entry]:
    return [event for event in listed if isinstance(event, kind)]
