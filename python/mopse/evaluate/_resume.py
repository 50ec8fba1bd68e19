"""Tables that grow block by block, so that an interrupted run goes on where it stopped."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from mopse._files import as_file
from mopse._progress import steps
from mopse.errors import InvalidInputError
from mopse.evaluate._tables import write, written

__all__ = ["PATH", "completed"]

PATH = str | os.PathLike[str] | None
"""Where a table is kept, if it is."""


def completed(
    keys: Sequence[Mapping[str, Any]],
    make: Callable[[Sequence[int]], Iterable[pl.DataFrame]],
    *,
    path: PATH,
    progress: bool | None,
    columns: Collection[str] = (),
) -> pl.DataFrame:
    """Return the rows of all blocks; those that a file holds are not made again.

    Parameters
    ----------
    keys : sequence of mapping
        For each block the columns that tell its rows from those of all others.
    make : callable
        Yields the tables of those blocks whose places it is given, in that order.
    path : path, optional
        A Parquet file, written after every block.
    progress : bool, optional
        Whether to show a bar; by default where it takes long, on a terminal.
    columns : collection of str
        What every such table has besides the keys.

    Raises
    ------
    mopse.errors.InvalidInputError
        If two keys are equal, or the file holds rows of another run.
    mopse.errors.DamagedFileError
        If the file is no Parquet file.
    mopse.errors.FileAccessError
        If it cannot be read or written.
    """
    names = list(dict.fromkeys(name for key in keys for name in key))
    texts = _texts(pl.DataFrame([dict(key) for key in keys], infer_schema_length=None), names)
    if len(texts) < len(keys):
        raise InvalidInputError("two blocks have equal circumstances")
    file = None if path is None else as_file(path)
    table = pl.DataFrame() if file is None else written(file)
    finished = set(_texts(table, names))
    is_ours = finished <= set(texts) and {*columns, *(keys[0] if keys else ())} <= {*table.columns}
    if table.width and not is_ours:
        raise InvalidInputError(f"{file} holds another run: remove it, or choose another file")
    left = [place for place, text in enumerate(texts) if text not in finished]
    for frame in steps(
        make(left),
        progress,
        name=None if file is None else file.stem,
        done=len(keys) - len(left),
        total=len(keys),
    ):
        table = pl.concat([table, frame], how="diagonal_relaxed") if table.height else frame
        if file is not None:
            write(table, file)
    return table


def _texts(table: pl.DataFrame, names: Sequence[str]) -> list[tuple[str | None, ...]]:
    """Return the different keys that a table's rows have, as texts, in the order they appear."""
    if not table.height:
        return []
    held = [pl.col(name) if name in table.columns else pl.lit(None).alias(name) for name in names]
    texts = table.select(column.cast(pl.String) for column in held)
    return texts.unique(maintain_order=True).rows()
