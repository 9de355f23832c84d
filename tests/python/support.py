"""What the checks of both SDK generations share: where Sealward is, and what a refusal looks like."""

import os
import unittest
from pathlib import Path

from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException

ENDPOINT = os.environ["SEALWARD_ENDPOINT"]
TOKEN = Path(os.environ["SEALWARD_TOKEN_FILE"]).read_text(encoding="ascii").strip()

# The fixture of the Rust side: keys.yaml, of which `leaving` was scheduled for deletion.
KEYS = ("disabled", "leaving", "orders", "web-tls")

# Larger than any plaintext, and every character a six-byte escape in JSON.
CONTROL_CHARACTERS = "\x01" * 4096


class Checks(unittest.TestCase):
    """Adds `assertRefused`. The SDK takes many wrong answers for success and then has only `None`
    in every field, so checks compare fields, never just the absence of an exception."""

    maxDiff = None

    def assertRefused(self, status, code, call, *arguments):
        """Calls, expects the SDK's exception with this status and code, and returns its message."""
        with self.assertRaises(ClientRequestException) as caught:
            call(*arguments)
        refusal = caught.exception
        self.assertEqual((refusal.status_code, refusal.error_code), (status, code), refusal)
        self.assertRegex(refusal.request_id or "", r"^[0-9a-f-]{32,36}$")
        self.assertGreater(len(refusal.error_msg), 10, refusal)
        return refusal.error_msg
