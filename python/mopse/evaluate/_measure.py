"""What all experiments share: clocks, counters, turns, and tables that resume."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from mopse import _mopse
from mopse.errors import InvalidInputError

__all__ = ["Block", "Watch", "growth", "machine", "medians", "operations", "record"]


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
        A Parquet file that is written after every block. What it holds already is not measured
        again.
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
        ``repeat``, ``seed``, ``step``, ``party``, ``time_s``, one column per operation, and what
        the steps add.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no repeat, or two blocks have equal circumstances.

    Notes
    -----
    All schemes of a block take turns within a repeat, so that a busy machine slows all of them.
    """
    if repeats < 1:
        raise InvalidInputError(f"there are {repeats} repeats, expected at least 1")
    keys = [(*block.about.items(), ("seed", seed)) for block in blocks]
    if len(set(keys)) < len(keys):
        raise InvalidInputError("two blocks have equal circumstances")
    file = None if path is None else Path(path)
    done = pl.read_parquet(file) if file is not None and file.exists() else pl.DataFrame()
    for block, key in zip(tqdm(blocks, disable=not progress), keys, strict=True):
        if _holds(done, key):
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
                head = {**block.about, "scheme": scheme, "repeat": repeat, "seed": seed}
                rows += [{**head, **row} for row in watch.rows]
            if time.perf_counter() - start > patience_s:
                break
        fresh = pl.DataFrame(rows, infer_schema_length=None)
        done = pl.concat([done, fresh], how="diagonal_relaxed") if done.height else fresh
        if file is not None:
            written = file.with_suffix(".part")
            done.write_parquet(written)
            written.replace(file)
    return done


def _holds(table: pl.DataFrame, key: Sequence[tuple[str, Any]]) -> bool:
    if not all(name in table.columns for name, _ in key):
        return False
    return not table.filter(*(pl.col(name) == value for name, value in key)).is_empty()


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
    """
    sums = table.group_by(*by, "repeat", maintain_order=True).agg(pl.col(of).sum())
    return sums.group_by(*by, maintain_order=True).agg(
        pl.col(of).median(),
        pl.col(of).quantile(0.25, "linear").alias("low"),
        pl.col(of).quantile(0.75, "linear").alias("high"),
        pl.len().alias("repeats"),
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
        If a curve has fewer than two points or one that is not positive.
    """
    sums = table.group_by(*by, x, "repeat", maintain_order=True).agg(pl.col(y).sum())
    rng = np.random.default_rng(seed)
    rows = []
    for key, curve in sums.group_by(*by, maintain_order=True):
        points = [
            (at, part[y].to_numpy())
            for (at,), part in curve.sort(x).group_by(x, maintain_order=True)
        ]
        if (
            len(points) < 2
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
