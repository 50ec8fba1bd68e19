"""Large indexes, each in a process of its own, so that memory and cores can be told apart."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse._scheme_names import MOPSE
from mopse.cloud import merge
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.owner import Owner
from mopse.schema import Field, Schema

__all__ = ["EXPERIMENT", "draw_large", "large"]


@measured()
def large(
    entries: Sequence[int] = (1_000_000, 10_000_000, 100_000_000),
    cores: Sequence[int] = (1, 2),
    *,
    runs: int = 64,
    queries: int = 1000,
    repeats: int = 3,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time and weigh the making, merging and querying of a large index.

    Parameters
    ----------
    entries : sequence of int
        How many entries all providers have together.
    cores : sequence of int
        How many threads the core may use.
    runs : int
        How many providers, one run each.
    queries : int
        How many ranges the owner asks for.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps ``handles``, ``entries``, ``sort`` (provider), ``merge`` (cloud: the order, and the
        entries and record numbers put in it) and ``query`` (owner and cloud: signed tokens, and two
        binary searches each). ``peak_bytes`` is the process's highest memory up to the end of the
        step, less what it had with everything imported; ``data_bytes`` is the size of inputs and
        outputs: 8 bytes of value, 8 of merged entry and 4 of record number per entry.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a process fails, or a query finds another number than a count of the values.

    Notes
    -----
    Values are uniform below 2^16, in memory before the clock starts. NumPy sorts on one core.
    """
    whole(runs, "runs", least=1)
    whole(queries, "queries", least=1)
    wholes(entries, "entries", least=runs)
    wholes(cores, "cores", least=1)

    def block(count: int, threads: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            def case(watch: Watch) -> None:
                watch.rows += _child(count, threads, runs, queries, seed)

            return {MOPSE: case}

        return Block(
            {"entries": count, "cores": threads, "runs": runs, "queries": queries}, prepare
        )

    blocks = [block(count, threads) for count in entries for threads in cores]
    return record(
        blocks,
        seed=seed,
        repeats=repeats,
        path=path,
        progress=progress,
        warm_up=False,
        patience_s=300,
    )


@measured()
def draw_large(table: pl.DataFrame) -> plot.Figure:
    """Return time and memory of large indexes (growth).

    From a table of `large`. Left the time of all steps on one core and on two, right the highest
    memory beside the data.
    """
    total = table.group_by("entries", "cores", "repeat", maintain_order=True).agg(
        pl.col("time_s").sum().alias("time [s]")
    )
    named = total.with_columns(pl.format("threads: {}", "cores").alias("threads"))
    left = plot.lines(
        named, x="entries", y="time [s]", by="threads", x_scale="log10", y_scale="log10",
        title="Encrypt, merge, ask 1,000 times",
    )  # fmt: skip
    peak = table.group_by("entries", maintain_order=True).agg(
        pl.col("peak_bytes").max() / 1e9, pl.col("data_bytes").max() / 1e9
    )
    right = plot.Figure(
        x="entries", y="memory [GB]", x_scale="log10", y_scale="log10", title="Highest memory"
    )
    right.line(peak["entries"], peak["peak_bytes"], name="measured")
    right.line(peak["entries"], peak["data_bytes"], name="inputs and outputs", role="control")
    right.line(peak["entries"], 3 * peak["data_bytes"], name="three times", role="expected")
    return plot.grid([left, right], width=1100, height=460)


def _child(count: int, threads: int, runs: int, queries: int, seed: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", __name__, *map(str, (count, runs, queries, seed))]
    done = subprocess.run(
        command,
        env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise InvalidInputError(f"the process for {count} entries failed: {' '.join(last)}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def _peak_bytes() -> int:
    """Return the highest memory of this process so far."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not Linux
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
    # Not ru_maxrss, which begins with the memory of the process that started this one.
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def _run(count: int, runs: int, queries: int, seed: int) -> list[dict[str, Any]]:
    """Return the rows of one repeat; this process does nothing else."""
    domain = 1 << 16
    owner = Owner.from_insecure_seed(Schema(x=Field(0, domain - 1, cell=1)), seed)
    parties = [owner.authorize(f"p{number}") for number in range(runs)]
    rng = np.random.default_rng(seed)
    with suppress(OSError):  # Linux: what the imports needed is no part of the peak
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak_bytes()
    ends = [count * number // runs for number in range(runs + 1)]
    values = [rng.integers(0, domain, end - start) for start, end in pairwise(ends)]
    watch = Watch()
    totals: dict[str, dict[str, Any]] = {}

    def gather(row: dict[str, Any], name: str) -> None:
        """Add up a step that every provider takes."""
        row = {**row, "step": name}
        if name in totals:
            summed = {k: totals[name][k] + v for k, v in row.items() if isinstance(v, int | float)}
            row = {**row, **summed}
        totals[name] = row

    columns, numbers = [], []
    for party, part, start in zip(parties, values, ends, strict=False):
        with watch.step("handles", "provider"):
            handles = party.handles(np.arange(start, start + len(part)))
        with watch.step("entries", "provider"):
            column = party._keyring.entries("x", part, handles)
        del handles
        with watch.step("sort", "provider"):
            order = np.argsort(column)
            columns.append(column[order])
            numbers.append((order + start).astype(np.uint32))
        del column, order
        for row in watch.rows:
            gather(row, row["step"])
        watch.rows.clear()
        for name in totals:
            totals[name]["peak_bytes"] = _peak_bytes() - before
    with watch.step("merge", "cloud") as more:
        order = merge(columns)
        merged = np.concatenate(columns)[order]
        records = np.concatenate(numbers)[order]
        more["peak_bytes"] = _peak_bytes() - before
    del columns, numbers, order
    lows = rng.integers(0, domain - 66, queries)
    bounds = [(int(low), int(low) + 65) for low in lows]
    with watch.step("query", "owner") as more:
        found = 0
        for low, high in bounds:
            (asked,) = owner.query(x=(low, high)).bounds
            first, last = asked["x"]
            found += int(np.searchsorted(merged, last, "right") - np.searchsorted(merged, first))
        more["found"], more["peak_bytes"] = found, _peak_bytes() - before
    counts = np.zeros(domain + 1, np.int64)
    for part in values:
        counts[1:] += np.bincount(part, minlength=domain).cumsum()
    if found != sum(int(counts[high + 1] - counts[low]) for low, high in bounds):
        raise InvalidInputError("the queries find another number than there is")
    data = sum(part.nbytes for part in values) + merged.nbytes + records.nbytes
    return [{**row, "data_bytes": data} for row in [*totals.values(), *watch.rows]]


EXPERIMENT = Experiment(
    "large",
    "performance",
    large,
    draw_large,
    fast={"entries": (500_000, 1_000_000), "runs": 8, "queries": 20, "repeats": 1},
)


if __name__ == "__main__":
    print(json.dumps(_run(*map(int, sys.argv[1:]))))
