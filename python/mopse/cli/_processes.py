"""The story of the README, each party a process of its own, over TLS on this machine.

A service, an owner, two hospitals and a user: each process holds what is its own and nothing else.
The owner writes keyrings and a grant to files, which stand for whatever brings them; all else goes
through the service as signed messages. The certificate is made for this run.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mopse
from mopse.cli._command import Commands, add_command
from mopse.cli._output import counted
from mopse.errors import InvalidInputError, SignatureError, UnreachableError

__all__ = ["PARTS", "add", "run"]

PASSWORD = "demonstration"
HOSPITALS = "north", "south"
SCHEMA = mopse.Schema(age=mopse.Field(0, 120, proof=True), sbp=mopse.Field(60, 260, proof=True))
YEARS = 40, 60


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "parties",
        short="tell the story with each party as a process, over TLS",
        long=__doc__,
    )
    command.add_argument("--part", nargs=3, metavar=("PARTY", "URL", "DIR"), help=argparse.SUPPRESS)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    if given.part is None:
        run()
        return
    party, url, folder = given.part
    name, _, of = party.partition(":")
    if name not in PARTS:
        raise InvalidInputError("there is no such party")
    PARTS[name](url, Path(folder), of)


def run() -> None:
    """Start a service and the parties one after the other, and say what each does."""
    with tempfile.TemporaryDirectory(prefix="mopse-parties-") as made:
        folder = Path(made)
        certificate, key = _pair(folder)
        with _service(folder, certificate, key) as url:
            print(f"The service, a process, serves at {url} and holds no key.")
            for party in (
                "owner:begin",
                *(f"hospital:{name}" for name in HOSPITALS),
                "owner:ask",
                "user:",
                "stranger:",
            ):
                _part(party, url, folder)
            _ask_wrongly(url, folder)
        _say("The service", "was told to stop, ended what ran, and closed its store.")
        kinds = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
        refusals = sorted({line["outcome"] for line in kinds} - {"ok"})
        _say("Its log", f"has {len(kinds)} requests; refused: {', '.join(refusals)}.")


def _pair(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for this machine, and of its key."""
    if shutil.which("openssl") is None:
        raise InvalidInputError("the certificate is made by openssl, which is not installed")
    certificate, key = folder / "service.pem", folder / "service.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, "-days", "1", *names, *files],
        check=True,
        capture_output=True,
    )
    return certificate, key


@contextlib.contextmanager
def _service(folder: Path, certificate: Path, key: Path) -> Iterator[str]:
    """Run a service over a store in the folder, or in memory without DuckDB; gives the address."""
    command = [sys.executable, "-m", "mopse", "serve", "--listen", "127.0.0.1:0"]
    command += ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    command += ["--log", str(folder / "requests.jsonl")]
    with contextlib.suppress(ImportError):
        import duckdb  # noqa: F401
        import pyarrow  # noqa: F401

        command += ["--store", str(folder / "phr.duckdb")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline().split()
            if not said:
                raise SystemExit("mopse: the service did not start")
            yield said[-1]
        finally:
            process.terminate()
            if process.wait(60) != 0:
                raise SystemExit("mopse: the service did not end as it was told")


def _part(party: str, url: str, folder: Path) -> None:
    """Run a party as a process, to its end."""
    command = [sys.executable, "-m", "mopse", "parties", "--part", party, url, str(folder)]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit(f"mopse: the {party.partition(':')[0]} did not come to its end")


def _say(who: str, what: str) -> None:
    print(f"{who} {what}", flush=True)


def _cloud(url: str, folder: Path) -> mopse.Cloud:
    return mopse.Cloud(url, certificate=folder / "service.pem")


def _table(name: str) -> dict[str, Any]:
    """Return the records of a hospital: made up, and so that the answers are known."""
    first = 1000 * HOSPITALS.index(name)
    ids = list(range(first, first + 500))
    return {
        "record_id": ids,
        "age": [20 + n % 80 for n in ids],
        "sbp": [100 + n % 90 for n in ids],
        "note": [f"seen in {name}" for _ in ids],
    }


def _expected() -> int:
    low, high = YEARS
    return sum(low <= age <= high for name in HOSPITALS for age in _table(name)["age"])


def _owner(url: str, folder: Path, step: str) -> None:
    """Authorise everybody, and later ask all records at once."""
    saved = folder / "owner.keyring"
    with _cloud(url, folder) as cloud:
        if step == "begin":
            owner = mopse.Owner.generate(SCHEMA)
            for name in HOSPITALS:
                owner.authorize(name).save(folder / f"{name}.keyring", PASSWORD)
            for name in HOSPITALS:
                (folder / f"{name}.grant").write_bytes(owner.grant(name))
            cloud.enroll(owner.public)
            owner.save(saved, PASSWORD)
            _say("The owner", f"authorised {' and '.join(HOSPITALS)}, and granted a user to read.")
            return
        owner = mopse.Owner.open(saved, PASSWORD)
        records = owner.ask(cloud, age=YEARS, proof=True)
        count = owner.count(cloud, age=YEARS, proof=True)
        if not records.height == count == _expected():
            raise SystemExit("mopse: the answer is not what was stored")
        _say(
            "The owner",
            f"asked for ages {YEARS[0]} to {YEARS[1]}: {counted(int(count), 'record')}, "
            "proven all.",
        )
        request = owner.find("x-ray", proof=True)
        files = owner.files(cloud.find(request, proof=True), request, proof=True)
        one = owner.fetch(files["file"][0])
        content = owner.open_file(cloud.fetch(one, proof=True), one, proof=True).content
        _say(
            "The owner",
            f"found {counted(files.height, 'file')} under a keyword and read "
            f"{counted(len(content), 'byte')}.",
        )
        (folder / "query").write_bytes(bytes(owner.query(age=YEARS)))


def _hospital(url: str, folder: Path, name: str) -> None:
    """Encrypt and send what a hospital has, correct some of it, and seal it."""
    hospital = mopse.Provider.open(folder / f"{name}.keyring", PASSWORD)
    table = _table(name)
    with _cloud(url, folder) as cloud:
        hospital.catch_up(cloud)
        upload = hospital.encrypt(table, id="record_id", accept_leakage=SCHEMA)
        receipt = cloud.receive(upload)
        again = cloud.receive(upload)
        corrected = {column: values[:3] for column, values in table.items()}
        cloud.receive(hospital.update(corrected, id="record_id", cloud=cloud))
        image = {"name": "chest.jpg", "media_type": "image/jpeg"}
        record = table["record_id"][0]
        cloud.receive(hospital.attach(record, b"an image" * 500, **image, keywords=["x-ray"]))
        cloud.receive(hospital.seal())
    if receipt.added != 500 or not again.repeated:
        raise SystemExit("mopse: the service did something else than it was sent")
    _say(
        f"Hospital {name}",
        f"sent {counted(receipt.added, 'record')} in {upload.nbytes:,} bytes, and sealed.",
    )


def _user(url: str, folder: Path, _: str) -> None:
    """Read what was granted, proven by the hospitals' signatures."""
    grants = [(folder / f"{name}.grant").read_bytes() for name in HOSPITALS]
    user = mopse.User(SCHEMA, grants)
    # The owner signed the question; what it asks for in the clear does not travel with it.
    bounds = SCHEMA["age"].range(*YEARS)
    ranges = None if bounds is None else {"age": bounds}
    query = mopse.Query((folder / "query").read_bytes(), ranges)
    with _cloud(url, folder) as cloud:
        records = user.ask(cloud, query, proof=True)
    if records.height != _expected():
        raise SystemExit("mopse: the answer is not what was stored")
    _say("The user", f"read {counted(records.height, 'record')}, each signed by its hospital.")


def _stranger(url: str, folder: Path, _: str) -> None:
    """Try a query with one bit changed."""
    forged = bytearray((folder / "query").read_bytes())
    forged[-1] ^= 1
    with _cloud(url, folder) as cloud:
        try:
            cloud.search(bytes(forged))
        except SignatureError as error:
            _say("A stranger", f"changed one bit of the query: {error}.")
        else:
            raise SystemExit("mopse: a forged query was not refused")


def _ask_wrongly(url: str, folder: Path) -> None:
    """Ask without the certificate, and without TLS: both are refused."""
    for what, address in (
        ("does not know the certificate", url),
        ("asks without TLS", url.replace("https:", "http:")),
    ):
        try:
            mopse.Cloud(address).count((folder / "query").read_bytes())
        except UnreachableError:
            _say("Who", f"{what} gets no answer.")
        else:
            raise SystemExit("mopse: an insecure connection was not refused")


PARTS = {"owner": _owner, "hospital": _hospital, "user": _user, "stranger": _stranger}
"""What each party does, by its name."""
