"""Providers of their own, large and small (F1)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import datasets, plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse.attacks import Auxiliary, Deployment, Guess, Posterior, View
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._applied import ATTACKS, Attack, applies
from mopse.evaluate.security._curves import SHARE, WHOLE
from mopse.evaluate.security._scoring import scored
from mopse.evaluate.security._setting import FIELDS, HELD_OUT, halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_hospitals", "hospitals"]


@measured()
def hospitals(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = FIELDS,
    *,
    sizes: Mapping[str, int] | None = None,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack deterministic OPSE at providers of their own, small and large.

    Parameters
    ----------
    seeds : sequence of int
        One split and deal each.
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
        If there is no such column, or the file holds another run.
    """
    wholes(seeds, "seeds", least=0)
    kinds = {"large": 4, "small": 40} if sizes is None else dict(sizes)

    def block(seed: int, kind: str) -> Iterable[pl.DataFrame]:
        schema = fields(names)
        target, aux = halves(schema, seed)
        parts = datasets.providers(target, kinds[kind], seed=seed)
        deployment = Deployment(schemes.DETERMINISTIC, parts, schema, seed=seed)
        view = deployment.view("snapshot")
        for field in schema:
            for attack in ("sorting", "cumulative", "posterior"):
                if not applies(attack, deployment.domains[field]):
                    continue
                guess = _each_alone(view, field, aux, ATTACKS[attack], len(parts))
                labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
                yield scored(deployment, guess, field, aux, **labels)

    keys = [{"seed": seed, "kind": kind} for seed in seeds for kind in kinds]
    return sweep(keys, block, path, progress)


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


@measured()
def draw_hospitals(table: pl.DataFrame, attack: str = "posterior") -> plot.Figure:
    """Return for how many providers at least so many records are recovered (F1).

    From a table of `hospitals`. One panel per kind of provider, one curve per column.

    Parameters
    ----------
    attack : str
        Which.
    """
    chosen = table.filter((pl.col("metric") == "exact") & (pl.col("attack") == attack))
    panels = []
    for (kind,), part in chosen.group_by("kind", maintain_order=True):
        sizes = part.group_by("seed", "provider").agg(pl.col("records").max())["records"]
        figure = plot.Figure(
            x=f"{SHARE} recovered, at least",
            y="share of providers",
            x_range=(0, 1),
            y_range=WHOLE,
            title=f"{kind}: about {np.median(sizes.to_numpy()):.0f} records",
        )
        for (field,), own in part.group_by("field", maintain_order=True):
            values = np.sort(own["value"].to_numpy())
            at = np.linspace(0, 1, 101)
            share = 1 - np.searchsorted(values, at - 1e-9, side="left") / len(values)
            figure.steps(at, share, name=str(field))
        panels.append(figure)
    title = f"Deterministic OPSE, each provider by itself: {attack} attack"
    return plot.grid(panels, title=title, width=1100, height=440)


EXPERIMENT = Experiment(
    "security_hospitals",
    "security",
    hospitals,
    draw_hospitals,
    fast={"seeds": range(2), "names": ("sex", "age")},
)
