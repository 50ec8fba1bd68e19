"""The command ``mopse evaluate``."""

import argparse

from mopse import evaluate
from mopse.cli._command import Commands, add_command, add_experiments, show

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "evaluate",
        short="run the performance experiments and write tables and figures",
        long=evaluate.run.__doc__,
    )
    add_experiments(command, evaluate.EXPERIMENTS)
    command.add_argument(
        "--rust-peers",
        nargs="?",
        const=evaluate.PEERS,
        metavar="COMMAND",
        help=f"measure Rust crates too (default command: {evaluate.PEERS})",
    )
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    written = evaluate.run(
        given.out, fast=given.fast, only=given.only, rust_peers=given.rust_peers, progress=True
    )
    show(written)
