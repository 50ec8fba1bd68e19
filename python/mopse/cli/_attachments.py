"""The command ``mopse attach``: files of records.

What is attached lies beside the keyring, sealed, from before it is sent until its command is done.
A command that was interrupted and is given again, of the same record, name, type, keywords, content
and cloud, sends these very bytes once more, which a cloud takes once.
"""

import argparse
import contextlib
import hashlib
import json
import mimetypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mopse
from mopse._bodies import opened_by
from mopse._files import (
    as_file,
    changed,
    is_plain,
    read_whole,
    reading,
    removed,
    swapped,
    telling,
)
from mopse.cli._command import Commands
from mopse.cli._output import add_json, print_document, print_line, rows_of
from mopse.cli._session import (
    Session,
    add_cloud,
    add_documented,
    add_party,
    as_provider,
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

_PIECE = 1 << 22

_ANY_TYPE = "application/octet-stream"


def add(commands: Commands) -> None:
    """Add the command."""
    attach = add_documented(
        commands,
        "attach",
        short="attach a file to a record",
        long="""Seal a file, as the provider of a record, and have a cloud store it with encrypted
        keywords to find it by. The cloud sees neither name, type nor keyword. The record is looked
        up first: one that is not there is refused. A command that was interrupted is given again,
        and attaches nothing twice.

        Nor is a file attached that the record has already, with this name, type and content: that
        is refused until --again says so, as for other keywords. To know it, the descriptions of the
        record's files are fetched, some hundred bytes each, and the whole of one that has this
        name, type and length; the cloud sees that this is asked. Of a record that is not there,
        with --unchecked, it is not known.""",
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
    attach.add_argument(
        "--again",
        action="store_true",
        help="attach it also if the record has this very file already",
    )
    add_party(attach)
    add_cloud(attach)
    add_json(attach)
    attach.set_defaults(run=_attach)


class _Contents:
    """What is attached: a file, or what a pipe gave."""

    def __init__(self, path: Path) -> None:
        self._path, digest = path, hashlib.sha256()
        self.source: Any = path
        if is_plain(path):
            self.size, self._status = 0, self._now()
            with reading(path) as source:
                while piece := source.read(_PIECE):
                    self.size += len(piece)
                    digest.update(piece)
        else:
            self.source = read_whole(path, _MOST)
            self.size = len(self.source)
            digest.update(self.source)
        self.digest = digest.digest()

    def _now(self) -> tuple[int, ...]:
        with telling(self._path):
            now = os.stat(self._path)
            return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns

    def check(self) -> None:
        """Refuse a file that is not what it was."""
        if self.source is self._path and self._now() != self._status:
            raise changed(self._path)


def _attach(given: argparse.Namespace) -> None:
    name = as_file(given.file).name if given.name is None else given.name
    guessed, _ = mimetypes.guess_type(name, strict=True)
    media_type = guessed or _ANY_TYPE if given.media_type is None else given.media_type
    contents = _Contents(as_file(given.file))
    with session(given) as at:
        provider = as_provider(at.party, given.keyring)
        [record] = as_ids([given.record], text_ids=given.text_ids)
        found = None
        if not (given.unchecked and given.again):
            found = at.up_to_date(lambda: at.cloud.search(provider.lookup([record])))
            if not (len(found) or given.unchecked):
                raise InvalidInputError(
                    f"{provider.path} has no record {record!r} there, and nothing was attached: "
                    "--unchecked does it nevertheless"
                )
        cloud = given.cloud if "://" in given.cloud else os.path.realpath(given.cloud)
        said = [cloud, record, name, media_type, given.keyword]
        kept = _place(given.keyring, provider, said, contents)

        at.learn()

        def attach(to: Path) -> mopse.FileUpload:
            what = {"name": name, "media_type": media_type, "keywords": given.keyword}
            message = provider.attach(record, contents.source, **what, to=to)
            contents.check()
            return message

        interrupted = _again(at, kept)
        if interrupted is None and found is not None and len(found) and not given.again:
            _refuse_known(at, found, name, media_type, contents, kept)
        message, is_repeated = interrupted or (_sent(at, provider, kept, attach), False)
        if given.json:
            document = {"provider": provider.path, "file": message.file, "repeated": is_repeated}
            print_document(document)
        else:
            when = "attached before" if is_repeated else "attached"
            print_line(f"{provider.path}: {when} as {message.file}.")
        sys.stdout.flush()
        removed(kept)  # now that whoever gave the command knows


def _place(keyring: str, provider: mopse.Provider, said: list[Any], contents: _Contents) -> Path:
    """Return where an attachment is kept: by a name that tells nothing without the keyring."""
    digest = hashlib.sha256(json.dumps(said).encode() + b"\0" + contents.digest)
    name = provider.handles([digest.hexdigest()]).tobytes().hex()
    place = Path(os.path.realpath(keyring))
    return place.with_name(f"{place.name}.{name}.attachment")


@contextlib.contextmanager
def _beside(kept: Path, ending: str) -> Iterator[Path]:
    """Lend a name beside an attachment that is kept, for a file that is gone at the end."""
    beside = kept.with_name(f"{kept.name}.{ending}")
    removed(beside)  # as a command that was killed leaves it
    try:
        yield beside
    finally:
        removed(beside)


def _refuse_known(
    at: Session,
    found: mopse.Answer,
    name: str,
    media_type: str,
    contents: _Contents,
    kept: Path,
) -> None:
    """Refuse a file that a record has already."""
    request = at.party.files_of(found)
    # What does not open is for `mopse find` to say.
    files, _ = at.party.files(at.cloud.find(request), request, faults="report")
    described = {"name": name, "media_type": media_type, "size_bytes": contents.size}
    for file in rows_of(files):
        if any(file[what] != value for what, value in described.items()):
            continue
        one, digest = at.party.fetch(file["file"], listed=request), hashlib.sha256()
        with _beside(kept, "fetched") as place:
            sealed = at.cloud.fetch(one, to=place)
            opened_by(sealed, one, at.party._begin_opening, False, digest.update)
        if digest.digest() == contents.digest:
            raise InvalidInputError(
                f"the record has this file already, as {file['file']}, and nothing was attached: "
                "--again does it nevertheless"
            )


def _again(at: Session, kept: Path) -> tuple[mopse.FileUpload, bool] | None:
    """Send what a command that was interrupted has left; say whether it had come already.

    None if there is nothing, or what there is has never come and never will.
    """
    if not kept.exists():
        return None
    try:
        message = mopse.FileUpload.from_file(kept)
    except FileAccessError:
        raise
    except MopseError:  # it was changed since
        return None
    try:
        at.cloud.receive(message)
    except ReplayError:
        return message, True
    except (UnreachableError, FileAccessError):
        raise
    except MopseError:  # as of an epoch that was left meanwhile, where it may have come before that
        return (message, True) if _is_stored(at, message, kept) else None
    return message, False


def _is_stored(at: Session, message: mopse.FileUpload, kept: Path) -> bool:
    def fetch() -> None:
        with _beside(kept, "fetched") as place:
            at.cloud.fetch(at.party.fetch(message.file), to=place)

    try:
        at.up_to_date(fetch)
    except InvalidInputError:
        return False
    return True


def _sent(
    at: Session, provider: mopse.Provider, kept: Path, attach: Callable[[Path], mopse.FileUpload]
) -> mopse.FileUpload:
    """Attach a file, and return what was sent; without an answer it is kept."""

    def send() -> mopse.FileUpload:
        with _beside(kept, "new") as place:
            message = attach(place)
            at.save()  # what a lost keyring counts twice is refused; what never arrives is not
            swapped(place, kept)
        message = message._moved(kept)
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
