"""DES under a password as Java programs did it: PBES1."""

from typing import Any

from mopse import _mopse
from mopse._checks import byte_array, bytes_of, integer, password_bytes, with_password

__all__ = ["pbe_decrypt", "pbe_derive", "pbe_encrypt"]


def pbe_encrypt(password: str | bytes, plaintext: Any, iterations: int = 1000) -> bytes:
    """Return a plaintext under a password with MD5 and DES, for evaluation.

    Parameters
    ----------
    password : str or bytes
        A string counts as in `mopse.passwords`. Secret.
    plaintext : bytes-like
        Any contiguous buffer of bytes, read in place.
    iterations : int
        How often MD5 is iterated, 1 to 10,000,000 times.

    Returns
    -------
    bytes
        Iterations, salt and ciphertext; a change of it goes unnoticed.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the password is empty, the plaintext is too long, or the iterations are out of bounds.

    Notes
    -----
    The scheme is pbeWithMD5AndDES-CBC [1]_, which Java calls ``PBEWithMD5AndDES``. A trial of a
    password costs `iterations` MD5, far below a microsecond each, and the key has 56 bits at most.
    `mopse.passwords.encrypt` is what should be done instead.

    References
    ----------
    .. [1] RFC 8018, "PKCS #5: Password-Based Cryptography Specification", section 6.1.

    Examples
    --------
    >>> from mopse.ciphers import legacy
    >>> legacy.pbe_decrypt("secret", legacy.pbe_encrypt("secret", b"chest X-ray"))
    b'chest X-ray'
    """
    text = byte_array(plaintext, "the plaintext")
    return _mopse.cipher.pbe_seal(password_bytes(password), _iterations(iterations), text)


def pbe_decrypt(password: str | bytes, sealed: Any) -> bytes:
    """Return the plaintext of what `pbe_encrypt` returned.

    It is nonsense if the password is wrong or the message was changed, and its padding happens to
    be right, as about one in 256 is. A string is tried as in `mopse.passwords`.

    Raises
    ------
    mopse.errors.DecryptionError
        If the padding is wrong.
    mopse.errors.DamagedFileError
        If it is cut or malformed, or its iterations are out of bounds; nothing is computed.
    mopse.errors.InvalidInputError
        If the password is empty.
    """
    message = byte_array(sealed, "the message")
    return with_password(password, lambda form: _mopse.cipher.pbe_open(form, message))


def pbe_derive(password: str | bytes, salt: bytes, iterations: int = 1000) -> tuple[bytes, bytes]:
    """Return the DES key and the initialisation vector of a password: PBKDF1 with MD5 [1]_.

    Both have 8 bytes and are secret. The salt has 8 bytes; password and iterations are as for
    `pbe_encrypt`.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the password is empty, or the salt or the iterations are out of bounds.

    References
    ----------
    .. [1] RFC 8018, "PKCS #5: Password-Based Cryptography Specification", section 5.1.

    Examples
    --------
    >>> from mopse.ciphers import legacy
    >>> key, iv = legacy.pbe_derive("secret", b"8 bytes.")
    >>> len(key), len(iv)
    (8, 8)
    """
    grains = bytes_of(salt, "the salt")
    return _mopse.cipher.pbe_key(password_bytes(password), grains, _iterations(iterations))


def _iterations(iterations: Any) -> int:
    fault = "the number of {what} is {value}, expected 1 to 10,000,000"
    return integer(iterations, "iterations", 0, 2**32 - 1, fault=fault)
