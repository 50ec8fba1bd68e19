"""Which store a path or an address names."""

import os

from mopse._files import as_folder
from mopse.errors import InvalidInputError

__all__ = ["check_place", "is_database"]

_DATABASES = "postgresql://", "postgres://"


def is_database(path: str | os.PathLike[str]) -> bool:
    """Say whether it is the address of a database."""
    return isinstance(path, str) and path.startswith(_DATABASES)


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse what names no store, whether it is there or not."""
    if not is_database(path) and as_folder(path).suffix != ".duckdb":
        raise InvalidInputError(
            "a store is the path of a DuckDB file that ends with .duckdb, or postgresql://...; "
            "a cloud may also be a service, http:// or https://"
        )
