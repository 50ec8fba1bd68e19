"""The command ``mopse labs``."""

import argparse

from mopse import labs
from mopse.cli._command import Commands, add_command

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "labs",
        short="make the students' notebooks from those with the answers",
        long=labs.__doc__,
    )
    command.add_argument(
        "solution",
        nargs="*",
        help="a notebook with answers; by default those of this clone, an installed package has "
        "none",
    )
    command.add_argument(
        "--out", default="mopse-labs", metavar="DIR", help="the folder (default: %(default)s)"
    )
    command.add_argument(
        "--replace",
        action="store_true",
        help="write in place of files that are there and differ, whatever answers they hold",
    )
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    made = labs.make(given.solution or labs.solutions(), given.out, replace=given.replace)
    for solution, student in made.items():
        print(f"{solution.name}: {student}")
