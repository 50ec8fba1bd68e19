"""The console command ``mopse``."""

import argparse
from importlib.metadata import version

from mopse import demo

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
    given = parser.parse_args(arguments)
    given.run(given)


if __name__ == "__main__":
    main()
