"""Order-revealing encryption in two halves."""

from typing import Any, Never, overload

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import refuse_masked
from mopse._checks import byte_array, integer, is_integer, key_bytes, require_memory
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.schemes._values import domain_size, plaintexts_of

__all__ = ["LewiWu"]


class LewiWu:
    """Order-revealing encryption in two halves, of which the right one by itself shows nothing.

    Parameters
    ----------
    key, domain : bytes and int
        As for `mopse.Opse`.
    block_bits : int, default 8
        How many bits of a plaintext are hidden together, 1 to 8. Wide blocks show less and cost
        more: a right half grows as ``2**block_bits``.

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
        self._domain = domain_size(domain)
        self._block_bits = _block_bits(block_bits)
        self._lewi_wu = _mopse.scheme.LewiWu(key_bytes(key), self._domain, self._block_bits)

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
        """Return the ciphertexts of plaintexts, in their order, each with a new nonce.

        Plaintexts are as for `mopse.Opse.encrypt`, and so are errors.

        Returns
        -------
        bytes or (n, size) uint8 array
            Ciphertexts of `ciphertext_bytes` bytes.

        Raises
        ------
        mopse.errors.InvalidInputError
            Also if the ciphertexts would take more memory than the machine has.
        mopse.errors.RandomnessError
            If the operating system gives no nonces.

        Notes
        -----
        Costs two permutations, ``2**block_bits + 1`` AES blocks and ``2**block_bits`` hashes for
        every block of a plaintext, on all cores, with the GIL released. What leaks is said in the
        class.
        """
        plaintexts = plaintexts_of(x)
        require_memory(len(plaintexts) * self.ciphertext_bytes, "the array of ciphertexts")
        ciphertexts = self._lewi_wu.encrypt_batch(plaintexts)
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
        """Return the plaintexts of ciphertexts, in their order: an int or an (n,) int64 array.

        Parameters
        ----------
        c : bytes or (n, size) uint8 array
            Ciphertexts, both halves of each.

        Raises
        ------
        mopse.errors.DecryptionError
            If bytes are not the ciphertext of any plaintext, to the last bit; the message names the
            position.
        mopse.errors.InvalidInputError
            If ciphertexts have another size.

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

        Notes
        -----
        Costs a hash for every block up to the first that differs, on all cores. Ciphertexts of two
        keys, and bytes that are none, are ordered too, but it means nothing.
        """
        left, right = _rows(a), _rows(b)
        size = left.shape[1]
        if right.shape[1] != size:
            raise InvalidInputError(f"ciphertexts of {size} and of {right.shape[1]} bytes")
        signs = _mopse.scheme.LewiWu.compare(
            left.reshape(-1), right.reshape(-1), size, _block_bits(block_bits)
        )
        is_array = isinstance(a, np.ndarray) or isinstance(b, np.ndarray)
        return signs if is_array else int(signs[0])

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "keys are neither pickled nor copied: make it again of the same key and domain"
        )

    def __repr__(self) -> str:
        return f"LewiWu(domain={self._domain}, block_bits={self._block_bits})"


def _block_bits(value: Any) -> int:
    fault = "{what} is {value}, expected 1 to 8"
    return integer(value, "the number of bits of a block", 0, 2**32 - 1, fault=fault)


def _rows(c: Any) -> NDArray[np.uint8]:
    if not isinstance(c, np.ndarray):
        return byte_array(c, "a ciphertext").reshape(1, -1)
    if c.dtype != np.uint8 or c.ndim != 2:
        raise WrongTypeError(
            f"ciphertexts must be a uint8 array of two dimensions, not {c.dtype} of {c.ndim}"
        )
    refuse_masked(c, "the ciphertexts")
    return np.ascontiguousarray(c)
