"""Proofs of answers as Python shows them: tables of what was found, errors, what is left out."""

import datetime
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

import polars as pl

from mopse import _mopse
from mopse._answers import LATE_FILE, ProvenFiles, is_report
from mopse._checks import instance, truth
from mopse._fork import check_tables
from mopse.errors import InvalidInputError, ProofError, WrongTypeError
from mopse.messages import Answer, FileListing, FileRequest, Query

__all__ = [
    "Place",
    "Proven",
    "Seals",
    "as_hours",
    "as_place",
    "by_signatures",
    "faults_of",
    "given_proof",
    "in_one_history",
    "known_state",
    "listing_prover",
    "refused",
    "remember_state",
    "table_of",
    "unproven_error",
]

_HOUR = datetime.timedelta(hours=1)

Faults = dict[tuple[str, str], str]
"""What is wrong, by path and group; with neither where nobody can be named."""

Unsealed = dict[tuple[str, int], str]
"""Why records of an upload are refused, by path and number."""

Place = tuple[str, tuple[tuple[int, bytes], ...]]
"""A path, and the epoch of each of its names: what seals are known by."""

Seen = tuple[int, bytes]
"""Number and digest of a seal."""

Seals = dict[Place, Seen]
"""The newest seal that was seen of each place."""

Proven = tuple[pl.DataFrame, Faults, Unsealed]
"""What was found of each provider, and what is wrong."""


class Prover(Protocol):
    """Whatever proves answers and listings by signatures: a keyring, or grants."""

    def prove_listing(
        self,
        listing: _mopse.message.Listing,
        request: _mopse.message.Request,
        now: int,
        most_hours: int | None,
    ) -> tuple[list[Any], list[int]]:
        """Return what was found of providers, and the numbers of the files that are proven."""

    def prove_signatures(
        self,
        parts: Sequence[_mopse.message.Part],
        proof: _mopse.message.Proof,
        query: _mopse.message.Query,
        now: int,
        most_hours: int | None,
    ) -> tuple[list[Any], list[Any]]:
        """Return what was found of providers, and who wrote each record."""


def as_hours(max_age: Any, kind: str | None) -> int | None:
    """Return how many whole hours old a seal may be."""
    if max_age is None:
        return None
    if not isinstance(max_age, datetime.timedelta):
        raise WrongTypeError("max_age must be a datetime.timedelta")
    if kind is None:
        raise InvalidInputError("max_age is about seals: it goes with proof=True")
    if max_age < datetime.timedelta(0):
        raise InvalidInputError("max_age must not be negative")
    return int(max_age // _HOUR)


def given_proof(proof: _mopse.message.Proof | None, kind: str) -> _mopse.message.Proof:
    """Return the proof of a kind that came with an answer."""
    if proof is None:
        raise ProofError(
            "no proof came with the answer: make the query with proof=True, or search with "
            "proof='signatures', and take the answer to its end"
        )
    has_sums, has_signatures = proof.kinds
    other, is_other = ("sums", has_sums) if kind == "signatures" else ("signatures", has_signatures)
    if is_other:
        raise ProofError(f"what came with the answer are {other}, not {kind}: prove it by these")
    return proof


def by_signatures(prover: Prover, answer: Any, query: Query, hours: int | None) -> Proven:
    """Return what the signatures of providers prove of an answer, which is told who wrote what."""
    check_tables()
    instance(answer, Answer, "an answer")
    asked = instance(query, Query, "a query")
    answer._check(asked)
    proof = given_proof(answer._proof, "signatures")
    members, written = prover.prove_signatures(
        answer._parts, proof, asked._decoded, int(time.time()), hours
    )
    answer.proven = table_of(members, False)
    answer.provenance = _provenance(written)
    late = "it came after the seal of its provider, and nothing shows who wrote it"
    unsealed = {(path, upload): late for (path, _), _, upload, seal in written if seal is None}
    return answer.proven, faults_of(members), unsealed


def listing_prover(
    prover: Prover,
    listing: FileListing,
    request: FileRequest,
    proof: bool,
    max_age: datetime.timedelta | None,
) -> Callable[[bool], ProvenFiles] | None:
    """Return what proves a listing, if that is asked for.

    It is told whether faults are reported, else they are an error, and returns what is wrong with
    providers and which files are proven; the listing is told what was found of each provider.
    """
    is_proven = truth(proof, "proof")
    hours = as_hours(max_age, "signatures" if is_proven else None)
    if not is_proven:
        return None
    found = instance(listing, FileListing, "a listing")._listing
    asked = instance(request, FileRequest, "a request")._decoded

    def prove(reports: bool) -> ProvenFiles:
        members, proven = prover.prove_listing(found, asked, int(time.time()), hours)
        listing.proven = table_of(members, False, "files")
        wrong, late = faults_of(members), set(found.late)
        unsealed = {(of.provider, of.number): LATE_FILE for of in found.files if of.number in late}
        if (wrong or unsealed) and not reports:
            raise unproven_error(wrong, unsealed, "listing", "file")
        return wrong, frozenset(proven)

    return prove


def faults_of(members: Sequence[Any]) -> Faults:
    """Return what is wrong with providers, by path and group."""
    return {(path, group): cause for path, group, *_, cause in members if cause is not None}


def unproven_error(
    faults: Faults, unsealed: Unsealed, what: str = "answer", item: str = "record"
) -> ProofError:
    """Return the error that names whose part of an answer or a listing is not proven."""
    shown = [
        f"provider {path!r}: {cause}" if path else cause for (path, _), cause in faults.items()
    ]
    shown += [f"provider {path!r}: a {item}: {cause}" for (path, _), cause in unsealed.items()]
    more = f"; and {len(shown) - 3} more" if len(shown) > 3 else ""
    error = ProofError(f"the {what} is not proven: {'; '.join(shown[:3])}{more}")
    error.providers = tuple(sorted({path for path, _ in [*faults, *unsealed] if path}))
    return error


def refused(proven: Proven, faults: str) -> tuple[Faults, Unsealed]:
    """Return what a report leaves out and lists; without a report it is an error."""
    _, wrong, unsealed = proven
    if (wrong or unsealed) and (not is_report(faults) or ("", "") in wrong):
        raise unproven_error(wrong, unsealed)
    return wrong, unsealed


def table_of(members: Sequence[Any], is_wrong: bool, counted: str = "rows") -> pl.DataFrame:
    """Return what was found of providers as a table."""
    rows = []
    for path, group, seal, unsealed, cause in members:
        number, hours, sealed = seal or (None, None, None)
        at = None
        if hours:
            at = datetime.datetime.fromtimestamp(hours * 3600, datetime.UTC)
        is_proven = cause is None and not is_wrong
        rows.append((path, group, number, at, sealed, unsealed, is_proven, cause))
    columns: dict[str, Any] = {
        "provider": pl.String,
        "group": pl.String,
        "seal": pl.UInt64,
        "sealed_at": pl.Datetime("us", "UTC"),
        counted: pl.UInt64,
        "unsealed": pl.Int64,
        "is_proven": pl.Boolean,
        "cause": pl.String,
    }
    return pl.DataFrame(rows, schema=columns, orient="row")


def _provenance(written: Sequence[Any]) -> pl.DataFrame:
    """Return who wrote which record as a table; of many records few places wrote."""
    numbers: dict[Any, int] = {}
    places = [numbers.setdefault((path, *epochs), len(numbers)) for (path, epochs), *_ in written]
    paths = [path for path, *_ in numbers]
    epochs = [[number for number, _ in of] for _, *of in numbers]
    _, records, uploads, seals = zip(*written, strict=True) if written else ((), (), (), ())
    return pl.DataFrame(
        {
            "provider": pl.Series(paths, dtype=pl.String).gather(places),
            "epochs": pl.Series(epochs, dtype=pl.List(pl.UInt32)).gather(places),
            "record": pl.Series(records, dtype=pl.String),
            "upload": pl.Series([f"{upload:032x}" for upload in uploads], dtype=pl.String),
            "seal": pl.Series(seals, dtype=pl.UInt64),
        }
    )


def as_place(place: tuple[str, list[tuple[int, bytes]]]) -> Place:
    """Return a place as what seals are known by."""
    path, epochs = place
    return path, tuple((number, bytes(salt)) for number, salt in epochs)


def in_one_history(pairs: Iterable[tuple[Place, Seen, Seen]]) -> dict[str, int]:
    """Return the numbers of seals that two have seen alike, or say of whom they were shown two."""
    forked, same = set(), {}
    for (path, _), (number, digest), (their_number, their_digest) in sorted(pairs):
        if number == their_number and digest != their_digest:
            forked.add(path)
        elif number == their_number:
            same[path] = number
    if forked:
        error = ProofError(f"two histories were shown of {sorted(forked)}")
        error.providers = tuple(sorted(forked))
        raise error
    return same


def known_state(states: Mapping[Any, int], cloud: Any) -> int | None:
    """Return the last state of a cloud whose seals are known."""
    try:
        return states.get(cloud)
    except TypeError:  # it cannot be remembered
        return None


def remember_state(states: MutableMapping[Any, int], cloud: Any, answer: Answer) -> None:
    """Take note that all seals of a cloud up to the state of an answer are known."""
    if answer.state is not None:
        try:
            states[cloud] = answer.state
        except TypeError:
            return
