"""A PostgreSQL server of the tests' own: on a socket in a temporary folder, stopped at the end."""

import atexit
import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Server", "postgres"]

_DATABASES = itertools.count()


class Server:
    """A server, and the databases that were made in it."""

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mopse-postgres-"))
        self._programs = programs
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # as whom it does not run
            user = _user()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        made = ["-D", "data", "-U", "mopse", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        self._run("initdb", *made)
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, **self._as)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        import psycopg

        command = [str(self._programs / "postgres"), "-D", "data", "-k", str(self.folder)]
        # It is killed, and not the machine: what it gave to the system is there afterwards.
        options = ["-c", "listen_addresses=", "-c", "max_connections=200", "-c", "fsync=off"]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*command, *options], cwd=self.folder, stdout=log, stderr=log, **self._as
            )
        for _ in range(600):
            try:
                psycopg.connect(self.address("postgres")).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """Stop it at once: what was committed is there when it is started again."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=300)

    def kill(self) -> None:
        """Kill it and its processes, as if the machine had lost its power."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=300)

    def remove(self) -> None:
        """Stop it for good."""
        if self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://mopse@/{database}?host={self.folder}"

    def database(self) -> str:
        """Return the address of a database that is new."""
        import psycopg

        name = f"store_{next(_DATABASES)}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.address(name)


def _user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("there is nobody to run a server as")


@functools.cache
def postgres() -> Server:
    """Return the server of all tests; they are skipped where there is none."""
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    path = shutil.which("postgres") or (str(found[-1]) if found else None)
    if path is None:
        pytest.skip("needs PostgreSQL: apt install postgresql")
    server = Server(Path(path).resolve().parent)
    atexit.register(server.remove)
    return server
