"""What the caller wants, in all he said: acts by phrase, corrections, and two requests in one sentence.

The classifier (:mod:`knowledge.intents`) judges one request. Around it this module

- believes an act that its phrases show (:mod:`knowledge.acts`) before any likelihood: what must be met at
  once does not depend on one; a request that is clear goes before an insult or a complaint beside it;
- drops what the caller takes back (« je voulais mon sinistre, non pardon, mon contrat », « pas le contrat,
  le sinistre ») and keeps what he puts in its place;
- cuts a sentence where two requests may meet (« et aussi », « et puis », a full stop) and keeps both when
  each half is clear by itself and they ask for different things.

A few milliseconds, no network; one instance serves every call, from any thread.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from knowledge.acts import (
    INTENTS_OF,
    Act,
    act,
    asks_in_general,
    has_declared,
    is_elsewhere,
    is_of_another_company,
    may_be_name,
    may_say_name,
    only_gives_name,
    only_gives_numbers,
    only_takes_leave,
    wants_person,
)
from knowledge.french import plain
from knowledge.intents import Guess, IntentClassifier

CLEAR = 0.5
"""Confidence from which half of a sentence is a request of its own."""
SURE = 0.75
"""From this confidence on, what a whole sentence is like goes before single phrases in it."""
CERTAIN = 0.95
"""From this confidence on, a whole sentence is one thing rather than two."""
LOST = 0.35
"""Confidence under which a sentence resembles nothing."""
CLEAR_BESIDE = 0.75
"""The same, where only « et » or a comma parts the halves."""

_BY_PHRASE = 0.95
"""The confidence of what phrases show."""

_ONLY_ALONGSIDE = frozenset({Act.INSULT, Act.COMPLAINT, Act.HOLD_ON, Act.CALL_BACK})
"""Acts that leave a request its own way: who insults and asks for his claim is told about his claim."""

_HEADS = (
    r"j'aurais|je voudrais|j'aimerais|est[- ]ce|quel|comment|combien|passez|dites|donnez|o[uù]|vos|votre|mon"
    r"|ma|mes|parler|savoir|rappelez|envoyez|vous pourriez|vous pouvez|pourriez|pouvez|il faudrait|il me faut"
)
"""Words that begin a second request behind « et », and belong to it."""
_PARTS = re.compile(
    r"\s*(?:[.?!;]+\s+"
    r"|,?\s*\b(?:et|mais)\s+(?:puis|aussi|ensuite|apr[eè]s|sinon|en plus|[eé]galement|au fait|enfin"
    rf"|tant que|d'ailleurs|puis je|{_HEADS})\b"
    r"|,?\s*\b(?:et )?(?:puis|ensuite|sinon|au fait|ah si|par contre|[eé]galement|en plus|apr[eè]s [cç]a"
    r"|d'autre part|autre chose|deuxi[eè]me(?:ment| chose| question| point)|secondement|deuzio"
    r"|(?:tant|pendant|puisque?) (?:que )?(?:je vous (?:tiens|ai)|j'y (?:suis|pense)|vous y [eê]tes|on y est)"
    r"|(?:il )?y a (?:aussi|encore|[eé]galement)|j'ai (?:aussi|encore)|je (?:voulais|voudrais) aussi"
    r")\b)[, ]*",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    r"^(?:\W*(?:bonjour|oui|alors|bon|euh|voil[aà])\b)*\W*(?:j'ai |j'aurais |je voudrais |c'est pour )?"
    r"(?:deux|trois|plusieurs) (?:petites )?(?:choses|questions|demandes|points)\b[\s:,.]*"
    r"(?:(?:d'abord|un|la premi[eè]re(?: c'est)?|premi[eè]rement|primo)\b[\s:,]*)?",
    re.IGNORECASE,
)
"""« deux choses: … » asks for nothing by itself."""
_MINE = re.compile(r"\b(?:le mien|la mienne|les miens|les miennes|le n[oô]tre|la n[oô]tre)\b", re.IGNORECASE)
_WEAK_PARTS = re.compile(
    r"\s*(?:,|\bet\b)\s*"
    r"|(?<=\w)\s+(?=(?:je voudrais|je souhaite|je souhaiterais|j'aimerais|j'appelle pour)\b)",
    re.IGNORECASE,
)
"""A transcription may leave every comma out: « je suis née le premier avril je voudrais la valeur… »."""
_KEEPS_ITS_HEAD = re.compile(rf"(?:{_HEADS})$", re.IGNORECASE)
_TAKEN_BACK = re.compile(
    r".*\b(?:non,? pardon|euh,? non|non,? attendez|je voulais dire|je veux dire|enfin non|en fait,? non"
    r"|ou plut[oô]t|non,? finalement|je me suis (?:mal exprim[eé]e?|tromp[eé]e?(?! de num[eé]ro))"
    r"|laissez tomber(?: (?:le|la|mon|ma|cette|ce|les|mes|pour) (?:\w+ )?\w+(?=,))?"
    r"|(?:moi|par contre|non|l[aà]),? c'est (?=pour |au sujet |concernant |mon |ma )"
    r"|parlons (?:plut[oô]t )?(?=de |du )"
    r"|oubliez (?:mon|ma|le|la) \w+)\b[,. ]*",
    re.IGNORECASE | re.DOTALL,
)
_DENIED = re.compile(
    r"\b(?:(?:je|j'|c'est|ce n'est|n'|ne|c'|en)\s?)*(?:\w+\s){0,2}?"
    r"(?:pas|plus)\s(?:\w+\s){0,4}?(?:mon|ma|le|la|un|une|d'une?|de|d'|du)\s?\w+(?:\s(?:vie|de sinistre))?"
    r"(?:,\s*|\s+(?=juste|plut[oô]t|mais))",
    re.IGNORECASE,
)
_BUT = re.compile(r"\bmais\b", re.IGNORECASE)
_TOPIC = re.compile(r"\b(?:pour|au sujet de|à propos de|concernant|à cause de)\b", re.IGNORECASE)
_TELLING_WORDS = 5
"""A sentence of so many words says more than one phrase in it."""
_PART_WORDS = 3
"""What is shorter (« bonjour », « oui merci ») is no request that was not understood."""
_SHORTEST = 4
"""Characters of a part worth judging."""


@dataclass(frozen=True, slots=True)
class _Remembering:
    """A classifier that judges the same words once. For one sentence: nothing said is kept after it."""

    classifier: IntentClassifier
    judged: dict[str, Guess] = field(default_factory=dict)

    @property
    def intents(self) -> tuple[str, ...]:
        return self.classifier.intents

    def classify(self, text: str) -> Guess:
        if text not in self.judged:
            self.judged[text] = self.classifier.classify(text)
        return self.judged[text]


@dataclass(frozen=True, slots=True)
class Understanding:
    """Reads whole sentences with a classifier of single requests."""

    classifier: IntentClassifier

    @property
    def intents(self) -> tuple[str, ...]:
        """See :class:`~knowledge.intents.IntentClassifier`."""
        return self.classifier.intents

    def classify(self, text: str) -> Guess:
        """The request of ``text``, and in ``then`` the other one, when there are two."""
        if not isinstance(self.classifier, _Remembering):
            # The same words are judged by themselves, and as a part of several cuts.
            return Understanding(_Remembering(self.classifier)).classify(text)
        text, denies = self._what_stands(_ANNOUNCES.sub("", text.replace("’", "'")) or text)
        whole = self._one(text)
        if whole.act in _AT_ONCE or denies:
            return whole
        return self._two(text, whole) or replace(whole, several=self._has_an_unclear_part(text))

    def _what_stands(self, text: str) -> tuple[str, bool]:
        """Without what the caller takes back, when something clear is left.

        And whether all of it is one request, in which he says what he does not mean.
        """
        for pattern in (_TAKEN_BACK, _DENIED):
            left = pattern.sub(" ", text, count=1).strip()
            if left == text.strip() or len(left) < _SHORTEST:
                continue
            kept, whole = self._one(left), self.classifier.classify(text)
            if pattern is _DENIED and whole.confidence >= SURE and kept.intent != whole.intent:
                return text, True
            if kept.confidence >= CLEAR:
                text = left
        return text, False

    def _one(self, text: str) -> Guess:
        """The request of a text that holds one."""
        guess = self.classifier.classify(text)
        shown = act(text)
        if shown is None:
            return self._by_cue(text, guess)
        intent, second = INTENTS_OF[shown]
        if shown is Act.BEREAVEMENT and _awaits_payment(text):
            return _sure("claims_status", replace(guess, act=None))
        if guess.intent != intent and _outweighs(guess, shown, text):
            return guess
        if guess.intent == intent:
            return replace(guess, act=shown, confidence=max(guess.confidence, _BY_PHRASE))
        if shown in _ONLY_ALONGSIDE:
            person = wants_person(text)
            if person or (guess.confidence >= CLEAR and guess.intent not in {"other", "goodbye"}):
                kept = "transfer" if person else guess.intent
                return replace(guess, intent=kept, act=shown, runner_up=intent)
        if (
            shown is Act.DECLARE_CLAIM
            and guess.intent == "claims_status"
            and guess.confidence >= CLEAR_BESIDE
        ):
            return guess
        return Guess(intent, _BY_PHRASE, guess.intent if guess.intent != intent else second, 0.5, shown)

    def _by_cue(self, text: str, guess: Guess) -> Guess:
        """The classifier's guess, unless the words show what kind of sentence it is."""
        if only_takes_leave(text):
            return _sure("goodbye", guess)
        if only_gives_numbers(text) or only_gives_name(text):
            return _sure("authentication", guess)
        if guess.confidence < CERTAIN and is_of_another_company(text):
            return _sure("other", guess)
        if is_elsewhere(text) and (guess.confidence < LOST or guess.intent == "other"):
            return _sure("other", guess)
        if guess.intent == "authentication" and _ASKS_ABOUT_CLAIM.search(plain(text)):
            return _sure("claims_status", guess)
        named = may_be_name(text) or (guess.confidence < LOST and may_say_name(text))
        if guess.confidence < CLEAR and guess.intent != "authentication" and named:
            return replace(guess, intent="authentication", runner_up=guess.intent, act=None)
        if wants_person(text):
            return _sure("transfer", guess)
        if guess.act is Act.DECLARE_CLAIM and has_declared(text):
            return _sure("claims_status", replace(guess, act=None))
        said, his_own = plain(text), guess.intent in _HIS_OWN
        if _ADVICE.search(said) or (his_own and _WHAT_IT_MEANS.search(said)):
            return _sure("faq", guess)
        if (his_own or guess.intent == "faq") and _WHERE_TO_FIND.search(said):
            return _sure("faq", guess)
        names_his_own = guess.confidence >= CLEAR and _HIS.search(plain(text)) is not None
        known = guess.confidence >= SURE and guess.intent in _HIS_MATTERS
        if guess.intent == "faq" and guess.confidence < SURE and asks_in_general(text):
            return replace(guess, confidence=0.8)
        if asks_in_general(text) and guess.intent in _HIS_OWN and not names_his_own and not known:
            return Guess("faq", 0.8, guess.intent, 0.3)
        return guess

    def _two(self, text: str, whole: Guess) -> Guess | None:
        best: tuple[float, Guess] | None = None
        for first_said, second_said, needed in _cuts(text):
            if _OF_WHAT_WAS_NAMED.fullmatch(plain(second_said)):
                continue  # « l'attestation, où je la trouve »: one request
            first, second = self._one(first_said), self._one(second_said)
            about = _topic(first_said) if _MINE.search(second_said) else None
            if about is not None:
                # « le délai d'un rachat, c'est quoi ? et le mien, il est parti ? »
                second = _sure(about, second)
            weaker = min(first.confidence, second.confidence)
            # The whole is plainly one thing: its parts tell a story, unless each is plainly its own.
            if {first.act, second.act} & _AT_ONCE:
                continue  # the whole sentence would be that
            clear = weaker >= (max(needed, SURE) if whole.confidence >= CERTAIN else needed)
            if not clear or not _differ(first, second) or "other" in {first.intent, second.intent}:
                continue
            if first.intent == "goodbye":
                # « merci, ah si, encore une question »: he stays.
                first, second = second, first
                first_said, second_said = second_said, first_said
            if second.intent == "transfer" and _BUT.search(text):
                # « j'ai une question, mais je voudrais quelqu'un »: the person comes first.
                first, second = second, first
                first_said, second_said = second_said, first_said
            if needed > CLEAR and whole.confidence >= needed and whole.intent == second.intent:
                # The whole sentence is like its second half: the first one tells why.
                first, second = second, first
                first_said, second_said = second_said, first_said
            if best is None or weaker > best[0]:
                best = (weaker, replace(first, said=first_said, then=replace(second, said=second_said)))
        return best[1] if best else self._with_topic(text, whole)

    def _has_an_unclear_part(self, text: str) -> bool:
        """Whether words that could be a request of their own, beside another, are none that it knows."""
        return any(
            min(self._one(part).confidence for part in parts) < CLEAR
            for *parts, needed in _cuts(text)
            if needed == CLEAR and all(len(part.split()) >= _PART_WORDS for part in parts)
        )

    def _with_topic(self, text: str, whole: Guess) -> Guess | None:
        """« un conseiller pour mon contrat »: what the person is wanted for."""
        topic = _TOPIC.search(text)
        if whole.intent != "transfer" or not topic or whole.act is not None:
            return None
        about = self.classifier.classify(text[topic.end() :])
        if about.confidence < CLEAR or about.intent not in {"contract_inquiry", "claims_status"}:
            return None
        return replace(whole, said=text[: topic.start()], then=replace(about, said=text[topic.end() :]))


_AT_ONCE = frozenset(
    {Act.EMERGENCY, Act.DISTRESS, Act.BEREAVEMENT, Act.INJECTION, Act.STOP_RECORDING, Act.LANGUAGE}
)
"""After these nothing else in the sentence is taken up."""


_OUTWEIGHED = frozenset(
    {Act.LOUDER, Act.SLOWER, Act.REPEAT, Act.HOLD_ON, Act.DECLARE_CLAIM, Act.THIRD_PARTY, Act.LANGUAGE}
)
"""Acts whose phrases are said about other things too, in a sentence long enough to tell."""


_LONG_AGO = re.compile(
    r"\b(?:il y a|ca fait|depuis|voila|y a) (?:deja |bien |plus de |presque )?"
    r"(?:deux|trois|quatre|cinq|six|sept|huit|neuf|dix|douze|quinze|vingt|trente|quelques|des|[2-9]|[1-9][0-9])"
    r" ans?\b"
    r"|\b(?:en|depuis) (?:mille neuf cent|mil neuf cent|deux mille|19[0-9]{2}|20[0-9]{2})\b"
    r"|\b(?:a l epoque|(?:annees|ans) apres|l autre annee|plus d un an|l an (?:dernier|passe))\b"
    r"|\bannee (?:derniere|passee)\b|\bdepuis longtemps\b"
)
"""A death of years ago, beside a request about his own, is why he asks for it."""


_PAPERS_ARE_IN = re.compile(
    r"\b(?:toute?s? les (?:pieces|papiers|documents)"
    r"|tout (?:est |ai |a ete )?(?:envoye|rendu|fourni|renvoye|transmis)"
    r"|dossier (?:est )?complet|(?:formulaire|questionnaire) (?:[a-z]+ ){0,4}?(?:signe|envoye|renvoye|rendu)"
    r"|(?:fourni|envoye|renvoye|rendu) (?:l acte|le formulaire|les papiers|les pieces|tout))\b"
)


def _awaits_payment(text: str) -> bool:
    """Who lost somebody years ago, and has sent all papers, asks where his money is."""
    said = plain(text)
    return _LONG_AGO.search(said) is not None and _PAPERS_ARE_IN.search(said) is not None


_ASKS_ABOUT_CLAIM = re.compile(
    r"\b(?:sinistre|dossier)\b.*\b(?:(?:ou|il|ca|quoi) (?:ca |il )?en est|en est ou|ou ca en est|cloturee?"
    r"|reglee?|avance\w*|quelle suite|a l etude|decision|du nouveau|des nouvelles|paye|traitee?|termine)\b"
)
"""A claim's number, and a question about it, is a question."""


def _outweighs(guess: Guess, shown: Act, text: str) -> bool:
    """Whether what the whole sentence is like goes before a phrase in it: « ma mère n'entend plus bien »."""
    if shown is Act.BEREAVEMENT:
        return (
            guess.confidence >= LOST
            and guess.intent in {"contract_inquiry", "claims_status"}
            and _LONG_AGO.search(plain(text)) is not None
        )
    if guess.intent == "other" and is_elsewhere(text):
        return shown in _OUTWEIGHED
    if shown in _ONLY_ALONGSIDE and guess.intent in {"other", "goodbye"}:
        return guess.confidence >= CERTAIN and len(text.split()) >= _TELLING_WORDS
    if shown not in _OUTWEIGHED or len(text.split()) < _TELLING_WORDS or guess.confidence < SURE:
        return False
    # Who may be somebody else is asked about it, unless what he asks is the same for everybody, or is what
    # he gets himself (« le capital de mon oncle, j'ai tout envoyé »): then he shows who he is all the same.
    return (
        shown is not Act.THIRD_PARTY
        or guess.intent == "faq"
        or (guess.intent == "claims_status" and guess.confidence >= CERTAIN)
    )


_HIS = re.compile(
    r"\b(?:mon|ma|mes|notre|nos) (?:\w+ )?(?:contrats?|sinistres?|dossiers?|epargne|assurance|versements?"
    r"|argent|rembours\w+|placements?|accidents?|expert|rachat|retrait|virement|degats?|vol|voiture|toit\w*|cheque"
    r"|indemn\w+|beneficiaires?|capital|declaration|prelevements?|releve)\b"
    r"|\bj (?:ai|avais|attends)\b(?! (?:dit|lu|vu|entendu|appris|une question|besoin|envie|change|demenage))"
)
_ADVICE = re.compile(
    r"\b(?:vous|tu) (?:me |nous )?(?:conseillez|recommandez|conseilles|suggerez)\b"
    r"|\b(?:que|quoi) (?:me |nous )?(?:conseillez|recommandez|suggerez)\b"
    r"|\b(?:je|on) (?:devrais|devrait|ferais (?:bien|mieux) de) (?:\w+ )?(?:investir|placer|miser|retirer)\b"
)
"""Whose advice is asked is no matter of his contract, whatever it names: that question has no answer here."""
_WHERE_TO_FIND = re.compile(
    r"\bou (?:est ce qu[e ]? ?)?(?:je|on|puis je|peut on) (?:peux |peut )?(?:la |le |les )?"
    r"(?:re)?(?:trouver?|telecharger?|recuperer?)\b"
    r"|\b(?:se|la|le|les) (?:re)?trouve(?:nt|r)? (?:ou|a quel endroit)\b"
)
"""Where a paper is to be found is the same for everybody, whose ever it is."""
_OF_WHAT_WAS_NAMED = re.compile(
    r"ou (?:est ce qu[e ]? ?)?(?:je|on) (?:la|le|les) \w+|elle se \w+ ou|il se \w+ ou"
)
_WHAT_IT_MEANS = re.compile(
    r"\b(?:ca|cela|quoi|que) (?:veut dire|veulent dire|signifie\w*)(?: (?:quoi|que|l|la|le|les|un|une)|$)"
)
"""What a word means is the same for everybody, wherever he has read it."""
_HIS_MATTERS = frozenset({"contract_inquiry", "claims_status", "transfer"})
_HIS_OWN = frozenset({"contract_inquiry", "claims_status", "authentication", "other", "transfer"})
"""What a question in general is taken for when it names things that callers have."""


_TOPICS = {
    "contract_inquiry": re.compile(
        r"\b(?:solde|benefici\w+|cotisations?|prelevements?|versements?|placements?|epargne|rachats?|contrats?"
        r"|assurance vie|interets|plus values?|rente)\b"
    ),
    "claims_status": re.compile(
        r"\b(?:sinistres?|expert|expertise|indemni\w+|rembours\w+|degats?|constat|reparations?|devis)\b"
    ),
}
"""What a first question was about, when the second one says only « le mien »."""


def _topic(text: str) -> str | None:
    said = plain(text)
    found = [intent for intent, named in _TOPICS.items() if named.search(said)]
    return found[0] if len(found) == 1 else None


def _sure(intent: str, guess: Guess) -> Guess:
    if guess.intent == intent:
        return replace(guess, confidence=max(guess.confidence, _BY_PHRASE))
    return Guess(intent, 0.85, guess.intent, 0.3)


def _cuts(text: str) -> Iterator[tuple[str, str, float]]:
    """Where two requests may meet: both halves, and how clear each has to be."""
    for pattern, needed in ((_PARTS, CLEAR), (_WEAK_PARTS, CLEAR_BESIDE)):
        for joint in pattern.finditer(text):
            head = _KEEPS_ITS_HEAD.search(joint.group().strip())
            left = text[: joint.start()]
            right = (head.group() + " " if head else "") + text[joint.end() :]
            if len(plain(left)) >= _SHORTEST and len(plain(right)) >= _SHORTEST:
                yield left.strip(), right.strip(), needed


def _differ(first: Guess, second: Guess) -> bool:
    """Whether they ask for different things; two questions are two things as well."""
    return first.intent != second.intent
