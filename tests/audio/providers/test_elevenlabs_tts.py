import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import httpx
import pytest
from elevenlabs.core.api_error import ApiError

from audio.arriving import Bounds
from audio.providers.elevenlabs_tts import EU_ADDRESS, ElevenLabsOptions, ElevenLabsTts, SoundFormat
from audio.tts import Pace, TtsFailed
from memory.breaker import FaultKind
from tests.simulators.elevenlabs import KEY, ElevenLabsSimulator
from tests.simulators.server import Fault
from tests.simulators.speech import SpeechFault, speechlike

TEXT = "Votre contrat vaut douze mille euros."
HURRIED = Bounds(first_audio_ms=300, gap_ms=300, whole_ms=5000)


@pytest.fixture
def provider() -> Iterator[ElevenLabsSimulator]:
    with ElevenLabsSimulator() as running:
        yield running


@pytest.fixture
async def voice(provider: ElevenLabsSimulator) -> AsyncIterator[ElevenLabsTts]:
    async for made in voices(provider, ElevenLabsOptions(bounds=HURRIED)):
        yield made


async def voices(provider: ElevenLabsSimulator, options: ElevenLabsOptions) -> AsyncIterator[ElevenLabsTts]:
    voice = ElevenLabsTts(KEY, "denise", provider.url, options)
    yield voice
    await voice.close()


async def pieces_of(sound: AsyncGenerator[bytes, None]) -> list[bytes]:
    return [piece async for piece in sound]


async def sound_until_failure(sound: AsyncGenerator[bytes, None]) -> tuple[bytes, TtsFailed]:
    heard = b""
    try:
        async for piece in sound:
            heard += piece
    except TtsFailed as failure:
        return heard, failure
    pytest.fail("it did not fail")


async def test_a_sentence_is_asked_for_in_french_at_8_khz_and_comes_in_frames_of_20_ms(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts
) -> None:
    pieces = await pieces_of(voice.speak(TEXT))

    assert b"".join(pieces) == speechlike(TEXT, 8000, 1.0)
    assert {len(piece) for piece in pieces[:-1]} == {320}
    assert voice.name == "elevenlabs:eleven_flash_v2_5:denise"
    (request,) = provider.requests
    assert request["path"] == "/v1/text-to-speech/denise/stream"
    assert request["query"] == {"output_format": "pcm_8000", "enable_logging": "true"}
    assert request["body"]["text"] == TEXT
    assert request["body"]["model_id"] == "eleven_flash_v2_5"
    assert request["body"]["language_code"] == "fr"


async def test_mu_law_costs_half_the_bytes_and_sounds_the_same(provider: ElevenLabsSimulator) -> None:
    async for voice in voices(provider, ElevenLabsOptions(sound_format=SoundFormat.MU_LAW)):
        sound = b"".join(await pieces_of(voice.speak(TEXT)))
    assert len(sound) == len(speechlike(TEXT, 8000, 1.0)) == 2 * provider.requests[0]["sound_bytes"]


async def test_the_lifelike_model_is_not_sent_the_field_it_refuses(provider: ElevenLabsSimulator) -> None:
    async for voice in voices(provider, ElevenLabsOptions(model="eleven_multilingual_v2")):
        assert await pieces_of(voice.speak(TEXT))
    assert "language_code" not in provider.requests[0]["body"]


async def test_who_asks_for_it_is_spoken_to_more_slowly(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts
) -> None:
    usual, slow = await pieces_of(voice.speak(TEXT)), await pieces_of(voice.speak(TEXT, Pace.SLOW))
    assert len(slow) > 1.2 * len(usual)
    assert [request["body"]["voice_settings"]["speed"] for request in provider.requests] == [1.0, 0.8]


async def test_nothing_is_kept_there_when_so_set(provider: ElevenLabsSimulator) -> None:
    async for voice in voices(provider, ElevenLabsOptions(keeps_nothing=True)):
        await pieces_of(voice.speak(TEXT))
    assert provider.requests[0]["query"]["enable_logging"] == "false"


def test_the_address_in_the_union_is_the_sdks_own() -> None:
    from elevenlabs.environment import ElevenLabsEnvironment

    assert ElevenLabsEnvironment.PRODUCTION_EU.value == EU_ADDRESS


@pytest.mark.parametrize(
    ("fault", "kind", "retry_after_s"),
    [
        (Fault(401), FaultKind.CONFIGURATION, None),
        (Fault(402), FaultKind.CONFIGURATION, None),
        (Fault(404), FaultKind.CONFIGURATION, None),
        (Fault(413), FaultKind.REQUEST, None),
        (Fault(422), FaultKind.REQUEST, None),
        (Fault(429), FaultKind.BUSY, 1.0),
        (Fault(429, headers={"retry-after": "7"}), FaultKind.BUSY, 7.0),
        (Fault(429, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), FaultKind.BUSY, 1.0),
        (Fault(500), FaultKind.AWAY, None),
        (Fault(502, raw=b"<html>Bad gateway</html>"), FaultKind.AWAY, None),
        (Fault(503), FaultKind.BUSY, None),
        # an older way to say that the money is used up
        (Fault(401, raw=b'{"detail": {"status": "quota_exceeded"}}'), FaultKind.CONFIGURATION, None),
        (Fault(400, raw=b'{"detail": {"code": "voice_not_found"}}'), FaultKind.CONFIGURATION, None),
        (Fault(500, raw=b'{"detail": {"code"'), FaultKind.AWAY, None),
        (Fault(422, raw=b"not JSON"), FaultKind.REQUEST, None),
        (Fault(500, raw=b'{"detail": {"code": "Madame Moreau, 10078821"}}'), FaultKind.AWAY, None),
    ],
)
async def test_a_refusal_says_what_it_means_for_the_provider_and_is_tried_once(
    provider: ElevenLabsSimulator,
    voice: ElevenLabsTts,
    fault: Fault,
    kind: FaultKind,
    retry_after_s: float | None,
) -> None:
    provider.fail(fault)
    with pytest.raises(TtsFailed) as failure:
        await pieces_of(voice.speak(TEXT))
    told = failure.value.fault
    assert (told.kind, told.retry_after_s) == (kind, retry_after_s)
    assert told.reason.startswith(f"HTTP {fault.status}")
    assert "Moreau" not in str(failure.value)
    assert isinstance(failure.value.__cause__, ApiError)
    assert len(provider.requests) == 1
    assert await pieces_of(voice.speak(TEXT))  # and the next sentence is spoken


async def test_a_service_that_cannot_be_reached_is_a_failure(provider: ElevenLabsSimulator) -> None:
    voice = ElevenLabsTts(KEY, "denise", "http://127.0.0.1:1", ElevenLabsOptions(bounds=HURRIED))
    with pytest.raises(TtsFailed) as failure:
        await pieces_of(voice.speak(TEXT))
    assert isinstance(failure.value.__cause__, httpx.ConnectError)
    assert failure.value.fault.kind is FaultKind.AWAY
    await voice.close()


async def test_a_wrong_key_is_a_setting_to_mend(provider: ElevenLabsSimulator) -> None:
    voice = ElevenLabsTts("xi_wrong", "denise", provider.url)
    with pytest.raises(TtsFailed) as failure:
        await pieces_of(voice.speak(TEXT))
    assert failure.value.fault.kind is FaultKind.CONFIGURATION
    assert failure.value.fault.reason == "HTTP 401 invalid_api_key"
    await voice.close()


@pytest.mark.parametrize("fault", [Fault(delay_s=5), SpeechFault(after_chunks=0, delay_s=5)])
async def test_a_service_that_stalls_before_the_first_audio_is_given_up(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts, fault: Fault
) -> None:
    provider.fail(fault)
    with pytest.raises(TtsFailed) as failure:
        await pieces_of(voice.speak(TEXT))
    assert failure.value.slow
    assert failure.value.fault.kind is FaultKind.AWAY


@pytest.mark.parametrize(
    ("fault", "slow"),
    [(SpeechFault(after_chunks=3, delay_s=5), True), (SpeechFault(after_chunks=3, cut=True), False)],
    ids=["stalls", "is cut"],
)
async def test_a_stream_that_stalls_or_is_cut_gives_its_sound_first_and_then_fails(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts, fault: Fault, slow: bool
) -> None:
    provider.fail(fault)
    sound, failure = await sound_until_failure(voice.speak(TEXT))
    assert sound == speechlike(TEXT, 8000, 1.0)[: len(sound)]
    assert len(sound) >= 2 * 800  # at least two of the three chunks of 50 ms: the last may go with the cut
    assert failure.slow == slow


async def test_drops_that_each_come_in_time_do_not_go_on_for_ever(provider: ElevenLabsSimulator) -> None:
    options = ElevenLabsOptions(bounds=Bounds(first_audio_ms=2000, gap_ms=2000, whole_ms=100))
    provider.fail(SpeechFault(after_chunks=1, delay_s=1.5))
    async for voice in voices(provider, options):
        with pytest.raises(TtsFailed) as failure:
            await pieces_of(voice.speak(TEXT))
        assert failure.value.slow


@pytest.mark.parametrize("content_type", ["audio/mpeg", "application/json", "text/html"])
async def test_an_answer_of_another_type_is_not_played(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts, content_type: str
) -> None:
    provider.fail(SpeechFault(content_type=content_type))
    with pytest.raises(TtsFailed, match=content_type):
        await pieces_of(voice.speak(TEXT))


async def test_a_caller_who_interrupts_closes_the_stream_and_the_next_sentence_is_spoken(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts
) -> None:
    provider.fail(SpeechFault(after_chunks=3, delay_s=30))
    speech = voice.speak(TEXT)
    assert await anext(speech)
    await speech.aclose()
    assert await pieces_of(voice.speak(TEXT))
    assert [request["finished"] for request in provider.requests] == [False, True]


async def test_a_task_that_is_cancelled_while_it_waits_leaves_the_voice_usable(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts
) -> None:
    provider.fail(Fault(delay_s=30))
    task = asyncio.create_task(pieces_of(voice.speak(TEXT)))
    await asyncio.to_thread(provider.wait_for_request)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await pieces_of(voice.speak(TEXT))


async def test_sentences_share_a_kept_connection_that_can_be_opened_ahead(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts
) -> None:
    await voice.warm()
    for _ in range(3):
        await pieces_of(voice.speak(TEXT))
    assert provider.warmed == 1
    assert len({request["port"] for request in provider.requests}) == 1


async def test_warming_a_service_that_is_away_is_no_failure() -> None:
    voice = ElevenLabsTts(KEY, "denise", "http://127.0.0.1:1")
    await voice.warm()
    await voice.close()


async def test_twenty_sentences_at_once_do_not_mix(
    provider: ElevenLabsSimulator, voice: ElevenLabsTts
) -> None:
    texts = ["Bonjour " * number for number in range(1, 21)]
    spoken = await asyncio.gather(*(pieces_of(voice.speak(text)) for text in texts))
    for text, pieces in zip(texts, spoken, strict=True):
        assert b"".join(pieces) == speechlike(text, 8000, 1.0)
