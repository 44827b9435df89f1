"""AudioSocket's wire format: whole, cut, joined, empty, too long, not ours."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import audiosocket
from telephony.audiosocket import (
    LONGEST_WRITABLE,
    MAX_PAYLOAD_BYTES,
    Frame,
    FrameDecoder,
    FrameKind,
    ProtocolError,
)
from telephony.call import CallId

CALL = CallId("8c0a9bd5-3a3f-4c0e-9b1d-0f6ad6f0c0de")

# What Asterisk sends on a short call: the UUID, 20 ms of sound, the key 5, 20 ms of sound.
RECORDED = (
    bytes.fromhex("010010") + UUID(CALL).bytes
    + bytes.fromhex("100140") + bytes(range(160)) * 2
    + bytes.fromhex("030001") + b"5"
    + bytes.fromhex("100140") + bytes(320)
)  # fmt: skip
FRAMES = [
    Frame(FrameKind.UUID, UUID(CALL).bytes),
    Frame(FrameKind.SLIN, bytes(range(160)) * 2),
    Frame(FrameKind.DIGIT, b"5"),
    Frame(FrameKind.SLIN, bytes(320)),
]

any_frame = st.builds(Frame, st.integers(0, 255), st.binary(max_size=700))
any_bytes = st.binary(max_size=2000)


def written(frames: list[Frame]) -> bytes:
    """On the wire, whatever the kind."""
    return b"".join(
        bytes((frame.kind,)) + len(frame.payload).to_bytes(2, "big") + frame.payload for frame in frames
    )


def test_a_recorded_call_is_read_in_one_piece() -> None:
    assert FrameDecoder().feed(RECORDED) == FRAMES


def test_a_recorded_call_cut_at_every_byte_is_read_the_same() -> None:
    for cut in range(len(RECORDED) + 1):
        decoder = FrameDecoder()
        assert decoder.feed(RECORDED[:cut]) + decoder.feed(RECORDED[cut:]) == FRAMES
        assert decoder.at_boundary


def test_a_recorded_call_that_comes_byte_by_byte_is_read_the_same() -> None:
    decoder = FrameDecoder()
    assert [frame for byte in RECORDED for frame in decoder.feed(bytes([byte]))] == FRAMES


@given(st.lists(any_frame, max_size=8), st.data())
def test_frames_cut_anywhere_and_any_number_of_times_are_read_the_same(
    frames: list[Frame], data: st.DataObject
) -> None:
    wire = written(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=10)))
    decoder = FrameDecoder()
    read: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        read += decoder.feed(wire[start:end])
    assert read == frames
    assert decoder.at_boundary


@given(st.lists(any_bytes, max_size=20))
def test_no_bytes_at_all_can_do_worse_than_a_protocol_error_or_hold_more_than_one_frame(
    chunks: list[bytes],
) -> None:
    decoder = FrameDecoder(max_payload_bytes=300)
    for chunk in chunks:
        try:
            frames = decoder.feed(chunk)
        except ProtocolError:
            return
        assert all(len(frame.payload) <= 300 for frame in frames)
        assert len(decoder._pending) < audiosocket.HEADER_BYTES + 300


@given(st.sampled_from(FrameKind), st.binary(max_size=MAX_PAYLOAD_BYTES))
def test_what_is_encoded_is_decoded_the_same(kind: FrameKind, payload: bytes) -> None:
    assert FrameDecoder().feed(audiosocket.encode(kind, payload)) == [Frame(kind, payload)]


def test_a_frame_of_length_0_is_a_frame_without_payload() -> None:
    assert FrameDecoder().feed(bytes.fromhex("100000")) == [Frame(FrameKind.SLIN, b"")]


def test_a_frame_of_length_65535_is_refused_at_its_header_before_anything_is_kept() -> None:
    decoder = FrameDecoder()
    with pytest.raises(ProtocolError, match="kind 0x10 and 65535 bytes; the longest allowed is 8192"):
        decoder.feed(bytes.fromhex("10ffff"))
    assert decoder.at_boundary


def test_the_longest_sound_asterisk_can_send_is_read() -> None:
    longest = audiosocket.encode(FrameKind.SLIN192, bytes(192_000 * 2 // 50))
    assert len(FrameDecoder().feed(longest)[0].payload) == 7680


def test_the_bound_itself_is_allowed_and_one_more_is_not() -> None:
    decoder = FrameDecoder(max_payload_bytes=320)
    assert len(decoder.feed(audiosocket.encode(FrameKind.SLIN, bytes(320)))) == 1
    with pytest.raises(ProtocolError):
        decoder.feed(audiosocket.encode(FrameKind.SLIN, bytes(321)))


def test_after_a_refused_frame_the_decoder_stays_refused() -> None:
    decoder = FrameDecoder()
    with pytest.raises(ProtocolError):
        decoder.feed(bytes.fromhex("10ffff"))
    with pytest.raises(ProtocolError, match="65535"):
        decoder.feed(RECORDED)


def test_a_kind_nobody_knows_is_read_like_any_other() -> None:
    assert FrameDecoder().feed(bytes.fromhex("420002") + b"ab") == [Frame(0x42, b"ab")]


def test_a_stream_that_stops_within_a_frame_is_known_to_be_cut() -> None:
    decoder = FrameDecoder()
    decoder.feed(RECORDED[:-1])
    assert not decoder.at_boundary


def test_a_payload_that_does_not_fit_the_header_is_not_encoded() -> None:
    assert audiosocket.encode(FrameKind.SLIN, bytes(LONGEST_WRITABLE))[:3] == bytes.fromhex("10ffff")
    with pytest.raises(ProtocolError, match="65536"):
        audiosocket.encode(FrameKind.SLIN, bytes(LONGEST_WRITABLE + 1))


def test_the_end_is_three_zero_bytes() -> None:
    assert audiosocket.encode(FrameKind.END) == bytes(3)


def test_the_first_frame_says_which_call_it_is_for() -> None:
    assert audiosocket.call_id_of(FRAMES[0]) == CALL
    assert FrameDecoder().feed(audiosocket.encode_call_id(CALL)) == FRAMES[:1]


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (Frame(FrameKind.SLIN, bytes(320)), "kind 0x10"),
        (Frame(FrameKind.UUID, b""), "a UUID of 0 bytes"),
        (Frame(FrameKind.UUID, bytes(15)), "a UUID of 15 bytes"),
        (Frame(FrameKind.UUID, CALL.encode()), "a UUID of 36 bytes"),
    ],
)
def test_any_other_first_frame_names_no_call(frame: Frame, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        audiosocket.call_id_of(frame)
