"""RFC 9162's hash tree in plain Python, by its definitions, beside the core's."""

import hashlib
from collections.abc import Sequence

__all__ = ["consistency", "inclusion", "is_consistent", "leaf", "root", "rooted"]


def leaf(piece: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\0" + piece).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of what is above two nodes."""
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """Return the largest power of two below a size."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Return MTH of section 2.1.1; of nothing, that of an empty leaf."""
    if not leaves:
        return leaf(b"")
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return node(root(leaves[:middle]), root(leaves[middle:]))


def inclusion(leaves: Sequence[bytes], number: int) -> list[bytes]:
    """Return PATH of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if number < middle:
        return [*inclusion(leaves[:middle], number), root(leaves[middle:])]
    return [*inclusion(leaves[middle:], number - middle), root(leaves[:middle])]


def rooted(size: int, number: int, hashed: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root that a path leads to, from the top down as the definition splits."""
    if size == 1:
        assert not path
        return hashed
    middle, beside = split(size), path[-1]
    if number < middle:
        return node(rooted(middle, number, hashed, path[:-1]), beside)
    return node(beside, rooted(size - middle, number - middle, hashed, path[:-1]))


def consistency(leaves: Sequence[bytes], old: int, *, is_whole: bool = True) -> list[bytes]:
    """Return SUBPROOF of section 2.1.4.1."""
    size = len(leaves)
    if old in (0, size):
        return [] if is_whole else [root(leaves)]
    middle = split(size)
    if old <= middle:
        return [*consistency(leaves[:middle], old, is_whole=is_whole), root(leaves[middle:])]
    below = consistency(leaves[middle:], old - middle, is_whole=False)
    return [*below, root(leaves[:middle])]


def is_consistent(old: int, size: int, roots: tuple[bytes, bytes], proof: Sequence[bytes]) -> bool:
    """Whether a proof leads to both roots, from the top down as the definition splits."""
    left = list(proof)

    def both(old: int, size: int, is_whole: bool) -> tuple[bytes, bytes]:
        if old == size:
            found = roots[0] if is_whole else left.pop(0)
            return found, found
        middle = split(size)
        if old <= middle:
            before, after = both(old, middle, is_whole)
            return before, node(after, left.pop(0))
        before, after = both(old - middle, size - middle, False)
        beside = left.pop(0)
        return node(beside, before), node(beside, after)

    try:
        return both(old, size, True) == roots and not left
    except IndexError:
        return False
