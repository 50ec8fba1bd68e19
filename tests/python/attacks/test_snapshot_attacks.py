"""Attacks on a copy of the store (S1 to S6, S9), against definitions, oracles and the control."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from scipy.stats import binom

import mopse
from mopse import attacks
from mopse.attacks import NO_GUESS, Auxiliary, View
from mopse.errors import InvalidInputError, WrongTypeError

M = 81
DEVIATIONS = 4.9  # two-sided 1e-6 of a normal variable
MATCHING = {
    "frequency": attacks.frequency,
    "assignment": attacks.assignment,
    "cumulative": attacks.cumulative,
    "monotone cumulative": attacks.monotone_cumulative,
    "non-crossing": attacks.non_crossing,
    "multinomial": attacks.multinomial,
    "posterior": lambda view, field, aux: attacks.ordered_posterior(view, field, aux).guess(),
}
IN_ORDER = {name: MATCHING[name] for name in list(MATCHING)[3:]}


def agelike(size: int = M) -> np.ndarray:
    """Return a distribution like that of ages: a plateau that falls off."""
    at = np.arange(size)
    shape = 1 / (1 + np.exp((at - 0.75 * size) / (0.06 * size)))
    return shape / shape.sum()


def encrypted(values: np.ndarray, plaintexts: int = M, seed: int = 1) -> View:
    """Return a snapshot of deterministic OPSE."""
    key = np.random.default_rng(seed).bytes(32)
    return View.snapshot(mopse.Opse(key, plaintexts).encrypt(values), plaintexts)


def spread(values: np.ndarray, plaintexts: int = M, seed: int = 1) -> View:
    """Return a snapshot of one-to-many OPSE."""
    key = np.random.default_rng(seed).bytes(32)
    ids = np.arange(len(values))
    return View.snapshot(mopse.Opse(key, plaintexts).encrypt(values, ids=ids), plaintexts)


# S1 sorting


def test_sorting_recovers_everything_of_a_dense_column():
    values = np.random.default_rng(1).permutation(np.repeat(np.arange(M), 3))
    guess = attacks.sorting(encrypted(values), "x")
    assert (guess.values == values).all()


@given(st.lists(st.integers(0, 9), min_size=2, max_size=40))
def test_sorting_recovers_a_record_if_and_only_if_no_value_below_is_missing(values):
    values = np.array(values)
    assume(len(set(values)) > 1)
    guess = attacks.sorting(View.snapshot(10 * values, 10), "x")
    occurring = set(values.tolist())
    expected = [set(range(value)) <= occurring for value in values]
    assert (guess.values == values).tolist() == expected


@pytest.mark.parametrize(("n", "expected"), [(50, 0.446), (200, 0.872), (756, 0.996)])
def test_density_is_as_expected(n, expected):
    """The printed figures are of another age-like shape: they must be met to a few hundredths."""
    pi = agelike()
    random = np.random.default_rng(2)
    seen = [len(np.unique(random.choice(M, n, p=pi))) / M for _ in range(400)]
    deviation = np.std(seen) / math.sqrt(len(seen))
    closed = attacks.expected_density(pi, n)
    assert abs(np.mean(seen) - closed) < DEVIATIONS * deviation
    assert closed == pytest.approx(expected, abs=0.12)


def test_sorting_one_class_of_many_values_is_no_guess():
    assert attacks.sorting(View.snapshot([7, 7], 5), "x").values.tolist() == [NO_GUESS] * 2
    assert attacks.sorting(View.snapshot([7], 1), "x").values.tolist() == [0]


# S2 frequency and assignment


@given(
    st.lists(st.integers(1, 50), min_size=2, max_size=6),
    st.lists(st.integers(1, 50), max_size=4),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.randoms(use_true_random=False),
)
def test_no_assignment_is_closer_than_frequency_analysis(counts, missing, power, random):
    """By rearrangement, for every power from 1 on, also if values are missing."""
    known = [random.randint(1, 50) for _ in counts] + missing
    view = View.snapshot(np.repeat(np.arange(len(counts)), counts), len(known))
    aux = Auxiliary({"x": known})
    pi = aux.distribution("x", view.domain("x"))

    def cost(attack, **options):
        values = attack(view, "x", aux, **options).values
        histogram = np.bincount(values, minlength=len(known)) / len(values)
        return (np.abs(histogram - pi) ** power).sum()

    psi = np.sort(np.pad(counts, (0, len(missing)))) / sum(counts)
    least = (np.abs(psi - np.sort(pi)) ** power).sum()
    assert cost(attacks.frequency) == pytest.approx(least)
    assert cost(attacks.assignment, power=power) == pytest.approx(least)


@given(st.integers(1, 6), st.integers(0, 4), st.randoms(use_true_random=False))
def test_assignments_cost_what_scipy_finds(rows, more, random):
    costs = np.array([[random.uniform(-1, 1) for _ in range(rows + more)] for _ in range(rows)])
    from mopse import _mopse

    columns = _mopse.attack.assign(costs)
    theirs = costs[linear_sum_assignment(costs)].sum()
    assert costs[np.arange(rows), columns].sum() == pytest.approx(theirs)


def test_frequency_recovers_everything_if_all_counts_differ_and_are_known():
    counts = np.array([5, 9, 2, 7])
    values = np.repeat(np.arange(4), counts)
    guess = attacks.frequency(encrypted(values, 4), "x", Auxiliary({"x": counts}))
    assert (guess.values == values).all()


# S3 to S5: in order


@pytest.mark.parametrize("name", MATCHING)
def test_knowledge_of_the_very_counts_recovers_everything(name):
    """Distances are 0, and the likeliest matching is the identity by Gibbs' inequality."""
    counts = np.array([5, 9, 2, 7, 11, 4]) * 100
    values = np.repeat(np.arange(6), counts)
    guess = MATCHING[name](encrypted(values, 6), "x", Auxiliary({"x": counts * 10**6}))
    assert (guess.values == values).all()


@pytest.mark.parametrize("name", IN_ORDER)
@pytest.mark.parametrize("seed", range(5))
def test_a_dense_column_falls_whatever_is_known(name, seed):
    random = np.random.default_rng(seed)
    values = np.concatenate([np.arange(M), random.integers(0, M, 100)])
    garbage = Auxiliary({"x": random.integers(0, 1000, M)})
    assert (IN_ORDER[name](encrypted(values), "x", garbage).values == values).all()


@pytest.mark.parametrize("name", MATCHING)
def test_only_the_proportions_of_counts_matter(name):
    """Equal counts, and power 1, leave it to rounding which assignment is nearest: not here."""
    options = {"power": 2} if name == "assignment" else {}
    random = np.random.default_rng(3)
    values = np.repeat(np.sort(random.permutation(M)[:60]), random.permutation(60) + 1)
    known = 20.0 + random.permutation(M)
    view = encrypted(values)
    once = MATCHING[name](view, "x", Auxiliary({"x": known * 10**6}), **options)
    again = MATCHING[name](view, "x", Auxiliary({"x": known * 10**7}), **options)
    assert (once.values == again.values).all()


@pytest.mark.parametrize("name", ["monotone cumulative", "non-crossing", "multinomial"])
def test_matchings_in_order_do_not_cross(name):
    random = np.random.default_rng(4)
    values = random.choice(M, 120, p=agelike())
    guess = IN_ORDER[name](encrypted(values), "x", Auxiliary({"x": random.random(M) + 1}))
    by_value = dict(zip(values.tolist(), guess.values.tolist(), strict=True))
    found = [by_value[value] for value in sorted(by_value)]
    assert (np.diff(found) > 0).all()


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.lists(st.integers(1, 9), min_size=4, max_size=8),
)
def test_non_crossing_and_multinomial_are_the_best_of_all_injections(counts, known):
    values = np.repeat(np.arange(len(counts)), counts)
    view, aux = View.snapshot(values, len(known)), Auxiliary({"x": known})
    psi, pi = np.array(counts) / sum(counts), aux.distribution("x", view.domain("x"))
    ways = list(itertools.combinations(range(len(known)), len(counts)))

    def matched(guess):
        by_class = dict(zip(values.tolist(), guess.values.tolist(), strict=True))
        return tuple(by_class[i] for i in range(len(counts)))

    def apart(way):
        return sum(abs(psi[i] - pi[j]) for i, j in enumerate(way))

    def likelihood(way):
        return sum(counts[i] * math.log(pi[j]) for i, j in enumerate(way))

    way = matched(attacks.non_crossing(view, "x", aux))
    assert apart(way) == pytest.approx(min(map(apart, ways)))
    way = matched(attacks.multinomial(view, "x", aux))
    assert likelihood(way) == pytest.approx(max(map(likelihood, ways)))


def reference_posterior(counts: np.ndarray, pi: np.ndarray) -> np.ndarray:
    """Return the posterior by the recursion of the source, without bands or running sums."""
    k, size = len(counts), len(pi)
    weights = counts[:, None] * np.log(pi)[None, :]
    forward, backward = np.full((k, size), -np.inf), np.full((k, size), -np.inf)
    forward[0], backward[-1] = weights[0], 0.0
    for i in range(1, k):
        for j in range(1, size):
            forward[i, j] = weights[i, j] + logsumexp(forward[i - 1, :j])
    for i in range(k - 2, -1, -1):
        for j in range(size - 1):
            backward[i, j] = logsumexp(weights[i + 1, j + 1 :] + backward[i + 1, j + 1 :])
    joint = forward + backward
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=6),
    st.lists(st.integers(1, 999), min_size=6, max_size=14),
)
def test_the_posterior_is_that_of_the_plain_recursion(counts, known):
    values = np.repeat(np.arange(len(counts)), counts)
    view, aux = View.snapshot(values, len(known)), Auxiliary({"x": known})
    ours = attacks.ordered_posterior(view, "x", aux)
    theirs = reference_posterior(np.array(counts), aux.distribution("x", view.domain("x")))
    assert ours.masses == pytest.approx(theirs, abs=1e-12)


def test_the_posterior_of_three_classes_of_six_values_is_that_of_twenty_injections():
    counts, pi = np.array([3, 1, 2]), np.array([0.3, 0.1, 0.2, 0.15, 0.05, 0.2])
    exact = np.zeros((3, 6))
    for way in itertools.combinations(range(6), 3):
        exact[[0, 1, 2], way] += np.prod(pi[list(way)] ** counts)
    exact /= exact.sum(axis=1, keepdims=True)
    view = View.snapshot(np.repeat([0, 1, 2], counts), 6)
    ours = attacks.ordered_posterior(view, "x", Auxiliary({"x": pi * 1e15}))
    assert np.abs(ours.masses - exact).max() < 1e-14


def test_the_posterior_is_calibrated_if_the_knowledge_is_right():
    """Records really are drawn from what is known: the mean confidence is the recovery."""
    random, pi = np.random.default_rng(5), agelike()
    gaps = []
    for seed in range(60):
        values = random.choice(M, 200, p=pi)
        view = encrypted(values, seed=seed)
        guess = attacks.ordered_posterior(view, "x", Auxiliary({"x": pi * 1e12})).guess()
        gaps.append(guess.confidence.mean() - (guess.values == values).mean())
    assert abs(np.mean(gaps)) < DEVIATIONS * np.std(gaps) / math.sqrt(len(gaps))


@pytest.mark.parametrize(("n", "near"), [(50, 0.899), (200, 0.999), (756, 1.000)])
@pytest.mark.parametrize("knowledge", ["right", "wrong"])
def test_decoding_each_record_beats_the_likeliest_matching(knowledge, n, near):
    """With right knowledge nothing recovers more on average, whatever the share of values missing.

    Wrong knowledge is 20,000 records at a total-variation distance of about 0.05; then the gain is
    only certain at low density, and the posterior claims more than it recovers. Runs are the
    sample. The expected shares are of another age-like shape, and met to 0.05.
    """
    random, pi, gains, claims, found = np.random.default_rng(6), agelike(), [], [], []
    for _ in range(200):
        aux, values = Auxiliary({"x": pi * 1e12}), random.choice(M, n, p=pi)
        if knowledge == "wrong":
            off = pi * np.exp(random.normal(0, 0.125, M))
            aux = Auxiliary({"x": random.multinomial(20_000, off / off.sum())})
        view = View.snapshot(values, M)
        masses = attacks.ordered_posterior(view, "x", aux)
        guess = masses.guess()
        right = (guess.values == values).mean()
        gains.append(right - (attacks.multinomial(view, "x", aux).values == values).mean())
        claims.append(guess.confidence.mean() - right)
        found.append((np.abs(masses.guess(5).values - values) <= 5).mean())
    gain, claim = (np.mean(x) / np.std(x) * math.sqrt(len(x)) for x in (gains, claims))
    if n == 50:
        assert gain > DEVIATIONS
    if knowledge == "right":
        assert gain > -DEVIATIONS
        assert abs(claim) < DEVIATIONS
    elif n == 200:
        assert claim > DEVIATIONS
    assert np.mean(found) == pytest.approx(near, abs=0.05)


# S6 ranks

PUBLISHED = {
    ("uniform", 10): [0.5991, 0.7864, 0.9043, 0.9572],
    ("uniform", 100): [0.0899, 0.1667, 0.3322, 0.5826],
    ("zipf", 100): [0.3121, 0.4123, 0.5509, 0.7017],
}


@pytest.mark.parametrize(("law", "size"), PUBLISHED)
def test_expected_recovery_from_ranks_is_the_closed_form(law, size):
    pi = np.ones(size) if law == "uniform" else 1 / np.arange(1, size + 1)
    pi = pi / pi.sum()
    sums = np.concatenate([[0], np.cumsum(pi)]).clip(0, 1)
    for n, expected in zip((50, 200, 1000, 5000), PUBLISHED[law, size], strict=True):
        ours = attacks.expected_rank_recovery(pi, n)
        assert ours == pytest.approx(expected, abs=5e-5)
        if n <= 1000:
            tails = binom.sf(np.arange(n)[:, None], n, sums[None, :])
            exact = (tails[:, 1:] - tails[:, :-1]).max(axis=1).mean()
            assert ours == pytest.approx(exact, abs=1e-11)


@given(st.integers(1, 60), st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(0, 3))
def test_ranks_are_guessed_as_scipy_says(n, weights, tolerance):
    pi = np.array(weights) / sum(weights)
    sums = np.concatenate([[0], np.cumsum(pi)]).clip(0, 1)
    sums[-1] = 1
    tails = binom.sf(np.arange(n)[:, None], n, sums[None, :])
    at = np.arange(len(pi))
    high, low = np.minimum(at + tolerance + 1, len(pi)), np.maximum(at - tolerance, 0)
    windows = tails[:, high] - tails[:, low]
    aux = Auxiliary({"x": pi * 1e15})
    guess = attacks.rank(View.snapshot(np.arange(n), len(pi)), "x", aux, tolerance=tolerance)
    assert guess.confidence == pytest.approx(windows.max(axis=1), abs=1e-9)
    assert windows[np.arange(n), guess.values] == pytest.approx(windows.max(axis=1), abs=1e-9)


@pytest.mark.parametrize("scheme", [encrypted, spread])
def test_measured_recovery_from_ranks_meets_the_closed_form(scheme):
    """One run's records share their fate, so that runs are the sample."""
    random, pi, n = np.random.default_rng(7), agelike(), 200
    aux, found = Auxiliary({"x": pi * 1e12}), []
    for seed in range(300):
        values = random.choice(M, n, p=pi)
        found.append((attacks.rank(scheme(values, seed=seed), "x", aux).values == values).mean())
    deviation = np.std(found) / math.sqrt(len(found))
    if scheme is spread:
        assert abs(np.mean(found) - attacks.expected_rank_recovery(pi, n)) < DEVIATIONS * deviation


def test_wider_cells_raise_recovery():
    """81 ages in 17 cells of five: the bound grows from .217 to .673 at n = 200.

    Those figures are of another age-like shape: they are met to .02 and .05.
    """
    years = agelike()
    fives = np.add.reduceat(years, np.arange(0, M, 5))
    one, five = (attacks.expected_rank_recovery(pi, 200) for pi in (years, fives))
    assert one == pytest.approx(0.217, abs=0.02)
    assert five == pytest.approx(0.673, abs=0.05)


def test_a_mask_leaves_only_what_it_allows():
    values, counts = np.repeat([0, 1, 2], [3, 5, 4]), Auxiliary({"x": [3, 5, 4, 1, 1]})
    view = View.snapshot(values, 5)
    mask = np.ones((3, 5), bool)
    assert (attacks.non_crossing(view, "x", counts, mask=mask).values == values).all()
    mask[1] = [False, False, False, True, True]
    found = attacks.non_crossing(view, "x", counts, mask=mask).values
    assert set(found[values == 1].tolist()) == {3}
    assert set(found[values == 2].tolist()) == {4}
    one = View.snapshot([7, 7], 5)
    mask = np.arange(5)[None, :] == 3
    assert attacks.non_crossing(one, "x", counts, mask=mask).values.tolist() == [3, 3]


# S9 columns together


def pair_of(left: np.ndarray, right: np.ndarray, sizes: tuple[int, int]) -> View:
    """Return a snapshot of two columns of the same records."""
    one, two = View.snapshot(left, sizes[0]), View.snapshot(right, sizes[1])
    return View(
        one.adversary,
        {"x": one.domain("x"), "y": two.domain("x")},
        one.senders,
        {"x": one.indexes_of("x"), "y": two.indexes_of("x")},
    )


def test_independent_columns_change_nothing():
    random = np.random.default_rng(8)
    left, right = random.integers(0, 12, 60), random.integers(0, 9, 60)
    px, py = random.random(12) + 0.5, random.random(9) + 0.5
    counts = {"x": px * 1e12, "y": py * 1e12}
    aux = Auxiliary(counts, {("x", "y"): np.outer(px, py) * 1e12})
    view = pair_of(left, right, (12, 9))
    alone = attacks.ordered_posterior(view, "x", aux)
    both = attacks.correlated(view, "x", "y", aux)
    assert both.masses[both.classes] == pytest.approx(alone.masses[alone.classes], abs=1e-9)


def test_a_dense_column_tells_one_that_follows_from_it():
    random = np.random.default_rng(9)
    left = np.concatenate([np.arange(20), random.integers(0, 20, 60)])
    follows = random.permutation(50)[:20]
    right = follows[left]
    joint = np.zeros((20, 50))
    joint[np.arange(20), follows] = 10.0
    aux = Auxiliary({"x": joint.sum(axis=1), "y": joint.sum(axis=0)}, {("y", "x"): joint.T * 1e12})
    guess = attacks.correlated(pair_of(left, right, (20, 50)), "y", "x", aux).guess()
    assert (guess.values == right).all()


def test_a_copy_of_a_column_adds_nothing():
    random, pi = np.random.default_rng(10), agelike(20)
    values = random.choice(20, 30, p=pi)
    aux = Auxiliary({"x": pi * 1e12, "y": pi * 1e12}, {("x", "y"): np.diag(pi) * 1e12})
    view = pair_of(values, values, (20, 20))
    alone = attacks.ordered_posterior(view, "x", aux)
    both = attacks.correlated(view, "x", "y", aux)
    squared = alone.masses**2 / pi  # the same evidence twice
    squared /= squared.sum(axis=1, keepdims=True)
    assert both.masses[both.classes] == pytest.approx(squared[alone.classes], abs=1e-6)
    right = [(p.guess().values == values).mean() for p in (alone, both)]
    assert right[1] <= right[0] + 0.1


# the control, and refusals


@pytest.mark.parametrize("name", MATCHING)
def test_without_order_and_repetition_no_attack_beats_guessing(name):
    """Ciphertexts are dealt to records at random: nothing is left but the mode."""
    random, pi = np.random.default_rng(11), agelike()
    aux = Auxiliary({"x": pi * 1e12})
    n, runs = 400, 40
    found = []
    for seed in range(runs):
        values = random.choice(M, n, p=pi)
        view = encrypted(values, seed=seed).shuffled(seed)
        found.append((MATCHING[name](view, "x", aux).values == values).mean())
    deviation = math.sqrt(pi.max() * (1 - pi.max()) / (n * runs))
    assert np.mean(found) < pi.max() + DEVIATIONS * deviation


@pytest.mark.parametrize("attack", [attacks.rank, attacks.sorting])
def test_without_order_ranks_and_sorting_do_not_either(attack):
    random, pi = np.random.default_rng(12), agelike()
    aux, found, n, runs = Auxiliary({"x": pi * 1e12}), [], 400, 40
    for seed in range(runs):
        values = random.choice(M, n, p=pi)
        view = encrypted(values, seed=seed).shuffled(seed)
        known = (aux,) if attack is attacks.rank else ()
        found.append((attack(view, "x", *known).values == values).mean())
    deviation = math.sqrt(pi.max() * (1 - pi.max()) / (n * runs))
    assert np.mean(found) < pi.max() + DEVIATIONS * deviation


def test_without_order_a_second_column_does_not_help_either():
    random, pi, n, runs = np.random.default_rng(13), agelike(20), 100, 40
    joint = np.diag(pi) + np.outer(pi, pi)
    aux = Auxiliary({"x": pi * 1e12, "y": pi * 1e12}, {("x", "y"): joint * 1e12})
    found = []
    for seed in range(runs):
        left = random.choice(20, n, p=pi)
        right = np.where(random.random(n) < 0.5, left, random.choice(20, n, p=pi))
        view = pair_of(left, right, (20, 20)).shuffled(seed)
        found.append((attacks.correlated(view, "x", "y", aux).guess().values == left).mean())
    deviation = math.sqrt(pi.max() * (1 - pi.max()) / (n * runs))
    assert np.mean(found) < pi.max() + DEVIATIONS * deviation


def test_with_wider_cells_attacks_find_cells():
    values = np.concatenate([np.arange(M), np.arange(M)])
    cells = mopse.Opse(bytes(32), 17).encrypt(values // 5)
    view = View.snapshot(cells, M, cell=5)
    aux = Auxiliary({"x": np.where(np.arange(M) % 5 == 2, 9, 1)})
    for attack in IN_ORDER.values():
        guess = attack(view, "x", aux).values
        assert (guess // 5 == values // 5).all()
        assert set(guess.tolist()) <= {*range(2, M, 5), 80}


@pytest.mark.parametrize("name", [*MATCHING, "sorting"])
def test_hidden_repetition_is_refused_where_it_is_needed(name):
    view = spread(np.zeros(100, np.int64))
    aux = Auxiliary({"x": np.ones(M)})
    with pytest.raises(InvalidInputError, match="100 distinct ciphertexts over 81 cells"):
        attacks.sorting(view, "x") if name == "sorting" else MATCHING[name](view, "x", aux)


@pytest.mark.parametrize("name", [*MATCHING, "rank"])
def test_knowledge_of_another_domain_is_refused(name):
    attack = attacks.rank if name == "rank" else MATCHING[name]
    with pytest.raises(InvalidInputError, match="counts of 3 values, the domain has 81"):
        attack(encrypted(np.arange(9)), "x", Auxiliary({"x": [1, 2, 3]}))


@pytest.mark.parametrize("name", list(MATCHING)[:-1])
@pytest.mark.parametrize("n", [1, 30])
def test_one_class_of_many_values_is_no_guess(name, n):
    """Its share is 1 whatever it is: the nearest sum would be that of the highest value."""
    aux = Auxiliary({"x": [4, 3, 2, 3]})
    assert (MATCHING[name](View.snapshot([9] * n, 4), "x", aux).values == NO_GUESS).all()
    assert MATCHING[name](View.snapshot([9], 1), "x", Auxiliary({"x": [1]})).values == [0]


@pytest.mark.parametrize("name", ["posterior", "rank"])
def test_one_record_is_guessed_as_if_there_were_no_view(name):
    attack = attacks.rank if name == "rank" else MATCHING[name]
    guess = attack(View.snapshot([9], 4), "x", Auxiliary({"x": [1, 1, 50, 1]}))
    assert guess.values.tolist() == [2]
    assert guess.confidence == pytest.approx([50.5 / 55])


def test_bad_input_is_refused_by_name():
    view, aux = encrypted(np.arange(9)), Auxiliary({"x": np.ones(M)})
    with pytest.raises(InvalidInputError, match="the power is 0"):
        attacks.assignment(view, "x", aux, power=0)
    with pytest.raises(InvalidInputError, match=r"a mask of shape \(1, 2\), not \(9, 81\)"):
        attacks.non_crossing(view, "x", aux, mask=np.ones((1, 2), bool))
    with pytest.raises(InvalidInputError, match="no assignment of the classes"):
        attacks.non_crossing(view, "x", aux, mask=np.zeros((9, M), bool))
    with pytest.raises(InvalidInputError, match="tolerance"):
        attacks.rank(view, "x", aux, tolerance=-1)
    with pytest.raises(InvalidInputError, match="n is 0"):
        attacks.expected_rank_recovery([1], 0)
    with pytest.raises(InvalidInputError, match="all counts are zero"):
        attacks.expected_density([0, 0], 3)
    with pytest.raises(InvalidInputError, match="a count is not finite"):
        attacks.expected_rank_recovery([1, np.nan], 3)
    with pytest.raises(InvalidInputError, match="were not counted together"):
        attacks.correlated(pair_of(np.arange(3), np.arange(3), (M, M)), "x", "y",
                           Auxiliary({"x": np.ones(M), "y": np.ones(M)}))  # fmt: skip
    with pytest.raises(WrongTypeError, match="must hold numbers"):
        attacks.expected_density(["a"], 3)
