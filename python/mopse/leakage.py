"""What encrypting a table would leak: the report beforehand, and the warning of `encrypt`."""

import html
import math
import warnings
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse._checks import instance, items, listed, string
from mopse._formulas import (
    expected_queries,
    expected_rank_recovery,
    information,
    limit_information,
)
from mopse._table import as_frame
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.schema import Schema

__all__ = ["LeakageReport", "LeakageWarning", "accepted", "leakage_report", "warn_of"]

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

    @property
    def table(self) -> pl.DataFrame:
        """The numbers, one row per field; see `leakage_report`."""
        return self._table

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
        return "\n".join(told)

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
        return f"<table><tr>{head}</tr>{rows}</table><ul>{told}</ul>"


def leakage_report(table: Any, schema: Schema) -> LeakageReport:
    """Return what a table's index entries would leak, before anything is encrypted.

    Parameters
    ----------
    table : table
        A Polars, pandas or Arrow table, or a mapping from names to arrays, with a column for each
        field of the schema: all records that would be merged, of all providers.
    schema : Schema
        The fields, with the cells that are meant.

    Returns
    -------
    LeakageReport
        One row per field: ``field``, ``values`` and ``cells`` (how many there can be), ``records``
        (with a value), ``density`` (share of cells that occur), ``entropy_bits`` and
        ``min_entropy_bits`` of the cells, ``mode_share`` (right by always guessing the commonest
        cell), ``rank_recovery`` (share of cells that an adversary who knows this distribution is
        expected to find from ranks alone, with all repetition hidden), ``leaked_bits`` (what one
        ciphertext tells of its value), ``queries_to_strip`` (how many uniformly random queries show
        every cut between cells, so that repetition is hidden no longer), ``verdict``, ``reason``
        and ``advice``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a column is missing, or a value is outside its field or off its grid.
    mopse.errors.WrongTypeError
        If something is of another type.

    Notes
    -----
    *hopeless*: more than nine tenths of the cells occur, or there are at least ``B ln B`` records
    over ``B`` cells, so that they will. *weak*: ranks alone tell at least half of the records, or
    twice what guessing tells and at least a tenth. *leaks order*: all the rest: there is no verdict
    that says a field is secure. The table is what is at stake, so the numbers use its own
    distribution: an adversary with worse knowledge finds less. A provider that works with the cloud
    finds every cell, whatever stands here.

    References
    ----------
    .. [1] M. Naveed, S. Kamara and C. V. Wright, "Inference Attacks on Property-Preserving
       Encrypted Databases", CCS 2015.
    .. [2] P. Grubbs et al., "Leakage-Abuse Attacks against Order-Revealing Encryption", IEEE S&P
       2017, on ranks ("binomial attack").
    .. [3] A. Boldyreva, N. Chenette and A. O'Neill, "Order-Preserving Encryption Revisited",
       CRYPTO 2011, on what one ciphertext tells.

    Examples
    --------
    >>> import mopse
    >>> schema = mopse.Schema(sex=mopse.Field.boolean(), age=mopse.Field(0, 120))
    >>> table = {"sex": [True, False, True], "age": [41, 70, 12]}
    >>> mopse.leakage_report(table, schema)
    LeakageReport(sex: hopeless, age: weak)
    """
    instance(schema, Schema, "a schema")
    frame = schema._named(as_frame(table))
    rows = []
    for name, field in schema.items():
        if name not in frame.columns:
            raise InvalidInputError(
                f"the table has no column for field {name!r}: {listed(name, frame.columns)}"
            )
        _, plaintexts = field.plaintexts_of(frame[name])
        if not len(plaintexts):
            raise InvalidInputError(f"field {name!r} has no value to report on")
        counts = _cells_of(plaintexts, field.cells, field.cell)
        rows.append({"field": name, "values": field.plaintexts, **_report(counts)})
    return LeakageReport(pl.DataFrame(rows))


def _report(counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the numbers of one field from how many values each cell has."""
    cells, records = len(counts), int(counts.sum())
    shares = counts / records
    occurring = shares[shares > 0]
    mode = float(shares.max())
    ranks = float(expected_rank_recovery(shares, records))
    why = _hopeless(counts)
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


class LeakageWarning(UserWarning):
    """A field is encrypted of which the order of the ciphertexts alone tells nearly every value."""


def accepted(fields: Any, schema: Schema) -> Collection[str]:
    """Return names of fields whose leakage is accepted, or say what is none."""
    instance(schema, Schema, "a schema")
    names = items(fields, "accept_leakage", "list of names of fields")
    if not all(isinstance(name, str) for name in names):
        raise WrongTypeError("accept_leakage must be a list of names of fields")
    unknown = [name for name in names if schema._spelt(name) not in schema]
    if unknown:
        raise InvalidInputError(f"the schema has no field {unknown[0]!r} to accept the leakage of")
    return [schema._spelt(name) for name in names]


def warn_of(
    schema: Schema,
    indexed: Iterable[tuple[str, Any, NDArray[np.int64]]],
    fields: Collection[str],
) -> None:
    """Warn whoever called a provider's method of hopeless fields, but for those that are named."""
    instance(schema, Schema, "a schema")
    named = items(fields, "fields", "list of names of fields")
    for column in items(indexed, "indexed", "list of fields with rows and plaintexts"):
        if not isinstance(column, tuple) or len(column) != 3:
            raise WrongTypeError("indexed must hold a field's name, rows and plaintexts each")
        name, plaintexts = string(column[0], "indexed: a field's name"), column[2]
        if name in named:
            continue
        field = schema[name]
        why = _hopeless(_cells_of(plaintexts, field.cells, field.cell))
        if why is not None:
            warnings.warn(
                f"field {name!r}: a copy of the store tells nearly every value to the cell, for "
                f"{why}. See mopse.leakage_report; to encrypt it nevertheless without this "
                f"warning pass accept_leakage=[{name!r}]",
                LeakageWarning,
                stacklevel=4,  # this, what both methods call, the method
            )


def _cells_of(plaintexts: NDArray[np.int64], cells: int, width: int) -> NDArray[np.int64]:
    """Return how many values each cell has."""
    return np.bincount(plaintexts // width, minlength=cells)


def _hopeless(counts: NDArray[np.int64]) -> str | None:
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
