"""Users who make tokens of their own, under a right to search."""

import datetime

import numpy as np
import polars as pl
import pytest
from scene import Scene

import mopse
from mopse import Field, Schema, User, attacks
from mopse.errors import (
    ExpiredError,
    InvalidInputError,
    OutdatedError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)

SCHEMA = Schema(
    age=Field(0, 99),
    bmi=Field(10, 60, step=0.5, cell=5),
    born=Field(datetime.date(1920, 1, 1), datetime.date(2020, 1, 1), cell=30),
    stage=Field.categories(["none", "mild", "grave"]),
)
DAY = datetime.timedelta(days=1)


def table(seed: int, rows: int = 200) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    ages = random.integers(0, 100, rows)
    return pl.DataFrame(
        {
            "id": np.arange(rows),
            "age": pl.Series(ages).set(pl.Series(random.random(rows) < 0.1), None),
            "bmi": random.integers(20, 121, rows) / 2,
            "born": [datetime.date(2019 - int(age), 6, 1) for age in ages],
            "stage": random.choice(["none", "mild", "grave"], rows),
        }
    )


TABLES = {"hospital": table(1), "hospital/ward": table(2), "clinic": table(3)}


@pytest.fixture
def scene() -> Scene:
    scene = Scene(SCHEMA, *TABLES)
    for path, rows in TABLES.items():
        scene.send(path, rows)
    return scene


def rows_of(*conditions: pl.Expr, paths: tuple[str, ...] = tuple(TABLES)) -> int:
    return sum(TABLES[path].filter(*conditions).height for path in paths)


def given(scene: Scene, user: User, **ranges: object) -> User:
    user.accept(scene.owner.delegate(user.public, ranges))
    return user


def test_a_user_asks_by_itself_within_all_ranges_of_its_right(scene: Scene) -> None:
    user = given(scene, User.generate(), age=(40, 80), stage=("mild", "grave"))
    for path in TABLES:
        user.accept(scene.owner.share(user.public, path))
    found = user.ask(scene.cloud, age=(50, None))
    stages = pl.col("stage").is_in(["mild", "grave"])
    assert found.height == rows_of(pl.col("age").is_between(50, 80), stages) > 0
    assert set(found["stage"]) == {"mild", "grave"}
    found = user.ask(scene.cloud, {"stage": "grave"})
    assert found.height == rows_of(pl.col("age").is_between(40, 80), pl.col("stage") == "grave")
    query = user.query(age=45)
    assert user.ask(scene.cloud, query).equals(user.ask(scene.cloud, age=45))
    assert scene.cloud.count(query) == rows_of(pl.col("age") == 45, stages)


def test_searching_without_reading_and_reading_without_searching(scene: Scene) -> None:
    searcher = given(scene, User.generate(), age=(0, 99))
    query = searcher.query(age=(30, 40))
    assert scene.cloud.count(query) == rows_of(pl.col("age").is_between(30, 40))
    answer = scene.cloud.search(query)
    with pytest.raises(ScopeError, match="granted"):
        searcher.decrypt(answer, query)
    assert searcher.decrypt(answer, query, faults="report").records.height == 0
    reader = User.generate()
    reader.accept(scene.owner.share(reader.public, "clinic"))
    with pytest.raises(ScopeError, match="no right to search"):
        reader.query(age=(30, 40))
    with pytest.raises(ScopeError, match="no right to search"):
        reader.ask(scene.cloud, age=(30, 40))
    by_owner = scene.owner.query(age=(30, 40))
    records, _ = reader.decrypt(scene.cloud.search(by_owner), by_owner, faults="report")
    expected = rows_of(pl.col("age").is_between(30, 40), paths=("clinic",))
    assert records.height == expected


def test_cells_hold_the_user_and_values_the_answer(scene: Scene) -> None:
    user = given(scene, User.generate(), bmi=(20, 30))
    for path in TABLES:
        user.accept(scene.owner.share(user.public, path))
    # Cells are 2.5 wide from 10 on, and the last one of the range ends at 32.
    query = user.query(bmi=(None, None))
    assert scene.cloud.count(query) == rows_of(pl.col("bmi").is_between(20, 32))
    assert user.ask(scene.cloud, query).height == rows_of(pl.col("bmi").is_between(20, 30))


@pytest.mark.parametrize(
    ("ranges", "error", "match"),
    [
        ({"age": (39, 50)}, ScopeError, "'?age'?.*outside"),
        ({"age": (50, 81)}, ScopeError, "outside"),
        ({"age": (40, 99)}, ScopeError, "outside"),
        ({"bmi": (20, 30)}, ScopeError, 'no range of field "bmi"'),
        ({"age": 50, "bmi": 25}, ScopeError, 'no range of field "bmi"'),
        ({"weight": 50}, InvalidInputError, "no field 'weight'"),
        ({"age": (60, 50)}, InvalidInputError, "age"),
        ({"age": (1, 2, 3)}, InvalidInputError, "lowest and a highest"),
        ({}, InvalidInputError, "at least one range"),
    ],
)
def test_a_query_beyond_the_right_is_not_made(scene: Scene, ranges, error, match) -> None:
    user = given(scene, User.generate(), age=(40, 80))
    with pytest.raises(error, match=match):
        user.query(ranges)


@pytest.mark.parametrize(
    ("arguments", "ranges", "error", "match"),
    [
        ({}, {}, InvalidInputError, "at least one range"),
        ({}, {"weight": 1}, InvalidInputError, "no field 'weight'"),
        ({}, {"age": (50, 40)}, InvalidInputError, "age"),
        ({}, {"bmi": (20.1, 20.2)}, InvalidInputError, "no value"),
        ({"under": "nobody"}, {"age": 1}, InvalidInputError, "no group"),
        ({"under": "clinic"}, {"age": 1}, InvalidInputError, "no group"),
        ({"under": 5}, {"age": 1}, WrongTypeError, "under"),
        ({"expires_in": 5}, {"age": 1}, WrongTypeError, "expires_in"),
        ({"expires_in": -DAY}, {"age": 1}, InvalidInputError, "expires_in"),
        ({"expires_in": datetime.timedelta.max}, {"age": 1}, InvalidInputError, "year 9999"),
    ],
)
def test_a_right_that_is_none_is_not_given(scene: Scene, arguments, ranges, error, match) -> None:
    user = User.generate()
    with pytest.raises(error, match=match):
        scene.owner.delegate(user.public, ranges, **arguments)
    assert scene.owner.delegated.height == 0
    forged = bytearray(user.public)
    forged[20] ^= 1
    with pytest.raises(SignatureError):
        scene.owner.delegate(bytes(forged), age=1)


def test_rights_are_told_on_both_sides(scene: Scene) -> None:
    user = given(scene, User.generate(), age=(40, 80), stage="mild", bmi=(20.5, 30))
    user.accept(scene.owner.delegate(user.public, born=(datetime.date(1950, 1, 1), None)))
    told = scene.owner.delegated
    assert set(told["user"]) == {user.name}
    values = {field: ends for field, *ends in told["field", "lowest", "highest"].iter_rows()}
    assert values["age"] == ["40", "80"]
    assert values["stage"] == ["mild", "mild"]
    assert values["bmi"] == ["20.5", "30"]
    assert "1950" in values["born"][0]
    assert told["is_current"].all()
    assert told["under"].null_count() == told.height == 4
    held = user.rights
    assert set(held["right"]) == set(told["right"])
    assert held["groups"].to_list()[0] == ["the group of the owner", "the group of hospital"]
    assert held["ends"].null_count() == 4
    assert User.generate().rights.height == 0


def test_a_right_is_limited_to_groups_and_given_by_who_stands_above(scene: Scene) -> None:
    expected = rows_of(pl.col("age").is_between(40, 80), paths=("hospital/ward",))
    for giver in (scene.owner, scene["hospital"]):
        user = User.generate()
        under = "hospital" if giver is scene.owner else None
        user.accept(giver.delegate(user.public, age=(40, 80), under=under))
        assert scene.cloud.count(user.query(age=(None, None))) == expected
    with pytest.raises(InvalidInputError, match="no group"):
        scene["clinic"].delegate(User.generate().public, age=1)


def test_a_right_is_taken_back_and_who_stays_has_it_anew(scene: Scene) -> None:
    leaver, stays = (given(scene, User.generate(), age=(40, 80)) for _ in range(2))
    old = stays.query(age=50)
    anew = scene.owner.unshare(leaver.public)
    assert list(anew) == [stays.public]
    scene.cloud.enroll(scene.owner.public)
    for query in (leaver.query(age=50), old, stays.query(age=50)):
        with pytest.raises(OutdatedError, match="given anew"):
            scene.cloud.count(query)
    assert set(scene.owner.delegated["user"]) == {stays.name}
    for sealed in anew[stays.public]:
        stays.accept(sealed)
    assert stays.rights["right"].n_unique() == 1
    assert scene.cloud.count(stays.query(age=50)) == rows_of(pl.col("age") == 50)


def test_a_right_and_a_query_end_by_time(scene: Scene, monkeypatch) -> None:
    user = User.generate()
    user.accept(scene.owner.delegate(user.public, age=(40, 80), expires_in=DAY))
    query = user.query(age=50, expires_in=3 * DAY)
    now = mopse.cloud.time.time()
    monkeypatch.setattr(mopse.cloud.time, "time", lambda: now + 2 * 86_400)
    with pytest.raises(ExpiredError, match="right to search"):
        scene.cloud.count(query)
    with pytest.raises(ScopeError, match="ended"):
        user.query(age=50)


def test_rights_are_saved_on_both_sides(scene: Scene, tmp_path) -> None:
    user = given(scene, User.generate(), age=(40, 80))
    user.save(tmp_path / "user", "word")
    scene.owner.save(tmp_path / "owner", "word")
    opened = User.open(tmp_path / "user", "word")
    assert opened.rights.equals(user.rights)
    query = opened.query(age=50)
    assert scene.cloud.count(query) == rows_of(pl.col("age") == 50)
    owner = mopse.Owner.open(tmp_path / "owner", "word")
    assert owner.delegated.equals(scene.owner.delegated)
    owner.unshare(user.public)
    scene.cloud.enroll(owner.public)
    with pytest.raises(OutdatedError):
        scene.cloud.count(query)


def test_of_several_owners_one_is_named(scene: Scene) -> None:
    other = mopse.Owner.generate(SCHEMA)
    other.authorize("practice")
    user = given(scene, User.generate(), age=(40, 80))
    user.accept(other.delegate(user.public, age=(0, 20)))
    with pytest.raises(InvalidInputError, match="2 owners"):
        user.query(age=50)
    query = user.query(age=50, owner=scene.owner.key)
    assert scene.cloud.count(query) == rows_of(pl.col("age") == 50)
    with pytest.raises(ScopeError, match="outside"):
        user.query(age=50, owner=other.key)
    with pytest.raises(ScopeError, match="that owner"):
        user.query(age=50, owner=b"x" * 32)


def test_of_several_rights_one_is_named(scene: Scene) -> None:
    user = given(scene, User.generate(), age=(40, 80))
    given(scene, user, age=(60, 99))
    assert scene.cloud.count(user.query(age=90)) == rows_of(pl.col("age") == 90)
    with pytest.raises(InvalidInputError, match="2 rights"):
        user.query(age=70)
    for right in user.rights["right"]:
        query = user.query(age=70, right=right)
        assert scene.cloud.count(query) == rows_of(pl.col("age") == 70)
    with pytest.raises(InvalidInputError, match="hexadecimal"):
        user.query(age=70, right="one")
    with pytest.raises(ScopeError):
        user.query(age=70, right="0" * 32)


def test_a_right_that_was_given_anew_takes_the_place_of_one_that_ended(scene: Scene) -> None:
    user = given(scene, User.generate(), age=(40, 80))
    scene.owner.renew_readers()
    scene.enroll()
    assert user.rights["is_current"].to_list() == [True], "which only a cloud can tell"
    with pytest.raises(OutdatedError):
        scene.cloud.count(user.query(age=70))
    given(scene, user, age=(60, 99))
    current = dict(user.rights.select("lowest", "is_current").iter_rows())
    assert current == {"40": False, "60": True}
    assert scene.cloud.count(user.query(age=70)) == rows_of(pl.col("age") == 70)
    ended = user.rights.filter(~pl.col("is_current"))["right"][0]
    with pytest.raises(ScopeError, match="has ended"):
        user.query(age=70, right=ended)
    # In another order the ranges are those of the same right.
    given(scene, user, bmi=(20, 30), stage="mild")
    given(scene, user, stage="mild", bmi=(20, 30))
    assert user.rights.filter(is_current=True)["right"].n_unique() == 2


def test_a_query_that_was_made_takes_no_more_ranges(scene: Scene) -> None:
    user = given(scene, User.generate(), age=(40, 80))
    with pytest.raises(InvalidInputError, match="in it"):
        user.ask(scene.cloud, user.query(age=50), age=60)
    with pytest.raises(InvalidInputError, match="in it"):
        user.ask(scene.cloud, user.query(age=50), owner=scene.owner.key)


def test_answers_to_a_user_s_own_query_are_proven_by_signatures(scene: Scene) -> None:
    user = given(scene, User.generate(), age=(40, 80), stage=("mild", "grave"))
    for path, provider in scene.providers.items():
        scene.cloud.receive(provider.seal(cloud=scene.cloud))
        user.accept(scene.owner.share(user.public, path))
    found = user.ask(scene.cloud, age=(50, 60), proof=True)
    stages = pl.col("stage").is_in(["mild", "grave"])
    assert found.height == rows_of(pl.col("age").is_between(50, 60), stages)


@pytest.mark.parametrize("width", [10, 40, 100])
def test_with_a_snapshot_a_right_locates_what_lies_in_its_range_and_nothing_else(width) -> None:
    schema = Schema(age=Field(0, 99), sbp=Field(0, 299, cell=10))
    random = np.random.default_rng(7)
    tables = {
        path: pl.DataFrame(
            {
                "record_id": range(500),
                "age": random.integers(0, 100, 500),
                "sbp": random.integers(0, 300, 500),
            }
        )
        for path in ("hospital", "clinic")
    }
    deployment = attacks.Deployment("MOPSE", tables, schema, seed=3)
    view = deployment.holder(age=(0, width - 1), sbp=(100, 199))
    ages = attacks.locate(view, "age")
    truth = deployment.truth["age"]
    in_range = truth < width
    # Whatever the other field holds: the conjunction is what a cloud sees to.
    assert np.array_equal(ages.values >= 0, in_range)
    assert np.array_equal(ages.values[in_range], truth[in_range])
    pressures = attacks.locate(view, "sbp").values
    truth = deployment.truth["sbp"]
    assert np.array_equal(pressures >= 0, (truth >= 100) & (truth <= 199))
    # Controls: a provider locates all, a snapshot alone has nobody's cuts.
    insider = deployment.view("provider+snapshot", provider="hospital")
    assert (attacks.locate(insider, "age").values >= 0).all()
    with pytest.raises(InvalidInputError, match="no provider"):
        attacks.locate(deployment.view("snapshot"), "age")


def test_the_log_names_the_user_who_searched(tmp_path) -> None:
    log = mopse.sharing.AuditLog(tmp_path / "log")
    scene = Scene(SCHEMA, *TABLES, cloud=mopse.Cloud(audit_log=log))
    scene.send("clinic", TABLES["clinic"])
    user = given(scene, User.generate(), age=(40, 80))
    scene.cloud.count(user.query(age=50))
    scene.cloud.count(scene.owner.query(age=50))
    entries = mopse.sharing.Witness(scene.owner.key).entries(scene.cloud, scene.owner)
    who = entries.filter(pl.col("what") == "count")["who"].to_list()
    assert who == [f"/user/{user.name.hex()}", ""]


def test_of_rights_that_were_given_in_one_second_the_later_one_stays() -> None:
    scene = Scene(SCHEMA, *TABLES)
    scene.send("clinic", TABLES["clinic"])
    user, other = User.generate(), User.generate()
    for one in (user, other):
        scene.owner.delegate(one.public, age=(40, 80))
    [first] = scene.owner.suspend(other.public)[user.public]
    scene.owner.reinstate(other.public)
    [last] = scene.owner.suspend(other.public)[user.public]
    scene.enroll()
    user.accept(last)
    user.accept(first)
    found = scene.cloud.count(user.query(age=(50, 60)))
    assert found == rows_of(pl.col("age").is_between(50, 60), paths=("clinic",))
