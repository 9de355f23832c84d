"""Makes vectors.json: known answers of Sealward's formats, by an implementation that is not ours.

Cobblestone-256 and HKDF come from PyPI's `cryptography` (50 or later); the formats around them are written here
from docs/formats.md alone. Salts are random, so each run makes other, equally valid, vectors:

    python3 -m venv venv && venv/bin/pip install cryptography==50.0.2
    venv/bin/python core/tests/data/make_vectors.py > core/tests/data/vectors.json
"""

import hashlib
import json
import struct
import uuid

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


def expand(key, info):
    return HKDFExpand(algorithm=SHA512(), length=32, info=info).derive(key)


def encode_context(context):
    part = lambda data: struct.pack(">I", len(data)) + data
    if not context:
        return b"\x00"
    if isinstance(context, bytes):
        return b"\x01" + part(context)
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    return b"\x02" + b"".join(part(name) + part(value) for name, value in pairs)


def message(input_key, context, plaintext):
    encryptor = Cobblestone256Encryptor(input_key, context=context)
    return encryptor.update(plaintext) + encryptor.finalize()


def header(purpose, key_id, version, suite=1):
    return b"SWC1" + bytes([suite, purpose]) + uuid.UUID(key_id).bytes + struct.pack(">I", version)


def version_input(secret, key_id, version):
    use = b"sealward.dev/version/v1\x00" + b"message" + b"\x00"
    return expand(secret, use + uuid.UUID(key_id).bytes + struct.pack(">I", version))


def ciphertext(purpose, secret, key_id, version, context, plaintext, root=False):
    front = header(purpose, key_id, version)
    input_key = secret if root else version_input(secret, key_id, version)
    bound = b"sealward.dev/ciphertext/v1\x00" + front + encode_context(context)
    return front + message(input_key, bound, plaintext)


def enveloped(dek, ciphertext_dek, context, plaintext):
    front = b"SWF1" + struct.pack(">H", len(ciphertext_dek)) + ciphertext_dek
    bound = b"sealward.dev/file/v1\x00" + front + encode_context(context)
    return front + message(dek, bound, plaintext)


def secret(name):
    return hashlib.sha256(name.encode()).digest()


def pattern(length):
    return bytes((at * 31 + at // 251) % 256 for at in range(length))


def context_json(context):
    if isinstance(context, bytes):
        return {"bytes": context.hex()}
    return {"map": context} if context else None


KEY = {"keyId": "0191d1a2-7f5e-7c3a-8b1d-2f6a9c0e4b71", "version": 2, "secret": secret("cmk").hex()}
OTHER = {"keyId": "5f1c6c58-3a52-4a0e-9f0e-0d3c0f6f2a11", "version": 1, "secret": secret("other").hex()}
CONTEXTS = [None, b"tenant=a", {"namespace": "shop", "file": "tls.key"}, {"é": "ü", "a": ""}]


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def ciphertexts():
    key_id, version, raw = KEY["keyId"], KEY["version"], bytes.fromhex(KEY["secret"])
    good = []
    for purpose in (1, 2):
        for context in CONTEXTS:
            for length in (0, 1, 32, 4096, 16383):
                blob = ciphertext(purpose, raw, key_id, version, context, pattern(length))
                good.append({"purpose": purpose, "context": context_json(context), "length": length, "ciphertext": blob.hex()})
    blob = ciphertext(1, raw, key_id, version, b"tenant=a", b"secret")
    bad = lambda comment, error, data, purpose=1, context=b"tenant=a": {
        "comment": comment, "error": error, "purpose": purpose, "context": context_json(context), "ciphertext": data.hex()}
    refused = [
        bad("empty", "malformed", b""),
        bad("magic of another format", "malformed", b"SWF1" + blob[4:]),
        bad("suite 0", "malformed", blob[:4] + b"\x00" + blob[5:]),
        bad("suite 2, which this version does not open", "malformed", blob[:4] + b"\x02" + blob[5:]),
        bad("purpose 0", "malformed", blob[:5] + b"\x00" + blob[6:]),
        bad("purpose 4", "malformed", blob[:5] + b"\x04" + blob[6:]),
        bad("key version 0", "malformed", blob[:22] + bytes(4) + blob[26:]),
        bad("header only", "malformed", blob[:26]),
        bad("cut in the salt", "malformed", blob[:40]),
        bad("cut in the tag of an empty message", "malformed", ciphertext(1, raw, key_id, version, b"tenant=a", b"")[:-1]),
        bad("cut by one byte", "authentication", blob[:-1]),
        bad("one byte more", "authentication", blob + b"\x00"),
        bad("a second chunk", "malformed", ciphertext(1, raw, key_id, version, b"tenant=a", pattern(16384))),
        bad("another key id", "authentication", flip(blob, 6)),
        bad("another key version", "authentication", flip(blob, 25)),
        bad("a DEK given as data", "authentication", ciphertext(2, raw, key_id, version, b"tenant=a", pattern(32))),
        bad("data given as a DEK", "authentication", blob, purpose=2),
        bad("purpose rewritten", "authentication", blob[:5] + b"\x02" + blob[6:], purpose=2),
        bad("salt changed", "authentication", flip(blob, 26)),
        bad("commitment changed", "authentication", flip(blob, 50)),
        bad("message changed", "authentication", flip(blob, 82)),
        bad("tag changed", "authentication", flip(blob, len(blob) - 1)),
        bad("context missing", "authentication", blob, context=None),
        bad("another context", "authentication", blob, context=b"tenant=b"),
        bad("the context as a map", "authentication", blob, context={"tenant": "a"}),
        bad("superfluous context", "authentication", ciphertext(1, raw, key_id, version, None, b"secret")),
        bad("secret of another key", "authentication", ciphertext(1, secret("other"), key_id, version, b"tenant=a", b"secret")),
        bad("the version secret used without derivation", "authentication", ciphertext(1, raw, key_id, version, b"tenant=a", b"secret", root=True)),
    ]
    return {"key": KEY, "opened": good, "refused": refused}


def sealed_versions():
    context = {
        "keyId": KEY["keyId"], "version": "2", "namespace": "shop", "name": "web-tls",
        "namespaceUid": "7b3f6f0e-6f0d-4f59-8e3f-0f6f9a6f1c22", "custody": "Sidecar", "createdAt": "2026-11-24T00:00:00Z"}
    blob = ciphertext(3, bytes.fromhex(OTHER["secret"]), OTHER["keyId"], OTHER["version"], context, bytes.fromhex(KEY["secret"]), root=True)
    short = ciphertext(3, bytes.fromhex(OTHER["secret"]), OTHER["keyId"], OTHER["version"], context, pattern(31), root=True)
    probe = ciphertext(1, bytes.fromhex(KEY["secret"]), KEY["keyId"], KEY["version"], None, b"probe")
    moved = {**context, "namespace": "evil"}
    return {
        "rootKey": OTHER, "key": KEY, "context": context, "blob": blob.hex(), "probe": probe.hex(),
        "refused": [
            {"comment": "31 bytes", "context": context, "blob": short.hex()},
            {"comment": "context of another namespace", "context": moved, "blob": blob.hex()},
            {"comment": "changed", "context": context, "blob": flip(blob, 100).hex()},
        ],
    }


def files():
    vectors = []
    for length in (0, 1, 16383, 16384, 16385):
        for context in (None, {"video": "holiday"}):
            dek = secret(f"dek {length}")
            wrapped = ciphertext(2, bytes.fromhex(KEY["secret"]), KEY["keyId"], KEY["version"], context, dek)
            file = enveloped(dek, wrapped, context, pattern(length))
            vectors.append({"context": context_json(context), "length": length, "file": file.hex()})
    return vectors


if __name__ == "__main__":
    contexts = [{"context": context_json(context), "encoded": encode_context(context).hex()} for context in CONTEXTS]
    vectors = {"contexts": contexts, "ciphertexts": ciphertexts(), "sealedVersions": sealed_versions(), "files": files()}
    print(json.dumps(vectors, indent=1))
