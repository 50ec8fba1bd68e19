"""What providers pay to make their index entries (E1)."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse._scheme_names import COMMON, MOPSE, PER_PROVIDER, PLAIN, PLUS
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import people_with
from mopse.evaluate._tables import summed
from mopse.evaluate.performance._curves import in_ms, scheme_curves
from mopse.evaluate.performance._parties import authorized, insecure_keys
from mopse.schema import Field, Schema
from mopse.schemes import Opse

__all__ = ["EXPERIMENT", "draw_index_encryption", "index_encryption"]

Integers = NDArray[np.int64]

_INDEX = ["set-up", "handles", "entries", "sort"]


@measured()
def index_encryption(
    records: Sequence[int] = (100, 1000, 10_000, 100_000, 1_000_000),
    domains: Sequence[int] = (121, 1 << 16),
    *,
    providers: int = 8,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time how providers make their index entries, per scheme (experiment E1).

    Parameters
    ----------
    records : sequence of int
        How many records all providers have together.
    domains : sequence of int
        How many plaintexts the field has; 121 are ages of NHANES, resampled, others are uniform.
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps, all of the provider: ``set-up`` (from keys to codebooks or rulers), ``handles``
        (MOPSE's pseudonyms of the record ids), ``entries``, ``sort``; for MOPSE also ``seal``, a
        whole upload of records with one field besides their id, which holds all of them.

    Notes
    -----
    OPSE is one-to-many. Values and ids are in memory beforehand; ciphertexts are new arrays.
    """
    whole(providers, "providers", least=1)
    wholes(records, "records", least=providers)
    wholes(domains, "domains", least=2)

    def block(domain: int, count: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            rng = np.random.default_rng([seed, domain, count])
            if domain == 121:
                ages = people_with(["age"])["age"].drop_nulls().to_numpy().astype(np.int64)
                values = rng.choice(ages, count)
            else:
                values = rng.integers(0, domain, count)
            parts = np.array_split(values, providers)
            ids = np.array_split(np.arange(count), providers)
            keys = insecure_keys(providers, seed)
            schema = Schema(x=Field(0, domain - 1, cell=1))

            def plain(watch: Watch) -> None:
                with watch.step("entries", "provider"):
                    runs = [part.copy() for part in parts]
                _sort(watch, runs)

            def opse(keys: list[bytes]) -> Case:
                def case(watch: Watch) -> None:
                    with watch.step("set-up", "provider"):
                        schemes = [Opse(key, domain) for key in keys]
                        for scheme in schemes:
                            if count // providers * 16 >= domain:
                                scheme.encrypt(np.zeros(domain // 16 + 1, np.int64))
                    schemes = schemes * (providers // len(schemes))
                    with watch.step("entries", "provider"):
                        triples = zip(schemes, parts, ids, strict=True)
                        runs = [opse.encrypt(part, ids=at) for opse, part, at in triples]
                    _sort(watch, runs)

                return case

            def mopse(is_flat: bool) -> Case:
                def case(watch: Watch) -> None:
                    _, parties = authorized(schema, providers, seed, is_flat=is_flat)
                    with watch.step("set-up", "provider"):
                        one = np.zeros((1, 2), np.uint64)
                        for party in parties:
                            party._keyring.entries("x", np.zeros(1, np.int64), one)
                    with watch.step("handles", "provider"):
                        handles = [p.handles(at) for p, at in zip(parties, ids, strict=True)]
                    with watch.step("entries", "provider"):
                        triples = zip(parties, parts, handles, strict=True)
                        runs = [p._keyring.entries("x", part, h) for p, part, h in triples]
                    _sort(watch, runs)
                    if is_flat:
                        tables = [{"id": i, "x": x} for i, x in zip(ids, parts, strict=True)]
                        with watch.step("seal", "provider") as more:
                            pairs = zip(parties, tables, strict=True)
                            uploads = [
                                party.encrypt(table, id="id", accept_leakage=schema)
                                for party, table in pairs
                            ]
                            more["bytes"] = sum(upload.nbytes for upload in uploads)

                return case

            return {
                PLAIN: plain,
                COMMON: opse(keys[:1]),
                PER_PROVIDER: opse(keys),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        return Block({"domain": domain, "records": count, "providers": providers}, prepare)

    blocks = [block(domain, count) for domain in domains for count in records]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


def _sort(watch: Watch, runs: list[Integers]) -> None:
    with watch.step("sort", "provider"):
        for run in runs:
            run.sort()


@measured()
def draw_index_encryption(table: pl.DataFrame) -> plot.Figure:
    """Return index encryption time against records, a panel per domain (E1).

    From a table of `index_encryption`. Log axes, one line per scheme.
    """
    total = summed(table, ["domain", "records", "scheme"], steps=_INDEX)
    panels = [
        scheme_curves(
            in_ms(total.filter(pl.col("domain") == domain)),
            x="records",
            title=f"{domain:,} plaintexts",
        )
        for domain in total["domain"].unique(maintain_order=True)
    ]
    return plot.grid(
        panels, title="Making the index entries of 8 providers", width=1100, height=480
    )


EXPERIMENT = Experiment(
    "index_encryption",
    "performance",
    index_encryption,
    draw_index_encryption,
    fast={"records": (100, 1000, 10_000), "domains": (121, 1024), "repeats": 2},
)
