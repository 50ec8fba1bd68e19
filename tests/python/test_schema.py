"""Values to plaintexts and bounds to ranges, against exact fractions; refusals name their row."""

import datetime
import hashlib
import html
import math
import struct
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mopse import Field, Schema
from mopse._table import as_frame
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

AGE = Field(0, 120)
BMI = Field(8, 100, step=0.1, cell=5)
ADMITTED = Field(datetime.date(2020, 1, 1), datetime.date(2020, 12, 31))
HEALTH = Field.categories(["poor", "fair", "good"])

WHOLE = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]


def placed(field: Field, values, dtype=None) -> tuple[list[int], list[int]]:
    """Return rows and plaintexts of a column as lists."""
    column = values if isinstance(values, pl.Series) else pl.Series("x", values, dtype=dtype)
    rows, plaintexts = field.plaintexts_of(column)
    assert rows.dtype == np.uint32
    assert plaintexts.dtype == np.int64
    return rows.tolist(), plaintexts.tolist()


@st.composite
def grids(draw):
    """Return a field with a decimal grid, and its minimum, step and size as exact fractions."""
    step = Fraction(draw(st.integers(1, 500)), draw(st.sampled_from([1, 10, 100, 1000])))
    minimum = draw(st.integers(-10_000, 10_000)) * step
    points = draw(st.integers(1, 5000))
    maximum = minimum + (points - 1) * step
    cell = draw(st.none() | st.integers(1, 7))
    field = Field(float(minimum), float(maximum), step=float(step), cell=cell)
    return field, minimum, step, points


# Values


@given(grids(), st.data())
def test_plaintext_is_the_place_on_the_grid(grid, data):
    field, minimum, step, points = grid
    places = data.draw(st.lists(st.none() | st.integers(0, points - 1), min_size=1, max_size=30))
    values = [None if x is None else float(minimum + x * step) for x in places]
    rows, plaintexts = placed(field, values, pl.Float64)
    assert rows == [row for row, x in enumerate(places) if x is not None]
    assert plaintexts == [x for x in places if x is not None]


@given(grids(), st.fractions(-2, 5002, max_denominator=8))
def test_a_value_is_on_the_grid_or_refused(grid, place):
    field, minimum, step, points = grid
    column = pl.Series([float(minimum + place * step)])
    if place.denominator == 1 and 0 <= place < points:
        assert placed(field, column) == ([0], [int(place)])
    else:
        with pytest.raises(InvalidInputError, match=r"row 0 (is not on the grid|lies outside)"):
            field.plaintexts_of(column)


def test_values_worked_by_hand():
    assert BMI.plaintexts == 921
    assert (BMI.cell, BMI.cells) == (5, 185)
    assert placed(BMI, [8.0, 8.3, None, 100.0]) == ([0, 1, 3], [0, 3, 920])
    assert placed(BMI, [9, None]) == ([0], [10])


@pytest.mark.parametrize("dtype", WHOLE, ids=str)
def test_whole_numbers_of_every_width_are_placed(dtype):
    assert placed(AGE, [0, None, 120, 7], dtype) == ([0, 2, 3], [0, 120, 7])


def test_numbers_of_128_bits_and_of_32_are_placed():
    assert placed(AGE, [0, None, 120], pl.Int128) == ([0, 2], [0, 120])
    assert placed(AGE, [0, None, 120], pl.Float32) == ([0, 2], [0, 120])


@pytest.mark.parametrize("dtype", WHOLE, ids=str)
def test_extremes_of_a_type_are_outside_and_not_wrapped(dtype):
    limits = np.iinfo(str(dtype).lower())
    extreme = limits.max if limits.min == 0 else limits.min
    column = pl.Series("age", [5, None, int(extreme)], dtype=dtype)
    with pytest.raises(InvalidInputError, match="field 'age': the value in row 2 "):
        AGE.plaintexts_of(column)


@pytest.mark.parametrize(("value", "dtype"), [(2**63, pl.UInt64), (-(2**63) - 1, pl.Int128)])
def test_numbers_beyond_int64_are_refused_with_their_row(value, dtype):
    column = pl.Series("age", [None, 5, value], dtype=dtype)
    with pytest.raises(InvalidInputError, match="'age': the value in row 2 does not fit an int64"):
        AGE.plaintexts_of(column)


def test_largest_domain_has_two_to_the_32_values():
    field = Field(0, 2**32 - 1)
    assert (field.plaintexts, field.cell, field.cells) == (2**32, 2**16, 2**16)
    assert placed(field, [0, 2**32 - 1]) == ([0, 1], [0, 2**32 - 1])
    assert placed(field, [0.0, 2.0**32 - 1]) == ([0, 1], [0, 2**32 - 1])
    assert field.range(None, None) == (0, 2**32 - 1)
    with pytest.raises(InvalidInputError, match="row 0 lies outside"):
        field.plaintexts_of(pl.Series([2**32]))
    with pytest.raises(InvalidInputError, match="more than 2\\^32"):
        Field(0, 2**32)


def test_one_value_is_a_field():
    field = Field(5, 5)
    assert (field.plaintexts, field.cells) == (1, 1)
    assert placed(field, [5, None, 5]) == ([0, 2], [0, 0])


bad_numbers = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, -1e-5, 120.00001, -1.0, 121.0, 1e300, -1e300]),
    st.integers(0, 119).map(lambda x: x + 0.5),
    st.integers(0, 119).map(lambda x: x + 1.1e-6),
)


@given(st.lists(st.none() | st.integers(0, 120), max_size=40), bad_numbers, st.data())
def test_one_bad_value_is_named_with_field_and_row(good, bad, data):
    row = data.draw(st.integers(0, len(good)))
    values = [None if x is None else float(x) for x in good]
    column = pl.Series("age", [*values[:row], bad, *values[row:]], dtype=pl.Float64)
    with pytest.raises(InvalidInputError, match=f"^field 'age': the value in row {row} ") as caught:
        AGE.plaintexts_of(column)
    assert isinstance(caught.value, MopseError)
    assert isinstance(caught.value, ValueError)
    assert not isinstance(caught.value, TypeError)
    assert placed(AGE, column.clear()) == ([], [])


@given(st.lists(st.none() | st.sampled_from(["poor", "fair", "good"]), max_size=40), st.data())
def test_one_unknown_category_is_named_with_its_row(good, data):
    row = data.draw(st.integers(0, len(good)))
    bad = data.draw(st.sampled_from(["", "Good", "good ", "poor\n", "x"]))
    values = [*good[:row], bad, *good[row:]]
    column = pl.Series(
        "health", values, dtype=data.draw(st.sampled_from([pl.String, pl.Categorical]))
    )
    with pytest.raises(
        InvalidInputError, match=f"field 'health': the value in row {row} is no cat"
    ):
        HEALTH.plaintexts_of(column)


def test_messages_do_not_quote_values():
    for column in (pl.Series([98765]), pl.Series([98765.0]), pl.Series([2**64 - 1])):
        with pytest.raises(InvalidInputError) as caught:
            AGE.plaintexts_of(column)
        assert str(column[0])[:5] not in str(caught.value)
    with pytest.raises(InvalidInputError) as caught:
        HEALTH.plaintexts_of(pl.Series(["terminal"]))
    assert "terminal" not in str(caught.value)


def test_tolerance_is_a_millionth_of_a_step():
    assert placed(AGE, [40.0000009]) == ([0], [40])
    with pytest.raises(InvalidInputError, match="not on the grid"):
        AGE.plaintexts_of(pl.Series([40.0000011]))


def test_narrow_floats_are_not_rounded_in_silence():
    # The float32 next to 23.4 is 4e-6 steps away from it.
    with pytest.raises(InvalidInputError, match="row 1 is not on the grid"):
        BMI.plaintexts_of(pl.Series([23.0, 23.4], dtype=pl.Float32))


@pytest.mark.parametrize(
    ("field", "column"),
    [
        (AGE, pl.Series(["40"])),
        (AGE, pl.Series([True])),
        (AGE, pl.Series([datetime.date(2020, 1, 1)])),
        (AGE, pl.Series([datetime.timedelta(1)])),
        (AGE, pl.Series([1]).cast(pl.Decimal(10, 2))),
        (AGE, pl.Series([[1]])),
        (AGE, pl.Series([None])),
        (ADMITTED, pl.Series([18_300])),
        (ADMITTED, pl.Series([datetime.datetime(2020, 1, 1)])),
        (Field.boolean(), pl.Series([1])),
        (Field.boolean(), pl.Series(["true"])),
        (HEALTH, pl.Series([1])),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else repr(value),
)
def test_another_type_is_refused_and_not_cast(field, column):
    with pytest.raises(WrongTypeError, match=r"^field 'x': the field is of ") as caught:
        field.plaintexts_of(column.alias("x"))
    assert isinstance(caught.value, TypeError)


def test_dates_count_days():
    new_year, leap_day = datetime.date(2020, 1, 1), datetime.date(2020, 2, 29)
    assert ADMITTED.plaintexts == 366
    assert placed(ADMITTED, [leap_day, None, new_year]) == ([0, 2], [59, 0])
    weeks = Field(datetime.date(1899, 12, 31), datetime.date(2020, 1, 5), step=7)
    assert placed(weeks, [datetime.date(1900, 1, 7)]) == ([0], [1])
    with pytest.raises(InvalidInputError, match="row 0 is not on the grid"):
        weeks.plaintexts_of(pl.Series([datetime.date(1900, 1, 8)]))
    with pytest.raises(InvalidInputError, match="row 1 lies outside the domain"):
        ADMITTED.plaintexts_of(pl.Series([leap_day, datetime.date(2021, 1, 1)]))


def test_false_is_below_true():
    assert placed(Field.boolean(), [True, None, False]) == ([0, 2], [1, 0])


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["good", "poor", "fair"])])
def test_categories_are_ranked_by_the_field_and_not_by_the_column(dtype):
    assert placed(HEALTH, ["fair", None, "good", "poor"], dtype) == ([0, 2, 3], [1, 2, 0])
    assert placed(HEALTH, [None, None], dtype) == ([], [])


# Columns of other libraries


def test_pandas_columns_become_plaintexts():
    frame = as_frame(
        pd.DataFrame(
            {
                "age": pd.array([40, None, 41], dtype="Int64"),
                "old": np.array([1.0, math.nan, 2.0]),
                "bmi": pd.array([8.0, None, 8.3], dtype="Float64"),
                "flag": pd.array([True, None, False], dtype="boolean"),
                "health": np.array(["fair", None, "good"], dtype=object),
                "rank": pd.Categorical(["good", None, "poor"], categories=["poor", "good"]),
                "born": np.array([datetime.date(2020, 1, 2), None, datetime.date(2020, 1, 1)]),
            },
            index=[7, 5, 7],
        )
    )
    assert placed(AGE, frame["age"]) == ([0, 2], [40, 41])
    assert placed(AGE, frame["old"]) == ([0, 2], [1, 2])  # NaN is how pandas writes missing
    assert placed(BMI, frame["bmi"]) == ([0, 2], [0, 3])
    assert placed(Field.boolean(), frame["flag"]) == ([0, 2], [1, 0])
    assert placed(HEALTH, frame["health"]) == ([0, 2], [1, 2])
    assert placed(HEALTH, frame["rank"]) == ([0, 2], [2, 0])
    assert placed(ADMITTED, frame["born"]) == ([0, 2], [1, 0])


def test_arrow_and_numpy_columns_become_plaintexts():
    columns = {
        "age": pa.array([40, None, 41], pa.int16()),
        "health": pa.array(["fair", None, "good"]).dictionary_encode(),
        "born": pa.array([datetime.date(2020, 1, 2), None, datetime.date(2020, 1, 1)]),
    }
    table = pa.table(columns)
    for given_table in (table, table.to_batches()[0], table.to_reader()):
        frame = as_frame(given_table)
        assert placed(AGE, frame["age"]) == ([0, 2], [40, 41])
        assert placed(HEALTH, frame["health"]) == ([0, 2], [1, 2])
        assert placed(ADMITTED, frame["born"]) == ([0, 2], [1, 0])

    frame = as_frame(
        {"age": np.arange(3, dtype="i2"), "born": np.array(["2020-01-02"] * 3, "M8[D]")}
    )
    assert placed(AGE, frame["age"]) == ([0, 1, 2], [0, 1, 2])
    assert placed(ADMITTED, frame["born"]) == ([0, 1, 2], [1, 1, 1])
    with pytest.raises(InvalidInputError, match="row 1 is not a number"):
        AGE.plaintexts_of(as_frame({"age": np.array([1.0, math.nan])})["age"])


def test_a_column_in_pieces_is_placed_as_one():
    pieces = pl.concat([pl.Series("age", [1, None]), pl.Series("age", [3])], rechunk=False)
    assert pieces.n_chunks() == 2
    assert placed(AGE, pieces) == ([0, 2], [1, 3])


# Bounds


@given(grids(), st.data())
def test_range_is_the_grid_points_between_the_bounds(grid, data):
    field, minimum, step, points = grid
    # Multiples of an eighth of a step: on the grid, between its points, and beyond the domain.
    place = st.none() | st.integers(-20, 8 * points + 20).map(lambda eighths: Fraction(eighths, 8))
    low, high = sorted(data.draw(st.tuples(place, place)), key=lambda x: (x is not None, x or 0))
    if low is None and data.draw(st.booleans()):
        low, high = high, low  # either end is open
    bounds = [None if x is None else float(minimum + x * step) for x in (low, high)]
    first = max(0, -math.inf if low is None else math.ceil(low))
    last = min(points - 1, math.inf if high is None else math.floor(high))
    assert field.range(*bounds) == (None if first > last else (first, last))


@given(grids(), st.integers(0, 4999))
def test_a_value_is_found_by_bounds_equal_to_it(grid, place):
    field, minimum, step, points = grid
    value = float(minimum + place % points * step)
    assert field.range(value, value) == (place % points, place % points)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (None, None, (0, 120)),
        (40, None, (40, 120)),
        (None, 60, (0, 60)),
        (39.5, 60.5, (40, 60)),
        (40.2, 40.8, None),
        (-5, 1000, (0, 120)),
        (121, None, None),
        (None, -1, None),
        (-math.inf, math.inf, (0, 120)),
        (math.inf, None, None),
        (-(10**400), 10**400, (0, 120)),
        (10**400, None, None),
        (np.int8(40), np.float32(60), (40, 60)),
    ],
)
def test_bounds_worked_by_hand(low, high, expected):
    assert AGE.range(low, high) == expected


def test_bounds_of_dates_booleans_and_categories():
    assert ADMITTED.range(datetime.date(2019, 1, 1), datetime.date(2020, 1, 31)) == (0, 30)
    assert ADMITTED.range(datetime.date(2021, 1, 1), None) is None
    assert Field.boolean().range(True, True) == (1, 1)
    assert Field.boolean().range(None, np.False_) == (0, 0)
    assert HEALTH.range("fair", None) == (1, 2)
    assert HEALTH.range(None, "poor") == (0, 0)


@pytest.mark.parametrize(
    ("field", "bounds", "message"),
    [
        (AGE, (60, 40), "lower bound lies above the upper"),
        (AGE, (40.6, 40.4), "lower bound lies above the upper"),
        (AGE, (200, 150), "lower bound lies above the upper"),
        (AGE, (math.nan, None), "not a number"),
        (AGE, (None, math.nan), "not a number"),
        (HEALTH, ("good", "poor"), "lower bound lies above the upper"),
        (HEALTH, ("terminal", None), "no category of the field"),
        (Field.boolean(), (True, False), "lower bound lies above the upper"),
        (
            ADMITTED,
            (datetime.date(2020, 2, 1), datetime.date(2020, 1, 1)),
            "lower bound lies above",
        ),
    ],
)
def test_impossible_bounds_are_refused(field, bounds, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        field.range(*bounds)
    assert not isinstance(caught.value, WrongTypeError)
    assert "terminal" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "bound"),
    [
        (AGE, "40"),
        (AGE, True),
        (AGE, np.True_),
        (AGE, 40j),
        (AGE, datetime.date(2020, 1, 1)),
        (AGE, np.timedelta64(40, "D")),
        (AGE, [40]),
        (ADMITTED, 18_300),
        (ADMITTED, "2020-01-01"),
        (ADMITTED, datetime.datetime(2020, 1, 1)),
        (Field.boolean(), 1),
        (HEALTH, 1),
        (HEALTH, True),
    ],
)
def test_bounds_of_another_type_are_refused(field, bound):
    for bounds in [(bound, None), (None, bound)]:
        with pytest.raises(WrongTypeError, match="a bound must be "):
            field.range(*bounds)


# Making fields


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"minimum": 2, "maximum": 1}, "minimum lies above the maximum"),
        ({"minimum": 0, "maximum": math.inf}, "must be finite"),
        ({"minimum": math.nan, "maximum": 1}, "must be finite"),
        ({"minimum": 0, "maximum": 10**400}, "must be finite"),
        ({"minimum": 0, "maximum": 1, "step": 0}, "step must be above 0"),
        ({"minimum": 0, "maximum": 1, "step": -1}, "step must be above 0"),
        ({"minimum": 0, "maximum": 10, "step": 3}, "not a whole number of steps"),
        ({"minimum": 1e18, "maximum": 1e18 + 512}, "step is too small"),
        ({"minimum": 0, "maximum": 10, "cell": 0}, "cell must be at least 1"),
        ({"minimum": 0, "maximum": 10, "cell": -1}, "cell must be at least 1"),
        ({"minimum": 0, "maximum": 10, "cell": 2**64}, "cell must be"),
        ({"minimum": 0, "maximum": 2**20, "cell": 1}, "more than 2\\^20 cells"),
    ],
)
def test_impossible_grids_are_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        Field(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"minimum": "0", "maximum": 1},
        {"minimum": False, "maximum": True},
        {"minimum": 0, "maximum": None},
        {"minimum": 0, "maximum": datetime.date(2020, 1, 1)},
        {"minimum": datetime.datetime(2020, 1, 1), "maximum": datetime.datetime(2020, 1, 2)},
        {"minimum": 0, "maximum": 1, "step": "1"},
        {"minimum": 0, "maximum": 1, "step": datetime.timedelta(1)},
        {"minimum": 0, "maximum": 1, "cell": 1.0},
        {"minimum": 0, "maximum": 1, "cell": True},
    ],
)
def test_fields_of_another_type_are_refused(arguments):
    with pytest.raises(WrongTypeError):
        Field(**arguments)


@pytest.mark.parametrize(
    ("levels", "error"),
    [([], InvalidInputError), (["a", "b", "a"], InvalidInputError), (["a", 1], WrongTypeError)],
)
def test_impossible_categories_are_refused(levels, error):
    with pytest.raises(error, match="categories must"):
        Field.categories(levels)


def test_the_default_cell_is_the_narrowest_with_65536_cells():
    assert [Field(0, n - 1).cell for n in (2**16, 2**16 + 1, 2**17, 2**17 + 1)] == [1, 2, 2, 3]


# Equality, digests and how they look

VARIANTS = [
    Field(0, 120),
    Field(1, 120),
    Field(0, 119),
    Field(0, 120, step=2),
    Field(0, 120, cell=2),
    Field(datetime.date(1970, 1, 1), datetime.date(1970, 5, 1)),
    Field(0, 1),
    Field.boolean(),
    Field.categories(["a", "b"]),
    Field.categories(["b", "a"]),
    Field.categories(["ab", ""]),
    Field.categories(["a", "b"], cell=2),
]


def test_fields_that_differ_in_anything_differ_in_the_digest():
    assert len({Schema(x=field).digest for field in VARIANTS}) == len(VARIANTS)
    assert len(set(VARIANTS)) == len(VARIANTS)
    for i, field in enumerate(VARIANTS):
        assert [other == field for other in VARIANTS] == [j == i for j in range(len(VARIANTS))]


@pytest.mark.parametrize(
    "same",
    [
        Field(0.0, 120.0),
        Field(-0.0, 120),
        Field(np.int8(0), np.float32(120), step=np.uint8(1)),
        Field(0, 120, step=1.0, cell=1),
        Field(0, 120, cell=np.int64(1)),
    ],
    ids=repr,
)
def test_fields_do_not_depend_on_how_they_are_written(same):
    assert same == AGE
    assert hash(same) == hash(AGE)
    assert Schema(age=same).digest == Schema(age=AGE).digest
    assert Schema(age=same) == Schema(age=AGE)


def test_the_same_cell_by_default_or_by_name_is_the_same_field():
    assert Field(0, 2**17 - 1) == Field(0, 2**17 - 1, cell=2)


def test_schemas_that_differ_in_names_or_order_differ():
    one, other = Field(0, 1), Field(0, 2)
    schemas = [
        Schema(a=one),
        Schema(b=one),
        Schema(a=one, b=other),
        Schema(b=other, a=one),
        Schema(a=other, b=one),
        Schema(ab=one),
    ]
    assert len(set(schemas)) == len({schema.digest for schema in schemas}) == len(schemas)
    assert all(len(schema.digest) == 32 for schema in schemas)
    assert schemas[0] == Schema(a=Field(0, 1))
    assert schemas[2] != schemas[3]
    assert schemas[0] != {"a": one}
    assert AGE != "Field(0, 120)"


def test_digest_is_that_of_the_canonical_bytes():
    # Written again from their definition: what changes them makes every stored index unreadable.
    def counted(part: bytes) -> bytes:
        return struct.pack(">I", len(part)) + part

    def label(kind: int, low: float, high: float, step: float, cell: int, *levels: bytes) -> bytes:
        numbers = struct.pack(">BdddQI", kind, low, high, step, cell, len(levels))
        return numbers + b"".join(map(counted, levels))

    fields = [
        (b"bmi", label(1, 8, 100, 0.1, 5)),
        (b"admitted", label(2, 18_262, 18_627, 1, 1)),
        (b"smoker", label(3, 0, 1, 1, 1)),
        (b"health", label(4, 0, 2, 1, 1, b"poor", b"fair", b"good")),
    ]
    encoded = struct.pack(">I", 4) + b"".join(counted(n) + counted(field) for n, field in fields)
    schema = Schema(bmi=BMI, admitted=ADMITTED, smoker=Field.boolean(), health=HEALTH)
    assert schema.digest == hashlib.sha256(encoded).digest()


def test_a_schema_is_a_mapping_in_order():
    schema = Schema(bmi=BMI, age=AGE)
    assert list(schema.items()) == [("bmi", BMI), ("age", AGE)]
    assert "age" in schema
    with pytest.raises(KeyError):
        schema["height"]


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({}, InvalidInputError, "no field"),
        ({"": AGE}, InvalidInputError, "1 to 255 bytes"),
        ({"é" * 128: AGE}, InvalidInputError, "1 to 255 bytes"),
        ({"age": (0, 120)}, WrongTypeError, "'age' must be a Field, not tuple"),
    ],
)
def test_impossible_schemas_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        Schema(**fields)


@pytest.mark.parametrize("field", [*VARIANTS, BMI, ADMITTED, Field(0, 2**32 - 1)], ids=repr)
def test_repr_makes_the_field_again(field):
    assert eval(repr(field), {"Field": Field, "datetime": datetime}) == field


def test_repr_worked_by_hand():
    schema = Schema(age=AGE, bmi=BMI, smoker=Field.boolean(), health=HEALTH)
    assert repr(schema) == (
        "Schema(age=Field(0, 120), bmi=Field(8, 100, step=0.1, cell=5), smoker=Field.boolean(), "
        "health=Field.categories(['poor', 'fair', 'good']))"
    )
    assert repr(Field(datetime.date(2020, 1, 1), datetime.date(2020, 1, 8), step=7)) == (
        "Field(datetime.date(2020, 1, 1), datetime.date(2020, 1, 8), step=7)"
    )


def test_html_shows_sizes_and_escapes_names_and_categories():
    name, level = "<b>&x", '<script>"</script>'
    shown = Schema(
        **{name: Field.categories([level, "b"]), "id": Field(0, 2**32 - 1)}
    )._repr_html_()
    assert name not in shown
    assert "<script>" not in shown
    assert html.escape(name) in shown
    assert html.escape(repr(level)) in shown
    assert (
        "<td>4,294,967,296</td><td>65,536</td><td>65,536 (at most 2^16 cells by default)</td>"
        in shown
    )
    assert shown.count("<tr>") == 3
