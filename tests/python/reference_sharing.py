"""Users' keys and what is sealed to them once more, by other code than the package's.

Written against the header of `src/sharing.rs`. HPKE (RFC 9180), X25519, ML-KEM-768 and Ed25519 are
those of the package `cryptography`; how keys are derived and what travels is made here.

`tests/vectors/users.json` holds what it makes; `write` of `test_sharing` writes it.
"""

import dataclasses
import hashlib
import hmac
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from reference import child

VECTORS = Path(__file__).parents[1] / "vectors" / "users.json"
X25519, X_WING = 1, 2
ENCAPSULATED = {X25519: 32, X_WING: 1120}
"""Bytes of an encapsulated key."""

_KEMS = {X25519: hpke.KEM.X25519, X_WING: hpke.KEM.MLKEM768_X25519}
_IDS = {X25519: 0x0020, X_WING: 0x647A}
_HEAD = 8 + 1 + 32 + 32 + 1


def _suite(algorithm: int) -> hpke.Suite:
    return hpke.Suite(_KEMS[algorithm], hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def _keys(algorithm: int, material: bytes) -> tuple[Any, bytes]:
    """Return the key pair of some material: DeriveKeyPair of RFC 9180 and of its PQ draft."""
    label = b"HPKE-v1KEM" + _IDS[algorithm].to_bytes(2, "big")
    if algorithm == X25519:
        pseudorandom = hmac.digest(b"", label + b"dkp_prk" + material, "sha256")
        expanded = (32).to_bytes(2, "big") + label + b"sk" + b"\1"
        key = X25519PrivateKey.from_private_bytes(hmac.digest(pseudorandom, expanded, "sha256"))
        return key, key.public_key().public_bytes_raw()
    name = b"DeriveKeyPair"
    derived = material + label + len(name).to_bytes(2, "big") + name + (32).to_bytes(2, "big")
    seed = hashlib.shake_256(derived).digest(32)
    expanded = hashlib.shake_256(seed).digest(96)  # X-Wing
    lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = X25519PrivateKey.from_private_bytes(expanded[64:])
    public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return hpke.MLKEM768X25519PrivateKey(lattice, curve), public


@dataclasses.dataclass
class User:
    """A user of a key of 32 bytes."""

    key: bytes
    algorithm: int = X25519

    @property
    def _pair(self) -> tuple[Any, bytes]:
        return _keys(self.algorithm, child(self.key, "encapsulation", b""))

    @property
    def public(self) -> bytes:
        """The public keys, as they travel."""
        signer = Ed25519PrivateKey.from_private_bytes(child(self.key, "sign", b"user"))
        verification = signer.public_key().public_bytes_raw()
        message = b"MOPSEUSR\1" + bytes([self.algorithm]) + verification + self._pair[1]
        return message + signer.sign(b"mopse/v1 signature" + hashlib.sha512(message).digest())

    @property
    def name(self) -> bytes:
        """What names the user."""
        return hashlib.sha256(self.public).digest()

    def open(self, sealed: bytes) -> tuple[bytes, bytes]:
        """Return the owner that something sealed names, and what it holds."""
        assert sealed[:9] == b"MOPSESGR\1"
        owner, name, algorithm = sealed[9:41], sealed[41:73], sealed[73]
        assert (name, algorithm) == (self.name, self.algorithm)
        end = _HEAD + ENCAPSULATED[algorithm]
        encapsulated, length = sealed[_HEAD:end], int.from_bytes(sealed[end : end + 8], "little")
        ciphertext = sealed[end + 8 :]
        assert len(ciphertext) == length
        info = b"mopse/v1 grant" + sealed[:_HEAD]
        secret, _ = self._pair
        return owner, _suite(algorithm).decrypt(encapsulated + ciphertext, secret, info)

    def seal(self, owner: bytes, given: bytes) -> bytes:
        """Return something sealed to the user."""
        head = b"MOPSESGR\1" + owner + self.name + bytes([self.algorithm])
        key = self._pair[0].public_key()
        whole = _suite(self.algorithm).encrypt(given, key, b"mopse/v1 grant" + head)
        size = ENCAPSULATED[self.algorithm]
        ciphertext = whole[size:]
        return head + whole[:size] + len(ciphertext).to_bytes(8, "little") + ciphertext


def is_signed(by: bytes, message: bytes) -> bool:
    """Say whether a message ends with a signature of what is before it."""
    key = Ed25519PublicKey.from_public_bytes(by)
    whole, signature = message[:-64], message[-64:]
    key.verify(signature, b"mopse/v1 signature" + hashlib.sha512(whole).digest())
    return True
