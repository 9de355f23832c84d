"""Sealward's formats, written from docs/formats.md alone and on another implementation of Cobblestone-256.

Nothing here is shared with the Rust code: where the two agree, the description is right and enough.
"""

import struct
from dataclasses import dataclass

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SUITE_COBBLESTONE_256 = 1
DATA, DEK = 1, 2
HEADER = struct.Struct(">4sBB16sI")
OVERHEAD = 98  # header 26, salt 24, commitment 32, tag 16


def encode_context(context):
    """The one encoding of an encryption context: `None`, bytes, or a dictionary of texts."""
    if not context:
        return b"\x00"
    if isinstance(context, bytes):
        return b"\x01" + _prefixed(context)
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    return b"\x02" + b"".join(_prefixed(part) for pair in pairs for part in pair)


def _prefixed(part):
    return struct.pack(">I", len(part)) + part


@dataclass
class VersionKey:
    """The 32 bytes of one version of a CMK, used only to derive."""

    secret: bytes
    key_id: bytes
    version: int

    def seal(self, purpose, context, plaintext):
        header = HEADER.pack(b"SWC1", SUITE_COBBLESTONE_256, purpose, self.key_id, self.version)
        return header + seal_message(self._message_key(), _ciphertext_context(header, context), plaintext)

    def open(self, purpose, context, ciphertext):
        header = ciphertext[: HEADER.size]
        ours = (b"SWC1", SUITE_COBBLESTONE_256, purpose, self.key_id, self.version)
        if HEADER.unpack(header) != ours:
            raise ValueError("not a ciphertext of this key, version and purpose")
        message = ciphertext[HEADER.size :]
        return open_message(self._message_key(), _ciphertext_context(header, context), message)

    def _message_key(self):
        numbers = self.key_id + struct.pack(">I", self.version)
        info = b"sealward.dev/version/v1\x00" + b"message\x00" + numbers
        return HKDFExpand(SHA512(), 32, info).derive(self.secret)


def _ciphertext_context(header, context):
    return b"sealward.dev/ciphertext/v1\x00" + header + encode_context(context)


def seal_file(dek, ciphertext_dek, context, plaintext):
    """An enveloped file. The ciphertext DEK must have been sealed with the same context."""
    header = b"SWF1" + struct.pack(">H", len(ciphertext_dek)) + ciphertext_dek
    return header + seal_message(dek, _file_context(header, context), plaintext)


def open_file(decrypt_dek, context, file):
    """The plaintext of an enveloped file; `decrypt_dek` is asked for the DEK of its ciphertext."""
    magic, length = struct.unpack_from(">4sH", file)
    if magic != b"SWF1" or length != 32 + OVERHEAD:
        raise ValueError("not an enveloped file")
    header, message = file[: 6 + length], file[6 + length :]
    return open_message(decrypt_dek(header[6:]), _file_context(header, context), message)


def _file_context(header, context):
    return b"sealward.dev/file/v1\x00" + header + encode_context(context)


def seal_message(key, context, plaintext):
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(plaintext) + encryptor.finalize()


def open_message(key, context, message):
    decryptor = Cobblestone256Decryptor(key, context)
    return decryptor.update(message) + decryptor.finalize()
