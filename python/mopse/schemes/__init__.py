"""Schemes under one key, for research: one that keeps order, and two that reveal it.

A ciphertext of `Opse` is a number that is ordered as its plaintext is. One of `Clww` or `LewiWu` is
not: whoever holds two of them orders them with `compare`, which takes no key.
"""

from mopse.schemes._clww import Clww
from mopse.schemes._lewi_wu import LewiWu
from mopse.schemes._opse import Opse

__all__ = ["Clww", "LewiWu", "Opse"]
