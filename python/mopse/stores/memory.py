"""The store in memory, gone when the process ends."""

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse

__all__ = ["MemoryStore"]


class MemoryStore:
    """Merged indexes and sealed records in memory, searched in microseconds.

    Notes
    -----
    Runs are merged when the next search needs them. Twelve bytes per entry are kept of each run and
    twelve more of the merged index.
    """

    def __init__(self) -> None:
        self._store = _mopse.Store()
        self._files = _mopse.FileStore()

    def add(self, upload: _mopse.Upload) -> None:
        """See `mopse.stores.Store.add`."""
        self._store.add(upload)

    def remove(self, owner: bytes, provider: str) -> int:
        """See `mopse.stores.Store.remove`."""
        return self._store.remove(owner, provider)

    def settle(self) -> None:
        """Merge what came since the last search, which otherwise the next search does."""
        self._store.settle()

    def count(self, token: _mopse.Token) -> int:
        """See `mopse.stores.Store.count`."""
        return self._store.count(token)

    def search(self, token: _mopse.Token) -> list[_mopse.Part]:
        """See `mopse.stores.Store.search`."""
        return self._store.search(token)

    def merged(
        self, owner: bytes, group: str, field: str
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return the merged entries of a field of a group: what a copy of the store shows of it.

        Owner and group are as in `contents`.

        Returns
        -------
        (n,) int64 array and (n,) uint32 array
            Ciphertexts, ascending, and the record of each, counted through the group's uploads in
            the order of `contents`.
        """
        return self._store.merged(owner, group, field)

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """See `mopse.stores.Store.contents`."""
        return self._store.contents

    @property
    def entries(self) -> int:
        """See `mopse.stores.Store.entries`."""
        return self._store.entries

    def add_file(self, file: _mopse.FileUpload) -> None:
        """See `mopse.stores.Store.add_file`."""
        self._files.add(file)

    def remove_files(self, owner: bytes, provider: str) -> int:
        """See `mopse.stores.Store.remove_files`."""
        return self._files.remove(owner, provider)

    def find_files(self, request: _mopse.FileRequest) -> list[_mopse.StoredFile]:
        """See `mopse.stores.Store.find_files`."""
        return self._files.find(request)

    def fetch_file(self, request: _mopse.FileRequest) -> _mopse.StoredFile:
        """See `mopse.stores.Store.fetch_file`."""
        return self._files.fetch(request)

    def count_keywords(self, request: _mopse.FileRequest) -> list[int]:
        """See `mopse.stores.Store.count_keywords`."""
        return self._files.count_keywords(request)

    @property
    def file_totals(self) -> tuple[int, int, int]:
        """See `mopse.stores.Store.file_totals`."""
        return self._files.totals
