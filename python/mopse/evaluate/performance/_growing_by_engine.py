"""What one record more costs, and what readers notice, over each engine that keeps things."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from mopse import plot
from mopse._checked import measured
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, record
from mopse.evaluate._resume import PATH
from mopse.evaluate._tables import medians
from mopse.evaluate.performance._empty_stores import ENGINES, EngineName, left_out, opened
from mopse.evaluate.performance._growing import ANEW, Scene, checked_sizes

__all__ = ["EXPERIMENT", "draw_growing_by_engine", "growing_by_engine"]


@measured()
def growing_by_engine(
    records: Sequence[int] = (10_000, 100_000, 400_000),
    *,
    engines: Sequence[EngineName] | None = None,
    uploads: int = 64,
    arriving: int = 5000,
    reads: int = 200,
    repeats: int = 3,
    store: PATH = None,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time what `growing` does over each engine, in turns.

    Parameters
    ----------
    engines : sequence of {"memory", "DuckDB", "PostgreSQL"}, optional
        Over what clouds keep things; by default all that are there.
    records, uploads, arriving, reads
        As in `growing`.
    store : path, optional
        The address of a database, so that PostgreSQL is there; or the path of a DuckDB file, whose
        folder is used instead of a temporary one.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        The steps of `growing`, with the engine as ``scheme``, and those of ``merged anew``. An
        engine that is left out has one step, ``left out``, without a time, and its ``reason``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a count or a correction is not what the plain values say, or an engine that was asked for
        is not there.
    mopse.errors.FileAccessError
        If the folder cannot be written, or the database not be reached.
    """
    checked_sizes(records, uploads=uploads, arriving=arriving, reads=reads)
    with opened(engines, store) as (stores, missing):

        def block(count: int) -> Block:
            def prepare() -> Mapping[str, Case]:
                scene = Scene(count, uploads, arriving, seed)
                grown: dict[str, Case] = {
                    engine: partial(scene.grow, empty, reads=reads)
                    for engine, empty in stores.items()
                }
                return {**grown, **left_out(missing), ANEW: scene.merge_anew}

            about = {"records": count, "uploads": uploads, "arriving": arriving}
            return Block({**about, "engines": ", ".join(stores)}, prepare)

        blocks = [block(count) for count in records]
        table = record(
            blocks, seed=seed, repeats=repeats, path=path, progress=progress, patience_s=120
        )
    reason = pl.col("reason") if "reason" in table.columns else pl.lit(None, pl.String)
    return table.with_columns(reason.alias("reason"))


@measured()
def draw_growing_by_engine(table: pl.DataFrame) -> plot.Figure:
    """Return one record more, and a reader's counts, against what each engine stores.

    From a table of `growing_by_engine`. Left an upload of one record with the count after it, right
    the median count while uploads come; the control of both merges anew.
    """
    axes: Any = {"x": "records stored", "y": "time [ms]", "x_scale": "log10", "y_scale": "log10"}
    titles = "One record more, and a count: median", "A count while uploads come: median"
    panels = []
    for title, step, anew in zip(titles, ("add", "read meanwhile"), ("add", "upload"), strict=True):
        panel = plot.Figure(title=title, **axes)
        for scheme in (*ENGINES, ANEW):
            named = anew if scheme == ANEW else step
            chosen = table.filter(pl.col("scheme") == scheme, pl.col("step") == named)
            curve = medians(chosen, ["records"], "median_s").sort("records")
            role: plot.Role = "control" if scheme == ANEW else "series"
            if not curve.height:
                continue
            sizes, times = curve["records"], curve["median_s"] * 1e3
            panel.line(sizes, times, name=scheme, role=role)
            if scheme == ANEW:
                expected = times[-1] * sizes / sizes[-1]
                panel.line(sizes, expected, name="expected: n", role="expected")
        panels.append(panel)
    return plot.grid(panels, title="Growing, over each engine", width=1100, height=460)


EXPERIMENT = Experiment(
    "growing_by_engine",
    "performance",
    growing_by_engine,
    draw_growing_by_engine,
    fast={"records": (800, 8000), "uploads": 16, "arriving": 300, "reads": 20, "repeats": 1},
    takes_store=True,
)
