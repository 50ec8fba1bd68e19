"""What the cloud does: merge and search encrypted indexes, holding no key.

Importing this module loads no Python module that can hold a key. The compiled core, which it
shares with all others, is one library and could: what is apart are Python modules.
"""

import html
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Never

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checks import instance, integer, integers, items, number, proof_kind, text, truth
from mopse._files import as_file
from mopse._mopse.message import CHUNK_BYTES, Pieces
from mopse._passing import fetched_to, received
from mopse._remote import RemoteGate, is_address
from mopse.errors import ChangedError, InvalidInputError, MopseError, WrongTypeError
from mopse.messages import (
    Answer,
    Count,
    FileListing,
    FileNotes,
    FileRequest,
    FileUpload,
    Query,
    Receipt,
    Removal,
    Seal,
    SealedFile,
    Statement,
    Upload,
    as_message,
)
from mopse.stores import MemoryStore, Store, opened_store
from mopse.stores._place import check_place

if TYPE_CHECKING:
    from mopse._audit import AuditLog

__all__ = ["Cloud", "merge"]

_SHOWN = 100
"""Uploads that a table of a cloud lists."""


class Cloud:
    """The untrusted cloud: keeps, merges and searches what it is sent, and holds no key.

    Parameters
    ----------
    store : Store or path, optional
        Where it keeps things: a `mopse.stores.Store`, the path of a DuckDB file, which ends with
        ``.duckdb`` and is made if it is not there, or the address of a PostgreSQL database, as in
        ``postgresql://user@host/database``; in memory by default. The address of a service that
        ``mopse serve`` runs, as in ``https://host:8734``, is no store: that cloud is elsewhere, and
        is asked by the same calls.
    answer_bytes : int
        About how many bytes of an answer it gives at once; `search` says how one goes on. A service
        has its own.
    certificate : path, optional
        Of a service: a PEM file of the certificates that are trusted instead of the system's, as
        its own self-signed one.
    insecure_http : bool
        Whether a service beyond this machine may be asked by ``http://``, so that whoever is on the
        way sees all that the cloud sees.
    timeout : float, optional
        Seconds that a service may be silent; 60 by default.
    audit_log : mopse.sharing.AuditLog, optional
        Where it writes down who did what; nowhere by default. A service has its own.

    Raises
    ------
    mopse.errors.InvalidInputError
        If it is no address, or one of ``http://`` beyond this machine.
    mopse.errors.MopseError
        As `mopse.stores.opened_store` does, of a store.

    Notes
    -----
    It is honest but curious: it does what it should and remembers everything. What it learns is
    said at `Upload` and `Query`. One that is not honest cannot answer another question, nor double,
    change or invent records. That it leaves some out, or shows an old state of all, is noticed by
    who asks with ``proof=True``: see `mopse.Owner.prove`.

    **Of a service** every call raises `mopse.errors.UnreachableError` where it is away, refuses its
    certificate or speaks less than TLS 1.3, and otherwise what it would raise here. A call whose
    connection breaks is made again, four times at most: what was done is not done twice, and an
    attachment that came by the first try says so in its receipt (``repeated``). Connections are
    kept; settings of the environment for proxies are not read. Whoever is between sees sizes and
    times, and with ``http://`` all messages. That a count or a receipt without a proof is true
    rests on TLS and on the service.

    Examples
    --------
    >>> import mopse
    >>> owner = mopse.Owner.generate(mopse.Schema(age=mopse.Field(0, 120)))
    >>> hospital = owner.authorize("hospital")
    >>> cloud = mopse.Cloud()
    >>> cloud.enroll(owner.public)
    >>> cloud.receive(hospital.encrypt({"record_id": [1, 2], "age": [41, 70]}, id="record_id"))
    Receipt(provider='hospital', added=2, replaced=0, removed=0, files=0, repeated=False)
    >>> owner.ask(cloud, age=(40, 60)).rows()
    [(1, 41, 'hospital')]
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str] | None = None,
        *,
        answer_bytes: int = 1 << 28,
        certificate: str | os.PathLike[str] | None = None,
        insecure_http: bool = False,
        timeout: float | None = None,
        audit_log: "AuditLog | None" = None,
    ) -> None:
        most = integer(answer_bytes, "answer_bytes", 1, 2**48)
        insecure_http = truth(insecure_http, "insecure_http")
        seconds = 60.0 if timeout is None else number(timeout, "timeout", 0.001, 86_400)
        self._gate: _mopse.cloud.Gate | RemoteGate
        self._store: Any
        core = getattr(audit_log, "_log", None)
        if audit_log is not None and not isinstance(core, _mopse.audit.Log):
            kind = type(audit_log).__name__
            raise WrongTypeError(f"audit_log must be a mopse.sharing.AuditLog, not {kind}")
        if isinstance(store, str) and is_address(store):
            if audit_log is not None:
                raise InvalidInputError(f"audit_log is of a cloud here, and {store} is a service")
            self._gate = RemoteGate(
                store, certificate=certificate, insecure_http=insecure_http, timeout=seconds
            )
            self._store = _Elsewhere(self._gate)
            return
        for name, given in (
            ("certificate", certificate),
            ("insecure_http", insecure_http or None),
            ("timeout", timeout),
        ):
            if given is not None:
                if isinstance(store, str | os.PathLike):
                    check_place(store)
                raise InvalidInputError(
                    f"{name} is of a service, as https://host:8734, and this cloud has a store here"
                )
        if isinstance(store, str | os.PathLike):
            store = opened_store(store)
        if store is not None and not hasattr(store, "search"):
            kind = type(store).__name__
            raise WrongTypeError(f"a store must be a mopse.stores.Store or a path, not {kind}")
        self._store = MemoryStore() if store is None else store
        self._log = core
        self._gate = _mopse.cloud.Gate(self._store, most, core)

    def enroll(self, public: bytes) -> None:
        """Serve an owner, or take note of what was announced since, from its `mopse.Owner.public`.

        Raises
        ------
        mopse.errors.SignatureError
            If it was changed.
        mopse.errors.DamagedFileError
            If it is malformed.
        mopse.errors.ChangedError
            If a copy of the keyring has announced something else meanwhile: `mopse.Owner.catch_up`,
            then do again what is missing.
        mopse.errors.ReplayError
            If a later announcement is known.
        """
        self._gate.enroll(as_message(public, "an owner's announcements"))

    def announcements(self, owner: bytes) -> bytes:
        """Return what an owner's authorities announced last, for whoever has to catch up.

        Parameters
        ----------
        owner : bytes
            The owner's verification key, 32 bytes: ``owner.key`` of any of its parties.

        Raises
        ------
        mopse.errors.ScopeError
            If the owner is not enrolled.
        """
        key = as_message(owner, "an owner's verification key")
        if len(key) != 32:
            raise InvalidInputError(f"an owner's verification key has 32 bytes, not {len(key)}")
        return self._gate.announcements(key)

    def receive(self, message: Upload | FileUpload | Removal | Seal | Statement | bytes) -> Receipt:
        """Check an upload, an attachment, a seal or a removal and carry it out.

        Parameters
        ----------
        message : Upload, FileUpload, Seal, Removal, Statement or bytes
            From `mopse.Provider.encrypt`, `mopse.Provider.update`, `mopse.Provider.delete`,
            `mopse.Provider.attach`, `mopse.Provider.seal` or `mopse.Owner.removal`; or from
            `mopse.sharing.statement`, which is written in the log. All of it is done, or nothing.
            Uploads may come in any order, and again: what was done is not done twice. An attachment
            that lies in a file goes from there piece by piece, also to a service.

        Returns
        -------
        Receipt
            What was done.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is cut short or malformed.
        mopse.errors.SignatureError
            If the party it names did not sign it.
        mopse.errors.ScopeError
            If it is of an owner who is not enrolled, of another schema, of an epoch that is not its
            group's, or sealed for readers who have left.
        mopse.errors.ReplayError
            If it was received before and its records were removed since.
        mopse.errors.ChangedError
            If a record was changed since the version that it names was looked up; or a seal does
            not follow the last one, or is of other records than are stored: seal again, with
            ``cloud=``.
        mopse.errors.InvalidInputError
            If a run is faulty, a record is stored already, or not stored, the upload is dated more
            than two days ahead, there is no log for a statement, or an attachment is of a keyring
            that must catch up first, because it might not be found: see `mopse.Provider.catch_up`.

        Notes
        -----
        In memory r records cost O(r log n) on average, however many are stored. Sorted levels are
        merged by a thread of the cloud's own, and no search waits for that or for an upload;
        uploads of one owner wait for each other.
        """
        if isinstance(message, FileUpload) and message._kept is not None:
            return Receipt(*received(self._gate, self._store, message._kept, _now()))
        kinds = (FileUpload, Removal, Seal, Statement)
        kind = next((kind for kind in kinds if isinstance(message, kind)), Upload)
        try:
            receipt = Receipt(*self._gate.receive(as_message(message, "an upload", kind), _now()))
        except MopseError as error:
            if isinstance(message, Upload):
                raise message._named(error) from None
            raise
        if isinstance(message, Seal):
            message._came()
        return receipt

    def receive_in_pieces(
        self, upload: Upload | bytes, *, piece_bytes: int = 8 * CHUNK_BYTES
    ) -> Receipt:
        """Have an upload that is too large to be sent at once: it goes on where it was ended.

        Parameters
        ----------
        upload : Upload or bytes
            As for `receive`.
        piece_bytes : int
            How many bytes are sent at once: as many whole MiB as that has, one at least.

        Returns
        -------
        Receipt
            What was done once all pieces were there. Nothing of the upload is seen before.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the provider has begun sixteen others that are not whole; they are forgotten a week
            after their last piece. Else as `receive`.

        Notes
        -----
        Only what `missing` names is sent, with a path of hashes that leads to the head's signature:
        each piece is verified by itself.
        """
        whole = as_message(upload, "an upload", Upload)
        step = max(1, integer(piece_bytes, "piece_bytes", 1, 2**48) // CHUNK_BYTES)
        pieces = Pieces(whole)
        left = self.missing(upload) or [len(pieces) - 1]  # where it was carried out, it says so
        try:
            while left:
                end = left[0] + step
                receipt = self.put(pieces.piece(left[0], end))
                if receipt is not None:
                    return receipt
                left = [chunk for chunk in left if chunk >= end]
        except MopseError as error:
            if isinstance(upload, Upload):
                raise upload._named(error) from None
            raise
        raise ChangedError("pieces of the upload were forgotten meanwhile: send it again")

    def put(self, piece: bytes) -> Receipt | None:
        """Keep a piece of an upload; carry it out once all of them are there.

        Parameters
        ----------
        piece : bytes
            As `receive_in_pieces` sends it. They may come in any order, and again.

        Returns
        -------
        Receipt, or None
            What was done; nothing while pieces are missing.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is cut short or malformed.
        mopse.errors.SignatureError
            If it is no piece of what its provider signed.
        mopse.errors.InvalidInputError
            As `receive_in_pieces`; so too all others.
        """
        found = self._gate.put(as_message(piece, "a piece of an upload"), _now())
        return None if found is None else Receipt(*found)

    def missing(self, upload: Upload | bytes) -> list[int]:
        """Return which MiB of an upload's body did not come yet, from 0 on; none if it is done.

        Parameters
        ----------
        upload : Upload or bytes
            The upload, or its beginning up to the signature.
        """
        return self._gate.missing(as_message(upload, "an upload", Upload), _now())

    def search(
        self,
        query: Query | bytes,
        *,
        after: Answer | None = None,
        proof: Any = None,
        since: int | None = None,
        in_detail: bool = False,
    ) -> Answer:
        """Return the sealed records that a query asks for.

        Parameters
        ----------
        query : Query or bytes
            From `mopse.Owner.query`, `mopse.Owner.lookup` or those of a provider. Only its tokens
            are looked at.
        after : Answer, optional
            What was given of the answer before; `mopse.Owner.ask` goes on by itself.
        proof : {None, True, False, "sums", "signatures"}
            What proves the answer and is sent with it: sums for whoever has the providers' keys,
            or entries with neighbours for whoever trusts their signatures. None sends sums if the
            query was made with ``proof=True``.
        since : int, optional
            The state of an answer of this cloud that whoever asks has proven, ``answer.state``:
            seals which came before are not sent again.
        in_detail : bool
            Whether sums are sent provider by provider, which tells whose part is wrong; some 400
            bytes for each provider and range.

        Returns
        -------
        Answer
            Sealed records of all groups the tokens reach, from one state of the cloud. With cells
            wider than one step it holds more than match; who decrypts drops the rest. An answer of
            more than ``answer_bytes`` comes in pages, which are added up::

                answer = cloud.search(query)
                while answer.goes_on(query):
                    answer += cloud.search(query, after=answer)

        Raises
        ------
        mopse.errors.ChangedError
            If ``after`` is of a state that is not kept: the last eight answers of an owner that did
            not come to their end can go on.
        mopse.errors.InvalidInputError
            If ``after`` is the whole answer, or one to another query.
        mopse.errors.SignatureError
            If the query is forged.
        mopse.errors.ExpiredError
            If its time has run out.
        mopse.errors.OutdatedError
            If whoever made it has missed an announcement, so that it would miss records.
        mopse.errors.ScopeError
            If its issuer has no right to a group or is of an epoch that its group has left, or its
            owner is not enrolled.
        mopse.errors.DamagedFileError
            If it is cut short or malformed.

        Notes
        -----
        Two binary searches per range and sorted level, of which there are O(log n), then the
        records are copied out.
        """
        before = None if after is None else instance(after, Answer, "after")._parts
        message = as_message(query, "a query", Query)
        since = None if since is None else integer(since, "since", 0, 2**64 - 1)
        in_detail = truth(in_detail, "in_detail")
        kind = proof_kind(proof, "sums")
        is_wanted = None if proof is None else kind is not None
        found = self._gate.search(
            message, _now(), before, is_wanted, since, in_detail, kind == "signatures"
        )
        return Answer(*found)

    def count(
        self,
        query: Query | bytes,
        *,
        proof: bool = False,
        since: int | None = None,
        in_detail: bool = False,
    ) -> int:
        """Count the records that a query asks for, without copying any; see `search`.

        With cells wider than one step this counts too many.

        Parameters
        ----------
        query : Query or bytes
            From `mopse.Owner.query`.
        proof : bool
            Whether to return a `mopse.messages.Count`, which `mopse.Owner.prove` proves: it names
            every record that was counted.
        since : int, optional
            As for `search`.
        in_detail : bool
            As for `search`.
        """
        message = as_message(query, "a query", Query)
        since = None if since is None else integer(since, "since", 0, 2**64 - 1)
        in_detail = truth(in_detail, "in_detail")
        if not truth(proof, "proof"):
            return self._gate.count(message, _now())
        return Count(self._gate.count_proven(message, _now(), since, in_detail))

    def find(self, request: FileRequest | bytes, *, proof: bool = False) -> FileListing:
        """Return descriptions of the stored files that a request asks for, without what they hold.

        Parameters
        ----------
        request : FileRequest or bytes
            From `mopse.Owner.find` or `mopse.Owner.files_of`.
        proof : bool
            Whether what shows that these are all files comes with it, for `mopse.Owner.files` with
            ``proof=True``: some kilobytes a provider. A request for keywords was made with
            ``find(..., proof=True)`` then.

        Raises
        ------
        mopse.errors.ProofError
            If it is to be proven and the request was not made for that.
        mopse.errors.InvalidInputError
            If it is to be proven and the store keeps no seals.
        mopse.errors.SignatureError
            If the request is forged.
        mopse.errors.ExpiredError
            If its time has run out.
        mopse.errors.OutdatedError
            If it is for keywords and its keyring does not know of a provider that was announced
            here: ``catch_up`` with the cloud, then ask again.
        mopse.errors.ScopeError
            If its issuer does not reach a provider in it or is of an epoch that its group has left,
            or its owner is not enrolled.
        mopse.errors.DamagedFileError
            If it is cut short or malformed.

        Notes
        -----
        One HMAC and one look-up per match and keyword, whatever else is stored; with a proof two.
        """
        is_proven = truth(proof, "proof")
        return FileListing(self._gate.find(_request(request), _now(), is_proven))

    def fetch(
        self,
        request: FileRequest | bytes,
        *,
        proof: bool = False,
        to: str | os.PathLike[str] | None = None,
    ) -> SealedFile:
        """Return the stored file of a request from `mopse.Owner.fetch`, and move no other.

        Parameters
        ----------
        request : FileRequest or bytes
            From `mopse.Owner.fetch`.
        proof : bool
            Whether what shows that its provider sent it comes with it: some 700 bytes, and 56 a
            keyword.
        to : path, optional
            A new file that it is written to as it comes, sealed, instead of memory. It is there
            when all of it has come, and for its owner only.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such file.
        mopse.errors.FileAccessError
            If there is a file at ``to`` already, or it cannot be written.
        mopse.errors.MopseError
            As `find` does.
        """
        message, is_proven = _request(request), truth(proof, "proof")
        if to is None:
            return SealedFile(self._gate.fetch(message, _now(), is_proven))
        return fetched_to(self._gate, self._store, message, _now(), is_proven, as_file(to))

    def notes(self, request: FileRequest | bytes) -> FileNotes:
        """Return the notes of all attachments that ever came from the provider that asks.

        Parameters
        ----------
        request : FileRequest or bytes
            From `mopse.Provider.request_notes`.

        Returns
        -------
        FileNotes
            For `mopse.Provider.learn_uses`; `mopse.Provider.catch_up` does all three.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the request is for something else.
        mopse.errors.MopseError
            As `find` does.

        Notes
        -----
        Some 100 bytes per attachment, and 24 per keyword of it.
        """
        return FileNotes(self._gate.notes(_request(request), _now()))

    def audit(self, request: bytes) -> bytes:
        """Return what stands in an owner's audit log, as a `mopse.sharing.Witness` asks for it.

        Parameters
        ----------
        request : bytes
            Signed by a party of the owner.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the cloud keeps no log, or the log has fewer entries than are asked for.
        mopse.errors.ScopeError
            If entries are asked for by anybody but the owner.
        mopse.errors.MopseError
            As `find` does.
        """
        return self._gate.audit(as_message(request, "a request to the audit log"), _now())

    def remove(self, provider: str, *, owner: bytes | None = None) -> int:
        """Remove all records, entries and stored files of a provider, in every epoch.

        For whoever operates the cloud, and not offered by a service; a party asks for it with
        `mopse.Owner.removal`.

        Parameters
        ----------
        provider : str
            Its path.
        owner : bytes, optional
            The owner's `mopse.Owner.public`; needed if the cloud serves several.

        Returns
        -------
        int
            How many records there were.

        Raises
        ------
        mopse.errors.InvalidInputError
            If nothing of such a provider is stored, or it is not clear whose; or this cloud is a
            service.
        """
        public = None if owner is None else as_message(owner, "an owner's announcement")
        records, _ = self._gate.remove(text(provider, "a provider's path"), public)
        return records

    def _check(self) -> None:
        """Refuse what cannot be asked: a store that is away, or a log that cannot be written."""
        self._store.owners()
        if self._log is not None:
            self._log.sync()

    def close(self) -> None:
        """Let go of a store that lasts, so that another process can open it; or of connections.

        Every call of such a cloud, also of a service, is `mopse.errors.FileAccessError` then.
        """
        close = getattr(self._store, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "a cloud is a place, neither pickled nor copied: processes send it messages, or each "
            "makes a cloud over one store"
        )

    def __repr__(self) -> str:
        if isinstance(self._gate, RemoteGate):
            return f"Cloud({self._gate.address!r})"
        contents = self._store.contents
        entries, files, _, _ = self._store.totals
        return (
            f"Cloud(owners={len(self._store.owners())}, uploads={len(contents)}, "
            f"records={sum(line[3] for line in contents)}, entries={entries}, files={files})"
        )

    def _repr_html_(self) -> str:
        if isinstance(self._gate, RemoteGate):
            return f"<table><caption>{html.escape(self._gate.address)}</caption></table>"
        contents = self._store.contents
        head = "".join(
            f"<th>{title}</th>" for title in ("owner", "group", "provider", "records", "bytes")
        )
        rows = "".join(
            f"<tr><td>{owner[:8].hex()}</td><td>{html.escape(group)}</td>"
            f"<td>{html.escape(provider)}</td><td>{records:,}</td><td>{size:,}</td></tr>"
            for owner, group, provider, records, size in contents[:_SHOWN]
        )
        more = len(contents) - _SHOWN
        caption = f"<caption>and {more:,} uploads more</caption>" if more > 0 else ""
        return f"<table>{caption}<tr>{head}</tr>{rows}</table>"


class _Elsewhere:
    """Stands where a cloud has its store, and says that a service's is not here."""

    def __init__(self, gate: RemoteGate) -> None:
        self.close = gate.close
        self._address = gate.address

    def __getattr__(self, name: str) -> Never:
        raise InvalidInputError(
            f"{self._address} is a service: its store is its operator's, who opens it there"
        )


def _request(request: FileRequest | bytes) -> bytes:
    return as_message(request, "a request", FileRequest)


def _now() -> int:
    return int(time.time())


def merge(runs: Sequence[Any]) -> NDArray[np.int64]:
    """Return the order that merges sorted runs of ciphertexts into one index.

    The cloud needs no key for this: it compares ciphertexts and nothing else.

    Parameters
    ----------
    runs : sequence of (n_i,) integer arrays
        One per provider, its ciphertexts ascending; ties are allowed. They are read in place, so
        leave them unchanged during the call.

    Returns
    -------
    (n,) int64 array, n = sum of the n_i
        ``np.concatenate(runs)[order]`` is the merged index, and any column that came with the runs
        is put in the same order by the same indexing. Equal ciphertexts keep the order of their
        runs.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a run is not ascending or holds a negative number; the message names run and position.

    Notes
    -----
    Costs O(n log k) comparisons for k runs, on all cores, with the GIL released. The cloud learns
    the order and the ties of all providers' values, as it must to merge them [1]_.

    References
    ----------
    .. [1] X. Yao, Y. Lin, Q. Liu and J. Zhang, "Privacy-Preserving Search Over Encrypted
       Personal Health Record in Multi-Source Cloud", IEEE Access 6 (2018),
       `doi:10.1109/ACCESS.2018.2793304 <https://doi.org/10.1109/ACCESS.2018.2793304>`_.

    Examples
    --------
    >>> import numpy as np
    >>> import mopse
    >>> mopse.merge([np.array([10, 40]), np.array([20, 40])]).tolist()
    [0, 2, 1, 3]
    """
    given = items(runs, "runs", "sequence of arrays")
    return _mopse.cloud.merge([integers(run, f"run {number}") for number, run in enumerate(given)])
