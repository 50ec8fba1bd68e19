"""Passwords: keys from them, messages under them, and what a log-in keeps of them.

A password is a string or bytes, and not empty. Bytes are taken as they are. A string is one text
however it was typed, in UTF-8: OpaqueString (RFC 8265, section 4.2), every space U+0020, accents
composed (NFC). New secrets hold only what Unicode 18.0 has assigned, no control, invisible or
private character, some letters and joiners only beside others (RFC 8264, section 8; RFC 5892,
appendix A). What does not open so is tried as it was typed, as older versions sealed it.

All takes as long as its derivation, see `derive`, without the GIL. Whoever opens sets a ceiling,
checked before any work. Ctrl-C ends the wait at once; the derivation ends on its own thread.
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
        Any contiguous buffer, read in place; its length shows.
    kdf, cipher : str
        As for `derive`; one of `mopse.ciphers.names` with a tag and a key of 32 bytes.
    aad : bytes-like
        Not in the message, not secret, and needed unchanged to decrypt.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the plaintext is too long, `kdf` or `cipher` unknown or unfit, or the password holds
        a character that none does.

    Notes
    -----
    32 bytes commit to password and associated data: no message opens under two passwords, by which
    whoever learns what somebody opens would find the password faster [1]_.

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
    sealed, aad : bytes-like
        The message, and the associated data it was encrypted with.
    most_memory, most_passes, most_iterations : int
        What it may ask for: MiB, passes over them, iterations of PBKDF2; never more than 1,024, 16
        and 10,000,000.

    Raises
    ------
    mopse.errors.DecryptionError
        If one of the three is another; there is no telling which.
    mopse.errors.DamagedFileError
        If the message is malformed, of an unknown version or of absurd cost; nothing is computed.
    mopse.errors.InvalidInputError
        If its cipher or derivation is unknown, or it asks for too much; nothing is computed.

    Notes
    -----
    Messages of version 1 commit to nothing: a service that opens what strangers send refuses those
    whose ninth byte is 1.
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
        8 to 64 bytes, random and stored with what the key encrypts.
    kdf : str
        ``argon2id`` or ``pbkdf2-sha256``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the salt has another length, or the derivation is unknown.

    Notes
    -----
    Argon2id takes 3 passes over 64 MiB in one lane (RFC 9106, section 4), PBKDF2-HMAC-SHA-256
    600,000 iterations (RFC 8018, section 5.2). Only Argon2id is slow on graphics cards too.

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

    Whoever steals it tries passwords at the cost of `derive` each, and so finds the likely ones:
    `mopse.attacks.LoginStore` has other forms to compare, and says what OPAQUE would change.

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
        Secret.
    stored : str
        From `hash`, or an Argon2id hash of another program in that format.
    most_memory, most_passes : int
        What it may ask for, as for `decrypt`.

    Raises
    ------
    mopse.errors.WrongPasswordError
        If it is another password.
    mopse.errors.DamagedFileError
        If the stored hash is malformed or of absurd cost; nothing is computed.
    mopse.errors.InvalidInputError
        If it is of another function, or asks for too much; nothing is computed.
    """
    known, most = _string(stored, "a stored hash"), ceiling(most_memory, most_passes)
    with_password(password, lambda form: _mopse.cipher.verify_password(form, known, most))


def _string(value: object, what: str) -> str:
    """Return a string for the core; half of a surrogate pair becomes a question mark."""
    return string(value, what).encode(errors="replace").decode()
