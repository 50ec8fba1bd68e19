"""A service answers as the cloud that it serves: the same calls, bytes, and errors."""

import datetime
import json
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from scene import Scene
from service.serving import Served, pair, served_here
from stores.test_contract import SCRIPTS, answered, duckdb_store, expected

import mopse
from mopse import Cloud, Field, Schema, User
from mopse.errors import (
    ChangedError,
    DamagedFileError,
    ExpiredError,
    FileAccessError,
    ForkedError,
    InvalidInputError,
    MopseError,
    NoSealsError,
    OutdatedError,
    ReplayError,
    ScopeError,
    SignatureError,
)
from mopse.service import Limits
from mopse.stores import MemoryStore

SCHEMA = Schema(
    age=Field(0, 99, proof=True), sbp=Field(60, 260, proof=True), portions={"vital": ["sbp"]}
)


def table(first: int, count: int, age: int = 20) -> pl.DataFrame:
    """Return records of numbered patients."""
    ids = list(range(first, first + count))
    return pl.DataFrame({"id": ids, "age": [age + n % 50 for n in ids], "sbp": [120] * count})


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """Serve a cloud that gives small pages; give it, and the same one by its address."""
    local = Cloud(answer_bytes=5_000)
    with served_here(local, tmp_path_factory.mktemp("log") / "log.jsonl") as url:
        remote = Cloud(url)
        yield local, remote
        remote.close()


@pytest.fixture(scope="module")
def scene(beside):
    """Have two hospitals send all they have to the service."""
    _, remote = beside
    scene = Scene(SCHEMA, "hospital", "clinic", seed=11, cloud=remote)
    for path in ("hospital", "clinic"):
        scene.send(path, table(0, 200))
        remote.receive(
            scene[path].attach(1, b"scan of it", name="n", media_type="a/b", keywords=["gout"])
        )
        remote.receive(scene[path].seal())
    remote.receive(scene["hospital"].update(table(0, 5, 40), id="id", cloud=remote))
    remote.receive(scene["hospital"].delete([7, 8], cloud=remote))
    return scene


def test_answers_are_those_of_the_cloud_to_the_byte(scene, beside):
    local, remote = beside
    owner = scene.owner
    query = owner.query(age=(30, 39), proof=True)
    for how in (
        {},
        {"proof": "sums", "in_detail": True},
        {"proof": "signatures"},
        {"proof": False},
    ):
        assert bytes(remote.search(query, **how)) == bytes(local.search(query, **how))
    assert remote.count(query) == local.count(query) > 0
    proven = [cloud.count(query, proof=True, since=2, in_detail=True) for cloud in beside]
    assert bytes(proven[0]) == bytes(proven[1])
    request = owner.find("gout", proof=True)
    for proof in (False, True):
        listings = [cloud.find(request, proof=proof) for cloud in beside]
        assert bytes(listings[0]) == bytes(listings[1])
        assert len(listings[1]) == 2
    fetch = owner.fetch(owner.files(listings[1], request)["file"][0])
    for proof in (False, True):
        files = [cloud.fetch(fetch, proof=proof) for cloud in beside]
        assert bytes(files[0]) == bytes(files[1])
    assert owner.open_file(files[1], fetch, proof=True).content == b"scan of it"
    asked = scene["hospital"].request_notes()
    assert bytes(remote.notes(asked)) == bytes(local.notes(asked))
    assert remote.announcements(owner.key) == local.announcements(owner.key)


def test_an_answer_comes_in_the_pages_of_the_cloud(scene, beside):
    query = scene.owner.query(age=(0, 99), proof=True)
    pages = []
    for cloud in beside:
        answer = cloud.search(query)
        pages.append([bytes(answer)])
        while answer.goes_on(query):
            page = cloud.search(query, after=answer)
            pages[-1].append(bytes(page))
            answer += page
    assert pages[0] == pages[1]
    assert len(pages[0]) > 4
    assert scene.owner.decrypt(answer, query, proof=True).height == 398
    for cloud in beside:
        with pytest.raises(InvalidInputError, match=r"no more|whole"):
            cloud.search(query, after=answer)
        empty = mopse.Answer(1, [])
        assert bytes(cloud.search(query, after=empty)) == pages[0][0]


def test_where_an_answer_goes_on_costs_little_to_say(scene, beside, monkeypatch):
    _, remote = beside
    sent = []
    ask = remote._gate._exchange
    monkeypatch.setattr(
        remote._gate,
        "_exchange",
        lambda target, body, *rest: sent.append((target, body)) or ask(target, body, *rest),
    )
    query = scene.owner.query(age=(0, 99))
    answer = remote.search(query)
    remote.search(query, after=answer)
    target, body = sent[-1]
    assert len(target) < 250
    assert body == bytes(query)
    # A count of records that were never given is a question like any other.
    token = f"{answer._parts[-1].token:032x}"
    told = f"given={2**34 - 1}&token={token}&snapshot={answer.state}&page=3&is_last=false"
    status, body, _ = ask(f"/v1/search?{told}", bytes(query))
    assert status == 200
    assert len(mopse.Answer.from_bytes(body)) == 0


def test_proofs_hold_through_it(scene, beside):
    _, remote = beside
    owner = scene.owner
    assert owner.ask(remote, age=(30, 35), proof=True).height > 0
    user = User(SCHEMA, [owner.grant(path) for path in scene.providers])
    query = owner.query(age=(50, 69))
    assert user.ask(remote, query, proof=True).height > 0
    request = owner.find("gout", proof=True)
    listing = remote.find(request, proof=True)
    assert owner.files(listing, request, proof=True).height == 2


def refused(call: Any, *arguments: Any) -> tuple[type, str, Any]:
    """Return the class, words and position of what a call raises."""
    with pytest.raises(MopseError) as caught:
        call(*arguments)
    return type(caught.value), str(caught.value), getattr(caught.value, "position", None)


def test_what_is_refused_is_refused_as_by_the_cloud(scene, beside):
    owner, hospital = scene.owner, scene["hospital"]
    query = bytes(owner.query(age=(0, 5)))
    forged = query[:-1] + bytes([query[-1] ^ 1])
    again = hospital.encrypt(table(190, 20), id="id")
    late = hospital.encrypt(table(900, 2), id="id")
    stale = Scene(SCHEMA, "hospital", seed=11)["hospital"].seal()
    stranger = Scene(SCHEMA, "hospital", seed=12)
    ended = owner.query(age=(0, 5), expires_in=datetime.timedelta(seconds=-5))
    other = stranger["hospital"].encrypt(table(0, 1), id="id")
    attached = hospital.attach(2, b"x", name="n", media_type="a/b")
    scene.cloud.receive(attached)
    cases = {
        DamagedFileError: [
            lambda cloud: cloud.search(query[:-9]),
            lambda cloud: cloud.receive(query),
            lambda cloud: cloud.find(query),
            lambda cloud: cloud.receive(b""),
            lambda cloud: cloud.enroll(b"none"),
        ],
        SignatureError: [lambda cloud: cloud.search(forged)],
        ExpiredError: [lambda cloud: cloud.count(ended)],
        ReplayError: [lambda cloud: cloud.receive(attached)],
        ScopeError: [
            lambda cloud: cloud.receive(other),
            lambda cloud: cloud.announcements(bytes(32)),
            lambda cloud: cloud.search(stranger.owner.query(age=1)),
        ],
        InvalidInputError: [
            lambda cloud: cloud.receive(bytes(again)),
            lambda cloud: cloud.receive(again),
            lambda cloud: cloud.fetch(owner.fetch("0" * 32)),
        ],
        ChangedError: [lambda cloud: cloud.receive(stale)],
    }
    for kind, calls in cases.items():
        for call in calls:
            local, remote = (refused(call, cloud) for cloud in beside)
            assert local == remote
            assert local[0] is kind, local
    assert refused(lambda: beside[1].receive(bytes(again)))[2] in range(20)
    owner.authorize("later")
    beside[1].enroll(owner.public)
    with pytest.raises(OutdatedError):
        beside[1].search(query)
    assert beside[1].receive(late).added == 2


def test_a_token_of_one_group_opens_no_other(beside):
    _, remote = beside
    scene = Scene(SCHEMA, "a", "a/ward", "b", seed=13, cloud=remote)
    for path in ("a", "a/ward", "b"):
        scene.send(path, table(0, 20))
    assert scene["a/ward"].ask(remote, age=(0, 99))["provider"].unique().to_list() == ["a/ward"]
    assert set(scene["a"].ask(remote, age=(0, 99))["provider"]) == {"a", "a/ward"}
    # A query of the ward with another group's name in it is not what was signed.
    query = bytes(scene["a/ward"].query(age=(0, 99)))
    for name in (b"a",):
        moved = query.replace(b"\x00" + name, b"\x00b", 1)
        assert moved != query
        with pytest.raises((SignatureError, DamagedFileError, ScopeError)):
            remote.search(moved)


def test_an_upload_goes_in_pieces(beside, tmp_path):
    local = Cloud()
    with served_here(local, tmp_path / "log.jsonl") as url, Cloud(url) as remote:
        scene = Scene(SCHEMA, "hospital", seed=5, cloud=remote)
        many = table(0, 30_000).with_columns(note=pl.lit("long " * 20))
        upload = scene["hospital"].encrypt(many, id="id")
        assert upload.nbytes > 3 << 20
        chunks = remote.missing(upload)
        assert chunks == local.missing(upload) == list(range(len(chunks)))
        assert remote.receive_in_pieces(upload, piece_bytes=1 << 20).added == 30_000
        assert remote.missing(upload) == []
        assert remote.receive_in_pieces(upload).repeated


def test_what_is_the_operators_says_so(beside):
    _, remote = beside
    with pytest.raises(InvalidInputError, match="is a service: `remove` is its operator's"):
        remote.remove("hospital")
    with pytest.raises(InvalidInputError, match="its store is its operator's"):
        _ = remote._store.contents
    assert repr(remote).startswith("Cloud('http://127.0.0.1:")
    assert "127.0.0.1" in remote._repr_html_()


def test_a_service_does_not_serve_a_service(beside, tmp_path):
    with pytest.raises(InvalidInputError, match="a service itself"):
        mopse.service.application(beside[1], log=tmp_path / "log")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
@pytest.mark.parametrize("make", [MemoryStore, duckdb_store], ids=lambda make: make.__name__)
def test_a_service_answers_as_the_script_says(script, make, tmp_path, monkeypatch):
    store = make()
    moment = [0]
    monkeypatch.setattr("mopse.cloud._now", lambda: moment[0])
    with served_here(Cloud(store), tmp_path / "log.jsonl") as url, Cloud(url) as remote:
        for number, operation in enumerate(json.loads(script.read_text())["operations"]):
            call = operation["call"]
            moment[0] = call.get("now") or 0
            assert said(remote, store, call) == expected(operation), f"operation {number}"


def said(remote: Cloud, store: Any, call: dict[str, Any]) -> Any:
    """Return what a service answers to a call of a script; of an operator's call, the store."""
    message = bytes.fromhex(call.get("message", ""))
    try:
        match call["do"]:
            case "enroll":
                remote.enroll(message)
                return "done"
            case "receive":
                receipt = remote.receive(message)
                words = "provider", "added", "replaced", "removed", "files", "repeated"
                return {"receipt": {word: getattr(receipt, word) for word in words}}
            case "search":
                return {"found": bytes(remote.search(message, proof=False)).hex()}
            case "count":
                return {"count": remote.count(message)}
            case "find":
                return {"listing": bytes(remote.find(message)).hex()}
            case "fetch":
                return {"file": bytes(remote.fetch(message)).hex()}
            case "notes":
                return {"notes": bytes(remote.notes(message)).hex()}
            case "announcements":
                return {"announcements": remote.announcements(bytes.fromhex(call["owner"])).hex()}
            case _:
                return answered(store, call)
    except MopseError as error:
        return {"refused": {"raises": type(error).__name__}}


def test_a_store_without_seals_says_so_through_it(tmp_path):
    from stores.dict_store import DictStore

    with served_here(Cloud(DictStore()), tmp_path / "log.jsonl") as url, Cloud(url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        with pytest.raises(NoSealsError, match="keeps no seals"):
            remote.receive(scene["hospital"].seal())


def test_many_threads_share_one_cloud(scene, beside):
    _, remote = beside
    scene.owner.catch_up(remote)
    queries = [scene.owner.query(age=(n, n + 1)) for n in range(20, 60)]
    one_by_one = [remote.count(query) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(remote.count, queries)) == one_by_one
    assert 1 <= len(remote._gate._idle) <= 8
    assert threading.active_count() < 60


def lowered() -> dict[int, float]:
    """Return the threads of this process that give way to this one, and how long each has run."""
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    found = {}
    for thread in map(int, os.listdir("/proc/self/task")):
        try:
            if os.getpriority(os.PRIO_PROCESS, thread) > mine:
                found[thread] = run_for(thread)
        except OSError:  # it has ended
            continue
    return found


def run_for(thread: int) -> float:
    """Return the nanoseconds that a thread of this process has run."""
    with open(f"/proc/self/task/{thread}/schedstat") as file:
        return float(file.read().split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no priority of its own")
@pytest.mark.parametrize("kept", ["in memory", "in a file"])
def test_what_works_on_uploads_gives_way_and_holds_no_interpreter(kept, tmp_path):
    known = lowered()
    store = MemoryStore() if kept == "in memory" else duckdb_store()
    with (
        Cloud(store) as local,
        served_here(local, tmp_path / "log.jsonl", Limits(threads=3)) as url,
        Cloud(url) as remote,
    ):
        begun = lowered().keys() - known.keys()
        scene = Scene(Schema(age=Field(0, 99)), "hospital", seed=3, cloud=remote)
        for first in range(0, 80_000, 20_000):
            records = table(first, 20_000).drop("sbp")
            upload = scene["hospital"].encrypt(records, id="id", accept_leakage=["age"])
            assert remote.receive(upload).added == 20_000
        assert scene.owner.ask(remote, age=(20, 20)).height == 1600
        at_work = lowered()
        holders = {
            thread.native_id: run_for(thread.native_id)
            for thread in threading.enumerate()
            if thread.name.startswith("mopse-uploads")
        }
        # Whoever waits for an upload has the interpreter: nobody may wait for it in turn.
        assert holders
        assert not holders.keys() & at_work.keys()
        if kept == "in memory":
            assert len(begun) == 3
            assert sum(at_work[thread] for thread in begun) > sum(holders.values())
        else:
            assert not begun


def test_a_forked_process_makes_connections_of_its_own(tmp_path):
    with Served(tmp_path) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        query = scene.owner.query(age=5)
        context = multiprocessing.get_context("fork")
        told = context.SimpleQueue()

        def child() -> None:
            told.put([remote.count(query) for _ in range(20)])

        process = context.Process(target=child)
        process.start()
        assert [remote.count(query) for _ in range(20)] == [0] * 20
        assert told.get() == [0] * 20
        process.join()
        assert issubclass(ForkedError, MopseError)


def test_it_goes_on_where_it_was_and_stops_as_it_is_told(tmp_path):
    pytest.importorskip("duckdb", reason="needs the extra duckdb")
    store = str(tmp_path / "phr.duckdb")
    with Served(tmp_path, store=store) as served, Cloud(served.url) as remote:
        scene = Scene(SCHEMA, "hospital", cloud=remote)
        upload = scene.send("hospital", table(0, 50))
        assert served.stop() == 0
    with Served(tmp_path, store=store) as served, Cloud(served.url) as remote:
        assert remote.receive(upload).repeated
        assert scene.owner.ask(remote, age=(0, 99)).height == 50
        assert served.stop() == 0
    with Cloud(store) as local:
        assert scene.owner.ask(local, age=(0, 99)).height == 50


def test_the_log_and_the_metrics_hold_no_secret(tmp_path):
    certificate, key = pair(tmp_path)
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with Served(tmp_path, *options) as served:
        remote = Cloud(served.url, certificate=certificate)
        scene = Scene(SCHEMA, "hospital", seed=3, cloud=remote)
        scene.send("hospital", table(0, 50))
        attached = scene["hospital"].attach(
            1, b"secret body", name="name", media_type="a/b", keywords=["keyword"]
        )
        remote.receive(attached)
        remote.receive(scene["hospital"].seal())
        query = scene.owner.query(age=(20, 30))
        remote.search(query)
        with pytest.raises(ReplayError):
            remote.receive(attached)
        with pytest.raises(SignatureError):
            remote.search(bytes(query)[:-1] + bytes([bytes(query)[-1] ^ 1]))
        lines = served.lines()
        status, metrics, _ = remote._gate._exchange("/metrics", None)
        assert served.stop() == 0
    text = (tmp_path / "requests.jsonl").read_bytes()
    for secret in (b"secret", b"keyword", b"hospital", bytes(scene.owner.key).hex().encode()):
        assert secret not in text
        assert secret not in metrics
    words = {"time", "request", "call", "peer", "in", "out", "ms", "status", "outcome"}
    assert all(words <= line.keys() <= words | {"message", "owner"} for line in lines)
    assert {line.get("owner") for line in lines} == {None, scene.owner.key[:4].hex()}
    kinds = {(line["call"], line.get("message"), line["outcome"]) for line in lines}
    assert kinds >= {
        ("receive", "upload", "ok"),
        ("receive", "attachment", "ok"),
        ("receive", "seal", "ok"),
        ("receive", "attachment", "ReplayError"),
        ("search", "query", "ok"),
        ("search", "query", "SignatureError"),
    }
    found = [line for line in lines if line.get("message") == "attachment"]
    assert found[0]["in"] == attached.nbytes
    assert status == 200
    for line in (
        b'mopse_requests_total{kind="receive",outcome="ReplayError"} 1.0',
        b'mopse_requests_total{kind="search",outcome="ok"} 1.0',
        b'mopse_request_duration_seconds_count{kind="search"} 2.0',
    ):
        assert line in metrics


def test_the_log_is_turned_over_and_a_full_disk_is_survived(tmp_path):
    import asyncio

    from mopse.service._log import RequestLog

    async def write() -> None:
        log = RequestLog(tmp_path / "log", most_bytes=2_000, files=2)
        for number in range(60):
            log.write(1.5 + number, {"request": "x" * 40, "number": number})
            log.flush()
        log.close()
        full = RequestLog("/dev/full", most_bytes=2_000, files=2)
        full.write(1.0, {"request": "x"})
        full.flush()
        full.close()

    asyncio.run(write())
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["log", "log.1", "log.2"]
    assert all((tmp_path / name).stat().st_size <= 2_000 for name in files)
    last = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert last == {"time": "1970-01-01T00:01:00.500Z", "request": "x" * 40, "number": 59}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_an_owner_who_is_not_named_is_served_by_no_call(tmp_path):
    cloud = Cloud()
    known = Scene(SCHEMA, "hospital", seed=21, cloud=cloud)
    other = Scene(SCHEMA, "hospital", seed=22, cloud=cloud)
    for one in (known, other):
        one.send("hospital", table(0, 5))
    with served_here(cloud, tmp_path / "log.jsonl", owners=[known.owner.key]) as url:
        remote = Cloud(url)
        assert known.owner.ask(remote, age=(0, 99)).height == 5
        remote.enroll(known.owner.public)
        owner, hospital = other.owner, other["hospital"]
        more = hospital.encrypt(table(5, 5), id="id", accept_leakage=SCHEMA)
        attached = hospital.attach(1, bytes(300_000), name="n", media_type="a/b")
        for ask in (
            lambda: remote.enroll(owner.public),
            lambda: remote.announcements(owner.key),
            lambda: remote.receive(more),
            lambda: remote.receive(attached),
            lambda: remote.receive(hospital.seal()),
            lambda: remote.receive(owner.removal("hospital")),
            lambda: remote.receive_in_pieces(more),
            lambda: remote.search(owner.query(age=(0, 99))),
            lambda: remote.count(owner.query(age=(0, 99))),
            lambda: remote.find(owner.find("word")),
            lambda: remote.fetch(owner.fetch("0" * 32)),
            lambda: remote.notes(hospital.request_notes()),
        ):
            with pytest.raises(ScopeError, match="the service does not serve this owner"):
                ask()
        with pytest.raises(DamagedFileError):
            remote.count(b"MOPSEQRY")
    assert owner.ask(cloud, age=(0, 99)).height == 5


@pytest.mark.parametrize("owners", [[b"x"], [bytes(33)], ["x"], bytes(32), 5])
def test_owners_who_are_none_are_refused(owners):
    with pytest.raises(InvalidInputError, match=r"owners|verification key"):
        mopse.service.application(Cloud(), owners=owners)


class Full:
    """An audit log on a disk that is full until it is not."""

    is_full = True

    def sync(self):
        """Refuse, as the core's log does."""
        if self.is_full:
            raise FileAccessError("the audit log cannot be used: no space left on device")


def test_a_service_whose_audit_log_is_full_says_so_when_it_is_asked_how_it_is(tmp_path):
    cloud = Cloud()
    cloud._log = Full()
    with served_here(cloud, tmp_path / "log") as url:
        gate = Cloud(url)._gate
        assert gate.health() == "the store or the audit log is away"
        cloud._log.is_full = False
        assert gate.health() == "ok"


def test_a_user_asks_a_service_under_a_right_to_search(tmp_path):
    schema = mopse.Schema(age=mopse.Field(0, 120))
    owner = mopse.Owner.generate(schema)
    hospital, user = owner.authorize("hospital"), mopse.User.generate()
    user.accept(owner.delegate(user.public, age=(40, 60)))
    with served_here(mopse.Cloud(), tmp_path / "log.jsonl") as url, mopse.Cloud(url) as cloud:
        cloud.enroll(owner.public)
        cloud.receive(hospital.encrypt({"id": range(121), "age": range(121)}, id="id"))
        assert cloud.count(user.query(age=(50, None))) == 11
        answer = cloud.search(user.query(age=(None, 41)))
        assert sum(len(part) for part in answer._parts) == 2
        owner.unshare(user.public)
        cloud.enroll(owner.public)
        with pytest.raises(mopse.errors.OutdatedError, match="given anew"):
            cloud.count(user.query(age=50))
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    kinds = [json.loads(line).get("message") for line in lines]
    assert kinds.count("query") == 3
