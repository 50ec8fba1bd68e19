"""The cloud's merge, against NumPy's stable sort and one case worked by hand."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mopse
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

LAST = 2**63 - 1


def run_of(*ciphertexts: int) -> np.ndarray:
    return np.array(ciphertexts, dtype=np.int64)


def stable_order(runs: list[np.ndarray]) -> np.ndarray:
    return np.argsort(np.concatenate(runs), kind="stable")


# Few distinct values, so that ties between runs are common; both ends of the space; and anything.
few = st.integers(0, 20)
ends = st.sampled_from([0, 1, 2**62, LAST - 1, LAST])
anything = st.integers(0, LAST)
ciphertexts = st.sampled_from([few, ends, anything, few | ends | anything])


@st.composite
def sorted_runs(draw):
    entries = draw(ciphertexts)
    runs = st.lists(entries, max_size=40).map(lambda values: run_of(*sorted(values)))
    return draw(st.lists(runs, min_size=1, max_size=12))


@given(sorted_runs())
def test_merging_is_a_stable_sort(runs):
    order = mopse.merge(runs)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(order, stable_order(runs))


@pytest.mark.parametrize("k", [1, 2, 3, 17, 256])
@pytest.mark.parametrize("values", [1, 5, 3000, 2**63])
def test_large_merges_cross_pieces_and_threads(k, values):
    # 300,000 entries make some 70 pieces; with 5 values each piece is all ties.
    random = np.random.default_rng([k, values % 2**32])
    sizes = random.multinomial(300_000, random.dirichlet(np.full(k, 0.3)))
    runs = [
        np.sort(random.integers(0, values, size, dtype=np.uint64)).astype(np.int64)
        for size in sizes
    ]
    np.testing.assert_array_equal(mopse.merge(runs), stable_order(runs))


def test_runs_side_by_side_or_reversed_keep_their_places():
    runs = [np.arange(1000) + 1000 * i for i in range(20)]
    assert mopse.merge(runs).tolist() == list(range(20_000))
    backwards = mopse.merge(runs[::-1])
    np.testing.assert_array_equal(np.concatenate(runs[::-1])[backwards], np.arange(20_000))


def test_tie_worked_by_hand_goes_to_the_first_run():
    assert mopse.merge([run_of(10, 40), run_of(20, 40)]).tolist() == [0, 2, 1, 3]
    assert mopse.merge([run_of(40, 40), run_of(40)]).tolist() == [0, 1, 2]
    assert mopse.merge([run_of(0, LAST), run_of(0, LAST)]).tolist() == [0, 2, 1, 3]


def test_order_merges_any_column_that_came_with_the_runs():
    order = mopse.merge([run_of(10, 40), run_of(20, 40)])
    assert np.array(["a", "b", "c", "d"])[order].tolist() == ["a", "c", "b", "d"]


def test_many_runs_of_one_entry_are_sorted():
    values = np.random.default_rng(2).integers(0, 100, 5000)
    runs = [values[i : i + 1] for i in range(values.size)]
    np.testing.assert_array_equal(mopse.merge(runs), np.argsort(values, kind="stable"))


@pytest.mark.parametrize(
    "runs", [[], [run_of()], [run_of()] * 50, [[]], (), [pl.Series([], dtype=pl.Int8)]]
)
def test_no_entries_give_an_empty_order(runs):
    order = mopse.merge(runs)
    assert order.dtype == np.int64
    assert order.shape == (0,)


def test_empty_runs_between_others_change_nothing():
    assert mopse.merge([run_of(), run_of(5, 6), run_of(), run_of(1), run_of()]).tolist() == [
        2,
        0,
        1,
    ]


def test_integers_of_every_width_and_library_merge():
    values = [1, 5, 5, 120]
    runs = [
        values,
        np.array(values, np.int8),
        np.array(values, ">u4"),
        np.array(values, np.uint64),
        np.repeat(values, 2)[::2],
        pl.Series(values),
        pd.Series(values),
        pa.array(values, pa.int16()),
    ]
    expected = stable_order([np.array(values)] * len(runs))
    np.testing.assert_array_equal(mopse.merge(runs), expected)
    assert mopse.merge([np.array([LAST], np.uint64), run_of(LAST)]).tolist() == [0, 1]


def test_read_only_runs_are_read_and_left_as_they_were():
    run = run_of(3, 9)
    run.flags.writeable = False
    assert mopse.merge([run, run]).tolist() == [0, 2, 1, 3]
    assert run.tolist() == [3, 9]


@given(sorted_runs(), st.data())
def test_one_step_down_is_named_with_run_and_position(runs, data):
    runs = [run for run in runs if run.size >= 2 and run[0] < run[-1]]
    if not runs:
        return
    at = data.draw(st.integers(0, len(runs) - 1))
    (steps,) = np.nonzero(np.diff(runs[at]))
    position = int(data.draw(st.sampled_from(steps.tolist()))) + 1
    changed = runs[at].copy()
    # The ciphertext takes the place of the lower one before it: the first step down is here.
    changed[[position - 1, position]] = changed[[position, position - 1]]
    with pytest.raises(InvalidInputError) as caught:
        mopse.merge([*runs[:at], changed, *runs[at + 1 :]])
    assert str(caught.value) == (
        f"run {at} is not sorted: its ciphertext {position} is below the one before it"
    )
    assert isinstance(caught.value, MopseError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([run_of(1, 2), run_of(5, 7, 6)], "run 1 is not sorted: its ciphertext 2 "),
        ([run_of(1), run_of(-1, 5)], "run 1 .* its entry 0 is negative"),
        ([run_of(-(2**63))], "run 0 .* its entry 0 is negative"),
        ([run_of(), run_of(3, -1)], "run 1 is not sorted: its ciphertext 1 "),
        ([run_of(1), np.array([1, 2**63], np.uint64)], "run 1: entry 1 does not fit an int64"),
        ([pl.Series([1, None])], "run 0: entry 1 is null"),
        ([run_of(1), np.ma.array([1, 2], mask=[1, 0])], "run 1: entry 0 is null"),
    ],
)
def test_what_is_no_run_is_refused_with_run_and_position(runs, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        mopse.merge(runs)
    assert not isinstance(caught.value, WrongTypeError)


@pytest.mark.parametrize(
    "not_a_run",
    [
        np.array([1.0]),
        np.array([True]),
        np.array([1], dtype="m8[s]"),
        np.array(["1"]),
        np.array([[1]]),
        np.array(1),
        1,
        None,
        "12",
        pl.Series([1.0]),
        pl.DataFrame({"x": [1]}),
    ],
    ids=str,
)
def test_nothing_is_cast_in_silence(not_a_run):
    with pytest.raises(WrongTypeError, match="run 1 must") as caught:
        mopse.merge([run_of(1), not_a_run])
    assert isinstance(caught.value, TypeError)
