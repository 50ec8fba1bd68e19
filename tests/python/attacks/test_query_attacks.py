"""What range queries give away, against closed forms and reconstructions known to be exact."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mopse import Opse, attacks
from mopse.attacks import AccessPatterns, Domain, Index, ObservedToken, View
from mopse.errors import InvalidInputError, WrongTypeError

Z = 4.8916
"""Standard errors that a right attack deviates by with probability 1e-6."""

LAST = 2**63 - 1


def ruled(values, cells, ranges, seed=0, cell=1):
    """Return a view of one-to-many ciphertexts of cells that fill the range, and of queries."""
    random = np.random.default_rng(seed)
    inner = np.sort(random.choice(2**40, cells - 1, replace=False)) * 2**20 + 2**30
    cuts = [0, *inner.tolist(), 2**63]
    ciphertexts = np.array([random.integers(cuts[v], cuts[v + 1]) for v in values])
    tokens = [
        ObservedToken(query, "", {"x": (cuts[low], cuts[high + 1] - 1)})
        for query, (low, high) in enumerate(ranges)
    ]
    return observed(ciphertexts, Domain(cells * cell, cell), tokens)


def observed(ciphertexts, domain, tokens):
    order = np.argsort(ciphertexts, kind="stable")
    index = Index("", ciphertexts[order], order)
    return View("cloud", {"x": domain}, np.zeros(len(order), np.int64), {"x": [index]}, tokens)


def all_ranges(n):
    return [(low, high) for low in range(n) for high in range(low, n)]


# Q1: closed forms


@pytest.mark.parametrize(
    ("plaintexts", "queries"),
    [
        (4, 4.325),
        (10, 15.068),
        (16, 27.600),
        (50, 113.339),
        (81, 202.586),
        (100, 260.407),
        (125, 339.190),
    ],
)
def test_expected_queries_are_the_known_ones(plaintexts, queries):
    assert round(attacks.expected_queries(plaintexts), 3) == queries


@pytest.mark.parametrize("m", [1, 2, 3, 10, 81, 250, 1000])
def test_the_closed_form_is_the_alternating_sum(m):
    exact = sum(
        (-1) ** (s + 1)
        * math.comb(m - 1, s)
        / (1 - Fraction(math.comb(m + 1 - s, 2), math.comb(m + 1, 2)))
        for s in range(1, m)
    )
    assert attacks.expected_queries(m) == pytest.approx(float(exact), rel=1e-14)


def test_large_domains_follow_the_asymptotic_form():
    m = 10**6
    assert attacks.expected_queries(m) == pytest.approx(
        (m + 1) / 2 * (math.log(m - 1) + 0.5772156649), rel=1e-5
    )


def test_the_exposed_fraction_is_that_of_uniform_queries():
    assert attacks.exposed_fraction(81, 0) == 0
    assert attacks.exposed_fraction(2, 1) == pytest.approx(2 / 3)
    for m, q in [(10, 7), (81, 100), (1000, 5000)]:
        exact = 1 - Fraction(m - 1, m + 1) ** q
        assert attacks.exposed_fraction(m, q) == pytest.approx(float(exact), rel=1e-13)


def test_uniform_queries_expose_as_the_closed_forms_say():
    # 400 runs; the share after 60 queries and the queries until all are known. The second has a
    # standard deviation near pi M / (2 sqrt 6) = 20 at M = 32; false alarms 2e-6.
    m, runs = 32, 400
    curves = []
    for seed in range(runs):
        low, high = attacks.simulate_queries(m, 600, seed=seed)
        curves.append(attacks.exposure(low, high, m))
    curves = np.array(curves)
    assert (curves[:, -1] == 1).all()
    at = curves[:, 59]
    assert abs(at.mean() - attacks.exposed_fraction(m, 60)) < Z * at.std() / math.sqrt(runs)
    needed = 1 + (curves == 1).argmax(axis=1)
    error = needed.std() / math.sqrt(runs)
    assert abs(needed.mean() - attacks.expected_queries(m)) < Z * error


# Q1: simulated queries


@given(st.integers(1, 40), st.integers(0, 60), st.sampled_from(["uniform", "zipf", "clinician"]))
def test_simulated_ranges_are_ranges_of_the_domain(plaintexts, queries, law):
    low, high = attacks.simulate_queries(plaintexts, queries, seed=3, law=law)
    assert len(low) == len(high) == queries
    assert ((low >= 0) & (low <= high) & (high < plaintexts)).all()
    again = attacks.simulate_queries(plaintexts, queries, seed=3, law=law)
    assert np.array_equal(low, again[0])
    assert np.array_equal(high, again[1])


def test_uniform_queries_ask_for_each_range_alike():
    # Chi-square of 54 degrees of freedom; 131.2 is exceeded with probability 1e-8.
    low, high = attacks.simulate_queries(10, 55_000, seed=4)
    counts = np.bincount(low * 10 + high)
    counts = counts[counts > 0]
    assert len(counts) == 55
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 131.2


def test_zipf_queries_are_short_as_the_law_says():
    low, high = attacks.simulate_queries(20, 50_000, seed=5, law="zipf")
    shares = np.bincount(high - low, minlength=20) / 50_000
    expected = 1 / np.arange(1, 21) / (1 / np.arange(1, 21)).sum()
    # 20 shares, each with false alarms 1e-6.
    assert (np.abs(shares - expected) < Z * np.sqrt(expected * (1 - expected) / 50_000)).all()


def test_clinicians_ask_at_thresholds():
    low, high = attacks.simulate_queries(81, 10_000, seed=6, law="clinician")
    assert set((low % 5).tolist()) == {0}
    assert set(high[high < 80].tolist()) <= set(range(4, 80, 5)) | {0}
    curve = attacks.exposure(low, high, 81)
    assert curve[-1] == pytest.approx(17 / 80)  # 16 multiples of 5, and the lowest value


@given(st.integers(2, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=9))
def test_exposure_is_that_of_sets(plaintexts, pairs):
    ranges = [sorted((a % plaintexts, b % plaintexts)) for a, b in pairs]
    known, shares = set(), []
    for low, high in ranges:
        known |= {low, high + 1} & set(range(1, plaintexts))
        shares.append(len(known) / (plaintexts - 1))
    low, high = np.array(ranges, np.int64).reshape(-1, 2).T
    assert attacks.exposure(low, high, plaintexts).tolist() == shares
    if ranges:
        values = [v for v in range(plaintexts) for _ in range(2)]
        view = ruled(values, plaintexts, ranges)
        assert attacks.exposed(view, "x").tolist() == shares


# Q1: values


def reference_classes(view):
    """Count the bounds at or below each ciphertext, one at a time."""
    ends = {e for token in view.tokens for e in token.bounds["x"][:1]}
    ends |= {token.bounds["x"][1] + 1 for token in view.tokens}
    ends -= {0, 2**63}
    index = view.index("x")
    classes = np.empty(view.records, np.int64)
    for ciphertext, record in zip(index.ciphertexts.tolist(), index.records, strict=True):
        classes[record] = sum(end <= ciphertext for end in ends)
    return classes


@given(st.integers(2, 8), st.data())
def test_values_are_proved_or_not_guessed(cells, data):
    cell_of = st.integers(0, cells - 1)
    values = np.array(data.draw(st.lists(cell_of, min_size=1, max_size=12)))
    asked = data.draw(st.lists(st.tuples(cell_of, cell_of).map(sorted), max_size=12))
    view = ruled(values, cells, asked)
    np.testing.assert_array_equal(attacks.boundary_classes(view, "x"), reference_classes(view))
    known = {low for low, _ in asked} | {high + 1 for _, high in asked}
    guess = attacks.boundaries(view, "x")
    if known >= set(range(1, cells)):
        np.testing.assert_array_equal(guess.values, values)
        np.testing.assert_array_equal(guess.confidence, 1)
    else:
        assert not guess.is_guessed.any()
        assert (guess.confidence == 0).all()


@given(st.integers(1, 8), st.integers(0, 50), st.data())
def test_values_of_leaves_are_proved_or_not_guessed(plaintexts, seed, data):
    opse = Opse(seed.to_bytes(32, "big"), plaintexts)
    value = st.integers(0, plaintexts - 1)
    x = np.array(data.draw(st.lists(value, min_size=1, max_size=12)))
    ciphertexts = opse.encrypt(x, np.arange(len(x)))
    asked = data.draw(st.lists(st.tuples(value, value).map(sorted), max_size=20))
    tokens = [ObservedToken(q, "", {"x": opse.bounds(*r)}) for q, r in enumerate(asked)]
    guess = attacks.boundaries(
        observed(ciphertexts, Domain(plaintexts), tokens), "x", layout="leaves"
    )
    assert ((guess.values == x) | ~guess.is_guessed).all()
    starts, ends = {low for low, _ in asked}, {high for _, high in asked}
    if all(starts >= set(range(p)) or ends >= set(range(p)) for p in [plaintexts]):
        np.testing.assert_array_equal(guess.values, x)


def test_values_of_wide_cells_are_their_lowest():
    ranges = [(0, 0), (1, 1)]
    guess = attacks.boundaries(ruled([0, 1, 2, 2], 3, ranges, cell=5), "x")
    assert guess.values.tolist() == [0, 5, 10, 10]


def test_all_boundaries_strip_hidden_frequency_from_the_real_encryption():
    # Uniform ranges over 16 values, as many as there are chances in 1e9 to miss a boundary.
    random = np.random.default_rng(9)
    x = random.integers(0, 16, 500)
    opse = Opse(bytes(32), 16)
    ciphertexts = opse.encrypt(x, np.arange(500))
    low, high = attacks.simulate_queries(16, 200, seed=9)
    tokens = [
        ObservedToken(q, "", {"x": opse.bounds(int(a), int(b))})
        for q, (a, b) in enumerate(zip(low, high, strict=True))
    ]
    view = observed(ciphertexts, Domain(16), tokens)
    guess = attacks.boundaries(view, "x", layout="leaves")
    np.testing.assert_array_equal(guess.values, x)


def test_permuted_ciphertexts_give_no_values():
    # Negative control: of 5000 records a share of sum p^2 is right by chance, below the mode's
    # p = 0.4; false alarms far below 1e-6.
    random = np.random.default_rng(10)
    p = np.array([0.4, 0.3, 0.2, 0.1])
    x = random.choice(4, 5000, p=p)
    view = ruled(random.permutation(x), 4, all_ranges(4))
    right = (attacks.boundaries(view, "x").values == x).mean()
    assert right < 0.4
    assert abs(right - (p**2).sum()) < Z * math.sqrt(0.3 * 0.7 / 5000)


def test_groups_are_looked_at_apart():
    def index(group, records):
        return Index(group, np.array([10, 20]), np.array(records))

    tokens = [ObservedToken(0, "a", {"x": (15, LAST)}), ObservedToken(1, "b", {"y": (0, 12)})]
    domains = {"x": Domain(2), "y": Domain(2)}
    indexes = {"x": [index("a", [0, 1]), index("b", [2, 3])]}
    view = View("cloud", domains, np.zeros(5, np.int64), indexes, tokens)
    assert attacks.boundary_classes(view, "x").tolist() == [0, 1, 2, 2, -1]
    assert attacks.boundaries(view, "x").values.tolist() == [0, 1, -1, -1, -1]
    assert attacks.boundary_classes(view, "x", group="b").tolist() == [-1, -1, 0, 0, -1]
    assert attacks.exposed(view, "x").tolist() == [1.0]
    patterns = attacks.access_patterns(view, "x", group="a")
    assert (patterns.offsets.tolist(), patterns.entries.tolist()) == ([0, 1], [1])
    with pytest.raises(InvalidInputError, match="choose a group"):
        attacks.access_patterns(view, "x")
    with pytest.raises(InvalidInputError, match="choose a group"):
        attacks.support_gaps(view, "x")
    with pytest.raises(InvalidInputError, match="no token"):
        attacks.access_patterns(view, "x", group="b")
    with pytest.raises(InvalidInputError, match="no token"):
        attacks.support_gaps(view, "x", group="b")
    with pytest.raises(InvalidInputError, match="group 'c'"):
        attacks.boundaries(view, "x", group="c")
    with pytest.raises(InvalidInputError, match="of 0 groups"):
        attacks.exposed(view, "x", group="b")


# Q2


def patterns_of(ranges, values):
    low, high = np.array(ranges).T
    return AccessPatterns.of_ranges(low, high, values)


def is_exact(guess, values, plaintexts):
    mirror = attacks.reflected(guess, plaintexts)
    return np.array_equal(guess.values, values) or np.array_equal(mirror.values, values)


@pytest.mark.parametrize("attack", [attacks.generalized_kkno, attacks.approx_value])
@pytest.mark.parametrize("n", [16, 40, 100])
def test_every_range_once_is_exact_up_to_reflection(attack, n):
    values = np.random.default_rng(n).permutation(np.repeat(np.arange(n), 2))
    assert is_exact(attack(patterns_of(all_ranges(n), values), n), values, n)


@given(st.integers(2, 30), st.randoms(use_true_random=False))
def test_dense_records_are_exact_in_any_domain(n, random):
    values = list(range(n))
    random.shuffle(values)
    patterns = patterns_of(all_ranges(n), values)
    assert is_exact(attacks.generalized_kkno(patterns, n), np.array(values), n)


def reference_kkno(answers, records, n):
    """Guess values from 1 to n by the definition; answers are sets."""
    share = np.array([sum(r in a for a in answers) for r in range(records)]) / len(answers)
    k = np.arange(1, (n + 1) // 2 + 1)
    p = 2 * k * (n + 1 - k) / (n * (n + 1))
    folded = k[np.abs(share[:, None] - p).argmin(axis=1)]
    anchor = np.where(share > 0, np.abs(folded - n / 4), np.inf).argmin()
    guess = []
    for r in range(records):
        both = sum(r in a and anchor in a for a in answers) / len(answers)
        a, b = folded[anchor], folded[r]
        is_near = r == anchor or both > min(a, b) / n
        guess.append(-1 if share[r] == 0 else (b if is_near else n + 1 - b) - 1)
    return guess


@given(st.integers(2, 20), st.data())
def test_kkno_is_the_reference(n, data):
    value = st.integers(0, n - 1)
    values = data.draw(st.lists(value, min_size=1, max_size=8))
    ranges = data.draw(st.lists(st.tuples(value, value).map(sorted), min_size=1, max_size=20))
    answers = [{r for r, v in enumerate(values) if a <= v <= b} for a, b in ranges]
    patterns = patterns_of(ranges, values)
    if any(answers):
        guess = attacks.generalized_kkno(patterns, n)
        assert guess.values.tolist() == reference_kkno(answers, len(values), n)
    else:
        with pytest.raises(InvalidInputError, match="no query returned a record"):
            attacks.generalized_kkno(patterns, n)


def folded_error(guess, values, n):
    """Return the largest error, where each record counts in its better reflection."""
    mirror = attacks.reflected(guess, n)
    errors = np.minimum(np.abs(guess.values - values), np.abs(mirror.values - values))
    return errors[guess.is_guessed].max() / n


@pytest.mark.parametrize(
    ("queries", "kkno", "approx"),
    [
        (100, 0.145, 0.157),
        (500, 0.114, 0.063),
        (1000, 0.069, 0.029),
        (10_000, 0.050, 0.009),
    ],
)
def test_errors_at_a_thousand_values_are_as_published(queries, kkno, approx):
    # Single runs vary by a third, so a published one lies within a factor 1.7 of a mean of ten.
    n, errors = 1000, []
    for seed in range(10):
        values = np.random.default_rng(seed).integers(0, n, n)
        low, high = attacks.simulate_queries(n, queries, seed=seed)
        patterns = AccessPatterns.of_ranges(low, high, values)
        guesses = [f(patterns, n) for f in (attacks.generalized_kkno, attacks.approx_value)]
        errors.append([folded_error(guess, values, n) for guess in guesses])
    means = np.mean(errors, axis=0)
    assert kkno / 1.7 < means[0] < kkno * 1.7
    assert approx / 1.7 < means[1] < approx * 1.7


def test_shuffled_answers_give_no_values():
    # Negative control: record numbers are shuffled in every query, so that all records look alike.
    # Exact guesses of 2000 uniform values among 50 by chance, either way round: 2/50 at most.
    random = np.random.default_rng(11)
    values = random.integers(0, 50, 2000)
    low, high = attacks.simulate_queries(50, 500, seed=11)
    patterns = AccessPatterns.of_ranges(low, high, values)
    sizes = np.diff(patterns.offsets)
    entries = np.concatenate([np.sort(random.choice(2000, size, replace=False)) for size in sizes])
    shuffled = AccessPatterns(patterns.offsets, entries, 2000)
    for attack in (attacks.generalized_kkno, attacks.approx_value):
        guess = attack(shuffled, 50)
        for one in (guess, attacks.reflected(guess, 50)):
            assert (one.values == values).mean() < 1 / 50 + Z * math.sqrt(1 / 50 / 2000)


def test_access_patterns_of_a_view_are_the_records_between_bounds():
    values = np.array([3, 0, 2, 2, 1])
    ranges = all_ranges(4)
    seen = attacks.access_patterns(ruled(values, 4, ranges), "x")
    made = patterns_of(ranges, values)
    np.testing.assert_array_equal(seen.offsets, made.offsets)
    np.testing.assert_array_equal(seen.entries, made.entries)
    assert (seen.records, seen.queries) == (5, 10)


def test_records_never_returned_are_not_guessed():
    patterns = patterns_of([(0, 3), (0, 2)], [0, 9, 2])
    for attack in (attacks.generalized_kkno, attacks.approx_value):
        assert attack(patterns, 10).is_guessed.tolist() == [True, False, True]


# Q3


def test_gaps_are_exact_once_all_ends_are_seen():
    random = np.random.default_rng(12)
    values = np.sort(random.choice(60, 12, replace=False))
    view = ruled(values, 60, all_ranges(60))
    seen, chao1, jackknife = attacks.support_gaps(view, "x")
    np.testing.assert_array_equal(seen, np.diff(values))
    np.testing.assert_array_equal(chao1, seen)  # no end was seen once only
    np.testing.assert_array_equal(jackknife, seen)


def test_gaps_are_estimated_from_ends_that_are_rare():
    # Between values 0 and 9: ends 1 and 2 once, 3 twice, 4 three times.
    ranges = [(0, 0), (0, 1), (0, 2), (0, 2), (0, 3), (0, 3), (0, 3)]
    seen, chao1, jackknife = attacks.support_gaps(ruled([0, 9], 10, ranges), "x")
    assert (seen.tolist(), chao1.tolist(), jackknife.tolist()) == ([4], [4 + 4 / 2], [6])
    seen, chao1, _ = attacks.support_gaps(ruled([0, 9], 10, ranges[:2]), "x")
    assert (seen.tolist(), chao1.tolist()) == ([2], [3])
    seen, _, _ = attacks.support_gaps(ruled([0, 0, 9], 10, ranges), "x")
    assert seen.tolist() == [0, 4]


def test_a_known_support_is_estimated_better_than_by_counting():
    # 100 boundaries between two records, each range hits two of them at random; the mean of 200
    # runs of Chao1 after 75 ranges is nearer to 99 than what was seen.
    found, estimated = [], []
    for seed in range(200):
        low, high = attacks.simulate_queries(100, 75, seed=seed)
        view = ruled([0, 99], 100, zip(low.tolist(), high.tolist(), strict=True))
        seen, chao1, _ = attacks.support_gaps(view, "x")
        found.append(seen[0])
        estimated.append(chao1[0])
    assert np.mean(found) == pytest.approx(99 * attacks.exposed_fraction(100, 75), rel=0.02)
    assert abs(np.mean(estimated) - 99) < 5 < 99 - np.mean(found)


# Refusals


def test_views_without_what_is_needed_are_refused():
    view = View.snapshot([1, 2], plaintexts=2)
    assert not attacks.boundaries(view, "x").is_guessed.any()
    assert attacks.boundary_classes(view, "x").tolist() == [0, 0]
    with pytest.raises(InvalidInputError, match="no token"):
        attacks.access_patterns(view, "x")
    with pytest.raises(InvalidInputError, match="no token"):
        attacks.support_gaps(view, "x")
    with pytest.raises(InvalidInputError, match="no field 'y'"):
        attacks.boundaries(view, "y")
    with pytest.raises(InvalidInputError, match="one entry"):
        attacks.support_gaps(View.snapshot([1], plaintexts=2), "x")
    with pytest.raises(InvalidInputError, match="layout"):
        attacks.boundaries(view, "x", layout="dense")
    with pytest.raises(InvalidInputError, match="no boundary"):
        attacks.exposed(View.snapshot([1], plaintexts=1), "x")
    empty = View("cloud", {"x": Domain(2)}, np.zeros(0, np.int64), {"x": []})
    for attack in (attacks.boundaries, attacks.boundary_classes, attacks.access_patterns):
        with pytest.raises(InvalidInputError, match="no entry"):
            attack(empty, "x")


def test_more_boundaries_than_values_are_refused():
    view = observed(np.array([5]), Domain(2), [ObservedToken(0, "", {"x": (3, 9)})])
    with pytest.raises(InvalidInputError, match="3 pieces lie between"):
        attacks.boundaries(view, "x")


def test_a_field_with_one_value_is_known_without_queries():
    assert attacks.boundaries(View.snapshot([4, 9], plaintexts=1), "x").values.tolist() == [0, 0]


def test_access_patterns_that_are_none_are_refused():
    def of(offsets, entries, records):
        return AccessPatterns(np.array(offsets), np.array(entries, np.int64), records)

    for attack in (attacks.generalized_kkno, attacks.approx_value):
        with pytest.raises(InvalidInputError, match="without a query"):
            attack(of([0], [], 3), 5)
        with pytest.raises(InvalidInputError, match="no query returned"):
            attack(of([0, 0], [], 3), 5)
        with pytest.raises(InvalidInputError, match="query 1 do not ascend"):
            attack(of([0, 1, 3], [0, 2, 1], 3), 5)
        with pytest.raises(InvalidInputError, match="query 0 do not ascend"):
            attack(of([0, 1], [3], 3), 5)
        with pytest.raises(InvalidInputError, match="access patterns has 1 entries"):
            attack(of([0, 2], [0], 3), 5)
        with pytest.raises(InvalidInputError, match="plaintexts"):
            attack(of([0, 1], [0], 3), 0)
        with pytest.raises(WrongTypeError, match="offsets"):
            attack(of([0.0, 1.0], [0], 3), 5)
    with pytest.raises(InvalidInputError, match="need a record"):
        AccessPatterns.of_ranges([0], [1], [])
    with pytest.raises(InvalidInputError, match="1 lowest values and 2 highest"):
        AccessPatterns.of_ranges([0], [1, 2], [1])


def test_numbers_that_cannot_be_are_refused():
    with pytest.raises(InvalidInputError, match="plaintexts is 1"):
        attacks.exposed_fraction(1, 5)
    with pytest.raises(InvalidInputError, match="queries is -1"):
        attacks.exposed_fraction(5, -1)
    with pytest.raises(InvalidInputError, match="plaintexts is 0"):
        attacks.expected_queries(0)
    with pytest.raises(InvalidInputError, match="law is 'normal'"):
        attacks.simulate_queries(5, 5, seed=1, law="normal")
    with pytest.raises(WrongTypeError, match="seed"):
        attacks.simulate_queries(5, 5, seed=None)
    for low, high in [([2], [1]), ([-1], [1]), ([0], [3])]:
        with pytest.raises(InvalidInputError, match="does not ascend"):
            attacks.exposure(low, high, 3)
    with pytest.raises(InvalidInputError, match="1 lowest values and 0 highest"):
        attacks.exposure([1], [], 3)
