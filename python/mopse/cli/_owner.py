"""The command ``mopse owner``."""

import argparse
import os

import mopse
from mopse.cli import _owner_readers
from mopse.cli._command import Commands, NotUnderstoodError, add_command
from mopse.cli._keyrings import (
    add_password,
    locked,
    made_new,
    must_be_there,
    opened_owner,
    password_of,
)
from mopse.cli._open_owner import TELLS, OpenOwner, add_keyring, say, short, untold
from mopse.cli._output import counted, note
from mopse.cli._schema_file import read_schema
from mopse.cli._session import add_cloud, add_documented, opened_cloud
from mopse.errors import InvalidInputError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "owner",
        short="be the owner of records: authorise providers, and revoke them",
        long="The owner holds the root key, from which all others come. Its keyring is a file\n"
        "under a password: whoever loses either loses all records.",
    )
    does = command.add_subparsers(title="what it does", required=True)
    new = add_documented(
        does,
        "new",
        short="make an owner's keyring",
        long="""Make a new root key, and write it to a new keyring under a password, which is asked
        for twice. No file is ever overwritten. `mopse schema --help` shows a schema.""",
        example="mopse owner new --schema schema.toml --keyring owner.keyring --cloud phr.duckdb",
    )
    new.add_argument("--schema", required=True, metavar="FILE.toml", help="the fields")
    add_keyring(new, "the new keyring")
    add_cloud(new, is_needed=False, why=f"{TELLS}, which is made if it is not there")
    new.set_defaults(run=_new)

    enroll = add_documented(
        does,
        "enroll",
        short="tell a cloud what the keyring has announced",
        long="""Have a cloud serve this owner, and know everything that the keyring has announced:
        what was authorised or revoked without --cloud, or with another one.""",
        example="mopse owner enroll --keyring owner.keyring --cloud phr.duckdb",
    )
    add_keyring(enroll)
    add_cloud(enroll, why="the cloud to tell, which is made if it is not there")
    enroll.set_defaults(run=_enroll)

    authorize = add_documented(
        does,
        "authorize",
        short="write a provider's keyring",
        long="""Authorise a provider and write its keyring under a password of its own, which is
        asked for after the owner's. Who was authorised before gets the same keys again, and after a
        revocation those of the new epoch beside them.""",
        example="""mopse owner authorize hospital --keyring owner.keyring --to hospital.keyring \\
                     --cloud phr.duckdb""",
    )
    authorize.add_argument("name", help="what the provider is called")
    authorize.add_argument(
        "--under", metavar="PATH", help="the provider that it belongs to, as in hospital/ward"
    )
    add_keyring(authorize)
    authorize.add_argument(
        "--to", required=True, metavar="FILE", help="the provider's keyring to write"
    )
    authorize.add_argument(
        "--replace", action="store_true", help="write it in place of one that is there"
    )
    add_password(authorize, "--new-password-fd", "the provider's keyring")
    add_cloud(authorize, is_needed=False, why=TELLS)
    authorize.set_defaults(run=_authorize)

    revoke = add_documented(
        does,
        "revoke",
        short="remove a provider and everyone below it",
        long="""Remove a provider and advance the epoch of its group. The others of the group need
        new keyrings: `mopse owner authorize --replace` for each, then `mopse renew`. What was
        encrypted before stays readable to who could read it. Who was revoked already is told to the
        cloud again.""",
        example="mopse owner revoke clinic --keyring owner.keyring --cloud phr.duckdb --remove",
    )
    revoke.add_argument("path", help="the provider, as in clinic or hospital/ward")
    add_keyring(revoke)
    add_cloud(revoke, is_needed=False, why=TELLS)
    revoke.add_argument(
        "--remove", action="store_true", help="have the cloud remove all that it sent"
    )
    revoke.set_defaults(run=_revoke)

    remove = add_documented(
        does,
        "remove",
        short="have a cloud remove all that a provider sent",
        long="""Have a cloud remove all records and files that a provider ever sent it, and its
        seals. The provider stays authorised, and may send them anew.

        So it goes on after a cloud came back from a backup: it lacks what was sealed since, and
        takes no seal over that. Remove what it has, then have the provider send all of its records
        and files once more and seal: `mopse encrypt`, `mopse attach`, `mopse seal --from-cloud`.
        Nobody else can undo it; whoever copied the store before still has all of it.""",
        example="mopse owner remove hospital --keyring owner.keyring --cloud phr.duckdb",
    )
    remove.add_argument("path", help="the provider, as in clinic or hospital/ward")
    add_keyring(remove)
    add_cloud(remove)
    remove.set_defaults(run=_remove)

    _owner_readers.add(does)

    key = add_documented(
        does,
        "key",
        short="print the verification key, the owner's name at clouds",
        long="""Print the verification key in 64 hexadecimal digits: no secret, and what an operator
        is told who serves some owners only, with `mopse serve --enroll-only`.""",
        example="mopse owner key --keyring owner.keyring > owner.key",
    )
    add_keyring(key)
    key.set_defaults(run=_key)


def _new(given: argparse.Namespace) -> None:
    schema = read_schema(given.schema)
    made_new(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=True)
    with locked(given.keyring) as keyring:
        made_new(given.keyring)
        opened = OpenOwner(mopse.Owner.generate(schema), keyring, password)
        public = opened.announce()
        if given.cloud is not None:
            with opened_cloud(given, may_make=True) as cloud:
                cloud.enroll(public)
    say(
        given,
        f"{given.keyring} holds a new owner with the fields {', '.join(schema)}.",
        owner=short(opened.owner),
        keyring=given.keyring,
        fields=list(schema),
    )


def _enroll(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = OpenOwner(opened_owner(given.keyring, password), keyring, password)
        with opened_cloud(given, may_make=True) as cloud:
            opened.meet(cloud)
    paths = opened.owner.providers
    say(
        given,
        f"The cloud knows the owner and {counted(len(paths), 'provider')}.",
        owner=short(opened.owner),
        providers=paths,
    )


def _authorize(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    made_new(given.to, may_replace=given.replace)
    if os.path.realpath(given.to) == os.path.realpath(given.keyring):
        raise InvalidInputError(f"--to {given.to}: it is the owner's keyring")
    password = password_of(given.password_fd, given.keyring, is_new=False)
    new_password = password_of(
        given.new_password_fd, given.to, flag="--new-password-fd", is_new=True
    )
    with locked(given.keyring) as keyring, locked(given.to) as target:
        made_new(given.to, may_replace=given.replace)
        opened = OpenOwner(opened_owner(given.keyring, password), keyring, password)
        if given.cloud is None:
            provider = opened.owner.authorize(given.name, given.under)
            opened.announce()
        else:
            with opened_cloud(given) as cloud:
                opened.meet(cloud)
                provider = opened.owner.authorize(given.name, given.under)
                cloud.enroll(opened.announce())
                provider.catch_up(cloud)
        provider.save(target, new_password)
    say(
        given,
        f"{given.to} is the keyring of {provider.path}: give it the file and its password.",
        owner=short(opened.owner),
        provider=provider.path,
        keyring=given.to,
    )
    untold(given)


def _revoke(given: argparse.Namespace) -> None:
    if given.remove and given.cloud is None:
        raise NotUnderstoodError("--remove is for a cloud: --cloud names it")
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = OpenOwner(opened_owner(given.keyring, password), keyring, password)
        owner = opened.owner
        if given.cloud is None:
            _leave(owner, given.path)
            opened.announce()
        else:
            with opened_cloud(given) as cloud:
                opened.meet(cloud)
                _leave(owner, given.path)
                cloud.enroll(opened.announce())
                if given.remove:
                    cloud.receive(owner.removal(given.path))
    group, _, _ = given.path.rpartition("/")
    others = [path for path in owner.providers if path.rpartition("/")[0] == group]
    again = f" These need new keyrings: {', '.join(others)}." if others else ""
    say(
        given,
        f"{given.path} is revoked.{again}",
        owner=short(owner),
        revoked=given.path,
        need_new_keyrings=others,
    )
    untold(given)


def _remove(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = OpenOwner(opened_owner(given.keyring, password), keyring, password)
        removal = opened.owner.removal(given.path)
        with opened_cloud(given) as cloud:
            opened.meet(cloud)
            receipt = cloud.receive(removal)
    removed = counted(receipt.removed, "record")
    say(
        given,
        f"{given.path}: {removed} removed, and all files and seals that it sent.",
        owner=short(opened.owner),
        provider=given.path,
        removed=receipt.removed,
    )


def _key(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    key = opened_owner(given.keyring, password).key.hex()
    say(given, key, key=key)


def _leave(owner: mopse.Owner, path: str) -> None:
    """Revoke a provider, unless a command that was interrupted has done it."""
    if path in owner.providers:
        owner.revoke(path)
        return
    try:
        owner.removal(path)
    except InvalidInputError:
        owner.revoke(path)  # which says what there is instead
        return
    note(f"{path} was revoked before")
