"""See `mopse.messages`."""

from mopse.messages import Query

__all__ = ["Query"]
