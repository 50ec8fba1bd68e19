"""The commands ``mopse find``, ``fetch`` and ``request``: files that were attached.

A user with keys has no right to ask: it is given a request that an owner or provider has signed, as
a file of JSON. That decides which files are found or fetched, and grants decide what of them opens.
"""

import argparse
import base64
import binascii
import contextlib
import datetime
import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mopse
from mopse._answers import asked_by_a_user
from mopse._bodies import opened_by
from mopse._files import PRIVATE, as_file, creating, is_plain, read_whole, replacing, telling
from mopse.cli._command import Commands, NotUnderstoodError
from mopse.cli._found import faults_in_commands
from mopse.cli._grants import add_expiry, add_out, lent, write_new
from mopse.cli._keyrings import locked, must_be_there, opened_holder, password_of
from mopse.cli._output import (
    add_json,
    counted,
    note,
    print_document,
    print_line,
    print_table,
    rows_of,
)
from mopse.cli._schema_file import naming
from mopse.cli._session import (
    NOTHING_FOUND,
    add_cloud,
    add_documented,
    add_party,
    add_proof,
    check_proof,
    opened_cloud,
    session,
)
from mopse.errors import DamagedFileError, FileAccessError

__all__ = ["add"]

_MOST = 1 << 28
"""Bytes of a file that holds a request."""

_KIND = "mopse request"
_FIND, _FETCH = "find", "fetch"
_CLOSED = "the user has no right to this record"
"""What is said of files that nothing granted opens."""


def add(commands: Commands) -> None:
    """Add the commands."""
    find = add_documented(
        commands,
        "find",
        short="list files by keywords",
        long="""List the attached files that have all of some keywords, at every provider in reach.
        The cloud learns which files match each keyword, not the words.

        A user with keys lists by a request, which an owner or provider makes for it by `mopse
        request`, and sees those files that its grants open.

        The exit code is 0 if there are files, 3 if there is none, 1 if something was refused.""",
        example="""mopse find pneumonia '0171 234' --as owner.keyring --cloud phr.duckdb
                   mopse find --request x-rays.request --as doctor.user --cloud phr.duckdb""",
    )
    find.add_argument("words", nargs="*", metavar="WORD", help="a keyword")
    _add_request(find, "words")
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
        holds; no other file moves.

        A user with keys fetches by a request for that number, which an owner or provider makes for
        it by `mopse request --file`.""",
        example="""mopse fetch 0b5e... --out chest.jpg --as owner.keyring --cloud phr.duckdb
                   mopse fetch --request chest.request --out chest.jpg --as doctor.user \\
                     --cloud phr.duckdb""",
    )
    fetch.add_argument(
        "number", nargs="?", metavar="NUMBER", help="the file's number, from `mopse find`"
    )
    _add_request(fetch, "a number")
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

    request = add_documented(
        commands,
        "request",
        short="make a request for files, for a user who has grants",
        long="""Write a request to a file: signed, for `mopse find --request` by keywords, or for
        `mopse fetch --request` of one file by its number. Whoever has it can ask until it expires,
        and opens of what it finds what was granted: the portion 'files' of the records. Whoever has
        it learns which of the files that it may open have these keywords.""",
        example="""mopse request pneumonia --as owner.keyring --out x-rays.request
                   mopse request --file 0b5e... --as owner.keyring --out chest.request""",
    )
    request.add_argument("words", nargs="*", metavar="WORD", help="a keyword")
    request.add_argument("--file", metavar="NUMBER", help="the number of one file, instead")
    add_party(request)
    add_expiry(request, "it can be asked (default: 1)", default=1)
    add_out(request, "the new file")
    add_cloud(
        request, is_needed=False, why="a cloud to learn from first what the keyring has missed"
    )
    add_json(request)
    request.set_defaults(run=_request)


def _add_request(command: argparse.ArgumentParser, instead_of: str) -> None:
    command.add_argument(
        "--request",
        metavar="FILE",
        help=f"a request, from `mopse request`, instead of {instead_of}",
    )


@contextlib.contextmanager
def _holding(
    given: argparse.Namespace,
) -> Iterator[tuple[mopse.Owner | mopse.Provider | mopse.User, Callable[[], None]]]:
    """Lend a keyring or user that nobody else changes meanwhile, and what saves it."""
    must_be_there(given.keyring)
    password = password_of(given.password_fd, given.keyring, is_new=False)
    with locked(given.keyring) as keyring:
        holder = opened_holder(given.keyring, password)
        yield holder, lambda: holder.save(keyring, password)


def _find(given: argparse.Namespace) -> int:
    check_proof(given)
    if bool(given.words) == (given.request is not None):
        raise NotUnderstoodError("find takes a WORD or several, or --request, and not both")
    if given.request is not None:
        return _find_requested(given)
    with session(given) as at:

        def ask() -> mopse.FileListing:
            asked.append(at.party.find(*given.words, proof=given.proof))
            return at.cloud.find(asked[-1], proof=given.proof)

        asked: list[mopse.FileRequest] = []
        with at.remembering(has_proof=given.proof):
            listing = at.up_to_date(ask)
            files = at.party.files(listing, asked[-1], proof=given.proof, max_age=given.max_age)
    return _print_files(given, {"files": rows_of(files)}, files)


def _find_requested(given: argparse.Namespace) -> int:
    request = _read(given.request, _FIND)
    with (
        _holding(given) as (holder, save),
        opened_cloud(given) as cloud,
        naming(given.request),
        asked_by_a_user("the request"),
    ):
        listing = cloud.find(request, proof=given.proof)
        of, max_age = holder.files, given.max_age
        files, wrong = of(listing, request, proof=given.proof, max_age=max_age, faults="report")
        if given.proof:
            save()
    faults = faults_in_commands(wrong)
    closed = [fault for fault in faults if fault["cause"].startswith(_CLOSED)]
    faults = [fault for fault in faults if fault not in closed]
    document = {"files": rows_of(files), "closed": len(closed), "faults": faults}
    code = _print_files(given, document, files)
    if closed:
        at = ", ".join(sorted({fault["provider"] for fault in closed}))
        note(f"{counted(len(closed), 'file')} found that no grant opens, at {at}")
    for fault in faults:
        file = "" if fault["file"] is None else f", file {fault['file']}"
        note(f"provider {fault['provider']!r}{file}: {fault['cause']}")
    return 1 if faults else code


def _print_files(given: argparse.Namespace, document: dict[str, Any], files: Any) -> int:
    if given.json:
        print_document(document)
    else:
        print_table(files)
    note(counted(files.height, "file"))
    return 0 if files.height else NOTHING_FOUND


def _fetch(given: argparse.Namespace) -> None:
    if (given.number is None) == (given.request is None):
        raise NotUnderstoodError("fetch takes a file's number, or --request, and not both")
    out: Path = as_file(given.out)
    if out.exists() and not given.replace and (is_plain(out) or out.is_dir()):
        why = "there is a file already, and --replace writes in its place"
        raise FileAccessError(errno.EEXIST, why, given.out)
    if given.request is None:
        with session(given) as at:
            request = at.party.fetch(given.number)
            name, media_type, provider, size = _written(given, out, at.cloud, at.party, request)
    else:
        request = _read(given.request, _FETCH)
        with (
            _holding(given) as (holder, _),
            opened_cloud(given) as cloud,
            naming(given.request),
            asked_by_a_user("the request"),
        ):
            name, media_type, provider, size = _written(given, out, cloud, holder, request)
    if given.json:
        told = {"name": name, "media_type": media_type, "provider": provider}
        print_document({**told, "bytes": size, "out": given.out})
    else:
        print_line(f"{given.out}: {name!r} of {provider}, {counted(size, 'byte')}.")


def _written(
    given: argparse.Namespace,
    out: Path,
    cloud: mopse.Cloud,
    holder: Any,
    request: mopse.FileRequest,
) -> tuple[str, str, str, int]:
    """Fetch and open a file a piece at a time; return its name, type, provider and size."""
    with _folder_for(out) as folder:
        sealed = cloud.fetch(request, proof=given.proof, to=folder / "sealed")

        def opened(write: Callable[[Any], Any]) -> tuple[str, str, str, int]:
            begin = holder._begin_opening
            file, called, size = opened_by(sealed, request, begin, given.proof, write)
            return called[0], called[1], file.provider, size

        if given.replace or out.exists():
            if out.exists() and not is_plain(out):
                opened(lambda _: None)  # a pipe is given nothing that is not known to be all
            with replacing(out, PRIVATE) as target:
                return opened(target.write)
        with creating(out, PRIVATE) as target:
            return opened(target.write)


@contextlib.contextmanager
def _folder_for(out: Path) -> Iterator[Path]:
    """Lend a folder for what is sealed, on the disk that it is opened to where that can be."""
    is_there = out.exists() and not is_plain(out)
    parent = None if is_there or not os.access(out.parent, os.W_OK) else out.parent
    with telling(out):
        if not out.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        lent = tempfile.TemporaryDirectory(prefix=".mopse.", dir=parent)
    with lent as folder:
        yield Path(folder)


def _request(given: argparse.Namespace) -> None:
    if bool(given.words) == (given.file is not None):
        raise NotUnderstoodError("request takes keywords, or --file with a number, and not both")
    expires_in = datetime.timedelta(days=given.expires_in)
    with lent(given) as at:
        if given.file is None:
            request = at.party.find(*given.words, proof=True, expires_in=expires_in)
        else:
            request = at.party.fetch(given.file, expires_in=expires_in)
        message = base64.b64encode(bytes(request)).decode()
        what = _FIND if given.file is None else _FETCH
        held = {"kind": _KIND, "for": what, "message": message}
        write_new(given.out, f"{json.dumps(held, indent=1)}\n".encode())
    if given.json:
        print_document({"out": given.out, "for": what, "days": given.expires_in})
    else:
        days = counted(given.expires_in, "day")
        print_line(f"{given.out} is for `mopse {what} --request`, {days} long: for who has grants.")


def _read(path: str, what: str) -> mopse.FileRequest:
    """Return the request of a file, which is for one of the commands.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is no such file.
    mopse.errors.FileAccessError
        If it cannot be read.
    """
    contents = read_whole(as_file(path), _MOST)
    with naming(path):
        try:
            held = json.loads(contents)
            kind, wanted = held["kind"], held["for"]
            message = base64.b64decode(held["message"], validate=True)
        except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
            kind = wanted = None
        if kind != _KIND:
            raise DamagedFileError("it is no file of `mopse request`")
        if wanted != what:
            raise DamagedFileError(f"it is for `mopse {_FETCH if what == _FIND else _FIND}`")
        return mopse.FileRequest(message)
