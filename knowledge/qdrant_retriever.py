"""The knowledge base in Qdrant, through langchain-qdrant: embedded (memory, folder) or a server.

Theory of operation. One point per passage. Its id is the UUIDv5 of source and question, its payload
holds the passage and a hash of everything the point was made from, vectors included; indexing
compares hashes and writes only what differs, so it can run at every start. Sparse French BM25 vectors
always; dense ones (cosine) when an ``Embeddings`` is given.

A search takes candidates from Qdrant, from the sparse side and from the dense one, and scores them by
:func:`knowledge.retriever.rank`. Qdrant's own fusion is not used to read: reciprocal ranks say which
passage is best, never whether it is any good.

Embedded Qdrant has two rules. A write beside reads breaks the reads (arrays change under them), so one
lock for the whole process serialises its use, batch by batch; and a folder belongs to one process: a
second one gets an error that says so.
"""

import asyncio
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import blake2s
from heapq import nsmallest
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_qdrant import QdrantVectorStore, RetrievalMode
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from knowledge.embeddings import DIMENSIONS
from knowledge.french import content_stems
from knowledge.relevance import Question, Relevance, Wording
from knowledge.retriever import SHORTLIST, KnowledgeUnavailable, Passage, rank
from knowledge.sparse import FrenchBm25

COLLECTION = "insurance_knowledge"
"""The customary name; QDRANT_COLLECTION_NAME gives another."""
IN_MEMORY = ":memory:"
SPARSE_VECTOR = "sparse"
DENSE_VECTOR = "dense"
DENSE_DIMENSIONS = DIMENSIONS
"""Room kept for distiluse-base-multilingual-cased-v1, so that adding it later needs no new collection."""
SERVER_TIMEOUT_S = 2
"""Someone waits on the line: a server that takes longer is as good as away."""
COSINE_OF_NOTHING = 0.35
COSINE_OF_SAME = 0.85
"""Cosines read as likeness 0 and 1, linear between: an estimate for distiluse, not yet measured."""
_CANDIDATES = 64
_BATCH = 64

# One for the process, not for an instance: two instances may share the in-process engine's globals,
# and nothing is lost, since Python runs one embedded search at a time anyway.
_EMBEDDED = Lock()

_FAILURES = (ApiException, httpx.HTTPError, OSError, RuntimeError, ValueError)
"""What qdrant-client raises: its own errors, the socket's, and bare ones from the embedded engine."""

Progress = Callable[[int, int], None]
"""Told how many passages are dealt with, of how many."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an indexing did, in passages."""

    added: int
    updated: int
    removed: int
    unchanged: int
    changes: tuple[str, ...] = field(default=(), compare=False)
    """What changed, one line each: ``+ sinistres.md: Quel est le délai ?``; ``~`` updated, ``-`` removed."""


class QdrantRetriever:
    """A :class:`knowledge.retriever.Retriever` over one Qdrant collection. One instance per process."""

    def __init__(
        self,
        client: QdrantClient,
        *,
        embedded: bool,
        dense: Embeddings | None = None,
        collection: str = COLLECTION,
    ) -> None:
        """Use ``client`` (see :meth:`open`), creating ``collection`` when it is not there.

        Blocks. Raises :class:`KnowledgeUnavailable`.
        """
        self._client = client
        self._collection = collection
        self._dense = dense
        self._exclusive: AbstractContextManager[object] = _EMBEDDED if embedded else nullcontext()
        self._sparse = FrenchBm25()
        with self._using("open the knowledge base"):
            self._prepare_collection()
        self._writer = self._store(RetrievalMode.HYBRID if dense is not None else RetrievalMode.SPARSE)
        self._by_words = self._store(RetrievalMode.SPARSE)
        self._by_sense = self._store(RetrievalMode.DENSE) if dense is not None else None
        self._known = self._read_all()

    @classmethod
    def open(
        cls,
        location: str = IN_MEMORY,
        *,
        api_key: str = "",
        dense: Embeddings | None = None,
        collection: str = COLLECTION,
    ) -> "QdrantRetriever":
        """Open ``location``: ``":memory:"``, a server's ``http(s)://`` address, or a folder, made if missing.

        ``api_key`` is for a server; ``dense`` adds the search by meaning. Blocks; raises
        :class:`KnowledgeUnavailable` when the folder is taken by another process or the server is away.
        """
        embedded = not location.startswith(("http://", "https://"))
        client = _embedded(location) if embedded else _server(location, api_key)
        try:
            return cls(client, embedded=embedded, dense=dense, collection=collection)
        except KnowledgeUnavailable:
            client.close()
            raise

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        """See :meth:`knowledge.retriever.Retriever.search`; runs in a thread."""
        return await asyncio.to_thread(self._search, question, limit)

    def index(self, passages: Iterable[Passage], progress: Progress | None = None) -> IndexReport:
        """Make the collection hold exactly ``passages``; searches may go on meanwhile.

        Blocks: from the event loop, use ``asyncio.to_thread``. Running it again changes nothing.
        Raises :class:`KnowledgeUnavailable`; what was written before the failure stays, and the next
        run finishes the work. Raises ``ValueError`` when two passages have the same id.
        """
        wanted = list(passages)
        hashes = {one.id: self._hash(one) for one in wanted}
        if len(hashes) < len(wanted):
            twice = next(one for one in wanted if sum(one.id == other.id for other in wanted) > 1)
            raise ValueError(f"{twice.source}: two passages have the same id: {twice.question}")
        stored = self._stored_hashes()
        names = self._stored_names()
        changed = [one for one in wanted if stored.get(one.id) != hashes[one.id]]
        gone = [point for point in stored if point not in hashes]
        done = len(wanted) - len(changed)
        if progress is not None:
            progress(done, len(wanted))
        for start in range(0, len(changed), _BATCH):
            batch = changed[start : start + _BATCH]
            documents = [_document(one, hashes[one.id]) for one in batch]
            with self._using("write to the knowledge base"):
                self._writer.add_documents(documents, ids=[one.id for one in batch], batch_size=_BATCH)
            done += len(batch)
            if progress is not None:
                progress(done, len(wanted))
        if gone:
            with self._using("write to the knowledge base"):
                self._client.delete(
                    self._collection, points_selector=models.PointIdsList(points=gone), wait=True
                )
        self._known = self._read_all()
        updated = sum(one.id in stored for one in changed)
        changes = [f"{'~' if one.id in stored else '+'} {_name(one)}" for one in changed]
        changes += [f"- {names.get(str(point), 'a point of somebody else')}" for point in gone]
        return IndexReport(
            len(changed) - updated, updated, len(gone), len(wanted) - len(changed), tuple(changes)
        )

    def close(self) -> None:
        """Give the folder or the connections back. A search after that raises KnowledgeUnavailable."""
        with self._exclusive:
            self._client.close()

    def _search(self, question: str, limit: int) -> list[Passage]:
        known = self._known
        found = {one.id: one for one in known.asked_in_small_words}
        depth = max(_CANDIDATES, 4 * limit)
        repaired = known.relevance.repair(question)
        documents: list[Document] = []
        likeness: dict[str, float] = {}
        # A story's words bring much else before what is asked in it: what they speak for is read too.
        asked = known.relevance.read(question)
        told = [one for one in known.spoken_for(asked) if one not in found]
        with self._using("search the knowledge base"):
            if content_stems(repaired):
                documents += [
                    one for one, _ in self._by_words.similarity_search_with_score(repaired, k=depth)
                ]
            if self._by_sense is not None:
                for document, cosine in self._by_sense.similarity_search_with_score(question, k=depth):
                    documents.append(document)
                    likeness[str(document.metadata["_id"])] = _likeness(cosine)
            points = self._client.retrieve(self._collection, told, with_payload=True) if told else []
        for point_id, metadata in (
            *((str(one.metadata["_id"]), one.metadata) for one in documents),
            *((str(point.id), _metadata(point)) for point in points),
        ):
            passage = _passage(point_id, metadata)
            if passage is not None:
                found[passage.id] = passage
        if any(known.wordings.get(one.id) != one.wording for one in found.values()):
            # Another process has indexed since: weigh words by what is there now.
            self._known = known = self._read_all()
            asked = known.relevance.read(question)
        return rank(question, found.values(), known.relevance, likeness, asked)[:limit]

    def _prepare_collection(self) -> None:
        dimensions = DENSE_DIMENSIONS if self._dense is None else len(self._dense.embed_query("bonjour"))
        if not self._client.collection_exists(self._collection):
            self._client.create_collection(
                self._collection,
                vectors_config={
                    DENSE_VECTOR: models.VectorParams(size=dimensions, distance=models.Distance.COSINE)
                },
                sparse_vectors_config={
                    SPARSE_VECTOR: models.SparseVectorParams(modifier=models.Modifier.IDF)
                },
            )
            return
        params = self._client.get_collection(self._collection).config.params
        room = params.vectors.get(DENSE_VECTOR) if isinstance(params.vectors, dict) else None
        if SPARSE_VECTOR not in (params.sparse_vectors or {}) or (
            self._dense is not None and (room is None or room.size != dimensions)
        ):
            raise KnowledgeUnavailable(
                f"the Qdrant collection {self._collection} was made for other vectors: "
                f"delete it and index again (wanted: {SPARSE_VECTOR}, {DENSE_VECTOR} of {dimensions})"
            )

    def _store(self, mode: RetrievalMode) -> QdrantVectorStore:
        return QdrantVectorStore(
            client=self._client,
            collection_name=self._collection,
            embedding=None if mode is RetrievalMode.SPARSE else self._dense,
            vector_name=DENSE_VECTOR,
            sparse_embedding=None if mode is RetrievalMode.DENSE else self._sparse,
            sparse_vector_name=SPARSE_VECTOR,
            retrieval_mode=mode,
            validate_collection_config=False,  # done in _prepare_collection, without embedding a dummy text
        )

    def _points(self) -> Iterator[models.Record]:
        offset: Any = None
        while True:
            with self._using("read the knowledge base"):
                points, offset = self._client.scroll(
                    self._collection, limit=256, offset=offset, with_payload=True, with_vectors=False
                )
            yield from points
            if offset is None:
                return

    def _stored_hashes(self) -> "dict[models.ExtendedPointId, str]":
        return {point.id: str(_metadata(point).get("hash", "")) for point in self._points()}

    def _stored_names(self) -> dict[str, str]:
        read = (_passage(str(point.id), _metadata(point)) for point in self._points())
        return {one.id: _name(one) for one in read if one is not None}

    def _read_all(self) -> "_Known":
        read = (_passage(str(point.id), _metadata(point)) for point in self._points())
        return _Known.of([one for one in read if one is not None])

    def _hash(self, passage: Passage) -> str:
        vector = self._sparse.embed_documents([_text(passage)])[0]
        dense = "" if self._dense is None else getattr(self._dense, "model_name", type(self._dense).__name__)
        made_of = [_fields(passage), vector.indices, vector.values, dense]
        return blake2s(json.dumps(made_of, ensure_ascii=False).encode(), digest_size=16).hexdigest()

    @contextmanager
    def _using(self, purpose: str) -> Iterator[None]:
        """Qdrant, alone when it is embedded; its errors told as ours."""
        try:
            with self._exclusive:
                yield
        except _FAILURES as exc:
            raise KnowledgeUnavailable(f"could not {purpose} (Qdrant): {exc}") from exc


@dataclass(frozen=True, slots=True)
class _Known:
    """What a search needs to have read of the whole collection."""

    relevance: Relevance
    wordings: dict[str, Wording]
    asked_in_small_words: tuple[Passage, ...]

    def spoken_for(self, asked: Question) -> list[str]:
        """The ids of the passages that a long question speaks for most; none for a short one."""
        if not asked.parts:
            return []
        return nsmallest(SHORTLIST // 2, self.wordings, key=lambda one: (-self.evidence(asked, one), one))

    def evidence(self, asked: Question, passage_id: str) -> float:
        """See :meth:`knowledge.relevance.Relevance.evidence`."""
        return self.relevance.evidence(asked, self.wordings[passage_id])

    @classmethod
    def of(cls, passages: list[Passage]) -> "_Known":
        return cls(
            Relevance(one.wording for one in passages),
            {one.id: one.wording for one in passages},
            tuple(one for one in passages if not all(map(content_stems, one.wording.questions))),
        )


def _embedded(location: str) -> QdrantClient:
    try:
        if location == IN_MEMORY:
            return QdrantClient(location=IN_MEMORY)
        folder = Path(location)
        folder.mkdir(parents=True, exist_ok=True)
        return QdrantClient(path=str(folder))
    except RuntimeError as exc:
        raise KnowledgeUnavailable(
            f"the knowledge folder {location} is in use by another process: stop it, give each process "
            "its own folder, or run a Qdrant server and give its address"
        ) from exc
    except (OSError, ValueError) as exc:
        raise KnowledgeUnavailable(f"the knowledge folder {location} cannot be opened: {exc}") from exc


def _server(address: str, api_key: str) -> QdrantClient:
    with warnings.catch_warnings():
        # A key over plain http is usual inside a compose network; the warning would be printed at each start.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return QdrantClient(
            url=address, api_key=api_key or None, timeout=SERVER_TIMEOUT_S, check_compatibility=False
        )


def _text(passage: Passage) -> str:
    """What is turned into vectors: the questions first, since dense models read only the beginning."""
    return "\n".join((*passage.wording.questions, passage.wording.body))


def _name(passage: Passage) -> str:
    """A passage for whoever indexes: its file, and its question or how it begins."""
    return f"{passage.source}: {passage.question or ' '.join(passage.details.split()[:8]) + '…'}"


def _fields(passage: Passage) -> dict[str, object]:
    return {
        "question": passage.question,
        "variants": list(passage.variants),
        "answer": passage.answer,
        "details": passage.details,
        "source": passage.source,
    }


def _document(passage: Passage, made_of: str) -> Document:
    return Document(page_content=_text(passage), metadata={**_fields(passage), "hash": made_of})


def _metadata(point: models.Record) -> dict[str, Any]:
    metadata = (point.payload or {}).get(QdrantVectorStore.METADATA_KEY)
    return metadata if isinstance(metadata, dict) else {}


def _passage(point_id: str, metadata: dict[str, Any]) -> Passage | None:
    """The passage in a point's payload; None for a point somebody else put there."""
    if "hash" not in metadata:
        return None
    return Passage(
        id=point_id,
        question=str(metadata["question"]),
        answer=str(metadata["answer"]),
        details=str(metadata["details"]),
        source=str(metadata["source"]),
        variants=tuple(map(str, metadata["variants"])),
    )


def _likeness(cosine: float) -> float:
    return min(1.0, max(0.0, (cosine - COSINE_OF_NOTHING) / (COSINE_OF_SAME - COSINE_OF_NOTHING)))
