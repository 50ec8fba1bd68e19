"""What ``mopse owner`` does with readers: whom it closes what to, and who stays."""

import argparse
import hashlib
from collections.abc import Mapping

import polars as pl

import mopse
from mopse._files import as_file, read_whole
from mopse.cli._command import Commands
from mopse.cli._keyrings import locked, must_be_there, opened_owner, password_of
from mopse.cli._open_owner import (
    LEARNS,
    TELLS,
    Change,
    OpenOwner,
    add_change,
    add_keyring,
    given_anew,
    say,
    short,
    untold,
)
from mopse.cli._output import counted, print_document, print_table, rows_of
from mopse.cli._schema_file import naming
from mopse.cli._session import add_cloud, add_documented, opened_cloud
from mopse.errors import DamagedFileError, InvalidInputError, MopseError, SignatureError

__all__ = ["add", "of_user", "public_keys"]

_MOST = 1 << 16
"""Bytes of public keys."""


def add(does: Commands) -> None:
    """Add the commands."""
    renew = add_documented(
        does,
        "renew-readers",
        short="close what is sealed from now on to all who hold grants",
        long="""End what was granted so far for all that is sealed from now on: a reader has left.
        What was sealed before stays readable to who could read it. Whoever stays gets a new grant,
        from `mopse grant`.""",
        example="mopse owner renew-readers --keyring owner.keyring --cloud phr.duckdb",
    )
    renew.add_argument(
        "--under",
        metavar="PATH",
        help="the provider whose children it concerns (default: those right below the owner)",
    )
    add_keyring(renew)
    add_cloud(renew, is_needed=False, why=TELLS)
    renew.set_defaults(run=_renew_readers)

    unshare = add_documented(
        does,
        "unshare",
        short="close what is sealed from now on to one user, and serve who stays",
        long="""Take back what `mopse grant --user` gave a user, for all that is sealed from now on.
        What was sealed before stays readable to it. Whoever else this keyring gave something there
        gets it anew: a sealed grant each, in files whose names begin with the user's own; what
        `mopse owner shared` calls not current is not. Given again it tells the cloud again and
        serves who stays again. Queries that were made before are refused from then on, and whoever
        asks by them needs new ones, from `mopse query`.""",
        example="""mopse owner unshare doctor.public --keyring owner.keyring --out anew \\
                     --cloud phr.duckdb""",
    )
    unshare.add_argument("user", metavar="FILE", help="the public keys of the user who leaves")
    unshare.add_argument(
        "--for-good", action="store_true", help="never let these keys be given anything again"
    )
    add_change(unshare, _unshare, grants="the grants of who stays", cloud=TELLS)

    suspend = add_documented(
        does,
        "suspend",
        short="take back what one user was given, until it is reinstated",
        long="""Take back what a user was given, as `mopse owner unshare` does, until `mopse owner
        reinstate` gives it again. Nothing is given to it meanwhile, and it stays in its teams. What
        was sealed before stays readable to it.""",
        example="""mopse owner suspend doctor.public --keyring owner.keyring --out anew \\
                     --cloud phr.duckdb""",
    )
    suspend.add_argument("user", metavar="FILE", help="the user's public keys")
    add_change(suspend, _suspend, grants="the grants of who stays", cloud=TELLS)

    reinstate = add_documented(
        does,
        "reinstate",
        short="lift a suspension",
        long="""Lift the suspension of a user: write what it is given again, sealed to it, for
        `mopse user accept`. That is what was good when it was suspended and has not ended, and what
        its teams were given meanwhile. It opens what was sealed meanwhile, too.""",
        example="mopse owner reinstate doctor.public --keyring owner.keyring --out anew",
    )
    reinstate.add_argument("user", metavar="FILE", help="the user's public keys")
    add_change(reinstate, _reinstate, grants="its grants", cloud=LEARNS)

    shared = add_documented(
        does,
        "shared",
        short="say with whom what is shared",
        long="""Print what `mopse grant --user` gave to whom, and is not taken back; is_current
        says whether it opens what is sealed now. What is not was given before readers' epochs that
        began since, perhaps by another copy of the keyring, which may have taken it back: grant it
        anew to who is to have it. What providers have given is in their own keyrings. Then what
        `mopse delegate` gave, with the bounds of each field, and who is suspended or was revoked.
        """,
        example="mopse owner shared --keyring owner.keyring",
    )
    add_keyring(shared)
    shared.set_defaults(run=_shared)


def of_user(
    given: argparse.Namespace,
    change: Change,
    *errors: type[MopseError],
) -> Change:
    """Return what changes something of the user of a file, and names that file in its errors."""

    def named(owner: mopse.Owner) -> Mapping[bytes, list[bytes]]:
        with naming(given.user, DamagedFileError, SignatureError, *errors):
            return change(owner)

    return named


def public_keys(path: str) -> bytes:
    """Return the public keys of a file."""
    return read_whole(as_file(path), _MOST)


def _renew_readers(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = OpenOwner(opened_owner(given.keyring, password), keyring, password)
        if given.cloud is None:
            opened.owner.renew_readers(given.under)
            opened.announce()
        else:
            with opened_cloud(given) as cloud:
                opened.meet(cloud)
                opened.owner.renew_readers(given.under)
                cloud.enroll(opened.announce())
    who = "right below the owner" if given.under is None else f"below {given.under}"
    say(
        given,
        f"No grant so far opens what providers {who} seal from now on.",
        owner=short(opened.owner),
        under=given.under,
    )
    untold(given)


def _unshare(given: argparse.Namespace) -> None:
    public = public_keys(given.user)
    take = mopse.Owner.revoke_user if given.for_good else mopse.Owner.unshare
    end = of_user(given, lambda owner: take(owner, public), InvalidInputError)
    owner, written = given_anew(given, end)
    _tell_left(given, owner, public, written, "")


def _suspend(given: argparse.Namespace) -> None:
    public = public_keys(given.user)
    suspend = of_user(given, lambda owner: owner.suspend(public), InvalidInputError)
    owner, written = given_anew(given, suspend)
    _tell_left(given, owner, public, written, " until it is reinstated")


def _tell_left(
    given: argparse.Namespace, owner: mopse.Owner, public: bytes, written: list[str], end: str
) -> None:
    stays = f" In {given.out}: {counted(len(written), 'grant')} for who stays." if written else ""
    say(
        given,
        f"What is sealed from now on is closed to the user of {given.user}{end}.{stays}",
        owner=short(owner),
        user=hashlib.sha256(public).hexdigest(),
        grants=written,
    )
    untold(given)


def _reinstate(given: argparse.Namespace) -> None:
    public = public_keys(given.user)
    give = of_user(given, lambda owner: {public: owner.reinstate(public)}, InvalidInputError)
    owner, written = given_anew(given, give)
    say(
        given,
        f"The user of {given.user} is suspended no more: {counted(len(written), 'grant')} in "
        f"{given.out}.",
        owner=short(owner),
        user=hashlib.sha256(public).hexdigest(),
        grants=written,
    )


def _shared(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    owner = opened_owner(given.keyring, password)
    named = pl.col("user").bin.encode("hex")
    shared, rights = owner.shared.with_columns(named), owner.delegated.with_columns(named)
    barred = owner.users.filter(pl.col("status") != "active").select(named, "status")
    if given.json:
        tables = {"shared": shared, "rights": rights, "barred": barred}
        print_document({name: rows_of(table) for name, table in tables.items()})
        return
    print_table(shared.with_columns(pl.col("portions").list.join(", ")))
    for table in (rights, barred):
        if table.height:
            print_table(table)
