import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest

from audio.arriving import Bounds
from audio.fallback_voice import FallbackVoice, GuardedVoice
from audio.pcm import BYTES_PER_MS, duration_ms
from audio.providers.azure_tts import AzureTts
from audio.providers.elevenlabs_tts import ElevenLabsOptions, ElevenLabsTts
from audio.providers.espeak_tts import EspeakTts
from audio.scripted import ScriptedTts
from audio.tts import Pace, TextToSpeech, TtsFailed
from audio.word_ruler import AlignedRuler, CharacterRuler
from memory.breaker import Breakers, BreakerState, Fault, FaultKind
from memory.provider_news import Answered, Exhausted, Failed, ProviderNews, Stage, Switched, Why
from tests.simulators import azure, elevenlabs
from tests.simulators.server import Fault as ServerFault
from tests.simulators.speech import SpeechFault

TEXT = "Pour un vol, déclarez-le sous deux jours ouvrés, c'est plus court que les autres sinistres."
MS_PER_CHARACTER = 60
RULER = CharacterRuler(MS_PER_CHARACTER)
HURRIED = Bounds(first_audio_ms=800, gap_ms=400, whole_ms=5000)


class NamedTts(ScriptedTts):
    """A twin with a name and a way to fail."""

    def __init__(
        self, name: str, fails_after_chunks: int | None = None, failure: TtsFailed | None = None
    ) -> None:
        super().__init__(MS_PER_CHARACTER, fails_after_chunks=fails_after_chunks)
        self._name, self._failure = name, failure

    @property
    def name(self) -> str:
        return self._name

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in super().speak(text, pace):
                yield chunk
        except TtsFailed as failure:
            raise self._failure or failure from failure


class Giving:
    """A twin that gives these pieces, whatever the text is."""

    name = "giving"

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces:
            await asyncio.sleep(0)
            yield piece


def tone(for_ms: int) -> bytes:
    return b"\x00\x10\x00\xf0" * (for_ms * 4)


def guarded(voice: TextToSpeech, breakers: Breakers, told: list[ProviderNews] | None = None) -> GuardedVoice:
    return GuardedVoice(voice, breakers.of(voice.name), RULER, (told if told is not None else []).append)


async def sound_of(sound: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([piece async for piece in sound])


async def sound_until_failure(sound: AsyncGenerator[bytes, None]) -> tuple[bytes, TtsFailed]:
    heard = b""
    try:
        async for piece in sound:
            heard += piece
    except TtsFailed as failure:
        return heard, failure
    pytest.fail("it did not fail")


# one voice behind its breaker


async def test_a_voice_that_works_is_passed_through_and_its_first_sound_is_told() -> None:
    told: list[ProviderNews] = []
    ticks = iter((10.0, 10.25))
    breaker = Breakers().of("a")
    voice = GuardedVoice(NamedTts("a"), breaker, RULER, told.append, lambda: next(ticks))
    assert await sound_of(voice.speak(TEXT)) == await sound_of(ScriptedTts(MS_PER_CHARACTER).speak(TEXT))
    assert told == [Answered(Stage.TTS, "a", 250.0)]


async def test_a_voice_that_fails_is_told_to_its_breaker_and_then_left_alone() -> None:
    told: list[ProviderNews] = []
    breakers = Breakers(clock=lambda: 0.0)
    down = NamedTts("a", 0, TtsFailed("down", Fault(reason="HTTP 503")))
    voice = guarded(down, breakers, told)
    for _ in range(3):
        await sound_until_failure(voice.speak(TEXT))
    assert breakers.of("a").state is BreakerState.OPEN
    assert told == [Failed(Stage.TTS, "a", "HTTP 503")] * 3
    _, failure = await sound_until_failure(voice.speak(TEXT))
    assert failure.fault.reason == "HTTP 503"
    assert len(down.asked) == 3  # the fourth was not even tried


async def test_a_caller_who_interrupts_a_probe_gives_its_place_back() -> None:
    now_s = 0.0
    breakers = Breakers(clock=lambda: now_s)
    breakers.of("a").attempt_failed(Fault(FaultKind.BUSY, retry_after_s=1))
    now_s = 2.0
    voice = guarded(NamedTts("a"), breakers)
    speech = voice.speak(TEXT)
    await anext(speech)
    assert breakers.of("a").attempt() is None  # a single probe
    await speech.aclose()
    await sound_of(voice.speak(TEXT))
    assert breakers.of("a").state is BreakerState.CLOSED


@pytest.mark.parametrize("size", [1, 3, 7, 321])
async def test_sound_that_is_cut_anywhere_comes_in_whole_samples(size: int) -> None:
    sound = tone(len(TEXT) * MS_PER_CHARACTER)
    pieces = [sound[at : at + size] for at in range(0, len(sound), size)]
    given = [piece async for piece in guarded(Giving(*pieces, b"\x7f"), Breakers()).speak(TEXT)]
    assert all(len(piece) % 2 == 0 for piece in given)
    assert b"".join(given) == sound


@pytest.mark.parametrize(
    ("pieces", "named"),
    [
        ((), "no sound"),
        ((b"", b""), "no sound"),
        ((bytes(1000 * BYTES_PER_MS),), "silence"),
        ((bytes(1000 * BYTES_PER_MS),) * 9, "silence"),
        ((b"RIFF" + tone(5000),), "a WAV file"),
        ((b'{"detail": "no"}',), "text"),
        ((tone(800),), "too short"),
        # 16 kHz and 24 kHz where 8 were asked for
        ((tone(len(TEXT) * MS_PER_CHARACTER),) * 2, "too long"),
        ((tone(len(TEXT) * MS_PER_CHARACTER),) * 3, "too long"),
    ],
)
async def test_what_is_not_the_sentence_is_a_failure(pieces: tuple[bytes, ...], named: str) -> None:
    breakers = Breakers()
    _, failure = await sound_until_failure(guarded(Giving(*pieces), breakers).speak(TEXT))
    assert named in str(failure)
    assert breakers.of("giving").status().last_fault == failure.fault


async def test_silence_is_given_up_before_it_has_lasted() -> None:
    heard, _ = await sound_until_failure(guarded(Giving(*[bytes(320)] * 1000), Breakers()).speak(TEXT))
    assert duration_ms(heard) <= 1500


@pytest.mark.parametrize("share", [0.7, 1.0, 1.4])
async def test_a_brisk_voice_and_a_calm_one_are_both_the_sentence(share: float) -> None:
    sound = tone(int(len(TEXT) * MS_PER_CHARACTER * share))
    assert await sound_of(guarded(Giving(sound), Breakers()).speak(TEXT)) == sound


# several voices as one


async def test_the_first_voice_speaks_and_the_others_are_not_asked() -> None:
    first, second = NamedTts("a"), NamedTts("b")
    await sound_of(FallbackVoice([first, second], RULER).speak(TEXT, Pace.SLOW))
    assert (first.asked, first.paces, second.asked) == ([TEXT], [Pace.SLOW], [])


async def test_a_voice_that_fails_before_any_sound_is_replaced_and_that_is_told() -> None:
    told: list[ProviderNews] = []
    first = NamedTts("a", 0, TtsFailed("late", Fault(reason="no first audio"), slow=True))
    second = NamedTts("b")
    await sound_of(FallbackVoice([first, second], RULER, told.append).speak(TEXT, Pace.SLOW))
    assert second.asked == [TEXT]
    assert second.paces == [Pace.SLOW]
    assert told == [Switched(Stage.TTS, "a", "b", Why.SLOW, "no first audio")]


async def test_a_voice_whose_breaker_is_open_is_passed_over_and_that_is_told() -> None:
    told: list[ProviderNews] = []
    breakers = Breakers(clock=lambda: 0.0)
    breakers.of("a").attempt_failed(Fault(FaultKind.BUSY, "HTTP 429", 9))
    first, second = NamedTts("a"), NamedTts("b")
    await sound_of(FallbackVoice([guarded(first, breakers), second], RULER, told.append).speak(TEXT))
    assert (first.asked, second.asked) == ([], [TEXT])
    assert told == [Switched(Stage.TTS, "a", "b", Why.BARRED, "HTTP 429")]


@pytest.mark.parametrize("chunks", [5, 10, 20, 30, 45, 50])
async def test_the_next_voice_goes_on_with_the_word_at_which_the_first_broke_off(chunks: int) -> None:
    first, second = NamedTts("a", chunks), NamedTts("b")
    sound = await sound_of(FallbackVoice([first, second], RULER).speak(TEXT))

    (rest,) = second.asked
    assert TEXT.endswith(rest)
    assert TEXT[: -len(rest)].endswith(" ")  # cut between words
    reached = chunks * 100 // MS_PER_CHARACTER
    assert 0 <= reached - (len(TEXT) - len(rest)) <= len("déclarez-le")  # the word being said, from its start
    assert duration_ms(sound) == chunks * 100 + 5 + second.duration_ms(rest)  # 5 ms lead the sound to zero


async def test_two_voices_may_break_off_one_after_the_other() -> None:
    first, second, third = NamedTts("a", 10), NamedTts("b", 10), NamedTts("c")
    await sound_of(FallbackVoice([first, second, third], RULER).speak(TEXT))
    assert len(TEXT) > len(second.asked[0]) > len(third.asked[0]) > 0
    assert TEXT.endswith(third.asked[0])


async def test_a_voice_that_breaks_off_behind_the_last_word_needs_no_other() -> None:
    chunks = -(-len(TEXT) * MS_PER_CHARACTER // 100)
    told: list[ProviderNews] = []
    second = NamedTts("b")
    await sound_of(FallbackVoice([NamedTts("a", chunks), second], RULER, told.append).speak(TEXT))
    assert second.asked == []
    assert told == []


async def test_there_is_no_click_where_voices_meet() -> None:
    loud = struct.pack("<h", 12000) * 8000  # one second that ends far from zero

    class BreaksOff(Giving):
        async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
            yield loud
            raise TtsFailed("broke off")

    sound = await sound_of(FallbackVoice([BreaksOff(), Giving(bytes(320))], RULER).speak(TEXT))
    samples = [sample for (sample,) in struct.iter_unpack("<h", sound)]
    steps = [abs(after - before) for before, after in pairwise(samples)]
    assert max(steps) <= 300


async def test_when_no_voice_is_left_that_is_told_with_the_cause() -> None:
    told: list[ProviderNews] = []
    voice = FallbackVoice([NamedTts("a", 0), NamedTts("b", 0)], RULER, told.append)
    _, failure = await sound_until_failure(voice.speak(TEXT))
    assert isinstance(failure.__cause__, TtsFailed)
    assert [news.taken for news in told if isinstance(news, Switched)] == ["b", ""]
    assert told[-1] == Exhausted(Stage.TTS)


async def test_a_caller_who_interrupts_stops_the_voice_that_speaks() -> None:
    first = NamedTts("a")
    speech = FallbackVoice([first, NamedTts("b")], RULER).speak(TEXT)
    await anext(speech)
    await speech.aclose()
    assert first.finished == []


def test_no_voice_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        FallbackVoice([], RULER)


# the real SDKs on real sockets, with a real (robotic) voice behind the simulators


def synth_of(name: str, words_per_minute: int) -> Callable[[str, int, float], bytes]:
    """What the simulated service speaks with; called in its own thread and loop."""
    voice = EspeakTts(name, words_per_minute)

    def synth(text: str, rate_hz: int, speed: float) -> bytes:
        async def whole() -> bytes:
            return await sound_of(voice.speak(text))

        sound: list[bytes] = []
        import threading

        worker = threading.Thread(target=lambda: sound.append(asyncio.run(whole())))
        worker.start()
        worker.join()
        return sound[0] * (rate_hz // 8000)  # at another rate: as many times the samples

    return synth


class Providers:
    """Both services and the voice that uses them, espeak-ng last."""

    def __init__(self, services: tuple[elevenlabs.ElevenLabsSimulator, azure.AzureSimulator]) -> None:
        self.elevenlabs, self.azure = services
        self.told: list[ProviderNews] = []
        self.breakers = Breakers()
        self.local = EspeakTts()
        ruler = AlignedRuler(self.local)
        options = ElevenLabsOptions(bounds=HURRIED)
        self._eleven = ElevenLabsTts(elevenlabs.KEY, "voice", self.elevenlabs.url, options)
        self._azure = AzureTts(azure.KEY, endpoint=self.azure.address, bounds=HURRIED)
        self.hosted = [
            GuardedVoice(voice, self.breakers.of(voice.name), ruler, self.told.append)
            for voice in (self._eleven, self._azure)
        ]
        self.voice = FallbackVoice([*self.hosted, self.local], ruler, self.told.append)

    def switches(self) -> list[Switched]:
        return [news for news in self.told if isinstance(news, Switched)]

    async def close(self) -> None:
        await self._eleven.close()
        await self._azure.close()


@pytest.fixture
def services() -> Iterator[tuple[elevenlabs.ElevenLabsSimulator, azure.AzureSimulator]]:
    with ExitStack() as stack:
        first = stack.enter_context(elevenlabs.ElevenLabsSimulator(synth_of("fr+f2", 180)))
        yield first, stack.enter_context(azure.AzureSimulator(synth_of("fr+m3", 150)))


@pytest.fixture
async def providers(
    services: tuple[elevenlabs.ElevenLabsSimulator, azure.AzureSimulator],
) -> AsyncIterator[Providers]:
    opened = Providers(services)
    yield opened
    await opened.close()


WITHIN = {
    "stalls within": SpeechFault(after_chunks=40, delay_s=5),
    "is cut within": SpeechFault(after_chunks=40, cut=True),
    "ends early as if all were well": SpeechFault(after_chunks=20, truncated=True),
}
BEFORE = {
    "refuses the key": ServerFault(401),
    "has no such voice": ServerFault(404),
    "finds it too long": ServerFault(413),
    "finds it malformed": ServerFault(422),
    "is busy": ServerFault(429),
    "is busy and says for how long": ServerFault(429, headers={"retry-after": "3"}),
    "breaks": ServerFault(500),
    "is down": ServerFault(503),
    "stalls before the answer": ServerFault(delay_s=5),
    "stalls before the first sound": SpeechFault(after_chunks=0, delay_s=5),
    "answers with broken JSON": ServerFault(200, raw=b'{"audio": "'),
    "answers with nothing": ServerFault(200, raw=b""),
    "sends MP3": SpeechFault(content_type="audio/mpeg"),
}


@pytest.mark.parametrize("fault", BEFORE.values(), ids=BEFORE.keys())
async def test_when_elevenlabs_has_said_nothing_azure_says_the_sentence(
    providers: Providers, fault: ServerFault
) -> None:
    providers.elevenlabs.fail(fault)
    assert await sound_of(providers.voice.speak(TEXT))
    assert [request["text"] for request in providers.azure.requests] == [TEXT]
    (switch,) = providers.switches()
    assert (switch.left.partition(":")[0], switch.taken.partition(":")[0]) == ("elevenlabs", "azure")


@pytest.mark.parametrize("fault", WITHIN.values(), ids=WITHIN.keys())
async def test_when_elevenlabs_breaks_off_azure_goes_on_at_that_word(
    providers: Providers, fault: SpeechFault
) -> None:
    spoken = await EspeakTts("fr+f2", 180).timed(TEXT)
    providers.elevenlabs.fail(fault)
    await sound_of(providers.voice.speak(TEXT))

    (request,) = providers.azure.requests
    rest = request["text"]
    assert TEXT.endswith(rest)
    begun = [word.character for word in spoken.words if word.ms <= (fault.after_chunks or 0) * 50]
    words_off = len(TEXT[: begun[-1]].split()) - len(TEXT[: len(TEXT) - len(rest)].split())
    assert abs(words_off) <= 1


async def test_an_odd_number_of_bytes_never_becomes_a_roar(providers: Providers) -> None:
    providers.elevenlabs.fail(SpeechFault(odd=True))
    sound = await sound_of(providers.voice.speak(TEXT))
    straight = await sound_of(EspeakTts("fr+f2", 180).speak(TEXT))
    assert len(sound) % 2 == 0
    assert len(straight) - len(sound) <= 400
    assert providers.switches() == []


async def test_sound_of_another_rate_is_given_up_within_the_sentence(providers: Providers) -> None:
    providers.elevenlabs.fail(SpeechFault(rate_hz=24000))
    await sound_of(providers.voice.speak(TEXT))
    (switch,) = providers.switches()
    assert "8 kHz" in switch.reason


async def test_with_both_services_down_the_local_voice_speaks(providers: Providers) -> None:
    providers.elevenlabs.fail(ServerFault(503))
    providers.azure.refuse(*[ServerFault(503)] * 2)
    assert await sound_of(providers.voice.speak(TEXT))
    assert [switch.taken.partition(":")[0] for switch in providers.switches()] == ["azure", "espeak-ng"]


async def test_with_both_services_stalled_the_local_voice_speaks(providers: Providers) -> None:
    providers.elevenlabs.fail(ServerFault(delay_s=5))
    providers.azure.fail(ServerFault(delay_s=5))
    assert await sound_of(providers.voice.speak(TEXT))
    assert [switch.why for switch in providers.switches()] == [Why.SLOW, Why.SLOW]


async def test_a_sentence_may_go_through_all_three_voices(providers: Providers) -> None:
    providers.elevenlabs.fail(SpeechFault(after_chunks=30, cut=True))
    providers.azure.fail(SpeechFault(after_chunks=10, cut=True))
    asked: list[str] = []

    class Listening(EspeakTts):
        async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
            asked.append(text)
            async for piece in super().speak(text, pace):
                yield piece

    voice = FallbackVoice([*providers.hosted, Listening()], AlignedRuler(providers.local))
    await sound_of(voice.speak(TEXT))
    (second,) = [request["text"] for request in providers.azure.requests]
    (third,) = asked
    assert TEXT.endswith(second)
    assert second.endswith(third)
    assert len(TEXT) > len(second) > len(third) > 0


async def test_a_service_that_is_down_is_soon_no_longer_asked(providers: Providers) -> None:
    providers.elevenlabs.fail(*[ServerFault(500)] * 3)
    for _ in range(5):
        assert await sound_of(providers.voice.speak("Bonjour à tous, je vous écoute."))
    assert len(providers.elevenlabs.requests) == 3
    assert [switch.why for switch in providers.switches()][-2:] == [Why.BARRED, Why.BARRED]
