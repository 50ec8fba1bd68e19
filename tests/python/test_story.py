"""The public story, on real records: whatever is asked, the answer is that of the plaintext."""

import copy
import datetime
import hashlib
import math
import pickle
import struct
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import reference
import reference_messages
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scene import Scene

import mopse
from mopse import Answer, Cloud, Field, Owner, Provider, Query, Schema, Upload, User, datasets
from mopse.cli import main
from mopse.errors import (
    DecryptionError,
    ExpiredError,
    InvalidInputError,
    ScopeError,
)

PASSWORD = "correct horse"
BIRTH = datetime.date(1937, 5, 1)
WARD = "provider-1/ward"
PHYSICIAN = "provider-1/ward/physician"


def with_visits(people: pl.DataFrame) -> pl.DataFrame:
    """Add what the survey lacks: a date, a truth value and a free text, all with nulls."""
    number = pl.col("record_id")
    first = pl.lit(datetime.date(2017, 1, 1))
    return people.with_columns(
        visited=pl.when(number % 11 > 0).then(first + pl.duration(days=number % 700)),
        insured=pl.when(number % 7 > 0).then(number % 3 == 0),
        note=pl.when(number % 5 > 0).then(pl.format("seen on ward {} · ärztlich", number)),
    )


PEOPLE = with_visits(datasets.load("nhanes-2017-2018"))
SCHEMA = Schema(
    age=Field(0, 80),
    systolic_1=Field(60, 260, step=2),
    bmi=Field(8, 100, step=0.1, cell=5),
    hdl=Field(0, 200, cell=10),
    general_health=Field.categories(["poor", "fair", "good", "very good", "excellent"]),
    visited=Field(datetime.date(2017, 1, 1), datetime.date(2018, 12, 31)),
    insured=Field.boolean(),
)
WIDE = {"bmi": (8, 0.1, 5), "hdl": (0, 1, 10)}
"""Minimum, step and cell of the fields whose cells are wider than one step."""


def matching(table: pl.DataFrame, **ranges: tuple) -> pl.DataFrame:
    """Filter in the clear: both bounds included, None open, null never matches."""
    holds = [pl.lit(True)]
    for name, (low, high) in ranges.items():
        column = pl.col(name)
        if name == "general_health":
            column = column.to_physical()
            levels = PEOPLE[name].dtype.categories.to_list()
            low, high = (None if b is None else levels.index(b) for b in (low, high))
        holds.append(column.is_not_null())
        holds += [column >= low] if low is not None else []
        holds += [column <= high] if high is not None else []
    return table.filter(*holds)


def in_cells(table: pl.DataFrame, **ranges: tuple) -> int:
    """Count in the clear the records whose cells the ranges touch."""
    for name, (low, high) in ranges.items():
        if name not in WIDE:
            table = matching(table, **{name: (low, high)})
            continue
        minimum, step, cell = WIDE[name]
        cells = ((pl.col(name) - minimum) / step).round().floordiv(cell)
        if low is not None:
            table = table.filter(cells >= round((low - minimum) / step) // cell)
        if high is not None:
            table = table.filter(cells <= round((high - minimum) / step) // cell)
        table = table.filter(pl.col(name).is_not_null())
    return table.height


def assert_same_records(got: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Assert equality of values, types and nulls, in whatever order the rows stand."""
    assert_frame_equal(got.sort("record_id"), expected.sort("record_id"), check_exact=True)


class Story(Scene):
    """Eight providers in one group, and one hierarchy of three levels below the first of them."""

    def __init__(self) -> None:
        names = [f"provider-{number}" for number in range(1, 9)]
        super().__init__(SCHEMA, *names, WARD, PHYSICIAN)
        dealt = datasets.providers(PEOPLE, len(self.providers), seed=1).values()
        self.tables = dict(zip(self.providers, dealt, strict=True))
        for name, table in self.tables.items():
            self.send(name, table, id="record_id")

    def everything(self, *names: str) -> pl.DataFrame:
        """Join the tables of some providers, or of all, as an answer would."""
        chosen = names or self.tables
        return pl.concat([self.tables[name].with_columns(provider=pl.lit(name)) for name in chosen])


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


# The contract, as it is spelled


def test_story_of_the_design_runs_as_it_is_spelled(tmp_path):
    admissions = pl.DataFrame(
        {"record_id": [1, 2, 3], "age": [41, 70, 55], "sbp": [150, 150, 139], "bmi": [20.1] * 3}
    )
    visits = pl.DataFrame({"record_id": [1], "age": [60], "sbp": [140], "bmi": [None]}).cast(
        {"bmi": pl.Float64}
    )
    schema = mopse.Schema(
        age=mopse.Field(0, 120), sbp=mopse.Field(60, 260), bmi=mopse.Field(8, 100, step=0.1, cell=5)
    )
    owner = mopse.Owner.generate(schema)
    hospital = owner.authorize("hospital")
    ward = owner.authorize("ward", under="hospital")

    cloud = mopse.Cloud()
    cloud.enroll(owner.public)
    cloud.receive(hospital.encrypt(admissions, id="record_id"))
    cloud.receive(ward.encrypt(visits, id="record_id"))

    query = owner.query(age=(40, 60), sbp=(140, None))
    answer = cloud.search(query)
    assert cloud.count(query) == 2
    records = owner.decrypt(answer, query)
    assert records.columns == ["record_id", "age", "sbp", "bmi", "provider"]
    assert records.rows() == [(1, 41, 150, 20.1, "hospital"), (1, 60, 140, None, "hospital/ward")]
    assert owner.ask(cloud, age=(40, 60), sbp=(140, None)).equals(records)
    own = hospital.ask(cloud, age=(40, 60))
    assert own.sort("sbp")["sbp"].to_list() == [139, 140, 150]

    owner.save(tmp_path / "owner", PASSWORD)
    hospital.save(tmp_path / "hospital", PASSWORD)
    assert mopse.Owner.open(tmp_path / "owner", PASSWORD).public == owner.public
    assert mopse.Provider.open(tmp_path / "hospital", PASSWORD).public == hospital.public
    assert cloud.remove("hospital") == 3
    assert cloud.count(query) == 1


def test_primitives_of_the_design_run_as_they_are_spelled():
    key, x, ids = bytes(range(32)), np.arange(2**16), np.arange(2**16)
    opse = mopse.Opse(key, domain=2**16)
    c = opse.encrypt(x)
    assert c.dtype == np.int64
    assert isinstance(opse.encrypt(7), int)
    assert (np.diff(c) > 0).all()
    assert (opse.decrypt(c) == x).all()
    assert (opse.decrypt(opse.encrypt(x, ids=ids), ids=ids) == x).all()
    runs = [np.sort(c[start::3]) for start in range(3)]
    order = mopse.merge(runs)
    assert order.dtype == np.int64
    assert (np.concatenate(runs)[order] == c).all()


# Answers against the plaintext

QUESTIONS = {
    "a range": {"age": (40, 60)},
    "one value": {"age": (42, 42)},
    "open above": {"systolic_1": (140, None)},
    "open below": {"systolic_1": (None, 100)},
    "open on both sides": {"systolic_1": (None, None)},
    "the whole domain": {"age": (0, 80)},
    "beyond the domain": {"age": (70, 10**6)},
    "wide cells": {"bmi": (24.9, 30.1)},
    "one value of a wide cell": {"hdl": (57, 57)},
    "bounds on the borders of cells": {"hdl": (50, 59)},
    "two fields": {"age": (40, 60), "systolic_1": (140, None)},
    "two fields with wide cells": {"bmi": (None, 25), "hdl": (43, 61)},
    "categories": {"general_health": ("fair", "good")},
    "open categories": {"general_health": ("very good", None)},
    "dates": {"visited": (datetime.date(2017, 2, 3), datetime.date(2017, 9, 30))},
    "open dates": {"visited": (None, datetime.date(2017, 9, 30))},
    "true": {"insured": (True, True)},
    "false": {"insured": (None, False)},
    "everything at once": {
        "age": (18, 65),
        "systolic_1": (110, 160),
        "bmi": (20, 33.3),
        "hdl": (33, None),
        "general_health": (None, "very good"),
        "visited": (datetime.date(2017, 1, 15), None),
        "insured": (True, True),
    },
    "nobody": {"age": (2, 3), "systolic_1": (200, None)},
}


@pytest.mark.parametrize("ranges", QUESTIONS.values(), ids=QUESTIONS)
def test_owner_finds_exactly_what_a_filter_of_the_plaintext_finds(story, ranges):
    expected = matching(story.everything(), **ranges)
    query = story.owner.query(**ranges)
    answer = story.cloud.search(query)
    touched = in_cells(story.everything(), **ranges)
    assert story.cloud.count(query) == len(answer) == touched
    assert sum(answer.providers.values()) == len(answer)
    assert answer.excess is None
    assert_same_records(story.owner.decrypt(answer, query), expected)
    assert answer.excess == touched - expected.height
    if not WIDE.keys() & ranges.keys():
        assert answer.excess == 0


def test_a_single_value_stands_for_itself(story):
    for field, value in [("age", 42), ("insured", True), ("general_health", "good")]:
        found = story.owner.ask(story.cloud, {field: value})
        assert_same_records(found, matching(story.everything(), **{field: (value, value)}))


def test_wide_cells_do_find_more_and_the_client_drops_it(story):
    query = story.owner.query(bmi=(25, 25))
    answer = story.cloud.search(query)
    story.owner.decrypt(answer, query)
    assert answer.excess > 0


def test_bounds_off_the_grid_round_inwards(story):
    found = story.owner.ask(story.cloud, systolic_1=(140.5, 150.5))
    assert_same_records(found, matching(story.everything(), systolic_1=(142, 150)))


@pytest.mark.parametrize(
    "ranges", [{"age": (500, None)}, {"age": (40.2, 40.8)}, {"age": (1, 2), "hdl": (None, -1)}]
)
def test_a_range_that_holds_no_value_gives_an_empty_answer(story, ranges):
    query = story.owner.query(**ranges)
    assert len(query) == 0
    assert story.cloud.count(query) == 0
    answer = story.cloud.search(query)
    assert len(answer) == 0
    found = story.owner.decrypt(answer, query)
    assert found.height == 0
    assert "provider" in found.columns
    assert answer.excess == 0


def test_an_answer_without_records_still_has_the_columns(story):
    found = story.ask(story.owner, **QUESTIONS["nobody"])
    assert found.height == 0
    assert found.schema == story.everything().schema


def test_ranges_of_a_mapping_are_those_of_keywords():
    schema = Schema(**{"pulse rate": Field(30, 220), "ranges": Field(0, 9)})
    scene = Scene(schema, "a")
    scene.send("a", {"id": ["x", "y"], "pulse rate": [60, 90], "ranges": [1, 2]})
    found = scene.ask(scene.owner, {"pulse rate": (None, 70)}, ranges=1)
    assert found["id"].to_list() == ["x"]


# Who sees what


def test_providers_see_their_own_records_and_those_below_and_nothing_else(story):
    ranges = {"age": (30, 50), "bmi": (20, 30)}
    below = {"provider-1": ["provider-1", WARD, PHYSICIAN], WARD: [WARD, PHYSICIAN]}
    for name, provider in story.providers.items():
        query = provider.query(**ranges)
        seen = below.get(name, [name])
        found = provider.decrypt(story.cloud.search(query), query)
        assert_same_records(found, matching(story.everything(*seen), **ranges))
        assert len(query) == len(seen)


def test_no_provider_opens_the_answer_to_another(story):
    query = story.owner.query(age=(30, 50))
    answer = story.cloud.search(query)
    for name in ["provider-2", WARD]:
        with pytest.raises(ScopeError, match="provider"):
            story.providers[name].decrypt(answer, query)


def test_a_query_has_one_token_per_group():
    owner = Owner.generate(Schema(age=Field(0, 9)))
    assert len(owner.query(age=1)) == 1  # the cloud then says if anybody was authorised meanwhile
    internal = set()
    for count, path in enumerate(["a", "b", "a/c", "a/d", "a/c/e", "b/f", "a/c/g"], start=1):
        above, _, name = path.rpartition("/")
        owner.authorize(name, under=above or None)
        internal |= {above} - {""}
        leaves = count - len(internal)
        tokens = len(owner.query(age=1))
        assert tokens == 1 + len(internal) == count - leaves + 1
    assert len(set(owner.query(age=1).groups)) == 4


def test_mopse_of_one_level_needs_one_token_whatever_the_number_of_providers():
    owner = Owner.generate(Schema(age=Field(0, 9)))
    providers = [owner.authorize(f"provider {number}") for number in range(20)]
    assert len(owner.query(age=1)) == 1
    assert all(len(provider.query(age=1)) == 1 for provider in providers)


def test_user_opens_what_was_granted(story):
    query = story.owner.query(age=(30, 50), bmi=(20, 30))
    answer = story.cloud.search(query)
    expected = matching(story.everything(), age=(30, 50), bmi=(20, 30))

    reader = User(SCHEMA, [story.owner.grant(name) for name in story.providers])
    assert_same_records(reader.decrypt(answer, query), expected)

    few = expected.filter(pl.col("provider") == WARD)["record_id"].head(3).to_list()
    grants = [story.owner.grant(name, ids=[]) for name in story.providers if name != WARD]
    grants.append(story.providers["provider-1"].grant(few, provider=WARD))
    found = User(SCHEMA, grants).decrypt(answer, query)
    assert_same_records(
        found, expected.filter(pl.col("record_id").is_in(few), pl.col("provider") == WARD)
    )

    with pytest.raises(ScopeError, match="has granted nothing"):
        User(SCHEMA, [story.owner.grant(WARD)]).decrypt(answer, query)


def test_a_grant_of_some_records_opens_no_other():
    story = SmallStory()
    grant = story.provider.grant(["b"])
    query = story.owner.query(age=(0, 99))
    found = User(story.owner.schema, [grant]).decrypt(story.cloud.search(query), query)
    assert found["id"].to_list() == ["b"]


def test_several_grants_of_one_provider_add_up():
    story = SmallStory()
    query = story.owner.query(age=(0, 99))
    answer = story.cloud.search(query)
    grants = [story.owner.grant("a", ids=[name]) for name in ("a", "c")]
    found = User(story.owner.schema, grants).decrypt(answer, query)
    assert sorted(found["id"]) == ["a", "c"]
    found = User(story.owner.schema, [*grants, story.owner.grant("a")]).decrypt(answer, query)
    assert sorted(found["id"]) == ["a", "b", "c"]


class SmallStory(Scene):
    """One provider with three records."""

    def __init__(self, cloud: Cloud | None = None) -> None:
        super().__init__(Schema(age=Field(0, 99, cell=4)), "a", cloud=cloud)
        self.provider = self["a"]
        self.table = pl.DataFrame({"id": ["a", "b", "c"], "age": [5, 6, 70]})
        self.upload = self.send("a", self.table)


# Over time


def test_removed_provider_is_found_no_more():
    story = Story()
    ranges = {"age": (20, 70)}
    removed = story.tables.pop("provider-3")
    assert story.cloud.remove("provider-3") == removed.height
    query = story.owner.query(**ranges)
    found = story.owner.decrypt(story.cloud.search(query), query)
    assert_same_records(found, matching(story.everything(), **ranges))
    gone = story.providers["provider-3"]
    assert gone.ask(story.cloud, **ranges).is_empty()
    assert story.cloud.remove(WARD) == story.tables.pop(WARD).height
    found = story.owner.decrypt(story.cloud.search(query), query)
    assert_same_records(found, matching(story.everything(), **ranges))


def test_later_uploads_are_merged_with_earlier_ones():
    scene = Scene(SCHEMA, "a")
    for start in range(0, 1000, 250):
        scene.send("a", PEOPLE[start : start + 250], id="record_id")
        found = scene.ask(scene.owner, age=(20, 40))
        so_far = PEOPLE[: start + 250].with_columns(provider=pl.lit("a"))
        assert_same_records(found, matching(so_far, age=(20, 40)))


def test_after_a_revocation_both_epochs_answer_and_who_left_gets_nothing_new():
    scene = Scene(Schema(age=Field(0, 99)), "a", "b", "a/ward")
    owner, cloud = scene.owner, scene.cloud
    stays, leaves, ward = scene.providers.values()
    for number, path in enumerate(scene.providers, start=1):
        scene.send(path, {"id": [number], "age": [40]})
    owner.revoke("b")
    scene.enroll()
    for provider in (stays, leaves, ward):
        with pytest.raises(ScopeError, match="epoch"):
            cloud.receive(provider.encrypt({"id": [9], "age": [40]}, id="id"))

    assert owner.providers == ["a", "a/ward"]
    renewed, _ = scene.authorize("a"), scene.authorize("a/ward")
    scene.send("a", {"id": [4], "age": [40]})
    scene.send("a/ward", {"id": [5], "age": [41]})
    query = owner.query(age=(40, 41))
    assert len(query) == len(owner.groups) == 4
    assert sorted(owner.decrypt(cloud.search(query), query)["id"]) == [1, 2, 3, 4, 5]

    def seen(provider: Provider) -> list[int]:
        return sorted(scene.ask(provider, age=(40, 41))["id"])

    assert seen(renewed) == [1, 3, 4, 5], "it keeps the keys of its earlier epoch"
    for provider in (stays, leaves, ward):
        with pytest.raises(ScopeError, match="epoch"):
            seen(provider)
    answer = cloud.search(query)
    for grant in (stays.grant(), leaves.grant()):
        with pytest.raises(ScopeError):
            User(owner.schema, [grant]).decrypt(answer, query)

    assert cloud.remove("b") == 1
    assert sorted(owner.decrypt(cloud.search(query), query)["id"]) == [1, 3, 4, 5]


def test_a_revocation_below_a_provider_leaves_the_groups_above_as_they_are():
    scene = Scene(Schema(age=Field(0, 99)), "hospital", "other", "hospital/ward")
    scene.owner.revoke("hospital/ward")
    scene.enroll()
    scene.send(["hospital", "other"], {"id": [1], "age": [40]})
    renewed = scene.authorize("hospital")  # knows of the new epoch, with the same keys
    ward = renewed.authorize("second ward")
    scene.owner.learn(ward.public)
    scene.cloud.receive(ward.encrypt({"id": [1], "age": [40]}, id="id"))
    assert scene.ask(scene.owner, age=40).height == 3
    assert scene.ask(renewed, age=40).height == 2


def test_a_provider_authorises_others_and_the_owner_learns_of_them():
    scene = Scene(Schema(age=Field(0, 99)), "hospital")
    owner, hospital = scene.owner, scene["hospital"]
    ward = hospital.authorize("ward")
    physician = hospital.authorize("physician", under="ward")
    for number, provider in enumerate([hospital, ward, physician]):
        scene.cloud.receive(provider.encrypt({"id": [number], "age": [40]}, id="id"))
    assert hospital.providers == ["hospital/ward", "hospital/ward/physician"]
    assert scene.ask(hospital, age=40).height == 3
    assert scene.ask(ward, age=40).height == scene.ask(owner, age=40).height == 1
    owner.learn(ward.public)
    owner.learn(physician.public)
    assert owner.providers == ["hospital", *hospital.providers]
    assert scene.ask(owner, age=40).height == 3
    scene.cloud.enroll(hospital.announcements)
    assert ward.catch_up(scene.cloud)
    assert scene.ask(ward, age=40).height == 2
    scene.enroll()
    for party in (owner, hospital, ward, physician):
        party.catch_up(scene.cloud)
    assert [scene.ask(party, age=40).height for party in (owner, hospital, ward)] == [3, 3, 2]


def test_owner_and_provider_carry_on_after_they_were_saved(tmp_path):
    story = Story()
    query = story.owner.query(age=(30, 50))
    story.owner.save(tmp_path / "owner", PASSWORD)
    story.providers["provider-1"].save(tmp_path / "provider", PASSWORD.encode())
    story.providers["provider-1"].save(tmp_path / "provider", PASSWORD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["owner", "provider"]
    assert (tmp_path / "owner").stat().st_mode & 0o777 == 0o600

    owner = Owner.open(tmp_path / "owner", PASSWORD)
    provider = Provider.open(str(tmp_path / "provider"), PASSWORD)
    assert owner.schema == story.owner.schema
    assert owner.schema.digest == story.owner.schema.digest
    assert owner.providers == story.owner.providers
    assert provider.path == "provider-1"
    assert provider.providers == story.providers["provider-1"].providers

    expected = matching(story.everything(), age=(30, 50))
    assert_same_records(owner.decrypt(story.cloud.search(query), query), expected)
    assert_same_records(owner.ask(story.cloud, age=(30, 50)), expected)

    later = PEOPLE.head(5).with_columns(record_id=pl.Series(range(5)))
    story.cloud.receive(provider.encrypt(later, id="record_id"))
    expected = matching(
        story.everything("provider-1", WARD, PHYSICIAN).extend(
            later.with_columns(provider=pl.lit("provider-1"))
        ),
        age=(10, 60),
    )
    found = provider.ask(story.cloud, age=(10, 60))
    assert_same_records(found, expected)
    again = owner.authorize("provider-2")
    assert again.path == "provider-2"
    assert (again.handles([5]) == story.providers["provider-2"].handles([5])).all()


def test_two_owners_on_one_cloud_stay_apart():
    first = SmallStory()
    second = SmallStory(cloud=first.cloud)
    for story in (first, second):
        query = story.owner.query(age=(0, 50))
        assert story.cloud.count(query) == 2
        found = story.owner.decrypt(story.cloud.search(query), query)
        assert found["id"].sort().to_list() == ["a", "b"]
    asked = second.owner.query(age=5)
    with pytest.raises(ScopeError, match="owner"):
        first.owner.decrypt(second.cloud.search(asked), asked)
    with pytest.raises(InvalidInputError, match="2 owners"):
        first.cloud.remove("a")
    assert first.cloud.remove("a", owner=first.owner.public) == 3
    assert first.cloud.count(first.owner.query(age=(0, 50))) == 0
    assert first.cloud.count(second.owner.query(age=(0, 50))) == 2


def test_a_query_expires():
    story = SmallStory()
    before = datetime.datetime.now(datetime.UTC)
    ends = story.owner.query(age=5).expires
    assert abs(ends - before - datetime.timedelta(hours=1)) < datetime.timedelta(minutes=1)
    late = story.owner.query(age=5, expires_in=datetime.timedelta(seconds=-2))
    for ask in (story.cloud.search, story.cloud.count):
        with pytest.raises(ExpiredError, match=r"^the query has expired$"):
            ask(late)


def test_a_query_can_be_repeated_until_it_expires():
    story = SmallStory()
    query = story.owner.query(age=5)
    assert [story.cloud.count(query) for _ in range(3)] == [2, 2, 2]


# What travels


def test_everything_travels_as_bytes(tmp_path):
    story = SmallStory()
    story.owner.save(tmp_path / "owner", PASSWORD)
    public, grant = story.owner.public, story.owner.grant("a")
    upload = bytes(story.upload)
    query = story.owner.query(age=(5, 9))

    cloud = Cloud()  # another process: it has bytes and nothing else
    cloud.enroll(public)
    cloud.receive(upload)
    asked = Query.from_bytes(bytes(query))
    assert bytes(asked) == bytes(query)
    assert asked.groups == query.groups
    assert asked.expires == query.expires
    assert cloud.count(asked) == cloud.count(bytes(query)) == 2
    answered = bytes(cloud.search(asked))

    answer = Answer.from_bytes(answered)
    assert bytes(answer) == answered
    assert len(answer) == 2
    assert answer.providers == {"a": 2}
    assert_frame_equal(
        story.owner.decrypt(answer, query).sort("id"),
        story.table.head(2).with_columns(provider=pl.lit("a")),
    )
    reopened = Owner.open(tmp_path / "owner", PASSWORD)
    assert reopened.decrypt(Answer.from_bytes(answered), query).height == 2
    user = User(Schema(age=Field(0, 99, cell=4)), [grant])
    assert user.decrypt(Answer.from_bytes(answered), query).height == 2


def test_upload_says_what_the_cloud_sees_of_it():
    story = SmallStory()
    upload = Upload(bytes(story.upload))
    assert (upload.provider, len(upload), upload.entries) == ("a", 3, {"age": 3})
    assert upload.nbytes == len(bytes(upload))


def test_the_clouds_copy_of_a_query_has_no_bounds_in_the_clear():
    story = SmallStory()
    query = Query.from_bytes(bytes(story.owner.query(age=(5, 9))))
    answer = story.cloud.search(query)
    for opener in (story.owner, User(story.owner.schema, [story.owner.grant("a")])):
        with pytest.raises(InvalidInputError, match="bounds"):
            opener.decrypt(answer, query)


def test_the_cloud_sees_no_plaintext_and_no_key():
    scene = Scene(SCHEMA, "provider-1", seed=5)
    upload = scene.send("provider-1", PEOPLE, id="record_id")
    query = scene.owner.query(age=(40, 60), general_health=("fair", "good"))
    root = hashlib.sha256(b"mopse insecure seed 5").digest()
    of_provider = reference.child(root, "node", b"provider-1")
    readers = reference_messages.readers_key(of_provider)
    assert readers in scene["provider-1"].grant()
    levels = ["excellent", "very good", "borderline", "non-Hispanic Black", "seen on ward"]
    # Eight letters and more: "sex" stands in two million random bytes every tenth time.
    unindexed = [name for name in PEOPLE.columns if name not in SCHEMA and len(name) >= 8]
    assert len(unindexed) > 5
    answer = scene.cloud.search(query)
    for seen in (scene.owner.public, bytes(upload), bytes(query), bytes(answer)):
        for secret in (root, of_provider, readers):
            assert secret not in seen
        for text in [*levels, *unindexed]:
            assert text.encode() not in seen
    floats = PEOPLE["weight"].drop_nulls().unique().to_list()
    assert not any(struct.pack("<d", value) in bytes(upload) for value in floats[:50])


def test_the_order_of_the_table_does_not_travel():
    story = SmallStory()
    turned = story.provider.encrypt(story.table.reverse(), id="id")
    assert run_of(turned, "age") == run_of(story.upload, "age")


def run_of(upload: Upload, field: str) -> bytes:
    """Return the bytes of a field's run, as it stands in the signed message."""
    message = bytes(upload)
    head = struct.pack("<Q", len(field)) + field.encode()
    start = message.index(head) + len(head)
    count = int.from_bytes(message[start : start + 8], "little")
    return message[start : start + 8 + 12 * count]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 9).flatmap(
        lambda cell: st.tuples(
            st.just(cell),
            st.lists(
                st.tuples(
                    st.integers(0, 6) | st.none(),
                    st.integers(0, cell - 1),
                    st.integers(0, cell - 1),
                ),
                min_size=1,
                max_size=20,
            ),
        )
    )
)
def test_tables_that_differ_within_cells_have_the_same_runs(case):
    cell, rows = case
    owner = Owner.from_insecure_seed(Schema(x=Field(0, 7 * cell - 1, cell=cell)), 1)
    provider = owner.authorize("a")
    runs = []
    for place in (1, 2):
        values = [None if row[0] is None else cell * row[0] + row[place] for row in rows]
        table = pl.DataFrame({"id": range(len(rows)), "x": pl.Series(values, dtype=pl.Int64)})
        runs.append(run_of(provider.encrypt(table, id="id"), "x"))
    assert runs[0] == runs[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 9))
def test_bounds_that_share_their_cells_make_the_same_predicates(low, more, cell):
    owner = Owner.from_insecure_seed(Schema(x=Field(0, 199, cell=cell)), 1)
    owner.authorize("a")

    def bounds(low: int, high: int) -> list:
        return owner.query(x=(low, high)).bounds

    first, last = low // cell * cell, min((low + more) // cell * cell + cell - 1, 199)
    assert bounds(low, low + more) == bounds(first, last)


# Tables of other kinds

ODD = pl.DataFrame(
    {
        "id": ["", "a/b", "ünï", "a", " "],
        "x": pl.Series([1, None, 3, 4, 5], dtype=pl.UInt8),
        "i64": pl.Series([-(2**63), 2**63 - 1, None, 0, 1], dtype=pl.Int64),
        "u64": pl.Series([2**64 - 1, None, 0, 1, 2], dtype=pl.UInt64),
        "f32": pl.Series([0.1, None, math.inf, -0.0, 1e-40], dtype=pl.Float32),
        "f64": pl.Series([0.1, None, -math.inf, -0.0, 5e-324], dtype=pl.Float64),
        "flag": [True, False, None, True, False],
        "text": ["", None, "\x00\n", "naïve 🩺", " "],
        "level": pl.Series(["b", None, "a", "a", "b"], dtype=pl.Enum(["b", "a", ""])),
        "category": pl.Series(["y", None, "x", "x", "y"], dtype=pl.Categorical),
        "day": [datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31), BIRTH, BIRTH],
        "moment": pl.Series([0, None, -1, 2**60, 1], dtype=pl.Datetime("ns", "Europe/Berlin")),
        "naive": pl.Series([0, None, -1, 2**50, 1], dtype=pl.Datetime("us")),
        "while": pl.Series([0, None, -1, 2**40, 1], dtype=pl.Duration("ms")),
        "clock": [datetime.time(0), None, datetime.time(23, 59, 59, 999999)] + [None] * 2,
        "nothing": pl.Series([None] * 5, dtype=pl.Int16),
    }
)


@pytest.mark.parametrize("rows", [ODD, ODD[:1], ODD[1:2]])
def test_records_come_back_with_values_types_and_nulls(rows):
    scene = Scene(Schema(i=Field(0, 9)), "a")
    table = rows.with_columns(i=pl.lit(1))
    scene.send("a", table)
    found = scene.ask(scene.owner, i=1)
    assert found.columns == [*table.columns, "provider"]
    assert_frame_equal(
        found.sort("id"), table.sort("id").with_columns(provider=pl.lit("a")), check_exact=True
    )


def test_not_a_number_in_a_column_that_is_not_indexed_comes_back():
    scene = Scene(Schema(i=Field(0, 9)), "a")
    scene.send("a", {"id": [1], "i": [1], "x": [math.nan]})
    assert math.isnan(scene.ask(scene.owner, i=1)["x"].item())


def kinds_of_table() -> dict:
    values = {"id": [1, 2, 3], "age": [5, 6, 70], "w": [1.5, 2.5, 3.5]}
    arrays = {name: np.array(column) for name, column in values.items()}
    return {
        "mapping of lists": values,
        "mapping of arrays": arrays,
        "lazy": pl.LazyFrame(values),
        "pandas": pd.DataFrame(values),
        "pandas with another index": pd.DataFrame(values, index=[7, 7, 9]),
        "Arrow": pa.table(values),
        "Arrow in chunks": pa.concat_tables([pa.table(values)[:1], pa.table(values)[1:]]),
        "Arrow batch": pa.RecordBatch.from_pydict(values),
        "Fortran order": pd.DataFrame(np.array([[1, 5], [2, 6], [3, 70]]), columns=["id", "age"]),
        "strided": {"id": np.arange(1, 7)[::2] // 2 + 1, "age": np.array([5, 0, 6, 0, 70])[::2]},
        "read-only": {name: np.frombuffer(a.tobytes(), a.dtype) for name, a in arrays.items()},
        "ids of 8 bits": {"id": np.array([1, 2, 3], np.int8), "age": [5, 6, 70]},
        "unsigned": {"id": np.array([1, 2, 3], np.uint64), "age": np.array([5, 6, 70], np.uint64)},
        "whole floats": {"id": [1, 2, 3], "age": [5.0, 6.0, 70.0]},
    }


@pytest.mark.parametrize("kind", kinds_of_table())
def test_tables_of_every_library_give_the_same_index(kind):
    scene = Scene(Schema(age=Field(0, 99)), "a", seed=1)
    plain = scene["a"].encrypt(pl.DataFrame({"id": [1, 2, 3], "age": [5, 6, 70]}), id="id")
    upload = scene.send("a", kinds_of_table()[kind])
    assert run_of(upload, "age") == run_of(plain, "age")
    found = scene.ask(scene.owner, age=(0, 6))
    assert found.sort("id")["age"].cast(int).to_list() == [5, 6]


def test_tables_with_different_columns_are_answered_side_by_side():
    scene = Scene(Schema(age=Field(0, 99)), "a", "b")
    scene.send("a", {"id": [1], "age": [5], "note": ["x"]})
    scene.send("b", {"number": ["one"], "age": [5.0], "w": [1.5]}, id="number")
    found = scene.ask(scene.owner, age=5).sort("provider")
    assert found.select("provider", "age", "note", "w").rows() == [
        ("a", 5, "x", None),
        ("b", 5, None, 1.5),
    ]


def test_ids_of_one_provider_are_its_own_affair():
    scene = Scene(Schema(age=Field(0, 99)), "a", "b")
    scene.send(["a", "b"], {"id": ["x"], "age": [5]})
    assert scene.ask(scene.owner, age=5).height == 2


# Laws

VALUES = {
    "narrow": st.integers(0, 8),
    "wide": st.integers(-5, 25).map(lambda step: step / 4),
    "level": st.sampled_from(["low", "middle", "high"]),
    "day": st.dates(datetime.date(1969, 12, 28), datetime.date(1970, 1, 5)),
    "flag": st.booleans(),
}
LAW_SCHEMA = Schema(
    narrow=Field(0, 8),
    wide=Field(-1.25, 6.25, step=0.25, cell=4),
    level=Field.categories(["low", "middle", "high"], cell=2),
    day=Field(datetime.date(1969, 12, 28), datetime.date(1970, 1, 5), cell=3),
    flag=Field.boolean(),
)
DTYPES = {
    "narrow": pl.Int64,
    "wide": pl.Float64,
    "level": pl.Enum(["low", "middle", "high"]),
    "day": pl.Date,
    "flag": pl.Boolean,
}
ROWS = st.lists(st.fixed_dictionaries({n: v | st.none() for n, v in VALUES.items()}), max_size=25)


@st.composite
def ranges_of_fields(draw: st.DrawFn) -> dict:
    ranges = {}
    for name in draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3, unique=True)):
        bounds = [draw(VALUES[name]) for _ in range(2)]
        low, high = sorted(bounds, key=["low", "middle", "high"].index if name == "level" else None)
        ranges[name] = draw(st.sampled_from([(low, high), (low, None), (None, high), (None, None)]))
    return ranges


def holds(row: dict, ranges: dict) -> bool:
    """Say whether a row matches, by the definition."""

    def rank(name: str, value: object) -> object:
        return ["low", "middle", "high"].index(value) if name == "level" else value

    return all(
        row[name] is not None
        and (low is None or rank(name, low) <= rank(name, row[name]))
        and (high is None or rank(name, row[name]) <= rank(name, high))
        for name, (low, high) in ranges.items()
    )


@settings(max_examples=80, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4), ranges_of_fields())
def test_any_range_of_any_tables_is_answered_like_the_plaintext(tables, ranges):
    scene = Scene(LAW_SCHEMA, seed=7)
    expected = []
    for path, rows in zip(["p0", "p1", "p2", "p1/p3"], tables, strict=False):
        scene.authorize(path)
        expected += [(path, i) for i, row in enumerate(rows) if holds(row, ranges)]
        if rows:
            columns = {n: pl.Series([row[n] for row in rows], dtype=DTYPES[n]) for n in VALUES}
            table = pl.DataFrame({"id": range(len(rows)), **columns})
            scene.send(path, table)
    scene.enroll()
    query = scene.owner.query(**ranges)
    answer = scene.cloud.search(query)
    found = scene.owner.decrypt(answer, query)
    got = [] if found.is_empty() else sorted(found.select("provider", "id").rows())
    assert got == sorted(expected)
    assert answer.excess == scene.cloud.count(query) - len(expected)


def test_the_excess_of_a_query_is_that_of_the_answer_decrypted_last():
    story = SmallStory()
    query = story.owner.query(age=5)
    answer = story.cloud.search(query)
    assert story.owner.decrypt(answer, query)["id"].to_list() == ["a"]
    assert answer.excess == 1


def test_a_changed_record_is_named_and_nothing_more():
    story = SmallStory()
    query = story.owner.query(age=(0, 99))
    answer = bytearray(bytes(story.cloud.search(query)))
    answer[-8 - 40] ^= 1  # before the number of removed records, and the tags of the last record
    with pytest.raises(DecryptionError, match=r"provider 'a': record 2 does not open"):
        story.owner.decrypt(Answer.from_bytes(bytes(answer)), query)


def test_the_demonstration_shows_all_it_says(tmp_path, capsys):
    pytest.importorskip("duckdb", reason="the cloud is in memory without it")
    for again in (False, True):
        figure = tmp_path / f"figure-{again}.svg"
        main(["demo", "--figure", str(figure), "--store", str(tmp_path / "store")])
        said = capsys.readouterr().out
        assert "the same" in said
        assert "A query with one bit changed is refused" in said
        assert figure.read_text().startswith("<svg")
        assert ("An earlier run has sent all of it" in said) == again
        assert ("Each encrypted its part" in said) != again
        assert "records=8366" in said


def test_the_demonstration_runs_in_memory_where_duckdb_is_not(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    main(["demo", "--figure", str(tmp_path / "figure.svg"), "--store", str(tmp_path / "store")])
    said = capsys.readouterr().out
    assert "Without DuckDB (pip install 'mopse[duckdb]') the cloud is in memory." in said
    assert "the same" in said
    assert not (tmp_path / "store").exists()


def test_messages_are_pickled_and_copied_as_what_travels():
    scene = Scene(Schema(age=Field(0, 120)), "hospital", seed=3)
    upload = scene.send("hospital", pl.DataFrame({"id": [1, 2], "age": [30, 50]}))
    query = scene.owner.query(age=(25, 40))
    answer = scene.cloud.search(query)
    file = scene["hospital"].attach(1, b"x", name="n", media_type="text/plain", keywords=["k"])
    scene.cloud.receive(file)
    request = scene.owner.find("k")
    listing = scene.cloud.find(request)
    sealed = scene.cloud.fetch(scene.owner.fetch(file.file))
    notes = scene.cloud.notes(scene["hospital"].request_notes())
    for message in (upload, query, answer, file, request, listing, sealed, notes):
        for again in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
            assert type(again) is type(message)
            assert bytes(again) == bytes(message)
    assert query.groups, "a query that was looked into is pickled too"
    with pytest.raises(InvalidInputError, match="query"):  # the bounds stayed with who asked
        Owner.from_insecure_seed(scene.schema, 3).decrypt(answer, pickle.loads(pickle.dumps(query)))
