"""Order-preserving encryption of record indexes under one key per provider, and what it leaks.

The modules follow the data: an owner (`mopse.owner`) authorises providers, providers
(`mopse.provider`) encrypt, the cloud (`mopse.cloud`) merges and searches without a key, whoever
asked decrypts. Order-preserving encryption leaks by design; each docstring says what.

Names are loaded when they are first used, so that ``import mopse.cloud`` loads no Python module
that can hold a key.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mopse import (
        attacks,
        ciphers,
        datasets,
        errors,
        files,
        labs,
        passwords,
        plot,
        rsa,
        secret_sharing,
        specimens,
    )
    from mopse.cloud import Cloud, merge
    from mopse.leakage import LeakageReport, LeakageWarning, leakage_report
    from mopse.messages import (
        Answer,
        File,
        FileListing,
        FileNotes,
        FileRequest,
        FileUpload,
        Opened,
        Query,
        Seal,
        SealedFile,
        Upload,
        WrittenFile,
    )
    from mopse.owner import Owner
    from mopse.provider import Provider
    from mopse.schema import Field, ProposedSchema, Schema
    from mopse.schemes import Clww, LewiWu, Opse
    from mopse.user import User

    __version__: str

__all__ = [
    "Answer",
    "Cloud",
    "Clww",
    "Field",
    "File",
    "FileListing",
    "FileNotes",
    "FileRequest",
    "FileUpload",
    "LeakageReport",
    "LeakageWarning",
    "LewiWu",
    "Opened",
    "Opse",
    "Owner",
    "ProposedSchema",
    "Provider",
    "Query",
    "Schema",
    "Seal",
    "SealedFile",
    "Upload",
    "User",
    "WrittenFile",
    "attacks",
    "ciphers",
    "datasets",
    "errors",
    "files",
    "labs",
    "leakage_report",
    "merge",
    "passwords",
    "plot",
    "rsa",
    "secret_sharing",
    "specimens",
]

_HOMES = {
    "Answer": "messages",
    "Cloud": "cloud",
    "Clww": "schemes",
    "Field": "schema",
    "File": "messages",
    "FileListing": "messages",
    "FileNotes": "messages",
    "FileRequest": "messages",
    "FileUpload": "messages",
    "LeakageReport": "leakage",
    "LeakageWarning": "leakage",
    "LewiWu": "schemes",
    "Opened": "messages",
    "Opse": "schemes",
    "Owner": "owner",
    "Provider": "provider",
    "Query": "messages",
    "ProposedSchema": "schema",
    "Schema": "schema",
    "Seal": "messages",
    "SealedFile": "messages",
    "Upload": "messages",
    "User": "user",
    "WrittenFile": "messages",
    "leakage_report": "leakage",
    "merge": "cloud",
}
"""The module of each name."""

_MODULES = {
    "attacks",
    "ciphers",
    "cloud",
    "datasets",
    "errors",
    "evaluate",
    "files",
    "labs",
    "leakage",
    "messages",
    "owner",
    "passwords",
    "plot",
    "provider",
    "rsa",
    "schema",
    "schemes",
    "secret_sharing",
    "service",
    "sharing",
    "specimens",
    "stores",
    "user",
}

if not TYPE_CHECKING:  # to a type checker this would be any name

    def __getattr__(name):
        """Load what is asked for the first time."""
        if name in _MODULES:
            return importlib.import_module(f"mopse.{name}")
        if name in _HOMES:
            value = getattr(importlib.import_module(f"mopse.{_HOMES[name]}"), name)
        elif name == "__version__":
            value = importlib.import_module("importlib.metadata").version("mopse")
        else:
            raise AttributeError(f"module 'mopse' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES, "__version__"})
