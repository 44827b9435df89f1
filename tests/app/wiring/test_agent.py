"""The whole agent from its settings, and what is said when it cannot be."""

import sys
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from app.pages.readiness import configuration_faults, faults
from app.settings import Settings, SettingsInvalid
from app.wiring import open_agent
from app.wiring.agent import _traces
from audio.endpointing import Expecting, Utterance
from audio.stt import SttFailed
from memory.provider_news import Answered, ProviderNews, Stage, Switched, Why
from telephony.ami import AmiState
from telephony.call import Call, CallId, HungUp
from telephony.journal import CallEnded, CallStarted
from tests.app.wiring.settings_of_a_test import changed
from tests.simulators.ami import SECRET, AmiSimulator
from tests.simulators.groq import KEY, GroqSimulator
from tests.simulators.otlp import OtlpSimulator
from tests.simulators.server import Fault
from tests.telephony.waiting import until


async def test_without_any_key_everything_is_local_and_says_so(settings: Settings) -> None:
    async with open_agent(settings) as agent:
        assert agent.parts["ear"].startswith("closed-set")
        assert agent.parts["voice"].startswith("espeak")
        assert agent.parts["back office"] == "fictional customers"
        assert agent.parts["knowledge"] == "Qdrant inside"
        assert agent.parts["checkpoints"].endswith("checkpoints.sqlite")
        assert agent.agi.port > 0
        assert agent.media.port > 0


async def test_without_a_manager_interface_the_agent_knows_its_own_calls_only(settings: Settings) -> None:
    async with open_agent(settings) as agent:
        assert agent.monitor.asterisk is None
        assert agent.monitor.live_calls() == []


async def test_calls_are_taken_whether_the_manager_interface_is_there_or_not(settings: Settings) -> None:
    simulator = AmiSimulator(channels={"PJSIP/trunk-1": "1.1"}, queues={"conseillers": 3})
    await simulator.start()
    await simulator.stop()
    named = {"username": "agent", "secret": SecretStr(SECRET), "port": simulator.port}
    async with open_agent(changed(settings, "asterisk_manager", **named)) as agent:
        assert agent.monitor.asterisk is AmiState.AWAY
        assert agent.agi.port > 0
        await simulator.start()
        await until(lambda: agent.monitor.channels == 1)
        await until(lambda: agent.monitor.queue_lengths() == {"conseillers": 3})
        assert [call.name for call in agent.monitor.live_calls()] == ["1.1"]
    await until(lambda: not simulator._writers)
    await simulator.stop(clean=False)


async def test_a_withdrawn_model_is_told_before_the_first_call(settings: Settings) -> None:
    with GroqSimulator() as provider:
        provider.models -= {"openai/gpt-oss-120b"}
        keyed = changed(settings, "groq", api_key=SecretStr(KEY), base_url=provider.url)
        async with open_agent(keyed) as agent:
            await until(lambda: bool(configuration_faults(agent.breakers)))
            await until(lambda: provider.listed == 3)
            [fault] = configuration_faults(agent.breakers)
            assert fault.startswith("groq:openai/gpt-oss-120b: not among the models")
            assert agent.parts["language model"].startswith("groq:openai/gpt-oss-120b, then")
            assert await faults(agent, within_ms=60_000) == [], "calls are taken all the same"


async def test_what_providers_do_is_told_to_who_watches(settings: Settings) -> None:
    news: list[ProviderNews] = []
    with GroqSimulator() as provider:
        keyed = changed(settings, "groq", api_key=SecretStr(KEY), base_url=provider.url)
        async with open_agent(keyed, tell=news.append) as agent:
            provider.fail(Fault(503))
            provider.transcripts = ["Bonjour."]
            sound = Utterance(bytes(32_000), 0, 2000)
            with pytest.raises(SttFailed):
                await agent.ears.transcribe(sound, Expecting.OPEN)
            assert (await agent.ears.transcribe(sound, Expecting.OPEN)).text == "Bonjour."
    ear = "groq:whisper-large-v3-turbo"
    assert Switched(Stage.STT, ear, "", Why.FAILED, "HTTP 503") in news
    assert [one.name for one in news if isinstance(one, Answered)] == [ear]


async def test_a_port_that_is_taken_frees_what_was_opened(settings: Settings) -> None:
    async with open_agent(settings) as agent:
        taken = changed(settings, "asterisk", agi_port=agent.agi.port, audio_port=0)
        with pytest.raises(OSError, match="address"):
            async with open_agent(taken):
                pass


async def test_with_a_collector_calls_leave_traces(settings: Settings) -> None:
    with OtlpSimulator() as collector:
        traced = changed(settings, "tracing", exporter_otlp_endpoint=collector.url)
        async with open_agent(traced) as agent:
            agent.journal.note(CallId("c"), CallStarted(Call(CallId("c"))))
            agent.journal.note(CallId("c"), CallEnded(HungUp()))
        assert [span.name for span in collector.spans] == ["call"]


async def test_without_the_library_a_collector_is_a_setting_that_cannot_be_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("app.watching.tracing", "opentelemetry.sdk.resources"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(SettingsInvalid, match=r"OTEL_EXPORTER_OTLP_ENDPOINT.*\[traces\]"):
        async with AsyncExitStack() as stack:
            await _traces(changed(settings, "tracing", exporter_otlp_endpoint="http://127.0.0.1:9"), stack)
