"""Users with keys of their own at the command line: made, given grants, and left out."""

import json
import stat

import pytest
import terminal
from cli.test_grants import Readers
from terminal import PASSWORDS

from mopse import Owner, User

CLOUD = "--cloud", "phr.duckdb"


class Users(Readers):
    """The folder of readers, in which users have keys."""

    def user(self, *arguments, expect=0):
        """Give a command as a user."""
        return terminal.mopse_here(*arguments, folder=self.folder, keys=["secret"], expect=expect)

    def new(self, name, *more):
        """Make a user."""
        files = "--keyring", f"{name}.user", "--out", f"{name}.public"
        return self.user("user", "new", *files, *more)

    def owner(self, *arguments, expect=0):
        """Give a command as the owner."""
        given = "owner", *arguments, "--keyring", "owner.keyring"
        keys = [PASSWORDS["owner"]]
        return terminal.mopse_here(*given, folder=self.folder, keys=keys, expect=expect)

    def share(self, party, name, *more):
        """Have a party seal a grant to a user, who accepts it."""
        user = "--user", f"{name}.public"
        self.party(party, "grant", *more, *user, "--out", f"{party}-{name}.grant")
        accept = "user", "accept", f"{party}-{name}.grant"
        self.user(*accept, "--keyring", f"{name}.user")

    def found(self, name, *more, expect=0):
        """Return provider and id of each record that a user opens."""
        asked = "read", "q.query", "--as", f"{name}.user", *CLOUD, "--json", *more
        said = self.user(*asked, expect=expect)
        records = json.loads(said.stdout)["records"]
        return sorted((one["provider"], one["id"]) for one in records)


@pytest.fixture
def users(tmp_path):
    return Users(tmp_path)


def test_a_user_reads_what_was_sealed_to_it_until_it_leaves(users):
    for name, more in (("doctor", ()), ("nurse", ("--post-quantum",))):
        users.new(name, *more)
    named = User.open(users.folder / "doctor.user", "secret").name.hex()
    status = "user", "status", "--keyring", "doctor.user"
    assert named in users.user(*status).stdout
    assert stat.S_IMODE((users.folder / "doctor.user").stat().st_mode) == 0o600
    users.share("owner", "doctor", "hospital", "--portion", "rest")
    users.share("clinic", "doctor")
    users.share("owner", "nurse", "hospital", "--id", "17")
    users.party("owner", "query", "age >= 40", "--out", "q.query")
    everybody = [("clinic", 1), ("hospital", 17), ("hospital", 23)]
    assert users.found("doctor") == everybody
    assert users.found("doctor", "--proof") == everybody
    assert users.found("nurse", "--report", expect=1) == [("hospital", 17)]
    grants = json.loads(users.user(*status, "--json").stdout)["grants"]
    assert [(one["provider"], one["portions"]) for one in grants] == [
        ("hospital", ["rest"]),
        ("clinic", None),
    ]
    # What was seen of seals is kept.
    assert len(User.open(users.folder / "doctor.user", "secret").seals) == 1

    shared = json.loads(users.owner("shared", "--json").stdout)["shared"]
    assert {one["provider"] for one in shared} == {"hospital"}
    said = users.owner("unshare", "doctor.public", "--out", "anew", *CLOUD)
    assert "closed to the user of doctor.public. In anew: 1 grant for who stays." in said.stdout
    [anew] = (users.folder / "anew").iterdir()
    assert anew.name.startswith(User.open(users.folder / "nurse.user", "secret").name.hex()[:16])
    users.user("user", "accept", f"anew/{anew.name}", "--keyring", "nurse.user")
    assert users.user("user", "accept", f"anew/{anew.name}", "--keyring", "doctor.user", expect=1)
    shared = json.loads(users.owner("shared", "--json").stdout)["shared"]
    assert [(one["records"], one["is_current"]) for one in shared] == [(1, True)]
    assert "contact, rest, files" in users.owner("shared").stdout
    # Given again, it tells the cloud and serves who stays again.
    users.owner("unshare", "doctor.public", "--out", "again", *CLOUD)
    assert len(list((users.folder / "again").iterdir())) == 1


def test_what_was_taken_back_by_a_copy_that_the_cloud_does_not_follow_is_named(users):
    users.new("doctor")
    users.share("owner", "doctor", "hospital")
    backup = (users.folder / "owner.keyring").read_bytes()
    more = "--to", "lab.keyring", *CLOUD
    arguments = "owner", "authorize", "lab", "--keyring", "owner.keyring", *more
    keys = [PASSWORDS["owner"], "new"]
    terminal.mopse_here(*arguments, folder=users.folder, keys=keys)
    (users.folder / "owner.keyring").write_bytes(backup)
    users.owner("unshare", "doctor.public", "--out", "anew")
    users.owner("revoke", "clinic")
    refused = users.owner("enroll", *CLOUD, expect=1).stderr
    name = User.open(users.folder / "doctor.user", "secret").name.hex()[:16]
    assert f"is undone, and to be done again: {name}, clinic" in refused or (
        f"is undone, and to be done again: clinic, {name}" in refused
    )
    users.owner("unshare", "doctor.public", "--out", "anew", *CLOUD)
    users.owner("revoke", "clinic", *CLOUD)
    assert json.loads(users.owner("shared", "--json").stdout)["shared"] == []


def test_what_is_wrong_changes_nothing(users):
    users.new("doctor")
    users.party("owner", "query", "age >= 40", "--out", "q.query")
    made = "user", "new", "--keyring"
    for arguments, code, why in [
        ((*made, "doctor.user", "--out", "x.public"), 1, "there is a file already"),
        ((*made, "x.user", "--out", "doctor.public"), 1, "there is a file already"),
        (("user", "accept", "q.query", "--keyring", "doctor.user"), 1, "q.query: "),
        (("user", "accept", "none.grant", "--keyring", "doctor.user"), 1, "none.grant"),
        (("user", "status", "--keyring", "owner.keyring"), 1, "is not a user's"),
        (("read", "q.query", *CLOUD), 2, "--grant and --schema"),
        (("read", "q.query", "--as", "doctor.user", "--grant", "g", *CLOUD), 2, "takes the place"),
        (("read", "q.query", "--as", "doctor.user", *CLOUD), 1, "nothing was granted by the owner"),
    ]:
        said = users.user(*arguments, expect=code)
        assert why in said.stderr, (arguments, said.stderr)
        assert said.stdout == ""
    for user in ("q.query", "none"):
        given = "grant", "hospital", "--user", user, "--out", "a"
        assert f"{user}" in users.party("owner", *given, expect=1).stderr
    refused = users.owner("unshare", "doctor.public", "--out", "anew", *CLOUD, expect=1)
    assert "nothing is shared with this user" in refused.stderr
    assert list((users.folder / "anew").iterdir()) == []
    assert not {"a", "x.user", "x.public"} & {one.name for one in users.folder.iterdir()}
    owner = Owner.open(users.folder / "owner.keyring", PASSWORDS["owner"])
    assert owner.shared.is_empty()
