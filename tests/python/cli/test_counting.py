"""Commands that count what a cloud holds, and that compare what two parties were shown of it."""

import json

import pytest
import terminal
from terminal import PASSWORDS

from mopse import Cloud, Field, Owner, Provider, Schema

SCHEMA = Schema(
    age=Field(0, 120, proof=True), bmi=Field(8, 100, step=0.1, cell=50), sbp=Field(60, 260)
)
ROWS = {"id": [1, 2, 3], "age": [41, 50, 70], "bmi": [22.0, 22.5, 30.0], "sbp": [120, 140, 160]}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with an owner, two providers and records, of which one is sealed."""
    owner = Owner.generate(SCHEMA)
    with Cloud(tmp_path / "phr.duckdb") as cloud:
        cloud.enroll(owner.public)
        for name in ("hospital", "clinic"):
            provider = owner.authorize(name)
            cloud.enroll(owner.public)
            if name == "hospital":
                cloud.receive(provider.encrypt(ROWS, id="id"))
            cloud.receive(provider.seal())
            provider.save(tmp_path / f"{name}.keyring", PASSWORDS[name])
    owner.save(tmp_path / "owner.keyring", PASSWORDS["owner"])
    return tmp_path


def party(folder, name, *arguments, expect=0):
    """Give a command as a party, at the cloud."""
    where = "--as", f"{name}.keyring", "--cloud", "phr.duckdb"
    keys = [PASSWORDS[name]]
    return terminal.mopse_here(*arguments, *where, folder=folder, keys=keys, expect=expect)


def compared(folder, name, other, *more, expect=0):
    """Compare what two parties have seen."""
    both = "--as", f"{name}.keyring", "--with", f"{other}.keyring"
    keys = [PASSWORDS[name], PASSWORDS[other.removeprefix("old ")]]
    return terminal.mopse_here("compare", *both, *more, folder=folder, keys=keys, expect=expect)


def test_records_are_counted_and_the_count_is_proven(folder):
    assert party(folder, "owner", "count", "age >= 50").stdout == "2\n"
    nothing = party(folder, "owner", "count", "age > 100", "--json", expect=3)
    assert json.loads(nothing.stdout) == {"count": 0}
    proven = party(folder, "owner", "count", "age >= 50", "--proof", "--max-age", "2", "--json")
    assert json.loads(proven.stdout) == {
        "count": 2,
        "unsealed": 0,
        "seals": {"clinic": 1, "hospital": 1},
    }
    assert "none is missing that these seals state: clinic 1, hospital 1" in proven.stderr
    seen = Owner.open(folder / "owner.keyring", PASSWORDS["owner"]).seals
    assert {path: number for path, (number, _) in seen.items()} == {"clinic": 1, "hospital": 1}
    assert party(folder, "clinic", "count", "age >= 50", expect=3).stdout == "0\n"


def test_a_count_of_wide_cells_says_so(folder):
    said = party(folder, "owner", "count", "bmi = 22.5 and sbp >= 60")
    assert (said.stdout, said.stderr) == (
        "2\n",
        "mopse: of whole cells: some may not meet the bounds of bmi\n",
    )


def test_a_count_that_is_not_proven_is_refused(folder):
    with Cloud(folder / "phr.duckdb") as cloud:
        owner = Owner.open(folder / "owner.keyring", PASSWORDS["owner"])
        owner.authorize("ward")
        cloud.enroll(owner.public)
    said = party(folder, "owner", "count", "age >= 50", "--proof", expect=1).stderr
    assert "ward" in said
    assert party(folder, "owner", "count", "age >= 50").stdout == "2\n"
    assert "sbp" in party(folder, "owner", "count", "sbp = 140", "--proof", expect=1).stderr
    given = "count", "age = 1", "--max-age", "2"
    assert "it goes with --proof" in party(folder, "owner", *given, expect=2).stderr


def test_two_parties_compare_what_they_were_shown(folder):
    nothing = compared(folder, "owner", "hospital", "--json", expect=3)
    assert json.loads(nothing.stdout) == {"seals": {}}
    party(folder, "owner", "ask", "age >= 0", "--proof")
    before = {path: path.read_bytes() for path in folder.glob("*.keyring")}
    assert json.loads(compared(folder, "owner", "hospital", "--json").stdout) == {
        "seals": {"hospital": 1}
    }
    said = compared(folder, "hospital", "owner")
    assert said.stdout == "provider  seal\n--------  ----\nhospital     1\n"
    assert said.stderr == "mopse: both have seen these seals\n"
    assert before == {path: path.read_bytes() for path in folder.glob("*.keyring")}


def test_two_histories_are_found_out(folder):
    keyring, ledger = folder / "hospital.keyring", folder / "hospital.keyring.ledger"
    old = {path: path.read_bytes() for path in (keyring, ledger, folder / "phr.duckdb")}
    party(folder, "hospital", "delete", "1")
    party(folder, "hospital", "seal")
    party(folder, "owner", "ask", "age >= 0", "--proof")
    for path, content in old.items():  # the other history
        path.write_bytes(content)
    party(folder, "hospital", "delete", "2")
    party(folder, "hospital", "seal")
    said = compared(folder, "owner", "hospital", expect=1)
    assert "hospital" in said.stderr
    assert said.stdout == ""


def test_parties_of_two_owners_and_wrong_passwords_are_refused(folder):
    Owner.generate(SCHEMA).save(folder / "ward.keyring", PASSWORDS["ward"])
    assert "two owners" in compared(folder, "owner", "ward", expect=1).stderr
    other = Provider.open(folder / "clinic.keyring", PASSWORDS["clinic"])
    other.save(folder / "ward.keyring", "another")
    assert "ward.keyring: the password" in compared(folder, "owner", "ward", expect=1).stderr
    assert (
        "none.keyring"
        in terminal.mopse_here(
            "compare", "--as", "owner.keyring", "--with", "none.keyring", folder=folder, expect=1
        ).stderr
    )
