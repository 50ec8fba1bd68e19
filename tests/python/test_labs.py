"""Students get the labs without a line of the answers, and are told what is still open."""

import ast
import copy
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from mopse import errors, labs
from mopse.cli import main

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted((ROOT / "notebooks" / "labs").glob("*.ipynb"))
each_lab = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def code(notebook: dict) -> list[str]:
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def answers(notebook: dict) -> list[str]:
    """Return the text of each solution, found without the code under test."""
    found = []
    for source in code(notebook):
        found += re.findall(r"# BEGIN SOLUTION[^\n]*\n(.*?)\n *# END SOLUTION", source, re.DOTALL)
    return found


def made_of(*sources: str, kind: str = "code", **metadata) -> dict:
    """Return a notebook whose cells have these sources."""
    cells = [
        {"cell_type": kind, "id": str(i), "metadata": metadata, "source": source}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for i, source in enumerate(sources)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def student_code(source: str) -> str:
    return code(labs.student_version(made_of(source)))[0]


def run(notebook: dict, folder: Path) -> None:
    """Run a notebook from top to bottom, in a kernel of its own."""
    node = nbformat.reads(json.dumps(notebook), as_version=4)
    NotebookClient(node, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()


def test_there_are_labs():
    assert [path.stem[:2] for path in SOLUTIONS] == [
        f"{n:02}" for n in range(1, len(SOLUTIONS) + 1)
    ]
    assert labs.solutions() == SOLUTIONS


@each_lab
def test_cells_of_a_solution_ran_once_in_order(path):
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert "error" not in [output["output_type"] for cell in cells for output in cell["outputs"]]


@each_lab
def test_no_line_of_a_solution_survives(path):
    solution = read(path)
    student = labs.student_version(solution)
    left = {line.strip() for source in code(student) for line in source.splitlines()}
    for answer in answers(solution):
        for line in answer.splitlines():
            assert not line.strip() or line.strip() not in left
    everything = json.dumps(student)
    assert "BEGIN SOLUTION" not in everything
    assert "END SOLUTION" not in everything
    assert "<!-- solution -->" not in everything
    assert everything.count("# YOUR ANSWER") == len(answers(solution)) >= 3


@each_lab
def test_a_student_version_shows_no_output_and_parses(path):
    student = labs.student_version(read(path))
    for cell in student["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            ast.parse("".join(cell["source"]))
    nbformat.validate(nbformat.from_dict(student))


@each_lab
def test_a_student_version_stops_at_each_open_task_with_its_message(path, monkeypatch):
    monkeypatch.setenv("MOPSE_FAST", "1")
    solution, student = read(path), labs.student_version(read(path))
    solved = [c for c in solution["cells"] if c["cell_type"] == "code"]
    blanked = [c for c in student["cells"] if c["cell_type"] == "code"]
    open_cells = [i for i, c in enumerate(blanked) if "# YOUR ANSWER" in "".join(c["source"])]
    for task in open_cells:  # all before it are answered, this one and those after are not
        attempt = dict(student, cells=solved[:task] + blanked[task:])
        with pytest.raises(CellExecutionError) as caught:
            run(attempt, path.parent)
        assert caught.value.ename == "AssertionError"
        assert re.match(r"(task \d|to close): ", caught.value.evalue)
        assert caught.value.evalue in "".join(blanked[task + 1]["source"])


WRONG = [
    ("01", "return lowest + rank", "return rank", "lowest age"),
    ("01", "return lowest + rank", "return lowest + rank.max() - rank", "higher ciphertext"),
    ("01", "< _missing[0]", "<= np.median(ages_small)", "task 2: some records"),
    ("01", "return 1 - ((1 - pi) ** n).mean()", "return ((1 - pi) ** n).mean()", "task 3"),
    ("01", "((1 - pi) ** n)", "(np.full(3, 1 - 1 / len(pi)) ** n)", "task 3"),
    ("01", "shifted = wider + 1", "shifted = wider - 1", "to close: what does"),
    ("02", "c * M // (N + 1)", "c * M // N", "task 1"),
    ("02", "return 1 + c * M // (N + 1)", "return int(1 + c * M / (N + 1))", "task 1"),
    ("02", "errors <= r / 2", "errors <= r", "task 2: a window"),
    ("02", "(b / 2 / _spread", "(b / _spread", "task 2: formula is off"),
    ("02", "log_choose(N - c, M - _m)", "log_choose(N - c, M)", "task 3: wrong for"),
    ("02", "np.log2(_p)", "np.log(_p)", "task 3"),
    ("02", "math.log2(81) / 2 - 0.604", "math.log2(81) / 2", "to close: wrong"),
    ("03", 'side="right")\n    # END', 'side="left")\n    # END', "task 1"),
    ("03", "((M - 1) / (M + 1)) ** Q", "((M - 1) / M) ** Q", "task 2"),
    ("03", "(-1) ** (s + 1) *", "", "task 3: wrong for"),
    (
        "03",
        "total = Fraction(0)",
        "total, Fraction = 0.0, lambda a, b: a / b",
        "task 3: wrong for 81",
    ),
    ("03", 'np.arange(len(c)), side="right"', "np.arange(len(c))", "task 4"),
    ("03", "boundaries_left = cells - 1", "boundaries_left = cells + 1", "to close: boundaries"),
    ("04", ", row + 1, 0)", ", row, 0)", "task 1"),
    ("04", "(row >= 0) & (entries <= high[row])", "row >= 0", "task 1"),
    ("04", "(r - 1) / (r + 1)", "1 - 2.0**-r", "task 2"),
    ("04", "(_lowest, entries", "(_lowest[::2], entries", "task 3: every age"),
    ("04", "refusal = error", 'refusal = "no"', "task 4: that is another"),
    ("04", "range(LOWEST, HIGHEST, 5)", "range(LOWEST, HIGHEST - 5, 5)", "to close: every cell"),
    ("04", "blind = 1 / 5", "blind = 1 / 4", "to close: five ages"),
    ("05", "before != after for before, after", "True for _", "task 1: nobody here is 1"),
    ("05", 'LOWEST["age"] + np.flatnonzero(', "np.flatnonzero(", "task 1: table.1. is the sum"),
    ("05", "known[row] != age", "row != victim", "task 2: the owner finds"),
    ("05", "known[row] != age", "known[row] > age", "task 2: somebody of another age"),
    ("05", '(answer.sums["age"] - leaves) % MOD', 'answer.sums["age"] - MOD', "modulo 2"),
    ("05", "[cell + 1] - table[cell]", "[cell] - table[cell - 1]", "task 2: the owner finds"),
    ("05", "np.maximum(lowest[first:], start)", "start", "task 3: what the first query said"),
    ("05", "np.maximum(lowest[past:], end)", "start", "task 3: the entry after the range"),
    ("05", "(highest[:past], end - 1)", "(highest[:past], end)", "at most cell 19"),
    ("05", "rows | {row} for field, rows", "rows for field, rows", "task 4: the owner finds"),
    ("05", "rows | {row} for", "rows.add(row) or rows for", "task 4: leave the true lists"),
    ("05", "everywhere | answer.hits &", "answer.hits &", "a row of every range is a hit"),
    ("05", "everywhere | answer.hits & set", "everywhere or set", "task 4: mismatch accuses"),
    (
        "05",
        "everywhere | answer.hits & set.union(*answer.others.values())",
        "everywhere",
        "a hit is",
    ),
    ("05", "len(parts[0]) - 1)", "len(parts[0]) - 2)", "task 5: one record"),
    ("05", "forged([cut(parts[0], 0)", "forged([cut(parts[0], 1)", "task 5: leave out all"),
    ("05", '"old": yesterday', '"old": answer', "task 5: what did the cloud answer"),
    ("05", '- _changed + LOWEST["age"]', "- _changed", "to close: that is the cell"),
    ("05", '- _changed + LOWEST["age"]', "+ 2 - _changed", "to close: which sums"),
    ("06", "or one[40:72] != link", "or False", "task 1: the number of entry 5"),
    ("06", 'one[32:40] != struct.pack("<Q", number) or', "", "not its number"),
    ("06", "            return number", "            return number - 1", "task 1: without entry 0"),
    ("06", "return leaf(entries[0])", "return entries[0]", "task 2: of one entry it is the leaf"),
    ("06", '(b"\\1" + root(', "(root(", "task 2: wrong for two entries"),
    ("06", "1 << ((len(entries) - 1).bit_length() - 1)", "len(entries) // 2", "of three, k is 2"),
    ("06", "root(entries[:size]) != remembered", "len(entries) < size", "a change after entry 1"),
    ("06", "return after, size", "return size, size", "task 3: a change after entry 1"),
    ("06", "        after = size", "        after = 0", "task 3: a change after entry 1"),
    ("06", 'verdict[_name] = "changed"', 'verdict[_name] = "rewritten"', "task 3: the verdict"),
    (
        "06",
        'place = "rewritten", differs(_entries, seen)',
        'place = "rewritten", (0, 7)',
        "not where",
    ),
    ("06", "*honest[:25], *honest[26:]", "*honest[:5], *honest[6:]", "go on from what both saw"),
    ("06", "*honest[:30], *honest[31:]", "*honest[:25], *honest[26:]", "one log, and no fork"),
    ("06", "signed(left), signed(right)", "signed(left), signed(left)", "not of the right log"),
    ("06", "*honest[:30], *honest[31:]", "*honest", "both have the same length"),
    ("06", "math.ceil(math.log2(n))", "(n - 1)", "to close: of four"),
    ("06", "math.ceil(math.log2(n))", "int(math.log2(n))", "to close: of five"),
]


@pytest.mark.parametrize(("lab", "right", "wrong", "message"), WRONG)
def test_a_wrong_answer_is_noticed_by_its_check(lab, right, wrong, message, monkeypatch):
    monkeypatch.setenv("MOPSE_FAST", "1")
    (path,) = (path for path in SOLUTIONS if path.stem.startswith(lab))
    cells = code(read(path))
    (place,) = (i for i, source in enumerate(cells) if right in source)
    names: dict = {}
    for source in cells[:place]:
        exec(source, names)
    exec(cells[place].replace(right, wrong), names)
    with pytest.raises(AssertionError, match=message):
        exec(cells[place + 1], names)


def test_a_blank_has_the_names_of_the_solution_and_its_indentation():
    source = (
        "if x:\n"
        "    # BEGIN SOLUTION: two of them\n"
        "    _t = 3\n"
        "    a, (b, *c) = _t, (2, 3)\n"
        "    d[0] = 1\n"
        "    for i in range(3):\n"
        "        e = [_j for j in range(2)]\n"
        "    try:\n"
        "        with open(f) as file:\n"
        "            g = file\n"
        "    except OSError as error:\n"
        "        h = error\n"
        "    else:\n"
        "        g = None\n"
        "    def k():\n"
        "        l = 1\n"
        "    # END SOLUTION\n"
        "y = 1"
    )
    names = "\n".join(f"    {name} = ..." for name in "abceghk")
    assert student_code(source) == f"if x:\n    # YOUR ANSWER: two of them\n{names}\ny = 1"


def test_a_solution_that_returns_leaves_a_return():
    source = "def f():\n    # BEGIN SOLUTION\n    x = 1\n    return x\n    # END SOLUTION"
    assert student_code(source) == "def f():\n    # YOUR ANSWER\n    return ..."


def test_a_solution_that_assigns_nothing_leaves_dots():
    assert student_code("# BEGIN SOLUTION\nprint(1)\n# END SOLUTION") == "# YOUR ANSWER\n..."
    assert student_code("# BEGIN SOLUTION\n# END SOLUTION") == "# YOUR ANSWER\n..."


def test_answers_in_words_and_tagged_cells_are_left_out():
    notebook = made_of("# BEGIN SOLUTION\nx = 1\n# END SOLUTION")
    notebook["cells"] += made_of("<!-- solution -->\nno", "yes", kind="markdown")["cells"]
    notebook["cells"] += made_of("secret", tags=["solution"])["cells"]
    student = labs.student_version(notebook)
    assert [c["source"] for c in student["cells"]] == [["# YOUR ANSWER\n", "x = ..."], ["yes"]]


def test_what_is_given_is_left_unchanged():
    notebook = made_of("# BEGIN SOLUTION\nx = 1\n# END SOLUTION")
    notebook["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    notebook["metadata"]["widgets"] = {"state": "1"}
    before = copy.deepcopy(notebook)
    student = labs.student_version(notebook)
    assert notebook == before
    assert student["cells"][0]["outputs"] == []
    assert student["metadata"] == {}


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["x = 1"], "no cell has a line"),
        ([], "no cell has a line"),
        (["x = 1", "# BEGIN SOLUTION\nx = 1"], "cell 2 does not end"),
        (["# END SOLUTION"], "cell 1 ends a solution that it did not begin"),
        (["# BEGIN SOLUTION\n# BEGIN SOLUTION\n# END SOLUTION"], "cell 1 begins a solution inside"),
        (["if x:\n    # BEGIN SOLUTION\n    y\n# END SOLUTION"], "cell 1 .* indented differently"),
        (["# begin solution\nx = 1\n# END SOLUTION"], "cell 1 has a marker that is not"),
        (["# BEGIN SOLUTION - hint\nx = 1\n# END SOLUTION"], "cell 1 has a marker that is not"),
        (["### END SOLUTION"], "cell 1 has a marker that is not"),
        (["# BEGIN SOLUTION\nx = (\n# END SOLUTION\n)"], "cell 1 .* no Python by itself"),
    ],
)
def test_markers_that_do_not_match_are_refused_with_their_cell(sources, message):
    with pytest.raises(errors.InvalidInputError, match=message):
        labs.student_version(made_of(*sources))


@pytest.mark.parametrize(
    "notebook",
    [
        None,
        [],
        {},
        {"nbformat": 3, "metadata": {}, "cells": []},
        {"nbformat": 4, "metadata": {}, "cells": None},
        {"nbformat": 4, "metadata": {}, "cells": [1]},
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}}]},
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "source": ""}]},
        {"nbformat": 4, "metadata": {}, "cells": [{"metadata": {"tags": 1}, "source": ""}]},
        {"nbformat": 4, "metadata": {}, "cells": [{"metadata": {}, "source": [1]}]},
    ],
)
def test_what_is_no_notebook_is_refused(notebook):
    is_mapping = isinstance(notebook, dict)
    error = errors.DamagedFileError if is_mapping else errors.WrongTypeError
    with pytest.raises(error, match="no notebook" if is_mapping else "must be a mapping"):
        labs.student_version(notebook)


def test_the_command_writes_all_labs_and_again_the_same(tmp_path, capsys):
    for _ in range(2):
        main(["labs", "--out", str(tmp_path / "new" / "folder")])
    names = [path.name for path in SOLUTIONS]
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == names
    assert names[0] in capsys.readouterr().out
    student = read(tmp_path / "new" / "folder" / names[0])
    assert student == labs.student_version(read(SOLUTIONS[0]))


def test_a_file_that_differs_is_never_overwritten_and_nothing_else_is_written(tmp_path):
    work = tmp_path / SOLUTIONS[0].name
    work.write_text("somebody's answers")
    other = tmp_path / "another.ipynb"
    other.write_text(json.dumps(made_of("# BEGIN SOLUTION\nx = 1\n# END SOLUTION")))
    out = tmp_path / "out"
    out.mkdir()
    (out / work.name).write_text("somebody's answers")
    with pytest.raises(SystemExit, match=f"{work.name} is there already and differs"):
        main(["labs", str(other), str(SOLUTIONS[0]), "--out", str(out)])
    assert (out / work.name).read_text() == "somebody's answers"
    assert [path.name for path in out.iterdir()] == [work.name]


def test_a_solution_is_not_overwritten_by_its_student_version(tmp_path):
    solution = tmp_path / SOLUTIONS[0].name
    solution.write_bytes(SOLUTIONS[0].read_bytes())
    with pytest.raises(errors.InvalidInputError, match="left as it is"):
        labs.make([solution], tmp_path)
    assert solution.read_bytes() == SOLUTIONS[0].read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# Lab", "no notebook: it is not JSON"),
        (b"\xff\xfe", "no notebook: it is not JSON"),
        (b"[" * 100_000, "no notebook: it is not JSON"),
        (b"{}", "no notebook of format 4"),
        (json.dumps(made_of("x = 1")).encode(), "lab.ipynb: no cell has a line"),
    ],
)
def test_the_command_says_which_file_is_no_solution(tmp_path, content, message):
    (tmp_path / "lab.ipynb").write_bytes(content)
    with pytest.raises(SystemExit, match=message):
        main(["labs", str(tmp_path / "lab.ipynb"), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    with pytest.raises(SystemExit, match=r"No such file or directory: '.*missing\.ipynb'"):
        main(["labs", str(tmp_path / "missing.ipynb"), "--out", str(tmp_path / "out")])
    with pytest.raises(errors.FileAccessError, match="Is a directory"):
        labs.make([tmp_path], tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.FileAccessError, match=r"(File exists|Not a directory): '.*file"):
        labs.make(SOLUTIONS[:1], tmp_path / "file")
    with pytest.raises(errors.InvalidInputError, match="two solutions are called"):
        labs.make([SOLUTIONS[0], SOLUTIONS[0]], tmp_path / "out")


def test_without_notebooks_the_command_asks_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr(labs, "FOLDER", tmp_path)
    with pytest.raises(SystemExit, match="name the solutions"):
        main(["labs", "--out", str(tmp_path / "out")])
