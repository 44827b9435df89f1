"""Every setting, read once, from the environment and an optional ``.env``.

Names are those of the owner's specification (section 4) where it has one. One frozen model per
concern; plain values are passed down, nothing else reads the environment.
"""

from dataclasses import dataclass, fields, replace
from datetime import date, time
from pathlib import Path
from typing import Literal, Self, cast

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from app.watching.costs import Prices
from audio.endpointing import PATIENCE_MS, Expecting, TurnTiming
from memory.limits import Rules
from memory.sealing import KeyRing
from telephony.handover import HandoverPlan
from telephony.turn import Budgets
from tools.opening_hours import OpeningHours

ENV_FILE = Path(".env")


class SettingsInvalid(Exception):
    """Settings that cannot be used; the message names each, what is wrong, and where to set it."""


class _Concern(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=None)


class Application(_Concern):
    """The service itself."""

    model_config = SettingsConfigDict(env_prefix="APP_")

    host: str = Field("127.0.0.1", description="address of the HTTP pages; 0.0.0.0 in a container")
    port: int = Field(8000, ge=0, le=65535, description="port of the HTTP pages")
    api_key: SecretStr = Field(
        SecretStr(""), description="key of the HTTP API; empty: one is made at each start and shown once"
    )
    data_folder: Path = Field(Path("var"), description="where the agent keeps its files")
    secrets_folder: Path | None = Field(
        None,
        description="folder with one file per secret, named like the setting (GROQ_API_KEY): Docker and "
        "Kubernetes secrets; the environment is stronger",
    )
    drain_timeout_s: float = Field(
        300, ge=0, description="longest wait for calls under way when told to stop; a second signal ends it"
    )


class Logging(_Concern):
    """What is written to the log."""

    model_config = SettingsConfigDict(env_prefix="LOG_")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level written")


class Asterisk(_Concern):
    """The two ports Asterisk connects to."""

    model_config = SettingsConfigDict(env_prefix="ASTERISK_")

    agi_host: str = Field("127.0.0.1", description="address that FastAGI listens on")
    agi_port: int = Field(4573, ge=0, le=65535, description="port of FastAGI: AGI(agi://host:port/agent)")
    audio_host: str = Field("127.0.0.1", description="address that AudioSocket listens on")
    audio_port: int = Field(9092, ge=0, le=65535, description="port of AudioSocket")
    audio_address: str = Field(
        "", description="address of the audio port as Asterisk sees it; empty: the one listened on"
    )


class AsteriskManager(_Concern):
    """Asterisk's manager interface (AMI), for operations only."""

    model_config = SettingsConfigDict(env_prefix="ASTERISK_AMI_")

    host: str = Field("127.0.0.1", description="address of AMI; its words travel in clear, secret included")
    port: int = Field(5038, ge=1, le=65535, description="port of AMI")
    username: str = Field("agent", description="user of manager.conf")
    secret: SecretStr = Field(SecretStr(""), description="its secret; empty: no AMI")
    trunks: str = Field("trunk", description="PJSIP endpoints whose loss is an alarm, with commas between")
    handover_context: str = Field(
        "operator", description="context that takes callers whom an operator sends to a queue or an extension"
    )
    longest_call_s: int = Field(1800, ge=1, description="a call that lasts longer is an alarm")
    longest_queue: int = Field(10, ge=0, description="a queue in which more callers wait is an alarm")

    @property
    def configured(self) -> bool:
        """Whether there is an AMI to speak to."""
        return bool(self.secret.get_secret_value())

    def endpoints(self) -> frozenset[str]:
        """:attr:`trunks`, one by one."""
        return frozenset(name.strip() for name in self.trunks.split(",") if name.strip())


class Groq(_Concern):
    """Groq: the cloud ear, and the language models."""

    model_config = SettingsConfigDict(env_prefix="GROQ_")

    api_key: SecretStr = Field(
        SecretStr(""),
        description="with a key, speech is transcribed by Groq's Whisper, and its language models are asked",
    )
    base_url: str = Field("https://api.groq.com", description="address of the service, or of a proxy")
    stt_model: str = Field("whisper-large-v3-turbo", description="which Whisper; whisper-large-v3 is slower")
    stt_timeout_ms: int = Field(
        3000,
        ge=100,
        description="longest wait for one transcript (the customary 30 s is no answer to a caller)",
    )
    llm_model: str = Field(
        "openai/gpt-oss-120b", description="which language model; empty: the dialogue does without one"
    )
    llm_fallback_model: str = Field(
        "openai/gpt-oss-20b", description="asked when the first one does not answer; empty: none"
    )


class Whisper(_Concern):
    """The local ear."""

    model_config = SettingsConfigDict(env_prefix="WHISPER_")

    model: str = Field(
        "",
        description="a faster-whisper model, folder or name of one fetched before; behind Groq, or alone",
    )
    threads: int = Field(2, ge=1, description="processor threads of each transcription")
    parallel: int = Field(1, ge=1, description="transcriptions at a time; the others wait, or are refused")


class Hearing(_Concern):
    """What happens when an ear is slow or fails: the next one is asked."""

    model_config = SettingsConfigDict(env_prefix="STT_")

    budget_ms: int = Field(
        2300,
        ge=200,
        description="longest wait for a transcript from all ears; then the caller gets people. Keep it below "
        "TURN_TRANSCRIPTION_BUDGET_MS, which ends the wait without telling whose fault it was",
    )
    hedge_ms: int = Field(
        900, ge=50, description="an ear that takes longer gets company: the next one hears the same words"
    )
    closed_set: bool = Field(
        False, description="the keyless ear stands behind the others too, for the sentences it knows"
    )


class Tracing(_Concern):
    """Traces of calls, turns and stages for an OpenTelemetry collector (extra: traces)."""

    model_config = SettingsConfigDict(env_prefix="OTEL_")

    exporter_otlp_endpoint: str = Field(
        "", description="the collector's OTLP/HTTP address: http://collector:4318; empty: no traces"
    )
    exporter_otlp_headers: SecretStr = Field(
        SecretStr(""), description="headers for it: name=value,name=value"
    )
    service_name: str = Field("standardiste", description="what the agent is called there")

    @model_validator(mode="after")
    def _headers_can_be_read(self) -> Self:
        self.headers()
        return self

    def headers(self) -> dict[str, str]:
        """:attr:`exporter_otlp_headers`, one by one. Raises ``ValueError`` for what is no ``name=value``."""
        given = self.exporter_otlp_headers.get_secret_value()
        pairs = [pair.partition("=") for pair in given.split(",") if pair.strip()]
        if not all(name.strip() and equals for name, equals, _ in pairs):
            raise ValueError("EXPORTER_OTLP_HEADERS: write name=value,name=value")
        return {name.strip(): value.strip() for name, _, value in pairs}


class ElevenLabs(_Concern):
    """The first cloud voice."""

    model_config = SettingsConfigDict(env_prefix="ELEVENLABS_")

    api_key: SecretStr = Field(SecretStr(""), description="with a key and a voice, ElevenLabs speaks")
    voice_id: str = Field("", description="which of their voices; choose a French one")
    model: str = Field(
        "eleven_flash_v2_5", description="eleven_multilingual_v2 is more lifelike, slower and twice the price"
    )
    base_url: str = Field("", description="address of a proxy; empty: theirs, in the region below")
    eu_residency: bool = Field(False, description="speech is made in the European Union; needs their plan")
    zero_retention: bool = Field(False, description="they keep neither text nor sound; needs their plan")
    sound_format: Literal["pcm_8000", "ulaw_8000"] = Field(
        "pcm_8000", description="what they send; ulaw_8000 is half the bytes and a little noisier"
    )

    @model_validator(mode="after")
    def _has_a_voice(self) -> Self:
        if self.api_key.get_secret_value() and not self.voice_id:
            raise ValueError("ELEVENLABS_API_KEY is there without ELEVENLABS_VOICE_ID: choose a voice")
        return self


class Azure(_Concern):
    """The second cloud voice."""

    model_config = SettingsConfigDict(env_prefix="AZURE_")

    speech_key: SecretStr = Field(
        SecretStr(""), description="with a key and a region or endpoint, Azure speaks when ElevenLabs cannot"
    )
    speech_region: str = Field("", description="region of the Speech resource: francecentral")
    speech_endpoint: str = Field("", description="wss:// or https:// address instead: private, or a proxy's")
    voice_name: str = Field("fr-FR-DeniseNeural", description="which of their neural voices")

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.speech_key.get_secret_value() and not (self.speech_region or self.speech_endpoint):
            raise ValueError("AZURE_SPEECH_KEY is there without AZURE_SPEECH_REGION or AZURE_SPEECH_ENDPOINT")
        return self


class Voices(_Concern):
    """How the voices stand in for each other."""

    model_config = SettingsConfigDict(env_prefix="VOICE_")

    order: str = Field(
        "elevenlabs,azure,espeak", description="who speaks, then who stands in, if they have a key"
    )
    first_audio_ms: int = Field(1000, ge=100, description="a cloud voice that has not begun by then is left")
    gap_ms: int = Field(800, ge=100, description="as is one that falls silent for so long within a sentence")
    cache_mb: int = Field(
        256, ge=0, description="bound of the sound of fixed lines that is kept in the data folder; 0: none is"
    )

    @field_validator("order")
    @classmethod
    def _known_voices(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        unknown = sorted(set(names) - {"elevenlabs", "azure", "espeak"})
        if unknown or not names:
            raise ValueError("name elevenlabs, azure and espeak, the first first, with commas between")
        return ",".join(dict.fromkeys(names))


class Speech(_Concern):
    """The keyless ear and voice."""

    model_config = SettingsConfigDict(env_prefix="SPEECH_")

    voice: str = Field("fr+f3", description="espeak-ng's voice: a language, and a variant such as +f3 or +m3")
    words_per_minute: int = Field(165, ge=80, le=300, description="pace of the voice")
    lines_file: Path | None = Field(
        None,
        description="sentences the keyless ear knows, one a line; empty: those of the demonstration call",
    )


class TurnTaking(_Concern):
    """Who speaks when, and how long callers wait."""

    model_config = SettingsConfigDict(env_prefix="TURN_")

    preparation_pause_ms: int = Field(
        128, ge=60, lt=500, description="pause of a caller in which his answer begins to be prepared"
    )
    preparations: int = Field(
        6, ge=0, description="pauses of one turn in which it is, each a round with the providers; 0: never"
    )
    silence_ms: int = Field(
        7000, ge=3000, description="silence after which the caller is asked if he is there"
    )
    look_up_ms: int = Field(
        15000, ge=3000, description="the same while he looks for a number he was asked for"
    )
    filler_ms: int = Field(1500, ge=500, description="wait after which he is told that he is being served")
    transcription_budget_ms: int = Field(
        2500, ge=500, description="longest wait for a transcript, by any ear"
    )
    dialogue_budget_ms: int = Field(5000, ge=500, description="longest wait for the dialogue's next line")
    voice_budget_ms: int = Field(2500, ge=500, description="longest wait for the next piece of sound")

    @model_validator(mode="after")
    def _looking_takes_longer(self) -> Self:
        if self.look_up_ms < self.silence_ms:
            raise ValueError("TURN_LOOK_UP_MS must not be below TURN_SILENCE_MS")
        return self

    def budgets(self) -> Budgets:
        """The same for a session."""
        return Budgets(
            filler_ms=self.filler_ms,
            transcription_ms=self.transcription_budget_ms,
            dialogue_ms=self.dialogue_budget_ms,
            voice_ms=self.voice_budget_ms,
            rounds=self.preparations,
        )


class VoiceActivity(_Concern):
    """When a caller's turn begins and ends."""

    model_config = SettingsConfigDict(env_prefix="VAD_")

    threshold: float = Field(0.5, gt=0, le=1, description="speech probability from which sound is speech")
    min_speech_duration_ms: int = Field(150, ge=0, description="shorter sound is no turn")
    min_silence_duration_ms: int = Field(700, ge=200, description="pause that ends an ordinary turn")
    padding_duration_ms: int = Field(300, ge=0, description="sound kept before and after speech")

    def timing(self, turns: TurnTaking) -> TurnTiming:
        """The detector's times; patience for numbers and dates stays longer than for words."""
        return TurnTiming(
            pause_ms=min(turns.preparation_pause_ms, self.min_silence_duration_ms - 1),
            silence_ms=turns.silence_ms,
            look_up_ms=turns.look_up_ms,
            threshold=self.threshold,
            min_speech_ms=self.min_speech_duration_ms,
            padding_ms=self.padding_duration_ms,
            patience_ms={**PATIENCE_MS, Expecting.OPEN: self.min_silence_duration_ms},
        )


class Insurance(_Concern):
    """The insurer's back office."""

    model_config = SettingsConfigDict(env_prefix="INSURANCE_")

    api_base_url: str = Field("", description="the insurer's API; empty: a dozen fictional customers")
    api_key: SecretStr = Field(SecretStr(""), description="its bearer key")
    api_timeout_ms: int = Field(
        2000, ge=100, description="longest wait for one answer, while the caller waits"
    )
    demo_customers_file: Path | None = Field(None, description="other fictional customers, as JSON")
    identity_key: SecretStr = Field(
        SecretStr(""),
        description="signs proven identities (32 characters or more, the same on every worker); "
        "empty: one is made and kept in the data folder",
    )


class OpeningTimes(_Concern):
    """When people are there: Monday to Friday, but on French public holidays; on a clock in Paris."""

    model_config = SettingsConfigDict(env_prefix="OPENING_")

    opens_at: time = Field(time(9), description="people answer from then on")
    closes_at: time = Field(time(18), description="and no longer from then on")
    closed_on: str = Field(
        "", description="further days on which nobody is there: 2026-12-24,2026-12-31; holidays need no line"
    )

    @field_validator("opens_at", "closes_at")
    @classmethod
    def _a_time_of_day(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("give the time in Paris, as 09:00")
        return value

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        self.hours()
        return self

    def hours(self) -> OpeningHours:
        """The same for the dialogue. Raises ``ValueError`` for days or hours that make no sense."""
        days = frozenset(date.fromisoformat(day.strip()) for day in self.closed_on.split(",") if day.strip())
        return OpeningHours(self.opens_at, self.closes_at, days)


class Handover(_Concern):
    """How callers are passed on to people."""

    model_config = SettingsConfigDict(env_prefix="TRANSFER_")

    mode: Literal["blind", "attended"] = Field(
        "blind", description="attended: the adviser hears the summary first, and takes the call or refuses it"
    )
    extensions: str = Field(
        "", description="desks that are an extension, not a queue: vie=201,sinistres=202,conseillers=203"
    )
    context: str = Field("hand-over", description="context of the dialplan that has those extensions")
    wait_s: int = Field(60, ge=1, description="how long the caller waits for people before he is asked again")
    adviser_leg: str = Field(
        "", description="subroutine for Queue to run on an adviser's channel before it rings: adviser-leg^s^1"
    )

    @model_validator(mode="after")
    def _can_be_dialled(self) -> Self:
        self.plan()
        return self

    def plan(self) -> HandoverPlan:
        """The same for the line. Raises ``ValueError`` for what no dialplan could have."""
        pairs = [pair.partition("=") for pair in self.extensions.split(",") if pair.strip()]
        return HandoverPlan(
            attended=self.mode == "attended",
            extensions={desk.strip(): extension.strip() for desk, _, extension in pairs},
            context=self.context,
            wait_s=self.wait_s,
            adviser_leg=self.adviser_leg,
        )


class Knowledge(_Concern):
    """Where the answers to general questions are searched."""

    model_config = SettingsConfigDict(env_prefix="QDRANT_")

    host: str = Field("", description="a Qdrant server; empty: Qdrant inside the agent")
    port: int = Field(6333, ge=1, le=65535, description="its port")
    api_key: SecretStr = Field(SecretStr(""), description="its key")
    collection_name: str = Field("insurance_knowledge", description="name of the collection")


class Embeddings(_Concern):
    """The search by meaning, beside the one by words."""

    model_config = SettingsConfigDict(env_prefix="EMBEDDINGS_")

    model: str = Field(
        "",
        description="folder (or cached name) of distiluse-base-multilingual-cased-v1; empty: by words alone",
    )


class Checkpoints(_Concern):
    """Where the state of calls is kept."""

    model_config = SettingsConfigDict(env_prefix="CHECKPOINTS_")

    path: str = Field(
        "", description="SQLite file; empty: checkpoints.sqlite in the data folder; or :memory:"
    )
    redis: Literal["library", "core"] = Field(
        "library",
        description="how calls are kept when there is a Redis: library needs one with JSON and Search, "
        "core takes any Redis or Valkey",
    )


class Redis(_Concern):
    """What several workers share; without it there is one worker, and a file."""

    model_config = SettingsConfigDict(env_prefix="REDIS_")

    url: SecretStr = Field(
        SecretStr(""),
        description="redis://, rediss://, redis+sentinel://host:26379/mymaster/0 or "
        "redis+cluster://host:6379; instead of host, port and db",
    )
    host: str = Field("", description="address of Redis; empty: no Redis, calls are kept in a file")
    port: int = Field(6379, ge=1, le=65535, description="port of Redis")
    db: int = Field(0, ge=0, description="number of the database; the library's checkpoints only work in 0")
    password: SecretStr = Field(SecretStr(""), description="its password")
    session_ttl: int = Field(
        3600, ge=900, description="seconds that a call is kept after its last turn; longer than any call"
    )

    @property
    def address(self) -> str:
        """What to connect to; empty when there is no Redis."""
        if given := self.url.get_secret_value():
            return given
        return f"redis://{self.host}:{self.port}/{self.db}" if self.host else ""


class Limits(_Concern):
    """How much of the line one caller, one call and one day may take; 0 is no limit."""

    model_config = SettingsConfigDict(env_prefix="LIMITS_")

    calls_of_caller_an_hour: int = Field(
        20, ge=0, description="calls from one number within an hour, after which people take over"
    )
    calls_at_once: int = Field(0, ge=0, description="calls at once, of all workers; others go to people")
    cost_of_call_cents: float = Field(
        0, ge=0, description="what providers may cost in one call, after which people take over"
    )
    cost_of_day_cents: float = Field(
        0, ge=0, description="what providers may cost within a day, after which calls go to people"
    )
    stt_cents_a_minute: float = Field(0.07, ge=0, description="price of an ear, by the minute of speech")
    tts_cents_a_1000_characters: float = Field(8.0, ge=0, description="price of a voice")
    llm_cents_a_1000_tokens: float = Field(0.06, ge=0, description="price of a language model")

    def prices(self) -> Prices:
        """What providers cost."""
        return Prices(self.stt_cents_a_minute, self.tts_cents_a_1000_characters, self.llm_cents_a_1000_tokens)

    def rules(self, longest_call_s: float) -> Rules:
        """The same for the line."""
        return Rules(
            self.calls_of_caller_an_hour,
            self.calls_at_once,
            self.cost_of_call_cents,
            self.cost_of_day_cents,
            longest_call_s,
        )


class Privacy(_Concern):
    """What is kept of calls that are over, and under which keys."""

    model_config = SettingsConfigDict(env_prefix="PRIVACY_")

    transcript_days: int = Field(30, ge=0, description="days that transcripts are kept; 0: none are")
    audio_days: int = Field(
        0,
        ge=0,
        le=183,
        description="days that the sound of calls is kept; 0: it is not recorded (CNIL: six months at most)",
    )
    keys: SecretStr = Field(
        SecretStr(""),
        description="NAME:BASE64 of 32 bytes, newest first, commas between: seals transcripts, sound and "
        "checkpoints; empty: they are plain files of the service's user",
    )

    @field_validator("keys")
    @classmethod
    def _a_key_ring(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            KeyRing.parse(value.get_secret_value())
        return value

    def ring(self) -> KeyRing | None:
        """The keys; None when nothing is to be sealed."""
        written = self.keys.get_secret_value()
        return KeyRing.parse(written) if written else None


class Events(_Concern):
    """What other systems are told of calls, by way of Redis."""

    model_config = SettingsConfigDict(env_prefix="EVENTS_")

    webhook_url: str = Field("", description="where `python -m app webhook` delivers them, as JSON by POST")
    webhook_secret: SecretStr = Field(SecretStr(""), description="signs what is delivered (HMAC-SHA256)")


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them."""

    application: Application
    logging: Logging
    asterisk: Asterisk
    asterisk_manager: AsteriskManager
    groq: Groq
    whisper: Whisper
    hearing: Hearing
    elevenlabs: ElevenLabs
    azure: Azure
    voices: Voices
    speech: Speech
    turn_taking: TurnTaking
    voice_activity: VoiceActivity
    insurance: Insurance
    opening: OpeningTimes
    handover: Handover
    knowledge: Knowledge
    embeddings: Embeddings
    checkpoints: Checkpoints
    redis: Redis
    tracing: Tracing
    events: Events
    limits: Limits
    privacy: Privacy

    def of_worker(self, index: int, agi_port: int, api_key: str) -> Self:
        """The same for one of several workers on this machine, the first being 0.

        Its own ports follow the supervisor's; a port 0 stays one that the system chooses.
        """
        http, audio = self.application.port, self.asterisk.audio_port
        own_http = {"port": http and http + 1 + index, "api_key": SecretStr(api_key)}
        own_line = {"agi_port": agi_port, "audio_port": audio and audio + index}
        return replace(
            self,
            application=self.application.model_copy(update=own_http),
            asterisk=self.asterisk.model_copy(update=own_line),
        )


def read(env_file: Path = ENV_FILE) -> Settings:
    """The settings of the environment, behind it of ``env_file``, and behind both of the folder of secrets.

    A missing ``env_file`` is no fault.

    Raises :class:`SettingsInvalid` for a file that cannot be read and for values that cannot be used.
    """
    readable = _readable(env_file)
    secrets = _secrets_folder(readable)
    concerns: dict[str, _Concern] = {}
    faults: list[str] = []
    for concern in fields(Settings):
        kind = cast("type[_Concern]", concern.type)
        try:
            concerns[concern.name] = kind(_env_file=readable, _secrets_dir=secrets)  # type: ignore[call-arg]  # pydantic-settings' own
        except SettingsError as exc:
            raise SettingsInvalid(
                f"APP_SECRETS_FOLDER: a file in {secrets} cannot be read ({exc.__cause__}); it must be UTF-8 "
                "text that the agent's user may read"
            ) from exc
        except ValidationError as exc:
            faults += [_fault(kind, error["loc"], error["msg"]) for error in exc.errors()]
    if faults:
        listed = "\n  ".join(faults)
        raise SettingsInvalid(f"these settings cannot be used (environment or {env_file}):\n  {listed}")
    return Settings(**concerns)  # type: ignore[arg-type]  # one of each, made in the loop above


def documented() -> list[tuple[str, str, str]]:
    """Every setting as (name, default, one line why), in order; ``.env.example`` holds the same."""
    rows: list[tuple[str, str, str]] = []
    for concern in fields(Settings):
        kind = cast("type[_Concern]", concern.type)
        for name, field in kind.model_fields.items():
            default = field.get_default()
            shown = _shown(default)
            rows.append((_env_name(kind, name), shown, field.description or ""))
    return rows


def _shown(default: object) -> str:
    match default:
        case None:
            return ""
        case SecretStr():
            return default.get_secret_value()
        case time():
            return f"{default:%H:%M}"
        case _:
            return str(default)


def _readable(env_file: Path) -> Path | None:
    try:
        env_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsInvalid(
            f"{env_file} is there but cannot be read ({exc}); it must be a UTF-8 text file you may read. "
            "Copy .env.example for a fresh one, or remove it to run on defaults."
        ) from exc
    return env_file


def _secrets_folder(env_file: Path | None) -> Path | None:
    """Where secrets lie as files, if anywhere. Raises :class:`SettingsInvalid`."""
    try:
        folder = Application(_env_file=env_file).secrets_folder  # type: ignore[call-arg]
    except ValidationError:
        return None  # its fault is told with those of the others
    if folder is not None and not folder.is_dir():
        raise SettingsInvalid(f"APP_SECRETS_FOLDER: {folder} is no folder; name one, or leave it out")
    return folder


def _env_name(kind: type[_Concern], name: str) -> str:
    return f"{kind.model_config.get('env_prefix', '')}{name}".upper()


def _fault(kind: type[_Concern], location: tuple[int | str, ...], message: str) -> str:
    # A rule on several settings has no location: their common prefix says which they are.
    named = str(location[0]) if location else "*"
    return f"{_env_name(kind, named)}: {message}"
