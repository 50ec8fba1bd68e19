"""The experiments measure what they say: small runs, no clock is judged."""

import polars as pl
import pytest

from mopse import evaluate
from mopse.errors import InvalidInputError
from mopse.evaluate import performance


@pytest.fixture(scope="module")
def entrants() -> list[performance.Contender]:
    return performance.contenders(rsa_most_bytes=5000)


def test_every_contender_is_timed_on_every_file_that_it_takes(entrants):
    table = performance.files([5000, 20_000], entrants, repeats=2, seed=3)
    counts = table.group_by("contender").len()
    expected = {
        entrant.name: 2 * 2 * 2 * (2 - (entrant.most_bytes is not None)) for entrant in entrants
    }
    assert dict(counts.iter_rows()) == expected
    assert (table["time_s"] > 0).all()
    assert set(table["file"]) == {"txt", "jpeg"}
    assert set(table["seed"]) == {3}
    derived = table.filter(pl.col("derivation_s") > 0)["contender"]
    assert set(derived) == {"DES-PBE", "AES-PBE"}


def test_the_control_comes_first_and_every_claim_has_its_contender(entrants):
    assert [entrant.name for entrant in entrants] == [
        "plain copy",
        "3DES",
        "Blowfish",
        "AES-CBC, software",
        "AES-GCM",
        "ChaCha20-Poly1305",
        "DES-PBE",
        "AES-PBE",
        "RSA, block by block",
        "RSA hybrid",
    ]


def test_what_takes_too_long_is_not_repeated(entrants):
    copy = entrants[:1]
    assert len(performance.files([5000], copy, repeats=5, patience_s=0)) == 2 * 2
    assert len(performance.files([5000], copy, repeats=5)) == 5 * 2 * 2


def test_a_contender_that_does_not_give_the_file_back_is_refused():
    liar = performance.Contender("liar", bytes, lambda message: message[1:])
    with pytest.raises(InvalidInputError, match="liar does not give the file back"):
        performance.files([5000], [liar])


def test_engines_take_turns_on_the_same_bytes():
    table = performance.beside_openssl([1 << 16], repeats=2)
    new = table.filter(pl.col("buffer") == "new").group_by("cipher", "engine", "direction").len()
    assert set(new["len"]) == {2}
    engines = table.group_by("cipher").agg(pl.col("engine").n_unique())
    assert dict(engines.iter_rows()) == {
        "aes-256-gcm": 3,
        "chacha20-poly1305": 3,
        "aes-256-gcm-siv": 3,
        "3des-cbc": 2,
        "blowfish-cbc": 2,
    }
    assert set(table.filter(pl.col("buffer") != "new")["direction"]) == {"encrypt"}


def test_legacy_ciphers_are_timed_on_small_messages_only():
    table = performance.beside_openssl([(1 << 20) + 1], repeats=1)
    assert not set(table["cipher"]) & {"3des-cbc", "blowfish-cbc"}


def test_copying_and_the_machine_are_described():
    table = performance.copying(1 << 16, repeats=3)
    assert table.shape == (3, 3)
    assert (table["time_s"] > 0).all()
    assert {"processor", "cores", "Python", "mopse"} <= set(evaluate.machine())
