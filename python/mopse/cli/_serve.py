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
from collections.abc import Iterator

from mopse._files import as_file, read_whole
from mopse.cli._command import Commands, NotUnderstoodError, add_command
from mopse.cli._waiting import add_wait, waiting_for
from mopse.cloud import Cloud
from mopse.errors import InvalidInputError, MissingFileError
from mopse.service import Limits, serve
from mopse.sharing import AuditLog

__all__ = ["add"]

_DIGITS = 64
_KEY = re.compile(f"[0-9a-fA-F]{{{_DIGITS}}}")
_MOST = 1 << 22
"""Bytes of a file that holds verification keys."""

_SWITCH = 0.0005
"""Seconds after which a thread that computes lets another one: answers wait less for others."""

_EXAMPLE = """Example:

    mopse serve --store phr.duckdb --listen 127.0.0.1:8734 --log requests.jsonl \\
      --enroll-only owner.key
"""

_ABOUT = {
    "message_bytes": "size of an upload, attachment or seal",
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

_LIMITS = re.compile(rf"^({'|'.join(_ABOUT)}|answer_bytes)\b")


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
        "--audit-log",
        metavar="FILE",
        help="write down who did what, in a log that cannot be rewritten without being noticed: "
        "`mopse audit` reads it; the key that signs it is made beside it, in FILE.identity",
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
        else:
            keys += _held(named)
    return keys


def _held(named: str) -> list[bytes]:
    """Return the verification keys that a file holds."""
    try:
        contents = read_whole(as_file(named), _MOST)
    except MissingFileError:
        raise InvalidInputError(
            f"--enroll-only {named}: it is no verification key, which has {_DIGITS} hexadecimal "
            f"digits and not {len(named):,} letters, and there is no file of that name"
        ) from None
    lines = map(str.strip, contents.decode("utf-8", "replace").splitlines())
    keys = []
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        if not _KEY.fullmatch(line):
            raise InvalidInputError(
                f"--enroll-only {named}: line {number} is no verification key, which has {_DIGITS} "
                "hexadecimal digits"
            )
        keys.append(bytes.fromhex(line))
    if not keys:
        raise InvalidInputError(f"--enroll-only {named}: the file holds no verification key")
    return keys


@contextlib.contextmanager
def _in_flags() -> Iterator[None]:
    """Have an error about a limit name its option."""
    try:
        yield
    except InvalidInputError as error:
        raise type(error)(_LIMITS.sub(_flag, str(error))) from None


def _flag(found: re.Match[str]) -> str:
    return f"--{found.group().replace('_', '-')}"


def _run(given: argparse.Namespace) -> None:
    host, colon, port = given.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and len(port) <= 5):
        raise NotUnderstoodError("--listen takes HOST:PORT, as in 127.0.0.1:8734")
    with _in_flags():
        limits = Limits(**{name: getattr(given, name) for name in _ABOUT})
    owners = None if given.enroll_only is None else _keys(given.enroll_only)
    sys.setswitchinterval(_SWITCH)
    gc.freeze()  # what is loaded now stays, and no collection looks through it again
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # a connection takes one
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    audit_log = None if given.audit_log is None else AuditLog(given.audit_log)

    def opened() -> Cloud:
        with _in_flags():
            return Cloud(given.store, answer_bytes=given.answer_bytes, audit_log=audit_log)

    def ready(address: str) -> None:
        if audit_log is not None:
            print(f"The identity of its audit log is {audit_log.identity.hex()}", flush=True)
        print(f"The cloud serves at {address}", flush=True)

    with (
        audit_log or contextlib.nullcontext(),
        waiting_for(str(given.store), opened, given.wait) as cloud,
    ):
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
            ready=ready,
        )
    print("The cloud has stopped.")
