"""The figures of the security evaluation, from its tables; closed forms are drawn over them."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._formulas import exposed_fraction, subtree_share
from mopse.attacks._score import summary
from mopse.evaluate.security._experiments import FIELDS

__all__ = [
    "draw_amplification",
    "draw_boundaries",
    "draw_calibration",
    "draw_correlations",
    "draw_hospitals",
    "draw_insider",
    "draw_knowledge",
    "draw_layouts",
    "draw_linked",
    "draw_records_needed",
    "draw_snapshots",
    "draw_subtrees",
    "draw_tolerances",
]

_SHARE = "share of records"
_WHOLE = (0.0, 1.02)


def _curves(
    figure: plot.Figure, table: pl.DataFrame, x: str, by: str, *, clusters: Sequence[str]
) -> plot.Figure:
    """Add a line of means with their intervals per value of a column."""
    told = summary(table, list(dict.fromkeys([by, x, "metric"])), clusters=clusters)
    for (name,), part in told.group_by(by, maintain_order=True):
        curve = part.sort(x)
        figure.line(curve[x], curve["value"], name=str(name))
        figure.intervals(curve[x], curve["low"], curve["high"], name=str(name))
    return figure


def _expected(figure: plot.Figure, table: pl.DataFrame, x: str, name: str) -> plot.Figure:
    """Add the mean of a closed form."""
    curve = table.group_by(x).agg(pl.col("value").mean()).sort(x)
    return figure.line(curve[x], curve["value"], name=name, role="expected")


def _guessing(figure: plot.Figure, table: pl.DataFrame, x: str) -> plot.Figure:
    """Add the baseline of guessing without a view."""
    curve = table.group_by(x).agg(pl.col("baseline").mean()).sort(x)
    return figure.line(curve[x], curve["baseline"], name="guessing", role="control")


def draw_snapshots(table: pl.DataFrame, metric: str = "exact") -> plot.Figure:
    """Return what the best attack on each scheme recovers, column by column (table T4).

    Parameters
    ----------
    table : polars.DataFrame
        From `snapshots`.
    metric : str
        A share, as in `score`.

    Returns
    -------
    mopse.plot.Figure
        One series per scheme and the baseline of guessing; fields from few values to many.
    """
    chosen = table.filter(pl.col("metric") == metric)
    names = chosen.group_by("field").agg(pl.col("M").first()).sort("M", "field")["field"].to_list()
    figure = plot.Figure(
        x="",
        y=f"{_SHARE}, {metric}",
        y_range=_WHOLE,
        x_categories=names,
        title=f"Best attack on a snapshot: {metric}",
        width=1100,
        height=480,
    )
    place = {name: at for at, name in enumerate(names)}
    seen = chosen.filter(pl.col("view") == "snapshot")
    told = summary(seen, ["scheme", "field", "attack", "metric"])
    best = told.sort("value", descending=True).group_by("scheme", "field").first()
    for number, (scheme, applied) in enumerate(_by_scheme(best)):
        at = np.array([place[f] for f in applied["field"]]) + (number - 2) * 0.12
        figure.dots(at, applied["value"], name=scheme)
        figure.intervals(at, applied["low"], applied["high"], name=scheme)
    blind = told.group_by("field").agg(pl.col("baseline").first())
    at = np.array([place[f] for f in blind["field"]])
    return figure.dots(at, blind["baseline"], name="guessing", role="control")


def _by_scheme(table: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return the rows of each scheme, in the order in which schemes are always named."""
    named = [(s, table.filter(pl.col("scheme") == s)) for s in schemes.SCHEMES]
    return [(scheme, part) for scheme, part in named if part.height]


def draw_tolerances(table: pl.DataFrame) -> plot.Figure:
    """Return how many records are recovered within a tolerance (F2).

    Parameters
    ----------
    table : polars.DataFrame
        From `tolerance_curves`.

    Returns
    -------
    mopse.plot.Figure
        One panel per column, one curve per scheme, and guessing.
    """
    panels = []
    for (field,), part in table.group_by("field", maintain_order=True):
        figure = plot.Figure(x="tolerance, steps", y=_SHARE, y_range=_WHOLE, title=str(field))
        for scheme, own in _by_scheme(part):
            curve = own.group_by("tolerance").agg(pl.col("value").mean()).sort("tolerance")
            figure.line(curve["tolerance"], curve["value"], name=scheme)
        blind = part.group_by("tolerance").agg(pl.col("baseline").mean()).sort("tolerance")
        figure.line(blind["tolerance"], blind["baseline"], name="guessing", role="control")
        panels.append(figure)
    return plot.grid(panels, title="A near miss does harm too", width=1100, height=440)


def draw_hospitals(table: pl.DataFrame, attack: str = "posterior") -> plot.Figure:
    """Return for how many providers at least so many records are recovered (F1).

    Parameters
    ----------
    table : polars.DataFrame
        From `hospitals`.
    attack : str
        Which.

    Returns
    -------
    mopse.plot.Figure
        One panel per kind of provider, one curve per column.
    """
    chosen = table.filter((pl.col("metric") == "exact") & (pl.col("attack") == attack))
    panels = []
    for (kind,), part in chosen.group_by("kind", maintain_order=True):
        sizes = part.group_by("seed", "provider").agg(pl.col("records").max())["records"]
        figure = plot.Figure(
            x=f"{_SHARE} recovered, at least",
            y="share of providers",
            x_range=(0, 1),
            y_range=_WHOLE,
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


def draw_records_needed(table: pl.DataFrame) -> plot.Figure:
    """Return recovery against the number of records, with the closed forms (F3).

    Parameters
    ----------
    table : polars.DataFrame
        From `records_needed`.

    Returns
    -------
    mopse.plot.Figure
        One panel per column.
    """
    panels = []
    exact = table.filter(pl.col("metric") == "exact")
    for (field,), part in exact.group_by("field", maintain_order=True):
        figure = plot.Figure(
            x="records", y=_SHARE, x_scale="log10", y_range=_WHOLE, title=str(field)
        )
        measured = part.filter(pl.col("attack").is_in(["sorting", "posterior", "rank", "density"]))
        _curves(figure, measured, "n", "attack", clusters=["seed"])
        for name in ("expected density", "expected from ranks"):
            _expected(figure, part.filter(pl.col("attack") == name), "n", name)
        _guessing(figure, part.filter(pl.col("attack") == "rank"), "n")
        panels.append(figure)
    return plot.grid(panels, title="How many records an attack needs", width=1100, height=460)


def draw_knowledge(table: pl.DataFrame, field: str) -> plot.Figure:
    """Return recovery against how wrong, and how scarce, the adversary's knowledge is (F4).

    Parameters
    ----------
    table : polars.DataFrame
        From `knowledge`.
    field : str
        A column of the survey.

    Returns
    -------
    mopse.plot.Figure
        Two panels: distance to the truth, and records known.
    """
    exact = table.filter((pl.col("metric") == "exact") & (pl.col("field") == field))
    wrong = exact.filter(pl.col("distance").is_not_null())
    scarce = exact.filter(pl.col("known").is_not_null())
    panels = []
    for part, x, label, scale in (
        (wrong, "distance", "total-variation distance added to the held-out half", "linear"),
        (scarce, "known", "records known beforehand", "log10"),
    ):
        figure = plot.Figure(
            x=label,
            y=f"{_SHARE}, exact",
            x_scale="log10" if scale == "log10" else "linear",
            y_range=_WHOLE,
        )
        _curves(figure, part, x, "attack", clusters=["seed", "provider"])
        panels.append(_guessing(figure, part, x))
    return plot.grid(panels, title=f"Wrong or scarce knowledge: {field}", width=1100, height=440)


def draw_boundaries(table: pl.DataFrame, plaintexts: int) -> plot.Figure:
    """Return the share of cuts that queries have shown (F7).

    Parameters
    ----------
    table : polars.DataFrame
        From `boundaries_by_queries`.
    plaintexts : int
        How many values there are.

    Returns
    -------
    mopse.plot.Figure
        Means and quartiles over seeds, one curve per law, the closed form for uniform ranges.
    """
    figure = plot.Figure(
        x="queries",
        y="share of cuts shown",
        x_scale="log10",
        y_range=_WHOLE,
        title=f"Queries strip frequency hiding: {plaintexts} values",
    )
    for (law,), part in table.group_by("law", maintain_order=True):
        curve = (
            part.group_by("queries")
            .agg(
                pl.col("value").mean(),
                pl.col("value").quantile(0.25, "linear").alias("low"),
                pl.col("value").quantile(0.75, "linear").alias("high"),
            )
            .sort("queries")
        )
        figure.band(curve["queries"], curve["low"], curve["high"], name=str(law))
        figure.line(curve["queries"], curve["value"], name=str(law))
    at = table["queries"].unique().sort().to_list()
    expected = [exposed_fraction(plaintexts, query) for query in at]
    return figure.line(at, expected, name="expected, uniform", role="expected")


def draw_amplification(table: pl.DataFrame) -> plot.Figure:
    """Return recovery against how many providers are merged (F8).

    Parameters
    ----------
    table : polars.DataFrame
        From `amplification`.

    Returns
    -------
    mopse.plot.Figure
        One curve per scheme, the closed form for ranks, and guessing.
    """
    exact = table.filter(pl.col("metric") == "exact")
    figure = plot.Figure(
        x="providers merged",
        y=f"{_SHARE}, exact",
        x_scale="log2",
        y_range=_WHOLE,
        title="Merging gives the thief of a snapshot more records to compare",
    )
    measured = exact.filter(pl.col("scheme").is_not_null())
    _curves(figure, measured, "merged", "scheme", clusters=["seed", "provider"])
    closed = exact.filter(pl.col("attack") == "expected from ranks")
    _expected(figure, closed, "merged", "expected from ranks")
    return _guessing(figure, measured, "merged")


def draw_insider(table: pl.DataFrame, view: str = "provider+snapshot") -> plot.Figure:
    """Return what falls with one corrupt provider, against the width of cells.

    Parameters
    ----------
    table : polars.DataFrame
        From `insider`.
    view : str
        The adversary.

    Returns
    -------
    mopse.plot.Figure
        Three panels: the index to the cell, its exact values, the records opened.
    """
    seen = table.filter(pl.col("view") == view)
    panels = []
    for metric, title in (
        ("cell", "index: the cell"),
        ("exact", "index: the exact value"),
        ("opened", "records opened"),
    ):
        figure = plot.Figure(
            x="steps to a cell", y=f"{_SHARE} of others", y_range=_WHOLE, title=title
        )
        told = summary(seen.filter(pl.col("metric") == metric), ["scheme", "cell", "metric"])
        for scheme, part in _by_scheme(told):
            curve = part.sort("cell")
            role: plot.Role = "control" if scheme == schemes.PLAIN else "series"
            figure.line(curve["cell"], curve["value"], name=scheme, role=role)
        if metric != "opened":
            exact = seen.filter(pl.col("metric") == metric)
            curve = exact.group_by("cell").agg(pl.col("baseline").mean()).sort("cell")
            figure.line(curve["cell"], curve["baseline"], name="guessing", role="expected")
        panels.append(figure)
    return plot.grid(panels, columns=3, title=f"What falls: {view}", width=1200, height=430)


def draw_subtrees(table: pl.DataFrame, fan_out: int, height: int) -> plot.Figure:
    """Return what a corrupt node of a MOPSE+ tree opens and locates, by its level (F10).

    Parameters
    ----------
    table : polars.DataFrame
        From `subtrees`.
    fan_out, height : int
        As measured.

    Returns
    -------
    mopse.plot.Figure
        A tree coloured by what each node opens, beside one by what it locates in the store.
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


def draw_linked(table: pl.DataFrame, plaintexts: int) -> plot.Figure:
    """Return how a group without a corrupt provider falls to linked queries (M4).

    Parameters
    ----------
    table : polars.DataFrame
        From `linked_queries`.
    plaintexts : int
        How many values there are.

    Returns
    -------
    mopse.plot.Figure
        Exact recovery and the share of labelled cuts in closed form.
    """
    figure = plot.Figure(
        x="queries to both groups",
        y=f"{_SHARE} of the other group",
        y_range=_WHOLE,
        title="Linked queries: isolation of groups decays",
    )
    chosen = table.filter(pl.col("metric").is_in(["exact", "within tolerance", "certain"]))
    _curves(figure, chosen, "queries", "metric", clusters=["seed", "provider"])
    at = range(max(table["queries"]) + 1)
    cuts = [exposed_fraction(plaintexts, query) for query in at]
    figure.line(at, cuts, name="cuts labelled, expected", role="expected")
    return _guessing(figure, chosen.filter(pl.col("metric") == "exact"), "queries")


def draw_layouts(table: pl.DataFrame) -> plot.Figure:
    """Return the trade between an insider and frequency hiding, full cells against marks.

    Parameters
    ----------
    table : polars.DataFrame
        From `layouts`.

    Returns
    -------
    mopse.plot.Figure
        What colluders find, and what a snapshot alone finds, per layout.
    """
    exact = table.filter(pl.col("metric") == "exact")
    seen = table.filter(pl.col("metric") == "equal values")
    thief = plot.Figure(
        x="records of all providers",
        y=f"{_SHARE} in a recovered class",
        x_scale="log10",
        y_range=_WHOLE,
        title="a copy of the store: which entries are equal",
    )
    _curves(thief, seen, "n", "scheme", clusters=["seed", "provider"])
    inside = plot.Figure(
        x="colluding providers", y=f"{_SHARE}, exact", y_range=_WHOLE, title="insiders: the value"
    )
    most = exact["n"].max()
    corrupt = exact.filter((pl.col("colluders") > 0) & (pl.col("n") == most))
    _curves(inside, corrupt, "colluders", "scheme", clusters=["seed"])
    inside.line([1, 2, 4], [0.912, 0.963, 0.986], name="expected, marks", role="expected")
    title = "Marks lower what an insider finds, and show repetition to everyone"
    return plot.grid([thief, inside], title=title, width=1100, height=440)


def draw_calibration(
    table: pl.DataFrame, attack: str = "posterior", *, shown: Sequence[str] = FIELDS
) -> plot.Figure:
    """Return claimed confidence against recovery, and who is exposed with certainty (F11).

    Parameters
    ----------
    table : polars.DataFrame
        From `snapshots`.
    attack : str
        One that claims a confidence.
    shown : sequence of str
        Columns of the left panel.

    Returns
    -------
    mopse.plot.Figure
        Left: per seed the mean confidence and what is right. Right: share of records claimed
        with certainty, and how many of them are right, per column.
    """
    own = table.filter((pl.col("attack") == attack) & (pl.col("view") == "snapshot"))
    wide = own.pivot(
        "metric", index=["scheme", "field", "seed", "provider"], values="value"
    ).drop_nulls(["confidence", "exact"])
    left = plot.Figure(
        x="confidence claimed, mean of a run",
        y="share right",
        x_range=(0, 1),
        y_range=_WHOLE,
        title="reliability",
    )
    chosen = wide.filter(pl.col("field").is_in(shown))
    means = chosen.group_by("field", "seed", maintain_order=True).agg(
        pl.col("confidence").mean(), pl.col("exact").mean()
    )
    for (field,), part in means.group_by("field", maintain_order=True):
        left.dots(part["confidence"], part["exact"], name=str(field))
    left.line([0, 1], [0, 1], name="calibrated", role="expected")
    names = own.group_by("field").agg(pl.col("M").first()).sort("M", "field")["field"].to_list()
    right = plot.Figure(
        x="", y=_SHARE, y_range=_WHOLE, x_categories=names, title="claimed with at least 95 %"
    )
    told = summary(
        own.filter(pl.col("metric").is_in(["certain", "right if certain"])), ["field", "metric"]
    )
    for (metric,), part in told.group_by("metric", maintain_order=True):
        at = np.array([names.index(field) for field in part["field"]])
        right.dots(at, part["value"], name=str(metric))
        right.intervals(at, part["low"], part["high"], name=str(metric))
    title = f"Who is exposed with certainty: {attack}"
    return plot.grid([left, right], title=title, width=1100, height=520)


def draw_correlations(table: pl.DataFrame) -> plot.Figure:
    """Return what a second column of the same records adds (F12).

    Parameters
    ----------
    table : polars.DataFrame
        From `correlations`.

    Returns
    -------
    mopse.plot.Figure
        Recovery of the first column alone, together, and by guessing.
    """
    exact = table.filter(pl.col("metric") == "exact").with_columns(
        pair=pl.col("field") + " beside " + pl.col("beside")
    )
    names = exact["pair"].unique(maintain_order=True).to_list()
    figure = plot.Figure(
        x="",
        y=f"{_SHARE}, exact",
        y_range=(0, None),
        x_categories=names,
        title="Do columns of one record help each other?",
        width=900,
    )
    told = summary(exact, ["pair", "attack", "metric"], clusters=["seed"])
    for shift, ((attack,), part) in zip(
        (-0.1, 0.1), told.group_by("attack", maintain_order=True), strict=True
    ):
        at: NDArray[np.float64] = np.array([names.index(p) for p in part["pair"]]) + shift
        figure.dots(at, part["value"], name=str(attack))
        figure.intervals(at, part["low"], part["high"], name=str(attack))
    blind = told.group_by("pair", maintain_order=True).agg(pl.col("baseline").first())
    at = np.array([names.index(p) for p in blind["pair"]], np.float64)
    return figure.dots(at, blind["baseline"], name="guessing", role="control")
