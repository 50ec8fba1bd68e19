"""Stolen log-ins: what each form keeps, by other code, and what falls to a word list."""

import base64
import copy
import hashlib
import hmac
import math
import pickle

import numpy as np
import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish, TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from hypothesis import given, settings
from hypothesis import strategies as st

from mopse import attacks, specimens
from mopse.attacks import LOGIN_FORMS, LoginStore, StolenLogins, fallen, guess_logins, rank_share
from mopse.ciphers.legacy import CHUNK_CIPHERS
from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    InvalidInputError,
    WrongPasswordError,
    WrongTypeError,
)
from mopse.evaluate.security import _logins

FAST = ["published-chunks", "published-md5", "published-salted-sha256"]
HASHED = FAST[1:]
MASTER = bytes(range(32))
ALPHA = 1e-6
ASCII = st.text("abcxyz019", min_size=4, max_size=12)


def store_of(form: str, *passwords: str, **options) -> LoginStore:
    """Return a store in which each password is of a user of its own."""
    store = LoginStore(form, **options)
    for number, password in enumerate(passwords):
        store.enroll(f"user {number}", password)
    return store


# What is kept, by other code


@pytest.mark.parametrize(
    ("password", "digest"),
    [
        # RFC 1321, appendix A.5
        ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "d174ab98d277d9f5a5611c2c9f419d9f",
        ),
        ("1234567890" * 8, "57edf4a22be3c955ac49da2e2107b67a"),
    ],
)
def test_md5_is_that_of_its_rfc(password, digest):
    stolen = store_of("published-md5", password).steal()
    assert list(stolen.stored) == [digest]
    made = StolenLogins("published-md5", ["ann"], [digest])
    assert guess_logins(made, [password]).passwords == [password.encode()]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        # FIPS 180-2, appendices B.1 and B.2
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ],
)
def test_salted_sha256_is_that_of_its_standard(message, digest):
    salt, password = message[:1], message[1:]
    made = StolenLogins("published-salted-sha256", ["ann"], [f"{salt.hex()}${digest}"])
    assert guess_logins(made, [b"no", password]).passwords == [password]
    [kept] = store_of("published-salted-sha256", "swordfish").steal().stored
    salt, digest = (bytes.fromhex(part) for part in kept.split("$"))
    assert len(salt) == 16
    assert digest == hashlib.sha256(salt + b"swordfish").digest()


def test_slow_forms_are_those_of_openssl():
    # RFC 7914, section 11: what is compared with is right itself. RFC 9106 is in the crate's tests.
    known = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    assert hashlib.pbkdf2_hmac("sha256", b"passwd", b"salt", 1, 32).hex() == known
    [kept] = store_of("pbkdf2-sha256", "swordfish").steal().stored
    salt, key = (bytes.fromhex(part) for part in kept.split("$"))
    assert key == hashlib.pbkdf2_hmac("sha256", b"swordfish", salt, 600_000)

    argon2 = pytest.importorskip("cryptography.hazmat.primitives.kdf.argon2")
    [kept] = store_of("argon2id", "swordfish").steal().stored
    *_, cost, salt, key = kept.split("$")
    assert cost == "m=65536,t=3,p=1"
    salt, key = (base64.b64decode(part + "=" * (-len(part) % 4)) for part in (salt, key))
    kdf = argon2.Argon2id(salt=salt, length=32, iterations=3, lanes=1, memory_cost=65536)
    assert kdf.derive(b"swordfish") == key


def test_chunks_are_those_of_other_code():
    password = b"correct horse battery"
    [kept] = store_of("published-chunks", password.decode(), master_key=MASTER).steal().stored
    # HMAC-SHA-256 of each cipher's name under the master key, cut to its key.
    made = {name: hmac.digest(MASTER, name.encode(), "sha256") for name in CHUNK_CIPHERS}
    algorithms = [
        TripleDES(made["des-cbc"][:8] * 3),
        TripleDES(made["3des-cbc"][:24]),
        Blowfish(made["blowfish-cbc"][:16]),
        AES(made["aes-256-cbc"]),
    ]
    opened = []
    for chunk, algorithm in zip(kept.split("$"), algorithms, strict=True):
        size = algorithm.block_size // 8
        iv, ciphertext = bytes.fromhex(chunk)[:size], bytes.fromhex(chunk)[size:]
        decryptor = Cipher(algorithm, modes.CBC(iv)).decryptor()
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        opened.append(padded[: -padded[-1]])
    assert opened == [b"corre", b"ct ho", b"rse b", b"attery"]


# Laws


@pytest.mark.parametrize("form", LOGIN_FORMS)
def test_a_store_knows_the_password_and_no_other(form):
    store = store_of(form, "swordfish", "correct horse")
    store.verify("user 0", "swordfish")
    store.verify("user 1", b"correct horse")
    for user, password in [("user 0", "correct horse"), ("user 2", "swordfish"), ("user 0", b"")]:
        with pytest.raises(WrongPasswordError):
            store.verify(user, password)
    stolen = store.steal()
    assert len(stolen) == len(store) == 2
    assert not any("swordfish" in kept for kept in stolen.stored)


@settings(max_examples=50)
@given(st.sampled_from(HASHED), st.lists(ASCII, min_size=1, max_size=5), st.lists(ASCII))
def test_what_is_in_the_list_falls_and_nothing_else(form, passwords, words):
    guess = guess_logins(store_of(form, *passwords).steal(), words)
    expected = [p.encode() if p in words else None for p in passwords]
    assert list(guess.passwords) == expected
    assert guess.certain.tolist() == [p in words for p in passwords]
    assert fallen(guess, passwords).tolist() == guess.certain.tolist()
    # A salt costs one pass for each log-in, up to its word; without one a table serves all.
    passes = sum(words.index(p) + 1 if p in words else len(words) for p in passwords)
    assert guess.tries == (len(words) if form == "published-md5" else passes)


@settings(max_examples=50)
@given(st.lists(ASCII, min_size=1, max_size=5), st.lists(ASCII))
def test_chunks_fall_by_their_keys_and_not_by_the_list(passwords, words):
    store = store_of("published-chunks", *passwords)
    nothing = guess_logins(store.steal(), words)
    assert list(nothing.passwords) == [None] * len(passwords)
    whole = guess_logins(store.steal(CHUNK_CIPHERS), words)
    assert list(whole.passwords) == [p.encode() for p in passwords]
    assert (whole.certain.all(), whole.tries) == (True, 0)
    first = guess_logins(store.steal(["des-cbc"]), words)
    assert not first.certain.any()
    for password, guessed in zip(passwords, first.passwords, strict=True):
        quarter = len(password) // 4
        fitting = [w for w in words if len(w) // 4 == quarter and w[:quarter] == password[:quarter]]
        assert guessed == (fitting[0].encode() if fitting else None)


def test_three_log_ins_by_hand():
    passwords, words = ["bbbb", "zzzz", "aaaa"], ["aaaa", "bbbb", "cccc"]
    salted = guess_logins(store_of("published-salted-sha256", *passwords).steal(), words)
    assert list(salted.passwords) == [b"bbbb", None, b"aaaa"]
    assert salted.tries == 2 + 3 + 1
    assert fallen(salted, passwords).tolist() == [True, False, True]
    assert fallen(salted, ["aaaa"] * 3).tolist() == [False, False, True]


def test_of_words_that_begin_alike_the_likeliest_is_guessed():
    passwords = ["axyz", "abcd", "bbbb", "abcdefgh"]
    stolen = store_of("published-chunks", *passwords).steal(["des-cbc"])
    guess = guess_logins(stolen, ["abcd", "axyz", "bcde"])
    assert list(guess.passwords) == [b"abcd", b"abcd", b"bcde", None]
    assert fallen(guess, passwords).tolist() == [False, True, False, False]


@pytest.mark.parametrize("form", ["pbkdf2-sha256", "argon2id"])
def test_a_slow_form_delays_a_weak_password_and_does_not_save_it(form):
    stolen = store_of(form, "password").steal()
    found = guess_logins(stolen, ["123456", "password", "qwerty"])
    assert (list(found.passwords), found.tries) == ([b"password"], 2)
    missed = guess_logins(stolen, ["123456"])
    assert (list(missed.passwords), missed.certain.any(), missed.tries) == ([None], False, 1)


def test_equal_passwords_show_without_a_salt_and_only_then():
    for form in FAST:
        one, two = store_of(form, "swordfish", "swordfish").steal().stored
        assert (one == two) == (form == "published-md5")


def test_a_copy_does_not_follow_the_store():
    store = store_of("published-md5", "swordfish")
    stolen = store.steal()
    store.enroll("later", "swordfish")
    assert (len(stolen), len(store)) == (1, 2)


@pytest.mark.parametrize("form", ["published-md5", "published-salted-sha256"])
def test_as_much_falls_as_the_law_says(form):
    # Hoeffding for 20,000 log-ins; the seed is fixed, the false-alarm rate is ALPHA for each count.
    users, words = 20_000, specimens.words(200, seed=1)
    truth = _logins._population(_logins.BY_RANK, words, users, np.random.default_rng(1))
    for count in (1, 20, 200):
        guess = guess_logins(store_of(form, *truth).steal(), words[:count])
        found = fallen(guess, truth).mean()
        assert abs(found - rank_share(count)) < math.sqrt(math.log(2 / ALPHA) / (2 * users))


def test_the_law_of_ranks_has_an_end_and_no_step_back():
    assert rank_share(0) == 0
    assert rank_share(1, scale=0.1, exponent=0.5) == pytest.approx(0.1)
    assert rank_share(25, scale=0.1, exponent=0.5) == pytest.approx(0.5)
    assert rank_share(100, scale=0.1, exponent=0.5) == pytest.approx(1)
    assert rank_share(10**30, scale=0.1, exponent=0.5) == 1
    assert rank_share(2, scale=1e-300, exponent=1e-300) == pytest.approx(1e-300)
    shares = [rank_share(2**power) for power in range(40)]
    assert shares == sorted(shares)


# What is refused


def test_what_makes_no_log_in_is_refused():
    for call, words in [
        (lambda: LoginStore("md5"), "expected one of 'published-chunks'"),
        (lambda: LoginStore("argon2id", master_key=MASTER), "argon2id has no master key"),
        (lambda: LoginStore("published-chunks", master_key=b"short"), "has 5 bytes, expected 32"),
        (lambda: store_of("published-md5", ""), "empty"),
        (lambda: store_of("published-chunks", "abc"), "4 bytes|3 bytes"),
        (lambda: store_of("published-md5", "a\nb"), "character"),
        (lambda: store_of("published-md5", "a").enroll("user 0", "b"), "already"),
        (lambda: store_of("argon2id").steal(["des-cbc"]), "argon2id has no key of 'des-cbc'"),
        (lambda: store_of("published-chunks").steal(["rc4"]), "no key of 'rc4'"),
        (lambda: StolenLogins("published-md5", ["ann"], []), "1 users of 0 log-ins"),
        (lambda: StolenLogins("argon2id", [], [], {"des-cbc": b""}), "under a key of 'des-cbc'"),
        (
            lambda: guess_logins(store_of("published-md5", "a").steal(), ["b", b""]),
            "word 1 .*empty",
        ),
        (lambda: rank_share(1, scale=0.0), "scale is 0.0, expected above 0"),
        (lambda: rank_share(1, exponent=2.0), "exponent is 2.0"),
    ]:
        with pytest.raises(InvalidInputError, match=words):
            call()
    guess = guess_logins(store_of("published-md5", "a").steal(), ["b"])
    with pytest.raises(InvalidInputError, match="1 guesses of 2 log-ins"):
        fallen(guess, ["a", "b"])
    with pytest.raises(WrongTypeError, match="password"):
        guess_logins(store_of("published-md5", "a").steal(), [1])


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        ("published-salted-sha256", "no hexadecimal$00"),
        ("published-salted-sha256", "00"),
        ("pbkdf2-sha256", "00$00$00"),
        ("argon2id", "$argon2id$"),
        ("published-chunks", "00$00"),
    ],
)
def test_a_malformed_log_in_is_refused(form, kept):
    keys = {"des-cbc": bytes(range(8))} if form == "published-chunks" else {}
    with pytest.raises(DamagedFileError):
        guess_logins(StolenLogins(form, ["ann"], [kept], keys), ["swordfish"])


def test_a_key_of_other_chunks_opens_none():
    stolen = store_of("published-chunks", *["swordfish"] * 8).steal()
    keys = {"des-cbc": bytes(range(1, 9))}
    # A wrong key gives right padding once in some 250 times, and all of eight never in practice.
    with pytest.raises(DecryptionError):
        guess_logins(StolenLogins(stolen.form, stolen.users, stolen.stored, keys), ["swordfish"])


def test_keys_are_neither_shown_nor_pickled():
    store = store_of("published-chunks", "swordfish", master_key=MASTER)
    stolen = store.steal(CHUNK_CIPHERS)
    assert repr(store) == "LoginStore('published-chunks', users=1)"
    assert "keys" not in repr(stolen)
    assert "swordfish" not in repr(guess_logins(stolen, []))
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(WrongTypeError, match="neither pickled nor copied"):
            travel(store)


def test_a_word_list_is_of_different_words_and_grows_at_its_end():
    words = specimens.words(3000, seed=1)
    assert len(set(words)) == 3000
    assert words[:100] == specimens.words(100, seed=1)
    assert words[:100] != specimens.words(100, seed=2)
    assert all(4 <= len(word) <= 10 and word.isascii() and word.islower() for word in words)
    assert specimens.words(0, seed=1) == []
    with pytest.raises(InvalidInputError, match="count is 1000001"):
        specimens.words(10**6 + 1, seed=1)


def test_what_holds_keys_is_loaded_when_it_is_asked_for():
    assert attacks.LoginStore is LoginStore
    assert {"LoginStore", "guess_logins"} <= set(attacks.__all__)
