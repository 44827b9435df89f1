"""What the caller wants, guessed from a sentence in a few milliseconds, without a network.

Theory of operation. An utterance loses what says nothing (hesitations, greetings, stutters, « mon
conseiller m'a dit que… »: :func:`knowledge.french.gist`) and becomes a bag of features: word stems, small
words included ("mon dossier" is not "un dossier"), pairs of neighbouring stems and of stems with one between,
how words sound, runs of three to five letters inside words, and runs of four to six sounds across words
(« dé gars des os »); the last three survive mis-transcriptions. Each is weighed by tf-idf, every family and
then the whole brought to length one; features never seen in training count in the length, so that gibberish
is short in what is known. On these, one regularised least-squares classifier per kind of request (kernel
ridge: with fewer utterances than features, the exact solution is one linear system of their number, so
training is quick and always the same).

Confidence. Scores become probabilities by a softmax whose sharpness is fitted on leave-one-out scores,
which ridge regression gives in closed form (residual / diagonal of the inverse): no utterance judges
itself. A constant rival, "none of these", takes part; its share is what an utterance like nothing seen
leaves to the others.

Training utterances are the ``intents/*.txt`` files, edited without touching code: ``<intent>.txt``, and
``<intent>.<act>.txt`` for those that also do something (:class:`knowledge.acts.Act`).

Cost. Training is some eight seconds of processor for 6,500 utterances (it grows with their cube), so what was
learnt can be kept in a file; it is believed as long as neither the utterances nor this code have changed.
"""

import hashlib
import json
import logging
import math
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge import french
from knowledge.acts import Act
from knowledge.documents import read_folder
from knowledge.french import fold, gist, ngrams, sound, stem, words

log = logging.getLogger(__name__)

INTENTS_FOLDER = Path(__file__).parent / "intents"
"""The utterances that ship with the agent."""
UNKNOWN = "other"
"""The intent of an empty utterance; it needs a file like the others."""
QUESTIONS = "faq"
"""The intent of a general question, which the knowledge answers."""

_RIDGE = 0.4
"""Regularisation; a smaller one trusts each training line more."""
_FAMILY_SHARES = {"stem": 1.0, "pair": 1.0, "skip": 0.5, "sound": 0.6, "letters": 0.7, "stream": 1.0}
_FAIRNESS = 0.35
"""0: every line of every file weighs the same; 1: every file does."""
_LETTERS = (3, 4, 5)
_STREAM = (4, 5, 6)
_NONE_SCORE = 0.3
"""The score of "none of these": scores are near 1 for an intent, near 0 for what resembles nothing."""
_SHARPNESS = tuple(range(2, 31))
_RARE = 64
"""A feature of at most so many utterances is compared pair by pair, which is quicker than a column."""
_BLOCK = 256
"""Rows up to which a matrix is inverted as it is."""

LIKELY_ACT = 0.5
"""From this probability on, what the classifier takes a request to do is believed."""

_Matrix = NDArray[np.float32]


class IntentFilesError(Exception):
    """The training utterances cannot be used; the message names the file, the line, and the remedy."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What an utterance most likely asks for."""

    intent: str
    confidence: float
    """Probability that ``intent`` is right, 0..1; low for what resembles nothing known."""
    runner_up: str
    """The next intent; worth asking about, or taking up afterwards, when ``margin`` is small."""
    margin: float
    """Confidence less the runner-up's, 0..1."""
    act: Act | None = None
    """What lies under the intent, when it is known."""
    said: str = ""
    """The words of this request, when the sentence holds two."""
    then: "Guess | None" = None
    """The other request of the sentence, to be taken up afterwards."""
    several: bool = False
    """The sentence has several parts, and not every one of them is clear."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What one file of utterances teaches."""

    intent: str
    act: Act | None = None


class IntentClassifier(Protocol):
    """Guesses intents. One instance serves every call, from any thread."""

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents it knows, by name."""

    def classify(self, text: str) -> Guess:
        """The intent of ``text`` as transcribed; ``other`` with confidence 0 when it has no word."""


class LocalIntentClassifier:
    """Trained at start-up from text files; see the module for how it works."""

    def __init__(
        self, kinds: tuple["Kind", ...], vocabulary: "_Vocabulary", weights: _Matrix, sharpness: float
    ) -> None:
        """Use :meth:`train`."""
        self._kinds = kinds
        self._intents = tuple(dict.fromkeys(kind.intent for kind in kinds))
        self._places = np.array([self._intents.index(kind.intent) for kind in kinds])
        self._vocabulary = vocabulary
        self._weights = weights
        self._sharpness = sharpness

    @classmethod
    def train(
        cls,
        folder: Path = INTENTS_FOLDER,
        questions: Iterable[str] | None = None,
        kept_in: Path | None = None,
    ) -> "LocalIntentClassifier":
        """Learn the intents of ``folder``; one utterance per line of its files, ``#`` comments.

        ``questions`` count as utterances of ``faq``, where the folder has it: by default the headings of the
        knowledge that ships with the agent, so that a new answer is also routed to. ``kept_in`` is the file
        (``.npz``) where what was learnt waits for the next start.
        Deterministic; seconds of processor, tenths when it was kept. Raises :class:`IntentFilesError`.
        """
        examples = read_utterances(folder)
        if Kind(QUESTIONS) in examples:
            headings = _asked() if questions is None else questions
            written = {tuple(words(one)) for texts in examples.values() for one in texts}
            examples[Kind(QUESTIONS)] += [one for one in headings if tuple(words(one)) not in written | {()}]
        if kept_in is None:
            return cls._learn(examples)
        fingerprint = _fingerprint(examples)
        kept = cls._kept(kept_in, fingerprint, tuple(examples))
        if kept is None:
            kept = cls._learn(examples)
            kept.keep(kept_in, fingerprint)
        return kept

    @classmethod
    def _learn(cls, examples: Mapping["Kind", Sequence[str]]) -> "LocalIntentClassifier":
        kinds = tuple(examples)
        labels = np.array([row for row, kind in enumerate(kinds) for _ in examples[kind]])
        utterances = [_features(text) for texts in examples.values() for text in texts]
        vocabulary = _Vocabulary.of(utterances)
        known = _Known([vocabulary.encode(one) for one in utterances])
        targets = np.eye(len(kinds), dtype=np.float32)[labels]
        # A line of a short file weighs more, but not so much that every file weighs the same.
        importance = ((len(labels) / len(kinds)) / np.bincount(labels)[labels]) ** _FAIRNESS
        kernel = known.compared()
        kernel[np.diag_indices_from(kernel)] += (_RIDGE / importance).astype(np.float32)
        half = _halved_inverse(kernel)
        solution = half.T @ (half @ targets)
        left_out = targets - solution / np.square(half).sum(axis=0)[:, None]
        sharpness = _fit_sharpness(left_out.astype(np.float64), labels)
        return cls(kinds, vocabulary, known.weights(solution), sharpness)

    @classmethod
    def _kept(cls, file: Path, fingerprint: str, kinds: tuple["Kind", ...]) -> "LocalIntentClassifier | None":
        """What was learnt from the same utterances; None when there is none, or it cannot be read."""
        try:
            with np.load(file, allow_pickle=False) as kept:
                if str(kept["fingerprint"]) != fingerprint:
                    return None
                features = [(family, one) for family, one in json.loads(kept["features"].tobytes())]
                vocabulary = _Vocabulary(features, kept["idf"], float(kept["unseen_idf"]))
                return cls(kinds, vocabulary, kept["weights"], float(kept["sharpness"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as exc:
            log.warning("intents.kept_unreadable %s: %s; learning again", file.name, exc)
            return None

    def keep(self, file: Path, fingerprint: str) -> None:
        """Write what was learnt, whole or not at all; the agent works as well without."""
        features = json.dumps(self._vocabulary.features).encode()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_name(f"{file.stem}.{os.getpid()}.npz")
            np.savez(
                beside,
                fingerprint=np.array(fingerprint),
                features=np.frombuffer(features, dtype=np.uint8),
                idf=self._vocabulary.idf,
                unseen_idf=np.array(self._vocabulary.unseen_idf),
                weights=self._weights,
                sharpness=np.array(self._sharpness),
            )
            beside.replace(file)
        except OSError as exc:
            log.warning("intents.not_kept %s: %s; the next start learns again", file.name, exc)

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents it knows, by name."""
        return self._intents

    def classify(self, text: str) -> Guess:
        """See :meth:`IntentClassifier.classify`."""
        if not words(text):
            return Guess(UNKNOWN, 0.0, UNKNOWN, 0.0)
        columns, values = self._vocabulary.encode(_features(text))
        scores = values @ self._weights[columns]
        by_kind = _chances(scores[None, :].astype(np.float64), self._sharpness)[0]
        chances = np.bincount(self._places, by_kind, len(self._intents))
        first, second = np.argsort(-chances, kind="stable")[:2]
        likeliest = int(np.argmax(by_kind))
        act = self._kinds[likeliest].act if by_kind[likeliest] >= LIKELY_ACT else None
        return Guess(
            self._intents[first],
            float(chances[first]),
            self._intents[second],
            float(chances[first] - chances[second]),
            act if self._kinds[likeliest].intent == self._intents[first] else None,
        )


class KeywordClassifier:
    """The twin: the first key found in the text, in the order given, decides; nothing found is ``other``."""

    def __init__(self, intents: Mapping[str, str]) -> None:
        """``intents``: part of an utterance, in any case and with or without accents → intent."""
        self._intents = {fold(part).lower(): intent for part, intent in intents.items()}

    @property
    def intents(self) -> tuple[str, ...]:
        """See :class:`IntentClassifier`."""
        return tuple(dict.fromkeys((*self._intents.values(), UNKNOWN)))

    def classify(self, text: str) -> Guess:
        """Sure when a key is found; ``other`` with confidence 0 when none is."""
        heard = fold(text).lower()
        found = [intent for part, intent in self._intents.items() if part in heard]
        if not found:
            return Guess(UNKNOWN, 0.0, UNKNOWN, 0.0)
        others = [intent for intent in found if intent != found[0]]
        return Guess(found[0], 1.0, others[0], 0.0) if others else Guess(found[0], 1.0, UNKNOWN, 1.0)


def read_utterances(folder: Path = INTENTS_FOLDER) -> dict[Kind, list[str]]:
    """Kind of request → its training utterances, by name.

    Raises :class:`IntentFilesError` when the folder, the file of ``other`` or a second intent is missing,
    when a file is empty, not UTF-8 or named after no act, and when two files claim the same utterance.
    """
    if not folder.is_dir():
        raise IntentFilesError(f"{folder}: this folder of intents does not exist")
    examples: dict[Kind, list[str]] = {}
    claimed: dict[tuple[str, ...], str] = {}
    for file in sorted(folder.glob("*.txt")):
        numbered = list(_lines(file))
        examples[_kind(file)] = [line for _, line in numbered]
        if not numbered:
            raise IntentFilesError(f"{file}: no utterance in this file; write at least one per line")
        for number, line in numbered:
            owner = claimed.setdefault(tuple(words(line)), file.stem)
            if owner != file.stem:
                raise IntentFilesError(f"{file}, line {number}: already an utterance of {owner}: {line}")
    if Kind(UNKNOWN) not in examples or len(examples) < 2:
        raise IntentFilesError(f"{folder}: needs {UNKNOWN}.txt and at least one more intent")
    return examples


def _fingerprint(examples: Mapping[Kind, Sequence[str]]) -> str:
    """Of the utterances and of the code that learns from them."""
    digest = hashlib.sha256()
    for source in (__file__, french.__file__):
        digest.update(Path(source).read_bytes())
    for kind, texts in examples.items():
        digest.update(json.dumps([kind.intent, kind.act, list(texts)]).encode())
    return digest.hexdigest()


def _asked() -> list[str]:
    """What the knowledge that ships with the agent answers."""
    return [one.question for one in read_folder()]


def _kind(file: Path) -> Kind:
    intent, _, act = file.stem.partition(".")
    if act and act not in set(Act):
        raise IntentFilesError(f"{file}: {act!r} is no act; after the intent's name, one of {', '.join(Act)}")
    return Kind(intent, Act(act) if act else None)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        number = file.read_bytes()[: exc.start].count(b"\n") + 1
        raise IntentFilesError(f"{file}, line {number}: not UTF-8; save the file as UTF-8") from exc
    except OSError as exc:
        raise IntentFilesError(f"{file}: cannot be read: {exc.strerror}") from exc
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            if not words(line):
                raise IntentFilesError(f"{file}, line {number}: an utterance without a word: {line.strip()}")
            yield number, line.strip()


def _features(text: str) -> dict[str, Counter[str]]:
    """How often each feature occurs, by family."""
    heard = gist(text)
    fenced = ["^", *map(stem, heard), "$"]
    letters: Counter[str] = Counter()
    for word in heard:
        padded = f"<{fold(word)}>"
        for length in _LETTERS:
            letters.update(padded[at : at + length] for at in range(len(padded) - length + 1))
    sounds = [sound(word) for word in heard]
    stream = f"|{''.join(sounds)}|"
    return {
        "stem": Counter(fenced[1:-1]),
        "pair": Counter(" ".join(pair) for pair in ngrams(fenced, 2)),
        "skip": Counter(" ".join(pair) for pair in zip(fenced, fenced[2:], strict=False)),
        "sound": Counter(sounds),
        "letters": letters,
        "stream": Counter(
            stream[at : at + length] for length in _STREAM for at in range(len(stream) - length + 1)
        ),
    }


_Row = tuple[NDArray[np.int64], _Matrix]
"""Columns, and their values, of one utterance."""


class _Vocabulary:
    """Features of the training utterances, with their weights."""

    def __init__(
        self, features: Sequence[tuple[str, str]], idf: NDArray[np.float64], unseen_idf: float
    ) -> None:
        """``features``: family and feature, by column."""
        self.features = tuple(features)
        self.idf = idf
        self.unseen_idf = unseen_idf
        self._columns = {
            one: (column, weight)
            for column, (one, weight) in enumerate(zip(features, idf.tolist(), strict=True))
        }
        self._unknown = (-1, unseen_idf)

    @classmethod
    def of(cls, utterances: Sequence[Mapping[str, Counter[str]]]) -> "_Vocabulary":
        """The features worth knowing of these utterances."""
        seen: Counter[tuple[str, str]] = Counter()
        for utterance in utterances:
            seen.update((family, one) for family, counts in utterance.items() for one in counts)
        # What one utterance alone has teaches hardly more than itself, save for a word of its own.
        features = sorted(one for one, count in seen.items() if count > 1 or one[0] == "stem")
        total = len(utterances)
        idf = np.array([math.log((1 + total) / (1 + seen[one])) + 1 for one in features])
        return cls(features, idf, math.log(1 + total) + 1)

    def encode(self, utterance: Mapping[str, Counter[str]]) -> _Row:
        """Columns and weights of the known features; with the unknown ones the length would be one."""
        columns: list[int] = []
        values: list[float] = []
        square = 0.0
        for family, counts in utterance.items():
            if not counts:
                continue
            found = [
                (self._columns.get((family, one), self._unknown), count) for one, count in counts.items()
            ]
            weighed = [(column, (1 + math.log(count)) * idf) for (column, idf), count in found]
            length = math.sqrt(sum(weight * weight for _, weight in weighed))
            share = _FAMILY_SHARES[family]
            square += share * share
            columns += [column for column, _ in weighed if column >= 0]
            values += [share * weight / length for column, weight in weighed if column >= 0]
        whole = math.sqrt(square) or 1.0
        return np.array(columns, dtype=np.int64), np.array(values, dtype=np.float32) / np.float32(whole)


class _Known:
    """The training utterances as a matrix, one per row, most of it zero."""

    def __init__(self, encoded: Sequence[_Row]) -> None:
        rows = np.repeat(np.arange(len(encoded)), [len(columns) for columns, _ in encoded])
        columns = np.concatenate([columns for columns, _ in encoded])
        order = np.argsort(columns, kind="stable")
        self._size = len(encoded)
        self._rows = rows[order]
        self._values = np.concatenate([values for _, values in encoded])[order]
        # Every column has a value: it is a feature of one of these utterances.
        _, self._starts, self._counts = np.unique(columns[order], return_index=True, return_counts=True)

    def compared(self) -> _Matrix:
        """How alike each utterance is to each other one: the matrix times its transpose."""
        count = np.repeat(self._counts, self._counts)
        common = count > _RARE
        places = np.cumsum(self._counts > _RARE) - 1
        dense = np.zeros((self._size, int((self._counts > _RARE).sum())), dtype=np.float32)
        dense[self._rows[common], np.repeat(places, self._counts)[common]] = self._values[common]
        alike: _Matrix = dense @ dense.T
        flat = alike.reshape(-1)
        for size in range(1, _RARE + 1):
            rows = self._rows[count == size].reshape(-1, size)
            values = self._values[count == size].reshape(-1, size)
            cells = (rows[:, :, None] * self._size + rows[:, None, :]).ravel()
            np.add.at(flat, cells, (values[:, :, None] * values[:, None, :]).ravel())
        return alike

    def weights(self, solution: _Matrix) -> _Matrix:
        """Per feature and kind: the transposed matrix times ``solution``."""
        shares = self._values[:, None] * solution[self._rows]
        return np.asarray(np.add.reduceat(shares, self._starts, axis=0), dtype=np.float32)


def _halved_inverse(matrix: _Matrix) -> _Matrix:
    """The lower triangle H of a positive definite matrix's inverse H.T @ H, written in the matrix's place.

    H is the inverse of the Cholesky factor. By halves, in single precision: a few big products, which is all
    that the processor does fast, and no second square of that size in memory; numpy's own solvers go to
    double precision and back.
    """
    size = len(matrix)
    if size <= _BLOCK:
        matrix[:] = np.tril(np.linalg.inv(np.linalg.cholesky(matrix)))
        return matrix
    cut = size // 2
    above = _halved_inverse(matrix[:cut, :cut])
    beside = matrix[cut:, :cut] @ above.T
    matrix[cut:, cut:] -= beside @ beside.T
    below = _halved_inverse(matrix[cut:, cut:])
    matrix[cut:, :cut] = -(below @ (beside @ above))
    matrix[:cut, cut:] = 0
    return matrix


def _chances(scores: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    """Softmax of each row, with the constant rival "none of these" in the sum but not in the result."""
    raised = np.exp(sharpness * (scores - scores.max(axis=1, keepdims=True)))
    rival = np.exp(sharpness * (_NONE_SCORE - scores.max(axis=1, keepdims=True)))
    return np.asarray(raised / (raised.sum(axis=1, keepdims=True) + rival))


def _fit_sharpness(left_out: NDArray[np.float64], labels: Iterable[int]) -> float:
    """The softmax sharpness under which the true intents of ``left_out`` scores are likeliest."""
    rows = np.arange(len(left_out))
    truth = np.asarray(labels)
    return float(max(_SHARPNESS, key=lambda s: np.log(_chances(left_out, s)[rows, truth] + 1e-12).sum()))
