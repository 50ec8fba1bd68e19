"""What every operation of a store begins with: a transaction, what it knows, and look-ups."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Never, Self

import numpy as np
from numpy.typing import NDArray

from mopse._mopse.message import Part
from mopse.errors import ReplayError, WrongTypeError
from mopse.stores._catalog import Catalog, Facts, Work
from mopse.stores._tables import (
    FEW,
    Engine,
    Epochs,
    Session,
    Spool,
    by_names,
    by_provider,
    epochs_of,
    halves,
    names_of,
    number_of,
    packed_epochs,
    prepare,
    u128,
    upload_of,
)

__all__ = ["Base", "kept_announcements"]


class Base:
    """Transactions over an engine, and what is known of groups, places and uploads."""

    def __init__(self, engine: Engine, *, must_exist: bool = False) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self._catalog = Catalog()
        # What is announced, and how often that changed: whoever read before a change keeps none.
        self._announced: dict[bytes, list[bytes]] = {}
        self._enrolled = 0
        # What is under a number for ever, and what only whoever writes looks at.
        self._uploads: dict[int, Facts] = {}
        self._last: dict[bytes, int] = {}
        self._has_stones: dict[int, bool] = {}
        self._sealed: dict[int, int] = {}
        # Odd while a change is being committed.
        self._commits = 0
        # The high halves of handles that may be at a place: ascending, and those that came since.
        self._highs: dict[int, tuple[NDArray[np.int64], set[int]]] = {}
        self._next: int | None = None
        self._tidier: threading.Thread | None = None
        self._is_closed = False
        self._written_at = time.monotonic()
        try:
            with self._engine.write() as session:
                prepare(self._engine, session, must_exist)
                self._engine.settle(session)
        except BaseException:
            self._engine.close()
            raise

    @contextlib.contextmanager
    def _reading(self, owner: bytes = b"") -> Iterator[Work]:
        """Return a snapshot, which knows how many changes an owner's records have seen."""
        with self._engine.read() as session:
            # The first statement takes the snapshot. It is of the state that is known, unless a
            # change is committed about then.
            before, count = self._commits, self._last.get(owner) if owner else 0
            [(number,)] = session.rows("SELECT catalog FROM mopse_store")
            is_known = self._engine.is_exclusive and not before % 2 and before == self._commits
            if owner and (count is None or not is_known):
                count = self._counted(session, owner)
                self._note_count(owner, count, before)
            yield Work(session, self._catalog_of(session, number), count or 0)

    def _note_count(self, owner: bytes, count: int, commits: int) -> None:
        """Keep how many changes there are, if none was committed since that was read."""
        if self._engine.is_exclusive and self._writing.acquire(blocking=False):
            try:
                if commits == self._commits:
                    self._last[owner] = count
            finally:
                self._writing.release()

    @contextlib.contextmanager
    def _changing(self, spool: Spool | None = None) -> Iterator[Work]:
        """Return a transaction; what is known of groups and places is so once it is committed."""
        with self._writing:
            is_ending = False
            try:
                with self._engine.write(spool) as session:
                    known = self._catalog
                    if not self._engine.is_exclusive or known.number < 0:
                        [(number,)] = session.rows("SELECT catalog FROM mopse_store")
                        known = self._catalog_of(session, number)
                    work = Work(session, known)
                    yield work
                    self._commits += 1
                    is_ending = True
                self._catalog, self._written_at = work.catalog, time.monotonic()
                self._last |= work.last
            except BaseException:
                self._uploads.clear()
                self._last.clear()
                self._has_stones.clear()
                self._sealed.clear()
                self._next = None
                raise
            finally:
                self._commits += is_ending

    def _catalog_of(self, session: Session, number: int) -> Catalog:
        """Return what is known of a state."""
        known = self._catalog
        if known.number == number:
            return known
        found = Catalog.of(session, number)
        if number > known.number:
            self._catalog = found
        return found

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "a store is a place, neither pickled nor copied: each process opens it, or a database"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; what was committed is there when it is opened again."""
        with self._writing:
            if not self._is_closed:
                self._is_closed = True
                self._engine.close()

    def _known_announcements(self, session: Work, owner: bytes) -> list[bytes]:
        """Return what is announced, in a transaction that changes something."""
        known = self._announced.get(owner) if self._engine.is_exclusive else None
        return kept_announcements(session.session, owner) if known is None else known

    def _made_place(
        self, session: Work, owner: bytes, provider: str, epochs: Epochs
    ) -> tuple[int, int]:
        """Return the number of a place and of its group, which are there from now on."""
        found = session.place(owner, provider, epochs)
        if found is not None:
            return found
        authority, packed = provider.rpartition("/")[0], packed_epochs(epochs)
        known = session.change()
        group = session.group_at(owner, authority, epochs)
        if group is None:
            of = len(known.groups)
            nobody = np.empty((0, 2), np.uint64)
            label = Part(owner, 0, 0, 0, True, provider, epochs, 0, (0, b""), nobody, [], []).group
            session.insert("record_groups", (of, owner, authority, packed, label, 0))
            session.run(
                f"CREATE TABLE records_{of} (seq BIGINT, row_no BIGINT, place BIGINT, "
                "high BIGINT, low BIGINT, digest BIGINT)"
            )
            self._engine.index(session.session, f"records_{of}", "place, high")
            self._engine.index(session.session, f"records_{of}", "seq, row_no")
            known.add_group(of, (owner, authority, packed))
        else:
            of = group.number
        number = len(known.places)
        session.insert("places", (number, of, owner, provider, packed))
        known.add_place(number, of, (owner, provider, packed))
        return number, of

    def _upload(self, session: Work, seq: int) -> Facts:
        if seq not in self._uploads:
            names = ", ".join(names_of("uploads"))
            [row] = session.rows(f"SELECT {names} FROM uploads WHERE seq = ?", seq)
            self._uploads[seq] = Facts(row)
        return self._uploads[seq]

    def _repeated(
        self, session: Work, owner: bytes, provider: str, number: int, digest: bytes
    ) -> Any:
        """Return the receipt of a message that was carried out before."""
        sql = (
            "SELECT hash, added, replaced, removed, gone FROM taken WHERE owner = ? AND number = ?"
        )
        known = session.rows(sql, owner, u128(number))
        if not known:
            return None
        [(hash_, *receipt, is_gone)] = known
        if bytes(hash_) != digest or is_gone:
            if bytes(hash_) == digest:
                raise ReplayError(
                    f"{upload_of(provider)} was received before, and its records were removed since"
                )
            raise ReplayError(
                f"another upload or removal had the number of this one of {by_provider(provider)}"
            )
        return tuple(receipt)

    def _take(
        self,
        session: Work,
        owner: bytes,
        number: int | None,
        digest: bytes,
        provider: str,
        receipt: tuple[int, int, int],
    ) -> int:
        """Note a change, and return its number; of what has none of its own, only that."""
        known = b"" if number is None else u128(number)
        change = self._changes(session, owner) + 1
        session.insert("taken", (owner, known, digest, provider, *receipt, 0, change))
        session.last[owner] = change
        return change

    def _changes(self, session: Work, owner: bytes) -> int:
        """Return how many uploads and removals an owner's records have seen."""
        if owner in session.last:
            return session.last[owner]
        if self._engine.is_exclusive and owner in self._last:
            return self._last[owner]
        return self._counted(session, owner)

    @staticmethod
    def _counted(session: Work | Session, owner: bytes) -> int:
        sql = "SELECT coalesce(max(change), 0) FROM taken WHERE owner = ?"
        return int(session.rows(sql, owner)[0][0])

    def _sequence(self, session: Work) -> int:
        """Return the number of the next upload: no two have one, also when the last one is gone."""
        if not self._engine.is_exclusive:
            return int(session.rows("SELECT nextval('mopse_uploads')")[0][0])
        if self._next is None:
            [(self._next,)] = session.rows("SELECT count(*) FROM taken")
        self._next += 1
        return self._next - 1

    def _found(
        self, session: Work, of: int, place: int, handles: NDArray[np.uint64]
    ) -> dict[int, tuple[int, int]]:
        """Return upload and row of the records with these handles, by position."""
        if not self._may_have(session, of, place, halves(handles)[0]):
            return {}
        table = f"records_{of}"
        sql = f"SELECT {{0}}, r.seq, r.row_no FROM {table} r"
        return {
            position: (seq, row)
            for position, seq, row in self._looked_up(session, sql, "r", place, handles)
        }

    def _may_have(self, session: Work, of: int, place: int, highs: NDArray[np.int64]) -> bool:
        """Say whether a place may have a record with one of these high halves of handles.

        Most records are new, and to look for one reads a column of all that are there.
        """
        if not self._engine.is_exclusive:
            return True
        if place not in self._highs:
            sql = f"SELECT high FROM records_{of} WHERE place = ?"
            found = session.fetch(sql, [place], {"high": int})["high"]
            self._highs[place] = np.sort(found), set()
        known, since = self._highs[place]
        if not len(known):
            return bool(since) and not since.isdisjoint(highs.tolist())
        at = np.minimum(np.searchsorted(known, highs), len(known) - 1)
        return bool((known[at] == highs).any()) or not since.isdisjoint(highs.tolist())

    def _note_highs(self, place: int, highs: NDArray[np.int64]) -> None:
        """Note that records with these high halves of handles are about to be at a place."""
        if len(highs) > FEW:
            self._highs.pop(place, None)
        elif place in self._highs:
            self._highs[place][1].update(highs.tolist())

    def _stones(self, session: Work, place: int, handles: NDArray[np.uint64]) -> dict[int, int]:
        """Return the number of the upload that removed each of some records, by position."""
        if self._engine.is_exclusive:
            if place not in self._has_stones:
                sql = "SELECT 1 FROM tombstones WHERE place = ? LIMIT 1"
                self._has_stones[place] = bool(session.rows(sql, place))
            if not self._has_stones[place]:
                return {}
        sql = "SELECT {0}, t.number FROM tombstones t"
        rows = self._looked_up(session, sql, "t", place, handles)
        return {position: number_of(number) for position, number in rows}

    def _looked_up(
        self, session: Work, sql: str, of: str, place: int, handles: NDArray[np.uint64]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield position and columns of what a table has under handles at a place."""
        if not len(handles):
            return
        high, low = halves(handles)
        if len(handles) <= FEW:
            positions = {
                (h, w): at
                for at, (h, w) in enumerate(zip(high.tolist(), low.tolist(), strict=True))
            }
            marks = ", ".join("?" * len(handles))
            wanted = sql.format(f"{of}.high, {of}.low")
            where = f" WHERE {of}.place = ? AND {of}.high IN ({marks})"
            for h, w, *columns in session.rows(wanted + where, place, *high.tolist()):
                if (h, w) in positions:
                    yield positions[h, w], *columns
            return
        staged = session.stage({"high": high, "low": low, "item": np.arange(len(high))})
        join = f" JOIN {staged} s ON s.high = {of}.high AND s.low = {of}.low WHERE {of}.place = ?"
        yield from session.rows(sql.format("s.item") + join, place)


def kept_announcements(session: Session, owner: bytes) -> list[bytes]:
    """Return the newest announcement of each authority of an owner, the owner's first."""
    sql = "SELECT path, epochs, message FROM announcements WHERE owner = ?"
    rows = [(path, epochs_of(of), bytes(message)) for path, of, message in session.rows(sql, owner)]
    return [message for *_, message in sorted(rows, key=lambda row: by_names(row[:2]))]
