"""Ciphers by name, and a cipher under one key."""

import contextlib
import dataclasses
import secrets
from collections.abc import Iterator
from typing import Any, ClassVar, Never

from mopse import _mopse
from mopse._checks import (
    LARGE,
    associated,
    byte_array,
    bytes_of,
    filled,
    integer,
    is_integer,
    key_bytes,
    require_memory,
    string,
    writable_array,
)
from mopse.errors import InvalidInputError, MopseError, NonceReuseError, WrongTypeError

__all__ = ["Algorithm", "Cipher", "algorithm", "decrypt", "encrypt", "generate_key", "names"]


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """What a cipher is called and how long its parts are, in bytes.

    Attributes
    ----------
    name : str
        What `encrypt` calls it.
    key_bytes : tuple of int
        The shortest and the longest key.
    nonce_bytes : int
        The nonce, which stands before the ciphertext; for CBC the initialisation vector.
    tag_bytes : int
        The tag, which stands after it; 0 if nothing is authenticated.
    block_bytes : int
        A plaintext is padded to more than it has, up to a multiple of this; 1 if it is not.
    longest_bytes : int
        The longest plaintext under one nonce.
    """

    name: str
    key_bytes: tuple[int, int]
    nonce_bytes: int
    tag_bytes: int
    block_bytes: int
    longest_bytes: int

    @property
    def is_authenticated(self) -> bool:
        """Whether a changed ciphertext is refused."""
        return self.tag_bytes > 0


def _listed(is_legacy: bool) -> dict[str, Algorithm]:
    return {
        name: Algorithm(name, (least, most), nonce, tag, block, longest)
        for name, least, most, nonce, tag, block, longest in _mopse.cipher.algorithms(is_legacy)
    }


class Cipher:
    """A cipher under one key.

    Parameters
    ----------
    name : str
        One of `names`.
    key : bytes
        Uniformly random, as from `generate_key`. Secret.
    cores : int, optional
        How many cores it may use, up to 1024; all by default.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such cipher, the key has another length, or the cores are none.

    Notes
    -----
    A message is ``nonce || ciphertext || tag``. **Nonces must not repeat under a key.** They are
    random unless given. One that is given is remembered, and refused the second time by this
    object; other objects and processes with the same key do not know of it. Random nonces of 12
    bytes are good for 2^32 messages under a key (NIST SP 800-38D section 8.3), those of 24 for any
    number.

    CTR and CBC have no tag: whoever changes the ciphertext changes the plaintext, unnoticed.

    Bytes-like is any contiguous buffer of bytes. It is read in place, so leave it unchanged during
    a call. From 64 KiB on, all cores work on it where the mode allows: GCM, CTR, ChaCha20-Poly1305.
    The GIL is released. A message shows the length of the plaintext.

    Examples
    --------
    >>> import mopse
    >>> cipher = mopse.ciphers.Cipher("xchacha20-poly1305", mopse.ciphers.generate_key())
    >>> message = cipher.encrypt(b"chest X-ray", aad=b"record 17")
    >>> cipher.decrypt(message, aad=b"record 17")
    b'chest X-ray'
    """

    _is_legacy: ClassVar[bool] = False

    def __init__(self, name: str, key: bytes, *, cores: int | None = None) -> None:
        if cores is not None and not (is_integer(cores) and 1 <= cores <= 1024):
            raise InvalidInputError("cores must be an integer from 1 to 1024")
        self._algorithm = self._find(name)
        self._cipher = _mopse.cipher.Cipher(name, key_bytes(key), self._is_legacy, cores)
        self._used: set[bytes] = set()

    @classmethod
    def _find(cls, name: str) -> Algorithm:
        string(name, "a cipher's name")
        listed = _listed(cls._is_legacy)
        if name in listed:
            return listed[name]
        if name in _listed(not cls._is_legacy):
            where = "mopse.ciphers" if cls._is_legacy else "mopse.ciphers.legacy"
            raise InvalidInputError(f"the cipher {name!r} is in {where}")
        raise InvalidInputError(f"there is no cipher {name!r}: choose {', '.join(listed)}")

    @property
    def algorithm(self) -> Algorithm:
        """What it is called and how long its parts are."""
        return self._algorithm

    def message_bytes(self, plaintext_bytes: int) -> int:
        """Return how long the message of a plaintext is, in bytes: nonce, ciphertext and tag.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the cipher does not take so long a plaintext.
        """
        size = integer(plaintext_bytes, "plaintext_bytes", 0, 2**63 - 1)
        return self._algorithm.nonce_bytes + self._cipher.sealed_len(size)

    def encrypt(self, plaintext: Any, aad: Any = b"", *, nonce: bytes | None = None) -> bytes:
        """Return a plaintext as a message.

        Parameters
        ----------
        plaintext : bytes-like
            What is encrypted.
        aad : bytes-like
            Associated data: not in the message, not secret, and needed unchanged to decrypt.
        nonce : bytes, optional
            A nonce that no other message under this key has; random by default.

        Raises
        ------
        mopse.errors.NonceReuseError
            If the nonce was given to this object before.
        mopse.errors.InvalidInputError
            If the nonce has another length, the plaintext is too long, or there is associated data
            and no tag to protect it.
        """
        text, bound = byte_array(plaintext, "the plaintext"), associated(aad)
        cipher = self._cipher
        with self._fresh(nonce) as chosen:
            if len(text) < LARGE:
                return cipher.seal(chosen, bound, text)
            size = self.message_bytes(len(text))
            require_memory(size, "the message")
            return filled(size, lambda output: cipher.seal_into(chosen, bound, text, output))

    def encrypt_into(
        self, plaintext: Any, message: Any, aad: Any = b"", *, nonce: bytes | None = None
    ) -> None:
        """Write a message into a buffer, which saves the system a new one; see `encrypt`.

        Parameters
        ----------
        plaintext, aad, nonce : bytes-like
            As for `encrypt`.
        message : writable bytes-like
            Exactly as long as `message_bytes` says; it may not overlap the plaintext.

        Raises
        ------
        mopse.errors.InvalidInputError
            Also if the buffer has another length or overlaps.
        """
        text, bound = byte_array(plaintext, "the plaintext"), associated(aad)
        output = writable_array(message, "the buffer for the message", text)
        with self._fresh(nonce) as chosen:
            self._cipher.seal_into(chosen, bound, text, output)

    def decrypt(self, message: Any, aad: Any = b"") -> bytes:
        """Return the plaintext of a message, with the associated data it was encrypted with.

        Raises
        ------
        mopse.errors.DecryptionError
            If message or associated data were changed or are of another key. Without a tag that is
            noticed only by chance, from the padding.
        mopse.errors.InvalidInputError
            If there is associated data and no tag to protect it.
        """
        bound, sealed = associated(aad), byte_array(message, "the message")
        cipher, algorithm = self._cipher, self._algorithm
        if len(sealed) < LARGE:
            return cipher.open(bound, sealed)
        size = len(sealed) - algorithm.nonce_bytes - algorithm.tag_bytes
        require_memory(size, "the plaintext")
        return filled(size, lambda output: cipher.open_into(bound, sealed, output))

    def decrypt_into(self, message: Any, plaintext: Any, aad: Any = b"") -> int:
        """Write the plaintext of a message into a buffer, and return its length; see `decrypt`.

        Parameters
        ----------
        message, aad : bytes-like
            As for `decrypt`.
        plaintext : writable bytes-like
            At least as long as the message without nonce and tag; it may not overlap the message.
            Zeros are left in it if the message does not open.

        Raises
        ------
        mopse.errors.InvalidInputError
            Also if the buffer is too short or overlaps.
        """
        sealed, bound = byte_array(message, "the message"), associated(aad)
        output = writable_array(plaintext, "the buffer for the plaintext", sealed)
        return self._cipher.open_into(bound, sealed, output)

    @contextlib.contextmanager
    def _fresh(self, nonce: bytes | None) -> Iterator[bytes]:
        """Lend a nonce that no message had; one that makes no message stays unused."""
        if nonce is None:
            yield secrets.token_bytes(self._algorithm.nonce_bytes)
            return
        given = bytes_of(nonce, "the nonce")
        if len(given) != self._algorithm.nonce_bytes:
            expected = self._algorithm.nonce_bytes
            raise InvalidInputError(f"the nonce has {len(given)} bytes, expected {expected}")
        if given in self._used:
            raise NonceReuseError("the nonce was used before under this key")
        self._used.add(given)
        try:
            yield given
        except MopseError:
            self._used.discard(given)
            raise

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: make a cipher of the same key")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._algorithm.name!r})"


def names() -> list[str]:
    """Return the names of the ciphers, those with a tag first and of these the recommended.

    What is for evaluation only is in `mopse.ciphers.legacy.names`.

    Examples
    --------
    >>> import mopse
    >>> mopse.ciphers.names()[:3]
    ['aes-256-gcm-siv', 'xchacha20-poly1305', 'aes-256-gcm']
    """
    return list(_listed(is_legacy=False))


def algorithm(name: str) -> Algorithm:
    """Return how long the parts of one of `names` are.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such cipher.
    """
    return Cipher._find(name)


def generate_key(name: str = "aes-256-gcm-siv") -> bytes:
    """Return a new secret key from the operating system's randomness, as long as a cipher takes."""
    return secrets.token_bytes(Cipher._find(name).key_bytes[1])


def encrypt(name: str, key: bytes, plaintext: Any, aad: Any = b"") -> bytes:
    """Return a plaintext encrypted under a fresh random nonce: ``nonce || ciphertext || tag`` [1]_.

    See `Cipher.encrypt`, and `Cipher` for what nonces and modes promise; it saves the key set-up of
    further messages.

    References
    ----------
    .. [1] RFC 5116, "An Interface and Algorithms for Authenticated Encryption", section 2.1.

    Examples
    --------
    >>> import mopse
    >>> key = mopse.ciphers.generate_key("aes-256-gcm")
    >>> message = mopse.ciphers.encrypt("aes-256-gcm", key, b"120/80", aad=b"record 17")
    >>> mopse.ciphers.decrypt("aes-256-gcm", key, message, aad=b"record 17")
    b'120/80'
    """
    return Cipher(name, key).encrypt(plaintext, aad)


def decrypt(name: str, key: bytes, message: Any, aad: Any = b"") -> bytes:
    """Return the plaintext of what `encrypt` returned; see `Cipher.decrypt`."""
    return Cipher(name, key).decrypt(message, aad)
