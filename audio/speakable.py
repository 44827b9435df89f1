"""Written French into what a voice should read: figures, dates, references and signs in words.

Voices read "45 230,18 €" or "06/10" each in its own way, most of them badly. Here it is done once,
the same for every voice, and by the rules of French telephone manners: telephone numbers in pairs,
a customer number in pairs with 60 to 99 digit by digit ("soixante, quinze" and "soixante-quinze"
sound alike), references in groups a caller can write down, "premier" for the first of a month.

How it works. Rules are tried one after the other over the whole text, the particular before the
general: an amount before a number, a telephone number before a customer number. What a rule has
put into words holds no figure any more, so no later rule touches it. Spaces that do not break
(U+00A0, U+202F, U+2009), which written French puts into amounts, are plain spaces from the start.

Pure. Nothing is invented: what no rule knows is left as written.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from num2words import num2words  # type: ignore[import-untyped]  # ships no types

MONTHS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)

_SAID_AS_WORDS: Final = {
    "AGIRA": "agira",
    "BIC": "bic",
    "CNIL": "cnil",
    "IBAN": "iban",
    "INSEE": "insee",
    "ORIAS": "orias",
    "RIB": "rib",
    "SAMU": "samu",
    "SEPA": "sépa",
    "EUR": "euros",
}
# Words without vowels are spelled anyway (RGPD, PDF, SMS); these have one. Anything else in capitals
# is read as a word: it may be a name, or "NON".
_SPELLED: Final = frozenset(
    {
        "ACPR", "CDI", "CSA", "DPO", "FAQ", "IA", "IFI", "IFU", "ISF", "PEA", "PEE", "PEL", "PER", "SARL",
        "SCPI", "TVA", "UE", "URL",
    }
)  # fmt: skip
_TITLES: Final = {
    "M.": "Monsieur",
    "MM.": "Messieurs",
    "Mme": "Madame",
    "Mmes": "Mesdames",
    "Mlle": "Mademoiselle",
    "Dr": "Docteur",
}
_ABBREVIATIONS: Final = {
    "cf.": "voir",
    "p. ex.": "par exemple",
    "c.-à-d.": "c'est-à-dire",
    "tél.": "téléphone",
    "Tél.": "Téléphone",
    "env.": "environ",
    "bd": "boulevard",
    "Bd": "Boulevard",
    "av.": "avenue",
}
_SHORT_MONTHS: Final = {
    "janv": "janvier",
    "févr": "février",
    "avr": "avril",
    "juil": "juillet",
    "sept": "septembre",
    "oct": "octobre",
    "nov": "novembre",
    "déc": "décembre",
}
_UNITS: Final = {
    "kg": "kilogramme",
    "g": "gramme",
    "km/h": "kilomètre heure",
    "km": "kilomètre",
    "m": "mètre",
    "cm": "centimètre",
    "mm": "millimètre",
    "m²": "mètre carré",
    "m³": "mètre cube",
    "cl": "centilitre",
    "kWh": "kilowattheure",
    "°C": "degré",
    "min": "minute",
    "s": "seconde",
    "j": "jour",
    "$": "dollar",
}
_FRACTIONS: Final = {
    "1/2": "un demi",
    "½": "un demi",
    "1/3": "un tiers",
    "2/3": "deux tiers",
    "1/4": "un quart",
    "¼": "un quart",
    "3/4": "trois quarts",
    "¾": "trois quarts",
}
# What a Roman numeral stands behind; elsewhere capitals may be a name or an emphasis ("MIDI", "XL").
_NUMBERED: Final = (
    "[Aa]nnexe|[Aa]rticle|[Cc]hapitre|[Ll]ivre|[Nn]iveau|[Pp]artie|[Pp]hase|[Ss]ection|[Tt]itre|[Tt]ome|"
    "[Vv]olume"
)
_CROWNED: Final = (
    "Albert|Benoît|Charles|[ÉE]lisabeth|François|George|Georges|Guillaume|Henri|Jacques|Jean|Jean-Paul|Léopold|"
    "Louis|Napoléon|Philippe|Pie"
)
_ROMAN: Final = r"X{0,3}(?:I[XV]|V?I{0,3})"  # up to 39: an L is the letter of an article of law
# After these, a number that ends in "un" ends in "une".
_FEMININE: Final = (
    "année|copie|demande|facture|fois|garantie|heure|journée|lettre|minute|page|personne|photo|pièce|question|"
    "semaine|seconde|signature|touche"
)
_SIGNS: Final = {
    ".": "point",
    "-": "tiret",
    "_": "tiret bas",
    "/": "barre oblique",
    "@": "arobase",
    "+": "plus",
}

_WHOLE: Final = r"(?<![0-9,.])(?:[0-9]{1,3}(?: [0-9]{3})+(?![0-9])|[0-9]+)"
_SIGN: Final = r"(?P<sign>(?<![\w+-])[-−+] ?)?"
_NUMERIC_DATE: Final = r"(?P<day>[0-9]{1,2})(?P<sep>[/.-])(?P<month>[0-9]{1,2})(?P=sep)(?P<year>[0-9]{4})"
_BEFORE_NOON: Final = r"(?P<before>(?i:\b(?:à|vers|avant|après|dès|de|jusqu'à) ))?"
_MONTH: Final = "|".join(MONTHS)
_TOP_DOMAINS: Final = "fr|com|net|org|eu|io"


def speakable(text: str) -> str:
    """``text`` as a voice should read it: no figure is left, signs and abbreviations are words.

    "Votre contrat vaut 45 230,18 €." gives
    "Votre contrat vaut quarante-cinq mille deux cent trente euros et dix-huit centimes."
    """
    spoken = re.sub("[\u00a0\u202f\u2009]", " ", text).replace("’", "'")
    for pattern, say in _RULES:
        spoken = pattern.sub(say, spoken)
    return re.sub(r" {2,}", " ", spoken).strip()


# Numbers


def _number(written: str, *, feminine: bool = False) -> str:
    """A whole number in words; digit by digit when it begins with a zero or is no quantity at all."""
    digits = written.replace(" ", "")
    if (len(digits) > 1 and digits.startswith("0")) or len(digits) > 12:
        return _digits(digits)
    words = str(num2words(int(digits), lang="fr"))
    return f"{words}e" if feminine and re.search(r"\bun$", words) else words


def _digits(digits: str) -> str:
    return " ".join(str(num2words(int(digit), lang="fr")) for digit in digits)


def _padded_number(digits: str) -> str:
    """``07`` as "zéro sept", ``50`` as "cinquante"."""
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    return " ".join(["zéro"] * zeros + ([_number(rest)] if rest else []))


def _decimal(whole: str, decimals: str) -> str:
    return f"{_number(whole)} virgule {_padded_number(decimals)}"


def _ordinal(match: re.Match[str]) -> str:
    rank, ending = int(match["rank"]), match["ending"]
    if rank == 1:
        return "première" if ending in ("re", "ère") else "premier"
    return str(num2words(rank, lang="fr", to="ordinal"))


def _second(match: re.Match[str]) -> str:
    return "seconde" if match["ending"] == "nde" else "second"


def _of_roman(numeral: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[sign] for sign in numeral]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)


def _roman(match: re.Match[str]) -> str:
    return f"{match['before']} {_number(str(_of_roman(match['numeral'])))}"


def _roman_ordinal(match: re.Match[str]) -> str:
    rank = _of_roman(match["numeral"])
    if rank == 1:
        return "première" if match["ending"] in ("re", "ère") else "premier"
    return str(num2words(rank, lang="fr", to="ordinal"))


def _unit(match: re.Match[str]) -> str:
    """The unit in words behind its number, which a later rule says."""
    first, *others = _UNITS[match["unit"]].split(" ")
    plural = "" if re.fullmatch("[01](,[0-9]+)?", match["number"]) else "s"
    agrees = [word if word == "heure" else word + plural for word in others]
    return " ".join([match["number"], first + plural, *agrees])


def _counted(match: re.Match[str]) -> str:
    return f"{_number(match['number'], feminine=True)} {match['noun']}"


# Money


def _amount(match: re.Match[str]) -> str:
    euros = int(match["euros"].replace(" ", ""))
    cents = int((match["cents"] or "0").ljust(2, "0"))
    parts = []
    if euros or not cents:
        # "un million d'euros", but "un million deux cent mille euros"
        of = " d'" if euros >= 1_000_000 and euros % 1_000_000 == 0 else " "
        parts.append(f"{_number(str(euros))}{of}{'euro' if euros < 2 else 'euros'}")
    if cents:
        parts.append(f"{_number(str(cents))} {'centime' if cents == 1 else 'centimes'}")
    per = " par " if match["per"] else ""
    return _sign(match) + " et ".join(parts) + per


def _thousands(match: re.Match[str]) -> str:
    """``12,5 k€`` and ``3 M€`` as whole euros in figures."""
    factor = 1_000 if match["times"] == "k" else 1_000_000
    euros = Decimal(match["number"].replace(" ", "").replace(",", ".")) * factor
    return f"{euros:.0f} €" if euros == euros.to_integral_value() else match[0]


def _percentage(match: re.Match[str]) -> str:
    number = _decimal(match["whole"], match["decimals"]) if match["decimals"] else _number(match["whole"])
    return f"{_sign(match)}{number} pour cent"


def _sign(match: re.Match[str]) -> str:
    if not match["sign"]:
        return ""
    return "plus " if "+" in match["sign"] else "moins "


# Dates and times


def _date(match: re.Match[str]) -> str:
    """Any of the three ways to write one; left alone when there is no such day."""
    parts = match.groupdict()
    day = int(parts["day"])
    month = parts["month"]
    if month.isdigit():
        if not 1 <= int(month) <= 12:
            return match[0]
        month = MONTHS[int(month) - 1]
    if not 1 <= day <= 31:
        return match[0]
    said_day = "premier" if day == 1 else _number(str(day))
    year = parts.get("year")
    return f"{said_day} {month.lower()}" + (f" {_number(year)}" if year else "")


def _month(match: re.Match[str]) -> str:
    return f"{MONTHS[int(match['month']) - 1]} {_number(match['year'])}"


def _clock(hour: str, minute: str | None, *, midday: bool = False) -> str:
    said = _number(str(int(hour)), feminine=True) + (" heure" if int(hour) < 2 else " heures")
    if midday and int(hour) == 12:
        said = "midi"
    if minute and int(minute):
        said += f" {_number(str(int(minute)), feminine=True)}"
    return said


def _time(match: re.Match[str]) -> str:
    if int(match["hour"]) > 24:  # a duration: "48 h", "72 h"
        return f"{_number(match['hour'], feminine=True)} heures" + (
            f" {match['minute']}" if match["minute"] else ""
        )
    # "à 12 h" is noon, "sous 12 h" is a delay
    before = match["before"] or ""
    return before + _clock(match["hour"], match["minute"], midday=bool(before))


def _opening(match: re.Match[str]) -> str:
    start = _clock(match["hour"], match["minute"], midday=True)
    return f"de {start} à {_clock(match['hour2'], match['minute2'], midday=True)}"


# Numbers that name something


def _telephone(match: re.Match[str]) -> str:
    digits = re.sub("[^0-9+]", "", re.sub("^0033", "+33", match[0]))
    prefix = ""
    if digits.startswith("+33"):
        national = digits.removeprefix("+33").removeprefix("0")
        prefix, digits = f"plus trente-trois, {_digits(national[0])}, ", national[1:]
    return prefix + ", ".join(_padded_number(digits[at : at + 2]) for at in range(0, len(digits), 2))


def _free_number(match: re.Match[str]) -> str:
    return "zéro " + ", ".join(_padded_number(group) for group in match[0].split()[1:])


def _short_number(match: re.Match[str]) -> str:
    return f"{match['le']} {_number(match['number'][:2])} {_padded_number(match['number'][2:])}"


def _customer(match: re.Match[str]) -> str:
    digits = match[0].replace(" ", "")
    pairs = [digits[at : at + 2] for at in range(0, 8, 2)]
    return ", ".join(
        ", ".join(map(_digits, pair)) if pair >= "60" else _padded_number(pair) for pair in pairs
    )


def _iban(match: re.Match[str]) -> str:
    """Letters one by one, then groups of four figures, figure by figure, as one dictates them."""
    sign_by_sign = re.sub("[^0-9A-Z]", "", match[0])
    groups = [sign_by_sign[at : at + 4] for at in range(0, len(sign_by_sign), 4)]
    return ", ".join(
        " ".join(_digits(sign) if sign.isdigit() else sign for sign in group) for group in groups
    )


def _claim(match: re.Match[str]) -> str:
    number = match["number"]
    return f"S, I, N, {_number(match['year'])}, puis {_digits(number[:3])}, {_digits(number[3:])}"


def _contract(match: re.Match[str]) -> str:
    return f"V, I, E, {_digits(match['number'][:4])}, {_digits(match['number'][4:])}"


# Letters


def _address(match: re.Match[str]) -> str:
    """An e-mail or web address, piece by piece."""
    address = (
        re.sub("^https?://", "", match[0]).partition("?")[0].rstrip("/")
    )  # nobody types a query he heard
    said = []
    for piece in re.split(r"([.\-_/@+])", address):
        if piece in _SIGNS:
            said.append(_SIGNS[piece])
        elif piece.lower() == "www" or piece in ("fr", "eu", "io"):
            said.append(" ".join(piece.upper()))
        elif piece:
            said.append(re.sub("[0-9]+", lambda digits: f" {_number(digits[0])} ", piece))
    return re.sub(" +", " ", " ".join(said)).strip()


def _capitals(match: re.Match[str]) -> str:
    word = match[0]
    if word in _SAID_AS_WORDS:
        return _SAID_AS_WORDS[word]
    if word in _SPELLED or not re.search("[AEIOUY]", word):
        return " ".join(word)
    return word


_Say = Callable[[re.Match[str]], str]


def _words(said: str) -> _Say:
    return lambda _match: said


_RULES: Final[tuple[tuple[re.Pattern[str], _Say], ...]] = tuple(
    (re.compile(pattern), say)
    for pattern, say in (
        # addresses first: they hold points, digits and signs of all kinds
        (r"[\w.+-]*\w@\w[\w-]*(?:\.\w[\w-]*)+", _address),
        (r"(?i:\b(?:https?://|www\.)[^\s,;»)]*[\w/])", _address),
        (rf"(?i:\b\w[\w-]*(?:\.\w[\w-]*)*\.(?:{_TOP_DOMAINS})\b(?:/[\w./-]*\w)?)", _address),
        (r"[*`#]+", _words("")),  # what is left of a model's Markdown
        (r"\bAssuranceVie\b", _words("Assurance Vie")),  # the brand is two words
        # references
        (r"\bSIN[- ](?P<year>20[0-9]{2})[- ](?P<number>[0-9]{6})\b", _claim),
        (r"\bVIE[- ](?P<number>[0-9]{7})\b", _contract),
        (r"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){3,7}(?: ?[0-9A-Z]{1,3})?\b", _iban),
        # Roman numerals
        (rf"\b(?P<before>{_NUMBERED}) (?P<numeral>(?=[IVX]){_ROMAN}(?<=[IVX]))\b", _roman),
        (rf"\b(?P<before>{_CROWNED}) (?P<numeral>{_ROMAN}(?<=[IVX]{{2}})|(?<=Charles )V)\b", _roman),
        (rf"\b(?P<numeral>(?=[IVX]){_ROMAN})(?P<ending>er|re|ère|e|ème)\b", _roman_ordinal),
        # ways to write numbers that the rules below do not know
        (
            r"(?<![0-9.,])[0-9]{1,3}(?:\.[0-9]{3})+(?=(?:,[0-9]{1,2})? ?(?:€|euros?\b|EUR\b))",
            lambda match: match[0].replace(".", " "),
        ),
        (rf"(?P<number>{_WHOLE}(?:,[0-9]+)?) ?(?P<times>[kM]) ?€", _thousands),
        (
            (
                r"(?<![0-9/-])(?P<from>[0-9]{1,3}) ?[-–] ?"
                r"(?=[0-9]{1,3} ?(?:€|%|(?:euros?|ans?|mois|jours?|semaines?|heures?|minutes?)\b))"
            ),
            lambda match: f"{match['from']} à ",
        ),
        (r"(?<=[0-9]) ?[x×] ?(?=[0-9])", _words(" fois ")),
        (r"(?<=\bans) (?:1/2(?![0-9/])|½)", _words(" et demi")),
        (r"½ (?=heure\b|journée\b)", _words("une demi-")),
        (r"(?<![0-9/])(?:[12]/[34]|1/2|3/4)(?![0-9/])|[½¼¾]", lambda match: _FRACTIONS[match[0]]),
        # money and shares, before anything else that holds figures
        (
            rf"{_SIGN}(?P<euros>{_WHOLE})(?:[,.](?P<cents>[0-9]{{1,2}}))? ?(?:€|euros?\b|EUR\b)(?P<per>/)?",
            _amount,
        ),
        (rf"{_SIGN}(?P<whole>{_WHOLE})(?:[,.](?P<decimals>[0-9]+))? ?%", _percentage),
        # telephone and customer numbers
        (
            r"(?:(?:(?:\+|(?<![0-9])00)33 ?(?:\(0\) ?)?|(?<![0-9.,])0)[1-9])(?:[ .-]?[0-9]{2}){4}(?![0-9])",
            _telephone,
        ),
        (r"(?<![0-9])0 8[0-9]{2}(?: [0-9]{3}){2}(?![0-9])", _free_number),
        (r"(?<![0-9.,-])[0-9]{2}(?: ?[0-9]{2}){3}(?![0-9]| [0-9]{2}\b|[,.-][0-9])", _customer),
        (r"(?P<le>\b[Ll]e|\b[Aa]u) (?P<number>3[0-9]{3})(?! ?[0-9])\b", _short_number),
        # dates
        (
            r"(?:(?<=[0-9] )|(?<=er ))(?P<month>janv|févr|avr|juil|sept|oct|nov|déc)\.",
            lambda match: _SHORT_MONTHS[match["month"]],
        ),
        (
            rf"(?<![0-9])(?P<day>[0-9]{{1,2}})(?:er)? (?P<month>(?i:{_MONTH}))(?: (?P<year>[0-9]{{4}}))?\b",
            _date,
        ),
        (rf"(?<![0-9/.-]){_NUMERIC_DATE}(?![0-9])", _date),
        (r"(?<![0-9-])(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})(?![0-9-])", _date),
        (r"(?<![0-9/])(?P<day>[0-3][0-9])/(?P<month>[0-1][0-9])(?![0-9/])", _date),
        (r"(?<![0-9/])(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)[0-9]{2})(?![0-9/])", _month),
        # times
        (r"(?P<number>[0-9]{1,2}) ?h ?/ ?(?=[0-9])", lambda match: f"{_number(match['number'])} heures sur "),
        (
            (
                r"(?:\b[Dd]e )?(?<![0-9:])(?P<hour>[01]?[0-9]|2[0-4]) ?h ?(?P<minute>[0-5][0-9])? ?[-–] ?"
                r"(?P<hour2>[01]?[0-9]|2[0-4]) ?h ?(?P<minute2>[0-5][0-9])?(?!\w)"
            ),
            _opening,
        ),
        (
            (
                rf"{_BEFORE_NOON}(?<![0-9:,.])(?P<hour>[0-9]{{1,3}})"
                r"(?: ?h(?: ?(?P<minute>[0-5][0-9])(?: ?min\b)?)?(?!\w))"
            ),
            _time,
        ),
        (
            rf"{_BEFORE_NOON}(?<![0-9:])(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?![0-9:])",
            _time,
        ),
        # signs around numbers
        (r"\b[nN][°º]s ?", _words("numéros ")),
        (r"\b[nN][°º] ?", _words("numéro ")),
        (r"(?<!\w)2(?P<ending>nde?)\b", _second),
        (r"(?<![\w])(?P<rank>[0-9]{1,3})(?P<ending>er|re|ère|e|ème|d|de)\b", _ordinal),
        (
            (
                rf"(?P<number>{_WHOLE}(?:,[0-9]+)?) ?"
                r"(?P<unit>kg|g|km/h|km|cm|mm|m²|m³|m|cl|kWh|°C|min|s|j|\$)(?![\w'/])"
            ),
            _unit,
        ),
        (rf"(?P<number>{_WHOLE}) (?P<noun>(?:{_FEMININE})s?\b)", _counted),
        (r"(?<=[0-9]) ?j ?/ ?(?=[0-9])", _words(" jours sur ")),
        (r"(?<=[0-9]) ?/ ?(?=[0-9])", _words(" sur ")),
        (r"(?<=[0-9]{4})[-–](?=[0-9]{4}(?![0-9]))", _words(" à ")),
        (r"(?<=[0-9])[-–](?=[0-9A-Z])|(?<=[A-Z])-(?=[0-9])", _words(" tiret ")),
        (r"(?<![\w-])[-−](?=[0-9])", _words("moins ")),
        (r" ?\+ ?(?=[0-9])", _words(" plus ")),
        (r"(?<=[0-9]) ?°", _words("")),
        # what figures are left
        (
            rf"(?P<whole>{_WHOLE}),(?P<decimals>[0-9]+)",
            lambda match: _decimal(match["whole"], match["decimals"]),
        ),
        (r"(?<=[0-9])\.(?=[0-9])", _words(" point ")),
        (r"(?<=[0-9])(?=[^\W\d_])|(?<=[^\W\d_])(?=[0-9])", _words(" ")),
        (r"[0-9]{1,3}(?: [0-9]{3})+(?![0-9])|[0-9]+", lambda match: _number(match[0])),
        # letters
        (r"\bM\.(?= et (?:Mme|Madame)\b)", _words("Monsieur")),
        (r"\bMe(?= [A-ZÀ-Ý][a-zà-ÿ])", _words("Maître")),
        (r"\bSt(?P<e>e?)-(?=[A-ZÀ-Ý])", lambda match: f"Saint{match['e']}-"),
        (
            r"\b(?:cf\.|p\. ex\.|c\.-à-d\.|[Tt]él\.|env\.|av\.)|\b[Bb]d(?= [A-ZÀ-Ýd])",
            lambda match: _ABBREVIATIONS[match[0]],
        ),
        (r"\bMM?\.(?= ?[A-ZÀ-Ý]| l[ea] )", lambda match: _TITLES[match[0]]),
        (r"\b(?P<title>Mmes?|Mlle|Dr)\b\.?", lambda match: _TITLES[match["title"]]),
        (r"\b[A-Z]{2,5}\b", _capitals),
        (r"€", _words("euros")),
        (r" ?% ?", _words(" pour cent ")),
        (r" ?& ?", _words(" et ")),
        (r"@", _words(" arobase ")),
        (r"\bet/ou\b", _words("et ou")),
        (r"(?<=\w)/(?=\w)", _words(" ou ")),
    )
)
