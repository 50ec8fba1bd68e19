"""What encrypting, merging, querying and authorising cost: experiments, and a figure of each.

Each experiment returns a tidy table of all repeats, with units in the column names.
"""

from mopse.evaluate.performance._ciphers import (
    Contender,
    beside_openssl,
    contenders,
    copying,
    files,
)
from mopse.evaluate.performance._experiments import (
    authorization,
    cell_width,
    excess,
    index_encryption,
    merging,
    provider_query,
    storage,
    tree,
    user_query,
)
from mopse.evaluate.performance._figures import (
    draw_authorization,
    draw_cell_width,
    draw_gain,
    draw_index_encryption,
    draw_large,
    draw_merging,
    draw_peers,
    draw_provider_query,
    draw_storage,
    draw_user_query,
    gain,
)
from mopse.evaluate.performance._large import large
from mopse.evaluate.performance._peers import PEERS, peers

__all__ = [
    "PEERS",
    "Contender",
    "authorization",
    "beside_openssl",
    "cell_width",
    "contenders",
    "copying",
    "draw_authorization",
    "draw_cell_width",
    "draw_gain",
    "draw_index_encryption",
    "draw_large",
    "draw_merging",
    "draw_peers",
    "draw_provider_query",
    "draw_storage",
    "draw_user_query",
    "excess",
    "files",
    "gain",
    "index_encryption",
    "large",
    "merging",
    "peers",
    "provider_query",
    "storage",
    "tree",
    "user_query",
]
