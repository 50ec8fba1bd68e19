"""Course labs: notebooks for students, made from the notebooks with the answers.

The folder ``notebooks/labs`` holds the solutions. They are the only copy that is edited; what
students get is made from them, here or by ``mopse labs``.

A solution stands between two comments, each on a line of its own and equally indented::

    # BEGIN SOLUTION: one sentence that helps
    share = (guess == age).mean()
    # END SOLUTION

Students get this, which is Python and leaves the name there for the check to look at::

    # YOUR ANSWER: one sentence that helps
    share = ...

Every name that the solution assigns is blanked, but for those of loops and names with a leading
underscore, which are its own; one that ends in ``return`` becomes ``return ...``. A cell tagged
``solution``, or a text that begins with ``<!-- solution -->``, is left out, as are all outputs.
"""

import ast
import copy
import json
import os
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mopse._checked import checked
from mopse._files import (
    SHARED,
    as_file,
    as_folder,
    is_plain,
    made_folder,
    read_whole,
    removed,
    write_whole,
)
from mopse.errors import DamagedFileError, InvalidInputError, MissingFileError

__all__ = ["make", "solutions", "student_version"]

FOLDER = Path(__file__).parents[2] / "notebooks" / "labs"

_MARKER = re.compile(r"(?P<indent> *)# (?P<end>BEGIN|END) SOLUTION(?:: (?P<hint>.*))?")
_LIKE_A_MARKER = re.compile(r"\s*#.*\b(BEGIN|END)\W*SOLUTION", re.IGNORECASE)
_HALF = "it is no notebook: it holds half of a surrogate pair"
_HIDDEN = "<!-- solution -->"


def solutions() -> list[Path]:
    """Return the solution notebooks of this clone, in the order of their names.

    Raises
    ------
    mopse.errors.MissingFileError
        If there are none, as in an installed package: notebooks are no part of it.
    """
    found = sorted(FOLDER.glob("*.ipynb"))
    if not found:
        raise MissingFileError(
            "no notebooks/labs here, for an installed package has none: name the solutions"
        )
    return found


@checked()
def make(
    notebooks: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    replace: bool = False,
) -> dict[Path, Path]:
    """Write the student versions of solution notebooks; all of them, or none.

    Parameters
    ----------
    notebooks : iterable of path-like
        The solutions.
    out : path-like
        The folder to write to, under the same names. It is made if it is not there.
    replace : bool
        Whether they take the place of other files of these names, answers in them included.

    Returns
    -------
    dict of pathlib.Path to pathlib.Path
        For each solution its student version.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a solution has no marker, or markers that do not match, the message names the cell; if
        two have one name; or if there is another file where one would be written, and it is not to
        be replaced: it may hold somebody's answers.
    mopse.errors.DamagedFileError
        If a file is no notebook.
    mopse.errors.FileAccessError
        If a file cannot be read or written; `mopse.errors.MissingFileError` if there is none.
    """
    folder = as_folder(out)
    made: dict[Path, Path] = {}
    contents: dict[Path, bytes] = {}
    before: dict[Path, bytes | None] = {}
    named = list(map(as_file, notebooks))
    places = {os.path.realpath(solution) for solution in named}
    for solution in named:
        target = folder / solution.name
        if target in contents:
            raise InvalidInputError(f"two solutions are called {solution.name}")
        if os.path.realpath(target) in places:
            raise InvalidInputError(f"{target} is a solution: it is left as it is")
        try:
            student = student_version(_notebook(solution))
            content = (json.dumps(student, indent=1, ensure_ascii=False) + "\n").encode()
        except (DamagedFileError, InvalidInputError) as error:
            raise type(error)(f"{solution.name}: {error}") from None
        except UnicodeEncodeError:
            raise DamagedFileError(f"{solution.name}: {_HALF}") from None
        made[solution] = target
        contents[target], before[target] = content, _what_is_there(target)
        if not replace and before[target] not in (None, content):
            raise InvalidInputError(
                f"{target} is there already and differs: it is left as it is; replace=True writes "
                "in its place, whatever answers it holds"
            )
    made_folder(folder)
    new = {at: content for at, content in contents.items() if before[at] != content}
    try:
        for target, content in new.items():
            write_whole(target, content, SHARED)
    except BaseException:
        for target in new:
            _put_back(target, before[target])
        raise
    return made


@checked()
def student_version(solution: dict[str, Any]) -> dict[str, Any]:
    r"""Return a notebook, JSON of format 4, with blanks for answers and without outputs.

    The solution is left unchanged.

    Raises
    ------
    mopse.errors.InvalidInputError
        If it has no marker, or markers that do not match; the message names the cell.
    mopse.errors.DamagedFileError
        If it is no notebook.

    Examples
    --------
    >>> source = "# BEGIN SOLUTION: halve it\nhalf = x / 2\n# END SOLUTION\n"
    >>> cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": []}
    >>> student = student_version({"nbformat": 4, "metadata": {}, "cells": [cell]})
    >>> print("".join(student["cells"][0]["source"]))
    # YOUR ANSWER: halve it
    half = ...
    """
    _require_notebook(solution)
    try:
        student = copy.deepcopy(solution)
    except RecursionError:
        raise DamagedFileError("it is no notebook: it is too deep") from None
    student["metadata"].pop("widgets", None)  # outputs by another name
    student["cells"] = []
    blanks = 0
    for number, cell in enumerate(solution["cells"], start=1):
        source = "".join(cell["source"])
        if "solution" in cell["metadata"].get("tags", ()):
            continue
        if cell["cell_type"] == "markdown" and source.lstrip().startswith(_HIDDEN):
            continue
        cell = copy.deepcopy(cell)
        if any("\ud800" <= character <= "\udfff" for character in source):
            raise DamagedFileError(f"{_HALF}, in cell {number}")
        if cell["cell_type"] == "code":
            source, here = _blanked(source, f"cell {number}")
            blanks += here
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)  # when it ran
        cell["source"] = source.splitlines(keepends=True)
        student["cells"].append(cell)
    if not blanks:
        raise InvalidInputError("no cell has a line '# BEGIN SOLUTION'")
    return student


def _blanked(source: str, where: str) -> tuple[str, int]:
    """Return a cell's code with blanks for its solutions, and how many there are."""
    kept: list[str] = []
    solution: list[str] | None = None
    indent, blanks = "", 0
    for line in source.splitlines():
        marker = _MARKER.fullmatch(line.rstrip())
        if marker is None:
            if _LIKE_A_MARKER.match(line):
                raise InvalidInputError(f"{where} has a marker that is not '# BEGIN SOLUTION: ...'")
            (kept if solution is None else solution).append(line)
        elif marker["end"] == "BEGIN":
            if solution is not None:
                raise InvalidInputError(f"{where} begins a solution inside a solution")
            solution, indent, blanks = [], marker["indent"], blanks + 1
            hint = f": {marker['hint']}" if marker["hint"] else ""
            kept.append(f"{indent}# YOUR ANSWER{hint}")
        else:
            if solution is None:
                raise InvalidInputError(f"{where} ends a solution that it did not begin")
            if marker["indent"] != indent:
                raise InvalidInputError(f"{where} has two markers that are indented differently")
            kept += [indent + line for line in _blank("\n".join(solution), where)]
            solution = None
    if solution is not None:
        raise InvalidInputError(f"{where} does not end its solution")
    return "\n".join(kept), blanks


def _blank(solution: str, where: str) -> list[str]:
    """Return what stands for a solution: its names, without what it gives them."""
    try:
        statements = ast.parse(textwrap.dedent(solution)).body
    except SyntaxError:
        raise InvalidInputError(f"{where} has a solution that is no Python by itself") from None
    if statements and isinstance(statements[-1], ast.Return):
        return ["return ..."]
    names: dict[str, None] = {}  # a set that keeps its order
    for statement in statements:
        for name in _assigned(statement):
            if not name.startswith("_"):
                names[name] = None
    return [f"{name} = ..." for name in names] or ["..."]


def _assigned(node: ast.AST) -> list[str]:
    """Return the names that code gives a value, in the order of the text; not those of loops."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()):
            return [name]
        case ast.For(target=bound) | ast.AsyncFor(target=bound) | ast.comprehension(target=bound):
            pass
        case ast.withitem(optional_vars=bound):
            pass
        case _:
            bound = None
    children = (child for child in ast.iter_child_nodes(node) if child is not bound)
    return [name for child in children for name in _assigned(child)]


def _what_is_there(target: Path) -> bytes | None:
    """Return what a file holds; nothing if it is not there."""
    try:
        if is_plain(target):
            return read_whole(target)
    except MissingFileError:
        return None
    raise InvalidInputError(f"{target} is there already and is no file like others")


def _put_back(target: Path, content: bytes | None) -> None:
    if content is None:
        removed(target)
    else:
        write_whole(target, content, SHARED)


def _notebook(path: Path) -> Any:
    """Return what a file holds as JSON."""
    try:
        return json.loads(read_whole(path))
    except (ValueError, RecursionError):
        raise DamagedFileError("it is no notebook: it is not JSON") from None


def _require_notebook(notebook: Any) -> None:
    """Raise for anything that is not a notebook of format 4."""
    fits = isinstance(notebook, dict) and notebook.get("nbformat") == 4
    fits = fits and isinstance(notebook.get("metadata"), dict)
    if not (fits and isinstance(notebook.get("cells"), list)):
        raise DamagedFileError("it is no notebook of format 4")
    for number, cell in enumerate(notebook["cells"], start=1):
        fits = isinstance(cell, dict) and isinstance(cell.get("metadata"), dict)
        fits = fits and isinstance(cell["metadata"].get("tags", []), list)
        source = cell.get("source") if fits else None
        lines = source if isinstance(source, list) else [source]
        if not (fits and "cell_type" in cell and all(isinstance(line, str) for line in lines)):
            raise DamagedFileError(f"it is no notebook: cell {number} is malformed")
