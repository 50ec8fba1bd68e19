"""See `mopse.schemes`."""

from mopse.schemes import Clww, LewiWu

__all__ = ["Clww", "LewiWu"]
