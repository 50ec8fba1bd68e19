"""Commands that ask a service, over TLS and without it, and what they say where it is not so."""

import json
from pathlib import Path

import terminal
from service.serving import Served, pair
from terminal import PASSWORDS

from mopse import Cloud, Owner

SCHEMA = "[fields.age]\nlow = 0\nhigh = 120\nproof = true\n"
ACCEPT = "--accept-leakage", "age"


class Parties:
    """A folder with keyrings, and commands that are given in it for a service."""

    def __init__(self, folder: Path, url: str, certificate: Path | None = None) -> None:
        self.folder, self.url = folder, url
        self.trust = [] if certificate is None else ["--certificate", str(certificate)]
        (folder / "schema.toml").write_text(SCHEMA)
        (folder / "hospital.csv").write_text("record_id,age\n1,41\n2,70\n")

    def owner(self, *arguments, expect=0, to=None):
        """Give a command of the owner's."""
        keys = [PASSWORDS["owner"], *([] if to is None else [PASSWORDS[to]])]
        file = [] if to is None else ["--to", f"{to}.keyring"]
        where = ["--keyring", "owner.keyring", "--cloud", self.url, *self.trust, *file]
        given = ["owner", *arguments, *where]
        return terminal.mopse_here(*given, folder=self.folder, keys=keys, expect=expect)

    def party(self, name, *arguments, expect=0, url=None, trust=None):
        """Give a command as a party."""
        given = [*arguments, "--as", f"{name}.keyring", "--cloud", url or self.url]
        given += self.trust if trust is None else trust
        keys = [PASSWORDS[name]]
        return terminal.mopse_here(*given, folder=self.folder, keys=keys, expect=expect)

    def begin(self):
        """Have an owner authorise a provider, which sends a table."""
        self.owner("new", "--schema", "schema.toml")
        self.owner("authorize", "hospital", to="hospital")
        self.party("hospital", "encrypt", "hospital.csv", "--id", "record_id", *ACCEPT)


def test_commands_go_over_tls_and_trust_the_certificate_that_is_named(tmp_path):
    certificate, key = pair(tmp_path)
    other, _ = pair(tmp_path, "other")
    files = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with Served(tmp_path, *files) as served:
        parties = Parties(tmp_path, served.url, certificate)
        parties.begin()
        (tmp_path / "x.jpg").write_bytes(b"an image")
        parties.party("hospital", "attach", "1", "x.jpg", "--keyword", "x-ray")
        parties.party("hospital", "seal")
        asked = parties.party("owner", "ask", "age = 41", "--proof", "--json")
        assert len(json.loads(asked.stdout)["records"]) == 1
        found = json.loads(parties.party("owner", "find", "x-ray", "--json").stdout)
        [file] = found["files"]
        parties.party("owner", "fetch", file["file"], "--out", "y.jpg")
        assert (tmp_path / "y.jpg").read_bytes() == b"an image"
        for trust in ([], ["--certificate", str(other)]):
            said = parties.party("owner", "ask", "age = 41", trust=trust, expect=1).stderr
            assert "its certificate is not trusted" in said
            assert "certificate to trust" in said
        plain = served.url.replace("https:", "http:")
        said = parties.party("owner", "ask", "age = 41", url=plain, trust=[], expect=1).stderr
        assert f"{plain} cannot be asked: it speaks TLS, which is asked by https://" in said
        said = parties.party("owner", "ask", "age = 41", url=plain, expect=1).stderr
        assert "certificate is of an https:// address" in said
        said = parties.party(
            "owner", "ask", "age = 41", trust=["--certificate", "none.pem"], expect=1
        ).stderr
        assert "none.pem" in said
        assert served.stop() == 0


def test_https_against_a_plain_service_says_so(tmp_path):
    certificate, _ = pair(tmp_path)
    with Served(tmp_path) as served:
        parties = Parties(tmp_path, served.url)
        parties.begin()
        secured, trust = served.url.replace("http:", "https:"), ["--certificate", str(certificate)]
        said = parties.party("owner", "ask", "age = 41", url=secured, trust=trust, expect=1)
        assert "it does not speak TLS" in said.stderr


def test_a_certificate_is_of_no_file(tmp_path):
    parties = Parties(tmp_path, str(tmp_path / "phr.duckdb"))
    parties.begin()
    trust = ["--certificate", "schema.toml"]
    for command in (["ask", "age = 41"], ["status"]):
        said = parties.party("owner", *command, trust=trust, expect=1).stderr
        assert "certificate is of a service" in said


def test_status_tells_what_a_service_tells(tmp_path):
    with Served(tmp_path) as served:
        parties = Parties(tmp_path, served.url)
        said = terminal.mopse_here("status", "--cloud", served.url, folder=tmp_path).stdout
        assert said == f"Cloud({served.url!r})\nHealth: ok\n"
        parties.begin()
        (tmp_path / "x.jpg").write_bytes(b"an image")
        parties.party("hospital", "attach", "1", "x.jpg")
        status = json.loads(parties.party("hospital", "status", "--json").stdout)
        assert (status["health"], status["at_cloud"]) == ("ok", "it has missed nothing")
        assert (status["joined"], status["left"], status["attached"]) == ([], [], 1)
        before = (tmp_path / "owner.keyring").read_bytes()
        parties.owner("authorize", "clinic", to="clinic")
        (tmp_path / "owner.keyring").write_bytes(before)
        status = json.loads(parties.party("owner", "status", "--json").stdout)
        assert (status["providers"], status["joined"]) == (["hospital"], ["clinic"])
        assert "attached" not in status
        shown = parties.party("owner", "status").stdout
        assert "Authorised meanwhile: clinic\n" in shown
        assert "Revoked meanwhile" not in shown
        assert served.stop() == 0
    said = terminal.mopse_here("status", "--cloud", served.url, folder=tmp_path, expect=1).stderr
    assert f"the cloud at {served.url} cannot be asked" in said


def test_a_service_serves_the_owners_who_are_named_and_nobody_else(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
        (folder / "schema.toml").write_text(SCHEMA)
        new = "owner", "new", "--schema", "schema.toml", "--keyring", "owner.keyring"
        terminal.mopse_here(*new, folder=folder, keys=[PASSWORDS["owner"]])
    told = "owner", "key", "--keyring", "owner.keyring"
    said = terminal.mopse_here(*told, folder=mine, keys=[PASSWORDS["owner"]]).stdout
    (tmp_path / "owner.key").write_text(f"# ours\n{said}\n")
    store = str(tmp_path / "phr.duckdb")
    for named in (str(tmp_path / "owner.key"), said.strip(), said.strip().upper()):
        with Served(tmp_path, "--enroll-only", named, store=store) as served:
            parties = Parties(mine, served.url)
            parties.owner("enroll")
            assert json.loads(parties.party("owner", "status", "--json").stdout)["health"] == "ok"
            stranger = Parties(other, served.url)
            refused = stranger.owner("enroll", expect=1).stderr
            assert "the service does not serve this owner" in refused
            assert served.stop() == 0
    with Cloud(store) as cloud:  # who was enrolled before is not served either
        cloud.enroll(Owner.open(other / "owner.keyring", PASSWORDS["owner"]).public)
    with Served(tmp_path, "--enroll-only", named, store=store) as served:
        stranger = Parties(other, served.url)
        for command in (["ask", "age = 4"], ["count", "age = 4"], ["find", "x"]):
            refused = stranger.party("owner", *command, expect=1).stderr
            assert "the service does not serve this owner" in refused
        status = json.loads(stranger.party("owner", "status", "--json").stdout)
        assert "does not serve this owner" in status["at_cloud"]
        statuses = {line["status"] for line in served.lines() if line["outcome"] == "ScopeError"}
        assert statuses == {403}


def test_what_names_no_owner_is_refused(tmp_path):
    (tmp_path / "none.key").write_text("# nobody\n")
    (tmp_path / "half.key").write_text("ab" * 31)
    (tmp_path / "noise.key").write_bytes(b"\xff\x00")
    for named in ("none.key", "half.key", "noise.key", "missing.key", "ab" * 31):
        given = "serve", "--listen", "127.0.0.1:0", "--enroll-only", named
        assert named in terminal.mopse_here(*given, folder=tmp_path, expect=1).stderr
