"""The command ``mopse user``: somebody who reads, with keys of its own."""

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator

import polars as pl

import mopse
from mopse._files import as_file, read_whole
from mopse.cli._command import Commands, NotUnderstoodError
from mopse.cli._grants import write_new
from mopse.cli._keyrings import add_password, locked, made_new, must_be_there, password_of
from mopse.cli._output import add_json, counted, print_document, print_line, print_table, rows_of
from mopse.cli._schema_file import naming
from mopse.cli._session import add_documented

__all__ = ["add", "opened_user"]

_MOST = 1 << 28
"""Bytes of a sealed grant."""


def add(commands: Commands) -> None:
    """Add the command."""
    user = add_documented(
        commands,
        "user",
        short="read with keys of one's own",
        long="""Make a user with keys of its own, accept grants that were sealed to it, and say what
        it has. `mopse read --as` reads with it.""",
        example="mopse user new --keyring doctor.user --out doctor.public",
    )
    of = user.add_subparsers(title="commands", required=True)

    new = add_documented(
        of,
        "new",
        short="make a user with keys of its own",
        long="""Make a user: its keys in a file under a password, and its public keys in another
        one, for owners and providers, who seal grants to them: `mopse grant --user`. That public
        keys are yours is for you and them to make sure, by a call for instance: compare the name
        that is printed.""",
        example="mopse user new --keyring doctor.user --out doctor.public",
    )
    _add_keyring(new)
    new.add_argument("--out", required=True, metavar="FILE", help="the new file of public keys")
    new.add_argument(
        "--post-quantum",
        action="store_true",
        help="have grants sealed by X-Wing, which a quantum computer does not open later",
    )
    add_json(new)
    new.set_defaults(run=_new)

    accept = add_documented(
        of,
        "accept",
        short="take grants that were sealed to a user",
        long="""Take grants that owners and providers have sealed to this user, all of them or none,
        and keep them with its keys.""",
        example="mopse user accept hospital.grant --keyring doctor.user",
    )
    accept.add_argument("grants", nargs="+", metavar="FILE", help="a sealed grant")
    _add_keyring(accept)
    add_json(accept)
    accept.set_defaults(run=_accept)

    status = add_documented(
        of,
        "status",
        short="say what a user was granted",
        long="Print the name of a user, and what it has accepted: a table of its grants.",
        example="mopse user status --keyring doctor.user",
    )
    _add_keyring(status)
    add_json(status)
    status.set_defaults(run=_status)


def _add_keyring(command: argparse.ArgumentParser) -> None:
    command.add_argument("--keyring", required=True, metavar="USER", help="the saved user")
    add_password(command, of="the user")


@contextlib.contextmanager
def opened_user(given: argparse.Namespace) -> Iterator[tuple[mopse.User, Callable[[], None]]]:
    """Lend a saved user that nobody else changes meanwhile, and what saves it."""
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        with naming(given.keyring):
            user = mopse.User.open(keyring, password)
        yield user, lambda: user.save(keyring, password)


def _new(given: argparse.Namespace) -> None:
    made_new(given.keyring)
    made_new(given.out)
    if os.path.realpath(given.keyring) == os.path.realpath(given.out):
        raise NotUnderstoodError("--keyring and --out are one file")
    password = password_of(given.password_fd, given.keyring, is_new=True)
    user = mopse.User.generate(post_quantum=given.post_quantum)
    with locked(given.keyring) as keyring:
        made_new(given.keyring)
        user.save(keyring, password)
    write_new(given.out, user.public)
    if given.json:
        print_document({"keyring": given.keyring, "public": given.out, "name": user.name.hex()})
    else:
        print_line(f"{given.keyring} is user {user.name.hex()}; {given.out} is for who shares.")


def _accept(given: argparse.Namespace) -> None:
    grants = [read_whole(as_file(path), _MOST) for path in given.grants]
    with opened_user(given) as (user, save):
        for path, grant in zip(given.grants, grants, strict=True):
            with naming(path):
                user.accept(grant)
        save()
        granted = user.granted
    if given.json:
        print_document({"accepted": len(grants), "grants": granted.height})
    else:
        print_line(f"{given.keyring} has {counted(granted.height, 'grant')}.")


def _status(given: argparse.Namespace) -> None:
    with opened_user(given) as (user, _):
        granted = user.granted.with_columns(owner=user.granted["owner"].bin.encode("hex"))
    if given.json:
        print_document({"name": user.name.hex(), "grants": rows_of(granted)})
    else:
        print_line(user.name.hex())
        print_table(granted.with_columns(pl.col("portions").list.join(", ")))
