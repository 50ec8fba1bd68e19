"""Serve a cloud over HTTP, for parties in processes and on machines of their own.

Messages are believed for their signatures. Everything that is stored is encrypted, and no key is
asked for. SIGTERM or Ctrl-C stops it; requests that run come to their end.
"""

import argparse
import contextlib
import gc
import re
import resource
import sys

from mopse._files import as_file, read_whole
from mopse.cli._command import Commands, NotUnderstoodError, add_command
from mopse.cli._waiting import add_wait, waiting_for
from mopse.cloud import Cloud
from mopse.errors import InvalidInputError
from mopse.service import Limits, serve

__all__ = ["add"]

_KEY = re.compile("[0-9a-fA-F]{64}")
_MOST = 1 << 22
"""Bytes of a file that holds verification keys."""

_SWITCH = 0.0005
"""Seconds after which a thread that computes lets another one: answers wait less for others."""

_EXAMPLE = """Example:

    mopse serve --store phr.duckdb --listen 127.0.0.1:8734 --log requests.jsonl \\
      --enroll-only owner.key
"""

_ABOUT = {
    "message_bytes": "size of an upload or seal, or of an attachment for a store in memory",
    "attachment_bytes": "size of an attachment for a store that lasts",
    "attachments": "large attachments on their way to the store at a time",
    "question_bytes": "size of any other message",
    "held_bytes": "size of all messages and answers on their way",
    "requests": "requests at a time; those beyond are told to come again",
    "connections": "connections at a time; those beyond wait",
    "threads": "uploads that are worked on at a time, and questions beside them",
    "header_seconds": "how long the head of a request may take, and a connection be idle",
    "body_seconds": "how long a body may take, beside its bytes at the least rate",
    "answer_seconds": "how long an answer may take, beside its bytes at the least rate",
    "least_rate": "bytes a second that a sender or reader keeps up",
    "stop_seconds": "how long requests that run may take when the service stops",
}


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "serve",
        short="serve a cloud to other processes and machines",
        long=f"{__doc__}\n{_EXAMPLE}",
    )
    command.add_argument(
        "--store",
        metavar="STORE",
        help="as in phr.duckdb or postgresql://...; in memory, and gone at the end, by default",
    )
    command.add_argument(
        "--listen",
        default="127.0.0.1:8734",
        metavar="HOST:PORT",
        help="where; port 0 finds a free one (default: %(default)s)",
    )
    command.add_argument("--tls-certificate", metavar="FILE", help="PEM, for https://")
    command.add_argument("--tls-key", metavar="FILE", help="PEM, PKCS #8: its key")
    command.add_argument(
        "--insecure-http",
        action="store_true",
        help="listen beyond this machine without a certificate",
    )
    command.add_argument(
        "--enroll-only",
        action="append",
        metavar="OWNER",
        help="serve these owners and nobody else: a verification key in 64 hexadecimal digits, or "
        "a file with one in each line, from `mopse owner key`; may be repeated",
    )
    command.add_argument(
        "--log", metavar="FILE", help="lines of JSON, a request each (default: standard error)"
    )
    command.add_argument(
        "--answer-bytes",
        type=int,
        default=1 << 26,
        metavar="N",
        help="about how many bytes of an answer come at once (default: %(default)s)",
    )
    add_wait(command)
    limits = command.add_argument_group("limits")
    defaults = Limits()
    for name, about in _ABOUT.items():
        default = getattr(defaults, name)
        limits.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            metavar="N",
            help=f"{about} (default: %(default)s)",
        )
    command.set_defaults(run=_run)


def _keys(owners: list[str]) -> list[bytes]:
    """Return the verification keys that are named, or that files hold."""
    keys = []
    for named in owners:
        if _KEY.fullmatch(named):
            keys.append(bytes.fromhex(named))
            continue
        lines = read_whole(as_file(named), _MOST).decode("utf-8", "replace").splitlines()
        written = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
        if not written or not all(map(_KEY.fullmatch, written)):
            raise InvalidInputError(
                f"--enroll-only {named}: the file holds no verification keys, which have 64 "
                "hexadecimal digits, one in each line"
            )
        keys += map(bytes.fromhex, written)
    return keys


def _run(given: argparse.Namespace) -> None:
    host, colon, port = given.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and len(port) <= 5):
        raise NotUnderstoodError("--listen takes HOST:PORT, as in 127.0.0.1:8734")
    limits = Limits(**{name: getattr(given, name) for name in _ABOUT})
    owners = None if given.enroll_only is None else _keys(given.enroll_only)
    sys.setswitchinterval(_SWITCH)
    gc.freeze()  # what is loaded now stays, and no collection looks through it again
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # a connection takes one
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with waiting_for(
        str(given.store), lambda: Cloud(given.store, answer_bytes=given.answer_bytes), given.wait
    ) as cloud:
        serve(
            cloud,
            host=host,
            port=int(port),
            certificate=given.tls_certificate,
            key=given.tls_key,
            insecure_http=given.insecure_http,
            owners=owners,
            limits=limits,
            log=given.log,
            ready=lambda address: print(f"The cloud serves at {address}", flush=True),
        )
    print("The cloud has stopped.")
