"""What a leak tells of who leaked: a grant names its holder, what it opened names nobody."""

import polars as pl
import pytest
from cryptography.exceptions import InvalidSignature
from reference_sharing import User, is_signed
from scene import Scene

import mopse
from mopse import Field, Schema

SCHEMA = Schema(age=Field(0, 99), portions={"contact": ["name"]})
TABLE = pl.DataFrame({"id": [1, 2], "age": [41, 70], "name": ["name of 1", "name of 2"]})
LATER = pl.DataFrame({"id": [3], "age": [45], "name": ["name of 3"]})
REST = (4).to_bytes(8, "little") + b"rest"


@pytest.fixture
def scene() -> Scene:
    scene = Scene(SCHEMA, "hospital")
    scene.send("hospital", TABLE)
    return scene


def bare(scene: Scene, user: User) -> bytes:
    """Return the grant in what is shared with a user, as other code opens it."""
    _, given = user.open(scene.owner.share(user.public, "hospital", portions=["rest"]))
    start = given.index(b"MOPSEGRT")
    length = int.from_bytes(given[start - 8 : start], "little")
    return given[start : start + length]


def last_portion_key(grant: bytes) -> bytes:
    """Return the key of the portion `rest` for the last readers' epoch of a grant."""
    start = grant.rindex(REST) + len(REST)
    return grant[start : start + 32]


def candidates(scene: Scene) -> set[bytes]:
    """Return the users who open what the hospital seals now, as far as the owner gave it."""
    rows = scene.owner.shared.filter(provider="hospital", is_current=True)
    return set(rows["user"])


def test_a_leaked_grant_names_its_holder_and_nobody_can_change_that(scene):
    one, two = User(bytes([1] * 32)), User(bytes([2] * 32))
    for user, other in [(one, two), (two, one)]:
        sealed = scene.owner.share(user.public, "hospital", portions=["rest"])
        assert user.name in sealed, "it travels with its user's name"
        grant = bare(scene, user)
        assert is_signed(scene.owner.key, grant)
        assert [name for name in (one.name, two.name) if name in grant] == [user.name]
        with pytest.raises(InvalidSignature):
            is_signed(scene.owner.key, grant.replace(user.name, other.name))
    assert candidates(scene) == {one.name, two.name}


def test_a_grant_for_nobody_in_particular_names_nobody(scene):
    user = User(bytes([1] * 32))
    loose, of_user = scene.owner.grant("hospital", portions=["rest"]), bare(scene, user)
    holder = (32).to_bytes(8, "little") + user.name
    assert of_user.count(holder) == 1
    assert of_user.replace(holder, bytes(8))[:-64] == loose[:-64]


def test_records_and_portion_keys_are_the_same_for_all_and_name_nobody(scene):
    query = scene.owner.query(age=(0, 99))
    opened = []
    for _ in range(2):
        user = mopse.User.generate()
        user.accept(scene.owner.share(user.public, "hospital"))
        found = user.ask(scene.cloud, query)
        assert sorted(found["id"]) == [1, 2]
        opened.append(found.serialize())
    assert opened[0] == opened[1]

    one, two = User(bytes([1] * 32)), User(bytes([2] * 32))
    of_one, of_two = bare(scene, one), bare(scene, two)
    assert last_portion_key(of_one) == last_portion_key(of_two)
    assert of_one != of_two
    # But for the holder, and the signature over it, the two are one grant.
    assert of_one.replace(one.name, two.name)[:-64] == of_two[:-64]


def test_who_can_have_leaked_is_whoever_an_epoch_was_given_to(scene):
    leaver, stayer = mopse.User.generate(), mopse.User.generate()
    for user in (leaver, stayer):
        user.accept(scene.owner.share(user.public, "hospital"))
    before = candidates(scene)
    assert before == {leaver.name, stayer.name}
    old = last_portion_key(bare(scene, User(bytes([1] * 32))))
    scene.owner.unshare(User(bytes([1] * 32)).public)

    anew = scene.owner.unshare(leaver.public)
    assert candidates(scene) == {stayer.name}
    assert leaver.name not in set(scene.owner.shared["user"]), "the list of before is gone"
    for sealed in anew[stayer.public]:
        stayer.accept(sealed)
    scene.enroll()
    scene["hospital"].catch_up(scene.cloud)
    scene.send("hospital", LATER)

    query = scene.owner.query(age=(0, 99))
    answer = scene.cloud.search(query)
    assert sorted(stayer.decrypt(answer, query)["id"]) == [1, 2, 3]
    # What was sealed before, both still open: there both remain candidates.
    assert sorted(leaver.decrypt(answer, query)["id"]) == [1, 2]
    assert last_portion_key(bare(scene, User(bytes([1] * 32)))) != old
