"""Figures, drawn in Rust. Tidy tables in; nothing is computed here but medians and counts.

One style for all: the control is grey and dashed, what is expected is black and dotted, every
other series has a colour-blind-safe colour and a marker of its own. The names in `SLOTS` look the
same in every figure. Column names become axis labels, so they carry the unit:
``"time per entry [ns]"``.
"""

import base64
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from mopse import _mopse
from mopse.errors import InvalidInputError

__all__ = [
    "CONTROL",
    "SLOTS",
    "Figure",
    "bars",
    "grid",
    "heatmap",
    "histogram",
    "lines",
    "scatter",
    "steps",
]

CONTROL = "Plain"
"""The series that is the control wherever no other is named."""

SLOTS = {
    "MOPSE": 0,
    "OPSE, one key per provider": 1,
    "MOPSE+": 2,
    "OPSE, one common key": 3,
}
"""Series with a colour and a marker of their own in every figure."""

Scale = Literal["linear", "log2", "log10"]
Role = Literal["series", "control", "expected"]
Range = tuple[float | None, float | None]

_OPEN: Range = (None, None)
_GROUP_WIDTH = 0.8  # of the distance between two categories


class Figure:
    """A figure with one pair of axes, or a grid of such figures made by `grid`.

    The methods that add something return the figure, so they chain. Layers are drawn in the
    order they are added. All layers with one `name` share a look and a line of the legend;
    without a name a layer has no legend. The role ``"control"`` is grey and dashed,
    ``"expected"`` (a closed form, a bound, the baseline of guessing) black and dotted.

    Parameters
    ----------
    x, y : str
        Axis labels, with the unit.
    title : str
        Headline; the line above the panel in a grid.
    x_scale, y_scale : {"linear", "log2", "log10"}
        Scales of the axes.
    x_range, y_range : (float or None, float or None)
        Bounds of the axes; None leaves a bound to the data.
    x_categories, y_categories : sequence of str, optional
        Names instead of numbers on the axis: value 0 is the first name, 1 the second.
    width, height : int
        Size in logical pixels, 120 to 2400; a PNG has twice as many each way.

    Raises
    ------
    mopse.errors.InvalidInputError
        If bounds are out of order or a text cannot be shown.

    Notes
    -----
    Equal figures give equal bytes, and no font needs to be installed. A notebook shows the PNG,
    because viewers of committed notebooks are not reliable with SVG.

    Examples
    --------
    >>> figure = Figure(x="records", y="recovery rate [1]", y_range=(0, 1))
    >>> figure.line([10, 100], [0.2, 0.7], name="sorting attack").level(0.1, name="guessing")
    <mopse.plot.Figure of 1 panel, 700 by 420 pixels>
    >>> "recovery rate [1]" in figure.svg()
    True
    """

    def __init__(
        self,
        *,
        x: str,
        y: str,
        title: str = "",
        x_scale: Scale = "linear",
        y_scale: Scale = "linear",
        x_range: Range = _OPEN,
        y_range: Range = _OPEN,
        x_categories: Sequence[str] | None = None,
        y_categories: Sequence[str] | None = None,
        width: int = 700,
        height: int = 420,
    ) -> None:
        panel = _mopse.Panel(
            (x, x_scale, *x_range, None if x_categories is None else list(x_categories)),
            (y, y_scale, *y_range, None if y_categories is None else list(y_categories)),
        )
        self._panels: list[tuple[str, _mopse.Panel]] = [("", panel)]
        self._columns = 1
        self._title = title
        self._size = _size(width, height)

    def __repr__(self) -> str:
        """Say how many panels there are, and the size."""
        panels = f"{len(self._panels)} panel{'s' if len(self._panels) > 1 else ''}"
        return f"<mopse.plot.Figure of {panels}, {self._size[0]} by {self._size[1]} pixels>"

    @property
    def _panel(self) -> _mopse.Panel:
        if len(self._panels) != 1:
            raise InvalidInputError("a grid takes no layers: add them before it is made")
        return self._panels[0][1]

    def line(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add a line through points in the order given, with markers.

        Parameters
        ----------
        x, y : (n,) array of numbers
            The points.
        name : str
            Whose they are.
        role : {"series", "control", "expected"}
            How they look; what is expected has no markers.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            If lengths differ or a number cannot be drawn; series and position are named.
        TypeError
            If an array does not hold numbers.
        """
        self._panel.line(_series(name, role), _column(x), _column(y))
        return self

    def dots(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add markers.

        Parameters
        ----------
        x, y : (n,) array of numbers
            The points.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            As in `line`.
        TypeError
            If an array does not hold numbers.
        """
        self._panel.dots(_series(name, role), _column(x), _column(y))
        return self

    def repeats(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add small faint dots for all repeats.

        Parameters
        ----------
        x, y : (n,) array of numbers
            The points.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            As in `line`.
        TypeError
            If an array does not hold numbers.
        """
        self._panel.repeats(_series(name, role), _column(x), _column(y))
        return self

    def steps(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add a line that keeps each `y` until the next `x`.

        Parameters
        ----------
        x, y : (n,) array of numbers
            The points; `x` ascends.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            As in `line`.
        TypeError
            If an array does not hold numbers.
        """
        self._panel.steps(_series(name, role), _column(x), _column(y))
        return self

    def bars(
        self,
        left: ArrayLike,
        right: ArrayLike,
        height: ArrayLike,
        *,
        name: str = "",
        role: Role = "series",
    ) -> Self:
        """Add upright bars.

        Parameters
        ----------
        left, right, height : (n,) array of numbers
            Where each begins and ends, and how high it is.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            As in `line`.
        TypeError
            If an array does not hold numbers.
        """
        who = _series(name, role)
        self._panel.bars(who, _column(left), _column(right), _column(height))
        return self

    def band(
        self,
        x: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        *,
        name: str = "",
        role: Role = "series",
    ) -> Self:
        """Fill the area between two curves.

        Parameters
        ----------
        x, low, high : (n,) array of numbers
            The curves from `x` to `low` and from `x` to `high`.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            As in `line`.
        TypeError
            If an array does not hold numbers.
        """
        self._panel.band(_series(name, role), _column(x), _column(low), _column(high))
        return self

    def intervals(
        self,
        x: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        *,
        name: str = "",
        role: Role = "series",
    ) -> Self:
        """Add upright lines.

        Parameters
        ----------
        x, low, high : (n,) array of numbers
            Where each stands, and its ends.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            As in `line`.
        TypeError
            If an array does not hold numbers.
        """
        self._panel.intervals(_series(name, role), _column(x), _column(low), _column(high))
        return self

    def level(self, y: float, *, name: str = "", role: Role = "expected") -> Self:
        """Add a horizontal line across the panel.

        Parameters
        ----------
        y : float
            Its height.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the number cannot be drawn.
        """
        self._panel.level(_series(name, role), y)
        return self

    def upright(self, x: float, *, name: str = "", role: Role = "expected") -> Self:
        """Add a vertical line across the panel.

        Parameters
        ----------
        x : float
            Where it stands.
        name, role : str
            As in `line`.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the number cannot be drawn.
        """
        self._panel.upright(_series(name, role), x)
        return self

    def note(self, x: float, y: float, text: str) -> Self:
        """Write a few words beside a point.

        Parameters
        ----------
        x, y : float
            The point.
        text : str
            The words.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a number or the text cannot be drawn.
        """
        self._panel.note(x, y, text)
        return self

    def heat(
        self, x_edges: ArrayLike, y_edges: ArrayLike, values: ArrayLike, *, label: str
    ) -> Self:
        """Colour cells by a value.

        Parameters
        ----------
        x_edges, y_edges : (columns + 1,) and (rows + 1,) arrays of numbers
            Ascending borders of the cells. On an axis of names the first cell is -0.5 to 0.5.
        values : (rows, columns) array of numbers
            The first row is the lowest.
        label : str
            What is coloured, with its unit.

        Returns
        -------
        Figure
            This figure.

        Raises
        ------
        mopse.errors.InvalidInputError
            If lengths do not match, borders do not ascend, or a number cannot be drawn.
        TypeError
            If an array does not hold numbers.
        """
        cells = np.asarray(values)
        across, down = _column(x_edges), _column(y_edges)
        if cells.shape != (len(down) - 1, len(across) - 1):
            shape = (len(down) - 1, len(across) - 1)
            raise InvalidInputError(f"values has the shape {cells.shape}, the edges say {shape}")
        self._panel.heat(across, down, _column(cells.ravel()), label)
        return self

    def svg(self) -> str:
        """Return the figure as an SVG document.

        Returns
        -------
        str
            The document; its size is in logical pixels.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a panel has nothing to draw, a text has no room, or a series has two roles.
        """
        return _mopse.draw_svg(self._panels, self._columns, self._title, self._size)

    def png(self) -> bytes:
        """Return the figure as a PNG image.

        Returns
        -------
        bytes
            The image; it has two pixels per logical pixel each way.

        Raises
        ------
        mopse.errors.InvalidInputError
            As in `svg`.
        """
        return _mopse.draw_png(self._panels, self._columns, self._title, self._size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the figure to a file, whole or not at all.

        Parameters
        ----------
        path : path-like
            Its suffix is .svg or .png. A file that is there is replaced.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the suffix is another one, or the figure cannot be drawn.
        OSError
            If the file cannot be written.
        """
        target = Path(path)
        match target.suffix.lower():
            case ".svg":
                content = self.svg().encode()
            case ".png":
                content = self.png()
            case suffix:
                raise InvalidInputError(f'cannot save as "{suffix}": the suffix is .svg or .png')
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            partial.write_bytes(content)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_png_(self) -> bytes:
        return self.png()

    def _ipython_display_(self) -> None:
        # Called by notebooks alone. Left to the methods above they would store both formats and
        # prefer the SVG, which GitHub and nbviewer may strip from a committed notebook.
        from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

        width, height = self._size
        image = base64.b64encode(self.png()).decode()
        display(  # type: ignore[no-untyped-call, unused-ignore]
            {"image/png": image, "text/plain": repr(self)},
            metadata={"image/png": {"width": width, "height": height}},
            raw=True,
        )


def grid(
    figures: Sequence[Figure],
    *,
    columns: int = 2,
    title: str = "",
    width: int = 900,
    height: int | None = None,
) -> Figure:
    """Put figures side by side, under one legend.

    A series looks the same in all of them. The title of each figure stands above its panel.

    Parameters
    ----------
    figures : sequence of Figure
        What to show, row by row. They are not changed.
    columns : int
        How many stand in a row.
    title : str
        Headline.
    width, height : int
        Size of the whole in logical pixels; the height is 340 per row if it is not given.

    Returns
    -------
    Figure
        A figure that takes no further layers.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no figure or no column, or one of the figures is itself a grid of several.

    Examples
    --------
    >>> small, large = (
    ...     Figure(x="age [a]", y="records", title=t).steps([0, 50], [2, 1])
    ...     for t in ("small", "large")
    ... )
    >>> grid([small, large])
    <mopse.plot.Figure of 2 panels, 900 by 340 pixels>
    """
    if not figures or columns < 1:
        raise InvalidInputError("a grid needs a figure and a column, at least")
    whole = Figure(x="", y="", title=title, width=width, height=1)
    whole._panels = [(figure._title, figure._panel) for figure in figures]
    whole._columns = columns
    rows = -(-len(figures) // columns)
    whole._size = _size(width, 340 * rows if height is None else height)
    return whole


def lines(
    table: pl.DataFrame,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    expected: Sequence[str] = (),
    title: str = "",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    x_range: Range = _OPEN,
    y_range: Range | None = None,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw the median of `y` against `x`, one line per value of `by`, all repeats as dots.

    Parameters
    ----------
    table : polars.DataFrame
        One row per repeat. The names of the columns `x` and `y` become the axis labels.
    x, y, by : str
        Column names; without `by` there is one line. A column `x` of strings makes an axis of
        names, in order of appearance.
    control : str, optional
        The value of `by` that is the control. Without it `CONTROL` is, where it occurs.
    expected : sequence of str
        Values of `by` that are not measured: closed forms, bounds, guessing.
    title : str
        Headline.
    x_scale, y_scale : {"linear", "log2", "log10"}
        Scales of the axes.
    x_range, y_range : (float or None, float or None)
        Bounds of the axes; None leaves a bound to the data. Unless it is given, a linear `y` axis
        starts at 0 if no value is below.
    width, height : int
        Size in logical pixels.

    Returns
    -------
    Figure
        The figure, to which more can be added.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a column is missing or holds nulls or numbers that cannot be drawn, or if `control` or
        `expected` names no series.
    TypeError
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
    rows, names = _named(table, x)
    heights = _numbers(table, y)
    figure = Figure(
        x=x,
        y=y,
        title=title,
        x_scale=x_scale,
        y_scale=y_scale,
        x_range=x_range,
        y_range=_from_zero(heights, y_scale) if y_range is None else y_range,
        x_categories=names,
        width=width,
        height=height,
    )
    tidy = pl.DataFrame({"x": rows, "y": heights, "by": _groups(table, by)})
    series = list(_by_role(tidy, control, expected))
    for name, role, part in series:
        if part["x"].n_unique() < part.height:
            figure.repeats(part["x"], part["y"], name=name, role=role)
    for name, role, part in series:
        medians = part.group_by("x").agg(pl.col("y").median()).sort("x")
        figure.line(medians["x"], medians["y"], name=name, role=role)
    return figure


def scatter(
    table: pl.DataFrame,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    title: str = "",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    x_range: Range = _OPEN,
    y_range: Range = _OPEN,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw a marker per row.

    Parameters
    ----------
    table : polars.DataFrame
        One row per marker.
    x, y, by : str
        Column names, as in `lines`.
    control : str, optional
        The value of `by` that is the control. Without it `CONTROL` is, where it occurs.
    title : str
        Headline.
    x_scale, y_scale : {"linear", "log2", "log10"}
        Scales of the axes.
    x_range, y_range : (float or None, float or None)
        Bounds of the axes; None leaves a bound to the data.
    width, height : int
        Size in logical pixels.

    Returns
    -------
    Figure
        The figure, to which more can be added.

    Raises
    ------
    mopse.errors.InvalidInputError
        As in `lines`.
    TypeError
        If a column has the wrong type.
    """
    rows, names = _named(table, x)
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
    tidy = pl.DataFrame({"x": rows, "y": _numbers(table, y), "by": _groups(table, by)})
    for name, role, part in _by_role(tidy, control, ()):
        figure.dots(part["x"], part["y"], name=name, role=role)
    return figure


def steps(
    table: pl.DataFrame,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    expected: Sequence[str] = (),
    title: str = "",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    x_range: Range = _OPEN,
    y_range: Range | None = None,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw `y` as steps that hold until the next `x`.

    Parameters
    ----------
    table : polars.DataFrame
        One row per step.
    x, y, by : str
        Column names, as in `lines`; `x` holds numbers.
    control : str, optional
        The value of `by` that is the control. Without it `CONTROL` is, where it occurs.
    expected : sequence of str
        Values of `by` that are not measured.
    title : str
        Headline.
    x_scale, y_scale : {"linear", "log2", "log10"}
        Scales of the axes.
    x_range, y_range : (float or None, float or None)
        Bounds of the axes; None leaves a bound to the data.
    width, height : int
        Size in logical pixels.

    Returns
    -------
    Figure
        The figure, to which more can be added.

    Raises
    ------
    mopse.errors.InvalidInputError
        As in `lines`.
    TypeError
        If a column has the wrong type.
    """
    heights = _numbers(table, y)
    figure = Figure(
        x=x,
        y=y,
        title=title,
        x_scale=x_scale,
        y_scale=y_scale,
        x_range=x_range,
        y_range=_from_zero(heights, y_scale) if y_range is None else y_range,
        width=width,
        height=height,
    )
    tidy = pl.DataFrame({"x": _numbers(table, x), "y": heights, "by": _groups(table, by)})
    for name, role, part in _by_role(tidy, control, expected):
        ordered = part.sort("x", maintain_order=True)
        figure.steps(ordered["x"], ordered["y"], name=name, role=role)
    return figure


def bars(
    table: pl.DataFrame,
    *,
    x: str,
    y: str,
    by: str | None = None,
    control: str | None = None,
    title: str = "",
    y_scale: Scale = "linear",
    y_range: Range = _OPEN,
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Draw the median of `y` as a bar per `x`, grouped by `by`, all repeats as dots.

    Parameters
    ----------
    table : polars.DataFrame
        One row per repeat.
    x, y, by : str
        Column names, as in `lines`; the values of `x` are names, in order of appearance.
    control : str, optional
        The value of `by` that is the control. Without it `CONTROL` is, where it occurs.
    title : str
        Headline.
    y_scale : {"linear", "log2", "log10"}
        Scale of the heights.
    y_range : (float or None, float or None)
        Bounds of the heights; None leaves a bound to the data.
    width, height : int
        Size in logical pixels.

    Returns
    -------
    Figure
        The figure, to which more can be added.

    Raises
    ------
    mopse.errors.InvalidInputError
        As in `lines`.
    TypeError
        If a column has the wrong type.
    """
    rows, names = _named(table.with_columns(_existing(table, x).cast(pl.String)), x)
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
    tidy = pl.DataFrame({"x": rows, "y": _numbers(table, y), "by": _groups(table, by)})
    series = list(_by_role(tidy, control, ()))
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


def histogram(
    table: pl.DataFrame,
    *,
    x: str,
    y: str = "records",
    by: str | None = None,
    bins: int | ArrayLike = 30,
    control: str | None = None,
    title: str = "",
    y_scale: Scale = "linear",
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Count the values of `x` in bins: bars for one series, outlines for several.

    Parameters
    ----------
    table : polars.DataFrame
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
        The value of `by` that is the control. Without it `CONTROL` is, where it occurs.
    title : str
        Headline.
    y_scale : {"linear", "log2", "log10"}
        Scale of the counts; a logarithmic one needs a value in every bin.
    width, height : int
        Size in logical pixels.

    Returns
    -------
    Figure
        The figure, to which more can be added.

    Raises
    ------
    mopse.errors.InvalidInputError
        As in `lines`; also if the borders do not ascend or a value lies outside them.
    TypeError
        If a column has the wrong type.
    """
    values = _numbers(table, x).to_numpy()
    if len(values) == 0 or not np.isfinite(values).all():
        raise InvalidInputError(f'the column "{x}" is empty or holds a number that is not finite')
    edges = _column(np.histogram_bin_edges(values, bins) if isinstance(bins, int) else bins)
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InvalidInputError("the borders of the bins do not ascend")
    if values.min() < edges[0] or values.max() > edges[-1]:
        raise InvalidInputError(f'the column "{x}" holds values outside the bins')
    figure = Figure(x=x, y=y, title=title, y_scale=y_scale, width=width, height=height)
    tidy = pl.DataFrame({"x": values, "by": _groups(table, by)})
    series = list(_by_role(tidy, control, ()))
    for name, role, part in series:
        counts, _ = np.histogram(part["x"].to_numpy(), edges)
        if len(series) == 1:
            figure.bars(edges[:-1], edges[1:], counts, name=name, role=role)
        elif y_scale == "linear":
            figure.steps([edges[0], *edges], [0, *counts, 0], name=name, role=role)
        else:
            figure.steps(edges, [*counts, counts[-1]], name=name, role=role)
    return figure


def heatmap(
    table: pl.DataFrame,
    *,
    x: str,
    y: str,
    value: str,
    title: str = "",
    width: int = 700,
    height: int = 420,
) -> Figure:
    """Colour a cell per pair of `x` and `y` by the median of `value`.

    Parameters
    ----------
    table : polars.DataFrame
        One row per repeat; every pair must occur.
    x, y : str
        Columns of names, which the axes carry in order of appearance; the first of `y` is the
        lowest.
    value : str
        The column of numbers, whose name says what is coloured, with its unit.
    title : str
        Headline.
    width, height : int
        Size in logical pixels.

    Returns
    -------
    Figure
        The figure, to which more can be added.

    Raises
    ------
    mopse.errors.InvalidInputError
        As in `lines`; also if a pair does not occur.
    TypeError
        If a column has the wrong type.
    """
    across, columns = _named(table.with_columns(_existing(table, x).cast(pl.String)), x)
    up, rows = _named(table.with_columns(_existing(table, y).cast(pl.String)), y)
    if columns is None or rows is None:  # strings always have names
        raise InvalidInputError("the axes of a heat map are names")
    tidy = pl.DataFrame({"x": across, "y": up, "value": _numbers(table, value)})
    cells = tidy.group_by("x", "y").agg(pl.col("value").median()).sort("y", "x")
    if cells.height != len(rows) * len(columns):
        raise InvalidInputError(f'not every pair of "{x}" and "{y}" occurs')
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


def _size(width: int, height: int) -> tuple[int, int]:
    # The core says which sizes there are; it counts without a sign.
    return max(width, 0), max(height, 0)


def _series(name: str, role: Role) -> tuple[str, str, int | None]:
    return name, role, SLOTS.get(name) if role == "series" else None


def _column(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.size == 0 and array.dtype.kind == "O":
        array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"expected an array of numbers, got {array.dtype}")
    if array.ndim != 1:
        raise InvalidInputError(f"expected one dimension, got {array.ndim}")
    return np.ascontiguousarray(array, dtype=np.float64)


def _existing(table: pl.DataFrame, name: str) -> pl.Series:
    if name not in table.columns:
        raise InvalidInputError(f'the table has no column "{name}"')
    column = table[name]
    if column.null_count():
        row = column.is_null().arg_max()
        raise InvalidInputError(f'the column "{name}" has a null in row {row}')
    return column


def _numbers(table: pl.DataFrame, name: str) -> pl.Series:
    column = _existing(table, name)
    if not column.dtype.is_numeric():
        raise TypeError(f'the column "{name}" holds {column.dtype}, expected numbers')
    return column.cast(pl.Float64)


def _named(table: pl.DataFrame, name: str) -> tuple[pl.Series, list[str] | None]:
    """Return a column as numbers, and what the numbers are called if it holds strings."""
    column = _existing(table, name)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return _numbers(table, name), None
    names = column.cast(pl.String).unique(maintain_order=True).to_list()
    places = dict(zip(names, range(len(names)), strict=True))
    positions = [float(places[value]) for value in column.cast(pl.String)]
    return pl.Series(positions, dtype=pl.Float64), names


def _groups(table: pl.DataFrame, by: str | None) -> pl.Series:
    if by is None:
        return pl.Series([""] * table.height, dtype=pl.String)
    return _existing(table, by).cast(pl.String)


def _by_role(
    tidy: pl.DataFrame, control: str | None, expected: Sequence[str]
) -> Iterator[tuple[str, Role, pl.DataFrame]]:
    parts: dict[Any, pl.DataFrame] = tidy.partition_by("by", maintain_order=True, as_dict=True)
    names = [name for (name,) in parts]
    for wanted in [*expected, *([] if control is None else [control])]:
        if wanted not in names:
            raise InvalidInputError(f'there is no series "{wanted}" among {names}')
    grey = CONTROL if control is None else control
    for (name,), part in parts.items():
        role: Role = "control" if name == grey else "expected" if name in expected else "series"
        yield name, role, part


def _from_zero(heights: pl.Series, scale: Scale) -> Range:
    least = heights.min()
    is_above = isinstance(least, float) and least >= 0
    return (0.0, None) if scale == "linear" and is_above and heights.max() != 0 else _OPEN
