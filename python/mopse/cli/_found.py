"""How records that a query finds are printed, by whichever command asks."""

import argparse
from collections.abc import Mapping
from typing import Any

import polars as pl

from mopse.cli._output import counted, note, print_document, print_table, rows_of
from mopse.cli._words import in_commands

__all__ = ["NOTHING_FOUND", "add_report", "faults_in_commands", "print_found"]

NOTHING_FOUND = 3
"""The exit code of a question that nothing answers."""


def add_report(command: argparse.ArgumentParser) -> None:
    """Add whether what does not open is reported."""
    command.add_argument(
        "--report",
        action="store_true",
        help="print what opens, and what does not as faults, instead of refusing all",
    )


def faults_in_commands(faults: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what did not open, with the causes in the words of commands."""
    return [{**fault, "cause": in_commands(fault["cause"])} for fault in rows_of(faults)]


def print_found(
    given: argparse.Namespace, found: Any, proven: Mapping[str, Any], *notes: str
) -> int:
    """Print what was found, with `proven` beside it in a document; return the exit code.

    Notes are printed between the records and their number.
    """
    records, faults = (found[0], faults_in_commands(found[1])) if given.report else (found, None)
    if given.json:
        document = {"records": rows_of(records)}
        if faults is not None:
            document["faults"] = faults
        print_document(document | dict(proven))
    else:
        print_table(records)
    for one in (*notes, counted(records.height, "record")):
        note(one)
    if faults:
        for fault in faults:
            record = "" if fault["record"] is None else f", record {fault['record']}"
            note(f"provider {fault['provider']!r}{record}: {fault['cause']}")
        return 1
    return 0 if records.height else NOTHING_FOUND
