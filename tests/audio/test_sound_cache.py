import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.scripted import ScriptedTts
from audio.sound_cache import (
    CachedVoice,
    DiskSounds,
    LayeredSounds,
    MemorySounds,
    SoundCache,
    packed,
    sound_key,
    unpacked,
)
from audio.tts import Pace, TtsFailed

FIXED = "Que puis-je faire pour vous ?"
PERSONAL = "Votre contrat vaut douze mille euros, Madame Moreau."
KEY, OTHER = sound_key("a", "", Pace.NORMAL, "un"), sound_key("a", "", Pace.NORMAL, "deux")


async def sound_of(sound: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([piece async for piece in sound])


def caches(folder: Path) -> list[SoundCache]:
    return [DiskSounds(folder / "a"), MemorySounds(), LayeredSounds(MemorySounds(), DiskSounds(folder / "b"))]


async def test_what_was_kept_comes_back_whatever_the_cache(tmp_path: Path) -> None:
    for cache in caches(tmp_path):
        assert await cache.get(KEY) is None
        assert not await cache.holds(KEY)
        await cache.put(KEY, b"\1\2")
        await cache.put(KEY, b"\3\4")
        assert await cache.get(KEY) == b"\3\4"
        assert await cache.holds(KEY)
        assert await cache.get(OTHER) is None


async def test_the_least_recently_used_goes_when_the_bound_is_reached(tmp_path: Path) -> None:
    size = len(packed(bytes(100)))
    for cache in (DiskSounds(tmp_path, max_bytes=2 * size), MemorySounds(max_bytes=200)):
        keys = [sound_key("a", "", Pace.NORMAL, str(number)) for number in range(3)]
        for number, key in enumerate(keys[:2]):
            await cache.put(key, bytes(100))
            if isinstance(cache, DiskSounds):
                os.utime(tmp_path / f"{key}.sound", (1000 + number, 1000 + number))
        assert await cache.get(keys[0]) is not None  # used now
        await cache.put(keys[2], bytes(100))
        assert [await cache.holds(key) for key in keys] == [True, False, True]


async def test_what_is_larger_than_the_bound_is_not_kept(tmp_path: Path) -> None:
    for cache in (DiskSounds(tmp_path, max_bytes=50), MemorySounds(max_bytes=50)):
        await cache.put(KEY, bytes(100))
        assert await cache.get(KEY) is None


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "another format"])
async def test_a_damaged_file_is_dropped_and_made_again(tmp_path: Path, damage: str) -> None:
    cache = DiskSounds(tmp_path)
    await cache.put(KEY, bytes(range(100)))
    file = tmp_path / f"{KEY}.sound"
    content = file.read_bytes()
    file.write_bytes(
        {
            "cut": content[:-1],
            "changed": content[:-1] + b"\0",
            "emptied": b"",
            "another format": b"x" + content,
        }[damage]
    )
    assert await cache.get(KEY) is None
    assert not file.exists()
    await cache.put(KEY, bytes(range(100)))
    assert await cache.get(KEY) == bytes(range(100))


async def test_a_folder_that_cannot_be_used_costs_no_call_anything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = DiskSounds(tmp_path / "file" / "sounds")
    await cache.put(KEY, b"\1\2")
    assert await cache.get(KEY) is None
    assert not await cache.holds(KEY)


async def test_no_half_file_is_left_where_files_are_kept(tmp_path: Path) -> None:
    cache = DiskSounds(tmp_path)
    await asyncio.gather(*(cache.put(KEY, bytes([number]) * 1000) for number in range(20)))
    assert await asyncio.to_thread(lambda: [file.name for file in tmp_path.iterdir()]) == [f"{KEY}.sound"]
    sound = await cache.get(KEY)
    assert sound is not None
    assert len(set(sound)) == 1


async def test_what_is_found_far_away_is_kept_near() -> None:
    near, far = MemorySounds(), MemorySounds()
    await far.put(KEY, b"\1\2")
    assert await LayeredSounds(near, far).get(KEY) == b"\1\2"
    assert await near.get(KEY) == b"\1\2"


def test_the_key_holds_nothing_of_the_text_and_everything_that_changes_the_sound() -> None:
    keys = {
        sound_key(voice, settings, pace, text)
        for voice in ("a", "b")
        for settings in ("pcm_8000", "ulaw_8000")
        for pace in Pace
        for text in (FIXED, PERSONAL)
    }
    assert len(keys) == 16
    assert all(len(key) == 64 and key.isalnum() for key in keys)


@given(st.binary(max_size=200), st.data())
def test_what_was_packed_is_unpacked_and_one_wrong_byte_is_seen(sound: bytes, data: st.DataObject) -> None:
    content = bytearray(packed(sound))
    assert unpacked(bytes(content)) == sound
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    assert unpacked(bytes(content)) is None


# the voice that uses it


async def test_a_fixed_sentence_is_made_once() -> None:
    voice, cache = ScriptedTts(), MemorySounds()
    cached = CachedVoice(voice, cache, frozenset({FIXED}))
    first, second = await sound_of(cached.speak(FIXED)), await sound_of(cached.speak(FIXED))
    assert first == second != b""
    assert voice.asked == [FIXED]
    assert cached.name == voice.name


async def test_a_sentence_that_is_not_fixed_reaches_no_cache(tmp_path: Path) -> None:
    voice = ScriptedTts()
    cached = CachedVoice(voice, DiskSounds(tmp_path / "sounds"), frozenset({FIXED}))
    for _ in range(2):
        assert await sound_of(cached.speak(PERSONAL))
    assert voice.asked == [PERSONAL, PERSONAL]
    assert not (tmp_path / "sounds").exists()


async def test_each_pace_and_each_setting_has_its_own_sound() -> None:
    voice, cache = ScriptedTts(), MemorySounds()
    for settings in ("pcm_8000", "ulaw_8000"):
        cached = CachedVoice(voice, cache, frozenset({FIXED}), settings)
        for pace in Pace:
            await sound_of(cached.speak(FIXED, pace))
    assert voice.paces == [Pace.NORMAL, Pace.SLOW] * 2


@pytest.mark.parametrize("chunks", [0, 2])
async def test_a_sentence_that_broke_off_is_not_kept(chunks: int) -> None:
    cache = MemorySounds()
    cached = CachedVoice(ScriptedTts(fails_after_chunks=chunks), cache, frozenset({FIXED}))
    with pytest.raises(TtsFailed):
        await sound_of(cached.speak(FIXED))
    assert await cached.lacks([FIXED]) == [FIXED]


async def test_a_sentence_that_was_interrupted_is_not_kept() -> None:
    cached = CachedVoice(ScriptedTts(), MemorySounds(), frozenset({FIXED}))
    speech = cached.speak(FIXED)
    await anext(speech)
    await speech.aclose()
    assert await cached.lacks([FIXED]) == [FIXED]


async def test_what_is_kept_is_spoken_although_the_voice_is_down() -> None:
    cache = MemorySounds()
    spoken = await sound_of(CachedVoice(ScriptedTts(), cache, frozenset({FIXED})).speak(FIXED))
    down = CachedVoice(ScriptedTts(fails_after_chunks=0), cache, frozenset({FIXED}))
    assert await sound_of(down.speak(FIXED)) == spoken


async def test_what_is_lacking_is_only_what_may_be_kept() -> None:
    cached = CachedVoice(ScriptedTts(), MemorySounds(), frozenset({FIXED, "Au revoir."}))
    await sound_of(cached.speak(FIXED))
    assert await cached.lacks([FIXED, "Au revoir.", PERSONAL]) == ["Au revoir."]
