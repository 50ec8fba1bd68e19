"""Proxy re-encryption: a server turns what an owner encrypted into what one user opens.

`published` is SeSPHR as it is printed, and for evaluation only: its server reads everything.
"""

from mopse.sharing.reencryption import published

__all__ = ["published"]
