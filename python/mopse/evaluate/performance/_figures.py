"""One figure per experiment, from its table."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from mopse import plot
from mopse._scheme_names import MOPSE, ONE_MESSAGE, PER_PROVIDER, PLAIN, PLUS
from mopse.evaluate._measure import medians

__all__ = [
    "draw_authorization",
    "draw_cell_width",
    "draw_gain",
    "draw_index_encryption",
    "draw_large",
    "draw_merging",
    "draw_peers",
    "draw_provider_query",
    "draw_storage",
    "draw_user_query",
    "gain",
]

_MS, _NS = "time [ms]", "time per entry [ns]"
_QUERY = ["ask", "search"]
_INDEX = ["set-up", "handles", "entries", "sort"]


def _summed(table: pl.DataFrame, steps: Sequence[str], by: Sequence[str]) -> pl.DataFrame:
    """Return the time of some steps together, per repeat."""
    chosen = table.filter(pl.col("step").is_in(steps))
    return chosen.group_by(*by, "repeat", maintain_order=True).agg(pl.col("time_s").sum())


def draw_index_encryption(table: pl.DataFrame) -> plot.Figure:
    """Return index encryption time against records, a panel per domain (E1).

    Parameters
    ----------
    table : polars.DataFrame
        From `index_encryption`.

    Returns
    -------
    mopse.plot.Figure
        Log axes, one line per scheme.
    """
    total = _summed(table, _INDEX, ["domain", "records", "scheme"])
    total = total.with_columns((pl.col("time_s") * 1e3).alias(_MS))
    panels = [
        plot.lines(
            total.filter(pl.col("domain") == domain),
            x="records",
            y=_MS,
            by="scheme",
            x_scale="log10",
            y_scale="log10",
            title=f"{domain:,} plaintexts",
        )
        for domain in total["domain"].unique(maintain_order=True)
    ]
    return plot.grid(
        panels, title="Making the index entries of 8 providers", width=1100, height=480
    )


def gain(table: pl.DataFrame) -> pl.DataFrame:
    """Return how many times longer the owner's query takes under OPSE than under MOPSE.

    Parameters
    ----------
    table : polars.DataFrame
        From `user_query`.

    Returns
    -------
    polars.DataFrame
        Per number of providers, ``share`` found, ``scheme`` of the numerator and ``answer``
        (whether the records are moved and opened, which all schemes pay alike): ``ratio`` of
        medians.
    """
    by = ["providers", "share", "scheme"]
    asked = medians(table.filter(pl.col("step").is_in(_QUERY)), by)
    both = asked.join(_moved(table), on=["providers", "share"])
    rows = pl.concat(
        both.select(
            *by, pl.lit(is_with).alias("answer"), pl.col("time_s") + is_with * pl.col("moved_s")
        )
        for is_with in (False, True)
    )
    ours = rows.filter(pl.col("scheme") == MOPSE).drop("scheme").rename({"time_s": "ours_s"})
    joined = rows.join(ours, on=["providers", "share", "answer"])
    return joined.select(*by, "answer", (pl.col("time_s") / pl.col("ours_s")).alias("ratio"))


def _moved(table: pl.DataFrame) -> pl.DataFrame:
    """Return what MOPSE takes to copy and open the records, without finding them."""
    parts = medians(table.filter(pl.col("scheme") == MOPSE), ["providers", "share", "step"])
    steps = parts.pivot("step", index=["providers", "share"], values="time_s")
    copied = (pl.col("answer") - pl.col("search")).clip(lower_bound=0)
    return steps.select("providers", "share", (copied + pl.col("open")).alias("moved_s"))


def draw_user_query(table: pl.DataFrame) -> plot.Figure:
    """Return the owner's query against the number of providers (E2).

    Parameters
    ----------
    table : polars.DataFrame
        From `user_query`.

    Returns
    -------
    mopse.plot.Figure
        Left the time of asking and searching at the smallest share, right the same with the largest
        answer, which is that of MOPSE under all schemes.
    """
    by = ["providers", "share", "scheme"]
    asked = _summed(table, _QUERY, by)
    shares = asked["share"].unique().sort().to_list()
    least, largest = shares[0], shares[-1]
    moved = _moved(table).select("providers", "share", "moved_s")
    answered = asked.join(moved, on=["providers", "share"])
    panels = []
    for frame, share, title in (
        (asked, least, "Asking and searching"),
        (
            answered.with_columns(pl.col("time_s") + pl.col("moved_s")),
            largest,
            f"With an answer of {largest:.1%} of the records",
        ),
    ):
        shown = frame.filter(pl.col("share") == share)
        panels.append(
            plot.lines(
                shown.with_columns((pl.col("time_s") * 1e3).alias(_MS)),
                x="providers",
                y=_MS,
                by="scheme",
                x_scale="log10",
                y_scale="log10",
                title=title,
            )
        )
    return plot.grid(panels, width=1200, height=520)


def draw_gain(table: pl.DataFrame) -> plot.Figure:
    """Return how many times longer the owner's query takes under OPSE than under MOPSE (E2).

    Parameters
    ----------
    table : polars.DataFrame
        From `user_query`.

    Returns
    -------
    mopse.plot.Figure
        Left in a message per provider, right in one message of as many intervals.
    """
    ratios = gain(table)
    panels = []
    for scheme, title in ((PER_PROVIDER, "In n messages"), (ONE_MESSAGE, "In one message")):
        chosen = ratios.filter(pl.col("scheme") == scheme).sort("providers")
        panel = plot.Figure(
            x="providers",
            y="time under OPSE / under MOPSE [1]",
            x_scale="log10",
            y_scale="log10",
            title=title,
        )
        least = chosen["share"].min()
        alone = chosen.filter(~pl.col("answer") & (pl.col("share") == least))
        panel.line(alone["providers"], alone["ratio"], name="without the answer")
        for share in chosen["share"].unique().sort():
            part = chosen.filter(pl.col("answer") & (pl.col("share") == share))
            panel.line(part["providers"], part["ratio"], name=f"with {share:.1%} of the records")
        panels.append(panel.level(1, name="no gain"))
    title = "What one order gains over a key per provider"
    return plot.grid(panels, title=title, width=1100, height=480)


def draw_provider_query(table: pl.DataFrame) -> plot.Figure:
    """Return a provider's query against how many are below it (E3).

    Parameters
    ----------
    table : polars.DataFrame
        From `provider_query`.

    Returns
    -------
    mopse.plot.Figure
        Left the time, right the intervals that are searched, one per token.
    """
    shown = table.with_columns((pl.col("below") + 1).alias("providers in its subtree"))
    total = _summed(shown, _QUERY, ["providers in its subtree", "scheme"])
    total = total.with_columns((pl.col("time_s") * 1e3).alias(_MS))
    counted = shown.filter((pl.col("step") == "search") & (pl.col("repeat") == 0))
    panels = [
        plot.lines(
            total,
            x="providers in its subtree",
            y=_MS,
            by="scheme",
            x_scale="log10",
            y_scale="log10",
        ),
        plot.lines(
            counted.rename({"intervals": "intervals searched [1]"}),
            x="providers in its subtree",
            y="intervals searched [1]",
            by="scheme",
            x_scale="log10",
            y_scale="log10",
        ),
    ]
    return plot.grid(
        panels,
        title="A provider asks for its own and its subtree's records",
        width=1100,
        height=460,
    )


def draw_merging(table: pl.DataFrame) -> plot.Figure:
    """Return merge time per entry against size and against the number of runs (E4).

    Parameters
    ----------
    table : polars.DataFrame
        From `merging`.

    Returns
    -------
    mopse.plot.Figure
        NumPy's stable sort is the control.
    """
    each = table.filter(pl.col("step") == "merge").with_columns(
        (pl.col("time_s") * 1e9 / pl.col("entries")).alias(_NS),
        pl.col("scheme").replace({MOPSE: "ciphertexts", PLAIN: "121 plaintexts"}),
    )
    added = table.filter(pl.col("step") == "add").with_columns(
        (pl.col("time_s") * 1e9 / pl.col("entries")).alias(_NS),
        pl.lit("ciphertexts, one run added").alias("scheme"),
    )
    each = pl.concat([each, added])
    largest = int(each["entries"].to_numpy().max())
    cases: list[tuple[pl.DataFrame, str, plot.Scale, str]] = [
        (each.filter(pl.col("runs") == 16), "entries", "log10", "16 runs"),
        (each.filter(pl.col("entries") == largest), "runs", "log2", f"{largest:,} entries"),
    ]
    panels = [
        plot.lines(
            part,
            x=x,
            y=_NS,
            by="scheme",
            control="numpy",
            x_scale=scale,
            y_scale="log10",
            title=title,
        )
        for part, x, scale, title in cases
    ]
    return plot.grid(panels, title="Merging", width=1100, height=460)


def draw_storage(table: pl.DataFrame) -> plot.Figure:
    """Return the bytes that each party stores and sends (E5).

    Parameters
    ----------
    table : polars.DataFrame
        From `storage`.

    Returns
    -------
    mopse.plot.Figure
        Bars on a log axis, MOPSE beside MOPSE+.
    """
    chosen = table.filter(pl.col("scheme").is_in([MOPSE, PLUS])).with_columns(
        pl.format("{}: {}", "party", "step").alias("what")
    )
    return plot.bars(
        chosen.with_columns(pl.col("bytes").alias("size [bytes]")),
        x="what",
        y="size [bytes]",
        by="scheme",
        y_scale="log10",
        y_range=(10, None),
        title="What is stored and sent",
        width=1200,
        height=520,
    )


def draw_cell_width(table: pl.DataFrame) -> plot.Figure:
    """Return the records found too many, measured and expected, against the cell width (E6).

    Parameters
    ----------
    table : polars.DataFrame
        From `cell_width`.

    Returns
    -------
    mopse.plot.Figure
        Left the mean excess, right how many times larger the answers become.
    """
    means = table.group_by("field", "cell", maintain_order=True).agg(
        (pl.col("found") - pl.col("matching")).mean().alias("excess"),
        pl.col("expected_excess").first(),
        pl.col("answer_bytes").sum(),
    )
    left = plot.Figure(
        x="cell [grid steps]", y="records found too many [1]", title="Mean over random ranges"
    )
    right = plot.Figure(
        x="cell [grid steps]", y="answers' bytes / at width 1 [1]", title="Answer size"
    )
    for (name,), part in means.group_by("field", maintain_order=True):
        left.line(part["cell"], part["excess"], name=str(name))
        left.line(part["cell"], part["expected_excess"], role="expected", name="expected")
        base = part.filter(pl.col("cell") == 1)["answer_bytes"].item()
        right.line(part["cell"], part["answer_bytes"] / base, name=str(name))
    return plot.grid([left, right], title="What wider cells cost", width=1100, height=460)


def draw_authorization(table: pl.DataFrame) -> plot.Figure:
    """Return what adding and removing a provider costs (E7).

    Parameters
    ----------
    table : polars.DataFrame
        From `authorization`.

    Returns
    -------
    mopse.plot.Figure
        A panel for the owner's work to add one, its work to remove one, and encrypting again.
    """
    groups = {
        "Owner: add one": ["add"],
        "Owner: remove one, new keys for the rest": ["remove", "announce", "authorize again"],
        "Providers: encrypt again": ["encrypt again"],
    }
    panels = []
    for title, steps in groups.items():
        total = _summed(table, steps, ["providers", "scheme"])
        panels.append(
            plot.lines(
                total.with_columns((pl.col("time_s") * 1e3).alias(_MS)),
                x="providers",
                y=_MS,
                by="scheme",
                x_scale="log10",
                y_scale="log10",
                title=title,
            )
        )
    return plot.grid(panels, columns=3, title="Authorisation", width=1400, height=460)


def draw_large(table: pl.DataFrame) -> plot.Figure:
    """Return time and memory of large indexes (growth).

    Parameters
    ----------
    table : polars.DataFrame
        From `large`.

    Returns
    -------
    mopse.plot.Figure
        Left the time of all steps on one core and on two, right the highest memory beside the data.
    """
    total = table.group_by("entries", "cores", "repeat", maintain_order=True).agg(
        pl.col("time_s").sum().alias("time [s]")
    )
    named = total.with_columns(pl.format("threads: {}", "cores").alias("threads"))
    left = plot.lines(
        named, x="entries", y="time [s]", by="threads", x_scale="log10", y_scale="log10",
        title="Encrypt, merge, ask 1,000 times",
    )  # fmt: skip
    peak = table.group_by("entries", maintain_order=True).agg(
        pl.col("peak_bytes").max() / 1e9, pl.col("data_bytes").max() / 1e9
    )
    right = plot.Figure(
        x="entries", y="memory [GB]", x_scale="log10", y_scale="log10", title="Highest memory"
    )
    right.line(peak["entries"], peak["peak_bytes"], name="measured")
    right.line(peak["entries"], peak["data_bytes"], name="inputs and outputs", role="control")
    right.line(peak["entries"], 3 * peak["data_bytes"], name="three times", role="expected")
    return plot.grid([left, right], width=1100, height=460)


def draw_peers(table: pl.DataFrame) -> plot.Figure:
    """Return the time to encrypt one value beside peers.

    Parameters
    ----------
    table : polars.DataFrame
        From `peers`.

    Returns
    -------
    mopse.plot.Figure
        Left one value at a time, right batches.
    """
    each = table.with_columns(
        (pl.col("time_s") * 1e6 / pl.col("values")).alias("time per value [us]"),
        np.log2(pl.col("domain")).alias("plaintexts [bits]"),
    )
    panels = [
        plot.lines(
            each.filter(pl.col("step") == step),
            x="plaintexts [bits]",
            y="time per value [us]",
            by="scheme",
            y_scale="log10",
            title=title,
        )
        for step, title in (("encrypt", "One value at a time"), ("encrypt batch", "Batches"))
    ]
    return plot.grid(panels, title="Encryption beside peers", width=1100, height=480)
