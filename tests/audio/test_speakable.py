import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.speakable import speakable

CASES = [
    # amounts
    ("45 230,18 €", "quarante-cinq mille deux cent trente euros et dix-huit centimes"),
    ("45\u202f230,18\u00a0€", "quarante-cinq mille deux cent trente euros et dix-huit centimes"),
    ("45\u00a0230,18\u202f€", "quarante-cinq mille deux cent trente euros et dix-huit centimes"),
    ("45230.18 EUR", "quarante-cinq mille deux cent trente euros et dix-huit centimes"),
    ("1 200 €", "mille deux cents euros"),
    ("80 €", "quatre-vingts euros"),
    ("80 000 €", "quatre-vingt mille euros"),
    ("200 €", "deux cents euros"),
    ("21 €", "vingt et un euros"),
    ("1 €", "un euro"),
    ("0 €", "zéro euro"),
    ("0,50 €", "cinquante centimes"),
    ("1,01 €", "un euro et un centime"),
    ("12,5 €", "douze euros et cinquante centimes"),
    ("12,05 euros", "douze euros et cinq centimes"),
    ("1 000 000 €", "un million d'euros"),
    ("1 200 000 €", "un million deux cent mille euros"),
    ("-12,50 €", "moins douze euros et cinquante centimes"),
    ("152 500 euros exonérés", "cent cinquante-deux mille cinq cents euros exonérés"),
    ("30 €/mois", "trente euros par mois"),
    ("en 2026 200 €", "en deux mille vingt-six deux cents euros"),
    ("un montant en €", "un montant en euros"),
    # percentages
    ("2,5 %", "deux virgule cinq pour cent"),
    ("2,5\u00a0%", "deux virgule cinq pour cent"),
    ("17,25%", "dix-sept virgule vingt-cinq pour cent"),
    ("0,05 %", "zéro virgule zéro cinq pour cent"),
    ("100 %", "cent pour cent"),
    ("+3 %", "plus trois pour cent"),
    ("-3 %", "moins trois pour cent"),
    # dates
    ("6 octobre 2026", "six octobre deux mille vingt-six"),
    ("le mardi 6 octobre", "le mardi six octobre"),
    ("1er avril 1962", "premier avril mille neuf cent soixante-deux"),
    ("1 avril", "premier avril"),
    ("06/10/2026", "six octobre deux mille vingt-six"),
    ("6/10/2026", "six octobre deux mille vingt-six"),
    ("01.04.1962", "premier avril mille neuf cent soixante-deux"),
    ("2026-10-06", "six octobre deux mille vingt-six"),
    ("le 06/10", "le six octobre"),
    ("du 1er au 15 mars", "du premier au quinze mars"),
    ("31/31/2026", "trente et un sur trente et un sur deux mille vingt-six"),
    ("de 2024-2026", "de deux mille vingt-quatre à deux mille vingt-six"),
    # times
    ("9 h", "neuf heures"),
    ("9h30", "neuf heures trente"),
    ("9 h 05", "neuf heures cinq"),
    ("1 h", "une heure"),
    ("21 h 21", "vingt et une heures vingt et une"),
    ("14:05", "quatorze heures cinq"),
    ("de 9 h à 18 h", "de neuf heures à dix-huit heures"),
    ("9h-18h", "de neuf heures à dix-huit heures"),
    ("à 12 h", "à midi"),
    ("de 9h à 12h30", "de neuf heures à midi trente"),
    ("sous 12 h", "sous douze heures"),
    ("sous 48 h", "sous quarante-huit heures"),
    ("24h/24 et 7j/7", "vingt-quatre heures sur vingt-quatre et sept jours sur sept"),
    # telephone numbers
    ("01 23 45 67 89", "zéro un, vingt-trois, quarante-cinq, soixante-sept, quatre-vingt-neuf"),
    ("0123456789", "zéro un, vingt-trois, quarante-cinq, soixante-sept, quatre-vingt-neuf"),
    ("06.12.34.56.78", "zéro six, douze, trente-quatre, cinquante-six, soixante-dix-huit"),
    (
        "+33 1 23 45 00 09",
        "plus trente-trois, un, vingt-trois, quarante-cinq, zéro zéro, zéro neuf",
    ),
    ("0 800 123 456", "zéro huit cents, cent vingt-trois, quatre cent cinquante-six"),
    ("appelez le 3114", "appelez le trente et un quatorze"),
    # customer numbers
    ("10078821", "dix, zéro sept, huit, huit, vingt et un"),
    ("10 07 88 21", "dix, zéro sept, huit, huit, vingt et un"),
    ("10\u00a007\u00a088\u00a021", "dix, zéro sept, huit, huit, vingt et un"),
    ("20 75 04 60.", "vingt, sept, cinq, zéro quatre, six, zéro."),
    ("12 345 678", "douze millions trois cent quarante-cinq mille six cent soixante-dix-huit"),
    # references
    ("SIN-2026-003117", "S, I, N, deux mille vingt-six, puis zéro zéro trois, un un sept"),
    ("VIE-0012345", "V, I, E, zéro zéro un deux, trois quatre cinq"),
    ("article L132-9", "article L cent trente-deux tiret neuf"),
    ("recommandation 2024-R-02", "recommandation deux mille vingt-quatre tiret R tiret zéro deux"),
    # titles, number signs, ordinals
    ("M. Martin", "Monsieur Martin"),
    ("M. le directeur", "Monsieur le directeur"),
    ("Mme Moreau", "Madame Moreau"),
    ("MM. Martin et Petit", "Messieurs Martin et Petit"),
    ("n° 12", "numéro douze"),
    ("N°12", "numéro douze"),
    ("les n°s 1 et 2", "les numéros un et deux"),
    ("1er étage", "premier étage"),
    ("la 1re fois", "la première fois"),
    ("le 2e contrat", "le deuxième contrat"),
    ("21 pièces", "vingt et une pièces"),
    ("11 pièces", "onze pièces"),
    ("1 photo", "une photo"),
    ("21 jours", "vingt et un jours"),
    # capitals
    ("votre RIB", "votre rib"),
    ("la CNIL", "la cnil"),
    ("le RGPD, l'ACPR, un PDF", "le R G P D, l'A C P R, un P D F"),
    ("par SMS", "par S M S"),
    ("Madame MOREAU, NON", "Madame MOREAU, NON"),
    ("AssuranceVie", "Assurance Vie"),
    # addresses
    ("contact@assurance-vie.fr", "contact arobase assurance tiret vie point F R"),
    ("jean.martin2@exemple.com.", "jean point martin deux arobase exemple point com."),
    ("www.exemple.fr/aide", "W W W point exemple point F R barre oblique aide"),
    ("https://ciclade.fr.", "ciclade point F R."),
    # the rest
    ("3,14", "trois virgule quatorze"),
    ("71 ans", "soixante et onze ans"),
    ("75015 Paris", "soixante-quinze mille quinze Paris"),
    ("J+5", "J plus cinq"),
    ("120 m²", "cent vingt mètres carrés"),
    ("et/ou", "et ou"),
    ("**45 €**", "quarante-cinq euros"),
    ("Bonjour, que puis-je faire pour vous ?", "Bonjour, que puis-je faire pour vous ?"),
    ("", ""),
]


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_what_is_written_is_spoken_so(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


def test_values_within_a_sentence_are_spoken_and_the_rest_is_left_alone() -> None:
    written = (
        "Au 6 octobre 2026, votre contrat VIE-0012345 vaut 45\u202f230,18\u00a0€, soit 2,5\u00a0% de plus."
    )
    assert speakable(written) == (
        "Au six octobre deux mille vingt-six, votre contrat V, I, E, zéro zéro un deux, trois quatre cinq "
        "vaut quarante-cinq mille deux cent trente euros et dix-huit centimes, soit deux virgule cinq pour "
        "cent de plus."
    )


@given(st.text("0123456789 ,.-+/:%€°hjern'aAMSINVE@²\u00a0\u202f", max_size=40))
def test_no_figure_is_ever_left_to_the_voice(written: str) -> None:
    assert not re.search("[0-9]", speakable(written))


@given(st.text(max_size=60))
def test_any_text_can_be_made_speakable(written: str) -> None:
    assert not re.search("[0-9]", speakable(written))


@pytest.mark.parametrize("written", [case[0] for case in CASES])
def test_what_was_made_speakable_is_not_changed_again(written: str) -> None:
    once = speakable(written)
    assert speakable(once) == once
