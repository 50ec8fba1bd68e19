"""The command ``mopse evaluate``."""

import argparse

from mopse import evaluate
from mopse.cli._command import RESUMING, Commands, add_command, add_experiments, run_experiments
from mopse.evaluate import performance

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "evaluate",
        short="run the performance experiments and write tables and figures",
        long="Run the performance experiments and write their tables and figures. peers "
        f"needs pyope. {RESUMING}",
    )
    add_experiments(command, evaluate.experiments_of("performance"))
    command.add_argument(
        "--rust-peers",
        nargs="?",
        const=performance.PEERS,
        metavar="COMMAND",
        help=f"measure Rust crates too (default command: {performance.PEERS})",
    )
    command.add_argument(
        "--store",
        metavar="STORE",
        help="what clouds keep things in, as in phr.duckdb or postgresql://...; each has an empty "
        "store of its own beside what is there (default: in memory)",
    )
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    run_experiments("performance", given, rust_peers=given.rust_peers, store=given.store)
