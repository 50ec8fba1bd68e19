"""The command ``mopse attack``."""

import argparse

from mopse import attacks
from mopse.cli._command import Commands, add_command, add_experiments, show

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "attack",
        short="run the security evaluation and write tables and figures",
        long=attacks.run.__doc__,
    )
    add_experiments(command, attacks.EXPERIMENTS)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    show(attacks.run(given.out, fast=given.fast, only=given.only, progress=True))
