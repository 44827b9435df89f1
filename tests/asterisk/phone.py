"""A scripted telephone: SIP over UDP, G.711 over RTP, keys by RFC 4733. It dials, answers, refuses or rings.

A call sends one RTP packet every 20 ms, speech or silence, as a telephone does, and keeps every packet it
hears with the time at which the kernel took it in (``SO_TIMESTAMPNS``): a busy test process does not make
the agent look late. It offers what :class:`telephony.simulated.handset.Handset` offers, so that the scripted
caller of the rehearsal plays his part on a real line as well::

    async with Phone.at(TRUNK) as phone:
        call = await phone.dial("0123456789", asterisk.sip_address)
        await call.hear_out()
        said = await call.say(question_pcm)
        answer_at_ms = await call.hear_speech(after_ms=said.speech_ended_ms)
        call.hang_up()

All times of a call are milliseconds since it was answered.
"""

import asyncio
import secrets
import socket
import struct
import time
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import cast

from audio.pcm import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, SILENCE_FRAME, frames
from telephony.simulated.handset import (
    WITHIN_MS,
    Background,
    CallEnded,
    Heard,
    NotHeard,
    Said,
    is_loud,
    mixed,
)
from tests.asterisk import rtp, sip
from tests.asterisk.g711 import A_LAW, CODECS, Codec
from tests.asterisk.sip import Address, Message

SAMPLES = FRAME_BYTES // 2
"""In one packet."""

KEY_DOWN_MS = 100
KEY_PAUSE_MS = 80

ANSWERED_WITHIN_S = 15.0
REPEAT_S = 0.5
"""SIP's T1: an INVITE that nothing answered is sent again after this, and after twice as long each time."""

TICK_S = FRAME_MS / 1000
TORN_MS = 60
"""A packet that comes so much after the end of the one before leaves a hole in the recording."""

SO_TIMESTAMPNS = 35
"""Linux' number for it; Python has no name."""

RECEIVE_BYTES = 2048


class EndedBy(Enum):
    """Who ended a call."""

    US = "us"
    THEM = "them"


class Refused(Exception):
    """The call was not answered; the message holds the SIP status."""


class NotRegistered(Exception):
    """The registrar refused."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A packet of sound or of a key, and when it came."""

    at_ms: float
    packet: rtp.Packet


@dataclass(slots=True)
class _Piece:
    frames: list[bytes]
    left_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """What leaves in one tick: a frame, or one step of a key."""

    frame: bytes = SILENCE_FRAME
    piece: _Piece | None = None
    key: str = ""
    key_samples: int = 0
    key_first: bool = False
    key_last: bool = False


_QUIET = _Outgoing()


class Call:
    """One call; see the module's text."""

    def __init__(self, user_agent: "Phone", call_id: str, codec: Codec) -> None:
        loop = asyncio.get_running_loop()
        self.user_agent = user_agent
        self.call_id = call_id
        self.codec = codec
        self.answered: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[EndedBy] = loop.create_future()
        self.invitation: Message | None = None
        """Of a call that came in: what the caller's side says of itself."""
        self.arrived: list[Arrived] = []
        """Every packet heard."""
        self.keys_heard = ""
        self.sends_nothing = False
        """A dead line: no packet leaves, and nothing is said."""
        self.suppresses_silence = False
        """Packets leave while it speaks only, as with some phones."""
        self.background: Background | None = None
        """The noise around the caller."""
        self._outgoing: deque[_Outgoing] = deque()
        self._loud_ms: list[float] = []
        self._said = bytearray()
        self._last_key_stamp = -1
        self._answered_at = 0.0
        self._ended_at_ms = 0.0
        self.sound_to: Address | None = None
        """Where the other side wants to hear."""
        self._sending: asyncio.Task[None] | None = None
        self._wakes: set[asyncio.Future[None]] = set()
        self._socket = _rtp_socket(user_agent.ip)
        loop.add_reader(self._socket, self._receive)
        # what SIP keeps of a dialogue
        self.server: Address = ("", 0)
        self.heard_of = False
        self.tag = secrets.token_hex(4)
        self.branch = f"z9hG4bK{secrets.token_hex(8)}"
        self.cseq = 1
        self.target = self.local = self.remote = ""
        self.routes: list[str] = []

    # what a caller does

    async def connected(self) -> None:
        """Wait for the answer. Raises :class:`CallEnded`, or :class:`Refused`."""
        await asyncio.shield(self.answered)

    async def say(self, pcm: bytes) -> Said:
        """Speak ``pcm`` (8 kHz); returns when its last packet has left. Raises :class:`CallEnded`."""
        piece = _Piece(list(frames(pcm)))
        if not piece.frames:
            raise ValueError("nothing to say")
        self._outgoing.extend(_Outgoing(frame, piece) for frame in piece.frames)
        await self._until(lambda: len(piece.left_ms) == len(piece.frames), None)
        loud = [at_ms for at_ms, frame in zip(piece.left_ms, piece.frames, strict=True) if is_loud(frame)]
        return Said(piece.left_ms[0], loud[-1] if loud else piece.left_ms[-1], piece.left_ms[-1])

    async def press(self, keys: str) -> None:
        """Press ``keys``; returns when the last was released. Raises :class:`CallEnded`."""
        for key in keys:
            steps = KEY_DOWN_MS // FRAME_MS
            self._outgoing.extend(
                _Outgoing(
                    key=key,
                    key_samples=(step + 1) * SAMPLES,
                    key_first=step == 0,
                    key_last=step == steps - 1,
                )
                for step in range(steps)
            )
            self._outgoing.extend([_Outgoing()] * (KEY_PAUSE_MS // FRAME_MS))
        await self._until(lambda: not self._outgoing, None)

    async def hear_speech(self, after_ms: float | None = None, within_ms: float = WITHIN_MS) -> float:
        """Wait until somebody speaks at or after ``after_ms`` (now); gives when.

        Raises :class:`NotHeard` or :class:`CallEnded`.
        """
        since_ms = self.clock_ms if after_ms is None else after_ms
        await self._until(lambda: self.first_speech_ms(since_ms) is not None, within_ms)
        return cast("float", self.first_speech_ms(since_ms))

    async def hear_silence(self, for_ms: float, within_ms: float = WITHIN_MS) -> None:
        """Wait until it has been quiet for so long. Raises :class:`NotHeard` or :class:`CallEnded`."""
        await self._until(lambda: self.clock_ms - self.last_speech_ms >= for_ms, within_ms)

    async def hear_out(
        self, quiet_ms: float = 600, after_ms: float | None = None, within_ms: float = WITHIN_MS
    ) -> Heard:
        """Wait until somebody has spoken and then been quiet.

        Raises :class:`NotHeard` or :class:`CallEnded`.
        """
        started_ms = await self.hear_speech(after_ms, within_ms)
        await self.hear_silence(quiet_ms, within_ms)
        return Heard(started_ms, self.last_speech_ms)

    async def pause(self, for_ms: float) -> None:
        """Wait. Raises :class:`CallEnded`."""
        until_ms = self.clock_ms + for_ms
        await self._until(lambda: self.clock_ms >= until_ms, None)

    async def over(self, within_ms: float = WITHIN_MS) -> EndedBy:
        """Wait until the call has ended. Raises TimeoutError."""
        async with asyncio.timeout(within_ms / 1000):
            return await asyncio.shield(self.ended)

    def hang_up(self) -> None:
        """End the call, or give it up while it rings; again changes nothing."""
        if self.ended.done():
            return
        if self.answered.done():
            self.user_agent.request(self, "BYE")
        else:
            self.user_agent.request(self, "CANCEL")
        self.end(EndedBy.US)

    # what is known of it

    @property
    def phone(self) -> "Call":
        """The sound of the call, which :class:`telephony.simulated.asterisk.SimulatedCall` keeps apart."""
        return self

    @property
    def clock_ms(self) -> float:
        """Since the answer; stands still when the call has ended."""
        if self.ended.done() or not self._answered_at:
            return self._ended_at_ms
        return (time.monotonic() - self._answered_at) * 1000

    @property
    def last_speech_ms(self) -> float:
        """When the last loud packet ended; 0 when there was none."""
        return self._loud_ms[-1] + FRAME_MS if self._loud_ms else 0.0

    def first_speech_ms(self, after_ms: float = 0.0) -> float | None:
        """When the first loud packet at or after ``after_ms`` came."""
        index = bisect_left(self._loud_ms, after_ms)
        return self._loud_ms[index] if index < len(self._loud_ms) else None

    def speech_between(self, from_ms: float, to_ms: float) -> list[float]:
        """When the loud packets between two moments came."""
        return [at_ms for at_ms in self._loud_ms if from_ms <= at_ms < to_ms]

    def heard(self, pause_ms: float = 400) -> list[Heard]:
        """The speech so far, cut where it was quiet for ``pause_ms``."""
        stretches: list[Heard] = []
        for at_ms in self._loud_ms:
            if stretches and at_ms - stretches[-1].ended_ms < pause_ms:
                stretches[-1] = Heard(stretches[-1].started_ms, at_ms + FRAME_MS)
            else:
                stretches.append(Heard(at_ms, at_ms + FRAME_MS))
        return stretches

    def gaps_ms(self) -> list[float]:
        """From each packet of sound to the next; 20 on a perfect line."""
        sound = [one.at_ms for one in self.arrived if one.packet.payload_type == self.codec.payload_type]
        return [later - earlier for earlier, later in pairwise(sound)]

    def tracks(self) -> tuple[bytes, bytes]:
        """Said and heard, as two mono tracks of the same length (8 kHz) that begin at the answer."""
        heard = bytearray()
        for one in self.arrived:
            if one.packet.payload_type != self.codec.payload_type:
                continue
            pcm = self.codec.decode(one.packet.payload)
            hole = int(one.at_ms * BYTES_PER_MS) // 2 * 2 - len(heard)
            if hole > TORN_MS * BYTES_PER_MS:
                heard += bytes(hole)
            heard += pcm
        length = max(len(self._said), len(heard))
        return bytes(self._said.ljust(length, b"\0")), bytes(heard.ljust(length, b"\0"))

    # the phone's side

    @property
    def rtp_port(self) -> int:
        """Where the sound is to be sent."""
        return int(self._socket.getsockname()[1])

    def agree(self, body: str) -> None:
        """Take over what the other side says of its sound."""
        agreed = sip.sound_of(body)
        if agreed is not None:
            self.sound_to, self.codec = agreed

    def begin(self) -> None:
        """The call is answered: sound flows."""
        if self._sending is None and not self.ended.done():
            self._answered_at = time.monotonic()
            self._sending = asyncio.create_task(self._send(), name="RTP of a phone")
            self.answered.set_result(None)

    def refuse(self, status: int) -> None:
        """Nobody answered."""
        if not self.answered.done():
            self.answered.set_exception(Refused(str(status)))
            self.answered.exception()  # whoever does not wait for it is not to be warned
        self.end(EndedBy.THEM)

    def end(self, by: EndedBy) -> None:
        """The call is over."""
        if self.ended.done():
            return
        self._ended_at_ms = self.clock_ms
        self.ended.set_result(by)
        if not self.answered.done():
            self.answered.set_exception(CallEnded("it never was answered"))
            self.answered.exception()
        if self._sending is not None:
            self._sending.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._wake()

    def _receive(self) -> None:
        while True:
            try:
                data, extras, _, _ = self._socket.recvmsg(RECEIVE_BYTES, socket.CMSG_SPACE(16))
            except (BlockingIOError, ConnectionRefusedError):  # the latter: told of a packet sent before
                break
            packet = rtp.decode(data)
            if packet is not None:
                self._hear(packet, _arrival(extras))
        self._wake()

    def _hear(self, packet: rtp.Packet, at: float) -> None:
        at_ms = (at - self._answered_at) * 1000 if self._answered_at else 0.0
        if packet.payload_type == rtp.EVENT_PAYLOAD_TYPE:
            if packet.timestamp != self._last_key_stamp:  # each key comes as several packets
                self._last_key_stamp = packet.timestamp
                self.keys_heard += rtp.KEYS[packet.payload[0] & 15]
            return
        self.arrived.append(Arrived(at_ms, packet))
        if is_loud(self.codec.decode(packet.payload)):
            self._loud_ms.append(at_ms)

    async def _send(self) -> None:
        sequence, stamp = secrets.randbelow(1 << 15), secrets.randbelow(1 << 30)
        source, ticks, spoke = secrets.randbits(32), 0, False
        key_stamp = stamp
        while True:
            leaving = self._outgoing.popleft() if self._outgoing and not self.sends_nothing else _QUIET
            if leaving.key:
                key_stamp = stamp if leaving.key_first else key_stamp
                payload = rtp.key_event(leaving.key, leaving.key_samples, end=leaving.key_last)
                for _ in range(
                    3 if leaving.key_last else 1
                ):  # the end is told three times (RFC 4733, 2.5.1.4)
                    kind = rtp.EVENT_PAYLOAD_TYPE
                    self._leave(rtp.Packet(kind, sequence, key_stamp, payload, leaving.key_first), source)
                    sequence += 1
                spoke = False
            elif not self.sends_nothing and not (leaving is _QUIET and self.suppresses_silence):
                payload = self.codec.encode(self._with_background(leaving.frame))
                self._leave(rtp.Packet(self.codec.payload_type, sequence, stamp, payload, not spoke), source)
                sequence, spoke = sequence + 1, True
            else:
                spoke = False
            self._note(leaving)
            stamp += SAMPLES
            ticks += 1
            await asyncio.sleep(max(0.0, self._answered_at + ticks * TICK_S - time.monotonic()))

    def _with_background(self, frame: bytes) -> bytes:
        return frame if self.background is None else mixed(frame, self.background())

    def _leave(self, packet: rtp.Packet, source: int) -> None:
        if self.sound_to is not None:
            self._socket.sendto(rtp.encode(packet, source), self.sound_to)

    def _note(self, leaving: _Outgoing) -> None:
        at_ms = self.clock_ms
        if leaving.piece is not None:
            leaving.piece.left_ms.append(at_ms)
        self._said += leaving.frame
        self._wake()

    async def _until(self, holds: Callable[[], bool], within_ms: float | None) -> None:
        began_ms = self.clock_ms
        while not holds():
            if self.ended.done():
                raise CallEnded(f"the call has ended ({self.ended.result()})")
            if within_ms is not None and self.clock_ms - began_ms > within_ms:
                raise NotHeard(f"not within {within_ms:.0f} ms")
            wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._wakes.add(wake)
            try:
                await wake
            finally:
                self._wakes.discard(wake)

    def _wake(self) -> None:
        for wake in self._wakes:
            if not wake.done():
                wake.set_result(None)


class Phone(asyncio.DatagramProtocol):
    """A SIP user agent on one address of this machine."""

    def __init__(self, ip: str, user: str, codec: Codec) -> None:
        self.ip, self.user, self.codec = ip, user, codec
        self.incoming: asyncio.Queue[Call] = asyncio.Queue()
        """Calls that ring here."""
        self.answers_after_s: float | None = 0.0
        """It rings so long before it answers; None: for ever."""
        self.refuses_with = 0
        """When set, a SIP status such as 486 (busy): it does not ring at all."""
        self.calls: dict[str, Call] = {}
        self._transport: asyncio.DatagramTransport
        self._tasks: set[asyncio.Task[None]] = set()
        self._responses: dict[str, asyncio.Queue[Message]] = {}

    @classmethod
    @asynccontextmanager
    async def at(
        cls, ip: str, user: str = "0612345678", codec: Codec = A_LAW, port: int = 0
    ) -> AsyncIterator["Phone"]:
        """A phone, plugged in until the block is left; its calls are hung up then."""
        phone = cls(ip, user, codec)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: phone, local_addr=(ip, port))
        try:
            yield phone
        finally:
            for call in list(phone.calls.values()):
                call.hang_up()
            for task in phone._tasks:
                task.cancel()
            await asyncio.sleep(0.02)  # what was said last is still to leave the socket
            phone._transport.close()

    @property
    def port(self) -> int:
        """Where it is rung."""
        return int(self._transport.get_extra_info("sockname")[1])

    async def dial(self, number: str, server: Address, within_s: float = ANSWERED_WITHIN_S) -> Call:
        """Ring ``number``; returns once it is answered. Raises :class:`Refused`, TimeoutError."""
        call = self.ring(number, server)
        try:
            async with asyncio.timeout(within_s):
                await call.connected()
        except TimeoutError:
            call.hang_up()
            raise
        return call

    def ring(self, number: str, server: Address) -> Call:
        """Ring ``number``; returns at once."""
        call = Call(self, f"{secrets.token_hex(8)}@{self.ip}", self.codec)
        call.server = server
        call.target = f"sip:{number}@{server[0]}:{server[1]}"
        call.local = f"<sip:{self.user}@{self.ip}>;tag={call.tag}"
        call.remote = f"<{call.target}>"
        self.calls[call.call_id] = call
        offered = [self.codec, *(other for other in CODECS if other is not self.codec)]
        invite = self._compose(call, "INVITE", call.branch, sip.sound_offer(self.ip, call.rtp_port, offered))
        self._own(self._repeat(call, invite))
        return call

    async def register(self, password: str, server: Address, for_s: int = 600, within_s: float = 5.0) -> None:
        """Tell ``server`` where ``user`` is reached; with 0 seconds, that he no longer is.

        Raises :class:`NotRegistered`, TimeoutError.
        """
        uri, call_id, tag = f"sip:{server[0]}:{server[1]}", secrets.token_hex(8), secrets.token_hex(4)
        answers = self._responses[call_id] = asyncio.Queue()
        proof: list[tuple[str, str]] = []
        for attempt in (1, 2):
            headers = [
                ("Via", f"SIP/2.0/UDP {self.ip}:{self.port};branch=z9hG4bK{secrets.token_hex(8)};rport"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:{self.user}@{server[0]}>;tag={tag}"),
                ("To", f"<sip:{self.user}@{server[0]}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{attempt} REGISTER"),
                ("Contact", f"<sip:{self.user}@{self.ip}:{self.port}>"),
                ("Expires", str(for_s)),
                *proof,
            ]
            self._transport.sendto(sip.compose(f"REGISTER {uri} SIP/2.0", headers), server)
            async with asyncio.timeout(within_s):
                answer = await answers.get()
            if answer.status == 200:
                return
            challenge = answer.first("WWW-Authenticate")
            if answer.status != 401 or not challenge:
                break
            proof = [("Authorization", sip.credentials(challenge, "REGISTER", uri, self.user, password))]
        raise NotRegistered(str(answer.status))

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if len(data) < 8:  # an empty line that keeps a router's door open
            return
        message = sip.parse(data)
        call = self.calls.get(message.first("Call-ID"))
        if message.status:
            if message.first("Call-ID") in self._responses:
                self._responses[message.first("Call-ID")].put_nowait(message)
            elif call is not None and message.method == "INVITE":
                self._answered(call, message)
            return
        match message.method:
            case "INVITE" if call is None:
                self._own(self._rung(message, addr))
            case "INVITE" if call is not None and call.answered.done():  # again, or with other sound
                call.agree(message.body)
                self._reply(
                    message, addr, "200 OK", call, sip.sound_offer(self.ip, call.rtp_port, [call.codec])
                )
            case "BYE":
                self._reply(message, addr, "200 OK", call)
                if call is not None:
                    call.end(EndedBy.THEM)
            case "CANCEL":
                self._reply(message, addr, "200 OK", call)
                if call is not None and not call.answered.done() and call.invitation is not None:
                    self._reply(call.invitation, addr, "487 Request Terminated", call)
                    call.end(EndedBy.THEM)
            case "ACK":  # only now may who was rung hang up again (RFC 3261, 15)
                if call is not None and call.invitation is not None:
                    call.begin()
            case "INVITE":
                pass
            case _:
                self._reply(message, addr, "200 OK", call)

    # requests and responses of a call

    def request(self, call: Call, method: str) -> None:
        """Send BYE, or CANCEL for an INVITE that rings."""
        if method == "CANCEL":
            if call.invitation is None:
                self._transport.sendto(self._compose(call, method, call.branch), call.server)
            return
        call.cseq += 1
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        self._transport.sendto(self._compose(call, method, branch), call.server)

    def _own(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work, name="SIP of a phone")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _repeat(self, call: Call, invite: bytes) -> None:
        wait_s = REPEAT_S
        while not call.heard_of and not call.ended.done():
            self._transport.sendto(invite, call.server)
            await asyncio.sleep(wait_s)
            wait_s *= 2

    async def _rung(self, invite: Message, server: Address) -> None:
        call = Call(self, invite.first("Call-ID"), self.codec)
        self.calls[call.call_id] = call
        call.server, call.invitation, call.cseq = server, invite, 100
        call.target = sip.address_in(invite.first("Contact"))
        call.local, call.remote = f"{invite.first('To')};tag={call.tag}", invite.first("From")
        call.routes = invite.all("Record-Route")
        self._reply(invite, server, "100 Trying", call)
        call.agree(invite.body)
        if self.refuses_with:
            self._reply(invite, server, f"{self.refuses_with} No", call)
            call.end(EndedBy.US)
            return
        self._reply(invite, server, "180 Ringing", call)
        self.incoming.put_nowait(call)
        if self.answers_after_s is None:
            return
        await asyncio.sleep(self.answers_after_s)
        if not call.ended.done():
            self._reply(invite, server, "200 OK", call, sip.sound_offer(self.ip, call.rtp_port, [call.codec]))

    def _answered(self, call: Call, response: Message) -> None:
        call.heard_of = True
        if response.status < 200:
            return
        call.remote = response.first("To")
        if response.status >= 300:
            self._transport.sendto(self._compose(call, "ACK", call.branch), call.server)
            call.refuse(response.status)
            return
        call.target = sip.address_in(response.first("Contact")) or call.target
        call.routes = list(reversed(response.all("Record-Route")))
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        self._transport.sendto(self._compose(call, "ACK", branch), call.server)
        if call.ended.done():  # answered while we gave up
            self.request(call, "BYE")
        elif not call.answered.done():
            call.agree(response.body)
            call.begin()

    def _compose(self, call: Call, method: str, branch: str, body: str = "") -> bytes:
        own = 1 if method in {"ACK", "CANCEL"} else call.cseq
        headers = [
            ("Via", f"SIP/2.0/UDP {self.ip}:{self.port};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", call.local),
            ("To", call.remote),
            ("Call-ID", call.call_id),
            ("CSeq", f"{own} {method}"),
            ("Contact", f"<sip:{self.user}@{self.ip}:{self.port}>"),
            *(("Route", route) for route in call.routes),
        ]
        return sip.compose(f"{method} {call.target} SIP/2.0", headers, body)

    def _reply(
        self, request: Message, server: Address, status: str, call: Call | None, body: str = ""
    ) -> None:
        to = request.first("To")
        if call is not None and "tag=" not in to:
            to = f"{to};tag={call.tag}"
        headers = [
            *(("Via", via) for via in request.all("Via")),
            *(("Record-Route", route) for route in request.all("Record-Route")),
            ("From", request.first("From")),
            ("To", to),
            ("Call-ID", request.first("Call-ID")),
            ("CSeq", request.first("CSeq")),
            ("Contact", f"<sip:{self.user}@{self.ip}:{self.port}>"),
        ]
        self._transport.sendto(sip.compose(f"SIP/2.0 {status}", headers, body), server)


def _rtp_socket(ip: str) -> socket.socket:
    sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sound.setblocking(False)
    sound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sound.bind((ip, 0))
    return sound


def _arrival(extras: Sequence[tuple[int, int, bytes]]) -> float:
    """When the kernel took a packet in, on the clock of ``time.monotonic``."""
    now, now_of_day = time.monotonic(), time.time()
    for level, kind, data in extras:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            waited_s: float = max(now_of_day - seconds - nanoseconds / 1e9, 0.0)
            return now - waited_s
    return now
