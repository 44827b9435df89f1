"""What a Redis that is away costs: a moment. That a real one keeps what it is given: tests/redis."""

import pytest
from redis.asyncio import Redis

from audio.pcm import FRAME_BYTES
from audio.redis_sounds import RedisSounds
from audio.scripted import ScriptedTts
from audio.sound_cache import CachedVoice, LayeredSounds, MemorySounds, sound_key
from audio.tts import Pace

LINE = "Au revoir."


@pytest.fixture
def away() -> RedisSounds:
    return RedisSounds(Redis(host="127.0.0.1", port=1))


async def test_a_redis_that_is_away_holds_nothing_and_fails_nothing(away: RedisSounds) -> None:
    key = sound_key("a", "", Pace.NORMAL, LINE)
    await away.put(key, bytes(FRAME_BYTES))
    assert await away.get(key) is None
    assert not await away.holds(key)


async def test_a_line_is_kept_near_although_redis_is_away(away: RedisSounds) -> None:
    voice = ScriptedTts()
    cached = CachedVoice(voice, LayeredSounds(MemorySounds(), away), frozenset({LINE}))
    for _ in range(2):
        assert [piece async for piece in cached.speak(LINE)]
    assert voice.asked == [LINE]
