"""All experiments, and runs of them with their figures."""

import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from mopse._checked import checked
from mopse._files import SHARED, as_folder, made_folder, removed, write_whole
from mopse._fork import check_tables
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment, Room
from mopse.evaluate._measure import machine
from mopse.evaluate._resume import PATH
from mopse.evaluate._tables import write
from mopse.evaluate.performance import (
    _authorization,
    _cell_width,
    _growing,
    _growing_by_engine,
    _index_encryption,
    _large,
    _merging,
    _peers,
    _proofs,
    _provider_query,
    _storage,
    _stores,
    _user_query,
)
from mopse.evaluate.performance._empty_stores import engine_of
from mopse.evaluate.security import (
    _correlations,
    _hospitals,
    _insider,
    _knowledge,
    _layouts,
    _linked,
    _logins,
    _queries,
    _records,
    _snapshots,
    _subtrees,
    _tolerances,
    _updates,
)
from mopse.evaluate.security import _merging as _amplification

__all__ = ["EXPERIMENTS", "experiments_of", "run"]

EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        _index_encryption,
        _user_query,
        _provider_query,
        _merging,
        _growing,
        _growing_by_engine,
        _stores,
        _proofs,
        _storage,
        _cell_width,
        _authorization,
        _large,
        _peers,
        _snapshots,
        _tolerances,
        _hospitals,
        _records,
        _knowledge,
        _correlations,
        _queries,
        _amplification,
        _insider,
        _subtrees,
        _linked,
        _layouts,
        _updates,
        _logins,
    )
}
"""Every experiment by its name, in the order in which they run."""


@checked()
def experiments_of(room: Room | None = None) -> dict[str, Experiment]:
    """Return the experiments of one room, or of both.

    Parameters
    ----------
    room : {"performance", "security"}, optional
        Which.
    """
    return {name: one for name, one in EXPERIMENTS.items() if room in (None, one.room)}


@checked()
def run(
    out: str | os.PathLike[str],
    *,
    room: Room | None = None,
    only: Sequence[str] = (),
    fast: bool = False,
    anew: bool = False,
    rust_peers: str | None = None,
    store: PATH = None,
    progress: bool | None = None,
) -> dict[str, Path]:
    """Run experiments and write their tables and figures.

    Parameters
    ----------
    out : path
        A folder; it is made if there is none. Tables of the same run that are there already, also
        in part, are completed, not measured again; `performance.storage` and
        `performance.cell_width` are always made anew.
    room : {"performance", "security"}, optional
        Whose experiments; by default all.
    only : sequence of str
        Names of them; all by default, but `performance.peers` only where pyope is installed.
    fast : bool
        Whether to take small sizes, which show that it works and nothing about speed.
    anew : bool
        Whether to remove the tables that are there of what is run, before anything runs.
    rust_peers : str, optional
        A command that measures the Rust crates, such as `performance.PEERS`.
    store : path, optional
        What clouds keep things in, where there are some: see `performance.growing`.

    Returns
    -------
    dict of str to Path
        The table of each experiment; its figure has the suffix ``.png``. ``machine.json`` says
        where it ran.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such experiment or store, one fails, or a table is of another run.
    mopse.errors.FileAccessError
        If the folder cannot be written.
    """
    check_tables()
    chosen = _chosen(experiments_of(room), only)
    engine_of(store)  # before anything is removed
    folder = made_folder(as_folder(out))
    tables = {name: folder / f"{name}.parquet" for name in chosen}
    for path in tables.values() if anew else ():
        removed(path)
    for name, experiment in chosen.items():
        arguments = dict(experiment.fast) if fast else {}
        if name == "peers":
            arguments["rust"] = rust_peers
        if experiment.takes_store:
            arguments["store"] = store
        if experiment.resumes:
            arguments |= {"path": tables[name], "progress": progress}
        table = experiment.measure(**arguments)
        write(table, tables[name])
        experiment.draw(table).save(tables[name].with_suffix(".png"))
    told = json.dumps(machine(), indent=2) + "\n"
    write_whole(folder / "machine.json", told.encode(), SHARED)
    return tables


def _chosen(experiments: dict[str, Experiment], only: Sequence[str]) -> dict[str, Experiment]:
    """Return experiments by name, all that can run here if none is named; or say which is none."""
    unknown = [name for name in only if name not in experiments]
    if unknown:
        raise InvalidInputError(f"no experiment {unknown[0]!r}, there is {', '.join(experiments)}")
    if only:
        return {name: experiments[name] for name in only}
    return {n: e for n, e in experiments.items() if e.needs is None or find_spec(e.needs)}
