"""Attacks of a corrupt provider, and of whoever has queries asked, with the store or the cloud."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse._checks import integers
from mopse.attacks._auxiliary import Auxiliary
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.attacks._view import Adversary, Domain, Insider, ObservedToken, View
from mopse.errors import InvalidInputError

__all__ = [
    "by_copies",
    "candidates",
    "labelled",
    "linkage",
    "locate",
]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_LAST = 2**63 - 1


@checked()
def locate(view: View, field: str, aux: Auxiliary | None = None) -> Guess:
    """Return what a provider's keyring tells of every record of a field (M1).

    Parameters
    ----------
    view : View
        Of an adversary with a provider.
    aux : Auxiliary, optional
        To choose a value where only its cell is known.

    Returns
    -------
    Guess
        For records that the provider opens, their values. For entries of indexes that it can
        encrypt for, the cell of each; within the cell the likeliest value. Confidence is 1 for what
        is certain, and the value's share of the cell otherwise.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no provider in the view or no such field, or aux is of another domain.

    Notes
    -----
    **Adversary**: provider, provider+snapshot, provider+cloud. **Knowledge**: the provider's keys
    give the first and the last ciphertext of each cell it can encrypt for. **Success**: the cell is
    right; at one step a cell that is the value. With the whole cell it is always right: whoever
    encrypts for an index compares with all of it, so merging is what is attacked, not a weakness of
    the cipher. Between the marks of the layout for evaluation an entry may be of either neighbour;
    there is no guess here then, and `locate_between_marks` weighs both. **Cost**: one binary search
    per entry.

    References
    ----------
    .. [1] X. Wang and Y. Zhao, "Order-Revealing Encryption: File-Injection Attack and Forward
       Security", ESORICS 2018: the same from the outside.
    """
    domain, insider = view.domain(field), _insider(view)
    likeliest, shares, _ = _within_cells(domain, field, aux)
    values = insider.own.get(field, np.full(view.records, NO_GUESS)).copy()
    confidence = np.where(values >= 0, 1.0, 0.0)
    for index in view.indexes.get(field, ()):
        spans = insider.spans.get((index.group, field))
        if spans is None:
            continue
        cells = np.searchsorted(spans[:, 0], index.ciphertexts, side="right") - 1
        is_in = (cells >= 0) & (index.ciphertexts <= spans[cells, 1])
        found = is_in & (values[index.records] == NO_GUESS)
        values[index.records[found]] = likeliest[cells[found]]
        confidence[index.records[found]] = shares[cells[found]]
    return Guess(values, confidence)


def _within_cells(
    domain: Domain, field: str, aux: Auxiliary | None
) -> tuple[Integers, Floats, Floats]:
    """Return the likeliest value of each cell, its share of the cell, and the cell's probability.

    Without knowledge all values of the domain are as likely.
    """
    uniform = np.full(domain.plaintexts, 1 / domain.plaintexts)
    distribution = uniform if aux is None else aux.distribution(field, domain)
    likeliest, masses = domain.likeliest(distribution), domain.cell_masses(distribution)
    return likeliest, distribution[likeliest] / masses, masses


def _insider(view: View) -> Insider:
    if view.insider is None:
        raise InvalidInputError(f"there is no provider in a view of {view.adversary}")
    return view.insider


@checked()
def labelled(view: View, field: str, aux: Auxiliary | None = None) -> Guess:
    """Return what queries whose values are known tell of every record of a field (M4).

    Parameters
    ----------
    view : View
        Of provider+cloud or user+cloud, with queries.
    aux : Auxiliary, optional
        To choose among the values that are left; without it the lowest.

    Returns
    -------
    Guess
        In each index the values that queries are known to ask for label cuts; an entry between two
        neighbouring labels has one of the values between them. Confidence is 1 if one is left, and
        otherwise the value's share of them.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the view has no such field, or nobody in it knows what a query asks for.

    Notes
    -----
    **Adversary**: user+cloud knows the values of its queries. provider+cloud reads the bounds of
    queries to its own group with its keys; the tokens that the same query sends to other groups
    carry the same bounds there, so that those fall too. **Knowledge**: which tokens come together.
    **Success**: the value (its cell) is right. After ``Q`` uniform queries over ``M`` values
    ``1 - ((M - 1) / (M + 1))^Q`` of all cuts are labelled (derived here): the isolation of groups
    decays with every query that crosses them. **Cost**: O(Q log Q + n log Q).
    """
    domain = view.domain(field)
    if view.adversary not in (Adversary.PROVIDER_CLOUD, Adversary.USER_CLOUD):
        raise InvalidInputError(f"{view.adversary} does not know what any query asks for")
    likeliest, shares, masses = _within_cells(domain, field, aux)
    values = np.full(view.records, NO_GUESS)
    confidence = np.zeros(view.records)
    labels = _labels(view, field)
    for index in view.indexes_of(field):
        known = sorted(labels.get(index.group, {}).items())
        cuts = np.array([cut for cut, _ in known], np.int64)
        if (np.diff([cell for _, cell in known]) < 0).any():
            raise InvalidInputError(f"tokens to group {index.group!r} contradict each other")
        cells = np.array([0, *(cell for _, cell in known), domain.cells])
        at = np.searchsorted(cuts, index.ciphertexts, side="right")
        parts = [masses[a : max(b, a + 1)] for a, b in pairwise(cells)]
        best = cells[:-1] + np.array([part.argmax() for part in parts])
        of_part = np.array([part.max() / part.sum() for part in parts])
        values[index.records] = likeliest[best[at]]
        confidence[index.records] = of_part[at] * shares[best[at]]
    return Guess(values, confidence)


def _labels(view: View, field: str) -> dict[str, dict[int, int]]:
    """Return for each group the cuts whose cell is known: first ciphertext of the cell, and cell.

    The end of a range labels the cut after its last cell.
    """
    labels: dict[str, dict[int, int]] = {}
    for tokens in _together(view.tokens):
        cells = _cells_asked(view, field, tokens)
        if cells is None:
            continue
        for token in tokens:
            low, high = token.bounds[field]
            if not 0 <= low <= high <= _LAST:
                raise InvalidInputError(f"the bounds of a token are no range of field {field!r}")
            known = labels.setdefault(token.group, {})
            told = {low: cells[0]}
            if cells[1] + 1 < view.domain(field).cells and high < _LAST:
                told[high + 1] = cells[1] + 1
            if any(known.setdefault(cut, cell) != cell for cut, cell in told.items()):
                raise InvalidInputError(f"tokens to group {token.group!r} contradict each other")
    return labels


def _together(tokens: Sequence[ObservedToken]) -> Iterator[list[ObservedToken]]:
    """Return the tokens of each query."""
    by_query: dict[int, list[ObservedToken]] = {}
    for token in tokens:
        by_query.setdefault(token.query, []).append(token)
    return iter(by_query.values())


def _cells_asked(view: View, field: str, tokens: Sequence[ObservedToken]) -> tuple[int, int] | None:
    """Return the lowest and the highest cell that a query asks for, if the adversary knows."""
    for token in tokens:
        if field not in token.bounds:
            return None
        if field in token.values:
            low, high = token.values[field]
            if not 0 <= low <= high < view.domain(field).plaintexts:
                raise InvalidInputError(f"the values of a token are no range of field {field!r}")
            return low // view.domain(field).cell, high // view.domain(field).cell
        spans = None if view.insider is None else view.insider.spans.get((token.group, field))
        if spans is not None:
            first, last = token.bounds[field]
            low = int(np.searchsorted(spans[:, 0], first, side="right")) - 1
            high = int(np.searchsorted(spans[:, 1], last, side="left"))
            return low, high
    return None


@checked()
def candidates(
    ciphertexts: Any,
    known: Any,
    values: Any,
    plaintexts: int,
    *,
    equals: Literal["meet", "spread"] = "spread",
) -> tuple[Integers, Integers]:
    """Return which values each ciphertext can have, given some whose value is known (M1).

    Parameters
    ----------
    ciphertexts : (n,) integer array
        In any order.
    known : (q,) integer array
        Ciphertexts in the same order as others of their index.
    values : (q,) integer array
        Their values.
    plaintexts : int
        How many values there are.
    equals : {"spread", "meet"}
        Whether equal values have equal ciphertexts, as under deterministic encryption, or spread
        over a cell.

    Returns
    -------
    (n,) int64 array and (n,) int64 array
        The lowest and the highest value of each.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no ciphertext, a value is outside the domain, or known pairs are not in order.
    mopse.errors.WrongTypeError
        If something is not integers.

    Notes
    -----
    **Adversary**: provider+snapshot. **Knowledge**: entries of its own records, without any key.
    **Success**: few candidates; `expected_candidates` says how many. **Cost**: O((n + q) log q).

    Examples
    --------
    >>> low, high = candidates([5, 20, 25], [10, 30], [3, 6], plaintexts=9)
    >>> list(zip(low.tolist(), high.tolist()))
    [(0, 3), (3, 6), (3, 6)]
    """
    Domain(plaintexts)
    if equals not in ("meet", "spread"):
        raise InvalidInputError(f"equals is {equals!r}, expected 'meet' or 'spread'")
    places, at = integers(ciphertexts, "the ciphertexts"), integers(known, "the known ciphertexts")
    labels = integers(values, "the known values")
    if not len(places):
        raise InvalidInputError("there is no ciphertext")
    if len(at) != len(labels):
        raise InvalidInputError(f"{len(at)} known ciphertexts with {len(labels)} values")
    if len(labels) and not 0 <= labels.min() <= labels.max() < plaintexts:
        raise InvalidInputError("a known value is outside the domain")
    order = np.lexsort((labels, at))
    at, labels = at[order], labels[order]
    if (np.diff(labels) < 0).any():
        raise InvalidInputError("the known ciphertexts are not in the order of their values")
    is_same = np.diff(at) == 0
    if (np.diff(labels)[is_same] > 0).any():
        raise InvalidInputError("one known ciphertext has two values")
    if equals == "meet" and (np.diff(labels)[~is_same] == 0).any():
        raise InvalidInputError("one known value has two ciphertexts, so that equals do not meet")
    before = np.searchsorted(at, places, side="right")
    from_here = np.searchsorted(at, places, side="left")
    low = np.concatenate([[0], labels])[before]
    high = np.concatenate([labels, [plaintexts - 1]])[from_here]
    if equals == "meet":
        is_known = before > from_here
        low = np.where(is_known, low, np.concatenate([[0], labels + 1])[before])
        high = np.where(is_known, high, np.concatenate([labels - 1, [plaintexts - 1]])[from_here])
    if (low > high).any():
        entry = int(np.argmax(low > high))
        raise InvalidInputError(f"the known pairs leave no value for ciphertext {entry}")
    return low, high


@checked()
def by_copies(view: View, field: str, known: Any, values: Any) -> Guess:
    """Return the value of the highest known ciphertext at or below each entry (M1).

    Parameters
    ----------
    field : str
        Name of the field; it has one index.
    known : (q,) integer array
        Ciphertexts that the provider made in that index.
    values : (q,) integer array
        Their values; several copies of each.

    Returns
    -------
    Guess
        No guess below the lowest copy.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not as many values, or the field has several indexes.
    mopse.errors.WrongTypeError
        If something is not integers.

    Notes
    -----
    **Adversary**: provider+cloud that only encrypts, and keeps away from its rulers.
    **Success**: with ``r`` copies of every value placed at random in its cell a guess is right if
    one of them is below the entry: ``r / (r + 1)``; if equal ciphertexts are put in random order,
    once per copy, ``1 - 2^-r`` (derived here). **Cost**: r M encryptions.
    """
    index = view.index(field)
    at, labels = integers(known, "the known ciphertexts"), integers(values, "the known values")
    if len(at) != len(labels):
        raise InvalidInputError(f"{len(at)} known ciphertexts with {len(labels)} values")
    if len(labels) and not 0 <= labels.min() <= labels.max() < view.domain(field).plaintexts:
        raise InvalidInputError("a known value is outside the domain")
    order = np.argsort(at, kind="stable")
    below = np.searchsorted(at[order], index.ciphertexts, side="right")
    guesses = np.full(view.records, NO_GUESS)
    guesses[index.records] = np.concatenate([[NO_GUESS], labels[order]])[below]
    return Guess(guesses)


@checked()
def linkage(truth: Integers, classes: Integers, senders: Integers) -> float:
    """Return the share of equal values at different providers that a view shows to be equal (M3).

    Parameters
    ----------
    truth : (records,) int64 array
        Values, -1 where there is none.
    classes : (records,) int64 array
        The class an adversary puts each record in, -1 for none.
    senders : (records,) int64 array
        The provider of each record.

    Returns
    -------
    float
        Pairs of records of two providers with equal values that are in one class, of all such
        pairs; not a number if there is no such pair.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the arrays differ in length.
    mopse.errors.WrongTypeError
        If they are not integers.

    Notes
    -----
    1 under deterministic encryption, whose classes are equal ciphertexts. Pairs that are in one
    class and not equal do not count here.
    """
    truth, classes = integers(truth, "the truth"), integers(classes, "the classes")
    senders = integers(senders, "the senders")
    if not len(truth) == len(classes) == len(senders):
        raise InvalidInputError("truth, classes and senders are of different records")
    is_held = truth >= 0
    pairs = _pairs(truth[None, is_held], senders[is_held])
    is_held &= classes >= 0
    found = _pairs(np.stack([truth, classes])[:, is_held], senders[is_held])
    return found / pairs if pairs else math.nan


def _pairs(keys: NDArray[np.int64], senders: Integers) -> float:
    """Count pairs of records of two providers whose keys are equal."""
    _, all_counts = np.unique(keys, axis=1, return_counts=True)
    _, own_counts = np.unique(np.vstack([keys, senders]), axis=1, return_counts=True)
    return float((all_counts**2).sum() - (own_counts**2).sum()) / 2
