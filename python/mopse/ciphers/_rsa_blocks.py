"""RSA-OAEP block by block over a whole file: part of `mopse.ciphers.legacy`."""

from typing import Any

from mopse._checks import byte_array, instance
from mopse.rsa import PrivateKey, PublicKey

__all__ = ["rsa_decrypt_blocks", "rsa_encrypt_blocks"]


def rsa_encrypt_blocks(public: PublicKey, plaintext: Any) -> bytes:
    """Return a plaintext encrypted with RSA-OAEP [1]_ block by block, for evaluation.

    Published comparisons that encrypt files with RSA must have done something like it. What one
    should do is `mopse.rsa.PublicKey.encrypt`.

    Parameters
    ----------
    public : mopse.rsa.PublicKey
        The key.
    plaintext : bytes-like
        Any contiguous buffer of bytes, read in place.

    Returns
    -------
    bytes
        Header, then 256 bytes for each 190 of the plaintext with 2048 bits, or 384 for each 318
        with 3072.

    Notes
    -----
    One power with the public exponent per block, on all cores; the GIL is released. **Nothing holds
    the blocks together**: whoever has the public key can swap, drop, double and put in blocks.

    References
    ----------
    .. [1] RFC 8017, "PKCS #1: RSA Cryptography Specifications Version 2.2", section 7.1.

    Examples
    --------
    >>> import mopse
    >>> from mopse.ciphers._rsa_blocks import rsa_decrypt_blocks, rsa_encrypt_blocks
    >>> key = mopse.rsa.PrivateKey.generate(2048)
    >>> sealed = rsa_encrypt_blocks(key.public, bytes(191))
    >>> len(sealed)
    533
    >>> rsa_decrypt_blocks(key, sealed) == bytes(191)
    True
    """
    key = instance(public, PublicKey, "a public key")._key
    return key.encrypt_blocks(byte_array(plaintext, "the plaintext"))


def rsa_decrypt_blocks(private: PrivateKey, sealed: Any) -> bytes:
    """Return the plaintext of what `rsa_encrypt_blocks` returned.

    It is another one, unnoticed, if whole blocks were moved.

    Raises
    ------
    mopse.errors.DecryptionError
        If a block was changed, or is for another key.
    mopse.errors.DamagedFileError
        If it is no such message, of another version, or its length does not fit its blocks.

    Notes
    -----
    One power with the private exponent per block, on all cores; the GIL is released. For
    evaluation, never behind a service: see `mopse.rsa`.
    """
    key = instance(private, PrivateKey, "a private key")._key
    return key.decrypt_blocks(byte_array(sealed, "the message"))
