"""Experiments: each returns a tidy table of all repeats, with units in the column names."""

from mopse.evaluate._ciphers import Contender, beside_openssl, contenders, copying, files
from mopse.evaluate._experiments import (
    authorization,
    cell_width,
    excess,
    index_encryption,
    merging,
    provider_query,
    storage,
    tree,
    user_query,
)
from mopse.evaluate._measure import (
    Block,
    Case,
    Watch,
    growth,
    machine,
    medians,
    operations,
    record,
)

__all__ = [
    "Block",
    "Case",
    "Contender",
    "Watch",
    "authorization",
    "beside_openssl",
    "cell_width",
    "contenders",
    "copying",
    "excess",
    "files",
    "growth",
    "index_encryption",
    "machine",
    "medians",
    "merging",
    "operations",
    "provider_query",
    "record",
    "storage",
    "tree",
    "user_query",
]
