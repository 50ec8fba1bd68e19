"""All commands, and how each of them ends."""

import argparse
import os
import sys

import mopse
from mopse.cli import (
    _access,
    _amending,
    _ask,
    _attachments,
    _attack,
    _audit,
    _compare,
    _completion,
    _count,
    _demo,
    _evaluate,
    _finding,
    _grants,
    _labs,
    _owner,
    _processes,
    _read,
    _records,
    _schema,
    _serve,
    _status,
    _store,
    _teams,
    _users,
)
from mopse.cli._command import NotUnderstoodError
from mopse.cli._output import note
from mopse.cli._words import told
from mopse.errors import MopseError

__all__ = ["run"]

_NOT_UNDERSTOOD = 2

_COMMANDS = (
    *(_schema, _owner, _records, _ask, _count, _attachments, _finding, _grants, _users, _teams),
    *(_amending, _access, _read),
    *(_status, _audit, _compare, _store, _serve),
    *(_demo, _processes, _evaluate, _attack, _labs, _completion),
)


def run(arguments: list[str] | None) -> None:
    """Run the command that arguments name, by default those of the shell."""
    parser = argparse.ArgumentParser(
        prog="mopse",
        description="Order-preserving encryption of record indexes under one key per provider, "
        "and what it leaks.",
        epilog="Exit codes: 0 done, or found; 1 refused; 2 not understood; 3 nothing found; "
        "130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"mopse {mopse.__version__}")
    commands = parser.add_subparsers(title="commands", required=True)
    for command in _COMMANDS:
        command.add(commands)
    given = parser.parse_args(arguments)
    try:
        code = given.run(given)
        sys.stdout.flush()
    except NotUnderstoodError as error:
        note(told(error))
        sys.exit(_NOT_UNDERSTOOD)
    except MopseError as error:
        sys.exit(f"mopse: {told(error)}")
    except BrokenPipeError:  # whoever read has had enough; nothing is left to flush at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"mopse: the output cannot be written: {error.strerror or error}")
    if code:  # of what was done, and of what nothing was found for
        sys.exit(code)
