"""What leaves the house and what is written down, over every second transcript: nothing of any customer.

The requests are those of the real client (ChatGroq), taken where a provider would take them. So that the
model is asked as often as it can be, the classifier is never sure and no passage answers directly: every
sentence that may go to a model goes.
"""

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from app.replay.player import KEY, Player
from app.replay.script import Script, find, read, spaced
from app.text_calls import TextCalls
from app.watching.logs import PACKAGES, EventFormatter, LogJournal
from app.wiring import Faculties, Surroundings, services_of
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import Heard, Keys, Quiet, Words
from knowledge.intents import Guess, IntentClassifier
from knowledge.llm_groq import GroqModel
from knowledge.retriever import ANSWERABLE, DIRECT, Passage, Retriever
from memory.lockout import MemoryLockout
from tests.app.replay.mind import TRANSCRIPTS, faculties
from tests.simulators.groq import KEY as GROQ_KEY
from tests.simulators.groq import ChatReply, GroqSimulator
from tools import written
from tools.backoffice_demo import DemoBackoffice, read_demo_data
from tools.call_backs import MemoryCallBacks
from tools.opening_hours import PARIS, OpeningHours

SCRIPTS = [read(file) for file in find([TRANSCRIPTS])[::2]]
DATA = read_demo_data()
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=PARIS)

NUMBER_WORDS = re.compile(
    r"\b(?:zéro|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingt"
    r"|trente|quarante|cinquante|soixante|septante|huitante|nonante|cent|mille)\b",
    re.IGNORECASE,
)


def numbers_and_dates() -> Iterator[str]:
    """Every number and date of the demonstration's customers, as it may be written."""
    for customer in DATA.customers:
        yield from (customer.number, written.customer(customer.number))
        yield from (customer.birth_date.isoformat(), f"{customer.birth_date:%d%m%Y}")
        yield written.day(customer.birth_date)
    for held in DATA.held:
        yield from (held.number, held.number.partition("-")[2])
    for items in DATA.third_items:
        yield from (items.postcode, items.phone_last_four, items.iban_last_four)


def amounts_and_clauses() -> Iterator[str]:
    """What of their files is no number of theirs."""
    for contract in DATA.contracts:
        sums = (contract.value_cents, contract.monthly_payment_cents, contract.last_payment_cents)
        yield from (written.euros(cents) for cents in sums if cents)
        yield written.day(contract.opened_on)
    for claim in DATA.claims:
        yield from (written.euros(cents) for cents in (claim.paid_cents,) if cents)
        yield written.day(claim.declared_on)
    yield from (clause.clause for clause in DATA.beneficiaries)


NAMES = sorted({name for one in DATA.customers for name in (one.first_name, one.last_name)})
PERSONAL = sorted({*numbers_and_dates(), *amounts_and_clauses()})


def told(text: str) -> list[str]:
    """What personal data ``text`` holds."""
    plain = spaced(text)
    found = [one for one in PERSONAL if re.search(rf"(?<!\w){re.escape(spaced(one))}(?!\w)", plain)]
    return found + [name for name in NAMES if re.search(rf"(?<!\w){name}(?!\w)", plain)]


@dataclass(frozen=True, slots=True)
class NeverSure:
    """A classifier whose every guess asks for a second opinion."""

    real: IntentClassifier

    @property
    def intents(self) -> tuple[str, ...]:
        return self.real.intents

    def classify(self, text: str) -> Guess:
        return replace(self.real.classify(text), confidence=0.1)


@dataclass(frozen=True, slots=True)
class NearOnly:
    """A search that finds passages near the question, never the answer itself."""

    real: Retriever

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        score = (ANSWERABLE + DIRECT) / 2
        return [replace(one, score=score) for one in await self.real.search(question, limit)]


async def requests_of(scripts: list[Script], mind: Faculties) -> list[tuple[str, str]]:
    """System and user words of all that a model was sent while these calls were held."""
    with GroqSimulator() as groq:
        groq.replies = [ChatReply(calls=(("Sorted", '{"first": "faq", "second": null}'),))] * 5
        model = GroqModel(GROQ_KEY, groq.url)
        player = Player(mind, model=model)
        for script in scripts:
            await player.play(script)
        await model.close()
        return [
            (str(body["messages"][0]["content"]), str(body["messages"][1]["content"])) for body in groq.asked
        ]


@pytest.mark.timeout(300)
async def test_no_request_to_a_model_holds_anything_of_a_customer() -> None:
    assert len(SCRIPTS) >= 40
    mind = Faculties(NeverSure(faculties().classifier), NearOnly(faculties().knowledge))
    sent = await requests_of(SCRIPTS, mind)
    kinds = {system[:40] for system, _ in sent}
    assert len(sent) >= 60, "the model must be asked, or nothing is shown here"
    assert len(kinds) >= 2, "to sort, and to word answers"
    for system, user in sent:
        of_the_caller = re.sub(r"<passage>.*?</passage>", "", user, flags=re.DOTALL)
        assert told(of_the_caller) == [], of_the_caller
        assert not re.search(r"\d", of_the_caller), of_the_caller
        assert not NUMBER_WORDS.search(of_the_caller), of_the_caller
        assert [datum for datum in told(user + system) if datum not in NAMES] == [], user


def test_what_would_be_found_is_found() -> None:
    assert told("née le 1er avril 1962") == ["1er avril 1962"]
    assert told("votre contrat vaut 45\u202f230,18\u00a0€") != []
    assert told("SIN-2026-003117, Madame Moreau") != []


@pytest.mark.timeout(300)
async def test_the_log_of_these_calls_holds_nothing_of_a_customer_nor_of_what_was_said() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(EventFormatter())
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.INFO)
        one.addHandler(handler)
    try:
        calls = [await _held(script) for script in SCRIPTS]
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.removeHandler(handler)
            one.setLevel(level)
    log = stream.getvalue()
    assert log.count("call.started") == len(calls) >= 40
    assert "caller.identified" in log
    assert "turn.said" in log
    without_ids = re.sub(r"text-[0-9a-f-]{36}|^\S+Z", "", log, flags=re.MULTILINE)
    assert told(without_ids) == []
    said = {turn.says for script in SCRIPTS for turn in script.turns if turn.says and " " in turn.says}
    assert [words for words in said if words in log] == []
    assert [words for words in _three_in_a_row(said) if words in log] == []


def _three_in_a_row(said: set[str]) -> set[str]:
    rows = [sentence.split() for sentence in said]
    return {" ".join(words[at : at + 3]) for words in rows for at in range(len(words) - 2)}


async def _held(script: Script) -> str:
    """The call's words and keys, as a text call whose events are logged like a phone call's."""
    around = Surroundings(
        backoffice=DemoBackoffice(DATA),
        lockout=MemoryLockout(),
        identity_key=KEY,
        call_backs=MemoryCallBacks(),
        hours=OpeningHours(),
        now=lambda: NOW,
    )
    dialogue = Dialogue(build_graph(services_of(faculties(), around)), InMemorySaver())
    calls = TextCalls(dialogue, LogJournal())
    turn = await calls.start(str(uuid4()))
    for one in script.turns:
        heard: Heard
        if one.says is not None:
            heard = Words(one.says)
        elif one.keys is not None:
            heard = Keys(one.keys)
        else:
            heard = Quiet()
        turn = await calls.turn(turn.call_id, heard)
        if turn.ended:
            return turn.call_id
    await calls.forget(turn.call_id)
    return turn.call_id
