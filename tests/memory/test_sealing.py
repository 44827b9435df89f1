"""What is sealed opens for its key, in its place, unchanged; and for nobody else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.sealing import CannotOpen, KeyRing, KeysInvalid, is_sealed

OLD = ("2025", b"o" * 32)
NEW = ("2026", b"n" * 32)


def written(*keys: tuple[str, bytes]) -> str:
    return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in keys)


@given(st.binary(max_size=500), st.binary(max_size=20))
def test_what_is_sealed_opens_again(plain: bytes, about: bytes) -> None:
    ring = KeyRing.parse(written(NEW))
    sealed = ring.seal(plain, about)
    assert ring.open(sealed, about) == plain
    assert len(plain) < 8 or plain not in sealed


def test_the_same_is_never_sealed_alike() -> None:
    ring = KeyRing((NEW,))
    assert ring.seal(b"same") != ring.seal(b"same")


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    before = KeyRing((OLD,)).seal(b"words")
    after = KeyRing((NEW, OLD))
    assert after.open(before) == b"words"
    with pytest.raises(CannotOpen, match="'2026' is not on the ring"):
        KeyRing((OLD,)).open(after.seal(b"words"))


@given(st.integers(0, 200), st.integers(1, 255))
def test_one_changed_byte_and_nothing_opens(at: int, flipped: int) -> None:
    ring = KeyRing((NEW,))
    sealed = bytearray(ring.seal(b"w" * 100, b"call"))
    sealed[at % len(sealed)] ^= flipped
    with pytest.raises(CannotOpen):
        ring.open(bytes(sealed), b"call")


def test_what_was_moved_to_another_call_does_not_open() -> None:
    ring = KeyRing((NEW,))
    with pytest.raises(CannotOpen, match="moved"):
        ring.open(ring.seal(b"words", b"call a"), b"call b")


@pytest.mark.parametrize("data", [b"", b"S1", b"plain words", b"S1\x04", b"S1\x042026", b"S1\x042026short"])
def test_what_is_cut_or_plain_does_not_open(data: bytes) -> None:
    with pytest.raises(CannotOpen):
        KeyRing((NEW,)).open(data)


@pytest.mark.parametrize(
    "keys",
    ["", "k1", "k1:", "k1:nonsense!", "k1:" + base64.b64encode(b"short").decode(), ":" + "A" * 44, "a b:c"],
)
def test_a_ring_that_cannot_be_read_says_how_to_write_it_and_shows_no_key(keys: str) -> None:
    with pytest.raises(KeysInvalid, match="NAME:BASE64") as caught:
        KeyRing.parse(keys)
    assert "nonsense" not in str(caught.value)


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(KeysInvalid, match="same name"):
        KeyRing.parse(written(NEW, (NEW[0], OLD[1])))


def test_plain_data_is_told_from_sealed() -> None:
    assert is_sealed(KeyRing((NEW,)).seal(b""))
    assert not is_sealed(b'{"call_id": 1}')
