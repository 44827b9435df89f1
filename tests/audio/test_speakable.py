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
    ("https://www.exemple.fr/espace?id=12", "W W W point exemple point F R barre oblique espace"),
    # more ways to write amounts
    ("1.000 €", "mille euros"),
    ("12.500,50 €", "douze mille cinq cents euros et cinquante centimes"),
    ("12 k€", "douze mille euros"),
    ("1,5 M€", "un million cinq cent mille euros"),
    ("3 M€", "trois millions d'euros"),
    ("10-15 €", "dix à quinze euros"),
    ("10 – 15 %", "dix à quinze pour cent"),
    ("10 à 15 %", "dix à quinze pour cent"),
    ("3 x 100 €", "trois fois cent euros"),
    ("100 € + 20 €", "cent euros plus vingt euros"),
    ("10€", "dix euros"),
    ("1 001 €", "mille un euros"),
    ("71 €", "soixante et onze euros"),
    ("99,99 €", "quatre-vingt-dix-neuf euros et quatre-vingt-dix-neuf centimes"),
    ("20 $", "vingt dollars"),
    # more dates, ranges and delays
    ("1er janv. 2026", "premier janvier deux mille vingt-six"),
    ("15 déc. 2025", "quinze décembre deux mille vingt-cinq"),
    ("en 12/2026", "en décembre deux mille vingt-six"),
    ("9/2026", "septembre deux mille vingt-six"),
    ("5-10 jours", "cinq à dix jours"),
    ("sous 5 j", "sous cinq jours"),
    ("5 jours ouvrés", "cinq jours ouvrés"),
    ("30 min", "trente minutes"),
    ("1 min", "une minute"),
    ("1 h 30 min", "une heure trente"),
    ("14h00", "quatorze heures"),
    ("7 j/7", "sept jours sur sept"),
    ("2 ans 1/2", "deux ans et demi"),
    ("½ journée", "une demi-journée"),
    ("9 h - 12 h et 14 h - 18 h", "de neuf heures à midi et de quatorze heures à dix-huit heures"),
    ("(9h-18h)", "(de neuf heures à dix-huit heures)"),
    # more numbers that name something
    (
        "+33(0)1 23 45 67 89",
        "plus trente-trois, un, vingt-trois, quarante-cinq, soixante-sept, quatre-vingt-neuf",
    ),
    (
        "0033 1 23 45 67 89",
        "plus trente-trois, un, vingt-trois, quarante-cinq, soixante-sept, quatre-vingt-neuf",
    ),
    ("01-23-45-67-89", "zéro un, vingt-trois, quarante-cinq, soixante-sept, quatre-vingt-neuf"),
    ("SIN 2026 003117", "S, I, N, deux mille vingt-six, puis zéro zéro trois, un un sept"),
    ("VIE 0012345", "V, I, E, zéro zéro un deux, trois quatre cinq"),
    ("dossier SIN-2026-003117.", "dossier S, I, N, deux mille vingt-six, puis zéro zéro trois, un un sept."),
    ("contrat n°VIE-0012345", "contrat numéro V, I, E, zéro zéro un deux, trois quatre cinq"),
    ("n° 10078821", "numéro dix, zéro sept, huit, huit, vingt et un"),
    (
        "FR76 3000 6000 0112 3456 7890 189",
        (
            "F R sept six, trois zéro zéro zéro, six zéro zéro zéro, zéro un un deux, trois quatre cinq six, "
            "sept huit neuf zéro, un huit neuf"
        ),
    ),
    ("le 15, le 18 ou le 112", "le quinze, le dix-huit ou le cent douze"),
    ("12 bis, rue de la Paix", "douze bis, rue de la Paix"),
    # Roman numerals
    ("Louis XIV", "Louis quatorze"),
    ("Henri IV et Louis XVI", "Henri quatre et Louis seize"),
    ("Charles V", "Charles cinq"),
    ("François Ier", "François premier"),
    ("Jean-Paul II", "Jean-Paul deux"),
    ("le XXIe siècle", "le vingt et unième siècle"),
    ("la Ve République", "la cinquième République"),
    ("le XVIe arrondissement", "le seizième arrondissement"),
    ("Ire partie", "première partie"),
    ("chapitre II, titre IX", "chapitre deux, titre neuf"),
    ("article I", "article un"),
    ("article L. 113-2", "article L. cent treize tiret deux"),
    ("Paul V., MIDI, XL", "Paul V., MIDI, X L"),
    ("article Insee, Le Vésinet", "article Insee, Le Vésinet"),
    # units and fractions
    ("20 °C", "vingt degrés"),
    ("-5 °C", "moins cinq degrés"),
    ("1 kg", "un kilogramme"),
    ("2,5 cm", "deux virgule cinq centimètres"),
    ("0,5 km", "zéro virgule cinq kilomètre"),
    ("90 km/h", "quatre-vingt-dix kilomètres heure"),
    ("10 m³", "dix mètres cubes"),
    ("120 kWh", "cent vingt kilowattheures"),
    ("1/2", "un demi"),
    ("3/4 des contrats", "trois quarts des contrats"),
    ("50/50", "cinquante sur cinquante"),
    # more titles and abbreviations
    ("M. et Mme Petit", "Monsieur et Madame Petit"),
    ("Me Durand", "Maître Durand"),
    ("Me voici", "Me voici"),
    ("Dr Petit", "Docteur Petit"),
    ("le 2nd degré", "le second degré"),
    ("la 2nde fois", "la seconde fois"),
    ("la 1ère demande", "la première demande"),
    ("cf. votre contrat", "voir votre contrat"),
    ("p. ex. un vol", "par exemple un vol"),
    ("c.-à-d. demain", "c'est-à-dire demain"),
    ("tél. 3949", "téléphone trois mille neuf cent quarante-neuf"),
    ("env. 3 semaines", "environ trois semaines"),
    ("bd Voltaire, av. de la Paix", "boulevard Voltaire, avenue de la Paix"),
    ("St-Denis, Ste-Anne", "Saint-Denis, Sainte-Anne"),
    ("une SCPI, en CDI", "une S C P I, en C D I"),
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


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(CASES) >= 150
    assert len({written for written, _ in CASES}) == len(CASES)


PROSE = [
    "je",
    "vous",
    "écoute",
    "voulez",
    "savoir",
    "où",
    "en",
    "est",
    "dossier",
    "aujourd'hui",
    "peut-être",
    "Le",
]


@given(
    st.lists(st.sampled_from(PROSE), min_size=1, max_size=12), st.sampled_from([".", " ?", " !", "…", ","])
)
def test_plain_prose_is_left_alone(words: list[str], end: str) -> None:
    prose = " ".join(words) + end
    assert speakable(prose) == prose


@pytest.mark.parametrize("written", [case[0] for case in CASES])
def test_what_was_made_speakable_is_not_changed_again(written: str) -> None:
    once = speakable(written)
    assert speakable(once) == once
