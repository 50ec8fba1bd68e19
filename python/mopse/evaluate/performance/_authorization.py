"""What adding and removing a provider costs (E7)."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from mopse import datasets, plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._scheme_names import COMMON, MOPSE, PER_PROVIDER, PLUS
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._measure import Block, Case, Watch, record
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import people_with
from mopse.evaluate._tables import summed
from mopse.evaluate._tree import FAN_OUT, tree
from mopse.evaluate.performance._curves import in_ms, scheme_curves
from mopse.evaluate.performance._parties import authorized
from mopse.schema import Field, Schema
from mopse.schemes import Opse

__all__ = ["EXPERIMENT", "authorization", "draw_authorization"]


@measured()
def authorization(
    providers: Sequence[int] = (8, 64, 512),
    *,
    repeats: int = 5,
    seed: int = 1,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Time what adding and removing a provider costs the owner and the others (experiment E7).

    Parameters
    ----------
    repeats, seed, path, progress
        As in `record`.

    Returns
    -------
    polars.DataFrame
        Steps: ``add`` (owner: a keyring for one more; ``bytes`` are its certificates or key),
        ``remove`` (owner: a new epoch of its group), ``announce`` (owner: what the cloud is told;
        ``bytes``), ``authorize again`` (owner: keyrings for all who stay in the group, and for
        those below them; ``providers_again``), ``encrypt again`` (those providers: all their
        records, which are NHANES' ages; ``records_again``). Under OPSE with a key per provider
        nobody else changes keys; with one common key everybody does.

    Notes
    -----
    The one removed is the last of the top group. Receiving is not timed. Under OPSE what is
    encrypted again are index entries; MOPSE's uploads hold the sealed records too.
    """
    wholes(providers, "providers", least=1)
    people = people_with(["age"])
    schema = Schema(age=Field(0, 120))

    def block(count: int) -> Block:
        def prepare() -> Mapping[str, Case]:
            dealt = list(datasets.providers(people, count, seed=seed).values())
            ages = [part["age"].to_numpy().astype(np.int64) for part in dealt]
            ids = [part["record_id"].to_numpy().astype(np.int64) for part in dealt]

            def mopse(is_flat: bool) -> Case:
                placed = tree(count)
                top = placed[-1][0] if is_flat else placed[min(count, FAN_OUT) - 1][0]

                def case(watch: Watch) -> None:
                    owner, parties = authorized(schema, count, seed, is_flat=is_flat)
                    with watch.step("add", "owner") as more:
                        more["bytes"] = len(owner.authorize("another").public)
                    with watch.step("remove", "owner"):
                        owner.revoke(top)
                    with watch.step("announce", "owner") as more:
                        more["bytes"] = len(owner.public)
                    stay = [
                        (party, part)
                        for party, part in zip(parties, dealt, strict=True)
                        if party.path.split("/")[0] != top
                    ]
                    with watch.step("authorize again", "owner") as more:
                        again = []
                        for party, part in stay:
                            under, _, name = party.path.rpartition("/")
                            again.append((owner.authorize(name, under or None), part))
                        more["providers_again"] = len(again)
                    with watch.step("encrypt again", "provider") as more:
                        sent = [
                            p.encrypt(part, id="record_id", accept_leakage=p.schema)
                            for p, part in again
                        ]
                        more["bytes"] = sum(upload.nbytes for upload in sent)
                        more["records_again"] = sum(map(len, sent))

                return case

            def opse(is_common: bool) -> Case:
                def case(watch: Watch) -> None:
                    stay = range(count - 1) if is_common else range(0)
                    with watch.step("add", "owner") as more:
                        more["bytes"] = len(os.urandom(32))
                    with watch.step("remove", "owner"):
                        key = os.urandom(32)
                    with watch.step("authorize again", "owner") as more:
                        more["providers_again"] = len(stay)
                    with watch.step("encrypt again", "provider") as more:
                        scheme = Opse(key, 121)
                        runs = [scheme.encrypt(ages[i], ids=ids[i]) for i in stay]
                        more["records_again"] = sum(map(len, runs))

                return case

            return {
                COMMON: opse(True),
                PER_PROVIDER: opse(False),
                MOPSE: mopse(True),
                PLUS: mopse(False),
            }

        return Block({"providers": count}, prepare)

    blocks = [block(count) for count in providers]
    return record(blocks, seed=seed, repeats=repeats, path=path, progress=progress)


@measured()
def draw_authorization(table: pl.DataFrame) -> plot.Figure:
    """Return what adding and removing a provider costs (E7).

    From a table of `authorization`. A panel for the owner's work to add one, its work to remove
    one, and encrypting again.
    """
    groups = {
        "Owner: add one": ["add"],
        "Owner: remove one, new keys for the rest": ["remove", "announce", "authorize again"],
        "Providers: encrypt again": ["encrypt again"],
    }
    panels = []
    for title, steps in groups.items():
        total = summed(table, ["providers", "scheme"], steps=steps)
        panels.append(scheme_curves(in_ms(total), x="providers", title=title))
    return plot.grid(panels, columns=3, title="Authorisation", width=1400, height=460)


EXPERIMENT = Experiment(
    "authorization",
    "performance",
    authorization,
    draw_authorization,
    fast={"providers": (8, 24), "repeats": 2},
)
