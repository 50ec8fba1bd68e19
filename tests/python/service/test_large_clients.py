"""Large attachments from file to file by a service: in constant memory, and nothing by halves."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scene import Scene
from service.serving import Served, pair, served_here
from service.test_client import between, passed_on

from mopse import Cloud, Field, FileUpload, Schema, SealedFile, errors
from mopse.stores import DuckDBStore

pytest.importorskip("duckdb", reason="needs the extra duckdb")

SCHEMA = Schema(age=Field(0, 99))
MIB = 1 << 20
SIZE = 6 * MIB + 5
NAMED = {"name": "scan.dcm", "media_type": "application/dicom", "keywords": ["scan"]}

SCRIPT = """
import sys
from mopse import Cloud, Owner, Schema, Field
_, url, size = sys.argv
owner = Owner.from_insecure_seed(Schema(age=Field(0, 99)), 7)
hospital, cloud = owner.authorize("hospital"), Cloud(url)
cloud.enroll(owner.public)
with open("source", "wb") as source:
    source.truncate(int(size))
sent = hospital.attach(1, "source", name="n", media_type="a/b", keywords=["scan"], to="message")
assert cloud.receive(sent).files == 1
request = owner.fetch(sent.file)
sealed = cloud.fetch(request, proof=True, to="sealed")
opened = owner.open_file(sealed, request, proof=True, to="opened")
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(line.split()[1]) << 10, opened.nbytes)
"""


def test_the_memory_of_a_client_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for size in (1 << 10, 64 * MIB):
        (folder := tmp_path / str(size)).mkdir()
        with Served(folder, store=str(folder / "phr.duckdb")) as served:
            command = [sys.executable, "-c", SCRIPT, served.url, str(size)]
            said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert said.returncode == 0, said.stderr
            assert served.stop() == 0
        peak, nbytes = map(int, said.stdout.split())
        assert nbytes == size
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 40 * MIB


class Story:
    """A folder, a service over a file, and an attachment that lies in a file."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.scene = Scene(SCHEMA, "hospital", cloud=Cloud(url))
        self.owner = self.scene.owner
        self.content = os.urandom(SIZE)
        (folder / "source").write_bytes(self.content)
        self.out, self.sealed = folder / "out", folder / "sealed"
        self.sent = self.attach("message")

    def attach(self, name: str) -> FileUpload:
        """Attach the file."""
        source = self.folder / "source"
        return self.scene["hospital"].attach(1, source, **NAMED, to=self.folder / name)

    def ask(self) -> Any:
        """Have the service take it, and return a request for it."""
        assert self.scene.cloud.receive(self.sent).files == 1
        return self.owner.fetch(self.sent.file)

    def there(self) -> set[str]:
        """Return what is in the folder."""
        names = {path.name for path in self.folder.iterdir()}
        return {name for name in names if not name.startswith(("phr", "log"))}


@pytest.fixture
def story(tmp_path):
    cloud = Cloud(DuckDBStore(tmp_path / "phr.duckdb"))
    (folder := tmp_path / "client").mkdir()
    with served_here(cloud, tmp_path / "log.jsonl") as url:
        yield Story(folder, url)


def test_a_file_goes_by_tls_from_file_to_file(tmp_path):
    certificate, key = pair(tmp_path)
    more = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    (folder := tmp_path / "client").mkdir()
    with Served(tmp_path, *more, store=str(tmp_path / "phr.duckdb")) as served:
        url = served.url.replace("127.0.0.1", "localhost")
        with Cloud(url, certificate=certificate) as cloud:
            scene = Scene(SCHEMA, "hospital", cloud=cloud)
            (folder / "source").write_bytes(content := os.urandom(SIZE))
            sent = scene["hospital"].attach(1, folder / "source", **NAMED, to=folder / "message")
            assert cloud.receive(sent).files == 1
            request = scene.owner.fetch(sent.file)
            sealed = cloud.fetch(request, to=folder / "sealed", proof=True)
            scene.owner.open_file(sealed, request, to=folder / "out", proof=True)
            assert (folder / "out").read_bytes() == content
        assert served.stop() == 0


def test_what_a_lost_answer_had_is_sent_and_fetched_again(story):
    def lose(number: int, request: Any) -> bool:
        if number % 2 == 0 and "fetch" in request.path:
            request.wfile.write(request.came[: SIZE // 2])
        return number % 2 == 0

    with between(passed_on(story.url, lose)) as url, Cloud(url) as remote:
        receipt = remote.receive(story.sent)
        assert (receipt.provider, receipt.files, receipt.repeated) == ("hospital", 1, True)
        request = story.owner.fetch(story.sent.file)
        sealed = remote.fetch(request, to=story.sealed, proof=True)
        assert sealed == story.scene.cloud.fetch(request, proof=True)
        story.owner.open_file(sealed, request, to=story.out, proof=True)
        assert story.out.read_bytes() == story.content
    with pytest.raises(errors.ReplayError):
        story.scene.cloud.receive(story.sent)


def _cut(request: Any) -> bytes:
    return request.came[: SIZE // 2]


def _kept_before(request: Any) -> bytes:
    return request.came.replace(request.headers["x-request-id"].encode(), b"0" * 32)


def _spoilt(change: Any) -> Any:
    """Return what changes the body of an answer, and says how long it is then."""

    def spoil(request: Any) -> bytes:
        head, _, body = request.came.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
        changed = change(body)
        lines.append(f"content-length: {len(changed)}".encode())
        return b"\r\n".join(lines) + b"\r\n\r\n" + changed

    return spoil


SPOILT = {
    "cut on the way": (_cut, errors.UnreachableError),
    "of another request": (_kept_before, errors.UnreachableError),
    "shorter": (_spoilt(lambda body: body[:-1]), errors.DamagedFileError),
    "half": (_spoilt(lambda body: body[: SIZE // 2]), errors.DamagedFileError),
    "longer": (_spoilt(lambda body: body + b"x"), errors.DamagedFileError),
    "much longer": (_spoilt(lambda body: body + bytes(8 * MIB)), errors.DamagedFileError),
    "another kind": (_spoilt(lambda body: b"MOPSEALL" + body[8:]), errors.DamagedFileError),
    "nothing": (_spoilt(lambda _: b""), errors.DamagedFileError),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_does_not_come_whole_leaves_nothing(story, how):
    spoil, expected = SPOILT[how]
    request = story.ask()

    def answer(_: int, to: Any) -> bool:
        to.wfile.write(spoil(to))
        return True

    with between(passed_on(story.url, answer)) as url, pytest.raises(expected):
        Cloud(url).fetch(request, to=story.sealed, proof=True)
    assert story.there() == {"source", "message"}


@pytest.mark.parametrize("proof", [True, False])
def test_a_byte_that_was_changed_on_the_way_opens_to_nothing(story, proof):
    request = story.ask()
    change = _spoilt(
        lambda body: body[: MIB * 3] + bytes([body[MIB * 3] ^ 1]) + body[MIB * 3 + 1 :]
    )

    def answer(_: int, to: Any) -> bool:
        to.wfile.write(change(to))
        return True

    with between(passed_on(story.url, answer)) as url, Cloud(url) as remote:
        sealed = remote.fetch(request, to=story.sealed, proof=proof)
        with pytest.raises(errors.DecryptionError):
            story.owner.open_file(sealed, request, to=story.out, proof=proof)
    assert story.there() == {"source", "message", "sealed"}


def test_what_is_refused_leaves_nothing_and_says_why(story):
    with pytest.raises(errors.InvalidInputError):
        story.scene.cloud.fetch(story.owner.fetch("0" * 32), to=story.sealed)
    request = story.ask()
    with pytest.raises(errors.ReplayError):
        story.scene.cloud.receive(story.sent)
    story.sealed.write_bytes(b"mine")
    with pytest.raises(errors.FileAccessError, match="there is a file already"):
        story.scene.cloud.fetch(request, to=story.sealed)
    assert story.sealed.read_bytes() == b"mine"
    assert story.there() == {"source", "message", "sealed"}


@pytest.mark.parametrize("how", ["cut", "longer", "changed", "gone"])
def test_a_message_that_is_not_what_it_was_is_not_taken(story, how):
    path = story.folder / "message"
    whole = path.read_bytes()
    changed = whole[:MIB] + bytes([whole[MIB] ^ 1]) + whole[MIB + 1 :]
    path.write_bytes({"cut": whole[:-5], "longer": whole + b"x"}.get(how, changed))
    if how == "gone":
        path.unlink()
    expected = {"changed": errors.SignatureError, "gone": errors.MissingFileError}
    with pytest.raises(expected.get(how, errors.FileAccessError)):
        story.scene.cloud.receive(story.sent)
    path.write_bytes(whole)
    assert story.scene.cloud.receive(story.sent).files == 1, "nothing of the other was kept"


def test_connections_are_used_again_after_what_lies_in_files(story):
    gate = story.scene.cloud._gate
    request = story.ask()
    [kept] = gate._idle
    story.scene.cloud.fetch(request, to=story.sealed)
    assert gate._idle == [kept]
    assert SealedFile.from_file(story.sealed) == story.scene.cloud.fetch(request)
    assert story.scene.cloud.receive(story.attach("another")).files == 1
    assert gate._idle == [kept]


def test_an_answer_without_end_fills_no_disk(story, monkeypatch):
    monkeypatch.setattr("mopse._remote._MOST_TO_FILE", 4 * MIB)
    with pytest.raises(errors.UnreachableError, match="more than 4,194,304 bytes"):
        story.scene.cloud.fetch(story.ask(), to=story.sealed)
    assert story.there() == {"source", "message"}


def test_ctrl_c_in_the_middle_leaves_nothing(story, monkeypatch):
    request, other = story.ask(), story.attach("another")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mopse._files.Target.write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            story.scene.cloud.fetch(request, to=story.sealed)
    read = []

    def interrupted(source: Any, size: int) -> bytes:
        read.append(os.read(source._handle, size))
        if len(read) > 1:
            raise KeyboardInterrupt
        return read[-1]

    with monkeypatch.context() as patched:
        patched.setattr("mopse._files.Source.read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            story.scene.cloud.receive(other)
    assert story.there() == {"source", "message", "another"}
    assert story.scene.cloud.receive(other).files == 1
