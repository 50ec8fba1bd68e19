"""The command ``mopse read``."""

import argparse
import contextlib
from collections.abc import Callable
from typing import Any

import polars as pl

import mopse
from mopse._answers import asked_by_a_user
from mopse._party import search
from mopse.cli._bounds import bounds
from mopse.cli._command import Commands, NotUnderstoodError
from mopse.cli._found import add_report, print_found
from mopse.cli._grants import read_grants, read_query
from mopse.cli._keyrings import add_password
from mopse.cli._output import add_json, counted
from mopse.cli._schema_file import naming, read_schema
from mopse.cli._session import add_cloud, add_documented, add_proof, check_proof, opened_cloud
from mopse.cli._users import opened_user
from mopse.errors import InvalidInputError, ScopeError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_documented(
        commands,
        "read",
        short="print records that were granted, with a query from `mopse query`",
        long="""Print the records that a query finds, as far as grants open them. An owner or
        provider gives the query, which decides what is found, as a file. Who has no keys is given
        the schema and grants as files too; several grants add up, one at least for each provider in
        reach. A user with keys of its own, from `mopse user new`, opens what it has accepted. With
        --ask it makes the query itself, within a right to search from `mopse delegate`.

        With --proof nothing may be missing that the providers sealed, and each record must be shown
        to be its provider's, by their signatures. A user with keys remembers the seals it saw, and
        notices one that is older; of files nothing is remembered.

        The exit code is 0 if there are records, 3 if there is none, 1 if something was refused or
        did not open, 2 if the command was not understood.""",
        example="""mopse read ages.query --grant hospital.grant --grant clinic.grant \\
                     --schema schema.toml --cloud phr.duckdb
                   mopse read ages.query --as doctor.user --cloud phr.duckdb
                   mopse read --ask 'age >= 45' --as doctor.user --cloud phr.duckdb""",
    )
    command.add_argument(
        "query", nargs="?", metavar="FILE", help="the query, from `mopse query`; or --ask"
    )
    command.add_argument(
        "--ask", metavar="QUERY", help="bounds within the user's right to search, joined with 'and'"
    )
    command.add_argument(
        "--right", metavar="NUMBER", help="which right, where several are good: `mopse user status`"
    )
    command.add_argument(
        "--grant",
        action="append",
        default=[],
        metavar="FILE",
        help="a grant, from `mopse grant`; may be repeated",
    )
    command.add_argument(
        "--schema", metavar="FILE.toml", help="the owner's schema, which goes with --grant"
    )
    command.add_argument(
        "--as",
        dest="keyring",
        metavar="USER",
        help="the saved user, instead of --grant and --schema",
    )
    add_password(command, of="the user")
    add_cloud(command)
    add_proof(command)
    add_report(command)
    add_json(command)
    command.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    check_proof(given)
    if (given.query is None) == (given.ask is None):
        raise NotUnderstoodError("a query is needed: a file of one, or --ask")
    if given.ask is not None and given.keyring is None:
        raise NotUnderstoodError("--ask takes a user with keys: --as")
    if given.right is not None and given.ask is None:
        raise NotUnderstoodError("--right goes with --ask")
    if given.keyring is None:
        if not given.grant or given.schema is None:
            raise NotUnderstoodError("--grant and --schema are needed, or --as of a saved user")
        return _read(given, _holder(given), lambda: None)
    if given.grant or given.schema is not None:
        raise NotUnderstoodError("--as takes the place of --grant and --schema")
    with opened_user(given) as (user, save):
        return _read(given, user, save)


def _holder(given: argparse.Namespace) -> mopse.User:
    """Return whoever has the grants that files hold."""
    schema, grants = read_schema(given.schema), read_grants(given.grant)
    for path, grant in zip(given.grant, grants, strict=True):
        with naming(path):
            mopse.User(schema, [grant])
    return mopse.User(schema, grants)


def _own_query(given: argparse.Namespace, user: mopse.User) -> mopse.Query:
    """Return the query that a user makes under a right to search."""
    rights = user.rights
    if given.right is not None:
        rights = rights.filter(pl.col("right") == given.right)
    owners = rights["owner"].unique().to_list()
    if not owners:
        raise ScopeError("this user was given no right to search, or none of that number")
    if len(owners) > 1:
        raise InvalidInputError(
            "rights to search of several owners are there: say which, by --right"
        )
    ranges = bounds(given.ask, user._schemas[owners[0]])
    return user.query(ranges, owner=owners[0], right=given.right)


def _read(given: argparse.Namespace, user: mopse.User, save: Callable[[], None]) -> int:
    query = (
        _own_query(given, user) if given.query is None else read_query(given.query, user._schema_of)
    )
    proof = "signatures" if given.proof else None
    with opened_cloud(given) as cloud, contextlib.ExitStack() as told:
        if given.query is not None:
            told.enter_context(naming(given.query))
            told.enter_context(asked_by_a_user("the query"))
        answer = search(cloud, query, proof=proof)
    found: Any = user.decrypt(
        answer,
        query,
        proof=proof,
        max_age=given.max_age,
        faults="report" if given.report else "raise",
    )
    if given.proof:
        save()
    proven: dict[str, Any] = {}
    notes = []
    if answer.proven is not None:
        proof_of = answer.proven.filter("is_proven").select("provider", "seal")
        seals = dict(sorted(proof_of.iter_rows()))
        proven["seals"] = seals
        shown = ", ".join(f"{path} {number}" for path, number in seals.items())
        after = "what came after them is refused"
        notes.append(f"nothing is missing that these seals state: {shown}; {after}")
    for path, count in (answer.closed or {}).items():
        notes.append(
            f"{path}: {counted(count, 'record')} found that no grant opens: of others than were "
            "granted, or sealed for later readers, for which a new grant is needed"
        )
    if answer.unchecked:
        fields = ", ".join(answer.unchecked)
        notes.append(f"not granted, so that records beyond the bounds may be among these: {fields}")
    return print_found(given, found, proven, *notes)
