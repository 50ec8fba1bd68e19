"""Answers and listings on their way back: open, align, filter, report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from mopse import _mopse
from mopse._checks import instance
from mopse._table import from_columns
from mopse.errors import DecryptionError, InvalidInputError
from mopse.messages import Answer, File, FileListing, Query, SealedFile, stored_text
from mopse.schema import Schema

__all__ = ["PROVIDER", "Ranges", "described", "matching", "opened"]

Ranges = list[tuple[str, int, int]]
"""Field, lowest and highest plaintext."""

PROVIDER = "provider"
"""The column that says whose a record or file is."""


def described(
    listing: FileListing, describe: Callable[[_mopse.message.StoredFile], tuple[str, str, int]]
) -> pl.DataFrame:
    """Return what the attachments of a listing are called; see `Party.files`."""
    rows = [
        (stored.provider, stored_text(stored.number), *describe(stored))
        for stored in instance(listing, FileListing, "a listing")._stored
    ]
    columns = [(name, pl.String) for name in (PROVIDER, "file", "name", "media_type")]
    return pl.DataFrame(rows, schema=[*columns, ("size_bytes", pl.Int64)], orient="row")


def opened(
    sealed: SealedFile,
    open_stored: Callable[[_mopse.message.StoredFile], tuple[tuple[str, str, int], bytes]],
) -> File:
    """Return an attachment, opened and checked; see `Party.open_file`."""
    stored = instance(sealed, SealedFile, "a file")._stored
    (name, media_type, _), content = open_stored(stored)
    return File(name, media_type, sealed.provider, content)


def matching(
    answer: Answer,
    query: Query | None,
    asked: Mapping[int, Mapping[str, tuple[int, int]]],
    schema: Schema,
    open_part: Callable[[_mopse.message.Part, Ranges], tuple[list[Any], int]],
) -> pl.DataFrame:
    """Return the opened records of an answer that match the query; see `Party.decrypt`."""
    instance(answer, Answer, "an answer")
    if query is not None:
        instance(query, Query, "a query")
    unknown = [name for name in (query and query._ranges) or () if name not in schema]
    if unknown:
        raise InvalidInputError(f"the query is of another schema: field {unknown[0]!r}")
    stretches: list[_Stretch] = []
    given = None if query is None else query._ranges
    excess = 0
    for part in answer._parts:
        ranges = given if given is not None else asked.get(part.query)
        if ranges is None:
            raise InvalidInputError("the answer is to a query that was not asked here: pass query=")
        try:
            columns, dropped = open_part(part, [(name, *r) for name, r in ranges.items()])
        except DecryptionError as error:
            raise DecryptionError(f"provider {part.provider!r}: {error}") from None
        excess += dropped
        layout = [column[:3] for column in columns]
        if not stretches or stretches[-1].layout != layout:
            stretches.append(_Stretch(layout))
        stretches[-1].parts.append((part.provider, columns))
    answer.excess = excess
    frames = [stretch.frame() for stretch in stretches]
    if not frames:
        return pl.DataFrame(schema={PROVIDER: pl.String})
    return pl.concat(_alike(frames), how="diagonal")


def _alike(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return frames whose columns of one name have one type, with all values as they were."""
    columns: dict[str, list[pl.Series]] = {}
    for frame in frames:
        for column in frame:
            columns.setdefault(column.name, []).append(column)
    common = {
        name: _holding(parts)
        for name, parts in columns.items()
        if any(part.dtype != parts[0].dtype for part in parts)
    }
    return [
        frame.cast({name: dtype for name, dtype in common.items() if name in frame.columns})
        for frame in frames
    ]


def _holding(columns: Sequence[pl.Series]) -> pl.DataType:
    """Return a type that holds all values of some columns as they are."""
    dtypes = [column.dtype for column in columns]
    targets: list[pl.DataType] = []
    if all(dtype.is_numeric() for dtype in dtypes):
        is_float = any(dtype.is_float() for dtype in dtypes)
        targets = [pl.Float64()] if is_float else [pl.Int64(), pl.UInt64()]
    elif all(isinstance(dtype, pl.String | pl.Categorical | pl.Enum) for dtype in dtypes):
        return pl.String()
    for target in targets:
        if all(_holds(target, column) for column in columns):
            return target
    other = next(dtype for dtype in dtypes if dtype != dtypes[0])
    name = columns[0].name
    raise InvalidInputError(
        f"column {name!r} is {dtypes[0]} at one provider and {other} at another"
    )


def _holds(target: pl.DataType, column: pl.Series) -> bool:
    try:
        return column.cast(target).cast(column.dtype).equals(column, null_equal=True)
    except pl.exceptions.PolarsError:
        return False


@dataclass
class _Stretch:
    """Parts of an answer that follow each other and have the same columns: one frame."""

    layout: list[tuple[str, str, str]]
    parts: list[tuple[str, list[Any]]] = field(default_factory=list)

    def frame(self) -> pl.DataFrame:
        """Return all records, with the path of each one's provider."""
        joined = []
        for number, (name, kind, words) in enumerate(self.layout):
            values = [columns[number][3] for _, columns in self.parts]
            is_valid = np.concatenate([columns[number][4] for _, columns in self.parts])
            one = [*chain.from_iterable(values)] if kind == "text" else np.concatenate(values)
            joined.append((name, kind, words, one, is_valid))
        frame = from_columns(joined)
        lengths = [len(columns[0][4]) if columns else 0 for _, columns in self.parts]
        names = pl.Series(PROVIDER, [provider for provider, _ in self.parts], dtype=pl.String)
        return frame.with_columns(names.gather(np.repeat(np.arange(len(names)), lengths)))
