"""The official SDK as it comes from PyPI (huaweicloudsdkkms, client v2), used as its documentation says."""

import base64
import hashlib
import http.client
import json
import os
import unittest
from urllib.parse import urlsplit

import huaweicloudsdkkms.v2 as kms
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkkms.v2.region.kms_region import KmsRegion

from support import CONTROL_CHARACTERS, ENDPOINT, KEYS, TOKEN, Checks

UNKNOWN_KEY = "00000000-0000-4000-8000-000000000000"
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def client(secret_key=TOKEN, project_id="0123456789abcdef0123456789abcdef"):
    credentials = BasicCredentials("any-access-key", secret_key, project_id)
    return kms.KmsClient.new_builder().with_credentials(credentials).with_endpoint(ENDPOINT).build()


KMS = client()


def describe(key_id):
    request = kms.ListKeyDetailRequest(body=kms.OperateKeyRequestBody(key_id=key_id))
    return KMS.list_key_detail(request).key_info


KEY, OTHER_KEY = (describe(f"alias/{name}").key_id for name in ("web-tls", "orders"))


def encrypt(plain_text, key_id=KEY, to=KMS, **fields):
    body = kms.EncryptDataRequestBody(key_id=key_id, plain_text=plain_text, **fields)
    return to.encrypt_data(kms.EncryptDataRequest(body=body))


def decrypt(cipher_text, to=KMS, **fields):
    body = kms.DecryptDataRequestBody(cipher_text=cipher_text, **fields)
    return to.decrypt_data(kms.DecryptDataRequest(body=body))


def create_datakey(**fields):
    body = kms.CreateDatakeyRequestBody(**{"key_id": KEY, **fields})
    return KMS.create_datakey(kms.CreateDatakeyRequest(body=body))


def encrypt_datakey(plain_text, length, **fields):
    body = kms.EncryptDatakeyRequestBody(
        key_id=KEY, plain_text=plain_text, datakey_plain_length=length, **fields
    )
    return KMS.encrypt_datakey(kms.EncryptDatakeyRequest(body=body))


def decrypt_datakey(cipher_text, length, key_id=KEY, **fields):
    body = kms.DecryptDatakeyRequestBody(
        key_id=key_id, cipher_text=cipher_text, datakey_cipher_length=length, **fields
    )
    return KMS.decrypt_datakey(kms.DecryptDatakeyRequest(body=body))


def list_keys(**fields):
    body = kms.ListKeysRequestBody(**fields) if fields else None
    return KMS.list_keys(kms.ListKeysRequest(body=body))


def random(bits):
    body = kms.GenRandomRequestBody(random_data_length=bits)
    return KMS.create_random(kms.CreateRandomRequest(body=body))


class SmallData(Checks):
    def assertRoundTrip(self, plain_text, **fields):
        sealed = encrypt(plain_text, **fields)
        self.assertEqual(sealed.key_id, KEY)
        opened = decrypt(sealed.cipher_text, **fields)
        self.assertEqual(opened.key_id, KEY)
        self.assertEqual(opened.plain_text, plain_text)
        self.assertEqual(base64.b64decode(opened.plain_text_base64), plain_text.encode())
        return sealed.cipher_text

    def test_ciphertext_has_the_documented_form(self):
        blob = base64.b64decode(self.assertRoundTrip("12345678"), validate=True)
        self.assertEqual(len(blob), 98 + 8)
        self.assertEqual(blob[:6], b"SWC1\x01\x01")
        self.assertEqual(blob[6:22].hex(), KEY.replace("-", ""))
        self.assertEqual(blob[22:26], b"\x00\x00\x00\x01")

    def test_shortest_and_longest_ciphertext_fit_the_documented_pattern(self):
        self.assertRegex(self.assertRoundTrip("x"), "^[0-9a-zA-Z+/=]{128,5648}$")
        self.assertRegex(self.assertRoundTrip("x" * 4096), "^[0-9a-zA-Z+/=]{188,5648}$")

    def test_any_text_comes_back_unchanged(self):
        pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n"
        for text in (" ", "Grüße, 密钥, \U0001f511\U0001f3f3\ufe0f\u200d\U0001f308", pem, "\"\\/\b\f\r\n\t\x7f"):
            with self.subTest(text=text):
                self.assertRoundTrip(text)

    def test_4096_bytes_of_control_characters_or_emoji(self):
        self.assertRoundTrip(CONTROL_CHARACTERS)
        self.assertRoundTrip("\U0001f511" * 1024)

    def test_one_byte_too_many_is_refused(self):
        for text in (CONTROL_CHARACTERS + "x", "\U0001f511" * 1024 + "x"):
            message = self.assertRefused(400, "KMS.0308", encrypt, text)
            self.assertIn("plain_text", message)

    def test_the_same_text_never_gives_the_same_ciphertext(self):
        self.assertNotEqual(encrypt("x").cipher_text, encrypt("x").cipher_text)

    def test_algorithm_as_sops_sends_it(self):
        self.assertRoundTrip("x", encryption_algorithm="SYMMETRIC_DEFAULT")

    def test_asymmetric_algorithm_is_refused(self):
        with_algorithm = {"encryption_algorithm": "RSAES_OAEP_SHA_256"}
        self.assertRefused(400, "KMS.0308", lambda: encrypt("x", **with_algorithm))

    def test_additional_authenticated_data(self):
        aad = {"additional_authenticated_data": "tenant=ä\U0001f511"}
        sealed = self.assertRoundTrip("secret", **aad)
        plain = encrypt("secret").cipher_text
        refusals = {
            self.assertRefused(400, "KMS.2201", lambda: decrypt(sealed)),
            self.assertRefused(400, "KMS.2201", lambda: decrypt(plain, **aad)),
            self.assertRefused(
                400, "KMS.2201", lambda: decrypt(sealed, additional_authenticated_data="tenant=b")
            ),
        }
        self.assertEqual(len(refusals), 1, "missing, superfluous and wrong data must look alike")

    def test_additional_authenticated_data_over_128_bytes_is_refused(self):
        self.assertRoundTrip("x", additional_authenticated_data="a" * 128)
        too_long = {"additional_authenticated_data": "ä" * 64 + "x"}
        self.assertRefused(400, "KMS.0308", lambda: encrypt("x", **too_long))

    def test_decrypt_with_key_id(self):
        sealed = encrypt("x").cipher_text
        self.assertEqual(decrypt(sealed, key_id=KEY).plain_text, "x")
        self.assertRefused(400, "KMS.2201", lambda: decrypt(sealed, key_id=OTHER_KEY))

    def test_damage_is_refused_wherever_it_is(self):
        blob = base64.b64decode(encrypt("secret").cipher_text)
        for position in (0, 4, 5, 25, 26, 50, 82, len(blob) - 1):
            damaged = bytearray(blob)
            damaged[position] ^= 1
            with self.subTest(position=position):
                self.assertRefused(400, "KMS.2201", decrypt, base64.b64encode(damaged).decode())
        for cut in (blob[:-1], blob + b"\x00"):
            self.assertRefused(400, "KMS.2201", decrypt, base64.b64encode(cut).decode())

    def test_ciphertext_of_a_key_that_is_not_here(self):
        blob = bytearray(base64.b64decode(encrypt("secret").cipher_text))
        blob[6] ^= 1
        self.assertRefused(404, "KMS.0207", decrypt, base64.b64encode(blob).decode())

    def test_ciphertext_datakey_is_not_taken_for_data(self):
        blob = bytes.fromhex(create_datakey().cipher_text)
        self.assertRefused(400, "KMS.2201", decrypt, base64.b64encode(blob).decode())


class DataKeys(Checks):
    def assertDataKey(self, created, length):
        """Checks a new DEK and that its ciphertext opens to it; returns the ciphertext."""
        self.assertEqual(created.key_id, KEY)
        self.assertRegex(created.plain_text, f"^[0-9A-F]{{{2 * length}}}$")
        self.assertRegex(created.cipher_text, f"^[0-9A-F]{{{2 * (length + 98)}}}$")
        self.assertOpens(created.cipher_text, bytes.fromhex(created.plain_text))
        return created.cipher_text

    def assertOpens(self, cipher_text, dek, **fields):
        opened = decrypt_datakey(cipher_text, str(len(dek)), **fields)
        self.assertEqual(bytes.fromhex(opened.data_key), dek)
        self.assertEqual(opened.datakey_length, str(len(dek)))
        self.assertEqual(bytes.fromhex(opened.datakey_dgst), hashlib.sha256(dek).digest())

    def test_create_datakey(self):
        self.assertDataKey(create_datakey(), 32)
        self.assertDataKey(create_datakey(datakey_length="512"), 64)
        self.assertDataKey(create_datakey(datakey_length="8"), 1)
        self.assertDataKey(create_datakey(datakey_length="8192"), 1024)
        self.assertDataKey(create_datakey(key_spec="AES_256"), 32)
        self.assertDataKey(create_datakey(key_spec="AES_128"), 16)
        self.assertDataKey(create_datakey(key_spec="AES_128", datakey_length="256"), 32)

    def test_lower_case_is_taken_too(self):
        created = create_datakey()
        self.assertOpens(created.cipher_text.lower(), bytes.fromhex(created.plain_text))

    def test_bad_lengths_are_refused(self):
        self.assertRefused(400, "KMS.1901", lambda: create_datakey(datakey_length="0"))
        self.assertRefused(400, "KMS.1901", lambda: create_datakey(datakey_length="8200"))
        self.assertRefused(400, "KMS.1903", lambda: create_datakey(datakey_length="255"))
        self.assertRefused(400, "KMS.1902", lambda: create_datakey(key_spec="RSA_2048"))

    def test_create_datakey_without_plaintext(self):
        body = kms.CreateDatakeyRequestBody(key_id=KEY, datakey_length="256")
        request = kms.CreateDatakeyWithoutPlaintextRequest(body=body)
        created = KMS.create_datakey_without_plaintext(request)
        self.assertEqual(created.key_id, KEY)
        self.assertFalse(hasattr(created, "plain_text"))
        self.assertOpens(
            created.cipher_text, bytes.fromhex(decrypt_datakey(created.cipher_text, "32").data_key)
        )

    def test_encrypt_datakey(self):
        dek = bytes(range(32))
        digest = hashlib.sha256(dek).digest()
        sealed = encrypt_datakey((dek + digest).hex(), "32")
        self.assertEqual((sealed.key_id, sealed.datakey_length), (KEY, "32"))
        self.assertOpens(sealed.cipher_text, dek)

    def test_encrypt_datakey_with_a_wrong_digest_or_length(self):
        dek = bytes(range(32))
        digest = hashlib.sha256(dek).digest()
        self.assertRefused(400, "KMS.2103", encrypt_datakey, (dek + dek).hex(), "32")
        self.assertRefused(400, "KMS.2104", encrypt_datakey, (dek + digest).hex(), "31")
        self.assertRefused(400, "KMS.2101", encrypt_datakey, "xy" * 64, "32")

    def test_decrypt_datakey_with_a_wrong_length_or_key(self):
        sealed = create_datakey().cipher_text
        self.assertRefused(400, "KMS.2204", decrypt_datakey, sealed, "31")
        self.assertRefused(400, "KMS.2201", decrypt_datakey, sealed, "32", OTHER_KEY)

    def test_additional_authenticated_data(self):
        aad = {"additional_authenticated_data": "file=a"}
        created = create_datakey(**aad)
        self.assertOpens(created.cipher_text, bytes.fromhex(created.plain_text), **aad)
        self.assertRefused(400, "KMS.2201", decrypt_datakey, created.cipher_text, "32")

    def test_data_is_not_taken_for_a_datakey(self):
        blob = base64.b64decode(encrypt("x" * 32).cipher_text)
        self.assertRefused(400, "KMS.2201", decrypt_datakey, blob.hex(), "32")


class ReEncrypt(Checks):
    def test_to_another_key_and_context(self):
        sealed = encrypt("secret", additional_authenticated_data="old").cipher_text
        body = kms.ReEncryptRequestBody(
            source_key_id=KEY,
            source_additional_authenticated_data="old",
            destination_key_id=OTHER_KEY,
            destination_additional_authenticated_data="new",
            cipher_text=sealed,
        )
        answer = KMS.re_encrypt(kms.ReEncryptRequest(body=body))
        self.assertEqual((answer.source_key_id, answer.key_id), (KEY, OTHER_KEY))
        opened = decrypt(answer.cipher_text, additional_authenticated_data="new")
        self.assertEqual((opened.key_id, opened.plain_text), (OTHER_KEY, "secret"))
        self.assertRefused(
            400, "KMS.2201", lambda: decrypt(answer.cipher_text, additional_authenticated_data="old")
        )

    def test_wrong_source_context_is_refused(self):
        body = kms.ReEncryptRequestBody(
            source_additional_authenticated_data="superfluous",
            destination_key_id=OTHER_KEY,
            cipher_text=encrypt("secret").cipher_text,
        )
        self.assertRefused(400, "KMS.2201", KMS.re_encrypt, kms.ReEncryptRequest(body=body))


class Keys(Checks):
    def test_describe(self):
        key = describe(KEY)
        self.assertRegex(key.key_id, UUID)
        self.assertEqual(key.key_id, KEY)
        self.assertEqual(key.key_description, "TLS keys of the shop")
        self.assertEqual((key.key_state, key.key_spec, key.key_usage), ("2", "AES_256", "ENCRYPT_DECRYPT"))
        self.assertEqual((key.origin, key.default_key_flag), ("kms", "0"))
        self.assertRegex(key.creation_date, "^[0-9]{13}$")
        self.assertEqual(key.scheduled_deletion_date, "")

    def test_states(self):
        self.assertEqual(describe("alias/disabled").key_state, "3")
        leaving = describe("alias/leaving")
        self.assertEqual(leaving.key_state, "4")
        self.assertRegex(leaving.scheduled_deletion_date, "^[0-9]{13}$")

    def test_names_for_a_key(self):
        for name in ("alias/web-tls", "alias/default/web-tls"):
            self.assertEqual(describe(name).key_id, KEY)
            self.assertEqual(encrypt("x", key_id=name).key_id, KEY)

    def test_list_without_a_body(self):
        page = list_keys()
        self.assertEqual(page.total, len(KEYS))
        self.assertEqual((page.truncated, page.next_marker), ("false", ""))
        self.assertEqual(sorted(page.keys), sorted(describe(f"alias/{name}").key_id for name in KEYS))
        self.assertEqual([key.key_id for key in page.key_details], page.keys)

    def test_list_page_by_page(self):
        seen, marker = [], ""
        for page_number in range(1, len(KEYS) + 1):
            page = list_keys(limit="1", marker=marker)
            self.assertEqual((len(page.keys), page.total), (1, len(KEYS)))
            self.assertEqual(page.truncated, "false" if page_number == len(KEYS) else "true")
            seen += page.keys
            marker = page.next_marker
        self.assertEqual(marker, "")
        self.assertEqual(seen, list_keys().keys)

    def test_list_by_state(self):
        self.assertEqual(list_keys(key_state="3").keys, [describe("alias/disabled").key_id])
        self.assertEqual(sorted(list_keys(key_state="2").keys), sorted((KEY, OTHER_KEY)))

    def test_list_with_bad_page(self):
        self.assertRefused(400, "KMS.1601", lambda: list_keys(limit="0"))
        self.assertRefused(400, "KMS.1601", lambda: list_keys(limit="ten"))
        self.assertRefused(400, "KMS.1602", lambda: list_keys(marker="no marker of ours"))


class Random(Checks):
    def test_random(self):
        self.assertRegex(random("512").random_data, "^[0-9A-F]{128}$")
        self.assertRegex(random("8").random_data, "^[0-9A-F]{2}$")
        self.assertNotEqual(random("512").random_data, random("512").random_data)

    def test_length_that_is_no_whole_bytes(self):
        self.assertRefused(400, "KMS.1802", random, "7")


class Refusals(Checks):
    def test_unknown_key(self):
        self.assertRefused(404, "KMS.0207", encrypt, "x", UNKNOWN_KEY)
        self.assertRefused(404, "KMS.0207", encrypt, "x", "alias/nobody")
        self.assertRefused(404, "KMS.0207", describe, UNKNOWN_KEY)

    def test_malformed_key_id(self):
        self.assertRefused(400, "KMS.0205", encrypt, "x", KEY[:-1])
        self.assertRefused(400, "KMS.0205", encrypt, "x", KEY.replace("-", ""))

    def test_missing_fields(self):
        self.assertIn("key_id", self.assertRefused(400, "KMS.0204", encrypt, "x", None))
        self.assertIn("plain_text", self.assertRefused(400, "KMS.0204", encrypt, None))
        self.assertIn("cipher_text", self.assertRefused(400, "KMS.0204", decrypt, None))

    def test_disabled_and_leaving_keys(self):
        self.assertRefused(400, "KMS.0209", encrypt, "x", "alias/disabled")
        self.assertRefused(400, "KMS.0210", encrypt, "x", "alias/leaving")

    def test_wrong_secret_key(self):
        self.assertRefused(403, "KMS.0302", encrypt, "x", KEY, client("a-wrong-one"))

    def test_bad_sequence(self):
        self.assertRefused(400, "KMS.0206", lambda: encrypt("x", sequence="7"))


class Elsewhere(Checks):
    """What is done in another way is refused with a word on where, never with "not found"."""

    def assertElsewhere(self, where, call, request):
        message = self.assertRefused(403, "KMS.0306", call, request)
        self.assertIn(where, message)

    def test_rotation(self):
        operate = kms.OperateKeyRequestBody(key_id=KEY)
        rotate = kms.RotateOnDemandRequestBody(key_id=KEY)
        interval = kms.UpdateKeyRotationIntervalRequestBody(key_id=KEY, rotation_interval=30)
        for where, call, request in (
            ("rotate-requested-at", KMS.rotate_on_demand, kms.RotateOnDemandRequest(body=rotate)),
            ("rotationDays", KMS.enable_key_rotation, kms.EnableKeyRotationRequest(body=operate)),
            ("rotationDays", KMS.disable_key_rotation, kms.DisableKeyRotationRequest(body=operate)),
            (
                "rotationDays",
                KMS.update_key_rotation_interval,
                kms.UpdateKeyRotationIntervalRequest(body=interval),
            ),
            (
                "rotationDays",
                KMS.show_key_rotation_status,
                kms.ShowKeyRotationStatusRequest(body=operate),
            ),
        ):
            self.assertElsewhere(where, call, request)

    def test_life_of_a_key(self):
        create = kms.CreateKeyRequestBody(key_alias="new")
        operate = kms.OperateKeyRequestBody(key_id=KEY)
        delete = kms.ScheduleKeyDeletionRequestBody(key_id=KEY, pending_days="7")
        rename = kms.UpdateKeyAliasRequestBody(key_id=KEY, key_alias="new")
        for where, call, request in (
            ("CustomerMasterKey", KMS.create_key, kms.CreateKeyRequest(body=create)),
            ("spec.enabled", KMS.enable_key, kms.EnableKeyRequest(body=operate)),
            ("spec.enabled", KMS.disable_key, kms.DisableKeyRequest(body=operate)),
            ("sealward delete", KMS.delete_key, kms.DeleteKeyRequest(body=delete)),
            ("sealward restore", KMS.cancel_key_deletion, kms.CancelKeyDeletionRequest(body=operate)),
            ("alias/", KMS.update_key_alias, kms.UpdateKeyAliasRequest(body=rename)),
        ):
            self.assertElsewhere(where, call, request)
        self.assertEqual(describe(KEY).key_state, "2", "nothing of this was done")

    def test_grants_tags_and_the_rest(self):
        grant = kms.CreateGrantRequestBody(
            key_id=KEY, grantee_principal="0123456789abcdef0123456789abcdef", operations=["encrypt-data"]
        )
        grants = kms.ListGrantsRequestBody(key_id=KEY)
        tag = kms.CreateKmsTagRequestBody(tag=kms.TagItem(key="a", value="b"))
        operate = kms.OperateKeyRequestBody(key_id=KEY)
        mac = kms.GenerateMacRequestBody(key_id=KEY, mac_algorithm="HMAC_SHA_256", message="eA==")
        material = kms.DeleteImportedKeyMaterialRequest(body=operate)
        for where, call, request in (
            ("permissions", KMS.create_grant, kms.CreateGrantRequest(body=grant)),
            ("permissions", KMS.list_grants, kms.ListGrantsRequest(body=grants)),
            ("labels", KMS.create_kms_tag, kms.CreateKmsTagRequest(key_id=KEY, body=tag)),
            ("labels", KMS.delete_tag, kms.DeleteTagRequest(key_id=KEY, key="a")),
            ("labels", KMS.show_kms_tags, kms.ShowKmsTagsRequest(key_id=KEY)),
            ("labels", KMS.list_kms_tags, kms.ListKmsTagsRequest()),
            ("quotas", KMS.show_user_quotas, kms.ShowUserQuotasRequest()),
            ("does not offer", KMS.delete_imported_key_material, material),
            ("does not offer", KMS.generate_mac, kms.GenerateMacRequest(body=mac)),
        ):
            self.assertElsewhere(where, call, request)


class Configuration(Checks):
    def test_project_id_is_opaque(self):
        for project_id in ("team-a/prod", "ä\U0001f511", None):
            with self.subTest(project_id=project_id):
                sealed = encrypt("x", to=client(project_id=project_id))
                self.assertEqual(decrypt(sealed.cipher_text).plain_text, "x")

    def test_environment_only(self):
        os.environ |= {
            "HUAWEICLOUD_SDK_AK": "any",
            "HUAWEICLOUD_SDK_SK": TOKEN,
            "HUAWEICLOUD_SDK_PROJECT_ID": "any",
            "HUAWEICLOUD_SDK_REGION_KMS_LOCAL_1": ENDPOINT,
        }
        region = KmsRegion.value_of("local-1")
        from_environment = kms.KmsClient.new_builder().with_region(region).build()
        sealed = encrypt("x", to=from_environment)
        self.assertEqual(decrypt(sealed.cipher_text, to=from_environment).plain_text, "x")

    def rest(self, headers):
        """Encrypts without an SDK, with these headers for a login; gives status and answer."""
        connection = http.client.HTTPConnection(urlsplit(ENDPOINT).netloc, timeout=10)
        body = json.dumps({"key_id": KEY, "plain_text": "x"})
        connection.request("POST", "/v1.0/any/kms/encrypt-data", body, headers)
        with connection.getresponse() as answer:
            status, body = answer.status, json.loads(answer.read())
        connection.close()
        return status, body

    def test_token_instead_of_a_signature(self):
        for headers in ({"X-Auth-Token": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}):
            status, answer = self.rest(headers)
            self.assertEqual(status, 200, answer)
            self.assertEqual(decrypt(answer["cipher_text"]).plain_text, "x")

    def test_no_login(self):
        status, answer = self.rest({})
        self.assertEqual((status, answer["error"]["error_code"]), (403, "KMS.0301"))
        status, answer = self.rest({"X-Auth-Token": TOKEN[:-1]})
        self.assertEqual((status, answer["error"]["error_code"]), (403, "KMS.0302"))


if __name__ == "__main__":
    unittest.main()
