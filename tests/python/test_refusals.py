"""What is refused: with an exception that says where, and nothing half-applied."""

import datetime
import decimal
import inspect
import re
import struct

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import reference_messages as second
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import Scene

import mopse
from mopse import Answer, Cloud, Field, Opse, Owner, Provider, Query, Schema, Upload, User, errors
from mopse.errors import (
    AnswerError,
    DamagedFileError,
    DecryptionError,
    ExpiredError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
    MopseError,
    ReplayError,
    ScopeError,
    SignatureError,
    WrongPasswordError,
    WrongTypeError,
)
from mopse.messages import Renewed

PASSWORD = "correct horse"
CHEAP = (8, 1, 1)
"""A cost of the password hash for files that are opened many times."""

DAY = datetime.date(2020, 1, 1)
SCHEMA = Schema(
    age=Field(0, 99),
    bmi=Field(8, 100, step=0.1, cell=5),
    level=Field.categories(["low", "middle", "high"]),
    day=Field(DAY, datetime.date(2020, 12, 31)),
    flag=Field.boolean(),
)
TABLE = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "age": [5, 6, 70],
        "bmi": [20.0, 20.1, None],
        "level": ["low", "high", None],
        "day": [DAY, None, DAY],
        "flag": [True, False, None],
        "note": ["x", "y", None],
    }
)


class World(Scene):
    """Two providers of one group and a ward, and a cloud that has one upload."""

    def __init__(self) -> None:
        super().__init__(SCHEMA, "a", "b", "a/ward")
        self.a, self.b, self.ward = self.providers.values()
        self.upload = self.send("a", TABLE)
        self.query = self.owner.query(age=(0, 99))

    def state(self) -> tuple:
        """Return all that a refusal must leave as it was."""
        queries = [self.owner.query(age=(0, 99)), self.owner.query(age=(0, 9))]
        counts = [self.cloud.count(query) for query in queries]
        return repr(self.cloud), counts, self.owner.providers, self.owner.public


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def nothing_is_half_applied(request):
    """Whatever a test of the shared world tries, the world is afterwards what it was before."""
    if "world" not in request.fixturenames:
        yield
        return
    world = request.getfixturevalue("world")
    before = world.state()
    yield
    assert world.state() == before
    assert len(world.a.encrypt(TABLE, id="id")) == 3


# Tables

TABLES = {
    "above the domain": ({"age": [5, 100, 6]}, "field 'age': the value in row 1"),
    "below the domain": ({"age": [5, 6, -1]}, "field 'age': the value in row 2"),
    "off the grid": ({"bmi": [20.0, 20.1, 20.15]}, "field 'bmi': the value in row 2"),
    "half a step": ({"age": [5.0, 5.5, 6.0]}, "field 'age': the value in row 1"),
    "not a number": ({"bmi": [20.0, float("nan"), 20.0]}, "field 'bmi': the value in row 1"),
    "infinite": ({"bmi": [float("inf"), 20.0, 20.0]}, "field 'bmi': the value in row 0"),
    "minus infinity": ({"bmi": [20.0, 20.0, -float("inf")]}, "field 'bmi': the value in row 2"),
    "huge float": ({"age": [1e300, 5.0, 5.0]}, "field 'age': the value in row 0"),
    "huge unsigned": ({"age": pl.Series([5, 6, 2**64 - 1], dtype=pl.UInt64)}, "row 2"),
    "huge integer": ({"age": pl.Series([5, -(2**100), 1], dtype=pl.Int128)}, "row 1"),
    "smallest integer": ({"age": [5, 6, -(2**63)]}, "row 2"),
    "unknown category": ({"level": ["low", "lower", "high"]}, "field 'level': the value in row 1"),
    "late date": (
        {"day": [DAY, DAY, datetime.date(2021, 1, 1)]},
        "field 'day': the value in row 2",
    ),
    "text for a number": ({"age": ["5", "6", "7"]}, "field 'age'"),
    "truth values for a number": ({"age": [True, False, True]}, "field 'age'"),
    "numbers for truth values": ({"flag": [0, 1, 0]}, "field 'flag'"),
    "numbers for categories": ({"level": [0, 1, 2]}, "field 'level'"),
    "numbers for dates": ({"day": [18262, 18263, 18264]}, "field 'day'"),
    "moments within days for dates": (
        {"day": [datetime.datetime(2020, 1, 1), None, datetime.datetime(2020, 1, 2, 1)]},
        "field 'day': the value in row 2 is not on the grid",
    ),
    "moments of a zone for dates": (
        {"day": [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)] * 3},
        "field 'day'",
    ),
    "dates for a number": ({"age": [DAY] * 3}, "field 'age'"),
    "decimals off the grid": (
        {"age": [decimal.Decimal("5.1")] * 3},
        "field 'age': the value in row",
    ),
    "lists": ({"age": [[5], [6], [7]]}, "field 'age'"),
    "objects": ({"age": pl.Series([object()] * 3, dtype=pl.Object)}, "field 'age'"),
    "a column that cannot be sealed": ({"note": [[1], [2], [3]]}, "column 'note'"),
    "long decimals": ({"note": [decimal.Decimal(2**63)] * 3}, "column 'note'"),
    "a column of bytes": ({"note": [b"x"] * 3}, "column 'note'"),
    "a column of 128 bits": ({"note": pl.Series([1] * 3, dtype=pl.Int128)}, "column 'note'"),
    "a column named provider": ({"provider": ["a"] * 3}, "'provider'"),
    "null id": ({"id": [1, None, 3]}, "column 'id', row 1"),
    "id twice": ({"id": [1, 2, 1]}, "the id in row 2"),
    "text id twice": ({"id": ["x", "x", "y"]}, "the id in row 1"),
    "floats as ids": ({"id": [1.0, 2.0, 3.0]}, "column 'id'"),
    "dates as ids": ({"id": [DAY] * 3}, "column 'id'"),
    "truth values as ids": ({"id": [True, False, None]}, "column 'id'"),
    "bytes as ids": ({"id": [b"x", b"y", b"z"]}, "column 'id'"),
    "nothing but null ids": ({"id": [None] * 3}, "column 'id', row 0"),
    "ids above 2^63": ({"id": pl.Series([1, 2, 2**63], dtype=pl.UInt64)}, "column 'id'"),
    "ids of 128 bits": ({"id": pl.Series([1, 2, 2**100], dtype=pl.Int128)}, "column 'id'"),
}


@pytest.mark.parametrize(("columns", "where"), TABLES.values(), ids=TABLES)
def test_a_faulty_column_is_refused_by_name_and_row(world, columns, where):
    table = TABLE.with_columns(pl.Series(name, values) for name, values in columns.items())
    with pytest.raises(InvalidInputError, match=re.escape(where)):
        world.a.encrypt(table, id="id")


@pytest.mark.parametrize("field", list(SCHEMA))
def test_a_table_without_a_field_is_refused(world, field):
    with pytest.raises(InvalidInputError, match=f"no column for field '{field}'"):
        world.a.encrypt(TABLE.drop(field), id="id")


def test_a_column_that_the_schema_lacks_is_sealed_and_not_indexed(world):
    assert "note" not in world.a.encrypt(TABLE, id="id").entries


@pytest.mark.parametrize(
    "table",
    [TABLE.clear(), pl.DataFrame(), {}, {"id": []}, TABLE.to_pandas()[:0], TABLE.to_arrow()[:0]],
)
def test_a_table_without_rows_is_refused(world, table):
    with pytest.raises(InvalidInputError, match="no row"):
        world.a.encrypt(table, id="id")


@pytest.mark.parametrize(
    "table",
    [
        *(None, 5, "table", b"table", 2.5, [1, 2], object(), pl.Series([1]), np.arange(3)),
        *({"id": [1, 2], "age": [1]}, {"id": [1, "x"]}, {"id": [2**200]}, {"id": ["\ud800"]}),
        *({"id": object()}, {5: [1]}, {None: [1]}, {"id": np.zeros((2, 2, 2))}),
        *(pd.DataFrame({"id": [1, "x"]}), pd.DataFrame({"id": [object()]}), pd.Series([1, 2])),
        pd.DataFrame([[1, 2]], columns=["id", "id"]),
        pd.DataFrame([[1, 2]], columns=["id", 5]),
        pa.table([[1], [2]], names=["id", "id"]),
        pa.array([1, 2]),
    ],
)
def test_what_is_no_table_is_refused(world, table):
    with pytest.raises(InvalidInputError):
        world.a.encrypt(table, id="id")


@pytest.mark.parametrize("name", [None, 5, b"id", "no such column", ["id"], ("id",), {"id": 1}])
def test_a_column_of_ids_that_is_not_there_is_refused(world, name):
    with pytest.raises(InvalidInputError, match="ids"):
        world.a.encrypt(TABLE, id=name)


# Queries

MOMENT = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
RANGES = {
    "nothing": {},
    "a field the schema lacks": {"height": (1, 2)},
    "the wrong way round": {"age": (60, 40)},
    "categories the wrong way round": {"level": ("high", "low")},
    "dates the wrong way round": {"day": (datetime.date(2020, 2, 1), DAY)},
    "not a number": {"age": (float("nan"), None)},
    "three bounds": {"age": (1, 2, 3)},
    "no bounds": {"age": ()},
    "one bound": {"age": [1]},
    "text": {"age": ("40", "60")},
    "truth value": {"age": True},
    "bytes": {"age": b"4"},
    "a set": {"age": {1, 2}},
    "a range": {"age": range(40, 60)},
    "an array": {"age": np.array([40, 60])},
    "a complex number": {"age": 1j},
    "an object": {"age": object()},
    "nested": {"age": ((1, 2), (3, 4))},
    "a date for a number": {"age": (DAY, None)},
    "a number for a date": {"day": (0, None)},
    "a moment of a zone for a date": {"day": MOMENT},
    "text for a date": {"day": "2020-01-01"},
    "NumPy's no date": {"day": np.datetime64("NaT")},
    "pandas' no date": {"day": (pd.NaT, None)},
    "a number for a category": {"level": 0},
    "an unknown category": {"level": "lower"},
    "a number for a truth value": {"flag": 1},
    "a good range and a bad one": {"age": (1, 2), "bmi": "x"},
}


@pytest.mark.parametrize("ranges", RANGES.values(), ids=RANGES)
def test_a_faulty_range_is_refused_by_field(world, ranges):
    last = list(ranges)[-1] if ranges else "at least one range"
    for party in (world.owner, world.a):
        with pytest.raises(InvalidInputError, match=last):
            party.query(**ranges)


@pytest.mark.parametrize("bound", [2**200, -(2**200), 10**400, -(10**400), float("inf"), 1e308])
def test_bounds_beyond_the_domain_are_open_or_hold_nothing(world, bound):
    held = (None, bound) if bound > 0 else (bound, None)
    empty = (bound, None) if bound > 0 else (None, bound)
    assert world.cloud.count(world.owner.query(age=held)) == 3
    assert len(world.owner.query(age=empty)) == 0


@pytest.mark.parametrize("ranges", [5, "age", b"age", [("age", 5)], object(), {5: 5}, {None: 1}])
def test_ranges_that_are_no_mapping_of_fields_are_refused(world, ranges):
    with pytest.raises(InvalidInputError):
        world.owner.query(ranges)


def test_a_field_with_two_ranges_is_refused(world):
    with pytest.raises(InvalidInputError, match="'age'"):
        world.owner.query({"age": (1, 2)}, age=(3, 4))


@pytest.mark.parametrize("time", [None, 3600, 1.5, "1h", datetime.timedelta.min])
def test_a_time_to_expire_that_is_none_is_refused(world, time):
    with pytest.raises(InvalidInputError, match="expire"):
        world.owner.query(age=5, expires_in=time)


def test_a_query_that_never_expires_says_so(world):
    query = world.owner.query(age=5, expires_in=datetime.timedelta.max)
    assert query.expires.year == 9999
    assert world.cloud.count(query) == 1


# Uploads


def start_of_run(message: bytes, field: str) -> tuple[int, int]:
    """Return where the ciphertexts of a field begin in an upload, and how many there are."""
    head = struct.pack("<Q", len(field)) + field.encode()
    at = message.index(head) + len(head)
    return at + 8, int.from_bytes(message[at : at + 8], "little")


def with_ciphertexts(message: bytes, ciphertexts: list[int]) -> bytes:
    """Return an upload with other ciphertexts of ages."""
    at, count = start_of_run(message, "age")
    assert count == len(ciphertexts)
    return message[:at] + struct.pack(f"<{count}q", *ciphertexts) + message[at + 8 * count :]


SIGNERS = second.Party.owner(11, SCHEMA.digest).authorize("b")
"""Provider ``b`` of the owner of a seed, who signs anything."""

SIGNED = bytes(Owner.from_insecure_seed(SCHEMA, 11).authorize("b").encrypt(TABLE, id="id"))


def signed_again(message: bytes) -> bytes:
    """Return `SIGNED`, of which the body was changed, with a signature that is right."""
    chain = second.listed(SIGNERS.chain)
    end = SIGNED.index(chain) + len(chain)
    (old, new), size = (whole[end + 64 :] for whole in (SIGNED, message)), second.u64
    before, after = (size(len(body)) + second.tree_root(body) for body in (old, new))
    assert SIGNED[:end].count(before) == 1
    return SIGNERS.signed(SIGNED[:end].replace(before, after)) + new


@pytest.fixture(scope="module")
def signers_cloud() -> Cloud:
    cloud = Cloud()
    owner = Owner.from_insecure_seed(SCHEMA, 11)
    owner.authorize("b")
    cloud.enroll(owner.public)
    return cloud


def test_an_upload_that_is_signed_again_is_the_same():
    assert signed_again(SIGNED) == SIGNED


@pytest.mark.parametrize(
    ("ciphertexts", "why"),
    [
        ([3, 2, 9], "run 0 is not sorted: its ciphertext 1"),
        ([2, 3, -9], "run 0 is not sorted: its ciphertext 2"),
        ([-1, 2, 9], "negative"),
        ([-(2**63), 2, 9], "negative"),
    ],
)
def test_a_run_that_is_no_run_is_refused(signers_cloud, ciphertexts, why):
    message = signed_again(with_ciphertexts(SIGNED, ciphertexts))
    for refused in (signers_cloud.receive, Upload):
        with pytest.raises(InvalidInputError, match=why):
            refused(message)


@pytest.mark.parametrize("number", [0, 3, 2**32 - 1])
def test_an_entry_of_no_record_is_refused(signers_cloud, number):
    message = bytearray(SIGNED)
    at, count = start_of_run(bytes(message), "age")
    at += 8 * count
    records = list(struct.unpack("<3I", message[at : at + 12]))
    records[1] = records[0] if number == 0 else number
    message[at : at + 12] = struct.pack("<3I", *records)
    with pytest.raises(InvalidInputError, match='field "age": entry 1'):
        signers_cloud.receive(signed_again(bytes(message)))


def test_ciphertexts_of_nobodys_making_are_refused(world, signers_cloud):
    message = with_ciphertexts(bytes(world.b.encrypt(TABLE, id="id")), [1, 2, 3])
    with pytest.raises(SignatureError):
        world.cloud.receive(message)
    signers_cloud.receive(signed_again(with_ciphertexts(SIGNED, [1, 2, 3])))


def test_an_upload_that_is_cut_anywhere_is_refused(world):
    message = bytes(world.b.encrypt(TABLE, id="id"))
    for end in [*range(0, len(message), 23), len(message) - 1]:
        with pytest.raises(DamagedFileError, match="cut short or malformed at byte"):
            world.cloud.receive(message[:end])
    with pytest.raises(DamagedFileError):
        world.cloud.receive(message + b"\0")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_an_upload_that_is_changed_anywhere_is_refused(data):
    message = bytearray(UPLOAD)
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    before = repr(QUIET.cloud)
    with pytest.raises(MopseError):
        QUIET.cloud.receive(bytes(message))
    assert repr(QUIET.cloud) == before


def test_an_upload_of_a_removed_provider_cannot_be_sent_again():
    world = World()
    world.cloud.remove("a")
    before = world.state()
    with pytest.raises(ReplayError):
        world.cloud.receive(world.upload)
    assert world.state() == before
    world.cloud.receive(world.a.encrypt(TABLE, id="id"))
    assert world.cloud.count(world.query) == 3


def test_a_record_that_is_stored_already_is_refused_with_its_upload(world):
    fresh_and_stored = TABLE.with_columns(id=pl.Series([8, 9, 3]))
    with pytest.raises(InvalidInputError, match="is stored already"):
        world.cloud.receive(world.a.encrypt(fresh_and_stored, id="id"))


def test_an_upload_of_another_owner_is_refused(world):
    stranger = Owner.generate(SCHEMA).authorize("a")
    with pytest.raises(ScopeError, match="not enrolled"):
        world.cloud.receive(stranger.encrypt(TABLE, id="id"))


def test_an_upload_of_another_schema_is_refused():
    scene = Scene(Schema(age=Field(0, 99)), seed=3)
    other = Owner.from_insecure_seed(Schema(age=Field(0, 99, cell=2)), 3)
    table = {"id": [1], "age": [5]}
    with pytest.raises(ScopeError, match="schema"):
        scene.cloud.receive(other.authorize("a").encrypt(table, id="id"))
    with pytest.raises(ScopeError, match="schema"):
        scene.cloud.search(other.query(age=5))
    assert repr(scene.cloud) == "Cloud(owners=1, uploads=0, records=0, entries=0, files=0)"


def test_an_upload_of_an_epoch_that_is_over_is_refused():
    world = World()
    world.owner.revoke("b")
    world.enroll()
    before = world.state()
    for provider in (world.a, world.b, world.ward):
        upload = provider.encrypt(TABLE.with_columns(id=pl.col("id") + 9), id="id")
        with pytest.raises(ScopeError, match="epoch that its group has left"):
            world.cloud.receive(upload)
    assert world.state() == before


def test_an_announcement_that_is_older_or_changed_is_refused():
    world = World()
    old = world.owner.public
    world.owner.revoke("b")
    new = world.owner.public
    world.cloud.enroll(new)
    before = world.state()
    with pytest.raises(ReplayError):
        world.cloud.enroll(old)
    for at in range(len(new)):
        changed = bytearray(new)
        changed[at] ^= 1
        is_owner = 9 <= at < 9 + 32  # of the whole; each announcement has its own
        with pytest.raises(ScopeError if is_owner else (DamagedFileError, SignatureError)):
            world.cloud.enroll(bytes(changed))
        with pytest.raises(DamagedFileError):
            world.cloud.enroll(new[:at])
    assert world.state() == before
    world.cloud.enroll(new)


# Tokens


def test_an_expired_token_is_refused(world):
    query = world.owner.query(age=5, expires_in=datetime.timedelta(seconds=-5))
    for ask in (world.cloud.search, world.cloud.count):
        with pytest.raises(ExpiredError):
            ask(query)


def test_a_token_that_is_cut_anywhere_is_refused(world):
    message = bytes(world.a.query(age=(5, 9)))
    for end in range(len(message)):
        with pytest.raises(DamagedFileError, match="at byte"):
            world.cloud.search(message[:end])
    with pytest.raises(DamagedFileError):
        world.cloud.search(message + b"\0")


def test_a_token_that_is_changed_anywhere_is_refused(world):
    message = bytes(world.a.query(age=(5, 9)))
    for at in range(len(message)):
        forged = bytearray(message)
        forged[at] ^= 1 << at % 8
        is_owner = 9 <= at < 9 + 32  # it stands behind letters and version, and is looked up first
        with pytest.raises(ScopeError if is_owner else (DamagedFileError, SignatureError)):
            world.cloud.search(bytes(forged))


def test_a_token_of_another_owner_is_refused(world):
    stranger = Owner.generate(SCHEMA)
    stranger.authorize("a")
    with pytest.raises(ScopeError, match="not enrolled"):
        world.cloud.search(stranger.query(age=5))


def test_a_token_for_a_group_of_others_is_refused(world):
    message = bytes(world.ward.query(age=5))
    # The ward's group, named by the hospital's name and two epochs, becomes the group of the owner.
    of_ward = struct.pack("<QQ", 1, 1) + b"a" + struct.pack("<IBIB", 0, 0, 0, 0)
    assert message.count(of_ward) == 1
    forged = message.replace(of_ward, struct.pack("<QIB", 0, 0, 0))
    for ask in (world.cloud.search, Query):
        with pytest.raises(SignatureError):
            ask(forged)


# Answers


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_an_answer_that_is_changed_anywhere_is_refused_or_harmless(data):
    message = bytearray(ANSWER)
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = QUIET.owner.decrypt(Answer.from_bytes(bytes(message)), QUIET.query)
    except MopseError:
        return
    assert found.equals(QUIET.owner.decrypt(Answer.from_bytes(ANSWER), QUIET.query))


QUIET = World()
UPLOAD = bytes(QUIET.b.encrypt(TABLE, id="id"))
ANSWER = bytes(QUIET.cloud.search(QUIET.query))


def test_an_answer_that_is_cut_anywhere_is_refused():
    for end in range(len(ANSWER)):
        with pytest.raises(DamagedFileError, match="at byte"):
            Answer.from_bytes(ANSWER[:end])


def parts_of_answer(answer: bytes) -> dict[str, slice]:
    """Return where things stand in the first part of an answer."""
    at = 9 + 16 + 8 + 8  # head, number of the query, number of parts, length
    at += 9 + 32 + 16 + 8 + 4 + 1 + 8  # head, owner, token, snapshot, page, last, number of names
    places = {"provider": slice(at + 8, at + 9)}
    at += 8 + 1 + 5  # name, epoch
    places["upload"] = slice(at, at + 16)
    at += 16 + 5 + 8  # upload, readers' epoch, number of handles
    places["handles"] = slice(at, at + 16 * 3)
    at += 16 * 3 + 8 + 8 + 4  # handles, number of portions, "rest"
    size = int.from_bytes(answer[at : at + 8], "little")
    places["layout"] = slice(at + 8, at + 8 + size)
    at += 8 + size + 8 + 8 * 3
    size = int.from_bytes(answer[at : at + 8], "little")
    places["records"] = slice(at + 8, at + 8 + size)
    return places


@pytest.mark.parametrize("what", ["provider", "upload", "layout", "handles", "records"])
def test_a_part_that_was_tampered_with_does_not_open(what):
    answer = bytearray(ANSWER)
    place = parts_of_answer(bytes(answer))[what]
    answer[place.start] ^= ord("a") ^ ord("b") if what == "provider" else 1
    with pytest.raises(DecryptionError, match=r"provider '[ab]': "):
        QUIET.owner.decrypt(Answer.from_bytes(bytes(answer)), QUIET.query)


def test_records_that_changed_places_do_not_open():
    answer = bytearray(ANSWER)
    place = parts_of_answer(bytes(answer))["handles"]
    handles = answer[place]
    answer[place] = handles[16:32] + handles[:16] + handles[32:]
    with pytest.raises(AnswerError, match="out of order"):
        QUIET.owner.decrypt(Answer.from_bytes(bytes(answer)), QUIET.query)
    records = parts_of_answer(ANSWER)["records"]
    size = (records.stop - records.start) // 3
    first, second = (bytes(ANSWER[records][at : at + size]) for at in (0, size))
    answer = ANSWER[: records.start] + second + first + ANSWER[records.start + 2 * size :]
    with pytest.raises(DecryptionError, match="record 0 does not open"):
        QUIET.owner.decrypt(Answer.from_bytes(answer), QUIET.query)


def test_an_answer_is_not_opened_by_another_provider(world):
    answer = world.cloud.search(world.query)
    for provider in (world.b, world.ward):
        with pytest.raises(ScopeError, match="no right to a"):
            provider.decrypt(answer, world.query)


def test_an_answer_is_not_opened_by_another_owner(world):
    with pytest.raises(ScopeError, match="another owner"):
        Owner.generate(SCHEMA).decrypt(world.cloud.search(world.query), world.query)
    other = World()
    with pytest.raises(AnswerError, match="it names another one"):
        other.owner.decrypt(world.cloud.search(world.query), other.query)


def test_a_query_of_another_schema_is_refused(world):
    other = Owner.generate(Schema(height=Field(0, 9)))
    other.authorize("a")
    with pytest.raises(InvalidInputError, match="'height'"):
        world.owner.decrypt(world.cloud.search(world.query), other.query(height=5))


# Files


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Keyrings of one world, sealed at low cost."""
    folder = tmp_path_factory.mktemp("keyrings")
    for name, party in [("owner", QUIET.owner), ("a", QUIET.a)]:
        (folder / name).write_bytes(party._keyring.seal(PASSWORD.encode(), CHEAP))
    return folder


def test_keyrings_of_low_cost_open(files):
    assert Owner.open(files / "owner", PASSWORD).providers == QUIET.owner.providers
    assert Provider.open(files / "a", PASSWORD).path == "a"


@pytest.mark.parametrize("password", ["wrong", "correct horse ", b"\xff\0", "ö" * 1000])
def test_a_wrong_password_is_told_from_a_damaged_file(files, password):
    with pytest.raises(WrongPasswordError, match=r"^the password is wrong$"):
        Owner.open(files / "owner", password)


@pytest.mark.parametrize("password", ["", b""])
def test_an_empty_password_is_refused(files, tmp_path, password):
    with pytest.raises(InvalidInputError, match="empty"):
        Owner.open(files / "owner", password)
    with pytest.raises(InvalidInputError, match="empty"):
        QUIET.owner.save(tmp_path / "owner", password)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("password", [None, 5, 2.5, ["x"], 2**200, object(), "\ud800"])
def test_a_password_that_is_no_text_is_refused(files, tmp_path, password):
    with pytest.raises(InvalidInputError, match="password"):
        Owner.open(files / "owner", password)
    with pytest.raises(InvalidInputError, match="password"):
        QUIET.owner.save(tmp_path / "owner", password)
    assert not list(tmp_path.iterdir())


def test_a_file_of_the_other_kind_is_refused(files):
    with pytest.raises(InvalidInputError, match="provider"):
        Provider.open(files / "owner", PASSWORD)
    with pytest.raises(InvalidInputError, match="owner"):
        Owner.open(files / "a", PASSWORD)


def test_a_damaged_file_is_refused_wherever_it_is_damaged(files, tmp_path):
    whole = (files / "a").read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        (tmp_path / "a").write_bytes(damaged)
        with pytest.raises((DamagedFileError, WrongPasswordError, InvalidInputError)):
            Provider.open(tmp_path / "a", PASSWORD)


def test_a_file_that_is_cut_or_none_of_ours_is_refused(files, tmp_path):
    whole = (files / "a").read_bytes()
    foreign = [b"", b"\0", b"MOPSE", b"{}", bytes(10**4), whole + b"\0"]
    for content in [*foreign, *(whole[:end] for end in range(0, len(whole), 7))]:
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(DamagedFileError):
            Provider.open(tmp_path / "a", PASSWORD)


def test_a_missing_file_is_both_ours_and_pythons_error(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere") as caught:
        Owner.open(tmp_path / "nowhere", PASSWORD)
    assert isinstance(caught.value, MopseError)
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(MissingFileError):
        QUIET.owner.save(tmp_path / "no" / "folder", PASSWORD)


def test_a_file_that_cannot_be_read_or_written_is_refused(tmp_path):
    with pytest.raises(FileAccessError):
        Owner.open(tmp_path, PASSWORD)
    with pytest.raises(FileAccessError):
        QUIET.owner.save(tmp_path, PASSWORD)
    with pytest.raises(FileAccessError):
        Owner.open("x" * 10_000, PASSWORD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [None, 5, 2.5, b"owner", ["owner"], object(), "", "a\0b", "/"])
def test_a_path_that_names_no_file_is_refused(path):
    with pytest.raises(InvalidInputError, match="path"):
        Owner.open(path, PASSWORD)
    with pytest.raises(InvalidInputError, match="path"):
        QUIET.owner.save(path, PASSWORD)


# Names and grants

BAD_NAMES = ["", "a/b", "/", "a\n", "\0", "\x7f", "x" * 256, "é" * 128, "\ud800"]


@pytest.mark.parametrize("name", [*BAD_NAMES, None, 5, b"a", ["a"], 2**200, object()])
def test_a_name_that_cannot_be_is_refused(world, name):
    for party in (world.owner, world.a):
        providers = party.providers
        with pytest.raises(InvalidInputError):
            party.authorize(name)
        assert party.providers == providers


@pytest.mark.parametrize(
    "path", ["", "nobody", "a/nobody", "a/", "/a", "a//ward", "\ud800", 5, b"a", ["a"], object()]
)
def test_a_path_of_nobody_is_refused(world, path):
    with pytest.raises(InvalidInputError):
        world.owner.authorize("new", under=path)
    with pytest.raises(InvalidInputError):
        world.owner.revoke(path)
    with pytest.raises(InvalidInputError):
        world.owner.grant(path)
    with pytest.raises(InvalidInputError):
        world.cloud.remove(path)


def test_the_owner_is_nobodys_provider(world):
    for path in (None, ""):
        with pytest.raises(InvalidInputError):
            world.owner.revoke(path)
        with pytest.raises(InvalidInputError):
            world.owner.grant(path)


def test_seventeen_levels_are_refused():
    owner = Owner.generate(SCHEMA)
    path = None
    for level in range(16):
        path = owner.authorize(f"level {level}", under=path).path
    with pytest.raises(InvalidInputError, match="16 levels"):
        owner.authorize("one more", under=path)
    assert len(owner.providers) == 16


@pytest.mark.parametrize(
    "ids",
    [
        *(5, "x", b"x", 2.5, object(), [None], [1, None], [1.5], [DAY], [True], [b"x"], [[1]]),
        *([1, "x"], [2**63], [2**200], [-(2**200)], [object()], ["\ud800"], [1j], np.ones((2, 2))),
    ],
)
def test_ids_that_are_none_are_not_granted(world, ids):
    with pytest.raises(InvalidInputError, match="id"):
        world.owner.grant("a", ids=ids)
    with pytest.raises(InvalidInputError, match="id"):
        world.a.grant(ids)


def test_nobody_grants_what_is_not_below_it(world):
    for provider, path in [(world.a, "b"), (world.b, "a/ward"), (world.ward, "a"), (world.a, "")]:
        with pytest.raises(InvalidInputError):
            provider.grant(provider=path)


def test_a_grant_that_was_changed_opens_nothing(world):
    grant = world.owner.grant("a")
    answer = world.cloud.search(world.query)
    for at in range(len(grant)):
        changed = bytearray(grant)
        changed[at] ^= 1
        with pytest.raises(MopseError):
            User(SCHEMA, [bytes(changed)]).decrypt(answer, world.query)
        with pytest.raises(DamagedFileError):
            User(SCHEMA, [grant[:at]])


def test_certificates_of_others_are_not_learnt(world):
    stranger = Owner.generate(SCHEMA).authorize("a")
    with pytest.raises(ScopeError):
        world.owner.learn(stranger.public)
    for chain in (world.b.public, world.a.public):
        with pytest.raises(ScopeError):
            world.ward.learn(chain)
    public = world.ward.public
    for at in range(0, len(public), 5):
        with pytest.raises(MopseError):
            world.owner.learn(public[:at])
        changed = bytearray(public)
        changed[at] ^= 1
        with pytest.raises(MopseError):
            world.owner.learn(bytes(changed))


# Arguments of the wrong kind

WRONG = [None, True, 5, -1, 2**200, 2.5, "text", ["x"], [5], {}, (), object(), DAY, Exception, 1j]
NO_MESSAGE = [b"", b"\0", b"MOPSE", bytes(1000), b"MOPSEUPL\x01", b"MOPSEQRY\x02", b"\xff" * 64]


@pytest.mark.parametrize("wrong", [*WRONG, *NO_MESSAGE], ids=lambda value: repr(value)[:20])
def test_what_is_no_message_is_refused_everywhere(world, wrong):
    calls = [
        lambda: world.cloud.enroll(wrong),
        lambda: world.cloud.receive(wrong),
        lambda: world.cloud.search(wrong),
        lambda: world.cloud.count(wrong),
        lambda: world.cloud.remove("a", owner=wrong if wrong is not None else 0),
        lambda: world.owner.learn(wrong),
        lambda: world.a.learn(wrong),
        lambda: world.owner.decrypt(wrong, world.query),
        lambda: world.owner.decrypt(Answer(0, []), wrong),
        lambda: User(SCHEMA).decrypt(wrong, world.query),
        lambda: User(SCHEMA).decrypt(Answer(0, []), wrong),
        lambda: User(SCHEMA, [wrong]),
        lambda: Upload(wrong),
        lambda: Query(wrong),
        lambda: Query.from_bytes(wrong),
        lambda: Answer.from_bytes(wrong),
    ]
    for call in calls:
        with pytest.raises(MopseError) as caught:
            call()
        assert str(caught.value), inspect.getsource(call)


@pytest.mark.parametrize("wrong", [value for value in WRONG if value not in ([], {}, ())])
def test_wrong_types_are_refused_everywhere(world, wrong):
    calls = [
        lambda: Owner.generate(wrong),
        lambda: Owner.from_insecure_seed(wrong, 1),
        lambda: User(wrong),
        lambda: Renewed(wrong if type(wrong) is not int else "0", 0),
        lambda: Owner(wrong),
        lambda: Provider(wrong),
        lambda: Owner(world.a._keyring),
        lambda: Provider(world.owner._keyring),
        lambda: Owner(world.owner._keyring, wrong if wrong is not None else 0),
        # A text is the path of a store.
        lambda: Cloud(0 if wrong is None or isinstance(wrong, str) else wrong),
        lambda: User(SCHEMA, wrong),
        lambda: Query(wrong),
        lambda: Answer(0, wrong),
        lambda: Answer(wrong if type(wrong) is not int else "0", []),
        lambda: world.owner.ask(wrong, age=5),
        lambda: world.a.catch_up(wrong),
        lambda: world.a.renew(wrong),
        lambda: world.a.delete([1], versions=wrong if wrong is not None else 0),
    ]
    for call in calls:
        with pytest.raises(WrongTypeError):
            call()
    if type(wrong) is not int:
        with pytest.raises(WrongTypeError):
            Owner.from_insecure_seed(SCHEMA, wrong)


def test_one_message_is_not_taken_for_another(world):
    upload, query = world.upload, world.query
    answer = world.cloud.search(query)

    def decrypt(wrong: object) -> None:
        world.owner.decrypt(wrong, query)

    for call, argument in [
        *((world.cloud.receive, wrong) for wrong in (query, answer, bytes(query))),
        *((world.cloud.search, wrong) for wrong in (upload, answer, bytes(answer))),
        *((decrypt, wrong) for wrong in (query, upload, bytes(answer))),
        *((world.cloud.enroll, wrong) for wrong in (world.a.public, bytes(upload))),
        *((Query.from_bytes, wrong) for wrong in (bytes(answer), bytes(upload))),
        *((Answer.from_bytes, wrong) for wrong in (bytes(query), bytes(upload))),
        (world.owner.learn, world.owner.public),
    ]:
        with pytest.raises(MopseError):
            call(argument)


def test_the_store_behind_a_refused_url_is_not_shown():
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    for address in (
        "postgresql://user:opensesame@/phr?host=/nowhere",
        "mysql://u:opensesame@h/phr",
    ):
        with pytest.raises(MopseError) as caught:
            Cloud(address)
        assert "opensesame" not in str(caught.value)


# The primitives


@pytest.mark.parametrize("length", [0, 1, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length):
    with pytest.raises(InvalidInputError, match=f"{length} bytes, expected 32"):
        Opse(bytes(length), domain=10)


@pytest.mark.parametrize(
    ("runs", "where"),
    [
        ([[1, 2], [5, 4]], "run 1 is not sorted: its ciphertext 1"),
        ([[1, 2], [-1, 4]], "run 1 .* entry 0 is negative"),
        ([np.array([1, 2**63], np.uint64)], "run 0: entry 1 does not fit an int64"),
        ([[1, 2], [2**63]], "run 1"),
        ([[2**200]], "run 0"),
        ([[1.0, 2.0]], "run 0 must hold integers"),
        ([[[1], [2]]], "run 0 must have one dimension"),
        ([pl.Series([1, None])], "run 0: entry 1 is null"),
        ([["x"]], "run 0"),
        ([None], "run 0"),
        ([5], "run 0"),
    ],
)
def test_a_faulty_run_is_named(runs, where):
    with pytest.raises(InvalidInputError, match=where):
        mopse.merge(runs)


@pytest.mark.parametrize("runs", [None, 5, 2.5, object()])
def test_runs_that_are_no_sequence_are_refused(runs):
    with pytest.raises(WrongTypeError, match="runs"):
        mopse.merge(runs)


def test_a_number_that_is_no_ciphertext_is_refused():
    opse = Opse(bytes(32), domain=10)
    valid = opse.encrypt(np.arange(10))
    for wrong in (valid[3] + 1, -1, 2**63 - 1, 0):
        with pytest.raises(MopseError):
            opse.decrypt(int(wrong))
    with pytest.raises(DecryptionError, match="position 2"):
        opse.decrypt(np.array([valid[0], valid[1], valid[2] + 1]))
    with pytest.raises(InvalidInputError):
        opse.decrypt(2**63)


# The exceptions themselves


def test_every_exception_is_a_mopse_error_with_a_docstring():
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(kind, MopseError) and kind.__doc__ for kind in kinds)
    defined = {name for name, kind in vars(errors).items() if inspect.isclass(kind)}
    assert defined == set(errors.__all__)


ODD_NUMBER = st.integers(100_000_000, 999_999_999)


@settings(max_examples=40, deadline=None)
@given(ODD_NUMBER, st.sampled_from(["value", "text", "id", "bound", "category", "huge", "float"]))
def test_no_message_holds_a_plaintext(number, where):
    row = dict(zip(TABLE.columns, TABLE.row(0), strict=True))
    calls = {
        "value": lambda: QUIET.a.encrypt(
            {n: [v] for n, v in (row | {"age": number}).items()}, id="id"
        ),
        "float": lambda: QUIET.a.encrypt(
            {n: [v] for n, v in (row | {"bmi": number + 0.5}).items()}, id="id"
        ),
        "text": lambda: QUIET.a.encrypt(
            {n: [v] for n, v in (row | {"level": str(number)}).items()}, id="id"
        ),
        "id": lambda: QUIET.a.encrypt(
            {n: [v, v] for n, v in (row | {"id": number}).items()}, id="id"
        ),
        "bound": lambda: QUIET.owner.query(age=(number, number - 1)),
        "category": lambda: QUIET.owner.query(level=str(number)),
        "huge": lambda: QUIET.owner.grant("a", ids=[number * 2**100]),
    }
    with pytest.raises(MopseError) as caught:
        calls[where]()
    assert str(number) not in str(caught.value)
    assert str(number) not in repr(caught.value.__cause__)


def test_no_message_holds_a_key():
    grant = QUIET.owner.grant("a")
    key = grant[-64 - 8 - 16 - 32 :][:32]  # before the lists of portions, records and certificates
    with pytest.raises(MopseError) as caught:
        User(SCHEMA, [grant + b"\0"])
    assert key.hex() not in str(caught.value)
    assert repr(key)[2:-1] not in str(caught.value)


HALF = "\ud800"
"""Half of a surrogate pair, which no encoding writes down."""


@pytest.mark.parametrize(
    "call",
    [
        lambda: Field.categories([HALF]),
        lambda: Owner.open(HALF, PASSWORD),
        lambda: QUIET.owner.save(HALF, PASSWORD),
        lambda: QUIET.a.attach(HALF, b"x", name="n", media_type="m"),
        lambda: QUIET.a.attach(1, HALF, name="n", media_type="m"),
        lambda: QUIET.a.attach(1, b"x", name=HALF, media_type="m"),
        lambda: QUIET.cloud.remove(HALF),
    ],
)
def test_what_cannot_be_written_down_is_refused(call):
    with pytest.raises(InvalidInputError, match="holds half of a surrogate pair"):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: Field.categories(None),
        lambda: Field.categories([1]),
        lambda: mopse.secret_sharing.split(b"x", 2, None),
        lambda: QUIET.cloud.remove(None),
    ],
)
def test_what_is_none_of_a_kind_is_refused_by_name(call):
    with pytest.raises(WrongTypeError, match=r"a category|categories|the keys|a provider's path"):
        call()
