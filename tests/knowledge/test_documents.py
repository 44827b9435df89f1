from itertools import pairwise
from pathlib import Path

import pytest

from knowledge.documents import (
    CHUNK_WORDS,
    OVERLAP_WORDS,
    DocumentError,
    parse,
    passage_id,
    read_folder,
)

FAQ = """# Sujet

## Comment faire ?
Autres façons de demander : on fait comment ; quelle est la marche à suivre ?

Vous appelez.
C'est tout.

Premier détail.

Second détail,
sur deux lignes.

## Et ensuite ?

Rien.
"""


def paragraph(words: int, word: str) -> str:
    return " ".join(f"{word}{n}" for n in range(words))


def test_a_heading_gives_a_passage_with_its_answer_details_and_variants() -> None:
    first, second = parse(FAQ, "sujet.md")
    assert first.question == "Comment faire ?"
    assert first.variants == ("on fait comment", "quelle est la marche à suivre ?")
    assert first.answer == "Vous appelez. C'est tout."
    assert first.details == "Premier détail.\n\nSecond détail,\nsur deux lignes."
    assert first.source == "sujet.md"
    assert (second.question, second.answer, second.details, second.variants) == (
        "Et ensuite ?",
        "Rien.",
        "",
        (),
    )


def test_a_question_is_never_cut_from_its_answer_however_long() -> None:
    text = f"## Question ?\n\nRéponse.\n\n{paragraph(3 * CHUNK_WORDS, 'mot')}\n"
    (only,) = parse(text, "long.md")
    assert only.answer == "Réponse."
    assert len(only.details.split()) == 3 * CHUNK_WORDS


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    assert parse("\ufeff" + FAQ.replace("\n", "\r\n"), "sujet.md") == parse(FAQ, "sujet.md")


def test_the_id_depends_on_source_and_question_only() -> None:
    again = parse(FAQ.replace("Vous appelez.", "Vous écrivez."), "sujet.md")[0]
    assert again.id == parse(FAQ, "sujet.md")[0].id == passage_id("sujet.md", "Comment faire ?")
    assert again.id != parse(FAQ, "autre.md")[0].id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.md: the file is empty"),
        (" \n\n", "f.md: the file is empty"),
        (
            "# T\n\n## Question ?\n\n## Autre ?\n\nOui.\n",
            "f.md, line 3: no answer under the question: Question ?",
        ),
        ("## \n\nRéponse.\n", "f.md, line 1: a heading without a question"),
        ("Bonjour.\n\n## Question ?\n\nOui.\n", "f.md, line 1: text before the first question"),
        ("## Q ?\n\nOui.\n\n## q ?\n\nNon.\n", "f.md, line 5: already asked on line 1: q ?"),
        ("## Q ?\n\n- un\n- deux\n", "f.md, line 1: the first paragraph is spoken"),
        ("## Q ?\nAutres façons de demander : r ; s\n", "f.md, line 1: no answer under the question: Q ?"),
    ],
)
def test_an_unusable_file_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(text, "f.md")
    assert message in str(refused.value)


def test_a_short_plain_document_is_one_piece() -> None:
    (only,) = parse("Premier paragraphe.\n\nSecond paragraphe.\n", "notes.txt")
    assert (only.question, only.answer) == ("", "")
    assert only.details == "Premier paragraphe.\n\nSecond paragraphe."


def test_headings_in_a_text_file_are_text() -> None:
    (only,) = parse("## Pas une question\n\nDu texte.\n", "notes.txt")
    assert only.question == ""


def test_plain_pieces_end_with_a_paragraph_and_share_the_last_ones_with_the_next() -> None:
    paragraphs = [paragraph(60, f"p{n}x") for n in range(20)]
    pieces = [one.details for one in parse("\n\n".join(paragraphs), "long.txt")]
    assert len(pieces) == 3
    for piece in pieces:
        assert len(piece.split()) <= CHUNK_WORDS
        assert all(part in paragraphs for part in piece.split("\n\n"))
    for before, after in pairwise(pieces):
        assert after.split("\n\n")[0] == before.split("\n\n")[-1]
    assert {part for piece in pieces for part in piece.split("\n\n")} == set(paragraphs)


def test_a_paragraph_longer_than_a_piece_is_cut_between_words_with_an_overlap() -> None:
    whole = paragraph(1100, "mot")
    pieces = [one.details.split() for one in parse(whole, "bloc.txt")]
    assert [len(piece) for piece in pieces] == [CHUNK_WORDS, CHUNK_WORDS, 200]
    for before, after in pairwise(pieces):
        assert before[-OVERLAP_WORDS:] == after[:OVERLAP_WORDS]
    assert pieces[0] + pieces[1][OVERLAP_WORDS:] + pieces[2][OVERLAP_WORDS:] == whole.split()


def test_a_folder_is_read_with_its_subfolders_in_path_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "b" / "z.md").write_text("## Z ?\n\nOui.\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("Texte.", encoding="utf-8")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    (tmp_path / ".git" / "notes.md").write_text("caché", encoding="utf-8")
    assert [one.source for one in read_folder(tmp_path)] == ["a.txt", "b/z.md"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="does not exist"):
        read_folder(tmp_path / "absent")


def test_a_folder_without_documents_is_told(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"no \.md or \.txt file"):
        read_folder(tmp_path)


def test_a_latin1_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "vieux.md").write_bytes("## Une question ?\n\nRéponse.\n".encode("latin-1"))
    with pytest.raises(DocumentError, match=r"vieux\.md, line 3: not UTF-8"):
        read_folder(tmp_path)
