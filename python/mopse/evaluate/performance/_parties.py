"""Owners, providers and clouds with keys that only measure."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from mopse._checked import measured
from mopse.cloud import Cloud
from mopse.evaluate._tree import tree
from mopse.evaluate.performance._empty_stores import EmptyStores
from mopse.owner import Owner
from mopse.provider import Provider
from mopse.schema import Schema

__all__ = ["authorized", "insecure_keys", "received"]


@measured()
def authorized(
    schema: Schema, providers: int, seed: int, *, is_flat: bool
) -> tuple[Owner, list[Provider]]:
    """Return an owner and its providers, in one group or in a tree."""
    owner = Owner.from_insecure_seed(schema, seed)
    placed = tree(providers)
    return owner, [owner.authorize(name, None if is_flat else under) for name, under in placed]


@measured()
def received(
    owner: Owner,
    parties: Iterable[Provider],
    parts: Iterable[pl.DataFrame],
    stores: EmptyStores,
) -> tuple[Cloud, int]:
    """Return a cloud that holds what each provider encrypted of its part, and the bytes sent."""
    cloud = stores.cloud(owner.public).cloud
    sent = 0
    for party, part in zip(parties, parts, strict=True):
        party.catch_up(cloud)
        upload = party.encrypt(part, id="record_id", accept_leakage=party.schema)
        cloud.receive(upload)
        sent += upload.nbytes
    return cloud, sent


@measured()
def insecure_keys(count: int, seed: int) -> list[bytes]:
    """Return keys that only measure: whoever knows the seed has them."""
    rng = np.random.default_rng([seed, 1])
    return [rng.bytes(32) for _ in range(count)]
