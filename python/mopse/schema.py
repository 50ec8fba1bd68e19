"""Fields and schemas: which values can be indexed, and how coarsely."""

import datetime
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from itertools import chain
from keyword import iskeyword
from types import MappingProxyType
from typing import Any
from unicodedata import normalize

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checks import (
    instance,
    integer,
    is_integer,
    items,
    listed,
    mapping,
    near,
    spelt,
    text,
    truth,
)
from mopse._deidentified import Deidentified, check_together
from mopse._fork import check_tables
from mopse._proposals import Proposal, proposals
from mopse._table import as_frame
from mopse._types import PROVIDER, declared, name_of
from mopse._verdict import LeakageReport, cells_of, reported
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["Field", "ProposedSchema", "Schema"]

_EPOCH = datetime.date(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_LENGTHS = {
    **{"W": Fraction(7), "D": Fraction(1), "h": Fraction(1, 24), "m": Fraction(1, 1440)},
    **{
        unit: Fraction(1, 86_400 * 1000**power)
        for power, unit in enumerate(("s", "ms", "us", "ns", "ps", "fs", "as"))
    },
}
"""Units of NumPy's moments in days."""
_NARROW = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32]
"""Integers that an int64 holds."""
_MOST_EXPONENT = 10_000
"""Beyond it a short Decimal is a Fraction that no memory holds."""


class Field:
    """The values of a column that can be indexed: a grid, and the width of its cells.

    Parameters
    ----------
    minimum, maximum : int, float, decimal.Decimal, fractions.Fraction or datetime.date
        The lowest and the highest value, both included. Dates make a field of calendar days; whole
        days may be moments without a time zone, of Python, pandas or NumPy.
    step : int, float, decimal.Decimal or fractions.Fraction, default 1
        The distance of neighbouring values, in the values' unit; in days for dates.
    cell : int, optional
        How many steps share a cell. Index entries and queries know the cell of a value and no more,
        so a wider cell hides more and finds more records that do not match, which are dropped after
        decryption. By default the narrowest that gives at most 2^16 cells, which is 1 up to 2^16
        values.
    proof : bool
        Whether answers to ranges of it can be proven by sums, see `mopse.Provider.seal`. A seal
        then has a table of 16 bytes a cell; 2^16 cells at most. It enters neither the schema's
        digest nor what fields are equal by.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the grid is empty, has more than 2^32 values, misses its maximum, or has more than 2^20
        cells.
    mopse.errors.WrongTypeError
        If an argument is not a number, or a date where the other bound is one.

    Notes
    -----
    Numbers are exact, and fields are equal however theirs are written. A float, Python's or
    NumPy's, is the whole number it is, or the shortest decimal that its own precision tells from
    others, as it is shown: 0.1 is ``Decimal("0.10")``. A step of a third is ``Fraction(1, 3)`` and
    no float.

    Values are read alike. Whole numbers, decimals, dates, and floats where minimum and step are
    whole must be on the grid; other floats may lie up to 1e-6 steps off, as results of a
    calculation do. Of a field of days a moment is the day that it begins, and is in no other place
    as a value; as a bound it may lie within a day, and is exact to the nanosecond and beyond.

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
        minimum: float | Decimal | Fraction | datetime.date,
        maximum: float | Decimal | Fraction | datetime.date,
        *,
        step: float | Decimal | Fraction = 1,
        cell: int | None = None,
        proof: bool = False,
    ) -> None:
        self._proof = truth(proof, "proof")
        is_date = [_is_time(bound) for bound in (minimum, maximum)]
        if any(is_date) and not all(is_date):
            raise WrongTypeError("minimum and maximum must both be dates, or both numbers")
        if _is_time(step):
            raise WrongTypeError(f"the step must be a number, not {type(step).__name__}")
        if any(is_date) and any(_days(bound).denominator > 1 for bound in (minimum, maximum)):
            raise InvalidInputError("minimum and maximum must be whole days")
        self._init("date" if all(is_date) else "number", minimum, maximum, step, cell, ())

    def _init(
        self, kind: str, minimum: Any, maximum: Any, step: Any, cell: Any, levels: Sequence[str]
    ) -> None:
        fault = "the cell must be at least 1 step wide"
        steps = None if cell is None else integer(cell, "cell", 1, fault=fault)
        low, high, width = (_exact(value, "a bound or step") for value in (minimum, maximum, step))
        if isinstance(low, float) or isinstance(high, float) or isinstance(width, float):
            raise InvalidInputError("minimum, maximum and step must be finite")
        core = _mopse.schema.Field(kind, low, high, width, steps, levels)
        self._wrap(core, cell is None and core.cell > 1)

    def _wrap(self, core: _mopse.schema.Field, is_wide_by_default: bool) -> None:
        if self._proof and core.cells > _mopse.message.MOST_SLOTS - 1:
            raise InvalidInputError(
                f"the field has {core.cells} cells, and sums prove "
                f"{_mopse.message.MOST_SLOTS - 1} at most: widen its cell"
            )
        self._field = core
        self._kind, self._levels = core.kind, tuple(core.categories)
        ranks = {level: rank for rank, level in enumerate(self._levels)}
        self._ranks_by_label = {spelt(level): rank for level, rank in ranks.items()} | ranks
        self._is_wide_by_default = is_wide_by_default

    @classmethod
    def boolean(cls, *, proof: bool = False) -> "Field":
        """Return the field of truth values, as are its bounds in a query; false is below true."""
        field = cls.__new__(cls)
        field._proof = truth(proof, "proof")
        field._init("boolean", 0, 1, 1, None, ())
        return field

    @classmethod
    def categories(
        cls, levels: Sequence[str], *, cell: int | None = None, proof: bool = False
    ) -> "Field":
        """Return the field of ordered categories, whose names are its bounds in a query.

        Parameters
        ----------
        levels : sequence of str
            All categories, lowest first. Values and bounds find them in any Unicode form.
        cell : int, optional
            How many neighbouring categories share a cell; 1 by default.
        proof : bool
            Whether answers to ranges of it can be proven by sums, as of any field.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no category, or one twice, be it in two Unicode forms or with spaces of
            another kind, or one holds what cannot be seen, such as a zero-width space.
        """
        given = items(levels, "categories", "list of strings")
        if not all(isinstance(level, str) for level in given):
            raise WrongTypeError("categories must be strings")
        levels = [spelt(text(level, "a category")) for level in given]
        hidden = next((at for at, level in enumerate(levels) if _mopse.wire.hides(level)), None)
        if hidden is not None:
            raise InvalidInputError(
                f"categories must hold nothing that cannot be seen, as number {hidden} does"
            )
        read = {" ".join(level.split()) for level in levels}
        if not levels or len(read) != len(levels):
            raise InvalidInputError("categories must be at least one, and differ to who reads them")
        field = cls.__new__(cls)
        field._proof = truth(proof, "proof")
        field._init("category", 0, len(levels) - 1, 1, cell, levels)
        return field

    @classmethod
    def _of(
        cls, core: _mopse.schema.Field, is_wide_by_default: bool = False, proof: bool = False
    ) -> "Field":
        field = cls.__new__(cls)
        field._proof = proof
        field._wrap(core, is_wide_by_default)
        return field

    @property
    def proof(self) -> bool:
        """Whether answers to ranges of it can be proven by sums."""
        return self._proof

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
        check_tables()
        name = repr(instance(column, pl.Series, "a column").name)
        is_valid = column.is_not_null().to_numpy()
        dtype = column.dtype
        if not is_valid.any():  # nulls are of every type
            return np.empty(0, np.uint32), np.empty(0, np.int64)
        try:
            if self._kind == "category":
                return self._field.of_integers(self._ranks(column), is_valid)
            allowed = {
                "number": dtype.is_numeric(),
                "boolean": dtype == pl.Boolean,
                "date": isinstance(dtype, pl.Date | pl.Datetime),
            }
            if not allowed[self._kind]:
                raise WrongTypeError(
                    f"the field is of {self._kind} values, not of {name_of(dtype)}"
                )
            if isinstance(dtype, pl.Datetime):
                return self._moments(column, dtype, is_valid)
            if dtype == pl.Float64:
                return self._field.of_floats(_array(column, pl.Float64), is_valid)
            if dtype == pl.Float32:
                return self._field.of_singles(_array(column, pl.Float32), is_valid)
            if dtype.is_float():
                return self._field.of_floats(_half(column), is_valid)
            if dtype == pl.UInt64:
                return self._field.of_unsigned(_array(column, pl.UInt64), is_valid)
            if self._kind != "number" or dtype in _NARROW:
                return self._field.of_integers(_array(column.to_physical(), pl.Int64), is_valid)
            places = dtype.scale if isinstance(dtype, pl.Decimal) else 0
            return self._field.of_decimals(*_halves(column.to_physical()), places, is_valid)
        except InvalidInputError as error:
            raise type(error)(f"field {name}: {error}") from None

    def _moments(
        self, column: pl.Series, dtype: pl.Datetime, is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        if dtype.time_zone is not None:
            raise WrongTypeError(
                f"the field is of whole days, and {dtype} has a time zone: make dates of it, as "
                "with .dt.date(), or leave the zone out, as with .dt.replace_time_zone(None)"
            )
        moments = _array(column.to_physical(), pl.Int64)
        return self._field.of_moments(moments, _PER_DAY[dtype.time_unit], is_valid)

    def _ranks(self, column: pl.Series) -> NDArray[np.int64]:
        if not (column.dtype == pl.String or isinstance(column.dtype, pl.Enum | pl.Categorical)):
            raise WrongTypeError(f"the field is of categories, not of {name_of(column.dtype)}")
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
            None is open. Bounds are exact, with floats read as for the field. Those off the grid
            round inwards, those beyond the domain are intersected with it.

        Raises
        ------
        mopse.errors.InvalidInputError
            If ``low > high``, one is not a number, or no category of the field.
        """
        return self._field.range(self._bound(low), self._bound(high))

    def _bound(self, bound: Any) -> Fraction | float | None:
        if bound is None:
            return None
        # The core reads a float as `_exact` does, in a tenth of the time.
        if self._kind == "number" and (
            type(bound) is int or (type(bound) is float and not math.isnan(bound))
        ):
            return bound
        if self._kind == "category":
            if not isinstance(bound, str):
                raise WrongTypeError("a bound must be the name of a category")
            rank = self._rank(bound)
            if rank is None:
                raise InvalidInputError("a bound is no category of the field")
            return Fraction(rank)
        if self._kind == "boolean":
            if not isinstance(bound, bool | np.bool_):
                raise WrongTypeError("a bound must be a truth value")
            return Fraction(int(bound))
        if (self._kind == "date") != _is_time(bound):
            raise WrongTypeError(f"a bound must be a {self._kind}, not {type(bound).__name__}")
        number = _exact(bound, "a bound")
        if isinstance(number, float) and math.isnan(number):
            raise InvalidInputError("a bound is not a number")
        return number

    def _shown(self, plaintext: int) -> str:
        """Return the value of a plaintext as it is typed."""
        if self._kind == "category":
            return self._levels[plaintext]
        if self._kind == "boolean":
            return str(bool(plaintext)).lower()
        low, _, width = self._field.grid
        return (_day if self._kind == "date" else _typed)(low + plaintext * width)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self._field == other._field

    def __hash__(self) -> int:
        return hash((self._kind, *self._field.grid, self.cell, self._levels))

    def __reduce__(self) -> tuple[Any, ...]:
        return _field_of, (self._field.label(), self._is_wide_by_default, self._proof)

    def __repr__(self) -> str:
        cell = "" if self.cell == 1 else f", cell={self.cell}"
        proof = ", proof=True" if self._proof else ""
        if self._kind == "boolean":
            return f"Field.boolean({proof[2:]})"
        if self._kind == "category":
            return f"Field.categories({list(self._levels)}{cell}{proof})"
        low, high, width = self._field.grid
        step = "" if width == 1 else f", step={_typed(width)}"
        as_typed = _day if self._kind == "date" else _typed
        return f"Field({as_typed(low)}, {as_typed(high)}{step}{cell}{proof})"


class Schema(Mapping[str, Field]):
    """The named fields that an owner's records are indexed by.

    Parameters
    ----------
    fields : mapping from str to Field, optional
        Fields whose names are no Python names; they come first.
    types : mapping from str to Polars dtype, optional
        Types of columns, indexed or not. `mopse.Provider.encrypt` gives columns these types, and
        refuses a value that the type does not hold as it is, so that those of all providers meet.
    portions : mapping from str to sequence of str, optional
        Parts of a record that are sealed apart, so that each can be granted alone: the columns of
        each, by the portion's name. A column may lie in several; what is in none is in ``rest``. A
        table may lack them, but not have one of nearly the same name in no portion instead: a slip
        would seal it in ``rest``. So too for `types`. Or, by `mopse.sharing.deidentified`, what
        the provider makes of columns for readers who are not to know whose records they read.
    **more_fields : Field
        One per indexed column, by the column's name, also if it is derived.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no field, one is given twice, be it in two Unicode forms, a name is longer than
        255 bytes, or it is ``provider``, which is the column that decrypted records get. Or if a
        portion cannot have its name, which is spelt as that of a provider is, see
        `mopse.Owner.authorize`, and looks like no other, or two cannot be together.
    mopse.errors.WrongTypeError
        If something is not a Field, or not a dtype that records hold.

    Notes
    -----
    A schema is a mapping from names to fields. It is no secret: the cloud sees the names of the
    fields, and every upload and token names the schema's digest. Schemas are equal if they have
    equal fields in the same order. They then have equal digests, but for the schema of a keyring
    that was saved before fields were exact: it keeps the digest it had. Names are in Unicode's form
    NFC, and those of columns and ranges are taken as if they were: an accent typed apart, as macOS
    does, is the same.

    Types, portions and `Field.proof` are not in the digest. A saved keyring has portions and which
    fields are proven, but not the types: give the schema to `mopse.Owner.open` and
    `mopse.Provider.open` again, with ``schema=``.

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
        portions: Mapping[str, Sequence[str] | Deidentified] | None = None,
        **more_fields: Field,
    ) -> None:
        named: dict[str, Field] = {}
        first = {} if fields is None else mapping(fields, "fields")
        for given, field in [*first.items(), *more_fields.items()]:
            name = spelt(text(given, "a field's name"))
            if name in named:
                raise InvalidInputError(f"field {name!r} is given twice")
            named[name] = instance(field, Field, repr(name))
        if PROVIDER in named:
            raise InvalidInputError(
                f"a field cannot be called {PROVIDER!r}: decrypted records get such a column"
            )
        self._init(named, declared(types), *_portions(portions))

    def _init(
        self,
        fields: Mapping[str, Field],
        types: Mapping[str, pl.DataType],
        portions: Mapping[str, tuple[str, ...]],
        deidentified: Mapping[str, Deidentified],
    ) -> None:
        self._fields = dict(fields)
        self._spellings = {spelt(name): name for name in self._fields}
        self._schema = _mopse.schema.Schema([(name, f._field) for name, f in self.items()])
        self._types = dict(types)
        self._portions = dict(portions)
        self._deidentified = dict(deidentified)

    @classmethod
    def infer(
        cls,
        table: Any,
        *,
        id: str | None = None,  # noqa: A002 - the id column's own name
    ) -> "ProposedSchema":
        """Propose the schema of a table, to be read and edited before it is used.

        Parameters
        ----------
        table : table
            A Polars, pandas or Arrow table, or a dict from names to arrays: the owner's own copy,
            with as many rows as can be had.
        id : str, optional
            The column that names the rows, which is indexed by no field.

        Returns
        -------
        ProposedSchema
            A schema which prints as the Python code that makes it. Comments in it tell the verdict
            on each field, and of each column what must be mended before it is encrypted.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such column of ids, or none of the others can be indexed as it is; the
            message says why of each.
        mopse.errors.WrongTypeError
            If it is no table.

        Notes
        -----
        Nothing is encrypted, and the table is left as it is. What is guessed:

        - **Domain**: round bounds, a tenth of the range beyond what is there on both sides, but not
          beyond zero; whole years for days. The schema goes to every provider, so this also keeps
          the least and the greatest value from them.
        - **Step**: as many decimal places as the values have, six at most.
        - **Cell**: the narrowest round width that makes at most 128 cells. An answer holds then
          about a hundredth too many records at each end, which are dropped after decryption, and
          the index tells no more than hundredths of the domain.
        - **Codes for missing values**, which are left out of the domain: -1 and repeated digits 7,
          8 and 9 where no other value is below zero, or far above all others; days such as
          1900-01-01; NaN. Where the domain does not reach, `mopse.Provider.encrypt` refuses them.
        - **Left out** are ids (whole numbers or text named ``id``, ``..._id``, ``mrn`` and the
          like; whole numbers that count the rows), numbers and days that are text, free text,
          moments, and what holds one value only. They are sealed in the records as they are.

        The bounds and comments are made from the table: they are as secret as it is.

        Examples
        --------
        >>> import mopse
        >>> ages = [34, 7777, 71, 48, 90, 29, 63, 55]
        >>> print(mopse.Schema.infer({"patient": range(8), "age": ages}, id="patient"))
        import mopse
        <BLANKLINE>
        schema = mopse.Schema(
            # patient: left out, it is the id of a row.
            # 1 row holds 7777, which looks like a code for a missing value: make it null if it is.
            # weak. Ranks alone are expected to tell 43% of the cells, guessing tells 14%.
            age=mopse.Field(20, 100),
        )
        """
        frame = as_frame(table)
        if id is not None and text(id, "id") not in frame.columns:
            raise InvalidInputError(
                f"the table has no column {id!r} of ids: {listed(id, frame.columns)}"
            )
        return ProposedSchema._from(list(proposals(frame, id)))

    @property
    def portions(self) -> Mapping[str, tuple[str, ...]]:
        """The columns of each declared portion, by the portion's name."""
        return MappingProxyType(self._portions)

    @property
    def deidentified(self) -> Mapping[str, Deidentified]:
        """What de-identified portions are made of: `mopse.sharing.deidentified`, by their names."""
        return MappingProxyType(self._deidentified)

    @classmethod
    def _of(
        cls,
        fields: Mapping[str, Field],
        types: Mapping[str, pl.DataType] | None = None,
        portions: Mapping[str, tuple[str, ...]] | None = None,
        deidentified: Mapping[str, Deidentified] | None = None,
    ) -> "Schema":
        """Return the schema of a keyring, whatever its fields are called."""
        schema = cls.__new__(cls)
        schema._init(fields, types or {}, portions or {}, deidentified or {})
        return schema

    @property
    def proven(self) -> tuple[str, ...]:
        """The fields whose answers can be proven by sums."""
        return tuple(name for name, field in self.items() if field.proof)

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

    def _no_records(self) -> pl.DataFrame:
        """Return a table of no record, with the columns that are known of the schema."""
        kinds: dict[str, Any] = {"boolean": pl.Boolean, "date": pl.Date, "category": pl.String}
        columns = {name: kinds.get(field._kind, pl.Null) for name, field in self.items()}
        return pl.DataFrame(schema={**columns, **self._types, PROVIDER: pl.String})

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

    def _check_columns(self, columns: Sequence[str]) -> None:
        """Refuse columns of a table that lack a field, or have a near name for a declared one."""
        for name in self:
            if name not in columns:
                raise InvalidInputError(
                    f"the table has no column for field {name!r}: {listed(name, columns)}"
                )
        for what, names, known in (
            ("types", self._types, self._types),
            *(
                (f"portion {portion!r}", of, {*chain(*self._portions.values())})
                for portion, of in self._portions.items()
            ),
        ):
            others = [column for column in columns if column not in known]
            for name in names:
                like = None if name in columns else near(name, others)
                if like is not None:
                    where = "has no declared type" if what == "types" else "is in no portion"
                    raise InvalidInputError(
                        f"{what}: the table has no column {name!r}, and its {like!r} {where}: "
                        "correct one of the names, or declare both"
                    )

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Schema._of, (self._fields, self._types, self._portions, self._deidentified)

    def __repr__(self) -> str:
        parts = [f"{name}={field}" for name, field in self.items()]
        if self._types:
            types = (f"{name!r}: {name_of(dtype)}" for name, dtype in self._types.items())
            parts.append(f"types={{{', '.join(types)}}}")
        if self._portions:
            portions = {
                name: self._deidentified.get(name, list(columns))
                for name, columns in self._portions.items()
            }
            parts.append(f"portions={portions}")
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


class ProposedSchema(Schema):
    """A schema that was proposed for a table, and prints as code to edit: see `Schema.infer`.

    Notes
    -----
    It is used like any other schema. ``str()`` of it is the code, with comments; ``repr()`` has the
    fields only.
    """

    @classmethod
    def _from(cls, proposed: Sequence[Proposal]) -> "ProposedSchema":
        schema = cls.__new__(cls)
        fields, rows, told, left_out = {}, [], [], {}
        for one in proposed:
            notes = list(one.notes)
            why, name = one.left_out, spelt(one.name)
            if not why:
                try:
                    field = _proposed(one)
                    _, plaintexts = field.plaintexts_of(one.clean)
                    _mopse.schema.Schema([(name, field._field)])
                    if name in fields or name == PROVIDER:
                        raise InvalidInputError(f"a field cannot be called {name!r}: rename it")
                except (InvalidInputError, WrongTypeError) as error:
                    why = str(error)
            if why:
                left_out[name] = why
            else:
                row = reported(cells_of(plaintexts, field.cells, field.cell))
                rows.append({"field": name, "values": field.plaintexts, **row})
                notes.append(f"{row['verdict']}. {row['reason']}")
                fields[name] = field
            told.append((name, tuple(notes)))
        if not fields:
            reasons = "; ".join(f"{name!r}: {why}" for name, why in left_out.items())
            raise InvalidInputError(f"no column can be indexed as it is: {reasons}")
        schema._init(fields, {}, {}, {})
        schema._tell(LeakageReport(pl.DataFrame(rows)), tuple(told), left_out)
        return schema

    def _tell(
        self,
        report: LeakageReport,
        told: tuple[tuple[str, tuple[str, ...]], ...],
        left_out: Mapping[str, str],
    ) -> None:
        self._report, self._told, self._left_out = report, told, dict(left_out)

    @property
    def report(self) -> LeakageReport:
        """What a copy of the store tells of each field, without what is to be made null first."""
        return self._report

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why there is no field for a column, by the column's name."""
        return MappingProxyType(self._left_out)

    def __str__(self) -> str:
        is_spelt = all(
            name.isidentifier()
            and name == normalize("NFKC", name)  # as Python reads it
            and not iskeyword(name)
            and name not in _PARAMETERS
            for name in self
        )
        lines = []
        for name, notes in self._told:
            if name in self._left_out:
                lines.append(f"# {name}: left out, {self._left_out[name]}.")
            lines += [f"# {note}" for note in notes]
            if name in self:
                code = f"mopse.{self[name]!r},"
                lines.append(f"{name}={code}" if is_spelt else f"{name!r}: {code}")
        # A line break in a name would end the comment that it stands in.
        body = ["    " + " ".join(line.splitlines()) for line in lines]
        if not is_spelt:
            body = ["    {", *(f"    {line}" for line in body), "    }"]
        has_days = any(field._kind == "date" for field in self.values())
        imports = ["import datetime", ""] if has_days else []
        return "\n".join([*imports, "import mopse", "", "schema = mopse.Schema(", *body, ")"])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>{self._report._repr_html_()}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _proposed_schema_of, (self._fields, self._report, self._told, self._left_out)


_PARAMETERS = ("self", "types", "portions")


def _proposed_schema_of(
    fields: Mapping[str, Field],
    report: LeakageReport,
    told: tuple[tuple[str, tuple[str, ...]], ...],
    left_out: Mapping[str, str],
) -> ProposedSchema:
    schema = ProposedSchema.__new__(ProposedSchema)
    schema._init(fields, {}, {}, {})
    schema._tell(report, told, left_out)
    return schema


def _proposed(proposal: Proposal) -> Field:
    if proposal.levels is None:
        return Field(proposal.low, proposal.high, step=proposal.step, cell=proposal.cell)
    return Field.categories(proposal.levels) if proposal.levels else Field.boolean()


def _is_time(value: object) -> bool:
    """Say whether a value is a day or a moment: of Python, pandas or NumPy."""
    return isinstance(value, datetime.date | np.datetime64)


def _days(value: Any) -> Fraction:
    """Return how many days a day or moment lies after the start of 1970."""
    if value != value:  # NumPy's and pandas' NaT
        raise InvalidInputError("a bound is no time")
    if isinstance(value, np.datetime64):
        unit, count = np.datetime_data(value.dtype)
        if unit in ("Y", "M"):
            day, unit, count = value.astype("M8[D]"), "D", 1
            if day.astype(value.dtype) != value:
                raise InvalidInputError("a bound lies too far away")
            value = day
        return Fraction(int(value.astype(np.int64)) * count) * _LENGTHS[unit]
    if not isinstance(value, datetime.datetime):
        return Fraction((value - _EPOCH).days)
    if value.tzinfo is not None:
        raise WrongTypeError("a bound must be a date, or a moment without a time zone")
    of_day = value - datetime.datetime.combine(value, datetime.time())
    # Those of pandas count nanoseconds beside.
    nanoseconds = of_day // _MICROSECOND * 1000 + getattr(value, "nanosecond", 0)
    return (value.date() - _EPOCH).days + Fraction(nanoseconds, 86_400 * 10**9)


def _day(days: Fraction) -> str:
    return repr(_EPOCH + datetime.timedelta(days=int(days)))


def _exact(value: Any, what: str) -> Fraction | float:
    """Return a number exactly, or an infinite float or NaN."""
    if _is_time(value):
        return _days(value)
    if is_integer(value) or isinstance(value, Fraction):
        return Fraction(int(value)) if is_integer(value) else value
    if isinstance(value, Decimal):
        if not value.is_finite():
            return float("nan") if value.is_nan() else float(value)
        if value and not -_MOST_EXPONENT <= value.adjusted() <= _MOST_EXPONENT:
            raise InvalidInputError(f"{what} has more than {_MOST_EXPONENT:,} digits")
        return Fraction(value)
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return float(value)
        return Fraction(int(value)) if value == int(value) else Fraction(_shortest(value))
    raise WrongTypeError(f"{what} must be a number or a date, not {type(value).__name__}")


def _portions(
    portions: Mapping[str, Sequence[str] | Deidentified] | None,
) -> tuple[dict[str, tuple[str, ...]], dict[str, Deidentified]]:
    """Return the columns of portions, and of those that are de-identified how they are made."""
    given = {} if portions is None else mapping(portions, "portions")
    checked, made = [], []
    for name, columns in given.items():
        portion = text(name, "a portion's name")
        made.append(columns if isinstance(columns, Deidentified) else None)
        named: list[str] = []
        if made[-1] is None:
            listing = items(columns, f"portion {portion!r}", "list of strings")
            named = [spelt(text(column, "a column's name")) for column in listing]
        checked.append((portion, named))
    spelled = _mopse.party.spell_portions(checked)
    deidentified = {name: of for (name, _), of in zip(spelled, made, strict=True) if of is not None}
    check_together(deidentified)
    found = {
        name: deidentified[name].columns(name) if name in deidentified else tuple(columns)
        for name, columns in spelled
    }
    return found, deidentified


def _shortest(value: Any) -> str:
    """Return the shortest decimal that tells a float from others of its precision."""
    return str(np.format_float_scientific(value, unique=True))


def _typed(number: Fraction) -> str:
    """Return a number as it would be typed."""
    if number.denominator == 1:
        return str(number.numerator)
    try:
        float_ = float(number)
        if _exact(float_, "") == number:
            return repr(float_)
    except OverflowError:
        pass
    try:
        context = Context(prec=1000, traps=[Inexact])
        return repr(context.divide(Decimal(number.numerator), Decimal(number.denominator)))
    except Inexact:
        return repr(number)


def _field_of(label: bytes, is_wide_by_default: bool, proof: bool = False) -> Field:
    return Field._of(_mopse.schema.Field.of_label(label), is_wide_by_default, proof)


def _array(column: pl.Series, dtype: type[pl.DataType]) -> NDArray[Any]:
    """Return the values of a column, with anything where it holds nulls."""
    return np.ascontiguousarray(column.cast(dtype).fill_null(0).to_numpy())


def _half(column: pl.Series) -> NDArray[np.float64]:
    """Return floats of half precision as doubles that read as the same decimals."""
    floats, places = np.unique(column.fill_null(0.0).to_numpy(), return_inverse=True)
    doubles = [float(value if np.trunc(value) == value else _shortest(value)) for value in floats]
    return np.asarray(doubles, dtype=np.float64)[places]


def _halves(column: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the upper and the lower 64 bits of whole numbers."""
    narrow = column.cast(pl.Int64, strict=False)
    if narrow.null_count() == column.null_count():
        numbers = _array(narrow, pl.Int64)
        return numbers >> 63, numbers.view(np.uint64)
    wide = column.cast(pl.Int128, strict=False)
    if wide.null_count() > column.null_count():
        row = (wide.is_null() & column.is_not_null()).arg_max()
        raise InvalidInputError(f"the value in row {row} does not fit an int128")
    unit = pl.Series([2**64], dtype=pl.Int128)
    upper = wide // unit
    return _array(upper, pl.Int64), _array(wide - upper * unit, pl.UInt64)
