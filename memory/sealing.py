"""Encryption at rest: AES-256-GCM with keys from the environment, and room to change them.

A key ring holds named keys, the newest first: it seals, and all open. To change the key, put a new one in
front and keep the old one until the last thing it sealed has gone by itself (transcripts: their days,
checkpoints: an hour).

A sealed message is ``S1``, the length and the name of its key, a random nonce of 96 bits, and the
ciphertext with its tag (NIST SP 800-38D). ``about`` is authenticated with it and not stored: a message moved
to another place does not open there.
"""

import base64
import binascii
import os
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
MAGIC = b"S1"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")


class KeysInvalid(ValueError):
    """The key ring cannot be read; the message says how it must be written, and never shows a key."""


class CannotOpen(Exception):
    """What is sealed cannot be opened: changed, moved, or its key is not on the ring."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Named keys of 32 bytes, newest first; at least one."""

    keys: tuple[tuple[str, bytes], ...]

    @classmethod
    def parse(cls, written: str) -> "KeyRing":
        """``name:BASE64,older:BASE64``. Raises :class:`KeysInvalid`."""
        keys: list[tuple[str, bytes]] = []
        for at, one in enumerate(written.split(","), start=1):
            name, _, encoded = one.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                key = b""
            if not _NAME.fullmatch(name) or len(key) != KEY_BYTES:
                raise KeysInvalid(
                    f"key {at} is not NAME:BASE64 of {KEY_BYTES} bytes; make one with: "
                    "python -c \"import base64,os;print('k1:'+base64.b64encode(os.urandom(32)).decode())\""
                )
            keys.append((name, key))
        if len({name for name, _ in keys}) < len(keys):
            raise KeysInvalid("two keys have the same name; give each its own")
        return cls(tuple(keys))

    def seal(self, plain: bytes, about: bytes = b"") -> bytes:
        """``plain`` under the newest key."""
        name, key = self.keys[0]
        nonce = os.urandom(NONCE_BYTES)
        head = MAGIC + bytes([len(name)]) + name.encode()
        return head + nonce + AESGCM(key).encrypt(nonce, plain, head + about)

    def open(self, sealed: bytes, about: bytes = b"") -> bytes:
        """What was sealed. Raises :class:`CannotOpen`."""
        if not is_sealed(sealed):
            raise CannotOpen("this is not sealed")
        end = len(MAGIC) + 1 + sealed[len(MAGIC)]
        head, name = sealed[:end], sealed[len(MAGIC) + 1 : end].decode("ascii", "replace")
        key = dict(self.keys).get(name)
        if key is None:
            raise CannotOpen(f"its key {name!r} is not on the ring; put it back behind the newest")
        nonce, text = sealed[end : end + NONCE_BYTES], sealed[end + NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, text, head + about)
        except (InvalidTag, ValueError) as exc:
            raise CannotOpen("it was changed or moved since it was sealed") from exc


def is_sealed(data: bytes) -> bool:
    """Whether ``data`` begins as what :meth:`KeyRing.seal` makes."""
    return len(data) > len(MAGIC) and data.startswith(MAGIC)
