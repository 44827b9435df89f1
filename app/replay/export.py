"""A recorded call as a transcript that can be replayed, without anything of the person who called.

Theory of operation. Who called is played by one of the demonstration's customers. Which one fits is tried:
each customer whose own contracts, claims and dates can stand for the caller's is cast in turn, the call is
replayed with him, and the first with whom it goes as recorded is kept. What is exported is what the caller
did, with pseudonyms (:mod:`app.replay.pseudonyms`), the nodes that ran and the keys of the lines: never
what the agent said, which held his file.
"""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from app.replay.player import Played, Player
from app.replay.pseudonyms import PHONES, Cast, Pseudonyms
from app.replay.script import Script
from app.watching.transcript import FORMAT, CallRecord, TurnRecord
from knowledge.masking import mask
from memory.archive import About
from tools import spoken
from tools.backoffice_demo import DemoData
from tools.models import Customer, ThirdItemKind
from tools.opening_hours import PARIS
from tools.third_items import keyed_third_item, third_item

MOST_CASTS = 200
"""Ways to cast a call that are tried; each takes some hundredths of a second."""


class CannotExport(Exception):
    """There is no such call, or it may or can not be exported; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call as it was kept."""

    call: CallRecord
    began_at: datetime
    caller: str = ""
    customer_number: str = ""


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of it."""

    yaml: str
    played: Played
    """How the exported call replays: as recorded, or with differences when no cast fits."""


def recorded(about: About, content: bytes) -> Recorded:
    """A transcript of the archive. Raises :class:`CannotExport`."""
    return Recorded(
        _call(content), datetime.fromisoformat(about.began_at), about.caller, about.customer_number
    )


def recorded_file(path: Path) -> Recorded:
    """A file: one of the archive, not sealed, or a ``transcript.json``. Raises :class:`CannotExport`."""
    data = path.read_bytes()
    head, _, content = data.partition(b"\n")
    try:
        about = About(**json.loads(head))
    except (ValueError, TypeError):
        began_at = datetime.fromtimestamp(path.stat().st_mtime, PARIS)  # it does not say; about then
        return Recorded(_call(data), began_at)
    return recorded(about, content)


def _call(content: bytes) -> CallRecord:
    try:
        call = TypeAdapter(CallRecord).validate_json(content)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CannotExport(f"not a recorded call of ours ({where}: {first['msg']}); is it sealed?") from None
    if call["format"] != FORMAT:
        raise CannotExport(f"its format is {call['format']}, and {FORMAT} is wanted")
    if call["recording_refused"]:
        raise CannotExport("the caller did not want to be recorded: there are no words to export")
    if not call["turns"]:
        raise CannotExport("nothing happened in it")
    return call


async def export(source: Recorded, player: Player, customers: DemoData, chance: random.Random) -> Exported:
    """``source`` as a transcript. ``chance`` chooses the pseudonyms that are no customer's."""
    seed = chance.getrandbits(64)
    best: Exported | None = None
    for cast in islice(_casts(source, customers), MOST_CASTS):
        names = _names(source.call)
        pseudonyms = Pseudonyms(cast, source.began_at.date(), random.Random(seed), names)  # noqa: S311 - not a key
        content = _content(source, pseudonyms)
        played = await player.play(Script.model_validate(content))
        if best is None or len(played.differences) < len(best.played.differences):
            text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=110)
            best = Exported(text, played)
        if played.passed:
            break
    if best is None:
        raise CannotExport("no customer of the demonstration can play this caller")
    return best


# --- who plays the caller ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _His:
    """What the caller gave that was right: to be given values of the customer who plays him."""

    customer: str = ""
    born: str = ""
    contracts: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    postcode: str = ""
    last_four: str = ""


def _casts(source: Recorded, customers: DemoData) -> Iterator[Cast]:
    his = _his(source)
    for customer in customers.customers:
        yield from _casts_of(customer, his, customers)


def _casts_of(customer: Customer, his: _His, customers: DemoData) -> Iterator[Cast]:
    fixed = {his.customer: customer.number, his.born: customer.birth_date.isoformat()}
    for items in customers.third_items:
        if items.customer_number == customer.number:
            fixed |= {his.postcode: items.postcode, his.last_four: items.phone_last_four}
    fixed.pop("", None)
    contracts = [one.number for one in customers.contracts if one.customer_number == customer.number]
    claims = [one.number for one in customers.claims if one.customer_number == customer.number]
    for some_contracts in permutations(contracts, len(his.contracts)):
        for some_claims in permutations(claims, len(his.claims)):
            pairs = zip((*his.contracts, *his.claims), (*some_contracts, *some_claims), strict=True)
            yield Cast(customer.last_name, {**fixed, **dict(pairs)})


def _his(source: Recorded) -> _His:
    """What identified him, and what was found in his file."""
    today, asked = source.began_at.date(), ""
    customer, number, born = source.customer_number, "", ""
    contracts: list[str] = []
    claims: list[str] = []
    postcode = last_four = ""
    proven = ""
    for turn in source.call["turns"]:
        keys = [line["key"] for line in turn["lines"]]
        reference, day = _given(turn, asked, today)
        number, born = reference or number, day or born
        if "authenticate.welcome" in keys and not proven:
            proven, found = born, number
            customer = customer or (number if number.isdigit() else "")
        else:
            found = reference
        told = any(key.startswith(("contract.", "claims.")) and not key.endswith(_NOT_TOLD) for key in keys)
        if found.startswith("VIE-") and ("authenticate.welcome" in keys or told):
            contracts.append(found)
        if found.startswith("SIN-") and ("authenticate.welcome" in keys or told):
            claims.append(found)
        if asked == "third_item" and not any(key.startswith("authenticate.third_item") for key in keys):
            text = turn["text"] or ""
            item = keyed_third_item(text) if turn["how"] == "keys" else third_item(text)
            if item is not None and item.kind is ThirdItemKind.POSTCODE:
                postcode = item.value
            elif item is not None:
                last_four = item.value
        asked = _asks(keys) or asked
    once = dict.fromkeys
    return _His(customer, proven, tuple(once(contracts)), tuple(once(claims)), postcode, last_four)


_NOT_TOLD = ("not_found", "number_missed", "ask_number", "which", "which_again", "none")


def _given(turn: TurnRecord, asked: str, today: date) -> tuple[str, str]:
    """The reference and the birth date of a turn; "" for what is not in it."""
    text = turn["text"] or ""
    if turn["how"] == "keys":
        keyed = spoken.keyed_reference(text) if asked != "birth_date" else None
        day = spoken.keyed_date(text, today) if asked == "birth_date" else None
        return (keyed.value if keyed else "", day.isoformat() if day else "")
    if turn["how"] != "words":
        return "", ""
    said, born = spoken.any_reference(text), spoken.birth_date(text, today)
    return (said.value if said else "", born.isoformat() if born else "")


def _asks(keys: Sequence[str]) -> str:
    """What the last of these lines asks for."""
    return next((asked for key in reversed(keys) for form, asked in _ASKING if re.fullmatch(form, key)), "")


_ASKING = (
    (r"authenticate\.(?:ask_birth_date|birth_date.*|corrected_number|why_birth_date)", "birth_date"),
    (r"authenticate\.(?:ask_third_item|third_item.*)", "third_item"),
    (r"transfer\.(?:ask_number|number_missed|check_number.*|same_number.*)", "phone"),
    (r"authenticate\.(?:ask_number.*|number_missed|refused|other_number|why|go_ahead)", "number"),
    (r"claims\.(?:ask_number|number_missed|not_found)", "number"),
    (r"contract\.which.*", "which"),
    (r"common\.(?:anything_else|more)|authenticate\.ready|greet\.question", ""),
)


def _names(call: CallRecord) -> frozenset[str]:
    """The words of the name by which the agent welcomed him."""
    said = [
        line["text"] or ""
        for turn in call["turns"]
        for line in turn["lines"]
        if line["key"] == "authenticate.welcome"
    ]
    words = {word.casefold() for text in said for word in re.findall(r"[^\W\d_]+", text)}
    return frozenset(words - {"merci", "madame", "monsieur"})


# --- the transcript ---------------------------------------------------------------------------------


def _content(source: Recorded, pseudonyms: Pseudonyms) -> dict[str, Any]:
    turns: list[dict[str, Any]] = []
    asked = ""
    cut = ""
    for turn in source.call["turns"]:
        keys = [line["key"] for line in turn["lines"]]
        shown = _act(turn, asked, pseudonyms)
        if cut and ({"says", "keys"} & shown.keys()):
            shown["after_hearing"] = cut
        shown["nodes"] = [node["node"] for node in turn["nodes"]]
        shown["lines"] = keys
        turns.append(shown)
        heard = turn["interruption"]["heard"] if turn["interruption"] else None
        cut = heard if heard and mask(heard) == heard and not _holds_values(turn) else ""
        asked = _asks(keys) or asked
    turns[-1] |= _end(source.call)
    return {
        "name": f"Appel exporté, {len(turns)} tours",
        "phenomenon": "exported",
        "now": source.began_at.astimezone(PARIS).replace(second=0, microsecond=0, tzinfo=None).isoformat(),
        "caller": PHONES.format(99) if source.caller else "",
        "turns": turns,
    }


def _act(turn: TurnRecord, asked: str, pseudonyms: Pseudonyms) -> dict[str, Any]:
    text = turn["text"] or ""
    match turn["how"]:
        case "call_begins":
            return {"begins": True}
        case "words":
            return {"says": pseudonyms.words(text, asked)} if text else {"unheard": True}
        case "keys":
            return {"keys": pseudonyms.keys(text, asked)}
        case "quiet":
            return {"silent": True}
        case "resumed":
            return {"resumes": True}
        case "not_reached":
            return {"not_reached": text}


def _holds_values(turn: TurnRecord) -> bool:
    """Whether the agent read figures or a name to him in that turn."""
    private = ("authenticate.", "contract.", "claims.", "transfer.")
    return any(line["key"].startswith(private) for line in turn["lines"])


def _end(call: CallRecord) -> Mapping[str, Any]:
    match call["outcome"]:
        case "transferred":
            return {"then": {"transfers": {"queue": call["queue"]}}}
        case "hung_up":
            return {"then": "hangs_up"}
        case _:
            return {}
