"""``python -m app serve``: the agent stays up; says what to point Asterisk at and where the pages are."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

from app.logs import LogJournal, configure
from app.service import Running, running
from app.settings import Settings
from app.settling import settle
from telephony.agi_server import AgiServer

log = logging.getLogger(__name__)

STOPPING = (signal.SIGINT, signal.SIGTERM)

KEYLESS_EAR = """
  This ear needs no key: it knows a list of sentences and compares sound; it is no speech recognition.
  Set GROQ_API_KEY, or WHISPER_MODEL to a folder, and callers may say what they like.
"""


async def serve(settings: Settings) -> int:
    """Answer the phone until the process is told to stop (SIGINT, SIGTERM); 0, as an exit status.

    Told once, it takes no new calls, finishes those it has within ``APP_DRAIN_TIMEOUT_S``, and stops; told
    twice, it stops at once. Calls that are cut go on with another worker, if the dialplan enters one.
    """
    configure(settings.logging.level)
    with _stop_signals() as signals:
        async with running(settings, (LogJournal(),)) as service:
            settle()
            print(welcome(service, generated_key=not settings.application.api_key.get_secret_value()))  # noqa: T201
            await signals.get()
            await drain(service.agent.agi, signals, settings.application.drain_timeout_s)
    return 0


async def drain(agi: AgiServer, signals: "asyncio.Queue[int]", within_s: float) -> bool:
    """Send new calls elsewhere and finish those under way; whether all were finished.

    Ends with the next of ``signals`` at the latest, or after ``within_s``.
    """
    agi.drain()
    log.info("agent.draining", extra={"within_s": within_s})
    finished = asyncio.create_task(agi.drained(), name="drained")
    told_again = asyncio.create_task(signals.get(), name="second signal")
    tasks = {finished, told_again}
    try:
        await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        log.info("agent.drained", extra={"all": finished.done()})
        return finished.done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextlib.contextmanager
def _stop_signals() -> Iterator["asyncio.Queue[int]"]:
    """The signals that ask the process to stop, as they come."""
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        yield signals
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)


def welcome(service: Running, *, generated_key: bool) -> str:
    """What the person at the terminal needs to know; the key only when it was made just now."""
    agent = service.agent
    host, line = agent.settings.asterisk.agi_host, agent.settings.asterisk
    parts = "\n".join(f"  {port + ':':<13} {choice}" for port, choice in agent.parts.items())
    key = f"\n  key (this run): {service.api_key}" if generated_key else ""
    limited = KEYLESS_EAR if agent.parts["ear"].startswith("closed-set") else ""
    return f"""The agent answers the phone. Stop it with Ctrl-C (twice: without waiting for its calls).

{parts}
{limited}
Asterisk (20.20 / 22.10 or newer), in extensions.conf:
  same => n,AGI(agi://{host}:{agent.agi.port}/agent)
  same => n,Queue(conseillers)        ; when the agent is away or breaks off, people answer
  sound: AudioSocket on {line.audio_host}:{agent.media.port}; Asterisk is told so by the agent

HTTP, with the header X-API-Key:{key}
  {service.http_url}/docs             everything there is
  {service.http_url}/ready            can it take calls?
  {service.http_url}/metrics          Prometheus
  {service.http_url}/health           open to anybody
"""
