"""Tables in and out: what the core seals comes back as it was, and what it cannot hold is refused.

The core hands text back as a list of strings; `opened` does the same here.
"""

import datetime
import decimal
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scene import Scene

import mopse
from mopse._table import Column, as_frame, from_columns, record_ids, to_columns
from mopse._types import holding
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

WHOLE = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]

texts = st.text(max_size=8) | st.sampled_from(["", "\n", "\x00", "é", "患者", "🩺", "e\u0301"])


def whole(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.sampled_from([low, high, 0]) | st.integers(low, high)


def physical(dtype: pl.DataType, strategy: st.SearchStrategy[int], base: type[pl.DataType]):
    """Return a strategy for columns of a type from the integers that stand for it."""
    return nullable(strategy).map(lambda values: pl.Series(values, dtype=base).cast(dtype))


def nullable(strategy):
    return st.lists(st.none() | strategy, min_size=1, max_size=20)


def plain(dtype, strategy):
    return nullable(strategy).map(lambda values: pl.Series(values, dtype=dtype))


levels = st.lists(texts, unique=True, min_size=1, max_size=5)
enums = levels.flatmap(lambda names: plain(pl.Enum(names), st.sampled_from(names)))
units = st.sampled_from(["ms", "us", "ns"])
zones = st.sampled_from([None, "UTC", "Europe/Berlin", "America/St_Johns"])
moments = whole(62, signed=True)

columns = st.one_of(
    plain(pl.Int8, whole(8, signed=True)),
    plain(pl.Int16, whole(16, signed=True)),
    plain(pl.Int32, whole(32, signed=True)),
    plain(pl.Int64, whole(64, signed=True)),
    plain(pl.UInt8, whole(8, signed=False)),
    plain(pl.UInt16, whole(16, signed=False)),
    plain(pl.UInt32, whole(32, signed=False)),
    plain(pl.UInt64, whole(64, signed=False)),
    plain(pl.Float32, st.floats(width=32)),
    plain(pl.Float64, st.floats() | st.just(-0.0)),
    plain(pl.Boolean, st.booleans()),
    plain(pl.String, texts),
    plain(pl.Categorical, texts),
    enums,
    physical(pl.Date(), whole(32, signed=True), pl.Int32),
    physical(pl.Time(), st.integers(0, 86_400 * 10**9 - 1), pl.Int64),
    units.flatmap(lambda unit: physical(pl.Duration(unit), moments, pl.Int64)),
    st.tuples(units, zones).flatmap(lambda of: physical(pl.Datetime(*of), moments, pl.Int64)),
)


@st.composite
def frames(draw):
    parts = draw(st.lists(columns, min_size=1, max_size=5))
    names = draw(st.lists(texts, min_size=len(parts), max_size=len(parts), unique=True))
    height = min(len(part) for part in parts)
    named = zip(names, parts, strict=True)
    return pl.DataFrame([part.head(height).alias(name) for name, part in named])


def opened(sealed: list[Column]) -> list[Column]:
    """Hand columns back as the core does, after checking what it relies on."""
    back = []
    for name, kind, words, values, is_valid in sealed:
        assert is_valid.dtype == np.bool_
        if kind == "text":
            ends, joined = values
            assert ends.dtype == np.uint64
            assert isinstance(joined, bytes)
            assert len(ends) == len(is_valid)
            assert ends[-1] == len(joined)
            starts = [0, *ends[:-1].tolist()]
            values = [joined[a:b].decode() for a, b in zip(starts, ends, strict=True)]
        else:
            assert values.dtype == {"boolean": np.bool_}.get(kind, kind)
            assert values.flags.c_contiguous
            assert values.shape == is_valid.shape
        back.append((name, kind, words, values, is_valid))
    return back


def there_and_back(frame: pl.DataFrame) -> pl.DataFrame:
    return from_columns(opened(to_columns(frame)))


@given(frames())
def test_frames_survive_columns(frame):
    assert_frame_equal(there_and_back(frame), frame, check_exact=True, categorical_as_str=True)
    # The comparison above takes 0.0 for -0.0, and any NaN for any other.
    for before, after in zip(frame, there_and_back(frame), strict=True):
        if before.dtype == pl.Float64:
            bits = [s.fill_null(0).to_numpy().view(np.int64).tolist() for s in (before, after)]
            assert bits[0] == bits[1]


@given(frames())
def test_nulls_hide_what_lies_below_them(frame):
    for (name, kind, _, values, is_valid), column in zip(to_columns(frame), frame, strict=True):
        assert name == column.name
        assert is_valid.tolist() == column.is_not_null().to_list()
        if kind == "text":
            lengths = np.diff(values[0], prepend=0)
            assert (lengths[~is_valid] == 0).all()
        else:
            assert (values[~is_valid] == 0).all()


@pytest.mark.parametrize("dtype", [*WHOLE, pl.Float32, pl.Float64], ids=str)
def test_extremes_of_every_number_survive(dtype):
    if dtype in WHOLE:
        limits = np.iinfo(str(dtype).lower())
        values = [int(limits.min), None, int(limits.max)]
    else:
        limits = np.finfo(str(dtype).lower())
        tiny = float(limits.smallest_subnormal)
        values = [float(limits.max), None, tiny, -tiny, math.inf, -math.inf, math.nan]
    frame = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    assert_frame_equal(there_and_back(frame), frame, check_exact=True)


def test_columns_worked_by_hand():
    frame = pl.DataFrame({"name": ["é", None, "", "ab"], "seen": [None, True, False, None]})
    (name, kind, words, (ends, joined), is_valid), seen = to_columns(frame)
    assert (name, kind, words) == ("name", "text", "String")
    assert ends.tolist() == [2, 2, 2, 4]
    assert joined == "éab".encode()
    assert is_valid.tolist() == [True, False, True, True]
    assert seen[:3] == ("seen", "boolean", "Boolean")
    assert seen[3].tolist() == [False, True, False, False]
    assert seen[4].tolist() == [False, True, True, False]


def test_a_frame_in_pieces_and_one_of_a_row_survive():
    pieces = pl.concat([pl.DataFrame({"a": [1, None], "b": ["x", None]})] * 2, rechunk=False)
    assert pieces.n_chunks() == 2
    assert_frame_equal(there_and_back(pieces), pieces)
    row = pl.DataFrame({"a": [None], "b": [""]}, schema={"a": pl.UInt64, "b": pl.Categorical})
    assert_frame_equal(there_and_back(row), row, categorical_as_str=True)


def test_a_column_of_type_null_survives():
    frame = pl.DataFrame({"a": [1, 2], "n": [None, None]})
    assert there_and_back(frame).schema["n"] == pl.Null
    assert_frame_equal(there_and_back(frame), frame)


def test_levels_of_an_enum_keep_order_and_line_breaks():
    dtype = pl.Enum(["z", "a\nb", "", '"', "\\n"])
    frame = pl.DataFrame({"e": pl.Series(["a\nb", None, "", "\\n"], dtype=dtype)})
    assert there_and_back(frame).schema == {"e": dtype}
    assert_frame_equal(there_and_back(frame), frame)


@pytest.mark.parametrize(
    ("precision", "scale"), [(38, 2), (18, 18), (5, 0), (1, 1), (38, 38), (38, 0)]
)
def test_decimals_are_sealed_exactly(precision, scale):
    most = min(10**precision - 1, 2**63 - 1)
    values = [decimal.Decimal(n).scaleb(-scale) for n in (most, -most, 0, 1, -1, 10 % most)]
    column = pl.Series("d", [*values, None], dtype=pl.Decimal(precision, scale))
    assert column.to_list()[0] == values[0]
    assert_frame_equal(there_and_back(column.to_frame()), column.to_frame())
    assert there_and_back(column.to_frame())["d"].to_list() == [*values, None]


def test_a_decimal_of_too_many_digits_is_named_by_its_row():
    column = pl.Series("d", [None, decimal.Decimal(2**63)], dtype=pl.Decimal(38, 0))
    with pytest.raises(InvalidInputError, match="column 'd', row 1: records hold decimals of at"):
        to_columns(column.to_frame())


def test_decimals_and_whole_numbers_meet_in_decimals():
    cents = pl.Series("d", [decimal.Decimal("1.25")], dtype=pl.Decimal(10, 2))
    mills = pl.Series("d", [decimal.Decimal("1.125")], dtype=pl.Decimal(10, 3))
    whole = pl.Series("d", [3], dtype=pl.UInt64)
    assert holding([cents, mills, whole]) == pl.Decimal(38, 3)
    assert holding([cents, pl.Series("d", [0.5])]) == pl.Float64


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1]]),
        pl.Series([[1]], dtype=pl.Array(pl.Int8, 1)),
        pl.Series([{"a": 1}]),
        pl.Series([object()], dtype=pl.Object),
        pl.Series([b"1"]),
        pl.Series([1], dtype=pl.Int128),
    ],
    ids=lambda column: str(column.dtype),
)
def test_types_that_records_cannot_hold_are_refused_by_name(column):
    frame = pl.DataFrame([pl.Series("fine", [1]), column.alias("odd one")])
    with pytest.raises(WrongTypeError, match="column 'odd one': records cannot hold ") as caught:
        to_columns(frame)
    assert isinstance(caught.value, TypeError)


@pytest.mark.skipif(not hasattr(pl, "Categories"), reason="this Polars has one set of categories")
def test_categories_of_another_set_are_refused_and_not_renamed():
    column = pl.Series("word", ["a"], dtype=pl.Categorical(pl.Categories("mine")))
    with pytest.raises(WrongTypeError, match="column 'word': records cannot hold "):
        to_columns(column.to_frame())


# Tables of other libraries


def test_tables_of_all_libraries_become_the_same_frame():
    frame = pl.DataFrame({"id": [1, 2, 3], "x": [0.5, None, -1.0], "s": ["a", None, ""]})
    arrow = pa.table({"id": [1, 2, 3], "x": [0.5, None, -1.0], "s": ["a", None, ""]})
    tables = [
        frame,
        frame.lazy(),
        arrow,
        arrow.to_batches()[0],
        arrow.to_reader(),
        {"id": np.arange(1, 4), "x": [0.5, None, -1.0], "s": pl.Series(["a", None, ""])},
        pd.DataFrame({"id": [1, 2, 3], "x": [0.5, math.nan, -1.0], "s": ["a", None, ""]}),
        arrow.to_pandas(),
    ]
    for table in tables:
        assert_frame_equal(as_frame(table), frame)


def test_pandas_types_become_polars_types():
    table = pd.DataFrame(
        {
            "small": pd.array([1, None], dtype="UInt8"),
            "flag": pd.array([True, None], dtype="boolean"),
            "word": np.array(["a", None], dtype=object),
            "text": pd.array(["a", None], dtype="string"),
            "level": pd.Categorical(["b", None], categories=["b", "a"]),
            "seen": pd.to_datetime(["2020-01-01T12:00", None]).astype("datetime64[ms]"),
            "zone": pd.to_datetime(["2020-01-01", None]).tz_localize("Europe/Berlin").as_unit("ns"),
            "born": np.array([datetime.date(2020, 1, 1), None], dtype=object),
            "took": pd.array([datetime.timedelta(1), None], dtype="timedelta64[us]"),
            0: [0.5, math.nan],
        },
        index=["one", "two"],
    )
    frame = as_frame(table)
    dtypes = {name: dtype for name, dtype in frame.schema.items() if name != "level"}
    assert dtypes == {
        "small": pl.UInt8,
        "flag": pl.Boolean,
        "word": pl.String,
        "text": pl.String,
        "seen": pl.Datetime("ms"),
        "zone": pl.Datetime("ns", "Europe/Berlin"),
        "born": pl.Date,
        "took": pl.Duration("us"),
        "0": pl.Float64,
    }
    assert frame["level"].to_list() == ["b", None]
    assert frame.row(1) == (None,) * frame.width
    assert_frame_equal(there_and_back(frame), frame, categorical_as_str=True)


SECRET = "hidden value"


@pytest.mark.parametrize(
    "table",
    [
        {"a": [1, 2], "b": [1, 2, 3]},
        {"a": [1, SECRET]},
        {1: [1]},
        pd.DataFrame({"a": np.array([1, SECRET], dtype=object)}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"]),
    ],
    ids=["lengths", "mixed", "unnamed", "mixed-pandas", "twice-pandas", "twice-arrow"],
)
def test_tables_that_cannot_be_read_are_refused_without_quoting_them(table):
    with pytest.raises(InvalidInputError, match="cannot be read") as caught:
        as_frame(table)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "table",
    [None, 1, "table", [[1]], np.zeros((2, 2)), pa.array([1]), pa.chunked_array([[1]])],
    ids=lambda table: type(table).__name__,
)
def test_what_is_no_table_is_refused(table):
    with pytest.raises(WrongTypeError, match=f"not {type(table).__name__}$") as caught:
        as_frame(table)
    assert isinstance(caught.value, MopseError)


@pytest.mark.parametrize(
    "table", [{}, {"a": []}, pl.DataFrame(), pl.DataFrame({"a": [1]}).clear(), pd.DataFrame()]
)
def test_tables_without_rows_are_refused(table):
    with pytest.raises(InvalidInputError, match="no row"):
        as_frame(table)


# Ids of records


def test_ids_are_integers_or_text():
    frame = pl.DataFrame(
        {
            "u64": pl.Series([2**63 - 1, 0], dtype=pl.UInt64),
            "i8": pl.Series([-1, 5], dtype=pl.Int8),
            "text": ["é", "b"],
            "enum": pl.Series(["b", "a"], dtype=pl.Enum(["a", "b"])),
        }
    )
    for name in ("u64", "i8"):
        ids = record_ids(frame, name)
        assert ids.dtype == np.int64
        assert ids.tolist() == frame[name].to_list()
    ends, joined = record_ids(frame, "text")
    assert (ends.tolist(), joined) == ([2, 3], "éb".encode())
    ends, joined = record_ids(frame, "enum")
    assert (ends.tolist(), joined) == ([1, 2], b"ba")


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (pl.Series([1, None]), InvalidInputError, "column 'id', row 1: the id is null"),
        (pl.Series(["a", None]), InvalidInputError, "column 'id', row 1: the id is null"),
        (
            pl.Series([1, 2**63], dtype=pl.UInt64),
            InvalidInputError,
            "column 'id': entry 1 does not",
        ),
        (pl.Series([1.0]), WrongTypeError, "column 'id': ids must be 64-bit integers or text"),
        (pl.Series([True]), WrongTypeError, "column 'id': ids must be 64-bit integers or text"),
        (pl.Series([datetime.date(2020, 1, 1)]), WrongTypeError, "column 'id': ids must be"),
    ],
)
def test_impossible_ids_are_refused_by_column_and_row(ids, error, message):
    with pytest.raises(error, match=message):
        record_ids(pl.DataFrame({"id": ids}), "id")
    with pytest.raises(InvalidInputError, match="no column 'record_id' of ids"):
        record_ids(pl.DataFrame({"id": ids}), "record_id")


DAY = datetime.datetime(2020, 1, 1)


def opened_of(*columns) -> pl.DataFrame:
    """Return what an owner opens of one record of each provider, with a column ``x``."""
    paths = [f"p{number}" for number in range(len(columns))]
    scene = Scene(mopse.Schema(age=mopse.Field(0, 120)), *paths)
    for path, column in zip(paths, columns, strict=True):
        scene.send(path, pl.DataFrame({"id": [1], "age": [40], "x": column}))
    return scene.owner.ask(scene.cloud, age=40)


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        (pl.Series([1], dtype=pl.Int8), pl.Series([2], dtype=pl.UInt32), pl.Int64),
        (pl.Series([1], dtype=pl.UInt8), pl.Series([2**64 - 1], dtype=pl.UInt64), pl.UInt64),
        (pl.Series([1], dtype=pl.Int32), pl.Series([0.5], dtype=pl.Float32), pl.Float64),
        (pl.Series([2**53], dtype=pl.Int64), pl.Series([0.5]), pl.Float64),
        (pl.Series(["a"]), pl.Series(["b"], dtype=pl.Enum(["b"])), pl.String),
    ],
)
def test_columns_of_two_providers_share_a_type_that_holds_both(one, other, joined):
    table = opened_of(one, other).sort("provider")
    assert table["x"].dtype == joined
    assert table["x"].to_list() == [one[0], other[0]]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_days_and_moments_of_two_providers_meet_where_all_are_whole_days(unit):
    days = pl.Series([datetime.date(9000, 1, 1)])
    moments = pl.Series([DAY], dtype=pl.Datetime(unit))
    for columns in ([days, moments], [moments, days]):
        table = opened_of(*columns)
        assert table["x"].dtype == pl.Date
        assert sorted(table["x"]) == [DAY.date(), datetime.date(9000, 1, 1)]
    with pytest.raises(InvalidInputError, match="column 'x' is"):
        opened_of(days, moments.dt.offset_by("1h"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pl.Series([2**53 + 1], dtype=pl.Int64), pl.Series([0.5])),
        (pl.Series([-1]), pl.Series([2**64 - 1], dtype=pl.UInt64)),
        (pl.Series([True]), pl.Series([1])),
        (pl.Series([datetime.date(2020, 1, 1)]), pl.Series([1])),
        (pl.Series([datetime.date(2020, 1, 1)]), pl.Series(["a"])),
        (pl.Series([DAY.date()]), pl.Series([DAY]).dt.replace_time_zone("UTC")),
    ],
)
def test_columns_that_no_type_holds_are_refused_by_name(one, other):
    with pytest.raises(InvalidInputError, match="column 'x' is"):
        opened_of(one, other)


def test_values_of_no_one_type_do_not_show_in_the_error():
    hospital = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120))).authorize("p")
    for call in (
        lambda: hospital.handles([1, "secret"]),
        lambda: hospital.entries("age", [1, "secret"], hospital.handles([1, 2])),
    ):
        with pytest.raises(WrongTypeError) as caught:
            call()
        assert "secret" not in str(caught.value)
