"""Figures of tables by names and bins: bars, counts and cells."""

from typing import Any

import numpy as np
import polars as pl

from mopse._arrays import floats
from mopse._checked import checked
from mopse._checks import integer, is_integer
from mopse._table import as_frame
from mopse.errors import InvalidInputError
from mopse.plot._columns import by_role, existing, groups_of, named, numbers_of
from mopse.plot._figure import Figure
from mopse.plot._style import OPEN, Range, Scale

__all__ = ["bars", "heatmap", "histogram"]

_GROUP_WIDTH = 0.8  # of the distance between two categories


_MOST_BINS = 2**20


@checked()
def bars(
    table: Any,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    title: str = "",
    y_scale: Scale = "linear",
    y_range: Range = OPEN,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw the median of `y` as a bar per `x`, grouped by `by`, all repeats as dots; see `lines`.

    The values of `x` are names, in order of appearance.
    """
    table = as_frame(table)
    rows, names = named(table.with_columns(existing(table, x).cast(pl.String)), x)
    figure = Figure(
        x=x,
        y=y,
        title=title,
        y_scale=y_scale,
        y_range=y_range,
        x_categories=names,
        width=width,
        height=height,
    )
    tidy = pl.DataFrame({"x": rows, "y": numbers_of(table, y), "by": groups_of(table, by)})
    series = list(by_role(tidy, control, ()))
    each = _GROUP_WIDTH / max(len(series), 1)
    for at, (name, role, part) in enumerate(series):
        medians = part.group_by("x").agg(pl.col("y").median()).sort("x")
        left = medians["x"].to_numpy() - _GROUP_WIDTH / 2 + at * each
        # A hair between neighbours, so that they do not touch.
        figure.bars(left, left + 0.94 * each, medians["y"], name=name, role=role)
    for at, (_, _, part) in enumerate(series):
        if part["x"].n_unique() < part.height:
            middle = part["x"].to_numpy() - _GROUP_WIDTH / 2 + (at + 0.47) * each
            figure.repeats(middle, part["y"], role="expected")
    return figure


@checked()
def histogram(
    table: Any,
    *,
    x: str,
    y: str = "records",
    by: str | None = None,
    bins: Any = 30,
    control: str | None = None,
    title: str = "",
    y_scale: Scale = "linear",
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Count the values of `x` in bins: bars for one series, outlines for several; see `lines`.

    Parameters
    ----------
    table : table
        One row per value.
    x : str
        The column to count.
    y : str
        Label of the counts.
    by : str
        The column of series; without it there is one.
    bins : int or (n + 1,) array of numbers
        How many bins of equal width from the least value to the largest, or their borders.
    control : str, optional
        As for `lines`.
    title, y_scale, width, height : see `Figure`
        As for `Figure`; a logarithmic scale needs a value in every bin.

    Raises
    ------
    mopse.errors.InvalidInputError
        Also if the borders do not ascend or a value lies outside them.
    """
    table = as_frame(table)
    values = numbers_of(table, x).to_numpy()
    if len(values) == 0 or not np.isfinite(values).all():
        raise InvalidInputError(f"the column {x!r} is empty or holds a number that is not finite")
    if is_integer(bins):
        fault = f"{{what}} is not 1 to {_MOST_BINS}"
        count = integer(bins, "bins", 1, _MOST_BINS, fault=fault)
        edges = np.histogram_bin_edges(values, count)
    else:
        edges = floats(bins, "bins")
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InvalidInputError("the borders of the bins do not ascend")
    if values.min() < edges[0] or values.max() > edges[-1]:
        raise InvalidInputError(f"the column {x!r} holds values outside the bins")
    figure = Figure(x=x, y=y, title=title, y_scale=y_scale, width=width, height=height)
    tidy = pl.DataFrame({"x": values, "by": groups_of(table, by)})
    series = list(by_role(tidy, control, ()))
    for name, role, part in series:
        counts, _ = np.histogram(part["x"].to_numpy(), edges)
        if len(series) == 1:
            figure.bars(edges[:-1], edges[1:], counts, name=name, role=role)
        elif y_scale == "linear":
            figure.steps([edges[0], *edges], [0, *counts, 0], name=name, role=role)
        else:
            figure.steps(edges, [*counts, counts[-1]], name=name, role=role)
    return figure


@checked()
def heatmap(
    table: Any,
    *,
    x: str,
    y: str,
    value: str,
    title: str = "",
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Colour a cell per pair of `x` and `y` by the median of `value`; see `lines`.

    Parameters
    ----------
    table : table
        One row per repeat; every pair must occur.
    x, y : str
        Columns of names, which the axes carry in order of appearance; the first of `y` is the
        lowest.
    value : str
        The column of numbers, whose name says what is coloured, with its unit.
    title, width, height : see `Figure`
        As for `Figure`.

    Raises
    ------
    mopse.errors.InvalidInputError
        Also if a pair does not occur.
    """
    table = as_frame(table)
    across, columns = named(table.with_columns(existing(table, x).cast(pl.String)), x)
    up, rows = named(table.with_columns(existing(table, y).cast(pl.String)), y)
    if columns is None or rows is None:  # strings always have names
        raise InvalidInputError("the axes of a heat map are names")
    tidy = pl.DataFrame({"x": across, "y": up, "value": numbers_of(table, value)})
    cells = tidy.group_by("x", "y").agg(pl.col("value").median()).sort("y", "x")
    if cells.height != len(rows) * len(columns):
        raise InvalidInputError(f"not every pair of {x!r} and {y!r} occurs")
    figure = Figure(
        x=x,
        y=y,
        title=title,
        x_categories=columns,
        y_categories=rows,
        width=width,
        height=height,
    )
    return figure.heat(
        np.arange(len(columns) + 1) - 0.5,
        np.arange(len(rows) + 1) - 0.5,
        cells["value"].to_numpy().reshape(len(rows), len(columns)),
        label=value,
    )
