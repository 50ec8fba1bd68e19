"""Attachments whose command was ended at a bad time, and is given again."""

import contextlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
import terminal
from terminal import PASSWORDS

from mopse import Cloud, Field, Owner, Provider, Schema
from mopse.cli._session import Session
from mopse.errors import UnreachableError

SCHEMA = Schema(age=Field(0, 120, proof=True))
INTERRUPTED = 130


class Ward:
    """A folder with a provider and a cloud, and how often that cloud was sent something."""

    def __init__(self, folder, monkeypatch) -> None:
        self.folder, self.patch = folder, monkeypatch
        owner = Owner.generate(SCHEMA)
        hospital = owner.authorize("hospital")
        with Cloud(folder / "phr.duckdb") as cloud:
            cloud.enroll(owner.public)
            cloud.receive(hospital.encrypt({"id": [1], "age": [41]}, id="id"))
        hospital.save(folder / "hospital.keyring", PASSWORDS["hospital"])
        owner.save(folder / "owner.keyring", PASSWORDS["owner"])
        (folder / "x.jpg").write_bytes(b"the image of a patient")

    def run(self, name, *arguments, expect=0):
        """Give a command as a party."""
        where = "--as", f"{name}.keyring", "--cloud", "phr.duckdb"
        keys = [PASSWORDS[name]]
        return terminal.mopse_here(*arguments, *where, folder=self.folder, keys=keys, expect=expect)

    def attach(self, *more, record="1", word="x-ray", expect=0):
        """Attach the image."""
        given = "attach", record, "x.jpg", "--keyword", word, *more
        return self.run("hospital", *given, expect=expect)

    def attach_badly(self, when, error, expect):
        """Attach the image, and be ended before or after the cloud took it."""
        receive = Cloud.receive

        def end(cloud, message):
            if when == "after":
                receive(cloud, message)
            raise error

        with self.patch.context() as patched:
            patched.setattr(Cloud, "receive", end)
            return self.attach(expect=expect)

    def found(self, *words):
        """Return the numbers of files, as the owner finds them by words."""
        given = "find", *(words or ["x-ray"]), "--json"
        where = "--as", "owner.keyring", "--cloud", "phr.duckdb"
        keys = [PASSWORDS["owner"]]
        said = terminal.mopse_here(*given, *where, folder=self.folder, keys=keys)
        return {one["file"] for one in json.loads(said.stdout)["files"]}

    def kept(self):
        """Return the files beside the keyring that hold attachments."""
        return sorted(self.folder.glob("*.attachment"))


@pytest.fixture
def ward(tmp_path, monkeypatch):
    return Ward(tmp_path, monkeypatch)


ENDS = [
    pytest.param(KeyboardInterrupt(), INTERRUPTED, id="interrupted"),
    pytest.param(UnreachableError("the answer was lost"), 1, id="unanswered"),
]


@pytest.mark.parametrize(("error", "expect"), ENDS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_same_command_again_attaches_once(ward, when, error, expect):
    ward.attach_badly(when, error, expect)
    [kept] = ward.kept()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert b"patient" not in kept.read_bytes()
    said = json.loads(ward.attach("--json").stdout)
    assert said["repeated"] is (when == "after")
    assert ward.found() == {said["file"]}
    assert ward.kept() == []
    ward.run("hospital", "seal")  # by the ledger, which has kept count
    # It is known to be done, so that this would be another one.
    assert f"has this file already, as {said['file']}" in ward.attach(expect=1).stderr
    assert ward.found() == {said["file"]}
    ward.attach("--again")
    assert len(ward.found()) == 2


def test_another_command_meanwhile_is_another_one(ward):
    ward.attach_badly("after", KeyboardInterrupt(), INTERRUPTED)
    ward.attach("--again", word="other")
    ward.attach("--unchecked", record="2")
    ward.attach("--name", "y.jpg")
    ward.attach("--unchecked", "--text-ids")
    [_] = ward.kept()
    assert (len(ward.found()), len(ward.found("other"))) == (4, 1)
    assert "attached before as" in ward.attach().stdout
    assert len(ward.found()) == 4
    assert ward.kept() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_cloud_takes_no_more_is_attached_anew_unless_it_came(ward, when):
    ward.attach_badly(when, KeyboardInterrupt(), INTERRUPTED)
    given = "owner", "renew-readers", "--keyring", "owner.keyring", "--cloud", "phr.duckdb"
    terminal.mopse_here(*given, folder=ward.folder, keys=[PASSWORDS["owner"]])
    said = json.loads(ward.attach("--json").stdout)
    assert said["repeated"] is (when == "after")
    assert ward.found() == {said["file"]}
    assert ward.kept() == []


def test_what_is_refused_is_not_kept(ward):
    assert "keyword" in ward.attach(word="\u00ad", expect=1).stderr
    owner = Owner.open(ward.folder / "owner.keyring", PASSWORDS["owner"])
    owner.authorize("clinic")
    owner.revoke("clinic")
    with Cloud(ward.folder / "phr.duckdb") as cloud:
        cloud.enroll(owner.public)
    assert "epoch" in ward.attach(expect=1).stderr
    assert ward.kept() == []


def test_half_of_what_was_kept_is_not_sent(ward):
    ward.attach_badly("before", KeyboardInterrupt(), INTERRUPTED)
    [kept] = ward.kept()
    kept.write_bytes(kept.read_bytes()[:-1])
    ward.attach()
    assert len(ward.found()) == 1
    assert ward.kept() == []


def test_a_file_that_a_record_has_is_refused_and_any_other_is_not(ward):
    first = json.loads(ward.attach("--json").stdout)["file"]
    for more in ((), ("--json",), ("--unchecked",)):
        refused = ward.attach(*more, word="another word", expect=1)
        assert f"as {first}, and nothing was attached: --again does it" in refused.stderr
        assert refused.stdout == ""
    assert ward.kept() == []
    ward.attach("--name", "y.jpg")
    ward.attach("--media-type", "image/x")
    ward.attach("--unchecked", record="2")
    (ward.folder / "x.jpg").write_bytes(b"THE IMAGE OF A PATIENT")  # of the same length
    ward.attach()
    assert len(ward.found()) == 5
    # Also after a revocation and `renew`, where the record has another pseudonym.
    owner = "--keyring", "owner.keyring", "--cloud", "phr.duckdb"
    keys = [PASSWORDS["owner"], PASSWORDS["hospital"]]
    given = "owner", "authorize", "clinic", *owner, "--to", "clinic.keyring"
    terminal.mopse_here(*given, folder=ward.folder, keys=keys)
    terminal.mopse_here("owner", "revoke", "clinic", *owner, folder=ward.folder, keys=keys[:1])
    given = "owner", "authorize", "hospital", *owner, "--to", "hospital.keyring", "--replace"
    terminal.mopse_here(*given, folder=ward.folder, keys=keys)
    ward.run("hospital", "renew")
    assert "has this file already" in ward.attach(expect=1).stderr


def test_a_record_whose_files_do_not_all_open_gets_another(ward, monkeypatch):
    ward.attach()
    describe = Provider.files

    def half(provider, *given, **more):
        files, faults = describe(provider, *given, **more)
        return files.clear(), faults

    monkeypatch.setattr(Provider, "files", half)
    ward.attach()
    assert len(ward.found()) == 2


LOADING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "pandas.core":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from mopse.cli import main
main()
"""


def large(ward, size=6 << 20):
    """Have the image be large, attach it, and return its number and what it holds."""
    content = os.urandom(size)
    (ward.folder / "x.jpg").write_bytes(content)
    ward.attach()
    [number] = ward.found()
    return number, content


def fetch(ward, number, *more, out="out.jpg", expect=0):
    """Fetch a file as the owner."""
    return ward.run("owner", "fetch", number, "--out", out, "--proof", *more, expect=expect)


def test_a_large_file_is_written_whole_or_not_at_all(ward):
    number, content = large(ward)
    before = {path.name for path in ward.folder.iterdir()}
    out = ward.folder / "out.jpg"
    fetch(ward, number)
    assert out.read_bytes() == content
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    out.write_bytes(b"mine")
    assert "--replace writes in its place" in fetch(ward, number, expect=1).stderr
    assert out.read_bytes() == b"mine"
    # The cloud's copy is damaged: what was there stays, and nothing else is left.
    [body] = [path for path in ward.folder.glob("phr.duckdb.files/*")]
    whole = body.read_bytes()
    body.write_bytes(whole[: 5 << 20] + b"\0" + whole[(5 << 20) + 1 :])
    fetch(ward, number, "--replace", expect=1)
    assert out.read_bytes() == b"mine"
    out.unlink()
    fetch(ward, number, expect=1)
    assert {path.name for path in ward.folder.iterdir()} <= before | {"owner.keyring.lock"}
    body.write_bytes(whole)
    out.write_bytes(b"mine")
    fetch(ward, number, "--replace")
    assert out.read_bytes() == content


def test_a_pipe_is_given_nothing_that_is_not_known_to_be_all(ward):
    number, content = large(ward)
    os.mkfifo(pipe := ward.folder / "pipe")

    def read():
        with open(pipe, "rb") as taken:
            return taken.read()

    with ThreadPoolExecutor() as reader:
        came = reader.submit(read)
        fetch(ward, number, out="pipe")
        assert came.result() == content
        [body] = [path for path in ward.folder.glob("phr.duckdb.files/*")]
        whole = body.read_bytes()
        body.write_bytes(whole[: 5 << 20] + b"\0" + whole[(5 << 20) + 1 :])
        came = reader.submit(read)
        fetch(ward, number, out="pipe", expect=1)
        with contextlib.suppress(OSError):  # nobody has opened it to write, and the reader waits
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        assert came.result() == b""


def test_a_file_that_changes_meanwhile_is_not_attached(ward):
    (ward.folder / "x.jpg").write_bytes(bytes(6 << 20))
    learn = Session.learn

    def change(at):
        (ward.folder / "x.jpg").write_bytes(bytes(7 << 20))
        return learn(at)

    with ward.patch.context() as patched:
        patched.setattr(Session, "learn", change)
        said = ward.attach(expect=1)
    assert "was changed while it was read" in said.stderr
    assert not list(ward.folder.glob("*.attachment*"))
    ward.attach()
    assert len(ward.found()) == 1


def test_an_interrupt_while_a_store_loads_what_it_needs_is_not_lost(ward):
    pytest.importorskip("pandas")
    where = "--as", "hospital.keyring", "--cloud", "phr.duckdb"
    given = "attach", "1", "x.jpg", "--keyword", "x-ray", *where
    keys = [PASSWORDS["hospital"]]
    done = terminal.mopse(*given, folder=ward.folder, keys=keys, script=LOADING, expect=INTERRUPTED)
    assert (done.stdout, done.stderr) == ("", "")
    assert ward.kept() == []
    ward.run("owner", "find", "x-ray", expect=3)
