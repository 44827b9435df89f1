"""The telephone's own parts, without a line: sound coding, RTP, SIP and SDP, digest."""

import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.pcm import BYTES_PER_MS, SAMPLE_RATE_HZ, SILENCE_FRAME
from telephony.simulated.handset import is_loud
from tests.asterisk import rtp, sip
from tests.asterisk.g711 import A_LAW, CODECS, MU_LAW, Codec
from tests.asterisk.make_sounds import SOUNDS, sentences
from tests.asterisk.rtp import Packet


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@given(samples=st.lists(st.integers(-32768, 32767), max_size=50))
def test_a_voice_that_is_coded_and_decoded_is_nearly_the_same(codec: Codec, samples: list[int]) -> None:
    pcm = np.array(samples, "<i2").tobytes()
    back = np.frombuffer(codec.decode(codec.encode(pcm)), "<i2").astype(int)
    for sent, heard in zip(samples, back, strict=True):
        assert abs(sent - heard) <= max(16, abs(sent) / 16)  # half a step of the widest segment: 1 in 32


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_coding_again_changes_nothing_more(codec: Codec) -> None:
    every_code = bytes(range(256))
    heard = codec.decode(every_code)
    assert codec.decode(codec.encode(heard)) == heard


def test_known_codes_stand_for_the_values_of_the_standard() -> None:
    assert struct.unpack("<3h", A_LAW.decode(b"\xd5\x55\x2a")) == (8, -8, -32256)
    assert struct.unpack("<3h", MU_LAW.decode(b"\xff\x80\x00")) == (0, 32124, -32124)


def test_silence_on_the_line_is_not_loud() -> None:
    for codec in CODECS:
        assert not is_loud(codec.decode(codec.encode(SILENCE_FRAME)))


@given(
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 65535),
    timestamp=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
)
def test_an_rtp_packet_is_read_as_it_was_written(
    payload_type: int, sequence: int, timestamp: int, payload: bytes, *, marker: bool
) -> None:
    packet = Packet(payload_type, sequence, timestamp, payload, marker)
    assert rtp.decode(rtp.encode(packet, 12345)) == packet


def test_sources_and_an_extension_in_the_head_are_no_sound() -> None:
    plain = rtp.encode(Packet(8, 7, 160, b"sound"), 1)
    extended = bytes([plain[0] | 0x10 | 2]) + plain[1:12] + b"S" * 8 + b"\xbe\xde\x00\x01XXXX" + b"sound"
    packet = rtp.decode(extended)
    assert packet is not None
    assert packet.payload == b"sound"


@pytest.mark.parametrize("data", [b"", b"\x80\x08", b"\x00" * 40, b"REGISTER sip:x SIP/2.0"])
def test_what_is_no_rtp_is_not_read(data: bytes) -> None:
    assert rtp.decode(data) is None


def test_a_key_event_is_that_of_rfc_4733() -> None:
    assert rtp.key_event("#", 800, end=False) == bytes([11, 10, 3, 32])
    assert rtp.key_event("5", 160, end=True) == bytes([5, 0x8A, 0, 160])


def test_a_sip_message_is_read_with_folded_lines_and_short_names() -> None:
    data = b"SIP/2.0 200 OK\r\nv: one\r\nVia: two\r\nSubject: a\r\n line\r\nCSeq: 1 INVITE\r\n\r\nbody"
    message = sip.parse(data)
    assert (message.status, message.method, message.body) == (200, "INVITE", "body")
    assert message.all("Via") == ["one", "two"]
    assert message.first("Subject") == "a line"
    assert message.first("Contact") == ""


def test_a_message_says_how_long_its_body_is_in_bytes() -> None:
    message = sip.parse(sip.compose("INVITE sip:x SIP/2.0", [("CSeq", "1 INVITE")], "é\r\n"))
    assert message.first("Content-Length") == "4"
    assert (message.status, message.method) == (0, "INVITE")


def test_the_codec_that_the_other_side_likes_best_is_taken() -> None:
    assert sip.sound_of(sip.sound_offer("192.0.2.1", 4000, [MU_LAW, A_LAW])) == (("192.0.2.1", 4000), MU_LAW)


@pytest.mark.parametrize("body", ["", "v=0\r\n", "c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 96\r\n"])
def test_without_a_codec_in_common_there_is_no_sound(body: str) -> None:
    assert sip.sound_of(body) is None


def test_the_digest_is_that_of_the_example_in_rfc_2617() -> None:
    parts = {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
    }
    assert sip.response_to(parts, "GET", "Circle Of Life") == "6629fae49393a05397450978507c4ef1"


def test_credentials_answer_a_challenge_with_its_own_words() -> None:
    header = sip.credentials(
        'Digest realm="r", nonce="n,1", opaque="o"', "REGISTER", "sip:x", "201", "secret"
    )
    parts = sip.challenge_of(header)
    assert (parts["realm"], parts["nonce"], parts["opaque"]) == ("r", "n,1", "o")
    assert parts["response"] == sip.response_to(parts, "REGISTER", "secret")
    assert parts["response"] != sip.response_to(parts, "REGISTER", "another")


def test_every_sentence_of_the_dialplan_is_recorded_as_asterisk_wants_it() -> None:
    assert {path.stem for path in SOUNDS.glob("*.wav")} == set(sentences())
    for name, sentence in sentences().items():
        with wave.open(str(SOUNDS / f"{name}.wav")) as sound:
            form = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
            assert form == (1, 2, SAMPLE_RATE_HZ)
            length_ms = sound.getnframes() * 2 / BYTES_PER_MS
        assert 40 * len(sentence) < length_ms < 120 * len(sentence)
