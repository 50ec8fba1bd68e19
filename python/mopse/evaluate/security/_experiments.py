"""The security evaluation: attacks on runs of this package over a real survey, scored.

Each function returns a tidy table, one row per (scheme, field, attack, view, aux, seed, provider,
metric), of all repeats; none decides what a figure shows.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tqdm import tqdm

from mopse import _scheme_names as schemes
from mopse import datasets
from mopse._arrays import whole, wholes
from mopse._formulas import expected_density, expected_rank_recovery
from mopse.attacks._auxiliary import Auxiliary
from mopse.attacks._density import differential, dyadic_differential
from mopse.attacks._deployment import Deployment
from mopse.attacks._geometry import geometry
from mopse.attacks._guess import Guess, Posterior
from mopse.attacks._insider import labelled, linkage, locate
from mopse.attacks._marks import locate_between_marks, widest_gaps
from mopse.attacks._queries import exposure, simulate_queries
from mopse.attacks._score import blind, class_recovery, score
from mopse.attacks._snapshot import (
    correlated,
    cumulative,
    frequency,
    monotone_cumulative,
    multinomial,
    non_crossing,
    ordered_posterior,
    rank,
    sorting,
)
from mopse.attacks._view import Domain, View
from mopse.errors import InvalidInputError
from mopse.evaluate._measure import write, written
from mopse.evaluate.performance._experiments import tree
from mopse.schema import Field, Schema

__all__ = [
    "DATA",
    "FIELDS",
    "TOLERANCES",
    "amplification",
    "boundaries_by_queries",
    "correlations",
    "fields",
    "hospitals",
    "insider",
    "knowledge",
    "layouts",
    "linked_queries",
    "records_needed",
    "snapshots",
    "subtrees",
    "tolerance_curves",
]

DATA = "nhanes-2017-2018"
PATH = str | os.PathLike[str] | None
Integers = NDArray[np.int64]
Attack = Callable[[View, str, Auxiliary], Guess | Posterior]

SHUFFLED = "random order"
HELD_OUT = "held-out half"
LONGEST_ASSIGNMENT = 512  # values; an assignment costs the cube

TOLERANCES = {
    "age": 5.0, "systolic_1": 10.0, "systolic_2": 10.0, "systolic_3": 10.0, "diastolic_1": 10.0,
    "diastolic_2": 10.0, "diastolic_3": 10.0, "pulse": 10.0, "weight": 2.0, "height": 2.0,
    "bmi": 1.0, "waist": 2.0, "cholesterol": 10.0, "hdl": 5.0, "glycohemoglobin": 0.3,
    "lead": 0.2, "cadmium": 0.1, "mercury": 0.2,
}  # fmt: skip
"""How far a guess may be off to do harm nevertheless, in each column's unit: chosen here."""

FIELDS = ("sex", "age", "bmi", "systolic_1", "glycohemoglobin", "cholesterol")
"""Columns from few values to many, for the figures."""


@cache
def _columns() -> Mapping[str, Any]:
    """Return what the card says of each column."""
    columns: Mapping[str, Any] = datasets.card(DATA)["columns"]
    return columns


@cache
def _people() -> pl.DataFrame:
    return datasets.load(DATA)


def fields(names: Sequence[str] | None = None, *, cell: int = 1) -> Schema:
    """Return the schema of columns of the survey, each over its card's grid.

    Parameters
    ----------
    names : sequence of str, optional
        Columns; by default all that can be indexed.
    cell : int
        Steps to a cell, at most as many as there are.

    Returns
    -------
    Schema
        Its fields.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column, or it cannot be indexed.
    """
    columns = _columns()
    chosen = [n for n in columns if n != "record_id"] if names is None else list(names)
    made = {}
    for name in chosen:
        about = columns.get(name, {})
        if "levels" in about:
            made[name] = Field.categories(about["levels"], cell=min(cell, len(about["levels"])))
        elif "grid" in about:
            grid = about["grid"]
            made[name] = Field(grid["minimum"], grid["maximum"], step=grid["step"], cell=cell)
        else:
            raise InvalidInputError(f"there is no column {name!r} to index")
    return Schema(**made)


def _steps(name: str) -> int:
    """Return a column's tolerance in steps; 0 for categories."""
    grid = _columns()[name].get("grid")
    return 0 if grid is None else round(TOLERANCES[name] / grid["step"])


def _halves(
    schema: Schema, seed: int, pairs: Sequence[tuple[str, str]] = ()
) -> tuple[pl.DataFrame, Auxiliary]:
    """Return one half of the survey as the target, and knowledge of the other half.

    For pairs of fields only people who have both, so that margins and pairs are of the same people.
    """
    people = _people().select("record_id", *schema)
    if pairs:
        people = people.drop_nulls()
    order = np.random.default_rng([seed, 11]).permutation(people.height)
    half = people.height // 2
    held_out = people[order[half:]]
    return people[order[:half]], Auxiliary.from_table(held_out, schema, pairs=pairs)


def _sweep(
    keys: Sequence[Mapping[str, Any]],
    rows_of: Callable[..., Iterable[pl.DataFrame]],
    path: PATH,
    progress: bool,
) -> pl.DataFrame:
    """Return the rows of every key; those that a file holds are not made again.

    A key is the arguments of a block, which are columns of its rows. Blocks run on all cores, as
    far as kernels release the interpreter. The file is written after each, so that an interrupted
    sweep goes on where it stopped.
    """
    file = None if path is None else Path(path)
    done = _resumed(file, keys) if file is not None else pl.DataFrame()
    finished = set(done.select(list(keys[0])).unique().rows()) if done.height else set()
    left = [key for key in keys if tuple(key.values()) not in finished]

    def block(key: Mapping[str, Any]) -> pl.DataFrame:
        told = {name: pl.lit(value) for name, value in key.items()}
        frames = [frame.with_columns(**told) for frame in rows_of(**key)]
        return pl.concat(frames, how="diagonal_relaxed")

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        made = pool.map(block, left)
        for frame in tqdm(
            made,
            disable=not progress,
            desc=file.stem if file else "attack",
            initial=len(keys) - len(left),
            total=len(keys),
        ):
            done = pl.concat([*([done] if done.height else []), frame], how="diagonal_relaxed")
            if file is not None:
                write(done, file)
    finally:
        pool.shutdown(cancel_futures=True)
    return done


def _resumed(file: Path, keys: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return what an interrupted sweep over the same blocks has written."""
    table = written(file)
    if not table.width:
        return table
    wanted = {tuple(key.values()) for key in keys}
    is_known = set(keys[0]) <= set(table.columns)
    if not is_known or not set(table.select(list(keys[0])).unique().rows()) <= wanted:
        raise InvalidInputError(f"{file} holds another sweep: remove it, or choose another file")
    return table


def _labels(**values: Any) -> dict[str, pl.Expr]:
    return {name: pl.lit(value) for name, value in values.items()}


def _scored(
    deployment: Deployment,
    guess: Guess | Posterior,
    field: str,
    beforehand: Auxiliary | None,
    **labels: Any,
) -> pl.DataFrame:
    """Return the score of a guess with what tells its case apart."""
    steps = _steps(field)
    table = score(
        guess,
        deployment.truth[field],
        deployment.domains[field],
        deployment.senders,
        aux=beforehand,
        field=field,
        tolerances=[steps] if steps else [],
    )
    metric = pl.col("metric").replace(f"within {steps}", "within tolerance")
    told = _labels(scheme=deployment.scheme, field=field, **labels)
    return table.with_columns(metric, **told, M=pl.lit(deployment.domains[field].plaintexts))


WITH_REPETITION: dict[str, Attack] = {
    "sorting": lambda view, field, _: sorting(view, field),
    "frequency": frequency,
    "cumulative": cumulative,
    "monotone cumulative": monotone_cumulative,
    "non-crossing": non_crossing,
    "multinomial": multinomial,
    "posterior": ordered_posterior,
}
"""Attacks on equal ciphertexts of equal values."""

WITHOUT_REPETITION: dict[str, Attack] = {
    "rank": rank,
    "geometry": lambda view, field, _: geometry(view, field),
    "change points": differential,
    "dyadic": dyadic_differential,
}
"""Attacks on ciphertexts that repeat by chance only."""

APPLY: dict[str, tuple[str, ...]] = {
    schemes.DETERMINISTIC: (*WITH_REPETITION, "rank", "geometry"),
    schemes.COMMON: tuple(WITHOUT_REPETITION),
    schemes.PER_PROVIDER: ("rank", "geometry"),
    schemes.MOPSE: ("rank", "geometry", "change points"),
    schemes.PLUS: ("rank", "geometry"),
}
"""Which attacks on a snapshot are run on which scheme."""

ATTACKS = {**WITH_REPETITION, **WITHOUT_REPETITION}


def _applies(attack: str, domain: Domain) -> bool:
    return attack != "cumulative" or domain.cells <= LONGEST_ASSIGNMENT


def _dealt(
    target: pl.DataFrame, providers: int, seed: int, *, skew: float | None = None
) -> dict[str, pl.DataFrame]:
    """Return the records of each provider, in a tree of three levels where there are enough.

    Under schemes without a hierarchy the paths are names and no more.
    """
    parts = datasets.providers(target, providers, skew=skew, seed=seed)
    placed = tree(providers, fan_out=max(2, providers // 4))
    paths: list[str] = []
    for name, under in placed:
        paths.append(name if under is None else f"{under}/{name}")
    return {path: part for path, part in zip(paths, parts.values(), strict=True) if part.height}


def snapshots(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] | None = None,
    *,
    providers: int = 8,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Attack snapshots of every scheme, field by field (S1 to S8).

    Parameters
    ----------
    seeds : sequence of int
        One deployment and one split of the survey each.
    names : sequence of str, optional
        Columns of the survey; all by default.
    providers : int
        Among whom one half is dealt; the other half is what the adversary knows.
    path, progress
        Where rows are kept, so that an interrupted sweep goes on; whether to show a bar.

    Returns
    -------
    polars.DataFrame
        Rows of `score` with ``scheme``, ``field``, ``attack``, ``view``, ``aux``, ``seed``, ``M``.
        ``"random order"`` is the control: the same attack on entries that were dealt to records at
        random.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column, or the file holds another sweep.

    Notes
    -----
    Assignments cost the cube of the domain; fields of more than 512 values go without them.
    """
    wholes(seeds, "seeds", least=0)
    schema = fields(names)

    def block(seed: int, field: str) -> Iterable[pl.DataFrame]:
        one = fields([field])
        target, aux = _halves(one, seed)
        tables = _dealt(target, providers, seed)
        for scheme, applied in APPLY.items():
            deployment = Deployment(scheme, tables, one, seed=seed)
            view = deployment.view("snapshot")
            for attack in applied:
                if not _applies(attack, deployment.domains[field]):
                    continue
                guess = ATTACKS[attack](view, field, aux)
                labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
                yield _scored(deployment, guess, field, aux, **labels)
            control = "posterior" if scheme == schemes.DETERMINISTIC else "rank"
            guess = ATTACKS[control](view.shuffled(seed), field, aux)
            labels = {"attack": control, "view": SHUFFLED, "aux": HELD_OUT}
            yield _scored(deployment, guess, field, aux, **labels)

    keys = [{"seed": seed, "field": field} for seed in seeds for field in schema]
    return _sweep(keys, block, path, progress)


def tolerance_curves(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = ("age", "systolic_1"),
    *,
    most: int = 20,
    providers: int = 8,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Attack snapshots and count guesses that are near (L6).

    Parameters
    ----------
    seeds : sequence of int
        One deployment and one split of the survey each.
    names : sequence of str
        Columns of the survey.
    most : int
        The largest tolerance, in steps.
    providers : int
        Among whom one half is dealt.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        ``scheme``, ``field``, ``seed``, ``tolerance``, ``value`` and ``baseline``: the share of
        records within the tolerance of the best guess for it, by the posterior or by ranks.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    whole(most, "most", least=0)

    def block(seed: int, field: str) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = _halves(schema, seed)
        tables = _dealt(target, providers, seed)
        for scheme in APPLY:
            deployment = Deployment(scheme, tables, schema, seed=seed)
            view, truth = deployment.view("snapshot"), deployment.truth[field]
            is_held = truth >= 0
            steps = range(most + 1)
            if scheme == schemes.DETERMINISTIC:
                posterior = ordered_posterior(view, field, aux)
                guesses = [posterior.guess(t).values for t in steps]
            else:
                guesses = [rank(view, field, aux, tolerance=t).values for t in steps]
            domain = deployment.domains[field]
            blind_at = blind(domain, aux, field, steps, truth[is_held])
            yield pl.DataFrame(
                {
                    "scheme": scheme,
                    "tolerance": list(steps),
                    "value": [
                        float((np.abs(values - truth)[is_held] <= t).mean())
                        for t, values in zip(steps, guesses, strict=True)
                    ],
                    "baseline": [blind_at[f"within {t}"] for t in steps],
                }
            )

    keys = [{"seed": seed, "field": field} for seed in seeds for field in names]
    return _sweep(keys, block, path, progress)


def hospitals(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = FIELDS,
    *,
    sizes: Mapping[str, int] | None = None,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Attack deterministic OPSE at providers of their own, small and large.

    Parameters
    ----------
    seeds : sequence of int
        One split and deal each.
    names : sequence of str
        Columns of the survey.
    sizes : mapping from str to int, optional
        For each kind of provider how many share one half of the survey; 4 large or 40 small.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``kind``: each provider is attacked by itself.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column, or the file holds another sweep.
    """
    wholes(seeds, "seeds", least=0)
    kinds = {"large": 4, "small": 40} if sizes is None else dict(sizes)

    def block(seed: int, kind: str) -> Iterable[pl.DataFrame]:
        schema = fields(names)
        target, aux = _halves(schema, seed)
        parts = datasets.providers(target, kinds[kind], seed=seed)
        deployment = Deployment(schemes.DETERMINISTIC, parts, schema, seed=seed)
        view = deployment.view("snapshot")
        for field in schema:
            for attack in ("sorting", "cumulative", "posterior"):
                if not _applies(attack, deployment.domains[field]):
                    continue
                guess = _each_alone(view, field, aux, ATTACKS[attack], len(parts))
                labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
                yield _scored(deployment, guess, field, aux, **labels)

    keys = [{"seed": seed, "kind": kind} for seed in seeds for kind in kinds]
    return _sweep(keys, block, path, progress)


def _each_alone(view: View, field: str, aux: Auxiliary, attack: Attack, senders: int) -> Guess:
    """Return the guesses of an attack on each provider by itself."""
    values = np.full(view.records, -1, np.int64)
    confidence = np.zeros(view.records)
    for sender in range(senders):
        alone = view.alone(sender)
        if not any(len(index.records) for index in alone.indexes[field]):
            continue
        guess = attack(alone, field, aux)
        if isinstance(guess, Posterior):
            guess = guess.guess()
        values = np.where(guess.is_guessed, guess.values, values)
        if guess.confidence is not None:
            confidence = np.where(guess.is_guessed, guess.confidence, confidence)
    return Guess(values, confidence)


def records_needed(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = ("age", "systolic_1"),
    *,
    records: Sequence[int] = (50, 100, 200, 500, 1000, 2000, 4000),
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Attack snapshots of more and more records, beside the closed forms.

    Parameters
    ----------
    seeds : sequence of int
        One sample each.
    names : sequence of str
        Columns of the survey.
    records : sequence of int
        How many records one half of the survey gives.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``n``. Attack ``"expected density"`` and ``"expected from ranks"`` are
        the closed forms for what the adversary knows; density is also measured.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records.
    """
    wholes(seeds, "seeds", least=0)
    wholes(records, "records", least=1)

    def block(seed: int, n: int) -> Iterable[pl.DataFrame]:
        for field in names:
            schema = fields([field])
            target, aux = _halves(schema, seed)
            held = target.drop_nulls(field)
            if n > held.height:
                continue
            domain = Domain(schema[field].plaintexts)
            pi = aux.distribution(field, domain)
            few = {"provider": held.head(n)}
            for scheme, attacks in (
                (schemes.DETERMINISTIC, ("sorting", "posterior")),
                (schemes.MOPSE, ("rank",)),
            ):
                deployment = Deployment(scheme, few, schema, seed=seed)
                view = deployment.view("snapshot")
                for attack in attacks:
                    labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
                    guess = ATTACKS[attack](view, field, aux)
                    yield _scored(deployment, guess, field, aux, **labels)
                if scheme == schemes.DETERMINISTIC:
                    density = len(np.unique(view.index(field).ciphertexts)) / domain.cells
            closed = {
                ("density", "exact"): density,
                ("expected density", "exact"): expected_density(pi, n),
                ("expected from ranks", "exact"): expected_rank_recovery(pi, n),
            }
            yield pl.DataFrame(
                [
                    {
                        "field": field, "attack": attack, "metric": metric, "value": value,
                        "records": n, "provider": 0, "M": domain.plaintexts,
                    }
                    for (attack, metric), value in closed.items()
                ]
            )  # fmt: skip

    keys = [{"seed": seed, "n": n} for seed in seeds for n in records]
    return _sweep(keys, block, path, progress)


def knowledge(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = ("age", "bmi"),
    *,
    distances: Sequence[float] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
    sizes: Sequence[int] = (50, 200, 1000, 4000),
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Attack with knowledge that is deliberately wrong, or scarce.

    Parameters
    ----------
    seeds : sequence of int
        One split of the survey each.
    names : sequence of str
        Columns of the survey.
    distances : sequence of float
        Total-variation distances by which the held-out half is made wrong.
    sizes : sequence of int
        How many records of the held-out half are known.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``distance`` or ``known``, and the total-variation distance of what is
        known to the target's own histogram in ``to_target``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a distance cannot be reached.
    """
    wholes(seeds, "seeds", least=0)
    wholes(sizes, "sizes", least=1)

    def block(seed: int) -> Iterable[pl.DataFrame]:
        for field in names:
            schema = fields([field])
            target, aux = _halves(schema, seed)
            people = _people().select("record_id", *schema)
            others = people.join(target, on="record_id", how="anti").drop_nulls(field)
            others = others.sample(fraction=1, shuffle=True, seed=seed)
            known: list[tuple[dict[str, float | None], Auxiliary]] = [
                ({"distance": distance, "known": None}, aux.wrong(distance, seed=seed))
                for distance in distances
            ]
            known += [
                ({"distance": None, "known": float(size)},
                 Auxiliary.from_table(others.head(size), schema))
                for size in sizes
            ]  # fmt: skip
            tables = _dealt(target, 8, seed)
            for scheme, attacks in (
                (schemes.DETERMINISTIC, ("posterior", "cumulative", "non-crossing")),
                (schemes.MOPSE, ("rank",)),
            ):
                deployment = Deployment(scheme, tables, schema, seed=seed)
                view = deployment.view("snapshot")
                domain = deployment.domains[field]
                truth = deployment.truth[field]
                own = np.bincount(truth[truth >= 0], minlength=domain.plaintexts)
                for about, auxiliary in known:
                    pi = auxiliary.distribution(field, domain)
                    far = float(np.abs(pi - own / own.sum()).sum() / 2)
                    for attack in attacks:
                        if not _applies(attack, domain):
                            continue
                        labels = {"attack": attack, "view": str(view.adversary), **about}
                        guess = ATTACKS[attack](view, field, auxiliary)
                        frame = _scored(deployment, guess, field, auxiliary, **labels)
                        casts = [pl.col(name).cast(pl.Float64) for name in about]
                        yield frame.with_columns(*casts, to_target=pl.lit(far))

    return _sweep([{"seed": seed} for seed in seeds], block, path, progress)


def correlations(
    seeds: Sequence[int] = range(30),
    pairs: Sequence[tuple[str, str]] = (
        ("systolic_1", "systolic_2"),
        ("systolic_1", "diastolic_1"),
        ("age", "systolic_1"),
        ("sex", "age"),
    ),
    *,
    records: int = 200,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Attack two columns of the same records alone and together (S9).

    Parameters
    ----------
    seeds : sequence of int
        One split of the survey each.
    pairs : sequence of (str, str)
        Columns of the survey; the first is guessed.
    records : int
        How many records there are.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``beside`` for the other column; attacks are ``"alone"`` and
        ``"together"``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    whole(records, "records", least=2)

    def block(seed: int) -> Iterable[pl.DataFrame]:
        for left, right in pairs:
            schema = fields([left, right])
            target, aux = _halves(schema, seed, [(left, right)])
            table = target.head(records)
            deployment = Deployment(schemes.DETERMINISTIC, {"a": table}, schema, seed=seed)
            view = deployment.view("snapshot")
            guesses = {
                "alone": ordered_posterior(view, left, aux),
                "together": correlated(view, left, right, aux),
            }
            for attack, guess in guesses.items():
                labels = {"attack": attack, "view": str(view.adversary), "beside": right}
                yield _scored(deployment, guess, left, aux, **labels)

    return _sweep([{"seed": seed} for seed in seeds], block, path, progress)


def boundaries_by_queries(
    seeds: Sequence[int] = range(30),
    *,
    plaintexts: int = 81,
    queries: int = 2000,
    laws: Sequence[Literal["uniform", "zipf", "clinician"]] = ("uniform", "zipf", "clinician"),
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Count the cuts that queries have shown, query by query (Q1).

    Parameters
    ----------
    seeds : sequence of int
        One sequence of queries each.
    plaintexts : int
        How many values there are.
    queries : int
        How many are asked.
    laws : sequence of str
        How ranges are drawn; see `simulate_queries`.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        ``law``, ``seed``, ``queries`` and the share of cuts shown as ``value``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such law.
    """
    wholes(seeds, "seeds", least=0)
    at = np.unique(np.round(np.geomspace(1, queries, 40)).astype(np.int64))

    def block(seed: int, law: Literal["uniform", "zipf", "clinician"]) -> Iterable[pl.DataFrame]:
        low, high = simulate_queries(plaintexts, queries, seed=seed, law=law)
        shares = exposure(low, high, plaintexts)
        yield pl.DataFrame({"queries": at, "value": shares[at - 1]})

    keys = [{"seed": seed, "law": law} for seed in seeds for law in laws]
    return _sweep(keys, block, path, progress)


def amplification(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    merged: Sequence[int] = (1, 2, 4, 8, 16, 32),
    each: int = 100,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Attack merges of more and more providers (M3).

    Parameters
    ----------
    seeds : sequence of int
        One deal each.
    field : str
        A column of the survey.
    merged : sequence of int
        How many providers' entries are merged.
    each : int
        How many records a provider has.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``merged``; under one key per provider nothing is merged. Metric
        ``linkage`` is the share of equal values at two providers that are seen to be equal, and
        attack ``"expected from ranks"`` the closed form for the adversary's knowledge.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records.
    """
    wholes(seeds, "seeds", least=0)
    wholes(merged, "merged", least=1)

    def block(seed: int, merged: int) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = _halves(schema, seed)
        held = target.drop_nulls(field)
        if merged * each > held.height:
            raise InvalidInputError(f"{merged} providers of {each} are above {held.height} records")
        tables = {f"p{i}": held[i * each : (i + 1) * each] for i in range(merged)}
        for scheme, attack in (
            (schemes.DETERMINISTIC, "posterior"),
            (schemes.MOPSE, "rank"),
            (schemes.PER_PROVIDER, "rank"),
        ):
            deployment = Deployment(scheme, tables, schema, seed=seed)
            view = deployment.view("snapshot")
            guess = ATTACKS[attack](view, field, aux)
            labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
            yield _scored(deployment, guess, field, aux, **labels)
            if merged > 1:
                classes = np.full(deployment.records, -1, np.int64)
                first = 0
                for index in view.indexes_of(field):
                    of_entry, counts = index.classes()
                    classes[index.records] = first + of_entry
                    first += len(counts)
                found = linkage(deployment.truth[field], classes, deployment.senders)
                yield pl.DataFrame([{
                    "scheme": scheme, "attack": "equal ciphertexts", "metric": "linkage",
                    "value": found, "field": field, "records": deployment.records, "provider": 0,
                }])  # fmt: skip
        pi = aux.distribution(field, Domain(schema[field].plaintexts))
        expected = expected_rank_recovery(pi, merged * each)
        yield pl.DataFrame([{
            "attack": "expected from ranks", "metric": "exact", "value": expected, "field": field,
            "records": merged * each, "provider": 0,
        }])  # fmt: skip

    keys = [{"seed": seed, "merged": count} for seed in seeds for count in merged]
    return _sweep(keys, block, path, progress)


def insider(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    widths: Sequence[int] = (1, 2, 5, 10),
    providers: int = 8,
    queries: int = 50,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Corrupt a provider and see what falls: of the index, and of the records (M1, table T1).

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    field : str
        A column of the survey.
    widths : sequence of int
        Steps to a cell.
    providers : int
        How many share one half of the survey.
    queries : int
        Uniform ranges that the owner asks.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Rows of `score`, for records of *other* providers only, with ``scheme``, ``view`` (the
        adversary), ``cell``, and metric ``opened``: the share of records that the adversary's keys
        open.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    wholes(widths, "widths", least=1)

    def block(seed: int, cell: int) -> Iterable[pl.DataFrame]:
        schema = fields([field], cell=cell)
        target, aux = _halves(fields([field]), seed)
        tables = _dealt(target.drop_nulls(field), providers, seed)
        domain = Domain(schema[field].plaintexts, cell)
        low, high = simulate_queries(domain.plaintexts, queries, seed=seed)
        for scheme in (
            schemes.PLAIN, schemes.DETERMINISTIC, schemes.COMMON, schemes.PER_PROVIDER,
            schemes.MOPSE, schemes.PLUS,
        ):  # fmt: skip
            deployment = Deployment(scheme, tables, schema, seed=seed)
            for a, b in zip(low, high, strict=True):
                deployment.ask({field: (int(a), int(b))})
            corrupt = deployment.providers[-1]
            others = deployment.senders != deployment.providers.index(corrupt)
            opened = deployment.opened(corrupt)
            for adversary, guess in _by_adversary(deployment, corrupt, field, aux):
                seen = Guess(np.where(others, guess.values, -1), guess.confidence)
                truth = np.where(others, deployment.truth[field], -1)
                steps = _steps(field)
                table = score(
                    seen, truth, domain, deployment.senders, aux=aux, field=field,
                    tolerances=[steps],
                )  # fmt: skip
                metric = pl.col("metric").replace(f"within {steps}", "within tolerance")
                labels = _labels(scheme=scheme, view=adversary, field=field, M=domain.plaintexts)
                yield table.with_columns(metric, **labels)
                has_key = adversary.startswith("provider") or scheme == schemes.PLAIN
                yield pl.DataFrame([{
                    "scheme": scheme, "view": adversary, "field": field, "metric": "opened",
                    "value": float(opened[others].mean()) if has_key else 0.0, "provider": 0,
                    "records": int(others.sum()),
                }])  # fmt: skip

    keys = [{"seed": seed, "cell": cell} for seed in seeds for cell in widths]
    return _sweep(keys, block, path, progress)


def _by_adversary(
    deployment: Deployment, corrupt: str, field: str, aux: Auxiliary
) -> Iterable[tuple[str, Guess]]:
    """Return the best attack of the suite for each adversary."""
    scheme = deployment.scheme
    snapshot = deployment.view("snapshot")
    if scheme == schemes.PLAIN:
        values = np.full(deployment.records, -1, np.int64)
        index = snapshot.index(field)
        values[index.records] = deployment.domains[field].likeliest(
            aux.distribution(field, deployment.domains[field])
        )[index.ciphertexts]
        stolen = Guess(values, np.ones(deployment.records))
    elif scheme == schemes.DETERMINISTIC:
        stolen = ordered_posterior(snapshot, field, aux).guess()
    else:
        stolen = rank(snapshot, field, aux)
    yield "snapshot", stolen
    yield "provider", locate(deployment.view("provider", provider=corrupt), field, aux)
    breach = locate(deployment.view("provider+snapshot", provider=corrupt), field, aux)
    yield "provider+snapshot", _first(breach, stolen)
    inside = deployment.view("provider+cloud", provider=corrupt)
    yield "provider+cloud", _first(breach, _surer(labelled(inside, field, aux), stolen))
    asked = labelled(deployment.view("user+cloud"), field, aux)
    yield "user+cloud", _surer(asked, stolen)


def _first(better: Guess, other: Guess) -> Guess:
    """Return one guess where it has one, and another elsewhere."""
    known = better.is_guessed
    left = np.zeros(len(known)) if better.confidence is None else better.confidence
    right = np.zeros(len(known)) if other.confidence is None else other.confidence
    return Guess(np.where(known, better.values, other.values), np.where(known, left, right))


def _surer(one: Guess, other: Guess) -> Guess:
    """Return of two guesses the one that claims more, record by record."""
    left = np.zeros(len(one.values)) if one.confidence is None else one.confidence
    right = np.zeros(len(left)) if other.confidence is None else other.confidence
    is_one = left >= right
    return Guess(np.where(is_one, one.values, other.values), np.maximum(left, right))


def subtrees(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    fan_out: int = 3,
    height: int = 2,
    each: int = 40,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Corrupt every node of a MOPSE+ tree (M2).

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    field : str
        A column of the survey.
    fan_out, height : int
        A complete tree: one provider at the top, so many below each, so many levels below it.
    each : int
        Records of each provider.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Per node (``node``, ``level``): metrics ``opened`` (records its key opens) and ``located``
        (records whose cell it finds in the store, all of them right), as shares of all records.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records.
    """
    wholes(seeds, "seeds", least=0)
    paths = ["r"]
    for path_above in paths:
        if path_above.count("/") < height:
            paths += [f"{path_above}/{number}" for number in range(fan_out)]

    def block(seed: int) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        held = _halves(schema, seed)[0].drop_nulls(field)
        if len(paths) * each > held.height:
            raise InvalidInputError(f"{len(paths)} nodes of {each} are above {held.height} records")
        tables = {p: held[i * each : (i + 1) * each] for i, p in enumerate(paths)}
        deployment = Deployment(schemes.PLUS, tables, schema, seed=seed)
        rows = []
        for node in paths:
            guess = locate(deployment.view("provider+snapshot", provider=node), field)
            right = guess.values == deployment.truth[field]
            told = {
                "opened": float(deployment.opened(node).mean()),
                "located": float(guess.is_guessed.mean()),
                "right if located": float(right[guess.is_guessed].mean()),
            }
            rows += [
                {"node": node, "level": node.count("/"), "metric": metric, "value": value}
                for metric, value in told.items()
            ]
        yield pl.DataFrame(rows)

    return _sweep([{"seed": seed} for seed in seeds], block, path, progress)


def linked_queries(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    queries: Sequence[int] = (0, 5, 10, 20, 50, 100, 200, 400),
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Read the queries of one's own group, and label the cuts of another (M4).

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    field : str
        A column of the survey.
    queries : sequence of int
        How many uniform ranges the owner has asked.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Rows of `score` for the other group's records, with ``queries``. Scheme MOPSE+.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    wholes(queries, "queries", least=0)
    steps = _steps(field)

    def block(seed: int) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = _halves(schema, seed)
        parts = list(datasets.providers(target.drop_nulls(field), 3, seed=seed).values())
        tables = dict(zip(["a", "a/b", "c"], parts, strict=True))
        deployment = Deployment(schemes.PLUS, tables, schema, seed=seed)
        domain = deployment.domains[field]
        low, high = simulate_queries(domain.plaintexts, max(queries), seed=seed)
        beside = deployment.senders == deployment.providers.index("a/b")
        truth = np.where(beside, deployment.truth[field], -1)
        asked = 0
        for count in sorted(queries):
            for a, b in zip(low[asked:count], high[asked:count], strict=True):
                deployment.ask({field: (int(a), int(b))})
            asked = count
            guess = labelled(deployment.view("provider+cloud", provider="c"), field, aux)
            table = score(
                guess, truth, domain, deployment.senders, aux=aux, field=field, tolerances=[steps]
            )
            metric = pl.col("metric").replace(f"within {steps}", "within tolerance")
            yield table.with_columns(
                metric, **_labels(scheme=schemes.PLUS, field=field, queries=count)
            )

    return _sweep([{"seed": seed} for seed in seeds], block, path, progress)


def layouts(
    seeds: Sequence[int] = range(10),
    field: str = "age",
    *,
    colluders: Sequence[int] = (1, 2, 4),
    records: Sequence[int] = (500, 2000, 4000),
    providers: int = 5,
    path: PATH = None,
    progress: bool = False,
) -> pl.DataFrame:
    """Trade what an insider finds against what repetition shows: full cells or marks.

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    field : str
        A column of the survey.
    colluders : sequence of int
        How many corrupt providers put their marks together.
    records : sequence of int
        How many records of one half of the survey.
    providers : int
        Among whom they are dealt.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Rows of `score` for records of honest providers with ``scheme``, ``n`` and ``colluders``;
        and for a mere copy of the store, whose senders are known, metric ``equal values``:
        the share of a provider's records in a class of equal values that is recovered exactly by
        cutting its entries at their widest gaps.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records or providers.
    """
    wholes(seeds, "seeds", least=0)
    if max(wholes(colluders, "colluders", least=1)) >= providers:
        raise InvalidInputError("there must be an honest provider")

    def block(seed: int, n: int) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = _halves(schema, seed)
        tables = datasets.providers(target.drop_nulls(field).head(n), providers, seed=seed)
        for scheme in (schemes.MOPSE, schemes.MARKS):
            deployment = Deployment(scheme, tables, schema, seed=seed)
            yield from _bunched(deployment, field, len(tables))
            for count in colluders:
                views = [
                    deployment.view("provider+snapshot", provider=corrupt)
                    for corrupt in deployment.providers[:count]
                ]
                guess = locate_between_marks(views, field)
                honest = deployment.senders >= count
                truth = np.where(honest, deployment.truth[field], -1)
                table = score(
                    guess, truth, deployment.domains[field], deployment.senders, aux=aux,
                    field=field,
                )  # fmt: skip
                told = _labels(scheme=scheme, field=field, attack="marks", colluders=count)
                yield table.with_columns(**told)

    def _bunched(deployment: Deployment, field: str, senders: int) -> Iterable[pl.DataFrame]:
        for sender in range(senders):
            index = deployment.view("snapshot").alone(sender).index(field)
            values = deployment.truth[field][index.records]
            classes = widest_gaps(index.ciphertexts, len(np.unique(values)))
            yield pl.DataFrame([{
                "scheme": deployment.scheme, "field": field, "attack": "widest gaps",
                "colluders": 0, "metric": "equal values", "provider": sender,
                "records": len(values), "value": class_recovery(values, classes), "baseline": None,
            }], schema_overrides={"baseline": pl.Float64})  # fmt: skip

    keys = [{"seed": seed, "n": n} for seed in seeds for n in records]
    return _sweep(keys, block, path, progress)
