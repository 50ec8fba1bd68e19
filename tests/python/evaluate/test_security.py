"""The experiments on security resume, refuse and find what they say: small runs."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mopse import attacks, evaluate
from mopse.errors import DamagedFileError, InvalidInputError, MissingFileError
from mopse.evaluate import security


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All experiments, small, with their figures."""
    folder = tmp_path_factory.mktemp("security")
    return evaluate.run(folder, room="security", fast=True)


def test_every_experiment_writes_a_table_and_a_figure(written):
    assert set(written) == set(evaluate.experiments_of("security"))
    for path in written.values():
        table = pl.read_parquet(path)
        assert table.height
        assert "seed" in table.columns
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_table_has_one_row_per_case_and_metric_beside_its_baseline(written):
    table = pl.read_parquet(written["security_snapshots"])
    case = ["scheme", "field", "attack", "view", "aux", "seed", "provider", "metric"]
    assert not table.select(case).is_duplicated().any()
    shares = table.filter(pl.col("metric").is_in(["exact", "cell", "within tolerance"]))
    assert shares["baseline"].is_not_null().all()
    assert shares["value"].is_between(0, 1).all()
    assert set(table["scheme"]) == set(attacks.SCHEMES) - {attacks.PLAIN, attacks.MARKS}


def test_an_interrupted_sweep_goes_on_where_it_stopped(written, tmp_path, monkeypatch):
    whole = pl.read_parquet(written["security_subtrees"])
    path = tmp_path / "subtrees.parquet"
    whole.filter(pl.col("seed") == 0).write_parquet(path)
    made = []
    original = attacks.Deployment

    def counted(*arguments, **options):
        made.append(options["seed"])
        return original(*arguments, **options)

    monkeypatch.setattr(security._subtrees, "Deployment", counted)
    again = security.subtrees(range(2), path=path)
    assert made == [1]
    assert_frame_equal(again, whole)
    assert_frame_equal(pl.read_parquet(path), whole)


def test_a_file_of_another_sweep_is_refused_and_left(written, tmp_path):
    path = written["security_subtrees"]
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match="holds another run"):
        security.subtrees(range(5, 6), path=path)
    assert path.read_bytes() == before
    broken = tmp_path / "x.parquet"
    broken.write_bytes(b"nothing")
    with pytest.raises(DamagedFileError, match="no Parquet file"):
        security.subtrees(range(1), path=broken)
    with pytest.raises(MissingFileError):
        security.subtrees(range(1), path=tmp_path / "missing" / "x.parquet")


def test_experiments_refuse_what_makes_none():
    with pytest.raises(InvalidInputError, match="there is no column 'height_cm'"):
        security.snapshots(range(1), ["height_cm"])
    with pytest.raises(InvalidInputError, match="above"):
        security.amplification(range(1), merged=(1000,))
    with pytest.raises(InvalidInputError, match="above"):
        security.subtrees(range(1), each=10**6)
    with pytest.raises(InvalidInputError, match="equal circumstances"):
        security.snapshots([1, 1], ["sex"])
    with pytest.raises(InvalidInputError, match="honest"):
        security.layouts(range(1), colluders=(8,))
    with pytest.raises(InvalidInputError, match="too many records"):
        security.updates(range(1), updated=(10**6,))
    with pytest.raises(InvalidInputError, match="no experiment 'x'"):
        evaluate.run("nowhere", room="security", only=["x"])


def test_oracles_pass_and_costs_are_counted():
    checked = security.oracles()
    assert checked["passes"].all()
    assert checked.schema["passes"] == pl.Boolean
    costs = security.costs("sex", repeats=1)
    assert (costs["time_s"] > 0).all()
    assert costs.filter(attack="insider")["encryptions"].item() == 2
