"""The service as an application of ASGI: paths, limits, and what is told of refusals."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mopse._checked import checked
from mopse._passing import outgoing, takes_streams
from mopse._remote import ATTRIBUTES, BYTES, REQUEST, ROOT, RemoteGate
from mopse.cloud import Cloud
from mopse.errors import (
    ChangedError,
    DamagedFileError,
    ExpiredError,
    FileAccessError,
    ForkedError,
    InvalidInputError,
    MopseError,
    NoSealsError,
    OutdatedError,
    RandomnessError,
    ReplayError,
    ScopeError,
    SignatureError,
    UnreachableError,
)
from mopse.service._body import Gone, Read, Refusal, Work, send_pieces, send_whole, taken
from mopse.service._calls import CALLS, OWNER, Call, kind_of, options_of
from mopse.service._description import DESCRIPTION
from mopse.service._limits import Limits
from mopse.service._log import RequestLog
from mopse.service._metrics import Metrics
from mopse.service._streams import Incomings

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["Endpoint", "Service", "Telling", "application", "libraries"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_JSON = "application/json"
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_WAY = 10
"""How much lower the priority is of what works on uploads: it has a ninth of what others have."""

_LOG_BYTES = 1 << 26
_LOG_FILES = 8

_STATUSES: tuple[tuple[type[MopseError], int], ...] = (
    (OutdatedError, 409),
    (ChangedError, 409),
    (ReplayError, 409),
    (SignatureError, 403),
    (ExpiredError, 403),
    (ScopeError, 403),
    (NoSealsError, 422),
    (InvalidInputError, 422),
    (DamagedFileError, 400),
    (FileAccessError, 503),
    (RandomnessError, 503),
    (UnreachableError, 503),
    (ForkedError, 500),
)
"""How HTTP says what went wrong; whoever asks by `mopse.Cloud` is told the class itself."""


@checked()
def application(
    cloud: Cloud,
    *,
    owners: Sequence[bytes] | None = None,
    limits: Limits | None = None,
    log: str | os.PathLike[str] | None = None,
) -> Application:
    """Return the service of a cloud as an application of ASGI, for a server of one's own.

    `serve` runs it on one that ends heads of requests which do not come to their end; of another
    server that has to be seen to.

    Parameters
    ----------
    cloud : Cloud
        One of this process, over any store.
    owners : sequence of bytes, optional
        Verification keys, ``owner.key``, of the owners who are served; all others, also those who
        are enrolled already, are refused with `mopse.errors.ScopeError`. Everybody by default.
    limits : Limits, optional
        What a request may cost.
    log : path, optional
        Where requests are written down, a line of JSON each; to standard error by default. A file
        of 64 MiB is turned over, and eight are kept.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the extra is not installed, the cloud is itself a service, or an owner's key is none.
    mopse.errors.FileAccessError
        If the log cannot be written.
    """
    return Service(cloud, limits or Limits(), log, owners).application()


def libraries() -> None:
    """Refuse to go on without the extra."""
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
    except ImportError:
        raise InvalidInputError("a service needs the extra: pip install 'mopse[server]'") from None


class Service:
    """A cloud, what is under way, and what is kept of it."""

    def __init__(
        self,
        cloud: Cloud,
        limits: Limits,
        log: str | os.PathLike[str] | None,
        owners: Sequence[bytes] | None = None,
    ) -> None:
        libraries()
        if isinstance(cloud._gate, RemoteGate):
            raise InvalidInputError("the cloud is a service itself, and this would only pass it on")
        self._owners = None if owners is None else frozenset(map(_verification_key, owners))
        self.cloud, self.limits = cloud, limits
        self.log = RequestLog(log, most_bytes=_LOG_BYTES, files=_LOG_FILES)
        self.metrics = Metrics()
        self.held = self.running = self.streams = 0
        self.is_stopping = False
        # Questions never wait for uploads.
        self._questions = ThreadPoolExecutor(limits.threads, "mopse-questions")
        self._uploads = ThreadPoolExecutor(limits.threads, "mopse-uploads")
        self._giving_way = _giving_way(cloud, limits.threads)

    def cloud_for(self, call: Call) -> Cloud:
        """Return the cloud as a call asks it."""
        return self._giving_way if call.is_long else self.cloud

    def application(self) -> Application:
        """Return what a server runs."""
        routes = self._routes()
        calls = {
            f"{ROOT}/{name}": Endpoint(self, name, call)
            for name, call in CALLS.items()
            if name != "announcements"
        }

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            # What is asked most often, first: the rest of a message's time is the cloud's.
            endpoint = calls.get(scope.get("path", "")) if scope.get("method") == "POST" else None
            await (endpoint or routes)(scope, receive, send)

        return run

    def _routes(self) -> "Starlette":
        from starlette.applications import Starlette
        from starlette.routing import Route

        # Those of messages are here for who asks by another method.
        routes = [
            Route(f"{ROOT}/{name}", Endpoint(self, name, call), methods=["POST"])
            for name, call in CALLS.items()
            if name != "announcements"
        ]
        of_owner = Endpoint(self, "announcements", CALLS["announcements"])
        routes.append(Route(f"{ROOT}/announcements/{{owner}}", of_owner, methods=["GET"]))
        for path, tell in (
            ("health", self._health),
            ("metrics", self._metrics),
            ("openapi.json", self._description),
        ):
            routes.append(Route(f"/{path}", Telling(self, path, tell), methods=["GET"]))
        handlers: dict[Any, Any] = {404: self._unknown, 405: self._unknown}
        made = Starlette(routes=routes, exception_handlers=handlers)
        made.router.redirect_slashes = False
        return made

    def check_owner(self, owner: bytes) -> None:
        """Refuse an owner who is not served, whoever that is at the cloud."""
        if self._owners is not None and owner not in self._owners:
            raise ScopeError("the service does not serve this owner")

    async def in_thread(
        self, work: Callable[..., Any], *arguments: Any, is_long: bool = False
    ) -> Any:
        """Have the cloud work, which lets the interpreter go, while other requests go on."""
        pool = self._uploads if is_long else self._questions
        return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)

    def end_stream(self) -> None:
        """Count an attachment that was on its way as no more on it."""
        self.streams -= 1

    async def idle(self) -> None:
        """Return when no request runs any more."""
        while self.running:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """End what threads and log there are."""
        for pool in (self._questions, self._uploads):
            pool.shutdown(wait=False, cancel_futures=True)
        self._giving_way = self.cloud
        self.log.close()

    async def _health(self) -> tuple[int, str, bytes]:
        try:
            await self.in_thread(self.cloud._check)
        except Exception:  # whatever a store says when it is away
            return 503, _JSON, b'{"status":"the store or the audit log is away"}'
        return 200, _JSON, b'{"status":"ok"}'

    async def _metrics(self) -> tuple[int, str, bytes]:
        self.metrics.running.set(self.running)
        self.metrics.held.set(self.held)
        return 200, self.metrics.content_type, self.metrics.text()

    async def _description(self) -> tuple[int, str, bytes]:
        return 200, _JSON, json.dumps(DESCRIPTION).encode()

    async def _unknown(self, request: Any, error: Any) -> Any:
        from starlette.responses import Response

        said = "there is nothing at this path"
        if error.status_code == 405:
            said = "this path is asked by another method"
        self.metrics.ended("other", "InvalidInputError", 0, 0, 0)
        name = _name_in(request.scope)
        body = _told("InvalidInputError", said)
        headers = dict(error.headers or {}) | {REQUEST: name, "cache-control": "no-store"}
        return Response(body, error.status_code, headers, _JSON)


class Telling:
    """Tells something of the service, at a path of its own."""

    def __init__(
        self, service: Service, name: str, tell: Callable[[], Awaitable[tuple[int, str, bytes]]]
    ) -> None:
        self._service, self._name, self._tell = service, name.partition(".")[0], tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        begun = time.perf_counter()
        status, kind, body = await self._tell()
        work = Work(self._service)
        headers = _headers(kind, len(body), _name_in(scope))
        await send_whole(work, send, status, headers, body)
        outcome = "ok" if status == 200 else "FileAccessError"
        seconds = time.perf_counter() - begun
        self._service.metrics.ended(self._name, outcome, seconds, 0, len(body))


class Endpoint:
    """One call of the cloud."""

    def __init__(self, service: Service, name: str, call: Call) -> None:
        self._service, self._name, self._call = service, name, call
        limits = service.limits
        self._most = limits.message_bytes if call.is_long else limits.question_bytes
        self._is_streamed = call.is_streamed and takes_streams(service.cloud._store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a message, have the cloud answer it, and write down what came of it."""
        service = self._service
        work = Work(service)
        moment, begun = time.time(), time.perf_counter()
        name = _name_in(scope)
        line: dict[str, Any] = {}
        service.running += 1
        status, outcome = 500, "ConnectionError"
        try:
            status, outcome, headers, body = await self._answer(scope, receive, work, name, line)
            if isinstance(body, bytes):
                await send_whole(work, send, status, headers, body, receive)
            else:
                await send_pieces(work, send, status, headers, body, receive)
        except Gone:
            outcome = "ConnectionError"
        except MopseError as error:  # while it is read and sent: the answer ends before its end
            outcome, line["failure"] = type(error).__name__, str(error)
        finally:
            service.running -= 1
            work.release()
            seconds = time.perf_counter() - begun
            service.metrics.ended(self._name, outcome, seconds, work.received, work.sent)
            peer = scope.get("client")
            service.log.write(
                moment,
                {"request": name, "call": self._name, "peer": peer[0] if peer else None}
                | line
                | {
                    "in": work.received,
                    "out": work.sent,
                    "ms": round(seconds * 1000, 2),
                    "status": status,
                    "outcome": outcome,
                },
            )

    async def _answer(
        self, scope: Scope, receive: Receive, work: Work, name: str, line: dict[str, Any]
    ) -> tuple[int, str, list[tuple[bytes, bytes]], bytes | Read]:
        """Return status, outcome, headers and body."""
        try:
            body = await self._done(scope, receive, work, line)
        except Refusal as refusal:
            error, status, more = refusal.error, refusal.status, refusal.headers
        except MopseError as refused:
            error, status, more = refused, _status(refused), []
        except MemoryError:
            error, more = UnreachableError("the service has no memory for that now"), []
            status = 503
        except Exception as failed:
            line["failure"] = _where(failed)
            error = MopseError(f"the cloud failed; its log says why, at request {name}")
            status, more = 500, []
        else:
            if isinstance(body, Read):
                return 200, "ok", _headers(BYTES, body.size, name), body
            is_json = self._call.is_json or body[:1] == b"{"
            headers = _headers(_JSON if is_json else BYTES, len(body), name)
            return (200 if body else 204), "ok", headers, body
        outcome = type(error).__name__
        if status == 503 and isinstance(error, FileAccessError | DamagedFileError):
            # Paths and addresses are the operator's to know.
            line["failure"] = str(error)
            error = FileAccessError(
                f"the cloud's store or log is away, full or damaged: see request {name}"
            )
        told = _told(type(error).__name__, str(error), error)
        return status, outcome, [*_headers(_JSON, len(told), name), *more], told

    async def _done(
        self, scope: Scope, receive: Receive, work: Work, line: dict[str, Any]
    ) -> bytes | Read:
        """Return what the cloud answers."""
        service, call = self._service, self._call
        if service.is_stopping or service.running > service.limits.requests:
            why = "the service stops" if service.is_stopping else "the service is busy"
            raise Refusal(503, UnreachableError(why), retry=True)
        options = options_of(call, scope["query_string"])
        if self._name == "announcements":
            message = _key_in(scope)
            line["owner"] = message[:4].hex()
            service.check_owner(message)
        else:
            admit = self._admit(work, line)
            came = await taken(scope, receive, work, self._at_most, admit, self._begun)
            if isinstance(came, Incomings):
                return await self._ended(came)
            message = came
            self._note(message, line)
            if len(message) >= OWNER.stop:  # what is shorter is of nobody
                service.check_owner(message[OWNER])
        if self._is_streamed and not call.is_long:
            gate, is_proven = service.cloud._gate, options.get("proof", False)
            now = int(time.time())
            found = await service.in_thread(outgoing, gate, message, now, is_proven)
            if found is not None:
                return Read(found, service.in_thread)
        answer: bytes = await service.in_thread(
            call.do, service.cloud_for(call), message, options, is_long=call.is_long
        )
        return answer

    def _at_most(self, first: bytes) -> int:
        """Return how many bytes a message may have that begins with these, if any have come."""
        if self._is_streamed and self._call.is_long and kind_of(first) in (None, "attachment"):
            of_attachment = self._service.limits.attachment_bytes
            is_known = len(first) >= OWNER.stop
            return of_attachment if is_known else max(of_attachment, self._most)
        return self._most

    def _begun(self, first: bytes) -> Incomings | None:
        """Return what a message that begins with these bytes is handed on to as it comes."""
        service = self._service
        if not (self._is_streamed and kind_of(first) == "attachment"):
            return None
        if service.streams >= service.limits.attachments:
            raise Refusal(503, UnreachableError("the service is busy"), retry=True)
        service.streams += 1
        return Incomings(service.cloud, service.in_thread, service.end_stream)

    async def _ended(self, incoming: Incomings) -> bytes:
        """Return what the cloud answers to a message that was handed on as it came."""
        try:
            return await incoming.end()
        finally:
            await incoming.close()

    def _admit(self, work: Work, line: dict[str, Any]) -> Callable[[bytes], Awaitable[None]]:
        """Return what looks at the head of a long message, before the rest is taken."""

        async def admit(head: bytes) -> None:
            self._note(head, line)
            if len(head) < OWNER.stop:
                return
            self._service.check_owner(head[OWNER])
            if not self._call.is_open:
                # Bytes of strangers cost a look-up and no more.
                await self._service.in_thread(self._service.cloud.announcements, head[OWNER])

        return admit

    @staticmethod
    def _note(message: bytes, line: dict[str, Any]) -> None:
        kind = kind_of(message)
        if kind is not None:
            line["message"] = kind
            if kind != "announcements" and len(message) >= OWNER.stop:
                line["owner"] = message[OWNER][:4].hex()


def _giving_way(cloud: Cloud, threads: int) -> Cloud:
    """Return the cloud with threads that work on uploads and give way to all others.

    They hold no interpreter, so that nobody waits for one of them that waits for its turn: there
    are none where the store is asked in Python.
    """
    gate: Any = cloud._gate
    made = object.__new__(type(cloud))
    vars(made).update(vars(cloud))

    def begin() -> None:
        # On Linux each thread has a priority, which it hands down to those that it starts.
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # where nothing may be said of priorities
                os.nice(_WAY)
        made._gate = gate.aside(threads)

    with ThreadPoolExecutor(1) as beginning:
        beginning.submit(begin).result()
    return made


def _verification_key(key: bytes) -> bytes:
    if len(key) != 32:
        raise InvalidInputError(f"an owner's verification key has 32 bytes, not {len(key)}")
    return bytes(key)


def _name_in(scope: Scope) -> str:
    """Return the name of a request, a new one if it has none."""
    given = dict(scope["headers"]).get(REQUEST.encode(), b"")
    return given.decode() if _NAME.fullmatch(given) else secrets.token_hex(16)


def _key_in(scope: Scope) -> bytes:
    """Return the owner's key that a path names."""
    written = scope["path_params"]["owner"]
    if re.fullmatch("[0-9a-f]{64}", written) is None:
        raise InvalidInputError("an owner is named by 64 hexadecimal digits, its verification key")
    return bytes.fromhex(written)


def _headers(kind: str, size: int, name: str) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-length", b"%d" % size),
        (REQUEST.encode(), name.encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return [(b"content-type", kind.encode()), *headers] if size else headers[1:]


def _status(error: MopseError) -> int:
    if isinstance(error, DamagedFileError) and str(error).startswith("the store "):
        return 503
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 400)


def _told(name: str, message: str, error: Any = None) -> bytes:
    told: dict[str, Any] = {"error": name, "message": message}
    for attribute in ATTRIBUTES:
        if (number := getattr(error, attribute, None)) is not None:
            told[attribute] = number
    return json.dumps(told).encode()


def _where(error: Exception) -> str:
    """Return the class of an error and the lines that led to it, without what it says."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    at = " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(frames))
    return f"{type(error).__name__} at {at}"
