"""SeSPHR as published: who opens what, joiners and leavers as printed, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    InvalidInputError,
    ScopeError,
    WrongTypeError,
)
from mopse.sharing import PUBLISHED_ROLES
from mopse.sharing.reencryption import published
from mopse.sharing.reencryption.published import CHUNK_BYTES, PORTIONS, ROLES, Keys, Server

ELEMENT_BYTES = 576
RECORD = {
    portion: f"<{portion}>a record of some length</{portion}>".encode() for portion in PORTIONS
}


class Scene:
    """An owner with a file of all portions, a user of each role, their server and cloud."""

    def __init__(self) -> None:
        self.server = Server()
        self.owner = self.server.enroll("ann")
        self.users = {role: self.server.join(f"the {role}", role, now=10) for role in ROLES}
        self.cloud: dict[tuple[str, str], bytes] = {}
        self.upload("visit", now=20)

    def upload(self, file: str, *, now: int) -> None:
        """Send a file of all portions to cloud and server."""
        for portion, plaintext in RECORD.items():
            self.cloud[file, portion], capsule = self.owner.encrypt(file, portion, plaintext)
            self.server.receive("ann", capsule, now=now)

    def opened(self, user: Keys, file: str = "visit") -> set[str]:
        """Return the portions of a file that a user opens; what the server refuses it does not."""
        found = set()
        for portion, plaintext in RECORD.items():
            try:
                released = self.server.release("ann", file, portion, user.name)
            except ScopeError:
                continue
            assert user.decrypt(self.cloud[file, portion], released) == plaintext
            found.add(portion)
        return found


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_what_the_access_list_says(scene, role):
    assert scene.opened(scene.users[role]) == set(ROLES[role])


def test_the_access_list_is_the_preset_of_the_hardened_sharing_with_family_by_approval():
    there = {"research": "medical"}  # the portion that is de-identified has a name of its own there
    for role, portions in PUBLISHED_ROLES.items():
        named = () if portions is None else tuple(there.get(one, one) for one in portions)
        assert tuple(ROLES[role]) == named
    assert PUBLISHED_ROLES["family"] is None


def test_family_opens_all_once_the_owner_has_approved_it(scene):
    scene.server.approve("ann", "the family", PORTIONS)
    assert scene.opened(scene.users["family"]) == set(PORTIONS)


def test_an_owner_has_portions_and_roles_of_its_own(scene):
    owner = scene.server.enroll("eve", portions=["dental"], roles={"insurer": ["dental"]})
    ciphertext, capsule = owner.encrypt("visit", "dental", b"caries")
    scene.server.receive("eve", capsule)
    released = scene.server.release("eve", "visit", "dental", "the insurer")
    assert scene.users["insurer"].decrypt(ciphertext, released) == b"caries"
    with pytest.raises(InvalidInputError, match='no portion "medical"'):
        scene.server.release("eve", "visit", "medical", "the physician")
    with pytest.raises(InvalidInputError, match='no portion "insurance"'):
        scene.server.enroll("dan", portions=["dental"])


def test_who_joins_opens_files_from_then_on_unless_all_is_said(scene):
    scene.upload("later", now=40)
    late = scene.server.join("late", "physician", now=30)
    with_all = scene.server.join("all", "physician", files="all", now=30)
    assert [scene.opened(late, file) for file in ("visit", "later")] == [set(), {"medical"}]
    assert scene.opened(with_all, "visit") == {"medical"}
    with pytest.raises(InvalidInputError, match="files is 'past'"):
        scene.server.join("dan", "physician", files="past")


def test_who_left_is_sent_nothing_and_is_another_when_it_comes_back(scene):
    before = scene.users["physician"]
    scene.server.leave("the physician")
    with pytest.raises(InvalidInputError, match='no user "the physician"'):
        scene.opened(before)
    again = scene.server.join("the physician", "physician", files="all")
    assert again.secret != before.secret
    assert scene.opened(again) == {"medical"}
    released = scene.server.release("ann", "visit", "medical", "the physician")
    with pytest.raises(DecryptionError):
        before.decrypt(scene.cloud["visit", "medical"], released)


@settings(max_examples=20)
@given(st.binary(max_size=400))
def test_what_is_encrypted_is_decrypted_and_is_nine_times_as_long(plaintext):
    owner = Keys("ann")
    ciphertext, capsule = owner.encrypt("visit", "medical", plaintext)
    assert owner.decrypt_own(ciphertext, capsule) == plaintext
    chunks = -(-len(plaintext) // CHUNK_BYTES)
    empty, _ = owner.encrypt("visit", "medical", b"")
    assert len(ciphertext) == len(empty) + ELEMENT_BYTES * chunks
    assert owner.encrypt("visit", "medical", plaintext)[1] != capsule


def test_a_keyholder_is_another_in_name_only_where_the_label_says_so(scene):
    ciphertext = scene.cloud["visit", "medical"]
    released = scene.server.release("ann", "visit", "medical", "the physician")
    with pytest.raises(ScopeError, match="another owner, file, portion or user"):
        scene.users["insurer"].decrypt(ciphertext, released)
    other = scene.cloud["visit", "insurance"]
    with pytest.raises(ScopeError, match="another owner, file, portion or user"):
        scene.users["physician"].decrypt(other, released)
    _, capsule = Keys("eve").encrypt("visit", "medical", b"x")
    with pytest.raises(ScopeError, match="the capsule is of another owner"):
        scene.server.receive("ann", capsule)
    with pytest.raises(ScopeError, match="the capsule is of another owner"):
        scene.owner.decrypt_own(ciphertext, capsule)


IDENTITY_G1 = bytes([0xC0]) + bytes(47)
OUTSIDE_G1 = bytes([0x80]) + bytes(46) + b"\x04"
"""x = 4 is on the curve, and of no order that the group has."""
OFF_G1 = bytes([0x80]) + bytes(46) + b"\x01"


@pytest.mark.parametrize(
    ("point", "why"),
    [
        (IDENTITY_G1, "the capsule holds the identity"),
        (OUTSIDE_G1, "the capsule holds no element of its group"),
        (OFF_G1, "the capsule holds no element of its group"),
        (b"\xff" * 48, "the capsule holds no element of its group"),
        (bytes(48), "the capsule holds no element of its group"),
    ],
    ids=["identity", "outside the group", "off the curve", "above p", "uncompressed"],
)
def test_a_point_that_is_none_of_the_group_is_refused(scene, point, why):
    _, capsule = scene.owner.encrypt("later", "medical", b"x")
    with pytest.raises(DamagedFileError, match=why):
        scene.server.receive("ann", capsule[:-48] + point)
    with pytest.raises(InvalidInputError, match='no file "later"'):
        scene.server.release("ann", "later", "medical", "the physician")


def test_an_element_that_is_none_of_the_target_group_is_refused(scene):
    released = scene.server.release("ann", "visit", "medical", "the physician")
    user, ciphertext = scene.users["physician"], scene.cloud["visit", "medical"]
    one, seven = (bytes([number]) + bytes(ELEMENT_BYTES - 1) for number in (1, 7))
    for element, why in [(one, "the identity"), (seven, "no element"), (bytes(576), "no element")]:
        with pytest.raises(DamagedFileError, match=why):
            user.decrypt(ciphertext, released[:-ELEMENT_BYTES] + element)
    for cut in (0, 8, 20, len(released) - 1):
        with pytest.raises(DamagedFileError, match="re-encrypted capsule is cut short"):
            user.decrypt(ciphertext, released[:cut])
    with pytest.raises(DamagedFileError, match="the encrypted portion"):
        user.decrypt(released, released)


def test_chunks_that_were_moved_go_unnoticed():
    owner = Keys("ann")
    ciphertext, capsule = owner.encrypt("visit", "medical", b"a" * 64 + b"b" * 64)
    first, second = ciphertext[-2 * ELEMENT_BYTES : -ELEMENT_BYTES], ciphertext[-ELEMENT_BYTES:]
    moved = ciphertext[: -2 * ELEMENT_BYTES] + second + first
    assert owner.decrypt_own(moved, capsule) == b"b" * 64 + b"a" * 64


def test_names_are_short_and_of_one(scene):
    for name in ("", "x" * 256):
        with pytest.raises(InvalidInputError, match="expected 1 to 255"):
            Keys(name)
        with pytest.raises(InvalidInputError, match="expected 1 to 255"):
            scene.owner.encrypt(name, "medical", b"x")
    for name in ("ann", "the family"):
        with pytest.raises(InvalidInputError, match="already"):
            scene.server.enroll(name)
        with pytest.raises(InvalidInputError, match="already"):
            scene.server.join(name, "physician")


def test_nothing_that_is_shown_holds_a_key(scene):
    for keys in (scene.owner, scene.server.escrow("ann"), Keys("eve")):
        for form in (keys.secret.hex(), repr(keys.secret)[2:-1]):
            assert form not in repr(keys)
    assert repr(scene.owner) == "Keys('ann')"
    assert repr(scene.server) == f"Server(owners=1, users={len(ROLES)})"
    assert scene.server.escrow("ann").secret == scene.owner.secret


def test_arguments_that_are_none_are_refused(scene):
    with pytest.raises(WrongTypeError, match="plaintext"):
        scene.owner.encrypt("visit", "medical", "text")
    with pytest.raises(WrongTypeError, match="capsule is a str"):
        scene.server.receive("ann", "text")
    with pytest.raises(InvalidInputError, match="now is -1"):
        scene.server.join("dan", "physician", now=-1)


def test_it_says_that_it_is_for_evaluation():
    for thing in (published, Keys, Server):
        assert "For evaluation only" in thing.__doc__
