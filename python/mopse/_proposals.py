"""What a table's columns could be indexed by, and what to mend in them first."""

import datetime
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse._types import check_times
from mopse.errors import InvalidInputError

__all__ = ["Proposal", "proposals"]

CELLS = 128
"""The most cells that are proposed where a field has more values."""
_MOST_VALUES = 2**32
_MOST_PLACES = 6
_MOST_CATEGORIES = 20
_MOST_ANSWERS = 9
"""Different whole numbers of a question's answers, of which 7, 8 and 9 may be none."""
_FEW_ROWS = 20
"""Below it a column in which no value stands twice may be anything."""

_ID_NAME = re.compile(r"(?i:(^|[\W_])(id|key|mrn|number|uuid))$|[a-z]I[dD]$")
_WIDTHS_OF_DAYS = (1, 7, 14, 28, 91, 182, 365, 730, 1826, 3652)
_MISSING = ("", "-", ".", "?", "n/a", "na", "nan", "none", "not done", "null", "unknown")
_NUMBER = r"[+-]?\d+([.,]\d+)?"
_CENSORED = rf"[<>≤≥]=?\s*{_NUMBER}|{_NUMBER}\s*\+"
_DAY = r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}"
_PLACEHOLDERS = [
    *(datetime.date(1899, 12, 30), datetime.date(1899, 12, 31), datetime.date(1900, 1, 1)),
    *(datetime.date(1970, 1, 1), datetime.date(2999, 12, 31), datetime.date(9999, 12, 31)),
]
_EPOCH = datetime.date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = (
    day.toordinal() - _EPOCH.toordinal() for day in (datetime.date.min, datetime.date.max)
)


@dataclass(frozen=True)
class Proposal:
    """What is proposed for one column.

    `levels` are those of a field of categories or truth values, `low`, `high` and `step` the grid
    of another. A column with `left_out`, which says why, has neither. `clean` is the column without
    the values that `notes` say are to be mended first.
    """

    clean: pl.Series
    low: Any = None
    high: Any = None
    step: Any = 1
    cell: int = 1
    levels: Sequence[str] | None = None
    left_out: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The column's name."""
        return str(self.clean.name)


def proposals(frame: pl.DataFrame, id_column: str | None) -> Iterator[Proposal]:
    """Yield what is proposed for each column of a table, in their order."""
    for column in frame:
        if column.name == id_column:
            yield Proposal(column, left_out="it is the id of a row", notes=_of_ids(column))
        else:
            yield _proposal(column)


def _of_ids(column: pl.Series) -> list[str]:
    notes = []
    if column.null_count():
        notes.append(f"{_rows(column.null_count())} no id.")
    twice = len(column) - column.null_count() - column.drop_nulls().n_unique()
    if twice:
        notes.append(
            f"{_rows(twice, 'repeat', 'repeats')} an id: give each row its own, such as the "
            "patient's and the number of the visit in one text."
        )
    return notes


def _proposal(column: pl.Series) -> Proposal:
    dtype, name = column.dtype, repr(column.name)
    try:
        check_times(column.to_frame())
    except InvalidInputError as error:
        return Proposal(column, left_out=str(error))
    if column.null_count() == len(column):
        return Proposal(column, left_out="it holds no value")
    if (dtype.is_integer() or dtype == pl.String) and _ID_NAME.search(column.name):
        return Proposal(column, left_out="it is named as ids are")
    if _counts(column):
        return Proposal(column, left_out="it counts the rows, as an id does")
    if dtype == pl.Boolean:
        return Proposal(column, levels=())
    if isinstance(dtype, pl.Enum):
        return Proposal(column, levels=dtype.categories.to_list())
    if dtype == pl.String or isinstance(dtype, pl.Categorical):
        return _of_text(column.cast(pl.String))
    if dtype == pl.Date:
        return _of_days(column)
    if isinstance(dtype, pl.Datetime):
        days = column.dt.date()
        if dtype.time_zone is None and (days.cast(dtype) == column).all():
            return _of_days(days)
        advice = f"Index the day: pl.col({name}).dt.date()."
        return Proposal(column, left_out="it holds moments", notes=[advice])
    if isinstance(dtype, pl.Duration):
        advice = f"Index it in whole units: pl.col({name}).dt.total_minutes()."
        return Proposal(column, left_out="it holds durations", notes=[advice])
    if dtype.is_numeric():
        return _of_numbers(column)
    return Proposal(column, left_out=f"{dtype.base_type().__name__} has no range to ask for")


def _of_numbers(column: pl.Series) -> Proposal:
    clean, notes = column, []
    if column.dtype.is_float():
        clean = _without(column, ~column.is_finite())
        odd = clean.null_count() - column.null_count()
        if odd:
            notes.append(f"{_rows(odd)} NaN or infinity: make it null.")
        if clean.null_count() == len(clean):
            return Proposal(clean, left_out="it holds no number", notes=notes)
    places = _places(clean)
    if places is None:
        least, most = _ends(clean)
        is_wide = 0 < most - least < math.inf
        digits = max(0, 2 - math.floor(math.log10(most - least))) if is_wide else 0
        advice = f"Round first, as by pl.col({column.name!r}).round({digits})."
        why = f"its values have more than {_MOST_PLACES} places, as results of a calculation have"
        return Proposal(clean, left_out=why, notes=[*notes, advice])
    codes = _codes(clean.drop_nulls().cast(pl.Float64).unique().sort().to_numpy())
    for code in codes:
        is_code = clean.cast(pl.Float64) == code
        notes.append(
            f"{_rows(is_code.sum())} {code:.0f}, which looks like a code for a missing value: make "
            "it null if it is."
        )
        clean = _without(clean, is_code)
    notes += _of_answers(clean.drop_nulls())
    step = Decimal(1).scaleb(-places)
    least, most = (_as_typed(end, places) for end in _ends(clean))
    if least == most:
        return Proposal(clean, left_out="it holds one value only", notes=notes)
    low, high = _around(least, most, step)
    values = int((high - low) / step) + 1
    if values > _MOST_VALUES:
        advice = "Index a coarser column beside it, such as one without the last digits."
        return Proposal(clean, left_out="it spans more than 2^32 values", notes=[*notes, advice])
    width = next(w for w in _round_widths() if values <= CELLS * w)
    return Proposal(clean, _typed(low), _typed(high), _typed(step), width, notes=notes)


def _as_typed(end: Any, places: int) -> Decimal:
    return Decimal(repr(round(end, places))) if isinstance(end, float) else Decimal(end)


def _typed(number: Decimal) -> int | Decimal:
    return int(number) if number == number.to_integral_value() else number.normalize()


def _counts(column: pl.Series) -> bool:
    """Say whether whole numbers are another in each row, and at least every second occurs."""
    if not column.dtype.is_integer() or len(column) < _FEW_ROWS or column.null_count():
        return False
    least, most = _ends(column)
    return column.n_unique() == len(column) and most - least < 2 * len(column)


def _places(column: pl.Series) -> int | None:
    """Return how many decimal places the values of a column have, if there are few."""
    if column.dtype.is_integer():
        return 0
    if isinstance(column.dtype, pl.Decimal):
        values = column.drop_nulls()
        for places in range(min(column.dtype.scale, _MOST_PLACES) + 1):
            if (values.round(places) == values).all():
                return places
        return None
    floats = column.drop_nulls().unique().to_numpy()
    as_typed = floats.astype(np.float64)
    for places in range(_MOST_PLACES + 1):
        scale = 10.0**places
        with np.errstate(over="ignore"):
            read = np.rint(as_typed * scale) / scale
        if np.array_equal(read.astype(floats.dtype), floats):
            return places
    return None


def _codes(values: NDArray[np.float64]) -> list[float]:
    """Return which of ascending values look like codes for missing ones: outermost, and written so.

    Those are -1 and repeated digits 7, 8 and 9: below zero where nothing else is, or above all
    others by ten times what lies between neighbours.
    """
    below, others = values[values < 0], values[values >= 0]
    found = []
    if len(others) and all(value == -1 or _repeats(-value, 1) for value in below):
        found, values = below.tolist(), others
    while len(values) > 2 and _repeats(values[-1], 2):
        apart = np.diff(values)
        if apart[-1] <= 10 * np.median(apart[:-1]):
            break
        found.append(float(values[-1]))
        values = values[:-1]
    return sorted(found)


def _of_answers(column: pl.Series) -> list[str]:
    """Return what to ask of 7, 8 and 9 that stand apart from the few lower numbers of a column."""
    values = column.unique().sort().head(_MOST_ANSWERS + 1).cast(pl.Float64).to_list()
    apart = [value for value in values if value in (7, 8, 9)]
    others = values[: len(values) - len(apart)]
    if not (apart and others and len(values) <= _MOST_ANSWERS and others[-1] <= apart[0] - 2):
        return []
    if others[0] < 0 or any(value % 1 for value in others):
        return []
    shown = " and ".join(f"{value:.0f}" for value in apart)
    least, most = f"{others[0]:.0f}", f"{others[-1]:.0f}"
    them, they = ("it", "it stands") if len(apart) == 1 else ("them", "they stand")
    return [
        f"{shown} apart from {least} to {most} may be a code, as for 'refused' or "
        f"'not known'. If {they} for no answer, make {them} null, in this column and not where 9 "
        f"is a number, and have the field end at {most}."
    ]


def _repeats(number: float, least: int) -> bool:
    return re.fullmatch(rf"([789])\1{{{least - 1},9}}", f"{number:.15g}") is not None


def _around(least: Decimal, most: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    """Return round bounds with a tenth of the range to spare on both sides.

    Values that are to come lie within them, and the least and the greatest are not told.
    """
    spare = (most - least) / 10
    unit = max(step, Decimal(1).scaleb(((most - least) / 4).adjusted()))
    low, high = (least - spare) // unit * unit, -(-(most + spare) // unit) * unit
    while low > least - spare:
        low -= unit
    while high < most + spare:
        high += unit
    return (
        max(low, Decimal(0)) if least >= 0 else low,
        min(high, Decimal(0)) if most <= 0 else high,
    )


def _round_widths() -> Iterator[int]:
    return (digit * 10**power for power in range(11) for digit in (1, 2, 5))


def _of_days(column: pl.Series) -> Proposal:
    first, last = _ends(column.to_physical())
    if first < _FIRST_DAY or last > _LAST_DAY:
        return Proposal(column, left_out="it holds days that are not in the years 1 to 9999")
    clean, notes = column, []
    for placeholder in _PLACEHOLDERS:
        others = clean.filter(clean != placeholder)
        if others.is_empty() or placeholder not in clean:
            continue
        first, last = _ends(others)
        apart = max(first - placeholder, placeholder - last)
        if apart > datetime.timedelta(days=365):
            rows = _rows((clean == placeholder).sum())
            notes.append(f"{rows} {placeholder}, which looks like no date: make it null if it is.")
            clean = _without(clean, clean == placeholder)
    first, last = _ends(clean)
    if first == last:
        return Proposal(clean, left_out="it holds one day only", notes=notes)
    low, high = _years_around(first, last)
    days = (high - low).days + 1
    width = next((w for w in _WIDTHS_OF_DAYS if days <= CELLS * w), math.ceil(days / CELLS))
    return Proposal(clean, low, high, 1, width, notes=notes)


def _ends(column: pl.Series) -> tuple[Any, Any]:
    return column.min(), column.max()


def _years_around(first: datetime.date, last: datetime.date) -> tuple[datetime.date, datetime.date]:
    """Return whole years with a tenth of the range, and a year to come, to spare."""
    years = math.ceil((last - first).days / 3652)
    low = max(first.year - years, datetime.MINYEAR)
    high = min(last.year + max(years, 1), datetime.MAXYEAR)
    return datetime.date(low, 1, 1), datetime.date(high, 12, 31)


def _of_text(column: pl.Series) -> Proposal:
    known = column.str.strip_chars().str.to_lowercase()
    is_missing = known.is_in(_MISSING).fill_null(value=False)
    clean = _without(column, is_missing)
    notes = []
    if is_missing.any():
        words = sorted(set(known.filter(is_missing)))
        shown = ", ".join(map(repr, words))
        notes.append(f"{_rows(is_missing.sum())} {shown}: make it null.")
    if clean.null_count() == len(clean):
        return Proposal(clean, left_out="it holds no value", notes=notes)
    texts = clean.drop_nulls().str.strip_chars()
    numbers = texts.str.contains(f"^({_NUMBER}|{_CENSORED})$")
    days = texts.str.contains(f"^({_DAY})$")
    if numbers.mean() >= 0.9:  # type: ignore[operator]
        return Proposal(
            clean, left_out="it holds numbers as text", notes=[*notes, *_of_typed(clean, texts)]
        )
    if days.mean() >= 0.9:  # type: ignore[operator]
        advice = f"Read them first: pl.col({column.name!r}).str.to_date(format)."
        return Proposal(clean, left_out="it holds days as text", notes=[*notes, advice])
    if len(texts) >= _FEW_ROWS and texts.n_unique() == len(texts):
        return Proposal(column, left_out="every row has a text of its own")
    levels = sorted(clean.drop_nulls().unique())
    if not (2 <= len(levels) <= _MOST_CATEGORIES and len(levels) * 2 <= len(texts)):
        if len(levels) == 1:
            return Proposal(clean, left_out="it holds one text only", notes=notes)
        notes += _of_many(clean, texts)
        return Proposal(clean, left_out="it holds many different texts", notes=notes)
    if len({" ".join(level.split()).casefold() for level in levels}) < len(levels):
        notes.append("Some texts differ in case or spaces only: make them one.")
        return Proposal(clean, left_out="its texts are not yet categories", notes=notes)
    notes.append("In the order of the alphabet: put in yours.")
    return Proposal(clean, levels=levels, notes=notes)


def _of_many(column: pl.Series, texts: pl.Series) -> list[str]:
    """Return how texts that are too many for categories may be asked for."""
    advice = (
        f"To ask for it, index a coarser column beside it, of at most {_MOST_CATEGORIES} "
        "categories that you choose"
    )
    first = texts.str.slice(0, 1)
    is_code = bool(texts.str.contains(r"^[A-Za-z][0-9A-Za-z.]*[0-9][0-9A-Za-z.]*$").all())
    if is_code and 2 <= first.n_unique() <= _MOST_CATEGORIES:
        advice += f", as the first letter of these codes: pl.col({column.name!r}).str.slice(0, 1)"
    return [f"{advice}. Otherwise do nothing: it is sealed in each record as it is."]


def _of_typed(column: pl.Series, texts: pl.Series) -> list[str]:
    """Return what has to be done before texts are numbers."""
    read, notes = f"pl.col({column.name!r})", []
    commas = texts.str.contains(",", literal=True).sum()
    if commas:
        read += ".str.replace(',', '.')"
        notes.append(f"{_rows(commas)} a decimal comma.")
    censored = texts.str.contains(f"^({_CENSORED})$").sum()
    if censored:
        notes.append(
            f"{_rows(censored)} a bound and no value, such as '90+': say what it stands for."
        )
    leading = texts.str.contains("^0[0-9]").sum()
    if leading:
        notes.append(
            f"{_rows(leading, 'begin', 'begins')} with 0, as codes do: a code, such as a postcode, "
            "is left text and has no field."
        )
    others = len(texts) - texts.str.contains(f"^({_NUMBER}|{_CENSORED})$").sum()
    if others:
        notes.append(f"{_rows(others)} something else.")
    return [*notes, f"Then read them: {read}.str.strip_chars().cast(pl.Float64)."]


def _without(column: pl.Series, is_odd: pl.Series) -> pl.Series:
    """Return a column with null in the place of some of its values."""
    kept = pl.when(is_odd.fill_null(value=False)).then(None).otherwise(column)
    return pl.select(kept.alias(column.name)).to_series()


def _rows(count: Any, verb: str = "hold", verb_of_one: str = "holds") -> str:
    return f"1 row {verb_of_one}" if count == 1 else f"{count:,} rows {verb}"
