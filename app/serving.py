"""``python -m app serve``: the agent stays up; says what to point Asterisk at and where the pages are."""

import asyncio
import signal

from app.logs import LogJournal, configure
from app.service import Running, running
from app.settings import Settings

KEYLESS_EAR = """
  This ear needs no key: it knows a list of sentences and compares sound; it is no speech recognition.
  Set GROQ_API_KEY, or WHISPER_MODEL to a folder, and callers may say what they like.
"""


async def serve(settings: Settings) -> int:
    """Answer the phone until the process is told to stop (SIGINT, SIGTERM); 0, as an exit status."""
    configure(settings.logging.level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, (LogJournal(),)) as service:
        print(welcome(service, generated_key=not settings.application.api_key.get_secret_value()))  # noqa: T201
        await stop.wait()
    return 0


def welcome(service: Running, *, generated_key: bool) -> str:
    """What the person at the terminal needs to know; the key only when it was made just now."""
    agent = service.agent
    host, line = agent.settings.asterisk.agi_host, agent.settings.asterisk
    parts = "\n".join(f"  {port + ':':<13} {choice}" for port, choice in agent.parts.items())
    key = f"\n  key (this run): {service.api_key}" if generated_key else ""
    limited = KEYLESS_EAR if agent.parts["ear"].startswith("closed-set") else ""
    return f"""The agent answers the phone. Stop it with Ctrl-C.

{parts}
{limited}
Asterisk (20.20 / 22.10 or newer), in extensions.conf:
  same => n,AGI(agi://{host}:{agent.agi.port}/agent)
  same => n,Queue(conseillers)        ; when the agent is away, people answer
  sound: AudioSocket on {line.audio_host}:{agent.media.port}; Asterisk is told so by the agent

HTTP, with the header X-API-Key:{key}
  {service.http_url}/docs             everything there is
  {service.http_url}/ready            can it take calls?
  {service.http_url}/metrics          Prometheus
  {service.http_url}/health           open to anybody
"""
