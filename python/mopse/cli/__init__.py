"""The console command ``mopse``: one module for each of its commands.

A command is a module with `add`, which tells its arguments, and what it runs.
"""

import argparse
import sys

import mopse
from mopse.cli import _attack, _demo, _evaluate, _labs
from mopse.errors import MopseError

__all__ = ["main"]

_COMMANDS = (_demo, _evaluate, _attack, _labs)


def main(arguments: list[str] | None = None) -> None:
    """Run the command.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the command's name; by default what the shell gave.
    """
    parser = argparse.ArgumentParser(
        prog="mopse",
        description="Order-preserving encryption of record indexes under one key per provider, "
        "and what it leaks.",
    )
    parser.add_argument("--version", action="version", version=f"mopse {mopse.__version__}")
    commands = parser.add_subparsers(title="commands", required=True)
    for command in _COMMANDS:
        command.add(commands)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except MopseError as error:
        sys.exit(f"mopse: {error}")
