"""Which known question is being asked, by all that its wordings have in common with what was heard.

:mod:`knowledge.relevance` compares a question with one wording at a time; a caller's own words are often
spread over several of them. Here all wordings of a topic speak together.

Theory of operation. A wording becomes a bag of features of three families: stems of content words, pairs
of neighbouring stems with the small words ("combien coûte" is not "combien de temps"), and runs of three
and four letters inside words, which survive a wrong transcription. Each is weighed by tf-idf and each
family brought to its share, so that a long wording says no more than a short one. The weights are counted
by topic, and a naive Bayes (multinomial, smoothed) gives for each feature how much it speaks for each
topic against the average one. Counting is the whole training: a tenth of a second for four thousand
wordings, always the same result, and a new wording counts at the next start.

The sum over a question's features is its evidence; what nothing was ever worded with says nothing.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from knowledge.french import content_stems, fold, ngrams, stem, words

SMOOTHING = 0.01
"""Weight that every topic has of every feature, seen or not (tuned on wordings left out of the counting)."""
SPREAD = 2.3
"""How far topics usually lie apart, in nats: evidence is told in this unit."""
_SHARES = {"stem": 1.0, "pair": 0.6, "letters": 0.9}
_LETTERS = (3, 4)

Evidence = NDArray[np.float32]
_Feature = tuple[str, str]


class Topics:
    """Weighs a question against groups of wordings, one group per topic. Immutable; any thread may ask."""

    def __init__(self, wordings: Sequence[Sequence[str]]) -> None:
        """Count the features of ``wordings``: the ways in which each topic is asked."""
        groups = [(topic, _features(one)) for topic, asked in enumerate(wordings) for one in asked]
        seen: Counter[_Feature] = Counter()
        for _, features in groups:
            seen.update(features.keys())
        total = len(groups)
        self._rows = {feature: row for row, feature in enumerate(sorted(seen))}
        self._idf = {one: math.log((1 + total) / (1 + count)) + 1 for one, count in seen.items()}
        self._unseen_idf = math.log(1 + total) + 1
        counted = np.zeros((len(self._rows), len(wordings)), dtype=np.float32)
        for topic, features in groups:
            rows, weights = self._weigh(features)
            counted[rows, topic] += weights
        mass = counted.sum(axis=0) + SMOOTHING * max(1, len(self._rows))
        logs = np.log((counted + SMOOTHING) / mass)
        average = logs.sum(axis=1, keepdims=True) / max(1, len(wordings))
        self._speaks = (logs - average) / np.float32(SPREAD)

    def evidence(self, question: str) -> Evidence:
        """How much ``question`` speaks for each topic, in the order given; 0 is as for the average one."""
        rows, weights = self._weigh(_features(question))
        return np.asarray(weights @ self._speaks[rows], dtype=np.float32)

    def _weigh(self, features: Counter[_Feature]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows and weights of the known features; the length counts the unknown ones too."""
        weights = {
            one: (1 + math.log(count)) * self._idf.get(one, self._unseen_idf)
            for one, count in features.items()
        }
        squares = dict.fromkeys(_SHARES, 0.0)
        for (family, _), weight in weights.items():
            squares[family] += weight * weight
        whole = math.sqrt(sum(_SHARES[family] ** 2 for family, square in squares.items() if square)) or 1.0
        scale = {
            family: _SHARES[family] / (whole * math.sqrt(square))
            for family, square in squares.items()
            if square
        }
        known = [(self._rows[one], weights[one] * scale[one[0]]) for one in features if one in self._rows]
        rows = np.array([row for row, _ in known], dtype=np.int64)
        return rows, np.array([weight for _, weight in known], dtype=np.float32)


def _features(text: str) -> Counter[_Feature]:
    heard = words(text)
    found: Counter[_Feature] = Counter(("stem", one) for one in content_stems(text))
    found.update(("pair", " ".join(pair)) for pair in ngrams(["^", *map(stem, heard), "$"], 2) if heard)
    for word in heard:
        found.update(_letters(word))
    return found


@lru_cache(maxsize=20_000)
def _letters(word: str) -> tuple[_Feature, ...]:
    fenced = f"<{fold(word)}>"
    return tuple(
        ("letters", fenced[at : at + length]) for length in _LETTERS for at in range(len(fenced) - length + 1)
    )
