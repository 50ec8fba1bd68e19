"""All experiments in one run, and the command."""

import importlib
import json
import pkgutil
import subprocess
import sys

import polars as pl
import pytest

from mopse import evaluate
from mopse.__main__ import main
from mopse.errors import InvalidInputError


def test_the_command_writes_tables_and_figures_and_completes_them(tmp_path, capsys):
    arguments = [
        "evaluate",
        "--fast",
        "--out",
        str(tmp_path),
        "--only",
        "provider_query",
        "storage",
    ]
    main(arguments)
    names = ["machine.json", "provider_query", "storage"]
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [names[0]] + [f"{n}.{s}" for n in names[1:] for s in ("parquet", "png")]
    assert json.loads((tmp_path / "machine.json").read_text())["cores"] >= 1
    before = pl.read_parquet(tmp_path / "provider_query.parquet")
    main(arguments)
    assert pl.read_parquet(tmp_path / "provider_query.parquet").equals(before)
    assert "provider_query.png" in capsys.readouterr().out


def test_tables_are_made_anew_if_that_is_asked(tmp_path):
    arguments = ["attack", "--fast", "--out", str(tmp_path), "--only", "security_queries"]
    path, other = tmp_path / "security_queries.parquet", tmp_path / "merging.parquet"
    for stranger in (path, other):
        pl.DataFrame({"name": ["a stranger"]}).write_parquet(stranger)
    with pytest.raises(SystemExit, match="holds another run"):
        main(arguments)
    main([*arguments, "--anew"])
    assert pl.read_parquet(path)["law"].n_unique() == 3
    assert pl.read_parquet(other)["name"].to_list() == ["a stranger"], "it was not run"


def test_every_experiment_of_either_room_is_listed_once():
    declared = [
        module.EXPERIMENT
        for room in (evaluate.performance, evaluate.security)
        for _, name, _ in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
        if hasattr(module := importlib.import_module(name), "EXPERIMENT")
    ]
    assert len({experiment.name for experiment in declared}) == len(declared)
    listed = evaluate.EXPERIMENTS
    assert {experiment.name: experiment for experiment in declared} == listed
    for experiment in declared:
        assert experiment.measure.__module__.startswith(f"mopse.evaluate.{experiment.room}.")
    assert [*evaluate.experiments_of("performance"), *evaluate.experiments_of("security")] == [
        *listed
    ]


def test_who_measures_something_of_their_own_imports_no_experiment():
    code = (
        "import sys, mopse.evaluate as e; e.record, e.medians; "
        "print([m for m in sys.modules if 'performance' in m or 'security' in m])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert found.strip() == "[]"


def test_an_unknown_experiment_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="no experiment 'nothing'"):
        evaluate.run(tmp_path / "never", only=["nothing"])
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    "name", [n for n in evaluate.experiments_of("performance") if n != "peers"]
)
def test_every_experiment_draws_its_fast_run(name, tmp_path):
    path = evaluate.run(tmp_path, fast=True, only=[name])[name]
    assert path.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
