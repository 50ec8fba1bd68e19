"""Passwords: keys from them, messages under them, and what a log-in keeps of them.

A password is a string or bytes; an empty one is refused with `mopse.errors.InvalidInputError`. A
string is one text however it was typed: it counts as OpaqueString of RFC 8265, in which every space
is U+0020 and accents are composed (NFC), in UTF-8; one with invisible or unassigned characters is
refused for new secrets. What does not open so is tried with the string as it was typed, as older
versions took it, which takes as long again. Bytes are taken as they are.

Everything takes as long as its derivation, see `derive`, with the GIL released. Whoever opens
something sets a ceiling to that: it is checked before anything is computed. Ctrl-C ends the wait at
once; the derivation itself cannot be stopped, runs to its end on a thread of its own, and frees its
memory then.
"""

from typing import Any

from mopse import _mopse
from mopse._checks import (
    associated,
    byte_array,
    bytes_of,
    ceiling,
    password_bytes,
    string,
    with_password,
)

__all__ = ["decrypt", "derive", "encrypt", "hash", "verify"]


def encrypt(
    password: str | bytes,
    plaintext: Any,
    *,
    kdf: str = "argon2id",
    cipher: str = "aes-256-gcm",
    aad: Any = b"",
) -> bytes:
    """Return a plaintext encrypted under a password, with a fresh salt and nonce.

    Parameters
    ----------
    password : str or bytes
        Secret.
    plaintext : bytes-like
        Any contiguous buffer of bytes, read in place.
    kdf : str
        What makes a key of the password: ``argon2id`` or ``pbkdf2-sha256``.
    cipher : str
        One of `mopse.ciphers.names` that has a tag and takes a key of 32 bytes.
    aad : bytes-like
        Associated data: not in the message, not secret, and needed unchanged to decrypt.

    Returns
    -------
    bytes
        Version, cipher, derivation and its parameters, salt, nonce, commitment, ciphertext and tag.
        It shows the length of the plaintext.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the plaintext is too long, derivation or cipher are unknown or unfit, or the password
        holds a character that it cannot.

    Notes
    -----
    The message commits to its password and associated data: 32 bytes that are compared before
    anything is opened, so that no message opens under two passwords. An authenticated cipher alone
    does not give that, and whoever learns which messages somebody opens finds his password the
    faster [1]_.

    References
    ----------
    .. [1] J. Len, P. Grubbs, T. Ristenpart, "Partitioning Oracle Attacks", USENIX Security 2021.

    Examples
    --------
    >>> import mopse
    >>> message = mopse.passwords.encrypt("correct horse", b"120/80", aad=b"record 17")
    >>> mopse.passwords.decrypt("correct horse", message, aad=b"record 17")
    b'120/80'
    """
    return _mopse.cipher.seal_under_password(
        password_bytes(password),
        _string(kdf, "the name of a key derivation"),
        _string(cipher, "a cipher's name"),
        associated(aad),
        byte_array(plaintext, "the plaintext"),
    )


def decrypt(
    password: str | bytes,
    sealed: Any,
    aad: Any = b"",
    *,
    most_memory: int = 256,
    most_passes: int = 4,
    most_iterations: int = 2_000_000,
) -> bytes:
    """Return the plaintext of what `encrypt` returned.

    Parameters
    ----------
    password : str or bytes
        Secret.
    sealed : bytes-like
        The message. What it says of its costs is not trusted.
    aad : bytes-like
        Associated data, as it was encrypted with.
    most_memory : int
        MiB of memory that the message may ask for; 1,024 at most are ever granted.
    most_passes : int
        Passes over that memory; 16 at most are ever granted.
    most_iterations : int
        Iterations of PBKDF2; 10,000,000 at most are ever granted.

    Raises
    ------
    mopse.errors.DecryptionError
        If the password is wrong, or message or associated data were changed; there is no telling
        which.
    mopse.errors.DamagedFileError
        If the message is cut, malformed or of an unknown version, or its parameters are out of
        bounds; nothing is computed.
    mopse.errors.InvalidInputError
        If the message names an unknown cipher or derivation, or asks for more than is allowed;
        nothing is computed.

    Notes
    -----
    Messages of version 1, which `encrypt` no longer makes, are opened too. They commit to nothing:
    a service that opens what strangers send refuses those whose ninth byte is 1.
    """
    bound, message = associated(aad), byte_array(sealed, "the message")
    most = ceiling(most_memory, most_passes, most_iterations)
    return with_password(
        password,
        lambda form: _mopse.cipher.open_under_password(form, bound, message, most),
    )


def derive(password: str | bytes, salt: bytes, *, kdf: str = "argon2id") -> bytes:
    """Return the secret key of 32 bytes that a password and a salt make.

    Parameters
    ----------
    password : str or bytes
        Secret.
    salt : bytes-like
        8 to 64 bytes, random and stored with what the key encrypts. Not secret.
    kdf : str
        ``argon2id`` or ``pbkdf2-sha256``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the salt has another length, or the derivation is unknown.

    Notes
    -----
    Argon2id takes 3 passes over 64 MiB, the second recommended option [1]_ with one lane;
    PBKDF2-HMAC-SHA-256 [2]_ takes 600,000 iterations. Both are slow on purpose, and only Argon2id
    is slow on graphics cards too, because of its memory.

    References
    ----------
    .. [1] RFC 9106, "Argon2 Memory-Hard Function", section 4.
    .. [2] RFC 8018, "PKCS #5: Password-Based Cryptography Specification", section 5.2.

    Examples
    --------
    >>> import mopse
    >>> mopse.passwords.derive("correct horse", b"8 to 64 bytes").hex()[:16]
    'a63df160c66f66e2'
    """
    grains = bytes_of(salt, "the salt")
    name = _string(kdf, "the name of a key derivation")
    return _mopse.cipher.password_key(password_bytes(password), grains, name)


def hash(password: str | bytes) -> str:  # noqa: A001 - read as `passwords.hash`
    """Return what a log-in keeps of a password: a PHC string, its Argon2id hash with a random salt.

    Whoever steals the hash tries passwords at the cost of `derive` each, and has nothing to
    decrypt.

    Examples
    --------
    >>> import mopse
    >>> stored = mopse.passwords.hash("correct horse")
    >>> stored
    '$argon2id$v=19$m=65536,t=3,p=1$...'
    >>> mopse.passwords.verify("correct horse", stored)
    """
    return _mopse.cipher.hash_password(password_bytes(password))


def verify(
    password: str | bytes, stored: str, *, most_memory: int = 256, most_passes: int = 4
) -> None:
    """Raise an exception unless a password is the one of a stored hash.

    Parameters
    ----------
    password : str or bytes
        The password to log in with.
    stored : str
        What `hash` returned, or an Argon2id hash of another program in the same format.
    most_memory : int
        MiB of memory that the stored hash may ask for; 1,024 at most are ever granted.
    most_passes : int
        Passes over that memory; 16 at most are ever granted.

    Raises
    ------
    mopse.errors.WrongPasswordError
        If it is another password.
    mopse.errors.DamagedFileError
        If the stored hash is malformed, or its parameters are out of bounds; nothing is computed.
    mopse.errors.InvalidInputError
        If the stored hash is of another function, or asks for more than is allowed; nothing is
        computed.
    """
    known, most = _string(stored, "a stored hash"), ceiling(most_memory, most_passes)
    with_password(password, lambda form: _mopse.cipher.verify_password(form, known, most))


def _string(value: object, what: str) -> str:
    """Return a string for the core; half of a surrogate pair becomes a question mark."""
    return string(value, what).encode(errors="replace").decode()
