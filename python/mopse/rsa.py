"""RSA: seal a message for whoever has a private key.

**For evaluation, never behind a service.** The library that computes with the private key is a
candidate for release, and earlier ones of it gave the key away to whoever could measure the time
of many decryptions [1]_. Decryptions here are blinded; that they leak nothing is not proven.

References
----------
.. [1] RUSTSEC-2023-0071, "Marvin Attack: potential key recovery through timing sidechannels",
   https://rustsec.org/advisories/RUSTSEC-2023-0071.html
"""

from typing import Any, Never

from mopse import _mopse
from mopse._checks import associated, byte_array, integer, string
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["PrivateKey", "PublicKey"]


class PublicKey:
    """Whoever has it can seal for the holder of the private key, and nobody is named as the sender.

    Made by `PublicKey.from_pem`, or `PrivateKey.public`.

    Notes
    -----
    A message is sealed under a fresh AES-256-GCM key, and that key under RSA-OAEP with SHA-256
    [1]_. 2048 bits are held to be worth 112 bits of a symmetric key, 3072 are worth 128 [2]_.

    References
    ----------
    .. [1] RFC 8017, "PKCS #1: RSA Cryptography Specifications Version 2.2", section 7.1.
    .. [2] NIST SP 800-57 part 1 revision 5, table 2.
    """

    _key: _mopse.cipher.RsaPublicKey

    def __init__(self) -> None:
        raise WrongTypeError("a public key is read with from_pem, or taken from a private key")

    @classmethod
    def _of(cls, key: _mopse.cipher.RsaPublicKey) -> "PublicKey":
        public = object.__new__(cls)
        public._key = key
        return public

    @classmethod
    def from_pem(cls, pem: str) -> "PublicKey":
        """Return the key of 2048 or 3072 bits in a PEM text.

        Parameters
        ----------
        pem : str
            ``SubjectPublicKeyInfo``, which begins with ``-----BEGIN PUBLIC KEY-----``.

        Raises
        ------
        mopse.errors.InvalidInputError
            If it holds no public key of RSA, or one of another length.
        """
        return cls._of(_mopse.cipher.RsaPublicKey.from_pem(_text(pem)))

    def to_pem(self) -> str:
        """Return the key as PEM text for `from_pem` and other programs; it is not secret."""
        return self._key.to_pem()

    @property
    def bits(self) -> int:
        """How many bits the modulus has."""
        return self._key.bits

    def encrypt(self, plaintext: Any, aad: Any = b"") -> bytes:
        """Return a plaintext sealed for the holder of the private key.

        Parameters
        ----------
        plaintext : bytes-like
            Any contiguous buffer of bytes, read in place.
        aad : bytes-like
            Associated data: not in the message, not secret, and needed unchanged to decrypt.

        Returns
        -------
        bytes
            Header with the wrapped key, ciphertext and tag: 297 bytes more than the plaintext with
            2048 bits, 425 with 3072.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the plaintext is longer than 64 GiB.

        Notes
        -----
        One power with the public exponent, whatever the length, and AES-GCM on all cores. The GIL
        is released. The message shows the length of the plaintext and of the modulus.

        Examples
        --------
        >>> import mopse
        >>> key = mopse.rsa.PrivateKey.generate(2048)
        >>> sealed = key.public.encrypt(b"chest X-ray", aad=b"record 17")
        >>> key.decrypt(sealed, aad=b"record 17")
        b'chest X-ray'
        """
        text = byte_array(plaintext, "the plaintext")
        return self._key.seal(associated(aad), text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return self.to_pem() == other.to_pem()

    def __hash__(self) -> int:
        return hash(self.to_pem())

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return PublicKey.from_pem, (self.to_pem(),)

    def __repr__(self) -> str:
        return f"PublicKey(bits={self.bits})"


class PrivateKey:
    """Whoever has it can open what was sealed for it.

    Made by `PrivateKey.generate` or `PrivateKey.from_pem`.

    Notes
    -----
    For evaluation, never behind a service: see `mopse.rsa`.
    """

    _key: _mopse.cipher.RsaPrivateKey

    def __init__(self) -> None:
        raise WrongTypeError("a private key is made by generate, or read with from_pem")

    @classmethod
    def _of(cls, key: _mopse.cipher.RsaPrivateKey) -> "PrivateKey":
        private = object.__new__(cls)
        private._key = key
        return private

    @classmethod
    def generate(cls, bits: int = 3072) -> "PrivateKey":
        """Return a new key with a modulus of 2048 or 3072 bits, seeded by the operating system.

        A search for two primes on one core, whose time varies severalfold from key to key.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the modulus may not have so many bits.
        mopse.errors.RandomnessError
            If the operating system gives no randomness.
        """
        fault = "the modulus has 2048 or 3072 bits, not {value}"
        size = integer(bits, "bits", 2048, 3072, fault=fault)
        if size not in (2048, 3072):
            raise InvalidInputError(fault.format(value=size))
        return cls._of(_mopse.cipher.RsaPrivateKey.generate(size))

    @classmethod
    def from_pem(cls, pem: str) -> "PrivateKey":
        """Return the key of 2048 or 3072 bits in a PEM text.

        Parameters
        ----------
        pem : str
            PKCS #8 without a password, which begins with ``-----BEGIN PRIVATE KEY-----``. Secret.

        Raises
        ------
        mopse.errors.InvalidInputError
            If it holds no private key of RSA, one that does not fit together, one under a password,
            or one of another length.
        """
        return cls._of(_mopse.cipher.RsaPrivateKey.from_pem(_text(pem)))

    def to_pem(self) -> str:
        """Return the key as PEM text: **secret, and protected by nothing**.

        It is PKCS #8 without a password. Whoever reads it opens everything that was sealed for it.
        """
        return self._key.to_pem()

    @property
    def public(self) -> PublicKey:
        """The public key, which may be given to everybody."""
        return PublicKey._of(self._key.public())

    @property
    def bits(self) -> int:
        """How many bits the modulus has."""
        return self._key.public().bits

    def decrypt(self, sealed: Any, aad: Any = b"") -> bytes:
        """Return the plaintext of what `PublicKey.encrypt` returned, with its associated data.

        Raises
        ------
        mopse.errors.DecryptionError
            If message or associated data were changed, or are for another key.
        mopse.errors.DamagedFileError
            If it does not begin as a sealed message, or is of another version.

        Notes
        -----
        One power with the private exponent, whatever the length, and AES-GCM on all cores. The GIL
        is released.
        """
        message = byte_array(sealed, "the sealed message")
        return self._key.open(associated(aad), message)

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: use to_pem and from_pem")

    def __repr__(self) -> str:
        return f"PrivateKey(bits={self.bits})"


def _text(pem: object) -> str:
    written = string(pem, "a PEM text")
    if not written.isascii():
        raise InvalidInputError("a PEM text holds ASCII characters only")
    return written
