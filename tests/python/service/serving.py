"""Services of the tests' own: as processes, or in a thread beside the store that they serve."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import mopse

pytest.importorskip("granian", reason="needs the extra server")
pytest.importorskip("starlette", reason="needs the extra server")
pytest.importorskip("prometheus_client", reason="needs the extra server")

from mopse.service import Limits, _application, _server

__all__ = ["Served", "pair", "raw", "served_here", "spoken"]


class Served:
    """A process that runs ``mopse serve`` on a free port."""

    def __init__(self, folder: Path, *options: str, store: str | None = None) -> None:
        self.log = folder / "requests.jsonl"
        command = [sys.executable, "-m", "mopse", "serve", "--listen", "127.0.0.1:0"]
        command += ["--log", str(self.log), *options]
        command += [] if store is None else ["--store", store]
        with open(folder / "said.txt", "ab") as said:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line.startswith("The identity"):
            line = self.process.stdout.readline()
        found = re.search(r"(https?)://127.0.0.1:(\d+)$", line.strip())
        if found is None:
            self.kill()
            raise AssertionError((folder / "said.txt").read_text())
        self.url, self.port = found[0], int(found[2])

    def lines(self) -> list[dict[str, Any]]:
        """Return what the log holds, once what was asked is written down."""
        time.sleep(0.25)
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def stop(self) -> int:
        """Tell it to stop, and return how it ended."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        elif self.process.stdout is not None and not self.process.stdout.closed:
            self._ended()


@contextlib.contextmanager
def served_here(
    cloud: mopse.Cloud,
    log: Path,
    limits: Limits | None = None,
    owners: Sequence[bytes] | None = None,
) -> Iterator[str]:
    """Serve a cloud of this process from a thread; gives the address."""
    service = _application.Service(cloud, limits or Limits(), log, owners)
    begun, told = threading.Event(), {}

    def ready(address: str) -> None:
        told["address"], told["loop"] = address, asyncio.get_running_loop()
        begun.set()

    stopping = asyncio.Event()
    port = _server._free("127.0.0.1", 0)
    run = _server._run(service, "127.0.0.1", port, None, ready, stopping)
    thread = threading.Thread(target=asyncio.run, args=(run,))
    thread.start()
    assert begun.wait(20)
    try:
        yield told["address"]
    finally:
        told["loop"].call_soon_threadsafe(stopping.set)
        thread.join(30)
        service.close()


def raw(port: int, sent: bytes) -> socket.socket:
    """Return a connection over which some bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(sent)
    return connection


def spoken(connection: socket.socket) -> tuple[bytes, float]:
    """Return all that comes until the other side ends the connection, and how long that takes."""
    begun, said = time.monotonic(), b""
    with connection, contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            said += piece
    return said, time.monotonic() - begun


def pair(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """Return the files of a self-signed certificate and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = f"subjectAltName=DNS:{name}" + (",IP:127.0.0.1" if name == "localhost" else "")
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", *curve, *files, "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run([*command, "-addext", names], check=True, capture_output=True)
    os.chmod(key, 0o600)
    return certificate, key
