"""Order-preserving encryption of record indexes under one key per provider, and what it leaks.

The modules follow the data: an owner (`mopse.owner`) authorises providers, providers
(`mopse.provider`) encrypt, the cloud (`mopse.cloud`) merges and searches without a key, whoever
asked decrypts. Order-preserving encryption leaks by design; each docstring says what.
"""

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
from mopse._hopeless import LeakageWarning
from mopse.attachment import File, FileListing, FileRequest, FileUpload, SealedFile
from mopse.cloud import Cloud, merge
from mopse.leakage import LeakageReport, leakage_report
from mopse.ore import Clww, LewiWu
from mopse.owner import Owner
from mopse.provider import Provider
from mopse.query import Answer, Query, Upload
from mopse.schema import Field, Schema
from mopse.scheme import Opse
from mopse.user import User

__all__ = [
    "Answer",
    "Cloud",
    "Clww",
    "Field",
    "File",
    "FileListing",
    "FileRequest",
    "FileUpload",
    "LeakageReport",
    "LeakageWarning",
    "LewiWu",
    "Opse",
    "Owner",
    "Provider",
    "Query",
    "Schema",
    "SealedFile",
    "Upload",
    "User",
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
