"""The commands that permit amendments, make them, show them and take them back."""

import json
import shlex

import polars as pl
import pytest
import terminal
from cli.test_grants import README, Readers
from terminal import PASSWORDS

COLUMNS = ["provider", "id", "age", "amends", "amends_record", "amends_state"]
CLOUD = "--cloud", "phr.duckdb"
TO = "--to", "phr.duckdb"


@pytest.fixture
def readers(tmp_path):
    return Readers(tmp_path)


def permit(readers, *ids, expect=0):
    named = [word for one in ids for word in ("--id", one)]
    options = "--of", "hospital", *named, "--out", "clinic.permission", *CLOUD
    return readers.party("owner", "permit", "clinic", *options, expect=expect)


def amend(readers, ids, ages, name="clinic", expect=0):
    table = pl.DataFrame(
        {"id": ids, "age": ages, "sbp": [130] * len(ids), "name": ["x"] * len(ids)}
    )
    table.write_csv(readers.folder / "amendments.csv")
    options = "--id", "id", "--amend", "clinic.permission", *CLOUD
    return readers.party(name, "encrypt", "amendments.csv", *options, expect=expect)


def found(readers):
    done = readers.party("owner", "ask", "age >= 0", *CLOUD, "--json")
    records = json.loads(done.stdout)["records"]
    return sorted([tuple(one.get(name) for name in COLUMNS) for one in records], key=str)


def test_a_permitted_amendment_is_shown_marked_replaced_and_taken_back(readers):
    before = found(readers)
    assert "clinic may amend 2 records of hospital" in permit(readers, "17", "23").stdout
    assert "clinic: 1 record amended." in amend(readers, [17], [42]).stdout
    mark = ("clinic", 17, 42, "hospital", "17", "same")
    assert found(readers) == sorted([*before, mark], key=str)
    assert "hospital" in readers.party("owner", "ask", "age = 42", *CLOUD).stdout
    assert "clinic: 2 records amended." in amend(readers, [17, 23], [43, 71]).stdout
    marks = [one for one in found(readers) if one[3] is not None]
    assert [one[2] for one in marks] == [43, 71]
    options = "--amending", "hospital", *CLOUD
    assert "2 records deleted" in readers.party("clinic", "delete", "17", "23", *options).stdout
    assert "not stored" in readers.party("clinic", "delete", "17", *options, expect=1).stderr
    assert found(readers) == before


def test_what_is_not_permitted_is_refused_and_nothing_is_sent(readers):
    before = found(readers)
    assert "record 99 is not stored" in permit(readers, "99", expect=1).stderr
    assert not (readers.folder / "clinic.permission").exists()
    permit(readers, "17")
    assert "23" in amend(readers, [23], [70], expect=1).stderr
    assert "another provider's" in amend(readers, [17], [42], name="hospital", expect=1).stderr
    file = readers.folder / "clinic.permission"
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    assert "clinic.permission" in amend(readers, [17], [42], expect=1).stderr
    assert found(readers) == before


def test_the_readme_tells_of_amendments(readers):
    row = {"record_id": [17], "age": [42], "sbp": [150], "name": ["Ann"]}
    pl.DataFrame(row).write_csv(readers.folder / "corrections.csv")
    before, said = found(readers), []
    section = README.read_text("utf-8").partition("## From the command line\n")[2]
    [block] = [of for of in section.split("```sh\n")[1:] if of.startswith("mopse permit")]
    for line in block.partition("```")[0].splitlines():
        _, *words = shlex.split(line, comments=True)
        [name] = [word for word in words if word.endswith(".keyring")]
        keys = [PASSWORDS[name.removesuffix(".keyring")]]
        said.append(terminal.mopse_here(*words, folder=readers.folder, keys=keys).stdout)
    assert ["1 record" in one for one in said] == [True, True, True]
    assert found(readers) == before
