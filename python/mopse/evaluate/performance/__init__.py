"""What encrypting, merging, querying and authorising cost: experiments, and a figure of each.

Each experiment returns a tidy table of all repeats, with units in the column names.
"""

from mopse.evaluate.performance._authorization import authorization, draw_authorization
from mopse.evaluate.performance._cell_width import cell_width, draw_cell_width, excess
from mopse.evaluate.performance._copying import copying
from mopse.evaluate.performance._files import Contender, contenders, files
from mopse.evaluate.performance._growing import draw_growing, growing
from mopse.evaluate.performance._growing_by_engine import (
    draw_growing_by_engine,
    growing_by_engine,
)
from mopse.evaluate.performance._index_encryption import draw_index_encryption, index_encryption
from mopse.evaluate.performance._large import draw_large, large
from mopse.evaluate.performance._merging import draw_merging, merging
from mopse.evaluate.performance._openssl import beside_openssl
from mopse.evaluate.performance._peers import PEERS, draw_peers, peers
from mopse.evaluate.performance._proofs import draw_proofs, draw_proofs_by_providers, proofs
from mopse.evaluate.performance._provider_query import draw_provider_query, provider_query
from mopse.evaluate.performance._storage import draw_storage, storage
from mopse.evaluate.performance._stores import draw_stores, overhead, stores
from mopse.evaluate.performance._user_query import draw_gain, draw_user_query, gain, user_query

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
    "draw_growing",
    "draw_growing_by_engine",
    "draw_index_encryption",
    "draw_large",
    "draw_merging",
    "draw_peers",
    "draw_proofs",
    "draw_proofs_by_providers",
    "draw_provider_query",
    "draw_storage",
    "draw_stores",
    "draw_user_query",
    "excess",
    "files",
    "gain",
    "growing",
    "growing_by_engine",
    "index_encryption",
    "large",
    "merging",
    "overhead",
    "peers",
    "proofs",
    "provider_query",
    "storage",
    "stores",
    "user_query",
]
