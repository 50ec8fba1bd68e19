"""The commands ``mopse grant``, ``mopse delegate`` and ``mopse query``: what a reader is given.

A grant is a file of bytes, as `mopse.Owner.grant` returns them, or `mopse.Owner.share` for a user
with keys of its own. A query is a file of JSON with the signed message and with the bounds as they
were typed, which do not travel to a cloud. Both are for whoever is to read alone: new files have
mode 0600, and none is ever overwritten or printed.
"""

import argparse
import base64
import binascii
import contextlib
import dataclasses
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mopse
from mopse._files import PRIVATE, as_file, read_whole, write_whole
from mopse.cli._bounds import bounds
from mopse.cli._command import Commands, NotUnderstoodError
from mopse.cli._keyrings import (
    Party,
    locked,
    made_new,
    must_be_there,
    opened_party,
    password_of,
)
from mopse.cli._output import add_json, print_document, print_line
from mopse.cli._schema_file import naming, read_schema
from mopse.cli._session import add_cloud, add_documented, add_party, opened_cloud
from mopse.cli._tables import as_ids
from mopse.errors import DamagedFileError, InvalidInputError, SignatureError
from mopse.sharing import PUBLISHED_ROLES, portions_of

__all__ = ["add", "add_expiry", "add_out", "lent", "read_grants", "read_query", "write_new"]

_MOST = 1 << 28
"""Bytes of a file that holds a grant or a query."""

_MOST_DAYS = 36_500
_KIND = "mopse query"
_WHY = "a cloud to learn from first what the keyring has missed"


def add(commands: Commands) -> None:
    """Add the commands."""
    grant = add_documented(
        commands,
        "grant",
        short="let somebody read records of a provider",
        long="""Write a grant: a file that opens records of a provider, all of them or some by their
        ids, whole or some portions, for `mopse read`. Whoever has the file reads what it opens, and
        what was granted once cannot be taken back: send it so that nobody else sees it. It finds
        nothing by itself: that takes a query, from `mopse query`.

        With --role the portions are those of the published access list: family all, a physician
        'medical', a pharmacist 'prescription' and 'insurance', an insurer 'insurance', a researcher
        'research', which the schema must de-identify.

        With --user the grant is sealed to a user with keys, from `mopse user new`: nobody else
        opens it, it may go any way, and `mopse owner unshare` closes what is sealed later.

        An owner grants what any provider has, a provider what it and those below it have.""",
        example="""mopse grant hospital --as owner.keyring --portion rest --expires-in 30 \\
                     --out hospital.grant --cloud phr.duckdb
                   mopse grant --as hospital.keyring --id 17 --id 23 --out two.grant""",
    )
    grant.add_argument(
        "provider",
        nargs="?",
        metavar="PATH",
        help="the provider, as in hospital/ward (default: the keyring's own)",
    )
    add_party(grant)
    grant.add_argument(
        "--id",
        action="append",
        metavar="ID",
        help="the id of a record to grant; may be repeated (default: all records)",
    )
    grant.add_argument(
        "--text-ids", action="store_true", help="take ids as text also where all are whole numbers"
    )
    grant.add_argument(
        "--portion",
        action="append",
        metavar="NAME",
        help="a portion of the schema, 'rest' or 'files'; may be repeated (default: all)",
    )
    grant.add_argument(
        "--role",
        choices=PUBLISHED_ROLES,
        help="the portions that this kind of user is given, instead of --portion",
    )
    grant.add_argument(
        "--user",
        metavar="FILE",
        help="the public keys of the user that it is sealed to, from `mopse user new`",
    )
    add_expiry(grant, "the grant opens anything (default: for ever)")
    add_out(grant, "the new file; a secret, unless it is sealed to a user")
    add_cloud(grant, is_needed=False, why=_WHY)
    add_json(grant)
    grant.set_defaults(run=_grant)

    query = add_documented(
        commands,
        "query",
        short="make a query for somebody who has grants",
        long="""Write a query to a file: a signed question, for `mopse read`. Whoever has the file
        can ask it until it expires, and opens of what it finds what was granted. The file holds the
        bounds as they are typed, of which a cloud is told the cells. `mopse ask --help` says what a
        query is.""",
        example="""mopse query 'age >= 40 and age <= 60' --as owner.keyring --expires-in 7 \\
                     --out ages.query --cloud phr.duckdb""",
    )
    query.add_argument("query", help="bounds of fields, joined with 'and'")
    add_party(query)
    add_expiry(query, "the query can be asked (default: 1)", default=1)
    add_out(query, "the new file")
    add_cloud(query, is_needed=False, why=_WHY)
    add_json(query)
    query.set_defaults(run=_query)

    right = add_documented(
        commands,
        "delegate",
        short="let a user search within bounds, with queries of its own",
        long="""Write a right to search: a file that only the user of these public keys opens, by
        `mopse user accept`, to ask within the bounds with `mopse read --ask`. It opens no record:
        that is `mopse grant`. All bounds hold of whatever the user asks, to the cell; a field that
        has none cannot be asked about. With a copy of the cloud's store its user locates what lies
        within the bounds of any one field. `mopse owner unshare` takes it back.""",
        example="""mopse delegate 'age >= 40 and age <= 60' --user doctor.public \\
                     --as owner.keyring --expires-in 30 --out doctor.right --cloud phr.duckdb""",
    )
    right.add_argument("query", help="bounds of fields, joined with 'and'")
    add_party(right)
    right.add_argument(
        "--user",
        required=True,
        metavar="FILE",
        help="the user's public keys, from `mopse user new`",
    )
    right.add_argument(
        "--under",
        metavar="PATH",
        help="a provider whose group and those below are searched (default: all groups)",
    )
    add_expiry(right, "the right is good (default: until it is taken back)")
    add_out(right, "the new file, which is sealed to the user")
    add_cloud(right, is_needed=False, why=_WHY)
    add_json(right)
    right.set_defaults(run=_delegate)


def read_grants(paths: list[str]) -> list[bytes]:
    """Return the grants that files hold."""
    return [read_whole(as_file(path), _MOST) for path in paths]


def read_query(path: str, schema_of: Callable[[mopse.Query], mopse.Schema]) -> mopse.Query:
    """Return the query of a file, with its bounds in the schema of whose records it asks for.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is no such file.
    mopse.errors.InvalidInputError
        If its bounds are none of the schema, or of other fields than were signed.
    mopse.errors.SignatureError
        If it is forged.
    mopse.errors.FileAccessError
        If it cannot be read.
    """
    contents = read_whole(as_file(path), _MOST)
    with naming(path):
        try:
            held = json.loads(contents)
            kind, typed, message = held["kind"], held["query"], held["message"]
            signed = base64.b64decode(message, validate=True)
        except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
            kind = typed = None
        if kind != _KIND or not isinstance(typed, str):
            raise DamagedFileError("it is no file of `mopse query`")
        schema = schema_of(mopse.Query(signed))
        try:
            asked = bounds(typed, schema)
        except NotUnderstoodError as error:  # whoever gave the command did not write it
            raise InvalidInputError(str(error)) from None
        ranges = {name: schema[name].range(low, high) for name, (low, high) in asked.items()}
        known = {name: pair for name, pair in ranges.items() if pair is not None}
        known = known if len(known) == len(ranges) else {}
        query = mopse.Query(signed, known)
        if any(of.keys() != known.keys() for of in query.bounds):
            raise InvalidInputError("its bounds are of other fields than were signed")
    return query


def add_expiry(command: argparse.ArgumentParser, what: str, *, default: int | None = None) -> None:
    """Add when something ends."""
    command.add_argument(
        "--expires-in", type=_days, default=default, metavar="DAYS", help=f"how long {what}"
    )


def _days(number: str) -> int:
    is_number = number.isascii() and number.isdigit() and len(number) < 7
    if not (is_number and 1 <= int(number) <= _MOST_DAYS):
        raise argparse.ArgumentTypeError(f"it must be a whole number of days, 1 to {_MOST_DAYS:,}")
    return int(number)


def add_out(command: argparse.ArgumentParser, what: str) -> None:
    """Add where a new file goes."""
    command.add_argument("--out", required=True, metavar="FILE", help=what)


@dataclasses.dataclass(frozen=True)
class _Lent:
    """A party, and what saves it."""

    party: Party
    save: Callable[[], None]


@contextlib.contextmanager
def lent(given: argparse.Namespace) -> Iterator[_Lent]:
    """Lend whoever gives the command, who has learned what a cloud tells if one is named."""
    made_new(given.out)
    must_be_there(given.keyring)
    schema = None if given.schema is None else read_schema(given.schema)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        party = opened_party(given.keyring, password, schema)
        if given.cloud is not None:
            with opened_cloud(given) as cloud:
                if party.catch_up(cloud):
                    party.save(keyring, password)
        yield _Lent(party, lambda: party.save(keyring, password))


def write_new(path: str, content: bytes) -> None:
    """Write a new file for its owner only."""
    file: Path = as_file(path)
    made_new(path)
    write_whole(file, content, PRIVATE)


def _grant(given: argparse.Namespace) -> None:
    days = None if given.expires_in is None else datetime.timedelta(days=given.expires_in)
    ids = None if given.id is None else as_ids(given.id, text_ids=given.text_ids)
    if given.role is not None and given.portion is not None:
        raise NotUnderstoodError("--role names the portions: leave --portion out")
    with lent(given) as at:
        party, path, portions = at.party, given.provider, given.portion
        if given.role is not None:
            portions = portions_of(given.role, party.schema)
        if path is None and isinstance(party, mopse.Owner):
            raise InvalidInputError("an owner grants what a provider has: its path is needed")
        path = party.path if path is None and isinstance(party, mopse.Provider) else path
        if given.user is not None:
            public = read_whole(as_file(given.user), _MOST)
            # All else that can be wrong is about records, and not about the file.
            with naming(given.user, DamagedFileError, SignatureError):
                grant = party.share(public, path, ids, portions=portions, expires_in=days)
            at.save()  # before anybody has it, so that it can be taken back
        elif isinstance(party, mopse.Owner):
            grant = party.grant(path, ids, portions=portions, expires_in=days)
        else:
            grant = party.grant(ids, provider=path, portions=portions, expires_in=days)
        write_new(given.out, grant)
    told: dict[str, Any] = {
        "provider": path,
        "out": given.out,
        "ids": ids,
        "portions": portions,
        "days": given.expires_in,
        "user": given.user,
    }
    if given.json:
        print_document(told)
    elif given.user is not None:
        print_line(f"{given.out} opens records of {path}, for the user of {given.user} alone.")
    else:
        print_line(f"{given.out} opens records of {path}. It is a secret: whoever has it reads.")


def _delegate(given: argparse.Namespace) -> None:
    days = None if given.expires_in is None else datetime.timedelta(days=given.expires_in)
    with lent(given) as at:
        ranges = bounds(given.query, at.party.schema)
        public = read_whole(as_file(given.user), _MOST)
        with naming(given.user, DamagedFileError, SignatureError):
            right = at.party.delegate(public, ranges, under=given.under, expires_in=days)
        at.save()  # before anybody has it, so that it can be taken back
        write_new(given.out, right)
    told = {"out": given.out, "user": given.user, "under": given.under, "days": given.expires_in}
    if given.json:
        print_document(told)
    else:
        print_line(f"{given.out} lets the user of {given.user} search: {given.query}.")


def _query(given: argparse.Namespace) -> None:
    with lent(given) as at:
        ranges = bounds(given.query, at.party.schema)
        query = at.party.query(ranges, expires_in=datetime.timedelta(days=given.expires_in))
        message = base64.b64encode(bytes(query)).decode()
        expires = query.expires.isoformat()
        held = {"kind": _KIND, "query": given.query, "expires": expires, "message": message}
        write_new(given.out, f"{json.dumps(held, indent=1)}\n".encode())
    if given.json:
        print_document({"out": given.out, "groups": len(query), "expires": expires})
    else:
        groups = f"{len(query):,} group{'' if len(query) == 1 else 's'}"
        print_line(f"{given.out} asks {groups}, until {expires}: for who has grants.")
