"""Stores that are purged: nothing is left of what was removed, and everything else is as it was."""

import itertools
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scene import Scene
from stores.server import postgres

import mopse
from mopse import Cloud, Field, Schema
from mopse._mopse.cloud import Gate
from mopse.cli import main
from mopse.errors import DamagedFileError, FileAccessError, MopseError
from mopse.stores import DuckDBStore, opened_store

duckdb = pytest.importorskip("duckdb", reason="needs the extra duckdb")

SCHEMA = Schema(age=Field(0, 120, proof=True), sbp=Field(0, 300))
BODY = b"what the letter says" * 50


def table(first: int, count: int) -> pl.DataFrame:
    """Return records of numbered patients."""
    ids = range(first, first + count)
    return pl.DataFrame(
        {"id": ids, "age": [number % 90 for number in ids], "sbp": [number % 301 for number in ids]}
    )


class Removed:
    """A deployment in which much was removed, what was removed, and what is to stay as it is."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.scene = Scene(SCHEMA, "hospital", "clinic", cloud=Cloud(address))
        scene, cloud = self.scene, self.scene.cloud
        scene.send(["hospital", "clinic"], table(0, 300))
        for provider in ("hospital", "clinic"):
            about = {"name": "letter.txt", "media_type": "a/b", "keywords": ["gout"]}
            cloud.receive(scene[provider].attach(7, BODY, **about))
            cloud.receive(scene[provider].seal())
        self.all = self.sealed()
        self.whole = self.bytes_kept()
        cloud = scene.cloud
        cloud.receive(scene["hospital"].delete(range(100, 250), cloud=cloud))
        cloud.receive(scene["hospital"].update(table(0, 20), id="id", cloud=cloud))
        cloud.receive(scene.owner.removal("clinic"))
        self.query = bytes(scene.owner.query(age=(0, 120), proof=True))
        self.now = int(time.time())
        self.right = self.shown(cloud._store)
        kept = self.sealed()
        self.gone = self.all - kept
        assert len(self.gone) > 450
        assert kept

    def sealed(self) -> set[bytes]:
        """Return the sealed bytes of records and files that are there."""
        store: Any = self.scene.cloud._store
        found = set()
        with store._engine.read() as session:
            sql = "SELECT name, position FROM group_columns WHERE kind = 'portion'"
            for _, position in session.rows(sql):
                rows = session.rows(f"SELECT portion_{position} FROM records_0")
                found |= {bytes(of) for (of,) in rows if of is not None}
            found |= {bytes(body) for (body,) in session.rows("SELECT body FROM bodies")}
        return found

    def bytes_kept(self) -> bytes:
        """Return all bytes of a file and its log, or of the tables of a server, on the disk."""
        if self.address.startswith("postgresql"):
            import psycopg

            with psycopg.connect(self.address, autocommit=True) as connection:
                connection.execute("CHECKPOINT")
                sql = "SELECT oid FROM pg_database WHERE datname = current_database()"
                row = connection.execute(sql).fetchone()
            assert row is not None
            paths = sorted(postgres().folder.joinpath("data", "base", str(row[0])).iterdir())
        else:
            self.scene.cloud.close()
            paths = sorted(Path(self.address).parent.iterdir())
            self.scene.cloud = Cloud(self.address)
        return b"".join(path.read_bytes() for path in paths if path.is_file())

    def shown(self, store: Any) -> Any:
        """Return all that a store shows, with its proofs."""
        gate = Gate(store, 1 << 28)
        query, parts, proof = gate.search(self.query, self.now, None, True, None, False, False)
        assert proof is not None
        counted = gate.count_proven(self.query, self.now, None, False).encode()
        answer = bytes(mopse.Answer(query, parts))
        return store.contents, store.totals, answer, proof.encode(), counted


def address_of(kind: str, folder: Path) -> str:
    """Return where a new store can be, alone in its folder."""
    return str(folder / "phr.duckdb") if kind == "file" else postgres().database()


def left(sealed: set[bytes], kept: bytes) -> int:
    """Return of how many sealed rows the first bytes are in what is kept."""
    return sum(each[:40] in kept for each in sealed)


@pytest.mark.parametrize("kind", ["file", "database"])
def test_no_byte_of_what_was_removed_is_left_and_answers_and_proofs_are_the_same(
    tmp_path, capsys, kind
):
    removed = Removed(address_of(kind, tmp_path))
    assert left(removed.all, removed.whole) == len(removed.all), "they are found where they are"
    assert left(removed.gone, removed.bytes_kept()), "they are found where they were"
    removed.scene.cloud.close()
    main(["store", "purge", removed.address])
    said = capsys.readouterr().out
    assert "The store is written anew: 150 records, 300 entries, 1 file." in said
    removed.scene.cloud = Cloud(removed.address)
    now = removed.bytes_kept()
    assert left(removed.gone, now) == 0
    assert left(removed.sealed(), now) == len(removed.sealed())
    cloud = removed.scene.cloud
    assert removed.shown(cloud._store) == removed.right
    assert cloud._store.check() == []
    # All goes on: changes, seals, and what a seal is held against.
    removed.scene.send("hospital", table(900, 5))
    for provider in ("hospital", "clinic"):
        cloud.receive(removed.scene[provider].seal(cloud=cloud))
    assert removed.scene.owner.ask(cloud, age=(0, 120), proof=True).height == 155
    assert cloud._store.check() == []
    cloud.close()


def test_records_lie_in_their_order_after_a_purge(tmp_path):
    removed = Removed(str(tmp_path / "phr.duckdb"))
    store: Any = removed.scene.cloud._store
    store.compact()
    store.purge()
    with store._engine.read() as session:
        [(field,)] = session.rows(
            "SELECT position FROM group_columns WHERE kind = 'field' ORDER BY position LIMIT 1"
        )
        found = session.rows(f"SELECT field_{field} FROM records_0 ORDER BY rowid")
    assert found == sorted(found)
    store.close()


PURGE = """
import os, signal, sys
from mopse.stores import _duckdb, opened_store
def killing(function, is_after):
    def call(*arguments):
        if is_after:
            function(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    return call
store = opened_store(sys.argv[1])
if sys.argv[2]:
    name, is_after = sys.argv[2].split()
    setattr(_duckdb, name, killing(getattr(_duckdb, name), is_after == "after"))
print("begin", flush=True)
store.purge()
store.close()
print("end", flush=True)
"""

POINTS = [
    " ".join(point) for point in itertools.product(("finished", "swapped"), ("before", "after"))
]


def test_a_file_is_the_old_or_the_new_one_after_a_kill_at_any_moment(tmp_path):
    removed = Removed(str(tmp_path / "phr.duckdb"))
    removed.scene.cloud.close()
    path, before = Path(removed.address), Path(removed.address).read_bytes()
    choice, seen = random.Random(5), []
    gone = {*sorted(removed.gone)[:20]}
    assert left(gone, before)
    for point in [*POINTS, *[""] * 8]:
        path.write_bytes(before)
        with subprocess.Popen(
            [sys.executable, "-c", PURGE, str(path), point], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begin\n"
            if not point:
                time.sleep(choice.uniform(0, 0.25))
                process.kill()
        assert point == "" or process.returncode == -signal.SIGKILL
        is_new = left(gone, path.read_bytes()) == 0
        seen.append((point, is_new))
        assert is_new or path.read_bytes() == before
        with DuckDBStore(path) as store:
            assert store.check() == []
            assert removed.shown(store) == removed.right
            store.purge()
            assert removed.shown(store) == removed.right
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
        assert left(gone, path.read_bytes()) == 0
    assert dict(seen[: len(POINTS)]) == {point: point == "swapped after" for point in POINTS}


def test_a_purge_without_room_is_an_error_and_leaves_the_file(tmp_path):
    removed = Removed(str(tmp_path / "phr.duckdb"))
    removed.scene.cloud.close()
    path, before = Path(removed.address), Path(removed.address).read_bytes()
    code = (
        "import resource, signal, sys, mopse\n"
        "store = mopse.stores.opened_store(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "_, most = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, most))\n"
        "try: store.purge()\n"
        "except mopse.errors.MopseError as error: print(type(error).__name__)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "print(store.totals[1])\n"
        "if sys.argv[2:]: store.purge()\n"
        "store.close()"
    )
    for again in ([], ["again"]):
        command = [sys.executable, "-c", code, str(path), *again]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout.split() == ["FileAccessError", "1"], done.stderr
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
        if not again:
            assert path.read_bytes() == before
    assert left(removed.gone, path.read_bytes()) == 0, "once there is room"
    with DuckDBStore(path) as store:
        assert removed.shown(store) == removed.right


def test_a_store_that_another_process_has_open_is_not_purged(tmp_path):
    path = tmp_path / "phr.duckdb"
    with DuckDBStore(path):
        done = subprocess.run(
            [sys.executable, "-m", "mopse", "store", "purge", str(path)],
            capture_output=True,
            text=True,
        )
    assert done.returncode
    assert "is open in another process" in done.stderr
    with pytest.raises(SystemExit, match="there is no store"):
        main(["store", "purge", str(tmp_path / "none.duckdb")])


def test_a_file_keeps_its_mode_and_links_to_it_and_one_with_two_names_is_refused(tmp_path):
    path, link, other = (tmp_path / name for name in ("phr.duckdb", "link.duckdb", "other.duckdb"))
    DuckDBStore(path).close()
    path.chmod(0o640)
    link.symlink_to(path)
    with DuckDBStore(link) as store:
        inode = path.stat().st_ino
        store.purge()
        assert link.is_symlink()
        assert path.stat().st_ino != inode
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        # Who opens it now in this process shares the store, as before.
        with DuckDBStore(path) as again:
            assert again._engine is store._engine
    os.link(path, other)
    with DuckDBStore(path) as store:
        with pytest.raises(FileAccessError, match="another name"):
            store.purge()
        assert store.check() == []
    assert {each.name for each in tmp_path.iterdir()} == {path.name, link.name, other.name}


@pytest.mark.parametrize("kind", ["file", "database"])
def test_searches_go_on_beside_a_purge_and_changes_wait_for_it(tmp_path, kind):
    removed = Removed(address_of(kind, tmp_path))
    cloud, done, faults, seen = removed.scene.cloud, threading.Event(), [], []
    uploads = [removed.scene["hospital"].encrypt(table(1000 + at, 1), id="id") for at in range(20)]

    def read() -> None:
        try:
            while not done.is_set():
                seen.append(len(cloud.search(removed.query)))
                time.sleep(0.002)
        except MopseError as error:
            faults.append(error)

    def write() -> None:
        try:
            for upload in uploads:
                cloud.receive(upload)
        except MopseError as error:
            faults.append(error)

    threads = [threading.Thread(target=each) for each in (read, read, write)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        cloud._store.purge()
    threads[-1].join()
    done.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert set(seen) <= {*range(150, 171)}
    assert removed.scene.owner.ask(cloud, age=(0, 120)).height == 170
    assert cloud._store.check() == []
    cloud.close()


def test_a_purge_makes_indexes_anew_that_are_damaged(tmp_path):
    removed = Removed(str(tmp_path / "phr.duckdb"))
    upload = removed.scene["hospital"].encrypt(table(900, 1), id="id")
    removed.scene.cloud.close()
    path, whole = Path(removed.address), Path(removed.address).read_bytes()
    with duckdb.connect(removed.address, read_only=True) as connection:
        in_tables = {
            block
            for (name,) in connection.execute("SHOW TABLES").fetchall()
            for (block,) in connection.execute(
                f"SELECT block_id FROM pragma_storage_info('{name}')"
            ).fetchall()
        }
    mended = 0
    for block in {*range((len(whole) - 3 * 4096) // 262_144)} - in_tables:
        at = 3 * 4096 + 262_144 * block + 4096  # after three headers, blocks of one size
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        try:
            with Cloud(path) as cloud:
                assert cloud._store.check() == []
                cloud._store.purge()
                mended += cloud.receive(upload).added
                assert cloud._store.check() == []
        except DamagedFileError:
            continue  # of what is read when a file is opened
    assert mended


def test_a_file_that_is_read_all_the_time_is_not_purged(tmp_path, monkeypatch):
    monkeypatch.setattr("mopse.stores._duckdb._PATIENCE", 0.1)
    removed = Removed(str(tmp_path / "phr.duckdb"))
    store: Any = removed.scene.cloud._store
    with store._engine.read(), pytest.raises(FileAccessError, match="searched all the time"):
        store.purge()
    assert removed.shown(store) == removed.right
    store.purge()
    assert removed.shown(store) == removed.right
    store.close()
    with pytest.raises(FileAccessError, match="is closed"):
        store.purge()
    assert [each.name for each in tmp_path.iterdir()] == ["phr.duckdb"]


def test_a_database_is_purged_by_who_owns_its_tables():
    import psycopg

    address = postgres().database()
    Cloud(address).close()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO reader")
    with opened_store(address.replace("mopse@", "reader@")) as store:
        with pytest.raises(
            FileAccessError, match=r"only the owner of the tables can purge .*taken"
        ):
            store.purge()
        assert store.check() == []
    with opened_store(address) as store:
        store.purge()
        store.purge()
        assert store.check() == []
