"""What all experiments share: clocks, counters, turns, and tables that resume."""

import errno
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from mopse import _mopse
from mopse._arrays import whole
from mopse._files import access_error, replacing
from mopse.errors import DamagedFileError, InvalidInputError, MissingFileError

__all__ = [
    "Block",
    "Watch",
    "growth",
    "machine",
    "medians",
    "operations",
    "record",
    "write",
    "written",
]


def operations() -> dict[str, int]:
    """Return how often each operation ran in this process, on all threads.

    Returns
    -------
    dict of str to int
        ``splits`` (hypergeometric draws), ``aes_blocks`` (of coins and handles), ``hmacs``,
        ``comparisons`` (of ciphertexts, in merging and searching), ``intervals`` (searched),
        ``signatures``, ``verifications``; ``prfs``, ``prps`` and ``hashes`` of order-revealing
        encryption.

    Notes
    -----
    What a call took is the difference between after and before. Counts do not depend on the
    machine. Ciphers, sealed records and password hashes are not counted.

    Examples
    --------
    >>> import mopse
    >>> before = operations()["splits"]
    >>> _ = mopse.Opse(bytes(range(32)), 2).encrypt(1)  # a key from here is no secret
    >>> operations()["splits"] > before
    True
    """
    return dict(_mopse.operations())


@dataclass
class Watch:
    """Times steps and counts what they did.

    Attributes
    ----------
    rows : list of dict
        One per step.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, party: str) -> Iterator[dict[str, Any]]:
        """Time what happens inside, and nothing else.

        Parameters
        ----------
        name, party : str
            What is done, and by whom.

        Yields
        ------
        dict
            Takes more columns, such as ``bytes`` and ``messages``.
        """
        more: dict[str, Any] = {}
        before = operations()
        start = time.perf_counter()
        yield more
        took = time.perf_counter() - start
        counts = {key: count - before[key] for key, count in operations().items()}
        self.rows.append({"step": name, "party": party, "time_s": took, **counts, **more})


Case = Callable[[Watch], None]
"""What one scheme does in one repeat, step by step."""


@dataclass(frozen=True)
class Block:
    """Schemes that are measured in turns under equal circumstances.

    Attributes
    ----------
    about : mapping
        The circumstances: columns of the table.
    prepare : callable
        Returns what each scheme does, with all input made beforehand.
    """

    about: Mapping[str, Any]
    prepare: Callable[[], Mapping[str, Case]]


def record(
    blocks: Sequence[Block],
    *,
    seed: int,
    repeats: int = 5,
    path: str | os.PathLike[str] | None = None,
    progress: bool = False,
    patience_s: float = 60.0,
    warm_up: bool = True,
) -> pl.DataFrame:
    """Run blocks and return all repeats of all steps.

    Parameters
    ----------
    blocks : sequence of Block
        What is measured.
    seed : int
        Of the data; a column.
    repeats : int
        How often, in turns.
    path : path, optional
        A Parquet file that is written after every block. What it holds already of the same run is
        not measured again; one of another run is refused.
    progress : bool
        Whether to show a progress bar.
    patience_s : float
        No further repeat starts once the turns of a block took so long.
    warm_up : bool
        Whether one turn of each block is not recorded.

    Returns
    -------
    polars.DataFrame
        One row per block, scheme, repeat and step: the block's circumstances, ``scheme``,
        ``repeat``, ``seed``, ``asked_repeats``, ``step``, ``party``, ``time_s``, one column per
        operation, and what the steps add.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no repeat, two blocks have equal circumstances, or the file holds another kind
        of table.
    mopse.errors.DamagedFileError
        If the file is no Parquet file.
    mopse.errors.FileAccessError
        If it cannot be read or written.

    Notes
    -----
    All schemes of a block take turns within a repeat, so that a busy machine slows all of them.
    """
    whole(repeats, "repeats", least=1)
    asked = (("seed", seed), ("asked_repeats", repeats))
    keys = [(*block.about.items(), *asked) for block in blocks]
    if len(set(keys)) < len(keys):
        raise InvalidInputError("two blocks have equal circumstances")
    file = None if path is None else Path(path)
    done = pl.DataFrame() if file is None else _resumed(file, keys)
    for block, key in zip(tqdm(blocks, disable=not progress), keys, strict=True):
        if done.height and not done.filter(_is(done, key)).is_empty():
            continue
        cases = block.prepare()
        rows: list[dict[str, Any]] = []
        if warm_up:
            for case in cases.values():
                case(Watch())
        start = time.perf_counter()
        for repeat in range(repeats):
            for scheme, case in cases.items():
                watch = Watch()
                case(watch)
                head = {**dict(key), "scheme": scheme, "repeat": repeat}
                rows += [{**head, **row} for row in watch.rows]
            if time.perf_counter() - start > patience_s:
                break
        fresh = pl.DataFrame(rows, infer_schema_length=None)
        done = pl.concat([done, fresh], how="diagonal_relaxed") if done.height else fresh
        if file is not None:
            write(done, file)
    return done


def _summed(table: pl.DataFrame, by: Sequence[str], of: str) -> pl.DataFrame:
    """Return a column summed over steps, per case and repeat."""
    _require(table, [*by, "repeat", "step", of])
    if table.select(*dict.fromkeys([*by, "repeat", "step"])).is_duplicated().any():
        raise InvalidInputError(f"{list(by)} do not tell all cases apart")
    return table.group_by(*by, "repeat", maintain_order=True).agg(pl.col(of).sum())


def write(table: pl.DataFrame, file: Path) -> None:
    """Write a table in place of what is there, or leave that.

    Parameters
    ----------
    table : polars.DataFrame
        The table.
    file : Path
        A Parquet file.

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


def written(file: Path) -> pl.DataFrame:
    """Return what an interrupted run has written; an empty table if there is nothing.

    Parameters
    ----------
    file : Path
        A Parquet file.

    Returns
    -------
    polars.DataFrame
        Its rows.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is no Parquet file.
    mopse.errors.FileAccessError
        If it cannot be read; `mopse.errors.MissingFileError` if there is no such folder.
    """
    if not file.exists():
        if not file.parent.is_dir():
            raise MissingFileError(errno.ENOENT, "there is no such folder", str(file.parent))
        return pl.DataFrame()
    try:
        return pl.read_parquet(file)
    except OSError as error:
        raise access_error(error, file) from None
    except pl.exceptions.PolarsError:
        raise DamagedFileError(f"{file} is no Parquet file, or damaged") from None


def _resumed(file: Path, keys: Sequence[Sequence[tuple[str, Any]]]) -> pl.DataFrame:
    """Return what an interrupted run of the same blocks has written, if there is anything."""
    table = written(file)
    if not table.width:
        return table
    rows = sum((table.filter(_is(table, key)).height for key in keys), 0)
    if rows < table.height or "step" not in table.columns:
        raise InvalidInputError(f"{file} holds another run: remove it, or choose another file")
    return table


def _require(table: pl.DataFrame, columns: Iterable[str]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InvalidInputError(f"the table has no column {missing[0]!r}")


def _is(table: pl.DataFrame, key: Sequence[tuple[str, Any]]) -> pl.Expr:
    """Return the condition that a row is of a block."""
    if not all(name in table.columns for name, _ in key):
        return pl.lit(False)
    return pl.all_horizontal(
        pl.col(name).cast(pl.String).eq_missing(pl.lit(value).cast(pl.String))
        for name, value in key
    )


def medians(table: pl.DataFrame, by: Sequence[str], of: str = "time_s") -> pl.DataFrame:
    """Return the median of a column over repeats, between its quartiles.

    Parameters
    ----------
    table : polars.DataFrame
        From `record`.
    by : sequence of str
        Columns that tell cases apart; ``step`` is summed over where it is not among them.
    of : str
        The column.

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
        _summed(table, by, of)
        .group_by(*by, maintain_order=True)
        .agg(
            pl.col(of).median(),
            pl.col(of).quantile(0.25, "linear").alias("low"),
            pl.col(of).quantile(0.75, "linear").alias("high"),
            pl.len().alias("repeats"),
        )
    )


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
    resamples : int
        How many.

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
    sums = _summed(table, [*by, x], y)
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


def machine() -> dict[str, str | int]:
    """Return what a measurement depends on besides the code.

    Returns
    -------
    dict
        Processor, whether it has AES instructions, cores, system, and versions.

    Examples
    --------
    >>> machine()["cores"] >= 1
    True
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
    except OSError:  # not Linux
        lines = {}
    about = {key.strip(): value.strip() for key, value in lines.items()}
    return {
        "processor": about.get("model name", platform.processor()),
        "AES instructions": str("aes" in about.get("flags", "").split()) if about else "unknown",
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "Polars": pl.__version__,
        "mopse": version("mopse"),
    }
