"""What the cloud reads from changes: birthdays, and deleted records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse.attacks import (
    NO_GUESS,
    Auxiliary,
    Deployment,
    Domain,
    Guess,
    raised,
    rank,
    score,
    summary,
)
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import card_columns, fields
from mopse.evaluate.security._curves import SHARE, WHOLE, curves
from mopse.evaluate.security._scoring import literals
from mopse.evaluate.security._setting import dealt, halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_updates", "updates"]

SEEN, UNSEEN = "changes seen", "no change seen"
LIVE, CHANGED, DELETED = "live", "changed", "deleted"
CLUSTERS = ("seed", "provider")
SCHEMES = (schemes.MOPSE, schemes.COMMON, schemes.PER_PROVIDER)


@measured()
def updates(
    seeds: Sequence[int] = range(10),
    field: str = "age",
    *,
    widths: Sequence[int] = (1, 5),
    birthdays: Sequence[int] = (1, 5),
    updated: Sequence[int] = (0, 20, 50, 100, 200, 500, 1000, 2000),
    deleted: int = 100,
    providers: int = 8,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Let records grow by a step, again and again, and read what the cloud saw of it.

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    field : str
        A column whose values grow: those that would leave its domain are not changed.
    widths : sequence of int
        Steps to a cell.
    birthdays : sequence of int
        How often each record that is chosen grows by one step.
    updated : sequence of int
        How many records are chosen.
    deleted : int
        How many records are deleted in the end.
    providers : int
        Among whom one half of the survey is dealt; the other half is what the adversary knows.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Rows of `score` with ``scheme``, ``cell``, ``birthdays``, ``updated``, ``attack`` and
        ``of``: the records that are scored, ``"live"``, of these ``"changed"``, or ``"deleted"``.
        Attack ``"changes seen"`` is the cloud's, by `raised`, and by ranks where nothing grew;
        ``"no change seen"`` is the control: ranks in a copy of the store that is made in the end,
        with the other half grown alike as knowledge. It shows nothing of the deleted.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records, or no such column.
    """
    wholes(seeds, "seeds", least=0)
    wholes(widths, "widths", least=1)
    wholes(birthdays, "birthdays", least=1)
    wholes(updated, "updated", least=0)

    def block(seed: int, cell: int, birthdays: int, updated: int) -> Iterable[pl.DataFrame]:
        schema = fields([field], cell=cell)
        target, before = halves(fields([field]), seed)
        tables = dealt(target.drop_nulls(field), providers, seed)
        step = card_columns()[field]["grid"]["step"]
        most = card_columns()[field]["grid"]["maximum"] - birthdays * step
        chosen, lost = _drawn(tables, pl.col(field) <= most, updated, deleted, seed)
        for scheme in SCHEMES:
            made = Deployment(scheme, tables, schema, seed=seed)
            for birthday in range(1, birthdays + 1) if chosen else ():
                grown = pl.col(field) + birthday * step
                made.update({p: table.with_columns(grown) for p, table in chosen.items()})
            made.delete(lost)
            about = literals(scheme=scheme, field=field, M=made.domains[field].plaintexts)
            for case in _scored(made, field, before, birthdays, updated):
                yield case.with_columns(**about)

    keys = [
        {"seed": seed, "cell": cell, "birthdays": times, "updated": count}
        for seed in seeds
        for cell in widths
        for times in birthdays
        for count in updated
    ]
    return sweep(keys, block, path, progress)


def _drawn(
    tables: Mapping[str, pl.DataFrame], can_grow: pl.Expr, updated: int, deleted: int, seed: int
) -> tuple[dict[str, pl.DataFrame], dict[str, list[Any]]]:
    """Return records of each provider that will grow, and ids of others that are deleted."""
    everybody = pl.concat(t.with_columns(path=pl.lit(p)) for p, t in tables.items())
    everybody = everybody.sample(fraction=1, shuffle=True, seed=seed)
    lost, left = everybody.head(deleted), everybody.slice(deleted)
    grow = left.filter(can_grow).head(updated)
    if grow.height < updated or not left.height:
        raise InvalidInputError(f"{updated} to grow and {deleted} to delete are too many records")
    return (
        {str(p): t.drop("path") for (p,), t in grow.group_by("path", maintain_order=True)},
        {
            str(p): t["record_id"].to_list()
            for (p,), t in lost.group_by("path", maintain_order=True)
        },
    )


def _scored(
    made: Deployment, field: str, before: Auxiliary, birthdays: int, updated: int
) -> Iterable[pl.DataFrame]:
    """Return the scores of the cloud and of the control."""
    cloud = made.view("cloud")
    whole = cloud.remembered()
    after = _grown(before, field, made.domains[field], birthdays, updated / whole.records)
    is_live = np.arange(whole.records) < cloud.records
    is_changed = np.zeros(whole.records, np.bool_)
    for seen in whole.replaced.get(field, ()):
        is_changed[seen.records] = True
    truth = np.concatenate([made.truth[field], made.truth_of_deleted[field]])
    known = raised(whole, field, before).guess() if updated else rank(whole, field, before)
    stolen = rank(made.view("snapshot"), field, after)
    nothing = np.full(whole.records - cloud.records, NO_GUESS)
    copied = Guess(np.append(stolen.values, nothing))
    for attack, guess in ((SEEN, known), (UNSEEN, copied)):
        for of, is_of in ((LIVE, is_live), (CHANGED, is_changed), (DELETED, ~is_live)):
            if not is_of.any():
                continue
            table = score(
                Guess(guess.values), np.where(is_of, truth, -1), made.domains[field],
                whole.senders, aux=after if of == LIVE else before, field=field,
            )  # fmt: skip
            yield table.with_columns(**literals(attack=attack, of=of))


def _grown(aux: Auxiliary, field: str, domain: Domain, birthdays: int, share: float) -> Auxiliary:
    """Return what is known once a share of all records has grown."""
    old = aux.distribution(field, domain)
    able = old[: len(old) - birthdays]
    moved = able * min(share / able.sum(), 1.0)
    new = old.copy()
    new[: len(able)] -= moved
    new[birthdays:] += moved
    return Auxiliary({field: 4000 * new})


@measured()
def draw_updates(table: pl.DataFrame) -> plot.Figure:
    """Return recovery against how many records had birthdays that the cloud saw.

    From a table of `updates`. One panel per width of cells and number of birthdays: all live
    records by scheme, those that grew, the control, and guessing. No record is drawn at one.
    """
    exact = table.filter(pl.col("metric") == "exact").with_columns(pl.col("updated").clip(1))
    panels = []
    for (cell, birthdays), part in exact.sort("cell", "birthdays").group_by(
        "cell", "birthdays", maintain_order=True
    ):
        figure = plot.Figure(
            x="records that grew (none: at 1)",
            y=f"{SHARE}, exact",
            x_scale="log10",
            y_range=WHOLE,
            title=f"cells of {cell}, grown by {birthdays}",
        )
        own = part.filter(pl.col("scheme") == schemes.MOPSE)
        changed = own.filter((pl.col("attack") == SEEN) & (pl.col("of") == CHANGED))
        live = part.filter(pl.col("of") == LIVE)
        seen = live.filter(pl.col("attack") == SEEN)
        stolen = live.filter((pl.col("attack") == UNSEEN) & (pl.col("scheme") == schemes.MOPSE))
        curves(figure, seen, "updated", "scheme", clusters=CLUSTERS)
        told = _means(changed)
        figure.line(told["updated"], told["value"], name="MOPSE, those that grew")
        told = _means(stolen)
        figure.line(told["updated"], told["value"], name="MOPSE, no change seen", role="control")
        figure.line(told["updated"], told["baseline"], name="guessing", role="expected")
        panels.append(figure)
    title = "The cloud that sees birthdays reads ages"
    return plot.grid(panels, title=title, width=1200, height=860)


def _means(table: pl.DataFrame) -> pl.DataFrame:
    return summary(table, ["updated", "metric"], clusters=CLUSTERS).sort("updated")


EXPERIMENT = Experiment(
    "security_updates",
    "security",
    updates,
    draw_updates,
    fast={"seeds": range(2), "birthdays": (1, 5), "updated": (0, 500)},
)
