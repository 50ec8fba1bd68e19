"""The command as a process of its own, with passwords on descriptors."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mopse.cli import main

__all__ = ["PASSWORDS", "mopse", "mopse_here", "passwords", "started"]

PASSWORDS = {name: f"{name}'s secret" for name in ("owner", "hospital", "clinic", "ward")}
_FLAGS = ("--password-fd", "--new-password-fd")
_FLAGS_OF_TWO = ("--password-fd", "--with-password-fd")
_LIMIT_S = 120


@contextlib.contextmanager
def passwords(
    *given: str | bytes, flags: Sequence[str] = _FLAGS
) -> Iterator[tuple[list[str], list[int]]]:
    """Lend descriptors that passwords can be read from, and the arguments that name them."""
    handles, arguments = [], []
    for flag, password in zip(flags, given, strict=False):
        out, into = os.pipe()
        handles.append(out)
        line = password if isinstance(password, bytes) else f"{password}\n".encode()
        os.write(into, line)
        os.close(into)
        arguments += [flag, str(out)]
    try:
        yield arguments, handles
    finally:
        for handle in handles:
            os.close(handle)


def started(
    *arguments: Any,
    folder: Path,
    keys: Sequence[str | bytes] = (),
    script: str | None = None,
    **more: Any,
) -> subprocess.Popen:
    """Start the command, or a script that runs it, in a folder."""
    command = ["-m", "mopse"] if script is None else ["-c", script]
    with passwords(*keys) as (flags, handles):
        return subprocess.Popen(
            [sys.executable, *command, *map(str, arguments), *flags],
            cwd=folder,
            pass_fds=handles,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            **more,
        )


def mopse(
    *arguments: Any, folder: Path, keys: Sequence[str | bytes] = (), expect: int = 0, **more: Any
) -> subprocess.CompletedProcess:
    """Run the command to its end, and hold its exit code against what is expected."""
    process = started(*arguments, folder=folder, keys=keys, **more)
    try:
        out, err = process.communicate(timeout=_LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == expect, f"{arguments}: {process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def mopse_here(
    *arguments: Any, folder: Path, keys: Sequence[str | bytes] = (), expect: int = 0
) -> subprocess.CompletedProcess:
    """Run the command as `mopse` does, in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    of = _FLAGS_OF_TWO if "--with" in arguments else _FLAGS
    with (
        passwords(*keys, flags=of) as (flags, _),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main([*map(str, arguments), *flags])
        except SystemExit as left:
            code = left.code
            if isinstance(code, str):
                code = print(code, file=sys.stderr) or 1
    assert code == expect, f"{arguments}: {code}\n{out.getvalue()}\n{err.getvalue()}"
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
