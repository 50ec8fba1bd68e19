"""Fields of which order alone tells every value: the warning before they are encrypted."""

import math
import warnings
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse.errors import InvalidInputError, WrongTypeError
from mopse.schema import Schema

__all__ = ["DENSE", "LeakageWarning", "accepted", "cells_of", "hopeless", "warn_of"]

DENSE = 0.9
"""A field is hopeless if more of its cells than this share occur."""


class LeakageWarning(UserWarning):
    """A field is encrypted of which the order of the ciphertexts alone tells nearly every value."""


def cells_of(plaintexts: NDArray[np.int64], cells: int, width: int) -> NDArray[np.int64]:
    """Return how many values each cell has."""
    return np.bincount(plaintexts // width, minlength=cells)


def hopeless(counts: NDArray[np.int64]) -> str | None:
    """Return why order alone tells the cell of nearly every value; None if it does not.

    Parameters
    ----------
    counts : (B,) int64 array
        How many values each cell has.

    Returns
    -------
    str or None
        A clause for a message.
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


def accepted(fields: Any, schema: Schema) -> Collection[str]:
    """Return names of fields whose leakage is accepted, or say what is none."""
    if isinstance(fields, str) or not isinstance(fields, Iterable):
        raise WrongTypeError("accept_leakage must be a list of names of fields")
    names = list(fields)
    if not all(isinstance(name, str) for name in names):
        raise WrongTypeError("accept_leakage must be a list of names of fields")
    unknown = [name for name in names if name not in schema]
    if unknown:
        raise InvalidInputError(f"the schema has no field {unknown[0]!r} to accept the leakage of")
    return names


def warn_of(
    schema: Schema,
    indexed: Iterable[tuple[str, Any, NDArray[np.int64]]],
    fields: Collection[str],
) -> None:
    """Warn of hopeless fields, but for those that are named."""
    for name, _, plaintexts in indexed:
        if name in fields:
            continue
        field = schema[name]
        why = hopeless(cells_of(plaintexts, field.cells, field.cell))
        if why is not None:
            warnings.warn(
                f"field {name!r}: a copy of the store tells nearly every value to the cell, for "
                f"{why}. See mopse.leakage_report; to encrypt it nevertheless without this "
                f"warning pass accept_leakage=[{name!r}]",
                LeakageWarning,
                stacklevel=3,
            )
