"""Values to plaintexts and bounds to ranges, against exact fractions; refusals name their row."""

import copy
import datetime
import html
import json
import math
import pickle
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scene import Scene

from mopse import Field, Owner, Schema
from mopse._table import as_frame
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

VECTORS_FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = json.loads((VECTORS_FOLDER / "fields.json").read_text())
AGE = Field(0, 120)
BMI = Field(8, 100, step=0.1, cell=5)
ADMITTED = Field(datetime.date(2020, 1, 1), datetime.date(2020, 12, 31))
MOMENT = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
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
def test_numbers_beyond_int64_are_outside_with_their_row(value, dtype):
    column = pl.Series("age", [None, 5, value], dtype=dtype)
    with pytest.raises(InvalidInputError, match="'age': the value in row 2 lies outside the dom"):
        AGE.plaintexts_of(column)


def test_numbers_beyond_int64_are_placed_exactly():
    wide = Field(0, 2**64 - 1, step=2**32 + 1)
    assert placed(wide, [2**64 - 1, None, 0], pl.UInt64) == ([0, 2], [2**32 - 1, 0])
    assert wide.range(np.uint64(2**64 - 1), None) == (2**32 - 1, 2**32 - 1)
    with pytest.raises(InvalidInputError, match="row 0 is not on the grid"):
        wide.plaintexts_of(pl.Series([2**64 - 2], dtype=pl.UInt64))
    far = Field(-(2**100), 2**100, step=2**90)
    assert placed(far, [-(2**100), 0, None, 2**90], pl.Int128) == ([0, 1, 3], [0, 1024, 1025])


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


def test_only_floats_on_a_grid_with_fractions_may_lie_a_millionth_of_a_step_off():
    assert placed(BMI, [8.30000009]) == ([0], [3])
    with pytest.raises(InvalidInputError, match="not on the grid"):
        BMI.plaintexts_of(pl.Series([8.30000011]))
    with pytest.raises(InvalidInputError, match="not on the grid"):
        AGE.plaintexts_of(pl.Series([40.0000001]))
    with pytest.raises(InvalidInputError, match="not on the grid"):
        BMI.plaintexts_of(pl.Series([Decimal("8.30000001")]))


def test_a_value_is_the_shortest_decimal_of_its_own_precision():
    # The single next to 27.3 is 4e-6 steps away from it, the half 0.03.
    everything = [x / 10 for x in range(80, 1001)]
    half_exact = [x / 2 for x in range(16, 201)]
    for dtype, values in ((pl.Float32, everything), (pl.Float64, everything)):
        assert placed(BMI, values, dtype)[1] == list(range(921))
    if hasattr(pl, "Float16"):
        assert placed(BMI, [27.3, None, 8.1], pl.Float16) == ([0, 2], [193, 1])
        assert placed(BMI, half_exact, pl.Float16)[1] == [5 * x for x in range(185)]
    assert placed(BMI, ["8.3", None, "100"], pl.Decimal(38, 4)) == ([0, 2], [3, 920])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble, float])
def test_a_bound_is_the_shortest_decimal_of_its_own_precision(kind):
    for x in range(921):
        bound = kind(8 + x / 10) if kind is not np.longdouble else kind(f"{8 + x / 10:.1f}")
        assert BMI.range(bound, bound) == (x, x)


@pytest.mark.parametrize(
    ("field", "column"),
    [
        (AGE, pl.Series(["40"])),
        (AGE, pl.Series([True])),
        (AGE, pl.Series([datetime.date(2020, 1, 1)])),
        (AGE, pl.Series([datetime.timedelta(1)])),
        (AGE, pl.Series([[1]])),
        (ADMITTED, pl.Series([18_300])),
        (ADMITTED, pl.Series([datetime.datetime(2020, 1, 1)]).dt.replace_time_zone("UTC")),
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


# Against exact fractions


STEPS = [
    Fraction(1),
    Fraction(7),
    Fraction(1, 10),
    Fraction(5, 1000),
    Fraction(1, 3),
    Fraction(3, 8),
]
KINDS = {
    **{dtype: int for dtype in WHOLE},
    pl.Float32: np.float32,
    pl.Float64: np.float64,
    pl.Decimal(38, 4): lambda value: Decimal(round(value * 10_000)).scaleb(-4),
}


def reading(value) -> Fraction:
    """Return what a number is meant to be: a whole one as it is, a float its shortest decimal."""
    if isinstance(value, float | np.floating) and value != int(value):
        return Fraction(str(value))
    return Fraction(value if isinstance(value, Decimal) else int(value))


def expected_place(field_numbers, value) -> int | None:
    """Return the place of a value on a grid, from the definition."""
    low, step, points = field_numbers
    place = (reading(value) - low) / step
    is_whole = low.denominator == step.denominator == 1
    is_loose = isinstance(value, float | np.floating) and not is_whole
    off = abs(place - round(place))
    is_there = off <= Fraction(1, 10**6) if is_loose else off == 0
    return round(place) if is_there and 0 <= round(place) < points else None


@st.composite
def exact_grids(draw):
    """Return a field, and its minimum, step and size."""
    step = draw(st.sampled_from(STEPS)) * draw(st.integers(1, 20))
    low = draw(st.integers(-500, 500)) * draw(st.sampled_from([step, Fraction(1, 2), Fraction(1)]))
    points = draw(st.sampled_from([1, 2, 10, 300, 70_000]))
    return Field(low, low + (points - 1) * step, step=step), (low, step, points)


@st.composite
def near_values(draw, numbers):
    """Return a number on a grid, close to one of its points, or elsewhere."""
    low, step, points = numbers
    off = draw(st.sampled_from([0, 0, 0, Fraction(1, 10**7), Fraction(-1, 10**5), Fraction(1, 2)]))
    return low + (draw(st.integers(-2, points + 1)) + off) * step


@given(exact_grids(), st.sampled_from(list(KINDS)), st.data())
def test_columns_of_every_type_are_placed_as_their_exact_readings(grid, dtype, data):
    field, numbers = grid
    exact = data.draw(near_values(numbers))
    if KINDS[dtype] is int:
        limits = np.iinfo(str(dtype).lower())
        value = min(max(round(exact), int(limits.min)), int(limits.max))
    else:
        value = KINDS[dtype](exact if isinstance(dtype, pl.Decimal) else float(exact))
    expected = expected_place(numbers, value)
    column = pl.Series("x", [None, value], dtype=dtype)
    if expected is not None:
        assert placed(field, column) == ([1], [expected])
    else:
        with pytest.raises(InvalidInputError, match=r"row 1 (is not on the grid|lies outside)"):
            field.plaintexts_of(column)


@given(exact_grids(), st.data())
def test_bounds_of_every_type_are_compared_exactly(grid, data):
    field, numbers = grid
    low, step, points = numbers
    kinds = [
        Fraction,
        float,
        np.float32,
        np.float16,
        round,
        lambda value: np.int64(round(value)),
        lambda value: Decimal(value.numerator) / Decimal(value.denominator),
    ]
    with np.errstate(over="ignore"):
        bounds = [
            data.draw(st.sampled_from(kinds))(data.draw(near_values(numbers))) for _ in range(2)
        ]
    assume(all(math.isfinite(bound) for bound in bounds))
    exact = [bound if isinstance(bound, Fraction) else reading(bound) for bound in bounds]
    if exact[0] > exact[1]:
        with pytest.raises(InvalidInputError, match="lower bound lies above"):
            field.range(*bounds)
        return
    first = max(0, math.ceil((exact[0] - low) / step))
    last = min(points - 1, math.floor((exact[1] - low) / step))
    assert field.range(*bounds) == (None if first > last else (first, last))


@given(st.integers(0, 11), st.data())
def test_days_truth_values_and_categories_are_compared_exactly(size, data):
    first, step = datetime.date(2020, 2, 20), data.draw(st.integers(1, 9))
    field = Field(first, first + datetime.timedelta(size * step), step=step)
    day = first + datetime.timedelta(data.draw(st.integers(-3, size * step + 3)))
    place = Fraction((day - first).days, step)
    inside = place.denominator == 1 and 0 <= place <= size
    assert field.range(day, day) == ((place, place) if inside else None)
    if inside:
        assert placed(field, [day, None]) == ([0], [place])
    else:
        with pytest.raises(InvalidInputError, match="row 0"):
            field.plaintexts_of(pl.Series([day]))
    assert placed(Field.boolean(), [True, None, False]) == ([0, 2], [1, 0])


EVERY_TENTH = [x / 10 for x in range(80, 1001)]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("bmi", EVERY_TENTH, dtype=pl.Float32),
        pl.Series("bmi", EVERY_TENTH, dtype=pl.Float64),
        pl.Series("bmi", [Decimal(x).scaleb(-1) for x in range(80, 1001)]),
        pl.Series("bmi", EVERY_TENTH).cast(pl.Decimal(9, 3)),
    ],
    ids=lambda column: str(column.dtype),
)
def test_what_is_indexed_as_a_value_is_filtered_as_it(column):
    scene = Scene(Schema(bmi=BMI), "hospital")
    scene.send("hospital", column.to_frame().with_row_index("id"))
    for bound in (27.3, np.float32(27.3), np.float16(27.3), Decimal("27.30"), Fraction(273, 10)):
        found = scene.ask(scene.owner, {"bmi": bound})
        assert found["id"].to_list() == [193]
        assert found["bmi"].dtype == column.dtype
        assert found["bmi"].item() == column[193]
    assert len(scene.ask(scene.owner, {"bmi": (Decimal("27.3000001"), 27.5)})) == 2


def test_numbers_beyond_int64_are_found_again():
    scene = Scene(Schema(x=Field(0, 2**64 - 1, step=2**32 + 1)), "hospital")
    values = pl.Series("x", [0, 2**32 + 1, 2**64 - 1], dtype=pl.UInt64)
    scene.send("hospital", values.to_frame().with_row_index("id"))
    assert scene.ask(scene.owner, x=(2**63, None))["x"].to_list() == [2**64 - 1]


def test_a_keyring_of_before_keeps_its_digest_and_takes_an_equal_schema(tmp_path):
    saved = json.loads((VECTORS_FOLDER / "keyring.json").read_text())["files"][-1]
    path = tmp_path / "owner"
    path.write_bytes(bytes.fromhex(saved["file"]))
    password = bytes.fromhex(saved["password"])
    given = Schema(age=Field(0, 120), sbp=Field(0, 300), types={"note": pl.Int8})
    plain, typed = Owner.open(path, password), Owner.open(path, password, schema=given)
    assert plain.schema == typed.schema == given
    assert hash(plain.schema) == hash(given)
    assert plain.schema.digest == typed.schema.digest != given.digest
    assert typed.schema.types == given.types
    for copied in (pickle.loads(pickle.dumps(typed.schema)), copy.deepcopy(typed.schema)):
        assert copied.digest == typed.schema.digest
    with pytest.raises(InvalidInputError, match="is not that of the keyring"):
        Owner.open(path, password, schema=Schema(age=Field(0, 120), sbp=Field(0, 300, cell=2)))
    scene = Scene(typed.schema, "hospital", owner=typed)
    scene.send("hospital", pl.DataFrame({"id": [1, 2], "age": [40, 41], "sbp": [120, None]}))
    assert plain.ask(scene.cloud, age=(40, 40))["id"].to_list() == [1]


def test_a_bound_just_beyond_a_value_leaves_it_out():
    day = 86_400_000_000
    stays = Field(0, 30 * day, step=day)
    assert stays.range(3 * day + 1, 6 * day - 1) == (4, 5)
    assert stays.range(Fraction(3 * day) + Fraction(1, 10**9), None) == (4, 30)
    assert BMI.range(Decimal("27.3000001"), Decimal("27.5")) == (194, 195)
    assert BMI.range(None, math.nextafter(27.3, 0)) == (0, 192)


def test_bounds_of_any_size_are_exact():
    assert AGE.range(Fraction(1, 10**5000), 10**5000) == (1, 120)
    assert AGE.range(Decimal("-1e9999"), Decimal("1e-9999")) == (0, 0)
    assert AGE.range(Decimal("-Infinity"), Decimal("Infinity")) == (0, 120)
    with pytest.raises(InvalidInputError, match="a bound has more than 10,000 digits"):
        AGE.range(None, Decimal("1e999999999"))
    with pytest.raises(InvalidInputError, match="a bound is not a number"):
        AGE.range(None, Decimal("NaN"))


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
        (ADMITTED, MOMENT),
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
        ({"minimum": 0, "maximum": 10**400}, "at most 136 bytes"),
        ({"minimum": 0, "maximum": Decimal("1e400")}, "at most 136 bytes"),
        ({"minimum": 0, "maximum": Decimal("1e999999")}, "more than 10,000 digits"),
        ({"minimum": Decimal("sNaN"), "maximum": 1}, "must be finite"),
        ({"minimum": 0, "maximum": Decimal("Infinity")}, "must be finite"),
        ({"minimum": 0, "maximum": 1, "step": 1 / 3}, "not a whole number of steps"),
        ({"minimum": 0, "maximum": 1, "step": 0}, "step must be above 0"),
        ({"minimum": 0, "maximum": 1, "step": -1}, "step must be above 0"),
        ({"minimum": 0, "maximum": 10, "step": 3}, "not a whole number of steps"),
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
        {"minimum": MOMENT, "maximum": MOMENT},
        {"minimum": 0, "maximum": 1, "step": datetime.date(1970, 1, 2)},
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
        Field(Decimal("0.0"), Fraction(120), step=np.float16(1)),
    ],
    ids=repr,
)
def test_fields_of_whole_numbers_do_not_depend_on_how_they_are_written(same):
    assert same == AGE
    assert hash(same) == hash(AGE)
    assert Schema(age=same).digest == Schema(age=AGE).digest
    assert Schema(age=same) == Schema(age=AGE)


@pytest.mark.parametrize(
    "tenth", [Decimal("0.10"), Fraction(1, 10), np.float16(0.1), np.float32(0.1), np.float64(0.1)]
)
def test_a_tenth_is_a_tenth_however_it_is_written(tenth):
    same = Field(8, 100, step=tenth, cell=5)
    assert same == BMI
    assert hash(same) == hash(BMI)
    assert same._field.label() == BMI._field.label()
    assert repr(same) == repr(BMI)


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


def _defined(case) -> Field:
    """Return the field of a vector, its numbers written as a Fraction, and as days."""
    low, high, step = (Fraction(case[name]) for name in ("minimum", "maximum", "step"))
    if case["kind"] == "boolean":
        return Field.boolean()
    if case["kind"] == "category":
        return Field.categories(case["categories"], cell=case["cell"])
    if case["kind"] == "date":
        days = (datetime.date(1970, 1, 1) + datetime.timedelta(int(n)) for n in (low, high))
        return Field(*days, step=step, cell=case["cell"])
    return Field(low, high, step=step, cell=case["cell"])


def test_labels_and_digest_are_those_of_the_canonical_bytes():
    # What changes them makes every stored index unreadable.
    fields = {case["name"]: _defined(case) for case in VECTORS["fields"]}
    labels = [field._field.label().hex() for field in fields.values()]
    assert labels == [case["label"] for case in VECTORS["fields"]]
    assert Schema(fields).digest.hex() == VECTORS["digest"]


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
        ({"provider": AGE}, InvalidInputError, "cannot be called 'provider'"),
        ({"é" * 128: AGE}, InvalidInputError, "1 to 255 bytes"),
        ({"age": (0, 120)}, WrongTypeError, "'age' must be a Field, not tuple"),
    ],
)
def test_impossible_schemas_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        Schema(**fields)


EXACT = [
    Field(Fraction(1, 3), Fraction(10, 3), step=Fraction(1, 3)),
    Field(Decimal("0.12345678901234567890"), Decimal("1.12345678901234567890")),
    Field(-0.75, 2.5, step=Decimal("0.05"), cell=2),
    Field(10**30, 10**30 + 5),
    Field(0, 1e-300, step=1e-301),
    Field(0, Fraction(1, 2**600), step=Fraction(1, 2**600)),
]


@pytest.mark.parametrize("field", [*VARIANTS, *EXACT, BMI, ADMITTED, Field(0, 2**32 - 1)], ids=repr)
def test_repr_makes_the_field_again(field):
    named = {"Field": Field, "datetime": datetime, "Decimal": Decimal, "Fraction": Fraction}
    assert eval(repr(field), named) == field


@pytest.mark.parametrize("field", [*VARIANTS, *EXACT, BMI, ADMITTED, HEALTH], ids=repr)
def test_fields_and_schemas_are_pickled_and_copied(field):
    schema = Schema(age=AGE, x=field, types={"x": pl.Enum(["a", "b"]), "note": pl.Int8})
    for copied in (pickle.loads(pickle.dumps(schema)), copy.deepcopy(schema), copy.copy(schema)):
        assert copied == schema
        assert hash(copied) == hash(schema)
        assert copied.digest == schema.digest
        assert copied.types == schema.types
        assert repr(copied) == repr(schema)
        assert copied["x"].cells == field.cells


def test_numbers_are_shown_as_they_would_be_typed():
    shown = [repr(field) for field in EXACT]
    assert shown[0] == "Field(Fraction(1, 3), Fraction(10, 3), step=Fraction(1, 3))"
    assert shown[1].startswith("Field(Decimal('0.1234567890123456789'), Decimal('1.12345")
    assert shown[2] == "Field(-0.75, 2.5, step=0.05, cell=2)"
    assert shown[4] == "Field(0, 1e-300, step=1e-301)"
    assert repr(Field(Fraction(8), 100, step=Fraction(1, 10))) == "Field(8, 100, step=0.1)"


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
