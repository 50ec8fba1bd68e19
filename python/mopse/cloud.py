"""What the cloud does: merge and search encrypted indexes, holding no key."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import integers

__all__ = ["merge"]


def merge(runs: Sequence[Any]) -> NDArray[np.int64]:
    """Return the order that merges sorted runs of ciphertexts into one index.

    The cloud needs no key for this: it compares ciphertexts and nothing else.

    Parameters
    ----------
    runs : sequence of (n_i,) integer arrays
        One per provider, its ciphertexts ascending; ties are allowed. They are read in place, so
        leave them unchanged during the call.

    Returns
    -------
    (n,) int64 array, n = sum of the n_i
        ``np.concatenate(runs)[order]`` is the merged index, and any column that came with the
        runs is put in the same order by the same indexing. Equal ciphertexts keep the order of
        their runs.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a run is not ascending or holds a negative number; the message names run and position.
    mopse.errors.WrongTypeError
        If a run is not a one-dimensional array of integers.

    Notes
    -----
    Costs O(n log k) comparisons for k runs, on all cores, with the GIL released. The cloud learns
    the order and the ties of all providers' values, as it must to merge them [1]_.

    References
    ----------
    .. [1] X. Yao, Y. Lin, Q. Liu and J. Zhang, "Privacy-Preserving Search Over Encrypted
       Personal Health Record in Multi-Source Cloud", IEEE Access 6 (2018),
       `doi:10.1109/ACCESS.2018.2793304 <https://doi.org/10.1109/ACCESS.2018.2793304>`_.

    Examples
    --------
    >>> import numpy as np
    >>> import mopse
    >>> mopse.merge([np.array([10, 40]), np.array([20, 40])]).tolist()
    [0, 2, 1, 3]
    """
    return _mopse.merge([integers(run, f"run {number}") for number, run in enumerate(runs)])
