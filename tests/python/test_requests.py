"""Requests for access: who asks for what, what is decided, and what is opened then."""

import datetime

import polars as pl
import pytest
from scene import Scene

import mopse
from mopse import Field, Schema, sharing
from mopse.errors import (
    AnswerError,
    ChangedError,
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    InvalidInputError,
    ScopeError,
    SignatureError,
)

SCHEMA = Schema(age=Field(0, 99), portions={"contact": ["name"]})
DAY = datetime.timedelta(days=1)


@pytest.fixture
def scene():
    scene = Scene(SCHEMA, "hospital", "clinic")
    for path in ("hospital", "clinic"):
        ages = [41, 42, 70]
        names = [f"name {at}" for at in range(3)]
        scene.send(path, pl.DataFrame({"id": range(3), "age": ages, "name": names}))
    return scene


@pytest.fixture
def doctor():
    return mopse.User.generate()


def opened(scene, user):
    """Return the rows that a user opens, and their columns."""
    try:
        found, _ = user.ask(scene.cloud, scene.owner.query(age=(0, 99)), faults="report")
    except ScopeError:  # nothing was ever granted
        return [], set()
    return sorted(found["id"]) if "id" in found.columns else [], set(found.columns)


def test_a_user_asks_and_the_owner_approves(scene, doctor):
    asked = doctor.request(scene.owner.address(), "hospital", [1], reason="a fracture")
    number = scene.owner.receive_request(asked.message)
    assert number == asked.number
    [row] = scene.owner.requests.to_dicts()
    assert (row["request"], row["user"]) == (number, doctor.name)
    assert (row["provider"], row["records"], row["portions"]) == ("hospital", 1, None)
    assert (row["reason"], row["state"], row["decided"]) == ("a fracture", "open", None)
    assert row["until"] - row["asked"] == 7 * DAY
    decision = doctor.read_decision(scene.owner.approve(number))
    assert decision == sharing.Decision(number, True, "")
    ids, columns = opened(scene, doctor)
    assert ids == [1]
    assert {"age", "name"} <= columns
    [own] = doctor.requests.to_dicts()
    assert (own["state"], own["owner"]) == ("approved", scene.owner.key)
    assert own["decided"] is not None
    [shared] = scene.owner.shared.to_dicts()
    assert (shared["user"], shared["records"]) == (doctor.name, 1)
    scene.owner.unshare(doctor.public)
    assert scene.owner.shared.height == 0
    for again in (lambda: scene.owner.approve(number), lambda: scene.owner.refuse(number)):
        with pytest.raises(ChangedError, match="it is approved"):
            again()


def test_less_may_be_given(scene, doctor):
    asked = doctor.request(scene.owner.address(), "hospital", portions=["rest", "contact"])
    number = scene.owner.receive_request(asked.message)
    with pytest.raises(InvalidInputError, match="portions of the approval"):
        scene.owner.approve(number, portions=["rest", "files"])
    with pytest.raises(InvalidInputError, match="no portion 'nothing'"):
        scene.owner.approve(number, portions=["nothing"])
    doctor.read_decision(scene.owner.approve(number, portions=["rest"], expires_in=DAY))
    ids, columns = opened(scene, doctor)
    assert ids == [0, 1, 2]
    assert "name" not in columns
    [granted] = doctor.granted.to_dicts()
    assert granted["portions"] == ["rest"]
    left = granted["ends"] - datetime.datetime.now(datetime.UTC)
    assert DAY - datetime.timedelta(minutes=1) < left <= DAY
    asked = doctor.request(scene.owner.address(), "hospital", expires_in=DAY)
    number = scene.owner.receive_request(asked.message)
    with pytest.raises(InvalidInputError, match="the end of the approval"):
        scene.owner.approve(number, expires_in=2 * DAY)


def test_a_refusal_says_why(scene, doctor):
    asked = doctor.request(scene.owner.address(post_quantum=True), "hospital")
    number = scene.owner.receive_request(asked.message)
    decision = doctor.read_decision(scene.owner.refuse(number, "ask my physician"))
    assert decision == sharing.Decision(number, False, "ask my physician")
    assert opened(scene, doctor)[0] == []
    assert scene.owner.requests["why"].to_list() == ["ask my physician"]
    assert scene.owner.shared.height == 0


def test_a_provider_decides_for_an_owner_who_is_away(scene, doctor):
    asked = doctor.request(scene["hospital"].address(), "hospital", [2])
    with pytest.raises(ScopeError, match="another address"):
        scene.owner.receive_request(asked.message)
    with pytest.raises(ScopeError, match="another address"):
        scene["clinic"].receive_request(asked.message)
    number = scene["hospital"].receive_request(asked.message)
    doctor.read_decision(scene["hospital"].approve(number))
    assert opened(scene, doctor)[0] == [2]
    other = doctor.request(scene["hospital"].address(), "clinic")
    with pytest.raises(InvalidInputError, match="clinic"):
        scene["hospital"].receive_request(other.message)


def test_a_request_runs_out_is_withdrawn_and_forgotten(scene, doctor):
    soon = doctor.request(scene.owner.address(), "hospital")
    first = scene.owner.receive_request(soon.message)
    asked = doctor.request(scene.owner.address(), "hospital")
    withdrawal = doctor.withdraw(asked.number)
    with pytest.raises(InvalidInputError, match="no request"):
        scene.owner.receive_request(withdrawal)
    number = scene.owner.receive_request(asked.message)
    assert scene.owner.receive_request(withdrawal) == number
    with pytest.raises(ChangedError, match="withdrawn"):
        scene.owner.approve(number)
    states = dict(scene.owner.requests.select("request", "state").iter_rows())
    assert states[number] == "withdrawn"
    assert dict(doctor.requests.select("request", "state").iter_rows())[number] == "withdrawn"
    for party, request in ((scene.owner, first), (scene.owner, number), (doctor, number)):
        party.forget_request(request)
        with pytest.raises(InvalidInputError, match="no request"):
            party.forget_request(request)
    assert scene.owner.requests.height == 0
    assert doctor.requests.height == 1


def test_who_is_not_asked_does_not_answer(scene, doctor):
    other, nurse = mopse.Owner.generate(SCHEMA), mopse.User.generate()
    other.authorize("hospital")
    asked = doctor.request(scene.owner.address(), "hospital")
    elsewhere = doctor.request(other.address(), "hospital")
    decided = other.approve(other.receive_request(elsewhere.message))
    number = scene.owner.receive_request(asked.message)
    approved = scene.owner.approve(number)
    with pytest.raises(ScopeError, match="another user"):
        nurse.read_decision(approved)
    assert doctor.read_decision(decided).number == elsewhere.number
    fresh = mopse.User.generate()
    asked = fresh.request(scene.owner.address(), "hospital")
    sealed = scene.owner.approve(scene.owner.receive_request(asked.message))
    fresh.forget_request(asked.number)
    with pytest.raises(AnswerError, match="not on a request"):
        fresh.read_decision(sealed)
    with pytest.raises(DecryptionError):
        doctor.read_decision(approved[:-1] + bytes([approved[-1] ^ 1]))
    with pytest.raises(DamagedFileError):
        doctor.read_decision(approved[:-1])
    address = scene.owner.address()
    with pytest.raises((SignatureError, DamagedFileError)):
        doctor.request(address[:-1] + bytes([address[-1] ^ 1]), "hospital")
    with pytest.raises(InvalidInputError, match="made of grants"):
        mopse.User(SCHEMA, []).request(address, "hospital")


def test_what_was_asked_is_kept_in_files(scene, doctor, tmp_path):
    asked = doctor.request(scene.owner.address(), "hospital", ["17"], reason="why")
    other = doctor.request(scene.owner.address(), "hospital", [0])
    for one in (asked, other):
        scene.owner.receive_request(one.message)
    refused = scene.owner.refuse(asked.number, "no")
    scene.owner.save(tmp_path / "owner", "password")
    doctor.save(tmp_path / "doctor", "password")
    owner = mopse.Owner.open(tmp_path / "owner", "password", schema=SCHEMA)
    again = mopse.User.open(tmp_path / "doctor", "password")
    assert owner.requests.equals(scene.owner.requests)
    assert again.requests.equals(doctor.requests)
    assert again.read_decision(refused).reason == "no"
    assert again.read_decision(owner.approve(other.number)).is_approved
    assert opened(scene, again)[0] == [0]


def test_bad_values_are_refused_by_name(scene, doctor):
    address = scene.owner.address()
    with pytest.raises(InvalidInputError, match="the reason has 4097 bytes"):
        doctor.request(address, "hospital", reason="a" * 4097)
    with pytest.raises(InvalidInputError, match="records of the request"):
        doctor.request(address, "hospital", range(65_537))
    for within in (-DAY, datetime.timedelta.max):
        with pytest.raises(InvalidInputError, match="within"):
            doctor.request(address, "hospital", within=within)
    with pytest.raises(InvalidInputError, match="expected at least one portion"):
        doctor.request(address, "hospital", portions=[])
    with pytest.raises(InvalidInputError, match="name one twice"):
        doctor.request(address, "hospital", portions=["rest", "rest"])
    with pytest.raises(InvalidInputError, match="name no record"):
        doctor.request(address, "hospital", [])
    for number in ("", "12", "g" * 32, "A" * 32):
        for party in (scene.owner, doctor):
            with pytest.raises(InvalidInputError, match="32 hexadecimal digits"):
                party.forget_request(number)
    with pytest.raises(InvalidInputError, match="no request"):
        scene.owner.approve("0" * 32)
    unknown = doctor.request(address, "hospital", portions=["nothing"])
    with pytest.raises(InvalidInputError, match="no portion 'nothing'"):
        scene.owner.approve(scene.owner.receive_request(unknown.message))
    assert scene.owner.requests["state"].to_list() == ["open"]


def test_what_travels_tells_neither_who_asks_nor_what_for(scene, doctor):
    asked = doctor.request(scene.owner.address(), "hospital", ["Ida-4711"], reason="Influenza")
    number = scene.owner.receive_request(asked.message)
    refused = scene.owner.refuse(number, "Influenza is no reason")
    for message in (asked.message, refused):
        for known in (b"Influenza", b"Ida-4711", b"hospital", number.encode()):
            assert known not in message
    assert doctor.public not in asked.message
    assert doctor.name not in asked.message


def test_a_log_has_requests_and_what_became_of_them_by_digest(scene, doctor):
    cloud = mopse.Cloud(audit_log=sharing.AuditLog())
    cloud.enroll(scene.owner.public)
    asked = doctor.request(scene.owner.address(), "hospital", [1])
    number = scene.owner.receive_request(asked.message)
    approved = scene.owner.approve(number)
    for what, about in (("request", asked.message), ("approval", approved), ("release", approved)):
        cloud.receive(sharing.statement(scene.owner, what, about))
    found = sharing.Witness(scene.owner.key).entries(cloud, scene.owner)
    assert found["what"].to_list() == ["enrolment", "request", "approval", "release"]


def test_a_late_request_is_refused(scene, doctor, monkeypatch):
    asked = doctor.request(scene.owner.address(), "hospital", within=DAY)
    number = scene.owner.receive_request(asked.message)
    late = doctor.request(scene.owner.address(), "hospital", within=DAY)
    monkeypatch.setattr("mopse._requests._now", lambda: 2**33)
    with pytest.raises(ExpiredError):
        scene.owner.receive_request(late.message)
    with pytest.raises(ChangedError, match="run out"):
        scene.owner.approve(number)
    assert scene.owner.requests["state"].to_list() == ["run out"]
