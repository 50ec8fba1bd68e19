"""Ranges of fields as callers give them, and how long a query for them holds."""

import datetime
import time
from collections.abc import Mapping
from typing import Any

from mopse._checks import listed, mapping
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.schema import Schema


def bounds_of(
    schema: Schema, ranges: Mapping[str, Any] | None, more_ranges: Mapping[str, Any], what: str
) -> dict[str, tuple[Any, Any]]:
    """Return lowest and highest value of each field that is named, once at most."""
    named = {} if ranges is None else mapping(ranges, "ranges")
    asked: dict[str, Any] = {}
    for given, bounds in [*named.items(), *more_ranges.items()]:
        field = schema._spelt(given)
        if field in asked:
            raise InvalidInputError(f"field {field!r} is given two ranges")
        asked[field] = bounds
    if not asked:
        raise InvalidInputError(f"{what} needs at least one range")
    pairs: dict[str, tuple[Any, Any]] = {}
    for name, bounds in asked.items():
        if name not in schema:
            raise InvalidInputError(f"the schema has no field {name!r}: {listed(name, schema)}")
        try:
            low, high = bounds if isinstance(bounds, tuple | list) else (bounds, bounds)
        except ValueError:
            raise InvalidInputError(
                f"field {name!r}: a range has a lowest and a highest value"
            ) from None
        pairs[name] = low, high
    return pairs


def plaintexts_of(
    schema: Schema, bounds: Mapping[str, tuple[Any, Any]]
) -> dict[str, tuple[int, int]] | None:
    """Return lowest and highest plaintext of each field; None if no value of one can match."""
    plain: dict[str, tuple[int, int]] = {}
    can_match = True
    for name, (low, high) in bounds.items():
        try:
            found = schema[name].range(low, high)
        except InvalidInputError as error:
            raise type(error)(f"field {name!r}: {error}") from None
        if found is None:
            can_match = False
        else:
            plain[name] = found
    return plain if can_match else None


def expiry_of(expires_in: datetime.timedelta, what: str) -> int:
    """Return when something ends that is valid for a time from now on, in seconds since 1970."""
    if not isinstance(expires_in, datetime.timedelta):
        raise WrongTypeError("expires_in must be a datetime.timedelta")
    expiry = int(time.time() + expires_in.total_seconds())
    if expiry < 0:
        raise InvalidInputError(f"{what} would expire before 1970")
    return expiry
