"""Attachments from file to file, of which a piece at a time is in memory: the same, or nothing."""

import contextlib
import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from scene import Scene

from mopse import (
    Cloud,
    Field,
    File,
    FileUpload,
    Owner,
    Provider,
    Schema,
    SealedFile,
    User,
    WrittenFile,
    _files,
    errors,
    messages,
)

pytest.importorskip("duckdb", reason="needs the extra duckdb")

SCHEMA = Schema(age=Field(0, 99))
MIB = 1 << 20
NAMED = {"name": "scan.dcm", "media_type": "application/dicom", "keywords": ["scan"]}


class Files:
    """A folder with a file that is attached, and what it becomes."""

    def __init__(self, folder: Path, cloud: Cloud, size: int = 9 * MIB + 77) -> None:
        self.folder = folder
        self.scene = Scene(SCHEMA, "hospital", "clinic", seed=3, cloud=cloud)
        self.owner, self.hospital = self.scene.owner, self.scene["hospital"]
        self.source, self.message, self.sealed, self.out = (
            folder / name for name in ("scan.dcm", "scan.message", "scan.sealed", "out.dcm")
        )
        self.content = os.urandom(size)
        self.source.write_bytes(self.content)

    def attach(self) -> FileUpload:
        """Attach the file as the hospital."""
        return self.hospital.attach(1, self.source, **NAMED, to=self.message)

    def fetched(self, *, proof: bool = True) -> SealedFile:
        """Attach, send and fetch it."""
        sent = self.attach()
        assert self.scene.cloud.receive(sent).files == 1
        self.request = self.owner.fetch(sent.file)
        return self.scene.cloud.fetch(self.request, to=self.sealed, proof=proof)

    def there(self) -> set[str]:
        """Return what is in the folder beside the store and the file."""
        names = {path.name for path in self.folder.iterdir()}
        return {name for name in names if "store" not in name} - {"scan.dcm"}


@pytest.fixture(params=["memory", "file"])
def files(request, tmp_path):
    store = None if request.param == "memory" else tmp_path / "store.duckdb"
    with Cloud(store) as cloud:
        yield Files(tmp_path, cloud)


@pytest.fixture
def here(tmp_path):
    return Files(tmp_path, Cloud())


def test_a_file_goes_from_file_to_file_as_through_memory(files):
    sealed = files.fetched()
    opened = files.owner.open_file(sealed, files.request, proof=True, to=files.out)
    assert files.out.read_bytes() == files.content
    called = ("scan.dcm", "application/dicom", "hospital", opened.record)
    assert opened == WrittenFile(*called, files.out, len(files.content))
    whole = files.owner.open_file(files.scene.cloud.fetch(files.request), files.request)
    assert whole == File(*called, files.content)
    assert files.owner.open_file(sealed, files.request, proof=True) == whole
    for path in (files.message, files.sealed, files.out):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files.there() == {"scan.message", "scan.sealed", "out.dcm"}
    [found] = files.owner.files(
        files.scene.cloud.find(request := files.owner.find("scan")), request
    )["file"]
    assert found == FileUpload.from_file(files.message).file


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 4 * MIB, 4 * MIB + 1, 8 * MIB])
def test_the_bytes_that_travel_are_those_of_memory(tmp_path, size):
    content, source, place = os.urandom(size), tmp_path / "source", tmp_path / "message"
    source.write_bytes(content)

    def attached(source, to=None):
        hospital = Owner.from_insecure_seed(SCHEMA, 5).authorize("hospital")
        return hospital.attach(1, source, **NAMED, to=to)

    whole = attached(content)
    assert attached(source) == attached(bytearray(content)) == whole
    for one in (source, content):
        in_file = attached(one, place)
        assert in_file.path == place
        assert place.read_bytes() == bytes(whole)
        assert in_file.nbytes == whole.nbytes == place.stat().st_size
        assert FileUpload.from_file(place) == FileUpload(bytes(whole)) == in_file
        place.unlink()


def test_what_lies_in_a_file_is_a_message_like_any_other(here):
    sent, copy = here.attach(), Cloud()
    copy.enroll(here.owner.public)
    assert (sent.provider, sent.file) == ("hospital", FileUpload(bytes(sent)).file)
    assert repr(sent) == repr(FileUpload(bytes(sent)))
    assert copy.receive(bytes(sent)).files == here.scene.cloud.receive(sent).files == 1
    request = here.owner.fetch(sent.file)
    sealed = here.scene.cloud.fetch(request, to=here.sealed)
    whole = here.scene.cloud.fetch(request)
    assert sealed == whole == SealedFile.from_file(here.sealed)
    assert (sealed.nbytes, sealed.provider, repr(sealed)) == (
        whole.nbytes,
        whole.provider,
        repr(whole),
    )
    assert (sealed.path, whole.path) == (here.sealed, None)
    assert here.owner.open_file(whole, request, to=here.out).nbytes == len(here.content)
    with pytest.raises(errors.ReplayError):
        here.scene.cloud.receive(sent)


def test_a_user_and_a_provider_open_to_a_file(here, tmp_path):
    sealed = here.fetched()
    user = User(SCHEMA, [here.owner.grant("hospital")])
    assert user.open_file(sealed, here.request, to=here.out, proof=True).provider == "hospital"
    assert here.out.read_bytes() == here.content
    request = here.hospital.fetch(FileUpload.from_file(here.message).file)
    own = here.scene.cloud.fetch(request, to=tmp_path / "own.sealed")
    assert here.hospital.open_file(own, request, to=tmp_path / "own").nbytes == len(here.content)
    stranger = User(SCHEMA, [here.owner.grant("clinic")])
    with pytest.raises(errors.ScopeError):
        stranger.open_file(sealed, here.request, to=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_is_there_is_not_written_over(files):
    sealed = files.fetched()
    sent = FileUpload.from_file(files.message)
    (files.folder / "link").symlink_to(files.folder / "nowhere")
    for place in (files.source, files.folder, files.folder / "link", Path("/dev/null")):
        for call in (
            lambda place=place: files.hospital.attach(1, b"x", **NAMED, to=place),
            lambda place=place: files.scene.cloud.fetch(files.request, to=place),
            lambda place=place: files.owner.open_file(sealed, files.request, to=place),
        ):
            with pytest.raises(errors.FileAccessError, match="there is a file already") as refused:
                call()
            assert refused.value.errno == errno.EEXIST
    assert files.source.read_bytes() == files.content
    with pytest.raises(errors.MissingFileError):
        files.owner.open_file(sealed, files.request, to=files.folder / "no" / "folder")
    # Nothing was counted by what was refused.
    files.hospital.attach(1, b"x", **NAMED)
    assert len(messages.FileUpload(bytes(sent))._decoded.previous) == 0


def test_a_name_that_is_taken_meanwhile_keeps_what_it_has(tmp_path, monkeypatch):
    for has_nameless in (True, False):
        if not has_nameless:
            monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        place = tmp_path / f"{has_nameless}"
        with contextlib.ExitStack() as exits:
            exits.enter_context(pytest.raises(errors.FileAccessError))
            exits.enter_context(_files.creating(place, 0o600)).write(b"mine")
            assert not place.exists()
            place.write_bytes(b"yours")
        assert place.read_bytes() == b"yours"
        with _files.creating(other := tmp_path / f"other {has_nameless}", 0o600) as target:
            target.write(b"mine")
        assert other.read_bytes() == b"mine"
        assert stat.S_IMODE(other.stat().st_mode) == 0o600
    assert len(list(tmp_path.iterdir())) == 4


def altered(files: Files, monkeypatch, how):
    """Have the file that is attached be altered after its first batch was read."""
    fill, counter = _files.Source.fill, iter(range(100))

    def first(source, batch):
        fill(source, batch)
        if next(counter) == 0:
            how(files.source)

    monkeypatch.setattr(_files.Source, "fill", first)


def _grow(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _change(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(b"another beginning")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    "how",
    [_grow, _change, lambda path: os.truncate(path, 5 * MIB), lambda path: os.truncate(path, 0)],
    ids=["grown", "changed", "shrunk", "emptied"],
)
@pytest.mark.parametrize("to_file", [True, False])
def test_a_file_that_changes_while_it_is_read_is_refused(here, monkeypatch, how, to_file):
    altered(here, monkeypatch, how)
    with pytest.raises(errors.FileAccessError, match="was changed while it was read") as refused:
        here.hospital.attach(1, here.source, **NAMED, to=here.message if to_file else None)
    assert str(here.source) in str(refused.value)
    assert here.there() == set()
    assert here.hospital.attach(1, b"x", **NAMED)._decoded.previous == [], "nothing was counted"


@pytest.mark.parametrize("how", ["changed", "cut", "longer", "gone"])
def test_a_message_that_is_not_what_it_was_is_not_taken(files, how):
    sent = files.attach()
    whole = files.message.read_bytes()
    place = len(whole) // 2
    changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    files.message.write_bytes({"changed": changed, "cut": whole[:-1]}.get(how, whole + b"x"))
    expected = {"changed": errors.SignatureError, "gone": errors.MissingFileError}
    if how == "gone":
        files.message.unlink()
    refused = expected.get(how, errors.FileAccessError)
    with pytest.raises(refused):
        files.scene.cloud.receive(sent)
    if how != "gone":
        with pytest.raises((errors.SignatureError, errors.DamagedFileError)):
            FileUpload.from_file(files.message)
    files.message.write_bytes(whole)
    assert files.scene.cloud.receive(sent).files == 1


CHANGES = {
    "a byte": lambda whole, at: whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
    "cut": lambda whole, at: whole[:at],
    "a byte less": lambda whole, at: whole[:at] + whole[at + 1 :],
    "a byte more": lambda whole, at: whole[:at] + b"x" + whole[at:],
    "longer": lambda whole, _: whole + b"x" * 100_000,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("where", [0.3, 0.99999])
@pytest.mark.parametrize("proof", [True, False])
def test_a_fetched_file_that_was_changed_opens_to_nothing(here, change, where, proof):
    here.fetched()
    whole = here.sealed.read_bytes()
    here.sealed.write_bytes(CHANGES[change](whole, int(len(whole) * where)))
    refusals = errors.DamagedFileError, errors.DecryptionError, errors.SignatureError
    is_unread = not proof and where > 0.9 and change == "a byte"  # what nobody asks for is there
    with contextlib.nullcontext() if is_unread else pytest.raises(refusals):
        sealed = SealedFile.from_file(here.sealed)
        here.owner.open_file(sealed, here.request, to=here.out, proof=proof)
    assert here.out.exists() == is_unread
    assert here.there() <= {"scan.message", "scan.sealed", "out.dcm"}


def test_a_proof_needs_the_deed_and_is_of_this_file(here, tmp_path):
    without = here.fetched(proof=False)
    with pytest.raises(errors.ProofError, match="signature did not come"):
        here.owner.open_file(without, here.request, proof=True, to=here.out)
    assert not here.out.exists()
    other = here.hospital.attach(2, here.source, **NAMED)
    here.scene.cloud.receive(other)
    proven = here.scene.cloud.fetch(here.owner.fetch(other.file), proof=True)
    deed = bytes(proven)[len(bytes(here.scene.cloud.fetch(here.owner.fetch(other.file)))) :]
    (tmp_path / "mixed").write_bytes(here.sealed.read_bytes() + deed)
    with pytest.raises(errors.SignatureError):
        here.owner.open_file(
            SealedFile.from_file(tmp_path / "mixed"), here.request, proof=True, to=here.out
        )
    assert not here.out.exists()


def test_another_request_opens_nothing(here):
    sealed = here.fetched()
    again = here.owner.fetch(FileUpload.from_file(here.message).file)
    with pytest.raises(errors.AnswerError, match="of another request"):
        here.owner.open_file(sealed, again, to=here.out)
    with pytest.raises(errors.WrongTypeError):
        here.owner.open_file(sealed, b"request", to=here.out)
    with pytest.raises(errors.WrongTypeError):
        here.owner.open_file(here.sealed, here.request, to=here.out)
    stranger = Owner.generate(SCHEMA)
    with pytest.raises(errors.ScopeError):
        stranger.open_file(sealed, here.request, to=here.out)
    assert not here.out.exists()
    with pytest.raises(errors.InvalidInputError):
        here.scene.cloud.fetch(here.owner.fetch("0" * 32), to=here.out)
    assert not here.out.exists()


def test_a_pipe_is_attached_and_no_message_lies_in_one(here, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    writer = subprocess.Popen(["cp", str(here.source), str(pipe)])
    sent = here.hospital.attach(1, pipe, **NAMED, to=here.message)
    assert writer.wait() == 0
    here.scene.cloud.receive(sent)
    request = here.owner.fetch(sent.file)
    assert here.owner.open_file(here.scene.cloud.fetch(request), request).content == here.content
    for kind in (FileUpload, SealedFile):
        with pytest.raises(errors.InvalidInputError, match="pipe or device"):
            kind.from_file("/dev/null")
        with pytest.raises(errors.DamagedFileError):
            kind.from_file(here.source)


@contextlib.contextmanager
def no_room(size: int):
    """Have files of this process end at a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_leaves_nothing(here):
    sealed = here.fetched()
    with no_room(5 * MIB):
        for call in (
            lambda: here.hospital.attach(1, here.source, **NAMED, to=here.out),
            lambda: here.scene.cloud.fetch(here.request, to=here.out),
            lambda: here.owner.open_file(sealed, here.request, to=here.out),
        ):
            with pytest.raises(errors.FileAccessError, match="File too large"):
                call()
            assert here.there() == {"scan.message", "scan.sealed"}


@pytest.mark.parametrize("has_nameless", [True, False])
def test_whatever_ends_it_leaves_nothing(here, monkeypatch, has_nameless):
    if not has_nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    sealed = here.fetched()
    write = _files.Target.write

    def interrupted(target, part):
        write(target, part)
        if len(part) > MIB:
            raise KeyboardInterrupt

    monkeypatch.setattr(_files.Target, "write", interrupted)
    for call in (
        lambda: here.hospital.attach(1, here.source, **NAMED, to=here.out),
        lambda: here.scene.cloud.fetch(here.request, to=here.out),
        lambda: here.owner.open_file(sealed, here.request, to=here.out),
    ):
        with pytest.raises(KeyboardInterrupt):
            call()
        assert here.there() == {"scan.message", "scan.sealed"}


SCRIPT = """
import os, sys
from mopse import Cloud, Owner, Schema, Field, _files
owner = Owner.from_insecure_seed(Schema(age=Field(0, 99)), 7)
hospital, (_, step, size) = owner.authorize("hospital"), sys.argv
with open("source", "wb") as source:
    for _ in range(int(size) >> 10):
        source.write(os.urandom(1 << 10))
cloud = Cloud("store.duckdb")
cloud.enroll(owner.public)
named = {"name": "n", "media_type": "a/b", "keywords": ["scan"]}
if step != "measured":
    write, counter = _files.Target.write, iter(range(1 << 20))
    def killing(target, part):
        if len(part) >= 1 << 20 and next(counter) == int(step):
            os.kill(os.getpid(), 9)
        return write(target, part)
    _files.Target.write = killing
sent = hospital.attach(1, "source", **named, to="message")
cloud.receive(sent)
request = owner.fetch(sent.file)
sealed = cloud.fetch(request, proof=True, to="sealed")
opened = owner.open_file(sealed, request, proof=True, to="opened")
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(line.split()[1]) << 10, opened.nbytes)
"""


def ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a fresh process."""
    folder.mkdir()
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for size in (1 << 10, 64 * MIB):
        said = ran(tmp_path / str(size), "measured", str(size))
        assert said.returncode == 0, said.stderr
        peak, nbytes = map(int, said.stdout.split())
        assert nbytes == size
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 40 * MIB


@pytest.mark.parametrize(
    ("large_writes", "whole"), [(1, set()), (10, {"message"}), (22, {"message", "sealed"})]
)
def test_a_process_that_is_killed_leaves_nothing_by_halves(tmp_path, large_writes, whole):
    folder = tmp_path / "killed"
    said = ran(folder, str(large_writes), str(16 * MIB))
    assert said.returncode == -signal.SIGKILL, said.stderr
    left = {path.name for path in folder.iterdir()} - {"source"}
    assert {name for name in left if not name.startswith((".mopse.", "store."))} == whole


def test_what_goes_by_batches_is_found_after_the_keyring_was_saved(here, tmp_path):
    here.attach()
    here.hospital.save(tmp_path / "h.keyring", b"a long enough password")
    copy = Provider.open(tmp_path / "h.keyring", b"a long enough password")
    number = FileUpload.from_file(here.message).file
    assert [f"{one:032x}" for one in copy.attach(2, b"x", **NAMED)._decoded.previous] == [number]
