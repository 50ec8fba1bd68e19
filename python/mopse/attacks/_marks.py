"""The layout of a ruler that is for evaluation only, and the attack on it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import integers, is_integer, key_bytes
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.attacks._view import Domain, Index, View
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["Marks", "locate_between_marks", "widest_gaps"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_POINTS = 32
"""Where a cut can be between two marks, in the grid of its distribution."""

_SPACE = 2.0**63


class Marks:
    """A provider's part of each cell of a group's ruler. For evaluation only.

    Parameters
    ----------
    ruler_key : bytes
        32 bytes, the same for all providers of the group.
    mark_key : bytes
        32 bytes of the provider's own.
    domain : int
        How many plaintexts there are.
    cell : int
        How many of them share a cell.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a key has not 32 bytes, or domain or cell another size.
    mopse.errors.WrongTypeError
        If something is of another type.

    Notes
    -----
    Each provider gets, for every cell, what lies between two uniform points of it, and never learns
    the cuts. That lowers the best an insider can do from 1 to .912 of the entries (.963 with two
    colluders, .986 with four) and shows a mere thief of the store which entries are equal. No
    provider of this package uses it.
    """

    def __init__(self, ruler_key: bytes, mark_key: bytes, domain: int, *, cell: int = 1) -> None:
        for value, what in ((domain, "the domain"), (cell, "the cell")):
            if not is_integer(value):
                raise WrongTypeError(f"{what} must be an integer, not {type(value).__name__}")
            if not 0 <= value < 2**63:
                raise InvalidInputError(f"{what} is {value}, expected at least 1")
        self._marks = _mopse.Marks(key_bytes(ruler_key), key_bytes(mark_key), domain, cell)
        self._size = int(domain), int(cell)

    def encrypt(self, plaintexts: Integers, handles: NDArray[np.uint64]) -> Integers:
        """Return the entries of plaintexts.

        Parameters
        ----------
        plaintexts : (n,) int64 array
            ``0 <= x < domain``.
        handles : (n, 2) uint64 array
            The records' pseudonyms, from `mopse.Provider.handles`.

        Returns
        -------
        (n,) int64 array
            Placed uniformly in the provider's part of each cell.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a plaintext is outside the domain, or there are not as many handles.
        mopse.errors.WrongTypeError
            If plaintexts or handles are of another type.
        """
        values = integers(plaintexts, "the plaintexts")
        if not (isinstance(handles, np.ndarray) and handles.dtype == np.uint64):
            raise WrongTypeError("handles must be a uint64 array")
        if handles.shape != (len(values), 2):
            raise InvalidInputError(f"handles have shape {handles.shape}, not ({len(values)}, 2)")
        return self._marks.encrypt(values, np.ascontiguousarray(handles))

    def spans(self) -> Integers:
        """Return what the provider knows: the first and the last ciphertext of its parts.

        Returns
        -------
        (cells, 2) int64 array
            Ascending.
        """
        return self._marks.spans()

    def __repr__(self) -> str:
        return f"Marks(domain={self._size[0]}, cell={self._size[1]})"


def locate_between_marks(views: Sequence[View], field: str) -> Guess:
    """Return the cell that each entry most likely is of, from the marks of colluding providers.

    Parameters
    ----------
    views : sequence of View
        Of the same run, one per colluding provider.
    field : str
        Name of the field; it has one index.

    Returns
    -------
    Guess
        The lowest value of the cell, and how likely the cell is. An entry between two marks that
        are known to be of one cell is certain. With full cells everything is.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no view, one is of no provider, or the marks are of no common ruler.

    Notes
    -----
    **Adversary**: provider+snapshot, one or several. **Knowledge**: their parts of each cell, no
    cuts. **Success**: the cell. With ``k`` colluders the cuts have probability proportional to the
    product of ``W_b^(-2k)`` over the widths ``W_b`` of the cells, and an entry at relative position
    ``x`` of its cell the density ``2 H(x)`` (derived here): a chain from cut to cut, summed on a
    grid of 32 points between neighbouring marks. Where other entries lie is not used. **Cost**: a
    thousand densities for each entry between marks.
    """
    if not views:
        raise InvalidInputError("there is no view to collude with")
    index, domain = views[0].index(field), views[0].domain(field)
    tables = []
    for view in views:
        spans = None if view.insider is None else view.insider.spans.get((index.group, field))
        if spans is None or len(spans) != domain.cells:
            raise InvalidInputError(f"a view of {view.adversary} has no marks of {field!r}")
        tables.append(spans)
    first = np.min([table[:, 0] for table in tables], axis=0)
    last = np.max([table[:, 1] for table in tables], axis=0)
    if (first[1:] <= last[:-1]).any():
        raise InvalidInputError("the marks are of different rulers")
    cells, confidence = _between(index, domain, first, last, len(views))
    values = np.full(views[0].records, NO_GUESS)
    sure = np.zeros(views[0].records)
    values[index.records] = domain.likeliest()[cells]
    sure[index.records] = confidence
    return Guess(values, sure)


def _between(
    index: Index, domain: Domain, first: Integers, last: Integers, colluders: int
) -> tuple[Integers, Floats]:
    """Return the likeliest cell of each entry and its probability."""
    places = index.ciphertexts
    marked = np.clip(np.searchsorted(first, places, side="right") - 1, 0, domain.cells - 1)
    cells, confidence = marked.copy(), np.ones(len(places))
    is_open = (places > last[marked]) & (marked < domain.cells - 1)
    if not is_open.any():
        return cells, confidence
    chain = _Chain(first / _SPACE, last / _SPACE, colluders)
    for gap in np.unique(marked[is_open]):
        (entries,) = np.nonzero(is_open & (marked == gap))
        share = chain.above(int(gap), places[entries] / _SPACE)
        cells[entries] = gap + (share > 0.5)
        # Between marks nothing is certain, whatever a sum on a grid rounds to.
        confidence[entries] = np.minimum(np.maximum(share, 1 - share), np.nextafter(1, 0))
    return cells, confidence


class _Chain:
    """The distribution of the cuts given marks: each cut on a grid between two marks."""

    def __init__(self, first: Floats, last: Floats, colluders: int) -> None:
        self._power = -2.0 * colluders
        low, high = last[:-1], first[1:]
        middle = (np.arange(_POINTS) + 0.5) / _POINTS
        cuts = low[:, None] + (high - low)[:, None] * middle
        # The ends of the space are cuts that are known.
        self._cuts = [np.zeros(1), *cuts, np.ones(1)]
        self._forward = [np.ones(1)]
        for left, right in pairwise(self._cuts):
            self._forward.append(_scaled(self._forward[-1] @ self._step(left, right)))
        self._backward = [np.ones(1)]
        for left, right in pairwise(self._cuts[::-1]):
            self._backward.append(_scaled(self._step(right, left) @ self._backward[-1]))
        self._backward.reverse()

    def _step(self, left: Floats, right: Floats) -> Floats:
        """Return how likely pairs of neighbouring cuts are, but for a factor."""
        return _scaled(np.maximum(right[None, :] - left[:, None], 1 / _SPACE) ** self._power)

    def above(self, gap: int, places: Floats) -> Floats:
        """Return how likely entries in a gap are of the cell above its cut.

        An entry has density 2 H(x) in its cell, so both its cell's cuts are summed over.
        """
        before, cut, after = self._cuts[gap : gap + 3]
        below = self._forward[gap][:, None] * self._step(before, cut)
        beyond = self._backward[gap + 2][:, None] * self._step(cut, after).T
        at = places[:, None, None]
        density = _density(at - before[None, :, None], (cut[None, :] - before[:, None])[None])
        lower = (np.where(at < cut, density, 0.0) * below).sum(axis=1) @ beyond.sum(axis=0)
        density = _density(after[None, :, None] - at, (after[:, None] - cut[None, :])[None])
        upper = (np.where(at >= cut, density, 0.0) * beyond).sum(axis=1) @ below.sum(axis=0)
        both = lower + upper
        share: Floats = np.divide(upper, both, out=np.full_like(both, 0.5), where=both > 0)
        return share


def _scaled(masses: Floats) -> Floats:
    scaled: Floats = masses / masses.max()
    return scaled


def _density(offset: Floats, width: Floats) -> Floats:
    """Return the density of an entry at an offset in its cell, but for a factor."""
    x = np.clip(offset / np.maximum(width, 1 / _SPACE), 1e-15, 1 - 1e-15)
    density: Floats = -(x * np.log(x) + (1 - x) * np.log1p(-x)) / np.maximum(width, 1 / _SPACE)
    return density


def widest_gaps(ciphertexts: Integers, classes: int) -> Integers:
    """Return the class of each entry if the widest gaps between entries are the cuts.

    Parameters
    ----------
    ciphertexts : (n,) integer array
        Ascending.
    classes : int
        How many values occur.

    Returns
    -------
    (n,) int64 array
        Numbers of classes in order.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are fewer entries than classes, or they do not ascend.

    Notes
    -----
    **Adversary**: snapshot. What marks show and full cells do not: entries of a value bunch.
    """
    places = integers(ciphertexts, "the ciphertexts")
    if not 1 <= classes <= len(places):
        raise InvalidInputError(f"{classes} classes of {len(places)} entries")
    gaps = np.diff(places)
    if (gaps < 0).any():
        raise InvalidInputError("the ciphertexts do not ascend")
    is_cut = np.zeros(len(gaps), np.int64)
    if classes > 1:
        is_cut[np.argsort(gaps, kind="stable")[-(classes - 1) :]] = 1
    return np.concatenate([[0], np.cumsum(is_cut)])
