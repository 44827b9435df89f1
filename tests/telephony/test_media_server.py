"""The AudioSocket server with real sockets: who is let in, what goes both ways, how it ends.

After each test nothing may be left, and in each bad one another call must go on unharmed.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from audio.pcm import FRAME_BYTES, SILENCE_FRAME
from telephony import audiosocket
from telephony.audiosocket import Frame, FrameDecoder, FrameKind
from telephony.call import CallId
from telephony.media_server import MediaServer, Patience, _AudioLeg
from telephony.metronome import Metronome
from telephony.switchboard import Switchboard
from tests.telephony.recording_line import RecordingLine
from tests.telephony.waiting import until

TICK_MS = 2
SPEECH = bytes(range(1, 161)) * 2


@dataclass
class Peer:
    """Asterisk's end of one audio leg, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    decoder: FrameDecoder = field(default_factory=FrameDecoder)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def frames(self, count: int) -> list[Frame]:
        """The next frames, at least ``count``; fewer when the server closes."""
        frames: list[Frame] = []
        while len(frames) < count and (data := await self.reader.read(65536)):
            frames += self.decoder.feed(data)
        return frames

    async def rest(self) -> list[Frame]:
        """All frames up to the server's close; a reset counts as one."""
        try:
            return self.decoder.feed(await self.reader.read())
        except ConnectionError:
            return []


class Bench:
    """A media server with its switchboard, and calls on it."""

    def __init__(self, patience: Patience) -> None:
        self.switchboard = Switchboard()
        self.metronome = Metronome(TICK_MS)
        self.server = MediaServer("127.0.0.1", 0, self.switchboard, self.metronome, patience)
        self.announced = ExitStack()
        self.peers: list[Peer] = []

    def announce(self) -> tuple[CallId, RecordingLine]:
        call_id, line = CallId(str(uuid4())), RecordingLine()
        self.announced.enter_context(self.switchboard.announce(call_id, line))
        return call_id, line

    async def connect(self) -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.server.port))
        self.peers.append(peer)
        return peer

    async def join(self) -> tuple[Peer, RecordingLine]:
        call_id, line = self.announce()
        peer = await self.connect()
        peer.send(audiosocket.encode_call_id(call_id))
        await line.joined()
        return peer, line

    async def stands(self, peer: Peer, line: RecordingLine) -> None:
        """Assert that the call of ``peer`` and ``line`` works both ways, now."""
        before = len(line.heard)
        peer.send(audiosocket.encode(FrameKind.SLIN, SPEECH))
        await until(lambda: len(line.heard) > before)
        line.voice.append(SPEECH)
        while Frame(FrameKind.SLIN, SPEECH) not in (frames := await peer.frames(1)):
            assert frames, f"closed: {line.why_closed}"
        assert line.why_closed is None


@pytest.fixture(name="bench")
async def patient_bench() -> AsyncIterator[Bench]:
    """Bounds that no test comes near, however busy the machine is."""
    async with serving(Bench(Patience(introduction_s=30, stalled_ms=2000, farewell_s=30))) as bench:
        yield bench


@pytest.fixture(name="hasty")
async def hasty_bench() -> AsyncIterator[Bench]:
    """For the tests that wait for a bound."""
    async with serving(Bench(Patience(introduction_s=0.3, stalled_ms=400, farewell_s=0.1))) as bench:
        yield bench


@asynccontextmanager
async def serving(bench: Bench) -> AsyncIterator[Bench]:
    """Serve, and afterwards assert that nothing is left."""
    await bench.server.start()
    with bench.announced:
        yield bench
        await bench.server.close()
    for peer in bench.peers:
        peer.writer.close()
    assert not bench.server.legs
    assert len(bench.metronome) == 0
    assert bench.switchboard.live() == ()
    assert asyncio.all_tasks() == {asyncio.current_task()}


# A call that goes well


async def test_silence_flows_from_the_first_moment_before_the_caller_has_sent_any(bench: Bench) -> None:
    peer, line = await bench.join()
    assert await peer.frames(5) == [Frame(FrameKind.SLIN, SILENCE_FRAME)] * 5
    assert line.heard == []


async def test_the_agents_voice_reaches_the_caller_in_order(bench: Bench) -> None:
    peer, line = await bench.join()
    voice = [bytes([number]) * FRAME_BYTES for number in range(1, 51)]
    line.voice.extend(voice)
    received: list[Frame] = []
    while len([frame for frame in received if frame.payload != SILENCE_FRAME]) < 50:
        received += await peer.frames(1)
    assert [frame.payload for frame in received if frame.payload != SILENCE_FRAME] == voice


class WrittenTransport(asyncio.Transport):
    """A transport in memory: keeps each write apart, which no socket does."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = socket.socket()
        self.writes: list[bytes] = []

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.connection if name == "socket" else default

    def is_closing(self) -> bool:
        return self.connection.fileno() == -1

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def abort(self) -> None:
        self.connection.close()


async def test_header_and_payload_leave_in_one_write(bench: Bench) -> None:
    call_id, line = bench.announce()
    transport, leg = WrittenTransport(), _AudioLeg(bench.server)
    leg.connection_made(transport)
    leg.data_received(audiosocket.encode_call_id(call_id))
    await until(lambda: line.asked_frames >= 3)
    leg.cut("enough")
    leg.connection_lost(None)
    assert transport.writes[:3] == [audiosocket.encode(FrameKind.SLIN, SILENCE_FRAME)] * 3
    assert len(transport.writes) == line.asked_frames


async def test_the_callers_sound_and_keys_reach_the_line(bench: Bench) -> None:
    peer, line = await bench.join()
    peer.send(audiosocket.encode(FrameKind.SLIN, SPEECH) + audiosocket.encode(FrameKind.DIGIT, b"5"))
    peer.send(audiosocket.encode(FrameKind.DIGIT, b"#"))
    await until(lambda: line.digits == ["5", "#"])
    assert line.heard == [SPEECH]


async def test_the_first_frame_may_come_byte_by_byte_and_together_with_sound(bench: Bench) -> None:
    call_id, line = bench.announce()
    peer = await bench.connect()
    wire = audiosocket.encode_call_id(call_id) + audiosocket.encode(FrameKind.SLIN, SPEECH)
    for byte in wire[:10]:
        peer.send(bytes([byte]))
        await peer.writer.drain()
        await asyncio.sleep(0)
    peer.send(wire[10:])
    await until(lambda: line.heard == [SPEECH])


async def test_hanging_up_sends_the_end_and_closes_properly_while_the_caller_still_speaks(
    bench: Bench,
) -> None:
    peer, line = await bench.join()
    await peer.frames(2)
    for _ in range(50):  # unread sound at the moment of closing would turn the close into a reset
        peer.send(audiosocket.encode(FrameKind.SLIN, SPEECH))
    line.hang_up()
    last = peer.decoder.feed(await peer.reader.read())[-1]
    assert last == Frame(FrameKind.END, b"")
    peer.writer.close()
    await until(lambda: not bench.server.legs)
    assert line.why_closed == "the agent ended the audio"


async def test_hanging_up_twice_sends_one_end(bench: Bench) -> None:
    peer, line = await bench.join()
    line.hang_up()
    line.hang_up()
    assert [frame.kind for frame in await peer.rest() if frame.kind != FrameKind.SLIN] == [FrameKind.END]


async def test_a_peer_that_does_not_close_after_the_end_is_cut(hasty: Bench) -> None:
    peer, line = await hasty.join()
    line.hang_up()
    await peer.rest()
    await until(lambda: not hasty.server.legs)


async def test_the_caller_hanging_up_closes_the_line(bench: Bench) -> None:
    other = await bench.join()
    peer, line = await bench.join()
    peer.writer.close()
    await line.over.wait()
    assert line.why_closed == "Asterisk ended the audio"
    await bench.stands(*other)


async def test_an_end_from_the_other_side_closes_the_line(bench: Bench) -> None:
    peer, line = await bench.join()
    peer.send(audiosocket.encode(FrameKind.END))
    await line.over.wait()
    assert line.why_closed == "Asterisk ended the audio"


async def test_closing_the_server_closes_every_line(bench: Bench) -> None:
    lines = [(await bench.join())[1] for _ in range(3)]
    await bench.connect()
    await bench.server.close()
    assert [line.why_closed for line in lines] == ["the media server closes"] * 3


async def test_the_frame_clock_is_shared_and_each_call_is_asked_equally(bench: Bench) -> None:
    lines = [(await bench.join())[1] for _ in range(5)]
    start = [line.asked_frames for line in lines]
    await until(lambda: lines[0].asked_frames - start[0] >= 50)
    assert {line.asked_frames - began for line, began in zip(lines, start, strict=True)} == {
        lines[0].asked_frames - start[0]
    }


# What goes wrong


async def test_a_port_check_leaves_nothing(bench: Bench) -> None:
    other = await bench.join()
    peer = await bench.connect()
    await until(lambda: len(bench.server.legs) == 2)
    peer.writer.close()
    await until(lambda: len(bench.server.legs) == 1)
    await bench.stands(*other)


async def test_a_peer_that_never_says_which_call_it_is_for_is_closed(
    hasty: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    other = await hasty.join()
    peer = await hasty.connect()
    assert await peer.rest() == []
    assert [record.message for record in caplog.records] == ["audio.refused"]
    await hasty.stands(*other)


async def test_half_a_uuid_is_no_introduction(hasty: Bench) -> None:
    call_id, line = hasty.announce()
    peer = await hasty.connect()
    peer.send(audiosocket.encode_call_id(call_id)[:11])
    assert await peer.rest() == []
    assert line.wire is None


async def test_an_unknown_uuid_is_refused(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    other = await bench.join()
    peer = await bench.connect()
    stranger = CallId(str(uuid4()))
    peer.send(audiosocket.encode_call_id(stranger))
    assert await peer.rest() == []
    assert caplog.records[-1].__dict__["reason"] == f"call {stranger} was not announced"
    await bench.stands(*other)


async def test_a_second_audio_leg_for_a_call_is_refused_and_the_first_goes_on(bench: Bench) -> None:
    call_id, line = bench.announce()
    first, second = await bench.connect(), await bench.connect()
    first.send(audiosocket.encode_call_id(call_id))
    await line.joined()
    second.send(audiosocket.encode_call_id(call_id))
    assert await second.rest() == []
    await bench.stands(first, line)


@pytest.mark.parametrize(
    "first",
    [
        audiosocket.encode(FrameKind.SLIN, SPEECH),
        audiosocket.encode(FrameKind.UUID, b"short"),
        b"GET / HTTP/1.1\r\nHost: agent\r\n\r\n",
        b"\x10\xff\xff",
    ],
    ids=["sound", "short uuid", "http", "65535"],
)
async def test_any_other_first_frame_is_refused(bench: Bench, first: bytes) -> None:
    other = await bench.join()
    peer = await bench.connect()
    peer.send(first)
    assert await peer.rest() == []
    await bench.stands(*other)


async def test_an_empty_sound_frame_is_no_sound_and_the_call_goes_on(bench: Bench) -> None:
    peer, line = await bench.join()
    peer.send(audiosocket.encode(FrameKind.SLIN))
    await bench.stands(peer, line)
    assert line.heard == [SPEECH]


async def test_an_odd_number_of_bytes_reaches_the_line_whole(bench: Bench) -> None:
    peer, line = await bench.join()
    peer.send(audiosocket.encode(FrameKind.SLIN, SPEECH[:319]) + audiosocket.encode(FrameKind.SLIN, b"x"))
    await until(lambda: b"".join(line.heard) == SPEECH[:319] + b"x")


async def test_a_frame_of_length_65535_ends_its_own_call_only(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    other = await bench.join()
    peer, line = await bench.join()
    peer.send(b"\x10\xff\xff" + bytes(65535))
    await line.over.wait()
    assert line.why_closed is not None
    assert "65535 bytes" in line.why_closed
    assert caplog.records[-1].message == "audio.refused"
    await bench.stands(*other)


async def test_a_call_cut_within_a_frame_says_so(bench: Bench) -> None:
    peer, line = await bench.join()
    peer.send(audiosocket.encode(FrameKind.SLIN, SPEECH)[:100])
    peer.writer.close()
    await line.over.wait()
    assert line.why_closed == "the audio was cut off"
    assert line.heard == []


async def test_a_reset_closes_the_line(bench: Bench) -> None:
    other = await bench.join()
    peer, line = await bench.join()
    peer.writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
    )
    peer.writer.transport.abort()
    await line.over.wait()
    assert line.why_closed is not None
    assert line.why_closed.startswith("the audio connection broke")
    await bench.stands(*other)


async def test_kinds_that_are_not_ours_are_ignored_and_logged_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    peer, line = await bench.join()
    for kind in (FrameKind.ERROR, FrameKind.SLIN16, FrameKind.SLIN16, FrameKind.UUID):
        peer.send(audiosocket.encode(kind, bytes(16)))
    peer.send(b"\x42\x00\x01x")
    await bench.stands(peer, line)
    assert [record.__dict__["kind"] for record in caplog.records if record.message == "audio.ignored"] == [
        0xFF,
        0x12,
        0x01,
        0x42,
    ]


@pytest.mark.parametrize("payload", [b"", b"12", b"E", b"\xff", b"\0"])
async def test_only_a_key_of_the_keypad_is_a_digit(bench: Bench, payload: bytes) -> None:
    peer, line = await bench.join()
    peer.send(audiosocket.encode(FrameKind.DIGIT, payload))
    await bench.stands(peer, line)
    assert line.digits == []


async def test_a_peer_that_never_reads_is_cut_and_its_line_closed_and_the_others_go_on(
    hasty: Bench,
) -> None:
    other = await hasty.join()
    call_id, line = hasty.announce()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.setblocking(False)
    await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", hasty.server.port))
    await asyncio.get_running_loop().sock_sendall(deaf, audiosocket.encode_call_id(call_id))
    await line.over.wait()
    assert line.why_closed == "the peer does not read"
    await hasty.stands(*other)
    deaf.close()


class FaultyLine(RecordingLine):
    """A line with a bug, as soon as there is sound or a tick."""

    def __init__(self, *, in_the_ear: bool) -> None:
        super().__init__()
        self.in_the_ear = in_the_ear

    def audio_in(self, frame: bytes) -> None:
        if self.in_the_ear:
            raise ZeroDivisionError("a bug in the ear")

    def next_frame(self) -> bytes:
        if not self.in_the_ear:
            raise ZeroDivisionError("a bug in the voice")
        return SILENCE_FRAME


@pytest.mark.parametrize("in_the_ear", [True, False])
async def test_a_fault_in_one_line_ends_that_call_only(bench: Bench, in_the_ear: bool) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncio reports what it closed
    other = await bench.join()
    call_id, line = CallId(str(uuid4())), FaultyLine(in_the_ear=in_the_ear)
    bench.announced.enter_context(bench.switchboard.announce(call_id, line))
    peer = await bench.connect()
    peer.send(audiosocket.encode_call_id(call_id) + audiosocket.encode(FrameKind.SLIN, SPEECH))
    await line.over.wait()
    assert line.why_closed is not None
    assert "a bug in the" in line.why_closed
    await bench.stands(*other)


async def test_an_address_in_use_is_an_error_at_the_start(bench: Bench) -> None:
    twin = MediaServer("127.0.0.1", bench.server.port, bench.switchboard, bench.metronome)
    with pytest.raises(OSError, match="address already in use"):
        await twin.start()
    with pytest.raises(RuntimeError, match="not started"):
        _ = twin.port
    await twin.close()
