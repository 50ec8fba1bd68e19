"""The scorer: the only place where a guess meets the truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse._arrays import floats
from mopse._checked import checked
from mopse._checks import instance, integers, listed, whole
from mopse._fork import check_tables
from mopse._table import as_frame
from mopse.attacks._auxiliary import Auxiliary
from mopse.attacks._guess import Guess, Posterior
from mopse.attacks._view import Domain
from mopse.errors import InvalidInputError

__all__ = ["CERTAIN", "blind", "class_recovery", "score", "summary"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

CERTAIN = 0.95
"""A guess with this much confidence counts as certain."""


@checked()
def score(
    guess: Guess | Posterior,
    truth: Integers,
    domain: Domain,
    senders: Integers,
    *,
    aux: Auxiliary | None = None,
    field: str = "",
    tolerances: Sequence[int] = (),
) -> pl.DataFrame:
    """Compare a guess with the truth, provider by provider.

    Parameters
    ----------
    guess : Guess or Posterior
        What an attack returned.
    truth : (records,) int64 array
        Values, -1 for records without one.
    domain : Domain
        The field's values.
    senders : (records,) int64 array
        The number of each record's provider.
    aux : Auxiliary, optional
        What the baseline knows; without it all values are as likely.
    field : str
        The field's name in `aux`.
    tolerances : sequence of int
        Steps by which a guess may be off, each a metric of its own.

    Returns
    -------
    polars.DataFrame
        One row per provider and metric: ``provider``, ``records`` (how many the metric is over),
        ``metric``, ``value``, ``baseline``. Metrics: ``exact``, ``cell``, ``within T`` (shares of
        all records with a value; no guess is wrong), ``guessed`` (share with a guess), ``error``
        (mean absolute error in steps, of guesses), ``confidence`` (its mean), ``certain`` (share
        claimed with confidence of at least `CERTAIN`) and ``right if certain``. The baseline is the
        best guess without a view.

    Raises
    ------
    mopse.errors.InvalidInputError
        If lengths differ, no record has a value, a value or a confidence cannot be, or aux is of
        another domain.
    mopse.errors.WrongTypeError
        If truth or senders are not integers.

    Notes
    -----
    Errors are not minimised over reflection: an order-preserving ciphertext says which end is up.
    """
    check_tables()
    steps = [whole(tolerance, "tolerances", least=0) for tolerance in tolerances]
    truth, senders = integers(truth, "the truth"), integers(senders, "the senders")
    guesses = _guesses(guess, steps)
    if not len(truth) == len(senders) == len(guesses[0].values):
        raise InvalidInputError("guess, truth and senders are of different records")
    if not (truth >= 0).any():
        raise InvalidInputError("no record has a value to guess")
    exact = guesses[0]
    confidence = None if exact.confidence is None else floats(exact.confidence, "the confidence")
    for values, what in ((truth, "the truth"), (exact.values, "the guess")):
        if not -1 <= values.min() <= values.max() < domain.plaintexts:
            raise InvalidInputError(f"{what} has a value outside the domain")
    if confidence is not None and (
        confidence.shape != truth.shape or not ((confidence >= 0) & (confidence <= 1)).all()
    ):
        raise InvalidInputError("a confidence is not between 0 and 1, or there is not one a record")
    hits: dict[str, tuple[NDArray[Any], NDArray[np.bool_]]] = {}
    is_held = truth >= 0
    is_exact = exact.values == truth
    is_guessed = exact.is_guessed & is_held
    hits["exact"] = is_exact, is_held
    hits["cell"] = exact.is_guessed & (exact.values // domain.cell == truth // domain.cell), is_held
    for tolerance, near in zip(steps, guesses[1:], strict=True):
        is_near = near.is_guessed & (np.abs(near.values - truth) <= tolerance)
        hits[f"within {tolerance}"] = is_near, is_held
    hits["guessed"] = exact.is_guessed, is_held
    hits["error"] = np.abs(exact.values - truth), is_guessed
    if confidence is not None:
        is_certain = is_guessed & (confidence >= CERTAIN)
        hits["confidence"] = confidence, is_guessed
        hits["certain"] = is_certain, is_held
        hits["right if certain"] = is_exact, is_certain
    baseline = blind(domain, aux, field, steps, truth[is_held])
    rows = []
    for sender in np.unique(senders[is_held]):
        for metric, (values, of) in hits.items():
            mine = of & (senders == sender)
            if mine.any():
                rows.append(
                    {
                        "provider": int(sender),
                        "records": int(mine.sum()),
                        "metric": metric,
                        "value": float(values[mine].mean()),
                        "baseline": baseline.get(metric),
                    }
                )
    return pl.DataFrame(rows, schema_overrides={"baseline": pl.Float64})


def _guesses(guess: Guess | Posterior, tolerances: Sequence[int]) -> list[Guess]:
    """Return the guess of a value, and for each tolerance the best for it."""
    if isinstance(guess, Posterior):
        return [guess.guess(tolerance) for tolerance in (0, *tolerances)]
    values = integers(instance(guess, Guess, "a guess").values, "the guess")
    return [Guess(values, guess.confidence)] * (1 + len(tolerances))


@checked()
def blind(
    domain: Domain,
    aux: Auxiliary | None,
    field: str,
    tolerances: Sequence[int],
    truth: Integers,
) -> dict[str, float]:
    """Return what the best guess without any view achieves on the same records.

    Parameters
    ----------
    domain : Domain
        The field's values.
    aux : Auxiliary, optional
        What is known of them; without it a guess is a random value.
    field : str
        The field's name in `aux`.
    tolerances : sequence of int
        Steps by which a guess may be off.
    truth : (n,) int64 array
        Values.

    Returns
    -------
    dict of str to float
        The share that the mode, the fullest cell, the fullest window hits, and the mean error of
        the median.

    Raises
    ------
    mopse.errors.InvalidInputError
        If aux is of another domain.
    """
    truth = integers(truth, "the truth")
    pi = np.full(domain.plaintexts, 1 / domain.plaintexts)
    if aux is not None:
        pi = aux.distribution(field, domain)
    one = Posterior(domain, np.zeros(1, np.int64), pi[None])
    cell = int(domain.cell_masses(pi).argmax())
    median = int(np.searchsorted(np.cumsum(pi), 0.5))
    shares = {
        "exact": float((truth == one.guess().values[0]).mean()),
        "cell": float((truth // domain.cell == cell).mean()),
        "error": float(np.abs(truth - median).mean()),
    }
    for tolerance in tolerances:
        middle = one.guess(tolerance).values[0]
        shares[f"within {tolerance}"] = float((np.abs(truth - middle) <= tolerance).mean())
    if aux is None:  # any value is as good a guess: what a random one hits
        shares |= {"exact": 1 / domain.plaintexts, "cell": 1 / domain.cells}
        for tolerance in tolerances:
            shares[f"within {tolerance}"] = min(1.0, (2 * tolerance + 1) / domain.plaintexts)
    return shares


@checked()
def class_recovery(truth: Integers, classes: Integers) -> float:
    """Return the share of records in a class that is exactly the records of one value.

    Parameters
    ----------
    truth : (n,) int64 array
        Values.
    classes : (n,) int64 array
        The class an attack puts each record in, from 0 on.

    Returns
    -------
    float
        1 if classes are values under other names, and 0 if every class is wrong by a record.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no record, there are not as many classes, or one is negative.
    mopse.errors.WrongTypeError
        If they are not integers.

    Examples
    --------
    >>> class_recovery(np.array([4, 4, 7, 8]), np.array([0, 0, 1, 1]))
    0.5
    """
    truth, classes = integers(truth, "the truth"), integers(classes, "the classes")
    if not len(truth) or len(truth) != len(classes):
        raise InvalidInputError(f"{len(truth)} values with {len(classes)} classes")
    if min(truth.min(), classes.min()) < 0:
        raise InvalidInputError("a value or class is negative: leave out records without one")
    _, truth = np.unique(truth, return_inverse=True)
    _, classes = np.unique(classes, return_inverse=True)
    pairs, both = np.unique(np.stack([truth, classes]), axis=1, return_counts=True)
    of_value, of_class = np.bincount(truth), np.bincount(classes)
    is_exact = (both == of_value[pairs[0]]) & (both == of_class[pairs[1]])
    return float(both[is_exact].sum() / len(truth))


@checked(resamples=(1, 2**20))
def summary(
    table: pl.DataFrame,
    by: Sequence[str],
    *,
    clusters: Sequence[str] = ("seed", "provider"),
    resamples: int = 1000,
    seed: int = 1,
) -> pl.DataFrame:
    """Return means over records with bootstrap intervals clustered by provider.

    Parameters
    ----------
    table : polars.DataFrame
        Rows of `score` with the columns of `by` and `clusters`.
    by : sequence of str
        Columns that tell cases apart; ``metric`` is one of them.
    clusters : sequence of str
        Columns that tell clusters apart: records of one provider in one run share their fate.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    polars.DataFrame
        `by`, ``value`` and ``baseline`` (means over records), ``low`` and ``high`` (the middle 95 %
        of means over resampled clusters), ``advantage`` (``(value - baseline) / (1 - baseline)``,
        for shares), ``clusters`` and ``records``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a column is missing.
    """
    check_tables()
    whole(resamples, "resamples", least=1)
    needed = [*by, *clusters, "records", "value", "baseline"]
    table = as_frame(table)
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise InvalidInputError(
            f"the table has no column {missing[0]!r}: {listed(missing[0], table.columns)}"
        )
    random = np.random.default_rng(seed)
    sums = table.group_by(*by, *clusters, maintain_order=True).agg(
        pl.col("records").sum().alias("weight"),
        (pl.col("records") * pl.col("value")).sum().alias("total"),
        (pl.col("records") * pl.col("baseline")).sum().alias("blind"),
        pl.col("baseline").is_null().any().alias("is_without"),
    )
    rows = []
    for key, part in sums.group_by(*by, maintain_order=True):
        weight, total = part["weight"].to_numpy(), part["total"].to_numpy()
        count = len(weight)
        drawn = random.multinomial(count, np.full(count, 1 / count), resamples)
        with np.errstate(invalid="ignore"):
            low, high = np.nanquantile((drawn @ total) / (drawn @ weight), [0.025, 0.975])
        value = total.sum() / weight.sum()
        without = part["is_without"].any()
        baseline = None if without else float(part["blind"].sum() / weight.sum())
        names: Mapping[str, Any] = dict(zip(by, key, strict=True))
        advantage = None
        if baseline is not None and baseline < 1 and names.get("metric") != "error":
            advantage = float((value - baseline) / (1 - baseline))
        rows.append(
            {
                **names,
                "value": float(value),
                "low": float(low),
                "high": float(high),
                "baseline": baseline,
                "advantage": advantage,
                "clusters": count,
                "records": int(weight.sum()),
            }
        )
    overrides = {"baseline": pl.Float64, "advantage": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=overrides)
