"""Users with keys of their own: what is shared with one, by whom it is opened, and who leaves."""

import copy
import datetime
import json
import pickle
import stat
import time
from typing import Any

import polars as pl
import pytest
from reference_sharing import VECTORS, X25519, X_WING, User, is_signed
from scene import Scene

import mopse
from mopse import Field, Schema
from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    InvalidInputError,
    MissingFileError,
    MopseError,
    OutdatedError,
    ScopeError,
    SignatureError,
    WrongPasswordError,
    WrongTypeError,
)

SCHEMA = Schema(age=Field(0, 99, proof=True), portions={"contact": ["name"]})
AGES = {"hospital": [41, 42, 70], "clinic": [43, 50], "hospital/ward": [44]}
ALL = [f"{path} {at}" for path, ages in AGES.items() for at in range(len(ages))]


def table(path: str, ages: list[int], first: int = 0) -> pl.DataFrame:
    """Return records of a provider, whose ids and names tell it."""
    ids = [f"{path} {first + at}" for at in range(len(ages))]
    return pl.DataFrame({"id": ids, "age": ages, "name": [f"name of {of}" for of in ids]})


@pytest.fixture
def scene() -> Scene:
    scene = Scene(SCHEMA, *AGES)
    for path, ages in AGES.items():
        scene.send(path, table(path, ages))
    return scene


def asked(scene: Scene, user: mopse.User, **ranges: Any) -> pl.DataFrame:
    """Return what a user finds of all that is granted to it, whatever else is there."""
    query = scene.owner.query(ranges or {"age": (0, 99)})
    found, _ = user.ask(scene.cloud, query, faults="report")
    return found


def ids(scene: Scene, user: mopse.User) -> list[str]:
    """Return the ids of what a user opens."""
    found = asked(scene, user)
    return sorted(found["id"]) if "id" in found.columns else []


@pytest.mark.parametrize("post_quantum", [False, True])
def test_a_user_opens_what_was_shared_with_it_and_nothing_else(scene, post_quantum):
    doctor = mopse.User.generate(post_quantum=post_quantum)
    assert ids_of_nothing(scene, doctor)
    doctor.accept(scene.owner.share(doctor.public, "hospital"))
    assert ids(scene, doctor) == ["hospital 0", "hospital 1", "hospital 2"]
    doctor.accept(scene["clinic"].share(doctor.public, ids=["clinic 1"]))
    assert ids(scene, doctor) == ["clinic 1", "hospital 0", "hospital 1", "hospital 2"]
    assert doctor.granted.drop("owner").rows() == [
        ("hospital", None, None, None, True),
        ("clinic", 1, ["contact", "files", "rest"], None, True),
    ]
    assert set(doctor.granted["owner"]) == {scene.owner.key}


def ids_of_nothing(scene: Scene, user: mopse.User) -> bool:
    """Say whether a user without grants is told that it has none."""
    with pytest.raises(ScopeError, match="nothing was granted by the owner"):
        asked(scene, user)
    return True


def test_a_portion_is_shared_alone(scene):
    doctor = mopse.User.generate()
    doctor.accept(scene.owner.share(doctor.public, "hospital", portions=["contact"]))
    found = asked(scene, doctor)
    assert found.columns == ["name", "provider"]
    assert sorted(found["name"]) == [f"name of hospital {at}" for at in range(3)]
    doctor.accept(scene.owner.share(doctor.public, "hospital", portions=["rest"]))
    assert {*asked(scene, doctor).columns} == {"id", "age", "name", "provider"}


def test_more_grants_never_open_fewer_records(scene):
    doctor = mopse.User.generate()
    doctor.accept(scene.owner.share(doctor.public, "hospital", portions=["contact"]))
    everybody = sorted(f"name of {one}" for one in ALL if one.startswith("hospital "))
    query = scene.owner.query(age=(0, 99))
    answer = scene.cloud.search(query)

    def names() -> list[str]:
        found, _ = doctor.decrypt(answer, query, faults="report")
        return sorted(found["name"])

    assert names() == everybody
    one = {"ids": ["hospital 1"], "portions": ["rest"]}
    doctor.accept(scene.owner.share(doctor.public, "hospital", **one))
    assert names() == everybody, "of two the column that was asked for is closed"
    assert answer.unchecked == ("age",)
    found, _ = doctor.decrypt(answer, query, faults="report")
    assert found["age"].drop_nulls().to_list() == [42]
    # Of the one that is open, what was asked for is checked.
    outside = mopse.Query._with_ranges(bytes(query), {"age": (43, 99)})
    found, _ = doctor.decrypt(answer, outside, faults="report")
    assert "name of hospital 1" not in found["name"]


def test_nobody_else_takes_or_opens_what_is_sealed_to_a_user(scene):
    doctor, other = mopse.User.generate(), mopse.User.generate()
    sealed = scene.owner.share(doctor.public, "hospital")
    with pytest.raises(ScopeError, match="for another user"):
        other.accept(sealed)
    for post_quantum in (False, True):
        with pytest.raises(ScopeError, match="for another user"):
            mopse.User.generate(post_quantum=post_quantum).accept(sealed)
    bearer = mopse.User(SCHEMA)
    for call in (lambda: bearer.accept(sealed), lambda: bearer.public, lambda: bearer.granted):
        with pytest.raises(InvalidInputError, match="has no keys of its own"):
            call()
    with pytest.raises(InvalidInputError, match="has no keys of its own"):
        bearer.save("nowhere", "password")
    with pytest.raises(DamagedFileError):
        mopse.User(SCHEMA, [sealed])


def test_several_owners_share_with_one_user(scene):
    other = Scene(Schema(sbp=Field(60, 260)), "hospital")
    other.send("hospital", pl.DataFrame({"id": [1, 2], "sbp": [120, 140]}))
    doctor = mopse.User.generate()
    doctor.accept(scene.owner.share(doctor.public, "hospital"))
    doctor.accept(other.owner.share(doctor.public, "hospital"))
    assert len(ids(scene, doctor)) == 3
    found = doctor.ask(other.cloud, other.owner.query(sbp=(130, 150)))
    assert found["id"].to_list() == [2]
    assert doctor.granted["owner"].to_list() == [scene.owner.key, other.owner.key]


def test_proofs_and_files_work_for_users_with_keys(scene):
    scene.cloud.receive(
        scene["hospital"].attach("hospital 0", b"text", name="a.txt", media_type="text/plain")
    )
    for path in AGES:
        scene.cloud.receive(scene[path].seal())
    doctor = mopse.User.generate()
    for path in AGES:
        doctor.accept(scene.owner.share(doctor.public, path))
    query = scene.owner.query(age=(40, 43))
    found = doctor.ask(scene.cloud, query, proof=True)
    assert sorted(found["id"]) == ["clinic 0", "hospital 0", "hospital 1"]
    assert doctor.seals[scene.owner.key]["hospital"][0] == 1
    request = scene.owner.files_of(scene.cloud.search(scene.owner.query(age=(41, 41))))
    [row] = doctor.files(scene.cloud.find(request), request).rows(named=True)
    assert row["name"] == "a.txt"


# What was changed, is forged, late, or for nobody


def test_what_was_changed_or_cut_is_refused(scene):
    doctor = mopse.User.generate()
    sealed, public = scene.owner.share(doctor.public, "clinic"), doctor.public
    for at in range(0, len(sealed), 3):
        changed = bytearray(sealed)
        changed[at] ^= 4
        for message in (bytes(changed), sealed[:at]):
            with pytest.raises((DamagedFileError, DecryptionError, ScopeError, SignatureError)):
                doctor.accept(message)
    for at in range(len(public)):
        changed = bytearray(public)
        changed[at] ^= 4
        for message in (bytes(changed), public[:at]):
            with pytest.raises((DamagedFileError, SignatureError)):
                scene.owner.share(message, "hospital")
    assert doctor.granted.is_empty()
    assert scene.owner.shared.height == 1


def test_what_is_given_again_takes_the_place_of_what_was_as_long(scene, monkeypatch):
    doctor, leaver = mopse.User.generate(), mopse.User.generate()
    hour = datetime.timedelta(hours=1)

    def accept(provider, ids=None, **more):
        doctor.accept(scene.owner.share(doctor.public, provider, ids, **more))

    def current():
        return doctor.granted["is_current"].to_list()

    accept("hospital")
    accept("hospital", portions=["rest"])  # another scope
    accept("clinic", expires_in=hour)
    accept("clinic", expires_in=hour / 2)  # the longer one is not taken back by it
    accept("clinic", ["clinic 1"])
    accept("clinic", ["clinic 0"])
    assert current() == [True] * 6
    scene.owner.share(leaver.public, "hospital")
    for sealed in scene.owner.unshare(leaver.public)[doctor.public]:
        doctor.accept(sealed)
    granted = doctor.granted
    # Of grants of single records it is not known which are of the same ones.
    newest = granted.filter("is_current", pl.col("records").is_null())
    scopes = newest.select("provider", pl.col("portions").list.join(" "))
    assert scopes.filter(pl.col("provider") == "hospital").is_duplicated().sum() == 0
    assert granted.filter(pl.col("provider") == "hospital").height == 4
    assert newest.filter(pl.col("provider") == "hospital").height == 2
    kept = doctor.granted.filter("is_current", pl.col("ends").is_not_null()).height
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3700)
    late = doctor.granted
    assert (kept, late.filter("is_current", pl.col("ends").is_not_null()).height) == (2, 0)
    assert late.drop("is_current").equals(granted.drop("is_current"))


def test_a_query_from_before_somebody_left_says_what_a_user_does(scene):
    doctor, leaver = mopse.User.generate(), mopse.User.generate()
    for user in (doctor, leaver):
        user.accept(scene.owner.share(user.public, "hospital"))
    query = scene.owner.query(age=(0, 99))
    scene.owner.unshare(leaver.public)
    scene.cloud.enroll(scene.owner.public)
    with pytest.raises(OutdatedError, match=r"the query is older .* whoever made it for a new one"):
        doctor.ask(scene.cloud, query)


def test_a_grant_that_has_ended_is_not_taken_and_one_that_ends_is_closed(scene, monkeypatch):
    doctor = mopse.User.generate()
    hour = datetime.timedelta(hours=1)
    with pytest.raises(ExpiredError, match="hospital"):
        doctor.accept(scene.owner.share(doctor.public, "hospital", expires_in=-hour))
    doctor.accept(scene.owner.share(doctor.public, "hospital", expires_in=hour))
    assert ids(scene, doctor) == ["hospital 0", "hospital 1", "hospital 2"]
    [ends] = doctor.granted["ends"]
    assert abs(ends - datetime.datetime.now(datetime.UTC) - hour) < datetime.timedelta(minutes=1)
    query, now = scene.owner.query(age=(0, 99)), time.time
    answer = scene.cloud.search(query)
    monkeypatch.setattr(time, "time", lambda: now() + 3700)
    with pytest.raises(ExpiredError):
        doctor.decrypt(answer, query)


def test_what_nobody_can_be_given_is_refused_and_not_remembered(scene):
    doctor = mopse.User.generate()
    hospital = scene["hospital"]
    for share, error, words in [
        (lambda: scene.owner.share(doctor.public), InvalidInputError, "whose records"),
        (lambda: scene.owner.share(doctor.public, "nobody"), InvalidInputError, "nobody"),
        (lambda: hospital.share(doctor.public, "clinic"), InvalidInputError, "clinic"),
        (
            lambda: hospital.share(doctor.public, portions=["none"]),
            InvalidInputError,
            "no portion 'none'",
        ),
        (lambda: hospital.share(doctor.public, ids=[1.5]), WrongTypeError, "ids"),
        (
            lambda: hospital.share(doctor.public, expires_in=datetime.timedelta.max),
            InvalidInputError,
            "after the year 9999",
        ),
        (lambda: hospital.share(doctor.public, ids=[None]), MopseError, "null|ids"),
        (lambda: hospital.share(doctor, ids=["a"]), WrongTypeError, "public keys"),
        (lambda: hospital.share(b"", ids=["a"]), DamagedFileError, "public keys"),
        (lambda: scene.owner.unshare(doctor.public), InvalidInputError, "nothing is shared"),
    ]:
        with pytest.raises(error, match=words):
            share()
    assert scene.owner.shared.is_empty()
    assert hospital.shared.is_empty()


# Who leaves, and who stays


def test_who_leaves_opens_nothing_sealed_from_then_on_and_who_stays_does(scene):
    leaver, stayer = mopse.User.generate(), mopse.User.generate()
    for user in (leaver, stayer):
        user.accept(scene.owner.share(user.public, "hospital"))
    before = ids(scene, leaver)
    anew = scene.owner.unshare(leaver.public)
    assert list(anew) == [stayer.public]
    scene.enroll()
    for path in AGES:
        scene[path].catch_up(scene.cloud)
    scene.send("hospital", table("hospital", [45], first=9))
    assert ids(scene, leaver) == before, "what was granted before stays readable"
    assert ids(scene, stayer) == before
    query = scene.owner.query(age=(45, 45))
    answer = scene.cloud.search(query)
    assert stayer.decrypt(answer, query).is_empty()
    assert answer.closed == {"hospital": 1}, "it is told that there is more"
    for sealed in anew[stayer.public]:
        stayer.accept(sealed)
        with pytest.raises(ScopeError):
            leaver.accept(sealed)
    assert ids(scene, stayer) == sorted([*before, "hospital 9"])
    assert scene.owner.shared["user"].n_unique() == 1
    assert stayer.decrypt(answer, query)["id"].to_list() == ["hospital 9"]
    assert answer.closed == {}
    again = scene.owner.unshare(leaver.public)
    assert list(again) == [stayer.public], "given again it serves who stays again"


def test_what_is_not_current_is_named_and_given_to_nobody_anew(scene):
    one, two = mopse.User.generate(), mopse.User.generate()
    for user in (one, two):
        scene.owner.share(user.public, "clinic")
    assert scene.owner.shared["is_current"].to_list() == [True, True]
    scene.owner.renew_readers()
    assert scene.owner.shared["is_current"].to_list() == [False, False]
    assert scene.owner.unshare(one.public) == {}
    two.accept(scene.owner.share(two.public, "clinic"))
    assert scene.owner.shared["is_current"].to_list() == [True]


def test_an_owner_remembers_with_whom_it_shares_when_it_is_opened_again(scene, tmp_path):
    doctor, nurse = mopse.User.generate(), mopse.User.generate(post_quantum=True)
    day = datetime.timedelta(days=1)
    scene.owner.share(doctor.public, "hospital", ids=["hospital 1"], portions=["rest"])
    scene.owner.share(nurse.public, "clinic", expires_in=day)
    scene.owner.share(nurse.public, "clinic", expires_in=-day)
    scene.owner.save(tmp_path / "owner.keyring", "password")
    again = mopse.Owner.open(tmp_path / "owner.keyring", "password")
    assert again.shared.equals(scene.owner.shared)
    assert again.shared["records"].to_list().count(1) == 1
    [(public, grants)] = again.unshare(doctor.public).items()
    assert (public, len(grants)) == (nurse.public, 1), "what has ended is not given anew"
    nurse.accept(grants[0])


def test_a_providers_readers_are_its_authoritys_to_renew(scene):
    doctor = mopse.User.generate()
    scene["clinic"].share(doctor.public)
    with pytest.raises(ScopeError, match="renew the readers of clinic"):
        scene["clinic"].unshare(doctor.public)
    assert scene["clinic"].shared.height == 1


# Files


def test_a_user_is_saved_and_opened_with_its_grants_and_the_seals_it_saw(scene, tmp_path):
    for path in AGES:
        scene.cloud.receive(scene[path].seal())
    doctor, path = mopse.User.generate(), tmp_path / "doctor.user"
    for provider in AGES:
        doctor.accept(scene.owner.share(doctor.public, provider))
    doctor.ask(scene.cloud, scene.owner.query(age=(0, 99)), proof=True)
    doctor.save(path, "password")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = mopse.User.open(path, "password")
    assert again.public == doctor.public
    assert again.granted.equals(doctor.granted)
    assert again.seals == doctor.seals
    assert ids(scene, again) == sorted(ALL)
    for call, error in [
        (lambda: mopse.User.open(path, "another"), WrongPasswordError),
        (lambda: mopse.User.open(path, ""), InvalidInputError),
        (lambda: mopse.User.open(path, "password", most_memory=1), InvalidInputError),
        (lambda: mopse.User.open(tmp_path / "none", "password"), MissingFileError),
        (lambda: mopse.Owner.open(path, "password"), InvalidInputError),
    ]:
        with pytest.raises(error):
            call()
    scene.owner.save(tmp_path / "owner.keyring", "password")
    with pytest.raises(InvalidInputError, match="is not a user's"):
        mopse.User.open(tmp_path / "owner.keyring", "password")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedFileError):
        mopse.User.open(path, "password")


def test_keys_are_neither_shown_nor_pickled(scene):
    doctor = mopse.User.generate()
    doctor.accept(scene.owner.share(doctor.public, "hospital"))
    assert repr(doctor) == "User(grants=1)"
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(WrongTypeError, match="neither pickled nor copied"):
            travel(doctor)


# By other code


@pytest.mark.parametrize("algorithm", [X25519, X_WING])
def test_what_is_sealed_here_is_opened_by_other_code(scene, algorithm):
    user = User(bytes(range(32)), algorithm)
    sealed = scene.owner.share(user.public, "hospital", ids=["hospital 1"])
    owner, given = user.open(sealed)
    assert owner == scene.owner.key
    assert given[:73] == b"MOPSESHD\1" + owner + user.name
    assert is_signed(owner, given)
    start = given.index(b"MOPSEGRT")
    length = int.from_bytes(given[start - 8 : start], "little")
    grant = given[start : start + length]
    assert is_signed(owner, grant)
    assert user.name in grant, "a grant names its holder"
    with pytest.raises(ScopeError, match="for another user"):
        mopse.User(SCHEMA, [grant])
    assert scene.owner.shared["user"].to_list() == [user.name]


def test_the_vectors_are_what_other_code_makes():
    for case in json.loads(VECTORS.read_text())["users"]:
        user = User(bytes.fromhex(case["key"]), case["algorithm"])
        assert user.public.hex() == case["public"]
        sealed = bytes.fromhex(case["sealed"])
        assert user.open(sealed) == (bytes.fromhex(case["owner"]), bytes.fromhex(case["given"]))


def write() -> None:
    """Write the vectors anew."""
    cases = []
    for algorithm in (X25519, X_WING):
        key, owner, given = bytes([40 + algorithm] * 32), bytes(range(32)), b"what is given"
        user = User(key, algorithm)
        case = {"algorithm": algorithm, "key": key.hex(), "public": user.public.hex()}
        case |= {"owner": owner.hex(), "given": given.hex()}
        cases.append(case | {"sealed": user.seal(owner, given).hex()})
    about = "Users of keys, and what is sealed to them; algorithm 1 is X25519, 2 is X-Wing."
    source = "tests/python/reference_sharing.py, by the package cryptography"
    document = {"about": about, "source": source, "users": cases}
    VECTORS.write_text(json.dumps(document, indent=1) + "\n")
