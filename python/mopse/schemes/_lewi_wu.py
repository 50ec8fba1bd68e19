"""Order-revealing encryption under one key, for research: what can be ordered without being sorted.

A ciphertext here is no number that is ordered as its plaintext is. Whoever holds two of them orders
them with `compare`, which takes no key.
"""

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import byte_array, integers, is_integer, key_bytes
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["Clww", "LewiWu"]


class Clww:
    """Order-revealing encryption that shows where two plaintexts first differ.

    Parameters
    ----------
    key : bytes
        32 uniformly random bytes, as from ``secrets.token_bytes(32)``. Secret.
    domain : int
        How many plaintexts there are, 1 to 2^32; they are the integers from 0 on.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the key has not 32 bytes or the domain another size.
    mopse.errors.WrongTypeError
        If the key is not bytes or the domain not an integer.

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
        self._domain = _size(domain, "the domain", "1 to 2^32")
        self._clww = _mopse.Clww(key_bytes(key), self._domain)

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
        """Return the ciphertexts of plaintexts.

        Parameters
        ----------
        x : int or (n,) integer array
            Plaintexts, ``0 <= x < domain``. An array may be NumPy's, or a Polars, pandas or Arrow
            column. It is read in place, so leave it unchanged during the call.

        Returns
        -------
        int or (n,) uint64 array
            Ciphertexts, in the order of `x`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a plaintext is outside the domain (the message names its position) or null.
        mopse.errors.WrongTypeError
            If plaintexts are not integers.

        Notes
        -----
        Costs an AES block for each of the ceil(log2(domain)) bits of a plaintext, on all cores,
        with the GIL released. What leaks is said in the class.
        """
        ciphertexts = self._clww.encrypt_batch(_plaintexts(x))
        return int(ciphertexts[0]) if is_integer(x) else ciphertexts

    @overload
    def decrypt(self, c: int) -> int: ...
    @overload
    def decrypt(self, c: Any) -> NDArray[np.int64]: ...
    def decrypt(self, c: Any) -> Any:
        """Return the plaintexts of ciphertexts.

        Parameters
        ----------
        c : int or (n,) integer array
            Ciphertexts.

        Returns
        -------
        int or (n,) int64 array
            Plaintexts, in the order of `c`.

        Raises
        ------
        mopse.errors.DecryptionError
            If a number is not the ciphertext of any plaintext; the message names its position.
        mopse.errors.InvalidInputError
            If a number is negative or above 64 bits.
        mopse.errors.WrongTypeError
            If ciphertexts are not integers.
        """
        plaintexts = self._clww.decrypt_batch(_numbers(c))
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
        mopse.errors.WrongTypeError
            If ciphertexts are not integers.

        Notes
        -----
        Costs a few instructions a pair. Ciphertexts of two keys are ordered too, but it means
        nothing.
        """
        signs = _mopse.Clww.compare(_numbers(a), _numbers(b))
        return int(signs[0]) if is_integer(a) and is_integer(b) else signs

    def __repr__(self) -> str:
        return f"Clww(domain={self._domain})"


class LewiWu:
    """Order-revealing encryption in two halves, of which the right one by itself shows nothing.

    Parameters
    ----------
    key : bytes
        32 uniformly random bytes, as from ``secrets.token_bytes(32)``. Secret.
    domain : int
        How many plaintexts there are, 1 to 2^32; they are the integers from 0 on.
    block_bits : int, default 8
        How many bits of a plaintext are hidden together, 1 to 8. Wide blocks show less and cost
        more: a right half grows as ``2**block_bits``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the key has not 32 bytes, or the domain or the blocks another size.
    mopse.errors.WrongTypeError
        If the key is not bytes, or the domain or the number of bits not an integer.

    Notes
    -----
    A ciphertext is a left half, then a right half. The left half is, for every block from the most
    significant on, 16 bytes of a pseudo-random function of the blocks above and the permuted block,
    then all permuted blocks bit by bit. The right half is a nonce of 16 bytes from the operating
    system, then for every block and every value, in permuted order, how that value compares with
    the block, masked, two bits each. Comparing takes the left half of one and the right half of
    another ciphertext [1]_. Masks are 64 bits of SHA-256 modulo 3, with a bias of 2^-64.

    **Leakage.** Right halves by themselves show nothing but how many there are. A left half shows,
    of every right half that it meets, the order and the first block that differs. Whole ciphertexts
    show that of every pair, so equality, and how often each plaintext occurs.

    References
    ----------
    .. [1] K. Lewi and D. J. Wu, "Order-Revealing Encryption: New Constructions, Applications, and
       Lower Bounds", CCS 2016, sections 3 and 4 (eprint 2016/612).

    Examples
    --------
    >>> import mopse, numpy as np
    >>> lewi_wu = mopse.LewiWu(bytes(range(32)), domain=121)  # a key from here is no secret
    >>> ages = lewi_wu.encrypt(np.array([40, 60, 41]))
    >>> ages.shape
    (3, 97)
    >>> mopse.LewiWu.compare(ages, lewi_wu.encrypt(41)).tolist()
    [-1, 1, 0]
    >>> lewi_wu.decrypt(ages).tolist()
    [40, 60, 41]
    """

    def __init__(self, key: bytes, domain: int, block_bits: int = 8) -> None:
        self._domain = _size(domain, "the domain", "1 to 2^32")
        self._block_bits = _block_bits(block_bits)
        self._lewi_wu = _mopse.LewiWu(key_bytes(key), self._domain, self._block_bits)

    @property
    def domain(self) -> int:
        """How many plaintexts there are."""
        return self._domain

    @property
    def block_bits(self) -> int:
        """How many bits of a plaintext are hidden together."""
        return self._block_bits

    @property
    def ciphertext_bytes(self) -> int:
        """How many bytes a ciphertext has, both halves together."""
        return self._lewi_wu.ciphertext_bytes

    @property
    def left_bytes(self) -> int:
        """How many bytes of a ciphertext are its left half; the others are the right one."""
        return self._lewi_wu.left_bytes

    @overload
    def encrypt(self, x: int) -> bytes: ...
    @overload
    def encrypt(self, x: Any) -> NDArray[np.uint8]: ...
    def encrypt(self, x: Any) -> Any:
        """Return the ciphertexts of plaintexts, each with a new nonce.

        Parameters
        ----------
        x : int or (n,) integer array
            Plaintexts, ``0 <= x < domain``. An array may be NumPy's, or a Polars, pandas or Arrow
            column. It is read in place, so leave it unchanged during the call.

        Returns
        -------
        bytes or (n, size) uint8 array
            Ciphertexts of `ciphertext_bytes` bytes, in the order of `x`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a plaintext is outside the domain (the message names its position) or null.
        mopse.errors.WrongTypeError
            If plaintexts are not integers.
        mopse.errors.RandomnessError
            If the operating system gives no nonces.

        Notes
        -----
        Costs two permutations, ``2**block_bits + 1`` AES blocks and ``2**block_bits`` hashes for
        every block of a plaintext, on all cores, with the GIL released. What leaks is said in the
        class.
        """
        ciphertexts = self._lewi_wu.encrypt_batch(_plaintexts(x))
        return (
            ciphertexts.tobytes()
            if is_integer(x)
            else ciphertexts.reshape(-1, self.ciphertext_bytes)
        )

    @overload
    def decrypt(self, c: bytes) -> int: ...
    @overload
    def decrypt(self, c: NDArray[np.uint8]) -> NDArray[np.int64]: ...
    def decrypt(self, c: Any) -> Any:
        """Return the plaintexts of ciphertexts.

        Parameters
        ----------
        c : bytes or (n, size) uint8 array
            Ciphertexts, both halves of each.

        Returns
        -------
        int or (n,) int64 array
            Plaintexts, in the order of `c`.

        Raises
        ------
        mopse.errors.DecryptionError
            If bytes are not the ciphertext of any plaintext, to the last bit; the message names
            the position.
        mopse.errors.InvalidInputError
            If ciphertexts have another size.
        mopse.errors.WrongTypeError
            If they are not bytes or a uint8 array of two dimensions.

        Notes
        -----
        Costs as much as encrypting again, and a permutation a block.
        """
        rows = _rows(c)
        if rows.shape[1] != self.ciphertext_bytes:
            raise InvalidInputError(
                f"a ciphertext has {rows.shape[1]} bytes, expected {self.ciphertext_bytes}"
            )
        plaintexts = self._lewi_wu.decrypt_batch(rows.reshape(-1))
        return plaintexts if isinstance(c, np.ndarray) else int(plaintexts[0])

    @overload
    @staticmethod
    def compare(a: bytes, b: bytes, block_bits: int = 8) -> int: ...
    @overload
    @staticmethod
    def compare(a: Any, b: Any, block_bits: int = 8) -> NDArray[np.int8]: ...
    @staticmethod
    def compare(a: Any, b: Any, block_bits: int = 8) -> Any:
        """Return the order of the plaintexts of ciphertexts, without a key.

        Parameters
        ----------
        a, b : bytes or (n, size) uint8 array
            Ciphertexts of one key, domain and size of blocks: as many, or one for all of the other.
            Only the left halves of `a` and the right halves of `b` are read.
        block_bits : int, default 8
            How many bits of a plaintext they hide together.

        Returns
        -------
        int or (n,) int8 array
            -1 where the plaintext of `a` is less, 0 where they are equal, 1 where it is greater.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there are not as many, or their sizes differ or are those of no ciphertext.
        mopse.errors.WrongTypeError
            If they are not bytes or uint8 arrays of two dimensions.

        Notes
        -----
        Costs a hash for every block up to the first that differs, on all cores. Ciphertexts of two
        keys, and bytes that are none, are ordered too, but it means nothing.
        """
        left, right = _rows(a), _rows(b)
        size = left.shape[1]
        if right.shape[1] != size:
            raise InvalidInputError(f"ciphertexts of {size} and of {right.shape[1]} bytes")
        signs = _mopse.LewiWu.compare(
            left.reshape(-1), right.reshape(-1), size, _block_bits(block_bits)
        )
        is_array = isinstance(a, np.ndarray) or isinstance(b, np.ndarray)
        return signs if is_array else int(signs[0])

    def __repr__(self) -> str:
        return f"LewiWu(domain={self._domain}, block_bits={self._block_bits})"


def _size(value: Any, what: str, expected: str) -> int:
    if not is_integer(value):
        raise WrongTypeError(f"{what} must be an integer, not {type(value).__name__}")
    if not 0 <= value < 2**63:
        raise InvalidInputError(f"{what} is {value}, expected {expected}")
    return int(value)


def _block_bits(value: Any) -> int:
    what, expected = "the number of bits of a block", "1 to 8"
    block_bits = _size(value, what, expected)
    if block_bits >= 2**32:
        raise InvalidInputError(f"{what} is {block_bits}, expected {expected}")
    return block_bits


def _plaintexts(x: Any) -> NDArray[np.int64]:
    if not is_integer(x):
        return integers(x, "the plaintexts")
    if not -(2**63) <= x < 2**63:
        raise InvalidInputError("the plaintext does not fit an int64")
    return np.array([x], dtype=np.int64)


def _numbers(c: Any) -> NDArray[np.uint64]:
    if is_integer(c):
        if not 0 <= c < 2**64:
            raise InvalidInputError("the ciphertext does not fit a uint64")
        return np.array([c], dtype=np.uint64)
    if isinstance(c, list | tuple) and all(is_integer(number) for number in c):
        # NumPy makes floats of integers on both sides of 2^63, and of an empty list.
        for position, number in enumerate(c):
            if not 0 <= number < 2**64:
                raise InvalidInputError(
                    f"the ciphertexts: entry {position} is negative or does not fit a uint64"
                )
        return np.array(c, dtype=np.uint64)
    array = np.asarray(c)
    if array.dtype.kind not in "iu":
        raise WrongTypeError(f"the ciphertexts must hold integers, not {array.dtype}")
    if array.ndim != 1:
        raise WrongTypeError(f"the ciphertexts must have one dimension, not {array.ndim}")
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise InvalidInputError(f"the ciphertexts: entry {np.argmax(array < 0)} is negative")
    return np.ascontiguousarray(array, dtype=np.uint64)


def _rows(c: Any) -> NDArray[np.uint8]:
    if not isinstance(c, np.ndarray):
        return byte_array(c, "a ciphertext").reshape(1, -1)
    if c.dtype != np.uint8 or c.ndim != 2:
        raise WrongTypeError(
            f"ciphertexts must be a uint8 array of two dimensions, not {c.dtype} of {c.ndim}"
        )
    return np.ascontiguousarray(c)
