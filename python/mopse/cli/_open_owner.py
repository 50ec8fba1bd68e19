"""The owner of a command: its keyring, and what a cloud is told of it."""

import argparse
import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import mopse
from mopse._files import PRIVATE, as_folder, telling, write_whole
from mopse.cli._keyrings import add_password, locked, must_be_there, opened_owner, password_of
from mopse.cli._output import add_json, note, print_document, print_line
from mopse.cli._session import add_cloud, opened_cloud
from mopse.errors import ChangedError, InvalidInputError, ReplayError

__all__ = [
    "LEARNS",
    "TELLS",
    "OpenOwner",
    "add_change",
    "add_keyring",
    "given_anew",
    "say",
    "short",
    "untold",
]

TELLS = "a cloud to tell of it"
LEARNS = "a cloud to learn from first what the keyring missed"

Change: TypeAlias = Callable[[mopse.Owner], Mapping[bytes, list[bytes]]]
"""What changes with whom an owner shares what, and returns what each user is given."""


def add_keyring(command: argparse.ArgumentParser, what: str = "the owner's keyring") -> None:
    """Add the owner's keyring and its password."""
    command.add_argument("--keyring", required=True, metavar="FILE", help=what)
    add_password(command, of="the owner's keyring")
    add_json(command)


def add_change(
    command: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], None],
    *,
    grants: str,
    cloud: str,
) -> None:
    """Add what a command takes that changes with whom an owner shares what, and what it runs."""
    command.add_argument(
        "--out", required=True, metavar="FOLDER", help=f"where {grants} are written"
    )
    add_keyring(command)
    add_cloud(command, is_needed=False, why=cloud)
    command.set_defaults(run=run)


class OpenOwner:
    """An owner whose keyring nobody else changes meanwhile."""

    def __init__(self, owner: mopse.Owner, keyring: Any, password: str) -> None:
        self.owner, self._keyring, self._password = owner, keyring, password

    def announce(self) -> bytes:
        """Return what a cloud is to know, once the keyring on the disk knows it."""
        public = self.owner.public
        self.owner.save(self._keyring, self._password)
        return public

    def meet(self, cloud: mopse.Cloud) -> None:
        """Tell a cloud all there is, and take over what a copy of the keyring told it."""
        try:
            cloud.enroll(self.announce())
        except (ChangedError, ReplayError):
            before, readers = set(self.owner.providers), self._readers()
            self.owner.catch_up(cloud)
            undone = self._revoked_of(set(self.owner.providers) - before)
            undone += [user.hex()[:16] for user in self._readers() - readers]
            cloud.enroll(self.announce())
            if undone:
                raise ChangedError(
                    "a copy of this keyring has told the cloud something else meanwhile: this one "
                    "has caught up, and what it had revoked or taken back alone is undone, and to "
                    f"be done again: {', '.join(sorted(undone))}"
                ) from None

    def _revoked_of(self, paths: set[str]) -> list[str]:
        """Return which of these the keyring on the disk knows, and had revoked."""
        if not paths:
            return []
        kept = opened_owner(os.fspath(self._keyring), self._password)
        found = []
        for path in paths:
            with contextlib.suppress(InvalidInputError):  # whom it never knew
                kept.removal(path)
                found.append(path)
        return found

    def _readers(self) -> set[bytes]:
        """Return the users with whom something is shared."""
        return {*self.owner.shared["user"], *self.owner.delegated["user"]}


def given_anew(given: argparse.Namespace, change: Change) -> tuple[mopse.Owner, list[str]]:
    """Change with whom an owner shares what; write what each user is given, and tell the cloud.

    Returns
    -------
    tuple of (Owner, list of str)
        The owner, and the names of the files, which begin with those of their users.
    """
    must_be_there(given.keyring)
    folder = as_folder(given.out)
    with telling(folder):
        folder.mkdir(exist_ok=True)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring, contextlib.ExitStack() as stack:
        opened = OpenOwner(opened_owner(given.keyring, password), keyring, password)
        cloud = None
        if given.cloud is not None:
            cloud = stack.enter_context(opened_cloud(given))
            opened.meet(cloud)
        anew = change(opened.owner)
        # Given again, the command serves everybody again: what is lost here is made anew.
        announced = opened.announce()
        written = [_written(folder, user, grant) for user, of in anew.items() for grant in of]
        if cloud is not None:
            cloud.enroll(announced)
    return opened.owner, written


def _written(folder: Path, user: bytes, grant: bytes) -> str:
    """Write a sealed grant to a file that is named by its user; return that name."""
    parts = [hashlib.sha256(part).hexdigest() for part in (user, grant)]
    file = folder / f"{parts[0][:16]}-{parts[1][:8]}.grant"
    write_whole(file, grant, PRIVATE)
    return file.name


def say(given: argparse.Namespace, line: str, **document: Any) -> None:
    """Print what was done, as a line or as JSON."""
    if given.json:
        print_document(document)
    else:
        print_line(line)


def untold(given: argparse.Namespace) -> None:
    """Say that no cloud knows of what was done, if none does."""
    if given.cloud is None:
        note("no cloud was told of it: `mopse owner enroll` does that")


def short(owner: mopse.Owner) -> str:
    """Return what an owner is called where people read it."""
    return owner.key[:8].hex()
