"""Schemas as TOML: what is written is read as it was, and what is wrong is named."""

import datetime
import tomllib
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mopse import Field, Schema
from mopse.cli import main
from mopse.cli._schema_file import read_schema, written_schema
from mopse.errors import InvalidInputError, MissingFileError, MopseError
from mopse.sharing import coarsen, deidentified, drop, keep, pseudonym, shift_dates

EXAMPLE = """
[fields.age]
low = 0
high = 120

[fields."body mass"]
low = 8
high = 100.0
step = 0.1
cell = 5
proof = true

[fields.third]
low = "1/3"
high = 2
step = "1/3"

[fields.health]
categories = ["poor", "fair", "good"]
cell = 2

[fields.insured]
boolean = true

[fields.seen]
low = 2017-01-01
high = 2018-12-31

[portions]
contact = ["name", "phone"]

[portions.research]
subject = "patient"
within = "group"
columns.patient = "pseudonym"
columns.name = "drop"
columns.note = "keep"
columns.age = { coarsen = 0.5, top = 90 }
columns.born = { coarsen = "year" }
columns.region = { coarsen = { Kiel = "north", 7 = "south" } }
columns.code = { coarsen = { 1 = "a", -2 = "b" } }
columns.seen = { shift_dates = 365 }

[types]
note = "String"
weight = { type = "Decimal", precision = 6, scale = 2 }
taken = { type = "Datetime", unit = "ms", zone = "UTC" }
sex = { type = "Enum", categories = ["f", "m"] }
"""
SCHEMA = Schema(
    {"body mass": Field(8, 100, step=0.1, cell=5, proof=True)},
    third=Field(Fraction(1, 3), 2, step=Fraction(1, 3)),
    health=Field.categories(["poor", "fair", "good"], cell=2),
    insured=Field.boolean(),
    seen=Field(datetime.date(2017, 1, 1), datetime.date(2018, 12, 31)),
    portions={
        "contact": ["name", "phone"],
        "research": deidentified(
            patient=pseudonym(),
            name=drop(),
            note=keep(),
            age=coarsen(0.5, top=90),
            born=coarsen("year"),
            region=coarsen({"Kiel": "north", "7": "south"}),
            code=coarsen({1: "a", -2: "b"}),
            seen=shift_dates(days=365),
            subject="patient",
            within="group",
        ),
    },
    types={
        "note": pl.String,
        "weight": pl.Decimal(6, 2),
        "taken": pl.Datetime("ms", "UTC"),
        "sex": pl.Enum(["f", "m"]),
    },
)


def file(folder, text: str | bytes):
    path = folder / "schema.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_file_says_what_a_schema_is_made_with(tmp_path):
    schema = read_schema(file(tmp_path, EXAMPLE))
    assert list(schema) == ["age", *SCHEMA]
    assert {name: schema[name] for name in SCHEMA} == dict(SCHEMA)
    assert (schema["age"], schema.proven) == (Field(0, 120), ("body mass",))
    assert (schema.portions, schema.types) == (SCHEMA.portions, SCHEMA.types)
    assert schema.deidentified == SCHEMA.deidentified


names = st.one_of(
    st.sampled_from(["age", "a.b", "größe", "with space", 'quo"te', "back\\slash", "tab\there"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)


@st.composite
def fields(draw) -> Field:
    proof, kind = draw(st.booleans()), draw(st.sampled_from(["number", "date", "text", "boolean"]))
    if kind == "boolean":
        return Field.boolean(proof=proof)
    if kind == "text":
        levels = draw(
            st.lists(st.sampled_from(["fair", "b\\d", 'qu"te', "größer"]), min_size=1, unique=True)
        )
        return Field.categories(levels, cell=draw(st.integers(1, 4)), proof=proof)
    steps, cell = draw(st.integers(1, 300)), draw(st.integers(1, 9))
    if kind == "date":
        first = draw(st.dates(datetime.date(1000, 1, 1), datetime.date(3000, 1, 1)))
        return Field(first, first + datetime.timedelta(days=steps), cell=cell, proof=proof)
    step = draw(st.sampled_from([1, 7, Fraction(1, 8), Fraction(1, 3), Fraction(3, 1000)]))
    low = draw(st.fractions(-50, 50, max_denominator=64))
    return Field(low, low + steps * step, step=step, cell=cell, proof=proof)


@given(st.dictionaries(names, fields(), min_size=1, max_size=4))
def test_a_schema_that_is_written_is_read_as_it_was(tmp_path_factory, given_fields):
    try:
        schema = Schema(given_fields)
    except MopseError:
        return  # what no field is called
    written = written_schema(schema)
    read = read_schema(file(tmp_path_factory.mktemp("schema"), written))
    assert (read, read.proven) == (schema, schema.proven)
    assert repr(read) == repr(schema)


REFUSED = [
    ("", "field"),
    ("[field.age]\nlow = 0", "unknown key 'field': did you mean 'fields'?"),
    ("fields = 3", "[fields]: it must be a table"),
    ("fields.age = 3", "[fields.age]: it must be a table"),
    ("[fields.age]\nlow = 0", "[fields.age]: it lacks 'high'"),
    ("[fields.age]\nlow = 0\nmost = 3", "[fields.age]: a field has an unknown key 'most'"),
    ("[fields.age]\nlow = 9\nhigh = 3", "[fields.age]: "),
    ('[fields.age]\nlow = "9"\nhigh = 3', "[fields.age]: low: in quotes stands a fraction"),
    ('[fields.age]\nlow = "9/0"\nhigh = 3', "[fields.age]: low: in quotes stands a fraction"),
    ("[fields.age]\nlow = true\nhigh = 3", "[fields.age]: low: it must be a number or a date"),
    ("[fields.age]\nlow = 10:00:00\nhigh = 3", "[fields.age]: low: it must be"),
    ("[fields.age]\nlow = 2017-01-01\nhigh = 3", "[fields.age]: minimum and maximum"),
    ("[fields.age]\nlow = 2017-01-01T10:00:00Z\nhigh = 2018-01-01T10:00:00Z", "[fields.age]: "),
    ("[fields.age]\nlow = nan\nhigh = 3", "[fields.age]: "),
    ("[fields.age]\nlow = 0\nhigh = 3\nstep = 0", "[fields.age]: "),
    ("[fields.age]\nlow = 0\nhigh = 3\ncell = 0.5", "[fields.age]: "),
    ('[fields.age]\nlow = 0\nhigh = 3\nproof = "yes"', "[fields.age]: "),
    ("[fields.age]\nlow = 0\nhigh = 1e99999999999999999999", "exponent beyond all sizes"),
    ("[fields.age]\nlow = 0\nhigh = " + "9" * 5000, "it is no TOML"),
    ("[fields.a]\nboolean = false", "[fields.a]: boolean can only be true"),
    ("[fields.a]\nboolean = true\nlow = 1", "[fields.a]: a field of truth values has an unknown"),
    ("[fields.a]\ncategories = []", "[fields.a]: "),
    ("[fields.a]\ncategories = [1]", "[fields.a]: categories must be strings"),
    ("[fields.provider]\nboolean = true", "a field cannot be called 'provider'"),
    ("[fields.a]\nboolean = true\n[portions]\nb = 3", "b"),
    ("[fields.a]\nboolean = true\n[types]\nb = 3", "[types] b: it must be a table"),
    ('[fields.a]\nboolean = true\n[types]\nb = "text"', "[types] b: there is no type 'text'"),
    ("[fields.a]\nboolean = true\n[types]\nb = { scale = 2 }", "[types] b: the table lacks type"),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Decimal", scale = "x" }', "[types] b: "),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Datetime", unit = "h" }', "[types] b: "),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Decimal", scale = 99 }', "0 to 38"),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Decimal", scale = true }', "scale: "),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Decimal", precision = 0 }', "b: "),
    ('[fields.a]\nboolean = true\n[types.b]\ntype = "Decimal"\nprecision = 2\nscale = 3', "b: "),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Enum", categories = [1] }', "b: "),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Datetime", zone = "X" }', "time zone"),
    ('[fields.a]\nboolean = true\n[types]\nb = "Enum"', "[types] b: "),
    ('[fields.a]\nboolean = true\n[types]\nb = { type = "Enum", a = 1 }', "unknown key 'a'"),
    *(
        (f"[fields.a]\nboolean = true\n[portions.p]\n{line}", why)
        for line, why in [
            ("column = 1", "[portions.p]: a de-identified portion has an unknown key 'column'"),
            ("columns = 1", "[portions.p]: columns: it must be a table"),
            ('columns.a = "kep"', "[portions.p]: columns: there is no rule 'kep'"),
            ("columns.a = {}", "[portions.p]: columns: a rule has coarsen"),
            ("columns.a = { coarsen = 0 }", "[portions.p]: columns: a width must be above zero"),
            ("columns.a = { coarsen = true }", "[portions.p]: columns: to must be a number"),
            ("columns.a = { coarsen = 1, of = 2 }", "a rule has an unknown key 'of'"),
            ("columns.a = { shift_dates = 0 }", "[portions.p]: columns: days"),
            ("columns.a = { shift_dates = 9, top = 1 }", "unknown key 'top'"),
            ('columns.a = "drop"', "[portions.p]: a de-identified portion needs a column"),
            ('columns.a = "keep"\nwithin = 1', "[portions.p]: within"),
        ]
    ),
    ("[fields.a]\nboolean = yes", "it is no TOML"),
    ("[fields.a]\nboolean = true\nboolean = true", "it is no TOML"),
    (b"[fields.a]\nboolean = true # \xff", "no text in UTF-8"),
    ("a = " + "[" * 9000, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_a_refusal_names_the_file_the_table_and_the_key(tmp_path, text, why):
    path = file(tmp_path, text)
    with pytest.raises(InvalidInputError) as caught:
        read_schema(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert why in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.toml"):
        read_schema(tmp_path / "none.toml")


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
def test_whatever_a_file_holds_is_a_schema_or_refused(tmp_path_factory, contents):
    try:
        read_schema(file(tmp_path_factory.mktemp("schema"), contents))
    except MopseError:
        return


def test_a_proposed_schema_prints_as_toml_with_its_notes(tmp_path, capsys):
    frame = pl.DataFrame(
        {"patient": range(8), "age": [34, 7777, 71, 48, 90, 29, 63, 55], "note": [""] * 7 + ["x"]}
    )
    frame.write_csv(tmp_path / "a.csv")
    main(["schema", "infer", str(tmp_path / "a.csv"), "--id", "patient"])
    said = capsys.readouterr().out
    assert "# patient: left out, it is the id of a row." in said
    assert "7777" in said
    assert tomllib.loads(said) == {"fields": {"age": {"low": 20, "high": 100}}}
    assert read_schema(file(tmp_path, said)) == Schema.infer(frame, id="patient")
    main(["schema", "check", str(tmp_path / "schema.toml")])
    assert capsys.readouterr().out == "age: Field(20, 100), 81 cells\n"
