"""How well a passage answers a question, as a number that means the same for every question. Pure.

BM25 and rank fusion order passages well, but their scores say nothing across questions: the best
of bad passages also comes first. The agent must be able to say "I don't know", so the order found
by a search is re-scored here.

Theory of operation. Each content stem weighs its IDF over the passages; a stem that no passage
holds weighs most, because it is what the caller asked about and nobody wrote about. Then

- *coverage*: the part of the question's weight found in the passage, in full where the passage
  asks it (heading, variants), in part where it only appears in the answer;
- *closeness*: the Dice overlap, by weight, with the nearest of the wordings the passage is asked in.

The score mixes the two. A question about something else in familiar words ("combien coûte une
assurance auto") loses on both: ``auto`` and ``coûte`` are heavy and missing.

Before that, a word no passage holds is read as the nearest word one does (``bénéfissiaire``),
within an edit distance, because transcriptions misspell.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from knowledge.french import content_stem, content_stems, content_words, fold, stems

ANSWER_CREDIT = 0.5
"""What a stem found only in the answer counts, against 1 in the question (tuned, see tests/knowledge)."""
COVERAGE_SHARE = 0.5
"""Share of coverage in the score; the rest is closeness."""
REPAIR_LIKENESS = 80.0
"""Least likeness (Indel ratio, 0..100) for an unknown word to be read as a known one."""
_SHORTEST_REPAIRED = 5


@dataclass(frozen=True, slots=True)
class Wording:
    """What a passage says: the ways it is asked, and the text that answers."""

    questions: tuple[str, ...]
    body: str


@dataclass(frozen=True, slots=True)
class _Analysed:
    questions: tuple[frozenset[str], ...]
    asked: frozenset[str]
    body: frozenset[str]


class Relevance:
    """Scores passages against questions. Built over all passages, for their IDF; then immutable."""

    def __init__(self, wordings: Iterable[Wording]) -> None:
        """Count in how many of ``wordings`` each stem appears."""
        self._analysed = {wording: _analyse(wording) for wording in wordings}
        documents: Counter[str] = Counter()
        known: dict[str, str] = {}
        for wording, analysed in self._analysed.items():
            documents.update(analysed.asked | analysed.body)
            for text in (*wording.questions, wording.body):
                known.update((fold(word), word) for word in content_words(text))
        self._known = known
        total = len(self._analysed)
        self._idf = {
            one: math.log(1 + (total - count + 0.5) / (count + 0.5)) for one, count in documents.items()
        }
        self._unknown_idf = math.log(1 + (total + 0.5) / 0.5)

    def repair(self, question: str) -> str:
        """``question`` with unknown words of five letters or more read as the nearest known word."""
        return " ".join(self._repaired(word) for word in content_words(question)) or question

    def score(self, question: str, wording: Wording) -> float:
        """How well ``wording`` answers ``question`` (repaired or not), in 0..1; 0 without content words."""
        asked = frozenset(content_stems(question))
        passage = self._analysed.get(wording) or _analyse(wording)
        if not asked:
            return _small_words_in_common(question, wording)
        whole = self._weight(asked)
        found = self._weight(asked & passage.asked)
        found += ANSWER_CREDIT * self._weight((asked & passage.body) - passage.asked)
        closeness = max(
            (
                2 * self._weight(asked & wanted) / (whole + self._weight(wanted))
                for wanted in passage.questions
                if wanted
            ),
            default=found / whole,
        )
        return COVERAGE_SHARE * found / whole + (1 - COVERAGE_SHARE) * closeness

    def _weight(self, asked: frozenset[str]) -> float:
        return sum(self._idf.get(one, self._unknown_idf) for one in asked)

    def _repaired(self, word: str) -> str:
        if len(word) < _SHORTEST_REPAIRED or content_stem(word) in self._idf:
            return word
        misheard = fold(word)
        nearest = process.extractOne(
            misheard, self._known.keys(), scorer=fuzz.ratio, score_cutoff=REPAIR_LIKENESS
        )
        if nearest is None or nearest[0][0] != misheard[0]:
            return word
        return self._known[nearest[0]]


def _analyse(wording: Wording) -> _Analysed:
    questions = tuple(frozenset(content_stems(question)) for question in wording.questions)
    return _Analysed(questions, frozenset().union(*questions), frozenset(content_stems(wording.body)))


def _small_words_in_common(question: str, wording: Wording) -> float:
    """For a question of small words only ("que savez-vous faire"): the Dice overlap of all its words."""
    asked = frozenset(stems(question))
    return max(
        (
            2 * len(asked & wanted) / (len(asked) + len(wanted))
            for wanted in (frozenset(stems(one)) for one in wording.questions if not content_stems(one))
            if wanted
        ),
        default=0.0,
    )
