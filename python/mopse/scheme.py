"""See `mopse.schemes`."""

from mopse.schemes import Opse

__all__ = ["Opse"]
