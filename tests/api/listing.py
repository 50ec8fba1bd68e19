"""The public names of package and crate with their signatures, as text that a change shows in.

``python tests/api/listing.py --write`` writes them anew. Both are read from the source; nothing is
imported or built.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

sys.path.insert(0, str(ROOT / "tests" / "python"))
from rooms import modules, rust_code  # noqa: E402 - beside the tests


def python_listing(package: Path = ROOT / "python" / "mopse") -> str:
    """Return all public names of the package, each with its signature where it is first."""
    import griffe

    top = griffe.load(package.name, search_paths=[str(package.parent)], allow_inspection=False)
    first: dict[str, str] = {}
    lines = []
    for module in sorted(_public_modules(top), key=lambda m: (m.path.count("."), m.path)):
        lines.append(module.path)
        for name in sorted(module.exports or ()):
            path, member = f"{module.path}.{name}", module.members[str(name)]
            thing = member.final_target if member.is_alias else member
            if thing.is_module:
                continue  # it has a line of its own
            known = first.setdefault(thing.path, path)
            lines += _described(thing, path) if known == path else [f"{path} = {known}"]
    return "\n".join([*lines, ""])


def _public_modules(module) -> Iterator:
    yield module
    for name, member in module.modules.items():
        if not member.is_alias and not name.startswith("_"):
            yield from _public_modules(member)


def _described(thing, path: str) -> Iterator[str]:
    """Yield a line for a name and, of a class, for each of its members."""
    if thing.is_attribute:
        of = f": {thing.annotation}" if thing.annotation else ""
        yield f"{path}{of} = {thing.value}" if thing.value and not of else f"{path}{of}"
    elif thing.is_function:
        is_property = "property" in thing.labels
        for version in [] if is_property else thing.overloads or [thing]:
            yield f"{path}{_signature(version)}"
        if is_property:
            yield f"{path}: {thing.annotation}"
    else:
        bases = ", ".join(str(base) for base in thing.bases if not str(base).startswith("_"))
        yield f"class {path}({bases})" if bases else f"class {path}"
        for name, member in sorted(thing.all_members.items()):
            if name.startswith("_") and name not in _SHOWN:
                continue
            yield from _described(
                member.final_target if member.is_alias else member, f"{path}.{name}"
            )


_SHOWN = ("__init__", "__bytes__", "__call__", "__contains__", "__getitem__", "__iter__", "__len__")


def _signature(function) -> str:
    """Return a function's parameters and what it returns, without `self`."""
    shown, kind = [], None
    for parameter in function.parameters:
        if parameter.name in ("self", "cls") and not shown and kind is None:
            continue
        text, last = parameter.name, kind
        kind = parameter.kind.value
        text = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "") + text
        if parameter.annotation is not None:
            text += f": {parameter.annotation}"
        if parameter.default is not None and not kind.startswith("variadic"):
            text += f" = {parameter.default}"
        if last == "positional-only" and kind != last:
            shown.append("/")
        if kind == "keyword-only" and last not in ("keyword-only", "variadic positional"):
            shown.append("*")
        shown.append(text)
    if kind == "positional-only":
        shown.append("/")
    returned = f" -> {function.returns}" if function.returns is not None else ""
    return f"({', '.join(shown)}){returned}"


def rust_listing(source: Path = ROOT / "src") -> str:
    """Return the public items of all public modules of the crate, with their signatures."""
    code = {
        tuple(names): rust_code(path.read_text("utf-8")) for names, path in modules(source, ".rs")
    }
    return "\n".join([*sorted(set(_items(code, code[("lib",)], ()))), ""])


_ITEM = re.compile(r"\s*(?:#!?\[[^\]]*(?:\[[^\]]*\][^\]]*)*\]\s*)*")
_WORDS = re.compile(
    r"(?P<pub>pub\s+)?(?:(?:const|async|unsafe|extern)\s+(?=\w*\s*fn\b))*"
    r"(?P<kind>fn|struct|enum|union|trait|const|static|type|use|mod|impl)\b\s*(?P<name>(?:mut\s+)?\w*)"
)


def _items(code: dict[tuple[str, ...], str], text: str, module: tuple[str, ...]) -> Iterator[str]:
    """Yield the public items of a module's source, and of its public modules."""
    here = "::".join(("mopse", *module))
    for head, body in _split(text):
        found = _WORDS.match(head)
        if found is None:
            continue
        kind, name, line = found["kind"], found["name"], f"{here}: {_spaced(head)}"
        if kind == "impl":
            if not re.search(r"\bfor\b(?!\s*<)", head):
                of = _spaced(re.sub(r"^impl\s*(<.*?>\s)?", "", head))
                yield from (f"{here}: impl {of}: {_spaced(h)}" for h in _public(body))
        elif not found["pub"]:
            continue
        elif kind == "mod":
            yield line
            inner = body if body is not None else code[(*module, name)]
            yield from _items(code, inner, (*module, name))
        elif kind in ("const", "static"):
            yield line.split(" = ")[0]
        elif kind == "enum":
            yield line
            yield from (f"{here}::{name}: {_spaced(part)}" for part in _parts(body or ""))
        elif kind == "struct":
            yield line
            fields = (_spaced(part) for part in _parts(body or ""))
            yield from (f"{here}::{name}: {field}" for field in fields if field.startswith("pub "))
        elif kind == "trait":
            yield line
            yield from (f"{here}::{name}: {_spaced(head)}" for head, _ in _split(body or ""))
        else:
            yield line


def _public(body: str | None) -> Iterator[str]:
    for head, _ in _split(body or ""):
        if head.startswith("pub ") and (found := _WORDS.match(head)):
            yield head.split(" = ")[0] if found["kind"] == "const" else head


def _split(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the items of some source: what stands before its body or end, and the body."""
    at = 0
    while True:
        at = _ITEM.match(text, at).end()
        if at >= len(text):
            return
        depth, start = 0, at
        for mark in re.compile(r"[()\[\]{};]").finditer(text, at):
            if mark[0] in "([":
                depth += 1
            elif mark[0] in ")]":
                depth -= 1
            elif depth == 0:
                break
        else:
            return
        head = text[start : mark.start()].strip()
        if mark[0] == ";":
            yield head, None
            at = mark.end()
            continue
        end = _end(text, mark.end())
        if re.match(r"(pub(\([^)]*\))?\s+)?(const|static|use)\b(?!\s+fn)", head):
            end = text.index(";", end)  # a value or a tree in braces
            yield text[start:end].strip(), None
        else:
            yield head, text[mark.end() : end]
        at = end + 1


def _end(text: str, at: int) -> int:
    depth = 1
    for mark in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if mark[0] == "{" else -1
        if not depth:
            return mark.start()
    raise ValueError("a brace has no end")


def _parts(body: str) -> Iterator[str]:
    """Yield what commas part, outside of brackets: variants or fields, without attributes."""
    depth, at = 0, 0
    for mark in re.compile(r"->|[<>(){}\[\],]|$").finditer(body):
        if mark[0] == "->":
            continue
        depth += {"": 0, ",": 0}.get(mark[0], 1 if mark[0] in "<({[" else -1)
        if depth == 0 and mark[0] in ("", ","):
            part = body[_ITEM.match(body, at).end() : mark.start()].strip()
            if part:
                yield re.sub(r"#\[[^\]]*\]", "", part)
            at = mark.end()


def _spaced(text: str) -> str:
    """Return code on one line, however it was broken."""
    line = " ".join(text.split())
    line = re.sub(r"([(\[{<]) ", r"\1", line) if "{" not in line else line
    return re.sub(r",? ([)\]>])", r"\1", line).replace("( ", "(")


LISTINGS = {"python": python_listing, "rust": rust_listing}


def main() -> None:
    """Compare the listings with what is kept, or write them anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what there is now")
    parser.add_argument("halves", nargs="*", choices=[*LISTINGS, []], help="by default both")
    given = parser.parse_args()
    differing = []
    for half in given.halves or LISTINGS:
        kept, listing = HERE / f"{half}.txt", LISTINGS[half]()
        if given.write:
            kept.write_text(listing, "utf-8")
        elif not kept.exists() or kept.read_text("utf-8") != listing:
            differing.append(half)
    if differing:
        sys.exit(
            f"the public API differs ({', '.join(differing)}): make api, and look at the change"
        )


if __name__ == "__main__":
    main()
