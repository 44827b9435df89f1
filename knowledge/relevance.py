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

One wording at a time is not enough: a caller's words are often spread over several. So the score is
weighed against the evidence of :mod:`knowledge.topics`, for the passage and for the questions that belong
to people, in a logistic regression: :meth:`Relevance.chance` is the probability that the passage is the
right answer. Its weights were fitted on the shipped wordings, each scored by what was counted without it
(five folds), and on the tuning halves of the tables of tests/knowledge. A question asked word for word has
a chance of one.

A caller who tells his story asks in one clause of it. So a long question is also read in parts of a dozen
words, each half of which is in the next; what speaks for a passage, or for people, is the part that says
it most clearly.

Some questions are near what is known and still have no answer here (prices, other products, legal
advice). Two lists keep them out, and lower scores under the threshold whatever they were:

- ``unanswerable.txt``, whole questions: the nearer to a line of it, the less chance for any passage;
- ``out_of_scope.txt``, expressions (prices, competitors, other branches): a question that holds one is
  hardly ever answered by a passage that is not asked with it; never, where the expression begins with ``!``
  (advice: Code des assurances L522-5 leaves it to people).

A question of one content word says little: a passage must be asked in nearly that word alone.

Before that, what a transcription cut wrongly is put right by ear (:mod:`knowledge.hearing`), and a word
nobody wrote is read as one somebody did: as one that sounds the same (``cinistre``), else as the nearest
within an edit distance (``bénéfissiaire``).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

from knowledge.french import content_stem, content_stems, content_words, fold, gist, lines, stems
from knowledge.hearing import Hearing
from knowledge.topics import Topics

UNANSWERABLE_FILE = Path(__file__).parent / "unanswerable.txt"
"""Questions the agent leaves to people; edited by whoever writes the answers."""
OUT_OF_SCOPE_FILE = Path(__file__).parent / "out_of_scope.txt"
"""Expressions of what the agent knows nothing about; edited by the same."""
ANSWER_CREDIT = 0.5
"""What a stem found only in the answer counts, against 1 in the question (tuned, see tests/knowledge)."""
COVERAGE_SHARE = 0.5
"""Share of coverage in the score; the rest is closeness (tuned)."""
REFUSED_SHARE = 0.49
"""What is left of the scores of a question that belongs to people: at most 0.49, under the threshold."""
SCORE_WEIGHT, PART_WEIGHT, TOPIC_WEIGHT = 0.34, 1.03, 0.96
REFUSAL_WEIGHT, PEOPLE_WEIGHT, OUTSIDE_WEIGHT, BIAS = -0.9, -0.82, -2.17, -2.79
"""The logistic regression of :meth:`Relevance.chance` (see the module). The bias puts the threshold where
95 % of what belongs to people was refused, in tables whose questions nobody had yet worded here."""
LONE_WORD_FLOOR = 0.2
"""Least share of its score that a question of one content word keeps ("vous avez des enfants")."""
UNKNOWN_WEIGHT = 0.8
"""What a word that no passage and no list holds weighs, against the rarest known one (tuned)."""
REPAIR_LIKENESS = 85.0
"""Least likeness (Indel ratio, 0..100) for an unknown word to be read as a known one."""
_SHORTEST_REPAIRED = 6
_SHORTEST_HEARD = 5
_SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"[ae]m(?=[bp])|[ae]n(?![aeiouyn])", "A"),
        (r"[iy]n(?![aeiouyn])|ain|ein", "I"),
        (r"eau|au", "o"),
        (r"ph", "f"),
        (r"sch|ch|sh", "S"),
        (r"gn", "N"),
        (r"h", ""),
        (r"qu|q|k|c(?![eiyS])", "k"),
        (r"(?<=[aeiouy])s(?=[aeiouy])", "z"),
        (r"sc(?=[eiy])|[cs]|t(?=ion)", "s"),
        (r"g(?=[eiy])|j", "j"),
        (r"ai|ei|oe|e", "e"),
        (r"y", "i"),
        (r"(.)\1+", r"\1"),
        (r"(?:er|ez|ent|es|e|s|t|d|x|z)$", ""),
    )
)
"""Spellings of one French sound, in the order in which they are replaced: rough, and meant to be."""

PART_WORDS = 12
PART_STEP = 6
MOST_PARTS = 12
"""The parts of a long question: words of one, words to the next, and how many are read. Whoever tells a long
story asks at its end."""
WORTH_PARTS = 8
"""Passages that are compared with every part: those the question speaks for most."""

FEWEST_TOPICS = 40
"""Passages from which on wordings are evidence; of fewer, somebody's first questions, the score alone
and the nearest line for people decide."""
NEARLY_REFUSED = 0.75
"""Score from which a question is nearly a line of ``unanswerable.txt``: whoever wrote it meant it."""


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
    outside: frozenset[tuple[str, ...]]
    """The expressions of ``out_of_scope.txt`` that it holds, as stems."""
    evidence: tuple[float, ...] = ()
    """How much it speaks for each passage that is asked, then for the questions that belong to people."""
    balance: tuple[float, ...] = ()
    """For each passage that is asked, the evidence for it less that for people, where that is best told."""
    parts: tuple[frozenset[str], ...] = ()
    """The content stems of each part of a long one; of a short one, there are none."""
    worth_parts: float = -math.inf
    """Least evidence of a passage that is worth comparing with every part."""


@dataclass(frozen=True, slots=True)
class _Analysed:
    questions: tuple[frozenset[str], ...]
    asked: frozenset[str]
    body: frozenset[str]
    spoken: str
    """Every stem of the questions in order, between spaces: where expressions are looked for."""
    whole: frozenset[frozenset[str]]
    """The questions with their small words."""


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
        self._refused_whole = frozenset(frozenset(stems(line)) for line in refused_questions)
        self._analysed = {wording: _analyse(wording) for wording in wordings}
        # Sorted: sums come out the same to the last bit whatever order the passages come in.
        asked = sorted(
            (one for one in self._analysed if one.questions), key=lambda one: (one.questions, one.body)
        )
        self._topic = {wording: number for number, wording in enumerate(asked)}
        self._topics = Topics([*(wording.questions for wording in asked), refused_questions])
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
        self._unknown_idf = UNKNOWN_WEIGHT * math.log(1 + (total + 0.5) / 0.5)
        # Sorted: of two equally near words, the same one is taken whatever order the passages come in.
        self._written_weights: dict[frozenset[str], float] = {}
        self._refused_by_stem: dict[str, list[frozenset[str]]] = {}
        for refused in self._refused:
            for stem in refused:
                self._refused_by_stem.setdefault(stem, []).append(refused)
        self._hearing = Hearing([*written, *_outside_words()])
        known = sorted({one for text in written for one in content_words(text)})
        self._spelling = {fold(word): word for word in known}
        self._sounds = {_sound(word): word for word in reversed(known)}

    def repair(self, question: str) -> str:
        """The content words of ``question``, those nobody wrote read as the nearest that somebody did.

        Only from six letters on, and with the same initial; the question itself when it has small words only.
        """
        return self._spelt(self._hearing.read(question)) or question

    def _spelt(self, heard: str) -> str:
        return " ".join(self._repaired(word) for word in content_words(heard))

    def read(self, question: str) -> Question:
        """``question`` repaired and cut, once for all the passages it is scored against."""
        heard = self._hearing.read(question)
        spoken = _spoken([question, heard])
        outside = frozenset(one for one in _outside() if f" {' '.join(one)} " in spoken)
        said = gist(heard)
        parts = _parts(said)
        ways = [heard, " ".join(said), *parts]
        weighed = np.array([self._topics.evidence(one) for one in ways])
        evidence = weighed.max(axis=0)
        # What a story tells besides may belong to people: each part is weighed by itself.
        balance = (TOPIC_WEIGHT * weighed[:, :-1] + PEOPLE_WEIGHT * weighed[:, -1:]).max(axis=0)
        content = frozenset(content_stems(self._spelt(heard)))
        every = frozenset(stems(question))
        in_parts = tuple(frozenset(content_stems(self._spelt(part))) for part in parts)
        worth = float(np.sort(evidence[:-1])[-WORTH_PARTS:][0]) if len(evidence) > 1 else -math.inf
        return Question(
            content, every, outside, tuple(evidence.tolist()), tuple(balance.tolist()), in_parts, worth
        )

    def out_of_scope(self, question: Question, wording: Wording) -> bool:
        """Whether ``question`` holds an expression out of scope that ``wording`` is not asked with."""
        return bool(self._out_of_scope(question, wording))

    def _out_of_scope(self, question: Question, wording: Wording) -> set[tuple[str, ...]]:
        if not question.outside:
            return set()
        passage = self._analysed.get(wording) or _analyse(wording)
        return {
            one
            for one in question.outside
            if f" {' '.join(one)} " not in passage.spoken
            and not any(_outside()[one] <= asked for asked in passage.questions)
        }

    def nuance(self, question: Question, wording: Wording) -> float:
        """How near the nearest question of ``wording`` is with its small words, to decide between equals."""
        return max(
            (
                2 * len(question.every & one) / (len(question.every) + len(one))
                for one in (frozenset(stems(asked)) for asked in wording.questions)
                if one
            ),
            default=0.0,
        )

    def score(self, question: Question, wording: Wording) -> float:
        """How well ``wording`` answers ``question``, in 0..1, refusals not considered."""
        if not question.content:
            return _small_words_in_common(question.every, wording)
        return self._score(question.content, wording)

    def in_parts(self, question: Question, wording: Wording, score: float) -> float:
        """:meth:`score` of the part of a long ``question`` that ``wording`` answers best; at least ``score``.

        Of passages that the question hardly speaks for, the parts are not compared.
        """
        if self.evidence(question, wording) < question.worth_parts:
            return score
        return max([score, *(self._score(part, wording) for part in question.parts if part)])

    def _score(self, asked: frozenset[str], wording: Wording) -> float:
        passage = self._analysed.get(wording) or _analyse(wording)
        in_answer = (asked & passage.body) - passage.asked
        found = self._weight(asked & passage.asked) + ANSWER_CREDIT * self._weight(in_answer)
        whole = self._weight(asked)
        coverage = found / whole
        # A piece of a plain document is asked in no particular way: what it covers is all there is to say.
        closeness = max(
            (
                2 * self._weight(asked & one) / (whole + self._written_weight(one))
                for one in passage.questions
            ),
            default=coverage,
        )
        score = COVERAGE_SHARE * coverage + (1 - COVERAGE_SHARE) * closeness
        return score * max(closeness**2, LONE_WORD_FLOOR) if len(asked) == 1 and passage.questions else score

    def chance(self, question: Question, wording: Wording, score: float, refusal: float) -> float:
        """How likely ``wording`` is to answer ``question``, in 0..1, by ``score`` and ``refusal``.

        ``refusal`` is :meth:`refusal_in_parts`. 0 when they have no word in common. A passage that is asked
        in no particular way has its score.
        """
        topic = self._topic.get(wording)
        outside = self._out_of_scope(question, wording)
        if score <= 0 or topic is None or len(self._topic) < FEWEST_TOPICS:
            return score * REFUSED_SHARE if outside else score
        if question.every in self._analysed[wording].whole:
            return 1.0
        if not outside.isdisjoint(_never()):
            return score * REFUSED_SHARE
        logit = (
            BIAS
            + SCORE_WEIGHT * score
            + PART_WEIGHT * self.in_parts(question, wording, score)
            + question.balance[topic]
            + REFUSAL_WEIGHT * refusal
            + OUTSIDE_WEIGHT * bool(outside)
        )
        return 1 / (1 + math.exp(-logit))

    def evidence(self, question: Question, wording: Wording) -> float:
        """How much ``question`` speaks for ``wording``; without bound for one asked in no particular way."""
        topic = self._topic.get(wording)
        return math.inf if topic is None else question.evidence[topic]

    def for_people(self, question: Question, best_score: float, refusal: float) -> bool:
        """Whether ``question`` is a line of those that belong to people, or nearer to one than to any answer.

        ``best_score`` is the highest :meth:`score` of a passage.
        """
        least = NEARLY_REFUSED if len(self._topic) >= FEWEST_TOPICS else 0.0
        return question.every in self._refused_whole or refusal > max(best_score, least)

    def refusal(self, question: Question) -> float:
        """How near ``question`` is to one that belongs to people, on the scale of :meth:`score`."""
        return self._refusal(question.content)

    def refusal_in_parts(self, question: Question) -> float:
        """:meth:`refusal` of the part of a long ``question`` that is nearest to what belongs to people."""
        return max(self._refusal(asked) for asked in (question.content, *question.parts))

    def _refusal(self, asked: frozenset[str]) -> float:
        if not asked:
            return 0.0
        whole = self._weight(asked)
        near = {one for stem in asked for one in self._refused_by_stem.get(stem, ())}
        best = 0.0
        for one in near:
            common = self._weight(asked & one)
            dice = 2 * common / (whole + self._written_weight(one))
            best = max(best, COVERAGE_SHARE * common / whole + (1 - COVERAGE_SHARE) * dice)
        return best

    def _written_weight(self, written: frozenset[str]) -> float:
        """The weight of a question of the knowledge base, worked out once."""
        weight = self._written_weights.get(written)
        if weight is None:
            weight = self._written_weights[written] = self._weight(written)
        return weight

    def _weight(self, some: frozenset[str]) -> float:
        return sum(self._idf.get(one, self._unknown_idf) for one in some)

    def _repaired(self, word: str) -> str:
        if len(word) < _SHORTEST_HEARD or content_stem(word) in self._idf or word.isdigit():
            return word
        alike = self._sounds.get(_sound(word))
        if alike is not None:
            return alike
        if len(word) < _SHORTEST_REPAIRED:
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


@cache
def _outside() -> dict[tuple[str, ...], frozenset[str]]:
    """The expressions of ``out_of_scope.txt`` as stems, each with the stems it is told by in another order.

    "faire un devis" is not told by its one content word: it has itself instead, which no passage holds.
    """
    written = _outside_words()
    return {
        tuple(stems(one)): content if len(content) > 1 or len(stems(one)) == 1 else frozenset({one})
        for one, content in ((one, frozenset(content_stems(one))) for one in written)
    }


def _spoken(questions: Iterable[str]) -> str:
    return " | ".join(f" {' '.join(stems(question))} " for question in questions)


@lru_cache(maxsize=20_000)
def _sound(word: str) -> str:
    """How ``word`` sounds, roughly: ``cinistre`` as ``sinistre``, ``orère`` as ``horaires``."""
    heard = fold(word.replace("ç", "ss")).lower()
    for pattern, sound in _SOUNDS:
        heard = pattern.sub(sound, heard)
    return heard


@cache
def _never() -> frozenset[tuple[str, ...]]:
    """The expressions of ``out_of_scope.txt`` with ``!`` before them, as stems: they ask for advice."""
    return frozenset(tuple(stems(one)) for one in _expressions() if one.startswith("!"))


@cache
def _outside_words() -> tuple[str, ...]:
    return tuple(one.removeprefix("!") for one in _expressions())


@cache
def _expressions() -> tuple[str, ...]:
    return tuple(one.strip() for line in lines(OUT_OF_SCOPE_FILE) for one in line.split(",") if one.strip())


def _parts(said: Sequence[str]) -> list[str]:
    """A long question in parts of PART_WORDS, half of each in the next; the last ones of very many."""
    if len(said) <= PART_WORDS + PART_STEP // 2:
        return []
    starts = range(0, len(said) - PART_WORDS + PART_STEP, PART_STEP)
    return [" ".join(said[at : at + PART_WORDS]) for at in starts][-MOST_PARTS:]


def _analyse(wording: Wording) -> _Analysed:
    questions = tuple(frozenset(content_stems(question)) for question in wording.questions)
    asked: frozenset[str] = frozenset().union(*questions)
    whole = frozenset(frozenset(stems(question)) for question in wording.questions)
    body = frozenset(content_stems(wording.body))
    return _Analysed(questions, asked, body, _spoken(wording.questions), whole)


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
