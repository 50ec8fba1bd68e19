"""Every store answers alike: the scripts of `tests/vectors/store`, and histories at random.

The scripts are made by `tests/store.rs` from plaintexts, and run there on stores in Rust.
"""

import json
import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from scene import Scene
from stores.dict_store import DictStore
from stores.server import postgres

import mopse
from mopse._mopse.cloud import Gate
from mopse.errors import InvalidInputError, MopseError, ScopeError
from mopse.stores import (
    SPENT,
    Attachment,
    DuckDBStore,
    MemoryStore,
    PostgresStore,
    Store,
    StoredUpload,
)

SCRIPTS = sorted((Path(__file__).parents[2] / "vectors" / "store").glob("*.json"))


class Relay:
    """The store in memory as an object of another kind: every call goes through Python."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""Where stores that last are, until the tests end."""


def duckdb_store() -> DuckDBStore:
    """Return an empty store in a file."""
    pytest.importorskip("duckdb", reason="needs the extra duckdb")
    FOLDERS.append(tempfile.TemporaryDirectory(prefix="mopse-store-"))
    return DuckDBStore(Path(FOLDERS[-1].name) / "store.duckdb")


def postgres_store() -> PostgresStore:
    """Return an empty store in a database."""
    return PostgresStore(postgres().database())


STORES: list[Callable[[], Store]] = [
    MemoryStore,
    Relay,
    DictStore,
    duckdb_store,
    postgres_store,
]
"""What makes an empty store: whoever writes one adds it here."""


def answered(store: Store, call: dict[str, Any]) -> Any:
    """Return what a store answers to a call of a script, in the words of the script."""
    gate = Gate(store, 1 << 28)  # one for each call: nothing is kept in it
    message = bytes.fromhex(call.get("message", ""))
    now = call.get("now")
    match call["do"]:
        case "enroll":
            gate.enroll(message)
            return "done"
        case "receive":
            words = "provider", "added", "replaced", "removed", "files", "repeated"
            return {"receipt": dict(zip(words, gate.receive(message, now), strict=True))}
        case "search":
            query, parts, _ = gate.search(message, now, None, False, None, False, False)
            assert gate.count(message, now) == sum(map(len, parts)), "what is counted is found"
            return {"found": bytes(mopse.Answer(query, parts)).hex()}
        case "count":
            return {"count": gate.count(message, now)}
        case "find":
            return {"listing": gate.find(message, now, False).encode().hex()}
        case "fetch":
            shown, fetched = gate.fetch(message, now, True), gate.fetch(message, now, False)
            shown.prove()
            assert shown.encode().startswith(fetched.encode())
            return {"file": fetched.encode().hex()}
        case "notes":
            return {"notes": gate.notes(message, now).encode().hex()}
        case "announcements":
            return {"announcements": gate.announcements(bytes.fromhex(call["owner"])).hex()}
        case "remove":
            announcement = call["announcement"]
            owner = None if announcement is None else bytes.fromhex(announcement)
            records, files = gate.remove(call["provider"], owner)
            return {"removed": {"records": records, "files": files}}
        case "merged":
            owner = bytes.fromhex(call["owner"])
            ciphertexts, records = store.merged(owner, call["group"], call["field"])
            assert (ciphertexts.dtype, records.dtype) == (np.int64, np.uint32)
            return {"merged": {"ciphertexts": ciphertexts.tolist(), "records": records.tolist()}}
        case "contents":
            words = "owner", "group", "provider", "records", "bytes"
            lines = sorted(store.contents, key=lambda line: line[:2])  # then as they came
            named = [dict(zip(words, line, strict=True)) for line in lines]
            return {"contents": [line | {"owner": line["owner"].hex()} for line in named]}
        case "totals":
            words = "entries", "files", "file_bytes", "keywords"
            return {"totals": dict(zip(words, store.totals, strict=True))}
    pytest.fail(f"a call that is unknown: {call['do']}")


def answer(store: Store, call: dict[str, Any]) -> Any:
    """Return what a store answers, or the name of what is raised."""
    before = store.contents, store.totals
    try:
        return answered(store, call)
    except MopseError as error:
        assert (store.contents, store.totals) == before, "what is refused changes nothing"
        return {"refused": {"raises": type(error).__name__}}


def expected(operation: dict[str, Any]) -> Any:
    """Return the answer that a script expects: of a cause, what Python makes of it."""
    answer = operation["answer"]
    if "refused" in answer:
        return {"refused": {"raises": answer["refused"]["raises"]}}
    return answer


def restarted(store: DictStore) -> DictStore:
    """Return a store that was read from what another has written down."""
    return DictStore(pickle.loads(pickle.dumps(store.kept)))


def reopened(store: Any) -> Any:
    """Return the store of the same file or database in another life."""
    store.close()
    if isinstance(store, DuckDBStore):
        return DuckDBStore(store._path)
    return PostgresStore(store._engine._address)


def run(script: Path, store: Any, between: Callable[[Any], Any] = lambda store: store) -> None:
    """Run a script on an empty store, which may be another one after every call."""
    for number, operation in enumerate(json.loads(script.read_text())["operations"]):
        store = between(store)
        about = f"operation {number}: {operation['about']}"
        assert answer(store, operation["call"]) == expected(operation), about


def test_there_are_scripts():
    assert len(SCRIPTS) >= 13


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_store_answers_as_the_script_says(script, store):
    run(script, store())


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)
def test_what_a_revocation_overtook_is_refused(store):
    kept = store()
    scene = Scene(mopse.Schema(age=mopse.Field(0, 120)), "ward", "other", cloud=mopse.Cloud(kept))
    sent = scene.send("ward", {"id": [1], "age": [40]})
    late = scene["ward"].encrypt({"id": [2], "age": [41]}, id="id")
    file = scene["ward"].attach(1, b"x", name="x", media_type="a/b", keywords=["x-ray"])
    scene.owner.revoke("other")
    scene.enroll()
    before = kept.contents, kept.totals
    for upload in (sent, late):  # handed over by a door that looked before
        with pytest.raises(ScopeError):
            kept.add(StoredUpload.decode(bytes(upload)), bytes(upload))
    with pytest.raises(ScopeError):
        kept.add_file(Attachment.decode(bytes(file)), [], bytes(file))
    assert (kept.contents, kept.totals) == before
    again = scene.authorize("ward")
    scene.cloud.receive(again.encrypt({"id": [2], "age": [41]}, id="id"))
    assert scene.owner.ask(scene.cloud, age=(0, 120))["id"].sort().to_list() == [1, 2]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_all_that_a_restarted_cloud_needs_is_in_its_store(script):
    run(script, DictStore(), restarted)


@pytest.mark.parametrize("store", [duckdb_store, postgres_store], ids=lambda store: store.__name__)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_all_that_a_restarted_cloud_needs_is_in_a_store_that_lasts(script, store):
    run(script, store(), reopened)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
@pytest.mark.parametrize("store", [duckdb_store, postgres_store], ids=lambda store: store.__name__)
def test_no_answer_changes_when_a_store_is_compacted(script, store):
    def compacted(store: Any) -> Any:
        store.compact()
        assert store.check() == []
        return store

    run(script, store(), compacted)


def kinds_of(store: DictStore) -> set[type]:
    """Return the types of all values that a store has kept."""
    kinds = set()

    def look(kept: Any) -> None:
        kinds.add(type(kept))
        if isinstance(kept, dict):
            for pair in kept.items():
                look(pair)
        elif isinstance(kept, list | tuple):
            for item in kept:
                look(item)

    look(store.kept)
    return kinds


PLAIN = {dict, list, tuple, bytes, int, str, bool, type(None)}


def test_a_wrong_answer_is_noticed(tmp_path):
    script = json.loads(SCRIPTS[0].read_text())
    for at, operation in enumerate(script["operations"]):
        right, operation["answer"] = operation["answer"], {"count": -1}
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps(script))
        with pytest.raises(AssertionError, match=f"operation {at}:"):
            run(changed, DictStore())
        operation["answer"] = right


SCHEMA = mopse.Schema(age=mopse.Field(0, 3), sbp=mopse.Field(0, 3), portions={"x": ["sbp", "y"]})
PATHS = ["hospital", "hospital/ward", "clinic"]
IDS = st.integers(0, 5)
VALUES = st.integers(0, 3)
ROWS = st.dictionaries(IDS, st.tuples(VALUES, st.none() | VALUES), min_size=1, max_size=4)
RANGE = st.tuples(VALUES, VALUES).map(sorted)
RANGES = st.dictionaries(st.sampled_from(["age", "sbp"]), RANGE, min_size=1)
KEYWORDS = st.sampled_from([[], ["x-ray"], ["chest"], ["x-ray", "chest"], ["chest", "x-ray"]])
OWNER = st.sampled_from([0, 0, 1])
PATH = st.sampled_from(PATHS)
ASKER = st.sampled_from(["", *PATHS])
ARRIVES = st.sampled_from([True, True, False])


WRONG = [
    ("owners", [5]),
    ("announcements", "text"),
    ("announcements", [5]),
    ("search", [b"part"]),
    ("count", -1),
    ("labels", 5),
    ("labels", ["text"] * 17),
    ("label_count", "many"),
    ("label_count", -1),
    ("files", None),
    ("files_of", [None]),
    ("file", b"file"),
    ("remove", (1,)),
    ("remove", (-1, -1, False)),
    ("notes", [b"note"]),
    ("notes", [(1, "note")]),
    ("arrived", 5),
    ("arrived", [5]),
    ("add", (1, 0, 0)),
]
TABLE = pl.DataFrame({"id": [1], "age": [1], "sbp": [1]})
FILE = {"name": "n", "media_type": "text/plain", "keywords": ["x-ray"]}


def foreign(method: str, returned: Any) -> tuple[mopse.Cloud, mopse.Owner, mopse.Provider]:
    """Return a cloud on a store of which one method returns something that it should not."""
    answer = returned if callable(returned) else lambda *_: returned
    wrong = type("Wrong", (DictStore,), {method: answer})
    store = DictStore()
    owner = mopse.Owner.from_insecure_seed(SCHEMA, 5)
    provider = owner.authorize("hospital")
    cloud = mopse.Cloud(store)
    cloud.enroll(owner.public)
    cloud.receive(provider.encrypt(TABLE, id="id", accept_leakage=SCHEMA))
    cloud.receive(provider.attach(1, b"body", **FILE))
    return mopse.Cloud(wrong(store.kept)), owner, provider


@pytest.mark.parametrize(("method", "returned"), WRONG, ids=repr)
def test_what_a_store_should_not_return_is_said_by_its_method(method, returned):
    cloud, owner, provider = foreign(method, returned)
    right, _, _ = foreign("unknown", None)
    answer, request = right.search(owner.query(age=1)), owner.find("x-ray")
    [number] = owner.files(right.find(request), request)["file"]
    more = TABLE.with_columns(id=pl.lit(2))
    calls: dict[str, Callable[[], Any]] = {
        "owners": lambda: cloud.remove("hospital"),
        "remove": lambda: cloud.remove("hospital"),
        "count": lambda: cloud.count(owner.query(age=1)),
        "labels": lambda: cloud.find(owner.find("x-ray")),
        "label_count": lambda: cloud.find(owner.find("x-ray")),
        "files": lambda: cloud.find(owner.find("x-ray")),
        "files_of": lambda: cloud.find(owner.files_of(answer)),
        "file": lambda: cloud.fetch(owner.fetch(number)),
        "notes": lambda: cloud.notes(provider.request_notes()),
        "arrived": lambda: cloud.receive(provider.attach(1, b"body", **FILE)),
        "add": lambda: cloud.receive(provider.encrypt(more, id="id", accept_leakage=SCHEMA)),
    }
    call = calls.get(method, lambda: cloud.search(owner.query(age=1)))
    with pytest.raises(MopseError, match=f"the store's {method} returned"):
        call()


@pytest.mark.parametrize("number", [0, 1, 16, 18])
def test_a_store_answers_for_all_labels_and_no_others(number):
    cloud, owner, _ = foreign("labels", [5] * number)
    with pytest.raises(InvalidInputError, match=f"returned {number} answers, expected 17"):
        cloud.find(owner.find("x-ray"))


@pytest.mark.parametrize("number", [0, 2])
def test_a_store_answers_for_all_numbers_and_no_others(number):
    cloud, _, provider = foreign("arrived", [None] * number)
    with pytest.raises(InvalidInputError, match=f"arrived returned {number} answers, expected 1"):
        cloud.receive(provider.attach(1, b"body", **FILE))


@pytest.mark.parametrize("label", [SPENT, 5])
def test_a_search_over_a_store_that_has_every_label_ends(label):
    cloud, owner, _ = foreign("labels", lambda *asked: [label] * len(asked[-1]))
    with pytest.raises(InvalidInputError, match="the store's labels returned 17 that are there"):
        cloud.find(owner.find("x-ray"))


class _Histories(RuleBasedStateMachine):
    """Messages that come in any order, again and again, at two stores that must stay alike."""

    def __init__(self) -> None:
        super().__init__()
        self.stores: list[Any] = [MemoryStore(), DictStore(), duckdb_store(), postgres_store()]
        self.keyrings: dict[tuple[int, str], Any] = {}
        self.announcements: list[bytes] = []
        self.messages: list[bytes] = []
        self.files: list[str] = []
        for seed in (0, 1):
            self.keyrings[seed, ""] = mopse.Owner.from_insecure_seed(SCHEMA, seed)
            self.authorize(seed)

    def authorize(self, of: int) -> None:
        """Have every provider authorised, in the epoch that is, and tell the cloud."""
        owner = self.keyrings[of, ""]
        for path in PATHS:
            above, _, name = path.rpartition("/")
            self.keyrings[of, path] = owner.authorize(name, under=above or None)
        self.announcements.append(owner.public)
        self.both({"do": "enroll", "message": owner.public.hex()})

    def both(self, call: dict[str, Any]) -> Any:
        """Have both stores answer a call, and return the answer."""
        ours, *others = (answer(store, call) for store in self.stores)
        assert others == [ours] * len(others)
        return ours

    def send(self, message: Any, *, arrives: bool = True) -> None:
        """Have both stores receive a message, now or perhaps later."""
        self.messages.append(bytes(message))
        if arrives:
            self.ask("receive", message)

    def ask(self, do: str, message: Any) -> Any:
        """Have both stores answer a message now."""
        return self.both({"do": do, "message": bytes(message).hex(), "now": int(time.time())})

    def looked_up(self, of: int, path: str, ids: Any) -> mopse.Answer | None:
        """Return what both stores tell of records, for whoever changes them."""
        found = self.ask("search", self.keyrings[of, path].lookup(list(ids)))
        return mopse.Answer.from_bytes(bytes.fromhex(found["found"])) if "found" in found else None

    def change(self, make: Callable[[], Any], *, arrives: bool) -> None:
        """Send what was made, if the keyring makes it."""
        try:
            message = make()
        except InvalidInputError:
            return  # it was looked up, and is stored already or not
        self.send(message, arrives=arrives)

    @rule(of=OWNER, path=PATH, rows=ROWS, looks=st.booleans(), arrives=ARRIVES)
    def encrypt(self, of, path, rows, looks, arrives):
        known = self.looked_up(of, path, rows) if looks else None
        encrypt = self.keyrings[of, path].encrypt
        self.change(lambda: encrypt(frame(rows), id="id", versions=known), arrives=arrives)

    @rule(of=OWNER, path=PATH, rows=ROWS, arrives=ARRIVES)
    def update(self, of, path, rows, arrives):
        known, update = self.looked_up(of, path, rows), self.keyrings[of, path].update
        if known is not None:
            self.change(lambda: update(frame(rows), id="id", versions=known), arrives=arrives)

    @rule(of=OWNER, path=PATH, ids=st.sets(IDS, min_size=1, max_size=3), arrives=ARRIVES)
    def delete(self, of, path, ids, arrives):
        known, delete = self.looked_up(of, path, ids), self.keyrings[of, path].delete
        if known is not None:
            self.change(lambda: delete(sorted(ids), versions=known), arrives=arrives)

    @rule(of=OWNER, path=PATH, record=IDS, size=st.integers(0, 3), words=KEYWORDS, arrives=ARRIVES)
    def attach(self, of, path, record, size, words, arrives):
        provider = self.keyrings[of, path]
        upload = provider.attach(record, bytes(size), name="a", media_type="a/b", keywords=words)
        self.files.append(upload.file)
        self.send(upload, arrives=arrives)

    @precondition(lambda self: self.messages)
    @rule(drawn=st.data())
    def receive_again_or_late(self, drawn):
        self.ask("receive", drawn.draw(st.sampled_from(self.messages)))

    @rule(drawn=st.data())
    def enroll_again(self, drawn):
        message = drawn.draw(st.sampled_from(self.announcements))
        self.both({"do": "enroll", "message": message.hex()})

    @rule(of=OWNER, path=ASKER, ranges=RANGES)
    def search(self, of, path, ranges):
        self.ask("search", self.keyrings[of, path].query(**ranges))

    @rule(of=OWNER, path=PATH, ids=st.sets(IDS, min_size=1))
    def look_up_from_above(self, of, path, ids):
        owner = self.keyrings[of, ""]
        if path in owner.providers:
            self.ask("search", owner.lookup(sorted(ids), provider=path))

    @rule(of=OWNER, path=ASKER, words=KEYWORDS.filter(len))
    def find(self, of, path, words):
        self.ask("find", self.keyrings[of, path].find(*words))

    @rule(of=OWNER, path=PATH, learns=ARRIVES)
    def notes(self, of, path, learns):
        provider = self.keyrings[of, path]
        request = provider.request_notes()
        found = self.ask("notes", request)
        if learns and "notes" in found:
            provider.learn_uses(mopse.FileNotes.from_bytes(bytes.fromhex(found["notes"])), request)

    @rule(of=OWNER, path=ASKER, ranges=RANGES)
    def list_files(self, of, path, ranges):
        keyring = self.keyrings[of, path]
        found = self.ask("search", keyring.query(**ranges))
        if "found" in found:
            answer = mopse.Answer.from_bytes(bytes.fromhex(found["found"]))
            self.ask("find", keyring.files_of(answer))

    @precondition(lambda self: self.files)
    @rule(of=OWNER, path=ASKER, drawn=st.data())
    def fetch(self, of, path, drawn):
        file = drawn.draw(st.sampled_from(self.files))
        self.ask("fetch", self.keyrings[of, path].fetch(file))

    @rule(of=OWNER, path=PATH)
    def remove(self, of, path):
        announcement = self.keyrings[of, ""].public.hex()
        self.both({"do": "remove", "announcement": announcement, "provider": path})

    @rule(of=OWNER, path=PATH, arrives=ARRIVES)
    def ask_for_a_removal(self, of, path, arrives):
        self.send(self.keyrings[of, ""].removal(path), arrives=arrives)

    @rule(of=OWNER, path=PATH)
    def revoke(self, of, path):
        self.keyrings[of, ""].revoke(path)
        self.authorize(of)

    @rule(of=OWNER, under=st.sampled_from([None, "hospital"]))
    def renew_readers(self, of, under):
        self.keyrings[of, ""].renew_readers(under)
        self.authorize(of)

    @rule(of=OWNER)
    def forget_uses_of_keywords(self, of):
        self.authorize(of)

    @rule()
    def restart(self):
        assert kinds_of(self.stores[1]) <= PLAIN
        self.stores[1] = restarted(self.stores[1])

    @invariant()
    def they_show_the_same(self):
        for do in ("contents", "totals"):
            self.both({"do": do})
        for owner, group in {line[:2] for line in self.stores[1].contents}:
            self.both({"do": "announcements", "owner": owner.hex()})
            for field in ("age", "sbp"):
                place = {"owner": owner.hex(), "group": group, "field": field}
                self.both({"do": "merged"} | place)


def frame(rows: dict[int, tuple[int, int | None]]) -> pl.DataFrame:
    """Return a table of rows by their ids."""
    ages, pressures = ([row[at] for row in rows.values()] for at in (0, 1))
    table = {"id": list(rows), "age": ages, "sbp": pressures, "y": pressures}
    return pl.DataFrame(table, schema=dict.fromkeys(table, pl.Int64))


class TestHistories(_Histories.TestCase):
    """The machine as a test."""

    settings = settings(stateful_step_count=30)
