"""The audit log of a cloud: what it says, who holds it to that, and every way to rewrite it."""

import copy
import datetime
import hashlib
import os
import pickle
import stat
import struct
import subprocess
import sys

import polars as pl
import pytest
from reference_audit import consistency, inclusion, is_consistent, leaf, root, rooted
from scene import Scene

import mopse
from mopse import Field, Schema, _audit, messages, sharing
from mopse.errors import (
    DamagedFileError,
    FileAccessError,
    InvalidInputError,
    MopseError,
    ProofError,
    RewrittenError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)

SCHEMA = Schema(age=Field(0, 99, proof=True))
HEAD = 41
"""Bytes of a log's file before its first record."""


def records(path):
    """Return the entries in a log's file, as they stand there."""
    content, found, at = path.read_bytes(), [], HEAD
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        found.append(content[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def written(path, head, entries):
    """Write a log's file of entries."""
    path.write_bytes(head + b"".join(struct.pack("<I", len(one)) + one for one in entries))


def relinked(entries):
    """Return entries of one owner, numbered and chained anew, as whoever has the file can do."""
    link, made = bytes(32), []
    for number, entry in enumerate(entries):
        changed = entry[:32] + struct.pack("<Q", number) + link + entry[72:]
        made.append(changed)
        link = leaf(changed)
    return made


class Story(Scene):
    """An owner and providers at a cloud that keeps a log in a file."""

    def __init__(self, path, *providers):
        super().__init__(SCHEMA, *providers)
        self.path = path
        self.log = sharing.AuditLog(path)
        self.cloud = mopse.Cloud(audit_log=self.log)
        self.cloud.enroll(self.owner.public)

    def search(self, times=1):
        """Search so many times."""
        for _ in range(times):
            self.cloud.search(self.owner.query(age=(0, 50)))

    def reopened(self, entries):
        """Return a cloud over the log, rewritten to hold these entries instead."""
        self.log.close()
        written(self.path, self.path.read_bytes()[:HEAD], entries)
        self.log = sharing.AuditLog(self.path)
        cloud = mopse.Cloud(audit_log=self.log)
        cloud.enroll(self.owner.public)  # which it writes down
        return cloud


@pytest.fixture
def story(tmp_path):
    story = Story(tmp_path / "audit.log", "hospital", "clinic")
    yield story
    story.log.close()


def table(*ages):
    return pl.DataFrame({"id": range(len(ages)), "age": ages})


def test_the_log_says_who_did_what_when(story):
    owner, hospital, clinic = story.owner, story["hospital"], story["clinic"]
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    upload = hospital.encrypt(table(41, 70, 20), id="id")
    story.cloud.receive(upload)
    assert story.cloud.receive(upload).repeated
    seal = hospital.seal()
    story.cloud.receive(seal)
    attached = hospital.attach(0, b"scan", name="a.txt", media_type="text/plain", keywords=["ct"])
    story.cloud.receive(attached)
    query = owner.query(age=(0, 50))
    assert len(owner.decrypt(story.cloud.search(query), query)) == 2
    story.cloud.count(clinic.query(age=(0, 99)))
    request = owner.find("ct")
    [number] = owner.files(story.cloud.find(request), request)["file"]
    story.cloud.fetch(owner.fetch(number))
    hospital.catch_up(story.cloud)
    with pytest.raises(MopseError):
        story.cloud.search(bytes(query)[:-1])
    grant = owner.share(mopse.User.generate().public, provider="hospital")
    story.cloud.receive(sharing.statement(owner, "grant", grant))
    story.cloud.receive(owner.removal("hospital"))

    witness = sharing.Witness(owner.key, identity=story.log.identity)
    found = witness.entries(story.cloud, owner)
    assert found.select("what", "who", "amount").rows() == [
        ("enrolment", "", 1),
        ("upload", "hospital", 3),
        ("seal", "hospital", 0),
        ("attachment", "hospital", 1),
        ("search", "", 2),
        ("count", "clinic", 0),
        ("listing", "", 1),
        ("fetch", "", 1),
        ("notes", "hospital", 1),
        ("grant", "", 0),
        ("removal", "", 3),
    ]
    digests = dict(zip(found["what"], found["digest"], strict=True))
    signed = hashlib.sha512(bytes(attached)[:-64]).digest()
    assert digests["attachment"] == hashlib.sha256(signed).digest()
    for what, message in (("seal", seal), ("search", query)):
        assert digests[what] == hashlib.sha256(bytes(message)).digest(), what
    assert digests["grant"] == hashlib.sha256(grant).digest()
    after = datetime.datetime.now(datetime.UTC)
    assert found["time"].is_between(before, after).all()
    assert found["number"].to_list() == list(range(11))
    assert witness.entries(story.cloud, owner, 9)["what"].to_list() == ["grant", "removal"]
    assert witness.entries(story.cloud, owner, 11).height == 0
    with pytest.raises(InvalidInputError, match="has 11 entries"):
        witness.entries(story.cloud, owner, 12)


def test_the_log_holds_no_plaintext_and_neither_file_a_key_of_a_party(story, tmp_path):
    hospital = story["hospital"]
    frame = pl.DataFrame({"id": ["Ida-4711"], "age": [41], "diagnosis": ["Influenza"]})
    story.cloud.receive(hospital.encrypt(frame, id="id"))
    story.search(3)
    story.cloud.receive(sharing.statement(story.owner, "request", b"the reason is Influenza"))
    story.log.close()
    held = story.path.read_bytes() + (tmp_path / "audit.log.identity").read_bytes()
    for known in (b"Ida-4711", b"Influenza", b"diagnosis"):
        assert known not in held
    assert stat.S_IMODE((tmp_path / "audit.log.identity").stat().st_mode) == 0o600
    assert stat.S_IMODE(story.path.stat().st_mode) == 0o600


def test_what_the_core_says_is_what_a_second_implementation_computes(story):
    story.search(12)
    witness = sharing.Witness(story.owner.key)
    witness.watch(story.cloud, story.owner)
    story.log.close()
    entries = records(story.path)
    assert len(entries) == 13
    link = bytes(32)
    for number, entry in enumerate(entries):
        assert entry[:32] == story.owner.key
        assert struct.unpack_from("<Q", entry, 32) == (number,)
        assert entry[40:72] == link
        link = leaf(entry)
    assert witness.last.root == root([leaf(entry) for entry in entries])
    assert witness.last.size == 13


def read_answer(answer):
    """Return checkpoint, proofs, entries and path of what a cloud answers."""
    assert answer[:9] == b"MOPSEAUD\1"
    at = 25

    def number():
        nonlocal at
        at += 8
        return struct.unpack_from("<Q", answer, at - 8)[0]

    def taken(size):
        nonlocal at
        at += size
        return answer[at - size : at]

    checkpoint = taken(number())
    proofs = [[taken(32) for _ in range(number())] for _ in range(number())]
    start = number()
    entries = [taken(number()) for _ in range(number())]
    path = [taken(32) for _ in range(number())]
    assert at == len(answer)
    return checkpoint, proofs, start, entries, path


@pytest.mark.parametrize("size", [1, 2, 3, 8, 21, 32, 50])
def test_proofs_of_the_core_hold_by_a_second_implementation(size):
    owner = mopse.Owner.generate(SCHEMA)
    owner.authorize("hospital")
    cloud = mopse.Cloud(audit_log=sharing.AuditLog())
    cloud.enroll(owner.public)
    for _ in range(size - 1):
        cloud.count(owner.query(age=(0, 50)))

    def asked(since, start):
        _, message = owner._keyring.audit_request(since, start, 2**40)
        return read_answer(cloud.audit(message))

    checkpoint, _, _, entries, path = asked([], 0)
    leaves = [leaf(entry) for entry in entries]
    assert (len(leaves), path) == (size, [])
    checkpoint = sharing.Checkpoint(checkpoint)
    assert (checkpoint.size, checkpoint.root) == (size, root(leaves))
    sizes = list(range(size + 1))
    _, proofs, *_ = asked(sizes, None)
    for old, proof in zip(sizes, proofs, strict=True):
        assert proof == consistency(leaves, old)
        roots = root(leaves[:old]), root(leaves)
        assert old == 0 or is_consistent(old, size, roots, proof)
    # The last entry alone, by the path of one leaf.
    *_, [last], path = asked([], size - 1)
    assert path == inclusion(leaves, size - 1)
    assert rooted(size, size - 1, leaf(last), path) == checkpoint.root


def test_several_owners_have_logs_of_their_own(tmp_path):
    with sharing.AuditLog(tmp_path / "log") as log:
        cloud = mopse.Cloud(audit_log=log)
        owners = [mopse.Owner.generate(SCHEMA) for _ in range(3)]
        for times, owner in enumerate(owners, 1):
            owner.authorize("hospital")
            cloud.enroll(owner.public)
            for _ in range(times):
                cloud.count(owner.query(age=(0, 50)))
        for times, owner in enumerate(owners, 1):
            assert log.size(owner.key) == times + 1
            witness = sharing.Witness(owner.key)
            assert (
                witness.entries(cloud, owner)["what"].to_list() == ["enrolment"] + ["count"] * times
            )
        with pytest.raises(ScopeError, match="another owner"):
            sharing.Witness(owners[0].key).entries(cloud, owners[1])
        witness.watch(cloud, owners[2])
        with pytest.raises(ScopeError, match="another owner"):
            sharing.Witness(owners[0].key).compare(witness.last, cloud, owners[0])
        sizes = sharing.check_log(tmp_path / "log")
        assert sizes == {owner.key: times + 1 for times, owner in enumerate(owners, 1)}


LIES = {
    "removed": lambda entries: entries[:5] + entries[6:],
    "removed at the start": lambda entries: entries[1:],
    "changed": lambda entries: [
        *entries[:5],
        entries[5][:-40] + bytes([entries[5][-40] ^ 1]) + entries[5][-39:],
        *entries[6:],
    ],
    "reordered": lambda entries: [*entries[:5], entries[6], entries[5], *entries[7:]],
    "doubled": lambda entries: [*entries[:6], *entries[5:]],
    "cut": lambda entries: entries[:8],
    "emptied": lambda entries: [],
}


@pytest.mark.parametrize("lie", LIES)
def test_every_way_to_rewrite_a_log_is_found_by_its_witness(story, lie):
    witness = sharing.Witness(story.owner.key)
    for _ in range(12):
        # Time apart from the others, so that no two entries are one.
        story.cloud.count(story.owner.query(age=(0, 50)))
        witness.watch(story.cloud, story.owner)
    story.log.close()
    entries = records(story.path)
    lied = LIES[lie](entries)
    # By the chain, where the file was changed and nothing else; but for a cut at its end.
    changed = story.path.with_name("changed")
    written(changed, story.path.read_bytes()[:HEAD], lied)
    if lie not in ("cut", "emptied"):
        with pytest.raises(DamagedFileError, match=r"entry [0-6] of owner"):
            sharing.check_log(changed)
    # With the chain and the tree made anew, by whoever has the identity.
    cloud = story.reopened(relinked(lied))
    for ask in (
        lambda: witness.watch(cloud, story.owner),
        lambda: witness.entries(cloud, story.owner),
        lambda: witness.watch(cloud, story["hospital"]),
    ):
        with pytest.raises(RewrittenError) as caught:
            ask()
        assert isinstance(caught.value, ProofError)
    assert witness.last.size == 13, "what was seen is kept"
    with pytest.raises(RewrittenError):
        sharing.check_log(story.path, witness.seen)
    sharing.check_log(story.path)  # it is sound in itself: only a witness tells
    # Who has seen nothing believes it.
    believed = sharing.Witness(story.owner.key).watch(cloud, story.owner)
    assert believed.size == len(lied) + 1, "and the new cloud's enrolment"
    # The control: with the true one back, nothing is wrong.
    assert witness.watch(story.reopened(entries), story.owner).size == 14


def test_where_a_log_was_rewritten_is_said(story):
    witness = sharing.Witness(story.owner.key)
    for _ in range(10):
        story.search(3)
        witness.watch(story.cloud, story.owner)
    story.log.close()
    entries = records(story.path)
    for at in (2, 9, 17, 30):
        lied = relinked([*entries[:at], *entries[at + 1 :], entries[0]])
        cloud = story.reopened(lied)
        after = max([seen.size for seen in witness.seen if seen.size <= at], default=0)
        with pytest.raises(RewrittenError, match=f"after entry {after} at the earliest"):
            witness.watch(cloud, story.owner)
        with pytest.raises(RewrittenError, match=f"after entry {after} at the earliest"):
            sharing.check_log(story.path, witness.seen)


@pytest.mark.parametrize("moment", [2**64 - 1, 2**63, 253_402_300_800])
def test_a_time_that_no_calendar_has_is_none(story, moment):
    story.search(2)
    story.log.close()
    entries = records(story.path)
    entries[1] = entries[1][:72] + struct.pack("<Q", moment) + entries[1][80:]
    cloud = story.reopened(relinked(entries))
    found = sharing.Witness(story.owner.key).entries(cloud, story.owner)
    assert found["time"].is_null().to_list() == [False, True, False, False]
    assert _audit._time(moment) is None


def test_a_fork_is_found_when_two_witnesses_compare(story, tmp_path):
    story.search(5)
    owner, hospital = story.owner, story["hospital"]
    first, second = sharing.Witness(owner.key), sharing.Witness(owner.key)
    first.watch(story.cloud, owner)
    second.watch(story.cloud, hospital)
    story.log.close()
    (tmp_path / "other").mkdir()
    for name in ("audit.log", "audit.log.identity"):
        (tmp_path / "other" / name).write_bytes((tmp_path / name).read_bytes())
    # From here on the cloud tells each its own story.
    logs = [sharing.AuditLog(path) for path in (story.path, tmp_path / "other" / "audit.log")]
    clouds = [mopse.Cloud(audit_log=log) for log in logs]
    for cloud, times in zip(clouds, (3, 1), strict=True):
        cloud.enroll(owner.public)
        for _ in range(times):
            cloud.search(owner.query(age=(0, 50)))
    for _ in range(2):
        first.watch(clouds[0], owner)
        second.watch(clouds[1], hospital)  # each alone is content
    for witness, other, cloud in ((first, second, clouds[0]), (second, first, clouds[1])):
        with pytest.raises(RewrittenError):
            witness.compare(other.last, cloud, owner)
    # Of one size, nobody need be asked.
    clouds[1].search(owner.query(age=(0, 50)))
    clouds[1].search(owner.query(age=(0, 50)))
    forked = logs[1].checkpoint(owner.key)
    assert forked.size == first.last.size
    assert forked.root != first.last.root
    with pytest.raises(RewrittenError, match="two logs"):
        first.watch(clouds[0], owner, others=[forked])
    for log in logs:
        log.close()


def test_witnesses_of_one_log_agree_whoever_is_ahead(story):
    owner = story.owner
    early, late = sharing.Witness(owner.key), sharing.Witness(owner.key)
    early.watch(story.cloud, owner)
    story.search(9)
    late.watch(story.cloud, story["clinic"])
    assert late.compare(early.last, story.cloud, owner).size == 10
    assert early.compare(late.last, story.cloud, owner).size == 10
    assert late.compare(late.last, story.cloud, owner) == late.last


def test_a_witness_is_kept_in_a_file(story, tmp_path):
    witness = sharing.Witness(story.owner.key)
    witness.watch(story.cloud, story.owner)
    witness.save(tmp_path / "seen")
    opened = sharing.Witness.open(tmp_path / "seen")
    assert (opened.seen, opened.identity) == (witness.seen, story.log.identity)
    story.search()
    assert opened.watch(story.cloud, story.owner).size == 2
    content = (tmp_path / "seen").read_bytes()
    for at in range(0, len(content), 7):
        (tmp_path / "changed").write_bytes(
            content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]
        )
        with pytest.raises((DamagedFileError, SignatureError)):
            sharing.Witness.open(tmp_path / "changed")


def test_another_identity_is_refused(story, tmp_path):
    owner = story.owner
    witness = sharing.Witness(owner.key)
    witness.watch(story.cloud, owner)
    other = mopse.Cloud(audit_log=sharing.AuditLog())
    other.enroll(owner.public)
    with pytest.raises(SignatureError, match="identity"):
        witness.watch(other, owner)
    with pytest.raises(SignatureError, match="identity"):
        sharing.Witness(owner.key, identity=bytes(32)).watch(story.cloud, owner)
    sharing.AuditLog(tmp_path / "new", identity=tmp_path / "b").close()
    story.log.close()
    with pytest.raises(SignatureError, match="identity"):
        sharing.AuditLog(story.path, identity=tmp_path / "b")


def test_one_process_has_a_log_and_it_is_let_go(story, tmp_path):
    with pytest.raises(FileAccessError, match=r"audit\.log.*another process"):
        sharing.AuditLog(story.path)
    story.log.close()
    with pytest.raises(FileAccessError, match="closed"):
        story.search()
    story.log.close()
    sharing.AuditLog(story.path).close()
    story.path.unlink()
    with pytest.raises(InvalidInputError, match=r"identity.*no log"):
        sharing.AuditLog(story.path)
    with pytest.raises(FileAccessError):
        sharing.AuditLog(tmp_path / "none" / "log")
    (tmp_path / "text").write_text("no log, but long enough to have been one of this package's")
    with pytest.raises(DamagedFileError):
        sharing.AuditLog(tmp_path / "text", identity=tmp_path / "audit.log.identity")
    assert (tmp_path / "text").read_text().startswith("no log"), "it is left as it was"


def test_a_statement_is_signed_and_written_once(story):
    stated = sharing.statement(story["hospital"], "approval", b"a request")
    assert (stated.what, stated.who) == ("approval", "hospital")
    assert messages.Statement(bytes(stated)).digest == hashlib.sha256(b"a request").digest()
    assert not story.cloud.receive(stated).repeated
    assert story.cloud.receive(bytes(stated)).repeated
    assert story.log.size(story.owner.key) == 2
    for at in range(len(bytes(stated))):
        forged = bytearray(bytes(stated))
        forged[at] ^= 1
        with pytest.raises(MopseError):
            story.cloud.receive(bytes(forged))
    bare = mopse.Cloud()
    bare.enroll(story.owner.public)
    with pytest.raises(InvalidInputError, match="keeps no audit log"):
        bare.receive(stated)
    other = mopse.Owner.generate(SCHEMA)
    with pytest.raises(ScopeError):
        story.cloud.receive(sharing.statement(other, "approval", b"a request"))
    assert story.log.size(story.owner.key) == 2


def test_who_has_no_keyring_neither_states_nor_watches(story):
    user = mopse.User.generate()
    with pytest.raises(WrongTypeError, match="party is an owner or a provider"):
        sharing.statement(user, "grant", b"")
    with pytest.raises(WrongTypeError, match="party is an owner or a provider"):
        sharing.Witness(story.owner.key).watch(story.cloud, user)
    with pytest.raises(InvalidInputError, match="expected one of"):
        sharing.statement(story.owner, "party", b"")
    with pytest.raises(ScopeError, match="entries of the audit log"):
        sharing.Witness(story.owner.key).entries(story.cloud, story["hospital"])
    bare = mopse.Cloud()
    bare.enroll(story.owner.public)
    with pytest.raises(InvalidInputError, match="no audit log"):
        sharing.Witness(story.owner.key).watch(bare, story.owner)


def test_what_they_are_is_neither_pickled_nor_copied_where_it_must_not_be(story):
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(WrongTypeError):
            attempt(story.log)
    checkpoint = story.log.checkpoint(story.owner.key)
    assert sharing.Checkpoint(bytes(checkpoint)) == checkpoint
    assert hash(sharing.Checkpoint(bytes(checkpoint))) == hash(checkpoint)
    assert checkpoint.identity == story.log.identity
    for thing in (story.log, checkpoint, sharing.Witness(story.owner.key)):
        assert type(thing).__name__ in repr(thing)


WRITER = """
import sys, mopse
from mopse import sharing
owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 99)))
hospital = owner.authorize("hospital")
with open(sys.argv[2], "wb") as file:
    file.write(owner.key)
cloud = mopse.Cloud(audit_log=sharing.AuditLog(sys.argv[1], every=0.001))
cloud.enroll(owner.public)
for number in range(10**6):
    cloud.search(owner.query(age=(0, 50)))
    if number % 5 == 0:
        cloud.receive(hospital.encrypt({"id": [number], "age": [40]}, id="id"))
        print(number, flush=True)
"""


def test_what_was_acknowledged_is_in_the_log_after_a_kill(tmp_path):
    path, key = tmp_path / "log", tmp_path / "key"
    for kill in range(6):
        for file in tmp_path.iterdir():
            file.unlink()
        command = [sys.executable, "-c", WRITER, str(path), str(key)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            told = [process.stdout.readline() for _ in range(2 + 3 * kill)]
            process.kill()
            told += process.stdout.readlines()
        [size] = sharing.check_log(path).values()
        # Of each round that was told of: its search before it, and the upload.
        uploads = [one for one in records(path) if one[80] == 2]
        assert len(uploads) >= len([one for one in told if one.endswith("\n")])
        with sharing.AuditLog(path) as log:
            assert log.size(key.read_bytes()) == size


FULL = """
import resource, sys, mopse
from mopse import sharing
owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 99)))
owner.authorize("hospital")
log = sharing.AuditLog(sys.argv[1], every=60)
cloud = mopse.Cloud(audit_log=log)
cloud.enroll(owner.public)
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
told = []
for _ in range(40):
    try:
        cloud.search(owner.query(age=(0, 50)))
        cloud.receive(sharing.statement(owner, "grant", b""))
    except mopse.errors.FileAccessError as error:
        told.append(str(error))
assert told and "nothing is answered" in told[0], told
assert len(told) > 20
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log._log.sync()
cloud.search(owner.query(age=(0, 50)))
seen = sharing.Witness(owner.key).entries(cloud, owner)
log.close()
[size] = sharing.check_log(sys.argv[1]).values()
assert size == seen.height, (size, seen.height)
"""


def test_a_full_disk_ends_answers_and_loses_nothing(tmp_path):
    command = [sys.executable, "-c", FULL, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_leaves_its_parent_s_log_alone(story):
    script = f"""
import os, mopse, warnings
from mopse import sharing
warnings.simplefilter("ignore")
owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 99)))
owner.authorize("hospital")
cloud = mopse.Cloud(audit_log=sharing.AuditLog({str(story.path) + "2"!r}))
cloud.enroll(owner.public)
child = os.fork()
if child == 0:
    try:
        cloud.search(owner.query(age=(0, 50)))
    except mopse.errors.ForkedError:
        os._exit(7)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
cloud.search(owner.query(age=(0, 50)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
