"""Tables of CSV and Parquet files: types that schema and text say, and nothing that is guessed."""

import datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mopse import Field, Schema
from mopse.cli._tables import _lines_of, as_ids, naming_rows, read_table
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
    mixed = file(tmp_path, "id,b\n17,1\na7,2\n", "b.csv")
    assert read_table(mixed, ids="id", text_ids=True)["id"].to_list() == ["17", "a7"]
    declared = Schema(age=Field(0, 120), types={"id": pl.String})
    assert read_table(mixed, schema=declared, ids="id")["id"].to_list() == ["17", "a7"]
    assert as_ids(["17", "-3"], text_ids=False) == [17, -3]
    assert as_ids(["007", "a7"], text_ids=False) == ["007", "a7"]
    assert as_ids(["17", "a7"], text_ids=True) == ["17", "a7"]
    with pytest.raises(InvalidInputError, match="id 'a7' is no whole number, as others are"):
        as_ids(["17", "a7"], text_ids=False)
    assert as_ids(["17"], text_ids=True) == ["17"]


def test_what_stands_for_a_missing_value_is_missing(tmp_path):
    frame = read_table(file(tmp_path, "a,b\n7777,NA\n5,x\n"), missing=["7777", "NA"])
    assert frame.rows() == [(None, None), (5, "x")]


REFUSED = [
    ("", "no header"),
    ("a,b\n", "no row"),
    ("a,a\n1,2\n", "two columns 'a'"),
    ("a,b\n1,2\n1,2,3\n", "row 2 (line 3 of the file) has 3 values, and the header 2"),
    ("a,b\n1\n", "row 1 (line 2 of the file) has 1 value,"),
    ('a,b\n"1,2\n', "not written as CSV"),
    ('a,b\n"1"x,2\n', "line 2 is not written as CSV"),
    (b"a,b\n1,\xff\n", "no text in UTF-8"),
    ("age,b\n1,2\nold,2\n", "column 'age': row 2 (line 3 of the file) is not a number"),
    (
        "age,b\n1.2345678901234567,2\n",
        "row 1 (line 2 of the file) is not a number of at most 15 digits",
    ),
    ("age,b\n1e999,2\n", "column 'age': row 1 (line 2 of the file) is not a number"),
    ("age,b\nNaN,2\n", "column 'age': row 1 (line 2 of the file) is not a number"),
    ('bmi,b\n"36,8",2\n', "column 'bmi': row 1 (line 2 of the file) is not a number"),
    ("seen,b\n31.5.2017,2\n", "column 'seen': row 1 (line 2 of the file) is not a day"),
    ("seen,b\n2017-02-30,2\n", "column 'seen': row 1 (line 2 of the file) is not a day"),
    ("insured,b\nyes,2\n", "column 'insured': row 1 (line 2 of the file) is not true or false"),
    ("cost,b\nfree,2\n", "column 'cost': row 1 (line 2 of the file) is not a number"),
    ("taken,b\ntoday,2\n", "column 'taken': row 1 (line 2 of the file) is not a moment"),
    ("id,b\n1,2\n\na7,2\n", "column 'id': the id in row 2 (line 4 of the file) is no whole number"),
    ("id,b\n0171,2\n12,2\n", "the id in row 1 (line 2 of the file) is no whole number"),
    (
        'age,b\n1,"two\nlines"\n\nold,2\n',
        "column 'age': row 2 (line 5 of the file) is not a number",
    ),
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
    with pytest.raises(
        InvalidInputError, match=r"row 70001 \(line 70002 of the file\) has 1 value,"
    ):
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


def test_rows_of_errors_are_counted_from_1_and_names_that_look_like_rows_are_left(tmp_path):
    path = file(tmp_path, "id,row 1\n7,2\n8,2\n")
    said = "column 'row 1', row 1: of field \"row 0\" record 'it\\'s row 1' (row 0 of the table)"
    with pytest.raises(InvalidInputError) as caught, naming_rows(str(path)):
        raise InvalidInputError(f"the reader's {said} is not row 9")
    assert str(caught.value) == (
        f"{path}: the reader's column 'row 1', row 2 (line 3 of the file): of field \"row 0\" "
        "record 'it\\'s row 1' (row 1, line 2 of the file) is not row 10"
    )
    with pytest.raises(InvalidInputError, match="row 2 is null"), naming_rows("b.parquet"):
        raise InvalidInputError("row 1 is null")


@given(st.lists(st.sampled_from(["", "a,b", '"a\nb",c', 'a,"b\r\n\n"', "a,b\r"]), min_size=1))
def test_the_line_of_a_row_is_where_it_begins(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("lines") / "a.csv"
    path.write_bytes("\n".join(["x,y", *rows, ""]).encode())
    expected, line = [], 2
    for row in rows:
        if row:
            expected.append(line)
        line += 1 + row.removesuffix("\r").count("\n")
    assert _lines_of(str(path), ",") == expected
