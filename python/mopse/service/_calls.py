"""What each path does: a message and what was said beside it go in, an answer comes out."""

import dataclasses
import json
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from mopse._checks import instance
from mopse._remote import MOST_GIVEN, given_before
from mopse.cloud import Cloud
from mopse.errors import InvalidInputError
from mopse.messages import Answer, Count

__all__ = ["CALLS", "OWNER", "Call", "kind_of", "options_of"]

OWNER = slice(9, 41)
"""Where a message says whose it is: after eight letters and the version."""

_MOST_OPTIONS = 16

_KINDS = {
    b"MOPSEUPL": "upload",
    b"MOPSEPCE": "piece",
    b"MOPSEATT": "attachment",
    b"MOPSESEA": "seal",
    b"MOPSERMV": "removal",
    b"MOPSEPUB": "announcements",
    b"MOPSEQRY": "query",
    b"MOPSEDQY": "query",
    b"MOPSEASK": "request",
    b"MOPSESTM": "statement",
    b"MOPSEARQ": "audit request",
}
"""What a message says that it is."""

Options = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """One of the calls of a cloud, at a path."""

    do: Callable[[Cloud, bytes, Options], bytes]
    options: Mapping[str, Callable[[str], Any]] = dataclasses.field(default_factory=dict)
    is_long: bool = False
    """Whether messages may be as large as uploads."""
    is_streamed: bool = False
    """Whether large attachments are handed on as they come or go, if the store can do that."""
    is_json: bool = False
    """Whether it answers with JSON; a count does without a proof."""
    is_open: bool = False
    """Whether it takes messages of owners who are not enrolled."""


def kind_of(message: bytes) -> str | None:
    """Return what a message says that it is, before anything of it was checked."""
    return _KINDS.get(message[:8])


def options_of(call: Call, query: bytes) -> dict[str, Any]:
    """Return what a request says beside its message; each once, and nothing else."""
    if not query:
        return {}
    try:
        pairs = urllib.parse.parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_OPTIONS,
        )
    except ValueError:
        raise InvalidInputError("what stands after the path is no list of names=values") from None
    options: dict[str, Any] = {}
    for name, value in pairs:
        if name not in call.options:
            known = ", ".join(call.options) or "none"
            raise InvalidInputError(f"there is no option of that name here: there are {known}")
        if name in options:
            raise InvalidInputError(f"{name} is said twice")
        try:
            options[name] = call.options[name](value)
        except ValueError:
            raise InvalidInputError(f"{name} has no such value") from None
    return options


def _truth(text: str) -> bool:
    _check(text in ("true", "false"))
    return text == "true"


def _check(is_right: bool) -> None:
    if not is_right:
        raise ValueError


def _below(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        _check(text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < most)
        return int(text)

    return read


def _token(text: str) -> int:
    _check(len(text) == 32 and set(text) <= set("0123456789abcdef"))
    return int(text, 16)


_PROOFS = {"none": False, "sums": "sums", "signatures": "signatures"}


def _proof(text: str) -> Any:
    _check(text in _PROOFS)
    return _PROOFS[text]


def _enroll(cloud: Cloud, message: bytes, options: Options) -> bytes:
    cloud.enroll(message)
    return b""


def _announcements(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return cloud.announcements(message)


def _receive(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return json.dumps(dataclasses.asdict(cloud.receive(message))).encode()


def _put(cloud: Cloud, message: bytes, options: Options) -> bytes:
    receipt = cloud.put(message)
    return json.dumps(None if receipt is None else dataclasses.asdict(receipt)).encode()


def _missing(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return json.dumps({"missing": cloud.missing(message)}).encode()


_PLACE = "given", "token", "snapshot", "page", "is_last"


def _before(message: bytes, options: Options) -> Answer | None:
    """Return what stands for the parts of an answer that were given before."""
    named = [name for name in _PLACE if name in options]
    if not named:
        return None
    if named == ["given"] and not options["given"]:
        return Answer(0, [])
    if len(named) < len(_PLACE):
        raise InvalidInputError(f"where an answer goes on is said by all of {', '.join(_PLACE)}")
    owner = message[OWNER].ljust(32, b"\0")
    return Answer(0, given_before(owner, *(options[name] for name in _PLACE)))


def _search(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return bytes(
        cloud.search(
            message,
            after=_before(message, options),
            proof=options.get("proof"),
            since=options.get("since"),
            in_detail=options.get("in_detail", False),
        )
    )


def _count(cloud: Cloud, message: bytes, options: Options) -> bytes:
    count = cloud.count(
        message,
        proof=options.get("proof", False),
        since=options.get("since"),
        in_detail=options.get("in_detail", False),
    )
    if options.get("proof", False):
        return bytes(instance(count, Count, "a proven count"))
    return json.dumps({"count": count}).encode()


def _find(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return bytes(cloud.find(message, proof=options.get("proof", False)))


def _fetch(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return bytes(cloud.fetch(message, proof=options.get("proof", False)))


def _notes(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return bytes(cloud.notes(message))


def _audit(cloud: Cloud, message: bytes, options: Options) -> bytes:
    return cloud.audit(message)


_PROVEN = {"proof": _truth}
_SINCE = {"since": _below(2**64), "in_detail": _truth}

CALLS: dict[str, Call] = {
    "enroll": Call(_enroll, is_open=True),
    "receive": Call(_receive, is_long=True, is_streamed=True, is_json=True),
    "put": Call(_put, is_long=True, is_json=True),
    "missing": Call(_missing, is_long=True, is_json=True),
    "search": Call(
        _search,
        {
            "proof": _proof,
            **_SINCE,
            "given": _below(MOST_GIVEN),
            "token": _token,
            "snapshot": _below(2**64),
            "page": _below(2**32),
            "is_last": _truth,
        },
    ),
    "count": Call(_count, _PROVEN | _SINCE),
    "find": Call(_find, _PROVEN),
    "fetch": Call(_fetch, _PROVEN, is_streamed=True),
    "notes": Call(_notes),
    "audit": Call(_audit),
    "announcements": Call(_announcements),
}
"""What is sent to a path below ``/v1``; the last one is asked for by an owner's key."""
