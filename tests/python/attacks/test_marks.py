"""The layout for evaluation: what an insider and a thief of the store find under it."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import entr
from scipy.stats import kstest
from scipy.stats import t as student

import mopse
from mopse import attacks
from mopse.attacks import Deployment, Marks
from mopse.errors import InvalidInputError, WrongTypeError

M = 81
ALPHA = 1e-6
DEVIATIONS = 4.9  # two-sided ALPHA of a normal variable
FIELD = mopse.Schema(age=mopse.Field(0, M - 1))


def entropy(x: float) -> float:
    """Return the binary entropy in natural logarithms."""
    return 0.0 if x in (0, 1) else -x * math.log(x) - (1 - x) * math.log(1 - x)


def deployed(seed: int, providers: int = 8, records: int = 500) -> Deployment:
    """Return providers with records of uniform ages under marks."""
    random = np.random.default_rng(seed)
    tables = {
        f"p{i}": pl.DataFrame(
            {"record_id": np.arange(records), "age": random.integers(0, M, records)}
        )
        for i in range(providers)
    }
    return Deployment(attacks.MARKS, tables, FIELD, seed=seed)


def within(runs) -> float:
    """Return how far the mean of some runs is from the truth but for a rate of ALPHA."""
    return student.ppf(1 - ALPHA / 2, len(runs) - 1) * np.std(runs, ddof=1) / math.sqrt(len(runs))


def test_entries_lie_in_their_cells_with_twice_the_entropy_as_density():
    """Kolmogorov-Smirnov over 8,000 providers of one value each, false-alarm rate 1e-6."""
    key = bytes(range(32))
    cells = attacks._marks._mopse.attack.ruler_spans(key, M, 1)
    places = []
    for number in range(8000):
        marks = Marks(key, number.to_bytes(32, "big"), M)
        value = number % M
        (entry,) = marks.encrypt(np.array([value]), np.array([[number, 1]], np.uint64))
        low, high = cells[value].astype(object)
        assert low <= entry <= high
        places.append((int(entry) - low) / (high - low))

    def cumulative(x: np.ndarray) -> np.ndarray:
        """Return the integral of 2 H: x + x(1 - x) ... by parts."""
        first = x - x**2 * np.log(x)
        other = (1 - x) ** 2 * np.log1p(-x)
        return np.where((x <= 0) | (x >= 1), np.clip(x, 0, 1), first + other)

    at = np.linspace(0.01, 0.99, 9)
    exact = [quad(lambda x: 2 * entropy(x), 0, end)[0] for end in at]
    assert cumulative(at) == pytest.approx(exact, abs=1e-9)
    assert kstest(places, cumulative).pvalue > ALPHA


@pytest.mark.parametrize(
    ("colluders", "recovered", "certain"), [(1, 0.912, 0.389), (2, 0.963, 0.696), (4, 0.986, 0.874)]
)
def test_colluders_find_what_is_expected(colluders, recovered, certain):
    """Entries of a cell share its marks, so runs are the sample. False-alarm rate 1e-6 each.

    The closed forms are of cells with a neighbour on both sides; printed to three digits.
    """

    def sure(x: float) -> float:
        return 2 * entropy(x) * (1 - x ** (2 * colluders) - (1 - x) ** (2 * colluders))

    assert quad(sure, 0, 1)[0] == pytest.approx(certain, abs=5e-4)
    shares, claimed, certain_shares = [], [], []
    for seed in range(20):
        made = deployed(seed)
        views = [made.view("provider+snapshot", provider=f"p{i}") for i in range(colluders)]
        guess = attacks.locate_between_marks(views, "age")
        truth = made.truth["age"]
        right, is_sure = guess.values == truth, guess.confidence == 1
        assert right[is_sure].all()
        inner = (made.senders >= colluders) & (truth > 0) & (truth < M - 1)
        shares.append(right[inner].mean())
        claimed.append(guess.confidence[inner].mean())
        certain_shares.append(is_sure[inner].mean())
    assert abs(np.mean(shares) - recovered) < within(shares) + 5e-4
    assert abs(np.mean(certain_shares) - certain) < within(certain_shares) + 5e-4
    # What is claimed is what is reached.
    assert abs(np.mean(claimed) - np.mean(shares)) < within(np.subtract(claimed, shares))


@st.composite
def three_cells(draw):
    """Return the marks of some colluders in three cells that are not narrow, and the cuts."""
    cuts = np.cumsum([draw(st.integers(20, 60)) for _ in range(3)])
    cuts = np.append(0, cuts / cuts[-1])
    part = st.tuples(st.floats(0.05, 0.4), st.floats(0.6, 0.95))
    colluders = draw(st.lists(st.tuples(part, part, part), min_size=1, max_size=3))
    return [cuts[:-1, None] + np.diff(cuts)[:, None] * np.array(parts) for parts in colluders]


def weighed(colluders, at, points=300):
    """Return how likely each of three cells is of an entry, by a plain sum over both cuts."""
    first, last = np.min(colluders, axis=0)[:, 0], np.max(colluders, axis=0)[:, 1]
    middle = (np.arange(points) + 0.5) / points
    one = (last[0] + (first[1] - last[0]) * middle)[:, None]
    other = (last[1] + (first[2] - last[1]) * middle)[None, :]
    widths = [one + 0 * other, other - one, 1 - other + 0 * one]
    weight = np.prod(widths, axis=0) ** (-2.0 * len(colluders))
    found = []
    for low, width in zip([0 * one, one, other], widths, strict=True):
        x = np.clip((at - low) / width, 0, 1)
        density = (entr(x) + entr(1 - x)) / width
        found.append((weight * density).sum())
    return np.array(found) / sum(found)


@given(three_cells(), st.floats(0.001, 0.999))
@settings(deadline=None)
def test_an_entry_between_marks_is_weighed_as_by_a_plain_sum_over_the_cuts(colluders, place):
    spans = (np.array(colluders) * 2.0**63).astype(np.int64)
    first, last = spans[:, :, 0].min(axis=0), spans[:, :, 1].max(axis=0)
    index = attacks.Index("all", np.array([int(place * 2.0**63)]), np.array([0]))
    (cell,), (confidence,) = attacks._marks._between(
        index, attacks.Domain(3), first, last, len(colluders)
    )
    expected = weighed(colluders, place)
    assert confidence == pytest.approx(expected[cell], abs=0.03)
    assert expected[cell] > expected.max() - 0.06


def test_on_shuffled_entries_colluders_find_no_more_than_a_guess():
    """The control: 4,000 entries of others, each right with probability 1 / 81; rate 1e-6."""
    made = deployed(1, providers=9)
    views = [made.view("provider+snapshot", provider="p0").shuffled(1)]
    guess = attacks.locate_between_marks(views, "age")
    others = made.senders > 0
    right = (guess.values == made.truth["age"])[others].mean()
    assert abs(right - 1 / M) < DEVIATIONS * math.sqrt(1 / M * (1 - 1 / M) / others.sum())


def test_with_full_cells_the_same_attack_finds_everything():
    random = np.random.default_rng(1)
    table = pl.DataFrame({"record_id": np.arange(900), "age": random.integers(0, M, 900)})
    made = Deployment(attacks.MOPSE, {"a": table[:100], "b": table[100:]}, FIELD, seed=1)
    views = [made.view("provider+snapshot", provider="a")]
    guess = attacks.locate_between_marks(views, "age")
    assert (guess.values == made.truth["age"]).all()
    assert (guess.confidence == 1).all()


def test_a_provider_alone_locates_nothing_between_its_marks():
    made = deployed(1)
    guess = attacks.locate(made.view("provider+snapshot", provider="p0"), "age")
    others = made.senders > 0
    assert 0.2 < guess.is_guessed[others].mean() < 0.8
    found = others & guess.is_guessed
    assert (guess.values == made.truth["age"])[found].all()


def exactly_found(scheme: str, seed: int, records: int, providers: int = 1) -> float:
    """Return the share of records in a class at the widest gaps that is one value's, whole."""
    random = np.random.default_rng(seed)
    table = pl.DataFrame({"record_id": np.arange(records), "age": random.integers(0, M, records)})
    tables = {f"p{i}": table[i::providers] for i in range(providers)}
    made = Deployment(scheme, tables, FIELD, seed=seed)
    index = made.view("snapshot").index("age")
    truth = made.truth["age"][index.records]
    classes = attacks.widest_gaps(index.ciphertexts, M)
    joint = np.zeros((M, M), np.int64)
    np.add.at(joint, (truth, classes), 1)
    is_exact = (joint == joint.sum(axis=0)) & (joint == joint.sum(axis=1)[:, None])
    return joint[is_exact].sum() / records


@pytest.mark.parametrize(
    ("records", "providers", "cells", "marks"),
    [(1000, 1, 0.0144, 0.586), (5000, 1, 0.0011, 0.772), (1000, 4, 0.0144, 0.180)],
)
def test_marks_show_equal_values_to_a_thief_of_the_store(records, providers, cells, marks):
    """Means of 20 runs, false-alarm rate 1e-6 each.

    Expected is what 1,500 runs of a NumPy simulation of random spacings give, to 0.002. The printed
    .61 of 1,000 and .75 of 5,000 are taken for those of one run, all records one provider's. With
    four providers the gaps fill up.
    """
    full = [exactly_found(attacks.MOPSE, seed, records, providers) for seed in range(20)]
    part = [exactly_found(attacks.MARKS, seed, records, providers) for seed in range(20)]
    assert abs(np.mean(full) - cells) < within(full) + 0.002
    assert abs(np.mean(part) - marks) < within(part) + 0.004
    if providers == 1:
        printed = {1000: 0.61, 5000: 0.75}[records]
        assert abs(np.mean(part) - printed) < within(part) * math.sqrt(len(part) + 1)


def test_widest_gaps_worked_by_hand():
    assert attacks.widest_gaps(np.array([1, 2, 9, 10, 30]), 3).tolist() == [0, 0, 1, 1, 2]
    assert attacks.widest_gaps(np.array([5]), 1).tolist() == [0]


def test_bad_input_is_refused_by_name():
    made = deployed(1, providers=2, records=20)
    handles = np.zeros((1, 2), np.uint64)
    marks = Marks(bytes(32), bytes(32), M)
    assert repr(marks) == "Marks(domain=81, cell=1)"
    with pytest.raises(InvalidInputError, match="no view to collude with"):
        attacks.locate_between_marks([], "age")
    with pytest.raises(InvalidInputError, match="a view of snapshot has no marks of 'age'"):
        attacks.locate_between_marks([made.view("snapshot")], "age")
    other = deployed(2, providers=2, records=20).view("provider+snapshot", provider="p1")
    with pytest.raises(InvalidInputError, match="different rulers"):
        attacks.locate_between_marks([made.view("provider+snapshot", provider="p0"), other], "age")
    with pytest.raises(InvalidInputError, match="plaintext at position 0"):
        marks.encrypt(np.array([M]), handles)
    with pytest.raises(InvalidInputError, match=r"handles have shape \(1, 2\), not \(2, 2\)"):
        marks.encrypt(np.array([1, 2]), handles)
    with pytest.raises(WrongTypeError, match="handles must be a uint64 array"):
        marks.encrypt(np.array([1]), [[1, 2]])
    with pytest.raises(WrongTypeError, match="cell is a float"):
        Marks(bytes(32), bytes(32), M, cell=1.5)
    with pytest.raises(InvalidInputError, match="domain is -1"):
        Marks(bytes(32), bytes(32), -1)
    with pytest.raises(InvalidInputError, match="expected 32"):
        Marks(bytes(31), bytes(32), M)
    with pytest.raises(InvalidInputError, match="3 classes of 2 distinct entries"):
        attacks.widest_gaps(np.array([1, 2]), 3)
    with pytest.raises(InvalidInputError, match="2 classes of 1 distinct entries"):
        attacks.widest_gaps(np.array([5, 5]), 2)
    with pytest.raises(InvalidInputError, match="1 classes of 0 distinct entries"):
        attacks.widest_gaps(np.array([], np.int64), 1)
    with pytest.raises(InvalidInputError, match="entry 0 is negative"):
        attacks.widest_gaps(np.array([-1, 1]), 1)
    with pytest.raises(WrongTypeError, match="classes is a float"):
        attacks.widest_gaps(np.array([1, 2]), 1.5)
    with pytest.raises(InvalidInputError, match="do not ascend"):
        attacks.widest_gaps(np.array([2, 1]), 1)
