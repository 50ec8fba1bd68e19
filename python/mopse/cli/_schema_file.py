"""Schemas as TOML, for who writes no Python.

```toml
[fields.age]
low = 0
high = 120

[fields.bmi]
low = 8
high = 100
step = 0.1
cell = 5
proof = true

[fields.health]
categories = ["poor", "fair", "good"]

[fields.insured]
boolean = true

[fields.seen]
low = 2017-01-01
high = 2018-12-31

[portions]
contact = ["name", "phone"]

[portions.research]            # de-identified, see `mopse.sharing.deidentified`
subject = "patient"            # the ids of the records otherwise
within = "group"               # "provider" otherwise
columns.patient = "pseudonym"  # "keep" and "drop" likewise
columns.age = { coarsen = 10, top = 90 }
columns.born = { coarsen = "year" }
columns.region = { coarsen = { Kiel = "north", Ulm = "south" } }
columns.admitted = { shift_dates = 365 }

[types]
note = "String"
weight = { type = "Decimal", precision = 6, scale = 2 }
```

Numbers are exact: 0.1 is a tenth. One that no decimal is, as a step of a third, stands in quotes:
``step = "1/3"``.
"""

import contextlib
import datetime
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import polars as pl

import mopse
from mopse import sharing
from mopse._checks import listed
from mopse._files import as_file, read_whole
from mopse._types import dtype_words, is_known
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

__all__ = ["naming", "read_schema", "written_schema"]

_MOST = 1 << 22
"""Bytes of a file that holds a schema."""

_TABLES = ("fields", "portions", "types")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_FRACTION = re.compile(r"[+-]?[0-9]{1,400}/[0-9]{1,400}")
_SIMPLE: dict[str, Any] = {
    dtype.__name__: dtype
    for dtype in (
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
        *(pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Categorical, pl.Date, pl.Time),
    )
}
_WITH_MORE: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "Datetime": (pl.Datetime, {"unit": "time_unit", "zone": "time_zone"}),
    "Duration": (pl.Duration, {"unit": "time_unit"}),
    "Decimal": (pl.Decimal, {"precision": "precision", "scale": "scale"}),
    "Enum": (pl.Enum, {"categories": "categories"}),
}
"""Types that say more, each with the keys of its table and what Polars calls them."""

_KINDS = {"unit": str, "zone": str, "precision": int, "scale": int, "categories": list}
_RULES: dict[str, Callable[[], Any]] = {
    "keep": sharing.keep,
    "drop": sharing.drop,
    "pseudonym": sharing.pseudonym,
}
"""Rules of de-identified portions that say no more."""

_MOST_DIGITS = 38
"""Of a Decimal."""

_NULLS = """\
# Null is an empty place in a CSV file, or what --missing names when it is read, in every column:
# where a value is missing in one column and counts in another, empty its places there first."""


@contextlib.contextmanager
def naming(what: object, *kinds: type[MopseError]) -> Iterator[None]:
    """Have the errors within, or those of some kinds, say what they are about; of files they do."""
    try:
        yield
    except MopseError as error:
        if isinstance(error, OSError) or not isinstance(error, kinds or MopseError):
            raise
        raise type(error)(f"{what}: {error}") from None


def read_schema(path: str) -> mopse.Schema:
    """Return the schema that a TOML file holds.

    Raises
    ------
    mopse.errors.InvalidInputError
        If it is no TOML, or holds no schema; the message names file, table and key.
    mopse.errors.FileAccessError
        If the file cannot be read.
    """
    contents = read_whole(as_file(path), _MOST)
    with naming(path):
        try:
            tables = tomllib.loads(contents.decode("utf-8-sig"), parse_float=_decimal)
        except UnicodeDecodeError:
            raise InvalidInputError("it is no text in UTF-8") from None
        except RecursionError:
            raise InvalidInputError("it is nested too deeply") from None
        except MopseError:
            raise
        except ValueError as error:  # what tomllib says, or of a whole number with too many digits
            raise InvalidInputError(f"it is no TOML: {error}") from None
        _check_keys("the file", tables, _TABLES)
        for name in _TABLES:
            with naming(f"[{name}]"):
                _table(tables.get(name, {}))
        if not tables.get("fields"):
            raise InvalidInputError("it has no table [fields] with a field in it, as [fields.age]")
        fields = {name: _field(name, one) for name, one in tables["fields"].items()}
        types = {name: _dtype(name, one) for name, one in tables.get("types", {}).items()}
        portions = {name: _portion(name, one) for name, one in tables.get("portions", {}).items()}
        return mopse.Schema(fields, types=types, portions=portions)


def _decimal(number: str) -> Decimal:
    try:
        return Decimal(number)
    except InvalidOperation:
        raise InvalidInputError("a number has an exponent beyond all sizes") from None


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongTypeError("it must be a table of keys and values")
    return value


def _check_keys(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            raise InvalidInputError(f"{where} has an unknown key {key!r}: {listed(key, known)}")


def _field(name: str, value: Any) -> mopse.Field:
    where = f"[fields.{_key(name)}]"
    with naming(where):
        table = _table(value)
        proof = table.get("proof", False)
        if "boolean" in table:
            _check_keys("a field of truth values", table, ("boolean", "proof"))
            if table["boolean"] is not True:
                raise InvalidInputError("boolean can only be true")
            return mopse.Field.boolean(proof=proof)
        if "categories" in table:
            _check_keys("a field of categories", table, ("categories", "cell", "proof"))
            return mopse.Field.categories(table["categories"], cell=table.get("cell"), proof=proof)
        _check_keys("a field", table, ("low", "high", "step", "cell", "proof", "categories"))
        for key in ("low", "high"):
            if key not in table:
                raise InvalidInputError(
                    f"it lacks {key!r}: a field has low and high, categories, or boolean = true"
                )
        low, high, step = (_number(key, table.get(key, 1)) for key in ("low", "high", "step"))
        return mopse.Field(low, high, step=step, cell=table.get("cell"), proof=proof)


def _number(key: str, value: Any) -> Any:
    """Return a number or date; what else it may be is for the field to refuse."""
    if isinstance(value, str):
        if not _FRACTION.fullmatch(value) or not int(value.partition("/")[2]):
            raise InvalidInputError(f'{key}: in quotes stands a fraction only, as in "1/3"')
        return Fraction(value)
    if isinstance(value, bool | list | dict | datetime.time):
        kind = {bool: "a truth value", list: "a list", dict: "a table"}.get(type(value), "a time")
        raise WrongTypeError(f"{key}: it must be a number or a date, not {kind}")
    return value


def _portion(name: str, value: Any) -> Any:
    """Return what a schema takes as a portion; what else it may be is for the schema to refuse."""
    if not isinstance(value, dict):
        return value
    with naming(f"[portions.{_key(name)}]"):
        _check_keys("a de-identified portion", value, ("columns", "subject", "within"))
        with naming("columns"):
            rules = {column: _rule(one) for column, one in _table(value.get("columns", {})).items()}
        return sharing.deidentified(
            rules, subject=value.get("subject"), within=value.get("within", "provider")
        )


def _rule(value: Any) -> Any:
    if isinstance(value, str):
        if value not in _RULES:
            raise InvalidInputError(f"there is no rule {value!r}: {listed(value, _RULES)}")
        return _RULES[value]()
    table = _table(value)
    if "shift_dates" in table:
        _check_keys("shift_dates", table, ("shift_dates",))
        return sharing.shift_dates(days=table["shift_dates"])
    _check_keys("a rule", table, ("coarsen", "shift_dates", "top"))
    if "coarsen" not in table:
        raise InvalidInputError("a rule has coarsen, shift_dates, or is one word in quotes")
    to, top = table["coarsen"], table.get("top")
    if isinstance(to, dict):
        # Keys of TOML are text; those that are whole numbers alone are meant as such.
        is_whole = all(re.fullmatch(r"-?[0-9]{1,18}", key) for key in to)
        to = {int(key) if is_whole else key: of for key, of in to.items()}
    return sharing.coarsen(to, top=top)


def _dtype(name: str, value: Any) -> Any:
    with naming(f"[types] {_key(name)}"):
        if isinstance(value, str):
            if value in _WITH_MORE:
                value = {"type": value}
            elif value in _SIMPLE:
                return _SIMPLE[value]
            else:
                known = listed(value, [*_SIMPLE, *_WITH_MORE])
                raise InvalidInputError(f"there is no type {value!r}: {known}")
        table = dict(_table(value))
        kind = table.pop("type", None)
        if not isinstance(kind, str) or kind not in _WITH_MORE:
            raise InvalidInputError(f"the table lacks type = one of {', '.join(_WITH_MORE)}")
        make, words = _WITH_MORE[kind]
        _check_keys(kind, table, words)
        for key, one in table.items():
            if isinstance(one, bool) or not isinstance(one, _KINDS[key]):
                raise WrongTypeError(f"{key}: it is a {_KINDS[key].__name__}")
            if isinstance(one, int) and not 0 <= one <= _MOST_DIGITS:
                raise InvalidInputError(f"{key}: it is a number from 0 to {_MOST_DIGITS}")
        try:
            dtype = make(**{words[key]: one for key, one in table.items()})
            is_there = is_known(dtype_words(pl.Series(name, [], dtype=dtype)))
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise InvalidInputError(f"there is no such {kind}: {error}") from None
        if not is_there:
            raise InvalidInputError("there is no such time zone")
        return dtype


def written_schema(schema: mopse.Schema) -> str:
    """Return the fields of a schema as TOML; of a proposed one with its notes as comments."""
    told: Mapping[str, Iterable[str]] = {name: () for name in schema}
    left_out: Mapping[str, str] = {}
    if isinstance(schema, mopse.ProposedSchema):
        told, left_out = dict(schema._told), schema.left_out
    parts = []
    if any("null" in note for notes in told.values() for note in notes):
        parts.append(_NULLS)
    for name, notes in told.items():
        lines = [f"# {name}: left out, {left_out[name]}."] if name in left_out else []
        lines += [f"# {note}" for note in notes]
        # A line break in a name would end the comment that it stands in.
        lines = [_printable(" ".join(line.splitlines())) for line in lines]
        if name in schema:
            lines += [f"[fields.{_key(name)}]", *_lines(schema[name])]
        parts.append("\n".join(lines))
    return "\n\n".join(part for part in parts if part) + "\n"


def _lines(field: mopse.Field) -> Iterator[str]:
    low, high, step = field._field.grid
    if field._kind == "boolean":
        yield "boolean = true"
    elif field._kind == "category":
        yield f"categories = [{', '.join(map(_quoted, field._levels))}]"
    else:
        written = _day if field._kind == "date" else _written
        yield f"low = {written(low)}"
        yield f"high = {written(high)}"
        if step != 1:
            yield f"step = {_written(step)}"
    if field.cell != 1:
        yield f"cell = {field.cell}"
    if field.proof:
        yield "proof = true"


def _day(days: Fraction) -> str:
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(days))).isoformat()


def _written(number: Fraction) -> str:
    """Return a number exactly: as a whole number or decimal, or else as a fraction in quotes."""
    if number.denominator == 1:
        return str(number.numerator)
    places = next((n for n in range(1, 19) if (number * 10**n).denominator == 1), None)
    if places is None:
        return f'"{number}"'
    digits = f"{abs(number.numerator * 10**places // number.denominator):0{places + 1}d}"
    return f"{'-' * (number < 0)}{digits[:-places]}.{digits[-places:]}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(value: str) -> str:
    def letter(one: str) -> str:
        if one in '"\\':
            return f"\\{one}"
        return one if one.isprintable() else f"\\U{ord(one):08x}"

    return f'"{"".join(map(letter, value))}"'


def _printable(line: str) -> str:
    """Return a comment, in which TOML allows no control character."""
    return "".join(letter if letter.isprintable() else "�" for letter in line)
