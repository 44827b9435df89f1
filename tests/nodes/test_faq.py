from dataclasses import replace

from knowledge.answer_writer import AnswerWriter
from knowledge.llm import Asked, LlmFailed, ScriptedModel
from knowledge.retriever import DIRECT, Passage
from nodes.faq import Faq
from tests.nodes.stage import play, state

THEFT = Passage("1", "Quel délai pour un vol ?", "Sous deux jours ouvrés.", "", "f.md")
PIECE = Passage("2", "", "", "La garantie tempête couvre la toiture et les volets.", "cg.txt")


class Found:
    """A retriever that finds given passages."""

    def __init__(self, *passages: Passage) -> None:
        self.passages = list(passages)

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        return self.passages[:limit]


def asked(passage: Passage, score: float, *, says: str | None) -> tuple[Faq, ScriptedModel]:
    def answer(_: Asked) -> str:
        if says is None:
            raise LlmFailed("away")
        return says

    model = ScriptedModel(answer)
    return Faq(Found(replace(passage, score=score)), AnswerWriter(model, "")), model


async def test_a_direct_answer_is_spoken_as_written_without_asking_a_model() -> None:
    faq, model = asked(THEFT, DIRECT, says="Autre chose.")
    played = await play(faq, state("délai pour un vol"))
    assert played.said[0] == "faq.answer"
    assert played.lines[0].text == "Sous deux jours ouvrés."
    assert model.asked == []


async def test_a_near_answer_is_worded_by_the_model() -> None:
    faq, _ = asked(THEFT, 0.6, says="Deux jours ouvrés.")
    assert (await play(faq, state("et pour un vol"))).lines[0].text == "Deux jours ouvrés."


async def test_an_invention_or_a_failure_is_replaced_by_the_passages_own_answer() -> None:
    for says in ("Sous cent jours.", "Je vous conseille deux jours.", "", None):
        faq, _ = asked(THEFT, 0.6, says=says)
        played = await play(faq, state("et pour un vol"))
        assert played.lines[0].text == "Sous deux jours ouvrés."


async def test_a_plain_piece_is_worded_or_not_answered_at_all() -> None:
    faq, _ = asked(PIECE, 0.9, says="La garantie tempête couvre la toiture.")
    assert (await play(faq, state("tempête"))).said[0] == "faq.answer"
    for says in ("Elle couvre tout.", "INCONNU", None):
        faq, _ = asked(PIECE, 0.9, says=says)
        assert (await play(faq, state("tempête"))).said == ["faq.unknown"]
    assert (await play(Faq(Found(replace(PIECE, score=0.9))), state("tempête"))).said == ["faq.unknown"]


async def test_what_the_model_finds_unanswered_is_left_to_people() -> None:
    faq, _ = asked(THEFT, 0.6, says="INCONNU")
    played = await play(faq, state("et pour un vol"))
    assert played.said == ["faq.unknown"]
    assert played.update["transfer_reason"] == "unknown"


async def test_a_model_is_not_asked_about_what_is_not_known() -> None:
    faq, model = asked(THEFT, 0.49, says="Sous deux jours ouvrés.")
    assert (await play(faq, state("combien coûte une assurance"))).said == ["faq.unknown"]
    assert model.asked == []
    assert (await play(Faq(Found()), state("?"))).said == ["faq.unknown"]
