"""The command ``mopse read``."""

import argparse
from typing import Any

import mopse
from mopse.cli._command import Commands
from mopse.cli._grants import read_grants, read_query
from mopse.cli._output import add_json, note, print_document, print_table, rows_of
from mopse.cli._schema_file import naming, read_schema
from mopse.cli._session import NOTHING_FOUND, add_cloud, add_documented, add_proof, opened_cloud

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
    command.add_argument(
        "--report",
        action="store_true",
        help="print what opens, and what does not as faults, instead of refusing all",
    )
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
        answer = _whole(cloud, query, proof)
    found: Any = user.decrypt(
        answer,
        query,
        proof=proof,
        max_age=given.max_age,
        faults="report" if given.report else "raise",
    )
    records, faults = found if given.report else (found, None)
    document: dict[str, Any] = {"records": rows_of(records)}
    if faults is not None:
        document["faults"] = rows_of(faults)
    seals = {}
    if answer.proven is not None:
        seals = dict(sorted(answer.proven.select("provider", "seal").iter_rows()))
        document["seals"] = seals
    if given.json:
        print_document(document)
    else:
        print_table(records)
    if given.proof:
        shown = ", ".join(f"{path} {number}" for path, number in seals.items())
        note(f"nothing is missing that these seals state: {shown}; what came after them is refused")
    if answer.unchecked:
        fields = ", ".join(answer.unchecked)
        note(f"not granted, so that records beyond the bounds may be among these: {fields}")
    note(f"{records.height:,} record{'' if records.height == 1 else 's'}")
    if faults is not None and faults.height:
        for fault in rows_of(faults):
            note(f"provider {fault['provider']!r}, record {fault['record']}: {fault['cause']}")
        return 1
    return 0 if records.height else NOTHING_FOUND


def _whole(cloud: mopse.Cloud, query: mopse.Query, proof: str | None) -> mopse.messages.Answer:
    """Return the whole answer to a query, page by page."""
    answer = cloud.search(query, proof=proof)
    while answer.goes_on(query):
        page = cloud.search(query, after=answer, proof=proof)
        if not any(len(part) or part.is_last or part.removed for part in page._parts):
            break  # it brings nothing; what is missing is found out when it is opened
        answer += page
    return answer
