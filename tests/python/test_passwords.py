"""Password-based encryption from Python: against other code, its laws, and what it refuses."""

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from mopse import passwords
from mopse.ciphers import legacy
from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    InvalidInputError,
    WrongPasswordError,
    WrongTypeError,
)

KDFS = ["argon2id", "pbkdf2-sha256"]
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "pbe.json").read_text("utf-8"))
PASSWORD, SALT, TEXT = "correct horse", bytes(range(16)), b"chest X-ray"
STORED = passwords.hash(PASSWORD)
SEALED = passwords.encrypt(PASSWORD, TEXT)


def pbkdf1_md5(password: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """Return key and initialisation vector as in RFC 8018 section 5.1."""
    digest = password + salt
    for _ in range(iterations):
        digest = hashlib.md5(digest).digest()
    return digest[:8], digest[8:]


def des_cbc(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return the padded plaintext under DES, which is 3DES with one key three times."""
    padding = 8 - len(plaintext) % 8
    encryptor = Cipher(TripleDES(key * 3), modes.CBC(iv)).encryptor()
    return encryptor.update(plaintext + bytes([padding] * padding)) + encryptor.finalize()


@pytest.mark.parametrize("kdf", KDFS)
def test_decryption_undoes_encryption(kdf):
    for cipher in ("aes-256-gcm", "xchacha20-poly1305"):
        sealed = passwords.encrypt(PASSWORD, TEXT, kdf=kdf, cipher=cipher, aad=b"record 17")
        assert passwords.decrypt(PASSWORD, sealed, aad=b"record 17") == TEXT
        assert passwords.decrypt(PASSWORD.encode(), sealed, b"record 17") == TEXT
        assert cipher.encode() in sealed
        assert kdf.encode() in sealed


def test_buffers_of_all_kinds_are_taken():
    for plaintext in (b"", bytearray(TEXT), memoryview(TEXT), np.arange(100, dtype=np.uint8)):
        sealed = passwords.encrypt(PASSWORD, plaintext, kdf="pbkdf2-sha256")
        assert passwords.decrypt(PASSWORD, np.frombuffer(sealed, np.uint8)) == bytes(plaintext)
        old = bytearray(legacy.pbe_encrypt(PASSWORD, plaintext))
        assert legacy.pbe_decrypt(PASSWORD, old) == bytes(plaintext)


def test_pbkdf2_is_that_of_hashlib():
    for password in (PASSWORD, "gähn", b"\xff\x00"):
        as_bytes = password if isinstance(password, bytes) else password.encode()
        expected = hashlib.pbkdf2_hmac("sha256", as_bytes, SALT, 600_000)
        assert passwords.derive(password, SALT, kdf="pbkdf2-sha256") == expected


def test_argon2id_is_that_of_openssl():
    argon2 = pytest.importorskip("cryptography.hazmat.primitives.kdf.argon2")
    cost = {"length": 32, "iterations": 3, "lanes": 1, "memory_cost": 65536}
    kdf = argon2.Argon2id(salt=SALT, **cost)
    assert passwords.derive(PASSWORD, SALT) == kdf.derive(PASSWORD.encode())
    *_, salt, expected = STORED.split("$")
    kdf = argon2.Argon2id(salt=base64.b64decode(salt + "=="), **cost)
    assert kdf.derive(PASSWORD.encode()) == base64.b64decode(expected + "=")


@pytest.mark.parametrize("kdf", KDFS)
def test_a_message_is_made_as_its_module_says(kdf):
    sealed = passwords.encrypt(PASSWORD, TEXT, kdf=kdf, aad=b"record 17")
    head = b"MOPSEPWD\x01"
    for name in ("aes-256-gcm", kdf):
        head += len(name).to_bytes(8, "little") + name.encode()
    for number in [600_000] if kdf == "pbkdf2-sha256" else [65536, 3, 1]:
        head += number.to_bytes(4, "little")
    salt, nonce = sealed[len(head) :][:16], sealed[len(head) + 16 :][:12]
    assert sealed.startswith(head)
    head = head + salt + nonce
    key = passwords.derive(PASSWORD, salt, kdf=kdf)
    ciphertext = AESGCM(key).encrypt(nonce, TEXT, head + b"record 17")
    assert sealed == head + ciphertext


@given(
    password=st.binary(min_size=1, max_size=80),
    salt=st.binary(min_size=8, max_size=8),
    iterations=st.integers(1, 50),
    plaintext=st.binary(max_size=40),
)
def test_pbes1_is_that_of_the_standard(password, salt, iterations, plaintext):
    key, iv = pbkdf1_md5(password, salt, iterations)
    assert legacy.pbe_derive(password, salt, iterations) == (key, iv)
    head = b"MOPSEPB1\x01" + iterations.to_bytes(4, "little") + salt
    assert legacy.pbe_decrypt(password, head + des_cbc(key, iv, plaintext)) == plaintext
    sealed = legacy.pbe_encrypt(password, plaintext, iterations)
    key, iv = pbkdf1_md5(password, sealed[13:21], iterations)
    assert sealed[21:] == des_cbc(key, iv, plaintext)


def test_the_pinned_vectors_are_those_of_the_standard():
    for case in VECTORS["cases"]:
        names = ("password", "salt", "key", "iv", "plaintext", "ciphertext")
        password, salt, key, iv, plaintext, ciphertext = (bytes.fromhex(case[n]) for n in names)
        assert pbkdf1_md5(password, salt, case["iterations"]) == (key, iv)
        assert legacy.pbe_derive(password, salt, case["iterations"]) == (key, iv)
        assert des_cbc(key, iv, plaintext) == ciphertext


def test_pbes1_iterates_a_thousand_times_unless_told():
    assert legacy.pbe_derive(PASSWORD, SALT[:8]) == pbkdf1_md5(PASSWORD.encode(), SALT[:8], 1000)
    assert legacy.pbe_encrypt(PASSWORD, TEXT)[9:13] == (1000).to_bytes(4, "little")


def test_a_wrong_password_or_a_change_is_one_error():
    sealed = passwords.encrypt(PASSWORD, TEXT, kdf="pbkdf2-sha256")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for wrong in (("Correct horse", sealed), (PASSWORD, changed), (PASSWORD, sealed, b"other")):
        with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
            passwords.decrypt(*wrong)


def test_a_stored_hash_knows_its_password_only():
    passwords.verify(PASSWORD, STORED)
    passwords.verify(PASSWORD.encode(), STORED)
    assert passwords.hash(PASSWORD) != STORED
    for wrong in ("Correct horse", "correct horse ", b"\x00"):
        with pytest.raises(WrongPasswordError, match=r"^the password is wrong$"):
            passwords.verify(wrong, STORED)


@pytest.mark.parametrize(
    "stored",
    ["", "correct horse", "\udc80", STORED[:-1] + "!", STORED.replace("m=65536", "m=4294967295")],
)
def test_a_damaged_hash_is_refused(stored):
    with pytest.raises(DamagedFileError):
        passwords.verify(PASSWORD, stored)


def test_what_is_malformed_or_absurd_is_refused():
    sealed = passwords.encrypt(PASSWORD, TEXT, kdf="pbkdf2-sha256")
    iterations = (600_000).to_bytes(4, "little")
    for damaged in (b"", sealed[:40], b"X" + sealed[1:], sealed.replace(iterations, b"\xff" * 4)):
        with pytest.raises(DamagedFileError):
            passwords.decrypt(PASSWORD, damaged)
    with pytest.raises(DamagedFileError, match="of version 2"):
        passwords.decrypt(PASSWORD, sealed.replace(b"MOPSEPWD\x01", b"MOPSEPWD\x02"))
    for known, unknown in ((b"aes-256-gcm", b"aes-256-gcn"), (b"pbkdf2", b"pbkdf3")):
        with pytest.raises(InvalidInputError, match="there is no"):
            passwords.decrypt(PASSWORD, sealed.replace(known, unknown))
    old = legacy.pbe_encrypt(PASSWORD, TEXT)
    for damaged in (b"", old[:21], old[:-1], old[:9] + b"\xff" * 4 + old[13:]):
        with pytest.raises(DamagedFileError):
            legacy.pbe_decrypt(PASSWORD, damaged)


TAKE_A_PASSWORD = [
    lambda password: passwords.encrypt(password, TEXT),
    lambda password: passwords.decrypt(password, SEALED),
    lambda password: passwords.derive(password, SALT),
    lambda password: passwords.hash(password),
    lambda password: passwords.verify(password, STORED),
    lambda password: legacy.pbe_encrypt(password, TEXT),
    lambda password: legacy.pbe_decrypt(password, legacy.pbe_encrypt("other", TEXT)),
    lambda password: legacy.pbe_derive(password, SALT[:8]),
]


@pytest.mark.parametrize("take", TAKE_A_PASSWORD)
def test_a_password_is_text_or_bytes_and_not_empty(take):
    for empty in ("", b"", bytearray()):
        with pytest.raises(InvalidInputError, match="the password is empty"):
            take(empty)
    for wrong in (None, 17, ["secret"]):
        with pytest.raises(WrongTypeError, match="a password must be a string or bytes"):
            take(wrong)
    with pytest.raises(InvalidInputError, match="surrogate"):
        take("half \ud800")


def test_impossible_arguments_are_refused():
    for call, message in [
        (lambda: passwords.encrypt(PASSWORD, TEXT, kdf="scrypt"), "no key derivation"),
        (lambda: passwords.derive(PASSWORD, SALT, kdf="\udc80"), "no key derivation"),
        (lambda: passwords.encrypt(PASSWORD, TEXT, cipher="rot13"), "no cipher"),
        (lambda: passwords.encrypt(PASSWORD, TEXT, cipher="des-cbc"), "no cipher"),
        (lambda: passwords.encrypt(PASSWORD, TEXT, cipher="aes-256-cbc"), "authenticates nothing"),
        (lambda: passwords.encrypt(PASSWORD, TEXT, cipher="aes-128-gcm"), "expected 16"),
        (lambda: passwords.derive(PASSWORD, bytes(7)), "the salt is 7"),
        (lambda: passwords.derive(PASSWORD, bytes(65), kdf=KDFS[1]), "the salt is 65"),
        (lambda: passwords.verify(PASSWORD, STORED.replace("2id", "2i")), "no key derivation"),
        (lambda: legacy.pbe_derive(PASSWORD, bytes(9)), "the salt is 9"),
        (lambda: legacy.pbe_derive(PASSWORD, bytes(8), 0), "iterations is 0"),
        (lambda: legacy.pbe_encrypt(PASSWORD, TEXT, 10_000_001), "iterations is 10000001"),
        (lambda: legacy.pbe_encrypt(PASSWORD, TEXT, -1), "iterations is -1"),
        (lambda: legacy.pbe_encrypt(PASSWORD, TEXT, 2**40), "iterations is 1099511627776"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            call()


def test_wrong_types_are_refused():
    for call in [
        lambda: passwords.encrypt(PASSWORD, "text"),
        lambda: passwords.encrypt(PASSWORD, TEXT, aad="text"),
        lambda: passwords.encrypt(PASSWORD, TEXT, kdf=None),
        lambda: passwords.encrypt(PASSWORD, TEXT, cipher=1),
        lambda: passwords.decrypt(PASSWORD, "text"),
        lambda: passwords.decrypt(PASSWORD, TEXT, aad=None),
        lambda: passwords.derive(PASSWORD, "salt"),
        lambda: passwords.verify(PASSWORD, STORED.encode()),
        lambda: legacy.pbe_encrypt(PASSWORD, "text"),
        lambda: legacy.pbe_encrypt(PASSWORD, TEXT, 1.5),
        lambda: legacy.pbe_encrypt(PASSWORD, TEXT, True),
        lambda: legacy.pbe_decrypt(PASSWORD, "text"),
        lambda: legacy.pbe_derive(PASSWORD, "8 bytes."),
    ]:
        with pytest.raises(WrongTypeError):
            call()
