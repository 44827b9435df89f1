from pathlib import Path

import pytest

from app.rehearsal.script import Script, ScriptInvalid, read_script
from app.settings import read
from app.wiring import known_lines

SCRIPT = """
caller = "0612345678"
outcome = "hung_up"
[[turns]]
title = "accueil"
[[turns]]
title = "au revoir"
says = "Au revoir."
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_script_is_read_turn_by_turn(tmp_path: Path) -> None:
    script = read_script(written(tmp_path, SCRIPT))
    assert [(cue.title, cue.says) for cue in script.turns] == [("accueil", ""), ("au revoir", "Au revoir.")]
    assert (script.caller, script.outcome) == ("0612345678", "hung_up")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (("hung_up", "vanished"), "outcome"),
        (("title = ", "name = "), "turns.0"),
        (('says = "Au revoir."', ""), "turns.1: the caller has to say something"),
        (('says = "Au revoir."', 'says = " …"'), "turns.1: the caller has to say something"),
        (('"accueil"', '"accueil"\nsays = "Allô ?"'), "turns.0: the agent opens the call"),
        (('"accueil"', '"accueil"\nhangs_up_after_ms = 5'), "turns.0: who has hung up"),
        (("[[turns]]", "[[scenes]]"), "turns"),
        (("[[turns]]", "[[turns]"), "not TOML"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused_with_the_place(
    tmp_path: Path, damage: tuple[str, str], told: str
) -> None:
    with pytest.raises(ScriptInvalid, match=told):
        read_script(written(tmp_path, SCRIPT.replace(*damage)))


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptInvalid, match=r"absent\.toml"):
        read_script(tmp_path / "absent.toml")


@pytest.fixture(scope="module")
def shipped() -> Script:
    return read_script()


@pytest.fixture(scope="module")
def known() -> list[str]:
    return known_lines(read(Path("no-such.env")))


def test_the_keyless_ear_knows_every_line_of_the_caller(shipped: Script, known: list[str]) -> None:
    assert {cue.says for cue in shipped.turns if cue.says} <= set(known)


def test_most_of_what_the_keyless_ear_knows_is_never_said(shipped: Script, known: list[str]) -> None:
    decoys = set(known) - {cue.says for cue in shipped.turns}
    assert len(decoys) >= 20
    assert len(known) == len(set(known))


def test_the_shipped_call_shows_what_the_agent_is_for(shipped: Script) -> None:
    lines = [key for cue in shipped.turns for key in cue.lines]
    for key in ("greet.notice", "contract.value", "faq.answer", "claims.under_review", "goodbye.farewell"):
        assert key in lines
    assert any(cue.interrupts_after_ms for cue in shipped.turns)
    assert shipped.outcome == "hung_up"
