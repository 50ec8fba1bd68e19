"""Where a cloud keeps what it receives: the contract of a store, and the store in memory.

`MemoryStore` is gone with the process; `DuckDBStore` is a file that lasts, for one process at a
time; `PostgresStore` a database, for many. Anybody can write another: an object with the methods of
`Store`. It is handed what the cloud's door has verified, and never a key. What a restarted cloud
needs is in the store and nowhere else.

All three keep seals, so that answers are proven. One of yours does if it has the methods of
`SealStore` too; else its cloud refuses a seal, and answers nothing with a proof. With those of
`SpoolStore` a service over it holds no large attachment in memory.
"""

import copyreg
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Never, Protocol

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse._mopse.cloud import MemoryStore
from mopse._mopse.message import (
    Announcement,
    Attachment,
    Part,
    Piece,
    Query,
    Removal,
    Seal,
    StoredFile,
    StoredUpload,
    Token,
    tombstone,
)
from mopse.errors import WrongTypeError
from mopse.stores._duckdb import DuckDBStore
from mopse.stores._filing import LARGE
from mopse.stores._pieces import BEGUN_FOR, MOST_BEGUN
from mopse.stores._place import check_place, is_database
from mopse.stores._postgres import PostgresStore
from mopse.stores._sql import SqlStore

__all__ = [
    "BEGUN_FOR",
    "LARGE",
    "MOST_BEGUN",
    "SPENT",
    "Announcement",
    "Attachment",
    "DuckDBStore",
    "Epochs",
    "Gone",
    "MemoryStore",
    "Part",
    "Piece",
    "PostgresStore",
    "Query",
    "Removal",
    "Seal",
    "SealStore",
    "SealedAnswer",
    "Sealing",
    "SpoolStore",
    "Store",
    "StoredFile",
    "StoredUpload",
    "Token",
    "opened_store",
    "tombstone",
]

SPENT = -1
"""What `Store.labels` says of a label that was used and is no more."""

Epochs = Sequence[tuple[int, bytes]]
"""The epoch of each name of a path: its number, and its salt or no bytes."""

Gone = tuple[int, int, bytes, Sequence[tuple[str, int]], int, int]
"""A sealed row that was replaced or removed since.

The number of the upload that brought it; its pseudonym; what ``upload.digests()`` gave of it; field
and ciphertext of each of its entries; the number of the evidence that shows what its provider did;
and where in that its version stands.
"""

Sealing = tuple[str, Epochs, bytes, bytes, int, bool, Sequence[int], Sequence[Gone]]
"""What was sealed at a place, in one state.

Path of the provider and its epochs; ``seal.digest`` of the last seal; the seal as it came, or no
bytes if whoever asks knows it; which change of the owner's records it was; whether all that was
there has been removed since by a signed message; numbers of those uploads in the answer that came
after it; and rows that it is of and that are gone.
"""

SealedAnswer = tuple[
    Sequence[Part], int, Sequence[Sealing], Sequence[tuple[str, bytes]], Mapping[int, bytes]
]
"""The answer to a query, and what was sealed of the places that it reaches, of one state.

What `Store.search` returns; how many changes the owner's records have seen; what was sealed at each
place that a token reaches and that has or had a seal; the last signed removal of each provider
right below an authority that a token names, by path; and the evidence, by its number in `Gone`.
"""


class Store(Protocol):
    """What a cloud needs of a store. Everything it is handed was verified before.

    A store keeps each owner apart, named by its 32-byte verification key, and each group by itself.
    A provider is named by its path, or by its path and the epoch of each name in it. What it cannot
    take whole it refuses, with the errors that are named here, and then nothing has changed.

    Notes
    -----
    `StoredUpload`, `Part` and `StoredFile` show their arrays and bytes, and can be made of them:
    handles are (n, 2) uint64 arrays, the high and the low half of each; a portion of records is its
    name, its sealed layout, and a pair of an (n,) uint64 array of where each sealed record ends and
    all their bytes; a run is a field, an ascending (m,) int64 array of ciphertexts, and an (m,)
    uint32 array of the record of each.

    **Revocations.** The door checks an upload or attachment before it hands it over, and a
    revocation may be enrolled in between. So `add` and `add_file` call
    ``check_epochs(self.announcements(owner))`` of it, in the transaction that stores it.

    **Versions.** ``upload.versions()`` gives the version of each record that it brings, and
    `tombstone` that of one that an upload removed. ``upload.replaced`` (row, version) and
    ``upload.removed`` (epochs of a place of the provider; handle and version of each record) say
    what it takes the place of.

    **Queries.** A `Query` has ``tokens``. Each reaches the uploads of its ``place``, the path above
    their provider and their epochs, of all providers or of the one named ``provider``; and of these
    by what it ``asks``: ``"ranges"``, records that hold all ``predicates`` (field, lowest and
    highest ciphertext, both included); ``"records"``, those with its ``handles``; or ``"all"``.
    ``group`` is for people to read.

    `tests/vectors/store` holds scripts of messages and answers for every store; a new one is
    entered in `tests/python/stores/test_contract.py`.
    """

    def owners(self) -> list[bytes]:
        """Return every owner that is served."""

    def announcements(self, owner: bytes) -> list[bytes]:
        """Return the newest announcement of each authority of an owner, as they came.

        The owner's own comes first, and those of others by path and epochs; none if the owner is
        not served.
        """

    def enroll(self, announcements: Sequence[Announcement]) -> None:
        """Keep each ``announcement.message`` in place of the last of its ``owner`` and ``place``.

        All of one owner; one that ``follows`` the last of its place is kept, and the same one
        again changes nothing.

        Raises
        ------
        mopse.errors.ReplayError
            If a later one is kept. Of all, none is kept then.
        mopse.errors.ChangedError
            If neither follows the other: ``follows`` raises both.
        """

    def add(self, upload: StoredUpload, message: bytes) -> tuple[int, int, int, bool]:
        """Carry out an upload, whole; `message` is what it came as, with its signature.

        Returns
        -------
        tuple of int, int, int and bool
            How many records it added, replaced and removed; and whether it was carried out before
            (an upload of its ``id`` and ``digest``), so that nothing was changed.

        Raises
        ------
        mopse.errors.ScopeError
            If a revocation that is kept has overtaken it: ``upload.check_epochs`` raises it.
        mopse.errors.ReplayError
            Else, if another upload or removal of the owner had its ``id``, or this one was carried
            out and its records were removed with their provider since.
        mopse.errors.InvalidInputError
            Else, for the first row, removed ones last, that names no version though its record is
            there, or names one though nothing of it is known. The attribute ``position`` of the
            error is the row's; so below.
        mopse.errors.ChangedError
            Else, for the first that names another version than that of the record or tombstone.
        """

    def repeated(
        self, owner: bytes, provider: str, number: int, digest: bytes
    ) -> tuple[int, int, int] | None:
        """Return how many records an upload added, replaced and removed that was carried out.

        None if no upload of the owner had this number.

        Raises
        ------
        mopse.errors.ReplayError
            As of `add`.
        """

    def put(self, piece: Piece, now: int) -> None:
        """Keep ``piece.chunks()``, numbers and bytes, of the upload with ``piece.digest``.

        It may be there already. Nothing else shows it. What a provider began is forgotten a week
        (`BEGUN_FOR`) after its last piece, by `now` in seconds since 1970.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the provider has begun `MOST_BEGUN` others.
        """

    def chunks(self, owner: bytes, digest: bytes) -> Sequence[int]:
        """Return the numbers of an upload's chunks that are there, ascending."""

    def body(self, owner: bytes, digest: bytes) -> bytes:
        """Return an upload's chunks that are there, one after the other."""

    def forget(self, owner: bytes, digest: bytes) -> None:
        """Forget an upload's chunks, if there are any."""

    def add_file(self, attachment: Attachment, missing: Sequence[int], message: bytes) -> None:
        """Keep ``attachment.file``, its keyword ``entries`` and its ``note``; see `arrived`.

        An entry is a pair of label and masked number. `missing` are the numbers of attachments that
        were made before it and never came.

        Raises
        ------
        mopse.errors.ScopeError
            If a revocation that is kept has overtaken it: ``attachment.check_epochs`` raises it.
        mopse.errors.ReplayError
            Else, if the owner's files ever had its number.
        mopse.errors.InvalidInputError
            Else, if the entries of this provider and epochs ever had one of its labels.
        """

    def search(self, query: Query) -> list[Part]:
        """Return the sealed records that each token of a query asks for, all from one state.

        They come by token, upload and record, a part for each upload that has some, with their
        tombstones after them. The parts of a token are its pages, the last one marked. Where a
        token finds no record, a part without any, of the newest upload that it reaches, gives the
        layout; where it finds nothing at all, ``Part.nothing``. The snapshot of all parts is how
        many uploads and removals the owner's records have seen.
        """

    def count(self, query: Query) -> int:
        """Return how many records `search` returns."""

    def arrived(
        self, owner: bytes, provider: str, epochs: Epochs, numbers: Sequence[int]
    ) -> Sequence[Sequence[int] | None]:
        """Return what was ``missing`` when a provider's file of each number came, also if removed.

        That is an empty list for a base from `add_base`, and None where nothing of the number ever
        came from this provider in these epochs.
        """

    def notes(self, owner: bytes, provider: str, epochs: Epochs) -> list[tuple[int, bytes]]:
        """Return number and ``note`` of every attachment that ever came, in the order they came."""

    def add_base(self, owner: bytes, provider: str, epochs: Epochs, base: int) -> None:
        """Remember a number that the provider counts on from; it may be known already."""

    def label_count(self, owner: bytes, provider: str, epochs: Epochs) -> int:
        """Return how many labels there ever were of a provider's entries."""

    def labels(
        self, owner: bytes, provider: str, epochs: Epochs, labels: Sequence[int]
    ) -> list[int | None]:
        """Return the masked number under each label, `SPENT`, or None where nothing ever was."""

    def files(
        self, owner: bytes, provider: str, epochs: Epochs, numbers: Sequence[int]
    ) -> list[StoredFile]:
        """Return a provider's files with these numbers, if there are such, without bodies."""

    def files_of(
        self, owner: bytes, provider: str, epochs: Epochs, handles: Sequence[int]
    ) -> list[StoredFile]:
        """Return the files of a provider's records, without bodies, by record and as they came."""

    def file(self, owner: bytes, number: int) -> StoredFile | None:
        """Return the file of an owner with a number, with its body; None if there is none."""

    def deed(self, owner: bytes, number: int) -> bytes | None:
        """Return what ``attachment.deed(message)`` gave of a file; None if there is none.

        It shows whoever asks that its provider sent the file, as it is.
        """

    def remove(self, owner: bytes, provider: str, removal: Removal | None) -> tuple[int, int, bool]:
        """Remove all that a provider sent, in every epoch, and its tombstones.

        The numbers of its uploads and files, its labels and notes and what `arrived` says are
        remembered, so that nothing can be sent again and what the provider adds later is found. A
        signed removal is carried out once; without one, where there is nothing, nothing changes.

        Returns
        -------
        tuple of int, int and bool
            How many records and files there were, and whether the removal was carried out before.

        Raises
        ------
        mopse.errors.ReplayError
            If another upload or removal of the owner had the number of the removal.
        """

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """Owner, group, provider, live records and their bytes, of every upload that has some.

        The uploads of an owner stand together, within them those of a group, as they came.
        """

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """How many index entries, files, bytes of files, and live keyword entries there are."""

    def merged(
        self, owner: bytes, group: str, field: str
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return the merged entries of a field of a group: what a copy of the store shows of it.

        Returns
        -------
        (n,) int64 array and (n,) uint32 array
            Ciphertexts of live records, ascending, and the record of each, counted through the
            group's uploads in the order of `contents`.
        """


class SealStore(Store, Protocol):
    """What a cloud needs besides of a store that keeps seals, so that its answers are proven.

    Notes
    -----
    **Changes** are counted as before, and a seal that is taken is one more.

    **Rows that go.** A row of an upload that came before the last seal of its place is *sealed*.
    Where another upload replaces or removes it, keep it as a `Gone`: its digest and entries, and
    what shows that its provider did so, which is the first of ``upload.evidence(message)`` of that
    upload; the second tells where in it each version stands. They are kept until the next seal.

    **Removals.** Where all that a provider sent is removed by a signed message, keep that as
    ``removal.message``, and the seal of each of its places as one that is removed: the next one
    follows it. Where the operator removes it, forget the seals. Either way no row is `Gone`.
    """

    def seal(self, seal: Seal, message: bytes) -> bool:
        """Keep a seal in place of the last one of its ``owner``, ``provider`` and ``epochs``.

        If it is not that one again (by its ``digest``), call ``seal.check_next(last, removed)``,
        ``seal.check_rows(last, gone, since)`` with the uploads that came after the last one, as
        far as their rows are there, and ``seal.check_files(files)`` with all files of the place.

        Returns
        -------
        bool
            Whether it was there already, so that nothing was changed.

        Raises
        ------
        mopse.errors.ScopeError
            If a revocation that is kept has overtaken it: ``seal.check_epochs`` raises it.
        mopse.errors.ChangedError
            Else, if it is not the next one, or not of what is there: the checks raise it.
        """

    def search_sealed(self, query: Query, known: Collection[bytes]) -> SealedAnswer:
        """Return what `search` does, and what was sealed of the places that are reached.

        All of one state. `known` has the digests of seals whose bytes need not be told again.
        """

    def sealing(
        self, owner: bytes, provider: str, epochs: Epochs, known: Collection[bytes]
    ) -> tuple[tuple[bytes, bytes] | None, bytes]:
        """Return digest and bytes of a place's seal, None if it has none, and the last removal.

        That is the signed message which removed all that the provider had sent; no bytes if there
        never was one.
        """

    def sealed_files(self, owner: bytes, provider: str, epochs: Epochs) -> list[StoredFile]:
        """Return those files of a place that came before its last seal, without bodies."""

    def all_files(self, owner: bytes, provider: str, epochs: Epochs) -> list[StoredFile]:
        """Return all files of a place, without bodies."""

    def sealed_rows(
        self, owner: bytes, provider: str, epochs: Epochs, field: str
    ) -> tuple[list[Gone], Iterable[StoredUpload]]:
        """Return the sealed rows of a place, by upload, with their entries of one field.

        First those that are gone, then those that are there, both of one state.
        """


class SpoolStore(Store, Protocol):
    """What a service needs besides of a store whose large bodies are not to be in memory.

    A body of more than `LARGE` bytes is written to a *spool* as it comes, before anybody knows
    whether its provider signed it, and is read in pieces.

    Notes
    -----
    A **spool** is a context manager. It has ``write(piece)``; what was written is gone when it is
    left, unless `add_spooled` has kept it. A **body** is an iterator of its pieces, of a MiB at
    most, with ``close()``.
    """

    def spool(self) -> Any:
        """Return a spool for a body that is about to come."""

    def add_spooled(
        self,
        attachment: Attachment,
        missing: Sequence[int],
        deed: bytes,
        spool: Any,
    ) -> None:
        """Do what `add_file` does with an attachment whose body was written to a spool.

        `deed` is what the method `deed` returns of it from then on.

        Raises
        ------
        mopse.errors.MopseError
            As `add_file` does.
        """

    def spooled(self, owner: bytes, number: int) -> tuple[StoredFile, int, Any] | None:
        """Return a file without its body, the size of that, and the body.

        None where there is no such file, or its body is not a large one: `file` has it then.
        """


@checked()
def opened_store(path: str | os.PathLike[str], *, must_exist: bool = False) -> SqlStore:
    """Return the store that a path or an address names, opened.

    Parameters
    ----------
    path : path or str
        A DuckDB file, which ends with ``.duckdb`` and is made if it is not there, or a database, as
        in ``postgresql://user@host/database``: see `DuckDBStore` and `PostgresStore`.
    must_exist : bool
        Whether it is an error instead if there is no store yet.

    Raises
    ------
    mopse.errors.MissingFileError
        If there is no such file, and it must exist, or no such folder.
    mopse.errors.InvalidInputError
        If it is the path of no store that is known.
    mopse.errors.FileAccessError
        If it cannot be opened, or another process has it open.
    mopse.errors.DamagedFileError
        If it is no store, or damaged.
    """
    check_place(path)
    if is_database(path):
        return PostgresStore(str(path), must_exist=must_exist)
    return DuckDBStore(path, must_exist=must_exist)


def _announcement(message: bytes) -> Announcement:
    return Announcement.decode(message)


def _part(message: bytes) -> Part:
    return Part.decode(message)


def _refuse_message(decoded: object) -> Never:
    raise WrongTypeError(
        f"a {type(decoded).__name__} is neither pickled nor copied: the message that it was read "
        "from is, as bytes"
    )


def _refuse_store(store: object) -> Never:
    raise WrongTypeError(
        "a store in memory is a place, neither pickled nor copied: what it received can be sent "
        "to another"
    )


def _reduced_announcement(announcement: Announcement) -> tuple[Any, tuple[bytes]]:
    return _announcement, (announcement.message,)


def _reduced_part(part: Part) -> tuple[Any, tuple[bytes]]:
    return _part, (part.encode(),)


def _reduced_file(file: StoredFile) -> tuple[Any, tuple[Any, ...]]:
    of_place = file.owner, file.provider, file.epochs, file.readers
    return StoredFile, (*of_place, file.handle, file.number, file.description, file.body)


copyreg.pickle(Announcement, _reduced_announcement)
copyreg.pickle(Part, _reduced_part)
copyreg.pickle(StoredFile, _reduced_file)
copyreg.pickle(MemoryStore, _refuse_store)
copyreg.pickle(Attachment, _refuse_message)
copyreg.pickle(Piece, _refuse_message)
copyreg.pickle(Query, _refuse_message)
copyreg.pickle(Removal, _refuse_message)
copyreg.pickle(Seal, _refuse_message)
copyreg.pickle(StoredUpload, _refuse_message)
copyreg.pickle(Token, _refuse_message)
