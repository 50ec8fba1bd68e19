"""The command ``mopse ask``."""

import argparse

import mopse
from mopse.cli._bounds import bounds
from mopse.cli._command import Commands
from mopse.cli._found import add_report, print_found
from mopse.cli._output import add_json, rows_of
from mopse.cli._session import (
    add_cloud,
    add_documented,
    add_party,
    add_proof,
    check_proof,
    session,
)

__all__ = ["add"]

_LONG = """Print the records of a cloud whose fields meet all bounds of a query, as an owner of all
providers, as a provider of its own and of those below it.

A query is bounds joined with `and`, nothing more: <= >= = < >, also as 40 <= age <= 60. Text,
categories and dates stand in quotes ('good', '2026-05-31'), numbers do not; truth values are true
and false. A field with a space in its name stands in quotes, or in backticks where a value could be
meant. < and > are for whole numbers and dates: of decimals, results of a calculation lie beside the
value that is shown, so that nobody knows which one is the next. Mind your shell: the query is one
argument, in quotes.

The exit code is 0 if there are records, 3 if there is none, 1 if something was refused or did not
open, 2 if the command was not understood."""


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "ask",
        short="print the records within bounds",
        long=_LONG,
        example="""mopse ask --as owner.keyring --cloud phr.duckdb \\
                     'age >= 40 and age <= 60 and sbp >= 140'""",
    )
    command.add_argument("query", help="bounds of fields, joined with 'and'")
    add_party(command)
    add_cloud(command)
    add_proof(command)
    add_report(command)
    add_json(command)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    check_proof(given)
    with session(given) as at:
        ranges = bounds(given.query, at.party.schema)
        with at.remembering(has_proof=given.proof):
            found, answer = at.party._asked(
                at.cloud,
                ranges,
                {},
                proof=True if given.proof else None,
                max_age=given.max_age,
                faults="report" if given.report else "raise",
                by_provider=False,
            )
        seals = {path: n for (path, _), n, _ in sorted(at.party._keyring.seals_seen)}
    if not given.proof:
        return print_found(given, found, {})
    unsealed = _unsealed(answer)
    shown = ", ".join(f"{path} {number}" for path, number in sorted(seals.items()))
    late = ", ".join(f"{path} {count:,}" for path, count in unsealed.items())
    return print_found(
        given,
        found,
        {"seals": seals, "unsealed": unsealed},
        f"nothing is missing that these seals state: {shown}",
        f"records of the answer that came after the seals: {late or 'none'}; others that came "
        "after them may be missing",
    )


def _unsealed(answer: mopse.Answer) -> dict[str, int]:
    """Return how many records of an answer are in no seal, by provider."""
    late: dict[str, int] = {}
    for one in () if answer.proven is None else rows_of(answer.proven):
        if one["unsealed"]:
            late[one["provider"]] = late.get(one["provider"], 0) + one["unsealed"]
    return dict(sorted(late.items()))
