"""Portions of records, what a grant of some opens, and what a reader who has left opens no more."""

import datetime
import time

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scene import Scene

from mopse import Cloud, Field, Owner, Provider, Schema, User
from mopse.errors import (
    ExpiredError,
    InvalidInputError,
    MopseError,
    ScopeError,
    WrongTypeError,
)

PORTIONS = {
    "clinical": ["age", "diagnosis"],
    "billing": ["insurer", "age"],
    "research": ["decade"],
    "unused": ["no such column"],
}
SCHEMA = Schema(age=Field(0, 99, cell=10), weight=Field(0, 300), portions=PORTIONS)
TABLE = pl.DataFrame(
    {
        "id": [3, 1, 2],
        "age": [41, 48, 70],
        "diagnosis": ["flu", None, "cold"],
        "insurer": ["X", "Y", "Z"],
        "decade": [40, 40, 70],
        "weight": [70, 80, 90],
        "note": ["a", "b", "c"],
    }
)
OF_PORTION = {
    "clinical": ["age", "diagnosis"],
    "billing": ["age", "insurer"],
    "research": ["decade"],
    "rest": ["id", "weight", "note"],
}


class Hospital(Scene):
    """A hospital and a clinic that have stored three records each."""

    def __init__(self) -> None:
        super().__init__(SCHEMA, "hospital", "clinic")
        self.send(["hospital", "clinic"], TABLE)
        self.query = self.owner.query(age=(40, 45))
        self.answer = self.cloud.search(self.query)

    def read(self, *grants: bytes) -> pl.DataFrame:
        """Return what a user with some grants reads of the hospital."""
        records, faults = User(SCHEMA, grants).decrypt(self.answer, self.query, faults="report")
        assert set(faults["provider"]) <= {"clinic"}
        return records


@pytest.fixture(scope="module")
def scene() -> Hospital:
    return Hospital()


# A grant of some portions


def test_whoever_holds_the_keys_opens_all_columns_in_their_order(scene):
    found = scene.owner.decrypt(scene.answer, scene.query).filter(provider="hospital")
    assert found.columns == [*TABLE.columns, "provider"]
    assert_frame_equal(found.drop("provider"), TABLE[:1])
    assert (scene.answer.unchecked, scene.answer.excess) == ((), 2)
    assert scene["hospital"].ask(scene.cloud, age=(0, 99)).height == 3


def test_a_grant_of_all_opens_what_the_owner_opens(scene):
    found = scene.read(scene.owner.grant("hospital"))
    assert_frame_equal(found.drop("provider"), TABLE[:1])


@pytest.mark.parametrize("portion", OF_PORTION)
def test_a_grant_of_one_portion_opens_its_columns_and_no_other(scene, portion):
    found = scene.read(scene.owner.grant("hospital", portions=[portion]))
    columns = OF_PORTION[portion]
    assert sorted(found.columns) == sorted([*columns, "provider"])
    is_checked = "age" in columns
    assert scene.answer.unchecked == (() if is_checked else ("age",))
    # Both records of the cell are there where it is not known which one matches.
    expected = TABLE[:1] if is_checked else TABLE[:2]
    assert_frame_equal(found.select(columns).sort(columns), expected.select(columns).sort(columns))


def test_grants_of_several_portions_add_up(scene):
    grants = [scene.owner.grant("hospital", portions=[name]) for name in ("rest", "clinical")]
    one = scene.owner.grant("hospital", portions=["clinical", "rest"])
    for given in (grants, grants[::-1], [one], [one, *grants]):
        found = scene.read(*given)
        columns = ["id", "age", "diagnosis", "weight", "note"]
        assert_frame_equal(found.select(columns), TABLE[:1].select(columns))


def test_a_grant_of_nothing_that_is_there_opens_nothing(scene):
    for name in ("unused", "files"):
        assert scene.read(scene.owner.grant("hospital", portions=[name])).is_empty()


def test_a_grant_of_some_records_of_one_portion_opens_these(scene):
    grant = scene.owner.grant("hospital", ids=[1, 2], portions=["research"])
    found = scene.read(grant)
    assert found.drop("provider").rows() == [(40,)], "record 2 is not in the answer"
    both = scene.read(grant, scene.owner.grant("hospital", ids=[3], portions=["rest"]))
    rows = both.sort("id", nulls_last=True).select("id", "note", "decade").rows()
    assert rows == [(3, "a", None), (None, None, 40)]


def test_a_grant_of_some_records_opens_all_their_portions(scene):
    found = scene.read(scene.owner.grant("hospital", ids=[3]))
    assert_frame_equal(found.drop("provider"), TABLE[:1], check_column_order=False)
    assert scene.read(scene.owner.grant("hospital", ids=[2])).is_empty()


def test_two_fields_may_be_unchecked_one_by_one(scene):
    query = scene.owner.query(age=(40, 45), weight=(0, 75))
    answer = scene.cloud.search(query)

    def unchecked(*portions: str) -> tuple[str, ...]:
        grant = scene.owner.grant("hospital", portions=portions)
        User(SCHEMA, [grant]).decrypt(answer, query, faults="report")
        return answer.unchecked

    assert unchecked("clinical", "rest") == ()
    assert unchecked("clinical") == ("weight",)
    assert unchecked("rest") == ("age",)
    assert unchecked("research") == ("age", "weight")


def test_a_portion_opens_no_other(scene):
    """Keys of portions are apart: a grant of one whose name is changed opens nothing."""
    grant = scene.owner.grant("hospital", portions=["research"])
    assert grant.count(b"research") == 1
    with pytest.raises(MopseError):
        User(SCHEMA, [grant.replace(b"research", b"clinical")])


# Portions and the schema


def test_portions_change_no_digest_and_no_index(tmp_path):
    plain = Schema(age=Field(0, 99, cell=10), weight=Field(0, 300))
    assert plain == SCHEMA
    assert plain.digest == SCHEMA.digest
    assert dict(plain.portions) == {}
    owner = Owner.generate(SCHEMA)
    owner.save(tmp_path / "owner", "password")
    again = Owner.open(tmp_path / "owner", "password", schema=SCHEMA)
    assert dict(again.schema.portions) == {name: tuple(of) for name, of in PORTIONS.items()}
    assert eval(repr(SCHEMA), {"Schema": Schema, "Field": Field}).portions == SCHEMA.portions


def test_what_was_sealed_before_there_were_portions_is_opened_beside_it():
    owner = Owner.from_insecure_seed(Schema(age=Field(0, 99, cell=10), weight=Field(0, 300)), 5)
    scene = Scene(owner.schema, "hospital", owner=owner)
    scene.send("hospital", TABLE[:1])
    later = Owner.from_insecure_seed(SCHEMA, 5).authorize("hospital")
    later.catch_up(scene.cloud)
    scene.cloud.receive(later.encrypt(TABLE[1:], id="id"))
    assert sorted(scene.owner.ask(scene.cloud, age=(0, 99))["id"]) == [1, 2, 3]
    update = later.update(TABLE.with_columns(note=pl.lit("new")), id="id", cloud=scene.cloud)
    assert scene.cloud.receive(update).replaced == 3
    assert set(scene.owner.ask(scene.cloud, age=(0, 99))["note"]) == {"new"}


@pytest.mark.parametrize(
    "portions",
    [
        *({"": ["a"]}, {"rest": ["a"]}, {"files": ["a"]}, {"x" * 256: ["a"]}),
        {f"p{number}": ["a"] for number in range(63)},
    ],
    ids=["empty", "rest", "files", "long", "many"],
)
def test_portions_that_cannot_be_are_refused(portions):
    with pytest.raises(InvalidInputError):
        Schema(age=Field(0, 99), portions=portions)


@pytest.mark.parametrize("portions", [5, ["a"], {"a": "column"}, {"a": 5}, {"a": [5]}, {5: ["a"]}])
def test_portions_that_are_none_are_refused(portions):
    with pytest.raises(WrongTypeError):
        Schema(age=Field(0, 99), portions=portions)


@pytest.mark.parametrize("portions", [[], ["nothing"], "clinical", [5], 5, ["clinical", "x"]])
def test_portions_that_are_not_there_are_not_granted(scene, portions):
    for party in (scene.owner, scene["hospital"]):
        arguments = ("hospital",) if party is scene.owner else ()
        with pytest.raises(InvalidInputError, match="portion"):
            party.grant(*arguments, portions=portions)


# Readers who leave


def test_a_reader_who_left_opens_nothing_that_is_sealed_afterwards():
    scene = Hospital()
    leaver = scene.owner.grant("hospital")
    some = scene.owner.grant("hospital", ids=[1, 9], portions=["rest"])
    scene.owner.renew_readers()
    scene.enroll()
    late = TABLE[:1].with_columns(id=pl.lit(9))
    with pytest.raises(ScopeError, match="readers"):
        scene.cloud.receive(scene["hospital"].encrypt(late, id="id"))
    assert scene["hospital"].catch_up(scene.cloud)
    scene.send("hospital", late)
    update = TABLE[:1].with_columns(note=pl.lit("changed"))
    scene.cloud.receive(scene["hospital"].update(update, id="id", cloud=scene.cloud))

    query = scene.owner.query(age=(40, 99))
    answer = scene.cloud.search(query)

    def ids(*grants: bytes) -> list[int]:
        records, faults = User(SCHEMA, grants).decrypt(answer, query, faults="report")
        assert set(faults["provider"]) == {"clinic"}
        return sorted(records["id"]) if "id" in records.columns else []

    assert ids(leaver) == [1, 2], "what was sealed before stays readable, and nothing else"
    assert ids(some) == [1]
    assert ids(scene.owner.grant("hospital")) == [1, 2, 3, 9]
    assert ids(leaver, scene.owner.grant("hospital", ids=[9])) == [1, 2, 9]
    assert scene.owner.decrypt(answer, query).filter(provider="hospital").height == 4
    assert answer.left == {}, "the providers have not left"


def test_readers_of_a_group_below_leave_apart_from_those_above():
    scene = Scene(SCHEMA, "hospital", "hospital/ward")
    grants = [scene.owner.grant(path) for path in scene.providers]
    scene.owner.renew_readers("hospital")
    scene.enroll()
    scene.send("hospital", TABLE)
    with pytest.raises(ScopeError, match="readers"):
        scene.send("hospital/ward", TABLE)
    scene["hospital/ward"].catch_up(scene.cloud)
    scene.send("hospital/ward", TABLE)
    query = scene.owner.query(age=(0, 99))
    records = User(SCHEMA, grants).decrypt(scene.cloud.search(query), query)
    assert set(records["provider"]) == {"hospital"}
    assert records.height == 3


def test_a_provider_that_hears_nothing_goes_on_sealing_to_who_left():
    """It passes at a cloud that is not told either, as `renew_readers` says."""
    scene = Hospital()
    leaver = scene.owner.grant("hospital")
    scene.owner.renew_readers()
    scene.send("hospital", TABLE[:1].with_columns(id=pl.lit(9)))
    query = scene.owner.query(age=(40, 45))
    records, _ = User(SCHEMA, [leaver]).decrypt(scene.cloud.search(query), query, faults="report")
    assert sorted(records["id"]) == [3, 9]


def test_readers_epochs_of_two_copies_never_meet(tmp_path):
    owner = Owner.generate(SCHEMA)
    owner.authorize("hospital")
    owner.save(tmp_path / "owner", "password")
    copies = [Owner.open(tmp_path / "owner", "password", schema=SCHEMA) for _ in range(2)]
    for copy in copies:
        copy.renew_readers()
    first, other = (Scene(SCHEMA, "hospital", owner=copy) for copy in copies)
    first.send("hospital", TABLE)
    query = first.owner.query(age=(0, 99))
    answer = first.cloud.search(query)
    records = User(SCHEMA, [other.owner.grant("hospital")]).decrypt(answer, query)
    assert records.is_empty()
    assert other.owner.decrypt(answer, query).height == 3, "an owner has the keys of all epochs"


def test_whoever_renews_readers_of_nobody_is_refused():
    owner = Owner.generate(SCHEMA)
    for path in ("nobody", "", 5):
        with pytest.raises(InvalidInputError):
            owner.renew_readers(path)


# The end of a grant


def test_a_grant_ends(monkeypatch):
    scene = Hospital()
    grant = scene.owner.grant("hospital", expires_in=datetime.timedelta(hours=1))
    assert scene.read(grant).height == 1
    user = User(SCHEMA, [grant])
    now = time.time()
    records, faults = user.decrypt(scene.answer, scene.query, faults="report")
    assert (records.height, faults.height) == (1, 2), "the clinic granted nothing"
    monkeypatch.setattr(time, "time", lambda: now + 3602)
    message = "the grant of records of provider 'hospital' has expired"
    with pytest.raises(ExpiredError, match=f"^{message}$"):
        User(SCHEMA, [grant])
    own = scene["hospital"].query(age=(40, 45))
    for call in (
        lambda: user.decrypt(scene.cloud.search(own), own),
        lambda: user.ask(scene.cloud, own, by_provider=True),
    ):
        with pytest.raises(ExpiredError, match=f"^{message}$"):
            call()
    records, faults = user.decrypt(scene.answer, scene.query, faults="report")
    of_hospital = faults.filter(provider="hospital")
    assert records.is_empty()
    assert set(of_hospital["cause"]) == {message}
    assert of_hospital.height == 2
    renewed = scene.owner.grant("hospital", expires_in=datetime.timedelta(hours=1))
    assert User(SCHEMA, [renewed]).ask(scene.cloud, own).height == 1


def test_an_end_that_cannot_be_is_said_of_what_would_end():
    scene = Hospital()
    ages_ago = datetime.timedelta.min
    for call, what in (
        (lambda: scene.owner.grant("hospital", expires_in=ages_ago), "the grant"),
        (lambda: scene["hospital"].grant("hospital", expires_in=ages_ago), "the grant"),
        (lambda: scene.owner.query(age=1, expires_in=ages_ago), "the query"),
        (lambda: scene.owner.lookup([1], provider="clinic", expires_in=ages_ago), "the query"),
        (lambda: scene.owner.find("a", expires_in=ages_ago), "the request"),
        (lambda: scene.owner.files_of(scene.answer, expires_in=ages_ago), "the request"),
        (lambda: scene.owner.fetch("0" * 32, expires_in=ages_ago), "the request"),
        (lambda: scene["hospital"].request_notes(expires_in=ages_ago), "the request"),
    ):
        with pytest.raises(InvalidInputError, match=f"^{what} would expire before 1970$"):
            call()


def test_a_user_asks_a_cloud_with_the_query_it_was_given():
    scene = Hospital()
    user = User(SCHEMA, [scene.owner.grant(path) for path in scene.providers])
    query = scene.owner.query(age=(40, 45))
    assert user.ask(scene.cloud, query).height == 2
    apart = user.ask(scene.cloud, query, by_provider=True, faults="report")
    assert {path: frame.height for path, frame in apart.records.items()} == {
        "clinic": 1,
        "hospital": 1,
    }
    for wrong in (5, None, b"query", scene.answer):
        with pytest.raises(WrongTypeError):
            user.ask(scene.cloud, wrong)


def test_portions_are_saved_and_handed_on_with_keyrings(tmp_path):
    """Nobody seals a column where others read it because the schema was not given again."""
    schema = Schema(age=Field(0, 99), portions={"contact": ["phone"]})
    owner, cloud = Owner.generate(schema), Cloud()
    hospital, _ = owner.authorize("hospital"), owner.authorize("clinic")
    cloud.enroll(owner.public)
    owner.save(tmp_path / "owner", "password")
    hospital.save(tmp_path / "hospital", "password")
    owner = Owner.open(tmp_path / "owner", "password")
    hospital = Provider.open(tmp_path / "hospital", "password", schema=Schema(age=Field(0, 99)))
    assert owner.schema.portions == hospital.schema.portions == {"contact": ("phone",)}

    def seen() -> set[str]:
        user = User(schema, [owner.grant("hospital", portions=["rest"])])
        return set(user.ask(cloud, owner.query(age=(0, 99))).columns)

    rows = {"id": [1], "age": [41], "phone": ["0171 234"]}
    cloud.receive(hospital.encrypt(rows, id="id"))
    assert seen() == {"provider", "id", "age"}
    cloud.receive(hospital.update(rows, id="id", cloud=cloud))
    assert seen() == {"provider", "id", "age"}
    owner.revoke("clinic")
    cloud.enroll(owner.public)
    owner.authorize("hospital").renew(cloud)
    assert seen() == {"provider", "id", "age"}
    other = Schema(age=Field(0, 99), portions={"private": ["phone"]})
    assert Owner.open(tmp_path / "owner", "password", schema=other).schema.portions == {
        "private": ("phone",)
    }


def test_a_user_opens_what_was_granted_beside_what_was_deleted_in_another_epoch():
    schema = Schema(age=Field(0, 99))
    owner, cloud = Owner.generate(schema), Cloud()
    hospital, _ = owner.authorize("hospital"), owner.authorize("clinic")
    cloud.enroll(owner.public)
    cloud.receive(hospital.encrypt({"id": [1, 2], "age": [41, 42]}, id="id"))
    owner.revoke("clinic")
    cloud.enroll(owner.public)
    owner.authorize("hospital").renew(cloud)
    user = User(schema, [owner.grant("hospital")])
    found = user.ask(cloud, owner.lookup([1], provider="hospital"))
    assert found["age"].to_list() == [41]
