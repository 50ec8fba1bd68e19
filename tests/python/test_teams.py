"""Users who are suspended, revoked, and given the same as a team."""

import pytest
from scene import Scene
from test_sharing import AGES, SCHEMA, ids, table

import mopse
from mopse.errors import InvalidInputError, ScopeError, SignatureError, WrongTypeError

ALL = [f"hospital {at}" for at in range(3)]


@pytest.fixture
def scene() -> Scene:
    scene = Scene(SCHEMA, *AGES)
    for path, ages in AGES.items():
        scene.send(path, table(path, ages))
    return scene


def add(scene: Scene, at: int) -> str:
    """Have everybody know what the owner announces, and send a record; return its id."""
    scene.enroll()
    for path in AGES:
        scene[path].catch_up(scene.cloud)
    scene.send("hospital", table("hospital", [45], first=at))
    return f"hospital {at}"


def taken(user: mopse.User, anew: dict[bytes, list[bytes]]) -> None:
    for sealed in anew.get(user.public, []):
        user.accept(sealed)


def statuses(owner: mopse.Owner) -> dict[bytes, str]:
    return dict(owner.users.select("user", "status").iter_rows())


def test_a_suspension_is_lifted_and_a_revocation_is_not(scene, tmp_path):
    doctor, nurse = mopse.User.generate(), mopse.User.generate(post_quantum=True)
    for user in (doctor, nurse):
        user.accept(scene.owner.share(user.public, "hospital"))
    anew = scene.owner.suspend(doctor.public)
    assert list(anew) == [nurse.public]
    taken(nurse, anew)
    first = add(scene, 9)
    assert (ids(scene, doctor), ids(scene, nurse)) == (ALL, [*ALL, first])
    assert statuses(scene.owner) == {doctor.name: "suspended", nurse.name: "active"}
    assert scene.owner.shared["user"].to_list() == [nurse.name]
    give = {
        "share": lambda of: of.share(doctor.public, "clinic"),
        "delegate": lambda of: of.delegate(doctor.public, age=(0, 9)),
        "join_team": lambda of: of.join_team("night", doctor.public),
    }
    scene.owner.form_team("night")
    for call in give.values():
        with pytest.raises(InvalidInputError, match="suspended: reinstate it first"):
            call(scene.owner)
    # A provider knows nothing of it.
    assert scene["clinic"].share(doctor.public)

    path = tmp_path / "owner.keyring"
    scene.owner.save(path, "password")
    scene.owner = mopse.Owner.open(path, "password")
    for sealed in scene.owner.reinstate(doctor.public):
        doctor.accept(sealed)
    assert ids(scene, doctor) == [*ALL, first], "what was sealed meanwhile, too"
    assert len(scene.owner.reinstate(doctor.public)) == 1, "the same again, if it got lost"

    taken(nurse, scene.owner.revoke_user(doctor.public))
    last = add(scene, 10)
    assert (ids(scene, doctor), ids(scene, nurse)) == ([*ALL, first], sorted([*ALL, first, last]))
    scene.owner.save(path, "password")
    scene.owner = mopse.Owner.open(path, "password")
    assert statuses(scene.owner) == {doctor.name: "revoked", nurse.name: "active"}
    lifts = (lambda of: of.suspend(doctor.public), lambda of: of.reinstate(doctor.public))
    for call in (*give.values(), *lifts):
        with pytest.raises(InvalidInputError, match="revoked: its keys are given nothing"):
            call(scene.owner)
    stolen = mopse.User.generate()
    assert scene.owner.revoke_user(stolen.public) == {}, "keys that were given nothing yet"
    with pytest.raises(InvalidInputError, match="revoked"):
        scene.owner.share(stolen.public, "hospital")


def test_a_request_of_who_is_suspended_is_not_approved(scene):
    doctor = mopse.User.generate()
    scene.owner.share(doctor.public, "hospital")
    scene.owner.suspend(doctor.public)
    asked = doctor.request(scene.owner.address(), "hospital", ["hospital 1"], reason="a fracture")
    request = scene.owner.receive_request(asked.message)
    with pytest.raises(InvalidInputError, match="suspended"):
        scene.owner.approve(request)
    assert scene.owner.requests["state"].to_list() == ["open"], "nothing was decided"
    assert scene.owner.refuse(request, "you are suspended")


def test_a_team_is_given_the_same(scene, tmp_path):
    doctor, nurse = mopse.User.generate(), mopse.User.generate()
    scene.owner.form_team("night shift", speciality="cardiology")
    assert scene.owner.share_with_team("night shift", "hospital", portions=["rest"]) == {}
    for user in (doctor, nurse):
        for sealed in scene.owner.join_team("night shift", user.public):
            user.accept(sealed)
            other = nurse if user is doctor else doctor
            with pytest.raises(ScopeError, match="another user"):
                other.accept(sealed)
    anew = scene.owner.share_with_team("night shift", "clinic")
    assert {*anew} == {doctor.public, nurse.public}
    for user in (doctor, nurse):
        taken(user, anew)
        assert ids(scene, user) == ["clinic 0", "clinic 1", *ALL]
    scene.owner.save(tmp_path / "owner.keyring", "password")
    scene.owner = mopse.Owner.open(tmp_path / "owner.keyring", "password")
    teams = scene.owner.teams
    assert teams.drop("members").rows() == [
        ("night shift", "cardiology", "hospital", None, ["rest"], None, True),
        ("night shift", "cardiology", "clinic", None, None, None, True),
    ]
    assert {*teams["members"][0]} == {doctor.name, nurse.name}
    assert scene.owner.shared["team"].to_list() == ["night shift"] * 4
    assert scene.owner.users["teams"].to_list() == [["night shift"]] * 2

    anew = scene.owner.leave_team("night shift", doctor.public)
    assert list(anew) == [nurse.public]
    taken(nurse, anew)
    first = add(scene, 9)
    assert first in ids(scene, nurse)
    assert first not in ids(scene, doctor)
    scene.owner.disband_team("night shift")
    second = add(scene, 10)
    assert second not in ids(scene, nurse)
    assert scene.owner.teams.is_empty()


def test_a_team_without_records_and_members_is_listed(scene):
    scene.owner.form_team("day")
    assert scene.owner.teams.rows() == [("day", None, [], None, None, None, None, None)]
    assert scene.owner.users.is_empty()


def test_what_no_team_can_be_or_do_is_refused_and_nothing_is_changed(scene):
    doctor, day = mopse.User.generate(), "day"
    scene.owner.form_team("night", "cardiology")
    before = scene.owner.teams
    for name in ("", "night", "n\u0456ght", "a/b", "night "):
        with pytest.raises(InvalidInputError, match="there can be no team or speciality"):
            scene.owner.form_team(name)
    with pytest.raises(InvalidInputError, match="there can be no team or speciality"):
        scene.owner.form_team(day, "a\nb")
    with pytest.raises(WrongTypeError):
        scene.owner.form_team(day, 3)
    for call in (
        lambda: scene.owner.join_team(day, doctor.public),
        lambda: scene.owner.share_with_team(day, "hospital"),
        lambda: scene.owner.leave_team(day, doctor.public),
        lambda: scene.owner.disband_team(day),
    ):
        with pytest.raises(InvalidInputError, match="there is no team"):
            call()
    with pytest.raises(InvalidInputError, match="no member of team"):
        scene.owner.leave_team("night", doctor.public)
    with pytest.raises(InvalidInputError, match="no provider"):
        scene.owner.share_with_team("night", "nowhere")
    with pytest.raises(InvalidInputError, match="the schema has no portion"):
        scene.owner.share_with_team("night", "hospital", portions=["none"])
    with pytest.raises(InvalidInputError, match="an owner has none"):
        scene.owner.share_with_team("night")
    changed = bytearray(doctor.public)
    changed[20] ^= 1
    for call in (scene.owner.revoke_user, lambda of: scene.owner.join_team("night", of)):
        with pytest.raises(SignatureError):
            call(bytes(changed))
    for call in (scene.owner.suspend, scene.owner.reinstate, scene.owner.unshare):
        with pytest.raises(InvalidInputError, match="nothing is shared with this user"):
            call(doctor.public)
    assert scene.owner.teams.equals(before)
    assert scene.owner.users.is_empty()


def test_a_providers_team_reads_what_is_below_it(scene):
    doctor = mopse.User.generate()
    hospital = scene["hospital"]
    hospital.form_team("night")
    hospital.share_with_team("night", "hospital/ward")
    for sealed in hospital.join_team("night", doctor.public):
        doctor.accept(sealed)
    assert ids(scene, doctor) == ["hospital/ward 0"]
    assert hospital.disband_team("night") == {}
    # Its own readers are its authority's to renew.
    hospital.form_team("day")
    hospital.join_team("day", doctor.public)
    assert list(hospital.share_with_team("day")) == [doctor.public]
    with pytest.raises(ScopeError, match="renew the readers of hospital"):
        hospital.leave_team("day", doctor.public)
    assert hospital.teams["members"].to_list() == [[doctor.name]]
