"""Arrays of every library through every public call that takes some: one reader, one answer.

A call is given the same numbers in many kinds of array, and returns for each what it returns for
NumPy's, or is given what is none, and refuses it by the name of the argument and the entry.
"""

import array
import collections
import datetime
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scene import Scene

import mopse
from mopse import attacks, datasets, plot
from mopse.attacks import Auxiliary, Deployment, Domain, Guess, View
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

KEY = bytes(range(32))
AGES = mopse.Schema(age=mopse.Field(0, 120))
NUMBERS = [3, 1, 4, 1, 5, 9, 2, 6]
ASCENDING = sorted(NUMBERS)


# Kinds of array


def strided(values: list[int], dtype: Any = np.int64) -> np.ndarray:
    apart = np.repeat(np.array(values, dtype)[::-1], 2)[::-2]
    assert not apart.flags.c_contiguous
    return apart


KINDS: dict[str, Callable[[list[int]], Any]] = {
    **{
        f"numpy {name}": lambda values, name=name: np.array(values, name)
        for name in ("i1", "i2", "i4", "u1", "u2", "u4", "u8", ">i2", ">i4", ">i8", ">u8")
    },
    "numpy strided": strided,
    "numpy strided, other bytes first": lambda values: strided(values, ">i4"),
    "numpy column of two": lambda values: np.stack([np.array(values)] * 2, axis=1)[:, 0],
    "numpy objects": lambda values: np.array(values, object),
    "numpy masked nowhere": lambda values: np.ma.array(values, mask=False),
    "list": list,
    "tuple": tuple,
    "list of NumPy's": lambda values: [np.int8(value) for value in values],
    "generator": lambda values: (value for value in values),
    "deque": collections.deque,
    "dict's values": lambda values: dict(enumerate(values)).values(),
    "array.array": lambda values: array.array("h", values),
    "memoryview": lambda values: memoryview(np.array(values)),
    **{
        f"polars {dtype}": lambda values, dtype=dtype: pl.Series(values, dtype=dtype)
        for dtype in (pl.Int8, pl.Int64, pl.UInt16, pl.UInt64, pl.Int128)
    },
    "polars in pieces": lambda values: pl.concat(
        [pl.Series(values[:3]), pl.Series(values[3:])], rechunk=False
    ),
    "pandas": pd.Series,
    "pandas, labels the other way round": lambda values: pd.Series(
        values, index=range(len(values), 0, -1)
    ),
    "pandas nullable": lambda values: pd.Series(values, dtype="Int16"),
    "pandas array": lambda values: pd.array(values, dtype="UInt8"),
    "pandas of arrow": lambda values: pd.Series(values, dtype="int32[pyarrow]"),
    "pandas objects": lambda values: pd.Series(values, dtype=object),
    "pandas categorical": lambda values: pd.Series(pd.Categorical(values)),
    "pandas index": pd.Index,
    "arrow": pa.array,
    "arrow unsigned": lambda values: pa.array(values, pa.uint8()),
    "arrow in chunks": lambda values: pa.chunked_array([values[:2], values[2:]]),
    "arrow dictionary": lambda values: pa.array(values).dictionary_encode(),
}

NULLS: dict[str, Any] = {
    "list": [1, None],
    "numpy objects": np.array([1, None]),
    "numpy masked": np.ma.array([1, 2], mask=[0, 1]),
    "polars": pl.Series([1, None]),
    "pandas nullable": pd.array([1, None], dtype="Int64"),
    "pandas of arrow": pd.Series([1, None], dtype="int64[pyarrow]"),
    "pandas objects": pd.Series([1, None], dtype=object),
    "pandas NA": [1, pd.NA],
    "arrow": pa.array([1, None]),
    "arrow in chunks": pa.chunked_array([[1], [None]]),
    "arrow dictionary": pa.array([1, None]).dictionary_encode(),
}
"""Entry 1 is null."""

SECRET = "65537"
NO_NUMBERS: dict[str, Any] = {
    "digits": [SECRET],
    "digits of NumPy": np.array([SECRET]),
    "digits of NumPy's strings": np.array([SECRET], np.dtypes.StringDType()),
    "digits of Polars": pl.Series([SECRET]),
    "digits of pandas": pd.Series([SECRET]),
    "digits of arrow": pa.array([SECRET]),
    "categories": pl.Series([SECRET], dtype=pl.Categorical),
    "bytes": [SECRET.encode()],
    "bytes of NumPy": np.array([SECRET.encode()]),
    "a string": SECRET,
    "a bytes": SECRET.encode(),
    "a bytearray": bytearray(SECRET.encode()),
    "a memoryview": memoryview(SECRET.encode()),
    "None": None,
    "a number and text": [1, SECRET],
    "a number and text of pandas": pd.Series([1, SECRET], dtype=object),
    "a number and a truth value": [65537, True],
    "truth values": [True, False],
    "truth values of NumPy": np.array([True]),
    "truth values of Polars": pl.Series([True]),
    "truth values of pandas": pd.array([True], dtype="boolean"),
    "truth values of arrow": pa.array([True]),
    "dates": [datetime.date(2020, 1, 1)],
    "moments of NumPy": np.array(["2020-01-01"], "M8[s]"),
    "lengths of NumPy": np.array([65537], "m8[s]"),
    "lengths of Polars": pl.Series([datetime.timedelta(1)]),
    "complex": np.array([65537j]),
    "objects": [object()],
    "objects of NumPy": np.array([object()]),
    "of no dimension": np.array(65537),
    "of two": np.array([[65537], [65537]]),
    "of two masked": np.ma.array([[65537]], mask=[[1]]),
    "lists": [[65537], [65537]],
    "lists that differ": [[65537], [65537, 65537]],
    "lists of Polars": pl.Series([[65537]]),
    "lists of arrow": pa.array([[65537]]),
    "records of NumPy": np.array([(65537,)], dtype=[("x", int)]),
    "set": {65537},
    "dict": {"x": 65537},
    "polars table": pl.DataFrame({"x": [65537]}),
    "lazy table": pl.LazyFrame({"x": [65537]}),
    "expression": pl.col("x"),
    "pandas table": pd.DataFrame({"x": [65537]}),
    "arrow table": pa.table({"x": [65537]}),
    "arrow scalar": pa.scalar(65537),
    "periods": pd.Series(pd.period_range("2020-01-01", periods=1)),
    "half a surrogate pair": ["\ud800"],
}
NO_INTEGERS: dict[str, Any] = {
    **NO_NUMBERS,
    "floats": [65537.5, 1.0],
    "whole floats of NumPy": np.array([65537.0]),
    "halves of NumPy": np.array([1], np.float16),
    "NaN": np.array([np.nan]),
    "infinite": [float("inf")],
    "floats of pandas": pd.Series([65537.0]),
    "floats of arrow": pa.array([65537.0]),
    "decimals": [Decimal(65537)],
    "decimals of arrow": pa.array([Decimal(65537)], pa.decimal128(9, 0)),
    "fractions": [Fraction(65537, 2)],
}


# What takes integers

VIEW = View.snapshot(mopse.Opse(KEY, 16).encrypt(np.array(NUMBERS)), plaintexts=16)
CLWW, OPSE = mopse.Clww(KEY, 16), mopse.Opse(KEY, 16)
FEW_BITS = [c for c in CLWW.encrypt(np.arange(16)).tolist() if c < 128]
"""Ciphertexts that an int8 holds."""
LEWI_WU = mopse.LewiWu(KEY, 16)
PROVIDER = mopse.Owner.from_insecure_seed(AGES, 1).authorize("hospital")
HANDLES = PROVIDER.handles(range(8))
MARKS = attacks.Marks(KEY, bytes(32), 16)
GUESS = Guess(np.array(NUMBERS))


def patterns(low: Any, high: Any, values: Any) -> list[Any]:
    found = attacks.AccessPatterns.of_ranges(low, high, values)
    return [found.offsets, found.entries, found.records]


INTEGERS: dict[str, tuple[str, Callable[[Any], Any], list[int]]] = {
    "Opse.encrypt": ("plaintexts", OPSE.encrypt, NUMBERS),
    "Opse.encrypt ids": (
        "ids",
        lambda ids: OPSE.encrypt(np.arange(8), ids=ids),
        NUMBERS,
    ),
    "Opse.decrypt": ("ciphertexts", OPSE.decrypt, NUMBERS),  # which are none of it
    "Clww.encrypt": ("plaintexts", CLWW.encrypt, NUMBERS),
    "Clww.decrypt": ("ciphertexts", CLWW.decrypt, FEW_BITS),
    "Clww.compare": ("ciphertexts", lambda c: mopse.Clww.compare(c, 0), FEW_BITS),
    "LewiWu.encrypt": (
        "plaintexts",
        lambda x: LEWI_WU.decrypt(LEWI_WU.encrypt(x)),
        NUMBERS,
    ),
    "merge": ("run 1", lambda run: mopse.merge([np.array([2, 4]), run]), ASCENDING),
    "Marks.encrypt": ("plaintexts", lambda x: MARKS.encrypt(x, HANDLES), NUMBERS),
    "View.snapshot": (
        "ciphertexts",
        lambda c: View.snapshot(c, 16).index("x").ciphertexts,
        NUMBERS,
    ),
    "of_ranges low": ("low", lambda low: patterns(low, [9] * 8, [4]), NUMBERS),
    "of_ranges high": ("high", lambda high: patterns([0] * 8, high, [4]), NUMBERS),
    "of_ranges values": ("values", lambda values: patterns([2], [4], values), NUMBERS),
    "exposure low": ("low", lambda low: attacks.exposure(low, [9] * 8, 16), NUMBERS),
    "exposure high": ("high", lambda high: attacks.exposure([0] * 8, high, 16), NUMBERS),
    "candidates": (
        "ciphertexts",
        lambda c: attacks.candidates(c, [3], [2], 16),
        NUMBERS,
    ),
    "candidates known": (
        "known ciphertexts",
        lambda c: attacks.candidates([5], c, [0, 1, 2, 3, 4, 5, 6, 7], 16),
        [1, 2, 3, 4, 5, 6, 9, 11],
    ),
    "candidates values": (
        "known values",
        lambda values: attacks.candidates([5], range(8), values, 16),
        ASCENDING,
    ),
    "by_copies known": (
        "known ciphertexts",
        lambda c: attacks.by_copies(VIEW, "x", c, range(8)).values,
        NUMBERS,
    ),
    "by_copies values": (
        "known values",
        lambda values: attacks.by_copies(VIEW, "x", range(8), values).values,
        NUMBERS,
    ),
    "linkage truth": (
        "truth",
        lambda truth: attacks.linkage(truth, [0] * 8, [0, 1] * 4),
        NUMBERS,
    ),
    "linkage classes": (
        "classes",
        lambda classes: attacks.linkage([0] * 8, classes, [0, 1] * 4),
        NUMBERS,
    ),
    "linkage senders": (
        "senders",
        lambda senders: attacks.linkage([0] * 8, [0] * 8, senders),
        NUMBERS,
    ),
    "class_recovery truth": (
        "truth",
        lambda truth: attacks.class_recovery(truth, [0, 1] * 4),
        NUMBERS,
    ),
    "class_recovery classes": (
        "classes",
        lambda classes: attacks.class_recovery([0, 1] * 4, classes),
        NUMBERS,
    ),
    "score truth": (
        "truth",
        lambda truth: attacks.score(GUESS, truth, Domain(16), [0] * 8),
        NUMBERS,
    ),
    "score senders": (
        "senders",
        lambda senders: attacks.score(GUESS, NUMBERS, Domain(16), senders),
        NUMBERS,
    ),
    "score guess": (
        "values",
        lambda values: attacks.score(Guess(values), NUMBERS, Domain(16), [0] * 8),
        NUMBERS,
    ),
    "blind": (
        "truth",
        lambda truth: attacks.blind(Domain(16), None, "x", [1], truth),
        NUMBERS,
    ),
    "widest_gaps": (
        "ciphertexts",
        lambda c: attacks.widest_gaps(c, 3),
        ASCENDING,
    ),
}
FLOATS: dict[str, tuple[str, Callable[[Any], Any], list[int]]] = {
    "Auxiliary": (
        "field 'x'",
        lambda counts: Auxiliary({"x": counts}).distribution("x", Domain(8)),
        NUMBERS,
    ),
    "total_variation": (
        "first",
        lambda counts: attacks.total_variation(counts, range(1, 9)),
        NUMBERS,
    ),
    "total_variation second": (
        "second",
        lambda counts: attacks.total_variation(range(1, 9), counts),
        NUMBERS,
    ),
    "expected_rank_recovery": (
        "probabilities",
        lambda counts: attacks.expected_rank_recovery(counts, 9),
        NUMBERS,
    ),
    "expected_density": (
        "probabilities",
        lambda counts: attacks.expected_density(counts, 9),
        NUMBERS,
    ),
    "cell_masses": (
        "distribution",
        lambda shares: Domain(8, 2).cell_masses(shares),
        NUMBERS,
    ),
    "likeliest": ("distribution", lambda shares: Domain(8, 2).likeliest(shares), NUMBERS),
    "score confidence": (
        "confidence",
        lambda sure: attacks.score(Guess(np.array([1, 0]), sure), [1, 1], Domain(16), [0, 0]),
        [1, 0],
    ),
    "line x": ("x", lambda x: drawn("line", x, range(8)), NUMBERS),
    "line y": ("y", lambda y: drawn("line", range(8), y), NUMBERS),
    "dots x": ("x", lambda x: drawn("dots", x, range(8)), NUMBERS),
    "repeats y": ("y", lambda y: drawn("repeats", range(8), y), NUMBERS),
    "steps x": ("x", lambda x: drawn("steps", x, range(8)), ASCENDING),
    "bars left": ("left", lambda left: drawn("bars", left, [30] * 8, [1] * 8), ASCENDING),
    "bars right": ("right", lambda right: drawn("bars", [-1] * 8, right, [1] * 8), ASCENDING),
    "bars height": (
        "height",
        lambda height: drawn("bars", range(8), range(1, 9), height),
        NUMBERS,
    ),
    "band low": ("low", lambda low: drawn("band", range(8), low, [30] * 8), NUMBERS),
    "band high": ("high", lambda high: drawn("band", range(8), [0] * 8, high), NUMBERS),
    "intervals x": ("x", lambda x: drawn("intervals", x, [0] * 8, [1] * 8), NUMBERS),
    "heat edges": (
        "x_edges",
        lambda edges: drawn("heat", edges, [0, 1], [[1, 2]], label="n"),
        [1, 2, 5],
    ),
    "histogram bins": (
        "bins",
        lambda bins: plot.histogram({"n": [2, 3]}, x="n", bins=bins).svg(),
        [1, 2, 5],
    ),
}


def drawn(layer: str, *arrays: Any, **label: str) -> str:
    figure = plot.Figure(x="x", y="y")
    return getattr(figure, layer)(*arrays, **label).svg()


def told(result: Any) -> str:
    """Return a result as text that is equal for equal ones."""
    if isinstance(result, pl.DataFrame):
        return str(result.to_dicts())
    if isinstance(result, np.ndarray):
        return f"{result.dtype} {result.tolist()}"
    if isinstance(result, tuple | list):
        return str([told(part) for part in result])
    return str(result)


def outcome(call: Callable[[Any], Any], values: Any) -> str:
    """Return what a call returns, or says of values that it has read."""
    try:
        return told(call(values))
    except MopseError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("name", [*INTEGERS, *FLOATS])
def test_every_kind_of_array_gives_what_numpys_gives(name):
    what, call, values = {**INTEGERS, **FLOATS}[name]
    expected = outcome(call, np.array(values))
    assert f"Error: {what}" not in expected
    for kind, make in KINDS.items():
        assert outcome(call, make(values)) == expected, kind


@pytest.mark.parametrize("name", FLOATS)
def test_every_kind_of_float_gives_what_numpys_gives(name):
    _, call, values = FLOATS[name]
    values = [value + 0.5 for value in values] if name != "score confidence" else [0.5, 0.25]
    expected = outcome(call, np.array(values))
    assert "Error" not in expected
    for kind, given in {
        **{dtype: np.array(values, dtype) for dtype in ("f2", "f4", ">f2", ">f4", ">f8")},
        "strided": strided(values, np.float32),
        "objects": np.array(values, object),
        "list": values,
        "list of NumPy's": [np.float32(value) for value in values],
        "decimals": [Decimal(value) for value in values],
        "polars": pl.Series(values, dtype=pl.Float32),
        "polars decimals": pl.Series(values).cast(pl.Decimal(9, 2)),
        "pandas": pd.Series(values),
        "pandas nullable": pd.array(values, dtype="Float32"),
        "arrow": pa.array(values),
        "arrow half": pa.array(np.array(values, np.float16)),
        "arrow decimals": pa.array([Decimal(value) for value in values], pa.decimal128(9, 2)),
    }.items():
        assert outcome(call, given) == expected, kind


def bare(error: Exception) -> str:
    """Return a message, which may call an argument with an article."""
    return str(error).removeprefix("the ")


@pytest.mark.parametrize("name", [*INTEGERS, *FLOATS])
def test_a_null_is_named_by_argument_and_entry(name):
    what, call, _ = {**INTEGERS, **FLOATS}[name]
    for kind, values in NULLS.items():
        with pytest.raises(InvalidInputError) as caught:
            call(values)
        assert bare(caught.value) == f"{what}: entry 1 is null", kind


@pytest.mark.parametrize("name", [*INTEGERS, *FLOATS])
def test_what_holds_no_numbers_is_named_by_argument_and_without_values(name):
    what, call, _ = {**INTEGERS, **FLOATS}[name]
    for kind, values in (NO_INTEGERS if name in INTEGERS else NO_NUMBERS).items():
        if values is None and name in ("Opse.encrypt ids", "score confidence", "likeliest"):
            continue  # where there may be none
        with pytest.raises(WrongTypeError) as caught:
            call(values)
        said = bare(caught.value)
        assert said.startswith((f"{what} must ", f"{what}: ")), (kind, said)
        assert SECRET not in said, (kind, said)


@pytest.mark.parametrize("name", INTEGERS)
def test_a_number_that_does_not_fit_is_named_by_argument_and_entry(name):
    what, call, _ = INTEGERS[name]
    is_unsigned = name.startswith("Clww.") and name != "Clww.encrypt"
    large = 2**64 if is_unsigned else 2**63
    target = "a uint64" if is_unsigned else "an int64"
    for values in (
        [1, large],
        (1, large, -1),
        np.array([1, large], object),
        pl.Series([1, large], dtype=pl.Int128),
        [1, 2**200],
    ):
        with pytest.raises(InvalidInputError) as caught:
            call(values)
        said = bare(caught.value)
        assert said.startswith(what)
        assert "entry 1 does not fit " + target in said or "64 bits in entry 1" in said, said


# Arrays of two dimensions

MATRICES: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy int8": lambda m: m.astype(np.int8),
    "numpy, columns first": np.asfortranarray,
    "numpy, turned": lambda m: np.ascontiguousarray(m.T).T,
    "numpy, strided": lambda m: np.repeat(m, 2, axis=1)[:, ::2],
    "numpy, other bytes first": lambda m: m.astype(">f4"),
    "numpy masked nowhere": lambda m: np.ma.array(m, mask=False),
    "numpy objects": lambda m: m.astype(object),
    "lists": lambda m: m.tolist(),
    "tuples of arrays": tuple,
    "columns of Polars in a list": lambda m: [pl.Series(row) for row in m],
    "polars": lambda m: pl.DataFrame(m, schema=["a", "b", "c"]),
    "pandas": pd.DataFrame,
}


def joint(values: Any) -> Any:
    known = Auxiliary({"x": [1, 2], "y": [1, 2, 3]}, {("x", "y"): values})
    return known.joint("x", "y", (Domain(2), Domain(3)))


def heat(values: Any) -> Any:
    return drawn("heat", range(4), range(3), values, label="n")


@pytest.mark.parametrize(("call", "what"), [(joint, r"fields \('x', 'y'\)"), (heat, "values")])
def test_every_kind_of_matrix_gives_what_numpys_gives(call, what):
    values = np.array([[3, 1, 4], [1, 5, 9]])
    for kind, make in MATRICES.items():
        assert told(call(make(values))) == told(call(values)), kind
    for wrong in (
        *(None, 5, "12", b"12", [1, 2], np.arange(3), np.ones((1, 2, 2)), [[1, 2], [3]]),
        *([["1", "2"]], np.array([["1"]]), [[True]], pl.DataFrame({"a": ["1"]}), pl.Series([1])),
        *(
            pd.DataFrame({"a": ["1"]}),
            pd.Series([1]),
            {"a": [1]},
            pl.LazyFrame({"a": [1]}),
            iter([1]),
        ),
    ):
        with pytest.raises(WrongTypeError, match=f"^{what}"):
            call(wrong)
    for null in (
        [[1, 2, 3], [1, None, 3]],
        np.ma.array(values, mask=[[0, 0, 0], [0, 1, 0]]),
        pl.DataFrame({"a": [1, 1], "b": [2, None], "c": [3, 3]}),
        pd.DataFrame({"a": [1, 1], "b": [2, None], "c": [3, 3]}, dtype=object),
    ):
        with pytest.raises(InvalidInputError, match=rf"^{what}, row 1: entry 1 is null"):
            call(null)


def test_ciphertexts_in_two_halves_are_read_as_they_lie_or_refused():
    rows = LEWI_WU.encrypt(NUMBERS)
    one = LEWI_WU.encrypt(4)
    signs = mopse.LewiWu.compare(rows, one).tolist()
    for kind, same in {
        "columns first": np.asfortranarray(rows),
        "strided": np.repeat(rows, 2, axis=0)[::2],
        "masked nowhere": np.ma.array(rows, mask=False),
    }.items():
        assert LEWI_WU.decrypt(same).tolist() == NUMBERS, kind
        assert mopse.LewiWu.compare(same, one).tolist() == signs, kind
    for same in (bytearray(one), memoryview(one), rows[2].tobytes()):
        assert LEWI_WU.decrypt(same) == 4
    masked = np.ma.array(rows, mask=rows == rows[0, 0])
    for call in (LEWI_WU.decrypt, lambda c: mopse.LewiWu.compare(one, c)):
        with pytest.raises(InvalidInputError, match=r"^the ciphertexts: entry 0 is null"):
            call(masked)
        for wrong in (
            rows.astype(np.int64),
            rows[0],
            rows[None],
            pl.Series([one]),
            [one],
            "c",
            None,
        ):
            with pytest.raises(WrongTypeError, match=r"^(a ciphertext|ciphertexts) must be"):
                call(wrong)


# Pseudonyms


def test_handles_are_read_as_they_lie_or_refused():
    entries = PROVIDER.entries("age", NUMBERS, HANDLES).tolist()
    marked = MARKS.encrypt(NUMBERS, HANDLES).tolist()
    for same in (np.asfortranarray(HANDLES), np.repeat(HANDLES, 2, axis=0)[::2]):
        assert PROVIDER.entries("age", NUMBERS, same).tolist() == entries
        assert MARKS.encrypt(NUMBERS, same).tolist() == marked
    for wrong in (
        *(None, 5, HANDLES.tolist(), HANDLES.astype(np.int64), HANDLES.astype(">u8"), HANDLES[:1]),
        *(HANDLES[:, :1], HANDLES[None], np.ma.array(HANDLES, mask=HANDLES[0, 0] == HANDLES)),
    ):
        for call in (
            lambda wrong=wrong: PROVIDER.entries("age", NUMBERS, wrong),
            lambda wrong=wrong: MARKS.encrypt(NUMBERS, wrong),
        ):
            with pytest.raises(InvalidInputError, match=r"^handles"):
                call()


# Ids

TEXTS: dict[str, Callable[[list[str]], Any]] = {
    "list": list,
    "generator": lambda values: iter(values),
    "numpy": np.array,
    "numpy objects": lambda values: np.array(values, object),
    "numpy strings": lambda values: np.array(values, np.dtypes.StringDType()),
    "polars": pl.Series,
    "polars categories": lambda values: pl.Series(values, dtype=pl.Categorical),
    "pandas": pd.Series,
    "pandas objects": lambda values: pd.Series(values, dtype=object),
    "pandas index": pd.Index,
    "pandas categories": pd.Categorical,
    "arrow": pa.array,
    "arrow large": lambda values: pa.array(values, pa.large_string()),
    "arrow views": lambda values: pa.array(values, pa.string_view()),
    "arrow in chunks": lambda values: pa.chunked_array([values[:1], values[1:]]),
    "arrow dictionary": lambda values: pa.array(values).dictionary_encode(),
}


def test_every_kind_of_array_gives_the_same_ids():
    for values, kinds in ((NUMBERS, KINDS), (["17", "Zürich", ""], TEXTS)):
        expected = PROVIDER.handles(values).tolist()
        for kind, make in kinds.items():
            if kind != "polars Int128":  # a type of no id
                assert PROVIDER.handles(make(values)).tolist() == expected, kind
    for call in (PROVIDER.handles, PROVIDER.lookup, PROVIDER.grant):
        for values in NULLS.values():
            with pytest.raises(InvalidInputError, match=r"^column 'ids', row 1: the id is null"):
                call(values)
        for kind, values in NO_INTEGERS.items():
            is_all = values is None and call == PROVIDER.grant  # of all records
            is_set = kind == "set" and call != PROVIDER.handles  # whose order does not count
            if is_all or is_set or "digits" in kind or kind == "categories":
                continue
            with pytest.raises(WrongTypeError) as caught:
                call(values)
            said = str(caught.value)
            assert "ids must be" in said, (kind, said)
            assert SECRET not in said, (kind, said)


def test_every_kind_of_array_gives_the_same_entries():
    expected = PROVIDER.entries("age", np.array(NUMBERS), HANDLES).tolist()
    for kind, make in KINDS.items():
        assert PROVIDER.entries("age", make(NUMBERS), HANDLES).tolist() == expected, kind
    for values in NULLS.values():
        with pytest.raises(InvalidInputError, match=r"^field 'age': the value in row 1 is null"):
            PROVIDER.entries("age", values, HANDLES[:2])
    for kind, values in NO_NUMBERS.items():
        with pytest.raises(WrongTypeError, match=r"^(column|field) 'age'") as caught:
            PROVIDER.entries("age", values, HANDLES[:1])
        assert SECRET not in str(caught.value), kind


# Tables

ROWS = pl.DataFrame(
    {"record_id": [4, 2, 7], "age": [41, 70, 12], "by": ["a", "b", "a"], "seed": [1, 1, 2]}
)
TABLES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "lazy": lambda table: table.lazy(),
    "pandas": lambda table: table.to_pandas(),
    "pandas, of arrow": lambda table: table.to_pandas(use_pyarrow_extension_array=True),
    "pandas, objects": lambda table: table.to_pandas().astype(object),
    "pandas, ids as labels": lambda table: table.to_pandas().set_index("record_id"),
    "pandas, two levels of labels": lambda table: table.to_pandas().set_index(["record_id", "age"]),
    "pandas, ids as labels and column": lambda table: table.to_pandas().set_index(
        "record_id", drop=False
    ),
    "arrow": lambda table: table.to_arrow(),
    "arrow batch": lambda table: table.to_arrow().combine_chunks().to_batches()[0],
    "arrow reader": lambda table: table.to_arrow().to_reader(),
    "dict of lists": lambda table: table.to_dict(as_series=False),
    "dict of columns": lambda table: table.to_dict(),
    "dict of NumPy's": lambda table: {name: table[name].to_numpy() for name in table.columns},
    "dict of masked": lambda table: {
        name: np.ma.array(table[name].to_numpy(), mask=False) for name in table.columns
    },
    "dict of objects": lambda table: {
        name: np.array(table[name].to_list(), object) for name in table.columns
    },
    "dict of many libraries": lambda table: {
        "record_id": strided(table["record_id"].to_list(), ">i2"),
        "age": pd.array(table["age"].to_list(), dtype="UInt8"),
        "by": pa.array(table["by"].to_list()).dictionary_encode(),
        "seed": iter(table["seed"]),
    },
}
NO_TABLES: dict[str, Any] = {
    "None": None,
    "a list": [[1]],
    "a string": SECRET,
    "bytes": SECRET.encode(),
    "an array": np.ones((2, 2)),
    "a column": pl.Series([65537]),
    "a column of pandas": pd.Series([65537]),
    "a column of arrow": pa.array([65537]),
    "columns of several lengths": {"record_id": [1, 2], "age": [65537]},
    "a number for a column": {"record_id": [1], "age": 65537},
    "text for a column": {"record_id": [1], "age": SECRET},
    "a column of two types": {"record_id": [1, 2], "age": [1, SECRET]},
    "a column of two dimensions": {"record_id": [1], "age": np.array([[65537]])},
    "a number for a name": {"record_id": [1], 5: [65537]},
    "names twice": pd.DataFrame([[1, 65537]], columns=["record_id", "record_id"]),
    "names of arrow twice": pa.table([[1], [65537]], names=["age", "age"]),
    "no rows": {"record_id": [], "age": []},
    "no columns": {},
    "no rows of pandas": ROWS.to_pandas()[:0],
}


def through_the_cloud(table: Any) -> Any:
    scene = Scene(AGES, "hospital", seed=1)
    scene.cloud.receive(scene["hospital"].encrypt(table, id="record_id", accept_leakage=["age"]))
    scene.cloud.receive(
        scene["hospital"].update(
            ROWS.with_columns(age=50), id="record_id", cloud=scene.cloud, accept_leakage=["age"]
        )
    )
    found = scene.ask(scene.owner, age=50).sort("record_id")
    return found.select("record_id", "age", pl.col("by").cast(pl.String), "provider").to_dicts()


def encrypted(table: Any) -> Any:
    scene = Scene(AGES, "hospital", seed=1)
    scene.cloud.receive(scene["hospital"].encrypt(table, id="record_id"))
    found = scene.ask(scene.owner, age=(40, None)).sort("record_id")
    return found.select("record_id", "age", pl.col("by").cast(pl.String), "provider").to_dicts()


def deployed(table: Any) -> Any:
    made = Deployment(attacks.PLAIN, {"a": table}, AGES, seed=1)
    return made.truth["age"].tolist(), made.view("snapshot").index("age").ciphertexts.tolist()


TAKES_TABLES: dict[str, Callable[[Any], Any]] = {
    "encrypt": encrypted,
    "update": through_the_cloud,
    "leakage_report": lambda table: mopse.leakage_report(table, AGES).table,
    "Auxiliary.from_table": lambda table: Auxiliary.from_table(table, AGES).distribution(
        "age", Domain(121)
    ),
    "Deployment": deployed,
    "providers": lambda table: {
        path: of["record_id"].to_list() for path, of in datasets.providers(table, 2).items()
    },
    "synthetic": lambda table: datasets.synthetic(5, like=table, columns=["age"]),
    "lines": lambda table: plot.lines(table, x="record_id", y="age", by="by").svg(),
    "scatter": lambda table: plot.scatter(table, x="record_id", y="age").svg(),
    "steps": lambda table: plot.steps(table, x="record_id", y="age").svg(),
    "bars": lambda table: plot.bars(table, x="by", y="age").svg(),
    "histogram": lambda table: plot.histogram(table, x="age", bins=3).svg(),
    "heatmap": lambda table: plot.heatmap(table, x="record_id", y="by", value="age"),
}


@pytest.mark.parametrize("name", TAKES_TABLES)
def test_every_kind_of_table_gives_what_polars_gives(name):
    call = TAKES_TABLES[name]
    expected = outcome(call, ROWS)
    for kind, make in TABLES.items():
        assert outcome(call, make(ROWS)) == expected, kind


@pytest.mark.parametrize("name", TAKES_TABLES)
def test_what_is_no_table_is_refused_without_values(name):
    for kind, table in NO_TABLES.items():
        if name == "synthetic" and isinstance(table, str):
            continue  # the name of a data set
        with pytest.raises(InvalidInputError) as caught:
            TAKES_TABLES[name](table)
        assert SECRET not in str(caught.value), kind


def test_a_fault_of_a_column_is_named_for_what_it_is():
    for column, said in (
        ([1, SECRET], "column 'age' holds values of several types: integer up to row 0, str in"),
        (np.ones((2, 2)), "column 'age' must have one dimension, not 2"),
        (5, "column 'age' must be an array, not int"),
        ([1], "columns differ in length: 'id' has 2 rows, 'age' 1"),
        ([1, 2**70], "holds an integer of more than 64 bits in row 1"),
        ([None, Decimal("sNaN")], "holds a decimal that is no number in row 1"),
        (["\ud800", "a"], "holds half of a surrogate pair in row 0"),
        (np.array([1j, 1]), "is an array of complex128, which no column holds"),
        ([[1], [2]], "field 'age': the field is of number values, not of List"),
        (
            pl.Series([[SECRET]] * 2, dtype=pl.List(pl.Enum([SECRET]))),
            "field 'age': the field is of number values, not of List",
        ),
        (pd.Series(pd.period_range("2020", periods=2)), "is a column of period"),
    ):
        with pytest.raises(WrongTypeError) as caught:
            PROVIDER.encrypt({"id": [1, 2], "age": column}, id="id")
        assert said in str(caught.value)
        assert SECRET not in str(caught.value)
    lists = pl.Series([[SECRET]], dtype=pl.List(pl.Enum([SECRET])))
    with pytest.raises(WrongTypeError, match=r"column 'x': records cannot hold List$"):
        PROVIDER.encrypt({"id": [1], "age": [41], "x": lists}, id="id")


def test_labels_of_pandas_are_a_column_where_they_have_a_name():
    scene = Scene(AGES, "hospital", seed=1)
    table = pd.DataFrame({"age": [41, 70]}, index=pd.Index(["x", "y"], name="patient"))
    scene.send("hospital", table, id="patient")
    assert scene.ask(scene.owner, age=41)["patient"].to_list() == ["x"]
    with pytest.raises(
        InvalidInputError, match=r"no column 'id' of ids: there are 'patient', 'age'$"
    ):
        PROVIDER.encrypt(table, id="id")
    with pytest.raises(InvalidInputError, match=r"of ids: did you mean 'patient'\?"):
        PROVIDER.encrypt(table, id="Patient ")
    with pytest.raises(InvalidInputError, match=r"no column 'patient' of ids: there are 'age'$"):
        PROVIDER.encrypt(table.reset_index(drop=True), id="patient")


@pytest.mark.parametrize("odd", ["\ufeffrecord_id", "record_id ", " record_id", "Record ID"])
def test_a_name_that_excel_wrote_is_near_the_one_that_was_meant(odd):
    for table in (
        {odd: [1], "age": [41]},
        pd.DataFrame({odd: [1], "age": [41]}),
        pd.DataFrame({odd: [1], "age": [41]}).set_index(odd),
        pa.table({odd: [1], "age": [41]}),
    ):
        with pytest.raises(InvalidInputError) as caught:
            PROVIDER.encrypt(table, id="record_id")
        assert str(caught.value).endswith(f"did you mean {odd!r}?")
    for call in (
        lambda: mopse.leakage_report({"ages ": [41]}, AGES),
        lambda: Auxiliary.from_table({"ages ": [41]}, AGES),
        lambda: plot.histogram({"ages ": [41]}, x="age"),
    ):
        with pytest.raises(InvalidInputError, match=r"did you mean 'ages '\?"):
            call()


def test_a_column_without_values_fits_every_field():
    schema = mopse.Schema(
        age=mopse.Field(0, 120),
        seen=mopse.Field(datetime.date(2020, 1, 1), datetime.date(2020, 12, 31)),
        flag=mopse.Field.boolean(),
        state=mopse.Field.categories(["bad", "good"]),
    )
    for nothing in (
        [None, None],
        np.array([None, None]),
        np.ma.array([1, 2], mask=True),
        pl.Series([None, None], dtype=pl.String),
        pd.Series([None, None]),
        pd.Series([np.nan, np.nan]),
        pd.array([None, None], dtype="boolean"),
        pa.nulls(2),
        pa.array([None, None], pa.date32()),
    ):
        table = {"id": [1, 2], "age": [41, 42], **dict.fromkeys(["seen", "flag", "state"], nothing)}
        scene = Scene(schema, "hospital", seed=1)
        scene.send("hospital", table)
        found = scene.ask(scene.owner, age=41)
        assert found.select("seen", "flag", "state").row(0) == (None, None, None)
        known = Auxiliary.from_table(table, schema)
        assert repr(known) == "Auxiliary(['age'], pairs=[])"
        with pytest.raises(InvalidInputError, match="field 'seen' has no value to report on"):
            mopse.leakage_report(table, schema)
