"""Seals and opens for the Rust side: a JSON request per line on standard input, an answer per line.

Byte strings are hexadecimal. A request that cannot be opened is answered with `null`.
"""

import json
import sys

from cryptography.exceptions import InvalidTag

from formats import DEK, VersionKey, open_file, seal_file


def answer(request):
    key = VersionKey(
        bytes.fromhex(request["secret"]), bytes.fromhex(request["key_id"]), request["version"]
    )
    context = request["context"]
    if isinstance(context, str):
        context = bytes.fromhex(context)
    data = bytes.fromhex(request["input"])
    match request["operation"]:
        case "seal":
            return key.seal(request["purpose"], context, data)
        case "open":
            return key.open(request["purpose"], context, data)
        case "seal-file":
            dek = bytes.fromhex(request["dek"])
            return seal_file(dek, key.seal(DEK, context, dek), context, data)
        case "open-file":
            return open_file(lambda sealed: key.open(DEK, context, sealed), context, data)
    raise ValueError(f"no such operation: {request['operation']}")


for line in sys.stdin:
    try:
        print(json.dumps(answer(json.loads(line)).hex()), flush=True)
    except InvalidTag:
        print("null", flush=True)
