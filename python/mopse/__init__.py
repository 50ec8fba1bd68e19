"""Order-preserving encryption of record indexes under one key per provider, and what it leaks.

The modules follow the data: an owner (`mopse.owner`) authorises providers, providers
(`mopse.provider`) encrypt, the cloud (`mopse.cloud`) merges and searches without a key.
"""

from mopse import datasets, errors, plot
from mopse.cloud import merge
from mopse.schema import Field, Schema
from mopse.scheme import Opse

__all__ = ["Field", "Opse", "Schema", "datasets", "errors", "merge", "plot"]
