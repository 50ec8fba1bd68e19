"""What the commands share."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

__all__ = ["Commands", "add_command", "add_experiments", "show"]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


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
    command.add_argument("--only", nargs="+", default=[], metavar="NAME", help=", ".join(names))


def show(written: dict[str, Path]) -> None:
    """Print where tables and figures are."""
    for name, path in written.items():
        print(f"{name}: {path} and {path.with_suffix('.png')}")
