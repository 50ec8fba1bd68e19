"""The story of the README told by processes of the command, and what each does when it cannot."""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import terminal
from stores.server import postgres
from terminal import PASSWORDS, passwords

from mopse import Cloud, Field, Owner, Provider, Schema
from mopse.cli import main

SCHEMA = """
[fields.age]
low = 0
high = 120
proof = true

[fields.sbp]
low = 60
high = 260
proof = true
"""
HOSPITAL = "record_id,age,sbp,name\n1,41,150,Ann\n2,70,120,Bob\n3,55,,Cy\n4,60,140,\u202eDan\n"
CLINIC = "record_id,age,sbp,name\n1,40,160,Eve\n9,30,150,Fay\n"
QUERY = "age>=40 and age<=60 and sbp>=140"
SEED = 20261129
README = Path(__file__).parents[3] / "README.md"


class Scene:
    """A folder with the files of the story, and the command run in it by each party.

    Commands run in this process, which takes a third of the time, unless they are to be `apart`.
    """

    def __init__(self, folder, *, cloud: str = "phr.duckdb", apart: bool = False) -> None:
        self.folder, self.said, self._cloud, self._is_apart = folder, "", cloud, apart
        (folder / "schema.toml").write_text(SCHEMA)
        (folder / "hospital.csv").write_text(HOSPITAL)
        (folder / "clinic.csv").write_text(CLINIC)
        (folder / "chest.jpg").write_bytes(b"\xff\xd8 an image")

    def run(self, *arguments, keys=(), expect=0, **more):
        """Run a command, and keep what it says."""
        run = terminal.mopse if self._is_apart or more else terminal.mopse_here
        done = run(*arguments, folder=self.folder, keys=keys, expect=expect, **more)
        self.said += done.stdout + done.stderr
        return done

    def owner(self, *arguments, to=None, expect=0):
        """Run a command of the owner's, that may write the keyring of somebody."""
        keys = [PASSWORDS["owner"], *([] if to is None else [PASSWORDS[to]])]
        file = [] if to is None else ["--to", f"{to}.keyring"]
        where = "--keyring", "owner.keyring", "--cloud", self._cloud, *file
        return self.run("owner", *arguments, *where, keys=keys, expect=expect)

    def party(self, name, *arguments, expect=0, **more):
        """Run a command as a party, at the cloud."""
        where = "--as", f"{name}.keyring", "--cloud", self._cloud
        return self.run(*arguments, *where, keys=[PASSWORDS[name]], expect=expect, **more)

    def found(self, name, *arguments):
        """Return the document that a command prints."""
        return json.loads(self.party(name, *arguments, "--json").stdout)

    def ids(self, name, query=QUERY, *more):
        """Return provider and id of each record that a party finds."""
        records = self.found(name, "ask", query, *more)["records"]
        return sorted((one["provider"], one["record_id"]) for one in records)

    def begin(self):
        """Have an owner authorise two providers."""
        self.owner("new", "--schema", "schema.toml")
        for name in ("hospital", "clinic"):
            self.owner("authorize", name, to=name)

    def encrypt(self, name, *more, expect=0):
        """Have a provider send its table, whatever leaks."""
        accept = "--accept-leakage", "age", "--accept-leakage", "sbp"
        return self.party(
            name, "encrypt", f"{name}.csv", "--id", "record_id", *accept, *more, expect=expect
        )


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def test_the_whole_story_of_processes(tmp_path):
    scene = Scene(tmp_path, apart=True)
    scene.begin()
    assert scene.encrypt("hospital").stdout == "hospital: 4 records added.\n"
    assert scene.encrypt("clinic").stdout == "clinic: 2 records added.\n"

    asked = scene.party("owner", "ask", QUERY)
    assert asked.stdout.splitlines()[:2] == [
        "record_id  age  sbp  name         provider",
        "---------  ---  ---  -----------  --------",
    ]
    assert sorted(asked.stdout.splitlines()[2:]) == [
        "        1   40  160  Eve          clinic",
        "        1   41  150  Ann          hospital",
        "        4   60  140  \\u{202e}Dan  hospital",
    ]
    assert asked.stderr == "mopse: 3 records\n"
    assert scene.ids("hospital", "40 <= age <= 60") == [("hospital", n) for n in (1, 3, 4)]
    nothing = scene.party("owner", "ask", "age > 100", "--json", expect=3)
    assert json.loads(nothing.stdout) == {"records": []}

    for name in ("hospital", "clinic"):
        assert scene.party(name, "seal").stdout == f"{name}: sealed, number 1.\n"
    proven = scene.found("owner", "ask", QUERY, "--proof", "--max-age", "2")
    assert proven["seals"] == {"clinic": 1, "hospital": 1}
    assert proven["unsealed"] == {}
    assert len(proven["records"]) == 3

    words = "--keyword", "pneumonia", "--keyword", "0171 234"
    sent = scene.found("hospital", "attach", "1", "chest.jpg", *words)
    [file] = scene.found("owner", "find", "PNEUMONIA", "0171  234")["files"]
    assert file["file"] == sent["file"]
    assert (file["name"], file["media_type"]) == ("chest.jpg", "image/jpeg")
    scene.party("owner", "find", "broken leg", expect=3)
    scene.party("owner", "find", "pneumonia", "--proof", expect=1)  # it came after the seal
    scene.party("hospital", "seal")
    scene.party("owner", "find", "pneumonia", "--proof")
    scene.party("owner", "fetch", file["file"], "--proof", "--out", "copy.jpg")
    assert (scene.folder / "copy.jpg").read_bytes() == b"\xff\xd8 an image"
    fetch = "fetch", file["file"], "--out", "copy.jpg"
    assert "there is a file already, and --replace" in scene.party("owner", *fetch, expect=1).stderr
    scene.party("owner", *fetch, "--replace")

    (scene.folder / "clinic.csv").write_text("record_id,age,sbp,name\n9,45,145,Fay\n")
    assert scene.encrypt("clinic", "--update").stdout == "clinic: 1 record replaced.\n"
    assert scene.party("hospital", "delete", "2", "4").stdout == "hospital: 2 records deleted.\n"
    assert scene.ids("owner") == [("clinic", 1), ("clinic", 9), ("hospital", 1)]
    late = scene.found("owner", "ask", "age >= 0", "--proof")["unsealed"]
    assert late == {"clinic": 1}
    said = scene.party("owner", "ask", "age >= 0", "--proof").stderr
    assert "records of the answer that came after the seals: clinic 1; others" in said

    said = scene.owner("revoke", "clinic", "--remove").stdout
    assert said == "clinic is revoked. These need new keyrings: hospital.\n"
    scene.owner("revoke", "clinic", "--remove")  # as if the first had been interrupted
    assert "has left" in scene.encrypt("clinic", "--update", expect=1).stderr
    status = scene.found("hospital", "status")
    assert status["at_cloud"] == "its group has left its epoch: it must be authorised again"
    scene.owner("authorize", "hospital", "--replace", to="hospital")
    assert scene.party("hospital", "renew").stdout == "hospital: 2 records renewed.\n"
    scene.party("hospital", "seal", "--from-cloud")
    assert scene.ids("owner", QUERY, "--proof") == [("hospital", 1)]
    status = scene.found("owner", "status")
    assert status["at_cloud"] == "it has missed nothing"
    assert [(one["provider"], one["records"]) for one in status["stored"]] == [("hospital", 2)]

    owner = Owner.open(scene.folder / "owner.keyring", PASSWORDS["owner"])
    for secret in (*PASSWORDS.values(), owner.key.hex(), repr(owner.key)[2:-1]):
        assert secret not in scene.said


def test_the_readme_tells_a_story_that_runs(scene):
    section = README.read_text("utf-8").partition("## From the command line\n")[2]
    (scene.folder / "schema.toml").write_text(section.partition("```toml\n")[2].partition("```")[0])
    rows = {"record_id": [17, 23], "age": [41, 70], "sbp": [150, 120]}
    pl.DataFrame(rows).write_csv(scene.folder / "admissions.csv")
    pl.DataFrame({**rows, "age": [30, 60]}).write_parquet(scene.folder / "visits.parquet")
    pl.DataFrame({**rows, "sbp": [140, 121]}).write_csv(scene.folder / "corrected.csv")
    number = ""
    for line in section.partition("```sh\n")[2].partition("```")[0].splitlines():
        _, *words = shlex.split(line.replace("$NUMBER", number)) or [""]
        if words:
            at = next(n for n, word in enumerate(words) if word in ("--as", "--keyring"))
            new = words[words.index("--to") + 1] if words[1] == "authorize" else None
            keyrings = [words[at + 1], *([new] if new else [])]
            said = scene.run(*words, keys=[PASSWORDS[one.partition(".")[0]] for one in keyrings])
            found = re.search("[0-9a-f]{32}  [0-9a-f]{32}", said.stdout)
            number = found.group()[-32:] if found else number
            if words[0] == "ask":
                assert said.stdout.splitlines()[2:] == ["       17   41  150  hospital"]
    assert (scene.folder / "found.jpg").read_bytes() == b"\xff\xd8 an image"
    assert scene.ids("owner", "age >= 0") == [("hospital", 17)]


def test_an_owner_may_do_without_a_cloud_and_tell_it_later(scene):
    keyring, keys = ["--keyring", "owner.keyring"], [PASSWORDS["owner"]]
    scene.run("owner", "new", "--schema", "schema.toml", *keyring, keys=keys)
    to = ["--to", "hospital.keyring"]
    said = scene.run(
        "owner", "authorize", "hospital", *keyring, *to, keys=[*keys, PASSWORDS["hospital"]]
    )
    assert "no cloud was told" in said.stderr
    assert "there is no such cloud: 'phr.duckdb'" in scene.encrypt("hospital", expect=1).stderr
    scene.owner("enroll")
    scene.encrypt("hospital")
    assert len(scene.ids("owner")) == 2


def test_a_copy_of_the_owners_keyring_catches_up_before_it_changes_anything(scene):
    scene.owner("new", "--schema", "schema.toml")
    before = (scene.folder / "owner.keyring").read_bytes()
    scene.owner("authorize", "hospital", to="hospital")
    (scene.folder / "owner.keyring").write_bytes(before)
    scene.owner("authorize", "clinic", to="clinic")
    assert scene.found("owner", "status")["providers"] == ["clinic", "hospital"]
    for name in ("hospital", "clinic"):
        scene.encrypt(name)
    assert len(scene.ids("owner")) == 3


def test_a_keyring_that_has_missed_somebody_catches_up_and_is_saved(scene):
    scene.begin()
    scene.encrypt("hospital")
    scene.owner("authorize", "ward", "--under", "hospital", to="ward")
    before = Provider.open(scene.folder / "hospital.keyring", PASSWORDS["hospital"])
    assert before.providers == []
    assert len(scene.ids("hospital")) == 2
    after = Provider.open(scene.folder / "hospital.keyring", PASSWORDS["hospital"])
    assert after.providers == ["hospital/ward"]
    assert scene.found("hospital", "status")["at_cloud"] == "it has missed nothing"


def test_an_attachment_of_an_older_copy_of_a_keyring_is_found(scene):
    scene.begin()
    keyring = scene.folder / "hospital.keyring"
    before = keyring.read_bytes()
    for number in range(2):
        keyring.write_bytes(before)
        words = "--unchecked", "--keyword", "x-ray"
        scene.party("hospital", "attach", str(number), "chest.jpg", *words)
    assert len(scene.found("owner", "find", "x-ray")["files"]) == 2


def test_a_cloud_may_be_a_database(tmp_path):
    scene = Scene(tmp_path, cloud=postgres().database())
    scene.begin()
    for name in ("hospital", "clinic"):
        scene.encrypt(name)
        scene.party(name, "seal")
    assert len(scene.ids("owner", QUERY, "--proof")) == 3
    stored = scene.found("owner", "status")["stored"]
    assert [one["records"] for one in stored] == [2, 4]


def test_a_file_that_another_process_has_open_is_named_and_waited_for(scene):
    scene.begin()
    scene.encrypt("hospital")
    open_it = "import mopse, sys\nwith mopse.Cloud(sys.argv[1]):\n    print('open', flush=True)\n"
    open_it += "    input()"
    command = [sys.executable, "-c", open_it, str(scene.folder / "phr.duckdb")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout.readline() == "open\n"
        for seconds in ("0", "0.1"):
            said = scene.party("owner", "ask", "age>1", "--wait", seconds, expect=1).stderr
            assert f"open in another process, and was for {seconds} seconds; --wait" in said
            assert "'phr.duckdb'" in said
        scene.run("store", "check", "phr.duckdb", "--wait", "0", expect=1)
        where = "--as", "owner.keyring", "--cloud", "phr.duckdb", "--wait", "60"
        asking = terminal.started(
            *("ask", "age>1", *where), folder=scene.folder, keys=[PASSWORDS["owner"]]
        )
        assert asking.stderr.readline() == "mopse: phr.duckdb is open in another process; waiting\n"
        holder.communicate("\n")
        out, err = asking.communicate(timeout=60)
    assert asking.returncode == 0
    assert len(out.splitlines()) == 6
    assert err == "mopse: 4 records\n"


def test_a_provider_finds_a_cloud_that_goes_back_before_its_last_seal(scene):
    scene.begin()
    scene.encrypt("hospital")
    assert "number 1" in scene.party("hospital", "seal").stdout
    old = (scene.folder / "phr.duckdb").read_bytes()
    scene.party("hospital", "delete", "1")
    assert "number 2" in scene.party("hospital", "seal").stdout
    assert "hospital 2" in scene.party("hospital", "ask", "age=70", "--proof").stderr
    scene.party("hospital", "delete", "2")
    assert "number 3" in scene.party("hospital", "seal").stdout
    (scene.folder / "phr.duckdb").write_bytes(old)
    for command in (["ask", "age=70", "--proof"], ["seal"], ["seal", "--from-cloud"]):
        said = scene.party("hospital", *command, expect=1).stderr
        assert "nothing is missing" not in said
    assert "newest seal" in said


def test_a_maker_of_seals_that_asked_nothing_finds_a_cloud_that_goes_back(scene):
    scene.begin()
    scene.encrypt("hospital")
    scene.party("hospital", "seal")
    old = (scene.folder / "phr.duckdb").read_bytes()
    for number in ("1", "2"):
        scene.party("hospital", "delete", number)
        scene.party("hospital", "seal")
    (scene.folder / "phr.duckdb").write_bytes(old)
    said = scene.party("hospital", "ask", "age=70", "--proof", expect=1).stderr
    assert "shows seal 1, and 3 was seen before" in said
    said = scene.party("hospital", "seal", "--from-cloud", expect=1).stderr
    assert "does not show the newest seal" in said


def test_records_that_are_stored_are_refused_unless_they_are_the_same(scene):
    scene.begin()
    scene.encrypt("hospital")
    again = scene.encrypt("hospital", "--json")
    assert "stored already, as they are: nothing was sent" in again.stderr
    assert json.loads(again.stdout)["repeated"] is True
    for table in (HOSPITAL.replace("Ann", "Anne"), HOSPITAL + "5,33,144,Gil\n"):
        (scene.folder / "hospital.csv").write_text(table)
        assert "is stored already" in scene.encrypt("hospital", expect=1).stderr
    assert len(scene.found("owner", "ask", "age >= 0")["records"]) == 4


def test_who_deletes_again_is_told_so_and_who_never_sent_is_refused(scene):
    scene.begin()
    scene.encrypt("hospital")
    scene.party("hospital", "delete", "1", "2")
    again = scene.party("hospital", "delete", "1", "2", "--json")
    assert json.loads(again.stdout) == {
        **{"provider": "hospital", "added": 0, "replaced": 0, "removed": 2, "files": 0},
        "repeated": True,
    }
    assert scene.party("hospital", "delete", "2").stdout == "hospital: 1 record deleted before.\n"
    some = scene.party("hospital", "delete", "2", "3")
    assert (some.stdout, some.stderr) == (
        "hospital: 1 record deleted.\n",
        "mopse: deleted before: 2\n",
    )
    for ids in (["9"], ["9", "1"], ["9", "4"]):
        said = scene.party("hospital", "delete", *ids, expect=1).stderr
        assert said.endswith("mopse: record 9 is not stored\n")
    assert scene.ids("owner", "age >= 0") == [("hospital", 4)]
    (scene.folder / "hospital.csv").write_text("record_id,age,sbp,name\n1,41,150,Ann\n")
    scene.encrypt("hospital")
    assert scene.party("hospital", "delete", "1").stdout == "hospital: 1 record deleted.\n"


def test_a_field_that_leaks_is_refused_until_it_is_accepted_by_name(scene):
    scene.begin()
    ages = "".join(f"{n},{n % 121},{60 + n % 201},x\n" for n in range(3000))
    (scene.folder / "hospital.csv").write_text("record_id,age,sbp,name\n" + ages)
    arguments = ["encrypt", "hospital.csv", "--id", "record_id"]
    said = scene.party("hospital", *arguments, expect=1).stderr
    assert "mopse: field 'age': a copy of the store tells nearly every value" in said
    assert "nothing was sent: --accept-leakage names" in said
    assert scene.found("owner", "status")["stored"] == []
    scene.encrypt("hospital")


def test_a_schema_that_declares_types_is_given_beside_the_keyring(scene):
    typed = SCHEMA + '[types]\nname = "String"\nward = "Int16"\n'
    (scene.folder / "typed.toml").write_text(typed)
    scene.begin()
    (scene.folder / "hospital.csv").write_text(
        "record_id,age,sbp,name,ward\n1,41,150,0171,7\n2,42,150,5,\n"
    )
    scene.encrypt("hospital", "--schema", "typed.toml")
    hospital = Provider.open(scene.folder / "hospital.keyring", PASSWORDS["hospital"])
    with Cloud(scene.folder / "phr.duckdb") as cloud:
        found = hospital.ask(cloud, age=41)
    assert found["ward"].dtype == pl.Int16
    assert found["name"].to_list() == ["0171"]
    (scene.folder / "hospital.csv").write_text("record_id,age,sbp,name,ward\n3,41,150,0171,70000\n")
    assert (
        "column 'ward', row 1 (line 2 of the file)"
        in scene.encrypt("hospital", "--schema", "typed.toml", expect=1).stderr
    )


def test_an_id_of_another_type_is_prevented_and_else_named_with_what_helps(scene):
    scene.begin()
    for name in ("hospital", "clinic"):
        scene.encrypt(name)
    (scene.folder / "hospital.csv").write_text("record_id,age,sbp,name\n7,41,150,A\na8,42,150,B\n")
    said = scene.encrypt("hospital", expect=1).stderr
    assert "hospital.csv: column 'record_id': the id in row 2 (line 3 of the file) is no" in said
    (scene.folder / "hospital.csv").write_text("record_id,age,sbp,name\na8,42,150,B\n")
    scene.encrypt("hospital")
    said = scene.party("owner", "ask", QUERY, expect=1).stderr
    assert "and no type holds both: --report gives most of them and lists the others" in said
    assert "[types] in the schema file of `mopse encrypt --schema` has all" in said
    assert "=" not in said
    report = json.loads(scene.party("owner", "ask", QUERY, "--report", "--json", expect=1).stdout)
    assert len(report["records"]) == 3
    assert len(report["faults"]) == 1
    assert scene.ids("owner", "age = 42") == [("hospital", "a8")]  # which shows what to delete
    scene.party("hospital", "delete", "a8")
    assert len(scene.ids("owner")) == 3


def test_a_declared_type_has_all_ids_be_of_it(scene):
    (scene.folder / "typed.toml").write_text(SCHEMA + '[types]\nrecord_id = "String"\n')
    scene.begin()
    scene.encrypt("hospital", "--schema", "typed.toml")
    (scene.folder / "hospital.csv").write_text("record_id,age,sbp,name\na8,42,150,B\n")
    scene.encrypt("hospital", "--schema", "typed.toml")
    found = [record for _, record in scene.ids("owner")]
    assert found == ["1", "4", "a8"]


def test_values_that_json_has_not_are_text(tmp_path):
    scene = Scene(tmp_path)
    scene.begin()
    values = {
        "record_id": ["a", "b"],
        "age": [41, 42],
        "sbp": [150, None],
        "float": [float("nan"), float("-inf")],
        "cost": pl.Series(["1.50", "2"]).cast(pl.Decimal(8, 2)),
        "taken": pl.Series([0, 90_061_000_001]).cast(pl.Datetime("us")),
        "for": pl.Series([1_500_000, None]).cast(pl.Duration("us")),
        "sure": [True, None],
    }
    pl.DataFrame(values).write_parquet(tmp_path / "hospital.parquet")
    scene.party(
        "hospital",
        "encrypt",
        "hospital.parquet",
        "--id",
        "record_id",
        "--accept-leakage",
        "age",
        "--accept-leakage",
        "sbp",
    )
    records = scene.found("owner", "ask", "age >= 0")["records"]
    by_id = {one["record_id"]: one for one in records}
    assert by_id["a"] == {
        "record_id": "a",
        "age": 41,
        "sbp": 150,
        "float": "NaN",
        "cost": "1.50",
        "taken": "1970-01-01T00:00:00",
        "for": "1.5 s",
        "sure": True,
        "provider": "hospital",
    }
    assert by_id["b"]["float"] == "-Infinity"
    assert by_id["b"]["taken"] == "1970-01-02T01:01:01.000001"
    shown = scene.party("owner", "ask", "age >= 0", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert "1970-01-02T01:01:01.000001" in shown.stdout


KILLED = """
import os, signal, sys
import mopse
from mopse.cli import main

when, receive = sys.argv.pop(1), mopse.Cloud.receive

def receive_and_die(cloud, message):
    if when == "after":
        receive(cloud, message)
    os.kill(os.getpid(), signal.SIGKILL)

mopse.Cloud.receive = receive_and_die
main(sys.argv[1:])
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_killed_while_sending_gives_the_command_again(scene, when):
    scene.begin()
    where = "--as", "hospital.keyring", "--to", "phr.duckdb"
    accept = "--accept-leakage", "age", "--accept-leakage", "sbp"
    commands = [
        ("encrypt", "hospital.csv", "--id", "record_id", *accept),
        ("attach", "1", "chest.jpg", "--keyword", "x-ray"),
    ]
    for command in commands:
        keys = [PASSWORDS["hospital"]]
        scene.run(when, *command, *where, keys=keys, script=KILLED, expect=-signal.SIGKILL)
        Provider.open(scene.folder / "hospital.keyring", *keys)
        scene.party("hospital", *command)
        scene.party("hospital", "seal")  # by the ledger, which has kept count
    assert scene.ids("owner", "age >= 0") == [("hospital", n) for n in (1, 2, 3, 4)]
    assert len(scene.found("owner", "find", "x-ray")["files"]) == 1
    scene.party("clinic", "seal")
    assert len(scene.ids("owner", "age >= 0", "--proof")) == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_killed_while_sealing_seals_from_the_cloud(scene, when):
    scene.begin()
    scene.encrypt("hospital")
    scene.party("clinic", "seal")
    where = "seal", "--as", "hospital.keyring", "--to", "phr.duckdb"
    keys = [PASSWORDS["hospital"]]
    scene.run(when, *where, keys=keys, script=KILLED, expect=-signal.SIGKILL)
    scene.party("hospital", "seal", "--from-cloud")
    assert len(scene.ids("owner", QUERY, "--proof")) == 2


def test_who_is_killed_at_any_time_leaves_a_keyring_that_opens(scene):
    scene.begin()
    numbers, rows, turns = random.Random(SEED), 4000, 4
    for turn in range(turns):
        ids = range(turn * rows, (turn + 1) * rows)
        table = pl.DataFrame(
            {"record_id": ids, "age": [n % 100 for n in ids], "sbp": 140, "name": "x"}
        )
        table.write_csv(scene.folder / "hospital.csv")
        accept = "--accept-leakage", "age", "--accept-leakage", "sbp"
        process = terminal.started(
            *("encrypt", "hospital.csv", "--id", "record_id", *accept),
            *("--as", "hospital.keyring", "--to", "phr.duckdb"),
            folder=scene.folder,
            keys=[PASSWORDS["hospital"]],
        )
        with process:
            time.sleep(numbers.uniform(0.4, 1.6))
            process.kill()
        Provider.open(scene.folder / "hospital.keyring", PASSWORDS["hospital"])
        scene.encrypt("hospital")
    scene.party("hospital", "seal")
    scene.party("clinic", "seal")
    assert len(scene.ids("owner", "sbp = 140", "--proof")) == turns * rows


INTERRUPTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "polars":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from mopse.cli import main
main(["--version"])
"""


def test_who_is_interrupted_while_the_command_loads_sees_no_traceback(tmp_path):
    done = terminal.mopse(folder=tmp_path, script=INTERRUPTED, expect=130)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with an owner, two providers and a cloud that has a record."""
    folder = tmp_path_factory.mktemp("place")
    owner = Owner.generate(Schema(age=Field(0, 120), bmi=Field(8, 100, step=0.1)))
    with Cloud(folder / "phr.duckdb") as cloud:
        cloud.enroll(owner.public)
        for name in ("hospital", "clinic"):
            owner.authorize(name).save(folder / f"{name}.keyring", PASSWORDS[name])
        cloud.enroll(owner.public)
        hospital = owner.authorize("hospital")
        record = {"id": [1], "age": [41], "bmi": [22.5], "name": ["Ann"]}
        cloud.receive(hospital.encrypt(record, id="id"))
    owner.save(folder / "owner.keyring", PASSWORDS["owner"])
    (folder / "schema.toml").write_text(SCHEMA)
    (folder / "good.csv").write_text("id,age,bmi\n7,41,22.5\n")
    (folder / "lacks.csv").write_text("id,bmi\n7,22.5\n")
    (folder / "beyond.csv").write_text("id,age,bmi\n7,121,22.5\n")
    (folder / "twice.csv").write_text("id,age,bmi\n7,20,22.5\n7,20,22.5\n")
    (folder / "file.jpg").write_bytes(b"image")
    (folder / "folder").mkdir()
    return folder


AS_OWNER = "--as owner.keyring --cloud phr.duckdb"
AS_HOSPITAL = "--as hospital.keyring --cloud phr.duckdb"
WRONG = [
    ("", [], 2, "required: "),
    ("sing", [], 2, "invalid choice: 'sing'"),
    ("owner", [], 2, "required: "),
    ("owner new --keyring a.keyring", [], 2, "--schema"),
    ("owner new --schema none.toml --keyring a.keyring", ["owner"], 1, "none.toml"),
    ("owner new --schema good.csv --keyring a.keyring", ["owner"], 1, "good.csv: it is no TOML"),
    ("owner new --schema schema.toml --keyring none/a.keyring", ["owner"], 1, "none"),
    ("owner new --schema schema.toml --keyring folder", ["owner"], 1, "'folder'"),
    ("owner new --schema schema.toml --keyring a.keyring --cloud a.txt", ["owner"], 1, ".duckdb"),
    ("owner new --schema schema.toml --keyring b.keyring --password-fd x", [], 2, "--password-fd"),
    ("owner new --schema schema.toml --keyring b.keyring --password-fd -1", [], 2, "--password-fd"),
    (
        "owner new --schema schema.toml --keyring b.keyring --password-fd 999",
        [],
        1,
        "--password-fd 999",
    ),
    ("owner authorize --keyring owner.keyring --to b.keyring", ["owner", "clinic"], 2, "name"),
    ("owner authorize a/b --keyring owner.keyring --to b.keyring", ["owner", "clinic"], 1, "name"),
    (
        "owner authorize w --under x --keyring owner.keyring --to b.keyring",
        ["owner", "clinic"],
        1,
        '"x"',
    ),
    (
        "owner authorize w --keyring owner.keyring --to clinic.keyring",
        ["owner", "clinic"],
        1,
        "'clinic.keyring'",
    ),
    (
        "owner authorize w --replace --keyring owner.keyring --to owner.keyring",
        ["owner", "clinic"],
        1,
        "--to owner.keyring",
    ),
    (
        "owner authorize w --keyring owner.keyring --to b.keyring --cloud no.duckdb",
        ["owner", "clinic"],
        1,
        "'no.duckdb'",
    ),
    ("owner revoke nobody --keyring owner.keyring --cloud phr.duckdb", ["owner"], 1, '"nobody"'),
    ("owner revoke clinic --keyring owner.keyring --remove", ["owner"], 2, "--remove"),
    (f"encrypt good.csv {AS_HOSPITAL}", ["hospital"], 2, "--id"),
    (f"encrypt good.csv --id no {AS_HOSPITAL}", ["hospital"], 1, "good.csv: "),
    (f"encrypt none.csv --id id {AS_HOSPITAL}", ["hospital"], 1, "none.csv"),
    (f"encrypt folder --id id {AS_HOSPITAL}", ["hospital"], 1, "folder"),
    (
        f"encrypt lacks.csv --id id {AS_HOSPITAL}",
        ["hospital"],
        1,
        "lacks.csv: the table has no column for field 'age'",
    ),
    (
        f"encrypt beyond.csv --id id {AS_HOSPITAL}",
        ["hospital"],
        1,
        "beyond.csv: field 'age': the value in row 1 (line 2 of the file) lies",
    ),
    (
        f"encrypt twice.csv --id id {AS_HOSPITAL}",
        ["hospital"],
        1,
        "twice.csv: the id in row 2 (line 3 of the file) stands in",
    ),
    (f"encrypt good.csv --id id --accept-leakage no {AS_HOSPITAL}", ["hospital"], 1, "'no'"),
    (f"encrypt good.csv --id id --separator ab {AS_HOSPITAL}", ["hospital"], 2, "--separator"),
    (f"encrypt good.csv --id id --update {AS_HOSPITAL}", ["hospital"], 1, "record 7"),
    (
        f"encrypt good.csv --id id --schema schema.toml {AS_HOSPITAL}",
        ["hospital"],
        1,
        "the schema is not that of the keyring",
    ),
    (
        f"encrypt good.csv --id id {AS_OWNER}",
        ["owner"],
        1,
        "owner.keyring: it is an owner's keyring",
    ),
    (f"delete 5 {AS_HOSPITAL}", ["hospital"], 1, "record 5"),
    (f"delete one 1 {AS_HOSPITAL}", ["hospital"], 1, "id 'one' is no whole number"),
    (f"delete one {AS_HOSPITAL}", ["hospital"], 1, "record 'one'"),
    (f"delete 1 1 {AS_HOSPITAL}", ["hospital"], 1, "record 1 is named twice"),
    (f"seal {AS_HOSPITAL}", ["hospital"], 1, "ledger"),
    (f"renew {AS_OWNER}", ["owner"], 1, "owner.keyring"),
    (f"ask age {AS_OWNER}", ["owner"], 2, "the query, character 4"),
    (f"ask bmi<20 {AS_OWNER}", ["owner"], 2, "decimal"),
    (f"ask age>=0 --proof {AS_OWNER}", ["owner"], 1, "age"),
    (f"ask age>=0 --wait -1 {AS_OWNER}", ["owner"], 2, "--wait"),
    (f"ask age>=0 --wait nan {AS_OWNER}", ["owner"], 2, "--wait"),
    (f"ask age>=0 --max-age 1.5 {AS_OWNER}", ["owner"], 2, "--max-age"),
    (f"ask age>=0 --max-age 2 {AS_OWNER}", ["owner"], 2, "it goes with --proof"),
    (f"find x --max-age 2 {AS_OWNER}", ["owner"], 2, "it goes with --proof"),
    (f"ask weight>=0 {AS_OWNER}", ["owner"], 2, "no field 'weight'"),
    ("ask age>=0 --as owner.keyring", ["owner"], 2, "--cloud"),
    ("ask age>=0 --cloud phr.duckdb", ["owner"], 2, "--as"),
    ("ask age>=0 --as none.keyring --cloud phr.duckdb", ["owner"], 1, "none.keyring"),
    ("ask age>=0 --as owner.keyring --cloud none.duckdb", ["owner"], 1, "none.duckdb"),
    ("ask age>=0 --as owner.keyring --cloud good.csv", ["owner"], 1, ".duckdb"),
    ("ask age>=0 --as owner.keyring --cloud ftp://x/y", ["owner"], 1, "a store is"),
    ("ask age>=0 --as good.csv --cloud phr.duckdb", ["owner"], 1, "good.csv: "),
    (f"ask age>=0 {AS_OWNER}", ["clinic"], 1, "owner.keyring: the password"),
    (f"ask age>=0 sbp>=0 {AS_OWNER}", ["owner"], 2, "sbp>=0"),
    (f"find {AS_OWNER}", ["owner"], 2, "WORD"),
    (f"find \u00ad {AS_OWNER}", ["owner"], 1, "keyword"),
    (f"fetch xyz --out b.jpg {AS_OWNER}", ["owner"], 1, "a file is named by"),
    (f"fetch {'0' * 32} --out b.jpg {AS_OWNER}", ["owner"], 1, "file"),
    (f"fetch {'0' * 32} {AS_OWNER}", ["owner"], 2, "--out"),
    (f"fetch {'0' * 32} --out folder/ {AS_OWNER}", ["owner"], 1, "path names no file"),
    (f"attach 1 none.jpg {AS_HOSPITAL}", ["hospital"], 1, "none.jpg"),
    (f"attach 1 file.jpg --keyword \u00ad {AS_HOSPITAL}", ["hospital"], 1, "keyword"),
    (f"attach 7 file.jpg {AS_HOSPITAL}", ["hospital"], 1, "hospital has no record 7 there"),
    (f"attach 1 file.jpg --text-ids {AS_HOSPITAL}", ["hospital"], 1, "no record '1' there"),
    (f"fetch {'0' * 32} --out file.jpg {AS_OWNER}", ["owner"], 1, "--replace writes in its place"),
    (f"attach 1 file.jpg {AS_OWNER}", ["owner"], 1, "owner.keyring"),
    ("status", [], 1, "--as"),
    ("status --cloud none.duckdb", [], 1, "none.duckdb"),
    ("status --as none.keyring", ["owner"], 1, "none.keyring"),
    ("serve --listen nowhere", [], 2, "--listen takes HOST:PORT"),
    ("schema infer none.csv", [], 1, "none.csv"),
    ("schema infer good.csv --id no", [], 1, "good.csv: "),
    ("schema check good.csv", [], 1, "good.csv: it is no TOML"),
    ("completion tcsh", [], 2, "'tcsh'"),
]


@pytest.mark.parametrize(("line", "keys", "code", "why"), WRONG)
def test_what_is_wrong_is_refused_by_its_name(place, monkeypatch, capsys, line, keys, code, why):
    monkeypatch.chdir(place)
    before = {path: path.read_bytes() for path in place.iterdir() if path.suffix == ".keyring"}
    with passwords(*(PASSWORDS[name] for name in keys)) as (flags, _):
        given = flags if "--password-fd" not in line else []
        with pytest.raises(SystemExit) as caught:
            main([*line.split(" "), *given] if line else [])
    shown = capsys.readouterr()
    status = caught.value.code
    said = shown.err + (status if isinstance(status, str) else "")
    assert (1 if isinstance(status, str) else status) == code, said
    assert why in said
    assert shown.out == ""
    assert "Errno" not in said
    assert not any(secret in said for secret in PASSWORDS.values())
    after = {path: path.read_bytes() for path in before}
    # An owner's is written before the cloud hears of what it has announced before, as it is.
    assert after == before or line.startswith("owner "), "what was refused has changed a keyring"


def test_what_is_written_in_half_a_surrogate_is_refused(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    half = os.fsdecode(b"\xff")
    lines = [
        ["ask", f"age >= {half}", *AS_OWNER.split()],
        ["find", half, *AS_OWNER.split()],
        ["fetch", half, "--out", "x", *AS_OWNER.split()],
        ["status", "--as", half],
        ["encrypt", half, "--id", "id", *AS_HOSPITAL.split()],
        ["encrypt", "good.csv", "--id", half, *AS_HOSPITAL.split()],
        ["delete", half, *AS_HOSPITAL.split()],
        ["attach", half, "file.jpg", *AS_HOSPITAL.split()],
        ["attach", "1", "file.jpg", "--name", half, *AS_HOSPITAL.split()],
        ["owner", "revoke", half, "--keyring", "owner.keyring"],
        ["schema", "infer", "good.csv", "--id", half],
    ]
    for line in lines:
        name = "hospital" if "hospital.keyring" in line else "owner"
        with passwords(PASSWORDS[name]) as (flags, _), pytest.raises(SystemExit) as caught:
            main([*line, *([] if line[0] == "schema" else flags)])
        assert str(caught.value.code).startswith("mopse: "), line
    assert capsys.readouterr().out == ""


def test_a_question_reports_what_does_not_open(scene, monkeypatch, capsys):
    scene.begin()
    for name in ("hospital", "clinic"):
        scene.encrypt(name)
    import duckdb

    with duckdb.connect(str(scene.folder / "phr.duckdb")) as database:
        columns = database.execute("DESCRIBE records_0").fetchall()
        payload = next(name for name, kind, *_ in columns if kind == "BLOB")
        database.execute(
            f"UPDATE records_0 SET {payload} = {payload} || '\\x00'::BLOB WHERE row_no = 0"
        )
    scene.party("owner", "ask", "age >= 0", expect=1)
    asked = scene.party("owner", "ask", "age >= 0", "--report", "--json", expect=1)
    document = json.loads(asked.stdout)
    assert len(document["records"]) + len(document["faults"]) == 6
    assert document["faults"]
    assert "mopse: provider " in asked.stderr
