"""The command ``mopse permit``: a provider may amend records of another one.

A permission is a file of bytes, as `mopse.Owner.permit_amendments` returns them, for
``mopse encrypt --amend``. It holds no key. New files have mode 0600, and none is overwritten.
"""

import argparse
import datetime

from mopse._files import as_file, read_whole
from mopse.cli._command import Commands
from mopse.cli._grants import add_expiry, add_out, lent, write_new
from mopse.cli._output import add_json, counted, print_document, print_line
from mopse.cli._schema_file import naming
from mopse.cli._session import add_cloud, add_documented, add_party, opened_cloud
from mopse.cli._tables import as_ids
from mopse.cli._words import of_no_table
from mopse.errors import InvalidInputError
from mopse.messages import Permission

__all__ = ["add", "read_permission"]

_MOST = 1 << 24
"""Bytes of a file that holds a permission."""


def add(commands: Commands) -> None:
    """Add the command."""
    permit = add_documented(
        commands,
        "permit",
        short="permit a provider to amend records of another one",
        long="""Write a permission: a file with which a provider adds an amendment to records of
        another one, by `mopse encrypt --amend`. The records stay as they are; whoever reads sees
        both, and which amends which. It names each record as it is now.

        It holds no key, and names the records by pseudonyms. It ends with the readers' epoch, as
        grants do: `mopse owner renew-readers` and a revocation withdraw it. The time of
        --expires-in binds only a provider that tells the time rightly.""",
        example="""mopse permit ward --of hospital --id 17 --as owner.keyring --expires-in 30 \\
                     --out ward.permission --cloud phr.duckdb""",
    )
    permit.add_argument("provider", metavar="PATH", help="who may amend, as in hospital/ward")
    permit.add_argument("--of", required=True, metavar="PATH", help="whose records")
    permit.add_argument(
        "--id",
        action="append",
        required=True,
        metavar="ID",
        help="the id of a record there; may be repeated",
    )
    permit.add_argument(
        "--text-ids", action="store_true", help="take ids as text also where all are whole numbers"
    )
    add_party(permit)
    add_expiry(permit, "it holds at most (default: as long as the readers' epoch)")
    add_out(permit, "the new file")
    add_cloud(permit)
    add_json(permit)
    permit.set_defaults(run=_permit)


def read_permission(path: str) -> Permission:
    """Return the permission that a file holds."""
    with naming(path):
        return Permission(read_whole(as_file(path), _MOST))


def _permit(given: argparse.Namespace) -> None:
    days = None if given.expires_in is None else datetime.timedelta(days=given.expires_in)
    ids = as_ids(given.id, text_ids=given.text_ids)
    with lent(given) as at, opened_cloud(given) as cloud:
        permit = at.party.permit_amendments
        try:
            permission = permit(given.provider, ids, of=given.of, cloud=cloud, expires_in=days)
        except InvalidInputError as error:
            raise of_no_table(error) from None
        write_new(given.out, bytes(permission))
    if given.json:
        told = {"provider": permission.provider, "of": permission.of, "out": given.out}
        print_document({**told, "ids": ids, "days": given.expires_in})
    else:
        records = counted(len(permission), "record")
        what = f"{permission.provider} may amend {records} of {permission.of}"
        print_line(f"{given.out}: {what}.")
