"""Reads the knowledge files: questions kept whole with their answers, plain text cut into pieces.

Two kinds of file, told apart by their content:

*Questions and answers* (``.md`` with ``## `` headings)::

    # Topic
    ## Question as a caller asks it ?
    Autres façons de demander : first variant ; second variant

    First paragraph: the answer as it is spoken, two short sentences.

    Further paragraphs: details, for the model and for advisers.

Each heading gives exactly one passage, whatever its length: a question cut from its answer answers nothing.

*Plain documents* (``.txt``, or ``.md`` without ``## ``): pieces of about 500 words that begin and end
with a paragraph and share about 50 words with their neighbour; a paragraph longer than a piece is cut
between words.

:func:`parse` is pure; only :func:`read_folder` touches the disk.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid5

from knowledge.retriever import Passage

FAQ_FOLDER = Path(__file__).parent / "faq"
"""The questions and answers that ship with the agent."""
CHUNK_WORDS = 500
OVERLAP_WORDS = 50
"""Sizes of the owner's specification, for plain documents only."""

_VARIANTS = "autres façons de demander"
_NAMESPACE = UUID("6f1c5b9e-3b51-5a0e-9d4c-6a7c6c2b7d10")


class DocumentError(Exception):
    """A knowledge file cannot be used; the message gives file, line, and what to write instead."""


def passage_id(source: str, question: str) -> str:
    """The UUIDv5 of a passage: same source and question, same id, on every machine."""
    return str(uuid5(_NAMESPACE, f"{source}\n{question}"))


def read_folder(folder: Path = FAQ_FOLDER) -> list[Passage]:
    """Every passage of the ``.md`` and ``.txt`` files under ``folder``, in path order.

    Hidden files are left out. Raises :class:`DocumentError` when the folder is missing, holds no such
    file, or one of them cannot be read.
    """
    if not folder.is_dir():
        raise DocumentError(f"{folder}: this knowledge folder does not exist")
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in {".md", ".txt"}
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not files:
        raise DocumentError(f"{folder}: no .md or .txt file in this knowledge folder")
    return [passage for file in files for passage in parse(_read(file), file.relative_to(folder).as_posix())]


def parse(text: str, source: str) -> list[Passage]:
    """The passages of one file's ``text``; ``source`` names it in passages and errors.

    Raises :class:`DocumentError` for an empty file, a heading without a question or an answer, a
    question asked twice, text before the first question, a list where the spoken answer should be.
    """
    if not text.strip():
        raise DocumentError(f"{source}: the file is empty")
    lines = text.removeprefix("\ufeff").splitlines()
    is_faq = not source.lower().endswith(".txt") and any(line.startswith("## ") for line in lines)
    return _questions(lines, source) if is_faq else _pieces(text.removeprefix("\ufeff"), source)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        line = file.read_bytes()[: exc.start].count(b"\n") + 1
        raise DocumentError(f"{file}, line {line}: not UTF-8; save the file as UTF-8") from exc
    except OSError as exc:
        raise DocumentError(f"{file}: cannot be read: {exc.strerror}") from exc


def _questions(lines: list[str], source: str) -> list[Passage]:
    passages: list[Passage] = []
    first_lines: dict[str, int] = {}
    for number, heading, body in _sections(lines, source):
        where = f"{source}, line {number}"
        if not heading:
            raise DocumentError(f"{where}: a heading without a question")
        if heading.casefold() in first_lines:
            raise DocumentError(
                f"{where}: already asked on line {first_lines[heading.casefold()]}: {heading}"
            )
        first_lines[heading.casefold()] = number
        variants, paragraphs = _variants_and_paragraphs(body)
        if not paragraphs:
            raise DocumentError(f"{where}: no answer under the question: {heading}")
        if paragraphs[0].startswith(("- ", "* ", "|", "#", "1.")):
            raise DocumentError(f"{where}: the first paragraph is spoken, it cannot be a list: {heading}")
        passages.append(
            Passage(
                id=passage_id(source, heading),
                question=heading,
                answer=" ".join(paragraphs[0].split()),
                details="\n\n".join(paragraphs[1:]),
                source=source,
                variants=variants,
            )
        )
    return passages


def _sections(lines: list[str], source: str) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, heading and body of each ``## `` section."""
    number, heading = 0, ""
    body: list[str] = []
    for here, line in enumerate(lines, start=1):
        if line.startswith("## ") or line.strip() == "##":
            if number:
                yield number, heading, body
            number, heading, body = here, line[2:].strip(), []
        elif number:
            body.append(line)
        elif line.strip() and not line.startswith("# "):
            raise DocumentError(f"{source}, line {here}: text before the first question (## ...)")
    yield number, heading, body


def _variants_and_paragraphs(body: list[str]) -> tuple[tuple[str, ...], list[str]]:
    variants: list[str] = []
    kept: list[str] = []
    for line in body:
        label, colon, rest = line.partition(":")
        if colon and label.strip().casefold() == _VARIANTS:
            variants += [variant.strip() for variant in rest.split(";") if variant.strip()]
        else:
            kept.append(line)
    return tuple(variants), _paragraphs("\n".join(kept))


def _paragraphs(text: str) -> list[str]:
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            blocks[-1].append(line.rstrip())
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block).strip() for block in blocks if block]


def _pieces(text: str, source: str) -> list[Passage]:
    return [
        Passage(id=passage_id(source, f"piece {n}"), question="", answer="", details=piece, source=source)
        for n, piece in enumerate(_chunks(_paragraphs(text)), start=1)
    ]


def _chunks(paragraphs: list[str]) -> Iterator[str]:
    """Runs of whole paragraphs of at most CHUNK_WORDS words, the last ones repeated in the next run."""
    run: list[str] = []
    fresh = False
    for paragraph in (short for whole in paragraphs for short in _cut(whole)):
        if fresh and _count(run) + _count([paragraph]) > CHUNK_WORDS:
            yield "\n\n".join(run)
            run = _tail(run, CHUNK_WORDS - _count([paragraph]))
        run.append(paragraph)
        fresh = True
    if fresh:
        yield "\n\n".join(run)


def _cut(paragraph: str) -> Iterator[str]:
    words = paragraph.split()
    if len(words) <= CHUNK_WORDS:
        yield paragraph
        return
    for start in range(0, len(words) - OVERLAP_WORDS, CHUNK_WORDS - OVERLAP_WORDS):
        yield " ".join(words[start : start + CHUNK_WORDS])


def _tail(run: list[str], room: int) -> list[str]:
    """The last paragraphs of ``run`` worth about OVERLAP_WORDS, when they leave ``room`` for the next one."""
    kept: list[str] = []
    for paragraph in reversed(run):
        if _count([paragraph, *kept]) > min(2 * OVERLAP_WORDS, room):
            break
        kept.insert(0, paragraph)
        if _count(kept) >= OVERLAP_WORDS:
            break
    return kept


def _count(paragraphs: list[str]) -> int:
    return sum(len(paragraph.split()) for paragraph in paragraphs)
