"""The command ``mopse compare``."""

import argparse

import polars as pl

from mopse.cli._command import Commands
from mopse.cli._keyrings import Party, add_password, must_be_there, opened_party, password_of
from mopse.cli._output import add_json, note, print_document, print_table
from mopse.cli._session import NOTHING_FOUND, add_documented

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "compare",
        short="compare the seals that two parties have seen",
        long="""Compare the newest seals that two parties of one owner have seen of each provider:
        whether a cloud shows both the same history. No cloud is asked, and nothing is changed.

        The exit code is 0 if the seals that can be compared are the same, 3 if none can be, and 1
        if the parties were shown two histories; the providers are named.""",
        example="mopse compare --as owner.keyring --with hospital.keyring",
    )
    command.add_argument(
        "--as", dest="keyring", required=True, metavar="KEYRING", help="a saved keyring"
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


def _opened(keyring: str, number: int | None, flag: str) -> Party:
    password = password_of(number, keyring, flag=flag, is_new=False)
    return opened_party(keyring, password)
