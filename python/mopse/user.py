"""A user, who opens what was granted and nothing else."""

import contextlib
import datetime
import hashlib
import os
import time
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Never, Self, overload

import polars as pl

from mopse import _mopse
from mopse._answers import (
    Description,
    OpenedPart,
    Ranges,
    asked_by_a_user,
    described,
    matching,
    opened,
)
from mopse._bodies import opened_to
from mopse._checks import (
    ceiling,
    instance,
    items,
    password_bytes,
    proof_kind,
    truth,
    with_password,
)
from mopse._files import PRIVATE, as_file, read_whole, write_whole
from mopse._party import Party, as_cloud, search
from mopse._proofs import (
    Seals,
    as_hours,
    as_place,
    by_signatures,
    in_one_history,
    known_state,
    listing_prover,
    refused,
    remember_state,
    unproven_error,
)
from mopse._requests import Asking
from mopse._rights import Searching
from mopse._shares import scopes_of
from mopse.errors import (
    InvalidInputError,
    MopseError,
    ProofError,
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
    WrittenFile,
    as_message,
)
from mopse.schema import Schema

if TYPE_CHECKING:
    from mopse.cloud import Cloud

__all__ = ["User"]


class User(Asking, Searching):
    """A doctor or researcher: holds grants, sends queries, opens the answers.

    A user with keys of its own comes from `User.generate` or `User.open`, and `accept`s what
    owners and providers `mopse.Owner.share` with it. One that is made of grants has none: whoever
    has these grants is that user.

    Parameters
    ----------
    schema : Schema
        The owner's fields.
    grants : iterable of bytes
        From `mopse.Owner.grant` or `mopse.Provider.grant`; several of one provider add up. Secret.

    Raises
    ------
    mopse.errors.DamagedFileError
        If a grant is malformed.
    mopse.errors.SignatureError
        If a grant is forged.
    mopse.errors.ExpiredError
        If a grant has ended.

    Notes
    -----
    A query comes from the owner or a provider, who thereby decides what is found, or is the user's
    own, within a right to search that it was given (`mopse.Owner.delegate`). Grants decide what of
    it is opened, each until it ends: by the clock of this machine, at each call. What was granted
    once cannot be taken back.

    Without a proof a user does not see who wrote a record: whoever holds a grant of it, and helps
    the cloud, can put another in its place. With ``proof=True`` the providers' signatures show it.

    Examples
    --------
    >>> import mopse, polars as pl
    >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120, cell=10)))
    >>> hospital, cloud = owner.authorize("hospital"), mopse.Cloud()
    >>> cloud.enroll(owner.public)
    >>> table = pl.DataFrame({"id": [1, 2], "age": [50, 70]})
    >>> receipt = cloud.receive(hospital.encrypt(table, id="id"))
    >>> doctor = mopse.User.generate()
    >>> doctor.accept(owner.share(doctor.public, "hospital"))
    >>> doctor.ask(cloud, owner.query(age=(40, 60)))["id"].to_list()
    [1]
    """

    def __init__(self, schema: Schema, grants: Iterable[bytes] = ()) -> None:
        known = instance(schema, Schema, "a schema")
        given = items(grants, "grants", "list of bytes")
        messages = [as_message(grant, "a grant") for grant in given]
        self._begin(_mopse.party.Grants.decode(messages, int(time.time())))
        self._schema: Schema | None = known
        self._granted = len(messages)

    def _begin(self, grants: _mopse.party.Grants) -> None:
        self._grants = grants
        self._schema = None
        self._schemas: dict[bytes, Schema] = {}
        self._proven_states: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    @classmethod
    def _of(cls, grants: _mopse.party.Grants) -> Self:
        user = cls.__new__(cls)
        user._begin(grants)
        for _, head in grants.given():
            user._note(head)
        for head in grants.searched():
            user._note(head)
        return user

    @classmethod
    def generate(cls, *, post_quantum: bool = False) -> Self:
        """Return a new user with keys of its own, from the operating system's randomness.

        Parameters
        ----------
        post_quantum : bool
            Whether grants are sealed by X-Wing, ML-KEM-768 and X25519 together, and not by X25519
            alone: what travels today then stays closed to whoever has a quantum computer later.
            `public` has 1,322 bytes instead of 138. Signatures are Ed25519 either way.

        Notes
        -----
        Hybrid public-key encryption, RFC 9180, with HKDF-SHA256 and AES-256-GCM.
        """
        return cls._of(_mopse.party.Grants.generate(truth(post_quantum, "post_quantum")))

    @property
    def public(self) -> bytes:
        """The public keys, which name this user to owners and providers. No secret.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys.
        """
        return bytes(self._grants.public)

    @property
    def name(self) -> bytes:
        """What names this user in grants and to owners: SHA-256 of its public keys, 32 bytes.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys.
        """
        return hashlib.sha256(self.public).digest()

    def accept(self, grant: bytes) -> None:
        """Take what an owner or a provider has shared with this user, and use it from now on.

        Several of one provider add up; one that comes again adds nothing. `save` the user then.

        Parameters
        ----------
        grant : bytes
            From `mopse.Owner.share` or `mopse.Owner.delegate`, or what `mopse.Owner.unshare` has
            for who stays. Of a right to search that comes again, the one made last is kept.

        Raises
        ------
        mopse.errors.ScopeError
            If it is for another user.
        mopse.errors.DecryptionError
            If it was changed, or sealed to other keys.
        mopse.errors.SignatureError
            If what it holds was not given by a party of the owner it names.
        mopse.errors.ExpiredError
            If it has ended.
        mopse.errors.DamagedFileError
            If it is malformed.
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys.
        """
        sealed = as_message(grant, "a sealed grant")
        self._note(self._grants.accept(sealed, int(time.time())))

    @property
    def granted(self) -> pl.DataFrame:
        """What this user has accepted.

        ``owner``, the owner's key; ``provider``, how many ``records`` and which ``portions``, null
        for all, when it ``ends``, null for never or after the year 9999, and whether it
        ``is_current``: it has not ended, and the same was not given again later and as long.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys.

        Notes
        -----
        Whoever takes back what another user has gives the same anew to who stays. Of grants of
        single records it is not known here whether two are of the same ones: each is current until
        it ends.
        """
        given = [(bytes(owner), scope) for scope, (owner, *_) in self._grants.given()]
        now = int(time.time())
        later: dict[Any, int] = {}
        rows = []
        for owner, scope in reversed(given):
            provider, records, portions, end = scope
            what = owner, provider, None if portions is None else tuple(sorted(portions))
            is_current = end >= now and (records is not None or later.get(what, -1) < end)
            if records is None:
                later[what] = max(end, later.get(what, -1))
            rows.append((owner, scope, (is_current,)))
        return scopes_of(reversed(rows), {"is_current": pl.Boolean}, owner=pl.Binary)

    def save(self, path: str | os.PathLike[str], password: str | bytes) -> None:
        """Write keys, grants and the seals that were seen to a file under a password.

        Parameters
        ----------
        path : path
            The saved user; it is replaced in one step, as by `mopse.Owner.save`.
        password : str or bytes
            Everything that protects it; see `mopse.Owner.save`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the user was made of grants, and has no keys, or the password is empty.
        mopse.errors.FileAccessError
            If the file cannot be written; what was there before is left. It is an OSError.
        """
        target = as_file(path)
        write_whole(target, self._grants.save(password_bytes(password), None), PRIVATE)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        password: str | bytes,
        *,
        most_memory: int = 256,
        most_passes: int = 4,
    ) -> Self:
        """Read a user that `save` wrote.

        Parameters
        ----------
        path : path
            The saved user. What it says of its costs is not trusted.
        password : str or bytes
            What it was saved under; a string also as it was typed, if its one form opens nothing.
        most_memory : int
            MiB of memory that the file may ask for; 1,024 at most are ever granted.
        most_passes : int
            Passes over that memory; 16 at most are ever granted.

        Raises
        ------
        mopse.errors.WrongPasswordError
            If the password does not open it.
        mopse.errors.DamagedFileError
            If the file is not what was written, or of an unknown version.
        mopse.errors.InvalidInputError
            If it is the file of another kind of party, the password is empty, or the file asks for
            more than is allowed; nothing is computed then.
        mopse.errors.FileAccessError
            If the file cannot be read; `mopse.errors.MissingFileError` if there is none. Both are
            an OSError.
        """
        contents, most = read_whole(as_file(path)), ceiling(most_memory, most_passes)

        def attempt(form: bytes) -> _mopse.party.Grants:
            return _mopse.party.Grants.open(contents, form, most)

        return cls._of(with_password(password, attempt))

    def _schema_of(self, query: Any) -> Schema:
        """Return the fields of whose records a query asks for."""
        if self._schema is not None:
            return self._schema
        owner = bytes(instance(query, Query, "a query")._decoded.owner)
        if owner not in self._schemas:
            raise ScopeError("nothing was granted by the owner of the query")
        return self._schemas[owner]

    @overload
    def decrypt(
        self,
        answer: Answer,
        query: Query,
        *,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        faults: Literal["raise"] = "raise",
        by_provider: Literal[False] = False,
    ) -> pl.DataFrame: ...
    @overload
    def decrypt(
        self,
        answer: Answer,
        query: Query,
        *,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        faults: Literal["raise"] = "raise",
        by_provider: Literal[True],
    ) -> dict[str, pl.DataFrame]: ...
    @overload
    def decrypt(
        self,
        answer: Answer,
        query: Query,
        *,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        faults: Literal["report"],
        by_provider: Literal[False] = False,
    ) -> Opened[pl.DataFrame]: ...
    @overload
    def decrypt(
        self,
        answer: Answer,
        query: Query,
        *,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        faults: Literal["report"],
        by_provider: Literal[True],
    ) -> Opened[dict[str, pl.DataFrame]]: ...
    def decrypt(
        self,
        answer: Answer,
        query: Query,
        *,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        faults: Literal["raise", "report"] = "raise",
        by_provider: bool = False,
    ) -> Any:
        """Return the records of an answer that were granted, and of these what the bounds hold.

        Parameters
        ----------
        answer : Answer
            What `mopse.Cloud.search` returned.
        query : Query
            The query it answers, as it was given to the user.
        proof : {None, True, "signatures"}
            Whether it must be proven that nothing which the providers sealed is missing, stale or
            forged, by their signatures; see `prove`. With a report, what is not proven is left out
            and listed with the cause.
        max_age : datetime.timedelta, optional
            How old a seal may be, in whole hours.
        faults : {"raise", "report"}
            Whether the first fault is an error, or all are reported; see `mopse.Owner.decrypt`.
        by_provider : bool
            Whether to return the records of each provider apart.

        Returns
        -------
        polars.DataFrame
            As from `mopse.Owner.decrypt`; of providers granted record by record, those only, and of
            portions that were not granted no column. ``answer.unchecked`` names fields of the query
            that lie there: then records of the same cells are among the rows.
            ``answer.closed`` says how many records were found that nothing granted opens, by
            provider: with a proof nothing is missing of the *answer*, and these are not shown.

        Raises
        ------
        mopse.errors.ScopeError
            If there are records of a provider that has granted nothing; the message names it.
        mopse.errors.ExpiredError
            If a grant that has ended opened something of a record which no other grant opens; the
            message names the provider.
        mopse.errors.AnswerError
            If the answer is not that to the query.
        mopse.errors.ProofError
            If it is to be proven and is not.
        mopse.errors.DecryptionError
            If a record was changed, cut or moved.
        mopse.errors.DamagedFileError
            If a record or its layout opens and is none.
        mopse.errors.InvalidInputError
            If the query has lost its bounds, as the cloud's copy has, or what was opened is not
            what layout and schema allow.
        """
        kind = _kind(proof)
        hours = as_hours(max_age, kind)
        left_out: Any = ({}, {})
        if kind is not None:
            left_out = refused(by_signatures(self._grants, answer, query, hours), faults)
        schema = self._schema_of(query)

        def open_part(part: _mopse.message.Part, ranges: Ranges, is_report: bool) -> OpenedPart:
            now = int(time.time())
            return self._grants.open_part(part, ranges, schema._schema, is_report, now)

        return matching(answer, query, schema, open_part, faults, by_provider, *left_out)

    def prove(
        self, answer: Answer, query: Query, *, max_age: datetime.timedelta | None = None
    ) -> pl.DataFrame:
        """Find out by signatures whether an answer holds all that its providers sealed.

        Parameters
        ----------
        answer : Answer
            What `mopse.Cloud.search` returned with ``proof="signatures"``.
        query : Query
            The query, as it was given to the user.
        max_age : datetime.timedelta, optional
            How old a seal may be, in whole hours.

        Returns
        -------
        polars.DataFrame
            ``answer.proven``: every provider that the query reaches, and its seal.
            ``answer.provenance`` says who wrote each record.

        Raises
        ------
        mopse.errors.ProofError
            If something that was sealed is missing, doubled, stale or forged, a provider has no
            seal, or a record came after it, so that nothing shows who wrote it; ``providers`` names
            them.
        mopse.errors.SignatureError
            If something in the proof is forged.
        mopse.errors.ScopeError
            If nothing was granted by the owner of the query.

        Notes
        -----
        Costs some kilobytes a provider, linear in their number. **What it tells** whoever asks: at
        every provider the index entry beyond each bound, and of a query for several fields the
        pseudonyms of records that other ranges drop. The seals that were seen are remembered as
        long as the object is.
        """
        hours = as_hours(max_age, "signatures")
        table, faults, unsealed = by_signatures(self._grants, answer, query, hours)
        if faults or unsealed:
            raise unproven_error(faults, unsealed)
        return table

    @property
    def seals(self) -> dict[bytes, dict[str, tuple[int, bytes]]]:
        """Number and digest of the newest seal that was seen, by owner's key and provider's path.

        See `compare`.
        """
        owners = {bytes(key) for key, *_ in self._grants.seals_seen}
        return {
            key: {path: of for (path, _), of in sorted(self._seen_seals(key).items())}
            for key in sorted(owners)
        }

    def compare(self, other: "Party | User") -> dict[str, int]:
        """Compare the seals that this user and somebody else have seen; see `Owner.compare`.

        Parameters
        ----------
        other : Owner, Provider or User
            Whoever may have been shown another history.

        Raises
        ------
        mopse.errors.ProofError
            If they were shown two seals of one number, or the provider made another one;
            ``providers`` names them.
        """
        if isinstance(other, Party):
            return other.compare(self)
        if not isinstance(other, User):
            kind = type(other).__name__
            raise WrongTypeError(f"the other party must be an Owner, Provider or User, not {kind}")
        theirs = other
        same: dict[str, int] = {}
        for key in self.seals:
            mine, others = self._seen_seals(key), theirs._seen_seals(key)
            places = mine.keys() & others.keys()
            same |= in_one_history((place, mine[place], others[place]) for place in places)
        return same

    def _seen_seals(self, key: bytes) -> Seals:
        seen = self._grants.seals_seen
        return {as_place(at): (number, bytes(of)) for own, at, number, of in seen if own == key}

    def ask(
        self,
        cloud: "Cloud",
        query: Query | Mapping[str, Any] | None = None,
        /,
        *,
        owner: bytes | None = None,
        right: str | None = None,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        faults: Literal["raise", "report"] = "raise",
        by_provider: bool = False,
        **more_ranges: Any,
    ) -> Any:
        """Return the records of a cloud that a query finds: search and `decrypt`.

        Parameters
        ----------
        cloud : Cloud
            Where to ask.
        query : Query, optional
            As it was given to the user; or ranges as of `query`, which the user may search.
        owner, right : optional
            As of `query`.
        proof : {None, True, "signatures"}
            Whether to have it proven by the providers' signatures; see `prove`.
        max_age : datetime.timedelta, optional
            How old a seal may be, in whole hours.
        faults : {"raise", "report"}
            Whether the first fault is an error, or all are reported; see `mopse.Owner.decrypt`. A
            provider of whom nothing was granted is one: with "report" the others' records open.
        by_provider : bool
            Whether to return the records of each provider apart.
        **more_ranges : (lowest, highest), or a value
            As of `query`.

        Returns
        -------
        polars.DataFrame
            As from `decrypt`.

        Raises
        ------
        mopse.errors.OutdatedError
            If the query was made before something was announced, as by `mopse.Owner.unshare`:
            whoever made it makes a new one. A right to search is then given anew.
        mopse.errors.MopseError
            As `mopse.Cloud.search` and `decrypt` do.
        """
        kind = _kind(proof)
        as_hours(max_age, kind)
        where = as_cloud(cloud)
        if isinstance(query, Query):
            if more_ranges or owner is not None or right is not None:
                raise InvalidInputError("a query has its ranges, owner and right in it")
            asked = query
        elif isinstance(query, Mapping) or (query is None and more_ranges):
            asked = self.query(query, owner=owner, right=right, **more_ranges)
        else:
            asked = instance(query, Query, "a query")
        since = known_state(self._proven_states, where) if kind else None
        # Of a query of its own it says what became of the right.
        is_given = isinstance(query, Query)
        with asked_by_a_user("the query") if is_given else contextlib.nullcontext():
            answer = search(where, asked, proof=kind, since=since)
        if kind and since is not None:
            try:
                self.prove(answer, asked, max_age=max_age)
            except ProofError:
                answer = search(where, asked, proof=kind)
        decrypt: Any = self.decrypt
        records = decrypt(
            answer, asked, proof=kind, max_age=max_age, faults=faults, by_provider=by_provider
        )
        if kind:
            remember_state(self._proven_states, where, answer)
        return records

    @overload
    def files(
        self,
        listing: FileListing,
        request: FileRequest,
        *,
        proof: bool = ...,
        max_age: datetime.timedelta | None = ...,
        faults: Literal["raise"] = "raise",
    ) -> pl.DataFrame: ...
    @overload
    def files(
        self,
        listing: FileListing,
        request: FileRequest,
        *,
        proof: bool = ...,
        max_age: datetime.timedelta | None = ...,
        faults: Literal["report"],
    ) -> Opened[pl.DataFrame]: ...
    def files(
        self,
        listing: FileListing,
        request: FileRequest,
        *,
        proof: bool = False,
        max_age: datetime.timedelta | None = None,
        faults: Literal["raise", "report"] = "raise",
    ) -> Any:
        """Return what the attachments of a listing are called; see `mopse.Owner.files`.

        Parameters
        ----------
        listing : FileListing
            What `mopse.Cloud.find` returned.
        request : FileRequest
            What was asked, as it was given to the user.
        proof : bool
            Whether the listing must be shown to hold all files that its providers sealed and that
            were asked for: ask ``cloud.find(request, proof=True)``.
        max_age : datetime.timedelta, optional
            How old a seal may be, in whole hours; with a proof.
        faults : {"raise", "report"}
            Whether the first fault is an error, or all are reported.

        Raises
        ------
        mopse.errors.AnswerError
            If the listing does not belong to the request, or a file lacks a keyword of it.
        mopse.errors.ScopeError
            If the record of one was not granted.
        mopse.errors.ExpiredError
            If it was, and the grant has ended.
        mopse.errors.ProofError
            If it is to be proven and is not: as of `mopse.Owner.files`.

        Notes
        -----
        Descriptions show how many keywords a file has and test no guess of one. With a request by
        keywords they show which of the files that the user opens have these, at any time.
        """

        def describe(
            listing: _mopse.message.Listing, request: _mopse.message.Request
        ) -> list[Description | MopseError]:
            return self._grants.describe(listing, request, int(time.time()))

        prove = listing_prover(self._grants, listing, request, proof, max_age)
        return described(listing, request, describe, faults, prove)

    @overload
    def open_file(
        self, sealed: SealedFile, request: FileRequest, *, proof: bool = ..., to: None = None
    ) -> File: ...

    @overload
    def open_file(
        self,
        sealed: SealedFile,
        request: FileRequest,
        *,
        proof: bool = ...,
        to: str | os.PathLike[str],
    ) -> WrittenFile: ...

    def open_file(
        self,
        sealed: SealedFile,
        request: FileRequest,
        *,
        proof: bool = False,
        to: str | os.PathLike[str] | None = None,
    ) -> File | WrittenFile:
        """Return an attachment of a record that was granted; see `mopse.Owner.open_file`.

        Raises
        ------
        mopse.errors.AnswerError
            If it is not the file that was asked for.
        mopse.errors.ScopeError
            If its record was not granted.
        mopse.errors.ExpiredError
            If it was, and the grant has ended.
        """

        def open_fetched(
            fetched: _mopse.message.Fetched, request: _mopse.message.Request
        ) -> tuple[Description, bytes]:
            return self._grants.open_file(fetched, request, int(time.time()))

        if to is None:
            return opened(sealed, request, open_fetched, proof)
        return opened_to(sealed, request, self._begin_opening, proof, to)

    def _begin_opening(
        self, fetched: _mopse.message.Fetched, request: _mopse.message.Request
    ) -> tuple[Description, _mopse.party.Opening]:
        now = int(time.time())
        return _mopse.party.begin_granted_opening(self._grants, fetched, request, now)

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "keys are neither pickled nor copied: use save and open, or make a user of the same "
            "grants"
        )

    def __repr__(self) -> str:
        grants = len(self._grants.given()) if self._schema is None else self._granted
        return f"User(grants={grants})"


def _kind(proof: Any) -> str | None:
    kind = proof_kind(proof, "signatures")
    if kind == "sums":
        raise InvalidInputError("sums take the providers' keys: a user proves by signatures")
    return kind
