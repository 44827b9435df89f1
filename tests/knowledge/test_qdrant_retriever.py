import asyncio
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings
from qdrant_client import QdrantClient, models

from knowledge.documents import passage_id, read_folder
from knowledge.qdrant_retriever import (
    COLLECTION,
    DENSE_DIMENSIONS,
    DENSE_VECTOR,
    SPARSE_VECTOR,
    IndexReport,
    QdrantRetriever,
)
from knowledge.retriever import ANSWERABLE, KnowledgeUnavailable, Passage


class SenseEmbeddings(Embeddings):
    """The dense twin: one axis per sense, so that words without a letter in common can be near."""

    SENSES = ("médecin toubib docteur", "vélo bicyclette", "argent pognon")

    def __init__(self, dimensions: int = DENSE_DIMENSIONS) -> None:
        self._dimensions = dimensions

    def embed_query(self, text: str) -> list[float]:
        axes = [float(any(word in text.lower() for word in sense.split())) for sense in self.SENSES]
        vector = [*axes, *[0.0] * self._dimensions][: self._dimensions]
        # A text with none of the senses points somewhere of its own, near nothing else.
        vector[len(axes) + zlib.crc32(text.encode()) % (self._dimensions - len(axes))] = 0.1
        length = sum(one * one for one in vector) ** 0.5
        return [one / length for one in vector]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def passage(question: str, answer: str = "Oui.", source: str = "f.md") -> Passage:
    return Passage(passage_id(source, question), question, answer, "Détail.", source, variants=("autrement",))


HOURS = passage("Quels sont vos horaires ?")
THEFT = passage("Quel délai pour un vol ?")
DOCTOR = passage("Faut-il voir un médecin ?")


@pytest.fixture
def retriever() -> Iterator[QdrantRetriever]:
    opened = QdrantRetriever.open()
    yield opened
    opened.close()


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    opened = QdrantClient(location=":memory:")
    yield opened
    opened.close()


def test_a_first_indexing_adds_everything_and_a_second_nothing(retriever: QdrantRetriever) -> None:
    assert retriever.index([HOURS, THEFT]) == IndexReport(added=2, updated=0, removed=0, unchanged=0)
    assert retriever.index([THEFT, HOURS]) == IndexReport(added=0, updated=0, removed=0, unchanged=2)


async def test_indexing_updates_what_changed_and_removes_what_disappeared(retriever: QdrantRetriever) -> None:
    retriever.index([HOURS, THEFT])
    changed = replace(HOURS, answer="De neuf heures à midi.")
    report = retriever.index([changed, DOCTOR])
    assert report == IndexReport(added=1, updated=1, removed=1, unchanged=0)
    assert (await retriever.search("horaires"))[0].answer == "De neuf heures à midi."
    assert await retriever.search("délai pour un vol") == []


@pytest.mark.parametrize(
    "changed",
    [
        replace(HOURS, answer="Non."),
        replace(HOURS, details="Autre."),
        replace(HOURS, variants=("autrement", "encore")),
    ],
)
def test_a_change_in_any_field_is_an_update(retriever: QdrantRetriever, changed: Passage) -> None:
    retriever.index([HOURS])
    assert retriever.index([changed]).updated == 1


async def test_an_emptied_knowledge_base_finds_nothing(retriever: QdrantRetriever) -> None:
    retriever.index([HOURS])
    assert retriever.index([]).removed == 1
    assert await retriever.search("horaires") == []


async def test_nothing_is_found_before_the_first_indexing(retriever: QdrantRetriever) -> None:
    assert await retriever.search("horaires") == []


def test_progress_goes_up_to_the_whole(retriever: QdrantRetriever) -> None:
    seen: list[tuple[int, int]] = []
    many = [passage(f"Question numéro {n} ?") for n in range(150)]
    retriever.index(many[:20])
    retriever.index(many, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(20, 150), (84, 150), (148, 150), (150, 150)]


def test_two_passages_with_one_id_are_refused_before_anything_is_written(retriever: QdrantRetriever) -> None:
    with pytest.raises(ValueError, match=r"f\.md: two passages have the same id: Quels sont vos horaires"):
        retriever.index([THEFT, HOURS, replace(HOURS, answer="Non.")])
    assert retriever.index([]).removed == 0


async def test_a_passage_comes_back_as_it_was_written(retriever: QdrantRetriever) -> None:
    retriever.index(read_folder())
    (found,) = await retriever.search("Qu'est-ce qu'une assurance vie ?", limit=1)
    original = next(one for one in read_folder() if one.id == found.id)
    assert replace(found, score=0.0) == original


async def test_plain_pieces_are_found_by_what_they_cover(retriever: QdrantRetriever) -> None:
    piece = Passage("5f0c7b1e-0c5c-5d6f-8f55-0d9c5e3c1a11", "", "", "La toiture et les volets.", "cg.txt")
    retriever.index([HOURS, piece])
    (found,) = await retriever.search("ma toiture")
    assert (found.id, found.answer) == (piece.id, "")


def test_the_collection_has_idf_for_words_and_room_for_dense_vectors(client: QdrantClient) -> None:
    QdrantRetriever(client, embedded=True)
    params = client.get_collection(COLLECTION).config.params
    assert params.sparse_vectors is not None
    assert params.sparse_vectors[SPARSE_VECTOR].modifier is models.Modifier.IDF
    assert isinstance(params.vectors, dict)
    assert params.vectors[DENSE_VECTOR].size == 512
    assert params.vectors[DENSE_VECTOR].distance is models.Distance.COSINE


async def test_points_somebody_else_put_there_are_ignored_then_removed(client: QdrantClient) -> None:
    retriever = QdrantRetriever(client, embedded=True)
    client.upsert(
        COLLECTION,
        [
            models.PointStruct(
                id=7,
                vector={SPARSE_VECTOR: models.SparseVector(indices=[1], values=[1.0])},
                payload={"metadata": "autre chose"},
            )
        ],
    )
    retriever.index([HOURS])
    assert client.count(COLLECTION).count == 1
    assert [one.id for one in await retriever.search("horaires")] == [HOURS.id]


async def test_what_another_process_indexed_is_found_and_weighed_anew(client: QdrantClient) -> None:
    here, there = (QdrantRetriever(client, embedded=True) for _ in range(2))
    here.index([HOURS])
    there.index([HOURS, THEFT])
    (found,) = await here.search("délai pour un vol")
    assert found == (await there.search("délai pour un vol"))[0]
    assert found.score >= ANSWERABLE


async def test_a_folder_keeps_the_knowledge_from_one_run_to_the_next(tmp_path: Path) -> None:
    first = QdrantRetriever.open(str(tmp_path / "var" / "knowledge"))
    first.index([HOURS, THEFT])
    first.close()
    second = QdrantRetriever.open(str(tmp_path / "var" / "knowledge"))
    assert (await second.search("horaires"))[0].id == HOURS.id
    assert second.index([HOURS, THEFT]).unchanged == 2
    second.close()


def test_a_folder_in_use_is_told_with_what_to_do(tmp_path: Path) -> None:
    first = QdrantRetriever.open(str(tmp_path))
    with pytest.raises(KnowledgeUnavailable, match="in use by another process: stop it") as told:
        QdrantRetriever.open(str(tmp_path))
    assert told.value.__cause__ is not None
    first.close()
    QdrantRetriever.open(str(tmp_path)).close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KnowledgeUnavailable, match="cannot be opened"):
        QdrantRetriever.open(str(tmp_path / "file" / "knowledge"))


async def test_a_search_after_close_says_that_the_knowledge_is_unavailable() -> None:
    retriever = QdrantRetriever.open()
    retriever.index([HOURS])
    retriever.close()
    with pytest.raises(KnowledgeUnavailable, match="could not search"):
        await retriever.search("horaires")


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(KnowledgeUnavailable, match="could not open the knowledge base"):
        QdrantRetriever.open("http://127.0.0.1:9")


def test_a_server_gets_the_key_and_its_refusal_is_told() -> None:
    keys: list[str | None] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("api-key"))
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b"Invalid API key")

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(KnowledgeUnavailable, match="401"):
            QdrantRetriever.open(
                f"http://127.0.0.1:{server.server_port}", api_key="clé-secrète".encode().hex()
            )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert keys == ["clé-secrète".encode().hex()]


async def test_searches_beside_an_indexing_all_succeed(retriever: QdrantRetriever) -> None:
    passages = read_folder()
    retriever.index(passages)

    async def reindex() -> None:
        for turn in range(2):
            changed = [replace(one, details=f"{one.details}\n\nVersion {turn}.") for one in passages[turn:]]
            await asyncio.to_thread(retriever.index, changed)

    async def search() -> list[bool]:
        return [bool(await retriever.search("comment déclarer un sinistre")) for _ in range(8)]

    _, *found = await asyncio.gather(reindex(), *(search() for _ in range(4)))
    assert all(all(one) for one in found if one is not None)


async def test_dense_vectors_find_what_shares_no_word() -> None:
    retriever = QdrantRetriever.open(dense=SenseEmbeddings())
    retriever.index([HOURS, THEFT, DOCTOR])
    (best, *_) = await retriever.search("je cherche un toubib")
    assert best.id == DOCTOR.id
    assert best.score >= ANSWERABLE
    assert (await retriever.search("horaires"))[0].id == HOURS.id
    retriever.close()


async def test_dense_vectors_do_not_answer_what_is_near_nothing() -> None:
    retriever = QdrantRetriever.open(dense=SenseEmbeddings())
    retriever.index([DOCTOR, passage("Où ranger un vélo ?")])
    assert all(one.score < ANSWERABLE for one in await retriever.search("mon pognon"))
    retriever.close()


def test_turning_dense_vectors_on_writes_every_passage_again(client: QdrantClient) -> None:
    QdrantRetriever(client, embedded=True).index([HOURS, THEFT])
    dense = QdrantRetriever(client, embedded=True, dense=SenseEmbeddings())
    assert dense.index([HOURS, THEFT]).updated == 2
    assert dense.index([HOURS, THEFT]).unchanged == 2


def test_a_collection_made_for_other_vectors_is_told(client: QdrantClient) -> None:
    QdrantRetriever(client, embedded=True)
    with pytest.raises(KnowledgeUnavailable, match="was made for other vectors: delete it"):
        QdrantRetriever(client, embedded=True, dense=SenseEmbeddings(dimensions=8))
