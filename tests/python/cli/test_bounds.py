"""The queries that are typed, held against the same bounds asked of the table in the clear."""

import datetime
import operator
import unicodedata
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mopse import Cloud, Field, Owner, Schema
from mopse.cli._bounds import bounds
from mopse.cli._command import NotUnderstoodError
from mopse.errors import InvalidInputError, MopseError

LEVELS = ["poor", "fair", "it's good", "größer"]
FIRST = datetime.date(2017, 1, 1)
SCHEMA = Schema(
    {"blood `pressure`": Field(60, 260, step=2)},
    age=Field(0, 20),
    bmi=Field(8, 12, step=0.1, cell=5),
    health=Field.categories(LEVELS),
    seen=Field(FIRST, datetime.date(2017, 1, 20)),
    insured=Field.boolean(),
    größe=Field(-5, 5),
)
COMPARE = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
    "==": operator.eq,
}
MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "=": "=", "==": "=="}


def table() -> pl.DataFrame:
    """Return a table with every value of every small field, and nulls."""
    rows = 210
    numbers = np.random.default_rng(7)

    def drawn(values: list) -> list:
        return [
            None if n == len(values) else values[n]
            for n in numbers.integers(len(values) + 1, size=rows)
        ]

    return pl.DataFrame(
        {
            "id": range(rows),
            "blood `pressure`": drawn(list(range(60, 261, 2))),
            "age": drawn(list(range(21))),
            "bmi": drawn([round(8 + tenth / 10, 1) for tenth in range(41)]),
            "health": drawn(LEVELS),
            "seen": drawn([FIRST + datetime.timedelta(days=day) for day in range(20)]),
            "insured": drawn([False, True]),
            "größe": drawn(list(range(-5, 6))),
        }
    )


TABLE = table()


def quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark


names = {
    "blood `pressure`": st.sampled_from(
        ["`blood ``pressure```", "'blood `pressure`'", '"blood `pressure`"']
    ),
    "größe": st.sampled_from(
        ["größe", unicodedata.normalize("NFD", "größe"), "`größe`", "'größe'"]
    ),
}
values = {
    "blood `pressure`": st.integers(55, 265),
    "age": st.integers(-2, 23),
    "bmi": st.integers(79, 121).map(lambda tenths: Decimal(tenths).scaleb(-1)),
    "health": st.sampled_from(LEVELS),
    "seen": st.integers(-2, 22).map(lambda day: FIRST + datetime.timedelta(days=day)),
    "insured": st.booleans(),
    "größe": st.integers(-6, 6),
}


@st.composite
def typed_value(draw, value) -> str:
    if isinstance(value, bool):
        return draw(st.sampled_from([str(value), str(value).lower(), str(value).upper()]))
    if isinstance(value, str | datetime.date):
        return quoted(str(value), draw(st.sampled_from("'\"")))
    forms = [str(value), f"{value}e0", f"{value}E+0"]
    forms += [f"+{value}"] if value >= 0 else []
    forms += [f"{value}.0"] if isinstance(value, int) else [f"{value}0"]
    return draw(st.sampled_from(forms))


@st.composite
def clauses(draw) -> tuple[str, list[tuple[str, str, object]]]:
    """Draw a bound as it may be typed, and the comparisons that it is."""
    name = draw(st.sampled_from(list(SCHEMA)))
    is_exact = name not in ("bmi", "health", "insured")
    signs = ["<=", ">=", "=", "==", *(["<", ">"] if is_exact else [])]
    field = draw(names.get(name, st.sampled_from([name, f"`{name}`"])))
    space = draw(st.sampled_from(["", " ", "  "]))
    first = draw(values[name])
    written = draw(typed_value(first))
    form = draw(st.sampled_from(["field first", "value first", "chain"]))
    if form == "chain":
        sign = draw(st.sampled_from(["<", ">"]))
        ends = [sign + "=", sign] if is_exact else [sign + "="]
        left, right = draw(st.sampled_from(ends)), draw(st.sampled_from(ends))
        second = draw(values[name])
        chain = [written, left, field, right, draw(typed_value(second))]
        return space.join(chain), [(name, MIRRORED[left], first), (name, right, second)]
    sign = draw(st.sampled_from(signs))
    if form == "field first":
        return space.join([field, sign, written]), [(name, sign, first)]
    return space.join([written, MIRRORED[sign], field]), [(name, sign, first)]


@st.composite
def queries(draw) -> tuple[str, list[tuple[str, str, object]]]:
    parts = draw(st.lists(clauses(), min_size=1, max_size=4))
    conjunction = draw(st.sampled_from([" and ", " AND ", "  And\t"]))
    return conjunction.join(text for text, _ in parts), [one for _, of in parts for one in of]


def in_the_clear(comparisons: list[tuple[str, str, object]]) -> list[int]:
    """Return the ids of rows that meet comparisons, as Polars filters them; null meets none."""
    ranks = TABLE.with_columns(
        pl.col("health").replace_strict(LEVELS, range(len(LEVELS)), return_dtype=pl.Int64)
    )
    holds = pl.lit(True)
    for name, sign, value in comparisons:
        plain = LEVELS.index(value) if name == "health" else value
        plain = float(plain) if isinstance(plain, Decimal) else plain
        holds &= COMPARE[sign](pl.col(name), pl.lit(plain))
    return ranks.filter(holds)["id"].to_list()


def of_cells(ranges: dict[str, tuple]) -> list[int]:
    """Return the ids of rows whose plaintexts lie in ranges, as whoever decrypts keeps them."""
    kept = np.ones(TABLE.height, dtype=bool)
    for name, (low, high) in ranges.items():
        field, is_in = SCHEMA[name], np.zeros(TABLE.height, dtype=bool)
        rows, plaintexts = field.plaintexts_of(TABLE[name])
        pair = field.range(low, high)
        if pair is not None:
            is_in[rows] = (pair[0] <= plaintexts) & (plaintexts <= pair[1])
        kept &= is_in
    return TABLE["id"].to_numpy()[kept].tolist()


@given(queries())
def test_a_typed_query_means_what_the_same_filter_in_the_clear_does(query):
    text, comparisons = query
    expected = in_the_clear(comparisons)
    try:
        ranges = bounds(text, SCHEMA)
    except InvalidInputError:
        assert expected == []
        with pytest.raises(InvalidInputError, match="meets all its bounds"):
            bounds(text, SCHEMA)
    else:
        assert of_cells(ranges) == expected


@pytest.mark.parametrize(
    ("text", "comparisons"),
    [
        (
            "5 <= age < 9 and bmi >= 8.7",
            [("age", ">=", 5), ("age", "<", 9), ("bmi", ">=", Decimal("8.7"))],
        ),
        ("bmi = 8.05", [("bmi", "=", Decimal("8.05"))]),
        ("seen > '2017-01-05'", [("seen", ">", datetime.date(2017, 1, 5))]),
        ("'fair' <= health and insured = true", [("health", ">=", "fair"), ("insured", "=", True)]),
        ("`blood ``pressure``` < 100", [("blood `pressure`", "<", 100)]),
    ],
)
def test_a_typed_query_is_answered_by_a_cloud_as_in_the_clear(text, comparisons):
    owner = Owner.generate(SCHEMA)
    hospital, cloud = owner.authorize("hospital"), Cloud()
    cloud.enroll(owner.public)
    cloud.receive(hospital.encrypt(TABLE, id="id", accept_leakage=SCHEMA))
    found = owner.ask(cloud, bounds(text, SCHEMA))
    ids = sorted(found["id"]) if found.height else []  # no value can match, and no column is known
    assert ids == in_the_clear(comparisons)


REFUSED = [
    ("", 1, "a bound is missing"),
    ("  ", 3, "a bound is missing"),
    ("age", 4, "a comparison is missing"),
    ("age >=", 7, "a field or value is missing"),
    (">= 3", 1, "a field or value is missing"),
    ("age >= 4 and", 13, "a bound is missing"),
    ("and age >= 4", 1, "before 'and'"),
    ("age >= 4 age <= 5", 10, "a comparison, or 'and', is missing"),
    ("age = 4 or age = 5", 9, "joined with 'and'"),
    ("not age = 4", 1, "joined with 'and'"),
    ("(age = 4)", 1, "no brackets"),
    ("age ≤ 4", 5, "write <="),
    ("age != 4", 5, "no 'unequal'"),
    ("age => 4", 5, "the comparisons <= >= = < and >"),
    ("age >= 3,5", 9, "decimals have a point"),
    ("age >= 3.", 8, "a number ends here"),
    ("age >= 3years", 8, "a number ends here"),
    ("age >= 1e999999999", 8, "beyond all fields"),
    ("age >= " + "1" * 5000, 8, "beyond all fields"),
    ("ages >= 4", 1, "did you mean 'age'?"),
    ("`nothing` >= 4", 1, "no field 'nothing'"),
    ("4 >= 5", 1, "names a field"),
    ("4 <= 5 <= age", 6, "in the middle"),
    ("1 <= 2 <= 3 <= age", 13, "two comparisons at most"),
    ("1 <= age >= 3", 10, "goes one way"),
    ("1 <= age = 3", 10, "goes one way"),
    ("age >= `bmi`", 8, "not another field"),
    ("age >= bmi", 8, "a bound is a value"),
    ("age >= '4'", 8, "has numbers, without quotes"),
    ("health = fair", 10, "stand in quotes"),
    ("health = 'fine'", 10, "no category"),
    ("health > 'fair'", 8, "> is for numbers and dates"),
    ("insured = 1", 11, "is true or false"),
    ("insured < true", 9, "< is for numbers and dates"),
    ("seen = 2017-01-01", 8, "a date stands in quotes"),
    ("seen = '2017-02-30'", 8, "year, month and day"),
    ("seen = '1.1.2017'", 8, "year, month and day"),
    ("seen = true", 8, "has dates, which stand in quotes"),
    ("seen < '0001-01-01'", 6, "no such day"),
    ("bmi < 9", 5, "values of 'bmi' are decimal"),
    ("age < 9.5", 5, "the bound is decimal"),
    ("age > 9 and age < 9", 13, "meets all its bounds"),
    ("9 < age < 10", 1, "meets all its bounds"),
    ("age = '4", 7, "the other ' is missing"),
    ("größe = 1 and größe == 2", 15, "meets all its bounds"),
]


@pytest.mark.parametrize(("text", "character", "why"), REFUSED)
def test_a_refusal_names_the_place_and_the_reason(text, character, why):
    with pytest.raises(NotUnderstoodError) as caught:
        bounds(text, SCHEMA)
    first, shown, caret = str(caught.value).split("\n")
    assert first.startswith(f"the query, character {character}: ")
    assert why in first
    assert caret.strip() == "^"
    if len(text) < 60 and text.isascii():
        assert shown == "  " + text
        assert caret.index("^") == character + 1


def test_the_caret_stands_below_what_it_names_also_behind_wide_and_joined_letters():
    schema = Schema({"年齢": Field(0, 9), "a\u0301": Field(0, 9)})
    for text, places in (("年齢 <> 4", 5), ("a\u0301 <> 4", 2)):
        with pytest.raises(NotUnderstoodError) as caught:
            bounds(text, schema)
        assert str(caught.value).split("\n")[-1].index("^") == 2 + places


def test_a_long_query_is_shown_around_the_place_only():
    with pytest.raises(NotUnderstoodError) as caught:
        bounds(" and ".join(["age >= 3"] * 500) + " or", SCHEMA)
    first, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 130
    assert shown[caret.index("^") :] == "or"
    assert "character 6497" in first


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    *("age", "bmi", "health", "seen", "insured", "and", "or", "true"),
                    *("<", "<=", "=", "==", ">", ">=", "'", '"', "`", "3", "-3.5e2", "1e400"),
                    *("'fair'", "'2017-01-01'", ".", "\0", "\ud800", "(", "≤", "\u200d", "ß"),
                ]
            ),
            max_size=12,
        ).map(" ".join),
        st.binary(max_size=30).map(lambda bytes_: bytes_.decode(errors="surrogateescape")),
    )
)
def test_whatever_is_typed_is_a_query_or_refused(text):
    try:
        ranges = bounds(text, SCHEMA)
    except MopseError:
        return
    for name, (low, high) in ranges.items():
        SCHEMA[name].range(low, high)


def test_a_long_query_is_read_in_time():
    text = " and ".join(["`blood ``pressure``` >= 100"] * 20_000)
    assert bounds(text, SCHEMA) == {"blood `pressure`": (100, None)}
