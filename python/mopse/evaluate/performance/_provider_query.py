"""What a query of a provider costs, over its own records and those below it (E3)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _mopse, datasets, plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._scheme_names import MOPSE, PER_PROVIDER, PLAIN, PLUS
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import grid_field, people_with
from mopse.evaluate._tables import summed
from mopse.evaluate._tree import tree
from mopse.evaluate.performance._curves import ASKING, in_ms, scheme_curves
from mopse.evaluate.performance._empty_stores import EmptyStores
from mopse.evaluate.performance._parties import insecure_keys, received
from mopse.owner import Owner
from mopse.schema import Schema
from mopse.schemes import Opse

__all__ = ["EXPERIMENT", "draw_provider_query", "provider_query"]

Integers = NDArray[np.int64]


@measured()
def provider_query(
    below: Sequence[int] = (0, 8, 72, 584),
    *,
    repeats: int = 5,
    store: PATH = None,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time a query of a provider over its own records and of those below it (experiment E3).

    Parameters
    ----------
    below : sequence of int
        How many providers are below the one that asks.
    store : path, optional
        As in `growing`.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps ``ask`` (provider) and ``search`` (cloud), as in `user_query`.

    Notes
    -----
    Under OPSE and MOPSE, which know no hierarchy, the provider asks for its own records only.
    """
    wholes(below, "below", least=0)
    people = people_with(["cholesterol"]).drop_nulls()
    field, lowest, _ = grid_field("cholesterol")
    schema = Schema(cholesterol=field)
    low, high = 200, 239

    def block(count: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            stores.clear()
            dealt = list(datasets.providers(people, count + 1, seed=seed).values())
            own = np.sort(field.plaintexts_of(dealt[0]["cholesterol"])[1])
            bounds = (low - lowest, high - lowest)

            def control(querier: Any, run: Integers) -> Case:
                server = _mopse.evaluate.ControlServer(querier.verification_key, 1)
                server.add(0, run)

                def case(watch: Watch) -> None:
                    with watch.step("ask", "provider") as more:
                        (message,) = querier.requests(*bounds, 1)
                        more["bytes"], more["messages"] = len(message), 1
                    with watch.step("search", "cloud") as more:
                        more["found"] = server.count(message)

                return case

            def mopse(is_flat: bool) -> Case:
                owner = Owner.from_insecure_seed(schema, seed)
                asking = owner.authorize("p")
                placed = tree(count)
                parties = [asking]
                for name, under in placed:
                    above = "p" if under is None else f"p/{under}"
                    parties.append(owner.authorize(name, None if is_flat else above))
                cloud, _ = received(owner, parties, dealt, stores)

                def case(watch: Watch) -> None:
                    with watch.step("ask", "provider") as more:
                        query = bytes(asking.query(cholesterol=(low, high)))
                        more["bytes"], more["messages"] = len(query), 1
                    with watch.step("search", "cloud") as more:
                        more["found"] = cloud.count(query)

                return case

            (key,) = insecure_keys(1, seed)
            domain = field.plaintexts
            return {
                PLAIN: control(_mopse.evaluate.ControlQuerier.plain(domain), own),
                PER_PROVIDER: control(
                    _mopse.evaluate.ControlQuerier([key], domain), Opse(key, domain).encrypt(own)
                ),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        return Block({"below": count, "store": stores.engine}, prepare)

    with EmptyStores(store) as stores:
        blocks = [block(count) for count in below]
        return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


@measured()
def draw_provider_query(table: pl.DataFrame) -> plot.Figure:
    """Return a provider's query against how many are below it (E3).

    From a table of `provider_query`. Left the time, right the intervals that are searched, one per
    token, where the store counts them: in memory.
    """
    shown = table.with_columns((pl.col("below") + 1).alias("providers in its subtree"))
    total = summed(shown, ["providers in its subtree", "scheme"], steps=ASKING)
    is_counted = (pl.col("repeat") == 0) & (pl.col("intervals") > 0)
    counted = shown.filter((pl.col("step") == "search") & is_counted)
    panels = [
        scheme_curves(in_ms(total), x="providers in its subtree"),
        scheme_curves(
            counted.rename({"intervals": "intervals searched [1]"}),
            x="providers in its subtree",
            y="intervals searched [1]",
        ),
    ]
    return plot.grid(
        panels,
        title="A provider asks for its own and its subtree's records",
        width=1100,
        height=460,
    )


EXPERIMENT = Experiment(
    "provider_query",
    "performance",
    provider_query,
    draw_provider_query,
    fast={"below": (0, 8, 16), "repeats": 2},
    takes_store=True,
)
