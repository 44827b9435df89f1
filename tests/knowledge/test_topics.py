import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge.topics import Topics

HOURS = ("quels sont vos horaires", "à quelle heure ouvrez-vous", "vous fermez quand le soir")
THEFT = ("combien de temps pour déclarer un vol", "on m'a volé mon vélo", "mon sac a été volé")
PRICES = ("combien coûte une assurance", "quel est votre tarif")
ALL = Topics([HOURS, THEFT, PRICES])


def first(asked: str) -> int:
    return int(np.argmax(ALL.evidence(asked)))


def test_words_spread_over_several_wordings_speak_together() -> None:
    assert first("à quelle heure vous fermez") == 0
    assert first("combien de temps pour un sac volé") == 1


def test_the_kind_of_question_counts() -> None:
    assert first("combien coûte un vol") == 2
    assert first("combien de temps pour le dire") == 1


def test_a_wrong_transcription_still_speaks_for_its_topic() -> None:
    assert first("vos orraires") == 0
    assert first("un vollé") == 1


def test_what_was_never_worded_says_nothing() -> None:
    assert not ALL.evidence("zzz").any()
    assert not ALL.evidence("").any()


def test_unknown_words_weaken_the_known_ones() -> None:
    assert ALL.evidence("le vol")[1] > ALL.evidence("le vol xyzzy plugh grault")[1] > 0


def test_evidence_does_not_depend_on_the_order_of_wordings() -> None:
    again = Topics([HOURS[::-1], THEFT[::-1], PRICES[::-1]])
    assert np.allclose(again.evidence("un vol à quelle heure"), ALL.evidence("un vol à quelle heure"))


def test_without_wordings_there_is_no_evidence() -> None:
    assert Topics([]).evidence("vos horaires").shape == (0,)


@given(st.text(max_size=80))
def test_whatever_is_heard_gives_one_finite_figure_per_topic(asked: str) -> None:
    evidence = ALL.evidence(asked)
    assert evidence.shape == (3,)
    assert np.isfinite(evidence).all()
