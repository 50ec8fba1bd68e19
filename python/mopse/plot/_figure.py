"""Figures to add layers to, and grids of them."""

import base64
import copy
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mopse import _mopse
from mopse._arrays import floats, matrix
from mopse._checked import checked
from mopse._files import SHARED, as_file, write_whole
from mopse.errors import InvalidInputError
from mopse.plot._style import OPEN, SLOTS, Range, Role, Scale

__all__ = ["Figure", "grid"]


class _Panel:
    """A panel of the core, and what it was made of, so that it is pickled and copied."""

    def __init__(self, x: Any, y: Any) -> None:
        self._axes = x, y
        self._layers: list[tuple[str, tuple[Any, ...]]] = []
        self.core = _mopse.plot.Panel(x, y)

    def add(self, layer: str, *arguments: Any) -> None:
        """Add a layer by the name of the core's method."""
        getattr(self.core, layer)(*arguments)
        is_array = [isinstance(argument, np.ndarray) for argument in arguments]
        kept = (a.copy() if is_one else a for a, is_one in zip(arguments, is_array, strict=True))
        self._layers.append((layer, tuple(kept)))

    @classmethod
    def _of(cls, axes: tuple[Any, Any], layers: Sequence[tuple[str, tuple[Any, ...]]]) -> Self:
        panel = cls(*axes)
        for layer, arguments in layers:
            panel.add(layer, *arguments)
        return panel

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return type(self)._of, (self._axes, self._layers)


class Figure:
    """A figure with one pair of axes, or a grid of such figures made by `grid`.

    The methods that add something return the figure, so they chain. Layers are drawn in the order
    they are added. All layers with one `name` share a look and a line of the legend; without a name
    a layer has no legend. The role ``"control"`` is grey and dashed, ``"expected"`` (a closed form,
    a bound, the baseline of guessing) black, dotted and without markers.

    Parameters
    ----------
    x, y : str
        Axis labels, with the unit.
    title : str
        Headline; the line above the panel in a grid.
    x_range, y_range : (float or None, float or None)
        Bounds of the axes; None leaves a bound to the data.
    x_categories, y_categories : sequence of str, optional
        Names instead of numbers on the axis: value 0 is the first name, 1 the second.
    width, height : int
        Size in logical pixels, 120 to 2400; a PNG has twice as many each way.

    Raises
    ------
    mopse.errors.InvalidInputError
        If bounds are out of order or a text cannot be shown. From layers, if lengths differ or a
        number cannot be drawn; series and position are named.
    mopse.errors.WrongTypeError
        From layers, if an array does not hold numbers.

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

    @checked()
    def __init__(
        self,
        *,
        x: str,
        y: str,
        title: str = "",
        x_scale: Scale = "linear",
        y_scale: Scale = "linear",
        x_range: Range = OPEN,
        y_range: Range = OPEN,
        x_categories: Sequence[str] | None = None,
        y_categories: Sequence[str] | None = None,
        width: int = 700,
        height: int = 420,
    ) -> None:
        panel = _Panel(
            (x, x_scale, *x_range, None if x_categories is None else list(x_categories)),
            (y, y_scale, *y_range, None if y_categories is None else list(y_categories)),
        )
        self._panels: list[tuple[str, _Panel]] = [("", panel)]
        self._columns = 1
        self._title = title
        self._size = _size(width, height)

    def __repr__(self) -> str:
        """Say how many panels there are, and the size."""
        panels = f"{len(self._panels)} panel{'s' if len(self._panels) > 1 else ''}"
        return f"<mopse.plot.Figure of {panels}, {self._size[0]} by {self._size[1]} pixels>"

    @property
    def _panel(self) -> "_Panel":
        if len(self._panels) != 1:
            raise InvalidInputError("a grid takes no layers: add them before it is made")
        return self._panels[0][1]

    @checked()
    def line(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add a line through points in the order given, with markers."""
        self._panel.add("line", _series(name, role), floats(x, "x"), floats(y, "y"))
        return self

    @checked()
    def dots(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add markers."""
        self._panel.add("dots", _series(name, role), floats(x, "x"), floats(y, "y"))
        return self

    @checked()
    def repeats(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add small faint dots for all repeats."""
        self._panel.add("repeats", _series(name, role), floats(x, "x"), floats(y, "y"))
        return self

    @checked()
    def steps(self, x: ArrayLike, y: ArrayLike, *, name: str = "", role: Role = "series") -> Self:
        """Add a line that keeps each `y` until the next `x`; `x` ascends."""
        self._panel.add("steps", _series(name, role), floats(x, "x"), floats(y, "y"))
        return self

    @checked()
    def bars(
        self,
        left: ArrayLike,
        right: ArrayLike,
        height: ArrayLike,
        *,
        name: str = "",
        role: Role = "series",
    ) -> Self:
        """Add upright bars: where each begins and ends, and how high it is."""
        who = _series(name, role)
        self._panel.add(
            "bars",
            who,
            floats(left, "left"),
            floats(right, "right"),
            floats(height, "height"),
        )
        return self

    @checked()
    def band(
        self,
        x: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        *,
        name: str = "",
        role: Role = "series",
    ) -> Self:
        """Fill the area between the curves from `x` to `low` and from `x` to `high`."""
        self._panel.add(
            "band",
            _series(name, role),
            floats(x, "x"),
            floats(low, "low"),
            floats(high, "high"),
        )
        return self

    @checked()
    def intervals(
        self,
        x: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        *,
        name: str = "",
        role: Role = "series",
    ) -> Self:
        """Add upright lines: where each stands, and its ends."""
        self._panel.add(
            "intervals",
            _series(name, role),
            floats(x, "x"),
            floats(low, "low"),
            floats(high, "high"),
        )
        return self

    @checked()
    def level(self, y: float, *, name: str = "", role: Role = "expected") -> Self:
        """Add a horizontal line across the panel."""
        self._panel.add("level", _series(name, role), y)
        return self

    @checked()
    def upright(self, x: float, *, name: str = "", role: Role = "expected") -> Self:
        """Add a vertical line across the panel."""
        self._panel.add("upright", _series(name, role), x)
        return self

    @checked()
    def note(self, x: float, y: float, text: str) -> Self:
        """Write a few words beside a point."""
        self._panel.add("note", x, y, text)
        return self

    @checked()
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

        Raises
        ------
        mopse.errors.InvalidInputError
            Also if borders do not ascend.
        """
        cells = matrix(values, "values")
        across, down = floats(x_edges, "x_edges"), floats(y_edges, "y_edges")
        if cells.shape != (len(down) - 1, len(across) - 1):
            shape = (len(down) - 1, len(across) - 1)
            raise InvalidInputError(f"values has the shape {cells.shape}, the edges say {shape}")
        self._panel.add("heat", across, down, cells.ravel(), label)
        return self

    def svg(self) -> str:
        """Return the figure as an SVG document, whose size is in logical pixels.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a panel has nothing to draw, a text has no room, or a series has two roles.
        """
        return _mopse.plot.draw_svg(self._cores(), self._columns, self._title, self._size)

    def png(self) -> bytes:
        """Return the figure as a PNG with two pixels per logical pixel each way; see `svg`."""
        return _mopse.plot.draw_png(self._cores(), self._columns, self._title, self._size)

    @checked()
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the figure to a file, whole or not at all; one that is there is replaced.

        Parameters
        ----------
        path : path-like
            Its suffix is .svg or .png.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the suffix is another one, or the figure cannot be drawn.
        mopse.errors.FileAccessError
            If the file cannot be written.
        """
        target = as_file(path)
        match target.suffix.lower():
            case ".svg":
                content = self.svg().encode()
            case ".png":
                content = self.png()
            case suffix:
                raise InvalidInputError(f'cannot save as "{suffix}": the suffix is .svg or .png')
        write_whole(target, content, SHARED)

    def _cores(self) -> list[tuple[str, _mopse.plot.Panel]]:
        return [(title, panel.core) for title, panel in self._panels]

    def __copy__(self) -> Self:
        return copy.deepcopy(self)  # a layer that is added to one is not added to the other

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


@checked()
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


def _size(width: int, height: int) -> tuple[int, int]:
    # The core says which sizes there are; it counts without a sign.
    return max(width, 0), max(height, 0)


def _series(name: str, role: Role) -> tuple[str, str, int | None]:
    return name, role, SLOTS.get(name) if role == "series" else None
