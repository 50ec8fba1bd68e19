"""What the place of a single ciphertext tells about its plaintext."""

import numpy as np

from mopse import _mopse
from mopse._checked import checked
from mopse._checks import whole
from mopse._formulas import RANGE, refuse_sizes
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.attacks._view import View
from mopse.errors import InvalidInputError

__all__ = ["distance", "geometry"]


@checked()
def geometry(view: View, field: str, *, width: int = 1, range_size: int = RANGE) -> Guess:
    """Return the plaintext that each ciphertext's place in the range makes likeliest.

    Parameters
    ----------
    view : View
        Ciphertexts of a random order-preserving function, deterministic or one-to-many.
    field : str
        Name of the field; it has no cells.
    width : int
        How many neighbouring plaintexts count as right.
    range_size : int
        How many ciphertexts there are, at most 2^63.

    Returns
    -------
    Guess
        The middle of the likeliest window of `width` plaintexts, the lower one of two; its
        probability as confidence.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field is unknown or has cells, no entry is seen, a ciphertext is outside the range,
        or sizes do not fit.
    mopse.errors.WrongTypeError
        If a size is not an integer.

    Notes
    -----
    **Adversary.** Whoever holds one ciphertext: a snapshot.

    **Knowledge.** The sizes of domain and range. Nothing about the values: the law holds for a
    uniform plaintext, and one that is not can be weighed with what is known of it.

    **Success.** The plaintext is in the window. Its probability, over keys and uniform plaintexts,
    is `window_advantage`, so this is a test of the encryption as well: a function drawn by another
    law misses it.

    **Cost.** About ``sqrt(M) + width`` steps for each distinct ciphertext.

    With plaintexts and ciphertexts counted from 0, ``x | c`` is hypergeometric: ``c`` draws of
    ``N - 1`` of which ``M - 1`` are marked [1]_. Its mode is ``floor((c + 1) M / (N + 1))``;
    derived here. A cell of a ruler follows another law, as its ends are drawn and not its entries.

    References
    ----------
    .. [1] A. Boldyreva, N. Chenette and A. O'Neill, "Order-Preserving Encryption Revisited",
       CRYPTO 2011, sections 3 and 4 (eprint 2012/625).
    """
    domain = view.domain(field)
    width, size = whole(width, "width", least=1), whole(range_size, "range_size", least=1)
    refuse_sizes(domain.plaintexts, size, width)
    if domain.cell != 1:
        raise InvalidInputError(f"field {field!r} has cells of {domain.cell} values")
    values = np.full(view.records, NO_GUESS, np.int64)
    confidence = np.zeros(view.records)
    for index in view.indexes_of(field):
        distinct, place = np.unique(index.ciphertexts, return_inverse=True)
        lowest, masses = _mopse.attack.windows(distinct, domain.plaintexts, size, width)
        values[index.records] = lowest[place] + (width - 1) // 2
        confidence[index.records] = masses[place]
    return Guess(values, confidence)


@checked()
def distance(low: int, high: int, *, plaintexts: int, range_size: int = RANGE) -> int:
    """Return the likeliest distance of the plaintexts of two ciphertexts.

    Parameters
    ----------
    low, high : int
        Two ciphertexts, ``0 <= low < high < range_size``, of different plaintexts.
    plaintexts : int
        How many values the field has, at least 2.
    range_size : int
        How many ciphertexts there are.

    Returns
    -------
    int
        ``1 + floor((high - low) (M - 1) / N)``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the ciphertexts are not in this order, or sizes do not fit.
    mopse.errors.WrongTypeError
        If a number is not an integer.

    Notes
    -----
    **Adversary.** Whoever holds two ciphertexts: a snapshot.

    **Knowledge.** The sizes of domain and range.

    **Success.** The distance is exact. With ``d - 1`` hypergeometric, ``high - low - 1`` draws of
    ``N - 2`` of which ``M - 2`` are marked, this is the mode [1]_; the closed form is derived here.

    **Cost.** None.

    References
    ----------
    .. [1] A. Boldyreva, N. Chenette and A. O'Neill, CRYPTO 2011, section 5 (eprint 2012/625).

    Examples
    --------
    >>> distance(0, 2**62, plaintexts=81)
    41
    """
    plaintexts = whole(plaintexts, "plaintexts", least=2)
    size = whole(range_size, "range_size", least=2)
    refuse_sizes(plaintexts, size, 1)
    low, high = whole(low, "low", least=0), whole(high, "high", least=0)
    if not low < high < size:
        raise InvalidInputError(f"low {low} and high {high} do not ascend below {size}")
    return 1 + (high - low) * (plaintexts - 1) // size
