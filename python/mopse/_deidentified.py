"""What becomes of each column in a portion that is de-identified: its rules, and their words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np

from mopse._checks import instance, integer, is_integer, mapping, spelt, string, text
from mopse.errors import DamagedFileError, InvalidInputError, WrongTypeError

__all__ = [
    "UNITS",
    "Deidentified",
    "Rule",
    "check_together",
    "coarsen",
    "deidentified",
    "derived_name",
    "drop",
    "keep",
    "pseudonym",
    "read_rules",
    "shift_dates",
    "shown",
    "written_rules",
]

MOST_DAYS = 36_525
"""Of a shift of dates: a century."""

UNITS = {"month": "1mo", "quarter": "1q", "year": "1y"}
"""Of dates that are coarsened, as Polars calls them."""

_MOST_COARSE = 2**62
_NUMBERS = (float, np.floating, Decimal, Fraction)
_WITHIN = ("provider", "group")


@dataclass(frozen=True)
class Rule:
    """What becomes of a column in a de-identified portion; see `deidentified`.

    Made by `keep`, `drop`, `coarsen`, `shift_dates` and `pseudonym`.

    Parameters
    ----------
    kind : str
        The name of the function that made it.
    width, top : fractions.Fraction, optional
        Of numbers that are coarsened.
    unit : str, optional
        Of dates that are coarsened.
    groups : tuple of pairs, optional
        Of categories that are coarsened: each with its group.
    days : int, optional
        The most by which dates are shifted.
    """

    kind: str
    width: Fraction | None = None
    top: Fraction | None = None
    unit: str | None = None
    groups: tuple[tuple[str | int, str], ...] = ()
    days: int | None = None

    @property
    def is_derived(self) -> bool:
        """Whether the portion has a column of its own for it."""
        return self.kind not in ("keep", "drop")

    def __repr__(self) -> str:
        if self.kind == "shift_dates":
            return f"shift_dates(days={self.days})"
        if self.kind != "coarsen":
            return f"{self.kind}()"
        if self.groups:
            return f"coarsen({dict(self.groups)})"
        if self.unit is not None:
            return f"coarsen({self.unit!r})"
        top = "" if self.top is None else f", top={shown(self.top)}"
        return f"coarsen({shown(self.width)}{top})"


def keep() -> Rule:
    """Return the rule that a column is in the portion as it is."""
    return Rule("keep")


def drop() -> Rule:
    """Return the rule that a column is not in the portion, as one that is named nowhere is not."""
    return Rule("drop")


def coarsen(
    to: float | Decimal | Fraction | str | Mapping[Any, str],
    *,
    top: float | Decimal | Fraction | None = None,
) -> Rule:
    """Return the rule that a column has fewer values in the portion.

    Parameters
    ----------
    to : number, str or mapping
        Numbers become the multiple of a width at or below them, and keep their type. Of dates and
        moments the first day of the ``"month"``, ``"quarter"`` or ``"year"`` is left. Categories,
        which are text or whole numbers, become the text that a mapping has for them.
    top : number, optional
        Numbers from there on are one class, which is called by this number: with 90 an age over 89
        is 90, as the Safe Harbor rule demands [1]_.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the width is not above zero, there is no such unit, the mapping is empty, or there is a
        top and no width.
    mopse.errors.WrongTypeError
        If it is none of these.

    Notes
    -----
    Widths are exact: a float is the decimal that it is shown as. A category that the mapping lacks
    is an error when the table is encrypted, which names column and row.

    References
    ----------
    .. [1] 45 CFR 164.514(b)(2)(i)(C): of dates no more than the year, and all ages over 89 as one.

    Examples
    --------
    >>> coarsen(10, top=90), coarsen("year"), coarsen({"asthma": "lungs", "gout": "joints"})
    (coarsen(10, top=90), coarsen('year'), coarsen({'asthma': 'lungs', 'gout': 'joints'}))
    """
    if isinstance(to, str | Mapping) and top is not None:
        raise InvalidInputError("top is for numbers, which a width makes coarser")
    if isinstance(to, str):
        if to not in UNITS:
            raise InvalidInputError(f"dates are coarsened to {', '.join(UNITS)}")
        return Rule("coarsen", unit=to)
    if isinstance(to, Mapping):
        return Rule("coarsen", groups=_groups(to))
    if not (is_integer(to) or isinstance(to, _NUMBERS)):
        kind = type(to).__name__
        raise WrongTypeError(f"to must be a number, a unit of dates or a mapping, not {kind}")
    width = _number(to, "a width")
    if width <= 0:
        raise InvalidInputError("a width must be above zero")
    return Rule("coarsen", width=width, top=None if top is None else _number(top, "top"))


def shift_dates(*, days: int = 365) -> Rule:
    """Return the rule that the dates of a column are shifted, by a secret number of days.

    It is the same number for all dates of a subject that are shifted, in all columns and records,
    so that the days between them stay: see `deidentified`. Moments become the days that they lie
    in: the time of day goes. A date that is the same for all, such as a code for a missing one,
    tells every shift: make it null. Four that are nothing but codes, as 9999-12-31, are refused.

    Parameters
    ----------
    days : int
        Shifts are uniform from ``-days`` to ``days``; 1 to 36,525.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are fewer or more days.
    """
    return Rule("shift_dates", days=integer(days, "days", 1, MOST_DAYS))


def pseudonym() -> Rule:
    """Return the rule that a pseudonym stands for each value: 128 bits in hex, of a secret key.

    Equal values have equal pseudonyms in the portion. Values are whole numbers or text; nulls stay
    nulls. See `deidentified` for whose key it is.
    """
    return Rule("pseudonym")


@dataclass(frozen=True, init=False, repr=False)
class Deidentified:
    """A portion whose columns the provider derives; see `deidentified`."""

    rules: Mapping[str, Rule]
    """By the column that each is for."""
    subject: str | None
    """The column that says whose record it is; the column of ids otherwise."""
    within: str
    """Among whose records a subject has one pseudonym and one shift."""

    def __init__(self, rules: Mapping[str, Rule], subject: str | None, within: str) -> None:
        object.__setattr__(self, "rules", MappingProxyType(dict(rules)))
        object.__setattr__(self, "subject", subject)
        object.__setattr__(self, "within", within)

    def columns(self, portion: str) -> tuple[str, ...]:
        """Return the columns that the portion of a name has."""
        return tuple(
            derived_name(portion, name) if rule.is_derived else name
            for name, rule in self.rules.items()
            if rule.kind != "drop"
        )

    @property
    def days(self) -> int | None:
        """The most by which its dates are shifted, if any are."""
        return next((rule.days for rule in self.rules.values() if rule.days is not None), None)

    def __hash__(self) -> int:
        return hash((tuple(self.rules.items()), self.subject, self.within))

    def __reduce__(self) -> tuple[Any, ...]:
        return Deidentified, (dict(self.rules), self.subject, self.within)

    def __repr__(self) -> str:
        subject = "" if self.subject is None else f", subject={self.subject!r}"
        within = "" if self.within == "provider" else f", within={self.within!r}"
        return f"deidentified({dict(self.rules)}{subject}{within})"


def deidentified(
    columns: Mapping[str, Rule] | None = None,
    /,
    *,
    subject: str | None = None,
    within: str = "provider",
    **more_columns: Rule,
) -> Deidentified:
    """Return what a schema says of a portion whose readers are not to know whose records they read.

    The provider makes its columns when it encrypts or updates a table. A column that is named
    nowhere is not in it. What is kept has its name; what is derived has the portion's name before
    its own, as in ``research.age``, so that whoever opens both sees both: columns that are derived
    are never taken for the originals, which are in the other portions or in ``rest`` as ever.

    Parameters
    ----------
    columns : mapping from str to Rule, optional
        The rules of columns whose names are no Python names; they come first.
    subject : str, optional
        The column that says whose record a row is, of whole numbers or text; the column of ids
        otherwise. All dates of a subject are shifted alike.
    within : str
        Among whose records a subject has one pseudonym and one shift: ``"provider"``, or
        ``"group"`` for all providers that were authorised by the same one.
    **more_columns : Rule
        What becomes of each column, by its name: `keep`, `drop`, `coarsen`, `shift_dates` or
        `pseudonym`.

    Raises
    ------
    mopse.errors.InvalidInputError
        If no column is left, one is given twice, two are shifted by different numbers of days, or
        there is no such `within`.
    mopse.errors.WrongTypeError
        If something is no rule.

    Notes
    -----
    Pseudonyms are HMAC-SHA-256 under a key of the provider, of the portion's and the column's name
    and the value; shifts likewise, of the subject. Whole numbers and text are different values:
    declare the column's type where several providers are to agree. Whoever has grants of this
    portion alone has none of these keys, and undoes neither.

    **What it does not hide.** Pseudonyms link the records of a subject; the days between its dates
    stay; one true date of it that is known tells all others. Values that are kept or coarsened may
    still be the only ones of their kind: `mopse.sharing.reidentification` counts them on the own
    table. A record that is found by a query has its true value within the query's bounds, to the
    cell: who is given queries with fine bounds learns what was coarsened. So give a researcher
    bounds that are multiples of the widths, or index the derived column: a field may be called
    ``research.age``. With the help of the cloud a reader sees the order of all indexed values, and
    which record an answer's rows belong to.

    **Within a group** every provider of it can tell whose a pseudonym is, by trying ids, and knows
    the shift; so does a thief of any one's keyring. Records of one patient link across the group.
    **Keys of an epoch**: after a revocation in the group, pseudonyms and shifts of what is sealed
    are others; `mopse.Provider.renew` leaves those that there are as they were sealed.

    Examples
    --------
    >>> import mopse
    >>> from mopse.sharing import coarsen, deidentified, keep, pseudonym, shift_dates
    >>> schema = mopse.Schema(
    ...     age=mopse.Field(0, 120),
    ...     portions={
    ...         "medical": ["age", "diagnosis", "admitted"],
    ...         "research": deidentified(
    ...             patient=pseudonym(),
    ...             age=coarsen(10, top=90),
    ...             diagnosis=keep(),
    ...             admitted=shift_dates(days=365),
    ...             subject="patient",
    ...         ),
    ...     },
    ... )
    >>> schema.portions["research"]
    ('research.patient', 'research.age', 'diagnosis', 'research.admitted')
    """
    rules: dict[str, Rule] = {}
    first = {} if columns is None else mapping(columns, "columns")
    for given, rule in [*first.items(), *more_columns.items()]:
        name = spelt(text(given, "a column's name"))
        if name in rules:
            raise InvalidInputError(f"column {name!r} is given twice")
        rules[name] = instance(rule, Rule, repr(name))
    if all(rule.kind == "drop" for rule in rules.values()):
        raise InvalidInputError("a de-identified portion needs a column that is not dropped")
    if len({rule.days for rule in rules.values()} - {None}) > 1:
        raise InvalidInputError("all dates of a subject are shifted alike: give them the same days")
    whose = None if subject is None else spelt(text(subject, "subject"))
    if string(within, "within") not in _WITHIN:
        raise InvalidInputError("within must be 'provider' or 'group'")
    return Deidentified(rules, whose, within)


def check_together(portions: Mapping[str, Deidentified]) -> None:
    """Refuse portions that cannot be together in a schema.

    Raises
    ------
    mopse.errors.InvalidInputError
        If two shift dates differently, so that whoever opens both learns more of the true ones, or
        derive columns of one name; the message names them.
    """
    seen: dict[str, str] = {}
    for name, of in portions.items():
        for column, rule in of.rules.items():
            made = derived_name(name, column)
            if rule.is_derived and seen.setdefault(made, name) != name:
                raise InvalidInputError(
                    f"portions {seen[made]!r} and {name!r} both derive a column {made!r}"
                )
    shifting = [(name, of) for name, of in portions.items() if of.days is not None]
    for name, of in shifting[1:]:
        other, first = shifting[0]
        if (of.days, of.subject, of.within) != (first.days, first.subject, first.within):
            raise InvalidInputError(
                f"portions {other!r} and {name!r} shift dates differently, so that whoever opens "
                "both learns more of the true ones: give them the same days, subject and within"
            )


def derived_name(portion: str, column: str) -> str:
    """Return what the column is called that is derived from another for a portion."""
    return f"{portion}.{column}"


def _groups(groups: Mapping[Any, str]) -> tuple[tuple[str | int, str], ...]:
    found: dict[str | int, str] = {}
    for given, of in mapping(groups, "groups").items():
        key = int(given) if is_integer(given) else spelt(text(given, "a category"))
        if key in found:
            raise InvalidInputError("a category is given twice, in two Unicode forms")
        found[key] = text(of, "a group of categories")
    if not found:
        raise InvalidInputError("a mapping of categories needs at least one")
    if len({type(key) for key in found}) > 1:
        raise WrongTypeError("categories must be all text or all whole numbers")
    return tuple(found.items())


def _number(value: Any, what: str) -> Fraction:
    """Return a number exactly; a float as the decimal that it is shown as."""
    if isinstance(value, Fraction | Decimal) or is_integer(value):
        exact = value
    elif isinstance(value, float | np.floating):
        exact = Decimal(str(value))
    else:
        raise WrongTypeError(f"{what} must be a number, not {type(value).__name__}")
    if isinstance(exact, Decimal) and not exact.is_finite():
        raise InvalidInputError(f"{what} must be finite")
    if isinstance(exact, Decimal) and not -400 <= exact.adjusted() <= 400:
        raise InvalidInputError(f"{what} is too large or too small")
    number = Fraction(exact if isinstance(exact, Decimal) else Fraction(exact))
    if max(abs(number.numerator), number.denominator) > _MOST_COARSE:
        raise InvalidInputError(f"{what} is too large or too small")
    return number


def shown(number: Fraction | None) -> str:
    """Return a number as it would be typed."""
    if number is None or number.denominator == 1:
        return str(number)
    short = str(number.numerator / number.denominator)
    return short if Fraction(short) == number else repr(number)


def written_rules(portions: Mapping[str, Deidentified]) -> str:
    """Return the rules of portions as a keyring keeps them: JSON, or nothing where there are none.

    Examples
    --------
    >>> print(written_rules({"research": deidentified(age=coarsen(10, top=90))}))
    {"research": {"subject": null, "within": "provider", "rules": [["age", {"kind": "coarsen", \
"width": "10", "top": "90"}]]}}
    """
    if not portions:
        return ""

    def written(rule: Rule) -> dict[str, Any]:
        numbers = {"width": rule.width, "top": rule.top}
        parts: dict[str, Any] = {
            name: str(number) for name, number in numbers.items() if number is not None
        }
        if rule.unit is not None:
            parts["unit"] = rule.unit
        if rule.groups:
            parts["groups"] = [list(pair) for pair in rule.groups]
        if rule.days is not None:
            parts["days"] = rule.days
        return {"kind": rule.kind, **parts}

    return json.dumps(
        {
            name: {
                "subject": of.subject,
                "within": of.within,
                "rules": [[column, written(rule)] for column, rule in of.rules.items()],
            }
            for name, of in portions.items()
        },
        ensure_ascii=False,
    )


def read_rules(written: str) -> dict[str, Deidentified]:
    """Return what `written_rules` wrote.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is something else.
    """
    if not written:
        return {}
    try:
        return {
            name: deidentified(
                {column: _read(rule) for column, rule in of["rules"]},
                subject=of["subject"],
                within=of["within"],
            )
            for name, of in json.loads(written).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError):
        raise DamagedFileError("the rules of a de-identified portion are malformed") from None


def _read(rule: Mapping[str, Any]) -> Rule:
    kind = rule["kind"]
    if kind == "coarsen":
        if "groups" in rule:
            return coarsen(dict(rule["groups"]))
        if "unit" in rule:
            return coarsen(rule["unit"])
        top = Fraction(rule["top"]) if "top" in rule else None
        return coarsen(Fraction(rule["width"]), top=top)
    if kind == "shift_dates":
        return shift_dates(days=rule["days"])
    return {"keep": keep, "drop": drop, "pseudonym": pseudonym}[kind]()
