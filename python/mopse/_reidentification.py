"""What of a de-identified portion tells whose records they are: classes of equal attributes."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from math import comb
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse._checks import instance, integer, listed, text
from mopse._deidentified import Deidentified, Rule, derived_name
from mopse._derived import coarse, days_of
from mopse._table import as_frame
from mopse._types import dtype_words
from mopse.errors import InvalidInputError
from mopse.schema import Schema

__all__ = ["attributes_of", "coarsened", "reidentification", "told", "whole"]

Attributes = dict[str, pl.Series]
"""By what they are called: of each record what somebody may know, or see."""

SMALL = 5
"""Classes below it are called small, as publishers of statistics do."""

_MOST_SUBSETS = 4096


def reidentification(
    table: Any, schema: Schema, portion: str, *, most_known: int | None = None
) -> pl.DataFrame:
    """Return how far a de-identified portion tells whose records they are.

    Computed on the provider's own table, before anything is encrypted. An attacker is meant who
    knows some attributes of everybody in the table and looks for them in the portion. Records with
    equal attributes are a class: it cannot tell them apart, so it names the right one with a chance
    of one over their number.

    Parameters
    ----------
    table : table
        A Polars, pandas or Arrow table, or a mapping from names to arrays.
    schema : Schema
        The schema, with the portion.
    portion : str
        The portion's name.
    most_known : int, optional
        How many attributes are known at most; each selection of so many is reported. All of them
        otherwise.

    Returns
    -------
    polars.DataFrame
        A row per ``form`` and selection of attributes: ``original``, the control, is the true
        values of the same columns, ``de-identified`` what the portion has of them. ``unit`` is what
        is told apart: each ``record``, or each ``subject`` by all its records, if the portion links
        them. ``attributes``, how many are known, and ``known``, which; ``units``, how many there
        are; ``classes``; ``unique`` and ``unique_share``, those alone in their class;
        ``smallest_class``, which is the k of k-anonymity [1]_; ``small_share``, those in classes of
        fewer than 5; ``expected_matches`` and ``expected_match_share``, those that the attacker is
        expected to name rightly: the number of classes, and its share.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such portion, it is not de-identified, a value cannot become what a rule
        says, or there are more than 4,096 selections.
    mopse.errors.WrongTypeError
        If records cannot hold what a column of the portion holds.

    Notes
    -----
    **Attributes.** Of a column that is kept, its values; of one that is coarsened, the coarse ones;
    of several whose dates are shifted, the days between each and the first, which a shift keeps. A
    null is a value. Pseudonyms are no attributes. For a subject all attributes of all its records
    count, and the days since its first date: more than of any one record.

    **What it does not count.** Whoever knows one true date of a subject knows its shift, and with
    it all its dates: add the dates to what is known, as in ``original``. Nor what queries tell, nor
    that records which no class hides may say more of whom they hide among: if all of a class share
    a diagnosis, it is told.

    References
    ----------
    .. [1] L. Sweeney, "k-Anonymity: a Model for Protecting Privacy", IJUFKS 10(5), 2002, section 3.

    Examples
    --------
    >>> import mopse
    >>> from mopse.sharing import coarsen, deidentified, keep, reidentification
    >>> research = deidentified(age=coarsen(10), sex=keep())
    >>> schema = mopse.Schema(age=mopse.Field(0, 120), portions={"research": research})
    >>> table = {"age": [41, 47, 47, 52], "sex": ["f", "f", "f", "m"]}
    >>> found = reidentification(table, schema, "research")
    >>> found.filter(attributes=2).select("form", "unique", "smallest_class", "expected_matches")
    shape: (2, 4)
    ┌───────────────┬────────┬────────────────┬──────────────────┐
    │ form          ┆ unique ┆ smallest_class ┆ expected_matches │
    │ ---           ┆ ---    ┆ ---            ┆ ---              │
    │ str           ┆ i64    ┆ i64            ┆ i64              │
    ╞═══════════════╪════════╪════════════════╪══════════════════╡
    │ original      ┆ 2      ┆ 1              ┆ 3                │
    │ de-identified ┆ 1      ┆ 1              ┆ 2                │
    └───────────────┴────────┴────────────────┴──────────────────┘
    """
    most = None if most_known is None else integer(most_known, "most_known", 1)
    frame, of, name = _read(table, schema, portion)
    rows: list[dict[str, Any]] = []
    for form, attributes in _forms(frame, of).items():
        codes = {attribute: _codes(column) for attribute, column in attributes.items()}
        size = len(codes) if most is None else min(most, len(codes))
        selections = sum(comb(len(codes), known) for known in range(size + 1))
        if selections > _MOST_SUBSETS:
            raise InvalidInputError(
                f"there are {selections:,} selections of {len(codes)} attributes, and "
                f"{_MOST_SUBSETS:,} at most are reported: make most_known less"
            )
        for known in range(1 if codes else 0, size + 1):
            for chosen in itertools.combinations(codes, known):
                together = _together([codes[one] for one in chosen], frame.height)
                rows.append(_row(name, form, "record", chosen, together))
    return _table_of([*rows, *_linked(frame, of, name)])


def whole(table: Any, schema: Schema, portion: str) -> pl.DataFrame:
    """Return the rows of `reidentification` where all attributes are known."""
    frame, of, name = _read(table, schema, portion)
    rows = []
    for form, attributes in _forms(frame, of).items():
        together = _together([_codes(column) for column in attributes.values()], frame.height)
        rows.append(_row(name, form, "record", tuple(attributes), together))
    return _table_of([*rows, *_linked(frame, of, name)])


def _table_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema_overrides={"known": pl.List(pl.String)})


def _read(table: Any, schema: Schema, portion: str) -> tuple[pl.DataFrame, Deidentified, str]:
    known = instance(schema, Schema, "a schema").deidentified
    name = text(portion, "a portion")
    if name not in known:
        there = listed(name, known) if known else "there is none"
        raise InvalidInputError(f"the schema has no de-identified portion {name!r}: {there}")
    return schema._named(as_frame(table)), known[name], name


def _forms(frame: pl.DataFrame, of: Deidentified) -> dict[str, Attributes]:
    rules = of.rules
    return {
        "original": attributes_of(frame, rules, is_original=True),
        "de-identified": attributes_of(frame, rules),
    }


def attributes_of(
    frame: pl.DataFrame, rules: Mapping[str, Rule], *, is_original: bool = False
) -> Attributes:
    """Return the attributes that a portion shows of each record, or those that they are made of."""
    found, dates = {}, []
    for name, rule in rules.items():
        if name not in frame.columns or rule.kind in ("drop", "pseudonym"):
            continue
        if rule.kind == "shift_dates":
            dates.append((name, days_of(frame[name])))
        elif rule.kind == "keep" or is_original:
            found[name] = frame[name]
        else:
            found[name] = coarse(frame[name], rule)
    return found | (dict(dates) if is_original else dict(intervals(dates)))


def intervals(dates: Sequence[tuple[str, pl.Series]]) -> Iterator[tuple[str, pl.Series]]:
    """Return the days between the first of some columns of dates and each other one."""
    for name, column in dates[1:]:
        first, days = dates[0]
        yield f"{name} - {first}", (column - days).dt.total_days()


def coarsened(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return a table with the columns of its portions that are made without a key."""
    made = [
        coarse(frame[name], rule).alias(derived_name(portion, name))
        for portion, of in schema.deidentified.items()
        for name, rule in of.rules.items()
        if rule.kind == "coarsen" and name in frame.columns
    ]
    new = [column for column in made if column.name not in frame.columns]
    return frame.with_columns(new) if new else frame


def _linked(frame: pl.DataFrame, of: Deidentified, portion: str) -> list[dict[str, Any]]:
    """Return what all records of a subject tell together, if the portion shows whose they are."""
    subject = of.subject
    rule = of.rules.get(subject) if subject is not None else None
    if subject is None or rule is None or rule.kind not in ("keep", "pseudonym"):
        return []
    if subject not in frame.columns:
        return []
    others = {name: one for name, one in of.rules.items() if name != subject}
    whose = _codes(frame[subject])
    rows = []
    for form in ("original", "de-identified"):
        is_original = form == "original"
        attributes = attributes_of(frame, others, is_original=is_original)
        if not is_original:
            attributes |= _since_first(frame, others, whose)
        codes = _together([_codes(column) for column in attributes.values()], frame.height)
        by_subject = (
            pl.DataFrame({"subject": whose, "code": codes})
            .sort("subject", "code")
            .group_by("subject", maintain_order=True)
            .agg(pl.col("code").cast(pl.String).str.join(","))
        )
        classes = _codes(by_subject["code"])
        rows.append(_row(portion, form, "subject", tuple(attributes), classes))
    return rows


def _since_first(
    frame: pl.DataFrame, rules: Mapping[str, Rule], whose: NDArray[np.int64]
) -> Attributes:
    """Return how many days after the subject's first date each shifted date lies."""
    names = [
        name for name, rule in rules.items() if rule.kind == "shift_dates" and name in frame.columns
    ]
    if not names:
        return {}
    dates = pl.DataFrame([days_of(frame[name]) for name in names])
    first = pl.min_horizontal(names).min().over("whose")
    since = dates.with_columns(whose=pl.Series(whose)).select(
        (pl.col(name) - first).dt.total_days().alias(f"{name} since the first") for name in names
    )
    return {column.name: column for column in since}


def _codes(column: pl.Series) -> NDArray[np.int64]:
    """Return a number for each different value; a null is one. What no record holds is refused."""
    dtype_words(column)
    if column.dtype == pl.String or isinstance(column.dtype, pl.Enum | pl.Categorical):
        values = column.cast(pl.String)
        known = values.unique().drop_nulls()
        ranks = values.replace_strict(known, pl.Series(range(len(known))), default=None)
    elif column.dtype in (pl.Boolean, pl.Null):
        ranks = column.cast(pl.Int64)
    else:
        ranks = column.rank("dense")
    return ranks.cast(pl.Int64).fill_null(-1).to_numpy()


def _together(codes: Sequence[NDArray[np.int64]], rows: int) -> NDArray[np.int64]:
    """Return a number for each different row of several columns."""
    joined = np.zeros(rows, np.int64)
    for column in codes:
        # Both are below the number of rows, so their pairs fit.
        joined = joined * (int(column.max()) + 2) + column + 1
        joined = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    return joined


def _row(
    portion: str, form: str, unit: str, known: Sequence[str], classes: NDArray[np.int64]
) -> dict[str, Any]:
    counts = np.unique(classes, return_counts=True)[1]
    units, unique = len(classes), int((counts == 1).sum())
    return {
        "portion": portion,
        "form": form,
        "unit": unit,
        "attributes": len(known),
        "known": list(known),
        "units": units,
        "classes": len(counts),
        "unique": unique,
        "unique_share": unique / units,
        "smallest_class": int(counts.min()),
        "small_share": float(counts[counts < SMALL].sum() / units),
        "expected_matches": len(counts),
        "expected_match_share": len(counts) / units,
    }


def told(rows: pl.DataFrame, of: Deidentified) -> list[str]:
    """Return what a report says of a de-identified portion, in sentences."""
    lines = []
    for unit in dict.fromkeys(rows["unit"]):
        before, after = (
            rows.row(by_predicate=(pl.col("unit") == unit) & (pl.col("form") == form), named=True)
            for form in ("original", "de-identified")
        )
        name = before["portion"]
        known = ", ".join(after["known"]) or "nothing"
        lines.append(
            f"portion {name!r}, by {unit}: {after['unique_share']:.0%} of {after['units']:,} are "
            f"the only ones of their {known} ({before['unique_share']:.0%} by the true values), "
            f"{after['small_share']:.0%} in classes below {SMALL}, the smallest of "
            f"{after['smallest_class']:,}. Who knows these of everybody names "
            f"{after['expected_match_share']:.0%} rightly, expected."
        )
    rules = of.rules.values()
    if any(rule.kind == "pseudonym" for rule in rules):
        lines.append(
            "    Pseudonyms link all records of a subject: what is known of one is of all."
        )
    if of.days is not None:
        lines.append(
            "    A shift keeps the days between a subject's dates; one true date undoes it."
        )
    lines.append(
        "    A query's bounds tell the true values of what it finds, to the cell; a reader whom "
        "the cloud helps sees the order of all indexed values."
    )
    return lines
