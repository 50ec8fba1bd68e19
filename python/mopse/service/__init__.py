"""A cloud as a service: messages over HTTP, to a cloud that other processes and machines can reach.

`mopse.Cloud` with an address asks it, by the same calls as a cloud of one's own; ``mopse serve``
runs it. What travels is what parties sign, byte for byte; a message is believed for its signature,
and no connection, name or password counts. So whoever reaches the service may send it anything,
and costs it no more than `Limits` says.

Running it needs the extra: ``pip install 'mopse[server]'``; asking it does not.

**Leakage.** The service is the *cloud* of `mopse.attacks`: it sees every message. Its log and its
metrics tell when which owner's parties sent what kind of message of which size, and hold no more of
it. Whoever reaches the service can read its metrics.
"""

from mopse.service._application import application
from mopse.service._description import DESCRIPTION
from mopse.service._limits import Limits
from mopse.service._server import serve

__all__ = ["DESCRIPTION", "Limits", "application", "serve"]
