"""The cipher suite from Python: against OpenSSL, its laws, and what it refuses."""

import array
import concurrent.futures
import copy
import mmap
import pickle

import numpy as np
import pytest
from cryptography.hazmat.decrepit.ciphers import algorithms as old
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher as OpenSSL
from cryptography.hazmat.primitives.ciphers import aead, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

import mopse
from mopse.ciphers import Cipher, legacy
from mopse.ciphers.legacy import LegacyCipher
from mopse.errors import (
    DecryptionError,
    InvalidInputError,
    NonceReuseError,
    WrongTypeError,
)

EVERY = [(Cipher, name) for name in mopse.ciphers.names()] + [
    (LegacyCipher, name) for name in legacy.names()
]
AUTHENTICATED = [name for name in mopse.ciphers.names() if "gcm" in name or "poly" in name]
LENGTHS = [0, 1, 15, 16, 17, 1000, 65_535, 65_536, 65_537, 300_001]


def cipher(kind: type[Cipher], name: str, **options: int) -> Cipher:
    """Return a cipher under a key that is no secret."""
    return kind(name, bytes(range(1, 1 + kind._find(name).key_bytes[1])), **options)


def key(name: str) -> bytes:
    return bytes(range(1, 1 + mopse.ciphers.algorithm(name).key_bytes[1]))


def text(length: int) -> bytes:
    return np.random.default_rng(length).bytes(length)


def test_the_names_are_those_of_the_documentation():
    assert mopse.ciphers.names() == [
        "aes-256-gcm-siv",
        "xchacha20-poly1305",
        "aes-256-gcm",
        "chacha20-poly1305",
        "aes-128-gcm-siv",
        "aes-128-gcm",
        "aes-256-ctr",
        "aes-128-ctr",
        "aes-256-cbc",
        "aes-128-cbc",
    ]
    assert legacy.names() == [
        "des-cbc",
        "3des-cbc",
        "blowfish-cbc",
        "aes-128-cbc-software",
        "aes-256-cbc-software",
        "aes-128-ctr-software",
        "aes-256-ctr-software",
    ]


@pytest.mark.parametrize(("kind", "name"), EVERY)
@pytest.mark.parametrize("length", LENGTHS)
def test_decryption_undoes_encryption(kind, name, length):
    box, plaintext = cipher(kind, name), text(length)
    message = box.encrypt(plaintext)
    assert len(message) == box.message_bytes(length)
    assert box.decrypt(message) == plaintext
    nonce = slice(box.algorithm.nonce_bytes)
    assert message[nonce] != box.encrypt(plaintext)[nonce]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_one_core_and_two_give_the_same_message(kind, name):
    plaintext, nonce = text(300_001), bytes(range(kind._find(name).nonce_bytes))
    one, two = (cipher(kind, name, cores=cores) for cores in (1, 2))
    assert one.encrypt(plaintext, nonce=nonce) == two.encrypt(plaintext, nonce=nonce)
    assert one.decrypt(two.encrypt(plaintext)) == two.decrypt(one.encrypt(plaintext)) == plaintext


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_buffers_of_the_caller_hold_the_same(kind, name):
    box, plaintext = cipher(kind, name), text(1000)
    message = bytearray(box.message_bytes(1000))
    box.encrypt_into(plaintext, message)
    opened = np.zeros(len(message), dtype=np.uint8)
    length = box.decrypt_into(message, opened)
    assert opened[:length].tobytes() == plaintext == box.decrypt(message)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("aes-128-gcm", aead.AESGCM),
        ("aes-256-gcm", aead.AESGCM),
        ("aes-128-gcm-siv", aead.AESGCMSIV),
        ("aes-256-gcm-siv", aead.AESGCMSIV),
        ("chacha20-poly1305", aead.ChaCha20Poly1305),
    ],
)
@pytest.mark.parametrize("length", LENGTHS)
def test_authenticated_ciphers_say_what_openssl_says(name, theirs, length):
    nonce, associated = bytes(12), b"record 17"
    message = Cipher(name, key(name)).encrypt(text(length), aad=associated, nonce=nonce)
    assert message == nonce + theirs(key(name)).encrypt(nonce, text(length), associated)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("kind", "name", "block", "mode"),
    [
        (Cipher, "aes-256-ctr", algorithms.AES, modes.CTR),
        (Cipher, "aes-128-cbc", algorithms.AES, modes.CBC),
        (LegacyCipher, "aes-128-ctr-software", algorithms.AES, modes.CTR),
        (LegacyCipher, "aes-256-cbc-software", algorithms.AES, modes.CBC),
        (LegacyCipher, "3des-cbc", old.TripleDES, modes.CBC),
        (LegacyCipher, "blowfish-cbc", old.Blowfish, modes.CBC),
    ],
)
def test_other_ciphers_say_what_openssl_says(kind, name, block, mode, length):
    box = cipher(kind, name)
    nonce = bytes([255]) * box.algorithm.nonce_bytes  # the counter wraps at once
    secret = bytes(range(1, 1 + box.algorithm.key_bytes[1]))
    theirs = OpenSSL(block(secret), mode(nonce)).encryptor()
    pad = padding.PKCS7(8 * len(nonce)).padder()
    padded = text(length) if mode is modes.CTR else pad.update(text(length)) + pad.finalize()
    expected = theirs.update(padded) + theirs.finalize()
    assert box.encrypt(text(length), nonce=nonce) == nonce + expected


@given(st.sampled_from(AUTHENTICATED), st.binary(max_size=80), st.binary(max_size=40), st.data())
def test_a_changed_message_does_not_open(name, plaintext, associated, data):
    message = bytearray(mopse.ciphers.encrypt(name, key(name), plaintext, aad=associated))
    assert mopse.ciphers.decrypt(name, key(name), message, aad=associated) == plaintext
    message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
        mopse.ciphers.decrypt(name, key(name), message, aad=associated)


@pytest.mark.parametrize("name", AUTHENTICATED)
def test_every_cause_gives_one_and_the_same_error(name):
    message = mopse.ciphers.encrypt(name, key(name), b"120/80", aad=b"record 17")
    other = bytes(len(key(name)))
    for causes in (
        (key(name), message[:-1], b"record 17"),
        (key(name), message + b"\0", b"record 17"),
        (key(name), message[:5], b"record 17"),
        (key(name), b"", b"record 17"),
        (key(name), message, b"record 18"),
        (key(name), message, b""),
        (other, message, b"record 17"),
    ):
        with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
            mopse.ciphers.decrypt(name, *causes)


@pytest.mark.parametrize("name", AUTHENTICATED)
def test_a_message_that_does_not_open_leaves_zeros(name):
    box = Cipher(name, key(name))
    message = bytearray(box.encrypt(b"secret"))
    message[-1] ^= 1
    opened = bytearray(b"x" * 6)
    with pytest.raises(DecryptionError):
        box.decrypt_into(message, opened)
    assert opened == bytes(6)


@pytest.mark.parametrize("name", ["aes-256-cbc", "aes-128-cbc"])
def test_wrong_padding_or_length_does_not_open(name):
    box = Cipher(name, key(name))
    message = box.encrypt(b"secret")
    for wrong in (message[:-1], message[:16], message[:10], b""):
        with pytest.raises(DecryptionError):
            box.decrypt(wrong)
    flipped = bytearray(message)
    flipped[15] ^= 1  # the padding byte of the first block
    with pytest.raises(DecryptionError):
        box.decrypt(flipped)


@pytest.mark.parametrize(
    "buffer",
    [
        b"abc",
        bytearray(b"abc"),
        memoryview(b"xabcx")[1:4],
        np.frombuffer(b"abc", dtype=np.uint8),
        array.array("B", b"abc"),
        np.array([97, 98, 99], dtype=np.int8),
    ],
    ids=lambda buffer: type(buffer).__name__,
)
def test_any_contiguous_buffer_of_bytes_goes_in(buffer):
    box = Cipher("aes-256-gcm", bytes(32))
    assert box.decrypt(box.encrypt(buffer, aad=buffer), aad=b"abc") == b"abc"


def test_a_mapped_file_goes_in(tmp_path):
    path = tmp_path / "scan"
    path.write_bytes(text(100_000))
    box = Cipher("aes-256-gcm", bytes(32))
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        message = box.encrypt(mapped)
    assert box.decrypt(message) == text(100_000)


def test_threads_share_a_cipher():
    box, plaintext = Cipher("aes-256-gcm", bytes(32)), text(200_000)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        messages = list(pool.map(lambda _: box.encrypt(plaintext), range(16)))
    assert len({message[:12] for message in messages}) == 16
    assert all(box.decrypt(message) == plaintext for message in messages)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_generated_keys_fit_and_differ(kind, name):
    module = mopse.ciphers if kind is Cipher else legacy
    one, two = module.generate_key(name), module.generate_key(name)
    assert one != two
    assert kind(name, one).decrypt(kind(name, one).encrypt(b"x")) == b"x"


def test_functions_and_objects_understand_each_other():
    secret = legacy.generate_key("des-cbc")
    message = legacy.encrypt("des-cbc", secret, b"120/80")
    assert legacy.decrypt("des-cbc", secret, message) == b"120/80"
    assert LegacyCipher("des-cbc", secret).decrypt(message) == b"120/80"


def test_an_algorithm_says_its_lengths():
    gcm = mopse.ciphers.algorithm("aes-256-gcm")
    assert (gcm.key_bytes, gcm.nonce_bytes, gcm.tag_bytes, gcm.block_bytes) == ((32, 32), 12, 16, 1)
    assert gcm.longest_bytes == 2**36 - 32
    assert gcm.is_authenticated
    blowfish = legacy.algorithm("blowfish-cbc")
    assert (blowfish.key_bytes, blowfish.block_bytes) == ((4, 56), 8)
    assert not blowfish.is_authenticated


def test_a_nonce_is_taken_once():
    box = Cipher("aes-256-gcm", bytes(32))
    box.encrypt(b"one", nonce=bytes(12))
    with pytest.raises(NonceReuseError, match="the nonce was used before"):
        box.encrypt(b"two", nonce=bytearray(12))
    with pytest.raises(NonceReuseError):
        box.encrypt_into(b"two", bytearray(31), nonce=bytes(12))
    box.encrypt(b"two", nonce=bytes([1]) * 12)


def test_a_nonce_that_made_no_message_is_still_free():
    box = Cipher("aes-256-gcm", bytes(32))
    with pytest.raises(InvalidInputError, match="the output has 30 entries, expected 31"):
        box.encrypt_into(b"one", bytearray(30), nonce=bytes(12))
    box.encrypt(b"one", nonce=bytes(12))


@pytest.mark.parametrize("length", [0, 11, 13, 24])
def test_a_nonce_of_another_length_is_refused(length):
    with pytest.raises(InvalidInputError, match=f"the nonce has {length} bytes, expected 12"):
        Cipher("chacha20-poly1305", bytes(32)).encrypt(b"", nonce=bytes(length))


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_key_of_another_length_is_refused(kind, name):
    least, most = kind._find(name).key_bytes
    for length in (0, least - 1, most + 1):
        with pytest.raises(InvalidInputError, match=f"the key of {name} has {length} bytes"):
            kind(name, bytes(range(1, 1 + length)))


@pytest.mark.parametrize("weak", ["0101010101010101", "0000000000000000", "1f1f1f1f0e0e0e0e"])
def test_a_weak_key_of_des_is_refused(weak):
    with pytest.raises(InvalidInputError, match="the key is a weak one"):
        LegacyCipher("des-cbc", bytes.fromhex(weak))
    strong = bytes(range(1, 17))
    with pytest.raises(InvalidInputError, match="weak"):
        LegacyCipher("3des-cbc", strong + bytes.fromhex(weak))
    with pytest.raises(InvalidInputError, match="weak"):
        LegacyCipher("3des-cbc", strong + strong[:8])


def test_unknown_names_are_refused_and_those_of_the_other_module_shown_the_way():
    with pytest.raises(InvalidInputError, match=r"'rot13': choose aes-256-gcm-siv, "):
        mopse.ciphers.encrypt("rot13", bytes(32), b"")
    with pytest.raises(InvalidInputError, match=r"'des-cbc' is in mopse\.ciphers\.legacy"):
        mopse.ciphers.encrypt("des-cbc", bytes(8), b"")
    with pytest.raises(InvalidInputError, match=r"'aes-256-gcm' is in mopse\.ciphers$"):
        legacy.encrypt("aes-256-gcm", bytes(32), b"")
    with pytest.raises(WrongTypeError):
        mopse.ciphers.algorithm(256)


@pytest.mark.parametrize("name", ["aes-256-ctr", "aes-256-cbc"])
def test_what_has_no_tag_takes_no_associated_data(name):
    with pytest.raises(InvalidInputError, match=f"{name} authenticates nothing"):
        mopse.ciphers.encrypt(name, bytes(32), b"", aad=b"record 17")
    with pytest.raises(InvalidInputError, match=f"{name} authenticates nothing"):
        mopse.ciphers.decrypt(name, bytes(32), bytes(64), aad=b"record 17")


@pytest.mark.parametrize(
    "wrong", ["text", None, 7, [1, 2], np.zeros(3), np.zeros(8, np.uint8)[::2], np.zeros(3, "u2")]
)
def test_what_is_no_buffer_of_bytes_is_refused(wrong):
    box = Cipher("aes-256-gcm", bytes(32))
    for call in (
        lambda: box.encrypt(wrong),
        lambda: box.encrypt(b"", aad=wrong),
        lambda: box.decrypt(wrong),
        lambda: box.encrypt_into(b"", wrong),
        lambda: box.decrypt_into(bytes(28), wrong),
    ):
        with pytest.raises(WrongTypeError):
            call()


def test_a_key_that_is_not_bytes_is_refused():
    for wrong in ("0" * 32, None, [0] * 32):
        with pytest.raises(WrongTypeError, match="a key must be bytes"):
            mopse.ciphers.encrypt("aes-256-gcm", wrong, b"")


def test_outputs_that_cannot_be_written_to_or_overlap_are_refused():
    box = Cipher("aes-256-gcm", bytes(32))
    with pytest.raises(WrongTypeError, match="cannot be written to"):
        box.encrypt_into(b"abc", bytes(31))
    shared = bytearray(40)
    with pytest.raises(InvalidInputError, match="overlaps the input"):
        box.encrypt_into(memoryview(shared)[:3], memoryview(shared)[2:33])
    with pytest.raises(InvalidInputError, match="buffer for the plaintext has 2 entries, expected"):
        box.decrypt_into(box.encrypt(b"abc"), bytearray(2))


@pytest.mark.parametrize("cores", [0, -1, 1025, 1.5, True])
def test_absurd_numbers_of_cores_are_refused(cores):
    with pytest.raises(InvalidInputError, match="cores must be an integer from 1 to 1024"):
        Cipher("aes-256-gcm", bytes(32), cores=cores)


def test_a_cipher_neither_shows_nor_hands_out_its_key():
    box = Cipher("aes-256-gcm", b"\xab" * 32)
    assert repr(box) == "Cipher('aes-256-gcm')"
    assert repr(LegacyCipher("des-cbc", bytes(range(8)))) == "LegacyCipher('des-cbc')"
    for call in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(WrongTypeError, match="neither pickled nor copied"):
            call(box)
