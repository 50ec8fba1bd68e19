"""Values from the density of one-to-many ciphertexts, end to end."""

import math

import numpy as np
import pytest

from mopse import Opse, attacks
from mopse.attacks import Auxiliary, View

Z = 4.8916
"""Standard errors that a right attack deviates by with probability 1e-6."""

SHARES = np.where(np.arange(20) % 2, 4.0, 1.0) / 50
AUX = Auxiliary({"x": SHARES * 10_000})


def column(n, seed):
    x = np.random.default_rng(seed).choice(20, n, p=SHARES)
    return x, Opse(seed.to_bytes(32, "big"), 20).encrypt(x, np.arange(n))


def test_dense_columns_of_unequal_density_are_read():
    for seed in range(5):
        x, ciphertexts = column(5000, seed)
        view = View.snapshot(ciphertexts, plaintexts=20)
        guess = attacks.dyadic_differential(view, "x", AUX, values=20)
        np.testing.assert_array_equal(guess.values, x)
        assert guess.confidence.min() > 0.999


def test_equal_pieces_are_read_but_for_entries_next_to_a_boundary():
    random = np.random.default_rng(3)
    x = np.repeat(np.arange(20), np.rint(SHARES * 10_000).astype(int))
    width = 2**63 // 20
    view = View.snapshot(x * width + random.integers(0, width, len(x)), plaintexts=20)
    guess = attacks.differential(view, "x", AUX)
    assert (guess.values == x).mean() > 0.98


def test_cells_are_read_as_their_likeliest_value():
    x, ciphertexts = column(5000, 1)
    view = View.snapshot(ciphertexts, plaintexts=40, cell=2)
    aux = Auxiliary({"x": np.repeat(SHARES * 5000, 2) * np.tile([1, 3], 20)})
    guess = attacks.dyadic_differential(view, "x", aux, values=20)
    np.testing.assert_array_equal(guess.values, 2 * x + 1)
    assert guess.confidence.max() < 0.76  # that of the value within its cell


@pytest.mark.parametrize("attack", [attacks.differential, attacks.dyadic_differential])
def test_permuted_ciphertexts_score_no_better_than_the_mode(attack):
    # Negative control; the mode is right for 8 % of 5000 records.
    x, ciphertexts = column(5000, 4)
    permuted = np.random.default_rng(5).permutation(ciphertexts)
    guess = attack(View.snapshot(permuted, plaintexts=20), "x", AUX, values=20)
    assert (guess.values == x).mean() < 0.08 + Z * math.sqrt(0.08 * 0.92 / 5000)


def test_more_segments_than_cells_are_no_guess():
    ciphertexts = np.concatenate([np.arange(50) + k * 2**60 for k in range(4)])
    view = View.snapshot(ciphertexts, plaintexts=3)
    aux = Auxiliary({"x": [1, 1, 1]})
    assert not attacks.dyadic_differential(view, "x", aux).is_guessed.any()
