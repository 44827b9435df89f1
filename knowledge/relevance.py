"""How well a passage answers a question, as a number that means the same for every question.

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

Some questions are near what is known and still have no answer here (prices, other products, legal
advice). ``unanswerable.txt`` lists them; a question nearer to one of its lines than to any passage
has all its scores lowered, under the threshold whatever they were.

Before that, a word nobody wrote is read as the nearest one somebody did (``bénéfissiaire``), within
an edit distance, because transcriptions misspell.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rapidfuzz import fuzz, process

from knowledge.french import content_stem, content_stems, content_words, fold, lines, stems

UNANSWERABLE_FILE = Path(__file__).parent / "unanswerable.txt"
"""Questions the agent leaves to people; edited by whoever writes the answers."""
ANSWER_CREDIT = 0.5
"""What a stem found only in the answer counts, against 1 in the question (tuned, see tests/knowledge)."""
COVERAGE_SHARE = 0.5
"""Share of coverage in the score; the rest is closeness (tuned)."""
REFUSED_SHARE = 0.49
"""What is left of the scores of a question that belongs to people: at most 0.49, under the threshold."""
REPAIR_LIKENESS = 85.0
"""Least likeness (Indel ratio, 0..100) for an unknown word to be read as a known one."""
_SHORTEST_REPAIRED = 6


@dataclass(frozen=True, slots=True)
class Wording:
    """What a passage says: the ways it is asked, and the text that answers."""

    questions: tuple[str, ...]
    body: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asked, as :meth:`Relevance.read` makes it: stems of content words, and of all words."""

    content: frozenset[str]
    every: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Analysed:
    questions: tuple[frozenset[str], ...]
    asked: frozenset[str]
    body: frozenset[str]


class Relevance:
    """Scores passages against questions. Built over all passages, for their IDF; then immutable."""

    def __init__(self, wordings: Iterable[Wording], unanswerable: Iterable[str] | None = None) -> None:
        """Count in how many of ``wordings`` each stem appears.

        ``unanswerable``: questions to refuse; by default those of ``unanswerable.txt``.
        """
        refused_questions = unanswerable_questions() if unanswerable is None else tuple(unanswerable)
        self._refused = frozenset(frozenset(content_stems(line)) for line in refused_questions) - {
            frozenset()
        }
        self._analysed = {wording: _analyse(wording) for wording in wordings}
        written = [*refused_questions]
        documents: Counter[str] = Counter()
        for wording, analysed in self._analysed.items():
            documents.update(analysed.asked | analysed.body)
            written += [*wording.questions, wording.body]
        for refused in self._refused:
            documents.update(refused)
        total = len(self._analysed) + len(self._refused)
        self._idf = {
            one: math.log(1 + (total - count + 0.5) / (count + 0.5)) for one, count in documents.items()
        }
        self._unknown_idf = math.log(1 + (total + 0.5) / 0.5)
        # Sorted: of two equally near words, the same one is taken whatever order the passages come in.
        self._spelling = {
            fold(word): word for word in sorted({one for text in written for one in content_words(text)})
        }

    def repair(self, question: str) -> str:
        """The content words of ``question``, those nobody wrote read as the nearest that somebody did.

        Only from six letters on, and with the same initial; the question itself when it has small words only.
        """
        return " ".join(self._repaired(word) for word in content_words(question)) or question

    def read(self, question: str) -> Question:
        """``question`` repaired and cut, once for all the passages it is scored against."""
        return Question(frozenset(content_stems(self.repair(question))), frozenset(stems(question)))

    def score(self, question: Question, wording: Wording) -> float:
        """How well ``wording`` answers ``question``, in 0..1, refusals not considered."""
        asked = question.content
        if not asked:
            return _small_words_in_common(question.every, wording)
        passage = self._analysed.get(wording) or _analyse(wording)
        in_answer = (asked & passage.body) - passage.asked
        found = self._weight(asked & passage.asked) + ANSWER_CREDIT * self._weight(in_answer)
        coverage = found / self._weight(asked)
        # A piece of a plain document is asked in no particular way: what it covers is all there is to say.
        closeness = max((self._dice(asked, one) for one in passage.questions), default=coverage)
        return COVERAGE_SHARE * coverage + (1 - COVERAGE_SHARE) * closeness

    def refusal(self, question: Question) -> float:
        """How near ``question`` is to one that belongs to people, on the scale of :meth:`score`."""
        asked = question.content
        if not asked:
            return 0.0
        whole = self._weight(asked)
        return max(
            (
                COVERAGE_SHARE * self._weight(asked & one) / whole
                + (1 - COVERAGE_SHARE) * self._dice(asked, one)
                for one in self._refused
            ),
            default=0.0,
        )

    def _dice(self, asked: frozenset[str], wanted: frozenset[str]) -> float:
        return 2 * self._weight(asked & wanted) / (self._weight(asked) + self._weight(wanted))

    def _weight(self, some: frozenset[str]) -> float:
        return sum(self._idf.get(one, self._unknown_idf) for one in some)

    def _repaired(self, word: str) -> str:
        if len(word) < _SHORTEST_REPAIRED or content_stem(word) in self._idf:
            return word
        heard = fold(word)
        nearest = process.extractOne(
            heard, self._spelling.keys(), scorer=fuzz.ratio, score_cutoff=REPAIR_LIKENESS
        )
        return self._spelling[nearest[0]] if nearest is not None and nearest[0][0] == heard[0] else word


@cache
def unanswerable_questions() -> tuple[str, ...]:
    """The lines of ``unanswerable.txt``, comments apart."""
    return tuple(lines(UNANSWERABLE_FILE))


def _analyse(wording: Wording) -> _Analysed:
    questions = tuple(frozenset(content_stems(question)) for question in wording.questions)
    return _Analysed(questions, frozenset().union(*questions), frozenset(content_stems(wording.body)))


def _small_words_in_common(asked: frozenset[str], wording: Wording) -> float:
    """For a question of small words only ("que savez-vous faire"): the Dice overlap of all its words."""
    return max(
        (
            2 * len(asked & wanted) / (len(asked) + len(wanted))
            for wanted in (frozenset(stems(one)) for one in wording.questions if not content_stems(one))
            if wanted
        ),
        default=0.0,
    )
