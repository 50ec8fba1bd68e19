"""Marks."""

__all__ = []


class Marks: ...
