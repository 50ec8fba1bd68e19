"""The command ``mopse compare``."""

import argparse

import polars as pl

import mopse
from mopse.cli._command import Commands
from mopse.cli._keyrings import add_password, must_be_there, opened_holder, password_of
from mopse.cli._output import add_json, note, print_document, print_table
from mopse.cli._session import NOTHING_FOUND, add_documented

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "compare",
        short="compare the seals that two parties have seen",
        long="""Compare the newest seals that two parties have seen of each provider of an owner:
        whether a cloud shows both the same history. Parties are owners, providers and users. No
        cloud is asked, and nothing is changed.

        The exit code is 0 if the seals that can be compared are the same, 3 if none can be, and 1
        if the parties were shown two histories; the providers are named.""",
        example="""mopse compare --as owner.keyring --with hospital.keyring
                   mopse compare --as doctor.user --with owner.keyring""",
    )
    command.add_argument(
        "--as", dest="keyring", required=True, metavar="KEYRING", help="a saved keyring or user"
    )
    add_password(command)
    command.add_argument(
        "--with", dest="other_keyring", required=True, metavar="KEYRING", help="the other one"
    )
    add_password(command, "--with-password-fd", "the other keyring")
    add_json(command)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    must_be_there(given.keyring)
    must_be_there(given.other_keyring)
    party = _opened(given.keyring, given.password_fd, "--password-fd")
    other = _opened(given.other_keyring, given.with_password_fd, "--with-password-fd")
    same = sorted(party.compare(other).items())
    if given.json:
        print_document({"seals": dict(same)})
    else:
        print_table(
            pl.DataFrame(same, schema={"provider": pl.String, "seal": pl.Int64}, orient="row")
        )
    note("both have seen these seals" if same else "both have seen no seal that can be compared")
    return 0 if same else NOTHING_FOUND


def _opened(
    keyring: str, number: int | None, flag: str
) -> mopse.Owner | mopse.Provider | mopse.User:
    password = password_of(number, keyring, flag=flag, is_new=False)
    return opened_holder(keyring, password)
