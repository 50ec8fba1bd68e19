"""Every message, computed a second time: what the package writes, byte for byte."""

import datetime
import hashlib
import json
import time
from typing import Any

import polars as pl
import pytest
import reference
import reference_messages as second
from reference_messages import FIRST, Place

import mopse
from mopse import Cloud, Field, Owner, Query, Schema, User
from mopse.errors import DecryptionError
from mopse.messages import Answer

SEED = 20
NOW = 1_800_000_000
HOUR = 3600
AGE = {"kind": "number", "minimum": "0", "maximum": "99", "step": "1", "cell": 4, "categories": []}
SCHEMA = Schema(age=Field(0, 99, cell=4), portions={"clinic": ["note", "dose"], "names": ["name"]})
ROWS = {
    "record": [3, -1, 2],
    "age": [40, 7, None],
    "note": ["stable", "", None],
    "dose": [0.5, None, -0.0],
    "name": ["Ünal", "O", "Smith"],
}
COLUMNS: list[second.Column] = [
    (name, words, kind, ROWS[name])
    for name, words, kind in [
        ("record", "Int64", "int64"),
        ("age", "Int64", "int64"),
        ("note", "String", "text"),
        ("dose", "Float64", "float64"),
        ("name", "String", "text"),
    ]
]
PORTIONS = {name: list(columns) for name, columns in SCHEMA.portions.items()}
AGE_LABEL = reference.field_label(AGE)
OWNER = Place()
DIGEST = hashlib.sha256(reference.schema_bytes([("age", AGE_LABEL)])).digest()


class Second:
    """The story as the second implementation tells it."""

    def __init__(self) -> None:
        self.messages: dict[str, bytes] = {}
        owner = self.owner = second.Party.owner(SEED, DIGEST)
        self.hospital = owner.authorize("hospital")
        owner.authorize("hospital/ward")
        self.keep("first announcements", owner.announcements())
        hospital = self.hospital = owner.authorize("hospital")
        self.keep("certificates", owner.authorize("hospital/ward").certificates())
        made = self.made = self.send(hospital, "upload", COLUMNS)
        self.made_by = hospital
        self.ask("query", "answer", made)
        self.look_up(made)
        of_row = second.handle_of(hospital.key, -1)
        row = [(name, words, kind, values[1:2]) for name, words, kind, values in COLUMNS]
        row[1] = ("age", "Int64", "int64", [8])
        named = {of_row: made.version(of_row)}
        self.draw_for_a_lookup()
        again = self.send(hospital, "update", row, named)
        gone = second.handle_of(hospital.key, 3)
        removed = [
            (hospital.place, sorted([(gone, made.version(gone)), (of_row, again.version(of_row))]))
        ]
        self.draw_for_a_lookup()
        deletion = hospital.upload([], "record", {}, {}, removed=removed)
        self.keep("deletion", deletion.message)
        stone = {gone: second.version(deletion.number, gone)}
        first = [(name, words, kind, values[:1]) for name, words, kind, values in COLUMNS]
        self.draw_for_a_lookup()
        self.send(hospital, "addition after a deletion", first, stone)
        self.grants()
        self.keep("removal", owner.removal(hospital.place))
        owner.renew_readers("")
        self.keep("announcements after a reader left", owner.announcements())
        hospital.number(b"request")  # whoever catches up asks for notes of attachments too
        hospital.stamp, hospital.readers = owner.of(Place()).stamp(), list(self.readers)
        self.send(hospital, "upload for new readers", COLUMNS)
        self.keep("grant of two readers' epochs", owner.grant(self.hospital.place, self.readers))
        owner.authorize("clinic")
        owner.revoke("clinic")
        self.keep("announcements after a revocation", owner.announcements())
        self.hospital = owner.authorize("hospital")
        self.send(self.hospital, "upload of the new epoch", COLUMNS)

    @property
    def readers(self) -> list[second.Epoch]:
        """The readers' epochs of the hospital."""
        return self.owner.of(Place()).readers

    def keep(self, name: str, message: bytes) -> None:
        """Keep a message by its name."""
        assert name not in self.messages
        self.messages[name] = message

    def draw_for_a_lookup(self) -> None:
        """Draw what the owner draws to look records up: numbers of a token and of the query."""
        self.owner.number(b"token")
        self.owner.number(b"query")

    def cuts(self, authority: Place = OWNER) -> list[int]:
        """Return the ruler of the field in a group, in the present epoch of its authority."""
        key, epoch = self.owner.key_of(authority), self.owner.of(authority).epochs[-1]
        key = reference.ruler_key(key, "age", AGE_LABEL, *epoch)
        return reference.ruler_cuts(key, 100, 4)

    def send(
        self,
        provider: second.Party,
        name: str,
        columns: list[second.Column],
        named: dict[int, int] | None = None,
    ) -> second.Made:
        """Keep an upload of some rows."""
        place = reference.child(provider.key, "place", b"age")
        records, ages = columns[0][3], columns[1][3]
        entries = [
            (reference.mopse_entry(self.cuts(), 4, place, age, of), row)
            for row, age in enumerate(ages)
            if age is not None
            for of in [second.handle_of(provider.key, records[row])]
        ]
        made = provider.upload(columns, "record", PORTIONS, {"age": entries}, named)
        self.keep(name, made.message)
        return made

    def ask(self, asked: str, answered: str, made: second.Made) -> None:
        """Keep the query for ages from 5 to 9, which touch cells from 4 to 11, and its answer."""
        owner, tokens = self.owner, []
        for place in (Place(), self.hospital.place):
            cuts = self.cuts(place)
            asks = second.ranges([("age", cuts[1], cuts[3] - 1)])
            tokens.append((place, FIRST, owner.of(place).stamp(), None, asks))
        message, number, ids = owner.query(tokens, NOW + HOUR)
        self.keep(asked, message)
        handle = second.handle_of(self.hospital.key, -1)
        parts = [
            second.part(owner.name, ids[0], 1, (0, True), made, [handle]),
            second.part(owner.name, ids[1], 1, (0, True), None, []),
        ]
        self.keep(answered, second.answer(number, parts))

    def look_up(self, made: second.Made) -> None:
        """Keep what the hospital asks to find two of its records."""
        handles = [second.handle_of(self.hospital.key, record) for record in (2, 9)]
        # It is asked of the provider's own group, of which the hospital knows no announcement.
        token = (Place(), FIRST, second.u64(0) + bytes(32), "hospital", second.records(handles))
        self.keep("lookup", self.hospital.query([token], NOW + HOUR)[0])

    def parts(self) -> list[tuple[str, bytes, list[bytes]]]:
        """Return the portions of the record that was asked for, in the first upload."""
        row = self.made.handles.index(second.handle_of(self.made_by.key, -1))
        return [(name, layout, [rows[row]]) for name, layout, rows in self.made.portions]

    def grants(self) -> None:
        """Keep grants of all records, of portions, of single records, and by the provider."""
        place = self.hospital.place
        self.keep("grant of all", self.owner.grant(place, [FIRST]))
        self.keep(
            "grant of portions",
            self.hospital.grant(place, [FIRST], None, ["names", "clinic"], NOW + HOUR),
        )
        every = ["clinic", "names", "rest", "files"]
        self.keep("grant of records", self.owner.grant(place, [FIRST], [3, 2], every))


class First:
    """The story as the package tells it."""

    def __init__(self) -> None:
        self.messages: dict[str, bytes] = {}
        owner = self.owner = Owner.from_insecure_seed(SCHEMA, SEED)
        owner.authorize("hospital")
        owner.authorize("ward", under="hospital")
        self.messages["first announcements"] = owner.public
        cloud = self.cloud = Cloud()
        cloud.enroll(owner.public)
        hospital = self.hospital = owner.authorize("hospital")
        self.messages["certificates"] = owner.authorize("ward", under="hospital").public
        table = pl.DataFrame(ROWS)
        self.send("upload", hospital.encrypt(table, id="record"))
        self.query = owner.query(age=(5, 9))
        self.messages["query"] = bytes(self.query)
        self.messages["answer"] = bytes(cloud.search(self.query))
        self.messages["lookup"] = bytes(hospital.lookup([2, 9]))
        changed = table[1:2].with_columns(age=pl.lit(8, pl.Int64))
        versions = cloud.search(owner.lookup([-1, 3], provider="hospital"))
        self.send("update", hospital.update(changed, id="record", versions=versions))
        versions = cloud.search(owner.lookup([-1, 3], provider="hospital"))
        self.send("deletion", hospital.delete([3, -1], versions=versions))
        versions = cloud.search(owner.lookup([3], provider="hospital"))
        self.send(
            "addition after a deletion",
            hospital.encrypt(table[:1], id="record", versions=versions),
        )
        self.messages["grant of all"] = owner.grant("hospital")
        hour = datetime.timedelta(hours=1)
        self.messages["grant of portions"] = hospital.grant(
            portions=["names", "clinic"], expires_in=hour
        )
        self.messages["grant of records"] = owner.grant("hospital", ids=[3, 2])
        self.messages["removal"] = bytes(owner.removal("hospital"))
        owner.renew_readers()
        self.messages["announcements after a reader left"] = owner.public
        cloud.receive(self.messages["removal"])
        cloud.enroll(owner.public)
        assert hospital.catch_up(cloud)
        self.send("upload for new readers", hospital.encrypt(table, id="record"))
        self.messages["grant of two readers' epochs"] = owner.grant("hospital")
        owner.authorize("clinic")
        owner.revoke("clinic")
        self.messages["announcements after a revocation"] = owner.public
        cloud.enroll(owner.public)
        hospital = owner.authorize("hospital")
        self.send("upload of the new epoch", hospital.encrypt(table, id="record"))

    def send(self, name: str, upload: mopse.Upload) -> None:
        """Keep an upload, which the cloud must take."""
        self.messages[name] = bytes(upload)
        assert not self.cloud.receive(upload).repeated


@pytest.fixture(scope="module")
def messages() -> dict[str, dict[str, bytes]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW)
        return {"first": First().messages, "second": Second().messages}


KEPT = json.loads(second.VECTORS.read_text())["messages"] if second.VECTORS.exists() else {}


@pytest.mark.parametrize("name", KEPT)
def test_a_message_is_what_both_implementations_and_the_vectors_say(messages, name):
    kept = bytes.fromhex(KEPT[name])
    assert messages["second"][name] == kept
    assert messages["first"][name] == kept


def test_every_message_is_kept(messages):
    assert messages["first"].keys() == messages["second"].keys() == KEPT.keys()
    assert SCHEMA.digest == DIGEST


# The pieces


def test_polyval_matches_its_definition():
    # RFC 8452, appendix A.
    key = bytes.fromhex("25629347589242761d31f826ba4b757b")
    blocks = ["4f4f95668c83dfb6401762bb2d01a262", "d1a24ddd2721d006bbe45f20d3c9f362"]
    hashed = second.polyval(key, *map(bytes.fromhex, blocks))
    assert hashed.hex() == "f7a3b47b846119fae5b7866cf5e5b77e"


def test_the_tree_of_a_long_message_is_that_of_its_chunks():
    chunks = [bytes([at]) * 4 for at in range(5)]
    leaf = [hashlib.sha256(b"\0" + chunk).digest() for chunk in chunks]

    def node(a: bytes, b: bytes) -> bytes:
        return hashlib.sha256(b"\1" + a + b).digest()

    root = node(node(node(leaf[0], leaf[1]), node(leaf[2], leaf[3])), leaf[4])
    assert second.tree_root(b"".join(chunks), chunk=4) == root
    assert second.tree_root(b"") == hashlib.sha256(b"\0").digest()


def test_an_upload_of_several_chunks_is_signed_by_its_tree():
    owner = Owner.from_insecure_seed(SCHEMA, SEED)
    hospital = owner.authorize("hospital")
    long = "x" * 3_000_000
    table = pl.DataFrame(ROWS).with_columns(note=pl.Series(["", long, None]))
    message = bytes(hospital.encrypt(table, id="record"))
    chain = second.listed(second.Party.owner(SEED, DIGEST).authorize("hospital").chain)
    body = message[message.index(chain) + len(chain) + 64 :]
    assert len(body) > 3_000_000
    assert second.u64(len(body)) + second.tree_root(body) + chain in message[: -len(body)]


# What the second implementation makes, the package takes


def test_what_the_second_implementation_seals_opens():
    story = Second()
    owner = Owner.from_insecure_seed(SCHEMA, SEED)
    owner.authorize("hospital")
    owner.authorize("ward", under="hospital")
    assert bytes(owner.public) == story.messages["first announcements"]
    cloud = Cloud()
    cloud.enroll(story.messages["first announcements"])
    cloud.receive(story.messages["upload"])
    found = owner.ask(cloud, age=(0, 99)).sort("record")
    assert found["name"].to_list() == ["O", "Ünal"]
    query = owner.query(age=(0, 99))
    names = User(SCHEMA, [owner.grant("hospital", portions=["names"])])
    answer = cloud.search(query)
    only = names.decrypt(answer, query)
    assert sorted(only.columns) == ["name", "provider"]
    assert answer.unchecked == ("age",)
    cloud.receive(story.messages["update"])
    cloud.receive(story.messages["deletion"])
    assert cloud.count(owner.query(age=(0, 99))) == 0


def test_a_tag_of_another_author_is_found():
    story = Second()
    owner = Owner.from_insecure_seed(SCHEMA, SEED)
    owner.authorize("hospital")
    query = Query(story.messages["query"], {"age": (5, 9)})
    answer = story.messages["answer"]
    assert owner.decrypt(Answer.from_bytes(answer), query)["record"].to_list() == [-1]
    [sealed] = [rows[0] for name, _, rows in story.parts() if name == "rest"]
    changed = answer.replace(sealed, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(DecryptionError, match="was not written by its provider"):
        owner.decrypt(Answer.from_bytes(changed), query)


def written() -> dict[str, Any]:
    """Return what the vectors are made of."""
    return {
        "about": "Messages of protocol 2; every one in hex, by what it is. The owner has the seed "
        f"{SEED}; tests/python/test_reference_messages.py tells the story.",
        "source": "tests/python/reference_messages.py",
        "messages": {name: message.hex() for name, message in Second().messages.items()},
    }


def write() -> None:
    """Write the vectors anew, as the second implementation makes them."""
    second.VECTORS.write_text(json.dumps(written(), indent=1) + "\n")
