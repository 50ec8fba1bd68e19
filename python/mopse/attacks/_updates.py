"""What changes of records give away: every birthday shows a cut between cells."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse.attacks._auxiliary import Auxiliary
from mopse.attacks._guess import Posterior
from mopse.attacks._view import Domain, Index, Replaced, View
from mopse.errors import InvalidInputError

__all__ = ["raised"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_WINDOWS = (8.0, 32.0, np.inf)
"""Standard deviations within which a cut is looked for: wider where what is known is wrong."""


@checked()
def raised(view: View, field: str, aux: Auxiliary) -> Posterior:
    """Return how likely each value is, if every change raised its record's value by one step.

    Parameters
    ----------
    view : View
        With changes.
    field : str
        A field whose values are known to grow: an age, after each birthday.
    aux : Auxiliary
        How often values occurred elsewhere before the first change.

    Returns
    -------
    Posterior
        One row per record with an entry.

    Raises
    ------
    mopse.errors.InvalidInputError
        If no entry or no change of the field is seen, aux is of another domain, or the changes are
        none that raise each value by one step.

    Notes
    -----
    **Adversary**: cloud, of ciphertexts that hide which values are equal. It remembers what was
    replaced, and deleted. **Knowledge**: what the changes are, and a distribution, taken for the
    one the values are drawn from. **Success**: the cell, or a value within a tolerance.

    A changed entry either keeps its ciphertext, and so its cell, or passes into the next cell, so
    that exactly one cut lies between old and new: cut k + 1 lies above all new entries whose old
    ones are below cut k, and above none of the others. Where cuts lie is a chain, whose sum over
    all ways to place them gives what is returned; with order and changes alone nothing does better.
    With changes of few records it is little more than `rank`. With changes of many the cuts are
    certain but for the entries right at them, and what is known only says which cell is which.

    **Wide cells do not help**: a value that has just passed into a cell is the lowest one in it.

    **Cost**: for each cut the square of the entries it may lie between, some square roots of n by
    ranks alone and fewer with changes.

    References
    ----------
    .. [1] Grubbs et al., IEEE S&P 2017 (eprint 2016/895), the binomial attack, for ranks; changes
       are added here.
    """
    domain = view.domain(field)
    distribution = aux.distribution(field, domain)
    changes = {seen.group: seen for seen in view.replaced.get(field, ()) if len(seen.records)}
    if not changes:
        raise InvalidInputError(f"a view of {view.adversary} shows no change of field {field!r}")
    classes = np.full(view.records, -1, np.int64)
    tables: list[Floats] = []
    first = 0
    for index in view.remembered().indexes_of(field):
        masses = _Group(index, changes.get(index.group), domain, distribution, field).masses()
        is_live = index.records < view.records
        classes[index.records[is_live]] = first + np.arange(is_live.sum())
        tables.append(masses[is_live])
        first += int(is_live.sum())
    return Posterior(domain, classes, np.concatenate(tables))


class _Group:
    """The entries of one group, and what they were before.

    Values are those before the first change until `masses` raises them.
    """

    def __init__(
        self,
        index: Index,
        changes: Replaced | None,
        domain: Domain,
        distribution: Floats,
        field: str,
    ) -> None:
        self.index, self.domain, self.distribution = index, domain, distribution
        self.field = field
        self.crossing = np.empty((0, 2), np.int64)
        self.started = index.ciphertexts.copy()
        self.times = np.zeros(len(self.started), np.int64)
        self.passed = np.zeros(len(self.started), np.int64)
        if changes is not None:
            self._read_changes(changes)
        self._read_patterns()
        self._place()

    def _read_changes(self, changes: Replaced) -> None:
        """Find for each entry where it began, how often it changed, and when it last passed."""
        pairs = changes.ciphertexts
        self.crossing = pairs[pairs[:, 0] != pairs[:, 1]]
        entries = len(self.index.records)
        order = np.argsort(self.index.records)
        at = np.searchsorted(self.index.records, changes.records, sorter=order)
        entry = order[np.minimum(at, entries - 1)]
        is_held = self.index.records[entry] == changes.records
        entry, pairs = entry[is_held], pairs[is_held]
        changed, begins = np.unique(entry, return_index=True)
        self.started[changed] = pairs[begins, 0]
        self.times = np.bincount(entry, minlength=entries)
        # The number of each change among those of its record.
        together = np.argsort(entry, kind="stable")
        number = np.empty(len(entry), np.int64)
        before = np.cumsum(self.times) - self.times
        number[together] = 1 + np.arange(len(entry)) - before[entry[together]]
        is_crossing = pairs[:, 0] != pairs[:, 1]
        np.maximum.at(self.passed, entry[is_crossing], number[is_crossing])
        # A record passes every time that it has been raised by the width of a cell, or never.
        is_due = (number - self.passed[entry]) % self.domain.cell == 0
        if (is_crossing != is_due & (self.passed[entry] > 0)).any():
            raise self._contradiction()

    def _contradiction(self) -> InvalidInputError:
        return InvalidInputError(
            f"field {self.field!r}: no cells agree with changes that raise each value by one step"
        )

    def _read_patterns(self) -> None:
        """Find which values each history leaves, and how likely they are."""
        width, values = self.domain.cell, np.arange(self.domain.plaintexts)
        histories = np.stack([self.times, self.passed], axis=1)
        patterns, of_entry = np.unique(histories, axis=0, return_inverse=True)
        self.pattern = of_entry.reshape(-1)
        times, passed = patterns[:, :1], patterns[:, 1:]
        # Whoever passed at change i was i steps below a cell; whoever never did is not so near.
        is_left = np.where(
            passed > 0, (values + passed) % width == 0, values % width + times < width
        )
        is_left &= values + times < self.domain.plaintexts
        self.patterns = patterns
        self.weights = np.where(is_left, self.distribution, 0.0)

    def _place(self) -> None:
        """Put everything in one order: places are counts of entries below."""
        seen = [self.started, self.index.ciphertexts, self.crossing.ravel()]
        self.points = np.unique(np.concatenate(seen))
        count = len(self.points)
        start = np.searchsorted(self.points, self.started)
        self.live = np.searchsorted(self.points, self.index.ciphertexts)
        old, new = np.searchsorted(self.points, self.crossing).T
        below, above = np.full(count, -1), np.full(count, count)
        np.maximum.at(below, old, new)
        np.minimum.at(above, old, new)
        # From a cut at a place, the next one lies within these places.
        self.lowest = np.append(-1, np.maximum.accumulate(below)) + 1
        self.highest = np.append(np.minimum.accumulate(above[::-1])[::-1], count)
        self.below = np.append(0, np.cumsum(np.bincount(start, minlength=count)))
        starts = np.arange(0, self.domain.plaintexts, self.domain.cell)
        shares = np.add.reduceat(self.weights, starts, axis=1)
        with np.errstate(divide="ignore"):
            logs = np.log(shares)
        of_place = np.zeros((len(self.patterns), count + 1))
        for number in range(len(self.patterns)):
            counts = np.bincount(start[self.pattern == number], minlength=count)
            of_place[number, 1:] = np.cumsum(counts)
        # Sums over the entries below a place, for each cell; what cannot be is counted apart.
        is_never = np.isneginf(logs)
        self.sums = np.where(is_never, 0.0, logs).T @ of_place
        self.never = is_never.T.astype(np.float64) @ of_place
        self.factorials = np.append(0.0, np.cumsum(np.log(np.arange(1, count + 1))))

    def masses(self) -> Floats:
        """Return how likely each present value is, for each entry."""
        shares = self._cells()
        cells = np.arange(self.domain.plaintexts) // self.domain.cell
        raised = np.zeros_like(self.weights)
        for number, (times, _) in enumerate(self.patterns):
            raised[number, times:] = self.weights[number, : self.weights.shape[1] - times]
        starts = np.arange(0, self.domain.plaintexts, self.domain.cell)
        whole = np.add.reduceat(raised, starts, axis=1)[:, cells]
        inside = np.divide(raised, whole, out=np.zeros_like(raised), where=whole > 0)
        masses: Floats = shares[:, cells] * inside[self.pattern]
        masses /= masses.sum(axis=1, keepdims=True)
        return masses

    def _cells(self) -> Floats:
        """Return how likely each cell is for each entry."""
        for deviations in _WINDOWS:
            places = list(self._candidates(deviations))
            if all(len(at) for at in places):
                forward = self._forward(places)
                if np.isfinite(forward[-1]).any():
                    return self._marginals(places, forward)
        raise self._contradiction()

    def _candidates(self, deviations: float) -> Iterator[Integers]:
        """Yield the places of each cut that are not too unlikely, from end to end."""
        count, entries = len(self.points), len(self.started)
        is_possible = self.lowest <= self.highest
        yield np.zeros(1, np.int64)
        for share in np.cumsum(self.domain.cell_masses(self.distribution))[:-1]:
            spread = 1.0 + np.sqrt(entries * share * max(1 - share, 0.0))
            low, high = entries * share - deviations * spread, entries * share + deviations * spread
            first = np.searchsorted(self.below, low, side="left")
            last = np.searchsorted(self.below, high, side="right")
            yield first + np.flatnonzero(is_possible[first:last])
        yield np.full(1, count)

    def _step(self, cell: int, left: Integers, right: Integers) -> Floats:
        """Return the logarithm of how likely a cell lies from one place to another, for all."""
        counts = right - left[:, None]
        is_possible = (counts >= 0) & (right >= self.lowest[left][:, None])
        is_possible &= right <= self.highest[left][:, None]
        is_possible &= self.never[cell, right] == self.never[cell, left][:, None]
        told = self.sums[cell, right] - self.sums[cell, left][:, None]
        told -= self.factorials[np.maximum(counts, 0)]  # any order inside a cell is as likely
        return np.where(is_possible, told, -np.inf)

    def _forward(self, places: list[Integers]) -> list[Floats]:
        told = [np.zeros(1)]
        for cell, (left, right) in enumerate(pairwise(places)):
            told.append(_log_sum(told[-1][:, None] + self._step(cell, left, right)))
        return told

    def _marginals(self, places: list[Integers], forward: list[Floats]) -> Floats:
        """Return how likely each cell is for each live entry, from the places of its two cuts."""
        backward = np.zeros(1)
        shares = np.zeros((len(self.live), self.domain.cells))
        is_above = np.zeros(len(self.live))
        for cell in range(self.domain.cells - 1, -1, -1):
            step = self._step(cell, places[cell], places[cell + 1])
            backward = _log_sum((step + backward).T)
            told = np.exp(forward[cell] + backward - forward[-1][0])
            at = np.zeros(len(self.points) + 1)
            at[places[cell]] = told / told.sum()
            is_within = np.cumsum(at)[self.live]  # the cut lies at or below the entry
            shares[:, cell] = np.maximum(is_within - is_above, 0.0)
            is_above = is_within
        return shares


def _log_sum(terms: Floats) -> Floats:
    """Return the logarithms of sums over rows of what logarithms are given of."""
    most = terms.max(axis=0)
    safe = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):
        sums: Floats = np.log(np.exp(terms - safe).sum(axis=0)) + safe
    return sums
