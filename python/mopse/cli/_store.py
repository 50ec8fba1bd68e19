"""Look after a store that lasts: whether it is whole, that nothing removed is left, and Parquet.

Everything in a store is encrypted, and no key is asked for.
"""

import argparse
import sys

from mopse.cli._command import Commands, add_command
from mopse.cli._output import counted
from mopse.cli._waiting import add_wait, waiting_for
from mopse.stores import opened_store
from mopse.stores._sql import SqlStore

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands, "store", short="check or purge a store, or write it as Parquet", long=__doc__
    )
    does = command.add_subparsers(title="what it does", required=True)
    check = add_command(
        does,
        "check",
        short="hold every row against its digest",
        long="Say what is damaged, if anything.",
    )
    check.add_argument("path", help="the store, as in phr.duckdb or postgresql://...")
    add_wait(check)
    check.set_defaults(run=_check)
    export = add_command(
        does,
        "export",
        short="write records as sorted Parquet",
        long="Write a file for each group, in the order of its first field.",
    )
    export.add_argument("path", help="the store, as in phr.duckdb or postgresql://...")
    export.add_argument(
        "--out", default="mopse-store", metavar="DIR", help="the folder (default: %(default)s)"
    )
    export.add_argument(
        "--replace", action="store_true", help="write in place of files that are there"
    )
    add_wait(export)
    export.set_defaults(run=_export)
    purge = add_command(
        does,
        "purge",
        short="write it anew, without what was removed",
        long="Write a store anew, so that the bytes of what was removed are in it no more. A file "
        "needs as much room again, and nobody else may have it open; a database is locked a table "
        "at a time. Backups, a server's log and freed blocks of a disk are not reached.",
    )
    purge.add_argument("path", help="the store, as in phr.duckdb or postgresql://...")
    add_wait(purge)
    purge.set_defaults(run=_purge)


def _opened(given: argparse.Namespace) -> SqlStore:
    return waiting_for(given.path, lambda: opened_store(given.path, must_exist=True), given.wait)


def _check(given: argparse.Namespace) -> None:
    with _opened(given) as store:
        damage = store.check()
        held = _held(store)
    for line in damage:
        print(line)
    if damage:
        sys.exit(f"mopse: the store is damaged: {counted(len(damage), 'fault')}")
    print(f"The store is whole: {held}.")


def _held(store: SqlStore) -> str:
    """Return how much a store holds."""
    entries, files, _, _ = store.totals
    kinds = (sum(line[3] for line in store.contents), "record"), (entries, "entry"), (files, "file")
    return ", ".join(counted(*kind) for kind in kinds)


def _export(given: argparse.Namespace) -> None:
    with _opened(given) as store:
        written = store.export(given.out, replace=given.replace)
    for group, path in written.items():
        print(f"{group}: {path}")


def _purge(given: argparse.Namespace) -> None:
    with _opened(given) as store:
        store.purge()
        held = _held(store)
    print(
        f"The store is written anew: {held}.\n"
        "What was removed is in it no more; it may be in backups, a server's log and freed blocks "
        "of a disk."
    )
