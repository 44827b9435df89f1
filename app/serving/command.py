"""``python -m app serve``: the agent stays up; says what to point Asterisk at and where the pages are.

One process, or with ``--workers N`` a supervisor of N of them (:mod:`app.serving.crew`): one AGI port for
all, an AudioSocket port and an HTTP port for each, ``ASTERISK_AUDIO_PORT + i`` and ``APP_PORT + 1 + i``.
The worker that takes a call tells Asterisk where to bring its sound: it needs to know the AGI port alone.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx

from app.serving.crew import Crew, Orders, Report
from app.serving.crew_pages import create_crew_pages
from app.serving.service import Running, api_key_of, listening, reserved, running, served, url_of
from app.serving.settling import settle
from app.settings import Settings, SettingsInvalid
from app.watching.logs import LogJournal, configure
from app.wiring import identity_key
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


async def serve_with_workers(settings: Settings, count: int, env_file: Path) -> int:
    """Keep ``count`` workers answering the phone until told to stop; 0, or 2 when they cannot be set up.

    Told once, all drain; told twice, they stop at once. Raises ``SettingsInvalid`` without a Redis: the
    workers share nothing else, and a caller whose worker dies would begin again with the next.
    """
    configure(settings.logging.level)
    if not settings.redis.address:
        raise SettingsInvalid(
            f"--workers {count}: several workers need a Redis, where any of them finds any call: set "
            "REDIS_HOST or REDIS_URL, or serve with one worker"
        )
    identity_key(settings)  # made now, if it has to be: the workers find the same one
    line, application = settings.asterisk, settings.application
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(_stop_signals())
        pages = listening(application.host, application.port, "APP")
        stack.enter_context(closing(pages))
        held = reserved(line.agi_host, line.agi_port, "ASTERISK_AGI", shared=True)
        stack.enter_context(closing(held))  # nobody else gets the port while workers come and go
        agi_port = int(held.getsockname()[1])
        api_key = api_key_of(settings)
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))

        async def alive(url: str, within_s: float) -> bool:
            try:
                return (await client.get(f"{url}/health", timeout=within_s)).is_success
            except httpx.HTTPError:
                return False

        command = (sys.executable, "-m", "app", "--env-file", str(env_file), "serve", "--worker")
        orders = [Orders(index, agi_port, api_key) for index in range(count)]
        crew = Crew(command, orders, alive, application.drain_timeout_s)
        await stack.enter_async_context(served(create_crew_pages(crew, api_key, client), pages))
        url = url_of(application.host, pages)
        generated = not application.api_key.get_secret_value()
        told = asyncio.create_task(_hand_on(signals, crew), name="signals to workers")
        greeted = asyncio.create_task(_welcome_all(crew, line.agi_host, url, api_key if generated else ""))
        try:
            return 0 if await crew.run() else 2
        finally:
            for task in (told, greeted):
                task.cancel()
            await asyncio.wait((told, greeted))


async def serve_as_worker(settings: Settings) -> int:
    """One worker of a crew: told by standard input who it is, until that ends or a signal comes."""
    configure(settings.logging.level)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    orders = Orders.read((await reader.readline()).decode())
    own = settings.of_worker(orders.index, orders.agi_port, orders.api_key)
    with _stop_signals() as signals:
        crew_ended = asyncio.create_task(_until_the_end(reader, signals), name="the crew lives")
        try:
            async with running(own, (LogJournal(),), shares_agi_port=True) as service:
                settle()
                report = Report(service.http_url, service.agent.media.port)
                print(report.line(), end="", flush=True)  # noqa: T201 - the supervisor reads it
                await signals.get()
                await drain(service.agent.agi, signals, own.application.drain_timeout_s)
        finally:
            crew_ended.cancel()
            await asyncio.wait((crew_ended,))
    return 0


async def _until_the_end(reader: asyncio.StreamReader, signals: "asyncio.Queue[int]") -> None:
    """A crew that is gone counts as a signal to stop."""
    await reader.read()
    log.warning("worker.alone")
    signals.put_nowait(signal.SIGTERM)


async def _hand_on(signals: "asyncio.Queue[int]", crew: Crew) -> None:
    while True:
        await signals.get()
        crew.stop()


async def _welcome_all(crew: Crew, agi_host: str, url: str, key: str) -> None:
    """Say where everything is, once all workers take calls."""
    if not await crew.all_up():
        return
    workers = "\n".join(
        f"  worker {index}: pages at {report.http_url}, sound at port {report.audio_port}"
        for index, report in crew.reports()
        if report is not None
    )
    shown_key = f"\n  key (this run): {key}   set APP_API_KEY to keep it" if key else ""
    print(  # noqa: T201 - the terminal is the interface
        f"""{len(crew.places)} workers take calls.

{workers}

Asterisk, in the dialplan:
  same => n,AGI(agi://{agi_host}:{crew.agi_port}/agent)
  same => n,Queue(conseillers)        ; when the agent is away or breaks off, people answer

HTTP of all workers together, with the header X-API-Key:{shown_key}
  {url}/ready
  {url}/metrics
  {url}/health           open to anybody
""",
        flush=True,
    )


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
