"""Seals once more, byte for byte, and the sums that prove an answer, from their formulas."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import reference
import reference_messages as second
from dishonest import Told
from reference_messages import FIRST, Place, SealedField, SealedRow

from mopse import Cloud, Field, Owner, Schema
from mopse.errors import (
    ChangedError,
    DamagedFileError,
    InvalidInputError,
    ProofError,
    ScopeError,
    SignatureError,
)
from mopse.messages import Seal

VECTORS = Path(__file__).parents[1] / "vectors" / "seals.json"
SEED = 30
NOW = 1_800_000_000
SCHEMA = Schema(
    age=Field(0, 99, cell=4, proof=True), dose=Field(0, 6, proof=True), bmi=Field(10, 19)
)
NUMBER = {"kind": "number", "step": "1", "categories": []}
DEFINED = {
    "age": NUMBER | {"minimum": "0", "maximum": "99", "cell": 4},
    "dose": NUMBER | {"minimum": "0", "maximum": "6", "cell": 1},
    "bmi": NUMBER | {"minimum": "10", "maximum": "19", "cell": 1},
}
LABELS = {name: reference.field_label(case) for name, case in DEFINED.items()}
DIGEST = hashlib.sha256(reference.schema_bytes(list(LABELS.items()))).digest()
SIZES = {"age": (100, 4), "dose": (7, 1), "bmi": (10, 1)}
LOWEST = {"age": 0, "dose": 0, "bmi": 10}
ROWS = {
    "hospital": {"record": [3, -1, 2, 9], "age": [40, 7, None, 43], "dose": [6, 0, 3, None]},
    "clinic": {"record": [3, 5], "age": [99, 41], "dose": [None, 3]},
    "empty": {"record": [], "age": [], "dose": []},
}
ROWS = {path: rows | {"bmi": [12] * len(rows["record"])} for path, rows in ROWS.items()}
ADDED = {"record": [77], "age": [42], "dose": [3], "bmi": [19]}
CHANGED = {"record": [9], "age": [41], "dose": [1], "bmi": [10]}


def frame(rows: dict[str, list[Any]]) -> pl.DataFrame:
    """Return rows as a table of integers."""
    return pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.Int64))


class Second:
    """What providers seal, as the second implementation makes it."""

    def __init__(self) -> None:
        self.messages: dict[str, bytes] = {}
        owner = self.owner = second.Party.owner(SEED, DIGEST)
        for path in ROWS:
            owner.authorize(path)
        owner.announcements()
        self.fields = {
            name: SealedField(
                reference.ruler_key(owner.key, name, label, *FIRST),
                reference.ruler_cuts(
                    reference.ruler_key(owner.key, name, label, *FIRST), *SIZES[name]
                ),
                SIZES[name][1],
                is_proven=name != "bmi",
            )
            for name, label in LABELS.items()
        }
        self.providers = {path: owner.authorize(path) for path in ROWS}
        self.rows: dict[str, list[SealedRow]] = {}
        self.seals: dict[str, second.MadeSeal] = {}
        for path, rows in ROWS.items():
            self.rows[path] = self.upload(path, rows) if rows["record"] else []
            self.seals[path] = second.seal(self.providers[path], self.rows[path], self.fields)
            self.messages[f"seal of {path}"] = self.seals[path].message
        more = self.upload("hospital", ADDED)
        first = self.seals["hospital"]
        self.rows["hospital"] += more
        self.seals["hospital"] = second.seal(
            self.providers["hospital"], self.rows["hospital"], self.fields, 2, first.digest
        )
        self.messages["second seal of hospital"] = self.seals["hospital"].message
        self.messages["query"] = self.query()

    def upload(self, path: str, rows: dict[str, list[Any]]) -> list[SealedRow]:
        """Return the rows of an upload."""
        party = self.providers[path]
        columns: list[second.Column] = [
            (name, "Int64", "int64", values) for name, values in rows.items()
        ]
        entries: dict[str, list[tuple[int, int]]] = {}
        for name, field in self.fields.items():
            place = reference.child(party.key, "place", name.encode())
            entries[name] = [
                (
                    reference.mopse_entry(field.cuts, field.width, place, value - LOWEST[name], of),
                    at,
                )
                for at, value in enumerate(rows[name])
                if value is not None
                for of in [second.handle_of(party.key, rows["record"][at])]
            ]
        made = party.upload(columns, "record", {}, entries)
        sealed = []
        for at, handle in enumerate(made.handles):
            row = [second.handle_of(party.key, record) for record in rows["record"]].index(handle)
            digest = second.row_digest([of[at] for _, _, of in made.portions])
            cells = {
                name: (rows[name][row] - LOWEST[name]) // field.width
                for name, field in self.fields.items()
                if rows[name][row] is not None
            }
            sealed.append(SealedRow(made.number, handle, digest, cells))
        return sealed

    def query(self) -> bytes:
        """Return the query for ages from 41 to 50, and doses up to 3: cells 10 to 12, 0 to 3."""
        age, dose = self.fields["age"], self.fields["dose"]
        bounds = [("age", age.cuts[10], age.cuts[13] - 1), ("dose", 0, dose.cuts[4] - 1)]
        slots = [(age.slots[10], age.slots[13]), (dose.slots[0], dose.slots[4])]
        owner = self.owner
        asks = second.ranges(bounds, slots)
        return owner.query([(Place(), FIRST, owner.of(Place()).stamp(), None, asks)], NOW + 3600)[0]

    def sums(self) -> dict[str, int]:
        """Return what the cloud's sums of the query must be."""
        found = {}
        for name, low, high in [("age", 10, 12), ("dose", 0, 3)]:
            total = 0
            for path, rows in self.rows.items():
                key, content = self.providers[path].key, self.seals[path].content
                inside = [row for row in rows if low <= row.cells.get(name, -1) <= high]
                total += sum(second.leaf_of(key, name, row) for row in inside)
                total += second.mask_of(key, name, content, high + 1)
                total -= second.mask_of(key, name, content, low)
            found[name] = total % 2**128
        return found


class First:
    """The same, as the package makes it."""

    def __init__(self) -> None:
        self.messages: dict[str, bytes] = {}
        owner = self.owner = Owner.from_insecure_seed(SCHEMA, SEED)
        for path in ROWS:
            owner.authorize(path)
        cloud = self.cloud = Cloud()
        cloud.enroll(owner.public)
        self.providers = {path: owner.authorize(path) for path in ROWS}
        for path, rows in ROWS.items():
            if rows["record"]:
                cloud.receive(self.providers[path].encrypt(frame(rows), id="record"))
            self.seal(path, f"seal of {path}")
        cloud.receive(self.providers["hospital"].encrypt(frame(ADDED), id="record"))
        self.seal("hospital", "second seal of hospital")
        self.query = owner.query(age=(41, 50), dose=(None, 3), proof=True)
        self.messages["query"] = bytes(self.query)

    def seal(self, path: str, name: str) -> None:
        """Keep the seal of a provider, which the cloud must take."""
        seal = self.providers[path].seal()
        self.messages[name] = bytes(seal)
        assert not self.cloud.receive(seal).repeated


@pytest.fixture(scope="module")
def stories() -> tuple[First, Second]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW)
        return First(), Second()


KEPT = json.loads(VECTORS.read_text())["messages"] if VECTORS.exists() else {}


@pytest.mark.parametrize("name", KEPT)
def test_a_seal_is_what_both_implementations_and_the_vectors_say(stories, name):
    first, other = stories
    kept = bytes.fromhex(KEPT[name])
    assert other.messages[name] == kept
    assert first.messages[name] == kept


def test_every_seal_is_kept(stories):
    first, other = stories
    assert first.messages.keys() == other.messages.keys() == KEPT.keys()
    assert SCHEMA.digest == DIGEST


def test_the_sums_of_a_cloud_are_those_of_the_formula(stories):
    first, other = stories
    _, answer = Told.of_answer(bytes(first.cloud.search(first.query)))
    [token] = answer.proof.tokens
    age, dose = token.ranges
    sums = other.sums()
    assert (age.sums, dose.sums) == ([(26, sums["age"])], [(8, sums["dose"])])


def test_the_sums_of_what_is_gone_and_what_came_since_are_those_of_the_seals():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW)
        first, other = First(), Second()
    hospital, cloud = first.providers["hospital"], first.cloud
    cloud.receive(hospital.update(frame(CHANGED), id="record", cloud=cloud))
    query = first.owner.query(age=(41, 50), dose=(None, 3), proof=True)
    _, answer = Told.of_answer(bytes(cloud.search(query)))
    sums = other.sums()
    ranges = answer.proof.tokens[0].ranges
    assert [of.sums[0][1] for of in ranges] == [sums["age"], sums["dose"]]
    handle = second.handle_of(other.providers["hospital"].key, 9)
    [gone] = ranges[0].gone
    [row] = [row for row in other.rows["hospital"] if row.handle == handle]
    assert (gone.provider, gone.upload, gone.row) == ("hospital", row.upload, (handle, row.digest))
    assert ranges[1].gone == []
    # Where it stands in what removed it is the version of the row.
    evidence = answer.proof.evidence[gone.by]
    version = second.version(row.upload, row.handle, row.digest)
    assert evidence.chunks[gone.at : gone.at + 16] == second.u128(version)
    assert second.tree_root(evidence.chunks) in evidence.head


def test_the_slots_of_a_provider_are_those_of_its_tables(stories):
    first, other = stories
    _, answer = Told.of_answer(bytes(first.cloud.search(first.query, in_detail=True)))
    for name, of, (low, high) in zip(
        ("age", "dose"), answer.proof.tokens[0].ranges, ((10, 13), (0, 4)), strict=True
    ):
        slots = other.fields[name].slots
        assert sorted(shown.provider for shown in of.slots) == sorted(ROWS)
        for shown in of.slots:
            table = other.seals[shown.provider].tables[name]
            assert shown.values == [table[slots[low]], table[slots[high]]]


# What dishonest providers seal


def taken_out(tables: dict[str, list[int]]) -> None:
    """Seal no sums of a field."""
    del tables["age"]


def too_short(tables: dict[str, list[int]]) -> None:
    """Seal a table of too few cells."""
    tables["age"].pop()


def too_long(tables: dict[str, list[int]]) -> None:
    """Seal a table of too many cells."""
    tables["age"].append(5)


def another_field(tables: dict[str, list[int]]) -> None:
    """Seal the sums of one field as those of the other."""
    tables["age"], tables["dose"] = tables["dose"], tables["age"]


def all_false(tables: dict[str, list[int]]) -> None:
    """Seal sums that contradict the rows."""
    tables["age"] = [number * 3 % 2**128 for number in tables["age"]]


def one_false(tables: dict[str, list[int]]) -> None:
    """Seal one false sum: of the slot where the query of the tests begins."""
    slot = Second().fields["age"].slots[10]
    tables["age"][slot] ^= 1


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (taken_out, "no sums of field 'age'"),
        (too_short, "of another number of cells"),
        (too_long, "of another number of cells"),
        (another_field, "of another number of cells"),
        (all_false, "its own sums contradict its rows"),
        (one_false, "its own sums contradict its rows"),
    ],
)
def test_a_provider_that_seals_false_tables_is_found_and_spoils_nobody_else_s_proof(lie, why):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW)
        first, other = First(), Second()
        clinic, rows = other.providers["clinic"], other.rows["clinic"]
        before = other.seals["clinic"].digest
        false = second.seal(clinic, rows, other.fields, 2, before, lie)
        assert first.cloud.receive(false.message).provider == "clinic"
        ask = first.owner.ask
        with pytest.raises(ProofError, match=why) as error:
            ask(first.cloud, age=(41, 50), proof=True)
        assert error.value.providers == ("clinic",)
        found, faults = ask(first.cloud, age=(41, 50), proof=True, faults="report")
        assert faults["provider"].to_list() == ["clinic"]
        assert dict(found.select("provider", "record").iter_rows()) == {"hospital": 77}
        assert found["record"].sort().to_list() == [9, 77]
        # Elsewhere one false sum does no harm, and an honest seal ends it.
        if lie is one_false:
            assert ask(first.cloud, age=(0, 3), proof=True).height == 0
        honest = second.seal(clinic, rows, other.fields, 3, false.digest)
        first.cloud.receive(honest.message)
        assert sorted(ask(first.cloud, age=(41, 50), proof=True)["record"]) == [5, 9, 77]


def test_tables_of_another_seal_provider_or_field_are_refused(stories):
    _, other = stories
    hospital, clinic = (other.seals[path].message for path in ("hospital", "clinic"))
    older = other.messages["seal of hospital"]
    slots = 16 * (26 + 8)
    age = hospital[-slots : -16 * 8]
    dose = hospital[-16 * 8 :]
    for spliced in (
        hospital[:-slots] + clinic[-slots:],
        hospital[:-slots] + older[-slots:],
        older[:-slots] + hospital[-slots:],
        hospital[:-slots] + dose + age,
        hospital[:-slots] + age + age[: 16 * 8],
    ):
        with pytest.raises(SignatureError):
            Seal(spliced)
        with pytest.raises(SignatureError):
            first_cloud(other).receive(spliced)


def first_cloud(other: Second) -> Cloud:
    """Return a cloud that serves the owner, and has nothing yet."""
    owner = Owner.from_insecure_seed(SCHEMA, SEED)
    for path in ROWS:
        owner.authorize(path)
    cloud = Cloud()
    cloud.enroll(owner.public)
    return cloud


def test_a_seal_of_a_place_that_was_never_its_own_is_refused(stories):
    _, other = stories
    clinic = other.providers["clinic"]
    elsewhere = {
        "another provider": other.providers["hospital"].place,
        "a place below": clinic.place.below("ward", FIRST),
        "the owner": Place(),
        "a later epoch": Place().below("clinic", (1, bytes(16))),
    }
    for where in elsewhere.values():
        seal = second.seal(clinic, [], other.fields, where=where).message
        with pytest.raises((ScopeError, DamagedFileError)):
            first_cloud(other).receive(seal)


def test_fields_and_tables_of_a_seal_have_one_order_and_limits(stories):
    _, other = stories
    clinic = other.providers["clinic"]

    def backwards(tables: dict[str, list[int]]) -> None:
        for name in sorted(tables):
            tables[name] = tables.pop(name)
        tables["age"] = tables.pop("age")

    def of_one_slot(tables: dict[str, list[int]]) -> None:
        tables["age"] = [1]

    def too_many(tables: dict[str, list[int]]) -> None:
        for number in range(2000):
            tables[f"z{number:04}"] = [0, 0]

    for lie in (backwards, of_one_slot, too_many):
        seal = second.seal(clinic, [], other.fields, lie=lie).message
        with pytest.raises((DamagedFileError, InvalidInputError)):
            Seal(seal)


def test_after_the_last_number_there_is_can_be_no_other(stories):
    _, other = stories
    empty, last = other.providers["empty"], 2**64 - 1
    cloud = first_cloud(other)
    seal = second.seal(empty, [], other.fields, last)
    assert not cloud.receive(seal.message).repeated
    for number in (0, 1, last):
        again = second.seal(empty, [], other.fields, number, seal.digest).message
        if number == 0:
            with pytest.raises(DamagedFileError):
                cloud.receive(again)
        else:
            with pytest.raises(ChangedError, match=f"has number {number}, and"):
                cloud.receive(again)


def written() -> dict[str, Any]:
    """Return what the vectors are made of."""
    return {
        "about": "Seals of three providers, and a query that sums can prove; every one in hex. The "
        f"owner has the seed {SEED}; tests/python/test_reference_seals.py tells the story.",
        "source": "tests/python/reference_messages.py",
        "messages": {name: message.hex() for name, message in Second().messages.items()},
    }


def write() -> None:
    """Write the vectors anew, as the second implementation makes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: NOW)
        VECTORS.write_text(json.dumps(written(), indent=1) + "\n")
