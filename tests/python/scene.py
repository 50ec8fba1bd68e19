"""The scene that tests of the parties share: an owner, its providers, and the cloud they use."""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from mopse import Cloud, Owner, Provider, Schema, Upload

__all__ = ["Scene"]


class Scene:
    """An owner, the providers of some paths, and a cloud that serves the owner; all know of all.

    The owner is a new one unless it is given, or a seed for tests that must repeat.
    """

    def __init__(
        self,
        schema: Schema,
        *paths: str,
        seed: int | None = None,
        owner: Owner | None = None,
        cloud: Cloud | None = None,
    ) -> None:
        if owner is None:
            is_new = seed is None
            owner = Owner.generate(schema) if is_new else Owner.from_insecure_seed(schema, seed)
        self.schema, self.owner = schema, owner
        self.cloud = Cloud() if cloud is None else cloud
        self.providers: dict[str, Provider] = {}
        for path in paths:
            self.authorize(path)
        self.enroll()
        for provider in self.providers.values():
            provider.catch_up(self.cloud)

    def __getitem__(self, path: str) -> Provider:
        return self.providers[path]

    def authorize(self, path: str) -> Provider:
        """Authorise a provider by its path, or do so again, and return it."""
        above, _, name = path.rpartition("/")
        self.providers[path] = self.owner.authorize(name, under=above or None)
        return self.providers[path]

    def enroll(self) -> None:
        """Tell the cloud of the owner as it is now."""
        self.cloud.enroll(self.owner.public)

    def send(self, paths: str | Iterable[str], table: Any, *, id: str = "id") -> Upload:  # noqa: A002
        """Encrypt a table as each of some providers, let the cloud have it, return the last."""
        for path in [paths] if isinstance(paths, str) else paths:
            upload = self[path].encrypt(table, id=id)
            self.cloud.receive(upload)
        return upload

    def ask(
        self,
        asker: Owner | Provider,
        ranges: Mapping[str, Any] | None = None,
        /,
        **more_ranges: Any,
    ) -> pl.DataFrame:
        """Return the records that a party finds: query, search, decrypt."""
        query = asker.query(ranges, **more_ranges)
        return asker.decrypt(self.cloud.search(query), query)
