"""What the commands print: results to the standard output, everything else to the other one.

A table is for eyes, so that what could steer a terminal is shown by its number. A document of JSON
is ASCII and has no number that JSON has not: decimals are text, and so are NaN and infinities.
"""

import argparse
import datetime
import json
import math
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

__all__ = [
    "add_json",
    "counted",
    "note",
    "print_document",
    "print_line",
    "print_table",
    "rows_of",
    "shown",
]

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def add_json(command: argparse.ArgumentParser) -> None:
    """Add the choice of how results are printed."""
    command.add_argument("--json", action="store_true", help="print one JSON document, no table")


def note(message: str) -> None:
    """Print something that is no result."""
    print(f"mopse: {message}", file=sys.stderr)


def counted(number: int, what: str) -> str:
    """Return how many there are of something."""
    many = f"{what[:-1]}ies" if what.endswith("ry") else f"{what}s"
    return f"{number:,} {what if number == 1 else many}"


def print_line(line: str) -> None:
    """Print a line of a result, however little the terminal's encoding holds."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def print_document(document: Mapping[str, Any]) -> None:
    """Print a document of JSON."""
    print_line(json.dumps(_plain(document), allow_nan=False, indent=1))


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table for `print_document`."""
    return frame.to_dicts()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _text(value)


def _text(value: Any) -> str:
    """Return a value as text: moments as ISO 8601 has them, durations in seconds."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds()} s"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "null" if value is None else str(value)


def print_table(frame: pl.DataFrame) -> None:
    """Print a table, numbers to the right."""
    columns = [_column(series) for series in frame]
    for line in _lines(columns, [series.dtype.is_numeric() for series in frame]):
        print_line(line)


def _column(series: pl.Series) -> list[str]:
    return [shown(series.name), *(shown(_text(value)) for value in series)]


def _lines(columns: Sequence[Sequence[str]], to_the_right: Sequence[bool]) -> Iterable[str]:
    widths = [max(map(_width, column)) for column in columns]
    for number, row in enumerate(zip(*columns, strict=True)):
        cells = []
        for cell, width, is_right in zip(row, widths, to_the_right, strict=True):
            space = " " * (width - _width(cell))
            cells.append(space + cell if is_right else cell + space)
        yield "  ".join(cells).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def shown(value: str) -> str:
    """Return a text of somebody else's, with what could steer a terminal by its number."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(
        f"\\u{{{ord(letter):x}}}" if unicodedata.category(letter) in _HIDDEN else letter
        for letter in value
    )


def _width(value: str) -> int:
    """Return how many places a text takes on a terminal."""
    if value.isascii():
        return len(value)
    is_wide = sum(unicodedata.east_asian_width(letter) in ("W", "F") for letter in value)
    return len(value) + is_wide - sum(map(_is_above, value))


def _is_above(letter: str) -> bool:
    return unicodedata.category(letter) in ("Mn", "Me")
