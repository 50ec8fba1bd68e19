"""The verdict on a field: what the order of its cells tells, from how many values each holds."""

import html
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse._formulas import (
    expected_queries,
    expected_rank_recovery,
    information,
    limit_information,
)

__all__ = ["LeakageReport", "cells_of", "reported", "why_hopeless"]

DENSE = 0.9
"""A field is hopeless if more of its cells than this share occur."""

ADVICE = {
    "hopeless": (
        "Order alone tells nearly every cell: do not outsource this field under any scheme that "
        "keeps order. Widen its cells until they hide what must stay hidden, leave it out of the "
        "schema and filter after decryption, or use oblivious or response-hiding search."
    ),
    "weak": (
        "A copy of the store and public statistics tell a large part of the values; tolerances of "
        "a few steps tell nearly all. Tolerable for public or synthetic data, teaching and "
        "measurements, not for records of people."
    ),
    "leaks order": (
        "A copy of the store tells the order of all records and about half the bits of each "
        "value; queries and a provider that works with the cloud tell the rest. Accept that in "
        "writing, or do not outsource it."
    ),
    "nothing to hide": "One value or cell only: the index tells who has an entry, and no more.",
}


class LeakageReport:
    """What a copy of the store, and queries, tell of each field. Made by `leakage_report`.

    Notes
    -----
    A notebook shows it as a table; `table` has the numbers.
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self._table = table
        self._portions: pl.DataFrame | None = None
        self._told: tuple[str, ...] = ()

    @classmethod
    def _with(
        cls, table: pl.DataFrame, portions: pl.DataFrame | None, told: Iterable[str]
    ) -> "LeakageReport":
        report = cls(table)
        report._portions, report._told = portions, tuple(told)
        return report

    @property
    def table(self) -> pl.DataFrame:
        """The numbers, one row per field; see `leakage_report`."""
        return self._table

    @property
    def portions(self) -> pl.DataFrame | None:
        """What de-identified portions tell of whose records they are; None if there are none.

        Rows of `mopse.sharing.reidentification` in which all attributes are known.
        """
        return self._portions

    @property
    def hopeless(self) -> list[str]:
        """The fields of which order alone tells nearly every cell."""
        return self._table.filter(pl.col("verdict") == "hopeless")["field"].to_list()

    def __repr__(self) -> str:
        lines = [f"{row['field']}: {row['verdict']}" for row in self._table.to_dicts()]
        return f"LeakageReport({', '.join(lines)})"

    def __str__(self) -> str:
        told = []
        for row in self._table.to_dicts():
            told.append(f"{row['field']}: {row['verdict']}. {row['reason']}")
            told.append(f"    {ADVICE[row['verdict']]}")
        return "\n".join([*told, *self._told])

    def _repr_html_(self) -> str:
        titles = {
            "field": "field",
            "cells": "cells",
            "records": "records",
            "density": "share of cells that occur",
            "entropy_bits": "entropy, bits",
            "min_entropy_bits": "min-entropy, bits",
            "mode_share": "right by guessing the commonest",
            "rank_recovery": "right by rank alone, expected",
            "leaked_bits": "bits one ciphertext tells",
            "queries_to_strip": "queries that show all cuts",
            "verdict": "verdict",
        }

        def shown(name: str, value: Any) -> str:
            if name in ("density", "mode_share", "rank_recovery"):
                return f"{value:.0%}"
            if isinstance(value, float):
                return f"{value:,.0f}" if name == "queries_to_strip" else f"{value:.1f}"
            return f"{value:,}" if isinstance(value, int) else html.escape(str(value))

        head = "".join(f"<th>{title}</th>" for title in titles.values())
        rows = "".join(
            "<tr>" + "".join(f"<td>{shown(name, row[name])}</td>" for name in titles) + "</tr>"
            for row in self._table.to_dicts()
        )
        told = "".join(
            f"<li><b>{verdict}</b>: {ADVICE[verdict]}</li>"
            for verdict in dict.fromkeys(self._table["verdict"])
        )
        of_portions = "".join(f"<li>{html.escape(line.strip())}</li>" for line in self._told)
        return f"<table><tr>{head}</tr>{rows}</table><ul>{told}{of_portions}</ul>"


def reported(counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the numbers of one field from how many values each cell has."""
    cells, records = len(counts), int(counts.sum())
    shares = counts / records
    occurring = shares[shares > 0]
    mode = float(shares.max())
    ranks = float(expected_rank_recovery(shares, records))
    why = why_hopeless(counts)
    if cells == 1:
        verdict, reason = "nothing to hide", "Its domain has one cell."
    elif why is not None:
        verdict, reason = "hopeless", f"{why[0].upper()}{why[1:]}."
    else:
        is_weak = ranks >= 0.5 or ranks >= max(0.1, 2 * mode)
        verdict = "weak" if is_weak else "leaks order"
        reason = (
            f"Ranks alone are expected to tell {ranks:.0%} of the cells, guessing tells {mode:.0%}."
        )
    return {
        "cells": cells,
        "records": records,
        "density": float(np.count_nonzero(counts) / cells),
        "entropy_bits": float(-(occurring * np.log2(occurring)).sum()) + 0.0,
        "min_entropy_bits": float(-np.log2(mode)) + 0.0,
        "mode_share": mode,
        "rank_recovery": ranks,
        "leaked_bits": _leaked_bits(cells),
        "queries_to_strip": float(expected_queries(cells)) if cells > 1 else 0.0,
        "verdict": verdict,
        "reason": reason,
        "advice": ADVICE[verdict],
    }


def _leaked_bits(cells: int) -> float:
    """Return what one ciphertext tells of a uniform value: exactly where there are few cells."""
    if cells == 1:
        return 0.0
    # At 128 times as many ciphertexts as cells a larger range changes less than 0.02 bits.
    return information(cells, 2**14) if cells <= 128 else limit_information(cells)


def cells_of(plaintexts: NDArray[np.int64], cells: int, width: int) -> NDArray[np.int64]:
    """Return how many values each cell has."""
    return np.bincount(plaintexts // width, minlength=cells)


def why_hopeless(counts: NDArray[np.int64]) -> str | None:
    """Return a clause that says why order alone tells the cell of nearly every value, or None.

    `counts` has how many values each cell holds.
    """
    cells, records = len(counts), int(counts.sum())
    if cells == 1 or not records:
        return None
    density = np.count_nonzero(counts) / cells
    if density > DENSE:
        return f"{density:.0%} of its {cells:,} cells occur"
    enough = math.ceil(cells * math.log(cells))
    if records >= enough:
        return f"{records:,} records over {cells:,} cells are at least {enough:,}"
    return None
