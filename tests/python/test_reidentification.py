"""What a de-identified portion tells of whose records they are: counted, and attacked."""

import datetime
import itertools
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import Scene

import mopse
from mopse import Field, Schema, User, attacks
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.sharing import (
    coarsen,
    deidentified,
    drop,
    keep,
    pseudonym,
    reidentification,
    shift_dates,
)

DAY = datetime.date
COLUMNS = ["sex", "age", "ethnicity", "weight", "height", "diabetes"]
RULES = {
    "record_id": pseudonym(),
    "sex": keep(),
    "age": coarsen(20),
    "ethnicity": drop(),
    "weight": coarsen(20),
    "height": coarsen(20),
    "diabetes": keep(),
}


def people() -> pl.DataFrame:
    """Return the survey's people who have all of the columns."""
    return mopse.datasets.load("nhanes-2017-2018")["record_id", *COLUMNS].drop_nulls()[:2000]


SCHEMA = Schema(
    sex=Field.categories(["male", "female"]),
    portions={"medical": COLUMNS, "research": deidentified(RULES)},
)


def of_dates() -> Schema:
    """Return a schema with a portion of nothing but dates and a pseudonym."""
    rules = {"day": shift_dates(days=9), "who": pseudonym()}
    return Schema(age=Field(0, 9), portions={"p": deidentified(rules)})


def row(found: pl.DataFrame, form: str, *known: str) -> dict:
    """Return the row of a selection of attributes."""
    (one,) = (of for of in found.to_dicts() if (of["form"], of["known"]) == (form, [*known]))
    return one


# The count


def test_classes_worked_by_hand():
    """Coarse ages 40 40 40 50 50 null; with the sex f f m m m null."""
    schema = Schema(
        age=Field(0, 120), portions={"research": deidentified(age=coarsen(10), sex=keep())}
    )
    table = {"age": [41, 47, 47, 52, 52, None], "sex": ["f", "f", "m", "m", "m", None]}
    found = reidentification(table, schema, "research")
    assert len(found) == 6
    one = row(found, "de-identified", "age")
    assert (one["classes"], one["unique"], one["smallest_class"]) == (3, 1, 1)
    assert (one["expected_matches"], one["expected_match_share"]) == (3, 0.5)
    both = row(found, "de-identified", "age", "sex")
    assert (both["classes"], both["unique_share"], both["small_share"]) == (4, 2 / 6, 1.0)
    assert row(found, "original", "age", "sex")["classes"] == 5
    assert row(found, "original", "age")["unique"] == 2


@given(
    st.lists(
        st.tuples(st.integers(0, 3) | st.none(), st.sampled_from("ab"), st.booleans()), min_size=1
    )
)
def test_counts_are_those_of_a_counter(rows):
    rules = {"x": keep(), "y": coarsen({"a": "c", "b": "c"}), "z": keep()}
    schema = Schema(x=Field(0, 3), portions={"p": deidentified(rules)})
    table = pl.DataFrame(rows, {"x": pl.Int64, "y": pl.String, "z": pl.Boolean}, orient="row")
    found = reidentification(table, schema, "p")
    forms = {"original": rows, "de-identified": [(x, "c", z) for x, _, z in rows]}
    for form, of in forms.items():
        for size in (1, 2, 3):
            for at in itertools.combinations(range(3), size):
                counts = Counter(tuple(one[i] for i in at) for one in of)
                got = row(found, form, *("xyz"[i] for i in at))
                assert got["classes"] == len(counts)
                assert got["unique"] == sum(count == 1 for count in counts.values())
                assert got["smallest_class"] == min(counts.values())
                small = sum(count for count in counts.values() if count < 5)
                assert got["small_share"] == pytest.approx(small / len(rows))


def test_shifted_dates_are_known_by_the_days_between_them():
    schema = Schema(
        age=Field(0, 9),
        portions={"p": deidentified(came=shift_dates(days=9), left=shift_dates(days=9))},
    )
    table = {
        "came": [DAY(2020, 1, 1), DAY(2020, 2, 1), DAY(2020, 3, 1)],
        "left": [DAY(2020, 1, 3), DAY(2020, 2, 3), DAY(2020, 3, 9)],
    }
    found = reidentification(table, schema, "p")
    assert found.filter(form="de-identified")["known"].to_list() == [["left - came"]]
    assert row(found, "de-identified", "left - came")["unique"] == 1
    assert row(found, "original", "came")["unique"] == 3


def test_a_portion_without_an_attribute_is_one_class():
    table = {"age": [1, 2], "day": [DAY(2020, 1, 1), None], "who": ["a", "b"]}
    found = reidentification(table, of_dates(), "p").filter(form="de-identified").to_dicts()
    assert [(one["attributes"], one["known"], one["classes"]) for one in found] == [(0, [], 1)]
    with_others = Schema(
        age=Field(0, 9),
        portions={**of_dates().deidentified, "q": deidentified(age=keep())},
    )
    report = mopse.leakage_report(table, with_others).portions
    assert report["portion"].to_list() == ["p", "p", "q", "q"]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([1.5, 1.5, 2.5]).cast(pl.Decimal(6, 2)),
        pl.Series([1, 1, 2]).cast(pl.Time),
        pl.Series([1, 1, 2]).cast(pl.Duration("us")),
        pl.Series(["a", "a", "b"], dtype=pl.Categorical),
        pl.Series([True, True, False]),
        pl.Series([0.1, 0.1, float("nan")]),
        pl.Series([2**64 - 1, 2**64 - 1, 2**64 - 2], dtype=pl.UInt64),
    ],
)
def test_values_of_every_type_are_told_apart(values):
    schema = Schema(age=Field(0, 9), portions={"p": deidentified(x=keep())})
    table = pl.DataFrame({"x": values})
    assert reidentification(table, schema, "p")["classes"].to_list() == [2, 2]


def test_a_pseudonym_tells_a_subject_by_all_its_records():
    """Two subjects differ in nothing but that one's second visit came a day later."""
    rules = {"who": pseudonym(), "age": coarsen(10), "seen": shift_dates(days=9)}
    schema = Schema(age=Field(0, 99), portions={"p": deidentified(rules, subject="who")})
    table = {
        "who": ["a", "a", "b", "b", "c"],
        "age": [41, 42, 43, 44, 45],
        "seen": [DAY(2020, 1, day) for day in (1, 5, 10, 15, 20)],
    }
    found = reidentification(table, schema, "p")
    assert row(found.filter(unit="record"), "de-identified", "age")["unique"] == 0
    linked = found.filter(unit="subject", form="de-identified").to_dicts()[0]
    assert linked["known"] == ["age", "seen since the first"]
    assert (linked["units"], linked["unique"], linked["classes"]) == (3, 3, 3)
    for hidden in (deidentified({**rules, "who": drop()}, subject="who"), deidentified(rules)):
        of = Schema(age=Field(0, 99), portions={"p": hidden})
        assert "subject" not in reidentification(table, of, "p")["unit"]


def test_the_report_on_leakage_has_the_portion():
    report = mopse.leakage_report(people(), SCHEMA)
    assert report.portions["form"].to_list() == ["original", "de-identified"]
    found = reidentification(people(), SCHEMA, "research")
    for one in report.portions.to_dicts():
        assert one == row(found, one["form"], *one["known"])
    words = str(report)
    for told in ("portion 'research'", "Pseudonyms link", "query's bounds"):
        assert told in words
        assert told.replace("'", "&#x27;") in report._repr_html_()
    assert "true date" not in words, "none is shifted"
    dated = Schema(age=Field(0, 9), portions={"p": deidentified(day=shift_dates(days=3))})
    table = {"age": [1, 2], "day": [DAY(2020, 1, 1)] * 2}
    assert "one true date undoes it" in str(mopse.leakage_report(table, dated))
    bare = Schema(age=Field(0, 9), portions={"p": ["day"]})
    assert mopse.leakage_report(table, bare).portions is None


def test_the_report_knows_a_field_that_a_portion_derives():
    schema = Schema({"p.age": Field(0, 90, step=10)}, portions={"p": deidentified(age=coarsen(10))})
    report = mopse.leakage_report({"age": [1, 22, 25]}, schema)
    assert report.table["field"].to_list() == ["p.age"]
    assert report.table["density"].to_list() == [0.2]


# The attack


def test_a_linkage_finds_what_the_count_expects():
    """The real survey, encrypted, searched and opened as a researcher does."""
    table = people()
    scene = Scene(SCHEMA, "hospital", seed=1)
    scene.cloud.receive(scene["hospital"].encrypt(table, id="record_id", accept_leakage=["sex"]))
    query = scene.owner.query({"sex": ("male", "female")})
    answer = scene.cloud.search(query)
    whole = scene.owner.decrypt(answer, query)
    grant = scene.owner.grant("hospital", portions=["research"])
    released = User(SCHEMA, [grant]).decrypt(answer, query)
    assert "age" not in released.columns
    found = reidentification(table, SCHEMA, "research")
    names = table.with_row_index("row").select("record_id", "row")
    truth = whole.join(names, on="record_id", how="left", maintain_order="left")["row"]
    for known in (["age"], ["sex", "age"], ["sex", "age", "weight", "height", "diabetes"]):
        expected = row(found, "de-identified", *known)
        guess = attacks.reidentify(released, table, SCHEMA, "research", known=known)
        right = int((guess.values == truth.to_numpy()).sum())
        # A sum of independent chances: five deviations are one in a million or so.
        deviation = max(1.0, np.sqrt((guess.confidence * (1 - guess.confidence)).sum()))
        assert abs(right - expected["expected_matches"]) <= 5 * deviation
        assert guess.confidence.sum() == pytest.approx(expected["expected_matches"])
        assert (guess.confidence == 1).sum() == expected["unique"]
        control = row(found, "original", *known)
        assert control["expected_matches"] > 2 * expected["expected_matches"]


def test_true_values_are_the_control_of_the_attack():
    as_it_is = deidentified(dict.fromkeys(COLUMNS, keep()))
    schema = Schema(sex=SCHEMA["sex"], portions={"research": as_it_is})
    table = people()
    guess = attacks.reidentify(table, table, schema, "research")
    expected = reidentification(table, schema, "research", most_known=6)[-1]
    assert guess.confidence.sum() == pytest.approx(expected["expected_matches"][0])
    assert np.mean(guess.values == np.arange(len(table))) > 0.95


def test_a_linkage_joins_by_the_days_between_shifted_dates():
    schema = Schema(
        age=Field(0, 9),
        portions={"p": deidentified(came=shift_dates(days=9), left=shift_dates(days=9))},
    )
    released = {"p.came": [DAY(2020, 5, 5)], "p.left": [DAY(2020, 5, 9)]}
    people = {
        "came": [DAY(2020, 5, 1), DAY(2020, 5, 3)],
        "left": [DAY(2020, 5, 2), DAY(2020, 5, 7)],
    }
    guess = attacks.reidentify(released, people, schema, "p")
    assert (guess.values.tolist(), guess.confidence.tolist()) == ([1], [1.0])


def test_one_true_date_undoes_the_shift_of_its_subject_and_of_no_other():
    schema = Schema(
        age=Field(0, 9),
        portions={
            "p": deidentified(who=pseudonym(), seen=shift_dates(days=365), subject="who"),
        },
    )
    scene = Scene(schema, "hospital", seed=3)
    seen = [DAY(2020, 1, 1), DAY(2020, 7, 1), DAY(2021, 1, 1), DAY(2020, 1, 1)]
    table = pl.DataFrame({"id": range(4), "who": [7, 7, 7, 8], "age": [1, 2, 3, 4], "seen": seen})
    scene.send("hospital", table)
    found = scene.ask(scene.owner, age=(0, 9)).sort("id")
    undone = attacks.unshift(found, "p.who", "p.seen", at=1, known=DAY(2020, 7, 1))
    assert undone.to_list() == [*seen[:3], None]
    assert found["p.seen"][0] != seen[0]


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reidentification({"sex": ["male"]}, SCHEMA, "medical"), "'medical'"),
        (lambda: reidentification({"sex": ["male"]}, SCHEMA, "Research"), "did you mean"),
        (lambda: reidentification({"a": [1]}, Schema(a=Field(0, 1)), "x"), "there is none"),
        (lambda: reidentification(people(), SCHEMA, "research", most_known=0), "most_known"),
        (
            lambda: reidentification({"day": ["x"]}, of_dates(), "p"),
            "'day' is String: dates",
        ),
        (lambda: attacks.reidentify({"p.day": [1]}, {"day": [DAY.min]}, of_dates(), "p"), "dates"),
        (lambda: reidentification({"age": ["x"]}, SCHEMA, "research"), "'age'"),
        (lambda: attacks.reidentify(people(), people(), SCHEMA, "medical"), "'medical'"),
        (lambda: attacks.reidentify({"sex": ["male"]}, {"a": [1]}, SCHEMA, "research"), "nothing"),
        (
            lambda: attacks.reidentify(people(), people(), SCHEMA, "research", known=["shoe"]),
            "'shoe'",
        ),
        (
            lambda: attacks.reidentify({"sex": [1]}, {"sex": ["male"]}, SCHEMA, "research"),
            "another type",
        ),
        (lambda: attacks.unshift({"a": [1]}, "a", "b", at=0, known=DAY(2020, 1, 1)), "'b'"),
        (lambda: attacks.unshift({"a": [1]}, "a", "a", at=0, known=DAY(2020, 1, 1)), "dates"),
    ],
)
def test_what_cannot_be_counted_or_attacked_is_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_a_row_or_day_that_is_none_is_refused():
    released = {"who": ["a", None], "seen": [None, DAY(2020, 1, 1)]}
    for at in (0, 1, 2):
        with pytest.raises(InvalidInputError, match=f"row {at}"):
            attacks.unshift(released, "who", "seen", at=at, known=DAY(2020, 1, 1))
    with pytest.raises(WrongTypeError, match="date"):
        attacks.unshift({"who": ["a"], "seen": [DAY(2020, 1, 1)]}, "who", "seen", at=0, known=3)


def test_too_many_selections_are_refused():
    rules = {f"c{number}": keep() for number in range(13)}
    schema = Schema(c0=Field(0, 9), portions={"p": deidentified(rules)})
    table = {name: [1, 2] for name in rules}
    with pytest.raises(InvalidInputError, match="most_known"):
        reidentification(table, schema, "p")
    assert len(reidentification(table, schema, "p", most_known=2)) == 2 * (13 + 78)


@pytest.mark.parametrize(
    "odd", [[object(), object()], [[1], [2]], [{"a": 1}, {"a": 2}], [b"a", b"b"]]
)
@pytest.mark.parametrize("column", ["kept", "whose"])
def test_what_no_record_holds_is_refused_by_its_column(column, odd):
    rules = {"kept": keep(), "whose": pseudonym()}
    research = deidentified(rules, subject="whose")
    schema = Schema(age=Field(0, 99), portions={"research": research})
    table = pl.DataFrame({"age": [1, 2], "kept": ["a", "b"], "whose": ["u", "v"]})
    table = table.with_columns(pl.Series(column, odd))
    for call in (
        lambda: reidentification(table, schema, "research"),
        lambda: mopse.leakage_report(table, schema),
    ):
        with pytest.raises(WrongTypeError, match=f"column '{column}': records cannot hold"):
            call()
