"""Shared secrets from Python: what is split can be joined, and what could not be is refused."""

import pytest

from mopse import secret_sharing
from mopse.errors import InvalidInputError

KEYS = [bytes([number] * 32) for number in range(3)]


def test_any_two_of_three_shares_give_the_secret():
    shares = secret_sharing.split(b"correct horse", 2, KEYS)
    for one, two in ((0, 1), (0, 2), (2, 1)):
        given = {KEYS[one]: shares[one], KEYS[two]: shares[two]}
        assert secret_sharing.join(given) == b"correct horse"


def test_two_holders_with_one_key_are_refused():
    with pytest.raises(InvalidInputError, match="the key of holder 2 is that of an earlier holder"):
        secret_sharing.split(b"correct horse", 3, [KEYS[0], KEYS[1], KEYS[0]])
