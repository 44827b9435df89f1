from redis.asyncio import Redis

from audio.redis_sounds import RedisSounds
from audio.sound_cache import sound_key
from audio.tts import Pace

KEY, OTHER = (sound_key("a", "", Pace.NORMAL, text) for text in ("un", "deux"))


async def test_what_one_worker_made_another_one_finds_until_it_expires(redis: Redis) -> None:
    await RedisSounds(redis, keep_s=100).put(KEY, b"\1\2\3\4")
    other = RedisSounds(redis, keep_s=5000)
    assert await other.holds(KEY)
    assert not await other.holds(OTHER)
    assert await other.get(KEY) == b"\1\2\3\4"
    assert await redis.ttl(RedisSounds.PREFIX + KEY) > 100  # played: it stays


async def test_a_damaged_sound_is_not_played(redis: Redis) -> None:
    await redis.set(RedisSounds.PREFIX + KEY, b"something else")
    assert await RedisSounds(redis).get(KEY) is None
