"""AGI's wire format: environments, commands that nothing can be slipped into, replies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import agi
from telephony.agi import ProtocolError, Reply
from telephony.call import Call, CallId

FRESH = CallId("11111111-2222-3333-4444-555555555555")
GIVEN = CallId("8c0a9bd5-3a3f-4c0e-9b1d-0f6ad6f0c0de")

# As Asterisk 22.10 opens a call.
RECORDED = b"""\
agi_network: yes
agi_network_script: agent
agi_request: agi://127.0.0.1:4573/agent
agi_channel: PJSIP/trunk-0000002a
agi_language: fr
agi_type: PJSIP
agi_uniqueid: 1763842451.84
agi_version: 22.10.1
agi_callerid: +33612345678
agi_calleridname: H\xc3\xa9l\xc3\xa8ne: Roux
agi_callingpres: 0
agi_dnid: 0123456789
agi_rdnis: unknown
agi_context: from-trunk
agi_extension: 600
agi_priority: 2
agi_enhanced: 0.0
agi_accountcode:
agi_threadid: 139872034551488
agi_arg_1: 8C0A9BD5-3A3F-4C0E-9B1D-0F6AD6F0C0DE

"""


def test_a_recorded_environment_is_read() -> None:
    environment = agi.parse_environment(RECORDED)
    assert environment["agi_network_script"] == "agent"
    assert environment["agi_uniqueid"] == "1763842451.84"
    assert environment["agi_calleridname"] == "Hélène: Roux"
    assert environment["agi_accountcode"] == ""
    assert len(environment) == 20


def test_a_recorded_environment_announces_its_call() -> None:
    assert agi.call_of(agi.parse_environment(RECORDED), FRESH) == Call(
        id=GIVEN, caller="+33612345678", called="0123456789", channel="PJSIP/trunk-0000002a"
    )


def test_a_callers_name_in_latin_1_is_read() -> None:
    head = b"agi_network_script: agent\nagi_calleridname: S\xe9gol\xe8ne\x85R\nagi_callerid: 06\n\n"
    environment = agi.parse_environment(head)
    assert environment["agi_calleridname"] == "Ségolène\x85R"
    assert environment["agi_callerid"] == "06"


def test_lines_without_a_colon_are_skipped() -> None:
    assert agi.parse_environment(b"GET / HTTP/1.1\nagi_channel: x\n\n") == {"agi_channel": "x"}


@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd_for_an_environment(head: bytes) -> None:
    assert agi.call_of(agi.parse_environment(head), FRESH).id


@pytest.mark.parametrize("argument", ["", "600", "8c0a9bd5-3a3f-4c0e-9b1d", "../../etc"])
def test_a_dialplan_argument_that_is_no_uuid_leaves_the_fresh_id(argument: str) -> None:
    assert agi.call_of({"agi_arg_1": argument}, FRESH).id == FRESH


def test_what_asterisk_does_not_know_is_empty_and_the_extension_stands_in_for_the_number_called() -> None:
    call = agi.call_of({"agi_callerid": "unknown", "agi_dnid": "unknown", "agi_extension": "600"}, FRESH)
    assert call == Call(id=FRESH, caller="", called="600", channel="")


def test_an_environment_is_written_as_it_is_read() -> None:
    environment = agi.parse_environment(RECORDED)
    assert agi.parse_environment(agi.encode_environment(environment)) == environment
    assert agi.encode_environment(environment).endswith(b"\n\n")


def test_the_plain_commands_read_as_asterisk_wants_them() -> None:
    assert agi.answer() == "ANSWER"
    assert agi.hang_up() == "HANGUP"
    assert agi.channel_status() == "CHANNEL STATUS"
    assert agi.get_variable("QUEUESTATUS") == "GET VARIABLE QUEUESTATUS"
    assert agi.set_variable("VOICEBOT_OUTCOME", "hungup") == 'SET VARIABLE VOICEBOT_OUTCOME "hungup"'


def test_the_sound_is_asked_for_as_it_was_measured() -> None:
    assert agi.execute("AudioSocket", GIVEN, "127.0.0.1:9092") == (
        "EXEC AudioSocket 8c0a9bd5-3a3f-4c0e-9b1d-0f6ad6f0c0de,127.0.0.1:9092"
    )


def test_an_argument_with_a_space_is_quoted() -> None:
    assert agi.execute("Queue", "service sinistres") == 'EXEC Queue "service sinistres"'
    assert agi.execute("NoOp") == 'EXEC NoOp ""'


@given(st.text())
def test_whatever_a_variable_holds_it_stays_one_argument_on_one_line(value: str) -> None:
    command = agi.set_variable("VOICEBOT_SUMMARY", value)
    assert "\n" not in command
    assert "\r" not in command
    assert len(command.encode()) <= agi.MAX_LINE_BYTES
    assert agi.parse_command(command) == ["SET", "VARIABLE", "VOICEBOT_SUMMARY", agi.harmless(value)]


@given(st.text(alphabet='"\\$[{}\n ab', max_size=60))
def test_nothing_a_variable_holds_would_be_evaluated_by_a_dialplan(value: str) -> None:
    harmless = agi.harmless(value)
    assert "${" not in harmless
    assert "$[" not in harmless
    assert agi.harmless(harmless) == harmless


def test_a_caller_cannot_add_a_command_by_what_he_says() -> None:
    command = agi.set_variable("VOICEBOT_SUMMARY", 'sinistre"\nEXEC System "reboot')
    assert command == 'SET VARIABLE VOICEBOT_SUMMARY "sinistre\\" EXEC System \\"reboot"'


@pytest.mark.parametrize("character", ['"', "é", "\\", "x"])
def test_a_long_value_is_cut_at_a_whole_character_and_still_sent(character: str) -> None:
    words = agi.parse_command(agi.set_variable("VOICEBOT_SUMMARY", character * 5000))
    assert words[3] == character * (agi.MAX_VALUE_BYTES // len(character.encode()))


@pytest.mark.parametrize("name", ["SHELL(reboot)", "A B", "", "É", "X\nHANGUP", "DB(a/b)"])
def test_only_plain_names_are_variables(name: str) -> None:
    with pytest.raises(ProtocolError, match="not the name of a variable"):
        agi.set_variable(name, "x")
    with pytest.raises(ProtocolError, match="not the name of a variable"):
        agi.get_variable(name)


@pytest.mark.parametrize("argument", ["desk,t,,,10", "desk\nHANGUP", "${DB(x/y)}"])
def test_an_argument_that_would_be_read_as_something_else_is_refused(argument: str) -> None:
    with pytest.raises(ProtocolError, match="not an argument of one piece"):
        agi.execute("Queue", argument)


def test_an_application_that_is_no_name_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not the name of a application"):
        agi.execute("Queue desk\nEXEC", "x")


def test_a_command_longer_than_asterisks_buffer_is_refused() -> None:
    with pytest.raises(ProtocolError, match="Asterisk reads 2000"):
        agi.execute("Queue", *["a" * 500] * 5)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ANSWER", ["ANSWER"]),
        ("  CHANNEL   STATUS ", ["CHANNEL", "STATUS"]),
        ('SET VARIABLE A ""', ["SET", "VARIABLE", "A", ""]),
        (r'SET VARIABLE A "say \"no\" \\ b"', ["SET", "VARIABLE", "A", r'say "no" \ b']),
        ('EXEC Queue a" b"', ["EXEC", "Queue", "a b"]),
        ("", []),
    ],
)
def test_a_command_is_split_as_asterisk_splits_it(command: str, words: list[str]) -> None:
    assert agi.parse_command(command) == words


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("200 result=0", Reply(200, "0")),
        ("200 result=-1", Reply(200, "-1")),
        ("200 result=6", Reply(200, "6")),
        ("200 result=1 (hangup)", Reply(200, "1", "hangup")),
        ("200 result=1 (a (b) c)", Reply(200, "1", "a (b) c")),
        ("200 result= (timeout)", Reply(200, "", "timeout")),
        ("100 result=0 Trying...", Reply(100, "0")),
        ("510 Invalid or unknown command", Reply(510)),
        ("511 Command Not Permitted on a dead channel or intercept routine", Reply(511)),
        ("520-Invalid command syntax.  Proper usage follows:", Reply(520)),
        ("520 End of proper usage.", Reply(520)),
    ],
)
def test_replies_are_read(line: str, reply: Reply) -> None:
    assert agi.parse_reply(line) == reply


@pytest.mark.parametrize("line", ["", "HANGUP", "20 result=0", "SSH-2.0-OpenSSH_9.2", "2000 result=0"])
def test_what_is_no_reply_is_refused(line: str) -> None:
    with pytest.raises(ProtocolError, match="not an AGI reply"):
        agi.parse_reply(line)


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("200 result=0", True),
        ("200 result=1", True),
        ("200 result=-1", False),
        ("200 result=-2", False),
        ("511 Command Not Permitted", False),
    ],
)
def test_only_200_without_a_minus_is_done(line: str, done: bool) -> None:
    assert agi.parse_reply(line).done is done
