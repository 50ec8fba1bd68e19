"""A right call of everything public, found by introspection: what other tests do wrong on purpose.

Whoever adds a public function gives each of its parameters a right value here, by its name in
`BY_NAME` or for the one function in `BY_CALL`; `test_wrong_values` fails until it is there.
"""

import datetime
import functools
import importlib
import inspect
import json
import pkgutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scene import Scene
from stores.server import postgres

import mopse
from mopse import (
    attacks,
    ciphers,
    evaluate,
    passwords,
    plot,
    rsa,
    secret_sharing,
    service,
    sharing,
    stores,
)
from mopse._mopse.message import Pieces
from mopse.ciphers import legacy
from mopse.evaluate import performance, security
from mopse.sharing import reencryption
from mopse.sharing.reencryption import published

__all__ = [
    "PUBLIC",
    "Call",
    "World",
    "calls",
    "example",
    "made",
    "public_classes",
    "public_modules",
    "right",
]

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
PASSWORD = "correct horse"


def public_modules() -> list[ModuleType]:
    """Return the package and all of its modules whose names have no underscore."""
    names = (module.name for module in pkgutil.walk_packages(mopse.__path__, "mopse."))
    public = [name for name in names if not any(p.startswith("_") for p in name.split(".")[1:])]
    return [importlib.import_module(name) for name in ["mopse", *sorted(public)]]


def _public() -> dict[str, Any]:
    """Return every public function and class once, by the first name that it has."""
    found: dict[str, Any] = {}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            is_new = not any(thing is other for other in found.values())
            if is_new and (inspect.isclass(thing) or inspect.isroutine(thing)):
                found[f"{module.__name__}.{name}"] = thing
    return found


PUBLIC = _public()


def public_classes() -> dict[str, type]:
    """Return every public class by its name, the exceptions too."""
    return {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}


class Call(NamedTuple):
    """Something public that takes arguments."""

    name: str
    owner: type | None
    """The class whose instance it is called on."""
    get: Callable[[Any], Callable[..., Any]]
    """Returns what is called, of an instance or None."""
    parameters: tuple[inspect.Parameter, ...]


_OPERATORS = ("__getitem__", "__add__", "__contains__", "__call__")


def _members(cls: type) -> Iterator[str]:
    for member in dir(cls):
        of_ours = any(member in vars(base) for base in cls.__mro__ if _is_ours(base))
        if of_ours and (member in _OPERATORS or not member.startswith("_")):
            yield member


def _is_ours(cls: type) -> bool:
    return cls.__module__.split(".")[0] == "mopse"


def calls() -> dict[str, Call]:
    """Return all that is public and takes an argument: functions, constructors, methods."""
    found: dict[str, Call] = {}

    def enter(name: str, owner: type | None, get: Callable[[Any], Any], signed: Any) -> None:
        parameters = tuple(inspect.signature(signed).parameters.values())
        parameters = tuple(p for p in parameters if p.name != "self")
        if parameters:
            found[name] = Call(name, owner, get, parameters)

    for name, thing in PUBLIC.items():
        if not inspect.isclass(thing):
            enter(name, None, lambda _, thing=thing: thing, thing)
            continue
        if issubclass(thing, Exception) or getattr(thing, "_is_protocol", False):
            continue
        if not inspect.isabstract(thing):
            enter(name, None, lambda _, thing=thing: thing, thing)
        for member in _members(thing):
            static = inspect.getattr_static(thing, member)
            if isinstance(static, property):
                if static.fset is not None:
                    raise AssertionError(f"{name}.{member} can be set: try what it takes too")
            elif isinstance(static, staticmethod | classmethod):
                taken = getattr(thing, member)
                enter(f"{name}.{member}", None, lambda _, taken=taken: taken, taken)
            elif inspect.isroutine(static):
                enter(
                    f"{name}.{member}",
                    thing,
                    lambda one, member=member: getattr(one, member),
                    static,
                )
    return found


SCHEMA = mopse.Schema(
    age=mopse.Field(0, 99, proof=True),
    sbp=mopse.Field(60, 260, step=2),
    portions={"contact": ["phone"]},
)
ROWS = {"id": [1, 2, 3], "age": [40, 50, 60], "sbp": [120, 130, 140], "phone": ["1", "2", "3"]}
RESEARCH = mopse.Schema(
    age=mopse.Field(0, 99),
    portions={"research": sharing.deidentified(age=sharing.coarsen(10), phone=sharing.keep())},
)
AGES = mopse.Schema(age=mopse.Field(0, 9), weight=mopse.Field(0, 4))


class World:
    """One of everything; what costs is made when it is first asked for."""

    def __init__(self) -> None:
        self.log = sharing.AuditLog()
        cloud = mopse.Cloud(audit_log=self.log)
        self.scene = Scene(SCHEMA, "a", "a/ward", "a/lab", "b", seed=1, cloud=cloud)
        self.owner, self.cloud = self.scene.owner, self.scene.cloud
        self.a, self.ward = self.scene["a"], self.scene["a/ward"]
        self.scene.send("a/lab", ROWS)
        self.upload = self.scene.send("a", ROWS)
        self.attached = self.a.attach(1, b"x", name="n", media_type="a/b", keywords=["word"])
        self.cloud.receive(self.attached)
        self.seal = self.a.seal()
        self.cloud.receive(self.seal)
        for path in ("a/ward", "a/lab", "b"):
            self.cloud.receive(self.scene[path].seal())
        self.unsent = self.a.attach(1, b"y", name="n", media_type="a/b")
        self.query = self.owner.query(age=(0, 99), proof=True)
        self.answer = self.cloud.search(self.query)
        self.count = self.cloud.count(self.query, proof=True)
        self.own_query = self.a.query(age=(0, 99), proof=True)
        self.own_answer = self.cloud.search(self.own_query)
        self.grant = self.owner.grant("a")
        self.user = mopse.User(SCHEMA, [self.grant, self.owner.grant("a/lab")])
        self.doctor = mopse.User.generate()
        self.shared = self.owner.share(self.doctor.public, "a")
        self.doctor.accept(self.shared)
        right = self.owner.delegate(self.doctor.public, age=(0, 9), sbp=(60, 260))
        self.doctor.accept(right)
        self.doctor.accept(self.owner.share(self.doctor.public, "a/lab"))
        self.a.share(self.doctor.public, "a/ward")
        for party, path in ((self.owner, "a"), (self.a, "a/ward")):
            party.form_team("night")
            party.share_with_team("night", path)
            party.join_team("night", self.doctor.public)
        self.request = self.owner.find("word")
        self.listing = self.cloud.find(self.request)
        self.file = self.owner.files(self.listing, self.request)["file"][0]
        self.fetch = self.owner.fetch(self.file)
        self.sealed = self.cloud.fetch(self.fetch)
        self.notes_request = self.a.request_notes()
        self.notes = self.cloud.notes(self.notes_request)
        of_lab = {"of": "a/lab", "cloud": self.cloud}
        self.permission = self.owner.permit_amendments("a", [1, 2, 3], **of_lab)
        self.removal = self.owner.removal("b")
        self.store = self.cloud._store
        self.statement = sharing.statement(self.owner, "grant", self.shared)
        self.checkpoint = self.log.checkpoint(self.owner.key)
        self.witness = sharing.Witness(self.owner.key)
        self.witness.watch(self.cloud, self.owner)
        keys = [KEY, OTHER_KEY]
        self.arranged = sharing.arrange_emergency(self.owner, "a", keys=keys, portions=["rest"])

    def asked(self) -> mopse.sharing.AccessRequest:
        """Ask for records of a provider."""
        return self.doctor.request(self.owner.address(), "a")

    def decided(self) -> bytes:
        """Ask for records of a provider, and approve it."""
        return self.owner.approve(self.owner.receive_request(self.asked().message))

    def audit_request(self) -> bytes:
        """Return a request to the audit log."""
        return bytes(self.owner._keyring.audit_request([], None, 2**40)[1])

    def _filled(self, store: Any) -> Any:
        cloud = mopse.Cloud(store)
        cloud.enroll(self.owner.public)
        for message in (self.upload, self.attached, self.seal):
            cloud.receive(message)
        return store

    @functools.cached_property
    def in_file(self) -> stores.DuckDBStore:
        """A store in a file, which has what the cloud has."""
        return self._filled(stores.DuckDBStore(Path(tempfile.mkdtemp()) / "s.duckdb"))

    @functools.cached_property
    def in_database(self) -> stores.PostgresStore:
        """A store in a database, which has what the cloud has."""
        return self._filled(stores.PostgresStore(postgres().database()))

    @functools.cached_property
    def stored(self) -> stores.StoredUpload:
        """One of `stores.StoredUpload`."""
        return stores.StoredUpload.decode(bytes(self.upload))

    @functools.cached_property
    def piece(self) -> bytes:
        """All of the upload as a piece."""
        return Pieces(bytes(self.upload)).piece(0, 1)

    @functools.cached_property
    def stored_piece(self) -> stores.Piece:
        """One of `stores.Piece`."""
        return stores.Piece.decode(self.piece)

    @functools.cached_property
    def stored_seal(self) -> stores.Seal:
        """One of `stores.Seal`."""
        return stores.Seal.decode(bytes(self.seal))

    @functools.cached_property
    def part(self) -> stores.Part:
        """One of `stores.Part`."""
        return self.answer._parts[0]

    @functools.cached_property
    def stored_attachment(self) -> stores.Attachment:
        """One of `stores.Attachment`."""
        return stores.Attachment.decode(bytes(self.attached))

    @functools.cached_property
    def announcement(self) -> stores.Announcement:
        """One of `stores.Announcement`."""
        message = self.store.announcements(self.owner.key)[0]
        return stores.Announcement.decode(message)

    @functools.cached_property
    def cipher(self) -> ciphers.Cipher:
        """One of `ciphers.Cipher`."""
        return ciphers.Cipher("aes-256-gcm", KEY)

    @functools.cached_property
    def legacy_cipher(self) -> legacy.LegacyCipher:
        """One of `legacy.LegacyCipher`."""
        return legacy.LegacyCipher("des-cbc", KEY[:8])


@functools.cache
def private_key() -> rsa.PrivateKey:
    return rsa.PrivateKey.generate(2048)


def _ages(seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "record_id": np.arange(40) + 100 * seed,
            "age": random.integers(0, 10, 40),
            "weight": random.integers(0, 5, 40),
        }
    )


TABLES = {"p": _ages(1), "q": _ages(2)}


@functools.cache
def deployment(scheme: str = attacks.MOPSE, schema: mopse.Schema = AGES) -> attacks.Deployment:
    made = attacks.Deployment(scheme, TABLES, schema, seed=1)
    for low, high in [(0, 4), (2, 5), (3, 9), (0, 0), (5, 5), (9, 9)]:
        made.ask({"age": (low, high)})
    made.update(
        {"p": TABLES["p"].filter(pl.col("age") < 9).head(5).with_columns(pl.col("age") + 1)}
    )
    made.delete({"p": [TABLES["p"]["record_id"][9]]})
    return made


@functools.cache
def view(adversary: str = "cloud", scheme: str = attacks.MOPSE) -> attacks.View:
    provider = "p" if adversary.startswith("provider") else None
    return deployment(scheme).view(adversary, provider=provider)


def logins() -> attacks.LoginStore:
    store = attacks.LoginStore("published-md5")
    store.enroll("ann", "swordfish")
    return store


class Published(NamedTuple):
    """Parties of the published re-encryption, and what they have of a portion."""

    server: published.Server
    owner: published.Keys
    user: published.Keys
    ciphertext: bytes
    capsule: bytes
    released: bytes


def reencrypted() -> Published:
    server = published.Server()
    owner, user = server.enroll("ann"), server.join("ben", "physician", now=0)
    ciphertext, capsule = owner.encrypt("visit", "medical", b"text")
    server.receive("ann", capsule)
    released = server.release("ann", "visit", "medical", "ben")
    return Published(server, owner, user, ciphertext, capsule, released)


REENCRYPTED = reencrypted()
READER = reencryption.Keys(KEY)


@functools.cache
def wrapped(world: World) -> tuple[bytes, bytes]:
    """Return an envelope, and a re-encryption key for `READER`."""
    envelope = reencryption.wrap(world.owner, "a", "rest")
    return envelope, reencryption.reencryption_key(world.owner, "a", "rest", READER.public)


def proxy(world: World) -> reencryption.Proxy:
    made = reencryption.Proxy()
    made.receive(wrapped(world)[1])
    return made


def released(world: World) -> bytes:
    return proxy(world).release(wrapped(world)[0], READER.name)


@functools.cache
def auxiliary() -> attacks.Auxiliary:
    return attacks.Auxiliary.from_table(TABLES["p"], AGES, pairs=[("age", "weight")])


POINTS = pl.DataFrame(
    {"at": [1.0, 2.0], "height": [3.0, 4.0], "kind": ["one", "other"], "records": [1, 2]}
)
PAIRS = pl.DataFrame({"one": [1, 1, 2, 2], "two": [1, 2, 1, 2], "records": [1, 2, 3, 4]})
TIMES = pl.DataFrame(
    {
        "scheme": ["s"] * 4,
        "n": [1, 1, 2, 2],
        "repeat": [0, 1, 0, 1],
        "step": ["x"] * 4,
        "time_s": [1.0, 2.0, 2.0, 4.0],
    }
)


def _patterns() -> attacks.AccessPatterns:
    return attacks.access_patterns(view("cloud"), "age")


def _case() -> dict[str, Callable[[Any], None]]:
    return {"s": lambda watch: None}


def _figure() -> plot.Figure:
    return plot.Figure(x="x", y="y").line([1, 2], [3, 4])


def recorded(name: str) -> pl.DataFrame:
    """Return a recorded table of an experiment."""
    return pl.read_parquet(Path(__file__).parents[2] / "notebooks" / "results" / f"{name}.parquet")


INSTANCES: dict[str, Callable[[World], Any]] = {
    "mopse.Answer": lambda w: w.answer,
    "mopse.Cloud": lambda w: w.cloud,
    "mopse.Clww": lambda w: mopse.Clww(KEY, 100),
    "mopse.Field": lambda w: SCHEMA["age"],
    "mopse.LewiWu": lambda w: mopse.LewiWu(KEY, 100),
    "mopse.Opse": lambda w: mopse.Opse(KEY, 100),
    "mopse.Owner": lambda w: w.owner,
    "mopse.Provider": lambda w: w.a,
    "mopse.ProposedSchema": lambda w: mopse.Schema.infer({"age": [3, 4, 9]}),
    "mopse.Schema": lambda w: SCHEMA,
    "mopse.User": lambda w: w.doctor,
    "mopse.attacks.Auxiliary": lambda w: auxiliary(),
    "mopse.attacks.Deployment": lambda w: deployment(),
    "mopse.attacks.Domain": lambda w: attacks.Domain(10, 3),
    "mopse.attacks.LoginStore": lambda w: logins(),
    "mopse.attacks.Marks": lambda w: attacks.Marks(KEY, OTHER_KEY, 10),
    "mopse.attacks.Posterior": lambda w: attacks.Posterior(
        attacks.Domain(10), np.zeros(2, np.int64), np.full((1, 10), 0.1)
    ),
    "mopse.attacks.View": lambda w: view(),
    "mopse.ciphers.Cipher": lambda w: w.cipher,
    "mopse.ciphers.legacy.LegacyCipher": lambda w: w.legacy_cipher,
    "mopse.evaluate.Watch": lambda w: evaluate.Watch(),
    "mopse.plot.Figure": lambda w: plot.Figure(x="x", y="y").line([1, 2], [3, 4]),
    "mopse.rsa.PrivateKey": lambda w: private_key(),
    "mopse.rsa.PublicKey": lambda w: private_key().public,
    "mopse.sharing.AuditLog": lambda w: w.log,
    "mopse.sharing.EmergencyArrangement": lambda w: w.arranged,
    "mopse.sharing.Witness": lambda w: w.witness,
    "mopse.sharing.reencryption.Keys": lambda _: READER,
    "mopse.sharing.reencryption.Label": lambda w: reencryption.label_of(wrapped(w)[0]),
    "mopse.sharing.reencryption.Proxy": proxy,
    "mopse.sharing.reencryption.published.Keys": lambda w: REENCRYPTED.user,
    "mopse.sharing.reencryption.published.Server": lambda w: reencrypted().server,
    "mopse.stores.Announcement": lambda w: w.announcement,
    "mopse.stores.Attachment": lambda w: w.stored_attachment,
    "mopse.stores.DuckDBStore": lambda w: w.in_file,
    "mopse.stores.PostgresStore": lambda w: w.in_database,
    "mopse.stores.MemoryStore": lambda w: w.store,
    "mopse.stores.Piece": lambda w: w.stored_piece,
    "mopse.stores.Seal": lambda w: w.stored_seal,
    "mopse.stores.StoredUpload": lambda w: w.stored,
}
"""What methods are called on."""


def of_stored(name: str) -> Callable[[World], Any]:
    return lambda w: getattr(w.stored, name)


Right = Callable[[World], Any]


def of(name: str) -> Right:
    """Return what shows something of the stored upload."""
    return lambda w: getattr(w.stored, name)


def array(*values: float) -> Right:
    """Return what makes a fresh array."""
    return lambda _: np.array(values)


def same(value: Any) -> Right:
    """Return what shows a value that nobody changes."""
    return lambda _: value


BY_NAME: dict[str, Right] = {
    "announcements": lambda w: [w.announcement.message],
    "answer": lambda w: w.answer,
    "attachment": lambda w: w.stored_attachment,
    "aux": lambda _: auxiliary(),
    "cell": same(1),
    "certificates": lambda w: w.ward.public,
    "ciphertexts": array(3, 1, 2),
    "cloud": lambda w: w.cloud,
    "domain": same(attacks.Domain(10)),
    "epochs": of("epochs"),
    "field": same("age"),
    "files": same(0),
    "group": same("g"),
    "handles": of("handles"),
    "ids": same([1, 2]),
    "key": same(KEY),
    "keyring": lambda w: w.owner._keyring,
    "keys": same([KEY, OTHER_KEY]),
    "listing": lambda w: w.listing,
    "media_type": same("a/b"),
    "more_fields": same(mopse.Field(0, 5)),
    "more_ranges": same((0, 9)),
    "name": same("name"),
    "notes": lambda w: w.notes,
    "number": same(5),
    "numbers": same([5]),
    "owner": lambda w: w.owner.key,
    "password": same(PASSWORD),
    "patterns": lambda _: attacks.access_patterns(view("cloud"), "age"),
    "plaintext": same(b"text"),
    "plaintexts": same(10),
    "portions": of("portions"),
    "private": lambda _: private_key(),
    "probabilities": same([0.5, 0.5]),
    "provider": same("a"),
    "public": lambda _: private_key().public,
    "queries": same(5),
    "query": lambda w: w.query,
    "readers": of("readers"),
    "records": same(3),
    "request": lambda w: w.request,
    "runs": of("runs"),
    "salt": same(b"8 bytes or more"),
    "schema": same(SCHEMA),
    "sealed": lambda w: w.sealed,
    "seed": same(1),
    "seeds": same((1,)),
    "senders": array(0, 0, 1),
    "size_bytes": same(5000),
    "sizes_bytes": same([5000]),
    "source": same(b"text"),
    "table": same(ROWS),
    "truth": array(1, 2, 3),
    "upload": lambda w: w.stored,
    "view": lambda _: view("cloud"),
    "x": array(1.0, 2.0),
    "y": array(3.0, 4.0),
    "low": array(1, 2),
    "high": array(3, 4),
}
"""Right values of parameters that have no default, by their names."""


def message_of(name: str) -> Right:
    return lambda w: bytes(getattr(w, name))


def in_file(name: str) -> Right:
    """Return what writes a message to a file of its own."""

    def written(w: World) -> Path:
        path = Path(folder()) / name
        path.write_bytes(message_of(name)(w))
        return path

    return written


def folder() -> str:
    return tempfile.mkdtemp()


def _saved(w: World, party: str) -> str:
    path = Path(folder()) / "saved"
    getattr(w, party).save(path, PASSWORD)
    return str(path)


def _to(w: World, party: mopse.Owner | mopse.Provider) -> bytes:
    return w.doctor.request(party.address(), "a").message


def _open(w: World, party: mopse.Owner | mopse.Provider) -> str:
    return party.receive_request(_to(w, party))


def _suspended(party: mopse.Owner | mopse.Provider, w: World) -> bytes:
    party.suspend(w.doctor.public)
    return w.doctor.public


def _seen(w: World) -> str:
    path = Path(folder()) / "seen"
    w.witness.save(path)
    return str(path)


def _audited(w: World) -> str:
    path = Path(folder()) / "log"
    with sharing.AuditLog(path) as log:
        mopse.Cloud(audit_log=log).enroll(w.owner.public)
    return str(path)


@functools.cache
def saved(party: str) -> str:
    return _saved(World(), party)


INTERVAL = {"low": array(1.0, 2.0), "high": array(2.0, 3.0)}
NOTEBOOK = {
    "nbformat": 4,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "metadata": {},
            "source": "# BEGIN SOLUTION: halve\nhalf = 1\n# END SOLUTION\n",
            "outputs": [],
        }
    ],
}
VALUES = {"values": array(0, 1, 2)}
CHUNK_KEYS = [bytes(range(1, 9)), bytes(range(24)), bytes(16), bytes(32)]
CHUNKS = legacy.split_credential(b"twelve bytes", CHUNK_KEYS)

NOTEBOOK_FILE = str(Path(folder()) / "lab.ipynb")
Path(NOTEBOOK_FILE).write_text(json.dumps(NOTEBOOK), "utf-8")

BY_CALL: dict[str, dict[str, Right]] = {
    "mopse.Answer": {"query": same(5), "parts": lambda w: [w.part]},
    "mopse.Answer.__add__": {"page": lambda w: w.answer},
    "mopse.Answer.from_bytes": {"message": message_of("answer")},
    "mopse.Cloud.audit": {"request": lambda w: w.audit_request()},
    "mopse.Cloud.count": {"proof": same(True)},
    "mopse.Cloud.announcements": {"owner": lambda w: w.owner.key},
    "mopse.Cloud.enroll": {"public": lambda w: w.owner.public},
    "mopse.Cloud.fetch": {"request": lambda w: w.fetch},
    "mopse.Cloud.notes": {"request": lambda w: w.notes_request},
    "mopse.Cloud.receive": {"message": lambda w: w.upload},
    "mopse.Cloud.missing": {"upload": lambda w: w.upload},
    "mopse.Cloud.put": {"piece": lambda w: w.piece},
    "mopse.Cloud.receive_in_pieces": {"upload": lambda w: w.upload},
    "mopse.Cloud.remove": {"owner": lambda w: w.owner.public},
    "mopse.Clww": {"domain": same(100)},
    "mopse.Clww.compare": {"a": lambda _: mopse.Clww(KEY, 9).encrypt(3)}
    | {"b": lambda _: mopse.Clww(KEY, 9).encrypt(3)},
    "mopse.Clww.decrypt": {"c": lambda _: mopse.Clww(KEY, 100).encrypt(3)},
    "mopse.Clww.encrypt": {"x": array(1, 2)},
    "mopse.Field": {"minimum": same(0), "maximum": same(10)},
    "mopse.Field.categories": {"levels": same(["low", "high"])},
    "mopse.Field.plaintexts_of": {"column": lambda _: pl.Series("age", [1, 2])},
    "mopse.Field.range": {"low": same(1), "high": same(2)},
    "mopse.File": {"record": same("0" * 32), "content": same(b"x")},
    "mopse.WrittenFile": {"record": same("0" * 32), "path": same(Path("x")), "nbytes": same(1)},
    "mopse.FileListing": {"listing": lambda w: w.listing._listing},
    "mopse.FileListing.from_bytes": {"message": message_of("listing")},
    "mopse.FileNotes": {"notes": lambda w: w.notes._notes},
    "mopse.FileNotes.from_bytes": {"message": message_of("notes")},
    "mopse.FileRequest": {"message": message_of("request")},
    "mopse.FileUpload": {"message": message_of("attached")},
    "mopse.FileUpload.from_file": {"path": in_file("attached")},
    "mopse.LeakageReport": {"table": lambda _: mopse.leakage_report(ROWS, SCHEMA).table},
    "mopse.LewiWu": {"domain": same(100)},
    "mopse.LewiWu.compare": {
        "a": lambda _: mopse.LewiWu(KEY, 9).encrypt(3),
        "b": lambda _: mopse.LewiWu(KEY, 9).encrypt(3),
    },
    "mopse.LewiWu.decrypt": {"c": lambda _: mopse.LewiWu(KEY, 100).encrypt(3)},
    "mopse.LewiWu.encrypt": {"x": array(1, 2)},
    "mopse.Opened": {"records": lambda _: POINTS, "faults": lambda _: POINTS},
    "mopse.Opse": {"domain": same(100)},
    "mopse.Opse.bounds": {"low": same(1), "high": same(2)},
    "mopse.Opse.decrypt": {"c": lambda _: mopse.Opse(KEY, 100).encrypt(3)},
    "mopse.Opse.encrypt": {"x": array(1, 2)},
    "mopse.Owner.compare": {"other": lambda w: w.a},
    "mopse.Owner.prove": {"found": lambda w: w.answer},
    "mopse.Owner.fetch": {"file": lambda w: w.file},
    "mopse.Owner.find": {"keywords": same("word")},
    "mopse.Owner.grant": {},
    "mopse.Owner.learn": {},
    "mopse.Owner.lookup": {"provider": same("a")},
    "mopse.Owner.amendments": {"of": same("a"), "by": same(["b"])},
    "mopse.Owner.permit_amendments": {
        "provider": same("b"),
        "of": same("a"),
        "cloud": lambda w: w.cloud,
    },
    "mopse.Owner.open": {"path": lambda _: saved("owner")},
    "mopse.Owner.open_file": {"request": lambda w: w.fetch},
    "mopse.Owner.share": {"user": lambda w: w.doctor.public, "provider": same("a")},
    "mopse.Owner.unshare": {"user": lambda w: w.doctor.public},
    "mopse.Owner.suspend": {"user": lambda w: w.doctor.public},
    "mopse.Owner.reinstate": {"user": lambda w: _suspended(w.owner, w)},
    "mopse.Owner.revoke_user": {"user": lambda w: w.doctor.public},
    "mopse.Owner.form_team": {"name": same("day"), "speciality": same("cardiology")},
    "mopse.Owner.join_team": {"team": same("night"), "user": lambda w: w.doctor.public},
    "mopse.Owner.share_with_team": {"team": same("night"), "provider": same("a")},
    "mopse.Owner.leave_team": {"team": same("night"), "user": lambda w: w.doctor.public},
    "mopse.Owner.disband_team": {"team": same("night")},
    "mopse.Owner.renew_readers": {"under": same("b")},
    "mopse.Owner.save": {"path": lambda _: str(Path(folder()) / "owner")},
    "mopse.Provider": {"keyring": lambda w: w.a._keyring},
    "mopse.Provider.amend": {
        "id": same("id"),
        "permission": lambda w: w.permission,
    },
    "mopse.Provider.amendments": {"of": same("a"), "by": same(["a/ward"])},
    "mopse.Provider.permit_amendments": {
        "provider": same("a/ward"),
        "of": same("a/lab"),
        "cloud": lambda w: w.cloud,
    },
    "mopse.Provider.attach": {"record_id": same(1), "keywords": same(["word"])},
    "mopse.Provider.catch_up": {"counts": None},
    "mopse.Provider.compare": {"other": lambda w: w.owner},
    "mopse.User.compare": {"other": lambda w: w.owner},
    "mopse.User.prove": {
        "answer": lambda w: w.cloud.search(w.query, proof="signatures"),
        "query": lambda w: w.query,
    },
    "mopse.Provider.prove": {"found": lambda w: w.own_answer, "query": lambda w: w.own_query},
    "mopse.Provider.delete": {"cloud": lambda w: w.cloud},
    "mopse.Provider.encrypt": {"id": same("id")},
    "mopse.Provider.entries": {
        "values": same([1, 2, 3]),
        "handles": lambda w: w.a.handles([1, 2, 3]),
    },
    "mopse.Provider.fetch": {"file": lambda w: w.file},
    "mopse.Provider.find": {"keywords": same("word")},
    "mopse.Provider.learn_uses": {"request": lambda w: w.notes_request},
    "mopse.Provider.open": {"path": lambda _: saved("a")},
    "mopse.Provider.open_file": {"request": lambda w: w.fetch},
    "mopse.Owner.approve": {"request": lambda w: _open(w, w.owner)},
    "mopse.Owner.forget_request": {"request": lambda w: _open(w, w.owner)},
    "mopse.Owner.receive_request": {"request": lambda w: _to(w, w.owner)},
    "mopse.Owner.refuse": {"request": lambda w: _open(w, w.owner)},
    "mopse.Provider.approve": {"request": lambda w: _open(w, w.a)},
    "mopse.Provider.forget_request": {"request": lambda w: _open(w, w.a)},
    "mopse.Provider.receive_request": {"request": lambda w: _to(w, w.a)},
    "mopse.Provider.refuse": {"request": lambda w: _open(w, w.a)},
    "mopse.Provider.removal": {"provider": same("a/ward")},
    "mopse.Provider.save": {"path": lambda _: str(Path(folder()) / "a")},
    "mopse.Provider.share": {"user": lambda w: w.doctor.public, "provider": same("a/ward")},
    "mopse.Provider.unshare": {"user": lambda w: w.doctor.public},
    "mopse.Provider.suspend": {"user": lambda w: w.doctor.public},
    "mopse.Provider.reinstate": {"user": lambda w: _suspended(w.a, w)},
    "mopse.Provider.revoke_user": {"user": lambda w: w.doctor.public},
    "mopse.Provider.form_team": {"name": same("day"), "speciality": same("cardiology")},
    "mopse.Provider.join_team": {"team": same("night"), "user": lambda w: w.doctor.public},
    "mopse.Provider.share_with_team": {"team": same("night"), "provider": same("a/ward")},
    "mopse.Provider.leave_team": {"team": same("night"), "user": lambda w: w.doctor.public},
    "mopse.Provider.disband_team": {"team": same("night")},
    "mopse.Provider.update": {"id": same("id"), "cloud": lambda w: w.cloud},
    "mopse.Query": {"message": message_of("query")},
    "mopse.Query.from_bytes": {"message": message_of("query")},
    "mopse.Schema": {"fields": same({"bmi": mopse.Field(0, 9)})},
    "mopse.ProposedSchema.__getitem__": {"name": same("age")},
    "mopse.Schema.__getitem__": {"name": same("age")},
    "mopse.Seal": {"message": message_of("seal")},
    "mopse.SealedFile": {"fetched": lambda w: w.sealed._fetched},
    "mopse.SealedFile.from_bytes": {"message": message_of("sealed")},
    "mopse.SealedFile.from_file": {"path": in_file("sealed")},
    "mopse.Upload": {"message": message_of("upload")},
    "mopse.User.accept": {"grant": lambda w: w.shared},
    "mopse.User.open": {"path": lambda _: saved("doctor")},
    "mopse.User.save": {"path": lambda _: str(Path(folder()) / "doctor")},
    "mopse.User.open_file": {"request": lambda w: w.fetch},
    "mopse.attacks.AccessPatterns": {
        "offsets": array(0, 1),
        "entries": array(0),
    },
    "mopse.attacks.AccessPatterns.of_ranges": VALUES,
    "mopse.attacks.Adversary": {
        "value": same("cloud"),
        "names": None,
        "module": None,
        "qualname": None,
        "type": None,
        "start": None,
        "boundary": None,
    },
    "mopse.attacks.Auxiliary": {"counts": same({"age": [1, 2]})},
    "mopse.attacks.Auxiliary.from_table": {"table": lambda _: TABLES["p"], "schema": same(AGES)},
    "mopse.attacks.Auxiliary.joint": {
        "left": same("age"),
        "right": same("weight"),
        "domains": lambda _: (attacks.Domain(10), attacks.Domain(5)),
    },
    "mopse.attacks.Auxiliary.wrong": {"distance": same(0.1)},
    "mopse.attacks.Deployment": {
        "scheme": same(attacks.PLAIN),
        "tables": same(TABLES),
        "schema": same(AGES),
    },
    "mopse.attacks.LoginGuess": {
        "passwords": same([b"x"]),
        "certain": lambda _: np.array([True]),
        "tries": same(1),
    },
    "mopse.attacks.LoginStore": {"form": same("published-md5")},
    "mopse.attacks.LoginStore.enroll": {"user": same("ben")},
    "mopse.attacks.LoginStore.verify": {"user": same("ann"), "password": same("swordfish")},
    "mopse.attacks.StolenLogins": {
        "form": same("published-md5"),
        "users": same(["ann"]),
        "stored": same(["00"]),
        "keys": same({}),
    },
    "mopse.attacks.fallen": {
        "guess": lambda _: attacks.guess_logins(logins().steal(), ["swordfish"]),
        "truth": same(["swordfish"]),
    },
    "mopse.attacks.guess_logins": {
        "stolen": lambda _: logins().steal(),
        "words": same(["swordfish"]),
    },
    "mopse.attacks.match_chunks": {
        "ciphertext": same(REENCRYPTED.ciphertext),
        "candidates": same([b"text"]),
    },
    "mopse.attacks.read_by_norm": {"ciphertext": same(REENCRYPTED.ciphertext)},
    "mopse.attacks.read_from_chunk": {
        "ciphertext": same(REENCRYPTED.ciphertext),
        "position": same(0),
        "chunk": same(b"text"),
    },
    "mopse.attacks.read_with_escrow": {
        "ciphertext": same(REENCRYPTED.ciphertext),
        "capsule": same(REENCRYPTED.capsule),
        "secret": same(REENCRYPTED.owner.secret),
    },
    "mopse.attacks.read_with_kept": {
        "ciphertext": same(REENCRYPTED.ciphertext),
        "kept": same(REENCRYPTED.released),
        "secret": same(REENCRYPTED.user.secret),
    },
    "mopse.attacks.read_with_reencryption_key": {
        "ciphertext": same(REENCRYPTED.ciphertext),
        "capsule": same(REENCRYPTED.capsule),
        "key": same(REENCRYPTED.server.reencryption_key("ann", "ben")),
        "secret": same(REENCRYPTED.user.secret),
    },
    "mopse.attacks.rank_share": {"guesses": same(5)},
    "mopse.attacks.Deployment.ask": {"ranges": same({"age": (0, 4)})},
    "mopse.attacks.Deployment.delete": {"ids": same({})},
    "mopse.attacks.Deployment.opened": {"provider": same("p")},
    "mopse.attacks.Deployment.update": {"tables": lambda _: {"p": TABLES["p"].head(1)}},
    "mopse.attacks.Deployment.view": {"adversary": same("cloud")},
    "mopse.attacks.Domain.cell_masses": {"distribution": array(*[0.1] * 10)},
    "mopse.attacks.Domain.likeliest": {"distribution": array(*[0.1] * 10)},
    "mopse.attacks.Guess": VALUES,
    "mopse.attacks.Index": {"records": array(0, 1, 2), "ciphertexts": array(1, 2, 3)},
    "mopse.attacks.Insider": {"spans": same({}), "own": same({})},
    "mopse.attacks.Marks": {
        "ruler_key": same(KEY),
        "mark_key": same(OTHER_KEY),
        "domain": same(10),
    },
    "mopse.attacks.Marks.encrypt": {"plaintexts": array(1, 2, 3)},
    "mopse.attacks.ObservedSeal": {
        "sender": same(0),
        "number": same(1),
        "tables": lambda _: {"age": np.zeros((3, 2), np.uint64)},
    },
    "mopse.attacks.ObservedToken": {"query": same(1), "bounds": same({"age": (0, 5)})},
    "mopse.attacks.Posterior": {"classes": array(0, 0), "masses": lambda _: np.full((1, 10), 0.1)},
    "mopse.attacks.Replaced": {"records": array(0), "ciphertexts": lambda _: np.array([[1, 2]])},
    "mopse.attacks.View": {
        "adversary": same(attacks.Adversary.CLOUD),
        "domains": same({"x": attacks.Domain(10)}),
        "indexes": same({"x": []}),
    },
    "mopse.attacks.View.alone": {"sender": same(0)},
    "mopse.attacks.View.snapshot": {"plaintexts": same(5)},
    "mopse.attacks.approx_value": {},
    "mopse.attacks.assignment": {"view": lambda _: view("snapshot", attacks.DETERMINISTIC)},
    "mopse.attacks.blind": {"tolerances": same([1])},
    "mopse.attacks.by_copies": {"known": array(5, 6), "values": array(1, 2)},
    "mopse.attacks.candidates": {"known": array(1, 3), "values": array(1, 2)},
    "mopse.attacks.class_recovery": {"classes": array(0, 0, 1)},
    "mopse.attacks.correlated": {
        "beside": same("weight"),
        "view": lambda _: view("snapshot", attacks.DETERMINISTIC),
    },
    "mopse.attacks.ordered_posterior": {"view": lambda _: view("snapshot", attacks.DETERMINISTIC)},
    "mopse.attacks.cumulative": {"view": lambda _: view("snapshot", attacks.DETERMINISTIC)},
    "mopse.attacks.distance": {"low": same(1), "high": same(2)},
    "mopse.attacks.expected_candidates": {"known": same(2)},
    "mopse.attacks.expected_density": {"n": same(5)},
    "mopse.attacks.expected_rank_recovery": {"n": same(5)},
    "mopse.attacks.frequency": {"view": lambda _: view("snapshot", attacks.DETERMINISTIC)},
    "mopse.attacks.information": {"range_size": same(100)},
    "mopse.attacks.labelled": {"view": lambda _: view("user+cloud")},
    "mopse.attacks.limit_window_advantage": {"b": same(1.0)},
    "mopse.attacks.linkage": {"classes": array(0, 0, 1)},
    "mopse.attacks.locate": {"view": lambda _: view("provider+snapshot")},
    "mopse.attacks.locate_between_marks": {"views": lambda _: [view("provider+snapshot")]},
    "mopse.attacks.monotone_cumulative": {
        "view": lambda _: view("snapshot", attacks.DETERMINISTIC)
    },
    "mopse.attacks.multinomial": {"view": lambda _: view("snapshot", attacks.DETERMINISTIC)},
    "mopse.attacks.non_crossing": {"view": lambda _: view("snapshot", attacks.DETERMINISTIC)},
    "mopse.attacks.reflected": {"guess": lambda _: attacks.Guess(np.array([1, 2]))},
    "mopse.attacks.score": {"guess": lambda _: attacks.Guess(np.array([1, 2, 3]))},
    "mopse.attacks.sorting": {"view": lambda _: view("snapshot", attacks.DETERMINISTIC)},
    "mopse.attacks.subtree_share": {"fan_out": same(2), "height": same(2), "level": same(1)},
    "mopse.attacks.summary": {
        "table": lambda _: attacks.score(
            attacks.Guess(np.array([1, 2, 3])),
            np.array([1, 2, 3]),
            attacks.Domain(10),
            np.array([0, 0, 1]),
        ),
        "by": same(["metric"]),
        "clusters": same(["provider"]),
        "resamples": same(10),
    },
    "mopse.attacks.total_variation": {"left": same([1, 1]), "right": same([1, 0])},
    "mopse.attacks.widest_gaps": {"ciphertexts": array(1, 5, 9), "classes": same(2)},
    "mopse.attacks.window_advantage": {"range_size": same(100)},
    "mopse.ciphers.Algorithm": {
        "key_bytes": same((1, 2)),
        "nonce_bytes": same(1),
        "tag_bytes": same(1),
        "block_bytes": same(1),
        "longest_bytes": same(1),
    },
    "mopse.ciphers.Cipher": {"name": same("aes-256-gcm")},
    "mopse.ciphers.Cipher.decrypt": {"message": lambda w: w.cipher.encrypt(b"x")},
    "mopse.ciphers.Cipher.decrypt_into": {
        "message": lambda w: w.cipher.encrypt(b"x"),
        "plaintext": lambda _: bytearray(9),
    },
    "mopse.ciphers.Cipher.encrypt_into": {
        "message": lambda w: bytearray(w.cipher.message_bytes(4))
    },
    "mopse.ciphers.Cipher.message_bytes": {"plaintext_bytes": same(5)},
    "mopse.ciphers.algorithm": {"name": same("aes-256-gcm")},
    "mopse.ciphers.decrypt": {
        "name": same("aes-256-gcm"),
        "message": lambda w: w.cipher.encrypt(b"x"),
    },
    "mopse.ciphers.encrypt": {"name": same("aes-256-gcm")},
    "mopse.ciphers.legacy.LegacyCipher": {"name": same("des-cbc"), "key": same(KEY[:8])},
    "mopse.ciphers.legacy.LegacyCipher.decrypt": {
        "message": lambda w: w.legacy_cipher.encrypt(b"x")
    },
    "mopse.ciphers.legacy.LegacyCipher.decrypt_into": {
        "message": lambda w: w.legacy_cipher.encrypt(b"x"),
        "plaintext": lambda _: bytearray(9),
    },
    "mopse.ciphers.legacy.LegacyCipher.encrypt_into": {
        "message": lambda w: bytearray(w.legacy_cipher.message_bytes(4))
    },
    "mopse.ciphers.legacy.LegacyCipher.message_bytes": {"plaintext_bytes": same(5)},
    "mopse.ciphers.legacy.algorithm": {"name": same("des-cbc")},
    "mopse.ciphers.legacy.decrypt": {
        "name": same("des-cbc"),
        "key": same(KEY[:8]),
        "message": lambda w: w.legacy_cipher.encrypt(b"x"),
    },
    "mopse.ciphers.legacy.encrypt": {"name": same("des-cbc"), "key": same(KEY[:8])},
    "mopse.ciphers.legacy.generate_key": {"name": same("des-cbc")},
    "mopse.ciphers.legacy.join_credential": {"chunks": same(CHUNKS), "keys": same(CHUNK_KEYS)},
    "mopse.ciphers.legacy.pbe_decrypt": {
        "sealed": lambda _: legacy.pbe_encrypt(PASSWORD, b"x", 10)
    },
    "mopse.ciphers.legacy.pbe_derive": {"salt": same(b"12345678")},
    "mopse.ciphers.legacy.rsa_decrypt_blocks": {
        "sealed": lambda _: legacy.rsa_encrypt_blocks(private_key().public, b"x")
    },
    "mopse.ciphers.legacy.search_des_key": {
        "chunk": same(CHUNKS[0]),
        "chunk_bytes": same(3),
        "known": same(CHUNK_KEYS[0]),
        "unknown_bits": same(4),
    },
    "mopse.ciphers.legacy.split_credential": {
        "credential": same(b"twelve bytes"),
        "keys": same(CHUNK_KEYS),
    },
    "mopse.cli.main": {"arguments": lambda _: ["labs", "--out", folder(), NOTEBOOK_FILE]},
    "mopse.datasets.card": {"name": same("nhanes-2017-2018")},
    "mopse.datasets.load": {"name": same("nhanes-2017-2018")},
    "mopse.datasets.providers": {"df": lambda _: POINTS, "n": same(2)},
    "mopse.datasets.synthetic": {"n": same(3), "like": lambda _: TABLES["p"]},
    "mopse.evaluate.Block": {"about": same({"n": 1}), "prepare": same(dict)},
    "mopse.evaluate.Experiment": {
        "room": same("security"),
        "measure": same(dict),
        "draw": same(dict),
        "fast": same({}),
    },
    "mopse.evaluate.Watch": {"rows": lambda _: []},
    "mopse.evaluate.Watch.step": {"party": same("p")},
    "mopse.evaluate.growth": {"table": lambda _: TIMES, "x": same("n"), "resamples": same(10)},
    "mopse.evaluate.medians": {"table": lambda _: TIMES, "by": same(["n"])},
    "mopse.evaluate.record": {
        "blocks": lambda _: [evaluate.Block({"n": 1}, lambda: {"s": lambda _: None})],
        "patience_s": same(0.0),
        "repeats": same(1),
    },
    "mopse.evaluate.run": {
        "out": lambda _: folder(),
        "only": same(["storage"]),
        "fast": same(True),
    },
    "mopse.evaluate.seconds": {"call": same(max), "arguments": same([1])},
    "mopse.evaluate.tree": {"providers": same(5)},
    "mopse.evaluate.performance.Contender": {"encrypt": same(bytes), "decrypt": same(bytes)},
    "mopse.evaluate.performance.excess": {"counts": array(1, 2, 3)},
    "mopse.evaluate.performance.beside_openssl": {"repeats": same(1)},
    "mopse.evaluate.performance.copying": {"size_bytes": same(5000), "repeats": same(1)},
    "mopse.evaluate.performance.files": {
        "entrants": lambda _: [performance.Contender("c", bytes, bytes)],
        "repeats": same(1),
    },
    "mopse.evaluate.performance.gain": {"table": lambda _: recorded("user_query")},
    "mopse.evaluate.performance.overhead": {"table": lambda _: recorded("stores")},
    "mopse.evaluate.performance.draw_gain": {"table": lambda _: recorded("user_query")},
    "mopse.evaluate.performance.draw_proofs_by_providers": {"table": lambda _: recorded("proofs")},
    "mopse.evaluate.security.draw_calibration": {"table": lambda _: recorded("security_snapshots")},
    "mopse.evaluate.performance.storage": {"providers": same(2)},
    "mopse.evaluate.security.draw_boundaries": {
        "table": lambda _: recorded("security_queries"),
        "plaintexts": same(81),
    },
    "mopse.evaluate.security.draw_linked": {
        "table": lambda _: recorded("security_linked"),
        "plaintexts": same(81),
    },
    "mopse.evaluate.security.logins": {
        "words": same((2,)),
        "users": same(2),
        "slow_words": same(1),
        "slow_users": same(1),
        "costs": same(((1, 1),)),
        "unknown_bits": same(4),
    },
    "mopse.evaluate.security.logins_in_a_day": {"table": lambda _: recorded("security_logins")},
    "mopse.evaluate.security.draw_subtrees": {
        "table": lambda _: recorded("security_subtrees"),
        "fan_out": same(3),
        "height": same(2),
    },
    "mopse.evaluate.security.draw_knowledge": {
        "table": lambda _: recorded("security_knowledge"),
        "field": same("age"),
    },
    "mopse.files.content": {},
    "mopse.files.decrypt": {"source": lambda _: mopse.files.encrypt(b"text", key=KEY)},
    "mopse.labs.make": {"notebooks": same([]), "out": lambda _: folder()},
    "mopse.labs.student_version": {"solution": same(NOTEBOOK)},
    "mopse.leakage.accepted": {"fields": same(["age"])},
    "mopse.leakage.warn_of": {"indexed": same([]), "fields": same(())},
    "mopse.merge": {"runs": same([[1, 2], [3]])},
    "mopse.messages.Count": {"proof": lambda w: w.count._proof},
    "mopse.messages.Count.from_bytes": {"message": message_of("count")},
    "mopse.messages.Receipt": {
        "added": same(0),
        "replaced": same(0),
        "removed": same(0),
        "repeated": same(False),
    },
    "mopse.messages.Permission": {"message": message_of("permission")},
    "mopse.messages.Removal": {"message": message_of("removal")},
    "mopse.messages.Statement": {"message": message_of("statement")},
    "mopse.messages.Renewed": {"renewed": same(1), "superseded": same(0)},
    "mopse.messages.as_message": {"message": same(b"x"), "what": same("a thing")},
    "mopse.messages.stored_number": {"written": same("0" * 32)},
    "mopse.passwords.decrypt": {"sealed": lambda _: sealed_under_password()},
    "mopse.passwords.encrypt": {"kdf": same("argon2id")},
    "mopse.passwords.verify": {"stored": lambda _: mopse.passwords.hash(PASSWORD)},
    "mopse.specimens.words": {"count": same(3)},
    "mopse.plot.Figure": {"x": same("x"), "y": same("y")},
    "mopse.plot.Figure.band": INTERVAL,
    "mopse.plot.Figure.bars": {"left": array(0, 1), "right": array(1, 2), "height": array(1, 2)},
    "mopse.plot.Figure.heat": {
        "x_edges": array(0, 1, 2),
        "y_edges": array(0, 1, 2),
        "values": lambda _: np.ones((2, 2)),
        "label": same("l"),
    },
    "mopse.plot.Figure.intervals": INTERVAL,
    "mopse.plot.Figure.level": {"y": same(1.0)},
    "mopse.plot.Figure.note": {"x": same(1.0), "y": same(1.0), "text": same("t")},
    "mopse.plot.Figure.upright": {"x": same(1.0)},
    "mopse.plot.Figure.save": {"path": lambda _: str(Path(folder()) / "f.svg")},
    "mopse.plot.grid": {"figures": lambda _: [plot.Figure(x="x", y="y").line([1, 2], [3, 4])]},
    "mopse.rsa.PrivateKey.decrypt": {"sealed": lambda _: private_key().public.encrypt(b"x")},
    "mopse.rsa.PrivateKey.from_pem": {"pem": lambda _: private_key().to_pem()},
    "mopse.rsa.PrivateKey.generate": {"bits": same(2048)},
    "mopse.rsa.PublicKey.from_pem": {"pem": lambda _: private_key().public.to_pem()},
    "mopse.secret_sharing.join": {
        "shares": lambda _: dict(
            zip([KEY, OTHER_KEY], secret_sharing.split(b"x", 2, [KEY, OTHER_KEY]), strict=True)
        )
    },
    "mopse.secret_sharing.split": {"secret": same(b"secret"), "threshold": same(2)},
    "mopse.User.forget_request": {"request": lambda w: w.asked().number},
    "mopse.User.read_decision": {"decision": lambda w: w.decided()},
    "mopse.User.request": {"address": lambda w: w.owner.address()},
    "mopse.Owner.delegate": {
        "user": lambda w: w.doctor.public,
        "ranges": same({"age": (1, 5)}),
        "more_ranges": same((100, 120)),
    },
    "mopse.Provider.delegate": {
        "user": lambda w: w.doctor.public,
        "ranges": same({"age": (1, 5)}),
        "more_ranges": same((100, 120)),
    },
    "mopse.User.query": {
        "ranges": same({"age": (1, 5)}),
        "more_ranges": same((100, 120)),
        "right": None,
    },
    "mopse.User.ask": {"query": lambda w: w.query, "more_ranges": None},
    "mopse.attacks.Deployment.holder": {
        "ranges": same({"age": (1, 5)}),
        "more_ranges": None,
    },
    "mopse.User.withdraw": {"request": lambda w: w.asked().number},
    "mopse.attacks.release_readers": {
        "owner": lambda w: w.owner,
        "ids": same([1]),
    },
    "mopse.attacks.reidentify": {
        "released": same({"research.age": [40, 50], "phone": ["1", "2"]}),
        "auxiliary": same(ROWS),
        "schema": same(RESEARCH),
        "portion": same("research"),
    },
    "mopse.attacks.unshift": {
        "released": same({"who": ["a"], "seen": [datetime.date(2020, 1, 1)]}),
        "by": same("who"),
        "dates": same("seen"),
        "at": same(0),
        "known": same(datetime.date(2020, 1, 2)),
    },
    "mopse.sharing.coarsen": {"to": same(10)},
    "mopse.sharing.deidentified": {
        "columns": same({"age": sharing.keep()}),
        "more_columns": same(sharing.keep()),
    },
    "mopse.sharing.portions_of": {"role": same("family")},
    "mopse.sharing.reidentification": {"schema": same(RESEARCH), "portion": same("research")},
    "mopse.sharing.AccessRequest": {"number": same("0" * 32), "message": same(b"x")},
    "mopse.sharing.EmergencyArrangement": {
        "owner": lambda w: w.owner.key,
        "provider": same("a"),
        "portions": same(("rest",)),
        "threshold": same(2),
        "trustees": same(3),
        "made": same(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)),
        "ends": same(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)),
        "keys": same(KEY),
        "number": same(bytes(16)),
        "shares": same((b"x",)),
    },
    "mopse.sharing.EmergencyArrangement.about": {"record": same(1), "reason": same("a reason")},
    "mopse.sharing.EmergencyArrangement.from_share": {"share": lambda w: w.arranged.shares[0]},
    "mopse.sharing.EmergencyArrangement.is_current": {"party": lambda w: w.owner},
    "mopse.sharing.arrange_emergency": {"party": lambda w: w.owner, "ids": same([1])},
    "mopse.sharing.open_in_emergency": {
        "shares": lambda w: dict(zip([KEY, OTHER_KEY], w.arranged.shares, strict=True)),
        "party": lambda w: w.owner,
        "record": same(1),
        "reason": same("a reason"),
    },
    "mopse.sharing.Checkpoint": {"message": message_of("checkpoint")},
    "mopse.sharing.Decision": {"is_approved": same(True), "reason": same("")},
    "mopse.sharing.Witness.compare": {"other": lambda w: w.checkpoint, "party": lambda w: w.owner},
    "mopse.sharing.Witness.entries": {"owner": lambda w: w.owner},
    "mopse.sharing.Witness.open": {"path": lambda w: _seen(w)},
    "mopse.sharing.Witness.save": {"path": lambda _: str(Path(folder()) / "seen")},
    "mopse.sharing.Witness.watch": {"party": lambda w: w.owner},
    "mopse.sharing.check_log": {"path": lambda w: _audited(w)},
    "mopse.sharing.reencryption.Keys": {"secret": same(KEY)},
    "mopse.sharing.reencryption.Keys.from_role": {
        "member": lambda w: w.doctor,
        "handed": lambda w: READER.hand(w.doctor.public),
    },
    "mopse.sharing.reencryption.Keys.hand": {"member": lambda w: w.doctor.public},
    "mopse.sharing.reencryption.Keys.open": {
        "envelope": lambda w: wrapped(w)[0],
        "released": released,
    },
    "mopse.sharing.reencryption.Proxy.forget": {"user": same(READER.name)},
    "mopse.sharing.reencryption.Proxy.receive": {"key": lambda w: wrapped(w)[1]},
    "mopse.sharing.reencryption.Proxy.release": {
        "envelope": lambda w: wrapped(w)[0],
        "user": same(READER.name),
    },
    "mopse.sharing.reencryption.Label": {
        **{"owner": same(KEY), "provider": same("a"), "portion": same("rest"), "epoch": same(0)},
    },
    "mopse.sharing.reencryption.epochs": {"party": lambda w: w.owner, "provider": same("a")},
    "mopse.sharing.reencryption.label_of": {"envelope": lambda w: wrapped(w)[0]},
    "mopse.sharing.reencryption.reencryption_key": {
        **{"party": lambda w: w.owner, "provider": same("a"), "portion": same("rest")},
        "public": same(READER.public),
    },
    "mopse.sharing.reencryption.wrap": {
        **{"party": lambda w: w.owner, "provider": same("a"), "portion": same("rest")},
    },
    "mopse.sharing.reencryption.published.Keys.decrypt": {
        "ciphertext": same(REENCRYPTED.ciphertext),
        "released": same(REENCRYPTED.released),
    },
    "mopse.sharing.reencryption.published.Keys.decrypt_own": dict(
        zip(
            ("ciphertext", "capsule"),
            map(same, REENCRYPTED.user.encrypt("visit", "medical", b"text")),
            strict=True,
        )
    ),
    "mopse.sharing.reencryption.published.Keys.encrypt": {
        "file": same("visit"),
        "portion": same("medical"),
    },
    "mopse.sharing.reencryption.published.Server.approve": {
        **{"owner": same("ann"), "user": same("ben"), "portions": same(["insurance"])},
    },
    "mopse.sharing.reencryption.published.Server.enroll": {"name": same("eve")},
    "mopse.sharing.reencryption.published.Server.escrow": {"name": same("ann")},
    "mopse.sharing.reencryption.published.Server.join": {
        "name": same("eve"),
        "role": same("insurer"),
    },
    "mopse.sharing.reencryption.published.Server.leave": {"user": same("ben")},
    "mopse.sharing.reencryption.published.Server.receive": {
        "owner": same("ann"),
        "capsule": same(REENCRYPTED.owner.encrypt("later", "medical", b"x")[1]),
    },
    "mopse.sharing.reencryption.published.Server.reencryption_key": {
        **{"owner": same("ann"), "user": same("ben")},
    },
    "mopse.sharing.reencryption.published.Server.release": {
        **{"owner": same("ann"), "file": same("visit"), "portion": same("medical")},
        "user": same("ben"),
    },
    "mopse.sharing.statement": {
        "party": lambda w: w.owner,
        "what": same("grant"),
        "about": same(b"a grant"),
    },
    "mopse.stores.Announcement.decode": {"message": lambda w: w.announcement.message},
    "mopse.stores.Announcement.follows": {"known": lambda w: w.announcement},
    "mopse.stores.Attachment.decode": {"message": message_of("attached")},
    "mopse.stores.Attachment.deed": {"message": message_of("attached")},
    "mopse.stores.DuckDBStore": {"path": lambda _: str(Path(folder()) / "s.duckdb")},
    "mopse.stores.DuckDBStore.add": {"message": message_of("upload")},
    "mopse.stores.DuckDBStore.add_base": {"base": same(5)},
    "mopse.stores.DuckDBStore.add_file": {
        "missing": same([]),
        "message": message_of("unsent"),
        "attachment": lambda w: stores.Attachment.decode(bytes(w.unsent)),
    },
    "mopse.stores.DuckDBStore.add_spooled": {
        "missing": same([]),
        "deed": same(b"deed"),
        "spool": lambda w: w.in_file.spool(),
        "attachment": lambda w: stores.Attachment.decode(bytes(w.unsent)),
    },
    "mopse.stores.DuckDBStore.enroll": {"announcements": lambda w: [w.announcement]},
    "mopse.stores.DuckDBStore.repeated": {
        "number": same(5),
        "digest": of("digest"),
        "provider": same("b"),
    },
    "mopse.stores.DuckDBStore.put": {"piece": lambda w: w.stored_piece, "now": same(5)},
    "mopse.stores.DuckDBStore.chunks": {"digest": of("digest")},
    "mopse.stores.DuckDBStore.body": {"digest": of("digest")},
    "mopse.stores.DuckDBStore.forget": {"digest": of("digest")},
    "mopse.stores.DuckDBStore.files_of": {"handles": same([5])},
    "mopse.stores.DuckDBStore.labels": {"labels": same([5])},
    "mopse.stores.DuckDBStore.remove": {"removal": same(None), "provider": same("b")},
    "mopse.stores.DuckDBStore.count": {"query": lambda w: stores.Query.decode(bytes(w.query))},
    "mopse.stores.DuckDBStore.search": {"query": lambda w: stores.Query.decode(bytes(w.query))},
    "mopse.stores.DuckDBStore.all_files": {"provider": same("b")},
    "mopse.stores.DuckDBStore.sealed_files": {"provider": same("b")},
    "mopse.stores.DuckDBStore.sealing": {"known": same([]), "provider": same("b")},
    "mopse.stores.DuckDBStore.sealed_rows": {"field": same("age"), "provider": same("b")},
    "mopse.stores.DuckDBStore.seal": {
        "seal": lambda w: w.stored_seal,
        "message": message_of("seal"),
    },
    "mopse.stores.DuckDBStore.search_sealed": {
        "query": lambda w: stores.Query.decode(bytes(w.query)),
        "known": same([]),
    },
    "mopse.stores.DuckDBStore.export": {"folder": lambda _: folder()},
    "mopse.stores.PostgresStore": {"address": lambda _: postgres().database()},
    "mopse.stores.PostgresStore.add": {"message": message_of("upload")},
    "mopse.stores.PostgresStore.add_base": {"base": same(5)},
    "mopse.stores.PostgresStore.add_file": {
        "missing": same([]),
        "message": message_of("unsent"),
        "attachment": lambda w: stores.Attachment.decode(bytes(w.unsent)),
    },
    "mopse.stores.PostgresStore.add_spooled": {
        "missing": same([]),
        "deed": same(b"deed"),
        "spool": lambda w: w.in_database.spool(),
        "attachment": lambda w: stores.Attachment.decode(bytes(w.unsent)),
    },
    "mopse.stores.PostgresStore.enroll": {"announcements": lambda w: [w.announcement]},
    "mopse.stores.PostgresStore.repeated": {
        "number": same(5),
        "digest": of("digest"),
        "provider": same("b"),
    },
    "mopse.stores.PostgresStore.put": {"piece": lambda w: w.stored_piece, "now": same(5)},
    "mopse.stores.PostgresStore.chunks": {"digest": of("digest")},
    "mopse.stores.PostgresStore.body": {"digest": of("digest")},
    "mopse.stores.PostgresStore.forget": {"digest": of("digest")},
    "mopse.stores.PostgresStore.files_of": {"handles": same([5])},
    "mopse.stores.PostgresStore.labels": {"labels": same([5])},
    "mopse.stores.PostgresStore.remove": {"removal": same(None), "provider": same("b")},
    "mopse.stores.PostgresStore.count": {"query": lambda w: stores.Query.decode(bytes(w.query))},
    "mopse.stores.PostgresStore.search": {"query": lambda w: stores.Query.decode(bytes(w.query))},
    "mopse.stores.PostgresStore.all_files": {"provider": same("b")},
    "mopse.stores.PostgresStore.sealed_files": {"provider": same("b")},
    "mopse.stores.PostgresStore.sealing": {"known": same([]), "provider": same("b")},
    "mopse.stores.PostgresStore.sealed_rows": {"field": same("age"), "provider": same("b")},
    "mopse.stores.PostgresStore.seal": {
        "seal": lambda w: w.stored_seal,
        "message": message_of("seal"),
    },
    "mopse.stores.PostgresStore.search_sealed": {
        "query": lambda w: stores.Query.decode(bytes(w.query)),
        "known": same([]),
    },
    "mopse.stores.PostgresStore.export": {"folder": lambda _: folder()},
    "mopse.stores.MemoryStore.add": {"message": message_of("upload")},
    "mopse.stores.MemoryStore.add_base": {"base": same(5)},
    "mopse.stores.MemoryStore.add_file": {
        "missing": same([]),
        "message": message_of("unsent"),
        "attachment": lambda w: stores.Attachment.decode(bytes(w.unsent)),
    },
    "mopse.stores.MemoryStore.enroll": {"announcements": lambda w: [w.announcement]},
    "mopse.stores.MemoryStore.repeated": {
        "number": same(5),
        "digest": of("digest"),
        "provider": same("b"),
    },
    "mopse.stores.MemoryStore.put": {"piece": lambda w: w.stored_piece, "now": same(5)},
    "mopse.stores.MemoryStore.chunks": {"digest": of("digest")},
    "mopse.stores.MemoryStore.body": {"digest": of("digest")},
    "mopse.stores.MemoryStore.forget": {"digest": of("digest")},
    "mopse.stores.MemoryStore.files_of": {"handles": same([5])},
    "mopse.stores.MemoryStore.labels": {"labels": same([5])},
    "mopse.stores.MemoryStore.remove": {"removal": same(None), "provider": same("b")},
    "mopse.stores.MemoryStore.count": {"query": lambda w: stores.Query.decode(bytes(w.query))},
    "mopse.stores.MemoryStore.search": {"query": lambda w: stores.Query.decode(bytes(w.query))},
    "mopse.stores.Part": {
        "token": same(0),
        "snapshot": same(1),
        "page": same(0),
        "is_last": same(True),
        "upload": same(5),
        "removed": same([]),
    },
    "mopse.stores.Part.decode": {"message": lambda w: w.part.encode()},
    "mopse.stores.Part.nothing": {"token": same(0), "snapshot": same(1)},
    "mopse.stores.Piece.decode": {"message": lambda w: w.piece},
    "mopse.stores.Query.decode": {"message": message_of("query")},
    "mopse.stores.Seal.check_files": {
        "files": lambda w: w.in_file.all_files(w.owner.key, "a", w.stored.epochs)
    },
    "mopse.stores.Seal.check_next": {"last": same(None), "removed": same(None)},
    "mopse.stores.Seal.check_rows": {
        "last": same(None),
        "gone": same([]),
        "since": lambda w: [w.stored],
    },
    "mopse.stores.Seal.decode": {"message": message_of("seal")},
    "mopse.stores.Seal.slots": {"field": same("age")},
    "mopse.stores.StoredUpload.evidence": {"message": message_of("upload")},
    "mopse.stores.Removal.decode": {"message": message_of("removal")},
    "mopse.stores.StoredFile": {"handle": same(5), "description": same(b"x"), "body": same(None)},
    "mopse.stores.StoredUpload": {"number": same(5), "schema": lambda w: w.stored.schema},
    "mopse.stores.StoredUpload.decode": {"message": message_of("upload")},
    "mopse.service.application": {
        "log": lambda _: str(Path(folder()) / "requests.jsonl"),
        "owners": lambda w: [w.owner.key],
    },
    "mopse.service.serve": {"limits": same(service.Limits()), "owners": lambda w: [w.owner.key]},
    "mopse.stores.opened_store": {"path": lambda _: str(Path(folder()) / "s.duckdb")},
    "mopse.stores.tombstone": {"upload": same(5), "handle": same(6)},
}
"""Right values of the parameters of one call, where those above and defaults are none."""


@functools.cache
def sealed_under_password() -> bytes:
    return passwords.encrypt(PASSWORD, b"x", kdf="pbkdf2-sha256")


for _experiment in evaluate.EXPERIMENTS.values():
    _room = performance if _experiment.room == "performance" else security
    for _name in _room.__all__:
        _call = f"{_room.__name__}.{_name}"
        if getattr(_room, _name) is _experiment.measure:
            BY_CALL[_call] = {key: same(value) for key, value in _experiment.fast.items()}
            if "seeds" in BY_CALL[_call]:
                BY_CALL[_call]["seeds"] = same((1,))
        elif getattr(_room, _name) is _experiment.draw:
            BY_CALL.setdefault(_call, {"table": lambda _, name=_experiment.name: recorded(name)})
for _name in ("bars", "lines", "scatter", "steps", "histogram", "heatmap"):
    BY_CALL[f"mopse.plot.{_name}"] = {
        "table": lambda _: POINTS,
        "x": same("at"),
        "y": same("height"),
        "value": same("records"),
    }
BY_CALL["mopse.plot.heatmap"] |= {"table": lambda _: PAIRS, "x": same("one"), "y": same("two")}


def right(call: Call, parameter: inspect.Parameter) -> Right:
    """Return what makes a right value of a parameter of a call."""
    special = BY_CALL.get(call.name, {})
    if parameter.name in special:
        return special[parameter.name]
    if parameter.default is not inspect.Parameter.empty:
        return same(parameter.default)
    return BY_NAME[parameter.name]


def made(call: Call, world: World, **others: Callable[[], Any]) -> Callable[[], Any]:
    """Return a call with right values for all of its parameters, but for some given others.

    What is returned does it; all values are made before.
    """
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in call.parameters:
        maker = right(call, parameter)
        if parameter.name in others:
            value = others[parameter.name]()
        elif maker is None:
            continue
        else:
            value = maker(world)
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        elif parameter.kind is parameter.VAR_KEYWORD:
            named["sbp" if "ranges" in parameter.name else "pulse"] = value
        else:
            positional.append(value)
    one = None
    if call.owner is not None:
        one = INSTANCES[next(name for name, cls in PUBLIC.items() if cls is call.owner)](world)
    return functools.partial(call.get(one), *positional, **named)


def example(name: str, world: World) -> Any:
    """Return an object of a public class, by the name of the class."""
    if name in INSTANCES:
        return INSTANCES[name](world)
    if issubclass(PUBLIC[name], BaseException):
        return PUBLIC[name]("one", "two")
    decoded = {"Query": world.query, "Removal": world.removal}
    short = name.rpartition(".")[2]
    if name.startswith("mopse.stores.") and short in decoded:
        return PUBLIC[name].decode(bytes(decoded[short]))
    if name == "mopse.stores.Token":
        return world.query.tokens[0]
    return made(calls()[name], world)()
