"""Large attachments through a service: in constant memory, and nothing by halves."""

import os
import resource
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from scene import Scene
from service.serving import Served, raw, spoken
from service.test_faults import head, told
from stores.server import postgres
from stores.test_durable import run

from mopse import Cloud, Field, Schema
from mopse.errors import (
    FileAccessError,
    InvalidInputError,
    ReplayError,
    SignatureError,
    UnreachableError,
)

pytest.importorskip("duckdb", reason="needs the extra duckdb")

SCHEMA = Schema(age=Field(0, 99))
MIB = 1 << 20


def attached(scene: Scene, size: int) -> Any:
    """Return an attachment of so many bytes."""
    content = os.urandom(1 << 10) * (size >> 10)
    return scene["hospital"].attach(1, content, name="n", media_type="a/b", keywords=["scan"])


def peak(served: Served) -> int:
    """Return how many bytes a service has had in memory at most."""
    with open(f"/proc/{served.process.pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


@pytest.fixture
def folder(tmp_path):
    """Return the folder of large bodies of the service's store."""
    return tmp_path / "phr.duckdb.files"


@pytest.fixture
def served(tmp_path):
    """Serve a file."""
    patience = ["--header-seconds", "2", "--body-seconds", "5"]
    with Served(tmp_path, *patience, store=str(tmp_path / "phr.duckdb")) as served:
        yield served
        assert served.stop() == 0
        with Cloud(tmp_path / "phr.duckdb") as cloud:
            assert cloud._store.check() == []


def files(folder: Path) -> int:
    """Return how many there are in a folder, once what was begun there has ended."""
    deadline = time.monotonic() + 10
    while True:
        names = os.listdir(folder) if folder.exists() else []
        if not any(name.endswith(".unsure") for name in names) or time.monotonic() > deadline:
            return len(names)
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["file", "database"])
def test_memory_does_not_grow_with_the_file(tmp_path, kind):
    store = str(tmp_path / "phr.duckdb") if kind == "file" else postgres().database()
    with Served(tmp_path, store=store) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        peaks = []
        for size in (1 << 10, 64 * MIB):
            sent = attached(scene, size)
            assert remote.receive(sent).files == 1
            request = scene.owner.fetch(sent.file)
            fetched = remote.fetch(request, proof=True)
            assert len(scene.owner.open_file(fetched, request, proof=True).content) == size
            peaks.append(peak(served))
        assert peaks[1] - peaks[0] < 24 * MIB
        *_, came, gone = [line for line in served.lines() if line["call"] in ("receive", "fetch")]
        assert came["in"] > 64 * MIB
        assert gone["out"] > 64 * MIB
        assert (came["message"], came["owner"]) == ("attachment", scene.owner.key[:4].hex())
        assert served.stop() == 0


def test_what_is_cut_short_leaves_nothing(served, folder):
    with Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = attached(scene, 16 * MIB)
        message = bytes(sent)
        for is_closed in (True, False):
            connection = raw(served.port, head(len(message)) + message[: 12 * MIB])
            while not folder.exists():
                time.sleep(0.01)
            if is_closed:
                connection.close()
                time.sleep(0.3)
            else:
                connection.shutdown(socket.SHUT_WR)
                assert told(spoken(connection)[0]) == (400, "DamagedFileError")
            assert files(folder) == 0
        # More than was said is another request; what was said is no whole message.
        said, _ = spoken(raw(served.port, head(len(message) - 5) + message))
        assert told(said[: said.index(b"}") + 1]) == (400, "DamagedFileError")
        # A byte more is no message either.
        said, _ = spoken(raw(served.port, head(len(message) + 1) + message + b"x"))
        assert told(said[: said.index(b"}") + 1]) == (400, "DamagedFileError")
        assert files(folder) == 0
        assert remote.receive(sent).files == 1
        assert files(folder) == 1


def test_a_forged_or_repeated_one_leaves_nothing(served, folder):
    with Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = attached(scene, 6 * MIB)
        message = bytes(sent)
        for place in (-1, len(message) // 2):
            forged = bytearray(message)
            forged[place] ^= 1
            with pytest.raises(SignatureError):
                remote.receive(bytes(forged))
        assert files(folder) == 0
        assert remote.receive(sent).files == 1
        with pytest.raises(ReplayError):
            remote.receive(sent)
        assert files(folder) == 1
        other = Scene(SCHEMA, "hospital")
        said, _ = spoken(raw(served.port, head(6 * MIB) + bytes(attached(other, 6 * MIB))[:5000]))
        assert told(said) == (403, "ScopeError")
        assert served.lines()[-1]["in"] < 70_000


def test_several_come_and_go_at_a_time(served, folder):
    with Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = [attached(scene, 8 * MIB) for _ in range(3)]
        done: list[Any] = []

        def exchange(one: Any) -> None:
            with Cloud(served.url) as cloud:
                cloud.receive(one)
                request = scene.owner.fetch(one.file)
                fetched = cloud.fetch(request, proof=True)
                done.append(len(scene.owner.open_file(fetched, request, proof=True).content))

        threads = [threading.Thread(target=exchange, args=(one,)) for one in sent]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == [8 * MIB] * 3
        assert files(folder) == 3


def test_no_room_on_the_disk_is_told_and_there_is_some_later(served, folder):
    with Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = attached(scene, 12 * MIB)
        pid, most = served.process.pid, resource.RLIM_INFINITY
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8 * MIB, most))
        with pytest.raises(FileAccessError, match="the cloud's store or log is away"):
            remote.receive(sent)
        assert files(folder) == 0
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        assert remote.receive(sent).files == 1


def test_a_reader_that_goes_away_lets_go_of_the_body(served, folder):
    with Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = attached(scene, 64 * MIB)
        remote.receive(sent)
        request = bytes(scene.owner.fetch(sent.file))
        with raw(served.port, head(len(request), path="fetch") + request) as connection:
            assert len(connection.recv(1000)) > 0
        deadline = time.monotonic() + 10
        while (line := served.lines()[-1])["call"] != "fetch" and time.monotonic() < deadline:
            pass
        assert (line["outcome"], line["call"]) == ("ConnectionError", "fetch")
        assert line["out"] < 40 * MIB
        opened = f"/proc/{served.process.pid}/fd"
        links = [os.readlink(f"{opened}/{name}") for name in os.listdir(opened)]
        assert not any(str(folder) in link for link in links)


def test_a_body_that_is_damaged_is_told_and_nothing_of_it_sent(served, folder):
    with Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = attached(scene, 5 * MIB)
        remote.receive(sent)
        [name] = os.listdir(folder)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-1])
        with pytest.raises(
            FileAccessError, match="the cloud's store or log is away, full or damaged"
        ):
            remote.fetch(scene.owner.fetch(sent.file))
        (folder / name).write_bytes(whole)
        remote.fetch(scene.owner.fetch(sent.file))


def test_an_answer_whose_body_is_damaged_on_the_way_is_no_answer(tmp_path):
    address = postgres().database()
    with Served(tmp_path, store=address) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = attached(scene, 6 * MIB)
        remote.receive(sent)
        run(address, ["DELETE FROM slices WHERE position = 4"])
        with pytest.raises(UnreachableError, match="the connection broke"):
            remote.fetch(scene.owner.fetch(sent.file))
        line = served.lines()[-1]
        assert (line["call"], line["outcome"]) == ("fetch", "DamagedFileError")
        assert "slice 4" in line["failure"]
        assert served.stop() == 0


def test_large_attachments_have_limits_of_their_own(tmp_path):
    options = ["--message-bytes", "200000", "--attachment-bytes", str(8 * MIB)]
    options += ["--attachments", "1", "--body-seconds", "3", "--least-rate", "100000000"]
    with (
        Served(tmp_path, *options, store=str(tmp_path / "phr.duckdb")) as served,
        Cloud(served.url) as remote,
    ):
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        assert remote.receive(attached(scene, 6 * MIB)).files == 1
        with pytest.raises(InvalidInputError, match="more than 8,388,608 bytes"):
            remote.receive(attached(scene, 9 * MIB))
        upload = b"MOPSEUPL\2" + scene.owner.key
        said, _ = spoken(raw(served.port, head(200_001) + upload))
        assert told(said) == (413, "InvalidInputError")
        sent = bytes(attached(scene, 7 * MIB))
        waiting = raw(served.port, head(len(sent)) + sent[: 6 * MIB])
        time.sleep(0.3)
        said, _ = spoken(raw(served.port, head(len(sent)) + sent[:50_000]))
        assert told(said) == (503, "UnreachableError")
        assert b"retry-after: 1" in said
        assert told(spoken(waiting)[0]) == (408, "UnreachableError")
        assert remote.receive(sent).files == 1
        assert served.stop() == 0


def test_a_service_that_is_killed_meanwhile_leaves_nothing(tmp_path, folder):
    store = str(tmp_path / "phr.duckdb")
    with Served(tmp_path, store=store) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = attached(scene, 16 * MIB)
        message = bytes(sent)
        connection = raw(served.port, head(len(message)) + message[: 14 * MIB])
        deadline = time.monotonic() + 20
        while not folder.exists() or len(os.listdir(folder)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        served.kill()
        connection.close()
    assert len(os.listdir(folder)) == 2, "a body of which nobody knows, and its mark"
    with Served(tmp_path, store=store) as served, Cloud(served.url) as remote:
        assert os.listdir(folder) == []
        assert remote.receive(message).files == 1
        assert served.stop() == 0
