"""The settings: defaults that need no file, a file that is read, and faults that are named."""

import re
from datetime import date, time
from pathlib import Path

import pytest
from pydantic import SecretStr

from app import settings as configuration
from app.settings import SettingsInvalid
from audio.endpointing import PATIENCE_MS, Expecting
from telephony.handover import HandoverPlan
from tools.opening_hours import OpeningHours

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own settings are not those under test."""
    for name, _, _ in configuration.documented():
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / ".env"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    settings = configuration.read(tmp_path / ".env")
    assert (settings.application.host, settings.application.port) == ("127.0.0.1", 8000)
    assert settings.application.api_key.get_secret_value() == ""
    assert (settings.asterisk.agi_port, settings.asterisk.audio_port) == (4573, 9092)
    assert settings.insurance.api_base_url == ""
    assert settings.logging.level == "INFO"


def test_the_ports_are_three_and_on_this_machine_only(tmp_path: Path) -> None:
    settings = configuration.read(tmp_path / ".env")
    ports = {settings.application.port, settings.asterisk.agi_port, settings.asterisk.audio_port}
    assert len(ports) == 3
    hosts = {settings.application.host, settings.asterisk.agi_host, settings.asterisk.audio_host}
    assert hosts == {"127.0.0.1"}


def test_a_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, '# ours\nAPP_PORT=8080\nINSURANCE_API_KEY="clé secrète"\nUNKNOWN_NAME=1\n\n')
    settings = configuration.read(path)
    assert settings.application.port == 8080
    assert settings.insurance.api_key.get_secret_value() == "clé secrète"


def test_the_environment_is_stronger_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "APP_PORT=8080\nAPP_HOST=0.0.0.0\n")
    monkeypatch.setenv("APP_PORT", "8081")
    settings = configuration.read(path)
    assert (settings.application.host, settings.application.port) == ("0.0.0.0", 8081)


def test_a_folder_instead_of_a_file_is_named_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.mkdir()
    with pytest.raises(SettingsInvalid, match=re.escape(str(path))) as caught:
        configuration.read(path)
    assert ".env.example" in str(caught.value)
    assert isinstance(caught.value.__cause__, IsADirectoryError)


def test_a_file_that_is_not_utf_8_is_named_with_the_cure(tmp_path: Path) -> None:
    path = write(tmp_path, "APP_HOST=clé".encode("latin-1"))
    with pytest.raises(SettingsInvalid, match="UTF-8") as caught:
        configuration.read(path)
    assert str(path) in str(caught.value)


def test_a_path_through_a_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "") / ".env"
    with pytest.raises(SettingsInvalid, match=re.escape(str(path))):
        configuration.read(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_PORT", "eight thousand"),
        ("APP_PORT", "65536"),
        ("APP_PORT", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("ASTERISK_AGI_PORT", "70000"),
        ("GROQ_STT_TIMEOUT_MS", "0"),
        ("STT_BUDGET_MS", "0"),
        ("STT_HEDGE_MS", "-1"),
        ("WHISPER_THREADS", "0"),
        ("SPEECH_WORDS_PER_MINUTE", "1000"),
        ("VAD_THRESHOLD", "1.5"),
        ("VAD_MIN_SILENCE_DURATION_MS", "100"),
        ("INSURANCE_API_TIMEOUT_MS", "2 s"),
        ("QDRANT_PORT", "0"),
        ("OPENING_OPENS_AT", "nine"),
        ("APP_DRAIN_TIMEOUT_S", "-1"),
        ("TRANSFER_MODE", "warm"),
        ("TRANSFER_WAIT_S", "0"),
        ("OPENING_OPENS_AT", "09:00+02:00"),
        ("ASTERISK_AMI_PORT", "0"),
        ("ASTERISK_AMI_LONGEST_CALL_S", "0"),
        ("ASTERISK_AMI_LONGEST_QUEUE", "-1"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_its_name(tmp_path: Path, name: str, value: str) -> None:
    path = write(tmp_path, f"{name}={value}\n")
    with pytest.raises(SettingsInvalid, match=f"{name}: ") as caught:
        configuration.read(path)
    assert str(path) in str(caught.value)


def test_headers_for_the_collector_are_read_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path, "OTEL_EXPORTER_OTLP_HEADERS=x-tenant=assurance, authorization=Basic YTpi=\n")
    tracing = configuration.read(path).tracing
    assert tracing.headers() == {"x-tenant": "assurance", "authorization": "Basic YTpi="}


@pytest.mark.parametrize("given", ["perroquet", "=perroquet", "a=b,perroquet"])
def test_headers_that_are_none_are_refused_and_not_shown(tmp_path: Path, given: str) -> None:
    with pytest.raises(SettingsInvalid, match="EXPORTER_OTLP_HEADERS") as caught:
        configuration.read(write(tmp_path, f"OTEL_EXPORTER_OTLP_HEADERS={given}\n"))
    assert "perroquet" not in str(caught.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "APP_PORT=x\nQDRANT_PORT=y\nVAD_THRESHOLD=z\n")
    with pytest.raises(SettingsInvalid) as caught:
        configuration.read(path)
    for name in ("APP_PORT", "QDRANT_PORT", "VAD_THRESHOLD"):
        assert f"\n  {name}: " in str(caught.value)


def test_keys_are_not_shown_when_settings_are_printed(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "APP_API_KEY=perroquet\nGROQ_API_KEY=perroquet\nINSURANCE_IDENTITY_KEY=perroquet\n"
        "ASTERISK_AMI_SECRET=perroquet\n",
    )
    assert "perroquet" not in repr(configuration.read(path))


def test_a_setting_whose_name_tells_a_secret_is_kept_as_one(tmp_path: Path) -> None:
    settings = configuration.read(tmp_path / ".env")
    for concern in ("application", "asterisk_manager", "groq", "insurance", "knowledge"):
        for name, value in getattr(settings, concern):
            assert not name.endswith(("_key", "secret")) or isinstance(value, SecretStr), f"{concern}.{name}"


@pytest.mark.parametrize(
    ("text", "configured"),
    [
        ("", False),
        ("ASTERISK_AMI_USERNAME=agent\n", False),
        ("ASTERISK_AMI_SECRET=s\n", True),
        ("ASTERISK_AMI_USERNAME=operations\nASTERISK_AMI_SECRET=s\n", True),
    ],
)
def test_the_manager_interface_is_used_only_with_a_secret(
    tmp_path: Path, text: str, configured: bool
) -> None:
    assert configuration.read(write(tmp_path, text)).asterisk_manager.configured is configured


def test_trunks_are_named_with_commas_between(tmp_path: Path) -> None:
    manager = configuration.read(write(tmp_path, "ASTERISK_AMI_TRUNKS= a, b,,\n")).asterisk_manager
    assert manager.endpoints() == {"a", "b"}
    assert configuration.read(write(tmp_path, "")).asterisk_manager.endpoints() == {"trunk"}
    assert configuration.read(write(tmp_path, "ASTERISK_AMI_TRUNKS=\n")).asterisk_manager.endpoints() == set()


def test_settings_do_not_change_after_they_were_read(tmp_path: Path) -> None:
    settings = configuration.read(tmp_path / ".env")
    with pytest.raises(ValueError, match="frozen"):
        settings.application.port = 1


def test_the_pause_that_ends_a_turn_leaves_numbers_and_dates_their_patience(tmp_path: Path) -> None:
    path = write(tmp_path, "VAD_MIN_SILENCE_DURATION_MS=900\nVAD_THRESHOLD=0.6\n")
    settings = configuration.read(path)
    timing = settings.voice_activity.timing(settings.turn_taking)
    assert timing.patience_ms[Expecting.OPEN] == 900
    assert timing.patience_ms[Expecting.NUMBER] == PATIENCE_MS[Expecting.NUMBER]
    assert timing.threshold == 0.6


def test_ears_and_voices_give_up_before_the_turn_does_so_that_their_breakers_learn_of_it(
    tmp_path: Path,
) -> None:
    settings = configuration.read(tmp_path / "no.env")
    turns = settings.turn_taking.budgets()
    assert settings.hearing.budget_ms < turns.transcription_ms
    assert 2 * settings.voices.first_audio_ms < turns.voice_ms, "two clouds, and the local voice still speaks"
    assert settings.insurance.api_timeout_ms < turns.dialogue_ms


def test_every_setting_is_documented_once_with_a_reason() -> None:
    rows = configuration.documented()
    names = [name for name, _, _ in rows]
    assert len(names) == len(set(names))
    assert all(why and "\n" not in why for _, _, why in rows)


def test_a_documented_default_is_the_value_without_a_file(tmp_path: Path) -> None:
    named = write(
        tmp_path, "".join(f"{name}={default}\n" for name, default, _ in configuration.documented() if default)
    )
    assert configuration.read(named) == configuration.read(tmp_path / "missing")


def test_no_documented_default_is_a_key() -> None:
    assert not [name for name, default, _ in configuration.documented() if name.endswith("_KEY") and default]


def test_the_example_lists_exactly_what_is_documented() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    shown = [match.groups() for line in lines if (match := re.fullmatch(r"#([A-Z][A-Z0-9_]*)=(.*)", line))]
    assert shown == [(name, default) for name, default, _ in configuration.documented()]


def test_the_example_is_a_file_that_can_be_used_once_its_lines_are_taken_in(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    taken_in = re.sub(r"^#([A-Z][A-Z0-9_]*=.+)$", r"\1", text, flags=re.MULTILINE)
    assert configuration.read(write(tmp_path, taken_in)) == configuration.read(tmp_path / "missing")


@pytest.mark.parametrize("concern", configuration.Settings.__dataclass_fields__)
def test_the_example_is_grouped_by_concern(concern: str) -> None:
    kind = type(getattr(configuration.read(Path("no-such.env")), concern))
    assert f"# --- {(kind.__doc__ or 'undocumented').rstrip('.')}" in EXAMPLE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("OPENING_OPENS_AT", "19:00", "opens at 19:00, but closes at 18:00"),
        ("OPENING_CLOSED_ON", "24/12/2026", "isoformat"),
    ],
)
def test_opening_hours_that_cannot_be_kept_are_told(
    tmp_path: Path, name: str, value: str, complaint: str
) -> None:
    with pytest.raises(SettingsInvalid, match=complaint) as caught:
        configuration.read(write(tmp_path, f"{name}={value}\n"))
    assert "OPENING_" in str(caught.value)


def test_opening_hours_are_those_of_the_specification_and_may_be_changed(tmp_path: Path) -> None:
    by_default = configuration.read(tmp_path / "none.env").opening.hours()
    assert by_default == OpeningHours(time(9), time(18))
    text = "OPENING_OPENS_AT=08:30\nOPENING_CLOSED_ON=2026-12-24, 2026-12-31\n"
    changed = configuration.read(write(tmp_path, text)).opening.hours()
    days = frozenset({date(2026, 12, 24), date(2026, 12, 31)})
    assert changed == OpeningHours(time(8, 30), time(18), days)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRANSFER_EXTENSIONS", "vie=201&0033899000000"),
        ("TRANSFER_EXTENSIONS", "vie"),
        ("TRANSFER_CONTEXT", "a,b"),
    ],
)
def test_a_hand_over_that_no_dialplan_could_have_is_told(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"TRANSFER_\*.*not the name"):
        configuration.read(write(tmp_path, f"{name}={value}\n"))


def test_callers_are_passed_on_blind_to_queues_unless_it_is_set_otherwise(tmp_path: Path) -> None:
    assert configuration.read(tmp_path / "none.env").handover.plan() == HandoverPlan()
    text = "TRANSFER_MODE=attended\nTRANSFER_EXTENSIONS=vie=201, sinistres=202\nTRANSFER_WAIT_S=30\n"
    plan = configuration.read(write(tmp_path, text)).handover.plan()
    assert plan == HandoverPlan(attended=True, extensions={"vie": "201", "sinistres": "202"}, wait_s=30)


def test_secrets_may_be_files_named_like_their_settings_and_the_environment_is_stronger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, content in {
        "GROQ_API_KEY": "from a file\n",
        "REDIS_PASSWORD": "p w",
        "qdrant.yaml": "no",
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    path = write(tmp_path, f"APP_SECRETS_FOLDER={folder}\n")
    settings = configuration.read(path)
    assert settings.groq.api_key.get_secret_value() == "from a file"
    assert settings.redis.password.get_secret_value() == "p w"
    monkeypatch.setenv("GROQ_API_KEY", "from the environment")
    assert configuration.read(path).groq.api_key.get_secret_value() == "from the environment"


def test_a_folder_of_secrets_that_is_not_there_or_holds_what_is_no_text_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, f"APP_SECRETS_FOLDER={tmp_path / 'none'}\n")
    with pytest.raises(SettingsInvalid, match="APP_SECRETS_FOLDER"):
        configuration.read(path)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "GROQ_API_KEY").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsInvalid, match=r"APP_SECRETS_FOLDER.*can't decode byte 0xff"):
        configuration.read(path)


def test_a_worker_has_the_ports_behind_the_supervisors_and_free_ones_stay_free(tmp_path: Path) -> None:
    settings = configuration.read(tmp_path / ".env")
    own = settings.of_worker(2, 4573, "k")
    assert (own.application.port, own.asterisk.agi_port, own.asterisk.audio_port) == (8003, 4573, 9094)
    assert own.application.api_key.get_secret_value() == "k"
    free = write(tmp_path, "APP_PORT=0\nASTERISK_AUDIO_PORT=0\n")
    own = configuration.read(free).of_worker(2, 4573, "k")
    assert (own.application.port, own.asterisk.audio_port) == (0, 0)
