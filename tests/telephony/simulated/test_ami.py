"""The twin of the AMI link behaves as the link does on Asterisk."""

import pytest

from telephony.ami import (
    Ami,
    AmiAway,
    AmiEvent,
    AmiState,
    ChannelGone,
    ChannelSeen,
    NoSuchChannel,
    NoSuchExtension,
    QueueListed,
    TrunkReported,
)
from telephony.call import CallId
from telephony.channels import ChannelTable
from telephony.simulated.ami import SimulatedAmi

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")


def with_table() -> tuple[SimulatedAmi, ChannelTable]:
    """The twin, and a table kept from what it tells."""
    asterisk, table = SimulatedAmi(), ChannelTable()
    asterisk.events(lambda event: table.apply(event, 0))
    return asterisk, table


def test_it_is_an_ami() -> None:
    twin: Ami = SimulatedAmi()
    assert twin.state is AmiState.UP


async def test_a_table_kept_from_its_events_follows_a_call() -> None:
    asterisk, table = with_table()
    asterisk.extensions.add(("hand-over", "conseillers"))
    uniqueid = asterisk.ring("PJSIP/trunk-1", caller="0612345678")
    asterisk.carry_sound(uniqueid, CALL, "127.0.0.1:9092")
    assert table.rows()[0].call_id is None
    await asterisk.channels()
    assert (table.rows()[0].call_id, table.rows()[0].codec) == (CALL, "alaw")
    await asterisk.redirect("PJSIP/trunk-1", "hand-over", "conseillers")
    asterisk.wait_in("conseillers", uniqueid)
    assert (table.rows()[0].exten, table.rows()[0].queue) == ("conseillers", "conseillers")
    assert await asterisk.queues() == [QueueListed("conseillers", 1)]
    await asterisk.hang_up("PJSIP/trunk-1")
    assert len(table) == 0
    await asterisk.channels()
    assert len(table) == 0


async def test_it_refuses_what_asterisk_refuses() -> None:
    asterisk, _ = with_table()
    asterisk.ring("PJSIP/trunk-1")
    with pytest.raises(NoSuchExtension):
        await asterisk.redirect("PJSIP/trunk-1", "hand-over", "nowhere")
    asterisk.extensions.add(("hand-over", "201"))
    with pytest.raises(NoSuchChannel):
        await asterisk.redirect("PJSIP/none", "hand-over", "201")
    with pytest.raises(NoSuchChannel):
        await asterisk.hang_up("PJSIP/none")


@pytest.mark.parametrize("state", [AmiState.AWAY, AmiState.REFUSED])
async def test_without_the_link_nothing_is_told_and_nothing_done(state: AmiState) -> None:
    asterisk, table = with_table()
    states: list[AmiState] = []
    unsubscribe = asterisk.states(states.append)
    asterisk.become(state)
    asterisk.ring("PJSIP/trunk-1")
    for asked in (
        asterisk.channels(),
        asterisk.queues(),
        asterisk.trunks(),
        asterisk.hang_up("PJSIP/trunk-1"),
        asterisk.redirect("PJSIP/trunk-1", "hand-over", "201"),
    ):
        with pytest.raises(AmiAway):
            await asked
    assert len(table) == 0
    unsubscribe()
    asterisk.become(AmiState.UP)
    assert states == [state]


async def test_trunks_are_told_as_they_are_listed() -> None:
    asterisk, told = SimulatedAmi(trunk_reports=[TrunkReported("trunk", up=False)]), list[AmiEvent]()
    unsubscribe = asterisk.events(told.append)
    assert await asterisk.trunks() == told == [TrunkReported("trunk", up=False)]
    unsubscribe()
    asterisk.leave(asterisk.ring("PJSIP/trunk-1"))
    assert len(told) == 1


def test_a_call_that_ends_is_told() -> None:
    asterisk, told = SimulatedAmi(), list[AmiEvent]()
    asterisk.events(told.append)
    asterisk.leave(asterisk.ring("PJSIP/trunk-1"))
    assert [type(event) for event in told] == [ChannelSeen, ChannelGone]
