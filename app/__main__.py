"""The command line: ``python -m app COMMAND``; ``--help`` on each says what it does, with an example."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from app import settings as configuration
from app.settings import Settings, SettingsInvalid
from audio.providers import ProviderUnavailable
from graph.checkpoints import CheckpointsUnavailable
from knowledge.retriever import KnowledgeUnavailable
from prompts import PromptInvalid
from tools.backoffice_demo import DemoDataInvalid


class CannotRun(Exception):
    """A command's own files or parts cannot be used; the message says which and why."""


MOST_WORKERS = 64
"""Their ports follow each other, and must not run into the next service's."""

Run = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]


@dataclass(frozen=True, slots=True)
class Command:
    """One verb."""

    name: str
    purpose: str
    example: str
    run: Run
    arguments: Callable[[argparse.ArgumentParser], None] | None = None


async def _serve(settings: Settings, options: argparse.Namespace) -> int:
    from app.serving.command import serve, serve_as_worker, serve_with_workers

    if options.worker:
        return await serve_as_worker(settings)
    if options.workers > 1:
        return await serve_with_workers(settings, options.workers, options.env_file)
    return await serve(settings)


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        choices=range(1, MOST_WORKERS + 1),
        metavar="N",
        help="processes on this machine, about one per core; more than one need a Redis (%(default)s)",
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)  # how they are started


async def _call(settings: Settings, options: argparse.Namespace) -> int:
    from app.rehearsal import rehearse
    from app.rehearsal.performance import CallNotAnnounced
    from app.rehearsal.script import ScriptInvalid

    try:
        return 0 if await rehearse(settings, options.folder) else 1
    except (CallNotAnnounced, ScriptInvalid) as exc:
        raise CannotRun(str(exc)) from exc


async def _chat(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.chat import chat

    return await chat(settings, show_state=not options.no_state)


async def _graph(_: Settings, options: argparse.Namespace) -> int:
    from app.commands.drawing import draw

    return draw(options.folder)


async def _index(settings: Settings, _: argparse.Namespace) -> int:
    from app.commands.indexing import index

    return await index(settings)


async def _backoffice(settings: Settings, options: argparse.Namespace) -> int:
    from app.backoffice import serve_backoffice

    return await serve_backoffice(settings, options.host, options.port, options.customers)


async def _evaluate(settings: Settings, options: argparse.Namespace) -> int:
    from app.evaluation import answers, intents, values
    from app.evaluation.tables import TableInvalid

    try:
        match options.what:
            case "intents":
                return intents.evaluate(options.files, as_json=options.json)
            case "answers":
                return await answers.evaluate(options.files, settings, as_json=options.json)
            case _:
                return values.evaluate(options.files, options.today, as_json=options.json)
    except TableInvalid as exc:
        raise CannotRun(str(exc)) from exc


async def _replay(settings: Settings, options: argparse.Namespace) -> int:
    from app.replay.command import Output, export_call, replay
    from app.replay.export import CannotExport
    from app.replay.script import ScriptInvalid
    from app.watching.logs import configure

    if bool(options.export) != bool(options.to) or bool(options.export) == bool(options.paths):
        raise CannotRun("give transcripts to play, or --export CALL --to FILE")
    configure("ERROR")  # what a transcript brings about on purpose is no news
    try:
        if options.export:
            return await export_call(settings, options.export, options.to)
        return await replay(settings, options.paths, Output(options.json, options.junit))
    except (ScriptInvalid, CannotExport) as exc:
        raise CannotRun(str(exc)) from exc


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="YAML files, or folders of them")
    parser.add_argument("--json", action="store_true", help="every turn and difference for a machine")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="the result as JUnit XML, for a CI server")
    parser.add_argument(
        "--export",
        metavar="CALL",
        help="instead: make a transcript of a recorded call (its id in the archive, or a file), "
        "with personal data replaced",
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="where --export writes")


async def _erase(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.rights import erase

    return await erase(settings, options.customer, options.caller, as_json=options.json)


async def _export(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.rights import export

    return await export(settings, options.customer, options.caller)


def _person_arguments(parser: argparse.ArgumentParser) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--customer", default="", metavar="N", help="by customer number: eight digits")
    who.add_argument("--caller", default="", metavar="N", help="by the telephone he rang from")


def _erase_arguments(parser: argparse.ArgumentParser) -> None:
    _person_arguments(parser)
    parser.add_argument("--json", action="store_true", help="the receipt as JSON")


async def _events(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.events import follow

    return await follow(settings, options.group, from_the_beginning=options.all, once=options.once)


async def _webhook(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.events import send_to_webhook

    return await send_to_webhook(settings, dead=options.dead, once=options.once)


def _events_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", default="terminal", help="consumer group to read as (%(default)s)")
    parser.add_argument("--all", action="store_true", help="from the beginning, when the group is new")
    parser.add_argument("--once", action="store_true", help="stop when there is nothing left")


def _webhook_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dead", action="store_true", help="send what was refused for good once more, and stop"
    )
    parser.add_argument("--once", action="store_true", help="stop when there is nothing left")


def _folder(default: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--folder", type=Path, default=Path(default), help="where to write (%(default)s)")

    return add


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        choices=("intents", "values", "answers"),
        help="intents: columns text, intent, second (may be empty), act (may be empty); "
        "values: columns text, form, expected (empty: the agent must ask again); "
        "answers: columns question, required (a;b: both; a|b: one of them; -: must be refused), forbidden",
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="TSV, CSV, JSON lines, JSON or YAML, or a folder of them",
    )
    parser.add_argument("--json", action="store_true", help="figures and failures for a machine")
    parser.add_argument(
        "--today",
        type=date.fromisoformat,
        default=date.today(),  # noqa: DTZ011 - the day on the caller's calendar is the machine's
        help="values: the day that bounds birth dates, as 2026-11-15 (%(default)s)",
    )


def _chat_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-state", action="store_true", help="do not print the state after each turn")


def _backoffice_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="port to listen on (%(default)s)")
    parser.add_argument("--customers", type=Path, default=None, help="other fictional customers, as JSON")


async def _voices(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands import voices

    if options.action == "warm":
        return await voices.warm(settings, options.voice)
    return await voices.show(settings)


def _voices_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=("list", "warm"), default="list", help="list (the default), or warm"
    )
    parser.add_argument(
        "--voice",
        default="",
        metavar="NAME",
        help="for warm: azure or elevenlabs; else the first in order",
    )


COMMANDS = (
    Command(
        "serve",
        "answer the phone until stopped",
        "REDIS_HOST=localhost python -m app serve --workers 4",
        _serve,
        _serve_arguments,
    ),
    Command(
        "call",
        "one complete phone call with a scripted caller, live on the terminal; saves sound, text and picture",
        "python -m app call --folder var/calls",
        _call,
        _folder("var/calls"),
    ),
    Command(
        "chat",
        "type instead of speaking; shows nodes and state after each turn",
        "python -m app chat",
        _chat,
        _chat_arguments,
    ),
    Command(
        "index",
        "bring the Qdrant server up to date with knowledge/faq; again changes nothing",
        "QDRANT_HOST=localhost python -m app index",
        _index,
    ),
    Command(
        "voices",
        "list the voices; warm: make their fixed lines ahead, telling first how many characters that costs",
        "python -m app voices warm",
        _voices,
        _voices_arguments,
    ),
    Command(
        "evaluate",
        "understanding measured on a labelled table; exits with 0 when the goal is reached, 1 when it is not",
        "python -m app evaluate intents tests/understanding/intents/tuning",
        _evaluate,
        _evaluate_arguments,
    ),
    Command(
        "replay",
        "play transcripts of whole calls through the dialogue and print what differs, turn by turn",
        "python -m app replay tests/transcripts --junit var/replay.xml",
        _replay,
        _replay_arguments,
    ),
    Command(
        "erase",
        "remove a person from everything that is kept, and print a receipt (GDPR article 17)",
        "python -m app erase --customer 10078821",
        _erase,
        _erase_arguments,
    ),
    Command(
        "export",
        "print everything that is kept of a person, as JSON (GDPR articles 15 and 20)",
        "python -m app export --customer 10078821 > export.json",
        _export,
        _person_arguments,
    ),
    Command(
        "events",
        "print what happens on calls, one line of JSON each, as another system would read it from Redis",
        "REDIS_HOST=localhost python -m app events --group crm --all",
        _events,
        _events_arguments,
    ),
    Command(
        "webhook",
        "deliver what happens on calls to another system by signed POST, with retries",
        "EVENTS_WEBHOOK_URL=https://crm.example/hook EVENTS_WEBHOOK_SECRET=… python -m app webhook",
        _webhook,
        _webhook_arguments,
    ),
    Command(
        "backoffice",
        "a demonstration of the insurer's back office over HTTP, with fictional customers",
        "INSURANCE_API_KEY=a-key python -m app backoffice --port 8090",
        _backoffice,
        _backoffice_arguments,
    ),
    Command(
        "graph",
        "write the graph's Mermaid text and a picture of it, without any network",
        "python -m app graph --folder var/graph",
        _graph,
        _folder("var/graph"),
    ),
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="python -m app",
        description="Standardiste: an AI phone agent for a French insurer.",
        epilog="example: python -m app chat",
    )
    root.add_argument("--env-file", type=Path, default=configuration.ENV_FILE, help="settings (%(default)s)")
    verbs = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        verb = verbs.add_parser(
            command.name,
            help=command.purpose,
            description=command.purpose[0].upper() + command.purpose[1:] + ".",
            epilog=f"example: {command.example}",
        )
        if command.arguments is not None:
            command.arguments(verb)
        verb.set_defaults(run=command.run)
    return root


EXPECTED = (
    CannotRun,
    SettingsInvalid,
    ProviderUnavailable,
    CheckpointsUnavailable,
    KnowledgeUnavailable,
    DemoDataInvalid,
    PromptInvalid,
    OSError,
)
"""What a person can mend; the message says how, and no traceback hides it."""


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: a third less processor time for the sound of a hundred calls (measured)."""
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    return uvloop.new_event_loop


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 not as expected, 2 cannot be set up."""
    options = parser().parse_args(arguments)
    try:
        run: Run = options.run
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(run(configuration.read(options.env_file), options))
    except EXPECTED as exc:
        print(f"{options.command}: {exc}", file=sys.stderr)  # noqa: T201 - the terminal is the interface
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
