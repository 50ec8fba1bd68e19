"""The public contract of `mopse.Opse`: what goes in, what comes out, and what is refused."""

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mopse import Opse
from mopse.errors import DecryptionError, InvalidInputError, MopseError, WrongTypeError

KEY = bytes(range(32))
SMALL = Opse(KEY, domain=121)
MEDIUM = Opse(KEY, domain=2**16)
LARGE = Opse(KEY, domain=2**32)
SCHEMES = [Opse(KEY, domain=1), SMALL, MEDIUM, LARGE]

DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", ">i4", ">u8"]

int64s = st.integers(-(2**63), 2**63 - 1)
schemes = st.sampled_from(SCHEMES)


def plaintexts_of(opse: Opse, **sizes):
    # Near one another as well as anywhere, so that neighbours and ties are common.
    top = opse.domain - 1
    near = st.integers(0, 3) | st.integers(0, 3).map(lambda x: top - x)
    anywhere = st.integers(0, top) | near.map(lambda x: min(max(x, 0), top))
    return st.lists(anywhere, **sizes)


# Laws


@given(schemes, st.data())
def test_order_is_kept_and_equality_too(opse, data):
    plaintexts = np.array(data.draw(plaintexts_of(opse, min_size=1, max_size=50)))
    ciphertexts = opse.encrypt(plaintexts)
    assert ciphertexts.dtype == np.int64
    assert (ciphertexts >= 0).all()
    by_plaintext = np.unique(plaintexts, return_inverse=True)[1]
    by_ciphertext = np.unique(ciphertexts, return_inverse=True)[1]
    np.testing.assert_array_equal(by_plaintext, by_ciphertext)


@given(schemes, st.data(), st.booleans())
def test_decryption_undoes_encryption_and_a_batch_is_its_scalars(opse, data, with_ids):
    plaintexts = data.draw(plaintexts_of(opse, max_size=30))
    size = len(plaintexts)
    ids = data.draw(st.lists(int64s, min_size=size, max_size=size)) if with_ids else None
    one_by_one = [
        opse.encrypt(x, ids=None if ids is None else ids[i]) for i, x in enumerate(plaintexts)
    ]
    assert all(type(c) is int for c in one_by_one)

    id_array = None if ids is None else np.array(ids, dtype=np.int64)
    batch = opse.encrypt(np.array(plaintexts, dtype=np.int64), ids=id_array)
    assert batch.tolist() == one_by_one
    assert opse.decrypt(batch, ids=id_array).tolist() == plaintexts
    back = [opse.decrypt(c, ids=None if ids is None else ids[i]) for i, c in enumerate(one_by_one)]
    assert back == plaintexts
    assert all(type(x) is int for x in back)


@given(schemes, st.data(), int64s, int64s)
def test_bounds_hold_exactly_the_ciphertexts_of_their_range(opse, data, one_id, other_id):
    low, high, x = data.draw(plaintexts_of(opse, min_size=3, max_size=3))
    low, high = sorted((low, high))
    first, last = opse.bounds(low, high)
    for ciphertext in (opse.encrypt(x), opse.encrypt(x, one_id), opse.encrypt(x, other_id)):
        assert (first <= ciphertext <= last) == (low <= x <= high)


def test_whole_domain_has_ascending_ciphertexts():
    codebook = MEDIUM.encrypt(np.arange(2**16))
    assert (np.diff(codebook) > 0).all()
    assert codebook[0] >= 0
    np.testing.assert_array_equal(MEDIUM.decrypt(codebook), np.arange(2**16))


def test_ids_spread_equal_plaintexts_and_equal_ids_do_not():
    ids = np.arange(1000)
    spread = SMALL.encrypt(np.full(1000, 40), ids=ids)
    assert np.unique(spread).size == 1000
    np.testing.assert_array_equal(SMALL.encrypt(np.full(1000, 40), ids=ids), spread)
    assert SMALL.encrypt(39, ids=7) < spread.min() <= spread.max() < SMALL.encrypt(41, ids=7)
    assert np.unique(SMALL.encrypt(np.full(9, 40), ids=np.full(9, 3))).size == 1


def test_key_and_domain_decide_the_ciphertexts():
    plaintexts = np.arange(100)
    same = Opse(bytearray(KEY), domain=np.int16(121))
    np.testing.assert_array_equal(same.encrypt(plaintexts), SMALL.encrypt(plaintexts))
    assert same.domain == 121
    assert type(same.domain) is int
    for other in (Opse(bytes(32), domain=121), Opse(KEY, domain=122)):
        assert not (other.encrypt(plaintexts) == SMALL.encrypt(plaintexts)).any()


def test_a_key_buffer_is_copied():
    buffer = bytearray(KEY)
    opse = Opse(memoryview(buffer), domain=121)
    buffer[:] = bytes(32)
    assert opse.encrypt(40) == SMALL.encrypt(40)


# What goes in


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_of_every_width_give_the_same_ciphertexts(dtype):
    expected = SMALL.encrypt(np.array([0, 40, 120, 40]))
    narrow = np.array([0, 40, 120, 40], dtype=dtype)
    np.testing.assert_array_equal(SMALL.encrypt(narrow), expected)
    np.testing.assert_array_equal(
        SMALL.encrypt(narrow, ids=narrow), [SMALL.encrypt(x, ids=x) for x in (0, 40, 120, 40)]
    )
    assert SMALL.encrypt(narrow[1]) == expected[1]
    assert type(SMALL.encrypt(narrow[1], ids=narrow[1])) is int


def test_columns_of_all_libraries_give_the_same_ciphertexts():
    values = [0, 40, 80, 120]
    encrypted = SMALL.encrypt(np.array(values))
    columns = [
        values,
        range(0, 121, 40),
        pl.Series(values, dtype=pl.UInt8),
        pl.Series(values, dtype=pl.Int128),
        pl.concat([pl.Series(values[:1]), pl.Series(values[1:])], rechunk=False),
        pd.Series(values, dtype="int16", index=[3, 1, 3, 0]),
        pd.Series(values, dtype="Int64"),
        pd.Index(values),
        pa.array(values, pa.int8()),
        pa.chunked_array([values[:1], values[1:]], pa.uint64()),
    ]
    for column in columns:
        ciphertexts = SMALL.encrypt(column)
        assert type(ciphertexts) is np.ndarray
        assert ciphertexts.tolist() == encrypted.tolist()
    for library in (pl.Series, pd.Series, pa.array, np.uint64):
        assert SMALL.decrypt(library(encrypted)).tolist() == values


def test_strided_and_read_only_arrays_are_read():
    values, ids = np.arange(100), np.arange(200)
    values.flags.writeable = False
    views = [(values[::-3], ids[::-5][:34]), (values.reshape(20, 5)[:, 2], ids[::10])]
    for view, id_view in views:
        assert not view.flags.c_contiguous
        ciphertexts = SMALL.encrypt(view)
        assert ciphertexts.tolist() == SMALL.encrypt(view.copy()).tolist()
        spread = SMALL.encrypt(view, ids=id_view)
        assert spread.tolist() == SMALL.encrypt(view.copy(), ids=id_view.copy()).tolist()
        assert SMALL.decrypt(ciphertexts[::2]).tolist() == view[::2].tolist()
        assert SMALL.decrypt(spread[::2], ids=id_view[::2]).tolist() == view[::2].tolist()


def test_arrays_are_left_as_they_were():
    values, ids = np.arange(121), np.arange(121)
    ciphertexts = SMALL.encrypt(values, ids=ids)
    before = ciphertexts.copy()
    SMALL.decrypt(ciphertexts, ids=ids)
    for array, expected in ((values, np.arange(121)), (ids, np.arange(121)), (ciphertexts, before)):
        np.testing.assert_array_equal(array, expected)
    assert ciphertexts.flags.writeable


@pytest.mark.parametrize(
    "empty",
    [np.array([], dtype=np.uint8), [], pl.Series([], dtype=pl.Int8), pa.array([], pa.int32())],
    ids=["numpy", "list", "polars", "arrow"],
)
def test_nothing_gives_nothing(empty):
    for ciphertexts in (
        SMALL.encrypt(empty),
        SMALL.encrypt(empty, ids=empty),
        SMALL.decrypt(empty),
    ):
        assert ciphertexts.dtype == np.int64
        assert ciphertexts.shape == (0,)


# Refusals


@pytest.mark.parametrize(
    "wrong",
    [
        True,
        np.True_,
        1.0,
        np.float64(1),
        "1",
        None,
        np.timedelta64(1, "s"),
        np.array([True]),
        np.array([1.0]),
        np.array(["1"]),
        np.array([1, 2], dtype="m8[s]"),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([1, None]),
        np.array([[1, 2]]),
        np.array(1),
        pl.Series([1.0]),
        pl.Series(["1"]),
        pl.Series([True]),
        pl.Series([None]),
        pl.Series([1]).cast(pl.Date),
        pl.Series([1]).cast(pl.Duration),
        pl.DataFrame({"x": [1]}),
        pd.Series([1.0]),
        pa.array([1.0]),
        pa.table({"x": [1]}),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_what_is_no_integer_is_refused_and_not_cast(wrong):
    calls = [SMALL.encrypt, SMALL.decrypt]
    if wrong is not None:  # no ids at all
        calls.append(lambda ids: SMALL.encrypt(np.array([1]), ids=ids))
    for call in calls:
        with pytest.raises(WrongTypeError) as caught:
            call(wrong)
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, MopseError)


@given(st.lists(st.integers(0, 120), max_size=40), st.data())
def test_a_plaintext_outside_the_domain_is_named_by_position(good, data):
    row = data.draw(st.integers(0, len(good)))
    bad = data.draw(st.sampled_from([-1, 121, 2**32, -(2**63), 2**63 - 1]))
    values = np.array([*good[:row], bad, *good[row:]])
    for ids in (None, np.arange(values.size)):
        with pytest.raises(
            InvalidInputError, match=f"position {row} lies outside the domain of 121"
        ):
            SMALL.encrypt(values, ids=ids)


@pytest.mark.parametrize("opse", SCHEMES, ids=repr)
def test_one_past_the_end_is_refused(opse):
    assert opse.decrypt(opse.encrypt(opse.domain - 1)) == opse.domain - 1
    for x in (-1, opse.domain):
        with pytest.raises(InvalidInputError, match="position 0 lies outside the domain"):
            opse.encrypt(x)


def test_nulls_are_refused_with_their_position():
    columns = [
        pl.Series([1, 2, None, 3]),
        pd.Series([1, 2, None, 3], dtype="Int64"),
        pa.array([1, 2, None, 3]),
        np.ma.array([1, 2, 9, 3], mask=[0, 0, 1, 0]),
    ]
    for column in columns:
        with pytest.raises(InvalidInputError, match="the plaintexts: entry 2 is null"):
            SMALL.encrypt(column)
        with pytest.raises(InvalidInputError, match="the ids: entry 2 is null"):
            SMALL.encrypt(np.arange(4), ids=column)


@pytest.mark.parametrize(
    "column",
    [
        np.array([1, 2**63 - 1, 2**63], dtype=np.uint64),
        np.array([1, 2, 2**64 - 1], dtype=">u8"),
        pl.Series([1, 2**63 - 1, 2**63], dtype=pl.UInt64),
        pl.Series([1, 2, -(2**63) - 1], dtype=pl.Int128),
        pa.array([1, 2, 2**63], pa.uint64()),
    ],
    ids=["uint64", "big-endian", "polars", "polars-128", "arrow"],
)
def test_numbers_beyond_int64_are_refused_with_their_position(column):
    with pytest.raises(InvalidInputError, match="the plaintexts: entry 2 does not fit an int64"):
        SMALL.encrypt(column)
    with pytest.raises(InvalidInputError, match="the ciphertexts: entry 2 does not fit an int64"):
        SMALL.decrypt(column)
    with pytest.raises(InvalidInputError, match="the ids: entry 2 does not fit an int64"):
        SMALL.encrypt(np.array([1, 2, 3]), ids=column)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_scalars_beyond_int64_are_refused(number):
    calls = {
        "the plaintext": lambda: SMALL.encrypt(number),
        "the ciphertext": lambda: SMALL.decrypt(number),
        "the id": lambda: SMALL.encrypt(1, ids=number),
        "a bound": lambda: SMALL.bounds(0, number),
    }
    for what, call in calls.items():
        with pytest.raises(InvalidInputError, match=f"{what} does not fit an int64"):
            call()


def test_ids_are_as_many_as_plaintexts():
    for count in (0, 2, 4):
        with pytest.raises(InvalidInputError, match=f"id array has {count} entries, expected 3"):
            SMALL.encrypt(np.arange(3), ids=np.arange(count))
        with pytest.raises(InvalidInputError, match=f"id array has {count} entries, expected 3"):
            SMALL.decrypt(SMALL.encrypt(np.arange(3)), ids=np.arange(count))
    with pytest.raises(WrongTypeError):
        SMALL.encrypt(3, ids=np.arange(1))
    with pytest.raises(WrongTypeError):
        SMALL.encrypt(np.arange(1), ids=3)


def test_what_is_no_ciphertext_is_named_by_position():
    ciphertexts = SMALL.encrypt(np.arange(10))
    for bad in (-1, -(2**63), int(ciphertexts[3]) + 1, int(ciphertexts[3]) - 1, 2**63 - 1):
        changed = ciphertexts.copy()
        changed[3] = bad
        with pytest.raises(DecryptionError, match="position 3 is not one of this key"):
            SMALL.decrypt(changed)
        with pytest.raises(DecryptionError, match="position 0 is not one of this key"):
            SMALL.decrypt(bad)


def test_other_ids_and_other_keys_do_not_decrypt():
    plaintexts, ids = np.arange(121), np.arange(121)
    ciphertexts = SMALL.encrypt(plaintexts, ids=ids)
    wrong = ids.copy()
    wrong[77] += 1
    with pytest.raises(DecryptionError, match="position 77 "):
        SMALL.decrypt(ciphertexts, ids=wrong)
    with pytest.raises(DecryptionError, match="position 0 "):
        SMALL.decrypt(ciphertexts)
    with pytest.raises(DecryptionError, match="position 0 "):
        SMALL.decrypt(SMALL.encrypt(plaintexts), ids=ids)
    with pytest.raises(DecryptionError, match="position 0 "):
        Opse(bytes(32), domain=121).decrypt(ciphertexts, ids=ids)
    assert not issubclass(DecryptionError, ValueError)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_keys_of_another_length_are_refused(length):
    with pytest.raises(InvalidInputError, match=f"key has {length} bytes, expected 32"):
        Opse(bytes(length), domain=121)


@pytest.mark.parametrize("key", ["k" * 32, 7, None, list(KEY), np.zeros(32, np.uint8)])
def test_keys_of_another_type_are_refused(key):
    with pytest.raises(WrongTypeError, match=f"a key must be bytes, not {type(key).__name__}"):
        Opse(key, domain=121)


@pytest.mark.parametrize("domain", [0, 2**32 + 1, -1, 2**63, 2**64, -(10**400)])
def test_domains_of_another_size_are_refused(domain):
    with pytest.raises(InvalidInputError, match=r"domain is .*, expected 1 to 2\^32"):
        Opse(KEY, domain=domain)


@pytest.mark.parametrize("domain", [True, 121.0, "121", None, np.timedelta64(121)])
def test_domains_of_another_type_are_refused(domain):
    with pytest.raises(WrongTypeError, match="domain must be an integer"):
        Opse(KEY, domain=domain)


@pytest.mark.parametrize(
    ("low", "high", "error"),
    [
        (3, 2, InvalidInputError),
        (-1, 2, InvalidInputError),
        (0, 121, InvalidInputError),
        (0.0, 2, WrongTypeError),
        (0, True, WrongTypeError),
        (None, 2, WrongTypeError),
    ],
)
def test_impossible_bounds_are_refused(low, high, error):
    with pytest.raises(error) as caught:
        SMALL.bounds(low, high)
    assert type(caught.value) is error


def test_neither_repr_nor_errors_show_the_key_or_a_plaintext():
    key = b"not a key but 32 bytes of secret"
    opse = Opse(key, domain=121)
    texts = [repr(opse), str(opse), repr(opse._opse)]
    assert texts[0] == "Opse(domain=121)"
    for call in (
        lambda: opse.encrypt(98765),
        lambda: opse.encrypt(np.array([98765])),
        lambda: opse.decrypt(98765),
        lambda: Opse(key + b"!", domain=121),
        lambda: Opse(key.decode(), domain=121),
    ):
        with pytest.raises(MopseError) as caught:
            call()
        texts.append(f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}")
    for text in texts:
        assert "secret" not in text
        assert key.hex() not in text
        assert "98765" not in text


# Threads


def test_threads_get_the_same_ciphertexts():
    opse = Opse(KEY, domain=2**16)  # its codebook is made by whichever thread is first
    values = np.random.default_rng(1).integers(0, 2**16, 20_000)
    ids = np.arange(values.size)
    values.flags.writeable = False

    def both(_):
        ciphertexts = opse.encrypt(values)
        return ciphertexts, opse.encrypt(values, ids=ids), opse.decrypt(ciphertexts)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(both, range(16)))
    for ciphertexts, spread, plaintexts in answers:
        np.testing.assert_array_equal(ciphertexts, MEDIUM.encrypt(values))
        np.testing.assert_array_equal(spread, MEDIUM.encrypt(values, ids=ids))
        np.testing.assert_array_equal(plaintexts, values)


@pytest.mark.parametrize("mode", ["encrypt", "encrypt with ids", "decrypt", "decrypt with ids"])
def test_other_threads_run_during_a_batch(mode):
    # With a switch interval of a day, a thread gets to run only where another lets go of the
    # interpreter by itself. The loop below does so in the batch alone.
    values = np.arange(100_000) % 121
    ids = np.arange(values.size) if "ids" in mode else None
    call = SMALL.decrypt if "decrypt" in mode else SMALL.encrypt
    argument = SMALL.encrypt(values, ids=ids) if "decrypt" in mode else values
    gate, waiting, did_run = threading.Lock(), threading.Event(), []

    def bystander() -> None:
        waiting.set()
        with gate:
            did_run.append(True)

    interval = sys.getswitchinterval()
    gate.acquire()
    thread = threading.Thread(target=bystander)
    thread.start()
    waiting.wait()
    gc.disable()
    sys.setswitchinterval(86_400)
    try:
        gate.release()
        for _ in range(1000):
            call(argument, ids=ids)
            if did_run:
                break
        ran_in_time = bool(did_run)
    finally:
        sys.setswitchinterval(interval)
        gc.enable()
        thread.join()
    assert ran_in_time
