"""What each party stores and sends (E5)."""

import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from mopse import _mopse, datasets, plot
from mopse._checked import measured
from mopse._checks import whole
from mopse._scheme_names import MOPSE, ONE_MESSAGE, PER_PROVIDER, PLAIN, PLUS
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import grid_field, people_with
from mopse.evaluate.performance._empty_stores import EmptyStores
from mopse.evaluate.performance._parties import authorized, insecure_keys, received
from mopse.schema import Schema

__all__ = ["EXPERIMENT", "draw_storage", "storage"]


@measured()
def storage(providers: int = 64, *, store: PATH = None, seed: int = 1) -> pl.DataFrame:
    """Measure what each party stores and sends, for NHANES with all its fields (experiment E5).

    Parameters
    ----------
    store : path, optional
        As in `growing`; what the cloud stores is counted in entries and messages, not as an engine
        lays it out.

    Returns
    -------
    polars.DataFrame
        ``scheme``, ``party``, ``step`` (what it is), ``bytes``, ``items`` (how many of them;
        ``bytes`` is of all). Nothing is timed. Messages and files are real ones; entries and rulers
        are counted.

    Notes
    -----
    The fields are age, first systolic pressure, body mass index and cholesterol; the query asks
    for ages 40 to 60. OPSE's row is the control: entries of eight bytes, keys of 32.
    """
    whole(providers, "providers", least=1)
    columns = ["age", "systolic_1", "bmi", "cholesterol"]
    people = people_with(columns)
    schema = Schema({name: grid_field(name)[0] for name in columns})
    entries = sum(people[name].drop_nulls().len() for name in columns)
    rows: list[dict[str, Any]] = []

    def add(scheme: str, party: str, step: str, size: int, items: int = 1) -> None:
        rows.append({"scheme": scheme, "party": party, "step": step, "bytes": size, "items": items})

    add(PLAIN, "cloud", "index entries", 8 * entries, entries)
    keys = insecure_keys(providers, seed)
    querier = _mopse.evaluate.ControlQuerier(keys, schema["age"].plaintexts)
    add(PER_PROVIDER, "owner", "keys", sum(map(len, keys)), providers)
    add(PER_PROVIDER, "cloud", "index entries", 8 * entries, entries)
    for scheme, per_message in ((PER_PROVIDER, 1), (ONE_MESSAGE, providers)):
        requests = querier.requests(40, 60, per_message)
        add(scheme, "owner", "query", sum(map(len, requests)), len(requests))
    with EmptyStores(store) as stores:
        for scheme, is_flat in ((MOPSE, True), (PLUS, False)):
            owner, parties = authorized(schema, providers, seed, is_flat=is_flat)
            dealt = datasets.providers(people, providers, seed=seed)
            cloud, sent = received(owner, parties, dealt.values(), stores)
            with tempfile.TemporaryDirectory() as folder:
                for name, party in (("owner", owner), ("provider", parties[0])):
                    party.save(Path(folder) / name, "a password that only measures")
                    add(scheme, name, "keyring file", (Path(folder) / name).stat().st_size)
            cells = sum(field.cells for field in schema.values())
            add(scheme, "provider", "rulers in memory", 8 * cells, len(schema))
            add(scheme, "owner", "announcement", len(owner.public))
            sealed = sum(size for *_, size in cloud._store.contents)
            add(scheme, "provider", "uploads", sent, providers)
            add(scheme, "cloud", "sealed records", sealed, people.height)
            add(scheme, "cloud", "index entries", 8 * entries, entries)
            add(scheme, "cloud", "record numbers of entries", 4 * entries, entries)
            query = owner.query(age=(40, 60))
            answer = cloud.search(bytes(query))
            add(scheme, "owner", "query", query.nbytes, len(query))
            add(scheme, "cloud", "answer", answer.nbytes, len(answer))
            add(scheme, "owner", "grant of a provider", len(owner.grant(parties[0].path)))
    return pl.DataFrame(rows)


@measured()
def draw_storage(table: pl.DataFrame) -> plot.Figure:
    """Return the bytes that each party stores and sends (E5).

    From a table of `storage`. Bars on a log axis, MOPSE beside MOPSE+.
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


EXPERIMENT = Experiment(
    "storage",
    "performance",
    storage,
    draw_storage,
    fast={},
    resumes=False,
    takes_store=True,
)
