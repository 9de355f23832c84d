"""enveloped_file.py encrypt|decrypt IN OUT: what `sealward file` does, without Sealward's programs.

The official SDK makes and decrypts the DEK; PyPI's cryptography does the rest.
"""

import os
import sys
from pathlib import Path

import huaweicloudsdkkms.v2 as kms
from huaweicloudsdkcore.auth.credentials import BasicCredentials

from formats import open_file, seal_file

KEY = "alias/web-tls"
TOKEN = Path(os.environ["SEALWARD_TOKEN_FILE"]).read_text(encoding="ascii").strip()
KMS = (
    kms.KmsClient.new_builder()
    .with_credentials(BasicCredentials("any", TOKEN, "any"))
    .with_endpoint(os.environ["SEALWARD_ENDPOINT"])
    .build()
)


def decrypt_dek(ciphertext_dek):
    body = kms.DecryptDatakeyRequestBody(
        key_id=KEY, cipher_text=ciphertext_dek.hex(), datakey_cipher_length="32"
    )
    return bytes.fromhex(KMS.decrypt_datakey(kms.DecryptDatakeyRequest(body=body)).data_key)


operation, source, target = sys.argv[1:]
data = Path(source).read_bytes()
if operation == "encrypt":
    body = kms.CreateDatakeyRequestBody(key_id=KEY, datakey_length="256")
    created = KMS.create_datakey(kms.CreateDatakeyRequest(body=body))
    dek, ciphertext_dek = bytes.fromhex(created.plain_text), bytes.fromhex(created.cipher_text)
    result = seal_file(dek, ciphertext_dek, None, data)
else:
    result = open_file(decrypt_dek, None, data)
Path(target).write_bytes(result)
