"""What proofs of answers cost in bytes and time, beside the same without."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import polars as pl

from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse.cloud import Cloud
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record, seconds
from mopse.evaluate._resume import PATH
from mopse.evaluate._tables import medians
from mopse.evaluate.performance._parties import authorized
from mopse.messages import Upload
from mopse.owner import Owner
from mopse.provider import Provider
from mopse.schema import Field, Schema
from mopse.stores import MemoryStore
from mopse.user import User

__all__ = [
    "EXPERIMENT",
    "NO_PROOF",
    "SUMS",
    "draw_proofs",
    "draw_proofs_by_providers",
    "proofs",
]

NO_PROOF = "no proof"
"""The same records, queries and answers, of fields without proofs. The control."""

SUMS = "sums"

_OTHER_CELLS = 201
"""Of the field beside the one whose cells vary."""

_CELLS, _RECORDS, _PROVIDERS = 121, 10_000, 10

Returned = TypeVar("Returned")


@measured()
def proofs(
    providers: Sequence[int] = (1, 10, 100, 1000),
    records: Sequence[int] = (1000, 10_000, 100_000, 1_000_000),
    cells: Sequence[int] = (10, 100, 1000, 10_000),
    asked: Sequence[int] = (1, 10, 100, 1000),
    *,
    asks: int = 9,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Measure what proofs cost each party, against what it could grow with.

    Parameters
    ----------
    providers : sequence of int
        How many there are, of twenty records each; 61 cells of 121 are asked for.
    records : sequence of int
        How many one provider has; one cell of 121 is asked for.
    cells : sequence of int
        How many the first field has, of 10,000 records at ten providers; all are asked for.
    asked : sequence of int
        How many cells of the largest number are asked for, of ten records each at ten providers.
    asks : int
        How often each question is asked and its answer checked, in each repeat.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        ``against`` says what varies: ``providers``, ``records``, ``cells`` or ``hits``. Per step
        ``median_s`` and ``cpu_s``, the medians of one call, by the clock and of all cores' work;
        ``hits``; ``bytes`` of what proves, is sealed or
        uploaded, and ``expected_bytes``, its closed form from the plain values. Steps of both
        schemes: ``encrypt``, ``receive``, ``search``, ``open``. Of ``sums`` besides: ``seal`` and
        ``keep`` (the cloud takes the seals); ``search without`` (the same cloud and answer, without
        a proof); ``search cold``, ``check cold`` and ``search warm``, ``check warm`` (with all
        seals, and with none because the asker has them); ``search both`` and ``check both`` (warm,
        of a conjunction of the range with half of the other field's), ``count`` (a proven one); and
        of a user with grants ``search signed`` and ``check signed``, warm, with ``sort``, the first
        such search, in which the cloud sorts and hashes what is sealed.

    Raises
    ------
    mopse.errors.InvalidInputError
        If an answer holds other records than the plain values say.
    mopse.errors.ProofError
        If an honest answer is not proven.

    Notes
    -----
    Everything is made anew in each repeat, and schemes take turns. ``open`` is decryption without a
    proof; ``check`` is the proof alone. Ranges lie in the middle of the domain. Per query of one
    group a proof takes::

        81 + 60 ranges + (8 + head) seals that are not known
           + (32 + name) uploads in lists + 48 rows in lists

    bytes, of which 16 are the sum of a range; a seal takes ``16 (B + 1)`` for each field, beside
    its head. Signatures have 40 bytes a range instead, and::

        34 + name + 25 hits + 72 neighbours + 32 digests

    for each provider, and the announcement of who the providers are.
    """
    whole(asks, "asks", least=1)
    wholes(providers, "providers", least=1)
    wholes(records, "records", least=1)
    wholes(cells, "cells", least=2)
    most = max(cells)
    for count in wholes(asked, "asked", least=1):
        if count > most:
            raise InvalidInputError(f"{count} cells asked for are more than {most}")
    sizes = [
        *(
            {"against": "providers", "providers": n, "records": 20 * n, "asked": 61}
            for n in providers
        ),
        *({"against": "records", "providers": 1, "records": n, "asked": 1} for n in records),
        *({"against": "cells", "cells": n} for n in cells),
        *({"against": "hits", "records": 10 * most, "cells": most, "asked": n} for n in asked),
    ]

    def block(size: Mapping[str, Any]) -> Block:
        usual = {"providers": _PROVIDERS, "records": _RECORDS, "cells": _CELLS}
        about: dict[str, Any] = {**usual, **size}
        about["asked"] = about.get("asked", about["cells"])

        def prepare() -> Mapping[str, Case]:
            scene = _Scene(about, asks, seed)
            return {NO_PROOF: scene.without, SUMS: scene.proven}

        return Block(about, prepare)

    blocks = [block(size) for size in sizes]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


class _Scene:
    """Tables of records, which owners and clouds are made for in every repeat."""

    def __init__(self, about: Mapping[str, Any], asks: int, seed: int) -> None:
        self.providers, self.cells = about["providers"], about["cells"]
        self.asks, self.seed = asks, seed
        rng = np.random.default_rng([seed, about["records"], self.cells])
        values = {"one": self.cells, "other": _OTHER_CELLS}
        count = about["records"]
        self.table = pl.DataFrame(
            {"record_id": np.arange(count)}
            | {name: rng.integers(0, cells, count) for name, cells in values.items()}
        )
        ends = np.linspace(0, count, self.providers + 1).astype(int)
        pairs = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
        self.parts = [self.table[start:end] for start, end in pairs]
        self.first = (self.cells - about["asked"]) // 2
        self.last = self.first + about["asked"] - 1
        self.half = _OTHER_CELLS // 2
        is_in, is_other = self._is_asked(), pl.col("other") <= self.half
        self.hits = self.table.filter(is_in).height
        self.hits_of_both = self.table.filter(is_in & is_other).height
        self.lists = [self._listed(is_in & ~is_other), self._listed(is_other & ~is_in)]
        self.list_of_hits = self._listed(is_in)

    def _is_asked(self) -> pl.Expr:
        return pl.col("one").is_between(self.first, self.last)

    def _listed(self, is_named: pl.Expr) -> int:
        """Return the size of a list of records."""
        counts = [part.filter(is_named).height for part in self.parts]
        return sum(
            32 + len(f"p{number}") + 48 * count for number, count in enumerate(counts) if count
        )

    def _stretches(self) -> int:
        """Return the size of all providers' entries of the range, with what proves them."""
        size = 0
        for number, part in enumerate(self.parts):
            below = part.filter(pl.col("one") < self.first).height
            hits = part.filter(self._is_asked()).height
            left, right = below > 0, below + hits < part.height
            beside = _beside(part.height, below - left, below + hits + right)
            size += 34 + len(f"p{number}") + 25 * hits + 72 * (left + right) + 32 * beside
        return size

    def _made(self, watch: Watch, *, is_proven: bool) -> tuple[Owner, list[Provider], Cloud]:
        """Encrypt the tables anew, and let a cloud have them."""
        cells = {"one": self.cells, "other": _OTHER_CELLS}
        fields = {n: Field(0, most - 1, cell=1, proof=is_proven) for n, most in cells.items()}
        schema = Schema(fields)
        owner, parties = authorized(schema, self.providers, self.seed, is_flat=True)
        store = MemoryStore()
        cloud = Cloud(store)
        cloud.enroll(owner.public)

        def encrypt() -> list[Upload]:
            return [
                party.encrypt(part, id="record_id", accept_leakage=schema)
                for party, part in zip(parties, self.parts, strict=True)
            ]

        for party in parties:
            party.handles([0])  # what a keyring derives once
        uploads = _step(watch, "encrypt", "provider", encrypt)
        watch.rows[-1]["bytes"] = sum(upload.nbytes for upload in uploads)
        _step(watch, "receive", "cloud", lambda: [cloud.receive(upload) for upload in uploads])
        store.settle()
        return owner, parties, cloud

    def _found(self, hits: int, count: int) -> None:
        if hits != count:
            raise InvalidInputError("an answer holds other records than the plain values say")

    def without(self, watch: Watch) -> None:
        """Ask without proofs, of fields that have none."""
        owner, _, cloud = self._made(watch, is_proven=False)
        query = owner.query(one=(self.first, self.last))
        step = partial(_step, watch, times=self.asks, hits=self.hits)
        answer = step("search", "cloud", lambda: cloud.search(query))
        watch.rows[-1]["bytes"] = answer.nbytes
        self._found(self.hits, len(answer))
        step("open", "owner", lambda: owner.decrypt(answer, query))

    def proven(self, watch: Watch) -> None:
        """Seal, and ask with and without proofs."""
        owner, parties, cloud = self._made(watch, is_proven=True)
        seals = _step(watch, "seal", "provider", lambda: [party.seal() for party in parties])
        heads = sum(seal.head_nbytes for seal in seals)
        tables = 16 * self.providers * (self.cells + 1 + _OTHER_CELLS + 1)
        sealed = sum(seal.nbytes for seal in seals)
        watch.rows[-1] |= {"bytes": sealed, "expected_bytes": heads + tables}
        _step(watch, "keep", "cloud", lambda: [cloud.receive(seal) for seal in seals])
        plain = owner.query(one=(self.first, self.last))
        query = owner.query(one=(self.first, self.last), proof=True)
        step = partial(_step, watch, times=self.asks, hits=self.hits)
        answer = step("search without", "cloud", lambda: cloud.search(plain))
        step("open", "owner", lambda: owner.decrypt(answer, plain))
        cold = step("search cold", "cloud", lambda: cloud.search(query))
        self._found(self.hits, len(cold))
        shown = sum(8 + seal.head_nbytes for seal in seals)
        watch.rows[-1] |= {"bytes": cold.proof_nbytes, "expected_bytes": _bytes(1) + shown}
        step("check cold", "owner", lambda: owner.prove(cold, query))
        warm = step("search warm", "cloud", lambda: cloud.search(query, since=cold.state))
        watch.rows[-1] |= {"bytes": warm.proof_nbytes, "expected_bytes": _bytes(1)}
        step("check warm", "owner", lambda: owner.prove(warm, query))
        both = owner.query(one=(self.first, self.last), other=(0, self.half), proof=True)
        step = partial(_step, watch, times=self.asks, hits=self.hits_of_both)
        answer = step("search both", "cloud", lambda: cloud.search(both, since=cold.state))
        self._found(self.hits_of_both, len(answer))
        expected = _bytes(2) + sum(self.lists)
        watch.rows[-1] |= {"bytes": answer.proof_nbytes, "expected_bytes": expected}
        step("check both", "owner", lambda: owner.prove(answer, both))
        count = partial(cloud.count, query, proof=True, since=cold.state)
        number: Any = _step(watch, "count", "cloud", count, times=self.asks, hits=self.hits)
        expected = _bytes(1) + self.list_of_hits
        watch.rows[-1] |= {"bytes": number.nbytes, "expected_bytes": expected}
        self._found(self.hits, int(number))
        owner.prove(number, query)
        self._signed(watch, owner, cloud, shown)

    def _signed(self, watch: Watch, owner: Owner, cloud: Cloud, heads: int) -> None:
        """Ask with proofs by signatures, as a user with grants."""
        user = User(owner.schema, [owner.grant(path) for path in owner.providers])
        query = owner.query(one=(self.first, self.last))
        search = partial(cloud.search, query, proof="signatures")
        cold = _step(watch, "sort", "cloud", search, hits=self.hits)
        names = sum(8 + len(message) for message in cloud._store.announcements(owner.key))
        expected = _bytes(1) - 20 + self._stretches() + names
        watch.rows[-1] |= {"bytes": cold.proof_nbytes, "expected_bytes": expected + heads}
        user.prove(cold, query)
        search = partial(search, since=cold.state)
        step = partial(_step, watch, times=self.asks, hits=self.hits)
        warm = step("search signed", "cloud", search)
        watch.rows[-1] |= {"bytes": warm.proof_nbytes, "expected_bytes": expected}
        step("check signed", "user", lambda: user.prove(warm, query))


def _bytes(ranges: int) -> int:
    """Return the size of a proof of one token without heads and lists."""
    return 57 + 24 + 60 * ranges


def _beside(count: int, start: int, end: int) -> int:
    """Return how many digests lead from consecutive leaves of a tree to its root."""
    beside = 0
    while count > 1:
        beside += start % 2 + (end % 2 == 1 and end < count)
        start, end, count = start // 2, -(-end // 2), -(-count // 2)
    return beside


def _step(
    watch: Watch,
    step: str,
    party: str,
    call: Callable[[], Returned],
    *,
    times: int = 1,
    hits: int | None = None,
) -> Returned:
    """Time a call, several times, and return what it gave last."""
    took, worked = [], []
    with watch.step(step, party) as more:
        for _ in range(times):
            start = time.process_time()
            time_s, returned = seconds(call)
            took.append(time_s)
            worked.append(time.process_time() - start)
        more["calls"] = times
    spent = {"median_s": float(np.median(took)), "cpu_s": float(np.median(worked))}
    watch.rows[-1] |= spent | {"hits": hits, "bytes": None, "expected_bytes": None}
    return returned


@measured()
def draw_proofs(table: pl.DataFrame) -> plot.Figure:
    """Return what proofs cost beside the same without, and beside closed forms.

    From a table of `proofs`. Above bytes: the control is the answer itself, and the uploads. Below
    times: the control is decryption, the same search, and encrypting; expected is what grows in
    proportion.
    """
    return plot.grid(
        [
            _sizes(table), _lists(table), _tables(table),
            _checks(table), _searches(table), _sealing(table),
        ],
        columns=3,
        title="What a proof costs",
        width=1500,
        height=860,
    )  # fmt: skip


@measured()
def draw_proofs_by_providers(table: pl.DataFrame) -> plot.Figure:
    """Return what is sent to prove a range, and how long checking it takes, against providers.

    From a table of `proofs`. The control is the answer itself, and decryption.
    """
    title = "Proving a range at many providers"
    return plot.grid([_sizes(table), _checks(table)], title=title, width=1100, height=460)


_Curve = tuple[list[float], list[float]]


def _curve(
    table: pl.DataFrame, against: str, scheme: str, step: str, of: str, x: str | None = None
) -> _Curve:
    """Return medians of a step against what varies."""
    x = against if x is None else x
    chosen = table.filter(
        pl.col("against") == against, pl.col("scheme") == scheme, pl.col("step") == step
    )
    ordered = medians(chosen, [x], of).sort(x)
    return ordered[x].to_list(), ordered[of].to_list()


def _linear(curve: _Curve) -> _Curve:
    """Return the straight line from nothing to the last point of a curve."""
    xs, ys = curve
    return xs, [ys[-1] * x / xs[-1] for x in xs]


def _axes(x: str, y: str, title: str) -> plot.Figure:
    return plot.Figure(x=x, y=y, x_scale="log10", y_scale="log10", title=title)


def _measured(figure: plot.Figure, table: pl.DataFrame, step: str, name: str, *where: str) -> None:
    """Draw bytes as they travelled, and their closed form."""
    figure.line(*_curve(table, where[0], SUMS, step, "bytes", *where[1:]), name=name)
    expected = _curve(table, where[0], SUMS, step, "expected_bytes", *where[1:])
    figure.line(*expected, name="expected", role="expected")


def _sizes(table: pl.DataFrame) -> plot.Figure:
    figure = _axes("providers", "bytes", "Sent with an answer: twenty records a provider")
    _measured(figure, table, "search warm", "a range", "providers")
    _measured(figure, table, "search cold", "a range, with all seals", "providers")
    _measured(figure, table, "search signed", "a range, signed", "providers")
    answer = _curve(table, "providers", NO_PROOF, "search", "bytes")
    return figure.line(*answer, name=NO_PROOF, role="control")


def _lists(table: pl.DataFrame) -> plot.Figure:
    figure = _axes("cells asked for, of ten records", "bytes", "Sent with an answer: ten providers")
    _measured(figure, table, "search warm", "a range", "hits", "asked")
    _measured(figure, table, "search both", "two ranges", "hits", "asked")
    _measured(figure, table, "count", "a count", "hits", "asked")
    _measured(figure, table, "search signed", "a range, signed", "hits", "asked")
    answer = _curve(table, "hits", NO_PROOF, "search", "bytes", "asked")
    return figure.line(*answer, name=NO_PROOF, role="control")


def _tables(table: pl.DataFrame) -> plot.Figure:
    figure = _axes("cells of a field", "bytes", "Sent by ten providers: 10,000 records")
    _measured(figure, table, "seal", "seals", "cells")
    uploads = _curve(table, "cells", NO_PROOF, "encrypt", "bytes")
    return figure.line(*uploads, name=NO_PROOF, role="control")


def _times(figure: plot.Figure, curve: _Curve, name: str, role: plot.Role = "series") -> None:
    figure.line(curve[0], [1e3 * time_s for time_s in curve[1]], name=name, role=role)


def _checks(table: pl.DataFrame) -> plot.Figure:
    figure = _axes(
        "providers", "work of all cores [ms]", "Who asked checks: twenty records a provider"
    )
    for step, name in (
        ("check warm", "a range"),
        ("check cold", "a range, with all seals"),
        ("check signed", "a range, signed"),
    ):
        _times(figure, _curve(table, "providers", SUMS, step, "cpu_s"), name)
    cold = _curve(table, "providers", SUMS, "check cold", "cpu_s")
    _times(figure, _linear(cold), "expected", "expected")
    opened = _curve(table, "providers", NO_PROOF, "open", "cpu_s")
    _times(figure, opened, NO_PROOF, "control")
    return figure


def _searches(table: pl.DataFrame) -> plot.Figure:
    figure = _axes(
        "cells asked for, of ten records",
        "work of all cores [ms]",
        "The cloud searches: ten providers",
    )
    for step, name in (
        ("search warm", "a range"),
        ("count", "a count"),
        ("search signed", "a range, signed"),
    ):
        _times(figure, _curve(table, "hits", SUMS, step, "cpu_s", "asked"), name)
    without = _curve(table, "hits", SUMS, "search without", "cpu_s", "asked")
    _times(figure, without, NO_PROOF, "control")
    return figure


def _sealing(table: pl.DataFrame) -> plot.Figure:
    figure = _axes(
        "records of a provider",
        "work of all cores [ms]",
        "Sealing: two fields of 121 and 201 cells",
    )
    for step, name in (("seal", "seals"), ("keep", "seals, at the cloud")):
        _times(figure, _curve(table, "records", SUMS, step, "cpu_s"), name)
    sealed = _curve(table, "records", SUMS, "seal", "cpu_s")
    _times(figure, _linear(sealed), "expected", "expected")
    uploads = _curve(table, "records", NO_PROOF, "encrypt", "cpu_s")
    _times(figure, uploads, NO_PROOF, "control")
    return figure


EXPERIMENT = Experiment(
    "proofs",
    "performance",
    proofs,
    draw_proofs,
    fast={
        "providers": (1, 20),
        "records": (1000, 4000),
        "cells": (10, 100),
        "asked": (1, 10, 100),
        "asks": 2,
        "repeats": 2,
    },
)
