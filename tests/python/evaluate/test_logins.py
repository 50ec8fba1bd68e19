"""The experiment on stolen log-ins: its controls, its closed forms, and a day of guessing."""

import polars as pl
import pytest

from mopse.attacks import rank_share
from mopse.errors import InvalidInputError
from mopse.evaluate import security
from mopse.evaluate.security import _logins

SIZES = {"slow_words": 1, "slow_users": 1, "costs": ((1, 1),), "unknown_bits": 8}


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return security.logins(range(2), (5, 50), 60, **SIZES)


def test_controls_fall_only_where_passwords_are_decrypted(table):
    listed = table.filter(part="list")
    controls = listed.filter(
        (pl.col("population") == _logins.RANDOM) | (pl.col("listed") == _logins.STRANGERS)
    )
    is_decrypted = pl.col("knowledge") == _logins.ALL_KEYS
    assert set(controls.filter(~is_decrypted)["fallen"]) == {0.0}
    assert set(listed.filter(is_decrypted)["fallen"]) == {1.0}
    # The control of a guess that nothing confirms is one that is made and wrong.
    wrong = controls.filter(knowledge=_logins.DES_KEY)
    assert wrong["guessed"].max() > 0
    assert set(wrong["certain"]) == {0.0}


def test_forms_that_show_what_is_right_find_the_same(table):
    in_use = table.filter(
        part="list", population=_logins.BY_RANK, listed=_logins.LISTED, knowledge=_logins.STORE
    )
    keys = ["seed", "words"]
    md5, salted = (
        in_use.filter(form=form).sort(keys)["fallen"].to_list()
        for form in ("published-md5", "published-salted-sha256")
    )
    assert md5 == salted
    assert max(md5) > 0
    assert (
        in_use.filter(form="published-md5", words=50)["expected"].to_list()
        == [pytest.approx(rank_share(50))] * 2
    )


def test_slow_forms_give_up_every_word_of_the_list(table):
    slow = table.filter(pl.col("population") == _logins.ANY_WORD)
    assert set(slow["form"]) == {"pbkdf2-sha256", "argon2id"}
    for listed, share in [(_logins.LISTED, 1.0), (_logins.STRANGERS, 0.0)]:
        assert set(slow.filter(listed=listed)["fallen"]) == {share}
    assert slow["fallen"].to_list() == slow["expected"].to_list()


def test_the_closed_form_of_one_chunk_is_that_by_hand():
    key = {"form": "published-chunks", "knowledge": _logins.DES_KEY}
    key |= {"population": _logins.BY_RANK, "listed": _logins.LISTED}
    # "abcd" and "abzzz" begin alike and have one quarter's length; "abcdefgh" has another.
    used = ["abcd", "axzzz", "bcde", "abcdefgh"]
    expected = rank_share(1) + (rank_share(3) - rank_share(2)) + (rank_share(4) - rank_share(3))
    assert _logins._expected(key, used) == pytest.approx(expected)
    assert _logins._expected(key | {"listed": _logins.STRANGERS}, used) == 0


def test_a_day_is_computed_from_the_rates():
    rows = {
        "part": ["list"] * 4,
        "form": ["published-md5", "argon2id", "argon2id", "published-md5"],
        "words": [9, 4, 4, 1],
        "tries_per_s": [10.0, 2.0, 4.0, 1e9],
    }
    day = security.logins_in_a_day(pl.DataFrame(rows), users=100)
    assert day["guesses_per_s"].to_list() == [10.0, 3.0], "of the longest list, the median"
    assert day["guesses_a_day"].to_list() == [864_000, 259_200]
    assert day["words_each"].to_list() == [864_000, 2592], "a salt divides the work"
    assert day["share"].to_list() == [rank_share(864_000), rank_share(2592)]
    assert day["share_of_one"].to_list() == [rank_share(864_000), rank_share(259_200)]


def test_every_repeat_has_its_row_and_its_work(table):
    assert table.filter(part="list")["form"].n_unique() == 5
    assert not table.select("part", *list(_logins._SCHEMA)[1:11]).is_duplicated().any()
    timed = table.filter(pl.col("tries") > 0)
    assert (timed["cpu_s"] > 0).all()
    assert (table.filter(part="DES key")["tries"] == 2**8).all()
    assert table.filter(part="cost")["memory_mib"].to_list() == [1, 1]


def test_an_interrupted_run_goes_on(table, tmp_path, monkeypatch):
    path = tmp_path / "logins.parquet"
    table.filter(pl.col("part") != "DES key").write_parquet(path)
    made = []
    original = _logins._searched
    monkeypatch.setattr(_logins, "_searched", lambda key: made.append(key["seed"]) or original(key))
    again = security.logins(range(2), (5, 50), 60, path=path, **SIZES)
    assert (made, again.height) == ([0, 1], table.height)


def test_what_makes_no_run_is_refused():
    for arguments, words in [
        ({"words": (10**5 + 1,)}, "at most 10"),
        ({"words": (0,)}, "words"),
        ({"users": 0}, "users"),
        ({"slow_words": 0}, "slow_words"),
        ({"costs": ((0, 1),)}, "costs"),
        ({"unknown_bits": 41}, "unknown_bits is 41"),
        ({"costs": ((1, 17),)}, "17 passes over 1 MiB"),
    ]:
        with pytest.raises(InvalidInputError, match=words):
            security.logins(range(1), **({"words": (1,), "users": 1} | SIZES | arguments))
    with pytest.raises(InvalidInputError, match="not one of this experiment"):
        security.logins_in_a_day(pl.DataFrame({"x": [1]}))
