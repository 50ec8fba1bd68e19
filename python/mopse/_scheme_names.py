"""What tables, figures and deployments call the schemes that are compared."""

__all__ = [
    "COMMON",
    "DETERMINISTIC",
    "MARKS",
    "MOPSE",
    "ONE_MESSAGE",
    "PER_PROVIDER",
    "PLAIN",
    "PLUS",
    "SCHEMES",
]

PLAIN = "Plain"
"""No encryption: the control."""

DETERMINISTIC = "OPSE, deterministic, one common key"
COMMON = "OPSE, one common key"
PER_PROVIDER = "OPSE, one key per provider"
ONE_MESSAGE = "OPSE, one key per provider, one message"
"""The same scheme, asked in one message of as many intervals."""

MOPSE = "MOPSE"
PLUS = "MOPSE+"
MARKS = "MOPSE, marks"
"""A layout that is for evaluation only."""

SCHEMES = (PLAIN, DETERMINISTIC, COMMON, PER_PROVIDER, MOPSE, PLUS, MARKS)
"""What a store can be built under, in the order in which schemes are always named."""
