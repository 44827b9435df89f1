"""Just enough of Asterisk's dialplan to run its opening hours ten thousand times, without an Asterisk.

It knows what the contexts ``opening-hours`` and ``public-holiday`` use: Set, GotoIf, Gosub, Return; the
functions IF, STRFTIME, MATH, REGEX; and expressions. Whatever else it meets is an error, so that a rule it
does not understand cannot pass for one that agrees. That it reads them as Asterisk does is shown by
``test_opening_hours``, which rings a real one.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

_STEP = re.compile(r"(?:exten => (?P<exten>[^,]+),1|\s*same => n(?:\((?P<label>\w+)\))?),(?P<what>.*)")
_MOST_STEPS = 200


class NotUnderstood(Exception):
    """The dialplan holds something this reader does not know, and the message names: teach it here."""


@dataclass(frozen=True, slots=True)
class Step:
    """One priority."""

    label: str
    application: str
    arguments: str


@dataclass(slots=True)
class Dialplan:
    """The contexts and globals of an ``extensions.conf``."""

    variables: dict[str, str] = field(default_factory=dict)
    contexts: dict[str, list[Step]] = field(default_factory=dict)
    """Of each, its extension ``s``."""

    @classmethod
    def read(cls, file: Path) -> "Dialplan":
        """The rendered file."""
        plan, context, exten = cls(), "", ""
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                context, exten = line.strip("[]"), ""
            elif context == "globals" and (found := re.match(r"([A-Z_]+) = ?(.*)", line)):
                plan.variables[found[1]] = found[2]
            elif step := _STEP.match(line):
                exten = step["exten"] or exten
                application, _, arguments = step["what"].partition("(")
                if exten == "s":
                    taken = Step(step["label"] or "", application, arguments.removesuffix(")"))
                    plan.contexts.setdefault(context, []).append(taken)
        return plan

    def gosub(self, context: str, *arguments: str) -> str:
        """What the subroutine returns."""
        local = {f"ARG{number}": given for number, given in enumerate(arguments, 1)}
        steps, at = self.contexts[context], 0
        for _ in range(_MOST_STEPS):
            step = steps[at]
            at += 1
            given = step.arguments
            match step.application:
                case "Return":
                    return self._filled(given, local)
                case "Set":
                    name, value = given.split("=", 1)
                    local[name.removeprefix("LOCAL(").removesuffix(")")] = self._filled(value, local)
                case "GotoIf":
                    condition, label = given.rsplit("?", 1)
                    if self._filled(condition, local) not in ("", "0"):
                        at = [one.label for one in steps].index(label)
                case "Gosub":
                    called = re.fullmatch(r"([\w-]+),s,1(?:\((.*)\))?", given)
                    assert called is not None, given
                    passed = [self._filled(called[2], local)] if called[2] else []
                    local["GOSUB_RETVAL"] = self.gosub(called[1], *passed)
                case other:
                    raise NotUnderstood(f"application {other}")
        raise RecursionError(context)

    def _filled(self, text: str, local: Mapping[str, str]) -> str:
        """``text`` with variables, functions and expressions worked out, the innermost first."""
        opened = max(text.rfind("${"), text.rfind("$["))
        while opened >= 0:
            closing = "}" if text[opened + 1] == "{" else "]"
            inner = text[opened + 2 :]
            # What is inside holds no other ${ or $[ any more, but a pattern may hold brackets of its own.
            end = inner.index(closing)
            found = inner[:end]
            value = str(_expression(found)) if closing == "]" else self._value(found, local)
            text = text[:opened] + value + inner[end + 1 :]
            opened = max(text.rfind("${"), text.rfind("$["))
        return text

    def _value(self, name: str, local: Mapping[str, str]) -> str:
        function, opened, arguments = name.partition("(")
        if not opened:
            return local.get(name, self.variables.get(name, ""))
        return _FUNCTIONS[function](arguments.removesuffix(")"))


def _if(given: str) -> str:
    condition, _, values = given.partition("?")
    yes, _, no = values.partition(":")
    return yes if condition not in ("", "0") else no


def _strftime(given: str) -> str:
    epoch, zone, form = given.split(",")
    return datetime.fromtimestamp(int(epoch), ZoneInfo(zone)).strftime(form)


def _math(given: str) -> str:
    expression, kind = given.split(",")
    dividend, divisor = expression.split("/")
    assert kind == "int"
    return str(int(int(dividend) / int(divisor)))


def _regex(given: str) -> str:
    pattern, text = re.fullmatch(r'"(.*)" (.*)', given).groups()  # type: ignore[union-attr]  # else: an error
    return "1" if re.search(pattern, text) else "0"


_FUNCTIONS: Mapping[str, Callable[[str], str]] = {
    "IF": _if,
    "STRFTIME": _strftime,
    "MATH": _math,
    "REGEX": _regex,
}

_OPERATORS: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Mod: operator.mod,
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
}


@cache
def _parsed(text: str) -> ast.expr:
    # Asterisk's | is an "or" that binds more loosely than a comparison; Python's binds more tightly.
    parts = [re.sub(r"(?<![<>])=", "==", part) for part in text.split("|")]
    return ast.parse(" or ".join(f"({part.strip()})" for part in parts), mode="eval").body


def _expression(text: str) -> int:
    return _worked_out(_parsed(re.sub(r"\b0+(?=\d)", "", text)))  # 0900 is a number there


def _worked_out(node: ast.expr) -> int:
    match node:
        case ast.Constant(int() as value):
            return value
        case ast.Compare(ast.Constant(str() as left), [ast.Eq()], [ast.Constant(str() as right)]):
            return int(left == right)
        case ast.BinOp(left, how, right) | ast.Compare(left, [how], [right]):
            return int(_OPERATORS[type(how)](_worked_out(left), _worked_out(right)))
        case ast.BoolOp(ast.Or(), values):
            return int(any(_worked_out(value) for value in values))
        case _:
            raise NotUnderstood(f"expression {ast.dump(node)}")
