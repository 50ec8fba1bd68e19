"""Passwords from descriptors and terminals, and the lock that keeps a keyring to one command."""

import os
import pty
import signal
import stat
import subprocess
import sys
import threading

import pytest
import terminal
from terminal import PASSWORDS, passwords

from mopse import Field, Owner, Provider, Schema
from mopse.cli._keyrings import locked, password_of
from mopse.errors import InvalidInputError, MopseError

SCHEMA = "[fields.age]\nlow = 0\nhigh = 120\n"
NEW = ["owner", "new", "--schema", "schema.toml", "--keyring", "owner.keyring"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "schema.toml").write_text(SCHEMA)
    return tmp_path


def taken(*given: str | bytes, is_new: bool = False) -> str:
    """Return a password from a descriptor that holds some bytes."""
    with passwords(*given) as (_, [handle]):
        return password_of(handle, "a.keyring", is_new=is_new)


@pytest.mark.parametrize(
    ("given", "password"),
    [
        (b"correct horse\n", "correct horse"),
        (b"correct horse", "correct horse"),
        (b"correct horse\r\nmore", "correct horse"),
        (b" spaces stay \n", " spaces stay "),
        ("größer".encode(), "größer"),
    ],
)
def test_a_password_is_the_first_line_of_a_descriptor(given, password):
    assert taken(given) == password


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "empty"),
        (b"\nmore", "empty"),
        (b"\xff\n", "no text in UTF-8"),
        (b"x" * 5000, "at most 4,096 bytes"),
    ],
)
def test_what_is_no_password_is_refused_by_the_name_of_its_argument(given, why):
    with pytest.raises(InvalidInputError, match=rf"--password-fd \d+: .*{why}"):
        taken(given)


def test_a_new_password_is_one_that_can_be_typed_again():
    assert taken("tab\there") == "tab\there"
    with pytest.raises(InvalidInputError, match="--password-fd"):
        taken("tab\there", is_new=True)


def test_two_passwords_may_come_from_one_descriptor():
    out, into = os.pipe()
    os.write(into, b"first\nsecond\n")
    os.close(into)
    try:
        assert [password_of(out, "a", is_new=False) for _ in range(2)] == ["first", "second"]
    finally:
        os.close(out)
    with pytest.raises(InvalidInputError, match=rf"--password-fd {out}: it cannot be read"):
        password_of(out, "a", is_new=False)


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 4096)
    except OSError:  # which is how Linux says that nobody has the terminal any more
        return b""


def typed(folder, arguments, lines, expect):
    """Run the command on a terminal of its own, type lines when asked, return what it showed."""
    child, terminal_handle = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "mopse", *arguments])
    shown, waiting = b"", list(lines)
    late = threading.Timer(60, os.kill, (child, signal.SIGKILL))
    late.start()
    try:
        while piece := _read(terminal_handle):
            shown += piece
            if waiting and shown.count(b": ") > len(lines) - len(waiting):
                os.write(terminal_handle, waiting.pop(0).encode() + b"\n")
        _, status = os.waitpid(child, 0)
    finally:
        late.cancel()
        os.close(terminal_handle)
    assert os.waitstatus_to_exitcode(status) == expect
    return shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
def test_a_password_is_asked_for_and_a_new_one_twice_and_none_is_shown(folder):
    secret = PASSWORDS["owner"]
    shown = typed(folder, NEW, [secret, secret], 0)
    assert shown.count("owner.keyring: ") == 2
    assert secret not in shown
    assert list(Owner.open(folder / "owner.keyring", secret).schema) == ["age"]
    (folder / "owner.keyring").unlink()
    shown = typed(folder, NEW, [secret, "another"], 1)
    assert "the two passwords for owner.keyring differ" in shown
    assert not (folder / "owner.keyring").exists()


def test_without_a_terminal_nothing_is_read_instead(folder):
    said = terminal.mopse(*NEW, folder=folder, expect=1, start_new_session=True).stderr
    assert "there is no terminal to ask for a password: --password-fd" in said
    assert not (folder / "owner.keyring").exists()


def test_a_keyring_is_for_its_owner_only_and_no_new_one_takes_its_place(folder):
    terminal.mopse(*NEW, folder=folder, keys=[PASSWORDS["owner"]])
    keyring = folder / "owner.keyring"
    before = keyring.read_bytes()
    assert stat.S_IMODE(keyring.stat().st_mode) == 0o600
    said = terminal.mopse(*NEW, folder=folder, keys=[PASSWORDS["owner"]], expect=1).stderr
    assert "there is a file already: 'owner.keyring'" in said
    assert keyring.read_bytes() == before


def test_a_wrong_password_a_damaged_keyring_and_one_of_another_kind_are_named(folder):
    owner = Owner.generate(Schema(age=Field(0, 120)))
    owner.save(folder / "owner.keyring", "right")
    owner.authorize("hospital").save(folder / "hospital.keyring", "right")
    whole = (folder / "owner.keyring").read_bytes()
    (folder / "cut.keyring").write_bytes(whole[:-1])
    (folder / "none.keyring").write_bytes(b"")
    (folder / "folder.keyring").mkdir()
    authorize = ["owner", "authorize", "ward", "--to", "new.keyring", "--keyring"]
    for keyring, key, why in [
        ("owner.keyring", "wrong", "owner.keyring: the password"),
        ("cut.keyring", "right", "cut.keyring: "),
        ("none.keyring", "right", "none.keyring: "),
        ("missing.keyring", "right", "No such file or directory: 'missing.keyring'"),
        ("folder.keyring", "right", "folder.keyring"),
        ("hospital.keyring", "right", "hospital.keyring: the file is not an owner's"),
    ]:
        said = terminal.mopse(
            *authorize, keyring, folder=folder, keys=[key, "new secret"], expect=1
        ).stderr
        assert why in said
        if keyring != "hospital.keyring":
            status = "status", "--as", keyring
            assert why in terminal.mopse(*status, folder=folder, keys=[key], expect=1).stderr
    assert not (folder / "new.keyring").exists()
    assert not (folder / "missing.keyring.lock").exists()


def test_a_lock_is_held_by_one_and_let_go_by_who_is_killed(folder):
    (folder / "a.keyring").write_bytes(b"")
    os.symlink(folder / "a.keyring", folder / "link")
    hold = (
        "import sys, time\nfrom mopse.cli._keyrings import locked\n"
        "with locked(sys.argv[1]):\n    print('held', flush=True)\n    time.sleep(30)\n"
    )
    command = [sys.executable, "-c", hold, str(folder / "a.keyring")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        command[-1] = str(folder / "link")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as waiter:
            assert "in use by another command; waiting" in waiter.stderr.readline()
            assert waiter.poll() is None
            holder.kill()
            assert waiter.stdout.readline() == "held\n"
            waiter.kill()
    with locked(str(folder / "a.keyring")):
        assert stat.S_IMODE((folder / "a.keyring.lock").stat().st_mode) == 0o600


def test_commands_on_one_keyring_lose_nothing_of_each_other(folder):
    keys = [PASSWORDS["owner"]]
    terminal.mopse(*NEW, folder=folder, keys=keys)
    authorize = "owner", "authorize", "--keyring", "owner.keyring"
    started = [
        terminal.started(
            *authorize, f"ward {n}", "--to", f"{n}.keyring", folder=folder, keys=[*keys, "secret"]
        )
        for n in range(4)
    ]
    for process in started:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    owner = Owner.open(folder / "owner.keyring", *keys)
    assert owner.providers == [f"ward {n}" for n in range(4)]
    opened = [Provider.open(folder / f"{n}.keyring", "secret").path for n in range(4)]
    assert opened == owner.providers


def test_a_keyring_that_cannot_be_locked_is_named(tmp_path):
    with (
        pytest.raises(MopseError, match="nowhere"),
        locked(str(tmp_path / "nowhere" / "a.keyring")),
    ):
        pass
