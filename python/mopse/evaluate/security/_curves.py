"""How the figures of sweeps are drawn; closed forms lie over what was measured."""

from collections.abc import Sequence

import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse.attacks import summary

__all__ = ["SHARE", "WHOLE", "by_scheme", "curves", "expected_curve", "guessing_curve"]

SHARE = "share of records"

WHOLE = (0.0, 1.02)


def curves(
    figure: plot.Figure, table: pl.DataFrame, x: str, by: str, *, clusters: Sequence[str]
) -> plot.Figure:
    """Add a line of means with their intervals per value of a column."""
    told = summary(table, list(dict.fromkeys([by, x, "metric"])), clusters=clusters)
    for (name,), part in told.group_by(by, maintain_order=True):
        curve = part.sort(x)
        figure.line(curve[x], curve["value"], name=str(name))
        figure.intervals(curve[x], curve["low"], curve["high"], name=str(name))
    return figure


def expected_curve(figure: plot.Figure, table: pl.DataFrame, x: str, name: str) -> plot.Figure:
    """Add the mean of a closed form."""
    curve = table.group_by(x).agg(pl.col("value").mean()).sort(x)
    return figure.line(curve[x], curve["value"], name=name, role="expected")


def guessing_curve(figure: plot.Figure, table: pl.DataFrame, x: str) -> plot.Figure:
    """Add the baseline of guessing without a view."""
    curve = table.group_by(x).agg(pl.col("baseline").mean()).sort(x)
    return figure.line(curve[x], curve["baseline"], name="guessing", role="control")


def by_scheme(table: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return the rows of each scheme, in the order in which schemes are always named."""
    named = [(s, table.filter(pl.col("scheme") == s)) for s in schemes.SCHEMES]
    return [(scheme, part) for scheme, part in named if part.height]
