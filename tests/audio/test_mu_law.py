import struct

import pytest

from audio.mu_law import decode_mu_law
from tests.simulators.speech import mu_law, speechlike


def test_a_code_is_the_value_of_the_table_of_g711() -> None:
    # the ends, the smallest steps and both zeros of G.711's table
    codes = {0x00: -32124, 0x80: 32124, 0x7E: -8, 0xFE: 8, 0x7F: 0, 0xFF: 0, 0x0F: -16764, 0x8F: 16764}
    decoded = struct.unpack(f"<{len(codes)}h", decode_mu_law(bytes(codes)))
    assert list(decoded) == list(codes.values())


def test_what_was_coded_comes_back_but_for_its_rounding() -> None:
    sound = speechlike("Bonjour à tous.", 8000, 1.0)
    back = decode_mu_law(mu_law(sound))
    pairs = zip(struct.iter_unpack("<h", sound), struct.iter_unpack("<h", back), strict=True)
    for (was,), (is_now,) in pairs:
        assert is_now == pytest.approx(was, rel=1 / 16, abs=8)


def test_no_sound_is_no_sound() -> None:
    assert decode_mu_law(b"") == b""
