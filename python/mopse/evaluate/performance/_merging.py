"""What the cloud's merge costs (E4)."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._scheme_names import MOPSE, PLAIN
from mopse.cloud import merge
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.evaluate.performance._parties import authorized
from mopse.schema import Field, Schema

__all__ = ["EXPERIMENT", "draw_merging", "merging"]

Integers = NDArray[np.int64]

_NS = "time per entry [ns]"


@measured()
def merging(
    entries: Sequence[int] = (10_000, 100_000, 1_000_000, 10_000_000),
    runs: Sequence[int] = (2, 4, 16, 64, 256, 1024),
    *,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time the cloud's merge against its size and the number of runs (experiment E4).

    Parameters
    ----------
    entries : sequence of int
        How many entries all runs have together, in 16 runs.
    runs : sequence of int
        How many runs the largest number of entries is cut into.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Step ``merge`` for schemes ``MOPSE`` (`mopse.merge` over ciphertexts), ``Plain`` (the same
        over plaintexts of 121 values) and ``numpy`` (a stable argsort of the joined ciphertexts,
        the joining included), and step ``add`` of ``MOPSE`` (merging the last run into the others,
        merged already: one pass, which a cloud with levels spares itself; see `growing`).

    Raises
    ------
    mopse.errors.InvalidInputError
        If the two orders differ.
    """
    wholes(runs, "runs", least=2)
    wholes(entries, "entries", least=max(16, *runs))
    cases = {(count, 16) for count in entries} | {(max(entries), k) for k in runs}

    def block(count: int, k: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            rng = np.random.default_rng([seed, count, k])
            _, parties = authorized(Schema(x=Field(0, 120)), 1, seed, is_flat=True)
            ages = np.array_split(rng.integers(0, 121, count), k)
            handles = [rng.integers(0, 1 << 63, (len(part), 2)).astype(np.uint64) for part in ages]
            pairs = zip(ages, handles, strict=True)
            joined = [np.sort(parties[0]._keyring.entries("x", x, h)) for x, h in pairs]
            plain = [np.sort(part) for part in ages]
            old = np.concatenate(joined[:-1])[merge(joined[:-1])]
            expected = np.argsort(np.concatenate(joined), kind="stable")
            if not np.array_equal(merge(joined), expected):
                raise InvalidInputError("the orders differ")

            def ours(runs: list[Integers]) -> Case:
                def case(watch: Watch) -> None:
                    with watch.step("merge", "cloud"):
                        merge(runs)

                return case

            def added(watch: Watch) -> None:
                ours(joined)(watch)
                with watch.step("add", "cloud"):
                    merge([old, joined[-1]])

            def numpy(watch: Watch) -> None:
                with watch.step("merge", "cloud"):
                    np.argsort(np.concatenate(joined), kind="stable")

            return {MOPSE: added, PLAIN: ours(plain), "numpy": numpy}

        return Block({"entries": count, "runs": k}, prepare)

    blocks = [block(count, k) for count, k in sorted(cases)]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


@measured()
def draw_merging(table: pl.DataFrame) -> plot.Figure:
    """Return merge time per entry against size and against the number of runs (E4).

    From a table of `merging`. NumPy's stable sort is the control.
    """
    each = table.filter(pl.col("step") == "merge").with_columns(
        (pl.col("time_s") * 1e9 / pl.col("entries")).alias(_NS),
        pl.col("scheme").replace({MOPSE: "ciphertexts", PLAIN: "121 plaintexts"}),
    )
    added = table.filter(pl.col("step") == "add").with_columns(
        (pl.col("time_s") * 1e9 / pl.col("entries")).alias(_NS),
        pl.lit("ciphertexts, one run added").alias("scheme"),
    )
    each = pl.concat([each, added])
    largest = int(each["entries"].to_numpy().max())
    cases: list[tuple[pl.DataFrame, str, plot.Scale, str]] = [
        (each.filter(pl.col("runs") == 16), "entries", "log10", "16 runs"),
        (each.filter(pl.col("entries") == largest), "runs", "log2", f"{largest:,} entries"),
    ]
    panels = [
        plot.lines(
            part,
            x=x,
            y=_NS,
            by="scheme",
            control="numpy",
            x_scale=scale,
            y_scale="log10",
            title=title,
        )
        for part, x, scale, title in cases
    ]
    return plot.grid(panels, title="Merging", width=1100, height=460)


EXPERIMENT = Experiment(
    "merging",
    "performance",
    merging,
    draw_merging,
    fast={"entries": (1000, 100_000), "runs": (2, 16, 64), "repeats": 2},
)
