"""Re-encryption of grants: who reads what, joiners, leavers and roles, and what is refused."""

import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import Scene

from mopse import Field, Owner, Schema, User
from mopse.errors import (
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    InvalidInputError,
    MopseError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)
from mopse.sharing import reencryption
from mopse.sharing.reencryption import Keys, Label, Proxy, epochs, label_of, reencryption_key, wrap

SCHEMA = Schema(
    age=Field(0, 120, cell=10), portions={"vitals": ["age", "pulse"], "notes": ["note"]}
)
GT_BYTES, G2_BYTES = 576, 96


def record(number: int) -> pl.DataFrame:
    return pl.DataFrame({"id": [number], "age": [50], "pulse": [70], "note": ["well"]})


class Wrapped(Scene):
    """A hospital and a clinic with a record each, and a proxy."""

    def __init__(self) -> None:
        super().__init__(SCHEMA, "hospital", "clinic")
        self.proxy = Proxy()
        self.send(["hospital", "clinic"], record(1))

    def give(self, keys: Keys, portion: str = "vitals", *, epoch: int | None = None) -> None:
        """Let the proxy re-encrypt a portion of the hospital's for some keys."""
        args = self.owner, "hospital", portion, keys.public
        self.proxy.receive(reencryption_key(*args, epoch=epoch))

    def grant(self, keys: Keys, envelope: bytes) -> bytes:
        """Return what keys open of an envelope."""
        return keys.open(envelope, self.proxy.release(envelope, keys.name))

    def read(self, *grants: bytes) -> pl.DataFrame:
        """Return what a user with some grants reads of all records."""
        query = self.owner.query(age=(0, 120))
        records, faults = User(SCHEMA, grants).decrypt(
            self.cloud.search(query), query, faults="report"
        )
        assert set(faults["provider"]) <= {"clinic"}
        return records

    def renew(self) -> None:
        """Begin the next readers' epoch."""
        self.owner.renew_readers()
        self.enroll()
        self["hospital"].catch_up(self.cloud)


@pytest.fixture
def scene() -> Wrapped:
    return Wrapped()


def test_one_envelope_serves_all_who_are_given_a_key_and_nobody_else(scene):
    envelope = wrap(scene.owner, "hospital", "vitals")
    readers, stranger = [Keys() for _ in range(3)], Keys()
    for keys in readers:
        scene.give(keys)
        found = scene.read(scene.grant(keys, envelope))
        assert set(found.columns) == {"age", "pulse", "provider"}
        assert found["provider"].to_list() == ["hospital"]
    assert len(scene.proxy) == len(readers)
    with pytest.raises(ScopeError, match="no re-encryption key for this user"):
        scene.grant(stranger, envelope)
    released = scene.proxy.release(envelope, readers[0].name)
    for keys, other in [
        (stranger, envelope),
        (readers[0], wrap(scene.owner, "hospital", "vitals")),
    ]:
        with pytest.raises(ScopeError, match="the re-encrypted capsule is of another owner"):
            keys.open(other, released)


def test_who_has_a_portion_is_given_no_other_by_the_proxy(scene):
    keys = Keys()
    scene.give(keys)
    for provider, portion in [("hospital", "notes"), ("hospital", "rest"), ("clinic", "vitals")]:
        with pytest.raises(ScopeError, match="no re-encryption key"):
            scene.grant(keys, wrap(scene.owner, provider, portion))
    scene.give(keys, "notes")
    envelopes = [wrap(scene.owner, "hospital", name) for name in ("vitals", "notes")]
    found = scene.read(*(scene.grant(keys, envelope) for envelope in envelopes))
    assert set(found.columns) == {"age", "pulse", "note", "provider"}


def test_a_provider_wraps_its_own_and_nothing_of_others(scene):
    keys, hospital = Keys(), scene["hospital"]
    scene.proxy.receive(reencryption_key(hospital, "hospital", "vitals", keys.public))
    assert len(scene.read(scene.grant(keys, wrap(hospital, "hospital", "vitals")))) == 1
    with pytest.raises(InvalidInputError, match="clinic"):
        wrap(hospital, "clinic", "vitals")


def test_a_joiner_reads_from_then_on_and_a_leaver_until_then(scene):
    first, joiner, with_past = Keys(), Keys(), Keys()
    scene.give(first)
    before = wrap(scene.owner, "hospital", "vitals")
    scene.renew()
    assert epochs(scene.owner, "hospital") == epochs(scene["hospital"], "hospital") == [0, 1]
    scene.send("hospital", record(2))
    assert scene.proxy.forget(first.name) == 1
    scene.give(joiner)
    scene.give(with_past)
    scene.give(with_past, epoch=0)
    after = wrap(scene.owner, "hospital", "vitals")
    assert [label_of(envelope).epoch for envelope in (before, after)] == [0, 1]
    assert label_of(wrap(scene.owner, "hospital", "vitals", epoch=0)) == label_of(before)
    for keys, envelope in [(first, before), (first, after), (joiner, before)]:
        with pytest.raises(ScopeError, match="no re-encryption key"):
            scene.grant(keys, envelope)
    assert scene.read(scene.grant(joiner, after)).height == 1
    both = [scene.grant(with_past, envelope) for envelope in (before, after)]
    assert scene.read(*both).height == 2
    with pytest.raises(InvalidInputError, match='no readers\' epoch "2"'):
        wrap(scene.owner, "hospital", "vitals", epoch=2)


def test_a_grant_of_an_envelope_opens_nothing_of_another_epoch(scene):
    keys = Keys()
    scene.give(keys)
    grant = scene.grant(keys, wrap(scene.owner, "hospital", "vitals"))
    scene.renew()
    scene.send("hospital", record(2))
    found = scene.read(grant)
    assert found["age"].to_list() == [50]


@pytest.mark.parametrize("post_quantum", [False, True])
def test_members_of_a_role_read_by_its_keys(scene, post_quantum):
    role, member = Keys(), User.generate(post_quantum=post_quantum)
    scene.give(role)
    handed = role.hand(member.public)
    keys = Keys.from_role(member, handed)
    assert (keys.name, keys.secret) == (role.name, role.secret)
    assert len(scene.read(scene.grant(keys, wrap(scene.owner, "hospital", "vitals")))) == 1
    with pytest.raises(ScopeError, match="another user"):
        Keys.from_role(User.generate(post_quantum=post_quantum), handed)
    with pytest.raises(DecryptionError, match="the sealed role does not open"):
        Keys.from_role(member, handed[:-1] + bytes([handed[-1] ^ 1]))
    with pytest.raises(InvalidInputError, match="no keys of its own"):
        Keys.from_role(User(SCHEMA), handed)


@settings(max_examples=10)
@given(st.binary(min_size=32, max_size=32))
def test_keys_are_those_of_their_secret(secret):
    keys = Keys(secret)
    assert (keys.secret, keys.name) == (secret, Keys(secret).name)
    assert keys.public == Keys(secret).public
    assert keys.name != Keys().name
    assert keys.secret.hex()[:16] not in repr(keys)


def test_an_envelope_is_as_long_whatever_the_number_of_records_and_readers(scene):
    before = wrap(scene.owner, "hospital", "vitals")
    more = pl.concat([record(number) for number in range(2, 60)])
    scene.send("hospital", more)
    for _ in range(20):
        scene.give(Keys())
    after = wrap(scene.owner, "hospital", "vitals")
    assert len(before) == len(after) < 600
    assert before != after
    assert label_of(after) == Label(bytes(scene.owner.key), "hospital", "vitals", 0)


def test_a_grant_that_ends_is_not_taken_then(scene):
    keys = Keys()
    scene.give(keys)
    hour = datetime.timedelta(hours=1)
    envelope = wrap(scene.owner, "hospital", "vitals", expires_in=hour)
    assert len(scene.read(scene.grant(keys, envelope))) == 1
    ended = wrap(scene.owner, "hospital", "vitals", expires_in=-hour)
    with pytest.raises(ExpiredError, match="hospital"):
        scene.read(scene.grant(keys, ended))


def test_what_is_changed_cut_or_lied_about_is_refused(scene):
    keys = Keys()
    scene.give(keys)
    envelope = wrap(scene.owner, "hospital", "vitals")
    released = scene.proxy.release(envelope, keys.name)
    key = reencryption_key(scene.owner, "hospital", "vitals", keys.public)
    other = wrap(scene.owner, "hospital", "notes")
    scene.give(keys, "notes")
    answers = scene.proxy.release(other, keys.name)
    lie = released[:-GT_BYTES] + answers[-GT_BYTES:]
    with pytest.raises(DecryptionError, match="the envelope does not open"):
        keys.open(envelope, lie)
    one, seven = (bytes([number]) + bytes(GT_BYTES - 1) for number in (1, 7))
    for element, why in [(one, "the identity"), (seven, "no element"), (bytes(GT_BYTES), "no ele")]:
        with pytest.raises(DamagedFileError, match=why):
            keys.open(envelope, released[:-GT_BYTES] + element)
    for at in range(0, len(envelope), 37):
        changed = envelope[:at] + bytes([envelope[at] ^ 1]) + envelope[at + 1 :]
        for call in (label_of, lambda one: scene.proxy.release(one, keys.name)):
            with pytest.raises((DamagedFileError, SignatureError)):
                call(changed)
            with pytest.raises(DamagedFileError):
                call(envelope[:at])
    for at in range(0, len(key), 23):
        with pytest.raises((DamagedFileError, SignatureError)):
            scene.proxy.receive(key[:at] + bytes([key[at] ^ 1]) + key[at + 1 :])
    # A key is no envelope, and the like.
    for message in (envelope, released, keys.public, b""):
        with pytest.raises(DamagedFileError, match="the re-encryption key"):
            scene.proxy.receive(message)
    assert len(scene.proxy) == 2


def test_a_public_key_that_is_none_or_shows_no_secret_is_refused(scene):
    public, other = Keys().public, Keys().public
    at = len(public) - 64 - G2_BYTES
    identity = bytes([0xC0]) + bytes(G2_BYTES - 1)
    for element, error, why in [
        (other[at : at + G2_BYTES], SignatureError, "does not show"),
        (identity, DamagedFileError, "the public key holds the identity"),
        (b"\xff" * G2_BYTES, DamagedFileError, "the public key holds no element"),
    ]:
        rogue = public[:at] + element + public[at + G2_BYTES :]
        with pytest.raises(error, match=why):
            reencryption_key(scene.owner, "hospital", "vitals", rogue)
    with pytest.raises(SignatureError, match="does not show"):
        reencryption_key(scene.owner, "hospital", "vitals", public[:-64] + other[-64:])


def test_a_key_of_another_owner_serves_none_of_this_one(scene):
    stranger = Owner.generate(SCHEMA)
    stranger.authorize("hospital")
    keys = Keys()
    scene.proxy.receive(reencryption_key(stranger, "hospital", "vitals", keys.public))
    with pytest.raises(ScopeError, match="no re-encryption key"):
        scene.grant(keys, wrap(scene.owner, "hospital", "vitals"))
    assert scene.grant(keys, wrap(stranger, "hospital", "vitals"))


def test_arguments_that_are_none_are_refused(scene):
    with pytest.raises(InvalidInputError, match="no portion 'dental'"):
        wrap(scene.owner, "hospital", "dental")
    with pytest.raises(InvalidInputError, match="pharmacy"):
        wrap(scene.owner, "pharmacy", "vitals")
    with pytest.raises(WrongTypeError, match="party is an owner or a provider, not Cloud"):
        epochs(scene.cloud, "hospital")
    with pytest.raises(InvalidInputError, match="user has 3 bytes, expected 32"):
        scene.proxy.forget(b"ben")
    with pytest.raises(InvalidInputError, match="31 bytes, expected 32"):
        Keys(bytes(31))
    with pytest.raises(InvalidInputError, match="epoch is -1"):
        wrap(scene.owner, "hospital", "vitals", epoch=-1)
    with pytest.raises(MopseError):
        Keys().hand(Keys().public)


def test_it_says_what_it_is_and_what_it_is_not():
    for words in ("Not post-quantum", "single hop", "Unidirectional", "mopse.Owner.share"):
        assert words in reencryption.__doc__
    assert repr(Proxy()) == "Proxy(keys=0)"
