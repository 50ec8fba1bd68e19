"""What the bounds of range queries give away: the cuts between values."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse._checks import integers, whole
from mopse._formulas import RANGE, size_of
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.attacks._view import Index, View
from mopse.errors import InvalidInputError

__all__ = [
    "boundaries",
    "boundary_classes",
    "bounds_of",
    "exposed",
    "exposure",
    "indexes_of",
    "simulate_queries",
    "support_gaps",
]


Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

Layout: TypeAlias = Literal["cells", "leaves"]
"""How values lie in the range: cells that fill it (MOPSE), or leaves with gaps between (OPSE)."""


@checked()
def boundary_classes(view: View, field: str, *, group: str | None = None) -> Integers:
    """Return the class that the bounds of all queries put each record's ciphertext in.

    Parameters
    ----------
    view : View
        With tokens.
    group : str, optional
        The only index to look at.

    Returns
    -------
    (records,) int64 array
        Numbers of the intervals between neighbouring bounds, from 0 on in ciphertext order, and on
        from there in the next index; -1 for a record without an entry.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field or group is unknown, or no entry is seen.

    Notes
    -----
    **Adversary.** The cloud.

    **Knowledge.** None but the bounds it was sent.

    **Success.** Two records are in one class if and only if they have one value: where all
    boundaries were asked for, exactly. The metric is `exposed`.

    **Cost.** Sorting the bounds, and a search for each entry.

    References
    ----------
    .. [1] M.-S. Lacharité, B. Minaud and K. G. Paterson, IEEE S&P 2018, section 3 (eprint
       2017/701), for queries with known ranks; for one-to-many ciphertexts derived here.
    """
    classes = np.full(view.records, -1, np.int64)
    first = 0
    for index in indexes_of(view, field, group):
        cuts = _cuts(view, field, index.group)
        classes[index.records] = first + np.searchsorted(cuts, index.ciphertexts, side="right")
        first += len(cuts) + 1
    return classes


@checked()
def boundaries(
    view: View, field: str, *, group: str | None = None, layout: Layout = "cells"
) -> Guess:
    """Return the values that the bounds of all queries prove.

    Parameters
    ----------
    view : View
        With tokens.
    group : str, optional
        The only index to look at.
    layout : {"cells", "leaves"}
        Whether cells fill the range, as under MOPSE, so that a bound is the next cell's too; or
        leaves lie in it with gaps between, as under `mopse.Opse`.

    Returns
    -------
    Guess
        The lowest value of each record's cell, with certainty, in an index all of whose boundaries
        were asked for; no guess in any other, where a class may hold several values.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field, group or layout is unknown, no entry is seen, or there are more boundaries
        than the field can have.

    Notes
    -----
    **Adversary.** The cloud.

    **Knowledge.** The number of cells, and the layout.

    **Success.** Every value exactly, without any knowledge of the records. Uniform ranges need
    `expected_queries` of them. The metric is the share of records.

    **Cost.** Sorting the bounds, and a search for each entry.

    Of leaves, the interval between two neighbouring bounds holds a value unless an upper bound is
    followed by a lower one, or nothing lies beyond the outermost. If as many intervals as there
    are values certainly hold one, each holds exactly one.

    References
    ----------
    .. [1] M.-S. Lacharité, B. Minaud and K. G. Paterson, IEEE S&P 2018, section 3 (eprint
       2017/701); the proof for one-to-many ciphertexts is derived here.
    """
    if layout not in ("cells", "leaves"):
        raise InvalidInputError(f"layout is {layout!r}, expected 'cells' or 'leaves'")
    domain = view.domain(field)
    starts = domain.likeliest()
    values = np.full(view.records, NO_GUESS, np.int64)
    for index in indexes_of(view, field, group):
        if layout == "cells":
            begins = _cuts(view, field, index.group)
            found = len(begins) + 1
        else:
            begins, found = _certain(view, field, index)
        if found > domain.cells:
            raise InvalidInputError(
                f"field {field!r}: {found} pieces lie between the bounds asked for, and it has "
                f"{domain.cells} cells"
            )
        if found == domain.cells:
            cells = np.searchsorted(begins, index.ciphertexts, side="right")
            values[index.records] = starts[cells]
    return Guess(values, (values != NO_GUESS).astype(np.float64))


@checked()
def exposed(view: View, field: str, *, group: str | None = None) -> Floats:
    """Return the share of boundaries that is known after each token, where cells fill the range.

    Parameters
    ----------
    view : View
        With tokens.
    group : str, optional
        The only group whose tokens count; may be left out if all are of one group.

    Returns
    -------
    (tokens,) float64 array
        For each token of the group that has the field.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field is unknown or has one cell, tokens are of several groups, or there is none.

    Notes
    -----
    Uniform ranges expose `exposed_fraction` on average.
    """
    cells = view.domain(field).cells
    if cells < 2:
        raise InvalidInputError(f"field {field!r} has no boundary to expose")
    groups = {token.group for token in view.tokens if field in token.bounds}
    chosen = groups if group is None else groups & {group}
    if len(chosen) != 1:
        raise InvalidInputError(f"tokens for {field!r} are of {len(chosen)} groups, expected one")
    known: set[int] = set()
    shares = []
    for low, high in bounds_of(view, field, chosen.pop()):
        known |= {low, high + 1} - {0, RANGE}
        shares.append(len(known) / (cells - 1))
    return np.array(shares)


@checked()
def simulate_queries(
    plaintexts: int,
    queries: int,
    *,
    seed: int,
    law: Literal["uniform", "zipf", "clinician"] = "uniform",
) -> tuple[Integers, Integers]:
    """Return ranges as users of a kind might ask for.

    Parameters
    ----------
    plaintexts : int
        How many values, or cells, there are.
    seed : int
        The same seed gives the same ranges.
    law : {"uniform", "zipf", "clinician"}
        *uniform*: each range is as likely as any other. *zipf*: a range of ``k`` values has a
        probability in proportion to ``1 / k``, and starts anywhere alike. *clinician*: thresholds
        are multiples of 5; half of the ranges are all values from a threshold on or below it, the
        others 5 or 10 values from a threshold on.

    Returns
    -------
    low : (queries,) int64 array
        Lowest plaintext of each range.
    high : (queries,) int64 array
        Highest plaintext of each range, included.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a number is too small, or there is no such law.
    mopse.errors.WrongTypeError
        If a number is not an integer.
    """
    plaintexts = size_of(plaintexts, "plaintexts", 1)
    queries = size_of(queries, "queries", 0)
    random = np.random.default_rng(whole(seed, "seed", least=0))
    if law == "uniform":
        one = random.integers(0, plaintexts + 1, queries)
        other = random.integers(0, plaintexts, queries)
        other += other >= one
        return np.minimum(one, other), np.maximum(one, other) - 1
    if law == "zipf":
        weights = 1 / np.arange(1, plaintexts + 1)
        sums = np.cumsum(weights) / weights.sum()
        lengths = np.searchsorted(sums[:-1], random.random(queries), side="right") + 1
        low = random.integers(0, plaintexts - lengths + 1)
        return low, low + lengths - 1
    if law == "clinician":
        threshold = 5 * random.integers(0, -(-plaintexts // 5), queries)
        kind = random.integers(0, 4, queries)
        last = plaintexts - 1
        low = np.where(kind == 0, 0, threshold)
        ends = [np.maximum(threshold - 1, 0), np.full(queries, last), threshold + 4, threshold + 9]
        return low, np.minimum(np.choose(kind, ends), last)
    raise InvalidInputError(f"law is {law!r}, expected 'uniform', 'zipf' or 'clinician'")


@checked()
def exposure(low: Integers, high: Integers, plaintexts: int) -> Floats:
    """Return the share of boundaries that is exposed after each of some ranges.

    Parameters
    ----------
    low, high : (queries,) integer array
        The lowest and the highest value of each range.
    plaintexts : int
        How many values, or cells, there are, at least 2.

    Returns
    -------
    (queries,) float64 array
        It ascends to 1.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a range is none of values, or the arrays differ in length.
    mopse.errors.WrongTypeError
        If ranges are not integers.

    Examples
    --------
    >>> exposure([0, 1], [0, 2], plaintexts=3).tolist()
    [0.5, 0.5]
    """
    plaintexts = size_of(plaintexts, "plaintexts", 2)
    low, high = integers(low, "low"), integers(high, "high")
    if len(low) != len(high):
        raise InvalidInputError(f"there are {len(low)} lowest values and {len(high)} highest")
    if ((low < 0) | (low > high) | (high >= plaintexts)).any():
        raise InvalidInputError(f"a range does not ascend within {plaintexts} values")
    queries = len(low)
    # Place v is below value v. Written from the last query back, the first one that has it stays.
    first = np.full(plaintexts + 1, queries)
    first[np.stack((low, high + 1), axis=1)[::-1].ravel()] = np.repeat(np.arange(queries)[::-1], 2)
    hits = np.bincount(first[1:plaintexts], minlength=queries + 1)[:queries]
    shares: Floats = np.cumsum(hits) / (plaintexts - 1)
    return shares


@checked()
def support_gaps(
    view: View, field: str, *, group: str | None = None
) -> tuple[Integers, Floats, Floats]:
    """Return how many values neighbouring entries are apart, by the bounds between them.

    Parameters
    ----------
    view : View
        With tokens, of a field whose cells fill the range.
    group : str, optional
        The group; may be left out if the field has one index.

    Returns
    -------
    seen : (n - 1,) int64 array
        Distinct bounds between each entry and the next one: a lower limit.
    chao1 : (n - 1,) float64 array
        ``seen + f1^2 / (2 f2)``, where ``f1`` bounds were seen once and ``f2`` twice;
        ``seen + f1 (f1 - 1) / 2`` where none was seen twice.
    jackknife : (n - 1,) float64 array
        ``seen + f1``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field or group is unknown, fewer than two entries or no token is seen, or there are
        several indexes.

    Notes
    -----
    **Adversary.** The cloud.

    **Knowledge.** None: neither the law of queries nor that of values.

    **Success.** The gap is exact; it is, once every bound in it was asked for.

    **Cost.** Sorting the bounds.

    References
    ----------
    .. [1] E. M. Kornaropoulos, C. Papamanthou and R. Tamassia, IEEE S&P 2020 (eprint 2019/441), for
       support-size estimators against range queries.
    .. [2] A. Chao, Scandinavian Journal of Statistics 11, 1984.
    """
    held = indexes_of(view, field, group)
    if len(held) > 1:
        raise InvalidInputError(f"{field!r} has {len(held)} indexes: choose a group")
    ciphertexts = held[0].ciphertexts
    if len(ciphertexts) < 2:
        raise InvalidInputError(f"{field!r}: one entry has no gap beside it")
    ends = [end for low, high in bounds_of(view, field, held[0].group) for end in (low, high + 1)]
    if not ends:
        raise InvalidInputError(f"no token with {field!r} is seen")
    cuts, times = np.unique(
        np.array([e for e in ends if 0 < e < RANGE], np.int64), return_counts=True
    )
    # A cut is the first ciphertext above a boundary.
    gap = np.searchsorted(ciphertexts, cuts, side="left") - 1
    is_between = (gap >= 0) & (gap < len(ciphertexts) - 1)

    def count(chosen: NDArray[np.bool_]) -> Integers:
        return np.bincount(gap[is_between & chosen], minlength=len(ciphertexts) - 1)

    seen, once, twice = count(times > 0), count(times == 1), count(times == 2)
    unseen = np.where(twice > 0, once**2 / (2 * np.maximum(twice, 1)), once * (once - 1) / 2)
    chao1 = seen.astype(np.float64) + unseen
    return seen, chao1, (seen + once).astype(np.float64)


@checked()
def indexes_of(view: View, field: str, group: str | None) -> list[Index]:
    """Return the indexes to look at."""
    held = [index for index in view.indexes_of(field) if group in (None, index.group)]
    if not held:
        raise InvalidInputError(f"no entry of {field!r} is seen in group {group!r}")
    return held


@checked()
def bounds_of(view: View, field: str, group: str) -> Iterator[tuple[int, int]]:
    """Yield the bounds of a field in all tokens for a group."""
    for token in view.tokens:
        if token.group == group and field in token.bounds:
            low, high = token.bounds[field]
            yield int(low), int(high)


def _cuts(view: View, field: str, group: str) -> Integers:
    """Return the first ciphertexts above the boundaries asked for."""
    ends = {end for low, high in bounds_of(view, field, group) for end in (low, high + 1)}
    return np.array(sorted(ends - {0, RANGE}), np.int64)


def _certain(view: View, field: str, index: Index) -> tuple[Integers, int]:
    """Return where all but the first of the intervals begin that certainly hold a leaf."""
    bounds = list(bounds_of(view, field, index.group))
    starts = {low for low, _ in bounds}
    ends = {high + 1 for _, high in bounds}
    marks = sorted(starts | ends)
    begins = []
    for at, (low, high) in enumerate(zip([0, *marks], [*marks, RANGE], strict=True)):
        # A leaf begins at a start and another one ends at an end; elsewhere only entries tell.
        is_held = (at > 0 and low in starts) or (at < len(marks) and high in ends)
        first = np.searchsorted(index.ciphertexts, low)
        has_entry = first < len(index.ciphertexts) and index.ciphertexts[first] < high
        if low < high and (is_held or has_entry):
            begins.append(low)
    return np.array(begins[1:], np.int64), len(begins)
