"""Passwords: keys from them, messages under them, and what a log-in keeps of them.

A password is a string, which counts as its UTF-8, or bytes; an empty one is refused with
`mopse.errors.InvalidInputError`. Everything takes as long as its derivation, see `derive`, with the
GIL released.
"""

from typing import Any

from mopse import _mopse
from mopse._checks import associated, byte_array, bytes_of, password_bytes, string

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
        Version, cipher, derivation and its parameters, salt, nonce, ciphertext and tag. It shows
        the length of the plaintext.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the plaintext is too long, or derivation or cipher are unknown or unfit.

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


def decrypt(password: str | bytes, sealed: Any, aad: Any = b"") -> bytes:
    """Return the plaintext of what `encrypt` returned.

    Raises
    ------
    mopse.errors.DecryptionError
        If the password is wrong, or message or associated data were changed; there is no telling
        which.
    mopse.errors.DamagedFileError
        If the message is cut, malformed or of an unknown version, or its parameters are out of
        bounds; nothing is computed.
    mopse.errors.InvalidInputError
        If the message names an unknown cipher or derivation.
    """
    return _mopse.cipher.open_under_password(
        password_bytes(password),
        associated(aad),
        byte_array(sealed, "the message"),
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


def verify(password: str | bytes, stored: str) -> None:
    """Raise an exception unless a password is the one of a stored hash.

    Parameters
    ----------
    password : str or bytes
        The password to log in with.
    stored : str
        What `hash` returned, or an Argon2id hash of another program in the same format.

    Raises
    ------
    mopse.errors.WrongPasswordError
        If it is another password.
    mopse.errors.DamagedFileError
        If the stored hash is malformed, or its parameters are out of bounds; nothing is computed.
    mopse.errors.InvalidInputError
        If the stored hash is of another function.
    """
    _mopse.cipher.verify_password(password_bytes(password), _string(stored, "a stored hash"))


def _string(value: object, what: str) -> str:
    """Return a string for the core; half of a surrogate pair becomes a question mark."""
    return string(value, what).encode(errors="replace").decode()
