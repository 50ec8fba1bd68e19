"""The report before encrypting, and the warning."""

import math
import warnings

import numpy as np
import polars as pl
import pytest

import mopse
from mopse import attacks
from mopse.errors import InvalidInputError, WrongTypeError

SCHEMA = mopse.Schema(
    sex=mopse.Field.boolean(), age=mopse.Field(0, 80), bmi=mopse.Field(10, 60, step=0.1, cell=5)
)


def people(records: int, seed: int = 1) -> pl.DataFrame:
    """Return records of all fields."""
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "record_id": np.arange(records),
            "sex": random.integers(0, 2, records).astype(bool),
            "age": random.integers(0, 81, records),
            "bmi": np.round(random.uniform(10, 60, records), 1),
        }
    )


def test_the_numbers_of_a_report_worked_by_hand():
    """Four records over four cells of two: cells 0, 0, 1, 3."""
    schema = mopse.Schema(x=mopse.Field(0, 7, cell=2))
    (row,) = mopse.leakage_report({"x": [0, 1, 2, 6]}, schema).table.to_dicts()
    assert (row["values"], row["cells"], row["records"]) == (8, 4, 4)
    assert row["density"] == 0.75
    assert row["entropy_bits"] == 1.5
    assert row["min_entropy_bits"] == 1.0
    assert row["mode_share"] == 0.5
    assert row["rank_recovery"] == attacks.expected_rank_recovery([2, 1, 0, 1], 4)
    assert row["leaked_bits"] == attacks.information(4, 2**14) == pytest.approx(0.6286, abs=5e-4)
    assert row["queries_to_strip"] == pytest.approx(4.325, abs=5e-4)


def test_verdicts_follow_the_stated_rules():
    cells = 64
    schema = mopse.Schema(x=mopse.Field(0, cells - 1))

    def verdict(values):
        return mopse.leakage_report({"x": values}, schema).table["verdict"][0]

    assert verdict(np.arange(58)) == "hopeless"  # 58 of 64 occur
    assert verdict(np.arange(57)) != "hopeless"
    enough = math.ceil(cells * math.log(cells))
    assert verdict(np.arange(enough) % 9) == "hopeless"
    assert verdict(np.arange(enough - 1) % 9) == "weak"
    wide = mopse.Schema(x=mopse.Field(0, 9999))
    few = mopse.leakage_report({"x": [1, 5000, 9000]}, wide)
    assert few.table["verdict"][0] in ("weak", "leaks order")
    one = mopse.leakage_report({"x": [1, 2]}, mopse.Schema(x=mopse.Field(0, 3, cell=4)))
    assert one.table["verdict"][0] == "nothing to hide"


def test_a_report_shows_every_field_with_its_advice():
    report = mopse.leakage_report(people(3000), SCHEMA)
    assert report.hopeless == ["sex", "age", "bmi"]
    shown = report._repr_html_()
    assert all(name in shown for name in SCHEMA)
    assert "do not outsource" in shown
    assert "do not outsource" in str(report)
    assert repr(report) == "LeakageReport(sex: hopeless, age: hopeless, bmi: hopeless)"
    for word in ("secure", "privacy-preserving"):
        assert word not in shown + str(report)


def test_nulls_are_left_out_and_a_field_without_values_is_refused():
    table = people(100).with_columns(age=pl.when(pl.col("age") < 40).then("age"))
    report = mopse.leakage_report(table, SCHEMA).table
    assert report["records"].to_list() == [100, table["age"].count(), 100]
    with pytest.raises(InvalidInputError, match="field 'age' has no value to report on"):
        mopse.leakage_report(table.with_columns(age=pl.lit(None, pl.Int64)), SCHEMA)


def test_encrypting_a_hopeless_field_warns_unless_it_is_named():
    provider = mopse.Owner.from_insecure_seed(SCHEMA, 1).authorize("a")
    table = people(3000)
    with pytest.warns(mopse.LeakageWarning, match="field '(sex|age|bmi)': a copy") as caught:
        provider.encrypt(table, id="record_id")
    assert len(caught) == 3
    assert all(warning.filename == __file__ for warning in caught)
    with pytest.warns(mopse.LeakageWarning, match="field 'age'") as caught:
        provider.encrypt(table, id="record_id", accept_leakage=["sex", "bmi"])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        provider.encrypt(table, id="record_id", accept_leakage=SCHEMA)
        provider.encrypt(people(30).drop("sex").with_columns(sex=pl.lit(None, pl.Boolean)),
                         id="record_id")  # fmt: skip


def test_what_is_accepted_must_be_fields():
    provider = mopse.Owner.from_insecure_seed(SCHEMA, 1).authorize("a")
    with pytest.raises(InvalidInputError, match="no field 'height' to accept"):
        provider.encrypt(people(3), id="record_id", accept_leakage=["height"])
    with pytest.raises(WrongTypeError, match="must be a list of names"):
        provider.encrypt(people(3), id="record_id", accept_leakage="age")
    with pytest.raises(WrongTypeError, match="must be a Schema"):
        mopse.leakage_report(people(3), {"age": 1})
    with pytest.raises(InvalidInputError, match="no column for field 'bmi'"):
        mopse.leakage_report(people(3).drop("bmi"), SCHEMA)
