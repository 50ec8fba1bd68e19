"""Random values, arrays and bounds of every library: what is found is what exact numbers find.

A value reads as `reading` says. A field places it, or refuses it by its row; a query finds it if
and only if its reading, or the point of the grid that a float lies next to, is within the bounds.
"""

import datetime
import math
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scene import Scene

from mopse import Field, Schema
from mopse._table import as_frame
from mopse.errors import InvalidInputError, WrongTypeError

EPOCH = datetime.date(1970, 1, 1)
DAY = datetime.timedelta(1)
PER_DAY = {
    **{"D": 1, "h": 24, "m": 1440, "s": 86_400},
    **{unit: 86_400 * 1000**power for power, unit in enumerate(("s", "ms", "us", "ns"))},
}
HALVES = hasattr(pl, "Float16")

# How numbers read


def reading(value: Any) -> Fraction | float:
    """Return what a value is: a float the shortest decimal of its precision, a time its days."""
    if isinstance(value, np.datetime64):
        unit, _ = np.datetime_data(value.dtype)
        counted = value.astype("M8[D]") if unit in ("Y", "M", "W") else value
        return Fraction(int(counted.astype(np.int64)), PER_DAY.get(unit, 1))
    if isinstance(value, pd.Timestamp):
        moment, nanoseconds = value.to_pydatetime(warn=False), value.nanosecond
        return reading(moment) + Fraction(nanoseconds, PER_DAY["ns"])
    if isinstance(value, datetime.datetime):
        passed = value - datetime.datetime(1970, 1, 1)
        return Fraction(passed // datetime.timedelta(microseconds=1), PER_DAY["us"])
    if isinstance(value, datetime.date):
        return Fraction((value - EPOCH).days)
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return float(value)
        return Fraction(int(value)) if value == int(value) else Fraction(str(value))
    if isinstance(value, Decimal) and not value.is_finite():
        return float(value)
    return Fraction(value) if isinstance(value, Decimal | Fraction) else Fraction(int(value))


# Fields


@dataclass
class Grid:
    """A field, and the exact numbers that define it."""

    field: Field
    low: Fraction
    step: Fraction
    points: int

    def place(self, value: Any) -> int | None:
        """Return the place of a value by the definition; None if it has none."""
        exact = reading(value)
        if isinstance(exact, float):
            return None
        place = (exact - self.low) / self.step
        is_whole = self.low.denominator == self.step.denominator == 1
        is_loose = isinstance(value, float | np.floating) and not is_whole
        off = abs(place - round(place))
        is_there = off <= Fraction(1, 10**6) if is_loose else off == 0
        return round(place) if is_there and 0 <= round(place) < self.points else None

    def near(self, rng: random.Random) -> Fraction:
        """Return a number on the grid, close to one of its points, between two, or beyond."""
        off = rng.choice([0] * 12 + [Fraction(1, 2), Fraction(1, 10**7), Fraction(-1, 10**5)])
        return self.low + (rng.randint(-1, self.points) + off) * self.step

    def on(self, rng: random.Random) -> Fraction:
        """Return a point of the grid."""
        return self.low + rng.randrange(self.points) * self.step


STEPS = [
    *(Fraction(1), Fraction(1), Fraction(7), Fraction(10**6), Fraction(2**40)),
    *(Fraction(1, 10), Fraction(1, 10), Fraction(1, 1000), Fraction(5, 100), Fraction(25, 10)),
    *(Fraction(1, 3), Fraction(2, 3), Fraction(3, 8), Fraction(1, 7)),
]


def number_grid(rng: random.Random) -> Grid:
    step = rng.choice(STEPS)
    low = rng.choice([0, 0, 8, rng.randint(-500, 500), -(2**52)]) * rng.choice([step, Fraction(1)])
    points = rng.choice([1, 2, 11, 121, 921, 70_000])
    return Grid(Field(low, low + (points - 1) * step, step=step), low, step, points)


def date_grid(rng: random.Random) -> Grid:
    low, step = Fraction(rng.randint(-40_000, 20_000)), Fraction(rng.choice([1, 1, 1, 7, 30]))
    points = rng.choice([1, 12, 366, 5000])
    first = EPOCH + int(low) * DAY
    last = first + int((points - 1) * step) * DAY
    return Grid(Field(first, last, step=step), low, step, points)


# Types of numbers


@dataclass
class Kind:
    """A type of values, as every library calls it; None where it has none."""

    name: str
    make: Callable[[Fraction], Any]
    numpy: str | None = None
    polars: Any = None
    arrow: Any = None
    nullable: str | None = None


def whole(name: str) -> Kind:
    limits = np.iinfo(name)

    def make(exact: Fraction) -> int:
        return min(max(round(exact), int(limits.min)), int(limits.max))

    nullable = name.replace("ui", "UI") if name[0] == "u" else name.capitalize()
    return Kind(name, make, name, getattr(pl, nullable), pa.type_for_alias(name), nullable)


def rounded(name: str) -> Kind:
    kind = np.dtype(name).type

    def make(exact: Fraction) -> Any:
        with np.errstate(over="ignore"):
            return kind(float(exact))

    bits = name.removeprefix("float")
    alias = {"16": pa.float16(), "32": pa.float32(), "64": pa.float64()}[bits]
    return Kind(name, make, name, getattr(pl, f"Float{bits}", None), alias, f"Float{bits}")


def decimals(places: int) -> Kind:
    def make(exact: Fraction) -> Decimal:
        count = min(max(round(exact * 10**places), 1 - 10**38), 10**38 - 1)
        return Decimal((int(count < 0), [*map(int, str(abs(count)))], -places))

    arrow = pa.decimal128(38, places)
    return Kind(f"decimal{places}", make, None, pl.Decimal(38, places), arrow)


def moments(unit: str) -> Kind:
    def make(exact: Fraction) -> np.datetime64:
        count = round(exact * PER_DAY[unit])
        return np.datetime64(min(max(count, -(2**63) + 1), 2**63 - 1), unit)

    polars = pl.Date if unit == "D" else None if unit == "s" else pl.Datetime(unit)
    arrow = pa.date32() if unit == "D" else pa.timestamp(unit)
    return Kind(f"M8[{unit}]", make, f"M8[{unit}]", polars, arrow)


NUMBERS = [
    *(whole(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(rounded(f"float{bits}") for bits in (16, 32, 32, 64, 64)),
    *(decimals(places) for places in (0, 1, 2, 4, 12)),
    Kind("int128", round, None, pl.Int128),
]
TIMES = [moments(unit) for unit in ("D", "s", "ms", "us", "ns")]
HALF = next(kind for kind in NUMBERS if kind.name == "float16")

# Arrays of them


def plain(value: Any) -> Any:
    """Return a value as a list of Python's holds it."""
    if isinstance(value, np.datetime64):
        unit, _ = np.datetime_data(value.dtype)
        if unit == "ns":
            return pd.Timestamp(value)
        return value.item() if unit != "s" else value.astype("M8[us]").item()
    return value


def in_numpy(values: list[Any], kind: Kind) -> np.ndarray:
    return np.array(values, dtype=kind.numpy)


def strided(array: np.ndarray, by: int) -> np.ndarray:
    apart = np.repeat(array, abs(by))[::by] if by > 0 else np.repeat(array[::-1], -by)[::by]
    assert len(array) < 2 or not apart.flags.c_contiguous
    return apart


def masked(values: list[Any], kind: Kind) -> np.ma.MaskedArray:
    rest = next((value for value in values if value is not None), 0)
    bare = in_numpy([rest if value is None else value for value in values], kind)
    return np.ma.array(bare, mask=[value is None for value in values])


def pieces(values: list[Any], kind: Kind) -> pa.ChunkedArray:
    half = len(values) // 2
    return pa.chunked_array([in_arrow(values[:half], kind), in_arrow(values[half:], kind)])


def in_arrow(values: list[Any], kind: Kind) -> pa.Array:
    return pa.array([plain(value) for value in values], kind.arrow)


def in_polars(values: list[Any], kind: Kind) -> pl.Series:
    if kind.name.startswith(("M8", "float16")):
        return pl.Series(in_arrow(values, kind))
    return pl.Series(values, dtype=kind.polars, strict=True)


@dataclass
class Form:
    """A kind of array."""

    make: Callable[[list[Any], Kind], Any]
    holds: Callable[[Kind], bool]
    is_nullable: bool = True


def has(name: str) -> Callable[[Kind], bool]:
    return lambda kind: getattr(kind, name) is not None


def is_listed(kind: Kind) -> bool:
    # pandas and lists of Python's count to the microsecond.
    return kind.name not in ("int128", "M8[ns]")


FORMS: dict[str, Form] = {
    "polars": Form(in_polars, has("polars")),
    "polars in pieces": Form(
        lambda values, kind: pl.concat(
            [in_polars(values[:1], kind), in_polars(values[1:], kind)], rechunk=False
        ),
        has("polars"),
    ),
    "numpy": Form(in_numpy, has("numpy"), is_nullable=False),
    "numpy, other bytes first": Form(
        lambda values, kind: in_numpy(values, kind).astype(np.dtype(kind.numpy).newbyteorder(">")),
        has("numpy"),
        is_nullable=False,
    ),
    "numpy, strided": Form(
        lambda values, kind: strided(in_numpy(values, kind), 3), has("numpy"), is_nullable=False
    ),
    "numpy, backwards": Form(
        lambda values, kind: strided(in_numpy(values, kind), -2), has("numpy"), is_nullable=False
    ),
    "numpy, a column of two": Form(
        lambda values, kind: np.stack([in_numpy(values, kind)] * 2, axis=1)[:, 1],
        has("numpy"),
        is_nullable=False,
    ),
    "numpy, objects": Form(
        lambda values, kind: np.array([*map(plain, values), None], object)[:-1], is_listed
    ),
    "numpy, masked": Form(masked, has("numpy")),
    "list": Form(lambda values, kind: [*map(plain, values)], is_listed),
    "generator": Form(lambda values, kind: map(plain, values), is_listed),
    "pandas": Form(
        lambda values, kind: pd.Series(in_numpy(values, kind)),
        lambda kind: kind.numpy is not None and kind.name != "M8[D]",
        is_nullable=False,
    ),
    "pandas, nullable": Form(
        lambda values, kind: pd.Series(pd.array(values, dtype=kind.nullable)),
        lambda kind: kind.nullable is not None and kind.name != "float16",
    ),
    "pandas, of arrow": Form(
        lambda values, kind: pd.Series(
            pd.arrays.ArrowExtensionArray(pieces(values, kind)), index=range(5, 5 + len(values))
        ),
        lambda kind: kind.arrow is not None and kind.name != "float16",
    ),
    "pandas, objects": Form(
        lambda values, kind: pd.Series([*map(plain, values)], dtype=object), is_listed
    ),
    "pandas, categorical": Form(
        lambda values, kind: pd.Series(pd.Categorical(in_numpy(values, kind))),
        lambda kind: kind.numpy is not None and kind.name not in ("float16", "M8[D]"),
        is_nullable=False,
    ),
    "arrow": Form(in_arrow, has("arrow")),
    "arrow in chunks": Form(pieces, has("arrow")),
    "arrow, dictionary": Form(
        lambda values, kind: in_arrow(values, kind).dictionary_encode(),
        lambda kind: kind.arrow is not None and kind.name != "float16",
    ),
}


def tables(name: str, values: Any) -> dict[str, Any]:
    """Return every kind of table that an array makes a column of."""
    made: dict[str, Any] = {"dict": {name: values}}
    if isinstance(values, pl.Series):
        made["polars"] = pl.DataFrame({name: values})
    if isinstance(values, pd.Series):
        made["pandas"] = pd.DataFrame({name: values})
    if isinstance(values, pa.Array | pa.ChunkedArray):
        made["arrow"] = pa.table({name: values})
        made["arrow reader"] = made["arrow"].to_reader()
    return made


# Bounds


def bounds_of(grid: Grid, rng: random.Random, is_time: bool) -> Iterator[Any]:
    """Yield bounds of all types, near the grid and far out."""
    while True:
        exact = grid.near(rng) if rng.random() < 0.5 else grid.on(rng)
        roll = rng.random()
        if roll < 0.1:
            yield None
        elif is_time:
            yield time_bound(exact, rng)
        elif roll < 0.2:
            far = rng.choice([10**400, 2**200, 1e308, math.inf, Decimal("1e500"), Decimal("inf")])
            yield far if rng.random() < 0.5 else -far
        else:
            yield number_bound(exact, rng)


def number_bound(exact: Fraction, rng: random.Random) -> Any:
    with np.errstate(over="ignore"):
        number = float(exact)
        whole_number = round(exact)
        kinds: list[Callable[[], Any]] = [
            lambda: exact,
            lambda: exact + Fraction(rng.choice([-1, 1]), 10**30),
            lambda: number,
            lambda: math.nextafter(number, rng.choice([-math.inf, math.inf])),
            lambda: np.float16(number),
            lambda: np.float32(number),
            lambda: np.nextafter(np.float32(number), np.float32(np.inf)),
            lambda: np.float64(number),
            lambda: np.longdouble(exact.numerator) / np.longdouble(exact.denominator),
            lambda: whole_number,
            lambda: Decimal(exact.numerator) / Decimal(exact.denominator),
            lambda: Decimal(number),
            *(
                lambda name=name: np.dtype(name).type(
                    min(max(whole_number, np.iinfo(name).min), np.iinfo(name).max)
                )
                for name in ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")
            ),
        ]
        return rng.choice(kinds)()


def time_bound(exact: Fraction, rng: random.Random) -> Any:
    within = rng.choice(
        [0, 0, 1, -1, 10**3, -(10**3), 43_200 * 10**9, rng.randrange(86_400) * 10**9]
    )
    days = min(max(math.floor(exact), -106_000), 106_000)  # as far as an int64 of them goes
    nanoseconds = days * 86_400 * 10**9 + within
    day = EPOCH + days * DAY
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=nanoseconds // 1000)
    of_numpy = np.datetime64(nanoseconds, "ns")
    kinds: list[Any] = [day, day, moment, pd.Timestamp(day), pd.Timestamp(moment), of_numpy]
    kinds += [np.datetime64(day), pd.Timestamp(nanoseconds), of_numpy.astype("M8[m]")]
    kinds += [of_numpy.astype(f"M8[{unit}]") for unit in ("h", "s", "ms", "us", "W", "M", "Y")]
    return rng.choice(kinds)


# A case

REFUSED = (
    r"^field 'x': the value in row (\d+) "
    r"(lies outside the domain|is not on the grid|is not a number)$"
)
"""It names the first row at fault, and no value."""


@dataclass
class Found:
    """How many cases ended how."""

    cases: int = 0
    placed: int = 0
    refused: int = 0
    ranges: int = 0
    crossed: int = 0
    by_form: dict[str, int] = field(default_factory=dict)


def is_crossed(low: Any, high: Any) -> bool:
    return low is not None and high is not None and reading(low) > reading(high)


def within(exact: Fraction, low: Any, high: Any) -> bool:
    """Say whether a number is within two bounds, by comparing exact numbers."""
    is_above = low is None or reading(low) <= exact
    return is_above and (high is None or exact <= reading(high))


def check_bounds(grid: Grid, places: list[int], low: Any, high: Any, found: Found) -> None:
    """Check what a range is, and what it finds of placed values."""
    if is_crossed(low, high):
        with pytest.raises(InvalidInputError, match="lower bound lies above"):
            grid.field.range(low, high)
        found.crossed += 1
        return
    plaintexts = grid.field.range(low, high)
    first, last = plaintexts if plaintexts is not None else (1, 0)
    found.ranges += 1
    for place in places:
        is_found = first <= place <= last
        assert is_found == within(grid.low + place * grid.step, low, high), (place, low, high)
    if plaintexts is not None:
        assert 0 <= first <= last < grid.points
        for place in {first, last, first - 1, last + 1} & set(range(grid.points)):
            is_found = first <= place <= last
            assert is_found == within(grid.low + place * grid.step, low, high), (place, low, high)


def check_case(rng: random.Random, found: Found) -> None:
    """Draw a field, an array and bounds, and compare what is found with exact numbers."""
    is_time = rng.random() < 0.25
    grid = date_grid(rng) if is_time else number_grid(rng)
    kind = rng.choice(TIMES if is_time else NUMBERS)
    names = [name for name, form in FORMS.items() if form.holds(kind)]
    name = rng.choice(names)
    form = FORMS[name]
    is_good = rng.random() < 0.7  # all values of the field, as far as the type holds them
    values: list[Any] = []
    for _ in range(rng.choice([1, 2, 5, 9])):
        value = kind.make(grid.on(rng) if is_good else grid.near(rng))
        if kind.name == "int128" and rng.random() < 0.05:
            value = rng.choice([-1, 1]) * 2**100
        if is_good and grid.place(value) is None:
            continue
        values.append(value)
    if not values:
        values = [kind.make(grid.on(rng))]
    if kind.name.startswith("float") and not is_good and rng.random() < 0.1:
        values[-1] = np.dtype(kind.numpy).type(rng.choice([np.nan, np.inf, -np.inf]))
    if form.is_nullable:
        for _ in range(rng.choice([0, 0, 1, 2])):
            values.insert(rng.randint(0, len(values)), None)
    note = f"{grid.field} {kind.name} in {name}: {values}"
    array = form.make(values, kind)
    which, table = rng.choice([*tables("x", array).items()])
    column = as_frame(table)["x"]
    found.cases += 1
    found.by_form[f"{kind.name} {name}"] = found.by_form.get(f"{kind.name} {name}", 0) + 1
    if name.startswith("pandas"):  # where NaN is missing
        values = [None if value is None or value != value else value for value in values]
    places = [None if value is None else grid.place(value) for value in values]
    bad = [row for row, v in enumerate(values) if v is not None and places[row] is None]
    held = [(row, place) for row, place in enumerate(places) if place is not None]
    if bad:
        with pytest.raises(InvalidInputError, match=REFUSED) as caught:
            grid.field.plaintexts_of(column)
        row = re.match(REFUSED, str(caught.value))
        assert row is not None, note
        assert int(row[1]) == bad[0], (note, which)
        found.refused += 1
        return
    rows, plaintexts = grid.field.plaintexts_of(column)
    assert [*zip(rows.tolist(), plaintexts.tolist(), strict=True)] == held, (note, which)
    found.placed += 1
    draw = bounds_of(grid, rng, is_time)
    for _ in range(3):
        check_bounds(grid, [place for _, place in held], next(draw), next(draw), found)


def check_cases(cases: int, seed: int) -> Found:
    """Check so many cases; the first that fails raises with what it was."""
    rng, found = random.Random(seed), Found()
    for _ in range(cases):
        check_case(rng, found)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_values_and_bounds_of_every_type_are_found_as_exact_numbers_are(seed):
    found = check_cases(1200, seed)
    assert found.placed > 500
    assert found.refused > 100
    assert found.ranges > 1000
    assert found.crossed > 100


# Through the cloud and back


def seals(kind: Kind) -> bool:
    """Say whether records hold a type."""
    return kind.name not in ("int128", "float16")


def is_sealed(value: Any, kind: Kind) -> bool:
    """Say whether records hold a value: decimals have 18 digits."""
    return not isinstance(value, Decimal) or abs(value) < 10 ** (18 - kind.polars.scale)


def check_found(rng: random.Random) -> int:
    """Send two arrays, ask with random bounds, and compare what comes back with exact numbers."""
    numbers, times = number_grid(rng), date_grid(rng)
    kinds = {
        "x": rng.choice([kind for kind in NUMBERS if seals(kind)]),
        "t": rng.choice(TIMES),
    }
    columns: dict[str, list[Any]] = {}
    forms: dict[str, Form] = {}
    for name, grid in (("x", numbers), ("t", times)):
        forms[name] = FORMS[rng.choice([n for n, f in FORMS.items() if f.holds(kinds[name])])]
        drawn = [kinds[name].make(grid.on(rng)) for _ in range(8)]
        kind = kinds[name]
        columns[name] = [v for v in drawn if grid.place(v) is not None and is_sealed(v, kind)]
    rows = min(map(len, columns.values()))
    if not rows:
        return 0
    columns = {name: values[:rows] for name, values in columns.items()}
    if forms["x"].is_nullable and rows > 1:
        columns["x"][rng.randrange(rows)] = None
    arrays = {name: forms[name].make(values, kinds[name]) for name, values in columns.items()}
    scene = Scene(Schema(x=numbers.field, t=times.field), "hospital", seed=1)
    scene.send("hospital", {"id": range(rows), **arrays})
    asked = 0
    of_x, of_t = bounds_of(numbers, rng, is_time=False), bounds_of(times, rng, is_time=True)
    for _ in range(4):
        x, t = (next(of_x), next(of_x)), (next(of_t), next(of_t))
        if is_crossed(*x) or is_crossed(*t):
            continue
        ranges = rng.choice([{"x": x}, {"t": t}, {"x": x, "t": t}])
        expected = []
        for row in range(rows):
            is_within = True
            for name, grid in (("x", numbers), ("t", times)):
                value = columns[name][row]
                if name not in ranges:
                    continue
                place = None if value is None else grid.place(value)
                is_within &= place is not None and within(
                    grid.low + place * grid.step, *ranges[name]
                )
            if is_within:
                expected.append(row)
        table = scene.ask(scene.owner, ranges)
        table = table.sort("id") if len(table) else table.with_columns(id=None)
        note = numbers.field, times.field, kinds, columns, ranges
        assert table["id"].to_list() == expected, note
        for name in ("x", "t") if expected else ():
            back = [None if value is None else reading(value) for value in table[name]]
            if kinds[name].name == "float32":
                back = [None if v is None else reading(np.float32(v)) for v in table[name]]
            given = [columns[name][row] for row in expected]
            assert back == [None if value is None else reading(value) for value in given], note
        asked += 1
    return asked


def check_through_the_cloud(cases: int, seed: int) -> int:
    rng = random.Random(seed)
    return sum(check_found(rng) for _ in range(cases))


def test_records_of_every_type_are_found_through_the_cloud_as_exact_numbers_are():
    assert check_through_the_cloud(60, 7) > 60


# Truth values and categories

LEVELS = ["schlecht", "mäßig", "gut", "übel", "Ⅳ"]


def labelled(values: list[Any], rng: random.Random) -> Any:
    """Return labels as an array of some library."""
    forms: list[Callable[[], Any]] = [
        lambda: values,
        lambda: iter(values),
        lambda: np.array(values, dtype=object),
        lambda: np.ma.array(
            ["" if v is None else v for v in values], mask=[v is None for v in values]
        ),
        lambda: pl.Series(values, dtype=pl.String),
        lambda: pl.Series(values, dtype=pl.Categorical),
        lambda: pl.Series(values, dtype=pl.Enum(sorted({*values} - {None}) or ["gut"])),
        lambda: pd.Series(values, dtype=object),
        lambda: pd.Series(values, dtype="string"),
        lambda: pd.Series(values, dtype="str"),
        lambda: pd.Categorical(values),
        lambda: pd.Series(values, dtype=pd.ArrowDtype(pa.string())),
        lambda: pa.array(values, pa.string()),
        lambda: pa.array(values, pa.large_string()),
        lambda: pa.chunked_array([values[:1], values[1:]], pa.string()),
        lambda: pa.array(values, pa.string()).dictionary_encode(),
    ]
    return rng.choice(forms)()


@pytest.mark.parametrize("seed", range(4))
def test_labels_of_every_library_are_ranked_in_any_form(seed):
    rng = random.Random(seed)
    field, refused = Field.categories(LEVELS), 0
    for _ in range(300):
        ranks = [rng.choice([None, 0, 1, 2, 3, 4]) for _ in range(rng.randint(1, 6))]
        form = rng.choice(["NFC", "NFD"])
        values = [None if r is None else unicodedata.normalize(form, LEVELS[r]) for r in ranks]
        odd = rng.randrange(len(values)) if rng.random() < 0.2 else None
        if odd is not None:
            values[odd] = rng.choice(["massig", "Gut", "gut ", "IV", "0", ""])
        column = as_frame({"x": labelled(values, rng)})["x"]
        if odd is not None:
            with pytest.raises(
                InvalidInputError, match=rf"^field 'x': the value in row {odd} is no"
            ):
                field.plaintexts_of(column)
            refused += 1
            continue
        rows, plaintexts = field.plaintexts_of(column)
        assert rows.tolist() == [row for row, rank in enumerate(ranks) if rank is not None]
        assert plaintexts.tolist() == [rank for rank in ranks if rank is not None]
        low, high = (rng.choice([None, 0, 1, 2, 3, 4]) for _ in range(2))
        ends = [None if r is None else unicodedata.normalize(form, LEVELS[r]) for r in (low, high)]
        first, last = 0 if low is None else low, 4 if high is None else high
        if first > last:
            with pytest.raises(InvalidInputError, match="lower bound lies above"):
                field.range(*ends)
        else:
            assert field.range(*ends) == (first, last)
    assert refused > 20


def test_truth_values_of_every_library_are_placed():
    values = [True, None, False, True]
    for array in (
        values,
        np.array(values, object),
        np.ma.array([True, True, False, True], mask=[0, 1, 0, 0]),
        pl.Series(values),
        pd.Series(values, dtype="boolean"),
        pd.Series(values, dtype=object),
        pd.Series(values, dtype="bool[pyarrow]"),
        pa.array(values),
        pa.chunked_array([values[:1], values[1:]]),
        [np.True_, None, np.False_, np.True_],
    ):
        rows, plaintexts = Field.boolean().plaintexts_of(as_frame({"x": array})["x"])
        assert (rows.tolist(), plaintexts.tolist()) == ([0, 2, 3], [1, 0, 1])
    strided = np.array([True, False, False, True])[::-2]
    assert Field.boolean().plaintexts_of(pl.Series(strided))[1].tolist() == [1, 0]


# What was found by trying, each by hand


def test_a_half_that_is_whole_is_the_number_it_is():
    # Its shortest decimal is 25,900.
    half = np.array([25_904, 27.3, -2.5], np.float16)
    numbers = Field(-65_504, 65_504, step=Fraction(1, 10))
    _, places = numbers.plaintexts_of(as_frame({"x": half})["x"])
    assert [numbers.range(v, v)[0] for v in (25_904, Decimal("27.3"), -2.5)] == places.tolist()
    assert [numbers.range(v, v)[0] for v in half] == places.tolist()
    hundreds = Field(0, 65_500, step=100)
    with pytest.raises(InvalidInputError, match="row 0 is not on the grid"):
        hundreds.plaintexts_of(as_frame({"x": half[:1]})["x"])


def test_of_two_decimals_as_near_a_float_is_the_one_that_is_shown():
    low = -(2**50)
    tenths = Field(low, low + 10**7, step=Fraction(1, 10))
    rng = random.Random(0)
    for _ in range(2000):
        value = low + rng.randrange(2**20) / 4
        shown = math.ceil((Fraction(repr(value)) - low) * 10)
        for same in (value, np.float64(value), np.longdouble(repr(value)), Decimal(repr(value))):
            assert tenths.range(same, None) == (shown, 10**8), value


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([2.5, 2**53 + 1], "a value of type integer in row 1 that Float64 does not hold"),
        ([2**53 + 1, 2.5], "a value of type integer in row 0 that Float64 does not hold"),
        ([np.float32(27.3), 27.3], "float32 up to row 0, float in row 1"),
        ([27.3, np.float32(27.3)], "float up to row 0, float32 in row 1"),
        ([np.float16(1), 1e6], "float16 up to row 0, float in row 1"),
        ([0.1, Decimal("0.1")], "float up to row 0, Decimal in row 1"),
        ([Decimal("1e-20"), Decimal("1e20")], "a value of type Decimal in row 1"),
        ([Decimal(1), Decimal("NaN")], "a decimal that is no number in row 1"),
        ([Fraction(1, 3)], "values of type Fraction"),
        ([pd.Timestamp(1)], "a value of type Timestamp in row 0"),
        ([pd.Timedelta(1)], "a value of type Timedelta in row 0"),
        (
            [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)],
            "a value of type datetime in row 1",
        ),
        (np.array([2**40], "M8[D]"), "a time in row 0 so far away"),
        (np.array([0, 2**62], "M8[s]"), "a time in row 1 so far away"),
        (np.array([0, 2**55], "m8[s]"), "a time in row 1 so far away"),
        (pa.array([2**62], pa.timestamp("s")), "values that no column holds"),
        (pa.array([2**62], pa.duration("s")), "values that no column holds"),
        (pd.Series(np.array([0, 2**55], "m8[s]")), "a time in row 1 so far away"),
        (np.array([1.5], np.longdouble), "which no column holds"),
        ([1, True], "integer up to row 0, truth value in row 1"),
        ([True, 1.5], "truth value up to row 0, float in row 1"),
        (np.array([1, True], object), "integer up to row 0, truth value in row 1"),
    ],
    ids=repr,
)
def test_what_no_column_holds_as_it_is_is_refused_by_row(values, fault):
    with pytest.raises(WrongTypeError, match=f"column 'x' .*{fault}"):
        as_frame({"x": values})


def test_what_a_column_holds_as_it_is_is_held():
    for values, held in (
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([Decimal("1.5"), 2], [Decimal("1.5"), Decimal(2)]),
        (np.array(["2020-01-01"], "M8[25us]"), [datetime.datetime(2020, 1, 1)]),
        (np.array(["2020-02", "NaT"], "M8[M]"), [datetime.date(2020, 2, 1), None]),
        (np.array(["2020-02-03T04"], "M8[h]"), [datetime.datetime(2020, 2, 3, 4)]),
        ([np.datetime64("2020-02-03"), None], [datetime.date(2020, 2, 3), None]),
        (np.array([2, "NaT"], "m8[D]"), [datetime.timedelta(2), None]),
        ([pd.Timestamp("2020-01-01"), pd.NaT], [datetime.datetime(2020, 1, 1), None]),
        ([1, pd.NA], [1, None]),
        (pd.array([1, None], dtype="Int8"), [1, None]),
        (pd.Categorical(["a", None]), ["a", None]),
        (np.array(["a", "b"], np.dtypes.StringDType()), ["a", "b"]),
    ):
        assert as_frame({"x": values})["x"].to_list() == held


def test_a_moment_is_the_day_it_begins_and_as_a_bound_itself():
    year = Field(datetime.date(2020, 1, 1), datetime.date(2020, 12, 31))
    assert year == Field(pd.Timestamp("2020-01-01"), np.datetime64("2020-12-31"))
    noon = datetime.datetime(2020, 3, 1, 12)
    assert year.range(noon, None) == (61, 365)
    assert year.range(None, noon) == (0, 60)
    assert year.range(pd.Timestamp("2020-03-01") + pd.Timedelta(1, "ns"), None) == (61, 365)
    assert year.range(np.datetime64("2020-03"), np.datetime64("2020-03-01")) == (60, 60)
    for kind in ("s", "ms", "us", "ns"):
        days = pd.Series(pd.to_datetime(["2020-03-01", None])).astype(f"datetime64[{kind}]")
        assert year.plaintexts_of(as_frame({"x": days})["x"])[1].tolist() == [60]
    scene = Scene(Schema(seen=year), "hospital")
    table = pd.DataFrame({"id": [1, 2], "seen": pd.to_datetime(["2020-03-01", "2020-03-02"])})
    scene.send("hospital", table)
    found = scene.ask(scene.owner, seen=(pd.Timestamp("2020-03-01 00:00:01"), None))
    assert found["seen"].to_list() == [datetime.datetime(2020, 3, 2)]
    with pytest.raises(InvalidInputError, match="minimum and maximum must be whole days"):
        Field(noon, datetime.date(2020, 12, 31))
    with pytest.raises(WrongTypeError, match="has a time zone: make dates of it"):
        year.plaintexts_of(pl.Series([noon]).dt.replace_time_zone("Europe/Berlin"))


if __name__ == "__main__":
    import sys
    import time

    start = time.time()
    asked = check_through_the_cloud(int(sys.argv[1]) // 100, int(sys.argv[2]))
    print(asked, "queries through the cloud,", time.time() - start)
    found = check_cases(int(sys.argv[1]), int(sys.argv[2]))
    print(len(found.by_form), "kinds,", found.cases, found.placed, found.refused, found.ranges)
    print(found.crossed, min(found.by_form.values()), time.time() - start)
