"""What a store tells of seals, with a name for each part: see `mopse.stores.Sealing`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mopse._mopse.message import Part

__all__ = ["Gone", "SealedAnswer", "Sealing"]


class Gone(NamedTuple):
    """A sealed row that was replaced or removed since."""

    upload: int
    """The number of the upload that brought it."""
    handle: int
    """Its pseudonym."""
    digest: bytes
    """What `StoredUpload.digests` gave of it, 32 bytes."""
    entries: Sequence[tuple[str, int]]
    """Field and ciphertext of each of its entries."""
    evidence: int
    """Which evidence shows that its provider did that."""
    position: int
    """Where in that the row's version stands: what `StoredUpload.evidence` said."""


class Sealing(NamedTuple):
    """What was sealed at a place, in one state."""

    provider: str
    """Path of the provider."""
    epochs: Sequence[tuple[int, bytes]]
    """The epoch of each name in it."""
    digest: bytes
    """``seal.digest`` of the last seal."""
    message: bytes
    """The seal as it came; no bytes if whoever asks knows it."""
    change: int
    """Which change of the owner's records it was."""
    is_removed: bool
    """Whether all that was there has been removed since by a signed message."""
    late: Sequence[int]
    """Numbers of those uploads in the answer that came after it."""
    gone: Sequence[Gone]
    """Rows that it is of and that are gone."""


class SealedAnswer(NamedTuple):
    """The answer to a query, and what was sealed of the places that it reaches, of one state."""

    parts: Sequence[Part]
    """What `Store.search` returns."""
    changes: int
    """How many uploads, removals and seals the owner's records have seen."""
    sealings: Sequence[Sealing]
    """Of each place that a token reaches and that has or had a seal."""
    removals: Sequence[tuple[str, bytes]]
    """The last signed removal of each provider right below an authority that a token names."""
    evidence: Mapping[int, bytes]
    """The first of what `StoredUpload.evidence` returned, by the numbers in `Gone`."""
