"""Where the density of one-to-many ciphertexts jumps, one value ends and the next one begins."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checked import checked
from mopse._checks import whole
from mopse.attacks._auxiliary import Auxiliary
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.attacks._view import Index, View
from mopse.errors import InvalidInputError

__all__ = ["differential", "dyadic_differential", "dyadic_segments", "segments"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_RANGE_BITS = 63
_HALVINGS = 60
_Cuts = Callable[[Integers, float], Integers]


@checked()
def segments(
    view: View,
    field: str,
    *,
    values: int | None = None,
    penalty: float = 1.5,
    range_bits: int = _RANGE_BITS,
) -> Integers:
    """Return the segment of even density that each record's ciphertext is in.

    Parameters
    ----------
    view : View
        One-to-many ciphertexts.
    values : int, optional
        How many values occur in each index, if known: there are at most as many segments, and as
        many where a penalty gives them. Then `penalty` does not count.
    penalty : float
        What a cut must gain in log-likelihood, as a multiple of the logarithm of the number of
        entries; 1.5 is that of the modified information criterion of [3]_.
    range_bits : int
        The range has ``2^range_bits`` ciphertexts.

    Returns
    -------
    (records,) int64 array
        Numbers of segments, from 0 on in ciphertext order, and on from there in the next index; -1
        for a record without an entry.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field is unknown, no entry is seen, a ciphertext is outside the range, or `penalty`
        or `values` cannot be.
    mopse.errors.WrongTypeError
        If a size is not an integer.

    Notes
    -----
    **Adversary.** A snapshot.

    **Knowledge.** The size of the range; optionally the number of values.

    **Success.** Two records are in one segment if and only if they have one value. The metric is
    the share of records in a segment that is exactly one value's. Values that are as frequent for
    the width of their pieces are not told apart: with pieces of equal width and equal counts
    there is one segment.

    **Cost.** Linear in the entries for each cut; with `values` at most 60 times.

    Binary segmentation of a Poisson process: the cut with the largest gain first. A cut lies at an
    entry, so that one entry next to each boundary may be on the wrong side.

    References
    ----------
    .. [1] K. Li, W. Zhang, C. Yang and N. Yu, "Security Analysis on One-to-Many Order Preserving
       Encryption-Based Cloud Data Search", IEEE TIFS 10(9), 2015.
    .. [2] A. J. Scott and M. Knott, Biometrics 30(3), 1974.
    .. [3] N. R. Zhang and D. O. Siegmund, Biometrics 63(1), 2007.
    """
    return _classes(view, field, _change_points(range_bits), values, penalty)


@checked()
def dyadic_segments(
    view: View,
    field: str,
    *,
    values: int | None = None,
    penalty: float = 1.5,
    range_bits: int = _RANGE_BITS,
) -> Integers:
    """Return the cell of the range's binary trie that each record's ciphertext is in.

    Parameters
    ----------
    view : View
        One-to-many ciphertexts of the tree of halves that `mopse.Opse` descends.
    values : int, optional
        How many values occur in each index, if known: there are at most as many cells, and as many
        where a penalty gives them. Then `penalty` does not count.
    penalty : float
        What a cell costs, as a multiple of the logarithm of the number of entries.
    range_bits : int
        The range has ``2^range_bits`` ciphertexts.

    Returns
    -------
    (records,) int64 array
        Numbers of cells, from 0 on in ciphertext order, and on from there in the next index; -1
        for a record without an entry.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the field is unknown, no entry is seen, a ciphertext is outside the range, or `penalty`
        or `values` cannot be.
    mopse.errors.WrongTypeError
        If a size is not an integer.

    Notes
    -----
    **Adversary.** A snapshot.

    **Knowledge.** The size of the range and that values own dyadic cells of it; optionally the
    number of values.

    **Success.** As for `segments`. Two sibling cells with as many entries stay one, so that
    columns with flat counts are found in part.

    **Cost.** Linear in the entries and in `range_bits`; with `values` at most 60 times.

    The cheapest set of cells, where one of width ``w`` with ``n`` entries costs ``n ln(w / n)`` and
    the penalty, and an empty one nothing; derived here. A cell with one entry is not halved.

    References
    ----------
    .. [1] K. Li, W. Zhang, C. Yang and N. Yu, IEEE TIFS 10(9), 2015, for the attack on density.
    .. [2] A. Boldyreva, N. Chenette, Y. Lee and A. O'Neill, EUROCRYPT 2009, section 4, for the
       tree.
    """
    return _classes(view, field, _cells(range_bits), values, penalty)


@checked()
def differential(
    view: View,
    field: str,
    aux: Auxiliary,
    *,
    values: int | None = None,
    penalty: float = 1.5,
    range_bits: int = _RANGE_BITS,
) -> Guess:
    """Return the value that each segment of even density most likely is.

    Parameters
    ----------
    view : View
        One-to-many ciphertexts.
    values, penalty, range_bits
        As for `segments`.

    Returns
    -------
    Guess
        No guess in an index with a single segment, where nothing was told apart, or with more
        segments than cells.

    Raises
    ------
    mopse.errors.InvalidInputError
        As for `segments`, or if `aux` does not know the field.
    mopse.errors.WrongTypeError
        If a size is not an integer.

    Notes
    -----
    **Adversary.** A snapshot.

    **Knowledge.** The frequencies of values in a population like the target.

    **Success.** The value is exact; the metric is the share of all records.

    **Cost.** That of `segments`, and one step for each segment and cell.

    Segments are taken for the classes of a deterministic column, whose posterior under the order
    and the counts is exact. It is over-confident where one segment holds several values.

    References
    ----------
    .. [1] K. Li, W. Zhang, C. Yang and N. Yu, IEEE TIFS 10(9), 2015.
    """
    return _decoded(
        view,
        field,
        aux,
        segments(view, field, values=values, penalty=penalty, range_bits=range_bits),
    )


@checked()
def dyadic_differential(
    view: View,
    field: str,
    aux: Auxiliary,
    *,
    values: int | None = None,
    penalty: float = 1.5,
    range_bits: int = _RANGE_BITS,
) -> Guess:
    """Return the value that each cell of the range's binary trie most likely is.

    Parameters
    ----------
    view : View
        One-to-many ciphertexts of the tree of halves that `mopse.Opse` descends.
    values, penalty, range_bits
        As for `dyadic_segments`.

    Returns
    -------
    Guess
        No guess in an index with a single segment, where nothing was told apart, or with more
        segments than cells.

    Raises
    ------
    mopse.errors.InvalidInputError
        As for `dyadic_segments`, or if `aux` does not know the field.
    mopse.errors.WrongTypeError
        If a size is not an integer.

    Notes
    -----
    **Adversary.** A snapshot.

    **Knowledge.** The frequencies of values in a population like the target.

    **Success.** The value is exact; the metric is the share of all records.

    **Cost.** That of `dyadic_segments`, and one step for each segment and cell.

    References
    ----------
    .. [1] K. Li, W. Zhang, C. Yang and N. Yu, IEEE TIFS 10(9), 2015; the trie is derived here.
    """
    return _decoded(
        view,
        field,
        aux,
        dyadic_segments(view, field, values=values, penalty=penalty, range_bits=range_bits),
    )


def _change_points(range_bits: int) -> _Cuts:
    """Return what finds the first ciphertext of each segment."""
    last = 2 ** _bits(range_bits) - 1

    def cuts(ciphertexts: Integers, penalty: float) -> Integers:
        first = ciphertexts[:1]
        return np.concatenate((first, _mopse.attack.change_points(ciphertexts, 0, last, penalty)))

    return cuts


def _cells(range_bits: int) -> _Cuts:
    """Return what finds the first ciphertext of each cell of the trie."""
    bits = _bits(range_bits)
    return lambda ciphertexts, penalty: _mopse.attack.dyadic(ciphertexts, bits, penalty)[0]


def _bits(range_bits: int) -> int:
    """Return the bits of a range, at most 63."""
    bits = whole(range_bits, "range_bits", least=1)
    if bits > _RANGE_BITS:
        raise InvalidInputError(f"range_bits is {bits}, expected at most {_RANGE_BITS}")
    return bits


def _classes(view: View, field: str, cuts: _Cuts, values: int | None, penalty: float) -> Integers:
    """Return the segment of each record."""
    domain = view.domain(field)
    if values is not None and whole(values, "values", least=1) > domain.cells:
        raise InvalidInputError(f"{values} values do not fit {domain.cells} cells")
    if not (math.isfinite(penalty) and penalty >= 0):
        raise InvalidInputError(f"penalty is {penalty}, expected a number from 0 on")
    classes = np.full(view.records, -1, np.int64)
    first = 0
    for index in view.indexes_of(field):
        entries = np.ascontiguousarray(index.ciphertexts)
        starts = (
            cuts(entries, penalty * math.log(len(entries)))
            if values is None
            else _tuned(cuts, entries, values)
        )
        classes[index.records] = first + np.searchsorted(starts, entries, side="right") - 1
        first += len(starts)
    return classes


def _tuned(cuts: _Cuts, entries: Integers, values: int) -> Integers:
    """Return the segments of the lowest penalty that gives at most so many."""
    low, high = 0.0, 64.0 * len(entries)  # no gain in log-likelihood is larger
    best = cuts(entries, high)
    for _ in range(_HALVINGS):
        if len(best) == values:
            break
        middle = (low + high) / 2
        found = cuts(entries, middle)
        if len(found) > values:
            low = middle
        else:
            high, best = middle, found
    return best


def _decoded(view: View, field: str, aux: Auxiliary, classes: Integers) -> Guess:
    """Return the likeliest value of each class, given order and counts."""
    domain = view.domain(field)
    distribution = aux.distribution(field, domain)
    cells, likeliest = domain.cell_masses(distribution), domain.likeliest(distribution)
    values = np.full(view.records, NO_GUESS, np.int64)
    confidence = np.zeros(view.records)
    for index in view.indexes_of(field):
        counts, places = _counts(index, classes)
        if not 1 < len(counts) <= domain.cells:
            continue
        masses = _mopse.attack.ordered_posterior(counts, cells)
        best = masses.argmax(axis=1)
        value = likeliest[best]
        claimed = masses[np.arange(len(best)), best] * distribution[value] / cells[best]
        values[index.records] = value[places]
        confidence[index.records] = np.minimum(claimed, 1.0)[places]
    return Guess(values, confidence)


def _counts(index: Index, classes: Integers) -> tuple[Floats, Integers]:
    """Return how many entries each class of an index has, and the class of each entry."""
    _, places, counts = np.unique(classes[index.records], return_inverse=True, return_counts=True)
    return counts.astype(np.float64), places.astype(np.int64)
