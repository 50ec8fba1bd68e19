"""RSA as OpenSSL has it; what is sealed opens whole and with its key only; blocks one by one."""

import copy
import mmap
import pickle

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

import mopse
from mopse.ciphers.legacy import rsa_decrypt_blocks, rsa_encrypt_blocks
from mopse.errors import DamagedFileError, DecryptionError, InvalidInputError, WrongTypeError
from mopse.rsa import PrivateKey, PublicKey

KEYS = {bits: PrivateKey.generate(bits) for bits in (2048, 3072)}
OTHER = PrivateKey.generate(2048)
HASH = hashes.SHA256()
FRONT = 8 + 1 + 4  # letters, version, modulus bits

both_sizes = pytest.mark.parametrize("bits", [2048, 3072])


def oaep(label: bytes) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(HASH), algorithm=HASH, label=label)


def openssl(key: PrivateKey) -> rsa.RSAPrivateKey:
    loaded = serialization.load_pem_private_key(key.to_pem().encode(), password=None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


def pem_of(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    hidden = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, hidden).decode()


def flipped(message: bytes, at: int) -> bytes:
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


# The contract.


@both_sizes
@pytest.mark.parametrize("length", [0, 1, 32, 1000, 1 << 17])
def test_what_is_sealed_opens(bits, length):
    key, plaintext = KEYS[bits], bytes(range(251)) * (length // 251 + 1)
    plaintext = plaintext[:length]
    sealed = key.public.encrypt(plaintext, aad=b"record 17")
    assert len(sealed) == length + {2048: 297, 3072: 425}[bits]
    assert key.decrypt(sealed, aad=b"record 17") == plaintext


@both_sizes
def test_blocks_open_at_every_length(bits):
    key, block = KEYS[bits], bits // 8 - 66
    for length in (0, 1, block - 1, block, block + 1, 5 * block + 7):
        plaintext = np.arange(length, dtype=np.uint8).tobytes()
        sealed = rsa_encrypt_blocks(key.public, plaintext)
        assert len(sealed) == FRONT + 8 + -(-length // block) * bits // 8
        assert rsa_decrypt_blocks(key, sealed) == plaintext


def test_any_contiguous_buffer_is_taken():
    key = KEYS[2048]
    with mmap.mmap(-1, 64) as mapped:
        mapped.write(b"x" * 64)
        array = np.full((8, 8), ord("x"), dtype=np.uint8)
        for buffer in (bytes(mapped), bytearray(mapped), memoryview(mapped), mapped, array):
            assert key.decrypt(key.public.encrypt(buffer)) == b"x" * 64
            assert rsa_decrypt_blocks(key, rsa_encrypt_blocks(key.public, buffer)) == b"x" * 64
        del buffer
    sealed = key.public.encrypt(b"text", aad=bytearray(b"label"))
    assert key.decrypt(np.frombuffer(sealed, dtype=np.uint8), aad=memoryview(b"label")) == b"text"


def test_a_message_in_every_part_changed_is_refused():
    key = KEYS[2048]
    sealed = key.public.encrypt(b"chest X-ray", aad=b"record 17")
    for at in range(len(sealed)):
        expected = DamagedFileError if at < 9 else DecryptionError
        with pytest.raises(expected):
            key.decrypt(flipped(sealed, at), aad=b"record 17")
    for cut in range(0, len(sealed), 7):
        with pytest.raises((DamagedFileError, DecryptionError)):
            key.decrypt(sealed[:cut], aad=b"record 17")
    with pytest.raises(DecryptionError, match="does not open"):
        key.decrypt(sealed + b"\0", aad=b"record 17")
    for aad in (b"", b"record 18", b"record 17\0"):
        with pytest.raises(DecryptionError, match="does not open"):
            key.decrypt(sealed, aad=aad)


@pytest.mark.parametrize("other", [OTHER, KEYS[3072]], ids=repr)
def test_another_key_opens_nothing(other):
    public = KEYS[2048].public
    with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
        other.decrypt(public.encrypt(b"text"))
    with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
        rsa_decrypt_blocks(other, rsa_encrypt_blocks(public, b"text"))


# Known answers from outside: OpenSSL, through `cryptography`.


@both_sizes
def test_openssl_opens_what_is_sealed(bits):
    key = KEYS[bits]
    sealed = key.public.encrypt(b"chest X-ray", aad=b"record 17")
    end = FRONT + bits // 8
    assert sealed[:FRONT] == b"MOPSERSA\x01" + bits.to_bytes(4, "little")
    aes_key = openssl(key).decrypt(sealed[FRONT:end], oaep(b"mopse/v1 rsa key"))
    assert len(aes_key) == 32
    head, nonce, rest = sealed[: end + 12], sealed[end : end + 12], sealed[end + 12 :]
    assert AESGCM(aes_key).decrypt(nonce, rest, head + b"record 17") == b"chest X-ray"
    with pytest.raises(InvalidTag):
        AESGCM(aes_key).decrypt(nonce, rest, b"record 17")
    with pytest.raises(ValueError, match="failed"):
        openssl(key).decrypt(sealed[FRONT:end], oaep(b""))


@both_sizes
def test_what_openssl_seals_opens(bits):
    key = KEYS[bits]
    wrapped = openssl(key).public_key().encrypt(bytes(range(32)), oaep(b"mopse/v1 rsa key"))
    head = b"MOPSERSA\x01" + bits.to_bytes(4, "little") + wrapped + bytes(12)
    sealed = head + AESGCM(bytes(range(32))).encrypt(bytes(12), b"chest X-ray", head + b"record")
    assert key.decrypt(sealed, aad=b"record") == b"chest X-ray"


@both_sizes
@pytest.mark.parametrize("label", [b"", b"mopse/v1 rsa block"])
def test_a_key_wrapped_for_something_else_does_not_unwrap(bits, label):
    key = KEYS[bits]
    wrapped = openssl(key).public_key().encrypt(bytes(32), oaep(label))
    head = b"MOPSERSA\x01" + bits.to_bytes(4, "little") + wrapped + bytes(12)
    with pytest.raises(DecryptionError):
        key.decrypt(head + AESGCM(bytes(32)).encrypt(bytes(12), b"chest X-ray", head))


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_wrapped_key_of_another_length_is_refused(length):
    key = KEYS[2048]
    wrapped = openssl(key).public_key().encrypt(bytes(length), oaep(b"mopse/v1 rsa key"))
    head = b"MOPSERSA\x01" + (2048).to_bytes(4, "little") + wrapped + bytes(12)
    with pytest.raises(DecryptionError):
        key.decrypt(head + AESGCM(bytes(32)).encrypt(bytes(12), b"chest X-ray", head))


@both_sizes
def test_openssl_and_blocks_agree(bits):
    key, size = KEYS[bits], bits // 8
    plaintext = bytes(range(200)) * 5
    sealed = rsa_encrypt_blocks(key.public, plaintext)
    front = b"MOPSERSB\x01" + bits.to_bytes(4, "little") + len(plaintext).to_bytes(8, "little")
    assert sealed[: FRONT + 8] == front
    label = oaep(b"mopse/v1 rsa block")
    blocks = [sealed[at : at + size] for at in range(FRONT + 8, len(sealed), size)]
    assert b"".join(openssl(key).decrypt(block, label) for block in blocks) == plaintext
    cuts = [plaintext[at : at + size - 66] for at in range(0, len(plaintext), size - 66)]
    theirs = front + b"".join(openssl(key).public_key().encrypt(cut, label) for cut in cuts)
    assert rsa_decrypt_blocks(key, theirs) == plaintext


@both_sizes
def test_keys_are_encoded_as_openssl_encodes_them(bits):
    theirs = rsa.generate_private_key(65537, bits)
    key = PrivateKey.from_pem(pem_of(theirs))
    assert key.to_pem() == pem_of(theirs)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = theirs.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    assert key.public.to_pem() == public
    assert PublicKey.from_pem(public) == key.public
    assert openssl(KEYS[bits]).public_key().public_numbers().e == 65537
    assert openssl(KEYS[bits]).key_size == bits


# Laws.


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=700), st.binary(max_size=40), st.sampled_from([2048, 3072]))
def test_every_plaintext_comes_back(plaintext, aad, bits):
    key = KEYS[bits]
    assert key.decrypt(key.public.encrypt(plaintext, aad), aad) == plaintext
    assert rsa_decrypt_blocks(key, rsa_encrypt_blocks(key.public, plaintext)) == plaintext


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([b"MOPSERSA\x01", b"MOPSERSB\x01", b""]), st.binary(max_size=600))
def test_no_bytes_are_more_than_refused(front, rest):
    for opening in (KEYS[2048].decrypt, lambda message: rsa_decrypt_blocks(KEYS[2048], message)):
        with pytest.raises((DamagedFileError, DecryptionError)):
            opening(front + rest)


def test_a_key_read_back_is_the_same():
    key = KEYS[2048]
    sealed = key.public.encrypt(b"text")
    again = PrivateKey.from_pem(key.to_pem())
    assert again.decrypt(sealed) == b"text"
    assert again.public == key.public
    assert hash(again.public) == hash(key.public)
    assert key.public != OTHER.public
    assert key.public != key.public.to_pem()
    assert PublicKey.from_pem(key.public.to_pem()) == key.public
    assert PrivateKey.from_pem(key.to_pem().replace("\n", "\r\n")).public == key.public


# By hand.


def test_blocks_can_be_moved_unnoticed_and_sealed_messages_cannot():
    key = KEYS[2048]
    sealed = rsa_encrypt_blocks(key.public, b"a" * 190 + b"b" * 190)
    head = FRONT + 8
    swapped = sealed[:head] + sealed[head + 256 :] + sealed[head : head + 256]
    assert rsa_decrypt_blocks(key, swapped) == b"b" * 190 + b"a" * 190
    sealed = key.public.encrypt(b"a" * 190 + b"b" * 190)
    end = FRONT + 256 + 12
    swapped = sealed[:end] + sealed[end + 190 : end + 380] + sealed[end : end + 190] + sealed[-16:]
    with pytest.raises(DecryptionError):
        key.decrypt(swapped)


def test_3072_bits_are_the_default():
    assert PrivateKey.generate().bits == 3072


# Refusals.


@pytest.mark.parametrize("bits", [0, -1, 1024, 2047, 4096, 1 << 80])
def test_moduli_of_other_lengths_are_not_made(bits):
    with pytest.raises(InvalidInputError, match="the modulus has 2048 or 3072 bits"):
        PrivateKey.generate(bits)


@pytest.mark.parametrize("bits", [2048.0, "2048", None, True])
def test_bits_are_an_integer(bits):
    with pytest.raises(WrongTypeError, match="bits must be an integer"):
        PrivateKey.generate(bits)


@pytest.mark.parametrize("bits", [1024, 4096])
def test_moduli_of_other_lengths_are_not_read(bits):
    theirs = rsa.generate_private_key(65537, bits)
    with pytest.raises(InvalidInputError, match=f"the modulus is {bits}, expected 2048 or 3072"):
        PrivateKey.from_pem(pem_of(theirs))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = theirs.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    with pytest.raises(InvalidInputError, match=f"the modulus is {bits}, expected 2048 or 3072"):
        PublicKey.from_pem(public)


def test_what_is_no_key_is_refused_as_such():
    key = KEYS[2048]
    secret = serialization.BestAvailableEncryption(b"password")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat
    hidden = openssl(key).private_bytes(encoding, form.PKCS8, secret).decode()
    old = openssl(key).private_bytes(
        encoding, form.TraditionalOpenSSL, serialization.NoEncryption()
    )
    for pem in ("", "key", key.public.to_pem(), hidden, old.decode(), key.to_pem()[:900]):
        with pytest.raises(
            InvalidInputError, match=r"^this is not a private key of RSA in PKCS #8"
        ):
            PrivateKey.from_pem(pem)
    for pem in ("", "key", key.to_pem(), key.public.to_pem()[:200]):
        with pytest.raises(InvalidInputError, match=r"^this is not a public key of RSA$"):
            PublicKey.from_pem(pem)
    for read in (PrivateKey.from_pem, PublicKey.from_pem):
        with pytest.raises(InvalidInputError, match="ASCII"):
            read("\ud800")
        for pem in (b"pem", None, 7):
            with pytest.raises(WrongTypeError, match="a PEM text must be a string"):
                read(pem)


def test_a_key_whose_parts_do_not_fit_together_is_refused():
    numbers = openssl(KEYS[2048]).private_numbers()
    other = openssl(OTHER).private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p,
        numbers.q,
        other.d % numbers.public_numbers.n,  # the maker takes no exponent above the modulus
        numbers.dmp1,
        numbers.dmq1,
        numbers.iqmp,
        numbers.public_numbers,
    )
    theirs = wrong.private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(InvalidInputError, match=r"^this is not a private key"):
        PrivateKey.from_pem(pem_of(theirs))


@pytest.mark.parametrize("wrong", ["text", None, 7, [1], np.zeros(3), np.zeros(8, np.uint8)[::2]])
def test_only_contiguous_bytes_are_taken(wrong):
    key = KEYS[2048]
    for refused in (
        lambda: key.public.encrypt(wrong),
        lambda: key.public.encrypt(b"", aad=wrong),
        lambda: key.decrypt(wrong),
        lambda: key.decrypt(b"", aad=wrong),
        lambda: rsa_encrypt_blocks(key.public, wrong),
        lambda: rsa_decrypt_blocks(key, wrong),
    ):
        with pytest.raises(WrongTypeError, match="bytes"):
            refused()


def test_blocks_take_the_right_key_only():
    key = KEYS[2048]
    for wrong in (key, key.to_pem(), None):
        with pytest.raises(WrongTypeError, match="a public key must be a PublicKey"):
            rsa_encrypt_blocks(wrong, b"text")
    for wrong in (key.public, key.to_pem(), None):
        with pytest.raises(WrongTypeError, match="a private key must be a PrivateKey"):
            rsa_decrypt_blocks(wrong, b"text")


def test_blocks_that_are_changed_cut_or_miscounted_are_refused():
    key = KEYS[2048]
    sealed = rsa_encrypt_blocks(key.public, bytes(200))
    with pytest.raises(DecryptionError, match=r"^the ciphertext does not open$"):
        rsa_decrypt_blocks(key, flipped(sealed, len(sealed) - 1))
    for wrong in (b"", sealed[:-1], sealed[:-256], sealed + bytes(256), flipped(sealed, 0)):
        with pytest.raises(DamagedFileError, match="cut short or malformed"):
            rsa_decrypt_blocks(key, wrong)
    with pytest.raises(DamagedFileError, match="of version 0"):
        rsa_decrypt_blocks(key, flipped(sealed, 8))
    huge = sealed[:FRONT] + (2**64 - 1).to_bytes(8, "little") + sealed[FRONT + 8 :]
    with pytest.raises(DamagedFileError, match="cut short or malformed"):
        rsa_decrypt_blocks(key, huge)


@pytest.mark.parametrize("key", [KEYS[2048], KEYS[2048].public], ids=["private", "public"])
def test_keys_are_not_made_by_hand(key):
    with pytest.raises(WrongTypeError, match="from_pem"):
        type(key)()


def test_a_private_key_is_neither_pickled_nor_copied_and_a_public_one_is():
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(WrongTypeError, match="neither pickled nor copied"):
            duplicate(KEYS[2048])
        duplicate(KEYS[2048].public)
    assert pickle.loads(pickle.dumps(KEYS[2048].public)) == KEYS[2048].public


def test_keys_show_their_length_only():
    assert repr(KEYS[3072]) == str(KEYS[3072]) == "PrivateKey(bits=3072)"
    assert repr(KEYS[2048].public) == "PublicKey(bits=2048)"
    assert mopse.rsa.PrivateKey is PrivateKey
