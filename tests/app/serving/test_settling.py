"""What the collector does not look at any more."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from app.serving.settling import settle


class Knot:
    """Something that holds itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def test_what_is_there_is_not_looked_at_again() -> None:
    loaded = [Knot() for _ in range(1000)]
    settle()
    assert gc.get_freeze_count() > len(loaded)
    assert not any(isinstance(one, Knot) for one in gc.get_objects())


def test_what_the_start_left_behind_is_freed_first() -> None:
    left = weakref.ref(Knot())
    settle()
    assert left() is None


def test_what_comes_later_is_freed_as_ever() -> None:
    settle()
    later = weakref.ref(Knot())
    gc.collect()
    assert later() is None
