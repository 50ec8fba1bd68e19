"""Emergency access: enough trustees open one record, the log says so first, and fewer open nothing.

What is said of shares by hand here is of the head of `mopse.sharing._emergency`, read without it.
"""

import contextlib
import datetime
import hashlib
import itertools
import pickle
import weakref

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import Scene

import mopse
from mopse import Field, Schema, sharing
from mopse.errors import (
    AnswerError,
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    InvalidInputError,
    MopseError,
    ScopeError,
    WrongTypeError,
)
from mopse.sharing import _emergency

SCHEMA = Schema(age=Field(0, 99), portions={"contact": ["name"]})
TABLE = pl.DataFrame({"id": [17, 18], "age": [41, 70], "name": ["name of 17", "name of 18"]})
KEYS = [bytes([number] * 32) for number in range(1, 6)]
WHY = "unconscious, allergies unknown"


class Ward(Scene):
    """A hospital with two records, and a clinic that has no keys of it, at a cloud with a log."""

    def __init__(self, cloud=None):
        cloud = cloud or mopse.Cloud(audit_log=sharing.AuditLog())
        super().__init__(SCHEMA, "hospital", "clinic", cloud=cloud)
        self.send("hospital", TABLE)

    def arrange(self, number=3, **given):
        """Return what the owner arranges with so many trustees: two of them open, by default."""
        given = {"portions": ["rest"], "ids": [17, 18], **given}
        return sharing.arrange_emergency(self.owner, "hospital", keys=KEYS[:number], **given)

    def open(self, arranged, trustees, record=17, *, by="clinic", reason=WHY):
        """Open a record with the shares of trustees, counted from 0."""
        shares = {KEYS[at]: arranged.shares[at] for at in trustees}
        return sharing.open_in_emergency(shares, self.cloud, self[by], record, reason=reason)

    def log(self):
        """Return what stands in the log."""
        entries = sharing.Witness(self.owner.key).entries(self.cloud, self.owner)
        return entries.select("what", "who", "digest")

    def renew(self):
        """Have a readers' epoch begin, of which everybody hears."""
        self.owner.renew_readers()
        self.enroll()
        for provider in self.providers.values():
            provider.catch_up(self.cloud)


@pytest.fixture
def ward():
    return Ward()


@pytest.mark.parametrize("by", ["clinic", "hospital"])
@pytest.mark.parametrize("trustees", [(0, 1), (0, 2), (2, 1), (0, 1, 2)])
def test_two_of_three_open_the_one_record_and_the_log_had_it_before(ward, trustees, by):
    arranged = ward.arrange()
    before = len(ward.log())
    found = ward.open(arranged, trustees, by=by)
    assert found.rows(named=True) == [{"id": 17, "age": 41, "provider": "hospital"}]
    rows = ward.log().rows()[before:]
    # Whoever has keys of the records looks them up itself, and else who arranged it did so.
    searcher = by if by == "hospital" else ""
    assert [row[:2] for row in rows] == [("emergency", by), ("search", searcher)]
    assert rows[0][2] == hashlib.sha256(arranged.about(17, WHY)).digest()


@settings(max_examples=15)
@given(
    shape=st.integers(2, 5).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))),
    data=st.data(),
)
def test_any_set_of_trustees_from_the_threshold_on_opens_it_and_no_smaller_one(shape, data):
    number, threshold = shape
    trustees = data.draw(st.permutations(range(number)))
    ward = WARD[0]
    arranged = ward.arrange(number, threshold=threshold)
    for size in range(1, number + 1):
        chosen = trustees[:size]
        if size >= threshold:
            record = data.draw(st.sampled_from([17, 18]))
            assert ward.open(arranged, chosen, record)["id"].to_list() == [record]
        else:
            needed = f"shares of {threshold} trustees are needed, and {size} given"
            with pytest.raises(InvalidInputError, match=needed):
                ward.open(arranged, chosen)


WARD = []


@pytest.fixture(autouse=True, scope="module")
def shared_ward():
    WARD.append(Ward())
    yield
    WARD.clear()


def test_three_of_five_open_it_in_every_combination():
    ward = WARD[0]
    arranged = ward.arrange(5, threshold=3)
    for trustees in itertools.combinations(range(5), 3):
        assert ward.open(arranged, trustees)["age"].to_list() == [41]
    for trustees in itertools.combinations(range(5), 2):
        with pytest.raises(InvalidInputError, match="3 trustees are needed, and 2 given"):
            ward.open(arranged, trustees)


def test_a_cloud_without_a_log_is_refused_and_nothing_is_opened(monkeypatch):
    ward = Ward(mopse.Cloud())
    arranged = ward.arrange()
    monkeypatch.setattr(_emergency, "join", lambda _: pytest.fail("shares were joined"))
    with pytest.raises(InvalidInputError, match="log"):
        ward.open(arranged, (0, 1))


def test_a_statement_that_is_refused_opens_nothing(ward, monkeypatch):
    arranged = ward.arrange()
    ward.owner.revoke("clinic")  # which is now a stranger to the cloud
    ward.enroll()
    monkeypatch.setattr(_emergency, "join", lambda _: pytest.fail("shares were joined"))
    monkeypatch.setattr(ward.cloud, "search", lambda *_, **__: pytest.fail("it was searched"))
    with pytest.raises(ScopeError):
        ward.open(arranged, (0, 1))


def test_the_log_has_it_also_where_the_shares_then_open_nothing(ward):
    arranged = ward.arrange()
    before = len(ward.log())
    wrong = {KEYS[0]: arranged.shares[0], KEYS[4]: arranged.shares[1]}
    with pytest.raises(DecryptionError, match="share of trustee 2 was changed, or is under anoth"):
        sharing.open_in_emergency(wrong, ward.cloud, ward["clinic"], 17, reason=WHY)
    assert ward.log().rows()[before:] == [
        ("emergency", "clinic", hashlib.sha256(arranged.about(17, WHY)).digest())
    ]


def test_a_share_of_another_arrangement_is_refused(ward):
    one, other = ward.arrange(), ward.arrange()
    mixed = {KEYS[0]: one.shares[0], KEYS[1]: other.shares[1]}
    before = ward.log()
    with pytest.raises(ScopeError, match="share of trustee 2 is of another arrangement"):
        sharing.open_in_emergency(mixed, ward.cloud, ward["clinic"], 17, reason=WHY)
    # Under a head that says it is of the same one, it still is not.
    head, _ = _emergency._read_share(one.shares[1])
    _, sealed = _emergency._read_share(other.shares[1])
    mixed[KEYS[1]] = _emergency._MAGIC + _emergency._packed(head, sealed)
    assert ward.log().equals(before)
    with pytest.raises(DecryptionError, match="one is of another arrangement"):
        sharing.open_in_emergency(mixed, ward.cloud, ward["clinic"], 17, reason=WHY)


def test_every_changed_byte_and_every_cut_of_a_share_is_refused():
    ward = WARD[0]
    arranged = ward.arrange(ids=[17])
    whole = arranged.shares[1]
    head, _ = _emergency._read_share(whole)
    # Every byte of the head and of what stands in front of the sealed share, and some of the rest.
    places = [*range(9 + 16 + len(head) + 27 + 12), *range(len(whole) - 40, len(whole))]
    for at in places:
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        given = {KEYS[0]: arranged.shares[0], KEYS[1]: bytes(changed)}
        with pytest.raises((DamagedFileError, DecryptionError, InvalidInputError, ScopeError)):
            sharing.open_in_emergency(given, ward.cloud, ward["clinic"], 17, reason=WHY)
    for end in [*range(0, 200), len(whole) - 1]:
        given = {KEYS[0]: arranged.shares[0], KEYS[1]: whole[:end]}
        with pytest.raises(MopseError):
            sharing.open_in_emergency(given, ward.cloud, ward["clinic"], 17, reason=WHY)


@given(head=st.binary(max_size=300), sealed=st.binary(max_size=60))
def test_whatever_stands_in_a_share_is_read_or_refused(head, sealed):
    for share in (head, _emergency._MAGIC + head, _emergency._MAGIC + packed(head, sealed)):
        with contextlib.suppress(DamagedFileError):
            sharing.EmergencyArrangement.from_share(share)


def packed(*parts):
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def test_a_head_that_all_shares_agree_on_is_held_against_the_secret(ward):
    arranged = ward.arrange()
    given = {}
    for key, share in zip(KEYS[:2], arranged.shares, strict=False):
        assert share.count(b"rest") == 1
        given[key] = share.replace(b"rest", b"best")
    assert sharing.EmergencyArrangement.from_share(given[KEYS[0]]).portions == ("best",)
    with pytest.raises(DecryptionError, match="what the shares say of their arrangement was chan"):
        sharing.open_in_emergency(given, ward.cloud, ward["clinic"], 17, reason=WHY)


def test_one_trustee_counts_once(ward):
    arranged = ward.arrange()
    twice = {KEYS[0]: arranged.shares[0], KEYS[1]: arranged.shares[0]}
    with pytest.raises(InvalidInputError, match="share of trustee 1 is given twice"):
        sharing.open_in_emergency(twice, ward.cloud, ward["clinic"], 17, reason=WHY)


def test_no_message_of_an_error_holds_a_key_a_share_or_the_reason(ward):
    arranged = ward.arrange()
    wrong = [
        {KEYS[0]: arranged.shares[0], KEYS[4]: arranged.shares[1]},
        {KEYS[0]: arranged.shares[0]},
        {KEYS[0][:31]: arranged.shares[0], KEYS[1]: arranged.shares[1]},
        {KEYS[0]: arranged.shares[0], KEYS[1]: b""},
    ]
    for shares in wrong:
        with pytest.raises(MopseError) as caught:
            sharing.open_in_emergency(shares, ward.cloud, ward["clinic"], 17, reason=WHY)
        for secret in (*shares, *shares.values()):
            assert not secret or repr(secret) not in str(caught.value)
            assert not secret or secret.hex() not in str(caught.value)
        assert WHY not in str(caught.value)


def test_a_record_that_is_not_there_or_not_arranged_is_refused(ward):
    arranged = ward.arrange(ids=[17, 99])
    for by in ("clinic", "hospital"):
        with pytest.raises(InvalidInputError, match="'hospital' has no such record"):
            ward.open(arranged, (0, 1), 99, by=by)
    with pytest.raises(ScopeError, match="cannot look up records of provider 'hospital'"):
        ward.open(arranged, (0, 1), 18)
    with pytest.raises(ScopeError, match="no lookup of this one was arranged"):
        ward.open(arranged, (0, 1), "17")  # text is another id than the integer
    assert ward.open(arranged, (0, 1), 18, by="hospital")["id"].to_list() == [18]


def test_it_opens_no_other_provider_and_no_other_portion(ward):
    ward.send("clinic", TABLE)
    arranged = ward.arrange(ids=None)
    # The clinic has a record of this id itself: what is opened is the hospital's, or nothing.
    with pytest.raises(ScopeError, match="cannot look up records of provider 'hospital'"):
        ward.open(arranged, (0, 1))
    found = ward.open(ward.arrange(portions=["contact"]), (0, 1))
    assert found.rows(named=True) == [{"name": "name of 17", "provider": "hospital"}]
    both = ward.open(ward.arrange(portions=None), (0, 1))
    assert both.columns == ["id", "age", "name", "provider"]


def test_a_party_of_another_owner_is_refused(ward):
    other = Ward(ward.cloud)
    shares = dict(zip(KEYS[:2], ward.arrange().shares, strict=False))
    with pytest.raises(ScopeError, match="of another owner than the party"):
        sharing.open_in_emergency(shares, ward.cloud, other["clinic"], 17, reason=WHY)


def test_what_is_sealed_after_the_readers_epoch_advanced_stays_closed_to_old_shares(ward):
    old = ward.arrange(ids=[17, 19])
    assert old.is_current(ward.owner)
    ward.owner.authorize("pharmacy")  # a joiner changes nothing
    ward.enroll()
    assert old.is_current(ward.owner)
    ward.renew()
    assert not old.is_current(ward.owner)
    ward.send("hospital", pl.DataFrame({"id": [19], "age": [50], "name": ["name of 19"]}))
    for by in ("clinic", "hospital"):
        with pytest.raises(ScopeError, match="arrangement is outdated: readers' epoch 1 of prov"):
            ward.open(old, (0, 1), 19, by=by)
    assert ward.open(old, (0, 1), 17)["age"].to_list() == [41], "what was sealed before stays open"
    anew = ward.arrange(ids=[17, 19])
    assert anew.is_current(ward.owner)
    for record, age in ((17, 41), (19, 50)):
        assert ward.open(anew, (0, 2), record)["age"].to_list() == [age]


def test_who_combines_shares_could_open_every_record_of_the_epoch(ward):
    """The code opens one; that it could be all is said, and shown here."""
    arranged = ward.arrange()
    given = {KEYS[at]: _emergency._read_share(arranged.shares[at])[1] for at in (0, 2)}
    _, grant, *_ = _emergency._unpacked(mopse.secret_sharing.join(given))
    query = ward.owner.query(age=(0, 99))
    found = mopse.User(SCHEMA, [grant]).decrypt(ward.cloud.search(query), query)
    assert sorted(found["id"]) == [17, 18]


@pytest.mark.parametrize("record", [17, 99])
def test_nothing_of_the_key_stays_referenced(ward, monkeypatch, record):
    users = []

    class Watched(mopse.User):
        def __init__(self, *given):
            super().__init__(*given)
            users.append(weakref.ref(self))

    monkeypatch.setattr(_emergency, "User", Watched)
    arranged = ward.arrange()
    caught = None
    try:
        ward.open(arranged, (0, 1), record)
    except MopseError as error:
        caught = error  # whose frames are still there
    assert (caught is None) == (record == 17)
    assert [user() for user in users] == [None] * len(users)
    assert users or record == 99
    frame = caught.__traceback__ if caught else None
    while frame is not None:
        held = frame.tb_frame.f_locals
        assert not {"secret", "opening", "reader", "lookups"} & held.keys()
        frame = frame.tb_next


def test_an_answer_to_another_question_is_refused(ward, monkeypatch):
    arranged, search = ward.arrange(), ward.cloud.search
    other = ward.owner.lookup([18], provider="hospital")
    monkeypatch.setattr(ward.cloud, "search", lambda *_, **given: search(other, **given))
    with pytest.raises(AnswerError):
        ward.open(arranged, (0, 1))


def test_what_a_provider_sealed_in_an_earlier_epoch_of_its_group_says_so(ward):
    ward.owner.revoke("clinic")
    for path in ("hospital", "clinic"):
        ward.authorize(path)
    ward.enroll()
    anew = ward.arrange()
    with pytest.raises(ScopeError, match="hospital"):
        ward.open(anew, (0, 1))
    ward["hospital"].renew(ward.cloud)
    assert ward.open(anew, (0, 1))["id"].to_list() == [17]


def test_an_arrangement_ends(ward):
    arranged = ward.arrange(expires_in=datetime.timedelta(days=2))
    now = datetime.datetime.now(datetime.UTC)
    assert abs((arranged.ends - now).days - 1) <= 1
    over = ward.arrange(expires_in=-datetime.timedelta(days=2))
    before = ward.log()
    with pytest.raises(ExpiredError, match="the arrangement ended on"):
        ward.open(over, (0, 1))
    assert ward.log().equals(before)


def test_a_share_says_what_it_is_of_and_nothing_else(ward):
    arranged = ward.arrange()
    for share in arranged.shares:
        read = sharing.EmergencyArrangement.from_share(share)
        assert read == arranged
        assert read.shares == ()
        assert read.about(17, WHY) == arranged.about(17, WHY)
    assert (arranged.provider, arranged.portions) == ("hospital", ("rest",))
    assert (arranged.threshold, arranged.trustees) == (2, 3)
    assert arranged.owner == ward.owner.key
    assert pickle.loads(pickle.dumps(arranged)).shares == arranged.shares
    about = {arranged.about(17, WHY), arranged.about("17", WHY), arranged.about(17, WHY + " "),
             arranged.about(18, WHY), ward.arrange().about(17, WHY)}  # fmt: skip
    assert len(about) == 5


def test_a_provider_arranges_for_its_own_records(ward):
    arranged = sharing.arrange_emergency(ward["hospital"], "hospital", keys=KEYS[:2], ids=[17])
    assert ward.open(arranged, (0, 1))["id"].to_list() == [17]
    with pytest.raises(MopseError):
        sharing.arrange_emergency(ward["clinic"], "hospital", keys=KEYS[:2])


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"threshold": 1}, "threshold is less than 2"),
        ({"threshold": 4}, "threshold is over 3"),
        ({"portions": ["files"]}, "portions are of files alone"),
        ({"portions": ["nothing"]}, "no portion 'nothing'"),
        ({"portions": []}, "at least one portion"),
        ({"ids": [17, None]}, "id is null"),
        ({"number": 1}, "keys are of 1 trustees, expected 2 to 255"),
    ],
)
def test_an_arrangement_that_cannot_be_is_refused(ward, given, fault):
    with pytest.raises(InvalidInputError, match=fault):
        ward.arrange(**given)


def test_keys_that_cannot_be_are_refused_by_position(ward):
    def arrange(keys, **more):
        return sharing.arrange_emergency(ward.owner, "hospital", keys=keys, **more)

    with pytest.raises(InvalidInputError, match="key of trustee 3 is that of an earlier trustee"):
        arrange([KEYS[0], KEYS[1], KEYS[0]])
    with pytest.raises(InvalidInputError, match="key of trustee 2 has 31 bytes, expected 32"):
        arrange([KEYS[0], KEYS[1][:31]])
    with pytest.raises(InvalidInputError, match="expected 2 to 255"):
        arrange([number.to_bytes(32, "big") for number in range(256)])
    with pytest.raises(InvalidInputError, match="bytes to share, expected 1048576 at most"):
        arrange(KEYS[:2], ids=range(6000))
    with pytest.raises(InvalidInputError):
        sharing.arrange_emergency(ward.owner, "nobody", keys=KEYS[:2])


def test_an_opening_without_a_reason_or_a_party_is_refused(ward):
    arranged = ward.arrange()
    before = ward.log()
    with pytest.raises(InvalidInputError, match="reason is empty"):
        ward.open(arranged, (0, 1), reason=" ")
    shares = dict(zip(KEYS[:2], arranged.shares, strict=False))
    for party in (mopse.User.generate(), None):
        with pytest.raises(WrongTypeError, match="party is an owner or a provider"):
            sharing.open_in_emergency(shares, ward.cloud, party, 17, reason=WHY)
    for record in (None, 17.0, True, [17], "\u0000"):
        with pytest.raises(InvalidInputError, match="record"):
            ward.open(arranged, (0, 1), record)
    with pytest.raises(InvalidInputError, match="no trustee's share is given"):
        sharing.open_in_emergency({}, ward.cloud, ward["clinic"], 17, reason=WHY)
    assert ward.log().equals(before)
