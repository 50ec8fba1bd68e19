"""What keeping things in each engine costs, beside the engine's own loads and fetches."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise, repeat
from typing import Any, Protocol

import numpy as np
import polars as pl

from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.evaluate._tables import medians
from mopse.evaluate.performance._empty_stores import (
    DUCKDB,
    ENGINES,
    LEFT_OUT,
    MEMORY,
    POSTGRES,
    EmptyStores,
    EngineName,
    left_out,
    opened,
)
from mopse.evaluate.performance._parties import authorized
from mopse.messages import Query
from mopse.schema import Field, Schema
from mopse.stores import StoredUpload

__all__ = ["EXPERIMENT", "draw_stores", "overhead", "stores"]

_PROVIDERS = 8
_CELLS = {"one": 1000, "other": 200}
_SCHEMA = Schema({name: Field(0, most - 1) for name, most in _CELLS.items()})
_OPENINGS = 3
"""How often a store is opened again in each repeat."""

Row = tuple[int, int, bytes, int, int]
"""The halves of a pseudonym, the sealed record, and a ciphertext for each field."""

Calls = Iterable[Callable[[], Any]]

Fetch = Callable[[tuple[int, int]], int]
"""Fetches the rows of a range of ciphertexts, and returns how many they are."""


@measured(shares=(0, 1))
def stores(
    records: Sequence[int] = (10_000, 100_000, 1_000_000),
    shares: Sequence[float] = (0.005, 0.1),
    *,
    engines: Sequence[EngineName] | None = None,
    uploads: int = 64,
    asks: int = 9,
    repeats: int = 5,
    store: PATH = None,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time what each engine that keeps things costs, beside what it does by itself.

    Parameters
    ----------
    records : sequence of int
        How many records of two fields are loaded, in an upload of each of eight providers.
    shares : sequence of float
        Which part of the records a query is to find: a range of a field of 1,000 values.
    engines : sequence of {"memory", "DuckDB", "PostgreSQL"}, optional
        Over what clouds keep things; by default all that are there.
    uploads : int
        How many uploads of one record come one after the other.
    asks : int
        How often each query is asked, in each repeat.
    store : path, optional
        The address of a database, so that PostgreSQL is there; or the path of a DuckDB file, whose
        folder is used instead of a temporary one.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        ``scheme`` is the engine. Per step ``calls``, ``median_s`` of one call, and ``time_s`` of
        all; ``client`` is null for a cloud, and names how the control does the same by itself:

        ``load``: all uploads are received; ``INSERT`` from an Arrow table, or ``COPY``.
        ``open``: the store is opened again and counts a range; so does a new ``connection``.
        ``answer``: a query is answered with handles and sealed records, ``found`` of them, for each
        ``share``; the same rows are fetched as an ``Arrow`` table, or with ``fetchall``.
        ``add``: an upload of one record is received; an ``INSERT`` of one row is committed.

        In memory nothing is opened, and there is no control. An engine that is left out has one
        step, ``left out``, without a time, and its ``reason``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If an answer or a fetch has other records than the plain values say, or an engine that was
        asked for is not there.
    mopse.errors.FileAccessError
        If the folder cannot be written, or the database not be reached.

    Notes
    -----
    All engines receive the same uploads, made beforehand, and take turns; each call of the cloud
    has one of its control after it. The control has the same engine's table of what an answer needs
    and what finds it: the halves of handles, sealed records and a ciphertext for each field. It has
    no signature to check, no version, digest, place or receipt to keep, and is handed its rows as
    its client wants them. It commits as often as the store does. Both tables are in the order of
    the field that is asked for in DuckDB; in PostgreSQL both have B-trees of each field and of
    handles, and are analysed before they are asked.
    """
    whole(uploads, "uploads", least=1)
    whole(asks, "asks", least=1)
    wholes(records, "records", least=_PROVIDERS * uploads)
    for share in shares:
        if not 0 < share <= 1:
            raise InvalidInputError(f"a share is {share}, expected above 0 and at most 1")
    with opened(engines, store) as (empty, missing):

        def block(count: int) -> Block:
            def prepare() -> Mapping[str, Case]:
                scene = _Scene(count, shares, uploads, asks, seed)
                cases: dict[str, Case] = {n: partial(scene.case, one) for n, one in empty.items()}
                return {**cases, **left_out(missing)}

            about = {"records": count, "uploads": uploads, "engines": ", ".join(empty)}
            return Block(about, prepare)

        blocks = [block(count) for count in records]
        return record(
            blocks, seed=seed, repeats=repeats, path=path, progress=progress, patience_s=120
        )


class _Scene:
    """An owner with providers, and all that they send, made beforehand."""

    def __init__(
        self, count: int, shares: Sequence[float], uploads: int, asks: int, seed: int
    ) -> None:
        rng = np.random.default_rng([seed, count])
        self.asks = asks
        self.owner, parties = authorized(_SCHEMA, _PROVIDERS, seed, is_flat=True)
        self.public = self.owner.public  # announced before anything is asked
        total = count + uploads
        table = pl.DataFrame(
            {
                "record_id": np.arange(total),
                **{name: rng.integers(0, most, total) for name, most in _CELLS.items()},
            }
        )

        def sealed(part: pl.DataFrame, number: int) -> bytes:
            party = parties[number % _PROVIDERS]
            return bytes(party.encrypt(part, id="record_id", accept_leakage=_SCHEMA))

        ends = np.linspace(0, count, _PROVIDERS + 1).astype(int).tolist()
        parts = [table[start:end] for start, end in pairwise(ends)]
        self.first = [sealed(part, number) for number, part in enumerate(parts)]
        ones = table[count:].iter_slices(1)
        self.ones = [sealed(one, number) for number, one in enumerate(ones)]
        loaded = table[:count]
        self.asked = [self._asked(share, loaded) for share in shares]

    def _asked(self, share: float, table: pl.DataFrame) -> tuple[float, Query, int]:
        """Return a query of about a share of the records, and how many these are."""
        width = max(1, round(share * _CELLS["one"]))
        low = (_CELLS["one"] - width) // 2
        found = table.filter(pl.col("one").is_between(low, low + width - 1)).height
        return share, self.owner.query(one=(low, low + width - 1)), found

    def case(self, stores: EmptyStores, watch: Watch) -> None:
        """Load, open, ask and add, over one engine and beside its control."""
        stores.clear()
        kept = stores.cloud(self.public)
        control = None if stores.engine == MEMORY else _CONTROLS[stores.engine](stores)
        timed = partial(_timed, watch)

        def load() -> None:
            for message in self.first:
                kept.cloud.receive(message)

        if control is None:
            timed("load", {None: [load]})
        else:
            rows = [_rows(message) for message in self.first]
            timed("load", {None: [load], control.loader: [control.loading(rows)]})
            del rows
        kept.settle()
        if control is not None:
            control.settle(kept.address)
            self._open(timed, kept, control)
        for share, query, found in self.asked:
            self._ask(timed, kept.cloud, control, (share, query, found))
        adds: dict[str | None, Calls] = {None: [partial(kept.cloud.receive, m) for m in self.ones]}
        if control is not None:
            ones = (row for message in self.ones for row in _rows(message))
            adds["INSERT"] = [partial(control.add, row) for row in ones]
        timed("add", adds)
        if control is not None:
            control.close()
        stores.clear()

    def _open(self, timed: Any, kept: Any, control: "_Control") -> None:
        """Open a store again, and count what the first query asks for."""
        _, query, found = self.asked[0]

        def ours() -> Iterator[Callable[[], Any]]:
            for _ in range(_OPENINGS):
                kept.close()
                yield lambda: kept.open().count(query)

        def theirs() -> Iterator[Callable[[], Any]]:
            for _ in range(_OPENINGS):
                control.close()
                yield lambda: control.open(_bounds(query))

        timed("open", {None: ours(), "connection": theirs()}, found=found)

    def _ask(
        self, timed: Any, cloud: Any, control: "_Control | None", asked: tuple[float, Query, int]
    ) -> None:
        """Ask for whole answers, and fetch the same rows."""
        share, query, found = asked
        calls: dict[str | None, Calls] = {None: repeat(partial(_answer, cloud, query), self.asks)}
        for client, fetch in ({} if control is None else control.fetches).items():
            calls[client] = repeat(partial(fetch, _bounds(query)), self.asks)
        timed("answer", calls, share=share, found=found)


def _answer(cloud: Any, query: Query) -> int:
    return len(cloud.search(query))


def _bounds(query: Query) -> tuple[int, int]:
    """Return the ciphertexts that a query of one group lies between."""
    ((low, high),) = (asked["one"] for asked in query.bounds)
    return low, high


def _rows(message: bytes) -> list[Row]:
    """Return the rows of an upload as a client takes them."""
    upload = StoredUpload.decode(message)
    high, low = upload.handles.view(np.int64).T.tolist()
    ((_, _, (ends, whole)),) = upload.portions
    starts = [0, *ends.tolist()]
    sealed = [whole[start:end] for start, end in pairwise(starts)]
    fields = {}
    for name, ciphertexts, numbers in upload.runs:
        fields[name] = np.empty(len(upload), np.int64)
        fields[name][numbers] = ciphertexts
    return list(zip(high, low, sealed, *(fields[name].tolist() for name in _CELLS), strict=True))


def _timed(
    watch: Watch,
    step: str,
    calls: Mapping[str | None, Calls],
    *,
    share: float | None = None,
    found: int | None = None,
) -> None:
    """Make the calls of a cloud and of its controls in turns, and enter how long each took."""
    times: dict[str | None, list[float]] = {client: [] for client in calls}
    for turn in zip(*calls.values(), strict=True):
        for client, call in zip(calls, turn, strict=True):
            start = time.perf_counter()
            returned = call()
            times[client].append(time.perf_counter() - start)
            if found is not None and returned != found:
                raise InvalidInputError(f"{step}: {returned} records, where {found} are right")
    for client, took in times.items():
        row = {"step": step, "party": "cloud", "client": client, "share": share, "found": found}
        spent = {"time_s": sum(took), "calls": len(took), "median_s": float(np.median(took))}
        watch.rows.append({**row, **spent, "reason": None})


_COLUMNS = "high, low, sealed, one, other"
_ASKED = "FROM control WHERE one BETWEEN {0} AND {0}"


class _Control(Protocol):
    """An engine by itself, with a table of the rows that answers need."""

    loader: str
    fetches: Mapping[str, Fetch]

    def loading(self, uploads: Sequence[Sequence[Row]]) -> Callable[[], None]:
        """Return what loads rows, a transaction for each upload."""

    def settle(self, address: Any) -> None:
        """Have the rows lie as those of the store at an address do."""

    def add(self, row: Row) -> None:
        """Add a row, durably."""

    def open(self, bounds: tuple[int, int]) -> int:
        """Connect anew and count."""

    def close(self) -> None:
        """Let go of the table."""


class _DuckDB:
    loader = "INSERT"
    _select = f"SELECT {_COLUMNS} {_ASKED.format('?')}"

    def __init__(self, stores: EmptyStores) -> None:
        import duckdb
        import pyarrow

        self._duckdb, self._arrow = duckdb, pyarrow
        self._path = str(stores.place())
        self._connection = duckdb.connect(self._path)
        self._connection.execute(
            "CREATE TABLE control (high BIGINT, low BIGINT, sealed BLOB, one BIGINT, other BIGINT)"
        )
        self.fetches: Mapping[str, Fetch] = {"Arrow": self._as_arrow, "fetchall": self._as_rows}

    def loading(self, uploads: Sequence[Sequence[Row]]) -> Callable[[], None]:
        names = _COLUMNS.split(", ")
        tables = [
            self._arrow.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
            for rows in uploads
        ]

        def load() -> None:
            for table in tables:
                self._connection.register("incoming", table)
                self._connection.execute("INSERT INTO control SELECT * FROM incoming")
                self._connection.unregister("incoming")

        return load

    def settle(self, address: Any) -> None:
        self._connection.execute("CREATE TABLE ordered AS SELECT * FROM control ORDER BY one")
        self._connection.execute("DROP TABLE control")
        self._connection.execute("ALTER TABLE ordered RENAME TO control")

    def _as_arrow(self, bounds: tuple[int, int]) -> int:
        asked = self._connection.sql(self._select, params=list(bounds))
        return int(asked.to_arrow_table().num_rows)

    def _as_rows(self, bounds: tuple[int, int]) -> int:
        return len(self._connection.execute(self._select, bounds).fetchall())

    def add(self, row: Row) -> None:
        self._connection.execute("INSERT INTO control VALUES (?, ?, ?, ?, ?)", row)

    def open(self, bounds: tuple[int, int]) -> int:
        self._connection = self._duckdb.connect(self._path)
        sql = f"SELECT count(*) {_ASKED.format('?')}"
        return int(self._connection.execute(sql, bounds).fetchall()[0][0])

    def close(self) -> None:
        self._connection.close()


class _Postgres:
    loader = "COPY"

    def __init__(self, stores: EmptyStores) -> None:
        import psycopg

        self._psycopg = psycopg
        self._address = str(stores.place())
        self._connect()
        self._connection.execute(
            "CREATE TABLE control (high INT8, low INT8, sealed BYTEA, one INT8, other INT8)"
        )
        for columns in ("high, low", "one", "other"):
            self._connection.execute(f"CREATE INDEX ON control ({columns})")
        self.fetches: Mapping[str, Fetch] = {"fetchall": self._as_rows}

    def _connect(self) -> None:
        self._connection = self._psycopg.connect(self._address, autocommit=True)

    def loading(self, uploads: Sequence[Sequence[Row]]) -> Callable[[], None]:
        def load() -> None:
            sql = f"COPY control ({_COLUMNS}) FROM STDIN (FORMAT binary)"
            for rows in uploads:
                with self._connection.cursor().copy(sql) as copy:
                    copy.set_types(["int8", "int8", "bytea", "int8", "int8"])
                    for row in rows:
                        copy.write_row(row)

        return load

    def settle(self, address: Any) -> None:
        self._connection.execute("ANALYZE")
        with self._psycopg.connect(str(address), autocommit=True) as connection:
            connection.execute("ANALYZE")

    def _as_rows(self, bounds: tuple[int, int]) -> int:
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} {_ASKED.format('%s')}", bounds)
            return len(cursor.fetchall())

    def add(self, row: Row) -> None:
        self._connection.execute("INSERT INTO control VALUES (%s, %s, %s, %s, %s)", row)

    def open(self, bounds: tuple[int, int]) -> int:
        self._connect()
        sql = f"SELECT count(*) {_ASKED.format('%s')}"
        return int(self._connection.execute(sql, bounds).fetchall()[0][0])

    def close(self) -> None:
        self._connection.close()


_CONTROLS: Mapping[EngineName, Callable[[EmptyStores], _Control]] = {
    DUCKDB: _DuckDB,
    POSTGRES: _Postgres,
}

_BY = ["records", "scheme", "step", "share", "client"]


@measured()
def overhead(table: pl.DataFrame) -> pl.DataFrame:
    """Return what each engine takes, beside memory and beside what it takes by itself.

    Parameters
    ----------
    table : polars.DataFrame
        From `stores`.

    Returns
    -------
    polars.DataFrame
        Per ``records``, ``scheme``, ``step`` and ``share``: ``median_s`` over repeats of the median
        call, with its quartiles ``low`` and ``high``; ``to_memory``, how many times as long as in
        memory; and ``to_raw``, how many times as long as the control, by whichever ``client`` of
        the engine is the fastest, which takes ``raw_s``. Null where there is none.
    """
    times = medians(table.filter(pl.col("step") != LEFT_OUT), _BY, "median_s")
    by = ["records", "step", "share"]
    ours = times.filter(pl.col("client").is_null()).drop("client", "repeats")
    memory = ours.filter(pl.col("scheme") == MEMORY).select(*by, memory_s="median_s")
    raw = times.filter(pl.col("client").is_not_null()).sort("median_s")
    raw = raw.unique([*by, "scheme"], keep="first", maintain_order=True)
    raw = raw.select(*by, "scheme", "client", raw_s="median_s")
    joined = ours.join(memory, on=by, how="left", nulls_equal=True, maintain_order="left")
    joined = joined.join(
        raw, on=[*by, "scheme"], how="left", nulls_equal=True, maintain_order="left"
    )
    ratios = {"to_memory": "memory_s", "to_raw": "raw_s"}
    return joined.with_columns(
        (pl.col("median_s") / pl.col(of)).alias(name) for name, of in ratios.items()
    ).drop("memory_s")


@measured()
def draw_stores(table: pl.DataFrame) -> plot.Figure:
    """Return what each engine takes against what it stores, beside what it takes by itself.

    From a table of `stores`. A row for each engine, beside memory; the control is the engine's own
    load, fetch and insert, by its fastest client.
    """
    ratios = overhead(table)
    shares = ratios["share"].drop_nulls().unique().sort().to_list()
    cases: list[tuple[str, float | None, str]] = [
        ("load", None, "load all"),
        *(("answer", share, f"answer with {100 * share:g} %") for share in shares),
        ("add", None, "one record more"),
    ]
    there = set(ratios["scheme"])
    panels = []
    for engine in [name for name in ENGINES[1:] if name in there] or [MEMORY]:
        for step, share, title in cases:
            chosen = ratios.filter(pl.col("step") == step, pl.col("share").eq_missing(share))
            panel = plot.Figure(
                x="records",
                y="time [ms]",
                x_scale="log10",
                y_scale="log10",
                title=f"{engine}: {title}",
            )
            for name in dict.fromkeys((MEMORY, engine)):
                part = chosen.filter(pl.col("scheme") == name).sort("records")
                if part.height:
                    panel.line(part["records"], part["median_s"] * 1e3, name=name)
                raw = part.drop_nulls("raw_s")
                if raw.height:
                    own = raw["raw_s"] * 1e3
                    panel.line(raw["records"], own, name="by itself", role="control")
            panels.append(panel)
    title = "What each engine takes"
    rows = len(panels) // len(cases)
    return plot.grid(panels, columns=len(cases), title=title, width=1600, height=80 + 380 * rows)


EXPERIMENT = Experiment(
    "stores",
    "performance",
    stores,
    draw_stores,
    fast={"records": (800, 4000), "uploads": 8, "asks": 3, "repeats": 2},
    takes_store=True,
)
