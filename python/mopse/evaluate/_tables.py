"""Tables of measurements: summed up, fitted, and kept in files."""

import errno
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mopse._checked import checked
from mopse._checks import whole
from mopse._files import access_error, replacing
from mopse._fork import check_tables
from mopse.errors import DamagedFileError, InvalidInputError, MissingFileError

__all__ = ["growth", "medians", "summed", "write", "written"]


@checked()
def summed(
    table: pl.DataFrame,
    by: Sequence[str],
    of: str = "time_s",
    *,
    steps: Collection[str] | None = None,
) -> pl.DataFrame:
    """Return a column summed over steps, all or some, per case and repeat."""
    check_tables()
    _require(table, [*by, "repeat", "step", of])
    if steps is not None:
        table = table.filter(pl.col("step").is_in(steps))
    if table.select(*dict.fromkeys([*by, "repeat", "step"])).is_duplicated().any():
        raise InvalidInputError(f"{list(by)} do not tell all cases apart")
    return table.group_by(*by, "repeat", maintain_order=True).agg(pl.col(of).sum())


def _require(table: pl.DataFrame, columns: Iterable[str]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InvalidInputError(f"the table has no column {missing[0]!r}")


@checked()
def medians(table: pl.DataFrame, by: Sequence[str], of: str = "time_s") -> pl.DataFrame:
    """Return the median of a column over repeats, between its quartiles.

    Parameters
    ----------
    table : polars.DataFrame
        From `record`.
    by : sequence of str
        Columns that tell cases apart; ``step`` is summed over where it is not among them.

    Returns
    -------
    polars.DataFrame
        `by`, the median under the column's own name, ``low`` and ``high`` (quartiles), and
        ``repeats``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a column is missing, or `by` does not tell all cases apart.
    """
    return (
        summed(table, by, of)
        .group_by(*by, maintain_order=True)
        .agg(
            pl.col(of).median(),
            pl.col(of).quantile(0.25, "linear").alias("low"),
            pl.col(of).quantile(0.75, "linear").alias("high"),
            pl.len().alias("repeats"),
        )
    )


@checked(resamples=(1, 2**20))
def growth(
    table: pl.DataFrame,
    *,
    x: str,
    y: str = "time_s",
    by: Sequence[str] = ("scheme",),
    seed: int = 1,
    resamples: int = 1000,
) -> pl.DataFrame:
    """Fit ``y = a x^b`` to the medians, on log axes.

    Parameters
    ----------
    table : polars.DataFrame
        From `record`; `y` is summed over steps that are not in `by`.
    x, y : str
        Columns of positive numbers.
    by : sequence of str
        Columns that tell curves apart.
    seed : int
        Of the bootstrap.

    Returns
    -------
    polars.DataFrame
        `by`, ``exponent``, ``low`` and ``high`` (the middle 95 % of a bootstrap over repeats), and
        ``points``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a curve has fewer than two points or one that is not positive, or a column is missing.
    """
    whole(resamples, "resamples", least=1)
    sums = summed(table, [*by, x], y)
    rng = np.random.default_rng(seed)
    rows = []
    for key, curve in sums.group_by(*by, maintain_order=True):
        points = [
            (at, part[y].to_numpy())
            for (at,), part in curve.sort(x).group_by(x, maintain_order=True)
        ]
        if (
            not all(np.isfinite(v).all() for _, v in points)
            or len(points) < 2
            or min(at for at, _ in points) <= 0
            or min(v.min() for _, v in points) <= 0
        ):
            raise InvalidInputError(f"{key} has no two points on log axes")
        log_x = np.log([at for at, _ in points])
        drawn = np.log([np.median(rng.choice(v, (resamples, len(v))), axis=1) for _, v in points])
        slope = np.polyfit(log_x, np.log([np.median(v) for _, v in points]), 1)[0]
        low, high = np.quantile(np.polyfit(log_x, drawn, 1)[0], [0.025, 0.975])
        names = dict(zip(by, key, strict=True))
        rows.append(
            {
                **names,
                "exponent": float(slope),
                "low": float(low),
                "high": float(high),
                "points": len(points),
            }
        )
    return pl.DataFrame(rows)


@checked()
def written(file: Path) -> pl.DataFrame:
    """Return what an interrupted run has written; an empty table if there is nothing.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is no Parquet file.
    mopse.errors.FileAccessError
        If it cannot be read; `mopse.errors.MissingFileError` if there is no such folder.
    """
    try:
        is_there = file.exists()
    except OSError as error:  # no name that a file can have
        raise access_error(error, file) from None
    if not is_there:
        if not file.parent.is_dir():
            raise MissingFileError(errno.ENOENT, "there is no such folder", str(file.parent))
        return pl.DataFrame()
    try:
        return pl.read_parquet(file)
    except OSError as error:
        raise access_error(error, file) from None
    except pl.exceptions.PolarsError:
        raise DamagedFileError(f"{file} is no Parquet file, or damaged") from None


@checked()
def write(table: pl.DataFrame, file: Path) -> None:
    """Write a table in place of what is there, or leave that.

    Raises
    ------
    mopse.errors.FileAccessError
        If the file cannot be written; `mopse.errors.MissingFileError` if there is no such folder.
    """
    try:
        with replacing(file, 0o644) as target:
            table.write_parquet(target)
    except OSError as error:
        raise access_error(error, file) from None
