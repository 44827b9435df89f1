"""What callers say is read right or not at all.

The tables hold what was said and what was meant; the properties say numbers and dates in many
ways and want them back, or nothing.
"""

import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from num2words import num2words  # type: ignore[import-untyped]  # ships no types

from tools import spoken, written
from tools.models import CLAIM_NUMBER, CONTRACT_NUMBER, CUSTOMER_NUMBER
from tools.spoken import Reference, ReferenceKind

TODAY = date(2026, 11, 15)
MAIN_TABLE = Path(__file__).with_name("spoken_values.toml")
HELD_OUT_TABLE = Path(__file__).with_name("spoken_values_held_out.toml")

Value = str | bool | None
Case = tuple[str, str, str, Value]


def reference(text: str) -> Value:
    found = spoken.any_reference(text)
    return f"{found.kind.value}:{found.value}" if found else None


def born(text: str) -> Value:
    found = spoken.birth_date(text, TODAY)
    return found.isoformat() if found else None


READERS: dict[str, Callable[[str], Value]] = {
    "customer_number": spoken.customer_number,
    "claim_number": spoken.claim_number,
    "contract_number": spoken.contract_number,
    "any_reference": reference,
    "birth_date": born,
    "yes_no": spoken.yes_no,
}


def table(path: Path) -> list[Case]:
    document: dict[str, dict[str, dict[str, str | bool]]] = tomllib.loads(path.read_text("utf-8"))
    return [
        (reader, phenomenon, said, None if value == "" else value)
        for reader, phenomena in document.items()
        for phenomenon, cases in phenomena.items()
        for said, value in cases.items()
    ]


@pytest.mark.parametrize(("reader", "phenomenon", "said", "meant"), table(MAIN_TABLE))
def test_every_value_of_the_table_is_read_as_meant(
    reader: str, phenomenon: str, said: str, meant: Value
) -> None:
    assert READERS[reader](said) == meant, phenomenon


def test_of_the_values_kept_apart_98_in_100_are_right_and_less_than_1_in_100_wrong() -> None:
    cases = table(HELD_OUT_TABLE)
    read = [(READERS[reader](said), meant, said) for reader, _, said, meant in cases]
    wrong = [said for got, meant, said in read if got is not None and got != meant]
    right = sum(got == meant for got, meant, _ in read)
    assert len(cases) >= 150
    assert len(wrong) * 100 < len(cases), wrong
    assert right * 100 >= 98 * len(cases)


@pytest.mark.parametrize("path", [MAIN_TABLE, HELD_OUT_TABLE], ids=lambda path: path.stem)
def test_reading_does_not_hang_on_capitals_or_outer_spaces(path: Path) -> None:
    for reader, _, said, _meant in table(path):
        read = READERS[reader]
        assert read(f"  {said.upper()} \n") == read(said), said


# Customer numbers, said in many ways


def as_chunk(digits: str, lang: str) -> str:
    """« 07 » as « zéro sept », « 117 » as « cent dix-sept »."""
    zeros = len(digits) - len(digits.lstrip("0"))
    words = ["zéro"] * zeros + ([num2words(int(digits), lang=lang)] if digits.strip("0") else [])
    return " ".join(words)


@st.composite
def dictated(draw: st.DrawFn, length: int) -> tuple[str, str]:
    """A number of that many digits, and a way to dictate it as a recogniser may write it."""
    number = draw(st.text("0123456789", min_size=length, max_size=length))
    lang = draw(st.sampled_from(["fr", "fr", "fr_BE", "fr_CH"]))
    chunks, at = [], 0
    while at < length:
        size = draw(st.integers(1, 3))
        chunks.append(as_chunk(number[at : at + size], lang))
        at += size
    text = draw(st.sampled_from([" ", ", ", " euh ", " puis ", ". "])).join(chunks)
    text = text.replace("-", " ") if draw(st.booleans()) else text
    text = text.replace("é", "e") if draw(st.booleans()) else text
    before = draw(st.sampled_from(["", "mon numéro c'est le ", "oui alors ", "c'est "]))
    return number, f"{before}{text}{draw(st.sampled_from(['', '.', ' merci', ' voilà']))}"


@given(dictated(8))
def test_a_dictated_customer_number_is_read_back_or_asked_again_but_never_another(
    case: tuple[str, str],
) -> None:
    number, said = case
    assert spoken.customer_number(said) in {number, None}


@given(st.text("0123456789", min_size=8, max_size=8), st.sampled_from(["fr", "fr_BE", "fr_CH"]))
def test_a_customer_number_in_pairs_with_pauses_is_always_read(number: str, lang: str) -> None:
    pairs = [as_chunk(number[at : at + 2], lang) for at in range(0, 8, 2)]
    assert spoken.customer_number(", ".join(pairs)) == number
    assert spoken.customer_number(written.customer(number)) == number


@given(st.integers(10_000_000, 99_999_999))
def test_a_customer_number_said_as_one_big_number_is_always_read(number: int) -> None:
    assert spoken.customer_number(num2words(number, lang="fr")) == str(number)


@given(st.text("0123456789", min_size=1, max_size=12).filter(lambda digits: len(digits) != 8))
def test_digits_that_are_not_eight_are_no_customer_number(digits: str) -> None:
    assert spoken.customer_number(digits) is None
    assert spoken.customer_number(" ".join(num2words(int(digit), lang="fr") for digit in digits)) is None


@given(st.integers(2020, 2029), st.integers(0, 999_999), st.booleans(), st.booleans())
def test_a_claim_number_dictated_in_blocks_is_read_back_or_asked_again_but_never_another(
    year: int, serial: int, in_pairs: bool, hyphens_lost: bool
) -> None:
    digits, size = f"{serial:06d}", 2 if in_pairs else 3
    blocks = [as_chunk(digits[at : at + size], "fr") for at in range(0, 6, size)]
    said = " ".join(["SIN", num2words(year, lang="fr"), *blocks])
    found = spoken.claim_number(said.replace("-", " ") if hyphens_lost else said)
    assert found in {f"SIN-{year}-{serial:06d}", None}
    with_pauses = ", ".join(["SIN", num2words(year, lang="fr"), *blocks])
    assert spoken.claim_number(with_pauses) == f"SIN-{year}-{serial:06d}"


@given(st.integers(2027, 2099), st.integers(0, 999_999))
def test_a_claim_of_a_coming_year_is_none(year: int, serial: int) -> None:
    said = f"SIN {year} {serial:06d}"
    assert spoken.claim_number(said) == f"SIN-{year}-{serial:06d}"
    assert spoken.claim_number(said, TODAY.year) is None
    assert spoken.any_reference(said, TODAY.year) is None


@given(dictated(7), st.sampled_from(["", "vie ", "V I E ", "contrat vie "]))
def test_a_dictated_contract_number_is_read_back_or_asked_again_but_never_another(
    case: tuple[str, str], named: str
) -> None:
    number, said = case
    assert spoken.contract_number(f"{named}{said}") in {f"VIE-{number}", None}


@given(st.text("0123456789", min_size=7, max_size=7))
def test_a_contract_number_spelled_after_its_letters_is_always_read(number: str) -> None:
    figures = " ".join(num2words(int(digit), lang="fr") for digit in number)
    assert spoken.contract_number(f"V I E {figures}") == f"VIE-{number}"
    assert spoken.contract_number(f"VIE {number}") == f"VIE-{number}"


@given(st.text("0123456789", min_size=8, max_size=8), st.integers(2, 6), st.sampled_from([", ", ", euh, "]))
def test_who_begins_his_number_again_means_what_he_says_the_second_time(
    number: str, heads: int, pause: str
) -> None:
    pairs = [as_chunk(number[at : at + 2], "fr") for at in range(0, 8, 2)]
    head = " ".join(num2words(int(digit), lang="fr") for digit in number[:heads])
    assert spoken.customer_number(f"{head}{pause}{number}") in {number, None}
    assert spoken.customer_number(f"{head}, non, {', '.join(pairs)}") == number


@given(st.sampled_from("67"), st.text("0123456789", min_size=8, max_size=8))
def test_a_mobile_whose_first_zero_was_cut_off_is_that_mobile_or_asked_again(kind: str, rest: str) -> None:
    pairs = [as_chunk(rest[at : at + 2], "fr") for at in range(0, 8, 2)]
    said = ", ".join([num2words(int(kind), lang="fr"), *pairs])
    assert spoken.phone_number(said) in {f"0{kind}{rest}", None}


@pytest.mark.parametrize(
    ("form", "said", "meant"),
    [
        ("post_code", "non le trente et un, trente et un mille cinq cents", "31500"),
        ("post_code", "non pas trente-trois mille, trente-quatre mille", "34000"),
        ("phone", "zéro six douze trente-quatre cinquante-six soixante-dix-huit, non, dix-neuf", None),
        ("amount", "dix mille deux cent trente euros zéro cinq", "10230.05"),
        ("amount", "un demi-million d'euros", "500000.00"),
        ("amount", "dix euros zéro cinquante", None),
        ("amount", "deux mille cinq", None),
        ("amount", "deux mille cinq euros", "2005.00"),
        ("amount", "trois k euros", None),
        ("customer", "huit fois le un", "11111111"),
        ("customer", "quadruple zéro douze trente-quatre", "00001234"),
        ("yes_no", "pourquoi pas", "yes"),
        ("yes_no", "pourquoi", None),
        ("birth_date", "en dix-neuf cent trente-six le deux mai", "1936-05-02"),
        ("birth_date", "en trente-six, le deux mai", None),
        ("yes_no", "oui, euh non, c'est pas ça", "no"),
        ("yes_no", "non, oui pardon, c'est ça", "yes"),
        ("yes_no", "oui, non", None),
        ("yes_no", "oui, enfin non", None),
    ],
)
def test_changes_of_mind_and_unusual_orders_are_read_right_or_asked_again(
    form: str, said: str, meant: str | None
) -> None:
    assert spoken.value(said, spoken.ValueForm(form), TODAY) == meant


# Dates


@st.composite
def dated(draw: st.DrawFn) -> tuple[date, str]:
    """A living person's birth date, and a way to say it."""
    when = draw(st.dates(date(1907, 1, 1), TODAY))
    lang = draw(st.sampled_from(["fr", "fr_BE", "fr_CH"]))

    def say(number: int) -> str:
        return str(num2words(number, lang=lang))

    days = [say(when.day), f"{when.day:02d}", *(["premier"] if when.day == 1 else [])]
    months = [written.MONTHS[when.month - 1], say(when.month), as_chunk(f"{when.month:02d}", lang)]
    years = [say(when.year), str(when.year), " ".join(say(int(digit)) for digit in str(when.year))]
    if when.year % 100 >= 10:
        years.append(f"{say(when.year // 100)} {say(when.year % 100)}")
    if when.year < 2000:
        years += [f"dix-neuf cent {say(when.year % 100)}", as_chunk(f"{when.year % 100:02d}", lang)]
    parts = [draw(st.sampled_from(ways)) for ways in (days, months, years)]
    text = draw(st.sampled_from([" ", ", ", " euh "])).join(parts)
    before = draw(st.sampled_from(["", "le ", "je suis née le ", "c'est le "]))
    return when, before + (text.replace("-", " ") if draw(st.booleans()) else text)


@given(dated())
def test_a_birth_date_said_is_read_back_or_asked_again_but_never_another(case: tuple[date, str]) -> None:
    when, said = case
    assert spoken.birth_date(said, TODAY) in {when, None}


@given(st.dates(date(1907, 1, 1), TODAY))
def test_a_birth_date_with_its_month_named_and_its_year_in_full_is_always_read(when: date) -> None:
    assert spoken.birth_date(f"le {written.day(when)}", TODAY) == when
    day = "premier" if when.day == 1 else num2words(when.day, lang="fr")
    said = f"{day} {written.MONTHS[when.month - 1]} {num2words(when.year, lang='fr')}"
    assert spoken.birth_date(said, TODAY) == when
    assert spoken.birth_date(said.replace("-", " "), TODAY) == when


@given(st.dates(date(1850, 1, 1), date(2100, 12, 31)))
def test_a_day_nobody_living_can_be_born_on_is_no_birth_date(when: date) -> None:
    oldest = TODAY.replace(year=TODAY.year - 120)
    expected = when if oldest <= when <= TODAY else None
    assert spoken.birth_date(written.day(when), TODAY) == expected
    assert spoken.keyed_date(f"{when:%d%m%Y}", TODAY) == expected


@given(st.integers(0, 60), st.integers(0, 20), st.integers(1900, 2026))
def test_a_day_no_calendar_has_is_no_birth_date(day: int, month: int, year: int) -> None:
    found = spoken.birth_date(f"{day:02d}/{month:02d}/{year}", TODAY)
    try:
        expected = date(year, month, day)
    except ValueError:
        assert found is None
    else:
        assert found in {expected, None}


def test_two_digits_of_a_year_are_enough_only_when_one_century_is_possible() -> None:
    def year_of(digits: int) -> int | None:
        found = spoken.birth_date(f"4 mai {digits:02d}", TODAY)
        return found.year if found else None

    assert [year_of(digits) for digits in (27, 62, 99)] == [1927, 1962, 1999]
    assert [year_of(digits) for digits in (0, 5, 6)] == [2000, 2005, 2006]
    assert [year_of(digits) for digits in (7, 12, 26)] == [None, None, None]


def test_the_120th_birthday_is_the_last() -> None:
    assert spoken.birth_date("15/11/1906", TODAY) == date(1906, 11, 15)
    assert spoken.birth_date("14/11/1906", TODAY) is None
    assert spoken.birth_date("29 février 1904", date(2024, 2, 29)) == date(1904, 2, 29)


def test_today_is_a_birth_date_and_tomorrow_is_none() -> None:
    assert spoken.birth_date(written.day(TODAY), TODAY) == TODAY
    assert spoken.birth_date(written.day(TODAY + timedelta(days=1)), TODAY) is None


# Keyed


@pytest.mark.parametrize(
    ("digits", "meant"),
    [
        ("10078821", Reference(ReferenceKind.CUSTOMER, "10078821")),
        ("10078821#", Reference(ReferenceKind.CUSTOMER, "10078821")),
        ("0012345", Reference(ReferenceKind.CONTRACT, "VIE-0012345")),
        ("2026003117#", Reference(ReferenceKind.CLAIM, "SIN-2026-003117")),
        ("1926003117", None),
        ("", None),
        ("#", None),
        ("1007882", Reference(ReferenceKind.CONTRACT, "VIE-1007882")),
        ("100788", None),
        ("100788211", None),
        ("1007*8821", None),
        ("1007 8821", None),
        ("١٠٠٧٨٨٢١", None),
    ],
)
def test_a_keyed_number_is_known_by_its_length(digits: str, meant: Reference | None) -> None:
    assert spoken.keyed_reference(digits) == meant


@pytest.mark.parametrize(
    ("digits", "meant"),
    [
        ("01041962", date(1962, 4, 1)),
        ("01041962#", date(1962, 4, 1)),
        ("010462", date(1962, 4, 1)),
        ("010412", None),
        ("31021962", None),
        ("19620401", None),
        ("0104196", None),
        ("01*41962", None),
        ("", None),
        ("#", None),
    ],
)
def test_a_keyed_date_is_day_month_year(digits: str, meant: date | None) -> None:
    assert spoken.keyed_date(digits, TODAY) == meant


# Whatever is said

VOCABULARY = (
    *("zéro", "un", "deux", "trois", "quatre", "sept", "dix", "onze", "vingt", "soixante", "quatre-vingt"),
    *(
        "cent",
        "mille",
        "million",
        "et",
        "double",
        "fois",
        "zéros",
        "non",
        "pardon",
        "pas",
        "le",
        "du",
        "avril",
    ),
    *("mai", "premier", "sinistre", "SIN", "vie", "client", "10", "07", "2026", "003117", "oui", "euh"),
    *(",", "-", "/"),
)


@given(st.lists(st.sampled_from(VOCABULARY), max_size=25).map(" ".join) | st.text())
@example("9" * 10_000)
@example("vingt deux " * 500)
@example("cent mille million " * 100)
@example("double " * 200)
@example("deux fois " * 100)
def test_whatever_is_said_yields_a_well_formed_value_or_none(said: str) -> None:
    customer, contract, claim = (
        read(said) for read in (spoken.customer_number, spoken.contract_number, spoken.claim_number)
    )
    assert customer is None or CUSTOMER_NUMBER.fullmatch(customer)
    assert contract is None or CONTRACT_NUMBER.fullmatch(contract)
    assert claim is None or CLAIM_NUMBER.fullmatch(claim)
    found = spoken.birth_date(said, TODAY)
    assert found is None or found <= TODAY
    assert spoken.yes_no(said) in {True, False, None}
    assert spoken.any_reference(said) in {
        None,
        Reference(ReferenceKind.CUSTOMER, customer or ""),
        Reference(ReferenceKind.CONTRACT, contract or ""),
        Reference(ReferenceKind.CLAIM, claim or ""),
    }


YES = [said for reader, _, said, meant in table(MAIN_TABLE) if reader == "yes_no" and meant is True]


@pytest.mark.parametrize("said", YES)
def test_a_yes_taken_back_is_no_yes(said: str) -> None:
    assert spoken.yes_no(f"{said} enfin non") is not True
