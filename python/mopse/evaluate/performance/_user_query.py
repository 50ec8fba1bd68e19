"""What a query of the owner costs, and what one order gains (E2)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _mopse, datasets, plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._scheme_names import COMMON, MOPSE, ONE_MESSAGE, PER_PROVIDER, PLAIN, PLUS
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import grid_field, people_with
from mopse.evaluate._tables import medians, summed
from mopse.evaluate.performance._curves import ASKING, in_ms, scheme_curves
from mopse.evaluate.performance._empty_stores import EmptyStores
from mopse.evaluate.performance._parties import authorized, insecure_keys, received
from mopse.schema import Schema
from mopse.schemes import Opse

__all__ = ["EXPERIMENT", "draw_gain", "draw_user_query", "gain", "user_query"]

Integers = NDArray[np.int64]


@measured()
def user_query(
    providers: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000),
    shares: Sequence[float] = (0.001, 0.01, 0.1),
    *,
    repeats: int = 5,
    store: PATH = None,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time a query of the owner over all providers, against their number (experiment E2).

    Parameters
    ----------
    providers : sequence of int
        How many providers the people of NHANES are dealt to.
    shares : sequence of float
        Which part of the people a query is to find, near enough: an interval of cholesterol.
    store : path, optional
        As in `growing`.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps: ``ask`` (owner: bounds, tokens, signatures; ``bytes`` up, ``messages``), ``search``
        (cloud: verification and counting; ``found``), and for MOPSE and MOPSE+ ``answer`` (cloud:
        the same search, with the sealed records; ``bytes`` down) and ``open`` (owner). Column
        ``share`` is the part that was really found.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the schemes do not find equally many.

    Notes
    -----
    OPSE with a key per provider asks twice: in a message per provider, and in one message of
    as many intervals. Both are leaner than MOPSE's messages: no certificates, no expiry, no fields.
    The answers are the same records for all schemes, hence taken once.
    """
    wholes(providers, "providers", least=1)
    for share in shares:
        if not 0 < share <= 1:
            raise InvalidInputError(f"a share is {share}, expected above 0 and at most 1")
    people = people_with(["cholesterol"]).drop_nulls()
    field, lowest, _ = grid_field("cholesterol")
    schema = Schema(cholesterol=field)
    _, values = field.plaintexts_of(people["cholesterol"])

    def block(count: int, wanted: float) -> Block:
        low, high = _interval(values, wanted)
        found = int(np.count_nonzero((low <= values) & (values <= high)))

        def prepare() -> Mapping[str, Case]:
            stores.clear()
            dealt = datasets.providers(people, count, seed=seed)
            parts = [field.plaintexts_of(part["cholesterol"])[1] for part in dealt.values()]
            keys = insecure_keys(count, seed)

            def check(counted: int) -> int:
                if counted != found:
                    raise InvalidInputError(f"a scheme found {counted} of {found} records")
                return counted

            def control(querier: Any, runs: list[list[Integers]], per_message: int) -> Case:
                server = _mopse.evaluate.ControlServer(querier.verification_key, len(runs))
                for index, of_index in enumerate(runs):
                    server.add(index, np.sort(np.concatenate(of_index)))

                def case(watch: Watch) -> None:
                    with watch.step("ask", "owner") as more:
                        messages = querier.requests(low, high, per_message)
                        more["bytes"] = sum(map(len, messages))
                        more["messages"] = len(messages)
                    with watch.step("search", "cloud") as more:
                        more["found"] = check(sum(server.count(message) for message in messages))

                return case

            def mopse(is_flat: bool) -> Case:
                owner, parties = authorized(schema, count, seed, is_flat=is_flat)
                cloud, _ = received(owner, parties, dealt.values(), stores)
                bounds = (low + lowest, high + lowest)

                def case(watch: Watch) -> None:
                    with watch.step("ask", "owner") as more:
                        query = owner.query(cholesterol=bounds)
                        more["bytes"] = query.nbytes
                        more["messages"] = 1
                    with watch.step("search", "cloud") as more:
                        more["found"] = check(cloud.count(query))
                    with watch.step("answer", "cloud") as more:
                        answer = cloud.search(query)
                        more["bytes"] = answer.nbytes
                    with watch.step("open", "owner") as more:
                        more["found"] = owner.decrypt(answer, query).height

                return case

            domain = field.plaintexts
            runs = [Opse(key, domain).encrypt(part) for key, part in zip(keys, parts, strict=True)]
            common = [Opse(keys[0], domain).encrypt(part) for part in parts]
            each = _mopse.evaluate.ControlQuerier(keys, domain)
            return {
                PLAIN: control(_mopse.evaluate.ControlQuerier.plain(domain), [parts], 1),
                COMMON: control(_mopse.evaluate.ControlQuerier(keys[:1], domain), [common], 1),
                PER_PROVIDER: control(each, [[run] for run in runs], 1),
                ONE_MESSAGE: control(each, [[run] for run in runs], count),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        share = round(found / len(values), 6)
        about = {"providers": count, "wanted": wanted, "share": share, "store": stores.engine}
        return Block(about, prepare)

    with EmptyStores(store) as stores:
        blocks = [block(count, wanted) for count in providers for wanted in shares]
        return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


def _interval(values: Integers, share: float) -> tuple[int, int]:
    """Return the interval around the upper quartile that holds nearest to a share of the values."""
    counts = np.bincount(values)
    best = low = high = int(np.quantile(values, 0.75))
    least = np.inf
    while low > 0 and high < len(counts) - 1:
        off = abs(counts[low : high + 1].sum() / len(values) - share)
        if off < least:
            least, best = off, high - low
        low, high = low - (high - low) % 2, high + 1 - (high - low) % 2
    middle = int(np.quantile(values, 0.75))
    return middle - best // 2, middle + (best + 1) // 2


@measured()
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
    asked = medians(table.filter(pl.col("step").is_in(ASKING)), by)
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


@measured()
def draw_user_query(table: pl.DataFrame) -> plot.Figure:
    """Return the owner's query against the number of providers (E2).

    From a table of `user_query`. Left the time of asking and searching at the smallest share, right
    the same with the largest answer, which is that of MOPSE under all schemes.
    """
    by = ["providers", "share", "scheme"]
    asked = summed(table, by, steps=ASKING)
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
        panels.append(scheme_curves(in_ms(shown), x="providers", title=title))
    return plot.grid(panels, width=1200, height=520)


@measured()
def draw_gain(table: pl.DataFrame) -> plot.Figure:
    """Return how many times longer the owner's query takes under OPSE than under MOPSE (E2).

    From a table of `user_query`. Left in a message per provider, right in one message of as many
    intervals.
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


EXPERIMENT = Experiment(
    "user_query",
    "performance",
    user_query,
    draw_user_query,
    fast={"providers": (1, 8, 64), "shares": (0.001, 0.1), "repeats": 2},
    takes_store=True,
)
