"""Plays a transcript through the graph that answers the phone, and notes the first difference of each turn.

What is the same as on the phone: the graph, its nodes and words, the classifier, the search over the
knowledge base, the gate with its count of failures. What the transcript fixes: the clock, the call's id, what
a language model answers, the insurer's customers and opening hours. The state and promised call-backs are
kept in memory.

One thing holds whether a transcript asks for it or not: nothing of a customer's file is said before his
identity is proven, and never anything of somebody else's (see :class:`Secrets`).
"""

import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from pydantic import ValidationError

from app.replay.script import (
    CallBackKept,
    FoundPassage,
    Handover,
    LinePattern,
    ModelAnswer,
    Next,
    Script,
    Turn,
    in_paris,
    spaced,
)
from app.wiring import Faculties, Surroundings, services_of
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from graph.reply import HangUp, Listen, NodeRan, Reply, Say, Transfer
from knowledge.llm import Asked, Form, LanguageModel, LlmFailed
from knowledge.retriever import ListRetriever, Passage
from memory.lockout import MemoryLockout
from tools import written
from tools.backoffice import Backoffice, BackofficeUnavailable
from tools.backoffice_demo import DemoBackoffice, DemoData, read_demo_data
from tools.call_backs import CallBack, MemoryCallBacks
from tools.identity import Identity
from tools.models import Beneficiaries, Claim, Contract, Customer, ThirdItem

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


@dataclass(slots=True)
class _Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


class PlayedModel:
    """A language model that answers as the transcript says; see :class:`knowledge.llm.LanguageModel`."""

    name = "replayed"

    def __init__(self, answers: Sequence[ModelAnswer]) -> None:
        self._left = [(answer, answer.times) for answer in answers]
        self.asked: list[Asked] = []

    @property
    def unused(self) -> list[ModelAnswer]:
        """Answers that nobody asked for."""
        return [answer for answer, left in self._left if left == answer.times]

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        """See :class:`knowledge.llm.LanguageModel`."""
        answer = self._next(asked, lambda one: one.writes is None)
        raw = answer.fills_raw if answer.fills_raw is not None else json.dumps(answer.fills)
        if answer.fails is not None:
            raise _failed(answer)
        try:
            return form.model_validate_json(raw, strict=True, extra="forbid")
        except ValidationError:
            raise LlmFailed("replayed gave nothing usable: its form is not valid") from None

    async def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        """See :class:`knowledge.llm.LanguageModel`; word by word."""
        answer = self._next(asked, lambda one: one.fills is None and one.fills_raw is None)
        for at, word in enumerate((answer.writes or "").split(" ") if answer.writes else ()):
            yield f" {word}" if at else word
        if answer.fails is not None:
            raise _failed(answer)

    def _next(self, asked: Asked, can: Callable[[ModelAnswer], bool]) -> ModelAnswer:
        self.asked.append(asked)
        for at, (answer, left) in enumerate(self._left):
            if (
                left
                and can(answer)
                and re.search(answer.when, f"{asked.system}\n{asked.user}", re.IGNORECASE)
            ):
                self._left[at] = (answer, left - 1)
                return answer
        raise LlmFailed("replayed did not answer: the transcript has no answer to this")


def _failed(answer: ModelAnswer) -> LlmFailed:
    return LlmFailed(f"replayed did not answer: {answer.fails}")


class AwayBackoffice:
    """The insurer's systems, all down; see :class:`tools.backoffice.Backoffice`."""

    async def identify(self, number: str, birth_date: date) -> Customer | None:
        """Fails."""
        raise _AWAY

    async def holder(self, number: str) -> str | None:
        """Fails."""
        raise _AWAY

    async def confirms(self, identity: Identity, item: ThirdItem) -> bool:
        """Fails."""
        raise _AWAY

    async def customer(self, identity: Identity) -> Customer:
        """Fails."""
        raise _AWAY

    async def contracts(self, identity: Identity) -> tuple[Contract, ...]:
        """Fails."""
        raise _AWAY

    async def beneficiaries(self, identity: Identity) -> tuple[Beneficiaries, ...]:
        """Fails."""
        raise _AWAY

    async def claims(self, identity: Identity) -> tuple[Claim, ...]:
        """Fails."""
        raise _AWAY

    async def claim(self, identity: Identity, number: str) -> Claim | None:
        """Fails."""
        raise _AWAY


_AWAY = BackofficeUnavailable("the transcript says that the back office is away")


class Secrets:
    """What of each customer's file a caller may only hear when he has proven to be that customer."""

    def __init__(self, data: DemoData) -> None:
        self._of: dict[str, set[str]] = {customer.number: {customer.last_name} for customer in data.customers}
        for contract in data.contracts:
            amounts = (contract.value_cents, contract.monthly_payment_cents, contract.last_payment_cents)
            self._of[contract.customer_number] |= {written.euros(cents) for cents in amounts if cents}
            self._of[contract.customer_number] |= {contract.number, written.day(contract.opened_on)}
        for claim in data.claims:
            self._of[claim.customer_number] |= {claim.number}
            if claim.paid_cents:
                self._of[claim.customer_number].add(written.euros(claim.paid_cents))
            if claim.visit_on:
                self._of[claim.customer_number].add(written.day(claim.visit_on))
        for clause in data.beneficiaries:
            self._of[clause.customer_number].add(clause.clause)
        for customer in data.customers:
            self._of[customer.number].add(written.day(customer.birth_date))
        for items in data.third_items:
            self._of[items.customer_number] |= {items.postcode, items.phone_last_four, items.iban_last_four}

    def told(self, text: str, identified: str, caller_said: str) -> str:
        """What ``text`` tells that the customer ``identified`` (empty: nobody) may not hear, or "".

        What is another's and his own as well is his; what the caller has said himself is no secret to him.
        """
        own = self._of.get(identified, set())
        for known in own:  # a clause of his may hold another's: « vos héritiers »
            text = text.replace(known, "")
        given = _joined(caller_said)
        for secret in {
            one for number, secrets in self._of.items() if number != identified for one in secrets
        }:
            whole = re.search(rf"(?<![\w,.]){re.escape(spaced(secret))}(?!\w)", spaced(text))
            if whole and _joined(secret) not in given:
                return secret
        return ""


def _joined(text: str) -> str:
    """Letters and digits only."""
    return re.sub(r"\W", "", text).casefold()


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
        self._clock = _Clock(script.begins_at)
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
