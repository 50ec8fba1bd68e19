"""The checks of arguments, which every module uses: what passes, and what is said of the rest."""

import math

import numpy as np
import pytest

from mopse import _checks as checks
from mopse.errors import InvalidInputError, WrongTypeError

WHOLE = [0, 7, -1, 2**62, np.int8(3), np.uint64(2**62)]
NO_INTEGER = [True, np.bool_(True), 1.0, np.float64(1), "1", None, [1], np.timedelta64(1, "s")]


@pytest.mark.parametrize("value", WHOLE)
def test_whole_numbers_become_ints(value):
    assert type(checks.integer(value, "it")) is int
    assert checks.integer(value, "it") == value


@pytest.mark.parametrize("value", NO_INTEGER)
def test_what_is_no_whole_number_is_refused(value):
    assert not checks.is_integer(value)
    with pytest.raises(WrongTypeError, match=f"it must be an integer, not {type(value).__name__}"):
        checks.integer(value, "it")
    with pytest.raises(WrongTypeError, match=f"n is a {type(value).__name__}, expected an int"):
        checks.whole(value, "n", least=0)


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1])
def test_the_bounds_of_an_int64_are_included(value):
    assert checks.integer(value, "it") == value
    with pytest.raises(InvalidInputError, match=r"^it does not fit an int64$"):
        checks.integer(value + (1 if value > 0 else -1), "it")


def test_bounds_and_what_is_said_of_them_can_be_given():
    assert checks.integer(10**5000, "it", -math.inf, math.inf) == 10**5000
    for value, why in ((0, "less than 1"), (-(2**70), "less than 1"), (9, "over 8")):
        with pytest.raises(InvalidInputError, match=f"^it is {why}$"):
            checks.integer(value, "it", 1, 8)
    with pytest.raises(InvalidInputError, match=r"^it is 9, expected 1 to 8$"):
        checks.integer(9, "it", 1, 8, fault="{what} is {value}, expected 1 to 8")
    with pytest.raises(InvalidInputError, match=r"^n is 0, expected at least 1$"):
        checks.whole(0, "n", least=1)


def test_lists_of_whole_numbers_are_checked_one_by_one():
    assert checks.wholes(iter([1, np.int8(2)]), "sizes", least=1) == [1, 2]
    for wrong, message in [
        ("12", "sizes must be a list of integers, not str"),
        (5, "sizes must be a list of integers, not int"),
        ([], "sizes is empty"),
        ([1, 0], "one of sizes is 0, expected at least 1"),
        ([1.0], "one of sizes is a float, expected an int"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            checks.wholes(wrong, "sizes", least=1)


def test_a_class_is_named_with_its_article():
    assert checks.instance(5, int, "it") == 5
    with pytest.raises(WrongTypeError, match=r"^it must be an OSError, not int$"):
        checks.instance(5, OSError, "it")
    with pytest.raises(WrongTypeError, match=r"^it must be a ValueError, not int$"):
        checks.instance(5, ValueError, "it")


def test_texts_passwords_and_keys_are_told_apart_from_bytes():
    assert checks.text("ä", "it") == "ä"
    assert checks.password_bytes("ä") == checks.password_bytes("ä".encode()) == b"\xc3\xa4"
    assert checks.key_bytes(memoryview(b"key")) == b"key"
    for call, message in [
        (lambda: checks.text(b"x", "it"), "it must be a string, not bytes"),
        (lambda: checks.text("\ud800", "it"), "it holds half of a surrogate pair"),
        (lambda: checks.password_bytes(5), "a password must be a string or bytes, not int"),
        (lambda: checks.password_bytes("\ud800"), "a password holds half of a surrogate pair"),
        (lambda: checks.key_bytes("key"), "a key must be bytes, not str"),
        (lambda: checks.associated("x"), "the associated data must be bytes-like, not str"),
        (lambda: checks.mapping([1], "it"), "it must be a mapping, not list"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            call()
