"""The command ``mopse attack``."""

import argparse

from mopse import evaluate
from mopse.cli._command import RESUMING, Commands, add_command, add_experiments, run_experiments

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "attack",
        short="run the security evaluation and write tables and figures",
        long=f"Run the security evaluation and write its tables and figures. {RESUMING}",
    )
    add_experiments(command, evaluate.experiments_of("security"))
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    run_experiments("security", given)
