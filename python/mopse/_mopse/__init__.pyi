from mopse._mopse import (
    attack as attack,
)
from mopse._mopse import (
    audit as audit,
)
from mopse._mopse import (
    cipher as cipher,
)
from mopse._mopse import (
    cloud as cloud,
)
from mopse._mopse import (
    evaluate as evaluate,
)
from mopse._mopse import (
    message as message,
)
from mopse._mopse import (
    party as party,
)
from mopse._mopse import (
    plot as plot,
)
from mopse._mopse import (
    schema as schema,
)
from mopse._mopse import (
    scheme as scheme,
)
from mopse._mopse import (
    sharing as sharing,
)
from mopse._mopse import (
    wire as wire,
)

__all__ = [
    "attack",
    "audit",
    "cipher",
    "cloud",
    "evaluate",
    "message",
    "party",
    "plot",
    "schema",
    "scheme",
    "sharing",
    "wire",
]
