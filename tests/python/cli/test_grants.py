"""Grants and queries as files, and whoever reads with them, without any keyring."""

import base64
import datetime
import json
import os
import shlex
import stat
import time
from pathlib import Path

import pytest
import terminal
from terminal import PASSWORDS

from mopse import Cloud, Owner, Provider, User
from mopse.cli import _grants
from mopse.cli._schema_file import read_schema

README = Path(__file__).parents[3] / "README.md"
SCHEMA = """
[fields.age]
low = 0
high = 120
proof = true

[fields.sbp]
low = 60
high = 260
proof = true

[portions]
contact = ["name"]
"""
ROWS = {
    "hospital": {"id": [17, 23], "age": [41, 70], "sbp": [150, 120], "name": ["Ann", "Bob"]},
    "clinic": {"id": [1], "age": [50], "sbp": [160], "name": ["Eve"]},
}


class Readers:
    """A folder with keyrings, a cloud, and commands given in it by parties and by a reader."""

    def __init__(self, folder) -> None:
        self.folder, self.said = folder, ""
        (folder / "schema.toml").write_text(SCHEMA)
        owner = Owner.generate(read_schema(str(folder / "schema.toml")))
        with Cloud(folder / "phr.duckdb") as cloud:
            cloud.enroll(owner.public)
            for name, rows in ROWS.items():
                provider = owner.authorize(name)
                cloud.enroll(owner.public)
                cloud.receive(provider.encrypt(rows, id="id"))
                cloud.receive(provider.seal())
                provider.save(folder / f"{name}.keyring", PASSWORDS[name])
        owner.save(folder / "owner.keyring", PASSWORDS["owner"])

    def party(self, name, *arguments, expect=0):
        """Give a command as a party."""
        given = *arguments, "--as", f"{name}.keyring"
        keys = [PASSWORDS[name]]
        done = terminal.mopse_here(*given, folder=self.folder, keys=keys, expect=expect)
        self.said += done.stdout + done.stderr
        return done

    def read(self, query, *grants, expect=0, more=()):
        """Read with grants; all else as for anybody."""
        named = [word for grant in grants for word in ("--grant", grant)]
        where = "--schema", "schema.toml", "--cloud", "phr.duckdb"
        given = "read", query, *named, *where, *more
        done = terminal.mopse_here(*given, folder=self.folder, expect=expect)
        self.said += done.stdout + done.stderr
        return done

    def ids(self, query, *grants, more=()):
        """Return provider and id of each record that a reader opens."""
        records = json.loads(self.read(query, *grants, more=["--json", *more]).stdout)["records"]
        return sorted((one["provider"], one["id"]) for one in records)


@pytest.fixture
def readers(tmp_path):
    return Readers(tmp_path)


def test_a_reader_opens_what_was_granted_and_proves_it(readers):
    readers.party("owner", "grant", "hospital", "--out", "hospital.grant")
    readers.party("clinic", "grant", "--out", "clinic.grant")
    readers.party("owner", "query", "age >= 40 and sbp >= 130", "--out", "q.query")
    both = "hospital.grant", "clinic.grant"
    assert readers.ids("q.query", *both) == [("clinic", 1), ("hospital", 17)]
    shown = readers.read("q.query", *both)
    assert "17   41  150  Ann   hospital" in shown.stdout.splitlines()
    assert shown.stderr == "mopse: 2 records\n"
    proven = readers.read("q.query", *both, more=["--proof", "--max-age", "2", "--json"])
    assert json.loads(proven.stdout)["seals"] == {"clinic": 1, "hospital": 1}
    for name in (*both, "q.query"):
        path = readers.folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name in both:
        secret = (readers.folder / name).read_bytes()
        assert base64.b64encode(secret).decode() not in readers.said
        assert secret.hex() not in readers.said
        assert repr(secret)[2:-1] not in readers.said


def test_the_readme_tells_of_a_reader(readers):
    section = README.read_text("utf-8").partition("## From the command line\n")[2]
    block = section.split("```sh\n")[2].partition("```")[0]
    for line in block.splitlines():
        _, *words = shlex.split(line, comments=True)
        keyring = [word for word in words if word.endswith(".keyring")]
        keys = [PASSWORDS[name.removesuffix(".keyring")] for name in keyring]
        said = terminal.mopse_here(*words, folder=readers.folder, keys=keys).stdout
        if words[0] == "read":
            assert said.splitlines()[2:] == [
                "17   41  150  hospital  null",
                " 1   50  160  clinic    Eve",
            ]


def test_a_file_is_private_whatever_the_umask_says(readers):
    before = os.umask(0)
    try:
        readers.party("owner", "grant", "hospital", "--out", "hospital.grant")
        readers.party("owner", "query", "age >= 40", "--out", "q.query")
    finally:
        os.umask(before)
    for name in ("hospital.grant", "q.query"):
        assert stat.S_IMODE((readers.folder / name).stat().st_mode) == 0o600


def test_nothing_that_is_there_is_overwritten(readers):
    (readers.folder / "old").write_text("old")
    os.chmod(readers.folder / "old", 0o644)
    for command in (["grant", "hospital"], ["query", "age >= 40"]):
        for out in ("old", "/dev/stdout"):
            said = readers.party("owner", *command, "--out", out, expect=1)
            assert "there is a file already" in said.stderr
            assert said.stdout == ""
    assert (readers.folder / "old").read_text() == "old"


def test_records_and_portions_are_granted_alone(readers):
    readers.party("owner", "query", "sbp >= 60", "--out", "q.query")
    one = "--id", "17", "--out", "one.grant"
    told = json.loads(readers.party("hospital", "grant", *one, "--json").stdout)
    assert told == {
        "provider": "hospital",
        "out": "one.grant",
        "ids": [17],
        "portions": None,
        "days": None,
        "user": None,
    }
    readers.party("hospital", "query", "age >= 0", "--out", "own.query")
    assert readers.ids("own.query", "one.grant") == [("hospital", 17)]
    readers.party("owner", "grant", "hospital", "--portion", "contact", "--out", "names.grant")
    said = readers.read("own.query", "names.grant", more=["--json"])
    assert {tuple(one) for one in json.loads(said.stdout)["records"]} == {("name", "provider")}
    assert "beyond the bounds may be among these: age" in said.stderr
    said = readers.read("q.query", "one.grant", expect=1).stderr
    assert "clinic" in said
    reported = readers.read("q.query", "one.grant", more=["--report", "--json"], expect=1)
    document = json.loads(reported.stdout)
    assert [one["id"] for one in document["records"]] == [17]
    assert {one["provider"] for one in document["faults"]} >= {"clinic"}


def test_a_role_is_given_its_portions_and_a_researcher_what_is_de_identified(tmp_path):
    portions = '[portions.research]\ncolumns.age = { coarsen = 10 }\ncolumns.name = "drop"'
    (tmp_path / "schema.toml").write_text(f"{SCHEMA}\n{portions}\n")
    owner = Owner.generate(read_schema(str(tmp_path / "schema.toml")))
    with Cloud(tmp_path / "phr.duckdb") as cloud:
        cloud.enroll(owner.public)
        hospital = owner.authorize("hospital")
        cloud.enroll(owner.public)
        hospital.save(tmp_path / "hospital.keyring", PASSWORDS["hospital"])
        opened = Provider.open(tmp_path / "hospital.keyring", PASSWORDS["hospital"])
        cloud.receive(opened.encrypt(ROWS["hospital"], id="id"))
    owner.save(tmp_path / "owner.keyring", PASSWORDS["owner"])

    def given(*words, expect=0):
        keys = [PASSWORDS["owner"]]
        given = *words, "--as", "owner.keyring"
        return terminal.mopse_here(*given, folder=tmp_path, keys=keys, expect=expect)

    given("query", "age >= 0", "--out", "q.query")
    role = "grant", "hospital", "--role"
    told = json.loads(given(*role, "researcher", "--out", "r.grant", "--json").stdout)
    assert told["portions"] == ["research"]
    read = "read", "q.query", "--grant", "r.grant", "--schema", "schema.toml"
    said = terminal.mopse_here(*read, "--cloud", "phr.duckdb", "--json", folder=tmp_path)
    found = json.loads(said.stdout)["records"]
    assert sorted(one["research.age"] for one in found) == [40, 70]
    assert {name for one in found for name in one} == {"research.age", "provider"}
    told = json.loads(given(*role, "family", "--out", "f.grant", "--json").stdout)
    assert told["portions"] is None
    said = given(*role, "insurer", "--out", "i.grant", expect=1).stderr
    assert "the schema has no portion 'insurance'" in said
    more = "--portion", "contact", "--out", "x.grant"
    assert "leave --portion out" in given(*role, "insurer", *more, expect=2).stderr


def test_grants_and_queries_end(readers, monkeypatch):
    readers.party("owner", "grant", "hospital", "--expires-in", "2", "--out", "two.grant")
    readers.party("owner", "grant", "hospital", "--out", "ever.grant")
    readers.party("hospital", "query", "age >= 0", "--out", "day.query")
    week = "--expires-in", "7", "--out", "week.query"
    told = json.loads(readers.party("hospital", "query", "age >= 0", *week, "--json").stdout)
    ends = datetime.datetime.fromisoformat(told["expires"])
    left = ends - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=7, minutes=-5) < left <= datetime.timedelta(days=7)
    assert len(readers.ids("day.query", "two.grant")) == 2
    now = time.time() + 3 * 86_400
    monkeypatch.setattr(time, "time", lambda: now)
    said = readers.read("week.query", "two.grant", expect=1).stderr
    assert said.startswith("mopse: two.grant: ")
    assert "expired" in readers.read("day.query", "ever.grant", expect=1).stderr
    assert len(readers.ids("week.query", "ever.grant")) == 2


def test_a_query_of_a_keyring_that_catches_up_first_reaches_who_is_new(readers):
    owner = Owner.open(readers.folder / "owner.keyring", PASSWORDS["owner"])
    with Cloud(readers.folder / "phr.duckdb") as cloud:
        owner.authorize("ward")
        cloud.enroll(owner.public)
    readers.party("owner", "query", "age >= 0", "--out", "old.query")
    for name in ROWS:
        readers.party("owner", "grant", name, "--out", f"{name}.grant")
    both = "hospital.grant", "clinic.grant"
    readers.read("old.query", *both, expect=1)
    cloud = "--cloud", "phr.duckdb"
    readers.party("owner", "query", "age >= 0", "--out", "new.query", *cloud)
    assert len(readers.ids("new.query", *both)) == 3
    assert "ward" in Owner.open(readers.folder / "owner.keyring", PASSWORDS["owner"]).providers


def test_a_reader_who_left_opens_nothing_new(readers):
    readers.party("owner", "grant", "hospital", "--out", "old.grant")
    where = "--keyring", "owner.keyring", "--cloud", "phr.duckdb"
    given = "owner", "renew-readers", *where
    told = terminal.mopse_here(*given, folder=readers.folder, keys=[PASSWORDS["owner"]])
    assert "No grant so far opens" in told.stdout
    cloud = "--cloud", "phr.duckdb"
    (readers.folder / "more.csv").write_text("id,age,sbp,name\n5,41,150,Ann\n6,70,120,Bob\n")
    accept = "--accept-leakage", "age", "--accept-leakage", "sbp"
    readers.party("hospital", "encrypt", "more.csv", "--id", "id", *accept, *cloud)
    readers.party("hospital", "delete", "6", *cloud)
    readers.party("hospital", "query", "age = 41", "--out", "q.query", *cloud)
    assert readers.ids("q.query", "old.grant") == [("hospital", 17)]
    readers.party("hospital", "grant", "--out", "new.grant", *cloud)
    assert readers.ids("q.query", "new.grant") == [("hospital", 5), ("hospital", 17)]


def test_the_files_are_what_python_takes(readers):
    readers.party("owner", "grant", "hospital", "--out", "hospital.grant")
    readers.party("hospital", "query", "age = 41", "--out", "q.query")
    schema = read_schema(str(readers.folder / "schema.toml"))
    user = User(schema, [(readers.folder / "hospital.grant").read_bytes()])
    query = _grants.read_query(str(readers.folder / "q.query"), lambda _: schema)
    with Cloud(readers.folder / "phr.duckdb") as cloud:
        assert user.ask(cloud, query)["id"].to_list() == [17]


def test_a_query_that_no_value_meets_finds_nothing(readers):
    readers.party("owner", "grant", "hospital", "--out", "hospital.grant")
    readers.party("hospital", "query", "age > 120", "--out", "q.query")
    readers.read("q.query", "hospital.grant", expect=3)


def _query_with(readers, **changes):
    held = json.loads((readers.folder / "q.query").read_text()) | changes
    (readers.folder / "other.query").write_text(json.dumps(held))
    return "other.query"


def test_what_is_no_grant_or_query_is_refused_by_its_file(readers):
    readers.party("owner", "grant", "hospital", "--out", "hospital.grant")
    readers.party("hospital", "query", "age = 41", "--out", "q.query")
    query = json.loads((readers.folder / "q.query").read_text())
    forged = bytearray(base64.b64decode(query["message"]))
    forged[-1] ^= 1
    wrong = [
        (_query_with, {"message": "!"}, "no file of `mopse query`"),
        (_query_with, {"message": 5}, "no file of `mopse query`"),
        (_query_with, {"kind": "x"}, "no file of `mopse query`"),
        (_query_with, {"query": None}, "no file of `mopse query`"),
        (_query_with, {"query": "sbp = 100"}, "other fields than were signed"),
        (_query_with, {"query": "weight = 100"}, "weight"),
        (_query_with, {"message": base64.b64encode(b"x").decode()}, "query"),
        (_query_with, {"message": base64.b64encode(forged).decode()}, "sign"),
    ]
    for change, how, why in wrong:
        said = readers.read(change(readers, **how), "hospital.grant", expect=1).stderr
        assert said.startswith("mopse: other.query: "), said
        assert why in said
    for content in (b"", b"[" * 100_000, b"null", b"\xff", b'{"kind": "mopse query"}'):
        (readers.folder / "other.query").write_bytes(content)
        said = readers.read("other.query", "hospital.grant", expect=1).stderr
        assert "other.query: it is no file of `mopse query`" in said
    grant = bytearray((readers.folder / "hospital.grant").read_bytes())
    grant[-1] ^= 1
    for content in (b"", b"grant", bytes(grant)):
        (readers.folder / "other.grant").write_bytes(content)
        said = readers.read("q.query", "hospital.grant", "other.grant", expect=1).stderr
        assert said.startswith("mopse: other.grant: ")
    for missing in (("none.query", "hospital.grant"), ("q.query", "none.grant")):
        assert "none." in readers.read(*missing, expect=1).stderr
    readers.read("q.query", expect=2)


@pytest.mark.parametrize(
    ("name", "line", "code", "why"),
    [
        ("owner", "grant --out a", 1, "its path is needed"),
        ("owner", "grant nobody --out a", 1, '"nobody"'),
        ("hospital", "grant clinic --out a", 1, "clinic"),
        ("owner", "grant hospital", 2, "--out"),
        ("owner", "grant hospital --out none/a", 1, "none"),
        ("owner", "grant hospital --out a --portion no", 1, "'no'"),
        ("owner", "grant hospital --out a --expires-in 0", 2, "whole number of days"),
        ("owner", "grant hospital --out a --expires-in 1.5", 2, "whole number of days"),
        ("owner", "grant hospital --out a --cloud none.duckdb", 1, "none.duckdb"),
        ("owner", "query age --out a", 2, "the query, character 4"),
        ("owner", "query age>1", 2, "--out"),
    ],
)
def test_what_is_wrong_writes_nothing(readers, name, line, code, why):
    said = readers.party(name, *line.split(), expect=code)
    assert why in said.stderr
    assert said.stdout == ""
    assert not (readers.folder / "a").exists()


def test_an_owner_says_its_verification_key(readers):
    keyring = "--keyring", "owner.keyring"
    given = "owner", "key", *keyring
    said = terminal.mopse_here(*given, folder=readers.folder, keys=[PASSWORDS["owner"]]).stdout
    owner = Owner.open(readers.folder / "owner.keyring", PASSWORDS["owner"])
    assert said == f"{owner.key.hex()}\n"
