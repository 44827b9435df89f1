"""Yes and no as callers say them. Pure.

Whole phrases are looked for first and taken out (« c'est pas ça » is a no although « c'est
ça » is in it), then what is left is read word by word. A yes and a no in the same answer,
doubt, or a negation that is not understood give None: the agent asks again.
"""

import re

from tools.numerals import words

_DOUBT = (
    "je ne sais pas|je sais pas|je sais plus|je ne sais plus|j sais pas|chais pas|sais pas|aucune idee"
    "|en sais rien|peut etre|pas sur|pas sure|pas certain|pas certaine|ca depend|cela depend|j hesite"
    "|je comprends pas|je ne comprends pas|j ai pas compris|je n ai pas compris|je me souviens pas"
    "|je m en souviens pas|mouais|bof|oui et non|ni oui ni non|comment ca|c est a dire"
    "|je crois pas avoir|pourquoi(?! pas)|presque|a peu pres|plus ou moins|vous pouvez repeter|repetez"
)
_NO = (
    "bien sur que non|je crois que non|je pense que non|je dirais non|mais non|que non|c est non"
    "|pas du tout|surtout pas|absolument pas|certainement pas|vraiment pas|pas vraiment|pas exactement"
    "|pas tout a fait|pas question|pas d accord|pas la peine|c est pas la peine|pas maintenant"
    "|pas necessaire|pas besoin|pas correct|pas exact|pas juste|pas bon|pas le bon|pas la bonne|pas ca"
    "|pas cela|pas moi|pas lui|je crois pas|je ne crois pas|je pense pas|je ne pense pas|je veux pas"
    "|je ne veux pas|je ne souhaite pas|je souhaite pas|je prefere pas|je ne prefere pas|sans facon"
    "|jamais de la vie|en aucun cas|c est pas|ce n est pas|ca n est pas|c etait pas|ce n etait pas"
    "|pas celui la|pas celle la|pas ce numero|pas le mien|pas la mienne|c est un autre|vous avez mal note"
    "|vous avez mal compris|vous avez mal entendu|vous avez mal ecrit|mauvais numero|il y a une erreur"
    "|y a une erreur|c est une erreur|vous vous etes trompe|vous vous etes trompee|vous vous trompez"
    "|ca ne va pas|m interesse pas|pas interesse|pas interessee|pas pour le moment|pas pour l instant"
    "|hors de question|je refuse|je dis non|j ai dit non|aucune envie|niet|nada|pantoute"
    "|negatif|incorrect|inexact|errone|aucunement|nullement|non|nan|nenni|nope|rien d autre|c est faux"
)
_NO_TROUBLE = (
    "pas de probleme|pas de souci|pas de soucis|aucun probleme|aucun souci|il y a pas de souci|pas d erreur"
    "|aucune erreur|sans erreur"
)
_YES = (
    f"bien sur que oui|je crois que oui|je pense que oui|mais oui|que oui|c est oui|{_NO_TROUBLE}"
    "|sans probleme|ca me va|ca me convient|ca marche|ca roule|ca joue|je suis d accord|je valide|valide"
    "|c est note|nickel|impeccable|top|super|genial|adjuge|va pour ca|en plein ca|oui da|si fait|tout juste"
    "|c est le mien|c est la mienne|vous avez raison|c est comme ca|c est tout bon|ces ca|sait ca|se ca"
    "|c est bien ce numero|c est bien ce nom|c est bien celui|c est bien celle|c est bien lui|tout a fait"
    "|c est tout a fait ca|c est bien ca|c est bien cela|c est ca|c est sa"
    "|c est cela|c est bon|c est correct|c est exact|c est juste|c est parfait|c est bien le bon"
    "|c est vrai|c est moi meme|c est moi|c est bien moi|c est lui meme|c est elle meme|c est le bon"
    "|c est la bonne|c est entendu|en effet|effectivement|exactement|exact|absolument|parfaitement"
    "|parfait|evidemment|bien sur|bien entendu|bien evidemment|volontiers|avec plaisir|je veux bien"
    "|je confirme|affirmatif|d accord|dac|d ac|okay|ok|allez y|vas y|pourquoi pas|oui|ouais|ouai|ouaip"
    "|ouep|wi|ui|yes|yep|si si|enfin si|mais si|ah si|c est bien le mien|c est bien la mienne"
    "|c est bien celui la"
)
_YES_ALONE = (
    "juste|vrai|entendu|voila|certainement|correct|confirme|s il vous plait|s il te plait|carrement"
    "|allons y|c est bien"
)
_NO_ALONE = "rien|c est tout|ca ira|ca va aller|faux|fausse|no|nom|jamais"
"""Words that answer only when nothing else is said (not « juste une question »)."""
_POLITE = "merci|beaucoup|bien|madame|monsieur|euh|heu|ben|bah|alors|ah|oh|eh|je vous remercie|bonne journee"

_DECLINED = re.compile(
    r"^(?:ah |euh |oh )*(?:non|nan)(?: (?:non|merci|ca|va|ira|aller|c est bon|c est tout|c est parfait))+$"
)
"""« non merci, c'est bon » declines; the « c'est bon » in it is no yes."""

_PICKS_UP = re.compile(
    r"^(?:(?:ah|euh|eh|ben|bah|oh|bonjour) )*(?:(?:oui|ouais) )*allo\b"
    r"(?! (?:oui )*c est (?:bien )?(?:ca|moi|exact))"
    r"|\b(?:vous m entendez|m entendez vous|vous entendez|vous etes la|vous m ecoutez)\b"
)
"""« oui allô, vous m'entendez ? » answers the telephone, and not the question."""

_DRAWN_OUT = re.compile(r"(?i)([a-z])\1{2,}|(?<=ou)(i)\2+|(?<=no)(n)n+")
"""« ouiii », « nonnn »."""
_AS_HEARD = {"ouii": "oui", "ouie": "oui", "houi": "oui", "wui": "oui", "nonn": "non", "accort": "accord"}
"""What a recogniser writes for yes and no."""

_CLAUSES = re.compile(r"[,;.!?…]+|\b(?:euh|pardon|enfin|ah)\b", re.IGNORECASE)
_CHANGES = re.compile(r"^\W*(?:oui|ouais|non|nan|si)\b", re.IGNORECASE)
"""A change of mind begins with the answer that is taken back."""

_NEGATION = re.compile(r"\b(?:pas|plus|jamais|ni)\b")
_BUT = re.compile(r"\b(?:mais|sauf|enfin|par contre|attendez|attends|plutot)\b")


def _any_of(*phrases: str) -> re.Pattern[str]:
    """Any of the phrases, the longest first."""
    longest_first = sorted("|".join(phrases).split("|"), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(longest_first)})\b")


_DOUBT_RE, _NO_TROUBLE_RE, _POLITE_RE = _any_of(_DOUBT), _any_of(_NO_TROUBLE), _any_of(_POLITE)
_NO_RE, _YES_RE = _any_of(_NO), _any_of(_YES)
_ANY_NO_RE, _ANY_YES_RE = _any_of(_NO, _NO_ALONE), _any_of(_YES, _YES_ALONE)


def yes_no(text: str) -> bool | None:
    """True for yes, False for no, None when neither, both, or in doubt."""
    said = " ".join(
        _AS_HEARD.get(word.text, word.text) for word in words(_DRAWN_OUT.sub(lambda found: found[0][0], text))
    )
    if said in {"si", "si si"}:
        return True
    if _DECLINED.fullmatch(said):
        return False
    if _DOUBT_RE.search(said):
        return None
    if _PICKS_UP.search(said):
        return None
    said = _shield(_NO_TROUBLE_RE.sub("oui", said))
    # Without the noes first: « bien sûr » is in « bien sûr que non », « c'est ça » in « c'est pas ça ».
    without_no, noes = _NO_RE.subn(" ", said)
    rest, yeses = _YES_RE.subn(" ", without_no)
    if not noes and not yeses:
        return _bare_answer(said)
    if noes and yeses:
        return _settled(text)
    if yeses and (_NEGATION.search(rest) or _BUT.search(rest)):
        return None
    return bool(yeses)


def _settled(text: str) -> bool | None:
    """« oui, euh non, c'est pas ça »: who changes his mind, and says so twice, has settled."""
    clauses = [one for one in _CLAUSES.split(text) if words(one)]
    if len(clauses) < 2 or not _CHANGES.search(text):
        return None
    answers = [yes_no(one) for one in clauses]
    return answers[-1] if answers[-1] == answers[-2] and None not in answers[-2:] else None


def _bare_answer(said: str) -> bool | None:
    """The words that answer only when nothing but politeness stands beside them."""
    without_no, noes = _ANY_NO_RE.subn(" ", said)
    rest, yeses = _ANY_YES_RE.subn(" ", without_no)
    if _POLITE_RE.sub(" ", rest).strip() or bool(noes) == bool(yeses):
        return None
    return bool(yeses)


def _shield(said: str) -> str:
    """« mais si » and « mais oui » agree: their « mais » announces no objection."""
    return re.sub(r"\bmais (?=oui\b|si\b|non\b|bien sur\b)", "", said)
