"""The store in memory, gone when the process ends."""

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

    def add(self, upload: _mopse.Upload) -> None:
        """Keep an upload; see `mopse.stores.Store.add`."""
        self._store.add(upload)

    def remove(self, owner: bytes, provider: str) -> int:
        """Remove a provider's records; see `mopse.stores.Store.remove`."""
        return self._store.remove(owner, provider)

    def settle(self) -> None:
        """Merge what came since the last search, which otherwise the next search does."""
        self._store.settle()

    def count(self, token: _mopse.Token) -> int:
        """Count records; see `mopse.stores.Store.count`."""
        return self._store.count(token)

    def search(self, token: _mopse.Token) -> list[_mopse.Part]:
        """Return sealed records; see `mopse.stores.Store.search`."""
        return self._store.search(token)

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """Owner, group, provider, records and bytes of every upload."""
        return self._store.contents

    @property
    def entries(self) -> int:
        """How many index entries there are, over all fields."""
        return self._store.entries
