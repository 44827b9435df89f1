"""How long a question takes to find its passages among a thousand: ``python -m bench.retrieval``.

A thousand passages are made of the knowledge that ships: every one of them several times over, each copy
with words of its own, so that the index is as varied as a real one. Questions are those of
tests/knowledge/answers.tsv. The whole search is timed, as the dialogue waits for it: repair, Qdrant
inside the process, scoring, refusal. The goal is 30 ms at the median.
"""

import argparse
import asyncio
import csv
import statistics
import time
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from knowledge.documents import passage_id, read_folder
from knowledge.qdrant_retriever import QdrantRetriever
from knowledge.retriever import Passage

QUESTIONS = Path(__file__).parents[1] / "tests" / "knowledge" / "answers.tsv"
GOAL_MS = 30.0


def passages(wanted: int) -> list[Passage]:
    """``wanted`` passages, all different."""
    shipped = read_folder()
    made: list[Passage] = []
    for number in count():
        made += shipped if number == 0 else [_copy(one, number) for one in shipped]
        if len(made) >= wanted:
            break
    return made[:wanted]


def _copy(one: Passage, number: int) -> Passage:
    source = f"produit{number}/{one.source}"
    return replace(
        one,
        id=passage_id(source, one.question),
        source=source,
        question=f"{one.question} (produit{number})",
        variants=one.variants[number % 3 :: 3],
    )


async def measure(size: int, searches: int) -> list[float]:
    """What each of ``searches`` took, in ms, among ``size`` passages."""
    with QUESTIONS.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        questions = list(islice((row["question"] for row in rows), searches))
    retriever = QdrantRetriever.open()
    retriever.index(passages(size))
    await retriever.search("bonjour")
    took: list[float] = []
    for question in questions:
        started = time.perf_counter()
        await retriever.search(question)
        took.append((time.perf_counter() - started) * 1000)
    retriever.close()
    return took


def main() -> int:
    """Measure and print; 0 when the goal is reached, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=1000, help="how many (%(default)s)")
    parser.add_argument("--searches", type=int, default=200, help="how many (%(default)s)")
    options = parser.parse_args()
    took = sorted(asyncio.run(measure(options.passages, options.searches)))
    median = statistics.median(took)
    print(  # noqa: T201 - the terminal is the interface
        f"{options.passages} passages, {len(took)} searches: median {median:.1f} ms, "
        f"p95 {took[int(len(took) * 0.95)]:.1f} ms, longest {took[-1]:.1f} ms (goal: {GOAL_MS:.0f} ms)"
    )
    return 0 if median <= GOAL_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
