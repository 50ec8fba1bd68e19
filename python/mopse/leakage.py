"""What encrypting a table would leak: the report beforehand, and the warning of `encrypt`."""

import warnings
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse._checks import instance, items, listed, string
from mopse._reidentification import coarsened, told, whole
from mopse._table import as_frame
from mopse._verdict import LeakageReport, cells_of, reported, why_hopeless
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.schema import Schema

__all__ = ["LeakageReport", "LeakageWarning", "accepted", "leakage_report", "warn_of"]


def leakage_report(table: Any, schema: Schema) -> LeakageReport:
    """Return what a table's index entries would leak, before anything is encrypted.

    Parameters
    ----------
    table : table
        A Polars, pandas or Arrow table, or a mapping from names to arrays, with a column for each
        field of the schema, but for those that a rule of `mopse.sharing.coarsen` makes: all records
        that would be merged, of all providers.
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
        and ``advice``. Of the schema's de-identified portions `LeakageReport.portions` says what
        they tell of whose records they are.

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
    frame = coarsened(schema._named(as_frame(table)), schema)
    rows = []
    for name, field in schema.items():
        if name not in frame.columns:
            raise InvalidInputError(
                f"the table has no column for field {name!r}: {listed(name, frame.columns)}"
            )
        _, plaintexts = field.plaintexts_of(frame[name])
        if not len(plaintexts):
            raise InvalidInputError(f"field {name!r} has no value to report on")
        counts = cells_of(plaintexts, field.cells, field.cell)
        rows.append({"field": name, "values": field.plaintexts, **reported(counts)})
    found, lines = [], []
    for portion, of in schema.deidentified.items():
        found.append(whole(frame, schema, portion))
        lines += told(found[-1], of)
    return LeakageReport._with(pl.DataFrame(rows), pl.concat(found) if found else None, lines)


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
        why = why_hopeless(cells_of(plaintexts, field.cells, field.cell))
        if why is not None:
            warnings.warn(
                f"field {name!r}: a copy of the store tells nearly every value to the cell, for "
                f"{why}. See mopse.leakage_report; to encrypt it nevertheless without this "
                f"warning pass accept_leakage=[{name!r}]",
                LeakageWarning,
                stacklevel=4,  # this, what both methods call, the method
            )
