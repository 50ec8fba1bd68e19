"""Password-based encryption from Python: against other code, its laws, and what it refuses."""

import base64
import contextlib
import hashlib
import json
import re
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import reference
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st

import mopse
from mopse import _mopse, passwords
from mopse._checks import password_bytes
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
CONTAINERS, KEYRINGS = (
    json.loads((Path(__file__).parents[1] / "vectors" / name).read_text("utf-8"))
    for name in ("password.json", "keyring.json")
)
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
    costs = [600_000] if kdf == "pbkdf2-sha256" else [65536, 3, 1]
    at = 9 + 8 + len("aes-256-gcm") + 8 + len(kdf) + 4 * len(costs)
    case = message_case(kdf, costs, PASSWORD, sealed[at:][:16], sealed[at + 16 :][:12])
    assert sealed == reference.password_message(case, 2)
    assert passwords.decrypt(PASSWORD, reference.password_message(case, 1), b"record 17") == TEXT


def message_case(kdf: str, costs: list[int], password: str, salt: bytes, nonce: bytes) -> dict:
    """Return what the reference makes a message of."""
    named = {"password": password.encode(), "associated": b"record 17", "plaintext": TEXT}
    named |= {"salt": salt, "nonce": nonce}
    texts = {"cipher": "aes-256-gcm", "derivation": kdf}
    return {name: value.hex() for name, value in named.items()} | texts | {"costs": costs}


def test_the_pinned_containers_are_those_of_the_reference():
    for case in CONTAINERS["messages"]:
        assert reference.password_message(case, case["version"]).hex() == case["message"]
    for case in KEYRINGS["files"]:
        assert reference.keyring_file(case, case["version"]).hex() == case["file"]


def test_no_message_opens_under_many_passwords():
    guesses = [f"guess {number}" for number in range(24)]
    salt, nonce = bytes(16), bytes(12)
    case = message_case("pbkdf2-sha256", [1000], guesses[0], salt, nonce)

    def key(password):
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1000)

    head = reference.password_message(case, 1)[: -len(TEXT) - 16]
    message = head + reference.gcm_collision([key(g) for g in guesses], nonce, head + b"record 17")
    assert len({passwords.decrypt(guess, message, b"record 17") for guess in guesses}) == 24

    # The same in version 2: whoever makes it can commit to one of the passwords.
    head = reference.password_message(case, 2)[: -len(TEXT) - 16]
    without = head[:-32]
    commitments = {
        reference.committed(key(guess), guess.encode(), without + b"record 17")[1]
        for guess in guesses
    }
    assert len(commitments) == 24
    keys = [
        reference.committed(key(guess), guess.encode(), without + b"record 17")[0]
        for guess in guesses[:4]
    ]
    message = head + reference.gcm_collision(keys, nonce, head + b"record 17")
    assert head[-32:] in commitments
    assert len(passwords.decrypt(guesses[0], message, b"record 17")) == 64
    for guess in guesses[1:]:
        with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
            passwords.decrypt(guess, message, b"record 17")


def costly(**costs) -> tuple[bytes, str]:
    """Return a message and a stored hash that ask for much, and hold nothing."""
    memory, passes = costs["memory"] * 1024, costs["passes"]
    head = b"MOPSEPWD\x02"
    for name in ("aes-256-gcm", "argon2id"):
        head += len(name).to_bytes(8, "little") + name.encode()
    head += b"".join(number.to_bytes(4, "little") for number in (memory, passes, 1))
    hashed = base64.b64encode(bytes(32)).decode().rstrip("=")
    stored = f"$argon2id$v=19$m={memory},t={passes},p=1${hashed[:22]}${hashed}"
    return head + bytes(16 + 12 + 32 + 16), stored


def test_what_costs_more_than_the_reader_allows_is_refused_before_it_is_paid():
    started = time.monotonic()
    for costs, fault in [
        ({"memory": 1024, "passes": 16}, "asks for 1024 MiB of memory and most_memory is 256"),
        ({"memory": 257, "passes": 1}, "asks for 257 MiB of memory and most_memory is 256"),
        ({"memory": 1, "passes": 5}, "asks for 5 passes over the memory and most_passes is 4"),
    ]:
        message, stored = costly(**costs)
        with pytest.raises(InvalidInputError, match=fault):
            passwords.decrypt(PASSWORD, message)
        with pytest.raises(InvalidInputError, match=fault):
            passwords.verify(PASSWORD, stored)
    iterated = bytearray(passwords.encrypt(PASSWORD, TEXT, kdf="pbkdf2-sha256"))
    iterated[49:53] = (9_000_000).to_bytes(4, "little")
    with pytest.raises(InvalidInputError, match="9000000 iterations and most_iterations is 20"):
        passwords.decrypt(PASSWORD, bytes(iterated))
    assert time.monotonic() - started < 5
    # The reader may raise the ceiling, or lower it below what is written by default.
    message, stored = costly(memory=1, passes=5)
    with pytest.raises(DecryptionError):
        passwords.decrypt(PASSWORD, message, most_passes=5)
    with pytest.raises(WrongPasswordError):
        passwords.verify(PASSWORD, stored, most_passes=5)
    with pytest.raises(InvalidInputError, match="most_memory is 63"):
        passwords.decrypt(PASSWORD, SEALED, most_memory=63)
    with pytest.raises(InvalidInputError, match="most_memory is 0"):
        passwords.decrypt(PASSWORD, SEALED, most_memory=0)
    with pytest.raises(WrongTypeError, match="most_passes is a float"):
        passwords.verify(PASSWORD, STORED, most_passes=4.0)


def test_a_keyring_has_a_ceiling_too(tmp_path):
    path = tmp_path / "owner"
    owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    path.write_bytes(owner._keyring.seal(PASSWORD.encode(), (1024, 5, 1)))
    with pytest.raises(InvalidInputError, match="asks for 5 passes over the memory"):
        mopse.Owner.open(path, PASSWORD)
    assert mopse.Owner.open(path, PASSWORD, most_passes=5).public == owner.public
    owner.save(path, PASSWORD)
    with pytest.raises(InvalidInputError, match="asks for 64 MiB of memory and most_memory is 1"):
        mopse.Owner.open(path, PASSWORD, most_memory=1)


def test_ctrl_c_ends_a_long_derivation():
    message, _ = costly(memory=256, passes=16)
    code = (
        "import sys, mopse; from mopse import passwords; print('begun', flush=True)\n"
        f"passwords.decrypt('x', bytes.fromhex('{message.hex()}'), most_passes=16)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors


LETTERS = st.text(
    st.one_of(
        st.sampled_from("eE\u0301\u0308\u00e9\u00a0\u2003 \uac01\u1100\u1161\u11a8\u212b\u1e9b"),
        st.characters(categories=["L", "M", "N", "P", "S", "Zs"]),
    ),
    min_size=1,
    max_size=8,
)


def first_form(typed: str) -> bytes:
    """Return the form of a password that is tried first, whether or not it may be sealed with."""
    return _mopse.cipher.password_forms(typed)[0]


@given(LETTERS)
def test_all_canonical_forms_of_a_text_are_one_password(typed):
    forms = {unicodedata.normalize(form, typed) for form in ("NFC", "NFD")} | {typed}
    (form,) = {first_form(form) for form in forms}
    assert first_form(form.decode()) == form
    with contextlib.suppress(InvalidInputError):  # some letters need certain neighbours
        assert password_bytes(typed) == form


@given(LETTERS, LETTERS)
def test_other_texts_are_other_passwords(one, other):
    def spaced(typed):
        return re.sub(r"[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]", " ", typed)

    same = unicodedata.normalize("NFD", spaced(one)) == unicodedata.normalize("NFD", spaced(other))
    assert (first_form(one) == first_form(other)) == same


def test_a_password_opens_however_it_is_typed(tmp_path):
    composed, decomposed = "Zo\u00eb\u00a0\uac01", "Zoe\u0308 \u1100\u1161\u11a8"
    owner, path = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120))), tmp_path / "owner"
    for one, other in [(composed, decomposed), (decomposed, composed)]:
        assert passwords.decrypt(other, passwords.encrypt(one, TEXT)) == TEXT
        passwords.verify(other, passwords.hash(one))
        assert passwords.derive(one, SALT) == passwords.derive(other, SALT)
        assert legacy.pbe_derive(one, SALT[:8]) == legacy.pbe_derive(other, SALT[:8])
        owner.save(path, one)
        assert mopse.Owner.open(path, other).public == owner.public
    for alike in ("Zo\u0451 \uac01", "zo\u00eb \uac01", "\uff3ao\u00eb \uac01", composed + " "):
        with pytest.raises(WrongPasswordError):
            mopse.Owner.open(path, alike)
    # The ligature is compatible with its letters, not canonically equal to them.
    with pytest.raises(DecryptionError):
        passwords.decrypt("fi", passwords.encrypt("\ufb01", TEXT))


@pytest.mark.parametrize("typed", ["Zoe\u0308", "Zo\u00eb\u00a0", "line\n", "soft\u00adhyphen"])
def test_what_was_sealed_under_a_text_as_typed_still_opens(typed, tmp_path):
    as_typed = typed.encode()
    assert passwords.decrypt(typed, passwords.encrypt(as_typed, TEXT)) == TEXT
    passwords.verify(typed, passwords.hash(as_typed))
    owner, path = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120))), tmp_path / "owner"
    owner.save(path, as_typed)
    assert mopse.Owner.open(path, typed).public == owner.public
    with pytest.raises(WrongPasswordError):
        mopse.Owner.open(path, typed + "x")


def test_characters_that_no_password_holds_are_refused_by_their_place():
    for typed, fault in [
        ("ab\n", "character 2 of the password is a control character"),
        ("\u202eab", "character 0 of the password is an invisible format character"),
        ("a\ue000", "character 1 of the password is for private use"),
        ("a\U000e0fff", "character 1 of the password is unassigned"),
        ("\u2764\ufe0f", "character 1 of the password is an invisible format character"),
        ("\u0640", "character 0 of the password is of a kind that no password holds"),
        (
            "a\u200db",
            "character 1 of the password is one that no password holds beside these others",
        ),
        (
            "a\u00b7b",
            "character 1 of the password is one that no password holds beside these others",
        ),
    ]:
        for take in (passwords.encrypt, passwords.derive):
            with pytest.raises(InvalidInputError, match=fault):
                take(typed, SALT)
        with pytest.raises(InvalidInputError, match=fault):
            passwords.hash(typed)
    assert password_bytes("\u06a9\u200c\u0627") == "\u06a9\u200c\u0627".encode()


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
    with pytest.raises(DamagedFileError, match="of version 3"):
        passwords.decrypt(PASSWORD, sealed.replace(b"MOPSEPWD\x02", b"MOPSEPWD\x03"))
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
