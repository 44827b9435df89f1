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
    "|je crois pas avoir|pourquoi|presque|a peu pres|plus ou moins|vous pouvez repeter|repetez"
)
_NO = (
    "bien sur que non|je crois que non|je pense que non|je dirais non|mais non|que non|c est non"
    "|pas du tout|surtout pas|absolument pas|certainement pas|vraiment pas|pas vraiment|pas exactement"
    "|pas tout a fait|pas question|pas d accord|pas la peine|c est pas la peine|pas maintenant"
    "|pas necessaire|pas besoin|pas correct|pas exact|pas juste|pas bon|pas le bon|pas la bonne|pas ca"
    "|pas cela|pas moi|pas lui|je crois pas|je ne crois pas|je pense pas|je ne pense pas|je veux pas"
    "|je ne veux pas|je ne souhaite pas|je souhaite pas|je prefere pas|je ne prefere pas|ca va aller"
    "|ca ira|sans facon|jamais de la vie|en aucun cas|c est pas|ce n est pas|ca n est pas|c etait pas"
    "|ce n etait pas|negatif|faux|fausse|incorrect|inexact|errone|aucunement|nullement|non|nan|nenni"
    "|nope|no|c est tout|rien d autre|rien"
)
_NO_TROUBLE = "pas de probleme|pas de souci|pas de soucis|aucun probleme|aucun souci|il y a pas de souci"
_YES = (
    f"bien sur que oui|je crois que oui|je pense que oui|mais oui|que oui|c est oui|{_NO_TROUBLE}"
    "|sans probleme|tout a fait|c est tout a fait ca|c est bien|c est bien ca|c est bien cela|c est ca"
    "|c est sa|c est cela|c est bon|c est correct|c est exact|c est juste|c est parfait"
    "|c est bien le bon|c est vrai|c est moi meme|c est moi|c est bien moi|c est lui meme"
    "|c est elle meme|c est le bon|c est la bonne|c est entendu|en effet|effectivement|exactement|exact"
    "|absolument|parfaitement|parfait|evidemment|certainement|bien sur|bien entendu|bien evidemment"
    "|volontiers|avec plaisir|je veux bien|s il vous plait|s il te plait|je confirme|confirme"
    "|affirmatif|correct|d accord|dac|d ac|okay|ok|entendu|allez y|vas y|allons y|pourquoi pas|oui"
    "|ouais|ouai|ouaip|ouep|wi|ui|yes|yep|voila|carrement|juste|vrai|si si|enfin si|mais si|ah si"
)
_DECLINED = re.compile(
    r"^(?:ah |euh |oh )*(?:non|nan)(?: (?:non|merci|ca|va|ira|aller|c est bon|c est tout|c est parfait))+$"
)
"""« non merci, c'est bon » declines; the « c'est bon » in it is no yes."""

_DOUBT_RE, _NO_RE, _YES_RE = (
    re.compile(rf"\b(?:{'|'.join(sorted(phrases.split('|'), key=len, reverse=True))})\b")
    for phrases in (_DOUBT, _NO, _YES)
)
_NEGATION = re.compile(r"\b(?:pas|plus|jamais|ni)\b")
_BUT = re.compile(r"\b(?:mais|sauf|enfin|par contre|attendez|attends|plutot)\b")


def yes_no(text: str) -> bool | None:
    """True for yes, False for no, None when neither, both, or in doubt."""
    said = " ".join(word.text for word in words(text))
    if said in {"si", "si si"}:
        return True
    if _DECLINED.fullmatch(said):
        return False
    if _DOUBT_RE.search(said):
        return None
    # Longest phrases of either side first: « bien sûr que non », « c'est pas ça », « pas de problème ».
    trouble_free = re.sub(rf"\b(?:{_NO_TROUBLE})\b", "oui", said)
    without_no, denials = _NO_RE.subn(" | ", _shield(trouble_free))
    without_yes, approvals = _YES_RE.subn(" | ", without_no)
    if denials and approvals:
        return None
    if denials:
        return None if _BUT.search(without_no) and _YES_RE.search(without_no) else False
    if approvals:
        return None if _NEGATION.search(without_yes) or _BUT.search(without_yes) else True
    return None


def _shield(said: str) -> str:
    """« mais si » and « mais oui » agree: their « mais » announces no objection."""
    return re.sub(r"\bmais (?=oui\b|si\b|non\b|bien sur\b)", "", said)
