"""Plays a transcript through the graph that answers the phone, and notes the first difference of each turn.

What is the same as on the phone: the graph, its nodes and words, the classifier, the search over the
knowledge base, the gate with its count of failures. What the transcript fixes: the clock, the call's id, what
a language model answers, the insurer's customers and opening hours. The state and promised call-backs are
kept in memory.

One thing holds whether a transcript asks for it or not: nothing of a customer's file is said before his
identity is proven, and never anything of somebody else's (see :mod:`app.replay.secrecy`).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from app.replay.script import (
    CallBackKept,
    FoundPassage,
    Handover,
    LinePattern,
    Next,
    Script,
    Turn,
    in_paris,
    spaced,
)
from app.replay.secrecy import Secrets
from app.replay.stand_ins import AwayBackoffice, PlayedModel, StoppedClock
from app.wiring import Faculties, Surroundings, services_of
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from graph.reply import HangUp, Listen, NodeRan, Reply, Say, Transfer
from knowledge.llm import LanguageModel
from knowledge.retriever import ListRetriever, Passage
from memory.lockout import MemoryLockout
from tools.backoffice import Backoffice
from tools.backoffice_demo import DemoBackoffice, DemoData, read_demo_data
from tools.call_backs import CallBack, MemoryCallBacks

KEY = b"replayed calls are signed by this"
"""Proofs of identity in replays are good for nothing else."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that does not hold."""

    turn: int
    """From 1; 0 is what is wrong with the whole call."""
    line: int
    """Of the transcript's file."""
    happened: str
    """What the caller did."""
    what: str
    """``nodes``, ``said``, ``state.refusals``, ``then``…"""
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Happened:
    """One turn as it was played."""

    did: str
    nodes: tuple[str, ...]
    said: tuple[tuple[str, str], ...]
    """Key and text of each line."""
    then: str


@dataclass(frozen=True, slots=True)
class Played:
    """A transcript that was played to its end."""

    script: Script
    turns: tuple[Happened, ...]
    differences: tuple[Difference, ...]
    """At most one a turn, the first."""
    took_ms: float

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.differences


class Player:
    """Plays transcripts; one for many."""

    def __init__(
        self,
        faculties: Faculties,
        customers: DemoData | None = None,
        model: LanguageModel | None = None,
    ) -> None:
        """``customers`` are the insurer's where a transcript names no others: those of the demonstration.

        ``model`` is asked in the place of what transcripts say of models.
        """
        self._model = model
        self._faculties = faculties
        self._customers = customers or read_demo_data()
        self._files: dict[Path, DemoData] = {}

    async def play(self, script: Script) -> Played:
        """Play ``script`` from beginning to end, whatever differs.

        Raises what a file of customers raises, and what the nodes raise: that is no difference but a fault.
        """
        started = time.perf_counter()
        performance = _Performance(script, self._faculties, self._data(script), self._model)
        await performance.run()
        took_ms = (time.perf_counter() - started) * 1000
        return Played(script, tuple(performance.turns), tuple(performance.differences), took_ms)

    def _data(self, script: Script) -> DemoData:
        if script.customers is None:
            return self._customers
        path = script.file.parent / script.customers
        if path not in self._files:
            self._files[path] = read_demo_data(path)
        return self._files[path]


class _Performance:
    """One transcript under way."""

    def __init__(
        self, script: Script, faculties: Faculties, data: DemoData, model: LanguageModel | None
    ) -> None:
        self.turns: list[Happened] = []
        self.differences: list[Difference] = []
        self._script = script
        self._clock = StoppedClock(script.begins_at)
        self._model = None if script.model == "none" or model else PlayedModel(script.model)
        self._secrets = Secrets(data)
        self._call_backs = MemoryCallBacks()
        backoffice: Backoffice = AwayBackoffice() if script.backoffice == "away" else DemoBackoffice(data)
        if script.knowledge:
            found = [_passage(at, one) for at, one in enumerate(script.knowledge)]
            faculties = Faculties(faculties.classifier, ListRetriever(found))
        around = Surroundings(
            backoffice=backoffice,
            lockout=MemoryLockout(self._clock),
            identity_key=KEY,
            call_backs=self._call_backs,
            hours=script.opening.hours(),
            now=self._clock,
            model=model or self._model,
        )
        self._dialogue = Dialogue(build_graph(services_of(faculties, around, script.today)), InMemorySaver())
        self._nth_call = 0
        self._last: list[Say] = []
        self._caller_said = ""

    @property
    def _call_id(self) -> str:
        return self._script.id_of_call(self._nth_call)

    async def run(self) -> None:
        """All turns."""
        begun = False
        for at, turn in enumerate(self._script.turns):
            if turn.now is not None:
                self._clock.now = in_paris(turn.now)
            if turn.begins and begun:
                self._nth_call += 1
            if not begun and not turn.begins:
                await self._take(CallBegins(self._script.caller), {})
            begun = True
            if turn.hangs_up:
                happened, cut_fault = Happened(str(turn), (), (), "nothing"), ""
            else:
                cut, cut_fault = self._cut(turn)
                happened = await self._take(self._heard(turn), cut, str(turn))
            self.turns.append(happened)
            state = await self._dialogue.state(self._call_id)
            wrong = (cut_fault and ("after_hearing", turn.after_hearing or "", cut_fault)) or _first_wrong(
                turn, self._script.never, happened, state
            )
            leaked = self._leaked(happened, state)
            if leaked:
                wrong = ("never", "nothing of anybody's file that he may not hear", leaked)
            if wrong:
                self.differences.append(Difference(at + 1, self._script.line_of(at), happened.did, *wrong))
        self._judge_whole()

    async def _take(self, heard: Heard, cut: Mapping[str, str], did: str = "begins") -> Happened:
        replies: list[Reply] = [one async for one in self._dialogue.turn(self._call_id, heard, cut)]
        self._last = [one for one in replies if isinstance(one, Say)]
        if isinstance(heard, CallBegins):
            self._caller_said = ""
        return Happened(
            did,
            tuple(one.node for one in replies if isinstance(one, NodeRan)),
            tuple((one.key, one.text) for one in self._last),
            _then(replies[-1]),
        )

    def _heard(self, turn: Turn) -> Heard:
        if turn.says is not None or turn.keys is not None:
            self._caller_said += f" {turn.says or turn.keys}"
        match turn:
            case Turn(begins=True):
                return CallBegins(self._script.caller)
            case Turn(says=str(words)):
                return Words(words)
            case Turn(keys=str(digits)):
                return Keys(digits)
            case Turn(unheard=True):
                return Words("", 0.0)
            case Turn(resumes=True):
                return Resumed()
            case Turn(not_reached=str(why)):
                return NotReached(why)
            case _:
                return Quiet()

    def _cut(self, turn: Turn) -> tuple[dict[str, str], str]:
        """What was heard of each line of the agent's last turn that was interrupted; and what is wrong."""
        if turn.after_hearing is None:
            return {}, ""
        rest = spaced(turn.after_hearing).strip()
        cut: dict[str, str] = {}
        for line in self._last:
            text = spaced(line.text)
            if rest.startswith(text):
                rest = rest.removeprefix(text).strip()
                continue
            if not text.startswith(rest):
                break
            cut[line.message_id] = rest
            rest = ""
        if rest or not cut:
            whole = " ".join(line.text for line in self._last)
            return {}, f"the agent's turn does not begin like that, or ends with it: « {whole} »"
        return cut, ""

    def _leaked(self, happened: Happened, state: Mapping[str, Any]) -> str:
        identified = (state.get("identity") or {}).get("customer_number", "")
        for key, text in happened.said:
            secret = self._secrets.told(text, identified, self._caller_said)
            if secret:
                return f"{key} tells « {secret} »: « {text} »"
        return ""

    def _judge_whole(self) -> None:
        def differs(what: str, expected: str, got: str) -> None:
            self.differences.append(Difference(0, 1, "the whole call", what, expected, got))

        wanted, kept = self._script.call_backs, self._call_backs.recorded
        if wanted is not None and (
            len(wanted) != len(kept)
            or any(not _is_kept(one, was) for one, was in zip(wanted, kept, strict=False))
        ):
            differs(
                "call_backs",
                "; ".join(map(_written, wanted)) or "none",
                "; ".join(map(_kept, kept)) or "none",
            )
        if self._model is not None and self._model.unused:
            unused = "; ".join(one.model_dump_json(exclude_defaults=True) for one in self._model.unused)
            differs(
                "model",
                f"the model is asked for {unused}",
                f"asked {len(self._model.asked)} times, never that",
            )


def _passage(at: int, found: FoundPassage) -> Passage:
    return Passage(
        id=str(at),
        question=found.question,
        answer=found.answer,
        details=found.details,
        source="transcript",
        variants=found.variants,
    )


def _then(reply: Reply) -> str:
    match reply:
        case Listen(awaited):
            return f"listens: {awaited}"
        case Transfer(queue, reason):
            return f"transfers: {reason} to {queue}"
        case HangUp():
            return "hangs up"
        case _:
            return "nothing"


Wrong = tuple[str, str, str]
"""What, expected, got."""


def _first_wrong(
    turn: Turn,
    never: Sequence[LinePattern],
    happened: Happened,
    state: Mapping[str, Any],
) -> Wrong | None:
    """The first thing that does not hold: in the order in which it would have happened."""
    shown = " ".join(f"[{key}] {text}" for key, text in happened.said) or "nothing"
    if turn.nodes is not None and turn.nodes != happened.nodes:
        return (
            "nodes",
            " → ".join(turn.nodes) or "none",
            f"{' → '.join(happened.nodes) or 'none'}; said: {shown}",
        )
    if turn.lines is not None and turn.lines != tuple(key for key, _ in happened.said):
        return "lines", ", ".join(turn.lines) or "none", shown
    left = list(happened.said)
    for wanted in turn.said:
        while left and not wanted.fits(*left[0]):
            left.pop(0)
        if not left:
            return "said", str(wanted), shown
        left.pop(0)
    for forbidden in (*turn.never, *never):
        broken = next((f"[{key}] {text}" for key, text in happened.said if forbidden.fits(key, text)), None)
        if broken is not None:
            return "never", str(forbidden), broken
    return _wrong_state(turn, state) or _wrong_then(turn.then, happened, state)


def _wrong_state(turn: Turn, state: Mapping[str, Any]) -> Wrong | None:
    for path, wanted in turn.state.items():
        got = _at(state, path)
        if got != wanted:
            return f"state.{path}", repr(wanted), repr(got)
    for path in turn.absent:
        got = _at(state, path)
        if got not in (None, "", 0, [], {}):
            return f"state.{path}", "nothing", repr(got)
    return None


def _at(state: Mapping[str, Any], path: str) -> Any:
    value: Any = state
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _wrong_then(wanted: Next | None, happened: Happened, state: Mapping[str, Any]) -> Wrong | None:
    if wanted is None:
        return None
    got = happened.then
    match wanted:
        case Next(hangs_up=True):
            return None if got == "hangs up" else ("then", "hangs up", got)
        case Next(transfers=Handover() as people):
            if not got.startswith("transfers"):
                return "then", "transfers", got
            told = state.get("handover") or {}
            for name in ("queue", "reason", "customer_number"):
                expected = getattr(people, name)
                if expected is not None and told.get(name) != expected:
                    return f"then.transfers.{name}", repr(expected), repr(told.get(name))
            if people.summary.casefold() not in str(told.get("summary", "")).casefold():
                return "then.transfers.summary", people.summary, str(told.get("summary", ""))
            return None
        case _:
            expected = "listens" if wanted.listens == "any" else f"listens: {wanted.listens}"
            return None if got.startswith(expected) else ("then", expected, got)


def _is_kept(wanted: CallBackKept, was: CallBack) -> bool:
    got = _facts(was)
    return all(got[name] == value for name, value in wanted.model_dump(exclude_none=True).items())


def _facts(was: CallBack) -> dict[str, object]:
    return {
        "number": was.number,
        "day": was.when.on,
        "part": was.when.part,
        "queue": was.queue,
        "reason": was.reason,
        "customer_number": was.customer_number,
    }


def _written(wanted: CallBackKept) -> str:
    return (
        ", ".join(f"{name} {value}" for name, value in wanted.model_dump(exclude_none=True).items()) or "one"
    )


def _kept(was: CallBack) -> str:
    return ", ".join(f"{name} {value}" for name, value in _facts(was).items() if value)
