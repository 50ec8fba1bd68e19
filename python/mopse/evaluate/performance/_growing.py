"""What one record more costs the cloud, and what readers notice, against what is stored."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, repeat
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse._scheme_names import MOPSE
from mopse.cloud import merge
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.evaluate._tables import medians
from mopse.evaluate.performance._empty_stores import EmptyStores, EngineName, Kept
from mopse.evaluate.performance._parties import authorized
from mopse.schema import Field, Schema

__all__ = ["ANEW", "EXPERIMENT", "Scene", "checked_sizes", "draw_growing", "growing"]

Merged = tuple[NDArray[np.int64], NDArray[np.uint32]]
"""The entries of a field in order, and the record of each."""

ANEW = "merged anew"
"""A cloud without levels: every change is merged with all that is stored. The control."""

_RANGES = {"age": (0, 120), "pressure": (60, 260)}
_SCHEMA = Schema({name: Field(low, high) for name, (low, high) in _RANGES.items()})
_ASKED = 40
"""The age that readers ask for."""

_PROVIDERS = 8
_EVERY = 32
"""One upload in so many is merged anew."""


@measured()
def growing(
    records: Sequence[int] = (10_000, 100_000, 1_000_000, 4_000_000),
    *,
    uploads: int = 256,
    arriving: int = 20_000,
    reads: int = 5000,
    repeats: int = 10,
    store: PATH = None,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time one record more, and readers meanwhile, against what the cloud stores.

    Parameters
    ----------
    records : sequence of int
        How many records of two fields are stored, of eight providers.
    uploads : int
        How many uploads of one record are made beforehand and come one after the other; as many
        corrections of one record each.
    arriving : int
        How many records each provider uploads while a reader asks.
    reads : int
        How often the reader asks the cloud that has nothing else to do.
    store : path, optional
        What a cloud keeps it in, as in `mopse.Cloud`: in memory by default, the path of a DuckDB
        file, or the address of a database. Each cloud has an empty store of its own, beside what
        is there, which is removed in the end. The column ``store`` names the engine. Comparisons
        and intervals are counted in memory only.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Per step ``calls``, and of their times ``median_s``, ``p999_s`` and ``worst_s``; ``time_s``
        is of the whole step, with all merging that was due in its end. Steps of ``MOPSE``: ``add``
        (an upload of one record is received, then a range is counted), ``correct`` (the new version
        of one record is received, then looked up), ``read`` (a range is counted in the idle cloud),
        ``read meanwhile`` (the same while the uploads of the eight providers come from another
        thread, until they are merged) and its control, ``read beside`` (while the same uploads come
        to another cloud). Steps of ``merged anew``, the control of all: ``add`` (a record is merged
        with all that is stored, then the range is counted) and ``upload`` (the same with the
        `arriving` records of one upload).

    Raises
    ------
    mopse.errors.InvalidInputError
        If a count or a correction is not what the plain values say.

    Notes
    -----
    Every repeat begins with a cloud of its own that is merged. The other cloud is sent all that
    this one is, and every other repeat begins with uploads to it: whichever comes second is slower
    by a little. The range is one age of 121. While uploads come, three threads work: one reads, one
    sends, one merges; and those of the core that check an upload. Where fewer cores are free, the
    longest reads show the system's turns: ``read beside`` has the same threads at work, and nothing
    that a reader could wait for.

    A cloud without levels merges, for each field, what is stored with what is new (`mopse.merge`),
    and puts ciphertexts and record numbers in that order; whoever asks next waits for it. It is
    handed entries, not messages: signatures and sealed records are left out, in its favour. It does
    so for one upload in 32.
    """
    checked_sizes(records, uploads=uploads, arriving=arriving, reads=reads)

    def block(count: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            scene = Scene(count, uploads, arriving, seed)
            return {MOPSE: partial(scene.grow, stores, reads=reads), ANEW: scene.merge_anew}

        about = {"records": count, "uploads": uploads, "arriving": arriving}
        return Block({**about, "store": stores.engine}, prepare)

    with EmptyStores(store) as stores:
        blocks = [block(count) for count in records]
        return record(
            blocks, seed=seed, repeats=repeats, path=path, progress=progress, patience_s=120
        )


def checked_sizes(records: Sequence[int], *, uploads: int, arriving: int, reads: int) -> None:
    """Refuse sizes that make no experiment."""
    whole(uploads, "uploads", least=1)
    whole(arriving, "arriving", least=1)
    whole(reads, "reads", least=1)
    wholes(records, "records", least=_PROVIDERS * uploads)


class Scene:
    """An owner with providers, and all that they send, made beforehand."""

    def __init__(self, stored: int, uploads: int, arriving: int, seed: int) -> None:
        rng = np.random.default_rng([seed, stored])
        self.owner, self.parties = authorized(_SCHEMA, _PROVIDERS, seed, is_flat=True)
        sizes = [len(part) for part in np.array_split(np.arange(stored), _PROVIDERS)]
        shares = _tables(rng, 0, sizes)
        ones = _tables(rng, stored, [1] * uploads)
        larger = _tables(rng, stored + uploads, [arriving] * _PROVIDERS)
        self.corrected = pl.concat(_tables(rng, 0, [1] * uploads))
        self.first, self.ones, self.larger = map(self._sealed, (shares, ones, larger))
        self.is_beside_first: dict[EngineName, Iterator[bool]] = {}

        # How many a reader finds: after each upload, after the corrections, and in the end.
        corrected = _asked(self.corrected) - _asked(shares[0].head(uploads))
        came = [*map(_asked, [*shares, *ones]), corrected, sum(map(_asked, larger))]
        self.found = np.cumsum(came)[_PROVIDERS:].tolist()

        with EmptyStores() as stores:
            kept = self._kept(stores)
        corrector = self.parties[0]
        known = kept.cloud.search(corrector.lookup(self.corrected["record_id"]))
        self.corrections = [
            bytes(corrector.update(one, id="record_id", accept_leakage=_SCHEMA, versions=known))
            for one in self.corrected.iter_slices(1)
        ]

        # Of `merged anew`, which is handed entries and not messages.
        ((owner, group),) = {line[:2] for line in kept.store.contents}
        self.merged = {name: kept.store.merged(owner, group, name) for name in _SCHEMA}
        self.one_runs = [self._runs(one) for one in ones[::_EVERY]]
        self.larger_runs = [self._runs(table) for table in larger]
        came = [sum(map(_asked, shares)), *map(_asked, [*ones[::_EVERY], *larger])]
        self.found_anew = np.cumsum(came)[1:].tolist()

    def _sealed(self, tables: Sequence[pl.DataFrame]) -> list[bytes]:
        """Return uploads of tables, of each provider in turn."""
        return [
            bytes(party.encrypt(table, id="record_id", accept_leakage=_SCHEMA))
            for party, table in zip(cycle(self.parties), tables, strict=False)
        ]

    def _runs(self, table: pl.DataFrame) -> dict[str, Merged]:
        """Return the entries of each field of a table in order, as an upload has them."""
        party = self.parties[0]
        handles = party.handles(table["record_id"])
        runs = {}
        for name in _SCHEMA:
            entries = party.entries(name, table[name], handles)
            order = np.argsort(entries)
            runs[name] = entries[order], order.astype(np.uint32)
        return runs

    def _kept(self, stores: EmptyStores) -> Kept:
        """Return a cloud that has what is stored, and nothing to do."""
        kept = stores.cloud(self.owner.public)
        for message in self.first:
            kept.cloud.receive(message)
        kept.settle()
        return kept

    def _send(self, kept: Kept) -> None:
        """Send the larger uploads, and wait until they are merged."""
        for message in self.larger:
            kept.cloud.receive(message)
        kept.settle()

    def grow(self, stores: EmptyStores, watch: Watch, *, reads: int) -> None:
        """Read, add, correct, and read while uploads come, in a cloud that merges nothing anew."""
        stores.clear()
        kept = self._kept(stores)
        cloud = kept.cloud
        query = bytes(self.owner.query(age=(_ASKED, _ASKED)))
        lookups = [
            bytes(self.owner.lookup([number], provider=self.parties[0].path))
            for number in self.corrected["record_id"]
        ]
        counts: list[int] = []
        looked_up: list[int] = []

        def read() -> int:
            return cloud.count(query)

        def add(message: bytes) -> None:
            cloud.receive(message)
            counts.append(cloud.count(query))

        def correct(message: bytes, lookup: bytes) -> None:
            cloud.receive(message)
            looked_up.append(len(cloud.search(lookup)))

        with watch.step("read", "cloud") as more:
            more |= _spread(repeat(read, reads))
        with watch.step("add", "cloud") as more:
            more |= _spread(partial(add, message) for message in self.ones)
            kept.settle()
        with watch.step("correct", "cloud") as more:
            pairs = zip(self.corrections, lookups, strict=True)
            more |= _spread(partial(correct, *pair) for pair in pairs)
            kept.settle()
        counts.append(read())
        another = self._kept(stores)
        for message in [*self.ones, *self.corrections]:
            another.cloud.receive(message)
        another.settle()
        beside = ("read beside", partial(self._send, another))
        here = ("read meanwhile", partial(self._send, kept))
        turns = self.is_beside_first.setdefault(stores.engine, cycle([True, False]))
        for step, send in (beside, here) if next(turns) else (here, beside):
            with watch.step(step, "cloud") as more:
                more |= _spread(_while(send, read))
        counts.append(read())
        if counts != self.found:
            raise InvalidInputError("a growing cloud counts otherwise than the values say")
        if looked_up != [1] * len(lookups):
            raise InvalidInputError("a corrected record is not found once")
        stores.clear()

    def merge_anew(self, watch: Watch) -> None:
        """Add records to merged entries, without levels."""
        (bounds,) = self.owner.query(age=(_ASKED, _ASKED)).bounds
        low, high = bounds["age"]
        merged = dict(self.merged)
        counts: list[int] = []

        def add(runs: Mapping[str, Merged]) -> None:
            for name, run in runs.items():
                merged[name] = _merged_anew(merged[name], run)
            entries, _ = merged["age"]
            last = np.searchsorted(entries, high, "right")
            counts.append(int(last - np.searchsorted(entries, low)))

        for step, all_runs in (("add", self.one_runs), ("upload", self.larger_runs)):
            with watch.step(step, "cloud") as more:
                more |= _spread(partial(add, runs) for runs in all_runs)
        if counts != self.found_anew:
            raise InvalidInputError("entries merged anew count otherwise than the values say")


def _tables(rng: np.random.Generator, first: int, sizes: Sequence[int]) -> list[pl.DataFrame]:
    """Return tables of so many records each, with numbers from the first on."""
    total = sum(sizes)
    table = pl.DataFrame(
        {
            "record_id": np.arange(first, first + total),
            **{name: rng.integers(low, high + 1, total) for name, (low, high) in _RANGES.items()},
        }
    )
    ends = np.cumsum(sizes)
    return [table[end - size : end] for end, size in zip(ends.tolist(), sizes, strict=True)]


def _asked(table: pl.DataFrame) -> int:
    """Return how many records the readers' query finds in a table."""
    return int((table["age"] == _ASKED).sum())


def _merged_anew(stored: Merged, run: Merged) -> Merged:
    """Return entries with a run more, in one pass over all; its records come after the others."""
    numbers = run[1] + np.uint32(len(stored[1]))
    order = merge([stored[0], run[0]])
    return np.concatenate([stored[0], run[0]])[order], np.concatenate([stored[1], numbers])[order]


def _spread(calls: Iterable[Callable[[], Any]]) -> dict[str, Any]:
    """Make calls one after the other, and return how many they were and how long they took."""
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    median, high, worst = np.quantile(times, [0.5, 0.999, 1])
    return {"calls": len(times), "median_s": median, "p999_s": high, "worst_s": worst}


def _while(work: Callable[[], None], call: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """Yield a call, once at least and as long as another thread works."""
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        yield call
        while not working.done():
            yield call
        working.result()


@measured()
def draw_growing(table: pl.DataFrame) -> plot.Figure:
    """Return one record more, and readers meanwhile, against what is stored.

    From a table of `growing`. Left an upload of one record with the count after it, beside the
    control, with the expected curves. Right a reader's counts while uploads come to its cloud, to
    another cloud, or to none; the control there is what a reader waits for after each upload in a
    cloud that merges anew.
    """

    def curve(scheme: str, step: str, of: str) -> tuple[list[int], list[float]]:
        chosen = table.filter(pl.col("scheme") == scheme, pl.col("step") == step)
        ordered = medians(chosen, ["records"], of).sort("records")
        return ordered["records"].to_list(), (ordered[of] * 1e3).to_list()

    arriving = int(table["arriving"].to_numpy().max())
    axes: Any = {"x": "records stored", "y": "time [ms]", "x_scale": "log10", "y_scale": "log10"}
    stored, added = curve(MOPSE, "add", "median_s")
    _, anew = curve(ANEW, "add", "median_s")
    sizes = np.array(stored)
    left = plot.Figure(title="One record more, and a count: median", **axes)
    left.line(sizes, added, name=MOPSE).line(sizes, anew, name=ANEW, role="control")
    logarithms = np.log(sizes) / np.log(sizes[0])
    left.line(sizes, added[0] * logarithms, name="expected: log n", role="expected")
    left.line(sizes, anew[-1] * sizes / sizes[-1], name="expected: n", role="expected")
    title = f"A count while {_PROVIDERS} uploads of {arriving:,} records come"
    right = plot.Figure(title=title, **axes)
    for step, where in (
        ("read meanwhile", "here"),
        ("read beside", "elsewhere"),
        ("read", "nowhere"),
    ):
        right.line(*curve(MOPSE, step, "p999_s"), name=f"99.9 %, uploads {where}")
    right.line(*curve(MOPSE, "read meanwhile", "median_s"), name="median, uploads here")
    right.line(*curve(ANEW, "upload", "median_s"), name=ANEW, role="control")
    return plot.grid([left, right], title="Growing", width=1200, height=500)


EXPERIMENT = Experiment(
    "growing",
    "performance",
    growing,
    draw_growing,
    fast={"records": (2000, 20_000), "uploads": 64, "arriving": 1000, "reads": 200, "repeats": 2},
    takes_store=True,
)
