"""Linkage: whose records those of a de-identified portion are, by what is known of everybody."""

import datetime
from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl

from mopse._checked import checked
from mopse._checks import instance, listed, text
from mopse._deidentified import derived_name
from mopse._derived import days_of
from mopse._fork import check_tables
from mopse._reidentification import attributes_of, intervals
from mopse._table import as_frame
from mopse.attacks._guess import NO_GUESS, Guess
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.schema import Schema

__all__ = ["reidentify", "unshift"]

_ROW, _AT = "\0row", "\0at"


@checked()
def reidentify(
    released: Any,
    auxiliary: Any,
    schema: Schema,
    portion: str,
    *,
    known: Collection[str] | None = None,
    seed: int = 1,
) -> Guess:
    """Guess whose records those of a de-identified portion are, by joining them with a table.

    Parameters
    ----------
    released : table
        What a reader of the portion has decrypted.
    auxiliary : table
        True values of some columns, of people who are known: a register, a list of voters.
    schema : Schema
        The schema, whose rules are public.
    portion : str
        The portion's name.
    known : collection of str, optional
        The columns that are known of the people; all that the auxiliary table has otherwise.
    seed : int
        Of the choice among those who look alike.

    Returns
    -------
    Guess
        For each record a row of the auxiliary table, `NO_GUESS` where nobody fits. The confidence
        is one over the number of those who fit: right if everybody is in the table.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such portion, a known column is missing, or none is in both tables.

    Notes
    -----
    The attacker coarsens its table as the rules say and compares what is left, and the days between
    dates that are shifted. `mopse.sharing.reidentification` has the expected number of right
    guesses in closed form, where the table is of everybody and nobody else.

    References
    ----------
    .. [1] L. Sweeney, "Simple Demographics Often Identify People Uniquely", Carnegie Mellon
       University, Data Privacy Working Paper 3, 2000.

    Examples
    --------
    >>> import mopse
    >>> from mopse import attacks
    >>> from mopse.sharing import coarsen, deidentified, keep
    >>> research = deidentified(age=coarsen(10), sex=keep())
    >>> schema = mopse.Schema(age=mopse.Field(0, 120), portions={"research": research})
    >>> released = {"research.age": [50, 40], "sex": ["m", "f"]}
    >>> register = {"name": ["Ann", "Eve", "Tom"], "age": [41, 47, 52], "sex": ["f", "f", "m"]}
    >>> guess = attacks.reidentify(released, register, schema, "research")
    >>> guess.confidence.tolist(), guess.values[0].item()
    ([1.0, 0.5], 2)
    """
    check_tables()
    name = text(portion, "a portion")
    portions = instance(schema, Schema, "a schema").deidentified
    if name not in portions:
        raise InvalidInputError(f"the schema has no de-identified portion {name!r}")
    shown, people = (
        as_frame(released, "what is released"),
        as_frame(auxiliary, "the auxiliary table"),
    )
    rules = dict(portions[name].rules)
    if known is not None:
        for column in known:
            if column not in people.columns:
                there = listed(column, people.columns)
                raise InvalidInputError(f"the auxiliary table has no column {column!r}: {there}")
        rules = {column: rule for column, rule in rules.items() if column in known}
    rules = {column: rule for column, rule in rules.items() if column in people.columns}
    seen: dict[str, pl.Series] = {}
    dates = []
    for column, rule in rules.items():
        new = derived_name(name, column) if rule.is_derived else column
        if new not in shown.columns or rule.kind in ("drop", "pseudonym"):
            continue
        if rule.kind == "shift_dates":
            dates.append((column, days_of(shown[new])))
        else:
            seen[column] = shown[new]
    seen |= dict(intervals(dates))
    held = attributes_of(people, rules)
    both = [attribute for attribute in held if attribute in seen]
    if not both:
        raise InvalidInputError("nothing that is known of the people is in the portion")
    one = pl.DataFrame([seen[attribute].alias(attribute) for attribute in both])
    other = pl.DataFrame([held[attribute].alias(attribute) for attribute in both])
    try:
        fits = one.with_row_index(_AT).join(
            other.with_row_index(_ROW), on=both, how="inner", nulls_equal=True
        )
    except pl.exceptions.PolarsError:
        raise InvalidInputError("a known column is of another type than in the portion") from None
    order = np.random.default_rng(seed).permutation(fits.height)
    chosen = fits[order].group_by(_AT).agg(pl.col(_ROW).first(), pl.len())
    values = np.full(shown.height, NO_GUESS, np.int64)
    confidence = np.zeros(shown.height)
    at = chosen[_AT].to_numpy()
    values[at] = chosen[_ROW].to_numpy()
    confidence[at] = 1 / chosen["len"].to_numpy()
    return Guess(values, confidence)


@checked()
def unshift(released: Any, by: str, dates: str, *, at: int, known: datetime.date) -> pl.Series:
    """Return the true dates of a subject, of which one is known.

    Parameters
    ----------
    released : table
        What a reader of the portion has decrypted.
    by : str
        The column that shows which records are of one subject, such as one of pseudonyms.
    dates : str
        The column of shifted dates.
    at : int
        The row whose true date is known.
    known : datetime.date
        That date.

    Returns
    -------
    polars.Series
        The true date of each row of the same subject, null in the others.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a column or row is missing, there is no date in the row, or the known one is none.

    Examples
    --------
    >>> import datetime
    >>> from mopse import attacks
    >>> day = datetime.date
    >>> seen = [day(2020, 3, 1), day(2020, 4, 1), day(2020, 3, 9)]
    >>> released = {"who": ["a", "b", "a"], "seen": seen}
    >>> attacks.unshift(released, "who", "seen", at=0, known=day(2019, 12, 24)).to_list()
    [datetime.date(2019, 12, 24), None, datetime.date(2020, 1, 1)]
    """
    shown = as_frame(released, "what is released")
    for column in (by, dates):
        if column not in shown.columns:
            raise InvalidInputError(
                f"what is released has no column {column!r}: {listed(column, shown.columns)}"
            )
    if not isinstance(shown[dates].dtype, pl.Date):
        raise InvalidInputError(f"column {dates!r} holds no dates")
    if at >= shown.height or None in (shown[dates][at], shown[by][at]):
        raise InvalidInputError(f"row {at} has no date of a subject")
    if not isinstance(known, datetime.date):
        raise WrongTypeError(f"the known date is a {type(known).__name__}")
    shift = (shown[dates][at] - datetime.date(known.year, known.month, known.day)).days
    is_own = pl.col(by) == pl.col(by).get(at)
    true = pl.when(is_own).then(pl.col(dates) - pl.duration(days=shift))
    return shown.select(true.cast(pl.Date).alias(dates)).to_series()
