"""One provider's odd, damaged or hostile records never keep anybody from the others'.

Providers can seal anything: `craft` does, past the checks of `mopse.Provider.encrypt`.
"""

import datetime
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import Scene

import mopse
from mopse import Answer, Field, Opened, Owner, Provider, Schema, Upload, User
from mopse._mopse.message import Listing, StoredFile
from mopse._mopse.party import Versions
from mopse._types import holding
from mopse.errors import (
    AnswerError,
    DecryptionError,
    InvalidInputError,
    MopseError,
    ScopeError,
    WrongTypeError,
)
from mopse.messages import FileListing

SCHEMA = Schema(age=Field(0, 120))
HONEST = ("a", "a/b", "a/c")
HOSTILE = "a/h"
SECRET = "hidden value"
ONE = np.array([1], np.int64)
VALID = np.array([True])


def texts(*values: str | bytes) -> tuple:
    """Return texts as the core takes them."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return np.cumsum([len(value) for value in encoded]).astype(np.uint64), b"".join(encoded)


def craft(provider: Provider, *columns: tuple, age: int = 40) -> Upload:
    """Seal one record of any columns; the index says that its age is 40."""
    ids = ("id", "int64", "Int64", ONE, VALID)
    ages = ("age", "int64", "Int64", np.array([age]), VALID)
    indexed = [("age", np.array([0], np.uint32), np.array([40]))]
    return uploaded(provider, [ids, ages, *columns], indexed)


def uploaded(provider: Provider, columns: list, indexed: list) -> Upload:
    """Seal one record of any columns and entries, as the core takes them."""
    message, _ = provider._keyring.upload(
        columns, ONE, "id", indexed, False, Versions([]), int(time.time()), None
    )
    return Upload._signed(message)


def whole(words: str, value: int = 1) -> tuple:
    return "x", "int64", words, np.array([value]), VALID


def word(words: str, value: str | bytes = SECRET) -> tuple:
    return "x", "text", words, texts(value), VALID


LAYOUTS = {
    "no such type": whole(SECRET),
    "no words": whole(""),
    "another line": whole("Int8\nInt16"),
    "type of another kind": whole("String"),
    "text as a number": word("Int64"),
    "levels that are no JSON": word(f"Enum\n{SECRET}"),
    "levels that are no list": word('Enum\n{"a": 1}'),
    "levels that are no text": word("Enum\n[1, 2]"),
    "levels too deep": word("Enum\n" + "[" * 100_000 + "]" * 100_000),
    "one level twice": word(f'Enum\n["{SECRET}", "{SECRET}"]'),
    "a zone of nowhere": whole("Datetime\nus\nNowhere/Land"),
    "a zone of odd letters": whole(f"Datetime\nus\n{SECRET}"),
    "a unit of none": whole("Datetime\ns\n"),
    "a duration without unit": whole("Duration"),
}
"""Columns of layouts that no table has."""

UNKNOWN_HERE = ["a zone of nowhere"]
"""Columns that may be of a type somewhere."""

CELLS = {
    "a large Int8": whole("Int8", 128),
    "a negative UInt32": whole("UInt32", -1),
    "a far day": whole("Date", 2**40),
    "a far moment": whole("Datetime\nms\nUTC", 2**62),
    "no time of a day": whole("Time", 86_400 * 10**9),
    "a fine Float32": ("x", "float64", "Float32", np.array([0.1]), VALID),
    "no level": word('Enum\n["a", "b"]'),
    "no UTF-8": word("String", b"\xff" + SECRET.encode()),
    "a null that is none": ("x", "boolean", "Null", np.array([True]), VALID),
}
"""Columns whose value is none of their type."""


def world(upload) -> tuple:
    """Return a scene of three honest providers and a hostile one, the query, and the answer."""
    scene = Scene(SCHEMA, *HONEST, HOSTILE)
    for number, path in enumerate(HONEST):
        table = {"id": [1, 2], "age": [30 + number, 50], "x": [0.5, None], "note": ["ok", None]}
        scene.send(path, table)
    scene.cloud.receive(upload(scene[HOSTILE]))
    query = scene.owner.query(age=(0, 120))
    return scene, query, scene.cloud.search(query)


def openers(scene: Scene) -> list:
    """Return the owner, the provider above all, and a user with all grants."""
    grants = [scene.owner.grant(path) for path in (*HONEST, HOSTILE)]
    return [scene.owner, scene["a"], User(SCHEMA, grants)]


def check_report(opened: Opened, answer: Answer, column: str | None) -> None:
    """Assert that the honest records are there, and the hostile one is named."""
    records, faults = opened
    assert sorted(records["provider"]) == sorted([*HONEST, *HONEST])
    assert faults.columns == ["provider", "record", "column", "cause"]
    [(provider, record, of, cause)] = faults.rows()
    assert (provider, of) == (HOSTILE, column)
    [hostile] = [part for part in answer._parts if part.provider == HOSTILE]
    assert int(record, 16) == handles_of(hostile)[0]
    assert len(record) == 32
    assert cause
    assert SECRET not in cause


def handles_of(part) -> list[int]:
    return [high << 64 | low for high, low in np.asarray(part.handles).tolist()]


@pytest.mark.parametrize("kind", [*LAYOUTS, *CELLS])
def test_a_column_that_no_table_has_is_named_and_keeps_nobody_from_the_others(kind):
    column = (LAYOUTS | CELLS)[kind]
    scene, query, answer = world(lambda provider: craft(provider, column))
    for opener in openers(scene):
        where = rf"^provider '{HOSTILE}': column 'x'" + (", record 0: " if kind in CELLS else ": ")
        with pytest.raises(InvalidInputError, match=where) as caught:
            opener.decrypt(answer, query)
        assert SECRET not in str(caught.value)
        assert len(str(caught.value)) < 200
        check_report(opener.decrypt(answer, query, faults="report"), answer, "x")
        apart = opener.decrypt(answer, query, faults="report", by_provider=True)
        assert {path: frame.height for path, frame in apart.records.items()} == {
            **dict.fromkeys(HONEST, 2),
            **({HOSTILE: 0} if kind in CELLS or kind in UNKNOWN_HERE else {}),
        }
        assert apart.faults.height == 1


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ([whole("Int8"), whole("Int16")], "x"),
        ([("provider", "text", "String", texts("a"), VALID)], "provider"),
    ],
    ids=["twice", "reserved"],
)
def test_a_name_that_stands_twice_or_is_kept_is_refused(columns, column):
    scene, query, answer = world(lambda provider: craft(provider, *columns))
    for opener in openers(scene):
        with pytest.raises(InvalidInputError, match=f"^provider '{HOSTILE}': column '{column}': "):
            opener.decrypt(answer, query)
        check_report(opener.decrypt(answer, query, faults="report"), answer, column)


def test_a_value_outside_its_domain_is_named_also_where_it_was_not_asked_for():
    scene, query, answer = world(lambda provider: craft(provider, age=999))
    for opener in openers(scene):
        with pytest.raises(InvalidInputError, match=r"field 'age', record 0: .* domain") as caught:
            opener.decrypt(answer, query)
        assert "999" not in str(caught.value)
        check_report(opener.decrypt(answer, query, faults="report"), answer, "age")

    schema = Schema(age=Field(0, 120), bmi=Field(10, 50, step=0.5))
    scene = Scene(schema, "a")
    columns = [
        ("age", "int64", "Int64", ONE, VALID),
        ("bmi", "float64", "Float64", np.array([20.25]), VALID),
    ]
    indexed = [("age", np.array([0], np.uint32), ONE)]
    scene.cloud.receive(uploaded(scene["a"], columns, indexed))
    query = scene.owner.query(age=1)
    answer = scene.cloud.search(query)
    with pytest.raises(InvalidInputError, match="field 'bmi', record 0: the value is not on"):
        scene.owner.decrypt(answer, query)
    opened = scene.owner.decrypt(answer, query, faults="report")
    assert opened.faults["column"].to_list() == ["bmi"]
    assert opened.records.is_empty()
    assert answer.excess == 0


def test_a_field_of_another_type_is_named_by_type_and_not_by_its_levels():
    column = ("age", "text", f'Enum\n["{SECRET}"]', texts(SECRET), VALID)

    def upload(provider: Provider) -> Upload:
        indexed = [("age", np.array([0], np.uint32), np.array([40]))]
        return uploaded(provider, [column], indexed)

    scene, query, answer = world(upload)
    with pytest.raises(InvalidInputError, match="field 'age': the column holds Enum") as caught:
        scene.owner.decrypt(answer, query)
    assert SECRET not in str(caught.value)
    check_report(scene.owner.decrypt(answer, query, faults="report"), answer, "age")


def test_a_changed_record_or_layout_is_listed_and_the_others_are_returned():
    scene, query, answer = world(lambda provider: provider.encrypt(ROWS, id="id"))
    [hostile] = [part for part in answer._parts if part.provider == HOSTILE]
    whole_answer = bytes(answer)
    start = whole_answer.index(hostile.encode())
    [(_, layout, (_, rows))] = hostile.portions
    places = {
        "record": start + hostile.encode().index(rows) + len(rows) - 40,
        "layout": start + hostile.encode().index(layout) + 20,
    }
    for what, at in places.items():
        changed = bytearray(whole_answer)
        changed[at] ^= 1
        damaged = Answer.from_bytes(bytes(changed))
        for opener in openers(scene):
            with pytest.raises(DecryptionError, match=f"^provider '{HOSTILE}': .*{what}"):
                opener.decrypt(damaged, query)
            records, faults = opener.decrypt(damaged, query, faults="report")
            of = handles_of(hostile)
            listed = of[-1:] if what == "record" else of
            assert [int(record, 16) for record in faults["record"]] == listed
            assert set(faults["provider"]) == {HOSTILE}
            assert records.height == 6 + 3 - len(listed)


ROWS = {"id": [7, 8, 9], "age": [40, 41, 42], "x": [1.0, 2.0, 3.0]}


def test_a_provider_out_of_reach_is_listed():
    scene, query, answer = world(lambda provider: provider.encrypt(ROWS, id="id"))
    user = User(SCHEMA, [scene.owner.grant(path) for path in HONEST])
    with pytest.raises(ScopeError, match=f"^provider '{HOSTILE}' has granted nothing"):
        user.decrypt(answer, query)
    records, faults = user.decrypt(answer, query, faults="report")
    assert (records.height, faults.height) == (6, 3)
    assert set(faults["cause"]) == {f"provider '{HOSTILE}' has granted nothing"}

    records, faults = scene["a/b"].decrypt(answer, query, faults="report")
    assert set(records["provider"]) == {"a/b"}
    assert faults.group_by("provider").len().sort("provider").rows() == [
        ("a", 2),
        ("a/c", 2),
        (HOSTILE, 3),
    ]


def test_a_user_is_told_only_of_records_that_were_granted():
    scene, query, answer = world(lambda provider: craft(provider, whole("Int8", 128)))
    grants = [scene.owner.grant(HOSTILE, ids=ids) for ids in ([5], [1])]
    for ids, grant in zip([[5], [1]], grants, strict=True):
        opened = User(SCHEMA, [grant]).decrypt(answer, query, faults="report")
        of_hostile = opened.faults.filter(provider=HOSTILE)
        assert of_hostile.height == (ids == [1])


# Any words and any columns

WORDS = st.one_of(
    st.sampled_from(
        ["Int8", "UInt32", "UInt64", "Float32", "Boolean", "Null", "Categorical", "Date", "Time"]
    ),
    st.tuples(
        st.sampled_from(["Datetime", "Duration", "Enum", "List", "Decimal"]),
        st.sampled_from(["us", "ns", "s", "", '["a", "b"]', '["a", "a"]', "[[]]", "null"]),
        st.sampled_from([None, "", "UTC", "Europe/Berlin", "Nowhere", "+01:00", "\n"]),
    ).map(lambda parts: "\n".join(part for part in parts if part is not None)),
    st.text(max_size=12),
)
NUMBERS = st.sampled_from([0, 1, -1, 127, 128, 2**31, -(2**63), 2**63 - 1]) | st.integers(0, 9)


@st.composite
def crafted_columns(draw: st.DrawFn) -> tuple:
    kind = draw(st.sampled_from(["int64", "uint64", "float64", "boolean", "text"]))
    values = {
        "int64": lambda: np.array([draw(NUMBERS)], np.int64),
        "uint64": lambda: np.array([draw(NUMBERS)], np.int64).astype(np.uint64),
        "float64": lambda: np.array([draw(st.floats())]),
        "boolean": lambda: np.array([draw(st.booleans())]),
        "text": lambda: texts(draw(st.sampled_from([b"a", b"", b"\xff", b"zz"]))),
    }
    name = draw(st.sampled_from(["x", "y", "note", "provider", ""]))
    return name, kind, draw(WORDS), values[kind](), np.array([draw(st.booleans())])


@settings(max_examples=150)
@given(st.lists(crafted_columns(), max_size=3))
def test_whatever_is_sealed_only_our_errors_come_and_the_others_are_kept(columns):
    scene, query, answer = world(lambda provider: craft(provider, *columns))
    try:
        both = str(scene.owner.decrypt(answer, query))
    except MopseError as error:
        both = str(error)
    assert both
    for by_provider in (False, True):
        opened = scene.owner.decrypt(answer, query, faults="report", by_provider=by_provider)
        assert str(opened)
        frames = [*opened.records.values()] if by_provider else [opened.records]
        found = [path for frame in frames for path in frame["provider"]]
        assert sum(path in HONEST for path in found) == 6
        assert (HOSTILE in found) != (HOSTILE in opened.faults["provider"])


# Types of several providers


def answered(*columns: pl.Series, schema: Schema = SCHEMA) -> tuple:
    """Return an owner, a query and the answer that holds a column ``x`` of each provider."""
    paths = [f"p{number}" for number in range(len(columns))]
    scene = Scene(schema, *paths)
    for path, column in zip(paths, columns, strict=True):
        table = {"id": range(len(column)), "age": [40] * len(column), "x": column}
        scene.send(path, pl.DataFrame(table))
    query = scene.owner.query(age=40)
    return scene.owner, query, scene.cloud.search(query)


NULLS = pl.Series([None, None])
NOON = datetime.datetime(2020, 1, 1, 12)


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        (pl.Series([1], dtype=pl.Int8), pl.Series([2], dtype=pl.Int16), pl.Int16()),
        (pl.Series([1], dtype=pl.UInt8), pl.Series([2], dtype=pl.UInt32), pl.UInt32()),
        (pl.Series([-1], dtype=pl.Int8), pl.Series([2], dtype=pl.UInt8), pl.Int16()),
        (pl.Series([1]), pl.Series([2**63], dtype=pl.UInt64), pl.UInt64()),
        (pl.Series([-1]), pl.Series([2], dtype=pl.UInt64), pl.Int64()),
        (pl.Series([0.5], dtype=pl.Float32), pl.Series([0.1]), pl.Float64()),
        (pl.Series([NOON]), pl.Series([NOON]).dt.cast_time_unit("ns"), pl.Datetime("ns")),
        (
            pl.Series([datetime.timedelta(1)]).dt.cast_time_unit("ms"),
            pl.Series([datetime.timedelta(2)]),
            pl.Duration("us"),
        ),
        (pl.Series(["a"], dtype=pl.Categorical), pl.Series(["b"]), pl.String()),
        (NULLS, pl.Series([True]), pl.Boolean()),
        (NULLS.cast(pl.String), pl.Series([0.5]), pl.Float64()),
        (NULLS.cast(pl.String), NULLS, pl.String()),
        (NULLS, NULLS, pl.Null()),
    ],
    ids=str,
)
def test_columns_of_two_providers_meet_in_the_narrowest_type(one, other, joined):
    for columns in ((one, other), (other, one)):
        owner, query, answer = answered(*columns)
        found = owner.decrypt(answer, query).sort("provider", "id")
        assert found["x"].dtype == joined
        assert found["x"].to_list() == [*columns[0].to_list(), *columns[1].to_list()]
        apart = owner.decrypt(answer, query, by_provider=True)
        assert [frame["x"].dtype for frame in apart.values()] == [c.dtype for c in columns]


RANGES = {
    dtype: (int(np.iinfo(name).min), int(np.iinfo(name).max))
    for dtype, name in [
        *((pl.Int8(), "int8"), (pl.Int16(), "int16"), (pl.Int32(), "int32"), (pl.Int64(), "int64")),
        *((pl.UInt8(), "uint8"), (pl.UInt16(), "uint16")),
        *((pl.UInt32(), "uint32"), (pl.UInt64(), "uint64")),
    ]
}
INTEGERS = st.sampled_from([*RANGES]).flatmap(
    lambda dtype: st.tuples(
        st.just(dtype),
        st.lists(st.sampled_from([*RANGES[dtype], 0, 1]) | st.none(), min_size=1, max_size=3),
    )
)


@given(st.lists(INTEGERS, min_size=1, max_size=4))
def test_integers_meet_in_a_type_that_holds_all_if_there_is_one(columns):
    target = holding([pl.Series(values, dtype=dtype) for dtype, values in columns])
    values = {value for _, held in columns for value in held if value is not None}
    fitting = [d for d, (low, high) in RANGES.items() if all(low <= v <= high for v in values)]
    if target is None:
        assert not fitting
    else:
        assert target in fitting
        # Without knowing values, no narrower type holds all that the types with values hold.
        held = [dtype for dtype, of in columns if set(of) - {None}] or [d for d, _ in columns]
        low, high = (pick(RANGES[d][i] for d in held) for i, pick in enumerate((min, max)))
        holding_all = [d for d, (a, b) in RANGES.items() if a <= low and high <= b]
        if holding_all:
            size = {d: b - a for d, (a, b) in RANGES.items()}
            assert size[target] == min(size[d] for d in holding_all)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pl.Series([True]), pl.Series(["a"])),
        (pl.Series([datetime.date(2020, 1, 1)]), pl.Series([NOON])),
        (pl.Series([NOON]), pl.Series([NOON]).dt.replace_time_zone("UTC")),
        (pl.Series([2**53 + 1]), pl.Series([0.5])),
    ],
    ids=str,
)
def test_columns_of_no_one_type_are_told_with_the_way_out(one, other):
    owner, query, answer = answered(one, other, other)
    told = "column 'x' is .* at provider 'p[12]' and .* at provider 'p0', .* by_provider=True"
    with pytest.raises(InvalidInputError, match=told):
        owner.decrypt(answer, query)
    apart = owner.decrypt(answer, query, by_provider=True)
    assert [*apart] == ["p0", "p1", "p2"]
    assert [frame["x"].item() for frame in apart.values()] == [one[0], other[0], other[0]]
    records, faults = owner.decrypt(answer, query, faults="report")
    assert set(records["provider"]) == {"p1", "p2"}
    assert records["x"].dtype == other.dtype
    assert faults.select("provider", "column").rows() == [("p0", "x")]


def test_levels_of_an_enum_do_not_show_where_types_do_not_meet():
    levels = pl.Series([SECRET], dtype=pl.Enum([SECRET]))
    owner, query, answer = answered(levels, pl.Series([1]))
    with pytest.raises(InvalidInputError, match="Enum") as caught:
        owner.decrypt(answer, query)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(owner.decrypt(answer, query, faults="report").faults)


def test_a_hospital_without_a_value_in_a_column_hides_nobodys_rows():
    scene = Scene(Schema(age=Field(0, 120), sbp=Field(60, 260)), "a", "b", "c")
    full = {"id": [1], "age": [40], "sbp": [120], "weight": [70.5]}
    scene.send("a", full)
    scene.send("b", pl.read_csv(b"id,age,sbp,weight\n1,41,,\n2,42,,\n"))
    scene.send("c", pl.DataFrame({**full, "sbp": [None], "weight": [None]}))
    found = scene.ask(scene.owner, age=(0, 120)).sort("provider", "id")
    assert found["weight"].to_list() == [70.5, None, None, None]
    assert found["sbp"].to_list() == [120, None, None, None]
    assert scene.ask(scene.owner, sbp=(None, None)).height == 1


# Types that a schema declares

TYPED = Schema(
    {"pulse rate": Field(30, 220)},
    types={"note": pl.String, "dose": pl.Float64(), "pulse rate": pl.Int16, "seen": pl.Date},
)


def test_columns_get_the_types_of_the_schema_when_they_are_encrypted():
    scene = Scene(TYPED, "a", "b")
    scene.send("a", {"id": [1], "pulse rate": [60], "note": [None], "dose": [1], "seen": [None]})
    day = pl.Series([datetime.datetime(2020, 1, 1)])
    rest = {"note": pl.Series(["x"], dtype=pl.Categorical), "dose": [0.5], "seen": day}
    scene.send("b", {"id": [1], "pulse rate": [61.0], **rest})
    found = scene.ask(scene.owner, {"pulse rate": (0, None)}).sort("provider")
    expected = {"pulse rate": pl.Int16, "note": pl.String, "dose": pl.Float64, "seen": pl.Date}
    assert {name: found.schema[name] for name in expected} == expected
    assert found.select(*expected).rows() == [
        (60, None, 1.0, None),
        (61, "x", 0.5, datetime.date(2020, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        ({"dose": ["high"]}, WrongTypeError, "column 'dose' is String, declared as Float64"),
        ({"note": [1]}, WrongTypeError, "column 'note' is Int64, declared as String"),
        ({"dose": [None, 2**53 + 1]}, InvalidInputError, "column 'dose', row 1: Float64 does not"),
        ({"seen": [NOON]}, InvalidInputError, "column 'seen', row 0: Date does not hold"),
        ({"pulse rate": [60.5]}, InvalidInputError, "column 'pulse rate', row 0: Int16 does not"),
    ],
    ids=str,
)
def test_what_the_declared_type_does_not_hold_is_refused_by_column_and_row(column, error, message):
    [values] = column.values()
    table = {"id": range(len(values)), "pulse rate": [60] * len(values), **column}
    with pytest.raises(error, match=message):
        Owner.generate(TYPED).authorize("a").encrypt(pl.DataFrame(table), id="id")


def test_the_declared_type_decides_whose_records_are_odd():
    schema = Schema(age=Field(0, 120), types={"x": pl.String})
    scene = Scene(schema, "a", "b", "c")
    scene.send("a", {"id": [1], "age": [40], "x": ["text"]})
    for path in ("b", "c"):
        truth = ("x", "boolean", "Boolean", np.array([True]), VALID)
        scene.cloud.receive(craft(scene[path], truth))
    records, faults = scene.owner.ask(scene.cloud, faults="report", age=40)
    assert records["x"].to_list() == ["text"]
    assert sorted(faults["provider"]) == ["b", "c"]


def test_types_change_no_digest_and_are_given_again_to_a_saved_keyring(tmp_path):
    plain = Schema({"pulse rate": Field(30, 220)})
    assert plain == TYPED
    assert plain.digest == TYPED.digest
    assert dict(plain.types) == {}
    assert TYPED.types["pulse rate"] == pl.Int16()
    owner = Owner.generate(TYPED)
    assert owner.authorize("a").schema.types == TYPED.types
    owner.save(tmp_path / "owner", "password")
    assert not Owner.open(tmp_path / "owner", "password").schema.types
    again = Owner.open(tmp_path / "owner", "password", schema=TYPED)
    assert again.schema.types == TYPED.types
    with pytest.raises(InvalidInputError, match="its fields differ"):
        Owner.open(tmp_path / "owner", "password", schema=SCHEMA)


@pytest.mark.parametrize(
    "types",
    [5, ["x"], {5: pl.Int8}, {"x": "Int8"}, {"x": pl.Enum}, {"x": pl.List(pl.Int8)}, Field(0, 9)],
    ids=str,
)
def test_types_that_are_none_are_refused(types):
    with pytest.raises(WrongTypeError):
        Schema(age=Field(0, 120), types=types)


def test_a_schema_takes_fields_of_any_name_first():
    schema = Schema({"types": Field(0, 9), "pulse rate": Field(0, 9)}, age=Field(0, 120))
    assert list(schema) == ["types", "pulse rate", "age"]
    assert schema == Schema({"types": Field(0, 9), "pulse rate": Field(0, 9), "age": Field(0, 120)})
    with pytest.raises(InvalidInputError, match="field 'age' is given twice"):
        Schema({"age": Field(0, 9)}, age=Field(0, 9))
    for wrong in (5, [Field(0, 9)], {5: Field(0, 9)}, {"age": 5}):
        with pytest.raises(WrongTypeError):
            Schema(wrong)


@pytest.mark.parametrize(
    "far",
    [
        pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date),
        pl.Series([2**62]).cast(pl.Datetime("ms")),
    ],
)
def test_times_that_could_not_be_opened_are_not_sealed(far):
    table = pl.DataFrame({"id": [1, 2], "age": [40, 41], "x": pl.concat([far.clear(1), far])})
    with pytest.raises(InvalidInputError, match="column 'x', row 1: no table shows"):
        Owner.generate(SCHEMA).authorize("a").encrypt(table, id="id")


# Files, and arguments


def test_a_file_description_that_does_not_open_is_listed_beside_the_others():
    scene = Scene(SCHEMA, "a", "b")
    for path in ("a", "b"):
        scene.send(path, {"id": [1], "age": [40]})
        scene.cloud.receive(
            scene[path].attach(1, b"text", name="note", media_type="text/plain", keywords=["x"])
        )
    request = scene.owner.find("x")
    listing = scene.cloud.find(request)
    good, bad = sorted(listing._listing.files, key=lambda stored: stored.provider)
    changed = bytearray(bad.description)
    changed[-1] ^= 1
    damaged = StoredFile(
        *(bad.owner, bad.provider, bad.epochs, bad.readers, bad.handle, bad.number),
        *(bytes(changed), None),
    )
    listing = FileListing(Listing(listing._listing.request, [damaged, good]))
    number = f"{bad.number:032x}"
    user = User(SCHEMA, [scene.owner.grant(path) for path in ("a", "b")])
    for opener in (scene.owner, user):
        with pytest.raises(DecryptionError, match=f"provider 'b', file {number}: "):
            opener.files(listing, request)
        files, faults = opener.files(listing, request, faults="report")
        assert files.select("provider", "name").rows() == [("a", "note")]
        assert faults.rows() == [("b", f"{bad.handle:032x}", number, "the file does not open")]
        assert faults.columns == ["provider", "record", "file", "cause"]
    files, faults = scene["a"].files(listing, request, faults="report")
    assert (files["provider"].to_list(), faults["provider"].to_list()) == (["a"], ["b"])
    with pytest.raises(ScopeError):
        scene["a"].files(listing, request)
    for faults in ("raise", "report"):
        with pytest.raises(AnswerError):
            scene["a"].files(listing, scene["a"].find("x"), faults=faults)


@pytest.mark.parametrize("wrong", [None, "", "ignore", 1, ["raise"]])
def test_ways_to_treat_faults_that_are_none_are_refused(wrong):
    scene, query, answer = world(lambda provider: provider.encrypt(ROWS, id="id"))
    request = scene.owner.find("x")
    listing = scene.cloud.find(request)
    for opener in openers(scene):
        with pytest.raises(InvalidInputError, match="faults must be"):
            opener.decrypt(answer, query, faults=wrong)
        with pytest.raises(InvalidInputError, match="faults must be"):
            opener.files(listing, request, faults=wrong)
        with pytest.raises(WrongTypeError, match="by_provider must be"):
            opener.decrypt(answer, query, by_provider="yes")


def test_a_report_of_good_answers_has_no_fault_and_an_empty_one_is_empty():
    scene, query, answer = world(lambda provider: provider.encrypt(ROWS, id="id"))
    for opener in openers(scene):
        opened = opener.decrypt(answer, query, faults="report")
        assert opened.records.equals(opener.decrypt(answer, query))
        assert opened.faults.is_empty()
    nothing = scene.owner.query(age=(500, None))
    empty = scene.cloud.search(nothing)
    assert scene.owner.decrypt(empty, nothing, by_provider=True) == {}
    assert scene.owner.decrypt(empty, nothing, faults="report").records.is_empty()
    assert mopse.Opened is Opened


def test_who_authorises_many_has_no_more_to_say_of_a_columns_type():
    owner, cloud = Owner.generate(Schema(age=Field(0, 99))), mopse.Cloud()
    honest = [owner.authorize(name) for name in ("north", "south")]
    odd = owner.authorize("odd")
    wards = [odd.authorize(f"ward {number}") for number in range(5)]
    cloud.enroll(owner.public)
    cloud.enroll(odd.announcements)
    for provider, note in [
        *((h, "text") for h in honest),
        *((w, datetime.date(2000, 1, 1)) for w in wards),
    ]:
        rows = {"id": [1, 2], "age": [41, 42], "note": [note, note]}
        cloud.receive(provider.encrypt(rows, id="id"))
    owner.catch_up(cloud)
    for ward in wards:
        owner.learn(ward.public)
    records, faults = owner.ask(cloud, age=(0, 99), faults="report")
    assert set(records["provider"]) == {"north", "south"}
    assert set(faults["provider"]) == {f"odd/ward {number}" for number in range(5)}
