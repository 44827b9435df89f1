"""Every fault of every provider, through the whole agent: the call goes on, or ends politely with people.

The real SDK clients of Groq, ElevenLabs and Azure talk to simulators of their services over sockets, the real
voice detector listens, Asterisk's twin rings; ten times faster than life. One agent takes all calls, and
its breakers are closed again between them.
"""

import asyncio
import logging
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from app import settings as configuration
from app.pages.readiness import configuration_faults
from app.settings import Settings
from app.watching.metrics import Metrics
from app.wiring import Agent, open_agent
from audio.pcm import FRAME_BYTES
from graph.heard import Words
from knowledge.intents import UNKNOWN
from memory.breaker import Closed, FaultKind, Opened
from memory.breaker import Fault as BreakerFault
from memory.provider_news import Exhausted, ProviderNews, Stage, Switched
from telephony.call import TECHNICAL, Transferred
from telephony.journal import CallEnded, MemoryJournal, StageFailed, TurnHeard, TurnTimed
from telephony.simulated.asterisk import EndedBy, SimulatedAsterisk, SimulatedCall
from tests.app.wiring.settings_of_a_test import changed
from tests.audio.providers import tiny_whisper
from tests.audio.test_nobody_speaks import INVENTIONS, hold_music, line_noise
from tests.audio.wear import Sound, pcm_of
from tests.graph.conversation import OPEN
from tests.simulators import azure as azure_simulator
from tests.simulators import elevenlabs as elevenlabs_simulator
from tests.simulators import groq as groq_simulator
from tests.simulators.azure import AzureSimulator
from tests.simulators.elevenlabs import ElevenLabsSimulator
from tests.simulators.groq import ChatReply, GroqSimulator
from tests.simulators.server import Fault
from tests.simulators.speech import SpeechFault
from tests.telephony.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICK_MS = 2
"""Not less: Asterisk ends a leg after 2 s without a frame, here 0.2 s of a machine that may be busy."""
RECORDINGS = Path(__file__).parent.parent / "recordings"
HOURS = "quels sont vos horaires"
UNSURE = "c'est pour une histoire de papiers"
"""The classifier has no idea: a language model is asked."""
SORTED = ChatReply(calls=(("Sorted", f'{{"first": "{UNKNOWN}", "second": null}}'),))

GREETING = 4
"""Sentences of it."""

MOST_REQUESTS_OF_NOBODY = 1

NEVER_S = 8.0
"""Longer than any budget here."""


@dataclass
class House:
    """An agent between its providers' simulators and Asterisk's twin."""

    agent: Agent
    asterisk: SimulatedAsterisk
    groq: GroqSimulator
    elevenlabs: ElevenLabsSimulator
    azure: AzureSimulator
    journal: MemoryJournal
    metrics: Metrics
    news: list[ProviderNews] = field(default_factory=list)

    def mend(self) -> None:
        """Every provider works, and every breaker knows it."""
        for provider in (self.groq, self.elevenlabs, self.azure):
            provider.broken.clear()
            for waiting in provider._faults.values():
                waiting.clear()
        self.groq.transcripts.clear()
        self.groq.replies.clear()
        self.groq.asked.clear()
        self.azure._refusals.clear()
        for status in self.agent.breakers.statuses():
            self.agent.breakers.hear(Opened(status.name, 0, BreakerFault(FaultKind.AWAY)))
            self.agent.breakers.hear(Closed(status.name))
        self.news.clear()
        self.journal.events.clear()

    def switched(self, stage: Stage, left: str) -> list[Switched]:
        return [
            one
            for one in self.news
            if isinstance(one, Switched) and one.stage is stage and one.left.startswith(left)
        ]


def fast(settings: Settings) -> Settings:
    """Budgets for a call that is ten times faster than life, still long for a provider on this machine."""
    settings = changed(settings, "hearing", budget_ms=5000, hedge_ms=1500)
    settings = changed(settings, "voices", first_audio_ms=1500, gap_ms=1200, cache_mb=0)
    return changed(
        settings,
        "turn_taking",
        filler_ms=400,
        transcription_budget_ms=6000,
        dialogue_budget_ms=6000,
        voice_budget_ms=6000,
    )


def keyed(settings: Settings, groq: str, elevenlabs: str, azure: str) -> Settings:
    settings = changed(settings, "groq", api_key=SecretStr(groq_simulator.KEY), base_url=groq)
    settings = changed(
        settings,
        "elevenlabs",
        api_key=SecretStr(elevenlabs_simulator.KEY),
        voice_id="voice",
        base_url=elevenlabs,
    )
    return changed(settings, "azure", speech_key=SecretStr(azure_simulator.KEY), speech_endpoint=azure)


def at_home(folder: Path) -> Settings:
    settings = configuration.read(folder / "no.env")
    settings = changed(settings, "application", data_folder=folder / "var", port=0)
    settings = changed(settings, "limits", calls_of_caller_an_hour=0)  # one caller rings all these calls
    return changed(settings, "asterisk", agi_port=0, audio_port=0)


@asynccontextmanager
async def house_of(settings: Settings, *simulators: object) -> AsyncIterator[House]:
    groq, elevenlabs, azure = simulators
    assert isinstance(groq, GroqSimulator)
    assert isinstance(elevenlabs, ElevenLabsSimulator)
    assert isinstance(azure, AzureSimulator)
    journal, metrics, news = MemoryJournal(), Metrics(), list[ProviderNews]()

    def told(one: ProviderNews) -> None:
        news.append(one)
        metrics.told(one)

    async with open_agent(settings, [journal, metrics], TICK_MS, lambda: OPEN, told) as agent:
        asterisk = SimulatedAsterisk(("127.0.0.1", agent.agi.port), tick_ms=TICK_MS)
        yield House(agent, asterisk, groq, elevenlabs, azure, journal, metrics, news)


@contextmanager
def simulators() -> Iterator[tuple[GroqSimulator, ElevenLabsSimulator, AzureSimulator]]:
    with GroqSimulator() as groq, ElevenLabsSimulator() as elevenlabs, AzureSimulator() as azure:
        yield groq, elevenlabs, azure


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="shared")
async def one_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("agent")
    model = tiny_whisper.make(folder / "tiny", HOURS.split())
    async with AsyncExitStack() as stack:
        groq, elevenlabs, azure = stack.enter_context(simulators())
        settings = fast(keyed(at_home(folder), groq.url, elevenlabs.url, azure.address))
        settings = changed(settings, "whisper", model=str(model))
        yield await stack.enter_async_context(house_of(settings, groq, elevenlabs, azure))


@pytest.fixture(name="house")
def mended_house(shared: House) -> House:
    shared.mend()
    return shared


def recording(name: str) -> bytes:
    with wave.open(str(RECORDINGS / f"{name}.wav")) as file:
        return bytes(file.readframes(file.getnframes()))


ENDS_OF_ANSWERS = {"common.anything_else", "faq.unknown", "repair.missed", "common.technical"}


async def by_then(holds: Callable[[], object]) -> None:
    """Until ``holds``; in far less than the time given here."""
    async with asyncio.timeout(40):
        await until(lambda: bool(holds()))


@asynccontextmanager
async def a_call(house: House, said: str) -> AsyncIterator[SimulatedCall]:
    """Ring, and wait until the greeting is made: what fails then is the answer to ``said``."""
    house.groq.transcripts = [said]
    house.elevenlabs.requests.clear()
    async with house.asterisk.call() as call:
        await by_then(lambda: [one["finished"] for one in house.elevenlabs.requests] == [True] * GREETING)
        yield call


async def answered(house: House, call: SimulatedCall) -> None:
    """Speak over the notice, which goes on, and hear the answer behind it begin."""
    await call.say(recording("assurance_vie"))
    await by_then(lambda: ENDS_OF_ANSWERS & set(house.journal.said()))
    await by_then(lambda: any(isinstance(event, TurnTimed) for event in house.journal.events))


HTTP_FAULTS = {
    "400": Fault(400),
    "401": Fault(401),
    "404": Fault(404),
    "413": Fault(413),
    "429": Fault(429),
    "429 with retry-after": Fault(429, headers={"retry-after": "30"}),
    "498": Fault(498),
    "500": Fault(500),
    "502": Fault(502),
    "503": Fault(503),
    "stalled before": Fault(delay_s=NEVER_S),
    "stalled within": Fault(delay_s=NEVER_S, after_chunks=1),
    "cut before": Fault(cut=True),
    "cut within": Fault(cut=True, after_chunks=1),
    "broken JSON": Fault(raw=b'{"text": "Bon'),
    "a page instead": Fault(raw=b"<html>proxy</html>"),
    "an empty body": Fault(raw=b""),
}


@pytest.mark.parametrize("fault", HTTP_FAULTS.values(), ids=HTTP_FAULTS)
async def test_whatever_happens_to_the_first_ear_the_next_one_hears(
    house: House, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_call(house, HOURS) as call:
        house.groq.fail(fault)
        await answered(house, call)
    assert "faq.answer" in house.journal.said()
    switch = house.switched(Stage.STT, "groq:")[0]
    assert switch.taken == "whisper:tiny"
    assert_counted_and_logged(house, switch, caplog)


MODEL_FAULTS = {
    **HTTP_FAULTS,
    "arguments cut short": ChatReply(calls=(("Sorted", '{"first": "fa'),)),
    "off the form": ChatReply(calls=(("Sorted", '{"first": "weather"}'),)),
    "cut off by length": ChatReply(calls=SORTED.calls, finish="length"),
    "no form at all": ChatReply("D'accord."),
}


@pytest.mark.parametrize("fault", MODEL_FAULTS.values(), ids=MODEL_FAULTS)
async def test_whatever_happens_to_the_first_model_the_next_one_sorts(
    house: House, fault: Fault | ChatReply, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):  # an answer that was prepared, and thrown away, may have taken the fault with it
        house.mend()
        async with a_call(house, UNSURE) as call:
            if isinstance(fault, Fault):
                house.groq.fail(fault, at="chat")
            house.groq.replies = [SORTED] if isinstance(fault, Fault) else [fault, SORTED]
            await answered(house, call)
        if house.switched(Stage.LLM, "groq:openai/gpt-oss-120b"):
            break
    switch = house.switched(Stage.LLM, "groq:openai/gpt-oss-120b")[0]
    asked = [body["model"] for body in house.groq.asked]
    assert asked[0] == "openai/gpt-oss-120b"
    # The budget of the two is short; on a machine that is busy nothing of it may be left for the second.
    assert switch.taken == "groq:openai/gpt-oss-20b" or Exhausted(Stage.LLM) in house.news
    assert_counted_and_logged(house, switch, caplog)


@pytest.mark.parametrize("kind", ["401", "429", "503", "stalled before", "cut within", "broken JSON"])
async def test_when_no_model_answers_the_call_goes_on_without(house: House, kind: str) -> None:
    async with a_call(house, UNSURE) as call:
        house.groq.broken["chat"] = HTTP_FAULTS[kind]
        await answered(house, call)
    assert not [event for event in house.journal.events if isinstance(event, StageFailed)]
    assert Exhausted(Stage.LLM) in house.news


VOICE_FAULTS = {
    "400": Fault(400),
    "401": Fault(401),
    "402": Fault(402),
    "404": Fault(404),
    "422": Fault(422),
    "429": Fault(429),
    "429 with retry-after": Fault(429, headers={"retry-after": "30"}),
    "500": Fault(500),
    "503": Fault(503),
    "stalled before": SpeechFault(delay_s=NEVER_S),
    "stalled within": SpeechFault(delay_s=NEVER_S, after_chunks=6),
    "cut at once": SpeechFault(cut=True, after_chunks=0),
    "cut within": SpeechFault(cut=True, after_chunks=6),
    "ended too soon": SpeechFault(truncated=True, after_chunks=6),
    "empty": SpeechFault(raw=b"", content_type="audio/pcm"),
    "silent": SpeechFault(silent=True),
    "another sample rate": SpeechFault(rate_hz=16_000),
    "broken JSON": SpeechFault(raw=b'{"detail": {"st'),
    "a file instead": SpeechFault(raw=b"ID3\x04" + bytes(4000), content_type="audio/pcm"),
}


@pytest.mark.parametrize("fault", VOICE_FAULTS.values(), ids=VOICE_FAULTS)
async def test_whatever_happens_to_the_first_voice_the_next_one_speaks(
    house: House, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_call(house, HOURS) as call:
        house.elevenlabs.fail(fault)
        await answered(house, call)
        await by_then(lambda: house.switched(Stage.TTS, "elevenlabs:"))
    assert "faq.answer" in house.journal.said()
    assert not [event for event in house.journal.events if isinstance(event, StageFailed)]
    switch = house.switched(Stage.TTS, "elevenlabs:")[0]
    assert switch.taken.startswith("azure:")
    assert_counted_and_logged(house, switch, caplog)


async def test_half_a_sample_too_few_is_no_fault_that_anybody_hears(house: House) -> None:
    async with a_call(house, HOURS) as call:
        house.elevenlabs.broken[""] = SpeechFault(odd=True)
        await answered(house, call)
    assert house.switched(Stage.TTS, "") == []


AZURE_FAULTS = {
    **{f"connection refused: {status}": Fault(status) for status in (401, 403, 429, 500, 503)},
    "closed: refused SSML": SpeechFault(1007),
    "closed: broken": SpeechFault(1011),
    "stalled before": SpeechFault(delay_s=NEVER_S),
    "stalled within": SpeechFault(delay_s=NEVER_S, after_chunks=4),
    "cut within": SpeechFault(cut=True, after_chunks=4),
    "ended too soon": SpeechFault(truncated=True, after_chunks=4),
    "empty": SpeechFault(raw=b""),
    "silent": SpeechFault(silent=True),
    "another sample rate": SpeechFault(rate_hz=16_000),
}


@pytest.mark.parametrize("fault", AZURE_FAULTS.values(), ids=AZURE_FAULTS)
async def test_whatever_happens_to_the_second_voice_the_local_one_speaks(
    house: House, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_call(house, HOURS) as call:
        house.elevenlabs.broken[""] = Fault(503)
        if isinstance(fault, SpeechFault):
            house.azure.broken[""] = fault
        else:  # the connection that is open breaks, and no other is taken
            house.azure.fail(SpeechFault(1011))
            house.azure.refuse(*[fault] * 10)
        await answered(house, call)
        await by_then(lambda: house.switched(Stage.TTS, "azure:"))
    assert "faq.answer" in house.journal.said()
    assert not [event for event in house.journal.events if isinstance(event, StageFailed)]
    switch = house.switched(Stage.TTS, "azure:")[0]
    assert switch.taken.startswith("espeak")
    assert_counted_and_logged(house, switch, caplog)


def assert_counted_and_logged(house: House, switch: Switched, caplog: pytest.LogCaptureFixture) -> None:
    if switch.reason in {"HTTP 401", "HTTP 404"}:
        shown = configuration_faults(house.agent.breakers)
        assert [fault for fault in shown if fault.startswith(switch.left)], "GET /ready says so"
    labels = {"stage": switch.stage, "left": switch.left, "taken": switch.taken, "why": switch.why}
    assert house.metrics.value("voicebot_provider_switches_total", **labels)
    logged = [one for one in caplog.records if one.getMessage() == "provider.switched"]
    assert [one for one in logged if getattr(one, "left", "") == switch.left and one.levelno >= logging.INFO]


async def test_with_every_cloud_out_of_reach_a_call_is_local_from_end_to_end(tmp_path: Path) -> None:
    """Refused connections, from the agent's start on."""
    nowhere = "http://127.0.0.1:9"
    settings = fast(keyed(at_home(tmp_path), nowhere, nowhere, "ws://127.0.0.1:9"))
    model = tiny_whisper.make(tmp_path / "tiny", HOURS.split())
    settings = changed(settings, "whisper", model=str(model))
    with simulators() as idle:
        async with house_of(settings, *idle) as house, house.asterisk.call() as call:
            await by_then(lambda: "greet.question" in house.journal.said())
            await answered(house, call)
    assert "faq.answer" in house.journal.said()
    assert house.switched(Stage.STT, "groq:")
    assert house.switched(Stage.TTS, "elevenlabs:")
    assert house.switched(Stage.TTS, "azure:")


async def test_when_all_providers_are_down_the_caller_is_told_and_reaches_people(tmp_path: Path) -> None:
    """The line that says so was made when the agent started."""
    with simulators() as (groq, elevenlabs, azure):
        settings = fast(keyed(at_home(tmp_path), groq.url, elevenlabs.url, azure.address))
        settings = changed(settings, "voices", order="elevenlabs,azure")
        async with house_of(settings, groq, elevenlabs, azure) as house:
            for exhausted in (Stage.TTS, Stage.STT):
                house.mend()
                async with a_call(house, HOURS) as call:
                    elevenlabs.broken[""] = Fault(503)
                    azure.broken[""] = SpeechFault(1011)
                    if exhausted is Stage.STT:
                        groq.broken = {"": Fault(503), "chat": Fault(503)}
                    await call.hear_silence(600)
                    said = await call.say(recording("assurance_vie"))
                    heard_at_ms = await call.hear_speech(after_ms=said.speech_ended_ms)
                    ending = await call.ended
                assert heard_at_ms > said.speech_ended_ms
                assert ending.queue == "conseillers"
                assert house.journal.said()[-1] == "common.technical"
                outcomes = [event.outcome for event in house.journal.events if isinstance(event, CallEnded)]
                assert [one.reason for one in outcomes if isinstance(one, Transferred)] == [TECHNICAL]
                assert Exhausted(exhausted) in house.news


@pytest.mark.parametrize("sound", [line_noise, hold_music])
async def test_a_line_on_which_nobody_speaks_ends_politely_and_costs_next_to_nothing(
    house: House, sound: Callable[[], Sound]
) -> None:
    """Ten minutes of each, whatever it is: the agent does not wait for their end."""
    pcm = pcm_of(sound())
    frames = (pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES))
    house.groq.transcripts = list(INVENTIONS)
    asked_before = len(house.groq.requests)
    async with house.asterisk.call(background=lambda: next(frames)) as call:
        ending = await call.ended
    assert ending.by is EndedBy.AGENT
    asked = ["repair.quiet", "repair.quiet", "repair.quiet_offer", "goodbye.nobody"]
    assert house.journal.said() == ["greet.notice", "greet.question", *asked]
    heard = [event.heard for event in house.journal.events if isinstance(event, TurnHeard)]
    assert not [one for one in heard if isinstance(one, Words) and one.text]
    assert len(house.groq.requests) - asked_before <= MOST_REQUESTS_OF_NOBODY
