"""The commands ``mopse encrypt``, ``delete``, ``seal`` and ``renew``: what providers send."""

import argparse
import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import Any

import polars as pl

import mopse
from mopse._types import typed
from mopse.cli._amending import read_permission
from mopse.cli._command import Commands
from mopse.cli._output import add_json, counted, note, print_document, print_line
from mopse.cli._schema import add_table
from mopse.cli._session import (
    Session,
    add_cloud,
    add_documented,
    add_party,
    as_provider,
    session,
)
from mopse.cli._tables import as_ids, naming_rows, read_table
from mopse.cli._words import of_no_table
from mopse.errors import InvalidInputError
from mopse.messages import Receipt

__all__ = ["add", "print_receipt"]

_MOST = 1 << 16
"""Records that one question asks for."""


def add(commands: Commands) -> None:
    """Add the commands."""
    encrypt = add_documented(
        commands,
        "encrypt",
        short="encrypt a table and send it to a cloud",
        long="""Seal the rows of a table and encrypt their index entries, as a provider, and have a
        cloud store them: all or none. A row has an id, and a column for every field of the schema.

        A field whose values a copy of the store would tell nearly all is refused until
        --accept-leakage names it. Records that are stored already are refused too, unless all are
        there with these very values: so a command that was interrupted can be given again.

        With --amend each row is added to the record of another provider that has its id, which
        stays as it is.""",
        example="""mopse encrypt admissions.csv --as hospital.keyring --id record_id \\
                     --accept-leakage age --to phr.duckdb""",
    )
    add_table(encrypt)
    add_party(encrypt)
    encrypt.add_argument("--id", required=True, metavar="COLUMN", help="the column of record ids")
    encrypt.add_argument(
        "--accept-leakage",
        action="append",
        default=[],
        metavar="FIELD",
        help="a field to encrypt although order alone tells its values; may be repeated",
    )
    how = encrypt.add_mutually_exclusive_group()
    how.add_argument(
        "--update",
        action="store_true",
        help="have whole rows take the place of stored records with their ids",
    )
    how.add_argument(
        "--amend",
        metavar="FILE",
        help="amend the records of another provider with these ids, by a permission from "
        "`mopse permit`; what amended them before is replaced",
    )
    add_cloud(encrypt)
    add_json(encrypt)
    encrypt.set_defaults(run=_encrypt)

    delete = add_documented(
        commands,
        "delete",
        short="delete records at a cloud",
        long="""Delete records by their ids, as their provider: all of them or none. The cloud keeps
        a mark of each, and may keep the records. Ids are whole numbers if all are written so. What
        was deleted before is said and passed over: so a command can be given again.""",
        example="mopse delete 17 23 --as hospital.keyring --cloud phr.duckdb",
    )
    delete.add_argument("ids", nargs="+", metavar="ID", help="the id of a record")
    delete.add_argument(
        "--text-ids", action="store_true", help="take ids as text also where all are whole numbers"
    )
    delete.add_argument(
        "--amending", metavar="PATH", help="delete what amends records of this provider"
    )
    add_party(delete)
    add_cloud(delete)
    add_json(delete)
    delete.set_defaults(run=_delete)

    seal = add_documented(
        commands,
        "seal",
        short="state, signed, all that a provider has at a cloud",
        long="""Seal what was sent, so that answers and lists of files can be proven to hold all of
        it: `mopse ask --proof`. Every provider seals, also who has no records yet.""",
        example="mopse seal --as hospital.keyring --cloud phr.duckdb",
    )
    add_party(seal)
    add_cloud(seal)
    seal.add_argument(
        "--from-cloud",
        action="store_true",
        help="state what the cloud shows, where the keyring's ledger is lost or is of other "
        "records: nothing that was sealed before can be missing, what came after may",
    )
    add_json(seal)
    seal.set_defaults(run=_seal)

    renew = add_documented(
        commands,
        "renew",
        short="encrypt records anew after a revocation",
        long="""Encrypt a provider's records of earlier epochs anew in the present one, for a
        provider that was authorised again after another one was revoked.""",
        example="mopse renew --as hospital.keyring --cloud phr.duckdb",
    )
    add_party(renew)
    add_cloud(renew)
    add_json(renew)
    renew.set_defaults(run=_renew)


def print_receipt(given: argparse.Namespace, receipt: Receipt, line: str) -> None:
    """Print what a cloud did."""
    if given.json:
        print_document(dataclasses.asdict(receipt))
    else:
        print_line(line)


def _encrypt(given: argparse.Namespace) -> None:
    with session(given) as at:
        provider = as_provider(at.party, given.keyring)
        at.learn()
        frame = read_table(
            given.table,
            schema=provider.schema,
            ids=given.id,
            text_ids=given.text_ids,
            missing=given.missing,
            separator=given.separator,
        )
        send: Callable[..., mopse.Upload] = provider.update if given.update else provider.encrypt
        if given.amend is not None:
            send = functools.partial(provider.amend, permission=read_permission(given.amend))

        def upload() -> mopse.Upload:
            return send(frame, id=given.id, accept_leakage=given.accept_leakage, cloud=at.cloud)

        with (
            naming_rows(given.table, given.separator),
            warnings.catch_warnings(record=True) as leaks,
        ):
            warnings.simplefilter("always", mopse.LeakageWarning)
            try:
                message = at.up_to_date(upload)
            except InvalidInputError as error:
                if given.update or "is stored already" not in str(error):
                    raise
                if not _is_stored(at, frame, given.id):
                    raise
                note("all of these records are stored already, as they are: nothing was sent")
                return _nothing(given, provider, frame.height)
            _refuse_leaks(leaks)
        at.save_ledger()  # it counts these records, also if this is stopped before they arrive
        with naming_rows(given.table, given.separator):
            receipt = at.cloud.receive(message)
    count = receipt.replaced if given.update else receipt.added
    what = "replaced" if given.update else "added"
    if given.amend is not None:
        count, what = receipt.added + receipt.replaced, "amended"
    print_receipt(given, receipt, f"{receipt.provider}: {_records(count)} {what}.")
    return None


def _refuse_leaks(leaks: list[warnings.WarningMessage]) -> None:
    """Refuse to send what was warned of: nobody could take it back."""
    for one in leaks:
        if not issubclass(one.category, mopse.LeakageWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    said = [one for one in leaks if issubclass(one.category, mopse.LeakageWarning)]
    for one in said:
        note(str(one.message).partition(". See ")[0])
    if said:
        raise InvalidInputError(
            "nothing was sent: --accept-leakage names each of these fields to send it nevertheless"
        )


def _is_stored(at: Session, frame: pl.DataFrame, id_column: str) -> bool:
    """Say whether every row of a table is stored as it is."""
    schema = at.party.schema
    name = schema._spelt(id_column)
    rows = typed(frame, schema.types).sort(name)
    stored = []
    for start in range(0, rows.height, _MOST):
        query = at.party.lookup(rows[name].slice(start, _MOST))
        answer = at.cloud.search(query)
        while answer.goes_on(query):
            answer += at.cloud.search(query, after=answer)
        stored.append(at.party.decrypt(answer, query))
    found = pl.concat(stored)
    if found.height != rows.height or {*found.columns} != {*rows.columns, "provider"}:
        return False
    return found.select(rows.columns).sort(name).equals(rows)


def _nothing(given: argparse.Namespace, provider: mopse.Provider, count: int) -> None:
    receipt = Receipt(provider.path, count, 0, 0, 0, True)
    print_receipt(given, receipt, f"{provider.path}: {_records(count)} added before.")


def _delete(given: argparse.Namespace) -> None:
    with session(given) as at:
        provider = as_provider(at.party, given.keyring)
        at.learn()
        ids = as_ids(given.ids, text_ids=given.text_ids)
        twice = next((one for one in ids if ids.count(one) > 1), None)
        if twice is not None:
            raise InvalidInputError(f"record {twice!r} is named twice")
        try:
            what = {"amending": given.amending, "cloud": at.cloud}
            message = at.up_to_date(lambda: provider.delete(ids, **what))
        except InvalidInputError as error:
            if given.amending is not None:
                raise of_no_table(error) from None
            gone = _deleted(at, provider, ids)
            if not gone:
                raise of_no_table(error) from None
            left = [one for one in ids if one not in gone]
            if not left:
                receipt = Receipt(provider.path, 0, 0, len(gone), 0, True)
                line = f"{provider.path}: {_records(len(gone))} deleted before."
                print_receipt(given, receipt, line)
                return
            note(f"deleted before: {', '.join(map(repr, sorted(gone)))}")
            try:
                message = provider.delete(left, cloud=at.cloud)
            except InvalidInputError as error:
                raise of_no_table(error) from None
        at.save_ledger()
        receipt = at.cloud.receive(message)
    print_receipt(given, receipt, f"{receipt.provider}: {_records(receipt.removed)} deleted.")


def _deleted(at: Session, provider: mopse.Provider, ids: list[Any]) -> set[Any]:
    """Return which of some records are not there because they were deleted."""
    handles = [(int(high) << 64) | int(low) for high, low in provider.handles(ids)]
    gone: set[int] = set()
    for start in range(0, len(ids), _MOST):
        query = provider.lookup(ids[start : start + _MOST])
        answer = at.cloud.search(query)
        while answer.goes_on(query):
            answer += at.cloud.search(query, after=answer)
        for part in answer._parts:
            gone |= {handle for handle, _ in part.removed}
        for part in answer._parts:
            gone -= {(int(high) << 64) | int(low) for high, low in part.handles}
    return {one for one, handle in zip(ids, handles, strict=True) if handle in gone}


def _seal(given: argparse.Namespace) -> None:
    with session(given) as at:
        provider = as_provider(at.party, given.keyring)
        cloud = at.cloud if given.from_cloud else None
        try:
            seal = at.up_to_date(lambda: provider.seal(cloud=cloud))
            receipt = at.cloud.receive(seal)
        except mopse.errors.MopseError:
            if given.from_cloud:
                note(
                    "a cloud that came back from a backup is not sealed over: `mopse owner remove` "
                    "removes what it has of this provider, which sends all of it anew, and then "
                    "seals by --from-cloud"
                )
            else:
                note("a ledger that is lost, or of other records, is made by --from-cloud")
            raise
        at.save()
    number = seal.number
    if given.json:
        print_document({**dataclasses.asdict(receipt), "seal": number})
    else:
        print_line(f"{provider.path}: sealed, number {number}.")


def _renew(given: argparse.Namespace) -> None:
    with session(given) as at:
        provider = as_provider(at.party, given.keyring)
        renewed = at.up_to_date(lambda: provider.renew(at.cloud))
        at.save()
    superseded = renewed.superseded
    if given.json:
        document = {"provider": provider.path, "renewed": int(renewed), "superseded": superseded}
        print_document(document)
    else:
        print_line(f"{provider.path}: {_records(int(renewed))} renewed.")


def _records(number: int) -> str:
    return counted(number, "record")
