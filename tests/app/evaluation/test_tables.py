"""Whatever form testers write their tables in, the same rows come out; what cannot be read is named."""

from pathlib import Path

import pytest

from app.evaluation.tables import Column, TableInvalid, read

COLUMNS = (
    Column("text", ("utterance", "said")),
    Column("label", ("intent",)),
    Column("second", needed=False),
)

SAME = {
    "table.tsv": 'said\tlabel\tsecond\n# a comment\n\nil dit "oui"\tfaq\t\nau revoir\tgoodbye\tfaq\n',
    "table.csv": 'Label,Utterance,second\nfaq,"il dit ""oui""",\ngoodbye,au revoir,faq\n',
    "semicolons.csv": 'Label;Utterance;second\nfaq;"il dit ""oui""";\ngoodbye;au revoir;faq\n',
    "table.jsonl": '{"text": "il dit \\"oui\\"", "intent": "faq"}\n\n'
    '{"text": "au revoir", "intent": "goodbye", "second": "faq"}\n',
    "table.json": '{"cases": [{"text": "il dit \\"oui\\"", "intent": "faq"}, '
    '{"text": "au revoir", "intent": "goodbye", "second": "faq"}]}',
    "table.yaml": "- {said: 'il dit \"oui\"', intent: faq}\n"
    "- {said: au revoir, intent: goodbye, second: faq}\n",
}


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", SAME)
def test_every_form_of_a_table_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    rows = read([write(tmp_path, name, SAME[name])], COLUMNS)
    assert [(row["text"], row["label"], row["second"]) for row in rows] == [
        ('il dit "oui"', "faq", ""),
        ("au revoir", "goodbye", "faq"),
    ]


def test_a_row_knows_its_line_comments_counted(tmp_path: Path) -> None:
    first, second = read([write(tmp_path, "table.tsv", SAME["table.tsv"])], COLUMNS)
    assert (first.place, second.place) == ("table.tsv:4", "table.tsv:5")


def test_a_folder_is_all_its_tables(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    write(tmp_path, "one.tsv", "text\tlabel\na\tfaq\n")
    write(tmp_path / "deeper", "two.jsonl", '{"text": "b", "label": "faq"}\n')
    write(tmp_path, "notes.md", "no table")
    assert sorted(row["text"] for row in read([tmp_path], COLUMNS)) == ["a", "b"]


def test_yaml_numbers_and_dates_stay_as_they_are_written(tmp_path: Path) -> None:
    file = write(tmp_path, "t.yaml", "- {text: 0612345678, label: 1962-04-01, second: yes}\n")
    (row,) = read([file], COLUMNS)
    assert (row["text"], row["label"], row["second"]) == ("0612345678", "1962-04-01", "yes")


def test_a_list_of_labels_is_joined(tmp_path: Path) -> None:
    (row,) = read([write(tmp_path, "t.json", '[{"text": "a", "label": ["faq", "transfer"]}]')], COLUMNS)
    assert row["label"] == "faq|transfer"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("t.tsv", "text\tother\na\tb\n", r"no column 'label' \(also taken: intent\); it has text, other"),
        ("t.tsv", "", "empty; the first line names the columns"),
        ("t.csv", "text,label\noui, mais non,faq\n", "put quotes round a cell"),
        ("t.jsonl", '{"text": "a"\n', "line 1: not JSON"),
        ("t.json", '{"text": \n', "not JSON"),
        ("t.jsonl", '["a"]\n', "wants a mapping"),
        ("t.json", '"a"', "wants a list of cases"),
        ("t.yaml", "a: b\n", "wants a list of cases"),
        ("t.yaml", "- [\n", "not YAML"),
        ("t.xls", "a", "not a kind of table known here"),
        ("t.tsv", "text\tlabel\n", "no case in it"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_remedy(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(TableInvalid, match=complaint):
        read([write(tmp_path, name, text)], COLUMNS)


def test_a_file_that_is_not_there_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(TableInvalid, match="no such file"):
        read([tmp_path / "absent.tsv"], COLUMNS)
    with pytest.raises(TableInvalid, match="no table in this folder"):
        read([tmp_path], COLUMNS)


def test_a_table_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes("text\tlabel\ndélai\tfaq\n".encode("latin-1"))
    with pytest.raises(TableInvalid, match="save the file as UTF-8"):
        read([tmp_path / "t.tsv"], COLUMNS)
