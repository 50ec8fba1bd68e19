"""What the place of a single ciphertext tells about its plaintext."""

import math

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import whole
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.attacks._view import View
from mopse.errors import InvalidInputError

__all__ = [
    "distance",
    "geometry",
    "information",
    "limit_information",
    "limit_window_advantage",
    "window_advantage",
]

Integers = NDArray[np.int64]

_RANGE = 2**63
_MOST_ENUMERATED = 2**24
"""Ciphertexts that a sum over all of them may have."""


def geometry(view: View, field: str, *, width: int = 1, range_size: int = _RANGE) -> Guess:
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
    _refuse_sizes(domain.plaintexts, size, width)
    if domain.cell != 1:
        raise InvalidInputError(f"field {field!r} has cells of {domain.cell} values")
    values = np.full(view.records, NO_GUESS, np.int64)
    confidence = np.zeros(view.records)
    for index in view.indexes_of(field):
        distinct, place = np.unique(index.ciphertexts, return_inverse=True)
        lowest, masses = _mopse.windows(distinct, domain.plaintexts, size, width)
        values[index.records] = lowest[place] + (width - 1) // 2
        confidence[index.records] = masses[place]
    return Guess(values, confidence)


def distance(low: int, high: int, *, plaintexts: int, range_size: int = _RANGE) -> int:
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
    _refuse_sizes(plaintexts, size, 1)
    low, high = whole(low, "low", least=0), whole(high, "high", least=0)
    if not low < high < size:
        raise InvalidInputError(f"low {low} and high {high} do not ascend below {size}")
    return 1 + (high - low) * (plaintexts - 1) // size


def window_advantage(plaintexts: int, range_size: int, width: int = 1) -> float:
    """Return the probability that `geometry` is right, by a sum over all ciphertexts.

    Parameters
    ----------
    plaintexts : int
        How many values there are.
    range_size : int
        How many ciphertexts there are, at most 2^24; `limit_window_advantage` is for more.
    width : int
        How many neighbouring plaintexts count as right.

    Returns
    -------
    float
        Over random functions and uniform plaintexts.

    Raises
    ------
    mopse.errors.InvalidInputError
        If sizes do not fit, or the range is too large to sum over.
    mopse.errors.WrongTypeError
        If a size is not an integer.

    Examples
    --------
    >>> round(window_advantage(64, 4096), 5)
    0.15273
    """
    ciphertexts = _enumerated(plaintexts, range_size, width)
    _, masses = _mopse.windows(ciphertexts, plaintexts, range_size, width)
    return float(masses.mean())


def limit_window_advantage(b: float) -> float:
    """Return what `window_advantage` tends to for a window of ``b sqrt(M)`` plaintexts.

    Parameters
    ----------
    b : float
        Width of the window as a multiple of the square root of the domain, 0 or more.

    Returns
    -------
    float
        The mean over ``p`` uniform on [0, 1] of ``2 Phi(b / (2 sqrt(p (1 - p)))) - 1``, where the
        range is much larger than the domain and the domain is large.

    Raises
    ------
    mopse.errors.InvalidInputError
        If `b` is negative or not finite.

    Notes
    -----
    For one plaintext (``width=1``) it is ``sqrt(pi / (2 M))``. The published bound [1]_ is
    ``1 - 2 exp(-b^2 / 2)``; this is the exact limit, derived here.

    References
    ----------
    .. [1] A. Boldyreva, N. Chenette and A. O'Neill, CRYPTO 2011, theorem 4.2 (eprint 2012/625).

    Examples
    --------
    >>> [round(limit_window_advantage(b), 4) for b in (0.5, 1, 2, 3)]
    [0.5042, 0.7912, 0.9787, 0.999]
    """
    if not (math.isfinite(b) and b >= 0):
        raise InvalidInputError(f"b is {b}, expected a number from 0 on")
    # With p = sin(t/2)^2, t in [0, pi], the mean is that of erf(b / (sqrt 2 sin t)) sin(t) / 2,
    # smooth at the ends, where the midpoint rule converges fast.
    steps = 1024
    angles = (np.arange(steps) + 0.5) * (math.pi / steps)
    terms = [math.erf(b / (math.sqrt(2) * sine)) * sine for sine in np.sin(angles)]
    return math.fsum(terms) * math.pi / (2 * steps)


def information(plaintexts: int, range_size: int) -> float:
    """Return the bits that one ciphertext tells of a uniform plaintext, by a sum over all.

    Parameters
    ----------
    plaintexts : int
        How many values there are.
    range_size : int
        How many ciphertexts there are, at most 2^24; `limit_information` is for more.

    Returns
    -------
    float
        The mutual information of plaintext and ciphertext, over random functions.

    Raises
    ------
    mopse.errors.InvalidInputError
        If sizes do not fit, or the range is too large to sum over.
    mopse.errors.WrongTypeError
        If a size is not an integer.

    Examples
    --------
    >>> round(information(64, 4096), 3)
    2.432
    """
    ciphertexts = _enumerated(plaintexts, range_size, 1)
    entropies = _mopse.entropies(ciphertexts, plaintexts, range_size)
    return float(math.log2(plaintexts) - entropies.mean())


def limit_information(plaintexts: int) -> float:
    """Return what `information` tends to in a range much larger than a large domain.

    Parameters
    ----------
    plaintexts : int
        How many values there are, at least 2.

    Returns
    -------
    float
        ``log2(M) / 2 - log2(2 pi / e) / 2``, where the second term is 0.604: half the bits.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are fewer than 2 values.
    mopse.errors.WrongTypeError
        If it is not an integer.

    Notes
    -----
    The entropy of a normal variable of variance ``M p (1 - p)``, averaged over uniform ``p``; the
    mean of ``ln(p (1 - p))`` is -2. Derived here. Small domains lie above it, by 0.04 bits at 64.

    Examples
    --------
    >>> round(limit_information(2**20), 3)
    9.396
    """
    plaintexts = whole(plaintexts, "plaintexts", least=2)
    return (math.log2(plaintexts) - math.log2(2 * math.pi / math.e)) / 2


def _refuse_sizes(plaintexts: int, range_size: int, width: int) -> None:
    """Refuse sizes that do not fit one another."""
    if range_size > _RANGE:
        raise InvalidInputError(f"range_size is {range_size}, expected at most 2^63")
    if plaintexts > range_size:
        raise InvalidInputError(f"{plaintexts} plaintexts do not fit {range_size} ciphertexts")
    if width > plaintexts:
        raise InvalidInputError(f"a window of {width} is wider than {plaintexts} plaintexts")


def _enumerated(plaintexts: int, range_size: int, width: int) -> Integers:
    """Return all ciphertexts, if they are few enough."""
    plaintexts = whole(plaintexts, "plaintexts", least=1)
    size, width = whole(range_size, "range_size", least=1), whole(width, "width", least=1)
    _refuse_sizes(plaintexts, size, width)
    if size > _MOST_ENUMERATED:
        raise InvalidInputError(f"range_size is {size}, expected at most {_MOST_ENUMERATED}")
    return np.arange(size, dtype=np.int64)
