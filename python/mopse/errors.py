"""The exceptions that mopse raises on purpose."""

__all__ = ["DamagedFileError", "InvalidInputError", "MopseError", "WrongTypeError"]


class MopseError(Exception):
    """Base of all of them, for callers who do not care which."""


class InvalidInputError(MopseError, ValueError):
    """An argument has the wrong length, order or domain; the message says which and where."""


class WrongTypeError(InvalidInputError, TypeError):
    """An argument has the wrong type or dtype; nothing is ever cast in silence."""


class DamagedFileError(MopseError):
    """A file does not hold what was written to it; nothing in it was used."""
