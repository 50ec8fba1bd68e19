"""The columns that a provider derives for de-identified portions, before it seals a table."""

import datetime
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse._checks import near, spelt
from mopse._deidentified import UNITS, Deidentified, Rule, derived_name, shown
from mopse._fork import check_tables
from mopse._table import record_ids
from mopse._types import name_of
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["Keyed", "coarse", "days_of", "derived"]

_EXACT = 2**53
"""Whole numbers up to here are exact in a float."""
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = 1 - _EPOCH, datetime.date.max.toordinal() - _EPOCH
_CODES = [
    *(datetime.date(1899, 12, 30), datetime.date(1899, 12, 31)),
    *(datetime.date(2999, 12, 31), datetime.date.max),
]
"""Days that stand for a missing value, and that nothing else happens on."""


class Keyed(Protocol):
    """What has the keys of pseudonyms and shifts."""

    def pseudonyms(self, is_of_group: bool, portion: str, column: str, values: Any) -> bytes:
        """Return 16 bytes for each value."""

    def shifts(self, is_of_group: bool, days: int, subjects: Any) -> NDArray[np.int64]:
        """Return a number of days for each subject."""


def derived(
    frame: pl.DataFrame, portions: Mapping[str, Deidentified], id_column: str, keys: Keyed
) -> pl.DataFrame:
    """Return a table with the columns that its de-identified portions derive, at its end.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a value cannot become what the rule says, a column is called like one that is derived,
        one that a rule names is missing and one of nearly its name is there, or a subject is null
        or missing; the message names column and row.
    mopse.errors.WrongTypeError
        If a column is of a type that the rule is not for.
    """
    added = []
    for portion, of in portions.items():
        is_of_group = of.within == "group"
        shifts: NDArray[np.int64] | None = None
        for name, rule in _present(frame, portion, of):
            new = derived_name(portion, name)
            if rule.kind == "pseudonym":
                column = _pseudonyms(frame, name, portion, is_of_group, keys)
            elif rule.kind == "shift_dates":
                if shifts is None:
                    subjects = _subjects(frame, portion, of.subject or id_column)
                    shifts = keys.shifts(is_of_group, rule.days or 0, subjects)
                column = _shifted(frame[name], shifts)
            else:
                column = coarse(frame[name], rule)
            added.append(column.alias(new))
    if not added:
        return frame
    for column in added:
        if column.name in frame.columns:
            raise InvalidInputError(f"column {column.name!r} is the name of one that is derived")
    return frame.with_columns(added)


def _present(frame: pl.DataFrame, portion: str, of: Deidentified) -> Iterable[tuple[str, Rule]]:
    """Return the rules that derive a column, for those that the table has."""
    others = [column for column in frame.columns if column not in of.rules]
    for name, rule in of.rules.items():
        if name not in frame.columns:
            like = near(name, others)
            if like is not None and rule.kind != "drop":
                raise InvalidInputError(
                    f"portion {portion!r}: the table has no column {name!r}, and no rule is for "
                    f"its {like!r}: correct one of the names, or say drop()"
                )
        elif rule.is_derived:
            yield name, rule


def _subjects(frame: pl.DataFrame, portion: str, name: str) -> Any:
    if name not in frame.columns:
        raise InvalidInputError(
            f"portion {portion!r}: the table has no column {name!r} of subjects"
        )
    return record_ids(frame, name)


def _pseudonyms(
    frame: pl.DataFrame, name: str, portion: str, is_of_group: bool, keys: Keyed
) -> pl.Series:
    column = frame[name]
    if column.null_count() == len(column):
        return pl.Series(name, [None] * len(column), dtype=pl.String)
    # Where there is no value, another one is hashed and left out.
    filled = column.fill_null(column.drop_nulls()[0])
    found = keys.pseudonyms(is_of_group, portion, name, record_ids(filled.to_frame(), name)).hex()
    texts = [found[at : at + 32] for at in range(0, len(found), 32)]
    return _nulled(pl.Series(name, texts, dtype=pl.String), column)


def _nulled(made: pl.Series, column: pl.Series) -> pl.Series:
    """Return what was made of a column, with nulls where it has nulls."""
    if not column.null_count():
        return made
    kept = pl.when(column.is_not_null()).then(made)
    return pl.select(kept.alias(made.name)).to_series()


def _shifted(column: pl.Series, shifts: NDArray[np.int64]) -> pl.Series:
    dates = days_of(column)
    is_code = dates.is_in(_CODES).fill_null(value=False)
    if is_code.any():
        raise _fault(
            column, is_code, "the day is a code, which tells the shift: make it null if it is one"
        )
    days = dates.to_physical().cast(pl.Int64) + pl.Series(shifts)
    is_far = ~days.is_between(_FIRST_DAY, _LAST_DAY).fill_null(value=True)
    if is_far.any():
        raise _fault(column, is_far, "the day, or what it is shifted to, is in no year 1 to 9999")
    return days.cast(pl.Int32).cast(pl.Date)


def days_of(column: pl.Series) -> pl.Series:
    """Return the days that the dates and moments of a column lie in.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it holds others.
    """
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=pl.Date)
    if not isinstance(column.dtype, pl.Date | pl.Datetime):
        raise _unfit(column, "dates and moments are shifted")
    return column.dt.date()


def coarse(column: pl.Series, rule: Rule) -> pl.Series:
    """Return a column as a rule of `coarsen` makes it.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a value cannot become what the rule says; the message names column and row.
    mopse.errors.WrongTypeError
        If the column is of a type that the rule is not for.
    """
    check_tables()
    if column.null_count() == len(column):
        return column
    if rule.groups:
        return _grouped(column, dict(rule.groups))
    if rule.unit is not None:
        if not isinstance(column.dtype, pl.Date | pl.Datetime):
            raise _unfit(column, "dates and moments become a " + rule.unit)
        return column.dt.date().dt.truncate(UNITS[rule.unit])
    if rule.width is None or not (column.dtype.is_integer() or column.dtype.is_float()):
        raise _unfit(column, "whole numbers and floats become multiples of a width")
    of = _whole_multiples if column.dtype.is_integer() else _multiples
    return of(column, rule.width, rule.top)


def _whole_multiples(column: pl.Series, width: Fraction, top: Fraction | None) -> pl.Series:
    for number in (width, top):
        if number is not None and number.denominator > 1:
            raise InvalidInputError(
                f"column {column.name!r} holds whole numbers, and {shown(number)} is none"
            )
    wide = column.cast(pl.Int128)
    unit = pl.Series([width.numerator], dtype=pl.Int128)
    multiples = wide // unit * unit
    if top is not None:
        end = pl.lit(pl.Series([top.numerator], dtype=pl.Int128)).first()
        capped = pl.when(wide >= top.numerator).then(end).otherwise(multiples)
        multiples = pl.select(capped.alias(column.name)).to_series()
    narrow = multiples.cast(column.dtype, strict=False)
    is_lost = narrow.is_null() & column.is_not_null()
    if is_lost.any():
        raise _fault(column, is_lost, f"{name_of(column.dtype)} does not hold what it becomes")
    return narrow


def _multiples(column: pl.Series, width: Fraction, top: Fraction | None) -> pl.Series:
    values = column.cast(pl.Float64).fill_null(0.0).to_numpy()
    is_odd = ~np.isfinite(values)
    if is_odd.any():
        raise _fault(column, pl.Series(is_odd), "the value is not finite")
    up, down = width.numerator, width.denominator
    numbers = np.floor(values * down / up)
    is_odd = np.abs(numbers) * up >= _EXACT
    if is_odd.any():
        raise _fault(column, pl.Series(is_odd), "the value is too large for this width")

    def multiple(number: NDArray[np.float64]) -> NDArray[np.float64]:
        # One division of exact numbers is the float that the decimal reads as.
        exact = number * up / down
        return exact if column.dtype == pl.Float64 else _half(exact, column.dtype)

    numbers = np.where(multiple(numbers + 1) <= values, numbers + 1, numbers)
    numbers = np.where(multiple(numbers) > values, numbers - 1, numbers)
    made = multiple(numbers)
    if top is not None:
        made = np.where(values >= float(top), float(top), made)
    return _nulled(pl.Series(column.name, made).cast(column.dtype), column)


def _half(numbers: NDArray[np.float64], dtype: pl.DataType) -> NDArray[np.float64]:
    """Return numbers as those of a narrower type."""
    return pl.Series(numbers).cast(dtype).cast(pl.Float64).to_numpy()


def _grouped(column: pl.Series, groups: Mapping[str | int, str]) -> pl.Series:
    is_of_text = isinstance(next(iter(groups)), str)
    dtype = column.dtype
    is_text = dtype == pl.String or isinstance(dtype, pl.Enum | pl.Categorical)
    if not (is_text if is_of_text else dtype.is_integer()):
        raise _unfit(column, f"{'text' if is_of_text else 'whole numbers'} become groups here")
    values = column.cast(pl.String) if is_text else column
    known = {one: groups.get(spelt(one)) for one in values.unique().drop_nulls()}
    made = values.replace_strict(known, default=None, return_dtype=pl.String)
    is_unknown = made.is_null() & column.is_not_null()
    if is_unknown.any():
        raise _fault(column, is_unknown, "the value is in no group")
    return made


def _fault(column: pl.Series, is_odd: pl.Series, what: str) -> InvalidInputError:
    return InvalidInputError(f"column {column.name!r}, row {is_odd.arg_max()}: {what}")


def _unfit(column: pl.Series, what: str) -> WrongTypeError:
    return WrongTypeError(f"column {column.name!r} is {name_of(column.dtype)}: {what}")
