"""Users with keys of their own at the command line: made, given grants, and left out."""

import json
import shlex
import stat
import time

import pytest
import terminal
from cli.test_grants import README, Readers
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
        grant = f"{len(list(self.folder.glob('*.grant')))}.grant"
        self.party(party, "grant", *more, "--user", f"{name}.public", "--out", grant)
        self.user("user", "accept", grant, "--keyring", f"{name}.user")

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


def test_a_folder_of_grants_is_accepted_as_far_as_it_is_for_a_user(users):
    for name in ("doctor", "nurse", "leaver"):
        users.new(name)
        users.share("owner", name, "hospital")
    users.owner("unshare", "leaver.public", "--out", "anew", *CLOUD)
    files = sorted(f"anew/{path.name}" for path in (users.folder / "anew").iterdir())
    doctor = User.open(users.folder / "doctor.user", "secret").name.hex()[:16]
    [of_nurse] = [file for file in files if doctor not in file]
    given = "user", "accept", *files, "--keyring", "doctor.user"
    said = users.user(*given)
    assert said.stdout == "1 file taken; doctor.user has 1 grant.\n"
    assert said.stderr == f"mopse: {of_nurse}: the sealed grant is for another user\n"
    assert len(User.open(users.folder / "doctor.user", "secret").granted) == 2
    assert json.loads(users.user(*given, "--json").stdout) == {
        "accepted": 1,
        "of_others": 1,
        "refused": [],
        "grants": 1,
        "rights": 0,
    }
    # What is for nobody here, and what is no grant, is no success, and takes nothing along.
    said = users.user("user", "accept", *files, "--keyring", "leaver.user", expect=1)
    assert said.stderr.endswith("no grant is for the user of leaver.user\n")
    assert said.stdout == ""
    given = "user", "accept", "schema.toml", "none", *files, files[0], "--keyring", "nurse.user"
    said = users.user(*given, expect=1)
    assert said.stdout == "1 file taken; nurse.user has 1 grant.\n"
    lines = said.stderr.splitlines()
    assert [("schema.toml: " in line, "'none'" in line) for line in lines] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    users.party("owner", "query", "age >= 40", "--out", "q.query", *CLOUD)
    assert users.found("nurse", "--report", expect=1) == [("hospital", 17), ("hospital", 23)]


def test_what_has_ended_or_was_given_again_is_counted_and_shown_on_demand(users, monkeypatch):
    users.new("doctor")
    users.new("leaver")
    users.share("owner", "doctor", "hospital", "--portion", "rest")
    users.share("hospital", "doctor", "--id", "17", "--expires-in", "2")
    users.share("owner", "leaver", "hospital")
    users.owner("unshare", "leaver.public", "--out", "anew", *CLOUD)
    [anew] = (users.folder / "anew").iterdir()
    users.user("user", "accept", f"anew/{anew.name}", "--keyring", "doctor.user")

    def status(*more):
        said = users.user("user", "status", "--keyring", "doctor.user", "--json", *more)
        document = json.loads(said.stdout)
        shown = [(one["provider"], one["records"], one["portions"]) for one in document["grants"]]
        return sorted(shown, key=str), document["left_out"], said.stderr

    one, some = ("hospital", 1, ["contact", "files", "rest"]), ("hospital", None, ["rest"])
    note = "mopse: {} ended or given again: --all shows them too\n"
    assert status() == (sorted([one, some], key=str), 1, note.format("1 grant"))
    shown, left_out, said = status("--all")
    assert (shown, left_out, said) == (sorted([one, some, some], key=str), 0, "")
    now = time.time() + 3 * 86_400
    monkeypatch.setattr(time, "time", lambda: now)
    assert status() == ([some], 2, note.format("2 grants"))
    users.user("user", "status", "--keyring", "leaver.user")


def test_a_query_from_before_somebody_left_is_refused_with_what_a_user_can_do(users):
    for name in ("doctor", "leaver"):
        users.new(name)
        users.share("owner", name, "hospital")
    users.party("owner", "query", "age >= 40", "--out", "q.query")
    asked = "read", "q.query", "--as", "doctor.user", *CLOUD
    users.owner("unshare", "leaver.public", "--out", "anew", *CLOUD)
    refused = users.user(*asked, expect=1).stderr
    assert refused.startswith("mopse: q.query: the query is older than what was announced")
    assert refused.endswith(": ask whoever made it for a new one\n")
    assert "keyring" not in refused


def test_an_expired_query_is_refused_with_what_a_user_can_do(users, monkeypatch):
    users.new("doctor")
    users.share("owner", "doctor", "hospital")
    users.party("owner", "query", "age >= 40", "--out", "q.query")
    now = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: now)
    refused = users.user("read", "q.query", "--as", "doctor.user", *CLOUD, expect=1).stderr
    assert refused == "mopse: q.query: the query has expired: ask whoever made it for a new one\n"


def test_users_compare_the_seals_that_they_have_seen(users):
    for name in ("doctor", "nurse"):
        users.new(name)
        users.share("owner", name, "hospital")
        users.share("owner", name, "clinic")
    users.party("owner", "query", "age >= 40", "--out", "q.query")

    def compared(one, other, expect=0):
        keys = [PASSWORDS.get(name.partition(".")[0], "secret") for name in (one, other)]
        given = "compare", "--as", one, "--with", other, "--json"
        said = terminal.mopse_here(*given, folder=users.folder, keys=keys, expect=expect)
        return json.loads(said.stdout)["seals"]

    assert compared("doctor.user", "owner.keyring", expect=3) == {}
    for name in ("doctor", "nurse"):
        users.found(name, "--proof")
    seals = {"clinic": 1, "hospital": 1}
    assert compared("doctor.user", "nurse.user") == seals
    assert compared("doctor.user", "hospital.keyring") == {"hospital": 1}
    assert compared("hospital.keyring", "doctor.user") == {"hospital": 1}
    users.party("owner", "ask", "age >= 40", "--proof", *CLOUD)
    assert compared("owner.keyring", "doctor.user") == seals


def test_a_user_is_shown_two_histories(users):
    users.new("doctor")
    users.share("owner", "doctor", "hospital")
    users.party("owner", "query", "age >= 40", "--out", "q.query")
    backup = (users.folder / "phr.duckdb").read_bytes()
    saved = (users.folder / "hospital.keyring").read_bytes()
    ledger = (users.folder / "hospital.keyring.ledger").read_bytes()
    users.party("hospital", "delete", "17", *CLOUD)
    users.party("hospital", "seal", *CLOUD)
    users.party("owner", "ask", "age >= 40", "--proof", *CLOUD)
    (users.folder / "phr.duckdb").write_bytes(backup)
    (users.folder / "hospital.keyring").write_bytes(saved)
    (users.folder / "hospital.keyring.ledger").write_bytes(ledger)
    users.party("hospital", "delete", "23", *CLOUD)
    users.party("hospital", "seal", *CLOUD)
    users.share("owner", "doctor", "clinic")
    users.found("doctor", "--proof")
    given = "compare", "--as", "doctor.user", "--with", "owner.keyring"
    keys = ["secret", PASSWORDS["owner"]]
    said = terminal.mopse_here(*given, folder=users.folder, keys=keys, expect=1)
    assert "two histories were shown of ['hospital']" in said.stderr


def test_the_readme_tells_of_a_user(users):
    (users.folder / "image.jpg").write_bytes(b"image")
    users.party("hospital", "attach", "17", "image.jpg", "--keyword", "pneumonia", *CLOUD)
    users.party("hospital", "seal", *CLOUD)
    users.party("owner", "query", "age >= 40 and sbp >= 130", "--out", "ages.query")
    section = README.read_text("utf-8").partition("## From the command line\n")[2]
    said = {}
    for line in section.split("```sh\n")[3].partition("```")[0].splitlines():
        _, *words = shlex.split(line, comments=True)
        # What was given is of one of the providers.
        more = ["--report"] if words[0] == "read" else []
        keys = [PASSWORDS["owner"] if "owner.keyring" in words else "secret"]
        given = *words, *more
        expect = 1 if more else 0
        done = terminal.mopse_here(*given, folder=users.folder, keys=keys, expect=expect)
        said[" ".join(words[:2])] = done.stdout
    assert "hospital" in said["user status"]
    assert "17   41  150  Ann   hospital" in said["read ages.query"]
    assert "image.jpg" in said["find --request"]
    assert "is closed to the user" in said["owner unshare"]


def test_a_user_searches_by_itself_within_its_right(users):
    users.new("doctor")
    given = "delegate", "age >= 40 and age <= 60", "--user", "doctor.public", "--out", "d.right"
    users.party("owner", *given)
    users.share("owner", "doctor", "hospital")
    users.share("owner", "doctor", "clinic")
    said = users.user("user", "accept", "d.right", "--keyring", "doctor.user").stdout
    assert said.endswith("and 1 right to search.\n")
    [right] = json.loads(users.user("user", "status", "--keyring", "doctor.user", "--json").stdout)[
        "rights"
    ]
    assert (right["field"], right["lowest"], right["highest"]) == ("age", "40", "60")
    [told] = json.loads(users.owner("shared", "--json").stdout)["rights"]
    assert (told["right"], told["is_current"]) == (right["right"], True)
    read = "--as", "doctor.user", *CLOUD
    found = json.loads(users.user("read", "--ask", "age >= 45", *read, "--json").stdout)["records"]
    assert sorted((one["provider"], one["id"]) for one in found) == [("clinic", 1)]
    for arguments, code, why in [
        (("read", "--ask", "age >= 30", *read), 1, "outside"),
        (("read", "--ask", "sbp >= 100", *read), 1, "no range of field"),
        (("read", "--ask", "age >= 45", "--right", "0" * 32, *read), 1, "no right to search"),
        (("read", *read), 2, "a query is needed"),
        (("read", "x.query", "--ask", "age = 45", *read), 2, "a query is needed"),
        (("read", "x.query", "--right", "0" * 32, *read), 2, "goes with --ask"),
        (("read", "--ask", "age = 45", *CLOUD), 2, "takes a user with keys"),
    ]:
        assert why in users.user(*arguments, expect=code).stderr, arguments
    users.owner("unshare", "doctor.public", "--out", "anew", *CLOUD)
    assert json.loads(users.owner("shared", "--json").stdout) == {
        "shared": [],
        "rights": [],
        "barred": [],
    }
    assert "given anew" in users.user("read", "--ask", "age >= 45", *read, expect=1).stderr


def test_a_suspension_is_lifted_and_a_revocation_is_not(users):
    for name in ("doctor", "nurse"):
        users.new(name)
        users.share("owner", name, "hospital")
    given = "doctor.public", "--out"
    said = users.owner("suspend", *given, "anew", *CLOUD)
    assert "closed to the user of doctor.public until it is reinstated." in said.stdout
    assert "In anew: 1 grant for who stays." in said.stdout
    barred = json.loads(users.owner("shared", "--json").stdout)["barred"]
    assert [one["status"] for one in barred] == ["suspended"]
    assert "suspended" in users.owner("shared").stdout
    told = "mopse: this user is suspended: reinstate it first"
    sealed = "--user", "doctor.public", "--out", "late.grant"
    assert told in users.party("owner", "grant", "clinic", *sealed, expect=1).stderr
    said = users.owner("reinstate", *given, "back", *CLOUD)
    assert "suspended no more: 1 grant in back." in said.stdout
    grants = [f"back/{path.name}" for path in (users.folder / "back").iterdir()]
    users.user("user", "accept", *grants, "--keyring", "doctor.user")
    assert json.loads(users.owner("shared", "--json").stdout)["barred"] == []
    again = users.owner("reinstate", *given, "again")  # as where the files got lost
    assert "1 grant in again." in again.stdout

    said = users.owner("unshare", *given, "last", "--for-good", "--json", *CLOUD)
    assert len(json.loads(said.stdout)["grants"]) == 1
    for again in (("grant", "clinic", *sealed), ("delegate", "age > 1", *sealed)):
        assert "this user was revoked" in users.party("owner", *again, expect=1).stderr


def test_a_team_is_given_the_same(users):
    for name in ("doctor", "nurse"):
        users.new(name)

    def team(*arguments, expect=0):
        given = "team", *arguments, "--keyring", "owner.keyring"
        keys = [PASSWORDS["owner"]]
        return terminal.mopse_here(*given, folder=users.folder, keys=keys, expect=expect)

    def accept(name, folder):
        grants = [f"{folder}/{path.name}" for path in (users.folder / folder).iterdir()]
        users.user("user", "accept", *grants, "--keyring", f"{name}.user")

    assert "There is a team night." in team("form", "night", "--speciality", "cardiology").stdout
    join = "join", "night", "doctor.public", "--out", "joined"
    assert "is in team night." in team(*join).stdout, "nothing is shared with it yet"
    said = team("share", "night", "hospital", "--portion", "rest", "--out", "shared")
    assert "Team night is given records of hospital: 1 grant in shared." in said.stdout
    accept("doctor", "shared")
    team("join", "night", "nurse.public", "--out", "joined")
    accept("nurse", "joined")
    users.party("owner", "query", "age >= 40", "--out", "q.query")
    records = [("hospital", 17), ("hospital", 23)]
    for name in ("doctor", "nurse"):
        assert users.found(name, "--report", expect=1) == records
    [listed] = json.loads(team("list", "--json").stdout)["teams"]
    assert (listed["team"], listed["speciality"], len(listed["members"])) == (
        "night",
        "cardiology",
        2,
    )
    assert User.open(users.folder / "nurse.user", "secret").name.hex()[:16] in team("list").stdout
    team("share", "night", "clinic", "--id", "1", "--out", "more")
    said = team("leave", "night", "doctor.public", "--out", "left", *CLOUD)
    assert "has left team night: 2 grants in left." in said.stdout
    assert "Team night is disbanded." in team("disband", "night", "--out", "left", *CLOUD).stdout
    assert json.loads(team("list", "--json").stdout)["teams"] == []
    refused = team("join", "day", "doctor.public", "--out", "joined", expect=1)
    assert "mopse: there is no team 'day'" in refused.stderr
