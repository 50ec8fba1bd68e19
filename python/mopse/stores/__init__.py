"""Where a cloud keeps what it receives: one small interface, and the store in memory."""

from typing import Protocol

from mopse import _mopse
from mopse.stores.memory import MemoryStore

__all__ = ["MemoryStore", "Store"]


class Store(Protocol):
    """What a cloud needs of a store. Everything it is handed was verified before.

    A store keeps each owner apart and each group by itself. It refuses what it cannot take whole.
    """

    def add(self, upload: _mopse.Upload) -> None:
        """Keep an upload.

        Parameters
        ----------
        upload : Upload
            Sealed records and runs, decoded and verified.

        Raises
        ------
        mopse.errors.ReplayError
            If it is not newer than the last of its provider.
        mopse.errors.InvalidInputError
            If a record in it is stored already.
        """

    def remove(self, owner: bytes, provider: str) -> int:
        """Remove all records and entries of a provider.

        Parameters
        ----------
        owner : bytes
            The owner's verification key.
        provider : str
            Path of the provider.

        Returns
        -------
        int
            How many records there were.
        """

    def count(self, token: _mopse.Token) -> int:
        """Count the records that a token reaches.

        Parameters
        ----------
        token : Token
            A checked token.

        Returns
        -------
        int
            How many records hold all its ranges.
        """

    def search(self, token: _mopse.Token) -> list[_mopse.Part]:
        """Return the records that a token reaches.

        Parameters
        ----------
        token : Token
            A checked token.

        Returns
        -------
        list of Part
            Sealed records, by upload; if there is none, one part without records of an upload that
            the token reaches, for its layout.
        """

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """Owner, group, provider, records and bytes of every upload."""

    @property
    def entries(self) -> int:
        """How many index entries there are, over all fields."""

    def add_file(self, file: _mopse.FileUpload) -> None:
        """Keep a file and its keyword entries.

        Parameters
        ----------
        file : FileUpload
            A sealed file, decoded and verified.

        Raises
        ------
        mopse.errors.ReplayError
            If it was received before.
        mopse.errors.InvalidInputError
            If one of its keyword entries is stored already.
        """

    def remove_files(self, owner: bytes, provider: str) -> int:
        """Remove all files and keyword entries of a provider.

        Its files' numbers and its entries' labels are remembered: neither can be sent again, and
        what it adds later is found.

        Parameters
        ----------
        owner : bytes
            The owner's verification key.
        provider : str
            Path of the provider.

        Returns
        -------
        int
            How many files there were.
        """

    def find_files(self, request: _mopse.FileRequest) -> list[_mopse.StoredFile]:
        """Return the files that a request finds, without their bodies.

        Parameters
        ----------
        request : FileRequest
            A checked request for keywords or records.

        Returns
        -------
        list of StoredFile
            Sealed descriptions.
        """

    def fetch_file(self, request: _mopse.FileRequest) -> _mopse.StoredFile:
        """Return one file with its body.

        Parameters
        ----------
        request : FileRequest
            A checked request for one file.

        Returns
        -------
        StoredFile
            The file.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is none.
        mopse.errors.ScopeError
            If it is not at or below the issuer.
        """

    def count_keywords(self, request: _mopse.FileRequest) -> list[int]:
        """Count how often the issuer of a request has used each of its keywords itself.

        Parameters
        ----------
        request : FileRequest
            A checked request for keywords.

        Returns
        -------
        list of int
            One past the last entry of each keyword, removed ones included; none for another
            request, or an issuer that is no provider.
        """

    @property
    def file_totals(self) -> tuple[int, int, int]:
        """How many files there are, their bytes, and how many keyword entries."""
