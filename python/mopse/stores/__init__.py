"""Where a cloud keeps what it receives: one small interface, and the store in memory."""

from typing import Protocol

from mopse import _mopse
from mopse.stores.memory import MemoryStore

__all__ = ["MemoryStore", "Store"]


class Store(Protocol):
    """What a cloud needs of a store. Everything it is handed was verified before.

    A store keeps each owner apart, named by its verification key, and each group by itself. It
    refuses what it cannot take whole. A provider is named by its path.
    """

    def add(self, upload: _mopse.Upload) -> None:
        """Keep an upload.

        Raises
        ------
        mopse.errors.ReplayError
            If it is not newer than the last of its provider.
        mopse.errors.InvalidInputError
            If a record in it is stored already.
        """

    def remove(self, owner: bytes, provider: str) -> int:
        """Remove all records and entries of a provider, and return how many records there were."""

    def count(self, token: _mopse.Token) -> int:
        """Return how many records hold all ranges of a token."""

    def search(self, token: _mopse.Token) -> list[_mopse.Part]:
        """Return the sealed records that a token reaches, by upload.

        If there is none, it is one part without records of an upload that the token reaches, for
        its layout.
        """

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """Owner, group, provider, records and bytes of every upload."""

    @property
    def entries(self) -> int:
        """How many index entries there are, over all fields."""

    def add_file(self, file: _mopse.FileUpload) -> None:
        """Keep a stored file and its keyword entries.

        Raises
        ------
        mopse.errors.ReplayError
            If it was received before.
        mopse.errors.InvalidInputError
            If one of its keyword entries is stored already.
        """

    def remove_files(self, owner: bytes, provider: str) -> int:
        """Remove all stored files and keyword entries of a provider, and return how many files.

        Their numbers and the entries' labels are remembered: neither can be sent again, and what
        the provider adds later is found.
        """

    def find_files(self, request: _mopse.FileRequest) -> list[_mopse.StoredFile]:
        """Return the stored files for a request by keywords or records, without their bodies."""

    def fetch_file(self, request: _mopse.FileRequest) -> _mopse.StoredFile:
        """Return the stored file that a request names, with its body.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is none.
        mopse.errors.ScopeError
            If it is not at or below the issuer.
        """

    def count_keywords(self, request: _mopse.FileRequest) -> list[int]:
        """Return how often the issuer of a request has used each of its keywords itself.

        It is one past the last entry of each keyword, removed ones included; none for another
        request, or an issuer that is no provider.
        """

    @property
    def file_totals(self) -> tuple[int, int, int]:
        """How many stored files there are, their bytes, and how many keyword entries."""
