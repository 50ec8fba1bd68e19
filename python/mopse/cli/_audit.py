"""The command ``mopse audit``: what a cloud did, and whether it says so unchanged."""

import argparse
from pathlib import Path

import polars as pl

import mopse
from mopse._files import SHARED, as_file, read_whole, write_whole
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
from mopse.cli._schema_file import naming
from mopse.cli._session import Session, add_cloud, add_documented, add_party, session
from mopse.errors import InvalidInputError
from mopse.sharing import STATEMENTS, Checkpoint, Witness, check_log, statement

__all__ = ["add"]

_MOST = 1 << 16
"""Bytes of a file with a checkpoint."""
_MOST_STATED = 1 << 28


def add(commands: Commands) -> None:
    """Add the command."""
    audit = add_documented(
        commands,
        "audit",
        short="read a cloud's audit log, and hold the cloud to it",
        long="""Read who did what at a cloud that keeps an audit log (`mopse serve --audit-log`),
        and make sure that the log is the one that was seen before. What was seen is kept beside
        the keyring, in KEYRING.witness: without that file a log that was rewritten looks true.""",
        example="mopse audit read --as owner.keyring --cloud https://host:8734",
    )
    does = audit.add_subparsers(title="commands", required=True)

    read = add_documented(
        does,
        "read",
        short="print what happened to an owner's records",
        long="""Print the entries of the owner's log: when, what, by whom, and how many records or
        files. For the owner alone. The exit code is 1 if the log was rewritten since it was last
        seen, and what differs is said.""",
        example="mopse audit read --as owner.keyring --cloud https://host:8734 --start 100",
    )
    read.add_argument(
        "--start", type=int, default=0, metavar="N", help="the first entry (default: %(default)s)"
    )
    _add(read)
    add_json(read)
    read.set_defaults(run=_read)

    watch = add_documented(
        does,
        "watch",
        short="make sure that the log goes on from what was seen",
        long="""Make sure that the log goes on from what this party has seen of it and, if theirs
        are given, from what others have seen. Every party of the owner can be a witness. The exit
        code is 1 if the log was rewritten, or is another one to others.""",
        example="""mopse audit watch --as hospital.keyring --cloud https://host:8734 \\
                     --out hospital.checkpoint --other owner.checkpoint""",
    )
    watch.add_argument(
        "--out", metavar="FILE", help="write what was seen, for others to compare; replaced"
    )
    watch.add_argument(
        "--other",
        action="append",
        default=[],
        metavar="FILE",
        help="what another witness wrote; may be repeated",
    )
    _add(watch)
    add_json(watch)
    watch.set_defaults(run=_watch)

    state = add_documented(
        does,
        "state",
        short="have something written in the log that a cloud does not see",
        long="""State that something happened elsewhere, as that a grant was given: it is signed,
        and the log holds the SHA-256 of the file that it is about, and nothing else of it.""",
        example="""mopse audit state grant doctor.grant --as owner.keyring \\
                     --cloud https://host:8734""",
    )
    state.add_argument("what", choices=STATEMENTS, metavar="WHAT", help=", ".join(STATEMENTS))
    state.add_argument("about", metavar="FILE", help="what it is about")
    _add(state, is_witness=False)
    state.set_defaults(run=_state)

    check = add_documented(
        does,
        "check",
        short="examine the file of a log, for whoever operates or examines a cloud",
        long="""Read a log's file, also one in use, and change nothing: every entry must follow the
        one before it, and the log must be the one that witnesses have seen. The exit code is 1 if
        it is not, and where it differs is said.""",
        example="mopse audit check audit.log --witness owner.keyring.witness",
    )
    check.add_argument("log", metavar="FILE", help="the log")
    check.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="FILE",
        help="what a party has seen: KEYRING.witness, or a checkpoint; may be repeated",
    )
    add_json(check)
    check.set_defaults(run=_check)


def _add(command: argparse.ArgumentParser, *, is_witness: bool = True) -> None:
    add_party(command)
    add_cloud(command)
    if not is_witness:
        return
    command.add_argument(
        "--witness", metavar="FILE", help="where what was seen is kept (default: KEYRING.witness)"
    )
    command.add_argument(
        "--identity",
        metavar="HEX",
        help="the key of the cloud's log, as `mopse serve` prints it; without it the first one "
        "that answers is believed",
    )


def _witness(given: argparse.Namespace, at: Session) -> tuple[Witness, Path]:
    """Return who has seen what so far, and where that is kept."""
    path = as_file(given.witness or f"{given.keyring}.witness")
    identity = None
    if given.identity is not None:
        try:
            identity = bytes.fromhex(given.identity)
        except ValueError:
            identity = b""
        if len(identity) != 32:
            raise InvalidInputError("--identity takes a key of 64 hexadecimal digits")
    if not path.exists():
        if identity is None:
            note(f"nothing was seen before: the log is believed as it is, and kept in {path}")
        return Witness(at.party.key, identity=identity), path
    with naming(str(path)):
        witness = Witness.open(path)
    if witness.owner != at.party.key:
        raise InvalidInputError(f"{path}: it is a witness of another owner's log")
    if identity is not None and witness.identity not in (None, identity):
        raise InvalidInputError(f"{path}: it has seen the log of another identity than --identity")
    return witness, path


def _read(given: argparse.Namespace) -> None:
    with session(given) as at:
        if not isinstance(at.party, mopse.Owner):
            raise InvalidInputError(
                f"{given.keyring}: entries are for the owner; a provider has `mopse audit watch`"
            )
        witness, path = _witness(given, at)
        entries = witness.entries(at.cloud, at.party, given.start)
        witness.save(path)
    shown = entries.with_columns(
        pl.col("who").replace("", "the owner"), pl.col("digest").bin.encode("hex")
    )
    if given.json:
        print_document({"size": _size(witness), "entries": rows_of(shown)})
        return
    print_table(
        shown.with_columns(
            pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S"), pl.col("digest").str.slice(0, 16)
        )
    )
    note(f"the log goes on from what was seen of it; it has {counted(_size(witness), 'entry')}")


def _size(witness: Witness) -> int:
    return 0 if witness.last is None else witness.last.size


def _watch(given: argparse.Namespace) -> None:
    others = []
    for other in given.other:
        with naming(other):
            others.append(Checkpoint(read_whole(as_file(other), _MOST)))
    with session(given) as at:
        witness, path = _witness(given, at)
        is_first = witness.last is None
        seen = witness.watch(at.cloud, at.party, others=others)
        witness.save(path)
    if given.out is not None:
        write_whole(as_file(given.out), bytes(seen), SHARED)
    document = {"size": seen.size, "root": seen.root.hex(), "identity": seen.identity.hex()}
    if given.json:
        print_document(document | {"time": seen.time, "compared": len(others)})
        return
    by = [] if is_first else ["here"]
    by += [f"by {counted(len(others), 'other')}"] if others else []
    goes_on = f"; the log goes on from what was seen {' and '.join(by)}" if by else ""
    print_line(f"{counted(seen.size, 'entry')}, root {seen.root.hex()[:16]}{goes_on}.")


def _state(given: argparse.Namespace) -> None:
    about = read_whole(as_file(given.about), _MOST_STATED)
    with session(given) as at:
        receipt = at.cloud.receive(statement(at.party, given.what, about))
    again = " before" if receipt.repeated else ""
    print_line(f"The log says{again} that there was a {given.what}: {given.about}.")


def _check(given: argparse.Namespace) -> None:
    seen: list[Checkpoint] = []
    for path in given.witness:
        with naming(path):
            content = read_whole(as_file(path), 1 << 22)
            if content.startswith(b"MOPSEWIT"):
                seen += Witness.open(path).seen
            else:
                seen.append(Checkpoint(content))
    sizes = check_log(given.log, seen)
    if given.json:
        print_document(
            {"owners": {of.hex(): size for of, size in sizes.items()}, "compared": len(seen)}
        )
        return
    print_table(
        pl.DataFrame(
            {"owner": [of.hex()[:16] for of in sizes], "entries": list(sizes.values())},
            schema={"owner": pl.String, "entries": pl.UInt64},
        )
    )
    compared = (
        f"as {counted(len(seen), 'checkpoint')} of witnesses said"
        if seen
        else "compared with nothing, so that the end may be another"
    )
    note(f"every entry follows the one before it; {compared}")
