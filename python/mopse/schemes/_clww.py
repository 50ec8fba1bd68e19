"""Order-revealing encryption that shows where plaintexts differ."""

from typing import Any, Never, overload

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checks import is_integer, key_bytes
from mopse.errors import WrongTypeError
from mopse.schemes._values import domain_size, numbers_of, plaintexts_of

__all__ = ["Clww"]


class Clww:
    """Order-revealing encryption that shows where two plaintexts first differ.

    Key and domain are as for `mopse.Opse`.

    Notes
    -----
    Each bit of a plaintext, from the most significant on, is hidden by adding modulo 3 a
    pseudo-random digit that depends on the bits above it [1]_. A ciphertext is as many digits of
    two bits, the last one lowest, in a uint64. Encryption is deterministic.

    **Leakage.** Anyone with two ciphertexts learns their order and the place of the most
    significant bit that differs; so equality, and how often each plaintext occurs. One ciphertext
    by itself shows nothing.

    References
    ----------
    .. [1] N. Chenette, K. Lewi, S. A. Weis and D. J. Wu, "Practical Order-Revealing Encryption with
       Limited Leakage", FSE 2016, section 3 (eprint 2015/1125).

    Examples
    --------
    >>> import mopse, numpy as np
    >>> clww = mopse.Clww(bytes(range(32)), domain=121)  # a key from here is no secret
    >>> ages = clww.encrypt(np.array([40, 60, 41]))
    >>> mopse.Clww.compare(ages, clww.encrypt(41)).tolist()
    [-1, 1, 0]
    >>> clww.decrypt(ages).tolist()
    [40, 60, 41]
    """

    def __init__(self, key: bytes, domain: int) -> None:
        self._domain = domain_size(domain)
        self._clww = _mopse.scheme.Clww(key_bytes(key), self._domain)

    @property
    def domain(self) -> int:
        """How many plaintexts there are."""
        return self._domain

    @property
    def ciphertext_bytes(self) -> int:
        """How many bytes hold a ciphertext: 2 bits for each of a plaintext; arrays have 8."""
        return -(-self._clww.ciphertext_bits // 8)

    @overload
    def encrypt(self, x: int) -> int: ...
    @overload
    def encrypt(self, x: Any) -> NDArray[np.uint64]: ...
    def encrypt(self, x: Any) -> Any:
        """Return the ciphertexts of plaintexts, in their order: an int or an (n,) uint64 array.

        Plaintexts are as for `mopse.Opse.encrypt`, and so are errors.

        Notes
        -----
        Costs an AES block for each of the ceil(log2(domain)) bits of a plaintext, on all cores,
        with the GIL released. What leaks is said in the class.
        """
        ciphertexts = self._clww.encrypt_batch(plaintexts_of(x))
        return int(ciphertexts[0]) if is_integer(x) else ciphertexts

    @overload
    def decrypt(self, c: int) -> int: ...
    @overload
    def decrypt(self, c: Any) -> NDArray[np.int64]: ...
    def decrypt(self, c: Any) -> Any:
        """Return the plaintexts of ciphertexts, in their order: an int or an (n,) int64 array.

        Raises
        ------
        mopse.errors.DecryptionError
            If a number is not the ciphertext of any plaintext; the message names its position.
        mopse.errors.InvalidInputError
            If a number is negative or above 64 bits.
        """
        plaintexts = self._clww.decrypt_batch(numbers_of(c))
        return int(plaintexts[0]) if is_integer(c) else plaintexts

    @overload
    @staticmethod
    def compare(a: int, b: int) -> int: ...
    @overload
    @staticmethod
    def compare(a: Any, b: Any) -> NDArray[np.int8]: ...
    @staticmethod
    def compare(a: Any, b: Any) -> Any:
        """Return the order of the plaintexts of ciphertexts, without a key.

        Parameters
        ----------
        a, b : int or (n,) integer array
            Ciphertexts of one key and domain: as many, or one for all of the other.

        Returns
        -------
        int or (n,) int8 array
            -1 where the plaintext of `a` is less, 0 where they are equal, 1 where it is greater.

        Raises
        ------
        mopse.errors.DecryptionError
            If a number is no ciphertext of any key; the message names its position.
        mopse.errors.InvalidInputError
            If there are not as many, or a number is negative or above 64 bits.

        Notes
        -----
        Costs a few instructions a pair. Ciphertexts of two keys are ordered too, but it means
        nothing.
        """
        signs = _mopse.scheme.Clww.compare(numbers_of(a), numbers_of(b))
        return int(signs[0]) if is_integer(a) and is_integer(b) else signs

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "keys are neither pickled nor copied: make it again of the same key and domain"
        )

    def __repr__(self) -> str:
        return f"Clww(domain={self._domain})"
