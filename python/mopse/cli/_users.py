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
from mopse.cli._output import (
    add_json,
    counted,
    note,
    print_document,
    print_line,
    print_table,
    rows_of,
)
from mopse.cli._schema_file import naming
from mopse.cli._session import add_documented
from mopse.cli._words import told
from mopse.errors import MopseError, ScopeError

__all__ = ["add", "opened_user"]

_MOST = 1 << 28
"""Bytes of a sealed grant."""

_ANOTHER = "is for another user"


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
        long="""Take grants that owners and providers have sealed to this user, and keep them with
        its keys. Each is taken whole or not at all. Those of other users are named and passed over,
        so that all files of a folder may be given. Any other that cannot be taken is named too.

        The exit code is 0 if all that are for this user were taken, 1 if one was not or none is for
        it.""",
        example="""mopse user accept hospital.grant --keyring doctor.user
                   mopse user accept anew/* --keyring doctor.user""",
    )
    accept.add_argument("grants", nargs="+", metavar="FILE", help="a sealed grant")
    _add_keyring(accept)
    add_json(accept)
    accept.set_defaults(run=_accept)

    status = add_documented(
        of,
        "status",
        short="say what a user was granted",
        long="""Print the name of a user, a table of its grants, those that open something now, and
        one of its rights to search. Grants that have ended, and those whose like was given again
        later, are counted.""",
        example="mopse user status --keyring doctor.user",
    )
    status.add_argument(
        "--all", action="store_true", help="also those that have ended or were given again"
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


def _accept(given: argparse.Namespace) -> int:
    taken, others = 0, 0
    refused: list[str] = []
    with opened_user(given) as (user, save):
        for path in dict.fromkeys(given.grants):
            try:
                with naming(path):
                    user.accept(read_whole(as_file(path), _MOST))
            except MopseError as error:
                is_of_another = isinstance(error, ScopeError) and _ANOTHER in str(error)
                others += is_of_another
                if not is_of_another:
                    refused.append(path)
                note(told(error))
            else:
                taken += 1
        if taken:
            save()
        granted = user.granted.filter("is_current")
        rights = user.rights["right"].n_unique()
    if given.json:
        counts = {"accepted": taken, "of_others": others, "refused": refused}
        print_document({**counts, "grants": granted.height, "rights": rights})
    elif taken:
        has = counted(granted.height, "grant")
        if rights:
            has = f"{has} and {counted(rights, 'right')} to search"
        print_line(f"{counted(taken, 'file')} taken; {given.keyring} has {has}.")
    if not (taken or refused):
        note(f"no grant is for the user of {given.keyring}")
    return 0 if taken and not refused else 1


def _status(given: argparse.Namespace) -> None:
    with opened_user(given) as (user, _):
        named = pl.col("owner").bin.encode("hex")
        granted, rights = user.granted.with_columns(named), user.rights.with_columns(named)
    passed = 0 if given.all else granted.height - granted.filter("is_current").height
    if not given.all:
        granted = granted.filter("is_current").drop("is_current")
    if given.json:
        told_of = {"grants": rows_of(granted), "rights": rows_of(rights), "left_out": passed}
        print_document({"name": user.name.hex(), **told_of})
    else:
        print_line(user.name.hex())
        print_table(granted.with_columns(pl.col("portions").list.join(", ")))
        if rights.height:
            print_table(rights.with_columns(pl.col("groups").list.join(", ")))
    if passed:
        note(f"{counted(passed, 'grant')} ended or given again: --all shows them too")
