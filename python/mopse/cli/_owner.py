"""The command ``mopse owner``."""

import argparse
import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

import polars as pl

import mopse
from mopse._files import PRIVATE, as_file, as_folder, read_whole, telling, write_whole
from mopse.cli._command import Commands, NotUnderstoodError, add_command
from mopse.cli._keyrings import (
    add_password,
    locked,
    made_new,
    must_be_there,
    opened_owner,
    password_of,
)
from mopse.cli._output import (
    add_json,
    counted,
    note,
    print_document,
    print_line,
    print_table,
    rows_of,
)
from mopse.cli._schema_file import naming, read_schema
from mopse.cli._session import add_cloud, add_documented, opened_cloud
from mopse.errors import (
    ChangedError,
    DamagedFileError,
    InvalidInputError,
    ReplayError,
    SignatureError,
)

__all__ = ["add"]

_TELLS = "a cloud to tell of it"
_MOST = 1 << 16
"""Bytes of public keys."""


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
    _add_keyring(new, "the new keyring")
    add_cloud(new, is_needed=False, why=f"{_TELLS}, which is made if it is not there")
    new.set_defaults(run=_new)

    enroll = add_documented(
        does,
        "enroll",
        short="tell a cloud what the keyring has announced",
        long="""Have a cloud serve this owner, and know everything that the keyring has announced:
        what was authorised or revoked without --cloud, or with another one.""",
        example="mopse owner enroll --keyring owner.keyring --cloud phr.duckdb",
    )
    _add_keyring(enroll)
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
    _add_keyring(authorize)
    authorize.add_argument(
        "--to", required=True, metavar="FILE", help="the provider's keyring to write"
    )
    authorize.add_argument(
        "--replace", action="store_true", help="write it in place of one that is there"
    )
    add_password(authorize, "--new-password-fd", "the provider's keyring")
    add_cloud(authorize, is_needed=False, why=_TELLS)
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
    _add_keyring(revoke)
    add_cloud(revoke, is_needed=False, why=_TELLS)
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
    _add_keyring(remove)
    add_cloud(remove)
    remove.set_defaults(run=_remove)

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
    _add_keyring(renew)
    add_cloud(renew, is_needed=False, why=_TELLS)
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
        "--out", required=True, metavar="FOLDER", help="where the grants of who stays are written"
    )
    _add_keyring(unshare)
    add_cloud(unshare, is_needed=False, why=_TELLS)
    unshare.set_defaults(run=_unshare)

    shared = add_documented(
        does,
        "shared",
        short="say with whom what is shared",
        long="""Print what `mopse grant --user` gave to whom, and is not taken back; is_current
        says whether it opens what is sealed now. What is not was given before readers' epochs that
        began since, perhaps by another copy of the keyring, which may have taken it back: grant it
        anew to who is to have it. What providers have given is in their own keyrings. Then what
        `mopse delegate` gave, with the bounds of each field.""",
        example="mopse owner shared --keyring owner.keyring",
    )
    _add_keyring(shared)
    shared.set_defaults(run=_shared)

    key = add_documented(
        does,
        "key",
        short="print the verification key, the owner's name at clouds",
        long="""Print the verification key in 64 hexadecimal digits: no secret, and what an operator
        is told who serves some owners only, with `mopse serve --enroll-only`.""",
        example="mopse owner key --keyring owner.keyring > owner.key",
    )
    _add_keyring(key)
    key.set_defaults(run=_key)


def _add_keyring(command: argparse.ArgumentParser, what: str = "the owner's keyring") -> None:
    command.add_argument("--keyring", required=True, metavar="FILE", help=what)
    add_password(command, of="the owner's keyring")
    add_json(command)


class _Open:
    """An owner whose keyring nobody else changes meanwhile."""

    def __init__(self, owner: mopse.Owner, keyring: Any, password: str) -> None:
        self.owner, self._keyring, self._password = owner, keyring, password

    def announce(self) -> bytes:
        """Return what a cloud is to know, once the keyring on the disk knows it."""
        public = self.owner.public
        self.owner.save(self._keyring, self._password)
        return public

    def meet(self, cloud: mopse.Cloud) -> None:
        """Tell a cloud all there is, and take over what a copy of the keyring told it."""
        try:
            cloud.enroll(self.announce())
        except (ChangedError, ReplayError):
            before, readers = set(self.owner.providers), self._readers()
            self.owner.catch_up(cloud)
            undone = self._revoked_of(set(self.owner.providers) - before)
            undone += [user.hex()[:16] for user in self._readers() - readers]
            cloud.enroll(self.announce())
            if undone:
                raise ChangedError(
                    "a copy of this keyring has told the cloud something else meanwhile: this one "
                    "has caught up, and what it had revoked or taken back alone is undone, and to "
                    f"be done again: {', '.join(sorted(undone))}"
                ) from None

    def _revoked_of(self, paths: set[str]) -> list[str]:
        """Return which of these the keyring on the disk knows, and had revoked."""
        if not paths:
            return []
        kept = opened_owner(os.fspath(self._keyring), self._password)
        found = []
        for path in paths:
            with contextlib.suppress(InvalidInputError):  # whom it never knew
                kept.removal(path)
                found.append(path)
        return found

    def _readers(self) -> set[bytes]:
        """Return the users with whom something is shared."""
        return {*self.owner.shared["user"], *self.owner.delegated["user"]}


def _new(given: argparse.Namespace) -> None:
    schema = read_schema(given.schema)
    made_new(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=True)
    with locked(given.keyring) as keyring:
        made_new(given.keyring)
        opened = _Open(mopse.Owner.generate(schema), keyring, password)
        public = opened.announce()
        if given.cloud is not None:
            with opened_cloud(given, may_make=True) as cloud:
                cloud.enroll(public)
    _say(
        given,
        f"{given.keyring} holds a new owner with the fields {', '.join(schema)}.",
        owner=_short(opened.owner),
        keyring=given.keyring,
        fields=list(schema),
    )


def _enroll(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = _Open(opened_owner(given.keyring, password), keyring, password)
        with opened_cloud(given, may_make=True) as cloud:
            opened.meet(cloud)
    paths = opened.owner.providers
    _say(
        given,
        f"The cloud knows the owner and {counted(len(paths), 'provider')}.",
        owner=_short(opened.owner),
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
        opened = _Open(opened_owner(given.keyring, password), keyring, password)
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
    _say(
        given,
        f"{given.to} is the keyring of {provider.path}: give it the file and its password.",
        owner=_short(opened.owner),
        provider=provider.path,
        keyring=given.to,
    )
    if given.cloud is None:
        note("no cloud was told of it: `mopse owner enroll` does that")


def _revoke(given: argparse.Namespace) -> None:
    if given.remove and given.cloud is None:
        raise NotUnderstoodError("--remove is for a cloud: --cloud names it")
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = _Open(opened_owner(given.keyring, password), keyring, password)
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
    _say(
        given,
        f"{given.path} is revoked.{again}",
        owner=_short(owner),
        revoked=given.path,
        need_new_keyrings=others,
    )
    if given.cloud is None:
        note("no cloud was told of it: `mopse owner enroll` does that")


def _remove(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = _Open(opened_owner(given.keyring, password), keyring, password)
        removal = opened.owner.removal(given.path)
        with opened_cloud(given) as cloud:
            opened.meet(cloud)
            receipt = cloud.receive(removal)
    removed = counted(receipt.removed, "record")
    _say(
        given,
        f"{given.path}: {removed} removed, and all files and seals that it sent.",
        owner=_short(opened.owner),
        provider=given.path,
        removed=receipt.removed,
    )


def _renew_readers(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        opened = _Open(opened_owner(given.keyring, password), keyring, password)
        if given.cloud is None:
            opened.owner.renew_readers(given.under)
            opened.announce()
        else:
            with opened_cloud(given) as cloud:
                opened.meet(cloud)
                opened.owner.renew_readers(given.under)
                cloud.enroll(opened.announce())
    who = "right below the owner" if given.under is None else f"below {given.under}"
    _say(
        given,
        f"No grant so far opens what providers {who} seal from now on.",
        owner=_short(opened.owner),
        under=given.under,
    )
    if given.cloud is None:
        note("no cloud was told of it: `mopse owner enroll` does that")


def _unshare(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    public = read_whole(as_file(given.user), _MOST)
    folder = as_folder(given.out)
    with telling(folder):
        folder.mkdir(exist_ok=True)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring, contextlib.ExitStack() as stack:
        opened = _Open(opened_owner(given.keyring, password), keyring, password)
        cloud = None
        if given.cloud is not None:
            cloud = stack.enter_context(opened_cloud(given))
            opened.meet(cloud)
        with naming(given.user, DamagedFileError, SignatureError, InvalidInputError):
            anew = opened.owner.unshare(public)
        # Given again, the command serves who stays again: what is lost here is made anew.
        announced = opened.announce()
        written = [_renewed(folder, user, grant) for user, of in anew.items() for grant in of]
        if cloud is not None:
            cloud.enroll(announced)
    stays = f" In {given.out}: {counted(len(written), 'grant')} for who stays." if written else ""
    _say(
        given,
        f"What is sealed from now on is closed to the user of {given.user}.{stays}",
        owner=_short(opened.owner),
        user=hashlib.sha256(public).hexdigest(),
        grants=written,
    )
    if given.cloud is None:
        note("no cloud was told of it: `mopse owner enroll` does that")


def _renewed(folder: Path, user: bytes, grant: bytes) -> str:
    """Write a sealed grant to a file that is named by its user; return that name."""
    parts = [hashlib.sha256(part).hexdigest() for part in (user, grant)]
    file = folder / f"{parts[0][:16]}-{parts[1][:8]}.grant"
    write_whole(file, grant, PRIVATE)
    return file.name


def _shared(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    owner = opened_owner(given.keyring, password)
    named = pl.col("user").bin.encode("hex")
    shared, rights = owner.shared.with_columns(named), owner.delegated.with_columns(named)
    if given.json:
        print_document({"shared": rows_of(shared), "rights": rows_of(rights)})
        return
    print_table(shared.with_columns(pl.col("portions").list.join(", ")))
    if rights.height:
        print_table(rights)


def _key(given: argparse.Namespace) -> None:
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    key = opened_owner(given.keyring, password).key.hex()
    _say(given, key, key=key)


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


def _say(given: argparse.Namespace, line: str, **document: Any) -> None:
    if given.json:
        print_document(document)
    else:
        print_line(line)


def _short(owner: mopse.Owner) -> str:
    """Return what an owner is called where people read it."""
    return owner.key[:8].hex()
