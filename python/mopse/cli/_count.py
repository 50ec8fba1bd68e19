"""The command ``mopse count``."""

import argparse
from typing import Any

import mopse
from mopse.cli._bounds import bounds
from mopse.cli._command import Commands
from mopse.cli._output import add_json, note, print_document, print_line
from mopse.cli._session import (
    NOTHING_FOUND,
    add_cloud,
    add_documented,
    add_party,
    add_proof,
    check_proof,
    session,
)

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "count",
        short="count the records within bounds",
        long="""Count the records of a cloud whose fields meet all bounds of a query, and fetch none
        of them; `mopse ask --help` says what a query is. Of a field whose cells are wider than one
        step, all records of the cells are counted that the bounds touch.

        The exit code is 0 if there are records, 3 if there is none, 1 if something was refused, 2
        if the command was not understood.""",
        example="mopse count --as owner.keyring --cloud phr.duckdb 'age >= 40 and sbp >= 140'",
    )
    command.add_argument("query", help="bounds of fields, joined with 'and'")
    add_party(command)
    add_cloud(command)
    add_proof(command)
    add_json(command)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    check_proof(given)
    with session(given) as at:
        ranges = bounds(given.query, at.party.schema)
        wide = sorted(name for name in ranges if at.party.schema[name].cell > 1)

        def count() -> int:
            proof = True if given.proof else None
            return at.party.count(at.cloud, ranges, proof=proof, max_age=given.max_age)

        with at.remembering(has_proof=given.proof):
            number = at.up_to_date(count)
    document: dict[str, Any] = {"count": int(number)}
    seals, unsealed = {}, 0
    if isinstance(number, mopse.messages.Count) and number.proven is not None:
        seals = dict(sorted(number.proven.select("provider", "seal").iter_rows()))
        unsealed = int(number.proven["unsealed"].sum())
        document |= {"unsealed": unsealed, "seals": seals}
    if given.json:
        print_document(document)
    else:
        print_line(f"{int(number):,}")
    if given.proof:
        shown = ", ".join(f"{path} {seal}" for path, seal in seals.items())
        note(f"none is missing that these seals state: {shown}; {unsealed:,} came after them")
    if wide:
        note(f"of whole cells: some may not meet the bounds of {', '.join(wide)}")
    return 0 if number else NOTHING_FOUND
