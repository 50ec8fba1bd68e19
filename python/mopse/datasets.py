"""Real health data that travels with the package, and ways to deal it out and to scale it up."""

import hashlib
import io
import math
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl

from mopse._checked import checked
from mopse._checks import require_memory, whole
from mopse._files import access_error
from mopse._fork import check_tables
from mopse._table import as_frame
from mopse.errors import DamagedFileError, InvalidInputError, WrongTypeError

__all__ = ["card", "load", "names", "providers", "synthetic"]

_FOLDER = files("mopse") / "_datasets"

# Above this the Dirichlet shares are even to three digits, and far above it they overflow.
_MOST_EVEN_SKEW = 1e6

# Rows that are drawn between two looks whether to go on.
_AT_ONCE = 1 << 22


def names() -> list[str]:
    """List the data sets that come with the package, in alphabetical order.

    Examples
    --------
    >>> names()
    ['nhanes-2017-2018']
    """
    return sorted(entry.name for entry in _FOLDER.iterdir() if (entry / "card.toml").is_file())


@checked()
def card(name: str) -> dict[str, Any]:
    """Return what is known about a data set: source, licence, and the meaning of every column.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    dict
        The content of ``card.toml``: `title`, `publisher`, `source`, `url`, `licence`, `retrieved`,
        `rows`, `sha256`, `notes`, and `columns`, which maps the name of each column to its
        `meaning`, `variable` (its name at the source), `dtype`, `nulls` and, where they apply,
        `unit`, `levels` (of a category, lowest first), `minimum`, `maximum` and `notes`. A column
        of numbers that suits an index has a `grid` of `minimum`, `maximum` and `step` on which all
        its values lie; these are the arguments of a field of a schema.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such data set. The message lists those there are.
    mopse.errors.DamagedFileError
        If the card cannot be read.

    Examples
    --------
    >>> card("nhanes-2017-2018")["columns"]["bmi"]["grid"]
    {'minimum': 8, 'maximum': 100, 'step': 0.1}
    """
    if not isinstance(name, str):
        raise WrongTypeError(f"name is a {type(name).__name__}, expected a str")
    if name not in names():
        raise InvalidInputError(f"no data set {name!r}, there is {', '.join(names())}")
    try:
        return tomllib.loads(_content(name, "card.toml").decode())
    except ValueError as error:  # wrong TOML, or not UTF-8
        raise DamagedFileError(f"card.toml of {name} cannot be read") from error


@checked()
def load(name: str) -> pl.DataFrame:
    """Return a data set as a table, after checking that its file is the one described by its card.

    Nothing is fetched: the file is part of the package.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    polars.DataFrame
        One row per person, with the columns of the card and in their order. Categories are of type
        Enum, so that they compare by their levels. A missing value is null.

    Raises
    ------
    mopse.errors.DamagedFileError
        If the SHA-256 of the file is not the one on the card; and what `card` raises.

    Notes
    -----
    ``nhanes-2017-2018`` is a selection from a survey of the United States population [1]_: 8,366
    people, one row each. It has no hospitals; `providers` simulates them. Ages end at 80, which
    stands for 80 and more. Diastolic pressures of 0 are values of the survey, not missing ones. The
    card has the units and says more on each column.

    References
    ----------
    .. [1] Centers for Disease Control and Prevention, National Center for Health Statistics,
       "National Health and Nutrition Examination Survey 2017-2018",
       `<https://www.cdc.gov/nchs/nhanes/>`_.

    Examples
    --------
    >>> people = load("nhanes-2017-2018")
    >>> people.shape
    (8366, 23)
    >>> people.filter(people["age"].is_between(40, 60), people["systolic_1"] >= 140).height
    328
    """
    check_tables()
    facts = card(name)
    content = _content(name, "data.parquet")
    digest = hashlib.sha256(content).hexdigest()
    if digest != facts["sha256"]:
        raise DamagedFileError(
            f"data.parquet of {name} has SHA-256 {digest}, its card says {facts['sha256']}"
        )
    categories = {
        column: pl.Enum(about["levels"])
        for column, about in facts["columns"].items()
        if "levels" in about
    }
    return pl.read_parquet(io.BytesIO(content)).cast(categories)


def _content(name: str, file: str) -> bytes:
    """Return a file of a data set."""
    entry = _FOLDER / name / file
    try:
        return entry.read_bytes()
    except OSError as error:
        raise access_error(error, entry) from None


@checked()
def providers(
    df: Any, n: int, *, skew: float | None = None, seed: int = 0
) -> dict[str, pl.DataFrame]:
    """Deal the rows of a table to simulated providers, each row to exactly one.

    The providers are an invention of this function: NHANES has no hospitals, so who is whose
    patient is drawn at random here and tells nothing about the world.

    Parameters
    ----------
    df : table
        Polars, pandas or Arrow, or a mapping from names to arrays; with `skew` it has a numeric
        column ``age``, in years.
    n : int
        How many providers, at least 1 and at most one per row.
    skew : float, optional
        None deals evenly: a random deal in which the numbers of rows differ by at most 1. A number
        is the concentration of a Dirichlet distribution, above 0 and at most 1e6: for each ten
        years of age (and once for the rows without an age) the shares of the providers are drawn
        from it, and each row of that age goes to a provider by those shares. The smaller it is the
        more the providers differ, in size and in age: at 0.1 most of a decade goes to one or two of
        them, at 1 all shares are equally likely, at 100 they are nearly even.
    seed : int
        At least 0. The same seed deals the same way, as long as NumPy draws the same.

    Returns
    -------
    dict of str to polars.DataFrame
        ``"provider-1"`` to ``"provider-n"``, in this order. Rows keep their order. With a small
        `skew` a provider may be left without rows.

    Raises
    ------
    mopse.errors.InvalidInputError
        If `n`, `skew` or `seed` is out of its range, or `skew` is given for a table without the
        column ``age``.

    Examples
    --------
    >>> people = load("nhanes-2017-2018")
    >>> {name: rows.height for name, rows in providers(people, 3).items()}
    {'provider-1': 2789, 'provider-2': 2789, 'provider-3': 2788}
    """
    df = as_frame(df, "df")
    n = whole(n, "n", least=1)
    if n > df.height:
        raise InvalidInputError(f"n is {n}, expected at most one provider per row, {df.height}")
    random = np.random.default_rng(whole(seed, "seed", least=0))

    owner = np.empty(df.height, dtype=np.int64)
    if skew is None:
        owner[random.permutation(df.height)] = np.arange(df.height) % n
    else:
        concentration = np.full(n, _positive(skew, "skew", most=_MOST_EVEN_SKEW))
        # Without an age is a decade of its own: to_numpy makes it NaN, and unique keeps one NaN.
        decades = (_ages(df) // 10).to_numpy()
        _, stratum = np.unique(decades, return_inverse=True)
        for decade in range(stratum.max() + 1):
            (rows,) = np.nonzero(stratum == decade)
            owner[rows] = random.choice(n, size=rows.size, p=random.dirichlet(concentration))

    by_owner = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[by_owner], np.arange(n), side="right")
    return {f"provider-{i + 1}": df[rows] for i, rows in enumerate(np.split(by_owner, ends[:-1]))}


@checked(n=(0, 2**28))
def synthetic(
    n: int,
    *,
    like: Any = "nhanes-2017-2018",
    columns: Sequence[str] | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Draw a table of any size whose columns are distributed like those of a real one.

    It is made for load: sizes, ties, nulls and the selectivity of a range of one column are those
    of the source. Relations between columns are not.

    Parameters
    ----------
    n : int
        How many rows, at least 0.
    like : table or str
        The source, as for `providers`, or the name of a data set to `load`. It has at least one
        row.
    columns : sequence of str, optional
        Which columns to draw, in this order; all by default. ``record_id`` may be left out.
    seed : int
        At least 0. The same seed draws the same values, as long as NumPy draws the same, and a
        column gets the same ones whatever other columns are drawn.

    Returns
    -------
    polars.DataFrame
        ``record_id``, an Int64 column of 0 to n - 1 that replaces one of that name in the source,
        and the columns drawn, with their types.

    Raises
    ------
    mopse.errors.InvalidInputError
        If `n` or `seed` is negative, there is no such data set, the source has no rows, or
        `columns` names a column twice or one that the source does not have.
    mopse.errors.DamagedFileError
        If the data set named does not match its card.

    Notes
    -----
    Every column is resampled with replacement, nulls included, and independently of the others.
    Drawing whole rows instead would repeat each person of the source n / rows times with all values
    equal, so that an index would hold the same few thousand combinations over and over. The price
    is that age no longer goes with pressure, nor weight with height: for attacks on correlated
    columns and for conjunctions use the source itself, or ``like.sample(n,
    with_replacement=True)``. No value occurs that the source does not have.

    Costs O(n) per column, some tens of nanoseconds per value.

    Examples
    --------
    >>> synthetic(1_000_000, columns=["age", "systolic_1"]).columns
    ['record_id', 'age', 'systolic_1']
    """
    n = whole(n, "n", least=0)
    seed = whole(seed, "seed", least=0)
    source = load(like) if isinstance(like, str) else as_frame(like, "like")

    chosen = _chosen(columns, source)
    require_memory(8 * n * (1 + len(chosen)), "the table")
    drawn = [pl.int_range(n, dtype=pl.Int64, eager=True).alias("record_id")]
    for name in chosen:
        # The place of the column is part of the seed: another selection draws the same values.
        random = np.random.default_rng([seed, source.get_column_index(name)])
        values = [source[name].head(0)]
        for at in range(0, n, _AT_ONCE):
            rows = random.integers(source.height, size=min(n - at, _AT_ONCE), dtype=np.uint32)
            values.append(source[name].gather(pl.Series(rows)))
        drawn.append(pl.concat(values, rechunk=False))
    return pl.DataFrame(drawn)


def _chosen(columns: Sequence[str] | None, source: pl.DataFrame) -> list[str]:
    """Return the columns to draw: those asked for or all, without the record id."""
    if columns is None:
        columns = source.columns
    # A str is a sequence of str, but "age" would be asked for as "a", "g" and "e".
    if isinstance(columns, str) or not isinstance(columns, Sequence):
        raise WrongTypeError(f"columns is a {type(columns).__name__}, expected a sequence of str")
    for place, name in enumerate(columns):
        if not isinstance(name, str):
            raise WrongTypeError(f"columns[{place}] is a {type(name).__name__}, expected a str")
        if name in columns[:place]:
            raise InvalidInputError(f"columns names {name!r} twice")
        if name not in source.columns and name != "record_id":
            raise InvalidInputError(f"columns names {name!r}, which the source does not have")
    return [name for name in columns if name != "record_id"]


def _ages(df: pl.DataFrame) -> pl.Series:
    """Return the column that the skewed deal goes by."""
    if "age" not in df.columns:
        raise InvalidInputError("df has no column 'age', which skew deals by")
    if not df["age"].dtype.is_numeric():
        raise WrongTypeError(f"column 'age' of df is {df['age'].dtype}, expected numbers")
    return df["age"].cast(pl.Float64)


def _positive(value: float, name: str, *, most: float) -> float:
    """Return the value as a float above 0 and at most `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise WrongTypeError(f"{name} is a {type(value).__name__}, expected a number")
    number = float(value)
    if math.isnan(number) or not 0 < number <= most:
        raise InvalidInputError(f"{name} is {number}, expected above 0 and at most {most:g}")
    return number
