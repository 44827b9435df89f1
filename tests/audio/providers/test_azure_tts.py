import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest

from audio.arriving import Bounds
from audio.providers import ProviderUnavailable
from audio.providers.azure_tts import AzureTts
from audio.tts import Pace, TtsFailed
from memory.breaker import FaultKind
from tests.simulators.azure import KEY, AzureSimulator
from tests.simulators.server import Fault
from tests.simulators.speech import SpeechFault, speechlike

TEXT = "Votre contrat vaut douze mille euros."
HURRIED = Bounds(first_audio_ms=800, gap_ms=400, whole_ms=5000)


@pytest.fixture
def provider() -> Iterator[AzureSimulator]:
    with AzureSimulator() as running:
        yield running


@pytest.fixture
async def voice(provider: AzureSimulator) -> AsyncIterator[AzureTts]:
    voice = AzureTts(KEY, endpoint=provider.address, bounds=HURRIED)
    yield voice
    await voice.close()


async def sound_of(sound: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([piece async for piece in sound])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - another thread's counter
            await asyncio.sleep(0.01)


async def test_a_sentence_is_sent_as_french_ssml_and_comes_back_at_8_khz(
    provider: AzureSimulator, voice: AzureTts
) -> None:
    assert await sound_of(voice.speak(TEXT)) == speechlike(TEXT, 8000, 1.0)
    assert voice.name == "azure:fr-FR-DeniseNeural"
    (request,) = provider.requests
    assert request["format"] == "raw-8khz-16bit-mono-pcm"
    assert 'xml:lang="fr-FR"' in request["ssml"]
    assert '<voice name="fr-FR-DeniseNeural">' in request["ssml"]
    assert request["text"] == TEXT


async def test_signs_of_xml_and_what_is_no_sign_at_all_are_only_text(
    provider: AzureSimulator, voice: AzureTts
) -> None:
    assert await sound_of(voice.speak("Petit & Fils <b>\x00\x1b\ud800 5 > 3</b>"))
    assert provider.requests[0]["text"] == "Petit & Fils <b>    5 > 3</b>"


async def test_who_asks_for_it_is_spoken_to_more_slowly(provider: AzureSimulator, voice: AzureTts) -> None:
    assert await sound_of(voice.speak(TEXT, Pace.SLOW)) == speechlike(TEXT, 8000, 0.8)
    assert 'rate="-20%"' in provider.requests[0]["ssml"]


async def test_sentences_share_one_connection_that_can_be_opened_ahead(
    provider: AzureSimulator, voice: AzureTts
) -> None:
    await voice.warm()
    await until(lambda: provider.connections == 1)
    for _ in range(3):
        await sound_of(voice.speak(TEXT))
    assert provider.connections == 1


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((401,), FaultKind.CONFIGURATION),
        ((403,), FaultKind.CONFIGURATION),
        ((429, 429), FaultKind.BUSY),  # the SDK tries these twice, at once
        ((500, 500), FaultKind.AWAY),
        ((503, 503), FaultKind.AWAY),
    ],
)
async def test_a_refused_connection_says_what_it_means_for_the_provider(
    provider: AzureSimulator, voice: AzureTts, statuses: tuple[int, ...], kind: FaultKind
) -> None:
    provider.refuse(*(Fault(status) for status in statuses * 2))  # once for opening ahead, once for speaking
    with pytest.raises(TtsFailed) as failure:
        await sound_of(voice.speak(TEXT))
    assert failure.value.fault.kind is kind


async def test_refused_ssml_is_a_setting_to_mend(provider: AzureSimulator, voice: AzureTts) -> None:
    provider.fail(Fault(1007))
    with pytest.raises(TtsFailed) as failure:
        await sound_of(voice.speak(TEXT))
    assert failure.value.fault.kind is FaultKind.CONFIGURATION
    assert failure.value.fault.reason == "BadRequest"


async def test_a_connection_that_breaks_before_any_sound_is_tried_again_by_the_sdk(
    provider: AzureSimulator, voice: AzureTts
) -> None:
    provider.fail(Fault(1011))
    assert await sound_of(voice.speak(TEXT)) == speechlike(TEXT, 8000, 1.0)


async def test_a_service_that_cannot_be_reached_is_a_failure() -> None:
    voice = AzureTts(KEY, endpoint="ws://127.0.0.1:1", bounds=HURRIED)
    with pytest.raises(TtsFailed) as failure:
        await sound_of(voice.speak(TEXT))
    assert failure.value.fault.kind is FaultKind.AWAY
    await voice.close()


@pytest.mark.parametrize("fault", [Fault(delay_s=8), SpeechFault(after_chunks=0, delay_s=8)])
async def test_a_service_that_never_begins_is_given_up_although_the_sdk_would_wait(
    provider: AzureSimulator, voice: AzureTts, fault: Fault
) -> None:
    provider.fail(fault)
    with pytest.raises(TtsFailed, match="first audio") as failure:
        await sound_of(voice.speak(TEXT))
    assert failure.value.slow
    assert await sound_of(voice.speak(TEXT))  # and the next sentence is spoken, on a new connection


@pytest.mark.parametrize(
    "fault",
    [SpeechFault(after_chunks=3, delay_s=8), SpeechFault(after_chunks=3, cut=True)],
    ids=["stalls", "is cut"],
)
async def test_a_stream_that_stalls_or_is_cut_gives_its_sound_first_and_then_fails(
    provider: AzureSimulator, voice: AzureTts, fault: Fault
) -> None:
    provider.fail(fault)
    sound = b""
    with suppress(TtsFailed):
        async for piece in voice.speak(TEXT):
            sound += piece
        pytest.fail("it did not fail")
    assert sound == speechlike(TEXT, 8000, 1.0)[: 3 * 1600]  # three chunks of 100 ms


async def test_a_caller_who_interrupts_stops_the_synthesis_and_a_new_connection_is_opened_ahead(
    provider: AzureSimulator, voice: AzureTts
) -> None:
    provider.fail(SpeechFault(after_chunks=3, delay_s=8))
    speech = voice.speak(TEXT)
    assert await anext(speech)
    await speech.aclose()
    await until(lambda: provider.stopped == 1)
    await until(lambda: provider.connections == 2)
    assert await sound_of(voice.speak(TEXT)) == speechlike(TEXT, 8000, 1.0)


async def test_several_sentences_at_once_do_not_mix(provider: AzureSimulator, voice: AzureTts) -> None:
    texts = ["Bonjour " * number for number in range(1, 7)]
    spoken = await asyncio.gather(*(sound_of(voice.speak(text)) for text in texts))
    for text, sound in zip(texts, spoken, strict=True):
        assert sound == speechlike(text.strip(), 8000, 1.0)


async def test_no_sound_at_all_is_no_sound_and_no_hang(provider: AzureSimulator, voice: AzureTts) -> None:
    provider.fail(SpeechFault(raw=b""))
    assert await sound_of(voice.speak(TEXT)) == b""


def test_a_key_alone_does_not_say_where() -> None:
    with pytest.raises(ProviderUnavailable, match="AZURE_SPEECH_REGION"):
        AzureTts(KEY)


def test_an_address_that_is_none_is_told_at_start() -> None:
    with pytest.raises(ProviderUnavailable, match="AZURE_SPEECH"):
        AzureTts(KEY, endpoint="not an address")
