"""Telephone numbers as they are said, keyed and shown; a wrong one would ring a stranger."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from num2words import num2words  # type: ignore[import-untyped]  # ships no types

from tools.phone_numbers import keyed_phone_number, last_digits, phone_number, shown_phone_number

NATIONAL = st.from_regex(r"0[1-79][0-9]{8}", fullmatch=True).filter(str.isascii)


def spelled(number: str) -> str:
    """``number`` as it is dictated, in pairs: « zéro six, vingt et un »."""
    pairs = [number[at : at + 2] for at in range(0, len(number), 2)]
    return " ".join(("zéro " if pair[0] == "0" else "") + num2words(int(pair), lang="fr") for pair in pairs)


@pytest.mark.parametrize(
    "said",
    [
        "zéro six douze trente-quatre cinquante-six soixante-dix-huit",
        "C'est le zéro six, douze, trente quatre, cinquante six, soixante dix huit.",
        "au zéro six un deux trois quatre cinq six sept huit",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "mon numéro de téléphone est le 0612345678",
        "plus trente-trois six douze trente-quatre cinquante-six soixante-dix-huit",
        "+33 6 12 34 56 78",
        "euh zéro six euh douze trente-quatre cinquante-six soixante-dix-huit",
        "le 06 12 34 56 79, non pardon, le 06 12 34 56 78",
        "zéro six douze trente-quatre cinquante-six zéro huit, non pardon, ça finit par soixante-dix-huit",
        "06 12 34 56 79, pardon, 8 à la fin",
        "06 12 34 56 78 après 18 heures",
        "zéro six douze trente-quatre cinquante-six soixante-dix-huit après dix-huit heures trente",
    ],
)
def test_a_number_is_read_however_it_is_said(said: str) -> None:
    assert phone_number(said) == "0612345678"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "oui",
        "zéro six douze trente-quatre cinquante-six",
        "zéro six soixante-douze trente-quatre cinquante-six",
        "zéro huit quatre-vingt-dix-neuf douze trente-quatre cinquante-six",
        "dix zéro sept quatre-vingt-huit vingt et un",
        "le 06 12 34 56 78 ou le 06 12 34 56 79",
        "06 12 34 56 78, non pardon, treize",
        "06 12 34 56 04, non pardon, 07",
        "06 12 34 56 78, non, à la fin c'est un 2",
        "ça finit par 78",
        "06 12 34 56 soixante-dix et quelque chose",
        "plus quarante-neuf trente douze trente-quatre cinquante-six",
        "36 46",
    ],
    ids=[
        "nothing",
        "no number",
        "a pair is missing",
        "a pair is missing, and soixante-douze could be cut",
        "charged by the minute",
        "a customer number",
        "two numbers",
        "half a correction",
        "the end, or the beginning",
        "two, or twelve",
        "the end alone",
        "the end left open",
        "abroad",
        "a short number",
    ],
)
def test_what_is_no_sure_number_is_none(said: str) -> None:
    assert phone_number(said) is None


@given(NATIONAL)
@example("0420000000")
@example("0160107000")
def test_a_number_dictated_in_pairs_is_read_right_or_asked_again(number: str) -> None:
    """« soixante, dix » without its comma may be 70, « quatre, vingt » 80: then there is no answer."""
    assert phone_number(spelled(number)) in {number, None}
    pairs = [number[at : at + 2] for at in range(0, len(number), 2)]
    four_and_twenty = any(one == "04" and other[0] == "2" for one, other in pairwise(pairs))
    if not {"6", "8"} & set(number[2::2]) and not four_and_twenty:
        assert phone_number(spelled(number)) == number


@given(NATIONAL)
def test_every_way_of_keying_and_showing_a_number_is_the_same_number(number: str) -> None:
    for keyed in (number, f"{number}#", f"0033{number[1:]}", f"33{number[1:]}"):
        assert keyed_phone_number(keyed) == number
    for shown in (number, f"+33{number[1:]}", f"0033{number[1:]}", f"33{number[1:]}", f"+33(0){number[1:]}"):
        assert shown_phone_number(shown) == number


def test_a_last_pair_figure_by_figure_takes_the_place_of_the_last() -> None:
    said = "zéro six cinquante vingt-deux dix-sept zéro quatre, non pardon, zéro cinq"
    assert phone_number(said) == "0650221705"


@pytest.mark.parametrize(
    "shown", ["", "anonymous", "+4930123456", "3646", "0899123456", "sip:jeanne@example"]
)
def test_a_hidden_number_one_from_abroad_and_one_nobody_owns_are_not_offered(shown: str) -> None:
    assert shown_phone_number(shown) is None


@pytest.mark.parametrize(
    "keyed", ["", "0", "#", "061234567", "06123456789", "*12", "0899123456", "٠٦١٢٣٤٥٦٧٨"]
)
def test_other_keys_are_no_number(keyed: str) -> None:
    assert keyed_phone_number(keyed) is None


def test_of_a_callers_own_number_the_last_two_digits_are_told() -> None:
    assert last_digits("0612345605") == "05"
