"""The server that runs the service: granian, within this process and for one of it."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mopse._checked import checked
from mopse._files import as_file, telling
from mopse._remote import is_loopback
from mopse.cloud import Cloud
from mopse.errors import FileAccessError, InvalidInputError
from mopse.service._application import Service
from mopse.service._limits import Limits

__all__ = ["serve"]

_GRACE = 2.0
"""Seconds after the deadline of an answer until its connection is cut."""

_BUFFER = 1 << 16
"""Bytes of a head at most, and of a piece of a body."""


@checked(port=(0, 2**16 - 1))
def serve(
    cloud: Cloud,
    *,
    host: str = "127.0.0.1",
    port: int = 8734,
    certificate: str | os.PathLike[str] | None = None,
    key: str | os.PathLike[str] | None = None,
    insecure_http: bool = False,
    owners: Sequence[bytes] | None = None,
    limits: Limits | None = None,
    log: str | os.PathLike[str] | None = None,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve a cloud until the process is told to stop, by SIGTERM or Ctrl-C.

    Requests that run come to their end then, new ones are refused; the cloud is left open.

    Parameters
    ----------
    cloud : Cloud
        One of this process, over any store.
    host : str
        Where it listens: a name or number of this machine.
    port : int
        Which port; 0 finds one that is free.
    certificate, key : path, optional
        PEM files of the certificate and of its key, in PKCS #8, for ``https://``.
    insecure_http : bool
        Whether it may listen beyond this machine without them.
    owners : sequence of bytes, optional
        Verification keys of the owners who are served; everybody by default. See `application`.
    limits : Limits, optional
        What a request may cost.
    log : path, optional
        Where requests are written down; see `application`.
    ready : callable, optional
        Is called with the address once connections are taken.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the extra is not installed, the certificate and key are no pair, it would listen beyond
        this machine without them, or an owner's key is none.
    mopse.errors.FileAccessError
        If a file cannot be read, or the address is not free.

    Notes
    -----
    HTTP/1.1 only, and TLS 1.3. Heads of requests, bodies and answers have deadlines, and a
    connection is closed over which TLS does not begin within ten seconds. A message is in memory as
    a whole while it is checked, and so is an answer while it is sent, for a signature is over all
    of it: see the README for how much that is. An attachment of more than 4 MiB is not, if the
    store is a file or a database: it is handed on as it comes, and read as it goes.

    Over a store in memory, uploads are worked on by ``limits.threads`` threads that have on Linux a
    lower priority than all others of the process, and never hold its interpreter.
    """
    try:
        from granian.server.embed import Server  # noqa: F401
    except ImportError:
        raise InvalidInputError("a service needs the extra: pip install 'mopse[server]'") from None
    if (certificate is None) != (key is None):
        raise InvalidInputError("certificate and key are a pair: one is given alone")
    if certificate is None and not insecure_http and not is_loopback(host):
        raise InvalidInputError(
            f"{host} is reached from other machines, and messages would travel in the clear: give "
            "certificate and key, or insecure_http=True"
        )
    pair = None if certificate is None else _pair(certificate, key)
    where = _free(host, port)
    service = Service(cloud, limits or Limits(), log, owners)
    try:
        asyncio.run(_run(service, host, where, pair, ready, asyncio.Event()))
    finally:
        service.close()


def _pair(certificate: Any, key: Any) -> tuple[Path, Path]:
    """Return the files of a certificate and its key, which are held against each other."""
    files = as_file(certificate), as_file(key)
    for file in files:
        with telling(file):
            file.read_bytes()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files, password=lambda: b"")
    except (ssl.SSLError, ValueError, TypeError):
        raise InvalidInputError(
            "certificate and key are no pair of PEM files, or the key is under a password"
        ) from None
    if b"BEGIN PRIVATE KEY" not in files[1].read_bytes():
        raise InvalidInputError("the key must be in PKCS #8: openssl pkcs8 -topk8 -nocrypt")
    return files


def _free(host: str, port: int) -> int:
    """Return a port that can be listened at: the one that was named, or any for 0."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            return int(tried.getsockname()[1])
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no such name"
        raise FileAccessError(f"nothing can listen at {host!r}, port {port}: {why}") from None


async def _run(
    service: Service,
    host: str,
    port: int,
    pair: tuple[Path, Path] | None,
    ready: Callable[[str], object] | None,
    stopping: asyncio.Event,
) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    limits = service.limits
    server = Server(
        service.application(),
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=limits.connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=limits.header_seconds * 1000, max_buffer_size=_BUFFER
        ),
        log_enabled=False,
        ssl_cert=None if pair is None else pair[0],
        ssl_key=None if pair is None else pair[1],
    )
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
    serving = asyncio.create_task(server.serve())
    told = asyncio.create_task(stopping.wait())
    begun = asyncio.create_task(_listens(host, port))
    await asyncio.wait({serving, told, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    _forget_deaf(port, limits.answer_seconds + _GRACE)
    if ready is not None and not (serving.done() or told.done()):
        named = f"[{host}]" if ":" in host else host
        ready(f"{'http' if pair is None else 'https'}://{named}:{port}")
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        told.cancel()
        await serving
        raise FileAccessError("the server has ended by itself")
    service.is_stopping = True
    server.stop()  # type: ignore[no-untyped-call]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limits.stop_seconds):
            await service.idle()
            await serving


def _forget_deaf(port: int, seconds: float) -> None:
    """Have the system end connections whose other side takes nothing of what was sent.

    The server has no option for that; what its socket says, those that it accepts say too. Where
    the system knows no such thing, a reader that stops holds its connection, and nothing but that.
    """
    if not (hasattr(socket, "TCP_USER_TIMEOUT") and os.path.isdir("/proc/self/fd")):
        return
    wait = max(int(seconds * 1000), 1)
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # that of the listing is closed by now
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as one:
                is_listening = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if is_listening and one.getsockname()[1] == port:
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, wait)


async def _listens(host: str, port: int) -> None:
    """Return once connections are taken."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
