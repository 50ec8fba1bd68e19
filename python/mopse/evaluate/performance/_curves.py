"""How the figures of times are drawn."""

import polars as pl

from mopse import plot

__all__ = ["ASKING", "in_ms", "scheme_curves"]

ASKING = ["ask", "search"]
"""The steps of a query without its answer."""

_MS = "time [ms]"


def in_ms(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table of seconds with a column of milliseconds beside them."""
    return table.with_columns((pl.col("time_s") * 1e3).alias(_MS))


def scheme_curves(table: pl.DataFrame, *, x: str, y: str = _MS, title: str = "") -> plot.Figure:
    """Return a line per scheme on log axes."""
    return plot.lines(table, x=x, y=y, by="scheme", x_scale="log10", y_scale="log10", title=title)
