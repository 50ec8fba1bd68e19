"""What the place of a single ciphertext tells, against exact values and the real encryption."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gammaln

from mopse import Opse, attacks
from mopse.attacks import Domain, View
from mopse.errors import InvalidInputError, WrongTypeError

Z = 4.8916
"""Standard errors that a right attack deviates by with probability 1e-6."""


def law(ciphertext, plaintexts, range_size):
    """Return P[x | c] for every x."""
    x = np.arange(plaintexts)
    return stats.hypergeom.pmf(x, range_size - 1, plaintexts - 1, ciphertext)


def reference(ciphertext, plaintexts, range_size, width):
    """Return the largest mass of a window, and the masses of all windows."""
    masses = law(ciphertext, plaintexts, range_size)
    sums = np.convolve(masses, np.ones(width), mode="valid")
    return sums.max(), sums


# Exact values


@pytest.mark.parametrize(
    ("plaintexts", "range_size", "width", "advantage"),
    [
        (64, 4096, 1, 0.15273),
        (64, 4096, 8, 0.7978),
        (64, 4096, 16, 0.9809),
        (64, 4096, 24, 0.9993),
        (128, 2**14, 1, 0.10864),
        (128, 2**14, 12, 0.8174),
        (128, 2**14, 23, 0.9816),
        (128, 2**14, 34, 0.9992),
        (256, 2**16, 1, 0.07720),
        (256, 2**16, 16, 0.7928),
        (256, 2**16, 32, 0.9793),
    ],
)
def test_window_advantages_are_the_exact_ones(plaintexts, range_size, width, advantage):
    digits = 5 if width == 1 else 4
    assert round(attacks.window_advantage(plaintexts, range_size, width), digits) == advantage


def test_the_advantage_of_one_plaintext_is_the_mean_of_the_largest_masses():
    # By log-gamma functions, at the closed form of the mode.
    for plaintexts, range_size in [(64, 4096), (128, 2**14), (256, 2**16)]:
        c = np.arange(range_size)
        x = (c + 1) * plaintexts // (range_size + 1)
        marked, others = plaintexts - 1, range_size - plaintexts
        terms = [(marked, x, 1), (others, c - x, 1), (range_size - 1, c, -1)]
        ln = sum(
            sign * (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)) for n, k, sign in terms
        )
        advantage = attacks.window_advantage(plaintexts, range_size)
        assert advantage == pytest.approx(np.exp(ln).mean(), rel=1e-8)


@pytest.mark.parametrize(
    ("plaintexts", "range_size", "bits"),
    [(64, 4096, 2.432), (128, 2**14, 2.915), (256, 2**16, 3.406)],
)
def test_information_is_the_exact_one(plaintexts, range_size, bits):
    assert round(attacks.information(plaintexts, range_size), 3) == bits


@pytest.mark.parametrize(("b", "limit"), [(0.5, 0.5042), (1, 0.7912), (2, 0.9787), (3, 0.9990)])
def test_limits_of_the_window_advantage_are_the_exact_ones(b, limit):
    assert round(attacks.limit_window_advantage(b), 4) == limit
    # The mean over p, by another quadrature.
    p = (np.arange(10**5) + 0.5) / 10**5
    mean = (2 * stats.norm.cdf(b / (2 * np.sqrt(p * (1 - p)))) - 1).mean()
    assert attacks.limit_window_advantage(b) == pytest.approx(mean, abs=1e-6)


def test_no_window_has_no_advantage_in_the_limit():
    assert attacks.limit_window_advantage(0) == 0


def test_limits_are_approached():
    few, many = (attacks.information(m, m * m) - attacks.limit_information(m) for m in (32, 256))
    assert 0 < many < few < 0.1
    assert attacks.limit_information(64) == pytest.approx(3 - 0.6044, abs=1e-4)
    exact = attacks.window_advantage(256, 2**16)
    assert exact == pytest.approx(math.sqrt(math.pi / 512), rel=0.03)


def test_the_mode_has_a_closed_form_at_every_ciphertext():
    for plaintexts, range_size in [(5, 9), (64, 500), (81, 700)]:
        ciphertexts = np.arange(range_size)
        view = View.snapshot(ciphertexts, plaintexts)
        guess = attacks.geometry(view, "x", range_size=range_size)
        best = [law(c, plaintexts, range_size).max() for c in ciphertexts]
        np.testing.assert_allclose(guess.confidence, best, rtol=1e-9)
        np.testing.assert_array_equal(
            guess.values, [(c + 1) * plaintexts // (range_size + 1) for c in range(range_size)]
        )


def test_distances_are_the_likeliest_ones():
    random = np.random.default_rng(5)
    for plaintexts, range_size in [(2, 5), (9, 40), (64, 4096)]:
        for _ in range(100):
            low, high = sorted(random.choice(range_size, 2, replace=False).tolist())
            d = attacks.distance(low, high, plaintexts=plaintexts, range_size=range_size)
            masses = stats.hypergeom.pmf(
                np.arange(plaintexts - 1), range_size - 2, plaintexts - 2, high - low - 1
            )
            assert masses[d - 1] == pytest.approx(masses.max(), rel=1e-9)


# Laws


@given(st.data())
def test_windows_are_those_of_the_reference(data):
    range_size = data.draw(st.integers(2, 300))
    plaintexts = data.draw(st.integers(1, range_size))
    width = data.draw(st.integers(1, plaintexts))
    ciphertexts = data.draw(st.lists(st.integers(0, range_size - 1), min_size=1, max_size=5))
    view = View.snapshot(ciphertexts, plaintexts)
    guess = attacks.geometry(view, "x", width=width, range_size=range_size)
    for c, value, confidence in zip(ciphertexts, guess.values, guess.confidence, strict=True):
        best, sums = reference(c, plaintexts, range_size, width)
        assert confidence == pytest.approx(best, abs=1e-9)
        assert sums[value - (width - 1) // 2] == pytest.approx(best, abs=1e-9)


def test_every_index_is_treated_apart():
    index = attacks.Index("a", np.array([0, 9]), np.array([2, 0]))
    other = attacks.Index("b", np.array([5]), np.array([1]))
    view = View("snapshot", {"x": Domain(10)}, np.zeros(4, np.int64), {"x": [index, other]})
    guess = attacks.geometry(view, "x", range_size=10)
    assert guess.values.tolist() == [9, 5, 0, attacks.NO_GUESS]
    assert guess.confidence.tolist() == [1, 1, 1, 0]


# The real encryption


def keys(count):
    return [i.to_bytes(32, "big") for i in range(count)]


@pytest.mark.parametrize("plaintexts", [64, 256])
def test_guesses_on_the_real_encryption_are_as_often_right_as_the_law_says(plaintexts):
    # Half the keys encrypt deterministically, half one-to-many: one ciphertext has one law. The
    # range is so large that successes do not depend on it: P[right] is the mean of the confidence
    # over uniform ciphertexts. A right scheme fails with probability 2e-6.
    random = np.random.default_rng(7)
    x = random.integers(0, plaintexts, 20_000)
    ciphertexts = np.array(
        [
            Opse(key, plaintexts).encrypt(int(v), i if i % 2 else None)
            for i, (key, v) in enumerate(zip(keys(len(x)), x, strict=True))
        ]
    )
    view = View.snapshot(ciphertexts, plaintexts)
    places = (np.arange(2**16) * 2 + 1) * 2**46
    grid = View.snapshot(places, plaintexts)
    for width in (1, int(math.sqrt(plaintexts))):
        guess = attacks.geometry(view, "x", width=width)
        low = guess.values - (width - 1) // 2
        right = ((low <= x) & (x < low + width)).mean()
        p = attacks.geometry(grid, "x", width=width).confidence.mean()
        assert abs(right - p) < Z * math.sqrt(p * (1 - p) / len(x))
        # And the mean of the law is near its limit.
        b = width / math.sqrt(plaintexts)
        assert p == pytest.approx(attacks.limit_window_advantage(b), rel=0.03)


def test_permuted_ciphertexts_tell_nothing():
    # Negative control: 20,000 uniform values, each guessed with chance 1/64; false alarms 1e-6.
    random = np.random.default_rng(8)
    x = random.integers(0, 64, 20_000)
    ciphertexts = np.array(Opse(bytes(31) + b"x", 64).encrypt(x))
    guess = attacks.geometry(View.snapshot(random.permutation(ciphertexts), 64), "x")
    assert (guess.values == x).mean() < 1 / 64 + Z * math.sqrt(1 / 64 / len(x))


# Refusals


def test_sizes_that_do_not_fit_are_refused():
    view = View.snapshot([1, 2], plaintexts=4)
    with pytest.raises(InvalidInputError, match="4 plaintexts do not fit 3 ciphertexts"):
        attacks.geometry(view, "x", range_size=3)
    with pytest.raises(InvalidInputError, match="wider"):
        attacks.geometry(view, "x", width=5)
    with pytest.raises(InvalidInputError, match="at most 2\\^63"):
        attacks.geometry(view, "x", range_size=2**64)
    with pytest.raises(InvalidInputError, match="width is 0"):
        attacks.geometry(view, "x", width=0)
    with pytest.raises(WrongTypeError, match="width"):
        attacks.geometry(view, "x", width=1.5)
    with pytest.raises(InvalidInputError, match="no field 'y'"):
        attacks.geometry(view, "y")
    with pytest.raises(InvalidInputError, match="position 1 lies outside the range of 5"):
        attacks.geometry(View.snapshot([1, 9], plaintexts=4), "x", range_size=5)
    with pytest.raises(InvalidInputError, match="position 0 lies outside"):
        attacks.geometry(View.snapshot([-1], plaintexts=4), "x")
    with pytest.raises(InvalidInputError, match="cells of 2"):
        attacks.geometry(View.snapshot([1], plaintexts=4, cell=2), "x")


def test_sums_over_too_many_ciphertexts_are_refused():
    for refused in (attacks.window_advantage, attacks.information):
        with pytest.raises(InvalidInputError, match="range_size"):
            refused(64, 2**63)
        with pytest.raises(InvalidInputError, match="do not fit"):
            refused(64, 63)
    for b in (-1, math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="b is"):
            attacks.limit_window_advantage(b)
    with pytest.raises(InvalidInputError, match="plaintexts is 1"):
        attacks.limit_information(1)
    for low, high in [(1, 1), (2, 1), (0, 5), (-1, 2)]:
        with pytest.raises(InvalidInputError):
            attacks.distance(low, high, plaintexts=3, range_size=5)


def test_one_record_and_one_value_are_answered():
    guess = attacks.geometry(View.snapshot([77], plaintexts=1), "x")
    assert guess.values.tolist() == [0]
    assert guess.confidence.tolist() == [1.0]
