"""What owners and providers have in common: a keyring, queries, decryption, files."""

import datetime
import os
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Never, Self

import polars as pl

from mopse import _mopse
from mopse._arrays import password_bytes
from mopse._table import from_columns, record_ids
from mopse.errors import (
    DecryptionError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
    WrongTypeError,
)
from mopse.query import Answer, Query
from mopse.schema import Field, Schema

__all__ = ["PROVIDER", "Party", "grant", "names", "open_answer", "text"]

PROVIDER = "provider"
"""The column that `decrypt` adds."""

_HOUR = datetime.timedelta(hours=1)


def names(path: str | None) -> list[str]:
    """Return the names of a path such as ``hospital/ward``; none for None."""
    if path is None:
        return []
    return text(path, "a provider's path").split("/")


def text(value: Any, what: str) -> str:
    """Return a string that can be written down, or say what is none."""
    if not isinstance(value, str):
        raise WrongTypeError(f"{what} must be a string, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(f"{what} holds half of a surrogate pair") from None
    return value


def _file(path: str | os.PathLike[str]) -> Path:
    try:
        file = Path(path)
    except TypeError:
        raise WrongTypeError(f"a path must be a string, not {type(path).__name__}") from None
    if not file.name or "\0" in str(file):
        raise InvalidInputError("the path names no file")
    return file


def _access_error(error: OSError, file: Path) -> FileAccessError:
    kind = MissingFileError if isinstance(error, FileNotFoundError) else FileAccessError
    return kind(error.errno, error.strerror, str(file))


class Party:
    """A holder of a keyring. See `mopse.Owner` and `mopse.Provider`."""

    _is_owner: bool

    def __init__(self, keyring: _mopse.Keyring, schema: Schema | None = None) -> None:
        self._keyring = keyring
        self._schema = schema if schema is not None else _schema_of(keyring)
        self._asked: dict[int, dict[str, tuple[int, int]]] = {}

    @property
    def schema(self) -> Schema:
        """The fields that records are indexed by."""
        return self._schema

    @property
    def providers(self) -> list[str]:
        """Paths of everyone known to be authorised below."""
        return self._keyring.members

    @property
    def groups(self) -> list[str]:
        """The groups below, in every epoch: a query over the subtree has a token for each."""
        return self._keyring.groups

    def query(
        self,
        ranges: Mapping[str, Any] | None = None,
        /,
        *,
        expires_in: datetime.timedelta = _HOUR,
        **more_ranges: Any,
    ) -> Query:
        """Return the signed tokens that ask for records within ranges of values.

        Parameters
        ----------
        ranges : mapping from str to range, optional
            Ranges of fields whose names are no Python names.
        expires_in : datetime.timedelta
            How long the tokens are valid.
        **more_ranges : (lowest, highest), or a value
            The range of each field, both bounds included; None is open, a single value stands for
            itself. All must hold. Bounds off the grid round inwards.

        Returns
        -------
        Query
            One token per group below, and for a provider one for its own records. No token if no
            value can match.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no range or a field has two, the schema lacks a field, the lowest is above
            the highest, or a bound is not a number.
        mopse.errors.WrongTypeError
            If a bound is of another type than the field.

        Notes
        -----
        Costs one ruler per group and field the first time, then microseconds. The cloud learns the
        bounds to the cell and which tokens belong together.
        """
        if not isinstance(ranges, Mapping | None):
            raise WrongTypeError(f"ranges must be a mapping, not {type(ranges).__name__}")
        twice = sorted(more_ranges.keys() & (ranges or {}).keys())
        if twice:
            raise InvalidInputError(f"field {twice[0]!r} is given two ranges")
        asked = {**(ranges or {}), **more_ranges}
        if not asked:
            raise InvalidInputError("a query needs at least one range")
        if not isinstance(expires_in, datetime.timedelta):
            raise WrongTypeError("expires_in must be a datetime.timedelta")
        plain: dict[str, tuple[int, int] | None] = {}
        for name, bounds in asked.items():
            if name not in self._schema:
                raise InvalidInputError(f"the schema has no field {name!r}")
            try:
                low, high = bounds if isinstance(bounds, tuple | list) else (bounds, bounds)
            except ValueError:
                raise InvalidInputError(
                    f"field {name!r}: a range has a lowest and a highest value"
                ) from None
            try:
                plain[name] = self._schema[name].range(low, high)
            except InvalidInputError as error:
                raise type(error)(f"field {name!r}: {error}") from None
        found = {name: bounds for name, bounds in plain.items() if bounds is not None}
        if len(found) < len(plain):
            return Query([], {})
        expiry = int(time.time() + expires_in.total_seconds())
        if expiry < 0:
            raise InvalidInputError("the query would expire before 1970")
        ranges_in = [(name, low, high) for name, (low, high) in found.items()]
        query = Query(self._keyring.tokens(ranges_in, expiry), found)
        for token in query._decoded[:1]:
            self._asked[token.query] = found
        return query

    def decrypt(self, answer: Answer, query: Query | None = None) -> pl.DataFrame:
        """Return the records of an answer, opened and checked against the query.

        Parameters
        ----------
        answer : Answer
            What `mopse.Cloud.search` returned.
        query : Query, optional
            The query, if another object asked it: the bounds in the clear are never sent.

        Returns
        -------
        polars.DataFrame
            One row per matching record with the columns it was encrypted with, and the path of
            its provider in a column ``provider``. Records that share a cell with the bounds and do
            not match are dropped; ``answer.excess`` says how many.

        Raises
        ------
        mopse.errors.DecryptionError
            If a record was changed, cut or moved; the message names provider and record.
        mopse.errors.ScopeError
            If a record is of a provider whose key this party cannot derive, or of another owner.
        mopse.errors.InvalidInputError
            If this object did not ask the query and it is not given.

        Notes
        -----
        Costs about a microsecond per small record on each core. A cloud that leaves records out is
        not noticed.
        """
        return open_answer(answer, query, self._asked, self._schema, self._open_part)

    def _open_part(self, part: _mopse.Part) -> Any:
        return self._keyring.open_part(part)

    def save(self, path: str | os.PathLike[str], password: str | bytes) -> None:
        """Write the keyring to a file under a password.

        Parameters
        ----------
        path : path
            The file; it is replaced in one step and readable for its owner only.
        password : str
            Everything that protects the file: Argon2id makes each guess cost 64 MiB and a good
            tenth of a second.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the password is empty.
        mopse.errors.FileAccessError
            If the file cannot be written; what was there before is left. It is an OSError.
        """
        target = _file(path)
        contents = self._keyring.seal(password_bytes(password), None)
        fresh = target.with_name(f".mopse.{secrets.token_hex(8)}")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(contents)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(target)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _access_error(error, target) from None

    @classmethod
    def open(cls, path: str | os.PathLike[str], password: str | bytes) -> Self:
        """Read a keyring that `save` wrote.

        Parameters
        ----------
        path : path
            The file.
        password : str
            Its password.

        Returns
        -------
        Owner or Provider
            As it was saved.

        Raises
        ------
        mopse.errors.WrongPasswordError
            If the password does not open the file.
        mopse.errors.DamagedFileError
            If the file is not what was written, or of an unknown version.
        mopse.errors.InvalidInputError
            If it is a file of the other kind, or the password is empty.
        mopse.errors.FileAccessError
            If the file cannot be read; `mopse.errors.MissingFileError` if there is none. Both are
            an OSError.
        """
        file = _file(path)
        try:
            contents = file.read_bytes()
        except OSError as error:
            raise _access_error(error, file) from None
        return cls(_mopse.Keyring.open(contents, password_bytes(password), cls._is_owner))

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: use save and open")


def open_answer(
    answer: Answer,
    query: Query | None,
    asked: Mapping[int, Mapping[str, tuple[int, int]]],
    schema: Schema,
    open_part: Any,
) -> pl.DataFrame:
    """Return the opened records of an answer that match the query; see `Party.decrypt`."""
    if not isinstance(answer, Answer):
        raise WrongTypeError(f"an answer must be an Answer, not {type(answer).__name__}")
    if not isinstance(query, Query | None):
        raise WrongTypeError(f"a query must be a Query, not {type(query).__name__}")
    unknown = [name for name in (query and query._ranges) or () if name not in schema]
    if unknown:
        raise InvalidInputError(f"the query is of another schema: field {unknown[0]!r}")
    frames = []
    dropped = 0
    for part in answer._parts:
        given = None if query is None else query._ranges
        ranges = given if given is not None else asked.get(part.query)
        if ranges is None:
            raise InvalidInputError("the answer is to a query that was not asked here: pass query=")
        try:
            frame = from_columns(open_part(part))
        except DecryptionError as error:
            raise DecryptionError(f"provider {part.provider!r}: {error}") from None
        matching = _matching(frame, ranges, schema)
        dropped += frame.height - matching.height
        frames.append(matching.with_columns(pl.lit(part.provider).alias(PROVIDER)))
    answer.excess = dropped
    if not frames:
        return pl.DataFrame(schema={PROVIDER: pl.String})
    try:
        return pl.concat(frames, how="diagonal")
    except pl.exceptions.SchemaError:  # the providers' tables have columns of different types
        return pl.concat(frames, how="diagonal_relaxed")


def _matching(
    frame: pl.DataFrame, ranges: Mapping[str, tuple[int, int]], schema: Schema
) -> pl.DataFrame:
    if frame.is_empty():
        return frame
    holds = pl.Series([True]).new_from_index(0, frame.height)
    for name, (low, high) in ranges.items():
        rows, plaintexts = schema[name].plaintexts_of(frame[name])
        here = pl.Series([False]).new_from_index(0, frame.height)
        holds &= here.scatter(rows[(plaintexts >= low) & (plaintexts <= high)], True)
    return frame.filter(holds)


def _schema_of(keyring: _mopse.Keyring) -> Schema:
    return Schema(
        **{
            name: Field._restore(kind, low, high, step, cell, levels)
            for name, kind, low, high, step, cell, levels in keyring.fields
        }
    )


def grant(keyring: _mopse.Keyring, provider: str, ids: Sequence[Any] | None) -> bytes:
    """Return what opens a provider's records; see `Provider.grant`."""
    path = text(provider, "a provider's path")
    if ids is None:
        return keyring.grant(path, None)
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise WrongTypeError(f"ids must be a sequence, not {type(ids).__name__}")
    try:
        column = pl.Series("id", ids if isinstance(ids, pl.Series) else list(ids))
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        raise WrongTypeError("ids must be all integers of 64 bits or all text") from None
    if column.is_empty():
        column = column.cast(pl.Int64)
    return keyring.grant(path, record_ids(column.to_frame(), "id"))
