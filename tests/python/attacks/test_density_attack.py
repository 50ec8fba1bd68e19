"""Where the density of one-to-many ciphertexts jumps, against columns whose pieces are known."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mopse import Opse, attacks
from mopse.attacks import Domain, Index, View
from mopse.errors import InvalidInputError, WrongTypeError

Z = 4.8916
"""Standard errors that a right attack deviates by with probability 1e-6."""

UNEQUAL = np.where(np.arange(20) % 2, 4.0, 1.0) / 50
"""Twenty values, every second one four times as frequent."""
FLAT = np.full(20, 0.05)
WIDTH = 2**63 // 20


def drawn(shares, n, seed):
    """Return values that occur as often as they should, in any order."""
    return np.random.default_rng(seed).choice(len(shares), n, p=shares)


def counted(shares, n, seed):
    """Return values that occur exactly as often as they should."""
    counts = np.rint(shares * n).astype(int)
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(shares)), counts))


def evenly(x, seed):
    """Return ciphertexts of pieces of one width."""
    return x * WIDTH + np.random.default_rng(seed).integers(0, WIDTH, len(x))


def really(x, seed, plaintexts=20):
    """Return one-to-many ciphertexts of the real encryption."""
    return Opse(seed.to_bytes(32, "big"), plaintexts).encrypt(x, np.arange(len(x)))


def recovered(classes, x):
    """Return the share of records in a class that is exactly one value's."""
    pairs = set(zip(classes.tolist(), x.tolist(), strict=True))
    of_class = {c: [v for k, v in pairs if k == c] for c, _ in pairs}
    of_value = {v: [c for c, k in pairs if k == v] for _, v in pairs}
    right = [len(of_class[c]) == 1 == len(of_value[v]) for c, v in zip(classes, x, strict=True)]
    return np.mean(right)


# Known columns


@pytest.mark.parametrize("seed", range(5))
def test_flat_counts_in_equal_pieces_show_no_boundary(seed):
    # Negative control. A cut of even ciphertexts gains a few; 3 ln n = 27.6 is gained with a
    # probability below n e^-27.6 = 1e-8.
    ciphertexts = evenly(counted(FLAT, 10_000, seed), seed)
    view = View.snapshot(ciphertexts, 20)
    assert set(attacks.segments(view, "x", penalty=3).tolist()) == {0}


@pytest.mark.parametrize("seed", range(5))
def test_counts_of_one_to_four_in_equal_pieces_show_all_boundaries(seed):
    x = counted(UNEQUAL, 10_000, seed)
    ciphertexts = evenly(x, seed)
    classes = attacks.segments(View.snapshot(ciphertexts, 20), "x", penalty=3)
    cuts = [ciphertexts[classes == c].min() for c in range(1, classes.max() + 1)]
    assert len(cuts) == 19
    assert (np.abs(np.array(cuts) - np.arange(1, 20) * WIDTH) < 0.2 * WIDTH).all()
    # Only a few entries next to a boundary are in the other segment.
    assert (classes == x).mean() > 0.98


@pytest.mark.parametrize(("n", "least", "most"), [(200, 0.4, 0.75), (1000, 0.97, 1), (5000, 1, 1)])
def test_dyadic_pieces_of_unequal_density_are_recovered(n, least, most):
    # Mean of 20 keys: single ones vary by 0.17 at 200 records and 0.03 at 1000.
    shares = []
    for seed in range(20):
        x = drawn(UNEQUAL, n, seed)
        view = View.snapshot(really(x, seed), plaintexts=20)
        classes = attacks.dyadic_segments(view, "x", values=len(np.unique(x)))
        shares.append(recovered(classes, x))
    assert least <= np.mean(shares) <= most


def test_dyadic_pieces_of_equal_counts_are_recovered_in_part():
    shares = []
    for seed in range(20):
        x = drawn(FLAT, 5000, seed)
        view = View.snapshot(really(x, seed), plaintexts=20)
        shares.append(recovered(attacks.dyadic_segments(view, "x", values=20), x))
    assert 0.15 < np.mean(shares) < 0.4


def test_estimated_counts_near_the_true_ones_as_records_grow():
    distances = []
    for n in (200, 1000, 5000):
        sums = 0.0
        for seed in range(20):
            x = drawn(UNEQUAL, n, seed)
            view = View.snapshot(really(x, seed), plaintexts=20)
            classes = attacks.dyadic_segments(view, "x", values=20)
            estimated = np.sort(np.bincount(classes, minlength=20))
            sums += attacks.total_variation(estimated, np.sort(np.bincount(x, minlength=20))) / 20
        distances.append(sums)
    assert distances[0] > 0.05 > distances[1] >= distances[2]
    assert distances[2] < 0.001


@pytest.mark.parametrize(("n", "share"), [(1000, 0.16), (5000, 0.53), (20_000, 0.77)])
def test_cells_of_a_ruler_are_found_as_records_grow(n, share):
    # Of 81 uniform values in random cells; a record counts where its segment and its value have
    # most of each other. Means of 10 columns, which vary by 0.02.
    shares = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        cuts = np.concatenate(([0], np.sort(random.integers(1, 2**63, 80)), [2**63 - 1]))
        x = random.integers(0, 81, n)
        ciphertexts = random.integers(cuts[x], cuts[x + 1])
        classes = attacks.segments(View.snapshot(ciphertexts, 81), "x")
        table = np.zeros((classes.max() + 1, 81))
        np.add.at(table, (classes, x), 1)
        is_right = (table.argmax(axis=1)[:, None] == np.arange(81)) & (
            table.argmax(axis=0) == np.arange(len(table))[:, None]
        )
        shares.append(table[is_right].sum() / n)
    assert np.mean(shares) == pytest.approx(share, abs=0.06)


def test_permuted_ciphertexts_show_no_classes():
    # Negative control: a class of permuted records has their shares of values, so that its most
    # frequent value is 8 % of it; with 250 records a class, the largest of 20 shares stays below
    # 0.08 + 6 sqrt(0.08 * 0.92 / 50) = 0.31 with probability above 1 - 1e-6.
    x = drawn(UNEQUAL, 5000, 1)
    ciphertexts = np.random.default_rng(2).permutation(really(x, 1))
    classes = attacks.dyadic_segments(View.snapshot(ciphertexts, 20), "x", values=20)
    assert recovered(classes, x) == 0
    for c in range(20):
        members = x[classes == c]
        assert np.bincount(members).max() < 0.31 * len(members)


# Laws


def reference_dyadic(entries, low, width, penalty):
    """Return the cost and the first ciphertexts of the cheapest cells, by the definition."""
    n = len(entries)
    if n == 0:
        return 0.0, []
    whole = n * math.log(width / n) + penalty
    if n == 1 or width == 1:
        return whole, [low]
    half = width // 2
    lower = [e for e in entries if e < low + half]
    cost, starts = reference_dyadic(lower, low, half, penalty)
    other, others = reference_dyadic(entries[len(lower) :], low + half, half, penalty)
    return (cost + other, starts + others) if cost + other < whole else (whole, [low])


def reference_cuts(entries, low, high, penalty):
    """Return the cuts of a piece up to but not including `high`, by the definition."""

    def term(k, length):
        return k * math.log(k / length)

    n = len(entries)
    gains = [
        term(i, entries[i] - low) + term(n - i, high - entries[i]) - term(n, high - low)
        if entries[i] > entries[i - 1]
        else -math.inf
        for i in range(1, n)
    ]
    if not gains or max(gains) <= penalty:
        return []
    best = sorted(gains)[-2:]
    assume(len(best) == 1 or best[1] - best[0] > 1e-9)  # else rounding chooses
    i = 1 + int(np.argmax(gains))
    cut = entries[i]
    left, right = entries[:i], entries[i:]
    return [
        *reference_cuts(left, low, cut, penalty),
        cut,
        *reference_cuts(right, cut, high, penalty),
    ]


@st.composite
def columns(draw):
    bits = draw(st.integers(1, 10))
    near = st.integers(0, min(7, 2**bits - 1))
    return bits, draw(st.lists(near | st.integers(0, 2**bits - 1), min_size=1, max_size=40))


# Penalties that no tie of gains is at.
penalties = st.sampled_from([0.0123, 0.31, 1.07, 2.3])


def numbered(starts, ciphertexts):
    return [sum(start <= c for start in starts) - 1 for c in ciphertexts]


@given(columns(), penalties)
def test_cells_are_those_of_the_reference(column, penalty):
    bits, ciphertexts = column
    view = View.snapshot(ciphertexts, plaintexts=5)
    classes = attacks.dyadic_segments(view, "x", penalty=penalty, range_bits=bits)
    entries = sorted(ciphertexts)
    weight = penalty * math.log(len(entries))
    _, starts = reference_dyadic(entries, 0, 2**bits, weight)
    assert classes.tolist() == numbered(starts, ciphertexts)


@given(columns(), penalties)
def test_change_points_are_those_of_the_reference(column, penalty):
    bits, ciphertexts = column
    view = View.snapshot(ciphertexts, plaintexts=5)
    classes = attacks.segments(view, "x", penalty=penalty, range_bits=bits)
    entries = sorted(ciphertexts)
    cuts = reference_cuts(entries, 0, 2**bits, penalty * math.log(len(entries)))
    first = numbered([0, *cuts], entries[:1])[0]
    assert classes.tolist() == [c - first for c in numbered([0, *cuts], ciphertexts)]


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=60), st.integers(1, 9))
def test_there_are_at_most_as_many_segments_as_values(ciphertexts, values):
    view = View.snapshot(ciphertexts, plaintexts=9)
    for attack in (attacks.segments, attacks.dyadic_segments):
        classes = attack(view, "x", values=values)
        assert 0 <= classes.min() <= classes.max() < values
        order = np.argsort(ciphertexts, kind="stable")
        assert (np.diff(classes[order]) >= 0).all()
        equal = np.diff(np.array(ciphertexts)[order]) == 0
        assert (np.diff(classes[order])[equal] == 0).all()


def test_every_index_has_classes_of_its_own():
    left = Index("a", np.array([1, 2, 2**62]), np.array([4, 0, 1]))
    right = Index("b", np.array([7]), np.array([2]))
    view = View("snapshot", {"x": Domain(3)}, np.zeros(5, np.int64), {"x": [left, right]})
    assert attacks.dyadic_segments(view, "x", values=2).tolist() == [0, 1, 2, -1, 0]
    assert attacks.segments(view, "x", values=2).tolist() in ([0, 1, 2, -1, 0], [1, 1, 2, -1, 0])


# Refusals


@pytest.mark.parametrize("attack", [attacks.segments, attacks.dyadic_segments])
def test_what_cannot_be_segmented_is_refused(attack):
    view = View.snapshot([1, 2], plaintexts=3)
    for penalty in (-1.0, math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="penalty is"):
            attack(view, "x", penalty=penalty)
    with pytest.raises(InvalidInputError, match="4 values do not fit 3 cells"):
        attack(view, "x", values=4)
    with pytest.raises(InvalidInputError, match="values is 0"):
        attack(view, "x", values=0)
    with pytest.raises(WrongTypeError, match="values"):
        attack(view, "x", values=2.0)
    for bits in (0, 64):
        with pytest.raises(InvalidInputError, match="range_bits"):
            attack(view, "x", range_bits=bits)
    with pytest.raises(InvalidInputError, match="position 0 lies outside the range of 16"):
        attack(View.snapshot([16], plaintexts=3), "x", range_bits=4)
    with pytest.raises(InvalidInputError, match="position 0 lies outside"):
        attack(View.snapshot([-1], plaintexts=3), "x")
    with pytest.raises(InvalidInputError, match="no field"):
        attack(view, "y")
    empty = View("snapshot", {"x": Domain(3)}, np.zeros(1, np.int64), {"x": []})
    with pytest.raises(InvalidInputError, match="no entry"):
        attack(empty, "x")
    assert attack(View.snapshot([5], plaintexts=3), "x").tolist() == [0]


@pytest.mark.parametrize("attack", [attacks.differential, attacks.dyadic_differential])
def test_a_single_segment_is_no_guess(attack):
    aux = attacks.Auxiliary({"x": [1, 2, 3]})
    view = View.snapshot([5], plaintexts=3)
    guess = attack(view, "x", aux)
    assert guess.values.tolist() == [attacks.NO_GUESS]
    assert guess.confidence.tolist() == [0.0]
    with pytest.raises(InvalidInputError, match="counts of 3 values, the domain has 4"):
        attack(View.snapshot([5], plaintexts=4), "x", aux)
    with pytest.raises(InvalidInputError, match="nothing is known"):
        attack(view, "x", attacks.Auxiliary({"y": [1]}))
