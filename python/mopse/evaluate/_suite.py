"""All experiments in one run, with their figures."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from mopse._files import access_error
from mopse.errors import InvalidInputError
from mopse.evaluate._measure import machine, write
from mopse.evaluate.performance import _experiments, _figures
from mopse.evaluate.performance._large import large
from mopse.evaluate.performance._peers import peers
from mopse.plot import Figure

__all__ = ["EXPERIMENTS", "Experiment", "chosen_from", "run", "run_all"]


@dataclass(frozen=True)
class Experiment:
    """An experiment of the suite.

    Attributes
    ----------
    measure : callable
        Returns its table.
    draw : callable
        Returns its figure from the table.
    full, fast : dict
        Arguments of the recorded run, and of a run that shows that it works.
    resumes : bool
        Whether it takes ``path`` and ``progress``.
    """

    measure: Callable[..., pl.DataFrame]
    draw: Callable[[pl.DataFrame], Figure]
    full: dict[str, Any]
    fast: dict[str, Any]
    resumes: bool = True


EXPERIMENTS = {
    "index_encryption": Experiment(
        _experiments.index_encryption,
        _figures.draw_index_encryption,
        {},
        {"records": (100, 1000, 10_000), "domains": (121, 1024), "repeats": 2},
    ),
    "user_query": Experiment(
        _experiments.user_query,
        _figures.draw_user_query,
        {},
        {"providers": (1, 8, 64), "shares": (0.001, 0.1), "repeats": 2},
    ),
    "provider_query": Experiment(
        _experiments.provider_query,
        _figures.draw_provider_query,
        {},
        {"below": (0, 8, 16), "repeats": 2},
    ),
    "merging": Experiment(
        _experiments.merging,
        _figures.draw_merging,
        {},
        {"entries": (1000, 100_000), "runs": (2, 16, 64), "repeats": 2},
    ),
    "storage": Experiment(_experiments.storage, _figures.draw_storage, {}, {}, resumes=False),
    "cell_width": Experiment(
        _experiments.cell_width,
        _figures.draw_cell_width,
        {},
        {"widths": (1, 5), "fields": ("age", "bmi"), "queries": 20},
        resumes=False,
    ),
    "authorization": Experiment(
        _experiments.authorization,
        _figures.draw_authorization,
        {},
        {"providers": (8, 24), "repeats": 2},
    ),
    "large": Experiment(
        large,
        _figures.draw_large,
        {},
        {"entries": (500_000, 1_000_000), "runs": 8, "queries": 20, "repeats": 1},
    ),
    "peers": Experiment(
        peers,
        _figures.draw_peers,
        {"values": 200},
        {"domains": (121, 1024), "values": 10, "repeats": 2},
    ),
}
"""What `run` runs, in this order."""


def run(
    out: str | os.PathLike[str],
    *,
    fast: bool = False,
    only: Sequence[str] = (),
    rust_peers: str | None = None,
    progress: bool = False,
) -> dict[str, Path]:
    """Run the experiments and write their tables and figures.

    Parameters
    ----------
    out : path
        A folder; it is made if there is none. Tables of the same run that are there already, also
        in part, are completed, not measured again; `storage` and `cell_width` are made anew.
    fast : bool
        Whether to take small sizes, which show that it works and nothing about speed.
    only : sequence of str
        Names from `EXPERIMENTS`; all by default, but `peers` only where pyope is installed.
    rust_peers : str, optional
        A command that measures the Rust crates, such as `PEERS`.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    dict of str to Path
        The table of each experiment; its figure has the suffix ``.png``. ``machine.json`` says
        where it ran.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such experiment, or one fails.
    mopse.errors.FileAccessError
        If the folder cannot be written.
    """
    everything = [n for n in EXPERIMENTS if n != "peers" or find_spec("pyope") is not None]
    chosen = chosen_from(EXPERIMENTS, only) if only else everything
    also = {"peers": {"rust": rust_peers}}
    return run_all(
        {name: EXPERIMENTS[name] for name in chosen}, out, fast=fast, progress=progress, also=also
    )


def chosen_from(experiments: Mapping[str, Experiment], only: Sequence[str]) -> Sequence[str]:
    """Return names of experiments, all if none is named, or say which is none."""
    unknown = [name for name in only if name not in experiments]
    if unknown:
        raise InvalidInputError(f"no experiment {unknown[0]!r}, there is {', '.join(experiments)}")
    return only or list(experiments)


def run_all(
    experiments: Mapping[str, Experiment],
    out: str | os.PathLike[str],
    *,
    fast: bool,
    progress: bool,
    also: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Path]:
    """Run experiments and write their tables and figures; see `run`."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise access_error(error, folder) from None
    written = {}
    for name, experiment in experiments.items():
        path = folder / f"{name}.parquet"
        arguments = experiment.fast if fast else experiment.full
        arguments = {**arguments, **(also or {}).get(name, {})}
        if experiment.resumes:
            arguments |= {"path": path, "progress": progress}
        table = experiment.measure(**arguments)
        write(table, path)
        experiment.draw(table).save(path.with_suffix(".png"))
        written[name] = path
    (folder / "machine.json").write_text(json.dumps(machine(), indent=2) + "\n", encoding="utf-8")
    return written
