"""A person is found in everything that is kept, given out, and removed from it; nobody else is."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from app import settings as configuration
from app.commands.rights import NotDone
from app.commands.rights import erase as erase_command
from app.commands.rights import export as export_command
from app.person import Person, erase, export, find
from app.settings import Settings, SettingsInvalid
from app.watching.archiving import ArchiveJournal
from app.watching.events import AnnouncedCallBacks, EventJournal
from app.wiring import open_stores
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Words
from memory.dropped_calls import DroppedCall
from memory.event_stream import writing
from memory.events import MemoryBus
from telephony.call import Call, CallId, HungUp
from telephony.journal import CallEnded, CallerIdentified, CallStarted, Journals, TurnHeard
from tests.graph.conversation import CALLER, Conversation, services
from tests.redis.server import RedisServer
from tools.call_back_times import CallBackTime, DayPart
from tools.call_backs import CallBack, FileCallBacks

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
MOREAU = "10078821"
OTHER_CALLER = "0687654321"
BY_NUMBER, BY_CALLER = Person(customer_number=MOREAU), Person(caller=CALLER)
KEY = "k1:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


@pytest.fixture(params=["files", "redis library", "redis core, sealed"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, full_redis: RedisServer, bare_redis: RedisServer
) -> Settings:
    lines = {"APP_DATA_FOLDER": str(tmp_path)}
    match request.param:
        case "redis library":
            lines |= {"REDIS_URL": full_redis.url}
        case "redis core, sealed":
            lines |= {"REDIS_URL": bare_redis.url, "CHECKPOINTS_REDIS": "core", "PRIVACY_KEYS": KEY}
    env = tmp_path / "settings"
    env.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    return configuration.read(env)


@asynccontextmanager
async def after_two_calls(settings: Settings) -> AsyncIterator[None]:
    """Madame Moreau has rung from her telephone and left something everywhere; somebody else has rung too."""
    async with open_stores(settings) as stores:
        if stores.redis is not None:
            await stores.redis.flushdb()
    async with open_stores(settings) as stores:
        dialogue = Dialogue(build_graph(services()), stores.calls)
        call = await Conversation(dialogue, str(uuid4())).identified()
        other = Conversation(dialogue, str(uuid4()))
        async for _ in other.dialogue.turn(other.call_id, CallBegins(OTHER_CALLER)):
            pass
        both = ((call.call_id, CALLER, MOREAU), (other.call_id, OTHER_CALLER, ""))
        bus_of_memory = MemoryBus()
        async with _bus(stores.redis, bus_of_memory) as bus:
            journal = Journals(
                (ArchiveJournal(stores.archive, {}, lambda: AT), EventJournal(bus, lambda: AT))
            )
            for call_id, caller, number in both:
                name = CallId(call_id)
                journal.note(name, CallStarted(Call(name, caller)))
                journal.note(name, TurnHeard(Words("ce que j'ai dit")))
                if number:
                    journal.note(name, CallerIdentified(number))
                journal.note(name, CallEnded(HungUp()))
            await journal.members[0].written()  # type: ignore[attr-defined]
            promises = AnnouncedCallBacks(FileCallBacks(stores.call_backs), bus)
            for call_id, caller, number in both:
                when = CallBackTime(date(2026, 11, 23), DayPart.ANY)
                await promises.record(CallBack(call_id, caller, when, "conseillers", "asked", "", number, AT))
        if stores.redis is not None:
            await stores.limits.admit(call.call_id, CALLER)
            await stores.dropped.keep(CALLER, DroppedCall("contract", "mon contrat"))
    yield


@asynccontextmanager
async def _bus(redis, memory):  # type: ignore[no-untyped-def]  # either bus
    if redis is None:
        yield memory
        return
    async with writing(redis) as bus:
        yield bus


@pytest.mark.parametrize("person", [BY_NUMBER, BY_CALLER], ids=["by number", "by caller"])
async def test_a_person_is_removed_from_everything_and_nobody_else_is(
    settings: Settings, person: Person
) -> None:
    async with after_two_calls(settings), open_stores(settings) as stores:
        shared = stores.redis is not None
        receipt = await erase(stores, person)
        assert receipt["transcripts"] == 1
        assert receipt["calls under way or lately ended"] == 1
        assert receipt["promised call-backs"] == 1
        assert bool(receipt["events"]) is shared
        if person is BY_CALLER and shared:
            assert receipt["counters"] == receipt["calls that broke off"] == 1
        assert not any((await erase(stores, person)).values()), "nothing is left"
        assert (await find(stores, person)).call_ids == frozenset()
        other = await find(stores, Person(caller=OTHER_CALLER))
        assert (len(other.filed), len(other.states), len(other.call_backs)) == (1, 1, 1)
        assert bool(other.events) is shared


async def test_nothing_of_a_removed_person_is_left_in_any_file(settings: Settings) -> None:
    async with after_two_calls(settings), open_stores(settings) as stores:
        await erase(stores, BY_NUMBER)
        await erase(stores, BY_CALLER)
    folder = settings.application.data_folder
    left = {
        path.name: personal
        for path in _files(folder)
        for personal in (MOREAU, CALLER)
        if personal.encode() in path.read_bytes()
    }
    assert left == {}


async def test_a_person_is_given_what_is_kept_of_him_and_nothing_of_others(settings: Settings) -> None:
    async with after_two_calls(settings), open_stores(settings) as stores:
        told = await export(stores, BY_NUMBER)
    assert [turn["text"] for turn in told["transcripts"][0]["turns"]] == ["ce que j'ai dit"]
    (state,) = told["calls"].values()
    assert state["identity"]["customer_number"] == MOREAU
    assert "signature" not in state["identity"]
    assert {"who": "human", "text": MOREAU} in state["messages"]
    assert len(told["call_backs"]) == 1
    assert OTHER_CALLER not in json.dumps(told)


async def test_the_commands_print_a_receipt_and_the_data(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with after_two_calls(settings):
        assert await export_command(settings, MOREAU, "") == 0
        assert json.loads(capsys.readouterr().out)["customer_number"] == MOREAU
        assert await erase_command(settings, MOREAU, "") == 0
        assert "transcripts                       1" in capsys.readouterr().out
        assert await erase_command(settings, MOREAU, "", as_json=True) == 0
        assert not any(json.loads(capsys.readouterr().out)["removed"].values())


async def test_a_number_that_is_none_is_said_before_anything_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="eight digits"):
        await erase_command(configuration.read(tmp_path / "none"), "Moreau", "")


async def test_when_something_cannot_be_read_nothing_is_said_to_be_gone(tmp_path: Path) -> None:
    env = tmp_path / "settings"
    env.write_text(f"APP_DATA_FOLDER={tmp_path}\nPRIVACY_KEYS={KEY}\n", encoding="utf-8")
    async with after_two_calls(configuration.read(env)):
        pass
    env.write_text(f"APP_DATA_FOLDER={tmp_path}\n", encoding="utf-8")
    with pytest.raises(NotDone, match="PRIVACY_KEYS"):
        await erase_command(configuration.read(env), MOREAU, "")


async def test_more_calls_than_the_library_lists_by_itself_are_searched(
    full_redis: RedisServer, tmp_path: Path
) -> None:
    env = tmp_path / "settings"
    env.write_text(f"APP_DATA_FOLDER={tmp_path}\nREDIS_URL={full_redis.url}\n", encoding="utf-8")
    async with open_stores(configuration.read(env)) as stores:
        assert stores.redis is not None
        await stores.redis.flushdb()
    async with open_stores(configuration.read(env)) as stores:
        dialogue = Dialogue(build_graph(services()), stores.calls)
        for _ in range(150):
            await Conversation(dialogue, str(uuid4())).begins()
        assert len((await find(stores, BY_CALLER)).states) == 150


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "settings"]
