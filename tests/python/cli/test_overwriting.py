"""Commands that write files: none takes the place of another unless that is said."""

import json

import polars as pl
import pytest
from cli.test_commands import Scene

from mopse import labs
from mopse.cli import main
from mopse.errors import FileAccessError

SOLUTION = {
    "nbformat": 4,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "metadata": {},
            "source": "# BEGIN SOLUTION\nx = 1\n# END SOLUTION",
            "outputs": [],
        }
    ],
}


@pytest.fixture
def exported(tmp_path):
    """Return a scene, and the file to which its records are exported."""
    scene = Scene(tmp_path)
    scene.begin()
    scene.encrypt("clinic")
    scene.run("store", "export", "phr.duckdb", "--out", "out")
    [file] = (scene.folder / "out").iterdir()
    scene.encrypt("hospital")
    return scene, file


def test_an_export_leaves_what_is_there_unless_it_is_to_replace_it(exported):
    scene, file = exported
    before = file.read_bytes()
    given = "store", "export", "phr.duckdb", "--out", "out"
    refused = scene.run(*given, expect=1)
    why = "mopse: there is a file already, and --replace writes in its place: 'out/"
    assert refused.stderr.startswith(f"{why}{file.name}'")
    assert file.read_bytes() == before
    scene.run(*given, "--replace")
    assert (pl.read_parquet(file).height, [file]) == (6, list(file.parent.iterdir()))


def test_an_export_that_fails_leaves_the_file_before(exported, monkeypatch):
    scene, file = exported
    before = file.read_bytes()

    def fail(_, target, **__):
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    given = "store", "export", "phr.duckdb", "--out", "out", "--replace"
    assert "No space left" in scene.run(*given, expect=1).stderr
    assert (file.read_bytes(), [file]) == (before, list(file.parent.iterdir()))


def _solution(folder, source="# BEGIN SOLUTION\nx = 1\n# END SOLUTION", name="lab.ipynb"):
    cell = SOLUTION["cells"][0] | {"source": source}
    (folder / name).write_text(json.dumps(SOLUTION | {"cells": [cell]}))
    return str(folder / name)


def test_a_lab_is_made_again_over_another_only_where_that_is_said(tmp_path):
    out, made = tmp_path / "out", tmp_path / "out" / "lab.ipynb"
    main(["labs", _solution(tmp_path), "--out", str(out)])
    made.write_text("somebody's answers")
    newer = _solution(tmp_path, "# BEGIN SOLUTION: think\nx = 1\n# END SOLUTION")
    with pytest.raises(SystemExit, match=r"lab\.ipynb is there already and differs: .*--replace"):
        main(["labs", newer, "--out", str(out)])
    assert made.read_text() == "somebody's answers"
    main(["labs", newer, "--out", str(out), "--replace"])
    assert "YOUR ANSWER: think" in made.read_text()


def test_labs_that_cannot_all_be_written_leave_those_before(tmp_path, monkeypatch):
    out = tmp_path / "out"
    solutions = [_solution(tmp_path, name=name) for name in ("a.ipynb", "b.ipynb", "c.ipynb")]
    out.mkdir()
    (out / "a.ipynb").write_text("somebody's answers")
    write = labs.write_whole

    def fail(path, content, mode):
        if path.name == "c.ipynb":
            raise FileAccessError(28, "No space left on device", str(path))
        write(path, content, mode)

    monkeypatch.setattr(labs, "write_whole", fail)
    with pytest.raises(FileAccessError, match="No space left"):
        labs.make(solutions, out, replace=True)
    assert (out / "a.ipynb").read_text() == "somebody's answers"
    assert [path.name for path in out.iterdir()] == ["a.ipynb"]


def test_a_solution_is_never_replaced_by_its_student_version(tmp_path):
    solution = _solution(tmp_path)
    before = (tmp_path / "lab.ipynb").read_bytes()
    with pytest.raises(SystemExit, match="is a solution: it is left as it is"):
        main(["labs", solution, "--out", str(tmp_path), "--replace"])
    assert (tmp_path / "lab.ipynb").read_bytes() == before


def test_a_figure_that_is_named_takes_no_place_of_another(tmp_path, monkeypatch):
    figure = tmp_path / "figure.png"
    figure.write_bytes(b"another one")
    monkeypatch.setattr("mopse.cli._demo.run", lambda drawn, _: pytest.fail(f"{drawn} is drawn"))
    with pytest.raises(SystemExit, match=r"there is a file already, and --replace .*figure\.png"):
        main(["demo", "--figure", str(figure), "--store", str(tmp_path / "store")])
    drawn = []
    monkeypatch.setattr("mopse.cli._demo.run", lambda *given: drawn.append(given))
    main(["demo", "--figure", str(figure), "--store", "store", "--replace"])
    assert drawn == [(str(figure), "store")]
