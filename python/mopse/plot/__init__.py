"""Figures, drawn in Rust. Tidy tables in; nothing is computed here but medians and counts.

One style for all: the control is grey and dashed, what is expected is black and dotted, every
other series has a colour-blind-safe colour and a marker of its own. The names in `SLOTS` look the
same in every figure. Column names become axis labels, so they carry the unit:
``"time per entry [ns]"``.
"""

from mopse.plot._counts import bars, heatmap, histogram
from mopse.plot._curves import lines, scatter, steps
from mopse.plot._figure import Figure, grid
from mopse.plot._style import CONTROL, SLOTS
from mopse.plot._style import Role as Role
from mopse.plot._style import Scale as Scale

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
