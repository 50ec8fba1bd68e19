"""Which records queries return together: what even an ideal range index leaks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checked import checked
from mopse._checks import integers, whole
from mopse._formulas import size_of
from mopse.attacks._boundaries import bounds_of, indexes_of
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.attacks._view import View
from mopse.errors import InvalidInputError

__all__ = [
    "AccessPatterns",
    "access_patterns",
    "approx_value",
    "generalized_kkno",
    "reflected",
]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@checked()
@dataclass(frozen=True, eq=False)
class AccessPatterns:
    """Which records each of some queries returned, and nothing else.

    Parameters
    ----------
    offsets : (queries + 1,) int64 array
        Where the records of each query begin in `entries`, and where the last ones end.
    entries : (n,) int64 array
        Record numbers, ascending in each query.
    records : int
        How many records there are.
    """

    offsets: Integers
    entries: Integers
    records: int

    def __post_init__(self) -> None:
        size_of(self.records, "records", 0)

    @property
    def queries(self) -> int:
        """How many queries there are."""
        return len(self.offsets) - 1

    @classmethod
    @checked()
    def of_ranges(cls, low: Integers, high: Integers, values: Integers) -> "AccessPatterns":
        """Return what ranges return of records with known values, to make an experiment.

        Parameters
        ----------
        low, high : (queries,) integer array
            The lowest and the highest value of each range.
        values : (records,) integer array
            Values of the records.

        Returns
        -------
        AccessPatterns
            Records with a value in each range.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no record, or the arrays differ in length.
        mopse.errors.WrongTypeError
            If they are not integers.
        """
        low, high = integers(low, "low"), integers(high, "high")
        column = integers(values, "the values")
        if len(low) != len(high):
            raise InvalidInputError(f"there are {len(low)} lowest values and {len(high)} highest")
        if not len(column):
            raise InvalidInputError("access patterns need a record")
        order = np.argsort(column, kind="stable")
        begins = np.searchsorted(column[order], low, side="left")
        ends = np.searchsorted(column[order], high, side="right")
        return cls._of_places(begins, np.maximum(begins, ends), order, len(column))

    @classmethod
    def _of_places(
        cls, begins: Integers, ends: Integers, order: Integers, records: int
    ) -> "AccessPatterns":
        """Return the patterns of stretches of an order of records."""
        offsets = np.concatenate(([0], np.cumsum(ends - begins))).astype(np.int64)
        pieces = [np.sort(order[begin:end]) for begin, end in zip(begins, ends, strict=True)]
        entries = np.concatenate([np.empty(0, np.int64), *pieces])
        return cls(offsets, entries, records)


@checked()
def access_patterns(view: View, field: str, *, group: str | None = None) -> AccessPatterns:
    """Return which records each token's bounds enclose in one field.

    Parameters
    ----------
    view : View
        With tokens.
    group : str, optional
        The group; may be left out if the field has one index.

    Returns
    -------
    AccessPatterns
        One query for each token of the group that has the field. All that an adversary sees of
        any scheme that answers ranges.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field or group is unknown, no entry or token is seen, or there are several indexes.
    """
    held = indexes_of(view, field, group)
    if len(held) > 1:
        raise InvalidInputError(f"{field!r} has {len(held)} indexes: choose a group")
    bounds = list(bounds_of(view, field, held[0].group))
    if not bounds:
        raise InvalidInputError(f"no token with {field!r} is seen")
    low, high = np.array(bounds, np.int64).T
    begins = np.searchsorted(held[0].ciphertexts, low, side="left")
    ends = np.searchsorted(held[0].ciphertexts, high, side="right")
    return AccessPatterns._of_places(
        begins, np.maximum(begins, ends), held[0].records, view.records
    )


@checked()
def generalized_kkno(patterns: AccessPatterns, plaintexts: int) -> Guess:
    """Return values from how often records are returned, up to a reflection of them all.

    Parameters
    ----------
    patterns : AccessPatterns
        Of ranges, each as likely as any other.
    plaintexts : int
        How many values there are.

    Returns
    -------
    Guess
        Either about ``x`` for all records or about ``M - 1 - x``: nothing in the patterns tells
        which. No guess for a record that no query returned.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no query or every answer is empty, or the patterns are none.
    mopse.errors.WrongTypeError
        If the number of values is not an integer.

    Notes
    -----
    **Adversary.** Whoever sees which records are returned: the server of any scheme.

    **Knowledge.** The number of values, and that ranges are uniform.

    **Success.** The largest error of a record as a share of the domain, where each record counts in
    the better one of the guess and its `reflected` one; only attacks on access patterns may be
    scored so. With one reflection for all records, some near the ends, which few queries return
    together with the anchor, lie at the wrong end.

    **Cost.** Linear in the number of records returned.

    With values from 1 to M a record is returned with probability ``p(k) = 2 k (M + 1 - k) /
    (M (M + 1))``, which gives ``k`` up to its own reflection. An anchor, the record nearest to
    ``M / 4``, and a record are on one side if they are returned together more often than
    ``min(a, b) / M``, halfway between the two probabilities.

    References
    ----------
    .. [1] P. Grubbs, M.-S. Lacharité, B. Minaud and K. G. Paterson, "Learning to Reconstruct",
       IEEE S&P 2019, section 3 (eprint 2019/011).
    .. [2] G. Kellaris, G. Kollios, K. Nissim and A. O'Neill, CCS 2016, section 4.
    """
    m = size_of(plaintexts, "plaintexts", 1)
    seen, _, folded, anchor, together = _folded(patterns, m)
    is_near = together > np.minimum(folded, folded[anchor]) / m
    values = np.where(is_near, folded, m + 1 - folded) - 1
    values[anchor] = folded[anchor] - 1
    return Guess(np.where(seen, values, NO_GUESS))


@checked()
def approx_value(patterns: AccessPatterns, plaintexts: int) -> Guess:
    """Return values from how often records are returned with an anchor, up to a reflection.

    Parameters
    ----------
    patterns : AccessPatterns
        Of ranges, each as likely as any other, over records one of which has a value near a
        quarter of the domain.
    plaintexts : int
        How many values there are.

    Returns
    -------
    Guess
        As of `generalized_kkno`.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no query or every answer is empty, or the patterns are none.
    mopse.errors.WrongTypeError
        If the number of values is not an integer.

    Notes
    -----
    **Adversary, Knowledge, Success, Cost.** As for `generalized_kkno`.

    How often a record is returned tells little near the middle, where ``p(k)`` is flat. How often
    it is returned with an anchor below is linear in its value there. So each record has two
    candidates, one on either side of the anchor, and ``p`` chooses; above the anchor the candidate
    is the guess, below it what ``p`` says.

    References
    ----------
    .. [1] P. Grubbs, M.-S. Lacharité, B. Minaud and K. G. Paterson, IEEE S&P 2019, section 4
       (eprint 2019/011), as we understand it from summaries.
    """
    m = size_of(plaintexts, "plaintexts", 1)
    seen, share, folded, anchor, together = _folded(patterns, m)
    a = folded[anchor]
    # Invert 2 min (M + 1 - max) / (M (M + 1)) on both sides of the anchor.
    scaled = together * m * (m + 1) / 2
    left = np.clip(np.rint(scaled / (m + 1 - a)), 1, a).astype(np.int64)
    right = np.clip(np.rint(m + 1 - scaled / a), a, m).astype(np.int64)
    is_left = np.abs(_returned(left, m) - share) < np.abs(_returned(right, m) - share)
    values = np.where(is_left, np.minimum(folded, a), right) - 1
    values[anchor] = a - 1
    return Guess(np.where(seen, values, NO_GUESS))


@checked(plaintexts=(1, 2**32))
def reflected(guess: Guess, plaintexts: int) -> Guess:
    """Return the guess with all values counted from the other end.

    Parameters
    ----------
    guess : Guess
        Of an attack on access patterns, to which both are the same.
    plaintexts : int
        How many values there are.

    Returns
    -------
    Guess
        ``M - 1 - value`` where there is a guess.
    """
    whole(plaintexts, "plaintexts", least=1)
    values = np.where(guess.is_guessed, plaintexts - 1 - guess.values, NO_GUESS)
    return Guess(values, guess.confidence)


def _returned(values: Integers, plaintexts: int) -> Floats:
    """Return the probability that a uniform range has a value, counted from 1."""
    shares: Floats = 2 * values * (plaintexts + 1 - values) / (plaintexts * (plaintexts + 1))
    return shares


def _folded(
    patterns: AccessPatterns, plaintexts: int
) -> tuple[NDArray[np.bool_], Floats, Integers, int, Floats]:
    """Return what counts tell: who is seen, how often, values in the lower half, an anchor."""
    if patterns.queries < 1:
        raise InvalidInputError("access patterns without a query show nothing")
    records = whole(patterns.records, "records", least=1)
    offsets, entries = integers(patterns.offsets, "offsets"), integers(patterns.entries, "entries")
    share = _mopse.attack.frequencies(offsets, entries, records) / patterns.queries
    seen = share > 0
    if not seen.any():
        raise InvalidInputError("no query returned a record")
    candidates = np.arange(1, (plaintexts + 1) // 2 + 1)
    # Probabilities ascend, so the nearest is on either side of where a share would stand.
    law = _returned(candidates, plaintexts)
    above = np.clip(np.searchsorted(law, share), 0, len(law) - 1)
    below = np.maximum(above - 1, 0)
    is_below = np.abs(law[below] - share) <= np.abs(law[above] - share)
    folded = candidates[np.where(is_below, below, above)]
    anchor = int(np.where(seen, np.abs(folded - plaintexts / 4), np.inf).argmin())
    counts = _mopse.attack.co_occurrence(offsets, entries, records, anchor)
    return seen, share, folded, anchor, counts / patterns.queries
