"""Order-preserving encryption by itself."""

from typing import Any, Never, overload

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checks import integer, integers, is_integer, key_bytes
from mopse.errors import WrongTypeError
from mopse.schemes._values import domain_size

__all__ = ["Opse"]


class Opse:
    """A random order-preserving function on ``0..domain`` under one key.

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

    Notes
    -----
    Ciphertexts are non-negative int64, below 2^63. Without ids encryption is deterministic: the
    function is one of all order-preserving functions into that space, drawn uniformly up to the
    pseudo-random coins and a sampler that is within 1e-12 of the distribution at every split [1]_.
    With ids it is one-to-many: equal plaintexts spread over their leaf [2]_.

    **Leakage.** Anyone with the ciphertexts learns the order of all plaintexts, about half the bits
    of each, and for deterministic encryption how often each occurs. Ids hide that from a snapshot
    of few records only, because leaves are dyadic pieces whose density shows.

    References
    ----------
    .. [1] A. Boldyreva, N. Chenette, Y. Lee and A. O'Neill, "Order-Preserving Symmetric
       Encryption", EUROCRYPT 2009, sections 4 and 5 (eprint 2012/624).
    .. [2] C. Wang, N. Cao, J. Li, K. Ren and W. Lou, "Secure Ranked Keyword Search over Encrypted
       Cloud Data", ICDCS 2010, section V.

    Examples
    --------
    >>> import mopse, numpy as np
    >>> opse = mopse.Opse(bytes(range(32)), domain=121)  # a key from here is no secret
    >>> ages = np.array([40, 60, 41])
    >>> np.argsort(opse.encrypt(ages)).tolist()
    [0, 2, 1]
    >>> opse.decrypt(opse.encrypt(ages)).tolist()
    [40, 60, 41]
    """

    def __init__(self, key: bytes, domain: int) -> None:
        self._domain = domain_size(domain)
        self._opse = _mopse.scheme.Opse(key_bytes(key), self._domain)

    @property
    def domain(self) -> int:
        """How many plaintexts there are."""
        return self._domain

    @overload
    def encrypt(self, x: int, ids: int | None = None) -> int: ...
    @overload
    def encrypt(self, x: Any, ids: Any = None) -> NDArray[np.int64]: ...
    def encrypt(self, x: Any, ids: Any = None) -> Any:
        """Return the ciphertexts of plaintexts, in their order.

        Parameters
        ----------
        x : int or (n,) integer array
            Plaintexts, ``0 <= x < domain``. An array may be NumPy's, or a Polars, pandas or Arrow
            column. It is read in place, so leave it unchanged during the call.
        ids : int or (n,) integer array, optional
            Record ids, for one-to-many encryption: the same plaintext and id always give the same
            ciphertext, other ids other ones.

        Returns
        -------
        int or (n,) int64 array
            Ciphertexts.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a plaintext is outside the domain (the message names its position), null, or if there
            are not as many ids.

        Notes
        -----
        One value costs about log2(domain) splits of two AES blocks; a batch visits each node of the
        tree once, on all cores, with the GIL released. What leaks is said in the class.
        """
        if is_integer(x):
            return self._opse.encrypt(integer(x, "the plaintext"), _id(ids))
        plaintexts = integers(x, "the plaintexts")
        return self._opse.encrypt_batch(plaintexts, _ids(ids))

    @overload
    def decrypt(self, c: int, ids: int | None = None) -> int: ...
    @overload
    def decrypt(self, c: Any, ids: Any = None) -> NDArray[np.int64]: ...
    def decrypt(self, c: Any, ids: Any = None) -> Any:
        """Return the plaintexts of ciphertexts, in their order: an int or an (n,) int64 array.

        Parameters
        ----------
        c : int or (n,) integer array
            Ciphertexts.
        ids : int or (n,) integer array, optional
            The record ids they were encrypted with; without, they must be deterministic.

        Raises
        ------
        mopse.errors.DecryptionError
            If a number is not the ciphertext of any plaintext (with its id); the message names its
            position.
        mopse.errors.InvalidInputError
            If there are not as many ids, or an entry is null.
        """
        if is_integer(c):
            return self._opse.decrypt(integer(c, "the ciphertext"), _id(ids))
        return self._opse.decrypt_batch(integers(c, "the ciphertexts"), _ids(ids))

    def bounds(self, low: int, high: int) -> tuple[int, int]:
        """Return the lowest and highest ciphertext that plaintexts from `low` to `high` can have.

        All bounds are included: an encrypted range query.

        Raises
        ------
        mopse.errors.InvalidInputError
            If ``low > high`` or one is outside the domain.
        """
        return self._opse.bounds(integer(low, "a bound"), integer(high, "a bound"))

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "keys are neither pickled nor copied: make it again of the same key and domain"
        )

    def __repr__(self) -> str:
        return f"Opse(domain={self._domain})"


def _id(ids: Any) -> int | None:
    return None if ids is None else integer(ids, "the id")


def _ids(ids: Any) -> NDArray[np.int64] | None:
    return None if ids is None else integers(ids, "the ids")
