"""A key that is mailed on request, beside one that is sealed: who opens what with it."""

import polars as pl
import pytest
from scene import Scene

from mopse import Field, Schema, attacks

SCHEMA = Schema(age=Field(0, 99))


@pytest.mark.parametrize("ids", [[1], [0, 2]])
def test_a_mailed_key_is_everybody_s_and_a_sealed_one_its_user_s(ids):
    scene = Scene(SCHEMA, "hospital", "clinic")
    for path in ("hospital", "clinic"):
        scene.send(path, pl.DataFrame({"id": range(3), "age": [41, 42, 70]}))
    found = attacks.release_readers(scene.owner, scene.cloud, "hospital", ids, age=(0, 99))
    opened = {(way, reader): count for way, reader, count in found.iter_rows()}
    every = len(ids)
    assert opened == {
        ("published", "asked"): every,
        ("published", "mail"): every,
        ("published", "cloud"): every,
        ("published", "another"): every,
        ("sealed", "asked"): every,
        ("sealed", "mail"): 0,
        ("sealed", "cloud"): 0,
        ("sealed", "another"): 0,
    }


def test_of_records_that_no_query_finds_nothing_is_opened():
    scene = Scene(SCHEMA, "hospital")
    scene.send("hospital", pl.DataFrame({"id": [0], "age": [41]}))
    found = attacks.release_readers(scene.owner, scene.cloud, "hospital", [0], age=(50, 99))
    assert found["opened"].sum() == 0
