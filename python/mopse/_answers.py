"""Answers and listings on their way back: open, check, align, filter, report."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from mopse import _mopse
from mopse._checks import instance, truth
from mopse._fork import check_tables
from mopse._table import from_columns
from mopse._types import PROVIDER, as_type, has_values, holding, holds, is_known, name_of
from mopse.errors import (
    ExpiredError,
    InvalidInputError,
    MopseError,
    OutdatedError,
    ScopeError,
    WrongTypeError,
)
from mopse.messages import (
    Answer,
    File,
    FileListing,
    FileRequest,
    Opened,
    Query,
    SealedFile,
    stored_text,
)
from mopse.schema import Schema

__all__ = [
    "AMENDS",
    "LATE_FILE",
    "PROVIDER",
    "Description",
    "OpenedPart",
    "ProvenFiles",
    "Ranges",
    "asked_by_a_user",
    "described",
    "matching",
    "opened",
]

Ranges = list[tuple[str, int, int]]
"""Field, lowest and highest plaintext."""

OpenedPart = tuple[
    list[Any],
    int,
    list[str],
    bool,
    Any,
    list[tuple[str, str | None, str]],
    _mopse.party.Amends | None,
]
"""Columns, how many records do not match, fields that could not be checked, whether the epoch was
left, handles, record, column and cause of each fault, and what the records amend."""

AMENDS = ("amends", "amends_record", "amends_version", "amends_state")
"""The columns that amendments are marked by."""

Faults = list[tuple[str, str | None, str | None, str]]
"""Provider, record, column, cause."""


Description = tuple[str, str, int]
"""Name, media type, size in bytes."""

ProvenFiles = tuple[Mapping[tuple[str, str], str], Collection[int] | None]
"""What is wrong with providers, by path and group, and the numbers of the files that are proven."""

LATE_FILE = "it came after the seal of its provider, and nothing shows who attached it"


_LEFT = "is of an epoch that its group has left"
"""What a cloud says of messages from before a revocation."""


def described(
    listing: FileListing,
    request: FileRequest,
    describe: Callable[
        [_mopse.message.Listing, _mopse.message.Request], list[Description | MopseError]
    ],
    faults: str,
    prove: Callable[[bool], ProvenFiles] | None,
) -> pl.DataFrame | Opened[pl.DataFrame]:
    """Return what the attachments of a listing are called; see `Party.files`."""
    check_tables()
    reports = is_report(faults)
    wrong, proven = prove(reports) if prove else ({}, None)
    found = instance(listing, FileListing, "a listing")._listing
    asked = instance(request, FileRequest, "a request")
    files = describe(found, asked._decoded)
    rows: list[Any] = []
    failed: list[Any] = [(path, None, None, cause) for (path, _), cause in wrong.items()]
    late, unproven = set(found.late), {path for path, _ in wrong}
    for stored, file in zip(found.files, files, strict=True):
        place = stored.provider, asked._record(stored), stored_text(stored.number)
        if proven is not None and stored.number not in proven:
            if stored.number in late or stored.provider not in unproven:
                failed.append((*place, LATE_FILE))
        elif not isinstance(file, MopseError):
            rows.append((*place, *file))
        elif reports:
            failed.append((*place, str(file)))
        else:
            raise _named(file, f"provider {stored.provider!r}, file {place[2]}") from None
    columns = [(name, pl.String) for name in (PROVIDER, "record", "file", "name", "media_type")]
    table = pl.DataFrame(rows, schema=[*columns, ("size_bytes", pl.Int64)], orient="row")
    return Opened(table, _faults(failed, "file")) if reports else table


@contextlib.contextmanager
def asked_by_a_user(what: str) -> Iterator[None]:
    """Have an error say what helps who cannot catch up: users ask what others have signed."""
    try:
        yield
    except ExpiredError as error:
        raise ExpiredError(f"{error}: ask whoever made it for a new one") from None
    except ScopeError as error:
        if not isinstance(error, OutdatedError) and _LEFT not in str(error):
            raise
        raise type(error)(
            f"{what} is older than what was announced to the cloud since, as that somebody has "
            "joined or left: ask whoever made it for a new one"
        ) from None


def is_report(faults: str) -> bool:
    if not isinstance(faults, str):
        raise WrongTypeError(f"faults must be a string, not {type(faults).__name__}")
    if faults not in ("raise", "report"):
        raise InvalidInputError("faults must be 'raise' or 'report'")
    return faults == "report"


def _named(error: MopseError, where: str) -> MopseError:
    """Return an error that says where; those of scope and of grants name the provider already."""
    is_named = isinstance(error, ScopeError | ExpiredError)
    return error if is_named else type(error)(f"{where}: {error}")


def _faults(rows: Sequence[tuple[str | None, ...]], third: str) -> pl.DataFrame:
    names = (PROVIDER, "record", third, "cause")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def opened(
    sealed: SealedFile,
    request: FileRequest,
    open_fetched: Callable[
        [_mopse.message.Fetched, _mopse.message.Request], tuple[Description, bytes]
    ],
    proof: bool,
) -> File:
    """Return an attachment, opened and checked; see `Party.open_file`."""
    fetched = instance(sealed, SealedFile, "a file")._fetched
    asked = instance(request, FileRequest, "a request")
    if truth(proof, "proof"):
        fetched.prove()
    (name, media_type, _), content = open_fetched(fetched, asked._decoded)
    file = fetched.file
    return File(name, media_type, file.provider, asked._record(file), content)


def matching(
    answer: Answer,
    query: Query,
    schema: Schema,
    open_part: Callable[[_mopse.message.Part, Ranges, bool], OpenedPart],
    faults: str,
    by_provider: bool,
    unproven: Mapping[tuple[str, str], str] = MappingProxyType({}),
    unsealed: Mapping[tuple[str, int], str] = MappingProxyType({}),
) -> Any:
    """Return the opened records of an answer that match the query; see `Party.decrypt`.

    Records of providers that are unproven, by path and group, are left out and listed; so are
    those of uploads that nobody shows who wrote them, by path and number.
    """
    check_tables()
    instance(answer, Answer, "an answer")
    ranges = instance(query, Query, "a query")._ranges
    reports = is_report(faults)
    if not isinstance(by_provider, bool | np.bool_):
        raise WrongTypeError("by_provider must be a truth value")
    if ranges is None:
        raise InvalidInputError("the query has no bounds in the clear: it is the cloud's copy")
    unknown = [name for name in ranges if name not in schema]
    if unknown:
        raise InvalidInputError(f"the query is of another schema: field {unknown[0]!r}")
    answer._check(query)
    groups: dict[str, list[_Stretch]] = {}
    bounds = [(name, *of_field) for name, of_field in ranges.items()]
    excess = 0
    no_column: dict[str, None] = {}
    left: dict[str, int] = {}
    closed: dict[str, int] = {}
    listed: Faults = [(path, None, None, cause) for (path, _), cause in unproven.items()]
    known_versions = cache(lambda: _mopse.party.Versions(answer._parts))
    for part in answer._parts:
        if not part.provider or (part.provider, part.group) in unproven:
            continue
        why = unsealed.get((part.provider, part.upload))
        if why is not None:
            listed += [(part.provider, record, None, why) for record in _texts(part.handles)]
            continue
        try:
            opened = open_part(part, bounds, reports)
        except MopseError as error:
            raise _named(error, f"provider {part.provider!r}") from None
        columns, dropped, unchecked, is_left, handles, failed, amends = opened
        excess += dropped
        no_column |= dict.fromkeys(unchecked)
        if is_left and len(part):
            kept = len(part) - dropped - len(failed)
            left[part.provider] = left.get(part.provider, 0) + kept
        listed += [(part.provider, *fault) for fault in failed]
        rows = len(columns[0][4]) if columns else 0
        if shut := len(part) - dropped - len({record for record, *_ in failed}) - rows:
            closed[part.provider] = closed.get(part.provider, 0) + shut
        if not columns:
            continue
        if amends is not None:
            columns = [*columns, *_marks(amends, known_versions)]
        layout = [column[:3] for column in columns]
        stretches = groups.setdefault(part.provider if by_provider else "", [])
        if not stretches or stretches[-1].layout != layout:
            odd = next((name for name, _, words in layout if not is_known(words)), None)
            if odd is not None and not reports:
                where = f"provider {part.provider!r}: column {odd!r}"
                raise InvalidInputError(f"{where}: {_NO_ZONE}")
            if odd is not None:
                listed += [(part.provider, record, odd, _NO_ZONE) for record in _texts(handles)]
                continue
            stretches.append(_Stretch(layout))
        stretches[-1].parts.append((part.provider, columns, handles))
    answer.excess, answer.unchecked, answer.left = excess, tuple(no_column), left
    answer.closed = closed
    frames = {
        provider: _together(stretches, schema, listed if reports else None)
        for provider, stretches in groups.items()
    }
    records = frames if by_provider else frames.get("", schema._no_records())
    return Opened(records, _faults(listed, "column")) if reports else records


def _marks(
    amends: _mopse.party.Amends, known_versions: Callable[[], _mopse.party.Versions]
) -> list[tuple[str, str, str, list[str], Any]]:
    """Return the columns that say what opened records amend, and what has become of it."""
    records = amends.records()
    states = known_versions().states(amends)
    marks = [
        (amends.provider, *record, state) for record, state in zip(records, states, strict=True)
    ]
    of_column = zip(AMENDS, zip(*marks, strict=True) if marks else ((),) * 4, strict=True)
    return [
        (
            name,
            "text",
            "String",
            [value or "" for value in of],
            np.array([v is not None for v in of], bool),
        )
        for name, of in of_column
    ]


_NO_ZONE = "its time zone is none that is known here"


def _texts(handles: Any) -> Iterable[str]:
    return (f"{high:016x}{low:016x}" for high, low in handles.tolist())


@dataclass
class _Stretch:
    """Parts of an answer that follow each other and have the same columns: one frame."""

    layout: list[tuple[str, str, str]]
    parts: list[tuple[str, list[Any], Any]] = field(default_factory=list)

    @property
    def providers(self) -> set[str]:
        return {provider for provider, _, _ in self.parts}

    def frame(self) -> pl.DataFrame:
        """Return all records, with the path of each one's provider."""
        joined = []
        for number, (name, kind, words) in enumerate(self.layout):
            values = [columns[number][3] for _, columns, _ in self.parts]
            is_valid = np.concatenate([columns[number][4] for _, columns, _ in self.parts])
            one = [*chain.from_iterable(values)] if kind == "text" else np.concatenate(values)
            joined.append((name, kind, words, one, is_valid))
        lengths = [len(columns[0][4]) if columns else 0 for _, columns, _ in self.parts]
        names = pl.Series(PROVIDER, [provider for provider, _, _ in self.parts], dtype=pl.String)
        providers = names.gather(np.repeat(np.arange(len(names)), lengths))
        return from_columns(joined).insert_column(len(joined), providers)


def _together(stretches: list[_Stretch], schema: Schema, listed: Faults | None) -> pl.DataFrame:
    """Return stretches as one frame, in which columns of one name have one type.

    Where no type holds all values as they are, records of the fewer providers are left out and
    listed; without a list that is an error.
    """
    types = schema.types
    frames = dict(enumerate(stretch.frame() for stretch in stretches))
    of_name: dict[str, dict[int, pl.Series]] = {}
    for number, frame in frames.items():
        for column in frame:
            of_name.setdefault(column.name, {})[number] = column
    targets: dict[str, pl.DataType] = {}
    for name, of_stretch in of_name.items():
        held = {number: column for number, column in of_stretch.items() if number in frames}
        target = types.get(name)
        if len({column.dtype for column in held.values()} | ({target} if target else set())) < 2:
            continue
        if target is None or not all(holds(target, column) for column in held.values()):
            target = holding([*held.values()])
        if target is None:
            most = _most(held, stretches, types.get(name))
            odd = [number for number in held if number not in most]
            one, other = held[most[0]].dtype, held[odd[0]].dtype
            divided = _divided(held, stretches)
            if listed is None:
                # `most` has values first, so both columns are what they are called.
                raise InvalidInputError(
                    _apart(name, (one, stretches[most[0]]), (other, stretches[odd[0]]), divided)
                )
            for number in odd:
                is_of = name_of(held[number].dtype)
                cause = f"it is {is_of}, and {name_of(one)} elsewhere"
                if divided is None:
                    cause += ": see by_provider=True"
                for provider, _, handles in stretches[number].parts:
                    listed += [(provider, record, name, cause) for record in _texts(handles)]
                del frames[number], held[number]
            target = types.get(name)
            if target is None or not all(holds(target, column) for column in held.values()):
                target = holding([*held.values()])
        if target is not None:
            targets[name] = target
    if not frames:
        return schema._no_records()
    if any(AMENDS[0] in frame.columns for frame in frames.values()):
        # At the end, so that they stand there whichever part comes first.
        frames = {number: _marks_last(frame) for number, frame in frames.items()}
    aligned = [
        frame.with_columns(
            as_type(frame[name], dtype) for name, dtype in targets.items() if name in frame.columns
        )
        if targets
        else frame
        for frame in frames.values()
    ]
    return aligned[0] if len(aligned) == 1 else pl.concat(aligned, how="diagonal")


def _marks_last(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with the marks of amendments at its end, null where it is of none."""
    marks = [
        pl.col(name) if name in frame.columns else pl.lit(None, pl.String).alias(name)
        for name in AMENDS
    ]
    return frame.select(pl.exclude(*AMENDS), *marks)


def _most(
    columns: Mapping[int, pl.Series], stretches: list[_Stretch], declared: pl.DataType | None
) -> list[int]:
    """Return the stretches, by number, whose columns one type holds: those of most providers.

    The declared type counts for more. A provider and all below it count as one, where they part
    from the others: whoever authorises many has no more to say. Columns without values are of every
    type, and come last.
    """
    paths = [path.split("/") for stretch in stretches for path in stretch.providers]
    depth = next((at for at, of in enumerate(zip(*paths, strict=False)) if len({*of}) > 1), 0)
    by_dtype: dict[pl.DataType, list[int]] = {}
    empty: list[int] = []
    for number, column in columns.items():
        (by_dtype.setdefault(column.dtype, []) if has_values(column) else empty).append(number)

    def weight(numbers: list[int]) -> tuple[bool, int, int]:
        is_declared = declared is not None and all(holds(declared, columns[n]) for n in numbers)
        providers = set[str]().union(*(stretches[number].providers for number in numbers))
        branches = {tuple(path.split("/")[: depth + 1]) for path in providers}
        return is_declared, len(branches), sum(len(columns[number]) for number in numbers)

    most: list[int] = []
    for numbers in sorted(by_dtype.values(), key=weight, reverse=True):
        if not most or holding([columns[number] for number in most + numbers]) is not None:
            most += numbers
    return most + empty


def _divided(columns: Mapping[int, pl.Series], stretches: list[_Stretch]) -> str | None:
    """Return the first provider of which no type holds its own columns, if there is one."""
    of_provider: dict[str, list[pl.Series]] = {}
    for number, column in columns.items():
        for provider in stretches[number].providers:
            of_provider.setdefault(provider, []).append(column)
    return min((p for p, of in of_provider.items() if holding(of) is None), default=None)


def _apart(
    name: str,
    one: tuple[pl.DataType, _Stretch],
    other: tuple[pl.DataType, _Stretch],
    divided: str | None,
) -> str:
    """Say that no type holds two columns, and what helps."""
    (here, there) = (
        f"{name_of(dtype)} at provider {min(s.providers)!r}" for dtype, s in (one, other)
    )
    report = "faults='report' gives most of them and lists the others"
    if divided is None:
        helps = f"by_provider=True gives each provider's records as they are, {report}"
    else:
        helps = (
            f"{report}, until provider {divided!r}, which itself has several types there, deletes "
            "those of one, which a query that finds no others shows, and sends them again"
        )
    declared = f"Schema(types={{{name!r}: ...}}) has all that is sent from now on be of one type"
    return f"column {name!r} is {here} and {there}, and no type holds both: {helps}; {declared}"
