"""What commands say of what went wrong: in their own words, about the right file."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import terminal
from cli.test_grants import Readers
from terminal import PASSWORDS

from mopse import Owner
from mopse.cli._words import in_commands

ROOT = Path(__file__).parents[3]
APART = {"attacks", "ciphers", "evaluate", "plot", "schemes"}
"""Packages that no command of a party calls; `evaluate` has an option with its own test."""

ARGUMENT = re.compile(r"\b[a-z]+(?:_[a-z]+)*=(?=True|False|None|'|[,;:. )]|$)|\b[a-z]+\.[a-z]+\(")
"""An argument of Python, as messages have them."""

NOT_REACHED = {
    "an owner looks up at a provider: provider= names it": "no command looks up as an owner",
    "versions are needed: give cloud=, or versions= with the answer to a lookup": (
        "commands always give a cloud"
    ),
    "a party sends it owner.removal(path)": "a party has `mopse owner remove`",
    " owners: say which by owner=": "`mopse read --ask` names the owner of the right",
    "catch_up takes a cloud, as in catch_up(cloud), not ": "commands give a cloud",
}
"""Messages that stay in Python's words, and why no command ends with one."""


def _raised():
    """Yield the texts that errors of the package are made of."""
    for path in sorted((ROOT / "python" / "mopse").rglob("*.py")):
        if APART.isdisjoint(path.parts):
            tree = ast.parse(path.read_text("utf-8"))
            held = {
                name.id
                for one in ast.walk(tree)
                if isinstance(one, ast.Raise)
                for name in ast.walk(one)
                if isinstance(name, ast.Name)
            }
            for one in ast.walk(tree):
                is_named = isinstance(one, ast.Assign | ast.AugAssign) and any(
                    isinstance(name, ast.Name) and (name.id in held or "cause" in name.id)
                    for name in ast.walk(one)
                )
                if isinstance(one, ast.Raise) or is_named:
                    yield from _texts(one)
    for path in sorted((ROOT / "src").rglob("*.rs")):
        if "tests" in path.name or not APART.isdisjoint(path.parts):
            continue
        code = re.sub(r"^\s*//.*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
        code = code.partition("#[cfg(test)]")[0]
        for text in re.findall(r'"((?:[^"\\\n]|\\.|\\\n)*)"', code):
            yield re.sub(r"\\\n\s*", "", text).replace('\\"', '"')


def _texts(tree):
    for one in ast.walk(tree):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def test_no_error_of_a_command_names_an_argument_of_python():
    # What begins with a comma is a part of what an object is shown as.
    found = [text for text in _raised() if ARGUMENT.search(text) and not text.startswith(", ")]
    # It would find nothing if it looked in the wrong place.
    assert sum("with cloud=" in text for text in found) >= 4
    assert any("insecure_http=True" in text for text in found)
    known = [text for text in found if any(text in one or one in text for one in NOT_REACHED)]
    left = {text for text in found if text not in known and ARGUMENT.search(in_commands(text))}
    assert left == set()


@pytest.mark.parametrize(
    ("python", "command"),
    [
        (
            "field 'x' carries no sums to prove it by: declare it with proof=True",
            "field 'x' carries no sums to prove it by: its table in the schema file needs proof = "
            "true",
        ),
        ("what was sent; seal again, with cloud=", "what was sent; seal again, with --from-cloud"),
        ("the sealed grant is cut short", "the sealed grant is cut short"),
        ("f: the store is damaged", "f: the store is damaged"),
        (
            "f: the file is damaged",
            "f: it is no saved keyring or user, or it is damaged",
        ),
        (
            "f: the grant is cut short or malformed at byte 12",
            "f: it is no grant, as `mopse grant` without --user writes it, or not all of it",
        ),
        (
            "column 'w' is text at one: faults='report' gives it; "
            "Schema(types={'w': ...}) has all that is sent from now on be of one type",
            "column 'w' is text at one: --report gives it; [types] in the schema file of "
            "`mopse encrypt --schema` has all that is sent from now on be of one type",
        ),
    ],
)
def test_an_error_is_put_in_the_words_of_commands(python, command):
    assert in_commands(python) == command


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    readers = Readers(tmp_path_factory.mktemp("words"))
    folder = readers.folder
    for name in ("doctor", "nurse"):
        files = "--keyring", f"{name}.user", "--out", f"{name}.public"
        terminal.mopse_here("user", "new", *files, folder=folder, keys=["secret"])
    whole = (folder / "doctor.public").read_bytes()
    (folder / "half.public").write_bytes(whole[:50])
    (folder / "forged.public").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (folder / "empty").write_bytes(b"")
    (folder / "image.jpg").write_bytes(b"an image")
    (folder / "folder").mkdir()
    (folder / "noted.key").write_text(f"# north\n{'ab' * 32}\n\n{'ab' * 31}\n")
    (folder / "none.key").write_text("# nobody\n")
    readers.party("owner", "grant", "hospital", "--out", "plain.grant")
    readers.party("owner", "query", "age >= 40", "--out", "q.query")
    return readers


OWNER = "--as owner.keyring --cloud phr.duckdb"
SAID = [
    (
        "serve --listen 127.0.0.1:0 --enroll-only abcd",
        "mopse: --enroll-only abcd: it is no verification key, which has 64 hexadecimal digits and "
        "not 4 letters, and there is no file of that name",
    ),
    (
        "serve --listen 127.0.0.1:0 --enroll-only noted.key",
        "mopse: --enroll-only noted.key: line 4 is no verification key, which has 64 hexadecimal "
        "digits",
    ),
    (
        "serve --listen 127.0.0.1:0 --enroll-only none.key",
        "mopse: --enroll-only none.key: the file holds no verification key",
    ),
    ("serve --listen 0.0.0.0:0", "give --tls-certificate and --tls-key, or --insecure-http"),
    ("serve --tls-key image.jpg", "mopse: --tls-certificate and --tls-key are a pair"),
    ("serve --message-bytes 0", "mopse: --message-bytes is not from 1 to"),
    ("serve --answer-bytes 0", "mopse: --answer-bytes is less than 1"),
    ("status --cloud http://10.0.0.1:99", "and to withhold: use https://"),
    ("status --cloud http://127.0.0.1:9 --certificate a", "mopse: --certificate is of an https://"),
    (f"ask age>1 {OWNER} --max-age 2", "mopse: --max-age is about seals: it goes with --proof"),
    (f"count age>1 {OWNER} --max-age 2", "mopse: --max-age is about seals: it goes with --proof"),
    ("grant nobody --as owner.keyring --user doctor.public --out a", 'mopse: no provider "nobody"'),
    (
        "grant hospital --portion no --as owner.keyring --user doctor.public --out a",
        "mopse: the schema has no portion 'no'",
    ),
    (
        "grant hospital --as owner.keyring --user half.public --out a",
        "mopse: half.public: it holds no public keys of a user, as `mopse user new` writes them, "
        "or not all of them",
    ),
    (
        "grant hospital --as owner.keyring --user image.jpg --out a",
        "mopse: image.jpg: it holds no public keys of a user",
    ),
    (
        "grant hospital --as owner.keyring --user forged.public --out a",
        "mopse: forged.public: the user's public keys is not signed by whom it names",
    ),
    (
        "owner unshare doctor.public --keyring owner.keyring --out anew",
        "mopse: doctor.public: nothing is shared with this user",
    ),
    (
        f"ask age>1 --as image.jpg {OWNER.partition('keyring')[2]}",
        "image.jpg: it is no saved keyring",
    ),
    (f"ask age>1 --as empty {OWNER.partition('keyring')[2]}", "empty: it is no saved keyring"),
    ("find x --as doctor.user --cloud phr.duckdb", "doctor.user: it is a user's, and this is"),
    ("status --as doctor.user", "doctor.user: it is a user's, and this is"),
    ("ask age>1 --as owner.keyring --cloud=", "mopse: --cloud names nothing"),
    ("store export phr.duckdb --out=", "mopse: --out names no folder"),
    ("schema check empty", "mopse: empty: it has no table [fields] with a field"),
    ("owner authorize lab --keyring owner.keyring --to folder --replace", "a directory: 'folder'"),
    ("compare --as image.jpg --with owner.keyring", "image.jpg: it is no saved keyring or user"),
    (
        "user accept plain.grant --keyring doctor.user",
        "plain.grant: it is no grant to a user with keys, as `mopse grant --user` writes it",
    ),
    (
        "read q.query --grant image.jpg --schema schema.toml --cloud phr.duckdb",
        "image.jpg: it is no grant, as `mopse grant` without --user writes it, or not all of it",
    ),
    ("find --as owner.keyring --cloud phr.duckdb", "find takes a WORD or several, or --request"),
    (
        "find x --request y --as owner.keyring --cloud phr.duckdb",
        "find takes a WORD or several, or",
    ),
    ("fetch --out z --as owner.keyring --cloud phr.duckdb", "fetch takes a file's number, or"),
    ("fetch a --out folder --as owner.keyring --cloud phr.duckdb", "there is a file already"),
    ("request --as owner.keyring --out z", "request takes keywords, or --file"),
    ("request x --file y --as owner.keyring --out z", "request takes keywords, or --file"),
    ("find --request q.query --as doctor.user --cloud phr.duckdb", "no file of `mopse request`"),
    ("find --request folder --as doctor.user --cloud phr.duckdb", "'folder'"),
]


@pytest.mark.parametrize(("line", "why"), SAID, ids=[line for line, _ in SAID])
def test_a_command_says_what_is_wrong_with_what(place, line, why):
    words = line.split()
    password = "secret" if "doctor.user" in words else PASSWORDS["owner"]
    has_password = any(word in words for word in ("--as", "--keyring"))
    is_of_two = "--with" in words or "authorize" in words
    keys = [password] * (2 if is_of_two else 1) if has_password else []
    code = 2 if any(one in why for one in ("takes", "--max-age", "--cloud names")) else 1
    said = terminal.mopse_here(*words, folder=place.folder, keys=keys, expect=code)
    assert why in said.stderr
    assert said.stdout == ""
    assert not (place.folder / "a").exists()


def test_a_command_that_fails_to_write_a_keyring_authorises_nobody(place):
    owner = Owner.open(place.folder / "owner.keyring", PASSWORDS["owner"])
    assert sorted(owner.providers) == ["clinic", "hospital"]


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_stream_that_is_closed_is_like_one_that_nobody_reads(place, closed):
    flag = {"stdout": ">&-", "stderr": "2>&-"}[closed]
    given = f"{shlex.quote(sys.executable)} -m mopse schema check schema.toml {flag}"
    done = subprocess.run(
        ["sh", "-c", given], cwd=place.folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("age: " in done.stdout) is (closed == "stderr")
