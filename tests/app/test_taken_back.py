"""A turn that was prepared and taken back leaves no trace anywhere, with the stores that a real call has."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from app.watching.events import AnnouncedCallBacks
from graph.builder import Services, build_graph
from graph.dialogue import Dialogue
from graph.heard import Heard, Keys, Quiet, Words
from knowledge.llm import ScriptedModel
from memory.counters import MemoryCounters
from memory.events import MemoryBus
from memory.lockout import CountedLockout
from tests.graph.conversation import KEY, OPEN, Conversation, services
from tools.backoffice_demo import DemoBackoffice
from tools.call_backs import FileCallBacks
from tools.gate import Gate

TO_A_CALL_BACK: Sequence[Heard] = (
    Words("je voudrais être rappelé"),
    Words("oui"),
    Words("lundi matin"),
)
TO_A_REFUSAL: Sequence[Heard] = (
    Words("combien j'ai sur mon assurance vie"),
    Keys("10078821"),
    Keys("02031950"),
)
TO_AN_ANSWER: Sequence[Heard] = (
    Words("combien j'ai sur mon assurance vie"),
    Keys("10078821"),
    Keys("01041962"),
)
OTHERS: Sequence[Heard] = (
    Words("quels sont vos horaires"),
    Words("un conseiller"),
    Words("plus lentement s'il vous plaît"),
    Words("ne m'enregistrez pas"),
    Words("c'est inadmissible"),
    Words(""),
    Words("au revoir"),
    Quiet(),
)
STEPS = st.sampled_from([1, 5, 20, 40, 60, 80, 120, 200, 400])


@dataclass
class Stores:
    """All that outlives a turn."""

    folder: Path
    counters: MemoryCounters
    bus: MemoryBus
    saver: InMemorySaver

    @classmethod
    def within(cls, folder: Path) -> "Stores":
        return cls(folder, MemoryCounters(), MemoryBus(), InMemorySaver())

    def services(self) -> Services:
        office = DemoBackoffice()
        return replace(
            services(now=OPEN),
            backoffice=office,
            gate=Gate(office, KEY, CountedLockout(self.counters)),
            call_backs=AnnouncedCallBacks(FileCallBacks(self.folder / "callbacks.jsonl"), self.bus),
            model=ScriptedModel(),
        )

    def bytes(self) -> tuple[object, ...]:
        files = {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}
        kept = (str(self.saver.storage), str(self.saver.writes), str(self.saver.blobs))
        return files, str(self.counters._marks), str(self.counters._meters), str(self.bus.events), kept


async def taken_back(call: Conversation, heard: Heard, steps: int) -> None:
    """Prepare an answer to ``heard``, never confirm it, and cancel it after so many steps of the loop."""
    confirmed = asyncio.Event()

    async def prepared() -> None:
        async for _ in call.dialogue.turn(call.call_id, heard, confirmed=confirmed):
            pass

    turn = asyncio.create_task(prepared())
    for _ in range(steps):
        await asyncio.sleep(0)
    await asyncio.sleep(0.002 if steps == 400 else 0)  # what runs in a thread has its time as well
    assert not turn.done(), "it waits to be certain"
    turn.cancel()
    await asyncio.wait([turn])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.sampled_from([TO_A_CALL_BACK, TO_A_REFUSAL, TO_AN_ANSWER]),
    others=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(OTHERS), STEPS), max_size=4),
    steps=STEPS,
)
def test_whatever_was_prepared_and_taken_back_every_store_is_as_it_was(
    path: Sequence[Heard], others: list[tuple[int, Heard, int]], steps: int
) -> None:
    async def calls(stores: Stores) -> None:
        call = Conversation(Dialogue(build_graph(stores.services()), stores.saver))
        await call.begins()
        for place, heard in enumerate(path):
            before = stores.bytes()
            for _, other, other_steps in (one for one in others if one[0] == place):
                await taken_back(call, other, other_steps)
            await taken_back(call, heard, steps)
            assert stores.bytes() == before
            await call.turn(heard)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(calls(Stores.within(Path(folder))))


async def test_the_same_turns_confirmed_do_leave_their_traces(tmp_path: Path) -> None:
    """Else the test above would look at the wrong stores."""
    stores = Stores.within(tmp_path)
    call = Conversation(Dialogue(build_graph(stores.services()), stores.saver))
    await call.begins()
    for heard in TO_A_CALL_BACK:
        await call.turn(heard)
    assert (tmp_path / "callbacks.jsonl").read_bytes()
    assert stores.bus.events
    refused = Conversation(call.dialogue, "another call")
    await refused.begins()
    for heard in TO_A_REFUSAL:
        await refused.turn(heard)
    assert stores.counters._marks
