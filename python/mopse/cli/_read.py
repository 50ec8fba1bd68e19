"""The command ``mopse read``."""

import argparse
from typing import Any

import mopse
from mopse._party import search
from mopse.cli._command import Commands
from mopse.cli._found import add_report, print_found
from mopse.cli._grants import read_grants, read_query
from mopse.cli._output import add_json
from mopse.cli._schema_file import naming, read_schema
from mopse.cli._session import add_cloud, add_documented, add_proof, opened_cloud

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "read",
        short="print records that were granted, with a query from `mopse query`",
        long="""Print the records that a query finds, as far as grants open them. Whoever reads has
        no keyring: an owner or provider gives the schema, the grants and the query, which decides
        what is found, as files. Several grants add up, one at least for each provider in reach.

        With --proof nothing may be missing that the providers sealed, and each record must be shown
        to be its provider's, by their signatures. Nothing is remembered of the seals: that one is
        older than another that was seen before is not noticed, as it is with a keyring.

        The exit code is 0 if there are records, 3 if there is none, 1 if something was refused or
        did not open, 2 if the command was not understood.""",
        example="""mopse read ages.query --grant hospital.grant --grant clinic.grant \\
                     --schema schema.toml --cloud phr.duckdb""",
    )
    command.add_argument("query", metavar="FILE", help="the query, from `mopse query`")
    command.add_argument(
        "--grant",
        action="append",
        required=True,
        metavar="FILE",
        help="a grant, from `mopse grant`; may be repeated",
    )
    command.add_argument("--schema", required=True, metavar="FILE.toml", help="the owner's schema")
    add_cloud(command)
    add_proof(command)
    add_report(command)
    add_json(command)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    schema = read_schema(given.schema)
    grants = read_grants(given.grant)
    for path, grant in zip(given.grant, grants, strict=True):
        with naming(path):
            mopse.User(schema, [grant])
    user = mopse.User(schema, grants)
    query = read_query(given.query, schema)
    proof = "signatures" if given.proof else None
    with opened_cloud(given) as cloud:
        answer = search(cloud, query, proof=proof)
    found: Any = user.decrypt(
        answer,
        query,
        proof=proof,
        max_age=given.max_age,
        faults="report" if given.report else "raise",
    )
    proven: dict[str, Any] = {}
    notes = []
    if answer.proven is not None:
        seals = dict(sorted(answer.proven.select("provider", "seal").iter_rows()))
        proven["seals"] = seals
        shown = ", ".join(f"{path} {number}" for path, number in seals.items())
        after = "what came after them is refused"
        notes.append(f"nothing is missing that these seals state: {shown}; {after}")
    if answer.unchecked:
        fields = ", ".join(answer.unchecked)
        notes.append(f"not granted, so that records beyond the bounds may be among these: {fields}")
    return print_found(given, found, proven, *notes)
