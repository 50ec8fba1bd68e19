"""The audit log of a service, read and held to it by commands."""

import hashlib
import json
import struct

import terminal
from cli.test_services import Parties
from service.serving import Served

from mopse import sharing

LOG = "audit.log"


def serving(folder):
    return Served(folder, "--audit-log", str(folder / LOG), store=str(folder / "phr.duckdb"))


def test_parties_read_the_log_of_a_service_and_find_out_that_it_was_rewritten(tmp_path):
    with serving(tmp_path) as served:
        parties = Parties(tmp_path, served.url)
        parties.begin()
        parties.party("owner", "ask", "age = 41")
        parties.party("hospital", "count", "age >= 40")
        (tmp_path / "doctor.grant").write_bytes(b"a sealed grant")
        state = "audit", "state", "grant", "doctor.grant"
        assert "there was a grant" in parties.party("owner", *state).stdout
        read = parties.party("owner", "audit", "read", "--json")
        assert "nothing was seen before" in read.stderr
        told = json.loads(read.stdout)
        whats = [(one["what"], one["who"], one["amount"]) for one in told["entries"]]
        assert whats == [
            ("enrolment", "the owner", 1),
            ("enrolment", "the owner", 1),
            ("notes", "hospital", 0),  # the command catches up first,
            ("search", "hospital", 0),  # and looks up what is there
            ("upload", "hospital", 2),
            ("search", "the owner", 1),
            ("count", "hospital", 2),
            ("grant", "the owner", 0),
        ]
        assert told["entries"][-1]["digest"] == hashlib.sha256(b"a sealed grant").hexdigest()
        shown = parties.party("owner", "audit", "read", "--start", "6").stdout
        assert "hospital" in shown
        assert "upload" not in shown
        refused = parties.party("hospital", "audit", "read", expect=1)
        assert "entries are for the owner" in refused.stderr
        assert "kept in" not in refused.stderr
        parties.party("hospital", "audit", "watch", "--out", "hospital.checkpoint")
        compared = parties.party("owner", "audit", "watch", "--other", "hospital.checkpoint")
        assert "what was seen here and by 1 other" in compared.stdout
        wrong = parties.party("owner", "audit", "watch", "--identity", "00" * 32, expect=1)
        assert "another identity" in wrong.stderr
        wrong = parties.party("owner", "audit", "watch", "--identity", "abc", expect=1)
        assert "64 hexadecimal digits" in wrong.stderr
        assert served.stop() == 0

    check = "audit", "check", LOG
    kept = "--witness", "owner.keyring.witness", "--witness", "hospital.checkpoint"
    told = json.loads(terminal.mopse_here(*check, *kept, "--json", folder=tmp_path).stdout)
    assert list(told["owners"].values()) == [8]

    # Whoever has the machine leaves out that the hospital counted, and makes the rest fit.
    content = (tmp_path / LOG).read_bytes()
    entries, at = [], 41
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        entries.append(content[at + 4 : at + 4 + length])
        at += 4 + length
    link, made = bytes(32), content[:41]
    for number, entry in enumerate(one for one in entries if one[80] != 7):
        changed = entry[:32] + struct.pack("<Q", number) + link + entry[72:]
        link = hashlib.sha256(b"\0" + changed).digest()
        made += struct.pack("<I", len(changed)) + changed
    (tmp_path / LOG).write_bytes(made)
    assert "compared with nothing" in terminal.mopse_here(*check, folder=tmp_path).stderr
    assert (
        "entries were removed"
        in terminal.mopse_here(*check, *kept, folder=tmp_path, expect=1).stderr
    )
    with serving(tmp_path) as served:
        parties = Parties(tmp_path, served.url)
        parties.party("owner", "ask", "age = 41")  # so that there are as many again
        for party in ("owner", "hospital"):
            found = parties.party(party, "audit", "watch", expect=1)
            assert "the cloud shows two logs" in found.stderr
        found = parties.party("owner", "audit", "read", expect=1)
        assert "the cloud shows two logs" in found.stderr
        parties.party("owner", "ask", "age = 41")
        found = parties.party("owner", "audit", "read", expect=1)
        assert "the log was rewritten" in found.stderr
    # What was seen before is kept.
    assert sharing.Witness.open(tmp_path / "owner.keyring.witness").last.size == 8


def test_a_service_without_a_log_says_so(tmp_path):
    with Served(tmp_path) as served:
        parties = Parties(tmp_path, served.url)
        parties.begin()
        found = parties.party("owner", "audit", "read", expect=1)
        assert "the cloud keeps no audit log" in found.stderr
        (tmp_path / "a").write_bytes(b"")
        found = parties.party("owner", "audit", "state", "grant", "a", expect=1)
        assert "the cloud keeps no audit log" in found.stderr
    assert not (tmp_path / "owner.keyring.witness").exists()


def test_a_service_that_was_killed_has_what_it_acknowledged(tmp_path):
    with serving(tmp_path) as served:
        parties = Parties(tmp_path, served.url)
        parties.begin()
        served.kill()
    with serving(tmp_path) as served:
        parties = Parties(tmp_path, served.url)
        told = json.loads(parties.party("owner", "audit", "read", "--json").stdout)
        assert [one["what"] for one in told["entries"]] == [
            *("enrolment", "enrolment", "notes", "search", "upload")
        ]
        lines = served.lines()
        assert [(one["call"], one["message"]) for one in lines if one["call"] == "audit"] == [
            ("audit", "audit request")
        ]
