"""Seals: the last one of each place, what of its rows is gone, and what proves answers by it."""

from collections.abc import Collection, Iterator
from typing import Any

from mopse._checked import checked
from mopse._mopse.message import Part, Query, Seal, StoredFile, StoredUpload
from mopse.stores._answers import Answers
from mopse.stores._catalog import Work
from mopse.stores._filing import Filing
from mopse.stores._gone import evidence_of, first_late, gone_rows
from mopse.stores._pieces import Pieces
from mopse.stores._proving import Gone, SealedAnswer, Sealing
from mopse.stores._records import Records
from mopse.stores._tables import Epochs

__all__ = ["Sealed"]


class Sealed(Records, Answers, Filing, Pieces):
    """What a store does with seals."""

    @checked()
    def seal(self, seal: Seal, message: bytes) -> bool:
        """See `SealStore.seal`."""
        with self._changing() as session:
            return self._seal(session, seal, message)

    def _seal(self, session: Work, seal: Seal, message: bytes) -> bool:
        owner = seal.owner
        seal.check_epochs(self._known_announcements(session, owner))
        place, of = self._made_place(session, owner, seal.provider, seal.epochs)
        sql = "SELECT mark, message, until, is_removed FROM seals WHERE place = ?"
        known = session.rows(sql, place)
        last = removed = None
        since = 0
        if known:
            [(mark, before, until, is_removed)] = known
            if bytes(mark) == seal.digest and not is_removed:
                return True
            if is_removed:
                removed = Seal.decode(bytes(before))
            else:
                last, since = Seal.decode(bytes(before)), until
        seal.check_next(last, removed)
        kept = gone_rows(session, "WHERE place = ?", place).get(place, [])
        gone = [(row.upload, row.handle, row.digest) for row in kept]
        seal.check_rows(last, gone, self._as_uploads(session, of, place, since=since))
        seal.check_files(self._described(session, place, "TRUE", []))
        self._forget_gone(session, place)
        session.run("DELETE FROM seals WHERE place = ?", place)
        [(files,)] = session.rows("SELECT count(*) FROM notes WHERE place = ?", place)
        until = self._sequence(session)
        change = self._take(session, owner, None, b"", "", (0, 0, 0))
        row = place, seal.digest, message, until, files, change, 0
        session.insert("seals", row)
        self._sealed[place] = until
        return False

    # Proofs

    @checked()
    def search_sealed(self, query: Query, known: Collection[bytes]) -> SealedAnswer:
        """See `SealStore.search_sealed`."""
        known = frozenset(known)
        with self._reading(query.owner) as session:
            parts: list[Part] = []
            reached: dict[tuple[int, str | None], None] = {}
            for token in query.tokens:
                parts += self._answer(session, query.owner, token, session.changes)
                group = session.group_at(query.owner, *token.place)
                if group is not None:
                    reached[group.number, token.provider] = None
            places: dict[int, tuple[bytes, int, int, int]] = {}
            gone: dict[int, list[Gone]] = {}
            evidence: dict[int, bytes] = {}
            for of, provider in reached:
                found = _sealed_places(session, of, provider)
                places |= found
                where, values = "WHERE place IN (SELECT id FROM places WHERE of_group = ?)", [of]
                if provider is not None:
                    where, values = "WHERE place = ?", [*found][:1] or [-1]
                gone |= gone_rows(session, where, *values)
                evidence |= evidence_of(session, where, *values)
            late: dict[int, list[int]] = {place: [] for place in places}
            for seq in session.seen:
                facts = self._upload(session, seq)
                if facts.place in places and seq >= places[facts.place][1]:
                    late[facts.place].append(facts.number)
            sealings = [
                _sealing(session, place, row, known)._replace(
                    late=late[place], gone=gone.get(place, [])
                )
                for place, row in places.items()
            ]
            above = {token.place[0] for token in query.tokens}
            sql = "SELECT provider, message FROM removals WHERE owner = ?"
            removals = [
                (provider, bytes(message))
                for provider, message in session.rows(sql, query.owner)
                if provider.rpartition("/")[0] in above
            ]
            return SealedAnswer(parts, session.changes, sealings, removals, evidence)

    @checked()
    def sealing(
        self, owner: bytes, provider: str, epochs: Epochs, known: Collection[bytes]
    ) -> tuple[tuple[bytes, bytes] | None, bytes]:
        """See `SealStore.sealing`."""
        with self._reading(owner) as session:
            sql = "SELECT message FROM removals WHERE owner = ? AND provider = ?"
            removals = session.rows(sql, owner, provider)
            removal = bytes(removals[0][0]) if removals else b""
            place = session.place(owner, provider, epochs)
            if place is None:
                return None, removal
            sql = "SELECT mark FROM seals WHERE place = ? AND is_removed = 0"
            marks = session.rows(sql, place[0])
            if not marks:
                return None, removal
            mark = bytes(marks[0][0])
            return (mark, _message(session, place[0], mark, known)), removal

    @checked()
    def sealed_files(self, owner: bytes, provider: str, epochs: Epochs) -> list[StoredFile]:
        """See `SealStore.sealed_files`."""
        until = "(SELECT s.files FROM seals s WHERE s.place = ? AND s.is_removed = 0)"
        with self._reading(owner) as session:
            place = session.place(owner, provider, epochs)
            if place is None:
                return []
            return self._described(session, place[0], f"arrival < {until}", [place[0]])

    @checked()
    def all_files(self, owner: bytes, provider: str, epochs: Epochs) -> list[StoredFile]:
        """See `SealStore.all_files`."""
        with self._reading(owner) as session:
            place = session.place(owner, provider, epochs)
            return [] if place is None else self._described(session, place[0], "TRUE", [])

    @checked()
    def sealed_rows(
        self, owner: bytes, provider: str, epochs: Epochs, field: str
    ) -> tuple[list[Gone], Iterator[StoredUpload]]:
        """See `SealStore.sealed_rows`."""
        gone: list[Gone] = []
        uploads = self._sealed_rows(owner, provider, epochs, field, gone)
        next(uploads, None)  # which has the rows that are gone
        return gone, uploads

    def _sealed_rows(
        self, owner: bytes, provider: str, epochs: Epochs, field: str, gone: list[Gone]
    ) -> Iterator[Any]:
        """Fill `gone` and yield nothing first, then the rows that are there, of one state."""
        with self._reading(owner) as session:
            known = session.place(owner, provider, epochs)
            if known is not None:
                place, of = known
                gone += gone_rows(session, "WHERE place = ?", place).get(place, [])
                yield None
                until = first_late(session, place)
                yield from self._as_uploads(session, of, place, until=until, field=field)


def _sealed_places(
    session: Work, group: int, provider: str | None
) -> dict[int, tuple[bytes, int, int, int]]:
    """Return mark, first later upload and change of the seals of a group, and whether all went."""
    sql = "SELECT s.place, s.mark, s.until, s.change, s.is_removed FROM seals s JOIN places p ON "
    sql += "p.id = s.place WHERE p.of_group = ?"
    found = {}
    for place, mark, *numbers in session.rows(sql, group):
        name = session.place_of(place)[1].rpartition("/")[2]
        if provider in (None, name):
            found[place] = (bytes(mark), *numbers)
    return found


def _sealing(
    session: Work, place: int, row: tuple[bytes, int, int, int], known: Collection[bytes]
) -> Sealing:
    mark, _, change, is_removed = row
    _, provider, epochs = session.place_of(place)
    message = _message(session, place, mark, known)
    return Sealing(provider, epochs, mark, message, change, bool(is_removed), [], [])


def _message(session: Work, place: int, mark: bytes, known: Collection[bytes]) -> bytes:
    """Return a seal as it came, if it is not known."""
    if mark in known:
        return b""
    return bytes(session.rows("SELECT message FROM seals WHERE place = ?", place)[0][0])
