"""How things are measured: a clock, counters, and turns."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
import polars as pl

from mopse import _mopse
from mopse._checked import checked
from mopse._checks import whole
from mopse._fork import check_tables
from mopse.evaluate._resume import PATH, completed

__all__ = ["Block", "Watch", "machine", "operations", "record", "seconds"]

Returned = TypeVar("Returned")


def operations() -> dict[str, int]:
    """Return how often each operation ran in this process, on all threads.

    Returns
    -------
    dict of str to int
        ``splits`` (hypergeometric draws), ``aes_blocks`` (of coins and handles), ``hmacs``,
        ``comparisons`` (of ciphertexts, in merging and searching), ``intervals`` (searched),
        ``signatures``, ``verifications``; ``prfs``, ``prps`` and ``hashes`` of order-revealing
        encryption; ``encapsulations`` (of keys for users, made or opened); ``pairings``, and
        ``powers`` in their groups.

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
    return dict(_mopse.evaluate.operations())


@checked()
@dataclass
class Watch:
    """Times steps and counts what they did.

    Attributes
    ----------
    rows : list of dict
        One per step.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)

    @checked()
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


@checked()
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


@checked(seed=(0, 2**63 - 1), repeats=(1, 2**31))
def record(
    blocks: Sequence[Block],
    *,
    seed: int,
    repeats: int = 5,
    path: PATH = None,
    progress: bool | None = None,
    patience_s: float = 60.0,
    warm_up: bool = True,
) -> pl.DataFrame:
    """Run blocks and return all repeats of all steps.

    Parameters
    ----------
    seed : int
        Of the data; a column.
    repeats : int
        How often, in turns.
    path : path, optional
        A Parquet file that is written after every block. What it holds already of the same run is
        not measured again; one of another run is refused.
    progress : bool, optional
        Whether to show a progress bar; by default where it takes long, on a terminal.
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
    check_tables()
    whole(repeats, "repeats", least=1)
    asked = {"seed": seed, "asked_repeats": repeats}
    keys = [{**block.about, **asked} for block in blocks]

    def measured(left: Sequence[int]) -> Iterator[pl.DataFrame]:
        for place in left:
            cases = blocks[place].prepare()
            if warm_up:
                for case in cases.values():
                    case(Watch())
            rows = _in_turns(cases, keys[place], repeats, patience_s)
            yield pl.DataFrame(rows, infer_schema_length=None)

    return completed(keys, measured, path=path, progress=progress, columns=["step"])


def _in_turns(
    cases: Mapping[str, Case], key: Mapping[str, Any], repeats: int, patience_s: float
) -> list[dict[str, Any]]:
    """Return the steps of all schemes, which take turns within each repeat."""
    rows: list[dict[str, Any]] = []
    start = time.perf_counter()
    for repeat in range(repeats):
        for scheme, case in cases.items():
            watch = Watch()
            case(watch)
            head = {**key, "scheme": scheme, "repeat": repeat}
            rows += [{**head, **row} for row in watch.rows]
        if time.perf_counter() - start > patience_s:
            break
    return rows


@checked()
def seconds(call: Callable[..., Returned], *arguments: Any) -> tuple[float, Returned]:
    """Return how long one call took, in seconds, and what it returned.

    Parameters
    ----------
    call : callable
        What is timed; its arguments are made beforehand.
    *arguments
        Of the call.

    Returns
    -------
    time_s : float
        Wall time, the allocation of what is returned included.
    returned : object
        What the call gave.

    Examples
    --------
    >>> time_s, total = seconds(sum, [1, 2])
    >>> time_s > 0, total
    (True, 3)
    """
    start = time.perf_counter()
    returned = call(*arguments)
    return time.perf_counter() - start, returned


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
