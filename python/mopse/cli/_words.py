"""Errors in the words of commands: what helps is an option there, and no argument of Python."""

import re

from mopse.errors import MopseError

__all__ = ["in_commands", "of_no_table", "told"]

_WORDS: tuple[tuple[str, str], ...] = (
    (
        "by_provider=True gives each provider's records as they are, "
        "faults='report' gives most of them",
        "--report gives most of them",
    ),
    ("faults='report'", "--report"),
    (": see by_provider=True", ""),
    (
        "make the query with proof=True, or search with proof='signatures', and take the answer "
        "to its end",
        "ask with --proof",
    ),
    (": search in_detail=True tells whose part it is", ""),
    ("declare it with proof=True", "its table in the schema file needs proof = true"),
    ("as `requests` says", "as `mopse access list` shows it"),
    ("proof=True", "--proof"),
    ("max_age", "--max-age"),
    ("folder must be a path, which names a file", "--out names no folder"),
    ("replace=True", "--replace"),
    ("with cloud=", "with --from-cloud"),
    (
        "give certificate and key, or insecure_http=True",
        "give --tls-certificate and --tls-key, or --insecure-http",
    ),
    (", or insecure_http=True", ""),
    ("certificate and key are", "--tls-certificate and --tls-key are"),
    ("certificate is of an https://", "--certificate is of an https://"),
    ("the cloud enrols owner.public again", "`mopse owner enroll` tells the cloud"),
    ("have the cloud enrol owner.public again", "tell the cloud by `mopse owner enroll`"),
    ("what `decrypt` adds", "what `mopse ask` adds"),
    (
        "make dates of it, as with .dt.date(), or leave the zone out, as with "
        ".dt.replace_time_zone(None)",
        "make dates of it, or leave the zone out",
    ),
    (', as str.normalize("NFC") of Polars and pandas does', ""),
    ("store='postgresql://user@host/database'", "--store postgresql://user@host/database"),
)
"""What Python is told, and what whoever gives a command is; the longer of two comes first."""

_FILES = {
    "the user's public keys": "it holds no public keys of a user, as `mopse user new` writes them, "
    "or not all of them",
    "the sealed grant": "it is no grant to a user with keys, as `mopse grant --user` writes it, or "
    "not all of it",
    "the grant": "it is no grant, as `mopse grant` without --user writes it, or not all of it",
    "the file": "it is no saved keyring or user, or it is damaged",
}
_DAMAGED = re.compile(rf"({'|'.join(_FILES)}) is (cut short or malformed at byte [0-9]+|damaged)$")
"""What a file that holds something else is said to be."""

_TYPES = re.compile(r"Schema\(types=.*?\.\.\.\}\) has")


def in_commands(said: str) -> str:
    """Return what an error says with the options of commands in place of Python's arguments."""
    for python, command in _WORDS:
        said = said.replace(python, command)
    said = _DAMAGED.sub(_no_such_file, said)
    return _TYPES.sub("[types] in the schema file of `mopse encrypt --schema` has", said)


def _no_such_file(found: re.Match[str]) -> str:
    what, how = found.groups()
    return _FILES[what] if (what == "the file") == (how == "damaged") else found.group()


def told(error: MopseError) -> str:
    """Return what an error says to who gives commands, without the system's number for it."""
    number = error.errno if isinstance(error, OSError) else None
    return in_commands(str(error).removeprefix(f"[Errno {number}] "))


def of_no_table(error: MopseError) -> MopseError:
    """Return an error about a record that was named by its id, and stands in no row."""
    return type(error)(re.sub(r" \(row [0-9]+ of the table\)", "", str(error)))
