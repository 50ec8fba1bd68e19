"""Closed forms: what an attack is expected to find, before anything is attacked."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import floats, matrix
from mopse._checked import checked
from mopse._checks import whole
from mopse.errors import InvalidInputError

__all__ = [
    "RANGE",
    "counts_of",
    "expected_candidates",
    "expected_density",
    "expected_queries",
    "expected_rank_recovery",
    "exposed_fraction",
    "information",
    "limit_information",
    "limit_window_advantage",
    "probabilities_of",
    "rank_share",
    "refuse_sizes",
    "size_of",
    "subtree_share",
    "window_advantage",
]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

RANGE = 2**63
"""Ciphertexts of the largest range."""

_MOST = 2**26  # cuts, queries or records that are held one by one

_MOST_ENUMERATED = 2**24
"""Ciphertexts that a sum over all of them may have."""


def counts_of(values: Any, what: str, dimensions: int = 1) -> Floats:
    """Return counts, or say why they are none."""
    counts = floats(values, what) if dimensions == 1 else matrix(values, what)
    if not np.isfinite(counts).all():
        raise InvalidInputError(f"{what}: a count is not finite")
    if counts.size and counts.min() < 0:
        raise InvalidInputError(f"{what}: a count is negative")
    with np.errstate(over="ignore"):
        total = counts.sum()
    if total <= 0:
        raise InvalidInputError(f"{what}: all counts are zero")
    if not np.isfinite(total):
        raise InvalidInputError(f"{what}: the sum of the counts is too large")
    return counts


def probabilities_of(values: Any) -> Floats:
    """Return numbers that sum to 1 in proportion to those given, or say why they cannot."""
    counts = counts_of(values, "the probabilities")
    shares: Floats = counts / counts.sum()
    return shares


def size_of(value: int, name: str, least: int) -> int:
    """Return how many of something there are, or say that it is too few or too many to hold."""
    if whole(value, name, least=least) > _MOST:
        raise InvalidInputError(f"{name} is {value}, expected at most 2^26")
    return int(value)


@checked(n=(1, 2**63 - 1))
def expected_rank_recovery(probabilities: Any, n: int, *, tolerance: int = 0) -> float:
    """Return the share of records that ranks alone are expected to tell (S6, closed form).

    Parameters
    ----------
    probabilities : (M,) array
        How likely each value is, or counts of them.
    n : int
        How many records there are.
    tolerance : int
        How far a guess may be off.

    Returns
    -------
    float
        ``(1/n) sum_i max_v P[|X_(i) - v| <= tolerance]``: a bound for every attack on ranks, in
        expectation, by who knows the distribution.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no record, or a probability is negative, not finite, or all are zero.

    Examples
    --------
    >>> round(expected_rank_recovery([1] * 100, 1000), 4)
    0.3322
    """
    whole(n, "n", least=1)
    whole(tolerance, "tolerance", least=0)
    shares = probabilities_of(probabilities)
    _, masses = _mopse.attack.rank_guesses(n, shares, min(tolerance, len(shares)))
    return float(masses.mean())


@checked()
def expected_density(probabilities: Any, n: int) -> float:
    """Return the share of values that are expected to occur among n records (S1, closed form).

    Parameters
    ----------
    probabilities : (M,) array
        How likely each value is, or counts of them.
    n : int
        How many records there are.

    Returns
    -------
    float
        ``1 - (1/M) sum_v (1 - pi_v)^n``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no record, or a probability is negative, not finite, or all are zero.

    Examples
    --------
    >>> expected_density([1, 1], 2)
    0.75
    """
    whole(n, "n", least=1)
    return float(1 - ((1 - probabilities_of(probabilities)) ** n).mean())


@checked()
def exposed_fraction(plaintexts: int, queries: int) -> float:
    """Return the expected share of boundaries that uniform ranges expose.

    Parameters
    ----------
    plaintexts : int
        How many values, or cells, there are, at least 2.
    queries : int
        How many ranges are asked for, each as likely as any other.

    Returns
    -------
    float
        ``1 - ((M - 1) / (M + 1))^Q``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a number is too small.
    mopse.errors.WrongTypeError
        If a number is not an integer.

    Notes
    -----
    A uniform range is a uniform pair of the ``M + 1`` places between and beside values, so it has a
    given one with probability ``2 / (M + 1)``; derived here.

    Examples
    --------
    >>> round(exposed_fraction(81, 100), 3)
    0.915
    """
    plaintexts = whole(plaintexts, "plaintexts", least=2)
    queries = whole(queries, "queries", least=0)
    return -math.expm1(queries * math.log1p(-2 / (plaintexts + 1)))


@checked()
def expected_queries(plaintexts: int) -> float:
    """Return the expected number of uniform ranges that expose all boundaries.

    Parameters
    ----------
    plaintexts : int
        How many values, or cells, there are.

    Returns
    -------
    float
        0 for a single value.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no value.
    mopse.errors.WrongTypeError
        If it is not an integer.

    Notes
    -----
    Over sets of ``s`` boundaries that are all missed, inclusion and exclusion give
    ``sum_s (-1)^(s + 1) C(M - 1, s) M (M + 1) / (s (2 M + 1 - s))``. In partial fractions both sums
    close, so that nothing alternates:

    ``M (M + 1) / (2 M + 1) (H(M - 1) + 1 / (2 M + 1) + (-1)^M / ((M + 2) C(2 M + 1, M - 1)))``

    with the harmonic number ``H``; about ``M / 2 (ln M + 0.577)``. Derived here. Costs ``M`` steps.

    Examples
    --------
    >>> round(expected_queries(81), 3)
    202.586
    """
    m = size_of(plaintexts, "plaintexts", 1)
    if m == 1:
        return 0.0
    terms = [1 / s for s in range(1, m)]
    terms.append(1 / (2 * m + 1))
    if m < 500:  # beyond, the last term is far below the smallest float
        terms.append((-1) ** m / ((m + 2) * math.comb(2 * m + 1, m - 1)))
    return m * (m + 1) / (2 * m + 1) * math.fsum(terms)


@checked()
def expected_candidates(plaintexts: int, known: int) -> float:
    """Return how many values an unknown ciphertext can have when some random values are known.

    Parameters
    ----------
    plaintexts : int
        How many values there are, M.
    known : int
        How many different ones are known, q.

    Returns
    -------
    float
        ``(2 (M - q) + q) / (q + 2)``, expected for a random one of the other ``M - q`` values under
        deterministic encryption (derived here). 1 if all are known.

    Raises
    ------
    mopse.errors.InvalidInputError
        If more are known than there are.

    Examples
    --------
    >>> expected_candidates(81, 10)
    12.666...
    """
    whole(plaintexts, "plaintexts", least=1)
    if whole(known, "known", least=0) > plaintexts:
        raise InvalidInputError(f"{known} known values of {plaintexts}")
    if known == plaintexts:
        return 1.0
    return (2 * (plaintexts - known) + known) / (known + 2)


@checked()
def subtree_share(fan_out: int, height: int, level: int) -> float:
    """Return the share of records below a node of a complete tree, its own included (M2).

    Parameters
    ----------
    fan_out : int
        How many children a node has.
    height : int
        How many levels are below the root.
    level : int
        Level of the node; the root has 0.

    Returns
    -------
    float
        ``sum_{i <= height - level} b^i / sum_{i <= height} b^i``, for nodes of equal size.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the tree has no such level.

    Examples
    --------
    >>> [round(subtree_share(3, 2, level), 4) for level in range(3)]
    [1.0, 0.3077, 0.0769]
    """
    whole(fan_out, "fan_out", least=1)
    if whole(level, "level", least=0) > whole(height, "height", least=0):
        raise InvalidInputError(f"a tree of height {height} has no level {level}")
    if fan_out == 1:
        return (height - level + 1) / (height + 1)
    # Two geometric sums, divided by their largest terms: a tall tree has more nodes than floats go.
    part, whole_tree = (1 - float(fan_out) ** -(up + 1) for up in (height - level, height))
    return float(float(fan_out) ** -level * part / whole_tree)


@checked(guesses=(0, 2**128), scale=(0, 1), exponent=(0, 1))
def rank_share(guesses: int, *, scale: float = 0.0375, exponent: float = 0.1875) -> float:
    """Return the share of log-ins that the likeliest passwords open, if passwords have ranks.

    Parameters
    ----------
    guesses : int
        How many passwords are tried, from the likeliest on.
    scale, exponent : float
        Of the law, both above 0. The share is 1 from ``scale^(-1/exponent)`` guesses on, some
        4 * 10^7 by default: that many passwords are in use, by the law.

    Returns
    -------
    float
        ``scale * guesses^exponent``, at most 1.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a number is out of bounds.

    Notes
    -----
    The form is the CDF-Zipf model [1]_, which differs from 14 large lists by .5 to 4.6 % at most.
    Its two numbers were fitted for each list there; the round ones here are our choice, and stand
    for no population.

    References
    ----------
    .. [1] D. Wang, H. Cheng, P. Wang, X. Huang, G. Jian, "Zipf's Law in Passwords", IEEE
       Transactions on Information Forensics and Security 12 (2017).

    Examples
    --------
    >>> [round(rank_share(guesses), 3) for guesses in (0, 1, 10**4, 10**8)]
    [0.0, 0.037, 0.211, 1.0]
    """
    for value, name in ((scale, "scale"), (exponent, "exponent")):
        if not value > 0:
            raise InvalidInputError(f"{name} is {value}, expected above 0")
    if not guesses:
        return 0.0
    # In logarithms: a tiny exponent must not make an end that no float holds.
    return math.exp(min(math.log(scale) + exponent * math.log(guesses), 0.0))


@checked()
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
    _, masses = _mopse.attack.windows(ciphertexts, plaintexts, range_size, width)
    return float(masses.mean())


@checked()
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


@checked()
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
    entropies = _mopse.attack.entropies(ciphertexts, plaintexts, range_size)
    return float(math.log2(plaintexts) - entropies.mean())


@checked()
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


def refuse_sizes(plaintexts: int, range_size: int, width: int) -> None:
    """Refuse sizes that do not fit one another."""
    if range_size > RANGE:
        raise InvalidInputError(f"range_size is {range_size}, expected at most 2^63")
    if plaintexts > range_size:
        raise InvalidInputError(f"{plaintexts} plaintexts do not fit {range_size} ciphertexts")
    if width > plaintexts:
        raise InvalidInputError(f"a window of {width} is wider than {plaintexts} plaintexts")


def _enumerated(plaintexts: int, range_size: int, width: int) -> Integers:
    """Return all ciphertexts, if they are few enough."""
    plaintexts = whole(plaintexts, "plaintexts", least=1)
    size, width = whole(range_size, "range_size", least=1), whole(width, "width", least=1)
    refuse_sizes(plaintexts, size, width)
    if size > _MOST_ENUMERATED:
        raise InvalidInputError(f"range_size is {size}, expected at most {_MOST_ENUMERATED}")
    return np.arange(size, dtype=np.int64)
