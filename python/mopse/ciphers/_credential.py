"""A credential cut into chunks under different ciphers, and what a thief does about it."""

from collections.abc import Sequence
from typing import Any

from mopse import _mopse
from mopse._checks import bytes_of, integer, items, key_bytes
from mopse.errors import InvalidInputError

__all__ = ["CHUNK_CIPHERS", "join_credential", "search_des_key", "split_credential"]

CHUNK_CIPHERS = ("des-cbc", "3des-cbc", "blowfish-cbc", "aes-256-cbc")
"""The cipher of each chunk of a credential."""


def split_credential(credential: Any, keys: Sequence[bytes]) -> list[bytes]:
    """Return the chunks of a credential, each under another cipher: a published idea, and weak.

    Parameters
    ----------
    credential : bytes-like
        4 bytes or more.
    keys : sequence of bytes
        One key for each of `CHUNK_CIPHERS`. Secret.

    Returns
    -------
    list of bytes
        Four chunks, ``initialisation vector || ciphertext`` each.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the credential is too short, or there is not a fitting key for every chunk.

    Notes
    -----
    Chunks fall one by one: who breaks DES, with 2^56 trials, has the first quarter, and guesses the
    rest the easier. `mopse.secret_sharing.split` gives away nothing below its threshold, and for a
    log-in `mopse.passwords.hash` keeps nothing to decrypt at all. What falls of a store of
    such chunks, by the keys that a thief has: `mopse.attacks.guess_logins`.

    Examples
    --------
    >>> from mopse.ciphers import legacy
    >>> keys = [bytes(range(1, 9)), bytes(range(24)), bytes(16), bytes(32)]
    >>> chunks = legacy.split_credential(b"correct horse", keys)
    >>> legacy.join_credential(chunks, keys)
    b'correct horse'
    """
    given = [key_bytes(key) for key in items(keys, "keys", "list of bytes")]
    return _mopse.cipher.split_credential(bytes_of(credential, "the credential"), given)


def join_credential(chunks: Sequence[bytes], keys: Sequence[bytes]) -> bytes:
    """Return the credential that `split_credential` cut, from all four chunks and their keys.

    It is nonsense if a chunk was changed and its padding happens to be right.

    Raises
    ------
    mopse.errors.DecryptionError
        If the padding of a chunk is wrong.
    mopse.errors.InvalidInputError
        If there are not four chunks and four fitting keys.
    """
    parts = [bytes_of(chunk, "a chunk") for chunk in items(chunks, "chunks", "list of bytes")]
    given = [key_bytes(key) for key in items(keys, "keys", "list of bytes")]
    return _mopse.cipher.join_credential(parts, given)


def search_des_key(
    chunk: bytes, chunk_bytes: int, known: bytes, unknown_bits: int
) -> list[tuple[bytes, bytes]]:
    """Return the keys under which a DES chunk is printable text, of those near a known one.

    Parameters
    ----------
    chunk : bytes-like
        The first of `split_credential`: one block.
    chunk_bytes : int
        Length of the text, 1 to 7.
    known : bytes
        A key of 8 bytes whose first bits are right.
    unknown_bits : int
        How many of the last of its 56 bits are tried, up to 40. All 56 are the attack on the whole
        key.

    Returns
    -------
    list of (bytes, bytes)
        Key, with odd parity, and text of every candidate.

    Raises
    ------
    mopse.errors.DecryptionError
        If the chunk is not one block.
    mopse.errors.InvalidInputError
        If a length or number is out of bounds.

    Notes
    -----
    Costs ``2**unknown_bits`` key schedules and decryptions, on all cores, with the GIL released. A
    wrong key passes with probability ``(95/256)**chunk_bytes / 256**(8 - chunk_bytes)``.
    """
    length, bits = (
        integer(number, "a number", 0, 2**32 - 1, fault="{value} is out of bounds")
        for number in (chunk_bytes, unknown_bits)
    )
    key = key_bytes(known)
    if len(key) != 8:
        raise InvalidInputError(f"the key of des-cbc has {len(key)} bytes, expected 8")
    return _mopse.cipher.search_des_key(bytes_of(chunk, "the chunk"), length, key, bits)
