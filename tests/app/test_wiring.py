"""What is chosen from the settings, and what is said when it cannot be."""

import stat
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from app import settings as configuration
from app.readiness import configuration_faults, faults
from app.settings import Settings, SettingsInvalid
from app.wiring import Providers, _ears, _model, _traces, known_lines, open_agent, open_mind
from audio.endpointing import Expecting, Utterance
from audio.providers import ProviderUnavailable
from audio.stt import SttFailed
from graph.heard import CallBegins
from knowledge.retriever import KnowledgeUnavailable
from memory.provider_news import Answered, ProviderNews, Stage, Switched, Why
from telephony.ami import AmiState
from telephony.call import Call, CallId, HungUp
from telephony.journal import CallEnded, CallStarted
from tests.audio.providers import tiny_whisper
from tests.simulators.ami import SECRET, AmiSimulator
from tests.simulators.groq import KEY, GroqSimulator
from tests.simulators.otlp import OtlpSimulator
from tests.simulators.server import Fault
from tests.telephony.waiting import until
from tools.backoffice_demo import DemoDataInvalid


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults, on free ports, with files in a folder of the test's own."""
    defaults = configuration.read(tmp_path / "no.env")
    return changed(
        changed(defaults, "application", data_folder=tmp_path / "var", port=0),
        "asterisk",
        agi_port=0,
        audio_port=0,
    )


def changed(settings: Settings, concern: str, **values: object) -> Settings:
    """``settings`` with some values of one concern changed."""
    fields = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    fields[concern] = fields[concern].model_copy(update=values)
    return Settings(**fields)


async def chosen_ear(settings: Settings) -> str:
    async with AsyncExitStack() as stack:
        return (await _ears(settings, Providers.watched_by(), stack)).name


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
        assert agent.monitor.queue_lengths() == {"conseillers": 3}
        assert [call.name for call in agent.monitor.live_calls()] == ["1.1"]
    await until(lambda: not simulator._writers)
    await simulator.stop(clean=False)


async def test_with_a_groq_key_speech_is_transcribed_by_groq(settings: Settings) -> None:
    keyed = changed(settings, "groq", api_key=SecretStr("gsk"), base_url="http://127.0.0.1:9")
    assert await chosen_ear(keyed) == "groq:whisper-large-v3-turbo"


async def test_a_local_model_stands_behind_groqs_and_the_keyless_ear_where_wanted(
    settings: Settings, tmp_path: Path
) -> None:
    model = tiny_whisper.make(tmp_path / "tiny", ["Bonjour."])
    both = changed(changed(settings, "groq", api_key=SecretStr("gsk")), "whisper", model=str(model))
    assert await chosen_ear(both) == "groq:whisper-large-v3-turbo, then whisper:tiny"
    lines = tmp_path / "lines.txt"
    lines.write_text("Bonjour.\n", encoding="utf-8")
    all_three = changed(changed(both, "hearing", closed_set=True), "speech", lines_file=lines)
    assert (await chosen_ear(all_three)).startswith(
        "groq:whisper-large-v3-turbo, then whisper:tiny, then closed"
    )


async def chosen_model(settings: Settings) -> str | None:
    async with AsyncExitStack() as stack:
        model = await _model(settings, Providers.watched_by(), stack)
        return model.name if model is not None else None


async def test_with_a_groq_key_two_language_models_stand_one_behind_the_other(settings: Settings) -> None:
    keyed = changed(settings, "groq", api_key=SecretStr("gsk"))
    assert await chosen_model(keyed) == "groq:openai/gpt-oss-120b, then groq:openai/gpt-oss-20b"
    assert await chosen_model(changed(keyed, "groq", llm_fallback_model="")) == "groq:openai/gpt-oss-120b"


async def test_without_a_key_or_without_a_name_there_is_no_language_model(settings: Settings) -> None:
    assert await chosen_model(settings) is None
    assert await chosen_model(changed(settings, "groq", api_key=SecretStr("gsk"), llm_model="")) is None


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


async def test_with_a_whisper_folder_speech_is_transcribed_here(settings: Settings, tmp_path: Path) -> None:
    model = tiny_whisper.make(tmp_path / "tiny", ["Bonjour."])
    assert await chosen_ear(changed(settings, "whisper", model=str(model))) == "whisper:tiny"


async def test_a_whisper_folder_that_is_none_is_said_at_the_start(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="absent"):
        await chosen_ear(changed(settings, "whisper", model=str(tmp_path / "absent")))


async def test_the_lines_of_the_keyless_ear_may_be_ones_own(settings: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("# salutations\nBonjour.\n\nAu revoir.\n", encoding="utf-8")
    own = changed(settings, "speech", lines_file=lines)
    assert known_lines(own) == ["Bonjour.", "Au revoir."]
    assert "2 lines" in await chosen_ear(own)


@pytest.mark.parametrize("content", [None, "été".encode("latin-1")], ids=["missing", "not UTF-8"])
def test_lines_that_cannot_be_read_are_named(
    settings: Settings, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "lines.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="SPEECH_LINES_FILE"):
        known_lines(changed(settings, "speech", lines_file=path))


async def test_an_unknown_customer_file_is_named_at_the_start(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DemoDataInvalid, match=r"clients\.json"):
        async with open_mind(changed(settings, "insurance", demo_customers_file=tmp_path / "clients.json")):
            pass


async def test_the_key_that_signs_identities_is_made_once_and_is_private(settings: Settings) -> None:
    path = settings.application.data_folder / "identity.key"
    async with open_mind(settings):
        made = path.read_bytes()
    async with open_mind(settings):
        assert path.read_bytes() == made, "a restart keeps what was proven"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_configured_key_is_used_and_none_is_written(settings: Settings) -> None:
    configured = changed(settings, "insurance", identity_key=SecretStr("x" * 32))
    async with open_mind(configured):
        assert not (settings.application.data_folder / "identity.key").exists()


async def test_a_key_that_is_too_short_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="INSURANCE_IDENTITY_KEY"):
        async with open_mind(changed(settings, "insurance", identity_key=SecretStr("short"))):
            pass


async def test_a_damaged_key_file_says_what_to_do(settings: Settings) -> None:
    settings.application.data_folder.mkdir()
    (settings.application.data_folder / "identity.key").write_bytes(b"x")
    with pytest.raises(SettingsInvalid, match="remove it"):
        async with open_mind(settings):
            pass


async def test_a_knowledge_server_that_is_away_is_said_at_the_start(settings: Settings) -> None:
    with pytest.raises(KnowledgeUnavailable):
        async with open_mind(changed(settings, "knowledge", host="127.0.0.1", port=9)):
            pass


async def test_the_dialogue_alone_needs_no_voice_and_no_port(settings: Settings) -> None:
    async with open_mind(settings) as mind:
        replies = [reply async for reply in mind.dialogue.turn("c", CallBegins())]
    assert replies


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
    for name in ("app.tracing", "opentelemetry.sdk.resources"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(SettingsInvalid, match=r"OTEL_EXPORTER_OTLP_ENDPOINT.*\[traces\]"):
        async with AsyncExitStack() as stack:
            await _traces(changed(settings, "tracing", exporter_otlp_endpoint="http://127.0.0.1:9"), stack)
