"""Slips of a newcomer: misspelt names, ids that read alike, bare strings for lists, mixed types."""

import contextlib
import unicodedata
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scene import Scene

import mopse
from mopse._checks import near
from mopse.errors import InvalidInputError, MopseError, WrongTypeError
from mopse.messages import Receipt

AGE = mopse.Field(0, 120)
ROWS = {"id": [1, 2], "age": [41, 70], "phone": ["1", "2"], "note": ["a", "b"]}
DECOMPOSED = unicodedata.normalize("NFD", "Zürich-17")
HIDDEN = ["17\u200b", "\ufeff17", "1\u00ad7", "17\x00", "१७\u200d"]


def scene_of(*paths: str, **declared) -> Scene:
    return Scene(mopse.Schema(age=AGE, **declared), *(paths or ("hospital",)))


# Names


@pytest.mark.parametrize(
    ("name", "like"),
    [
        *(("phnoe", "phone"), ("hpone", "phone"), ("phon", "phone"), ("phonee", "phone")),
        *(("phine", "phone"), ("PHONE ", "phone"), ("\ufeffid", "id"), ("recordId", "record_id")),
        *(("home phnoe", "home_phone"), ("ages", "age"), ("bmi", "BMI"), ("zip\u200b", "zip")),
    ],
)
def test_a_slip_is_near_what_was_meant(name, like):
    assert near(name, ["other", like]) == like
    assert near(like, ["other", name]) == name


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *(("weight", "height"), ("phone_1", "phone_2"), ("glucose_am", "glucose_pm")),
        *(("sbp", "dbp"), ("systolic", "diastolic"), ("min", "max"), ("date_from", "date_to")),
        *(("", "a"), ("note", "node"), (5, "5"), (None, "None"), ("\ud800", "a"), ("-", "_")),
    ],
)
def test_a_name_of_something_else_is_not_near(name, other):
    assert near(name, [other]) is None


@pytest.mark.parametrize("method", ["encrypt", "update"])
def test_a_misspelt_column_of_a_portion_is_not_sealed_in_the_rest(method):
    scene = scene_of(portions={"contact": ["phnoe"]})
    with pytest.raises(InvalidInputError, match=r"portion 'contact'.*'phnoe'.*'phone'") as caught:
        getattr(scene["hospital"], method)(ROWS, id="id", **told(scene, method))
    assert "'1'" not in str(caught.value)


def told(scene: Scene, method: str) -> dict:
    return {"cloud": scene.cloud} if method == "update" else {}


@pytest.mark.parametrize(
    "portions",
    [
        {"contact": ["phone", "phnoe"]},
        {"contact": ["phnoe"], "other": ["phone"]},
        {"contact": ["fax", "letters"]},
        {"contact": []},
    ],
    ids=["both", "elsewhere", "nothing near", "empty"],
)
def test_a_column_that_a_table_lacks_is_no_slip_where_nothing_is_near(portions):
    scene = scene_of(portions=portions)
    scene.send("hospital", ROWS)
    assert scene.ask(scene.owner, age=41)["phone"].to_list() == ["1"]


def test_a_misspelt_column_of_a_type_is_not_left_as_it_is():
    scene = scene_of(types={"agee": pl.Int16})
    with pytest.raises(InvalidInputError, match=r"types: .*'agee'.*'age' has no declared type"):
        scene["hospital"].encrypt(ROWS, id="id")
    scene = scene_of(types={"agee": pl.Int16, "age": pl.Int16, "fax": pl.String})
    scene.send("hospital", ROWS)
    assert scene.ask(scene.owner, age=41)["age"].dtype == pl.Int16


def test_what_is_missing_is_named_with_what_there_is():
    scene = scene_of()
    rows = {"Id": [1], "age": [41]}
    with pytest.raises(InvalidInputError, match=r"no column 'id' of ids: did you mean 'Id'\?"):
        scene["hospital"].encrypt(rows, id="id")
    with pytest.raises(InvalidInputError, match=r"for field 'age': did you mean 'age '\?"):
        scene["hospital"].encrypt({"id": [1], "age ": [41]}, id="id")
    with pytest.raises(InvalidInputError, match=r"for field 'age': there are 'id', 'sbp'$"):
        mopse.leakage_report({"id": [1], "sbp": [41]}, scene.schema)
    with pytest.raises(InvalidInputError, match=r"no field 'aeg': did you mean 'age'\?"):
        scene.owner.query(aeg=40)
    wide = {f"c{number}": [1] for number in range(20)}
    with pytest.raises(InvalidInputError, match=r"'c11' and 8 more$"):
        scene["hospital"].encrypt(wide, id="id")


def test_names_of_portions_are_one_however_they_are_typed():
    typed = unicodedata.normalize("NFD", "Größe")
    schema = mopse.Schema(age=AGE, portions={typed: ["phone"]})
    assert list(schema.portions) == ["Größe"]
    owner = mopse.Owner.generate(schema)
    owner.authorize("hospital")
    assert owner.grant("hospital", portions=[typed])
    for portions in (
        {"Größe": ["a"], typed: ["b"]},
        {"contact": ["a"], "Contact": ["b"]},
        {"contact": ["a"], "c\u043entact": ["b"]},
        {"Rest": ["a"]},
        {"con\u200btact": ["a"]},
        {"contact ": ["a"]},
    ):
        with pytest.raises(InvalidInputError, match="portion"):
            mopse.Schema(age=AGE, portions=portions)


# Ids and labels


def ways_in(scene: Scene, ids: list):
    """Yield every call that takes record ids."""
    hospital, owner = scene["hospital"], scene.owner
    rows = {"id": ids, "age": [41] * len(ids)}
    yield lambda: hospital.encrypt(rows, id="id")
    yield lambda: hospital.update(rows, id="id", cloud=scene.cloud)
    yield lambda: hospital.encrypt(rows, id="id", cloud=scene.cloud)
    yield lambda: hospital.delete(ids, cloud=scene.cloud)
    yield lambda: hospital.lookup(ids)
    yield lambda: owner.lookup(ids, provider="hospital")
    yield lambda: hospital.grant(ids)
    yield lambda: owner.grant("hospital", ids)
    yield lambda: hospital.handles(ids)


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
@pytest.mark.parametrize("bad", [DECOMPOSED, *HIDDEN])
def test_an_id_that_reads_like_another_one_is_refused_wherever_ids_come_in(bad, dtype):
    scene = scene_of()
    for call in ways_in(scene, pl.Series(["fine", "Zürich", bad], dtype=dtype)):
        with pytest.raises(InvalidInputError, match=r"row 2: the id (is not|holds)") as caught:
            call()
        assert bad not in str(caught.value)
    with pytest.raises(InvalidInputError, match="row 0: the id"):
        scene["hospital"].attach(bad, b"x", name="x", media_type="a/b")


def test_ids_are_taken_as_they_are_otherwise():
    ids = [
        "17",
        " 17",
        "17 ",
        "Zürich",
        "東京",
        "O'Brien",
        "a\tb",
        "\uff41",
        "Ⅳ",
        "हिन्दी",
        "🩺",
        "",
    ]
    scene = scene_of()
    scene.send("hospital", {"id": ids, "age": [41] * len(ids)})
    assert sorted(scene.ask(scene.owner, age=41)["id"]) == sorted(ids)
    found = scene["hospital"].lookup(ids)
    assert len(scene.cloud.search(found)) == len(ids)
    assert pl.Series([DECOMPOSED]).str.normalize("NFC").item() == "Zürich-17"  # as is advised


@pytest.mark.parametrize("hidden", ["go\u200bod", "good\ufeff", "g\u00adood", "good\x01"])
def test_categories_that_cannot_be_told_apart_are_refused(hidden):
    with pytest.raises(InvalidInputError, match="cannot be seen, as number 1 does"):
        mopse.Field.categories(["bad", hidden])
    for space in ("very\u00a0good", "very  good", " very good"):
        with pytest.raises(InvalidInputError, match=r"categories must .* differ"):
            mopse.Field.categories(["very good", space])
    field = mopse.Field.categories(["bad", "good"])
    with pytest.raises(InvalidInputError, match="row 0 is no category"):
        field.plaintexts_of(pl.Series("state", [hidden]))
    with pytest.raises(InvalidInputError, match="no category"):
        field.range(hidden, None)


# Lists and types


def test_a_bare_string_is_no_list():
    scene = scene_of(portions={"contact": ["phone"]})
    hospital, owner = scene["hospital"], scene.owner
    for call in (
        lambda: mopse.Field.categories("abc"),
        lambda: mopse.Schema(age=AGE, portions={"contact": "phone"}),
        lambda: mopse.Schema(age=AGE, portions="phone"),
        lambda: hospital.attach(1, b"x", name="x", media_type="a/b", keywords="x-ray"),
        lambda: hospital.encrypt(ROWS, id="id", accept_leakage="age"),
        lambda: hospital.lookup("17"),
        lambda: hospital.delete("17", cloud=scene.cloud),
        lambda: hospital.grant("17"),
        lambda: hospital.handles("17"),
        lambda: hospital.lookup({"id": [17]}),
        lambda: owner.grant("hospital", portions="contact"),
        lambda: owner.grant("hospital", "17"),
        lambda: owner.find(["x-ray"]),
        lambda: mopse.User(scene.schema, owner.grant("hospital")),
        lambda: mopse.merge("runs"),
    ):
        with pytest.raises(WrongTypeError):
            call()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a", None, 7], "str up to row 1, integer in row 2"),
        ([7, 8, "a"], "integer up to row 1, str in row 2"),
        ([7, True], "integer up to row 0, truth value in row 1"),
        ([True, 7], "truth value up to row 0, integer in row 1"),
        ([7, 2**70], "an integer of more than 64 bits in row 1"),
        ([7, b"x"], "integer up to row 0, bytes in row 1"),
    ],
)
def test_the_first_row_of_another_type_is_named(values, said):
    scene = scene_of()
    hospital = scene["hospital"]
    age = [41] * len(values)
    for call in (
        lambda: hospital.encrypt({"id": values, "age": age}, id="id"),
        lambda: hospital.encrypt({"id": range(len(values)), "age": age, "x": values}, id="id"),
        lambda: hospital.lookup(values),
        lambda: hospital.delete(values, cloud=scene.cloud),
        lambda: hospital.grant(values),
        lambda: hospital.handles(values),
    ):
        with pytest.raises(WrongTypeError, match=said) as caught:
            call()
        assert str(2**70) not in str(caught.value)


class Unsized:
    """A sequence that is none."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, at: int) -> int:
        raise IndexError(at)


JUNK = [
    *(None, True, 1.5, 10**30, "", "\ud800", b"x", bytearray(b"q"), memoryview(b"x"), 1j, ..., len),
    *([], [None], [[1]], [1, "a"], [pl.Series([1])], [range(3)], {}, {"a": 1}, {1}, iter([1])),
    *([Decimal("NaN")], [Decimal("sNaN")], [Decimal("1e99999")], [object()], Unsized()),
    *(np.array(1), np.array([object()]), np.array([[1]]), np.datetime64("NaT"), pd.NaT, pd.NA),
    *(
        pl.DataFrame({"id": [1]}),
        pl.LazyFrame({"id": [1]}),
        pd.DataFrame({"id": [1]}),
        pl.col("id"),
    ),
    *(pl.Series([[1]]), pl.Series([None]), mopse.Schema(age=AGE), pl.Int8),
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: type(junk).__name__)
def test_nothing_raises_what_is_not_ours(junk):
    scene = scene_of()
    scene.send("hospital", ROWS)
    hospital, owner = scene["hospital"], scene.owner
    handles = hospital.handles([1])
    for call in (
        lambda: hospital.encrypt(junk, id="id"),
        lambda: hospital.encrypt(ROWS, id=junk),
        *(
            lambda of=of, rows=rows: hospital.encrypt({**ROWS, of: rows}, id="id")
            for of in ROWS
            for rows in (junk, [junk, junk], [junk, ROWS[of][1]], [ROWS[of][0], junk])
        ),
        lambda: hospital.update(ROWS, id="id", versions=junk),
        lambda: hospital.delete(junk, cloud=scene.cloud),
        lambda: hospital.lookup(junk),
        lambda: hospital.grant(junk),
        lambda: hospital.handles(junk),
        lambda: hospital.attach(junk, b"x", name="n", media_type="a/b"),
        lambda: hospital.attach(1, b"x", name="n", media_type="a/b", keywords=junk),
        lambda: hospital.entries(junk, [1], handles),
        lambda: hospital.entries("age", junk, handles),
        lambda: owner.query(junk),
        lambda: owner.query(age=junk),
        lambda: owner.query(age=(junk, None)),
        lambda: owner.grant("hospital", portions=junk),
        lambda: mopse.User(scene.schema, junk),
        lambda: mopse.Field.categories(junk),
        lambda: mopse.Field.categories(["a", junk]),
        lambda: mopse.Schema(age=AGE, portions={"a": junk}),
        lambda: mopse.Schema(age=AGE, types={"a": junk}),
        lambda: AGE.plaintexts_of(junk),
        lambda: mopse.merge(junk),
        lambda: scene.cloud.receive(junk),
    ):
        with contextlib.suppress(MopseError):
            call()


@pytest.mark.parametrize(
    "ids", [pl.DataFrame({"id": [1]}), pd.DataFrame({"id": [1]}), {"id": [1]}, bytearray(b"12")]
)
def test_names_and_bytes_are_not_taken_for_ids(ids):
    scene = scene_of()
    for call in ways_out(scene, ids):
        with pytest.raises(WrongTypeError, match="ids must be"):
            call()


def ways_out(scene: Scene, ids):
    """Yield every call that takes record ids and no table."""
    yield lambda: scene["hospital"].lookup(ids)
    yield lambda: scene["hospital"].delete(ids, cloud=scene.cloud)
    yield lambda: scene["hospital"].grant(ids)
    yield lambda: scene["hospital"].handles(ids)


def test_two_types_at_one_provider_are_told_with_what_helps():
    scene = scene_of("a", "b")
    scene.send("a", {"id": [1, 2], "age": [41, 42]})
    scene.send("a", {"id": ["3"], "age": [43]})
    scene.send("b", {"id": [1], "age": [44]})
    query = scene.owner.query(age=(None, None))
    answer = scene.cloud.search(query)
    for by_provider in (False, True):
        told = r"Int64 at provider 'a' .*String at provider 'a'.* faults='report'.* provider 'a'"
        with pytest.raises(InvalidInputError, match=told) as caught:
            scene.owner.decrypt(answer, query, by_provider=by_provider)
        assert "by_provider" not in str(caught.value)
        records, faults = scene.owner.decrypt(
            answer, query, by_provider=by_provider, faults="report"
        )
        frames = records if by_provider else {"": records}
        assert sum(len(frame) for frame in frames.values()) == 3
        assert faults["cause"].to_list() == ["it is String, and Int64 elsewhere"]


# What was done, and what is empty


def test_a_receipt_of_what_comes_again_says_that_nothing_was_done():
    scene = scene_of()
    upload = scene.send("hospital", ROWS)
    again = scene.cloud.receive(upload)
    assert again == Receipt("hospital", 2, 0, 0, 0, repeated=True)
    assert repr(again) == (
        "Receipt(repeated=True: nothing was done now; the first time provider='hospital', "
        "added=2, replaced=0, removed=0, files=0)"
    )


def test_an_answer_of_nothing_has_the_columns_that_are_known():
    schema = mopse.Schema(
        age=AGE,
        smoker=mopse.Field.boolean(),
        state=mopse.Field.categories(["bad", "good"]),
        types={"note": pl.String, "age": pl.Int16},
        bmi=mopse.Field(8, 100),
    )
    scene = Scene(schema, "hospital")
    query = scene.owner.query(age=40)
    answer = scene.cloud.search(query)
    nothing = scene.owner.decrypt(answer, query)
    assert dict(nothing.schema) == {
        "age": pl.Int16,
        "smoker": pl.Boolean,
        "state": pl.String,
        "bmi": pl.Null,
        "note": pl.String,
        "provider": pl.String,
    }
    assert nothing.filter(pl.col("age") > 3, pl.col("bmi") > 3, pl.col("smoker")).is_empty()
    assert scene.owner.decrypt(answer, query, faults="report").records.schema == nothing.schema
    assert scene.owner.decrypt(answer, query, by_provider=True) == {}
    user = mopse.User(schema, [scene.owner.grant("hospital")])
    assert user.decrypt(answer, query).schema == nothing.schema
    rows = {
        "id": [1],
        "age": [40],
        "smoker": [True],
        "state": ["bad"],
        "bmi": [20.0],
        "note": ["x"],
    }
    scene.cloud.receive(
        scene["hospital"].encrypt(rows, id="id", accept_leakage=["smoker", "state"])
    )
    found = scene.ask(scene.owner, age=40)
    joined = pl.concat([nothing, found], how="diagonal_relaxed")
    assert joined.select(found.columns).equals(found)
    never = scene.ask(scene.owner, age=(500, None))
    assert never.schema == nothing.schema
