"""What the commands share."""

import argparse
from collections.abc import Iterable
from typing import TypeAlias

from mopse import evaluate
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Room

__all__ = [
    "RESUMING",
    "Commands",
    "NotUnderstoodError",
    "add_command",
    "add_experiments",
    "run_experiments",
]

RESUMING = (
    "Tables of the same run that are in the folder already, also in part, are completed, not made "
    "again; a table of another run is refused. machine.json says where it ran."
)

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class NotUnderstoodError(InvalidInputError):
    """A command cannot be read, before anything is done: its exit code is that of argparse."""


def add_command(
    commands: Commands, name: str, *, short: str, long: str | None
) -> argparse.ArgumentParser:
    """Add a command, described in a line and, when it is asked about, in full."""
    return commands.add_parser(
        name,
        help=short,
        description=long,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_experiments(command: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add what every command that runs experiments takes."""
    command.add_argument("--fast", action="store_true", help="small sizes: to see that it works")
    command.add_argument(
        "--out", default="mopse-results", metavar="DIR", help="the folder (default: %(default)s)"
    )
    command.add_argument(
        "--anew", action="store_true", help="remove the tables that are there, and run again"
    )
    command.add_argument("--only", nargs="+", default=[], metavar="NAME", help=", ".join(names))


def run_experiments(
    room: Room,
    given: argparse.Namespace,
    *,
    rust_peers: str | None = None,
    store: str | None = None,
) -> None:
    """Run the experiments of a room, and print where tables and figures are."""
    written = evaluate.run(
        given.out,
        room=room,
        only=given.only,
        fast=given.fast,
        anew=given.anew,
        progress=True,
        rust_peers=rust_peers,
        store=store,
    )
    for name, path in written.items():
        print(f"{name}: {path} and {path.with_suffix('.png')}")
