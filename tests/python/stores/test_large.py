"""Bodies that are too large for a table: kept, read, removed and checked, whole or not at all."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import Scene
from stores.server import postgres
from stores.test_durable import run
from stores.writer import handed_on

import mopse
from mopse import Cloud, Field, Schema
from mopse._mopse.message import Attachment
from mopse.errors import (
    FileAccessError,
    InvalidInputError,
    ReplayError,
    ScopeError,
    SignatureError,
    WrongTypeError,
)
from mopse.stores import LARGE, DuckDBStore, _folder, opened_store
from mopse.stores._tables import digest_of

pytest.importorskip("duckdb", reason="needs the extra duckdb")

SCHEMA = Schema(age=Field(0, 99))
WRITER = Path(__file__).with_name("writer.py")
KINDS = ["file", "database"]
KILLS = int(os.environ.get("MOPSE_KILLS", "24"))


def at(kind: str, folder: Path) -> str:
    """Return the address of an empty store."""
    return str(folder / "phr.duckdb") if kind == "file" else postgres().database()


def attached(scene: Scene, size: int, keyword: str = "scan", path: str = "hospital") -> Any:
    """Return an attachment of so many bytes."""
    content = os.urandom(1 << 10) * (size >> 10)
    return scene[path].attach(1, content, name="n", media_type="a/b", keywords=[keyword])


def there(address: str) -> list[Any]:
    """Return what is there of large bodies: names in the folder, or names and slices."""
    if address.startswith("postgresql"):
        return run(address, ["SELECT name, count(*) FROM slices GROUP BY name ORDER BY name"])
    folder = Path(f"{address}.files")
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1 << 10, (1 << 20) + 3072, LARGE + (1 << 16)])
def test_what_is_spooled_is_what_is_received(tmp_path, kind, size):
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(at(kind, tmp_path)))
    beside = Scene(SCHEMA, "hospital")
    beside.cloud.enroll(scene.owner.public)
    sent = attached(scene, size)
    assert handed_on(scene.cloud, bytes(sent), 100_000) == beside.cloud.receive(sent)
    for proof in (False, True):
        request = scene.owner.fetch(sent.file)
        got = [bytes(cloud.fetch(request, proof=proof)) for cloud in (scene.cloud, beside.cloud)]
        assert got[0] == got[1]
        gate: Any = scene.cloud._gate
        before, length, body, after = gate.fetch_spooled(bytes(request), int(time.time()), proof)
        pieces = list(body)
        assert before + b"".join(pieces) + after == got[0]
        assert sum(map(len, pieces)) == length
        assert max(map(len, pieces), default=0) <= 1 << 20
    assert scene.cloud._store.totals == beside.cloud._store.totals
    found = scene.owner.files(scene.cloud.find(ask := scene.owner.find("scan")), ask)
    assert found["file"].to_list() == [sent.file]
    assert scene.cloud._store.check() == []
    scene.cloud.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_body_lies_outside_of_the_table_however_it_came(tmp_path, kind):
    address = at(kind, tmp_path)
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(address))
    small, large = attached(scene, 1 << 10, "a"), attached(scene, LARGE + 1024, "b")
    for sent in (small, large):
        scene.cloud.receive(sent)
    sizes = "SELECT octet_length(body) FROM bodies ORDER BY octet_length(body)"
    scene.cloud.close()
    assert [size for (size,) in run(address, [sizes]) if size and size > LARGE] == []
    assert len(there(address)) == 1
    with Cloud(address) as cloud:
        for sent in (small, large):
            request = scene.owner.fetch(sent.file)
            fetched = cloud.fetch(request, proof=True)
            scene.owner.open_file(fetched, request, proof=True)
        gate: Any = cloud._gate
        request = scene.owner.fetch(small.file)
        assert gate.fetch_spooled(bytes(request), int(time.time()), False) is None
        with pytest.raises(InvalidInputError):
            gate.fetch_spooled(bytes(scene.owner.find("a")), int(time.time()), False)
        assert (
            gate.fetch_spooled(bytes(scene.owner.fetch("0" * 32)), int(time.time()), False) is None
        )


@pytest.mark.parametrize("kind", KINDS)
def test_of_what_is_refused_nothing_is_left(tmp_path, kind):
    address = at(kind, tmp_path)
    scene = Scene(SCHEMA, "hospital", "other", cloud=Cloud(address))
    sent = bytes(attached(scene, 1 << 21))
    handed_on(scene.cloud, sent)
    late = bytes(attached(scene, 1 << 21, path="other"))
    before = there(address), scene.cloud._store.totals
    with pytest.raises(ReplayError):
        handed_on(scene.cloud, sent)
    with pytest.raises(SignatureError):
        handed_on(scene.cloud, late[:-1] + bytes([late[-1] ^ 1]))
    with pytest.raises(mopse.errors.DamagedFileError):
        handed_on(scene.cloud, late[: len(late) // 2])
    with pytest.raises(mopse.errors.DamagedFileError):
        handed_on(scene.cloud, late + b"x")
    scene.owner.revoke("other")
    scene.enroll()
    with pytest.raises(ScopeError):
        handed_on(scene.cloud, late)
    store: Any = scene.cloud._store
    with pytest.raises(ScopeError), store.spool() as spool:  # by a door that looked before
        store.add_spooled(Attachment.decode(late), [], b"", spool)
    with pytest.raises(WrongTypeError):
        store.add_spooled(Attachment.decode(late), [], b"", b"a spool")
    assert (there(address), scene.cloud._store.totals) == before
    assert scene.cloud._store.check() == []
    scene.cloud.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_removed_is_gone_and_a_reader_is_told(tmp_path, kind):
    address = at(kind, tmp_path)
    scene = Scene(SCHEMA, "hospital", "clinic", cloud=Cloud(address))
    store: Any = scene.cloud._store
    kept = attached(scene, LARGE + 1024, path="clinic")
    handed_on(scene.cloud, bytes(kept))
    remaining = there(address)
    gone = attached(scene, 3 << 20)
    handed_on(scene.cloud, bytes(gone))
    _, _, body = store.spooled(scene.owner.key, int(gone.file, 16))
    first = next(body)
    assert len(first) == 1 << 20
    scene.cloud.receive(scene.owner.removal("hospital"))
    assert there(address) == remaining
    assert store.spooled(scene.owner.key, int(gone.file, 16)) is None
    assert store.file(scene.owner.key, int(gone.file, 16)) is None
    if kind == "database":
        with pytest.raises(mopse.errors.DamagedFileError, match="slice 1"):
            next(body)
    else:  # whoever has a file open has it
        assert sum(map(len, body)) > 2 << 20
    body.close()
    assert store.check() == []
    store.purge()
    request = scene.owner.fetch(kept.file)
    scene.owner.open_file(scene.cloud.fetch(request, proof=True), request, proof=True)
    assert store.check() == []
    scene.cloud.close()


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_found(tmp_path, kind):
    address = at(kind, tmp_path)
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(address))
    sent = attached(scene, (2 << 20) + 3072)
    handed_on(scene.cloud, bytes(sent))
    store: Any = scene.cloud._store
    owner, number = scene.owner.key, int(sent.file, 16)

    def faults(line: str) -> None:
        assert any(line in one for one in store.check()), store.check()

    if kind == "file":
        [name] = there(address)
        body = Path(f"{address}.files") / name
        whole = body.read_bytes()
        body.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        faults(f"table large: the body {name} is not what its provider signed")
        for other in (whole[:-1], whole + b"x"):
            body.write_bytes(other)
            faults(f"the body {name} has")
            with pytest.raises(mopse.errors.DamagedFileError, match="bytes, and had"):
                store.file(owner, number)
        body.unlink()
        faults(f"the body {name} cannot be read")
        with pytest.raises(mopse.errors.DamagedFileError, match="cannot be read"):
            store.spooled(owner, number)
        body.write_bytes(whole)
        surplus = body.with_name("somebody's")
        surplus.write_bytes(b"x")
        faults("table large: no row names \"somebody's\" in 'phr.duckdb.files'")
        store.close()
        with opened_store(address) as store:
            faults("somebody's")  # which nobody but its owner removes
            surplus.unlink()
            assert store.check() == []
        return
    change = "UPDATE slices SET slice = overlay(slice placing '\\x00'::bytea from 9) "
    run(address, ["CREATE TABLE before AS SELECT * FROM slices"])
    run(address, [change + "WHERE position = 1"])
    faults("table slices: row")
    faults("is not what its provider signed")
    run(address, ["DELETE FROM slices WHERE position = 1"])
    faults("slice 1 of the body")
    faults("table slices: 1 rows are missing")
    run(address, ["TRUNCATE slices", "INSERT INTO slices SELECT * FROM before"])
    assert store.check() == []
    digest = digest_of(("other", 0, b"x"))
    run(address, [f"INSERT INTO slices VALUES ('other', 0, 'x', {digest})"])
    faults("table large: 1 rows are missing that others speak of")
    store.close()


def test_whoever_opens_a_file_puts_right_what_was_left_and_nothing_else(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(path))
    for keyword in "ab":
        handed_on(scene.cloud, bytes(attached(scene, 1 << 21, keyword)))
    scene.cloud.close()
    folder = Path(f"{path}.files")
    before = there(str(path))
    assert all(_folder._MARK not in name for name in before)
    unnamed, half, unknown = "a" * 32, "b" * 32, "c" * 32
    for name in (unnamed, unnamed + _folder._MARK, half + _folder._MARK, unknown):
        (folder / name).write_bytes(b"x")
    (folder / (before[0] + _folder._MARK)).touch()
    with DuckDBStore(path) as store:
        assert there(str(path)) == sorted([*before, unknown])
        [line] = store.check()
        assert unknown in line, "what has no mark is not taken for what was left"


def test_a_folder_is_as_private_as_its_store(tmp_path):
    path = tmp_path / "phr.duckdb"
    before = os.umask(0)
    try:
        for mode in (0o600, 0o640):
            scene = Scene(SCHEMA, "hospital", cloud=Cloud(path))
            os.chmod(path, mode)
            handed_on(scene.cloud, bytes(attached(scene, 1 << 12)))
            scene.cloud.close()
            [name] = there(str(path))
            folder = Path(f"{path}.files")
            assert (folder / name).stat().st_mode & 0o777 == mode
            assert folder.stat().st_mode & 0o777 == {0o600: 0o700, 0o640: 0o750}[mode]
            (folder / name).unlink()
            folder.rmdir()
            path.unlink()
    finally:
        os.umask(before)


def test_a_body_is_found_beside_what_a_link_names(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "phr.duckdb").symlink_to(tmp_path / "far" / "phr.duckdb")
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(tmp_path / "phr.duckdb"))
    handed_on(scene.cloud, bytes(attached(scene, 1 << 12)))
    scene.cloud.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "phr.duckdb"]
    with DuckDBStore(tmp_path / "far" / "phr.duckdb") as store:
        assert store.check() == []


def test_no_room_for_a_body_is_an_error_and_leaves_nothing(tmp_path):
    path = tmp_path / "phr.duckdb"
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(path))
    sent = bytes(attached(scene, 8 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, before[1]))
        with pytest.raises(FileAccessError, match=r"phr\.duckdb\.files"):
            handed_on(scene.cloud, sent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    assert there(str(path)) == []
    assert scene.cloud._store.check() == []
    assert handed_on(scene.cloud, sent).files == 1
    scene.cloud.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_of_which_nobody_knows_how_it_ended_keeps_what_is_named(
    tmp_path, kind, monkeypatch
):
    address = at(kind, tmp_path)
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(address))
    store: Any = scene.cloud._store
    sent = attached(scene, 1 << 21)
    write: Callable[..., Any] = store._engine.write

    class Told:
        """A transaction that is committed, and says that it was not."""

        def __init__(self, spool: Any) -> None:
            self._within = write(spool)

        def __enter__(self) -> Any:
            return self._within.__enter__()

        def __exit__(self, *how: Any) -> None:
            self._within.__exit__(*how)
            raise FileAccessError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(store._engine, "write", Told)
        with pytest.raises(FileAccessError, match="the disk is gone"):
            handed_on(scene.cloud, bytes(sent))
    assert store.check() == []
    request = scene.owner.fetch(sent.file)
    scene.owner.open_file(scene.cloud.fetch(request, proof=True), request, proof=True)
    scene.cloud.close()
    with opened_store(address) as store:
        assert store.check() == []


@pytest.mark.parametrize("kind", KINDS)
def test_two_at_a_time_and_a_purge_beside_them(tmp_path, kind):
    scene = Scene(SCHEMA, "hospital", "clinic", cloud=Cloud(at(kind, tmp_path)))
    store: Any = scene.cloud._store
    sent = [bytes(attached(scene, 3 << 20, path=path)) for path in ("hospital", "clinic")]
    failed: list[BaseException] = []

    def hand_on(message: bytes) -> None:
        try:
            handed_on(scene.cloud, message, 50_000)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=hand_on, args=(message,)) for message in sent]
    threads.append(threading.Thread(target=store.purge))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    assert store.totals[1] == 2
    assert store.check() == []
    scene.cloud.close()


@pytest.mark.parametrize(("kind", "kills"), [("file", KILLS), ("database", KILLS // 2)])
def test_a_body_is_there_whole_or_not_at_all_after_any_kill(tmp_path, kind, kills):
    scene = Scene(SCHEMA, "hospital")
    sent, removal = bytes(attached(scene, 6 << 20)), bytes(scene.owner.removal("hospital"))
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps([sent.hex(), removal.hex()]))
    choice = random.Random(9)
    seen = set()
    for kill in range(kills):
        address = str(tmp_path / f"{kill}.duckdb") if kind == "file" else postgres().database()
        with Cloud(address) as cloud:
            cloud.enroll(scene.owner.public)
        with subprocess.Popen(
            [sys.executable, str(WRITER), "stream"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps([address, str(messages), int(time.time()), 0]), file=process.stdin)
            process.stdin.flush()
            word, number = process.stdout.readline().split()
            assert word == "open"
            acknowledged = -1
            if kill % 2:  # about the removal, else about the attachment
                acknowledged = int(process.stdout.readline())
            time.sleep(choice.uniform(0, 0.05 if kill % 2 else 0.5))
            os.kill(int(number), signal.SIGKILL)
            while (line := process.stdout.readline().split())[0] != "ended":
                acknowledged = int(line[0])
            process.kill()
        with opened_store(address) as store:
            assert store.check() == []
            files, size = store.totals[1:3]
            assert (files, size > 6 << 20) in ((0, False), (1, True))
            # The end of the first message, and the end of the second.
            assert files in {-1: (0, 1), 0: (1, 0), 1: (0,)}[acknowledged]
            assert len(there(address)) == files, "nothing is left of what is not there"
            seen.add((acknowledged, files))
        if kind == "file":
            os.unlink(address)
    assert len(seen) > 1
