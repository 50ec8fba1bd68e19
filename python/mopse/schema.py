"""Fields and schemas: which values can be indexed, and how coarsely."""

import datetime
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checks import instance, integer, is_integer, items, mapping, spelt, text
from mopse._types import declared, name_of
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["Field", "Schema"]

_EPOCH = datetime.date(1970, 1, 1)


class Field:
    """The values of a column that can be indexed: a grid, and the width of its cells.

    Parameters
    ----------
    minimum, maximum : int, float or datetime.date
        The lowest and the highest value, both included. Dates make a field of calendar days.
    step : int or float, default 1
        The distance of neighbouring values, in the values' unit; in days for dates.
    cell : int, optional
        How many steps share a cell. Index entries and queries know the cell of a value and no more,
        so a wider cell hides more and finds more records that do not match, which are dropped after
        decryption. By default the narrowest that gives at most 2^16 cells, which is 1 up to 2^16
        values.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the grid is empty, has more than 2^32 values, misses its maximum, or has more than 2^20
        cells.
    mopse.errors.WrongTypeError
        If an argument is not a number, or a date where the other bound is one.

    Examples
    --------
    >>> from mopse import Field
    >>> Field(0, 120)
    Field(0, 120)
    >>> Field(8, 100, step=0.1, cell=5).cells
    185
    >>> Field.categories(["poor", "fair", "good"]).plaintexts
    3
    """

    def __init__(
        self,
        minimum: float | datetime.date,
        maximum: float | datetime.date,
        *,
        step: float = 1,
        cell: int | None = None,
    ) -> None:
        is_date = [_is_date(bound) for bound in (minimum, maximum)]
        if any(is_date) and not all(is_date):
            raise WrongTypeError("minimum and maximum must both be dates, or both numbers")
        self._init("date" if all(is_date) else "number", minimum, maximum, step, cell, ())

    def _init(
        self, kind: str, minimum: Any, maximum: Any, step: Any, cell: Any, levels: Sequence[str]
    ) -> None:
        fault = "the cell must be at least 1 step wide"
        steps = None if cell is None else integer(cell, "cell", 1, fault=fault)
        self._kind, self._levels = kind, tuple(levels)
        ranks = {level: rank for rank, level in enumerate(self._levels)}
        self._ranks_by_label = {spelt(level): rank for level, rank in ranks.items()} | ranks
        self._minimum, self._maximum, self._step = minimum, maximum, step
        low, high, width = (_number(value, "a bound or step") for value in (minimum, maximum, step))
        self._field = _mopse.schema.Field(kind, low, high, width, steps, levels)
        self._is_wide_by_default = cell is None and self._field.cell > 1

    @classmethod
    def boolean(cls) -> "Field":
        """Return the field of truth values, as are its bounds in a query; false is below true."""
        field = cls.__new__(cls)
        field._init("boolean", 0, 1, 1, None, ())
        return field

    @classmethod
    def categories(cls, levels: Sequence[str], *, cell: int | None = None) -> "Field":
        """Return the field of ordered categories, whose names are its bounds in a query.

        Parameters
        ----------
        levels : sequence of str
            All categories, lowest first. Values and bounds find them in any Unicode form.
        cell : int, optional
            How many neighbouring categories share a cell; 1 by default.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no category, or one twice, be it in two Unicode forms.
        """
        given = [levels] if isinstance(levels, str) else items(levels, "categories", "list of str")
        if not all(isinstance(level, str) for level in given):
            raise WrongTypeError("categories must be strings")
        levels = [spelt(text(level, "a category")) for level in given]
        if not levels or len(set(levels)) != len(levels):
            raise InvalidInputError("categories must be at least one, and differ")
        field = cls.__new__(cls)
        field._init("category", 0, len(levels) - 1, 1, cell, levels)
        return field

    @classmethod
    def _restore(
        cls, kind: str, low: float, high: float, step: float, cell: int, levels: Sequence[str]
    ) -> "Field":
        def bound(value: float) -> Any:
            if kind == "date":
                return _EPOCH + datetime.timedelta(days=value)
            return int(value) if value.is_integer() else value

        field = cls.__new__(cls)
        width = int(step) if step.is_integer() else step
        field._init(kind, bound(low), bound(high), width, cell, levels)
        return field

    @property
    def plaintexts(self) -> int:
        """How many values the grid has."""
        return self._field.plaintexts

    @property
    def cell(self) -> int:
        """How many steps share a cell."""
        return self._field.cell

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self._field.cells

    def plaintexts_of(self, column: pl.Series) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the rows of a column that hold a value, and the plaintext of each.

        Parameters
        ----------
        column : polars.Series
            Values of the field; nulls are left out.

        Returns
        -------
        tuple of (n,) uint32 array and (n,) int64 array
            Row numbers, ascending, and plaintexts.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a value is outside the domain, off the grid, infinite or not a number; the message
            names column and row.
        """
        name = repr(column.name)
        is_valid = column.is_not_null().to_numpy()
        try:
            if self._kind == "category":
                return self._field.of_integers(self._ranks(column), is_valid)
            allowed = {
                "number": column.dtype.is_integer() or column.dtype.is_float(),
                "boolean": column.dtype == pl.Boolean,
                "date": column.dtype == pl.Date,
            }
            if not allowed[self._kind]:
                raise WrongTypeError(f"the field is of {self._kind} values, not of {column.dtype}")
            if column.dtype.is_float():
                floats = column.cast(pl.Float64).fill_null(0.0).to_numpy()
                return self._field.of_floats(np.ascontiguousarray(floats), is_valid)
            whole = column.to_physical().cast(pl.Int64, strict=False)
            is_large = whole.is_null() & column.is_not_null()
            if is_large.any():
                row = is_large.arg_max()
                raise InvalidInputError(f"the value in row {row} does not fit an int64")
            return self._field.of_integers(
                np.ascontiguousarray(whole.fill_null(0).to_numpy()), is_valid
            )
        except InvalidInputError as error:
            raise type(error)(f"field {name}: {error}") from None

    def _ranks(self, column: pl.Series) -> NDArray[np.int64]:
        if not (column.dtype == pl.String or isinstance(column.dtype, pl.Enum | pl.Categorical)):
            raise WrongTypeError(f"the field is of categories, not of {column.dtype}")
        labels = column.cast(pl.String)
        known = {label: self._rank(label) for label in labels.unique().drop_nulls()}
        ranks = labels.replace_strict(known, default=None, return_dtype=pl.Int64)
        is_unknown = ranks.is_null() & column.is_not_null()
        if is_unknown.any():
            raise InvalidInputError(f"the value in row {is_unknown.arg_max()} is no category of it")
        return np.ascontiguousarray(ranks.fill_null(0).to_numpy())

    def _rank(self, label: str) -> int | None:
        """Return the rank of a category however it is typed; of equal ones the one as typed."""
        return self._ranks_by_label.get(label, self._ranks_by_label.get(spelt(label)))

    def range(self, low: Any, high: Any) -> tuple[int, int] | None:
        """Return the plaintexts from `low` to `high`, both included, or None if there are none.

        Parameters
        ----------
        low, high : value of the field or None
            None is open. Bounds off the grid round inwards, bounds beyond the domain are
            intersected with it.

        Raises
        ------
        mopse.errors.InvalidInputError
            If ``low > high``, one is not a number, or no category of the field.
        """
        return self._field.range(self._bound(low), self._bound(high))

    def _bound(self, bound: Any) -> float | None:
        if bound is None:
            return None
        if self._kind == "category":
            if not isinstance(bound, str):
                raise WrongTypeError("a bound must be the name of a category")
            rank = self._rank(bound)
            if rank is None:
                raise InvalidInputError("a bound is no category of the field")
            return float(rank)
        if self._kind == "boolean":
            if not isinstance(bound, bool | np.bool_):
                raise WrongTypeError("a bound must be a truth value")
            return float(bound)
        if (self._kind == "date") != _is_date(bound):
            raise WrongTypeError(f"a bound must be a {self._kind}, not {type(bound).__name__}")
        return _number(bound, "a bound")

    def _state(self) -> tuple[Any, ...]:
        bounds = _number(self._minimum, ""), _number(self._maximum, ""), _number(self._step, "")
        return self._kind, *bounds, self.cell, self._levels

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self._state() == other._state()

    def __hash__(self) -> int:
        return hash(self._state())

    def __repr__(self) -> str:
        cell = "" if self.cell == 1 else f", cell={self.cell}"
        if self._kind == "boolean":
            return "Field.boolean()"
        if self._kind == "category":
            return f"Field.categories({list(self._levels)}{cell})"
        step = "" if self._step == 1 else f", step={self._step}"
        if self._kind == "date":
            return f"Field({self._minimum!r}, {self._maximum!r}{step}{cell})"
        return f"Field({self._minimum}, {self._maximum}{step}{cell})"


class Schema(Mapping[str, Field]):
    """The named fields that an owner's records are indexed by.

    Parameters
    ----------
    fields : mapping from str to Field, optional
        Fields whose names are no Python names; they come first.
    types : mapping from str to Polars dtype, optional
        Types of columns, indexed or not. `mopse.Provider.encrypt` gives columns these types, and
        refuses a value that the type does not hold as it is, so that those of all providers meet.
    **more_fields : Field
        One per indexed column, by the column's name.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no field, one is given twice, be it in two Unicode forms, or a name is longer
        than 255 bytes.
    mopse.errors.WrongTypeError
        If something is not a Field, or not a dtype that records hold.

    Notes
    -----
    A schema is a mapping from names to fields. It is no secret: the cloud sees the names of the
    fields, and every upload and token names the schema's digest. Schemas are equal if they have
    equal fields in the same order, and then have equal digests. Names are in Unicode's form NFC,
    and those of columns and ranges are taken as if they were: an accent typed apart, as macOS does,
    is the same.

    Types are in the Schema object alone: not in the digest, and not in saved keyrings, so give the
    schema to `mopse.Owner.open` and `mopse.Provider.open` again, with ``schema=``.

    Examples
    --------
    >>> import mopse
    >>> schema = mopse.Schema(age=mopse.Field(0, 120), bmi=mopse.Field(8, 100, step=0.1, cell=5))
    >>> schema
    Schema(age=Field(0, 120), bmi=Field(8, 100, step=0.1, cell=5))
    >>> list(schema)
    ['age', 'bmi']
    """

    def __init__(
        self,
        fields: Mapping[str, Field] | None = None,
        /,
        *,
        types: Mapping[str, Any] | None = None,
        **more_fields: Field,
    ) -> None:
        named: dict[str, Field] = {}
        first = {} if fields is None else mapping(fields, "fields")
        for given, field in [*first.items(), *more_fields.items()]:
            name = spelt(text(given, "a field's name"))
            if name in named:
                raise InvalidInputError(f"field {name!r} is given twice")
            named[name] = instance(field, Field, repr(name))
        self._init(named, types)

    @classmethod
    def _restore(cls, fields: Mapping[str, Field]) -> "Schema":
        """Return the schema of a keyring, which may spell names as it likes."""
        schema = cls.__new__(cls)
        schema._init(fields, None)
        return schema

    def _init(self, fields: Mapping[str, Field], types: Mapping[str, Any] | None) -> None:
        self._fields = dict(fields)
        self._spellings = {spelt(name): name for name in self._fields}
        self._schema = _mopse.schema.Schema([(name, f._field) for name, f in self.items()])
        self._types = declared(types)

    @property
    def types(self) -> Mapping[str, pl.DataType]:
        """The declared types of columns, by the column's name."""
        return MappingProxyType(self._types)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the schema's canonical bytes, 32 bytes."""
        return bytes(self._schema.digest())

    def _spelt(self, name: Any) -> Any:
        """Return the name of a field as the schema spells it, that of another column in NFC."""
        name = spelt(name)
        return self._spellings.get(name, name) if isinstance(name, str) else name

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame whose columns are spelt as the schema spells them."""
        known: dict[str, str] = {}
        for column in frame.columns:
            other = known.setdefault(self._spelt(column), column)
            if other != column:
                raise InvalidInputError(
                    f"columns {other!r} and {column!r} are one name, typed twice"
                )
        return frame.rename({column: name for name, column in known.items() if column != name})

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        parts = [f"{name}={field}" for name, field in self.items()]
        if self._types:
            types = (f"{name!r}: {name_of(dtype)}" for name, dtype in self._types.items())
            parts.append(f"types={{{', '.join(types)}}}")
        return f"Schema({', '.join(parts)})"

    def _repr_html_(self) -> str:
        def row(name: str, field: Field) -> str:
            note = " (at most 2^16 cells by default)" if field._is_wide_by_default else ""
            cells = [name, repr(field), f"{field.plaintexts:,}", f"{field.cells:,}"]
            cells.append(f"{field.cell:,}{note}")
            return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"

        rows = "".join(row(name, field) for name, field in self.items())
        head = "".join(
            f"<th>{title}</th>" for title in ("name", "field", "values", "cells", "steps per cell")
        )
        return f"<table><tr>{head}</tr>{rows}</table>"


def _is_date(value: object) -> bool:
    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)


def _number(value: Any, what: str) -> float:
    if _is_date(value):
        return float((value - _EPOCH).days)
    if is_integer(value) or isinstance(value, float | np.floating):
        try:
            return float(value)
        except OverflowError:  # an int of more than 1024 bits
            return math.inf if value > 0 else -math.inf
    raise WrongTypeError(f"{what} must be a number or a date, not {type(value).__name__}")
