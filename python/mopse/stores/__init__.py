"""Where a cloud keeps what it receives: the contract of a store, and the store in memory.

Anybody can write a store: an object with the methods of `Store`. It is handed what the cloud's door
has verified, and never a key. What a restarted cloud needs is in the store and nowhere else.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mopse._mopse.cloud import MemoryStore
from mopse._mopse.message import Announcement, Attachment, Part, StoredFile, StoredUpload, Token

__all__ = [
    "SPENT",
    "Announcement",
    "Attachment",
    "MemoryStore",
    "Part",
    "Store",
    "StoredFile",
    "StoredUpload",
    "Token",
]

SPENT = -1
"""What `Store.labels` says of a label that was used and is no more."""


class Store(Protocol):
    """What a cloud needs of a store. Everything it is handed was verified before.

    A store keeps each owner apart, named by its 32-byte verification key, and each group by itself.
    A provider is named by its path, or by its path and the epoch of each name in it. What it cannot
    take whole it refuses, with the errors that are named here, and then nothing has changed.

    Notes
    -----
    `StoredUpload`, `Part` and `StoredFile` show their arrays and bytes, and can be made of them:
    handles are (n, 2) uint64 arrays, the high and the low half of each; sealed records are a pair,
    an (n,) uint64 array of where each one ends and all their bytes; a run is a field, an ascending
    (m,) int64 array of ciphertexts, and an (m,) uint32 array of the record of each. A `Token` shows
    ``owner``, ``scope`` (``"group"``, or ``"own"`` for the issuer's records only), ``issuer``,
    ``predicates`` (field, lowest and highest ciphertext, both included), ``query`` and ``id``, for
    an audit log. It reaches uploads of its ``place``: the path above their provider, and their
    epochs. ``group`` is for people to read.

    `tests/vectors/store` holds scripts of messages and answers for every store; a new one is
    entered in `tests/python/stores/test_contract.py`.
    """

    def owners(self) -> list[bytes]:
        """Return every owner that is served."""

    def announcement(self, owner: bytes) -> bytes | None:
        """Return the newest announcement of an owner as it came; None if it is not served."""

    def enroll(self, announcement: Announcement) -> None:
        """Keep ``announcement.message`` in place of the last of ``announcement.owner``.

        Raises
        ------
        mopse.errors.ReplayError
            If one with a higher ``number`` is kept.
        """

    def add(self, upload: StoredUpload, message: bytes) -> None:
        """Keep an upload; `message` is what it came as, with its signature.

        Raises
        ------
        mopse.errors.ReplayError
            If its ``sequence`` is not above that of the provider's last, in any epoch, also after a
            removal.
        mopse.errors.InvalidInputError
            Else, if a record of this provider and epochs is stored already.
        """

    def add_file(self, attachment: Attachment, missing: Sequence[int], message: bytes) -> None:
        """Keep ``attachment.file``, its keyword ``entries`` and its ``note``; see `arrived`.

        An entry is a pair of label and masked number. `missing` are the numbers of attachments that
        were made before it and never came.

        Raises
        ------
        mopse.errors.ReplayError
            If the owner's files ever had its number.
        mopse.errors.InvalidInputError
            Else, if the entries of this provider and epochs ever had one of its labels.
        """

    def search(self, tokens: Sequence[Token]) -> list[Part]:
        """Return the sealed records that hold all ranges of a token, for each token of a query.

        They come by token, upload and record, a part for each upload that has some. A token that
        finds nothing still gives one part without records, of the newest upload that it reaches, if
        there is one, for its layout.
        """

    def count(self, tokens: Sequence[Token]) -> int:
        """Return how many records `search` returns."""

    def arrived(
        self, owner: bytes, provider: str, epochs: Sequence[int], numbers: Sequence[int]
    ) -> Sequence[Sequence[int] | None]:
        """Return what was ``missing`` when a provider's file of each number came, also if removed.

        That is an empty list for a base from `add_base`, and None where nothing of the number ever
        came from this provider in these epochs.
        """

    def notes(self, owner: bytes, provider: str, epochs: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return number and ``note`` of every attachment that ever came, in the order they came."""

    def add_base(self, owner: bytes, provider: str, epochs: Sequence[int], base: int) -> None:
        """Remember a number that the provider counts on from; it may be known already."""

    def label_count(self, owner: bytes, provider: str, epochs: Sequence[int]) -> int:
        """Return how many labels there ever were of a provider's entries."""

    def labels(
        self, owner: bytes, provider: str, epochs: Sequence[int], labels: Sequence[int]
    ) -> list[int | None]:
        """Return the masked number under each label, `SPENT`, or None where nothing ever was."""

    def files(
        self, owner: bytes, provider: str, epochs: Sequence[int], numbers: Sequence[int]
    ) -> list[StoredFile]:
        """Return a provider's files with these numbers, if there are such, without bodies."""

    def files_of(
        self, owner: bytes, provider: str, epochs: Sequence[int], handles: Sequence[int]
    ) -> list[StoredFile]:
        """Return the files of a provider's records, without bodies, by record and as they came."""

    def file(self, owner: bytes, number: int) -> StoredFile | None:
        """Return the file of an owner with a number, with its body; None if there is none."""

    def remove(self, owner: bytes, provider: str) -> tuple[int, int]:
        """Remove all that a provider sent, in every epoch; return how many records and files.

        Its last sequence number, its files' numbers, labels and notes and what `arrived` says are
        remembered, so that nothing can be sent again and what the provider adds later is found.
        """

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """Owner, group, provider, records and bytes of every upload.

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
            Ciphertexts, ascending, and the record of each, counted through the group's uploads in
            the order of `contents`.
        """
