"""A key that is released on request: by mail, as the literature prints it, and sealed."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from mopse._checked import checked
from mopse.cloud import Cloud
from mopse.errors import MopseError
from mopse.owner import Owner
from mopse.user import User

__all__ = ["release_readers"]


@checked()
def release_readers(
    owner: Owner, cloud: Cloud, provider: str, ids: Sequence[Any], **more_ranges: Any
) -> pl.DataFrame:
    """Release records to somebody who asks, in two ways, and try who opens them then.

    Parameters
    ----------
    owner : Owner
        Who releases them. It shares with two new users, which `Owner.shared` has afterwards.
    cloud : Cloud
        Where the records are.
    provider : str
        Path of their provider.
    ids : sequence
        Ids of the records.
    **more_ranges : tuple
        Bounds of a query that finds them, as of `Owner.query`.

    Returns
    -------
    pl.DataFrame
        A row for each ``way`` and ``reader``, and how many of the records it ``opened``. In the way
        ``published`` the key of the records is stored at the cloud and mailed, as systems in the
        literature have it; in the way ``sealed`` it is sealed to whoever asked,
        `mopse.User.request`. Readers: who ``asked``, who reads the ``mail`` on its way or in its
        box later, the ``cloud``, and ``another`` user with keys of its own, who is given what was
        sent.

    Notes
    -----
    The published way does not depend on the cipher: whoever has the mail has the key. There the
    cloud, which keeps key and records in one place, opens everything that was ever released.
    """
    query = owner.query(more_ranges)
    answer = cloud.search(query)

    def opened(reader: Callable[[], User]) -> int:
        try:
            found, _ = reader().decrypt(answer, query, faults="report")
        except MopseError:
            return 0
        return found.height

    mailed = owner.grant(provider, ids)
    user, other = User.generate(), User.generate()
    asked = user.request(owner.address(), provider, ids)
    sealed = owner.approve(owner.receive_request(asked.message))

    def by_grant() -> User:
        return User(owner.schema, [mailed])

    def as_grant() -> User:
        return User(owner.schema, [sealed])

    def as_asked() -> User:
        user.read_decision(sealed)
        return user

    def as_other() -> User:
        other.read_decision(sealed)
        return other

    readers = {
        "published": {"asked": by_grant, "mail": by_grant, "cloud": by_grant, "another": by_grant},
        "sealed": {"asked": as_asked, "mail": as_grant, "cloud": as_grant, "another": as_other},
    }
    rows = [
        (way, reader, opened(attempt))
        for way, attempts in readers.items()
        for reader, attempt in attempts.items()
    ]
    schema = {"way": pl.String, "reader": pl.String, "opened": pl.Int64}
    return pl.DataFrame(rows, schema, orient="row")
