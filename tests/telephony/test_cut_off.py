"""What is kept of a call whose caller is cut off, for when he rings back, and of which calls nothing is."""

from dataclasses import replace

import pytest

from memory.dropped_calls import DroppedCall, MemoryDroppedCalls
from telephony.call import Call, CallerLeft, CallId, HungUp
from telephony.front_desk import FrontDesk
from tests.graph.conversation import services
from tests.telephony.scene import Scene, call

CALLER = "0612345678"
WHO = Call(CallId("b6b1c0de-0000-4000-8000-000000000002"), CALLER)
VALUE = "combien j'ai sur mon assurance vie"


class Kept:
    """A desk's memory of dropped calls, shared with its dialogue."""

    def __init__(self) -> None:
        self.dropped = MemoryDroppedCalls()
        self.given = replace(services(), dropped=self.dropped)

    def at(self, desk: FrontDesk) -> FrontDesk:
        return replace(desk, dropped=self.dropped)


async def is_cut_off(scene: Scene) -> None:
    scene.phone.line.closed("the line broke")
    assert isinstance(await scene.running, CallerLeft)


async def says_all(scene: Scene, turns: int) -> None:
    await scene.phone.hears_the_agent_out()
    for _ in range(turns):
        await scene.says()
        await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)


async def test_an_open_request_is_kept_and_offered_to_who_rings_back() -> None:
    kept = Kept()
    async with call([VALUE], who=WHO, given=kept.given, at=kept.at) as scene:
        await says_all(scene, 1)
        await is_cut_off(scene)
    async with call(["oui"], who=replace(WHO, id=CallId("another")), given=kept.given, at=kept.at) as scene:
        await says_all(scene, 1)
        assert scene.journal.said() == ["greet.notice", "greet.take_up", "authenticate.ask_number"]
        await is_cut_off(scene)
    assert await kept.dropped.take(CALLER) == DroppedCall("contract", VALUE)


@pytest.mark.parametrize(
    "words",
    [["quels sont vos horaires"], [VALUE, "je ne veux pas être enregistré"], []],
    ids=["answered", "not to be recorded", "nothing asked"],
)
async def test_of_these_calls_nothing_is_kept(words: list[str]) -> None:
    kept = Kept()
    async with call(words, who=WHO, given=kept.given, at=kept.at) as scene:
        await says_all(scene, len(words))
        await is_cut_off(scene)
    assert await kept.dropped.take(CALLER) is None


async def test_of_a_hidden_number_nothing_is_kept() -> None:
    kept = Kept()
    async with call([VALUE], who=replace(WHO, caller=""), given=kept.given, at=kept.at) as scene:
        await says_all(scene, 1)
        await is_cut_off(scene)
    assert kept.dropped._kept == {}


async def test_a_call_that_came_to_its_end_settles_what_was_kept_before() -> None:
    """A worker that stops leaves its calls as cut off; they may have gone on with another."""
    kept = Kept()
    await kept.dropped.keep(CALLER, DroppedCall("contract", VALUE))
    quiet = Kept()
    async with call(["au revoir"], who=WHO, given=quiet.given, at=kept.at) as scene:
        await says_all(scene, 1)
        assert isinstance(await scene.outcome(), HungUp)
        await scene.running
    assert await kept.dropped.take(CALLER) is None
