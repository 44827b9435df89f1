import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.arriving import Bounds, SampleAligner, bounded, foreign_format
from audio.tts import TtsFailed

HURRIED = Bounds(first_audio_ms=20, gap_ms=20, whole_ms=10_000)


class Source:
    """Gives its pieces; an event among them is waited for."""

    def __init__(self, *pieces: bytes | asyncio.Event) -> None:
        self._pieces = pieces
        self.closed = False

    async def sound(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self._pieces:
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    yield piece
        finally:
            self.closed = True


async def test_sound_that_comes_in_time_passes_as_it_is() -> None:
    source = Source(b"ab", b"cd")
    assert [piece async for piece in bounded(source.sound(), HURRIED, "voice")] == [b"ab", b"cd"]


@pytest.mark.parametrize(("before", "named"), [((), "first audio"), ((b"ab",), "more audio")])
async def test_sound_that_does_not_come_is_given_up_and_its_source_closed(
    before: tuple[bytes, ...], named: str
) -> None:
    source = Source(*before, asyncio.Event())
    sound = bounded(source.sound(), HURRIED, "voice")
    for piece in before:
        assert await anext(sound) == piece
    with pytest.raises(TtsFailed, match=named) as failure:
        await anext(sound)
    assert failure.value.slow
    assert isinstance(failure.value.__cause__, TimeoutError)
    assert source.closed


async def test_empty_pieces_are_no_first_audio() -> None:
    sound = bounded(Source(b"", b"", asyncio.Event()).sound(), HURRIED, "voice")
    with pytest.raises(TtsFailed, match="first audio"):
        await anext(sound)


async def test_many_short_waits_are_bounded_together() -> None:
    async def trickle() -> AsyncGenerator[bytes, None]:
        while True:
            await asyncio.sleep(0.01)
            yield b"ab"

    bounds = Bounds(first_audio_ms=1000, gap_ms=1000, whole_ms=60)
    with pytest.raises(TtsFailed, match="more audio"):
        async for _ in bounded(trickle(), bounds, "voice"):
            pass


async def test_a_slow_listener_is_not_the_providers_fault() -> None:
    bounds = Bounds(first_audio_ms=1000, gap_ms=1000, whole_ms=30)
    heard = []
    async for piece in bounded(Source(b"ab", b"cd", b"ef").sound(), bounds, "voice"):
        await asyncio.sleep(0.02)
        heard.append(piece)
    assert heard == [b"ab", b"cd", b"ef"]


async def test_closing_the_bounded_sound_closes_its_source() -> None:
    source = Source(b"ab", b"cd")
    sound = bounded(source.sound(), HURRIED, "voice")
    await anext(sound)
    await sound.aclose()
    assert source.closed


@given(st.lists(st.binary(max_size=9)))
def test_pieces_of_any_size_become_whole_samples_of_the_same_sound(pieces: list[bytes]) -> None:
    aligner = SampleAligner()
    taken = [aligner.take(piece) for piece in pieces]
    assert all(len(piece) % 2 == 0 for piece in taken)
    whole = b"".join(pieces)
    assert b"".join(taken) == whole[: len(whole) // 2 * 2]


@pytest.mark.parametrize(
    ("start", "is_called"),
    [
        (b"RIFF\x24\x08\x00\x00WAVE", "a WAV file"),
        (b"ID3\x04", "an MP3 file"),
        (b"OggS", "an Ogg file"),
        (b"fLaC", "a FLAC file"),
        (b'{"detail"', "text"),
        (b"<!DOCTYPE html>", "text"),
        (b"\x00\x00\x01\x00", None),
        (b"", None),
    ],
)
def test_a_file_or_a_page_is_told_from_sound_by_how_it_begins(start: bytes, is_called: str | None) -> None:
    assert foreign_format(start) == is_called
