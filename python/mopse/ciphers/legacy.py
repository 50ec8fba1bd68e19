"""Ciphers of the past, for evaluation only: published systems encrypt health records with them.

None notices a changed ciphertext. DES falls to a search over 2^56 keys. Blocks of 8 bytes repeat
after some 2^32 of them and then show the exclusive or of plaintexts [1]_. Use `mopse.ciphers` for
anything but a measurement. The ciphers with ``software`` in their names are AES without the
processor's instructions, to compare like with like.

References
----------
.. [1] K. Bhargavan and G. Leurent, "On the Practical (In-)Security of 64-bit Block Ciphers"
   (Sweet32), CCS 2016.
"""

import secrets
from typing import Any

from mopse.ciphers import _suite
from mopse.ciphers._credential import (
    CHUNK_CIPHERS,
    join_credential,
    search_des_key,
    split_credential,
)
from mopse.ciphers._pbe import pbe_decrypt, pbe_derive, pbe_encrypt
from mopse.ciphers._rsa_blocks import rsa_decrypt_blocks, rsa_encrypt_blocks
from mopse.ciphers._suite import Algorithm
from mopse.errors import InvalidInputError

__all__ = [
    "CHUNK_CIPHERS",
    "LegacyCipher",
    "algorithm",
    "decrypt",
    "encrypt",
    "generate_key",
    "join_credential",
    "names",
    "pbe_decrypt",
    "pbe_derive",
    "pbe_encrypt",
    "rsa_decrypt_blocks",
    "rsa_encrypt_blocks",
    "search_des_key",
    "split_credential",
]


class LegacyCipher(_suite.Cipher):
    """A cipher of the past under one key; see `mopse.ciphers.Cipher`, which it behaves like.

    Weak keys of DES are refused.
    """

    _is_legacy = True


def names() -> list[str]:
    """Return the names of the ciphers for evaluation, none of them authenticated.

    Examples
    --------
    >>> import mopse
    >>> mopse.ciphers.legacy.names()[:3]
    ['des-cbc', '3des-cbc', 'blowfish-cbc']
    """
    return list(_suite._listed(is_legacy=True))


def algorithm(name: str) -> Algorithm:
    """See `mopse.ciphers.algorithm`."""
    return LegacyCipher._find(name)


def generate_key(name: str) -> bytes:
    """Return a new secret key, and no weak one; see `mopse.ciphers.generate_key`."""
    length = algorithm(name).key_bytes[1]
    while True:
        key = secrets.token_bytes(length)
        try:
            LegacyCipher(name, key)
        except InvalidInputError:  # one in 2^50 is weak
            continue
        return key


def encrypt(name: str, key: bytes, plaintext: Any) -> bytes:
    """Return a plaintext encrypted with a cipher of the past.

    It is ``initialisation vector || ciphertext``; a change of it goes unnoticed. Weak keys of DES
    are refused. See `mopse.ciphers.Cipher.encrypt`.

    Examples
    --------
    >>> from mopse.ciphers import legacy
    >>> message = legacy.encrypt("3des-cbc", bytes(range(24)), b"chest X-ray")
    >>> legacy.decrypt("3des-cbc", bytes(range(24)), message)
    b'chest X-ray'
    """
    return LegacyCipher(name, key).encrypt(plaintext)


def decrypt(name: str, key: bytes, message: Any) -> bytes:
    """Return the plaintext of what `encrypt` returned.

    It is nonsense if the message was changed and its padding happens to be right.

    Raises
    ------
    mopse.errors.DecryptionError
        If the padding is wrong.
    mopse.errors.InvalidInputError
        If there is no such cipher, or the key has another length or is weak.
    """
    return LegacyCipher(name, key).decrypt(message)
