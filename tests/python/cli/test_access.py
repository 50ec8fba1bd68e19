"""Requests for access at the command line: asked, decided, read, taken back and forgotten."""

import json

import pytest
import terminal
from cli.test_users import Users

CLOUD = "--cloud", "phr.duckdb"


class Asking(Users):
    """A folder in which a user asks."""

    def access(self, party, *arguments, expect=0):
        """Give a command about access as a party or a user."""
        is_user = party in ("doctor", "nurse")
        file, key = (f"{party}.user", "secret") if is_user else (f"{party}.keyring", party)
        keys = [key if is_user else terminal.PASSWORDS[key]]
        given = "access", *arguments, "--as", file
        return terminal.mopse_here(*given, folder=self.folder, keys=keys, expect=expect)

    def listed(self, party):
        """Return the requests that a party or a user has."""
        return json.loads(self.access(party, "list", "--json").stdout)["requests"]


@pytest.fixture
def asking(tmp_path):
    asking = Asking(tmp_path)
    for name in ("doctor", "nurse"):
        asking.new(name)
    for party in ("owner", "hospital"):
        asking.access(party, "address", "--out", f"{party}.address")
    asking.party("owner", "query", "age >= 0", "--out", "q.query")
    return asking


def test_a_user_asks_and_reads_what_was_approved(asking):
    ask = "ask", "owner.address", "--provider", "hospital", "--id", "17", "--reason", "a fracture"
    asked = json.loads(asking.access("doctor", *ask, "--out", "r", "--json").stdout)
    said = asking.access("owner", "receive", "r").stdout
    assert "a fracture" in said
    assert asked["request"] in said
    [row] = asking.listed("owner")
    assert (row["state"], row["provider"], row["records"]) == ("open", "hospital", 1)
    number = row["request"]
    assert number == asked["request"]
    asking.access("owner", "approve", number, "--out", "d")
    assert "is approved" in asking.access("doctor", "read", "d").stdout
    assert asking.found("doctor", "--report", expect=1) == [("hospital", 17)]
    assert [row["state"] for row in asking.listed("doctor")] == ["approved"]
    assert (
        "it is approved" in asking.access("owner", "refuse", number, "--out", "e", expect=1).stderr
    )
    shared = json.loads(asking.owner("shared", "--json").stdout)["shared"]
    assert [(one["provider"], one["records"]) for one in shared] == [("hospital", 1)]
    asking.access("owner", "forget", number)
    assert asking.listed("owner") == []


def test_a_refusal_and_a_withdrawal(asking):
    ask = "ask", "hospital.address", "--provider", "hospital"
    asking.access("doctor", *ask, "--out", "r")
    wrong = asking.access("owner", "receive", "r", expect=1)
    assert "another address" in wrong.stderr
    asking.access("hospital", "receive", "r")
    [row] = asking.listed("hospital")
    why = "--reason", "ask the owner"
    asking.access("hospital", "refuse", row["request"], *why, "--out", "d")
    assert "is refused: ask the owner" in asking.access("doctor", "read", "d").stdout
    assert "another user" in asking.access("nurse", "read", "d", expect=1).stderr
    asked = json.loads(asking.access("doctor", *ask, "--out", "r2", "--json").stdout)
    asking.access("hospital", "receive", "r2")
    asking.access("doctor", "withdraw", asked["request"], "--out", "w")
    asking.access("hospital", "receive", "w")
    assert sorted(row["state"] for row in asking.listed("hospital")) == ["refused", "withdrawn"]
    late = asking.access("hospital", "approve", asked["request"], "--out", "late", expect=1)
    assert "withdrawn" in late.stderr
    assert not (asking.folder / "late").exists()


def test_what_is_not_meant_for_it_is_refused_by_its_file(asking):
    (asking.folder / "other").write_bytes(b"something else")
    for party, command in (
        ("owner", ("receive", "other")),
        ("doctor", ("read", "other")),
        ("doctor", ("ask", "other", "--provider", "hospital", "--out", "x")),
    ):
        assert "other" in asking.access(party, *command, expect=1).stderr
    assert "it is a user's" in asking.access("doctor", "receive", "other", expect=1).stderr
    assert "for a user" in asking.access("owner", "read", "other", expect=1).stderr
    assert "32 hexadecimal" in asking.access("owner", "forget", "12", expect=1).stderr
    given = "ask", "owner.address", "--provider", "hospital", "--out", "owner.address"
    assert "there is a file already" in asking.access("doctor", *given, expect=1).stderr
    assert asking.listed("doctor") == []
