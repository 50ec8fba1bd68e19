"""What `Schema.infer` proposes for tables as they come."""

import copy
import datetime
import pickle
from decimal import Decimal

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

import mopse
from mopse import Field, Schema
from mopse.errors import InvalidInputError, WrongTypeError

ROWS = 600


def codes_of(proposed):
    """Return the schema that the printed code makes."""
    names = {}
    exec(str(proposed), names)
    return names["schema"]


def one(values, **options):
    """Return the field, or why there is none, and what is said of one column."""
    proposed = Schema.infer({"x": values, "kept": [1, 2, 3] * (len(values) // 3)}, **options)
    said = str(proposed).split("kept=")[0]
    return proposed.get("x", proposed.left_out.get("x")), said


def spread(low, high, rows=ROWS):
    return np.random.default_rng(7).integers(low, high + 1, rows)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (spread(20, 79), Field(10, 90)),
        (spread(0, 79), Field(0, 90)),  # not below zero where nothing is
        (spread(-79, -1), Field(-90, 0)),
        (spread(80, 210).astype(np.uint64), Field(60, 230, cell=2)),
        (spread(80, 210).astype(float), Field(60, 230, cell=2)),
        (spread(150, 450) / 10, Field(12, 48, step=0.1, cell=5)),
        ((spread(150, 450) / 10).astype(np.float32), Field(12, 48, step=0.1, cell=5)),
        ([Decimal(int(x)).scaleb(-1) for x in spread(150, 450)], Field(12, 48, step=0.1, cell=5)),
        (spread(1, 900_000), Field(0, 1_000_000, cell=10_000)),
        (spread(0, 1) == 1, Field.boolean()),
        (["low", "high"] * (ROWS // 2), Field.categories(["high", "low"])),
        (
            pl.Series(["low", "high"] * (ROWS // 2), dtype=pl.Enum(["low", "mid", "high"])),
            Field.categories(["low", "mid", "high"]),
        ),
        (
            np.datetime64("2019-03-01", "D") + spread(0, 700),
            Field(datetime.date(2018, 1, 1), datetime.date(2022, 12, 31), cell=28),
        ),
        (
            pl.Series(np.datetime64("1880-03-01", "D") + spread(0, 40_000)),
            Field(datetime.date(1869, 1, 1), datetime.date(2000, 12, 31), cell=730),
        ),
    ],
)
def test_domain_step_and_cell(values, field):
    assert one(values)[0] == field


@pytest.mark.parametrize(
    ("values", "field", "note"),
    [
        ([*spread(20, 79)[:-3], 7777, 7777, 9999], Field(10, 90), "2 rows hold 7777"),
        ([*spread(20, 79)[:-3], 7777, 7777, 9999], Field(10, 90), "1 row holds 9999"),
        ([*spread(0, 5)[:-3], -9, -9, -8], Field(0, 6), "2 rows hold -9"),
        (np.append(spread(20, 79), float("nan"))[1:], Field(10, 90), "1 row holds NaN or infinity"),
        (np.append(spread(20, 79), float("inf"))[1:], Field(10, 90), "1 row holds NaN or infinity"),
        (["low", "high", "?"] * 200, Field.categories(["high", "low"]), "200 rows hold '?'"),
        (
            pl.Series(
                [
                    *(np.datetime64("2019-03-01", "D") + spread(0, 700)).tolist()[:-1],
                    datetime.date(1900, 1, 1),
                ]
            ),
            Field(datetime.date(2018, 1, 1), datetime.date(2022, 12, 31), cell=28),
            "1 row holds 1900-01-01",
        ),
    ],
)
def test_codes_for_missing_values_are_told_and_are_no_part_of_the_domain(values, field, note):
    values = values if isinstance(values, pl.Series) else pl.Series(values, strict=False)
    found, said = one(values)
    assert found == field
    assert note in said
    with pytest.raises(InvalidInputError):
        found.plaintexts_of(values)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([1, 2, 7, 9], "7 and 9 apart from 1 to 2 may be a code"),
        ([0.0, 1.0, 9.0], "9 apart from 0 to 1 may be a code"),
        ([1, 2, 3, 4, 5, 7], "If it stands for no answer, make it null"),
        ([*range(1, 6), 8, 9], "have the field end at 5"),
    ],
)
def test_single_digits_that_may_be_codes_are_asked_about_and_are_in_the_domain(values, note):
    found, said = one(values * (ROWS // len(values) // 3 * 3))
    assert note in said
    found.plaintexts_of(pl.Series(values))


@pytest.mark.parametrize("values", [[*range(10)], [6, 7, 9], [7, 8, 9], [1, 2, 7, 9, 12], [0.5, 9]])
def test_single_digits_among_others_are_not_asked_about(values):
    assert "code" not in one(values * (ROWS // len(values) // 3 * 3))[1]


@pytest.mark.parametrize("values", [spread(-30, 30), [*spread(-30, 30)[:-1], -9], spread(60, 99)])
def test_values_among_others_are_no_codes(values):
    assert "code" not in one(values)[1]


@pytest.mark.parametrize(
    ("values", "why", "note"),
    [
        ([None] * ROWS, "no value", ""),
        ([5] * ROWS, "one value only", ""),
        (np.arange(ROWS) * 2, "it counts the rows", ""),
        ([f"patient {i}" for i in range(ROWS)], "a text of its own", ""),
        ([f"{i % 70}" for i in range(ROWS)], "numbers as text", ".cast(pl.Float64)"),
        ([f"{i % 70},5" for i in range(ROWS)], "numbers as text", ".str.replace(',', '.')"),
        ([f"{i % 70}" for i in range(ROWS - 2)] + ["90+", "<5"], "as text", "2 rows hold a bound"),
        ([f"{i % 28 + 1}.02.2020" for i in range(ROWS)], "days as text", ".str.to_date("),
        (["m", "f", "F "] * 200, "not yet categories", "case or spaces"),
        (["?", "", "n/a"] * 200, "no value", "600 rows hold"),
        (
            [f"word {i % 200}" for i in range(ROWS)],
            "many different texts",
            "of at most 20 categories",
        ),
        ([f"{'EIJ'[i % 3]}{i % 100:02d}.1" for i in range(ROWS)], "many", ".str.slice(0, 1). Oth"),
        ([f"{i % 700:05d}" for i in range(ROWS)], "numbers as text", "600 rows begin with 0, as"),
        (np.random.default_rng(1).normal(14, 1, ROWS), "6 places", ".round(2)"),
        (np.random.default_rng(1).normal(14, 1e-4, ROWS), "6 places", ".round(6)"),
        (spread(0, 2**40), "2^32", "coarser"),
        ([datetime.datetime(2020, 1, 1, 5)] * ROWS, "moments", ".dt.date()"),
        ([datetime.timedelta(minutes=5)] * ROWS, "durations", ".dt.total_minutes()"),
        ([datetime.time(5)] * ROWS, "no range", ""),
        (pl.Series([5, 10_000_000, 6] * 200, dtype=pl.Int32).cast(pl.Date), "1 to 9999", ""),
        (pl.Series([5, 10**9, 6] * 200, dtype=pl.Int32).cast(pl.Date), "row 1: no table", ""),
        ([1e308, -1e308, 0.1] * 200, "6 places", ".round(0)"),
        (pl.Series([5, 6, -(2**62)] * 200).cast(pl.Datetime("ms")), "row 2: no table", ""),
        ([[1, 2]] * ROWS, "no range", ""),
        ([b"x"] * ROWS, "no range", ""),
    ],
)
def test_what_has_no_field_and_what_to_do(values, why, note):
    found, said = one(values)
    assert why in found
    assert "# x: left out, " in said
    assert note in said


def test_rows_need_ids_of_their_own():
    table = {"patient": [1, 1, 2, None], "age": [40, 40, 50, 60]}
    proposed = Schema.infer(table, id="patient")
    assert list(proposed) == ["age"]
    assert "1 row repeats an id" in str(proposed)
    assert "1 row holds no id" in str(proposed)


@pytest.mark.parametrize("name", ["id", "ID", "patient_id", "patientId", "patient id", "MRN"])
def test_what_is_named_as_ids_are_is_left_out(name):
    proposed = Schema.infer({name: [5, 5, 900], "humid": [1, 2, 3], "paid": [3, 2, 1]})
    assert (list(proposed), list(proposed.left_out)) == (["humid", "paid"], [name])


def test_names_that_are_no_names_of_python_print_as_a_dict():
    names = ["body mass", "class", "types", "self", "line\nbreak", "x'y", "fields"]
    proposed = Schema.infer({name: [3, 1, 2, 9] for name in names})
    assert list(proposed) == names
    assert codes_of(proposed) == proposed


def test_columns_that_cannot_be_fields_are_left_out_with_the_reason():
    proposed = Schema.infer({"provider": [1, 2], "n" * 256: [1, 2], "age": [3, 4]})
    assert list(proposed) == ["age"]
    assert set(proposed.left_out) == {"provider", "n" * 256}


def test_a_table_without_a_column_to_index_is_refused_with_all_reasons():
    with pytest.raises(InvalidInputError, match="'a': it holds no value; 'b': it holds one"):
        Schema.infer({"a": [None, None], "b": [1, 1]})


@pytest.mark.parametrize(
    ("table", "id_column", "error"),
    [
        ({"age": [1, 2]}, "ages", InvalidInputError),
        ({"age": [1, 2]}, 5, WrongTypeError),
        ("age", None, WrongTypeError),
        ({"age": []}, None, InvalidInputError),
    ],
)
def test_what_is_no_table_or_id_is_refused(table, id_column, error):
    with pytest.raises(error):
        Schema.infer(table, id=id_column)


def test_the_numbers_are_those_of_the_report():
    table = {"age": [int(x) for x in spread(20, 79)], "bmi": (spread(150, 450) / 10).tolist()}
    proposed = Schema.infer(table)
    assert proposed.report.table.equals(mopse.leakage_report(table, proposed).table)
    assert all(f"{row['verdict']}. " in str(proposed) for row in proposed.report.table.to_dicts())


def test_it_travels_and_is_a_schema():
    proposed = Schema.infer({"age": [1, 7, 5], "note": ["a", "b", "c"]})
    for other in (
        copy.copy(proposed),
        copy.deepcopy(proposed),
        pickle.loads(pickle.dumps(proposed)),
    ):
        assert (other, str(other), other.left_out) == (proposed, str(proposed), proposed.left_out)
    assert proposed == Schema(proposed)
    assert proposed.digest == Schema(proposed).digest
    assert "<pre>" in proposed._repr_html_()
    assert mopse.Owner.generate(proposed).schema == proposed


def test_real_data_is_taken_as_it_is():
    table = mopse.datasets.load("nhanes-2017-2018")
    proposed = Schema.infer(table, id="record_id")
    assert codes_of(proposed) == proposed
    assert set(proposed) | set(proposed.left_out) == set(table.columns)
    assert not any("code" in line for line in str(proposed).splitlines())
    owner = mopse.Owner.generate(proposed)
    cloud = mopse.Cloud()
    cloud.enroll(owner.public)
    cloud.receive(owner.authorize("hospital").encrypt(table, id="record_id"))
    found = owner.ask(cloud, age=(40, 60))
    assert len(found) == table["age"].is_between(40, 60).sum()


COLUMNS = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**64 - 1)), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.integers(-99, 999)), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=True)), min_size=4, max_size=4),
    st.lists(
        st.one_of(st.none(), st.integers(-9999, 9999).map(lambda n: n / 100)),
        min_size=4,
        max_size=4,
    ),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.dates()), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.datetimes()), min_size=4, max_size=4),
    st.lists(
        st.one_of(st.none(), st.decimals(-9999, 9999, places=3, allow_nan=False)),
        min_size=4,
        max_size=4,
    ),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(columns=st.lists(COLUMNS, min_size=1, max_size=4), names=st.text(min_size=1, max_size=3))
def test_every_column_is_proposed_or_left_out_and_the_code_makes_the_same(columns, names):
    series = []
    for at, values in enumerate(columns):
        try:
            series.append(pl.Series(f"{names}{at}", values))
        except (OverflowError, TypeError):  # integers of no one type
            continue
    frame = pl.DataFrame(series)
    before = frame.clone()
    try:
        proposed = Schema.infer(frame)
    except (InvalidInputError, WrongTypeError):
        return
    assert frame.equals(before)
    assert codes_of(proposed) == proposed
    spelt = [*proposed, *proposed.left_out]
    assert len(spelt) == len(set(spelt)) == frame.width
