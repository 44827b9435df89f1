"""The twin of a telephone is as strict as Asterisk, and records as a phone plays."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import numpy as np
import pytest

from audio.pcm import FRAME_BYTES, SILENCE_FRAME
from telephony import audiosocket
from telephony.audiosocket import FrameKind
from telephony.call import CallId
from telephony.simulated.handset import Handset, Heard, LegEnd, is_loud, mixed

QUIET_FRAME = audiosocket.encode(FrameKind.SLIN, SILENCE_FRAME)
LOUD = (np.ones(160) * 1000).astype("<i2").tobytes()

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def media_server(serve: Serve) -> AsyncIterator[int]:
    """A media server of a few lines: its port."""
    serving: list[asyncio.Task[None]] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(run(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*serving)


async def dial(serve: Serve, tick_ms: float = 1) -> tuple[LegEnd, Handset]:
    async with media_server(serve) as port:
        phone = Handset(tick_ms)
        return await phone.dial(CallId(str(uuid4())), "127.0.0.1", port), phone


@pytest.mark.parametrize(
    "wire",
    [
        audiosocket.encode(FrameKind.SLIN),
        audiosocket.encode(FrameKind.UUID, bytes(16)),
        audiosocket.encode(FrameKind.DIGIT, b"1"),
        audiosocket.encode(FrameKind.ERROR),
        b"\x10\xff\xff",
    ],
    ids=["length 0", "uuid", "digit", "error", "65535"],
)
async def test_a_frame_asterisk_does_not_take_fails_the_leg(wire: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(audiosocket.encode(FrameKind.SLIN, LOUD) + wire)
        await reader.read()

    end, phone = await dial(serve)
    assert end == LegEnd.FAILED
    assert phone.last_speech_ms > 0 or wire.startswith(b"\x10\xff")


async def test_an_end_is_proper() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(audiosocket.encode(FrameKind.END))
        await reader.read()

    assert (await dial(serve))[0] == LegEnd.PROPER


async def test_a_close_is_proper() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(19)

    assert (await dial(serve, tick_ms=20))[0] == LegEnd.PROPER


async def test_a_reset_fails_the_leg() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(19)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.transport.abort()

    assert (await dial(serve))[0] == LegEnd.FAILED


async def test_two_seconds_without_a_frame_from_either_side_fail_the_leg() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with media_server(serve) as port:
        phone = Handset(tick_ms=1)
        phone.suppresses_silence = True
        assert await phone.dial(CallId(str(uuid4())), "127.0.0.1", port) == LegEnd.FAILED
    assert phone.clock_ms >= 2000


async def test_two_seconds_without_a_frame_from_the_server_alone_do_not() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(19 + 130 * 323)  # 2.6 s of the caller's sound
        writer.write(audiosocket.encode(FrameKind.END))
        await reader.read()

    end, phone = await dial(serve)
    assert end == LegEnd.PROPER
    assert phone.clock_ms >= 2000


async def test_a_machine_that_stood_still_does_not_count_as_silence_of_the_agent_nor_as_a_mute_line() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(audiosocket.encode(FrameKind.SLIN, LOUD))
        await reader.readexactly(1000)
        time.sleep(0.15)  # noqa: ASYNC251  # 3 s of the call's clock, in which nobody does anything
        writer.write(audiosocket.encode(FrameKind.SLIN, LOUD) + QUIET_FRAME * 4)
        await reader.readexactly(1000)
        writer.write(QUIET_FRAME * 2 + audiosocket.encode(FrameKind.END))
        await reader.read()

    async with media_server(serve) as port:
        phone = Handset(1)
        leg = asyncio.create_task(phone.dial(CallId(str(uuid4())), "127.0.0.1", port))
        await phone.connected()
        await phone.hear_speech(after_ms=0)
        await phone.hear_silence(100)
        assert len(phone.arrivals_ms) >= 6, "the frames of silence behind the last word"
        assert await leg == LegEnd.PROPER


async def test_nobody_to_dial_fails_the_leg() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert await Handset().dial(CallId(str(uuid4())), "127.0.0.1", port) == LegEnd.FAILED


async def test_header_and_payload_in_two_writes_are_noticed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = audiosocket.encode(FrameKind.SLIN, LOUD)
        await reader.readexactly(19)
        writer.write(wire[:3])
        await reader.readexactly(3 * 323)  # let some time pass
        writer.write(wire[3:] + audiosocket.encode(FrameKind.END))
        await reader.read()

    end, phone = await dial(serve)
    assert (end, phone.torn_reads) == (LegEnd.PROPER, 1)


async def test_a_phone_put_down_before_it_was_connected_says_nothing() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read())

    async with media_server(serve) as port:
        phone = Handset()
        phone.hang_up()
        assert await phone.dial(CallId(str(uuid4())), "127.0.0.1", port) == LegEnd.HUNG_UP
    assert heard.result() == b""


async def test_sound_is_recorded_where_it_arrived_and_jitter_does_not_tear_it() -> None:
    phone = Handset()
    phone._record(LOUD, at_ms=100)
    phone._record(LOUD, at_ms=113)  # early by 7 ms
    phone._record(LOUD, at_ms=190)  # late by 50 ms
    phone._record(LOUD, at_ms=300)  # a real hole
    _, agent = phone.tracks()
    assert agent == bytes(1600) + LOUD * 3 + bytes(140 * 16) + LOUD


async def test_silence_brings_the_recording_back_to_the_time_of_arrival() -> None:
    phone = Handset()
    for at_ms in (100, 140, 170):
        phone._record(LOUD, at_ms=at_ms)
    phone._record(SILENCE_FRAME, at_ms=230)
    _, agent = phone.tracks()
    assert agent == bytes(1600) + LOUD * 3 + bytes(70 * 16) + SILENCE_FRAME


async def test_a_recording_that_is_behind_after_a_stall_catches_up_in_silence() -> None:
    phone = Handset()
    for _ in range(10):  # a burst: 200 ms of sound at one moment
        phone._record(LOUD, at_ms=0)
    for at_ms in range(20, 220, 20):
        phone._record(SILENCE_FRAME, at_ms=at_ms)
    phone._record(LOUD, at_ms=220)
    _, agent = phone.tracks()
    assert agent[: 10 * FRAME_BYTES] == LOUD * 10
    assert agent.rindex(LOUD) == 240 * 16  # one frame behind is no stall


async def test_the_agents_pauses_part_his_speech() -> None:
    phone = Handset()
    phone._loud_ms = [100.0, 120.0, 140.0, 500.0, 1500.0]
    assert phone.heard(pause_ms=300) == [Heard(100, 160), Heard(500, 520), Heard(1500, 1520)]
    assert phone.heard(pause_ms=400) == [Heard(100, 520), Heard(1500, 1520)]
    assert phone.first_speech_ms(141) == 500
    assert phone.first_speech_ms(1501) is None
    assert phone.last_speech_ms == 1520


def test_loud_is_more_than_line_noise() -> None:
    assert is_loud(LOUD)
    assert is_loud((np.ones(160) * -1000).astype("<i2").tobytes())
    assert not is_loud((np.ones(160) * 200).astype("<i2").tobytes())
    assert not is_loud(SILENCE_FRAME)
    assert not is_loud(b"")


def test_mixed_sound_is_the_sum_held_within_16_bits() -> None:
    one = np.array([1000, 30_000, -30_000], "<i2").tobytes()
    other = np.array([-300, 10_000, -10_000], "<i2").tobytes()
    assert np.frombuffer(mixed(one, other), "<i2").tolist() == [700, 32_767, -32_768]
