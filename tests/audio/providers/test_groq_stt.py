import asyncio
import io
import wave
from collections.abc import AsyncIterator, Iterator

import groq
import httpx
import pytest

from audio.endpointing import Expecting, Utterance
from audio.providers.groq_stt import GroqStt, wav
from audio.stt import SttFailed, Transcript
from audio.whisper import HINTS
from memory.breaker import FaultKind
from tests.simulators.groq import KEY, GroqSimulator
from tests.simulators.server import Fault

UTTERANCE = Utterance(bytes(range(256)) * 128, started_ms=0, ended_ms=2048)


@pytest.fixture
def provider() -> Iterator[GroqSimulator]:
    with GroqSimulator() as running:
        yield running


@pytest.fixture
async def ear(provider: GroqSimulator) -> AsyncIterator[GroqStt]:
    ear = GroqStt(KEY, base_url=provider.url)
    yield ear
    await ear.close()


async def test_an_utterance_is_sent_as_a_wav_of_the_line_and_its_text_comes_back(
    provider: GroqSimulator, ear: GroqStt
) -> None:
    provider.transcripts = ["Bonjour, je voudrais parler à un conseiller."]
    heard = await ear.transcribe(UTTERANCE, Expecting.OPEN)

    assert heard == Transcript("Bonjour, je voudrais parler à un conseiller.", 0.819)
    assert ear.name == "groq:whisper-large-v3-turbo"
    (request,) = provider.requests
    assert request["wav"] == (8000, 1, 2)
    assert request["pcm"] == UTTERANCE.pcm
    assert request["fields"]["language"] == "fr"
    assert request["fields"]["response_format"] == "verbose_json"


@pytest.mark.parametrize("expecting", list(Expecting))
async def test_what_was_asked_is_given_as_a_hint(
    provider: GroqSimulator, ear: GroqStt, expecting: Expecting
) -> None:
    provider.transcripts = ["Oui."]
    await ear.transcribe(UTTERANCE, expecting)
    assert provider.requests[0]["fields"]["prompt"] == HINTS[expecting]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Sous-titres réalisés par la communauté d'Amara.org",
        {"text": "Merci.", "no_speech_prob": 0.95, "avg_logprob": -1.4},
        {"text": "Oui oui oui oui oui oui", "compression_ratio": 4.0},
    ],
)
async def test_silence_and_inventions_are_nothing_understood(
    provider: GroqSimulator, ear: GroqStt, answer: str | dict[str, object]
) -> None:
    provider.transcripts = [answer]
    assert await ear.transcribe(UTTERANCE, Expecting.OPEN) == Transcript("", 0.0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FaultKind.REQUEST),
        (401, FaultKind.CONFIGURATION),
        (404, FaultKind.CONFIGURATION),
        (413, FaultKind.REQUEST),
        (429, FaultKind.BUSY),
        (498, FaultKind.BUSY),
        (500, FaultKind.AWAY),
        (502, FaultKind.AWAY),
        (503, FaultKind.AWAY),
    ],
)
async def test_a_refusal_is_a_failure_after_one_attempt(
    provider: GroqSimulator, ear: GroqStt, status: int, kind: FaultKind
) -> None:
    provider.fail(Fault(status, headers={"retry-after": "1"}))
    with pytest.raises(SttFailed, match=f"HTTP {status}") as raised:
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert isinstance(raised.value.__cause__, groq.APIStatusError)
    assert (raised.value.fault.kind, raised.value.fault.retry_after_s) == (kind, 1.0)
    assert len(provider.requests) == 1


async def test_a_limit_without_a_time_says_none(provider: GroqSimulator, ear: GroqStt) -> None:
    provider.fail(Fault(429))
    with pytest.raises(SttFailed) as raised:
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert raised.value.fault.retry_after_s is None


@pytest.mark.parametrize("pcm", [b"", b"\0", bytes(160), bytes(1599)])
async def test_what_is_too_short_to_hold_a_word_is_silence_and_is_not_sent(
    provider: GroqSimulator, ear: GroqStt, pcm: bytes
) -> None:
    heard = await ear.transcribe(Utterance(pcm, 0, len(pcm) // 16), Expecting.OPEN)
    assert heard == Transcript("", 0.0)
    assert provider.requests == []


async def test_half_a_sample_at_the_end_is_not_sent(provider: GroqSimulator, ear: GroqStt) -> None:
    provider.transcripts = ["Oui."]
    heard = await ear.transcribe(Utterance(UTTERANCE.pcm + b"\7", 0, 2048), Expecting.YES_NO)
    assert heard.text == "Oui."
    assert provider.requests[0]["pcm"] == UTTERANCE.pcm


async def test_warming_opens_the_connection_that_is_used_then(provider: GroqSimulator, ear: GroqStt) -> None:
    await ear.warm()
    assert provider.listed == 1
    assert provider.requests == [], "nothing is transcribed for it"


async def test_warming_tells_a_model_that_is_not_there(provider: GroqSimulator, ear: GroqStt) -> None:
    provider.models = {"whisper-large-v3"}
    with pytest.raises(SttFailed, match="GROQ_STT_MODEL") as raised:
        await ear.warm()
    assert raised.value.fault.kind is FaultKind.CONFIGURATION


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(401), FaultKind.CONFIGURATION),
        (Fault(503), FaultKind.AWAY),
        (Fault(raw=b"{"), FaultKind.AWAY),
        (Fault(raw=b"{}"), FaultKind.AWAY),
    ],
)
async def test_warming_fails_as_a_transcription_does(
    provider: GroqSimulator, ear: GroqStt, fault: Fault, kind: FaultKind
) -> None:
    provider.fail(fault, at="models")
    with pytest.raises(SttFailed) as raised:
        await ear.warm()
    assert raised.value.fault.kind is kind
    assert raised.value.__cause__ is not None


async def test_a_wrong_key_is_a_failure_that_does_not_tell_the_key(provider: GroqSimulator) -> None:
    ear = GroqStt("gsk_wrong_secret", base_url=provider.url)
    with pytest.raises(SttFailed, match="HTTP 401 invalid_api_key") as raised:
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert "secret" not in str(raised.value)
    await ear.close()


async def test_a_model_that_was_withdrawn_says_so(provider: GroqSimulator) -> None:
    ear = GroqStt(KEY, base_url=provider.url, model="whisper-withdrawn")
    with pytest.raises(SttFailed, match=r"groq:whisper-withdrawn .*HTTP 404 model_not_found"):
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    await ear.close()


async def test_a_stalled_answer_is_given_up_within_the_time_allowed(provider: GroqSimulator) -> None:
    ear = GroqStt(KEY, base_url=provider.url, timeout_ms=200)
    provider.fail(Fault(delay_s=3))
    with pytest.raises(SttFailed, match=r"Timeout") as raised:
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert isinstance(raised.value.__cause__, TimeoutError | groq.APITimeoutError)
    await ear.close()


async def test_an_answer_that_stalls_half_way_is_given_up_within_the_time_allowed(
    provider: GroqSimulator,
) -> None:
    ear = GroqStt(KEY, base_url=provider.url, timeout_ms=200)
    provider.fail(Fault(delay_s=3, after_chunks=1))
    with pytest.raises(SttFailed):
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    await ear.close()


async def test_an_answer_that_trickles_in_does_not_outlast_the_time_allowed(provider: GroqSimulator) -> None:
    """Each read is quick; the whole is not."""
    ear = GroqStt(KEY, base_url=provider.url, timeout_ms=300)
    provider.stt_delay_s = 0.2
    provider.fail(Fault(delay_s=0.2, after_chunks=1))
    with pytest.raises(SttFailed, match="TimeoutError"):
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    await ear.close()


@pytest.mark.parametrize("cut", [Fault(cut=True), Fault(cut=True, after_chunks=1)])
async def test_an_answer_cut_short_is_a_failure(provider: GroqSimulator, ear: GroqStt, cut: Fault) -> None:
    provider.fail(cut)
    with pytest.raises(SttFailed) as raised:
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert isinstance(raised.value.__cause__, httpx.HTTPError | groq.APIConnectionError)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"text": "Bonj',
        b"",
        b"[]",
        b"null",
        b'{"text": "Bonjour"}',
        b'{"text": "Bonjour", "segments": [{"text": "Bonjour"}]}',
        b'{"text": "Bonjour", "segments": "none"}',
        b"\xff\xfe",
    ],
)
async def test_an_answer_that_is_not_what_was_asked_for_is_a_failure(
    provider: GroqSimulator, ear: GroqStt, raw: bytes
) -> None:
    provider.fail(Fault(raw=raw))
    with pytest.raises(SttFailed) as raised:
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert raised.value.__cause__ is not None


async def test_nobody_at_the_other_end_is_a_failure() -> None:
    ear = GroqStt(KEY, base_url="http://127.0.0.1:1")
    with pytest.raises(SttFailed) as raised:
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    assert isinstance(raised.value.__cause__, groq.APIConnectionError)
    await ear.close()


async def test_the_ear_hears_again_after_a_failure_and_keeps_its_connection(
    provider: GroqSimulator, ear: GroqStt
) -> None:
    provider.fail(Fault(503))
    with pytest.raises(SttFailed):
        await ear.transcribe(UTTERANCE, Expecting.OPEN)
    provider.transcripts = ["Oui.", "Non."]
    assert (await ear.transcribe(UTTERANCE, Expecting.OPEN)).text == "Oui."
    assert (await ear.transcribe(UTTERANCE, Expecting.OPEN)).text == "Non."
    assert len({request["port"] for request in provider.requests}) == 1


async def test_a_cancelled_transcription_ends_at_once_as_cancelled(
    provider: GroqSimulator, ear: GroqStt
) -> None:
    provider.fail(Fault(delay_s=2))
    listening = asyncio.ensure_future(ear.transcribe(UTTERANCE, Expecting.OPEN))
    await asyncio.to_thread(provider.wait_for_request)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening


def test_the_wav_header_is_what_the_standard_library_reads() -> None:
    with wave.open(io.BytesIO(wav(b"\1\0\2\0"))) as file:
        assert file.getparams()[:4] == (1, 2, 8000, 2)
        assert file.readframes(2) == b"\1\0\2\0"
