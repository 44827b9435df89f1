"""What a transcription may have meant, when it cut the sounds into other words: « con bien de tant ».

A telephone ear that does not know the trade writes ordinary words for what it heard: « ras chat partiel »,
« con stat », « un nain cendie », « mon perd est des cédé ». Letters no longer match; sounds still do.

Theory of operation. Every run of one to three words that the knowledge is worded with is kept by how it
sounds (rough French letter-to-sound rules: nasal vowels, silent endings, liaison). In what was heard, a run
of up to four words, one of which nobody ever wrote, is read as the known run that sounds exactly the same.
A word that is known is never touched on its own, and neither is a run that is too short to mean much: this
repairs, it does not guess. Pure; the index is built once from the wordings.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from knowledge.french import fold, words

LONGEST_RUN = 3
"""Words of a known run."""
LONGEST_HEARD = 4
"""Words that an ear may have made of it."""
LEAST_SOUNDS = 4
"""Sounds from which a run is told by ear."""

_VOWELS = "aeiouyEAIOU"
_RULES = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"œu|oeu", "eu"),
        (r"[éèêë]", "E"),
        (r"ç", "ß"),
        (r"[àâä]", "a"),
        (r"[îï]", "i"),
        (r"[ûùü]", "u"),
        (r"ô", "o"),
        (r"[^a-zEß]", ""),
        (r"mpt", "mt"),
        (r"^(?:est|et|ait|es|ai|aie)$", "E"),
        (r"^([cdlmst])es$", r"\1E"),
        (r"ph", "f"),
        (r"sch|ch|sh", "S"),
        (r"h", ""),
        (r"gn", "N"),
        (r"(?<![s])ti(?=on|el)", "ßi"),
        (r"ss|sc(?=[eiyE])", "ß"),
        (r"(?<=[aeiouyE])s(?=[aeiouyE])", "z"),
        (r"ge(?=[ao])|g(?=[eiyE])|j", "Z"),
        (r"gu(?=[eiE])", "g"),
        (r"qu|ck|q", "k"),
        (r"c(?=[eiyE])", "ß"),
        (r"c", "k"),
        (r"(?:er|ez|ets?)$", "E"),
        (r"eaux?|au[xt]?|os$", "o"),
        (r"ou", "U"),
        (r"oin", "wI"),
        (r"oi|oy", "wa"),
        (r"(?<=[ie])en(?![aeiouyEnm])", "I"),
        (r"(?:ain|ein|aim|[iyu][nm])(?![aeiouyEnm])", "I"),
        (r"[ea][nm](?![aeiouyEnm])", "A"),
        (r"o[nm](?![aeiouyEnm])", "O"),
        (r"a[iy]|e[iy]", "E"),
        (r"eu", "e"),
        (r"e(?=([a-zSZNß])\1)|e(?=[rlst][^aeiouyEAIOU])", "E"),
        (r"(?<=[aeUE])ill?e?", "j"),
        (r"y", "i"),
        (r"x$", ""),
        (r"x", "ks"),
        (r"(.)\1+", r"\1"),
        (r"(?<=..)[tdpsxz]+$", ""),
        (r"(?<=.)e$", ""),
        (r"ß", "s"),
        (r"(.)\1+", r"\1"),
    )
)
_WITH_N = frozenset({"un", "mon", "ton", "son", "en", "on", "bien", "aucun"})
_WITH_Z = frozenset({"les", "des", "mes", "ses", "vos", "nos", "ces", "deux", "trois", "nous", "vous"})


@lru_cache(maxsize=20_000)
def sounds(word: str) -> str:
    """How one French word sounds, a letter a sound, roughly: ``temps`` and ``tant`` both give ``tA``."""
    heard = word.lower()
    for pattern, sound in _RULES:
        heard = pattern.sub(sound, heard)
    return heard


class Hearing:
    """Reads what was transcribed by ear as what was written. Immutable; any thread may ask."""

    def __init__(self, written: Iterable[str]) -> None:
        """Keep the runs of words of ``written``, the knowledge's own wordings."""
        counts: Counter[tuple[str, ...]] = Counter()
        for text in written:
            said = words(text)
            counts.update(
                tuple(said[at : at + length])
                for length in range(1, LONGEST_RUN + 1)
                for at in range(len(said) - length + 1)
            )
        self._known = frozenset(fold(run[0]) for run in counts if len(run) == 1)
        self._runs: dict[str, tuple[str, ...]] = {}
        # The commoner of two that sound alike; of equals always the same.
        for run, _ in sorted(counts.items(), key=lambda one: (-one[1], len(one[0]), one[0])):
            for heard in _ways(run):
                if len(heard) >= LEAST_SOUNDS:
                    self._runs.setdefault(heard, run)

    def read(self, text: str) -> str:
        """``text`` with what an ear cut wrongly put right; ``text`` itself if nothing is to be repaired."""
        said = words(text)
        strange = [fold(word) not in self._known and not word.isdigit() for word in said]
        if not any(strange):
            return text
        # From the end: the reading that leaves the fewest words strange, then changes the fewest.
        best: list[tuple[int, int, tuple[str, ...]]] = [(0, 0, ())]
        for at in range(len(said) - 1, -1, -1):
            left, changed, rest = best[-1]
            ways = [(left + strange[at], changed, (said[at], *rest))]
            for length in range(1, min(LONGEST_HEARD, len(said) - at) + 1):
                run = self._runs.get("".join(map(sounds, said[at : at + length])))
                if run is not None and len(run) <= length and any(strange[at : at + length]):
                    left, changed, rest = best[-length]
                    ways.append((left, changed + length, (*run, *rest)))
            best.append(min(ways, key=lambda way: way[:2]))
        read = list(best[-1][2])
        return " ".join(read) if read != said else text


def _ways(run: tuple[str, ...]) -> set[str]:
    """How ``run`` may sound: without and with the liaisons of its small words."""
    plain = "".join(map(sounds, run))
    linked = ""
    for word, after in zip(run, (*run[1:], ""), strict=True):
        linked += sounds(word)
        if sounds(after)[:1] in _VOWELS and after:
            linked += "n" if word in _WITH_N else "z" if word in _WITH_Z else ""
    return {plain, linked}
