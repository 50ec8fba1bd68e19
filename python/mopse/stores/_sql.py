"""A store over an engine that speaks SQL: tables, transactions, and what each operation does.

One wide table for each group holds its records: a row each, with the halves of its pseudonym, its
sealed portions, and one nullable ``BIGINT`` for each field. A ciphertext is a plain number there,
so that a range of it is a range of the engine. What an engine does in its own way is an `Engine`.

Every write is one transaction, and durable when it returns; every read is of one snapshot. A row of
every table carries a digest of its values, so that `SqlStore.check` finds what was damaged.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mopse._checked import checked
from mopse._files import as_folder
from mopse._mopse.message import Announcement, Removal
from mopse.errors import InvalidInputError
from mopse.stores._base import kept_announcements
from mopse.stores._catalog import Work
from mopse.stores._sealing import Sealed
from mopse.stores._tables import packed_epochs
from mopse.stores._upkeep import damage, exported

__all__ = ["SqlStore"]


class SqlStore(Sealed):
    """A store whose tables an engine holds. Whoever opens an engine makes one.

    Parameters
    ----------
    engine : Engine
        The database.
    must_exist : bool
        Whether a store must be in it already.
    """

    def owners(self) -> list[bytes]:
        """See `Store.owners`."""
        with self._reading() as session:
            found = session.rows("SELECT DISTINCT owner FROM announcements ORDER BY owner")
        return [bytes(owner) for (owner,) in found]

    @checked()
    def announcements(self, owner: bytes) -> list[bytes]:
        """See `Store.announcements`."""
        known = self._announced.get(owner)
        if known is not None and not self._is_closed:
            return known
        enrolled = self._enrolled
        with self._engine.read() as session:
            found = kept_announcements(session, owner)
        if self._engine.is_exclusive and enrolled == self._enrolled:
            self._announced[owner] = found
        return found

    @checked()
    def enroll(self, announcements: Sequence[Announcement]) -> None:
        """See `Store.enroll`."""
        if not announcements:
            raise InvalidInputError("announcements must not be empty")
        owner = announcements[0].owner
        with self._changing() as session:
            for announcement in announcements:
                path, epochs = announcement.place
                place = owner, path, packed_epochs(epochs)
                where = "owner = ? AND path = ? AND epochs = ?"
                last = session.rows(f"SELECT message FROM announcements WHERE {where}", *place)
                if last and not announcement.follows(Announcement.decode(bytes(last[0][0]))):
                    continue
                session.run(f"DELETE FROM announcements WHERE {where}", *place)
                session.insert("announcements", (*place, announcement.message))
        self._enrolled += 1
        self._announced.pop(owner, None)

    @checked()
    def remove(self, owner: bytes, provider: str, removal: Removal | None) -> tuple[int, int, bool]:
        """See `Store.remove`."""
        with self._changing() as session:
            return self._remove(session, owner, provider, removal)

    def _remove(
        self, session: Work, owner: bytes, provider: str, removal: Removal | None
    ) -> tuple[int, int, bool]:
        if removal is not None:
            repeated = self._repeated(session, owner, provider, removal.id, removal.digest)
            if repeated is not None:
                return repeated[0], repeated[1], True
        sql = "SELECT id, of_group FROM places WHERE owner = ? AND provider = ?"
        records = files = 0
        places = session.rows(sql, owner, provider)
        for place, _ in places:
            sql = "SELECT coalesce(sum(live), 0) FROM uploads WHERE place = ?"
            records += int(session.rows(sql, place)[0][0])
            sql = "SELECT count(*) FROM files WHERE place = ? AND description IS NOT NULL"
            files += session.rows(sql, place)[0][0]
        if removal is None and (records, files) == (0, 0):
            return 0, 0, False
        for place, of in places:
            self._unseal(session, place, is_signed=removal is not None)
            session.run(f"DELETE FROM records_{of} WHERE place = ?", place)
            session.run("DELETE FROM uploads WHERE place = ?", place)
            session.run("DELETE FROM tombstones WHERE place = ?", place)
            where = "place = ? AND description IS NOT NULL"
            in_place = f"SELECT f.number FROM files f WHERE {where}"
            session.run(
                f"DELETE FROM bodies WHERE owner = ? AND number IN ({in_place})", owner, place
            )
            session.update("files", where, (place,), description=None)
            session.update("labels", "place = ? AND masked IS NOT NULL", (place,), masked=None)
        where = "owner = ? AND provider = ? AND gone = 0"
        session.update("taken", where, (owner, provider), gone=1)
        if removal is not None:
            where = "owner = ? AND provider = ?"
            session.run(f"DELETE FROM removals WHERE {where}", owner, provider)
            session.insert("removals", (owner, provider, removal.message))
        number, digest = (None, b"") if removal is None else (removal.id, removal.digest)
        self._take(session, owner, number, digest, "", (records, files, 0))
        return records, files, False

    def compact(self) -> None:
        """Have records lie in the order of their first field, so that ranges of it read less.

        No answer changes. The bytes of what was removed stay where they are: see `purge`.
        """
        with self._changing() as session:
            for number in session.catalog.groups:
                self._reorder(session, number)

    def purge(self) -> None:
        """Write the store anew, so that the bytes of what was removed or replaced are gone.

        No answer and no proof changes. Nothing else is written meanwhile.

        Raises
        ------
        mopse.errors.FileAccessError
            If there is no room for another one beside it, or it may not be written. It is as it was
            then, and so it is, or all of it is new, after the process was killed.

        Notes
        -----
        A file is written beside it, compared, and takes its place in one step; its log is emptied
        before. It needs as much room again. A file with a second name is refused, for that would
        keep it. A database has its tables rewritten by ``VACUUM FULL``, one after the other, each
        of which is locked meanwhile; rows that a transaction of somebody else can still see stay,
        so that it is done when there is none.

        What a proof still needs stays until the next seal: of sealed rows that are gone, digest and
        ciphertexts of the index, but no record. Copies are none of its matter: backups, snapshots
        of a file system, freed blocks of a disk, and a server's own log, archives and replicas.
        """
        with self._writing:
            self._engine.purge()

    @checked()
    def export(self, folder: str | os.PathLike[str], *, replace: bool = False) -> dict[str, Path]:
        """Write the records of each group as Parquet, in the order of the first field.

        Parameters
        ----------
        folder : path
            Where the files go; it is made.
        replace : bool
            Whether they take the place of files that are there, of an earlier export for instance.

        Returns
        -------
        dict of str to Path
            The file of each group, by owner and group: ``high`` and ``low``, the halves of the
            pseudonyms, the sealed portions, and the ciphertexts of each field. The metadata say
            whose it is.

        Raises
        ------
        mopse.errors.FileAccessError
            If a file is there already, of which the first is named and nothing is written; or if
            one cannot be written: it is as it was before then.

        Notes
        -----
        The records of one group are in memory at a time. **Leakage.** That of the store.
        """
        with self._reading() as session:
            return exported(session, as_folder(folder), is_replacing=replace)

    def check(self) -> list[str]:
        """Return what is damaged, a line each; nothing of a store that is whole.

        Every table is read whole, those that can be read also if another one cannot. Every row is
        held against its digest, uploads against their records and receipts, seals against the rows
        that they are of, and tables against what others say of them. Nothing is changed.

        Notes
        -----
        Not noticed is a missing row that nothing else in the store tells of: of an authority below
        the owner, its announcement; a number from `Store.add_base`; a chunk of an upload that is
        not whole; the last place, if all that was sent there is gone and its provider had
        another one; the last change, if it was an operator's removal; a signed removal that is not
        the newest one, where an operator removed too; a seal before the last one, where an operator
        removed what was sealed; a tombstone of before the last seal, where the provider sent as
        many records since. Nor is a damaged block of an index in a file, which only changes read,
        and which `purge` makes anew.
        """
        return damage(self._engine)
