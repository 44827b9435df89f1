"""LangGraph's serializer under the key ring: nobody else can read what the store of calls holds."""

from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from memory.sealing import KeyRing

CIPHER = "standardiste"


class _Cipher:
    """The key ring, as LangGraph asks for a cipher."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return CIPHER, self._ring.seal(plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        return self._ring.open(ciphertext)


def sealed(ring: KeyRing) -> EncryptedSerializer:
    """A serializer that seals what it writes, and still reads what was written before there were keys."""
    return EncryptedSerializer(_Cipher(ring))
