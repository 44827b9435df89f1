"""Labelled sentences, in two halves: one used for tuning, one kept apart and only measured."""

from pathlib import Path

HALVES = ("tuning", "kept_apart")


def rows(name: str, half: str) -> list[tuple[str, str]]:
    """The two last columns of ``<name>.tsv`` for one ``half``, in file order."""
    lines = (Path(__file__).parent / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    table = [line.split("\t") for line in lines]
    return [(one[1], one[2]) for one in table if one[0] == half]
