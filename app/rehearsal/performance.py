"""``make call``: one whole phone call against the agent, judged, shown and kept.

Everything is started for real, on loopback and on ports that the system chooses: FastAGI, AudioSocket,
HTTP. A scripted caller then plays Asterisk's part on both wires in real time, after announcing the call by
HTTP as the dialplan does. Agent and caller meet on the sockets and nowhere else; they share this process,
so a busy machine shows in the times, never in the outcome.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from app.rehearsal.caller import ScriptedCaller, Spoken
from app.rehearsal.keepsakes import save
from app.rehearsal.screen import Screen, page_for
from app.rehearsal.script import Script, read_script
from app.rehearsal.telephone import LineNoise
from app.rehearsal.verdict import Recording, judge
from app.serving.service import Running, running
from app.settings import Settings
from app.watching.transcript import Transcript
from app.wiring import REHEARSAL_VOICE, known_lines
from audio.pcm import FRAME_MS
from audio.providers import load
from audio.tts import TextToSpeech
from telephony.call import CallId
from telephony.simulated.asterisk import SimulatedAsterisk, SimulatedCall

if TYPE_CHECKING:
    from rich.console import Console

CALLER_WORDS_PER_MINUTE = 150
"""Slower than the lines were recorded for the keyless ear: a caller is no recording of himself."""

LONGEST_CALL_S = 600.0
"""Of the call's clock; every wait within it is bounded as well."""


class CallNotAnnounced(Exception):
    """The agent's HTTP pages did not take the announcement of the call; the message says why."""


async def rehearse(
    settings: Settings,
    folder: Path,
    *,
    tick_ms: float = FRAME_MS,
    console: "Console | None" = None,
    script: Script | None = None,
) -> bool:
    """Play the call, show it, keep it in a new folder under ``folder``; whether all happened as expected.

    ``tick_ms`` under 20 plays faster than life. Without ``console``, standard output is written to. Raises
    what :func:`app.serving.service.running` raises, OSError when nothing can be saved, and
    :class:`app.rehearsal.script.ScriptInvalid`.
    """
    script = script or read_script()
    settings = _for_a_rehearsal(settings)
    speaker: TextToSpeech = load("espeak")(REHEARSAL_VOICE, CALLER_WORDS_PER_MINUTE)
    caller = await ScriptedCaller.of(script, speaker)
    began_at = datetime.now(tz=UTC).astimezone()
    call_id = CallId(str(uuid4()))
    line = _Line()
    transcript = Transcript(call_id, line.clock_ms)
    speed = FRAME_MS / tick_ms
    screen = Screen(page_for(console), transcript, line.clock_ms, speed)
    async with running(settings, (transcript, screen), tick_ms) as service:
        screen.opening(_facts(service, speaker))
        await _announce(service, call_id, script.caller)
        asterisk = SimulatedAsterisk(("127.0.0.1", service.agent.agi.port), tick_ms=tick_ms)
        ring = asterisk.call(caller=script.caller, call_id=call_id, background=LineNoise())
        async with ring as call:
            line.call = call
            played = await _talk(caller, call, screen, script, LONGEST_CALL_S / speed)
        parts = service.agent.parts
    recording = Recording(*call.phone.tracks(), tuple(call.phone.heard()))
    word_for_word = _is_closed_set(parts)
    verdict = judge(script, played, transcript, recording, word_for_word=word_for_word, speed=speed)
    screen.verdict(verdict, recording, "closed set" if word_for_word else parts["ear"])
    saved = await asyncio.to_thread(save, folder, began_at, transcript, parts, recording, verdict)
    screen.closing(verdict, saved.folder, saved.files)
    return verdict.passed


class _Line:
    """The call's audio clock, for those who were made before the call."""

    def __init__(self) -> None:
        self.call: SimulatedCall | None = None

    def clock_ms(self) -> float:
        """0 until there is sound."""
        return self.call.phone.clock_ms if self.call is not None else 0.0


def _for_a_rehearsal(settings: Settings) -> Settings:
    """The same agent on free ports of this machine only; a keyless ear knows the script's lines."""
    return replace(
        settings,
        application=settings.application.model_copy(update={"host": "127.0.0.1", "port": 0}),
        asterisk=settings.asterisk.model_copy(
            update={
                "agi_host": "127.0.0.1",
                "agi_port": 0,
                "audio_host": "127.0.0.1",
                "audio_port": 0,
                "audio_address": "",
            }
        ),
        speech=settings.speech.model_copy(update={"lines_file": None}),
    )


async def _announce(service: Running, call_id: CallId, caller: str) -> None:
    """As the dialplan does. Raises :class:`CallNotAnnounced`."""
    async with httpx.AsyncClient(base_url=service.http_url, headers={"X-API-Key": service.api_key}) as pages:
        try:
            answer = await pages.post("/api/call/init", data={"call_id": call_id, "caller": caller})
            answer.raise_for_status()
        except httpx.HTTPError as exc:
            raise CallNotAnnounced(f"POST {service.http_url}/api/call/init: {exc}") from exc


async def _talk(
    caller: ScriptedCaller, call: SimulatedCall, screen: Screen, script: Script, within_s: float
) -> list[Spoken]:
    try:
        async with asyncio.timeout(within_s):
            return await caller.talk(call, screen)
    except TimeoutError:
        trouble = f"the call was still going on after {LONGEST_CALL_S:.0f} s"
        return [Spoken(cue, trouble=trouble) for cue in script.turns]


def _is_closed_set(parts: dict[str, str]) -> bool:
    return parts["ear"].startswith("closed-set")


def _facts(service: Running, speaker: TextToSpeech) -> list[tuple[str, str]]:
    agent = service.agent
    parts = dict(agent.parts)
    if _is_closed_set(parts):
        count = len(known_lines(agent.settings))
        parts["ear"] = (
            f"closed-set recogniser: it knows {count} sentences and compares sound; it is not speech "
            "recognition. Set GROQ_API_KEY or WHISPER_MODEL for the real thing."
        )
    return [
        *parts.items(),
        ("FastAGI", f"127.0.0.1:{agent.agi.port}"),
        ("AudioSocket", f"127.0.0.1:{agent.media.port}"),
        ("HTTP", service.http_url),
        (
            "caller",
            f"{speaker.name} over the telephone: 300 to 3400 Hz, G.711 A-law, line noise, 20 ms frames",
        ),
    ]
