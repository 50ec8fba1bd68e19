"""Which rooms of the source tree import which: read from the text of Python and Rust modules."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = [
    "circle",
    "modules",
    "python_imports",
    "rust_code",
    "rust_imports",
    "rust_reexports",
]


def circle(table: Mapping[str, Iterable[str]]) -> list[str]:
    """Return rooms of which each may import the next, and the last the first; none if none do."""
    done: set[str] = set()

    def follow(room: str, way: list[str]) -> list[str]:
        if room in way:
            return way[way.index(room) :]
        if room in done:
            return []
        found = (follow(other, [*way, room]) for other in table.get(room, ()))
        closed = next(filter(None, found), [])
        done.add(room)
        return closed

    return next(filter(None, (follow(room, []) for room in table)), [])


def python_imports(source: str, module: str, *, is_package: bool) -> set[str]:
    """Return the full names of everything a Python module imports, inside functions too."""
    names = set()
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


_NOISE = re.compile(
    r"""
    (?P<line> //[^\n]* )
    | (?P<block> /\* )
    | (?P<raw> \b b?r(?P<hashes>\#*)" )
    | (?P<text> b?"(?:[^"\\]|\\.)*" )
    | (?P<char> b?'(?:[^'\\]|\\(?:u\{[^}]*\}|.[0-9a-fA-F]{0,2}))' )  # a lifetime has no end
    """,
    re.VERBOSE | re.DOTALL,
)


_TESTS = re.compile(
    r"""
    \#\[cfg\(test\)\]\s*
    (?: \#\[[^\]]*\]\s* )*             # other attributes
    (?: pub(?:\([^)]*\))?\s+ )?
    mod\s+\w+\s*\{
    """,
    re.VERBOSE,
)


def rust_code(source: str) -> str:
    """Return Rust source without comments, texts, and modules of tests."""
    kept, at = [], 0
    while noise := _NOISE.search(source, at):
        kept.append(source[at : noise.start()])
        if noise["block"]:
            at = _after_block_comment(source, noise.end())
        elif noise["raw"]:
            at = source.index('"' + noise["hashes"], noise.end()) + 1 + len(noise["hashes"])
        else:
            at = noise.end()
        kept.append(" ")
    code = "".join([*kept, source[at:]])
    test = re.compile(
        r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{"
    )
    while found := test.search(code):
        code = code[: found.start()] + code[_closing(code, found.end()) + 1 :]
    return code


def _after_block_comment(source: str, at: int) -> int:
    depth = 1
    while depth:
        mark = re.compile(r"/\*|\*/").search(source, at)
        if mark is None:
            raise ValueError("a comment has no end")
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at


def _closing(code: str, at: int) -> int:
    """Return where the brace closes that was opened just before."""
    depth = 1
    for brace in re.compile(r"[{}]").finditer(code, at):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.start()
    raise ValueError("a brace has no end")


def rust_imports(source: str, module: list[str]) -> set[str]:
    """Return the names at the crate's root that a Rust module uses, by ``crate`` or ``super``.

    `module` has the names of the module from the root on: ``["cloud", "gate"]`` for what is in
    ``src/cloud/gate.rs``. A path that stays in the room names nothing.
    """
    code = rust_code(source)
    inline = [
        (found.end(), _closing(code, found.end()))
        for found in re.finditer(r"\bmod\s+\w+\s*\{", code)
    ]
    names: set[str] = set()
    for path in re.finditer(r"\bcrate\s*::|(?:\bsuper\s*::\s*)+", code):
        if path[0].startswith("super"):
            depth = len(module) + sum(start <= path.start() < end for start, end in inline)
            if path[0].count("super") < depth:
                continue
        names |= {first for first in _firsts(code, path.end()) if first != "self"}
    return names - {module[0]}


def _firsts(code: str, at: int) -> Iterator[str]:
    """Yield the first name of each path of a tree such as ``{a::b, c::{d, e}}``."""
    start = re.compile(r"\s*(\{|\*|(?:r#)?\w+)").match(code, at)
    if start is None:
        raise ValueError(f"no path: {code[at : at + 20]!r}")
    if start[1] != "{":
        yield start[1]
        return
    end, depth, at = _closing(code, start.end()), 0, start.end()
    for mark in re.compile(r"[{},]").finditer(code, at, end + 1):
        depth += {"{": 1, "}": -1, ",": 0}[mark[0]]
        if (mark[0] == "," and depth == 0) or mark.start() == end:
            if code[at : mark.start()].strip():
                yield from _firsts(code, at)
            at = mark.end()


def rust_reexports(source: str) -> dict[str, str]:
    """Return the names that a crate's root takes from its rooms, and the room of each."""
    names = {}
    for line in re.finditer(r"\bpub use (\w+)::([^;]*);", rust_code(source)):
        for name in re.findall(r"(\w+)\s*(?=[,}]|$)", line[2]):
            names[name] = line[1]
    return names


def modules(root: Path, suffix: str) -> Iterator[tuple[list[str], Path]]:
    """Yield the names of each module below a folder, from the folder on, and its file."""
    for path in sorted(root.rglob(f"*{suffix}")):
        *above, name = path.relative_to(root).with_suffix("").parts
        yield ([*above] if name == "__init__" else [*above, name]), path
