"""SeSPHR as published: each attack opens what it says, and nothing without what it needs."""

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mopse import attacks
from mopse.errors import DamagedFileError, DecryptionError, InvalidInputError, ScopeError
from mopse.sharing.reencryption.published import CHUNK_BYTES, PORTIONS, Keys, Server

RECORD = b"<?xml version='1.0'?><record><patient>Ann, of whom there is more to say</patient>" * 3
ATTACKS = [
    attacks.match_chunks,
    attacks.read_by_norm,
    attacks.read_from_chunk,
    attacks.read_with_escrow,
    attacks.read_with_kept,
    attacks.read_with_reencryption_key,
]


class Scene:
    """An owner, an insurer and a physician, and what their server and cloud have of files."""

    def __init__(self) -> None:
        self.server = Server()
        self.owner = self.server.enroll("ann")
        self.insurer = self.server.join("cis", "insurer", now=10)
        self.physician = self.server.join("ben", "physician", now=10)
        self.sent = {portion: self.upload("visit", portion) for portion in PORTIONS}

    def upload(self, file: str, portion: str, plaintext: bytes = RECORD) -> tuple[bytes, bytes]:
        """Return what the cloud and the server get of a portion."""
        ciphertext, capsule = self.owner.encrypt(file, portion, plaintext)
        self.server.receive("ann", capsule, now=20)
        return ciphertext, capsule


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def test_the_server_with_the_ciphertext_reads_everything(scene):
    secret = scene.server.escrow("ann").secret
    for ciphertext, capsule in scene.sent.values():
        assert attacks.read_with_escrow(ciphertext, capsule, secret) == RECORD


def test_a_server_without_the_keys_reads_nothing(scene):
    ciphertext, capsule = scene.sent["medical"]
    for secret in (Keys("ann").secret, scene.server.escrow("ben").secret):
        with pytest.raises(DecryptionError):
            attacks.read_with_escrow(ciphertext, capsule, secret)
    with pytest.raises(InvalidInputError, match="the secret key is no number"):
        attacks.read_with_escrow(ciphertext, capsule, bytes(32))


def test_a_leaked_reencryption_key_opens_all(scene):
    key = scene.server.reencryption_key("ann", "cis")
    later = scene.upload("later", "medical")
    for ciphertext, capsule in [*scene.sent.values(), later]:
        read = attacks.read_with_reencryption_key(ciphertext, capsule, key, scene.insurer.secret)
        assert read == RECORD


def test_a_user_without_its_reencryption_key_opens_what_it_was_given_alone(scene):
    with pytest.raises(ScopeError):
        scene.server.release("ann", "visit", "medical", "cis")
    ciphertext, capsule = scene.sent["medical"]
    of_another = scene.server.reencryption_key("ann", "ben")
    for key in (of_another, scene.insurer.public):
        with pytest.raises(DecryptionError):
            attacks.read_with_reencryption_key(ciphertext, capsule, key, scene.insurer.secret)
    with pytest.raises(DamagedFileError, match="the re-encryption key holds no element"):
        attacks.read_with_reencryption_key(ciphertext, capsule, bytes(96), scene.insurer.secret)


def test_one_known_chunk_opens_its_portion(scene):
    ciphertext, _ = scene.sent["medical"]
    for position in range(-(-len(RECORD) // CHUNK_BYTES)):
        chunk = RECORD[position * CHUNK_BYTES :][:CHUNK_BYTES]
        assert attacks.read_from_chunk(ciphertext, position, chunk) == RECORD


def test_a_chunk_that_is_not_known_opens_nothing(scene):
    ciphertext, _ = scene.sent["medical"]
    almost = b"?" + RECORD[1:CHUNK_BYTES]
    for chunk in (almost, RECORD[: CHUNK_BYTES - 1]):
        with pytest.raises(DecryptionError):
            attacks.read_from_chunk(ciphertext, 0, chunk)
    with pytest.raises(InvalidInputError, match="there is no chunk 4: the portion has 4"):
        attacks.read_from_chunk(ciphertext, 4, almost)
    with pytest.raises(InvalidInputError, match="the chunk has 65 bytes"):
        attacks.read_from_chunk(ciphertext, 0, bytes(65))


def test_who_left_reads_old_files_with_what_it_kept():
    scene = Scene()
    ciphertext, _ = scene.sent["medical"]
    kept = scene.server.release("ann", "visit", "medical", "ben")
    scene.server.leave("ben")
    secret = scene.physician.secret
    assert attacks.read_with_kept(ciphertext, kept, secret) == RECORD
    # Without it the server gives nothing, and new files stay closed.
    with pytest.raises(InvalidInputError, match='no user "ben"'):
        scene.server.release("ann", "visit", "medical", "ben")
    new, _ = scene.upload("new", "medical")
    with pytest.raises(DecryptionError):
        attacks.read_with_kept(new, kept, secret)
    with pytest.raises(DecryptionError):
        attacks.read_with_kept(ciphertext, kept, Keys("ben").secret)


def test_chunks_are_told_apart_without_a_key():
    scene = Scene()
    diagnoses = [b"negative", b"positive", b"unclear"]
    for at, diagnosis in enumerate(diagnoses):
        ciphertext, _ = scene.upload("test", "medical", diagnosis)
        assert attacks.match_chunks(ciphertext, diagnoses) == [at]
        others = [one for one in diagnoses if one != diagnosis]
        assert attacks.match_chunks(ciphertext, others) == [None]
    ciphertext, _ = scene.sent["medical"]
    found = attacks.match_chunks(ciphertext, [b"x", RECORD[64:128], RECORD[64:128]])
    assert found == [None, 1, None, None]


@settings(max_examples=15)
@given(st.binary(max_size=200))
def test_whatever_it_is_it_is_read_from_the_ciphertext_alone(plaintext):
    ciphertext, _ = Keys("ann").encrypt("visit", "medical", plaintext)
    assert attacks.read_by_norm(ciphertext) == plaintext


def test_what_is_no_chunk_is_not_read_from_its_norm():
    """The control: an element whose norm is that of no chunk."""
    ciphertext, _ = Keys("ann").encrypt("visit", "medical", b"text")
    changed = ciphertext[:-576] + bytes([7]) + bytes(47) + bytes([5]) * 47 + bytes(481)
    with pytest.raises(DecryptionError):
        attacks.read_by_norm(changed)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_says_who_makes_it_and_with_what(attack):
    words = inspect.getdoc(attack)
    for word in ("**Adversary**", "**Knowledge**", "**Success**", "**Cost**"):
        assert word in words
