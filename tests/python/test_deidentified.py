"""De-identified portions: what a researcher opens, cannot undo, and learns nevertheless."""

import datetime
import hashlib
import hmac
import pickle
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scene import Scene

import mopse
from mopse import Field, Provider, Schema, User
from mopse._deidentified import read_rules, written_rules
from mopse._derived import coarse
from mopse.errors import DamagedFileError, InvalidInputError, MopseError, WrongTypeError
from mopse.sharing import coarsen, deidentified, drop, keep, pseudonym, shift_dates

SEED = 7
DAY = datetime.date
RULES = {
    "patient": pseudonym(),
    "name": drop(),
    "age": coarsen(10, top=90),
    "diagnosis": keep(),
    "region": coarsen({"Kiel": "north", "Ulm": "south"}),
    "born": coarsen("year"),
    "admitted": shift_dates(days=365),
    "left": shift_dates(days=365),
}
SCHEMA = Schema(
    {"research.age": Field(0, 120, step=10)},
    age=Field(0, 120),
    portions={
        "personal": ["name", "patient"],
        "medical": ["age", "diagnosis", "admitted", "left"],
        "research": deidentified(RULES, subject="patient"),
    },
)
TABLE = pl.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "patient": ["p1", "p2", "p1", "p3"],
        "name": ["Ann", "Bob", "Ann", "Eve"],
        "age": [41, 95, 42, 89],
        "diagnosis": ["flu", None, "gout", "flu"],
        "region": ["Kiel", "Ulm", "Kiel", None],
        "born": [DAY(1979, 5, 4), DAY(1925, 1, 1), DAY(1979, 5, 4), DAY(1931, 12, 31)],
        "admitted": [DAY(2020, 1, 5), DAY(2020, 6, 1), DAY(2020, 12, 30), DAY(2020, 3, 1)],
        "left": [
            datetime.datetime(2020, 1, 9, 23, 59),
            None,
            datetime.datetime(2021, 1, 2, 0, 1),
            datetime.datetime(2020, 3, 1, 12),
        ],
        "note": ["w", "x", "y", "z"],
    }
)
RELEASED = [
    *("research.patient", "research.age", "diagnosis", "research.region", "research.born"),
    *("research.admitted", "research.left"),
]


def read(scene: Scene, *portions: str, path: str = "hospital", **ranges: tuple) -> pl.DataFrame:
    """Return what a reader of some portions of a provider opens, in the order of the answer."""
    ranges = ranges or {"age": (0, 120)}
    query = scene.owner.query(ranges)
    reader = User(SCHEMA, [scene.owner.grant(path, portions=list(portions))])
    answer = scene.cloud.search(query)
    records, _ = reader.decrypt(answer, query, faults="report")
    scene.unchecked = answer.unchecked
    return records.drop("provider")


@pytest.fixture(scope="module")
def scene() -> Scene:
    made = Scene(SCHEMA, "hospital", "clinic", seed=SEED)
    made.send("hospital", TABLE)
    return made


def whole(scene: Scene) -> pl.DataFrame:
    """Return all columns of all records, as the owner opens them."""
    return scene.ask(scene.owner, age=(0, 120)).sort("id")


# What is opened


def test_a_researcher_opens_what_is_named_and_no_other_column(scene):
    assert sorted(read(scene, "research").columns) == sorted(RELEASED)


def test_other_portions_hold_the_originals(scene):
    found = read(scene, "medical")
    assert_frame_equal(found.sort("admitted"), TABLE.select(found.columns).sort("admitted"))
    assert "research.age" not in read(scene, "rest", "personal", "medical").columns


def test_who_opens_both_sees_both_under_their_names(scene):
    found = whole(scene)
    assert_frame_equal(found.select(TABLE.columns), TABLE)
    assert found["research.age"].to_list() == [40, 90, 40, 80]
    assert found["research.region"].to_list() == ["north", "south", "north", None]
    assert found["research.born"].to_list() == [
        DAY(year, 1, 1) for year in (1979, 1925, 1979, 1931)
    ]
    assert set(found.columns) == {*TABLE.columns, *RELEASED, "provider"}
    released = read(scene, "research")
    assert_frame_equal(
        found.select(RELEASED).sort(RELEASED), released.select(RELEASED).sort(RELEASED)
    )


def test_a_column_that_is_named_nowhere_is_in_the_rest_alone(scene):
    assert "note" in read(scene, "rest").columns
    for portion in ("research", "medical", "personal"):
        assert "note" not in read(scene, portion).columns


def test_dates_of_a_subject_are_shifted_alike_so_that_the_days_between_them_stay(scene):
    found = whole(scene)
    shifts = (found["research.admitted"] - found["admitted"]).dt.total_days()
    assert shifts[0] == shifts[2]
    assert len(set(shifts)) == 3, "of three subjects under the known key"
    assert shifts.abs().max() <= 365
    left = (found["research.left"] - found["left"].dt.date()).dt.total_days()
    assert left.to_list() == [shifts[0], None, shifts[2], shifts[3]]
    assert found["research.left"].dtype == pl.Date, "the time of day goes"


def test_a_saved_keyring_and_who_it_authorises_know_the_rules(scene, tmp_path):
    scene["hospital"].save(tmp_path / "k", "password")
    opened = Provider.open(tmp_path / "k", "password")
    assert opened.schema.deidentified == SCHEMA.deidentified
    for provider in (opened, opened.authorize("ward")):
        upload = provider.encrypt(TABLE, id="id")
        assert provider.schema.portions["research"] == tuple(RELEASED)
        assert "research" in str(provider.schema)
        assert len(upload) == 4
    narrower = Schema(dict(SCHEMA), portions={"medical": ["age"]})
    with pytest.raises(InvalidInputError, match=r"research\.age"):
        Provider.open(tmp_path / "k", "password", schema=narrower).encrypt(TABLE, id="id")
    same = Provider.open(tmp_path / "k", "password", schema=Schema(dict(SCHEMA)))
    assert same.schema.deidentified == SCHEMA.deidentified


def test_an_update_derives_anew():
    scene = Scene(SCHEMA, "hospital", seed=SEED)
    scene.send("hospital", TABLE)
    before = whole(scene)
    changed = TABLE[:1].with_columns(age=pl.lit(77, pl.Int64), admitted=pl.lit(DAY(2019, 1, 5)))
    scene.cloud.receive(scene["hospital"].update(changed, id="id", cloud=scene.cloud))
    after = whole(scene)
    assert after["research.age"][0] == 70
    assert (before["research.admitted"][0] - after["research.admitted"][0]).days == 365
    assert after["research.patient"][0] == before["research.patient"][0]


def test_a_renewal_leaves_what_was_derived():
    scene = Scene(SCHEMA, "hospital", "clinic", seed=SEED)
    scene.send("hospital", TABLE)
    before = whole(scene)
    scene.owner.revoke("clinic")
    hospital = scene.authorize("hospital")
    scene.enroll()
    hospital.catch_up(scene.cloud)
    assert hospital.renew(scene.cloud) == 4
    assert_frame_equal(whole(scene), before)
    scene.cloud.receive(hospital.update(TABLE[:1], id="id", cloud=scene.cloud))
    after = whole(scene)
    assert after["research.patient"][0] != before["research.patient"][0], "of the new epoch"


# What it cannot undo: an independent oracle


def child(key: bytes, purpose: bytes, label: bytes) -> bytes:
    def sized(part: bytes) -> bytes:
        return len(part).to_bytes(4, "big") + part

    text = b"mopse/v1" + sized(purpose) + sized(label) + bytes(4)
    return hmac.new(key, text, hashlib.sha256).digest()


def hospital_key() -> bytes:
    root = hashlib.sha256(b"mopse insecure seed %d" % SEED).digest()
    return child(root, b"node", b"hospital")


def test_pseudonyms_and_shifts_are_those_of_the_provider_s_key(scene):
    def labelled(part: str) -> bytes:
        return len(part).to_bytes(8, "little") + part.encode()

    of_pseudonyms = child(hospital_key(), b"pseudonym", labelled("research") + labelled("patient"))
    of_shifts = child(hospital_key(), b"shift", (365).to_bytes(4, "big"))
    found = whole(scene)
    for row in found.iter_rows(named=True):
        subject = b"s" + row["patient"].encode()
        digest = hmac.new(of_pseudonyms, subject, hashlib.sha256).hexdigest()
        assert row["research.patient"] == digest[:32]
        words = hmac.new(of_shifts, subject + bytes(4), hashlib.sha256).digest()
        shift = int.from_bytes(words[:8], "big") * 731 // 2**64 - 365
        assert (row["research.admitted"] - row["admitted"]).days == shift


def test_another_provider_owner_or_portion_has_other_pseudonyms_and_shifts():
    portions = {
        "one": deidentified(id=pseudonym(), seen=shift_dates(days=3000)),
        "two": deidentified(id=pseudonym(), seen=shift_dates(days=3000)),
    }
    schema = Schema(age=Field(0, 120), portions=portions)
    table = {"id": [1, 2, 3], "age": [1, 2, 3], "seen": [DAY(2000, 1, 1)] * 3}
    frames = []
    for seed in (1, 2):
        scene = Scene(schema, "hospital", "clinic", seed=seed)
        scene.send(["hospital", "clinic"], table)
        found = scene.ask(scene.owner, age=(0, 120)).sort("id")
        assert found["one.seen"].equals(found["two.seen"]), "two shifts would meet in fewer dates"
        frames += found.partition_by("provider")
    names = [name for of in frames for part in ("one.id", "two.id") for name in of[part]]
    assert len(set(names)) == len(names) == 24
    assert len({tuple(of["one.seen"]) for of in frames}) == 4


def test_within_a_group_a_patient_of_two_hospitals_is_one():
    research = deidentified(patient=pseudonym(), seen=shift_dates(days=3000), subject="patient",
                            within="group")  # fmt: skip
    schema = Schema(age=Field(0, 120), portions={"research": research})
    scene = Scene(schema, "hospital", "clinic", "clinic/ward", seed=1)
    table = pl.DataFrame({"patient": [7, 8], "age": [1, 2], "seen": [DAY(2000, 1, 1)] * 2})
    for path, ids in {"hospital": [1, 2], "clinic": [3, 4], "clinic/ward": [5, 6]}.items():
        scene.send(path, table.with_columns(id=pl.Series(ids)))
    found = scene.ask(scene.owner, age=(0, 120)).sort("id")
    names, dates = found["research.patient"].to_list(), found["research.seen"].to_list()
    assert names[:2] == names[2:4]
    assert dates[:2] == dates[2:4]
    assert len(set(names)) == 4, "the ward is in another group"


def test_a_reader_of_the_portion_opens_nothing_else_of_it(scene):
    granted = scene.owner.grant("hospital", portions=["research"])
    query = scene.owner.query(age=(0, 120))
    records = User(SCHEMA, [granted]).decrypt(scene.cloud.search(query), query)
    values = {value for column in records for value in column.cast(pl.String).to_list()}
    secret = {"Ann", "Bob", "Eve", "p1", "p2", "p3", "41", "95", "42", "89", "Kiel", "Ulm"}
    assert not values & secret


# Searching


def test_a_query_of_the_original_gives_a_superset_which_is_unchecked():
    wide = Schema(
        age=Field(0, 119, cell=20),
        portions={"research": deidentified(age=coarsen(10))},
    )
    scene = Scene(wide, "hospital", seed=1)
    scene.send("hospital", {"id": [1, 2, 3], "age": [41, 55, 70]})
    query = scene.owner.query(age=(50, 58))
    reader = User(wide, [scene.owner.grant("hospital", portions=["research"])])
    answer = scene.cloud.search(query)
    assert sorted(reader.decrypt(answer, query)["research.age"]) == [40, 50]
    assert answer.unchecked == ("age",)
    assert scene.owner.decrypt(scene.cloud.search(query), query)["age"].to_list() == [55]


def test_a_derived_column_can_be_a_field_and_is_then_checked(scene):
    found = read(scene, "research", **{"research.age": (40, 80)})
    assert sorted(found["research.age"]) == [40, 40, 80]
    assert scene.unchecked == ()


def test_bounds_tell_a_researcher_the_true_value_to_the_cell(scene):
    """Membership in the answers of seven nested queries pins every age; coarse bounds pin none."""
    located = {}
    fine = {name: [0, 120] for name in read(scene, "research")["research.admitted"]}
    for low in range(121):
        for date in read(scene, "research", age=(low, None))["research.admitted"]:
            fine[date][0] = max(fine[date][0], low)
    located = {row[0]: row[1] for row in whole(scene)["research.admitted", "age"].iter_rows()}
    assert {date: low for date, (low, _) in fine.items()} == located
    coarse_bounds = {}
    for low in range(0, 120, 10):
        for date in read(scene, "research", age=(low, None))["research.admitted"]:
            coarse_bounds[date] = low
    assert coarse_bounds == {date: age // 10 * 10 for date, age in located.items()}


# Coarsening, against exact arithmetic


WIDTHS = st.one_of(st.integers(1, 10**6), st.sampled_from([0.1, 0.5, 2.5, 0.05, 1e-3]))


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.integers(1, 10**6),
    st.none() | st.integers(-1000, 1000),
)
def test_whole_numbers_become_the_multiple_below(values, width, top):
    column, rule = pl.Series("x", values, pl.Int64), coarsen(width, top=top)
    expected = [top if top is not None and x >= top else x // width * width for x in values]
    if all(x >= -(2**63) for x in expected):
        made = coarse(column, rule)
        assert made.to_list() == expected
        assert made.dtype == pl.Int64
    else:
        with pytest.raises(InvalidInputError, match="row"):
            coarse(column, rule)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.integers(0, 4), WIDTHS)
def test_floats_become_the_decimal_multiple_below(digits, places, width):
    values = [int(x) / 10**places for x in digits]
    exact = Fraction(str(width))
    expected = [float(Fraction(str(x)) // exact * exact) for x in values]
    assert coarse(pl.Series("x", values), coarsen(width)).to_list() == expected


@given(st.lists(st.dates(DAY(1, 1, 1), DAY(9999, 12, 31)), min_size=1))
def test_dates_become_the_first_day(dates):
    column = pl.Series("x", dates)
    assert coarse(column, coarsen("year")).to_list() == [
        day.replace(month=1, day=1) for day in dates
    ]
    assert coarse(column, coarsen("month")).to_list() == [day.replace(day=1) for day in dates]
    quarters = [day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1) for day in dates]
    assert coarse(column, coarsen("quarter")).to_list() == quarters


def test_every_type_of_number_is_kept():
    for dtype in (pl.Int8, pl.Int16, pl.UInt8, pl.UInt64, pl.Float32, pl.Float64):
        made = coarse(pl.Series("x", [7, None, 95], dtype=dtype), coarsen(10, top=90))
        assert made.to_list() == [0, None, 90]
        assert made.dtype == dtype
    largest = pl.Series("x", [2**64 - 1], dtype=pl.UInt64)
    assert coarse(largest, coarsen(2)).to_list() == [2**64 - 2]
    assert coarse(pl.Series("x", [0.3], dtype=pl.Float32), coarsen(0.1)).cast(pl.String)[0] == "0.3"
    assert coarse(pl.Series("x", [3, 4]), coarsen({3: "odd", 4: "even"})).to_list() == [
        "odd",
        "even",
    ]
    enum = pl.Series("x", ["a", None], dtype=pl.Enum(["a"]))
    assert coarse(enum, coarsen({"a": "A"})).to_list() == ["A", None]
    assert coarse(pl.Series("x", [None, None]), coarsen(10)).to_list() == [None, None]


# Rules as they are kept


def test_rules_survive_pickle_and_the_keyring_s_words():
    odd = deidentified(
        {"a b": coarsen(Fraction(1, 3)), "z": coarsen(0.05, top=0), "n": coarsen({1: "x", 2: "y"})},
        t=coarsen({"ä": "b"}),
        within="group",
    )
    portions = {**SCHEMA.deidentified, "oddé": odd}
    assert read_rules(written_rules(portions)) == portions
    assert read_rules("") == {}
    assert pickle.loads(pickle.dumps(SCHEMA)).deidentified == SCHEMA.deidentified
    assert hash(odd) == hash(pickle.loads(pickle.dumps(odd)))
    assert eval(repr(odd), {**vars(mopse.sharing), "Fraction": Fraction}) == odd
    for words in ("{", "[]", '{"a": 1}', '{"a": {"rules": [["x", {"kind": "no"}]], "subject": 1}}'):
        with pytest.raises(DamagedFileError):
            read_rules(words)


# Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: coarsen(0), "above zero"),
        (lambda: coarsen(-5), "above zero"),
        (lambda: coarsen(float("nan")), "finite"),
        (lambda: coarsen(float("inf")), "finite"),
        (lambda: coarsen("week"), "month"),
        (lambda: coarsen("year", top=5), "top"),
        (lambda: coarsen({}), "at least one"),
        (lambda: coarsen({"\u00e9": "a", "e\u0301": "b"}), "twice"),
        (lambda: coarsen({"a": "b", 1: "c"}), "all text"),
        (lambda: coarsen({"a": 1}), "group"),
        (lambda: coarsen(None), "to must be a number"),
        (lambda: coarsen(10**30), "too large"),
        (lambda: shift_dates(days=0), "days"),
        (lambda: shift_dates(days=36_526), "days"),
        (lambda: shift_dates(days=1.5), "days"),
        (lambda: deidentified(), "not dropped"),
        (lambda: deidentified(a=drop()), "not dropped"),
        (lambda: deidentified(a="keep"), "'a'"),
        (lambda: deidentified({"a": keep()}, a=keep()), "twice"),
        (lambda: deidentified(a=keep(), within="owner"), "within"),
        (lambda: deidentified(a=keep(), subject=3), "subject"),
        (lambda: deidentified(a=shift_dates(days=1), b=shift_dates(days=2)), "same days"),
    ],
)
def test_rules_that_cannot_be_are_refused(make, message):
    with pytest.raises(InvalidInputError, match=message):
        make()


@pytest.mark.parametrize(
    "other",
    [
        deidentified(b=shift_dates(days=2)),
        deidentified(b=shift_dates(days=1), subject="a"),
        deidentified(b=shift_dates(days=1), within="group"),
    ],
)
def test_portions_that_shift_differently_are_refused(other):
    one = deidentified(b=shift_dates(days=1))
    with pytest.raises(InvalidInputError, match="'x' and 'y' shift dates differently"):
        Schema(age=Field(0, 9), portions={"x": one, "y": other})


def test_two_portions_that_derive_one_column_are_refused():
    portions = {"a": deidentified({"b.c": pseudonym()}), "a.b": deidentified(c=pseudonym())}
    with pytest.raises(InvalidInputError, match=r"'a' and 'a\.b' both derive a column 'a\.b\.c'"):
        Schema(age=Field(0, 9), portions=portions)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"region": ["Kiel", "Bonn", "Kiel", None]}, InvalidInputError, "'region', row 1"),
        ({"patient": ["a", None, "b", "c"]}, InvalidInputError, "'patient', row 1"),
        ({"patient": [0.5, 1.5, 2.5, 3.5]}, WrongTypeError, "'patient'"),
        ({"born": [1979, 1925, 1979, 1931]}, WrongTypeError, "'born'"),
        ({"admitted": ["2020"] * 4}, WrongTypeError, "'admitted'"),
        ({"admitted": [DAY(9999, 12, 30)] * 4}, InvalidInputError, r"'admitted', row \d: .*9999"),
        ({"admitted": [None, DAY.max, None, None]}, InvalidInputError, "'admitted', row 1.* code"),
        ({"research.age": [1, 2, 3, 4]}, InvalidInputError, "'research.age'"),
    ],
)
def test_values_that_cannot_be_de_identified_are_refused(scene, changes, error, message):
    table = TABLE.with_columns(pl.Series(name, of) for name, of in changes.items())
    with pytest.raises(error, match=message) as refused:
        scene["clinic"].encrypt(table, id="id")
    assert not any(word in str(refused.value) for word in ("Bonn", "9999-12", "1925"))


@pytest.mark.parametrize(
    ("column", "rule", "error", "message"),
    [
        (pl.Series("x", [1.0, float("nan")]), coarsen(1), InvalidInputError, "row 1"),
        (pl.Series("x", [1e300]), coarsen(0.1), InvalidInputError, "too large"),
        (pl.Series("x", [-128], dtype=pl.Int8), coarsen(10), InvalidInputError, "row 0: Int8"),
        (pl.Series("x", [1]), coarsen(0.5), InvalidInputError, "whole"),
        (pl.Series("x", [True]), coarsen(1), WrongTypeError, "Boolean"),
        (pl.Series("x", ["a"]), coarsen(1), WrongTypeError, "String"),
        (pl.Series("x", ["a"]), coarsen({1: "a"}), WrongTypeError, "whole numbers"),
        (pl.Series("x", [1]), coarsen({"a": "a"}), WrongTypeError, "text"),
        (pl.Series("x", [1]), coarsen("year"), WrongTypeError, "year"),
    ],
)
def test_columns_that_cannot_be_coarsened_are_refused(column, rule, error, message):
    with pytest.raises(error, match=message):
        coarse(column, rule)


def test_a_missing_column_is_left_out_but_not_a_slip_or_a_subject(scene):
    clinic = scene["clinic"]
    assert len(clinic.encrypt(TABLE.drop("region", "left"), id="id")) == 4
    with pytest.raises(InvalidInputError, match="'regions'"):
        clinic.encrypt(TABLE.rename({"region": "regions"}), id="id")
    with pytest.raises(InvalidInputError, match="'patient' of subjects"):
        clinic.encrypt(TABLE.drop("patient"), id="id")
    with pytest.raises(MopseError, match=r"research\.age"):
        clinic.encrypt(TABLE.drop("age"), id="id")


def test_with_the_cloud_s_help_a_reader_sees_the_order_of_the_true_values():
    """Ages of one class, and dates under several shifts, in the order that the index has."""
    schema = Schema(
        age=Field(0, 120),
        admitted=Field(DAY(2019, 1, 1), DAY(2021, 12, 31)),
        portions={"research": deidentified(age=coarsen(100), admitted=shift_dates(days=365))},
    )
    scene = Scene(schema, "hospital", seed=2)
    days = [DAY(2020, 1, 1), DAY(2020, 1, 2), DAY(2020, 1, 3), DAY(2020, 1, 4)]
    table = pl.DataFrame({"id": [4, 2, 3, 1], "age": [44, 41, 43, 42], "admitted": days})
    stored = mopse.stores.StoredUpload.decode(bytes(scene.send("hospital", table)))
    query = scene.owner.query(age=(0, 120))
    answer = scene.cloud.search(query)
    grant = scene.owner.grant("hospital", portions=["research"])
    released = User(schema, [grant]).decrypt(answer, query)
    assert released["research.age"].to_list() == [0] * 4
    assert not released["research.admitted"].is_sorted()
    truth = scene.owner.decrypt(answer, query)
    for field, _, records in stored.runs:  # what the cloud has: which record comes first
        ordered = truth[records.tolist()][field]
        assert ordered.is_sorted()
        assert ordered.n_unique() == 4
    assert {field for field, *_ in stored.runs} == {"age", "admitted"}
