"""The checks of arguments under another name; see `mopse._checks`."""

from mopse._checks import integers, is_integer, key_bytes, whole, wholes

__all__ = ["integers", "is_integer", "key_bytes", "whole", "wholes"]
