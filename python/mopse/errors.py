"""The exceptions that mopse raises on purpose."""


class MopseError(Exception):
    """Base of all of them, for callers who do not care which."""


class InvalidInputError(MopseError, ValueError):
    """An argument has the wrong length, order or domain; the message says which and where."""
