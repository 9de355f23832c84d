"""The older generation of the SDK (huaweicloudsdkkms 3.1.5, client v1): its `encryption_context` is an object."""

import unittest

import huaweicloudsdkkms.v1 as kms
from huaweicloudsdkcore.auth.credentials import BasicCredentials

from support import ENDPOINT, KEYS, TOKEN, Checks

CONTEXT = {"tenant": "ä", "file": "a.txt", "\U0001f511": "", "\ue000": "sorts before the emoji in UTF-8"}

KMS = (
    kms.KmsClient.new_builder()
    .with_credentials(BasicCredentials("any-access-key", TOKEN, "0123456789abcdef0123456789abcdef"))
    .with_endpoint(ENDPOINT)
    .build()
)


def encrypt(plain_text, **fields):
    body = kms.EncryptDataRequestBody(key_id="alias/web-tls", plain_text=plain_text, **fields)
    return KMS.encrypt_data(kms.EncryptDataRequest("v1.0", body))


def decrypt(cipher_text, **fields):
    body = kms.DecryptDataRequestBody(cipher_text=cipher_text, **fields)
    return KMS.decrypt_data(kms.DecryptDataRequest("v1.0", body))


class SmallData(Checks):
    def test_round_trip(self):
        opened = decrypt(encrypt("Grüße \U0001f511").cipher_text)
        self.assertEqual(opened.plain_text, "Grüße \U0001f511")

    def test_encryption_context_in_any_order(self):
        sealed = encrypt("secret", encryption_context=CONTEXT).cipher_text
        backwards = dict(reversed(CONTEXT.items()))
        self.assertEqual(decrypt(sealed, encryption_context=backwards).plain_text, "secret")

    def test_encryption_context_must_be_the_same(self):
        sealed = encrypt("secret", encryption_context=CONTEXT).cipher_text
        fewer = {name: value for name, value in CONTEXT.items() if name != "file"}
        swapped = CONTEXT | {"tenant": CONTEXT["file"], "file": CONTEXT["tenant"]}
        refusals = {
            self.assertRefused(400, "KMS.2201", lambda: decrypt(sealed)),
            self.assertRefused(400, "KMS.2201", lambda: decrypt(sealed, encryption_context=fewer)),
            self.assertRefused(400, "KMS.2201", lambda: decrypt(sealed, encryption_context=swapped)),
            self.assertRefused(
                400, "KMS.2201", lambda: decrypt(encrypt("x").cipher_text, encryption_context=CONTEXT)
            ),
        }
        self.assertEqual(len(refusals), 1, "missing, superfluous and wrong context must look alike")

    def test_empty_encryption_context_is_none(self):
        sealed = encrypt("secret", encryption_context={}).cipher_text
        self.assertEqual(decrypt(sealed).plain_text, "secret")

    def test_encryption_context_of_something_else_than_text_is_refused(self):
        for context in ("tenant=a", ["tenant", "a"], {"tenant": 1}, {"tenant": {"a": "b"}}):
            with self.subTest(context=context):
                message = self.assertRefused(
                    400, "KMS.0208", lambda: encrypt("x", encryption_context=context)
                )
                self.assertIn("encryption_context", message)

    def test_encryption_context_over_8192_characters_is_refused(self):
        self.assertRefused(
            400, "KMS.0208", lambda: encrypt("x", encryption_context={"tenant": "a" * 8192})
        )


class DataKeys(Checks):
    def test_encryption_context(self):
        body = kms.CreateDatakeyRequestBody(key_id="alias/web-tls", encryption_context=CONTEXT)
        created = KMS.create_datakey(kms.CreateDatakeyRequest("v1.0", body))
        self.assertRegex(created.plain_text, "^[0-9A-F]{64}$")

        def decrypt_datakey(**fields):
            body = kms.DecryptDatakeyRequestBody(
                key_id=created.key_id,
                cipher_text=created.cipher_text,
                datakey_cipher_length="32",
                **fields,
            )
            return KMS.decrypt_datakey(kms.DecryptDatakeyRequest("v1.0", body))

        self.assertEqual(decrypt_datakey(encryption_context=CONTEXT).data_key, created.plain_text)
        self.assertRefused(400, "KMS.2201", decrypt_datakey)


class Keys(Checks):
    def test_list_and_describe(self):
        page = KMS.list_keys(kms.ListKeysRequest("v1.0", kms.ListKeysRequestBody()))
        self.assertEqual(len(page.keys), len(KEYS))
        body = kms.OperateKeyRequestBody(key_id=page.keys[0])
        key = KMS.list_key_detail(kms.ListKeyDetailRequest("v1.0", body)).key_info
        self.assertEqual(key.key_id, page.keys[0])
        self.assertEqual(key.key_spec, "AES_256")


if __name__ == "__main__":
    unittest.main()
