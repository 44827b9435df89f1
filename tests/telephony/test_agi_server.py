"""FastAGI with real sockets: what becomes of a call, and all the ways in which an AGI leg goes wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

import pytest

from graph.heard import CallBegins, NotReached, Resumed, Unreached
from telephony import agi, audiosocket
from telephony.agi_server import AgiServer
from telephony.call import TECHNICAL, Call, CallerLeft, CallId, HungUp, NoAudio, Outcome, Transferred
from telephony.handover import HandoverPlan
from telephony.line import Line
from telephony.switchboard import Switchboard
from tests.telephony.recording_line import ObedientReception, RecordingLine, Session, until_closed
from tests.telephony.waiting import until

ENVIRONMENT = {
    "agi_network_script": "agent",
    "agi_channel": "PJSIP/trunk-00000001",
    "agi_callerid": "0612345678",
    "agi_dnid": "0123456789",
}
ANY_SUMMARY = "Envoyé par le superviseur"
GONE = "511 Command Not Permitted on a dead channel or intercept routine"


class HungUpWire:
    """A wire that remembers being hung up."""

    def __init__(self) -> None:
        self.hung_up = 0

    def hang_up(self) -> None:
        self.hung_up += 1


@dataclass
class Asterisk:
    """Asterisk's end of one AGI leg, line by line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    told: dict[str, str] = field(default_factory=dict)
    """Variables as the agent has set them before it answered."""

    def announce(self, call_id: CallId | None = None, **more: str) -> None:
        named = {} if call_id is None else {"agi_arg_1": call_id}
        self.writer.write(agi.encode_environment({**ENVIRONMENT, **named, **more}))

    async def command(self) -> str:
        """The next command; empty when the agent closed."""
        return (await self.reader.readline()).decode().rstrip("\n")

    def reply(self, line: str) -> None:
        self.writer.write(f"{line}\n".encode())

    async def up_to_the_answer(self, **variables: str) -> None:
        """Give the variables that the agent asks for, let it set its own, and take its ANSWER."""
        while (command := agi.parse_command(await self.command())) != ["ANSWER"]:
            match command:
                case ["GET", "VARIABLE", name]:
                    value = variables.get(name)
                    self.reply("200 result=0" if value is None else f"200 result=1 ({value})")
                case ["SET", "VARIABLE", name, value]:
                    self.told[name] = value
                    self.reply("200 result=1")
                case _:
                    raise AssertionError(command)

    async def up_to_the_sound(self, **variables: str) -> CallId:
        """Answer, and take the EXEC without answering it."""
        await self.up_to_the_answer(**variables)
        self.reply("200 result=0")
        application, arguments = agi.parse_command(await self.command())[1:]
        assert application == "AudioSocket"
        return CallId(arguments.partition(",")[0])

    async def answering(self, *replies: str) -> list[str]:
        """Give these replies to the commands that come; 511 to all further ones."""
        commands = []
        waiting = list(replies)
        while command := await self.command():
            commands.append(command)
            self.reply(waiting.pop(0) if waiting else GONE)
        return commands


class Bench:
    """An AGI server with its switchboard and a reception that follows orders."""

    def __init__(self, bound_s: float, plan: HandoverPlan | None = None) -> None:
        self.switchboard = Switchboard()
        self.reception = ObedientReception()
        self.server = AgiServer(
            "127.0.0.1",
            0,
            self.switchboard,
            self.reception,
            ("127.0.0.1", 9092),
            plan=plan,
            header_s=bound_s,
            settle_s=bound_s,
        )
        self.legs: list[Asterisk] = []

    async def connect(self) -> Asterisk:
        self.legs.append(Asterisk(*await asyncio.open_connection("127.0.0.1", self.server.port)))
        return self.legs[-1]

    async def ring(self, session: Session = until_closed) -> tuple[Asterisk, RecordingLine]:
        """A call whose sound has been joined, with ``session`` running."""
        self.reception.session = session
        leg = await self.connect()
        leg.announce()
        call_id = await leg.up_to_the_sound()
        line = self.switchboard.join(call_id)
        assert isinstance(line, RecordingLine)
        line.attach(HungUpWire())
        await until(lambda: self.reception.running > 0)
        return leg, line

    async def stands(self, leg: Asterisk, line: RecordingLine) -> None:
        """Assert that this call goes on, and can still be carried through to its end."""
        assert line.why_closed is None
        leg.reply("200 result=-1")
        leg.reply("HANGUP")
        assert await leg.answering(GONE, GONE) == [
            "CHANNEL STATUS",
            'SET VARIABLE VOICEBOT_OUTCOME "callerleft"',
        ]


@pytest.fixture(name="bench")
async def patient_bench() -> AsyncIterator[Bench]:
    """Bounds that no test comes near, however busy the machine is."""
    async with serving(Bench(bound_s=30)) as bench:
        yield bench


@pytest.fixture(name="hasty")
async def hasty_bench() -> AsyncIterator[Bench]:
    """For the tests that wait for a bound."""
    async with serving(Bench(bound_s=0.3)) as bench:
        yield bench


@asynccontextmanager
async def serving(bench: Bench) -> AsyncIterator[Bench]:
    """Serve, and afterwards assert that nothing is left."""
    await bench.server.start()
    yield bench
    await until(lambda: not bench.switchboard.live())
    await bench.server.close()
    for leg in bench.legs:
        leg.writer.close()
    assert bench.reception.running == 0
    assert all(line.why_closed is not None for line in bench.reception.lines if line.wire is not None)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def outcome_of(outcome: Outcome) -> Session:
    """A session that comes to ``outcome`` at once."""

    async def session(call: Call, line: RecordingLine) -> Outcome:
        await line.joined()
        return outcome

    return session


CLEARED = [f'SET VARIABLE {name} ""' for name in ("DIALSTATUS", "QUEUESTATUS", "VOICEBOT_ADVISER")]
ASKED = [f"GET VARIABLE {name}" for name in ("DIALSTATUS", "QUEUESTATUS", "VOICEBOT_ADVISER")]
TRANSFERRED = Transferred(
    queue="sinistres", reason="demande", summary='Dit "urgent"\nHANGUP', customer_number="C-1"
)


# What becomes of a call


async def test_a_call_is_opened_as_asterisk_announced_it(bench: Bench) -> None:
    call_id = CallId(str(uuid4()))
    leg = await bench.connect()
    leg.announce(call_id)
    assert await leg.up_to_the_sound() == call_id
    assert bench.reception.calls == [Call(call_id, "0612345678", "0123456789", "PJSIP/trunk-00000001")]
    leg.writer.close()


async def test_without_an_id_from_the_dialplan_each_call_gets_its_own(bench: Bench) -> None:
    legs = [await bench.connect() for _ in range(2)]
    for leg in legs:
        leg.announce()
    ids = {await leg.up_to_the_sound() for leg in legs}
    assert len(ids) == 2
    assert ids == {connection.call_id for connection in bench.switchboard.live()}
    for leg in legs:
        leg.writer.close()


async def test_after_goodbye_the_call_is_hung_up_and_the_dialplan_told(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(HungUp()))
    await line.over.wait()
    leg.reply("200 result=0")
    assert await leg.answering("200 result=6", "200 result=1", "200 result=1") == [
        "CHANNEL STATUS",
        'SET VARIABLE VOICEBOT_OUTCOME "hungup"',
        "HANGUP",
    ]


async def test_the_sound_is_ended_before_asterisk_is_asked_anything_else(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(HungUp()))
    await line.over.wait()
    assert isinstance(line.wire, HungUpWire)
    assert line.wire.hung_up > 0
    leg.writer.close()


async def test_a_transfer_tells_the_dialplan_everything_and_then_queues_the_caller(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(TRANSFERRED))
    await line.over.wait()
    leg.reply("200 result=0")
    assert await leg.answering("200 result=6", *["200 result=1"] * 9) == [
        "CHANNEL STATUS",
        'SET VARIABLE __VOICEBOT_QUEUE "sinistres"',
        'SET VARIABLE __VOICEBOT_EXTENSION ""',
        'SET VARIABLE __VOICEBOT_REASON "demande"',
        'SET VARIABLE __VOICEBOT_SUMMARY "Dit \\"urgent\\" HANGUP"',
        'SET VARIABLE __VOICEBOT_CUSTOMER "C-1"',
        *CLEARED,
        'SET VARIABLE VOICEBOT_OUTCOME "transfer"',
        "EXEC Queue sinistres,c,,,60",
        *ASKED,
        "CHANNEL STATUS",
        'SET VARIABLE VOICEBOT_OUTCOME "transferred"',
        "HANGUP",
    ]
    assert bench.reception.closed == [TRANSFERRED]


async def test_a_queue_that_is_no_name_leaves_the_caller_to_the_dialplan_untold(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(Transferred(queue="desk,t", reason="", summary="")))
    await line.over.wait()
    leg.reply("200 result=0")
    assert await leg.answering("200 result=6") == ["CHANNEL STATUS"]


async def test_while_the_caller_is_with_people_the_switchboard_holds_nothing(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(TRANSFERRED))
    await line.over.wait()
    leg.reply("200 result=0")
    while not (await leg.command()).startswith("EXEC Queue"):
        leg.reply("200 result=1")
    assert bench.switchboard.live() == ()
    leg.reply("200 result=-1")


async def test_the_caller_hanging_up_ends_the_session(bench: Bench) -> None:
    leg, line = await bench.ring()
    leg.reply("200 result=-1")
    leg.reply("HANGUP")
    assert await leg.answering() == ["CHANNEL STATUS", 'SET VARIABLE VOICEBOT_OUTCOME "callerleft"']
    assert line.why_closed == "Asterisk ended the audio: 200 result=-1"
    assert bench.reception.outcomes == [CallerLeft()]


@pytest.mark.parametrize("outcome", [HungUp(), TRANSFERRED])
async def test_a_caller_who_left_meanwhile_is_neither_hung_up_nor_queued(
    bench: Bench, outcome: Outcome
) -> None:
    leg, line = await bench.ring(outcome_of(outcome))
    await line.over.wait()
    leg.reply("200 result=-1")
    leg.reply("HANGUP")
    assert await leg.answering() == ["CHANNEL STATUS", 'SET VARIABLE VOICEBOT_OUTCOME "callerleft"']


async def test_minus_one_with_the_caller_still_there_is_broken_sound_and_left_to_the_dialplan(
    bench: Bench,
) -> None:
    leg, _ = await bench.ring()
    leg.reply("200 result=-1")
    assert await leg.answering("200 result=6", "200 result=1") == [
        "CHANNEL STATUS",
        'SET VARIABLE VOICEBOT_OUTCOME "noaudio"',
    ]


async def test_sound_that_never_came_is_no_audio_whatever_the_session_says(bench: Bench) -> None:
    async def session(call: Call, line: RecordingLine) -> Outcome:
        await line.over.wait()
        return HungUp()

    bench.reception.session = session
    leg = await bench.connect()
    leg.announce()
    await leg.up_to_the_sound()
    leg.reply("200 result=-1")
    assert await leg.answering("200 result=6", "200 result=1") == [
        "CHANNEL STATUS",
        'SET VARIABLE VOICEBOT_OUTCOME "noaudio"',
    ]
    assert bench.reception.lines[0].wire is None


async def test_a_caller_who_leaves_before_his_sound_has_come_has_left_and_was_not_without_sound(
    bench: Bench,
) -> None:
    async def without_sound(_: Call, line: RecordingLine) -> Outcome:
        assert not await line.joined()
        return NoAudio()

    bench.reception.session = without_sound
    leg = await bench.connect()
    leg.announce()
    await leg.up_to_the_sound()
    leg.reply("200 result=-1")
    leg.reply("HANGUP")
    await leg.answering(GONE, GONE)
    assert bench.reception.closed == [CallerLeft()]


async def test_a_caller_who_leaves_before_the_answer_meets_no_session(bench: Bench) -> None:
    leg = await bench.connect()
    leg.announce()
    await leg.up_to_the_answer()
    leg.reply("200 result=-1")
    assert await leg.answering() == ['SET VARIABLE VOICEBOT_OUTCOME "callerleft"']
    assert bench.reception.outcomes == []
    assert bench.reception.closed == [CallerLeft()]


# Entered again


KNOWN = "b6b1c0de-0000-4000-8000-000000000001"


async def test_a_call_gets_a_name_that_stays_on_its_channel(bench: Bench) -> None:
    leg = await bench.connect()
    leg.announce()
    call_id = await leg.up_to_the_sound()
    assert leg.told == {"__VOICEBOT_CALL_ID": call_id, "VOICEBOT_TAKEN": call_id, "VOICEBOT_OUTCOME": ""}
    assert bench.reception.firsts == [CallBegins("0612345678")]
    leg.writer.close()


@pytest.mark.parametrize("argument", [CallId(KNOWN), None])
async def test_whoever_enters_again_goes_on_with_the_same_call(bench: Bench, argument: CallId | None) -> None:
    leg = await bench.connect()
    leg.announce(argument)
    assert await leg.up_to_the_sound(VOICEBOT_TAKEN=KNOWN) == KNOWN
    assert bench.reception.firsts == [Resumed()]
    leg.writer.close()


async def test_another_uuid_on_the_same_channel_is_another_call(bench: Bench) -> None:
    """A caller whom an adviser passes back to the agent comes through the whole dialplan again."""
    leg, another = await bench.connect(), CallId(str(uuid4()))
    leg.announce(another)
    assert await leg.up_to_the_sound(VOICEBOT_TAKEN=KNOWN) == another
    assert bench.reception.firsts == [CallBegins("0612345678")]
    leg.writer.close()


async def test_a_name_that_an_advisers_channel_has_inherited_opens_no_callers_dialogue(bench: Bench) -> None:
    leg = await bench.connect()
    leg.announce()
    assert await leg.up_to_the_sound(VOICEBOT_CALL_ID=KNOWN) != KNOWN
    assert bench.reception.firsts == [CallBegins("0612345678")]
    leg.writer.close()


@pytest.mark.parametrize("nonsense", ["", "no uuid", "b6b1c0de"])
async def test_a_name_that_is_no_uuid_is_no_call_to_go_on_with(bench: Bench, nonsense: str) -> None:
    leg = await bench.connect()
    leg.announce()
    assert await leg.up_to_the_sound(VOICEBOT_TAKEN=nonsense) != nonsense
    assert bench.reception.firsts == [CallBegins("0612345678")]
    leg.writer.close()


@pytest.mark.parametrize(
    ("statuses", "why"),
    [
        ({"DIALSTATUS": "NOANSWER"}, "no_answer"),
        ({"QUEUESTATUS": "FULL"}, "busy"),
        ({"DIALSTATUS": "ANSWER"}, "no_answer"),
    ],
)
async def test_a_worker_that_died_while_people_were_rung_leaves_the_caller_his_choice(
    bench: Bench, statuses: dict[str, str], why: Unreached
) -> None:
    leg = await bench.connect()
    leg.announce()
    await leg.up_to_the_sound(VOICEBOT_TAKEN=KNOWN, VOICEBOT_OUTCOME="transfer", **statuses)
    assert bench.reception.firsts == [NotReached(why)]
    leg.writer.close()


# Nobody took the caller


async def test_a_caller_whom_nobody_took_is_talked_with_again_on_the_same_leg(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(TRANSFERRED))
    call_id = bench.reception.calls[0].id
    await line.over.wait()
    leg.reply("200 result=0")
    while not (await leg.command()).startswith("EXEC Queue"):
        leg.reply("200 result=1")
    bench.reception.session = until_closed
    leg.reply("200 result=0")
    replies = {"GET VARIABLE QUEUESTATUS": "200 result=1 (TIMEOUT)", "CHANNEL STATUS": "200 result=6"}
    while not (command := await leg.command()).startswith("EXEC AudioSocket"):
        leg.reply(replies.get(command, "200 result=0"))
    again = bench.switchboard.join(call_id)
    again.attach(HungUpWire())
    assert again is not line, "a line of its own"
    await until(lambda: len(bench.reception.firsts) == 2)
    assert bench.reception.firsts[1] == NotReached("no_answer")
    assert bench.reception.closed == [], "the call is not over"
    leg.reply("200 result=-1")
    await leg.answering(GONE)
    await until(lambda: bench.reception.closed == [CallerLeft()])


async def test_whom_nobody_takes_and_the_agent_cannot_talk_with_is_left_to_the_dialplan(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A dialogue that is broken must not send him round and round."""
    leg, line = await bench.ring(outcome_of(replace(TRANSFERRED, reason=TECHNICAL)))
    await line.over.wait()
    leg.reply("200 result=0")
    replies = {"GET VARIABLE QUEUESTATUS": "200 result=1 (JOINEMPTY)", "CHANNEL STATUS": "200 result=6"}
    while not (command := await leg.command()).startswith("EXEC AudioSocket"):
        leg.reply(replies.get(command, "200 result=0"))
    again = bench.switchboard.join(bench.reception.calls[0].id)
    again.attach(HungUpWire())
    leg.reply("200 result=0")
    assert await leg.answering("200 result=6") == ["CHANNEL STATUS"]
    assert "agi.given_up" in caplog.messages


async def test_a_caller_who_left_while_people_were_rung_is_not_talked_with_again(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(TRANSFERRED))
    await line.over.wait()
    leg.reply("200 result=0")
    while not (await leg.command()).startswith("EXEC Queue"):
        leg.reply("200 result=1")
    leg.reply("200 result=-1")
    leg.reply("HANGUP")
    assert await leg.answering() == [
        *ASKED,
        "CHANNEL STATUS",
        'SET VARIABLE VOICEBOT_OUTCOME "transferred"',
        "HANGUP",
    ]
    assert bench.reception.firsts == [CallBegins("0612345678")]
    await until(lambda: bench.reception.closed == [TRANSFERRED])


# An operator takes the caller away


async def test_whom_an_operator_takes_away_is_told_of_and_ends_as_transferred(bench: Bench) -> None:
    leg, line = await bench.ring()
    call = bench.reception.calls[0]
    async with bench.server.taking_away(call.id, "201") as variables:
        assert variables == {
            "__VOICEBOT_QUEUE": "201",
            "__VOICEBOT_EXTENSION": "",
            "__VOICEBOT_REASON": "operator",
            "__VOICEBOT_SUMMARY": "Envoyé par le superviseur",
            "__VOICEBOT_CUSTOMER": "10078821",
            "VOICEBOT_OUTCOME": "transfer",
        }
        assert line.why_closed is None
    leg.reply("200 result=-1")
    leg.reply("HANGUP")
    assert await leg.answering() == ["CHANNEL STATUS"], "what the operator set is left alone"
    (ended,) = bench.reception.closed
    assert (ended.name, ended) == ("transferred", Transferred("201", "operator", ANY_SUMMARY, "10078821"))


async def test_a_caller_whom_the_operator_could_not_take_away_stays_and_leaves_as_himself(
    bench: Bench,
) -> None:
    leg, line = await bench.ring()
    with pytest.raises(LookupError):
        async with bench.server.taking_away(bench.reception.calls[0].id, "999"):
            raise LookupError("no such extension")
    await bench.stands(leg, line)
    await until(lambda: bench.reception.closed == [CallerLeft()])


async def test_nothing_is_known_of_a_caller_who_is_not_here(bench: Bench) -> None:
    async with bench.server.taking_away(CallId(KNOWN), "201") as variables:
        assert variables == {}
    leg, line = await bench.ring()
    await bench.stands(leg, line)
    await until(lambda: bench.reception.closed == [CallerLeft()])


async def test_a_caller_who_was_with_people_is_not_hung_up_when_an_operator_takes_him_away(
    bench: Bench,
) -> None:
    leg, line = await bench.ring(outcome_of(TRANSFERRED))
    await line.over.wait()
    leg.reply("200 result=0")
    while not (await leg.command()).startswith("EXEC Queue"):
        leg.reply("200 result=1")
    async with bench.server.taking_away(bench.reception.calls[0].id, "201"):
        leg.reply("200 result=-1")
        leg.reply("HANGUP")
        assert await leg.answering() == [*ASKED, "CHANNEL STATUS"]
    await until(lambda: [one.name for one in bench.reception.closed] == ["transferred"])


# An adviser's leg


async def whispered(bench: Bench, *replies: str) -> tuple[list[str], RecordingLine]:
    """The commands of an adviser's leg, from before its sound and after it."""
    leg = await bench.connect()
    leg.announce(agi_network_script="whisper", agi_channel="Local/201@hand-over-1;1")
    values = {"SUMMARY": "Demande un conseiller.", "CUSTOMER": "10078821"}
    commands = []
    while not (command := await leg.command()).startswith("EXEC AudioSocket"):
        commands.append(command)
        name = command.removeprefix("GET VARIABLE VOICEBOT_")
        leg.reply(f"200 result=1 ({values[name]})" if name in values else "200 result=0")
    line = bench.switchboard.join(CallId(command.split()[2].partition(",")[0]))
    assert isinstance(line, RecordingLine)
    line.attach(HungUpWire())
    await line.over.wait()
    leg.reply("200 result=0")
    return commands + await leg.answering(*replies), line


async def test_an_adviser_who_takes_the_call_is_connected(bench: Bench) -> None:
    commands, _ = await whispered(bench, "200 result=0")
    assert bench.reception.whispered == [("Demande un conseiller.", "10078821")]
    assert commands[-2:] == [
        'EXEC Set "MASTER_CHANNEL(VOICEBOT_ADVISER)=listening"',
        'EXEC Set "MASTER_CHANNEL(VOICEBOT_ADVISER)=accepted"',
    ]
    assert not any("GOSUB_RESULT" in command for command in commands)
    assert bench.reception.closed == [], "it is no call of its own"


async def test_an_adviser_who_refuses_is_let_go_and_the_caller_told_busy(bench: Bench) -> None:
    bench.reception.takes = False
    commands, _ = await whispered(bench, "200 result=0", "200 result=1")
    assert commands[-2:] == [
        'EXEC Set "MASTER_CHANNEL(VOICEBOT_ADVISER)=refused"',
        'SET VARIABLE GOSUB_RESULT "BUSY"',
    ]


async def test_attended_the_adviser_finds_the_worker_that_has_the_call() -> None:
    async with serving(Bench(bound_s=30, plan=HandoverPlan(attended=True))) as bench:
        bench.reception.session = outcome_of(TRANSFERRED)
        leg = await bench.connect()
        leg.announce(agi_request="agi://10.0.0.7:4573/agent")
        line = bench.switchboard.join(await leg.up_to_the_sound())
        line.attach(HungUpWire())
        leg.reply("200 result=0")
        commands = []
        while not (command := await leg.command()).startswith("EXEC"):
            commands.append(command)
            leg.reply("200 result=6")
        assert command == "EXEC Dial Local/sinistres@voicebot-attended/n,120,mg"
        assert 'SET VARIABLE __VOICEBOT_WHISPER "agi://10.0.0.7:4573/whisper"' in commands
        leg.writer.close()


# Draining


async def test_a_worker_that_drains_sends_new_calls_elsewhere_unanswered(bench: Bench) -> None:
    bench.server.drain()
    leg = await bench.connect()
    leg.announce()
    assert await leg.command() == 'SET VARIABLE VOICEBOT_OUTCOME "draining"'
    leg.reply("200 result=1")
    assert await leg.command() == ""
    assert bench.reception.calls == []
    assert bench.reception.closed == []


async def test_a_worker_that_drains_goes_on_with_the_calls_it_has_and_is_then_done(bench: Bench) -> None:
    leg, line = await bench.ring()
    bench.server.drain()
    drained = asyncio.create_task(bench.server.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    await bench.stands(leg, line)
    await drained


async def test_nobody_waits_for_callers_who_are_with_people(bench: Bench) -> None:
    leg, line = await bench.ring(outcome_of(TRANSFERRED))
    await line.over.wait()
    leg.reply("200 result=0")
    while not (await leg.command()).startswith("EXEC Queue"):
        leg.reply("200 result=1")
    bench.server.drain()
    await bench.server.drained()
    leg.writer.close()


async def test_an_idle_worker_is_drained_at_once(bench: Bench) -> None:
    bench.server.drain()
    await bench.server.drained()
    assert bench.server.draining


# What an AGI leg can say in between


@pytest.mark.parametrize(
    "replies",
    [
        ["100 result=0 Trying...", "200 result=0"],
        ["HANGUP", "200 result=0"],
        ["520-Invalid command syntax.  Proper usage follows:", "Usage: X", "520 End of proper usage."],
    ],
    ids=["trying", "hangup line", "usage error"],
)
async def test_no_line_in_between_puts_the_replies_out_of_step(bench: Bench, replies: Sequence[str]) -> None:
    leg, line = await bench.ring(outcome_of(HungUp()))
    await line.over.wait()
    leg.reply("200 result=0")
    assert await leg.command() == "CHANNEL STATUS"
    leg.reply("200 result=6")
    assert await leg.command() == 'SET VARIABLE VOICEBOT_OUTCOME "hungup"'
    for reply in replies:
        leg.reply(reply)
    assert await leg.command() == "HANGUP"
    leg.reply("200 result=1")
    assert await leg.command() == ""


@pytest.mark.parametrize(
    "garbage", ["SSH-2.0-OpenSSH_9.2", "", "x" * 20_000], ids=["ssh", "empty", "endless"]
)
async def test_garbage_instead_of_a_reply_ends_the_leg_and_its_session(bench: Bench, garbage: str) -> None:
    other = await bench.ring()
    leg, line = await bench.ring()
    leg.reply(garbage)
    await line.over.wait()
    assert await leg.command() == ""
    await bench.stands(*other)


# What goes wrong


async def test_a_port_check_does_not_freeze_the_calls(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    other = await bench.ring()
    leg = await bench.connect()
    leg.writer.close()
    await until(lambda: "agi.no_header" in caplog.messages)
    await bench.stands(*other)


async def test_a_header_that_is_cut_is_closed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    other = await bench.ring()
    leg = await bench.connect()
    leg.writer.write(b"agi_network: yes\nagi_network_scr")
    leg.writer.write_eof()
    assert await leg.command() == ""
    assert caplog.records[-1].__dict__["reason"] == "closed within the header"
    await bench.stands(*other)


async def test_a_header_that_does_not_end_is_closed(hasty: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    other = await hasty.ring()
    leg = await hasty.connect()
    leg.writer.write(b"agi_network: yes\n")
    assert await leg.command() == ""
    assert caplog.records[-1].__dict__["reason"] == "the header did not end within 0.3 s"
    await hasty.stands(*other)


async def test_a_header_without_bound_is_closed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    leg = await bench.connect()
    leg.writer.write(b"agi_arg_1: " + b"x" * 40_000)
    with contextlib.suppress(ConnectionResetError):  # closing on what is unread resets
        await leg.reader.read()
    assert "the header is too long" in {record.__dict__.get("reason") for record in caplog.records}


@pytest.mark.parametrize("script", ["", "reboot", "agent/../x"])
async def test_an_unknown_script_is_closed(
    bench: Bench, caplog: pytest.LogCaptureFixture, script: str
) -> None:
    other = await bench.ring()
    leg = await bench.connect()
    leg.announce(agi_network_script=script)
    assert await leg.command() == ""
    assert caplog.messages == ["agi.unknown_script"]
    await bench.stands(*other)


async def test_a_web_browser_is_closed(bench: Bench) -> None:
    leg = await bench.connect()
    leg.writer.write(b"GET / HTTP/1.1\r\nHost: agent\r\n\r\n\n\n")
    assert await leg.command() == ""


async def test_a_callers_name_in_latin_1_is_served(bench: Bench) -> None:
    leg = await bench.connect()
    leg.writer.write(
        agi.encode_environment({**ENVIRONMENT, "agi_calleridname": "Hélène"}, encoding="latin-1")
    )
    await leg.up_to_the_sound()
    leg.writer.close()


async def test_a_second_agi_leg_with_the_same_id_is_refused_and_the_first_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    first, line = await bench.ring()
    second = await bench.connect()
    second.announce(bench.reception.calls[0].id)
    assert await second.command() == "GET VARIABLE VOICEBOT_TAKEN"
    second.reply("200 result=0")
    assert await second.command() == ""
    assert caplog.messages == ["agi.refused"]
    await bench.stands(first, line)


async def test_an_agi_leg_that_dies_ends_its_session(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    other = await bench.ring()
    leg, line = await bench.ring()
    leg.writer.close()
    await line.over.wait()
    assert line.why_closed == "Asterisk closed the AGI leg"
    await until(lambda: "agi.lost" in caplog.messages)
    assert bench.reception.outcomes == [CallerLeft()]
    await bench.stands(*other)


async def test_a_session_that_fails_ends_the_sound_and_leaves_the_caller_to_the_dialplan(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def session(call: Call, line: RecordingLine) -> Outcome:
        await line.joined()
        raise ZeroDivisionError("a bug")

    other = await bench.ring()
    leg, line = await bench.ring(session)
    assert await leg.command() == ""
    assert caplog.messages == ["agi.failed"]
    assert isinstance(line.wire, HungUpWire)
    assert line.wire.hung_up > 0
    await bench.stands(*other)


async def test_a_session_that_does_not_end_when_the_line_is_closed_is_cancelled(
    hasty: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def session(call: Call, line: RecordingLine) -> Outcome:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    leg, _ = await hasty.ring(session)
    leg.reply("200 result=0")
    assert await leg.command() == ""
    assert caplog.messages == ["agi.failed"]
    assert hasty.reception.running == 0


async def test_an_asterisk_that_does_not_answer_the_exec_when_the_sound_has_ended_is_left(
    hasty: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    leg, _ = await hasty.ring(outcome_of(HungUp()))
    assert await leg.command() == ""
    assert caplog.messages == ["agi.failed"]


async def test_sound_that_comes_when_the_session_is_over_is_hung_up(hasty: Bench) -> None:
    async def session(call: Call, line: RecordingLine) -> Outcome:
        return NoAudio()

    hasty.reception.session = session
    leg = await hasty.connect()
    leg.announce()
    call_id = await leg.up_to_the_sound()
    line = hasty.switchboard.join(call_id)
    assert isinstance(line, RecordingLine)
    await line.over.wait()
    wire = HungUpWire()
    line.attach(wire)
    assert await leg.command() == ""
    assert wire.hung_up > 0


async def test_closing_the_server_ends_every_call_and_its_session(bench: Bench) -> None:
    legs = [await bench.ring() for _ in range(3)]
    await bench.connect()
    await bench.server.close()
    assert bench.reception.running == 0
    assert bench.switchboard.live() == ()
    for leg, line in legs:
        assert await leg.command() == ""
        assert isinstance(line.wire, HungUpWire)
        assert line.wire.hung_up > 0


async def test_an_address_in_use_is_an_error_at_the_start_and_leaves_no_task(bench: Bench) -> None:
    twin = AgiServer("127.0.0.1", bench.server.port, bench.switchboard, bench.reception, ("127.0.0.1", 9092))
    tasks = asyncio.all_tasks()
    with pytest.raises(OSError, match="address already in use"):
        await twin.start()
    assert asyncio.all_tasks() == tasks
    with pytest.raises(RuntimeError, match="not started"):
        _ = twin.port
    await twin.close()


async def test_a_reception_that_cannot_open_a_line_leaves_the_caller_to_the_dialplan(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Closed(ObedientReception):
        def open(self, call: Call) -> Line:
            raise audiosocket.ProtocolError("no ears left")

    server = AgiServer("127.0.0.1", 0, Switchboard(), Closed(), ("127.0.0.1", 9092))
    await server.start()
    leg = Asterisk(*await asyncio.open_connection("127.0.0.1", server.port))
    leg.announce()
    await leg.up_to_the_answer()
    leg.reply("200 result=0")
    assert await leg.command() == ""
    assert caplog.messages == ["agi.failed"]
    leg.writer.close()
    await server.close()
