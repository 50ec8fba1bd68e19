"""The public contract of `mopse.Clww` and `mopse.LewiWu`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from mopse import Clww, LewiWu
from mopse.errors import DecryptionError, InvalidInputError, MopseError, WrongTypeError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "ore.json").read_text())
KEY = bytes(range(32))

domains = st.sampled_from([1, 2, 3, 121, 256, 257, 2**20, 2**32 - 1, 2**32])
widths = st.integers(1, 8)


@st.composite
def schemes(draw):
    domain = draw(domains)
    if draw(st.booleans()):
        return Clww(KEY, domain), Clww.compare
    bits = draw(widths)
    return LewiWu(KEY, domain, bits), lambda a, b: LewiWu.compare(a, b, block_bits=bits)


def plaintexts_of(domain, **sizes):
    # Near one another as well as anywhere, so that ties and late differences are common.
    near = st.integers(0, 3) | st.integers(0, 3).map(lambda x: domain - 1 - x)
    anywhere = st.integers(0, domain - 1) | near.map(lambda x: min(max(x, 0), domain - 1))
    return st.lists(anywhere, **sizes)


# Known answers, computed a second time


@pytest.mark.parametrize("case", VECTORS["clww"], ids=lambda case: f"{case['domain']}")
def test_clww_ciphertexts_match(case):
    key = bytes.fromhex(case["key"])
    again = reference.Clww(key, case["domain"])
    assert [again.encrypt(x) for x in case["plaintexts"]] == case["ciphertexts"]
    clww = Clww(key, case["domain"])
    assert clww.encrypt(case["plaintexts"]).tolist() == case["ciphertexts"]
    assert clww.decrypt(case["ciphertexts"]).tolist() == case["plaintexts"]


@pytest.mark.parametrize(
    "case", VECTORS["lewi_wu"], ids=lambda case: f"{case['domain']} by {case['block_bits']}"
)
def test_lewi_wu_halves_match(case):
    key = bytes.fromhex(case["key"])
    again = reference.LewiWu(key, case["domain"], case["block_bits"])
    lewi_wu = LewiWu(key, case["domain"], case["block_bits"])
    columns = (case[name] for name in ("plaintexts", "nonces", "left", "right"))
    for x, nonce, left, right in zip(*columns, strict=True):
        assert again.left(x).hex() == left
        assert again.right(x, bytes.fromhex(nonce)).hex() == right
        assert lewi_wu.decrypt(bytes.fromhex(left + right)) == x
        assert lewi_wu.encrypt(x)[: lewi_wu.left_bytes].hex() == left


def test_halves_of_both_implementations_compare():
    ours, theirs = LewiWu(KEY, 100, 3), reference.LewiWu(KEY, 100, 3)
    for x in (0, 1, 40, 63, 64, 99):
        c = ours.encrypt(x)
        left, right = c[: ours.left_bytes], c[ours.left_bytes :]
        for y in (0, 39, 40, 64, 99):
            assert theirs.order(left, theirs.right(y, bytes(16))) == (x > y) - (x < y)
            assert theirs.order(theirs.left(y), right) == (y > x) - (y < x)


# Laws


@given(schemes(), st.data())
def test_comparison_is_that_of_integers(scheme_and_compare, data):
    scheme, compare = scheme_and_compare
    a = np.array(data.draw(plaintexts_of(scheme.domain, min_size=1, max_size=12)))
    pick = st.lists(
        st.sampled_from(a.tolist()) | st.integers(0, scheme.domain - 1),
        min_size=len(a),
        max_size=len(a),
    )
    b = np.array(data.draw(pick))
    c, d = scheme.encrypt(a), scheme.encrypt(b)
    signs = compare(c, d)
    assert signs.dtype == np.int8
    assert signs.tolist() == np.sign(a - b).tolist()
    assert compare(d, c).tolist() == np.sign(b - a).tolist()
    one = scheme.encrypt(int(b[0]))
    assert compare(c, one).tolist() == np.sign(a - b[0]).tolist()
    assert compare(one, c).tolist() == np.sign(b[0] - a).tolist()
    assert compare(one, one) == 0
    assert type(compare(one, one)) is int


@given(schemes(), st.data())
def test_decryption_undoes_encryption(scheme_and_compare, data):
    scheme, _ = scheme_and_compare
    plaintexts = data.draw(plaintexts_of(scheme.domain, max_size=12))
    assert scheme.decrypt(scheme.encrypt(plaintexts)).tolist() == plaintexts
    for x in plaintexts[:2]:
        c = scheme.encrypt(x)
        assert type(c) is (int if isinstance(scheme, Clww) else bytes)
        assert scheme.decrypt(c) == x


@given(st.integers(0, 2**32 - 1), st.integers(0, 31))
def test_clww_shows_the_first_bit_that_differs(x, bit):
    clww = Clww(KEY, 2**32)
    differing = clww.encrypt(x) ^ clww.encrypt(x ^ 1 << bit)
    assert (differing.bit_length() - 1) // 2 == bit


@given(st.integers(0, 2**32 - 1), st.integers(0, 31), widths)
def test_left_halves_agree_up_to_the_first_block_that_differs(x, bit, width):
    lewi_wu = LewiWu(KEY, 2**32, width)
    one, other = lewi_wu.encrypt(x), lewi_wu.encrypt(x ^ 1 << bit)
    blocks = -(-32 // width)
    equal = [one[16 * i : 16 * i + 16] == other[16 * i : 16 * i + 16] for i in range(blocks)]
    first = blocks - 1 - bit // width
    assert equal == [True] * first + [False] * (blocks - first)


def test_right_halves_of_equal_plaintexts_differ():
    lewi_wu = LewiWu(KEY, 121)
    c = lewi_wu.encrypt(np.full(50, 7))
    assert len({row.tobytes() for row in c[:, : lewi_wu.left_bytes]}) == 1
    assert len({row.tobytes() for row in c[:, lewi_wu.left_bytes :]}) == 50


# One case by hand


def test_three_bits_by_hand():
    clww = Clww(KEY, 8)
    # 4 = 100 and 5 = 101 differ in the last bit: the last digit of 5 is that of 4 plus one.
    four, five = clww.encrypt(4), clww.encrypt(5)
    assert four // 4 == five // 4
    assert (four % 4 + 1) % 3 == five % 4
    assert Clww.compare(four, five) == -1


# What goes in and comes out


def test_sizes_are_those_of_the_layout():
    assert [Clww(KEY, domain).ciphertext_bytes for domain in (1, 16, 17, 2**32)] == [1, 1, 2, 8]
    # Blocks of 2 bits of 32: 16 values of 16 bytes and 4 bytes; a nonce and 16 * 4 digits.
    lewi_wu = LewiWu(KEY, 2**32, block_bits=2)
    assert (lewi_wu.left_bytes, lewi_wu.ciphertext_bytes) == (260, 292)
    assert (lewi_wu.domain, lewi_wu.block_bits) == (2**32, 2)
    assert lewi_wu.encrypt(np.arange(3)).shape == (3, 292)
    assert LewiWu(KEY, 2**32).ciphertext_bytes == 4 * 17 + 16 + 256


@pytest.mark.parametrize("empty", [[], np.empty(0, np.int64), pl.Series([], dtype=pl.Int64)])
def test_nothing_gives_nothing(empty):
    clww, lewi_wu = Clww(KEY, 9), LewiWu(KEY, 9)
    numbers, rows = clww.encrypt(empty), lewi_wu.encrypt(empty)
    assert (numbers.shape, numbers.dtype) == ((0,), np.uint64)
    assert (rows.shape, rows.dtype) == ((0, 97), np.uint8)
    assert clww.decrypt(numbers).tolist() == lewi_wu.decrypt(rows).tolist() == []
    assert Clww.compare(numbers, clww.encrypt(3)).tolist() == []
    assert Clww.compare([], []).tolist() == []
    assert LewiWu.compare(lewi_wu.encrypt(3), rows).tolist() == []


def test_columns_of_all_libraries_are_read():
    clww = Clww(KEY, 2**32)
    plaintexts = [3, 2**32 - 1, 3, 0]
    expected = clww.encrypt(plaintexts)
    for column in (np.array, pd.Series, pl.Series, pa.array):
        assert clww.encrypt(column(plaintexts)).tolist() == expected.tolist()
        assert clww.decrypt(column(expected)).tolist() == plaintexts
    assert clww.decrypt(np.repeat(expected, 2)[::2]).tolist() == plaintexts


def test_any_buffer_is_one_lewi_wu_ciphertext_and_strided_rows_are_read():
    lewi_wu = LewiWu(KEY, 9)
    c = lewi_wu.encrypt(5)
    for buffer in (c, bytearray(c), memoryview(c)):
        assert lewi_wu.decrypt(buffer) == 5
    rows = lewi_wu.encrypt([1, 2, 3, 4])
    assert lewi_wu.decrypt(rows[::2]).tolist() == [1, 3]
    assert LewiWu.compare(rows[::-1], c).tolist() == [-1] * 4


# Refusals


@pytest.mark.parametrize("scheme", [Clww, LewiWu])
@pytest.mark.parametrize("domain", [0, 2**32 + 1, -1, 2**63, 2**64])
def test_domains_of_another_size_are_refused(scheme, domain):
    with pytest.raises(InvalidInputError, match=r"domain is .*, expected 1 to 2\^32"):
        scheme(KEY, domain)


@pytest.mark.parametrize("scheme", [Clww, LewiWu])
@pytest.mark.parametrize("domain", [True, 121.0, "121", None])
def test_domains_of_another_type_are_refused(scheme, domain):
    with pytest.raises(WrongTypeError, match="domain must be an integer"):
        scheme(KEY, domain)


@pytest.mark.parametrize("scheme", [Clww, LewiWu])
def test_keys_of_another_length_or_type_are_refused(scheme):
    with pytest.raises(InvalidInputError, match="key has 31 bytes, expected 32"):
        scheme(bytes(31), 9)
    with pytest.raises(WrongTypeError, match="a key must be bytes, not str"):
        scheme("k" * 32, 9)


@pytest.mark.parametrize("bits", [0, 9, -1, 2**40, 2**70])
def test_blocks_of_another_size_are_refused(bits):
    c = LewiWu(KEY, 9).encrypt(1)
    for call in (lambda: LewiWu(KEY, 9, bits), lambda: LewiWu.compare(c, c, bits)):
        with pytest.raises(InvalidInputError, match=f"bits of a block is {bits}, expected 1 to 8"):
            call()
    with pytest.raises(WrongTypeError, match="bits of a block must be an integer, not float"):
        LewiWu(KEY, 9, 8.0)


@pytest.mark.parametrize("scheme", [Clww(KEY, 121), LewiWu(KEY, 121)])
def test_a_plaintext_outside_the_domain_is_named_by_position(scheme):
    for outside in (121, -1, 2**63 - 1):
        with pytest.raises(InvalidInputError, match="position 2 lies outside the domain of 121"):
            scheme.encrypt([0, 120, outside, 121])
        with pytest.raises(InvalidInputError, match="position 0 lies outside"):
            scheme.encrypt(outside)
    with pytest.raises(InvalidInputError, match="does not fit an int64"):
        scheme.encrypt(2**63)
    with pytest.raises(InvalidInputError, match="entry 1 is null"):
        scheme.encrypt(pl.Series([1, None]))


@pytest.mark.parametrize("wrong", [1.0, "1", None, True, [1.0], ["1"], [True], [[1]], [None]])
def test_what_is_no_integer_is_refused_and_not_cast(wrong):
    clww, lewi_wu = Clww(KEY, 121), LewiWu(KEY, 121)
    for call in (
        clww.encrypt,
        clww.decrypt,
        lewi_wu.encrypt,
        lewi_wu.decrypt,
        lambda c: Clww.compare(c, 0),
        lambda c: Clww.compare(0, c),
        lambda c: LewiWu.compare(c, bytes(97)),
        lambda c: LewiWu.compare(bytes(97), c),
    ):
        with pytest.raises(WrongTypeError):
            call(wrong)


def test_what_is_no_ciphertext_is_named_by_position():
    clww, lewi_wu = Clww(KEY, 121), LewiWu(KEY, 121)
    numbers, rows = clww.encrypt([1, 2, 3]), lewi_wu.encrypt([1, 2, 3])
    numbers[1] |= 3
    rows[2, -1] ^= 1
    with pytest.raises(DecryptionError, match="position 1"):
        clww.decrypt(numbers)
    with pytest.raises(DecryptionError, match="position 1"):
        Clww.compare(0, numbers)
    with pytest.raises(DecryptionError, match="position 2"):
        lewi_wu.decrypt(rows)
    with pytest.raises(DecryptionError, match="position 0"):
        LewiWu(bytes(32), 121).decrypt(rows)
    for wrong in (-1, 2**64):
        with pytest.raises(InvalidInputError, match="does not fit a uint64"):
            clww.decrypt(wrong)
    for wrong in ([1, -1], (1, 2**64, -1), np.array([1, -1])):
        with pytest.raises(InvalidInputError, match=r"entry 1 (is negative|does not fit)"):
            clww.decrypt(wrong)


def test_ciphertexts_of_other_sizes_and_numbers_are_refused():
    lewi_wu = LewiWu(KEY, 121)
    c = lewi_wu.encrypt(1)
    for wrong in (b"", c[1:], c + b"0", np.zeros((0, 96), np.uint8)):
        with pytest.raises(InvalidInputError, match=r"a ciphertext has \d+ bytes, expected 97"):
            lewi_wu.decrypt(wrong)
    with pytest.raises(InvalidInputError, match="ciphertexts of 97 and of 96 bytes"):
        LewiWu.compare(c, c[1:])
    for wrong in (b"", c[1:]):
        with pytest.raises(InvalidInputError, match="size of a ciphertext"):
            LewiWu.compare(wrong, wrong)
    with pytest.raises(InvalidInputError, match="size of a ciphertext is 97"):
        LewiWu.compare(c, c, block_bits=2)
    with pytest.raises(WrongTypeError, match="int64 of 1"):
        lewi_wu.decrypt(np.zeros(97, np.int64))
    rows = lewi_wu.encrypt([1, 2, 3])
    with pytest.raises(InvalidInputError, match="second array has 2 entries, expected 3"):
        LewiWu.compare(rows, rows[:2])
    with pytest.raises(InvalidInputError, match="second array has 2 entries, expected 3"):
        Clww.compare([0, 0, 0], [0, 0])


def test_neither_repr_nor_errors_show_the_key_or_a_plaintext():
    key = b"not a key but 32 bytes of secret"
    clww, lewi_wu = Clww(key, 121), LewiWu(key, 121, 4)
    assert repr(clww) == "Clww(domain=121)"
    assert repr(lewi_wu) == "LewiWu(domain=121, block_bits=4)"
    texts = [repr(clww._clww), repr(lewi_wu._lewi_wu)]
    for call in (
        lambda: clww.encrypt(98765),
        lambda: lewi_wu.encrypt([98765]),
        lambda: Clww(key + b"!", 121),
        lambda: LewiWu(key.decode(), 121),
    ):
        with pytest.raises(MopseError) as caught:
            call()
        texts.append(f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}")
    for text in texts:
        assert "secret" not in text
        assert key.hex() not in text
        assert "98765" not in text
