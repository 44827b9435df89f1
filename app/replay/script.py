"""A transcript as QA writes it: what the caller does, turn by turn, and what must hold.

    name: Madame Moreau demande la valeur de son contrat
    phenomenon: happy_path
    now: 2026-11-20T10:00
    caller: "0612345678"
    never: ["authenticate.refused"]
    turns:
      - says: je voudrais savoir combien j'ai sur mon assurance vie
        nodes: [classify, authenticate]
        said: [authenticate.ask_number]
        then: {listens: number}
      - keys: "10078821"
        said: [{key: authenticate.ask_birth_date, contains: "10 07 88 21"}]
      - says: le premier avril mille neuf cent soixante-deux
        said: [contract.value, {matches: "45.230,18"}]
        never: [claims.*]
        state: {identity.customer_number: "10078821"}
      - says: non merci
        then: hangs_up

Read strictly: an unknown field, a line that no file of words has, a turn in which the caller does two things
at once are errors with file and line, because a check that is misspelt is a check that never fails.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from uuid import NAMESPACE_URL, uuid5

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from graph.heard import Unreached
from graph.reply import Awaited
from graph.state import CallState, TransferReason
from prompts import FOLDER as WORDS_FOLDER
from prompts import load
from tools.call_back_times import DayPart
from tools.opening_hours import PARIS, OpeningHours

SUFFIXES = (".yaml", ".yml")

_LINE_KEY = re.compile(r"[a-z_]+\.[a-z_*]+")
_SAID_AGAIN = "care.question"
"""A key of the code's own: the question that was open, said again."""


class ScriptInvalid(Exception):
    """A transcript that cannot be played; the message names the file, the line, and what is allowed."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_line(given: object) -> object:
    """A bare text is a line's key when it looks like one, and otherwise words of it."""
    if not isinstance(given, str):
        return given
    return {"key": given} if _LINE_KEY.fullmatch(given) else {"contains": [given]}


def _as_list(given: object) -> object:
    return given if isinstance(given, list | tuple) else [given]


def _a_pattern(given: str) -> str:
    try:
        re.compile(given)
    except re.error as exc:
        raise ValueError(f"not a regular expression: {exc}") from exc
    return given


class LinePattern(_Strict):
    """A line of the agent, by its key, by words in it, by a regular expression; all that is given holds."""

    key: str = ""
    """As in ``prompts/``: ``claims.paid``; ``claims.*`` is any of that file."""
    contains: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    """Words that are all in it, without regard to case."""
    matches: str = ""
    """Found somewhere in it, without regard to case."""

    @field_validator("key")
    @classmethod
    def _a_known_line(cls, key: str) -> str:
        if key and not any(fnmatchcase(one, key) for one in line_keys()):
            raise ValueError(f"no line is called {key}; they are the keys under [say] in prompts/*.toml")
        return key

    @field_validator("matches")
    @classmethod
    def _can_be_searched(cls, pattern: str) -> str:
        return _a_pattern(pattern)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.key or self.contains or self.matches):
            raise ValueError("give key, contains or matches")
        return self

    def fits(self, key: str, text: str) -> bool:
        """Whether the line ``key``, spoken as ``text``, is meant."""
        spoken = _evened(text)
        return (
            (not self.key or fnmatchcase(key, self.key))
            and all(_evened(words) in spoken for words in self.contains)
            and (not self.matches or re.search(spaced(self.matches), spaced(text), re.IGNORECASE) is not None)
        )

    def __str__(self) -> str:
        told = [self.key] if self.key else []
        told += [f"« {words} »" for words in self.contains]
        told += [f"/{self.matches}/"] if self.matches else []
        return " with ".join(told)


Lines = Annotated[tuple[Annotated[LinePattern, BeforeValidator(_as_line)], ...], BeforeValidator(_as_list)]


class Handover(_Strict):
    """What people are told."""

    queue: str | None = None
    reason: TransferReason | None = None
    customer_number: str | None = None
    """Empty: that of a caller who has proven nothing."""
    summary: str = ""
    """Words in it."""


class Next(_Strict):
    """What the line does when everything was said."""

    listens: Awaited | Literal["any"] | None = None
    """For which form of answer."""
    transfers: Handover | None = None
    hangs_up: bool = False

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum((self.listens is not None, self.transfers is not None, self.hangs_up)) != 1:
            raise ValueError("give one of listens, transfers, hangs_up")
        return self


def _as_next(given: object) -> object:
    match given:
        case "listens":
            return {"listens": "any"}
        case "transfers":
            return {"transfers": {}}
        case "hangs_up":
            return {"hangs_up": True}
        case {"transfers": str(reason), **rest} if not rest:
            return {"transfers": {"reason": reason}}
        case _:
            return given


class CallBackKept(_Strict):
    """A promised call-back."""

    number: str | None = None
    day: date | None = None
    part: DayPart | None = None
    queue: str | None = None
    reason: TransferReason | None = None
    customer_number: str | None = None


_ACTS = ("begins", "says", "keys", "silent", "unheard", "resumes", "not_reached", "hangs_up")


class Turn(_Strict):
    """One thing that happens on the line, and what must hold after it."""

    # what happens: one of them
    begins: Literal[True] | None = None
    """The line opens; implied before the first turn. Later in the file: he hangs up and rings again."""
    says: str | None = None
    """Words, as they were transcribed; a list is one turn in several breaths."""
    keys: Annotated[str, Field(pattern=r"^[0-9]+$", strict=True)] | None = None
    """Digits, without the closing ``#``."""
    silent: Literal[True] | None = None
    """Nobody speaks."""
    unheard: Literal[True] | None = None
    """Somebody speaks; no words were recognised."""
    resumes: Literal[True] | None = None
    """The line broke off, or the worker died, and it is open again."""
    not_reached: Unreached | None = None
    """He was passed on and is back: nobody took him."""
    hangs_up: Literal[True] | None = None
    """The caller does; nothing is said to him any more."""

    # how
    after_hearing: str | None = None
    """He spoke while the agent did: so much of the agent's last turn had been heard, from its beginning."""
    now: datetime | None = None
    """It is so late by now."""

    # what must hold
    nodes: tuple[str, ...] | None = None
    """Which ran, in this order, and no other."""
    said: Lines = ()
    """Lines said, in this order; others may stand between."""
    lines: tuple[str, ...] | None = None
    """The keys of all lines, in order, and no other."""
    never: Lines = ()
    """Lines not said."""
    state: dict[str, Any] = {}
    """Values in the call's state by their path: ``identity.customer_number``."""
    absent: tuple[str, ...] = ()
    """Paths where the state holds nothing."""
    then: Annotated[Next | None, BeforeValidator(_as_next)] = None

    @field_validator("says", mode="before")
    @classmethod
    def _in_one_turn(cls, given: object) -> object:
        return " ".join(map(str, given)) if isinstance(given, list) else given

    @field_validator("lines")
    @classmethod
    def _known_lines(cls, keys: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for key in keys or ():
            if key not in line_keys():
                raise ValueError(f"no line is called {key}; they are the keys under [say] in prompts/*.toml")
        return keys

    @field_validator("state", "absent")
    @classmethod
    def _known_fields(cls, paths: Any) -> Any:
        for path in paths:
            if path.partition(".")[0] not in CallState.__annotations__:
                raise ValueError(f"the state has no {path.partition('.')[0]}; see graph/state.py")
        return paths

    @model_validator(mode="after")
    def _one_act(self) -> Self:
        if sum(getattr(self, act) is not None for act in _ACTS) != 1:
            raise ValueError(f"a turn is one of {', '.join(_ACTS)}")
        if self.after_hearing is not None and self.says is None and self.keys is None:
            raise ValueError("after_hearing goes with says or keys: he interrupted")
        return self

    def __str__(self) -> str:
        match self:
            case Turn(says=str(words)):
                return f"says « {words} »"
            case Turn(keys=str(digits)):
                return f"keys {digits}"
            case Turn(not_reached=str(why)):
                return f"not reached: {why}"
            case _:
                return next(act for act in _ACTS if getattr(self, act) is not None).replace("_", " ")


class ModelAnswer(_Strict):
    """What the language model does when it is asked, once (or ``times``)."""

    when: str = ""
    """A pattern for what it is asked; an answer without one is for any question, in the order written."""
    writes: str | None = None
    """A text."""
    fills: dict[str, Any] | None = None
    """A form, with these fields."""
    fills_raw: str | None = None
    """A form, as it stands on the wire: for JSON that is none."""
    fails: Literal["away", "late", "refused"] | None = None
    """No answer; after ``writes``: the text breaks off behind it."""
    times: Annotated[int, Field(ge=1)] = 1

    @field_validator("when")
    @classmethod
    def _can_be_searched(cls, pattern: str) -> str:
        return _a_pattern(pattern)

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        given = sum(one is not None for one in (self.writes, self.fills, self.fills_raw))
        if given > 1 or (given == 0 and self.fails is None):
            raise ValueError("an answer is one of writes, fills, fills_raw, fails")
        return self


class Opening(_Strict):
    """When people are there; see ``tools.opening_hours``."""

    opens: time = time(9)
    closes: time = time(18)
    closed_on: frozenset[date] = frozenset()

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        self.hours()
        return self

    def hours(self) -> OpeningHours:
        """The same for the dialogue."""
        return OpeningHours(self.opens, self.closes, self.closed_on)


class FoundPassage(_Strict):
    """A passage of the knowledge base, as a search finds it."""

    question: str
    answer: str = ""
    details: str = ""
    variants: tuple[str, ...] = ()


class Script(_Strict):
    """One transcript: one caller's call, or several on end."""

    name: str = Field(min_length=1)
    phenomenon: str = Field(pattern=r"^[a-z0-9_]+$")
    now: datetime
    """When the call begins; on a clock in Paris unless it says otherwise."""
    today: date | None = None
    """The day by which ages and birth dates are judged, when it is not the day of ``now``."""
    caller: str = ""
    """The number that the network shows; empty: hidden."""
    call_id: str = ""
    """Empty: made of the name, always the same."""
    customers: Path | None = None
    """A file of fictional customers, beside this one; without it, those of the demonstration."""
    backoffice: Literal["up", "away"] = "up"
    opening: Opening = Opening()
    knowledge: tuple[FoundPassage, ...] = ()
    """Passages instead of the knowledge base: for hostile ones."""
    model: Literal["none"] | tuple[ModelAnswer, ...] = "none"
    """What is not written here fails, like a model that is away; what is written must be asked for."""
    never: Lines = ()
    """Lines not said in the whole call."""
    call_backs: tuple[CallBackKept, ...] | None = None
    """Those promised when all is over, and no other."""
    turns: tuple[Turn, ...] = Field(min_length=1)

    _file: Path = PrivateAttr(Path())
    _turn_lines: tuple[int, ...] = PrivateAttr(())

    @field_validator("model", mode="before")
    @classmethod
    def _no_model(cls, given: object) -> object:
        return "none" if given is None else given

    @model_validator(mode="after")
    def _ends_once(self) -> Self:
        for turn, following in zip(self.turns, self.turns[1:], strict=False):
            if turn.hangs_up and not following.begins:
                raise ValueError("after hangs_up nothing happens any more but begins: another call")
        return self

    @property
    def file(self) -> Path:
        """Where it was read."""
        return self._file

    @property
    def begins_at(self) -> datetime:
        """:attr:`now` with its time zone."""
        return in_paris(self.now)

    def line_of(self, turn: int) -> int:
        """The line of the file on which turn ``turn`` (from 0) begins."""
        return self._turn_lines[turn] if turn < len(self._turn_lines) else 0

    def id_of_call(self, nth: int) -> str:
        """The id of the ``nth`` call (from 0), a UUID."""
        if self.call_id and nth == 0:
            return self.call_id
        return str(uuid5(NAMESPACE_URL, f"{self.call_id or self.name}#{nth}"))

    def found_at(self, file: Path, turn_lines: Sequence[int]) -> Self:
        """The same, which knows where it stands."""
        self._file, self._turn_lines = file, tuple(turn_lines)
        return self


def in_paris(moment: datetime) -> datetime:
    """``moment`` with a time zone: Paris when it has none."""
    return moment if moment.tzinfo else moment.replace(tzinfo=PARIS)


@cache
def line_keys() -> frozenset[str]:
    """Every line that the agent can say."""
    keys = {f"{file.stem}.{key}" for file in WORDS_FOLDER.glob("*.toml") for key in load(file.stem).lines}
    return frozenset(keys | {_SAID_AGAIN})


def spaced(text: str) -> str:
    """``text`` with every kind of space as a plain one: amounts are written with narrow ones."""
    return re.sub(r"\s", " ", text)


def _evened(text: str) -> str:
    return spaced(text).replace("’", "'").casefold()


# --- reading ----------------------------------------------------------------------------------------


def find(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named, in order.

    Raises :class:`ScriptInvalid` for what is not there, and for a folder without one.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
            if not inside:
                raise ScriptInvalid(f"{path}: no transcript in it; they end in {' or '.join(SUFFIXES)}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise ScriptInvalid(f"{path}: no such file or folder")
    return found


def read(path: Path) -> Script:
    """The transcript in ``path``. Raises :class:`ScriptInvalid`."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise ScriptInvalid(f"{path}: not UTF-8 (byte {exc.start}); save it as UTF-8") from exc
    loader = yaml.SafeLoader(text)
    try:
        document = loader.get_single_node()
        _refuse_repeated(path, document)
        content = loader.construct_document(document) if document is not None else None
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise ScriptInvalid(f"{path}:{line}: not YAML: {exc.problem}") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise ScriptInvalid(f"{path}: not YAML: {exc}") from exc
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        raise ScriptInvalid(f"{path}: not a transcript; it begins with name: and ends with turns:")
    try:
        script = Script.model_validate(content)
    except ValidationError as exc:
        faults = [_told(path, document, error) for error in _worth_telling(exc)]
        raise ScriptInvalid("\n".join(dict.fromkeys(faults))) from exc
    lines = [_line_of(document, ("turns", at)) for at in range(len(script.turns))]
    return script.found_at(path, lines)


def _refuse_repeated(path: Path, node: yaml.Node | None) -> None:
    match node:
        case yaml.MappingNode():
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    raise ScriptInvalid(f"{path}:{key.start_mark.line + 1}: {key.value} is given twice")
                seen.add(key.value)
                _refuse_repeated(path, value)
        case yaml.SequenceNode():
            for value in node.value:
                _refuse_repeated(path, value)
        case _:
            pass


def _worth_telling(exc: ValidationError) -> list[Any]:
    errors = exc.errors(include_url=False)
    return sorted(errors, key=lambda error: error["type"] != "extra_forbidden")


def _told(path: Path, document: yaml.Node | None, error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if isinstance(part, int) or part.islower())
    line = _line_of(document, error["loc"])
    if error["type"] == "extra_forbidden":
        *around, name = error["loc"]
        inside = next((part for part in reversed(around) if part in _MODELS), "")
        allowed = ", ".join(_MODELS[inside].model_fields)
        return f"{path}:{line}: {name} is not known{' in ' + inside if inside else ''}; allowed are {allowed}"
    said = str(error["msg"]).removeprefix("Value error, ")
    quoted = _HINTS.get(error["type"], "; put digits in quotes" if error["loc"][-1:] == ("keys",) else "")
    return f"{path}:{line}: {where or 'the transcript'}: {said}{quoted}"


_HINTS = {"invalid_key": "; a bare on, off, yes or no is true or false to YAML: put it in quotes"}

_MODELS: dict[str, type[BaseModel]] = {
    "": Script,
    "turns": Turn,
    "said": LinePattern,
    "never": LinePattern,
    "then": Next,
    "transfers": Handover,
    "call_backs": CallBackKept,
    "model": ModelAnswer,
    "opening": Opening,
    "knowledge": FoundPassage,
}


def _line_of(node: yaml.Node | None, location: Sequence[int | str]) -> int:
    """The line on which ``location`` stands, or what of it there is."""
    line = 1
    for found in _way(node, location):
        line = found.start_mark.line + 1
    return line


def _way(node: yaml.Node | None, location: Sequence[int | str]) -> Iterator[yaml.Node]:
    for part in location:
        match node:
            case yaml.MappingNode():
                entry = next(((key, value) for key, value in node.value if key.value == part), None)
                if entry is None:
                    continue  # one of pydantic's own, or what is missing
                yield entry[0]
                node = entry[1]
            case yaml.SequenceNode() if isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                yield node
