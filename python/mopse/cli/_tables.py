"""Tables from files: CSV, whose values are text that a schema or the text itself gives a type.

Of a field the schema says what it is. Any other column is of whole numbers, decimals, days or
truth values if all of it is written as these are, and text else: what begins with a zero, as a
postcode may, stays what it is. Ids are all whole numbers or none is, unless they are said to be
text. An empty place is a missing value.
"""

import contextlib
import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

import mopse
from mopse._checks import text
from mopse._files import as_file, telling
from mopse.cli._output import counted
from mopse.errors import DamagedFileError, InvalidInputError, MopseError

__all__ = ["as_ids", "naming_rows", "read_table"]

_PIECE = 1 << 16
_WHOLE = r"^(0|-?[1-9][0-9]*)$"
_DECIMAL = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]+)([eE][+-]?[0-9]+)?$"
_NUMBER = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TRUTH = r"^(true|false)$"
_MOST_DIGITS = 15
"""Digits that every double holds."""

_QUOTED_OR_ROW = re.compile(
    r"""(?<!\w)'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\(row ([0-9]+) of the table\)|\brow ([0-9]+)\b"""
)
"""What a message says of a row, and names in quotes, which may look like that."""


def read_table(
    path: str,
    *,
    schema: mopse.Schema | None = None,
    ids: str | None = None,
    text_ids: bool = False,
    missing: Sequence[str] = (),
    separator: str = ",",
) -> pl.DataFrame:
    """Return a table from a file, .csv or .parquet, with its columns named as the schema does.

    Raises
    ------
    mopse.errors.InvalidInputError
        If it is of another kind, or a value is none of its field; the message names column and row.
        Or if some ids are whole numbers and some are not, and nobody said that all are text.
    mopse.errors.DamagedFileError
        If it is no such file.
    mopse.errors.FileAccessError
        If it cannot be read.
    """
    file = as_file(path)
    kind = file.suffix.lower()
    with naming_rows(path, separator):
        if kind == ".parquet":
            if missing or text_ids or separator != ",":
                raise InvalidInputError("a Parquet file has types: --missing and such are for CSV")
            return _named(_parquet(file), schema)
        if kind not in (".csv", ".tsv"):
            raise InvalidInputError("a table is a file that ends with .csv, .tsv or .parquet")
        raw = _named(_csv(file, "\t" if kind == ".tsv" else separator, missing), schema)
        known = {} if schema is None else dict(schema)
        declared = {} if schema is None else schema.types
        id_column = ids if schema is None else schema._spelt(ids)
        columns = []
        for column in raw:
            if column.name == id_column and column.name not in declared:
                columns.append(column if text_ids else _of_ids(column))
            elif column.name in known:
                columns.append(_of_field(column, known[column.name]))
            elif column.name in declared:
                columns.append(_of_type(column, declared[column.name]))
            else:
                columns.append(_as_written(column))
        return pl.DataFrame(columns)


def as_ids(ids: Sequence[str], *, text_ids: bool) -> list[Any]:
    """Return record ids as they are in a table: whole numbers if all are written so."""
    column = pl.Series("ids", [text(one, "a record's id") for one in ids], dtype=pl.String)
    if text_ids:
        return column.to_list()
    odd = _odd_id(column)
    if odd is not None:
        raise InvalidInputError(f"id {column[odd]!r} is no whole number, {_OTHERS_ARE}")
    return _whole(column).to_list()


@contextlib.contextmanager
def naming_rows(path: str, separator: str = ",") -> Iterator[None]:
    """Have the errors within name a table's file, and its rows as people count them.

    That is from 1 below the header, and of a CSV file with the line, which differs where a value
    has several lines or one is empty.
    """
    try:
        yield
    except MopseError as error:
        if isinstance(error, OSError):
            raise
        said, lines = str(error), None

        def counted_from_1(found: re.Match[str]) -> str:
            nonlocal lines
            in_brackets, bare = found.groups()
            if in_brackets is None and bare is None:
                return found.group()
            row = int(in_brackets or bare)
            if lines is None:
                lines = _lines_of(path, separator)
            line = f"line {lines[row]} of the file" if row < len(lines) else ""
            if in_brackets is not None:
                return f"(row {row + 1}{line and ', '}{line})"
            return f"row {row + 1}{line and f' ({line})'}"

        raise type(error)(f"{path}: {_QUOTED_OR_ROW.sub(counted_from_1, said)}") from None


def _lines_of(path: str, separator: str) -> list[int]:
    """Return the line in which each row of a CSV file begins, as far as it can be read again."""
    file = as_file(path)
    kind, lines = file.suffix.lower(), []
    if kind not in (".csv", ".tsv") or not file.is_file():
        return []
    with (
        contextlib.suppress(OSError, UnicodeDecodeError, csv.Error),
        open(file, encoding="utf-8-sig", newline="") as source,
    ):
        rows = _Rows(source, "\t" if kind == ".tsv" else separator)
        lines += [rows.line for _ in rows]
    return lines[1:]


def _named(frame: pl.DataFrame, schema: mopse.Schema | None) -> pl.DataFrame:
    return frame if schema is None else schema._named(frame)


def _parquet(file: Path) -> pl.DataFrame:
    with telling(file), open(file, "rb") as source:
        try:
            return pl.read_parquet(source)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            raise DamagedFileError("it is no Parquet file, or not all of it") from None


def _csv(file: Path, separator: str, missing: Sequence[str]) -> pl.DataFrame:
    """Return the columns of a CSV file as text; an error has the row from 0, as all others do."""
    null = {"", *missing}
    pieces: list[pl.DataFrame] = []
    with (
        telling(file),
        open(file, encoding="utf-8-sig", newline="") as source,
        _saying_where(rows := _Rows(source, separator)),
    ):
        header = next(iter(rows), None)
        if not header:
            raise InvalidInputError("the table has no header")
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise InvalidInputError(f"the table has two columns {twice!r}")
        while piece := list(itertools.islice(rows, _PIECE)):
            for at, row in enumerate(piece):
                if len(row) != len(header):
                    number = len(pieces) * _PIECE + at
                    values = f"{counted(len(row), 'value')}, and the header {len(header)}"
                    raise InvalidInputError(f"row {number} has {values}")
            columns = (
                [None if value in null else value for value in column]
                for column in zip(*piece, strict=True)
            )
            named = zip(header, columns, strict=True)
            pieces.append(pl.DataFrame([pl.Series(n, c, dtype=pl.String) for n, c in named]))
    if not pieces:
        raise InvalidInputError("the table has no row")
    return pl.concat(pieces, rechunk=True)


class _Rows:
    """The rows of a CSV file without those that are empty, which many end with."""

    def __init__(self, source: Iterable[str], separator: str) -> None:
        self.reader = csv.reader(source, delimiter=separator, strict=True)
        self.line = 0

    def __iter__(self) -> Iterator[list[str]]:
        before = 0
        for row in self.reader:
            self.line, before = before + 1, self.reader.line_num
            if row:
                yield row


@contextlib.contextmanager
def _saying_where(rows: _Rows) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        where = f"after line {rows.reader.line_num}"
        raise InvalidInputError(f"it is no text in UTF-8, {where}: save it so") from None
    except csv.Error as error:
        line = rows.reader.line_num
        raise InvalidInputError(f"line {line} is not written as CSV: {error}") from None


def _matches(column: pl.Series, pattern: str) -> bool:
    """Say whether there is a value and all are written so."""
    return column.null_count() < len(column) and bool(column.str.contains(pattern).all())


def _whole(column: pl.Series) -> pl.Series:
    """Return whole numbers of 64 bits if all of a column is written so, without a leading zero."""
    if not _matches(column, _WHOLE):
        return column
    numbers = column.cast(pl.Int64, strict=False)
    return numbers if numbers.null_count() == column.null_count() else column


_OTHERS_ARE = "as others are: mend it, or have all ids be text, here and always, by --text-ids"


def _of_ids(column: pl.Series) -> pl.Series:
    """Return ids as whole numbers or, if none is one, as text.

    One slip among numbers would make text of all of them, which is another record each.
    """
    odd = _odd_id(column)
    if odd is not None:
        what = f"column {column.name!r}: the id in row {odd} is no whole number"
        raise InvalidInputError(f"{what}, {_OTHERS_ARE} or [types] in the schema file")
    return _whole(column)


def _odd_id(column: pl.Series) -> int | None:
    """Return the first row whose id is not written as a whole number, where another one is."""
    is_whole = column.str.contains(_WHOLE)
    is_odd = ~is_whole.fill_null(value=True)
    return is_odd.arg_max() if is_odd.any() and is_whole.any() else None


def _as_written(column: pl.Series) -> pl.Series:
    """Return a column with the type that all of its values are written as."""
    whole = _whole(column)
    if whole.dtype != pl.String:
        return whole
    if _matches(column, _DECIMAL):
        numbers = column.cast(pl.Float64, strict=False)
        if (_digits(column) <= _MOST_DIGITS).all() and numbers.is_finite().all():
            return numbers
    if _matches(column, _DATE):
        days = column.str.to_date("%Y-%m-%d", strict=False)
        if days.null_count() == column.null_count():
            return days
    return column == "true" if _matches(column, _TRUTH) else column


def _of_field(column: pl.Series, field: mopse.Field) -> pl.Series:
    """Return the values of a field, or name the row of one that is none."""
    if field._kind == "category":
        return column
    if field._kind == "date":
        return _cast(column, pl.Date, "a day, written as 2026-05-31")
    if field._kind == "boolean":
        return _cast(column, pl.Boolean, "true or false")
    whole = _whole(column)
    return whole if whole.dtype != pl.String else _cast(column, pl.Float64, "a number")


def _of_type(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return text in a type from which the declared one is made without loss, or refused."""
    if dtype == pl.String or isinstance(dtype, pl.Enum | pl.Categorical):
        return column
    if dtype.is_float() or dtype.is_integer():
        whole = _whole(column)
        return whole if whole.dtype != pl.String else _cast(column, pl.Float64, "a number")
    if isinstance(dtype, pl.Decimal):
        places = column.str.extract(r"\.([0-9]+)").str.len_bytes().max() or 0
        return _cast(column, pl.Decimal(38, min(int(places), 38)), "a number")  # type: ignore[arg-type]
    if dtype in (pl.Boolean, pl.Date):
        what = "true or false" if dtype == pl.Boolean else "a day, written as 2026-05-31"
        return _cast(column, dtype, what)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        return _cast(column, dtype, "a moment, written as 2026-05-31 14:05:00")
    raise InvalidInputError(
        f"column {column.name!r}: a CSV file has no {dtype.base_type().__name__}; Parquet does"
    )


def _cast(column: pl.Series, dtype: Any, what: str) -> pl.Series:
    """Return text as another type; what does not become that is an error with its row."""
    written = column.str.strip_chars()
    if dtype == pl.Boolean:
        known = {"true": True, "false": False}
        found = written.str.to_lowercase().replace_strict(
            known, default=None, return_dtype=pl.Boolean
        )
    elif dtype == pl.Date:
        found = _where(written, _DATE).str.to_date("%Y-%m-%d", strict=False)
    elif isinstance(dtype, pl.Datetime):
        moments = written.str.replace(" ", "T", literal=True)
        found = moments.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    else:
        found = _where(written, _NUMBER).cast(dtype, strict=False)
        if dtype == pl.Float64:
            is_kept = _digits(written) <= _MOST_DIGITS
            found = pl.select(pl.when(is_kept & found.is_finite()).then(found)).to_series()
            what = f"{what} of at most {_MOST_DIGITS} digits"
    is_lost = found.is_null() & column.is_not_null()
    if is_lost.any():
        raise InvalidInputError(f"column {column.name!r}: row {is_lost.arg_max()} is not {what}")
    return found.alias(column.name)


def _where(column: pl.Series, pattern: str) -> pl.Series:
    """Return text that is written as a pattern says, and null for all other."""
    return pl.select(pl.when(column.str.contains(pattern)).then(column)).to_series()


def _digits(column: pl.Series) -> pl.Series:
    """Return how many digits each number has, without its exponent."""
    return column.str.replace(r"[eE].*$", "").str.replace_all(r"[^0-9]", "").str.len_bytes()
