"""Keyrings of the commands: passwords that are typed or come from a descriptor, and a lock.

One command at a time has a keyring: others that use the same file, also by another link to it,
wait. The lock is held on a file beside it with ``.lock`` at the end, which stays, is empty and is
let go by the system if the command is killed. It holds on one machine; copies of a keyring on
several are told of each other by the cloud.
"""

import argparse
import contextlib
import errno
import getpass
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import mopse
from mopse._checks import password_bytes
from mopse._files import PRIVATE, as_file, telling
from mopse.cli._schema_file import naming
from mopse.errors import FileAccessError, InvalidInputError, MissingFileError

__all__ = [
    "Party",
    "add_password",
    "descriptor",
    "locked",
    "made_new",
    "must_be_there",
    "opened_holder",
    "opened_owner",
    "opened_party",
    "password_of",
]

Party: TypeAlias = mopse.Owner | mopse.Provider

_MOST = 4096
"""Bytes of a password that comes from a descriptor."""


def descriptor(number: str) -> int:
    """Return the number of a descriptor, for argparse."""
    if not (number.isascii() and number.isdigit() and len(number) < 7):
        raise argparse.ArgumentTypeError("it must be the number of an open file, as in 3")
    return int(number)


def add_password(
    command: argparse.ArgumentParser, flag: str = "--password-fd", of: str = "the keyring"
) -> None:
    """Add where a password comes from."""
    command.add_argument(
        flag,
        type=descriptor,
        metavar="N",
        help=f"read the password of {of} from file descriptor N, up to its first line's end, "
        "instead of asking for it",
    )


def password_of(number: int | None, of: str, *, flag: str = "--password-fd", is_new: bool) -> str:
    """Return a password from a descriptor, or else asked for; a new one twice.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is none, a new one was typed in two ways or cannot be one, or nobody can be asked.
    """
    if number is None:
        password = _asked(f"Password of {of}: ")
        if is_new and password != _asked(f"The same again, of {of}: "):
            raise InvalidInputError(f"the two passwords for {of} differ: nothing was done")
        where = of
    else:
        where = f"{flag} {number}"
        with naming(where):
            password = _line(number)
    with naming(where):
        if not password:
            raise InvalidInputError("the password is empty")
        if is_new:
            password_bytes(password)
    return password


def _asked(prompt: str) -> str:
    with warnings.catch_warnings():
        # It would read what is typed in the open, and from where the shell may have a table.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            raise InvalidInputError(
                "there is no terminal to ask for a password: --password-fd and such take one"
            ) from None


def _line(number: int) -> str:
    """Return what a descriptor gives up to the end of a line, and read no byte beyond it."""
    line = b""
    try:
        while (byte := os.read(number, 1)) not in (b"", b"\n"):
            line += byte
            if len(line) > _MOST:
                raise InvalidInputError(f"a password has at most {_MOST:,} bytes")
    except OSError as error:
        raise InvalidInputError(f"it cannot be read: {error.strerror}") from None
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise InvalidInputError("the password is no text in UTF-8") from None


@contextlib.contextmanager
def locked(path: str) -> Iterator[Path]:
    """Have a keyring for oneself, so that no other command reads what is about to change."""
    keyring = as_file(path)
    with telling(path):
        place = Path(os.path.realpath(keyring))
        beside = place.with_name(f"{place.name}.lock")
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), PRIVATE)
    try:
        if not _taken(handle, is_patient=False):
            print(f"mopse: {path} is in use by another command; waiting", file=sys.stderr)
            with telling(path):
                _taken(handle, is_patient=True)
        yield keyring
    finally:
        os.close(handle)  # which lets the lock go


if sys.platform == "win32":
    import msvcrt

    def _taken(handle: int, *, is_patient: bool) -> bool:
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK if is_patient else msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not is_patient:
                    return False

else:
    import fcntl

    def _taken(handle: int, *, is_patient: bool) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if is_patient else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


def must_be_there(path: str) -> None:
    """Refuse a keyring that is missing, before a lock is made beside it."""
    with telling(path):
        if not as_file(path).exists():
            raise MissingFileError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def made_new(path: str, *, may_replace: bool | None = None) -> None:
    """Refuse to write a new file over one that is there: it may hold the only keys.

    It says what writes nevertheless, unless nothing does: None.
    """
    with telling(path):
        file = as_file(path)
        if not file.parent.is_dir():
            raise MissingFileError(errno.ENOENT, "there is no such folder", str(file.parent))
        if file.exists() and not may_replace:
            more = "" if may_replace is None else ", and --replace writes in its place"
            raise FileAccessError(errno.EEXIST, f"there is a file already{more}", path)
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def opened_owner(path: str, password: str, schema: mopse.Schema | None = None) -> mopse.Owner:
    """Return the owner of a keyring."""
    with naming(path):
        return mopse.Owner.open(path, password, schema=schema)


def opened_party(path: str, password: str, schema: mopse.Schema | None = None) -> Party:
    """Return the owner or provider of a keyring, whichever it is."""
    holder = opened_holder(path, password, schema)
    if isinstance(holder, mopse.User):
        raise InvalidInputError(
            f"{path}: it is a user's, and this is for owners and providers: a user has `mopse user "
            "status`, `mopse read` with a query, and `mopse find` and `mopse fetch` with --request"
        )
    return holder


def opened_holder(
    path: str, password: str, schema: mopse.Schema | None = None
) -> Party | mopse.User:
    """Return the owner, provider or user of a file, whichever it is."""
    with naming(path):
        # Each says so before it works on anything.
        with _another_kind():
            return mopse.Provider.open(path, password, schema=schema)
        with _another_kind():
            return mopse.Owner.open(path, password, schema=schema)
        return mopse.User.open(path, password)


@contextlib.contextmanager
def _another_kind() -> Iterator[None]:
    """Pass over the error that a file is of another kind of holder."""
    try:
        yield
    except InvalidInputError as error:
        if "the file is not a" not in str(error):
            raise
