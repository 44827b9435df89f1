"""How values are written in the agent's sentences. Pure.

French typography as a reader expects it on a screen or in a transcript: ``45 230,18 €``,
``1er avril 1962``, ``10 07 88 21``. Turning that into speech is the voice's business.
Sources: Lexique des règles typographiques en usage à l'Imprimerie nationale (thin no-break
space between thousands, no-break space before the unit, ``1er`` for the first of a month).
"""

from datetime import date, time

from tools.models import CUSTOMER_NUMBER

NARROW_NO_BREAK_SPACE = "\u202f"
NO_BREAK_SPACE = "\u00a0"

MONTHS = (
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

WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")

_PHONE_DIGITS = 10


def euros(cents: int) -> str:
    """An amount in cents as ``45 230,18 €``; whole euros without cents, ``1 200 €``."""
    whole, rest = divmod(abs(cents), 100)
    thousands = f"{whole:,}".replace(",", NARROW_NO_BREAK_SPACE)
    decimals = f",{rest:02d}" if rest else ""
    sign = "-" if cents < 0 else ""
    return f"{sign}{thousands}{decimals}{NO_BREAK_SPACE}€"


def day(when: date) -> str:
    """A date as ``6 octobre 2026``, the first of a month as ``1er avril 1962``."""
    number = "1er" if when.day == 1 else str(when.day)
    return f"{number} {MONTHS[when.month - 1]} {when.year}"


def customer(number: str) -> str:
    """A customer number of 8 digits in pairs, ``10 07 88 21``; raises ValueError on anything else."""
    if not CUSTOMER_NUMBER.fullmatch(number):
        raise ValueError("a customer number has 8 digits")
    return " ".join(number[at : at + 2] for at in range(0, len(number), 2))


def phone(number: str) -> str:
    """A telephone number of 10 digits in pairs, ``06 12 34 56 78``; raises ValueError on anything else."""
    if len(number) != _PHONE_DIGITS or not number.isascii() or not number.isdigit():
        raise ValueError("a telephone number has 10 digits")
    return " ".join(number[at : at + 2] for at in range(0, len(number), 2))


def weekday(when: date) -> str:
    """A day that is near, as ``lundi 23 novembre``, ``mardi 1er décembre``: without its year."""
    return f"{WEEKDAYS[when.weekday()]} {day(when).rpartition(' ')[0]}"


def clock(at: time) -> str:
    """A time of day as ``9 heures``, ``8 h 30``."""
    if at.minute:
        return f"{at.hour} h {at.minute:02d}"
    return f"{at.hour} heure{'s' if at.hour > 1 else ''}"
