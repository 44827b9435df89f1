"""French BM25 as sparse vectors, for Qdrant: nothing to download, no model.

Theory of operation. BM25 is a sum over the question's words of IDF × a saturated frequency in the
document. The second factor is known when the document is written and is its vector's weight; the
question's vector is all ones; the first factor changes with every document, so Qdrant applies it at
search time (the collection's sparse vector has ``Modifier.IDF``; honoured by the embedded mode too).

The average length is a constant rather than measured, so that a passage has the same vector whatever
else is indexed and an unchanged passage never needs to be written again.
"""

from collections import Counter
from hashlib import blake2s

from langchain_qdrant.sparse_embeddings import SparseEmbeddings, SparseVector

from knowledge.french import content_stems

SATURATION = 1.2
LENGTH_SHARE = 0.75
"""k1 and b of BM25, at their customary values."""
AVERAGE_STEMS = 96
"""Mean length, in content stems, of the passages that ship with the agent (tests measure it)."""


def stem_id(stem: str) -> int:
    """A stem's index in the sparse space: 31 bits of BLAKE2s, the same on every machine and run."""
    return int.from_bytes(blake2s(stem.encode(), digest_size=4).digest(), "big") & 0x7FFF_FFFF


class FrenchBm25(SparseEmbeddings):
    """BM25 weights over French stems. Stateless; safe in several threads."""

    def embed_documents(self, texts: list[str]) -> list[SparseVector]:
        """One vector per text: saturated frequencies, without the IDF, which the collection applies."""
        return [_document(content_stems(text)) for text in texts]

    def embed_query(self, text: str) -> SparseVector:
        """Ones for each different stem; an empty vector when ``text`` has small words only."""
        indices = sorted({stem_id(stem) for stem in content_stems(text)})
        return SparseVector(indices=indices, values=[1.0] * len(indices))


def _document(stems: list[str]) -> SparseVector:
    counts: Counter[int] = Counter(stem_id(stem) for stem in stems)
    floor = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * len(stems) / AVERAGE_STEMS)
    indices = sorted(counts)
    values = [counts[index] * (SATURATION + 1) / (counts[index] + floor) for index in indices]
    return SparseVector(indices=indices, values=values)
