"""What wider cells cost (E6)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import datasets, plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import DATA, card_columns, grid_field, people_with
from mopse.evaluate.performance._empty_stores import EmptyStores
from mopse.evaluate.performance._parties import authorized, received
from mopse.schema import Schema

__all__ = ["EXPERIMENT", "cell_width", "draw_cell_width", "excess"]

Integers = NDArray[np.int64]


@measured()
def excess(counts: Integers, cell: int) -> float:
    """Return how many records too many a uniformly random range finds on average.

    Parameters
    ----------
    counts : (M,) int array
        How many records each plaintext has.
    cell : int
        How many plaintexts share a cell.

    Returns
    -------
    float
        Over all M (M + 1) / 2 ranges, each as likely: records in the cells of the range that are
        not in the range.

    Examples
    --------
    >>> excess(np.array([1, 1, 1, 1]), cell=2)  # of ten ranges four miss one record, two miss two
    0.8
    """
    m = len(counts)
    if m == 0 or counts.min() < 0:
        raise InvalidInputError("counts must be those of at least one plaintext, none negative")
    whole(cell, "cell", least=1)
    ends = np.concatenate([[0], np.cumsum(counts)])
    at = np.arange(m)
    first, after = at // cell * cell, np.minimum(at // cell * cell + cell, m)
    too_low = ends[at] - ends[first]  # below the lower bound, in its cell
    too_high = ends[after] - ends[at + 1]  # above the upper bound, in its cell
    # A lower bound at x has m - x upper bounds, an upper bound at x has x + 1 lower ones.
    return float((too_low * (m - at) + too_high * (at + 1)).sum() / (m * (m + 1) / 2))


@measured()
def cell_width(
    widths: Sequence[int] = (1, 2, 5, 10, 20),
    fields: Sequence[str] = ("age", "systolic_1", "bmi", "cholesterol"),
    *,
    queries: int = 200,
    providers: int = 8,
    store: PATH = None,
    seed: int = 1,
) -> pl.DataFrame:
    """Measure what wider cells cost: records found that do not match (experiment E6).

    Parameters
    ----------
    widths : sequence of int
        Grid steps per cell.
    fields : sequence of str
        Columns of NHANES with a grid.
    queries : int
        How many random ranges, each as likely; the same for all widths.
    store : path, optional
        As in `growing`.

    Returns
    -------
    polars.DataFrame
        One row per field, width and query: ``low`` and ``high`` (plaintexts), ``matching`` and
        ``found`` (records), ``answer_bytes``, and ``expected_excess``, the mean of
        ``found - matching`` over all ranges, from `excess`.

    Raises
    ------
    mopse.errors.InvalidInputError
        If decryption does not leave exactly the records that match.
    """
    wholes(widths, "widths", least=1)
    whole(queries, "queries", least=1)
    for name in fields:
        if "grid" not in card_columns().get(name, {}):
            raise InvalidInputError(f"{DATA} has no column {name!r} with a grid")
    rows: list[dict[str, Any]] = []
    for name in fields:
        people = people_with([name])
        field, *grid = grid_field(name)
        lowest, step = (Decimal(str(number)) for number in grid)  # bounds are exact
        m = field.plaintexts
        counts = np.bincount(field.plaintexts_of(people[name])[1], minlength=m)
        rng = np.random.default_rng([seed, m])
        # Uniform over all ranges: any two of m + 1 gaps enclose one.
        gaps = np.sort([rng.choice(m + 1, 2, replace=False) for _ in range(queries)], axis=1)
        dealt = datasets.providers(people, providers, seed=seed).values()
        for width in widths:
            schema = Schema({name: grid_field(name, cell=width)[0]})
            owner, parties = authorized(schema, providers, seed, is_flat=True)
            expected = excess(counts, width)
            with EmptyStores(store) as stores:
                cloud, _ = received(owner, parties, dealt, stores)
                for low, after in gaps.tolist():
                    bounds = (lowest + low * step, lowest + (after - 1) * step)
                    query = owner.query({name: bounds})
                    answer = cloud.search(query)
                    matching = int(counts[low:after].sum())
                    if owner.decrypt(answer, query).height != matching:
                        raise InvalidInputError(f"{name}: decryption leaves other records")
                    rows.append(
                        {
                            "field": name,
                            "cell": width,
                            "plaintexts": m,
                            "low": low,
                            "high": after - 1,
                            "matching": matching,
                            "found": len(answer),
                            "answer_bytes": answer.nbytes,
                            "expected_excess": expected,
                            "seed": seed,
                        }
                    )
    return pl.DataFrame(rows)


@measured()
def draw_cell_width(table: pl.DataFrame) -> plot.Figure:
    """Return the records found too many, measured and expected, against the cell width (E6).

    From a table of `cell_width`. Left the mean excess, right how many times larger the answers
    become.
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


EXPERIMENT = Experiment(
    "cell_width",
    "performance",
    cell_width,
    draw_cell_width,
    fast={"widths": (1, 5), "fields": ("age", "bmi"), "queries": 20},
    resumes=False,
    takes_store=True,
)
