"""Slow, broken and hostile clients, a store that is away, and a service that is told to stop."""

import contextlib
import datetime
import json
import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scene import Scene
from service.serving import Served, pair, raw, served_here, spoken
from stores.dict_store import DictStore
from stores.server import postgres

from mopse import Cloud, Field, Schema
from mopse.errors import (
    ExpiredError,
    FileAccessError,
    InvalidInputError,
    MopseError,
    UnreachableError,
)
from mopse.service import Limits

SCHEMA = Schema(age=Field(0, 99))
SMALL = [
    *("--header-seconds", "1", "--body-seconds", "1", "--message-bytes", "200000"),
    *("--question-bytes", "50000", "--answer-seconds", "1", "--least-rate", "10000000"),
]
CONNECTIONS = int(os.environ.get("MOPSE_CONNECTIONS", "1000"))
KILLS = int(os.environ.get("MOPSE_SERVICE_KILLS", "6"))


def head(size: int, *, path: str = "receive", kind: str = "application/octet-stream") -> bytes:
    """Return the head of a request with a body of so many bytes."""
    return (
        f"POST /v1/{path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n"
        f"content-length: {size}\r\n\r\n"
    ).encode()


HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def table(first: int, count: int) -> pl.DataFrame:
    """Return records of numbered patients."""
    ids = list(range(first, first + count))
    return pl.DataFrame({"id": ids, "age": [n % 100 for n in ids]})


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Run a service with little patience, which must be there after all that is done to it."""
    with Served(tmp_path_factory.mktemp("small"), *SMALL) as served:
        yield served
        assert b'{"status":"ok"}' in spoken(raw(served.port, HEALTH))[0]
        assert served.stop() == 0


def told(said: bytes) -> tuple[int, str]:
    """Return the status and the class of what a service refuses."""
    lines, _, body = said.partition(b"\r\n\r\n")
    return int(lines.split()[1]), json.loads(body)["error"]


@pytest.mark.parametrize("sent", [b"", b"POST /v1/sea", b"GET /health HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_does_not_come_to_its_end_ends_the_connection(small, sent):
    said, seconds = spoken(raw(small.port, sent))
    assert said == b""
    assert 0.5 < seconds < 8


def test_a_connection_that_is_idle_is_ended(small):
    said, seconds = spoken(raw(small.port, HEALTH.replace(b"connection: close\r\n", b"")))
    assert b"200 OK" in said
    assert 0.5 < seconds < 8


def test_half_a_body_is_waited_for_and_no_longer(small):
    said, seconds = spoken(raw(small.port, head(100) + b"half"))
    assert told(said) == (408, "UnreachableError")
    assert b"connection: close" in said
    assert 0.5 < seconds < 8


def test_a_body_of_a_byte_a_second_is_not_waited_for(small):
    connection = raw(small.port, head(100))

    def drip() -> None:
        try:
            for _ in range(40):
                connection.sendall(b"x")
                time.sleep(0.25)
        except OSError:
            pass  # ended, as it should be

    thread = threading.Thread(target=drip)
    thread.start()
    said, seconds = spoken(connection)
    thread.join()
    assert told(said) == (408, "UnreachableError")
    assert seconds < 8


def test_a_body_that_ends_before_it_should_is_refused(small):
    connection = raw(small.port, head(100) + b"half")
    connection.shutdown(socket.SHUT_WR)
    said, _ = spoken(connection)
    assert told(said) == (400, "DamagedFileError")
    connection = raw(small.port, head(100) + b"half")
    connection.close()  # and nobody listens
    line = small.lines()[-1]
    assert (line["status"], line["outcome"], line["in"]) == (400, "DamagedFileError", 4)


def test_a_body_that_is_longer_than_said_is_what_was_said_and_another_request(small):
    said, _ = spoken(raw(small.port, head(10) + b"x" * 10 + HEALTH))
    assert told(said.partition(b"HTTP/1.1 200 OK")[0])[1] == "DamagedFileError"
    assert said.endswith(b'{"status":"ok"}')
    said, _ = spoken(raw(small.port, head(10) + b"x" * 50))
    assert said.count(b"HTTP/1.1") in (1, 2)
    assert b" 200 " not in said


def test_a_message_that_is_too_large_is_refused_by_what_it_says_or_by_what_comes(small):
    said, _ = spoken(raw(small.port, head(200_001) + b"x"))
    assert told(said) == (413, "InvalidInputError")
    said, _ = spoken(raw(small.port, head(50_001, path="search") + b"x"))
    assert told(said) == (413, "InvalidInputError")
    chunked = head(5, path="enroll").replace(b"content-length: 5", b"transfer-encoding: chunked")
    body = b"%x\r\n" % 60_000 + b"x" * 60_000 + b"\r\n"
    said, _ = spoken(raw(small.port, chunked + body))
    assert told(said) == (413, "InvalidInputError")
    for length in (b"-5", b"five", b"5, 6", b"9" * 40):
        said, _ = spoken(raw(small.port, head(5).replace(b": 5", b": " + length) + b"xxxxx"))
        assert said.split()[1] in (b"400", b"413")


def test_a_strangers_message_is_refused_by_its_head(small):
    with Cloud(small.url) as remote:
        owner = Scene(SCHEMA, "hospital").owner
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        other = owner.authorize("clinic").encrypt(table(0, 1500), id="id", accept_leakage=SCHEMA)
        body = bytes(other)
        assert len(body) > 100_000
        connection = raw(small.port, head(len(body)) + body[:1000])
        said, _ = spoken(connection)
        assert told(said) == (403, "ScopeError")
        assert small.lines()[-1]["in"] < 70_000
        mine = scene["hospital"].encrypt(table(0, 1500), id="id", accept_leakage=SCHEMA)
        assert remote.receive(mine).added == 1500


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "", "multipart/form-data"])
def test_another_type_is_refused(small, kind):
    said, _ = spoken(raw(small.port, head(4, kind=kind) + b"text"))
    assert told(said) == (415, "InvalidInputError")


def test_a_compressed_message_is_refused(small):
    sent = head(4).replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n") + b"\x1f\x8b00"
    assert told(spoken(raw(small.port, sent))[0]) == (415, "InvalidInputError")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 500_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 5_000 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00" + b"\0" * 100,
        os.urandom(2_000) + b"\r\n\r\n",
    ],
    ids=["path", "header", "headers", "http2", "tls", "noise"],
)
def test_heads_that_are_none_are_refused_at_once(small, sent):
    connection = socket.create_connection(("127.0.0.1", small.port), timeout=20)
    with contextlib.suppress(OSError):  # refused before all was sent
        connection.sendall(sent)
    said, seconds = spoken(connection)
    assert said == b"" or said.split()[1] in (b"400", b"414", b"431", b"505")
    assert seconds < 8


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /nothing HTTP/1.1", 404),
        (b"GET /v1/search/ HTTP/1.1", 404),
        (b"GET /v1/search HTTP/1.1", 405),
        (b"DELETE /v1/receive HTTP/1.1", 405),
        (b"POST /health HTTP/1.1", 405),
        (b"GET /v1/announcements/zz HTTP/1.1", 422),
        (b"GET /v1/announcements/%2e%2e HTTP/1.1", 422),
    ],
)
def test_what_is_not_there_is_said_in_json(small, sent, status):
    said, _ = spoken(raw(small.port, sent + b"\r\nhost: x\r\nconnection: close\r\n\r\n"))
    assert told(said) == (status, "InvalidInputError")
    assert b"x-request-id" in said
    assert (status == 405) == (b"\r\nallow: " in said)


@pytest.mark.parametrize(
    "options",
    [
        *("other=1", "proof", "proof=maybe", "since=-1", "since=18446744073709551616", "%ff=%ff"),
        *("since=1&since=2", "in_detail=1", "given=5", "given=x", "token=" + "0" * 31, "a=1&" * 40),
        "given=17179869184&token=" + "0" * 32 + "&snapshot=0&page=0&is_last=false",
        *("since=%D9%A1", "since=1_0", "page=1&is_last=true"),
    ],
)
def test_options_are_refused_that_are_none(small, options):
    sent = head(4).replace(b"/receive", b"/search?" + options.encode()) + b"text"
    status, name = told(spoken(raw(small.port, sent))[0])
    assert (status, name) == (422, "InvalidInputError")


def test_a_reader_that_stops_is_let_go(tmp_path):
    with Served(tmp_path, *SMALL[:4], *SMALL[8:]) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        many = table(0, 60_000).with_columns(note=pl.lit("long " * 60))
        scene.send("hospital", many)
        query = bytes(scene.owner.query(age=(0, 99)))
        connection = raw(served.port, head(len(query), path="search") + query)
        begun = time.monotonic()
        while served.lines()[-1]["outcome"] != "ConnectionError":
            assert time.monotonic() - begun < 15
        assert remote.count(query) == 60_000
        assert served.lines()[-2]["out"] < 20_000_000
        time.sleep(4)
        said = 0
        try:
            while piece := connection.recv(1 << 20):
                said += len(piece)
        except ConnectionResetError:
            pass
        connection.close()
        assert said < 20_000_000
        begun = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - begun < 15


def test_a_reader_that_goes_away_is_noticed(tmp_path):
    with Served(tmp_path) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        scene.send("hospital", table(0, 60_000).with_columns(note=pl.lit("long " * 60)))
        query = bytes(scene.owner.query(age=(0, 99)))
        with raw(served.port, head(len(query), path="search") + query) as connection:
            assert len(connection.recv(1000)) > 0
        line = served.lines()[-1]
        assert (line["outcome"], line["call"]) == ("ConnectionError", "search")
        assert line["out"] < 20_000_000
        assert remote.count(query) == 60_000


def test_messages_that_are_on_their_way_are_held_up_to_a_limit(tmp_path):
    options = ["--held-bytes", "300000", "--body-seconds", "3"]
    with Served(tmp_path, *options) as served, Cloud(served.url) as remote:
        Scene(SCHEMA, "hospital", cloud=remote)
        owner = b"MOPSEPUB" + bytes(33)
        waiting = [
            raw(served.port, head(200_000, path="enroll") + owner.ljust(120_000)) for _ in "12"
        ]
        time.sleep(0.3)
        said, _ = spoken(raw(served.port, head(200_000, path="enroll") + owner.ljust(100_000)))
        assert told(said) == (503, "UnreachableError")
        assert b"retry-after: 1" in said
        for one in waiting:
            assert told(spoken(one)[0]) == (408, "UnreachableError")
        sent = head(100_000, path="enroll").replace(b"host: x", b"host: x\r\nconnection: close")
        said, _ = spoken(raw(served.port, sent + owner.ljust(100_000)))
        assert told(said) == (400, "DamagedFileError")


def test_requests_beyond_the_limit_are_told_to_come_again(tmp_path):
    with Served(tmp_path, "--requests", "4", "--body-seconds", "2") as served:
        waiting = [raw(served.port, head(100) + b"half") for _ in range(4)]
        time.sleep(0.3)
        said, _ = spoken(raw(served.port, head(4) + b"text"))
        assert told(said) == (503, "UnreachableError")
        assert b'"ok"' in spoken(raw(served.port, HEALTH))[0]
        with Cloud(served.url) as remote:  # which comes again by itself
            with pytest.raises(UnreachableError, match="busy"):
                remote.count(b"query")
            for one in waiting:
                spoken(one)
            with pytest.raises(MopseError, match=r"malformed|query"):
                remote.count(b"query")


def test_many_connections_that_say_nothing_keep_nobody_out(tmp_path):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = min(CONNECTIONS, most // 2)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    idle = []
    try:
        options = ["--header-seconds", "60", "--connections", str(2 * number)]
        with Served(tmp_path, *options) as served, Cloud(served.url, timeout=10) as remote:
            scene = Scene(SCHEMA, "hospital", cloud=remote)
            for n in range(number):
                idle.append(raw(served.port, b"POST /v1/search HTT" if n % 2 else b""))
            scene.send("hospital", table(0, 100))
            begun = time.monotonic()
            assert scene.owner.ask(remote, age=(0, 9)).height == 10
            assert time.monotonic() - begun < 8
            for connection in idle:
                connection.close()
            assert served.stop() == 0
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_connection_over_which_tls_does_not_begin_is_ended(tmp_path):
    certificate, key = pair(tmp_path)
    files = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with Served(tmp_path, *files, "--header-seconds", "1") as served:
        said, seconds = spoken(raw(served.port, b""))
        assert said == b""
        assert seconds < 15
        context = ssl.create_default_context(cafile=str(certificate))
        with context.wrap_socket(raw(served.port, b""), server_hostname="localhost") as one:
            one.sendall(b"GET /hea")
            begun = time.monotonic()
            assert one.recv(10) == b""
            assert time.monotonic() - begun < 8


def test_a_query_that_is_replayed_after_its_end_is_refused(small):
    with Cloud(small.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        query = scene.owner.query(age=5, expires_in=datetime.timedelta(seconds=2))
        assert [remote.count(query) for _ in range(3)] == [0] * 3  # a bearer's, until then
        time.sleep(3.1)
        with pytest.raises(ExpiredError):
            remote.count(query)


def test_a_message_that_a_proxy_repeats_is_done_once(small):
    with Cloud(small.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        upload = bytes(scene["hospital"].encrypt(table(0, 40), id="id", accept_leakage=SCHEMA))
        sent = head(len(upload)) + upload
        said, _ = spoken(raw(small.port, sent * 3))
        assert said.count(b'"repeated": false') == 1
        assert said.count(b'"repeated": true') == 2
        assert b"cache-control: no-store" in said
        assert scene.owner.ask(remote, age=(0, 99)).height == 40


def test_one_token_a_thousand_times_costs_little(small):
    """A5 of what a few bytes used to cost: 250 kB of one token, 80 kB of one handle."""
    with Cloud(small.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        scene.send("hospital", table(0, 1000))
        query = bytes(scene.owner.query(age=(0, 99)))
        begun = time.monotonic()
        for count in (2, 100):
            with pytest.raises(MopseError):
                remote.search(query[: len(query) // 2] * count)
            with pytest.raises(MopseError):
                remote.search(query + query[49:] * count)
        assert time.monotonic() - begun < 5
        with open(f"/proc/{small.process.pid}/status") as status:
            [peak] = [line for line in status if line.startswith("VmHWM")]
        assert int(peak.split()[1]) < 800_000


def test_a_database_that_is_away_is_said_and_is_found_again(tmp_path):
    server = postgres()
    with Served(tmp_path, store=server.database()) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        scene.send("hospital", table(0, 50))
        query = scene.owner.query(age=(0, 99))
        server.stop()
        with pytest.raises(FileAccessError, match="the cloud's store or log is away") as caught:
            remote.search(query)
        assert "postgres" not in str(caught.value)  # addresses are the operator's
        assert b"503" in spoken(raw(served.port, HEALTH))[0]
        assert any("database" in line.get("failure", "") for line in served.lines())
        server.start()
        assert len(remote.search(query)) == 50
        assert b"200 OK" in spoken(raw(served.port, HEALTH))[0]
        assert served.stop() == 0


class Slow(DictStore):
    """A store that takes its time to count, and one that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)

    def count(self, query: Any) -> int:
        """Return a count, a second late."""
        self.begun.release()
        time.sleep(1)
        return super().count(query)

    def deed(self, owner: bytes, number: int) -> bytes | None:
        """Fail in a way that nobody foresaw, and say a secret."""
        raise KeyError("s3cret")


def test_what_nobody_foresaw_is_said_without_what_it_says(tmp_path):
    log = tmp_path / "log.jsonl"
    with served_here(Cloud(Slow()), log) as url, Cloud(url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        sent = scene["hospital"].attach(1, b"x", name="n", media_type="a/b")
        remote.receive(sent)
        with pytest.raises(MopseError) as caught:
            remote.fetch(scene.owner.fetch(sent.file), proof=True)
        assert "s3cret" not in str(caught.value)
        time.sleep(0.3)
        assert "s3cret" not in log.read_text()


def test_requests_that_run_come_to_their_end_when_it_stops(tmp_path):
    store = Slow()
    answers: list[Any] = []
    with served_here(Cloud(store), tmp_path / "log.jsonl") as url:
        remote = Cloud(url)
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        scene.send("hospital", table(0, 30))
        query = scene.owner.query(age=(0, 99))
        threads = [
            threading.Thread(target=lambda: answers.append(Cloud(url).count(query))) for _ in "1234"
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert store.begun.acquire(timeout=20)
    # It has been told to stop, and has.
    for thread in threads:
        thread.join()
    assert answers == [30] * 4
    with pytest.raises(UnreachableError):
        remote.count(query)


def test_it_stops_while_an_upload_is_on_its_way(tmp_path):
    with Served(tmp_path, "--stop-seconds", "2") as served:
        connection = raw(served.port, head(1000) + b"half")
        begun = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - begun < 12
        connection.close()


def test_limits_are_held_to(tmp_path):
    for name in ("message_bytes", "threads", "body_seconds"):
        for wrong in (0, -1, 2**60):
            with pytest.raises(InvalidInputError, match=name):
                Limits(**{name: wrong})
    command = [sys.executable, "-m", "mopse", "serve"]
    for options, said in (
        (["--listen", "127.0.0.1"], "--listen takes HOST:PORT"),
        (["--listen", "0.0.0.0:0"], "in the clear"),
        (["--tls-key", "key.pem"], "given alone"),
        (["--tls-key", "key.pem", "--tls-certificate", "no.pem"], "no.pem"),
        (["--threads", "0"], "threads"),
        (["--store", "http://127.0.0.1:1"], "a service itself"),
        (["--store", "phr.txt"], ".duckdb"),
    ):
        ended = subprocess.run(
            [*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == (2 if "--listen takes" in said else 1)
        assert ended.stderr.startswith("mopse: ")
        assert said in ended.stderr
    with Served(tmp_path) as served:
        taken = ["--listen", f"127.0.0.1:{served.port}"]
        ended = subprocess.run([*command, *taken], capture_output=True, text=True, timeout=60)
        assert "nothing can listen" in ended.stderr


def test_a_certificate_and_another_key_are_no_pair(tmp_path):
    certificate, _ = pair(tmp_path)
    _, other = pair(tmp_path, "other")
    command = [sys.executable, "-m", "mopse", "serve", "--listen", "127.0.0.1:0"]
    files = ["--tls-certificate", str(certificate), "--tls-key", str(other)]
    ended = subprocess.run([*command, *files], capture_output=True, text=True, timeout=60)
    assert "no pair" in ended.stderr


SENDER = Path(__file__).with_name("sender.py")


def sender(url: str, folder: Path, first: int) -> subprocess.Popen[str]:
    """Return a process that sends numbered uploads, and says which were acknowledged."""
    command = [sys.executable, str(SENDER), url, str(folder), str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("victim", ["service", "client"])
def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path, victim):
    pytest.importorskip("duckdb", reason="needs the extra duckdb")
    choice = random.Random(3)
    scene = Scene(SCHEMA, "hospital")
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for number in range(40):
        upload = scene["hospital"].encrypt(table(10 * number, 10), id="id", accept_leakage=SCHEMA)
        (uploads / f"{number:03}").write_bytes(bytes(upload))
    store = str(tmp_path / "phr.duckdb")
    with Cloud(store) as cloud:
        cloud.enroll(scene.owner.public)
    query = scene.owner.query(age=(0, 99))
    said = 0
    for kill in range(KILLS):
        with Served(tmp_path, store=store) as served:
            process = sender(served.url, uploads, said)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(choice.uniform(0, 0.25))
            if victim == "service":
                served.process.send_signal(signal.SIGKILL)
                served.kill()
            else:
                process.kill()
                served.stop()
            acknowledged = [int(line) for line in process.stdout.read().split() if line.isdigit()]
            process.stdout.close()
            process.wait()
        said = max([said, *(number + 1 for number in acknowledged)])
        with Cloud(store) as cloud:
            assert cloud._store.check() == []
            there = cloud.count(query)
        # What there is, is what was acknowledged, or one more that was done and not said.
        assert there in (10 * said, 10 * said + 10), f"kill {kill}"
    with Served(tmp_path, store=store) as served:
        process = sender(served.url, uploads, max(said - 1, 0))
        out, _ = process.communicate(timeout=60)
        assert out.split()[-1] == "end"
        assert Cloud(served.url).count(query) == 400
        assert served.stop() == 0
