"""Attacks on a copy of the store: order, repetition, ranks, columns that belong together."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import refuse_masked
from mopse._checked import checked
from mopse._checks import whole
from mopse.attacks._auxiliary import Auxiliary
from mopse.attacks._guess import NO_GUESS, Guess, Posterior
from mopse.attacks._view import Domain, Index, View
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = [
    "assignment",
    "correlated",
    "cumulative",
    "frequency",
    "monotone_cumulative",
    "multinomial",
    "non_crossing",
    "ordered_posterior",
    "rank",
    "sorting",
]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@checked()
def sorting(view: View, field: str) -> Guess:
    """Return the i-th value for the i-th distinct ciphertext of each index (S1).

    Returns
    -------
    Guess
        No guess where one ciphertext is all there is and the field has more cells.

    Raises
    ------
    mopse.errors.InvalidInputError
        If no entry of the field is seen, or there are more distinct ciphertexts than cells: then
        repetition is hidden, and order alone says nothing in this way.

    Notes
    -----
    **Adversary**: snapshot. **Knowledge**: the domain. **Success**: the cell; a record is recovered
    if and only if no cell below its own is missing, so all are if every cell occurs.
    **Cost**: O(n log n).

    References
    ----------
    .. [1] M. Naveed, S. Kamara and C. V. Wright, "Inference Attacks on Property-Preserving
       Encrypted Databases", CCS 2015, section 5.1.
    """

    def match(counts: Integers, domain: Domain) -> Integers:
        return np.arange(len(counts))

    return _matched(view, field, match, None)


@checked()
def frequency(view: View, field: str, aux: Auxiliary) -> Guess:
    """Return the commonest value for the commonest ciphertext, and so on (S2).

    Returns
    -------
    Guess
        One value per record; no guess as for `sorting`.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `sorting` does, or if aux is of another domain.

    Notes
    -----
    **Adversary**: snapshot of ciphertexts that are equal for equal values, in any order: it is the
    baseline that uses no order. **Knowledge**: a distribution. **Success**: the cell. Without order
    it is the most likely matching, and optimal for every `assignment`. **Cost**: O(n log n).

    References
    ----------
    .. [1] Naveed, Kamara and Wright, CCS 2015, section 4.1.
    """

    def match(counts: Integers, domain: Domain) -> Integers:
        masses = domain.cell_masses(aux.distribution(field, domain))
        by_count = np.argsort(-counts, kind="stable")
        matched = np.empty(len(counts), np.int64)
        matched[by_count] = np.argsort(-masses, kind="stable")[: len(counts)]
        return matched

    return _matched(view, field, match, aux)


@checked()
def assignment(view: View, field: str, aux: Auxiliary, *, power: float = 1.0) -> Guess:
    """Return the matching of least distance between histograms, in any order (S2).

    Parameters
    ----------
    view : View
        With the store.
    aux : Auxiliary
        How often values occur elsewhere.
    power : float
        Of the differences that are summed, above 0.

    Returns
    -------
    Guess
        One value per record; no guess as for `sorting`.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `frequency` does, or if the power is not a number above 0.

    Notes
    -----
    As `frequency`, which costs less and is no worse for powers from 1 on. Histograms are of all
    cells: one that no class is matched to counts with what is known of it.
    **Cost**: O(k^2 M) for k classes, M cells.

    References
    ----------
    .. [1] Naveed, Kamara and Wright, CCS 2015, section 4.2.
    """
    if not 0 < power < np.inf:
        raise InvalidInputError(f"the power is {power}, expected a number above 0")

    def match(counts: Integers, domain: Domain) -> Integers:
        psi, pi = _histograms(counts, domain, aux, field)
        # A cell that no class gets is as far from nothing as it is common.
        return _mopse.attack.assign(
            np.abs(psi[:, None] - pi[None, :]) ** power - pi[None, :] ** power
        )

    return _matched(view, field, match, aux)


@checked()
def cumulative(view: View, field: str, aux: Auxiliary) -> Guess:
    """Return the matching of least distance between histograms and their sums (S3).

    Returns
    -------
    Guess
        One value per record; the matching may cross. No guess as for `sorting`.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `frequency` does.

    Notes
    -----
    **Adversary**: snapshot of ciphertexts that are equal for equal values and in order.
    **Knowledge**: a distribution. **Success**: the cell. Histograms are compared as shares, so that
    the sizes of target and knowledge do not matter. **Cost**: O(k^2 M).

    References
    ----------
    .. [1] Naveed, Kamara and Wright, CCS 2015, section 5.2.
    """

    def match(counts: Integers, domain: Domain) -> Integers:
        return _mopse.attack.assign(_cumulative_costs(counts, domain, aux, field))

    return _matched(view, field, match, aux)


@checked()
def monotone_cumulative(view: View, field: str, aux: Auxiliary) -> Guess:
    """Return the matching of `cumulative` among those that keep the order (S3).

    Parameters
    ----------
    view : View
        With the store.
    aux : Auxiliary
        How often values occur elsewhere.

    Returns
    -------
    Guess
        One value per record, higher for higher ciphertexts; no guess as for `sorting`.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `frequency` does.

    Notes
    -----
    As `cumulative`, whose own statement leaves the order to the costs. **Cost**: O(k M).

    References
    ----------
    .. [1] Naveed, Kamara and Wright, CCS 2015, section 5.2; the order is added here.
    """

    def match(counts: Integers, domain: Domain) -> Integers:
        return _mopse.attack.increasing(_cumulative_costs(counts, domain, aux, field))

    return _matched(view, field, match, aux)


@checked(mask=2)
def non_crossing(
    view: View, field: str, aux: Auxiliary, *, mask: NDArray[np.bool_] | None = None
) -> Guess:
    """Return the matching in order of least distance between histograms (S4).

    Parameters
    ----------
    mask : (k, B) bool array, optional
        Which cells each class can be, where more is leaked than order; the field has one index.

    Returns
    -------
    Guess
        One value per record, higher for higher ciphertexts; no guess as for `sorting`,
        unless there is a mask.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `frequency` does, or if the mask has another shape or leaves no matching.

    Notes
    -----
    **Adversary**: snapshot of ciphertexts that are equal for equal values and in order.
    **Knowledge**: a distribution. **Success**: the cell. If every cell occurs it is right whatever
    is known. **Cost**: O(k B).

    References
    ----------
    .. [1] P. Grubbs et al., "Leakage-Abuse Attacks against Order-Revealing Encryption", IEEE S&P
       2017 (eprint 2016/895), non-crossing matching.
    """
    if mask is not None:
        view.index(field)
        refuse_masked(mask, "the mask")
        if not (isinstance(mask, np.ndarray) and mask.dtype == np.bool_):
            raise WrongTypeError(f"the mask must be a bool array, not {type(mask).__name__}")

    def match(counts: Integers, domain: Domain) -> Integers:
        psi, pi = _histograms(counts, domain, aux, field)
        costs = np.abs(psi[:, None] - pi[None, :])
        if mask is not None:
            if np.shape(mask) != costs.shape:
                raise InvalidInputError(f"a mask of shape {np.shape(mask)}, not {costs.shape}")
            costs = np.where(mask, costs, np.inf)
        return _mopse.attack.increasing(costs)

    return _matched(view, field, match, aux, least=2 if mask is None else 1)


@checked()
def multinomial(view: View, field: str, aux: Auxiliary) -> Guess:
    """Return the most likely matching in order (S5, all records at once).

    Returns
    -------
    Guess
        One value per record, higher for higher ciphertexts; no guess as for `sorting`.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `frequency` does.

    Notes
    -----
    **Adversary**: snapshot of ciphertexts that are equal for equal values and in order.
    **Knowledge**: a distribution. **Success**: the cell. The likeliest matching as a whole is not
    the one with most records right: that is `ordered_posterior`. **Cost**: O(k B).

    References
    ----------
    .. [1] V. Bindschaedler et al., "The Tao of Inference in Privacy-Protected Databases",
       PVLDB 11(11), 2018, the multinomial attack.
    """

    def match(counts: Integers, domain: Domain) -> Integers:
        masses = domain.cell_masses(aux.distribution(field, domain))
        return _mopse.attack.increasing(
            -counts.astype(np.float64)[:, None] * np.log(masses)[None, :]
        )

    return _matched(view, field, match, aux)


@checked()
def ordered_posterior(view: View, field: str, aux: Auxiliary) -> Posterior:
    """Return how likely each value is for each class of equal ciphertexts (S5).

    Returns
    -------
    Posterior
        Over all matchings in order; the values of a cell share its probability as they occur.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `frequency` does.

    Notes
    -----
    **Adversary**: snapshot of ciphertexts that are equal for equal values and in order.
    **Knowledge**: a distribution, taken for the one the values are drawn from: it is as confident
    as that is right. **Success**: the cell, or a value within a tolerance; both are decoded
    optimally for each record. **Cost**: O(k (B - k + 1)) time, O(k M) memory.

    References
    ----------
    .. [1] Bindschaedler et al., PVLDB 11(11), 2018, for the likelihood; the probabilities of each
       match are derived here.
    """
    domain = view.domain(field)
    distribution = aux.distribution(field, domain)
    masses = domain.cell_masses(distribution)
    of_record = np.full(view.records, -1)
    tables: list[Floats] = []
    first = 0
    for index in view.indexes_of(field):
        classes, counts = _classes(index, domain, field)
        of_record[index.records] = first + classes
        first += len(counts)
        tables.append(_mopse.attack.ordered_posterior(counts.astype(np.float64), masses))
    return Posterior(domain, of_record, _spread(np.concatenate(tables), domain, distribution))


@checked()
def rank(view: View, field: str, aux: Auxiliary, *, tolerance: int = 0) -> Guess:
    """Return the value that is most likely for the rank of each entry (S6).

    Parameters
    ----------
    tolerance : int
        How far a guess may be off and still count, in steps; with wider cells in whole cells,
        rounded up.

    Returns
    -------
    Guess
        With the probability of being right, were the values drawn from what is known.

    Raises
    ------
    mopse.errors.InvalidInputError
        If no entry of the field is seen, aux is of another domain, or the tolerance is negative.

    Notes
    -----
    **Adversary**: snapshot of ciphertexts that hide which values are equal, or the ranks of any
    others. **Knowledge**: a distribution. **Success**: the cell, or a value within the tolerance.
    Nothing does better with ranks alone; `expected_rank_recovery` is what it gives. **Cost**: O(n)
    for each cell of tolerance, and some square roots of n for each cell.

    References
    ----------
    .. [1] Grubbs et al., IEEE S&P 2017 (eprint 2016/895), the binomial attack.
    """
    whole(tolerance, "tolerance", least=0)
    domain = view.domain(field)
    distribution = aux.distribution(field, domain)
    masses = domain.cell_masses(distribution)
    likeliest = domain.likeliest(distribution)
    values = np.full(view.records, NO_GUESS)
    confidence = np.zeros(view.records)
    near = min(-(-tolerance // domain.cell), domain.cells)
    for index in view.indexes_of(field):
        cells, sure = _mopse.attack.rank_guesses(len(index.records), masses, near)
        values[index.records] = likeliest[cells]
        share = 1.0 if near else distribution[likeliest[cells]] / masses[cells]
        confidence[index.records] = sure * share
    return Guess(values, confidence)


@checked()
def correlated(view: View, field: str, beside: str, aux: Auxiliary) -> Posterior:
    """Return how likely each value of a field is, given another field of the same record (S9).

    Parameters
    ----------
    field : str
        Name of the field to guess.
    beside : str
        Name of the other field.
    aux : Auxiliary
        With how often both fields' values occur together: pair ``(field, beside)``.

    Returns
    -------
    Posterior
        One row per record with entries in both; the others as `ordered_posterior` says.

    Raises
    ------
    mopse.errors.InvalidInputError
        As `frequency` does for either field, or if the pair was not counted.

    Notes
    -----
    **Adversary**: snapshot of ciphertexts that are equal for equal values and in order; which
    entries belong to one record shows in the store. **Knowledge**: a joint distribution.
    **Success**: the cell, or a value within a tolerance. ``P(v, w) ~ pi(v, w) post(v) / pi(v)
    post'(w) / pi'(w)``: independent columns change nothing. **Cost**: O(M M') for each pair of
    classes that occurs.

    References
    ----------
    .. [1] F. B. Durak, T. M. DuBuisson and D. Cash, "What Else is Revealed by Order-Revealing
       Encryption?", CCS 2016, on columns together; this rule is derived here.
    """
    alone, other = ordered_posterior(view, field, aux), ordered_posterior(view, beside, aux)
    domains = alone.domain, other.domain
    joint = aux.joint(field, beside, domains)
    own, theirs = joint.sum(axis=1), joint.sum(axis=0)
    is_both = (alone.classes >= 0) & (other.classes >= 0)
    pairs = np.stack([alone.classes, other.classes])[:, is_both]
    kinds, kind_of = np.unique(pairs, axis=1, return_inverse=True)
    # What the other field says of this one: sum over w of pi(v, w) post'(w) / pi'(w).
    told = (other.masses / theirs) @ joint.T / own
    masses = alone.masses[kinds[0]] * told[kinds[1]]
    classes = alone.classes.copy()
    classes[is_both] = len(alone.masses) + kind_of
    together = masses / masses.sum(axis=1, keepdims=True)
    return Posterior(alone.domain, classes, np.concatenate([alone.masses, together]))


def _classes(index: Index, domain: Domain, field: str) -> tuple[Integers, Integers]:
    """Return classes of equal ciphertexts and their sizes, or say that repetition is hidden."""
    classes, counts = index.classes()
    if len(counts) > domain.cells:
        raise InvalidInputError(
            f"field {field!r}: {len(counts)} distinct ciphertexts over {domain.cells} cells: "
            "repetition is hidden, and this attack needs it; see mopse.attacks.rank"
        )
    return classes, counts


def _matched(
    view: View,
    field: str,
    match: Callable[[Integers, Domain], Integers],
    aux: Auxiliary | None,
    *,
    least: int = 2,
) -> Guess:
    """Return the values of the cells that each index's classes are matched to.

    One class can be told from no other: its share is 1 of all, whatever it is. So there is no guess
    for fewer classes than `least`.
    """
    domain = view.domain(field)
    likeliest = domain.likeliest(None if aux is None else aux.distribution(field, domain))
    values = np.full(view.records, NO_GUESS)
    for index in view.indexes_of(field):
        classes, counts = _classes(index, domain, field)
        is_told = len(counts) >= min(least, domain.cells)
        cells = match(counts, domain) if is_told else np.full(1, NO_GUESS)
        values[index.records] = np.where(cells >= 0, likeliest[cells], NO_GUESS)[classes]
    return Guess(values)


def _histograms(
    counts: Integers, domain: Domain, aux: Auxiliary, field: str
) -> tuple[Floats, Floats]:
    """Return the shares of classes, and those known of cells."""
    return counts / counts.sum(), domain.cell_masses(aux.distribution(field, domain))


def _cumulative_costs(counts: Integers, domain: Domain, aux: Auxiliary, field: str) -> Floats:
    psi, pi = _histograms(counts, domain, aux, field)
    costs: Floats = (psi[:, None] - pi[None, :]) ** 2
    costs += (np.cumsum(psi)[:, None] - np.cumsum(pi)[None, :]) ** 2
    return costs


def _spread(masses: Floats, domain: Domain, distribution: Floats) -> Floats:
    """Return probabilities of values from those of their cells."""
    if domain.cell == 1:
        return masses
    cells = np.arange(domain.plaintexts) // domain.cell
    spread: Floats = masses[:, cells] * (distribution / domain.cell_masses(distribution)[cells])
    return spread
