"""The queries that are typed: bounds of fields, joined with ``and``, and nothing else.

```text
query   = bound { "and" bound }
bound   = operand compare operand [ compare operand ]    one is a field, of three the middle
compare = "<=" | ">=" | "=" | "==" | "<" | ">"
operand = word | `field` | 'text' | "text" | number
```

Bounds of one field are met all. What stands in quotes is a value, or a field where the other side
is none; in backticks it is a field. A quotation mark within is doubled.
"""

import dataclasses
import datetime
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Never

import mopse
from mopse._checks import listed, spelt, text
from mopse.cli._command import NotUnderstoodError

__all__ = ["bounds"]

_COMPARISONS = ("<=", ">=", "==", "<", ">", "=")
_MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "=": "=", "==": "=="}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOST = 400
"""Digits of a number, in front of its point and behind it: more than any field has."""
_SHOWN = 60
"""Characters of a query that a message shows on each side of the place it names."""
_TRUTHS = {"true": True, "false": False}
_UNKNOWN_WORDS = {"or", "not", "in", "like", "between", "is"}
_HINTS = {
    "≤": "write <=",
    "≥": "write >=",
    "≠": "there is no 'unequal'",
    "!": "there is no 'unequal'",
    "&": "write 'and'",
    "|": "bounds are joined with 'and' only",
    "(": "there are no brackets: bounds are joined with 'and' only",
    ")": "there are no brackets: bounds are joined with 'and' only",
    ",": "decimals have a point, and bounds are joined with 'and'",
    ";": "bounds are joined with 'and'",
    **dict.fromkeys("‘’“”„«»", "text stands in ' or \", which are straight"),  # noqa: RUF001
}


@dataclasses.dataclass(frozen=True)
class _Token:
    kind: str
    """``word``, ``field`` (in backticks), ``text`` (in quotes), ``number``, ``compare``."""
    content: str
    at: int


@dataclasses.dataclass
class _Range:
    """The highest of the lowest bounds of a field so far, and the lowest of the highest."""

    low: Any = None
    high: Any = None

    def meet(self, low: Any, high: Any) -> None:
        if low is not None and (self.low is None or low > self.low):
            self.low = low
        if high is not None and (self.high is None or high < self.high):
            self.high = high

    @property
    def is_empty(self) -> bool:
        return self.low is not None and self.high is not None and bool(self.low > self.high)


def bounds(query: str, schema: mopse.Schema) -> dict[str, tuple[Any, Any]]:
    """Return the ranges that a typed query asks for, by field, as `mopse.Owner.query` takes them.

    Raises
    ------
    NotUnderstoodError
        If it cannot be read, names no field of the schema, has a value of another kind, a strict
        bound that is not exact, or bounds that no value meets. The message shows the place.
    """
    reader = _Reader(text(query, "the query"), schema)
    ranges: dict[str, _Range] = {}
    for clause in reader.clauses():
        for name, comparison, value in reader.comparisons(clause):
            field = ranges.setdefault(name, _Range())
            field.meet(*reader.limits(name, comparison, value))
            if field.is_empty:
                reader.refuse(clause[0].at, f"no value of field {name!r} meets all its bounds")
    return {name: _taken(schema[name], one) for name, one in ranges.items()}


def _taken(field: mopse.Field, range_: _Range) -> tuple[Any, Any]:
    """Return a range with the values that the field takes as bounds."""
    pair = range_.low, range_.high
    if field._kind == "category":
        return tuple(None if rank is None else field._levels[rank] for rank in pair)  # type: ignore[return-value]
    return pair


class _Reader:
    def __init__(self, query: str, schema: mopse.Schema) -> None:
        self._query, self._schema = query, schema

    def refuse(self, at: int, why: str) -> Never:
        """Raise an error that shows a place of the query."""
        first = max(at - _SHOWN, 0)
        shown = self._query[first : at + _SHOWN]
        line = "".join(letter if letter.isprintable() else " " for letter in shown)
        space = " " * sum(map(_width, line[: at - first]))
        raise NotUnderstoodError(f"the query, character {at + 1}: {why}\n  {line}\n  {space}^")

    def clauses(self) -> Iterator[list[_Token]]:
        """Yield the tokens of each bound."""
        clause: list[_Token] = []
        for token in self._tokens():
            if token.kind == "word" and token.content.casefold() == "and":
                if not clause:
                    self.refuse(token.at, "a bound is missing before 'and'")
                yield clause
                clause = []
            else:
                clause.append(token)
        if not clause:
            self.refuse(len(self._query), "a bound is missing, as in age >= 40")
        yield clause

    def _tokens(self) -> Iterator[_Token]:
        query, at = self._query, 0
        while at < len(query):
            letter, start = query[at], at
            if letter.isspace():
                at += 1
            elif letter in "`'\"":
                content, at = self._quoted(start)
                yield _Token("field" if letter == "`" else "text", content, start)
            elif (number := _NUMBER.match(query, at)) is not None:
                self._check_number(number.group(), at)
                at = number.end()
                yield _Token("number", number.group(), start)
            elif _is_of_word(letter):
                while at < len(query) and _is_of_word(query[at]):
                    at += 1
                yield _Token("word", query[start:at], start)
            elif sign := next((one for one in _COMPARISONS if query.startswith(one, at)), None):
                at += len(sign)
                if query[at : at + 1] in set("<>=!"):
                    self.refuse(start, "there are the comparisons <= >= = < and >")
                yield _Token("compare", sign, start)
            else:
                hint = _HINTS.get(letter, "nothing is called so without quotes")
                self.refuse(at, f"this is no part of a query: {hint}")

    def _quoted(self, start: int) -> tuple[str, int]:
        """Return what stands in quotes, and where it goes on behind them."""
        mark, at, content = self._query[start], start + 1, ""
        while (end := self._query.find(mark, at)) >= 0:
            content += self._query[at:end]
            if self._query[end + 1 : end + 2] != mark:
                return content, end + 1
            content, at = content + mark, end + 2
        self.refuse(start, f"the other {mark} is missing")

    def _check_number(self, number: str, at: int) -> None:
        after = self._query[at + len(number) :][:1]
        if _DATE.match(self._query[at : at + 10]):
            self.refuse(at, "a date stands in quotes, as in '2026-05-31'")
        if after and (_is_of_word(after) or after in ".:-+"):
            self.refuse(at, "a number ends here in something else; a field stands in backticks")
        mantissa, _, exponent = number.lower().partition("e")
        if len(mantissa) > _MOST or len(exponent) > 8 or abs(int(exponent or 0)) > _MOST:
            self.refuse(at, "the number is beyond all fields")

    def comparisons(self, clause: list[_Token]) -> Iterator[tuple[str, _Token, _Token]]:
        """Yield each comparison of a bound with the field on its left: field, which, value."""
        for token in clause:
            word = token.content.casefold() if token.kind == "word" else ""
            if word in _UNKNOWN_WORDS and self._named(token) is None:
                self.refuse(token.at, "only bounds that are joined with 'and' can be asked for")
        operands, compares = clause[::2], clause[1::2]
        for token, kind in zip(clause, ("operand", "compare") * len(clause), strict=False):
            if (token.kind == "compare") != (kind == "compare"):
                missing = "a comparison, or 'and'," if kind == "compare" else "a field or value"
                self.refuse(token.at, f"{missing} is missing before this")
        if len(operands) == len(compares):
            end = compares[-1].at + len(compares[-1].content)
            self.refuse(end, "a field or value is missing here")
        if len(operands) == 1:
            at = operands[0].at + len(operands[0].content)
            self.refuse(min(at, len(self._query)), "a comparison is missing, as in age >= 40")
        if len(operands) > 3:
            self.refuse(compares[2].at, "a bound has two comparisons at most; join with 'and'")
        if len(operands) == 3:
            if {one.content[0] for one in compares} not in ({"<"}, {">"}):
                self.refuse(compares[1].at, "a chain goes one way, as in 40 <= age <= 60")
            lowest, field, highest = operands
            name = self._field(field)
            yield name, _mirrored(compares[0]), self._value(lowest)
            yield name, compares[1], self._value(highest)
            return
        left, right = operands
        if self._is_field(left, right):
            yield self._field(left), compares[0], self._value(right)
        else:
            yield self._field(right), _mirrored(compares[0]), self._value(left)

    def _named(self, token: _Token) -> str | None:
        """Return which field a token names, if it can."""
        name = self._schema._spelt(token.content)
        return name if token.kind != "number" and name in self._schema else None

    def _is_field(self, left: _Token, right: _Token) -> bool:
        """Say whether of two operands the left one is the field."""
        for one, other, answer in ((left, right, True), (right, left, False)):
            if one.kind == "field" or (one.kind == "word" and self._named(one) is not None):
                if other.kind == "field":
                    self.refuse(other.at, "a bound is a value, not another field")
                return answer
        for one, answer in ((left, True), (right, False)):
            if one.kind == "text" and self._named(one) is not None:
                return answer
        if left.kind == right.kind == "number":
            self.refuse(left.at, "a bound names a field, as in age >= 40")
        return right.kind == "number" or (left.kind == "word" and right.kind != "word")

    def _field(self, token: _Token) -> str:
        name = self._named(token)
        if name is None:
            if token.kind == "number":
                self.refuse(token.at, "the field stands in the middle, as in 40 <= age <= 60")
            others = listed(token.content, self._schema)
            self.refuse(token.at, f"the schema has no field {spelt(token.content)!r}: {others}")
        return name

    def _value(self, token: _Token) -> _Token:
        if token.kind == "field":
            self.refuse(token.at, "a bound is a value, not another field")
        if token.kind == "word" and token.content.casefold() not in _TRUTHS:
            hint = "a value; text and dates stand in quotes"
            self.refuse(token.at, f"a bound is {hint}")
        return token

    def limits(self, name: str, comparison: _Token, token: _Token) -> tuple[Any, Any]:
        """Return the lowest and the highest value that one comparison leaves; None is open."""
        field = self._schema[name]
        value, sign = self._read(name, field, token), comparison.content
        if sign in ("<", ">"):
            value = self._neighbour(name, field, comparison, value)
        return (
            value if sign in (">=", ">", "=", "==") else None,
            value if sign in ("<=", "<", "=", "==") else None,
        )

    def _read(self, name: str, field: mopse.Field, token: _Token) -> Any:
        """Return a value as it compares: that of a category is its rank."""
        if field._kind == "number":
            if token.kind != "number":
                self.refuse(token.at, f"field {name!r} has numbers, without quotes")
            number = Decimal(token.content)
            return int(number) if number == number.to_integral_value() else number
        if field._kind == "boolean":
            if token.kind != "word":
                self.refuse(token.at, f"field {name!r} is true or false, without quotes")
            return _TRUTHS[token.content.casefold()]
        if token.kind != "text":
            kind = "dates" if field._kind == "date" else "categories"
            self.refuse(token.at, f"field {name!r} has {kind}, which stand in quotes")
        if field._kind == "category":
            rank = field._rank(token.content)
            if rank is None:
                of = listed(token.content, field._levels)
                self.refuse(token.at, f"this is no category of field {name!r}: {of}")
            return rank
        try:
            if not _DATE.fullmatch(token.content):
                raise ValueError
            return datetime.date.fromisoformat(token.content)
        except ValueError:
            self.refuse(token.at, "a date is year, month and day, as in '2026-05-31'")

    def _neighbour(self, name: str, field: mopse.Field, comparison: _Token, value: Any) -> Any:
        """Return the value next to a strict bound, where it is certain which one that is."""
        sign = comparison.content
        step = -1 if sign == "<" else 1
        inclusive = f"say {sign}= with the last value that you mean"
        if field._kind in ("category", "boolean"):
            self.refuse(comparison.at, f"{sign} is for numbers and dates: {inclusive}")
        if field._kind == "date":
            try:
                return value + datetime.timedelta(days=step)
            except OverflowError:
                self.refuse(comparison.at, "there is no such day")
        if not isinstance(value, int) or any(one.denominator > 1 for one in field._field.grid):
            which = "the bound is" if isinstance(value, Decimal) else f"values of {name!r} are"
            self.refuse(
                comparison.at,
                f"{sign} is exact for whole numbers and dates only, and {which} decimal, where "
                f"results of a calculation lie beside the value that is shown: {inclusive}",
            )
        return value + step


def _mirrored(comparison: _Token) -> _Token:
    return dataclasses.replace(comparison, content=_MIRRORED[comparison.content])


def _is_of_word(letter: str) -> bool:
    """Say whether a letter belongs to a word: accents that are typed apart do."""
    return letter == "_" or letter.isalnum() or unicodedata.category(letter).startswith("M")


def _width(letter: str) -> int:
    """Return how many places a letter takes on a terminal."""
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
