"""Stores that last: killed, damaged, full, opened twice, of another version, used by many."""

import copy
import datetime
import itertools
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scene import Scene
from stores.server import postgres
from stores.writer import handed_on

import mopse
from mopse import Cloud, Field, Owner, Schema, attacks
from mopse._mopse.cloud import Gate
from mopse._mopse.message import Pieces
from mopse.errors import (
    DamagedFileError,
    FileAccessError,
    ForkedError,
    InvalidInputError,
    MissingFileError,
    MopseError,
    WrongTypeError,
)
from mopse.stores import DuckDBStore, MemoryStore, _tables, opened_store

duckdb = pytest.importorskip("duckdb", reason="needs the extra duckdb")

WRITER = Path(__file__).with_name("writer.py")
SCHEMA = Schema(age=Field(0, 120, proof=True), sbp=Field(0, 300))
SEED = 61
YEAR = datetime.timedelta(days=365)
KILLS = int(os.environ.get("MOPSE_KILLS", "200"))


def table(first: int, count: int, age: int = 40) -> pl.DataFrame:
    """Return records of numbered patients."""
    ids = np.arange(first, first + count)
    notes = [f"a note that nobody reads of {number}" for number in ids]
    return pl.DataFrame({"id": ids, "age": (ids * 7 + age) % 121, "sbp": ids % 301, "note": notes})


class Script:
    """Messages of a hospital and a clinic, and what a store in memory has after each."""

    def __init__(self) -> None:
        self.owner = Owner.from_insecure_seed(SCHEMA, SEED)
        self.scene = Scene(SCHEMA, "hospital", "clinic", owner=self.owner)
        self.now = int(time.time())
        self.messages: list[bytes] = []
        self.after: list[Any] = []
        self.enrolled = self.owner.public
        self.query = bytes(self.owner.query(age=(0, 120), expires_in=YEAR, proof=True))
        hospital, clinic = self.scene["hospital"], self.scene["clinic"]
        ids = itertools.count(0, 1000)
        for round_ in range(6):
            first = next(ids)
            self.send(hospital.encrypt(table(first, 300), id="id"))
            self.send(clinic.encrypt(table(first, 1), id="id"))
            for number in range(3):
                self.send(clinic.encrypt(table(first + 500 + number, 1), id="id"))
            self.send(hospital.update(table(first, 150, 60), id="id", cloud=self.scene.cloud))
            self.send(hospital.delete(range(first + 50, first + 90), cloud=self.scene.cloud))
            self.send(
                hospital.attach(
                    first, b"x" * 5000, name="x", media_type="a/b", keywords=["scan", f"{round_}"]
                )
            )
            self.send(hospital.seal(cloud=self.scene.cloud))
            self.send(hospital.delete([first], cloud=self.scene.cloud))
            self.compact()
            if round_ == 3:
                self.send(self.owner.removal("clinic"))

    def send(self, message: Any) -> None:
        """Keep a message, and what there is after it."""
        self.scene.cloud.receive(message)
        self.messages.append(bytes(message))
        self.after.append(shown(self.scene.cloud._store, self))

    def compact(self) -> None:
        """Keep that the store is to be compacted."""
        self.messages.append(b"")
        self.after.append(self.after[-1])


def shown(store: Any, script: Script) -> Any:
    """Return all that a store shows."""
    query, parts, proof = Gate(store, 1 << 28).search(
        script.query, script.now, None, True, None, False, False
    )
    shown = bytes(mopse.Answer(query, parts))
    return store.contents, store.totals, shown, None if proof is None else proof.encode()


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


class Writers:
    """Processes that write until they are killed, one after the other."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WRITER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Writers":
        return self

    def __exit__(self, *_: object) -> None:
        with self.process as process:
            process.kill()

    def killed(self, address: str, messages: Path, script: Script, start: int, after: float) -> int:
        """Have one write until it is killed; return the number of the last it acknowledged."""
        said, told = self.process.stdout, self.process.stdin
        assert said is not None
        assert told is not None
        print(json.dumps([address, str(messages), script.now, start]), file=told, flush=True)
        word, number = said.readline().split()
        assert word == "open"
        timer = threading.Timer(after, os.kill, [int(number), signal.SIGKILL])
        timer.start()
        acknowledged = start - 1
        while (line := said.readline().split())[0] != "ended":
            acknowledged = int(line[0])
        timer.cancel()
        timer.join()
        assert line[1:] in (["True", str(int(signal.SIGKILL))], ["False", "0"])
        return acknowledged


@pytest.mark.parametrize(("kind", "kills"), [("file", KILLS), ("database", KILLS // 4)])
def test_what_was_acknowledged_is_there_and_nothing_by_halves_after_any_kill(
    script, tmp_path, kind, kills
):
    server = postgres() if kind == "database" else None
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps([message.hex() for message in script.messages]))
    choice = random.Random(5)
    empty = MemoryStore()
    Gate(empty, 1 << 28).enroll(script.enrolled)
    states = [shown(empty, script), *script.after]
    done, runs, unsaid = 0, 0, 0
    with Writers() as writers:
        while done < kills:
            runs += 1
            address = str(tmp_path / f"{runs}.duckdb") if server is None else server.database()
            with opened_store(address) as store:
                Gate(store, 1 << 28).enroll(script.enrolled)
            start = 0
            while start < len(script.messages) and done < kills:
                after = choice.uniform(0, 0.25)
                acknowledged = writers.killed(address, messages, script, start, after)
                done += 1
                if server is not None and done % 10 == 0:
                    server.kill()
                    server.start()
                with opened_store(address) as store:
                    assert store.check() == []
                    found = shown(store, script)
                # There is what there was after the last that was acknowledged, or one more.
                likely = [acknowledged + 1, acknowledged + 2]
                states_ = [at for at in likely if at < len(states) and found == states[at]]
                assert states_, f"after message {acknowledged} was acknowledged"
                unsaid += states_[0] > acknowledged + 1
                start = states_[0]
            if server is None:
                Path(address).unlink()
    print(f"{done} kills of {kind}, {unsaid} between commit and acknowledgement")


def test_a_database_that_is_away_is_an_error_and_is_found_again_when_it_is_back():
    server = postgres()
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(server.database()))
    scene.send("hospital", table(0, 100))
    late = scene["hospital"].encrypt(table(1000, 50), id="id")
    query = scene.owner.query(age=(0, 120))
    server.stop()
    for ask in (lambda: scene.cloud.search(query), lambda: scene.cloud.receive(late)):
        with pytest.raises(FileAccessError, match="the database"):
            ask()
    server.start()
    assert scene.owner.ask(scene.cloud, age=(0, 120)).height == 100
    assert scene.cloud.receive(late).added == 50
    # Connections that are cut are made again.
    import psycopg

    with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname LIKE 'store_%'"
        )
    assert scene.owner.ask(scene.cloud, age=(0, 120)).height == 150
    scene.cloud.close()


def test_an_address_is_never_in_an_error():
    address = "postgresql://mopse:a-secret-word@127.0.0.1:1/none?connect_timeout=2"
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    with pytest.raises(FileAccessError) as error:
        Cloud(address)
    assert "a-secret-word" not in str(error.value)
    assert error.value.__cause__ is None


def test_two_clouds_on_one_database_are_one_store():
    address = postgres().database()
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(address))
    with Cloud(address) as other:
        scene.send("hospital", table(0, 100))
        assert scene.owner.ask(other, age=(0, 120)).height == 100
        assert other.receive(scene["hospital"].encrypt(table(500, 10), id="id")).added == 10
        assert scene.owner.ask(scene.cloud, age=(0, 120)).height == 110
        # A revocation that one was told is known to the other.
        late = scene["hospital"].encrypt(table(900, 10), id="id")
        scene.owner.revoke("hospital")
        scene.enroll()
        with pytest.raises(MopseError):
            other.receive(late)
    scene.cloud.close()


def filled(path: Path) -> tuple[Scene, list[bytes]]:
    """Return a deployment whose cloud is a file, and the secrets that it must not show."""
    scene = Scene(SCHEMA, "hospital", "clinic", "ward", cloud=Cloud(str(path)))
    for provider in ("hospital", "clinic"):
        scene.send(provider, table(0, 400))
    scene.cloud.receive(
        scene["hospital"].attach(
            1, b"what the letter says" * 50, name="letter.txt", media_type="a/b", keywords=["gout"]
        )
    )
    scene.cloud.receive(scene["hospital"].seal())
    scene.cloud.receive(scene["hospital"].delete([3, 4], cloud=scene.cloud))
    scene.send("ward", table(0, 3))
    scene.cloud.receive(scene.owner.removal("ward"))
    begun = Pieces(bytes(scene["clinic"].encrypt(table(900, 9000), id="id")))
    scene.cloud.put(begun.piece(0, 1))
    secrets = [b"a note that nobody reads", b"what the letter says", b"letter.txt", b"gout"]
    return scene, secrets


def test_a_copy_of_the_file_shows_no_plaintext_and_no_key(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene, secrets = filled(path)
    keyring = scene.owner._keyring
    assert keyring is not None
    scene.cloud.close()
    dump = path.read_bytes()
    with duckdb.connect(str(path), read_only=True) as connection:
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            rows = connection.execute(f"SELECT * FROM {name}").fetchall()
            for value in itertools.chain.from_iterable(rows):
                dump += value.encode() if isinstance(value, str) else b""
                dump += value if isinstance(value, bytes) else b""
    assert b"hospital" in dump, "what a cloud sees is there"
    for secret in secrets:
        assert secret not in dump
    # Keys, from a seed: the owner's and a provider's, and those of some purposes below them.
    seeded = tmp_path / "seeded.duckdb"
    owner = Owner.from_insecure_seed(SCHEMA, SEED)
    import reference
    import reference_messages as second

    scene = Scene(SCHEMA, "hospital", owner=owner, cloud=Cloud(str(seeded)))
    scene.send("hospital", table(0, 100))
    scene.cloud.close()
    dump = seeded.read_bytes()
    party = second.Party.owner(SEED, SCHEMA.digest)
    for key in (party.key, party.authorize("hospital").key):
        assert key not in dump
        for purpose in ("record", "place", "handle", "keyword", "leaf", "mask"):
            assert reference.child(key, purpose, b"") not in dump


def test_the_attacks_read_a_store_that_lasts_as_they_read_memory(tmp_path):
    tables = {path: table(0, 300).rename({"id": "record_id"}).drop("note") for path in ("a", "b")}
    views = []
    for store in (None, DuckDBStore(tmp_path / "phr.duckdb")):
        deployment = attacks.Deployment("MOPSE", tables, SCHEMA, seed=5, store=store)
        deployment.update({"a": tables["a"][:5].with_columns(age=pl.lit(99, pl.Int64))})
        views.append(deployment.view("cloud"))
    memory, lasting = views
    for name in SCHEMA:
        for one, other in zip(memory.indexes[name], lasting.indexes[name], strict=True):
            assert np.array_equal(one.ciphertexts, other.ciphertexts)
            assert np.array_equal(one.records, other.records)


# Damage


def test_a_row_that_was_changed_is_named_in_every_table(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene, _ = filled(path)
    scene.cloud.close()
    whole = path.read_bytes()
    with duckdb.connect(str(path)) as connection:
        tables = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
    checked = set()
    for name in sorted(tables):
        if name == "mopse_store":
            continue
        path.write_bytes(whole)
        with duckdb.connect(str(path)) as connection:
            rows = connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            if not rows:
                continue
            for column, kind in connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?", [name]
            ).fetchall():
                path_of = tmp_path / "changed.duckdb"
                connection.execute("CHECKPOINT")
                path_of.write_bytes(path.read_bytes())
                new = {"BIGINT": f"{column} + 1", "BLOB": f"{column} || '\\x00'::BLOB"}
                with duckdb.connect(str(path_of)) as other:
                    value = new.get(kind, f"{column} || 'x'")
                    first = f"(SELECT min(rowid) FROM {name} WHERE {column} IS NOT NULL)"
                    other.execute(f"UPDATE {name} SET {column} = {value} WHERE rowid = {first}")
                with DuckDBStore(path_of) as store:
                    damage = store.check()
                assert any(f"table {name}" in line for line in damage), (name, column, damage)
                checked.add(name)
                path_of.unlink()
    assert checked >= {"announcements", "uploads", "taken", "files", "bodies", "labels", "notes"}
    assert {"tombstones", "records_0", "places", "record_groups", "group_columns"} <= checked
    assert {"seals", "gone", "evidence", "removals", "begun", "chunks"} <= checked


def test_rows_that_are_missing_or_doubled_are_named(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene, _ = filled(path)
    scene.cloud.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM records_0 WHERE seq = 0 AND row_no = 7")
        connection.execute(
            "INSERT INTO records_0 SELECT * FROM records_0 WHERE seq = 1 AND row_no = 1"
        )
    with DuckDBStore(path) as store:
        damage = store.check()
    assert any("upload 0 has 397 records, and should have 398" in line for line in damage)
    assert any("upload 1 has a record twice" in line for line in damage)


def test_a_damaged_file_is_refused_or_its_damage_is_found_and_it_is_left_as_it_is(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene, _ = filled(path)
    scene.cloud.close()
    with DuckDBStore(path) as store:
        query = bytes(scene.owner.query(age=(0, 120)))
        script = type("Of", (), {"query": query, "now": int(time.time())})
        right = shown(store, script)
    whole = path.read_bytes()
    choice = random.Random(3)
    found = 0
    for _ in range(40):
        at = choice.randrange(len(whole))
        changed = whole[:at] + bytes([whole[at] ^ 1 << choice.randrange(8)]) + whole[at + 1 :]
        path.write_bytes(changed)
        try:
            with DuckDBStore(path) as store:
                damage = store.check()
                same = not damage and shown(store, script) == right
        except (DamagedFileError, FileAccessError):
            found += 1
            assert path.read_bytes() == changed, "what is refused is not changed"
            continue
        assert damage or same
        found += bool(damage)
    assert found, "most of a file is data"


def test_what_is_no_store_is_refused_and_left(tmp_path):
    path = tmp_path / "phr.duckdb"
    path.write_bytes(b"what somebody else wrote" * 1000)
    with pytest.raises(DamagedFileError, match=r"phr\.duckdb"):
        Cloud(path)
    assert path.read_bytes() == b"what somebody else wrote" * 1000
    with pytest.raises(MissingFileError):
        DuckDBStore(tmp_path / "no" / "phr.duckdb")
    with pytest.raises(MissingFileError):
        opened_store(tmp_path / "none.duckdb", must_exist=True)
    with pytest.raises(InvalidInputError, match=r"ends with \.duckdb"):
        Cloud("phr.sqlite")


def test_a_store_of_a_later_version_is_refused_and_left(tmp_path):
    path = tmp_path / "phr.duckdb"
    DuckDBStore(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE mopse_store SET version = 4")
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match="the store is of version 4"):
        DuckDBStore(path)
    assert path.read_bytes() == before


ADDED = {2: ("seals", "gone", "evidence", "removals", "begun", "chunks"), 3: ("large",)}
"""Tables that versions had first; slices too, which are of databases alone."""


def of_version(before: int, address: str) -> Any:
    """Make a store one of an earlier version; return what it shows."""
    scene = Scene(SCHEMA, "hospital", seed=SEED, cloud=Cloud(address))
    scene.send("hospital", table(0, 300))
    scene.cloud.receive(scene["hospital"].delete([3], cloud=scene.cloud))
    shown = scene.cloud._store.contents, scene.cloud._store.totals
    scene.cloud.close()
    added = [name for version, names in ADDED.items() if version > before for name in names]
    added += ["slices"] if address.startswith("postgresql") else []
    statements = [f"DROP TABLE {name}" for name in added]
    run(address, [*statements, f"UPDATE mopse_store SET version = {before}"])
    return scene, shown


def run(address: str, statements: list[str]) -> list[Any]:
    """Have an engine do something beside any store; return what the last statement finds."""
    if address.startswith("postgresql"):
        import psycopg

        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement)
            return found.fetchall() if found.description else []
    with duckdb.connect(address) as connection:
        for statement in statements:
            found = connection.execute(statement)
        return found.fetchall()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_store_of_an_earlier_version_gets_what_it_lacks_whole_or_not_at_all(
    tmp_path, kind, version, monkeypatch
):
    address = str(tmp_path / "phr.duckdb") if kind == "file" else postgres().database()
    scene, before = of_version(version, address)
    make = _tables._make

    def half(engine: Any, session: Any, since: int) -> None:
        make(engine, session, since)
        raise FileAccessError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(_tables, "_make", half)
        with pytest.raises(FileAccessError, match="the power went"):
            opened_store(address)
    assert run(address, ["SELECT version FROM mopse_store"]) == [(version,)]
    scene.cloud = Cloud(address)
    store: Any = scene.cloud._store
    assert (store.contents, store.totals) == before
    assert store.check() == []
    scene.cloud.receive(scene["hospital"].seal())
    assert scene.owner.ask(scene.cloud, age=(0, 120), proof=True).height == 299
    sent = scene["hospital"].attach(1, b"x", name="n", media_type="a/b")
    handed_on(scene.cloud, bytes(sent))
    assert store.totals[1] == 1
    assert store.check() == []
    scene.cloud.close()
    assert run(address, ["SELECT version FROM mopse_store"]) == [(3,)]


@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_store_is_of_one_version_after_a_kill_while_it_gets_what_it_lacks(tmp_path, kind):
    choice, seen = random.Random(7), set()
    code = "import sys\nfrom mopse.stores import opened_store\nprint('begin', flush=True)\n"
    code += "opened_store(sys.argv[1])"
    first = str(tmp_path / "0.duckdb")
    whole = None
    for number in range(12 if kind == "file" else 6):
        address = first if kind == "file" else postgres().database()
        if whole is None or kind == "database":
            _, before = of_version(1, address)
            whole = Path(first).read_bytes() if kind == "file" else None
        else:
            Path(first).write_bytes(whole)
        with subprocess.Popen(
            [sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(choice.uniform(0, 0.05) if number % 2 else choice.uniform(0, 0.3))
            process.kill()
        [(version,)] = run(address, ["SELECT version FROM mopse_store"])
        tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'seals'"
        assert run(address, [tables]) == [(int(version > 1),)]
        seen.add(version)
        with opened_store(address) as store:
            assert store.check() == []
            assert (store.contents, store.totals) == before
    assert seen <= {1, 3}


def test_a_store_is_open_in_one_process(tmp_path):
    path = tmp_path / "phr.duckdb"
    with DuckDBStore(path):
        code = (
            "import sys, mopse\n"
            "try: mopse.Cloud(sys.argv[1])\n"
            "except mopse.errors.FileAccessError as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
    assert "is open in another process" in done.stdout
    DuckDBStore(path).close()


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(str(path)))
    scene.send("hospital", table(0, 2000))
    message = tmp_path / "message"
    message.write_bytes(bytes(scene["hospital"].encrypt(table(10_000, 60_000), id="id")))
    scene.cloud.close()
    code = (
        "import resource, signal, sys, mopse\n"
        "cloud = mopse.Cloud(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "_, most = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, most))\n"
        "try: cloud.receive(open(sys.argv[2], 'rb').read())\n"
        "except mopse.errors.MopseError as error: print(type(error).__name__)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "cloud.close()\n"
        "with mopse.Cloud(sys.argv[1]) as cloud: print(sum(of[3] for of in cloud._store.contents))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(message)], capture_output=True, text=True
    )
    # The process that had no room goes on once there is some.
    assert done.stdout.split() == ["FileAccessError", "2000"], done.stderr
    with Cloud(path) as cloud:
        assert cloud._store.check() == []
        assert sum(line[3] for line in cloud._store.contents) == 2000
        assert cloud.receive(message.read_bytes()).added == 60_000
        assert scene.owner.ask(cloud, age=(0, 120)).height == 62_000


UNTOLD = {
    (
        "announcements",
        "path <> ''",
    ): "a group below the owner is there without its announcement too",
    ("arrived", "number NOT IN (SELECT number FROM files)"): "a base is in no other table",
    ("chunks", "TRUE"): "of an upload that is not whole any chunk may be missing",
    ("seals", "is_removed = 1"): "an operator may have removed what it was of",
}
"""Rows whose loss nothing else in the store tells, and why."""


def told(address: str) -> None:
    """Fill a store of which each table has some rows, and some that nothing else tells of."""
    scene = Scene(SCHEMA, "hospital", "clinic", "hospital/ward", cloud=Cloud(address))
    cloud: Any = scene.cloud
    scene.send(["hospital", "clinic", "hospital/ward"], table(0, 12))
    for content in (b"a letter", b"another one"):
        file = scene["hospital"].attach(
            1, content, name="letter.txt", media_type="a/b", keywords=["gout", "scan"]
        )
        cloud.receive(file)
    large_one = scene["hospital"].attach(2, b"an image", name="i", media_type="a/b")
    handed_on(cloud, bytes(large_one))
    for path_ in ("hospital", "clinic", "hospital/ward"):
        cloud.receive(scene[path_].seal())
    cloud.receive(scene["hospital"].delete([1], cloud=cloud))
    cloud.receive(scene["hospital"].seal(cloud=cloud))
    cloud.receive(scene["hospital"].update(table(3, 2, 9), id="id", cloud=cloud))
    cloud.receive(scene["hospital"].delete([5, 6], cloud=cloud))
    cloud.receive(scene.owner.removal("clinic"))
    cloud.remove("hospital/ward")
    scene.send("hospital/ward", table(20, 2))
    cloud.receive(scene.owner.removal("hospital/ward"))
    scene.send("hospital/ward", table(30, 2))
    large = Pieces(bytes(scene["hospital"].encrypt(table(900, 20_000), id="id")))
    cloud.put(large.piece(0, 2))
    cloud._store.add_base(scene.owner.key, "hospital", [(0, b"")], 77)
    cloud.close()


def test_a_row_that_is_missing_is_noticed_or_nothing_tells_of_it(tmp_path):
    path = tmp_path / "phr.duckdb"
    told(str(path))
    with DuckDBStore(path) as store:
        assert store.check() == []
    whole = path.read_bytes()
    with duckdb.connect(str(path)) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        untold = {
            (table_, row): why
            for (table_, where), why in UNTOLD.items()
            for (row,) in connection.execute(f"SELECT rowid FROM {table_} WHERE {where}").fetchall()
        }
        rows = [
            (name, row)
            for name in names
            for (row,) in connection.execute(
                f"SELECT rowid FROM {name} LIMIT {12 if name == 'taken' else 4}"
            ).fetchall()
        ]
    assert {name for name, _ in rows} == {*names}, "each table has rows"
    assert {name for name, _ in untold} == {name for name, _ in UNTOLD}
    wrong = []
    for name, row in rows:
        path.write_bytes(whole)
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"DELETE FROM {name} WHERE rowid = ?", [row])
        try:
            with DuckDBStore(path) as store:
                damage = store.check()
        except DamagedFileError as error:
            damage = [f"table {name}" for _ in [0] if name in str(error)]
        is_told = any(re.match(rf"tables? .*\b{name}\b", line) for line in damage)
        if is_told == ((name, row) in untold):
            wrong.append((name, row, damage))
    assert wrong == []


def test_a_row_that_is_missing_in_a_database_is_noticed():
    import psycopg

    address = postgres().database()
    told(address)
    untold, wrong = {table_ for table_, _ in UNTOLD}, []
    with (
        opened_store(address) as store,
        psycopg.connect(address, autocommit=True) as connection,
    ):
        assert store.check() == []
        for name in sorted({*_tables.TABLES, "records_0"} - untold):
            first = f"(SELECT min(ctid) FROM {name})"
            row = connection.execute(f"DELETE FROM {name} WHERE ctid = {first} RETURNING *")
            values = row.fetchone()
            assert values is not None, name
            if not any(f"table {name}" in line for line in store.check()):
                wrong.append(name)
            marks = ", ".join(["%s"] * len(values))
            connection.execute(f"INSERT INTO {name} VALUES ({marks})", values)
        assert wrong == []
        assert store.check() == []


def test_tables_of_somebody_else_are_left_alone(tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (a INT)")
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(DamagedFileError, match="tables of somebody else"):
            Cloud(path)
    assert path.read_bytes() == before
    address = postgres().database()
    with pytest.raises(MissingFileError, match="no store in it"):
        opened_store(address, must_exist=True)
    with pytest.raises(MissingFileError, match="no store in it"):
        opened_store(address, must_exist=True)  # that it was looked for has made none


def test_two_clouds_on_one_file_in_a_process_share_the_store(tmp_path):
    path = tmp_path / "phr.duckdb"
    (tmp_path / "other.duckdb").symlink_to(path)
    scene = Scene(SCHEMA, "hospital", "clinic", cloud=Cloud(path))
    other = Cloud(tmp_path / "other.duckdb")
    for at in range(3):
        for cloud, provider in ((scene.cloud, "hospital"), (other, "clinic")):
            upload = scene[provider].encrypt(table(100 * at, 5), id="id")
            cloud.receive(upload)
    assert scene.owner.ask(other, age=(0, 120)).height == 30
    assert scene.cloud._store.check() == []
    late = scene["clinic"].encrypt(table(900, 5), id="id")
    scene.owner.revoke("clinic")
    scene.enroll()
    with pytest.raises(MopseError):
        other.receive(late)
    other.close()
    for ask in (
        lambda: scene.cloud.search(b""),
        lambda: scene.cloud.announcements(scene.owner.key),
    ):
        with pytest.raises(MopseError):
            ask()
    with Cloud(path) as again:
        assert len(again._store.contents) == 6


def test_a_store_that_is_closed_waits_for_who_searches_and_says_that_it_is_closed(tmp_path):
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(tmp_path / "phr.duckdb"))
    scene.send("hospital", table(0, 3000))
    query, said = scene.owner.query(age=(0, 120)), set()

    def read() -> None:
        try:
            while True:
                assert len(scene.cloud.search(query)) == 3000
        except MopseError as error:
            said.add(f"{type(error).__name__}: {error}")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    time.sleep(0.2)
    scene.cloud.close()
    for thread in readers:
        thread.join()
    [line] = said
    assert line.startswith("FileAccessError: the store")
    assert line.endswith("is closed")


@pytest.mark.parametrize("kind", ["file", "database"])
def test_refusals_are_in_the_words_of_the_store_in_memory(tmp_path, kind):
    address = str(tmp_path / "phr.duckdb") if kind == "file" else postgres().database()
    said = []
    for cloud in (Cloud(), Cloud(address)):
        owner = Owner.from_insecure_seed(SCHEMA, SEED)
        scene = Scene(SCHEMA, "hôpital", owner=owner, cloud=cloud)
        hospital = scene["hôpital"]
        upload = scene.send("hôpital", table(0, 5))
        stale = hospital.update(table(0, 2, 50), id="id", cloud=cloud)
        cloud.receive(hospital.update(table(0, 2, 51), id="id", cloud=cloud))
        again = hospital.encrypt(table(3, 1), id="id")
        gone = hospital.delete([4], cloud=cloud)
        cloud.receive(hospital.delete([4], cloud=cloud))
        file = hospital.attach(1, b"x", name="n", media_type="a/b", keywords=["k"])
        cloud.receive(file)
        reused = owner.authorize("hôpital").attach(
            1, b"y", name="m", media_type="a/b", keywords=["k"]
        )
        removal = owner.removal("hôpital")
        for message in (stale, again, gone, file, reused, removal, upload):
            try:
                said.append(repr(cloud.receive(message)))
            except MopseError as error:
                said.append(f"{type(error).__name__}: {error}")
        cloud.close()
    half = len(said) // 2
    assert said[:half] == said[half:]
    assert sum(line.startswith("Receipt") for line in said) == 2, "the removals"


@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_store_of_a_process_is_not_used_by_one_that_was_forked(tmp_path, kind):
    address = str(tmp_path / "phr.duckdb") if kind == "file" else postgres().database()
    store = opened_store(address)
    child = os.fork()
    if child == 0:
        try:
            store.owners()
        except ForkedError:
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert store.owners() == []
    store.close()


def test_a_block_that_is_damaged_is_named_by_its_table_and_others_are_read_on(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene, _ = filled(path)
    scene.cloud.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE arrived SET digest = digest + 1")
        connection.execute("CHECKPOINT")
        blocks = {
            block: name
            for (name,) in connection.execute("SHOW TABLES").fetchall()
            for (block,) in connection.execute(
                f"SELECT block_id FROM pragma_storage_info('{name}') WHERE block_id >= 0"
            ).fetchall()
        }
    whole = path.read_bytes()
    assert {"records_0", "taken", "tombstones", "uploads", "chunks"} <= {*blocks.values()}
    for block, name in blocks.items():
        at = 3 * 4096 + 262_144 * block + 4096  # after three headers, blocks of one size
        changed = whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
        path.write_bytes(changed)
        with DuckDBStore(path) as store:
            damage = store.check()
        first, *_ = [line for line in damage if "cannot be read" in line]
        assert first.startswith(f"table {name}: cannot be read: "), damage
        assert "another process" not in first
        assert sum("cannot be read" in line for line in damage) == 1, damage
        if name != "arrived":
            assert any(line.startswith("table arrived: row 0") for line in damage), damage
        assert path.read_bytes() == changed, "what is checked is not changed"


def test_a_store_is_neither_pickled_nor_copied(tmp_path):
    with DuckDBStore(tmp_path / "phr.duckdb") as store:
        for use in (pickle.dumps, copy.deepcopy):
            with pytest.raises(WrongTypeError, match="neither pickled nor copied"):
                use(store)


# Many at once


@pytest.mark.parametrize("kind", ["file", "database"])
def test_eight_providers_and_readers_see_one_order(tmp_path, kind):
    names = [f"provider-{number}" for number in range(8)]
    address = str(tmp_path / "phr.duckdb") if kind == "file" else postgres().database()
    scene = Scene(SCHEMA, *names, cloud=Cloud(address))
    uploads = {
        name: [bytes(scene[name].encrypt(table(500 * at, 50), id="id")) for at in range(6)]
        for name in names
    }
    query = scene.owner.query(age=(0, 120))
    done, faults, seen = threading.Event(), [], []

    def write(name: str) -> None:
        for upload in uploads[name]:
            scene.cloud.receive(upload)

    def read() -> None:
        while not done.is_set():
            answer = scene.cloud.search(query)
            by_provider: dict[str, int] = {}
            for part in answer._parts:
                by_provider[part.provider] = by_provider.get(part.provider, 0) + len(part)
            snapshot = answer._parts[0].snapshot
            seen.append((snapshot, tuple(by_provider.get(name, 0) for name in names)))
            if any(count % 50 for _, counts in seen[-1:] for count in counts):
                faults.append(seen[-1])

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not faults
    # Of one state there is one answer, later ones have more, and all uploads are counted.
    of_state = {}
    for snapshot, counts in seen:
        assert of_state.setdefault(snapshot, counts) == counts
        assert sum(counts) == 50 * snapshot
    ordered = [of_state[snapshot] for snapshot in sorted(of_state)]
    for one, later in itertools.pairwise(ordered):
        assert all(a <= b for a, b in zip(one, later, strict=True))
    assert scene.owner.ask(scene.cloud, age=(0, 120)).height == 8 * 6 * 50
    scene.cloud.close()


def test_records_are_ordered_by_a_thread_and_ranges_stay_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("mopse.stores._records._TAIL", 500)
    store = DuckDBStore(tmp_path / "phr.duckdb")
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(store))
    for at in range(6):
        scene.send("hospital", table(1000 * at, 400))
    for _ in range(200):
        if store._tidier is None:
            break
        time.sleep(0.02)
    assert store._tidier is None
    with store._engine.read() as session:
        [(ordered,)] = session.rows("SELECT ordered FROM record_groups")
    assert ordered >= 1200
    assert scene.owner.ask(scene.cloud, age=(10, 20)).height == sum(
        10 <= (number * 7 + 40) % 121 <= 20
        for at in range(6)
        for number in range(1000 * at, 1000 * at + 400)
    )
    assert store.check() == []
    scene.cloud.close()


# Parquet, the command


def test_a_store_is_written_as_sorted_parquet(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene, secrets = filled(path)
    [written] = scene.cloud._store.export(tmp_path / "out").values()
    frame = pl.read_parquet(written)
    assert frame["field age"].is_sorted()
    assert frame.height == 798
    owner, group = scene.cloud._store.contents[0][:2]
    merged, _ = scene.cloud._store.merged(owner, group, "sbp")
    assert frame["field sbp"].sort().to_list() == merged.tolist()
    metadata = pl.read_parquet_metadata(written)
    assert metadata["mopse.group"] == group
    assert not any(secret in written.read_bytes() for secret in secrets)
    scene.cloud.close()


def test_the_command_checks_and_exports(tmp_path, capsys):
    path = tmp_path / "phr.duckdb"
    scene, _ = filled(path)
    scene.cloud.close()
    from mopse.cli import main

    main(["store", "check", str(path)])
    assert "The store is whole: 798 records, 1,596 entries, 1 file." in capsys.readouterr().out
    main(["store", "export", str(path), "--out", str(tmp_path / "out")])
    assert "the group of the owner: " in capsys.readouterr().out
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE records_0 SET high = high + 1 WHERE seq = 0 AND row_no = 0")
    with pytest.raises(SystemExit, match="the store is damaged: 1 fault"):
        main(["store", "check", str(path)])
    assert "upload 0, record 0 is not what was written" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="there is no store"):
        main(["store", "check", str(tmp_path / "none.duckdb")])


@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_fetched_file_shows_its_provider(tmp_path, kind):
    address = str(tmp_path / "phr.duckdb") if kind == "file" else postgres().database()
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(address))
    sent = scene["hospital"].attach(1, b"what it says", name="n", media_type="a/b")
    scene.cloud.receive(sent)
    request = scene.owner.fetch(sent.file)
    fetched = scene.cloud.fetch(request, proof=True)
    assert scene.owner.open_file(fetched, request, proof=True).content == b"what it says"
    scene.cloud.receive(scene.owner.removal("hospital"))
    with pytest.raises(InvalidInputError):
        scene.cloud.fetch(request, proof=True)
    scene.cloud.close()


def test_a_cloud_goes_on_where_it_was(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene, _ = filled(path)
    before = scene.owner.ask(scene.cloud, age=(0, 60)).sort("provider", "id")
    upload = scene["hospital"].encrypt(table(5000, 3), id="id")
    scene.cloud.receive(upload)
    scene.cloud.close()
    with Cloud(path) as cloud:
        assert cloud.receive(upload).repeated
        later = scene.owner.ask(cloud, age=(0, 60)).sort("provider", "id")
        assert later.height >= before.height
        request = scene.owner.find("gout")
        assert scene.owner.files(cloud.find(request), request).height == 1
        assert repr(cloud._store) == f"DuckDBStore({str(path)!r})"
    with pytest.raises(MopseError):
        cloud.search(scene.owner.query(age=(0, 60)))
