"""The console command ``mopse``."""

import argparse
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from mopse import attacks, demo, evaluate, labs
from mopse.errors import MopseError

__all__ = ["main"]


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
    parser.add_argument("--version", action="version", version=f"mopse {version('mopse')}")
    commands = parser.add_subparsers(title="commands", required=True)
    command = commands.add_parser(
        "demo",
        help="encrypt, merge, query and decrypt a real health survey",
        description=demo.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--figure",
        default="mopse-demo.png",
        metavar="PATH",
        help="where the figure goes, .png or .svg (default: %(default)s)",
    )
    command.set_defaults(run=lambda given: demo.run(given.figure))
    command = commands.add_parser(
        "evaluate",
        help="run the performance experiments and write tables and figures",
        description=evaluate.run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_experiments(command, evaluate.EXPERIMENTS)
    command.add_argument(
        "--rust-peers",
        nargs="?",
        const=evaluate.PEERS,
        metavar="COMMAND",
        help=f"measure Rust crates too (default command: {evaluate.PEERS})",
    )
    command.set_defaults(run=_evaluate)
    command = commands.add_parser(
        "attack",
        help="run the security evaluation and write tables and figures",
        description=attacks.run.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_experiments(command, attacks.EXPERIMENTS)
    command.set_defaults(run=_attack)
    command = commands.add_parser(
        "labs",
        help="make the students' notebooks from those with the answers",
        description=labs.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    command.set_defaults(run=_labs)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except MopseError as error:
        sys.exit(f"mopse: {error}")


def _add_experiments(command: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add what every command that runs experiments takes."""
    command.add_argument("--fast", action="store_true", help="small sizes: to see that it works")
    command.add_argument(
        "--out", default="mopse-results", metavar="DIR", help="the folder (default: %(default)s)"
    )
    command.add_argument("--only", nargs="+", default=[], metavar="NAME", help=", ".join(names))


def _evaluate(given: argparse.Namespace) -> None:
    written = evaluate.run(
        given.out, fast=given.fast, only=given.only, rust_peers=given.rust_peers, progress=True
    )
    _list(written)


def _attack(given: argparse.Namespace) -> None:
    _list(attacks.run(given.out, fast=given.fast, only=given.only, progress=True))


def _list(written: dict[str, Path]) -> None:
    for name, path in written.items():
        print(f"{name}: {path} and {path.with_suffix('.png')}")


def _labs(given: argparse.Namespace) -> None:
    made = labs.make(given.solution or labs.solutions(), given.out)
    for solution, student in made.items():
        print(f"{solution.name}: {student}")


if __name__ == "__main__":
    main()
