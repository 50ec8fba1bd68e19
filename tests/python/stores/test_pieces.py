"""Uploads that come in pieces: in any order, again, from several processes, cut short, forged."""

import random
import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from scene import Scene
from stores.test_contract import STORES, duckdb_store, postgres_store, reopened

from mopse import Cloud, Field, Schema
from mopse._mopse.cloud import Gate
from mopse._mopse.message import CHUNK_BYTES, Pieces
from mopse.errors import (
    DamagedFileError,
    InvalidInputError,
    MopseError,
    ScopeError,
    SignatureError,
)
from mopse.stores import BEGUN_FOR, MOST_BEGUN

SCHEMA = Schema(age=Field(0, 120))
LASTING = [duckdb_store, postgres_store]


def table(first: int, count: int, note: int = 1000) -> pl.DataFrame:
    """Return records of about `note` bytes each."""
    ids = np.arange(first, first + count)
    return pl.DataFrame({"id": ids, "age": ids % 121, "note": ["n" * note] * count})


def begun(store: Any, count: int = 3000) -> tuple[Scene, Any, Pieces]:
    """Return a scene, an upload of some MiB that nobody has, and its pieces."""
    scene = Scene(SCHEMA, "hospital", cloud=Cloud(store))
    upload = scene["hospital"].encrypt(table(0, count), id="id")
    return scene, upload, Pieces(bytes(upload))


def height(scene: Scene) -> int:
    """Return how many records there are."""
    return scene.cloud.count(scene.owner.query(age=(0, 120)))


@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
def test_pieces_in_any_order_and_again_are_the_upload_once_all_are_there(make):
    scene, upload, pieces = begun(make())
    assert len(pieces) == 4
    order = [*range(4), 1, 2]
    random.Random(3).shuffle(order)
    last = max(order.index(number) for number in range(4))
    before = scene.cloud._store.contents, scene.cloud._store.totals
    for at, number in enumerate(order[: last + 1]):
        there = set(order[:at])
        assert scene.cloud.missing(upload) == [n for n in range(4) if n not in there]
        assert (scene.cloud._store.contents, scene.cloud._store.totals) == before
        assert height(scene) == 0
        receipt = scene.cloud.put(pieces.piece(number, number + 1))
        assert (receipt is None) == (at < last)
    assert receipt is not None
    assert (receipt.added, receipt.repeated) == (3000, False)
    assert height(scene) == 3000
    assert scene.cloud.missing(upload) == []
    again = scene.cloud.put(pieces.piece(2, 3))
    assert again is not None
    assert again.repeated
    assert scene.cloud.receive(upload).repeated
    assert scene.cloud.receive_in_pieces(upload).repeated
    assert scene.cloud._store.chunks(scene.owner.key, upload._decoded.digest) in ([], ())


@pytest.mark.parametrize("piece_bytes", [1, CHUNK_BYTES, 2 * CHUNK_BYTES + 5, 1 << 40])
def test_an_upload_is_sent_in_pieces_of_any_size(piece_bytes):
    scene, upload, _ = begun(None)
    assert scene.cloud.receive_in_pieces(upload, piece_bytes=piece_bytes).added == 3000
    assert height(scene) == 3000
    small = scene["hospital"].encrypt(table(9000, 1), id="id")
    assert scene.cloud.receive_in_pieces(bytes(small)).added == 1


@pytest.mark.parametrize("make", LASTING, ids=lambda make: make.__name__)
def test_an_upload_goes_on_after_a_restart(make):
    store = make()
    scene, upload, pieces = begun(store)
    scene.cloud.put(pieces.piece(0, 2))
    scene.cloud.put(pieces.piece(3, 4))
    store = reopened(store)
    assert store.check() == []
    scene.cloud = Cloud(store)
    assert scene.cloud.missing(upload) == [2]
    sent: list[bytes] = []
    put = scene.cloud.put
    scene.cloud.put = lambda piece: sent.append(piece) or put(piece)  # type: ignore[method-assign, func-returns-value]
    assert scene.cloud.receive_in_pieces(upload).added == 3000
    assert [len(piece) // CHUNK_BYTES for piece in sent] == [1], "only what was missing"
    assert height(scene) == 3000
    assert store.check() == []
    store.close()


@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
def test_what_was_begun_is_bounded_and_forgotten(make):
    store = make()
    scene, upload, pieces = begun(store, 1500)
    other = scene.authorize("clinic")
    scene.enroll()
    gate, now = Gate(store, 1 << 28), int(time.time())
    uploads = [scene["hospital"].encrypt(table(n, 1100), id="id") for n in range(MOST_BEGUN)]
    of = [Pieces(bytes(each)) for each in uploads]
    for each in of:
        assert gate.put(each.piece(0, 1), now) is None
    with pytest.raises(InvalidInputError, match="begun"):
        gate.put(pieces.piece(0, 1), now)
    assert gate.put(of[0].piece(0, 1), now) is None, "which is begun"
    theirs = Pieces(bytes(other.encrypt(table(0, 1100), id="id")))
    assert gate.put(theirs.piece(0, 1), now) is None, "others may"
    assert gate.put(of[0].piece(0, 1), now + BEGUN_FOR) is None
    assert gate.put(pieces.piece(0, 1), now + BEGUN_FOR + 1) is None, "the others are forgotten"
    assert gate.missing(bytes(uploads[0]), now) == [1]
    assert gate.missing(bytes(uploads[1]), now) == [0, 1]
    assert gate.missing(bytes(upload), now) == [1]


@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
def test_a_piece_is_verified_by_itself(make):
    store = make()
    scene, upload, pieces = begun(store)
    right = pieces.piece(1, 3)
    choice = random.Random(9)
    for at in [9, 50, len(right) - 1, *(choice.randrange(len(right)) for _ in range(12))]:
        wrong = bytearray(right)
        wrong[at] ^= 1 << choice.randrange(8)
        with pytest.raises((SignatureError, DamagedFileError, ScopeError)):
            scene.cloud.put(bytes(wrong))
    for cut in (b"", right[:20], right[:-1], right + b"\0", bytes(upload)):
        with pytest.raises((SignatureError, DamagedFileError)):
            scene.cloud.put(cut)
    with pytest.raises(DamagedFileError):
        scene.cloud.receive(right)
    assert scene.cloud.missing(upload) == [0, 1, 2, 3]
    stranger = Scene(SCHEMA, "hospital")
    foreign = Pieces(bytes(stranger["hospital"].encrypt(table(0, 3), id="id"))).piece(0, 1)
    with pytest.raises(ScopeError):
        scene.cloud.put(foreign)


@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
def test_an_upload_that_a_revocation_overtook_is_not_ended(make):
    store = make()
    scene, upload, pieces = begun(store)
    scene.cloud.put(pieces.piece(0, 3))
    scene.owner.revoke("hospital")
    scene.enroll()
    for call in (lambda: scene.cloud.put(pieces.piece(3, 4)), lambda: scene.cloud.missing(upload)):
        with pytest.raises(ScopeError):
            call()
    assert height(scene) == 0


def test_an_upload_of_records_that_are_stored_is_refused_at_its_end_by_their_ids():
    scene, upload, _ = begun(None)
    again = scene.owner.authorize("hospital").encrypt(table(2990, 2000), id="id")
    assert scene.cloud.receive(upload).added == 3000
    with pytest.raises(InvalidInputError, match=r"record 299\d \(row \d of the table\)"):
        scene.cloud.receive_in_pieces(again)
    assert height(scene) == 3000


def test_what_is_no_upload_has_no_pieces():
    scene, upload, _ = begun(None, 5)
    for wrong in (b"", bytes(upload)[:-1], bytes(upload) + b"\0", bytes(scene.owner.public)):
        with pytest.raises(MopseError):
            scene.cloud.receive_in_pieces(wrong)
    with pytest.raises(InvalidInputError, match="piece_bytes is less than 1"):
        scene.cloud.receive_in_pieces(upload, piece_bytes=0)
