"""What falls with a node of a MOPSE+ tree (M2)."""

from collections.abc import Iterable, Sequence

import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._formulas import subtree_share
from mopse.attacks import Deployment, locate
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._setting import halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_subtrees", "subtrees"]


@measured()
def subtrees(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    fan_out: int = 3,
    height: int = 2,
    each: int = 40,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Corrupt every node of a MOPSE+ tree (M2).

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
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
        held = halves(schema, seed)[0].drop_nulls(field)
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

    return sweep([{"seed": seed} for seed in seeds], block, path, progress)


@measured()
def draw_subtrees(table: pl.DataFrame, fan_out: int, height: int) -> plot.Figure:
    """Return what a corrupt node of a MOPSE+ tree opens and locates, by its level (F10).

    From a table of `subtrees`. A tree coloured by what each node opens, beside one by what it
    locates in the store.

    Parameters
    ----------
    fan_out, height : int
        As measured.
    """
    panels = []
    for metric, title in (
        ("opened", "records its key opens"),
        ("located", "with the store: entries located"),
    ):
        nodes = (
            table.filter(pl.col("metric") == metric)
            .group_by("node", "level")
            .agg(pl.col("value").mean())
            .sort("level", "node")
        )
        place = _places(nodes["node"].to_list(), fan_out, height)
        leaves = sorted(node for node in place if node.count("/") == height)
        levels = [f"level {level}" for level in range(height, -1, -1)]
        figure = plot.Figure(
            x="", y="", x_categories=[*leaves, ""], y_categories=levels, title=title
        )
        for node in nodes["node"]:
            above = node.rpartition("/")[0]
            if above:
                (left, top), (right, bottom) = place[above], place[node]
                figure.line([left, right], [top, bottom], role="control")
        own = 1.5 / len(nodes)
        for node, value in zip(nodes["node"], nodes["value"], strict=True):
            x, y = place[node]
            name = "all" if value > 0.999 else "a part" if value > own else "its own only"
            figure.dots([x], [y], name=name)
            figure.note(x, y + 0.15, f"{value:.0%}")
        if metric == "opened":
            for level in range(height + 1):
                share = subtree_share(fan_out, height, level)
                figure.note(-0.4, height - level + 0.35, f"expected {share:.1%}")
        panels.append(figure)
    return plot.grid(panels, title="One corrupt node in MOPSE+", width=1200, height=440)


def _places(nodes: Sequence[str], fan_out: int, height: int) -> dict[str, tuple[float, float]]:
    """Return where each node of a complete tree stands: leaves side by side, the top above."""
    places = {}
    for node in nodes:
        low, width = 0, fan_out**height
        for name in node.split("/")[1:]:
            width //= fan_out
            low += width * int(name)
        places[node] = (low + (width - 1) / 2, float(height - node.count("/")))
    return places


EXPERIMENT = Experiment(
    "security_subtrees",
    "security",
    subtrees,
    lambda table: draw_subtrees(table, 3, 2),
    fast={"seeds": range(2)},
)
