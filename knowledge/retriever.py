"""The knowledge port: a question in, the passages that answer it out, each with a score that can be trusted.

The real adapter is :mod:`knowledge.qdrant_retriever`; :class:`ListRetriever` is the in-memory twin.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from knowledge.relevance import REFUSED_SHARE, Question, Relevance, Wording

ANSWERABLE = 0.5
"""Least score at which a passage may be given as an answer; below it, say that you do not know."""

DIRECT = 0.9
"""Score from which a passage's own answer is spoken as it stands, at once, even when a model could word one.

Measured on the shipped wordings, each scored by what was counted without it (five folds): at or above it
the passage was the very one 82 times in 100 (many of the others say the same), and the question belonged to
people less than once; from ANSWERABLE to it, 58 times and 8. Those are the ones a model may read again with
the next passages beside."""
NOTHING = 0.01
"""Score up to which a passage has nothing to do with the question and is not returned."""
SHORTLIST = 32
"""Passages worth scoring: those the question speaks for most. Scoring is what takes the time."""
EQUAL = 1e-6
"""Scores that differ by less are equal: the small words of the question then decide."""

SOURCE_LABEL = "Source :"
"""Begins the paragraph of details that says where a rule comes from; not searched: all passages have one."""


class KnowledgeUnavailable(Exception):
    """The knowledge base could not be read or written (server away, folder locked, unreadable).

    Raised by adapters only, with the cause chained. Not for a question without an answer: that
    is an empty list, or a best score under :data:`ANSWERABLE`.
    """


@dataclass(frozen=True, slots=True)
class Passage:
    """A question with its answer, or a piece of a plain document."""

    id: str
    """The same from one indexing to the next: a UUID made of source and question."""
    question: str
    """The heading. Empty for a piece of a plain document."""
    answer: str
    """What may be spoken as it stands. Empty for a piece of a plain document: only a model can word it."""
    details: str
    """For the model and for advisers: rules, figures, dated sources. The whole text of a plain piece."""
    source: str
    """The file it comes from, relative to the indexed folder."""
    score: float = 0.0
    """How well it answers what was searched, 0..1, comparable across questions; 0 outside of a search."""
    variants: tuple[str, ...] = ()
    """Other ways to ask the same question."""

    @property
    def wording(self) -> Wording:
        """What the scoring reads."""
        asked = (self.question, *self.variants) if self.question else ()
        told = (one for one in self.details.split("\n\n") if not one.startswith(SOURCE_LABEL))
        return Wording(asked, "\n".join((self.answer, *told)))


class Retriever(Protocol):
    """Finds passages. One instance serves every call."""

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        """At most ``limit`` passages, best first, each with its ``score``; empty when nothing is near.

        Never blocks the event loop. Raises :class:`KnowledgeUnavailable`.
        """


class ListRetriever:
    """The twin: passages in a list, scored one by one as the real adapter scores its candidates."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        """Take ``passages`` as the whole knowledge base."""
        self._passages = tuple(passages)
        self._relevance = Relevance(passage.wording for passage in self._passages)

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        """See :meth:`Retriever.search`."""
        return rank(question, self._passages, self._relevance)[:limit]


def rank(
    question: str,
    passages: Iterable[Passage],
    relevance: Relevance,
    likeness: Mapping[str, float] | None = None,
    read: Question | None = None,
) -> list[Passage]:
    """``passages`` that have something to do with ``question``, scored, best first; ties by id.

    ``likeness``: other evidence by passage id, on the same 0..1 scale (dense vectors); the stronger counts.
    ``read``: the question, when ``relevance`` has read it already.
    """
    asked = relevance.read(question) if read is None else read
    other = likeness or {}
    speaking = sorted(passages, key=lambda one: (-relevance.evidence(asked, one.wording), one.id))
    near = [one for n, one in enumerate(speaking) if n < SHORTLIST or one.id in other]
    refusal = relevance.refusal(asked)
    scores = [relevance.score(asked, one.wording) for one in near]
    in_parts = relevance.refusal_in_parts(asked)
    scored = [
        (max(relevance.chance(asked, one.wording, score, in_parts), other.get(one.id, 0.0)), one)
        for score, one in zip(scores, near, strict=True)
    ]
    best = max((score for score, _ in scored), default=0.0)
    for_people = best < 1 and relevance.for_people(asked, max(scores, default=0.0), refusal)
    kept = [
        replace(
            one,
            score=score * REFUSED_SHARE if for_people else score,
        )
        for score, one in scored
        if score > NOTHING
    ]
    first = max((one.score for one in kept), default=0.0)
    equals = {one.id: relevance.nuance(asked, one.wording) for one in kept if one.score >= first - EQUAL}
    return sorted(kept, key=lambda one: (-round(one.score, 6), -equals.get(one.id, 0.0), one.id))
