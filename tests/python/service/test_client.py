"""What a client does where the service is away, is none, or something stands between."""

import contextlib
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scene import Scene
from service.serving import Served, pair, raw, served_here, spoken

from mopse import Cloud, Field, Schema
from mopse.errors import (
    FileAccessError,
    InvalidInputError,
    MopseError,
    ReplayError,
    ScopeError,
    UnreachableError,
)

SCHEMA = Schema(age=Field(0, 99, proof=True))
ROWS = {"id": [1, 2], "age": [30, 40]}

Answer = Callable[["Between"], None]


class Between(http.server.BaseHTTPRequestHandler):
    """Something that stands where a service should."""

    protocol_version = "HTTP/1.1"
    answer: Answer

    def do_POST(self) -> None:
        """Take a message, and answer as was said."""
        self.body = self.rfile.read(int(self.headers["content-length"]))
        type(self).answer(self)

    def do_GET(self) -> None:
        """Answer as was said."""
        self.body = b""
        type(self).answer(self)

    def tell(self, status: int, body: bytes, *, name: str | None = None, **more: str) -> None:
        """Send an answer; it names the request unless another name is given."""
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-request-id", name or self.headers["x-request-id"])
        for word, value in more.items():
            self.send_header(word.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def between(answer: Answer) -> Iterator[str]:
    """Run something that answers by a function; gives its address."""
    handler = type("Handler", (Between,), {"answer": staticmethod(answer)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def passed_on(url: str, spoil: Callable[[int, Between], bool]) -> Answer:
    """Return what passes requests on, unless a function of their number takes them up."""
    counter = iter(range(10**6))
    port = int(url.rpartition(":")[2])

    def answer(request: Between) -> None:
        number = next(counter)
        sent = f"{request.command} {request.path} HTTP/1.1\r\nconnection: close\r\n".encode()
        kept = (word for word in request.headers if word.lower() != "connection")
        sent += b"".join(f"{word}: {request.headers[word]}\r\n".encode() for word in kept)
        request.came, _ = spoken(raw(port, sent + b"\r\n" + request.body))  # type: ignore[attr-defined]
        if not spoil(number, request):
            request.wfile.write(request.came)  # type: ignore[attr-defined]
        request.close_connection = True

    return answer


@pytest.fixture
def local(tmp_path):
    """Run a service, and give its address."""
    cloud = Cloud()
    with served_here(cloud, tmp_path / "log.jsonl") as url:
        yield url


def test_a_service_that_is_away_is_an_error_of_ours():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match=f"{url} cannot be asked: Connection refused"):
            Cloud(url).count(b"query")
        assert time.monotonic() - begun < 5
    assert issubclass(UnreachableError, ConnectionError)
    with pytest.raises(UnreachableError):
        Cloud("http://localhost:1").enroll(b"x")


def test_a_service_that_says_nothing_is_waited_for_as_long_as_was_said():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match=r"nothing came within 0\.5 s"):
            Cloud(url, timeout=0.5).count(b"query")
        assert 0.4 < time.monotonic() - begun < 3


def test_an_answer_that_was_lost_is_asked_for_again(local):
    def lose(number: int, request: Between) -> bool:
        return number % 2 == 0  # done, and nothing comes back

    with between(passed_on(local, lose)) as url:
        remote = Cloud(url)
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        upload = scene["hospital"].encrypt(ROWS, id="id", accept_leakage=SCHEMA)
        receipt = remote.receive(upload)
        assert (receipt.added, receipt.repeated) == (2, True)
        attached = scene["hospital"].attach(1, b"x", name="n", media_type="a/b")
        receipt = remote.receive(attached)
        assert (receipt.provider, receipt.files, receipt.repeated) == ("hospital", 1, True)
        assert remote.receive(scene["hospital"].seal()).repeated
        assert scene.owner.ask(remote, age=(0, 99)).height == 2
        assert remote.receive(scene.owner.removal("hospital")).removed == 2
    # Without a lost answer it is what it was: an attachment that came before.
    with pytest.raises(ReplayError):
        Cloud(local).receive(attached)


def test_half_an_answer_is_none(local):
    def cut(number: int, request: Any) -> bool:
        if number % 3 == 0:
            request.wfile.write(request.came[:-20])
        return number % 3 == 0

    with between(passed_on(local, cut)) as url:
        scene = Scene(SCHEMA, "hospital", cloud=Cloud(url))
        scene.send("hospital", ROWS)
        assert scene.owner.ask(scene.cloud, age=(0, 99)).height == 2


def test_an_answer_that_was_kept_is_noticed(local):
    """A proxy that caches: what it gave once to anybody at a path it gives to all."""
    cache: dict[str, bytes] = {}

    def keep(number: int, request: Any) -> bool:
        kept = cache.setdefault(request.path, request.came)
        request.wfile.write(kept)
        return True

    with between(passed_on(local, keep)) as url:
        scene = Scene(SCHEMA, "hospital", cloud=Cloud(local))
        remote = Cloud(url)
        remote.receive(scene["hospital"].encrypt(ROWS, id="id", accept_leakage=SCHEMA))
        more = scene["hospital"].encrypt({"id": [3], "age": [5]}, id="id", accept_leakage=SCHEMA)
        with pytest.raises(UnreachableError, match="something between keeps answers"):
            remote.receive(more)
        query = scene.owner.query(age=5)
        remote.count(query)
        with pytest.raises(UnreachableError, match="something between keeps answers"):
            remote.count(query)


STRANGE: dict[str, tuple[Answer, str]] = {
    "a page": (lambda r: r.tell(200, b"<html>", name="x"), "not one to this request"),
    "a gateway": (lambda r: r.tell(502, b"<html>Bad gateway"), "status 502, and not as a cloud"),
    "elsewhere": (
        lambda r: r.tell(307, b"", name="x", location="http://127.0.0.1:9/"),
        "sends elsewhere, which is not followed",
    ),
    "text": (lambda r: r.tell(200, b"five"), "not JSON"),
    "a list": (lambda r: r.tell(200, b"[5]"), "not a count"),
    "a negative count": (lambda r: r.tell(200, b'{"count": -1}'), "not a count"),
    "a truth": (lambda r: r.tell(200, b'{"count": true}'), "not a count"),
    "a huge count": (lambda r: r.tell(200, b'{"count": 1e400}'), "not a count"),
    "deep": (lambda r: r.tell(200, b"[" * 100_000), "not JSON"),
    "an error of no class": (
        lambda r: r.tell(400, b'{"error": "KeyError", "message": ""}'),
        "not as a cloud does",
    ),
    "an attribute": (
        lambda r: r.tell(400, b'{"error": "__all__", "message": "x"}'),
        "not as a cloud does",
    ),
    "a long error": (lambda r: r.tell(400, b"x" * 100_000), "more than 65,536 bytes"),
    "no HTTP": (lambda r: r.wfile.write(b"hello there\r\n\r\n"), "the connection broke"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_cloud_is_said_to_be_none(name):
    answer, said = STRANGE[name]

    def once(request: Between) -> None:
        answer(request)
        request.close_connection = True

    with between(once) as url, pytest.raises(UnreachableError, match=said):
        Cloud(url).count(b"query")


@pytest.mark.parametrize("call", ["search", "find", "fetch", "notes", "receive", "missing"])
def test_noise_for_an_answer_is_an_error_of_ours(call):
    noise = [b"", b"MOPSEALL" + b"\xff" * 50, b"{}", b"null", b'{"provider": 5}', bytes(200)]
    for body in noise:
        noisy = between(lambda request, body=body: request.tell(200, body))
        with noisy as url, pytest.raises(MopseError):
            getattr(Cloud(url), call)(b"message")


def test_an_answer_without_end_is_not_taken(monkeypatch):
    monkeypatch.setattr("mopse._remote._MOST", 5_000_000)

    def endless(request: Between) -> None:
        request.send_response(200)
        request.send_header("x-request-id", request.headers["x-request-id"])
        request.send_header("content-length", str(10**15))
        request.end_headers()
        with contextlib.suppress(OSError):
            while True:
                request.wfile.write(bytes(1 << 20))

    with between(endless) as url, pytest.raises(UnreachableError, match="more than 5,000,000"):
        Cloud(url).search(b"query")


def test_an_error_is_raised_as_its_class_with_what_it_carries():
    told = {"error": "InvalidInputError", "message": "record 3 of the upload", "position": 3}
    body = json.dumps(told | {"args": ["x"], "row": "no number"}).encode()
    refusing = between(lambda request: request.tell(422, body))
    with refusing as url, pytest.raises(InvalidInputError, match="record 3 of the up") as caught:
        Cloud(url).receive(b"upload")
    assert caught.value.position == 3
    assert not hasattr(caught.value, "row")
    body = b'{"error": "FileAccessError", "message": "the store is away"}'
    refusing = between(lambda request: request.tell(503, body))
    with refusing as url, pytest.raises(FileAccessError, match="the store is away"):
        Cloud(url).count(b"query")


def test_connections_are_used_again_and_made_anew_where_the_service_was(tmp_path, local):
    remote = Cloud(local)
    for _ in range(5):
        with pytest.raises(ScopeError):
            remote.announcements(bytes(32))
    [kept] = remote._gate._idle
    with pytest.raises(ScopeError):
        remote.announcements(bytes(32))
    assert remote._gate._idle == [kept]
    with Served(tmp_path, "--header-seconds", "1") as served:
        remote = Cloud(served.url)
        with pytest.raises(ScopeError):
            remote.announcements(bytes(32))
        time.sleep(2.5)  # the service has ended the connection
        with pytest.raises(ScopeError):
            remote.announcements(bytes(32))
        port = served.port
        served.stop()
    again = Served(tmp_path, "--listen", f"127.0.0.1:{port}")
    with again, pytest.raises(ScopeError):
        remote.announcements(bytes(32))
    remote.close()
    remote.close()


def test_a_cloud_that_was_closed_is_asked_nothing_more(local):
    with Cloud(local) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        scene.send("hospital", ROWS)
    for ask in (
        lambda: remote.announcements(scene.owner.key),
        lambda: remote.enroll(scene.owner.public),
        lambda: scene.owner.ask(remote, age=30),
        lambda: scene.owner.count(remote, age=30),
    ):
        with pytest.raises(FileAccessError, match=f"the cloud at {local} is closed"):
            ask()
    assert remote._gate._idle == []
    assert scene.owner.count(Cloud(local), age=30) == 1


def test_a_service_says_how_it_is(local):
    assert Cloud(local)._gate.health() == "ok"
    for status, body in ((503, b'{"status": "the store is away"}'), (200, b'{"status": "away"}')):
        with between(lambda request, told=(status, body): request.tell(*told)) as url:
            gate = Cloud(url)._gate
            if status == 503:
                assert gate.health() == "the store is away"
            else:
                with pytest.raises(UnreachableError, match="not how a service is"):
                    gate.health()


def test_a_large_message_that_is_refused_says_why(tmp_path):
    with Served(tmp_path, "--message-bytes", "1000000") as served, Cloud(served.url) as remote:
        for _ in range(5):
            with pytest.raises((InvalidInputError, UnreachableError)) as caught:
                remote.receive(bytes(30_000_000))
            # Where the system drops what came, the reason may be lost with it.
            assert "more than 1,000,000 bytes" in str(caught.value) or isinstance(
                caught.value, UnreachableError
            )
        with pytest.raises(ScopeError):
            remote.announcements(bytes(32))


@pytest.mark.parametrize(
    "address",
    [
        *("http://", "https://:8734", "http://127.0.0.1:99999", "http://127.0.0.1:x"),
        *("http://127.0.0.1:0", "http://127.0.0.1/?a=b", "http://127.0.0.1/#a", "http://a b/"),
        *("http://user:word@127.0.0.1", "http://[::1", "http://127.0.0.1/\n", "http://\u00e4.de/"),
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(address):
    with pytest.raises(InvalidInputError) as caught:
        Cloud(address)
    assert "word" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "127.0.0.1.example.org", "[2001::1]"])
def test_plain_http_is_for_this_machine(host):
    with pytest.raises(InvalidInputError, match="in the clear"):
        Cloud(f"http://{host}:8734")
    assert host in repr(Cloud(f"http://{host}:8734/mopse/", insecure_http=True))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.9.9.9", "LOCALHOST"])
def test_this_machine_has_several_names(host):
    Cloud(f"HTTP://{host}:8734")


def test_what_is_of_a_service_is_of_no_store(tmp_path):
    for wrong in ({"certificate": "x.pem"}, {"insecure_http": True}, {"timeout": 5}):
        [name] = wrong
        with pytest.raises(InvalidInputError, match=f"{name} is of a service"):
            Cloud(**wrong)
        for place in ("ftp://host/phr", "phr.db", tmp_path):
            with pytest.raises(InvalidInputError, match="a store is the path of a DuckDB file"):
                Cloud(place, **wrong)
        with pytest.raises(InvalidInputError, match=f"{name} is of a service"):
            Cloud(tmp_path / "phr.duckdb", **wrong)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(InvalidInputError, match="https"):
        Cloud("http://127.0.0.1:1", certificate="x.pem")
    (tmp_path / "none.pem").write_text("none")
    with pytest.raises(InvalidInputError, match="certificate is no PEM"):
        Cloud("https://127.0.0.1:1", certificate=tmp_path / "none.pem")
    with pytest.raises(FileAccessError):
        Cloud("https://127.0.0.1:1", certificate=tmp_path / "missing.pem")


@contextlib.contextmanager
def secured(folder: Path, *options: str) -> Iterator[tuple[Served, Path]]:
    """Run a service with a certificate made for it."""
    certificate, key = pair(folder)
    files = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with Served(folder, *files, *options) as served:
        yield served, certificate


def test_a_certificate_is_verified(tmp_path):
    other, _ = pair(tmp_path, "other")
    with secured(tmp_path) as (served, certificate):
        scene = Scene(SCHEMA, "hospital", cloud=Cloud(served.url, certificate=certificate))
        scene.send("hospital", ROWS)
        for wrong in (None, other):
            with pytest.raises(UnreachableError, match="its certificate is not trusted"):
                scene.owner.ask(Cloud(served.url, certificate=wrong), age=30)
        by_name = served.url.replace("127.0.0.1", "localhost")
        assert scene.owner.ask(Cloud(by_name, certificate=certificate), age=30).height == 1
        assert served.stop() == 0


def test_a_certificate_of_another_name_is_refused(tmp_path):
    certificate, key = pair(tmp_path, "other")
    files = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    named = pytest.raises(UnreachableError, match=r"not trusted .*mismatch")
    with Served(tmp_path, *files) as served, named:
        Cloud(served.url, certificate=certificate).count(b"query")


def test_no_side_goes_down_to_older_tls(tmp_path):
    with secured(tmp_path) as (served, certificate):
        older = ssl.create_default_context(cafile=str(certificate))
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with raw(served.port, b"") as plain, pytest.raises(ssl.SSLError):
            older.wrap_socket(plain, server_hostname="localhost")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(certificate, certificate.with_suffix(".key"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(4):
                connection, _ = server.accept()
                with contextlib.suppress(OSError), connection:
                    old.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"https://localhost:{server.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="TLS failed"):
            Cloud(url, certificate=certificate).count(b"query")
        thread.join(5)


def test_neither_side_takes_plain_http_for_tls(tmp_path, local):
    certificate, _ = pair(tmp_path)
    with pytest.raises(UnreachableError, match=r"it does not speak TLS"):
        Cloud(local.replace("http:", "https:"), certificate=certificate).count(b"query")
    with secured(tmp_path) as (served, _):
        with pytest.raises(UnreachableError, match="it speaks TLS, which is asked by https://"):
            Cloud(served.url.replace("https:", "http:")).count(b"query")
        said, _ = spoken(raw(served.port, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"))
        assert b"200" not in said


def test_a_redirect_to_plain_http_is_not_followed():
    def down(request: Between) -> None:
        request.tell(308, b"", location="http://127.0.0.1:9/v1/count")

    with between(down) as url, pytest.raises(UnreachableError, match="status 308"):
        Cloud(url).count(b"query")
