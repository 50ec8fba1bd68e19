"""The description of the service, as OpenAPI has it."""

from typing import Any

from mopse._remote import BYTES, MOST_GIVEN, REQUEST, ROOT

__all__ = ["DESCRIPTION"]

_JSON = "application/json"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_COUNT = {"type": "integer", "minimum": 0}


def _refers(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/{name}"}


def _option(name: str, schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": about, "schema": schema}


_ERRORS = {
    "400": "The message is cut short or malformed (`DamagedFileError`).",
    "403": "It is forged, has expired, is of somebody without a right to it, or of an owner whom "
    "this service does not serve (`SignatureError`, `ExpiredError`, `ScopeError`).",
    "408": "The body did not come in time.",
    "409": "Somebody else was faster, or the sender has missed something (`ChangedError`, "
    "`ReplayError`, `OutdatedError`).",
    "413": "The message is larger than the service takes.",
    "415": f"The message is not {BYTES}.",
    "422": "It asks for what cannot be done (`InvalidInputError`).",
    "500": "The service failed; its log says why.",
    "503": "The service is busy or stops, or its store is away: send the same again.",
}


def _refusals(*statuses: str) -> dict[str, Any]:
    return {status: _refers(f"responses/Refused{status}") for status in statuses}


_OF_MESSAGE = _refusals(*_ERRORS)
_PROOF = _option("proof", {"type": "boolean"}, "Whether what proves the answer comes with it.")
_SINCE = [
    _option(
        "since",
        {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
        "A state whose seals are known, which are not sent again.",
    ),
    _option("in_detail", {"type": "boolean"}, "Whether sums come provider by provider."),
]
_PLACE = [
    _option(
        "given",
        {"type": "integer", "minimum": 0, "maximum": MOST_GIVEN - 1},
        "To go on with an answer: how many records of the last token were given. The four that "
        "follow are of the last part that was given, and are said with it; 0 alone begins anew.",
    ),
    _option("token", {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "Its token's number."),
    _option(
        "snapshot", {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}, "The state it is of."
    ),
    _option("page", {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, "Its page."),
    _option("is_last", {"type": "boolean"}, "Whether it is the last of its token."),
]


def _message(
    about: str,
    takes: str,
    answer: dict[str, Any],
    options: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    body = {"description": takes, "required": True, "content": {BYTES: _BINARY}}
    described = {
        "summary": about,
        "parameters": [_refers("parameters/Request"), *(options or [])],
        "requestBody": body,
        "responses": answer | _OF_MESSAGE,
    }
    return {"post": described}


def _gives(about: str, *kinds: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for kind in kinds:
        content |= kind
    headers = {REQUEST: _refers("headers/Request")}
    return {"200": {"description": about, "headers": headers, "content": content}}


def _json(name: str) -> dict[str, Any]:
    return {_JSON: {"schema": _refers(f"schemas/{name}")}}


def _told(about: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": content}


_BYTES_OF_IT = {BYTES: _BINARY}

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "A cloud of mopse as a service",
        "version": "1",
        "description": "Keeps, merges and searches encrypted indexes, and holds no key. Bodies are "
        "the messages of parties, byte for byte as they were signed; nothing else is believed. "
        "Every message may be sent again. The Python package `mopse` makes and reads them.",
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "servers": [{"url": "/"}],
    "paths": {
        f"{ROOT}/enroll": _message(
            "Serve an owner, or take note of what was announced since",
            "`Owner.public`",
            {"204": {"description": "It was.", "headers": {REQUEST: _refers("headers/Request")}}},
        ),
        f"{ROOT}/announcements/{{owner}}": {
            "get": {
                "summary": "What an owner's authorities announced last",
                "parameters": [
                    _refers("parameters/Request"),
                    {
                        "name": "owner",
                        "in": "path",
                        "required": True,
                        "description": "The owner's verification key.",
                        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    },
                ],
                "responses": _gives("The announcements.", _BYTES_OF_IT)
                | _refusals("403", "422", "500", "503"),
            }
        },
        f"{ROOT}/receive": _message(
            "Carry out an upload, an attachment, a seal or a removal, whole or not at all; or "
            "write a statement in the audit log",
            "`Upload`, `FileUpload`, `Seal`, `Removal` or `Statement`",
            _gives("What was done.", _json("Receipt")),
        ),
        f"{ROOT}/put": _message(
            "Keep a piece of an upload, and carry it out once all are there",
            "A piece, as `Cloud.receive_in_pieces` sends it",
            _gives("What was done, or null while pieces are missing.", _json("ReceiptOrNull")),
        ),
        f"{ROOT}/missing": _message(
            "Which MiB of an upload's body did not come yet",
            "`Upload`, or its beginning up to the signature",
            _gives("Their numbers, from 0 on; none if it is done.", _json("Missing")),
        ),
        f"{ROOT}/search": _message(
            "The sealed records that a query asks for, in pages",
            "`Query`",
            _gives("An answer, or a page of it.", _BYTES_OF_IT),
            [
                _option(
                    "proof",
                    {"enum": ["none", "sums", "signatures"]},
                    "What proves the answer; if nothing is said, sums if the query is for that.",
                ),
                *_SINCE,
                *_PLACE,
            ],
        ),
        f"{ROOT}/count": _message(
            "How many records a query asks for",
            "`Query`",
            _gives("The count, or with a proof what proves it.", _json("Count"), _BYTES_OF_IT),
            [_PROOF, *_SINCE],
        ),
        f"{ROOT}/find": _message(
            "Descriptions of the files that a request asks for",
            "`FileRequest`",
            _gives("A listing.", _BYTES_OF_IT),
            [_PROOF],
        ),
        f"{ROOT}/fetch": _message(
            "One file", "`FileRequest`", _gives("A sealed file.", _BYTES_OF_IT), [_PROOF]
        ),
        f"{ROOT}/notes": _message(
            "The notes of all attachments of the provider that asks",
            "`FileRequest`",
            _gives("The notes.", _BYTES_OF_IT),
        ),
        f"{ROOT}/audit": _message(
            "What stands in an owner's audit log, with what proves it",
            "A request, as `sharing.Witness` signs it",
            _gives("Entries, a checkpoint and proofs.", _BYTES_OF_IT),
        ),
        "/health": {
            "get": {
                "summary": "Whether the store answers",
                "responses": {
                    "200": _told("It does.", _json("Health")),
                    "503": _told("It does not.", _json("Health")),
                },
            }
        },
        "/metrics": {
            "get": {
                "summary": "Counts of requests",
                "responses": {
                    "200": _told(
                        "As Prometheus reads it.", {"text/plain": {"schema": {"type": "string"}}}
                    )
                },
            }
        },
        "/openapi.json": {
            "get": {
                "summary": "This description",
                "responses": {"200": _told("It.", {_JSON: {"schema": {"type": "object"}}})},
            }
        },
    },
    "components": {
        "parameters": {
            "Request": {
                "name": REQUEST,
                "in": "header",
                "description": "Names the request; the answer and the log repeat it.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            }
        },
        "headers": {
            "Request": {
                "description": "The name of the request that it answers.",
                "required": True,
                "schema": {"type": "string"},
            }
        },
        "responses": {
            f"Refused{status}": {
                "description": about,
                "headers": {REQUEST: _refers("headers/Request")},
                "content": _json("Error"),
            }
            for status, about in _ERRORS.items()
        },
        "schemas": {
            "Error": {
                "type": "object",
                "required": ["error", "message"],
                "properties": {
                    "error": {"type": "string", "description": "The class in `mopse.errors`."},
                    "message": {"type": "string"},
                    "position": {**_COUNT, "description": "Of the record that it is about."},
                    "row": {**_COUNT, "description": "Of the record that it is about."},
                },
                "additionalProperties": False,
            },
            "Receipt": {
                "type": "object",
                "required": ["provider", "added", "replaced", "removed", "files", "repeated"],
                "properties": {
                    "provider": {"type": "string"},
                    **dict.fromkeys(("added", "replaced", "removed", "files"), _COUNT),
                    "repeated": {"type": "boolean"},
                },
                "additionalProperties": False,
            },
            "ReceiptOrNull": {"anyOf": [_refers("schemas/Receipt"), {"type": "null"}]},
            "Missing": {
                "type": "object",
                "required": ["missing"],
                "properties": {"missing": {"type": "array", "items": _COUNT}},
                "additionalProperties": False,
            },
            "Count": {
                "type": "object",
                "required": ["count"],
                "properties": {"count": _COUNT},
                "additionalProperties": False,
            },
            "Health": {
                "type": "object",
                "required": ["status"],
                "properties": {"status": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    },
}
"""The service as OpenAPI 3.1 describes it: what ``/openapi.json`` gives."""
