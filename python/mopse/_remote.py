"""A cloud that is a service, as whoever sends it messages sees it: a gate at the end of a wire.

What travels is what a cloud takes and gives, byte for byte, as ``application/octet-stream``;
nothing else is trusted. A request names itself, and an answer repeats that name, so that an answer
which something in between had kept from before is noticed.

Importing this loads no module that can hold a key.
"""

import contextlib
import http.client
import io
import ipaddress
import json
import os
import secrets
import ssl
import threading
import time
import urllib.parse
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Never, Protocol

import numpy as np

from mopse import _mopse, errors
from mopse._checks import string
from mopse._files import as_file, telling
from mopse._kept import Kept
from mopse._mopse.message import Part
from mopse.errors import (
    DamagedFileError,
    FileAccessError,
    InvalidInputError,
    MopseError,
    ReplayError,
    UnreachableError,
)

__all__ = [
    "ATTRIBUTES",
    "BYTES",
    "MOST_GIVEN",
    "REQUEST",
    "ROOT",
    "RemoteGate",
    "Written",
    "given_before",
    "is_address",
    "is_loopback",
    "place_in",
]

ROOT = "/v1"
"""What all paths of messages begin with."""

BYTES = "application/octet-stream"
"""The type of messages and answers."""

MOST_GIVEN = 1 << 34
"""Records that an answer may have given before it goes on."""

REQUEST = "x-request-id"
"""The header with the name of a request, which its answer repeats."""

ATTRIBUTES = "position", "row"
"""Numbers that errors carry beside what they say."""

_TRIES = 4
_PAUSE = 0.1
"""Seconds before the second try; twice that before the third, and so on."""

_MOST_IDLE = 16
_PIECE = 1 << 20
_HEAD = 1 << 16
"""Bytes of an upload in which its head mostly ends."""

_MOST_OF_ERROR = 1 << 16
_MOST = 1 << 32
"""Bytes of an answer that are taken at most."""

_MOST_TO_FILE = 1 << 42
"""Bytes of one that is written to a file."""

_BLOCK = 1 << 16

_ALERT = "\x15\x03"
"""What an answer begins with where TLS is spoken."""

_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
"""What TLS says of an answer that is none."""

_STALE = http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError
"""What a connection that was kept says if the other side has closed it meanwhile."""


def is_address(store: object) -> bool:
    """Say whether something is the address of a service, not of a store."""
    return isinstance(store, str) and store.lower().startswith(("http://", "https://"))


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself, by its name or number."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def place_in(parts: Sequence[Part]) -> dict[str, str]:
    """Return where an answer goes on after parts of it: what a page needs to be told of them."""
    if not parts:
        return {"given": "0"}
    last = parts[-1]
    given = 0
    for part in reversed(parts):
        if part.token != last.token:
            break
        given += len(part)
    return {
        "given": str(given),
        "token": f"{last.token:032x}",
        "snapshot": str(last.snapshot),
        "page": str(last.page),
        "is_last": "true" if last.is_last else "false",
    }


def given_before(
    owner: bytes, given: int, token: int, snapshot: int, page: int, is_last: bool
) -> list[Part]:
    """Return parts that say where an answer goes on as those do which were given, without records.

    The records of the token are counted by blocks that share one memory, so that a large count in
    a request costs little.
    """

    def part(count: int) -> Part:
        handles = np.zeros((count, 2), np.uint64)
        empty = [("", b"", (np.zeros(count, np.uint64), b""))]
        none_of: Any = "", [], 0, (0, b""), handles, empty, []
        return Part(owner, token, snapshot, page, is_last, *none_of)

    blocks, rest = divmod(given, _BLOCK)
    return [*([part(_BLOCK)] * blocks if blocks else []), part(rest)]


class Written(Protocol):
    """What an answer is written to as it comes."""

    def begin(self) -> None:
        """Begin anew."""

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""


class RemoteGate:
    """What `mopse.Cloud` asks of a service, by the calls that it makes of a gate of its own.

    Safe to use from several threads. Connections are kept and used again; a process that was forked
    makes its own.
    """

    def __init__(
        self, url: str, *, certificate: Any = None, insecure_http: bool = False, timeout: float
    ) -> None:
        self._parsed = parsed = _parsed(url)
        self.address = f"{parsed.scheme}://{parsed.netloc}{parsed.path}"
        if parsed.scheme == "http":
            if certificate is not None:
                raise InvalidInputError(
                    "certificate is of an https:// address, and this is http://"
                )
            if not (insecure_http or is_loopback(str(parsed.hostname))):
                raise InvalidInputError(
                    f"{self.address} would send queries and answers in the clear, for anybody on "
                    "the way to see and to withhold: use https://, or insecure_http=True"
                )
            self._tls = None
        else:
            self._tls = _tls(certificate)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._process = os.getpid()
        self._is_closed = False
        weakref.finalize(self, _close_all, self._idle)

    def enroll(self, message: bytes) -> None:
        """See `Gate.enroll`."""
        self._ask("enroll", message)

    def announcements(self, owner: bytes) -> bytes:
        """See `Gate.announcements`."""
        return self._ask(f"announcements/{owner.hex()}", None)

    def receive(self, message: bytes | Kept, now: int) -> tuple[str, int, int, int, int, bool]:
        """See `Gate.receive`; the time is the service's, and the message may lie in a file."""
        tries: list[int] = []
        try:
            told = self._ask("receive", message, tries=tries)
        except ReplayError:
            # An attachment is refused when it comes again, and the first time may have been ours.
            if len(tries) > 1 and (provider := _attached_by(message)) is not None:
                return provider, 0, 0, 0, 1, True
            raise
        return self._receipt(self._read(told))

    def put(self, piece: bytes, now: int) -> tuple[str, int, int, int, int, bool] | None:
        """See `Gate.put`."""
        told = self._read(self._ask("put", piece))
        return None if told is None else self._receipt(told)

    def missing(self, upload: bytes, now: int) -> list[int]:
        """See `Gate.missing`: no more of the upload is sent than its head needs."""
        size = _HEAD
        while True:
            try:
                told = self._read(self._ask("missing", upload[:size]))
            except DamagedFileError:
                if size >= len(upload):
                    raise
                size *= 16
                continue
            chunks = told.get("missing") if isinstance(told, dict) else None
            if not isinstance(chunks, list) or any(
                type(one) is not int or one < 0 for one in chunks
            ):
                raise self._strange("a list of chunks")
            return chunks

    def _receipt(self, receipt: Any) -> tuple[str, int, int, int, int, bool]:
        try:
            provider = receipt["provider"]
            counts = [receipt[name] for name in ("added", "replaced", "removed", "files")]
            repeated = receipt["repeated"]
        except (KeyError, TypeError):
            raise self._strange("a receipt") from None
        are_numbers = all(type(count) is int and 0 <= count < 2**63 for count in counts)
        if not (isinstance(provider, str) and are_numbers and isinstance(repeated, bool)):
            raise self._strange("a receipt")
        added, replaced, removed, files = counts
        return provider, added, replaced, removed, files, repeated

    def search(
        self,
        query: bytes,
        now: int,
        before: Sequence[Part] | None,
        proof: bool | None,
        since: int | None,
        in_detail: bool,
        by_signatures: bool,
    ) -> tuple[int, list[Part], _mopse.message.Proof | None]:
        """See `Gate.search`."""
        how: dict[str, str] = {}
        if proof is not None:
            how["proof"] = ("signatures" if by_signatures else "sums") if proof else "none"
        how |= _wanted(since, in_detail)
        if before is not None:
            how |= place_in(before)
        return _mopse.message.split_answer(self._ask("search", query, how))

    def count(self, query: bytes, now: int) -> int:
        """See `Gate.count`."""
        told = self._read(self._ask("count", query))
        count = told.get("count") if isinstance(told, dict) else None
        if type(count) is not int or not 0 <= count < 2**63:
            raise self._strange("a count")
        return count

    def count_proven(
        self, query: bytes, now: int, since: int | None, in_detail: bool
    ) -> _mopse.message.Proof:
        """See `Gate.count_proven`."""
        how = {"proof": "true"} | _wanted(since, in_detail)
        return _mopse.message.Proof.decode(self._ask("count", query, how))

    def find(self, request: bytes, now: int, is_proven: bool) -> _mopse.message.Listing:
        """See `Gate.find`."""
        return _mopse.message.Listing.decode(self._ask("find", request, _proven(is_proven)))

    def fetch(self, request: bytes, now: int, is_proven: bool) -> _mopse.message.Fetched:
        """See `Gate.fetch`."""
        return _mopse.message.Fetched.decode(self._ask("fetch", request, _proven(is_proven)))

    def fetch_to(self, request: bytes, is_proven: bool, written: Written) -> None:
        """Have what `fetch` asks for be written as it comes."""
        self._ask("fetch", request, _proven(is_proven), written=written)

    def notes(self, request: bytes, now: int) -> _mopse.message.Notes:
        """See `Gate.notes`."""
        return _mopse.message.Notes.decode(self._ask("notes", request))

    def audit(self, request: bytes, now: int) -> bytes:
        """See `Gate.audit`."""
        return self._ask("audit", request)

    def remove(self, provider: str, owner: bytes | None) -> Never:
        """Refuse what only the operator of a local cloud does."""
        raise InvalidInputError(
            f"{self.address} is a service: `remove` is its operator's, on the cloud itself; a "
            "party sends it owner.removal(path)"
        )

    def health(self) -> str:
        """Return what the service says of its store, which is ``ok`` if that answers."""
        status, body = self._answered("/health", None)
        told = self._read(body) if status in (200, 503) else None
        said = told.get("status") if isinstance(told, dict) else None
        if not isinstance(said, str) or (status == 200) != (said == "ok"):
            raise self._strange("how a service is")
        return said

    def close(self) -> None:
        """Let go of the connections; nothing is asked any more."""
        self._is_closed = True
        _close_all(self._idle)

    def _ask(
        self,
        path: str,
        message: bytes | Kept | None,
        how: Mapping[str, str] | None = None,
        *,
        tries: list[int] | None = None,
        written: Written | None = None,
    ) -> bytes:
        """Return what the service answers to a message, or raise what it refuses it with."""
        target = f"{ROOT}/{path}"
        if how:
            target += f"?{urllib.parse.urlencode(how)}"
        status, body = self._answered(target, message, tries, written)
        if status in (200, 204):
            return body
        raise self._refusal(status, body)

    def _answered(
        self,
        path: str,
        message: bytes | Kept | None,
        tries: list[int] | None = None,
        written: Written | None = None,
    ) -> tuple[int, bytes]:
        """Return the status and body of the answer to a request.

        Every message may be sent again: what was done is not done twice. So it is, a few times, if
        a connection breaks or the service is full.
        """
        target = f"{self._parsed.path}{path}"
        tried = [] if tries is None else tries
        while True:
            if self._is_closed:
                raise FileAccessError(f"the cloud at {self.address} is closed")
            tried.append(len(tried))
            try:
                status, body, may_again = self._exchange(target, message, written)
            except ssl.SSLCertVerificationError as error:
                raise self._away(
                    f"its certificate is not trusted ({error.verify_message}); a self-signed one "
                    "is given as the certificate to trust"
                ) from None
            except (UnreachableError, FileAccessError):
                raise
            except TimeoutError:
                # Whoever waited as long as was said is told, and decides.
                raise self._away(f"nothing came within {self._timeout:g} s") from None
            except (OSError, http.client.HTTPException, UnicodeError) as error:
                if len(tried) >= _TRIES:
                    raise self._away(_said(error)) from None
            else:
                if status in (200, 204) or not may_again or len(tried) >= _TRIES:
                    return status, body
            time.sleep(_PAUSE * 2 ** (len(tried) - 1))

    def _exchange(
        self, target: str, message: bytes | Kept | None, written: Written | None = None
    ) -> tuple[int, bytes, bool]:
        """Return the status and body of one answer, and whether it says to come again.

        The body is empty where it was written.
        """
        name = secrets.token_hex(16)
        headers = {REQUEST: name, "accept": f"{BYTES}, application/json"}
        if message is not None:
            headers["content-type"] = BYTES
        while True:
            connection, is_kept = self._connection()
            try:
                method = "GET" if message is None else "POST"
                broken = _send(connection, method, target, message, headers)
                try:
                    response = connection.getresponse()
                except Exception:
                    if broken is not None:
                        raise broken from None
                    raise
                if response.status == 200 and written is not None:
                    written.begin()
                    self._taken(response, _MOST_TO_FILE, written.write)
                    body = b""
                else:
                    memory = io.BytesIO()
                    most = _MOST if response.status == 200 else _MOST_OF_ERROR
                    self._taken(response, most, memory.write)
                    body = memory.getvalue()
            except _STALE:
                connection.close()
                if is_kept:  # the others were closed with it
                    _close_all(self._idle)
                    continue
                raise
            except BaseException:
                connection.close()
                raise
            if broken is None and not response.will_close:
                self._keep(connection)
            else:
                connection.close()
            if response.status < 500 and response.getheader(REQUEST) != name:
                if 300 <= response.status < 400:
                    raise self._away("it sends elsewhere, which is not followed")
                raise self._away(
                    f"the answer (status {response.status}) is not one to this request: something "
                    "between keeps answers, or it is no cloud"
                )
            return response.status, body, response.getheader("retry-after") is not None

    def _taken(
        self, response: http.client.HTTPResponse, most: int, take: Callable[[bytes], Any]
    ) -> None:
        """Take the body of an answer, by pieces: what it says of its length costs nothing."""
        size = 0
        while piece := response.read(_PIECE):
            size += len(piece)
            if size > most:
                raise self._away(f"its answer has more than {most:,} bytes")
            take(piece)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._process != os.getpid():
                # Those of the parent go on there; closing them here would end them for both.
                self._inherited, self._process = [*self._idle], os.getpid()
                self._idle.clear()
            if self._idle:
                return self._idle.pop(), True
        host, port = str(self._parsed.hostname), self._parsed.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout), False
        made = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        return made, False

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE and not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()

    def _read(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._strange("JSON") from None

    def _strange(self, what: str) -> UnreachableError:
        return self._away(f"what it answers is not {what}")

    def _away(self, why: str) -> UnreachableError:
        return UnreachableError(f"the cloud at {self.address} cannot be asked: {why}")

    def _refusal(self, status: int, body: bytes) -> MopseError:
        """Return the error that the service names, if it is one of ours."""
        try:
            told = json.loads(body)
            name, message = told["error"], told["message"]
        except (ValueError, TypeError, KeyError, RecursionError):
            name, message = None, ""
        if not (isinstance(name, str) and isinstance(message, str) and name in errors.__all__):
            return self._away(f"it answers with status {status}, and not as a cloud does")
        error: MopseError = getattr(errors, name)(message)
        for attribute in ATTRIBUTES:
            if type(number := told.get(attribute)) is int:
                setattr(error, attribute, number)
        return error


def _close_all(connections: list[http.client.HTTPConnection]) -> None:
    while connections:
        connections.pop().close()


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    message: bytes | Kept | None,
    headers: Mapping[str, str],
) -> OSError | None:
    """Send a request; return what broke it off, for the answer may be there and say why."""
    with contextlib.ExitStack() as exits:
        body: Any = message
        if isinstance(message, Kept):
            headers = {**headers, "content-length": str(message.size)}
            body = exits.enter_context(contextlib.closing(message.pieces()))
        try:
            connection.request(method, target, body, headers)
        except (BrokenPipeError, ConnectionResetError) as error:
            return error
    return None


def _parsed(url: str) -> urllib.parse.SplitResult:
    """Return an address in its parts, without a slash at its end."""
    try:
        string(url, "the address of a cloud").encode("ascii")
        parsed = urllib.parse.urlsplit(url)
        host, port = parsed.hostname, parsed.port
    except ValueError:  # also what cannot be written in ASCII
        raise InvalidInputError(
            "the address of a cloud is none: https://host:port is one"
        ) from None
    if not host or port == 0 or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise InvalidInputError("the address of a cloud is none: https://host:port is one")
    if parsed.query or parsed.fragment or parsed.username is not None:
        raise InvalidInputError(
            "the address of a cloud holds more than https://host:port/path: messages are believed "
            "for their signatures, and no name or password is sent"
        )
    return parsed._replace(path=parsed.path.rstrip("/"))


def _tls(certificate: Any) -> ssl.SSLContext:
    """Return what a connection is secured with: TLS 1.3, verified, by a named certificate alone."""
    if certificate is None:
        context = ssl.create_default_context()
    else:
        path = as_file(certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with telling(path):
            content = path.read_bytes()
        try:
            context.load_verify_locations(cadata=content.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise InvalidInputError("certificate is no PEM file of certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _wanted(since: int | None, in_detail: bool) -> dict[str, str]:
    how = {} if since is None else {"since": str(since)}
    return how | ({"in_detail": "true"} if in_detail else {})


def _proven(is_proven: bool) -> dict[str, str]:
    return {"proof": "true"} if is_proven else {}


def _attached_by(message: bytes | Kept) -> str | None:
    """Return the provider of an attachment; None if the message is none."""
    incoming = _mopse.message.Incoming()
    try:
        for piece in message.pieces() if isinstance(message, Kept) else [message]:
            incoming.feed(piece)
        return incoming.end().attachment.provider
    except MopseError:
        return None


def _said(error: Exception) -> str:
    """Return what an error of a connection is, in a few words of one line."""
    if isinstance(error, http.client.BadStatusLine) and str(error).startswith(_ALERT):
        return "it speaks TLS, which is asked by https://"
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return "it does not speak TLS, as https:// has it: TLS failed"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'the connection was cut'}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"the connection broke ({type(error).__name__})"
