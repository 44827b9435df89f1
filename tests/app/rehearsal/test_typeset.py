import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rehearsal.typeset import wrapped


@pytest.mark.parametrize("width", range(12, 40))
def test_no_line_begins_with_a_sign_that_belongs_to_the_word_before(width: int) -> None:
    lines = wrapped("Reprenons : quel est, dit-il, « le numéro » ? Ou bien ; qui sait !", width)
    assert not any(line[0] in "?!:;»" for line in lines)
    assert not any(line.endswith("«") for line in lines)


@given(st.text(alphabet="abcé ?«»:-", max_size=80), st.integers(5, 40))
def test_no_line_is_wider_than_asked_and_no_word_is_lost(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_what_does_not_fit_is_an_ellipsis() -> None:
    assert wrapped("un deux trois quatre cinq six", 12, 2) == ["un deux", "trois …"]
