"""What the commands of parties share: their arguments, and a keyring with a cloud to use it at.

Exit codes: 0 done, or found; 1 refused; 2 the command was not understood; 3 nothing was found.

What a keyring has learned is saved before a cloud hears of it wherever the cloud could otherwise
know more of the party than the party does: announcements, uploads, attachments. A seal is saved
when the cloud has taken it.
"""

import argparse
import contextlib
import datetime
import errno
import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import mopse
from mopse.cli._command import Commands, NotUnderstoodError, add_command
from mopse.cli._found import NOTHING_FOUND
from mopse.cli._keyrings import (
    Party,
    add_password,
    locked,
    must_be_there,
    opened_party,
    password_of,
)
from mopse.cli._schema_file import read_schema
from mopse.cli._waiting import add_wait, waiting_for
from mopse.errors import MissingFileError, OutdatedError, ScopeError

__all__ = [
    "NOTHING_FOUND",
    "Session",
    "add_cloud",
    "add_documented",
    "add_party",
    "add_proof",
    "as_provider",
    "check_proof",
    "opened_cloud",
    "session",
]

CLOUD = "as in phr.duckdb, postgresql://user@host/database or https://host:8734"

_Done = TypeVar("_Done")


def add_documented(
    commands: Commands, name: str, *, short: str, long: str, example: str
) -> argparse.ArgumentParser:
    """Add a command, described in a line and, when it is asked about, in full with an example."""
    paragraphs = [textwrap.fill(" ".join(part.split()), 79) for part in long.split("\n\n")]
    shown = textwrap.indent("\n".join(line.strip() for line in example.splitlines()), "  ")
    shown = shown.replace("\\\n  ", "\\\n    ")
    return add_command(
        commands,
        name,
        short=short,
        long="\n\n".join([*paragraphs, f"Example:\n\n{shown}"]),
    )


def add_party(command: argparse.ArgumentParser) -> None:
    """Add who runs a command."""
    command.add_argument(
        "--as",
        dest="keyring",
        required=True,
        metavar="KEYRING",
        help="the saved keyring of whoever does this",
    )
    add_password(command)
    command.add_argument(
        "--schema",
        metavar="FILE.toml",
        help="the schema, where it declares types of columns, which no keyring holds",
    )


def add_cloud(
    command: argparse.ArgumentParser, *, is_needed: bool = True, why: str = "the cloud"
) -> None:
    """Add which cloud a command uses."""
    command.add_argument(
        "--cloud",
        *(["--to"] if is_needed else []),
        dest="cloud",
        required=is_needed,
        metavar="CLOUD",
        help=f"{why}, {CLOUD}",
    )
    add_wait(command)
    command.add_argument(
        "--certificate",
        metavar="FILE.pem",
        help="the certificate of a cloud at https:// that is trusted instead of the system's",
    )


def add_proof(command: argparse.ArgumentParser) -> None:
    """Add whether what is found must be proven."""
    command.add_argument(
        "--proof",
        action="store_true",
        help="refuse what is not shown to hold all that the providers sealed",
    )
    command.add_argument(
        "--max-age",
        type=_hours,
        metavar="HOURS",
        help="how old a seal may be; with --proof",
    )


def check_proof(given: argparse.Namespace) -> None:
    """Refuse an age of seals where none are asked for."""
    if given.max_age is not None and not given.proof:
        raise NotUnderstoodError("--max-age is about seals: it goes with --proof")


def _hours(number: str) -> datetime.timedelta:
    if not (number.isascii() and number.isdigit() and len(number) < 7):
        raise argparse.ArgumentTypeError("it must be a whole number of hours")
    return datetime.timedelta(hours=int(number))


@contextlib.contextmanager
def opened_cloud(given: argparse.Namespace, *, may_make: bool = False) -> Iterator[mopse.Cloud]:
    """Lend the cloud that a command names.

    It must be there unless it may be made: a slip would make an empty one.
    """
    address = os.fspath(given.cloud)
    if not address:
        raise NotUnderstoodError("--cloud names nothing")
    if not may_make and "://" not in address and not Path(address).exists():
        raise MissingFileError(errno.ENOENT, "there is no such cloud", address)

    def opened() -> mopse.Cloud:
        return mopse.Cloud(address, certificate=given.certificate)

    with waiting_for(address, opened, given.wait) as cloud:
        yield cloud


class Session:
    """A keyring that nobody else changes meanwhile, and the cloud it is used at."""

    def __init__(self, party: Party, cloud: mopse.Cloud, keyring: Path, password: str) -> None:
        self.party, self.cloud = party, cloud
        self._keyring, self._password = keyring, password

    def save(self) -> None:
        """Write the keyring back in one step, with what it has learned."""
        self.party.save(self._keyring, self._password)

    def save_ledger(self) -> None:
        """Save what a provider knows of its records, if its schema has it keep a ledger."""
        if self.party.schema.proven:
            self.save()

    def learn(self) -> None:
        """Take over what was announced, as that readers have left, before anything is sealed.

        It is not saved by itself: the next command is told the same.
        """
        with contextlib.suppress(ScopeError):  # of an epoch that was left: what is sent says so
            self.party._keyring.catch_up(self.cloud.announcements(self.party.key))

    def up_to_date(self, ask: Callable[[], _Done]) -> _Done:
        """Return what a question returns, after the keyring has caught up if it must."""
        try:
            return ask()
        except OutdatedError:
            if self.party.catch_up(self.cloud):
                self.save()
            return ask()

    @contextlib.contextmanager
    def remembering(self, *, has_proof: bool) -> Iterator[None]:
        """Save the keyring behind a question, if it has learned of parties or seals."""
        before = self.party.providers, self.party.groups
        yield
        if has_proof or (self.party.providers, self.party.groups) != before:
            self.save()


@contextlib.contextmanager
def session(given: argparse.Namespace) -> Iterator[Session]:
    """Lend the keyring and the cloud that a command names."""
    must_be_there(given.keyring)
    schema = None if given.schema is None else read_schema(given.schema)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        party = opened_party(given.keyring, password, schema)
        with opened_cloud(given) as cloud:
            yield Session(party, cloud, keyring, password)


def as_provider(party: Party, keyring: str) -> mopse.Provider:
    """Return a party that has records of its own, which an owner has not."""
    if isinstance(party, mopse.Owner):
        raise mopse.errors.InvalidInputError(
            f"{keyring}: it is an owner's keyring, and records are a provider's"
        )
    return party
