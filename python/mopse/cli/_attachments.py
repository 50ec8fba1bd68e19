"""The commands ``mopse attach``, ``find`` and ``fetch``: files of records.

What is attached lies beside the keyring, sealed, from before it is sent until its command is done.
A command that was interrupted and is given again, of the same record, name, type, keywords, content
and cloud, sends these very bytes once more, which a cloud takes once.
"""

import argparse
import errno
import hashlib
import json
import mimetypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mopse
from mopse._files import PRIVATE, as_file, is_plain, read_whole, removed, write_whole
from mopse.cli._command import Commands
from mopse.cli._output import (
    add_json,
    counted,
    note,
    print_document,
    print_line,
    print_table,
    rows_of,
)
from mopse.cli._session import (
    NOTHING_FOUND,
    Session,
    add_cloud,
    add_documented,
    add_party,
    add_proof,
    as_provider,
    check_proof,
    session,
)
from mopse.cli._tables import as_ids
from mopse.errors import (
    FileAccessError,
    InvalidInputError,
    MopseError,
    ReplayError,
    UnreachableError,
)

__all__ = ["add"]

_MOST = 1 << 40
"""Bytes of a file that is attached: a cloud has a limit of its own."""

_ANY_TYPE = "application/octet-stream"


def add(commands: Commands) -> None:
    """Add the commands."""
    attach = add_documented(
        commands,
        "attach",
        short="attach a file to a record",
        long="""Seal a file, as the provider of a record, and have a cloud store it with encrypted
        keywords to find it by. The cloud sees neither name, type nor keyword. The record is looked
        up first: one that is not there is refused. A command that was interrupted is given again,
        and attaches nothing twice.""",
        example="""mopse attach 17 chest.jpg --keyword pneumonia --keyword '0171 234' \\
                     --as hospital.keyring --to phr.duckdb""",
    )
    attach.add_argument("record", metavar="RECORD", help="the id of the record")
    attach.add_argument("file", metavar="FILE", help="the file")
    attach.add_argument(
        "--keyword",
        action="append",
        default=[],
        metavar="WORD",
        help="what it is found by; may be repeated",
    )
    attach.add_argument("--name", help="what it is called (default: as the file)")
    attach.add_argument(
        "--media-type", metavar="TYPE", help="as in image/jpeg (default: by the file's ending)"
    )
    attach.add_argument(
        "--text-ids", action="store_true", help="take the id as text also if it is a whole number"
    )
    attach.add_argument(
        "--unchecked",
        action="store_true",
        help="attach it also to a record that is not there, because it comes later",
    )
    add_party(attach)
    add_cloud(attach)
    add_json(attach)
    attach.set_defaults(run=_attach)

    find = add_documented(
        commands,
        "find",
        short="list files by keywords",
        long="""List the attached files that have all of some keywords, at every provider in reach.
        The cloud learns which files match each keyword, not the words.

        The exit code is 0 if there are files, 3 if there is none.""",
        example="mopse find pneumonia '0171 234' --as owner.keyring --cloud phr.duckdb",
    )
    find.add_argument("words", nargs="+", metavar="WORD", help="a keyword")
    add_party(find)
    add_cloud(find)
    add_proof(find)
    add_json(find)
    find.set_defaults(run=_find)

    fetch = add_documented(
        commands,
        "fetch",
        short="fetch one attached file",
        long="""Fetch an attached file by the number that `mopse find` shows, and write what it
        holds; no other file moves.""",
        example="""mopse fetch 0b5e... --out chest.jpg --as owner.keyring --cloud phr.duckdb""",
    )
    fetch.add_argument("number", metavar="NUMBER", help="the file's number, from `mopse find`")
    fetch.add_argument("--out", required=True, metavar="FILE", help="where it goes")
    fetch.add_argument(
        "--replace", action="store_true", help="write it in place of a file that is there"
    )
    add_party(fetch)
    add_cloud(fetch)
    fetch.add_argument(
        "--proof", action="store_true", help="refuse a file that its provider is not shown to sign"
    )
    add_json(fetch)
    fetch.set_defaults(run=_fetch)


def _attach(given: argparse.Namespace) -> None:
    name = as_file(given.file).name if given.name is None else given.name
    guessed, _ = mimetypes.guess_type(name, strict=True)
    media_type = guessed or _ANY_TYPE if given.media_type is None else given.media_type
    contents = read_whole(as_file(given.file), _MOST)
    with session(given) as at:
        provider = as_provider(at.party, given.keyring)
        [record] = as_ids([given.record], text_ids=given.text_ids)
        if not given.unchecked:
            is_there = at.up_to_date(lambda: len(at.cloud.search(provider.lookup([record]))))
            if not is_there:
                raise InvalidInputError(
                    f"{provider.path} has no record {record!r} there, and nothing was attached: "
                    "--unchecked does it nevertheless"
                )
        cloud = given.cloud if "://" in given.cloud else os.path.realpath(given.cloud)
        said = [cloud, record, name, media_type, given.keyword]
        kept = _place(given.keyring, provider, said, contents)

        at.learn()

        def attach() -> mopse.FileUpload:
            return provider.attach(
                record, contents, name=name, media_type=media_type, keywords=given.keyword
            )

        message, is_repeated = _again(at, kept) or (_sent(at, provider, kept, attach), False)
        if given.json:
            document = {"provider": provider.path, "file": message.file, "repeated": is_repeated}
            print_document(document)
        else:
            when = "attached before" if is_repeated else "attached"
            print_line(f"{provider.path}: {when} as {message.file}.")
        sys.stdout.flush()
        removed(kept)  # now that whoever gave the command knows


def _place(keyring: str, provider: mopse.Provider, said: list[Any], contents: bytes) -> Path:
    """Return where an attachment is kept: by a name that tells nothing without the keyring."""
    digest = hashlib.sha256(json.dumps(said).encode() + b"\0" + hashlib.sha256(contents).digest())
    name = provider.handles([digest.hexdigest()]).tobytes().hex()
    place = Path(os.path.realpath(keyring))
    return place.with_name(f"{place.name}.{name}.attachment")


def _again(at: Session, kept: Path) -> tuple[mopse.FileUpload, bool] | None:
    """Send what a command that was interrupted has left; say whether it had come already.

    None if there is nothing, or what there is has never come and never will.
    """
    if not kept.exists():
        return None
    contents = read_whole(kept, _MOST)
    try:
        message = mopse.FileUpload(contents)
    except MopseError:  # it was changed since
        return None
    try:
        at.cloud.receive(message)
    except ReplayError:
        return message, True
    except (UnreachableError, FileAccessError):
        raise
    except MopseError:  # as of an epoch that was left meanwhile, where it may have come before that
        return (message, True) if _is_stored(at, message) else None
    return message, False


def _is_stored(at: Session, message: mopse.FileUpload) -> bool:
    try:
        at.up_to_date(lambda: at.cloud.fetch(at.party.fetch(message.file)))
    except InvalidInputError:
        return False
    return True


def _sent(
    at: Session, provider: mopse.Provider, kept: Path, attach: Callable[[], mopse.FileUpload]
) -> mopse.FileUpload:
    """Attach a file, and return what was sent; without an answer it is kept."""

    def send() -> mopse.FileUpload:
        message = attach()
        at.save()  # what a lost keyring counts twice is refused; what never arrives is not
        write_whole(kept, bytes(message), PRIVATE)
        at.cloud.receive(message)
        return message

    try:
        try:
            return at.up_to_date(send)
        except InvalidInputError:
            if not provider.catch_up(at.cloud):
                raise
            return send()
    except (UnreachableError, FileAccessError):
        raise
    except MopseError:
        removed(kept)
        raise


def _find(given: argparse.Namespace) -> int:
    check_proof(given)
    with session(given) as at:

        def ask() -> mopse.FileListing:
            asked.append(at.party.find(*given.words, proof=given.proof))
            return at.cloud.find(asked[-1], proof=given.proof)

        asked: list[mopse.FileRequest] = []
        with at.remembering(has_proof=given.proof):
            listing = at.up_to_date(ask)
            files = at.party.files(listing, asked[-1], proof=given.proof, max_age=given.max_age)
    if given.json:
        print_document({"files": rows_of(files)})
    else:
        print_table(files)
    note(counted(files.height, "file"))
    return 0 if files.height else NOTHING_FOUND


def _fetch(given: argparse.Namespace) -> None:
    out: Path = as_file(given.out)
    if out.exists() and is_plain(out) and not given.replace:
        why = "there is a file already, and --replace writes in its place"
        raise FileAccessError(errno.EEXIST, why, given.out)
    with session(given) as at:
        request = at.party.fetch(given.number)
        sealed = at.cloud.fetch(request, proof=given.proof)
        file = at.party.open_file(sealed, request, proof=given.proof)
    write_whole(out, file.content, PRIVATE)
    told = {"name": file.name, "media_type": file.media_type, "provider": file.provider}
    if given.json:
        print_document({**told, "bytes": len(file.content), "out": given.out})
    else:
        print_line(
            f"{given.out}: {file.name!r} of {file.provider}, {counted(len(file.content), 'byte')}."
        )
