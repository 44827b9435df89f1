"""AGI's wire format: the environment, commands and replies, as text. No socket, no clock.

Asterisk opens with an environment (``agi_name: value`` lines up to an empty line). Then we send one
command, a line, and it answers with one line (``200 result=…``), or with usage text on several
(``520-…`` up to ``520 End…``). A line ``HANGUP`` may come between and answers nothing.

What is dangerous here is text that came from a caller or a model and ends up in a command:

- a line break would start a second command: every control character becomes a space;
- quotes and backslashes would end the argument: they are escaped;
- ``${…}`` and ``$[…]`` would be evaluated if a dialplan passes the variable on: a space splits them;
- Asterisk reads commands into a buffer of 2048 bytes (``AGI_BUF_LEN`` in ``res_agi.c``) and would take
  the rest for another command: values are cut at 900 bytes, which escaping may double;
- a name such as ``SHELL(…)`` would be a function call: variable and application names are checked;
- a comma would be the next argument of an application: an argument with one is refused.

Text is UTF-8; an environment that is not (a caller's name set by an old PBX) is read as Latin-1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType
from uuid import UUID

from telephony.call import Call, CallId

MAX_VALUE_BYTES = 900
MAX_LINE_BYTES = 2000

Command = NewType("Command", str)
"""One line for Asterisk, without its line break; only made by the functions of this module."""

Environment = Mapping[str, str]
"""What Asterisk said about the call, by name: ``agi_channel``, ``agi_callerid``, …"""


class ProtocolError(Exception):
    """A line AGI does not know, or a command that must not be sent; says which and why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Asterisk's answer to one command."""

    code: int
    """200: done; 510: no such command; 511: not on a dead channel; 520: wrong arguments."""
    result: str = ""
    """What follows ``result=``; ``-1`` is failure or hang-up, which only CHANNEL STATUS tells apart."""
    data: str = ""
    """What follows in parentheses: the value, for GET VARIABLE."""

    @property
    def done(self) -> bool:
        """Whether Asterisk did what it was asked."""
        return self.code == 200 and not self.result.startswith("-")


# The environment


def parse_environment(head: bytes) -> dict[str, str]:
    """The environment block, with or without its empty line at the end; lines without a colon are skipped."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    pairs = (line.partition(":") for line in text.split("\n"))
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def encode_environment(environment: Environment, encoding: str = "utf-8") -> bytes:
    """The block as Asterisk sends it, with the empty line that ends it."""
    return "".join(f"{name}: {value}\n" for name, value in environment.items()).encode(encoding) + b"\n"


def call_of(environment: Environment, fresh_id: CallId) -> Call:
    """The call that an environment announces.

    Its id is the first argument of ``AGI()`` when the dialplan gave a UUID there, else ``fresh_id``.
    What Asterisk calls ``unknown`` is empty.
    """
    return Call(
        id=uuid_of(environment.get("agi_arg_1", "")) or fresh_id,
        caller=_known(environment, "agi_callerid"),
        called=_known(environment, "agi_dnid") or _known(environment, "agi_extension"),
        channel=_known(environment, "agi_channel"),
    )


def _known(environment: Environment, name: str) -> str:
    value = environment.get(name, "")
    return "" if value == "unknown" else value


def uuid_of(text: str) -> CallId | None:
    """The id that a text is; None when it is no UUID."""
    try:
        return CallId(str(UUID(text)))
    except ValueError:
        return None


# Commands

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_APPLICATION = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@+-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def answer() -> Command:
    """Pick up."""
    return Command("ANSWER")


def hang_up() -> Command:
    """End the call."""
    return Command("HANGUP")


def channel_status() -> Command:
    """Is the caller still there? ``result=6`` says up; code 511 says gone."""
    return Command("CHANNEL STATUS")


def get_variable(name: str) -> Command:
    """Ask for a channel variable; the value comes in :attr:`Reply.data`."""
    return _line(f"GET VARIABLE {_checked(_VARIABLE, name, 'variable')}")


def set_variable(name: str, value: str) -> Command:
    """Set a channel variable; ``value`` is made harmless, and cut at 900 bytes (see the module's text)."""
    return _line(f"SET VARIABLE {_checked(_VARIABLE, name, 'variable')} {quote(harmless(value))}")


def execute(application: str, *arguments: str) -> Command:
    """Run a dialplan application: ``EXEC application argument,argument``.

    Raises :class:`ProtocolError` for an argument that would be read as something else.
    """
    for argument in arguments:
        if "," in argument or harmless(argument) != argument:
            raise ProtocolError(f"not an argument of one piece: {argument!r}")
    name = _checked(_APPLICATION, application, "application")
    joined = ",".join(arguments)
    return _line(f"EXEC {name} {joined if _PLAIN.fullmatch(joined) else quote(joined)}")


def harmless(text: str) -> str:
    """``text`` on one line, without what Asterisk would evaluate, cut at 900 bytes of UTF-8."""
    one_line = _CONTROL.sub(" ", text).replace("${", "$ {").replace("$[", "$ [").strip()
    return one_line.encode("utf-8", "replace")[:MAX_VALUE_BYTES].decode("utf-8", "ignore")


def quote(text: str) -> str:
    """``text`` as one argument, in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_command(line: str) -> list[str]:
    """The words of a command as Asterisk splits it: at spaces outside quotes; a backslash protects."""
    words: list[str] = []
    word: list[str] | None = None
    quoted = escaped = False
    for character in line:
        if escaped:
            word, escaped = [*(word or []), character], False
        elif character == "\\":
            escaped = True
        elif character == '"':
            word, quoted = word or [], not quoted
        elif character in " \t" and not quoted:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word or []
            word.append(character)
    return words if word is None else [*words, "".join(word)]


def _checked(pattern: re.Pattern[str], name: str, what: str) -> str:
    if not pattern.fullmatch(name):
        raise ProtocolError(f"not the name of a {what}: {name!r}")
    return name


def _line(command: str) -> Command:
    if len(command.encode()) > MAX_LINE_BYTES:
        raise ProtocolError(f"a command of {len(command.encode())} bytes; Asterisk reads {MAX_LINE_BYTES}")
    return Command(command)


# Replies

_REPLY = re.compile(r"(?P<code>\d{3})(?:[ -](?P<rest>.*))?", re.DOTALL)
_RESULT = re.compile(r"result=(?P<result>\S*)(?: \((?P<data>.*)\))?", re.DOTALL)


def parse_reply(line: str) -> Reply:
    """One line of answer, without its line break. Raises :class:`ProtocolError` when it is none."""
    reply = _REPLY.fullmatch(line)
    if reply is None:
        raise ProtocolError(f"not an AGI reply: {line[:80]!r}")
    found = _RESULT.match(reply["rest"] or "")
    if found is None:
        return Reply(int(reply["code"]))
    return Reply(int(reply["code"]), found["result"], found["data"] or "")
