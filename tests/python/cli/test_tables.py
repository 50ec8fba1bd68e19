"""Tables of CSV and Parquet files: types that schema and text say, and nothing that is guessed."""

import datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mopse import Field, Schema
from mopse.cli._tables import as_ids, read_table
from mopse.errors import DamagedFileError, InvalidInputError, MissingFileError

SCHEMA = Schema(
    age=Field(0, 120),
    bmi=Field(8, 100, step=0.1, cell=5),
    health=Field.categories(["1", "2"]),
    seen=Field(datetime.date(2017, 1, 1), datetime.date(2018, 12, 31)),
    insured=Field.boolean(),
    größe=Field(0, 250),
    types={
        "cost": pl.Decimal(8, 2),
        "taken": pl.Datetime("ms"),
        "sure": pl.Boolean,
        "zip": pl.String,
    },
)
HEADER = "id,age,bmi,health,seen,insured,gro\u0308ße,cost,taken,sure,zip,phone,weight,day,name\n"


def file(folder, text: str | bytes, name: str = "a.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_fields_and_declared_types_say_what_text_is_and_other_columns_are_as_written(tmp_path):
    fields = "7,41,25.5,1,2017-05-31,TRUE,180,1.50,2017-05-31 14:05:00.5,false,"
    first = fields + "12345,0171,70.5,2017-01-02,Ann\n"
    second = '8,,,,,,,,,,,,,,"Bo, ""B"""\n\n'
    frame = read_table(file(tmp_path, "\ufeff" + HEADER + first + second), schema=SCHEMA, ids="id")
    expected = pl.DataFrame(
        {
            "id": [7, 8],
            "age": [41, None],
            "bmi": [25.5, None],
            "health": ["1", None],
            "seen": [datetime.date(2017, 5, 31), None],
            "insured": [True, None],
            "größe": [180, None],
            "cost": pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(38, 2)),
            "taken": [datetime.datetime(2017, 5, 31, 14, 5, 0, 500_000), None],
            "sure": [False, None],
            "zip": ["12345", None],
            "phone": ["0171", None],
            "weight": [70.5, None],
            "day": [datetime.date(2017, 1, 2), None],
            "name": ["Ann", 'Bo, "B"'],
        }
    )
    assert_frame_equal(frame, expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["01", "2"], ["01", "2"]),
        (["-0", "2"], ["-0", "2"]),
        (["9223372036854775808", "2"], ["9223372036854775808", "2"]),
        (["1.5", "2"], [1.5, 2.0]),
        (["1.2345678901234567", "2"], ["1.2345678901234567", "2"]),
        (["1e999", "2"], ["1e999", "2"]),
        (["36,8", "2"], ["36,8", "2"]),
        (["true", "false"], [True, False]),
        (["True", "no"], ["True", "no"]),
        (["2017-02-30", "2017-01-01"], ["2017-02-30", "2017-01-01"]),
        ([" 1", "2"], [" 1", "2"]),
        (["NaN", "inf"], ["NaN", "inf"]),
    ],
)
def test_a_column_that_nothing_declares_is_what_all_of_it_is_written_as(tmp_path, values, expected):
    rows = "".join(f'"{value}";x\n' for value in values)
    frame = read_table(file(tmp_path, "a;b\n" + rows), separator=";")
    assert frame["a"].to_list() == expected
    assert type(frame["a"][0]) is type(expected[0])


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        min_size=1,
        max_size=5,
    )
)
def test_text_that_is_quoted_comes_back(tmp_path_factory, values):
    escaped = [value.replace('"', '""') for value in values]
    quoted = "".join(f'"x{value}",1\n' for value in escaped)
    path = file(tmp_path_factory.mktemp("csv"), "a,b\n" + quoted)
    assert read_table(path)["a"].to_list() == ["x" + value for value in values]


def test_ids_are_whole_numbers_if_all_are_unless_they_are_to_be_text(tmp_path):
    path = file(tmp_path, "id,b\n17,1\n18,2\n")
    assert read_table(path, ids="id")["id"].to_list() == [17, 18]
    assert read_table(path, ids="id", text_ids=True)["id"].to_list() == ["17", "18"]
    assert as_ids(["17", "-3"], text_ids=False) == [17, -3]
    assert as_ids(["17", "007"], text_ids=False) == ["17", "007"]
    assert as_ids(["17"], text_ids=True) == ["17"]


def test_what_stands_for_a_missing_value_is_missing(tmp_path):
    frame = read_table(file(tmp_path, "a,b\n7777,NA\n5,x\n"), missing=["7777", "NA"])
    assert frame.rows() == [(None, None), (5, "x")]


REFUSED = [
    ("", "no header"),
    ("a,b\n", "no row"),
    ("a,a\n1,2\n", "two columns 'a'"),
    ("a,b\n1,2\n1,2,3\n", "row 1 has 3 values, and the header 2"),
    ("a,b\n1\n", "row 0 has 1 values"),
    ('a,b\n"1,2\n', "not written as CSV"),
    ('a,b\n"1"x,2\n', "line 2 is not written as CSV"),
    (b"a,b\n1,\xff\n", "no text in UTF-8"),
    ("age,b\n1,2\nold,2\n", "column 'age': row 1 is not a number"),
    ("age,b\n1.2345678901234567,2\n", "row 0 is not a number of at most 15 digits"),
    ("age,b\n1e999,2\n", "column 'age': row 0 is not a number"),
    ("age,b\nNaN,2\n", "column 'age': row 0 is not a number"),
    ('bmi,b\n"36,8",2\n', "column 'bmi': row 0 is not a number"),
    ("seen,b\n31.5.2017,2\n", "column 'seen': row 0 is not a day"),
    ("seen,b\n2017-02-30,2\n", "column 'seen': row 0 is not a day"),
    ("insured,b\nyes,2\n", "column 'insured': row 0 is not true or false"),
    ("cost,b\nfree,2\n", "column 'cost': row 0 is not a number"),
    ("taken,b\ntoday,2\n", "column 'taken': row 0 is not a moment"),
    ("größe,gro\u0308ße\n1,2\n", "one name, typed twice"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_a_refusal_names_the_file_the_column_and_the_row_and_no_value(tmp_path, text, why):
    path = file(tmp_path, text)
    with pytest.raises(InvalidInputError) as caught:
        read_table(path, schema=SCHEMA, ids="id")
    assert str(caught.value).startswith(f"{path}: ")
    assert why in str(caught.value)


def test_a_row_is_named_also_beyond_the_first_piece(tmp_path):
    rows = "1,2\n" * 70_000
    with pytest.raises(InvalidInputError, match="row 70000 has 1 values"):
        read_table(file(tmp_path, "a,b\n" + rows + "3\n"))
    frame = read_table(file(tmp_path, "a,b\n" + rows))
    assert frame.height == 70_000
    assert frame["a"].dtype == pl.Int64


def test_a_parquet_file_has_its_types(tmp_path):
    frame = pl.DataFrame({"id": ["007"], "gro\u0308ße": [180]})
    frame.write_parquet(tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet", schema=SCHEMA, ids="id")
    assert_frame_equal(read, pl.DataFrame({"id": ["007"], "größe": [180]}))
    with pytest.raises(InvalidInputError, match="a Parquet file has types"):
        read_table(tmp_path / "a.parquet", missing=["x"])
    whole = (tmp_path / "a.parquet").read_bytes()
    for damaged in (b"", b"PAR1", whole[:-9], b"no parquet at all"):
        with pytest.raises(DamagedFileError, match="no Parquet file"):
            read_table(file(tmp_path, damaged, "b.parquet"))


def test_another_file_or_none_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match=r"a\.xlsx: a table is a file that ends with \.csv"):
        read_table(file(tmp_path, "a", "a.xlsx"))
    with pytest.raises(MissingFileError, match=r"none\.csv"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(MissingFileError, match=r"none\.parquet"):
        read_table(tmp_path / "none.parquet")
