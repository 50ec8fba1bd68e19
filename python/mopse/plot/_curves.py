"""Figures of tables along a scale: lines, markers and steps."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from mopse._checked import checked
from mopse._table import as_frame
from mopse.plot._columns import by_role, from_zero, groups_of, named, numbers_of
from mopse.plot._figure import Figure
from mopse.plot._style import OPEN, Range, Scale

__all__ = ["lines", "scatter", "steps"]


@checked()
def lines(
    table: Any,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    expected: Sequence[str] = (),
    title: str = "",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    x_range: Range = OPEN,
    y_range: Range | None = None,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw the median of `y` against `x`, one line per value of `by`, all repeats as dots.

    Parameters
    ----------
    table : table
        Polars, pandas or Arrow, or a mapping from names to arrays: one row per repeat. The names of
        the columns `x` and `y` become the axis labels.
    x, y, by : str
        Column names; without `by` there is one line. A column `x` of strings makes an axis of
        names, in order of appearance.
    control : str, optional
        The value of `by` that is the control. Without it `CONTROL` is, where it occurs.
    expected : sequence of str
        Values of `by` that are not measured: closed forms, bounds, guessing.
    title, x_scale, y_scale, x_range, y_range, width, height : see `Figure`
        As for `Figure`. Unless `y_range` is given, a linear `y` axis starts at 0 if no value is
        below.

    Returns
    -------
    Figure
        The figure, to which more can be added.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a column is missing or holds nulls or numbers that cannot be drawn, or if `control` or
        `expected` names no series.
    mopse.errors.WrongTypeError
        If a column has the wrong type.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame(
    ...     {"runs": [1, 2, 1, 2], "time [ms]": [2.0, 3.0, 4.0, 8.0], "by": ["a", "a", "b", "b"]}
    ... )
    >>> lines(table, x="runs", y="time [ms]", by="by", control="b")
    <mopse.plot.Figure of 1 panel, 700 by 420 pixels>
    """
    table = as_frame(table)
    rows, names = named(table, x)
    heights = numbers_of(table, y)
    figure = Figure(
        x=x,
        y=y,
        title=title,
        x_scale=x_scale,
        y_scale=y_scale,
        x_range=x_range,
        y_range=from_zero(heights, y_scale) if y_range is None else y_range,
        x_categories=names,
        width=width,
        height=height,
    )
    tidy = pl.DataFrame({"x": rows, "y": heights, "by": groups_of(table, by)})
    series = list(by_role(tidy, control, expected))
    for name, role, part in series:
        if part["x"].n_unique() < part.height:
            figure.repeats(part["x"], part["y"], name=name, role=role)
    for name, role, part in series:
        medians = part.group_by("x").agg(pl.col("y").median()).sort("x")
        figure.line(medians["x"], medians["y"], name=name, role=role)
    return figure


@checked()
def scatter(
    table: Any,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    title: str = "",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    x_range: Range = OPEN,
    y_range: Range = OPEN,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw a marker per row of a table; see `lines`."""
    table = as_frame(table)
    rows, names = named(table, x)
    figure = Figure(
        x=x,
        y=y,
        title=title,
        x_scale=x_scale,
        y_scale=y_scale,
        x_range=x_range,
        y_range=y_range,
        x_categories=names,
        width=width,
        height=height,
    )
    tidy = pl.DataFrame({"x": rows, "y": numbers_of(table, y), "by": groups_of(table, by)})
    for name, role, part in by_role(tidy, control, ()):
        figure.dots(part["x"], part["y"], name=name, role=role)
    return figure


@checked()
def steps(
    table: Any,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    expected: Sequence[str] = (),
    title: str = "",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    x_range: Range = OPEN,
    y_range: Range | None = None,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw `y` as steps that hold until the next `x`, a column of numbers; see `lines`."""
    table = as_frame(table)
    heights = numbers_of(table, y)
    figure = Figure(
        x=x,
        y=y,
        title=title,
        x_scale=x_scale,
        y_scale=y_scale,
        x_range=x_range,
        y_range=from_zero(heights, y_scale) if y_range is None else y_range,
        width=width,
        height=height,
    )
    tidy = pl.DataFrame({"x": numbers_of(table, x), "y": heights, "by": groups_of(table, by)})
    for name, role, part in by_role(tidy, control, expected):
        ordered = part.sort("x", maintain_order=True)
        figure.steps(ordered["x"], ordered["y"], name=name, role=role)
    return figure
