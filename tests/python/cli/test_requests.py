"""Files that users with keys find and fetch, by requests of those who may ask."""

import json
import stat
import time

import pytest
import terminal
from cli.test_users import CLOUD, Users
from terminal import PASSWORDS

from mopse import Cloud

IMAGE = b"\xff\xd8 an image"


class Files(Users):
    """The folder of users, with files attached to records."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        (folder / "chest.jpg").write_bytes(IMAGE)
        self.numbers = {}
        for name, record in (("hospital", 17), ("hospital", 23), ("clinic", 1)):
            given = "attach", record, "chest.jpg", "--keyword", "x-ray", *CLOUD, "--json"
            said = json.loads(self.party(name, *given).stdout)
            self.numbers[name, record] = said["file"]
        for name in ("hospital", "clinic"):
            self.party(name, "seal", *CLOUD)
        self.new("doctor")

    def found(self, *more, request="x.request", expect=0):
        """Return the document of what the doctor finds, and what else is said."""
        asked = "find", "--request", request, "--as", "doctor.user", *CLOUD, "--json", *more
        said = self.user(*asked, expect=expect)
        return json.loads(said.stdout), said.stderr

    def fetch(self, request, out, *more, expect=0):
        """Fetch a file as the doctor."""
        asked = "fetch", "--request", request, "--out", out, "--as", "doctor.user"
        return self.user(*asked, *CLOUD, *more, expect=expect)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_a_user_finds_and_fetches_the_files_that_its_grants_open(files):
    files.share("owner", "doctor", "hospital", "--id", "17")
    told = files.party("owner", "request", "X-Ray", "--out", "x.request", "--json")
    assert json.loads(told.stdout) == {"out": "x.request", "for": "find", "days": 1}
    assert stat.S_IMODE((files.folder / "x.request").stat().st_mode) == 0o600
    for more in ((), ("--proof", "--max-age", "2")):
        document, said = files.found(*more)
        [found] = document["files"]
        assert (found["file"], found["name"]) == (files.numbers["hospital", 17], "chest.jpg")
        assert (document["closed"], document["faults"]) == (2, [])
        assert "2 files found that no grant opens, at clinic, hospital" in said
    request = "request", "--file", found["file"], "--out", "one.request", "--expires-in", "7"
    assert "7 days long" in files.party("owner", *request).stdout
    files.fetch("one.request", "got.jpg", "--proof")
    assert (files.folder / "got.jpg").read_bytes() == IMAGE
    assert (
        "there is a file already, and --replace"
        in files.fetch("one.request", "got.jpg", expect=1).stderr
    )
    files.fetch("one.request", "got.jpg", "--replace")

    # What is not granted stays closed, whoever makes the request.
    other = files.numbers["clinic", 1]
    files.party("clinic", "request", "--file", other, "--out", "other.request")
    refused = files.fetch("other.request", "other.jpg", expect=1).stderr
    assert refused.startswith("mopse: other.request: the user has no right to this record")
    assert not (files.folder / "other.jpg").exists()
    files.party("clinic", "request", "x-ray", "--out", "of_clinic.request")
    document, _ = files.found(request="of_clinic.request", expect=3)
    assert (document["files"], document["closed"]) == ([], 1)


def test_a_portion_without_files_opens_none(files):
    files.share("owner", "doctor", "hospital", "--portion", "rest")
    files.party("hospital", "request", "x-ray", "--out", "x.request")
    document, _ = files.found(expect=3)
    assert (document["files"], document["closed"]) == ([], 2)


def test_a_file_that_no_seal_states_is_a_fault_of_a_proof(files):
    files.share("owner", "doctor", "hospital")
    files.share("owner", "doctor", "clinic")
    files.party("owner", "request", "x-ray", "--out", "x.request")
    given = "attach", "1", "schema.toml", "--keyword", "x-ray", *CLOUD
    files.party("clinic", *given)
    assert len(files.found()[0]["files"]) == 4
    document, said = files.found("--proof", expect=1)
    assert len(document["files"]) == 3
    assert [one["provider"] for one in document["faults"]] == ["clinic"]
    assert "it came after the seal" in said


def test_a_request_ends_and_says_what_a_user_can_do(files, monkeypatch):
    files.share("owner", "doctor", "hospital")
    files.party("owner", "request", "x-ray", "--out", "x.request")
    now = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: now)
    asked = "find", "--request", "x.request", "--as", "doctor.user", *CLOUD
    refused = files.user(*asked, expect=1).stderr
    assert refused.startswith("mopse: x.request: ")
    assert refused.endswith("has expired: ask whoever made it for a new one\n")


def test_what_is_no_request_is_refused_by_its_file(files):
    files.share("owner", "doctor", "hospital")
    files.party("owner", "request", "x-ray", "--out", "x.request")
    held = json.loads((files.folder / "x.request").read_text())
    forged = held["message"][:-8] + ("AAAAAAA=" if held["message"][-1] == "=" else "AAAAAAAA")
    wrong = [b"", b"\xff", b"[" * 100_000, b"null", b'{"kind": "mopse request"}']
    wrong += [json.dumps(held | change).encode() for change in ({"kind": "x"}, {"message": 5})]
    wrong += [json.dumps(held | {"message": forged}).encode()]
    wrong += [json.dumps(held | {"message": "AAAA"}).encode()]
    asked = "find", "--request", "other", "--as", "doctor.user", *CLOUD
    for content in wrong:
        (files.folder / "other").write_bytes(content)
        said = files.user(*asked, expect=1)
        assert said.stderr.startswith("mopse: other: "), said.stderr
        assert said.stdout == ""
    refused = files.fetch("x.request", "got.jpg", expect=1).stderr
    assert refused == "mopse: x.request: it is for `mopse find`\n"
    for out in ("x.request", "/dev/stdout"):
        refused = files.party("owner", "request", "x-ray", "--out", out, expect=1)
        assert "there is a file already" in refused.stderr
    assert "'none'" in files.user(*asked[:2], "none", *asked[3:], expect=1).stderr


def test_an_owner_may_ask_by_a_request_of_a_provider(files):
    files.party("clinic", "request", "x-ray", "--out", "x.request")
    asked = "find", "--request", "x.request", "--as", "owner.keyring", *CLOUD, "--json"
    keys = [PASSWORDS["owner"]]
    said = terminal.mopse_here(*asked, folder=files.folder, keys=keys)
    [found] = json.loads(said.stdout)["files"]
    assert found["file"] == files.numbers["clinic", 1]
    with Cloud(files.folder / "phr.duckdb") as cloud:
        assert "files=3" in repr(cloud)
