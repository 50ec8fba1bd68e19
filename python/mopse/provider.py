"""A provider of records: encrypts under its own key and queries what it is authorised for."""

import contextlib
import datetime
import html
import os
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._answers import AMENDS, PROVIDER
from mopse._arrays import handles_of
from mopse._bodies import attached
from mopse._checks import instance, items, text
from mopse._derived import derived
from mopse._party import (
    _HOUR,
    NO_VERSIONS,
    Party,
    answered,
    as_cloud,
    as_ids,
    keyword_bytes,
    names,
    row_named,
    search,
)
from mopse._ranges import expiry_of
from mopse._shares import grant
from mopse._table import as_column, as_frame, record_ids, to_columns
from mopse._types import check_times, typed
from mopse.errors import (
    ChangedError,
    InvalidInputError,
    MopseError,
    NoSealsError,
    WrongTypeError,
)
from mopse.leakage import accepted, warn_of
from mopse.messages import (
    Answer,
    FileNotes,
    FileRequest,
    FileUpload,
    Permission,
    Query,
    Renewed,
    Seal,
    Upload,
    as_message,
)

if TYPE_CHECKING:
    from mopse.cloud import Cloud

__all__ = ["Provider"]


class Provider(Party):
    """A hospital, ward or physician: its own keyring, and nothing outside its subtree.

    Made by `mopse.Owner.authorize`, `Provider.authorize` or `Provider.open`.

    Notes
    -----
    **What its key is worth to a thief.** It opens the provider's own records and those below it. It
    holds the rulers of its group, so together with a copy of the cloud's store it locates every
    index entry of every provider of the group to the cell. It forges nobody else's entries.
    """

    _is_owner = False
    _made_by = "Owner.authorize, Provider.authorize or Provider.open"

    @property
    def path(self) -> str:
        """The names from the owner down, joined by slashes."""
        return self._keyring.path

    @property
    def public(self) -> bytes:
        """The certificates: proof that it is authorised. No secret."""
        return self._keyring.certificates()

    def encrypt(
        self,
        table: Any,
        *,
        id: str,  # noqa: A002 - the id column's own name
        accept_leakage: Collection[str] = (),
        cloud: "Cloud | None" = None,
        versions: Answer | None = None,
    ) -> Upload:
        """Seal the rows of a table and encrypt their index entries, ready for the cloud.

        The records are new; `update` changes those that are stored.

        Parameters
        ----------
        table : table
            A Polars, pandas or Arrow table, or a mapping from names to arrays. It holds a column
            for every field of the schema; others are sealed with the record and not indexed. It is
            read in place, so leave it unchanged during the call. Names of columns are taken, and
            come back, in Unicode's form NFC. Row labels of pandas are a column where they have a
            name. Values of a list or of objects are of one type, which holds them as they are.
        id : str
            The column of record ids: integers or text, unique, no nulls.
        accept_leakage : collection of str
            Fields to encrypt without a warning although order alone tells their values.
        cloud : Cloud, optional
            Looks up first whether a record is stored, or was deleted: only then can it be added
            again.
        versions : Answer, optional
            The answer to `lookup` of the ids, instead of `cloud`, where parties run apart.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a record is stored already, as far as was looked up: the message names its id. Or if
            there is no row, a field or the ids are missing, two columns have one name in two
            Unicode forms, an id is null or stands twice, a value is outside its field's domain or
            off its grid, or none of the type that the schema declares, or a time no table shows;
            the message names column and row. Or if a column that the schema declares is missing
            and one of nearly the same name is there, or an id of text reads like another one: it
            is not in Unicode's form NFC, or holds what cannot be seen.
        mopse.errors.WrongTypeError
            If a column's type does not fit its field or its declared type, or cannot be sealed.
        mopse.errors.ForkedError
            If the process was forked after Polars had worked in its parent.

        Warns
        -----
        mopse.LeakageWarning
            If nearly every cell of a field occurs, or there are so many records that it will: a
            copy of the store then tells nearly every value, whatever the key. See
            `mopse.leakage_report`.

        Notes
        -----
        Costs one AES block per entry and about a microsecond per record on each core, with the GIL
        released. Nulls are sealed, not indexed. What the cloud learns is said in `mopse.Upload`.
        Of a de-identified portion the columns are derived first: see `mopse.sharing.deidentified`.
        """
        return self._upload(table, id, accept_leakage, cloud, versions, is_update=False)

    def update(
        self,
        table: Any,
        *,
        id: str,  # noqa: A002 - the id column's own name
        accept_leakage: Collection[str] = (),
        cloud: "Cloud | None" = None,
        versions: Answer | None = None,
    ) -> Upload:
        """Seal new values of stored records, ready for the cloud: whole rows take their place.

        Parameters
        ----------
        table : table
            As for `encrypt`; ids say which records are meant.
        id : str
            The column of record ids.
        accept_leakage : collection of str
            Fields to encrypt without a warning although order alone tells their values.
        cloud : Cloud, optional
            Looks the records up first. One of `cloud` and `versions` is needed.
        versions : Answer, optional
            The answer to `lookup` of the ids, where parties run apart.

        Returns
        -------
        Upload
            Every record in it names the version that it takes the place of. If another one is
            stored when it arrives, `mopse.Cloud.receive` changes nothing.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a record is not stored: the message names its id. Or as `encrypt` does.

        Notes
        -----
        **Leakage.** The cloud learns which records were changed and when, their old and their new
        place in every index, and that both belong to one record. A value that stays in its cell, or
        comes back to it, has the place that it had there: see `mopse.attacks.raised`.
        """
        if cloud is None and versions is None:
            raise InvalidInputError(NO_VERSIONS)
        return self._upload(table, id, accept_leakage, cloud, versions, is_update=True)

    def amend(
        self,
        table: Any,
        *,
        id: str,  # noqa: A002 - the id column's own name
        permission: Permission,
        accept_leakage: Collection[str] = (),
        cloud: "Cloud | None" = None,
        versions: Answer | None = None,
    ) -> Upload:
        """Seal records that each amend one of another provider, ready for the cloud.

        An amendment is a record of this provider like any other, sealed and indexed under its keys:
        whoever may read, find, prove or be granted its records does so with amendments. The record
        that it amends stays as it is, and readers see both, see `decrypt`.

        Parameters
        ----------
        table : table
            As for `encrypt`; its ids are those of the amended records at their provider.
        id : str
            The column of record ids.
        permission : Permission
            From `mopse.Owner.permit_amendments`, for this provider.
        accept_leakage : collection of str
            Fields to encrypt without a warning although order alone tells their values.
        cloud : Cloud, optional
            Looks up first which of the records this provider has amended: these amendments take the
            place of the earlier ones.
        versions : Answer, optional
            The answer to `lookup` with ``amending=``, where parties run apart.

        Raises
        ------
        mopse.errors.ScopeError
            If the permission is another provider's, is for another schema or owner, names a record
            not, of which the message has the id, or has ended.
        mopse.errors.InvalidInputError
            As `encrypt` does; or if a column is called as those that `decrypt` marks by.

        Notes
        -----
        A provider amends a record of another one once; a second amendment without a look-up is
        refused by the cloud, as a second record of one id is. `delete` takes one back, with
        ``amending=``, and needs no permission. An amendment cannot be amended, has no files, and is
        none of the records that a grant or a request names by ids: users see amendments by grants
        of all records of this provider, or of portions of them.

        **Who checks.** Everybody who opens it: an amendment without permission is a fault, and
        never a record. Its permission lies in what is sealed. The cloud cannot tell an amendment
        from a record, so that it refuses only what is sealed in a readers' epoch that has ended,
        and an audit log has it as ``upload``. After a revocation `renew` leaves amendments: amend
        again then, under a new permission, with ``cloud=``.

        **Leakage.** As of `encrypt`. Which record is amended, and whose, stays sealed; but records
        and layouts are longer by that, which may tell that these are amendments, and whoever knows
        when a record was read or changed may guess which. Who may open a portion of the amendment
        learns whose record it amends, its version there, and how many were permitted together; its
        id only where ids are.

        Of n records that one permission names, each portion of an amendment is 64 + 32 log2(n)
        bytes longer than that of a record, and is made and opened with as many hashes: name those
        that are amended.
        """
        instance(permission, Permission, "a permission")
        return self._upload(
            table, id, accept_leakage, cloud, versions, is_update=False, permission=permission
        )

    def delete(
        self,
        ids: Any,
        *,
        amending: str | None = None,
        cloud: "Cloud | None" = None,
        versions: Answer | None = None,
    ) -> Upload:
        """Return what deletes stored records by their ids, ready for the cloud.

        Parameters
        ----------
        ids : sequence
            Record ids: integers or text, unique, no nulls.
        amending : str, optional
            Path of another provider: what amends its records of these ids is deleted.
        cloud : Cloud, optional
            Looks the records up first. One of `cloud` and `versions` is needed.
        versions : Answer, optional
            The answer to `lookup` of the ids, where parties run apart.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a record is not stored: the message names its id. Or if an id is null or stands
            twice, or there is none.

        Notes
        -----
        The cloud keeps a tombstone of each, so that an old copy does not come back. Files that were
        attached to it stay: only `mopse.Owner.removal` takes files. **Leakage.** It
        learns which records were deleted and when, and may keep them all the same.
        """
        if cloud is None and versions is None:
            raise InvalidInputError(NO_VERSIONS)
        column = as_ids(ids)
        found = record_ids(column.to_frame(), "ids")
        amended = None if amending is None else text(amending, "the path in amending")
        known = self._versions(column, cloud, versions, amending=amended)
        try:
            message, rows = self._keyring.deletion(found, known, int(time.time()), amended)
        except MopseError as error:
            raise row_named(error, column) from None
        return Upload._of_table(message, rows, column)

    def seal(self, *, cloud: "Cloud | None" = None) -> Seal:
        """State, signed, all records and files that this provider has at a cloud, ready for it.

        Answers and listings are proven by seals: see `Owner.prove` and `Owner.files`. Seal after
        uploads and attachments that are to be proven, and save the keyring once a cloud has taken
        the seal; it holds for all queries until the next one.

        Parameters
        ----------
        cloud : Cloud, optional
            Makes the ledger again from what is stored there, and continues the seal that is. Needed
            where the ledger is lost or not kept, other workers of this provider upload too, or an
            upload that was made never came.

        Returns
        -------
        Seal
            For `mopse.Cloud.receive`. A cloud that holds other records or files than it states, or
            another seal than the one that it follows, changes nothing and says so. After that the
            next one needs `cloud`, for the ledger goes on from what it has sealed.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no ledger: no field of the schema has ``proof=True``, so that none is kept,
            or the keyring was opened without one.
        mopse.errors.ProofError
            If the cloud does not show all records and files of the last seal, or an older seal than
            this keyring was shown before.
        mopse.errors.DecryptionError
            If a record or the note of a file there was not written by this provider.
        mopse.errors.SignatureError
            If a file there was not attached by this provider.

        Notes
        -----
        The ledger has a record's upload, pseudonym, digest and cells, 48 bytes and four a field. A
        seal is linear in the records: half a microsecond each on two cores. Its tables take 16
        bytes a cell of every field with ``proof=True``, and 48 a keyword of every file. With
        `cloud` all records are downloaded and opened, and the files that came after the last seal.

        **Who loses the ledger** makes it again from the cloud's copy, of which nothing that was
        sealed can be missing: it is held against the last seal. Records that came after that seal
        may be. A cloud that was restored from a backup refuses the next seal, as it has not the one
        before it: have it remove the provider's records, with `Owner.removal`, then upload and seal
        again with ``cloud=``; numbers go on, so that whoever saw a newer seal is not deceived. What
        this keyring sealed itself is held against a cloud once `mopse.Cloud.receive` has returned:
        it may never have come before. Where its bytes travel by other means, that is once a cloud
        has shown it, to ``ask`` with ``proof=True`` or to the next call with ``cloud=``.

        **Leakage.** When this provider seals, and how many records it has; of files and keywords
        nothing beside what attaching them has told.
        """
        now = int(time.time())
        if cloud is not None:
            where = as_cloud(cloud)
            query = Query._signed(self._keyring.holdings(now + 3600))
            answer = search(where, query, proof=True)
            answer._check(query)
            if answer._proof is None:
                raise InvalidInputError("the cloud sent no seal with what is stored")
            [shelf] = self._shelves(where, is_present=True)
            self._keyring.make_ledger(answer._parts, shelf, answer._proof, query._decoded)
        return Seal._by(self._keyring, self._keyring.seal_rows(now))

    def renew(self, cloud: "Cloud") -> Renewed:
        """Encrypt this provider's records of earlier epochs anew in the present one.

        For a provider that was authorised again after a revocation: until then whoever left can
        still locate its old records, and queries carry a token for each epoch.

        Parameters
        ----------
        cloud : Cloud
            Where they are stored. Each upload of an earlier epoch becomes one of the present epoch,
            and is removed with it; what was interrupted goes on where it ended.

        Returns
        -------
        Renewed
            How many records were renewed; ``superseded`` says how many older rows were removed
            because a newer epoch holds, or has deleted, their record too.

        Raises
        ------
        mopse.errors.MopseError
            As `decrypt` and `mopse.Cloud.receive` do.

        Notes
        -----
        Where a field has ``proof=True``, it is also stated of the earlier epochs that nothing is
        there any more, so that answers which reach them are proven: each provider that was a member
        then renews once, also one that has no records there.

        Files are not encrypted anew, and are stated where they are. `find` and `files_of` lead to
        them as before, and the owner and the provider open them. So does who has what was given out
        in the earlier epoch, a copy of the keyring or a grant, and comes by what is stored; grants
        of the present epoch do not.

        Amendments stay where they are, since their permissions are of the epoch that they are in:
        `amend` again, with ``cloud=``, or `delete` them.
        """
        where = as_cloud(cloud)
        expiry = int(time.time()) + 3600
        answer, _ = answered(where, self._keyring.renewal(expiry))
        queries = self._keyring.renewed(answer._parts, expiry)
        present = [part for query in queries for part in answered(where, query)[0]._parts]
        known = _mopse.party.Versions(present)
        renewed = removed = 0
        for message, _ in self._keyring.renew(answer._parts, known, int(time.time())):
            receipt = where.receive(Upload._signed(message))
            renewed += receipt.added + receipt.replaced
            removed += receipt.removed
        if self._schema.proven:
            self._seal_left(where)
        return Renewed(renewed, removed - renewed)

    def _seal_left(self, cloud: Any) -> None:
        """State of earlier epochs that no record is there any more, and which files are."""
        now = int(time.time())
        query = Query._signed(self._keyring.renewal(now + 3600))
        try:
            answer = search(cloud, query, proof=True)
        except NoSealsError:
            return  # there is none to follow
        if answer._proof is None or not query._decoded.tokens:
            return
        shelves = self._shelves(cloud, is_present=False)
        for message in self._keyring.seal_left(answer._proof, shelves, now):
            # Where a worker of the provider has sent rows meanwhile, or sealed, it is for the next
            # call.
            with contextlib.suppress(ChangedError):
                cloud.receive(Seal._by(self._keyring, message))

    def _shelves(self, cloud: Any, *, is_present: bool) -> list[_mopse.party.Shelf]:
        """Return what a cloud has of files at the present place, or at each earlier one."""
        expiry = int(time.time()) + 3600
        shelves = []
        for message in self._keyring.request_shelves(is_present, expiry):
            request = FileRequest._signed(message)
            listing = cloud.find(request, proof=True)._listing
            attached = {}
            for number in listing.late:
                one = FileRequest._signed(self._keyring.fetch_file(number, expiry))
                sealed = cloud.fetch(one, proof=True)
                attached[number] = self._keyring.attached(sealed._fetched, one._decoded)
            shelves.append(self._keyring.shelf(listing, request._decoded, attached))
        return shelves

    def _upload(
        self,
        table: Any,
        id: str,  # noqa: A002 - the id column's own name
        accept_leakage: Collection[str],
        cloud: "Cloud | None",
        versions: Answer | None,
        *,
        is_update: bool,
        permission: Permission | None = None,
    ) -> Upload:
        frame = typed(self._schema._named(as_frame(table)), self._schema.types)
        check_times(frame)
        kept = [name for name in (PROVIDER, *AMENDS) if name in frame.columns]
        if kept:
            raise InvalidInputError(f"column {kept[0]!r} is the name of what `decrypt` adds")
        id_column = self._schema._spelt(text(id, "the name of the column of ids"))
        ids = record_ids(frame, id_column)
        if self._schema.deidentified:
            made = derived(frame, self._schema.deidentified, id_column, self._keyring)
            frame = typed(made, self._schema.types)
        is_accepted = accepted(accept_leakage, self._schema)
        self._schema._check_columns(frame.columns)
        indexed = [
            (name, *field.plaintexts_of(frame[name])) for name, field in self._schema.items()
        ]
        warn_of(self._schema, indexed, is_accepted)
        amending = None if permission is None else permission.of
        known = self._versions(frame[id_column], cloud, versions, amending=amending)
        columns, now = to_columns(frame), int(time.time())
        permitted = None if permission is None else permission._decoded
        try:
            message, rows = self._keyring.upload(
                columns, ids, id_column, indexed, is_update, known, now, permitted
            )
        except MopseError as error:
            raise row_named(error, frame[id_column]) from None
        return Upload._of_table(message, rows, frame[id_column])

    @property
    def _own_path(self) -> str:
        return self.path

    def attach(
        self,
        record_id: Any,
        source: Any,
        *,
        name: str,
        media_type: str,
        keywords: Sequence[str] = (),
        cipher: str = "aes-256-gcm",
        to: str | os.PathLike[str] | None = None,
    ) -> FileUpload:
        """Seal an attachment of a record, with the keywords to find it by, ready for the cloud.

        Save the keyring after attaching, or the next attachment may be refused until `catch_up`.
        So it is when 16 attachments that were made before it never came to the cloud.

        Parameters
        ----------
        record_id : int or str
            The record, as in the column of ids.
        source : bytes-like, path or binary file
            A text document, an image: what is attached. A large file that a path names is read a
            piece at a time; a pipe or file object is read whole.
        name, media_type : str
            What it is called, and a type as in ``image/jpeg``.
        keywords : sequence of str
            What it is found by; see `find`.
        cipher : str
            One of `mopse.ciphers.names` that is authenticated.
        to : path, optional
            A new file that the message is written to, instead of memory, and sent from. It is there
            when it is whole, and for its owner only; it is needed until a cloud has taken it.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a keyword is empty or there are more than 4,096, or there is no such cipher or it is
            not authenticated.
        mopse.errors.FileAccessError
            If the file cannot be read, or is changed meanwhile; `mopse.errors.MissingFileError` if
            there is none. Or if there is a file at ``to`` already, or it cannot be written.

        Notes
        -----
        Costs the cipher's time and that of SHA-512, and 16 bytes per 64 KiB. With a path and ``to``
        memory does not grow with the file.

        Whoever may open the record may open its attachments. Name, type and keywords are hidden
        from the cloud; it learns the record's pseudonym, the size, and how many keywords there are.
        An attachment is bound to owner, provider, epoch, record, name and type.
        """
        words = _words(keywords)
        if isinstance(record_id, str):
            text(record_id, "the record's id")
        ids = record_ids(as_ids([record_id]).to_frame(), "ids")
        called = text(name, "a file's name"), text(media_type, "a media type")
        return attached(self._keyring, source, to, ids, text(cipher, "a cipher"), called, words)

    def catch_up(self, cloud: Any, *counts: Any) -> bool:
        """Learn from a cloud what this keyring has missed, and go on from there.

        A keyring that was not saved after the last `attach`, was opened from an older copy, was
        authorised again, or sends to another cloud counts otherwise than the cloud has stored. The
        cloud refuses what it attaches then, rather than keep what no search finds.

        Parameters
        ----------
        cloud : Cloud
            The cloud that attachments are sent to.
        *counts
            None: lists of keywords and counts are what an earlier version took.

        Returns
        -------
        bool
            Whether there was anything. Save the keyring then.

        Raises
        ------
        mopse.errors.WrongTypeError
            If it is no cloud.
        mopse.errors.MopseError
            As `mopse.Cloud.notes` and `learn_uses` do; what was announced is kept then.

        Notes
        -----
        What was attached and never arrived is attached again, not sent.

        Examples
        --------
        >>> import mopse
        >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
        >>> cloud = mopse.Cloud()
        >>> cloud.enroll(owner.public)
        >>> x_ray = {"name": "x.jpg", "media_type": "image/jpeg", "keywords": ["x-ray"]}
        >>> _ = cloud.receive(owner.authorize("hospital").attach(1, b"image", **x_ray))
        >>> hospital = owner.authorize("hospital")  # the same keys, and no memory of the file
        >>> _ = hospital.catch_up(cloud)
        >>> _ = cloud.receive(hospital.attach(1, b"another", **x_ray))
        >>> len(cloud.find(owner.find("x-ray")))
        2
        """
        if counts or not hasattr(cloud, "notes"):
            got = "keywords and counts" if counts else type(cloud).__name__
            raise WrongTypeError(f"catch_up takes a cloud, as in catch_up(cloud), not {got}")
        is_changed = super().catch_up(cloud)
        request = self.request_notes()
        return self.learn_uses(cloud.notes(request), request) or is_changed

    def request_notes(self, *, expires_in: datetime.timedelta = _HOUR) -> FileRequest:
        """Return the signed request for the notes of all that this provider ever attached.

        It is for `mopse.Cloud.notes`; what that returns, for `learn_uses`. `catch_up` does all
        three where the cloud is at hand.

        Parameters
        ----------
        expires_in : datetime.timedelta
            How long the request is valid.
        """
        return FileRequest._signed(
            self._keyring.request_notes(expiry_of(expires_in, "the request"))
        )

    def learn_uses(self, notes: FileNotes, request: FileRequest) -> bool:
        """Learn from notes how often this provider used each keyword, and count on from there.

        Parameters
        ----------
        notes : FileNotes
            What `mopse.Cloud.notes` returned.
        request : FileRequest
            What was asked, from `request_notes`.

        Returns
        -------
        bool
            Whether it counts otherwise now. Save the keyring then.

        Raises
        ------
        mopse.errors.AnswerError
            If the notes do not belong to the request, or one comes twice.
        mopse.errors.DecryptionError
            If a note was changed or belongs elsewhere.
        mopse.errors.ScopeError
            If the request is another party's.

        Notes
        -----
        Nothing is changed by notes that are refused. No count is taken that no note proves: a cloud
        that leaves notes out has later attachments refused, until they are all there.
        """
        asked = instance(request, FileRequest, "a request")._decoded
        return self._keyring.learn_uses(instance(notes, FileNotes, "notes")._notes, asked)

    def handles(self, ids: Any) -> NDArray[np.uint64]:
        """Return the pseudonyms of record ids, for research with `entries`.

        Parameters
        ----------
        ids : sequence
            Record ids: integers or text, no nulls.

        Returns
        -------
        (n, 2) uint64 array
            High and low half of each id's 128-bit handle under this provider's key.

        Notes
        -----
        Costs one AES block per integer and one HMAC-SHA-256 per text, on all cores.
        """
        if isinstance(ids, set | frozenset):
            raise WrongTypeError(
                "ids must be in an order, as their handles are, and a set has none"
            )
        return self._keyring.handles(record_ids(as_ids(ids).to_frame(), "ids"))

    def entries(self, field: str, values: Any, handles: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the index entries of values, as the cloud would see them, for research.

        Parameters
        ----------
        field : str
            Name of the field.
        values : array-like
            Values of the field; no nulls.
        handles : (n, 2) uint64 array
            The records' pseudonyms, from `handles`.

        Returns
        -------
        (n,) int64 array
            MOPSE ciphertexts, in the order of `values`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the schema lacks the field, a value is null, outside the domain or off the grid, or
            there are not as many handles.

        Notes
        -----
        Costs one AES block per value. They show the order of the values of all providers of the
        group, to the cell.
        """
        field = self._schema._spelt(text(field, "a field's name"))
        if field not in self._schema:
            raise InvalidInputError(f"the schema has no field {field!r}")
        column = as_column(field, values)
        rows, plaintexts = self._schema[field].plaintexts_of(column)
        if len(rows) < len(column):
            raise InvalidInputError(f"field {field!r}: the value in row {_gap(rows)} is null")
        return self._keyring.entries(field, plaintexts, handles_of(handles, len(column)))

    def authorize(self, name: str, under: str | None = None) -> "Provider":
        """Authorise a provider below this one and return it with its own keyring.

        It is certified by this one. Tell the owner with `mopse.Owner.learn`, so that the owner's
        queries reach it.

        Parameters
        ----------
        name : str
            Its name; see `mopse.Owner.authorize`.
        under : str, optional
            Path, from this provider on, of the provider it belongs to.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there can be no such name, it looks like another one there, or nobody was authorised
            under that path.
        """
        keyring = self._keyring.authorize(text(name, "a name"), names(under))
        return Provider(keyring, self._schema)

    def learn(self, certificates: bytes) -> None:
        """Learn of a provider below this one from its `public`, so that queries reach its group.

        Raises
        ------
        mopse.errors.SignatureError
            If the certificates do not lead to the owner.
        mopse.errors.ScopeError
            If the provider is not below this one.
        mopse.errors.DamagedFileError
            If they are malformed.
        mopse.errors.InvalidInputError
            If a name in them looks like that of another provider there.
        """
        self._keyring.learn(as_message(certificates, "a chain of certificates"))

    @property
    def announcements(self) -> bytes:
        """What a cloud enrols of the providers below this one, signed. No secret.

        Raises
        ------
        mopse.errors.ScopeError
            If there is nobody below.
        """
        return self._keyring.announcements()

    def grant(
        self,
        ids: Sequence[Any] | None = None,
        *,
        provider: str | None = None,
        portions: Sequence[str] | None = None,
        expires_in: datetime.timedelta | None = None,
    ) -> bytes:
        """Return what opens records of this provider, or of one below it, for a `mopse.User`.

        See `mopse.Owner.grant`.
        """
        path = self.path if provider is None else provider
        return grant(self, path, ids, portions, expires_in)

    def __repr__(self) -> str:
        return (
            f"Provider({self.path!r}, epochs={self._keyring.epochs}, below={len(self.providers)})"
        )

    def _repr_html_(self) -> str:
        below = "".join(f"<li>{html.escape(path)}</li>" for path in self.providers)
        return f"<b>{html.escape(self.path)}</b><ul>{below}</ul>"


def _words(keywords: Any) -> list[bytes]:
    """Return what stands for each keyword."""
    return [keyword_bytes(word) for word in items(keywords, "keywords", "list of strings")]


def _gap(rows: NDArray[np.uint32]) -> int:
    """Return the first row number that is left out of ascending ones."""
    is_off = rows != np.arange(len(rows))
    return int(is_off.argmax()) if is_off.any() else len(rows)
