"""What owners and providers share: a keyring, queries, decryption, attachments."""

import contextlib
import datetime
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Never, Self, overload

import polars as pl

from mopse import _mopse
from mopse._answers import AMENDS, Description, described, matching, opened
from mopse._bodies import opened_to
from mopse._checks import (
    ceiling,
    instance,
    items,
    password_bytes,
    proof_kind,
    text,
    truth,
    with_password,
)
from mopse._deidentified import read_rules, written_rules
from mopse._files import PRIVATE, as_file, is_plain, read_whole, write_whole
from mopse._fork import check_tables
from mopse._proofs import (
    Proven,
    Seals,
    as_hours,
    as_place,
    by_signatures,
    faults_of,
    given_proof,
    in_one_history,
    known_state,
    listing_prover,
    refused,
    remember_state,
    table_of,
    unproven_error,
)
from mopse._ranges import bounds_of, expiry_of, plaintexts_of
from mopse._requests import Deciding
from mopse._rights import Delegating
from mopse._shares import Sharing, last_second
from mopse._table import as_ids, record_ids
from mopse.errors import (
    DamagedFileError,
    FileAccessError,
    InvalidInputError,
    MopseError,
    OutdatedError,
    ProofError,
    WrongTypeError,
)
from mopse.messages import (
    Answer,
    Count,
    File,
    FileListing,
    FileRequest,
    Opened,
    Permission,
    Query,
    Removal,
    SealedFile,
    WrittenFile,
    stored_number,
)
from mopse.schema import Field, Schema

if TYPE_CHECKING:
    from mopse.cloud import Cloud

__all__ = ["Party", "as_cloud", "as_ids", "keyword_bytes", "names"]

_HOUR = datetime.timedelta(hours=1)
_TRIES = 3
"""How often an answer that is not proven is asked for again, in detail."""


def names(path: str | None) -> list[str]:
    """Return the names of a path such as ``hospital/ward``; none for None."""
    if path is None:
        return []
    return text(path, "a provider's path").split("/")


def keyword_bytes(keyword: Any) -> bytes:
    """Return what stands for a keyword: the same for what reads the same.

    UTF-8 of the fold that `mopse.Provider.find` describes, which is the core's and of one version
    of Unicode.

    Raises
    ------
    mopse.errors.InvalidInputError
        If nothing is left of it.
    mopse.errors.WrongTypeError
        If it is not a string.

    Examples
    --------
    >>> keyword_bytes("  Chest   X-RAY ")
    b'chest x-ray'
    """
    word = _mopse.wire.keyword(text(keyword, "a keyword"))
    if word is None:
        raise InvalidInputError("a keyword is empty")
    return word.encode()


class Party(Sharing, Deciding, Delegating):
    """A holder of a keyring. See `mopse.Owner` and `mopse.Provider`."""

    _is_owner: bool
    _made_by: str

    def __init__(self, keyring: _mopse.party.Keyring, schema: Schema | None = None) -> None:
        if not isinstance(keyring, _mopse.party.Keyring):
            raise WrongTypeError(f"{type(self).__name__} is made by {self._made_by}")
        if (keyring.path == "") != self._is_owner:
            raise WrongTypeError(f"{type(self).__name__} is made by {self._made_by}")
        if schema is not None:
            instance(schema, Schema, "a schema")
        self._keyring = keyring
        self._proven_states: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        if schema is not None:
            self._keyring.declare_portions(portions_of(schema))
            self._keyring.declare_derivations(written_rules(schema.deidentified))
            self._keyring.declare_proven(list(schema.proven))
        self._schema = schema if schema is not None else _schema_of(keyring)

    @property
    def key(self) -> bytes:
        """The owner's verification key, 32 bytes: its name at clouds. No secret."""
        return bytes(self._keyring.owner)

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
        proof: Any = None,
        **more_ranges: Any,
    ) -> Query:
        """Return the signed tokens that ask for records within ranges of values.

        Parameters
        ----------
        ranges : mapping from str to range, optional
            Ranges of fields whose names are no Python names.
        expires_in : datetime.timedelta
            How long the tokens are valid.
        proof : {None, True, "sums", "signatures"}
            Whether the answer is to be proven, by sums unless it says otherwise: see `prove`. Sums
            prove fields with ``proof=True`` only.
        **more_ranges : (lowest, highest), or a value
            The range of each field, both bounds included; None is open, a single value stands for
            itself. All must hold. Bounds are exact, see `mopse.Field`, and round inwards where they
            are off the grid: 0.1 + 0.2 is above 0.3, so calculate with Decimal.

        Returns
        -------
        Query
            One token per group below, and for a provider one for its own records of each of its
            epochs. No token if no value can match.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no range or a field has two, the schema lacks a field, the lowest is above
            the highest, or a bound is not a number.

        Notes
        -----
        Costs one ruler per group and field the first time, then microseconds. The cloud learns the
        bounds to the cell and which tokens belong together.
        """
        bounds = bounds_of(self._schema, ranges, more_ranges, "a query")
        expiry = expiry_of(expires_in, "the query")
        found = plaintexts_of(self._schema, bounds) or {}
        ranges_in = [(name, low, high) for name, (low, high) in found.items()]
        by_sums = proof_kind(proof, "sums") == "sums"
        ask = self._keyring.provable_query if by_sums else self._keyring.query
        return Query._with_ranges(ask(ranges_in, expiry), found)

    def lookup(
        self,
        ids: Any,
        *,
        provider: str | None = None,
        amending: str | None = None,
        expires_in: datetime.timedelta = _HOUR,
    ) -> Query:
        """Return the signed query for records of one provider by their ids.

        Parameters
        ----------
        ids : sequence
            Record ids: integers or text, no nulls.
        provider : str, optional
            Path of the provider; this one by default, and needed by an owner.
        amending : str, optional
            Path of another provider: its records are not looked up by these ids, but what amends
            them here, see `mopse.Provider.amend`.
        expires_in : datetime.timedelta
            How long the query is valid.

        Returns
        -------
        Query
            For `mopse.Cloud.search` and `decrypt`, like any other. Its answer also tells the
            versions that `mopse.Provider.update` and `mopse.Provider.delete` take.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no id, one is null, there is no such provider, or there are more than 65,536
            ids, which a query does not take.

        Notes
        -----
        Costs one AES block an id. The cloud learns which records are asked for, by their
        pseudonyms, and who asks.
        """
        path = self._own_path if provider is None else provider
        if path is None:
            raise InvalidInputError("an owner looks up at a provider: provider= names it")
        found = record_ids(as_ids(ids).to_frame(), "ids")
        expiry = expiry_of(expires_in, "the query")
        amended = None if amending is None else text(amending, "the path in amending")
        query = self._keyring.lookup(text(path, "a provider's path"), found, expiry, amended)
        return Query._with_ranges(query, {})

    def permit_amendments(
        self,
        provider: str,
        ids: Any,
        *,
        of: str,
        cloud: "Cloud | None" = None,
        versions: Answer | None = None,
        expires_in: datetime.timedelta | None = None,
    ) -> Permission:
        """Permit a provider to amend some records of another one, with `mopse.Provider.amend`.

        Parameters
        ----------
        provider : str
            Path of who may amend.
        ids : sequence
            Ids of the records, as they are at `of`: integers or text, unique, no nulls.
        of : str
            Path of the provider whose records they are.
        cloud : Cloud, optional
            Looks the records up first. One of `cloud` and `versions` is needed.
        versions : Answer, optional
            The answer to `lookup` of the ids at `of`, where parties run apart.
        expires_in : datetime.timedelta, optional
            How long it holds at most.

        Returns
        -------
        Permission
            Signed; send it to the provider. It names each record with the version that it has now:
            who reads an amendment is told whether the record was changed since.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a record is not stored, in the provider's present epoch: the message names its id.
            Or if there is no such provider, no id, one is null or stands twice, or there are more
            than 65,536.
        mopse.errors.ScopeError
            If this party is not above both, or the two are one.

        Notes
        -----
        **It ends** with the readers' epoch of `provider`, as grants do:
        `mopse.Owner.renew_readers`, `unshare` and revocations there withdraw it. A cloud that was
        told refuses what is sealed in the old epoch, and a reader takes no amendment whose
        permission is of another epoch than it is sealed in. What was amended before stays.
        `expires_in` binds whoever tells the time rightly: it is compared with the time that an
        amendment states of itself, which a dishonest provider sets back. Withdraw what must end for
        certain.
        """
        whom, whose = text(provider, "a provider's path"), text(of, "the path in of")
        if cloud is None and versions is None:
            raise InvalidInputError(NO_VERSIONS)
        end = last_second(expires_in, "the permission")
        column = as_ids(ids)
        found = record_ids(column.to_frame(), "ids")
        known = self._versions(column, cloud, versions, provider=whose)
        try:
            message = self._keyring.permit(whom, whose, found, known, end)
        except MopseError as error:
            raise row_named(error, column) from None
        return Permission._signed(message)

    def amendments(
        self, cloud: "Cloud", ids: Any, *, of: str, by: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Return records of a provider by their ids, and what amends them at other providers.

        Parameters
        ----------
        cloud : Cloud
            Where they are stored.
        ids : sequence
            Ids of the records at `of`: integers or text, no nulls.
        of : str
            Path of the provider whose records they are.
        by : sequence of str, optional
            Paths of who may have amended them; everybody else who is known below otherwise.

        Returns
        -------
        polars.DataFrame
            As from `decrypt`: the records, unchanged, and the amendments, marked. ``amends_state``
            is then known of every amendment.

        Raises
        ------
        mopse.errors.MopseError
            As `lookup`, `mopse.Cloud.search` and `decrypt` do.

        Notes
        -----
        One query, with a token for each provider and epoch. **Leakage.** To who is asked at once it
        tells that these records of several providers belong together, if they are there: name few
        in `by`. Neither `mopse.Provider.amend` nor a query by values tells that.
        """
        whose = text(of, "the path in of")
        known = [*self.providers, *([] if self._own_path is None else [self._own_path])]
        named = [path for path in known if path != whose]
        if by is not None:
            given = items(by, "by", "list of strings")
            named = list(dict.fromkeys(text(path, "a provider's path") for path in given))
            if whose in named:
                raise InvalidInputError("a provider amends no records of its own: it updates them")
        found = record_ids(as_ids(ids).to_frame(), "ids")
        expiry = expiry_of(_HOUR, "the query")
        answer = answered(as_cloud(cloud), self._keyring.amendments(whose, named, found, expiry))
        records = self.decrypt(*answer)
        missing = [name for name in AMENDS if name not in records.columns]
        return records.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)

    def _versions(
        self,
        ids: pl.Series,
        cloud: "Cloud | None",
        versions: Answer | None,
        *,
        provider: str | None = None,
        amending: str | None = None,
    ) -> _mopse.party.Versions:
        """Return what is stored of records, as far as it is looked up."""
        if cloud is not None:
            if versions is not None:
                raise InvalidInputError("versions come from the cloud or are given, not both")
            parts = []
            most = _mopse.message.MOST_RECORDS
            for start in range(0, max(len(ids), 1), most):
                some = ids.slice(start, most)
                query = self.lookup(some, provider=provider, amending=amending)
                parts += answered(as_cloud(cloud), bytes(query))[0]._parts
            return _mopse.party.Versions(parts)
        if versions is None:
            return _mopse.party.Versions([])
        return _mopse.party.Versions(instance(versions, Answer, "versions")._parts)

    @property
    def _own_path(self) -> str | None:
        return None

    def removal(self, provider: str) -> Removal:
        """Return the signed request to remove all that a provider sent, in every epoch.

        Give it to `mopse.Cloud.receive`. It is carried out once, whoever repeats it.

        Raises
        ------
        mopse.errors.InvalidInputError
            If no provider of this path was ever known here.
        """
        return Removal._signed(self._keyring.removal(text(provider, "a provider's path")))

    def catch_up(self, cloud: "Cloud") -> bool:
        """Take over from a cloud what was announced and this keyring has missed.

        A keyring misses what others did meanwhile: those who were authorised below it by somebody
        above, or by a copy of it, and revocations. A cloud says so with
        `mopse.errors.OutdatedError`.

        Parameters
        ----------
        cloud : Cloud
            A cloud that serves the owner.

        Returns
        -------
        bool
            Whether there was anything. Save the keyring then.

        Raises
        ------
        mopse.errors.ScopeError
            If the owner is not enrolled, or this provider's own group has left its epoch: it must
            be authorised again.
        mopse.errors.SignatureError
            If an announcement was not signed by its authority or one above it.

        Notes
        -----
        What this keyring has begun and a copy was faster with, such as a revocation, is undone: do
        it again. After a restore from a backup a cloud that holds back the newest announcements is
        not noticed; compare with another party.
        """
        return self._keyring.catch_up(as_cloud(cloud).announcements(self.key))

    def ask(
        self,
        cloud: "Cloud",
        ranges: Mapping[str, Any] | None = None,
        /,
        *,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        faults: Literal["raise", "report"] = "raise",
        by_provider: bool = False,
        **more_ranges: Any,
    ) -> Any:
        """Return the records of a cloud within ranges of values: `query`, search and `decrypt`.

        Parameters
        ----------
        cloud : Cloud
            Where to ask. If this keyring has missed an announcement, it catches up.
        ranges : mapping from str to range, optional
            Ranges of fields whose names are no Python names, or those of arguments.
        proof : {None, True, "sums", "signatures"}
            Whether to have it proven that nothing which providers sealed is missing, stale or
            forged; see `prove`.
        max_age : datetime.timedelta, optional
            How old a seal may be, for its provider's part to count as proven: whole hours, cut,
            between the hours in which it was made and is looked at.
        faults : {"raise", "report"}
            Whether the first fault is an error, or all are reported; see `decrypt`.
        by_provider : bool
            Whether to return the records of each provider apart.
        **more_ranges : (lowest, highest), or a value
            The range of each field; see `query`.

        Returns
        -------
        polars.DataFrame
            As from `decrypt`.

        Raises
        ------
        mopse.errors.MopseError
            As `query`, `mopse.Cloud.search` and `decrypt` do.
        """
        found, _ = self._asked(
            cloud,
            ranges,
            more_ranges,
            proof=proof,
            max_age=max_age,
            faults=faults,
            by_provider=by_provider,
        )
        return found

    def _asked(
        self,
        cloud: "Cloud",
        ranges: Mapping[str, Any] | None,
        more_ranges: Mapping[str, Any],
        *,
        proof: Any,
        max_age: datetime.timedelta | None,
        faults: str,
        by_provider: bool,
    ) -> tuple[Any, Answer]:
        """Return what `ask` does, and the answer that it was made of."""
        where = as_cloud(cloud)
        kind = proof_kind(proof, "sums")
        hours = as_hours(max_age, kind)
        query = self.query(ranges, proof=kind, **more_ranges)
        since = known_state(self._proven_states, where) if kind else None
        try:
            answer = search(where, query, proof=kind, since=since)
        except OutdatedError:
            Party.catch_up(self, cloud)
            query = self.query(ranges, proof=kind, **more_ranges)
            answer = search(where, query, proof=kind, since=since)
        for _ in range(_TRIES):
            if not kind or not self._is_doubtful(answer, query, kind, hours):
                break
            # Whoever shares the keyring may have seen a newer seal meanwhile.
            answer = search(where, query, proof=kind, in_detail=kind == "sums")
        decrypt: Any = self.decrypt
        records = decrypt(
            answer, query, proof=kind, max_age=max_age, faults=faults, by_provider=by_provider
        )
        if kind:
            remember_state(self._proven_states, where, answer)
        return records, answer

    def count(
        self,
        cloud: "Cloud",
        ranges: Mapping[str, Any] | None = None,
        /,
        *,
        proof: Any = None,
        max_age: datetime.timedelta | None = None,
        **more_ranges: Any,
    ) -> int:
        """Return how many records of a cloud lie in the cells of ranges: `query` and count.

        Parameters
        ----------
        cloud : Cloud
            Where to ask.
        ranges : mapping from str to range, optional
            Ranges of fields whose names are no Python names, or those of arguments.
        proof : {None, True, "sums"}
            Whether to have it proven, as `ask` does; it then costs 48 bytes a record. A count is
            proven by sums only.
        max_age : datetime.timedelta, optional
            As for `ask`.
        **more_ranges : (lowest, highest), or a value
            The range of each field; see `query`.

        Returns
        -------
        int
            With a proof a `mopse.messages.Count`, whose ``proven`` says of each provider how many
            of the records came after its seal: these are counted as the cloud tells them.

        Raises
        ------
        mopse.errors.ProofError
            If it is not proven.
        mopse.errors.MopseError
            As `query` and `mopse.Cloud.count` do.
        """
        where = as_cloud(cloud)
        kind = proof_kind(proof, "sums")
        hours = as_hours(max_age, kind)
        if kind == "signatures":
            raise InvalidInputError("a count is proven by sums, not by signatures")
        query = self.query(ranges, proof=kind, **more_ranges)
        if kind is None:
            return int(where.count(query))
        count: Count = where.count(query, proof=True)
        for _ in range(_TRIES):
            if not self._is_doubtful(count, query, kind, hours):
                break
            count = where.count(query, proof=True, in_detail=True)
        self.prove(count, query, max_age=max_age)
        return count

    def prove(
        self,
        found: Answer | Count,
        query: Query,
        *,
        proof: Any = True,
        max_age: datetime.timedelta | None = None,
    ) -> pl.DataFrame:
        """Find out whether an answer or a count holds all that its providers sealed.

        Parameters
        ----------
        found : Answer or Count
            What `mopse.Cloud.search` or `mopse.Cloud.count` returned.
        query : Query
            The query, made with ``proof=True``.
        proof : {True, "sums", "signatures"}
            By what: sums take the providers' keys, which owners and those above have; signatures
            take none, cost some kilobytes a provider, and prove no count.
        max_age : datetime.timedelta, optional
            How old a seal may be, in whole hours.

        Returns
        -------
        polars.DataFrame
            ``answer.proven``: every provider that the query reaches, and its seal. Records that
            came after it are ``unsealed``: they are their provider's, and others may be missing.

        Raises
        ------
        mopse.errors.ProofError
            If something that was sealed is missing, doubled, stale, moved or forged, or a provider
            has no seal; ``providers`` names them, if the answer was given in detail, as `ask` has
            it in that case. Or if no proof came with the answer.
        mopse.errors.SignatureError
            If something in the proof is forged.
        mopse.errors.WrongTypeError
            If it is neither an answer nor a count.

        Notes
        -----
        Each provider adds up keyed numbers of its records, cell by cell; the cloud adds the
        providers' tables and answers a range by 16 bytes, whatever their number. A lie passes with
        chance 2^-128. A conjunction and a count also list what the ranges hold: 48 bytes a record
        and range. Costs half a microsecond a record, and some microseconds a provider.

        **Signatures** prove the same, and who wrote each record: ``answer.provenance``. Records
        that came after a seal are refused, as nothing shows their author but the tag that `decrypt`
        checks. Whoever asks sees one index entry more beyond each bound of each provider.

        **Everybody seals**: a provider that has sealed nothing is unproven, also if it has no
        records, and after a revocation until it has called `Provider.renew` and sealed.

        **Not proven** is what came after the seals; that a seal is the newest, if this keyring
        never saw a newer one, as `compare` may find out; that a seal two numbers or more above the
        last one that was seen continues it, for what lies between is not shown; and what a provider
        says of its own records. A provider that lies spoils its own part alone. Seals are numbered
        for one cloud and its replicas: a provider that sends to two clouds apart seals for one.
        """
        kind = proof_kind(proof, "sums")
        if kind is None:
            raise InvalidInputError("proof must be True, 'sums' or 'signatures'")
        hours = as_hours(max_age, kind)
        table, faults, unsealed = self._proven(found, query, kind, hours)
        if faults or unsealed:
            raise unproven_error(faults, unsealed)
        return table

    def _proven(self, found: Any, query: Query, kind: str, hours: int | None) -> Proven:
        if kind == "signatures":
            return by_signatures(self._keyring, found, query, hours)
        check_tables()
        if not isinstance(found, Answer | Count):
            given = type(found).__name__
            raise WrongTypeError(f"found must be an answer or a count, not {given}")
        asked = instance(query, Query, "a query")
        parts = None
        if isinstance(found, Answer):
            found._check(asked)
            parts = found._parts
        proof = given_proof(found._proof, "sums")
        members, _, is_wrong = self._keyring.prove(
            parts, proof, asked._decoded, int(time.time()), hours
        )
        faults = faults_of(members)
        if is_wrong:
            faults["", ""] = (
                "a sum of all providers is wrong: search in_detail=True tells whose part it is"
            )
        table = table_of(members, is_wrong)
        found.proven = table
        return table, faults, {}

    def _is_doubtful(self, found: Any, query: Query, kind: str, hours: int | None) -> bool:
        try:
            proven = self._proven(found, query, kind, hours)
        except ProofError:
            return True
        if isinstance(found, Answer):
            found._judged = (self, query, kind, hours), proven
        return bool(proven[1])

    def _judgement(self, answer: Answer, query: Query, kind: str, hours: int | None) -> Proven:
        """Return what was found of an answer just now, or else find it out."""
        judged, answer._judged = answer._judged, None
        if judged is not None and judged[0] == (self, query, kind, hours):
            return judged[1]  # type: ignore[no-any-return]
        return self._proven(answer, query, kind, hours)

    @property
    def seals(self) -> dict[str, tuple[int, bytes]]:
        """Number and digest of the newest seal that was seen of each provider, by path.

        Of a provider that was there in several epochs, it is that of the last one. A provider's own
        is the last that it made, which may never have come to a cloud: proofs are held against it
        once a cloud has taken or shown it. See `compare`.
        """
        newest = sorted(self._seen_seals(self.key).items())
        return {path: seal for (path, _), seal in newest}

    def compare(self, other: Any) -> dict[str, int]:
        """Compare the seals that two parties have seen: whether a cloud shows them one history.

        Parameters
        ----------
        other : Owner, Provider or User
            The other party. A provider knows every seal that it made, as long as it has its ledger;
            what it does not know is not compared.

        Returns
        -------
        dict from str to int
            The number of the newest seal, by the path of each provider of which both have seen one
            and which can be compared: both have seen the same number, or the provider is one of
            them.

        Raises
        ------
        mopse.errors.ProofError
            If they were shown two seals of one number, or the provider made another one;
            ``providers`` names them.
        """
        if not hasattr(other, "_seen_seals"):
            kind = type(other).__name__
            raise WrongTypeError(f"the other party must be an Owner, Provider or User, not {kind}")
        if isinstance(other, Party) and self.key != other.key:
            raise InvalidInputError("the parties are of two owners")
        mine, others = self._seen_seals(self.key), other._seen_seals(self.key)
        pairs = [(place, mine[place], others[place]) for place in mine.keys() & others.keys()]
        for one, seen in ((self, others), (other, mine)):
            if not isinstance(one, Party):
                continue
            place = as_place(one._keyring.place)
            trail = {number: bytes(digest) for number, digest in one._keyring.seal_trail}
            if place in seen and (number := seen[place][0]) in trail:
                pairs.append((place, (number, trail[number]), seen[place]))
        return in_one_history(pairs)

    def _seen_seals(self, key: bytes) -> Seals:
        """Return number and digest of the newest seal known of each place of an owner."""
        seen = self._keyring.seals_seen if key == self.key else []
        newest = {as_place(place): (number, bytes(of)) for place, number, of in seen}
        if trail := self._keyring.seal_trail:
            number, digest = trail[-1]
            newest[as_place(self._keyring.place)] = number, bytes(digest)
        return newest

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
        """Return the records of an answer, opened, and of these what the query's bounds hold.

        Parameters
        ----------
        answer : Answer
            What `mopse.Cloud.search` returned.
        query : Query
            The query that it answers; it holds the bounds in the clear, which are never sent.
        proof : {None, True, "sums", "signatures"}
            Whether it must be proven that nothing is missing; see `prove`. With a report, records
            of providers whose part is not proven are left out, and listed with the cause.
        max_age : datetime.timedelta, optional
            How old a seal may be, in whole hours.
        faults : {"raise", "report"}
            What becomes of records that do not open, or hold what their layout, the schema or a
            table does not allow: the first is an error, or all are left out and reported.
        by_provider : bool
            Whether to return the records of each provider apart, with the types they have there.

        Returns
        -------
        polars.DataFrame
            One row per matching record with the columns it was encrypted with, and the path of
            its provider in a column ``provider``. Records that share a cell with the bounds and do
            not match are dropped; ``answer.excess`` says how many. With `by_provider` a dict from
            paths to such frames; with a report an `mopse.Opened`, of that and a table of faults.
            Where there is an amendment, see `mopse.Provider.amend`, further columns of text mark
            it, at the end and null elsewhere: ``amends``, the path of the provider whose record it
            amends; ``amends_record``, that record's id; ``amends_version``, the version that it had
            when that was permitted; ``amends_state``, whether it is the ``same``, was ``changed``
            since or is ``gone``, deleted or encrypted anew in another epoch: null where this answer
            does not hold it.

        Raises
        ------
        mopse.errors.AnswerError
            If the answer is not that to the query, all of it and nothing else; also with a report.
        mopse.errors.ProofError
            If it is to be proven and is not; with a report, if nobody can be named.
        mopse.errors.DecryptionError
            If a record was changed, cut or moved, or its provider did not write it; the message
            names provider and record.
        mopse.errors.DamagedFileError
            If a record or its layout opens and is none; the message names the provider.
        mopse.errors.ScopeError
            If a record is of a provider whose key this party cannot derive, or of another owner; or
            is an amendment that was not permitted.
        mopse.errors.InvalidInputError
            If the query has lost its bounds, as the cloud's copy has, an opened column or value is
            not what layout and schema allow, or a column has types at two providers that no type
            holds; the message names provider, column and record, and no value.

        Notes
        -----
        Costs about a microsecond per small record on each core. The answer answers this query:
        every token once and to its end, from one state of the cloud, no record twice, each written
        by its provider. **Not noticed** without a proof is a cloud that leaves records out, or
        shows an old state.

        **Types.** Columns have the types that the schema declares, if these hold all values as
        they are. Otherwise those of a name get the narrowest type that does: the wider integer,
        Float64, text, the finer unit of time. A column without values fits any. Where there is no
        such type, a report leaves out the records of the fewer providers, and lists them. A
        provider and all below it count as one, and where as many stand against each other, records
        count: so of two providers the one that sends more decides, be it right or not. A type that
        the schema declares, with ``types=``, comes before all of them, and nobody can outvote it.

        **No record.** If no upload was reached, the table has the columns that are known of the
        schema: fields, and what it declares types for. A field of numbers without a declared type
        is of Polars' type Null, which is every type's.
        """
        open_part = self._keyring.open_part
        kind = proof_kind(proof, "sums")
        hours = as_hours(max_age, kind)
        left_out: Any = ({}, {})
        if kind is not None:
            instance(answer, Answer, "an answer")
            left_out = refused(self._judgement(answer, query, kind, hours), faults)
        return matching(answer, query, self._schema, open_part, faults, by_provider, *left_out)

    def find(
        self, *keywords: str, proof: bool = False, expires_in: datetime.timedelta = _HOUR
    ) -> FileRequest:
        """Return the signed request for attachments that have all of some keywords.

        Parameters
        ----------
        *keywords : str
            All must match: a diagnosis, the number of a patient. What reads the same is the same:
            see the notes.
        proof : bool
            Whether the listing is to be proven, with ``cloud.find(request, proof=True)``: the
            request has 16 bytes more a provider and keyword then, which tell the cloud nothing that
            the trapdoor does not.
        expires_in : datetime.timedelta
            How long the request is valid.

        Returns
        -------
        FileRequest
            One request for every provider in reach, for `mopse.Cloud.find`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no keyword, one is empty, or there are more than 4,096.

        Notes
        -----
        Searchable symmetric encryption [1]_: the cloud gets a trapdoor per provider and keyword,
        which costs four HMACs. **What it learns**, though not the words: which files match *each*
        keyword, also of a conjunction, which of the files that are added later do, and that two
        requests ask for the same.

        **One keyword, however typed.** Unicode 18.0 decides, on every machine: compatible letters
        are one (NFKC), case is folded in full, so ``STRASSE`` is ``straße``; soft hyphens,
        zero-width and control characters do not count; every space is one, as is a run of them, and
        so are all dashes, and all kinds of quotation mark and apostrophe. Accents count, and so
        does the script: a Cyrillic letter is not the Latin one that looks like it.

        References
        ----------
        .. [1] D. Cash et al., "Dynamic Searchable Encryption in Very-Large Databases: Data
           Structures and Implementation", NDSS 2014, sections 3 and 4.
        """
        words = [keyword_bytes(keyword) for keyword in keywords]
        expiry = expiry_of(expires_in, "the request")
        return FileRequest._signed(self._keyring.search_files(words, truth(proof, "proof"), expiry))

    def files_of(self, answer: Answer, *, expires_in: datetime.timedelta = _HOUR) -> FileRequest:
        """Return the signed request for the attachments of records that a query found.

        A file stays under the handle that its record had when it was attached, so the records are
        asked for under those that they have in every epoch of their provider, and the files of one
        that was renewed are among them.

        Parameters
        ----------
        answer : Answer
            What `mopse.Cloud.search` returned; the request is for `mopse.Cloud.find`.
        expires_in : datetime.timedelta
            How long the request is valid.

        Raises
        ------
        mopse.errors.ScopeError
            If a record is of a provider out of reach.
        mopse.errors.InvalidInputError
            If there are more than 4,096 records of one provider, those of all epochs counted.

        Notes
        -----
        Where a provider has had several epochs, its records are opened here to know their ids, and
        the cloud learns which records of one epoch are, together, which of another. Of a record
        that does not open only the files under its present handle are asked for; `decrypt` says
        which these are.

        The request knows the other handles and names records as the answer does, in `files`. What
        it is made of when it travelled knows them no more, and names records as they were when
        their files were attached.
        """
        instance(answer, Answer, "an answer")
        parts = [part for part in answer._parts if len(part)]
        message, known_as = self._keyring.files_of(parts, expiry_of(expires_in, "the request"))
        return FileRequest._knowing(message, known_as)

    def fetch(
        self,
        file: str,
        *,
        listed: FileRequest | None = None,
        expires_in: datetime.timedelta = _HOUR,
    ) -> FileRequest:
        """Return the signed request for one stored file with what it holds.

        Parameters
        ----------
        file : str
            Its number, from the column ``file`` of `files`; the request is for `mopse.Cloud.fetch`.
        listed : FileRequest, optional
            The request, from `files_of`, whose listing named the file: it names its record as that
            does, also where the record was renewed since it was attached.
        expires_in : datetime.timedelta
            How long the request is valid.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there can be no such file.
        """
        number = stored_number(file)
        known_as = {} if listed is None else instance(listed, FileRequest, "a request")._known_as
        message = self._keyring.fetch_file(number, expiry_of(expires_in, "the request"))
        return FileRequest._knowing(message, known_as)

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
        """Return what the attachments of a listing are called.

        Parameters
        ----------
        listing : FileListing
            What `mopse.Cloud.find` returned.
        request : FileRequest
            What was asked, from `find` or `files_of`.
        proof : bool
            Whether the listing must be shown to hold all files that its providers sealed and that
            were asked for: ask ``cloud.find(request, proof=True)``. ``listing.proven`` says what
            was found of each.
        max_age : datetime.timedelta, optional
            How old a seal may be, in whole hours; with a proof.
        faults : {"raise", "report"}
            What becomes of descriptions that do not open, and of what is not proven: the first is
            an error, or all are left out and reported.

        Returns
        -------
        polars.DataFrame
            One row per attachment: ``provider``, ``record`` (the record's handle as 32 hexadecimal
            digits: that in the answer that `files_of` was made of, else that which it had when the
            file was attached), ``file`` (its number, for `fetch`), ``name``, ``media_type`` and
            ``size_bytes``. With a report an `mopse.Opened` of that and a table of faults.

        Raises
        ------
        mopse.errors.AnswerError
            If the listing is of another request, holds a file of a provider or record that was not
            asked for, one that lacks a keyword of the request, or a file twice; also with a report.
        mopse.errors.DecryptionError
            If a description was changed or belongs elsewhere; the message names provider and file.
        mopse.errors.ScopeError
            If one is of a provider out of reach, or of another owner.
        mopse.errors.ProofError
            If it is to be proven and a file that was sealed is missing, or another is there, a
            provider has no seal, one is older than was seen before or than `max_age`, or a file
            came after it, so that nothing shows who attached it; ``providers`` names them.
        mopse.errors.SignatureError
            If a seal is forged.

        Notes
        -----
        Without a proof, a cloud that leaves files out is not noticed. Which record a file belongs
        to, and that it has every keyword of the request, is sealed with its description, and none
        of it is the cloud's word. Costs an HMAC per file and keyword beside opening the
        description.

        A proof is by signatures, whoever asks: of each provider a seal, and of each keyword or
        record a path in a tree, some kilobytes in all. **What it tells** whoever asks: pseudonyms
        of neighbouring records, and numbers of files that lack one of several keywords.
        """
        prove = listing_prover(self._keyring, listing, request, proof, max_age)
        return described(listing, request, self._keyring.describe, faults, prove)

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
        """Return an attachment that `mopse.Cloud.fetch` returned, opened and checked.

        Parameters
        ----------
        sealed : SealedFile
            What the cloud returned.
        request : FileRequest
            What was asked, from `fetch`.
        proof : bool
            Whether its provider must be shown to have sent it, as it is and for this record: ask
            ``cloud.fetch(request, proof=True)``. Whoever has a grant of a record's files could seal
            another otherwise.
        to : path, optional
            A new file that it is opened to, instead of memory. It is there when all of it was found
            genuine, and for its owner only.

        Returns
        -------
        File or WrittenFile
            What it is called, with what it holds, or where that lies.

        Raises
        ------
        mopse.errors.ProofError
            If it is to be proven and its provider's signature did not come.
        mopse.errors.SignatureError
            If it is to be proven and its provider did not sign it.
        mopse.errors.AnswerError
            If it is not the file that was asked for.
        mopse.errors.DecryptionError
            If it was changed, cut, or belongs to another record, provider, epoch or owner.
        mopse.errors.ScopeError
            If it is of a provider out of reach, or of another owner.
        mopse.errors.FileAccessError
            If there is a file at ``to`` already, or it cannot be written.
        """
        if to is None:
            return opened(sealed, request, self._keyring.open_file, proof)
        return opened_to(sealed, request, self._begin_opening, proof, to)

    def _begin_opening(
        self, fetched: _mopse.message.Fetched, request: _mopse.message.Request
    ) -> tuple[Description, _mopse.party.Opening]:
        return _mopse.party.begin_opening(self._keyring, fetched, request)

    def save(self, path: str | os.PathLike[str], password: str | bytes) -> None:
        """Write the keyring to a file under a password.

        A provider whose schema has a field with ``proof=True`` also writes its ledger, what it
        knows of its records at the cloud, to a file beside it with ``.ledger`` at the end. It is
        sealed under the provider's key, and `Provider.seal` with ``cloud=`` makes it again.

        Parameters
        ----------
        path : path
            The saved keyring; it is replaced in one step. A new file is readable for its owner
            only, one that is there keeps its owner and mode, a link stays a link.
        password : str or bytes
            Everything that protects it: Argon2id makes each guess cost 64 MiB and a good tenth of a
            second. A string is one text however it was typed, see `mopse.passwords`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the password is empty, or holds a character that it cannot.
        mopse.errors.FileAccessError
            If the file cannot be written; what was there before is left. It is an OSError.
        """
        target = as_file(path)
        sealed = self._keyring.seal(password_bytes(password), None)
        ledger = None if self._is_owner else self._keyring.save_ledger()
        write_whole(target, sealed, PRIVATE)
        if ledger is not None and self._schema.proven and is_plain(target):
            write_whole(_beside(target), ledger, PRIVATE)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        password: str | bytes,
        *,
        schema: Schema | None = None,
        most_memory: int = 256,
        most_passes: int = 4,
    ) -> Self:
        """Read a keyring that `save` wrote.

        A provider's ledger is taken over from beside it; where that is missing or damaged,
        `Provider.seal` says so and makes it again.

        Parameters
        ----------
        path : path
            The saved keyring. What it says of its costs is not trusted.
        password : str or bytes
            What it was saved under; a string also as it was typed, if its one form opens nothing.
        schema : Schema, optional
            The schema, if it declares types: a saved keyring has fields and portions alone.
            Portions that it declares take the place of those of the keyring.
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
            If it is a keyring of the other kind, the password is empty, the schema has other
            fields, or the file asks for more than is allowed; nothing is computed then.
        mopse.errors.FileAccessError
            If the file cannot be read; `mopse.errors.MissingFileError` if there is none. Both are
            an OSError.
        """
        contents, most = read_whole(as_file(path)), ceiling(most_memory, most_passes)
        if schema is not None:
            instance(schema, Schema, "schema")

        def attempt(form: bytes) -> _mopse.party.Keyring:
            return _mopse.party.Keyring.open(contents, form, cls._is_owner, most)

        party = cls(with_password(password, attempt))
        if not cls._is_owner and party._schema.proven:
            party._open_ledger(_beside(as_file(path)))
        if schema is not None:
            if schema != party._schema:
                raise InvalidInputError("the schema is not that of the keyring: its fields differ")
            is_same = schema.digest == party._schema.digest
            # A keyring of before keeps the fields it has, whose digests its messages name.
            is_proven = bool(schema.proven) or not party._schema.proven
            fields = schema if is_same and is_proven else party._schema
            declaring = schema if schema.portions else party._schema
            whole = Schema._of(fields, schema.types, declaring.portions, declaring.deidentified)
            party = cls(party._keyring, whole)
        return party

    def _open_ledger(self, path: Path) -> None:
        """Take the ledger over that is beside a keyring; without one it is made again."""
        with contextlib.suppress(FileAccessError, DamagedFileError):
            self._keyring.open_ledger(read_whole(path))

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: use save and open")


def _beside(path: Path) -> Path:
    """Return where the ledger of a keyring is."""
    return path.with_name(f"{path.name}.ledger")


def _schema_of(keyring: _mopse.party.Keyring) -> Schema:
    proven = keyring.proven
    fields = {name: Field._of(field, proof=name in proven) for name, field in keyring.fields}
    portions = {name: tuple(of) for name, of in keyring.portions}
    return Schema._of(fields, None, portions, read_rules(keyring.derivations))


def portions_of(schema: Schema) -> list[tuple[str, list[str]]]:
    """Return the portions of a schema as the core takes them."""
    return [(name, list(columns)) for name, columns in schema.portions.items()]


def as_cloud(cloud: Any) -> Any:
    """Return a cloud, and refuse what is none."""
    if not (hasattr(cloud, "announcements") and hasattr(cloud, "search")):
        raise WrongTypeError(f"a cloud must be a mopse.Cloud, not {type(cloud).__name__}")
    return cloud


NO_VERSIONS = "versions are needed: give cloud=, or versions= with the answer to a lookup"


def answered(cloud: "Cloud", message: bytes) -> tuple[Answer, Query]:
    """Return the answer to a query that was signed just now and asks for no values, and that."""
    query = Query._with_ranges(message, {})
    answer = search(cloud, query)
    answer._check(query)
    return answer, query


def row_named(error: MopseError, ids: pl.Series) -> MopseError:
    """Return an error of the core about a row, which names the record's id."""
    row = getattr(error, "row", None)
    if row is None:
        return error
    record = f"record {ids[row]!r} (row {row} of the table)"
    return type(error)(str(error).replace(f"the record in row {row}", record, 1))


def search(cloud: "Cloud", query: Query, **wanted: Any) -> Answer:
    """Return the whole answer of a cloud to a query, page by page."""
    wanted = {name: value for name, value in wanted.items() if value not in (None, False)}
    answer = cloud.search(query, **wanted)
    while answer.goes_on(query):
        page = cloud.search(query, after=answer, **wanted)
        if not any(len(part) or part.is_last or part.removed for part in page._parts):
            break  # it brings nothing; what is missing is found out by who opens it
        answer += page
    return answer
