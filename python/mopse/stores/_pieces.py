"""Uploads that come in pieces: their chunks, until all are there."""

from mopse._checked import checked
from mopse._mopse.message import Piece
from mopse.errors import InvalidInputError
from mopse.stores._base import Base
from mopse.stores._tables import NUMBERS, by_provider, packed_epochs

__all__ = ["BEGUN_FOR", "MOST_BEGUN", "Pieces"]

MOST_BEGUN = 16
"""Uploads in pieces that a provider may have begun at a time."""

BEGUN_FOR = 7 * 24 * 3600
"""Seconds after which one is forgotten that nothing came of."""


class Pieces(Base):
    """What a store does with pieces."""

    @checked(number=NUMBERS)
    def repeated(
        self, owner: bytes, provider: str, number: int, digest: bytes
    ) -> tuple[int, int, int] | None:
        """See `Store.repeated`."""
        with self._reading(owner) as session:
            found = self._repeated(session, owner, provider, number, digest)
        return None if found is None else found[:3]

    @checked(now=(0, 2**63 - 1 - BEGUN_FOR))
    def put(self, piece: Piece, now: int) -> None:
        """See `Store.put`."""
        owner, place = piece.owner, (piece.provider, packed_epochs(piece.epochs))
        with self._changing() as session:
            late = session.rows(
                "SELECT owner, mark FROM begun WHERE owner = ? AND until < ?", owner, now
            )
            for of, mark in late:
                for table in ("begun", "chunks"):
                    session.run(f"DELETE FROM {table} WHERE owner = ? AND mark = ?", of, mark)
            where = "owner = ? AND mark = ?"
            key = owner, piece.digest
            if session.rows(f"SELECT 1 FROM begun WHERE {where}", *key):
                session.update("begun", where, key, until=now + BEGUN_FOR)
            else:
                sql = "SELECT count(*) FROM begun WHERE owner = ? AND provider = ? AND epochs = ?"
                if session.rows(sql, owner, *place)[0][0] >= MOST_BEGUN:
                    raise InvalidInputError(
                        f"{by_provider(piece.provider)} has begun {MOST_BEGUN} uploads in pieces "
                        "that are not whole: end one, or wait until they are forgotten"
                    )
                session.insert("begun", (*key, *place, now + BEGUN_FOR))
            sql = f"SELECT number FROM chunks WHERE {where}"
            there = {number for (number,) in session.rows(sql, *key)}
            session.insert(
                "chunks",
                *((*key, number, chunk) for number, chunk in piece.chunks() if number not in there),
            )

    @checked()
    def chunks(self, owner: bytes, digest: bytes) -> list[int]:
        """See `Store.chunks`."""
        sql = "SELECT number FROM chunks WHERE owner = ? AND mark = ? ORDER BY number"
        with self._engine.read() as session:
            return [number for (number,) in session.rows(sql, owner, digest)]

    @checked()
    def body(self, owner: bytes, digest: bytes) -> bytes:
        """See `Store.body`."""
        sql = "SELECT chunk FROM chunks WHERE owner = ? AND mark = ? ORDER BY number"
        with self._engine.read() as session:
            return b"".join(bytes(chunk) for (chunk,) in session.rows(sql, owner, digest))

    @checked()
    def forget(self, owner: bytes, digest: bytes) -> None:
        """See `Store.forget`."""
        with self._changing() as session:
            for table in ("begun", "chunks"):
                session.run(f"DELETE FROM {table} WHERE owner = ? AND mark = ?", owner, digest)
